/*
 * mqttloop/properties.h - the properties of 5.0 [5.0, section 2.2.2].
 *
 * Properties are bytes, as they go over the wire, in a span: those of a packet
 * that came are read by an iterator, those of a packet to be sent are written
 * by a builder into memory of the caller's. Nothing is allocated, there is no
 * limit to their number, and their order is kept.
 *
 *     struct mqtt_property property = {0};
 *     while (mqtt_property_next(event->properties, &property))
 *         if (property.identifier == MQTT_PROPERTY_USER_PROPERTY)
 *             use(property.name, property.text);
 *
 *     uint8_t bytes[64];
 *     struct mqtt_property_builder builder;
 *     mqtt_properties_begin(&builder, bytes, sizeof bytes);
 *     mqtt_property_add_number(&builder, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
 *                              60);
 *     message.properties = mqtt_properties_end(&builder, &error);
 */
#ifndef MQTTLOOP_PROPERTIES_H
#define MQTTLOOP_PROPERTIES_H

#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** [5.0, section 2.2.2.2] */
enum mqtt_property_identifier {
    MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR = 0x01,
    MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL = 0x02,
    MQTT_PROPERTY_CONTENT_TYPE = 0x03,
    MQTT_PROPERTY_RESPONSE_TOPIC = 0x08,
    MQTT_PROPERTY_CORRELATION_DATA = 0x09,
    MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER = 0x0B,
    MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL = 0x11,
    MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER = 0x12,
    MQTT_PROPERTY_SERVER_KEEP_ALIVE = 0x13,
    MQTT_PROPERTY_AUTHENTICATION_METHOD = 0x15,
    MQTT_PROPERTY_AUTHENTICATION_DATA = 0x16,
    MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION = 0x17,
    MQTT_PROPERTY_WILL_DELAY_INTERVAL = 0x18,
    MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION = 0x19,
    MQTT_PROPERTY_RESPONSE_INFORMATION = 0x1A,
    MQTT_PROPERTY_SERVER_REFERENCE = 0x1C,
    MQTT_PROPERTY_REASON_STRING = 0x1F,
    MQTT_PROPERTY_RECEIVE_MAXIMUM = 0x21,
    MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM = 0x22,
    MQTT_PROPERTY_TOPIC_ALIAS = 0x23,
    MQTT_PROPERTY_MAXIMUM_QOS = 0x24,
    MQTT_PROPERTY_RETAIN_AVAILABLE = 0x25,
    MQTT_PROPERTY_USER_PROPERTY = 0x26,
    MQTT_PROPERTY_MAXIMUM_PACKET_SIZE = 0x27,
    MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28,
    MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29,
    MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE = 0x2A
};

/** What a value is made of [5.0, section 1.5]. */
enum mqtt_property_type {
    MQTT_TYPE_NONE, /**< there is no such property */
    MQTT_TYPE_BYTE,
    MQTT_TYPE_TWO_BYTE_INTEGER,
    MQTT_TYPE_FOUR_BYTE_INTEGER,
    MQTT_TYPE_VARIABLE_BYTE_INTEGER,
    MQTT_TYPE_STRING,      /**< UTF-8 */
    MQTT_TYPE_STRING_PAIR, /**< a name and a value, UTF-8 both */
    MQTT_TYPE_BINARY
};

/** Where a property may stand: one bit for each kind of packet. */
enum mqtt_property_place {
    MQTT_IN_CONNECT = 1 << 0,
    MQTT_IN_WILL = 1 << 1, /**< the will, within CONNECT */
    MQTT_IN_CONNACK = 1 << 2,
    MQTT_IN_PUBLISH = 1 << 3,
    MQTT_IN_PUBACK = 1 << 4, /**< and PUBREC, PUBREL, PUBCOMP */
    MQTT_IN_SUBSCRIBE = 1 << 5,
    MQTT_IN_SUBACK = 1 << 6, /**< and UNSUBACK */
    MQTT_IN_UNSUBSCRIBE = 1 << 7,
    MQTT_IN_DISCONNECT = 1 << 8,
    MQTT_IN_AUTH = 1 << 9
};

/** What the standard says of a property [5.0, table 2-4]. */
struct mqtt_property_rule {
    uint8_t type;    /**< enum mqtt_property_type */
    bool repeats;    /**< may stand more than once in a packet */
    uint16_t places; /**< enum mqtt_property_place */
};

/** The rule of an identifier; its type is MQTT_TYPE_NONE if there is no such
 * property. */
struct mqtt_property_rule mqtt_property_rule_of(uint8_t identifier);

/** One property. `number` is the value of a byte or an integer, `text` that of
 * a string, of binary data, or of the second half of a pair, whose first half
 * is `name`. Spans point into the properties that are read. */
struct mqtt_property {
    uint8_t identifier;
    uint32_t number;
    struct mqtt_span text, name;
    size_t position_;
};

/**
 * The next property: zero *property, then call until false. At the end the last
 * one stays in it. False also where the bytes are no properties (those of a
 * packet that came always are), however often it is asked; then *property
 * means nothing.
 */
bool mqtt_property_next(struct mqtt_span properties,
                        struct mqtt_property *property);

/** The first property of this identifier, or the next one if *property is one
 * already; zero it before. False: there is none (more). */
bool mqtt_property_find(struct mqtt_span properties, uint8_t identifier,
                        struct mqtt_property *property);

/**
 * Whether these bytes are properties that may stand there, each of the right
 * type and none too often. MQTT_OK; MQTT_ERR_RECEIVED_PROPERTY: an identifier
 * that does not exist or may not stand there, a value that is cut off, or text
 * that is not UTF-8 [5.0, section 2.2.2.2: malformed]; MQTT_ERR_PROPERTY_VALUE:
 * repeated, or a value that is not allowed; MQTT_ERR_RECEIVED_TOPIC: a Response
 * Topic that is no topic name; MQTT_ERR_TOPIC_ALIAS: Topic Alias 0.
 */
enum mqtt_error mqtt_properties_check(struct mqtt_span properties,
                                      enum mqtt_property_place place);

/** Writes properties into memory of the caller's. Members are private. */
struct mqtt_property_builder {
    uint8_t *bytes_;
    size_t size_, used_;
    int8_t error_; /* enum mqtt_error; the first one stays */
};

/** Begin, in `size` bytes of memory. */
void mqtt_properties_begin(struct mqtt_property_builder *builder, void *memory,
                           size_t size);
/**
 * Add one: a byte or an integer; a string or binary data, at most 65,535
 * bytes; a User Property. Errors stay until the end:
 * MQTT_ERR_ARGUMENT: the property is not of that type. MQTT_ERR_PROPERTY: the
 * number or text is not allowed, or it repeats what may not. MQTT_ERR_NO_ROOM:
 * the memory is too small.
 */
void mqtt_property_add_number(struct mqtt_property_builder *builder,
                              enum mqtt_property_identifier identifier,
                              uint32_t number);
void mqtt_property_add_text(struct mqtt_property_builder *builder,
                            enum mqtt_property_identifier identifier,
                            struct mqtt_span text);
void mqtt_property_add_user(struct mqtt_property_builder *builder,
                            struct mqtt_span name, struct mqtt_span value);
/** What was added; it lies in the memory. If something could not be added,
 * *error (may be NULL) says why, and what is returned is refused by each request
 * with MQTT_ERR_PROPERTY, so that nothing is sent without it. */
struct mqtt_span
mqtt_properties_end(const struct mqtt_property_builder *builder,
                    enum mqtt_error *error);

#ifdef __cplusplus
}
#endif

#endif
