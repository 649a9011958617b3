#include "wire/length.h"
#include "wire/packet_5_0.h"

void mqtt_properties_begin(struct mqtt_property_builder *builder, void *memory,
                           size_t size)
{
    builder->bytes_ = memory;
    builder->size_ = memory ? size : 0;
    builder->used_ = 0;
    builder->error_ = MQTT_OK;
}

/* That of an identifier of the caller's, which may be any number. */
static unsigned type_of(enum mqtt_property_identifier identifier)
{
    uint8_t byte = (uint8_t)identifier;

    if (byte != (unsigned)identifier)
        return MQTT_TYPE_NONE;
    return mqtt_property_rule_of(byte).type;
}

/* The largest number of a type; 0: it is no number. */
static uint32_t largest(unsigned type)
{
    switch (type) {
    case MQTT_TYPE_BYTE:
        return UINT8_MAX;
    case MQTT_TYPE_TWO_BYTE_INTEGER:
        return UINT16_MAX;
    case MQTT_TYPE_FOUR_BYTE_INTEGER:
        return UINT32_MAX;
    case MQTT_TYPE_VARIABLE_BYTE_INTEGER:
        return MQTT_LENGTH_MAX;
    default:
        return 0;
    }
}

static void write_value(struct mqtt_writer *w,
                        const struct mqtt_property *property)
{
    switch (mqtt_property_rule_of(property->identifier).type) {
    case MQTT_TYPE_BYTE:
        mqtt_write_u8(w, property->number);
        break;
    case MQTT_TYPE_TWO_BYTE_INTEGER:
        mqtt_write_u16(w, property->number);
        break;
    case MQTT_TYPE_FOUR_BYTE_INTEGER:
        mqtt_write_u32(w, property->number);
        break;
    case MQTT_TYPE_VARIABLE_BYTE_INTEGER:
        mqtt_write_length(w, property->number);
        break;
    case MQTT_TYPE_STRING_PAIR:
        mqtt_write_text(w, property->name);
        /* fall through */
    default:
        mqtt_write_text(w, property->text);
    }
}

static enum mqtt_error write_property(struct mqtt_property_builder *builder,
                                      const struct mqtt_property *property)
{
    struct mqtt_writer w = {0};

    if (!builder->size_)
        return MQTT_ERR_NO_ROOM;
    w.at = builder->bytes_ + builder->used_;
    w.end = builder->bytes_ + builder->size_;
    mqtt_write_u8(&w, property->identifier);
    write_value(&w, property);
    if (w.overflow)
        return MQTT_ERR_NO_ROOM;
    builder->used_ = (size_t)(w.at - builder->bytes_);
    return MQTT_OK;
}

static bool repeated(const struct mqtt_property_builder *builder,
                     uint8_t identifier)
{
    struct mqtt_span added = {builder->bytes_, builder->used_};
    struct mqtt_property before = {0};

    return !mqtt_property_rule_of(identifier).repeats &&
           mqtt_property_find(added, identifier, &before);
}

static enum mqtt_error add(struct mqtt_property_builder *builder,
                           const struct mqtt_property *property)
{
    if ((property->text.size && !property->text.data) ||
        (property->name.size && !property->name.data))
        return MQTT_ERR_ARGUMENT;
    if (mqtt_property_check_value(property) ||
        repeated(builder, property->identifier))
        return MQTT_ERR_PROPERTY;
    return write_property(builder, property);
}

void mqtt_property_add_number(struct mqtt_property_builder *builder,
                              enum mqtt_property_identifier identifier,
                              uint32_t number)
{
    struct mqtt_property property = {0};
    uint32_t maximum = largest(type_of(identifier));

    property.identifier = (uint8_t)identifier;
    property.number = number;
    if (builder->error_)
        return;
    if (!maximum)
        builder->error_ = MQTT_ERR_ARGUMENT;
    else if (number > maximum)
        builder->error_ = MQTT_ERR_PROPERTY;
    else
        builder->error_ = (int8_t)add(builder, &property);
}

void mqtt_property_add_text(struct mqtt_property_builder *builder,
                            enum mqtt_property_identifier identifier,
                            struct mqtt_span text)
{
    unsigned type = type_of(identifier);
    struct mqtt_property property = {0};

    property.identifier = (uint8_t)identifier;
    property.text = text;
    if (builder->error_)
        return;
    if (type == MQTT_TYPE_STRING || type == MQTT_TYPE_BINARY)
        builder->error_ = (int8_t)add(builder, &property);
    else
        builder->error_ = MQTT_ERR_ARGUMENT;
}

void mqtt_property_add_user(struct mqtt_property_builder *builder,
                            struct mqtt_span name, struct mqtt_span value)
{
    struct mqtt_property property = {0};

    property.identifier = MQTT_PROPERTY_USER_PROPERTY;
    property.name = name;
    property.text = value;
    if (!builder->error_)
        builder->error_ = (int8_t)add(builder, &property);
}

struct mqtt_span
mqtt_properties_end(const struct mqtt_property_builder *builder,
                    enum mqtt_error *error)
{
    static const uint8_t no_property[] = {0};

    if (error)
        *error = (enum mqtt_error)builder->error_;
    if (builder->error_)
        return (struct mqtt_span){no_property, sizeof no_property};
    return (struct mqtt_span){builder->bytes_, builder->used_};
}
