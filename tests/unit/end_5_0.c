/*
 * end_5_0.c - how a connection of 5.0 is refused and ended, by the server and
 * by this side, and what either says of it [5.0, sections 3.2, 3.14, 4.13].
 */
#include <mqttloop/properties.h>
#include "script.h"

static void await_connack(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    connects(s);
    discard_sent(s);
}

static void connected_5_0(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    connected(s);
}

/* ---- what the server says ------------------------------------------------ */

static void expect_text(struct script *s, uint8_t identifier, const char *text)
{
    struct mqtt_property property = {0};

    assert_true(mqtt_property_find(s->event.properties, identifier, &property));
    assert_true(span_is(property.text, text));
}

static void expect_user_property(struct script *s)
{
    struct mqtt_property property = {0};

    assert_true(mqtt_property_find(s->event.properties,
                                   MQTT_PROPERTY_USER_PROPERTY, &property));
    assert_true(span_is(property.name, "k"));
    assert_true(span_is(property.text, "v"));
}

static void test_connack_is_told_with_its_properties(void **state)
{
    struct script *s = *state;

    await_connack(s);
    server_connack_with(s, 1, 0, 0x1F, 0x00, 0x02, 'h', 'i', 0x26, 0x00, 0x01,
                        'k', 0x00, 0x01, 'v');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(s->event.reason_code, 0);
    assert_true(s->event.session_present);
    expect_text(s, MQTT_PROPERTY_REASON_STRING, "hi");
    expect_user_property(s);
    expect_no_event(s);
}

/* ... and that it said nothing, too. */
static void test_connack_without_properties_has_none(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    assert_int_equal(s->event.properties.size, 0);
    assert_int_equal(s->event.reason_code, 0);
    assert_false(s->event.session_present);
}

static void test_a_refusal_is_told_with_its_properties(void **state)
{
    struct script *s = *state;

    await_connack(s);
    server_connack_with(s, 0, 0x9C, 0x1C, 0x00, 0x05, 'o', 't', 'h', 'e', 'r',
                        0x1F, 0x00, 0x03, 'w', 'h', 'y', 0x26, 0x00, 0x01, 'k',
                        0x00, 0x01, 'v');
    pull(s, MQTT_EVENT_REFUSED);
    assert_int_equal(s->event.reason_code, 0x9C);
    expect_text(s, MQTT_PROPERTY_SERVER_REFERENCE, "other");
    expect_text(s, MQTT_PROPERTY_REASON_STRING, "why");
    expect_user_property(s);
    expect_fatal(s, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, 0x9C);
    assert_false(s->seen_disconnect);
    expect_no_event(s);
}

static void test_disconnect_is_told_with_its_properties(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    server_sends(s, 0xE0,                                 /* DISCONNECT */
                 0x17,                                    /* remaining length */
                 0x9D,                                    /* server moved */
                 0x15,                                    /* property length */
                 0x1C, 0x00, 0x05,                        /* Server Reference */
                 'o', 't', 'h', 'e', 'r',                 /* */
                 0x1F, 0x00, 0x03, 'w', 'h', 'y',         /* Reason String */
                 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'); /* User Property */
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    assert_int_equal(s->event.reason_code, 0x9D);
    expect_text(s, MQTT_PROPERTY_SERVER_REFERENCE, "other");
    expect_text(s, MQTT_PROPERTY_REASON_STRING, "why");
    expect_user_property(s);
    expect_fatal(s, MQTT_ERR_DISCONNECT_PACKET);
    assert_int_equal(s->event.reason_code, 0x9D);
    assert_false(s->seen_disconnect);
    expect_no_event(s);
}

/* The server need not leave the connection open for it. */
static void test_what_the_server_says_before_it_closes_is_told(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    server_publishes(s, 0x30, "a", 0, "x");
    server_sends(s, 0xE0, 0x01, 0x8B);
    server_closes(s);
    expect_message(s, "a", "x");
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_DISCONNECT_PACKET);
    assert_int_equal(s->event.reason_code, 0x8B);
}

/* What comes behind DISCONNECT is not read. */
static void test_nothing_follows_disconnect_of_the_server(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    server_sends(s, 0xE0, 0x00, 0x30, 0x04, 0x00, 0x01, 'a', 0x00);
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    assert_int_equal(s->event.reason_code, 0);
    assert_int_equal(s->event.properties.size, 0);
    expect_fatal(s, MQTT_ERR_DISCONNECT_PACKET);
    expect_no_event(s);
    assert_true(s->retry_at != MQTT_NEVER);
}

/* Two clients of one identifier must not fight. */
static void test_who_was_taken_over_does_not_come_back(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    server_sends(s, 0xE0, 0x01, 0x8E);
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    expect_fatal(s, MQTT_ERR_DISCONNECT_PACKET);
    assert_true(s->retry_at == MQTT_NEVER);
}

/* ---- what the server did wrong ------------------------------------------- */

static struct mqtt_subscription node;

static void idle(struct script *s)
{
    connected_5_0(s);
}

static void with_publish(struct script *s)
{
    connected_5_0(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
}

static void with_subscribe(struct script *s)
{
    connected_5_0(s);
    node = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("a")};
    assert_int_equal(mqtt_subscribe(&s->client, &node), MQTT_OK);
    expect_packet(s, 0x82, 1);
}

static void with_one_received(struct script *s)
{
    s->config.connect.receive_maximum = 1;
    connected_5_0(s);
    server_publishes(s, 0x34, "a", 7, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    discard_sent(s);
}

static void without_received(struct script *s)
{
    s->with_bits = false;
    connected_5_0(s);
}

static void with_little_for_aliases(struct script *s)
{
    s->memory.alias_names_size = 8;
    s->memory.alias_name_count = 2;
    connected_5_0(s);
}

#define BYTES(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const struct {
    void (*prepare)(struct script *s);
    uint8_t bytes[32];
    size_t size;
    enum mqtt_error error;
    uint8_t code; /* of our DISCONNECT */
} wrongs[] = {
    /* clang-format off */
    {idle, BYTES(0x00, 0x00), MQTT_ERR_PACKET_TYPE, 0x82},
    {idle, BYTES(0x82, 0x00), MQTT_ERR_PACKET_TYPE, 0x82},
    {idle, BYTES(0x41, 0x02), MQTT_ERR_PACKET_FLAGS, 0x81},
    {idle, BYTES(0x40, 0x80, 0x80, 0x80, 0x80), MQTT_ERR_REMAINING_LENGTH, 0x81},
    {idle, BYTES(0xD0, 0x80, 0x00), MQTT_ERR_REMAINING_LENGTH, 0x81},
    {idle, BYTES(0x20, 0x03, 0, 0, 0), MQTT_ERR_PACKET_ORDER, 0x82},
    {idle, BYTES(0x40, 0x01, 0), MQTT_ERR_TRUNCATED, 0x81},
    {idle, BYTES(0xD0, 0x01, 0), MQTT_ERR_TRAILING_BYTES, 0x81},
    {idle, BYTES(0x40, 0x02, 0, 0), MQTT_ERR_PACKET_IDENTIFIER, 0x82},
    {idle, BYTES(0x36, 0x04), MQTT_ERR_RECEIVED_QOS, 0x81},
    {idle, BYTES(0x30, 0x04, 0, 1, '#', 0), MQTT_ERR_RECEIVED_TOPIC, 0x81},
    {with_publish, BYTES(0x50, 0x02, 0, 1), MQTT_ERR_ACKNOWLEDGEMENT, 0x82},
    {with_subscribe, BYTES(0x90, 0x05, 0, 1, 0, 0, 0), MQTT_ERR_SUBACK_COUNT,
     0x82},
    {with_subscribe, BYTES(0x90, 0x04, 0, 1, 0, 3), MQTT_ERR_SUBACK_CODE, 0x82},
    {idle, BYTES(0x30, 0xFF, 0x01), MQTT_ERR_PACKET_TOO_LARGE, 0x95},
    {without_received, BYTES(0x34, 0x06, 0, 1, 'a', 0, 1, 0),
     MQTT_ERR_RECEIVED_FULL, 0x93},
    {idle, BYTES(0x30, 0x06, 0, 1, 'a', 2, 0x7F, 0),
     MQTT_ERR_RECEIVED_PROPERTY, 0x81},
    {idle, BYTES(0x30, 0x06, 0, 1, 'a', 2, 0x13, 0),
     MQTT_ERR_RECEIVED_PROPERTY, 0x81},
    {idle, BYTES(0x30, 0x08, 0, 1, 'a', 4, 0x01, 0, 0x01, 0),
     MQTT_ERR_PROPERTY_VALUE, 0x82},
    {idle, BYTES(0x40, 0x03, 0, 1, 0x01), MQTT_ERR_RECEIVED_REASON_CODE, 0x82},
    {with_one_received, BYTES(0x34, 0x06, 0, 1, 'a', 0, 8, 0),
     MQTT_ERR_RECEIVE_MAXIMUM, 0x93},
    {idle, BYTES(0x30, 0x07, 0, 1, 'a', 3, 0x23, 0, 1), MQTT_ERR_TOPIC_ALIAS,
     0x94},
    {idle, BYTES(0x30, 0x07, 0, 1, 'a', 3, 0x23, 0, 0), MQTT_ERR_TOPIC_ALIAS,
     0x94},
    {with_little_for_aliases,
     BYTES(0x30, 0x0B, 0, 5, 'a', 'b', 'c', 'd', 'e', 3, 0x23, 0, 1),
     MQTT_ERR_ALIAS_MEMORY, 0x97},
    {idle, BYTES(0xF0, 0x06, 0x18, 4, 0x15, 0, 1, 'm'),
     MQTT_ERR_AUTHENTICATION, 0x82},
    {idle, BYTES(0xE0, 0x01, 0x04), MQTT_ERR_RECEIVED_REASON_CODE, 0x82},
    {idle, BYTES(0xE0, 0x03, 0x80, 0x00, 0x00), MQTT_ERR_TRAILING_BYTES, 0x81},

    {await_connack, BYTES(0xD0, 0x00), MQTT_ERR_PACKET_ORDER, 0x82},
    {await_connack, BYTES(0xE0, 0x00), MQTT_ERR_PACKET_ORDER, 0x82},
    {await_connack, BYTES(0x10, 0x00), MQTT_ERR_PACKET_TYPE, 0x82},
    {await_connack, BYTES(0x21, 0x03), MQTT_ERR_PACKET_FLAGS, 0x81},
    {await_connack, BYTES(0x20, 0x80, 0x80, 0x80, 0x80),
     MQTT_ERR_REMAINING_LENGTH, 0x81},
    {await_connack, BYTES(0x20, 0x01, 0), MQTT_ERR_TRUNCATED, 0x81},
    {await_connack, BYTES(0x20, 0x02, 0, 0), MQTT_ERR_TRUNCATED, 0x81},
    {await_connack, BYTES(0x20, 0x04, 0, 0, 0, 0), MQTT_ERR_TRAILING_BYTES,
     0x81},
    {await_connack, BYTES(0x20, 0x03, 2, 0, 0), MQTT_ERR_CONNACK_FLAGS, 0x81},
    {await_connack, BYTES(0x20, 0x03, 0, 1, 0), MQTT_ERR_CONNACK_CODE, 0x82},
    {await_connack, BYTES(0x20, 0x03, 1, 0x80, 0), MQTT_ERR_SESSION_PRESENT,
     0x82},
    {await_connack, BYTES(0x20, 0x05, 0, 0, 2, 0x01, 0),
     MQTT_ERR_RECEIVED_PROPERTY, 0x81},
    {await_connack, BYTES(0x20, 0x06, 0, 0, 3, 0x21, 0, 0),
     MQTT_ERR_PROPERTY_VALUE, 0x82},
    {await_connack, BYTES(0x20, 0xFF, 0x01), MQTT_ERR_PACKET_TOO_LARGE, 0x95},
    {await_connack, BYTES(0xF0, 0x06, 0x18, 4, 0x15, 0, 1, 'm'),
     MQTT_ERR_AUTHENTICATION, 0x82},
    /* clang-format on */
};
#define WRONGS (sizeof(wrongs) / sizeof(wrongs[0]))

/* Each test begins with what is configured by default. */
static void reset(struct script *s)
{
    script_restart(s);
    s->with_bits = true;
    s->memory.alias_names_size = s->memory.alias_name_count = 0;
    s->config.connect.receive_maximum = 0;
}

static void test_disconnect_says_what_the_server_did_wrong(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < WRONGS; i++) {
        wrongs[i].prepare(s);
        server_sends_span(s, wrongs[i].bytes, wrongs[i].size);
        expect_no_event(s);
        expect_bytes(s, 0xE0,         /* DISCONNECT */
                     0x01,            /* remaining length */
                     wrongs[i].code); /* reason code */
        expect_wants(s, MQTT_WANT_FINISH);
        expect_deadline(s, 500);
        server_closes(s);
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, wrongs[i].error);
        expect_no_event(s);
        expect_nothing_sent(s);
        assert_true(s->retry_at != MQTT_NEVER);
        reset(s);
    }
}

/* A server that does not end is not waited for. */
static void test_after_disconnect_with_an_error_it_is_closed(void **state)
{
    struct script *s = *state;

    s->config.end_timeout_ms = 70;
    connected_5_0(s);
    server_sends(s, 0xD0, 0x01, 0x00);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x01, 0x81);
    expect_deadline(s, 70);
    elapse(s, 69);
    expect_wants(s, MQTT_WANT_FINISH);
    elapse(s, 1);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_TRAILING_BYTES);
}

/* 3.1.1 has no such thing. */
static void test_in_3_1_1_nothing_is_said_of_an_error(void **state)
{
    static const uint8_t bytes[][5] = {{0x00, 0x00},
                                       {0x41, 0x02},
                                       {0x40, 0x80, 0x80, 0x80, 0x80},
                                       {0x20, 0x02, 0x00, 0x00},
                                       {0xD0, 0x01, 0x00},
                                       {0x36, 0x04},
                                       {0xE0, 0x00},
                                       {0xF0, 0x00}};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        connected(s);
        server_sends_span(s, bytes[i], sizeof(bytes[i]));
        expect_no_event(s);
        expect_nothing_sent(s);
        driver_closes(s);
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_true(s->event.error <= MQTT_ERR_PACKET_TYPE);
        script_restart(s);
    }
}

/* The network's faults are not the server's. */
static void test_nothing_is_said_when_the_network_is_silent(void **state)
{
    static const enum mqtt_error errors[] = {MQTT_ERR_CONNACK_TIMEOUT,
                                             MQTT_ERR_PINGRESP_TIMEOUT,
                                             MQTT_ERR_PACKET_TIMEOUT};
    struct script *s = *state;

    for (int i = 0; i < 3; i++) {
        await_connack(s);
        if (i) {
            server_connack(s, 0, 0);
            pull(s, MQTT_EVENT_CONNECTED);
        }
        if (i == 1) {
            elapse(s, 60000);
            expect_packet(s, 0xC0, 0);
        } else if (i == 2) {
            server_sends(s, 0x30, 0x05);
            expect_no_event(s);
        }
        elapse(s, i == 2 ? 31000 : 10000);
        discard_sent(s);
        assert_false(s->seen_disconnect);
        driver_closes(s);
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, errors[i]);
        script_restart(s);
    }
}

/* ---- when it may leave --------------------------------------------------- */

/* Of what has begun all leaves before it, and of nothing else. */
static void test_disconnect_leaves_at_a_packet_boundary(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken <= 9; taken++) {
        connected_5_0(s);
        s->blocked = true;
        publish(s, "a", "1", MQTT_QOS_1);
        publish(s, "a", "2", MQTT_QOS_1);
        network_takes(s, taken);
        server_sends(s, 0xD0, 0x01, 0x00);
        expect_no_event(s);
        s->blocked = false;
        if (taken)
            expect_bytes(s, 0x32, 0x07, 0x00, 0x01, 'a', 0x00, 0x01, 0x00, '1',
                         0xE0, 0x01, 0x81);
        else
            expect_bytes(s, 0xE0, 0x01, 0x81);
        expect_wants(s, MQTT_WANT_FINISH);
        script_restart(s);
    }
}

/* The same of a message that is composed in control memory, whole or in two
 * parts. */
static void test_disconnect_waits_for_what_is_composed(void **state)
{
    struct script *s = *state;
    static const uint8_t expiry[] = {0x02, 0x00, 0x00, 0x00, 0x0A};
    static const uint8_t payload[200] = {1};

    for (size_t i = 0; i < 2; i++) {
        for (size_t taken = 0; taken <= 18; taken++) {
            struct mqtt_message message = {
                .topic_name = MQTT_TEXT("a"),
                .payload = {payload, i ? sizeof(payload) : 5},
                .qos = MQTT_QOS_1,
                .properties = {expiry, sizeof(expiry)}};

            connected_5_0(s);
            s->blocked = true;
            assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                             MQTT_OK);
            network_takes(s, taken ? taken : 1);
            server_sends(s, 0xD0, 0x01, 0x00);
            expect_no_event(s);
            s->blocked = false;
            expect_packet(s, 0x32, 1);
            assert_int_equal(s->packet.payload.size, message.payload.size);
            expect_bytes(s, 0xE0, 0x01, 0x81);
            script_restart(s);
        }
    }
}

static void test_disconnect_that_cannot_leave_is_given_up(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken < 9; taken++) {
        s->config.end_timeout_ms = 70;
        connected_5_0(s);
        s->blocked = true;
        publish(s, "a", "1", MQTT_QOS_1);
        network_takes(s, taken);
        server_sends(s, 0xD0, 0x01, 0x00);
        expect_no_event(s);
        expect_wants(s, MQTT_WANT_NOTHING);
        expect_deadline(s, 70);
        elapse(s, 69);
        expect_wants(s, MQTT_WANT_NOTHING);
        elapse(s, 1);
        expect_wants(s, MQTT_WANT_CLOSE);
        s->blocked = false;
        script_drain(s);
        assert_false(s->seen_disconnect);
        assert_int_equal(s->to_server.size, taken);
        driver_closes(s);
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, MQTT_ERR_TRAILING_BYTES);
        s->to_server.size = 0;
        reconnected(s, true);
        expect_packet(s, taken ? 0x3A : 0x32, 1);
        script_restart(s);
    }
}

/* The server may be gone before. */
static void test_an_error_stays_when_the_server_closes_first(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    s->blocked = true;
    server_sends(s, 0xD0, 0x01, 0x00);
    expect_no_event(s);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_TRAILING_BYTES);
    assert_true(s->retry_at != MQTT_NEVER);
}

/* Nothing that is asked for meanwhile follows it, or takes its place. */
static void test_requests_do_not_follow_disconnect(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    s->blocked = true;
    server_sends(s, 0xD0, 0x01, 0x00);
    expect_no_event(s);
    node = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("a")};
    assert_int_equal(mqtt_subscribe(&s->client, &node), MQTT_OK);
    publish(s, "a", "1", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    s->blocked = false;
    expect_bytes(s, 0xE0, 0x01, 0x81);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_TRAILING_BYTES);
    assert_true(s->retry_at == MQTT_NEVER); /* it was to end */
    expect_no_event(s);
}

/* ---- what this side says ------------------------------------------------- */

static enum mqtt_error end_with(struct script *s, uint8_t code,
                                const uint8_t *properties, size_t size)
{
    const struct mqtt_disconnect_options options = {code, {properties, size}};

    return mqtt_disconnect_with(&s->client, 0, &options);
}

#define disconnect_with(s, code, ...)                                          \
    assert_int_equal(end_with(s, code, (const uint8_t[]){__VA_ARGS__},         \
                              sizeof((const uint8_t[]){__VA_ARGS__})),         \
                     MQTT_OK)

static void connected_within(struct script *s, uint8_t maximum)
{
    await_connack(s);
    server_connack_with(s, 0, 0, 0x27, 0x00, 0x00, 0x00, maximum);
    pull(s, MQTT_EVENT_CONNECTED);
}

static void test_disconnect_is_told_as_asked_for(void **state)
{
    struct script *s = *state;

    connected_5_0(s);
    disconnect_with(s, 0x04, 0x1F, 0x00, 0x03, 'b', 'y', 'e');
    expect_bytes(s, 0xE0, 0x08, 0x04, 0x06, 0x1F, 0x00, 0x03, 'b', 'y', 'e');
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    assert_true(s->retry_at == MQTT_NEVER);
}

/* It is what leaves after all has been acknowledged. */
static void test_a_code_is_sent_after_draining(void **state)
{
    struct script *s = *state;
    const struct mqtt_disconnect_options with_will = {0x04, {NULL, 0}};

    connected_5_0(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect_with(&s->client, 10000, &with_will),
                     MQTT_OK);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x01, 0x04);
}

static void test_disconnect_refuses_what_is_not_for_it(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t size;
    } bad[] = {
        {BYTES(0x1C, 0x00, 0x01, 's')},                   /* from a server */
        {BYTES(0x1F, 0x00, 0x01, 'r', 0x1F, 0x00, 0x00)}, /* twice */
        {BYTES(0x1F, 0x00, 0x02, 'r')},                   /* cut off */
        {BYTES(0x1F, 0x00, 0x01, 0xFF)},                  /* no UTF-8 */
        {BYTES(0x01, 0x00)},                              /* of PUBLISH */
        {BYTES(0x7F)},                                    /* there is none */
    };
    struct script *s = *state;

    connected_5_0(s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(end_with(s, 0, bad[i].bytes, bad[i].size),
                         MQTT_ERR_PROPERTY);
    assert_int_equal(end_with(s, 0x8B, NULL, 0), MQTT_ERR_REASON_CODE);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* Session Expiry Interval is not left out with the others. */
static void test_only_what_explains_is_left_out(void **state)
{
    struct script *s = *state;

    for (uint8_t maximum = 3; maximum < 30; maximum++) {
        connected_within(s, maximum);
        disconnect_with(s, 0x04, 0x1F, 0x00, 0x01, 'r', 0x11, 0x00, 0x00, 0x00,
                        0x3C, 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v');
        if (maximum < 9)
            expect_bytes(s, 0xE0, 0x01, 0x04);
        else if (maximum < 20)
            expect_bytes(s, 0xE0, 0x07, 0x04, 0x05, 0x11, 0x00, 0x00, 0x00,
                         0x3C);
        else
            expect_bytes(s, 0xE0, 0x12, 0x04, 0x10, 0x1F, 0x00, 0x01, 'r', 0x11,
                         0x00, 0x00, 0x00, 0x3C, 0x26, 0x00, 0x01, 'k', 0x00,
                         0x01, 'v');
        script_restart(s);
    }
}

/* Code 0 would say that the will is not wanted. */
static void test_a_code_is_not_left_out(void **state)
{
    struct script *s = *state;

    connected_within(s, 2);
    assert_int_equal(end_with(s, 0x04, NULL, 0), MQTT_OK);
    expect_nothing_sent(s);
    elapse(s, 500);
    expect_nothing_sent(s);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    script_restart(s);
    connected_within(s, 2);
    assert_int_equal(end_with(s, 0x00, NULL, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
}

/* A Reason String of `size` bytes. */
static struct mqtt_span reason_string(uint8_t *bytes, size_t size)
{
    memset(bytes, 'r', size + 3);
    bytes[0] = 0x1F;
    bytes[1] = (uint8_t)(size >> 8);
    bytes[2] = (uint8_t)size;
    return (struct mqtt_span){bytes, size + 3};
}

/* Control memory has 128 bytes: 5 and the head of the Reason String go away. */
static void test_what_control_memory_does_not_take_is_left_out(void **state)
{
    struct script *s = *state;
    uint8_t bytes[300];

    for (size_t size = 118; size < 300 - 3; size += size < 124 ? 1 : 50) {
        struct mqtt_span reason = reason_string(bytes, size);

        connected_5_0(s);
        assert_int_equal(end_with(s, 0x04, reason.data, reason.size), MQTT_OK);
        expect_packet(s, 0xE0, 0);
        assert_int_equal(s->packet.reason_code, 0x04);
        assert_int_equal(s->packet.properties.size, size <= 121 ? size + 3 : 0);
        expect_nothing_sent(s);
        expect_wants(s, MQTT_WANT_FINISH);
        script_restart(s);
    }
}

/* What stands before it in control memory leaves first, and then there is room
 * for all of it. */
static void test_room_in_control_memory_is_waited_for(void **state)
{
    struct script *s = *state;
    uint8_t bytes[128];
    struct mqtt_span reason = reason_string(bytes, 121);

    connected_5_0(s);
    s->blocked = true;
    for (uint16_t i = 1; i <= 5; i++) {
        server_publishes(s, 0x32, "a", i, "x");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    expect_no_event(s);
    assert_int_equal(end_with(s, 0x04, reason.data, reason.size), MQTT_OK);
    s->blocked = false;
    for (uint16_t i = 1; i <= 5; i++)
        expect_packet(s, 0x40, i);
    expect_packet(s, 0xE0, 0);
    assert_int_equal(s->packet.properties.size, 124);
    expect_nothing_sent(s);
}

static void test_in_3_1_1_disconnect_has_nothing_to_say(void **state)
{
    struct script *s = *state;
    static const uint8_t reason[] = {0x1F, 0x00, 0x01, 'r'};

    connected(s);
    assert_int_equal(end_with(s, 0x04, NULL, 0), MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(end_with(s, 0x00, reason, 4), MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    assert_int_equal(end_with(s, 0x00, NULL, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
    script_restart(s);
    s->config.drop_unsupported = true;
    connected(s);
    assert_int_equal(end_with(s, 0x04, reason, 4), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
}

static const struct CMUnitTest tests[] = {
    script_test(test_connack_is_told_with_its_properties),
    script_test(test_connack_without_properties_has_none),
    script_test(test_a_refusal_is_told_with_its_properties),
    script_test(test_disconnect_is_told_with_its_properties),
    script_test(test_what_the_server_says_before_it_closes_is_told),
    script_test(test_nothing_follows_disconnect_of_the_server),
    script_test(test_who_was_taken_over_does_not_come_back),
    script_test(test_disconnect_says_what_the_server_did_wrong),
    script_test(test_after_disconnect_with_an_error_it_is_closed),
    script_test(test_in_3_1_1_nothing_is_said_of_an_error),
    script_test(test_nothing_is_said_when_the_network_is_silent),
    script_test(test_disconnect_leaves_at_a_packet_boundary),
    script_test(test_disconnect_waits_for_what_is_composed),
    script_test(test_disconnect_that_cannot_leave_is_given_up),
    script_test(test_an_error_stays_when_the_server_closes_first),
    script_test(test_requests_do_not_follow_disconnect),
    script_test(test_disconnect_is_told_as_asked_for),
    script_test(test_a_code_is_sent_after_draining),
    script_test(test_disconnect_refuses_what_is_not_for_it),
    script_test(test_only_what_explains_is_left_out),
    script_test(test_a_code_is_not_left_out),
    script_test(test_what_control_memory_does_not_take_is_left_out),
    script_test(test_room_in_control_memory_is_waited_for),
    script_test(test_in_3_1_1_disconnect_has_nothing_to_say),
};

int main(void)
{
    return script_run("end_5_0", tests);
}
