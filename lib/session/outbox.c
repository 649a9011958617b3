#include "session/outbox.h"
#include "session/slots.h"
#include "wire/protocol.h"
#include "wire/ring.h"

static uint32_t distance(const struct mqtt_session *s, uint32_t from,
                         uint32_t to)
{
    return mqtt_ring_distance(&s->ring_, from, to);
}

bool mqtt_outbox_before(const struct mqtt_session *s, uint32_t a, uint32_t b)
{
    return distance(s, s->head_, a) < distance(s, s->head_, b);
}

static uint32_t room(const struct mqtt_session *s)
{
    return s->ring_.size_ - distance(s, s->head_, s->tail_);
}

bool mqtt_outbox_pass(struct mqtt_session *s, uint32_t *start, uint32_t *size)
{
    if (s->mark_ == s->send_)
        return false;
    *start = s->mark_;
    *size = mqtt_ring_packet_size(&s->ring_, s->mark_);
    if (*size > distance(s, s->mark_, s->send_))
        return false;
    s->mark_ = mqtt_ring_add(&s->ring_, s->mark_, *size);
    return true;
}

uint32_t mqtt_outbox_half_sent(struct mqtt_session *s)
{
    uint32_t start, size = 0;

    if (s->send_ == s->ready_)
        s->mark_ = s->send_;
    while (mqtt_outbox_pass(s, &start, &size))
        ;
    return s->mark_ == s->send_ ? 0 : size - distance(s, s->mark_, s->send_);
}

/* Move the head up to what is still wanted. */
static void reclaim(struct mqtt_session *s)
{
    uint16_t first = s->publishes_.first_;

    mqtt_outbox_half_sent(s);
    if (first != MQTT_NO_SLOT &&
        mqtt_outbox_before(s, s->slots_[first].start_, s->mark_))
        s->head_ = s->slots_[first].start_;
    else
        s->head_ = s->mark_;
}

/* Slide what is still wanted before `pin` up to it, the last one first, and
 * set the head to where it then begins. */
static void compact(struct mqtt_session *s, uint32_t pin)
{
    uint32_t to = pin;

    for (uint16_t i = s->publishes_.last_; i != MQTT_NO_SLOT;
         i = s->slots_[i].previous_) {
        struct mqtt_slot *slot = &s->slots_[i];
        uint32_t size;

        if (!mqtt_outbox_before(s, slot->start_, pin))
            continue;
        size = mqtt_ring_packet_size(&s->ring_, slot->start_);
        to = mqtt_ring_back(&s->ring_, to, size);
        if (to != slot->start_)
            mqtt_ring_move(&s->ring_, slot->start_, to, size);
        slot->start_ = to;
    }
    s->head_ = to;
}

/* All positions to the beginning of the memory, when nothing lies in it: a
 * client with little to say touches the same few pages for ever. */
static void reset_when_empty(struct mqtt_session *s)
{
    if (s->send_ == s->tail_ && s->publishes_.first_ == MQTT_NO_SLOT)
        s->head_ = s->mark_ = s->send_ = s->ready_ = s->tail_ = 0;
}

bool mqtt_outbox_reserve(struct mqtt_session *s, uint32_t size)
{
    reset_when_empty(s);
    if (room(s) >= size)
        return true;
    reclaim(s);
    if (room(s) >= size)
        return true;
    if (s->compaction_futile_)
        return false;
    compact(s, s->mark_);
    /* Not again before something has become free. */
    s->compaction_futile_ = room(s) < size;
    return !s->compaction_futile_;
}

const void *mqtt_outbox_next(const struct mqtt_session *s, uint32_t limit,
                             size_t *size)
{
    uint32_t index = mqtt_ring_index(&s->ring_, s->send_);
    uint32_t n = distance(s, s->send_, s->ready_);

    if (n > s->ring_.size_ - index)
        n = s->ring_.size_ - index;
    *size = n < limit ? n : limit;
    return *size ? s->ring_.bytes_ + index : NULL;
}

void mqtt_outbox_sent(struct mqtt_session *s, uint32_t size)
{
    s->send_ = mqtt_ring_add(&s->ring_, s->send_, size);
    s->compaction_futile_ = false;
}

bool mqtt_outbox_take_quota(struct mqtt_session *s, unsigned qos)
{
    if (!qos)
        return true;
    if (!s->quota_ || (qos == 2 && !s->quota_qos2_))
        return false;
    s->quota_--;
    if (qos == 2)
        s->quota_qos2_--;
    return true;
}

void mqtt_outbox_return_quota(struct mqtt_session *s, unsigned qos, bool pubrel)
{
    if (pubrel && s->quota_owed_)
        s->quota_owed_--;
    else if (s->quota_ < s->send_maximum_)
        s->quota_++;
    if (qos == 2 && s->quota_qos2_ < s->send_maximum_qos2_)
        s->quota_qos2_++;
}

static uint16_t less(uint16_t maximum, uint16_t taken)
{
    return taken < maximum ? (uint16_t)(maximum - taken) : 0;
}

void mqtt_outbox_reset_quota(struct mqtt_session *s, uint16_t pubrels)
{
    s->quota_ = less(s->send_maximum_, pubrels);
    if (!s->quota_ && mqtt_protocol_is_5(s->protocol_))
        s->quota_ = 1; /* never none [5.0 MQTT-4.9.0-1] */
    s->quota_owed_ = less((uint16_t)(s->quota_ + pubrels), s->send_maximum_);
    s->quota_qos2_ = less(s->send_maximum_qos2_, pubrels);
}

void mqtt_outbox_release(struct mqtt_session *s)
{
    uint32_t end = s->unstored_ == MQTT_NO_SLOT
                       ? s->tail_
                       : s->slots_[s->unstored_].start_;

    while (s->ready_ != end) {
        unsigned qos = mqtt_publish_qos(*mqtt_ring_at(&s->ring_, s->ready_));

        if (!mqtt_outbox_take_quota(s, qos))
            return;
        s->ready_ = mqtt_ring_add(&s->ring_, s->ready_,
                                  mqtt_ring_packet_size(&s->ring_, s->ready_));
    }
}

void mqtt_outbox_rewind(struct mqtt_session *s, uint32_t pin)
{
    compact(s, pin);
    s->mark_ = s->send_ = s->ready_ = s->head_;
    s->compaction_futile_ = false;
}

/* An image that is void has no QoS. */
static bool is_qos0(uint8_t first_byte)
{
    return first_byte >> 4 && !mqtt_publish_qos(first_byte);
}

uint32_t mqtt_outbox_count_qos0(const struct mqtt_session *s, uint32_t from)
{
    uint32_t count = 0;

    while (from != s->tail_) {
        if (is_qos0(*mqtt_ring_at(&s->ring_, from)))
            count++;
        from = mqtt_ring_add(&s->ring_, from,
                             mqtt_ring_packet_size(&s->ring_, from));
    }
    return count;
}
