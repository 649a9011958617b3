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

/* Before the image of a message: the second at which it was put, counted as a
 * whole one as in its expiry, which is to be read by it. */
#define CLOCK_SIZE 4

/* Before the client identifier in the record of the session. */
enum { LEVEL, AGREED, ASSIGNED };

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
    note(s, s->store_->put(s->store_, s->store_key_, record));
}

static void write_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t read_u32(const uint8_t *in)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | in[i];
    return value;
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
    uint8_t clock[CLOCK_SIZE];

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
    note(s,
         s->store_->remove(s->store_, s->store_key_, kind, slot->identifier_));
}

static void put_received(struct mqtt_session *s, uint16_t identifier)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_RECEIVED,
                                 .packet_identifier = identifier};

    put(s, &record);
}

/* PUBREL came; PUBCOMP waits for the commit. */
static bool remove_received(struct mqtt_session *s, uint16_t identifier)
{
    if (s->released_count_ == s->released_capacity_)
        return false;
    s->released_[s->released_count_++] = identifier;
    note(s, s->store_->remove(s->store_, s->store_key_, MQTT_RECORD_RECEIVED,
                              identifier));
    return true;
}

static void put_session(struct mqtt_session *s)
{
    struct mqtt_record record = {.kind = MQTT_RECORD_SESSION};
    uint8_t head[ASSIGNED];

    head[LEVEL] = s->protocol_->level;
    head[AGREED] = s->agreed_;
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
    error = s->store_->commit(s->store_, s->store_key_, client, &done);
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
    note(s, s->store_->remove_all(s->store_, s->store_key_));
    s->unstored_ = MQTT_NO_SLOT;
    put_session(s);
    put_list(s, &s->pubrels_);
    put_list(s, &s->publishes_);
    mqtt_unsettled_uncommit(&s->unsettled_);
    put_all_received(s);
}

/* -- at the beginning ------------------------------------------------------------------------ */

static uint16_t read_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

/* Whether these are properties, in 5.0, and then what follows them. */
static bool has_properties(const uint8_t *bytes, uint32_t size)
{
    uint32_t length;
    int n = mqtt_length_read(bytes, size, &length);

    return n > 0 && length <= size - (uint32_t)n &&
           (!length || bytes[n] != MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL ||
            length >= 5);
}

/* Whether it is the whole image of the message with this identifier. */
static bool is_image(const struct mqtt_session *s, const uint8_t *bytes,
                     uint32_t size, uint16_t identifier)
{
    uint32_t length, topic;
    int n;

    if (!size || bytes[0] >> 4 != MQTT_IMAGE_PUBLISH ||
        !mqtt_publish_qos(bytes[0]) || mqtt_publish_qos(bytes[0]) == 3)
        return false;
    n = mqtt_length_read(bytes + 1, size - 1, &length);
    if (n <= 0 || length < 4 || 1 + (uint32_t)n + length != size)
        return false;
    bytes += 1 + n;
    topic = read_u16(bytes);
    if (topic + 4 > length || read_u16(bytes + 2 + topic) != identifier)
        return false;
    return !mqtt_protocol_is_5(s->protocol_) ||
           has_properties(bytes + 4 + topic, length - 4 - topic);
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

/* A message counts as sent, for all that is known, once there was a CONNACK. */
static void restore_slot(struct mqtt_session *s, struct mqtt_slot *slot,
                         uint32_t start)
{
    uint8_t *first_byte = mqtt_ring_at(&s->ring_, start);

    slot->start_ = start;
    slot->state_ = MQTT_SLOT_PUBLISH;
    slot->flags_ = MQTT_SLOT_TOLD;
    if (mqtt_publish_qos(*first_byte) == 2)
        slot->flags_ |= MQTT_SLOT_QOS2;
    if (!s->agreed_)
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

    if (size < CLOCK_SIZE ||
        !is_image(s, content + CLOCK_SIZE, size - CLOCK_SIZE,
                  record->packet_identifier))
        return MQTT_ERR_STORE;
    if (restore_image(s, content + CLOCK_SIZE, size - CLOCK_SIZE))
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

    if (size < ASSIGNED)
        return MQTT_ERR_STORE;
    if (size - ASSIGNED > s->identifier_room_)
        return MQTT_ERR_MEMORY;
    if (config->protocol->level == content[LEVEL])
        s->protocol_ = config->protocol;
    else if (config->fallback && config->fallback->level == content[LEVEL])
        s->protocol_ = config->fallback;
    else
        return MQTT_ERR_PROTOCOL_VERSION;
    s->agreed_ = content[AGREED];
    s->identifier_size_ = (uint16_t)(size - ASSIGNED);
    if (s->identifier_size_)
        memcpy(s->identifier_, content + ASSIGNED, s->identifier_size_);
    return MQTT_OK;
}

static enum mqtt_error restore_received(struct mqtt_session *s,
                                        const struct mqtt_record *record)
{
    if (mqtt_received_full(&s->received_))
        return MQTT_ERR_MEMORY;
    mqtt_received_add(&s->received_, record->packet_identifier);
    return MQTT_OK;
}

static enum mqtt_error restore_one(struct mqtt_session *s,
                                   const struct mqtt_record *record)
{
    switch (record->kind) {
    case MQTT_RECORD_PUBLISH:
        return restore_publish(s, record);
    case MQTT_RECORD_PUBREL:
        return restore_pubrel(s, record);
    case MQTT_RECORD_RECEIVED:
        return restore_received(s, record);
    default:
        return MQTT_OK;
    }
}

/* The record of the session first, which tells how to read the others. */
static enum mqtt_error restore(struct mqtt_session *s,
                               const struct mqtt_config *config)
{
    struct mqtt_record record = {.order = 0};
    enum mqtt_error error = MQTT_OK;
    bool found = true, any = false;

    for (; found && !error; any = any || found) {
        error = s->store_->next(s->store_, s->store_key_, record.order, &record,
                                &found);
        if (!error && found && record.kind == MQTT_RECORD_SESSION)
            error = restore_session(s, &record, config);
    }
    record.order = 0;
    while (any && !error) {
        error = s->store_->next(s->store_, s->store_key_, record.order, &record,
                                &found);
        if (error || !found)
            break;
        s->order_ = record.order;
        error = restore_one(s, &record);
    }
    if (!any)
        put_session(s);
    return error;
}

/* The first time that is told: what was left when a message was put is left from
 * now on, for nobody knows how long the process was gone. */
static void start_clock(struct mqtt_session *s)
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

const struct mqtt_store_seam mqtt_store_seam = {
    .put_message = put_message,
    .remove_message = remove_message,
    .put_received = put_received,
    .remove_received = remove_received,
    .rewrite = rewrite,
    .commit = commit,
    .committed = committed,
    .restore = restore,
    .put_session = put_session,
    .start_clock = start_clock,
};
