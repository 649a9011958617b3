#include "wire/length.h"
#include "wire/packet_5_0.h"
#include "wire/utf8.h"

#define IN_MESSAGE (MQTT_IN_PUBLISH | MQTT_IN_WILL)
#define IN_LOGIN (MQTT_IN_CONNECT | MQTT_IN_CONNACK)
#define IN_LOGIN_OR_AUTH (IN_LOGIN | MQTT_IN_AUTH)
#define IN_ANSWER                                                              \
    (MQTT_IN_CONNACK | MQTT_IN_PUBACK | MQTT_IN_SUBACK | MQTT_IN_DISCONNECT |  \
     MQTT_IN_AUTH)
#define IN_ALL                                                                 \
    (IN_MESSAGE | IN_LOGIN | IN_ANSWER | MQTT_IN_SUBSCRIBE |                   \
     MQTT_IN_UNSUBSCRIBE)

#define FLAG(places)                                                           \
    {                                                                          \
        MQTT_TYPE_BYTE, false, (places)                                        \
    }
#define TWO(places)                                                            \
    {                                                                          \
        MQTT_TYPE_TWO_BYTE_INTEGER, false, (places)                            \
    }
#define FOUR(places)                                                           \
    {                                                                          \
        MQTT_TYPE_FOUR_BYTE_INTEGER, false, (places)                           \
    }
#define STRING(places)                                                         \
    {                                                                          \
        MQTT_TYPE_STRING, false, (places)                                      \
    }
#define BINARY(places)                                                         \
    {                                                                          \
        MQTT_TYPE_BINARY, false, (places)                                      \
    }

/* By identifier [5.0, table 2-4]. */
static const struct mqtt_property_rule rules[] = {
    [MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR] = FLAG(IN_MESSAGE),
    [MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL] = FOUR(IN_MESSAGE),
    [MQTT_PROPERTY_CONTENT_TYPE] = STRING(IN_MESSAGE),
    [MQTT_PROPERTY_RESPONSE_TOPIC] = STRING(IN_MESSAGE),
    [MQTT_PROPERTY_CORRELATION_DATA] = BINARY(IN_MESSAGE),
    [MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER] = {MQTT_TYPE_VARIABLE_BYTE_INTEGER,
                                               true,
                                               MQTT_IN_PUBLISH |
                                                   MQTT_IN_SUBSCRIBE},
    [MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL] =
        FOUR(IN_LOGIN | MQTT_IN_DISCONNECT),
    [MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER] = STRING(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_SERVER_KEEP_ALIVE] = TWO(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_AUTHENTICATION_METHOD] = STRING(IN_LOGIN_OR_AUTH),
    [MQTT_PROPERTY_AUTHENTICATION_DATA] = BINARY(IN_LOGIN_OR_AUTH),
    [MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION] = FLAG(MQTT_IN_CONNECT),
    [MQTT_PROPERTY_WILL_DELAY_INTERVAL] = FOUR(MQTT_IN_WILL),
    [MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION] = FLAG(MQTT_IN_CONNECT),
    [MQTT_PROPERTY_RESPONSE_INFORMATION] = STRING(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_SERVER_REFERENCE] =
        STRING(MQTT_IN_CONNACK | MQTT_IN_DISCONNECT),
    [MQTT_PROPERTY_REASON_STRING] = STRING(IN_ANSWER),
    [MQTT_PROPERTY_RECEIVE_MAXIMUM] = TWO(IN_LOGIN),
    [MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM] = TWO(IN_LOGIN),
    [MQTT_PROPERTY_TOPIC_ALIAS] = TWO(MQTT_IN_PUBLISH),
    [MQTT_PROPERTY_MAXIMUM_QOS] = FLAG(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_RETAIN_AVAILABLE] = FLAG(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_USER_PROPERTY] = {MQTT_TYPE_STRING_PAIR, true, IN_ALL},
    [MQTT_PROPERTY_MAXIMUM_PACKET_SIZE] = FOUR(IN_LOGIN),
    [MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE] = FLAG(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE] = FLAG(MQTT_IN_CONNACK),
    [MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE] = FLAG(MQTT_IN_CONNACK),
};
#define RULES (sizeof rules / sizeof rules[0])

struct mqtt_property_rule mqtt_property_rule_of(uint8_t identifier)
{
    static const struct mqtt_property_rule none = {MQTT_TYPE_NONE, false, 0};

    return identifier < RULES ? rules[identifier] : none;
}

/* ---- reading --------------------------------------------------------------- */

/* Above 0: it was read. 0 and -1 as mqtt_length_read(), and -1 for more bytes
 * than it needs as well [5.0 MQTT-1.5.5-1]. */
static int read_length(struct mqtt_reader *r, uint32_t *length)
{
    unsigned shift = 0;

    *length = 0;
    for (; shift < 28; shift += 7) {
        uint32_t byte;

        if (r->at == r->end)
            return 0;
        byte = *r->at++;
        *length |= (byte & 0x7f) << shift;
        if (!(byte & 0x80)) /* a last byte of 0 is one that is not needed */
            return byte || !shift ? 1 : -1;
    }
    return -1;
}

static bool read_value(struct mqtt_reader *r, enum mqtt_property_type type,
                       struct mqtt_property *property)
{
    switch (type) {
    case MQTT_TYPE_BYTE:
        property->number = mqtt_read_u8(r);
        break;
    case MQTT_TYPE_TWO_BYTE_INTEGER:
        property->number = mqtt_read_u16(r);
        break;
    case MQTT_TYPE_FOUR_BYTE_INTEGER:
        property->number = mqtt_read_u32(r);
        break;
    case MQTT_TYPE_VARIABLE_BYTE_INTEGER:
        return read_length(r, &property->number) > 0;
    case MQTT_TYPE_STRING_PAIR:
        property->name = mqtt_read_text(r);
        /* fall through */
    case MQTT_TYPE_STRING:
    case MQTT_TYPE_BINARY:
        property->text = mqtt_read_text(r);
        break;
    case MQTT_TYPE_NONE:
        return false;
    }
    return !r->overflow;
}

bool mqtt_property_next(struct mqtt_span properties,
                        struct mqtt_property *property)
{
    const uint8_t *bytes = properties.data;
    size_t position = property->position_;
    struct mqtt_reader r;

    if (!bytes || position >= properties.size)
        return false;
    memset(property, 0, sizeof *property);
    property->position_ = position;
    property->identifier = bytes[position];
    r = (struct mqtt_reader){bytes + position + 1, bytes + properties.size,
                             false};
    if (!read_value(&r, mqtt_property_rule_of(property->identifier).type,
                    property))
        return false;
    property->position_ = (size_t)(r.at - bytes);
    return true;
}

bool mqtt_property_find(struct mqtt_span properties, uint8_t identifier,
                        struct mqtt_property *property)
{
    while (mqtt_property_next(properties, property))
        if (property->identifier == identifier)
            return true;
    return false;
}

bool mqtt_properties_have(struct mqtt_span properties, uint8_t one,
                          uint8_t other)
{
    struct mqtt_property property = {0};

    while (mqtt_property_next(properties, &property))
        if (property.identifier == one || property.identifier == other)
            return true;
    return false;
}

uint32_t mqtt_property_number(struct mqtt_span properties, uint8_t identifier,
                              uint32_t otherwise)
{
    struct mqtt_property property = {0};

    return mqtt_property_find(properties, identifier, &property)
               ? property.number
               : otherwise;
}

/* ---- checking -------------------------------------------------------------- */

static bool text_valid(const struct mqtt_property *property)
{
    unsigned type = mqtt_property_rule_of(property->identifier).type;

    if (type == MQTT_TYPE_STRING || type == MQTT_TYPE_STRING_PAIR)
        return mqtt_utf8_valid(property->name) &&
               mqtt_utf8_valid(property->text);
    return property->text.size <= 65535;
}

static bool number_allowed(const struct mqtt_property *property)
{
    switch (property->identifier) {
    case MQTT_PROPERTY_RECEIVE_MAXIMUM:
    case MQTT_PROPERTY_MAXIMUM_PACKET_SIZE:
    case MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER:
        return property->number != 0;
    default: /* each single byte is a flag */
        return property->number <= 1 ||
               mqtt_property_rule_of(property->identifier).type !=
                   MQTT_TYPE_BYTE;
    }
}

enum mqtt_error mqtt_property_check_value(const struct mqtt_property *property)
{
    if (!text_valid(property))
        return MQTT_ERR_RECEIVED_PROPERTY; /* [5.0 MQTT-1.5.4-1] */
    if (!number_allowed(property))
        return MQTT_ERR_PROPERTY_VALUE;
    if (property->identifier == MQTT_PROPERTY_TOPIC_ALIAS && !property->number)
        return MQTT_ERR_TOPIC_ALIAS; /* [5.0 MQTT-3.3.2-8] */
    if (property->identifier == MQTT_PROPERTY_RESPONSE_TOPIC &&
        !mqtt_topic_name_valid(property->text))
        return MQTT_ERR_RECEIVED_TOPIC; /* [5.0 MQTT-3.3.2-14] */
    return MQTT_OK;
}

/* Which identifiers have been met. */
struct seen {
    uint32_t bits[2];
};

static bool seen(const struct seen *met, unsigned identifier)
{
    return met->bits[identifier >> 5] >> (identifier & 31) & 1;
}

static void see(struct seen *met, unsigned identifier)
{
    met->bits[identifier >> 5] |= (uint32_t)1 << (identifier & 31);
}

/* Several Subscription Identifiers stand in a PUBLISH only [5.0, section
 * 3.8.2.1.2]. */
static bool may_repeat(uint8_t identifier, enum mqtt_property_place place)
{
    return mqtt_property_rule_of(identifier).repeats &&
           !(identifier == MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER &&
             place == MQTT_IN_SUBSCRIBE);
}

static enum mqtt_error check_one(const struct mqtt_property *property,
                                 enum mqtt_property_place place,
                                 struct seen *met)
{
    uint8_t identifier = property->identifier;

    if (!(mqtt_property_rule_of(identifier).places & place))
        return MQTT_ERR_RECEIVED_PROPERTY;
    if (seen(met, identifier) && !may_repeat(identifier, place))
        return MQTT_ERR_PROPERTY_VALUE;
    see(met, identifier);
    return mqtt_property_check_value(property);
}

enum mqtt_error mqtt_properties_check(struct mqtt_span properties,
                                      enum mqtt_property_place place)
{
    struct mqtt_property property = {0};
    struct seen met = {{0, 0}};
    enum mqtt_error error;

    while (property.position_ < properties.size) {
        if (!mqtt_property_next(properties, &property))
            return MQTT_ERR_RECEIVED_PROPERTY;
        error = check_one(&property, place, &met);
        if (error)
            return error;
    }
    if (seen(&met, MQTT_PROPERTY_AUTHENTICATION_DATA) &&
        !seen(&met, MQTT_PROPERTY_AUTHENTICATION_METHOD))
        return MQTT_ERR_PROPERTY_VALUE; /* [5.0, section 3.1.2.11.10] */
    return MQTT_OK;
}

enum mqtt_error mqtt_properties_check_sent(struct mqtt_span properties,
                                           enum mqtt_property_place place)
{
    if (!properties.size)
        return MQTT_OK;
    if (properties.size > MQTT_LENGTH_MAX ||
        mqtt_properties_check(properties, place))
        return MQTT_ERR_PROPERTY;
    return MQTT_OK;
}

/* ---- in packets ------------------------------------------------------------ */

uint32_t mqtt_properties_size(uint32_t size)
{
    return mqtt_length_size(size) + size;
}

enum mqtt_error mqtt_properties_read(struct mqtt_reader *r,
                                     enum mqtt_property_place place,
                                     struct mqtt_span *properties)
{
    uint32_t length = 0;
    int size = read_length(r, &length);

    if (size < 0)
        return MQTT_ERR_RECEIVED_PROPERTY;
    properties->size = length;
    properties->data = mqtt_read_bytes(r, length);
    if (!size || !properties->data)
        return MQTT_ERR_TRUNCATED;
    return mqtt_properties_check(*properties, place);
}

enum mqtt_error mqtt_reason_read(struct mqtt_reader *r,
                                 enum mqtt_reason_place codes,
                                 enum mqtt_property_place place, uint8_t *code,
                                 struct mqtt_span *properties)
{
    enum mqtt_error error;

    *code = r->at == r->end ? MQTT_REASON_SUCCESS : mqtt_read_u8(r);
    *properties = (struct mqtt_span){r->at, 0};
    if (!mqtt_reason_may_stand(*code, codes))
        return MQTT_ERR_RECEIVED_REASON_CODE;
    if (r->at == r->end)
        return MQTT_OK;
    error = mqtt_properties_read(r, place, properties);
    if (error)
        return error;
    return r->at == r->end ? MQTT_OK : MQTT_ERR_TRAILING_BYTES;
}
