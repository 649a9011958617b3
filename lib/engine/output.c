/*
 * What leaves next. At a packet boundary, what lies in control memory goes
 * before PUBLISH: acknowledgements, requests, PINGREQ, DISCONNECT. They are
 * states until there is room for them there.
 */
#include "engine/compose.h"
#include "session/outbox.h"

enum { OFFER_NOTHING, OFFER_CONTROL, OFFER_OUTBOX, OFFER_SOURCE };

uint32_t mqtt_engine_room(const struct mqtt_engine *e)
{
    uint32_t room = e->control_.size_ - e->control_.used_;
    uint32_t limit = e->session_->limits_.maximum_packet_size;

    if (e->session_->head_open_) /* its packet has to be whole first */
        return 0;
    return room < limit ? room : limit;
}

/* Whether nothing can leave any more [3.1.1 MQTT-3.14.4-2]. */
static bool silent(const struct mqtt_engine *e)
{
    return e->cut_ || e->state_ > MQTT_ENGINE_DISCONNECT_DUE;
}

bool mqtt_engine_stage(struct mqtt_engine *e, const uint8_t *packet,
                       uint32_t size)
{
    struct mqtt_control *c = &e->control_;

    if (silent(e))
        return true;
    if (size > e->session_->limits_.maximum_packet_size) {
        mqtt_engine_break(e, MQTT_ERR_ANNOUNCED); /* [5.0 MQTT-3.2.2-15] */
        return true;
    }
    if (mqtt_engine_room(e) < size)
        return false;
    memcpy(c->bytes_ + c->used_, packet, size);
    c->used_ += size;
    mqtt_engine_trace(e, true, packet, size);
    return true;
}

/* The acknowledgement that ends a received message gives the server back one
 * of its quota [5.0, section 4.9]; with PUBREL that has been done. */
static bool ends_received(enum mqtt_packet_type type, uint8_t code)
{
    return type == MQTT_PUBACK || (type == MQTT_PUBREC && code & 0x80);
}

bool mqtt_engine_stage_ack(struct mqtt_engine *e, enum mqtt_packet_type type,
                           uint16_t identifier, uint8_t code)
{
    uint8_t packet[MQTT_ACK_MAX];
    uint32_t size = e->protocol_->ack_write(packet, type, identifier, code);

    if (!mqtt_engine_stage(e, packet, size))
        return false;
    if (e->receive_open_ && ends_received(type, code))
        e->receive_open_--;
    return true;
}

static bool stage_empty(struct mqtt_engine *e, enum mqtt_packet_type type)
{
    uint8_t packet[2] = {mqtt_first_byte(type), 0};

    return mqtt_engine_stage(e, packet, sizeof packet);
}

/* In control memory, where it may take all the room there is. */
static bool stage_disconnect(struct mqtt_engine *e)
{
    struct mqtt_control *c = &e->control_;
    uint8_t *begin = c->bytes_ + c->used_;
    uint32_t size;

    if (!e->protocol_->disconnect_write)
        return stage_empty(e, MQTT_DISCONNECT);
    if (c->used_ && mqtt_engine_room(e) < 4 + e->end_properties_.size + 4)
        return false; /* when what is before it has left, there is all of it */
    size = e->protocol_->disconnect_write(begin, mqtt_engine_room(e),
                                          e->end_code_, e->end_properties_);
    c->used_ += size;
    if (size)
        mqtt_engine_trace(e, true, begin, size);
    return size;
}

void mqtt_engine_stage_pubrels(struct mqtt_engine *e)
{
    uint16_t identifier;

    while ((identifier = mqtt_session_next_pubrel(e->session_)) != 0 &&
           mqtt_engine_stage_ack(e, MQTT_PUBREL, identifier, 0))
        mqtt_session_pubrel_sent(e->session_);
}

/* The states that wait for room in control memory. */
static void stage_what_is_due(struct mqtt_engine *e)
{
    if (e->settled_waits_)
        e->protocol_->inbound->flush_settled(e);
    if (e->state_ == MQTT_ENGINE_OPEN)
        mqtt_engine_stage_pubrels(e);
    if (e->ping_due_ && stage_empty(e, MQTT_PINGREQ)) {
        e->ping_due_ = false;
        MQTT_COUNT(e->config_->statistics, pings_sent);
    }
    if (e->state_ == MQTT_ENGINE_DISCONNECT_DUE && stage_disconnect(e))
        e->state_ = MQTT_ENGINE_DISCONNECTING;
}

static bool sending(const struct mqtt_engine *e)
{
    return e->state_ <= MQTT_ENGINE_DISCONNECTING;
}

/* Whether something has to leave before the next PUBLISH. */
static bool control_due(const struct mqtt_engine *e)
{
    return e->control_.used_ || e->ping_due_ || e->settled_waits_ ||
           e->state_ != MQTT_ENGINE_OPEN ||
           mqtt_session_next_pubrel(e->session_);
}

static const void *offer_outbox(struct mqtt_engine *e, uint32_t limit,
                                size_t *size)
{
    const void *bytes = mqtt_outbox_next(e->session_, limit, size);

    e->offering_ = bytes ? OFFER_OUTBOX : OFFER_NOTHING;
    return bytes;
}

/* What is left of a packet that is half sent. */
static const void *offer_rest(struct mqtt_engine *e, uint32_t half_sent,
                              size_t *size)
{
    const void *bytes;

    if (!e->source_)
        return offer_outbox(e, half_sent, size);
    bytes = e->session_->composer_->offer_source(e, size);
    e->offering_ = bytes ? OFFER_SOURCE : OFFER_NOTHING;
    return bytes;
}

static const void *offer_control(struct mqtt_engine *e, size_t *size)
{
    struct mqtt_control *c = &e->control_;

    e->offering_ = OFFER_CONTROL;
    *size = c->used_ - c->sent_;
    return c->bytes_ + c->sent_;
}

/* Whether the next PUBLISH has to be written first. */
static bool composing(const struct mqtt_engine *e)
{
    return e->session_->special_ || e->aliases_.limit_;
}

static const void *offer_composed(struct mqtt_engine *e, size_t *size)
{
    const void *bytes = e->session_->composer_->offer(e, size);

    if (bytes)
        e->offering_ = OFFER_OUTBOX;
    else if (e->control_.used_)
        bytes = offer_control(e, size);
    return bytes;
}

/* All but PUBLISH, and what is left of a PUBLISH before it; NULL: nothing of
 * it is due. */
static const void *offer_due(struct mqtt_engine *e, size_t *size)
{
    uint32_t half_sent;

    if (!control_due(e) && !e->source_)
        return NULL;
    half_sent = mqtt_outbox_half_sent(e->session_);
    if (half_sent)
        return offer_rest(e, half_sent, size);
    stage_what_is_due(e);
    return e->control_.used_ ? offer_control(e, size) : NULL;
}

const void *mqtt_engine_output_buf(struct mqtt_engine *e, size_t *size)
{
    const void *bytes;

    *size = 0;
    e->offering_ = OFFER_NOTHING;
    if (!sending(e))
        return NULL;
    bytes = offer_due(e, size);
    if (bytes)
        return bytes;
    if (e->state_ != MQTT_ENGINE_OPEN)
        return NULL; /* before CONNACK and after DISCONNECT */
    if (composing(e))
        return offer_composed(e, size);
    return offer_outbox(e, UINT32_MAX, size);
}

static void control_sent(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_control *c = &e->control_;

    c->sent_ += size;
    if (c->sent_ < c->used_)
        return;
    c->sent_ = c->used_ = 0;
    if (e->session_->batch_)
        e->session_->composer_->drained(e);
    e->ping_waits_ = e->ping_due_;
    if (e->state_ == MQTT_ENGINE_DISCONNECTING)
        e->state_ = MQTT_ENGINE_ENDED;
}

void mqtt_engine_output_done(struct mqtt_engine *e, size_t size)
{
    if (!size || e->offering_ == OFFER_NOTHING)
        return;
    if (e->config_->statistics)
        e->config_->statistics->bytes_sent += size;
    mqtt_keep_alive_sent(e);
    if (e->offering_ == OFFER_CONTROL) {
        control_sent(e, (uint32_t)size);
    } else if (e->offering_ == OFFER_SOURCE) {
        e->session_->composer_->source_sent(e, (uint32_t)size);
    } else {
        mqtt_outbox_sent(e->session_, (uint32_t)size);
        if (e->config_->trace)
            e->config_->trace_seam->published(e);
    }
    e->offering_ = OFFER_NOTHING;
}
