/*
 * A PUBLISH that is larger than the input memory is read past: topic name and
 * payload are thrown away, its packet identifier is kept, so that it can be
 * acknowledged. In 3.1.1 the server cannot be told of our limit, and with
 * mqtt_large_parts 5.0 is told of none; closing the connection would only bring
 * the message back, for ever.
 *
 * What is thrown away is not checked.
 */
#include "engine/engine.h"

enum step {
    NONE,
    READ_TOPIC_LENGTH,
    READ_IDENTIFIER, /* after skip_ bytes of topic name */
    SKIP_REST,
    FINISH
};

static enum mqtt_error begin(struct mqtt_engine *e, uint8_t first_byte,
                             uint32_t header, uint32_t length)
{
    struct mqtt_oversize *o = &e->oversize_;

    e->packet_size_ = header; /* passed over next */
    e->oversize_step_ = READ_TOPIC_LENGTH;
    o->first_byte_ = first_byte;
    o->left_ = length;
    o->skip_ = 0;
    o->size_ = header + length;
    o->identifier_ = 0;
    return MQTT_OK;
}

bool mqtt_oversize_skip(struct mqtt_engine *e)
{
    struct mqtt_oversize *o = &e->oversize_;
    uint32_t n = e->input_.end_ - e->input_.begin_;

    if (n > o->skip_)
        n = o->skip_;
    e->input_.begin_ += n;
    o->skip_ -= n;
    o->left_ -= n;
    return !o->skip_;
}

/* The next two bytes as a number; false: they have not come. */
static bool take_u16(struct mqtt_engine *e, uint16_t *value)
{
    const uint8_t *at;

    if (!mqtt_oversize_skip(e) || e->input_.end_ - e->input_.begin_ < 2)
        return false;
    at = e->input_.base_ + e->input_.begin_;
    *value = (uint16_t)(at[0] << 8 | at[1]);
    e->input_.begin_ += 2;
    e->oversize_.left_ -= 2;
    return true;
}

static enum mqtt_error topic_length_read(struct mqtt_engine *e,
                                         uint16_t topic_length)
{
    struct mqtt_oversize *o = &e->oversize_;
    bool acknowledged = mqtt_publish_qos(o->first_byte_);

    if (topic_length + (acknowledged ? 2u : 0u) > o->left_)
        return MQTT_ERR_TRUNCATED;
    if (!topic_length && !mqtt_protocol_is_5(e->protocol_))
        return MQTT_ERR_RECEIVED_TOPIC;
    e->oversize_step_ = acknowledged ? READ_IDENTIFIER : SKIP_REST;
    o->skip_ = acknowledged ? topic_length : o->left_;
    return MQTT_OK;
}

static enum mqtt_error identifier_read(struct mqtt_engine *e)
{
    struct mqtt_oversize *o = &e->oversize_;

    if (!o->identifier_)
        return MQTT_ERR_PACKET_IDENTIFIER;
    e->oversize_step_ = SKIP_REST;
    o->skip_ = o->left_;
    return MQTT_OK;
}

void mqtt_oversize_ended(struct mqtt_engine *e)
{
    e->oversize_step_ = NONE;
    mqtt_engine_packet_ended(e);
    if (e->config_->trace)
        e->config_->trace_seam->oversize(e);
}

static enum mqtt_error tell(struct mqtt_engine *e, struct mqtt_event *event)
{
    struct mqtt_oversize *o = &e->oversize_;

    mqtt_oversize_ended(e);
    mqtt_event_begin(event, MQTT_EVENT_MESSAGE_TOO_LARGE);
    event->size = o->size_;
    event->message.qos = (enum mqtt_qos)mqtt_publish_qos(o->first_byte_);
    MQTT_COUNT(e->config_->statistics, messages_too_large);
    return MQTT_OK;
}

static enum mqtt_error finish(struct mqtt_engine *e, struct mqtt_event *event)
{
    struct mqtt_oversize *o = &e->oversize_;
    unsigned qos = mqtt_publish_qos(o->first_byte_);
    enum mqtt_error error;
    bool again;

    if (!qos)
        return tell(e, event);
    error = mqtt_engine_admit(e, qos, o->identifier_, &again);
    if (error)
        return error;
    if (again) { /* it is not told of a second time */
        mqtt_oversize_ended(e);
        return MQTT_OK;
    }
    /* In 5.0 the server can be told that nobody took it. */
    mqtt_engine_answer(e, qos, o->identifier_,
                       mqtt_protocol_is_5(e->protocol_)
                           ? MQTT_REASON_QUOTA_EXCEEDED
                           : MQTT_REASON_SUCCESS);
    return tell(e, event);
}

static enum mqtt_error next(struct mqtt_engine *e, bool *progress,
                            struct mqtt_event *event)
{
    struct mqtt_oversize *o = &e->oversize_;
    uint16_t topic_length;

    if (e->oversize_step_ == READ_TOPIC_LENGTH && take_u16(e, &topic_length))
        return topic_length_read(e, topic_length);
    if (e->oversize_step_ == READ_IDENTIFIER && take_u16(e, &o->identifier_))
        return identifier_read(e);
    if (e->oversize_step_ == SKIP_REST && mqtt_oversize_skip(e))
        e->oversize_step_ = FINISH;
    if (e->oversize_step_ == FINISH)
        return finish(e, event);
    *progress = false;
    mqtt_engine_packet_began(e, o->size_ - o->left_ + e->input_.end_ -
                                    e->input_.begin_);
    return MQTT_OK;
}

const struct mqtt_large mqtt_large_past = {.begin = begin, .next = next};
