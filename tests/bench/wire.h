/*
 * The few packets that the sink and the raw program speak [MQTT 3.1.1], as
 * cheap as they can be: this is the limit to compare with, so it checks nothing
 * that it can do without.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** First bytes of the packets. */
enum {
    WIRE_CONNECT = 0x10,
    WIRE_CONNACK = 0x20,
    WIRE_PUBLISH = 0x30,
    WIRE_PUBACK = 0x40,
    WIRE_PUBREC = 0x50,
    WIRE_PUBREL = 0x62,
    WIRE_PUBCOMP = 0x70,
    WIRE_SUBSCRIBE = 0x82,
    WIRE_SUBACK = 0x90,
    WIRE_PINGREQ = 0xC0,
    WIRE_PINGRESP = 0xD0,
    WIRE_DISCONNECT = 0xE0
};

/** A PUBLISH is so much longer than topic name and payload, at most. */
#define WIRE_PUBLISH_OVERHEAD 9

struct wire_packet {
    uint8_t first;       /* type and flags */
    const uint8_t *body; /* `size` bytes after the fixed header */
    size_t size;
};

struct wire_publish {
    const uint8_t *topic, *payload;
    size_t topic_size, payload_size;
    unsigned qos;
    uint16_t identifier; /* 0 with QoS 0 */
};

static inline uint16_t wire_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint8_t *wire_put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static inline uint8_t *wire_put_text(uint8_t *at, const void *text, size_t size)
{
    at = wire_put16(at, size);
    memcpy(at, text, size);
    return at + size;
}

static inline uint8_t *wire_put_fixed_header(uint8_t *at, uint8_t first,
                                             size_t length)
{
    *at++ = first;
    for (; length > 127; length >>= 7)
        *at++ = (uint8_t)(length | 0x80);
    *at++ = (uint8_t)length;
    return at;
}

/** Returns the end of the packet. */
static inline uint8_t *wire_put_publish(uint8_t *at,
                                        const struct wire_publish *publish)
{
    size_t length = 2 + publish->topic_size + publish->payload_size;

    at = wire_put_fixed_header(at, (uint8_t)(WIRE_PUBLISH | publish->qos << 1),
                               publish->qos ? length + 2 : length);
    at = wire_put_text(at, publish->topic, publish->topic_size);
    if (publish->qos)
        at = wire_put16(at, publish->identifier);
    memcpy(at, publish->payload, publish->payload_size);
    return at + publish->payload_size;
}

#define WIRE_ACKNOWLEDGEMENT_SIZE 4

/** PUBACK and its like. */
static inline uint8_t *wire_put_acknowledgement(uint8_t *at, uint8_t first,
                                                uint16_t identifier)
{
    *at++ = first;
    *at++ = 2;
    return wire_put16(at, identifier);
}

/** The packet at `at`; NULL if it is not whole before `end`, otherwise its
 * own end. */
static inline const uint8_t *wire_get_packet(struct wire_packet *packet,
                                             const uint8_t *at,
                                             const uint8_t *end)
{
    size_t length = 0;
    unsigned shift = 0;

    if (end - at < 2)
        return NULL;
    packet->first = *at++;
    do {
        if (at == end || shift > 21)
            return NULL;
        length |= (size_t)(*at & 0x7F) << shift;
        shift += 7;
    } while (*at++ & 0x80);
    packet->body = at;
    packet->size = length;
    return (size_t)(end - at) < length ? NULL : at + length;
}

/** Take a PUBLISH apart; false: a length is beyond the packet. */
static inline bool wire_get_publish(struct wire_publish *publish,
                                    const struct wire_packet *packet)
{
    size_t header;

    publish->qos = packet->first >> 1 & 3;
    header = publish->qos ? 4 : 2;
    if (packet->size < header)
        return false;
    publish->topic_size = wire_get16(packet->body);
    header += publish->topic_size;
    if (packet->size < header)
        return false;
    publish->topic = packet->body + 2;
    publish->payload = packet->body + header;
    publish->payload_size = packet->size - header;
    publish->identifier =
        publish->qos ? wire_get16(packet->body + header - 2) : 0;
    return true;
}

#endif
