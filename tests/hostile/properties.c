/*
 * properties.c - properties and reason codes of 5.0: those that stand where
 * they may not, twice, cut off, or with a value that is not allowed. What the
 * standard lists in tables is gone through whole; the rest is a table here.
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MALFORMED = 0x81, PROTOCOL = 0x82, ALIAS_INVALID = 0x94 };

#define MISPLACED MQTT_ERR_RECEIVED_PROPERTY
#define VALUE MQTT_ERR_PROPERTY_VALUE
#define CODE MQTT_ERR_RECEIVED_REASON_CODE
#define ALIAS MQTT_ERR_TOPIC_ALIAS

/* clang-format off */
static const struct behaviour table[] = {
    /* ---- lengths of properties ---- */
    BEHAVES("properties beyond PUBLISH", V5, CONNECTED, MQTT_ERR_TRUNCATED,
            MALFORMED, 0x30, 4, 0, 1, 'a', 5),
    BEHAVES("properties beyond CONNACK", V5, GREETING, MQTT_ERR_TRUNCATED,
            MALFORMED, 0x20, 3, 0, 0, 1),
    BEHAVES("properties beyond PUBACK", V5, PUBLISHING_1, MQTT_ERR_TRUNCATED,
            MALFORMED, 0x40, 4, 0, 1, 0, 9),
    BEHAVES("properties of 256 MB", V5, CONNECTED, MQTT_ERR_TRUNCATED, MALFORMED,
            0x30, 7, 0, 1, 'a', 0xFF, 0xFF, 0xFF, 0x7F),
    BEHAVES("a Property Length without end", V5, CONNECTED, MISPLACED, MALFORMED,
            0x30, 8, 0, 1, 'a', 0xFF, 0xFF, 0xFF, 0xFF, 0x7F),
    BEHAVES("a Property Length with a byte too many", V5, CONNECTED, MISPLACED,
            MALFORMED, 0x30, 5, 0, 1, 'a', 0x80, 0),
    BEHAVES("half a Property Length", V5, CONNECTED, MQTT_ERR_TRUNCATED,
            MALFORMED, 0x30, 4, 0, 1, 'a', 0x80),
    BEHAVES("half a Property Length of PUBACK", V5, PUBLISHING_1,
            MQTT_ERR_TRUNCATED, MALFORMED, 0x40, 4, 0, 1, 0, 0x80),

    /* ---- values ---- */
    BEHAVES("Receive Maximum 0", V5, GREETING, VALUE, PROTOCOL,
            0x20, 6, 0, 0, 3, 0x21, 0, 0),
    BEHAVES("Maximum Packet Size 0", V5, GREETING, VALUE, PROTOCOL,
            0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0),
    BEHAVES("Maximum QoS 2", V5, GREETING, VALUE, PROTOCOL,
            0x20, 5, 0, 0, 2, 0x24, 2),
    BEHAVES("Retain Available 2", V5, GREETING, VALUE, PROTOCOL,
            0x20, 5, 0, 0, 2, 0x25, 2),
    BEHAVES("Wildcard Subscription Available 255", V5, GREETING, VALUE, PROTOCOL,
            0x20, 5, 0, 0, 2, 0x28, 0xFF),
    BEHAVES("Subscription Identifier Available 2", V5, GREETING, VALUE, PROTOCOL,
            0x20, 5, 0, 0, 2, 0x29, 2),
    BEHAVES("Shared Subscription Available 2", V5, GREETING, VALUE, PROTOCOL,
            0x20, 5, 0, 0, 2, 0x2A, 2),
    BEHAVES("Payload Format Indicator 2", V5, CONNECTED, VALUE, PROTOCOL,
            0x30, 6, 0, 1, 'a', 2, 0x01, 2),
    BEHAVES("Subscription Identifier 0", V5, CONNECTED, VALUE, PROTOCOL,
            0x30, 6, 0, 1, 'a', 2, 0x0B, 0),
    BEHAVES("Subscription Identifier with a byte too many", V5, CONNECTED,
            MISPLACED, MALFORMED, 0x30, 7, 0, 1, 'a', 3, 0x0B, 0x81, 0),
    BEHAVES("Subscription Identifier without end", V5, CONNECTED, MISPLACED,
            MALFORMED,
            0x30, 10, 0, 1, 'a', 6, 0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F),
    BEHAVES("Response Topic #", V5, CONNECTED, MQTT_ERR_RECEIVED_TOPIC, MALFORMED,
            0x30, 8, 0, 1, 'a', 4, 0x08, 0, 1, '#'),
    BEHAVES("Response Topic a/+", V5, CONNECTED, MQTT_ERR_RECEIVED_TOPIC,
            MALFORMED, 0x30, 10, 0, 1, 'a', 6, 0x08, 0, 3, 'a', '/', '+'),
    BEHAVES("Response Topic with NUL", V5, CONNECTED, MISPLACED, MALFORMED,
            0x30, 8, 0, 1, 'a', 4, 0x08, 0, 1, 0),
    BEHAVES("Content Type with NUL", V5, CONNECTED, MISPLACED, MALFORMED,
            0x30, 8, 0, 1, 'a', 4, 0x03, 0, 1, 0),
    BEHAVES("Content Type with a surrogate", V5, CONNECTED, MISPLACED, MALFORMED,
            0x30, 10, 0, 1, 'a', 6, 0x03, 0, 3, 0xED, 0xBF, 0xBF),
    BEHAVES("Reason String that is no UTF-8", V5, PUBLISHING_1, MISPLACED,
            MALFORMED, 0x40, 8, 0, 1, 0, 4, 0x1F, 0, 1, 0xFF),
    BEHAVES("User Property whose name is no UTF-8", V5, CONNECTED, MISPLACED,
            MALFORMED, 0x30, 10, 0, 1, 'a', 6, 0x26, 0, 1, 0x80, 0, 0),
    BEHAVES("User Property whose value has NUL", V5, CONNECTED, MISPLACED,
            MALFORMED, 0x30, 10, 0, 1, 'a', 6, 0x26, 0, 0, 0, 1, 0),
    BEHAVES("Assigned Client Identifier that is no UTF-8", V5, GREETING,
            MISPLACED, MALFORMED, 0x20, 7, 0, 0, 4, 0x12, 0, 1, 0xC0),
    BEHAVES("Session Expiry Interval in DISCONNECT", V5, CONNECTED, VALUE,
            PROTOCOL, 0xE0, 7, 0, 5, 0x11, 0, 0, 0, 1),
    BEHAVES("Response Information that was not asked for", V5, GREETING, VALUE,
            PROTOCOL, 0x20, 7, 0, 0, 4, 0x1A, 0, 1, 'r'),
    BEHAVES("two Subscription Identifiers", V5, CONNECTED, MQTT_OK, 0,
            0x30, 8, 0, 1, 'a', 4, 0x0B, 1, 0x0B, 1),
    BEHAVES("two equal User Properties", V5, CONNECTED, MQTT_OK, 0,
            0x30, 14, 0, 1, 'a', 10, 0x26, 0, 0, 0, 0, 0x26, 0, 0, 0, 0),

    /* ---- topic aliases ---- */
    BEHAVES("Topic Alias 0", V5, CONNECTED, ALIAS, ALIAS_INVALID,
            0x30, 7, 0, 1, 'a', 3, 0x23, 0, 0),
    BEHAVES("Topic Alias 0 without topic", V5, CONNECTED, ALIAS, ALIAS_INVALID,
            0x30, 6, 0, 0, 3, 0x23, 0, 0),
    BEHAVES("Topic Alias above the maximum", V5, CONNECTED, ALIAS, ALIAS_INVALID,
            0x30, 7, 0, 1, 'a', 3, 0x23, 0, 17),
    BEHAVES("Topic Alias 65,535", V5, CONNECTED, ALIAS, ALIAS_INVALID,
            0x30, 7, 0, 1, 'a', 3, 0x23, 0xFF, 0xFF),
    BEHAVES("Topic Alias of nothing", V5, CONNECTED, VALUE, PROTOCOL,
            0x30, 6, 0, 0, 3, 0x23, 0, 3),
    BEHAVES("Topic Alias of another", V5, CONNECTED, VALUE, PROTOCOL,
            0x30, 7, 0, 1, 'a', 3, 0x23, 0, 1, 0x30, 6, 0, 0, 3, 0x23, 0, 2),
    BEHAVES("Topic Alias of an invalid topic", V5, CONNECTED,
            MQTT_ERR_RECEIVED_TOPIC, MALFORMED,
            0x30, 7, 0, 1, '#', 3, 0x23, 0, 1),
    BEHAVES("Topic Alias given anew", V5, CONNECTED, MQTT_OK, 0,
            0x30, 7, 0, 1, 'a', 3, 0x23, 0, 1,
            0x30, 7, 0, 1, 'b', 3, 0x23, 0, 1,
            0x30, 6, 0, 0, 3, 0x23, 0, 1),

    /* ---- flow control ---- */
    BEHAVES("a message beyond Receive Maximum", V5, FULL,
            MQTT_ERR_RECEIVE_MAXIMUM, 0x93, 0x34, 6, 0, 1, 'a', 0, 3, 0),
    BEHAVES("QoS 1 beyond Receive Maximum", V5, FULL, MQTT_ERR_RECEIVE_MAXIMUM,
            0x93, 0x32, 6, 0, 1, 'a', 0, 3, 0),
    BEHAVES("a duplicate at Receive Maximum", V5, FULL, MQTT_OK, 0,
            0x3C, 6, 0, 1, 'a', 0, 2, 0),
    BEHAVES("QoS 0 at Receive Maximum", V5, FULL, MQTT_OK, 0,
            0x30, 4, 0, 1, 'a', 0),
    BEHAVES("one more when one has ended", V5, FULL, MQTT_OK, 0,
            0x62, 2, 0, 1, 0x34, 6, 0, 1, 'a', 0, 3, 0),

    /* ---- authentication ---- */
    BEHAVES("AUTH that was not asked for", V5, CONNECTED, MQTT_ERR_AUTHENTICATION,
            PROTOCOL, 0xF0, 6, 0x18, 4, 0x15, 0, 1, 'm'),
    BEHAVES("AUTH that was not asked for before CONNACK", V5, GREETING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0xF0, 6, 0x18, 4, 0x15, 0, 1, 'm'),
    BEHAVES("AUTH without method", V5, AUTHENTICATING, VALUE, PROTOCOL,
            0xF0, 2, 0x18, 0),
    BEHAVES("AUTH with another method", V5, AUTHENTICATING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0xF0, 6, 0x18, 4, 0x15, 0, 1, 'n'),
    BEHAVES("AUTH of success before CONNACK", V5, AUTHENTICATING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0xF0, 6, 0, 4, 0x15, 0, 1, 'm'),
    BEHAVES("AUTH to begin anew from the server", V5, AUTHENTICATED, CODE,
            PROTOCOL, 0xF0, 6, 0x19, 4, 0x15, 0, 1, 'm'),
    BEHAVES("AUTH in the middle", V5, AUTHENTICATED, MQTT_ERR_AUTHENTICATION,
            PROTOCOL, 0xF0, 6, 0x18, 4, 0x15, 0, 1, 'm'),
    BEHAVES("AUTH of no byte", V5, AUTHENTICATED, VALUE, PROTOCOL, 0xF0, 0),
    BEHAVES("CONNACK without the method", V5, AUTHENTICATING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0x20, 3, 0, 0, 0),
    BEHAVES("CONNACK with another method", V5, AUTHENTICATING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0x20, 7, 0, 0, 4, 0x15, 0, 1, 'n'),
    BEHAVES("CONNACK with a method nobody named", V5, GREETING,
            MQTT_ERR_AUTHENTICATION, PROTOCOL, 0x20, 7, 0, 0, 4, 0x15, 0, 1, 'm'),
    BEHAVES("CONNACK with data and no method", V5, GREETING, VALUE, PROTOCOL,
            0x20, 7, 0, 0, 4, 0x16, 0, 1, 'd'),

    /* ---- the order of things ---- */
    BEHAVES("DISCONNECT before CONNACK", V5, GREETING, MQTT_ERR_PACKET_ORDER,
            PROTOCOL, 0xE0, 2, 0x8B, 0),
    {.name = "a session with a refusal", .versions = V5, .when = RESUMING,
     .error = MQTT_ERR_SESSION_PRESENT, .code = PROTOCOL, .reason_code = 0x87,
     BYTES(0x20, 3, 1, 0x87, 0)},
};
/* clang-format on */

/* ---- behaviours that are made ------------------------------------------------ */

enum { MOST = 1200 };

static struct behaviour all[MOST];
static size_t count;

static void add(const char *name, enum when when, enum mqtt_error error,
                uint8_t code, uint8_t reason_code, const uint8_t *bytes,
                size_t size)
{
    struct behaviour *b = &all[count++];
    uint8_t *copy = malloc(size);

    if (count == MOST || !copy)
        abort();
    memcpy(copy, bytes, size);
    *b = (struct behaviour){.name = strdup(name),
                            .versions = V5,
                            .when = when,
                            .error = error,
                            .code = code,
                            .bytes = copy,
                            .size = size,
                            .reason_code = reason_code};
}

/* ---- properties, by table 2-4 of 5.0 ----------------------------------------- */

struct property {
    uint8_t identifier;
    const char *places; /* letters of `packets` where it may stand */
    bool repeats;
    uint8_t size, value[8];
};

static const struct property properties[] = {
    {0x01, "P", false, 1, {0}},
    {0x02, "P", false, 4, {0, 0, 0, 9}},
    {0x03, "P", false, 3, {0, 1, 't'}},
    {0x08, "P", false, 3, {0, 1, 'r'}},
    {0x09, "P", false, 3, {0, 1, 'c'}},
    {0x0B, "P", true, 2, {0x80, 0x01}},
    {0x11, "KD", false, 4, {0, 0, 0, 9}},
    {0x12, "K", false, 3, {0, 1, 'i'}},
    {0x13, "K", false, 2, {0, 9}},
    {0x15, "KH", false, 3, {0, 1, 'm'}},
    {0x16, "KH", false, 3, {0, 1, 'd'}},
    {0x17, "", false, 1, {0}},
    {0x18, "", false, 4, {0, 0, 0, 1}},
    {0x19, "", false, 1, {0}},
    {0x1A, "K", false, 3, {0, 1, 'i'}},
    {0x1C, "KD", false, 3, {0, 1, 's'}},
    {0x1F, "KACSUDH", false, 3, {0, 1, 'w'}},
    {0x21, "K", false, 2, {0, 9}},
    {0x22, "K", false, 2, {0, 9}},
    {0x23, "P", false, 2, {0, 1}},
    {0x24, "K", false, 1, {1}},
    {0x25, "K", false, 1, {1}},
    {0x26, "KPACSUDH", true, 6, {0, 1, 'a', 0, 1, 'b'}},
    {0x27, "K", false, 4, {0, 0, 4, 0}},
    {0x28, "K", false, 1, {1}},
    {0x29, "K", false, 1, {1}},
    {0x2A, "K", false, 1, {1}},
    /* There are none such. */
    {0x00, "", false, 1, {0}},
    {0x04, "", false, 1, {0}},
    {0x2B, "", false, 1, {0}},
    {0x7F, "", false, 1, {0}},
    {0xA6, "", false, 1, {0}},
};

/* A packet up to its Property Length, and behind its properties. */
static const struct packet {
    char letter;
    const char *name;
    enum when when;
    uint8_t head_size, head[4]; /* behind the fixed header */
    uint8_t first, tail_size, tail[2];
} packets[] = {
    {'K', "CONNACK", GREETING, 2, {0, 0}, 0x20, 0, {0}},
    {'P', "PUBLISH", CONNECTED, 3, {0, 1, 'a'}, 0x30, 0, {0}},
    {'A', "PUBACK", PUBLISHING_1, 3, {0, 1, 0}, 0x40, 0, {0}},
    {'C', "PUBCOMP", RELEASED, 3, {0, 1, 0}, 0x70, 0, {0}},
    {'S', "SUBACK", SUBSCRIBING, 2, {0, 1}, 0x90, 2, {0, 0}},
    {'U', "UNSUBACK", UNSUBSCRIBING, 2, {0, 2}, 0xB0, 1, {0}},
    {'D', "DISCONNECT", CONNECTED, 1, {0x8B}, 0xE0, 0, {0}},
    {'H', "AUTH", AUTHENTICATING, 1, {0x18}, 0xF0, 0, {0}},
};
#define PACKETS (sizeof(packets) / sizeof(packets[0]))
#define PROPERTIES (sizeof(properties) / sizeof(properties[0]))

/* The packet with these bytes as its properties. */
static size_t make(const struct packet *p, const uint8_t *bytes, size_t size,
                   uint8_t *out)
{
    size_t n = 0;

    out[n++] = p->first;
    out[n++] = (uint8_t)(p->head_size + 1 + size + p->tail_size);
    memcpy(out + n, p->head, p->head_size);
    n += p->head_size;
    out[n++] = (uint8_t)size;
    memcpy(out + n, bytes, size);
    n += size;
    memcpy(out + n, p->tail, p->tail_size);
    return n + p->tail_size;
}

static size_t put(const struct property *property, uint8_t *out)
{
    out[0] = property->identifier;
    memcpy(out + 1, property->value, property->size);
    return 1u + property->size;
}

static void add_made(const struct packet *p, const struct property *property,
                     const char *what, enum mqtt_error error,
                     const uint8_t *bytes, size_t size)
{
    uint8_t packet[64];
    char name[64];

    snprintf(name, sizeof(name), "property 0x%02X %s %s", property->identifier,
             what, p->name);
    add(name, p->when, error, error == VALUE ? PROTOCOL : MALFORMED, 0, packet,
        make(p, bytes, size, packet));
}

static void misplace(const struct packet *p, const struct property *property)
{
    uint8_t bytes[16];

    add_made(p, property, "in", MISPLACED, bytes, put(property, bytes));
}

/* The last byte is missing. */
static void cut_off(const struct packet *p, const struct property *property)
{
    uint8_t bytes[16];

    add_made(p, property, "cut off in", MISPLACED, bytes,
             put(property, bytes) - 1);
}

static void repeat(const struct packet *p, const struct property *property)
{
    uint8_t bytes[32];
    size_t size = put(property, bytes);

    add_made(p, property, "twice in", VALUE, bytes,
             size + put(property, bytes + size));
}

static void add_properties(void)
{
    for (size_t i = 0; i < PACKETS * PROPERTIES; i++) {
        const struct packet *p = &packets[i / PROPERTIES];
        const struct property *property = &properties[i % PROPERTIES];

        if (!strchr(property->places, p->letter)) {
            misplace(p, property);
            continue;
        }
        cut_off(p, property);
        if (!property->repeats)
            repeat(p, property);
    }
}

/* ---- reason codes, by sections 3.2 to 3.15 ------------------------------------- */

/* Codes that stand in some packet, and some that stand in none. */
static const uint8_t codes[] = {
    0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x18, 0x19, 0x7F, 0x80, 0x81, 0x82,
    0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E,
    0x8F, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
    0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, 0xA3, 0xFF,
};

static const struct place {
    const char *name;
    enum when when;
    enum mqtt_error error; /* of a code that may not stand there */
    const char *allowed;
    uint8_t size, packet[8], at; /* where in the packet the code stands */
} places[] = {
    {"CONNACK",
     GREETING,
     MQTT_ERR_CONNACK_CODE,
     "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x8C\x90\x95\x97\x99\x9A\x9B"
     "\x9C\x9D\x9F",
     5,
     {0x20, 3, 0, 0, 0},
     3},
    {"PUBACK",
     PUBLISHING_1,
     CODE,
     "\x10\x80\x83\x87\x90\x91\x97\x99",
     5,
     {0x40, 3, 0, 1, 0},
     4},
    {"PUBREC",
     PUBLISHING_2,
     CODE,
     "\x10\x80\x83\x87\x90\x91\x97\x99",
     5,
     {0x50, 3, 0, 1, 0},
     4},
    {"PUBREL", CONNECTED, CODE, "\x92", 5, {0x62, 3, 0, 1, 0}, 4},
    {"PUBCOMP", RELEASED, CODE, "\x92", 5, {0x70, 3, 0, 1, 0}, 4},
    {"SUBACK",
     SUBSCRIBING,
     MQTT_ERR_SUBACK_CODE,
     "\x01\x02\x80\x83\x87\x8F\x91\x97\x9E\xA1\xA2",
     7,
     {0x90, 5, 0, 1, 0, 0, 0},
     6},
    {"UNSUBACK",
     UNSUBSCRIBING,
     MQTT_ERR_SUBACK_CODE,
     "\x11\x80\x83\x87\x8F\x91",
     6,
     {0xB0, 4, 0, 2, 0, 0},
     5},
    /* 0x8C: see docs/design.md. */
    {"DISCONNECT",
     CONNECTED,
     CODE,
     "\x80\x81\x82\x83\x87\x89\x8B\x8C\x8D\x8E\x8F\x90\x93\x94\x95\x96\x97\x98"
     "\x99\x9A\x9B\x9C\x9D\x9E\x9F\xA0\xA1\xA2",
     3,
     {0xE0, 1, 0},
     2},
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* CONNACK refuses, DISCONNECT ends; all others answer. */
static enum mqtt_error error_of_allowed(const struct place *place)
{
    if (place->packet[0] == 0x20)
        return MQTT_ERR_REFUSED;
    return place->packet[0] == 0xE0 ? MQTT_ERR_DISCONNECT_PACKET : MQTT_OK;
}

static void add_code(const struct place *place, uint8_t code)
{
    bool allowed = strchr(place->allowed, code);
    enum mqtt_error error = allowed ? error_of_allowed(place) : place->error;
    uint8_t packet[8], told = 0;
    char name[64];

    memcpy(packet, place->packet, sizeof(packet));
    packet[place->at] = code;
    snprintf(name, sizeof(name), "reason code 0x%02X in %s", code, place->name);
    if (place->packet[0] == 0x20 || (allowed && place->packet[0] == 0xE0))
        told = code;
    add(name, place->when, error, allowed ? 0 : PROTOCOL, told, packet,
        place->size);
}

static void add_codes(void)
{
    for (size_t i = 0; i < PLACES; i++)
        for (size_t j = 0; j < sizeof(codes); j++)
            add_code(&places[i], codes[j]);
}

int main(void)
{
    int failed;

    count = sizeof(table) / sizeof(table[0]);
    memcpy(all, table, sizeof(table));
    add_properties();
    add_codes();
    failed = hostile_run("properties", all, count);
    for (size_t i = sizeof(table) / sizeof(table[0]); i < count; i++) {
        free((void *)(uintptr_t)all[i].name);
        free((void *)(uintptr_t)all[i].bytes);
    }
    return failed;
}
