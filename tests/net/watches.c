/*
 * watches.c - what a client asks of its reactor, whoever that is: descriptors
 * that are open, each in one slot only, and told before they are closed. libuv
 * and epoll refuse a descriptor twice.
 */
#include "station.h"

#include <errno.h>
#include <fcntl.h>
#include <mqttloop/posix.h>
#include <unistd.h>

#ifdef WITH_LIBUV
#include <mqttloop/libuv.h>
#include <sys/eventfd.h>
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

/* ---- a reactor that looks at what it is told ---------------------------------- */

struct checked {
    struct mqtt_poll poll; /* whose functions it has, but for watch() */
    struct mqtt_reactor_ops ops;
    int (*watch)(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask);
    unsigned watched, most; /* slots */
    unsigned refuse_in;     /* calls; 0: never */
};

static unsigned count_watched(const struct checked *c)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MQTT_REACTOR_SLOTS; i++)
        count += c->poll.masks_[i] != 0;
    return count;
}

static int checked_watch(struct mqtt_reactor *self, unsigned slot,
                         int descriptor, unsigned mask)
{
    struct checked *c = (struct checked *)self;

    assert_true(slot < MQTT_REACTOR_SLOTS);
    assert_true(mask <= (MQTT_READ | MQTT_WRITE));
    assert_int_not_equal(fcntl(descriptor, F_GETFD), -1);
    if (mask && c->poll.masks_[slot]) /* another is stopped before */
        assert_int_equal(c->poll.descriptors_[slot], descriptor);
    if (mask && c->refuse_in && --c->refuse_in == 0) {
        c->watch(self, slot, descriptor, 0);
        return ENOSPC;
    }
    for (unsigned i = 0; mask && i < MQTT_REACTOR_SLOTS; i++)
        assert_false(i != slot && c->poll.masks_[i] &&
                     c->poll.descriptors_[i] == descriptor);
    assert_int_equal(c->watch(self, slot, descriptor, mask), 0);
    c->watched = count_watched(c);
    if (c->watched > c->most)
        c->most = c->watched;
    return 0;
}

static void checked_begin(struct checked *c, struct station *s)
{
    memset(c, 0, sizeof(*c));
    mqtt_poll_init(&c->poll, mqtt_drive_of(s->client));
    c->ops = *c->poll.reactor.ops;
    c->watch = c->ops.watch;
    c->ops.watch = checked_watch;
    c->poll.reactor.ops = &c->ops;
    mqtt_drive_attach(mqtt_drive_of(s->client), &c->poll.reactor);
}

/* ---- what it is told ------------------------------------------------------------ */

/* A port that nobody answers at: 203.0.113.0/24 is nobody's [RFC 5737]. */
static void test_each_descriptor_is_in_one_slot(void **state)
{
    struct station *s = station_draft(*state, 0);
    struct mqtt_server servers[] = {{"localhost", free_port()},
                                    {"no-such-host.invalid", 1883},
                                    {"203.0.113.1", 1883},
                                    {"localhost", broker.port}};
    struct checked checked;

    s->config.servers = servers;
    s->config.server_count = 4;
    s->config.open_timeout_ms = 400;
    s->wakeable = true;
    station_open(s);
    checked_begin(&checked, s);
    for (unsigned i = 1; i <= 3; i++) {
        station_connect(s);
        assert_int_equal(mqtt_wake(s->client), MQTT_OK);
        wait_for(s, s->woken == i);
        assert_int_equal(checked.watched, 2);
        station_disconnect(s);
        assert_int_equal(checked.watched, 1);
    }
    assert_in_range(checked.most, 2, MQTT_REACTOR_SLOTS);
    mqtt_client_free(s->client);
    s->client = NULL;
    assert_int_equal(count_watched(&checked), 0);
    station_free(s);
}

/* Addresses of both families, one of which answers; a name that is looked up;
 * and what mqtt_wake() needs. */
static struct station *visitor(const struct way *way,
                               const struct mqtt_server *servers)
{
    struct station *s = station_draft(way, 0);

    s->config.servers = servers;
    s->config.server_count = 2;
    s->config.retry_base_ms = s->config.retry_cap_ms = 5;
    s->wakeable = true;
    station_open(s);
    return s;
}

static void test_whatever_is_refused_is_tried_again(void **state)
{
    struct mqtt_server servers[] = {{"no-such-host.invalid", 1883},
                                    {"localhost", broker.port}};
    unsigned refused = 0;

    for (unsigned call = 1;; call++) {
        struct station *s = visitor(*state, servers);
        struct checked checked;
        bool reached;

        checked_begin(&checked, s);
        mqtt_drive_attach(mqtt_drive_of(s->client), NULL);
        checked.refuse_in = call;
        mqtt_drive_attach(mqtt_drive_of(s->client), &checked.poll.reactor);
        station_connect(s);
        assert_int_equal(mqtt_wake(s->client), MQTT_OK);
        wait_for(s, s->woken == 1 && checked.watched == 2);
        reached = checked.refuse_in == 0;
        refused += reached;
        station_free(s);
        if (!reached)
            break;
    }
    assert_in_range(refused, 4, 20);
}

/* ---- libuv: numbers that were ours ---------------------------------------------- */

#ifdef WITH_LIBUV
static unsigned closes;

static void closed(struct mqtt_libuv *adapter)
{
    closes++;
    free(adapter);
}

static void own_is_ready(uv_poll_t *poll, int status, int events)
{
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    ++*(unsigned *)poll->data;
    uv_poll_stop(poll);
}

static void run_until(struct station *s, uv_loop_t *loop,
                      enum mqtt_client_state state)
{
    uint64_t until = milliseconds() + PATIENCE_MS;

    while (mqtt_client_state(s->client) != state) {
        assert_true(milliseconds() < until);
        uv_run(loop, UV_RUN_NOWAIT);
        moment();
    }
}

/* A handle of a descriptor that is gone must not take the application's, which
 * has the same number now, from the loop. */
static void test_the_loop_keeps_what_is_not_ours(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct mqtt_libuv *adapter = calloc(1, sizeof(*adapter));
    unsigned ready = 0;
    uv_loop_t loop;
    uv_poll_t own;
    int ours, number;

    closes = 0;
    station_open(s);
    number = dup(STDIN_FILENO); /* that of the connection will be */
    assert_int_equal(uv_loop_init(&loop), 0);
    close(number);
    assert_int_equal(mqtt_libuv_attach(adapter, &loop, s->client, closed),
                     MQTT_OK);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    run_until(s, &loop, MQTT_CLIENT_CONNECTED);
    assert_int_equal(mqtt_disconnect(s->client, 0), MQTT_OK);
    run_until(s, &loop, MQTT_CLIENT_STOPPED);
    ours = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(ours, number);
    assert_int_equal(uv_poll_init(&loop, &own, ours), 0);
    own.data = &ready;
    assert_int_equal(uv_poll_start(&own, UV_READABLE, own_is_ready), 0);
    uv_run(&loop, UV_RUN_NOWAIT); /* now epoll has it */
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    run_until(s, &loop, MQTT_CLIENT_CONNECTED);
    mqtt_libuv_detach(adapter);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(closes, 1);
    assert_int_equal(eventfd_write(ours, 1), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(ready, 1);
    uv_close((uv_handle_t *)&own, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(ours);
    station_free(s);
}
#endif

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_descriptor_is_in_one_slot),
        cmocka_unit_test(test_whatever_is_refused_is_tried_again),
#ifdef WITH_LIBUV
        cmocka_unit_test(test_the_loop_keeps_what_is_not_ours),
#endif
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return station_run_group(
        "5.0", argc > 2 ? argv[2] : "mqtt_loop",
        &(struct station_group){"watches", tests,
                                sizeof(tests) / sizeof(tests[0]), begin, end});
}
