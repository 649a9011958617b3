#include "wire/length.h"
#include "wire/packet_5_0.h"

/* Message Expiry Interval: identifier and four bytes. */
#define EXPIRY_SIZE 5

enum mqtt_error mqtt_publish_check_5_0(const struct mqtt_message *message)
{
    struct mqtt_span properties = message->properties;

    /* Checked by parts, so that no sum can wrap. */
    if (message->payload.size > MQTT_LENGTH_MAX ||
        properties.size > MQTT_LENGTH_MAX)
        return MQTT_ERR_TOO_LARGE;
    if (mqtt_publish_head_size_5_0(message) + message->payload.size >
        MQTT_LENGTH_MAX)
        return MQTT_ERR_TOO_LARGE;
    if (!properties.size)
        return MQTT_OK;
    /* Two are not the application's to publish [5.0 MQTT-3.3.4-6]. */
    if (mqtt_properties_check_sent(properties, MQTT_IN_PUBLISH) ||
        mqtt_properties_have(properties, MQTT_PROPERTY_TOPIC_ALIAS,
                             MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER))
        return MQTT_ERR_PROPERTY;
    return MQTT_OK;
}

uint32_t mqtt_publish_head_size_5_0(const struct mqtt_message *message)
{
    return 2 + (uint32_t)message->topic_name.size + (message->qos ? 2u : 0u) +
           mqtt_properties_size((uint32_t)message->properties.size);
}

static void put_expiry(struct mqtt_ring_cursor *cursor, uint32_t deadline_s)
{
    uint8_t bytes[EXPIRY_SIZE];

    bytes[0] = MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL;
    bytes[1] = (uint8_t)(deadline_s >> 24);
    bytes[2] = (uint8_t)(deadline_s >> 16);
    bytes[3] = (uint8_t)(deadline_s >> 8);
    bytes[4] = (uint8_t)deadline_s;
    mqtt_ring_put(cursor, bytes, sizeof bytes);
}

static void put_properties(struct mqtt_ring_cursor *cursor,
                           struct mqtt_span properties, uint32_t deadline_s)
{
    const uint8_t *at = properties.data, *end = at + properties.size;
    struct mqtt_property expiry = {0};

    if (mqtt_property_find(properties, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                           &expiry)) {
        put_expiry(cursor, deadline_s);
        mqtt_ring_put(cursor, at, expiry.position_ - EXPIRY_SIZE);
        at += expiry.position_;
    }
    mqtt_ring_put(cursor, at, (size_t)(end - at));
}

void mqtt_publish_head_put_5_0(struct mqtt_ring_cursor *cursor,
                               const struct mqtt_header *header,
                               const struct mqtt_message *message,
                               uint16_t identifier, uint32_t deadline_s)
{
    uint32_t size = (uint32_t)message->properties.size;
    uint8_t head[sizeof header->bytes + 2];
    unsigned n = header->size;

    memcpy(head, header->bytes, sizeof header->bytes);
    head[n++] = (uint8_t)(message->topic_name.size >> 8);
    head[n++] = (uint8_t)message->topic_name.size;
    mqtt_ring_put(cursor, head, n);
    n = 0;
    mqtt_ring_put(cursor, message->topic_name.data, message->topic_name.size);
    if (message->qos) {
        head[n++] = (uint8_t)(identifier >> 8);
        head[n++] = (uint8_t)identifier;
    }
    n += mqtt_length_write(head + n, size);
    mqtt_ring_put(cursor, head, n);
    if (size)
        put_properties(cursor, message->properties, deadline_s);
}

static enum mqtt_error read_present(struct mqtt_reader *r,
                                    struct mqtt_span *properties,
                                    uint16_t *alias)
{
    enum mqtt_error error =
        mqtt_properties_read(r, MQTT_IN_PUBLISH, properties);

    if (!error)
        *alias = (uint16_t)mqtt_property_number(*properties,
                                                MQTT_PROPERTY_TOPIC_ALIAS, 0);
    return error;
}

/* There is a byte; it is 0 for most messages. */
static enum mqtt_error read_properties(struct mqtt_reader *r,
                                       struct mqtt_span *properties,
                                       uint16_t *alias)
{
    *alias = 0;
    if (*r->at)
        return read_present(r, properties, alias);
    *properties = (struct mqtt_span){++r->at, 0};
    return MQTT_OK;
}

/* Behind the properties is the payload. */
static void set_rest(struct mqtt_message *message, uint8_t first,
                     const struct mqtt_reader *r)
{
    size_t size = (size_t)(r->end - r->at);

    message->payload = (struct mqtt_span){r->at, size};
    message->qos = (enum mqtt_qos)mqtt_publish_qos(first);
    message->retain = first & MQTT_FLAG_RETAIN;
    message->dup = (first & MQTT_FLAG_DUP) != 0;
    message->settle_handle = 0;
    message->payload_offset = 0;
    message->payload_size = (uint32_t)size;
}

/* As mqtt_publish_read(), by hand; properties by the cursor. */
enum mqtt_error mqtt_publish_read_5_0(struct mqtt_reader *r, uint8_t first,
                                      struct mqtt_message *message,
                                      uint16_t *identifier, uint16_t *alias)
{
    unsigned qos = mqtt_publish_qos(first);
    const uint8_t *at = r->at;
    size_t size = (size_t)(r->end - at), topic, head;
    enum mqtt_error error;

    topic = size < 2 ? 0 : (size_t)(at[0] << 8 | at[1]);
    head = 2 + topic + (qos ? 2 : 0);
    if (head >= size)
        return MQTT_ERR_TRUNCATED;
    message->topic_name = (struct mqtt_span){at + 2, topic};
    *identifier = qos ? (uint16_t)(at[head - 2] << 8 | at[head - 1]) : 0;
    if (qos && !*identifier)
        return MQTT_ERR_PACKET_IDENTIFIER; /* [5.0 MQTT-2.2.1-3] */
    r->at = at + head;
    error = read_properties(r, &message->properties, alias);
    if (error)
        return error;
    if (!topic && !*alias)
        return MQTT_ERR_NO_TOPIC; /* [5.0, section 3.3.2.1] */
    if (topic && !mqtt_topic_name_valid(message->topic_name))
        return MQTT_ERR_RECEIVED_TOPIC; /* [5.0 MQTT-3.3.2-2] */
    set_rest(message, first, r);
    return MQTT_OK;
}
