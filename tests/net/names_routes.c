/*
 * names_routes.c - addresses that swallow what is sent to them, and what else
 * takes a network of one's own: /etc/hosts, interfaces, dnsmasq.
 */
#include "dns_server.h"
#include "names_house.h"
#include "names_party.h"

static struct dns_server names;
static struct party party;
static struct landing landing;
static uint16_t port;

struct zone {
    unsigned dead;        /* 10.9.0.11 and so on, before the good one */
    const char *a, *aaaa; /* NULL: none */
    bool silent;
};

static void by_zone(struct dns_server *server,
                    const struct dns_question *question,
                    struct dns_answer *answer)
{
    const struct zone *zone = server->context;
    char address[32];

    if (zone->silent)
        answer->size = 0;
    else if (!question->tcp && zone->dead > 20)
        dns_truncate(answer);
    else if (question->type == DNS_AAAA && zone->aaaa)
        dns_add_aaaa(answer, zone->aaaa);
    if (zone->silent || question->type != DNS_A ||
        (!question->tcp && zone->dead > 20))
        return;
    for (unsigned i = 0; i < zone->dead; i++) {
        snprintf(address, sizeof address, "10.9.0.%u", 11 + i);
        dns_add_a(answer, address);
    }
    if (zone->a)
        dns_add_a(answer, zone->a);
}

static void begin(struct zone *zone, const char *address)
{
    house_needed();
    dns_server_start(&names, by_zone, zone);
    port = 0;
    assert_true(landing_open(&landing, address, &port));
    party_draft(&party, "broker.example", port);
    party.host.socket.name_servers = names.address;
    party.config.retry_base_ms = 1;
}

static void end(void)
{
    party_free(&party);
    landing_close(&landing);
    dns_server_stop(&names);
}

static void connect_within(mqtt_time within_ms)
{
    party_connect(&party);
    party_until_within(&party, &landing, party.connected == 1, within_ms);
}

/* ---- dead addresses ------------------------------------------------------------- */

/* The system sorts what it finds [RFC 6724]: both are of one scope. */
static void test_a_dead_address_costs_250_ms(void **state)
{
    struct zone zone = {.dead = 1, .a = "10.9.0.1"};

    (void)state;
    begin(&zone, "10.9.0.1");
    connect_within(3000);
    assert_true(party_took_ms(&party) < 1000);
    end();
}

static void test_a_dead_ipv6_address_costs_250_ms(void **state)
{
    struct zone zone = {.a = "10.9.0.1", .aaaa = "fd09::11"};

    (void)state;
    begin(&zone, "10.9.0.1");
    connect_within(3000);
    assert_in_range(party_took_ms(&party), 240, 1000);
    end();
}

static void test_families_take_turns(void **state)
{
    struct zone zone = {.dead = 8, .aaaa = "fd09::1"};

    (void)state;
    begin(&zone, "fd09::1");
    party.host.socket.family = MQTT_FAMILY_IPV4_FIRST;
    connect_within(3000);
    assert_in_range(party_took_ms(&party), 240, 1000);
    end();
}

static void test_no_way_to_an_address_costs_nothing(void **state)
{
    struct zone zone = {.a = "10.9.0.1", .aaaa = "2001:db8::1"};

    (void)state;
    begin(&zone, "10.9.0.1");
    connect_within(3000);
    assert_true(party_took_ms(&party) < 240);
    end();
}

/* The good one may stand anywhere, since addresses are sorted; that all are
 * tried in time shows when it is reached only as a last one. */
static void test_63_dead_addresses_are_overcome(void **state)
{
    struct zone zone = {.dead = 63, .a = "10.9.0.1"};

    (void)state;
    begin(&zone, "10.9.0.1");
    party.config.open_timeout_ms = 12000;
    connect_within(12000);
    assert_int_equal(party.disconnected, 0);
    print_message("63 dead ones before it: %u ms\n",
                  (unsigned)party_took_ms(&party));
    end();
}

static void test_dead_addresses_end_with_the_limit_of_time(void **state)
{
    struct zone zone = {.dead = 64};

    (void)state;
    begin(&zone, "10.9.0.1");
    party.config.open_timeout_ms = 1000;
    party_connect(&party);
    party_until(&party, &landing, party.disconnected == 2);
    assert_int_equal(party.error, MQTT_ERR_OPEN_TIMEOUT);
    assert_in_range(party_took_ms(&party), 2000, 3000);
    end();
}

static void test_freed_while_connects_are_under_way(void **state)
{
    struct zone zone = {.dead = 8};

    (void)state;
    begin(&zone, "10.9.0.1");
    party_connect(&party);
    party_until_within(&party, &landing, party_took_ms(&party) > 600, 2000);
    end();
}

/* ---- /etc/hosts: c-ares calls back before it returns ------------------------------- */

static void test_a_name_of_the_hosts_file_needs_no_name_server(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(&zone, "127.0.0.2");
    house_hosts("127.0.0.1 localhost\n127.0.0.2 broker.example\n");
    connect_within(3000);
    assert_true(party_took_ms(&party) < 1000);
    end();
}

static void test_both_families_of_the_hosts_file_come_at_once(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(&zone, "127.0.0.2");
    house_hosts("127.0.0.2 broker.example\n::1 broker.example\n");
    connect_within(3000);
    assert_true(party_took_ms(&party) < 240);
    assert_int_equal(names.asked[DNS_A] + names.asked[DNS_AAAA], 0);
    house_hosts("127.0.0.1 localhost\n");
    end();
}

/* ---- interfaces -------------------------------------------------------------------- */

static void test_a_link_local_address_has_a_zone(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(&zone, "::");
    snprintf(party.address, sizeof party.address, "fe80::9%%house");
    connect_within(3000);
    party_free(&party);
    party.connected = 0;
    snprintf(party.address, sizeof party.address,
             "mqtt://[fe80::9%%25house]:%u", (unsigned)port);
    connect_within(3000);
    assert_int_equal(landing.count, 2);
    assert_string_equal(landing.from, "fe80::9");
    end();
}

static void test_a_zone_that_is_not_there_is_no_address(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(&zone, "::");
    snprintf(party.address, sizeof party.address, "fe80::9%%garden");
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, MQTT_ERR_SERVER);
    end();
}

/* Nothing of this host's other addresses is reached through an interface. */
static void test_the_interface_is_kept_to(void **state)
{
    struct zone zone = {.silent = true};

    (void)state;
    begin(&zone, "127.0.0.2");
    snprintf(party.address, sizeof party.address, "127.0.0.2");
    party.host.socket.interface_name = "lo";
    connect_within(3000);
    party_free(&party);
    party.connected = party.disconnected = 0;
    party.config.open_timeout_ms = 300;
    party.host.socket.interface_name = "house";
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.connected, 0);
    end();
}

/* ---- dnsmasq and mosquitto ------------------------------------------------------------ */

static void test_dnsmasq_leads_to_mosquitto(void **state)
{
    char listen_port[32], service[64], server[32];
    const char *arguments[] = {"dnsmasq",
                               "--keep-in-foreground",
                               "--conf-file=/dev/null",
                               "--pid-file",
                               "--user=root",
                               "--no-resolv",
                               "--no-hosts",
                               "--listen-address=127.0.0.1",
                               "--bind-interfaces",
                               "--host-record=target.test,127.0.0.1",
                               "--host-record=broker.test,10.9.0.2",
                               listen_port,
                               service,
                               NULL};
    struct broker broker;
    uint16_t dns_port = free_port();
    pid_t dnsmasq;

    (void)state;
    house_needed();
    broker_begin(&broker, "");
    snprintf(listen_port, sizeof listen_port, "--port=%u", dns_port);
    snprintf(service, sizeof service,
             "--srv-host=_mqtt._tcp.broker.test,target.test,%u", broker.port);
    dnsmasq = program_start(arguments, NULL);
    party_draft(&party, "mqtt://broker.test", 0);
    snprintf(server, sizeof server, "127.0.0.1:%u", dns_port);
    party.host.socket.name_servers = server;
    party.host.socket.srv = true;
    party.config.retry_base_ms = 20;
    landing.listener = landing.connection = -1;
    connect_within(10000);
    party_free(&party);
    program_stop(dnsmasq);
    broker_end(&broker);
}

static int leave(void **state)
{
    print_message("the longest turn: %lu us\n", turns_longest_us());
    return house_leave(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dead_address_costs_250_ms),
        cmocka_unit_test(test_a_dead_ipv6_address_costs_250_ms),
        cmocka_unit_test(test_families_take_turns),
        cmocka_unit_test(test_no_way_to_an_address_costs_nothing),
        cmocka_unit_test(test_63_dead_addresses_are_overcome),
        cmocka_unit_test(test_dead_addresses_end_with_the_limit_of_time),
        cmocka_unit_test(test_freed_while_connects_are_under_way),
        cmocka_unit_test(test_a_name_of_the_hosts_file_needs_no_name_server),
        cmocka_unit_test(test_both_families_of_the_hosts_file_come_at_once),
        cmocka_unit_test(test_a_link_local_address_has_a_zone),
        cmocka_unit_test(test_a_zone_that_is_not_there_is_no_address),
        cmocka_unit_test(test_the_interface_is_kept_to),
        cmocka_unit_test(test_dnsmasq_leads_to_mosquitto),
    };

    return cmocka_run_group_tests_name("names_routes", tests, house_enter,
                                       leave);
}
