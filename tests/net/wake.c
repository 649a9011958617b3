/*
 * wake.c - mqtt_wake() from a thread, a signal handler and a callback, under
 * every main loop.
 */
#include "station.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

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

static struct station *wakeable(const struct way *way)
{
    struct station *s = station_draft(way, broker.port);

    s->wakeable = true;
    station_open(s);
    return s;
}

static struct station *wakeable_connected(const struct way *way)
{
    struct station *s = wakeable(way);

    station_connect(s);
    finish_exchanges(s);
    return s;
}

/* Nothing more comes of what was asked for. */
static void expect_woken(struct station *s, unsigned count)
{
    uint64_t until;

    wait_for(s, s->woken >= count);
    until = milliseconds() + 30;
    while (milliseconds() < until)
        s->driving->turn(s, 10);
    assert_int_equal(s->woken, count);
}

static void stop_at_woken(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_WOKEN)
        s->driving->stop(s);
}

/* ---- who wakes --------------------------------------------------------------- */

static void *wake_after_a_moment(void *context)
{
    moment();
    return (void *)(intptr_t)mqtt_wake(((struct station *)context)->client);
}

/* The loop has nothing else to wait for: not a turn is taken by the clock. */
static void test_a_thread_wakes(void **state)
{
    struct station *s = wakeable_connected(*state);
    pthread_t thread;
    void *result;

    s->inside = stop_at_woken;
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake_after_a_moment, s),
                         0);
        s->driving->run(s);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_int_equal((intptr_t)result, MQTT_OK);
        assert_int_equal(s->woken, i);
    }
    station_free(s);
}

static struct mqtt_client *to_wake;
static volatile sig_atomic_t wakes_of_signal;

static void wake_by_signal(int signal)
{
    (void)signal;
    if (mqtt_wake(to_wake) == MQTT_OK)
        wakes_of_signal++;
}

static void test_a_signal_handler_wakes(void **state)
{
    struct station *s = wakeable_connected(*state);
    struct sigaction action = {.sa_handler = wake_by_signal,
                               .sa_flags = SA_RESTART},
                     before;
    struct itimerval soon = {{0, 0}, {0, 20000}};

    to_wake = s->client;
    wakes_of_signal = 0;
    s->inside = stop_at_woken;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    s->driving->run(s);
    assert_int_equal(wakes_of_signal, 1);
    assert_int_equal(s->woken, 1);
    sigaction(SIGALRM, &before, NULL);
    station_free(s);
}

static void test_many_calls_are_one_event(void **state)
{
    struct station *s = wakeable_connected(*state);

    for (int i = 0; i < 100000; i++)
        assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 1);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 2);
    station_free(s);
}

static void test_errno_is_kept(void **state)
{
    struct station *s = wakeable(*state);

    errno = ENOTTY;
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    assert_int_equal(errno, ENOTTY);
    station_free(s);
}

static void wake_again(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_WOKEN && s->woken < 4)
        assert_int_equal(mqtt_wake(s->client), MQTT_OK);
}

static void test_a_call_in_its_own_callback_is_another_event(void **state)
{
    struct station *s = wakeable_connected(*state);

    s->inside = wake_again;
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 4);
    station_free(s);
}

/* ---- when -------------------------------------------------------------------- */

static void test_a_client_that_never_connected_is_woken(void **state)
{
    struct station *s = wakeable(*state);

    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 1);
    station_free(s);
}

static void test_a_client_that_was_stopped_is_woken(void **state)
{
    struct station *s = wakeable_connected(*state);

    station_disconnect(s);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 1);
    station_connect(s);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    expect_woken(s, 2);
    station_free(s);
}

static void test_a_call_before_the_loop_changes_is_not_lost(void **state)
{
    struct station *s = wakeable_connected(*state);

    for (size_t i = 0; i < driving_count(); i++) {
        assert_int_equal(mqtt_wake(s->client), MQTT_OK);
        s->driving->end(s);
        s->driving = drivings[i];
        s->driving->begin(s);
        expect_woken(s, (unsigned)i + 1);
    }
    station_free(s);
}

/* Somebody floods it: it is woken all the same. */
static void test_a_client_that_never_rests_is_woken(void **state)
{
    struct station *s = wakeable_connected(*state);
    unsigned calls = 0;

    station_subscribe(s, s->identifier, MQTT_QOS_0);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    while (!s->woken) {
        assert_true(calls++ < 100);
        station_publish(s, s->identifier, "x", MQTT_QOS_0, false);
        s->driving->turn(s, 100);
    }
    station_free(s);
}

static void test_a_client_that_is_not_wakeable_says_so(void **state)
{
    struct station *s = station_new(*state, broker.port);

    assert_int_equal(mqtt_wake(s->client), MQTT_ERR_STATE);
    expect_woken(s, 0);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_wakes),
        cmocka_unit_test(test_a_signal_handler_wakes),
        cmocka_unit_test(test_many_calls_are_one_event),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_a_call_in_its_own_callback_is_another_event),
        cmocka_unit_test(test_a_client_that_never_connected_is_woken),
        cmocka_unit_test(test_a_client_that_was_stopped_is_woken),
        cmocka_unit_test(test_a_call_before_the_loop_changes_is_not_lost),
        cmocka_unit_test(test_a_client_that_never_rests_is_woken),
        cmocka_unit_test(test_a_client_that_is_not_wakeable_says_so),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return station_run(argc, argv, "wake", tests, begin, end);
}
