/*
 * properties.c - the properties of 5.0 [5.0, section 2.2.2]: what the standard
 * says of each, against a table typed by hand; reading, checking and building.
 */
#include "script.h"

#define CONNECT MQTT_IN_CONNECT
#define WILL MQTT_IN_WILL
#define CONNACK MQTT_IN_CONNACK
#define PUBLISH MQTT_IN_PUBLISH
#define PUBACK MQTT_IN_PUBACK
#define SUBSCRIBE MQTT_IN_SUBSCRIBE
#define SUBACK MQTT_IN_SUBACK
#define UNSUBSCRIBE MQTT_IN_UNSUBSCRIBE
#define DISCONNECT MQTT_IN_DISCONNECT
#define AUTH MQTT_IN_AUTH
#define PLACES 10

/* [5.0, table 2-4], and an example of each. */
struct row_of_table {
    uint8_t identifier;
    enum mqtt_property_type type;
    unsigned places;
    bool repeats;
    size_t size;
    uint8_t bytes[8];
};

static const struct row_of_table table[] = {
    /* Payload Format Indicator */
    {0x01, MQTT_TYPE_BYTE, PUBLISH | WILL, false, 2, {0x01, 0x01}},
    /* Message Expiry Interval */
    {0x02,
     MQTT_TYPE_FOUR_BYTE_INTEGER,
     PUBLISH | WILL,
     false,
     5,
     {0x02, 0x12, 0x34, 0x56, 0x78}},
    /* Content Type */
    {0x03, MQTT_TYPE_STRING, PUBLISH | WILL, false, 4, {0x03, 0x00, 0x01, 't'}},
    /* Response Topic */
    {0x08,
     MQTT_TYPE_STRING,
     PUBLISH | WILL,
     false,
     6,
     {0x08, 0x00, 0x03, 'r', '/', 't'}},
    /* Correlation Data */
    {0x09,
     MQTT_TYPE_BINARY,
     PUBLISH | WILL,
     false,
     5,
     {0x09, 0x00, 0x02, 0x00, 0xFF}},
    /* Subscription Identifier */
    {0x0B,
     MQTT_TYPE_VARIABLE_BYTE_INTEGER,
     PUBLISH | SUBSCRIBE,
     true,
     3,
     {0x0B, 0x80, 0x01}},
    /* Session Expiry Interval */
    {0x11,
     MQTT_TYPE_FOUR_BYTE_INTEGER,
     CONNECT | CONNACK | DISCONNECT,
     false,
     5,
     {0x11, 0x00, 0x00, 0x0E, 0x10}},
    /* Assigned Client Identifier */
    {0x12, MQTT_TYPE_STRING, CONNACK, false, 5, {0x12, 0x00, 0x02, 'i', 'd'}},
    /* Server Keep Alive */
    {0x13, MQTT_TYPE_TWO_BYTE_INTEGER, CONNACK, false, 3, {0x13, 0x00, 0x3C}},
    /* Authentication Method */
    {0x15,
     MQTT_TYPE_STRING,
     CONNECT | CONNACK | AUTH,
     false,
     4,
     {0x15, 0x00, 0x01, 'm'}},
    /* Authentication Data */
    {0x16,
     MQTT_TYPE_BINARY,
     CONNECT | CONNACK | AUTH,
     false,
     4,
     {0x16, 0x00, 0x01, 0xFE}},
    /* Request Problem Information */
    {0x17, MQTT_TYPE_BYTE, CONNECT, false, 2, {0x17, 0x00}},
    /* Will Delay Interval */
    {0x18,
     MQTT_TYPE_FOUR_BYTE_INTEGER,
     WILL,
     false,
     5,
     {0x18, 0x00, 0x00, 0x00, 0x05}},
    /* Request Response Information */
    {0x19, MQTT_TYPE_BYTE, CONNECT, false, 2, {0x19, 0x01}},
    /* Response Information */
    {0x1A, MQTT_TYPE_STRING, CONNACK, false, 4, {0x1A, 0x00, 0x01, 'i'}},
    /* Server Reference */
    {0x1C,
     MQTT_TYPE_STRING,
     CONNACK | DISCONNECT,
     false,
     4,
     {0x1C, 0x00, 0x01, 's'}},
    /* Reason String */
    {0x1F,
     MQTT_TYPE_STRING,
     CONNACK | PUBACK | SUBACK | DISCONNECT | AUTH,
     false,
     5,
     {0x1F, 0x00, 0x02, 'n', 'o'}},
    /* Receive Maximum */
    {0x21,
     MQTT_TYPE_TWO_BYTE_INTEGER,
     CONNECT | CONNACK,
     false,
     3,
     {0x21, 0x00, 0x14}},
    /* Topic Alias Maximum */
    {0x22,
     MQTT_TYPE_TWO_BYTE_INTEGER,
     CONNECT | CONNACK,
     false,
     3,
     {0x22, 0x01, 0x00}},
    /* Topic Alias */
    {0x23, MQTT_TYPE_TWO_BYTE_INTEGER, PUBLISH, false, 3, {0x23, 0xFF, 0xFF}},
    /* Maximum QoS */
    {0x24, MQTT_TYPE_BYTE, CONNACK, false, 2, {0x24, 0x01}},
    /* Retain Available */
    {0x25, MQTT_TYPE_BYTE, CONNACK, false, 2, {0x25, 0x00}},
    /* User Property */
    {0x26,
     MQTT_TYPE_STRING_PAIR,
     CONNECT | CONNACK | PUBLISH | WILL | PUBACK | SUBSCRIBE | SUBACK |
         UNSUBSCRIBE | DISCONNECT | AUTH,
     true,
     8,
     {0x26, 0x00, 0x01, 'n', 0x00, 0x02, 'v', 'v'}},
    /* Maximum Packet Size */
    {0x27,
     MQTT_TYPE_FOUR_BYTE_INTEGER,
     CONNECT | CONNACK,
     false,
     5,
     {0x27, 0x10, 0x00, 0x00, 0x00}},
    /* Wildcard Subscription Available */
    {0x28, MQTT_TYPE_BYTE, CONNACK, false, 2, {0x28, 0x01}},
    /* Subscription Identifier Available */
    {0x29, MQTT_TYPE_BYTE, CONNACK, false, 2, {0x29, 0x01}},
    /* Shared Subscription Available */
    {0x2A, MQTT_TYPE_BYTE, CONNACK, false, 2, {0x2A, 0x00}},
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static const struct row_of_table *row_of(unsigned identifier)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].identifier == identifier)
            return &table[i];
    return NULL;
}

/* Not one byte beyond the end is read: the copy is exact. */
static struct mqtt_span exactly(const void *bytes, size_t size)
{
    static void *copy;

    free(copy);
    copy = malloc(size);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    return (struct mqtt_span){copy, size};
}

static enum mqtt_error check(const void *bytes, size_t size, unsigned place)
{
    return mqtt_properties_check(exactly(bytes, size),
                                 (enum mqtt_property_place)place);
}

#define expect_checked(place, expected, ...)                                   \
    do {                                                                       \
        static const uint8_t bytes_[] = {__VA_ARGS__};                         \
        assert_int_equal(check(bytes_, sizeof(bytes_), place), expected);      \
    } while (0)

/* A method goes before Authentication Data, which may not stand alone. */
static size_t put_method(const struct row_of_table *row, uint8_t *out)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};

    if (row->identifier != 0x16)
        return 0;
    memcpy(out, method, sizeof(method));
    return sizeof(method);
}

static enum mqtt_error check_row(const struct row_of_table *row, size_t size,
                                 unsigned place)
{
    uint8_t bytes[16];
    size_t before = row->places & place ? put_method(row, bytes) : 0;

    memcpy(bytes + before, row->bytes, size);
    return check(bytes, before + size, place);
}

/* ---- the rules ----------------------------------------------------------- */

static void test_rules_are_those_of_the_standard(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        struct mqtt_property_rule rule = mqtt_property_rule_of((uint8_t)i);
        const struct row_of_table *row = row_of(i);

        assert_int_equal(rule.type, row ? row->type : MQTT_TYPE_NONE);
        assert_int_equal(rule.places, row ? row->places : 0);
        assert_int_equal(rule.repeats, row && row->repeats);
    }
}

static void test_names_stand_for_the_identifiers_of_the_standard(void **state)
{
    (void)state;
    assert_int_equal(MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 0x01);
    assert_int_equal(MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 0x02);
    assert_int_equal(MQTT_PROPERTY_CONTENT_TYPE, 0x03);
    assert_int_equal(MQTT_PROPERTY_RESPONSE_TOPIC, 0x08);
    assert_int_equal(MQTT_PROPERTY_CORRELATION_DATA, 0x09);
    assert_int_equal(MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, 0x0B);
    assert_int_equal(MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, 0x11);
    assert_int_equal(MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER, 0x12);
    assert_int_equal(MQTT_PROPERTY_SERVER_KEEP_ALIVE, 0x13);
    assert_int_equal(MQTT_PROPERTY_AUTHENTICATION_METHOD, 0x15);
    assert_int_equal(MQTT_PROPERTY_AUTHENTICATION_DATA, 0x16);
    assert_int_equal(MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION, 0x17);
    assert_int_equal(MQTT_PROPERTY_WILL_DELAY_INTERVAL, 0x18);
    assert_int_equal(MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION, 0x19);
    assert_int_equal(MQTT_PROPERTY_RESPONSE_INFORMATION, 0x1A);
    assert_int_equal(MQTT_PROPERTY_SERVER_REFERENCE, 0x1C);
    assert_int_equal(MQTT_PROPERTY_REASON_STRING, 0x1F);
    assert_int_equal(MQTT_PROPERTY_RECEIVE_MAXIMUM, 0x21);
    assert_int_equal(MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, 0x22);
    assert_int_equal(MQTT_PROPERTY_TOPIC_ALIAS, 0x23);
    assert_int_equal(MQTT_PROPERTY_MAXIMUM_QOS, 0x24);
    assert_int_equal(MQTT_PROPERTY_RETAIN_AVAILABLE, 0x25);
    assert_int_equal(MQTT_PROPERTY_USER_PROPERTY, 0x26);
    assert_int_equal(MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, 0x27);
    assert_int_equal(MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE, 0x28);
    assert_int_equal(MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE, 0x29);
    assert_int_equal(MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE, 0x2A);
}

static void test_a_property_stands_only_in_its_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned p = 0; p < PLACES; p++)
            if (check_row(&table[i], table[i].size, 1u << p) !=
                (table[i].places >> p & 1 ? MQTT_OK
                                          : MQTT_ERR_RECEIVED_PROPERTY))
                fail_msg("%02x in place %u", table[i].identifier, p);
}

static void test_identifiers_that_do_not_exist_are_malformed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t bytes[6] = {(uint8_t)i};

        if (row_of(i))
            continue;
        for (unsigned p = 0; p < PLACES; p++)
            for (size_t size = 1; size <= sizeof(bytes); size++)
                assert_int_equal(check(bytes, size, 1u << p),
                                 MQTT_ERR_RECEIVED_PROPERTY);
    }
}

static void test_no_properties_are_good_everywhere(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PLACES; p++) {
        struct mqtt_span absent = {NULL, 0};

        assert_int_equal(
            mqtt_properties_check(absent, (enum mqtt_property_place)(1 << p)),
            MQTT_OK);
        assert_int_equal(check("", 0, 1u << p), MQTT_OK);
    }
}

static void test_bytes_that_are_absent_are_malformed(void **state)
{
    struct mqtt_span absent = {NULL, 1};
    struct mqtt_property property = {0};

    (void)state;
    assert_int_equal(mqtt_properties_check(absent, MQTT_IN_PUBLISH),
                     MQTT_ERR_RECEIVED_PROPERTY);
    assert_false(mqtt_property_next(absent, &property));
}

static void test_a_value_that_is_cut_off_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned p = 0; p < PLACES; p++)
            for (size_t size = 1; size < table[i].size; size++)
                if (check_row(&table[i], size, 1u << p) !=
                    MQTT_ERR_RECEIVED_PROPERTY)
                    fail_msg("%02x of %zu bytes", table[i].identifier, size);
}

static enum mqtt_error check_twice(const struct row_of_table *row,
                                   unsigned place)
{
    uint8_t bytes[24];
    size_t n = put_method(row, bytes);

    for (int i = 0; i < 2; i++) {
        memcpy(bytes + n, row->bytes, row->size);
        n += row->size;
    }
    return check(bytes, n, place);
}

static void test_what_may_stand_once_is_not_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned p = 0; p < PLACES; p++) {
            bool repeats = table[i].repeats && !(table[i].identifier == 0x0B &&
                                                 1 << p == SUBSCRIBE);

            if (!(table[i].places >> p & 1))
                continue;
            if (check_twice(&table[i], 1u << p) !=
                (repeats ? MQTT_OK : MQTT_ERR_PROPERTY_VALUE))
                fail_msg("%02x in place %u", table[i].identifier, p);
        }
}

static void test_a_repetition_is_found_behind_others(void **state)
{
    (void)state;
    expect_checked(PUBLISH, MQTT_ERR_PROPERTY_VALUE, 0x01,
                   0x01,                              /* Payload Format */
                   0x26, 0x00, 0x01, 'a', 0x00, 0x00, /* User Property */
                   0x02, 0x00, 0x00, 0x00, 0x01,      /* Message Expiry */
                   0x01, 0x01);                       /* Payload Format */
    expect_checked(CONNACK, MQTT_ERR_PROPERTY_VALUE, 0x21, 0x00,
                   0x01,              /* Receive Maximum: bit 1 of the second */
                   0x22, 0x00, 0x01,  /* half of the identifiers */
                   0x21, 0x00, 0x01); /* Receive Maximum */
}

/* Identifiers that are 32 apart are not taken for each other. */
static void test_different_properties_are_no_repetition(void **state)
{
    (void)state;
    expect_checked(CONNACK, MQTT_OK, 0x11, 0x00, 0x00, 0x00,
                   0x00,             /* Session Expiry Interval */
                   0x12, 0x00, 0x00, /* Assigned Client Identifier */
                   0x13, 0x00, 0x00, /* Server Keep Alive */
                   0x15, 0x00, 0x00, /* Authentication Method */
                   0x16, 0x00, 0x00, /* Authentication Data */
                   0x1A, 0x00, 0x00, /* Response Information */
                   0x1C, 0x00, 0x00, /* Server Reference */
                   0x1F, 0x00, 0x00, /* Reason String */
                   0x21, 0x00, 0x01, /* Receive Maximum */
                   0x22, 0x00, 0x00, /* Topic Alias Maximum */
                   0x24, 0x00,       /* Maximum QoS */
                   0x25, 0x00,       /* Retain Available */
                   0x26, 0x00, 0x00, 0x00, 0x00, /* User Property */
                   0x27, 0x00, 0x00, 0x00, 0x01, /* Maximum Packet Size */
                   0x28, 0x00,  /* Wildcard Subscription Available */
                   0x29, 0x00,  /* Subscription Identifier Available */
                   0x2A, 0x00); /* Shared Subscription Available */
    expect_checked(PUBLISH, MQTT_OK, 0x03, 0x00, 0x00, /* Content Type */
                   0x23, 0x00, 0x01,                   /* Topic Alias */
                   0x0B, 0x01,                         /* Subscription Id. */
                   0x01, 0x00);                        /* Payload Format */
}

/* ---- values -------------------------------------------------------------- */

static const struct {
    size_t size;
    uint8_t bytes[4];
} not_utf8[] = {
    {1, {0x00}},                   /* U+0000 [5.0 MQTT-1.5.4-2] */
    {1, {0x80}},                   /* a continuation alone */
    {1, {0xFF}},                   /* no byte of UTF-8 */
    {2, {0xC0, 0x80}},             /* overlong */
    {2, {0xC3, 'a'}},              /* the second byte is none */
    {2, {0xE2, 0x82}},             /* three bytes, two there */
    {3, {0xED, 0xA0, 0x80}},       /* a surrogate [5.0 MQTT-1.5.4-1] */
    {4, {0xF4, 0x90, 0x80, 0x80}}, /* beyond U+10FFFF */
};
#define NOT_UTF8 (sizeof(not_utf8) / sizeof(not_utf8[0]))

static unsigned some_place(const struct row_of_table *row)
{
    unsigned place = 1;

    while (!(row->places & place))
        place <<= 1;
    return place;
}

static void test_a_string_is_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < NOT_UTF8; k++) {
            uint8_t bytes[8] = {table[i].identifier, 0x00};

            if (table[i].type != MQTT_TYPE_STRING)
                continue;
            bytes[2] = (uint8_t)not_utf8[k].size;
            memcpy(bytes + 3, not_utf8[k].bytes, not_utf8[k].size);
            assert_int_equal(
                check(bytes, 3 + not_utf8[k].size, some_place(&table[i])),
                MQTT_ERR_RECEIVED_PROPERTY);
        }
}

static void test_both_halves_of_a_pair_are_utf8(void **state)
{
    (void)state;
    for (size_t k = 0; k < NOT_UTF8; k++) {
        uint8_t size = (uint8_t)not_utf8[k].size;
        uint8_t name[10] = {0x26, 0x00, size},
                value[10] = {0x26, 0x00, 0x00, 0x00, size};

        memcpy(name + 3, not_utf8[k].bytes, size);
        memcpy(value + 5, not_utf8[k].bytes, size);
        assert_int_equal(check(name, 5u + size, PUBLISH),
                         MQTT_ERR_RECEIVED_PROPERTY);
        assert_int_equal(check(value, 5u + size, PUBLISH),
                         MQTT_ERR_RECEIVED_PROPERTY);
    }
}

static void test_binary_data_is_any_bytes(void **state)
{
    (void)state;
    for (size_t k = 0; k < NOT_UTF8; k++) {
        uint8_t bytes[8] = {0x09, 0x00, (uint8_t)not_utf8[k].size};

        memcpy(bytes + 3, not_utf8[k].bytes, not_utf8[k].size);
        assert_int_equal(check(bytes, 3 + not_utf8[k].size, PUBLISH), MQTT_OK);
    }
}

static void test_a_flag_is_0_or_1(void **state)
{
    static const uint8_t flags[] = {0x01, 0x17, 0x19, 0x24,
                                    0x25, 0x28, 0x29, 0x2A};

    (void)state;
    for (size_t i = 0; i < sizeof(flags); i++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t bytes[2] = {flags[i], (uint8_t)value};

            assert_int_equal(check(bytes, 2, some_place(row_of(flags[i]))),
                             value <= 1 ? MQTT_OK : MQTT_ERR_PROPERTY_VALUE);
        }
}

static void test_0_is_refused_where_it_means_nothing(void **state)
{
    (void)state;
    expect_checked(CONNACK, MQTT_ERR_PROPERTY_VALUE, 0x21, 0x00, 0x00);
    expect_checked(CONNECT, MQTT_ERR_PROPERTY_VALUE, 0x21, 0x00, 0x00);
    expect_checked(CONNACK, MQTT_ERR_PROPERTY_VALUE, 0x27, 0x00, 0x00, 0x00,
                   0x00);
    expect_checked(CONNECT, MQTT_ERR_PROPERTY_VALUE, 0x27, 0x00, 0x00, 0x00,
                   0x00);
    expect_checked(PUBLISH, MQTT_ERR_PROPERTY_VALUE, 0x0B, 0x00);
    expect_checked(SUBSCRIBE, MQTT_ERR_PROPERTY_VALUE, 0x0B, 0x00);
    expect_checked(PUBLISH, MQTT_ERR_TOPIC_ALIAS, 0x23, 0x00, 0x00);
}

static void test_0_is_a_value_elsewhere(void **state)
{
    (void)state;
    expect_checked(PUBLISH, MQTT_OK, 0x02, 0x00, 0x00, 0x00, 0x00);
    expect_checked(CONNACK, MQTT_OK, 0x11, 0x00, 0x00, 0x00, 0x00);
    expect_checked(CONNACK, MQTT_OK, 0x13, 0x00, 0x00);
    expect_checked(WILL, MQTT_OK, 0x18, 0x00, 0x00, 0x00, 0x00);
    expect_checked(CONNACK, MQTT_OK, 0x22, 0x00, 0x00);
}

static void test_the_second_of_several_is_checked_too(void **state)
{
    (void)state;
    expect_checked(PUBLISH, MQTT_OK, 0x0B, 0x01, 0x0B, 0x02, 0x0B, 0x01);
    expect_checked(PUBLISH, MQTT_ERR_PROPERTY_VALUE, 0x0B, 0x01, 0x0B, 0x00);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x01, 0x0B);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x01, 0x21, 0x00,
                   0x01);
}

static void test_a_response_topic_is_a_topic_name(void **state)
{
    (void)state;
    for (unsigned place = PUBLISH; place; place = place == PUBLISH ? WILL : 0) {
        expect_checked(place, MQTT_OK, 0x08, 0x00, 0x01, '/');
        expect_checked(place, MQTT_ERR_RECEIVED_TOPIC, 0x08, 0x00, 0x00);
        expect_checked(place, MQTT_ERR_RECEIVED_TOPIC, 0x08, 0x00, 0x01, '#');
        expect_checked(place, MQTT_ERR_RECEIVED_TOPIC, 0x08, 0x00, 0x03, 'a',
                       '/', '+');
        expect_checked(place, MQTT_ERR_RECEIVED_PROPERTY, 0x08, 0x00, 0x01,
                       0xFF);
    }
}

static void test_authentication_data_needs_a_method(void **state)
{
    static const unsigned places[] = {CONNECT, CONNACK, AUTH};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        expect_checked(places[i], MQTT_ERR_PROPERTY_VALUE, 0x16, 0x00, 0x00);
        expect_checked(places[i], MQTT_OK, 0x16, 0x00, 0x01, 0x00, /* data */
                       0x15, 0x00, 0x00);                          /* method */
        expect_checked(places[i], MQTT_OK, 0x15, 0x00, 0x01, 'm');
    }
}

static void test_subscription_identifiers_have_no_byte_too_many(void **state)
{
    (void)state;
    expect_checked(PUBLISH, MQTT_OK, 0x0B, 0x7F);
    expect_checked(PUBLISH, MQTT_OK, 0x0B, 0x80, 0x01);
    expect_checked(PUBLISH, MQTT_OK, 0x0B, 0x80, 0x80, 0x01);
    expect_checked(PUBLISH, MQTT_OK, 0x0B, 0xFF, 0xFF, 0xFF, 0x7F);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x81, 0x00);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0xFF, 0x80, 0x00);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x80, 0x80, 0x80,
                   0x00);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x80, 0x80, 0x80,
                   0x80, 0x01);
    expect_checked(PUBLISH, MQTT_ERR_RECEIVED_PROPERTY, 0x0B, 0x80, 0x80);
}

/* ---- the iterator -------------------------------------------------------- */

static const uint8_t several[] = {
    0x26, 0x00, 0x01, 'a',  0x00, 0x02, 'b', 'c', /* User Property */
    0x01, 0x01,                                   /* Payload Format Indicator */
    0x23, 0x12, 0x34,                             /* Topic Alias */
    0x02, 0xFE, 0xDC, 0xBA, 0x98,                 /* Message Expiry Interval */
    0x0B, 0xFF, 0xFF, 0xFF, 0x7F,                 /* Subscription Identifier */
    0x09, 0x00, 0x02, 0x00, 0xFF,                 /* Correlation Data */
    0x03, 0x00, 0x00,                             /* Content Type */
    0x0B, 0x05,                                   /* Subscription Identifier */
    0x26, 0x00, 0x00, 0x00, 0x00,                 /* User Property */
};

static void expect_next_number(struct mqtt_span properties,
                               struct mqtt_property *property,
                               uint8_t identifier, uint32_t number)
{
    assert_true(mqtt_property_next(properties, property));
    assert_int_equal(property->identifier, identifier);
    assert_int_equal(property->number, number);
    assert_int_equal(property->text.size, 0);
    assert_int_equal(property->name.size, 0);
}

static void expect_text(struct mqtt_span text, const void *bytes, size_t size)
{
    assert_non_null(text.data);
    assert_int_equal(text.size, size);
    assert_memory_equal(text.data, bytes, size);
}

static void expect_next_text(struct mqtt_span properties,
                             struct mqtt_property *property, uint8_t identifier,
                             const void *bytes, size_t size)
{
    assert_true(mqtt_property_next(properties, property));
    assert_int_equal(property->identifier, identifier);
    assert_int_equal(property->number, 0);
    expect_text(property->text, bytes, size);
}

static void test_the_iterator_reads_each_in_order(void **state)
{
    struct mqtt_span properties = exactly(several, sizeof(several));
    struct mqtt_property property = {0};

    (void)state;
    expect_next_text(properties, &property, 0x26, "bc", 2);
    expect_text(property.name, "a", 1);
    expect_next_number(properties, &property, 0x01, 1);
    expect_next_number(properties, &property, 0x23, 0x1234);
    expect_next_number(properties, &property, 0x02, 0xFEDCBA98);
    expect_next_number(properties, &property, 0x0B, 268435455);
    expect_next_text(properties, &property, 0x09, "\0\xFF", 2);
    expect_next_text(properties, &property, 0x03, "", 0);
    expect_next_number(properties, &property, 0x0B, 5);
    expect_next_text(properties, &property, 0x26, "", 0);
    expect_text(property.name, "", 0);
    assert_false(mqtt_property_next(properties, &property));
    assert_false(mqtt_property_next(properties, &property));
}

static void test_one_identifier_is_found_as_often_as_it_is_there(void **state)
{
    struct mqtt_span properties = exactly(several, sizeof(several));
    struct mqtt_property property = {0};

    (void)state;
    assert_true(mqtt_property_find(properties, 0x0B, &property));
    assert_int_equal(property.number, 268435455);
    assert_true(mqtt_property_find(properties, 0x0B, &property));
    assert_int_equal(property.number, 5);
    assert_false(mqtt_property_find(properties, 0x0B, &property));
}

static void test_what_is_not_there_is_not_found(void **state)
{
    struct mqtt_span properties = exactly(several, sizeof(several));
    struct mqtt_span absent = {NULL, 0};

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        struct mqtt_property property = {0}, none = {0};
        bool there = i == 0x26 || i == 0x01 || i == 0x23 || i == 0x02 ||
                     i == 0x0B || i == 0x09 || i == 0x03;

        assert_int_equal(mqtt_property_find(properties, (uint8_t)i, &property),
                         there);
        assert_false(mqtt_property_find(absent, (uint8_t)i, &none));
    }
}

/* What it was before stays, so that a caller still has it. */
static void test_the_end_leaves_the_last_one(void **state)
{
    static const uint8_t bytes[] = {0x0B, 0x05};
    struct mqtt_span properties = exactly(bytes, sizeof(bytes));
    struct mqtt_property property = {0};

    (void)state;
    assert_true(mqtt_property_next(properties, &property));
    assert_false(mqtt_property_next(properties, &property));
    assert_int_equal(property.number, 5);
}

static void test_bytes_that_are_cut_off_end_it_for_good(void **state)
{
    static const uint8_t bytes[] = {0x0B, 0x05, 0x03, 0x00, 0x02, 'a'};
    struct mqtt_span properties = exactly(bytes, sizeof(bytes));
    struct mqtt_property property = {0};

    (void)state;
    assert_true(mqtt_property_next(properties, &property));
    for (int i = 0; i < 3; i++)
        assert_false(mqtt_property_next(properties, &property));
}

static bool within(struct mqtt_span part, struct mqtt_span whole)
{
    uintptr_t from = (uintptr_t)whole.data, at = (uintptr_t)part.data;

    return !part.data || (at >= from && at + part.size <= from + whole.size);
}

/* Ends, stays inside, and reaches the end of what is good. */
static void iterate(struct mqtt_span properties)
{
    struct mqtt_property property = {0};
    size_t before = 0;

    while (mqtt_property_next(properties, &property)) {
        assert_true(property.position_ > before);
        assert_true(property.position_ <= properties.size);
        assert_true(within(property.text, properties));
        assert_true(within(property.name, properties));
        before = property.position_;
    }
    if (mqtt_properties_check(properties, MQTT_IN_PUBLISH) == MQTT_OK)
        assert_int_equal(before, properties.size);
}

static uint32_t random_bits(void)
{
    static uint32_t bits = 4711;

    bits = bits * 1664525 + 1013904223;
    return bits >> 8;
}

static void test_garbage_is_never_read_beyond_its_end(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 100000; turn++) {
        uint8_t bytes[40];
        size_t size = random_bits() % sizeof(bytes);

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(random_bits() % (turn % 3 == 0   ? 256
                                                  : turn % 3 == 1 ? 4
                                                                  : 0x2B));
        iterate(exactly(bytes, size));
    }
}

static void test_several_are_never_read_beyond_a_cut(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof(several); size++)
        iterate(exactly(several, size));
}

static void test_all_short_bytes_are_never_read_beyond_their_end(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 0x10000; n++) {
        uint8_t bytes[2] = {(uint8_t)(n >> 8), (uint8_t)n};

        iterate(exactly(bytes, 1));
        iterate(exactly(bytes, 2));
    }
}

/* ---- the builder --------------------------------------------------------- */

static uint8_t memory[80000];

static enum mqtt_error error_of(const struct mqtt_property_builder *builder)
{
    enum mqtt_error error = (enum mqtt_error)1;
    struct mqtt_span properties = mqtt_properties_end(builder, &error);

    if (error) /* nothing takes it */
        assert_int_not_equal(mqtt_properties_check(properties, MQTT_IN_PUBLISH),
                             MQTT_OK);
    assert_int_equal(mqtt_properties_end(builder, NULL).size, properties.size);
    return error;
}

static void expect_built(const struct mqtt_property_builder *builder,
                         const void *bytes, size_t size)
{
    struct mqtt_span properties = mqtt_properties_end(builder, NULL);

    assert_int_equal(error_of(builder), MQTT_OK);
    assert_int_equal(properties.size, size);
    assert_memory_equal(properties.data, bytes, size);
}

/* Add what the row is an example of. */
static void add_row(struct mqtt_property_builder *builder,
                    const struct row_of_table *row)
{
    enum mqtt_property_identifier identifier = row->identifier;
    struct mqtt_span properties = {row->bytes, row->size};
    struct mqtt_property property = {0};

    assert_true(mqtt_property_next(properties, &property));
    switch (row->type) {
    case MQTT_TYPE_STRING_PAIR:
        mqtt_property_add_user(builder, property.name, property.text);
        break;
    case MQTT_TYPE_STRING:
    case MQTT_TYPE_BINARY:
        mqtt_property_add_text(builder, identifier, property.text);
        break;
    default:
        mqtt_property_add_number(builder, identifier, property.number);
    }
}

static void test_each_property_is_built_as_it_is_on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct mqtt_property_builder builder;

        mqtt_properties_begin(&builder, memory, table[i].size);
        add_row(&builder, &table[i]);
        expect_built(&builder, table[i].bytes, table[i].size);
    }
}

static void build_several(struct mqtt_property_builder *builder, void *bytes,
                          size_t size)
{
    mqtt_properties_begin(builder, bytes, size);
    mqtt_property_add_user(builder, mqtt_text("a"), mqtt_text("bc"));
    mqtt_property_add_number(builder, MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR,
                             1);
    mqtt_property_add_number(builder, MQTT_PROPERTY_TOPIC_ALIAS, 0x1234);
    mqtt_property_add_number(builder, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                             0xFEDCBA98);
    mqtt_property_add_number(builder, MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER,
                             268435455);
    mqtt_property_add_text(builder, MQTT_PROPERTY_CORRELATION_DATA,
                           (struct mqtt_span){"\0\xFF", 2});
    mqtt_property_add_text(builder, MQTT_PROPERTY_CONTENT_TYPE,
                           (struct mqtt_span){NULL, 0});
    mqtt_property_add_number(builder, MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, 5);
    mqtt_property_add_user(builder, mqtt_text(""), mqtt_text(""));
}

static void test_several_are_built_in_order(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    build_several(&builder, memory, sizeof(memory));
    expect_built(&builder, several, sizeof(several));
    assert_ptr_equal(mqtt_properties_end(&builder, NULL).data, memory);
}

static void test_memory_that_just_suffices_suffices(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    memset(memory, 0xA5, sizeof(memory));
    build_several(&builder, memory, sizeof(several));
    expect_built(&builder, several, sizeof(several));
    assert_int_equal(memory[sizeof(several)], 0xA5);
}

static void test_memory_that_is_too_small_is_not_exceeded(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(several); size++) {
        struct mqtt_property_builder builder;
        uint8_t *bytes = malloc(size);

        assert_non_null(bytes);
        build_several(&builder, bytes, size);
        assert_int_equal(error_of(&builder), MQTT_ERR_NO_ROOM);
        free(bytes);
    }
}

static void test_no_memory_is_memory_that_is_too_small(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    mqtt_properties_begin(&builder, NULL, 100);
    assert_int_equal(error_of(&builder), MQTT_OK);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_TOPIC_ALIAS, 1);
    assert_int_equal(error_of(&builder), MQTT_ERR_NO_ROOM);
}

static void test_nothing_added_is_no_properties(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    mqtt_properties_begin(&builder, memory, sizeof(memory));
    expect_built(&builder, "", 0);
}

enum way { NUMBER, TEXT };

static enum mqtt_error added(unsigned identifier, enum way way)
{
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, memory, sizeof(memory));
    if (way == NUMBER)
        mqtt_property_add_number(&builder,
                                 (enum mqtt_property_identifier)identifier, 1);
    else
        mqtt_property_add_text(&builder,
                               (enum mqtt_property_identifier)identifier,
                               mqtt_text("a"));
    return error_of(&builder);
}

static bool is_of(const struct row_of_table *row, enum way way)
{
    if (!row || row->type == MQTT_TYPE_STRING_PAIR)
        return false;
    return (row->type == MQTT_TYPE_STRING || row->type == MQTT_TYPE_BINARY) ==
           (way == TEXT);
}

/* Also of identifiers that do not exist, and that are more than a byte. */
static void test_a_property_of_another_type_is_refused(void **state)
{
    /* Some machines give an enumeration no more bytes than its members need. */
    const unsigned end =
        sizeof(enum mqtt_property_identifier) == 1 ? 0x100 : 0x300;

    (void)state;
    for (unsigned i = 0; i < end; i++) {
        assert_int_equal(added(i, NUMBER), is_of(row_of(i), NUMBER)
                                               ? MQTT_OK
                                               : MQTT_ERR_ARGUMENT);
        assert_int_equal(added(i, TEXT),
                         is_of(row_of(i), TEXT) ? MQTT_OK : MQTT_ERR_ARGUMENT);
    }
}

static enum mqtt_error number_added(enum mqtt_property_identifier identifier,
                                    uint32_t number)
{
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, memory, sizeof(memory));
    mqtt_property_add_number(&builder, identifier, number);
    return error_of(&builder);
}

static void test_numbers_that_are_not_allowed_are_refused(void **state)
{
    static const struct {
        enum mqtt_property_identifier identifier;
        uint32_t number;
        bool good;
    } numbers[] = {
        {MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 0, true},
        {MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 2, false},
        {MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 0x100, false},
        {MQTT_PROPERTY_RECEIVE_MAXIMUM, 0, false},
        {MQTT_PROPERTY_RECEIVE_MAXIMUM, 65535, true},
        {MQTT_PROPERTY_RECEIVE_MAXIMUM, 65536, false},
        {MQTT_PROPERTY_RECEIVE_MAXIMUM, 65537, false},
        {MQTT_PROPERTY_TOPIC_ALIAS, 0, false},
        {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, 0, false},
        {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, 268435455, true},
        {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, 268435456, false},
        {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, UINT32_MAX, false},
        {MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, 0, false},
        {MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, UINT32_MAX, true},
        {MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, UINT32_MAX, true},
        {MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_int_equal(number_added(numbers[i].identifier, numbers[i].number),
                         numbers[i].good ? MQTT_OK : MQTT_ERR_PROPERTY);
}

static enum mqtt_error text_added(enum mqtt_property_identifier identifier,
                                  const void *bytes, size_t size)
{
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, memory, sizeof(memory));
    mqtt_property_add_text(&builder, identifier,
                           (struct mqtt_span){bytes, size});
    return error_of(&builder);
}

static void test_texts_that_are_not_allowed_are_refused(void **state)
{
    (void)state;
    assert_int_equal(text_added(MQTT_PROPERTY_CONTENT_TYPE, "\xFF", 1),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(text_added(MQTT_PROPERTY_CORRELATION_DATA, "\xFF", 1),
                     MQTT_OK);
    assert_int_equal(text_added(MQTT_PROPERTY_RESPONSE_TOPIC, "a/#", 3),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(text_added(MQTT_PROPERTY_RESPONSE_TOPIC, "", 0),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(text_added(MQTT_PROPERTY_CONTENT_TYPE, NULL, 1),
                     MQTT_ERR_ARGUMENT);
}

static void test_65535_bytes_are_the_longest(void **state)
{
    static char text[65536];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(text_added(MQTT_PROPERTY_REASON_STRING, text, 65535),
                     MQTT_OK);
    assert_int_equal(text_added(MQTT_PROPERTY_REASON_STRING, text, 65536),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(text_added(MQTT_PROPERTY_CORRELATION_DATA, text, 65535),
                     MQTT_OK);
    assert_int_equal(text_added(MQTT_PROPERTY_CORRELATION_DATA, text, 65536),
                     MQTT_ERR_PROPERTY);
}

static enum mqtt_error user_added(struct mqtt_span name, struct mqtt_span value)
{
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, memory, sizeof(memory));
    mqtt_property_add_user(&builder, name, value);
    return error_of(&builder);
}

static void test_user_properties_are_utf8(void **state)
{
    static char text[65536];
    struct mqtt_span good = mqtt_text("a"), bad = mqtt_text("\xFF"),
                     absent = {NULL, 1}, longer = {text, 65536};

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(user_added(good, good), MQTT_OK);
    assert_int_equal(user_added(good, bad), MQTT_ERR_PROPERTY);
    assert_int_equal(user_added(bad, good), MQTT_ERR_PROPERTY);
    assert_int_equal(user_added(good, longer), MQTT_ERR_PROPERTY);
    assert_int_equal(user_added(longer, good), MQTT_ERR_PROPERTY);
    assert_int_equal(user_added(good, absent), MQTT_ERR_ARGUMENT);
    assert_int_equal(user_added(absent, good), MQTT_ERR_ARGUMENT);
}

static void test_what_may_stand_once_is_added_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct mqtt_property_builder builder;

        mqtt_properties_begin(&builder, memory, sizeof(memory));
        mqtt_property_add_user(&builder, mqtt_text("a"), mqtt_text("b"));
        add_row(&builder, &table[i]);
        assert_int_equal(error_of(&builder), MQTT_OK);
        mqtt_property_add_user(&builder, mqtt_text("a"), mqtt_text("b"));
        add_row(&builder, &table[i]);
        assert_int_equal(error_of(&builder),
                         table[i].repeats ? MQTT_OK : MQTT_ERR_PROPERTY);
    }
}

static void test_the_first_error_stays(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    mqtt_properties_begin(&builder, memory, 8);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_TOPIC_ALIAS, 1);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_CONTENT_TYPE, 1);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_TOPIC_ALIAS, 0);
    mqtt_property_add_text(&builder, MQTT_PROPERTY_CONTENT_TYPE,
                           mqtt_text("too long for it"));
    mqtt_property_add_user(&builder, mqtt_text(""), mqtt_text(""));
    mqtt_property_add_number(&builder, MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER,
                             1);
    assert_int_equal(error_of(&builder), MQTT_ERR_ARGUMENT);
}

static void test_beginning_anew_forgets_the_error(void **state)
{
    struct mqtt_property_builder builder;

    (void)state;
    mqtt_properties_begin(&builder, memory, 1);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_TOPIC_ALIAS, 1);
    assert_int_equal(error_of(&builder), MQTT_ERR_NO_ROOM);
    mqtt_properties_begin(&builder, memory, 3);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_TOPIC_ALIAS, 1);
    expect_built(&builder, "\x23\x00\x01", 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_those_of_the_standard),
        cmocka_unit_test(test_names_stand_for_the_identifiers_of_the_standard),
        cmocka_unit_test(test_a_property_stands_only_in_its_packets),
        cmocka_unit_test(test_identifiers_that_do_not_exist_are_malformed),
        cmocka_unit_test(test_no_properties_are_good_everywhere),
        cmocka_unit_test(test_bytes_that_are_absent_are_malformed),
        cmocka_unit_test(test_a_value_that_is_cut_off_is_malformed),
        cmocka_unit_test(test_what_may_stand_once_is_not_repeated),
        cmocka_unit_test(test_a_repetition_is_found_behind_others),
        cmocka_unit_test(test_different_properties_are_no_repetition),
        cmocka_unit_test(test_a_string_is_utf8),
        cmocka_unit_test(test_both_halves_of_a_pair_are_utf8),
        cmocka_unit_test(test_binary_data_is_any_bytes),
        cmocka_unit_test(test_a_flag_is_0_or_1),
        cmocka_unit_test(test_0_is_refused_where_it_means_nothing),
        cmocka_unit_test(test_0_is_a_value_elsewhere),
        cmocka_unit_test(test_the_second_of_several_is_checked_too),
        cmocka_unit_test(test_a_response_topic_is_a_topic_name),
        cmocka_unit_test(test_authentication_data_needs_a_method),
        cmocka_unit_test(test_subscription_identifiers_have_no_byte_too_many),
        cmocka_unit_test(test_the_iterator_reads_each_in_order),
        cmocka_unit_test(test_one_identifier_is_found_as_often_as_it_is_there),
        cmocka_unit_test(test_what_is_not_there_is_not_found),
        cmocka_unit_test(test_the_end_leaves_the_last_one),
        cmocka_unit_test(test_bytes_that_are_cut_off_end_it_for_good),
        cmocka_unit_test(test_garbage_is_never_read_beyond_its_end),
        cmocka_unit_test(test_several_are_never_read_beyond_a_cut),
        cmocka_unit_test(test_all_short_bytes_are_never_read_beyond_their_end),
        cmocka_unit_test(test_each_property_is_built_as_it_is_on_the_wire),
        cmocka_unit_test(test_several_are_built_in_order),
        cmocka_unit_test(test_memory_that_just_suffices_suffices),
        cmocka_unit_test(test_memory_that_is_too_small_is_not_exceeded),
        cmocka_unit_test(test_no_memory_is_memory_that_is_too_small),
        cmocka_unit_test(test_nothing_added_is_no_properties),
        cmocka_unit_test(test_a_property_of_another_type_is_refused),
        cmocka_unit_test(test_numbers_that_are_not_allowed_are_refused),
        cmocka_unit_test(test_texts_that_are_not_allowed_are_refused),
        cmocka_unit_test(test_65535_bytes_are_the_longest),
        cmocka_unit_test(test_user_properties_are_utf8),
        cmocka_unit_test(test_what_may_stand_once_is_added_once),
        cmocka_unit_test(test_the_first_error_stays),
        cmocka_unit_test(test_beginning_anew_forgets_the_error),
    };

    return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
