/*
 * mqttloop/protocol.h - the versions of MQTT that a client can speak.
 *
 * A version is a table of functions that the configuration names. What no
 * configuration names is not linked.
 */
#ifndef MQTTLOOP_PROTOCOL_H
#define MQTTLOOP_PROTOCOL_H

#ifdef __cplusplus
extern "C" {
#endif

struct mqtt_protocol;

/** MQTT 3.1.1, protocol level 4, whole. */
extern const struct mqtt_protocol mqtt_protocol_3_1_1;

/** MQTT 5.0, whole. */
extern const struct mqtt_protocol mqtt_protocol_5_0;

/** MQTT 3.1.1 for those who only publish, at QoS 0 and 1: nothing can be
 * subscribed to, and a PUBLISH that comes closes the connection. */
extern const struct mqtt_protocol mqtt_protocol_publisher;

#ifdef __cplusplus
}
#endif

#endif
