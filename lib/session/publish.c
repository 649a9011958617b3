/*
 * A message gets into the outbox: its image, its slot, its place in the order.
 */
#include "session/composer.h"
#include "session/image.h"
#include "session/outbox.h"
#include "session/slots.h"
#include "session/store.h"
#include "wire/length.h"
#include "wire/ring.h"

static enum mqtt_error refuse_for_now(struct mqtt_session *s, uint32_t size,
                                      enum mqtt_qos qos)
{
    /* The least of what was refused, so that nobody waits for another. */
    s->slot_wanted_ = qos && (!s->room_wanted_ || s->slot_wanted_);
    if (!s->room_wanted_ || size < s->room_wanted_)
        s->room_wanted_ = size;
    MQTT_COUNT(s->config_->statistics, publishes_refused);
    return MQTT_ERR_NO_ROOM;
}

/* Whether it can be published at all, on whatever connection. */
static enum mqtt_error check(const struct mqtt_session *s,
                             const struct mqtt_draft *draft)
{
    const struct mqtt_message *message = draft->message;

    if (!mqtt_topic_name_valid(message->topic_name))
        return MQTT_ERR_TOPIC_NAME;
    if (message->qos > s->protocol_->maximum_qos ||
        (message->qos && !s->slot_limit_))
        return MQTT_ERR_QOS;
    if (message->payload.size && !message->payload.data && !draft->source)
        return MQTT_ERR_ARGUMENT;
    return message->payload.size > MQTT_LENGTH_MAX ? MQTT_ERR_TOO_LARGE
                                                   : MQTT_OK;
}

/* What has just been put at the tail may leave at once, if nothing waits
 * before it and the quota allows. */
static void release_new(struct mqtt_session *s, uint32_t old_tail,
                        enum mqtt_qos qos)
{
    if (s->connected_ && s->ready_ == old_tail &&
        s->unstored_ == MQTT_NO_SLOT &&
        mqtt_outbox_take_quota(s, (unsigned)qos))
        s->ready_ = s->tail_;
}

static unsigned flags_of(const struct mqtt_message *message)
{
    return (unsigned)message->qos << 1 |
           (message->retain ? MQTT_FLAG_RETAIN : 0u);
}

static struct mqtt_header
header(unsigned kind, const struct mqtt_message *message, uint32_t length)
{
    struct mqtt_header h = {{0}, 0};

    h.bytes[0] = (uint8_t)(kind << 4 | flags_of(message));
    h.size = (uint8_t)(1 + mqtt_length_write(h.bytes + 1, length));
    return h;
}

static void put_packet(struct mqtt_session *s, const struct mqtt_draft *draft)
{
    const struct mqtt_message *message = draft->message;
    struct mqtt_ring_cursor cursor = {&s->ring_,
                                      mqtt_ring_index(&s->ring_, s->tail_)};
    uint32_t size = (uint32_t)message->payload.size;
    struct mqtt_header h =
        header(MQTT_IMAGE_PUBLISH, message, draft->head + size);

    s->protocol_->publish_head_put(&cursor, &h, message, draft->identifier,
                                   draft->deadline_s);
    if (size)
        mqtt_ring_put(&cursor, message->payload.data, size);
}

/* For others: what is done most is to be in one piece. */

unsigned mqtt_image_flags(const struct mqtt_message *message)
{
    return flags_of(message);
}

struct mqtt_header mqtt_image_header(unsigned kind,
                                     const struct mqtt_message *message,
                                     uint32_t length)
{
    return header(kind, message, length);
}

void mqtt_image_put(struct mqtt_session *s, const struct mqtt_draft *draft)
{
    put_packet(s, draft);
}

static void put(struct mqtt_session *s, const struct mqtt_draft *draft,
                uint32_t size)
{
    uint32_t start = s->tail_;

    if (draft->source || draft->expires)
        s->composer_->put(s, draft);
    else
        put_packet(s, draft);
    s->tail_ = mqtt_ring_add(&s->ring_, start, size);
    if (draft->identifier)
        mqtt_store_message(s, &s->slots_[s->publishes_.last_]);
    release_new(s, start, draft->message->qos);
    if (s->config_->statistics) /* mostly nobody counts: no call for that */
        MQTT_COUNT(s->config_->statistics, messages_published);
}

static uint16_t new_slot(struct mqtt_session *s, enum mqtt_qos qos)
{
    struct mqtt_slot *slot = mqtt_slot_take(s);

    slot->start_ = s->tail_;
    slot->state_ = MQTT_SLOT_PUBLISH;
    slot->flags_ = qos == MQTT_QOS_2 ? MQTT_SLOT_QOS2 : 0;
    return slot->identifier_;
}

/* Bytes of the image, or why it cannot be published. */
static enum mqtt_error measure(const struct mqtt_session *s,
                               const struct mqtt_draft *draft, uint32_t *size)
{
    uint32_t length = draft->head + (uint32_t)draft->message->payload.size;
    enum mqtt_error error = MQTT_OK;

    if (length > MQTT_LENGTH_MAX)
        return MQTT_ERR_TOO_LARGE;
    *size = 1 + mqtt_length_size(length) + length;
    if (s->composer_)
        error = s->composer_->measure(s, draft, size);
    return !error && *size > s->ring_.size_ ? MQTT_ERR_TOO_LARGE : error;
}

enum mqtt_error mqtt_session_publish(struct mqtt_session *s,
                                     struct mqtt_draft *draft)
{
    enum mqtt_qos qos = draft->message->qos;
    enum mqtt_error error = check(s, draft);
    uint32_t size;

    if (error)
        return error;
    draft->head = s->protocol_->publish_head_size(draft->message);
    error = measure(s, draft, &size);
    if (error)
        return error;
    if ((qos && s->slots_used_ == s->slot_limit_) ||
        !mqtt_outbox_reserve(s, size))
        return refuse_for_now(s, size, qos);
    draft->identifier = qos ? new_slot(s, qos) : 0;
    put(s, draft, size);
    return MQTT_OK;
}

bool mqtt_session_room_again(struct mqtt_session *s)
{
    if (!s->room_wanted_)
        return false;
    if (s->slot_wanted_ && s->slots_used_ == s->slot_limit_)
        return false;
    if (!mqtt_outbox_reserve(s, s->room_wanted_))
        return false;
    s->room_wanted_ = 0;
    return true;
}

bool mqtt_session_idle(const struct mqtt_session *s)
{
    return !s->slots_used_ && s->send_ == s->tail_;
}
