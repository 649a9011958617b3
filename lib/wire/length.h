/*
 * The variable byte integer of the fixed header [3.1.1, section 2.2.3].
 */
#ifndef MQTT_WIRE_LENGTH_H
#define MQTT_WIRE_LENGTH_H

#include <mqttloop/types.h>

#define MQTT_LENGTH_MAX 268435455u

/* Bytes that `value`, at most MQTT_LENGTH_MAX, takes: 1 to 4. */
unsigned mqtt_length_size(uint32_t value);

/* Write it to `out`; the number of bytes. */
unsigned mqtt_length_write(uint8_t *out, uint32_t value);

/* Read it from `size` bytes: the number of bytes it took; 0: there are too few
 * to tell; -1: a fifth byte would be needed [3.1.1, section 2.2.3]. */
int mqtt_length_read_long(const uint8_t *bytes, size_t size, uint32_t *value);

static inline int mqtt_length_read(const uint8_t *bytes, size_t size,
                                   uint32_t *value)
{
    if (!size || bytes[0] & 0x80)
        return mqtt_length_read_long(bytes, size, value);
    *value = bytes[0];
    return 1;
}

#endif
