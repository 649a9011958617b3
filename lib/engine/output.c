/*
 * What leaves next. At a packet boundary, what lies in control memory goes
 * before PUBLISH: acknowledgements, requests, PINGREQ, DISCONNECT. They are
 * states until there is room for them there.
 */
#include "engine/engine.h"
#include "session/outbox.h"

enum { OFFER_NOTHING, OFFER_CONTROL, OFFER_OUTBOX };

bool mqtt_engine_stage(struct mqtt_engine *e, const uint8_t *packet,
                       uint32_t size)
{
    struct mqtt_control *c = &e->control_;

    if (e->cut_ || e->state_ > MQTT_ENGINE_DISCONNECT_DUE)
        return true; /* it goes nowhere [3.1.1 MQTT-3.14.4-2] */
    if (c->size_ - c->used_ < size)
        return false;
    memcpy(c->bytes_ + c->used_, packet, size);
    c->used_ += size;
    mqtt_engine_trace(e, true, packet, size);
    return true;
}

bool mqtt_engine_stage_ack(struct mqtt_engine *e, enum mqtt_packet_type type,
                           uint16_t identifier)
{
    uint8_t packet[MQTT_ACK_SIZE];

    mqtt_ack_write(packet, type, identifier);
    return mqtt_engine_stage(e, packet, sizeof packet);
}

static bool stage_empty(struct mqtt_engine *e, enum mqtt_packet_type type)
{
    uint8_t packet[2] = {mqtt_first_byte(type), 0};

    return mqtt_engine_stage(e, packet, sizeof packet);
}

void mqtt_engine_stage_pubrels(struct mqtt_engine *e)
{
    uint16_t identifier;

    while ((identifier = mqtt_session_next_pubrel(e->session_)) != 0 &&
           mqtt_engine_stage_ack(e, MQTT_PUBREL, identifier))
        mqtt_session_pubrel_sent(e->session_);
}

/* The states that wait for room in control memory. */
static void stage_what_is_due(struct mqtt_engine *e)
{
    if (e->state_ == MQTT_ENGINE_OPEN)
        mqtt_engine_stage_pubrels(e);
    if (e->ping_due_ && stage_empty(e, MQTT_PINGREQ)) {
        e->ping_due_ = false;
        MQTT_COUNT(e->config_->statistics, pings_sent);
    }
    if (e->state_ == MQTT_ENGINE_DISCONNECT_DUE &&
        stage_empty(e, MQTT_DISCONNECT))
        e->state_ = MQTT_ENGINE_DISCONNECTING;
}

static bool sending(const struct mqtt_engine *e)
{
    return !e->cut_ && e->state_ >= MQTT_ENGINE_AWAIT_CONNACK &&
           e->state_ <= MQTT_ENGINE_DISCONNECTING;
}

/* Whether something has to leave before the next PUBLISH. */
static bool control_due(const struct mqtt_engine *e)
{
    return e->control_.used_ || e->ping_due_ || e->state_ != MQTT_ENGINE_OPEN ||
           mqtt_session_next_pubrel(e->session_);
}

static const void *offer_outbox(struct mqtt_engine *e, uint32_t limit,
                                size_t *size)
{
    const void *bytes = mqtt_outbox_next(e->session_, limit, size);

    e->offering_ = bytes ? OFFER_OUTBOX : OFFER_NOTHING;
    return bytes;
}

static const void *offer_control(struct mqtt_engine *e, size_t *size)
{
    struct mqtt_control *c = &e->control_;

    e->offering_ = OFFER_CONTROL;
    *size = c->used_ - c->sent_;
    return c->bytes_ + c->sent_;
}

const void *mqtt_engine_output_buf(struct mqtt_engine *e, size_t *size)
{
    uint32_t half_sent;

    *size = 0;
    e->offering_ = OFFER_NOTHING;
    if (!sending(e))
        return NULL;
    if (control_due(e)) {
        half_sent = mqtt_outbox_half_sent(e->session_);
        if (half_sent)
            return offer_outbox(e, half_sent, size);
        stage_what_is_due(e);
        if (e->control_.used_)
            return offer_control(e, size);
    }
    if (e->state_ != MQTT_ENGINE_OPEN)
        return NULL; /* before CONNACK and after DISCONNECT */
    return offer_outbox(e, UINT32_MAX, size);
}

static void control_sent(struct mqtt_engine *e, uint32_t size)
{
    struct mqtt_control *c = &e->control_;

    c->sent_ += size;
    if (c->sent_ < c->used_)
        return;
    c->sent_ = c->used_ = 0;
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
    } else {
        mqtt_outbox_sent(e->session_, (uint32_t)size);
        if (e->config_->trace)
            mqtt_trace_published(e);
    }
    e->offering_ = OFFER_NOTHING;
}
