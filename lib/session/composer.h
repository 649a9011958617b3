/*
 * What it takes to send images that do not lie in the outbox as they go over
 * the wire, in one table, so that who has none links nothing of it. The one
 * there is stands in engine/compose.c.
 */
#ifndef MQTT_SESSION_COMPOSER_H
#define MQTT_SESSION_COMPOSER_H

#include <mqttloop/session.h>

struct mqtt_draft;
struct mqtt_engine;

struct mqtt_composer {
    /* The next bytes, at a packet boundary with control memory empty. */
    const void *(*offer)(struct mqtt_engine *e, size_t *size);
    /* The next bytes of the source whose message is half sent; and that they
     * have left. */
    const void *(*offer_source)(struct mqtt_engine *e, size_t *size);
    void (*source_sent)(struct mqtt_engine *e, uint32_t size);
    /* All that lay in control memory has left. */
    void (*drained)(struct mqtt_engine *e);
    /* The connection is gone: what of it has left? */
    void (*cut)(struct mqtt_engine *e);
    /* See mqtt_image_put_special() and mqtt_image_measure(). */
    void (*put)(struct mqtt_session *s, const struct mqtt_draft *draft);
    enum mqtt_error (*measure)(const struct mqtt_session *s,
                               const struct mqtt_draft *draft, uint32_t *size);
    /* See session/admit.h. */
    void (*admit)(struct mqtt_session *s);
    void (*expire)(struct mqtt_session *s);
    mqtt_time (*expires_at)(const struct mqtt_session *s);
    void (*change_protocol)(struct mqtt_session *s,
                            const struct mqtt_protocol *protocol,
                            bool drop_unsupported);
};

#endif
