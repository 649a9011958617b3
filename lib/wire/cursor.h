/*
 * Cursors over bytes that remember when they were led beyond their end, so
 * that bounds are tested once for a packet and not once for a byte.
 *
 * The functions are inline, not static: where a compiler for size does not
 * inline them, all files share the copies of cursor.c.
 */
#ifndef MQTT_WIRE_CURSOR_H
#define MQTT_WIRE_CURSOR_H

#include <mqttloop/types.h>
#include <string.h>
#include "wire/length.h"

struct mqtt_reader {
    const uint8_t *at, *end;
    bool overflow; /* something was read that is not there */
};

struct mqtt_writer {
    uint8_t *at, *end;
    bool overflow; /* something was written that had no room */
};

/* The next `size` bytes; when they are not there, NULL, for good. */
inline const uint8_t *mqtt_read_bytes(struct mqtt_reader *r, size_t size)
{
    const uint8_t *bytes = r->at;

    if ((size_t)(r->end - r->at) < size) {
        r->overflow = true;
        r->at = r->end;
        return NULL;
    }
    r->at += size;
    return bytes;
}

inline uint8_t mqtt_read_u8(struct mqtt_reader *r)
{
    const uint8_t *byte = mqtt_read_bytes(r, 1);

    return byte ? byte[0] : 0;
}

inline uint16_t mqtt_read_u16(struct mqtt_reader *r)
{
    const uint8_t *bytes = mqtt_read_bytes(r, 2);

    return bytes ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
}

inline uint32_t mqtt_read_u32(struct mqtt_reader *r)
{
    uint32_t high = mqtt_read_u16(r);

    return high << 16 | mqtt_read_u16(r);
}

/* A string or binary data behind its length; absent when it is not there. */
inline struct mqtt_span mqtt_read_text(struct mqtt_reader *r)
{
    struct mqtt_span text = {NULL, mqtt_read_u16(r)};

    text.data = mqtt_read_bytes(r, text.size);
    return text;
}

inline void mqtt_write_bytes(struct mqtt_writer *w, const void *bytes,
                             size_t size)
{
    if ((size_t)(w->end - w->at) < size) {
        w->overflow = true;
        w->at = w->end;
        return;
    }
    if (size)
        memcpy(w->at, bytes, size);
    w->at += size;
}

inline void mqtt_write_u8(struct mqtt_writer *w, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    mqtt_write_bytes(w, &byte, 1);
}

inline void mqtt_write_u16(struct mqtt_writer *w, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    mqtt_write_bytes(w, bytes, 2);
}

inline void mqtt_write_u32(struct mqtt_writer *w, uint32_t value)
{
    mqtt_write_u16(w, (unsigned)(value >> 16));
    mqtt_write_u16(w, (unsigned)(value & 0xffff));
}

/* A variable byte integer, at most MQTT_LENGTH_MAX. */
inline void mqtt_write_length(struct mqtt_writer *w, uint32_t value)
{
    uint8_t bytes[4];

    mqtt_write_bytes(w, bytes, mqtt_length_write(bytes, value));
}

inline void mqtt_write_text(struct mqtt_writer *w, struct mqtt_span text)
{
    mqtt_write_u16(w, (unsigned)text.size);
    mqtt_write_bytes(w, text.data, text.size);
}

#endif
