/*
 * The packet identifiers of QoS 2 messages that came and wait for PUBREL: by
 * them a message that comes again is known [3.1.1 MQTT-4.3.3-2].
 */
#ifndef MQTT_SESSION_RECEIVED_H
#define MQTT_SESSION_RECEIVED_H

#include <mqttloop/session.h>

bool mqtt_received_has(const struct mqtt_identifier_set *set,
                       uint16_t identifier);
/* One that is not in it; false: there is no room. */
bool mqtt_received_add(struct mqtt_identifier_set *set, uint16_t identifier);
void mqtt_received_remove(struct mqtt_identifier_set *set, uint16_t identifier);
void mqtt_received_clear(struct mqtt_identifier_set *set);

#endif
