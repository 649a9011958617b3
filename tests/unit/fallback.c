/*
 * fallback.c - a server that does not speak 5.0 is spoken to in 3.1.1; what was
 * published before goes along.
 */
#include <mqttloop/stream.h>
#include "script.h"

static void with_fallback(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.fallback = &mqtt_protocol_3_1_1;
}

/* CONNECT of this level is all that left. */
static void expect_connect(struct script *s, uint8_t level)
{
    expect_packet(s, 0x10, 0);
    assert_int_equal(s->level, level);
    expect_nothing_sent(s);
    assert_ptr_equal(mqtt_client_protocol(&s->client),
                     level == 5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1);
}

static void expect_disconnected(struct script *s, enum mqtt_error error,
                                uint8_t reason_code)
{
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, error);
    assert_int_equal(s->event.reason_code, reason_code);
}

/* ---- how a server says that it does not speak 5.0 ------------------------ */

static void refuses_in_5_0(struct script *s)
{
    server_connack(s, 0, 0x84);
    pull(s, MQTT_EVENT_REFUSED);
    assert_int_equal(s->event.reason_code, 0x84);
    expect_no_event(s);
    driver_closes(s);
    expect_disconnected(s, MQTT_ERR_REFUSED, 0x84);
}

static void refuses_in_3_1_1(struct script *s)
{
    server_sends(s, 0x20, /* CONNACK */
                 0x02,    /* remaining length */
                 0x00,    /* flags */
                 0x01);   /* return code: protocol version */
    expect_no_event(s);
    driver_closes(s);
    expect_disconnected(s, MQTT_ERR_REFUSED, 0x01);
}

/* ... and is faster than its driver. */
static void refuses_in_3_1_1_and_closes(struct script *s)
{
    server_sends(s, 0x20, 0x02, 0x00, 0x01);
    server_closes(s);
    expect_disconnected(s, MQTT_ERR_REFUSED, 0x01);
}

static void closes(struct script *s)
{
    server_closes(s);
    expect_disconnected(s, MQTT_ERR_CLOSED, 0);
}

static void resets(struct script *s)
{
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, "reset");
    expect_disconnected(s, MQTT_ERR_NETWORK, 0);
}

/* ... over TLS, without close_notify. */
static void truncates(struct script *s)
{
    mqtt_client_closed(&s->client, MQTT_ERR_TLS_TRUNCATED, NULL);
    expect_disconnected(s, MQTT_ERR_TLS_TRUNCATED, 0);
}

/* ... over WebSocket, by a Close frame with a code that tells of an error. */
static void closes_with_a_code(struct script *s)
{
    mqtt_client_closed(&s->client, MQTT_ERR_WEBSOCKET, "code 1002");
    expect_disconnected(s, MQTT_ERR_WEBSOCKET, 0);
}

static void (*const denials[])(struct script *s) = {
    refuses_in_5_0, refuses_in_3_1_1, refuses_in_3_1_1_and_closes, closes,
    resets,         truncates,        closes_with_a_code};
#define DENIALS (sizeof(denials) / sizeof(denials[0]))

/* The server denies 5.0, and is asked in 3.1.1 at once. */
static void falls_back(struct script *s, void (*denies)(struct script *s))
{
    connects(s);
    expect_connect(s, 5);
    denies(s);
    assert_true(s->retry_at == s->now);
    reopened(s);
    expect_connect(s, 4);
}

static void fallen_back(struct script *s)
{
    falls_back(s, closes);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

static void test_each_denial_of_5_0_is_followed_by_3_1_1_at_once(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    s->random_bits = UINT32_MAX;
    for (size_t i = 0; i < DENIALS; i++) {
        start(s);
        falls_back(s, denials[i]);
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        expect_no_event(s);
        expect_wants(s, MQTT_WANT_NOTHING);
        script_restart(s);
    }
}

/* What is no word on the version is none. */
static void test_other_failures_are_no_denial(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    for (int i = 0; i < 5; i++) {
        start(s);
        wishes_to_connect(s);
        if (i == 0) { /* there is no such server */
            mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
        } else if (i == 1) {
            mqtt_client_closed(&s->client, MQTT_ERR_NAME, NULL);
        } else {
            server_accepts(s);
            expect_connect(s, 5);
        }
        if (i == 2) {
            server_connack(s, 0, 0x87);
            pull(s, MQTT_EVENT_REFUSED);
            expect_no_event(s);
            driver_closes(s);
        } else if (i == 3) { /* no CONNACK in time */
            elapse(s, 10000);
            driver_closes(s);
        } else if (i == 4) { /* packets that are none */
            server_sends(s, 0x20, 0x02, 0x00, 0x00);
            expect_no_event(s);
            discard_sent(s);
            server_closes(s);
        }
        pull(s, MQTT_EVENT_DISCONNECTED);
        reopened(s);
        expect_connect(s, 5);
        script_restart(s);
    }
}

/* It has answered CONNECT in words of 5.0, and goes before its CONNACK. */
static void test_who_asks_for_authentication_speaks_5_0(void **state)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
    struct script *s = *state;

    with_fallback(s);
    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    start(s);
    connects(s);
    expect_connect(s, 5);
    server_sends(s, 0xF0, 0x06, 0x18, 0x04, 0x15, 0x00, 0x01, 'm'); /* AUTH */
    pull(s, MQTT_EVENT_AUTHENTICATION);
    closes(s);
    reopened(s);
    expect_connect(s, 5);
    closes(s); /* by now without a word */
    reopened(s);
    expect_connect(s, 4);
}

static void test_without_a_fallback_there_is_none(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    connects(s);
    expect_connect(s, 5);
    closes(s);
    reopened(s);
    expect_connect(s, 5);
    refuses_in_3_1_1(s);
    assert_true(s->retry_at == MQTT_NEVER);
}

/* After a good CONNACK each knows what the other speaks. */
static void test_a_version_that_was_agreed_on_stays(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    start(s);
    connects(s);
    expect_connect(s, 5);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    for (int i = 0; i < 2; i++) {
        closes(s);
        reopened(s);
        expect_connect(s, 5);
    }
    refuses_in_3_1_1(s);
    assert_true(s->retry_at == MQTT_NEVER);
    script_restart(s);
    start(s);
    fallen_back(s);
    for (int i = 0; i < 3; i++) {
        closes(s);
        reopened(s);
        expect_connect(s, 4);
    }
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    connects(s);
    expect_connect(s, 4);
}

/* Both versions in turn, with a back-off after both have been tried. */
static void test_the_other_one_is_tried_again_when_it_is_denied(void **state)
{
    struct script *s = *state;
    static const struct mqtt_server servers[] = {{"one", 0}, {"two", 0}};

    with_fallback(s);
    s->config.servers = servers;
    s->config.server_count = 2;
    s->random_bits = UINT32_MAX;
    start(s);
    for (int i = 0; i < 4; i++) {
        if (i) {
            reopened(s);
            expect_connect(s, 5);
            assert_string_equal(mqtt_client_server(&s->client)->address,
                                servers[i % 2].address);
            closes(s);
            assert_true(s->retry_at == s->now);
            reopened(s);
            expect_connect(s, 4);
        } else {
            falls_back(s, closes);
        }
        assert_string_equal(mqtt_client_server(&s->client)->address,
                            servers[i % 2].address);
        closes(s);
        assert_true(s->retry_at == s->now + (1000u << i));
    }
}

/* A refusal that understood the version is no reason to go back. */
static void test_a_refusal_in_3_1_1_stays_there(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    start(s);
    falls_back(s, refuses_in_3_1_1);
    server_connack(s, 0, 5);
    expect_no_event(s);
    driver_closes(s);
    expect_disconnected(s, MQTT_ERR_REFUSED, 5);
    reopened(s);
    expect_connect(s, 4);
}

static void test_a_fallback_is_a_version_before_5_0(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_3_1_1;
    s->config.fallback = &mqtt_protocol_5_0;
    assert_int_equal(start_as(s), MQTT_ERR_ARGUMENT);
    script_restart(s);
    s->config.protocol = &mqtt_protocol_5_0;
    assert_int_equal(start_as(s), MQTT_ERR_ARGUMENT);
    script_restart(s);
    /* CONNECT has to be possible in both. */
    with_fallback(s);
    s->config.connect.password = mqtt_text("pw");
    assert_int_equal(start_as(s), MQTT_ERR_USER_NAME);
    script_restart(s);
    s->config.connect.password = mqtt_text(NULL);
    s->config.connect.client_identifier = mqtt_text("");
    assert_int_equal(start_as(s), MQTT_ERR_CLIENT_IDENTIFIER);
}

/* ---- what was published before ------------------------------------------- */

static const uint8_t properties[] = {0x01, 0x01, /* Payload Format Indicator */
                                     0x26, 0x00, 0x01, 'k',
                                     0x00, 0x01, 'v'}; /* User Property */

static enum mqtt_error publish_with_properties(struct script *s,
                                               const char *payload,
                                               enum mqtt_qos qos)
{
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"),
        .payload = mqtt_text(payload),
        .qos = qos,
        .properties = {properties, sizeof(properties)}};

    return mqtt_client_publish(&s->client, &message, NULL);
}

/* Messages of each QoS, with and without properties. */
static void publish_six(struct script *s)
{
    publish(s, "a", "0", MQTT_QOS_0);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    assert_int_equal(publish_with_properties(s, "p0", MQTT_QOS_0), MQTT_OK);
    assert_int_equal(publish_with_properties(s, "p1", MQTT_QOS_1), MQTT_OK);
    assert_int_equal(publish_with_properties(s, "p2", MQTT_QOS_2), MQTT_OK);
}

static void test_messages_go_along_without_their_properties(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    s->config.drop_unsupported = true;
    s->config.keep_qos0 = true;
    start(s);
    publish_six(s);
    fallen_back(s);
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', '0',               /* */
                 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1',      /* */
                 0x34, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2',      /* */
                 0x30, 0x05, 0x00, 0x01, 'a', 'p', '0',             /* */
                 0x32, 0x07, 0x00, 0x01, 'a', 0x00, 0x03, 'p', '1', /* */
                 0x34, 0x07, 0x00, 0x01, 'a', 0x00, 0x04, 'p', '2');
    expect_no_event(s);
    server_answers(s, 0x40, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    cut(s);
    reconnected(s, true);
    expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1', /* */
                 0x3C, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2',    /* */
                 0x3C, 0x07, 0x00, 0x01, 'a', 0x00, 0x04, 'p', '2');
}

/* ... or not at all, and that is told. */
static void test_messages_with_properties_end_forbidden(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    with_fallback(s);
    s->config.keep_qos0 = true;
    s->config.statistics = &statistics;
    start(s);
    publish_six(s);
    fallen_back(s);
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', '0',          /* */
                 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1', /* */
                 0x34, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2');
    expect_published(s, 3, MQTT_OUTCOME_FORBIDDEN);
    assert_int_equal(s->event.error, MQTT_ERR_PROTOCOL_VERSION);
    expect_published(s, 4, MQTT_OUTCOME_FORBIDDEN);
    assert_int_equal(s->event.error, MQTT_ERR_PROTOCOL_VERSION);
    expect_no_event(s);
    assert_int_equal(statistics.qos0_dropped, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    publish(s, "a", "3", MQTT_QOS_1);
    expect_packet(s, 0x32, 0);
    assert_true(span_is(s->packet.payload, "3"));
}

static void test_an_expiry_does_not_go_along(void **state)
{
    struct script *s = *state;
    static const uint8_t expiry[] = {0x02, 0x00, 0x00, 0x00, 0x0A};
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .qos = MQTT_QOS_1,
                                   .properties = {expiry, sizeof(expiry)}};

    with_fallback(s);
    s->config.drop_unsupported = true;
    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    start(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    fallen_back(s);
    expect_no_deadline(s);
    elapse(s, 60000);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'x');
    expect_no_event(s);
}

static const void *read_payload(struct mqtt_source *source, uint32_t offset,
                                size_t *size)
{
    const char *payload = source->context;

    *size = strlen(payload) - offset;
    return payload + offset;
}

/* A payload that stays with the application goes along, too. */
static void test_a_stream_goes_along_without_its_properties(void **state)
{
    struct script *s = *state;
    char payload[] = "xyz";

    with_fallback(s);
    for (int drop = 0; drop < 2; drop++) {
        struct mqtt_source source = {read_payload, payload};
        struct mqtt_message message = {
            .topic_name = MQTT_TEXT("a"),
            .payload = {NULL, 3},
            .qos = MQTT_QOS_1,
            .properties = {properties, sizeof(properties)}};

        s->config.drop_unsupported = drop;
        start(s);
        publish(s, "a", "1", MQTT_QOS_1);
        assert_int_equal(
            mqtt_publish_stream(&s->client, &message, &source, NULL), MQTT_OK);
        publish(s, "a", "2", MQTT_QOS_1);
        fallen_back(s);
        expect_packet(s, 0x32, 1);
        if (drop)
            expect_bytes(s, 0x32, 0x08, 0x00, 0x01, 'a', 0x00, 0x02, 'x', 'y',
                         'z', /* */
                         0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '2');
        else
            expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '2');
        if (!drop)
            expect_published(s, 2, MQTT_OUTCOME_FORBIDDEN);
        cut(s);
        reconnected(s, true);
        expect_packet(s, 0x3A, 1);
        if (drop)
            expect_bytes(s, 0x3A, 0x08, 0x00, 0x01, 'a', 0x00, 0x02, 'x', 'y',
                         'z', /* */
                         0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '2');
        else
            expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '2');
        script_restart(s);
    }
}

/* A message of `size` bytes in the outbox comes and expires behind what stays;
 * and what stays moves up when a connection could not be made. */
static void shift_by(struct script *s, size_t size)
{
    static const uint8_t expiry[] = {0x02, 0x00, 0x00, 0x00, 0x01};
    static const char filler[] = "0123456789012345678901234567890123456789";
    struct mqtt_message message = {.topic_name = MQTT_TEXT("f"),
                                   .payload = {filler, size - 13},
                                   .qos = MQTT_QOS_1,
                                   .properties = {expiry, sizeof(expiry)}};

    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    elapse(s, 2000);
    pull(s, MQTT_EVENT_PUBLISHED);
    assert_int_equal(s->event.outcome, MQTT_OUTCOME_EXPIRED);
    wishes_to_connect(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    pull(s, MQTT_EVENT_DISCONNECTED);
}

/* From each position in a ring that they nearly fill. */
static void test_messages_go_along_where_the_ring_wraps(void **state)
{
    struct script *s = *state;

    with_fallback(s);
    s->config.drop_unsupported = true;
    s->memory.outbox_size = 58; /* the four take 56 */
    for (size_t shift = 26; shift < 26 + 58; shift++) {
        start(s);
        publish(s, "a", "1", MQTT_QOS_1);
        shift_by(s, shift / 2);
        shift_by(s, shift - shift / 2);
        assert_int_equal(publish_with_properties(s, "p1", MQTT_QOS_1), MQTT_OK);
        publish(s, "a", "2", MQTT_QOS_2);
        assert_int_equal(publish_with_properties(s, "p2", MQTT_QOS_2), MQTT_OK);
        fallen_back(s);
        expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1',   /* */
                     0x32, 0x07, 0x00, 0x01, 'a', 0x00, 0x04, 'p', '1', /* */
                     0x34, 0x06, 0x00, 0x01, 'a', 0x00, 0x05, '2',      /* */
                     0x34, 0x07, 0x00, 0x01, 'a', 0x00, 0x06, 'p', '2');
        cut(s);
        reconnected(s, true);
        expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1',   /* */
                     0x3A, 0x07, 0x00, 0x01, 'a', 0x00, 0x04, 'p', '1', /* */
                     0x3C, 0x06, 0x00, 0x01, 'a', 0x00, 0x05, '2',      /* */
                     0x3C, 0x07, 0x00, 0x01, 'a', 0x00, 0x06, 'p', '2');
        expect_no_event(s);
        script_restart(s);
    }
}

/* ---- what 3.1.1 has not -------------------------------------------------- */

static void test_after_the_fallback_requests_are_those_of_3_1_1(void **state)
{
    struct script *s = *state;
    const struct mqtt_disconnect_options with_will = {0x04, {NULL, 0}};
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                  .no_local = true};

    with_fallback(s);
    start(s);
    fallen_back(s);
    assert_int_equal(publish_with_properties(s, "x", MQTT_QOS_1),
                     MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &with_will),
                     MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(
        mqtt_authenticate(&s->client, mqtt_text(NULL), mqtt_text(NULL)),
        MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
    script_restart(s);
    s->config.drop_unsupported = true;
    start(s);
    fallen_back(s);
    assert_int_equal(publish_with_properties(s, "x", MQTT_QOS_1), MQTT_OK);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'x');
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_bytes(s, 0x82, 0x06, 0x00, 0x02, 0x00, 0x01, 'a', 0x00);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &with_will), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
}

/* What is dropped leaves nothing of what was asked for before, though 5.0 is
 * spoken again by the time that DISCONNECT leaves. */
static void test_what_disconnect_drops_is_not_an_earlier_one(void **state)
{
    struct script *s = *state;
    const struct mqtt_disconnect_options with_will = {0x04, {NULL, 0}};

    with_fallback(s);
    s->config.drop_unsupported = true;
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    connects(s);
    assert_int_equal(mqtt_disconnect_with(&s->client, 600000, &with_will),
                     MQTT_OK);
    expect_connect(s, 5);
    closes(s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    server_accepts(s);
    expect_connect(s, 4);
    assert_int_equal(mqtt_disconnect_with(&s->client, 600000, &with_will),
                     MQTT_OK);
    closes(s);
    reopened(s);
    expect_connect(s, 5);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x32, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x00);
}

/* It was registered before; the version is known only now. */
static void test_a_subscription_with_options_is_told_of(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                  .no_local = true};

    with_fallback(s);
    start(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    fallen_back(s);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(s->event.error, MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
}

static const struct CMUnitTest tests[] = {
    script_test(test_each_denial_of_5_0_is_followed_by_3_1_1_at_once),
    script_test(test_other_failures_are_no_denial),
    script_test(test_who_asks_for_authentication_speaks_5_0),
    script_test(test_without_a_fallback_there_is_none),
    script_test(test_a_version_that_was_agreed_on_stays),
    script_test(test_the_other_one_is_tried_again_when_it_is_denied),
    script_test(test_a_refusal_in_3_1_1_stays_there),
    script_test(test_a_fallback_is_a_version_before_5_0),
    script_test(test_messages_go_along_without_their_properties),
    script_test(test_messages_with_properties_end_forbidden),
    script_test(test_an_expiry_does_not_go_along),
    script_test(test_a_stream_goes_along_without_its_properties),
    script_test(test_messages_go_along_where_the_ring_wraps),
    script_test(test_after_the_fallback_requests_are_those_of_3_1_1),
    script_test(test_what_disconnect_drops_is_not_an_earlier_one),
    script_test(test_a_subscription_with_options_is_told_of),
};

int main(void)
{
    return script_run("fallback", tests);
}
