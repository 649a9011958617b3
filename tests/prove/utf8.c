/*
 * utf8.c - text of each size to a bound, of any bytes.
 */
#include "prove.h"

#include "wire/utf8.h"

enum { MOST = 32 };

int main(void)
{
    static uint8_t memory[MOST];

    for (size_t size = 0; size <= MOST; size++) {
        struct mqtt_span text = {any_bytes(memory, MOST, size), size};

        mqtt_utf8_valid(text);
        mqtt_utf8_payload_valid(text);
    }
    /* Refused before it is looked at. */
    mqtt_utf8_valid((struct mqtt_span){memory, any(65536, UINT32_MAX)});
    return 0;
}
