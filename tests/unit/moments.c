/*
 * moments.c - requests and ports at moments in between: the connection is gone
 * and nobody was told yet, DISCONNECT waits, an answer is awaited.
 */
#include "script.h"

#include <mqttloop/stream.h>

static void expect_stopped_by(struct script *s, enum mqtt_error error)
{
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, error);
    assert_true(s->event.retry_at == MQTT_NEVER);
    expect_no_event(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
}

/* ---- gone, and not told yet ---------------------------------------------- */

static void test_what_is_closed_twice_was_closed_once(void **state)
{
    struct script *s = *state;

    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, "first");
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, "second");
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_NETWORK);
    assert_string_equal(s->event.detail, "first");
    expect_no_event(s);
}

static void test_a_connection_that_is_gone_moves_no_bytes(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};
    struct mqtt_statistics before;
    uint8_t lent[64];
    size_t size = 1;

    s->config.statistics = &statistics;
    connected(s);
    publish(s, "a", "x", MQTT_QOS_1);
    assert_non_null(mqtt_client_output_buf(&s->client, &size));
    before = statistics;
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    mqtt_client_output_done(&s->client, size); /* it comes too late */
    assert_null(mqtt_client_output_buf(&s->client, &size));
    assert_int_equal(size, 0);
    size = 1;
    assert_null(mqtt_client_input_buf(&s->client, lent, sizeof(lent), &size));
    assert_int_equal(size, 0);
    mqtt_client_input_done(&s->client, 5);
    assert_int_equal(statistics.bytes_sent, before.bytes_sent);
    assert_int_equal(statistics.bytes_received, before.bytes_received);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_a_connection_that_is_gone_has_no_deadline(void **state)
{
    struct script *s = *state;

    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    expect_no_deadline(s);
    elapse(s, 1000000); /* no keep alive is judged */
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_NETWORK);
}

static void test_qos_0_is_refused_as_soon_as_the_connection_is_gone(void **st)
{
    struct script *s = *st;

    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), MQTT_OK);
}

static void test_disconnecting_what_is_gone_stops(void **state)
{
    struct script *s = *state;

    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_stopped_by(s, MQTT_ERR_NETWORK);
}

static void test_what_came_malformed_before_the_end_is_the_reason(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    connected(s);
    server_sends(s, 0x33, 0x00); /* PUBLISH without a topic length */
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_TRUNCATED);
    expect_nothing_sent(s); /* nobody is there for a DISCONNECT */
}

/* ---- ending -------------------------------------------------------------- */

static void test_the_servers_end_before_disconnect_left_is_ours(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_STATE);
    server_closes(s);
    expect_stopped_by(s, MQTT_OK);
}

static void test_disconnecting_twice_ends_once(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    expect_stopped_by(s, MQTT_OK);
}

static void test_qos_0_waits_for_no_connection_that_ends(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    wishes_to_connect(s); /* once this one has ended */
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_OFFLINE);
}

static void test_disconnecting_what_has_failed_stops(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0xF0, 0x00); /* no packet of 3.1.1 */
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_CLOSE);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    driver_closes(s);
    expect_stopped_by(s, MQTT_ERR_PACKET_TYPE);
}

static void
test_a_deadline_that_passes_while_disconnecting_is_no_error(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    elapse(s, 59000); /* PINGREQ, which cannot leave, and 10 s for an answer */
    elapse(s, 9900);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    elapse(s, 200);
    expect_wants(s, MQTT_WANT_CLOSE);
    driver_closes(s);
    expect_stopped_by(s, MQTT_OK);
}

static void test_what_fails_while_a_reason_leaves_keeps_its_reason(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    connected(s);
    s->blocked = true;
    server_sends(s, 0xC0, 0x00); /* PINGREQ is none of a server */
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    s->blocked = false;
    script_drain(s);
    assert_int_equal(s->disconnect_code, 0x82);
    server_closes(s);
    expect_stopped_by(s, MQTT_ERR_PACKET_TYPE);
}

/* ---- a session that is wiped out ----------------------------------------- */

/* The server has a session that is not to be; the connection that wipes it out
 * is there. */
static void begin_wiping(struct script *s)
{
    s->config.session = MQTT_SESSION_NEW;
    start(s);
    connects(s);
    discard_sent(s);
    server_connack(s, 1, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    discard_sent(s);
    reopened(s);
    assert_int_equal(next_packet(s)->bytes[9], 0x02); /* Clean Session */
    s->blocked = true;
    server_connack(s, 0, 0);
    expect_no_event(s);
}

static void test_nothing_is_asked_for_while_a_session_is_wiped_out(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    begin_wiping(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    s->blocked = false;
    expect_bytes(s, 0xE0, 0x00); /* and no SUBSCRIBE */
    server_closes(s);
    expect_no_event(s);
    elapse(s, 0);
    server_accepts(s);
    assert_int_equal(expect_packet(s, 0x10, 0)->bytes[9], 0x00);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x82, 0);
}

static void test_disconnecting_while_a_session_is_wiped_out_stops(void **state)
{
    struct script *s = *state;

    begin_wiping(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    s->blocked = false;
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    expect_stopped_by(s, MQTT_OK);
}

static void test_draining_goes_on_when_a_session_was_wiped_out(void **state)
{
    struct script *s = *state;

    begin_wiping(s);
    publish(s, "a", "x", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect(&s->client, 60000), MQTT_OK);
    s->blocked = false;
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    expect_no_event(s);
    elapse(s, 0);
    server_accepts(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x32, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    expect_stopped_by(s, MQTT_OK);
}

/* ---- subscriptions ------------------------------------------------------- */

static void
test_unsubscribing_what_awaits_suback_is_in_force_at_once(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 1);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_ERR_STATE);
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    expect_packet(s, 0xA2, 2);
    server_answers(s, 0xB0, 2);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
}

static void test_what_lies_between_two_that_leave_stays(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    struct mqtt_subscription b = {.topic_filter = MQTT_TEXT("b")};
    struct mqtt_subscription c = {.topic_filter = MQTT_TEXT("c")};

    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &c), MQTT_OK);
    expect_bytes(s, 0xA2, 0x08, 0x00, 0x04,         /* UNSUBSCRIBE */
                 0x00, 0x01, 'a', 0x00, 0x01, 'c'); /* topic filters */
    server_answers(s, 0xB0, 4);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &c);
    expect_no_event(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
    expect_packet(s, 0xA2, 5);
}

static void test_draining_awaits_that_an_end_is_told(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    struct mqtt_subscription b = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    publish(s, "t", "x", MQTT_QOS_0);
    assert_int_equal(mqtt_disconnect(&s->client, 10000), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s); /* no UNSUBSCRIBE: the server has it for `a` */
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &b);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x00);
}

static void test_what_was_given_up_before_connack_is_not_asked_for(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->config.connect.clean_start = true;
    start(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    while (script_feed(s))
        ; /* it lies there, and nobody has pulled */
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    pull(s, MQTT_EVENT_CONNECTED);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    expect_nothing_sent(s);
}

/* ---- time ---------------------------------------------------------------- */

static enum mqtt_error not_now(void *context,
                               struct mqtt_connect_options *options,
                               struct mqtt_server *server)
{
    (void)context, (void)options, (void)server;
    return MQTT_ERR_STATE;
}

static void test_however_many_tries_fail_the_pace_stays_slow(void **state)
{
    struct script *s = *state;

    s->config.before_connect = not_now;
    s->random_bits = UINT32_MAX;
    start(s);
    wishes_to_connect(s);
    for (uint32_t i = 0; i < 65600; i++) {
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, MQTT_ERR_RENEWAL);
        if (i > 6)
            assert_int_equal(s->retry_at - s->now, 60000);
        elapse(s, s->retry_at - s->now);
    }
}

static void test_the_time_for_pingresp_is_configured(void **state)
{
    struct script *s = *state;

    s->config.pingresp_timeout_ms = 3000;
    connected(s);
    elapse(s, 59000);
    expect_bytes(s, 0xC0, 0x00);
    expect_deadline(s, 3000);
    elapse(s, 3000);
    expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
}

static void test_bytes_that_come_never_take_time_from_a_packet(void **state)
{
    struct script *s = *state;
    mqtt_time deadline;

    connected(s);
    server_sends(s, 0x30, 0x7F, 0x00, 0x01, 'a', 'x');
    expect_no_event(s);
    deadline = mqtt_client_deadline(&s->client);
    server_sends(s, 'x', 'x', 'x', 'x');
    while (script_feed(s))
        ; /* nobody pulls */
    elapse(s, 0);
    assert_true(mqtt_client_deadline(&s->client) >= deadline);
}

/* ---- lent memory --------------------------------------------------------- */

static void test_memory_that_is_read_from_is_not_lent_anew(void **state)
{
    static const uint8_t packet[] = {0x30, 0x04, 0x00, 0x01, 'a', 'x'};
    struct script *s = *state;
    uint8_t lent[64], *to;
    size_t size;

    connected(s);
    expect_no_event(s);
    elapse(s, 0); /* nothing is lent, and nothing is read from */
    to = mqtt_client_input_buf(&s->client, lent, sizeof(lent), &size);
    assert_ptr_equal(to, lent);
    memcpy(to, packet, sizeof(packet));
    mqtt_client_input_done(&s->client, sizeof(packet));
    pull(s, MQTT_EVENT_MESSAGE);
    assert_null(mqtt_client_input_buf(&s->client, lent, sizeof(lent), &size));
    assert_int_equal(size, 0);
    assert_true(span_is(s->event.message.payload, "x"));
    expect_no_event(s);
    to = mqtt_client_input_buf(&s->client, lent, sizeof(lent), &size);
    assert_ptr_equal(to, lent);
}

static void test_lent_memory_of_no_size_is_none(void **state)
{
    struct script *s = *state;
    uint8_t lent[1], *to;
    size_t size;

    connected(s);
    expect_no_event(s);
    elapse(s, 0); /* nothing is lent, and nothing is read from */
    to = mqtt_client_input_buf(&s->client, lent, 0, &size);
    assert_non_null(to);
    assert_true(to != lent);
    assert_int_equal(size, s->memory.input_size);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_what_is_closed_twice_was_closed_once),
        script_test(test_a_connection_that_is_gone_moves_no_bytes),
        script_test(test_a_connection_that_is_gone_has_no_deadline),
        script_test(test_qos_0_is_refused_as_soon_as_the_connection_is_gone),
        script_test(test_disconnecting_what_is_gone_stops),
        script_test(test_what_came_malformed_before_the_end_is_the_reason),
        script_test(test_the_servers_end_before_disconnect_left_is_ours),
        script_test(test_disconnecting_twice_ends_once),
        script_test(test_qos_0_waits_for_no_connection_that_ends),
        script_test(test_disconnecting_what_has_failed_stops),
        script_test(
            test_a_deadline_that_passes_while_disconnecting_is_no_error),
        script_test(test_what_fails_while_a_reason_leaves_keeps_its_reason),
        script_test(test_nothing_is_asked_for_while_a_session_is_wiped_out),
        script_test(test_disconnecting_while_a_session_is_wiped_out_stops),
        script_test(test_draining_goes_on_when_a_session_was_wiped_out),
        script_test(test_unsubscribing_what_awaits_suback_is_in_force_at_once),
        script_test(test_what_lies_between_two_that_leave_stays),
        script_test(test_draining_awaits_that_an_end_is_told),
        script_test(test_what_was_given_up_before_connack_is_not_asked_for),
        script_test(test_however_many_tries_fail_the_pace_stays_slow),
        script_test(test_the_time_for_pingresp_is_configured),
        script_test(test_bytes_that_come_never_take_time_from_a_packet),
        script_test(test_memory_that_is_read_from_is_not_lent_anew),
        script_test(test_lent_memory_of_no_size_is_none),
    };

    return script_run("moments", tests);
}
