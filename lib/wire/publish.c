#include "wire/length.h"
#include "wire/packet.h"

uint32_t mqtt_publish_length(const struct mqtt_message *message)
{
    /* Checked by parts, so that no sum can wrap. */
    if (message->payload.size > MQTT_LENGTH_MAX)
        return MQTT_LENGTH_MAX + 1;
    return 2 + (uint32_t)message->topic_name.size + (message->qos ? 2u : 0u) +
           (uint32_t)message->payload.size;
}

static unsigned first_byte(const struct mqtt_message *message)
{
    return (unsigned)MQTT_PUBLISH << 4 | (unsigned)message->qos << 1 |
           (message->retain ? MQTT_FLAG_RETAIN : 0u);
}

void mqtt_publish_put(struct mqtt_ring_cursor *cursor,
                      const struct mqtt_message *message, uint16_t identifier,
                      uint32_t length)
{
    uint8_t head[7];
    unsigned n = 1;

    head[0] = (uint8_t)first_byte(message);
    n += mqtt_length_write(head + n, length);
    head[n++] = (uint8_t)(message->topic_name.size >> 8);
    head[n++] = (uint8_t)message->topic_name.size;
    mqtt_ring_put(cursor, head, n);
    mqtt_ring_put(cursor, message->topic_name.data, message->topic_name.size);
    if (message->qos) {
        head[0] = (uint8_t)(identifier >> 8);
        head[1] = (uint8_t)identifier;
        mqtt_ring_put(cursor, head, 2);
    }
    if (message->payload.size)
        mqtt_ring_put(cursor, message->payload.data, message->payload.size);
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
    return MQTT_OK;
}
