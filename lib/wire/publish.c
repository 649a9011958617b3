#include "wire/length.h"
#include "wire/packet.h"

uint32_t mqtt_publish_head_size(const struct mqtt_message *message)
{
    return 2 + (uint32_t)message->topic_name.size + (message->qos ? 2u : 0u);
}

void mqtt_publish_head_put(struct mqtt_ring_cursor *cursor,
                           const struct mqtt_header *header,
                           const struct mqtt_message *message,
                           uint16_t identifier, uint32_t deadline_s)
{
    uint8_t head[sizeof header->bytes + 2];
    unsigned n = header->size;

    (void)deadline_s;
    memcpy(head, header->bytes, sizeof header->bytes); /* of one size */
    head[n++] = (uint8_t)(message->topic_name.size >> 8);
    head[n++] = (uint8_t)message->topic_name.size;
    mqtt_ring_put(cursor, head, n);
    mqtt_ring_put(cursor, message->topic_name.data, message->topic_name.size);
    if (!message->qos)
        return;
    head[0] = (uint8_t)(identifier >> 8);
    head[1] = (uint8_t)identifier;
    mqtt_ring_put(cursor, head, 2);
}

/* By hand, not by the cursor: this is done for each message that comes, and
 * one look at the length serves for all its fields. */
enum mqtt_error mqtt_publish_read(struct mqtt_reader *r, uint8_t first,
                                  struct mqtt_message *message,
                                  uint16_t *identifier)
{
    unsigned qos = mqtt_publish_qos(first);
    const uint8_t *at = r->at;
    size_t size = (size_t)(r->end - at), topic, head;

    topic = size < 2 ? 0 : (size_t)(at[0] << 8 | at[1]);
    head = 2 + topic + (qos ? 2 : 0);
    if (head > size)
        return MQTT_ERR_TRUNCATED;
    message->topic_name = (struct mqtt_span){at + 2, topic};
    if (!mqtt_topic_name_valid(message->topic_name))
        return MQTT_ERR_RECEIVED_TOPIC; /* [3.1.1 MQTT-3.3.2-2] */
    *identifier = qos ? (uint16_t)(at[head - 2] << 8 | at[head - 1]) : 0;
    if (qos && !*identifier)
        return MQTT_ERR_PACKET_IDENTIFIER; /* [3.1.1 MQTT-2.3.1-1] */
    message->payload = (struct mqtt_span){at + head, size - head};
    message->qos = (enum mqtt_qos)qos;
    message->retain = first & MQTT_FLAG_RETAIN;
    message->dup = (first & MQTT_FLAG_DUP) != 0;
    message->properties = (struct mqtt_span){NULL, 0};
    message->settle_handle = 0;
    message->payload_offset = 0;
    message->payload_size = (uint32_t)(size - head);
    return MQTT_OK;
}
