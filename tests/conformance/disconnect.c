/*
 * disconnect.c - DISCONNECT, and the end of a connection [3.1.1, section 3.14],
 * [5.0, section 3.14].
 */
#include "conformance.h"

static void disconnect(struct script *s, uint32_t timeout_ms)
{
    assert_int_equal(mqtt_disconnect(&s->client, timeout_ms), MQTT_OK);
}

static void test_disconnect_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;

    connected(s);
    disconnect(s, 0);
    expect_bytes(s, 0xE0, /* DISCONNECT */
                 0x00);   /* remaining length */
}

static void disconnect_with(struct script *s, uint8_t code,
                            struct mqtt_span properties)
{
    const struct mqtt_disconnect_options options = {code, properties};

    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &options), MQTT_OK);
}

static void test_disconnect_5_0_byte_for_byte(void **state)
{
    struct script *s = *state;
    static const uint8_t properties[] = {
        0x11, 0x00, 0x00, 0x00, 0x3C,             /* Session Expiry Interval */
        0x1F, 0x00, 0x01, 'r',                    /* Reason String */
        0x26, 0x00, 0x01, 'k',  0x00, 0x01, 'v'}; /* User Property */
    struct mqtt_span all = {properties, sizeof(properties)}, none = {NULL, 0};

    connected(s);
    disconnect(s, 0);
    expect_bytes(s, 0xE0, /* DISCONNECT */
                 0x00);   /* remaining length */
    script_restart(s);
    connected(s);
    disconnect_with(s, 0x04, none);
    expect_bytes(s, 0xE0, /* DISCONNECT */
                 0x01,    /* remaining length */
                 0x04);   /* reason code: with will */
    script_restart(s);
    connected(s);
    disconnect_with(s, 0x00, all);
    expect_bytes(s, 0xE0,                               /* DISCONNECT */
                 0x12,                                  /* remaining length */
                 0x00,                                  /* reason code */
                 0x10,                                  /* property length */
                 0x11, 0x00, 0x00, 0x00, 0x3C,          /* Session Expiry */
                 0x1F, 0x00, 0x01, 'r',                 /* Reason String */
                 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v' /* User Property */
    );
}

static bool has(const uint8_t *codes, size_t size, unsigned code)
{
    return memchr(codes, (int)code, size) != NULL;
}

static void test_a_client_disconnects_with_codes_of_its_own(void **state)
{
    static const uint8_t codes[] = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90,
                                    0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        const struct mqtt_disconnect_options options = {(uint8_t)code,
                                                        {NULL, 0}};
        bool good = has(codes, sizeof(codes), code);

        connected(s);
        assert_int_equal(mqtt_disconnect_with(&s->client, 0, &options),
                         good ? MQTT_OK : MQTT_ERR_REASON_CODE);
        if (good) {
            expect_packet(s, 0xE0, 0);
            assert_int_equal(s->packet.reason_code, code);
        }
        expect_nothing_sent(s);
        expect_wants(s, good ? MQTT_WANT_FINISH : MQTT_WANT_NOTHING);
        script_restart(s);
    }
}

static void test_a_server_disconnects_with_codes_of_its_own(void **state)
{
    /* 0x8C is in table 2-6 only; DISCONNECT without a code says 0x00. */
    static const uint8_t codes[] = {
        0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D,
        0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
        0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        connected(s);
        server_sends(s, 0xE0, 0x01, (uint8_t)code);
        if (has(codes, sizeof(codes), code)) {
            pull(s, MQTT_EVENT_SERVER_DISCONNECT);
            assert_int_equal(s->event.reason_code, code);
            expect_violation(s, MQTT_ERR_DISCONNECT_PACKET);
            assert_int_equal(s->event.reason_code, code);
            assert_false(s->seen_disconnect);
        } else {
            expect_violation_told(s, MQTT_ERR_RECEIVED_REASON_CODE, 0x82);
        }
        script_restart(s);
    }
}

/* ---- what a server may not send, 5.0 ------------------------------------- */

static void test_no_disconnect_comes_before_connack(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 2; i++) {
        start(s);
        connects(s);
        expect_packet(s, 0x10, 0);
        if (i)
            server_sends(s, 0xE0, 0x01, 0x8B);
        else
            server_sends(s, 0xE0, 0x00);
        expect_violation_told(s, MQTT_ERR_PACKET_ORDER, 0x82);
        script_restart(s);
    }
}

static void test_reserved_bits_of_disconnect_are_0(void **state)
{
    struct script *s = *state;

    for (unsigned bits = 1; bits < 16; bits++) {
        connected(s);
        server_sends(s, (uint8_t)(0xE0 | bits), 0x00);
        expect_violation_told(s, MQTT_ERR_PACKET_FLAGS, 0x81);
        script_restart(s);
    }
}

static void test_a_server_does_not_change_the_session_expiry(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0xE0,                       /* DISCONNECT */
                 0x07,                          /* remaining length */
                 0x8B,                          /* reason code */
                 0x05,                          /* property length */
                 0x11, 0x00, 0x00, 0x00, 0x3C); /* Session Expiry Interval */
    expect_violation_told(s, MQTT_ERR_PROPERTY_VALUE, 0x82);
}

/* ---- within the server's maximum, 5.0 ------------------------------------ */

/* DISCONNECT with 0x81 and this property has `size` bytes: it leaves whole
 * where the server takes them, and without the property where not. */
static void expect_left_out_above(struct script *s, struct mqtt_span properties,
                                  uint8_t size)
{
    for (uint8_t maximum = 3; maximum <= size + 1; maximum++) {
        start(s);
        connects(s);
        discard_sent(s);
        server_connack_with(s, 0, 0, 0x27, 0x00, 0x00, 0x00, maximum);
        pull(s, MQTT_EVENT_CONNECTED);
        disconnect_with(s, 0x81, properties);
        expect_packet(s, 0xE0, 0);
        assert_int_equal(s->packet.reason_code, 0x81);
        assert_true(s->packet.size <= maximum);
        assert_int_equal(s->packet.size, maximum < size ? 3 : size);
        assert_int_equal(s->packet.properties.size,
                         maximum < size ? 0 : properties.size);
        script_restart(s);
    }
}

static void test_a_reason_string_is_within_the_maximum(void **state)
{
    static const uint8_t reason[] = {0x1F, 0x00, 0x03, 'o', 'u', 't'};

    expect_left_out_above(*state, (struct mqtt_span){reason, 6}, 10);
}

static void test_a_user_property_is_within_the_maximum(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};

    expect_left_out_above(*state, (struct mqtt_span){user, 7}, 11);
}

/* ---- the end ------------------------------------------------------------- */

/* The driver is told that nothing follows; a server that leaves the connection
 * open is not waited for. */
static void test_after_disconnect_the_connection_is_closed(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 2; i++) {
        connected(s);
        disconnect(s, 0);
        expect_packet(s, 0xE0, 0);
        expect_wants(s, MQTT_WANT_FINISH);
        if (i) {
            server_closes(s);
        } else {
            elapse(s, 1000);
            driver_closes(s);
        }
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, MQTT_OK);
        expect_wants(s, MQTT_WANT_NOTHING);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

static struct script *script; /* of the callbacks */

static void publish_from_callback(struct mqtt_client *client,
                                  const struct mqtt_message *message,
                                  void *context)
{
    (void)message;
    (void)context;
    assert_int_equal(mqtt_publish(client, "a", "x", 1, MQTT_QOS_1, false),
                     MQTT_ERR_STATE);
    script_drain(script);
}

static void disconnect_from_callback(struct mqtt_client *client,
                                     const struct mqtt_message *message,
                                     void *context)
{
    assert_int_equal(mqtt_disconnect(client, 0), MQTT_OK);
    publish_from_callback(client, message, context);
}

/* All that may make a client send something comes after its DISCONNECT. The
 * inspection of script.c fails if a packet follows. */
static void test_nothing_is_sent_after_disconnect(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    script = s;
    s->config.on_message = publish_from_callback;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    disconnect(s, 0);
    expect_packet(s, 0xE0, 0);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_STATE);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_2), MQTT_ERR_STATE);
    mqtt_subscribe(&s->client, &a);
    expect_nothing_sent(s);
    server_publishes(s, 0x32, "a", 7, "x");
    server_publishes(s, 0x34, "a", 8, "x");
    server_answers(s, 0x62, 8);
    server_answers(s, 0x50, 1);
    dispatch(s);
    elapse(s, 400);
    dispatch(s);
    expect_nothing_sent(s);
    server_closes(s);
    dispatch(s);
    expect_nothing_sent(s);
}

static void test_a_callback_that_disconnects_sends_nothing_more(void **state)
{
    struct script *s = *state;

    script = s;
    s->config.on_message = disconnect_from_callback;
    connected(s);
    server_publishes(s, 0x30, "a", 0, "x");
    server_publishes(s, 0x32, "a", 7, "x");
    server_publishes(s, 0x32, "a", 8, "x");
    assert_true(mqtt_client_dispatch(&s->client) >= 0);
    for (int i = 0; i < 100 && !s->seen_disconnect; i++) {
        script_feed(s);
        assert_true(mqtt_client_dispatch(&s->client) >= 0);
        script_drain(s);
    }
    assert_true(s->seen_disconnect);
    s->config.on_message = publish_from_callback;
    dispatch(s);
    while (next_packet(s))
        assert_int_equal(s->packet.first_byte, 0xE0);
    expect_nothing_sent(s);
}

/* What was accepted before is sent before, or not at all. */
static void test_what_is_unsent_does_not_follow_disconnect(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken < 16; taken++) {
        connected(s);
        s->blocked = true;
        publish(s, "a", "1", MQTT_QOS_1);
        publish(s, "a", "2", MQTT_QOS_1);
        network_takes(s, taken);
        disconnect(s, 0);
        s->blocked = false;
        script_drain(s);
        assert_true(s->seen_disconnect);
        expect_wants(s, MQTT_WANT_FINISH);
        script_restart(s);
    }
}

static const struct conformance_test tests[] = {
    proves(test_disconnect_3_1_1_byte_for_byte, "3.1.1 MQTT-3.14.1-1"),
    also_in(test_disconnect_5_0_byte_for_byte, "5.0"),
    proves(test_a_client_disconnects_with_codes_of_its_own,
           "5.0 MQTT-3.14.2-1"),
    proves(test_a_server_disconnects_with_codes_of_its_own,
           "5.0 MQTT-3.14.2-1"),
    proves(test_no_disconnect_comes_before_connack, "5.0 MQTT-3.14.0-1"),
    proves(test_reserved_bits_of_disconnect_are_0, "5.0 MQTT-3.14.1-1"),
    proves(test_a_server_does_not_change_the_session_expiry,
           "5.0 MQTT-3.14.2-2"),
    proves(test_a_reason_string_is_within_the_maximum, "5.0 MQTT-3.14.2-3"),
    proves(test_a_user_property_is_within_the_maximum, "5.0 MQTT-3.14.2-4"),
    proves(test_after_disconnect_the_connection_is_closed,
           "3.1.1 MQTT-3.14.4-1", "5.0 MQTT-3.14.4-2"),
    proves(test_nothing_is_sent_after_disconnect, "3.1.1 MQTT-3.14.4-2",
           "5.0 MQTT-3.14.4-1"),
    proves(test_a_callback_that_disconnects_sends_nothing_more,
           "3.1.1 MQTT-3.14.4-2", "5.0 MQTT-3.14.4-1"),
    proves(test_what_is_unsent_does_not_follow_disconnect,
           "3.1.1 MQTT-3.14.4-2", "5.0 MQTT-3.14.4-1"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "disconnect", tests);
}
