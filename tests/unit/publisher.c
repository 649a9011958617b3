/*
 * publisher.c - mqtt_protocol_publisher: MQTT 3.1.1 for who only publishes, at
 * QoS 0 and 1.
 */
#include "script.h"

#include <mqttloop/stream.h>

static void begin(struct script *s)
{
    s->config.protocol = &mqtt_protocol_publisher;
    connected(s);
}

static void test_connect_is_that_of_3_1_1(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_publisher;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x0D,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x04,                           /* protocol level */
                 0x00,                           /* flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x00, 0x01, 'c');               /* client identifier */
    server_sends(s, 0x20, 0x02, 0x00, 0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_ptr_equal(mqtt_client_protocol(&s->client),
                     &mqtt_protocol_publisher);
}

static void test_qos_0_and_1_are_published(void **state)
{
    struct script *s = *state;

    begin(s);
    publish(s, "a", "x", MQTT_QOS_0);
    assert_int_equal(publish(s, "a", "y", MQTT_QOS_1), 1);
    expect_bytes(s, 0x30,         /* PUBLISH, QoS 0 */
                 0x04,            /* remaining length */
                 0x00, 0x01, 'a', /* topic name */
                 'x',             /* payload */
                 0x32,            /* PUBLISH, QoS 1 */
                 0x06,            /* remaining length */
                 0x00, 0x01, 'a', /* topic name */
                 0x00, 0x01,      /* packet identifier */
                 'y');            /* payload */
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
}

static void test_qos_1_is_sent_again_with_dup(void **state)
{
    struct script *s = *state;

    begin(s);
    publish_sent(s, "a", "y", MQTT_QOS_1);
    cut(s);
    reconnected(s, true);
    expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'y');
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static const void *read_y(struct mqtt_source *source, uint32_t offset,
                          size_t *size)
{
    (void)source;
    (void)offset;
    *size = 1;
    return "y";
}

static void test_a_stream_is_published(void **state)
{
    struct script *s = *state;
    struct mqtt_source source = {.read = read_y};
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"), .payload = {NULL, 3}, .qos = MQTT_QOS_1};

    begin(s);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    expect_bytes(s, 0x32, 0x08, 0x00, 0x01, 'a', 0x00, 0x01, 'y', 'y', 'y');
}

static void test_qos_2_is_refused(void **state)
{
    struct script *s = *state;
    struct mqtt_source source = {.read = read_y};
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"), .payload = {NULL, 3}, .qos = MQTT_QOS_2};

    s->config.protocol = &mqtt_protocol_publisher;
    start(s);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_2), MQTT_ERR_QOS);
    connected(s);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_2), MQTT_ERR_QOS);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_ERR_QOS);
    expect_nothing_sent(s);
}

static void test_subscribing_is_refused(void **state)
{
    struct script *s = *state;

    for (int drop = 0; drop < 2; drop++) {
        struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

        s->config.drop_unsupported = drop;
        s->config.protocol = &mqtt_protocol_publisher;
        start(s);
        assert_int_equal(mqtt_subscribe(&s->client, &a),
                         MQTT_ERR_PROTOCOL_VERSION);
        connected(s);
        assert_int_equal(mqtt_subscribe(&s->client, &a),
                         MQTT_ERR_PROTOCOL_VERSION);
        assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_ERR_STATE);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

static void test_properties_are_refused_or_dropped(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .properties = MQTT_TEXT("\x01\x01")};

    begin(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
    script_restart(s);
    s->config.drop_unsupported = true;
    begin(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', 'x');
}

/* Whatever only a subscriber, or QoS 2, has to do with: the first byte tells,
 * however large the packet is. */
static void test_what_a_publisher_has_no_use_for_closes(void **state)
{
    static const uint8_t first_bytes[] = {0x30, 0x31, 0x32, 0x34, 0x3A,
                                          0x50, 0x62, 0x70, 0x90, 0xB0};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(first_bytes); i++)
        for (int large = 0; large < 3; large++) {
            s->config.large = large == 2 ? &mqtt_large_parts : NULL;
            begin(s);
            publish_sent(s, "a", "x", MQTT_QOS_1);
            if (large)
                server_sends(s, first_bytes[i], 0xFF, 0xFF, 0xFF, 0x7F, 0x00,
                             0x01, 'a');
            else
                server_sends(s, first_bytes[i], 0x06, 0x00, 0x01, 'a', 0x00,
                             0x01, 'x');
            expect_fatal(s, MQTT_ERR_PACKET_TYPE);
            assert_false(s->seen_disconnect);
            expect_nothing_sent(s);
            script_restart(s);
        }
}

static void test_pings_and_disconnect_are_those_of_3_1_1(void **state)
{
    struct script *s = *state;

    begin(s);
    elapse(s, 60000);
    expect_bytes(s, 0xC0, 0x00);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
}

static void test_reason_codes_are_not_for_publishers(void **state)
{
    struct script *s = *state;
    static const struct mqtt_disconnect_options with_will = {.reason_code =
                                                                 0x04};
    struct mqtt_span none = {NULL, 0};

    begin(s);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, &with_will),
                     MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(mqtt_authenticate(&s->client, none, none),
                     MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
}

/* 5.0 first; the server speaks 3.1.1 only: QoS 2 has no way to go. */
static void test_a_publisher_may_be_the_fallback(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->config.protocol = &mqtt_protocol_5_0;
    s->config.fallback = &mqtt_protocol_publisher;
    start(s);
    publish(s, "a", "one", MQTT_QOS_1);
    publish(s, "a", "two", MQTT_QOS_2);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0x84);
    pull(s, MQTT_EVENT_REFUSED);
    expect_fatal(s, MQTT_ERR_REFUSED);
    reopened(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_published(s, 2, MQTT_OUTCOME_FORBIDDEN);
    assert_int_equal(s->event.error, MQTT_ERR_MAXIMUM_QOS);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    assert_int_equal(s->event.error, MQTT_ERR_PROTOCOL_VERSION);
    expect_no_event(s);
    expect_bytes(s, 0x32, 0x08, 0x00, 0x01, 'a', 0x00, 0x01, 'o', 'n', 'e');
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    /* It belongs to the client still, and can be taken back. */
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    expect_no_event(s);
    expect_nothing_sent(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_connect_is_that_of_3_1_1),
        script_test(test_qos_0_and_1_are_published),
        script_test(test_qos_1_is_sent_again_with_dup),
        script_test(test_a_stream_is_published),
        script_test(test_qos_2_is_refused),
        script_test(test_subscribing_is_refused),
        script_test(test_properties_are_refused_or_dropped),
        script_test(test_what_a_publisher_has_no_use_for_closes),
        script_test(test_pings_and_disconnect_are_those_of_3_1_1),
        script_test(test_reason_codes_are_not_for_publishers),
        script_test(test_a_publisher_may_be_the_fallback),
    };

    return script_run("publisher", tests);
}
