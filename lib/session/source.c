/*
 * The image of a message whose payload stays with the application. In a file of
 * its own, so that others do not have its frame.
 */
#include "session/image.h"
#include "session/slots.h"

void mqtt_image_put_source(struct mqtt_session *s,
                           const struct mqtt_draft *draft)
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
