/*
 * An image that is not sent as it lies there gets into the outbox: its payload
 * comes from a source, or it expires.
 */
#include "session/image.h"
#include "session/seconds.h"

static void put_source(struct mqtt_session *s, struct mqtt_ring_cursor *cursor,
                       const struct mqtt_draft *draft, uint16_t identifier,
                       uint32_t head)
{
    struct mqtt_image_source source;
    struct mqtt_header h = mqtt_image_header(MQTT_IMAGE_SOURCE, draft->message,
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

void mqtt_image_put_special(struct mqtt_session *s,
                            struct mqtt_ring_cursor *cursor,
                            const struct mqtt_draft *draft, uint16_t identifier,
                            uint32_t head)
{
    if (draft->expires)
        note_expiry(s, draft->deadline_s);
    s->special_++;
    if (draft->source)
        put_source(s, cursor, draft, identifier, head);
    else
        mqtt_image_put(s, cursor, draft, identifier, head);
}
