/*
 * Between two connections: what was sent is to be sent again with DUP, or has
 * ended because the session is lost [3.1.1, section 4.4].
 */
#include "session/inbound.h"
#include "session/outbox.h"
#include "session/session.h"
#include "session/slots.h"
#include "session/store.h"
#include "wire/ring.h"
#include "session/composer.h"

static void mark_sent(struct mqtt_session *s, struct mqtt_slot *slot)
{
    slot->flags_ |= MQTT_SLOT_SENT;
    *mqtt_ring_at(&s->ring_, slot->start_) |= MQTT_FLAG_DUP;
}

/* Mark what has left on the connection that ended; the ring has the order of
 * the list. */
static void mark_all_sent(struct mqtt_session *s)
{
    uint16_t i = s->publishes_.first_;

    while (i != MQTT_NO_SLOT &&
           mqtt_outbox_before(s, s->slots_[i].start_, s->send_)) {
        mark_sent(s, &s->slots_[i]);
        i = s->slots_[i].next_;
    }
}

/* Where that begins of which nothing has ever left in this session. */
static uint32_t never_sent(struct mqtt_session *s)
{
    uint32_t begin =
        mqtt_ring_add(&s->ring_, s->send_, mqtt_outbox_half_sent(s));
    uint16_t i = s->publishes_.last_;

    while (i != MQTT_NO_SLOT && !(s->slots_[i].flags_ & MQTT_SLOT_SENT))
        i = s->slots_[i].previous_;
    if (i != MQTT_NO_SLOT) {
        uint32_t start = s->slots_[i].start_;
        uint32_t end = mqtt_ring_add(&s->ring_, start,
                                     mqtt_ring_packet_size(&s->ring_, start));

        if (mqtt_outbox_before(s, begin, end))
            begin = end;
    }
    return begin;
}

/* Whether a packet of QoS 0 is half sent: nobody sends the rest. */
static bool half_sent_qos0(struct mqtt_session *s)
{
    uint8_t first_byte;

    if (!mqtt_outbox_half_sent(s))
        return false;
    first_byte = *mqtt_ring_at(&s->ring_, s->mark_);
    return first_byte >> 4 && !mqtt_publish_qos(first_byte);
}

void mqtt_session_cut(struct mqtt_session *s, bool keep_qos0)
{
    const struct mqtt_inbound *inbound = s->protocol_->inbound;
    uint32_t pin;

    if (half_sent_qos0(s))
        MQTT_COUNT(s->config_->statistics, qos0_dropped);

    mark_all_sent(s);
    pin = never_sent(s);
    if (!keep_qos0) {
        MQTT_COUNT_MORE(s->config_->statistics, qos0_dropped,
                        mqtt_outbox_count_qos0(s, pin));
        pin = s->tail_;
    }
    mqtt_outbox_rewind(s, pin);
    for (uint16_t i = s->pubrels_.first_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_)
        s->slots_[i].state_ = MQTT_SLOT_PUBREL;
    s->pubrel_due_ = s->pubrels_.first_;
    s->reserved_identifier_ = 0;
    s->connected_ = false;
    s->special_ = 0; /* counted anew when sending begins */
    if (inbound)
        inbound->cut(s);
}

static void end_all(struct mqtt_session *s, struct mqtt_slot_list *list,
                    enum mqtt_slot_state state)
{
    while (list->first_ != MQTT_NO_SLOT) {
        struct mqtt_slot *slot = &s->slots_[list->first_];

        if (list == &s->publishes_ && !(slot->flags_ & MQTT_SLOT_SENT))
            return;
        mqtt_slot_end(s, list, slot, state);
    }
}

/* As if it had never been sent, but for how it can end: DUP is 0 for a first try
 * [3.1.1 MQTT-3.3.1-1]. */
static void publish_anew(struct mqtt_session *s)
{
    for (uint16_t i = s->publishes_.first_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_) {
        if (s->slots_[i].flags_ & MQTT_SLOT_SENT)
            s->slots_[i].flags_ |= MQTT_SLOT_ANEW;
        s->slots_[i].flags_ &= (uint8_t)~MQTT_SLOT_SENT;
        *mqtt_ring_at(&s->ring_, s->slots_[i].start_) &=
            (uint8_t)~MQTT_FLAG_DUP;
    }
}

void mqtt_session_renew(struct mqtt_session *s,
                        const struct mqtt_config *config)
{
    const struct mqtt_inbound *inbound = s->protocol_->inbound;
    uint32_t pin = config->keep_qos0 ? never_sent(s) : s->tail_;

    if (inbound)
        inbound->renew(s);
    end_all(s, &s->pubrels_, MQTT_SLOT_UNKNOWN);
    s->pubrel_due_ = MQTT_NO_SLOT;
    if (config->republish_lost)
        publish_anew(s);
    else
        end_all(s, &s->publishes_, MQTT_SLOT_LOST);
    mqtt_outbox_rewind(s, pin);
    if (config->republish_lost && s->composer_)
        s->composer_->expire(s); /* what was sent can expire again */
    mqtt_store_rewrite(s);
}

static void count_resent(struct mqtt_session *s)
{
    for (uint16_t i = s->publishes_.first_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_)
        if (s->slots_[i].flags_ & MQTT_SLOT_SENT)
            MQTT_COUNT(s->config_->statistics, messages_resent);
}

static uint16_t count_pubrels(const struct mqtt_session *s)
{
    uint16_t count = 0;

    for (uint16_t i = s->pubrels_.first_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_)
        count++;
    return count;
}

static uint16_t smaller(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

/* What is configured, and what the server says [5.0 MQTT-3.3.4-7]. */
static void set_maxima(struct mqtt_session *s)
{
    uint16_t all =
        s->config_->send_maximum ? s->config_->send_maximum : UINT16_MAX;
    uint16_t qos2 = s->config_->send_maximum_qos2
                        ? s->config_->send_maximum_qos2
                        : s->protocol_->send_maximum_qos2;

    s->send_maximum_ = smaller(all, s->limits_.receive_maximum);
    s->send_maximum_qos2_ = qos2 ? qos2 : UINT16_MAX;
}

void mqtt_session_begin(struct mqtt_session *s)
{
    const struct mqtt_inbound *inbound = s->protocol_->inbound;

    if (s->composer_)
        s->composer_->admit(s);
    count_resent(s);
    if (inbound)
        inbound->begin(s);
    set_maxima(s);
    mqtt_outbox_reset_quota(s, count_pubrels(s));
    s->connected_ = true;
    mqtt_outbox_release(s);
}
