#include "session/session.h"
#include "session/outbox.h"
#include "session/received.h"
#include "session/seconds.h"
#include "session/image.h"
#include "session/slots.h"
#include "session/store.h"
#include "session/unsettled.h"
#include "wire/length.h"
#include "wire/protocol.h"
#include "wire/ring.h"

#define OUTBOX_MAX (1u << 30)
#define SLOTS_MAX 32768u

static bool memory_valid(const struct mqtt_memory *memory)
{
    size_t slots = memory->slot_count;

    if (memory->outbox_size > OUTBOX_MAX ||
        (memory->outbox_size && !memory->outbox))
        return false;
    if (slots > SLOTS_MAX || (slots & (slots - 1)) || (slots && !memory->slots))
        return false;
    if ((memory->identifier_size && !memory->identifier) ||
        memory->released_count > 65535 ||
        (memory->released_count && !memory->released))
        return false;
    if (memory->unsettled_count > 65535 ||
        (memory->unsettled_count && !memory->unsettled))
        return false;
    return memory->received_count <= 65535 &&
           (!memory->received_count || memory->received_list ||
            memory->received_bits);
}

static void init_lists(struct mqtt_session *s)
{
    static const struct mqtt_slot_list none = {MQTT_NO_SLOT, MQTT_NO_SLOT};

    s->publishes_ = s->pubrels_ = s->ended_ = none;
    s->pubrel_due_ = s->unstored_ = MQTT_NO_SLOT;
    s->next_identifier_ = 1;
}

enum mqtt_error mqtt_session_init(struct mqtt_session *s,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory)
{
    if (!memory_valid(memory))
        return MQTT_ERR_MEMORY;
    if (config->store && (!memory->released_count || !memory->unsettled_count))
        return MQTT_ERR_MEMORY;
    memset(s, 0, sizeof *s);
    s->protocol_ = config->protocol;
    s->composer_ = config->protocol->composer;
    mqtt_limits_none(&s->limits_);
    mqtt_unsettled_init(&s->unsettled_, memory->unsettled,
                        (uint16_t)memory->unsettled_count);
    s->ring_.bytes_ = memory->outbox;
    s->ring_.size_ = (uint32_t)memory->outbox_size;
    s->slots_ = memory->slots;
    s->slot_limit_ = (uint16_t)memory->slot_count;
    s->slot_mask_ = (uint16_t)(memory->slot_count - 1);
    s->received_.bits_ = memory->received_bits;
    s->received_.list_ = memory->received_list;
    s->received_.capacity_ = (uint16_t)memory->received_count;
    s->configured_ = config->send_maximum;
    s->configured_qos2_ = config->send_maximum_qos2;
    s->statistics_ = config->statistics;
    s->identifier_ = memory->identifier;
    s->identifier_room_ = memory->identifier_size;
    s->store_ = config->store;
    s->store_key_ = config->connect.client_identifier;
    s->released_ = memory->released;
    s->released_capacity_ = (uint16_t)memory->released_count;
    init_lists(s);
    return s->store_ ? s->store_->seam->restore(s, config) : MQTT_OK;
}

/* -- publishing ------------------------------------------------------------- */

static enum mqtt_error refuse_for_now(struct mqtt_session *s, uint32_t size,
                                      enum mqtt_qos qos)
{
    /* The least of what was refused, so that nobody waits for another. */
    s->slot_wanted_ = qos && (!s->room_wanted_ || s->slot_wanted_);
    if (!s->room_wanted_ || size < s->room_wanted_)
        s->room_wanted_ = size;
    MQTT_COUNT(s->statistics_, publishes_refused);
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

static unsigned publish_flags(const struct mqtt_message *message)
{
    return (unsigned)message->qos << 1 |
           (message->retain ? MQTT_FLAG_RETAIN : 0u);
}

static struct mqtt_header
header(unsigned kind, const struct mqtt_message *message, uint32_t length)
{
    struct mqtt_header h = {{0}, 0};

    h.bytes[0] = (uint8_t)(kind << 4 | publish_flags(message));
    h.size = (uint8_t)(1 + mqtt_length_write(h.bytes + 1, length));
    return h;
}

static void put_packet(struct mqtt_session *s, struct mqtt_ring_cursor *cursor,
                       const struct mqtt_draft *draft, uint16_t identifier,
                       uint32_t head)
{
    const struct mqtt_message *message = draft->message;
    uint32_t size = (uint32_t)message->payload.size;
    struct mqtt_header h = header(MQTT_IMAGE_PUBLISH, message, head + size);

    s->protocol_->publish_head_put(cursor, &h, message, identifier,
                                   draft->deadline_s);
    if (size)
        mqtt_ring_put(cursor, message->payload.data, size);
}

static void put_source(struct mqtt_session *s, struct mqtt_ring_cursor *cursor,
                       const struct mqtt_draft *draft, uint16_t identifier,
                       uint32_t head)
{
    struct mqtt_image_source source;
    struct mqtt_header h = header(MQTT_IMAGE_SOURCE, draft->message,
                                  (uint32_t)sizeof source + head);

    memset(&source, 0, sizeof source);
    source.source = draft->source;
    source.size = (uint32_t)draft->message->payload.size;
    mqtt_ring_put(cursor, h.bytes, h.size);
    mqtt_ring_put(cursor, &source, sizeof source);
    h.size = 0;
    s->protocol_->publish_head_put(cursor, &h, draft->message, identifier,
                                   draft->deadline_s);
}

/* The first of all to expire. */
static void note_expiry(struct mqtt_session *s, uint32_t deadline_s)
{
    if (!s->expiring_ || mqtt_seconds_until(s->now_, deadline_s) <
                             mqtt_seconds_until(s->now_, s->expiry_s_))
        s->expiry_s_ = deadline_s;
    s->expiring_ = true;
}

static void put(struct mqtt_session *s, const struct mqtt_draft *draft,
                uint16_t identifier, uint32_t head, uint32_t size)
{
    uint32_t start = s->tail_;
    struct mqtt_ring_cursor cursor = {&s->ring_,
                                      mqtt_ring_index(&s->ring_, start)};

    if (draft->source)
        put_source(s, &cursor, draft, identifier, head);
    else
        put_packet(s, &cursor, draft, identifier, head);
    if (draft->expires)
        note_expiry(s, draft->deadline_s);
    if (draft->source || draft->expires)
        s->special_++;
    s->tail_ = mqtt_ring_add(&s->ring_, start, size);
    if (identifier)
        mqtt_store_message(s, &s->slots_[s->publishes_.last_]);
    release_new(s, start, draft->message->qos);
    MQTT_COUNT(s->statistics_, messages_published);
}

static uint16_t new_slot(struct mqtt_session *s, const struct mqtt_draft *draft)
{
    struct mqtt_slot *slot = mqtt_slot_take(s);

    slot->start_ = s->tail_;
    slot->state_ = MQTT_SLOT_PUBLISH;
    slot->flags_ = draft->message->qos == MQTT_QOS_2 ? MQTT_SLOT_QOS2 : 0;
    if (draft->source)
        slot->flags_ |= MQTT_SLOT_NO_RECORD;
    return slot->identifier_;
}

static uint32_t packet_size(uint32_t length)
{
    return 1 + mqtt_length_size(length) + length;
}

/* Bytes of the image, or why it cannot be published. */
static enum mqtt_error measure(const struct mqtt_session *s,
                               const struct mqtt_draft *draft, uint32_t head,
                               uint32_t *size)
{
    uint32_t length = head + (uint32_t)draft->message->payload.size;

    if (length > MQTT_LENGTH_MAX)
        return MQTT_ERR_TOO_LARGE;
    *size = packet_size(length);
    if (s->connected_ && mqtt_protocol_is_5(s->protocol_)) {
        enum mqtt_error error = mqtt_limits_check(
            &s->limits_, (uint8_t)publish_flags(draft->message), *size);

        if (error)
            return error;
    }
    if (draft->source)
        *size = packet_size((uint32_t)sizeof(struct mqtt_image_source) + head);
    return *size > s->ring_.size_ ? MQTT_ERR_TOO_LARGE : MQTT_OK;
}

enum mqtt_error mqtt_session_publish(struct mqtt_session *s,
                                     const struct mqtt_draft *draft,
                                     uint16_t *identifier)
{
    enum mqtt_qos qos = draft->message->qos;
    enum mqtt_error error = check(s, draft);
    uint32_t head, size;

    if (error)
        return error;
    head = s->protocol_->publish_head_size(draft->message);
    error = measure(s, draft, head, &size);
    if (error)
        return error;
    if ((qos && s->slots_used_ == s->slot_limit_) ||
        !mqtt_outbox_reserve(s, size))
        return refuse_for_now(s, size, qos);
    *identifier = qos ? new_slot(s, draft) : 0;
    put(s, draft, *identifier, head, size);
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

/* -- acknowledgements -------------------------------------------------------- */

/* Whether a byte of it has left on this connection, or is just leaving. */
static bool sent_here(const struct mqtt_session *s,
                      const struct mqtt_slot *slot)
{
    uint32_t end = s->batch_ ? s->staged_ : s->send_;

    return mqtt_ring_distance(&s->ring_, s->head_, slot->start_) <
           mqtt_ring_distance(&s->ring_, s->head_, end);
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
        MQTT_COUNT(s->statistics_, messages_lost);
    else if (code & 0x80 && list == &s->publishes_)
        MQTT_COUNT(s->statistics_, messages_refused);
    else
        MQTT_COUNT(s->statistics_, messages_acknowledged);
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

bool mqtt_session_next_ended(struct mqtt_session *s, struct mqtt_event *event)
{
    struct mqtt_slot *slot;

    if (s->ended_.first_ == MQTT_NO_SLOT)
        return false;
    slot = &s->slots_[s->ended_.first_];
    memset(event, 0, sizeof *event);
    event->type = MQTT_EVENT_PUBLISHED;
    event->packet_identifier = slot->identifier_;
    event->outcome = (enum mqtt_outcome)ends[slot->state_].outcome;
    event->error = (enum mqtt_error)ends[slot->state_].error;
    if (slot->state_ == MQTT_SLOT_EXPIRED)
        MQTT_COUNT(s->statistics_, messages_expired);
    else
        MQTT_COUNT(s->statistics_, messages_lost);
    mqtt_slot_free(s, &s->ended_, slot);
    return true;
}
