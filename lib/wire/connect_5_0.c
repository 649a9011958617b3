#include "wire/length.h"
#include "wire/packet_5_0.h"

#define PROTOCOL_LEVEL 5

/* ---- CONNECT --------------------------------------------------------------- */

/* Properties of CONNECT that are not for mqtt_connect_options.properties. */
static bool has_own_member(struct mqtt_span properties)
{
    struct mqtt_property property = {0};

    while (mqtt_property_next(properties, &property))
        switch (property.identifier) {
        case MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL:
        case MQTT_PROPERTY_RECEIVE_MAXIMUM:
        case MQTT_PROPERTY_MAXIMUM_PACKET_SIZE:
        case MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM:
            return true;
        }
    return false;
}

/* Property Length and properties that are announced, and those of options. */
static uint32_t announced_size(const struct mqtt_announced *announced)
{
    return (announced->session_expiry_s ? 5u : 0u) +
           (announced->receive_maximum ? 3u : 0u) +
           (announced->maximum_packet_size ? 5u : 0u) +
           (announced->topic_alias_maximum ? 3u : 0u);
}

static uint32_t connect_length(const struct mqtt_connect_options *options,
                               uint32_t announced)
{
    uint32_t length =
        mqtt_connect_length(options) +
        mqtt_properties_size(announced + (uint32_t)options->properties.size);

    if (options->will)
        length +=
            mqtt_properties_size((uint32_t)options->will->properties.size);
    return length;
}

enum mqtt_error
mqtt_connect_check_5_0(const struct mqtt_connect_options *options)
{
    static const struct mqtt_announced all = {1, 1, 1, 1};
    enum mqtt_error error = mqtt_connect_check_shared(options);

    if (error)
        return error;
    if (mqtt_properties_check_sent(options->properties, MQTT_IN_CONNECT) ||
        has_own_member(options->properties))
        return MQTT_ERR_PROPERTY;
    if (options->will &&
        mqtt_properties_check_sent(options->will->properties, MQTT_IN_WILL))
        return MQTT_ERR_PROPERTY;
    /* Nothing else has a size that could make it so long. */
    if (connect_length(options, announced_size(&all)) > MQTT_LENGTH_MAX)
        return MQTT_ERR_PROPERTY;
    return MQTT_OK;
}

uint32_t mqtt_connect_size_5_0(const struct mqtt_connect_options *options,
                               const struct mqtt_announced *announced)
{
    uint32_t length = connect_length(options, announced_size(announced));

    return 1 + mqtt_length_size(length) + length;
}

static void write_u16_property(struct mqtt_writer *w, unsigned identifier,
                               uint16_t value)
{
    if (!value)
        return;
    mqtt_write_u8(w, identifier);
    mqtt_write_u16(w, value);
}

static void write_u32_property(struct mqtt_writer *w, unsigned identifier,
                               uint32_t value)
{
    if (!value)
        return;
    mqtt_write_u8(w, identifier);
    mqtt_write_u32(w, value);
}

static void write_properties(struct mqtt_writer *w, struct mqtt_span properties,
                             const struct mqtt_announced *announced)
{
    mqtt_write_length(w, announced_size(announced) + (uint32_t)properties.size);
    write_u32_property(w, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
                       announced->session_expiry_s);
    write_u16_property(w, MQTT_PROPERTY_RECEIVE_MAXIMUM,
                       announced->receive_maximum);
    write_u32_property(w, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE,
                       announced->maximum_packet_size);
    write_u16_property(w, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM,
                       announced->topic_alias_maximum);
    mqtt_write_bytes(w, properties.data, properties.size);
}

static void write_will(struct mqtt_writer *w, const struct mqtt_message *will)
{
    mqtt_write_length(w, (uint32_t)will->properties.size);
    mqtt_write_bytes(w, will->properties.data, will->properties.size);
    mqtt_write_text(w, will->topic_name);
    mqtt_write_text(w, will->payload);
}

void mqtt_connect_write_5_0(struct mqtt_writer *w,
                            const struct mqtt_connect_options *options,
                            const struct mqtt_announced *announced)
{
    uint32_t length = connect_length(options, announced_size(announced));

    /* In this order [5.0 MQTT-3.1.3-1]. */
    mqtt_connect_write_head(w, options, PROTOCOL_LEVEL, length);
    write_properties(w, options->properties, announced);
    mqtt_write_text(w, options->client_identifier);
    if (options->will)
        write_will(w, options->will);
    mqtt_connect_write_login(w, options);
}

/* ---- CONNACK --------------------------------------------------------------- */

/* Two bytes with a code that 3.1.1 has and 5.0 has not. */
static bool refused_by_3_1_1(const struct mqtt_reader *r, uint8_t code)
{
    return r->at == r->end && code >= 1 && code <= 5;
}

enum mqtt_error mqtt_connack_read_5_0(struct mqtt_reader *r,
                                      bool *session_present, uint8_t *code,
                                      struct mqtt_span *properties)
{
    uint8_t flags = mqtt_read_u8(r);
    enum mqtt_error error;

    *code = mqtt_read_u8(r);
    *session_present = flags & 1;
    *properties = (struct mqtt_span){NULL, 0};
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (flags > 1)
        return MQTT_ERR_CONNACK_FLAGS; /* [5.0 MQTT-3.2.2-1] */
    if (*code && *session_present)
        return MQTT_ERR_SESSION_PRESENT; /* [5.0 MQTT-3.2.2-6] */
    if (refused_by_3_1_1(r, *code))
        return MQTT_OK;
    if (!mqtt_reason_may_stand(*code, MQTT_REASON_IN_CONNACK))
        return MQTT_ERR_CONNACK_CODE; /* [5.0 MQTT-3.2.2-8] */
    error = mqtt_properties_read(r, MQTT_IN_CONNACK, properties);
    if (error)
        return error;
    return r->at == r->end ? MQTT_OK : MQTT_ERR_TRAILING_BYTES;
}

static bool available(struct mqtt_span properties, uint8_t identifier)
{
    return mqtt_property_number(properties, identifier, 1) != 0;
}

void mqtt_connack_limits(struct mqtt_span p, struct mqtt_limits *limits)
{
    limits->maximum_packet_size =
        mqtt_property_number(p, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, UINT32_MAX);
    limits->session_expiry_s = mqtt_property_number(
        p, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, limits->session_expiry_s);
    limits->receive_maximum = (uint16_t)mqtt_property_number(
        p, MQTT_PROPERTY_RECEIVE_MAXIMUM, UINT16_MAX);
    limits->topic_alias_maximum =
        (uint16_t)mqtt_property_number(p, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, 0);
    limits->keep_alive_s = (uint16_t)mqtt_property_number(
        p, MQTT_PROPERTY_SERVER_KEEP_ALIVE, limits->keep_alive_s);
    limits->maximum_qos =
        (uint8_t)mqtt_property_number(p, MQTT_PROPERTY_MAXIMUM_QOS, MQTT_QOS_2);
    limits->retain_available = available(p, MQTT_PROPERTY_RETAIN_AVAILABLE);
    limits->wildcard_available =
        available(p, MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE);
    limits->shared_available =
        available(p, MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE);
    limits->subscription_identifiers_available =
        available(p, MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE);
}

bool mqtt_connack_assigned(struct mqtt_span properties,
                           struct mqtt_span *client_identifier)
{
    struct mqtt_property property = {0};

    if (!mqtt_property_find(
            properties, MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER, &property))
        return false;
    *client_identifier = property.text;
    return true;
}
