/*
 * keep_alive.c - PINGREQ, PINGRESP and packets that stop half-way
 * [3.1.1, section 3.1.2.10]. Time is a variable.
 */
#include "script.h"

/* ---- PINGREQ ------------------------------------------------------------- */

/* PINGREQ leaves 1 s before the keep alive is over, for a loop may wake late;
 * an eighth of it where that is less [3.1.1 MQTT-3.1.2-23]. */
#define PING_AFTER_MS 59000

static void test_pingreq_leaves_when_nothing_else_did(void **state)
{
    struct script *s = *state;

    connected(s);
    expect_deadline(s, PING_AFTER_MS);
    elapse(s, PING_AFTER_MS - 1);
    expect_nothing_sent(s);
    elapse(s, 1);
    expect_bytes(s, 0xC0, /* PINGREQ */
                 0x00);   /* remaining length */
    server_sends(s, 0xD0, /* PINGRESP */
                 0x00);   /* remaining length */
    expect_no_event(s);
    expect_deadline(s, PING_AFTER_MS);
}

static void test_pingresp_ends_the_wait(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
    expect_deadline(s, 10000);
    elapse(s, 9999);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    elapse(s, 10000);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_no_event(s);
}

static void test_without_pingresp_the_link_is_dead(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
    elapse(s, 9999);
    expect_wants(s, MQTT_WANT_NOTHING);
    elapse(s, 1);
    expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
    expect_nothing_sent(s);
}

/* A PINGREQ that cannot leave does not stop the clock. */
static void test_a_blocked_network_is_a_dead_link(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    elapse(s, PING_AFTER_MS);
    elapse(s, 10000);
    expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
}

static void test_a_packet_that_left_puts_pingreq_off(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, 30000);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    pull(s, MQTT_EVENT_PUBLISHED);
    expect_deadline(s, PING_AFTER_MS);
    elapse(s, PING_AFTER_MS - 1);
    expect_nothing_sent(s);
    elapse(s, 1);
    expect_bytes(s, 0xC0, 0x00);
}

/* What comes proves nothing to the server: PINGREQ leaves all the same. */
static void test_a_packet_that_came_does_not_put_pingreq_off(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 5; i++) {
        elapse(s, 10000);
        server_publishes(s, 0x30, "a", 0, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_nothing_sent(s);
    }
    expect_deadline(s, PING_AFTER_MS - 50000);
    elapse(s, PING_AFTER_MS - 50000);
    expect_bytes(s, 0xC0, 0x00);
}

/* Who only sends QoS 0 would never notice that nobody listens. */
static void test_pingreq_leaves_when_nothing_comes(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 5; i++) {
        elapse(s, 10000);
        publish_sent(s, "a", "x", MQTT_QOS_0);
    }
    expect_deadline(s, PING_AFTER_MS - 50000);
    elapse(s, PING_AFTER_MS - 50000);
    expect_bytes(s, 0xC0, 0x00);
    expect_deadline(s, 10000);
    elapse(s, 10000);
    expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
}

/* ... not after the first PINGRESP either. */
static void test_pingreq_leaves_when_nothing_comes_any_more(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    for (int i = 0; i < 5; i++) {
        elapse(s, 10000);
        publish_sent(s, "a", "x", MQTT_QOS_0);
    }
    elapse(s, PING_AFTER_MS - 50000);
    expect_bytes(s, 0xC0, 0x00);
    expect_deadline(s, 10000);
}

/* The server wants to hear something within its second, answered or not. */
static void
test_while_pingresp_is_awaited_the_server_is_kept_content(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = 1;
    connected(s);
    for (int i = 0; i < 4; i++) {
        expect_deadline(s, 875);
        elapse(s, 875);
        expect_bytes(s, 0xC0, 0x00);
    }
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    expect_deadline(s, 875);
}

/* ... and yet a dead link is found in time. */
static void test_a_short_keep_alive_finds_a_dead_link(void **state)
{
    struct script *s = *state;

    for (uint32_t seconds = 1; seconds <= 12; seconds++) {
        mqtt_time interval =
            seconds < 8 ? 875 * seconds : 1000 * seconds - 1000;
        mqtt_time end;

        s->config.connect.keep_alive_s = seconds;
        connected(s);
        elapse(s, interval);
        expect_packet(s, 0xC0, 0);
        end = s->now + 10000;
        while (mqtt_client_deadline(&s->client) < end) {
            elapse(s, mqtt_client_deadline(&s->client) - s->now);
            expect_packet(s, 0xC0, 0);
        }
        assert_true(mqtt_client_deadline(&s->client) == end);
        elapse(s, end - s->now);
        expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
        script_restart(s);
    }
}

static void test_keep_alive_off_sends_none(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    s->config.healthy_after_ms = 1;
    connected(s);
    elapse(s, 1);
    expect_no_deadline(s);
    elapse(s, 1000000000);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_keep_alive_of_65535_seconds(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = 65535;
    s->config.healthy_after_ms = 1;
    connected(s);
    elapse(s, 1);
    expect_deadline(s, 65535000 - 1000 - 1);
    elapse(s, 65535000 - 1000 - 1);
    expect_bytes(s, 0xC0, 0x00);
}

static void test_pings_are_not_before_connack(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = 1;
    start(s);
    connects(s);
    discard_sent(s);
    elapse(s, 5000);
    expect_nothing_sent(s);
}

/* The server counts from CONNECT, however late its CONNACK is
 * [3.1.1 MQTT-3.1.2-23]. */
static void test_the_wait_for_connack_counts(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = 8;
    start(s);
    connects(s);
    discard_sent(s);
    elapse(s, 6500);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_deadline(s, 500);
    elapse(s, 500);
    expect_bytes(s, 0xC0, 0x00);
}

static void test_a_pingresp_nobody_asked_for_is_ignored(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0xD0, 0x00, 0xD0, 0x00);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_the_clock_may_begin_anywhere(void **state)
{
    struct script *s = *state;

    s->now = 0;
    connected(s);
    expect_deadline(s, PING_AFTER_MS);
    script_restart(s);
    s->now = (mqtt_time)1 << 62;
    connected(s);
    expect_deadline(s, PING_AFTER_MS);
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
}

/* A jump of the clock is a long silence, and no more. */
static void test_a_jump_of_the_clock_asks_first(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, 100000000);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_bytes(s, 0xC0, 0x00);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    expect_deadline(s, PING_AFTER_MS);
}

static void test_a_packet_in_parts_does_not_meet_pingreq(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "0123456789", MQTT_QOS_0);
    network_takes(s, 5);
    elapse(s, PING_AFTER_MS);
    s->blocked = false;
    expect_bytes(s, 0x30, 0x0D, 0x00, 0x01, 'a',                   /* PUBLISH */
                 '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', /* */
                 0xC0, 0x00);                                      /* PINGREQ */
}

/* While nobody pulls, PINGRESP may wait in the network. */
static void test_who_does_not_read_does_not_miss_pingresp(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 100; i++)
        server_publishes(s, 0x30, "a", 0, "0123456789");
    while (script_feed(s))
        ;
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
    elapse(s, 1000000);
    expect_wants(s, MQTT_WANT_NOTHING);
    server_sends(s, 0xD0, 0x00);
    for (int i = 0; i < 100; i++)
        pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* It is here, with room behind it, and nobody has looked yet. */
static void test_a_pingresp_that_nobody_pulled_counts(void **state)
{
    struct script *s = *state;

    connected(s);
    elapse(s, PING_AFTER_MS);
    expect_bytes(s, 0xC0, 0x00);
    server_sends(s, 0xD0, 0x00);
    while (script_feed(s))
        ;
    elapse(s, 1000000);
    assert_true(mqtt_client_deadline(&s->client) > s->now);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* Input memory is full, and no acknowledgement leaves. */
static void test_a_dead_link_is_found_behind_full_input(void **state)
{
    struct script *s = *state;

    s->memory.control_size = 16;
    connected(s);
    for (int i = 1; i < 200; i++)
        server_publishes(s, 0x32, "a", (uint16_t)i, "0123456789");
    s->blocked = true;
    while (mqtt_client_next(&s->client, &s->event) || script_feed(s))
        ;
    elapse(s, PING_AFTER_MS);
    while (mqtt_client_next(&s->client, &s->event))
        ;
    elapse(s, 10000);
    expect_wants(s, MQTT_WANT_CLOSE);
}

/* All places of the list are taken by what is settled: it is the network that
 * holds them up, not the application, and the clock does not stop for it. */
static void
test_a_full_list_that_cannot_leave_does_not_stop_the_clock(void **state)
{
    struct script *s = *state;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 2;
    s->memory.control_size = 16;
    connected(s);
    for (int i = 1; i < 40; i++)
        server_publishes(s, 0x32, "a", (uint16_t)i, "x");
    s->blocked = true;
    while (script_feed(s) || mqtt_client_next(&s->client, &s->event))
        if (s->event.type == MQTT_EVENT_MESSAGE)
            mqtt_settle(&s->client, s->event.message.settle_handle, 0);
    elapse(s, PING_AFTER_MS);
    while (mqtt_client_next(&s->client, &s->event))
        ;
    elapse(s, 10000);
    expect_wants(s, MQTT_WANT_CLOSE);
}

/* ---- a packet that began and does not end -------------------------------- */

static void test_half_a_packet_has_a_deadline(void **state)
{
    struct script *s = *state;

    s->config.healthy_after_ms = 1;
    connected(s);
    elapse(s, 1);
    server_sends(s, 0x30);
    expect_no_event(s);
    expect_deadline(s, 30000 + 8);
    elapse(s, 30007);
    expect_wants(s, MQTT_WANT_NOTHING);
    elapse(s, 1);
    expect_fatal(s, MQTT_ERR_PACKET_TIMEOUT);
}

/* 8 ms for each byte that came: 125 bytes a second are enough. */
static void test_each_byte_buys_8_ms(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    connected(s);
    server_sends(s, 0x30, 0x7F, 0x00, 0x01, 'a');
    expect_no_event(s);
    expect_deadline(s, 100 + 5 * 8);
    elapse(s, 139);
    server_sends(s, 'x');
    expect_no_event(s);
    expect_deadline(s, 1 + 8);
    elapse(s, 9);
    expect_fatal(s, MQTT_ERR_PACKET_TIMEOUT);
}

static void test_a_whole_packet_ends_its_deadline(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    s->config.healthy_after_ms = 1;
    connected(s);
    elapse(s, 1);
    server_sends(s, 0x30, 0x04, 0x00, 0x01, 'a');
    expect_no_event(s);
    expect_deadline(s, 140);
    elapse(s, 139);
    server_sends(s, 'x');
    pull(s, MQTT_EVENT_MESSAGE);
    elapse(s, 1000);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* Each packet has its own. */
static void test_a_whole_packet_that_nobody_pulled_counts(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    connected(s);
    server_sends(s, 0x30, 0x04);
    expect_no_event(s);
    server_sends(s, 0x00, 0x01, 'a', 'b');
    while (script_feed(s))
        ;
    elapse(s, 1000000);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_message(s, "a", "b");
}

static void test_the_next_half_packet_begins_anew(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    connected(s);
    server_sends(s, 0x30, 0x04);
    expect_no_event(s);
    elapse(s, 100);
    server_sends(s, 0x00, 0x01, 'a', 'x', 0x30);
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_deadline(s, 100 + 8);
}

/* Whatever the last connection waited for. */
static void test_a_new_connection_waits_for_connack_only(void **state)
{
    struct script *s = *state;

    s->config.connack_timeout_ms = 5000;
    s->config.pingresp_timeout_ms = 3000;
    connected(s);
    s->blocked = true;
    elapse(s, 59000); /* PINGREQ cannot leave */
    expect_deadline(s, 3000);
    cut(s);
    s->blocked = false;
    reopened(s);
    expect_packet(s, 0x10, 0);
    expect_deadline(s, 5000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_pingreq_leaves_when_nothing_else_did),
        script_test(test_pingresp_ends_the_wait),
        script_test(test_without_pingresp_the_link_is_dead),
        script_test(test_a_blocked_network_is_a_dead_link),
        script_test(test_a_packet_that_left_puts_pingreq_off),
        script_test(test_a_packet_that_came_does_not_put_pingreq_off),
        script_test(test_pingreq_leaves_when_nothing_comes),
        script_test(test_pingreq_leaves_when_nothing_comes_any_more),
        script_test(test_while_pingresp_is_awaited_the_server_is_kept_content),
        script_test(test_a_short_keep_alive_finds_a_dead_link),
        script_test(test_keep_alive_off_sends_none),
        script_test(test_keep_alive_of_65535_seconds),
        script_test(test_pings_are_not_before_connack),
        script_test(test_the_wait_for_connack_counts),
        script_test(test_a_pingresp_nobody_asked_for_is_ignored),
        script_test(test_the_clock_may_begin_anywhere),
        script_test(test_a_jump_of_the_clock_asks_first),
        script_test(test_a_packet_in_parts_does_not_meet_pingreq),
        script_test(test_who_does_not_read_does_not_miss_pingresp),
        script_test(test_a_full_list_that_cannot_leave_does_not_stop_the_clock),
        script_test(test_half_a_packet_has_a_deadline),
        script_test(test_each_byte_buys_8_ms),
        script_test(test_a_whole_packet_ends_its_deadline),
        script_test(test_the_next_half_packet_begins_anew),
        script_test(test_a_pingresp_that_nobody_pulled_counts),
        script_test(test_a_dead_link_is_found_behind_full_input),
        script_test(test_a_whole_packet_that_nobody_pulled_counts),
        script_test(test_a_new_connection_waits_for_connack_only),
    };

    return script_run("keep_alive", tests);
}
