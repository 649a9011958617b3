/*
 * limits.c - what the server of this connection allows: Maximum QoS, Retain
 * Available, Maximum Packet Size, Receive Maximum; and what becomes of messages
 * that the server of before allowed.
 */
#include "script.h"

#define LIMIT(n) 0x27, 0x00, 0x00, 0x00, (uint8_t)(n)
#define RECEIVE_MAXIMUM(n) 0x21, 0x00, (uint8_t)(n)

static struct script *v5(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    return s;
}

static uint16_t publish_retained(struct script *s, enum mqtt_qos qos)
{
    const struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                         .payload = MQTT_TEXT("x"),
                                         .qos = qos,
                                         .retain = true};
    uint16_t identifier;

    assert_int_equal(mqtt_client_publish(&s->client, &message, &identifier),
                     MQTT_OK);
    return identifier;
}

static void expect_forbidden(struct script *s, uint16_t identifier,
                             enum mqtt_error error)
{
    expect_published(s, identifier, MQTT_OUTCOME_FORBIDDEN);
    assert_int_equal(s->event.error, error);
}

/* ---- what the application is told ---------------------------------------- */

static void test_the_limits_are_those_of_connack(void **state)
{
    struct script *s = v5(state);
    const struct mqtt_limits *limits;

    connected_with(s, LIMIT(99), RECEIVE_MAXIMUM(7), 0x22, 0x01, 0x02, 0x24,
                   0x01, 0x25, 0x00, 0x28, 0x00, 0x29, 0x00, 0x2A, 0x00, 0x13,
                   0x00, 0x0A, 0x11, 0x00, 0x00, 0x00, 0x64);
    limits = mqtt_client_limits(&s->client);
    assert_int_equal(limits->maximum_packet_size, 99);
    assert_int_equal(limits->receive_maximum, 7);
    assert_int_equal(limits->topic_alias_maximum, 0x0102);
    assert_int_equal(limits->maximum_qos, 1);
    assert_false(limits->retain_available);
    assert_false(limits->wildcard_available);
    assert_false(limits->subscription_identifiers_available);
    assert_false(limits->shared_available);
    assert_int_equal(limits->keep_alive_s, 10);
    assert_int_equal(limits->session_expiry_s, 100);
    cut(s);
    reconnected(s, true); /* one that says nothing limits nothing */
    assert_int_equal(limits->maximum_packet_size, UINT32_MAX);
    assert_int_equal(limits->receive_maximum, 65535);
    assert_int_equal(limits->topic_alias_maximum, 0);
    assert_int_equal(limits->maximum_qos, 2);
    assert_true(limits->retain_available);
    assert_true(limits->wildcard_available);
    assert_true(limits->subscription_identifiers_available);
    assert_true(limits->shared_available);
    assert_int_equal(limits->keep_alive_s, 60);
    assert_int_equal(limits->session_expiry_s, UINT32_MAX);
}

static void test_a_refused_publish_changes_nothing(void **state)
{
    struct script *s = v5(state);

    connected_with(s, 0x24, 0x01, 0x25, 0x00, LIMIT(20));
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_2),
                     MQTT_ERR_MAXIMUM_QOS);
    assert_int_equal(mqtt_publish(&s->client, "a", "x", 1, MQTT_QOS_1, true),
                     MQTT_ERR_RETAIN_UNAVAILABLE);
    assert_int_equal(try_publish(s, "a", "0123456789012", MQTT_QOS_1),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(publish(s, "a", "012345678901", MQTT_QOS_1), 1);
    assert_int_equal(expect_packet(s, 0x32, 1)->size, 20);
}

/* ---- accepted before, and not allowed now -------------------------------- */

/* One of each reason, and between them what is allowed. */
static void test_what_never_left_is_forbidden(void **state)
{
    struct script *s = v5(state);
    struct mqtt_statistics statistics = {0};
    uint16_t qos, retain, size, good[4];

    s->config.statistics = &statistics;
    s->config.keep_qos0 = true;
    start(s);
    good[0] = publish(s, "a", "1", MQTT_QOS_1);
    qos = publish(s, "a", "2", MQTT_QOS_2);
    good[1] = publish(s, "a", "3", MQTT_QOS_1);
    retain = publish_retained(s, MQTT_QOS_1);
    publish_retained(s, MQTT_QOS_0);
    good[2] = publish(s, "a", "5", MQTT_QOS_1);
    size = publish(s, "a", "0123456789012", MQTT_QOS_1);
    good[3] = publish(s, "a", "7", MQTT_QOS_1);
    connected_with(s, 0x24, 0x01, 0x25, 0x00, LIMIT(20));
    expect_forbidden(s, qos, MQTT_ERR_MAXIMUM_QOS);
    expect_forbidden(s, retain, MQTT_ERR_RETAIN_UNAVAILABLE);
    expect_forbidden(s, size, MQTT_ERR_MAXIMUM_PACKET_SIZE);
    expect_no_event(s);
    for (int i = 0; i < 4; i++)
        expect_packet(s, 0x32, good[i]);
    expect_nothing_sent(s);
    assert_int_equal(statistics.qos0_dropped, 1);
}

/* It may have arrived: nobody knows. */
static void test_qos_1_that_was_sent_ends_as_unknown(void **state)
{
    struct script *s = v5(state);

    connected(s);
    publish_retained(s, MQTT_QOS_1);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_packet(s, 0x33, 1);
    expect_packet(s, 0x32, 2);
    cut(s);
    reconnected_with(s, true, 0x25, 0x00);
    expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
    assert_int_equal(s->event.error, MQTT_OK);
    expect_no_event(s);
    expect_packet(s, 0x3A, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* The server may hold its identifier: PUBREL sets it free, and then it ends. */
static void test_qos_2_that_was_sent_is_released_and_unknown(void **state)
{
    static const uint8_t codes[] = {0x00, 0x92};
    struct script *s = v5(state);

    for (size_t i = 0; i < 2; i++) {
        struct mqtt_statistics statistics = {0};

        s->config.statistics = &statistics;
        connected(s);
        publish_retained(s, MQTT_QOS_2);
        expect_packet(s, 0x35, 1);
        cut(s);
        reconnected_with(s, true, 0x25, 0x00);
        expect_no_event(s);
        expect_packet(s, 0x62, 1);
        expect_nothing_sent(s);
        cut(s);
        reconnected(s, true); /* nor is it sent where it would be allowed */
        expect_packet(s, 0x62, 1);
        expect_nothing_sent(s);
        server_answers_with(s, 0x70, 1, codes[i]);
        expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
        assert_int_equal(s->event.error, MQTT_OK);
        assert_int_equal(statistics.messages_lost, 1);
        assert_int_equal(statistics.messages_acknowledged, 0);
        expect_no_event(s);
        s->config.statistics = NULL;
        script_restart(s);
    }
}

/* One that was half sent has been sent. */
static void test_half_a_packet_counts_as_sent(void **state)
{
    struct script *s = v5(state);

    for (size_t taken = 0; taken < 9; taken++) {
        connected(s);
        s->blocked = true;
        publish_retained(s, MQTT_QOS_1);
        network_takes(s, taken);
        cut(s);
        s->blocked = false;
        reconnected_with(s, true, 0x25, 0x00);
        if (taken) {
            expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
            assert_int_equal(s->event.error, MQTT_OK);
        } else {
            expect_forbidden(s, 1, MQTT_ERR_RETAIN_UNAVAILABLE);
        }
        expect_no_event(s);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Those that are forbidden take nothing of the quota, and free their room. */
static void test_what_is_forbidden_takes_no_quota(void **state)
{
    struct script *s = v5(state);

    s->memory.slot_count = 4;
    start(s);
    publish(s, "a", "1", MQTT_QOS_2);
    publish(s, "a", "2", MQTT_QOS_2);
    publish(s, "a", "3", MQTT_QOS_1);
    publish(s, "a", "4", MQTT_QOS_1);
    assert_int_equal(try_publish(s, "a", "5", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    connected_with(s, 0x24, 0x01, RECEIVE_MAXIMUM(1));
    expect_forbidden(s, 1, MQTT_ERR_MAXIMUM_QOS);
    expect_forbidden(s, 2, MQTT_ERR_MAXIMUM_QOS);
    pull(s, MQTT_EVENT_ROOM);
    expect_packet(s, 0x32, 3);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 4);
}

/* All of it is forbidden, so draining is over at once. */
static void test_what_is_forbidden_does_not_hold_up_the_end(void **state)
{
    struct script *s = v5(state);

    start(s);
    publish(s, "a", "1", MQTT_QOS_2);
    connects(s);
    assert_int_equal(mqtt_disconnect(&s->client, 100000), MQTT_OK);
    discard_sent(s);
    server_connack_with(s, 0, 0, 0x24, 0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_forbidden(s, 1, MQTT_ERR_MAXIMUM_QOS);
    expect_no_event(s);
    expect_packet(s, 0xE0, 0);
}

/* ---- UNSUBSCRIBE --------------------------------------------------------- */

/* It cannot be said to this server, whether one of before took the
 * subscription or none was asked; what comes behind it goes on. */
static void test_unsubscribe_too_large_for_the_server_is_told(void **state)
{
    for (int granted = 0; granted < 2; granted++) {
        struct script *s = v5(state);
        struct mqtt_subscription a = {
            .topic_filter = MQTT_TEXT("a/topic/filter/of/31/bytes/long")};
        struct mqtt_subscription b = {.topic_filter = MQTT_TEXT("b")};

        if (granted) {
            connected(s);
            subscribed(s, &a);
            cut(s);
            reconnected_with(s, true, LIMIT(37)); /* one byte too little */
        } else {
            start(s);
            assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
            connected_with(s, LIMIT(37));
            pull(s, MQTT_EVENT_SUBSCRIBED);
            assert_int_equal(s->event.error, MQTT_ERR_MAXIMUM_PACKET_SIZE);
        }
        assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
        assert_int_equal(mqtt_subscribe(&s->client, &b), MQTT_OK);
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
        assert_ptr_equal(s->event.subscription, &a);
        assert_int_equal(s->event.error, MQTT_ERR_MAXIMUM_PACKET_SIZE);
        expect_no_event(s);
        server_suback(s, expect_packet(s, 0x82, 0)->identifier, 0);
        pull(s, MQTT_EVENT_SUBSCRIBED);
        assert_ptr_equal(s->event.subscription, &b);
        assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
        server_answers(s, 0xB0, expect_packet(s, 0xA2, 0)->identifier);
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
        assert_int_equal(s->event.error, MQTT_OK);
        script_restart(s);
    }
}

/* ---- Receive Maximum ----------------------------------------------------- */

static void test_the_least_of_all_maxima_holds(void **state)
{
    struct script *s = v5(state);

    for (uint8_t configured = 1; configured < 6; configured++) {
        unsigned sent = 0;

        s->config.send_maximum = configured;
        connected_with(s, RECEIVE_MAXIMUM(3));
        for (int i = 0; i < 8; i++)
            publish(s, "a", "x", MQTT_QOS_1);
        while (next_packet(s))
            sent++;
        assert_int_equal(sent, configured < 3 ? configured : 3);
        script_restart(s);
    }
}

/* In 5.0 a server says how much it takes: 20 is no limit there. */
static void test_more_than_20_of_qos_2_may_be_on_their_way(void **state)
{
    struct script *s = v5(state);
    unsigned sent = 0;

    s->memory.slot_count = 64;
    connected_with(s, RECEIVE_MAXIMUM(40));
    for (int i = 0; i < 64; i++)
        publish(s, "a", "x", MQTT_QOS_2);
    while (next_packet(s))
        sent++;
    assert_int_equal(sent, 40);
}

static void test_pubrels_do_not_wait_for_quota(void **state)
{
    struct script *s = v5(state);

    connected(s);
    for (uint16_t i = 1; i < 9; i++)
        publish_sent(s, "a", "x", MQTT_QOS_2);
    for (uint16_t i = 1; i < 6; i++)
        server_answers(s, 0x50, i);
    expect_no_event(s);
    cut(s);
    reconnected_with(s, true, RECEIVE_MAXIMUM(2));
    for (uint16_t i = 1; i < 6; i++)
        expect_packet(s, 0x62, i);
    expect_packet(s, 0x3C, 6); /* never none at all [5.0 MQTT-4.9.0-1] */
    expect_nothing_sent(s);
}

/* What is owed twice is given once: the quota is never above the maximum. */
static void test_old_exchanges_do_not_raise_the_quota(void **state)
{
    struct script *s = v5(state);
    unsigned sent = 0;

    connected(s);
    for (uint16_t i = 1; i < 6; i++) {
        publish_sent(s, "a", "x", MQTT_QOS_2);
        server_answers(s, 0x50, i);
        expect_no_event(s);
    }
    cut(s);
    reconnected_with(s, true, RECEIVE_MAXIMUM(2));
    discard_sent(s);
    for (uint16_t i = 1; i < 6; i++) {
        server_answers(s, 0x70, i);
        expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
    }
    for (int i = 0; i < 8; i++)
        publish(s, "a", "x", MQTT_QOS_1);
    while (next_packet(s))
        sent++;
    assert_int_equal(sent, 2);
}

/* Each message that leaves is answered by nobody yet: however many exchanges of
 * the last connection end meanwhile, no more than two are open
 * [5.0 MQTT-3.3.4-9]. */
static void test_old_exchanges_do_not_lend_their_quota(void **state)
{
    for (uint16_t old = 1; old < 6; old++) {
        struct script *s = v5(state);
        unsigned sent = 0;

        connected(s);
        for (uint16_t i = 1; i <= old; i++) {
            publish_sent(s, "a", "x", MQTT_QOS_2);
            server_answers(s, 0x50, i);
            expect_no_event(s);
        }
        cut(s);
        reconnected_with(s, true, RECEIVE_MAXIMUM(2));
        for (uint16_t i = 1; i <= old; i++)
            expect_packet(s, 0x62, i);
        for (int i = 0; i < 8; i++)
            publish(s, "a", "x", MQTT_QOS_1);
        for (uint16_t i = 1; i <= old; i++) {
            while (next_packet(s))
                sent++;
            server_answers(s, 0x70, i);
            expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
        }
        while (next_packet(s))
            sent++;
        assert_int_equal(sent, 2);
        server_answers(s, 0x40, (uint16_t)(old + 1));
        expect_published(s, (uint16_t)(old + 1), MQTT_OUTCOME_ACKNOWLEDGED);
        expect_packet(s, 0x32, (uint16_t)(old + 3));
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* PUBREC that refuses frees the slot, too. */
static void test_a_refusing_pubrec_frees_all(void **state)
{
    struct script *s = v5(state);

    s->memory.slot_count = 1;
    connected_with(s, RECEIVE_MAXIMUM(1));
    for (uint16_t i = 1; i < 20; i++) {
        assert_int_equal(publish(s, "a", "x", MQTT_QOS_2), i);
        expect_packet(s, 0x34, i);
        assert_int_equal(try_publish(s, "a", "y", MQTT_QOS_1),
                         MQTT_ERR_NO_ROOM);
        server_answers_with(s, 0x50, i, 0x80);
        expect_published(s, i, MQTT_OUTCOME_REFUSED);
        pull(s, MQTT_EVENT_ROOM);
        expect_nothing_sent(s);
    }
}

/* ---- reason codes -------------------------------------------------------- */

/* PUBACK, or another, with a Reason String "no" and a User Property. */
static void server_explains(struct script *s, uint8_t first_byte,
                            uint16_t identifier, uint8_t code)
{
    server_sends(s, first_byte, 16, (uint8_t)(identifier >> 8),
                 (uint8_t)identifier, code, 12, 0x1F, 0x00, 0x02, 'n', 'o',
                 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v');
}

static void expect_explanation(struct script *s, uint8_t code)
{
    struct mqtt_property property = {0};

    assert_int_equal(s->event.reason_code, code);
    assert_int_equal(s->event.error, MQTT_OK);
    assert_true(mqtt_property_find(s->event.properties,
                                   MQTT_PROPERTY_REASON_STRING, &property));
    assert_true(span_is(property.text, "no"));
    assert_true(mqtt_property_find(s->event.properties,
                                   MQTT_PROPERTY_USER_PROPERTY, &property));
    assert_true(span_is(property.name, "k"));
    assert_true(span_is(property.text, "v"));
}

static void test_reason_codes_and_properties_are_told(void **state)
{
    struct script *s = v5(state);
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "x", MQTT_QOS_1);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "x", MQTT_QOS_2);
    server_explains(s, 0x40, 1, 0x87);
    expect_published(s, 1, MQTT_OUTCOME_REFUSED);
    expect_explanation(s, 0x87);
    server_explains(s, 0x40, 2, 0x10);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_explanation(s, 0x10);
    server_answers(s, 0x40, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    assert_int_equal(s->event.reason_code, 0);
    assert_int_equal(s->event.properties.size, 0);
    server_explains(s, 0x50, 4, 0x97);
    expect_published(s, 4, MQTT_OUTCOME_REFUSED);
    expect_explanation(s, 0x97);
    server_explains(s, 0x50, 5, 0x10); /* it is taken: PUBREL */
    expect_no_event(s);
    expect_packet(s, 0x62, 5);
    server_explains(s, 0x70, 5, 0x00);
    expect_published(s, 5, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_explanation(s, 0x00);
    server_answers(s, 0x50, 6);
    expect_no_event(s);
    server_explains(s, 0x70, 6, 0x92); /* it had been taken all the same */
    expect_published(s, 6, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_explanation(s, 0x92);
    assert_int_equal(statistics.messages_refused, 2);
    assert_int_equal(statistics.messages_acknowledged, 4);
}

/* ---- payload format ------------------------------------------------------ */

static enum mqtt_error try_format(struct script *s, uint8_t format,
                                  const char *payload)
{
    const uint8_t properties[] = {0x01, format};
    const struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"),
        .payload = mqtt_text(payload),
        .qos = MQTT_QOS_1,
        .properties = {properties, sizeof(properties)}};

    return mqtt_client_publish(&s->client, &message, NULL);
}

static void test_a_payload_said_to_be_utf8_is_checked_on_request(void **state)
{
    struct script *s = v5(state);

    for (int check = 0; check < 2; check++) {
        s->config.check_payload_format = check;
        connected(s);
        assert_int_equal(try_format(s, 1, "gr\xC3\xBC\xC3\x9F"), MQTT_OK);
        assert_int_equal(try_format(s, 0, "\xFF"), MQTT_OK);
        assert_int_equal(try_format(s, 1, "\xFF"),
                         check ? MQTT_ERR_PAYLOAD_FORMAT : MQTT_OK);
        assert_int_equal(try_publish(s, "a", "\xFF", MQTT_QOS_1), MQTT_OK);
        script_restart(s);
    }
}

static void test_a_received_payload_is_checked_on_request(void **state)
{
    struct script *s = v5(state);

    for (int check = 0; check < 2; check++) {
        struct mqtt_statistics statistics = {0};

        s->config.check_payload_format = check;
        s->config.statistics = &statistics;
        connected(s);
        for (uint8_t qos = 0; qos < 3; qos++) {
            uint8_t first = (uint8_t)(0x30 | qos << 1);

            server_publishes_with(s, first, "a", 7, "\xFF", 0x01, 0x01);
            if (!check)
                expect_message(s, "a", "\xFF");
            expect_no_event(s);
            if (qos) {
                expect_packet(s, qos == 1 ? 0x40 : 0x50, 7);
                assert_int_equal(s->packet.reason_code, check ? 0x99 : 0);
            }
            expect_nothing_sent(s);
            server_publishes_with(s, first, "a", 8, "good", 0x01, 0x01);
            expect_message(s, "a", "good");
            server_publishes_with(s, first, "a", 9, "\xFF", 0x01, 0x00);
            expect_message(s, "a", "\xFF");
            expect_no_event(s);
            discard_sent(s);
            expect_wants(s, MQTT_WANT_NOTHING);
        }
        assert_int_equal(statistics.messages_malformed, check ? 3 : 0);
        s->config.statistics = NULL;
        script_restart(s);
    }
}

/* Where the application settles, the refusal waits for its turn. */
static void test_a_refused_payload_keeps_the_order_of_settling(void **state)
{
    struct script *s = v5(state);
    uint32_t first;

    s->config.check_payload_format = true;
    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 4;
    connected(s);
    server_publishes(s, 0x32, "a", 1, "x");
    expect_message(s, "a", "x");
    first = s->event.message.settle_handle;
    server_publishes_with(s, 0x32, "a", 2, "\xFF", 0x01, 0x01);
    server_publishes_with(s, 0x34, "a", 3, "\xFF", 0x01, 0x01);
    expect_no_event(s);
    expect_packet(s, 0x50, 3);
    assert_int_equal(s->packet.reason_code, 0x99);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_settle(&s->client, first, 0), MQTT_OK);
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x40, 2);
    assert_int_equal(s->packet.reason_code, 0x99);
    server_publishes(s, 0x34, "a", 3, "y"); /* its identifier is free */
    expect_message(s, "a", "y");
}

static const struct CMUnitTest tests[] = {
    script_test(test_the_limits_are_those_of_connack),
    script_test(test_a_refused_publish_changes_nothing),
    script_test(test_what_never_left_is_forbidden),
    script_test(test_qos_1_that_was_sent_ends_as_unknown),
    script_test(test_qos_2_that_was_sent_is_released_and_unknown),
    script_test(test_half_a_packet_counts_as_sent),
    script_test(test_what_is_forbidden_takes_no_quota),
    script_test(test_what_is_forbidden_does_not_hold_up_the_end),
    script_test(test_unsubscribe_too_large_for_the_server_is_told),
    script_test(test_the_least_of_all_maxima_holds),
    script_test(test_more_than_20_of_qos_2_may_be_on_their_way),
    script_test(test_pubrels_do_not_wait_for_quota),
    script_test(test_old_exchanges_do_not_raise_the_quota),
    script_test(test_old_exchanges_do_not_lend_their_quota),
    script_test(test_a_refusing_pubrec_frees_all),
    script_test(test_reason_codes_and_properties_are_told),
    script_test(test_a_payload_said_to_be_utf8_is_checked_on_request),
    script_test(test_a_received_payload_is_checked_on_request),
    script_test(test_a_refused_payload_keeps_the_order_of_settling),
};

int main(void)
{
    return script_run("limits", tests);
}
