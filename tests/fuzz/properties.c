/*
 * properties.c - the iterator, the check, and the builder.
 *
 * An input is a byte that chooses the place, and properties. The check takes
 * them just if the standard does; the iterator gives all of them, and the
 * builder makes the same bytes of what the iterator gave.
 */
#include "fuzz.h"
#include "reference.h"

#include <stdlib.h>

#include <mqttloop/properties.h>

static const struct {
    enum mqtt_property_place place;
    char letter;
} places[] = {
    {MQTT_IN_CONNECT, 'C'},    {MQTT_IN_WILL, 'W'},
    {MQTT_IN_CONNACK, 'K'},    {MQTT_IN_PUBLISH, 'P'},
    {MQTT_IN_PUBACK, 'A'},     {MQTT_IN_SUBSCRIBE, 'S'},
    {MQTT_IN_SUBACK, 'Q'},     {MQTT_IN_UNSUBSCRIBE, 'U'},
    {MQTT_IN_DISCONNECT, 'D'}, {MQTT_IN_AUTH, 'H'},
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static bool within(struct mqtt_span outer, struct mqtt_span inner)
{
    const uint8_t *begin = outer.data, *at = inner.data;

    return !inner.size ||
           (at >= begin && at + inner.size <= begin + outer.size);
}

/* ---- the iterator ----------------------------------------------------------- */

/* It goes as far as the reference goes. */
static void iterate(struct mqtt_span all)
{
    struct mqtt_property property = {0};
    const uint8_t *at = all.data;
    size_t left = all.size, n;

    while ((n = reference_property(at, left)) != 0) {
        require(mqtt_property_next(all, &property));
        require(property.identifier == at[0]);
        require(within(all, property.text) && within(all, property.name));
        at += n;
        left -= n;
    }
    require(!mqtt_property_next(all, &property));
    require(!mqtt_property_next(all, &property));
}

/* Finding them is iterating over them. */
static void find(struct mqtt_span all, uint8_t identifier)
{
    struct mqtt_property each = {0}, found = {0};

    while (mqtt_property_next(all, &each)) {
        if (each.identifier != identifier)
            continue;
        require(mqtt_property_find(all, identifier, &found));
        require(found.number == each.number);
        require(found.text.data == each.text.data);
    }
    require(!mqtt_property_find(all, identifier, &found));
}

/* ---- the builder ------------------------------------------------------------ */

static void add(struct mqtt_property_builder *builder,
                const struct mqtt_property *property)
{
    enum mqtt_property_identifier identifier =
        (enum mqtt_property_identifier)property->identifier;

    switch (mqtt_property_rule_of(property->identifier).type) {
    case MQTT_TYPE_STRING_PAIR:
        mqtt_property_add_user(builder, property->name, property->text);
        break;
    case MQTT_TYPE_STRING:
    case MQTT_TYPE_BINARY:
        mqtt_property_add_text(builder, identifier, property->text);
        break;
    default:
        mqtt_property_add_number(builder, identifier, property->number);
    }
}

static enum mqtt_error build(struct mqtt_span from, void *memory, size_t size,
                             struct mqtt_span *built)
{
    struct mqtt_property_builder builder;
    struct mqtt_property property = {0};
    enum mqtt_error error;

    mqtt_properties_begin(&builder, memory, size);
    while (mqtt_property_next(from, &property))
        add(&builder, &property);
    *built = mqtt_properties_end(&builder, &error);
    require(error || built->size <= size);
    return error;
}

/* Into just the room that is needed, and into one byte less. */
static void build_again(struct mqtt_span all, bool valid)
{
    void *memory = malloc(all.size + 1);
    struct mqtt_span built;
    enum mqtt_error error;

    require(memory);
    error = build(all, memory, all.size, &built);
    require(error == MQTT_OK || error == MQTT_ERR_PROPERTY || !valid);
    if (valid) {
        require(error == MQTT_OK && built.size == all.size);
        require(!all.size || memcmp(built.data, all.data, all.size) == 0);
    }
    free(memory);
    if (!valid || !all.size)
        return;
    memory = malloc(all.size);
    require(memory);
    require(build(all, memory, all.size - 1, &built) == MQTT_ERR_NO_ROOM);
    require(mqtt_properties_check(built, MQTT_IN_PUBLISH) != MQTT_OK);
    free(memory);
}

/* Whatever is added, in whatever way: what comes of it can be read. */
static void build_anything(const uint8_t *bytes, size_t size)
{
    struct fuzz_input in = {bytes, bytes + size};
    uint8_t memory[64];
    struct mqtt_property_builder builder;
    struct mqtt_property property = {0};
    struct mqtt_span built;
    enum mqtt_error error;
    size_t end = 0;

    mqtt_properties_begin(&builder, memory, fuzz_byte(&in) % sizeof(memory));
    while (fuzz_left(&in) && !builder.error_) {
        unsigned how = fuzz_byte(&in);
        enum mqtt_property_identifier identifier =
            (enum mqtt_property_identifier)(how & 0x3f);
        struct mqtt_span text = {in.at, fuzz_left(&in) & 15};

        if (how & 0x80)
            mqtt_property_add_text(&builder, identifier, text);
        else if (how & 0x40)
            mqtt_property_add_user(&builder, text, text);
        else
            mqtt_property_add_number(&builder, identifier, fuzz_byte(&in));
    }
    built = mqtt_properties_end(&builder, &error);
    while (mqtt_property_next(built, &property))
        end = property.position_;
    require(error ? !end : end == built.size);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    struct mqtt_span all = {bytes + 1, size - 1};
    size_t chosen;
    bool valid;

    if (!size)
        return;
    chosen = bytes[0] % PLACES;
    valid = reference_properties(bytes + 1, size - 1, places[chosen].letter);
    require((mqtt_properties_check(all, places[chosen].place) == MQTT_OK) ==
            valid);
    iterate(all);
    find(all, bytes[0] & 0x3f);
    if (all.size)
        find(all, bytes[1]);
    build_again(all, valid);
    build_anything(bytes, size);
}
