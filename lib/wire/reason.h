/*
 * Which reason code may stand in which packet [5.0, section 2.4].
 */
#ifndef MQTT_WIRE_REASON_H
#define MQTT_WIRE_REASON_H

#include <mqttloop/reason.h>

enum mqtt_reason_place {
    MQTT_REASON_IN_CONNACK = 1 << 0,
    MQTT_REASON_IN_PUBACK = 1 << 1, /* and PUBREC */
    MQTT_REASON_IN_PUBREL = 1 << 2, /* and PUBCOMP */
    MQTT_REASON_IN_SUBACK = 1 << 3,
    MQTT_REASON_IN_UNSUBACK = 1 << 4,
    MQTT_REASON_IN_SERVER_DISCONNECT = 1 << 5,
    MQTT_REASON_IN_CLIENT_DISCONNECT = 1 << 6,
    MQTT_REASON_IN_SERVER_AUTH = 1 << 7
};

bool mqtt_reason_may_stand(uint8_t code, enum mqtt_reason_place place);

#endif
