/*
 * trace_5_0.c - what the trace hook is told of packets of 5.0.
 */
#include "script.h"

#include <mqttloop/stream.h>

static char watched[4096];

static void on_trace(void *context, const struct mqtt_trace *trace)
{
    char line[160];
    size_t size = strlen(watched);

    (void)context;
    mqtt_trace_format(trace, line, sizeof(line));
    snprintf(watched + size, sizeof(watched) - size, "%s\n", line);
}

static void expect_watched(const char *lines)
{
    assert_string_equal(watched, lines);
    watched[0] = '\0';
}

static struct script *watch(void **state)
{
    struct script *s = *state;

    watched[0] = '\0';
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.trace = on_trace;
    s->config.trace_seam = &mqtt_trace_seam;
    return s;
}

static void test_connecting_is_told(void **state)
{
    struct script *s = watch(state);

    s->config.connect.client_identifier = mqtt_text("client");
    connected_with(s, 0x22, 0x00, 0x01);
    expect_watched("> CONNECT \"client\" 31 bytes\n"
                   "< CONNACK code 0 8 bytes\n");
    cut(s);
    reconnected(s, true);
    expect_watched("> CONNECT \"client\" 31 bytes\n"
                   "< CONNACK code 0 session present 5 bytes\n");
}

static void test_auth_is_told_behind_what_waits_to_be_sent(void **state)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
    static const struct mqtt_span none = {NULL, 0};
    struct script *s = watch(state);

    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    connected_with(s, 0x15, 0x00, 0x01, 'm');
    watched[0] = '\0';
    s->blocked = true;
    server_publishes(s, 0x32, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_OK);
    expect_watched("< PUBLISH q1 id 7 \"a\" 9 bytes\n"
                   "> PUBACK id 7 4 bytes\n"
                   "> AUTH code 25 8 bytes\n");
}

static void test_requests_are_told_behind_their_properties(void **state)
{
    static const uint8_t pair[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};
    struct script *s = watch(state);
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("f/#"),
                                  .maximum_qos = MQTT_QOS_1,
                                  .properties = {pair, sizeof(pair)}};

    connected(s);
    watched[0] = '\0';
    subscribed(s, &a);
    expect_watched("> SUBSCRIBE id 1 \"f/#\" 18 bytes\n"
                   "< SUBACK code 1 id 1 6 bytes\n");
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    discard_sent(s);
    server_answers_with(s, 0xB0, 2, 0x11);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    expect_watched("> UNSUBSCRIBE id 2 \"f/#\" 17 bytes\n"
                   "< UNSUBACK code 17 id 2 6 bytes\n");
}

static void test_reason_codes_are_told(void **state)
{
    struct script *s = watch(state);

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    watched[0] = '\0';
    server_answers_with(s, 0x40, 1, 0x87);
    expect_published(s, 1, MQTT_OUTCOME_REFUSED);
    expect_watched("< PUBACK code 135 id 1 5 bytes\n");
}

static void test_what_is_malformed_is_told_as_far_as_it_goes(void **state)
{
    struct script *s = watch(state);
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("f")};

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    discard_sent(s);
    watched[0] = '\0';
    server_sends(s, 0x90, 0x02, 0x00, 0x01); /* no Property Length */
    expect_fatal(s, MQTT_ERR_TRUNCATED);
    expect_watched("< SUBACK code 0 id 1 4 bytes\n"
                   "> DISCONNECT code 129 3 bytes\n");
}

static void test_what_leaves_with_an_alias_is_told(void **state)
{
    struct script *s = watch(state);

    s->memory.alias_topic_count = 1;
    connected_with(s, 0x22, 0x00, 0x01);
    watched[0] = '\0';
    publish_sent(s, "abc", "x", MQTT_QOS_1);
    publish_sent(s, "abc", "x", MQTT_QOS_0);
    expect_watched("> PUBLISH q1 id 1 \"abc\" 14 bytes\n"
                   "> PUBLISH q0 9 bytes\n");
}

static void test_what_is_large_is_told_once(void **state)
{
    struct script *s = watch(state);
    char payload[500];

    memset(payload, 'x', sizeof(payload));
    payload[sizeof(payload) - 1] = '\0';
    connected(s);
    watched[0] = '\0';
    publish_with(s, "abc", payload, MQTT_QOS_1, 0x02, 0x00, 0x00, 0x00, 0x09);
    discard_sent(s);
    expect_watched("> PUBLISH q1 id 1 \"abc\" 515 bytes\n");
    publish_sent(s, "abc", "", MQTT_QOS_0);
    expect_watched("> PUBLISH q0 \"abc\" 8 bytes\n");
}

static const void *read_bytes(struct mqtt_source *source, uint32_t offset,
                              size_t *size)
{
    (void)size;
    return (const uint8_t *)source->context + offset;
}

static void test_what_comes_from_a_source_is_told_once(void **state)
{
    struct script *s = watch(state);
    uint8_t payload[500] = {0};
    struct mqtt_source source = {read_bytes, payload};
    struct mqtt_message message = {.topic_name = MQTT_TEXT("abc"),
                                   .payload = {NULL, sizeof(payload)},
                                   .qos = MQTT_QOS_1};

    connected(s);
    watched[0] = '\0';
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    discard_sent(s);
    publish_sent(s, "a", "x", MQTT_QOS_0);
    expect_watched("> PUBLISH q1 id 1 \"abc\" 511 bytes\n"
                   "> PUBLISH q0 \"a\" 7 bytes\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_connecting_is_told),
        script_test(test_auth_is_told_behind_what_waits_to_be_sent),
        script_test(test_requests_are_told_behind_their_properties),
        script_test(test_reason_codes_are_told),
        script_test(test_what_is_malformed_is_told_as_far_as_it_goes),
        script_test(test_what_leaves_with_an_alias_is_told),
        script_test(test_what_is_large_is_told_once),
        script_test(test_what_comes_from_a_source_is_told_once),
    };

    return script_run("trace_5_0", tests);
}
