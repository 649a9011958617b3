/*
 * Messages in the outbox that are looked at one by one: when a new connection
 * begins, those that its server does not allow end; when time passes, those
 * that have expired; when another version is to be spoken, all are rewritten.
 */
#include "session/admit.h"
#include "session/outbox.h"
#include "session/seconds.h"
#include "session/slots.h"
#include "session/store.h"
#include "wire/length.h"
#include "wire/ring.h"

static bool at_tail(const struct mqtt_session *s, uint32_t position)
{
    return position == s->tail_;
}

static uint32_t behind(const struct mqtt_session *s,
                       const struct mqtt_image *image)
{
    return mqtt_ring_add(&s->ring_, image->start, image->size);
}

/* -- limits -------------------------------------------------------------------- */

static unsigned forbidden_state(enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_MAXIMUM_QOS:
        return MQTT_SLOT_FORBIDDEN_QOS;
    case MQTT_ERR_RETAIN_UNAVAILABLE:
        return MQTT_SLOT_FORBIDDEN_RETAIN;
    default:
        return MQTT_SLOT_FORBIDDEN_SIZE;
    }
}

/* It may not be sent on this connection. */
static void forbid(struct mqtt_session *s, const struct mqtt_image *image,
                   enum mqtt_error error)
{
    struct mqtt_slot *slot =
        image->identifier ? mqtt_slot_find(s, image->identifier) : NULL;

    if (slot && slot->flags_ & MQTT_SLOT_SENT)
        mqtt_session_give_up(s, slot);
    else if (!slot)
        MQTT_COUNT(s->config_->statistics, qos0_dropped);
    mqtt_image_void(s, image, forbidden_state(error));
}

void mqtt_session_admit(struct mqtt_session *s)
{
    struct mqtt_image image;

    s->special_ = 0;
    for (uint32_t at = s->send_; !at_tail(s, at); at = behind(s, &image)) {
        enum mqtt_error error = MQTT_OK;

        mqtt_image_read(s, at, &image);
        if (image.kind != MQTT_IMAGE_VOID)
            error = mqtt_limits_check(&s->limits_, image.first_byte,
                                      mqtt_image_wire_size(s, &image));
        if (error)
            forbid(s, &image, error);
        if (error || mqtt_image_special(&image))
            s->special_++;
    }
}

/* -- expiry -------------------------------------------------------------------- */

static uint32_t until(const struct mqtt_session *s, uint32_t deadline_s)
{
    return mqtt_seconds_until(s->now_, deadline_s);
}

bool mqtt_session_expired(const struct mqtt_session *s,
                          const struct mqtt_image *image)
{
    return image->expires && !(image->first_byte & MQTT_FLAG_DUP) &&
           !until(s, image->deadline_s);
}

void mqtt_session_end_expired(struct mqtt_session *s,
                              const struct mqtt_image *image)
{
    bool released = mqtt_outbox_before(s, image->start, s->ready_);
    unsigned qos = mqtt_publish_qos(image->first_byte);

    if (!qos)
        MQTT_COUNT(s->config_->statistics, messages_expired);
    mqtt_image_void(s, image, MQTT_SLOT_EXPIRED);
    if (!s->connected_)
        return;
    if (qos && released)
        mqtt_outbox_return_quota(s, qos, false);
    mqtt_outbox_release(s); /* it may have held up what needs no quota */
}

/* The first image of which no byte has left. */
static uint32_t first_unsent(struct mqtt_session *s)
{
    if (s->batch_)
        return s->staged_;
    return mqtt_ring_add(&s->ring_, s->send_, mqtt_outbox_half_sent(s));
}

/* Without a connection nothing is sent that would pass over what has ended:
 * its room would not be free before the next one. */
static void pass_ended(struct mqtt_session *s)
{
    if (s->connected_)
        return;
    while (!at_tail(s, s->send_) &&
           mqtt_image_kind(s, s->send_) == MQTT_IMAGE_VOID)
        s->send_ = mqtt_ring_add(&s->ring_, s->send_,
                                 mqtt_ring_packet_size(&s->ring_, s->send_));
    s->mark_ = s->ready_ = s->send_;
    s->compaction_futile_ = false;
}

void mqtt_session_expire(struct mqtt_session *s)
{
    struct mqtt_image image;
    uint32_t at = first_unsent(s), next_s = 0;
    bool any = false;

    for (; !at_tail(s, at); at = behind(s, &image)) {
        mqtt_image_read(s, at, &image);
        if (mqtt_session_expired(s, &image)) {
            mqtt_session_end_expired(s, &image);
        } else if (image.expires && !(image.first_byte & MQTT_FLAG_DUP)) {
            if (!any || until(s, image.deadline_s) < until(s, next_s))
                next_s = image.deadline_s;
            any = true;
        }
    }
    s->expiring_ = any;
    s->expiry_s_ = next_s;
    pass_ended(s);
}

mqtt_time mqtt_session_expires_at(const struct mqtt_session *s)
{
    uint32_t left_s = until(s, s->expiry_s_);
    uint32_t begun_ms = (uint32_t)s->now_ - mqtt_seconds_down(s->now_) * 1000u;

    if (!left_s)
        return s->now_;
    /* By 1000, which as a product of 64 bits would be a call. */
    return s->now_ - begun_ms +
           (((mqtt_time)left_s << 10) - ((mqtt_time)left_s << 4) -
            ((mqtt_time)left_s << 3));
}

/* -- another version -------------------------------------------------------------- */

/* Bytes to an earlier place, which they may overlap. */
static void copy_back(const struct mqtt_session *s, uint32_t *to, uint32_t from,
                      uint32_t size)
{
    while (size--) {
        *mqtt_ring_at(&s->ring_, *to) = *mqtt_ring_at(&s->ring_, from);
        *to = mqtt_ring_add(&s->ring_, *to, 1);
        from = mqtt_ring_add(&s->ring_, from, 1);
    }
}

static void write_back(const struct mqtt_session *s, uint32_t *to,
                       const uint8_t *bytes, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        *mqtt_ring_at(&s->ring_, *to) = bytes[i];
        *to = mqtt_ring_add(&s->ring_, *to, 1);
    }
}

/* Where the payload begins, or the image ends. */
static uint32_t behind_properties(const struct mqtt_session *s,
                                  const struct mqtt_image *image)
{
    uint32_t length = mqtt_length_size(image->properties_size);

    return mqtt_ring_add(&s->ring_, image->properties,
                         length + image->properties_size);
}

/* Where the bytes begin that both versions have. */
static uint32_t behind_header(const struct mqtt_session *s,
                              const struct mqtt_image *image)
{
    uint32_t before = 2;

    if (image->kind == MQTT_IMAGE_SOURCE)
        before += (uint32_t)sizeof image->source;
    return mqtt_ring_back(&s->ring_, image->topic, before);
}

/* Without its properties, from `to` on, which is not behind its old place. */
static void rewrite(struct mqtt_session *s, const struct mqtt_image *image,
                    uint32_t *to)
{
    uint32_t from = behind_header(s, image);
    uint32_t payload = behind_properties(s, image);
    uint32_t head = mqtt_ring_distance(&s->ring_, from, image->properties);
    uint32_t rest = mqtt_ring_distance(&s->ring_, payload, behind(s, image));
    struct mqtt_slot *slot =
        image->identifier ? mqtt_slot_find(s, image->identifier) : NULL;
    uint8_t header[5];

    if (slot)
        slot->start_ = *to;
    header[0] = image->first_byte;
    write_back(s, to, header, 1 + mqtt_length_write(header + 1, head + rest));
    copy_back(s, to, from, head);
    copy_back(s, to, payload, rest);
}

/* Whether the other version cannot have it; then it has ended. */
static bool cannot_carry(struct mqtt_session *s, const struct mqtt_image *image,
                         const struct mqtt_protocol *protocol,
                         bool drop_unsupported)
{
    unsigned state = MQTT_SLOT_NOT_CARRIED;

    if (mqtt_publish_qos(image->first_byte) > protocol->maximum_qos)
        state = MQTT_SLOT_FORBIDDEN_QOS;
    else if (drop_unsupported || !image->properties_size)
        return false;
    if (!image->identifier)
        MQTT_COUNT(s->config_->statistics, qos0_dropped);
    mqtt_image_void(s, image, state);
    return true;
}

void mqtt_session_change_protocol(struct mqtt_session *s,
                                  const struct mqtt_protocol *protocol,
                                  bool drop_unsupported)
{
    uint32_t to = s->send_, at = s->send_;
    struct mqtt_image image;

    for (; !at_tail(s, at); at = behind(s, &image)) {
        mqtt_image_read(s, at, &image);
        if (image.kind != MQTT_IMAGE_VOID &&
            !cannot_carry(s, &image, protocol, drop_unsupported))
            rewrite(s, &image, &to);
    }
    s->tail_ = to;
    s->protocol_ = protocol;
    s->expiring_ = false;
    mqtt_store_rewrite(s);
}
