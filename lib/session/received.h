/*
 * The packet identifiers of QoS 2 messages that came and wait for PUBREL: by
 * them a message that comes again is known [3.1.1 MQTT-4.3.3-2].
 */
#ifndef MQTT_SESSION_RECEIVED_H
#define MQTT_SESSION_RECEIVED_H

#include <mqttloop/session.h>

bool mqtt_received_has(const struct mqtt_identifier_set *set,
                       uint16_t identifier);
/* One that is not in it; in a list there must be room. */
void mqtt_received_add(struct mqtt_identifier_set *set, uint16_t identifier);
/* Whether there is no room for one more. */
static inline bool mqtt_received_full(const struct mqtt_identifier_set *set)
{
    return !set->bits_ && set->count_ >= set->capacity_;
}
/* Another connection begins: nothing has come on it. */
void mqtt_received_begin(struct mqtt_identifier_set *set);
/* One that is in it has come again. */
void mqtt_received_came(struct mqtt_identifier_set *set, uint16_t identifier);
/* It is in it, and has come on this connection. */
bool mqtt_received_is_here(const struct mqtt_identifier_set *set,
                           uint16_t identifier);
/* There is room for one that is new on this connection, if need be in place of
 * one that has not come on it: *gone, else 0. False: there is none. */
bool mqtt_received_make_room(struct mqtt_identifier_set *set, uint16_t *gone);
void mqtt_received_remove(struct mqtt_identifier_set *set, uint16_t identifier);
void mqtt_received_clear(struct mqtt_identifier_set *set);

#endif
