/*
 * authenticate.c - what AUTH carries, when it may be sent, and where a method
 * comes from [5.0, section 4.12].
 */
#include <mqttloop/properties.h>
#include "script.h"

static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
static const struct mqtt_span none = {NULL, 0};

/* CONNECT with the method "m" has left. */
static void begin(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
}

static void server_auth(struct script *s, uint8_t code)
{
    server_sends(s, 0xF0, 0x06, code, 0x04, 0x15, 0x00, 0x01, 'm');
}

static void server_grants(struct script *s)
{
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
}

static void authenticated(struct script *s)
{
    begin(s);
    server_grants(s);
}

static enum mqtt_error authenticate(struct script *s)
{
    return mqtt_authenticate(&s->client, none, none);
}

static void expect_auth(struct script *s, uint8_t code)
{
    expect_bytes(s, 0xF0,                /* AUTH */
                 0x06,                   /* remaining length */
                 code,                   /* reason code */
                 0x04,                   /* property length */
                 0x15, 0x00, 0x01, 'm'); /* Authentication Method */
}

/* ---- what it carries ----------------------------------------------------- */

static void test_auth_is_told_with_its_properties(void **state)
{
    struct script *s = *state;
    static const uint8_t expected[] = {0x15, 0x00, 0x01, 'm',              /* */
                                       0x16, 0x00, 0x02, 0x00, 0xFF,       /* */
                                       0x1F, 0x00, 0x01, 'r',              /* */
                                       0x26, 0x00, 0x01, 'k',  0x00, 0x01, /* */
                                       'v'};

    begin(s);
    server_sends(s, 0xF0, 0x16, 0x18, 0x14);
    server_sends_span(s, expected, sizeof(expected));
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(s->event.reason_code, 0x18);
    assert_int_equal(s->event.properties.size, sizeof(expected));
    assert_memory_equal(s->event.properties.data, expected, sizeof(expected));
    assert_int_equal(s->event.error, MQTT_OK); /* nor anything else */
    assert_int_equal(s->event.packet_identifier, 0);
    assert_false(s->event.session_present);
    assert_null(s->event.subscription);
    assert_null(s->event.detail);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static mqtt_time clock_of(void *driver)
{
    const struct script *s = driver;

    return s->now;
}

/* The last turn is long ago when the application answers. */
static void test_the_time_of_the_request_begins_the_wait(void **state)
{
    struct script *s = *state;

    begin(s);
    mqtt_client_set_driver(&s->client, s, NULL, clock_of);
    server_auth(s, 0x18);
    pull(s, MQTT_EVENT_AUTHENTICATION);
    s->now += 9000;
    assert_int_equal(authenticate(s), MQTT_OK);
    expect_auth(s, 0x18);
    expect_deadline(s, 10000);
}

static void test_connack_has_the_last_data(void **state)
{
    struct script *s = *state;
    struct mqtt_property data = {0};

    begin(s);
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm', 0x16, 0x00, 0x02, 0x01,
                        0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_true(mqtt_property_find(s->event.properties,
                                   MQTT_PROPERTY_AUTHENTICATION_DATA, &data));
    assert_int_equal(data.text.size, 2);
    assert_memory_equal(data.text.data, "\1\0", 2);
}

static void test_empty_data_is_there(void **state)
{
    struct script *s = *state;

    authenticated(s);
    assert_int_equal(mqtt_authenticate(&s->client, mqtt_text(""), none),
                     MQTT_OK);
    expect_bytes(s, 0xF0,               /* AUTH */
                 0x09,                  /* remaining length */
                 0x19,                  /* reason code: re-authenticate */
                 0x07,                  /* property length */
                 0x15, 0x00, 0x01, 'm', /* Authentication Method */
                 0x16, 0x00, 0x00);     /* Authentication Data */
}

static void test_what_is_not_of_auth_is_refused(void **state)
{
    static const uint8_t bad[][6] = {
        {0x15, 0x00, 0x01, 'm', 0x1F, 0},    /* the method is said already */
        {0x16, 0x00, 0x01, 'd', 0x1F, 0},    /* so is the data */
        {0x1C, 0x00, 0x03, 's', 's', 's'},   /* of CONNACK and DISCONNECT */
        {0x1F, 0x00, 0x04, 'r', 'r', 'r'},   /* cut off */
        {0x1F, 0x00, 0x03, 'r', 0xFF, 0xFF}, /* no UTF-8 */
        {0x1F, 0x00, 0x00, 0x1F, 0x00, 0x00} /* twice */
    };
    static uint8_t data[65536];
    struct script *s = *state;

    authenticated(s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            mqtt_authenticate(&s->client, none,
                              (struct mqtt_span){bad[i], i < 2 ? 4 : 6}),
            MQTT_ERR_PROPERTY);
    assert_int_equal(mqtt_authenticate(&s->client,
                                       (struct mqtt_span){data, sizeof(data)},
                                       none),
                     MQTT_ERR_ARGUMENT);
    expect_nothing_sent(s);
    assert_int_equal(authenticate(s), MQTT_OK); /* nothing has changed */
}

/* ---- when it may be sent ------------------------------------------------- */

static void test_auth_before_connack_is_an_answer_only(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    start(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* stopped */
    wishes_to_connect(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* opening */
    server_accepts(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* asked by nobody */
    expect_packet(s, 0x10, 0);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    server_auth(s, 0x18);
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(authenticate(s), MQTT_OK);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* once */
    expect_auth(s, 0x18);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    server_grants(s);
    expect_nothing_sent(s);
}

static void test_one_re_authentication_goes_on_at_a_time(void **state)
{
    struct script *s = *state;

    authenticated(s);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(authenticate(s), MQTT_OK);
        assert_int_equal(authenticate(s), MQTT_ERR_STATE);
        expect_auth(s, 0x19);
        server_auth(s, 0x18);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        assert_int_equal(s->event.reason_code, 0x18);
        assert_int_equal(authenticate(s), MQTT_OK);
        assert_int_equal(authenticate(s), MQTT_ERR_STATE);
        expect_auth(s, 0x18);
        server_auth(s, 0x00);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        assert_int_equal(s->event.reason_code, 0x00);
    }
}

static void test_messages_go_on_meanwhile(void **state)
{
    struct script *s = *state;

    authenticated(s);
    assert_int_equal(authenticate(s), MQTT_OK);
    expect_auth(s, 0x19);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_packet(s, 0x32, 1);
    server_publishes(s, 0x32, "a", 7, "y");
    expect_message(s, "a", "y");
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x40, 7);
    server_auth(s, 0x00);
    pull(s, MQTT_EVENT_AUTHENTICATION);
}

static void test_after_the_end_there_is_no_auth(void **state)
{
    struct script *s = *state;

    authenticated(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* it is to leave */
    expect_bytes(s, 0xE0, 0x00);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    server_closes(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE); /* not pulled yet */
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    script_restart(s);
    authenticated(s);
    s->blocked = true;
    server_sends(s, 0xD0, 0x01, 0x00);
    expect_no_event(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    s->blocked = false;
    expect_bytes(s, 0xE0, 0x01, 0x81);
}

/* A new connection begins a new exchange. */
static void test_an_exchange_ends_with_its_connection(void **state)
{
    struct script *s = *state;

    authenticated(s);
    assert_int_equal(authenticate(s), MQTT_OK);
    cut(s);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    reopened(s);
    expect_packet(s, 0x10, 0);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
    expect_nothing_sent(s);
    server_grants(s);
    assert_int_equal(authenticate(s), MQTT_OK);
    expect_auth(s, 0x19);
}

/* Each AUTH that is sent gives the server as long again for its answer. */
static void test_an_exchange_that_is_not_answered_is_given_up(void **state)
{
    struct script *s = *state;

    begin(s);
    for (int i = 0; i < 3; i++) {
        elapse(s, 9999);
        server_auth(s, 0x18);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        assert_int_equal(authenticate(s), MQTT_OK);
        expect_auth(s, 0x18);
        expect_deadline(s, 10000);
    }
    elapse(s, 9999);
    expect_wants(s, MQTT_WANT_NOTHING);
    elapse(s, 1);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CONNACK_TIMEOUT);
    assert_false(s->seen_disconnect);
}

/* ... and AUTH of the server alone does not. */
static void test_an_exchange_that_nobody_goes_on_with_is_given_up(void **state)
{
    struct script *s = *state;

    begin(s);
    elapse(s, 9999);
    server_auth(s, 0x18);
    pull(s, MQTT_EVENT_AUTHENTICATION);
    expect_no_event(s);
    expect_deadline(s, 1);
    elapse(s, 1);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CONNACK_TIMEOUT);
}

/* ---- when it may come ---------------------------------------------------- */

static void expect_unasked(struct script *s)
{
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x01, 0x82);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_AUTHENTICATION);
    script_restart(s);
}

static void test_auth_comes_in_its_turn(void **state)
{
    struct script *s = *state;

    for (uint8_t code = 0; code <= 0x18; code += 0x18) {
        begin(s); /* the last one was not answered */
        server_auth(s, 0x18);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        server_auth(s, code);
        expect_unasked(s);
        authenticated(s); /* nobody has begun */
        server_auth(s, code);
        expect_unasked(s);
        authenticated(s); /* it has ended */
        assert_int_equal(authenticate(s), MQTT_OK);
        expect_auth(s, 0x19);
        server_auth(s, 0x00);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        server_auth(s, code);
        expect_unasked(s);
    }
}

/* ---- room ---------------------------------------------------------------- */

static void test_auth_follows_what_is_half_sent(void **state)
{
    struct script *s = *state;

    for (size_t taken = 1; taken < 9; taken++) {
        authenticated(s);
        s->blocked = true;
        publish(s, "a", "1", MQTT_QOS_1);
        publish(s, "a", "2", MQTT_QOS_1);
        network_takes(s, taken);
        assert_int_equal(authenticate(s), MQTT_OK);
        s->blocked = false;
        expect_packet(s, 0x32, 1);
        expect_packet(s, 0xF0, 0);
        expect_packet(s, 0x32, 2);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

static void test_auth_needs_room_in_control_memory(void **state)
{
    struct script *s = *state;
    uint8_t data[128] = {0};

    authenticated(s); /* 128 bytes of it, 14 are of AUTH itself */
    assert_int_equal(
        mqtt_authenticate(&s->client, (struct mqtt_span){data, 118}, none),
        MQTT_ERR_TOO_LARGE);
    s->blocked = true;
    for (uint16_t i = 1; i <= 31; i++) {
        server_publishes(s, 0x32, "a", i, "x");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    expect_no_event(s);
    assert_int_equal(authenticate(s), MQTT_ERR_NO_ROOM);
    s->blocked = false;
    for (uint16_t i = 1; i <= 31; i++)
        expect_packet(s, 0x40, i);
    expect_nothing_sent(s);
    assert_int_equal(
        mqtt_authenticate(&s->client, (struct mqtt_span){data, 117}, none),
        MQTT_OK);
    expect_packet(s, 0xF0, 0);
    assert_int_equal(s->packet.size, 128);
}

/* ---- renewed before each connect ----------------------------------------- */

static struct mqtt_span renewed;
static unsigned renewals;

static enum mqtt_error renew(void *context,
                             struct mqtt_connect_options *options,
                             struct mqtt_server *server)
{
    (void)context;
    (void)server;
    renewals++;
    options->properties = renewed;
    return MQTT_OK;
}

static void renew_with(const void *bytes, size_t size)
{
    renewed = (struct mqtt_span){bytes, size};
}

/* Properties of CONNECT are those that the hook left. */
static void expect_connect_with(struct script *s, const uint8_t *properties,
                                size_t size)
{
    const uint8_t *bytes = expect_packet(s, 0x10, 0)->bytes;

    assert_int_equal(bytes[12], 10 + size); /* and two that are announced */
    assert_memory_equal(bytes + 23, properties, size);
}

static void test_properties_are_renewed_before_each_connect(void **state)
{
    static const uint8_t first[] = {0x15, 0, 1, 'm', 0x16, 0, 1, 1};
    static const uint8_t second[] = {0x15, 0, 1, 'n', 0x16, 0, 1, 2};
    struct script *s = *state;

    renewals = 0;
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.before_connect = renew;
    renew_with(first, sizeof(first));
    start(s);
    connects(s);
    expect_connect_with(s, first, sizeof(first));
    server_grants(s);
    renew_with(second, sizeof(second));
    cut(s);
    reopened(s);
    assert_int_equal(renewals, 2);
    expect_connect_with(s, second, sizeof(second));
    server_connack_with(s, 1, 0, 0x15, 0x00, 0x01, 'n');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(authenticate(s), MQTT_OK);
    expect_bytes(s, 0xF0, 0x06, 0x19, 0x04, 0x15, 0x00, 0x01, 'n');
    renew_with(NULL, 0);
    cut(s);
    reopened(s);
    expect_connect_with(s, NULL, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(authenticate(s), MQTT_ERR_STATE);
}

static void test_properties_that_are_none_do_not_connect(void **state)
{
    static const uint8_t bad[] = {0x21, 0, 1}; /* has a member of its own */
    static const uint8_t good[] = {0x19, 1};
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    s->config.before_connect = renew;
    renew_with(bad, sizeof(bad));
    start(s);
    wishes_to_connect(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_PROPERTY);
    renew_with(good, sizeof(good));
    reopened(s);
    expect_connect_with(s, good, sizeof(good));
}

static void test_properties_that_are_too_large_do_not_connect(void **state)
{
    static uint8_t large[128] = {0x16, 0, 121}; /* of Authentication Data */
    struct script *s = *state;

    memcpy(large + 124, method, 4);
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.before_connect = renew;
    renew_with(large, sizeof(large));
    start(s);
    wishes_to_connect(s);
    server_accepts(s);
    expect_nothing_sent(s);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CONTROL_SIZE);
    assert_true(s->retry_at == MQTT_NEVER);
}

static const struct CMUnitTest tests[] = {
    script_test(test_auth_is_told_with_its_properties),
    script_test(test_the_time_of_the_request_begins_the_wait),
    script_test(test_connack_has_the_last_data),
    script_test(test_empty_data_is_there),
    script_test(test_what_is_not_of_auth_is_refused),
    script_test(test_auth_before_connack_is_an_answer_only),
    script_test(test_one_re_authentication_goes_on_at_a_time),
    script_test(test_messages_go_on_meanwhile),
    script_test(test_after_the_end_there_is_no_auth),
    script_test(test_an_exchange_ends_with_its_connection),
    script_test(test_an_exchange_that_is_not_answered_is_given_up),
    script_test(test_an_exchange_that_nobody_goes_on_with_is_given_up),
    script_test(test_auth_comes_in_its_turn),
    script_test(test_auth_follows_what_is_half_sent),
    script_test(test_auth_needs_room_in_control_memory),
    script_test(test_properties_are_renewed_before_each_connect),
    script_test(test_properties_that_are_none_do_not_connect),
    script_test(test_properties_that_are_too_large_do_not_connect),
};

int main(void)
{
    return script_run("authenticate", tests);
}
