/*
 * log_and_trace.c - what can be watched, and that no secret is in it.
 */
#include "script.h"

static char watched[4096];

static void on_log(void *context, const struct mqtt_log *log)
{
    struct script *s = context;
    size_t size = strlen(watched);

    assert_true(log->at == s->now);
    snprintf(watched + size, sizeof(watched) - size, "%s>%s %d\n",
             mqtt_client_state_text(log->from), mqtt_client_state_text(log->to),
             log->error);
}

static void on_trace(void *context, const struct mqtt_trace *trace)
{
    struct script *s = context;
    char line[160];
    size_t size = strlen(watched);
    size_t length = mqtt_trace_format(trace, line, sizeof(line));

    assert_true(trace->at == s->now);
    assert_int_equal(length, strlen(line));
    snprintf(watched + size, sizeof(watched) - size, "%s\n", line);
}

/* What was watched since last looked at. */
static void expect_watched(const char *lines)
{
    assert_string_equal(watched, lines);
    watched[0] = '\0';
}

static void watch_states(struct script *s)
{
    watched[0] = '\0';
    s->config.log = on_log;
}

static void watch_packets(struct script *s)
{
    watched[0] = '\0';
    s->config.trace = on_trace;
    s->config.trace_seam = &mqtt_trace_seam;
}

/* ---- log ----------------------------------------------------------------- */

static void test_a_life_in_states(void **state)
{
    struct script *s = *state;

    watch_states(s);
    start(s);
    expect_watched("");
    wishes_to_connect(s);
    expect_watched("STOPPED>AWAIT_OPEN 0\n");
    server_accepts(s);
    expect_watched("AWAIT_OPEN>AWAIT_CONNACK 0\n");
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_watched("AWAIT_CONNACK>CONNECTED 0\n");
    cut(s);
    expect_watched("CONNECTED>AWAIT_RETRY -101\n");
    elapse(s, 0);
    expect_watched("AWAIT_RETRY>AWAIT_OPEN 0\n");
    server_accepts(s);
    expect_watched("AWAIT_OPEN>AWAIT_CONNACK 0\n");
    server_sends(s, 0xF0, 0x00);
    expect_no_event(s);
    expect_watched("AWAIT_CONNACK>AWAIT_CLOSE -64\n");
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_watched("AWAIT_CLOSE>AWAIT_RETRY -64\n");
}

static void test_an_end_in_states(void **state)
{
    struct script *s = *state;

    watch_states(s);
    connected(s);
    watched[0] = '\0';
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    discard_sent(s);
    expect_watched("CONNECTED>AWAIT_END 0\n");
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_watched("AWAIT_END>STOPPED 0\n");
}

/* ---- trace --------------------------------------------------------------- */

static struct mqtt_trace last;
static char last_text[64];

static void keep_last(void *context, const struct mqtt_trace *trace)
{
    (void)context;
    last = *trace;
    assert_in_range(trace->text.size, 0, sizeof(last_text));
    if (trace->text.size)
        memcpy(last_text, trace->text.data, trace->text.size);
    last.text.data = last_text;
}

static void test_each_packet_is_told_decoded(void **state)
{
    struct script *s = *state;

    s->config.trace = keep_last;
    s->config.trace_seam = &mqtt_trace_seam;
    start(s);
    connects(s);
    discard_sent(s);
    assert_true(last.sent);
    assert_int_equal(last.first_byte, 0x10);
    assert_int_equal(last.size, 15);
    assert_int_equal(last.code, 0x00);
    assert_true(span_is(last.text, "c"));
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_false(last.sent);
    assert_int_equal(last.first_byte, 0x20);
    assert_true(last.session_present);
    assert_int_equal(last.code, 0);
    assert_int_equal(last.size, 4);
    publish_sent(s, "a/b", "xyz", MQTT_QOS_1);
    assert_true(last.sent);
    assert_int_equal(last.first_byte, 0x32);
    assert_int_equal(last.packet_identifier, 1);
    assert_int_equal(last.size, 12);
    assert_true(span_is(last.text, "a/b"));
    server_answers(s, 0x40, 1);
    pull(s, MQTT_EVENT_PUBLISHED);
    assert_false(last.sent);
    assert_int_equal(last.first_byte, 0x40);
    assert_int_equal(last.packet_identifier, 1);
    server_publishes(s, 0x31, "t", 0, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(last.first_byte, 0x31);
    assert_int_equal(last.packet_identifier, 0);
    assert_true(span_is(last.text, "t"));
}

static void test_the_identifier_behind_a_long_topic_name_is_told(void **state)
{
    struct script *s = *state;
    char topic[0x0204] = "";
    uint16_t identifier;

    memset(topic, 't', sizeof(topic) - 1);
    s->config.trace = keep_last;
    s->config.trace_seam = &mqtt_trace_seam;
    connected(s);
    publish_sent(s, "t", "p", MQTT_QOS_1);
    identifier = publish_sent(s, topic, "p", MQTT_QOS_1);
    assert_int_equal(last.packet_identifier, identifier);
    assert_int_equal(last.text.size, 64);
}

static void test_at_most_64_bytes_of_text_are_told(void **state)
{
    struct script *s = *state;
    char topic[80] = "";

    s->config.trace = keep_last;
    s->config.trace_seam = &mqtt_trace_seam;
    connected(s);
    for (size_t size = 60; size < 70; size++) {
        memset(topic, 't', size);
        publish_sent(s, topic, "p", MQTT_QOS_1);
        assert_int_equal(last.text.size, size < 64 ? size : 64);
        assert_int_equal(last.size, 1 + 1 + 2 + size + 2 + 1);
        server_publishes(s, 0x32, topic, 7, "p");
        pull(s, MQTT_EVENT_MESSAGE);
        assert_false(last.sent);
        assert_int_equal(last.packet_identifier, 7);
        assert_int_equal(last.text.size, size < 64 ? size : 64);
        expect_no_event(s);
        discard_sent(s);
    }
}

static void test_large_packets_are_told(void **state)
{
    static char payload[20001];
    struct script *s = *state;

    if (s->wire == &wire_bytes)
        return; /* as many single bytes prove no more */
    memset(payload, 'x', 20000);
    s->config.trace = keep_last;
    s->config.trace_seam = &mqtt_trace_seam;
    s->memory.outbox_size = 21000;
    s->memory.input_size = 21000;
    connected(s);
    publish_sent(s, "t", payload, MQTT_QOS_1);
    assert_int_equal(last.size, 1 + 3 + 3 + 2 + 20000);
    assert_int_equal(last.packet_identifier, 1);
    assert_true(span_is(last.text, "t"));
    payload[16000] = '\0';
    server_publishes(s, 0x32, "t", 7, payload);
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(last.size, 1 + 2 + 3 + 2 + 16000);
    assert_int_equal(last.packet_identifier, 7);
    assert_true(span_is(last.text, "t"));
}

static void test_every_kind_of_packet_is_told(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("f/#")};
    static const char *const kinds[] = {
        "CONNECT",  "CONNACK", "PUBLISH",   "PUBACK",    "PUBREC",
        "PUBREL",   "PUBCOMP", "SUBSCRIBE", "SUBACK",    "UNSUBSCRIBE",
        "UNSUBACK", "PINGREQ", "PINGRESP",  "DISCONNECT"};

    watch_packets(s);
    connected(s);
    subscribed(s, &a);
    publish_sent(s, "a", "", MQTT_QOS_1);
    publish_sent(s, "a", "", MQTT_QOS_2);
    server_answers(s, 0x40, 2);
    server_answers(s, 0x50, 3);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    discard_sent(s);
    server_answers(s, 0x70, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    server_publishes(s, 0x34, "f/x", 9, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_answers(s, 0x62, 9);
    expect_no_event(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    discard_sent(s);
    server_answers(s, 0xB0, 4);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    elapse(s, 60000);
    discard_sent(s);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    discard_sent(s);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strstr(watched, kinds[i]))
            fail_msg("no %s in:\n%s", kinds[i], watched);
}

static void test_no_secret_is_told(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("wtopic"),
                                      .payload = MQTT_TEXT("SECRETW")};

    watch_packets(s);
    s->config.connect.user_name = mqtt_text("SECRETU");
    s->config.connect.password = mqtt_text("SECRETP");
    s->config.connect.will = &will;
    connected(s);
    publish_sent(s, "a", "SECRETM", MQTT_QOS_1);
    server_publishes(s, 0x30, "a", 0, "SECRETR");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    assert_null(strstr(watched, "SECRET"));
    assert_non_null(strstr(watched, "CONNECT"));
}

/* A packet across the end of the ring is told as any other. */
static void test_a_topic_across_the_end_of_the_ring_is_told(void **state)
{
    struct script *s = *state;

    s->config.trace = keep_last;
    s->config.trace_seam = &mqtt_trace_seam;
    s->memory.outbox_size = 50;
    connected(s);
    for (uint16_t i = 1; i <= 60; i++) {
        uint16_t identifier = publish_sent(s, "topic/name", "12", MQTT_QOS_1);

        assert_int_equal(last.packet_identifier, identifier);
        assert_true(span_is(last.text, "topic/name"));
        server_answers(s, 0x40, identifier);
        pull(s, MQTT_EVENT_PUBLISHED);
    }
}

static void test_a_packet_is_told_once(void **state)
{
    struct script *s = *state;
    const char *at;
    unsigned count = 0;

    watch_packets(s);
    connected(s);
    s->blocked = true;
    publish(s, "only/once", "0123456789", MQTT_QOS_1);
    for (int i = 0; i < 15; i++)
        network_takes(s, 1);
    s->blocked = false;
    discard_sent(s);
    for (at = watched; (at = strstr(at, "only/once")); at++)
        count++;
    assert_int_equal(count, 1);
}

/* ---- one line ------------------------------------------------------------ */

static const struct mqtt_trace example = {
    .sent = true,
    .first_byte = 0x32,
    .packet_identifier = 7,
    .size = 21,
    .text = MQTT_TEXT("a/b"),
};
static const char example_line[] = "> PUBLISH q1 id 7 \"a/b\" 21 bytes";

static void test_the_line_of_the_manual(void **state)
{
    char line[80];

    (void)state;
    assert_int_equal(mqtt_trace_format(&example, line, sizeof(line)),
                     sizeof(example_line) - 1);
    assert_string_equal(line, example_line);
}

static void test_the_lines_of_a_conversation(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("f/#"),
                                  .maximum_qos = MQTT_QOS_1};
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                      .payload = MQTT_TEXT("")};

    watch_packets(s);
    s->config.connect.clean_start = true;
    s->config.connect.will = &will;
    s->config.connect.user_name = mqtt_text("u");
    s->config.connect.password = mqtt_text("p");
    connected(s);
    expect_watched("> CONNECT clean will user name password \"c\" 26 bytes\n"
                   "< CONNACK code 0 4 bytes\n");
    subscribed(s, &a);
    expect_watched("> SUBSCRIBE id 1 \"f/#\" 10 bytes\n"
                   "< SUBACK code 1 id 1 5 bytes\n");
    server_publishes(s, 0x31, "f", 0, "hey");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_watched("< PUBLISH q0 retain \"f\" 8 bytes\n");
    server_publishes(s, 0x3A, "f/g", 300, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_watched("< PUBLISH q1 dup id 300 \"f/g\" 9 bytes\n"
                   "> PUBACK id 300 4 bytes\n");
    elapse(s, 60000);
    discard_sent(s);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    expect_watched("> PINGREQ 2 bytes\n"
                   "< PINGRESP 2 bytes\n");
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    discard_sent(s);
    expect_watched("> DISCONNECT 2 bytes\n");
}

static void test_a_refusal_is_told_with_its_code(void **state)
{
    struct script *s = *state;

    watch_packets(s);
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 5);
    expect_no_event(s);
    expect_watched("> CONNECT \"c\" 15 bytes\n"
                   "< CONNACK code 5 4 bytes\n");
}

static void test_every_size_of_line(void **state)
{
    size_t whole = sizeof(example_line) - 1;

    (void)state;
    for (size_t size = 0; size < sizeof(example_line) + 8; size++) {
        char *line = malloc(size ? size : 1);
        size_t length;

        assert_non_null(line);
        *line = 'x';
        length = mqtt_trace_format(&example, line, size);
        assert_true(size ? length < size : length == 0);
        if (size > whole)
            assert_int_equal(length, whole);
        if (size) {
            assert_int_equal(line[length], '\0');
            assert_memory_equal(line, example_line, length);
        } else {
            assert_int_equal(*line, 'x');
        }
        free(line);
    }
}

static void test_what_is_not_printable_becomes_a_question_mark(void **state)
{
    struct mqtt_trace trace = example;
    char line[80];

    (void)state;
    trace.text = (struct mqtt_span)MQTT_TEXT("a\n\x1B\x7F\xC3\xA4~");
    mqtt_trace_format(&trace, line, sizeof(line));
    assert_non_null(strstr(line, "\"a?????~\""));
}

static void test_any_first_byte_makes_a_line(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        struct mqtt_trace trace = example;
        char line[80];
        size_t length;

        trace.first_byte = (uint8_t)first;
        length = mqtt_trace_format(&trace, line, sizeof(line));
        assert_int_equal(length, strlen(line));
        trace.sent = false;
        mqtt_trace_format(&trace, line, sizeof(line));
        assert_int_equal(line[0], '<');
    }
}

static void test_what_is_read_past_is_told_too(void **state)
{
    struct script *s = *state;
    char payload[400];

    memset(payload, 'x', sizeof(payload));
    payload[sizeof(payload) - 1] = '\0';
    watch_packets(s);
    s->memory.input_size = 64;
    connected(s);
    watched[0] = '\0';
    server_publishes(s, 0x32, "a", 7, payload);
    pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
    expect_watched("< PUBLISH q1 id 7 407 bytes\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_life_in_states),
        script_test(test_an_end_in_states),
        script_test(test_each_packet_is_told_decoded),
        script_test(test_the_identifier_behind_a_long_topic_name_is_told),
        script_test(test_at_most_64_bytes_of_text_are_told),
        script_test(test_large_packets_are_told),
        script_test(test_every_kind_of_packet_is_told),
        script_test(test_no_secret_is_told),
        script_test(test_a_topic_across_the_end_of_the_ring_is_told),
        script_test(test_a_packet_is_told_once),
        script_test(test_the_line_of_the_manual),
        script_test(test_the_lines_of_a_conversation),
        script_test(test_a_refusal_is_told_with_its_code),
        script_test(test_every_size_of_line),
        script_test(test_what_is_not_printable_becomes_a_question_mark),
        script_test(test_any_first_byte_makes_a_line),
        script_test(test_what_is_read_past_is_told_too),
    };

    return script_run("log_and_trace", tests);
}
