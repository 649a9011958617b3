#include "session/session.h"
#include "session/outbox.h"
#include "session/received.h"
#include "session/slots.h"
#include "wire/length.h"
#include "wire/protocol.h"
#include "wire/ring.h"

#define OUTBOX_MAX (1u << 30)
#define SLOTS_MAX 32768u
#define SEND_MAXIMUM_QOS2 20

static bool memory_valid(const struct mqtt_memory *memory)
{
    size_t slots = memory->slot_count;

    if (memory->outbox_size > OUTBOX_MAX ||
        (memory->outbox_size && !memory->outbox))
        return false;
    if (slots > SLOTS_MAX || (slots & (slots - 1)) || (slots && !memory->slots))
        return false;
    return memory->received_count <= 65535 &&
           (!memory->received_count || memory->received_list ||
            memory->received_bits);
}

static void init_lists(struct mqtt_session *s)
{
    static const struct mqtt_slot_list none = {MQTT_NO_SLOT, MQTT_NO_SLOT};

    s->publishes_ = s->pubrels_ = s->ended_ = none;
    s->pubrel_due_ = MQTT_NO_SLOT;
    s->next_identifier_ = 1;
}

enum mqtt_error mqtt_session_init(struct mqtt_session *s,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory)
{
    if (!memory_valid(memory))
        return MQTT_ERR_MEMORY;
    memset(s, 0, sizeof *s);
    s->protocol_ = config->protocol;
    s->ring_.bytes_ = memory->outbox;
    s->ring_.size_ = (uint32_t)memory->outbox_size;
    s->slots_ = memory->slots;
    s->slot_limit_ = (uint16_t)memory->slot_count;
    s->slot_mask_ = (uint16_t)(memory->slot_count - 1);
    s->received_.bits_ = memory->received_bits;
    s->received_.list_ = memory->received_list;
    s->received_.capacity_ = (uint16_t)memory->received_count;
    s->send_maximum_ = config->send_maximum ? config->send_maximum : 65535;
    s->send_maximum_qos2_ = config->send_maximum_qos2
                                ? config->send_maximum_qos2
                                : SEND_MAXIMUM_QOS2;
    s->statistics_ = config->statistics;
    init_lists(s);
    return MQTT_OK;
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
                             const struct mqtt_message *message)
{
    if (!mqtt_topic_name_valid(message->topic_name))
        return MQTT_ERR_TOPIC_NAME;
    if (message->qos > MQTT_QOS_2 || (message->qos && !s->slot_limit_))
        return MQTT_ERR_QOS;
    if (message->payload.size && !message->payload.data)
        return MQTT_ERR_ARGUMENT;
    return MQTT_OK;
}

/* What has just been put at the tail may leave at once, if nothing waits
 * before it and the quota allows. */
static void release_new(struct mqtt_session *s, uint32_t old_tail,
                        enum mqtt_qos qos)
{
    if (s->connected_ && s->ready_ == old_tail &&
        mqtt_outbox_take_quota(s, (unsigned)qos))
        s->ready_ = s->tail_;
}

static void put(struct mqtt_session *s, const struct mqtt_message *message,
                uint16_t identifier, uint32_t length, uint32_t size)
{
    uint32_t start = s->tail_;
    struct mqtt_ring_cursor cursor = {&s->ring_,
                                      mqtt_ring_index(&s->ring_, start)};

    s->protocol_->publish_put(&cursor, message, identifier, length);
    s->tail_ = mqtt_ring_add(&s->ring_, start, size);
    release_new(s, start, message->qos);
    MQTT_COUNT(s->statistics_, messages_published);
}

static uint16_t new_slot(struct mqtt_session *s, enum mqtt_qos qos)
{
    struct mqtt_slot *slot = mqtt_slot_take(s);

    slot->start_ = s->tail_;
    slot->state_ = MQTT_SLOT_PUBLISH;
    slot->flags_ = qos == MQTT_QOS_2 ? MQTT_SLOT_QOS2 : 0;
    return slot->identifier_;
}

enum mqtt_error mqtt_session_publish(struct mqtt_session *s,
                                     const struct mqtt_message *message,
                                     uint16_t *identifier)
{
    enum mqtt_error error = check(s, message);
    uint32_t length, size;

    if (error)
        return error;
    length = s->protocol_->publish_length(message);
    if (length > MQTT_LENGTH_MAX)
        return MQTT_ERR_TOO_LARGE;
    size = 1 + mqtt_length_size(length) + length;
    if (size > s->ring_.size_)
        return MQTT_ERR_TOO_LARGE;
    if ((message->qos && s->slots_used_ == s->slot_limit_) ||
        !mqtt_outbox_reserve(s, size))
        return refuse_for_now(s, size, message->qos);
    *identifier = message->qos ? new_slot(s, message->qos) : 0;
    put(s, message, *identifier, length, size);
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

/* Whether a byte of it has left on this connection. */
static bool sent_here(const struct mqtt_session *s,
                      const struct mqtt_slot *slot)
{
    return mqtt_ring_distance(&s->ring_, s->head_, slot->start_) <
           mqtt_ring_distance(&s->ring_, s->head_, s->send_);
}

/* The exchange is over: its slot is free, and one more may be sent. */
static enum mqtt_acknowledged end_exchange(struct mqtt_session *s,
                                           struct mqtt_slot_list *list,
                                           struct mqtt_slot *slot)
{
    mqtt_outbox_return_quota(s, slot->flags_ & MQTT_SLOT_QOS2 ? 2 : 1);
    mqtt_slot_free(s, list, slot);
    s->compaction_futile_ = false;
    mqtt_outbox_release(s);
    MQTT_COUNT(s->statistics_, messages_acknowledged);
    return MQTT_ACK_END;
}

/* PUBREL is to be sent, after those before it [3.1.1 MQTT-4.6.0-4]; the image
 * is not needed any more. */
static enum mqtt_acknowledged pubrel_due(struct mqtt_session *s,
                                         struct mqtt_slot_list *from,
                                         struct mqtt_slot *slot)
{
    mqtt_slot_move(s, from, &s->pubrels_, slot);
    slot->state_ = MQTT_SLOT_PUBREL;
    if (s->pubrel_due_ == MQTT_NO_SLOT)
        s->pubrel_due_ = (uint16_t)(slot - s->slots_);
    s->compaction_futile_ = false;
    return MQTT_ACK_STEP;
}

static enum mqtt_acknowledged acknowledge_publish(struct mqtt_session *s,
                                                  enum mqtt_packet_type type,
                                                  struct mqtt_slot *slot)
{
    bool qos2 = slot->flags_ & MQTT_SLOT_QOS2;

    if (!sent_here(s, slot))
        return MQTT_ACK_UNKNOWN;
    if (type != (qos2 ? MQTT_PUBREC : MQTT_PUBACK))
        return MQTT_ACK_WRONG;
    if (qos2)
        return pubrel_due(s, &s->publishes_, slot);
    return end_exchange(s, &s->publishes_, slot);
}

static enum mqtt_acknowledged acknowledge_pubrel(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 struct mqtt_slot *slot)
{
    if (type == MQTT_PUBACK)
        return MQTT_ACK_WRONG;
    if (slot->state_ == MQTT_SLOT_PUBREL) /* not yet sent on this connection */
        return type == MQTT_PUBREC ? MQTT_ACK_STEP : MQTT_ACK_UNKNOWN;
    if (type == MQTT_PUBREC)
        return pubrel_due(s, &s->pubrels_, slot);
    return end_exchange(s, &s->pubrels_, slot);
}

enum mqtt_acknowledged mqtt_session_acknowledged(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 uint16_t identifier)
{
    struct mqtt_slot *slot = mqtt_slot_find(s, identifier);

    if (slot && slot->state_ == MQTT_SLOT_PUBLISH)
        return acknowledge_publish(s, type, slot);
    if (slot && slot->state_ <= MQTT_SLOT_PUBCOMP)
        return acknowledge_pubrel(s, type, slot);
    return MQTT_ACK_UNKNOWN;
}

uint16_t mqtt_session_next_pubrel(const struct mqtt_session *s)
{
    if (s->pubrel_due_ == MQTT_NO_SLOT)
        return 0;
    return s->slots_[s->pubrel_due_].identifier_;
}

void mqtt_session_pubrel_sent(struct mqtt_session *s)
{
    struct mqtt_slot *slot = &s->slots_[s->pubrel_due_];

    slot->state_ = MQTT_SLOT_PUBCOMP;
    s->pubrel_due_ = slot->next_;
}

bool mqtt_session_next_ended(struct mqtt_session *s, uint16_t *identifier,
                             enum mqtt_outcome *outcome)
{
    struct mqtt_slot *slot;

    if (s->ended_.first_ == MQTT_NO_SLOT)
        return false;
    slot = &s->slots_[s->ended_.first_];
    *identifier = slot->identifier_;
    *outcome = slot->state_ == MQTT_SLOT_LOST ? MQTT_OUTCOME_LOST
                                              : MQTT_OUTCOME_UNKNOWN;
    mqtt_slot_free(s, &s->ended_, slot);
    MQTT_COUNT(s->statistics_, messages_lost);
    return true;
}
