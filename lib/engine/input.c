/*
 * Finding packets in what has been received.
 *
 * Bytes lie in memory that a driver lent, or in the engine's own: whenever a
 * packet is not whole, what follows is read behind its beginning into the own
 * memory, so that a packet is always in one piece and none is copied twice.
 */
#include "engine/engine.h"
#include "wire/length.h"

static uint32_t held(const struct mqtt_input *in)
{
    return in->end_ - in->begin_;
}

/* What is held, to the beginning of the own memory, behind what is kept. */
static void move_to_own(struct mqtt_input *in)
{
    uint8_t *to = in->own_ + in->kept_;

    if (held(in) && in->base_ + in->begin_ != to)
        memmove(to, in->base_ + in->begin_, held(in));
    in->base_ = in->own_;
    in->end_ = in->kept_ + held(in);
    in->begin_ = in->kept_;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool discarding(const struct mqtt_engine *e)
{
    return e->state_ != MQTT_ENGINE_AWAIT_CONNACK &&
           e->state_ != MQTT_ENGINE_OPEN;
}

void *mqtt_engine_input_buf(struct mqtt_engine *e, void *lent, size_t lent_size,
                            size_t *size)
{
    struct mqtt_input *in = &e->input_;

    if (e->packet_size_) { /* somebody still reads it: nothing may move */
        *size = in->base_ == in->own_ ? in->own_size_ - in->end_ : 0;
        return *size ? in->base_ + in->end_ : NULL;
    }
    if (discarding(e)) /* else there might be no room to read the end into */
        in->begin_ = in->end_;
    move_to_own(in);
    if (!held(in) && lent && lent_size) {
        in->base_ = lent;
        in->begin_ = in->end_ = 0;
        *size = least(lent_size, in->own_size_ - in->kept_);
    } else {
        *size = in->own_size_ - in->end_;
    }
    return *size ? in->base_ + in->end_ : NULL;
}

void mqtt_engine_input_done(struct mqtt_engine *e, size_t size)
{
    if (!size)
        return;
    if (e->config_->statistics)
        e->config_->statistics->bytes_received += size;
    if (discarding(e))
        return; /* after our DISCONNECT nothing counts any more */
    e->input_.end_ += (uint32_t)size;
    e->last_received_ = e->now_;
    e->unread_ = true;
    if (e->packet_by_ != MQTT_NEVER)
        e->packet_by_ += size * MQTT_MS_PER_BYTE;
}

void mqtt_engine_input_keep(struct mqtt_engine *e)
{
    e->input_.begin_ += e->packet_size_;
    e->packet_size_ = 0;
    move_to_own(&e->input_);
}

/* -- one packet --------------------------------------------------------------- */

/* What can be told from the first byte alone, whatever may follow. */
static enum mqtt_error check_first_byte(const struct mqtt_engine *e,
                                        uint8_t first)
{
    enum mqtt_packet_type type = (enum mqtt_packet_type)(first >> 4);

    if (!e->protocol_->receive[type])
        return MQTT_ERR_PACKET_TYPE;
    if ((type == MQTT_CONNACK) != (e->state_ == MQTT_ENGINE_AWAIT_CONNACK) &&
        type != MQTT_AUTH)
        return MQTT_ERR_PACKET_ORDER; /* [3.1.1 MQTT-3.2.0-1] */
    if (type != MQTT_PUBLISH)
        return first == mqtt_first_byte(type) ? MQTT_OK : MQTT_ERR_PACKET_FLAGS;
    if (mqtt_publish_qos(first) == 3)
        return MQTT_ERR_RECEIVED_QOS; /* [3.1.1 MQTT-3.3.1-4] */
    if (!mqtt_publish_qos(first) && (first & MQTT_FLAG_DUP))
        return MQTT_ERR_RECEIVED_QOS; /* [3.1.1 MQTT-3.3.1-2] */
    return MQTT_OK;
}

static enum mqtt_error handle(struct mqtt_engine *e, const uint8_t *packet,
                              uint32_t header, uint32_t length,
                              struct mqtt_event *event)
{
    struct mqtt_reader body = {packet + header, packet + header + length,
                               false};
    enum mqtt_error error;

    mqtt_engine_packet_ended(e);
    e->packet_size_ = header + length;
    error = e->protocol_->receive[packet[0] >> 4](e, packet[0], &body, event);
    if (error == MQTT_LATER)
        e->packet_size_ = 0;
    else
        mqtt_engine_trace(e, false, packet, header + length);
    return error;
}

static enum mqtt_error check_size(const struct mqtt_engine *e, uint32_t n,
                                  uint32_t length)
{
    if (mqtt_protocol_is_5(e->protocol_) && n != mqtt_length_size(length))
        return MQTT_ERR_REMAINING_LENGTH; /* [5.0 MQTT-1.5.5-1] */
    return 1 + n + length > e->input_limit_ ? MQTT_ERR_PACKET_TOO_LARGE
                                            : MQTT_OK;
}

/* One that does not fit into the own memory. */
static enum mqtt_error begin_large(struct mqtt_engine *e, uint8_t first_byte,
                                   uint32_t header, uint32_t length)
{
    if (first_byte >> 4 != MQTT_PUBLISH || !e->large_)
        return MQTT_ERR_PACKET_TOO_LARGE;
    return e->large_->begin(e, first_byte, header, length);
}

/* The next packet, if it is there: *found, and perhaps an event. */
static enum mqtt_error read_packet(struct mqtt_engine *e, bool *found,
                                   struct mqtt_event *event)
{
    const uint8_t *packet = e->input_.base_ + e->input_.begin_;
    uint32_t available = held(&e->input_), length = 0, header;
    enum mqtt_error error;
    int n;

    *found = false;
    if (!available)
        return MQTT_OK;
    error = check_first_byte(e, packet[0]);
    if (error)
        return error;
    n = mqtt_length_read(packet + 1, available - 1, &length);
    if (n < 0)
        return MQTT_ERR_REMAINING_LENGTH;
    header = 1 + (uint32_t)n;
    if (n && (n > 1 || header + length > e->input_limit_))
        error = check_size(e, (uint32_t)n, length);
    if (error)
        return error;
    *found = n && (available >= header + length ||
                   header + length > e->input_.own_size_);
    if (!*found) {
        mqtt_engine_packet_began(e, available);
        return MQTT_OK;
    }
    if (header + length > e->input_.own_size_)
        return begin_large(e, packet[0], header, length);
    return handle(e, packet, header, length, event);
}

static void pass_packet(struct mqtt_engine *e)
{
    e->input_.begin_ += e->packet_size_;
    e->packet_size_ = 0;
}

/* The next packet, or more of one that is too large. What was taken before and
 * not told of may still have to be acknowledged. */
static enum mqtt_error advance(struct mqtt_engine *e, bool *more,
                               struct mqtt_event *event)
{
    pass_packet(e);
    if (!mqtt_engine_settle(e))
        return MQTT_LATER;
    return mqtt_oversize_active(e) ? e->large_->next(e, more, event)
                                   : read_packet(e, more, event);
}

bool mqtt_engine_next(struct mqtt_engine *e, struct mqtt_event *event)
{
    bool more = true;

    event->type = (enum mqtt_event_type)0;
    e->unsettled_full_ = false;
    pass_packet(e);
    e->stuck_ = !mqtt_engine_settle(e);
    while (more && !event->type && !discarding(e) && !e->stuck_) {
        enum mqtt_error error = advance(e, &more, event);

        e->stuck_ = error == MQTT_LATER;
        if (error && !e->stuck_)
            mqtt_engine_fail(e, error);
    }
    if (!event->type)
        e->unread_ = false;
    return event->type != 0;
}
