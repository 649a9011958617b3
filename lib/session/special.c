/*
 * An image that is not sent as it lies there gets into the outbox: its payload
 * comes from a source, or it expires. And what a server with limits takes.
 */
#include "session/image.h"
#include "session/seconds.h"
#include "session/slots.h"
#include "wire/length.h"

static void put_source(struct mqtt_session *s, const struct mqtt_draft *draft)
{
    struct mqtt_ring_cursor cursor = {&s->ring_,
                                      mqtt_ring_index(&s->ring_, s->tail_)};
    struct mqtt_image_source source;
    struct mqtt_header h = mqtt_image_header(MQTT_IMAGE_SOURCE, draft->message,
                                             sizeof source + draft->head);

    memset(&source, 0, sizeof source);
    source.source = draft->source;
    source.size = (uint32_t)draft->message->payload.size;
    mqtt_ring_put(&cursor, h.bytes, h.size);
    mqtt_ring_put(&cursor, &source, sizeof source);
    h.size = 0;
    s->protocol_->publish_head_put(&cursor, &h, draft->message,
                                   draft->identifier, draft->deadline_s);
    mqtt_slot_find(s, draft->identifier)->flags_ |= MQTT_SLOT_NO_RECORD;
}

/* The first of all to expire. */
static void note_expiry(struct mqtt_session *s, uint32_t deadline_s)
{
    if (!s->expiring_ || mqtt_seconds_until(s->now_, deadline_s) <
                             mqtt_seconds_until(s->now_, s->expiry_s_))
        s->expiry_s_ = deadline_s;
    s->expiring_ = true;
}

void mqtt_image_put_special(struct mqtt_session *s,
                            const struct mqtt_draft *draft)
{
    if (draft->expires)
        note_expiry(s, draft->deadline_s);
    s->special_++;
    if (draft->source)
        put_source(s, draft);
    else
        mqtt_image_put(s, draft);
}

enum mqtt_error mqtt_image_measure(const struct mqtt_session *s,
                                   const struct mqtt_draft *draft,
                                   uint32_t *size)
{
    enum mqtt_error error = MQTT_OK;
    uint32_t length = (uint32_t)sizeof(struct mqtt_image_source) + draft->head;

    if (s->connected_) /* 3.1.1 has no limits */
        error = mqtt_limits_check(
            &s->limits_, (uint8_t)mqtt_image_flags(draft->message), *size);
    if (draft->source)
        *size = 1 + mqtt_length_size(length) + length;
    return error;
}
