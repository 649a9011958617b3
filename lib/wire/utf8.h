#ifndef MQTT_WIRE_UTF8_H
#define MQTT_WIRE_UTF8_H

#include <mqttloop/types.h>

/*
 * Whether the bytes are UTF-8 as the standard has it: well-formed, shortest
 * form, no surrogates, no U+0000, at most U+10FFFF [3.1.1 MQTT-1.5.3-1,
 * MQTT-1.5.3-2]. Control characters and non-characters are let through: the
 * standard leaves the choice, and a message is not ours to judge. An empty
 * string is valid; more than 65,535 bytes are not.
 */
bool mqtt_utf8_valid(struct mqtt_span text);

/* The same of a payload, which may be longer and have U+0000
 * [5.0, section 3.3.2.3.2]. */
bool mqtt_utf8_payload_valid(struct mqtt_span payload);

#endif
