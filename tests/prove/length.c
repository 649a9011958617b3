/*
 * length.c - the variable byte integer: of bytes of any value, and any value.
 */
#include "prove.h"

#include "wire/length.h"

enum { MOST = 6 };

static void read_any(void)
{
    static uint8_t memory[MOST];

    for (size_t size = 0; size <= MOST; size++) {
        const uint8_t *bytes = any_bytes(memory, MOST, size);
        uint32_t value = 0;
        int n = mqtt_length_read(bytes, size, &value);

        //@ assert -1 <= n <= 4;
        //@ assert value <= 268435455;
    }
}

/* Into memory that is as large as is said. */
static void write_any(void)
{
    static uint8_t memory[4];
    uint32_t value = (uint32_t)any(0, MQTT_LENGTH_MAX);
    unsigned size = mqtt_length_write(memory, value);

    //@ assert 1 <= size <= 4;
}

static void size_of_any(void)
{
    unsigned size = mqtt_length_size((uint32_t)any(0, UINT32_MAX));

    //@ assert 1 <= size <= 5;
}

int main(void)
{
    read_any();
    write_any();
    size_of_any();
    return 0;
}
