/*
 * settling.c - messages that the application acknowledges when it wants to,
 * with cuts before, between and after.
 */
#include "relay.h"
#include "station.h"

static struct broker broker;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    return 0;
}

static struct station *settler(const struct way *way, uint16_t port)
{
    struct station *s = station_draft(way, port);

    s->config.settle = MQTT_SETTLE_BY_CALL;
    return s;
}

static void settle(struct station *s, size_t index)
{
    assert_int_equal(mqtt_settle(s->client, s->letters[index].settle_handle, 0),
                     MQTT_OK);
}

/* What was acknowledged does not come a second time; by the marker. */
static void expect_no_more(struct station *from, struct station *s,
                           const char *topic)
{
    size_t before = s->letter_count;

    if (mqtt_client_state(s->client) != MQTT_CLIENT_STOPPED)
        station_disconnect(s);
    station_connect(s);
    assert_true(s->session_present);
    station_publish(from, topic, "marker", MQTT_QOS_0, false);
    wait_for_both(from, s, s->letter_count > before);
    assert_string_equal(s->letters[before].payload, "marker");
}

static void test_what_is_settled_late_is_acknowledged(void **state)
{
    struct station *from = station_new(*state, broker.port);
    struct station *s = settler(*state, broker.port);

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_2);
    station_publish(from, s->identifier, "0", MQTT_QOS_0, false);
    wait_for_both(from, s, s->letter_count == 1);
    assert_int_equal(s->letters[0].settle_handle, 0);
    station_publish(from, s->identifier, "1", MQTT_QOS_1, false);
    station_publish(from, s->identifier, "2", MQTT_QOS_2, false);
    wait_for_both(from, s, s->letter_count == 3);
    finish_exchanges(s);
    settle(s, 2);
    settle(s, 1);
    assert_int_equal(mqtt_settle(s->client, s->letters[1].settle_handle, 0),
                     MQTT_ERR_HANDLE);
    expect_no_more(from, s, s->identifier);
    station_free(from);
    station_free(s);
}

/* QoS 1 under a new handle; the old one is of nothing. */
static void test_what_is_not_settled_at_qos_1_comes_again(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *from = station_new(*state, broker.port);
    struct station *s = settler(*state, relay_port(relay));

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_1);
    station_publish(from, s->identifier, "x", MQTT_QOS_1, false);
    wait_for_both(from, s, s->letter_count == 1);
    relay_cut(relay);
    wait_for(s, s->letter_count == 2);
    assert_string_equal(s->letters[1].payload, "x");
    assert_true(s->letters[1].dup);
    assert_int_equal(mqtt_settle(s->client, s->letters[0].settle_handle, 0),
                     MQTT_ERR_HANDLE);
    settle(s, 1);
    expect_no_more(from, s, s->identifier);
    station_free(from);
    station_free(s);
    relay_end(relay);
}

/* QoS 2 is known again: it is not given twice, and its handle goes on. */
static void test_a_handle_at_qos_2_outlives_the_connection(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *from = station_new(*state, broker.port);
    struct station *s = settler(*state, relay_port(relay));

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_2);
    station_publish(from, s->identifier, "x", MQTT_QOS_2, false);
    wait_for_both(from, s, s->letter_count == 1);
    relay_cut(relay);
    wait_for(s, s->connected == 2);
    finish_exchanges(s);
    assert_int_equal(s->letter_count, 1);
    settle(s, 0);
    finish_exchanges(s);
    expect_no_more(from, s, s->identifier);
    station_free(from);
    station_free(s);
    relay_end(relay);
}

/* Settled while there is no connection: when it comes again, it is known. */
static void test_settled_while_away_counts(void **state)
{
    struct station *from = station_new(*state, broker.port);
    struct station *s = settler(*state, broker.port);

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_2);
    station_publish(from, s->identifier, "x", MQTT_QOS_2, false);
    wait_for_both(from, s, s->letter_count == 1);
    station_disconnect(s);
    settle(s, 0);
    expect_no_more(from, s, s->identifier);
    station_free(from);
    station_free(s);
}

/* ---- the limit ----------------------------------------------------------- */

/* In 5.0 the broker is told so many as Receive Maximum; in 3.1.1 no more is
 * read. */
#define COUNT 30
#define LIMIT 4

static void few_at_a_time(const struct way *way, enum mqtt_qos qos)
{
    struct station *from = station_new(way, broker.port);
    struct station *s = settler(way, broker.port);

    s->sizes.unsettled = LIMIT;
    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, qos);
    for (unsigned i = 0; i < COUNT; i++)
        station_publish(from, s->identifier, "x", qos, false);
    wait_for(from, from->acknowledged == COUNT);
    wait_for(s, s->letter_count == LIMIT);
    /* An answer has come behind them, which 3.1.1 would not read. */
    if (speaks_5_0(way))
        finish_exchanges(s);
    else
        s->driving->turn(s, 1);
    assert_int_equal(s->letter_count, LIMIT);
    /* With the first PUBACK or PUBCOMP mosquitto 2.0.11 forgets Receive Maximum
     * and sends as many again, against [5.0 MQTT-3.3.4-9]: for each one that
     * was acknowledged, where it had queued so many. */
    for (size_t i = 0; !speaks_5_0(way) && i < COUNT; i++) {
        wait_for(s, s->letter_count > i);
        assert_in_range(s->letter_count - i, 1, LIMIT);
        settle(s, i);
    }
    assert_int_equal(s->disconnected, 0);
    station_free(from);
    station_free(s);
}

static void test_few_at_a_time_at_qos_1(void **state)
{
    few_at_a_time(*state, MQTT_QOS_1);
}

static void test_few_at_a_time_at_qos_2(void **state)
{
    few_at_a_time(*state, MQTT_QOS_2);
}

/* ---- a stream with cuts -------------------------------------------------- */

#define MANY 200

struct book {
    unsigned seen[MANY]; /* how often it was given */
    size_t read;         /* letters looked at */
    size_t waiting[MANY * 4];
    size_t waiting_count;
};

static void note_letters(struct book *book, const struct station *s)
{
    for (; book->read < s->letter_count; book->read++) {
        unsigned long number =
            strtoul(s->letters[book->read].payload, NULL, 10);

        assert_true(number < MANY);
        assert_true(book->waiting_count < MANY * 4);
        book->seen[number]++;
        book->waiting[book->waiting_count++] = book->read;
    }
}

/* All but `leave` of those that wait, the last one first. A handle of QoS 1
 * may be of a message that has come again since. */
static void settle_some(struct book *book, struct station *s, size_t leave)
{
    while (book->waiting_count > leave) {
        const struct letter *letter =
            &s->letters[book->waiting[--book->waiting_count]];
        enum mqtt_error error =
            mqtt_settle(s->client, letter->settle_handle, 0);

        if (letter->qos == MQTT_QOS_2)
            assert_int_equal(error, MQTT_OK);
        else
            assert_true(error == MQTT_OK || error == MQTT_ERR_HANDLE);
    }
}

static bool all_seen(const struct book *book)
{
    for (unsigned i = 0; i < MANY; i++)
        if (!book->seen[i])
            return false;
    return true;
}

/* Cut again and again while some wait. Each connection lives until what was
 * sent after it began has come: mosquitto 2.0.11 that is cut before it could
 * send a PUBREL again sends the PUBLISH instead. */
static void settled_over_cuts(const struct way *way, enum mqtt_qos qos)
{
    static struct book book;
    struct relay *relay = relay_begin(broker.port);
    struct station *from = station_new(way, broker.port);
    struct station *s = settler(way, relay_port(relay));
    char payload[16];
    unsigned sent = 0;

    memset(&book, 0, sizeof(book));
    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, qos);
    for (unsigned round = 1; round <= 10; round++) {
        for (unsigned i = 0; i < MANY / 10; i++, sent++) {
            snprintf(payload, sizeof(payload), "%u", sent);
            station_publish(from, s->identifier, payload, qos, false);
        }
        wait_for_both(from, s,
                      (note_letters(&book, s), book.seen[sent - 1] > 0));
        settle_some(&book, s, round % 5);
        finish_exchanges(s);
        note_letters(&book, s);
        relay_cut(relay);
        wait_for(s, s->connected == round + 1);
    }
    wait_for_both(from, s, (note_letters(&book, s), all_seen(&book)));
    finish_exchanges(s);
    note_letters(&book, s);
    settle_some(&book, s, 0);
    finish_exchanges(s);
    expect_no_more(from, s, s->identifier);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(qos == MQTT_QOS_2 ? book.seen[i] == 1 : book.seen[i] >= 1);
    assert_int_equal(relay_cuts(relay), 10);
    station_free(from);
    station_free(s);
    relay_end(relay);
}

static void test_settled_over_cuts_at_qos_1(void **state)
{
    settled_over_cuts(*state, MQTT_QOS_1);
}

static void test_settled_over_cuts_at_qos_2(void **state)
{
    settled_over_cuts(*state, MQTT_QOS_2);
}

/* ---- refused ------------------------------------------------------------- */

/* 3.1.1 has no code to refuse with. A refused message of QoS 2 has ended with
 * its PUBREC. */
static void test_what_is_refused_does_not_come_again(void **state)
{
    bool is_5_0 = speaks_5_0(*state);
    struct station *from = station_new(*state, broker.port);
    struct station *s = settler(*state, broker.port);

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_2);
    station_publish(from, s->identifier, "1", MQTT_QOS_1, false);
    station_publish(from, s->identifier, "2", MQTT_QOS_2, false);
    wait_for_both(from, s, s->letter_count == 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mqtt_settle(s->client, s->letters[i].settle_handle,
                                     MQTT_REASON_QUOTA_EXCEEDED),
                         is_5_0 ? MQTT_OK : MQTT_ERR_PROTOCOL_VERSION);
        if (!is_5_0)
            settle(s, i);
    }
    finish_exchanges(s);
    expect_no_more(from, s, s->identifier);
    station_free(from);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_settled_late_is_acknowledged),
        cmocka_unit_test(test_what_is_not_settled_at_qos_1_comes_again),
        cmocka_unit_test(test_a_handle_at_qos_2_outlives_the_connection),
        cmocka_unit_test(test_settled_while_away_counts),
        cmocka_unit_test(test_few_at_a_time_at_qos_1),
        cmocka_unit_test(test_few_at_a_time_at_qos_2),
        cmocka_unit_test(test_settled_over_cuts_at_qos_1),
        cmocka_unit_test(test_settled_over_cuts_at_qos_2),
        cmocka_unit_test(test_what_is_refused_does_not_come_again),
    };

    return station_run(argc, argv, "settling", tests, begin, end);
}
