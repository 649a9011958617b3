/*
 * What the trace hook is told of a packet. Nothing here runs without one.
 */
#include "engine/engine.h"
#include "session/image.h"
#include "session/outbox.h"
#include "wire/length.h"

#define TEXT_MAX 64u
/* Fixed header, topic length, so much topic name. */
#define HEAD_MAX (5u + 2u + TEXT_MAX)

static struct mqtt_span clip(struct mqtt_span text)
{
    if (text.size > TEXT_MAX)
        text.size = TEXT_MAX;
    return text;
}

/* A text of which perhaps only the beginning is at hand. */
static struct mqtt_span read_clipped(struct mqtt_reader *r)
{
    uint16_t size = mqtt_read_u16(r);
    size_t left = (size_t)(r->end - r->at);
    struct mqtt_span text = {r->at, size < left ? size : left};

    mqtt_read_bytes(r, size);
    return clip(text);
}

/* Property Length and properties. */
static void skip_properties(struct mqtt_reader *r)
{
    uint32_t length = 0;
    int n = mqtt_length_read(r->at, (size_t)(r->end - r->at), &length);

    mqtt_read_bytes(r, n > 0 ? (size_t)n + length : 1);
}

static void decode_connect(struct mqtt_reader *r, struct mqtt_trace *t)
{
    uint8_t level;

    mqtt_read_bytes(r, 6); /* protocol name */
    level = mqtt_read_u8(r);
    t->code = mqtt_read_u8(r);
    mqtt_read_u16(r); /* keep alive */
    if (level == 5)
        skip_properties(r);
    t->text = read_clipped(r);
}

static void decode_connack(struct mqtt_reader *r, struct mqtt_trace *t)
{
    t->session_present = mqtt_read_u8(r) & 1;
    t->code = mqtt_read_u8(r);
}

static void decode_publish(struct mqtt_reader *r, struct mqtt_trace *t)
{
    t->text = read_clipped(r);
    if (mqtt_publish_qos(t->first_byte))
        t->packet_identifier = mqtt_read_u16(r);
}

static void decode_request(struct mqtt_reader *r, struct mqtt_trace *t,
                           bool five)
{
    t->packet_identifier = mqtt_read_u16(r);
    if (five)
        skip_properties(r);
    t->text = read_clipped(r);
}

/* SUBACK, and UNSUBACK of 5.0. */
static void decode_answer(struct mqtt_reader *r, struct mqtt_trace *t,
                          bool five)
{
    t->packet_identifier = mqtt_read_u16(r);
    if (five)
        skip_properties(r);
    t->code = mqtt_read_u8(r);
}

static void decode(struct mqtt_reader *r, struct mqtt_trace *t, bool five)
{
    switch ((enum mqtt_packet_type)(t->first_byte >> 4)) {
    case MQTT_CONNECT:
        decode_connect(r, t);
        break;
    case MQTT_CONNACK:
        decode_connack(r, t);
        break;
    case MQTT_PUBLISH:
        decode_publish(r, t);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        decode_request(r, t, five);
        break;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        decode_answer(r, t, five);
        break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        t->packet_identifier = mqtt_read_u16(r);
        /* fall through */
    default:
        t->code = mqtt_read_u8(r); /* 0 if there is none */
    }
}

/* A packet of `size` bytes of which so many are at hand. */
static void packet(struct mqtt_engine *e, bool sent, const uint8_t *bytes,
                   uint32_t available, uint32_t size)
{
    struct mqtt_trace t = {.at = e->now_, .sent = sent, .size = size};
    struct mqtt_reader r = {bytes + 1, bytes + available, false};
    uint32_t length;

    t.first_byte = bytes[0];
    r.at += mqtt_length_read(bytes + 1, available - 1, &length);
    decode(&r, &t, mqtt_protocol_is_5(e->protocol_));
    e->config_->trace(e->config_->context, &t);
}

/* The two bytes behind the topic name, wherever they lie. */
static uint16_t published_identifier(const struct mqtt_ring *r, uint32_t start,
                                     uint32_t header, uint32_t topic_length)
{
    uint8_t bytes[2];

    mqtt_ring_get(r, mqtt_ring_add(r, start, header + 2 + topic_length), bytes,
                  2);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void trace_publish(struct mqtt_engine *e, uint32_t start, uint32_t size)
{
    const struct mqtt_ring *ring = &e->session_->ring_;
    struct mqtt_trace t = {.at = e->now_, .sent = true, .size = size};
    uint32_t n = size < HEAD_MAX ? size : HEAD_MAX, length;
    uint8_t head[HEAD_MAX];
    struct mqtt_reader r = {head, head + n, false};

    mqtt_ring_get(ring, start, head, n);
    t.first_byte = head[0];
    r.at += 1 + mqtt_length_read(head + 1, n - 1, &length);
    if (mqtt_publish_qos(head[0]))
        t.packet_identifier =
            published_identifier(ring, start, (uint32_t)(r.at - head),
                                 (uint32_t)(r.at[0] << 8 | r.at[1]));
    t.text = read_clipped(&r);
    e->config_->trace(e->config_->context, &t);
}

static void published(struct mqtt_engine *e)
{
    uint32_t start, size;

    while (mqtt_outbox_pass(e->session_, &start, &size))
        if (mqtt_image_kind(e->session_, start) == MQTT_IMAGE_PUBLISH)
            trace_publish(e, start, size);
}

/* Its topic name was thrown away. */
static void oversize(struct mqtt_engine *e)
{
    const struct mqtt_oversize *o = &e->oversize_;
    struct mqtt_trace t = {.at = e->now_,
                           .first_byte = o->first_byte_,
                           .packet_identifier = o->identifier_,
                           .size = o->size_};

    e->config_->trace(e->config_->context, &t);
}

const struct mqtt_trace_seam mqtt_trace_seam = {
    .packet = packet,
    .published = published,
    .oversize = oversize,
};
