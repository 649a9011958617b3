#include <mqttloop/properties.h>
#include "session/image.h"
#include "session/slots.h"
#include "wire/length.h"
#include "wire/ring.h"

/* Bytes of an image, one after the other. */
struct cursor {
    const struct mqtt_ring *ring;
    uint32_t position;
};

static uint8_t take_u8(struct cursor *c)
{
    uint8_t byte = *mqtt_ring_at(c->ring, c->position);

    c->position = mqtt_ring_add(c->ring, c->position, 1);
    return byte;
}

static uint16_t take_u16(struct cursor *c)
{
    unsigned high = take_u8(c);

    return (uint16_t)(high << 8 | take_u8(c));
}

static uint32_t take_length(struct cursor *c)
{
    uint32_t length = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = take_u8(c);
        length |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return length;
}

/* [5.0, section 3.3.2.3]; the Message Expiry Interval is the first. */
static void read_properties(struct cursor *c, struct mqtt_image *image)
{
    image->properties_size = take_length(c);
    image->rest = c->position;
    if (!image->properties_size ||
        take_u8(c) != MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL)
        return;
    image->expires = true;
    image->deadline_s = (uint32_t)take_u16(c) << 16;
    image->deadline_s |= take_u16(c);
    image->rest = c->position;
}

static void read_source(struct cursor *c, struct mqtt_image *image)
{
    mqtt_ring_get(c->ring, c->position, &image->source, sizeof image->source);
    c->position = mqtt_ring_add(c->ring, c->position, sizeof image->source);
}

void mqtt_image_read(const struct mqtt_session *s, uint32_t start,
                     struct mqtt_image *image)
{
    struct cursor c = {&s->ring_, start};

    memset(image, 0, sizeof *image);
    image->start = start;
    image->first_byte = take_u8(&c);
    image->kind = image->first_byte >> 4;
    image->size = take_length(&c);
    image->size += mqtt_ring_distance(&s->ring_, start, c.position);
    if (image->kind == MQTT_IMAGE_VOID)
        return;
    if (image->kind == MQTT_IMAGE_SOURCE)
        read_source(&c, image);
    image->topic_size = take_u16(&c);
    image->topic = c.position;
    c.position = mqtt_ring_add(&s->ring_, c.position, image->topic_size);
    if (mqtt_publish_qos(image->first_byte))
        image->identifier = take_u16(&c);
    image->properties = image->rest = c.position;
    if (mqtt_protocol_is_5(s->protocol_))
        read_properties(&c, image);
}

uint32_t mqtt_image_wire_size(const struct mqtt_session *s,
                              const struct mqtt_image *image)
{
    uint32_t end = mqtt_ring_add(&s->ring_, image->start, image->size);
    uint32_t length;

    if (image->kind == MQTT_IMAGE_PUBLISH)
        return image->size;
    length = 2 + mqtt_ring_distance(&s->ring_, image->topic, end) +
             image->source.size;
    return 1 + mqtt_length_size(length) + length;
}

void mqtt_image_set_deadline(struct mqtt_session *s,
                             const struct mqtt_image *image,
                             uint32_t deadline_s)
{
    uint32_t at = mqtt_ring_back(&s->ring_, image->rest, 4);

    for (unsigned i = 0; i < 4; i++) {
        *mqtt_ring_at(&s->ring_, at) = (uint8_t)(deadline_s >> (24 - 8 * i));
        at = mqtt_ring_add(&s->ring_, at, 1);
    }
}

/* Nobody can say of what an earlier session has sent that it never left. */
static unsigned end_of(const struct mqtt_slot *slot, unsigned state)
{
    return slot->flags_ & MQTT_SLOT_ANEW && state != MQTT_SLOT_BROKEN
               ? MQTT_SLOT_LOST
               : state;
}

void mqtt_image_void(struct mqtt_session *s, const struct mqtt_image *image,
                     unsigned slot_state)
{
    struct mqtt_slot *slot = NULL;

    if (image->identifier)
        slot = mqtt_slot_find(s, image->identifier);
    if (slot && slot->state_ == MQTT_SLOT_PUBLISH)
        mqtt_slot_end(s, &s->publishes_, slot, end_of(slot, slot_state));
    *mqtt_ring_at(&s->ring_, image->start) = MQTT_IMAGE_VOID << 4;
}
