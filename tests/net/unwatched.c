/*
 * unwatched.c - the machine refuses to watch a connection: epoll_ctl() of this
 * program does, since one user may watch only so much [epoll(7),
 * max_user_watches], and nobody's limit is to be changed for a test.
 */
#include "station.h"

#include <dirent.h>
#include <errno.h>
#include <mqttloop/posix.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* ---- a machine that refuses ---------------------------------------------------- */

static unsigned to_be_refused, refused;

static bool is_connection(int descriptor)
{
    int type = 0;
    socklen_t size = sizeof(type);

    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_STREAM;
}

/* Of the libraries, too. */
int epoll_ctl(int epoll, int operation, int descriptor,
              struct epoll_event *event)
{
    if (to_be_refused && operation == EPOLL_CTL_ADD &&
        is_connection(descriptor)) {
        to_be_refused--;
        refused++;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, descriptor, event);
}

static void refuse(unsigned count)
{
    to_be_refused = count;
    refused = 0;
}

/* poll(2) takes whatever it is given. */
static bool has_epoll(const struct station *s)
{
    return strcmp(s->driving->name, "mqtt_loop") != 0 &&
           strcmp(s->driving->name, "GLib") != 0;
}

/* What mqtt_client_fd() has made stays. */
static bool is_adapter(const struct station *s)
{
    return has_epoll(s) && strcmp(s->driving->name, "descriptor") != 0;
}

static unsigned descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* libev does not tell why. */
static void expect_named(const struct station *s)
{
    static const char words[] = "the loop cannot watch the connection: ";

    assert_int_equal(s->first_error, MQTT_ERR_NETWORK);
    assert_memory_equal(s->detail, words, sizeof(words) - 1);
    if (strcmp(s->driving->name, "libev") != 0)
        assert_string_equal(s->detail + sizeof(words) - 1, strerror(ENOSPC));
}

static void go_on(struct station *s)
{
    unsigned before = s->acknowledged;

    for (unsigned i = 0; i < 4; i++)
        station_publish(s, "unwatched", "x", MQTT_QOS_2, false);
    wait_for(s, s->acknowledged == before + 4);
}

/* ---- and what comes of it -------------------------------------------------------- */

static struct station *impatient(const struct way *way)
{
    struct station *s = station_draft(way, broker.port);

    s->config.retry_base_ms = s->config.retry_cap_ms = 20;
    station_open(s);
    return s;
}

static void test_it_ends_and_is_tried_again(void **state)
{
    struct station *s = impatient(*state);
    unsigned ends = has_epoll(s) ? 3 : 0, before;

    s->driving->turn(s, 1);
    before = descriptors();
    refuse(ends);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected == 1);
    assert_int_equal(refused, ends);
    assert_int_equal(s->disconnected, ends);
    if (ends)
        expect_named(s);
    assert_int_equal(descriptors(), before + 1);
    go_on(s);
    station_free(s);
}

/* What was connected, and is watched no more, would hang until its keep alive
 * is over. */
static void test_the_next_loop_refuses_a_connection(void **state)
{
    struct station *s = impatient(*state);
    const struct driving *driving = s->driving;
    unsigned ends = is_adapter(s);

    station_connect(s);
    driving->end(s);
    refuse(ends);
    driving->begin(s);
    wait_for(s, s->connected == 1 + ends);
    assert_int_equal(refused, ends);
    assert_int_equal(s->disconnected, ends);
    if (ends)
        expect_named(s);
    go_on(s);
    station_free(s);
}

/* A caller that has said something; it is kept, and gets no answer. */
static int heard(int listener)
{
    static int caller = -1;
    char byte;
    int result = -1;

    if (caller < 0)
        caller = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (caller >= 0 && recv(caller, &byte, 1, 0) == 1) {
        result = caller;
        caller = -1;
    }
    return result;
}

/* Half way through the handshake with a proxy that never answers. */
static void test_the_next_loop_refuses_a_handshake(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    int proxy = listen_on_loopback(&s->proxy.port), first, second = -1;
    unsigned ends = is_adapter(s);

    s->proxy.protocol = MQTT_PROXY_SOCKS5;
    s->proxy.address = "127.0.0.1";
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, (first = heard(proxy)) >= 0);
    s->driving->end(s);
    refuse(ends);
    s->driving->begin(s);
    if (ends)
        wait_for(s, (second = heard(proxy)) >= 0);
    assert_int_equal(refused, ends);
    assert_int_equal(s->disconnected, ends);
    if (ends)
        expect_named(s);
    station_free(s);
    close(first);
    if (ends)
        close(second);
    close(proxy);
}

static void cut_and_refuse(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_CONNECTED && s->connected == 1)
        assert_int_equal(mqtt_disconnect(s->client, 0), MQTT_OK);
    if (event->type != MQTT_EVENT_DISCONNECTED || s->disconnected > 1)
        return;
    refuse(has_epoll(s));
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
}

/* In the turn in which another was closed: libuv has not let go of it then. */
static void test_a_connection_that_follows_at_once_is_refused(void **state)
{
    struct station *s = impatient(*state);
    unsigned ends = has_epoll(s);

    s->inside = cut_and_refuse;
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected == 2);
    assert_int_equal(refused, ends);
    assert_int_equal(s->disconnected, 1 + ends);
    go_on(s);
    station_free(s);
}

static void free_at_refusal(struct station *s, const struct mqtt_event *event)
{
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    mqtt_client_free(s->client);
    s->client = NULL;
    s->driving->stop(s);
}

static void test_a_callback_frees_what_was_refused(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    uint64_t before = milliseconds();

    if (!has_epoll(s))
        s->server.port = free_port(); /* then it is the server who refuses */
    s->inside = free_at_refusal;
    station_open(s);
    refuse(100);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    s->driving->run(s);
    assert_null(s->client);
    assert_in_range(milliseconds() - before, 0, PATIENCE_MS);
    refuse(0);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_and_is_tried_again),
        cmocka_unit_test(test_the_next_loop_refuses_a_connection),
        cmocka_unit_test(test_the_next_loop_refuses_a_handshake),
        cmocka_unit_test(test_a_connection_that_follows_at_once_is_refused),
        cmocka_unit_test(test_a_callback_frees_what_was_refused),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return station_run(argc, argv, "unwatched", tests, begin, end);
}
