/*
 * A new process reads what the last one has put into the store.
 */
#include "session/image.h"
#include "session/outbox.h"
#include "session/received.h"
#include "session/seconds.h"
#include "session/store.h"
#include "wire/ring.h"

static uint32_t read_u32(const uint8_t *in)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | in[i];
    return value;
}

/* Its place in the ring, as it was put. */
static enum mqtt_error restore_image(struct mqtt_session *s,
                                     const uint8_t *image, uint32_t size)
{
    struct mqtt_ring_cursor cursor = {&s->ring_,
                                      mqtt_ring_index(&s->ring_, s->tail_)};

    if (!mqtt_outbox_reserve(s, size))
        return MQTT_ERR_MEMORY;
    mqtt_ring_put(&cursor, image, size);
    s->tail_ = mqtt_ring_add(&s->ring_, s->tail_, size);
    return MQTT_OK;
}

/* A message counts as sent, for all that is known, once there was a CONNACK;
 * of those that outlived an ended session an earlier one may have sent any. */
static void restore_slot(struct mqtt_session *s, struct mqtt_slot *slot,
                         uint32_t start)
{
    uint8_t *first_byte = mqtt_ring_at(&s->ring_, start);

    slot->start_ = start;
    slot->state_ = MQTT_SLOT_PUBLISH;
    slot->flags_ = MQTT_SLOT_TOLD;
    if (mqtt_publish_qos(*first_byte) == 2)
        slot->flags_ |= MQTT_SLOT_QOS2;
    if (s->given_up_)
        slot->flags_ |= MQTT_SLOT_ANEW;
    if (!s->agreed_ || s->given_up_)
        return;
    slot->flags_ |= MQTT_SLOT_SENT;
    *first_byte |= MQTT_FLAG_DUP;
}

/* Its expiry is what was left when it was put, until there is a clock. */
static enum mqtt_error restore_publish(struct mqtt_session *s,
                                       const struct mqtt_record *record)
{
    const uint8_t *content = record->content[0].data;
    uint32_t size = (uint32_t)record->content[0].size, start = s->tail_;
    struct mqtt_image image;
    struct mqtt_slot *slot;

    if (restore_image(s, content + MQTT_RECORD_CLOCK, size - MQTT_RECORD_CLOCK))
        return MQTT_ERR_MEMORY;
    slot = mqtt_slot_claim(s, record->packet_identifier, &s->publishes_);
    if (!slot)
        return MQTT_ERR_MEMORY;
    restore_slot(s, slot, start);
    s->restored_++;
    mqtt_image_read(s, start, &image);
    if (image.expires)
        mqtt_image_set_deadline(s, &image,
                                image.deadline_s - read_u32(content));
    return MQTT_OK;
}

static enum mqtt_error restore_pubrel(struct mqtt_session *s,
                                      const struct mqtt_record *record)
{
    struct mqtt_slot *slot =
        mqtt_slot_claim(s, record->packet_identifier, &s->pubrels_);

    if (!slot)
        return MQTT_ERR_MEMORY;
    slot->state_ = MQTT_SLOT_PUBREL;
    slot->flags_ = MQTT_SLOT_SENT | MQTT_SLOT_QOS2;
    if (record->content[0].size)
        slot->flags_ |= MQTT_SLOT_GIVEN_UP;
    s->pubrel_due_ = s->pubrels_.first_;
    return MQTT_OK;
}

static enum mqtt_error restore_session(struct mqtt_session *s,
                                       const struct mqtt_record *record,
                                       const struct mqtt_config *config)
{
    const uint8_t *content = record->content[0].data;
    size_t size = record->content[0].size;

    if (!mqtt_record_valid(s, record))
        return MQTT_ERR_STORE;
    if (size - MQTT_RECORD_ASSIGNED > s->identifier_room_)
        return MQTT_ERR_MEMORY;
    if (config->protocol->level == content[MQTT_RECORD_LEVEL])
        s->protocol_ = config->protocol;
    else if (config->fallback &&
             config->fallback->level == content[MQTT_RECORD_LEVEL])
        s->protocol_ = config->fallback;
    else
        return MQTT_ERR_PROTOCOL_VERSION;
    s->agreed_ = content[MQTT_RECORD_AGREED] != 0;
    s->given_up_ = content[MQTT_RECORD_AGREED] == MQTT_RECORD_ENDED;
    s->identifier_size_ = (uint16_t)(size - MQTT_RECORD_ASSIGNED);
    if (s->identifier_size_)
        memcpy(s->identifier_, content + MQTT_RECORD_ASSIGNED,
               s->identifier_size_);
    return MQTT_OK;
}

static enum mqtt_error restore_received(struct mqtt_session *s,
                                        const struct mqtt_record *record)
{
    if (mqtt_received_has(&s->received_, record->packet_identifier))
        return MQTT_ERR_STORE;
    if (mqtt_received_full(&s->received_))
        return MQTT_ERR_MEMORY;
    mqtt_received_add(&s->received_, record->packet_identifier);
    return MQTT_OK;
}

/* Of one packet identifier there is one PUBLISH or PUBREL. */
static enum mqtt_error restore_one(struct mqtt_session *s,
                                   const struct mqtt_record *record)
{
    if (record->kind == MQTT_RECORD_SESSION)
        return MQTT_OK;
    if (!mqtt_record_valid(s, record))
        return MQTT_ERR_STORE;
    if (record->kind == MQTT_RECORD_RECEIVED)
        return restore_received(s, record);
    if (mqtt_slot_find(s, record->packet_identifier))
        return MQTT_ERR_STORE;
    return record->kind == MQTT_RECORD_PUBLISH ? restore_publish(s, record)
                                               : restore_pubrel(s, record);
}

/* The record behind the one that was read last. Their order goes up, and there
 * is another number behind the last one. */
static enum mqtt_error next(struct mqtt_session *s, struct mqtt_record *record,
                            bool *found)
{
    uint64_t order = record->order;
    enum mqtt_error error =
        s->store_->next(s->store_, mqtt_store_key(s), order, record, found);

    if (error || !*found)
        return error;
    return record->order > order && record->order != UINT64_MAX
               ? MQTT_OK
               : MQTT_ERR_STORE;
}

/* Find the record of the session, of which there is one if there is any; and
 * whether there is any. */
static enum mqtt_error find_session(struct mqtt_session *s,
                                    const struct mqtt_config *config, bool *any)
{
    struct mqtt_record record = {.order = 0};
    unsigned sessions = 0;

    for (;;) {
        bool found;
        enum mqtt_error error = next(s, &record, &found);

        if (!error && found && record.kind == MQTT_RECORD_SESSION) {
            error = restore_session(s, &record, config);
            sessions++;
        }
        if (error)
            return error;
        if (!found)
            break;
        *any = true;
    }
    return sessions == *any ? MQTT_OK : MQTT_ERR_STORE;
}

static enum mqtt_error restore_others(struct mqtt_session *s)
{
    struct mqtt_record record = {.order = 0};

    for (;;) {
        bool found;
        enum mqtt_error error = next(s, &record, &found);

        if (error || !found)
            return error;
        s->order_ = record.order;
        error = restore_one(s, &record);
        if (error)
            return error;
    }
}

/* The record of the session first, which tells how to read the others. */
enum mqtt_error mqtt_store_restore(struct mqtt_session *s,
                                   const struct mqtt_config *config)
{
    bool any = false;
    enum mqtt_error error = find_session(s, config, &any);

    if (error)
        return error;
    if (any)
        return restore_others(s);
    s->store_->seam->records->put_session(s);
    return MQTT_OK;
}

/* The first time that is told: what was left when a message was put is left from
 * now on, for nobody knows how long the process was gone. */
void mqtt_store_start_clock(struct mqtt_session *s)
{
    struct mqtt_image image;

    for (uint16_t i = s->publishes_.first_; s->restored_;
         i = s->slots_[i].next_) {
        s->restored_--;
        mqtt_image_read(s, s->slots_[i].start_, &image);
        if (!image.expires)
            continue;
        mqtt_image_set_deadline(s, &image,
                                image.deadline_s + mqtt_seconds_up(s->now_));
        s->expiring_ = true; /* to be looked at now */
        s->expiry_s_ = mqtt_seconds_down(s->now_);
    }
}
