/*
 * receive.c - messages that come [3.1.1, sections 3.3 to 3.7 and 4.3].
 */
#include "script.h"

static void expect_properties(struct script *s, enum mqtt_qos qos, bool retain,
                              bool dup, uint16_t identifier)
{
    assert_int_equal(s->event.message.qos, qos);
    assert_int_equal(s->event.message.retain, retain);
    assert_int_equal(s->event.message.dup, dup);
    assert_int_equal(s->event.packet_identifier, identifier);
}

/* ---- the three levels ---------------------------------------------------- */

static void test_qos_0_is_not_acknowledged(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0x30,                   /* PUBLISH, QoS 0 */
                 0x08,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 'h', 'e', 'y');            /* payload */
    expect_message(s, "a/b", "hey");
    expect_properties(s, MQTT_QOS_0, false, false, 0);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_a_topic_name_may_have_a_length_of_two_bytes(void **state)
{
    struct script *s = *state;
    char topic[0x0301] = {0};

    memset(topic, 't', sizeof(topic) - 1);
    for (int five = 0; five < 2; five++) {
        s->config.protocol = five ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
        s->memory.input_size = 1000;
        connected(s);
        server_publishes(s, 0x32, topic, 7, "x");
        expect_message(s, topic, "x");
        expect_properties(s, MQTT_QOS_1, false, false, 7);
        script_restart(s);
    }
}

static void test_qos_1_is_acknowledged_with_the_next_pull(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0x32,                   /* PUBLISH, QoS 1 */
                 0x0A,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 0xAB, 0xCD,                /* packet identifier */
                 'h', 'e', 'y');            /* payload */
    expect_message(s, "a/b", "hey");
    expect_properties(s, MQTT_QOS_1, false, false, 0xABCD);
    expect_nothing_sent(s);
    expect_no_event(s);
    expect_bytes(s, 0x40,     /* PUBACK */
                 0x02,        /* remaining length */
                 0xAB, 0xCD); /* packet identifier */
}

static void test_qos_2_is_given_once(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0x34,                   /* PUBLISH, QoS 2 */
                 0x0A,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 0x00, 0x07,                /* packet identifier */
                 'h', 'e', 'y');            /* payload */
    expect_message(s, "a/b", "hey");
    expect_properties(s, MQTT_QOS_2, false, false, 7);
    expect_nothing_sent(s);
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x07); /* PUBREC */
    server_sends(s, 0x62,                    /* PUBREL */
                 0x02,                       /* remaining length */
                 0x00, 0x07);                /* packet identifier */
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x00, 0x07); /* PUBCOMP */
}

static void test_a_qos_2_duplicate_is_answered_and_not_given(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    server_publishes(s, 0x34, "a", 7, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x07);
    assert_int_equal(statistics.duplicates_received, 1);
    assert_int_equal(statistics.messages_received, 1);
}

/* [3.1.1 MQTT-4.3.3-2]: by identifier, whatever DUP says. */
static void test_a_qos_2_duplicate_need_not_carry_dup(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 7, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "x");
    expect_no_event(s);
}

static void test_after_pubrel_the_identifier_is_new(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 7, "1");
    pull(s, MQTT_EVENT_MESSAGE);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "2");
    expect_message(s, "a", "2");
}

static void test_an_unknown_pubrel_is_answered(void **state)
{
    struct script *s = *state;

    connected(s);
    server_answers(s, 0x62, 0x1234);
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x12, 0x34);
    server_answers(s, 0x62, 0x1234);
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x12, 0x34);
}

static void test_a_qos_1_duplicate_is_given_again(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 7, "x");
    expect_message(s, "a", "x");
    server_publishes(s, 0x3A, "a", 7, "x");
    expect_message(s, "a", "x");
    expect_properties(s, MQTT_QOS_1, false, true, 7);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x07, 0x40, 0x02, 0x00, 0x07);
}

static void test_retain_and_dup_are_told(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x31, "a", 0, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_properties(s, MQTT_QOS_0, true, false, 0);
    server_publishes(s, 0x3D, "a", 65535, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_properties(s, MQTT_QOS_2, true, true, 65535);
    server_publishes(s, 0x3B, "a", 1, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_properties(s, MQTT_QOS_1, true, true, 1);
}

static void test_an_empty_payload_is_present(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 1, "");
    expect_message(s, "a", "");
    assert_non_null(s->event.message.payload.data);
}

/* [3.1.1 MQTT-1.5.3-3] */
static void test_a_byte_order_mark_stays(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x30,
                     "\xEF\xBB\xBF"
                     "a",
                     0, "");
    expect_message(s,
                   "\xEF\xBB\xBF"
                   "a",
                   "");
}

/* ---- the order of acknowledgements --------------------------------------- */

/* [3.1.1 MQTT-4.6.0-2, -3] */
static void test_acknowledgements_leave_in_the_order_of_arrival(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    server_publishes(s, 0x32, "a", 5, "");
    server_publishes(s, 0x34, "a", 3, "");
    server_publishes(s, 0x32, "a", 4, "");
    server_publishes(s, 0x34, "a", 1, "");
    for (int i = 0; i < 4; i++)
        pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    s->blocked = false;
    expect_bytes(s, 0x40, 0x02, 0x00, 0x05, /* PUBACK 5 */
                 0x50, 0x02, 0x00, 0x03,    /* PUBREC 3 */
                 0x40, 0x02, 0x00, 0x04,    /* PUBACK 4 */
                 0x50, 0x02, 0x00, 0x01);   /* PUBREC 1 */
}

/* A full control area stops reading; it loses nothing. */
static void test_more_acknowledgements_than_room_lose_nothing(void **state)
{
    struct script *s = *state;
    unsigned given = 0;

    s->memory.control_size = 20;
    connected(s);
    s->blocked = true;
    for (uint16_t i = 1; i <= 50; i++)
        server_publishes(s, i & 1 ? 0x32 : 0x34, "a", i, "x");
    for (unsigned i = 0; i < 300; i++) {
        while (script_feed(s) || mqtt_client_next(&s->client, &s->event))
            given += s->event.type == MQTT_EVENT_MESSAGE, s->event.type = 0;
        s->blocked = false;
        script_drain(s);
        s->blocked = true;
    }
    s->blocked = false;
    assert_int_equal(given, 50);
    for (uint16_t i = 1; i <= 50; i++)
        expect_packet(s, i & 1 ? 0x40 : 0x50, i);
    expect_nothing_sent(s);
}

/* ---- back pressure ------------------------------------------------------- */

static void test_what_nobody_pulls_stays_in_the_network(void **state)
{
    struct script *s = *state;
    size_t size;

    connected(s);
    for (int i = 0; i < 100; i++)
        server_publishes(s, 0x30, "a", 0, "0123456789");
    while (script_feed(s))
        ;
    assert_true(s->to_client.size > 0);
    assert_null(mqtt_client_input_buf(&s->client, NULL, 0, &size));
    assert_int_equal(size, 0);
    for (int i = 0; i < 100; i++)
        expect_message(s, "a", "0123456789");
    expect_no_event(s);
}

/* Until the next pull, says the header, and reading is no pull. */
static void test_a_borrowed_message_survives_reading(void **state)
{
    struct script *s = *state;
    size_t size;
    void *to;

    if (s->wire->lent_size)
        return; /* there it is the end of the loan that counts */
    connected(s);
    server_publishes(s, 0x30, "borrowed", 0, "payload");
    pull(s, MQTT_EVENT_MESSAGE);
    to = mqtt_client_input_buf(&s->client, NULL, 0, &size);
    if (to)
        memset(to, 0xEE, size);
    assert_true(span_is(s->event.message.topic_name, "borrowed"));
    assert_true(span_is(s->event.message.payload, "payload"));
}

static void test_what_came_before_the_end_is_given_first(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x30, "a", 0, "1");
    server_publishes(s, 0x32, "a", 9, "2");
    server_closes(s);
    expect_message(s, "a", "1");
    expect_message(s, "a", "2");
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CLOSED);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* What it could not acknowledge the server will send again. */
static void test_an_acknowledgement_does_not_cross_a_cut(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 9, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    s->blocked = true;
    expect_no_event(s);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    expect_nothing_sent(s);
}

/* A QoS 2 message that was given is not given again after a cut. */
static void test_qos_2_is_given_once_over_a_cut(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 9, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    s->blocked = true;
    expect_no_event(s);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 9, "x");
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x09);
    server_answers(s, 0x62, 9);
    expect_no_event(s);
    expect_bytes(s, 0x70, 0x02, 0x00, 0x09);
}

/* ---- the identifiers of QoS 2 -------------------------------------------- */

static void use_list(struct script *s, size_t count)
{
    s->with_bits = false;
    s->memory.received_count = count;
}

static void test_a_list_holds_as_many_as_it_says(void **state)
{
    struct script *s = *state;

    use_list(s, 3);
    connected(s);
    for (uint16_t i = 1; i <= 3; i++) {
        server_publishes(s, 0x34, "a", (uint16_t)(i * 1000), "");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    server_answers(s, 0x62, 2000);
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 7, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes(s, 0x3C, "a", 3000, "");
    expect_no_event(s);
    server_publishes(s, 0x34, "a", 8, "");
    expect_fatal(s, MQTT_ERR_RECEIVED_FULL);
}

/* The server began another session, and nobody knows: CONNACK was lost. What is
 * left of the old one makes room, or no message of QoS 2 would ever fit. */
static void test_what_did_not_come_again_makes_room_in_the_list(void **state)
{
    struct script *s = *state;

    use_list(s, 2);
    connected(s);
    for (uint16_t i = 1; i <= 2; i++) {
        server_publishes(s, 0x34, "a", (uint16_t)(i * 1000), "");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    cut(s);
    reconnected(s, true);
    for (uint16_t i = 7; i <= 8; i++) {
        server_publishes(s, 0x34, "a", i, "");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    server_publishes(s, 0x34, "a", 9, "");
    expect_fatal(s, MQTT_ERR_RECEIVED_FULL);
}

/* What came again is still known; PUBREL need not know what it releases. */
static void test_what_came_again_keeps_its_place_in_the_list(void **state)
{
    struct script *s = *state;

    use_list(s, 3);
    connected(s);
    for (uint16_t i = 1; i <= 3; i++) {
        server_publishes(s, 0x34, "a", (uint16_t)(i * 1000), "");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    cut(s);
    discard_sent(s);
    reconnected(s, true);
    for (int i = 0; i < 2; i++) {
        server_publishes(s, 0x3C, "a", 2000, "");
        expect_no_event(s);
        expect_packet(s, 0x50, 2000);
    }
    server_publishes(s, 0x34, "a", 7, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes(s, 0x34, "a", 8, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes(s, 0x3C, "a", 2000, "");
    expect_no_event(s);
    discard_sent(s);
    for (uint16_t i = 1; i <= 3; i++) {
        server_answers(s, 0x62, (uint16_t)(i * 1000));
        expect_no_event(s);
        expect_packet(s, 0x70, (uint16_t)(i * 1000));
    }
    server_publishes(s, 0x34, "a", 9, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes(s, 0x34, "a", 10, "");
    expect_fatal(s, MQTT_ERR_RECEIVED_FULL);
}

static void test_without_a_list_qos_2_is_fatal(void **state)
{
    struct script *s = *state;

    use_list(s, 0);
    connected(s);
    server_publishes(s, 0x32, "a", 1, "");
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes(s, 0x34, "a", 1, "");
    expect_fatal(s, MQTT_ERR_RECEIVED_FULL);
}

static void test_every_identifier_fits_into_the_bits(void **state)
{
    struct script *s = *state;

    if (s->wire != &wire_whole)
        return; /* the bits know nothing of wires */
    connected(s);
    for (uint16_t i = 65535; i; i--) {
        server_publishes(s, 0x34, "a", i, "");
        pull(s, MQTT_EVENT_MESSAGE);
    }
    server_publishes(s, 0x34, "a", 1, "");
    server_publishes(s, 0x34, "a", 65535, "");
    expect_no_event(s);
    for (uint16_t i = 65535; i; i--)
        server_answers(s, 0x62, i);
    expect_no_event(s);
    for (unsigned i = 0; i < 8192; i++)
        assert_int_equal(s->memory.received_bits[i], 0);
}

/* ---- what is no PUBLISH -------------------------------------------------- */

static void expect_fatal_bytes(struct script *s, const void *bytes, size_t size,
                               enum mqtt_error error)
{
    connected(s);
    server_sends_span(s, bytes, size);
    expect_fatal(s, error);
    expect_nothing_sent(s);
    script_restart(s);
}

#define fatal(s, error, ...)                                                   \
    expect_fatal_bytes(s, (const uint8_t[]){__VA_ARGS__},                      \
                       sizeof((const uint8_t[]){__VA_ARGS__}), error)

static void test_qos_3_is_fatal(void **state)
{
    fatal(*state, MQTT_ERR_RECEIVED_QOS, 0x36, 0x05, 0x00, 0x01, 'a', 0x00,
          0x01);
    fatal(*state, MQTT_ERR_RECEIVED_QOS, 0x3F, 0x05, 0x00, 0x01, 'a', 0x00,
          0x01);
}

/* [3.1.1 MQTT-3.3.1-2] */
static void test_dup_with_qos_0_is_fatal(void **state)
{
    fatal(*state, MQTT_ERR_RECEIVED_QOS, 0x38, 0x03, 0x00, 0x01, 'a');
}

static void test_identifier_0_in_a_message_is_fatal(void **state)
{
    fatal(*state, MQTT_ERR_PACKET_IDENTIFIER, 0x32, 0x05, 0x00, 0x01, 'a', 0x00,
          0x00);
    fatal(*state, MQTT_ERR_PACKET_IDENTIFIER, 0x34, 0x05, 0x00, 0x01, 'a', 0x00,
          0x00);
}

static void test_topic_names_that_are_none_are_fatal(void **state)
{
    struct script *s = *state;

    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x02, 0x00, 0x00);
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x03, 0x00, 0x01, '+');
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x03, 0x00, 0x01, '#');
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x05, 0x00, 0x03, 'a', '/', '#');
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x03, 0x00, 0x01, 0x00);
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x05, 0x00, 0x03, 'a', 0x00, 'b');
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x03, 0x00, 0x01, 0xFF);
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x04, 0x00, 0x02, 0xC0, 0x80);
    fatal(s, MQTT_ERR_RECEIVED_TOPIC, 0x30, 0x05, 0x00, 0x03, 0xED, 0xA0,
          0x80); /* a surrogate */
}

static void test_a_topic_beyond_its_packet_is_fatal(void **state)
{
    struct script *s = *state;

    fatal(s, MQTT_ERR_TRUNCATED, 0x30, 0x00);
    fatal(s, MQTT_ERR_TRUNCATED, 0x30, 0x01, 0x00);
    fatal(s, MQTT_ERR_TRUNCATED, 0x30, 0x03, 0x00, 0x02, 'a', 'b', 'c');
    fatal(s, MQTT_ERR_TRUNCATED, 0x30, 0x03, 0xFF, 0xFF, 'a');
    fatal(s, MQTT_ERR_TRUNCATED, 0x32, 0x03, 0x00, 0x01, 'a');
    fatal(s, MQTT_ERR_TRUNCATED, 0x32, 0x04, 0x00, 0x01, 'a', 0x00);
    fatal(s, MQTT_ERR_TRUNCATED, 0x34, 0x04, 0x00, 0x01, 'a', 0x01, 0x30);
}

static void test_a_remaining_length_of_five_bytes_is_fatal(void **state)
{
    struct script *s = *state;

    fatal(s, MQTT_ERR_REMAINING_LENGTH, 0x30, 0x80, 0x80, 0x80, 0x80);
    fatal(s, MQTT_ERR_REMAINING_LENGTH, 0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F);
    fatal(s, MQTT_ERR_REMAINING_LENGTH, 0xD0, 0x80, 0x80, 0x80, 0x80, 0x00);
}

/* 3.1.1 does not ask for the shortest form. */
static void test_a_remaining_length_may_be_longer_than_needed(void **state)
{
    struct script *s = *state;

    connected(s);
    server_sends(s, 0x30, 0x83, 0x80, 0x80, 0x00, 0x00, 0x01, 'a');
    expect_message(s, "a", "");
    server_sends(s, 0xD0, 0x80, 0x00);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_packets_that_no_server_sends_are_fatal(void **state)
{
    static const uint8_t types[] = {0x00, 0x10, 0x82, 0xA2, 0xC0, 0xE0, 0xF0};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(types); i++)
        fatal(s, MQTT_ERR_PACKET_TYPE, types[i], 0x00);
}

static void test_reserved_flags_are_fatal(void **state)
{
    static const uint8_t good[] = {0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(good); i++)
        for (unsigned flags = 0; flags < 16; flags++) {
            uint8_t first = (uint8_t)((good[i] & 0xF0) | flags);

            if (first != good[i])
                fatal(s, MQTT_ERR_PACKET_FLAGS, first, 0x02, 0x00, 0x01);
        }
}

static void test_packets_of_a_wrong_length_are_fatal(void **state)
{
    static const uint8_t kinds[] = {0x40, 0x50, 0x62, 0x70, 0xB0};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(kinds); i++) {
        fatal(s, MQTT_ERR_TRUNCATED, kinds[i], 0x00);
        fatal(s, MQTT_ERR_TRUNCATED, kinds[i], 0x01, 0x01);
        fatal(s, MQTT_ERR_TRAILING_BYTES, kinds[i], 0x03, 0x00, 0x01, 0x00);
    }
    fatal(s, MQTT_ERR_TRAILING_BYTES, 0xD0, 0x01, 0x00);
    fatal(s, MQTT_ERR_TRUNCATED, 0x90, 0x00);
    fatal(s, MQTT_ERR_TRUNCATED, 0x90, 0x01, 0x01);
}

static void test_connack_of_a_wrong_length_is_fatal(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_sends(s, 0x20, 0x01, 0x00);
    expect_fatal(s, MQTT_ERR_TRUNCATED);
    script_restart(s);
    start(s);
    connects(s);
    server_sends(s, 0x20, 0x03, 0x00, 0x00, 0x00);
    expect_fatal(s, MQTT_ERR_TRAILING_BYTES);
    script_restart(s);
    start(s);
    connects(s);
    server_sends(s, 0x20, 0x00);
    expect_fatal(s, MQTT_ERR_TRUNCATED);
}

/* After the fault nothing more is taken, nothing more is sent. */
static void test_a_fatal_error_is_the_end_of_the_connection(void **state)
{
    struct script *s = *state;
    size_t size;

    connected(s);
    server_sends(s, 0xF0, 0x00);
    server_publishes(s, 0x32, "a", 1, "x");
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_CLOSE);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_CLOSE);
    assert_null(mqtt_client_input_buf(&s->client, NULL, 0, &size));
    publish(s, "a", "y", MQTT_QOS_1);
    expect_nothing_sent(s);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_PACKET_TYPE);
    expect_no_event(s);
    reconnected(s, true);
    expect_packet(s, 0x32, 1);
}

/* The message before the fault was whole, and is given. */
static void test_what_came_before_the_fault_is_given(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x30, "a", 0, "x");
    server_sends(s, 0xF0, 0x00);
    expect_message(s, "a", "x");
    expect_fatal(s, MQTT_ERR_PACKET_TYPE);
}

/* ---- statistics ---------------------------------------------------------- */

static void test_statistics_count_both_ways(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    assert_int_equal(statistics.bytes_sent, 15);
    assert_int_equal(statistics.bytes_received, 4);
    assert_int_equal(statistics.connections, 1);
    server_publishes(s, 0x30, "a", 0, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    pull(s, MQTT_EVENT_PUBLISHED);
    assert_int_equal(statistics.bytes_sent, 15 + 8);
    assert_int_equal(statistics.bytes_received, 4 + 6 + 4);
    assert_int_equal(statistics.messages_received, 1);
    assert_int_equal(statistics.messages_published, 1);
    assert_int_equal(statistics.messages_acknowledged, 1);
    cut(s);
    assert_int_equal(statistics.connections_lost, 1);
    reopened(s);
    cut(s);
    assert_int_equal(statistics.attempts_failed, 1);
    assert_int_equal(statistics.connections_lost, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_qos_0_is_not_acknowledged),
        script_test(test_a_topic_name_may_have_a_length_of_two_bytes),
        script_test(test_qos_1_is_acknowledged_with_the_next_pull),
        script_test(test_qos_2_is_given_once),
        script_test(test_a_qos_2_duplicate_is_answered_and_not_given),
        script_test(test_a_qos_2_duplicate_need_not_carry_dup),
        script_test(test_after_pubrel_the_identifier_is_new),
        script_test(test_an_unknown_pubrel_is_answered),
        script_test(test_a_qos_1_duplicate_is_given_again),
        script_test(test_retain_and_dup_are_told),
        script_test(test_an_empty_payload_is_present),
        script_test(test_a_byte_order_mark_stays),
        script_test(test_acknowledgements_leave_in_the_order_of_arrival),
        script_test(test_more_acknowledgements_than_room_lose_nothing),
        script_test(test_what_nobody_pulls_stays_in_the_network),
        script_test(test_a_borrowed_message_survives_reading),
        script_test(test_what_came_before_the_end_is_given_first),
        script_test(test_an_acknowledgement_does_not_cross_a_cut),
        script_test(test_qos_2_is_given_once_over_a_cut),
        script_test(test_a_list_holds_as_many_as_it_says),
        script_test(test_what_did_not_come_again_makes_room_in_the_list),
        script_test(test_what_came_again_keeps_its_place_in_the_list),
        script_test(test_without_a_list_qos_2_is_fatal),
        script_test(test_every_identifier_fits_into_the_bits),
        script_test(test_qos_3_is_fatal),
        script_test(test_dup_with_qos_0_is_fatal),
        script_test(test_identifier_0_in_a_message_is_fatal),
        script_test(test_topic_names_that_are_none_are_fatal),
        script_test(test_a_topic_beyond_its_packet_is_fatal),
        script_test(test_a_remaining_length_of_five_bytes_is_fatal),
        script_test(test_a_remaining_length_may_be_longer_than_needed),
        script_test(test_packets_that_no_server_sends_are_fatal),
        script_test(test_reserved_flags_are_fatal),
        script_test(test_packets_of_a_wrong_length_are_fatal),
        script_test(test_connack_of_a_wrong_length_is_fatal),
        script_test(test_a_fatal_error_is_the_end_of_the_connection),
        script_test(test_what_came_before_the_fault_is_given),
        script_test(test_statistics_count_both_ways),
    };

    return script_run("receive", tests);
}
