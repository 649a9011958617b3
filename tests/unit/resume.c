/*
 * resume.c - what is held over a cut, and what when the server lost it
 * [3.1.1, sections 3.1.2.4, 3.2.2.2 and 4.4].
 */
#include "script.h"

/* ---- the server still has the session ------------------------------------ */

static void test_what_was_sent_is_sent_again_with_dup(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "b", "y", MQTT_QOS_2);
    cut(s);
    expect_no_event(s);
    reconnected(s, true);
    expect_bytes(s, 0x3A, 0x06,    /* PUBLISH, DUP, QoS 1 */
                 0x00, 0x01, 'a',  /* topic name */
                 0x00, 0x01, 'x',  /* packet identifier, payload */
                 0x3C, 0x06,       /* PUBLISH, DUP, QoS 2 */
                 0x00, 0x01, 'b',  /* topic name */
                 0x00, 0x02, 'y'); /* packet identifier, payload */
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_what_was_never_sent_has_no_dup(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    s->blocked = true;
    publish(s, "a", "2", MQTT_QOS_1);
    cut(s);
    publish(s, "a", "3", MQTT_QOS_1);
    s->blocked = false;
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    expect_packet(s, 0x32, 2);
    expect_packet(s, 0x32, 3);
    expect_nothing_sent(s);
}

/* A byte of it has left: it may have arrived, for all that we know. */
static void test_half_a_packet_is_sent_again_whole_with_dup(void **state)
{
    struct script *s = *state;

    for (size_t taken = 1; taken <= 8; taken++) {
        connected(s);
        s->blocked = true;
        publish(s, "a", "x", MQTT_QOS_1);
        network_takes(s, taken);
        cut(s);
        s->blocked = false;
        reconnected(s, true);
        expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'x');
        script_restart(s);
    }
}

static void test_pubrel_leaves_again_where_pubrec_had_come(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected(s, true);
        expect_bytes(s, 0x62, 0x02, 0x00, 0x01);
    }
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_a_pubrel_that_had_not_left_leaves_now(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    s->blocked = true;
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    expect_bytes(s, 0x62, 0x02, 0x00, 0x01);
}

/* [3.1.1 MQTT-4.6.0-1, -4]: messages among themselves, and PUBRELs too. */
static void test_resends_keep_their_order(void **state)
{
    static const uint16_t publishes[] = {1, 4, 5};
    static const uint16_t pubrels[] = {3, 2};
    const struct packet *packet;
    struct script *s = *state;
    size_t p = 0, r = 0;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    publish_sent(s, "a", "3", MQTT_QOS_2);
    publish_sent(s, "a", "4", MQTT_QOS_2);
    publish_sent(s, "a", "5", MQTT_QOS_1);
    server_answers(s, 0x50, 3);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    discard_sent(s);
    cut(s);
    reconnected(s, true);
    while ((packet = next_packet(s)))
        if (packet->first_byte == 0x62)
            assert_int_equal(packet->identifier, pubrels[r++]);
        else
            assert_int_equal(packet->identifier, publishes[p++]);
    assert_int_equal(p, 3);
    assert_int_equal(r, 2);
}

static void test_resends_come_before_what_is_new(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    cut(s);
    publish(s, "a", "3", MQTT_QOS_1);
    reconnected(s, true);
    publish(s, "a", "0", MQTT_QOS_0);
    expect_packet(s, 0x3A, 2);
    expect_packet(s, 0x32, 3);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s);
}

static void test_a_cut_while_resending_begins_again(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "x", MQTT_QOS_1);
    for (size_t taken = 0; taken <= 24; taken++) {
        cut(s);
        reconnected(s, true);
        s->blocked = true;
        network_takes(s, taken);
        s->blocked = false;
        s->to_server.size = 0;
    }
    cut(s);
    reconnected(s, true);
    for (uint16_t i = 1; i <= 3; i++)
        expect_packet(s, 0x3A, i);
    expect_nothing_sent(s);
}

static void test_a_connection_without_connack_changes_nothing(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    cut(s);
    reopened(s);
    expect_packet(s, 0x10, 0);
    expect_nothing_sent(s);
    cut(s);
    expect_no_event(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
}

static void test_send_maximum_holds_for_resends(void **state)
{
    struct script *s = *state;

    s->config.send_maximum = 2;
    connected(s);
    for (int i = 0; i < 4; i++)
        publish(s, "a", "x", MQTT_QOS_1);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x32, 2);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    expect_packet(s, 0x3A, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 3);
    expect_nothing_sent(s);
}

/* With 1, nothing passes what is not finished. */
static void test_send_maximum_holds_over_a_released_message(void **state)
{
    struct script *s = *state;

    s->config.send_maximum = 1;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    cut(s);
    publish(s, "a", "2", MQTT_QOS_1);
    publish(s, "a", "3", MQTT_QOS_1);
    reconnected(s, true);
    expect_packet(s, 0x62, 1);
    expect_nothing_sent(s);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 3);
}

static void test_resends_are_counted(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    cut(s);
    publish(s, "a", "x", MQTT_QOS_1); /* for the first time */
    reconnected(s, true);
    discard_sent(s);
    assert_int_equal(statistics.messages_resent, 2);
}

/* ---- the server has lost the session ------------------------------------- */

static void test_what_was_sent_is_lost_with_the_session(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    cut(s);
    expect_no_event(s);
    reconnected(s, false);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_published(s, 2, MQTT_OUTCOME_LOST);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_what_was_released_ends_as_unknown(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    cut(s);
    reconnected(s, false);
    expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
    expect_nothing_sent(s);
}

static void test_what_was_never_sent_is_kept(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    s->blocked = true;
    publish(s, "a", "2", MQTT_QOS_1);
    publish(s, "a", "3", MQTT_QOS_2);
    cut(s);
    s->blocked = false;
    reconnected(s, false);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2', /* */
                 0x34, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '3');
}

static void test_republish_lost_publishes_anew(void **state)
{
    struct script *s = *state;

    s->config.republish_lost = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    cut(s);
    reconnected(s, false);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1', /* */
                 0x34, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2');
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* Its payload is gone since PUBREC: there is nothing to publish. */
static void test_republish_lost_cannot_help_what_was_released(void **state)
{
    struct script *s = *state;

    s->config.republish_lost = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    discard_sent(s);
    cut(s);
    reconnected(s, false);
    expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
    expect_nothing_sent(s);
}

static void test_a_lost_session_forgets_received_identifiers(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 9, "1");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    cut(s);
    reconnected(s, false);
    server_publishes(s, 0x34, "a", 9, "2");
    expect_message(s, "a", "2");
}

static void test_lost_identifiers_are_free_again(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 2;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    cut(s);
    reconnected(s, false);
    pull(s, MQTT_EVENT_PUBLISHED);
    pull(s, MQTT_EVENT_PUBLISHED);
    expect_no_event(s);
    publish_sent(s, "a", "3", MQTT_QOS_1);
    publish_sent(s, "a", "4", MQTT_QOS_1);
    assert_int_equal(try_publish(s, "a", "5", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
}

static uint8_t connect_flags(struct script *s)
{
    return expect_packet(s, 0x10, 0)->bytes[9];
}

/* ---- clean start --------------------------------------------------------- */

/* [3.1.1 MQTT-3.1.2-6] */
static void test_a_clean_session_ends_with_its_connection(void **state)
{
    struct script *s = *state;

    s->config.connect.clean_start = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    server_publishes(s, 0x34, "b", 9, "1");
    pull(s, MQTT_EVENT_MESSAGE);
    s->blocked = true;
    publish(s, "a", "2", MQTT_QOS_1);
    expect_no_event(s);
    cut(s);
    s->blocked = false;
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    reopened(s);
    assert_int_equal(connect_flags(s), 0x02);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x02, '2');
    server_publishes(s, 0x34, "b", 9, "2");
    expect_message(s, "b", "2");
}

static void test_a_clean_session_subscribes_each_time(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->config.connect.clean_start = true;
    connected(s);
    subscribed(s, &a);
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
}

/* ---- NEW and RESUME ------------------------------------------------------ */

/* The server says that it has a session: a connection of its own wipes it out,
 * since 3.1.1 ends a clean session with its connection; then one is begun that
 * lasts. The application is told of the fault, and of the good end. */
static void test_new_does_not_take_a_session_it_has_not(void **state)
{
    struct script *s = *state;

    s->config.session = MQTT_SESSION_NEW;
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    connects(s);
    assert_int_equal(connect_flags(s), 0x00);
    server_connack(s, 1, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    reopened(s);
    assert_int_equal(connect_flags(s), 0x02);
    server_connack(s, 0, 0);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    expect_no_event(s);
    elapse(s, 0);
    server_accepts(s);
    assert_int_equal(connect_flags(s), 0x00);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x32, 1);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
}

static void test_a_cut_while_wiping_begins_again(void **state)
{
    struct script *s = *state;

    s->config.session = MQTT_SESSION_NEW;
    start(s);
    connects(s);
    server_connack(s, 1, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    reopened(s);
    cut(s);
    reopened(s);
    assert_int_equal(connect_flags(s), 0x02);
}

static void test_new_holds_the_session_once_it_has_one(void **state)
{
    struct script *s = *state;

    s->config.session = MQTT_SESSION_NEW;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    cut(s);
    reconnected(s, true);
    assert_true(s->event.session_present);
    expect_packet(s, 0x3A, 1);
}

static void test_resume_takes_the_session_of_another_life(void **state)
{
    struct script *s = *state;

    s->config.session = MQTT_SESSION_RESUME;
    start(s);
    connects(s);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_true(s->event.session_present);
    server_answers(s, 0x62, 77); /* it waits for our PUBCOMP since then */
    expect_no_event(s);
    discard_sent(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* The server may hold none of our subscriptions: it is told them. */
static void test_resume_subscribes_what_it_never_did(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    start(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x82, 1);
}

/* ---- publishing before there is a connection ----------------------------- */

static void test_publish_before_connecting(void **state)
{
    struct script *s = *state;

    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    connected(s);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x34, 2);
    expect_nothing_sent(s);
}

static void test_what_was_published_offline_survives_a_clean_start(void **state)
{
    struct script *s = *state;

    s->config.connect.clean_start = true;
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    connected(s);
    expect_packet(s, 0x32, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_what_was_sent_is_sent_again_with_dup),
        script_test(test_what_was_never_sent_has_no_dup),
        script_test(test_half_a_packet_is_sent_again_whole_with_dup),
        script_test(test_pubrel_leaves_again_where_pubrec_had_come),
        script_test(test_a_pubrel_that_had_not_left_leaves_now),
        script_test(test_resends_keep_their_order),
        script_test(test_resends_come_before_what_is_new),
        script_test(test_a_cut_while_resending_begins_again),
        script_test(test_a_connection_without_connack_changes_nothing),
        script_test(test_send_maximum_holds_for_resends),
        script_test(test_resends_are_counted),
        script_test(test_what_was_sent_is_lost_with_the_session),
        script_test(test_what_was_released_ends_as_unknown),
        script_test(test_what_was_never_sent_is_kept),
        script_test(test_republish_lost_publishes_anew),
        script_test(test_republish_lost_cannot_help_what_was_released),
        script_test(test_a_lost_session_forgets_received_identifiers),
        script_test(test_lost_identifiers_are_free_again),
        script_test(test_a_clean_session_ends_with_its_connection),
        script_test(test_a_clean_session_subscribes_each_time),
        script_test(test_new_does_not_take_a_session_it_has_not),
        script_test(test_a_cut_while_wiping_begins_again),
        script_test(test_new_holds_the_session_once_it_has_one),
        script_test(test_resume_takes_the_session_of_another_life),
        script_test(test_resume_subscribes_what_it_never_did),
        script_test(test_publish_before_connecting),
        script_test(test_what_was_published_offline_survives_a_clean_start),
        script_test(test_send_maximum_holds_over_a_released_message),
    };

    return script_run("resume", tests);
}
