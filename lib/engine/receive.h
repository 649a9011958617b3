/*
 * One function for each packet that a server sends, see
 * mqtt_receive_function.
 */
#ifndef MQTT_ENGINE_RECEIVE_H
#define MQTT_ENGINE_RECEIVE_H

#include "wire/protocol.h"

mqtt_receive_function mqtt_receive_connack, mqtt_receive_publish,
    mqtt_receive_ack, mqtt_receive_pubrel, mqtt_receive_suback,
    mqtt_receive_unsuback, mqtt_receive_pingresp;

#endif
