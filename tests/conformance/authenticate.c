/*
 * authenticate.c - AUTH, and the exchange of which it is a part
 * [5.0, sections 3.15 and 4.12].
 */
#include "conformance.h"

static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
static const struct mqtt_span none = {NULL, 0};

static void ask(struct script *s)
{
    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
}

/* CONNECT with the method "m" has left. */
static void begin(struct script *s)
{
    ask(s);
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
}

static void server_auth(struct script *s, uint8_t code)
{
    server_sends(s, 0xF0, 0x06, code, 0x04, 0x15, 0x00, 0x01, 'm');
}

static void authenticate(struct script *s)
{
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_OK);
}

/* AUTH with this code and the method "m" is all that left. */
static void expect_auth(struct script *s, uint8_t code)
{
    expect_bytes(s, 0xF0,                /* AUTH */
                 0x06,                   /* remaining length */
                 code,                   /* reason code */
                 0x04,                   /* property length */
                 0x15, 0x00, 0x01, 'm'); /* Authentication Method */
}

/* A connection that was made with the method "m". */
static void authenticated(struct script *s)
{
    begin(s);
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
}

/* The same, and its client has begun to authenticate again. */
static void re_authenticating(struct script *s)
{
    authenticated(s);
    authenticate(s);
    expect_auth(s, 0x19);
}

/* ---- its bytes ----------------------------------------------------------- */

static void test_an_exchange_byte_for_byte(void **state)
{
    struct script *s = *state;
    static const uint8_t properties[] = {
        0x1F, 0x00, 0x01, 'r',                   /* Reason String */
        0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'}; /* User Property */
    struct mqtt_property data = {0};

    begin(s);
    server_sends(s, 0xF0,                     /* AUTH */
                 0x0B,                        /* remaining length */
                 0x18,                        /* reason code: continue */
                 0x09,                        /* property length */
                 0x15, 0x00, 0x01, 'm',       /* Authentication Method */
                 0x16, 0x00, 0x02, 0x00, 0xFF /* Authentication Data */
    );
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(s->event.reason_code, 0x18);
    assert_true(mqtt_property_find(s->event.properties,
                                   MQTT_PROPERTY_AUTHENTICATION_DATA, &data));
    assert_int_equal(data.text.size, 2);
    assert_memory_equal(data.text.data, "\0\xFF", 2);
    assert_int_equal(
        mqtt_authenticate(&s->client, (struct mqtt_span)MQTT_TEXT("\1\0\2"),
                          (struct mqtt_span){properties, sizeof(properties)}),
        MQTT_OK);
    expect_bytes(s, 0xF0,                               /* AUTH */
                 0x17,                                  /* remaining length */
                 0x18,                                  /* reason code */
                 0x15,                                  /* property length */
                 0x15, 0x00, 0x01, 'm',                 /* Auth. Method */
                 0x16, 0x00, 0x03, 0x01, 0x00, 0x02,    /* Auth. Data */
                 0x1F, 0x00, 0x01, 'r',                 /* Reason String */
                 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v' /* User Property */
    );
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
    expect_nothing_sent(s);
}

static void test_reserved_bits_of_auth_are_0(void **state)
{
    struct script *s = *state;

    for (unsigned bits = 1; bits < 16; bits++) {
        for (int open = 0; open < 2; open++) {
            if (open)
                re_authenticating(s);
            else
                begin(s);
            server_sends(s, (uint8_t)(0xF0 | bits), 0x06, 0x18, 0x04, 0x15,
                         0x00, 0x01, 'm');
            expect_violation_told(s, MQTT_ERR_PACKET_FLAGS, 0x81);
            script_restart(s);
        }
    }
}

/* ---- its code ------------------------------------------------------------ */

static void test_auth_has_codes_of_its_own(void **state)
{
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        re_authenticating(s);
        server_auth(s, (uint8_t)code);
        if (code == 0x00 || code == 0x18) {
            pull(s, MQTT_EVENT_AUTHENTICATION);
            assert_int_equal(s->event.reason_code, code);
            expect_no_event(s);
            expect_wants(s, MQTT_WANT_NOTHING);
        } else {
            expect_violation_told(s, MQTT_ERR_RECEIVED_REASON_CODE, 0x82);
        }
        script_restart(s);
    }
}

/* Its good end is CONNACK. */
static void test_a_server_continues_with_18_before_connack(void **state)
{
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        begin(s);
        server_auth(s, (uint8_t)code);
        if (code == 0x18) {
            pull(s, MQTT_EVENT_AUTHENTICATION);
            expect_no_event(s);
            expect_wants(s, MQTT_WANT_NOTHING);
        } else {
            expect_violation_told(s,
                                  code ? MQTT_ERR_RECEIVED_REASON_CODE
                                       : MQTT_ERR_AUTHENTICATION,
                                  0x82);
        }
        script_restart(s);
    }
}

static void test_auth_is_answered_with_18(void **state)
{
    struct script *s = *state;

    begin(s);
    for (int i = 0; i < 3; i++) {
        server_auth(s, 0x18);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        authenticate(s);
        expect_auth(s, 0x18);
    }
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
    authenticate(s);
    expect_auth(s, 0x19);
    for (int i = 0; i < 3; i++) {
        server_auth(s, 0x18);
        pull(s, MQTT_EVENT_AUTHENTICATION);
        authenticate(s);
        expect_auth(s, 0x18);
    }
    server_auth(s, 0x00);
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(s->event.reason_code, 0x00);
    expect_nothing_sent(s);
}

/* ---- within the server's maximum ----------------------------------------- */

/* AUTH with this property has 8 bytes more than what the property takes. */
static void expect_within_maximum(struct script *s, struct mqtt_span properties)
{
    size_t size = 8 + properties.size;

    for (size_t maximum = size - 2; maximum < size + 2; maximum++) {
        begin(s);
        server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm', 0x27, 0x00, 0x00,
                            0x00, (uint8_t)maximum);
        pull(s, MQTT_EVENT_CONNECTED);
        assert_int_equal(mqtt_authenticate(&s->client, none, properties),
                         maximum < size ? MQTT_ERR_MAXIMUM_PACKET_SIZE
                                        : MQTT_OK);
        if (maximum < size) {
            expect_nothing_sent(s);
        } else {
            expect_packet(s, 0xF0, 0);
            assert_int_equal(s->packet.size, size);
        }
        script_restart(s);
    }
}

static void test_a_reason_string_of_auth_is_within_the_maximum(void **state)
{
    static const uint8_t reason[] = {0x1F, 0x00, 0x03, 'o', 'u', 't'};

    expect_within_maximum(*state, (struct mqtt_span){reason, sizeof(reason)});
}

static void test_a_user_property_of_auth_is_within_the_maximum(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};

    expect_within_maximum(*state, (struct mqtt_span){user, sizeof(user)});
}

/* ---- its method ---------------------------------------------------------- */

static void test_auth_has_the_method_of_connect(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 6; i++) {
        if (i % 2)
            re_authenticating(s);
        else
            begin(s);
        if (i / 2 == 0) /* another one */
            server_sends(s, 0xF0, 0x06, 0x18, 0x04, 0x15, 0x00, 0x01, 'n');
        else if (i / 2 == 1) /* a longer one */
            server_sends(s, 0xF0, 0x07, 0x18, 0x05, 0x15, 0x00, 0x02, 'm', 'm');
        else /* none */
            server_sends(s, 0xF0, 0x02, 0x18, 0x00);
        expect_violation_told(
            s, i / 2 == 2 ? MQTT_ERR_PROPERTY_VALUE : MQTT_ERR_AUTHENTICATION,
            0x82);
        script_restart(s);
    }
}

static void test_a_good_connack_has_the_method_of_connect(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 3; i++) {
        begin(s);
        if (i == 0)
            server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'n');
        else if (i == 1)
            server_connack_with(s, 0, 0, 0x15, 0x00, 0x02, 'm', 'm');
        else
            server_connack(s, 0, 0);
        expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
        script_restart(s);
    }
}

/* ... and a refusal need not have it. */
static void test_a_refusal_has_no_method(void **state)
{
    struct script *s = *state;

    begin(s);
    server_connack(s, 0, 0x8C);
    pull(s, MQTT_EVENT_REFUSED);
    expect_violation(s, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, 0x8C);
}

static void test_who_has_no_method_is_not_authenticated(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_auth(s, 0x18);
    expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
    script_restart(s);
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
    script_restart(s);
    connected(s);
    server_auth(s, 0x18);
    expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
    script_restart(s);
    connected(s);
    server_auth(s, 0x00);
    expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
}

static void test_who_has_no_method_does_not_authenticate(void **state)
{
    struct script *s = *state;

    start(s);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_ERR_STATE);
    connects(s);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_ERR_STATE);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_ERR_STATE);
    expect_nothing_sent(s);
}

/* ---- again --------------------------------------------------------------- */

/* The method is no argument, and none of the properties. */
static void test_a_re_authentication_has_the_same_method(void **state)
{
    struct script *s = *state;
    static const uint8_t other[] = {0x15, 0x00, 0x01, 'n'};

    authenticated(s);
    assert_int_equal(
        mqtt_authenticate(&s->client, none, (struct mqtt_span){other, 4}),
        MQTT_ERR_PROPERTY);
    assert_int_equal(
        mqtt_authenticate(&s->client, none, (struct mqtt_span){method, 4}),
        MQTT_ERR_PROPERTY);
    for (int i = 0; i < 3; i++) {
        authenticate(s);
        expect_auth(s, 0x19);
        server_auth(s, 0x00);
        pull(s, MQTT_EVENT_AUTHENTICATION);
    }
}

/* The server says so, or breaks the rules, or the application has had enough. */
static void test_a_re_authentication_that_fails_closes(void **state)
{
    struct script *s = *state;
    const struct mqtt_disconnect_options refused = {0x83, {NULL, 0}};

    re_authenticating(s);
    server_sends(s, 0xE0, 0x01, 0x87);
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    assert_int_equal(s->event.reason_code, 0x87);
    expect_violation(s, MQTT_ERR_DISCONNECT_PACKET);
    assert_int_equal(s->event.reason_code, 0x87);
    script_restart(s);
    re_authenticating(s);
    server_sends(s, 0xF0, 0x06, 0x18, 0x04, 0x15, 0x00, 0x01, 'n');
    expect_violation_told(s, MQTT_ERR_AUTHENTICATION, 0x82);
    script_restart(s);
    re_authenticating(s);
    server_auth(s, 0x18);
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &refused), MQTT_OK);
    expect_bytes(s, 0xE0, /* DISCONNECT */
                 0x01,    /* remaining length */
                 0x83);   /* reason code */
    expect_wants(s, MQTT_WANT_FINISH);
}

static const struct conformance_test tests[] = {
    also_in(test_an_exchange_byte_for_byte, "5.0"),
    proves(test_reserved_bits_of_auth_are_0, "5.0 MQTT-3.15.1-1"),
    proves(test_auth_has_codes_of_its_own, "5.0 MQTT-3.15.2-1"),
    proves(test_a_server_continues_with_18_before_connack, "5.0 MQTT-4.12.0-2"),
    proves(test_auth_is_answered_with_18, "5.0 MQTT-4.12.0-3",
           "5.0 MQTT-3.15.2-1"),
    proves(test_a_reason_string_of_auth_is_within_the_maximum,
           "5.0 MQTT-3.15.2-2"),
    proves(test_a_user_property_of_auth_is_within_the_maximum,
           "5.0 MQTT-3.15.2-3"),
    proves(test_auth_has_the_method_of_connect, "5.0 MQTT-4.12.0-5"),
    proves(test_a_good_connack_has_the_method_of_connect, "5.0 MQTT-4.12.0-5"),
    also_in(test_a_refusal_has_no_method, "5.0"),
    proves(test_who_has_no_method_is_not_authenticated, "5.0 MQTT-4.12.0-6"),
    proves(test_who_has_no_method_does_not_authenticate, "5.0 MQTT-4.12.0-7"),
    proves(test_a_re_authentication_has_the_same_method, "5.0 MQTT-4.12.1-1"),
    proves(test_a_re_authentication_that_fails_closes, "5.0 MQTT-4.12.1-2"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "authenticate", tests);
}
