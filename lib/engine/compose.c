/*
 * Messages that go over the wire otherwise than they lie in the outbox: with a
 * topic alias, with what is left of an expiry, with a payload that is read from
 * a source.
 *
 * Their packets are written into control memory, as many as fit, and leave from
 * there. Of a packet that is too large only the head is written, up to where
 * the image has what is left of it; that follows from the outbox, or from the
 * source. The image stays as it is, for it may be sent again, on a connection
 * with other aliases and at another time.
 */
#include "engine/compose.h"
#include "session/admit.h"
#include "session/aliases.h"
#include "session/outbox.h"
#include "session/seconds.h"
#include "session/slots.h"
#include "wire/length.h"
#include <mqttloop/properties.h>
#include <mqttloop/stream.h>

/* A packet to be written. */
struct plan {
    struct mqtt_image image;
    uint16_t alias; /* 0: none */
    bool known;     /* the server has the alias: no topic name */
    uint32_t head;  /* from topic length to what the image has as it is */
    uint32_t rest;  /* bytes from there to the end of the image */
    uint32_t size;  /* of the whole packet */
};

static uint32_t distance(const struct mqtt_session *s, uint32_t from,
                         uint32_t to)
{
    return mqtt_ring_distance(&s->ring_, from, to);
}

static uint32_t behind(const struct mqtt_session *s,
                       const struct mqtt_image *image)
{
    return mqtt_ring_add(&s->ring_, image->start, image->size);
}

/* -- the head ------------------------------------------------------------------- */

static uint32_t properties_size(const struct plan *p)
{
    return p->image.properties_size + (p->alias ? 3u : 0u);
}

/* Sizes, once the alias is chosen. */
static void measure(struct mqtt_engine *e, struct plan *p)
{
    const struct mqtt_image *image = &p->image;
    uint32_t length;

    p->head = 2 + (p->known ? 0 : (uint32_t)image->topic_size) +
              (image->identifier ? 2u : 0u);
    p->rest = distance(e->session_, image->rest, behind(e->session_, image));
    if (mqtt_protocol_is_5(e->protocol_))
        p->head += mqtt_length_size(properties_size(p)) + (p->alias ? 3u : 0u) +
                   (image->expires ? 5u : 0u);
    length = p->head + p->rest + image->source.size;
    p->size = 1 + mqtt_length_size(length) + length;
}

/* What is left of its time, at least a second: it is on its way. */
static uint32_t seconds_left(const struct mqtt_session *s,
                             const struct mqtt_image *image)
{
    uint32_t left = image->deadline_s - mqtt_seconds_up(s->now_);

    return left && mqtt_seconds_until(s->now_, image->deadline_s) ? left : 1;
}

static void write_properties(struct mqtt_engine *e, struct mqtt_writer *w,
                             const struct plan *p)
{
    uint8_t length[4];

    mqtt_write_bytes(w, length, mqtt_length_write(length, properties_size(p)));
    if (p->alias) {
        mqtt_write_u8(w, MQTT_PROPERTY_TOPIC_ALIAS);
        mqtt_write_u16(w, p->alias);
    }
    if (p->image.expires) {
        uint32_t left = seconds_left(e->session_, &p->image);

        mqtt_write_u8(w, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL);
        mqtt_write_u16(w, left >> 16);
        mqtt_write_u16(w, left & 0xffff);
    }
}

static void write_topic(const struct mqtt_session *s, struct mqtt_writer *w,
                        const struct plan *p)
{
    unsigned size = p->known ? 0 : p->image.topic_size;

    mqtt_write_u16(w, size);
    mqtt_ring_get(&s->ring_, p->image.topic, w->at, size);
    w->at += size;
}

static void write_head(struct mqtt_engine *e, struct mqtt_writer *w,
                       const struct plan *p)
{
    uint32_t content = p->head + p->rest + p->image.source.size;
    uint8_t length[4];

    mqtt_write_u8(w, MQTT_IMAGE_PUBLISH << 4 | (p->image.first_byte & 0x0f));
    mqtt_write_bytes(w, length, mqtt_length_write(length, content));
    write_topic(e->session_, w, p);
    if (p->image.identifier)
        mqtt_write_u16(w, p->image.identifier);
    if (mqtt_protocol_is_5(e->protocol_))
        write_properties(e, w, p);
}

/* -- a packet ------------------------------------------------------------------- */

static uint32_t room(const struct mqtt_engine *e)
{
    return e->control_.size_ - e->control_.used_;
}

/* Whether an alias is worth a try: the packet must not become too large for
 * the server, nor its head for control memory. */
static bool alias_fits(const struct mqtt_engine *e, const struct plan *p)
{
    uint32_t size = mqtt_image_wire_size(e->session_, &p->image);

    return e->aliases_.limit_ && p->image.topic_size <= MQTT_ALIAS_TOPIC_MAX &&
           (uint32_t)p->image.topic_size + MQTT_HEAD_OVERHEAD <=
               e->control_.size_ &&
           size <= MQTT_LENGTH_MAX - 8 &&
           size + 8 <= e->session_->limits_.maximum_packet_size;
}

static void choose_alias(struct mqtt_engine *e, struct plan *p)
{
    uint8_t topic[MQTT_ALIAS_TOPIC_MAX];
    struct mqtt_span name = {topic, p->image.topic_size};

    if (!alias_fits(e, p))
        return;
    mqtt_ring_get(&e->session_->ring_, p->image.topic, topic,
                  p->image.topic_size);
    p->alias = mqtt_alias_of(&e->aliases_, name, &p->known);
}

/* The packet as a whole, or only its head. */
static void stage(struct mqtt_engine *e, const struct plan *p, bool whole)
{
    struct mqtt_session *s = e->session_;
    struct mqtt_control *c = &e->control_;
    uint8_t *begin = c->bytes_ + c->used_;
    struct mqtt_writer w = {begin, c->bytes_ + c->size_, false};

    write_head(e, &w, p);
    s->batch_ = true;
    s->staged_ = behind(s, &p->image);
    s->head_open_ = !whole;
    s->open_ = p->image.start;
    s->rest_ = p->image.rest;
    if (whole || p->image.source.size) {
        mqtt_ring_get(&s->ring_, p->image.rest, w.at, p->rest);
        w.at += p->rest;
    }
    c->used_ += (uint32_t)(w.at - begin);
    /* Else it is told of when the rest has left. */
    if (e->config_->trace && (whole || p->image.source.size))
        e->config_->trace_seam->packet(e, true, begin, (uint32_t)(w.at - begin),
                                       p->size);
}

/* The payload follows from its source, while one byte of the image, and so the
 * message, counts as unsent. */
static void begin_source(struct mqtt_engine *e, const struct plan *p)
{
    e->source_ = p->image.source.source;
    e->source_size_ = p->image.source.size;
    e->source_at_ = 0;
    e->session_->rest_ =
        mqtt_ring_back(&e->session_->ring_, behind(e->session_, &p->image), 1);
}

/* The next image into control memory. False: not now, or not at all. */
static bool stage_next(struct mqtt_engine *e, struct plan *p)
{
    struct mqtt_session *s = e->session_;
    bool first = !e->control_.used_, whole;

    /* The largest that it can become decides, before an alias is given. */
    measure(e, p);
    /* What has nothing behind its head fits: MQTT_HEAD_OVERHEAD. */
    whole = p->size + 8 <= room(e) && !p->image.source.size;
    if (!whole && !first)
        return false;
    choose_alias(e, p);
    if (!p->alias && !mqtt_image_special(&p->image))
        return false;
    measure(e, p);
    if (mqtt_image_special(&p->image))
        s->special_--;
    stage(e, p, whole);
    if (p->image.source.size)
        begin_source(e, p);
    return true;
}

/* An image that ended before it was sent is passed over. */
static bool pass_ended(struct mqtt_engine *e, struct plan *p)
{
    struct mqtt_session *s = e->session_;

    if (p->image.kind != MQTT_IMAGE_VOID) {
        if (!mqtt_session_expired(s, &p->image))
            return false;
        mqtt_session_end_expired(s, &p->image);
    }
    s->special_--;
    if (s->batch_)
        s->staged_ = behind(s, &p->image);
    else
        s->send_ = s->mark_ = behind(s, &p->image);
    s->compaction_futile_ = false;
    return true;
}

static void stage_batch(struct mqtt_engine *e)
{
    struct mqtt_session *s = e->session_;

    for (;;) {
        struct plan p = {.alias = 0};
        uint32_t at = s->batch_ ? s->staged_ : s->send_;

        if (at == s->ready_ || s->head_open_)
            return;
        mqtt_image_read(s, at, &p.image);
        if (!pass_ended(e, &p) && !stage_next(e, &p))
            return;
    }
}

/* -- the ports -------------------------------------------------------------------- */

static const void *offer(struct mqtt_engine *e, size_t *size)
{
    struct mqtt_session *s = e->session_;
    uint32_t half_sent = mqtt_outbox_half_sent(s);

    if (half_sent)
        return mqtt_outbox_next(s, half_sent, size);
    stage_batch(e);
    if (e->control_.used_ || s->send_ == s->ready_)
        return NULL;
    return mqtt_outbox_next(s, mqtt_ring_packet_size(&s->ring_, s->send_),
                            size);
}

/* Without its payload the message cannot be ended, nor the connection go on. */
static void source_failed(struct mqtt_engine *e)
{
    struct mqtt_image image;
    struct mqtt_slot *slot;

    mqtt_image_read(e->session_, e->session_->mark_, &image);
    slot = mqtt_slot_find(e->session_, image.identifier);
    /* Sent whole before, it may have arrived: its identifier is not free. */
    if (slot && slot->flags_ & MQTT_SLOT_SENT && slot->flags_ & MQTT_SLOT_QOS2)
        mqtt_session_give_up(e->session_, slot);
    mqtt_image_void(e->session_, &image, MQTT_SLOT_BROKEN);
    e->source_ = NULL;
    mqtt_engine_break(e, MQTT_ERR_SOURCE);
}

static const void *offer_source(struct mqtt_engine *e, size_t *size)
{
    size_t left = e->source_size_ - e->source_at_;
    const void *bytes;

    *size = left;
    bytes = e->source_->read(e->source_, e->source_at_, size);
    if (bytes && *size && *size <= left)
        return bytes;
    *size = 0;
    source_failed(e);
    return NULL;
}

static void source_sent(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_session *s = e->session_;

    e->source_at_ += size;
    if (e->source_at_ < e->source_size_)
        return;
    e->source_ = NULL;
    s->send_ = s->mark_ = mqtt_ring_add(&s->ring_, s->send_, 1);
    s->compaction_futile_ = false;
}

static void drained(struct mqtt_engine *e)
{
    struct mqtt_session *s = e->session_;

    s->send_ = s->head_open_ ? s->rest_ : s->staged_;
    s->mark_ = s->head_open_ ? s->open_ : s->staged_;
    s->batch_ = s->head_open_ = false;
    s->compaction_futile_ = false;
}

/* What has been acknowledged although no byte of it has left is not to be sent:
 * it has ended, and another message may have its identifier. */
static void pass_acknowledged(struct mqtt_session *s, uint32_t at)
{
    struct mqtt_image image;

    for (; at != s->staged_; at = behind(s, &image)) {
        const struct mqtt_slot *slot;

        mqtt_image_read(s, at, &image);
        if (!image.identifier)
            continue;
        slot = mqtt_slot_find(s, image.identifier);
        if (!slot || slot->state_ != MQTT_SLOT_PUBLISH || slot->start_ != at)
            *mqtt_ring_at(&s->ring_, at) = MQTT_IMAGE_VOID << 4;
    }
}

/* Packets in control memory stand in the order of their images: those of which
 * a byte has left have been sent. */
static void cut(struct mqtt_engine *e)
{
    struct mqtt_session *s = e->session_;
    uint32_t at = s->send_, packet = 0;

    while (s->batch_ && at != s->staged_ && packet < e->control_.sent_) {
        uint32_t length, size = mqtt_ring_packet_size(&s->ring_, at);
        const uint8_t *bytes = e->control_.bytes_ + packet;
        int n;

        s->mark_ = at;
        at = mqtt_ring_add(&s->ring_, at, size);
        if (mqtt_image_kind(s, s->mark_) == MQTT_IMAGE_VOID)
            continue;
        n = mqtt_length_read(bytes + 1, 4, &length);
        packet += 1 + (uint32_t)n + length;
        /* The last byte of it, or the first one only. */
        s->send_ = packet <= e->control_.sent_
                       ? at
                       : mqtt_ring_add(&s->ring_, s->mark_, 1);
    }
    if (s->batch_)
        pass_acknowledged(s, at);
    s->batch_ = s->head_open_ = false;
    e->source_ = NULL;
}

const struct mqtt_composer mqtt_composer = {
    .offer = offer,
    .offer_source = offer_source,
    .source_sent = source_sent,
    .drained = drained,
    .cut = cut,
    .put = mqtt_image_put_special,
    .measure = mqtt_image_measure,
    .admit = mqtt_session_admit,
    .expire = mqtt_session_expire,
    .expires_at = mqtt_session_expires_at,
    .change_protocol = mqtt_session_change_protocol,
};
