/*
 * Whether a record is one that a session can have put. A store may be torn, or
 * of another library, and what is restored leaves as it was put: so it is looked
 * at as what an application publishes is.
 */
#include <mqttloop/properties.h>
#include "session/image.h"
#include "session/store.h"
#include "wire/cursor.h"
#include "wire/utf8.h"

/* A variable byte integer as we write it, which says how many bytes are left. */
static bool read_length(struct mqtt_reader *r, uint32_t *length)
{
    size_t left = (size_t)(r->end - r->at);
    int n = mqtt_length_read(r->at, left, length);

    if (n <= 0 || (unsigned)n != mqtt_length_size(*length))
        return false;
    r->at += n;
    return *length <= left - (unsigned)n;
}

/* The Message Expiry Interval is put first, where it is looked for. */
static bool expiry_placed(struct mqtt_span properties)
{
    struct mqtt_property expiry = {0};

    return !mqtt_property_find(
               properties, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, &expiry) ||
           *(const uint8_t *)properties.data ==
               MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL;
}

static bool properties_valid(const struct mqtt_session *s,
                             struct mqtt_message *message,
                             struct mqtt_reader *r)
{
    uint32_t length;

    if (!mqtt_protocol_is_5(s->protocol_))
        return true;
    if (!read_length(r, &length))
        return false;
    message->properties = (struct mqtt_span){r->at, length};
    return s->protocol_->publish_check(message) == MQTT_OK &&
           expiry_placed(message->properties);
}

/* A whole PUBLISH of QoS 1 or 2 with this identifier. */
static bool is_image(const struct mqtt_session *s, struct mqtt_reader *r,
                     uint16_t identifier)
{
    uint8_t first_byte = mqtt_read_u8(r);
    unsigned qos = mqtt_publish_qos(first_byte);
    struct mqtt_message message = {.qos = (enum mqtt_qos)qos};
    uint32_t length;

    if (first_byte >> 4 != MQTT_IMAGE_PUBLISH || !qos || qos == 3)
        return false;
    if (!read_length(r, &length) || length != (size_t)(r->end - r->at))
        return false;
    message.topic_name = mqtt_read_text(r);
    return mqtt_topic_name_valid(message.topic_name) &&
           mqtt_read_u16(r) == identifier && properties_valid(s, &message, r);
}

static bool publish_valid(const struct mqtt_session *s,
                          const struct mqtt_record *record)
{
    const uint8_t *content = record->content[0].data;
    struct mqtt_reader r = {content, content + record->content[0].size, false};

    return mqtt_read_bytes(&r, MQTT_RECORD_CLOCK) &&
           is_image(s, &r, record->packet_identifier);
}

static bool session_valid(const struct mqtt_record *record)
{
    const uint8_t *content = record->content[0].data;
    size_t size = record->content[0].size;

    if (record->packet_identifier || size < MQTT_RECORD_ASSIGNED ||
        content[MQTT_RECORD_AGREED] > MQTT_RECORD_ENDED)
        return false;
    return mqtt_utf8_valid((struct mqtt_span){content + MQTT_RECORD_ASSIGNED,
                                              size - MQTT_RECORD_ASSIGNED});
}

bool mqtt_record_valid(const struct mqtt_session *s,
                       const struct mqtt_record *record)
{
    size_t size = record->content[0].size;

    switch (record->kind) {
    case MQTT_RECORD_PUBLISH:
        return record->packet_identifier && publish_valid(s, record);
    case MQTT_RECORD_PUBREL:
        return record->packet_identifier && size <= 1;
    case MQTT_RECORD_RECEIVED:
        return record->packet_identifier && !size;
    case MQTT_RECORD_SESSION:
        return session_valid(record);
    default:
        return false;
    }
}
