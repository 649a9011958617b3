#include "wire/length.h"

unsigned mqtt_length_size(uint32_t value)
{
    unsigned size = 1;

    while (value >>= 7)
        size++;
    return size;
}

unsigned mqtt_length_write(uint8_t *out, uint32_t value)
{
    unsigned size = 0;

    while (value > 0x7f) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

int mqtt_length_read_long(const uint8_t *bytes, size_t size, uint32_t *value)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (i == size)
            return 0;
        sum |= (uint32_t)(bytes[i] & 0x7f) << (7 * i);
        if (!(bytes[i] & 0x80)) {
            *value = sum;
            return (int)i + 1;
        }
    }
    return -1;
}
