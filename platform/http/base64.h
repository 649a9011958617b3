/*
 * Base 64 [RFC 4648, section 4], for keys and credentials in headers.
 */
#ifndef MQTTLOOP_HTTP_BASE64_H
#define MQTTLOOP_HTTP_BASE64_H

#include <stddef.h>
#include <stdint.h>

/** Characters of `size` bytes, without NUL. */
#define MQTT_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/** Write MQTT_BASE64_SIZE(size) characters, without NUL. */
void mqtt_base64_write(const void *bytes, size_t size, char *out);

#endif
