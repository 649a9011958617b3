/*
 * Records of what must outlive the process: put and removed as things change,
 * committed together, written anew after a failure, read at the beginning.
 */
#include <mqttloop/properties.h>
#include "session/store.h"
#include "session/image.h"
#include "session/outbox.h"
#include "session/received.h"
#include "session/seconds.h"
#include "session/unsettled.h"
#include "wire/length.h"
#include "wire/ring.h"

/* -- changes ------------------------------------------------------------------------ */

/* The first error of all stays, until everything has been written anew. */
static void note(struct mqtt_session *s, enum mqtt_error error)
{
    s->store_changed_ = true;
    if (error && !s->store_error_)
        s->store_error_ = (int8_t)error;
}

static void put(struct mqtt_session *s, struct mqtt_record *record)
{
    record->order = ++s->order_;
    note(s, s->store_->put(s->store_, mqtt_store_key(s), record));
}

static void write_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The image as it lies in the ring, in two parts where that ends. */
static void set_image(const struct mqtt_session *s, uint32_t start,
                      struct mqtt_span parts[2])
{
    uint32_t size = mqtt_ring_packet_size(&s->ring_, start);
    uint32_t index = mqtt_ring_index(&s->ring_, start);
    uint32_t first = s->ring_.size_ - index;

    if (first > size)
        first = size;
    parts[0] = (struct mqtt_span){s->ring_.bytes_ + index, first};
    parts[1] = (struct mqtt_span){s->ring_.bytes_, size - first};
}

static void put_publish(struct mqtt_session *s, struct mqtt_slot *slot)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_PUBLISH,
                                 .packet_identifier = slot->identifier_};
    uint8_t clock[MQTT_RECORD_CLOCK];

    write_u32(clock, mqtt_seconds_up(s->now_));
    record.content[0] = (struct mqtt_span){clock, sizeof clock};
    set_image(s, slot->start_, record.content + 1);
    put(s, &record);
    if (s->unstored_ == MQTT_NO_SLOT)
        s->unstored_ = (uint16_t)(slot - s->slots_);
}

/* PUBREL of a message that was given up says so by a byte of content. */
static void put_message(struct mqtt_session *s, struct mqtt_slot *slot)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_PUBREL,
                                 .packet_identifier = slot->identifier_};

    if (slot->flags_ & MQTT_SLOT_NO_RECORD)
        return;
    if (slot->flags_ & MQTT_SLOT_GIVEN_UP)
        record.content[0] = (struct mqtt_span){"", 1};
    slot->flags_ &= (uint8_t)~MQTT_SLOT_COMMITTING;
    slot->flags_ |= MQTT_SLOT_UNSTORED;
    if (slot->state_ == MQTT_SLOT_PUBLISH)
        put_publish(s, slot);
    else
        put(s, &record);
}

static void remove_message(struct mqtt_session *s, struct mqtt_slot *slot)
{
    enum mqtt_record_kind kind = slot->state_ == MQTT_SLOT_PUBLISH
                                     ? MQTT_RECORD_PUBLISH
                                     : MQTT_RECORD_PUBREL;

    if (slot->flags_ & MQTT_SLOT_NO_RECORD)
        return;
    note(s, s->store_->remove(s->store_, mqtt_store_key(s), kind,
                              slot->identifier_));
}

static void put_received(struct mqtt_session *s, uint16_t identifier)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_RECEIVED,
                                 .packet_identifier = identifier};

    put(s, &record);
}

/* Nothing waits for that. */
static void forget_received(struct mqtt_session *s, uint16_t identifier)
{
    note(s, s->store_->remove(s->store_, mqtt_store_key(s),
                              MQTT_RECORD_RECEIVED, identifier));
}

/* PUBREL came; PUBCOMP waits for the commit. */
static bool remove_received(struct mqtt_session *s, uint16_t identifier)
{
    if (s->released_count_ == s->released_capacity_)
        return false;
    s->released_[s->released_count_++] = identifier;
    forget_received(s, identifier);
    return true;
}

static void put_session(struct mqtt_session *s)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_SESSION};
    uint8_t head[MQTT_RECORD_ASSIGNED];

    head[MQTT_RECORD_LEVEL] = s->protocol_->level;
    head[MQTT_RECORD_AGREED] = s->given_up_ ? MQTT_RECORD_ENDED : s->agreed_;
    record.content[0] = (struct mqtt_span){head, sizeof head};
    record.content[1] = (struct mqtt_span){s->identifier_, s->identifier_size_};
    put(s, &record);
}

/* -- commit ----------------------------------------------------------------------------- */

/* All of a list from a slot on, if it is in one condition, gets into another. */
static uint16_t change(struct mqtt_session *s, uint16_t i, unsigned from,
                       unsigned to)
{
    for (; i != MQTT_NO_SLOT; i = s->slots_[i].next_) {
        struct mqtt_slot *slot = &s->slots_[i];

        if (slot->flags_ & MQTT_SLOT_NO_RECORD)
            continue;
        if (!(slot->flags_ & from))
            break;
        slot->flags_ = (uint8_t)((slot->flags_ & ~from) | to);
    }
    return i;
}

/* PUBRELs that wait are among those that have not been sent. */
static void change_pubrels(struct mqtt_session *s, unsigned from, unsigned to)
{
    for (uint16_t i = s->pubrel_due_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_) {
        struct mqtt_slot *slot = &s->slots_[i];

        if (slot->flags_ & from)
            slot->flags_ = (uint8_t)((slot->flags_ & ~from) | to);
    }
}

static void committed(struct mqtt_session *s, enum mqtt_error error)
{
    if (!s->committing_)
        return;
    s->committing_ = false;
    if (error) {
        note(s, error);
        return;
    }
    s->stored_due_ = s->stored_due_ || s->unstored_ != MQTT_NO_SLOT;
    s->unstored_ =
        change(s, s->unstored_, MQTT_SLOT_COMMITTING, MQTT_SLOT_STORED);
    change_pubrels(s, MQTT_SLOT_COMMITTING, 0);
    mqtt_unsettled_committed(&s->unsettled_);
    s->released_done_ = s->released_committing_;
    if (s->connected_)
        mqtt_outbox_release(s);
}

static void commit(struct mqtt_session *s, struct mqtt_client *client)
{
    enum mqtt_error error;
    bool done = false;

    if (!s->store_changed_ || s->committing_ || s->store_error_)
        return;
    s->store_changed_ = false;
    s->committing_ = true;
    change(s, s->unstored_, MQTT_SLOT_UNSTORED, MQTT_SLOT_COMMITTING);
    change_pubrels(s, MQTT_SLOT_UNSTORED, MQTT_SLOT_COMMITTING);
    mqtt_unsettled_commit(&s->unsettled_);
    s->released_committing_ = s->released_count_;
    error = s->store_->commit(s->store_, mqtt_store_key(s), client, &done);
    if (error || done)
        committed(s, error);
}

/* -- all anew ------------------------------------------------------------------------------ */

static void put_list(struct mqtt_session *s, const struct mqtt_slot_list *list)
{
    for (uint16_t i = list->first_; i != MQTT_NO_SLOT; i = s->slots_[i].next_)
        put_message(s, &s->slots_[i]);
}

/* Those that the application has settled. */
static void put_all_received(struct mqtt_session *s)
{
    if (!s->received_.count_)
        return;
    for (uint32_t i = 1; i <= UINT16_MAX; i++) {
        uint16_t identifier = (uint16_t)i;

        if (mqtt_received_has(&s->received_, identifier) &&
            !mqtt_unsettled_open(&s->unsettled_, identifier))
            put_received(s, identifier);
    }
}

static void rewrite(struct mqtt_session *s)
{
    s->store_error_ = MQTT_OK;
    note(s, s->store_->remove_all(s->store_, mqtt_store_key(s)));
    s->unstored_ = MQTT_NO_SLOT;
    put_session(s);
    put_list(s, &s->pubrels_);
    put_list(s, &s->publishes_);
    mqtt_unsettled_uncommit(&s->unsettled_);
    put_all_received(s);
}

const struct mqtt_store_records mqtt_store_records = {
    .put_message = put_message,
    .remove_message = remove_message,
    .put_received = put_received,
    .remove_received = remove_received,
    .forget_received = forget_received,
    .rewrite = rewrite,
    .commit = commit,
    .committed = committed,
    .restore = mqtt_store_restore,
    .put_session = put_session,
    .start_clock = mqtt_store_start_clock,
};
