/*
 * messages.c - messages both ways through a real broker, with mosquitto_pub
 * and mosquitto_sub as witnesses.
 */
#include "station.h"
#include "witness.h"

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

/* ---- the witness --------------------------------------------------------- */

static void test_a_witness_sees_what_is_published(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct witness witness = witness_start(
        &broker, s, 3, "%t %q %r %p", ARGUMENTS("-q", "2", "-t", "seen/#"));

    station_publish(s, "seen/0", "nought", MQTT_QOS_0, false);
    station_publish(s, "seen/1", "one", MQTT_QOS_1, false);
    station_publish(s, "seen/2", "two", MQTT_QOS_2, false);
    expect_witnessed(&witness, s,
                     "seen/0 0 0 nought\n"
                     "seen/1 1 0 one\n"
                     "seen/2 2 0 two\n");
    station_free(s);
}

static void test_what_another_publishes_is_received(void **state)
{
    static const char *const levels[] = {"0", "1", "2"};
    struct station *s = station_new(*state, broker.port);

    station_subscribe(s, "from/others", MQTT_QOS_2);
    for (unsigned qos = 0; qos < 3; qos++) {
        mosquitto_pub(&broker, ARGUMENTS("-q", levels[qos], "-t", "from/others",
                                         "-m", levels[qos]));
        wait_for(s, s->letter_count == qos + 1);
        assert_string_equal(station_last(s)->topic, "from/others");
        assert_string_equal(station_last(s)->payload, levels[qos]);
        assert_int_equal(station_last(s)->qos, qos);
        assert_false(station_last(s)->retain);
    }
    station_free(s);
}

/* ---- all levels ---------------------------------------------------------- */

static void test_each_qos_is_granted_and_lowered(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    for (int granted = 0; granted < 3; granted++) {
        station_subscribe(t, "levels", (enum mqtt_qos)granted);
        for (int qos = 0; qos < 3; qos++) {
            size_t before = t->letter_count;

            station_publish(s, "levels", "x", (enum mqtt_qos)qos, false);
            wait_for_both(s, t, t->letter_count == before + 1);
            assert_int_equal(station_last(t)->qos,
                             qos < granted ? qos : granted);
        }
        assert_int_equal(mqtt_unsubscribe(t->client, &t->subscription),
                         MQTT_OK);
        wait_for(t, t->unsubscribed == (unsigned)granted + 1);
    }
    wait_for(s, s->acknowledged == 6);
    station_free(s);
    station_free(t);
}

static void test_an_empty_payload_comes_as_one(void **state)
{
    struct station *s = station_new(*state, broker.port);

    station_subscribe(s, "empty", MQTT_QOS_1);
    station_publish(s, "empty", "", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    assert_int_equal(station_last(s)->size, 0);
    station_free(s);
}

static void test_a_large_payload_comes_whole(void **state)
{
    struct station *s = station_new(*state, broker.port);
    size_t size = 60000;
    char *payload = malloc(size);

    assert_non_null(payload);
    for (size_t i = 0; i < size; i++)
        payload[i] = (char)(i * 7 % 251);
    station_subscribe(s, "large", MQTT_QOS_2);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(
            mqtt_publish(s->client, "large", payload, size, MQTT_QOS_2, false),
            MQTT_OK);
        wait_for(s, s->letter_count == i);
        assert_int_equal(station_last(s)->size, size);
        assert_memory_equal(station_last(s)->payload, payload, size);
    }
    free(payload);
    station_free(s);
}

/* In 5.0 the server is told of the limit, and sends nothing larger
 * [5.0 MQTT-3.1.2-24]: then there is nothing to tell. In 3.1.1 it comes, and is
 * read past. */
static void test_what_is_too_large_does_not_come_again(void **state)
{
    unsigned told = speaks_5_0(*state) ? 0 : 3;
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_draft(*state, broker.port);
    char *payload = calloc(1, 100000);

    assert_non_null(payload);
    t->sizes.input = 1000;
    station_open(t);
    station_connect(t);
    station_subscribe(t, "huge", MQTT_QOS_2);
    for (int qos = 0; qos < 3; qos++)
        assert_int_equal(mqtt_publish(s->client, "huge", payload, 70000,
                                      (enum mqtt_qos)qos, false),
                         MQTT_OK);
    station_publish(s, "huge", "small", MQTT_QOS_2, false);
    wait_for_both(s, t, t->too_large == told && t->letter_count == 1);
    assert_string_equal(station_last(t)->payload, "small");
    station_disconnect(t);
    station_connect(t);
    station_publish(s, "huge", "again", MQTT_QOS_2, false);
    wait_for_both(s, t, t->letter_count == 2);
    assert_int_equal(t->too_large, told);
    assert_int_equal(t->disconnected, 1);
    free(payload);
    station_free(s);
    station_free(t);
}

static void test_retained_is_kept_and_forgotten(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    station_publish(s, "kept", "value", MQTT_QOS_1, true);
    wait_for(s, s->acknowledged == 1);
    station_subscribe(t, "kept", MQTT_QOS_1);
    wait_for(t, t->letter_count == 1);
    assert_true(station_last(t)->retain);
    assert_string_equal(station_last(t)->payload, "value");
    station_publish(s, "kept", "newer", MQTT_QOS_1, true);
    wait_for_both(s, t, t->letter_count == 2);
    assert_false(station_last(t)->retain);
    station_publish(s, "kept", "", MQTT_QOS_1, true);
    wait_for_both(s, t, t->letter_count == 3);
    station_free(t);
    t = station_new(*state, broker.port);
    station_subscribe(t, "kept", MQTT_QOS_1);
    station_subscribe(s, "kept/not", MQTT_QOS_1);
    assert_int_equal(t->letter_count, 0);
    station_free(s);
    station_free(t);
}

/* ---- many ---------------------------------------------------------------- */

#define MANY 2000

/* Each number from 0 as often as it has to come. */
static void expect_numbers(const struct station *t, unsigned count)
{
    unsigned *seen = calloc(count, sizeof(*seen));

    assert_non_null(seen);
    for (size_t i = 0; i < t->letter_count; i++) {
        unsigned long number = strtoul(t->letters[i].payload, NULL, 10);

        assert_true(number < count);
        seen[number]++;
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(seen[i], 1);
    free(seen);
}

static void send_many(struct station *s, struct station *t, enum mqtt_qos qos)
{
    uint64_t until = milliseconds() + PATIENCE_MS;
    unsigned sent = 0;
    char payload[16];

    while (t->letter_count < MANY || s->acknowledged < MANY) {
        while (sent < MANY) {
            snprintf(payload, sizeof(payload), "%u", sent);
            if (mqtt_publish(s->client, "many", payload, strlen(payload), qos,
                             false) == MQTT_ERR_NO_ROOM)
                break;
            sent++;
        }
        s->driving->turn(s, 1);
        t->driving->turn(t, 0);
        if (milliseconds() > until)
            fail_msg("sent %u, acknowledged %u, received %u", sent,
                     s->acknowledged, (unsigned)t->letter_count);
    }
    expect_numbers(t, MANY);
}

static void many(const struct way *way, enum mqtt_qos qos)
{
    struct station *s = station_draft(way, broker.port);
    struct station *t = station_new(way, broker.port);

    s->sizes.outbox = 4096; /* it will be full, again and again */
    station_open(s);
    station_connect(s);
    station_subscribe(t, "many", qos);
    send_many(s, t, qos);
    assert_true(s->room > 0);
    assert_int_equal(s->disconnected + t->disconnected, 0);
    station_free(s);
    station_free(t);
}

static void test_many_at_qos_1(void **state)
{
    many(*state, MQTT_QOS_1);
}

static void test_many_at_qos_2(void **state)
{
    many(*state, MQTT_QOS_2);
}

/* ---- subscriptions ------------------------------------------------------- */

static void test_many_filters_are_subscribed(void **state)
{
    enum { COUNT = 300 };
    static struct mqtt_subscription nodes[COUNT];
    static char filters[COUNT][32];
    struct station *s = station_draft(*state, broker.port);

    station_open(s);
    memset(nodes, 0, sizeof(nodes));
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(filters[i], sizeof(filters[i]), "many/filters/%u/+", i);
        nodes[i].topic_filter = mqtt_text(filters[i]);
        nodes[i].maximum_qos = MQTT_QOS_1;
        assert_int_equal(mqtt_subscribe(s->client, &nodes[i]), MQTT_OK);
    }
    station_connect(s);
    wait_for(s, s->subscribed == COUNT);
    for (unsigned i = 0; i < COUNT; i += 50) {
        char topic[40];

        snprintf(topic, sizeof(topic), "many/filters/%u/x", i);
        station_publish(s, topic, "x", MQTT_QOS_1, false);
    }
    wait_for(s, s->letter_count == COUNT / 50);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(mqtt_unsubscribe(s->client, &nodes[i]), MQTT_OK);
    wait_for(s, s->unsubscribed == COUNT);
    station_free(s);
}

/* In 3.1.1 mosquitto sends one message for overlapping filters: each is called
 * once. In 5.0 it sends one for each subscription, as a server may
 * [5.0, section 3.3.4]; nothing in them says which, and each is for both, once.
 * messages_5_0.c has the same with Subscription Identifiers. */
static void test_overlapping_filters_are_called_once_a_message(void **state)
{
    size_t expected = speaks_5_0(*state) ? 5 : 3;
    struct station *s = station_new(*state, broker.port);
    struct mqtt_subscription wide = {.topic_filter = MQTT_TEXT("over/#"),
                                     .maximum_qos = MQTT_QOS_2};

    wide.on_message = s->config.on_message;
    wide.context = s;
    s->subscription.on_message = s->config.on_message;
    s->subscription.context = s;
    station_subscribe(s, "over/+", MQTT_QOS_1);
    assert_int_equal(mqtt_subscribe(s->client, &wide), MQTT_OK);
    wait_for(s, s->subscribed == 2);
    station_publish(s, "over/lap", "x", MQTT_QOS_2, false);
    station_publish(s, "over", "y", MQTT_QOS_2, false);
    wait_for(s, s->acknowledged == 2 && s->letter_count >= expected);
    finish_exchanges(s);
    assert_int_equal(s->letter_count, expected);
    station_free(s);
}

static void test_dollar_topics_are_for_who_asks(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    station_subscribe(s, "$SYS/broker/version", MQTT_QOS_0);
    wait_for(s, s->letter_count == 1);
    assert_memory_equal(station_last(s)->payload, "mosquitto", 9);
    station_subscribe(t, "#", MQTT_QOS_0);
    station_publish(t, "not/a/dollar", "x", MQTT_QOS_0, false);
    wait_for(t, t->letter_count > 0 &&
                    strcmp(station_last(t)->topic, "not/a/dollar") == 0);
    for (size_t i = 0; i < t->letter_count; i++)
        assert_int_not_equal(t->letters[i].topic[0], '$');
    station_free(s);
    station_free(t);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_witness_sees_what_is_published),
        cmocka_unit_test(test_what_another_publishes_is_received),
        cmocka_unit_test(test_each_qos_is_granted_and_lowered),
        cmocka_unit_test(test_an_empty_payload_comes_as_one),
        cmocka_unit_test(test_a_large_payload_comes_whole),
        cmocka_unit_test(test_what_is_too_large_does_not_come_again),
        cmocka_unit_test(test_retained_is_kept_and_forgotten),
        cmocka_unit_test(test_many_at_qos_1),
        cmocka_unit_test(test_many_at_qos_2),
        cmocka_unit_test(test_many_filters_are_subscribed),
        cmocka_unit_test(test_overlapping_filters_are_called_once_a_message),
        cmocka_unit_test(test_dollar_topics_are_for_who_asks),
    };

    return station_run(argc, argv, "messages", tests, begin, end);
}
