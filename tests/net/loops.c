/*
 * loops.c - one and the same program under every main loop.
 */
#include "station.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <mqttloop/posix.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
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

static void publish_and_wait(struct station *s, unsigned count)
{
    unsigned before = s->acknowledged;

    for (unsigned i = 0; i < count; i++)
        station_publish(s, "loops", "x", i % 2 ? MQTT_QOS_1 : MQTT_QOS_2,
                        false);
    wait_for(s, s->acknowledged == before + count);
}

/* ---- the connection's descriptor ------------------------------------------ */

/* -1: there is none. */
static int connection(void)
{
    struct sockaddr_in peer;

    for (int i = 0; i < 2048; i++) {
        socklen_t size = sizeof(peer);

        memset(&peer, 0, sizeof(peer));
        if (getpeername(i, (struct sockaddr *)&peer, &size) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == broker.port)
            return i;
    }
    return -1;
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

/* ---- what every program does ----------------------------------------------- */

static void test_messages_go_and_come(void **state)
{
    struct station *s = station_new(*state, broker.port);

    station_subscribe(s, s->identifier, MQTT_QOS_2);
    for (unsigned i = 0; i < 200; i++)
        station_publish(s, s->identifier, "x", (enum mqtt_qos)(i % 3), false);
    wait_for(s, s->letter_count == 200 && s->acknowledged == 133);
    station_disconnect(s);
    station_free(s);
}

/* More than a turn moves, so that the alarm that is past rings again. */
static void test_large_messages_go_and_come(void **state)
{
    static char payload[60000];
    struct station *s = station_draft(*state, broker.port);

    s->sizes.outbox = 8 << 20;
    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(mqtt_publish(s->client, s->identifier, payload,
                                      sizeof(payload), MQTT_QOS_0, false),
                         MQTT_OK);
    wait_for(s, s->letter_count == 100);
    station_disconnect(s);
    station_free(s);
}

/* Refused, back-off, again: nothing but the alarm moves it. */
static void test_deadlines_come_by_themselves(void **state)
{
    struct station *s = station_draft(*state, free_port());
    uint64_t before = milliseconds();

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected >= 5);
    assert_in_range(milliseconds() - before, 0, 2000);
    station_free(s);
}

static uint64_t processor_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void test_an_idle_loop_rests(void **state)
{
    struct station *s = station_new(*state, broker.port);
    uint64_t until, before;

    finish_exchanges(s);
    until = milliseconds() + 300;
    before = processor_us();
    while (milliseconds() < until)
        s->driving->turn(s, 300);
    assert_in_range(processor_us() - before, 0, 50000);
    station_free(s);
}

static void stop_at_published(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_PUBLISHED)
        s->driving->stop(s);
}

static void test_a_request_outside_of_callbacks_takes_effect(void **state)
{
    struct station *s = station_new(*state, broker.port);
    uint64_t before;

    finish_exchanges(s);
    s->inside = stop_at_published;
    before = milliseconds();
    station_publish(s, "loops", "x", MQTT_QOS_1, false);
    s->driving->run(s);
    assert_int_equal(s->acknowledged, 3);
    assert_in_range(milliseconds() - before, 0, PATIENCE_MS / 2);
    station_free(s);
}

/* ---- descriptors ----------------------------------------------------------- */

/* The end comes from here and from there, and the kernel gives the number of
 * the last connection to the next. */
static void test_a_number_comes_back_with_the_next_connection(void **state)
{
    struct station *s = station_new(*state, broker.port);
    int first = connection();

    for (int i = 0; i < 10; i++) {
        unsigned before = s->connected;

        publish_and_wait(s, 3);
        if (i % 2) {
            station_disconnect(s);
            assert_int_equal(connection(), -1);
            station_connect(s);
        } else {
            assert_int_equal(shutdown(connection(), SHUT_RDWR), 0);
            wait_for(s, s->connected > before);
        }
        assert_int_equal(connection(), first);
    }
    publish_and_wait(s, 3);
    station_free(s);
}

/* The number of the last connection is somebody else's meanwhile. */
static void test_the_next_connection_has_another_number(void **state)
{
    struct station *s = station_new(*state, broker.port);
    int last, taken[8];

    for (int i = 0; i < 8; i++) {
        last = connection();
        publish_and_wait(s, 2);
        station_disconnect(s);
        taken[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(taken[i], last);
        station_connect(s);
        assert_true(connection() > last);
    }
    publish_and_wait(s, 2);
    for (int i = 0; i < 8; i++)
        close(taken[i]);
    station_free(s);
}

static void test_an_idle_client_holds_one_descriptor(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    unsigned before = descriptors(), loop;

    station_open(s);
    s->driving->turn(s, 1);
    loop = descriptors();
    if (s->driving == &driving_loop)
        assert_int_equal(loop, before);
    for (int i = 0; i < 3; i++) {
        station_connect(s);
        publish_and_wait(s, 2);
        assert_int_equal(descriptors(), loop + 1);
        station_disconnect(s);
        assert_int_equal(descriptors(), loop);
    }
    station_connect(s);
    assert_int_equal(shutdown(connection(), SHUT_RDWR), 0);
    wait_for(s, s->connected == 5);
    assert_int_equal(descriptors(), loop + 1);
    station_free(s);
    assert_int_equal(descriptors(), before);
}

#define MANY 1100

static void test_descriptors_above_1024(void **state)
{
    struct rlimit before, limit;
    struct station *s;
    int many[MANY];

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    if (limit.rlim_cur < MANY + 200)
        limit.rlim_cur = MANY + 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < MANY; i++)
        assert_true((many[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    s = station_draft(*state, broker.port);
    s->wakeable = true;
    station_open(s);
    station_connect(s);
    assert_true(connection() >= 1024);
    publish_and_wait(s, 10);
    assert_int_equal(mqtt_wake(s->client), MQTT_OK);
    wait_for(s, s->woken == 1);
    station_disconnect(s);
    station_free(s);
    for (int i = 0; i < MANY; i++)
        close(many[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- inside a callback ------------------------------------------------------ */

static void free_at(struct station *s, enum mqtt_event_type type,
                    const struct mqtt_event *event)
{
    if (event->type != type)
        return;
    mqtt_client_free(s->client);
    s->client = NULL;
    s->driving->stop(s);
}

static void free_at_connected(struct station *s, const struct mqtt_event *event)
{
    free_at(s, MQTT_EVENT_CONNECTED, event);
}

static void free_at_disconnected(struct station *s,
                                 const struct mqtt_event *event)
{
    free_at(s, MQTT_EVENT_DISCONNECTED, event);
}

static void free_at_published(struct station *s, const struct mqtt_event *event)
{
    free_at(s, MQTT_EVENT_PUBLISHED, event);
}

static void free_at_woken(struct station *s, const struct mqtt_event *event)
{
    free_at(s, MQTT_EVENT_WOKEN, event);
}

static void test_a_callback_frees_the_client(void **state)
{
    void (*const inside[])(struct station *, const struct mqtt_event *) = {
        free_at_connected, free_at_published, free_at_disconnected,
        free_at_woken};

    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        struct station *s = station_draft(*state, broker.port);

        s->inside = inside[i];
        s->wakeable = inside[i] == free_at_woken;
        s->server.port =
            inside[i] == free_at_disconnected ? free_port() : broker.port;
        station_open(s);
        station_publish(s, "loops", "x", MQTT_QOS_1, false);
        if (s->wakeable)
            assert_int_equal(mqtt_wake(s->client), MQTT_OK);
        else
            assert_int_equal(mqtt_connect(s->client), MQTT_OK);
        s->driving->run(s);
        assert_null(s->client);
        assert_int_equal(connection(), -1);
        station_free(s);
    }
}

static void close_and_open(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_CONNECTED && s->connected < 6)
        assert_int_equal(mqtt_disconnect(s->client, 0), MQTT_OK);
    if (event->type == MQTT_EVENT_DISCONNECTED)
        assert_int_equal(mqtt_connect(s->client), MQTT_OK);
}

static void test_a_callback_closes_and_opens(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->inside = close_and_open;
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected == 6);
    publish_and_wait(s, 4);
    station_free(s);
}

static void test_a_callback_stops_the_loop(void **state)
{
    struct station *s = station_new(*state, broker.port);

    s->inside = stop_at_published;
    for (unsigned i = 1; i <= 3; i++) {
        station_publish(s, "loops", "x", MQTT_QOS_1, false);
        s->driving->run(s);
        assert_int_equal(s->acknowledged, i);
    }
    station_free(s);
}

static int loop_inside;

static void run_loop_inside(struct station *s, const struct mqtt_event *event)
{
    (void)event;
    loop_inside = mqtt_loop(s->client, 0);
}

static void test_mqtt_loop_inside_a_callback_is_refused(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->inside = run_loop_inside;
    loop_inside = 1;
    station_open(s);
    station_connect(s);
    assert_true(loop_inside == MQTT_ERR_REENTERED ||
                loop_inside == MQTT_ERR_ATTACHED);
    station_free(s);
}

/* Its own turn goes on, and what follows is the other loop's. */
static void leave_inside(struct station *s, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_CONNECTED)
        mqtt_drive_detach(mqtt_drive_of(s->client));
}

static void test_a_callback_detaches(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->inside = leave_inside;
    station_open(s);
    station_connect(s);
    s->driving->end(s);
    s->driving = &driving_loop;
    publish_and_wait(s, 4);
    station_free(s);
}

/* ---- from one loop to another ------------------------------------------------ */

static void drive_by(struct station *s, const struct driving *driving)
{
    s->driving->end(s);
    s->driving = driving;
    driving->begin(s);
}

/* Attached late, and detached while it is still opening. */
static void test_a_client_goes_from_loop_to_loop_while_it_connects(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    uint64_t until = milliseconds() + PATIENCE_MS;
    size_t i = 0;

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    while (!s->connected) {
        assert_true(milliseconds() < until);
        drive_by(s, drivings[i++ % driving_count()]);
        s->driving->turn(s, 1);
    }
    publish_and_wait(s, 2);
    station_free(s);
}

static void test_a_client_goes_from_loop_to_loop_connected(void **state)
{
    struct station *s = station_new(*state, broker.port);
    uint64_t until = milliseconds() + PATIENCE_MS;
    unsigned published = 0;
    size_t i = 0;

    while (s->acknowledged < 100) {
        if (milliseconds() > until)
            fail_msg("published %u, acknowledged %u", published,
                     s->acknowledged);
        if (published < 100) {
            station_publish(s, "x", "y", MQTT_QOS_2, false);
            published++;
        }
        drive_by(s, drivings[i++ % driving_count()]);
        s->driving->turn(s, 1);
    }
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

static void test_a_detached_client_is_for_mqtt_loop_again(void **state)
{
    struct station *s = station_new(*state, broker.port);

    s->driving->end(s);
    s->driving = &driving_loop;
    publish_and_wait(s, 4);
    assert_int_equal(shutdown(connection(), SHUT_RDWR), 0);
    wait_for(s, s->connected == 2);
    publish_and_wait(s, 4);
    drive_by(s, ((const struct way *)*state)->driving);
    publish_and_wait(s, 4);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_go_and_come),
        cmocka_unit_test(test_large_messages_go_and_come),
        cmocka_unit_test(test_deadlines_come_by_themselves),
        cmocka_unit_test(test_an_idle_loop_rests),
        cmocka_unit_test(test_a_request_outside_of_callbacks_takes_effect),
        cmocka_unit_test(test_a_number_comes_back_with_the_next_connection),
        cmocka_unit_test(test_the_next_connection_has_another_number),
        cmocka_unit_test(test_an_idle_client_holds_one_descriptor),
        cmocka_unit_test(test_descriptors_above_1024),
        cmocka_unit_test(test_a_callback_frees_the_client),
        cmocka_unit_test(test_a_callback_closes_and_opens),
        cmocka_unit_test(test_a_callback_stops_the_loop),
        cmocka_unit_test(test_mqtt_loop_inside_a_callback_is_refused),
        cmocka_unit_test(test_a_callback_detaches),
        cmocka_unit_test(
            test_a_client_goes_from_loop_to_loop_while_it_connects),
        cmocka_unit_test(test_a_client_goes_from_loop_to_loop_connected),
        cmocka_unit_test(test_a_detached_client_is_for_mqtt_loop_again),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return station_run(argc, argv, "loops", tests, begin, end);
}
