/*
 * One packet in the outbox, its image. Most are PUBLISH packets as they go over
 * the wire. The upper half of the first byte says what else it is:
 *
 *   void     Nothing is sent: the message has ended.
 *   source   Fixed header, where the payload comes from, what stands before
 *            the payload. The length is that of the image.
 *
 * A Message Expiry Interval comes first among the properties, and its value in
 * the image is the second at which the message expires.
 */
#ifndef MQTT_SESSION_IMAGE_H
#define MQTT_SESSION_IMAGE_H

#include "session/session.h"

enum { MQTT_IMAGE_VOID = 0, MQTT_IMAGE_SOURCE = 1, MQTT_IMAGE_PUBLISH = 3 };

/* What an image of a source has in place of its payload. Of one size on every
 * machine, so that an outbox holds the same messages everywhere. */
struct mqtt_image_source {
    struct mqtt_source *source;
    uint32_t size;
    uint8_t unused[12 - sizeof(struct mqtt_source *)];
};
_Static_assert(sizeof(struct mqtt_image_source) == 16, "of one size");

struct mqtt_image {
    uint32_t start, size;
    uint8_t first_byte, kind;
    uint16_t topic_size, identifier;
    uint32_t topic;      /* position of the topic name */
    uint32_t properties; /* of Property Length; in 3.1.1 of the payload */
    uint32_t properties_size;
    uint32_t rest; /* of what follows the Message Expiry Interval */
    bool expires;
    uint32_t deadline_s;
    struct mqtt_image_source source;
};

/* QoS and RETAIN of its first byte; its fixed header, with the length of what
 * follows. */
unsigned mqtt_image_flags(const struct mqtt_message *message);
struct mqtt_header mqtt_image_header(unsigned kind,
                                     const struct mqtt_message *message,
                                     uint32_t length);
/* Write one at the tail: as it goes over the wire; or with a source, or an
 * expiry, which is counted. */
void mqtt_image_put(struct mqtt_session *s, const struct mqtt_draft *draft);
void mqtt_image_put_special(struct mqtt_session *s,
                            const struct mqtt_draft *draft);
void mqtt_image_put_source(struct mqtt_session *s,
                           const struct mqtt_draft *draft);
/* Its size is that of the packet; with a source it is another. What the server
 * that is connected does not take: an error of mqtt_limits_check(). */
enum mqtt_error mqtt_image_measure(const struct mqtt_session *s,
                                   const struct mqtt_draft *draft,
                                   uint32_t *size);

/* Which image begins at `start`. */
static inline unsigned mqtt_image_kind(const struct mqtt_session *s,
                                       uint32_t start)
{
    return *mqtt_ring_at(&s->ring_, start) >> 4;
}

/* Read all of it but the topic name, the other properties and the payload. */
void mqtt_image_read(const struct mqtt_session *s, uint32_t start,
                     struct mqtt_image *image);

/* The bytes of the packet that it stands for. */
uint32_t mqtt_image_wire_size(const struct mqtt_session *s,
                              const struct mqtt_image *image);

/* Another moment at which it expires. */
void mqtt_image_set_deadline(struct mqtt_session *s,
                             const struct mqtt_image *image,
                             uint32_t deadline_s);

/* It ends without being sent; its slot, if it has one, tells why. */
void mqtt_image_void(struct mqtt_session *s, const struct mqtt_image *image,
                     unsigned slot_state);

/* Whether it is not sent as it lies there. */
static inline bool mqtt_image_special(const struct mqtt_image *image)
{
    return image->kind != MQTT_IMAGE_PUBLISH || image->expires;
}

#endif
