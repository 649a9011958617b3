/*
 * A new process reads what the last one has put into the store.
 */
#include "session/image.h"
#include "session/outbox.h"
#include "session/received.h"
#include "session/seconds.h"
#include "session/store.h"
#include "wire/length.h"
#include "wire/ring.h"
#include <mqttloop/properties.h>

static uint32_t read_u32(const uint8_t *in)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | in[i];
    return value;
}

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

    if (size < MQTT_RECORD_CLOCK ||
        !is_image(s, content + MQTT_RECORD_CLOCK, size - MQTT_RECORD_CLOCK,
                  record->packet_identifier))
        return MQTT_ERR_STORE;
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

    if (size < MQTT_RECORD_ASSIGNED)
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
    s->agreed_ = content[MQTT_RECORD_AGREED];
    s->identifier_size_ = (uint16_t)(size - MQTT_RECORD_ASSIGNED);
    if (s->identifier_size_)
        memcpy(s->identifier_, content + MQTT_RECORD_ASSIGNED,
               s->identifier_size_);
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
enum mqtt_error mqtt_store_restore(struct mqtt_session *s,
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
        s->store_->seam->put_session(s);
    return error;
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
