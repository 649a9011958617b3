/*
 * network.c - ways to a server, and what stands in them.
 */
#include "station.h"

#include <sys/resource.h>
#include <unistd.h>

static struct broker broker;
static struct rlimit limit_before;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    return getrlimit(RLIMIT_NOFILE, &limit_before);
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    return 0;
}

/* ---- addresses ----------------------------------------------------------- */

static void round_trip(const struct way *way, const char *address,
                       uint16_t port)
{
    struct station *s = station_draft(way, port);

    snprintf(s->address, sizeof(s->address), "%s", address);
    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_1);
    station_publish(s, s->identifier, "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1 && s->acknowledged == 1);
    station_disconnect(s);
    station_free(s);
}

static void test_an_ipv4_address(void **state)
{
    round_trip(*state, "127.0.0.1", broker.port);
}

static void test_an_ipv6_address(void **state)
{
    if (!broker.port_v6) {
        print_message("no IPv6 on loopback: nothing to connect to\n");
        skip();
    }
    round_trip(*state, "::1", broker.port_v6);
}

static void test_a_unix_socket(void **state)
{
    char address[96];

    snprintf(address, sizeof(address), "unix:%s", broker.socket);
    round_trip(*state, address, 0);
}

static void test_a_name(void **state)
{
    round_trip(*state, "localhost", broker.port);
}

/* ---- failures ------------------------------------------------------------ */

static struct station *failing(const struct way *way, const char *address,
                               uint16_t port)
{
    struct station *s = station_draft(way, port);

    snprintf(s->address, sizeof(s->address), "%s", address);
    s->config.open_timeout_ms = 3000;
    s->config.connack_timeout_ms = 100;
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected > 0);
    assert_int_equal(s->connected, 0);
    assert_true(s->last.retry_at != MQTT_NEVER);
    return s;
}

static void test_a_refused_connection_is_an_event(void **state)
{
    struct station *s = failing(*state, "127.0.0.1", free_port());

    assert_int_equal(s->last.error, MQTT_ERR_NETWORK);
    assert_non_null(strstr(s->detail, "refused"));
    wait_for(s, s->disconnected > 3);
    station_free(s);
}

static void test_a_unix_socket_that_is_not_there(void **state)
{
    struct station *s = failing(*state, "unix:/nowhere/at/all", 0);

    assert_int_equal(s->last.error, MQTT_ERR_NETWORK);
    station_free(s);
}

/* No label of a name has more than 63 bytes: no server needs to be asked. */
static void test_a_name_that_cannot_be(void **state)
{
    struct station *s = failing(
        *state,
        "a-label-that-is-longer-than-sixty-three-bytes-which-is-too-much-x",
        1883);

    assert_true(s->last.error == MQTT_ERR_NAME ||
                s->last.error == MQTT_ERR_SERVER);
    station_free(s);
}

/* [RFC 2606]; who is asked may be out of reach, then time ends it. */
static void test_a_name_that_does_not_resolve(void **state)
{
    struct station *s = failing(*state, "no-such-host.invalid", 1883);

    assert_true(s->last.error == MQTT_ERR_NAME ||
                s->last.error == MQTT_ERR_NETWORK ||
                s->last.error == MQTT_ERR_OPEN_TIMEOUT);
    station_free(s);
}

static void test_a_server_that_says_nothing(void **state)
{
    uint16_t port;
    int listener = listen_on_loopback(&port);
    struct station *s = failing(*state, "127.0.0.1", port);

    assert_int_equal(s->last.error, MQTT_ERR_CONNACK_TIMEOUT);
    wait_for(s, s->disconnected > 1);
    station_free(s);
    close(listener);
}

static void test_the_next_server_is_tried(void **state)
{
    struct station *s = station_draft(*state, 0);
    struct mqtt_server servers[2] = {{"127.0.0.1", free_port()},
                                     {"127.0.0.1", broker.port}};

    s->config.servers = servers;
    s->config.server_count = 2;
    station_open(s);
    station_connect(s);
    assert_int_equal(s->disconnected, 1);
    station_free(s);
}

/* ---- the machine has no more descriptors --------------------------------- */

#define DESCRIPTORS 64

static void limit_descriptors(void)
{
    struct rlimit limit = limit_before;

    limit.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int lift_limit(void **state)
{
    (void)state;
    return setrlimit(RLIMIT_NOFILE, &limit_before);
}

static void without_descriptors(const struct way *way, const char *address)
{
    struct station *s = station_draft(way, broker.port);
    int taken[DESCRIPTORS];
    size_t count = 0;

    snprintf(s->address, sizeof(s->address), "%s", address);
    station_open(s);
    limit_descriptors();
    while ((taken[count] = dup(STDIN_FILENO)) >= 0)
        count++;
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected > 2);
    assert_int_equal(s->connected, 0);
    assert_int_equal(s->last.error, MQTT_ERR_NETWORK);
    assert_string_not_equal(s->detail, "");
    while (count)
        close(taken[--count]);
    wait_for(s, s->connected == 1);
    station_free(s);
}

static void test_without_descriptors_an_address_is_tried_again(void **state)
{
    without_descriptors(*state, "127.0.0.1");
}

static void test_without_descriptors_a_name_is_tried_again(void **state)
{
    without_descriptors(*state, "localhost");
}

/* ---- many clients -------------------------------------------------------- */

static void test_several_clients_side_by_side(void **state)
{
    enum { COUNT = 10 };
    struct station *stations[COUNT];
    char payload[8];

    for (unsigned i = 0; i < COUNT; i++) {
        stations[i] = station_new(*state, broker.port);
        station_subscribe(stations[i], stations[i]->identifier, MQTT_QOS_1);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(payload, sizeof(payload), "%u", i);
        station_publish(stations[i], stations[(i + 1) % COUNT]->identifier,
                        payload, MQTT_QOS_1, false);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct station *s = stations[i], *t = stations[(i + 1) % COUNT];

        wait_for_both(s, t, t->letter_count == 1);
        snprintf(payload, sizeof(payload), "%u", i);
        assert_string_equal(station_last(t)->payload, payload);
    }
    for (unsigned i = 0; i < COUNT; i++)
        station_free(stations[i]);
}

static void test_keep_alive_keeps_alive(void **state)
{
    struct mqtt_statistics statistics = {0};
    struct station *s = station_draft(*state, broker.port);

    s->config.connect.keep_alive_s = 1;
    s->config.statistics = &statistics;
    station_open(s);
    station_connect(s);
    wait_for(s, statistics.pings_sent >= 2);
    assert_int_equal(s->disconnected, 0);
    station_publish(s, "still/there", "x", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_free(s);
}

/* poll(2) refuses more entries than the process may have descriptors. */
static void test_a_process_with_few_descriptors_waits(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct rlimit limit = limit_before;

    station_open(s);
    station_connect(s);
    limit.rlim_cur = 4;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (s->driving == &driving_loop)
        assert_true(mqtt_loop(s->client, 1) >= 0);
    s->driving->turn(s, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit_before), 0);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ipv4_address),
        cmocka_unit_test(test_an_ipv6_address),
        cmocka_unit_test(test_a_unix_socket),
        cmocka_unit_test(test_a_name),
        cmocka_unit_test(test_a_refused_connection_is_an_event),
        cmocka_unit_test(test_a_unix_socket_that_is_not_there),
        cmocka_unit_test(test_a_name_that_cannot_be),
        cmocka_unit_test(test_a_name_that_does_not_resolve),
        cmocka_unit_test(test_a_server_that_says_nothing),
        cmocka_unit_test(test_the_next_server_is_tried),
        cmocka_unit_test_teardown(
            test_without_descriptors_an_address_is_tried_again, lift_limit),
        cmocka_unit_test_teardown(test_a_process_with_few_descriptors_waits,
                                  lift_limit),
        cmocka_unit_test_teardown(
            test_without_descriptors_a_name_is_tried_again, lift_limit),
        cmocka_unit_test(test_several_clients_side_by_side),
        cmocka_unit_test(test_keep_alive_keeps_alive),
    };

    return station_run(argc, argv, "network", tests, begin, end);
}
