/*
 * An image that is not sent as it lies there gets into the outbox: its payload
 * comes from a source, or it expires. And what a server with limits takes.
 */
#include "session/image.h"
#include "session/seconds.h"
#include "wire/length.h"

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
        mqtt_image_put_source(s, draft);
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
