/*
 * store.c - a session that outlives its process: what waits for which commit,
 * what is restored, what becomes of it when the store fails [3.1.1, section
 * 4.1], [5.0, the same]. store_crash.c has the crashes.
 */
#include "memory_store.h"

#include <mqttloop/stream.h>

static const struct mqtt_protocol *version; /* in which all runs now */
static struct memory_store m;

/* ---- clients with a store ------------------------------------------------- */

static void with_store(struct script *s)
{
    memory_store_free(&m);
    memory_store_init(&m);
    s->config.protocol = version;
    s->config.store = &m.store;
    s->config.settle = MQTT_SETTLE_AFTER_CALLBACK;
    s->memory.unsettled_count = 8;
    s->memory.released_count = 8;
    s->memory.identifier_size = 32;
}

static bool in_5_0(void)
{
    return version == &mqtt_protocol_5_0;
}

/* What came of it is committed; nothing is left to send. */
static void settled_down(struct script *s)
{
    expect_no_event(s);
    discard_sent(s);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* Connected with a store that says later that a commit is done. */
static void connected_to_slow_store(struct script *s)
{
    with_store(s);
    connected(s);
    settled_down(s);
    m.later = true;
}

/* A commit was asked for, and is done now. */
static void commits(struct script *s)
{
    assert_true(memory_store_waits(&m, s));
    memory_store_done(&m, s, MQTT_OK);
}

static void expect_no_commit(struct script *s)
{
    expect_no_event(s);
    assert_false(memory_store_waits(&m, s));
}

/* The process ends, and another one begins. */
static void killed(struct script *s)
{
    script_restart(s);
    memory_store_restart(&m);
    m.later = false;
}

/* The next process, connected. */
static void connected_again(struct script *s, bool session_present)
{
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, session_present, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

static void expect_stored(struct script *s, uint16_t identifier)
{
    pull(s, MQTT_EVENT_STORED);
    assert_int_equal(s->event.packet_identifier, identifier);
}

static const struct memory_record *record(enum mqtt_record_kind kind,
                                          uint16_t identifier)
{
    return memory_store_find(&m, "c", kind, identifier);
}

static unsigned count(enum mqtt_record_kind kind)
{
    return memory_store_count(&m, "c", kind);
}

/* A message that is durable, and has left. */
static uint16_t published(struct script *s, const char *payload,
                          enum mqtt_qos qos)
{
    uint16_t identifier = publish(s, "a", payload, qos);

    expect_stored(s, identifier);
    expect_packet(s, qos == MQTT_QOS_2 ? 0x34 : 0x32, identifier);
    return identifier;
}

/* ---- what waits ------------------------------------------------------------ */

static void test_publish_waits_until_its_record_is_durable(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    for (int qos = 1; qos <= 2; qos++) {
        uint16_t identifier = publish(s, "a", "x", (enum mqtt_qos)qos);

        expect_no_event(s);
        expect_nothing_sent(s);
        assert_null(record(MQTT_RECORD_PUBLISH, identifier));
        commits(s);
        assert_non_null(record(MQTT_RECORD_PUBLISH, identifier));
        expect_stored(s, identifier);
        expect_packet(s, qos == 1 ? 0x32 : 0x34, identifier);
        expect_no_commit(s);
    }
}

static void test_pubrel_waits_until_it_is_durable(void **state)
{
    struct script *s = *state;
    uint16_t identifier;

    connected_to_slow_store(s);
    identifier = publish(s, "a", "x", MQTT_QOS_2);
    expect_no_event(s);
    commits(s);
    expect_stored(s, identifier);
    expect_packet(s, 0x34, identifier);
    server_answers(s, 0x50, identifier);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_non_null(record(MQTT_RECORD_PUBLISH, identifier));
    commits(s);
    assert_null(record(MQTT_RECORD_PUBLISH, identifier));
    assert_non_null(record(MQTT_RECORD_PUBREL, identifier));
    expect_no_event(s);
    expect_packet(s, 0x62, identifier);
}

/* Each PUBREL waits for its own commit, and those before it. */
static void test_pubrels_keep_their_order_over_commits(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    m.later = false;
    for (uint16_t i = 1; i <= 3; i++)
        published(s, "x", MQTT_QOS_2);
    m.later = true;
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    server_answers(s, 0x50, 1);
    server_answers(s, 0x50, 3);
    expect_no_event(s); /* the commit of 2 is open */
    expect_nothing_sent(s);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    expect_nothing_sent(s);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    expect_packet(s, 0x62, 3);
    assert_int_equal(count(MQTT_RECORD_PUBREL), 3);
}

static void test_pubrec_waits_until_the_settling_is_durable(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    assert_false(memory_store_waits(&m, s)); /* the application has it */
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(count(MQTT_RECORD_RECEIVED), 0);
    commits(s);
    assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
}

static void test_each_pubrec_waits_for_its_own_commit(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 8, "y");
    expect_message(s, "a", "y");
    expect_no_event(s);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    expect_nothing_sent(s);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x50, 8);
}

static void test_pubcomp_waits_until_the_removal_is_durable(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    m.later = false;
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    m.later = true;
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
    commits(s);
    assert_null(record(MQTT_RECORD_RECEIVED, 7));
    expect_no_event(s);
    assert_int_equal(expect_packet(s, 0x70, 7)->reason_code, 0);
}

static void test_settled_by_call_waits_from_the_call_on(void **state)
{
    struct script *s = *state;
    uint32_t handle;

    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    connected(s);
    settled_down(s);
    m.later = true;
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    handle = s->event.message.settle_handle;
    expect_no_commit(s);
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_OK);
    expect_nothing_sent(s);
    expect_no_event(s);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_ERR_HANDLE);
}

static void test_a_refused_message_has_no_record(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    connected(s);
    settled_down(s);
    m.later = true;
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    assert_int_equal(
        mqtt_settle(&s->client, s->event.message.settle_handle, 0x97), MQTT_OK);
    expect_no_commit(s);
    expect_packet(s, 0x50, 7);
    assert_int_equal(s->packet.reason_code, 0x97);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
}

/* A message whose PUBREL came, for somebody else had answered it, is settled
 * late: that is of nothing, and the next message of its identifier, which nobody
 * has settled, is given to the next process. */
static void test_what_is_settled_after_its_pubrel_has_no_record(void **state)
{
    struct script *s = *state;
    uint32_t handle;

    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    connected(s);
    settled_down(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    handle = s->event.message.settle_handle;
    cut(s);
    reconnected(s, true);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_ERR_HANDLE);
    expect_no_event(s);
    assert_null(record(MQTT_RECORD_RECEIVED, 7));
    killed(s);
    connected_again(s, true);
    server_publishes(s, 0x3C, "a", 7, "another");
    expect_message(s, "a", "another");
}

/* ---- what does not wait ----------------------------------------------------- */

/* A commit is open, for a PUBREC and for a PUBLISH. */
static void commit_open(struct script *s)
{
    connected_to_slow_store(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    publish(s, "a", "held", MQTT_QOS_1);
    expect_no_event(s);
    assert_true(memory_store_waits(&m, s));
    expect_nothing_sent(s);
}

static void test_puback_does_not_wait(void **state)
{
    struct script *s = *state;

    commit_open(s);
    server_publishes(s, 0x32, "a", 8, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x40, 8);
    expect_nothing_sent(s);
}

static void test_subscribe_does_not_wait(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription node = {.topic_filter = mqtt_text("t")};

    commit_open(s);
    subscribed(s, &node);
    assert_int_equal(mqtt_unsubscribe(&s->client, &node), MQTT_OK);
    expect_packet(s, 0xA2, 0);
    assert_true(memory_store_waits(&m, s));
}

static void test_pingreq_does_not_wait(void **state)
{
    struct script *s = *state;

    commit_open(s);
    elapse(s, 60000);
    expect_no_event(s);
    expect_packet(s, 0xC0, 0);
    assert_true(memory_store_waits(&m, s));
}

static void test_received_messages_do_not_wait(void **state)
{
    struct script *s = *state;

    commit_open(s);
    server_publishes(s, 0x30, "a", 0, "0");
    expect_message(s, "a", "0");
    server_publishes(s, 0x34, "a", 9, "2");
    expect_message(s, "a", "2");
    expect_no_event(s);
    assert_true(memory_store_waits(&m, s));
}

static void test_qos_0_waits_for_nothing_but_its_turn(void **state)
{
    struct script *s = *state;
    unsigned commits_before;

    connected_to_slow_store(s);
    commits_before = m.commits;
    publish(s, "a", "0", MQTT_QOS_0);
    expect_packet(s, 0x30, 0);
    assert_int_equal(m.commits, commits_before);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "0", MQTT_QOS_0);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, 1);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x30, 0);
}

static const void *read_x(struct mqtt_source *source, uint32_t offset,
                          size_t *size)
{
    (void)source;
    (void)offset;
    *size = 1;
    return "x";
}

static void test_a_stream_has_no_record_and_does_not_wait(void **state)
{
    struct script *s = *state;
    struct mqtt_source source = {.read = read_x};
    struct mqtt_message message = {
        .topic_name = mqtt_text("a"), .payload = {NULL, 3}, .qos = MQTT_QOS_1};
    uint16_t identifier;

    connected_to_slow_store(s);
    assert_int_equal(
        mqtt_publish_stream(&s->client, &message, &source, &identifier),
        MQTT_OK);
    expect_no_commit(s);
    expect_packet(s, 0x32, identifier);
    server_answers(s, 0x40, identifier);
    expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_commit(s);
    assert_int_equal(m.durable[MQTT_RECORD_PUBLISH], 0);
}

/* ---- commits ------------------------------------------------------------------ */

static void test_one_commit_takes_all_of_a_turn(void **state)
{
    struct script *s = *state;
    unsigned before;

    connected_to_slow_store(s);
    before = m.commits;
    server_publishes(s, 0x34, "a", 7, "x");
    server_publishes(s, 0x34, "a", 8, "y");
    server_publishes(s, 0x34, "a", 9, "z");
    for (int i = 0; i < 3; i++)
        publish(s, "a", "x", MQTT_QOS_1);
    pull(s, MQTT_EVENT_MESSAGE);
    if (m.commits > before) /* the bytes came one by one: a turn each */
        commits(s);
    s->to_server.size = 0;
    before = m.commits;
    m.later = false;
    for (int i = 0; i < 5; i++)
        publish(s, "a", "x", MQTT_QOS_2);
    while (mqtt_client_next(&s->client, &s->event))
        assert_true(s->event.type == MQTT_EVENT_MESSAGE ||
                    s->event.type == MQTT_EVENT_STORED);
    assert_int_equal(m.commits, before + 1);
}

static void test_nothing_to_write_is_no_commit(void **state)
{
    struct script *s = *state;
    unsigned before;

    with_store(s);
    connected(s);
    settled_down(s);
    before = m.calls;
    for (int i = 0; i < 5; i++) {
        publish(s, "a", "0", MQTT_QOS_0);
        server_publishes(s, 0x32, "a", 3, "x");
        expect_message(s, "a", "x");
        settled_down(s);
    }
    assert_int_equal(m.calls, before);
}

/* What changes while a commit is open is of the next one. */
static void test_what_comes_up_during_a_commit_is_of_the_next_one(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "1", MQTT_QOS_1);
    expect_no_event(s);
    publish(s, "a", "2", MQTT_QOS_1);
    expect_no_event(s);
    commits(s);
    expect_stored(s, 1);
    expect_packet(s, 0x32, 1);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, 2);
    expect_packet(s, 0x32, 2);
    expect_no_commit(s);
}

/* A process was killed after it learnt that the session was lost, and before
 * that was committed: what its records tell of the old session makes room. */
static void test_what_an_old_session_left_makes_room_in_the_list(void **state)
{
    struct script *s = *state;

    s->with_bits = false;
    s->memory.received_count = 2;
    with_store(s);
    connected(s);
    for (uint16_t i = 1; i <= 2; i++) {
        server_publishes(s, 0x34, "a", i, "");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        expect_packet(s, 0x50, i);
    }
    killed(s);
    connected_again(s, true);
    for (uint16_t i = 7; i <= 8; i++) {
        server_publishes(s, 0x34, "a", i, "");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        expect_packet(s, 0x50, i);
    }
    assert_int_equal(count(MQTT_RECORD_RECEIVED), 2);
    assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
    assert_non_null(record(MQTT_RECORD_RECEIVED, 8));
    killed(s);
    connected_again(s, true);
    server_publishes(s, 0x3C, "a", 8, "");
    expect_no_event(s);
    expect_packet(s, 0x50, 8);
}

static void test_a_report_of_no_commit_is_nothing(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    mqtt_client_committed(&s->client, MQTT_OK);
    mqtt_client_committed(&s->client, MQTT_ERR_STORE);
    settled_down(s);
    published(s, "x", MQTT_QOS_1);
    mqtt_client_committed(&s->client, MQTT_ERR_STORE);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    settled_down(s);
    assert_int_equal(count((enum mqtt_record_kind)0), 1); /* the session */
    script_restart(s);
    s->config.store = NULL;
    connected(s);
    mqtt_client_committed(&s->client, MQTT_ERR_STORE);
    settled_down(s);
}

static void count_requests(void *driver)
{
    ++*(unsigned *)driver;
}

static void test_a_commit_that_is_done_asks_for_a_turn(void **state)
{
    struct script *s = *state;
    unsigned requests = 0;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    mqtt_client_set_driver(&s->client, &requests, count_requests, NULL);
    commits(s);
    assert_int_equal(requests, 1);
}

/* ---- MQTT_EVENT_STORED ------------------------------------------------------- */

static void test_stored_is_told_once_before_published(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    expect_no_event(s);
    commits(s);
    s->blocked = false;
    script_drain(s);
    server_answers(s, 0x40, 1);
    expect_stored(s, 1);
    expect_stored(s, 2);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
}

static void test_stored_is_told_without_a_connection(void **state)
{
    struct script *s = *state;
    uint16_t identifier;

    with_store(s);
    start(s);
    identifier = publish(s, "a", "x", MQTT_QOS_1);
    expect_stored(s, identifier);
    assert_non_null(record(MQTT_RECORD_PUBLISH, identifier));
    connected(s);
    expect_no_event(s);
    expect_packet(s, 0x32, identifier);
}

/* A session that is written anew brings no second one. */
static void test_stored_is_not_told_again_when_all_is_written_anew(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->config.republish_lost = true;
    connected(s);
    settled_down(s);
    published(s, "x", MQTT_QOS_1);
    cut(s);
    reconnected(s, false); /* lost, and published anew */
    expect_no_event(s);
    expect_packet(s, 0x32, 1);
    assert_int_equal(m.durable[MQTT_RECORD_PUBLISH], 2);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_stored_is_not_told_of_what_was_restored(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->config.republish_lost = true;
    connected(s);
    settled_down(s);
    published(s, "x", MQTT_QOS_1);
    killed(s);
    connected_again(s, false);
    expect_no_event(s);
    expect_packet(s, 0x32, 1);
}

/* ---- restored ---------------------------------------------------------------- */

static void expect_again(struct script *s, uint8_t first_byte,
                         uint16_t identifier, const char *payload)
{
    const struct packet *packet = expect_packet(s, first_byte, identifier);

    assert_true(span_is(packet->topic, "a"));
    assert_true(span_is(packet->payload, payload));
}

static void test_restored_in_order_with_identifiers_and_dup(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    published(s, "2", MQTT_QOS_2);
    published(s, "3", MQTT_QOS_1);
    published(s, "4", MQTT_QOS_2);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    killed(s);
    connected_again(s, true);
    expect_again(s, 0x3C, 2, "2");
    expect_again(s, 0x3A, 3, "3");
    expect_again(s, 0x3C, 4, "4");
    expect_nothing_sent(s);
    published(s, "5", MQTT_QOS_1);
    assert_int_equal(s->packet.identifier, 5);
}

/* PUBRELs are sent first, in the order of PUBREC. */
static void test_pubrels_are_restored_and_sent_first(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    for (int i = 0; i < 4; i++)
        published(s, "x", MQTT_QOS_2);
    server_answers(s, 0x50, 3);
    expect_no_event(s);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    killed(s);
    connected_again(s, true);
    expect_packet(s, 0x62, 3);
    expect_packet(s, 0x62, 2);
    expect_again(s, 0x3C, 1, "x");
    expect_again(s, 0x3C, 4, "x");
    expect_nothing_sent(s);
    server_answers(s, 0x70, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    assert_int_equal(count(MQTT_RECORD_PUBREL), 1);
}

/* What has been restored is not written again, and ends for good. */
static void test_what_is_restored_twice_ends_once(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "x", MQTT_QOS_2);
    for (int i = 0; i < 3; i++) {
        killed(s);
        connected_again(s, true);
        expect_again(s, 0x3C, 1, "x");
        settled_down(s);
    }
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    for (int i = 0; i < 3; i++) {
        killed(s);
        connected_again(s, true);
        expect_packet(s, 0x62, 1);
        settled_down(s);
    }
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    settled_down(s);
    killed(s);
    connected_again(s, true);
    settled_down(s);
    assert_int_equal(m.durable[MQTT_RECORD_PUBLISH], 1);
}

static void test_restored_messages_are_outstanding(void **state)
{
    struct script *s = *state;
    struct mqtt_outstanding it = {0};

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_2);
    published(s, "2", MQTT_QOS_1);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    killed(s);
    start(s);
    assert_true(mqtt_client_next_outstanding(&s->client, &it));
    assert_int_equal(it.packet_identifier, 1);
    assert_true(it.released);
    assert_int_equal(it.qos, MQTT_QOS_2);
    assert_true(mqtt_client_next_outstanding(&s->client, &it));
    assert_int_equal(it.packet_identifier, 2);
    assert_false(it.released);
    assert_int_equal(it.qos, MQTT_QOS_1);
    assert_false(mqtt_client_next_outstanding(&s->client, &it));
}

static void test_what_was_received_is_known_to_the_next_process(void **state)
{
    struct script *s = *state;

    for (int with_list = 0; with_list < 2; with_list++) {
        with_store(s);
        s->with_bits = !with_list;
        s->memory.received_count = with_list ? 4 : 0;
        connected(s);
        settled_down(s);
        server_publishes(s, 0x34, "a", 7, "x");
        expect_message(s, "a", "x");
        expect_no_event(s);
        killed(s);
        connected_again(s, true);
        server_publishes(s, 0x3C, "a", 7, "x");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
        server_answers(s, 0x62, 7);
        expect_no_event(s);
        expect_packet(s, 0x70, 7);
        assert_int_equal(count(MQTT_RECORD_RECEIVED), 0);
        server_publishes(s, 0x34, "a", 7, "new");
        expect_message(s, "a", "new");
        script_restart(s);
    }
}

static void test_content_in_two_pieces_is_restored_in_one(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->memory.outbox_size = 64;
    connected(s);
    settled_down(s);
    m.pieces = 0;
    published(s, "0123456789", MQTT_QOS_1);
    for (uint16_t i = 1; m.pieces < 3; i++) {
        assert_true(i < 50);
        published(s, "0123456789", MQTT_QOS_1);
        server_answers(s, 0x40, i);
        expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
    }
    killed(s);
    connected_again(s, true);
    expect_packet(s, 0x3A, 0);
    assert_true(span_is(s->packet.payload, "0123456789"));
}

static void test_the_whole_outbox_can_be_restored(void **state)
{
    struct script *s = *state;
    unsigned accepted = 0;

    with_store(s);
    s->memory.outbox_size = 60;
    s->memory.slot_count = 8;
    start(s);
    while (try_publish(s, "a", "xyz", MQTT_QOS_2) == MQTT_OK)
        expect_stored(s, (uint16_t)++accepted);
    assert_true(accepted > 4);
    killed(s);
    start(s);
    for (unsigned i = 1; i <= accepted; i++)
        assert_non_null(record(MQTT_RECORD_PUBLISH, (uint16_t)i));
    assert_int_equal(try_publish(s, "a", "xyz", MQTT_QOS_2), MQTT_ERR_NO_ROOM);
}

/* A new process may lend more, and less if it is enough. */
static void test_memory_of_another_size_is_good_if_it_is_enough(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    published(s, "2", MQTT_QOS_1);
    for (int less = 0; less < 2; less++) {
        killed(s);
        s->memory.slot_count = less ? 2 : 64;
        s->memory.outbox_size = less ? 40 : 4096;
        connected_again(s, true);
        expect_again(s, 0x3A, 1, "1");
        expect_again(s, 0x3A, 2, "2");
    }
}

static void test_memory_too_small_loses_nothing_in_the_store(void **state)
{
    struct script *s = *state;
    size_t before;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "0123456789", MQTT_QOS_1);
    published(s, "2", MQTT_QOS_2);
    published(s, "3", MQTT_QOS_2);
    server_answers(s, 0x50, 3);
    expect_no_event(s);
    for (uint16_t i = 7; i < 10; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
    }
    settled_down(s);
    before = m.record_count;
    for (int i = 0; i < 3; i++) {
        killed(s);
        s->memory.outbox_size = i == 0 ? 20 : 1024;
        s->memory.slot_count = i == 1 ? 2 : 16;
        s->with_bits = i != 2;
        s->memory.received_count = i == 2 ? 2 : 0;
        assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
        assert_int_equal(m.record_count, before);
    }
    killed(s);
    s->with_bits = true;
    connected_again(s, true);
    expect_packet(s, 0x62, 3);
    expect_again(s, 0x3A, 1, "0123456789");
    expect_again(s, 0x3C, 2, "2");
}

static void test_a_store_needs_its_memory(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->memory.released_count = 0;
    assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
    script_restart(s);
    with_store(s);
    s->memory.unsettled_count = 0;
    assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
}

static void test_a_store_that_cannot_be_read_is_an_error(void **state)
{
    struct script *s = *state;
    unsigned calls;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "x", MQTT_QOS_1);
    killed(s);
    calls = m.calls;
    start(s);
    calls = m.calls - calls;
    assert_true(calls >= 4);
    for (unsigned i = 1; i <= calls; i++) {
        killed(s);
        m.fail_calls = CALL_NEXT;
        m.fail_at = i;
        m.fail_count = 1;
        assert_int_equal(start_as(s), MQTT_ERR_STORE);
    }
    killed(s);
    connected_again(s, true);
    expect_again(s, 0x3A, 1, "x");
}

static void test_a_torn_record_is_an_error(void **state)
{
    struct script *s = *state;
    size_t size;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "payload", MQTT_QOS_1);
    size = record(MQTT_RECORD_PUBLISH, 1)->size;
    while (size--) {
        killed(s);
        memory_store_tear(&m, "c", MQTT_RECORD_PUBLISH, 1, size);
        assert_int_equal(start_as(s), MQTT_ERR_STORE);
    }
    script_restart(s);
    with_store(s);
    start(s);
    expect_no_event(s);
    size = record(MQTT_RECORD_SESSION, 0)->size;
    while (size--) {
        killed(s);
        memory_store_tear(&m, "c", MQTT_RECORD_SESSION, 0, size);
        assert_int_equal(start_as(s), MQTT_ERR_STORE);
    }
}

/* ---- expiry --------------------------------------------------------------------- */

static uint16_t publish_expiring(struct script *s, uint8_t seconds)
{
    return publish_with(s, "a", "x", MQTT_QOS_1, 0x02, 0, 0, 0, seconds);
}

/* What was left when it was put is left, however long nobody was there. */
static void test_what_was_left_of_an_expiry_is_left(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    connected(s);
    settled_down(s);
    elapse(s, 10500);
    publish_expiring(s, 20);
    expect_stored(s, 1);
    expect_packet(s, 0x32, 1);
    assert_int_equal(number_of(s->packet.properties, 0x02), 20);
    elapse(s, 5000);
    killed(s);
    s->now = 300; /* the clock of another process */
    connected_again(s, true);
    expect_packet(s, 0x3A, 1);
    assert_int_equal(number_of(s->packet.properties, 0x02), 20);
    elapse(s, 15000);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    assert_in_range(number_of(s->packet.properties, 0x02), 3, 5);
}

/* One that was sent never expires; a second is left of it at least, and that is
 * what the next process finds. */
static void test_what_was_sent_does_not_expire_when_restored(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    connected(s);
    settled_down(s);
    publish_expiring(s, 2);
    expect_stored(s, 1);
    expect_packet(s, 0x32, 1);
    killed(s);
    connected_again(s, true);
    discard_sent(s);
    elapse(s, 100000);
    expect_no_event(s);
    m.fail_calls = CALL_COMMIT;
    m.fail_at = m.fail_count = 1;
    publish(s, "b", "y", MQTT_QOS_1);
    pull(s, MQTT_EVENT_STORE_FAILED);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    reopened(s); /* and all is written anew, long expired */
    expect_stored(s, 2);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x3A, 1);
    assert_int_equal(number_of(s->packet.properties, 0x02), 1);
    killed(s);
    connected_again(s, true);
    elapse(s, 100000);
    expect_no_event(s);
    expect_packet(s, 0x3A, 1);
    assert_int_equal(number_of(s->packet.properties, 0x02), 1);
}

/* ---- never connected ------------------------------------------------------------- */

/* Nothing has been sent before the first CONNACK: what a process leaves behind
 * goes out for the first time, also to a server that has no session. */
static void test_what_was_put_before_the_first_connection_is_sent(void **state)
{
    struct script *s = *state;

    for (int session_present = 0; session_present < 2; session_present++) {
        with_store(s);
        start(s);
        publish(s, "a", "1", MQTT_QOS_1);
        expect_stored(s, 1);
        publish(s, "a", "2", MQTT_QOS_2);
        expect_stored(s, 2);
        killed(s);
        connected_again(s, session_present);
        expect_no_event(s);
        expect_again(s, 0x32, 1, "1");
        expect_again(s, 0x34, 2, "2");
        killed(s);
        connected_again(s, true); /* now it has been sent */
        expect_again(s, 0x3A, 1, "1");
        expect_again(s, 0x3C, 2, "2");
        script_restart(s);
    }
}

/* The fact that there was a connection is durable before anything leaves. */
static void test_nothing_leaves_before_it_counts_as_sent(void **state)
{
    struct script *s = *state;

    with_store(s);
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    expect_stored(s, 1);
    killed(s);
    start(s);
    expect_no_event(s);
    m.later = true;
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_no_event(s);
    expect_again(s, 0x32, 1, "1");
}

static void test_what_was_never_sent_expires_when_restored(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    start(s);
    publish_expiring(s, 20);
    expect_stored(s, 1);
    publish_expiring(s, 60);
    expect_stored(s, 2);
    elapse(s, 15000);
    killed(s);
    s->now = 7;
    start(s);
    publish_expiring(s, 200);
    expect_stored(s, 3);
    elapse(s, 19000);
    expect_no_event(s);
    elapse(s, 3000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    expect_no_event(s);
    assert_null(record(MQTT_RECORD_PUBLISH, 1));
    wishes_to_connect(s);
    server_accepts(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_packet(s, 0x32, 2);
    assert_in_range(number_of(s->packet.properties, 0x02), 36, 38);
    expect_packet(s, 0x32, 3);
}

/* ---- the session is lost ------------------------------------------------------------ */

/* In both directions: 1 is unacknowledged, 2 is released, 7 was received. */
static void with_state(struct script *s)
{
    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    published(s, "2", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    settled_down(s);
    assert_int_equal(m.record_count, 4);
}

static void test_records_of_a_lost_session_are_gone(void **state)
{
    struct script *s = *state;

    for (int kill = 0; kill < 2; kill++) {
        with_state(s);
        if (kill)
            killed(s);
        else
            cut(s);
        if (kill)
            connected_again(s, false);
        else
            reconnected(s, false);
        expect_published(s, 2, MQTT_OUTCOME_UNKNOWN);
        expect_published(s, 1, MQTT_OUTCOME_LOST);
        settled_down(s);
        assert_int_equal(m.record_count, 1);
        assert_non_null(record(MQTT_RECORD_SESSION, 0));
        server_publishes(s, 0x34, "a", 7, "new");
        expect_message(s, "a", "new");
        script_restart(s);
    }
}

/* Else a process that is killed between would never tell of it. */
static void test_an_end_is_told_before_its_removal_is_durable(void **state)
{
    struct script *s = *state;

    with_state(s);
    cut(s);
    reconnected(s, false);
    expect_published(s, 2, MQTT_OUTCOME_UNKNOWN);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    assert_non_null(record(MQTT_RECORD_PUBREL, 2));
    assert_non_null(record(MQTT_RECORD_PUBLISH, 1));
    settled_down(s);
    assert_int_equal(m.record_count, 1);
}

static void test_what_outlives_a_lost_session_is_put_anew(void **state)
{
    struct script *s = *state;

    with_state(s);
    cut(s);
    publish(s, "a", "never sent", MQTT_QOS_2);
    expect_stored(s, 3);
    m.later = true;
    reconnected(s, false);
    expect_published(s, 2, MQTT_OUTCOME_UNKNOWN);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_no_event(s);
    expect_again(s, 0x34, 3, "never sent");
    assert_int_equal(count(MQTT_RECORD_PUBLISH), 1);
    assert_int_equal(m.record_count, 2);
}

static void test_a_lost_session_can_be_published_anew(void **state)
{
    struct script *s = *state;

    with_state(s);
    s->config.republish_lost = true;
    killed(s);
    connected_again(s, false);
    expect_published(s, 2, MQTT_OUTCOME_UNKNOWN);
    expect_no_event(s);
    expect_again(s, 0x32, 1, "1");
    assert_int_equal(count(MQTT_RECORD_PUBLISH), 1);
    assert_int_equal(m.record_count, 2);
}

/* It ends with its connection, and its records with it. */
static void test_a_clean_session_leaves_no_records(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->config.connect.clean_start = true;
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    settled_down(s);
    assert_int_equal(m.record_count, 3);
    cut(s);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_no_event(s);
    assert_int_equal(m.record_count, 1);
}

/* ---- which session ------------------------------------------------------------------ */

static void test_two_clients_of_one_store_share_nothing(void **state)
{
    struct script *s = *state, *other = script_new(s->wire);

    with_store(s);
    connected(s);
    other->config = s->config;
    other->config.random_context = other->config.context = other;
    other->config.servers = &other->server;
    other->config.connect.client_identifier = mqtt_text("d");
    other->memory.unsettled_count = other->memory.released_count = 8;
    connected(other);
    settled_down(s);
    settled_down(other);
    published(s, "of c", MQTT_QOS_1);
    publish(other, "a", "of d", MQTT_QOS_2);
    expect_stored(other, 1);
    expect_packet(other, 0x34, 1);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    settled_down(s);
    script_restart(s);
    script_restart(other);
    memory_store_restart(&m);
    connected_again(s, true);
    connected_again(other, false); /* and all of d is lost */
    expect_published(other, 1, MQTT_OUTCOME_LOST);
    settled_down(other);
    expect_again(s, 0x3A, 1, "of c");
    settled_down(s);
    server_publishes(other, 0x34, "a", 7, "not known to d");
    expect_message(other, "a", "not known to d");
    server_publishes(s, 0x3C, "a", 7, "known to c");
    expect_no_event(s);
    assert_int_equal(memory_store_count(&m, "d", MQTT_RECORD_PUBLISH), 0);
    assert_non_null(record(MQTT_RECORD_PUBLISH, 1));
    assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
    script_free(other);
}

static void test_an_assigned_client_identifier_is_restored(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.connect.client_identifier = mqtt_text("");
    connected_with(s, 0x12, 0, 3, 's', 'i', 'd');
    settled_down(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_stored(s, 1);
    killed(s);
    start(s);
    assert_true(span_is(mqtt_client_identifier(&s->client), "sid"));
    connects(s);
    expect_packet(s, 0x10, 0);
    assert_memory_equal(s->packet.bytes + s->packet.size - 5, "\0\3sid", 5);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x3A, 1);
    killed(s);
    s->memory.identifier_size = 2;
    assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
    s->memory.identifier_size = 32;
}

/* CONNECT with it fits without Topic Alias Maximum, which is not announced after
 * the memory for topic names was too small; but the next process announces it. */
static void test_an_identifier_too_large_for_the_next_process(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.connect.client_identifier = mqtt_text("");
    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 8;
    start(s);
    connects(s);
    s->memory.control_size = expect_packet(s, 0x10, 0)->size;
    killed(s);
    connected(s);
    server_publishes_with(s, 0x30, "long topic", 0, "x", 0x23, 0x00, 0x01);
    expect_fatal(s, MQTT_ERR_ALIAS_MEMORY);
    discard_sent(s);
    reconnected_with(s, 0, 0x12, 0, 3, 's', 'i', 'd');
    expect_no_event(s);
    assert_int_equal(mqtt_client_identifier(&s->client).size, 0);
    killed(s);
    connected_again(s, false);
}

/* ---- which version ------------------------------------------------------------------- */

static void test_a_session_of_a_version_not_configured_is_refused(void **state)
{
    struct script *s = *state;

    with_state(s);
    killed(s);
    s->config.protocol = in_5_0() ? &mqtt_protocol_3_1_1 : &mqtt_protocol_5_0;
    assert_int_equal(start_as(s), MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(m.record_count, 4);
    killed(s);
    s->config.protocol = version;
    connected_again(s, true);
    expect_packet(s, 0x62, 2);
    expect_again(s, 0x3A, 1, "1");
}

/* The server says no to 5.0. */
static void refused_5_0(struct script *s)
{
    expect_packet(s, 0x10, 0);
    server_sends(s, 0x20, 0x03, 0x00, 0x84, 0x00);
    pull(s, MQTT_EVENT_REFUSED);
    expect_no_event(s);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
}

static void test_with_the_fallback_records_are_written_in_its_form(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.fallback = &mqtt_protocol_3_1_1;
    s->config.drop_unsupported = true;
    start(s);
    publish_with(s, "a", "x", MQTT_QOS_1, 0x01, 0x01);
    expect_stored(s, 1);
    killed(s);
    start(s);
    publish_with(s, "a", "y", MQTT_QOS_2, 0x01, 0x01);
    expect_stored(s, 2);
    connects(s);
    refused_5_0(s);
    reconnected(s, false);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x06, 0, 1, 'a', 0, 1, 'x', 0x34, 0x06, 0, 1, 'a', 0,
                 2, 'y');
    for (int i = 0; i < 2; i++) {
        killed(s);
        if (i) { /* it can do without 5.0 now */
            s->config.protocol = &mqtt_protocol_3_1_1;
            s->config.fallback = NULL;
        }
        start(s);
        assert_ptr_equal(mqtt_client_protocol(&s->client),
                         &mqtt_protocol_3_1_1);
        connects(s);
        expect_packet(s, 0x10, 0);
        server_connack(s, 1, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        expect_bytes(s, 0x3A, 0x06, 0, 1, 'a', 0, 1, 'x', 0x3C, 0x06, 0, 1, 'a',
                     0, 2, 'y');
    }
    s->config.fallback = NULL;
}

/* What was put in the form of 3.1.1 cannot be sent in another one, even if no
 * server has agreed to it yet. */
static void test_a_session_in_the_fallbacks_form_stays_with_it(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.protocol = &mqtt_protocol_3_1_1;
    start(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_stored(s, 1);
    killed(s);
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.fallback = &mqtt_protocol_3_1_1;
    start(s);
    connects(s);
    for (int i = 0; i < 2; i++) {
        expect_packet(s, 0x10, 0);
        assert_int_equal(s->level, 4);
        cut(s);
        reopened(s);
    }
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x06, 0, 1, 'a', 0, 1, 'x');
    s->config.fallback = NULL;
}

/* ---- the store fails ------------------------------------------------------------------ */

/* The connection ends without DISCONNECT, and nothing that depends on the store
 * has left. */
static void expect_failure(struct script *s)
{
    pull(s, MQTT_EVENT_STORE_FAILED);
    assert_int_equal(s->event.error, MQTT_ERR_STORE);
    expect_no_event(s); /* told once */
    expect_nothing_sent(s);
    assert_false(s->seen_disconnect);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_STORE);
    assert_true(s->event.retry_at != MQTT_NEVER);
}

/* The next connection, on which all is written anew: so many are durable then. */
static void mended(struct script *s, uint16_t stored)
{
    reopened(s);
    expect_packet(s, 0x10, 0);
    for (uint16_t i = 1; i <= stored; i++)
        expect_stored(s, i);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

static void fails_next(unsigned calls, unsigned times)
{
    m.fail_calls = calls;
    m.fail_at = 1;
    m.fail_count = times;
}

static void test_a_publish_that_cannot_be_put_does_not_leave(void **state)
{
    struct script *s = *state;

    for (int at_commit = 0; at_commit < 2; at_commit++) {
        with_store(s);
        connected(s);
        settled_down(s);
        fails_next(at_commit ? CALL_COMMIT : CALL_PUT, 1);
        publish(s, "a", "x", MQTT_QOS_2);
        expect_failure(s);
        assert_int_equal(count(MQTT_RECORD_PUBLISH), 0);
        mended(s, 1);
        expect_packet(s, 0x34, 1);
        assert_int_equal(count(MQTT_RECORD_PUBLISH), 1);
        script_restart(s);
    }
}

static void test_pubrel_that_cannot_be_put_does_not_leave(void **state)
{
    struct script *s = *state;

    for (int at_commit = 0; at_commit < 2; at_commit++) {
        with_store(s);
        connected(s);
        settled_down(s);
        published(s, "x", MQTT_QOS_2);
        fails_next(at_commit ? CALL_COMMIT : CALL_PUT, 1);
        server_answers(s, 0x50, 1);
        expect_failure(s);
        assert_non_null(record(MQTT_RECORD_PUBLISH, 1));
        reconnected(s, true);
        expect_no_event(s);
        expect_packet(s, 0x62, 1);
        assert_non_null(record(MQTT_RECORD_PUBREL, 1));
        script_restart(s);
    }
}

static void test_pubrec_that_cannot_be_put_does_not_leave(void **state)
{
    struct script *s = *state;

    for (int at_commit = 0; at_commit < 2; at_commit++) {
        with_store(s);
        connected(s);
        settled_down(s);
        fails_next(at_commit ? CALL_COMMIT : CALL_PUT, 1);
        server_publishes(s, 0x34, "a", 7, "x");
        expect_message(s, "a", "x");
        expect_failure(s);
        assert_int_equal(count(MQTT_RECORD_RECEIVED), 0);
        reconnected(s, true);
        server_publishes(s, 0x3C, "a", 7, "x");
        expect_no_event(s); /* it was given */
        expect_packet(s, 0x50, 7);
        assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
        script_restart(s);
    }
}

static void test_pubcomp_whose_removal_fails_does_not_leave(void **state)
{
    struct script *s = *state;

    for (int at_commit = 0; at_commit < 2; at_commit++) {
        with_store(s);
        connected(s);
        settled_down(s);
        server_publishes(s, 0x34, "a", 7, "x");
        expect_message(s, "a", "x");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
        fails_next(at_commit ? CALL_COMMIT : CALL_REMOVE, 1);
        server_answers(s, 0x62, 7);
        expect_failure(s);
        assert_non_null(record(MQTT_RECORD_RECEIVED, 7));
        reconnected(s, true);
        server_answers(s, 0x62, 7);
        expect_no_event(s);
        expect_packet(s, 0x70, 7);
        assert_int_equal(count(MQTT_RECORD_RECEIVED), 0);
        script_restart(s);
    }
}

/* A commit that is refused later is refused all the same. */
static void test_a_commit_that_fails_later_ends_the_connection(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    publish(s, "a", "meanwhile", MQTT_QOS_1);
    memory_store_done(&m, s, MQTT_ERR_STORE);
    expect_nothing_sent(s);
    expect_failure(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, 1);
    expect_stored(s, 2);
    expect_packet(s, 0x50, 7);
    expect_again(s, 0x32, 1, "x");
    expect_again(s, 0x32, 2, "meanwhile");
}

/* As often as it fails. */
static void test_each_open_writes_all_anew_until_it_is_good(void **state)
{
    struct script *s = *state;
    static const unsigned calls[] = {CALL_PUT, CALL_REMOVE_ALL, CALL_COMMIT};

    for (unsigned i = 0; i < 3; i++) {
        with_store(s);
        connected(s);
        settled_down(s);
        fails_next(CALL_COMMIT, 1);
        publish(s, "a", "x", MQTT_QOS_1);
        expect_failure(s);
        for (int times = 0; times < 3; times++) {
            fails_next(calls[i], 1);
            reopened(s);
            pull(s, MQTT_EVENT_STORE_FAILED);
            expect_no_event(s);
            s->to_server.size = 0; /* CONNECT, perhaps */
            driver_closes(s);
            pull(s, MQTT_EVENT_DISCONNECTED);
            assert_int_equal(s->event.error, MQTT_ERR_STORE);
        }
        mended(s, 1);
        expect_packet(s, 0x32, 1);
        script_restart(s);
    }
}

static void
test_a_failure_without_a_connection_is_mended_at_the_next(void **state)
{
    struct script *s = *state;

    with_store(s);
    fails_next(CALL_COMMIT, 1);
    start(s);
    publish(s, "a", "x", MQTT_QOS_1);
    pull(s, MQTT_EVENT_STORE_FAILED);
    expect_no_event(s);
    assert_int_equal(m.record_count, 0);
    publish(s, "a", "y", MQTT_QOS_1);
    expect_no_event(s);
    wishes_to_connect(s);
    server_accepts(s);
    expect_stored(s, 1);
    expect_stored(s, 2);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_again(s, 0x32, 1, "x");
    expect_again(s, 0x32, 2, "y");
}

/* A put fails while a commit is open, which is done only on the next
 * connection: it goes on there. */
static void test_a_put_that_fails_during_a_commit_is_mended(void **state)
{
    struct script *s = *state;

    for (int good = 0; good < 2; good++) {
        connected_to_slow_store(s);
        publish(s, "a", "1", MQTT_QOS_1);
        expect_no_event(s);
        fails_next(CALL_PUT, 1);
        publish(s, "a", "2", MQTT_QOS_1);
        expect_failure(s);
        reconnected(s, true);
        expect_no_event(s);
        expect_nothing_sent(s);
        memory_store_done(&m, s, good ? MQTT_OK : MQTT_ERR_STORE);
        if (!good) {
            expect_failure(s);
            reconnected(s, true);
        }
        expect_no_event(s);
        expect_nothing_sent(s);
        commits(s);
        expect_stored(s, 1);
        expect_stored(s, 2);
        expect_again(s, 0x32, 1, "1");
        expect_again(s, 0x32, 2, "2");
        assert_int_equal(count(MQTT_RECORD_PUBLISH), 2);
        script_restart(s);
    }
}

/* ---- a commit that outlasts its connection ------------------------------------------- */

static void test_a_commit_goes_on_over_a_cut(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, 1);
    expect_packet(s, 0x50, 7);
    expect_again(s, 0x32, 1, "x");
    expect_no_commit(s);
}

/* What a commit removed on an earlier connection is no PUBCOMP on this one. */
static void test_a_removal_over_a_cut_answers_the_next_pubrel(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    m.later = false;
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    settled_down(s);
    m.later = true;
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    commits(s);
    expect_no_event(s);
    expect_nothing_sent(s);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    if (!in_5_0()) { /* which has a code for what is not known: it goes at once */
        expect_nothing_sent(s);
        commits(s);
        expect_no_event(s);
    }
    expect_packet(s, 0x70, 7);
}

/* 5.0: PUBCOMP of what is not known says so, and gives no quota back. */
static void test_an_unknown_pubrel_gives_no_quota_back(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->config.connect.receive_maximum = 1;
    connected(s);
    settled_down(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    server_answers(s, 0x62, 99);
    expect_no_event(s);
    expect_packet(s, 0x70, 99);
    server_publishes(s, 0x34, "a", 8, "y");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
}

static void test_a_commit_without_a_connection_takes_no_quota(void **state)
{
    struct script *s = *state;

    s->config.send_maximum = 1;
    connected_to_slow_store(s);
    cut(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_1);
    expect_no_event(s);
    commits(s);
    expect_stored(s, 1);
    expect_stored(s, 2);
    m.later = false;
    reconnected(s, true);
    expect_no_event(s);
    expect_packet(s, 0x32, 1);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 2);
}

static void test_a_commit_that_fails_after_a_cut_is_told(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    cut(s);
    memory_store_done(&m, s, MQTT_ERR_STORE);
    pull(s, MQTT_EVENT_STORE_FAILED);
    expect_no_event(s);
    m.later = false;
    mended(s, 1);
    expect_packet(s, 0x32, 1);
}

static void test_a_commit_goes_on_over_mqtt_disconnect(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_packet(s, 0xE0, 0);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.retry_at, MQTT_NEVER);
    commits(s);
    expect_stored(s, 1);
    expect_no_event(s);
    expect_nothing_sent(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_again(s, 0x32, 1, "x");
}

static void test_disconnect_with_a_time_waits_for_the_commit(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 1000), MQTT_OK);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, 1);
    expect_packet(s, 0x32, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_packet(s, 0xE0, 0);
}

static void test_a_commit_is_nothing_to_a_client_that_is_destroyed(void **state)
{
    struct script *s = *state;
    unsigned calls;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    mqtt_client_destroy(&s->client);
    calls = m.calls;
    commits(s);
    assert_int_equal(m.calls, calls);
    assert_non_null(record(MQTT_RECORD_PUBLISH, 1));
    killed(s);
    connected_again(s, true);
    expect_again(s, 0x3A, 1, "x");
}

/* What was put and not committed is void for the next client, in the same
 * process, too. */
static void test_what_was_not_committed_is_nothing_to_the_next_one(void **state)
{
    struct script *s = *state;

    connected_to_slow_store(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_no_event(s);
    publish(s, "a", "y", MQTT_QOS_1);
    mqtt_client_destroy(&s->client);
    script_restart(s);
    m.waiting[0] = NULL;
    m.later = false;
    connected_again(s, true);
    expect_nothing_sent(s);
    published(s, "z", MQTT_QOS_1);
    assert_int_equal(count(MQTT_RECORD_PUBLISH), 1);
    killed(s);
    connected_again(s, true);
    expect_again(s, 0x3A, 1, "z");
    expect_nothing_sent(s);
}

/* ---- memory that is full ---------------------------------------------------------------- */

/* Whatever comes next; 0: nothing. */
static int next_event(struct script *s)
{
    while (!mqtt_client_next(&s->client, &s->event)) {
        script_drain(s);
        if (!script_feed(s))
            return mqtt_client_next(&s->client, &s->event) ? (int)s->event.type
                                                           : 0;
    }
    return (int)s->event.type;
}

static void test_pubrel_waits_while_the_list_of_released_is_full(void **state)
{
    struct script *s = *state;
    unsigned behind = 0;

    with_store(s);
    s->memory.released_count = 2;
    connected(s);
    settled_down(s);
    for (uint16_t i = 7; i < 12; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
        expect_no_event(s);
        expect_packet(s, 0x50, i);
    }
    m.later = true;
    for (uint16_t i = 7; i < 12; i++)
        server_answers(s, 0x62, i);
    server_publishes(s, 0x30, "a", 0, "behind");
    for (unsigned commits_left = 5; count(MQTT_RECORD_RECEIVED);) {
        assert_true(commits_left-- > 0);
        if (next_event(s) == MQTT_EVENT_MESSAGE) {
            behind = count(MQTT_RECORD_RECEIVED);
            expect_no_event(s);
        }
        commits(s);
    }
    assert_in_range(behind, 1, 2); /* behind PUBRELs, not their commits */
    expect_no_event(s);
    for (uint16_t i = 7; i < 12; i++)
        expect_packet(s, 0x70, i);
}

/* PUBRELs that cannot be remembered do not hide what the server sent last. */
static void test_what_was_sent_before_a_cut_is_taken_all_the_same(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->memory.released_count = 1;
    connected(s);
    settled_down(s);
    for (uint16_t i = 7; i < 10; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
        settled_down(s);
    }
    m.later = true;
    for (uint16_t i = 7; i < 10; i++)
        server_answers(s, 0x62, i);
    server_publishes(s, 0x30, "a", 0, "last");
    while (script_feed(s))
        ;
    expect_no_event(s);
    while (script_feed(s))
        ;
    server_closes(s);
    expect_message(s, "a", "last");
    pull(s, MQTT_EVENT_DISCONNECTED);
}

/* PINGRESP may lie behind the PUBREL that waits for a commit. */
static void test_a_slow_commit_is_no_dead_link(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->memory.released_count = 1;
    connected(s);
    settled_down(s);
    for (uint16_t i = 7; i < 9; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
        expect_no_event(s);
        expect_packet(s, 0x50, i);
    }
    m.later = true;
    for (uint16_t i = 7; i < 9; i++)
        server_answers(s, 0x62, i);
    expect_no_event(s);
    elapse(s, 59000);
    expect_packet(s, 0xC0, 0);
    server_sends(s, 0xD0, 0x00);
    for (int seconds = 0; seconds < 30; seconds++) {
        elapse(s, 1000);
        expect_no_event(s);
        expect_wants(s, MQTT_WANT_NOTHING);
    }
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
}

/* Nor does one that comes while another thing is being stored, which may be its
 * removal: PUBCOMP says that all is well, and nothing was open. */
static void test_a_pubrel_that_may_be_known_gives_no_quota_back(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->config.connect.receive_maximum = 1;
    connected(s);
    settled_down(s);
    server_publishes(s, 0x32, "a", 1, "x");
    expect_message(s, "a", "x");
    m.later = true;
    publish(s, "a", "x", MQTT_QOS_1);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    commits(s); /* the publish */
    pull(s, MQTT_EVENT_STORED);
    expect_no_event(s);
    expect_packet(s, 0x32, 1);
    commits(s);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    server_publishes(s, 0x32, "a", 2, "x");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
}

static void test_messages_wait_while_the_list_of_unsettled_is_full(void **state)
{
    struct script *s = *state;

    with_store(s);
    s->memory.unsettled_count = 2;
    connected(s);
    settled_down(s);
    m.later = true;
    for (uint16_t i = 7; i < 12; i++)
        server_publishes(s, 0x34, "a", i, "x");
    for (unsigned messages = 0; messages < 5;) {
        if (next_event(s) == MQTT_EVENT_MESSAGE)
            messages++;
        else
            commits(s);
    }
    expect_no_event(s);
    commits(s);
    if (next_event(s) == 0 && memory_store_waits(&m, s))
        commits(s);
    expect_no_event(s);
    for (uint16_t i = 7; i < 12; i++)
        expect_packet(s, 0x50, i);
}

/* ---- rewritten ---------------------------------------------------------------------------- */

/* A message that is refused, and whose PUBREC has not left, is no one that was
 * received: its identifier is free. */
static void test_a_refused_message_is_not_written_anew(void **state)
{
    struct script *s = *state;
    uint32_t handle;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    connected(s);
    settled_down(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    handle = s->event.message.settle_handle;
    cut(s);
    assert_int_equal(mqtt_settle(&s->client, handle, 0x97), MQTT_OK);
    fails_next(CALL_COMMIT, 1);
    publish(s, "a", "x", MQTT_QOS_1);
    pull(s, MQTT_EVENT_STORE_FAILED);
    mended(s, 1);
    assert_int_equal(count(MQTT_RECORD_RECEIVED), 0);
    discard_sent(s);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    assert_int_equal(s->packet.reason_code, 0x97);
}

/* The session was ended, the server did not learn of it, and the process was
 * killed: the next one does not take the server's for its own [5.0, section
 * 3.2.2.1.1], and what was published since was never sent. */
static void
test_a_session_that_was_ended_is_over_for_the_next_process(void **state)
{
    static const uint8_t at_once[] = {0x11, 0, 0, 0, 0};
    const struct mqtt_disconnect_options options = {0, {at_once, 5}};
    struct script *s = *state;
    uint16_t identifier;

    if (!in_5_0())
        return;
    with_store(s);
    connected(s);
    settled_down(s);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &options), MQTT_OK);
    expect_packet(s, 0xE0, 0);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    identifier = publish(s, "a", "x", MQTT_QOS_1);
    expect_stored(s, identifier);
    killed(s);
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, true, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    discard_sent(s);
    reconnected(s, false);
    expect_no_event(s);
    expect_packet(s, 0x32, identifier);
}

/* With republish_lost what that session had sent goes on, and nobody knows which
 * it was: what may have left is not forbidden as if it never had. */
static void
test_what_an_ended_session_had_sent_is_lost_if_forbidden(void **state)
{
    static const uint8_t at_once[] = {0x11, 0, 0, 0, 0};
    const struct mqtt_disconnect_options options = {0, {at_once, 5}};
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    s->config.republish_lost = true;
    connected(s);
    settled_down(s);
    published(s, "a long payload", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &options), MQTT_OK);
    expect_packet(s, 0xE0, 0);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_no_event(s);
    killed(s);
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack_with(s, 0, 0, 0x27, 0, 0, 0, 20); /* Maximum Packet Size */
    pull(s, MQTT_EVENT_CONNECTED);
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_nothing_sent(s);
}

/* One that a new server forbids after it was sent is still one of unknown
 * outcome in the next process. */
static void test_what_was_given_up_is_unknown_when_restored(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "a long payload", MQTT_QOS_2);
    cut(s);
    reconnected_with(s, true, 0x27, 0, 0, 0, 20); /* Maximum Packet Size */
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    killed(s);
    connected_again(s, true);
    expect_packet(s, 0x62, 1);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
}

/* ---- what seldom meets -------------------------------------------------------- */

static void test_a_stream_keeps_its_place_behind_what_waits(void **state)
{
    struct script *s = *state;
    struct mqtt_source source = {.read = read_x};
    struct mqtt_message message = {
        .topic_name = mqtt_text("b"), .payload = {NULL, 1}, .qos = MQTT_QOS_1};
    uint16_t first, streamed, last;

    connected_to_slow_store(s);
    first = publish(s, "a", "1", MQTT_QOS_1);
    assert_int_equal(
        mqtt_publish_stream(&s->client, &message, &source, &streamed), MQTT_OK);
    last = publish(s, "a", "3", MQTT_QOS_1);
    expect_no_event(s);
    expect_nothing_sent(s);
    commits(s);
    expect_stored(s, first);
    expect_stored(s, last);
    expect_packet(s, 0x32, first);
    expect_packet(s, 0x32, streamed);
    expect_packet(s, 0x32, last);
}

static void test_a_message_can_expire_while_its_commit_is_open(void **state)
{
    struct script *s = *state;

    if (!in_5_0())
        return;
    connected_to_slow_store(s);
    publish_expiring(s, 1);
    publish(s, "a", "2", MQTT_QOS_1);
    expect_no_event(s);
    elapse(s, 3000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    commits(s);
    expect_stored(s, 2);
    expect_packet(s, 0x32, 2);
    expect_no_event(s);
    commits(s);
    assert_null(record(MQTT_RECORD_PUBLISH, 1));
}

static void test_slots_that_meet_are_too_few(void **state)
{
    struct script *s = *state;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    published(s, "2", MQTT_QOS_1);
    published(s, "3", MQTT_QOS_1);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    settled_down(s);
    killed(s);
    s->memory.slot_count = 2;
    assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
    assert_int_equal(count(MQTT_RECORD_PUBLISH), 2);
}

static void test_an_image_of_another_message_is_an_error(void **state)
{
    struct script *s = *state;
    struct memory_record *changed;

    with_store(s);
    connected(s);
    settled_down(s);
    published(s, "1", MQTT_QOS_1);
    settled_down(s);
    killed(s);
    changed = (struct memory_record *)record(MQTT_RECORD_PUBLISH, 1);
    assert_int_equal(changed->content[10], 1); /* of the packet identifier */
    changed->content[10] = 9;
    assert_int_equal(start_as(s), MQTT_ERR_STORE);
}

static void test_an_image_of_no_qos_is_an_error(void **state)
{
    static const uint8_t firsts[] = {0x30, 0x36, 0x42, 0x02};
    struct script *s = *state;
    struct memory_record *changed;

    with_store(s);
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    expect_stored(s, 1);
    for (unsigned i = 0; i < sizeof(firsts); i++) {
        killed(s);
        changed = (struct memory_record *)record(MQTT_RECORD_PUBLISH, 1);
        assert_int_equal(changed->content[4], i ? firsts[i - 1] : 0x32);
        changed->content[4] = firsts[i];
        assert_int_equal(start_as(s), MQTT_ERR_STORE);
    }
}

static void test_an_image_with_torn_properties_is_an_error(void **state)
{
    struct script *s = *state;
    struct memory_record *changed;

    if (!in_5_0())
        return; /* 3.1.1 has no properties */
    with_store(s);
    start(s);
    publish_with(s, "a", "1", MQTT_QOS_1, 0x02, 0x00, 0x00, 0x00, 0x09);
    expect_stored(s, 1);
    killed(s);
    changed = (struct memory_record *)record(MQTT_RECORD_PUBLISH, 1);
    assert_int_equal(changed->content[11], 5); /* length of the properties */
    changed->content[11] = 4;
    assert_int_equal(start_as(s), MQTT_ERR_STORE);
    killed(s);
    changed = (struct memory_record *)record(MQTT_RECORD_PUBLISH, 1);
    changed->content[11] = 7; /* with the payload there are 6 */
    assert_int_equal(start_as(s), MQTT_ERR_STORE);
}

static void test_a_topic_name_of_any_size_is_restored(void **state)
{
    struct script *s = *state;
    char topic[0x0301] = {0};

    memset(topic, 't', sizeof(topic) - 1);
    with_store(s);
    s->memory.outbox_size = 2000;
    connected(s);
    publish(s, topic, "x", MQTT_QOS_1);
    expect_stored(s, 1);
    settled_down(s);
    killed(s);
    s->memory.control_size = 2000;
    connected_again(s, true);
    expect_no_event(s);
    assert_int_equal(expect_packet(s, 0x3A, 1)->topic.size, 0x0300);
}

static void test_pubcomp_waits_for_room_after_its_commit(void **state)
{
    struct script *s = *state;

    s->memory.control_size = 64;
    connected_to_slow_store(s);
    m.later = false;
    server_publishes(s, 0x34, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    m.later = true;
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    s->blocked = true;
    for (uint16_t i = 20; i < 40; i++)
        server_publishes(s, 0x32, "a", i, "x");
    while (script_feed(s) || dispatch(s))
        ;
    commits(s);
    dispatch(s);
    s->blocked = false;
    for (uint16_t i = 20; i < 36; i++)
        expect_packet(s, 0x40, i);
    expect_packet(s, 0x70, 7);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_publish_waits_until_its_record_is_durable),
        script_test(test_pubrel_waits_until_it_is_durable),
        script_test(test_pubrels_keep_their_order_over_commits),
        script_test(test_pubrec_waits_until_the_settling_is_durable),
        script_test(test_each_pubrec_waits_for_its_own_commit),
        script_test(test_pubcomp_waits_until_the_removal_is_durable),
        script_test(test_settled_by_call_waits_from_the_call_on),
        script_test(test_a_refused_message_has_no_record),
        script_test(test_what_is_settled_after_its_pubrel_has_no_record),
        script_test(test_puback_does_not_wait),
        script_test(test_subscribe_does_not_wait),
        script_test(test_pingreq_does_not_wait),
        script_test(test_received_messages_do_not_wait),
        script_test(test_qos_0_waits_for_nothing_but_its_turn),
        script_test(test_a_stream_has_no_record_and_does_not_wait),
        script_test(test_one_commit_takes_all_of_a_turn),
        script_test(test_nothing_to_write_is_no_commit),
        script_test(test_what_comes_up_during_a_commit_is_of_the_next_one),
        script_test(test_what_an_old_session_left_makes_room_in_the_list),
        script_test(test_a_report_of_no_commit_is_nothing),
        script_test(test_a_commit_that_is_done_asks_for_a_turn),
        script_test(test_stored_is_told_once_before_published),
        script_test(test_stored_is_told_without_a_connection),
        script_test(test_stored_is_not_told_again_when_all_is_written_anew),
        script_test(test_stored_is_not_told_of_what_was_restored),
        script_test(test_restored_in_order_with_identifiers_and_dup),
        script_test(test_pubrels_are_restored_and_sent_first),
        script_test(test_what_is_restored_twice_ends_once),
        script_test(test_restored_messages_are_outstanding),
        script_test(test_what_was_received_is_known_to_the_next_process),
        script_test(test_content_in_two_pieces_is_restored_in_one),
        script_test(test_the_whole_outbox_can_be_restored),
        script_test(test_memory_of_another_size_is_good_if_it_is_enough),
        script_test(test_memory_too_small_loses_nothing_in_the_store),
        script_test(test_a_store_needs_its_memory),
        script_test(test_a_store_that_cannot_be_read_is_an_error),
        script_test(test_a_torn_record_is_an_error),
        script_test(test_what_was_left_of_an_expiry_is_left),
        script_test(test_what_was_sent_does_not_expire_when_restored),
        script_test(test_what_was_put_before_the_first_connection_is_sent),
        script_test(test_nothing_leaves_before_it_counts_as_sent),
        script_test(test_what_was_never_sent_expires_when_restored),
        script_test(test_records_of_a_lost_session_are_gone),
        script_test(test_an_end_is_told_before_its_removal_is_durable),
        script_test(test_what_outlives_a_lost_session_is_put_anew),
        script_test(test_a_lost_session_can_be_published_anew),
        script_test(test_a_clean_session_leaves_no_records),
        script_test(test_two_clients_of_one_store_share_nothing),
        script_test(test_an_assigned_client_identifier_is_restored),
        script_test(test_an_identifier_too_large_for_the_next_process),
        script_test(test_a_session_of_a_version_not_configured_is_refused),
        script_test(test_with_the_fallback_records_are_written_in_its_form),
        script_test(test_a_session_in_the_fallbacks_form_stays_with_it),
        script_test(test_a_publish_that_cannot_be_put_does_not_leave),
        script_test(test_pubrel_that_cannot_be_put_does_not_leave),
        script_test(test_pubrec_that_cannot_be_put_does_not_leave),
        script_test(test_pubcomp_whose_removal_fails_does_not_leave),
        script_test(test_a_commit_that_fails_later_ends_the_connection),
        script_test(test_each_open_writes_all_anew_until_it_is_good),
        script_test(test_a_failure_without_a_connection_is_mended_at_the_next),
        script_test(test_a_put_that_fails_during_a_commit_is_mended),
        script_test(test_a_commit_goes_on_over_a_cut),
        script_test(test_a_removal_over_a_cut_answers_the_next_pubrel),
        script_test(test_an_unknown_pubrel_gives_no_quota_back),
        script_test(test_a_pubrel_that_may_be_known_gives_no_quota_back),
        script_test(test_a_commit_without_a_connection_takes_no_quota),
        script_test(test_a_commit_that_fails_after_a_cut_is_told),
        script_test(test_a_commit_goes_on_over_mqtt_disconnect),
        script_test(test_disconnect_with_a_time_waits_for_the_commit),
        script_test(test_a_commit_is_nothing_to_a_client_that_is_destroyed),
        script_test(test_what_was_not_committed_is_nothing_to_the_next_one),
        script_test(test_pubrel_waits_while_the_list_of_released_is_full),
        script_test(test_what_was_sent_before_a_cut_is_taken_all_the_same),
        script_test(test_a_slow_commit_is_no_dead_link),
        script_test(test_messages_wait_while_the_list_of_unsettled_is_full),
        script_test(test_a_refused_message_is_not_written_anew),
        script_test(test_what_was_given_up_is_unknown_when_restored),
        script_test(test_a_session_that_was_ended_is_over_for_the_next_process),
        script_test(test_what_an_ended_session_had_sent_is_lost_if_forbidden),
        script_test(test_a_stream_keeps_its_place_behind_what_waits),
        script_test(test_a_message_can_expire_while_its_commit_is_open),
        script_test(test_slots_that_meet_are_too_few),
        script_test(test_an_image_of_another_message_is_an_error),
        script_test(test_an_image_with_torn_properties_is_an_error),
        script_test(test_an_image_of_no_qos_is_an_error),
        script_test(test_a_topic_name_of_any_size_is_restored),
        script_test(test_pubcomp_waits_for_room_after_its_commit),
    };
    int failed;

    version = &mqtt_protocol_3_1_1;
    failed = script_run("store, 3.1.1", tests);
    version = &mqtt_protocol_5_0;
    failed += script_run("store, 5.0", tests);
    memory_store_free(&m);
    return failed;
}
