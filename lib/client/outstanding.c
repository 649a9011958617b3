#include "client/client.h"
#include "session/slots.h"
#include "session/outbox.h"

/* Behind slot `i`: PUBRELs are sent first, then PUBLISH. */
static uint16_t follower(const struct mqtt_session *s,
                         const struct mqtt_outstanding *it)
{
    uint16_t next;

    if (!it->packet_identifier)
        return s->pubrels_.first_ != MQTT_NO_SLOT ? s->pubrels_.first_
                                                  : s->publishes_.first_;
    next = s->slots_[it->position_].next_;
    return next == MQTT_NO_SLOT && it->released ? s->publishes_.first_ : next;
}

/* Of those that were written into control memory all have been sent when a
 * byte has left from there. */
static bool sent(const struct mqtt_client *c, const struct mqtt_slot *slot)
{
    const struct mqtt_session *s = &c->session_;
    bool leaving = s->batch_ && c->engine_.control_.sent_;

    if (slot->state_ != MQTT_SLOT_PUBLISH || (slot->flags_ & MQTT_SLOT_SENT))
        return true;
    return mqtt_outbox_before(s, slot->start_, leaving ? s->staged_ : s->send_);
}

bool mqtt_client_next_outstanding(const struct mqtt_client *client,
                                  struct mqtt_outstanding *it)
{
    const struct mqtt_session *s = &client->session_;
    const struct mqtt_slot *slot;
    uint16_t i = follower(s, it);

    if (i == MQTT_NO_SLOT)
        return false;
    slot = &s->slots_[i];
    it->position_ = i;
    it->packet_identifier = slot->identifier_;
    it->qos = slot->flags_ & MQTT_SLOT_QOS2 ? MQTT_QOS_2 : MQTT_QOS_1;
    it->released = slot->state_ != MQTT_SLOT_PUBLISH;
    it->sent = sent(client, slot);
    return true;
}
