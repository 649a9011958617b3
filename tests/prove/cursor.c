/*
 * cursor.c - any sequence of reads, or of writes, of any size: also far more
 * than there is, and on after that.
 */
#include "prove.h"

#include "wire/cursor.h"

enum { MOST = 12, TEXT = 65535 };

static uint8_t memory[MOST], other[TEXT];

/* Each place that a cursor may have reached is looked at by itself. */
static uint8_t *place(uint8_t *at)
{
    for (size_t i = 0; i < MOST; i++)
        if (at == memory + i)
            return memory + i;
    return memory + MOST;
}

/* What was given is all there. */
static void touch(const uint8_t *bytes, size_t size)
{
    if (!bytes || !size)
        return;
    (void)*(const volatile uint8_t *)bytes;
    (void)*(const volatile uint8_t *)(bytes + size - 1);
}

static void read_one(struct mqtt_reader *r)
{
    size_t size = any(0, UINT32_MAX);
    struct mqtt_span text;

    switch (any(0, 5)) {
    case 0:
        touch(mqtt_read_bytes(r, size), size);
        break;
    case 1:
        mqtt_read_u8(r);
        break;
    case 2:
        mqtt_read_u16(r);
        break;
    case 3:
        mqtt_read_u32(r);
        break;
    case 4:
        text = mqtt_read_text(r);
        touch(text.data, text.size);
        break;
    default:
        size = SIZE_MAX - size;
        touch(mqtt_read_bytes(r, size), size);
    }
}

static void write_one(struct mqtt_writer *w)
{
    size_t size = any(0, TEXT);

    switch (any(0, 6)) {
    case 0:
        mqtt_write_bytes(w, other, size);
        break;
    case 1:
        mqtt_write_u8(w, any(0, UINT32_MAX));
        break;
    case 2:
        mqtt_write_u16(w, any(0, UINT32_MAX));
        break;
    case 3:
        mqtt_write_u32(w, any(0, UINT32_MAX));
        break;
    case 4:
        mqtt_write_length(w, any(0, MQTT_LENGTH_MAX));
        break;
    case 5:
        mqtt_write_text(w, (struct mqtt_span){other, size});
        break;
    default:
        mqtt_write_bytes(w, NULL, 0);
    }
}

static void read_all(size_t size)
{
    uint8_t *bytes = any_bytes(memory, MOST, size);
    struct mqtt_reader r = {bytes, memory + MOST, false};

    while (any(0, 1)) {
        read_one(&r);
        r.at = place((uint8_t *)r.at);
        r.overflow = any(0, 1);
    }
}

static void write_all(size_t size)
{
    struct mqtt_writer w = {memory + (MOST - size), memory + MOST, false};

    while (any(0, 1)) {
        write_one(&w);
        w.at = place(w.at);
        w.overflow = any(0, 1);
    }
}

int main(void)
{
    Frama_C_make_unknown((char *)other, TEXT);
    for (size_t size = 0; size <= MOST; size++) {
        read_all(size);
        write_all(size);
    }
    return 0;
}
