/*
 * store_crash.c - a process ends at any moment of an exchange, or its store
 * fails at any call; the next one goes on. What a server and an application see
 * of it is what store.h promises.
 */
#include "memory_store.h"

static const struct mqtt_protocol *version; /* in which all runs now */
static struct memory_store m;

/* ---- what both sides have seen -------------------------------------------- */

/* The server, which outlives the client. */
static struct {
    bool session;
    enum mqtt_qos qos; /* of what it sends, as identifier 7 */
    enum { NOTHING, PUBLISHED, RELEASED, ENDED } sending;
    bool again;        /* sent before: with DUP */
    unsigned received; /* messages that it gave on */
    uint16_t held;     /* QoS 2: received, not released */
} server;

/* The application, over all its processes. */
static struct {
    unsigned given;       /* messages */
    unsigned given_after; /* of these, after the settling was durable */
    unsigned stored, ended, connections;
    unsigned failed; /* MQTT_EVENT_STORE_FAILED */
    bool by_call;
} seen;

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    (void)context;
    seen.given++;
    if (m.durable[MQTT_RECORD_RECEIVED])
        seen.given_after++;
    if (seen.by_call)
        assert_int_equal(mqtt_settle(client, message->settle_handle, 0),
                         MQTT_OK);
}

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct script *s = context;

    (void)client;
    if (event->type == MQTT_EVENT_STORED) {
        assert_int_equal(seen.ended, 0);
        assert_non_null(memory_store_find(&m, "c", MQTT_RECORD_PUBLISH,
                                          event->packet_identifier));
        seen.stored++;
    } else if (event->type == MQTT_EVENT_PUBLISHED) {
        assert_int_equal(event->outcome, MQTT_OUTCOME_ACKNOWLEDGED);
        seen.ended++;
    } else if (event->type == MQTT_EVENT_STORE_FAILED) {
        seen.failed++;
    } else if (event->type == MQTT_EVENT_DISCONNECTED) {
        assert_int_equal(event->error, MQTT_ERR_STORE);
        s->retry_at = event->retry_at;
    }
    seen.connections += event->type == MQTT_EVENT_CONNECTED;
}

/* ---- the server ------------------------------------------------------------ */

static void server_goes_on_sending(struct script *s)
{
    uint8_t first_byte = (uint8_t)(0x30 | server.qos << 1);

    if (server.sending == PUBLISHED)
        server_publishes(s, server.again ? first_byte | 0x08 : first_byte, "b",
                         7, "x");
    if (server.sending == RELEASED)
        server_answers(s, 0x62, 7);
    server.again = true;
}

static void server_takes_publish(struct script *s, const struct packet *packet)
{
    uint16_t identifier = packet->identifier;

    if ((packet->first_byte & 0x06) == 0x02) {
        server.received++;
        server_answers(s, 0x40, identifier);
        return;
    }
    if (server.held != identifier)
        server.received++;
    server.held = identifier;
    server_answers(s, 0x50, identifier);
}

static void server_takes(struct script *s, const struct packet *packet)
{
    switch (packet->first_byte) {
    case 0x10:
        server_connack(s, server.session, 0);
        server.session = true;
        server_goes_on_sending(s);
        break;
    case 0x62:
        server.held = 0;
        server_answers(s, 0x70, packet->identifier);
        break;
    case 0x40:
    case 0x70:
        server.sending = ENDED;
        break;
    case 0x50:
        assert_int_not_equal(server.sending, ENDED);
        server.sending = RELEASED;
        server_answers(s, 0x62, 7);
        break;
    default:
        server_takes_publish(s, packet);
    }
}

/* ---- processes -------------------------------------------------------------- */

static void configure(struct script *s, bool later)
{
    memory_store_free(&m);
    memory_store_init(&m);
    m.later = later;
    memset(&server, 0, sizeof(server));
    memset(&seen, 0, sizeof(seen));
    s->config.protocol = version;
    s->config.store = &m.store;
    s->config.on_message = on_message;
    s->config.on_event = on_event;
    s->config.settle = MQTT_SETTLE_AFTER_CALLBACK;
    s->memory.unsettled_count = s->memory.released_count = 4;
}

/* One round of all that can move; false: nothing did. */
static bool turn(struct script *s)
{
    bool moved = dispatch(s) > 0;

    while (!m.crashed && next_packet(s)) {
        server_takes(s, &s->packet);
        moved = true;
    }
    if (m.crashed)
        return false;
    if (mqtt_client_wants(&s->client) == MQTT_WANT_CLOSE) {
        s->to_client.size = s->to_server.size = 0;
        driver_closes(s);
        return true;
    }
    if (mqtt_client_state(&s->client) == MQTT_CLIENT_AWAIT_RETRY) {
        reopened(s);
        return true;
    }
    if (memory_store_waits(&m, s)) {
        memory_store_done(&m, s, MQTT_OK);
        return true;
    }
    return moved;
}

/* Until nothing moves, or the process has ended. */
static void live(struct script *s)
{
    for (unsigned turns = 0; turn(s); turns++)
        assert_true(turns < 200);
}

/* A process that publishes, unless `qos` is 0. */
static void begin(struct script *s, enum mqtt_qos qos)
{
    start(s);
    dispatch(s);
    connects(s);
    if (qos)
        publish(s, "a", "x", qos);
    live(s);
}

/* The process ends; what it had sent still arrives, or does not. */
static void end(struct script *s, bool arrives)
{
    while (arrives && next_packet(s))
        server_takes(s, &s->packet);
    script_restart(s);
    memory_store_restart(&m);
}

/* ---- crashes ------------------------------------------------------------------ */

/* The ways in which a process can end at one call. */
struct way {
    bool after;   /* the call has taken effect */
    bool arrives; /* and what was sent before */
    bool later;   /* commits take their time */
    bool by_call;
};

static struct way way(unsigned i)
{
    return (struct way){i & 1, i & 2, i & 4, i & 8};
}

static void outgoing_over_a_crash_at_any_moment(struct script *s,
                                                enum mqtt_qos qos, struct way w)
{
    bool crashed = true;

    for (unsigned at = 1; crashed; at++) {
        configure(s, w.later);
        m.crash_at = at;
        m.crash_after = w.after;
        begin(s, qos);
        crashed = m.crashed;
        end(s, w.arrives);
        begin(s, (enum mqtt_qos)0);
        if (seen.stored) /* what it was told is so */
            assert_int_equal(m.durable[MQTT_RECORD_PUBLISH] > 0, 1);
        if (!m.durable[MQTT_RECORD_PUBLISH])
            assert_int_equal(server.received, 0);
        else if (qos == MQTT_QOS_2)
            assert_int_equal(server.received, 1);
        else
            assert_in_range(server.received, 1, 2);
        assert_int_equal(server.held, 0);
        assert_int_equal(memory_store_count(&m, "c", (enum mqtt_record_kind)0),
                         1);
        if (!crashed)
            assert_true(at > (qos == MQTT_QOS_2 ? 8U : 6U));
        script_restart(s);
    }
    assert_int_equal(seen.stored, 1);
    assert_int_equal(seen.ended, 1);
}

static void incoming_over_a_crash_at_any_moment(struct script *s,
                                                enum mqtt_qos qos, struct way w)
{
    bool crashed = true;

    for (unsigned at = 1; crashed; at++) {
        configure(s, w.later);
        s->config.settle =
            w.by_call ? MQTT_SETTLE_BY_CALL : MQTT_SETTLE_AFTER_CALLBACK;
        seen.by_call = w.by_call;
        server.qos = qos;
        server.sending = PUBLISHED;
        m.crash_at = at;
        m.crash_after = w.after;
        begin(s, (enum mqtt_qos)0);
        crashed = m.crashed;
        end(s, w.arrives);
        begin(s, (enum mqtt_qos)0);
        assert_int_equal(server.sending, ENDED);
        assert_in_range(seen.given, 1, 2);
        assert_int_equal(seen.given_after, 0);
        assert_int_equal(memory_store_count(&m, "c", (enum mqtt_record_kind)0),
                         1);
        server_publishes(s, 0x34, "b", 7, "new");
        server.sending = PUBLISHED;
        memset(m.durable, 0, sizeof(m.durable));
        seen.given = 0;
        live(s);
        assert_int_equal(seen.given, 1);
        assert_int_equal(server.sending, ENDED);
        if (!crashed)
            assert_true(at > (qos == MQTT_QOS_2 ? 6U : 3U));
        script_restart(s);
    }
}

static void test_qos_1_is_sent_at_least_once_over_crashes(void **state)
{
    for (unsigned i = 0; i < 8; i++)
        outgoing_over_a_crash_at_any_moment(*state, MQTT_QOS_1, way(i));
}

static void test_qos_2_is_sent_exactly_once_over_crashes(void **state)
{
    for (unsigned i = 0; i < 8; i++)
        outgoing_over_a_crash_at_any_moment(*state, MQTT_QOS_2, way(i));
}

static void test_qos_1_is_given_at_least_once_over_crashes(void **state)
{
    for (unsigned i = 0; i < 16; i++)
        incoming_over_a_crash_at_any_moment(*state, MQTT_QOS_1, way(i));
}

static void test_qos_2_is_given_once_when_it_was_settled(void **state)
{
    for (unsigned i = 0; i < 16; i++)
        incoming_over_a_crash_at_any_moment(*state, MQTT_QOS_2, way(i));
}

/* ---- failures -------------------------------------------------------------------- */

/* Both directions at once, in one process; from a call on so many fail. How many
 * times the application was told. */
static unsigned fails_at(struct script *s, unsigned at, unsigned times)
{
    configure(s, false);
    server.qos = MQTT_QOS_2;
    server.sending = PUBLISHED;
    m.fail_calls = CALL_PUT | CALL_REMOVE | CALL_REMOVE_ALL | CALL_COMMIT;
    m.fail_at = at;
    m.fail_count = times;
    begin(s, MQTT_QOS_2);
    assert_int_equal(m.fail_count == times, seen.failed == 0);
    assert_int_equal(seen.given, 1);
    assert_int_equal(seen.stored, 1);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(server.received, 1);
    assert_int_equal(server.held, 0);
    assert_int_equal(server.sending, ENDED);
    assert_int_equal(memory_store_count(&m, "c", (enum mqtt_record_kind)0), 1);
    assert_in_range(seen.failed, 0, times);
    script_restart(s);
    return seen.failed;
}

static void test_it_goes_on_after_a_failure_of_any_call(void **state)
{
    for (unsigned times = 1; times <= 8; times++) {
        unsigned at = 1;

        while (fails_at(*state, at, times))
            at++;
        assert_true(at > 12);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_qos_1_is_sent_at_least_once_over_crashes),
        script_test(test_qos_2_is_sent_exactly_once_over_crashes),
        script_test(test_qos_1_is_given_at_least_once_over_crashes),
        script_test(test_qos_2_is_given_once_when_it_was_settled),
        script_test(test_it_goes_on_after_a_failure_of_any_call),
    };
    int failed;

    version = &mqtt_protocol_3_1_1;
    failed = script_run("crashes, 3.1.1", tests);
    version = &mqtt_protocol_5_0;
    failed += script_run("crashes, 5.0", tests);
    memory_store_free(&m);
    return failed;
}
