/*
 * SHA-1 [RFC 3174], for Sec-WebSocket-Accept only: there it proves that the
 * other side has read the request, and nothing is secret. A library for it
 * would be larger than all else here.
 */
#ifndef MQTTLOOP_WEBSOCKET_SHA1_H
#define MQTTLOOP_WEBSOCKET_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define MQTT_SHA1_SIZE 20

void mqtt_sha1(const void *bytes, size_t size, uint8_t out[MQTT_SHA1_SIZE]);

#endif
