/*
 * descriptor.c - mqtt_client_fd(): the same for ever, readable when there is
 * something to do and only then.
 */
#include "station.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

static bool readable(int descriptor, int timeout_ms)
{
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};

    return poll(&entry, 1, timeout_ms) == 1;
}

static struct station *connected(const struct way *way)
{
    struct station *s = station_draft(way, broker.port);

    s->config.connect.keep_alive_s = 2;
    s->config.connack_timeout_ms = 700;
    station_open(s);
    station_connect(s);
    finish_exchanges(s);
    return s;
}

/* ---- readable ----------------------------------------------------------------- */

/* Keep alive of 2 s: PINGREQ leaves after 1.75, and its answer comes. Beside
 * these only the deadline of CONNACK, which had been put off, is looked at. */
static void test_an_idle_client_is_quiet(void **state)
{
    struct station *s = connected(*state);
    int descriptor = mqtt_client_fd(s->client);
    uint64_t until = milliseconds() + 3000;
    unsigned turns = 0, handled = 0;

    while (milliseconds() < until) {
        if (!readable(descriptor, (int)(until - milliseconds())))
            continue;
        turns++;
        handled += mqtt_loop(s->client, 0) > 0;
    }
    assert_in_range(handled, 2, 2);
    assert_in_range(turns, 2, 5);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

static void test_what_is_requested_makes_it_readable(void **state)
{
    struct station *s = connected(*state);
    int descriptor = mqtt_client_fd(s->client);

    while (readable(descriptor, 0))
        mqtt_loop(s->client, 0);
    station_publish(s, "a", "x", MQTT_QOS_0, false);
    assert_true(readable(descriptor, 1000));
    assert_true(mqtt_loop(s->client, 0) > 0);
    assert_false(readable(descriptor, 20));
    assert_int_equal(mqtt_disconnect(s->client, 0), MQTT_OK);
    assert_true(readable(descriptor, 1000));
    wait_for(s, mqtt_client_state(s->client) == MQTT_CLIENT_STOPPED);
    assert_false(readable(descriptor, 20));
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    assert_true(readable(descriptor, 1000));
    station_free(s);
}

/* As poll(2) and select(2) need it: as long as nobody saw to it. */
static void test_it_stays_readable(void **state)
{
    struct station *s = connected(*state), *other = connected(*state);
    int descriptor = mqtt_client_fd(s->client);

    station_subscribe(s, s->identifier, MQTT_QOS_0);
    while (readable(descriptor, 0))
        mqtt_loop(s->client, 0);
    station_publish(other, s->identifier, "x", MQTT_QOS_0, false);
    finish_exchanges(other);
    for (int i = 0; i < 3; i++)
        assert_true(readable(descriptor, 1000));
    while (readable(descriptor, 0))
        mqtt_loop(s->client, 0);
    assert_int_equal(s->letter_count, 1);
    station_free(other);
    station_free(s);
}

static void test_a_wake_makes_it_readable(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    int descriptor;

    s->wakeable = true;
    station_open(s);
    descriptor = mqtt_client_fd(s->client);
    while (readable(descriptor, 0))
        mqtt_loop(s->client, 0);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    assert_true(readable(descriptor, 0));
    assert_int_equal(mqtt_loop(s->client, 0), 1);
    assert_int_equal(s->woken, 1);
    assert_false(readable(descriptor, 20));
    station_free(s);
}

/* ---- the same ------------------------------------------------------------------ */

static void test_it_is_the_same_over_all_connections(void **state)
{
    struct station *s = connected(*state);
    int descriptor = mqtt_client_fd(s->client);

    for (int i = 0; i < 3; i++) {
        station_disconnect(s);
        assert_int_equal(mqtt_client_fd(s->client), descriptor);
        station_connect(s);
        assert_int_equal(mqtt_client_fd(s->client), descriptor);
    }
    station_free(s);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
}

/* Asked for in the middle of things, and mqtt_loop() waits with it. */
static void test_mqtt_loop_goes_on_with_it(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    uint64_t before;

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    mqtt_loop(s->client, 0);
    assert_true(mqtt_client_fd(s->client) >= 0);
    wait_for(s, s->connected == 1);
    finish_exchanges(s);
    while (mqtt_loop(s->client, 0) > 0)
        ;
    before = milliseconds();
    assert_int_equal(mqtt_loop(s->client, 50), 0);
    assert_in_range(milliseconds() - before, 49, 1000);
    station_free(s);
}

static void ask_inside(struct station *s, const struct mqtt_event *event)
{
    (void)event;
    assert_true(mqtt_client_fd(s->client) >= 0);
}

static void test_a_callback_asks_for_it(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->inside = ask_inside;
    station_open(s);
    station_connect(s);
    finish_exchanges(s);
    station_free(s);
}

/* ---- refused ------------------------------------------------------------------- */

static void test_a_machine_without_descriptors_says_so(void **state)
{
    struct station *s = connected(*state);
    struct rlimit before, none;
    int next = dup(STDIN_FILENO), descriptor;

    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t more = 0; more < 2; more++) {
        none = before;
        none.rlim_cur = (rlim_t)next + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_int_equal(mqtt_client_fd(s->client), MQTT_ERR_SYSTEM);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        descriptor = dup(STDIN_FILENO); /* nothing was left behind */
        assert_int_equal(descriptor, next);
        close(descriptor);
    }
    finish_exchanges(s);
    assert_true(mqtt_client_fd(s->client) >= 0);
    finish_exchanges(s);
    station_free(s);
}

static void test_no_descriptor_for_waking_is_an_error(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct mqtt_host host = {.wakeable = true};
    struct rlimit before, none;
    enum mqtt_error error = MQTT_OK;
    int next = dup(STDIN_FILENO);

    close(next);
    s->server.address = s->address;
    s->config.servers = &s->server;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(mqtt_client_new(&s->config, &host, &error));
    assert_int_equal(error, MQTT_ERR_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    free(s);
}

#ifdef WITH_LIBEV
static void test_an_attached_client_has_none_or_a_quiet_one(void **state)
{
    struct station *s = connected(*state);
    int descriptor;

    driving_libev.begin(s);
    assert_int_equal(mqtt_client_fd(s->client), MQTT_ERR_ATTACHED);
    driving_libev.end(s);
    descriptor = mqtt_client_fd(s->client);
    assert_true(descriptor >= 0);
    driving_libev.begin(s);
    assert_int_equal(mqtt_client_fd(s->client), descriptor);
    station_publish(s, "a", "x", MQTT_QOS_1, false);
    assert_false(readable(descriptor, 20));
    driving_libev.end(s);
    assert_true(readable(descriptor, 1000));
    wait_for(s, s->acknowledged == 3);
    station_free(s);
}
#endif

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        only_under(test_an_idle_client_is_quiet, driving_loop),
        only_under(test_what_is_requested_makes_it_readable, driving_loop),
        only_under(test_it_stays_readable, driving_loop),
        only_under(test_a_wake_makes_it_readable, driving_loop),
        only_under(test_it_is_the_same_over_all_connections, driving_loop),
        only_under(test_mqtt_loop_goes_on_with_it, driving_loop),
        only_under(test_a_callback_asks_for_it, driving_loop),
        only_under(test_a_machine_without_descriptors_says_so, driving_loop),
        only_under(test_no_descriptor_for_waking_is_an_error, driving_loop),
#ifdef WITH_LIBEV
        only_under(test_an_attached_client_has_none_or_a_quiet_one,
                   driving_loop),
#endif
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return station_run_group(
        "5.0", argc > 2 ? argv[2] : "mqtt_loop",
        &(struct station_group){"descriptor", tests,
                                sizeof(tests) / sizeof(tests[0]), begin, end});
}
