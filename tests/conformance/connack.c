/*
 * connack.c - CONNACK and what it says of the session
 * [3.1.1, section 3.2], [5.0, section 3.2].
 */
#include "conformance.h"

/* ---- what may come first ------------------------------------------------- */

static void await_connack(struct script *s)
{
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
}

/* AUTH may come, in 5.0, when it was asked for; here it was not. */
static void test_nothing_but_connack_may_come_first(void **state)
{
    struct script *s = *state;
    static const uint8_t answers[] = {0x40, 0x50, 0x62, 0x70, 0xB0};

    for (size_t i = 0; i < sizeof(answers); i++) {
        await_connack(s);
        server_answers(s, answers[i], 1);
        expect_violation(s, MQTT_ERR_PACKET_ORDER);
        script_restart(s);
    }
    for (unsigned qos = 0; qos < 3; qos++) {
        await_connack(s);
        server_publishes(s, (uint8_t)(0x30 | qos << 1), "a", 1, "x");
        expect_violation(s, MQTT_ERR_PACKET_ORDER);
        script_restart(s);
    }
    await_connack(s);
    server_suback(s, 1, 0);
    expect_violation(s, MQTT_ERR_PACKET_ORDER);
    script_restart(s);
    await_connack(s);
    server_sends(s, 0xD0, 0x00);
    expect_violation(s, MQTT_ERR_PACKET_ORDER);
}

static void test_connack_comes_once(void **state)
{
    struct script *s = *state;

    connected(s);
    server_connack(s, 0, 0);
    expect_violation(s, MQTT_ERR_PACKET_ORDER);
}

/* ---- a refusal ----------------------------------------------------------- */

/* CONNACK with this code comes: it is told, and the connection is closed
 * without waiting for the server to do it. */
static void expect_told(struct script *s, uint8_t code)
{
    await_connack(s);
    server_connack(s, 0, code);
    if (speaks_5_0(s)) {
        pull(s, MQTT_EVENT_REFUSED);
        assert_int_equal(s->event.reason_code, code);
    }
    expect_no_event(s);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_CLOSE);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, code);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_a_protocol_level_that_is_refused_is_told(void **state)
{
    struct script *s = *state;

    expect_told(s, speaks_5_0(s) ? 0x84 : 0x01);
    assert_true(s->retry_at == MQTT_NEVER); /* it would be refused again */
}

static void test_an_identifier_that_is_refused_is_told(void **state)
{
    struct script *s = *state;

    s->config.connect.client_identifier = mqtt_text("");
    s->config.connect.clean_start = true;
    expect_told(s, 0x02);
}

static void test_after_a_refusal_nobody_waits_for_the_server(void **state)
{
    static const uint8_t codes[] = {1, 2, 3, 4, 5};
    static const uint8_t codes_5_0[] = {
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A,
        0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    struct script *s = *state;
    bool v5 = speaks_5_0(s);

    for (size_t i = 0; i < (v5 ? sizeof(codes_5_0) : sizeof(codes)); i++) {
        expect_told(s, v5 ? codes_5_0[i] : codes[i]);
        script_restart(s);
    }
}

/* ... and as well if it closes at once. */
static void test_a_refusal_is_told_though_the_server_closes(void **state)
{
    struct script *s = *state;
    uint8_t code = speaks_5_0(s) ? 0x87 : 0x05;

    await_connack(s);
    server_connack(s, 0, code);
    server_closes(s);
    if (speaks_5_0(s))
        pull(s, MQTT_EVENT_REFUSED);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, code);
}

/* ---- Session Present ----------------------------------------------------- */

/* ... whatever this side holds of it. */
static void test_a_clean_start_finds_no_session(void **state)
{
    struct script *s = *state;

    s->config.connect.clean_start = true;
    for (int i = 0; i < 2; i++) {
        await_connack(s);
        server_connack(s, 1, 0);
        expect_violation_told(s, MQTT_ERR_SESSION_PRESENT, 0x82);
        script_restart(s);
        s->config.session = MQTT_SESSION_RESUME;
    }
}

static void test_a_refusal_has_no_session(void **state)
{
    struct script *s = *state;

    for (unsigned i = 1; i <= 5; i++) {
        await_connack(s);
        server_connack(s, 1, (uint8_t)(speaks_5_0(s) ? 0x82 + i : i));
        expect_violation(s, MQTT_ERR_SESSION_PRESENT);
        script_restart(s);
    }
}

/* Both directions of the state go on. */
static void test_a_session_that_is_present_goes_on(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    server_publishes(s, 0x34, "a", 7, "once");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    assert_true(s->event.session_present);
    expect_packet(s, 0x3A, 1);
    server_publishes(s, 0x3C, "a", 7, "once");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_a_session_that_is_not_present_is_discarded(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "a", "y", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "once");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    cut(s);
    reconnected(s, false);
    assert_false(s->event.session_present);
    for (int i = 0; i < 2; i++) {
        pull(s, MQTT_EVENT_PUBLISHED);
        assert_int_equal(s->event.outcome, s->event.packet_identifier == 1
                                               ? MQTT_OUTCOME_LOST
                                               : MQTT_OUTCOME_UNKNOWN);
    }
    expect_nothing_sent(s);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
}

/* ---- its flags and codes, 5.0 -------------------------------------------- */

static void test_connack_has_no_flag_but_session_present(void **state)
{
    struct script *s = *state;

    for (unsigned flags = 0; flags < 256; flags++) {
        await_connack(s);
        server_connack(s, (uint8_t)flags, 0);
        if (flags > 1) {
            expect_violation_told(s, MQTT_ERR_CONNACK_FLAGS, 0x81);
        } else {
            pull(s, MQTT_EVENT_CONNECTED);
            assert_int_equal(s->event.session_present, flags);
        }
        script_restart(s);
    }
}

static bool is_connack_code(unsigned code)
{
    static const uint8_t codes[] = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                    0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95,
                                    0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};

    return memchr(codes, (int)code, sizeof(codes)) != NULL;
}

static void test_connack_has_codes_of_its_own(void **state)
{
    struct script *s = *state;

    for (unsigned code = 1; code < 256; code++) {
        await_connack(s);
        server_connack(s, 0, (uint8_t)code);
        if (is_connack_code(code)) {
            pull(s, MQTT_EVENT_REFUSED);
            assert_int_equal(s->event.reason_code, code);
            expect_violation(s, MQTT_ERR_REFUSED);
            assert_false(s->seen_disconnect);
        } else {
            expect_violation_told(s, MQTT_ERR_CONNACK_CODE, 0x82);
        }
        script_restart(s);
    }
}

/* Whether the network takes the last of its bytes or not: neither a refusal
 * nor DISCONNECT of the server leaves the connection open. */
static void test_a_code_from_80_on_ends_the_connection(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 3; i++) {
        if (i) {
            connected(s);
            s->blocked = i == 2;
            publish(s, "a", "x", MQTT_QOS_1);
            server_sends(s, 0xE0, 0x01, 0x8B);
            pull(s, MQTT_EVENT_SERVER_DISCONNECT);
        } else {
            await_connack(s);
            server_connack(s, 0, 0x88);
            pull(s, MQTT_EVENT_REFUSED);
        }
        expect_no_event(s);
        driver_closes(s);
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error,
                         i ? MQTT_ERR_DISCONNECT_PACKET : MQTT_ERR_REFUSED);
        assert_int_equal(s->event.reason_code, i ? 0x8B : 0x88);
        assert_false(s->seen_disconnect);
        script_restart(s);
    }
}

/* ---- Session Present, 5.0 ------------------------------------------------ */

/* A client without a session does not go on with one: it asks for a new one,
 * and that one lasts. */
static void test_a_session_that_this_side_has_not_is_refused(void **state)
{
    struct script *s = *state;

    s->config.session = MQTT_SESSION_NEW;
    start(s);
    connects(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0);
    server_connack(s, 1, 0);
    expect_violation_told(s, MQTT_ERR_SESSION_PRESENT, 0x82);
    discard_sent(s);
    reopened(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0x02);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    cut(s);
    reopened(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x3A, 1);
}

/* ---- Assigned Client Identifier, 5.0 ------------------------------------- */

/* The client is who the server says it is: by that name it comes back. */
static void test_an_assigned_client_identifier_is_used(void **state)
{
    struct script *s = *state;

    s->config.connect.client_identifier = mqtt_text("");
    s->memory.identifier_size = 3;
    start(s);
    connects(s);
    assert_true(span_is(take_connect(s).client_identifier, ""));
    server_connack_with(s, 0, 0, 0x12, 0x00, 0x03, 'a', 'b', 'c');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_true(span_is(mqtt_client_identifier(&s->client), "abc"));
    publish_sent(s, "a", "x", MQTT_QOS_1);
    for (int i = 0; i < 2; i++) {
        cut(s);
        reopened(s);
        assert_true(span_is(take_connect(s).client_identifier, "abc"));
        server_connack(s, 1, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        expect_packet(s, 0x3A, 1);
        assert_true(span_is(mqtt_client_identifier(&s->client), "abc"));
    }
}

static const struct conformance_test tests[] = {
    proves(test_nothing_but_connack_may_come_first, "3.1.1 MQTT-3.2.0-1",
           "5.0 MQTT-3.2.0-1"),
    proves(test_connack_comes_once, "5.0 MQTT-3.2.0-2", "3.1.1 MQTT-4.8.0-1"),
    proves(test_a_protocol_level_that_is_refused_is_told, "3.1.1 MQTT-3.1.2-2",
           "5.0 MQTT-3.1.2-2"),
    proves(test_an_identifier_that_is_refused_is_told, "3.1.1 MQTT-3.1.3-8"),
    proves(test_after_a_refusal_nobody_waits_for_the_server,
           "3.1.1 MQTT-3.2.2-5", "5.0 MQTT-3.2.2-7", "5.0 MQTT-4.13.2-1"),
    proves(test_a_refusal_is_told_though_the_server_closes,
           "3.1.1 MQTT-3.2.2-5", "5.0 MQTT-3.2.2-7"),
    proves(test_a_clean_start_finds_no_session, "3.1.1 MQTT-3.2.2-1",
           "5.0 MQTT-3.2.2-2"),
    proves(test_a_refusal_has_no_session, "3.1.1 MQTT-3.2.2-4",
           "5.0 MQTT-3.2.2-6"),
    proves(test_a_session_that_is_present_goes_on, "3.1.1 MQTT-3.2.2-2",
           "5.0 MQTT-3.2.2-3"),
    proves(test_a_session_that_is_not_present_is_discarded,
           "3.1.1 MQTT-3.2.2-3", "5.0 MQTT-3.2.2-3", "5.0 MQTT-3.2.2-5"),
    proves(test_connack_has_no_flag_but_session_present, "5.0 MQTT-3.2.2-1"),
    proves(test_connack_has_codes_of_its_own, "5.0 MQTT-3.2.2-8"),
    proves(test_a_code_from_80_on_ends_the_connection, "5.0 MQTT-4.13.2-1"),
    proves(test_a_session_that_this_side_has_not_is_refused,
           "5.0 MQTT-3.2.2-4"),
    proves(test_an_assigned_client_identifier_is_used, "5.0 MQTT-3.2.2-16"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "connack", tests);
}
