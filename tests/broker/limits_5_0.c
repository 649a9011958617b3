/*
 * limits_5_0.c - brokers that do not take everything, or not from everybody:
 * what they say is kept, and what they refuse reaches the application.
 */
#include "station.h"

#include <glob.h>

static struct broker strict, narrow, guarded, dynamic;
static bool has_plugin;

/* What a file says who may do what. */
static const char access_list[] = "topic readwrite open/#\n"
                                  "topic readwrite round/trip\n"
                                  "topic read forbidden/#\n";

/* The plugin that comes with mosquitto can also refuse to subscribe, which
 * files of version 2.0.11 cannot. */
static const char security[] =
    "{\"defaultACLAccess\":{\"publishClientSend\":true,"
    "\"publishClientReceive\":true,\"subscribe\":true,\"unsubscribe\":true},"
    "\"clients\":[],"
    "\"groups\":[{\"groupname\":\"anyone\",\"clients\":[],"
    "\"roles\":[{\"rolename\":\"visitor\"}]}],"
    "\"roles\":[{\"rolename\":\"visitor\",\"acls\":["
    "{\"acltype\":\"subscribePattern\",\"topic\":\"forbidden/#\","
    "\"priority\":0,\"allow\":false},"
    "{\"acltype\":\"publishClientSend\",\"topic\":\"$CONTROL/#\","
    "\"priority\":0,\"allow\":true}]}],"
    "\"anonymousGroup\":\"anyone\"}\n";

static void begin_dynamic(void)
{
    glob_t found;

    has_plugin =
        glob("/usr/lib/*/mosquitto_dynamic_security.so", 0, NULL, &found) == 0;
    if (!has_plugin)
        return;
    broker_draft(&dynamic, "");
    broker_write(&dynamic, "security", security);
    snprintf(dynamic.more, sizeof(dynamic.more),
             "plugin %s\nplugin_opt_config_file %s/security\n",
             found.gl_pathv[0], dynamic.folder);
    globfree(&found);
    broker_run(&dynamic);
}

static int begin(void **state)
{
    (void)state;
    broker_draft(&strict, "");
    snprintf(strict.more, sizeof(strict.more),
             "max_qos 1\n"
             "max_packet_size 2000\n"
             "max_keepalive 20\n"
             "retain_available false\n");
    broker_run(&strict);
    broker_draft(&narrow, "");
    snprintf(narrow.more, sizeof(narrow.more), "max_inflight_messages 5\n");
    broker_run(&narrow);
    broker_draft(&guarded, "");
    broker_write(&guarded, "access", access_list);
    snprintf(guarded.more, sizeof(guarded.more), "acl_file %s/access\n",
             guarded.folder);
    broker_run(&guarded);
    begin_dynamic();
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&strict);
    broker_end(&narrow);
    broker_end(&guarded);
    if (has_plugin)
        broker_end(&dynamic);
    return 0;
}

/* ---- limits that CONNACK tells ------------------------------------------- */

static void test_the_limits_are_known(void **state)
{
    struct station *s = station_new(*state, strict.port);
    const struct mqtt_limits *limits = mqtt_client_limits(s->client);

    assert_int_equal(limits->maximum_packet_size, 2000);
    assert_int_equal(limits->maximum_qos, 1);
    assert_false(limits->retain_available);
    assert_int_equal(limits->keep_alive_s, 20);
    assert_true(limits->wildcard_available);
    assert_true(limits->shared_available);
    assert_true(limits->subscription_identifiers_available);
    station_free(s);
}

/* PUBLISH at QoS 1 to "x", without properties: 3 bytes of fixed header, 3 of
 * topic name, 2 of packet identifier, 1 of properties. */
#define OVERHEAD (3 + 3 + 2 + 1)

static void test_what_is_too_large_for_the_broker_is_refused(void **state)
{
    static char payload[2000];
    struct station *s = station_draft(*state, strict.port);

    s->config.no_topic_aliases = true;
    station_open(s);
    station_connect(s);
    station_subscribe(s, "x", MQTT_QOS_1);
    assert_int_equal(mqtt_publish(s->client, "x", payload, 2001 - OVERHEAD,
                                  MQTT_QOS_1, false),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    assert_int_equal(mqtt_publish(s->client, "x", payload, 2000 - OVERHEAD,
                                  MQTT_QOS_1, false),
                     MQTT_OK);
    wait_for(s, s->acknowledged == 1 && s->letter_count == 1);
    assert_int_equal(station_last(s)->size, 2000 - OVERHEAD);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

/* An alias would make the packet larger: it goes without. */
static void test_an_alias_makes_nothing_too_large(void **state)
{
    static char payload[2000];
    struct station *s = station_new(*state, strict.port);

    station_subscribe(s, "x", MQTT_QOS_1);
    for (unsigned i = 0; i <= 5; i++) {
        assert_int_equal(mqtt_publish(s->client, "x", payload,
                                      2000 - OVERHEAD - i, MQTT_QOS_1, false),
                         MQTT_OK);
        wait_for(s, s->acknowledged == i + 1 && s->letter_count == i + 1);
    }
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

static void test_a_filter_too_large_for_the_broker_is_refused(void **state)
{
    static char filter[2001];
    struct station *s = station_new(*state, strict.port);

    memset(filter, 'f', 2000);
    s->subscription.topic_filter = mqtt_text(filter);
    assert_int_equal(mqtt_subscribe(s->client, &s->subscription),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    station_free(s);
}

static void test_a_qos_above_the_maximum_is_refused(void **state)
{
    struct station *s = station_new(*state, strict.port);

    assert_int_equal(mqtt_publish(s->client, "x", "", 0, MQTT_QOS_2, false),
                     MQTT_ERR_MAXIMUM_QOS);
    station_publish(s, "x", "", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_free(s);
}

static void test_retain_is_refused_where_there_is_none(void **state)
{
    struct station *s = station_new(*state, strict.port);

    assert_int_equal(mqtt_publish(s->client, "x", "", 0, MQTT_QOS_1, true),
                     MQTT_ERR_RETAIN_UNAVAILABLE);
    station_publish(s, "x", "", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_free(s);
}

/* Accepted before anybody knew: they end, each, and the others arrive. */
static void test_what_was_accepted_too_early_ends_forbidden(void **state)
{
    static char payload[3000];
    struct station *s = station_draft(*state, strict.port);

    station_open(s);
    station_publish(s, "early", "1", MQTT_QOS_1, false);
    station_publish(s, "early", "", MQTT_QOS_2, false);
    station_publish(s, "early", "", MQTT_QOS_1, true);
    assert_int_equal(mqtt_publish(s->client, "early", payload, sizeof(payload),
                                  MQTT_QOS_1, false),
                     MQTT_OK);
    station_publish(s, "early", "2", MQTT_QOS_1, false);
    station_connect(s);
    wait_for(s, s->acknowledged == 2 && s->lost == 3);
    assert_int_equal(s->forbidden, 3);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

static void will_is_refused(const struct way *way,
                            const struct mqtt_message *will, uint8_t code)
{
    struct station *s = station_draft(way, strict.port);

    s->config.connect.will = will;
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->refused, 1);
    assert_int_equal(s->last.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->last.reason_code, code);
    assert_int_equal(s->connected, 0);
    station_free(s);
}

static void test_a_will_beyond_the_limits_is_refused(void **state)
{
    const struct mqtt_message qos_2 = {.topic_name = MQTT_TEXT("will"),
                                       .qos = MQTT_QOS_2};
    const struct mqtt_message retained = {.topic_name = MQTT_TEXT("will"),
                                          .retain = true};

    will_is_refused(*state, &qos_2, MQTT_REASON_QOS_NOT_SUPPORTED);
    will_is_refused(*state, &retained, MQTT_REASON_RETAIN_NOT_SUPPORTED);
}

/* mosquitto 2.0.11 loses what exceeds this limit; so nothing may. */
static void test_the_receive_maximum_of_the_broker_is_kept(void **state)
{
    enum { COUNT = 300 };
    struct station *s = station_new(*state, narrow.port);
    struct station *t = station_new(*state, narrow.port);
    unsigned seen[COUNT] = {0};
    char payload[8];

    assert_int_equal(mqtt_client_limits(s->client)->receive_maximum, 5);
    station_subscribe(t, t->identifier, MQTT_QOS_2);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(payload, sizeof(payload), "%u", i);
        station_publish(s, t->identifier, payload,
                        i & 1 ? MQTT_QOS_1 : MQTT_QOS_2, false);
    }
    wait_for_both(s, t, s->acknowledged == COUNT && t->letter_count >= COUNT);
    for (size_t i = 0; i < t->letter_count; i++)
        seen[strtoul(t->letters[i].payload, NULL, 10)]++;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(s->disconnected + t->disconnected, 0);
    station_free(s);
    station_free(t);
}

/* ---- who may do what ----------------------------------------------------- */

static void test_a_publish_that_is_not_allowed_is_refused(void **state)
{
    struct mqtt_statistics statistics = {0};
    struct station *s = station_draft(*state, guarded.port);

    s->config.statistics = &statistics;
    station_open(s);
    station_connect(s);
    for (unsigned qos = 1; qos <= 2; qos++) {
        station_publish(s, "forbidden/x", "x", (enum mqtt_qos)qos, false);
        wait_for(s, s->lost == qos);
        assert_int_equal(s->outcome, MQTT_OUTCOME_REFUSED);
        assert_int_equal(s->published_code, MQTT_REASON_NOT_AUTHORIZED);
        station_publish(s, "open/x", "x", (enum mqtt_qos)qos, false);
        wait_for(s, s->acknowledged == qos);
    }
    assert_int_equal(statistics.messages_refused, 2);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

/* One of three: the others hold. It stays registered, and can be ended. */
static void test_a_subscription_that_is_not_allowed_is_refused(void **state)
{
    struct mqtt_subscription allowed = {.topic_filter = MQTT_TEXT("allowed"),
                                        .maximum_qos = MQTT_QOS_2};
    struct station *s;

    if (!has_plugin) {
        print_message("skip: no plugin mosquitto_dynamic_security\n");
        skip();
    }
    s = station_draft(*state, dynamic.port);
    station_open(s);
    s->subscription.topic_filter = mqtt_text("forbidden/x");
    s->subscription.maximum_qos = MQTT_QOS_1;
    assert_int_equal(mqtt_subscribe(s->client, &allowed), MQTT_OK);
    assert_int_equal(mqtt_subscribe(s->client, &s->subscription), MQTT_OK);
    station_connect(s);
    wait_for(s, s->subscribed == 2);
    assert_ptr_equal(s->last.subscription, &s->subscription);
    assert_int_equal(s->last.reason_code, MQTT_REASON_NOT_AUTHORIZED);
    station_publish(s, "forbidden/x", "no", MQTT_QOS_1, false);
    station_publish(s, "allowed", "yes", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    assert_string_equal(station_last(s)->payload, "yes");
    assert_int_equal(mqtt_unsubscribe(s->client, &s->subscription), MQTT_OK);
    wait_for(s, s->unsubscribed == 1);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

/* A role of theirs has changed: the plugin throws all visitors out, and they
 * may come back. mosquitto 2.0.11 sends no DISCONNECT when a session is taken
 * over (0x8E) or when it shuts down (0x8B); servers_5_0.c has servers that
 * do. */
static void test_the_server_says_why_it_ends(void **state)
{
    struct station *s, *t;
    char command[256];

    if (!has_plugin) {
        print_message("skip: no plugin mosquitto_dynamic_security\n");
        skip();
    }
    s = station_new(*state, dynamic.port);
    t = station_new(*state, dynamic.port);
    snprintf(command, sizeof(command),
             "{\"commands\":[{\"command\":\"addRoleACL\","
             "\"rolename\":\"visitor\",\"acltype\":\"subscribePattern\","
             "\"topic\":\"%s\",\"priority\":0,\"allow\":true}]}",
             t->identifier);
    station_publish(t, "$CONTROL/dynamic-security/v1", command, MQTT_QOS_0,
                    false);
    wait_for_both(s, t, s->connected == 2 && t->connected == 2);
    assert_int_equal(s->server_disconnects, 1);
    assert_int_equal(s->server_disconnect_code,
                     MQTT_REASON_ADMINISTRATIVE_ACTION);
    assert_int_equal(s->first_error, MQTT_ERR_DISCONNECT_PACKET);
    assert_true(s->session_present);
    station_free(s);
    station_free(t);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_limits_are_known),
        cmocka_unit_test(test_what_is_too_large_for_the_broker_is_refused),
        cmocka_unit_test(test_an_alias_makes_nothing_too_large),
        cmocka_unit_test(test_a_filter_too_large_for_the_broker_is_refused),
        cmocka_unit_test(test_a_qos_above_the_maximum_is_refused),
        cmocka_unit_test(test_retain_is_refused_where_there_is_none),
        cmocka_unit_test(test_what_was_accepted_too_early_ends_forbidden),
        cmocka_unit_test(test_a_will_beyond_the_limits_is_refused),
        cmocka_unit_test(test_the_receive_maximum_of_the_broker_is_kept),
        cmocka_unit_test(test_a_publish_that_is_not_allowed_is_refused),
        cmocka_unit_test(test_a_subscription_that_is_not_allowed_is_refused),
        cmocka_unit_test(test_the_server_says_why_it_ends),
    };

    return station_run_5_0(argc, argv, "limits_5_0", tests, begin, end);
}
