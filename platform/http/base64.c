#include "base64.h"

/* 6 bits each; what reaches beyond the end is 0. */
static char digit(const uint8_t *bytes, size_t size, size_t index)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = index * 6 / 8;
    unsigned next = at + 1 < size ? bytes[at + 1] : 0;
    unsigned both = (unsigned)bytes[at] << 8 | next;

    return digits[both >> (10 - index * 6 % 8) & 0x3f];
}

void mqtt_base64_write(const void *bytes, size_t size, char *out)
{
    size_t count = MQTT_BASE64_SIZE(size), digits = (size * 8 + 5) / 6;

    for (size_t i = 0; i < count; i++)
        out[i] = i < digits ? digit(bytes, size, i) : '=';
}
