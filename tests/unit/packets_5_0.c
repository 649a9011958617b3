/*
 * packets_5_0.c - each packet of 5.0 as it is on the wire [5.0, chapter 3]:
 * written, read, cut off at each byte, with a byte too many.
 */
#include "script.h"

#include "wire/packet_5_0.h"

#define SPAN(...)                                                              \
    {                                                                          \
        (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})       \
    }

static void expect_same(struct mqtt_span span, const void *bytes, size_t size)
{
    assert_int_equal(span.size, size);
    if (size)
        assert_memory_equal(span.data, bytes, size);
}

#define expect_bytes_of(span, ...)                                             \
    do {                                                                       \
        static const uint8_t bytes_[] = {__VA_ARGS__};                         \
        expect_same(span, bytes_, sizeof(bytes_));                             \
    } while (0)

/* ---- writing ------------------------------------------------------------- */

static uint8_t out[1024];

/* Room for so many bytes and no more. */
static struct mqtt_writer writer(uint32_t size)
{
    struct mqtt_writer w = {out, out + size, false};

    assert_in_range(size, 0, sizeof(out) - 1);
    memset(out, 0xA5, sizeof(out));
    return w;
}

/* All room was needed, and there was enough. */
static struct mqtt_span written(const struct mqtt_writer *w)
{
    assert_false(w->overflow);
    assert_ptr_equal(w->at, w->end);
    assert_int_equal(*w->end, 0xA5);
    return (struct mqtt_span){out, (size_t)(w->at - out)};
}

/* ---- reading ------------------------------------------------------------- */

/* What a decoder has set. */
static struct {
    uint16_t identifier, alias;
    uint8_t code;
    bool present;
    struct mqtt_span codes, properties;
    struct mqtt_message message;
} got;

typedef enum mqtt_error decoder(struct mqtt_reader *r);

/* Not one byte beyond the end is read: the copy is exact. */
static enum mqtt_error decode(decoder *read, const void *bytes, size_t size)
{
    static uint8_t *copy;
    struct mqtt_reader r = {0};

    free(copy);
    copy = malloc(size);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    memset(&got, 0xA5, sizeof(got));
    r.at = copy;
    r.end = copy + size;
    return read(&r);
}

#define expect_read(decoder, expected, ...)                                    \
    do {                                                                       \
        static const uint8_t bytes_[] = {__VA_ARGS__};                         \
        assert_int_equal(decode(decoder, bytes_, sizeof(bytes_)), expected);   \
    } while (0)

/* `good` is good; cut off anywhere from `least` bytes on it is truncated, and
 * with another byte it has one too many. */
static void expect_whole(decoder *read, const uint8_t *good, size_t size,
                         size_t least)
{
    uint8_t longer[256];

    assert_int_equal(decode(read, good, size), MQTT_OK);
    for (size_t n = least; n < size; n++)
        assert_int_equal(decode(read, good, n), MQTT_ERR_TRUNCATED);
    memcpy(longer, good, size);
    longer[size] = 0x00;
    assert_int_equal(decode(read, longer, size + 1), MQTT_ERR_TRAILING_BYTES);
}

/* ---- properties in a packet ---------------------------------------------- */

static enum mqtt_error read_properties(struct mqtt_reader *r)
{
    return mqtt_properties_read(r, MQTT_IN_PUBLISH, &got.properties);
}

static void test_properties_stand_behind_their_length(void **state)
{
    (void)state;
    expect_read(read_properties, MQTT_OK, 0x00);
    assert_int_equal(got.properties.size, 0);
    expect_read(read_properties, MQTT_OK, 0x02, /* Property Length */
                0x01, 0x01,                     /* Payload Format Indicator */
                0xFF);                          /* not of it */
    expect_bytes_of(got.properties, 0x01, 0x01);
}

static void test_properties_of_two_bytes_of_length_are_read(void **state)
{
    uint8_t bytes[2 + 128] = {0x80, 0x01,       /* Property Length */
                              0x09, 0x00, 125}; /* Correlation Data */

    (void)state;
    assert_int_equal(decode(read_properties, bytes, sizeof(bytes)), MQTT_OK);
    assert_int_equal(got.properties.size, 128);
    for (size_t size = 0; size < sizeof(bytes); size++)
        assert_int_equal(decode(read_properties, bytes, size),
                         MQTT_ERR_TRUNCATED);
}

static void test_a_property_length_has_no_byte_too_many(void **state)
{
    (void)state;
    expect_read(read_properties, MQTT_ERR_RECEIVED_PROPERTY, 0x80, 0x00);
    expect_read(read_properties, MQTT_ERR_RECEIVED_PROPERTY, 0x82, 0x00, 0x01,
                0x01);
    expect_read(read_properties, MQTT_ERR_RECEIVED_PROPERTY, 0x80, 0x80, 0x80,
                0x80, 0x01);
    expect_read(read_properties, MQTT_ERR_TRUNCATED, 0x80, 0x80, 0x80);
    expect_read(read_properties, MQTT_ERR_TRUNCATED, 0xFF, 0xFF, 0xFF, 0x7F);
}

static void test_properties_are_checked_for_their_place(void **state)
{
    (void)state;
    expect_read(read_properties, MQTT_ERR_RECEIVED_PROPERTY, 0x01, 0x01);
    expect_read(read_properties, MQTT_ERR_RECEIVED_PROPERTY, 0x03, 0x21, 0x00,
                0x01);
    expect_read(read_properties, MQTT_ERR_PROPERTY_VALUE, 0x02, 0x01, 0x02);
    expect_read(read_properties, MQTT_ERR_TOPIC_ALIAS, 0x03, 0x23, 0x00, 0x00);
    expect_read(read_properties, MQTT_ERR_RECEIVED_TOPIC, 0x03, 0x08, 0x00,
                0x00);
}

static void test_the_size_of_properties_counts_their_length(void **state)
{
    (void)state;
    assert_int_equal(mqtt_properties_size(0), 1);
    assert_int_equal(mqtt_properties_size(127), 128);
    assert_int_equal(mqtt_properties_size(128), 130);
    assert_int_equal(mqtt_properties_size(16384), 16387);
    assert_int_equal(mqtt_properties_size(268435455), 268435459);
}

static void test_properties_to_be_sent_have_one_error(void **state)
{
    const struct mqtt_span none = {NULL, 0}, absent = {NULL, 5},
                           good = SPAN(0x01, 0x01), value = SPAN(0x01, 0x02),
                           topic = SPAN(0x08, 0x00, 0x01, '#'),
                           alias = SPAN(0x23, 0x00, 0x00), unknown = SPAN(0x04);
    struct mqtt_span long_one = {out, 268435456};

    (void)state;
    assert_int_equal(mqtt_properties_check_sent(none, MQTT_IN_WILL), MQTT_OK);
    assert_int_equal(mqtt_properties_check_sent(good, MQTT_IN_WILL), MQTT_OK);
    assert_int_equal(mqtt_properties_check_sent(good, MQTT_IN_AUTH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(absent, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(value, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(topic, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(alias, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(unknown, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_properties_check_sent(long_one, MQTT_IN_PUBLISH),
                     MQTT_ERR_PROPERTY);
}

static void test_a_number_is_the_first_or_otherwise(void **state)
{
    const struct mqtt_span properties =
        SPAN(0x01, 0x00, 0x0B, 0x07, 0x0B, 0x08);
    struct mqtt_span none = {NULL, 0};

    (void)state;
    assert_int_equal(mqtt_property_number(properties, 0x0B, 9), 7);
    assert_int_equal(mqtt_property_number(properties, 0x01, 9), 0);
    assert_int_equal(mqtt_property_number(properties, 0x02, 9), 9);
    assert_int_equal(mqtt_property_number(none, 0x0B, 9), 9);
}

/* ---- CONNECT [5.0, section 3.1] ------------------------------------------ */

static const struct mqtt_announced nothing;

static struct mqtt_span connect(const struct mqtt_connect_options *options,
                                const struct mqtt_announced *announced)
{
    struct mqtt_writer w = writer(mqtt_connect_size_5_0(options, announced));

    mqtt_connect_write_5_0(&w, options, announced);
    return written(&w);
}

static void test_connect_without_anything(void **state)
{
    struct mqtt_connect_options options = {.clean_start = true};

    (void)state;
    expect_bytes_of(connect(&options, &nothing), 0x10, /* CONNECT */
                    0x0D,                              /* remaining length */
                    0x00, 0x04, 'M', 'Q', 'T', 'T',    /* protocol name */
                    0x05,                              /* protocol version */
                    0x02,                              /* connect flags */
                    0x00, 0x3C,                        /* keep alive */
                    0x00,                              /* Property Length */
                    0x00, 0x00);                       /* client identifier */
}

static void test_connect_carries_every_field_in_order(void **state)
{
    struct mqtt_message will = {.topic_name = MQTT_TEXT("w/t"),
                                .payload = MQTT_TEXT("gone"),
                                .qos = MQTT_QOS_2,
                                .retain = true,
                                .properties =
                                    SPAN(0x18, 0x00, 0x00, 0x00, 0x05)};
    struct mqtt_connect_options options = {
        .client_identifier = MQTT_TEXT("gate"),
        .user_name = MQTT_TEXT("user"),
        .password = MQTT_TEXT("pw"),
        .will = &will,
        .keep_alive_s = 0x1234,
        .clean_start = true,
        .properties = SPAN(0x26, 0x00, 0x01, 'n', 0x00, 0x01, 'v'),
    };
    struct mqtt_announced announced = {0x01020304, 0x05060708, 0x090A, 0x0B0C};

    (void)state;
    expect_bytes_of(connect(&options, &announced), 0x10, /* CONNECT */
                    0x43,                                /* remaining length */
                    0x00, 0x04, 'M', 'Q', 'T', 'T',      /* protocol name */
                    0x05,                                /* protocol version */
                    0xF6,                                /* connect flags */
                    0x12, 0x34,                          /* keep alive */
                    0x17,                                /* Property Length */
                    0x11, 0x01, 0x02, 0x03, 0x04, /* Session Expiry Interval */
                    0x21, 0x09, 0x0A,             /* Receive Maximum */
                    0x27, 0x05, 0x06, 0x07, 0x08, /* Maximum Packet Size */
                    0x22, 0x0B, 0x0C,             /* Topic Alias Maximum */
                    0x26, 0x00, 0x01, 'n',        /* User Property, name */
                    0x00, 0x01, 'v',              /* value */
                    0x00, 0x04, 'g', 'a', 't', 'e', /* client identifier */
                    0x05,                           /* Will Property Length */
                    0x18, 0x00, 0x00, 0x00, 0x05,   /* Will Delay Interval */
                    0x00, 0x03, 'w', '/', 't',      /* will topic */
                    0x00, 0x04, 'g', 'o', 'n', 'e', /* will payload */
                    0x00, 0x04, 'u', 's', 'e', 'r', /* user name */
                    0x00, 0x02, 'p', 'w');          /* password */
}

static void test_connect_has_a_will_without_properties(void **state)
{
    struct mqtt_message will = {.topic_name = MQTT_TEXT("w")};
    struct mqtt_connect_options options = {.will = &will};

    (void)state;
    expect_bytes_of(connect(&options, &nothing), 0x10, /* CONNECT */
                    0x13,                              /* remaining length */
                    0x00, 0x04, 'M', 'Q', 'T', 'T',    /* protocol name */
                    0x05,                              /* protocol version */
                    0x04,                              /* connect flags */
                    0x00, 0x3C,                        /* keep alive */
                    0x00,                              /* Property Length */
                    0x00, 0x00,                        /* client identifier */
                    0x00,            /* Will Property Length */
                    0x00, 0x01, 'w', /* will topic */
                    0x00, 0x00);     /* will payload */
}

static void test_connect_has_a_password_alone(void **state)
{
    struct mqtt_connect_options options = {.password = MQTT_TEXT("p"),
                                           .keep_alive_s = MQTT_KEEP_ALIVE_OFF};

    (void)state;
    expect_bytes_of(connect(&options, &nothing), 0x10, /* CONNECT */
                    0x10,                              /* remaining length */
                    0x00, 0x04, 'M', 'Q', 'T', 'T',    /* protocol name */
                    0x05,                              /* protocol version */
                    0x40,                              /* connect flags */
                    0x00, 0x00,                        /* keep alive */
                    0x00,                              /* Property Length */
                    0x00, 0x00,                        /* client identifier */
                    0x00, 0x01, 'p');                  /* password */
}

/* The properties of CONNECT without options. */
static struct mqtt_span announced(struct mqtt_announced announced)
{
    struct mqtt_connect_options options = {0};
    struct mqtt_span packet = connect(&options, &announced);

    assert_int_equal(out[1], packet.size - 2);
    assert_int_equal(out[12], packet.size - 15);
    return (struct mqtt_span){out + 13, packet.size - 15};
}

static void test_what_is_0_is_not_announced(void **state)
{
    (void)state;
    expect_bytes_of(announced((struct mqtt_announced){1, 0, 0, 0}), /**/
                    0x11, 0x00, 0x00, 0x00, 0x01);
    expect_bytes_of(announced((struct mqtt_announced){0, 1, 0, 0}), /**/
                    0x27, 0x00, 0x00, 0x00, 0x01);
    expect_bytes_of(announced((struct mqtt_announced){0, 0, 1, 0}), /**/
                    0x21, 0x00, 0x01);
    expect_bytes_of(announced((struct mqtt_announced){0, 0, 0, 1}), /**/
                    0x22, 0x00, 0x01);
    expect_bytes_of(
        announced((struct mqtt_announced){UINT32_MAX, 0, 65535, 0}), /**/
        0x11, 0xFF, 0xFF, 0xFF, 0xFF,                                /**/
        0x21, 0xFF, 0xFF);
}

/* A User Property of `size` bytes, at least 5. */
static struct mqtt_span user_property(uint8_t *bytes, size_t size)
{
    static const uint8_t head[] = {0x26, 0x00, 0x00};

    memset(bytes, 'v', size);
    memcpy(bytes, head, sizeof(head));
    bytes[3] = (uint8_t)((size - 5) >> 8);
    bytes[4] = (uint8_t)(size - 5);
    return (struct mqtt_span){bytes, size};
}

static void
test_property_lengths_of_connect_have_as_many_bytes_as_needed(void **state)
{
    static uint8_t bytes[200], will_bytes[200];

    (void)state;
    for (size_t size = 120; size < 136; size++) {
        struct mqtt_message will = {.topic_name = MQTT_TEXT("w")};
        struct mqtt_connect_options options = {.will = &will};
        size_t n = size > 127 ? 2 : 1;
        struct mqtt_span packet;

        options.properties = user_property(bytes, size);
        will.properties = user_property(will_bytes, size);
        packet = connect(&options, &nothing);
        assert_int_equal(packet.size, 3 + 10 + 2 * (n + size) + 2 + 3 + 2);
        assert_memory_equal(out + 13 + n, bytes, size);
        assert_memory_equal(out + 13 + n + size + 2 + n, bytes, size);
    }
}

static enum mqtt_error check_client(struct mqtt_span properties)
{
    struct mqtt_connect_options options = {.properties = properties};

    return mqtt_connect_check_5_0(&options);
}

static enum mqtt_error check_will(struct mqtt_span properties)
{
    struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                .properties = properties};
    struct mqtt_connect_options options = {.will = &will};

    return mqtt_connect_check_5_0(&options);
}

static void test_options_that_5_0_allows(void **state)
{
    struct mqtt_connect_options options = {0};

    (void)state;
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_OK);
    options.password = mqtt_text("p");
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_OK);
    options.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_OK);
}

static void test_options_that_no_version_allows(void **state)
{
    struct mqtt_span bad = mqtt_text("\xFF");
    struct mqtt_message will = {.topic_name = MQTT_TEXT("#")};
    struct mqtt_connect_options options = {.client_identifier = bad};

    (void)state;
    assert_int_equal(mqtt_connect_check_5_0(&options),
                     MQTT_ERR_CLIENT_IDENTIFIER);
    options = (struct mqtt_connect_options){.user_name = bad};
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_ERR_USER_NAME);
    options = (struct mqtt_connect_options){.password = {NULL, 1}};
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_ERR_PASSWORD);
    options = (struct mqtt_connect_options){.will = &will};
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_ERR_WILL);
    options = (struct mqtt_connect_options){.keep_alive_s = 65536};
    assert_int_equal(mqtt_connect_check_5_0(&options), MQTT_ERR_ARGUMENT);
}

static void test_properties_that_an_application_gives_to_connect(void **state)
{
    const struct mqtt_span good[] = {
        SPAN(0x17, 0x00),                         /* Request Problem */
        SPAN(0x19, 0x01),                         /* Request Response */
        SPAN(0x26, 0x00, 0x00, 0x00, 0x00),       /* User Property */
        SPAN(0x15, 0x00, 0x01, 'm'),              /* Authentication Method */
        SPAN(0x15, 0x00, 0x00, 0x16, 0x00, 0x00), /* and Data */
    };
    const struct mqtt_span bad[] = {
        SPAN(0x11, 0x00, 0x00, 0x00, 0x01), /* Session Expiry Interval */
        SPAN(0x21, 0x00, 0x01),             /* Receive Maximum */
        SPAN(0x27, 0x00, 0x00, 0x00, 0x01), /* Maximum Packet Size */
        SPAN(0x22, 0x00, 0x01),             /* Topic Alias Maximum */
        SPAN(0x17, 0x00, 0x21, 0x00, 0x01), /* the second of two */
        SPAN(0x16, 0x00, 0x00),             /* Data without Method */
        SPAN(0x18, 0x00, 0x00, 0x00, 0x01), /* Will Delay Interval */
        SPAN(0x17, 0x02),                   /* a value not allowed */
        SPAN(0x26, 0x00, 0x00, 0x00),       /* cut off */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check_client(good[i]), MQTT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check_client(bad[i]), MQTT_ERR_PROPERTY);
}

static void test_properties_that_an_application_gives_to_a_will(void **state)
{
    const struct mqtt_span good[] = {
        SPAN(0x18, 0x00, 0x00, 0x00, 0x05), /* Will Delay Interval */
        SPAN(0x01, 0x01),                   /* Payload Format Indicator */
        SPAN(0x02, 0x00, 0x00, 0x00, 0x05), /* Message Expiry Interval */
        SPAN(0x03, 0x00, 0x01, 't'),        /* Content Type */
        SPAN(0x08, 0x00, 0x01, 'r'),        /* Response Topic */
        SPAN(0x09, 0x00, 0x01, 0xFF),       /* Correlation Data */
    };
    const struct mqtt_span bad[] = {
        SPAN(0x23, 0x00, 0x01),      /* Topic Alias */
        SPAN(0x0B, 0x01),            /* Subscription Identifier */
        SPAN(0x17, 0x00),            /* Request Problem Information */
        SPAN(0x08, 0x00, 0x01, '#'), /* Response Topic */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check_will(good[i]), MQTT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check_will(bad[i]), MQTT_ERR_PROPERTY);
}

static void test_properties_that_fit_into_no_packet_are_refused(void **state)
{
    static const uint8_t zero[1];
    struct mqtt_span properties = {zero, 268435456};

    (void)state;
    assert_int_equal(check_client(properties), MQTT_ERR_PROPERTY);
    assert_int_equal(check_will(properties), MQTT_ERR_PROPERTY);
}

/* ---- CONNACK [5.0, section 3.2] ------------------------------------------ */

static enum mqtt_error read_connack(struct mqtt_reader *r)
{
    return mqtt_connack_read_5_0(r, &got.present, &got.code, &got.properties);
}

static void test_connack_without_properties(void **state)
{
    static const uint8_t bytes[] = {0x00,  /* acknowledge flags */
                                    0x00,  /* reason code */
                                    0x00}; /* Property Length */

    (void)state;
    expect_whole(read_connack, bytes, sizeof(bytes), 0);
    expect_read(read_connack, MQTT_OK, 0x01, 0x00, 0x00);
    assert_true(got.present);
    assert_int_equal(got.code, 0);
    assert_int_equal(got.properties.size, 0);
}

static void test_connack_with_properties(void **state)
{
    static const uint8_t bytes[] = {0x00,              /* acknowledge flags */
                                    0x87,              /* Not authorized */
                                    0x08,              /* Property Length */
                                    0x1F, 0x00, 0x02,  /* Reason String */
                                    'n',  'o',         /**/
                                    0x13, 0x00, 0x3C}; /* Server Keep Alive */

    (void)state;
    expect_whole(read_connack, bytes, sizeof(bytes), 0);
    assert_int_equal(decode(read_connack, bytes, sizeof(bytes)), MQTT_OK);
    assert_false(got.present);
    assert_int_equal(got.code, 0x87);
    expect_same(got.properties, bytes + 3, 8);
}

static void test_reserved_flags_of_connack_are_refused(void **state)
{
    (void)state;
    for (unsigned flags = 2; flags < 256; flags++) {
        uint8_t bytes[3] = {(uint8_t)flags, 0x00, 0x00};

        assert_int_equal(decode(read_connack, bytes, 3),
                         MQTT_ERR_CONNACK_FLAGS);
    }
}

static void test_connack_has_a_code_of_its_own(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        uint8_t bytes[3] = {0x00, (uint8_t)code, 0x00};

        assert_int_equal(
            decode(read_connack, bytes, 3),
            mqtt_reason_may_stand((uint8_t)code, MQTT_REASON_IN_CONNACK)
                ? MQTT_OK
                : MQTT_ERR_CONNACK_CODE);
    }
}

/* [5.0 MQTT-3.2.2-6] */
static void test_a_refusal_has_no_session(void **state)
{
    (void)state;
    expect_read(read_connack, MQTT_ERR_SESSION_PRESENT, 0x01, 0x80, 0x00);
    expect_read(read_connack, MQTT_ERR_SESSION_PRESENT, 0x01, 0x01);
}

static void test_a_refusal_of_3_1_1_is_read(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        uint8_t bytes[3] = {0x00, (uint8_t)code, 0x00};
        enum mqtt_error expected = MQTT_ERR_CONNACK_CODE;

        if (code >= 1 && code <= 5)
            expected = MQTT_OK;
        else if (mqtt_reason_may_stand((uint8_t)code, MQTT_REASON_IN_CONNACK))
            expected = MQTT_ERR_TRUNCATED;
        assert_int_equal(decode(read_connack, bytes, 2), expected);
        if (expected == MQTT_OK) {
            assert_int_equal(got.code, code);
            assert_false(got.present);
            assert_int_equal(got.properties.size, 0);
        }
    }
}

static void test_properties_of_connack_are_its_own(void **state)
{
    (void)state;
    expect_read(read_connack, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x00, 0x02,
                0x01, 0x01);
    expect_read(read_connack, MQTT_ERR_PROPERTY_VALUE, 0x00, 0x00, 0x02, 0x24,
                0x02);
    expect_read(read_connack, MQTT_ERR_PROPERTY_VALUE, 0x00, 0x00, 0x03, 0x21,
                0x00, 0x00);
}

static void test_a_server_that_says_nothing_sets_no_limit(void **state)
{
    struct mqtt_span none = {NULL, 0};
    struct mqtt_limits limits;

    (void)state;
    memset(&limits, 0, sizeof(limits));
    limits.session_expiry_s = 4711;
    limits.keep_alive_s = 42;
    mqtt_connack_limits(none, &limits);
    assert_int_equal(limits.maximum_packet_size, UINT32_MAX);
    assert_int_equal(limits.session_expiry_s, 4711);
    assert_int_equal(limits.receive_maximum, 65535);
    assert_int_equal(limits.topic_alias_maximum, 0);
    assert_int_equal(limits.keep_alive_s, 42);
    assert_int_equal(limits.maximum_qos, 2);
    assert_true(limits.retain_available);
    assert_true(limits.wildcard_available);
    assert_true(limits.shared_available);
    assert_true(limits.subscription_identifiers_available);
}

static void test_a_server_says_its_limits(void **state)
{
    const struct mqtt_span properties =
        SPAN(0x11, 0x00, 0x00, 0x0E, 0x10, /* Session Expiry Interval */
             0x13, 0x01, 0x02,             /* Server Keep Alive */
             0x21, 0x03, 0x04,             /* Receive Maximum */
             0x22, 0x05, 0x06,             /* Topic Alias Maximum */
             0x24, 0x01,                   /* Maximum QoS */
             0x25, 0x00,                   /* Retain Available */
             0x27, 0x00, 0x01, 0x00, 0x00, /* Maximum Packet Size */
             0x28, 0x00,                   /* Wildcard Subscription Available */
             0x29, 0x00,  /* Subscription Identifier Available */
             0x2A, 0x00); /* Shared Subscription Available */
    struct mqtt_limits limits;

    (void)state;
    memset(&limits, 0xFF, sizeof(limits));
    mqtt_connack_limits(properties, &limits);
    assert_int_equal(limits.maximum_packet_size, 65536);
    assert_int_equal(limits.session_expiry_s, 3600);
    assert_int_equal(limits.receive_maximum, 0x0304);
    assert_int_equal(limits.topic_alias_maximum, 0x0506);
    assert_int_equal(limits.keep_alive_s, 0x0102);
    assert_int_equal(limits.maximum_qos, 1);
    assert_false(limits.retain_available);
    assert_false(limits.wildcard_available);
    assert_false(limits.shared_available);
    assert_false(limits.subscription_identifiers_available);
}

static void test_what_is_said_to_be_available_is(void **state)
{
    const struct mqtt_span properties =
        SPAN(0x25, 0x01, 0x28, 0x01, 0x29, 0x01, 0x2A, 0x01, /* available */
             0x24, 0x00);                                    /* Maximum QoS */
    struct mqtt_limits limits = {0};

    (void)state;
    mqtt_connack_limits(properties, &limits);
    assert_int_equal(limits.maximum_qos, 0);
    assert_true(limits.retain_available);
    assert_true(limits.wildcard_available);
    assert_true(limits.shared_available);
    assert_true(limits.subscription_identifiers_available);
}

/* ---- PUBLISH, sent [5.0, section 3.3] ------------------------------------ */

/* The head as it lies in a ring that begins at `start`, so that it may go over
 * the ring's end. */
static struct mqtt_span head(const struct mqtt_message *message,
                             uint16_t identifier, uint32_t deadline_s,
                             uint32_t start)
{
    static const struct mqtt_header none;
    static uint8_t memory[300], bytes[300];
    struct mqtt_ring ring = {memory, sizeof(memory)};
    struct mqtt_ring_cursor cursor = {&ring, start};
    uint32_t size = mqtt_publish_head_size_5_0(message);

    memset(memory, 0xA5, sizeof(memory));
    assert_in_range(size, 1, sizeof(memory) - 1);
    mqtt_publish_head_put_5_0(&cursor, &none, message, identifier, deadline_s);
    assert_int_equal(cursor.index, (start + size) % sizeof(memory));
    for (size_t i = size; i < sizeof(memory); i++)
        assert_int_equal(memory[(start + i) % sizeof(memory)], 0xA5);
    mqtt_ring_get(&ring, start, bytes, size);
    return (struct mqtt_span){bytes, size};
}

/* At the start of a ring, and over its end at every byte. */
#define expect_head(message, identifier, deadline_s, ...)                      \
    do {                                                                       \
        expect_bytes_of(head(message, identifier, deadline_s, 0),              \
                        __VA_ARGS__);                                          \
        for (uint32_t start_ = 200; start_ < 300; start_++)                    \
            expect_bytes_of(head(message, identifier, deadline_s, start_),     \
                            __VA_ARGS__);                                      \
    } while (0)

static void test_a_publish_of_qos_0_has_no_identifier(void **state)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a/b"),
                                   .payload = MQTT_TEXT("not of the head")};

    (void)state;
    expect_head(&message, 0, 0,            /**/
                0x00, 0x03, 'a', '/', 'b', /* topic name */
                0x00);                     /* Property Length */
}

static void test_a_publish_of_qos_1_and_2_has_an_identifier(void **state)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .qos = MQTT_QOS_1};

    (void)state;
    expect_head(&message, 0x1234, 0, /**/
                0x00, 0x01, 'a',     /* topic name */
                0x12, 0x34,          /* packet identifier */
                0x00);               /* Property Length */
    message.qos = MQTT_QOS_2;
    expect_head(&message, 0xFFFF, 0, /**/
                0x00, 0x01, 'a',     /* topic name */
                0xFF, 0xFF,          /* packet identifier */
                0x00);               /* Property Length */
}

static void test_properties_of_a_publish_keep_their_order(void **state)
{
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"),
        .qos = MQTT_QOS_1,
        .properties = SPAN(0x26, 0x00, 0x01, 'n', 0x00, 0x00, /* User */
                           0x01, 0x01,                        /* Format */
                           0x26, 0x00, 0x01, 'm', 0x00, 0x00) /* User */
    };

    (void)state;
    expect_head(&message, 1, 0xFFFFFFFF,            /**/
                0x00, 0x01, 'a',                    /* topic name */
                0x00, 0x01,                         /* packet identifier */
                0x0E,                               /* Property Length */
                0x26, 0x00, 0x01, 'n', 0x00, 0x00,  /* User Property */
                0x01, 0x01,                         /* Payload Format */
                0x26, 0x00, 0x01, 'm', 0x00, 0x00); /* User Property */
}

static void test_an_expiry_interval_comes_first_as_a_deadline(void **state)
{
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"),
        .properties = SPAN(0x01, 0x01,                   /* Payload Format */
                           0x02, 0x00, 0x00, 0x00, 0x3C, /* Expiry */
                           0x03, 0x00, 0x01, 't')        /* Content Type */
    };

    (void)state;
    expect_head(&message, 0, 0x12345678,      /**/
                0x00, 0x01, 'a',              /* topic name */
                0x0B,                         /* Property Length */
                0x02, 0x12, 0x34, 0x56, 0x78, /* Message Expiry Interval */
                0x01, 0x01,                   /* Payload Format Indicator */
                0x03, 0x00, 0x01, 't');       /* Content Type */
}

static void test_an_expiry_interval_may_be_first_last_and_alone(void **state)
{
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"),
        .properties = SPAN(0x02, 0x00, 0x00, 0x00, 0x3C, 0x01, 0x01)};

    (void)state;
    expect_head(&message, 0, 0xFEDCBA98,      /**/
                0x00, 0x01, 'a',              /* topic name */
                0x07,                         /* Property Length */
                0x02, 0xFE, 0xDC, 0xBA, 0x98, /* Message Expiry Interval */
                0x01, 0x01);                  /* Payload Format Indicator */
    message.properties =
        (struct mqtt_span)SPAN(0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x3C);
    expect_head(&message, 0, 0xFEDCBA98,      /**/
                0x00, 0x01, 'a',              /* topic name */
                0x07,                         /* Property Length */
                0x02, 0xFE, 0xDC, 0xBA, 0x98, /* Message Expiry Interval */
                0x01, 0x01);                  /* Payload Format Indicator */
    message.properties = (struct mqtt_span)SPAN(0x02, 0x00, 0x00, 0x00, 0x3C);
    expect_head(&message, 0, 0xFEDCBA98, /**/
                0x00, 0x01, 'a',         /* topic name */
                0x05,                    /* Property Length */
                0x02, 0xFE, 0xDC, 0xBA, 0x98);
}

static void test_a_publish_has_a_property_length_of_two_bytes(void **state)
{
    static uint8_t bytes[200];
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .qos = MQTT_QOS_2};
    struct mqtt_span packet;

    (void)state;
    message.properties = user_property(bytes, sizeof(bytes));
    packet = head(&message, 0x0102, 0, 120);
    assert_int_equal(packet.size, 3 + 2 + 2 + 200);
    assert_memory_equal(packet.data, "\0\1a\1\2\xC8\x01", 7);
    assert_memory_equal((const uint8_t *)packet.data + 7, bytes, 200);
}

static enum mqtt_error check_message(struct mqtt_span properties)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .properties = properties};

    return mqtt_publish_check_5_0(&message);
}

static void test_properties_that_may_be_published(void **state)
{
    const struct mqtt_span good[] = {
        {NULL, 0},
        SPAN(0x01, 0x01),                   /* Payload Format Indicator */
        SPAN(0x02, 0x00, 0x00, 0x00, 0x00), /* Message Expiry Interval */
        SPAN(0x03, 0x00, 0x01, 't'),        /* Content Type */
        SPAN(0x08, 0x00, 0x01, 'r'),        /* Response Topic */
        SPAN(0x09, 0x00, 0x01, 0xFF),       /* Correlation Data */
        SPAN(0x26, 0x00, 0x00, 0x00, 0x00, 0x26, 0x00, 0x00, 0x00, 0x00),
    };
    const struct mqtt_span bad[] = {
        {NULL, 1},
        SPAN(0x23, 0x00, 0x01),             /* Topic Alias */
        SPAN(0x0B, 0x01),                   /* Subscription Identifier */
        SPAN(0x01, 0x01, 0x0B, 0x01),       /* the second of two */
        SPAN(0x18, 0x00, 0x00, 0x00, 0x01), /* Will Delay Interval */
        SPAN(0x01, 0x01, 0x01, 0x01),       /* repeated */
        SPAN(0x08, 0x00, 0x01, '+'),        /* no topic name */
        SPAN(0x02, 0x00, 0x00, 0x00),       /* cut off */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check_message(good[i]), MQTT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check_message(bad[i]), MQTT_ERR_PROPERTY);
}

/* Remaining length: 3 of topic name, 1 of Property Length, the payload. */
static void test_a_message_fits_into_a_packet_or_is_too_large(void **state)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {"", 268435455 - 4}};

    (void)state;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_OK);
    message.payload.size++;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_ERR_TOO_LARGE);
    message.payload.size = SIZE_MAX;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_ERR_TOO_LARGE);
    message.payload.size = 268435455 - 6;
    message.qos = MQTT_QOS_1;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_OK);
    message.payload.size++;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_ERR_TOO_LARGE);
    message.payload.size = 0;
    message.properties = (struct mqtt_span){"", SIZE_MAX};
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_ERR_TOO_LARGE);
    message.properties.size = 268435455;
    assert_int_equal(mqtt_publish_check_5_0(&message), MQTT_ERR_TOO_LARGE);
}

/* ---- PUBLISH, received --------------------------------------------------- */

static uint8_t first_byte;

static enum mqtt_error read_publish(struct mqtt_reader *r)
{
    return mqtt_publish_read_5_0(r, first_byte, &got.message, &got.identifier,
                                 &got.alias);
}

static void expect_rest(enum mqtt_qos qos, bool retain, bool dup)
{
    assert_int_equal(got.message.qos, qos);
    assert_int_equal(got.message.retain, retain);
    assert_int_equal(got.message.dup, dup);
    assert_int_equal(got.message.settle_handle, 0);
    assert_int_equal(got.message.payload_offset, 0);
    assert_int_equal(got.message.payload_size, got.message.payload.size);
}

static void test_a_message_of_qos_0_is_read(void **state)
{
    (void)state;
    first_byte = 0x31;
    expect_read(read_publish, MQTT_OK,     /**/
                0x00, 0x03, 'a', '/', 'b', /* topic name */
                0x00,                      /* Property Length */
                'h', 'e', 'y');            /* payload */
    expect_bytes_of(got.message.topic_name, 'a', '/', 'b');
    expect_bytes_of(got.message.payload, 'h', 'e', 'y');
    assert_int_equal(got.message.properties.size, 0);
    assert_int_equal(got.identifier, 0);
    assert_int_equal(got.alias, 0);
    expect_rest(MQTT_QOS_0, true, false);
}

static void test_a_message_of_qos_1_is_read(void **state)
{
    (void)state;
    first_byte = 0x32;
    expect_read(read_publish, MQTT_OK, /**/
                0x00, 0x01, 'a',       /* topic name */
                0x12, 0x34,            /* packet identifier */
                0x00);                 /* Property Length */
    expect_bytes_of(got.message.topic_name, 'a');
    assert_int_equal(got.message.payload.size, 0);
    assert_int_equal(got.message.properties.size, 0);
    assert_int_equal(got.identifier, 0x1234);
    assert_int_equal(got.alias, 0);
    expect_rest(MQTT_QOS_1, false, false);
}

static const uint8_t with_properties[] = {
    0x00, 0x01, 'a',              /* topic name */
    0xFF, 0xFE,                   /* packet identifier */
    0x0E,                         /* Property Length */
    0x0B, 0x01,                   /* Subscription Identifier */
    0x23, 0x01, 0x02,             /* Topic Alias */
    0x02, 0x00, 0x00, 0x00, 0x09, /* Message Expiry Interval */
    0x0B, 0x02,                   /* Subscription Identifier */
    0x01, 0x00,                   /* Payload Format Indicator */
    'h',  'i',                    /* payload */
};

static void test_a_message_with_properties_is_read(void **state)
{
    (void)state;
    first_byte = 0x3C;
    assert_int_equal(
        decode(read_publish, with_properties, sizeof(with_properties)),
        MQTT_OK);
    expect_bytes_of(got.message.topic_name, 'a');
    expect_same(got.message.properties, with_properties + 6, 14);
    expect_bytes_of(got.message.payload, 'h', 'i');
    assert_int_equal(got.identifier, 0xFFFE);
    assert_int_equal(got.alias, 0x0102);
    expect_rest(MQTT_QOS_2, false, true);
}

static void test_a_message_that_is_cut_off_is_truncated(void **state)
{
    static const uint8_t qos0[] = {0x00, 0x01, 'a', 0x00};

    (void)state;
    first_byte = 0x32;
    for (size_t size = 0; size < 20; size++)
        assert_int_equal(decode(read_publish, with_properties, size),
                         MQTT_ERR_TRUNCATED);
    assert_int_equal(decode(read_publish, with_properties, 20), MQTT_OK);
    first_byte = 0x30;
    for (size_t size = 0; size < sizeof(qos0); size++)
        assert_int_equal(decode(read_publish, qos0, size), MQTT_ERR_TRUNCATED);
    assert_int_equal(decode(read_publish, qos0, sizeof(qos0)), MQTT_OK);
}

static void test_a_message_without_identifier_is_refused(void **state)
{
    (void)state;
    first_byte = 0x32;
    expect_read(read_publish, MQTT_ERR_PACKET_IDENTIFIER, 0x00, 0x01, 'a', 0x00,
                0x00, 0x00);
    first_byte = 0x34;
    expect_read(read_publish, MQTT_ERR_PACKET_IDENTIFIER, 0x00, 0x01, 'a', 0x00,
                0x00, 0x00);
}

static void test_an_empty_topic_name_needs_an_alias(void **state)
{
    (void)state;
    first_byte = 0x30;
    expect_read(read_publish, MQTT_OK, /**/
                0x00, 0x00,            /* topic name */
                0x03,                  /* Property Length */
                0x23, 0x00, 0x07,      /* Topic Alias */
                'x');                  /* payload */
    assert_int_equal(got.message.topic_name.size, 0);
    assert_int_equal(got.alias, 7);
    expect_bytes_of(got.message.payload, 'x');
    expect_read(read_publish, MQTT_ERR_NO_TOPIC, 0x00, 0x00, 0x00);
    expect_read(read_publish, MQTT_ERR_NO_TOPIC, 0x00, 0x00, 0x02, 0x01, 0x01);
    expect_read(read_publish, MQTT_ERR_TOPIC_ALIAS, 0x00, 0x00, 0x03, 0x23,
                0x00, 0x00);
}

static void test_a_topic_name_that_is_none_is_refused(void **state)
{
    (void)state;
    first_byte = 0x30;
    expect_read(read_publish, MQTT_ERR_RECEIVED_TOPIC, 0x00, 0x01, '#', 0x00);
    expect_read(read_publish, MQTT_ERR_RECEIVED_TOPIC, 0x00, 0x01, '+', 0x00);
    expect_read(read_publish, MQTT_ERR_RECEIVED_TOPIC, 0x00, 0x01, 0xFF, 0x00);
    expect_read(read_publish, MQTT_ERR_RECEIVED_TOPIC, 0x00, 0x01, '#', 0x03,
                0x23, 0x00, 0x01);
}

static void test_properties_of_a_message_are_its_own(void **state)
{
    (void)state;
    first_byte = 0x30;
    expect_read(read_publish, MQTT_ERR_PROPERTY_VALUE, 0x00, 0x01, 'a', 0x02,
                0x0B, 0x00);
    expect_read(read_publish, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x01, 'a', 0x03,
                0x1F, 0x00, 0x00);
    expect_read(read_publish, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x01, 'a', 0x82,
                0x00, 0x01, 0x01);
    expect_read(read_publish, MQTT_ERR_PROPERTY_VALUE, 0x00, 0x01, 'a', 0x06,
                0x23, 0x00, 0x01, 0x23, 0x00, 0x01);
}

static void test_what_was_put_is_read(void **state)
{
    static uint8_t bytes[200];
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a/b"),
                                   .qos = MQTT_QOS_1};
    struct mqtt_span packet;

    (void)state;
    first_byte = 0x32;
    for (size_t size = 5; size < 200; size++) {
        message.properties = user_property(bytes, size);
        packet = head(&message, 0x0405, 0, 0);
        assert_int_equal(decode(read_publish, packet.data, packet.size),
                         MQTT_OK);
        expect_bytes_of(got.message.topic_name, 'a', '/', 'b');
        expect_same(got.message.properties, bytes, size);
        assert_int_equal(got.message.payload.size, 0);
        assert_int_equal(got.identifier, 0x0405);
    }
}

/* ---- PUBACK, PUBREC, PUBREL, PUBCOMP [5.0, sections 3.4 to 3.7] ----------- */

static struct mqtt_span ack(enum mqtt_packet_type type, uint16_t identifier,
                            uint8_t code)
{
    uint32_t size;

    memset(out, 0xA5, sizeof(out));
    size = mqtt_ack_write_5_0(out, type, identifier, code);
    assert_in_range(size, 4, MQTT_ACK_MAX);
    assert_int_equal(out[size], 0xA5);
    return (struct mqtt_span){out, size};
}

static void test_an_acknowledgement_leaves_out_success(void **state)
{
    (void)state;
    expect_bytes_of(ack(MQTT_PUBACK, 0x1234, 0), 0x40, 0x02, 0x12, 0x34);
    expect_bytes_of(ack(MQTT_PUBREC, 0x1234, 0), 0x50, 0x02, 0x12, 0x34);
    expect_bytes_of(ack(MQTT_PUBREL, 0x1234, 0), 0x62, 0x02, 0x12, 0x34);
    expect_bytes_of(ack(MQTT_PUBCOMP, 0x1234, 0), 0x70, 0x02, 0x12, 0x34);
}

static void test_an_acknowledgement_has_a_reason_code(void **state)
{
    (void)state;
    expect_bytes_of(ack(MQTT_PUBACK, 0x00FF, 0x99), /**/
                    0x40,                           /* PUBACK */
                    0x03,                           /* remaining length */
                    0x00, 0xFF,                     /* packet identifier */
                    0x99);                          /* reason code */
    expect_bytes_of(ack(MQTT_PUBREC, 1, 0x10), 0x50, 0x03, 0x00, 0x01, 0x10);
    expect_bytes_of(ack(MQTT_PUBREL, 1, 0x92), 0x62, 0x03, 0x00, 0x01, 0x92);
    expect_bytes_of(ack(MQTT_PUBCOMP, 1, 0x92), 0x70, 0x03, 0x00, 0x01, 0x92);
}

static enum mqtt_packet_type ack_type;
static const enum mqtt_packet_type ack_types[] = {MQTT_PUBACK, MQTT_PUBREC,
                                                  MQTT_PUBREL, MQTT_PUBCOMP};

static enum mqtt_error read_ack(struct mqtt_reader *r)
{
    return mqtt_ack_read_5_0(r, ack_type, &got.identifier, &got.code,
                             &got.properties);
}

static void expect_ack(uint16_t identifier, uint8_t code)
{
    assert_int_equal(got.identifier, identifier);
    assert_int_equal(got.code, code);
    assert_int_equal(got.properties.size, 0);
}

static void test_an_acknowledgement_of_two_bytes_is_a_success(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        ack_type = ack_types[i];
        expect_read(read_ack, MQTT_OK, 0x12, 0x34);
        expect_ack(0x1234, 0);
        expect_read(read_ack, MQTT_ERR_TRUNCATED, 0x12);
        assert_int_equal(decode(read_ack, "", 0), MQTT_ERR_TRUNCATED);
    }
}

static void test_an_acknowledgement_of_three_bytes_has_a_code(void **state)
{
    (void)state;
    ack_type = MQTT_PUBREC;
    expect_read(read_ack, MQTT_OK, 0x12, 0x34, 0x97);
    expect_ack(0x1234, 0x97);
    expect_read(read_ack, MQTT_OK, 0x12, 0x34, 0x97, 0x00);
    expect_ack(0x1234, 0x97);
}

static void test_an_acknowledgement_with_properties(void **state)
{
    static const uint8_t bytes[] = {0x12, 0x34, /* identifier */
                                    0x00,       /* reason code */
                                    0x04,       /* Property Length */
                                    0x1F, 0x00, 0x01, 'n'}; /* Reason String */

    (void)state;
    for (int i = 0; i < 4; i++) {
        ack_type = ack_types[i];
        expect_whole(read_ack, bytes, sizeof(bytes), 4);
        assert_int_equal(decode(read_ack, bytes, sizeof(bytes)), MQTT_OK);
        assert_int_equal(got.identifier, 0x1234);
        assert_int_equal(got.code, 0);
        expect_same(got.properties, bytes + 4, 4);
        expect_read(read_ack, MQTT_ERR_TRAILING_BYTES, 0x12, 0x34, 0x00, 0x00,
                    0x00);
    }
}

static void test_an_acknowledgement_has_an_identifier(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        ack_type = ack_types[i];
        expect_read(read_ack, MQTT_ERR_PACKET_IDENTIFIER, 0x00, 0x00);
        expect_read(read_ack, MQTT_ERR_PACKET_IDENTIFIER, 0x00, 0x00, 0x00);
    }
}

static void test_an_acknowledgement_has_a_code_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        for (unsigned code = 0; code < 256; code++) {
            uint8_t bytes[3] = {0x00, 0x01, (uint8_t)code};
            enum mqtt_reason_place place =
                i < 2 ? MQTT_REASON_IN_PUBACK : MQTT_REASON_IN_PUBREL;

            ack_type = ack_types[i];
            assert_int_equal(decode(read_ack, bytes, 3),
                             mqtt_reason_may_stand((uint8_t)code, place)
                                 ? MQTT_OK
                                 : MQTT_ERR_RECEIVED_REASON_CODE);
        }
}

static void test_properties_of_an_acknowledgement_are_its_own(void **state)
{
    (void)state;
    ack_type = MQTT_PUBACK;
    expect_read(read_ack, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x01, 0x00, 0x02,
                0x01, 0x01);
    expect_read(read_ack, MQTT_ERR_PROPERTY_VALUE, 0x00, 0x01, 0x00, 0x06, 0x1F,
                0x00, 0x00, 0x1F, 0x00, 0x00);
}

/* ---- SUBSCRIBE, UNSUBSCRIBE [5.0, sections 3.8, 3.10] --------------------- */

static struct mqtt_span request(enum mqtt_packet_type type,
                                const struct mqtt_subscription *subscription,
                                bool identifiers)
{
    uint32_t size =
        mqtt_request_head_size_5_0(type, subscription, identifiers) +
        mqtt_request_entry_size(type, subscription);
    struct mqtt_writer w = writer(mqtt_request_size(size));

    mqtt_request_begin(&w, type, 0x1234, size);
    mqtt_request_head_5_0(&w, type, subscription, identifiers);
    mqtt_request_entry_5_0(&w, type, subscription);
    return written(&w);
}

static void test_subscribe_without_anything(void **state)
{
    struct mqtt_subscription subscription = {.topic_filter = MQTT_TEXT("a/#")};

    (void)state;
    expect_bytes_of(request(MQTT_SUBSCRIBE, &subscription, true), /**/
                    0x82,                      /* SUBSCRIBE */
                    0x09,                      /* remaining length */
                    0x12, 0x34,                /* packet identifier */
                    0x00,                      /* Property Length */
                    0x00, 0x03, 'a', '/', '#', /* topic filter */
                    0x00);                     /* options */
}

static const uint8_t user[] = {0x26, 0x00, 0x01, 'n', 0x00, 0x00};

static struct mqtt_subscription full_subscription(void)
{
    static const struct mqtt_subscription full = {
        .topic_filter = MQTT_TEXT("a"),
        .maximum_qos = MQTT_QOS_1,
        .no_local = true,
        .retain_as_published = true,
        .retain_handling = MQTT_RETAIN_SEND_IF_NEW,
        .identifier = 300,
        .properties = {user, sizeof(user)}};

    return full;
}

static void test_subscribe_carries_every_field_in_order(void **state)
{
    struct mqtt_subscription subscription = full_subscription();

    (void)state;
    expect_bytes_of(request(MQTT_SUBSCRIBE, &subscription, true), /**/
                    0x82,                              /* SUBSCRIBE */
                    0x10,                              /* remaining length */
                    0x12, 0x34,                        /* packet identifier */
                    0x09,                              /* Property Length */
                    0x0B, 0xAC, 0x02,                  /* Subscription Id. */
                    0x26, 0x00, 0x01, 'n', 0x00, 0x00, /* User Property */
                    0x00, 0x01, 'a',                   /* topic filter */
                    0x1D);                             /* options */
}

static void test_an_identifier_is_left_out_where_there_is_none(void **state)
{
    struct mqtt_subscription subscription = full_subscription();

    (void)state;
    expect_bytes_of(request(MQTT_SUBSCRIBE, &subscription, false), /**/
                    0x82,                              /* SUBSCRIBE */
                    0x0D,                              /* remaining length */
                    0x12, 0x34,                        /* packet identifier */
                    0x06,                              /* Property Length */
                    0x26, 0x00, 0x01, 'n', 0x00, 0x00, /* User Property */
                    0x00, 0x01, 'a',                   /* topic filter */
                    0x1D);                             /* options */
}

static void test_unsubscribe_has_no_identifier_and_no_options(void **state)
{
    struct mqtt_subscription subscription = full_subscription();

    (void)state;
    expect_bytes_of(request(MQTT_UNSUBSCRIBE, &subscription, true), /**/
                    0xA2,                              /* UNSUBSCRIBE */
                    0x0C,                              /* remaining length */
                    0x12, 0x34,                        /* packet identifier */
                    0x06,                              /* Property Length */
                    0x26, 0x00, 0x01, 'n', 0x00, 0x00, /* User Property */
                    0x00, 0x01, 'a');                  /* topic filter */
}

static void test_the_largest_identifier_has_four_bytes(void **state)
{
    struct mqtt_subscription subscription = {.topic_filter = MQTT_TEXT("a"),
                                             .identifier = 268435455};

    (void)state;
    expect_bytes_of(request(MQTT_SUBSCRIBE, &subscription, true), /**/
                    0x82,                         /* SUBSCRIBE */
                    0x0C,                         /* remaining length */
                    0x12, 0x34,                   /* packet identifier */
                    0x05,                         /* Property Length */
                    0x0B, 0xFF, 0xFF, 0xFF, 0x7F, /* Subscription Identifier */
                    0x00, 0x01, 'a',              /* topic filter */
                    0x00);                        /* options */
}

/* The last byte of SUBSCRIBE. */
static unsigned options_of(struct mqtt_subscription subscription)
{
    struct mqtt_span packet;

    subscription.topic_filter = mqtt_text("a");
    packet = request(MQTT_SUBSCRIBE, &subscription, true);
    return out[packet.size - 1];
}

#define OPTIONS(...) options_of((struct mqtt_subscription){__VA_ARGS__})

/* [5.0, section 3.8.3.1] */
static void test_each_option_has_its_bits(void **state)
{
    (void)state;
    assert_int_equal(OPTIONS(.maximum_qos = MQTT_QOS_1), 0x01);
    assert_int_equal(OPTIONS(.maximum_qos = MQTT_QOS_2), 0x02);
    assert_int_equal(OPTIONS(.no_local = true), 0x04);
    assert_int_equal(OPTIONS(.retain_as_published = true), 0x08);
    assert_int_equal(OPTIONS(.retain_handling = MQTT_RETAIN_SEND_IF_NEW), 0x10);
    assert_int_equal(OPTIONS(.retain_handling = MQTT_RETAIN_DO_NOT_SEND), 0x20);
}

static void test_a_renewed_subscription_asks_for_nothing_retained(void **state)
{
    (void)state;
    assert_int_equal(OPTIONS(.renewed_ = true), 0x20);
    assert_int_equal(
        OPTIONS(.renewed_ = true, .retain_handling = MQTT_RETAIN_SEND_IF_NEW),
        0x20);
}

static enum mqtt_error check_filter(const char *filter, bool no_local)
{
    struct mqtt_subscription subscription = {.topic_filter = mqtt_text(filter),
                                             .no_local = no_local};

    return mqtt_subscription_check_5_0(&subscription);
}

static void test_filters_that_may_be_subscribed_to(void **state)
{
    (void)state;
    assert_int_equal(check_filter("a/#", false), MQTT_OK);
    assert_int_equal(check_filter("a/#", true), MQTT_OK);
    assert_int_equal(check_filter("$share/g/a", false), MQTT_OK);
    assert_int_equal(check_filter("$share/g/a", true), MQTT_ERR_SUBSCRIPTION);
    assert_int_equal(check_filter("$share", true), MQTT_OK);
    assert_int_equal(check_filter("$share/g", false), MQTT_ERR_TOPIC_FILTER);
    assert_int_equal(check_filter("", false), MQTT_ERR_TOPIC_FILTER);
    assert_int_equal(check_filter("a#", false), MQTT_ERR_TOPIC_FILTER);
}

static void test_options_that_may_be_subscribed_with(void **state)
{
    struct mqtt_subscription s = full_subscription();

    (void)state;
    assert_int_equal(mqtt_subscription_check_5_0(&s), MQTT_OK);
    s.identifier = 268435455;
    assert_int_equal(mqtt_subscription_check_5_0(&s), MQTT_OK);
    s.identifier++;
    assert_int_equal(mqtt_subscription_check_5_0(&s), MQTT_ERR_SUBSCRIPTION);
    s.identifier = 0;
    s.retain_handling = (enum mqtt_retain_handling)3;
    assert_int_equal(mqtt_subscription_check_5_0(&s), MQTT_ERR_SUBSCRIPTION);
    s.maximum_qos = (enum mqtt_qos)3;
    assert_int_equal(mqtt_subscription_check_5_0(&s), MQTT_ERR_QOS);
}

static void test_a_request_has_user_properties_alone(void **state)
{
    const struct mqtt_span bad[] = {
        {NULL, 1},
        SPAN(0x0B, 0x01),                         /* it has a member */
        SPAN(0x1F, 0x00, 0x00),                   /* Reason String */
        SPAN(0x26, 0x00, 0x00, 0x00),             /* cut off */
        SPAN(0x26, 0x00, 0x00, 0x00, 0x01, 0xFF), /* not UTF-8 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mqtt_subscription subscription = full_subscription();

        subscription.properties = bad[i];
        assert_int_equal(mqtt_subscription_check_5_0(&subscription),
                         MQTT_ERR_PROPERTY);
    }
}

/* ---- SUBACK, UNSUBACK [5.0, sections 3.9, 3.11] --------------------------- */

static enum mqtt_error read_suback(struct mqtt_reader *r)
{
    return mqtt_suback_read_5_0(r, MQTT_SUBACK, &got.identifier, &got.codes,
                                &got.properties);
}

static enum mqtt_error read_unsuback(struct mqtt_reader *r)
{
    return mqtt_suback_read_5_0(r, MQTT_UNSUBACK, &got.identifier, &got.codes,
                                &got.properties);
}

static void test_suback_is_read(void **state)
{
    (void)state;
    expect_read(read_suback, MQTT_OK,    /**/
                0x12, 0x34,              /* packet identifier */
                0x04,                    /* Property Length */
                0x1F, 0x00, 0x01, 'n',   /* Reason String */
                0x00, 0x01, 0x02, 0x87); /* reason codes */
    assert_int_equal(got.identifier, 0x1234);
    expect_bytes_of(got.properties, 0x1F, 0x00, 0x01, 'n');
    expect_bytes_of(got.codes, 0x00, 0x01, 0x02, 0x87);
}

static void test_unsuback_is_read(void **state)
{
    (void)state;
    expect_read(read_unsuback, MQTT_OK, /**/
                0x12, 0x34,             /* packet identifier */
                0x00,                   /* Property Length */
                0x00, 0x11);            /* reason codes */
    assert_int_equal(got.identifier, 0x1234);
    assert_int_equal(got.properties.size, 0);
    expect_bytes_of(got.codes, 0x00, 0x11);
}

static void test_suback_that_is_cut_off_is_truncated(void **state)
{
    static const uint8_t bytes[] = {0x12, 0x34, 0x05, 0x26,
                                    0x00, 0x00, 0x00, 0x00};

    (void)state;
    for (size_t size = 0; size < sizeof(bytes); size++) {
        assert_int_equal(decode(read_suback, bytes, size), MQTT_ERR_TRUNCATED);
        assert_int_equal(decode(read_unsuback, bytes, size),
                         MQTT_ERR_TRUNCATED);
    }
    assert_int_equal(decode(read_suback, bytes, sizeof(bytes)), MQTT_OK);
    assert_int_equal(got.codes.size, 0);
}

static void test_suback_and_unsuback_have_codes_of_their_own(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 256; n++) {
        uint8_t code = (uint8_t)n;
        uint8_t bytes[5] = {0x00, 0x01, 0x00, 0x00, code};
        bool of_suback = mqtt_reason_may_stand(code, MQTT_REASON_IN_SUBACK);
        bool of_unsuback = mqtt_reason_may_stand(code, MQTT_REASON_IN_UNSUBACK);

        assert_int_equal(decode(read_suback, bytes, 5),
                         of_suback ? MQTT_OK : MQTT_ERR_SUBACK_CODE);
        assert_int_equal(decode(read_unsuback, bytes, 5),
                         of_unsuback ? MQTT_OK : MQTT_ERR_SUBACK_CODE);
    }
}

static void test_suback_with_other_mistakes_is_refused(void **state)
{
    (void)state;
    expect_read(read_suback, MQTT_ERR_PACKET_IDENTIFIER, 0x00, 0x00, 0x00,
                0x00);
    expect_read(read_suback, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x01, 0x02, 0x01,
                0x01, 0x00);
    expect_read(read_suback, MQTT_ERR_RECEIVED_PROPERTY, 0x00, 0x01, 0x80, 0x00,
                0x00);
}

/* ---- DISCONNECT [5.0, section 3.14] --------------------------------------- */

static struct mqtt_span disconnect(uint8_t code, struct mqtt_span properties)
{
    struct mqtt_writer w = writer(mqtt_disconnect_size_5_0(code, properties));

    mqtt_disconnect_write_5_0(&w, code, properties);
    return written(&w);
}

static void test_disconnect_leaves_out_what_it_can(void **state)
{
    const struct mqtt_span none = {NULL, 0};
    const struct mqtt_span expiry = SPAN(0x11, 0x00, 0x00, 0x00, 0x07);

    (void)state;
    expect_bytes_of(disconnect(0, none), 0xE0, 0x00);
    expect_bytes_of(disconnect(0x04, none), 0xE0, 0x01, 0x04);
    expect_bytes_of(disconnect(0, expiry),         /**/
                    0xE0,                          /* DISCONNECT */
                    0x07,                          /* remaining length */
                    0x00,                          /* reason code */
                    0x05,                          /* Property Length */
                    0x11, 0x00, 0x00, 0x00, 0x07); /* Session Expiry */
    expect_bytes_of(disconnect(0x81, expiry),      /**/
                    0xE0,                          /* DISCONNECT */
                    0x07,                          /* remaining length */
                    0x81,                          /* reason code */
                    0x05,                          /* Property Length */
                    0x11, 0x00, 0x00, 0x00, 0x07); /* Session Expiry */
}

static void test_disconnect_has_lengths_of_two_bytes(void **state)
{
    static uint8_t bytes[200];
    struct mqtt_span packet = disconnect(0x80, user_property(bytes, 128));

    (void)state;
    assert_int_equal(packet.size, 3 + 1 + 2 + 128);
    assert_memory_equal(packet.data, "\xE0\x83\x01\x80\x80\x01\x26", 7);
    packet = disconnect(0x80, user_property(bytes, 126));
    assert_int_equal(packet.size, 3 + 1 + 1 + 126);
    assert_memory_equal(packet.data, "\xE0\x80\x01\x80\x7E\x26", 6);
}

static enum mqtt_error read_disconnect(struct mqtt_reader *r)
{
    return mqtt_disconnect_read_5_0(r, &got.code, &got.properties);
}

static void test_disconnect_without_a_code_has_code_0(void **state)
{
    (void)state;
    assert_int_equal(decode(read_disconnect, "", 0), MQTT_OK);
    assert_int_equal(got.code, 0);
    assert_int_equal(got.properties.size, 0);
}

static void test_disconnect_has_a_code_of_its_own(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 256; n++) {
        uint8_t code = (uint8_t)n;
        bool may_stand =
            mqtt_reason_may_stand(code, MQTT_REASON_IN_SERVER_DISCONNECT);

        assert_int_equal(decode(read_disconnect, &code, 1),
                         may_stand ? MQTT_OK : MQTT_ERR_RECEIVED_REASON_CODE);
        if (may_stand)
            assert_int_equal(got.code, code);
        assert_int_equal(got.properties.size, 0);
    }
}

static void test_disconnect_with_properties(void **state)
{
    static const uint8_t bytes[] = {0x9D, /* Server moved */
                                    0x04, /* Property Length */
                                    0x1C, 0x00, 0x01, 's'}; /* Server Ref. */

    (void)state;
    expect_whole(read_disconnect, bytes, sizeof(bytes), 2);
    assert_int_equal(decode(read_disconnect, bytes, sizeof(bytes)), MQTT_OK);
    assert_int_equal(got.code, 0x9D);
    expect_same(got.properties, bytes + 2, 4);
    expect_read(read_disconnect, MQTT_OK, 0x8B, 0x00);
    expect_read(read_disconnect, MQTT_ERR_TRAILING_BYTES, 0x8B, 0x00, 0x00);
    expect_read(read_disconnect, MQTT_ERR_RECEIVED_PROPERTY, 0x8B, 0x02, 0x01,
                0x01);
}

/* [5.0 MQTT-3.14.2-2] */
static void test_a_server_does_not_change_the_session_expiry(void **state)
{
    (void)state;
    expect_read(read_disconnect, MQTT_ERR_PROPERTY_VALUE, 0x8B, 0x05, 0x11,
                0x00, 0x00, 0x00, 0x01);
    expect_read(read_disconnect, MQTT_ERR_PROPERTY_VALUE, 0x8B, 0x08, 0x1F,
                0x00, 0x00, 0x11, 0x00, 0x00, 0x00, 0x01);
}

/* ---- AUTH [5.0, section 3.15] --------------------------------------------- */

static struct mqtt_span auth(uint8_t code, struct mqtt_span data,
                             struct mqtt_span properties)
{
    const struct mqtt_span method = MQTT_TEXT("SCRAM");
    struct mqtt_writer w = writer(mqtt_auth_size_5_0(method, data, properties));

    mqtt_auth_write_5_0(&w, code, method, data, properties);
    return written(&w);
}

static void test_auth_carries_every_field_in_order(void **state)
{
    const struct mqtt_span data = SPAN(0xFF, 0x00);
    const struct mqtt_span properties = SPAN(0x26, 0x00, 0x01, 'n', 0x00, 0x00);

    (void)state;
    expect_bytes_of(auth(0x18, data, properties), /**/
                    0xF0,                         /* AUTH */
                    0x15,                         /* remaining length */
                    0x18,                         /* reason code */
                    0x13,                         /* Property Length */
                    0x15, 0x00, 0x05,             /* Authentication Method */
                    'S', 'C', 'R', 'A', 'M',      /**/
                    0x16, 0x00, 0x02, 0xFF, 0x00, /* Authentication Data */
                    0x26, 0x00, 0x01, 'n', 0x00, 0x00); /* User Property */
}

static void test_auth_without_data_and_with_empty_data(void **state)
{
    const struct mqtt_span none = {NULL, 0}, empty = {"", 0};

    (void)state;
    expect_bytes_of(auth(0x19, none, none), /**/
                    0xF0,                   /* AUTH */
                    0x0A,                   /* remaining length */
                    0x19,                   /* reason code */
                    0x08,                   /* Property Length */
                    0x15, 0x00, 0x05,       /* Authentication Method */
                    'S', 'C', 'R', 'A', 'M');
    expect_bytes_of(auth(0x19, empty, none), /**/
                    0xF0,                    /* AUTH */
                    0x0D,                    /* remaining length */
                    0x19,                    /* reason code */
                    0x0B,                    /* Property Length */
                    0x15, 0x00, 0x05,        /* Authentication Method */
                    'S', 'C', 'R', 'A', 'M', /**/
                    0x16, 0x00, 0x00);       /* Authentication Data */
}

static void test_auth_has_lengths_of_two_bytes(void **state)
{
    static uint8_t bytes[200];
    const struct mqtt_span none = {NULL, 0};
    struct mqtt_span packet = auth(0x18, none, user_property(bytes, 120));

    (void)state;
    assert_int_equal(packet.size, 3 + 1 + 2 + 8 + 120);
    assert_memory_equal(packet.data, "\xF0\x83\x01\x18\x80\x01\x15", 7);
}

static enum mqtt_error read_auth(struct mqtt_reader *r)
{
    return mqtt_auth_read_5_0(r, &got.code, &got.properties);
}

static void test_auth_is_read(void **state)
{
    static const uint8_t bytes[] = {0x18,                  /* reason code */
                                    0x08,                  /* Property Length */
                                    0x15, 0x00, 0x01, 'm', /* Method */
                                    0x16, 0x00, 0x01, 0xFF}; /* Data */

    (void)state;
    expect_whole(read_auth, bytes, sizeof(bytes), 2);
    assert_int_equal(decode(read_auth, bytes, sizeof(bytes)), MQTT_OK);
    assert_int_equal(got.code, 0x18);
    expect_same(got.properties, bytes + 2, 8);
}

static void test_auth_has_a_code_of_its_own(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        uint8_t bytes[] = {(uint8_t)code, 0x04, 0x15, 0x00, 0x01, 'm'};

        assert_int_equal(decode(read_auth, bytes, sizeof(bytes)),
                         code == 0x00 || code == 0x18
                             ? MQTT_OK
                             : MQTT_ERR_RECEIVED_REASON_CODE);
    }
}

static void test_auth_has_a_method(void **state)
{
    (void)state;
    assert_int_equal(decode(read_auth, "", 0), MQTT_ERR_PROPERTY_VALUE);
    expect_read(read_auth, MQTT_ERR_PROPERTY_VALUE, 0x18);
    expect_read(read_auth, MQTT_ERR_PROPERTY_VALUE, 0x18, 0x00);
    expect_read(read_auth, MQTT_ERR_PROPERTY_VALUE, 0x18, 0x03, 0x1F, 0x00,
                0x00);
    expect_read(read_auth, MQTT_ERR_PROPERTY_VALUE, 0x18, 0x03, 0x16, 0x00,
                0x00);
    expect_read(read_auth, MQTT_ERR_RECEIVED_PROPERTY, 0x18, 0x02, 0x01, 0x01);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties_stand_behind_their_length),
        cmocka_unit_test(test_properties_of_two_bytes_of_length_are_read),
        cmocka_unit_test(test_a_property_length_has_no_byte_too_many),
        cmocka_unit_test(test_properties_are_checked_for_their_place),
        cmocka_unit_test(test_the_size_of_properties_counts_their_length),
        cmocka_unit_test(test_properties_to_be_sent_have_one_error),
        cmocka_unit_test(test_a_number_is_the_first_or_otherwise),
        cmocka_unit_test(test_connect_without_anything),
        cmocka_unit_test(test_connect_carries_every_field_in_order),
        cmocka_unit_test(test_connect_has_a_will_without_properties),
        cmocka_unit_test(test_connect_has_a_password_alone),
        cmocka_unit_test(test_what_is_0_is_not_announced),
        cmocka_unit_test(
            test_property_lengths_of_connect_have_as_many_bytes_as_needed),
        cmocka_unit_test(test_options_that_5_0_allows),
        cmocka_unit_test(test_options_that_no_version_allows),
        cmocka_unit_test(test_properties_that_an_application_gives_to_connect),
        cmocka_unit_test(test_properties_that_an_application_gives_to_a_will),
        cmocka_unit_test(test_properties_that_fit_into_no_packet_are_refused),
        cmocka_unit_test(test_connack_without_properties),
        cmocka_unit_test(test_connack_with_properties),
        cmocka_unit_test(test_reserved_flags_of_connack_are_refused),
        cmocka_unit_test(test_connack_has_a_code_of_its_own),
        cmocka_unit_test(test_a_refusal_has_no_session),
        cmocka_unit_test(test_a_refusal_of_3_1_1_is_read),
        cmocka_unit_test(test_properties_of_connack_are_its_own),
        cmocka_unit_test(test_a_server_that_says_nothing_sets_no_limit),
        cmocka_unit_test(test_a_server_says_its_limits),
        cmocka_unit_test(test_what_is_said_to_be_available_is),
        cmocka_unit_test(test_a_publish_of_qos_0_has_no_identifier),
        cmocka_unit_test(test_a_publish_of_qos_1_and_2_has_an_identifier),
        cmocka_unit_test(test_properties_of_a_publish_keep_their_order),
        cmocka_unit_test(test_an_expiry_interval_comes_first_as_a_deadline),
        cmocka_unit_test(test_an_expiry_interval_may_be_first_last_and_alone),
        cmocka_unit_test(test_a_publish_has_a_property_length_of_two_bytes),
        cmocka_unit_test(test_properties_that_may_be_published),
        cmocka_unit_test(test_a_message_fits_into_a_packet_or_is_too_large),
        cmocka_unit_test(test_a_message_of_qos_0_is_read),
        cmocka_unit_test(test_a_message_of_qos_1_is_read),
        cmocka_unit_test(test_a_message_with_properties_is_read),
        cmocka_unit_test(test_a_message_that_is_cut_off_is_truncated),
        cmocka_unit_test(test_a_message_without_identifier_is_refused),
        cmocka_unit_test(test_an_empty_topic_name_needs_an_alias),
        cmocka_unit_test(test_a_topic_name_that_is_none_is_refused),
        cmocka_unit_test(test_properties_of_a_message_are_its_own),
        cmocka_unit_test(test_what_was_put_is_read),
        cmocka_unit_test(test_an_acknowledgement_leaves_out_success),
        cmocka_unit_test(test_an_acknowledgement_has_a_reason_code),
        cmocka_unit_test(test_an_acknowledgement_of_two_bytes_is_a_success),
        cmocka_unit_test(test_an_acknowledgement_of_three_bytes_has_a_code),
        cmocka_unit_test(test_an_acknowledgement_with_properties),
        cmocka_unit_test(test_an_acknowledgement_has_an_identifier),
        cmocka_unit_test(test_an_acknowledgement_has_a_code_of_its_own),
        cmocka_unit_test(test_properties_of_an_acknowledgement_are_its_own),
        cmocka_unit_test(test_subscribe_without_anything),
        cmocka_unit_test(test_subscribe_carries_every_field_in_order),
        cmocka_unit_test(test_an_identifier_is_left_out_where_there_is_none),
        cmocka_unit_test(test_unsubscribe_has_no_identifier_and_no_options),
        cmocka_unit_test(test_the_largest_identifier_has_four_bytes),
        cmocka_unit_test(test_each_option_has_its_bits),
        cmocka_unit_test(test_a_renewed_subscription_asks_for_nothing_retained),
        cmocka_unit_test(test_filters_that_may_be_subscribed_to),
        cmocka_unit_test(test_options_that_may_be_subscribed_with),
        cmocka_unit_test(test_a_request_has_user_properties_alone),
        cmocka_unit_test(test_suback_is_read),
        cmocka_unit_test(test_unsuback_is_read),
        cmocka_unit_test(test_suback_that_is_cut_off_is_truncated),
        cmocka_unit_test(test_suback_and_unsuback_have_codes_of_their_own),
        cmocka_unit_test(test_suback_with_other_mistakes_is_refused),
        cmocka_unit_test(test_disconnect_leaves_out_what_it_can),
        cmocka_unit_test(test_disconnect_has_lengths_of_two_bytes),
        cmocka_unit_test(test_disconnect_without_a_code_has_code_0),
        cmocka_unit_test(test_disconnect_has_a_code_of_its_own),
        cmocka_unit_test(test_disconnect_with_properties),
        cmocka_unit_test(test_a_server_does_not_change_the_session_expiry),
        cmocka_unit_test(test_auth_carries_every_field_in_order),
        cmocka_unit_test(test_auth_without_data_and_with_empty_data),
        cmocka_unit_test(test_auth_has_lengths_of_two_bytes),
        cmocka_unit_test(test_auth_is_read),
        cmocka_unit_test(test_auth_has_a_code_of_its_own),
        cmocka_unit_test(test_auth_has_a_method),
    };

    return cmocka_run_group_tests_name("packets_5_0", tests, NULL, NULL);
}
