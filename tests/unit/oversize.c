/*
 * oversize.c - packets larger than the input memory of 32 bytes.
 */
#include "script.h"

static char payload[8000];

static void oversize_setup(struct script *s)
{
    memset(payload, 'x', sizeof(payload) - 1);
    s->memory.input_size = 32;
    connected(s);
}

static void expect_too_large(struct script *s, uint32_t size, enum mqtt_qos qos)
{
    pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
    assert_int_equal(s->event.size, size);
    assert_int_equal(s->event.message.qos, qos);
}

static const char *of_size(size_t size)
{
    return payload + sizeof(payload) - 1 - size;
}

static void test_the_largest_that_fits_is_given(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x32, "a", 7, of_size(25));
    expect_message(s, "a", of_size(25));
    expect_no_event(s);
    expect_packet(s, 0x40, 7);
}

static void test_one_byte_more_is_read_past(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x30, "a", 0, of_size(28));
    expect_too_large(s, 33, MQTT_QOS_0);
    expect_no_event(s);
    expect_nothing_sent(s);
    server_publishes(s, 0x30, "a", 0, "next");
    expect_message(s, "a", "next");
}

static void test_qos_1_is_acknowledged_and_told(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    oversize_setup(s);
    server_publishes(s, 0x32, "a", 0x1234, of_size(1000));
    server_publishes(s, 0x30, "a", 0, "next");
    expect_too_large(s, 1000 + 8, MQTT_QOS_1);
    expect_message(s, "a", "next");
    expect_bytes(s, 0x40, 0x02, 0x12, 0x34);
    assert_int_equal(statistics.messages_too_large, 1);
    assert_int_equal(statistics.messages_received, 1);
}

static void test_qos_2_runs_its_whole_course(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x34, "a", 9, of_size(1000));
    expect_too_large(s, 1000 + 8, MQTT_QOS_2);
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x09);
    server_answers(s, 0x62, 9);
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x00, 0x09);
}

static void test_a_qos_2_duplicate_is_not_told_again(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x34, "a", 9, of_size(1000));
    expect_too_large(s, 1000 + 8, MQTT_QOS_2);
    expect_no_event(s);
    server_publishes(s, 0x3C, "a", 9, of_size(1000));
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x09, 0x50, 0x02, 0x00, 0x09);
}

/* The topic alone is larger than the memory: the identifier is found. */
static void test_a_topic_larger_than_the_memory(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x32, of_size(7000), 0xABCD, "");
    expect_too_large(s, 7000 + 7, MQTT_QOS_1);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x02, 0xAB, 0xCD);
}

static void test_every_length_of_topic_at_the_border(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    for (size_t topic = 1; topic < 60; topic++) {
        server_publishes(s, 0x32, of_size(topic), (uint16_t)topic, of_size(70));
        expect_too_large(s, (uint32_t)(topic + 70 + 6 + (topic + 74 > 127)),
                         MQTT_QOS_1);
        expect_no_event(s);
        expect_packet(s, 0x40, (uint16_t)topic);
    }
}

static void test_several_in_a_row(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    for (uint16_t i = 1; i <= 5; i++)
        server_publishes(s, 0x32, "a", i, of_size(100));
    for (int i = 0; i < 5; i++)
        expect_too_large(s, 107, MQTT_QOS_1);
    expect_no_event(s);
    for (uint16_t i = 1; i <= 5; i++)
        expect_packet(s, 0x40, i);
}

static void test_identifier_0_is_fatal_all_the_same(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_publishes(s, 0x32, "a", 0, of_size(100));
    expect_fatal(s, MQTT_ERR_PACKET_IDENTIFIER);
}

static void test_a_topic_beyond_its_packet_is_fatal_all_the_same(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_sends(s, 0x30, 0x64, 0x00, 0x63);
    server_sends_span(s, payload, 98);
    expect_fatal(s, MQTT_ERR_TRUNCATED);
}

static void test_no_room_for_the_identifier_is_fatal_all_the_same(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_sends(s, 0x32, 0x64, 0x00, 0x61);
    server_sends_span(s, payload, 98);
    expect_fatal(s, MQTT_ERR_TRUNCATED);
}

static void test_a_cut_in_the_middle_leaves_nothing_behind(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_sends(s, 0x32, 0x64, 0x00, 0x01, 'a', 0x00, 0x07);
    server_sends_span(s, payload, 50);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    expect_no_event(s);
    expect_nothing_sent(s);
    server_publishes(s, 0x30, "a", 0, "next");
    expect_message(s, "a", "next");
}

static void test_reading_past_has_a_deadline(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    oversize_setup(s);
    server_sends(s, 0x32, 0x64, 0x00, 0x01, 'a', 0x00, 0x07);
    server_sends_span(s, payload, 53);
    expect_no_event(s);
    expect_deadline(s, 100 + 60 * 8);
    elapse(s, 100 + 60 * 8);
    expect_fatal(s, MQTT_ERR_PACKET_TIMEOUT);
}

static void test_what_was_read_past_has_no_deadline_any_more(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    oversize_setup(s);
    server_publishes(s, 0x34, "a", 9, of_size(1000));
    expect_too_large(s, 1000 + 8, MQTT_QOS_2);
    expect_no_event(s);
    server_publishes(s, 0x3C, "a", 9, of_size(1000));
    expect_no_event(s);
    discard_sent(s);
    elapse(s, 30000);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* Its answer finds no room, which is the network's matter, not the packet's. */
static void test_what_waits_for_room_has_no_deadline_any_more(void **state)
{
    struct script *s = *state;

    s->config.packet_timeout_ms = 100;
    s->memory.control_size = 16;
    oversize_setup(s);
    server_publishes(s, 0x34, "a", 9, of_size(100));
    expect_too_large(s, 100 + 7, MQTT_QOS_2);
    expect_no_event(s);
    discard_sent(s);
    s->blocked = true;
    for (int i = 0; i < 4; i++)
        server_publishes(s, 0x3C, "a", 9, of_size(100));
    server_sends(s, 0x3C, 0x69, 0x00, 0x01, 'a', 0x00, 0x09);
    expect_no_event(s);
    server_sends_span(s, payload, 100);
    expect_no_event(s);
    elapse(s, 100 + 107 * 8);
    expect_wants(s, MQTT_WANT_NOTHING);
    s->blocked = false;
    expect_no_event(s);
    for (int i = 0; i < 5; i++)
        expect_packet(s, 0x50, 9);
}

static void test_the_largest_packet_there_is_can_begin(void **state)
{
    struct script *s = *state;

    oversize_setup(s);
    server_sends(s, 0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x01, 'a', 0x00, 0x07);
    for (int i = 0; i < 10; i++)
        server_sends_span(s, payload, 7999);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_nothing_sent(s);
}

/* Nobody else may send so much: what would be read past is meant for us. */
static void test_other_packets_may_not_be_larger(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[40];
    char filters[40][4];

    s->memory.control_size = 400;
    s->memory.input_size = 32;
    start(s);
    for (unsigned i = 0; i < 40; i++) {
        memset(&nodes[i], 0, sizeof(nodes[i]));
        snprintf(filters[i], sizeof(filters[i]), "%u", i);
        nodes[i].topic_filter = mqtt_text(filters[i]);
        assert_int_equal(mqtt_subscribe(&s->client, &nodes[i]), MQTT_OK);
    }
    connected(s);
    discard_sent(s);
    server_sends(s, 0x90, 0x2A, 0x00, 0x01);
    for (unsigned i = 0; i < 40; i++)
        server_sends(s, 0x00);
    expect_fatal(s, MQTT_ERR_PACKET_TOO_LARGE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_the_largest_that_fits_is_given),
        script_test(test_one_byte_more_is_read_past),
        script_test(test_qos_1_is_acknowledged_and_told),
        script_test(test_qos_2_runs_its_whole_course),
        script_test(test_a_qos_2_duplicate_is_not_told_again),
        script_test(test_a_topic_larger_than_the_memory),
        script_test(test_every_length_of_topic_at_the_border),
        script_test(test_several_in_a_row),
        script_test(test_identifier_0_is_fatal_all_the_same),
        script_test(test_a_topic_beyond_its_packet_is_fatal_all_the_same),
        script_test(test_no_room_for_the_identifier_is_fatal_all_the_same),
        script_test(test_a_cut_in_the_middle_leaves_nothing_behind),
        script_test(test_reading_past_has_a_deadline),
        script_test(test_what_was_read_past_has_no_deadline_any_more),
        script_test(test_what_waits_for_room_has_no_deadline_any_more),
        script_test(test_the_largest_packet_there_is_can_begin),
        script_test(test_other_packets_may_not_be_larger),
    };

    return script_run("oversize", tests);
}
