/*
 * names.c - from a host name to a connection, whatever name servers and
 * addresses do.
 */
#include "dns_server.h"
#include "names_party.h"

#include <sys/resource.h>
#include <unistd.h>

static struct dns_server names;
static struct party party;
static struct landing landing, other;
static uint16_t port;

/* What most tests need: a name server that answers by `function`, and a server
 * at `address`. */
static void begin(dns_function *function, void *context, const char *address)
{
    dns_server_start(&names, function, context);
    port = 0;
    other.listener = other.connection = -1;
    if (!landing_open(&landing, address, &port)) {
        print_message("skip: this machine has no address %s\n", address);
        dns_server_stop(&names);
        skip();
    }
    party_draft(&party, "broker.example", port);
    party.host.socket.name_servers = names.address;
    party.config.retry_base_ms = 1;
}

static void end(void)
{
    party_free(&party);
    landing_close(&landing);
    landing_close(&other);
    dns_server_stop(&names);
}

static void connect_within(mqtt_time within_ms)
{
    unsigned connected = party.connected;

    party_connect(&party);
    party_until_within(&party, &landing, party.connected > connected,
                       within_ms);
}

/* ---- both families ---------------------------------------------------------- */

struct zone {
    const char *a[4], *aaaa[4];
    bool silent_a, silent_aaaa, silent;
};

static void by_zone(struct dns_server *server,
                    const struct dns_question *question,
                    struct dns_answer *answer)
{
    const struct zone *zone = server->context;

    if (zone->silent || (question->type == DNS_A && zone->silent_a) ||
        (question->type == DNS_AAAA && zone->silent_aaaa))
        answer->size = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (answer->size && question->type == DNS_A && zone->a[i])
            dns_add_a(answer, zone->a[i]);
        if (answer->size && question->type == DNS_AAAA && zone->aaaa[i])
            dns_add_aaaa(answer, zone->aaaa[i]);
    }
}

static void test_a_name_with_one_address(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    assert_true(party_took_ms(&party) < 1000);
    end();
}

static void test_the_next_address_is_tried_when_one_refuses(void **state)
{
    struct zone zone = {.a = {"127.0.0.3", "127.0.0.4", "127.0.0.2"},
                        .aaaa = {"::1"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    assert_true(party_took_ms(&party) < 1000);
    end();
}

static void test_ipv6_is_first(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .aaaa = {"::1"}};

    (void)state;
    begin(by_zone, &zone, "::1");
    assert_true(landing_open(&other, "127.0.0.2", &port));
    connect_within(10000);
    assert_int_equal(landing.count, 1);
    assert_int_equal(other.count, 0);
    end();
}

/* ...unless IPv4 is to be. */
static void test_ipv4_is_first_by_option(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .aaaa = {"::1"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    landing_open(&other, "::1", &port);
    party.host.socket.family = MQTT_FAMILY_IPV4_FIRST;
    connect_within(10000);
    assert_int_equal(other.count, 0);
    end();
}

static void test_one_family_only_is_asked_for(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .aaaa = {"::1"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    party.host.socket.family = MQTT_FAMILY_IPV4_ONLY;
    connect_within(10000);
    assert_int_equal(names.asked[DNS_AAAA], 0);
    assert_int_equal(names.asked[DNS_A], 1);
    party_free(&party);
    party.host.socket.family = MQTT_FAMILY_IPV6_ONLY;
    zone.aaaa[0] = NULL;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(names.asked[DNS_A], 1);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    end();
}

static void test_an_address_of_the_other_family_is_not_tried(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    snprintf(party.address, sizeof party.address, "127.0.0.2");
    party.host.socket.family = MQTT_FAMILY_IPV6_ONLY;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NETWORK);
    assert_non_null(strstr(party.detail, "family"));
    assert_int_equal(landing.count, 0);
    end();
}

/* [RFC 8305, 3]: Resolution Delay. */
static void test_nobody_waits_long_for_the_other_family(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .silent_aaaa = true};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    assert_true(party_took_ms(&party) >= 50);
    assert_true(party_took_ms(&party) < 1000);
    end();
}

static void test_the_address_that_worked_last_is_first(void **state)
{
    struct zone zone = {.a = {"127.0.0.5", "127.0.0.2"}, .aaaa = {"::1"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    assert_true(landing_open(&other, "127.0.0.5", &port));
    for (unsigned i = 2; i < 5; i++) {
        landing_cut(&landing);
        party_until(&party, &landing, party.connected == i);
        assert_int_equal(landing.count, i);
    }
    end();
}

/* ---- name servers that are away ---------------------------------------------- */

static void test_a_resolver_that_hangs_ends_in_an_error(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    party.config.open_timeout_ms = 500;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 3);
    assert_int_equal(party.error, MQTT_ERR_OPEN_TIMEOUT);
    assert_true(party_took_ms(&party) < 3000);
    zone.silent = false;
    zone.a[0] = "127.0.0.2";
    party_until(&party, &landing, party.connected == 1);
    end();
}

static void
test_a_resolver_that_hangs_later_does_not_hide_the_server(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    zone.silent = true;
    landing_cut(&landing);
    party_until(&party, &landing, party.connected == 2);
    assert_int_equal(party.disconnected, 1);
    end();
}

static void refusing(struct dns_server *server,
                     const struct dns_question *question,
                     struct dns_answer *answer)
{
    (void)question;
    dns_refuse(answer, *(unsigned *)server->context);
}

static void test_a_name_that_does_not_exist_is_said_to(void **state)
{
    unsigned code = 3;

    (void)state;
    begin(refusing, &code, "127.0.0.2");
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    assert_non_null(strstr(party.detail, "broker.example"));
    end();
}

static void test_a_name_server_that_fails_is_told_of(void **state)
{
    unsigned code = 2;

    (void)state;
    begin(refusing, &code, "127.0.0.2");
    party.config.open_timeout_ms = 9000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    end();
}

static void test_a_name_server_that_is_not_there(void **state)
{
    struct zone zone = {.silent = true};
    char nobody[32];

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    snprintf(nobody, sizeof nobody, "127.0.0.1:%u", (unsigned)free_port());
    party.host.socket.name_servers = nobody;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    end();
}

static void test_name_servers_that_are_no_addresses(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    party.host.socket.name_servers = "not an address";
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    end();
}

/* ---- in the middle ------------------------------------------------------------ */

static void test_freed_while_a_look_up_is_under_way(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    for (int turns = 0; turns < 5; turns++) {
        party_connect(&party);
        for (int i = 0; i < turns; i++)
            turn(party.client, 1);
        party_free(&party);
    }
    end();
}

static void test_freed_in_a_callback_of_a_failed_look_up(void **state)
{
    unsigned code = 3;

    (void)state;
    begin(refusing, &code, "127.0.0.2");
    party.free_when_disconnected = true;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected == 1);
    assert_null(party.client);
    end();
}

static void test_reconnecting_while_a_look_up_is_under_way(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .silent = true};
    unsigned asked;

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    party.config.end_timeout_ms = 1;
    for (int i = 0; i < 5; i++) {
        asked = names.asked[DNS_A];
        party_connect(&party);
        party_until(&party, &landing, names.asked[DNS_A] > asked);
        assert_int_equal(mqtt_disconnect(party.client, 0), MQTT_OK);
        party_until(&party, &landing,
                    mqtt_client_state(party.client) == MQTT_CLIENT_STOPPED);
    }
    zone.silent = false;
    connect_within(10000);
    end();
}

/* The number of a descriptor of the look-up is that of the connection later,
 * and the other way round. */
static void test_descriptors_come_back_with_other_meanings(void **state)
{
    struct zone zone = {.a = {"127.0.0.3", "127.0.0.2"}, .aaaa = {"::1"}};
    int first = -1, at;
    bool again = false;

    (void)state;
    begin(by_zone, &zone, "127.0.0.2");
    connect_within(10000);
    for (unsigned i = 2; i < 12; i++) {
        landing_cut(&landing);
        party_until(&party, &landing, party.connected == i);
        at = party_descriptor(&landing);
        again = again || at == first;
        first = at;
    }
    assert_true(again);
    end();
}

/* ---- hostile answers ----------------------------------------------------------- */

static void garbage(struct dns_server *server,
                    const struct dns_question *question,
                    struct dns_answer *answer)
{
    unsigned *count = server->context;

    (void)question;
    for (size_t i = 2; i < answer->size; i++)
        answer->bytes[i] = (uint8_t)(*count * 31 + i * 17);
    answer->bytes[2] |= 0x80;
    (*count)++;
}

static void test_garbage_is_an_error(void **state)
{
    unsigned count = 0;

    (void)state;
    begin(garbage, &count, "127.0.0.2");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 3);
    assert_true(party.error == MQTT_ERR_NAME ||
                party.error == MQTT_ERR_OPEN_TIMEOUT);
    assert_true(count > 0);
    end();
}

static void pointing_to_itself(struct dns_server *server,
                               const struct dns_question *question,
                               struct dns_answer *answer)
{
    (void)server;
    (void)question;
    answer->bytes[12] = 0xc0; /* the name of the question is at itself */
    answer->bytes[13] = 12;
    answer->bytes[7] = 200;
}

static void test_names_that_point_to_themselves(void **state)
{
    (void)state;
    begin(pointing_to_itself, NULL, "127.0.0.2");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    end();
}

static void endless_aliases(struct dns_server *server,
                            const struct dns_question *question,
                            struct dns_answer *answer)
{
    size_t room = question->tcp ? 65000 : *(size_t *)server->context;

    if (!room)
        dns_truncate(answer);
    while (answer->size < room)
        dns_add_cname(answer, "a.b");
}

static void test_endless_aliases_end(void **state)
{
    size_t room = 4000;

    (void)state;
    begin(endless_aliases, &room, "127.0.0.2");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    end();
}

static void test_endless_aliases_over_tcp_end(void **state)
{
    size_t room = 0;

    (void)state;
    begin(endless_aliases, &room, "127.0.0.2");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    assert_true(names.asked[DNS_A] > 1);
    end();
}

/* 4,000 addresses, of which the first is good: too much is not read. */
static void many_addresses(struct dns_server *server,
                           const struct dns_question *question,
                           struct dns_answer *answer)
{
    (void)server;
    if (!question->tcp)
        dns_truncate(answer);
    for (int i = 0; question->tcp && question->type == DNS_A && i < 4000; i++)
        dns_add_a(answer, i ? "127.0.0.3" : "127.0.0.2");
}

static void test_an_answer_of_64_kib_is_not_read(void **state)
{
    (void)state;
    begin(many_addresses, NULL, "127.0.0.2");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    assert_int_equal(landing.count, 0);
    end();
}

/* Some hundred bytes come by TCP, in two answers over one connection. */
static void truncated(struct dns_server *server,
                      const struct dns_question *question,
                      struct dns_answer *answer)
{
    char address[32];

    (void)server;
    if (!question->tcp)
        dns_truncate(answer);
    for (int i = 40; question->tcp && question->type == DNS_A && i > 1; i--) {
        snprintf(address, sizeof address, "127.0.0.%d", i);
        dns_add_a(answer, address);
    }
}

static void test_a_truncated_answer_is_asked_for_over_tcp(void **state)
{
    (void)state;
    begin(truncated, NULL, "127.0.0.2");
    connect_within(10000);
    assert_true(names.asked[DNS_A] >= 2);
    end();
}

static void test_a_flood_of_answers_is_read_in_pieces(void **state)
{
    unsigned count = 0;

    (void)state;
    begin(garbage, &count, "127.0.0.2");
    names.repeat = 20000;
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    end();
}

static void slow(struct dns_server *server, const struct dns_question *question,
                 struct dns_answer *answer)
{
    (void)server;
    usleep(400000);
    if (question->type == DNS_A)
        dns_add_a(answer, "127.0.0.2");
}

static void test_a_slow_answer_is_waited_for(void **state)
{
    (void)state;
    begin(slow, NULL, "127.0.0.2");
    connect_within(10000);
    assert_true(party_took_ms(&party) >= 400);
    end();
}

/* ---- many addresses -------------------------------------------------------------- */

/* 127.0.1.0 to 127.0.1.62, and the one that lives last of all. */
static void sixty_four(struct dns_server *server,
                       const struct dns_question *question,
                       struct dns_answer *answer)
{
    char address[32];

    (void)server;
    if (question->type == DNS_A && !question->tcp)
        dns_truncate(answer); /* it would not fit into 512 bytes */
    for (int i = 0; question->type == DNS_A && question->tcp && i < 64; i++) {
        snprintf(address, sizeof address, "127.0.1.%d", i);
        dns_add_a(answer, address);
    }
}

static void test_each_of_64_addresses_is_tried(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i += 9) {
        char address[32];

        snprintf(address, sizeof address, "127.0.1.%d", i);
        begin(sixty_four, NULL, address);
        connect_within(10000);
        assert_int_equal(party.disconnected, 0);
        end();
    }
}

static void test_64_dead_addresses_are_an_error(void **state)
{
    (void)state;
    begin(sixty_four, NULL, "127.0.0.2");
    party_connect(&party);
    party_until(&party, &landing, party.disconnected >= 2);
    assert_int_equal(party.error, MQTT_ERR_NETWORK);
    assert_non_null(strstr(party.detail, "127.0.1."));
    end();
}

/* ---- services [RFC 2782] ----------------------------------------------------------- */

struct service {
    unsigned priority, weight, port;
    const char *target; /* a label of 127.0.0.x, or "" */
};

struct services {
    const struct service *list;
    size_t count;
    bool silent;
    char asked[256];
};

/* "t2.example" is 127.0.0.2, and so on. */
static void by_services(struct dns_server *server,
                        const struct dns_question *question,
                        struct dns_answer *answer)
{
    struct services *services = server->context;
    char address[32];

    if (question->type == DNS_SRV) {
        snprintf(services->asked, sizeof services->asked, "%s", question->name);
        if (services->silent)
            answer->size = 0;
        for (size_t i = 0; !services->silent && i < services->count; i++)
            dns_add_srv(answer, services->list[i].priority,
                        services->list[i].weight, services->list[i].port,
                        services->list[i].target);
    } else if (question->type == DNS_A) {
        snprintf(address, sizeof address, "127.0.0.%d",
                 question->name[0] == 't' ? atoi(question->name + 1) : 2);
        dns_add_a(answer, address);
    }
}

static void begin_services(struct services *services, struct service *list,
                           size_t count)
{
    services->list = list;
    services->count = count;
    begin(by_services, services, "127.0.0.2");
    for (size_t i = 0; i < count; i++)
        if (list[i].port == 0)
            list[i].port = port;
    party.server.port = 0;
    party.host.socket.srv = true;
}

static void test_a_service_is_found_at_its_port(void **state)
{
    struct service list[] = {{10, 0, 0, "t2.example"}};
    struct services services = {0};

    (void)state;
    begin_services(&services, list, 1);
    connect_within(10000);
    end();
    assert_string_equal(services.asked, "_mqtt._tcp.broker.example");
}

static void test_targets_are_tried_in_the_order_of_priority(void **state)
{
    struct service list[] = {{30, 9, 0, "t2.example"},
                             {10, 1, 0, "t3.example"},
                             {20, 1, 0, "t4.example"}};
    struct services services = {0};

    (void)state;
    begin_services(&services, list, 3);
    assert_true(landing_open(&other, "127.0.0.4", &port));
    party_connect(&party);
    party_until(&party, &other, party.connected == 1);
    assert_int_equal(landing.count, 0);
    end();
}

static void test_targets_of_one_priority_are_weighted(void **state)
{
    struct service list[] = {{10, 90, 0, "t2.example"},
                             {10, 10, 0, "t4.example"}};
    struct services services = {0};
    unsigned connected = 0;

    (void)state;
    begin_services(&services, list, 2);
    assert_true(landing_open(&other, "127.0.0.4", &port));
    while (connected < 200) {
        party_connect(&party);
        connected++;
        while (landing.count + other.count < connected) {
            turn(party.client, 5);
            landing_serve(&landing);
            landing_serve(&other);
        }
        party_free(&party);
    }
    /* 180 and 20 are expected; beyond 5 deviations (4.2 each) is an error */
    assert_in_range(other.count, 2, 41);
    end();
}

static void test_a_service_without_weight_is_a_last_resort(void **state)
{
    struct service list[] = {{10, 0, 0, "t3.example"},
                             {10, 0, 0, "t2.example"}};
    struct services services = {0};

    (void)state;
    begin_services(&services, list, 2);
    connect_within(10000);
    end();
}

static void test_a_service_that_is_not_offered(void **state)
{
    struct service list[] = {{0, 0, 1, ""}};
    struct services services = {0};

    (void)state;
    begin_services(&services, list, 1);
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_NAME);
    assert_non_null(strstr(party.detail, "no such service"));
    assert_int_equal(names.asked[DNS_A], 0);
    end();
}

static void test_a_port_that_is_given_needs_no_service(void **state)
{
    struct service list[] = {{10, 0, 1, "t3.example"}};
    struct services services = {0};

    (void)state;
    begin_services(&services, list, 1);
    snprintf(party.address, sizeof party.address, "mqtt://broker.example:%u",
             (unsigned)port);
    connect_within(10000);
    assert_int_equal(names.asked[DNS_SRV], 0);
    end();
}

/* The name itself then, at 1883: nobody may be there, but it is tried. */
static void without_service(struct services *services, const char *why)
{
    party_connect(&party);
    party_until(&party, &landing,
                party.disconnected > 0 || party.connected > 0);
    if (!party.connected && !strstr(party.detail, "127.0.0.2:1883"))
        fail_msg("%s: %s", why, party.detail);
    assert_true(names.asked[DNS_SRV] > 0);
    services->silent = false;
    end();
}

static void test_without_a_service_the_name_is_tried(void **state)
{
    struct services services = {0};

    (void)state;
    begin_services(&services, NULL, 0);
    without_service(&services, "no record");
}

static void test_a_question_for_services_may_go_unanswered(void **state)
{
    struct services services = {.silent = true};

    (void)state;
    begin_services(&services, NULL, 0);
    without_service(&services, "silence");
}

/* More than 64 of them, to all of which nobody listens. */
static void test_many_services_are_bounded(void **state)
{
    static struct service list[200];
    struct services services = {0};

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        list[i] = (struct service){i, i, 1, "t9"};
    begin_services(&services, list, 20);
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 1);
    assert_true(names.asked[DNS_A] <= 2 * 16 + 2);
    end();
}

/* ---- descriptors above 1,024 --------------------------------------------------------- */

static void test_descriptors_above_1024(void **state)
{
    struct zone zone = {.a = {"127.0.0.2"}, .aaaa = {"::1"}};
    struct rlimit before, more;
    int taken[1100], count = 0;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    more = before;
    more.rlim_cur = 2048;
    if (setrlimit(RLIMIT_NOFILE, &more)) {
        print_message("skip: no more than %lu descriptors are allowed\n",
                      (unsigned long)before.rlim_max);
        skip();
    }
    begin(by_zone, &zone, "127.0.0.2");
    while (count < 1100 && (taken[count] = dup(STDIN_FILENO)) >= 0)
        count++;
    connect_within(10000);
    assert_true(party_descriptor(&landing) > 1024);
    while (count)
        close(taken[--count]);
    end();
    setrlimit(RLIMIT_NOFILE, &before);
}

static int say_longest_turn(void **state)
{
    (void)state;
    print_message("the longest turn: %lu us\n", turns_longest_us());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_with_one_address),
        cmocka_unit_test(test_the_next_address_is_tried_when_one_refuses),
        cmocka_unit_test(test_ipv6_is_first),
        cmocka_unit_test(test_ipv4_is_first_by_option),
        cmocka_unit_test(test_one_family_only_is_asked_for),
        cmocka_unit_test(test_an_address_of_the_other_family_is_not_tried),
        cmocka_unit_test(test_nobody_waits_long_for_the_other_family),
        cmocka_unit_test(test_the_address_that_worked_last_is_first),
        cmocka_unit_test(test_a_resolver_that_hangs_ends_in_an_error),
        cmocka_unit_test(
            test_a_resolver_that_hangs_later_does_not_hide_the_server),
        cmocka_unit_test(test_a_name_that_does_not_exist_is_said_to),
        cmocka_unit_test(test_a_name_server_that_fails_is_told_of),
        cmocka_unit_test(test_a_name_server_that_is_not_there),
        cmocka_unit_test(test_name_servers_that_are_no_addresses),
        cmocka_unit_test(test_freed_while_a_look_up_is_under_way),
        cmocka_unit_test(test_freed_in_a_callback_of_a_failed_look_up),
        cmocka_unit_test(test_reconnecting_while_a_look_up_is_under_way),
        cmocka_unit_test(test_descriptors_come_back_with_other_meanings),
        cmocka_unit_test(test_garbage_is_an_error),
        cmocka_unit_test(test_names_that_point_to_themselves),
        cmocka_unit_test(test_endless_aliases_end),
        cmocka_unit_test(test_endless_aliases_over_tcp_end),
        cmocka_unit_test(test_an_answer_of_64_kib_is_not_read),
        cmocka_unit_test(test_a_truncated_answer_is_asked_for_over_tcp),
        cmocka_unit_test(test_a_flood_of_answers_is_read_in_pieces),
        cmocka_unit_test(test_a_slow_answer_is_waited_for),
        cmocka_unit_test(test_each_of_64_addresses_is_tried),
        cmocka_unit_test(test_64_dead_addresses_are_an_error),
        cmocka_unit_test(test_a_service_is_found_at_its_port),
        cmocka_unit_test(test_targets_are_tried_in_the_order_of_priority),
        cmocka_unit_test(test_targets_of_one_priority_are_weighted),
        cmocka_unit_test(test_a_service_without_weight_is_a_last_resort),
        cmocka_unit_test(test_a_service_that_is_not_offered),
        cmocka_unit_test(test_a_port_that_is_given_needs_no_service),
        cmocka_unit_test(test_without_a_service_the_name_is_tried),
        cmocka_unit_test(test_a_question_for_services_may_go_unanswered),
        cmocka_unit_test(test_many_services_are_bounded),
        cmocka_unit_test(test_descriptors_above_1024),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, say_longest_turn);
}
