/*
 * keep_alive.c - PINGREQ and PINGRESP [3.1.1, sections 3.1.2.10 and 3.12],
 * [5.0, the same]. Time is a variable.
 */
#include "conformance.h"

#define KEEP_ALIVE_MS 10000

static void connected_with_keep_alive(struct script *s)
{
    s->config.connect.keep_alive_s = KEEP_ALIVE_MS / 1000;
    connected(s);
}

static void answer_ping(struct script *s)
{
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
}

/* From each packet to the next one passes at most the keep alive, if the
 * client is ticked when it asks to be. */
static void test_the_gap_between_packets_is_at_most_keep_alive(void **state)
{
    struct script *s = *state;
    mqtt_time last;
    unsigned pings = 0;

    connected_with_keep_alive(s);
    last = s->now;
    for (int i = 0; i < 50; i++) {
        mqtt_time deadline = mqtt_client_deadline(&s->client);

        assert_true(deadline > s->now && deadline != MQTT_NEVER);
        elapse(s, deadline - s->now);
        if (!next_packet(s))
            continue;
        assert_int_equal(s->packet.first_byte, 0xC0);
        assert_true(s->now - last <= KEEP_ALIVE_MS);
        last = s->now;
        pings++;
        answer_ping(s);
    }
    assert_true(pings > 20);
}

/* What else is sent puts PINGREQ off, and only that. */
static void test_pingreq_is_sent_when_nothing_else_was(void **state)
{
    struct script *s = *state;

    connected_with_keep_alive(s);
    for (int i = 0; i < 5; i++) {
        elapse(s, KEEP_ALIVE_MS / 2);
        publish(s, "a", "x", MQTT_QOS_1);
        expect_packet(s, 0x32, 0);
        server_answers(s, 0x40, s->packet.identifier);
        pull(s, MQTT_EVENT_PUBLISHED);
        expect_nothing_sent(s);
    }
    elapse(s, KEEP_ALIVE_MS);
    expect_bytes(s, 0xC0, /* PINGREQ */
                 0x00);   /* remaining length */
}

/* What comes from the server is nothing that was sent. */
static void test_what_comes_does_not_put_pingreq_off(void **state)
{
    struct script *s = *state;
    mqtt_time last;

    connected_with_keep_alive(s);
    last = s->now;
    for (int i = 0; i < 40 && !s->pings; i++) {
        elapse(s, KEEP_ALIVE_MS / 20);
        server_publishes(s, 0x30, "a", 0, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        script_drain(s);
    }
    assert_int_equal(s->pings, 1);
    assert_true(s->now - last <= KEEP_ALIVE_MS);
}

static void test_after_a_jump_of_the_clock_pingreq_leaves_at_once(void **state)
{
    struct script *s = *state;

    connected_with_keep_alive(s);
    elapse(s, 100 * KEEP_ALIVE_MS);
    expect_packet(s, 0xC0, 0);
    answer_ping(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_without_keep_alive_there_is_no_pingreq(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    connected(s);
    expect_no_deadline(s);
    elapse(s, (mqtt_time)1000 * 3600 * 24 * 365);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_without_pingresp_the_link_is_given_up(void **state)
{
    struct script *s = *state;

    connected_with_keep_alive(s);
    elapse(s, KEEP_ALIVE_MS);
    expect_packet(s, 0xC0, 0);
    answer_ping(s);
    elapse(s, KEEP_ALIVE_MS);
    expect_packet(s, 0xC0, 0);
    expect_wants(s, MQTT_WANT_NOTHING);
    for (int i = 0; i < 10 && s->event.type != MQTT_EVENT_DISCONNECTED; i++) {
        mqtt_time deadline = mqtt_client_deadline(&s->client);

        assert_true(deadline != MQTT_NEVER);
        elapse(s, deadline - s->now);
        discard_sent(s);
        if (mqtt_client_wants(&s->client) == MQTT_WANT_CLOSE) {
            driver_closes(s);
            pull(s, MQTT_EVENT_DISCONNECTED);
        }
    }
    assert_int_equal(s->event.type, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_PINGRESP_TIMEOUT);
}

/* ---- Server Keep Alive, 5.0 ---------------------------------------------- */

static void connected_with_server_keep_alive(struct script *s, uint16_t seconds)
{
    start(s);
    connects(s);
    discard_sent(s);
    server_connack_with(s, 0, 0, 0x13, (uint8_t)(seconds >> 8),
                        (uint8_t)seconds);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_client_limits(&s->client)->keep_alive_s, seconds);
}

/* The next PINGREQ leaves between half of so many seconds and all of them. */
static void expect_ping_within(struct script *s, mqtt_time seconds)
{
    elapse(s, seconds * 500);
    expect_nothing_sent(s);
    elapse(s, seconds * 500);
    expect_packet(s, 0xC0, 0);
    answer_ping(s);
}

/* Be it shorter or longer than what CONNECT said, or instead of none at all. */
static void test_the_keep_alive_of_the_server_is_used(void **state)
{
    static const uint32_t own[] = {0, 1, 65535, MQTT_KEEP_ALIVE_OFF};
    static const uint16_t others[] = {2, 7, 300, 65535};
    struct script *s = *state;

    for (int i = 0; i < 4 * 4; i++) {
        s->config.connect.keep_alive_s = own[i / 4];
        connected_with_server_keep_alive(s, others[i % 4]);
        expect_ping_within(s, others[i % 4]);
        expect_ping_within(s, others[i % 4]);
        script_restart(s);
    }
}

static void test_a_keep_alive_of_0_of_the_server_turns_it_off(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = KEEP_ALIVE_MS / 1000;
    connected_with_server_keep_alive(s, 0);
    expect_no_deadline(s);
    elapse(s, (mqtt_time)1000 * 3600 * 24 * 365);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* It is of its connection: the next CONNECT says what is configured. */
static void test_the_keep_alive_of_the_server_ends_with_connection(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = KEEP_ALIVE_MS / 1000;
    connected_with_server_keep_alive(s, 300);
    cut(s);
    reopened(s);
    assert_int_equal(take_connect(s).keep_alive, KEEP_ALIVE_MS / 1000);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_ping_within(s, KEEP_ALIVE_MS / 1000);
}

static const struct conformance_test tests[] = {
    proves(test_the_gap_between_packets_is_at_most_keep_alive,
           "3.1.1 MQTT-3.1.2-23", "5.0 MQTT-3.1.2-20"),
    proves(test_pingreq_is_sent_when_nothing_else_was, "3.1.1 MQTT-3.1.2-23",
           "5.0 MQTT-3.1.2-20"),
    proves(test_what_comes_does_not_put_pingreq_off, "3.1.1 MQTT-3.1.2-23",
           "5.0 MQTT-3.1.2-20"),
    proves(test_after_a_jump_of_the_clock_pingreq_leaves_at_once,
           "3.1.1 MQTT-3.1.2-23", "5.0 MQTT-3.1.2-20"),
    proves(test_without_keep_alive_there_is_no_pingreq, "3.1.1 MQTT-3.1.2-23",
           "5.0 MQTT-3.1.2-20"),
    proves(test_without_pingresp_the_link_is_given_up, "3.1.1 MQTT-3.12.4-1",
           "5.0 MQTT-3.12.4-1"),
    proves(test_the_keep_alive_of_the_server_is_used, "5.0 MQTT-3.1.2-21",
           "5.0 MQTT-3.2.2-21"),
    proves(test_a_keep_alive_of_0_of_the_server_turns_it_off,
           "5.0 MQTT-3.1.2-21", "5.0 MQTT-3.2.2-21"),
    proves(test_the_keep_alive_of_the_server_ends_with_connection,
           "5.0 MQTT-3.1.2-21"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "keep_alive", tests);
}
