/*
 * disconnect.c - at once, or after all acknowledgements
 * [3.1.1, section 3.14].
 */
#include "script.h"

static void disconnect(struct script *s, uint32_t timeout_ms)
{
    assert_int_equal(mqtt_disconnect(&s->client, timeout_ms), MQTT_OK);
}

/* It ended as asked for, and does not come back. */
static void expect_ended(struct script *s)
{
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    assert_true(s->event.retry_at == MQTT_NEVER);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_no_deadline(s);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void expect_disconnect(struct script *s)
{
    expect_bytes(s, 0xE0, /* DISCONNECT */
                 0x00);   /* remaining length */
    expect_wants(s, MQTT_WANT_FINISH);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_END);
}

/* ---- at once ------------------------------------------------------------- */

/* [3.1.1 MQTT-3.14.4-1] */
static void test_disconnect_leaves_and_the_server_ends(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    expect_disconnect(s);
    expect_deadline(s, 500);
    server_closes(s);
    expect_ended(s);
}

static void test_a_server_that_does_not_end_is_closed(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    expect_disconnect(s);
    elapse(s, 499);
    expect_wants(s, MQTT_WANT_FINISH);
    elapse(s, 1);
    driver_closes(s);
    expect_ended(s);
}

static void test_end_timeout_is_configured(void **state)
{
    struct script *s = *state;

    s->config.end_timeout_ms = 7;
    connected(s);
    disconnect(s, 0);
    expect_disconnect(s);
    expect_deadline(s, 7);
}

/* Else a network that takes nothing would hold it for ever. */
static void test_a_disconnect_that_cannot_leave_is_given_up(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "0123456789", MQTT_QOS_0);
    network_takes(s, 1);
    disconnect(s, 0);
    expect_deadline(s, 500);
    elapse(s, 500);
    driver_closes(s);
    s->to_server.size = 0;
    expect_ended(s);
}

/* [3.1.1 MQTT-3.14.4-2]; the inspection sees to it as well. */
static void test_nothing_follows_disconnect(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    disconnect(s, 0);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_0), MQTT_ERR_STATE);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_1), MQTT_ERR_STATE);
    mqtt_subscribe(&s->client, &a);
    expect_disconnect(s);
    server_publishes(s, 0x32, "a", 9, "x");
    server_answers(s, 0x62, 9);
    while (s->to_client.size && script_feed(s))
        while (mqtt_client_next(&s->client, &s->event))
            ;
    elapse(s, 100);
    expect_nothing_sent(s);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_1), MQTT_ERR_STATE);
}

/* A message is borrowed when DISCONNECT begins to leave. */
static void test_no_acknowledgement_follows_disconnect(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken <= 2; taken++) {
        connected(s);
        server_publishes(s, 0x32, "a", 9, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        s->blocked = true;
        disconnect(s, 0);
        network_takes(s, taken);
        mqtt_client_output_buf(&s->client, &(size_t){0});
        expect_no_event(s);
        s->blocked = false;
        script_drain(s);
        assert_true(s->seen_disconnect);
        script_restart(s);
    }
}

static void test_a_packet_that_has_begun_is_finished_first(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_1);
    network_takes(s, 3);
    disconnect(s, 0);
    s->blocked = false;
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1', /* */
                 0xE0, 0x00);
}

static void test_what_is_unsent_stays_for_the_next_connect(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 0);
    s->blocked = false;
    expect_disconnect(s);
    server_closes(s);
    expect_ended(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1');
}

static void test_who_is_stopped_cannot_disconnect(void **state)
{
    struct script *s = *state;

    start(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_ERR_STATE);
    assert_int_equal(mqtt_disconnect(&s->client, 1000), MQTT_ERR_STATE);
    expect_no_event(s);
    connected(s);
    disconnect(s, 0);
    discard_sent(s);
    server_closes(s);
    expect_ended(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_ERR_STATE);
}

static void test_publishing_is_allowed_again_when_it_is_done(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    discard_sent(s);
    server_closes(s);
    expect_ended(s);
    publish(s, "a", "x", MQTT_QOS_1);
}

/* ---- without a connection ------------------------------------------------ */

static void test_disconnect_while_waiting_to_retry(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    connected(s);
    cut(s);
    disconnect(s, 0);
    expect_ended(s);
    elapse(s, 1000000);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_disconnect_while_opening(void **state)
{
    struct script *s = *state;

    start(s);
    wishes_to_connect(s);
    disconnect(s, 0);
    driver_closes(s);
    expect_ended(s);
}

static void test_disconnect_before_connack(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    discard_sent(s);
    disconnect(s, 0);
    script_drain(s);
    assert_true(s->to_server.size == 0 || s->seen_disconnect);
    s->to_server.size = 0;
    if (mqtt_client_wants(&s->client) == MQTT_WANT_FINISH)
        server_closes(s);
    else
        driver_closes(s);
    expect_ended(s);
}

static void test_disconnect_before_connect_has_left(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    s->blocked = true;
    network_takes(s, 5);
    disconnect(s, 0);
    elapse(s, 500);
    driver_closes(s);
    s->to_server.size = 0;
    expect_ended(s);
}

static void test_a_cut_while_ending_is_no_fault(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    discard_sent(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, "reset");
    expect_ended(s);
}

/* ---- after all acknowledgements ------------------------------------------ */

static void test_draining_waits_for_every_end(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    publish(s, "a", "0", MQTT_QOS_0);
    disconnect(s, 5000);
    assert_int_equal(try_publish(s, "a", "3", MQTT_QOS_1), MQTT_ERR_STATE);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x34, 2);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s);
    expect_deadline(s, 5000);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_disconnect(s);
    server_closes(s);
    expect_ended(s);
}

static void test_draining_of_nothing_ends_at_once(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 5000);
    expect_disconnect(s);
}

static void test_draining_writes_qos_0(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "0", MQTT_QOS_0);
    disconnect(s, 5000);
    s->blocked = false;
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', '0', 0xE0, 0x00);
}

static void test_draining_waits_for_suback(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    disconnect(s, 5000);
    expect_packet(s, 0x82, 1);
    expect_nothing_sent(s);
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    expect_no_event(s);
    expect_disconnect(s);
}

static void test_draining_has_an_end(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    elapse(s, 4999);
    expect_nothing_sent(s);
    elapse(s, 1);
    expect_disconnect(s);
    server_closes(s);
    expect_ended(s);
    assert_true(mqtt_client_next_outstanding(&s->client,
                                             &(struct mqtt_outstanding){0}));
}

static void test_draining_reconnects_if_it_must(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    cut(s);
    assert_true(s->retry_at != MQTT_NEVER);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_disconnect(s);
}

static void test_draining_ends_without_a_connection(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    s->config.retry_base_ms = 60000;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    cut(s);
    expect_deadline(s, 5000);
    elapse(s, 5000);
    expect_ended(s);
}

static void test_draining_ends_while_opening(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    cut(s);
    elapse(s, 0);
    expect_wants(s, MQTT_WANT_OPEN);
    expect_deadline(s, 5000);
    elapse(s, 5000);
    driver_closes(s);
    expect_ended(s);
}

static void test_connect_takes_a_draining_disconnect_back(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    wishes_to_connect(s);
    publish_sent(s, "a", "2", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_nothing_sent(s);
    elapse(s, 5000);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
}

static void test_a_second_disconnect_may_be_in_a_hurry(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    expect_nothing_sent(s);
    disconnect(s, 0);
    expect_disconnect(s);
}

/* The wish to connect came while it ended, and is taken back in turn. */
static void test_a_disconnect_may_follow_connect_while_it_ends(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    expect_disconnect(s);
    wishes_to_connect(s);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_true(s->event.retry_at == s->now);
    disconnect(s, 0);
    expect_ended(s);
}

/* What is lost with the session has ended, so there is nothing to reconnect
 * for. */
static void test_draining_ends_with_a_clean_session(void **state)
{
    struct script *s = *state;

    s->config.connect.clean_start = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 5000);
    server_closes(s);
    assert_true(mqtt_client_next(&s->client, &s->event));
    assert_int_equal(s->event.type, MQTT_EVENT_DISCONNECTED);
    assert_true(mqtt_client_next(&s->client, &s->event));
    assert_int_equal(s->event.type, MQTT_EVENT_PUBLISHED);
    assert_true(mqtt_client_next(&s->client, &s->event));
    assert_int_equal(s->event.type, MQTT_EVENT_DISCONNECTED);
    assert_true(s->event.retry_at == MQTT_NEVER);
    assert_false(mqtt_client_next(&s->client, &s->event));
}

/* A driver that pulls, writes, and then sleeps until the deadline. */
static void test_draining_ends_in_the_turn_of_the_last_answer(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    discard_sent(s);
    disconnect(s, 5000);
    server_suback(s, 1, 0);
    while (script_feed(s))
        while (mqtt_client_next(&s->client, &s->event))
            ;
    expect_disconnect(s);
}

static void test_qos_0_is_refused_by_a_connection_that_ends(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    wishes_to_connect(s);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), MQTT_OK);
    expect_disconnect(s);
}

static void test_draining_pings_on(void **state)
{
    struct script *s = *state;

    s->config.connect.keep_alive_s = 1;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    disconnect(s, 60000);
    elapse(s, 1000);
    expect_bytes(s, 0xC0, 0x00);
}

static void test_an_acknowledgement_that_is_due_leaves_first(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 9, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    s->blocked = true;
    expect_no_event(s);
    disconnect(s, 5000);
    s->blocked = false;
    expect_bytes(s, 0x40, 0x02, 0x00, 0x09, 0xE0, 0x00);
}

/* Or the server's end would not be seen, and closing would be a reset. */
static void test_what_follows_a_fault_is_read_on(void **state)
{
    struct script *s = *state;
    uint8_t bytes[32] = {0x30, 0x50, 0x00, 0x01, 'a'};

    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.input_size = sizeof(bytes);
    connected(s);
    server_sends_span(s, bytes, sizeof(bytes));
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x01, 0x95);
    expect_wants(s, MQTT_WANT_FINISH);
    server_sends_span(s, bytes, sizeof(bytes));
    expect_no_event(s);
    assert_int_equal(s->to_client.size, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_disconnect_leaves_and_the_server_ends),
        script_test(test_a_server_that_does_not_end_is_closed),
        script_test(test_end_timeout_is_configured),
        script_test(test_a_disconnect_that_cannot_leave_is_given_up),
        script_test(test_nothing_follows_disconnect),
        script_test(test_no_acknowledgement_follows_disconnect),
        script_test(test_a_packet_that_has_begun_is_finished_first),
        script_test(test_what_is_unsent_stays_for_the_next_connect),
        script_test(test_who_is_stopped_cannot_disconnect),
        script_test(test_publishing_is_allowed_again_when_it_is_done),
        script_test(test_disconnect_while_waiting_to_retry),
        script_test(test_disconnect_while_opening),
        script_test(test_disconnect_before_connack),
        script_test(test_disconnect_before_connect_has_left),
        script_test(test_a_cut_while_ending_is_no_fault),
        script_test(test_draining_waits_for_every_end),
        script_test(test_draining_of_nothing_ends_at_once),
        script_test(test_draining_writes_qos_0),
        script_test(test_draining_waits_for_suback),
        script_test(test_draining_has_an_end),
        script_test(test_draining_reconnects_if_it_must),
        script_test(test_draining_ends_without_a_connection),
        script_test(test_draining_ends_while_opening),
        script_test(test_connect_takes_a_draining_disconnect_back),
        script_test(test_a_second_disconnect_may_be_in_a_hurry),
        script_test(test_a_disconnect_may_follow_connect_while_it_ends),
        script_test(test_draining_pings_on),
        script_test(test_an_acknowledgement_that_is_due_leaves_first),
        script_test(test_draining_ends_with_a_clean_session),
        script_test(test_draining_ends_in_the_turn_of_the_last_answer),
        script_test(test_qos_0_is_refused_by_a_connection_that_ends),
        script_test(test_what_follows_a_fault_is_read_on),
    };

    return script_run("disconnect", tests);
}
