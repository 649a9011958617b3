/*
 * session.c - what outlives a connection, and the order of messages
 * [3.1.1, sections 3.1.2.4, 4.1, 4.4 and 4.6], [5.0, the same].
 */
#include "conformance.h"

/* ---- how long a session lives -------------------------------------------- */

/* A client with state in both directions: 1 is unacknowledged, 2 is released,
 * 7 was received and not released. */
static void with_state(struct script *s)
{
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "once");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    discard_sent(s);
}

/* Neither time nor anything that comes takes it away while there is a
 * connection. */
static void test_a_session_lives_as_long_as_its_connection(void **state)
{
    struct script *s = *state;

    for (int clean = 0; clean < 2; clean++) {
        s->config.connect.clean_start = clean;
        s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
        with_state(s);
        elapse(s, (mqtt_time)1000 * 3600 * 24 * 100);
        expect_no_event(s);
        server_publishes(s, 0x3C, "a", 7, "once");
        expect_no_event(s); /* it is known still */
        expect_packet(s, 0x50, 7);
        server_answers(s, 0x70, 2);
        expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
        server_answers(s, 0x40, 1);
        expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* With a clean start nothing goes on: nothing is sent again, what was received
 * before is forgotten, and the application is told of each message. */
static void test_a_clean_start_begins_anew(void **state)
{
    struct script *s = *state;
    bool ended[3] = {false};

    s->config.connect.clean_start = true;
    with_state(s);
    cut(s);
    while (mqtt_client_next(&s->client, &s->event))
        if (s->event.type == MQTT_EVENT_PUBLISHED)
            ended[s->event.packet_identifier] = true;
    reopened(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0x02);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    while (mqtt_client_next(&s->client, &s->event))
        if (s->event.type == MQTT_EVENT_PUBLISHED)
            ended[s->event.packet_identifier] = true;
    assert_true(ended[1] && ended[2]);
    expect_nothing_sent(s);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
}

/* ---- what is sent again -------------------------------------------------- */

static void test_publish_and_pubrel_are_sent_again_with_a_session(void **state)
{
    struct script *s = *state;
    bool publish_seen = false, pubrel_seen = false;

    with_state(s);
    cut(s);
    reopened(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0);
    expect_nothing_sent(s); /* not before CONNACK tells of the session */
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    while (next_packet(s)) {
        if (s->packet.first_byte == 0x62) {
            assert_false(pubrel_seen);
            assert_int_equal(s->packet.identifier, 2);
            pubrel_seen = true;
        } else {
            assert_false(publish_seen);
            assert_int_equal(s->packet.first_byte, 0x3A);
            assert_int_equal(s->packet.identifier, 1);
            assert_true(span_is(s->packet.topic, "a"));
            assert_true(span_is(s->packet.payload, "1"));
            publish_seen = true;
        }
    }
    assert_true(publish_seen && pubrel_seen);
}

static void test_nothing_is_sent_again_on_a_connection(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    with_state(s);
    for (int hours = 0; hours < 100; hours++) {
        elapse(s, 3600 * 1000);
        server_publishes(s, 0x30, "a", 0, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        expect_nothing_sent(s);
    }
}

/* ---- order --------------------------------------------------------------- */

#define COUNT 12

/* QoS 1 and 2 by turns; whatever is acknowledged, the rest stays in order. */
static void test_resends_keep_the_order_of_sending(void **state)
{
    struct script *s = *state;
    uint16_t identifiers[COUNT];
    int at = 0;

    connected(s);
    for (int i = 0; i < COUNT; i++)
        identifiers[i] =
            publish_sent(s, "a", "x", i % 3 ? MQTT_QOS_1 : MQTT_QOS_2);
    for (int i = 1; i < COUNT; i += 4) {
        if (i % 3 == 0)
            continue;
        server_answers(s, 0x40, identifiers[i]);
        expect_published(s, identifiers[i], MQTT_OUTCOME_ACKNOWLEDGED);
        identifiers[i] = 0;
    }
    for (int round = 0; round < 3; round++) {
        cut(s);
        reconnected(s, true);
        at = 0;
        while (next_packet(s)) {
            while (!identifiers[at])
                at++;
            assert_true(s->packet.first_byte & 0x08);
            assert_int_equal(s->packet.identifier, identifiers[at++]);
        }
        assert_int_equal(at, COUNT);
    }
}

/* Six messages come; the answers of one kind leave in the same order. */
static void answers_in_order(struct script *s, uint8_t publish, uint8_t answer)
{
    static const uint16_t identifiers[] = {5, 3, 9, 1, 65535, 2};

    connected(s);
    s->blocked = true;
    for (int i = 0; i < 6; i++)
        server_publishes(s, publish, "a", identifiers[i], "x");
    for (int i = 0; i < 6; i++)
        pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    s->blocked = false;
    for (int i = 0; i < 6; i++)
        expect_packet(s, answer, identifiers[i]);
    expect_nothing_sent(s);
}

static void test_pubacks_leave_in_the_order_of_arrival(void **state)
{
    answers_in_order(*state, 0x32, 0x40);
}

static void test_pubrecs_leave_in_the_order_of_arrival(void **state)
{
    answers_in_order(*state, 0x34, 0x50);
}

/* Also when only a few find room at a time, and over a cut. */
static void test_pubrels_leave_in_the_order_of_pubrec(void **state)
{
    static const uint16_t order[COUNT] = {3, 1,  12, 6,  2, 5,
                                          4, 11, 7,  10, 8, 9};
    struct script *s = *state;
    size_t least = speaks_5_0(s) ? 32 : 16; /* for CONNECT */

    for (size_t size = least; size < least + 16; size++) {
        s->memory.control_size = size;
        connected(s);
        for (int i = 0; i < COUNT; i++)
            publish_sent(s, "a", "x", MQTT_QOS_2);
        s->blocked = true;
        for (int i = 0; i < COUNT; i++)
            server_answers(s, 0x50, order[i]);
        expect_no_event(s);
        s->blocked = false;
        for (int i = 0; i < COUNT; i++)
            expect_packet(s, 0x62, order[i]);
        cut(s);
        reconnected(s, true);
        for (int i = 0; i < COUNT; i++)
            expect_packet(s, 0x62, order[i]);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

static const struct conformance_test tests[] = {
    proves(test_a_session_lives_as_long_as_its_connection, "3.1.1 MQTT-4.1.0-2",
           "5.0 MQTT-4.1.0-1"),
    proves(test_a_clean_start_begins_anew, "3.1.1 MQTT-3.1.2-6",
           "5.0 MQTT-3.1.2-4"),
    proves(test_publish_and_pubrel_are_sent_again_with_a_session,
           "3.1.1 MQTT-4.4.0-1", "5.0 MQTT-4.4.0-1"),
    proves(test_nothing_is_sent_again_on_a_connection, "5.0 MQTT-4.4.0-1"),
    proves(test_resends_keep_the_order_of_sending, "3.1.1 MQTT-4.6.0-1",
           "5.0 MQTT-4.6.0-1"),
    proves(test_pubacks_leave_in_the_order_of_arrival, "3.1.1 MQTT-4.6.0-2",
           "5.0 MQTT-4.6.0-2"),
    proves(test_pubrecs_leave_in_the_order_of_arrival, "3.1.1 MQTT-4.6.0-3",
           "5.0 MQTT-4.6.0-3"),
    proves(test_pubrels_leave_in_the_order_of_pubrec, "3.1.1 MQTT-4.6.0-4",
           "5.0 MQTT-4.6.0-4"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "session", tests);
}
