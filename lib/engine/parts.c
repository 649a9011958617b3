/*
 * A PUBLISH that is larger than the input memory is given to the application
 * in parts: its head stays at the beginning of that memory, its payload is read
 * behind it, piece by piece.
 */
#include "engine/parts.h"
#include "engine/receive.h"
#include "wire/length.h"
#include "wire/reason.h"
#include <mqttloop/stream.h>

/* Behind those of oversize.c, to which it may be handed over. */
enum step { READ_HEAD = 16, GIVE, READ_PAST, END };

static enum mqtt_error begin(struct mqtt_engine *e, uint8_t first_byte,
                             uint32_t header, uint32_t length)
{
    struct mqtt_oversize *o = &e->oversize_;

    e->packet_size_ = header; /* passed over next */
    memset(o, 0, sizeof *o);
    e->oversize_step_ = READ_HEAD;
    o->first_byte_ = first_byte;
    o->left_ = length;
    o->size_ = header + length;
    return MQTT_OK;
}

/* -- the head ------------------------------------------------------------------------- */

static uint32_t held(const struct mqtt_engine *e)
{
    return e->input_.end_ - e->input_.begin_;
}

/* Bytes before the payload, as far as what is there tells: it may need a
 * second look when they have come. */
static uint32_t head_size(const struct mqtt_engine *e)
{
    const uint8_t *at = e->input_.base_ + e->input_.begin_;
    uint32_t available = held(e), size = 2, length;
    int n;

    if (available < size)
        return size;
    size += (uint32_t)(at[0] << 8 | at[1]);
    size += mqtt_publish_qos(e->oversize_.first_byte_) ? 2 : 0;
    if (!mqtt_protocol_is_5(e->protocol_))
        return size;
    if (available <= size)
        return size + 1;
    n = mqtt_length_read(at + size, available - size, &length);
    if (n <= 0) /* too few; or too many, which the decoder will tell */
        return n < 0 ? size + 4 : available + 1;
    return size + (uint32_t)n + length;
}

static enum mqtt_error read_head(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_oversize *o = &e->oversize_;
    const uint8_t *at = e->input_.base_ + e->input_.begin_;
    struct mqtt_reader head = {at, at + size, false};

    if (mqtt_protocol_is_5(e->protocol_))
        return mqtt_publish_take_5_0(e, &head, o->first_byte_, &o->message_,
                                     &o->identifier_);
    return mqtt_publish_read(&head, o->first_byte_, &o->message_,
                             &o->identifier_);
}

/* A span within bytes that have moved; one that is elsewhere stays. */
static void follow(struct mqtt_span *span, const uint8_t *from, uint32_t size,
                   const uint8_t *to)
{
    const uint8_t *data = span->data;

    if (data >= from && data <= from + size)
        span->data = to + (data - from);
}

static void keep_head(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_oversize *o = &e->oversize_;
    struct mqtt_input *in = &e->input_;
    const uint8_t *from = in->base_ + in->begin_;

    follow(&o->message_.topic_name, from, size, in->own_);
    follow(&o->message_.properties, from, size, in->own_);
    memmove(in->own_, from, size);
    in->kept_ = size;
    in->begin_ += size;
    o->head_size_ = size;
    o->left_ -= size;
    o->message_.payload_size = o->left_;
}

/* Whether a topic alias may be given in it, perhaps one that stands for another
 * topic name until now. */
static bool may_give_alias(const struct mqtt_engine *e)
{
    const uint8_t *topic_length = e->input_.base_ + e->input_.begin_;

    return mqtt_protocol_is_5(e->protocol_) && !e->no_alias_names_ &&
           e->alias_names_.maximum_ && (topic_length[0] || topic_length[1]);
}

/* It does not fit, and is read past: the server was told of no limit, and would
 * send it again on each new connection. An alias would be thrown away with it;
 * so the next connection does without. */
static enum mqtt_error head_too_large(struct mqtt_engine *e)
{
    struct mqtt_oversize *o = &e->oversize_;
    uint32_t header = o->size_ - o->left_;
    enum mqtt_error error;

    if (may_give_alias(e)) {
        e->no_alias_names_ = true;
        return MQTT_ERR_ALIAS_MEMORY;
    }
    error = mqtt_large_past.begin(e, o->first_byte_, header, o->left_);
    e->packet_size_ = 0; /* the fixed header has been passed over */
    return error;
}

/* The whole head is there. */
static enum mqtt_error take_head(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_oversize *o = &e->oversize_;
    enum mqtt_error error = read_head(e, size);
    unsigned qos = mqtt_publish_qos(o->first_byte_);
    bool again = false;

    if (!error && qos)
        error = mqtt_engine_admit(e, qos, o->identifier_, &again);
    if (error)
        return error;
    if (again) {
        e->oversize_step_ = READ_PAST;
        o->skip_ = o->left_;
        o->identifier_ = 0; /* it has been acknowledged */
        return MQTT_OK;
    }
    keep_head(e, size);
    e->oversize_step_ = GIVE;
    return MQTT_OK;
}

static enum mqtt_error wait(struct mqtt_engine *e, bool *progress)
{
    struct mqtt_oversize *o = &e->oversize_;

    *progress = false;
    mqtt_engine_packet_began(e, o->size_ - o->left_ + held(e));
    return MQTT_OK;
}

static enum mqtt_error next_of_head(struct mqtt_engine *e, bool *progress)
{
    uint32_t size = head_size(e);

    if (size > e->oversize_.left_)
        return MQTT_ERR_TRUNCATED;
    if (size >= e->input_.own_size_)
        return head_too_large(e);
    return size <= held(e) ? take_head(e, size) : wait(e, progress);
}

/* -- the payload ------------------------------------------------------------------------- */

static void last_part(struct mqtt_engine *e, struct mqtt_event *event)
{
    struct mqtt_oversize *o = &e->oversize_;
    unsigned qos = mqtt_publish_qos(o->first_byte_);

    if (qos)
        event->message.settle_handle =
            mqtt_engine_accept(e, qos, o->identifier_);
    e->oversize_step_ = END;
    MQTT_COUNT(e->config_->statistics, messages_received);
}

static enum mqtt_error give(struct mqtt_engine *e, bool *progress,
                            struct mqtt_event *event)
{
    struct mqtt_oversize *o = &e->oversize_;
    uint32_t n = held(e) < o->left_ ? held(e) : o->left_;

    if (!n && o->left_) /* a head without a payload is its only part */
        return wait(e, progress);
    event->type = MQTT_EVENT_MESSAGE;
    event->packet_identifier = o->identifier_;
    event->message = o->message_;
    event->message.payload.data = e->input_.base_ + e->input_.begin_;
    event->message.payload.size = n;
    event->message.payload_offset = o->message_.payload_size - o->left_;
    e->packet_size_ = n;
    o->left_ -= n;
    if (!o->left_)
        last_part(e, event);
    return MQTT_OK;
}

/* What nobody wants, and then its acknowledgement. */
static enum mqtt_error read_past(struct mqtt_engine *e, bool *progress)
{
    struct mqtt_oversize *o = &e->oversize_;

    if (!mqtt_oversize_skip(e))
        return wait(e, progress);
    if (o->identifier_)
        mqtt_engine_answer(e, mqtt_publish_qos(o->first_byte_), o->identifier_,
                           o->code_);
    e->oversize_step_ = END;
    return MQTT_OK;
}

static enum mqtt_error next(struct mqtt_engine *e, bool *progress,
                            struct mqtt_event *event)
{
    switch (e->oversize_step_) {
    case READ_HEAD:
        return next_of_head(e, progress);
    case GIVE:
        return give(e, progress, event);
    case READ_PAST:
        return read_past(e, progress);
    case END:
        e->input_.kept_ = 0;
        mqtt_oversize_ended(e);
        return MQTT_OK;
    default:
        return mqtt_large_past.next(e, progress, event);
    }
}

const struct mqtt_large mqtt_large_parts = {.begin = begin, .next = next};

enum mqtt_error mqtt_parts_refuse(struct mqtt_engine *e, uint8_t code)
{
    struct mqtt_oversize *o = &e->oversize_;

    if (e->oversize_step_ != GIVE || o->left_ == o->message_.payload_size)
        return MQTT_ERR_STATE;
    if (!(code & 0x80) || !mqtt_reason_may_stand(code, MQTT_REASON_IN_PUBACK))
        return MQTT_ERR_REASON_CODE;
    e->oversize_step_ = READ_PAST;
    o->skip_ = o->left_;
    o->code_ = mqtt_protocol_is_5(e->protocol_) ? code : 0;
    return MQTT_OK;
}
