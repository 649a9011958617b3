/*
 * loop.c - mqtt_loop() and the adapters: what they return, and changing from
 * one to the other.
 */
#include "station.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#ifdef WITH_LIBEV
#include <mqttloop/libev.h>
#endif

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

/* ---- what mqtt_loop() returns -------------------------------------------- */

static void test_loop_waits_no_longer_than_asked(void **state)
{
    struct station *s = station_new(*state, broker.port);
    uint64_t before;

    while (mqtt_loop(s->client, 0) > 0)
        ;
    before = milliseconds();
    assert_int_equal(mqtt_loop(s->client, 50), 0);
    assert_in_range(milliseconds() - before, 49, 1000);
    before = milliseconds();
    assert_int_equal(mqtt_loop(s->client, 0), 0);
    assert_in_range(milliseconds() - before, 0, 40);
    station_free(s);
}

static void test_loop_does_not_sleep_past_a_deadline(void **state)
{
    struct station *s = station_draft(*state, free_port());
    uint64_t before = milliseconds();

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    while (s->disconnected < 4)
        assert_true(mqtt_loop(s->client, -1) >= 0);
    assert_in_range(milliseconds() - before, 0, 1000);
    station_free(s);
}

static void test_loop_counts_what_it_handled(void **state)
{
    struct station *s = station_new(*state, broker.port);

    station_publish(s, "a", "x", MQTT_QOS_1, false);
    assert_true(mqtt_loop(s->client, 1000) > 0);
    station_free(s);
}

/* A program with a wait of its own asks with no time at all. */
static void test_loop_without_time_connects(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    uint64_t until = milliseconds() + PATIENCE_MS;

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    while (!s->connected) {
        assert_true(milliseconds() < until);
        assert_true(mqtt_loop(s->client, 0) >= 0);
        usleep(1000);
    }
    station_free(s);
}

static void test_loop_may_be_called_when_not_connected(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    station_open(s);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mqtt_loop(s->client, 1), 0);
    station_free(s);
}

static void nothing(int signal)
{
    (void)signal;
}

static void test_a_signal_interrupts(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct sigaction action = {.sa_handler = nothing}, before;
    struct itimerval soon = {{0, 0}, {0, 50000}};
    int result;

    while (mqtt_loop(s->client, 0) > 0)
        ;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    do
        result = mqtt_loop(s->client, PATIENCE_MS);
    while (result > 0);
    assert_int_equal(result, MQTT_ERR_INTERRUPTED);
    sigaction(SIGALRM, &before, NULL);
    station_publish(s, "a", "x", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_free(s);
}

/* ---- inside a callback --------------------------------------------------- */

static int result_inside;

static void loop_inside(struct mqtt_client *client,
                        const struct mqtt_message *message, void *context)
{
    (void)message;
    (void)context;
    result_inside = mqtt_loop(client, 0);
}

static void test_loop_inside_a_callback_is_refused(void **state)
{
    struct station *s = station_new(*state, broker.port);

    s->subscription.on_message = loop_inside;
    station_subscribe(s, s->identifier, MQTT_QOS_0);
    result_inside = 1;
    station_publish(s, s->identifier, "x", MQTT_QOS_0, false);
    wait_for(s, result_inside != 1);
    assert_true(result_inside == MQTT_ERR_REENTERED ||
                result_inside == MQTT_ERR_ATTACHED);
    station_free(s);
}

static bool freed;

static void free_inside(struct mqtt_client *client,
                        const struct mqtt_message *message, void *context)
{
    (void)message;
    (void)context;
    mqtt_client_free(client);
    freed = true;
}

static void test_a_callback_frees_the_client(void **state)
{
    struct station *s = station_new(*state, broker.port);
    int result;

    s->subscription.on_message = free_inside;
    station_subscribe(s, s->identifier, MQTT_QOS_0);
    station_publish(s, s->identifier, "x", MQTT_QOS_0, false);
    do
        result = mqtt_loop(s->client, PATIENCE_MS);
    while (result > 0);
    assert_int_equal(result, MQTT_ERR_DESTROYED);
    s->client = NULL;
    station_free(s);
}

#ifdef WITH_LIBEV
static void test_a_callback_frees_the_client_under_libev(void **state)
{
    struct station *s = station_new(*state, broker.port);

    freed = false;
    s->subscription.on_message = free_inside;
    station_subscribe(s, s->identifier, MQTT_QOS_0);
    station_publish(s, s->identifier, "x", MQTT_QOS_0, false);
    wait_for(s, freed);
    s->client = NULL;
    station_free(s);
}

/* ---- from one driving to the other --------------------------------------- */

static void test_an_attached_client_is_not_for_loop(void **state)
{
    struct station *s = station_new(*state, broker.port);

    assert_int_equal(mqtt_loop(s->client, 0), MQTT_ERR_ATTACHED);
    station_free(s);
}

static void test_a_null_loop_or_client_is_refused(void **state)
{
    struct mqtt_libev adapter;

    (void)state;
    assert_int_equal(mqtt_libev_attach(&adapter, NULL, NULL),
                     MQTT_ERR_ARGUMENT);
}

/* In whatever state: while opening, connected, with bytes on their way. */
static void test_drivings_may_change_at_any_time(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    uint64_t until = milliseconds() + PATIENCE_MS;
    unsigned published = 0;

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    while (s->acknowledged < 100) {
        if (milliseconds() > until)
            fail_msg("published %u, acknowledged %u", published,
                     s->acknowledged);
        if (s->connected && published < 100) {
            station_publish(s, "x", "y", MQTT_QOS_2, false);
            published++;
        }
        s->driving->turn(s, 1);
        s->driving->end(s);
        s->driving->begin(s);
    }
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}
#endif

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        only_under(test_loop_waits_no_longer_than_asked, driving_loop),
        only_under(test_loop_does_not_sleep_past_a_deadline, driving_loop),
        only_under(test_loop_counts_what_it_handled, driving_loop),
        only_under(test_loop_without_time_connects, driving_loop),
        only_under(test_loop_may_be_called_when_not_connected, driving_loop),
        only_under(test_a_signal_interrupts, driving_loop),
        only_under(test_a_callback_frees_the_client, driving_loop),
        cmocka_unit_test(test_loop_inside_a_callback_is_refused),
#ifdef WITH_LIBEV
        only_under(test_a_callback_frees_the_client_under_libev, driving_libev),
        only_under(test_an_attached_client_is_not_for_loop, driving_libev),
        only_under(test_a_null_loop_or_client_is_refused, driving_libev),
        only_under(test_drivings_may_change_at_any_time, driving_libev),
#endif
    };

    return station_run(argc, argv, "loop", tests, begin, end);
}
