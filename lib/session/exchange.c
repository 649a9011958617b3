/*
 * What follows a message that was sent: acknowledgements, PUBREL, and its end
 * [5.0, section 4.3].
 */
#include "session/outbox.h"
#include "session/slots.h"
#include "session/store.h"

/* Whether a byte of it has left on this connection, or is just leaving. */
static bool sent_here(const struct mqtt_session *s,
                      const struct mqtt_slot *slot)
{
    uint32_t end = s->batch_ ? s->staged_ : s->send_;

    return mqtt_outbox_before(s, slot->start_, end);
}

/* The exchange is over: its slot is free, and one more may be sent. */
static enum mqtt_acknowledged end_exchange(struct mqtt_session *s,
                                           struct mqtt_slot_list *list,
                                           struct mqtt_slot *slot, uint8_t code)
{
    bool given_up = slot->flags_ & MQTT_SLOT_GIVEN_UP;

    mqtt_outbox_return_quota(s, slot->flags_ & MQTT_SLOT_QOS2 ? 2 : 1,
                             list == &s->pubrels_);
    mqtt_store_remove_message(s, slot);
    mqtt_slot_free(s, list, slot);
    s->compaction_futile_ = false;
    mqtt_outbox_release(s);
    if (given_up)
        MQTT_COUNT(s->config_->statistics, messages_lost);
    else if (code & 0x80 && list == &s->publishes_)
        MQTT_COUNT(s->config_->statistics, messages_refused);
    else
        MQTT_COUNT(s->config_->statistics, messages_acknowledged);
    return given_up ? MQTT_ACK_END_UNKNOWN : MQTT_ACK_END;
}

/* PUBREL is to be sent, after those before it [3.1.1 MQTT-4.6.0-4]; the image
 * is not needed any more. */
static enum mqtt_acknowledged pubrel_due(struct mqtt_session *s,
                                         struct mqtt_slot_list *from,
                                         struct mqtt_slot *slot)
{
    mqtt_slot_move(s, from, &s->pubrels_, slot);
    slot->state_ = MQTT_SLOT_PUBREL;
    if (from != &s->pubrels_)
        mqtt_store_message(s, slot);
    if (s->pubrel_due_ == MQTT_NO_SLOT)
        s->pubrel_due_ = (uint16_t)(slot - s->slots_);
    s->compaction_futile_ = false;
    return MQTT_ACK_STEP;
}

void mqtt_session_give_up(struct mqtt_session *s, struct mqtt_slot *slot)
{
    if (slot->flags_ & MQTT_SLOT_QOS2) {
        /* The server may hold its identifier: PUBREL sets it free. */
        slot->flags_ |= MQTT_SLOT_GIVEN_UP;
        pubrel_due(s, &s->publishes_, slot);
        return;
    }
    mqtt_slot_end(s, &s->publishes_, slot, MQTT_SLOT_UNKNOWN);
}

static enum mqtt_acknowledged acknowledge_publish(struct mqtt_session *s,
                                                  enum mqtt_packet_type type,
                                                  struct mqtt_slot *slot,
                                                  uint8_t code)
{
    bool qos2 = slot->flags_ & MQTT_SLOT_QOS2;

    if (!sent_here(s, slot))
        return MQTT_ACK_UNKNOWN;
    if (type != (qos2 ? MQTT_PUBREC : MQTT_PUBACK))
        return MQTT_ACK_WRONG;
    slot->flags_ &= (uint8_t)~MQTT_SLOT_ANEW; /* it has arrived */
    if (qos2 && !(code & 0x80)) /* else it has ended [5.0 MQTT-4.3.3-4] */
        return pubrel_due(s, &s->publishes_, slot);
    return end_exchange(s, &s->publishes_, slot, code);
}

static enum mqtt_acknowledged acknowledge_pubrel(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 struct mqtt_slot *slot,
                                                 uint8_t code)
{
    if (type == MQTT_PUBACK)
        return MQTT_ACK_WRONG;
    if (type == MQTT_PUBREC && code & 0x80) /* it was taken before */
        return MQTT_ACK_UNKNOWN;
    if (slot->state_ == MQTT_SLOT_PUBREL) /* not yet sent on this connection */
        return type == MQTT_PUBREC ? MQTT_ACK_STEP : MQTT_ACK_UNKNOWN;
    if (type == MQTT_PUBREC)
        return pubrel_due(s, &s->pubrels_, slot);
    return end_exchange(s, &s->pubrels_, slot, code);
}

enum mqtt_acknowledged mqtt_session_acknowledged(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 uint16_t identifier,
                                                 uint8_t code)
{
    struct mqtt_slot *slot = mqtt_slot_find(s, identifier);

    if (slot && slot->state_ == MQTT_SLOT_PUBLISH)
        return acknowledge_publish(s, type, slot, code);
    if (slot && slot->state_ <= MQTT_SLOT_PUBCOMP)
        return acknowledge_pubrel(s, type, slot, code);
    return MQTT_ACK_UNKNOWN;
}

uint16_t mqtt_session_next_pubrel(const struct mqtt_session *s)
{
    if (s->pubrel_due_ == MQTT_NO_SLOT ||
        mqtt_store_awaits(&s->slots_[s->pubrel_due_]))
        return 0;
    return s->slots_[s->pubrel_due_].identifier_;
}

void mqtt_session_pubrel_sent(struct mqtt_session *s)
{
    struct mqtt_slot *slot = &s->slots_[s->pubrel_due_];

    slot->state_ = MQTT_SLOT_PUBCOMP;
    s->pubrel_due_ = slot->next_;
}

/* What the application is told of a message that ended in this state. */
static const struct {
    uint8_t outcome;
    int8_t error;
} ends[] = {
    [MQTT_SLOT_LOST] = {MQTT_OUTCOME_LOST, MQTT_OK},
    [MQTT_SLOT_UNKNOWN] = {MQTT_OUTCOME_UNKNOWN, MQTT_OK},
    [MQTT_SLOT_EXPIRED] = {MQTT_OUTCOME_EXPIRED, MQTT_OK},
    [MQTT_SLOT_FORBIDDEN_QOS] = {MQTT_OUTCOME_FORBIDDEN, MQTT_ERR_MAXIMUM_QOS},
    [MQTT_SLOT_FORBIDDEN_RETAIN] = {MQTT_OUTCOME_FORBIDDEN,
                                    MQTT_ERR_RETAIN_UNAVAILABLE},
    [MQTT_SLOT_FORBIDDEN_SIZE] = {MQTT_OUTCOME_FORBIDDEN,
                                  MQTT_ERR_MAXIMUM_PACKET_SIZE},
    [MQTT_SLOT_NOT_CARRIED] = {MQTT_OUTCOME_FORBIDDEN,
                               MQTT_ERR_PROTOCOL_VERSION},
    [MQTT_SLOT_BROKEN] = {MQTT_OUTCOME_SOURCE, MQTT_ERR_SOURCE},
};

void mqtt_event_begin(struct mqtt_event *event, unsigned type)
{
    memset(event, 0, sizeof *event);
    event->type = (enum mqtt_event_type)type;
}

bool mqtt_session_next_ended(struct mqtt_session *s, struct mqtt_event *event)
{
    struct mqtt_slot *slot;

    if (s->ended_.first_ == MQTT_NO_SLOT)
        return false;
    slot = &s->slots_[s->ended_.first_];
    mqtt_event_begin(event, MQTT_EVENT_PUBLISHED);
    event->packet_identifier = slot->identifier_;
    event->outcome = (enum mqtt_outcome)ends[slot->state_].outcome;
    event->error = (enum mqtt_error)ends[slot->state_].error;
    if (slot->state_ == MQTT_SLOT_EXPIRED)
        MQTT_COUNT(s->config_->statistics, messages_expired);
    else
        MQTT_COUNT(s->config_->statistics, messages_lost);
    mqtt_slot_free(s, &s->ended_, slot);
    return true;
}
