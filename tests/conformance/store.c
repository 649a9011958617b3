/*
 * store.c - a session that outlives its process, and a store that fails
 * [3.1.1, sections 3.1.2.4, 3.1.3.1, 4.1 and 4.8], [5.0, section 3.1.3.1].
 */
#include "conformance.h"
#include "../unit/memory_store.h"

static struct memory_store m;

static void with_store(struct script *s, const char *client_identifier)
{
    s->config.store = &m.store;
    s->config.connect.client_identifier = mqtt_text(client_identifier);
    s->memory.unsettled_count = s->memory.released_count = 8;
    s->memory.identifier_size = 32;
}

static void with_new_store(struct script *s)
{
    memory_store_free(&m);
    memory_store_init(&m);
    with_store(s, "c");
}

/* The process ends, and what it had in memory is gone. */
static void killed(struct script *s)
{
    script_restart(s);
    memory_store_restart(&m);
}

static void connects_again(struct script *s, bool session_present)
{
    start(s);
    connects(s);
    assert_int_equal(take_connect(s).flags & 0x02, 0);
    expect_nothing_sent(s);
    server_connack(s, session_present, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
}

/* In both directions: 1 is unacknowledged, 2 is released, 7 was received. */
static void with_state(struct script *s)
{
    connected(s);
    expect_no_event(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    pull(s, MQTT_EVENT_STORED);
    pull(s, MQTT_EVENT_STORED);
    discard_sent(s);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "once");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    discard_sent(s);
}

static void expect_state(struct script *s)
{
    const struct packet *packet;

    expect_packet(s, 0x62, 2);
    packet = expect_packet(s, 0x3A, 1);
    assert_true(span_is(packet->topic, "a"));
    assert_true(span_is(packet->payload, "1"));
    expect_nothing_sent(s);
    server_publishes(s, 0x3C, "a", 7, "once");
    expect_no_event(s); /* it is known */
    expect_packet(s, 0x50, 7);
}

/* ---- how long a session lives -------------------------------------------- */

/* As often as the process ends, by a cut or by a kill. */
static void test_a_session_is_kept_over_cuts_and_kills(void **state)
{
    struct script *s = *state;

    with_new_store(s);
    with_state(s);
    cut(s);
    reconnected(s, true);
    expect_no_event(s);
    expect_state(s);
    for (int times = 0; times < 3; times++) {
        killed(s);
        connects_again(s, true);
        expect_state(s);
    }
}

/* All of it, until it has ended. */
static void test_a_kill_takes_nothing_of_a_session(void **state)
{
    struct script *s = *state;

    with_new_store(s);
    with_state(s);
    killed(s);
    connects_again(s, true);
    expect_state(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    killed(s);
    connects_again(s, true);
    expect_nothing_sent(s);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
}

/* ---- whose session it is ---------------------------------------------------- */

static void test_a_session_belongs_to_its_client_identifier(void **state)
{
    struct script *s = *state;

    with_new_store(s);
    with_state(s);
    killed(s);
    with_store(s, "d");
    connects_again(s, true); /* whatever it says */
    expect_nothing_sent(s);
    server_publishes(s, 0x34, "a", 7, "not known to d");
    expect_message(s, "a", "not known to d");
    expect_no_event(s);
    killed(s);
    with_store(s, "c");
    connects_again(s, true);
    expect_state(s);
}

static void test_a_session_belongs_to_the_assigned_identifier(void **state)
{
    struct script *s = *state;
    struct mqtt_span identifier;

    with_new_store(s);
    with_store(s, "");
    connected_with(s, 0x12, 0, 3, 's', 'i', 'd');
    expect_no_event(s);
    publish(s, "a", "1", MQTT_QOS_1);
    pull(s, MQTT_EVENT_STORED);
    killed(s);
    start(s);
    connects(s);
    identifier = take_connect(s).client_identifier;
    assert_true(span_is(identifier, "sid"));
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x3A, 1);
}

/* ---- transient errors ------------------------------------------------------- */

/* A packet that cannot be processed now is not answered, and the connection is
 * closed; on the next one it comes again. */
static void test_what_cannot_be_stored_closes_the_connection(void **state)
{
    struct script *s = *state;

    with_new_store(s);
    connected(s);
    expect_no_event(s);
    m.fail_calls = CALL_COMMIT;
    m.fail_at = m.fail_count = 1;
    server_publishes(s, 0x34, "a", 7, "once");
    expect_message(s, "a", "once");
    pull(s, MQTT_EVENT_STORE_FAILED);
    expect_no_event(s);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_CLOSE);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_STORE);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "once");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
}

static const struct conformance_test tests[] = {
    proves(test_a_session_is_kept_over_cuts_and_kills, "3.1.1 MQTT-3.1.2-4"),
    proves(test_a_kill_takes_nothing_of_a_session, "3.1.1 MQTT-4.1.0-1"),
    proves(test_a_session_belongs_to_its_client_identifier,
           "3.1.1 MQTT-3.1.3-2", "5.0 MQTT-3.1.3-2"),
    proves(test_a_session_belongs_to_the_assigned_identifier,
           "5.0 MQTT-3.1.3-2"),
    proves(test_what_cannot_be_stored_closes_the_connection,
           "3.1.1 MQTT-4.8.0-2"),
};

int main(int argc, char **argv)
{
    int failed = conformance_run(argc, argv, "store", tests);

    memory_store_free(&m);
    return failed;
}
