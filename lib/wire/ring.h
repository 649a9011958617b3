/*
 * A ring of bytes in which packets lie back to back, each perhaps in two
 * parts where the ring ends.
 *
 * A position runs from 0 to 2 * size - 1, twice around, so that a full ring
 * and an empty one differ, and no size needs a division.
 */
#ifndef MQTT_WIRE_RING_H
#define MQTT_WIRE_RING_H

#include <mqttloop/session.h>
#include <string.h>

/* Where in the memory `position` lies. */
static inline uint32_t mqtt_ring_index(const struct mqtt_ring *r,
                                       uint32_t position)
{
    return position >= r->size_ ? position - r->size_ : position;
}

static inline uint32_t mqtt_ring_add(const struct mqtt_ring *r,
                                     uint32_t position, uint32_t n)
{
    position += n;
    return position >= 2 * r->size_ ? position - 2 * r->size_ : position;
}

/* Bytes from `from` forward to `to`: 0 to size. */
static inline uint32_t mqtt_ring_distance(const struct mqtt_ring *r,
                                          uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + 2 * r->size_ - from;
}

static inline uint32_t mqtt_ring_back(const struct mqtt_ring *r,
                                      uint32_t position, uint32_t n)
{
    return position >= n ? position - n : position + 2 * r->size_ - n;
}

static inline uint8_t *mqtt_ring_at(const struct mqtt_ring *r,
                                    uint32_t position)
{
    return r->bytes_ + mqtt_ring_index(r, position);
}

/* The size of the packet at `position`, from its fixed header. */
uint32_t mqtt_ring_packet_size(const struct mqtt_ring *r, uint32_t position);

/* Copy `size` bytes out of the ring. */
void mqtt_ring_get(const struct mqtt_ring *r, uint32_t position, void *out,
                   uint32_t size);

/* Move `size` bytes forward, from `from` to the later `to`; they may overlap,
 * and together span no more than the ring. */
void mqtt_ring_move(const struct mqtt_ring *r, uint32_t from, uint32_t to,
                    uint32_t size);

/* Where the next byte goes. Whoever writes has made sure that there is room. */
struct mqtt_ring_cursor {
    const struct mqtt_ring *ring;
    uint32_t index;
};

/* Over the end of the ring. */
void mqtt_ring_put_around(struct mqtt_ring_cursor *cursor, const void *bytes,
                          size_t size);

static inline void mqtt_ring_put(struct mqtt_ring_cursor *cursor,
                                 const void *bytes, size_t size)
{
    if (size >= cursor->ring->size_ - cursor->index) {
        mqtt_ring_put_around(cursor, bytes, size);
        return;
    }
    memcpy(cursor->ring->bytes_ + cursor->index, bytes, size);
    cursor->index += (uint32_t)size;
}

#endif
