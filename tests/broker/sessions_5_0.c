/*
 * sessions_5_0.c - sessions that end when they were asked to, and wills that
 * wait.
 */
#include "relay.h"
#include "station.h"

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

static struct mqtt_span
number_property(uint8_t *memory, size_t size,
                enum mqtt_property_identifier identifier, uint32_t number)
{
    struct mqtt_property_builder builder;
    struct mqtt_span properties;
    enum mqtt_error error;

    mqtt_properties_begin(&builder, memory, size);
    mqtt_property_add_number(&builder, identifier, number);
    properties = mqtt_properties_end(&builder, &error);
    assert_int_equal(error, MQTT_OK);
    return properties;
}

/* ---- the client identifier ----------------------------------------------- */

static void test_an_assigned_identifier_keeps_its_session(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct mqtt_span identifier;
    char before[64];

    s->config.connect.client_identifier = mqtt_text("");
    station_open(s);
    station_connect(s);
    identifier = mqtt_client_identifier(s->client);
    assert_in_range(identifier.size, 1, sizeof(before) - 1);
    memcpy(before, identifier.data, identifier.size);
    station_subscribe(s, "assigned", MQTT_QOS_1);
    station_disconnect(s);
    station_publish(t, "assigned", "meanwhile", MQTT_QOS_1, false);
    wait_for(t, t->acknowledged == 1);
    station_connect(s);
    assert_true(s->session_present);
    wait_for(s, s->letter_count == 1);
    assert_memory_equal(mqtt_client_identifier(s->client).data, before,
                        identifier.size);
    station_free(s);
    station_free(t);
}

/* ---- session expiry ------------------------------------------------------ */

static bool was_logged(const struct broker *by, const char *words,
                       const char *identifier)
{
    char path[96], line[128], *log;
    bool found;

    snprintf(path, sizeof(path), "%s/log", by->folder);
    snprintf(line, sizeof(line), "%s %s", words, identifier);
    log = content_of(path);
    found = strstr(log, line) != NULL;
    free(log);
    return found;
}

static void test_a_session_ends_when_its_time_is_over(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->config.connect.session_expiry_s = 1;
    station_open(s);
    station_connect(s);
    station_subscribe(s, "expiring", MQTT_QOS_1);
    station_disconnect(s);
    station_connect(s);
    assert_true(s->session_present);
    assert_int_equal(s->subscribed, 1);
    station_disconnect(s);
    wait_for(s, was_logged(&broker, "Expiring client", s->identifier));
    station_connect(s);
    assert_false(s->session_present);
    wait_for(s, s->subscribed == 2);
    station_publish(s, "expiring", "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    station_free(s);
}

/* Asked for by DISCONNECT, with the last word. */
static void test_disconnect_ends_the_session(void **state)
{
    struct station *s = station_new(*state, broker.port);
    uint8_t memory[8];
    struct mqtt_disconnect_options options = {
        .properties = number_property(
            memory, sizeof(memory), MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, 0)};

    station_subscribe(s, "ended", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect_with(s->client, 0, &options), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->last.error, MQTT_OK);
    station_connect(s);
    assert_false(s->session_present);
    wait_for(s, s->subscribed == 2);
    station_free(s);
}

/* Only the first connection is to begin anew. */
static void test_a_clean_start_may_begin_a_session_that_lasts(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *former = station_new(*state, broker.port);
    struct station *s = station_draft(*state, relay_port(relay));

    station_subscribe(former, "former", MQTT_QOS_1);
    station_disconnect(former);
    s->config.connect.client_identifier = mqtt_text(former->identifier);
    s->config.connect.clean_start = true;
    s->config.connect.session_expiry_s = 1000;
    station_open(s);
    station_connect(s);
    assert_false(s->session_present);
    station_subscribe(s, "lasting", MQTT_QOS_1);
    relay_cut(relay);
    wait_for(s, s->connected == 2);
    assert_true(s->session_present);
    assert_int_equal(s->subscribed, 1);
    station_publish(s, "lasting", "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    station_free(former);
    station_free(s);
    relay_end(relay);
}

static size_t retained_after_a_cut(const struct way *way, bool without)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *s = station_draft(way, relay_port(relay));
    size_t count;

    s->config.connect.clean_start = true;
    s->config.renew_without_retained = without;
    station_open(s);
    station_connect(s);
    station_publish(s, s->identifier, "kept", MQTT_QOS_1, true);
    wait_for(s, s->acknowledged == 1);
    station_subscribe(s, s->identifier, MQTT_QOS_1);
    wait_for(s, s->letter_count == 1);
    relay_cut(relay);
    wait_for(s, s->subscribed == 2);
    finish_exchanges(s);
    count = s->letter_count - 1;
    station_publish(s, s->identifier, "", MQTT_QOS_1, true);
    finish_exchanges(s);
    station_free(s);
    relay_end(relay);
    return count;
}

static void test_what_is_subscribed_anew_may_do_without_retained(void **state)
{
    assert_int_equal(retained_after_a_cut(*state, false), 1);
    assert_int_equal(retained_after_a_cut(*state, true), 0);
}

/* ---- wills --------------------------------------------------------------- */

static struct mqtt_message will_to(const struct station *s,
                                   struct mqtt_span properties)
{
    return (struct mqtt_message){.topic_name = mqtt_text(s->identifier),
                                 .payload = MQTT_TEXT("gone"),
                                 .qos = MQTT_QOS_1,
                                 .properties = properties};
}

static void test_a_will_waits(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct mqtt_message will;
    uint8_t memory[8];
    uint64_t before;

    will = will_to(t, number_property(memory, sizeof(memory),
                                      MQTT_PROPERTY_WILL_DELAY_INTERVAL, 2));
    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, t->identifier, MQTT_QOS_1);
    before = milliseconds();
    station_free(s);
    wait_for(t, t->letter_count == 1);
    assert_string_equal(station_last(t)->payload, "gone");
    /* mosquitto counts whole seconds, so one of the two may be short. */
    assert_true(milliseconds() - before > 900);
    station_free(t);
}

/* It would wait for a minute; then the one who comes back has it dropped. */
static void test_who_comes_back_in_time_has_no_will(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *s = station_draft(*state, relay_port(relay));
    struct station *t = station_new(*state, broker.port);
    struct mqtt_message will;
    uint8_t memory[8];

    will = will_to(t, number_property(memory, sizeof(memory),
                                      MQTT_PROPERTY_WILL_DELAY_INTERVAL, 60));
    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, t->identifier, MQTT_QOS_1);
    relay_cut(relay);
    wait_for(s, s->connected == 2);
    station_disconnect(s); /* no will of this connection either */
    finish_exchanges(t);
    assert_int_equal(t->letter_count, 0);
    station_free(s);
    station_free(t);
    relay_end(relay);
}

static void test_a_will_has_properties(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct mqtt_property_builder builder;
    struct mqtt_property property = {0};
    struct mqtt_message will;
    uint8_t memory[64];

    mqtt_properties_begin(&builder, memory, sizeof(memory));
    mqtt_property_add_text(&builder, MQTT_PROPERTY_CONTENT_TYPE,
                           mqtt_text("text/will"));
    mqtt_property_add_user(&builder, mqtt_text("who"), mqtt_text("was it"));
    will = will_to(t, mqtt_properties_end(&builder, NULL));
    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, t->identifier, MQTT_QOS_1);
    station_free(s);
    wait_for(t, t->letter_count == 1);
    assert_true(
        letter_says(station_last(t), MQTT_PROPERTY_CONTENT_TYPE, "text/will"));
    assert_true(mqtt_property_find(station_last(t)->properties,
                                   MQTT_PROPERTY_USER_PROPERTY, &property));
    assert_memory_equal(property.name.data, "who", 3);
    assert_memory_equal(property.text.data, "was it", 6);
    station_free(t);
}

static void test_disconnect_can_leave_the_will(void **state)
{
    static const struct mqtt_disconnect_options options = {
        .reason_code = MQTT_REASON_DISCONNECT_WITH_WILL};
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct mqtt_message will = will_to(t, (struct mqtt_span){NULL, 0});

    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, t->identifier, MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect_with(s->client, 0, &options), MQTT_OK);
    wait_for_both(s, t, t->letter_count == 1 && s->disconnected == 1);
    assert_int_equal(s->last.error, MQTT_OK);
    assert_string_equal(station_last(t)->payload, "gone");
    station_free(s);
    station_free(t);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_assigned_identifier_keeps_its_session),
        /* Seconds have to pass at the broker; who drives has no part in it. */
        only_under(test_a_session_ends_when_its_time_is_over, driving_loop),
        cmocka_unit_test(test_disconnect_ends_the_session),
        cmocka_unit_test(test_a_clean_start_may_begin_a_session_that_lasts),
        cmocka_unit_test(test_what_is_subscribed_anew_may_do_without_retained),
        only_under(test_a_will_waits, driving_loop),
        cmocka_unit_test(test_who_comes_back_in_time_has_no_will),
        cmocka_unit_test(test_a_will_has_properties),
        cmocka_unit_test(test_disconnect_can_leave_the_will),
    };

    return station_run_5_0(argc, argv, "sessions_5_0", tests, begin, end);
}
