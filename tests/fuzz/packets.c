/*
 * packets.c - the decoders of both versions.
 *
 * An input is a byte that chooses the version (even: 3.1.1, odd: 5.0), the
 * first byte of a packet, and what stands behind its fixed header. A decoder
 * takes it just if the standard does (reference.h), nothing that it tells
 * points out of the packet, and what can be written again is what was read.
 */
#include "fuzz.h"
#include "reference.h"

#include <mqttloop/properties.h>
#include "wire/packet_5_0.h"
#include "wire/utf8.h"

struct packet {
    bool five;
    uint8_t first;
    const uint8_t *body;
    size_t size;
};

static bool within(const struct packet *p, struct mqtt_span span)
{
    const uint8_t *at = span.data;

    return !span.size || (at >= p->body && at + span.size <= p->body + p->size);
}

static struct mqtt_reader reader(const struct packet *p)
{
    return (struct mqtt_reader){p->body, p->body + p->size, false};
}

/* Refused by a fatal error, never by another, or taken whole. */
static bool taken(enum mqtt_error error, const struct mqtt_reader *r)
{
    require(r->at <= r->end);
    require(error == MQTT_OK || error <= MQTT_ERR_PACKET_TYPE);
    return error == MQTT_OK;
}

/* ---- each packet ----------------------------------------------------------- */

static bool connack(const struct packet *p)
{
    struct mqtt_reader r = reader(p);
    struct mqtt_span properties = {NULL, 0};
    struct mqtt_limits limits = {0};
    bool session_present;
    uint8_t code;
    enum mqtt_error error =
        p->five
            ? mqtt_connack_read_5_0(&r, &session_present, &code, &properties)
            : mqtt_connack_read(&r, &session_present, &code);

    if (!taken(error, &r))
        return false;
    require(within(p, properties));
    require(code == p->body[1] && session_present == p->body[0]);
    mqtt_connack_limits(properties, &limits);
    require(limits.receive_maximum && limits.maximum_packet_size);
    require(limits.maximum_qos <= 2);
    return true;
}

/* What stands before the payload, written by the encoder. An expiry, which it
 * puts first and under another form, is left out of the comparison. */
static void compare_head(const struct packet *p,
                         const struct mqtt_message *message,
                         uint16_t identifier)
{
    static uint8_t memory[1 << 16];
    struct mqtt_ring ring = {memory, sizeof(memory)};
    struct mqtt_ring_cursor cursor = {&ring, 0};
    struct mqtt_property expiry = {0};
    size_t head = p->size - message->payload.size;
    static const struct mqtt_header none;

    if (head >= sizeof(memory))
        return;
    if (p->five) {
        require(mqtt_publish_head_size_5_0(message) == head);
        mqtt_publish_head_put_5_0(&cursor, &none, message, identifier, 0);
    } else {
        require(mqtt_publish_head_size(message) == head);
        mqtt_publish_head_put(&cursor, &none, message, identifier, 0);
    }
    require(cursor.index == head);
    if (!mqtt_property_find(message->properties,
                            MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, &expiry))
        require(memcmp(memory, p->body, head) == 0);
}

static void check_message(const struct packet *p,
                          const struct mqtt_message *message,
                          uint16_t identifier, uint16_t alias)
{
    const uint8_t *payload = message->payload.data;

    require(within(p, message->topic_name) && within(p, message->payload));
    require(within(p, message->properties));
    require(payload + message->payload.size == p->body + p->size);
    require(message->payload_size == message->payload.size);
    require((message->qos != MQTT_QOS_0) == (identifier != 0));
    require(alias || mqtt_topic_name_valid(message->topic_name));
    compare_head(p, message, identifier);
}

static bool publish(const struct packet *p)
{
    struct mqtt_reader r = reader(p);
    struct mqtt_message message = {0};
    uint16_t identifier = 0, alias = 0;
    enum mqtt_error error =
        p->five
            ? mqtt_publish_read_5_0(&r, p->first, &message, &identifier, &alias)
            : mqtt_publish_read(&r, p->first, &message, &identifier);

    if (!taken(error, &r))
        return false;
    check_message(p, &message, identifier, alias);
    if (p->five) {
        mqtt_message_malformed_5_0(&message);
        mqtt_message_named_5_0(&message, 1);
    }
    return true;
}

static bool acknowledgement(const struct packet *p)
{
    struct mqtt_reader r = reader(p);
    enum mqtt_packet_type type = (enum mqtt_packet_type)(p->first >> 4);
    struct mqtt_span properties = {NULL, 0};
    uint8_t code = 0, again[MQTT_ACK_MAX];
    uint16_t identifier;
    uint32_t size;
    enum mqtt_error error =
        p->five ? mqtt_ack_read_5_0(&r, type, &identifier, &code, &properties)
                : mqtt_ack_read(&r, &identifier);

    if (!taken(error, &r))
        return false;
    require(identifier && within(p, properties));
    size = p->five ? mqtt_ack_write_5_0(again, type, identifier, code)
                   : mqtt_ack_write(again, type, identifier, code);
    require(size >= 4 && size <= sizeof(again));
    require(memcmp(again + 2, p->body, size - 2) == 0);
    return true;
}

static bool answers(const struct packet *p)
{
    struct mqtt_reader r = reader(p);
    struct mqtt_span codes = {NULL, 0}, properties = {NULL, 0};
    uint16_t identifier;
    enum mqtt_error error =
        p->five
            ? mqtt_suback_read_5_0(&r, (enum mqtt_packet_type)(p->first >> 4),
                                   &identifier, &codes, &properties)
            : mqtt_suback_read(&r, &identifier, &codes);

    if (!taken(error, &r))
        return false;
    require(identifier && within(p, codes) && within(p, properties));
    return true;
}

static bool end(const struct packet *p)
{
    struct mqtt_reader r = reader(p);
    struct mqtt_span properties = {NULL, 0};
    uint8_t code;
    enum mqtt_error error =
        p->first >> 4 == MQTT_AUTH
            ? mqtt_auth_read_5_0(&r, &code, &properties)
            : mqtt_disconnect_read_5_0(&r, &code, &properties);

    if (!taken(error, &r))
        return false;
    require(within(p, properties));
    return true;
}

/* ---- what they are made of -------------------------------------------------- */

static void length(const struct packet *p)
{
    uint32_t value = 0, expected;
    uint8_t again[4];
    int n = mqtt_length_read(p->body, p->size, &value);

    require(n == reference_length(p->body, p->size, &expected));
    if (n <= 0)
        return;
    require(value == expected && value <= MQTT_LENGTH_MAX);
    require(mqtt_length_size(value) <= (unsigned)n);
    if (mqtt_length_size(value) == (unsigned)n)
        require(mqtt_length_write(again, value) == (unsigned)n &&
                memcmp(again, p->body, (size_t)n) == 0);
}

static void text(const struct packet *p)
{
    struct mqtt_span span = {p->body, p->size};

    require(mqtt_utf8_valid(span) == reference_text(p->body, p->size));
    require(!mqtt_utf8_valid(span) || mqtt_utf8_payload_valid(span));
}

static bool decoded(const struct packet *p)
{
    switch (p->first >> 4) {
    case MQTT_CONNACK:
        return connack(p);
    case MQTT_PUBLISH:
        return publish(p);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        return acknowledgement(p);
    case MQTT_SUBACK:
        return answers(p);
    case MQTT_UNSUBACK:
        return p->five ? answers(p) : acknowledgement(p);
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        return p->five && end(p);
    default:
        length(p);
        text(p);
        return false;
    }
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    struct packet p;

    if (size < 2)
        return;
    p.five = bytes[0] & 1;
    p.first = bytes[1];
    p.body = bytes + 2;
    p.size = size - 2;
    require(decoded(&p) ==
            reference_packet(p.five ? 5 : 4, p.first, p.body, p.size));
}
