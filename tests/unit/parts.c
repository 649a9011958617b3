/*
 * parts.c - messages larger than the input memory, given in parts.
 */
#include "script.h"

#include <mqttloop/stream.h>

/* Any 30 bytes of it stand in one place only. */
static char payload[3000];

static void fill_payload(void)
{
    for (unsigned i = 0; i < sizeof(payload) - 1; i++)
        payload[i] = (char)('A' + (i * i / 7 + i) % 57);
}

static const char *of_size(size_t size)
{
    return payload + sizeof(payload) - 1 - size;
}

static const struct mqtt_protocol *const versions[] = {&mqtt_protocol_3_1_1,
                                                       &mqtt_protocol_5_0};

/* What is true must be true in both versions. */
static void in_both(struct script *s, void (*test)(struct script *s))
{
    for (int i = 0; i < 2; i++) {
        s->config.protocol = versions[i];
        test(s);
        script_restart(s);
    }
}

/* Connected, with 64 bytes of input memory. */
static void begin(struct script *s)
{
    fill_payload();
    s->memory.input_size = 64;
    s->config.large = &mqtt_large_parts;
    connected(s);
}

static void begin_5_0(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    begin(s);
}

/* ---- parts --------------------------------------------------------------- */

struct expected {
    const char *topic, *payload;
    enum mqtt_qos qos;
    uint16_t identifier;
    const void *properties;
    size_t properties_size;
    bool by_call;
};

/* The next part, which begins at `offset`; where the one after it begins. */
static uint32_t take_part(struct script *s, const struct expected *e,
                          uint32_t offset)
{
    const struct mqtt_message *m = &s->event.message;
    uint32_t end;

    pull(s, MQTT_EVENT_MESSAGE);
    assert_true(span_is(m->topic_name, e->topic));
    assert_int_equal(m->qos, e->qos);
    assert_int_equal(s->event.packet_identifier, e->identifier);
    assert_int_equal(m->payload_size, strlen(e->payload));
    assert_int_equal(m->payload_offset, offset);
    assert_true(m->payload.size > 0);
    end = offset + (uint32_t)m->payload.size;
    assert_true(end <= m->payload_size);
    assert_memory_equal(m->payload.data, e->payload + offset, m->payload.size);
    assert_int_equal(m->properties.size, e->properties_size);
    if (e->properties_size)
        assert_memory_equal(m->properties.data, e->properties,
                            e->properties_size);
    assert_int_equal(m->settle_handle != 0,
                     e->by_call && end == m->payload_size);
    return end;
}

/* All of it comes; how many parts there were. */
static unsigned take_all(struct script *s, const struct expected *e)
{
    uint32_t at = 0;
    unsigned parts = 0;

    do {
        at = take_part(s, e, at);
        parts++;
        expect_nothing_sent(s); /* it is not processed yet */
    } while (at < strlen(e->payload));
    return parts;
}

/* Parts are pulled until this offset is behind them; where they end. */
static uint32_t take_until(struct script *s, const struct expected *e,
                           uint32_t offset)
{
    uint32_t at = 0;

    while (at < offset)
        at = take_part(s, e, at);
    return at;
}

static void comes_in_parts(struct script *s)
{
    struct expected e = {.topic = "a/b", .payload = of_size(2000)};

    begin(s);
    server_publishes(s, 0x30, "a/b", 0, e.payload);
    assert_in_range(take_all(s, &e), 2, 2000);
    expect_no_event(s);
    expect_nothing_sent(s);
    e.qos = MQTT_QOS_1;
    e.identifier = 0x1234;
    server_publishes(s, 0x32, "a/b", 0x1234, e.payload);
    assert_in_range(take_all(s, &e), 2, 2000);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x02, 0x12, 0x34);
    e.qos = MQTT_QOS_2;
    server_publishes(s, 0x34, "a/b", 0x1234, e.payload);
    assert_in_range(take_all(s, &e), 2, 2000);
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x12, 0x34);
    server_answers(s, 0x62, 0x1234);
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x12, 0x34);
}

static void test_a_large_message_comes_in_parts(void **state)
{
    in_both(*state, comes_in_parts);
}

static void each_size(struct script *s)
{
    begin(s);
    for (size_t size = 1; size < 200; size++) {
        struct expected e = {.topic = "abc",
                             .payload = of_size(size),
                             .qos = MQTT_QOS_1,
                             .identifier = (uint16_t)size};
        size_t head = speaks_5_0(s) ? 10 : 9;
        unsigned parts;

        server_publishes(s, 0x32, "abc", (uint16_t)size, e.payload);
        parts = take_all(s, &e);
        if (head + size <= 64)
            assert_int_equal(parts, 1);
        else
            assert_true(parts > 1);
        expect_no_event(s);
        expect_packet(s, 0x40, (uint16_t)size);
    }
}

static void test_each_size_around_the_memory_is_whole_or_in_parts(void **state)
{
    in_both(*state, each_size);
}

/* Only the head makes it larger than the memory of 64 bytes. */
static void no_payload(struct script *s)
{
    begin(s);
    for (size_t topic = 50; topic < 60; topic++) {
        if (topic + (speaks_5_0(s) ? 5 : 4) >= 64)
            break;
        server_publishes(s, 0x32, of_size(topic), 7, "");
        expect_message(s, of_size(topic), "");
        assert_int_equal(s->event.message.payload_offset, 0);
        assert_int_equal(s->event.message.payload_size, 0);
        expect_no_event(s);
        expect_packet(s, 0x40, 7);
    }
}

static void test_a_large_head_without_payload_is_one_part(void **state)
{
    in_both(*state, no_payload);
}

static void retain_and_dup(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(300),
                         .qos = MQTT_QOS_1,
                         .identifier = 7};
    uint32_t at = 0;

    begin(s);
    server_publishes(s, 0x3B, "a", 7, e.payload);
    while (at < 300) {
        at = take_part(s, &e, at);
        assert_true(s->event.message.retain);
        assert_true(s->event.message.dup);
    }
}

static void test_retain_and_dup_are_told_in_every_part(void **state)
{
    in_both(*state, retain_and_dup);
}

static void others_around(struct script *s)
{
    struct mqtt_statistics statistics = {0};
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_1,
                         .identifier = 2};

    s->config.statistics = &statistics;
    begin(s);
    server_publishes(s, 0x32, "small", 1, "before");
    server_publishes(s, 0x32, "a", 2, e.payload);
    server_publishes(s, 0x32, "a", 3, e.payload);
    server_publishes(s, 0x30, "small", 0, "after");
    expect_message(s, "small", "before");
    for (e.identifier = 2; e.identifier < 4; e.identifier++) {
        uint32_t at = 0;

        while (at < 1000)
            at = take_part(s, &e, at);
    }
    expect_message(s, "small", "after");
    expect_no_event(s);
    for (uint16_t i = 1; i < 4; i++)
        expect_packet(s, 0x40, i);
    expect_nothing_sent(s);
    assert_int_equal(statistics.messages_received, 4);
    s->config.statistics = NULL;
}

static void test_messages_before_and_after_are_whole(void **state)
{
    in_both(*state, others_around);
}

/* ---- properties and aliases ---------------------------------------------- */

static void test_properties_are_there_in_every_part(void **state)
{
    static const uint8_t properties[] = {
        0x03, 0x00, 0x02, 't', 'x',            /* Content Type */
        0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v' /* User Property */
    };
    struct script *s = *state;
    struct expected e = {.topic = "a/b",
                         .payload = of_size(500),
                         .qos = MQTT_QOS_1,
                         .identifier = 9,
                         .properties = properties,
                         .properties_size = sizeof(properties)};

    begin_5_0(s);
    script_publish(s, 0x32, "a/b", 9, e.payload, properties,
                   sizeof(properties));
    assert_in_range(take_all(s, &e), 2, 500);
    expect_no_event(s);
    expect_packet(s, 0x40, 9);
}

static void test_a_topic_by_alias_is_there_in_every_part(void **state)
{
    static const uint8_t alias_1[] = {0x23, 0x00, 0x01};
    static const uint8_t alias_2[] = {0x23, 0x00, 0x02};
    struct script *s = *state;
    struct expected e = {.topic = "far/away",
                         .payload = of_size(500),
                         .properties = alias_1,
                         .properties_size = sizeof(alias_1)};

    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 64;
    begin_5_0(s);
    server_publishes_with(s, 0x30, "far/away", 0, "x", 0x23, 0x00, 0x01);
    expect_message(s, "far/away", "x");
    server_publishes_with(s, 0x30, "", 0, e.payload, 0x23, 0x00, 0x01);
    take_all(s, &e);
    /* One that comes in parts may give an alias, too. */
    e.topic = "near";
    e.properties = alias_2;
    server_publishes_with(s, 0x30, "near", 0, e.payload, 0x23, 0x00, 0x02);
    take_all(s, &e);
    server_publishes_with(s, 0x30, "", 0, e.payload, 0x23, 0x00, 0x02);
    take_all(s, &e);
    server_publishes_with(s, 0x30, "", 0, "y", 0x23, 0x00, 0x02);
    expect_message(s, "near", "y");
}

static void test_an_unknown_alias_is_fatal(void **state)
{
    struct script *s = *state;

    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 64;
    begin_5_0(s);
    server_publishes_with(s, 0x30, "", 0, of_size(500), 0x23, 0x00, 0x02);
    expect_fatal(s, MQTT_ERR_PROPERTY_VALUE);
    assert_int_equal(s->disconnect_code, 0x82); /* [5.0, section 3.3.4] */
}

/* It would have to be held whole. */
static void test_what_comes_in_parts_is_not_checked_as_text(void **state)
{
    static const uint8_t is_text[] = {0x01, 0x01};
    struct script *s = *state;
    struct expected e = {.topic = "a",
                         .payload = of_size(500),
                         .qos = MQTT_QOS_1,
                         .identifier = 5,
                         .properties = is_text,
                         .properties_size = sizeof(is_text)};

    s->config.check_payload_format = true;
    begin_5_0(s);
    payload[sizeof(payload) - 10] = '\xFF';
    server_publishes_with(s, 0x32, "a", 5, e.payload, 0x01, 0x01);
    take_all(s, &e);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x05);
}

/* ---- settling ------------------------------------------------------------ */

static void settled_by_call(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(300),
                         .qos = MQTT_QOS_1,
                         .identifier = 5,
                         .by_call = true};
    uint32_t handle;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 2;
    begin(s);
    server_publishes(s, 0x32, "a", 5, e.payload);
    take_all(s, &e);
    handle = s->event.message.settle_handle;
    e.qos = MQTT_QOS_2;
    server_publishes(s, 0x34, "a", 5, e.payload);
    take_all(s, &e);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_settle(&s->client, handle, speaks_5_0(s) ? 0x97 : 0),
                     MQTT_OK);
    if (speaks_5_0(s))
        expect_bytes(s, 0x40, 0x03, 0x00, 0x05, 0x97);
    else
        expect_bytes(s, 0x40, 0x02, 0x00, 0x05);
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_ERR_HANDLE);
}

static void test_the_last_part_has_the_handle_to_settle(void **state)
{
    in_both(*state, settled_by_call);
}

/* The first part of a third waits until one of two is settled. */
static void unsettled_full(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(300),
                         .qos = MQTT_QOS_1,
                         .by_call = true};
    uint32_t handle = 0;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 1;
    begin(s);
    e.identifier = 1;
    server_publishes(s, 0x32, "a", 1, e.payload);
    take_all(s, &e);
    handle = s->event.message.settle_handle;
    if (speaks_5_0(s)) { /* it was told not to send another */
        server_publishes(s, 0x32, "a", 2, e.payload);
        expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
        assert_int_equal(s->disconnect_code, 0x93);
        return;
    }
    server_publishes(s, 0x32, "a", 2, e.payload);
    expect_no_event(s);
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_OK);
    expect_packet(s, 0x40, 1);
    e.identifier = 2;
    take_all(s, &e);
}

static void test_without_room_to_settle_no_part_comes(void **state)
{
    in_both(*state, unsettled_full);
}

/* ---- the rest is refused ------------------------------------------------- */

static void rest_is_refused(struct script *s)
{
    static const uint8_t codes[] = {0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    struct expected e = {.topic = "a", .payload = of_size(1000)};

    begin(s);
    for (unsigned qos = 0; qos < 3; qos++)
        for (size_t i = 0; i < sizeof(codes); i++) {
            uint8_t answer = qos == 2 ? 0x50 : 0x40;

            e.qos = (enum mqtt_qos)qos;
            e.identifier = qos ? 5 : 0;
            server_publishes(s, (uint8_t)(0x30 | qos << 1), "a", 5, e.payload);
            server_publishes(s, 0x30, "b", 0, "next");
            take_until(s, &e, 1);
            assert_int_equal(mqtt_refuse_rest(&s->client, codes[i]), MQTT_OK);
            expect_nothing_sent(s);
            expect_message(s, "b", "next");
            if (!qos)
                expect_nothing_sent(s);
            else if (speaks_5_0(s))
                expect_bytes(s, answer, 0x03, 0x00, 0x05, codes[i]);
            else
                expect_bytes(s, answer, 0x02, 0x00, 0x05);
            if (qos == 2 && !speaks_5_0(s)) {
                server_answers(s, 0x62, 5);
                expect_no_event(s);
                expect_bytes(s, 0x70, 0x02, 0x00, 0x05);
            }
        }
}

static void test_the_rest_is_read_past_and_refused(void **state)
{
    in_both(*state, rest_is_refused);
}

/* PUBREC with an error is the end: the identifier is free for a new message. */
static void test_a_refused_qos_2_message_has_ended(void **state)
{
    struct script *s = *state;
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_2,
                         .identifier = 5};

    begin_5_0(s);
    server_publishes(s, 0x34, "a", 5, e.payload);
    take_until(s, &e, 1);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x97), MQTT_OK);
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x03, 0x00, 0x05, 0x97);
    server_publishes(s, 0x34, "a", 5, "new");
    expect_message(s, "a", "new");
}

/* Refused ones leave in their turn, behind what is not settled. */
static void refused_in_turn(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_1,
                         .identifier = 2};
    uint32_t handle;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 4;
    begin(s);
    server_publishes(s, 0x32, "b", 1, "first");
    expect_message(s, "b", "first");
    handle = s->event.message.settle_handle;
    server_publishes(s, 0x32, "a", 2, e.payload);
    e.by_call = true;
    take_until(s, &e, 1);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x97), MQTT_OK);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_OK);
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x40, 2);
    assert_int_equal(s->packet.reason_code, speaks_5_0(s) ? 0x97 : 0);
    expect_nothing_sent(s);
}

static void test_a_refused_rest_is_acknowledged_in_its_turn(void **state)
{
    in_both(*state, refused_in_turn);
}

static void refused_at_the_wrong_time(struct script *s)
{
    struct expected e = {.topic = "a", .payload = of_size(200)};

    begin(s);
    assert_int_equal(mqtt_refuse_rest(NULL, 0x80), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
    server_publishes(s, 0x30, "a", 0, "whole");
    expect_message(s, "a", "whole");
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
    server_publishes(s, 0x30, "a", 0, e.payload);
    take_all(s, &e);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
    expect_no_event(s);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
    server_publishes(s, 0x30, "a", 0, e.payload);
    take_until(s, &e, 1);
    for (unsigned code = 0; code < 256; code++)
        if (code < 0x80 || code == 0x81 || code == 0x8F || code == 0x92 ||
            code == 0x95 || code > 0x99)
            assert_int_equal(mqtt_refuse_rest(&s->client, (uint8_t)code),
                             MQTT_ERR_REASON_CODE);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_OK);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
    expect_no_event(s);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x80), MQTT_ERR_STATE);
}

static void test_a_rest_is_refused_while_there_is_one(void **state)
{
    in_both(*state, refused_at_the_wrong_time);
}

/* ---- again, and from the beginning --------------------------------------- */

static void a_duplicate(struct script *s)
{
    struct mqtt_statistics statistics = {0};
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_2,
                         .identifier = 5};

    s->config.statistics = &statistics;
    begin(s);
    server_publishes(s, 0x34, "a", 5, e.payload);
    take_all(s, &e);
    expect_no_event(s);
    expect_packet(s, 0x50, 5);
    server_publishes(s, 0x3C, "a", 5, e.payload);
    server_publishes(s, 0x30, "b", 0, "next");
    expect_message(s, "b", "next");
    expect_bytes(s, 0x50, 0x02, 0x00, 0x05);
    assert_int_equal(statistics.duplicates_received, 1);
    assert_int_equal(statistics.messages_received, 2);
    s->config.statistics = NULL;
}

static void test_a_qos_2_duplicate_is_read_past(void **state)
{
    in_both(*state, a_duplicate);
}

static void begins_anew(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_2,
                         .identifier = 5};

    begin(s);
    for (uint32_t end = 1; end < 1000; end += 311) {
        server_publishes(s, 0x34, "a", 5, e.payload);
        take_until(s, &e, end);
        cut(s);
        reconnected(s, true);
        expect_nothing_sent(s);
    }
    server_publishes(s, 0x3C, "a", 5, e.payload); /* it was never taken */
    take_all(s, &e);
    expect_no_event(s);
    expect_packet(s, 0x50, 5);
    expect_nothing_sent(s);
}

static void test_a_message_that_is_cut_begins_anew(void **state)
{
    in_both(*state, begins_anew);
}

static void refused_and_cut(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_2,
                         .identifier = 5};

    begin(s);
    server_publishes(s, 0x34, "a", 5, e.payload);
    take_until(s, &e, 1);
    assert_int_equal(mqtt_refuse_rest(&s->client, 0x97), MQTT_OK);
    s->to_client.size = 0;
    cut(s);
    reconnected(s, true);
    expect_nothing_sent(s);
    server_publishes(s, 0x3C, "a", 5, e.payload);
    take_all(s, &e);
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x05);
}

static void test_refusing_a_rest_does_not_cross_a_cut(void **state)
{
    in_both(*state, refused_and_cut);
}

/* ---- heads --------------------------------------------------------------- */

#define TEN 'v', 'v', 'v', 'v', 'v', 'v', 'v', 'v', 'v', 'v'
#define OF_50 TEN, TEN, TEN, TEN, TEN

/* Of each size around the memory of 64 bytes: what fits with one byte of
 * payload is given. */
static void heads(struct script *s)
{
    for (size_t topic = 40; topic < 90; topic++) {
        size_t head = topic + (speaks_5_0(s) ? 5 : 4);
        struct expected e = {.topic = of_size(topic),
                             .payload = of_size(300),
                             .qos = MQTT_QOS_1,
                             .identifier = 6};

        begin(s);
        e.topic = of_size(topic);
        server_publishes(s, 0x32, e.topic, 6, e.payload);
        if (head < 64) {
            take_all(s, &e);
            expect_no_event(s);
            expect_bytes(s, 0x40, 0x02, 0x00, 0x06);
        } else {
            pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
            assert_int_equal(s->event.size, 3 + head + 300);
            assert_int_equal(s->event.message.qos, MQTT_QOS_1);
            expect_no_event(s);
            if (speaks_5_0(s))
                expect_bytes(s, 0x40, 0x03, 0x00, 0x06, 0x97);
            else
                expect_bytes(s, 0x40, 0x02, 0x00, 0x06);
        }
        script_restart(s);
    }
    begin(s);
    expect_no_event(s);
}

static void test_a_head_fits_into_the_memory_or_is_too_large(void **state)
{
    in_both(*state, heads);
}

/* It may give an alias that stood for another topic name, and is thrown away:
 * what came with that alias later would have the wrong one. So there are no
 * aliases any more, and then it is read past. */
static void test_a_head_that_is_too_large_ends_the_aliases(void **state)
{
    struct script *s = *state;
    const char *topic = NULL;

    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 64;
    begin_5_0(s);
    topic = of_size(80);
    server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0x00, 0x01);
    expect_message(s, "a", "x");
    /* One without a topic name cannot give any. */
    server_publishes_with(s, 0x32, "", 6, "x", 0x23, 0x00, 0x01, 0x26, 0x00,
                          0x01, 'n', 0x00, 0x32, OF_50);
    pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x03, 0x00, 0x06, 0x97);
    server_publishes_with(s, 0x32, topic, 6, "x", 0x23, 0x00, 0x01);
    expect_fatal(s, MQTT_ERR_ALIAS_MEMORY);
    assert_int_equal(s->disconnect_code, 0x97); /* Quota exceeded */
    discard_sent(s);
    reconnected(s, true);
    server_publishes(s, 0x3A, topic, 6, "x");
    pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x03, 0x00, 0x06, 0x97);
}

/* 400 bytes of payload may follow, or nothing: the head alone tells. */
#define expect_malformed(s, error, ...)                                        \
    malformed(s, error, (const uint8_t[]){__VA_ARGS__},                        \
              sizeof((const uint8_t[]){__VA_ARGS__}))

static void malformed(struct script *s, enum mqtt_error error,
                      const void *bytes, size_t size)
{
    for (int more = 0; more < 2; more++) {
        begin(s);
        server_sends_span(s, bytes, size);
        if (more)
            server_sends_span(s, of_size(400), 400);
        expect_fatal(s, error);
        if (speaks_5_0(s))
            assert_int_equal(s->disconnect_code,
                             error == MQTT_ERR_NO_TOPIC ? 0x82 : 0x81);
        script_restart(s);
    }
}

static void malformed_heads(struct script *s)
{
    /* Remaining length 400. */
    expect_malformed(s, MQTT_ERR_TRUNCATED, 0x30, 0x90, 0x03, 0xFF, 0xFF);
    expect_malformed(s, MQTT_ERR_TRUNCATED, 0x30, 0x90, 0x03, 0x01, 0x8F);
    expect_malformed(s, MQTT_ERR_TRUNCATED, 0x32, 0x90, 0x03, 0x01, 0x8D);
    expect_malformed(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x90, 0x03, 0x00, 0x02,
                     'a', '#', 0x00);
    expect_malformed(
        s, speaks_5_0(s) ? MQTT_ERR_NO_TOPIC : MQTT_ERR_RECEIVED_TOPIC, 0x30,
        0x90, 0x03, 0x00, 0x00, 0x00);
    expect_malformed(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x90, 0x03, 0x00, 0x01,
                     0xFF, 0x00);
}

static void test_a_malformed_head_is_fatal(void **state)
{
    in_both(*state, malformed_heads);
}

static void identifier_0(struct script *s)
{
    begin(s);
    server_publishes(s, 0x32, "a", 0, of_size(400));
    expect_fatal(s, MQTT_ERR_PACKET_IDENTIFIER);
}

static void test_identifier_0_is_fatal(void **state)
{
    in_both(*state, identifier_0);
}

static void test_malformed_properties_of_a_head_are_fatal(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    /* Property Length 396: one more than there is. */
    expect_malformed(s, MQTT_ERR_TRUNCATED, 0x30, 0x90, 0x03, 0x00, 0x01, 'a',
                     0x8C, 0x03);
    expect_malformed(s, MQTT_ERR_TRUNCATED, 0x30, 0x90, 0x03, 0x00, 0x01, 'a',
                     0xFF, 0xFF, 0xFF, 0x7F);
    /* Property Length 0 in two bytes, and in five. */
    expect_malformed(s, MQTT_ERR_RECEIVED_PROPERTY, 0x30, 0x90, 0x03, 0x00,
                     0x01, 'a', 0x80, 0x00);
    expect_malformed(s, MQTT_ERR_RECEIVED_PROPERTY, 0x30, 0x90, 0x03, 0x00,
                     0x01, 'a', 0x80, 0x80, 0x80, 0x80, 0x00);
    /* One that PUBLISH has not; one that goes beyond Property Length. */
    expect_malformed(s, MQTT_ERR_RECEIVED_PROPERTY, 0x30, 0x90, 0x03, 0x00,
                     0x01, 'a', 0x02, 0x17, 0x00);
    expect_malformed(s, MQTT_ERR_RECEIVED_PROPERTY, 0x30, 0x90, 0x03, 0x00,
                     0x01, 'a', 0x02, 0x02, 0x00);
}

/* ---- callbacks ----------------------------------------------------------- */

static struct {
    unsigned calls;
    uint32_t at;
    bool destroy, refuse;
} seen;

static void on_part(struct mqtt_client *client,
                    const struct mqtt_message *message, void *context)
{
    assert_ptr_equal(context, &seen);
    assert_int_equal(message->payload_offset, seen.at);
    assert_memory_equal(message->payload.data, of_size(500) + seen.at,
                        message->payload.size);
    seen.calls++;
    seen.at += (uint32_t)message->payload.size;
    if (seen.refuse)
        assert_int_equal(mqtt_refuse_rest(client, 0x97), MQTT_OK);
    if (seen.destroy)
        mqtt_client_destroy(client);
}

static void to_callbacks(struct script *s)
{
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                  .on_message = on_part,
                                  .context = &seen};

    begin(s);
    subscribed(s, &a);
    memset(&seen, 0, sizeof(seen));
    server_publishes(s, 0x32, "a", 5, of_size(500));
    dispatch(s);
    assert_true(seen.calls > 1);
    assert_int_equal(seen.at, 500);
    expect_packet(s, 0x40, 5);
    /* The first call refuses what is left. */
    memset(&seen, 0, sizeof(seen));
    seen.refuse = true;
    server_publishes(s, 0x32, "a", 6, of_size(500));
    dispatch(s);
    assert_int_equal(seen.calls, 1);
    expect_packet(s, 0x40, 6);
}

static void test_each_part_is_a_call(void **state)
{
    in_both(*state, to_callbacks);
}

static void destroyed(struct script *s)
{
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                  .on_message = on_part,
                                  .context = &seen};

    begin(s);
    subscribed(s, &a);
    memset(&seen, 0, sizeof(seen));
    seen.destroy = true;
    server_publishes(s, 0x32, "a", 5, of_size(500));
    assert_int_equal(dispatch(s), MQTT_ERR_DESTROYED);
    assert_int_equal(seen.calls, 1);
}

static void test_a_part_may_be_the_last_of_the_client(void **state)
{
    in_both(*state, destroyed);
}

/* ---- time ---------------------------------------------------------------- */

/* Nothing more is read than the memory takes, and no time runs. */
static void slow(struct script *s)
{
    struct expected e = {.topic = "a",
                         .payload = of_size(1000),
                         .qos = MQTT_QOS_1,
                         .identifier = 5};
    uint32_t at;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    begin(s);
    server_publishes(s, 0x32, "a", 5, e.payload);
    at = take_until(s, &e, 1);
    while (script_feed(s))
        ;
    assert_in_range(s->to_client.size, 1000 - at - 64 - 64, 1000 - at);
    for (int i = 0; i < 10; i++)
        elapse(s, 100000);
    expect_wants(s, MQTT_WANT_NOTHING);
    while (at < 1000)
        at = take_part(s, &e, at);
    expect_no_event(s);
    expect_packet(s, 0x40, 5);
}

static void test_what_nobody_pulls_stays_in_the_network(void **state)
{
    in_both(*state, slow);
}

static void half_read(struct script *s)
{
    struct expected e = {.topic = "a", .payload = of_size(1000)};
    uint32_t at;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    begin(s);
    server_publishes(s, 0x30, "a", 0, e.payload);
    s->to_client.size = 500;
    at = take_until(s, &e, speaks_5_0(s) ? 493 : 494);
    assert_int_equal(at, speaks_5_0(s) ? 493 : 494);
    expect_no_event(s);
    /* 30 s, and 8 ms for each byte that came. */
    elapse(s, 30000);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    elapse(s, 500 * 8);
    expect_fatal(s, MQTT_ERR_PACKET_TIMEOUT);
}

static void test_half_a_message_has_a_time_to_become_whole(void **state)
{
    in_both(*state, half_read);
}

/* ---- what is announced --------------------------------------------------- */

static void test_without_parts_the_memory_is_announced(void **state)
{
    struct script *s = *state;

    fill_payload();
    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.input_size = 0x50;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x18,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x05,                           /* protocol version */
                 0x00,                           /* flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x0A,                           /* property length */
                 0x11, 0xFF, 0xFF, 0xFF, 0xFF,   /* Session Expiry Interval */
                 0x27, 0x00, 0x00, 0x00, 0x50,   /* Maximum Packet Size */
                 0x00, 0x01, 'c');               /* client identifier */
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    server_publishes(s, 0x30, "a", 0, of_size(0x50 - 6)); /* just that */
    expect_message(s, "a", of_size(0x50 - 6));
    server_publishes(s, 0x30, "a", 0, of_size(0x50 - 5));
    expect_fatal(s, MQTT_ERR_PACKET_TOO_LARGE);
    assert_int_equal(s->disconnect_code, 0x95);
}

static void test_with_parts_no_size_is_announced(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    s->config.large = &mqtt_large_parts;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x13,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x05,                           /* protocol version */
                 0x00,                           /* flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x05,                           /* property length */
                 0x11, 0xFF, 0xFF, 0xFF, 0xFF,   /* Session Expiry Interval */
                 0x00, 0x01, 'c');               /* client identifier */
}

static void test_a_size_that_is_asked_for_is_kept(void **state)
{
    struct script *s = *state;
    struct expected e = {.topic = "a", .payload = of_size(993)};

    s->config.connect.maximum_packet_size = 1000;
    begin_5_0(s);
    server_publishes(s, 0x30, "a", 0, e.payload); /* 1000 bytes */
    take_all(s, &e);
    server_publishes(s, 0x30, "a", 0, of_size(994));
    expect_fatal(s, MQTT_ERR_PACKET_TOO_LARGE);
    assert_int_equal(s->disconnect_code, 0x95);
}

static void test_without_parts_3_1_1_reads_past(void **state)
{
    struct script *s = *state;

    fill_payload();
    s->memory.input_size = 64;
    connected(s);
    server_publishes(s, 0x32, "a", 5, of_size(1000));
    pull(s, MQTT_EVENT_MESSAGE_TOO_LARGE);
    assert_int_equal(s->event.size, 1008);
    expect_no_event(s);
    expect_packet(s, 0x40, 5);
}

/* Parts are for PUBLISH: SUBACK has to fit. */
static void other_packets(struct script *s)
{
    begin(s);
    server_sends(s, 0x90, 0x90, 0x03);
    expect_fatal(s, MQTT_ERR_PACKET_TOO_LARGE);
}

static void test_another_packet_that_is_too_large_is_fatal(void **state)
{
    in_both(*state, other_packets);
}

/* The packet is larger than the memory, and what is before the payload is not:
 * then there is one part, and nothing in it. */
static void an_empty_payload_is_one_part(struct script *s)
{
    bool five = s->config.protocol == &mqtt_protocol_5_0;

    for (unsigned qos = 0; qos < 3; qos++) {
        unsigned head = 2u + 20u + (qos ? 2u : 0u) + (five ? 1u : 0u);

        s->memory.input_size = head + 1;
        s->config.large = &mqtt_large_parts;
        connected(s);
        server_publishes(s, (uint8_t)(0x30 | qos << 1), "a/topic/of/20/letter",
                         7, "");
        pull(s, MQTT_EVENT_MESSAGE);
        assert_true(
            span_is(s->event.message.topic_name, "a/topic/of/20/letter"));
        assert_int_equal(s->event.message.payload.size, 0);
        assert_int_equal(s->event.message.payload_size, 0);
        expect_no_event(s);
        if (qos)
            expect_packet(s, qos == 1 ? 0x40 : 0x50, 7);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

static void test_an_empty_payload_is_one_part(void **state)
{
    in_both(*state, an_empty_payload_is_one_part);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_large_message_comes_in_parts),
        script_test(test_an_empty_payload_is_one_part),
        script_test(test_each_size_around_the_memory_is_whole_or_in_parts),
        script_test(test_a_large_head_without_payload_is_one_part),
        script_test(test_retain_and_dup_are_told_in_every_part),
        script_test(test_messages_before_and_after_are_whole),
        script_test(test_properties_are_there_in_every_part),
        script_test(test_a_topic_by_alias_is_there_in_every_part),
        script_test(test_an_unknown_alias_is_fatal),
        script_test(test_what_comes_in_parts_is_not_checked_as_text),
        script_test(test_the_last_part_has_the_handle_to_settle),
        script_test(test_without_room_to_settle_no_part_comes),
        script_test(test_the_rest_is_read_past_and_refused),
        script_test(test_a_refused_qos_2_message_has_ended),
        script_test(test_a_refused_rest_is_acknowledged_in_its_turn),
        script_test(test_a_rest_is_refused_while_there_is_one),
        script_test(test_a_qos_2_duplicate_is_read_past),
        script_test(test_a_message_that_is_cut_begins_anew),
        script_test(test_refusing_a_rest_does_not_cross_a_cut),
        script_test(test_a_head_fits_into_the_memory_or_is_too_large),
        script_test(test_a_head_that_is_too_large_ends_the_aliases),
        script_test(test_a_malformed_head_is_fatal),
        script_test(test_identifier_0_is_fatal),
        script_test(test_malformed_properties_of_a_head_are_fatal),
        script_test(test_each_part_is_a_call),
        script_test(test_a_part_may_be_the_last_of_the_client),
        script_test(test_what_nobody_pulls_stays_in_the_network),
        script_test(test_half_a_message_has_a_time_to_become_whole),
        script_test(test_without_parts_the_memory_is_announced),
        script_test(test_with_parts_no_size_is_announced),
        script_test(test_a_size_that_is_asked_for_is_kept),
        script_test(test_without_parts_3_1_1_reads_past),
        script_test(test_another_packet_that_is_too_large_is_fatal),
    };

    return script_run("parts", tests);
}
