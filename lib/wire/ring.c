#include "wire/ring.h"

uint32_t mqtt_ring_packet_size(const struct mqtt_ring *r, uint32_t position)
{
    uint32_t length = 0, header = 1;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = *mqtt_ring_at(r, mqtt_ring_add(r, position, header++));
        length |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return header + length;
}

void mqtt_ring_get(const struct mqtt_ring *r, uint32_t position, void *out,
                   uint32_t size)
{
    uint32_t index = mqtt_ring_index(r, position);
    uint32_t first = r->size_ - index;

    if (first > size)
        first = size;
    memcpy(out, r->bytes_ + index, first);
    memcpy((uint8_t *)out + first, r->bytes_, size - first);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void mqtt_ring_move(const struct mqtt_ring *r, uint32_t from, uint32_t to,
                    uint32_t size)
{
    /* From the end, so that nothing is overwritten before it was moved; in
     * pieces that end where one of the two reaches the ring's beginning. */
    while (size) {
        uint32_t from_end =
            mqtt_ring_index(r, mqtt_ring_add(r, from, size - 1)) + 1;
        uint32_t to_end =
            mqtt_ring_index(r, mqtt_ring_add(r, to, size - 1)) + 1;
        uint32_t piece = smaller(size, smaller(from_end, to_end));

        memmove(r->bytes_ + to_end - piece, r->bytes_ + from_end - piece,
                piece);
        size -= piece;
    }
}

void mqtt_ring_put_around(struct mqtt_ring_cursor *cursor, const void *bytes,
                          size_t size)
{
    size_t first = cursor->ring->size_ - cursor->index;

    memcpy(cursor->ring->bytes_ + cursor->index, bytes, first);
    size -= first;
    memcpy(cursor->ring->bytes_, (const uint8_t *)bytes + first, size);
    cursor->index = (uint32_t)size;
}
