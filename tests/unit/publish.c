/*
 * publish.c - messages that leave [3.1.1, sections 3.3 to 3.7 and 4.3].
 */
#include "script.h"

/* ---- the bytes of PUBLISH ------------------------------------------------ */

static void test_qos_0_leaves_at_once_and_has_no_end(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a/b", "hey", MQTT_QOS_0);
    expect_bytes(s, 0x30,                   /* PUBLISH, QoS 0 */
                 0x08,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 'h', 'e', 'y');            /* payload */
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_qos_1_ends_with_puback(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(publish(s, "a/b", "hey", MQTT_QOS_1), 1);
    expect_bytes(s, 0x32,                   /* PUBLISH, QoS 1 */
                 0x0A,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 0x00, 0x01,                /* packet identifier */
                 'h', 'e', 'y');            /* payload */
    expect_no_event(s);
    server_sends(s, 0x40,     /* PUBACK */
                 0x02,        /* remaining length */
                 0x00, 0x01); /* packet identifier */
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_qos_2_ends_with_pubcomp(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(publish(s, "a/b", "hey", MQTT_QOS_2), 1);
    expect_bytes(s, 0x34,                   /* PUBLISH, QoS 2 */
                 0x0A,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 0x00, 0x01,                /* packet identifier */
                 'h', 'e', 'y');            /* payload */
    server_sends(s, 0x50,                   /* PUBREC */
                 0x02,                      /* remaining length */
                 0x00, 0x01);               /* packet identifier */
    expect_no_event(s);
    expect_bytes(s, 0x62,     /* PUBREL */
                 0x02,        /* remaining length */
                 0x00, 0x01); /* packet identifier */
    server_sends(s, 0x70,     /* PUBCOMP */
                 0x02,        /* remaining length */
                 0x00, 0x01); /* packet identifier */
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_retain_is_bit_0(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .retain = true};

    connected(s);
    for (int qos = 0; qos < 3; qos++) {
        message.qos = (enum mqtt_qos)qos;
        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_OK);
        assert_int_equal(next_packet(s)->first_byte, 0x31 | qos << 1);
    }
}

static void test_dup_of_the_caller_is_ignored(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .qos = MQTT_QOS_1,
                                   .dup = true};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'x');
}

static void test_an_empty_payload_is_a_message(void **state)
{
    struct script *s = *state;
    uint16_t identifier = 9;
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"), .payload = {NULL, 0}, .retain = true};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, &identifier),
                     MQTT_OK);
    assert_int_equal(identifier, 0);
    expect_bytes(s, 0x31, 0x03, 0x00, 0x01, 'a');
    message.qos = MQTT_QOS_1;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_bytes(s, 0x33, 0x05, 0x00, 0x01, 'a', 0x00, 0x01);
}

static void test_the_short_call_publishes_the_same(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(mqtt_publish(&s->client, "a", "hey", 2, MQTT_QOS_1, true),
                     MQTT_OK);
    expect_bytes(s, 0x33, 0x07, 0x00, 0x01, 'a', 0x00, 0x01, 'h', 'e');
    assert_int_equal(mqtt_publish(&s->client, "a", NULL, 0, MQTT_QOS_0, false),
                     MQTT_OK);
    expect_bytes(s, 0x30, 0x03, 0x00, 0x01, 'a');
}

static void test_a_payload_may_hold_any_byte(void **state)
{
    struct script *s = *state;
    uint8_t expected[8 + 256] = {0x32,            /* PUBLISH, QoS 1 */
                                 0x85, 0x02,      /* remaining length: 261 */
                                 0x00, 0x01, 'a', /* topic name */
                                 0x00, 0x01};     /* packet identifier */

    for (unsigned i = 0; i < 256; i++)
        expected[8 + i] = (uint8_t)i;
    connected(s);
    assert_int_equal(
        mqtt_publish(&s->client, "a", expected + 8, 256, MQTT_QOS_1, false),
        MQTT_OK);
    expect_span(s, expected, sizeof(expected));
}

static void test_a_byte_order_mark_is_part_of_the_topic(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s,
            "\xEF\xBB\xBF"
            "a",
            "", MQTT_QOS_0);
    expect_bytes(s, 0x30, 0x06, 0x00, 0x04, 0xEF, 0xBB, 0xBF, 'a');
}

/* The remaining length grows by a byte at 128 and at 16,384. */
static void length_of(struct script *s, size_t remaining, uint8_t first,
                      uint8_t second, uint8_t third)
{
    static uint8_t payload[20000];
    const struct packet *packet;

    assert_int_equal(mqtt_publish(&s->client, "a", payload, remaining - 3,
                                  MQTT_QOS_0, false),
                     MQTT_OK);
    packet = expect_packet(s, 0x30, 0);
    assert_int_equal(packet->bytes[1], first);
    if (first >= 0x80)
        assert_int_equal(packet->bytes[2], second);
    if (first >= 0x80 && second >= 0x80)
        assert_int_equal(packet->bytes[3], third);
    assert_int_equal(packet->payload.size, remaining - 3);
}

static void test_the_remaining_length_at_its_borders(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 20000;
    connected(s);
    length_of(s, 127, 0x7F, 0, 0);
    length_of(s, 128, 0x80, 0x01, 0);
    length_of(s, 16383, 0xFF, 0x7F, 0);
    length_of(s, 16384, 0x80, 0x80, 0x01);
}

/* ---- what is refused ----------------------------------------------------- */

static void test_topic_names_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "+",
                                      "#",
                                      "a/#",
                                      "a+b",
                                      "\xFF",
                                      "\xC0\xAF",
                                      "\xED\xA0\x80",
                                      "\xF4\x90\x80\x80"};
    struct script *s = *state;
    struct mqtt_message nul = {.topic_name = MQTT_TEXT("a\0b"),
                               .payload = MQTT_TEXT("")};

    connected(s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (int qos = 0; qos < 3; qos++)
            assert_int_equal(try_publish(s, bad[i], "x", (enum mqtt_qos)qos),
                             MQTT_ERR_TOPIC_NAME);
    assert_int_equal(mqtt_client_publish(&s->client, &nul, NULL),
                     MQTT_ERR_TOPIC_NAME);
    expect_nothing_sent(s);
    assert_int_equal(publish(s, "a", "x", MQTT_QOS_1), 1);
}

static void test_topic_names_of_65535_bytes_are_the_longest(void **state)
{
    static char text[65536];
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = {text, sizeof(text)},
                                   .payload = MQTT_TEXT("")};

    if (s->wire == &wire_bytes)
        return; /* as many single bytes prove no more */
    memset(text, 'a', sizeof(text));
    s->memory.outbox_size = 70000;
    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_TOPIC_NAME);
    message.topic_name.size--;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    assert_int_equal(expect_packet(s, 0x30, 0)->topic.size, 65535);
}

static void test_qos_3_is_refused(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(try_publish(s, "a", "", (enum mqtt_qos)3), MQTT_ERR_QOS);
    assert_int_equal(try_publish(s, "a", "", (enum mqtt_qos)255), MQTT_ERR_QOS);
    expect_nothing_sent(s);
}

static void test_null_is_refused(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {NULL, 3}};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, NULL, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_publish(&s->client, "a", NULL, 3, 0, false),
                     MQTT_ERR_ARGUMENT);
    assert_true(mqtt_publish(&s->client, NULL, "x", 1, 0, false) < 0);
    expect_nothing_sent(s);
}

/* 268,435,455 is the largest remaining length; nothing of it is read. */
static void test_what_fits_no_packet_is_too_large(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {"", 268435456 - 3}};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_TOO_LARGE);
    message.payload.size = SIZE_MAX;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_TOO_LARGE);
    message.payload.size = SIZE_MAX - 4;
    message.qos = MQTT_QOS_2;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_TOO_LARGE);
    expect_nothing_sent(s);
}

static void test_what_the_empty_outbox_cannot_hold_is_too_large(void **state)
{
    struct script *s = *state;
    uint8_t payload[100] = {0};

    s->memory.outbox_size = 64;
    connected(s);
    /* 5 bytes of QoS 0 beside the payload, 7 of QoS 1 */
    assert_int_equal(mqtt_publish(&s->client, "a", payload, 60, 0, false),
                     MQTT_ERR_TOO_LARGE);
    assert_int_equal(mqtt_publish(&s->client, "a", payload, 58, 1, false),
                     MQTT_ERR_TOO_LARGE);
    assert_int_equal(mqtt_publish(&s->client, "a", payload, 57, 1, false),
                     MQTT_OK);
    assert_int_equal(expect_packet(s, 0x32, 1)->payload.size, 57);
}

static void test_qos_0_needs_a_connection(void **state)
{
    struct script *s = *state;

    start(s);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    connects(s);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    publish(s, "a", "", MQTT_QOS_0);
    cut(s);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_0), MQTT_ERR_OFFLINE);
}

static void test_keep_qos0_keeps_it_until_connected(void **state)
{
    struct script *s = *state;

    s->config.keep_qos0 = true;
    start(s);
    publish(s, "a", "1", MQTT_QOS_0);
    connected(s);
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', '1');
    s->blocked = true;
    publish(s, "a", "2", MQTT_QOS_0);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    expect_bytes(s, 0x30, 0x04, 0x00, 0x01, 'a', '2');
}

static void test_without_keep_qos0_the_unsent_ones_are_cut_off(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    s->blocked = true;
    publish(s, "a", "0", MQTT_QOS_0);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "0", MQTT_QOS_0);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1');
    assert_int_equal(statistics.qos0_dropped, 2);
    expect_no_event(s);
}

/* A QoS 0 packet of which a byte has left is not sent again. */
static void test_half_a_qos_0_is_not_sent_again(void **state)
{
    struct script *s = *state;

    s->config.keep_qos0 = true;
    connected(s);
    s->blocked = true;
    publish(s, "a", "0", MQTT_QOS_0);
    network_takes(s, 3);
    cut(s);
    s->blocked = false;
    reconnected(s, true);
    expect_nothing_sent(s);
}

/* ---- identifiers --------------------------------------------------------- */

static void test_identifiers_count_from_1(void **state)
{
    struct script *s = *state;

    connected(s);
    for (uint16_t i = 1; i <= 16; i++)
        assert_int_equal(publish(s, "a", "", i & 1 ? MQTT_QOS_1 : MQTT_QOS_2),
                         i);
    for (uint16_t i = 1; i <= 16; i++)
        expect_packet(s, i & 1 ? 0x32 : 0x34, i);
}

static void test_puback_frees_the_slot(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 1;
    connected(s);
    for (unsigned i = 0; i < 10; i++) {
        uint16_t identifier = publish_sent(s, "a", "", MQTT_QOS_1);

        assert_int_equal(try_publish(s, "a", "", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
        server_answers(s, 0x40, identifier);
        expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
        pull(s, MQTT_EVENT_ROOM);
    }
}

static void test_pubcomp_frees_the_slot_and_pubrec_does_not(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 1;
    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    pull(s, MQTT_EVENT_ROOM);
    publish(s, "a", "", MQTT_QOS_1);
}

static void test_acknowledgements_come_in_any_order(void **state)
{
    static const uint16_t order[] = {3, 1, 5, 4, 2};
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 5; i++)
        publish_sent(s, "a", "", MQTT_QOS_1);
    for (size_t i = 0; i < 5; i++) {
        server_answers(s, 0x40, order[i]);
        expect_published(s, order[i], MQTT_OUTCOME_ACKNOWLEDGED);
    }
    expect_no_event(s);
}

/* [3.1.1 MQTT-4.6.0-4] */
static void test_pubrels_leave_in_the_order_of_pubrecs(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "", MQTT_QOS_2);
    s->blocked = true;
    server_answers(s, 0x50, 2);
    server_answers(s, 0x50, 3);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    s->blocked = false;
    expect_bytes(s, 0x62, 0x02, 0x00, 0x02, /* PUBREL 2 */
                 0x62, 0x02, 0x00, 0x03,    /* PUBREL 3 */
                 0x62, 0x02, 0x00, 0x01);   /* PUBREL 1 */
}

static void test_send_maximum_holds_messages_back(void **state)
{
    struct script *s = *state;

    s->config.send_maximum = 2;
    connected(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    publish(s, "a", "3", MQTT_QOS_1);
    publish(s, "a", "0", MQTT_QOS_0);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x34, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 3);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s);
}

static unsigned count_sent(struct script *s)
{
    unsigned count = 0;

    while (next_packet(s))
        count++;
    return count;
}

/* A server of 3.1.1 cannot say how many it takes: 20 unless configured. */
static void test_at_most_20_of_qos_2_are_on_their_way(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 64;
    connected(s);
    for (int i = 0; i < 30; i++)
        publish(s, "a", "", MQTT_QOS_2);
    publish(s, "a", "", MQTT_QOS_1);
    assert_int_equal(count_sent(s), 20);
    for (uint16_t i = 1; i <= 10; i++) {
        server_answers(s, 0x50, i);
        expect_no_event(s);
        expect_packet(s, 0x62, i);
        expect_nothing_sent(s);
        server_answers(s, 0x70, i);
        expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
        expect_packet(s, 0x34, (uint16_t)(i + 20));
        if (i == 10)
            expect_packet(s, 0x32, 31);
        expect_nothing_sent(s);
    }
}

static void test_qos_1_takes_nothing_of_the_share_of_qos_2(void **state)
{
    struct script *s = *state;

    s->config.send_maximum_qos2 = 2;
    connected(s);
    for (int i = 0; i < 3; i++) {
        publish(s, "a", "", MQTT_QOS_1);
        publish(s, "a", "", MQTT_QOS_2);
    }
    assert_int_equal(count_sent(s), 5);
    for (uint16_t i = 1; i <= 5; i += 2) {
        server_answers(s, 0x40, i);
        expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
    }
    expect_nothing_sent(s);
    server_answers(s, 0x50, 4);
    expect_no_event(s);
    expect_packet(s, 0x62, 4);
    server_answers(s, 0x70, 4);
    expect_published(s, 4, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x34, 6);
}

static void test_the_share_of_qos_2_is_whole_after_a_cut(void **state)
{
    struct script *s = *state;

    s->config.send_maximum_qos2 = 2;
    connected(s);
    for (int i = 0; i < 4; i++)
        publish(s, "a", "", MQTT_QOS_2);
    assert_int_equal(count_sent(s), 2);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected(s, true);
        expect_packet(s, 0x3C, 1);
        expect_packet(s, 0x3C, 2);
        expect_nothing_sent(s);
    }
}

/* What is released stands with the server until PUBCOMP. */
static void test_what_is_released_counts_for_the_share_after_a_cut(void **state)
{
    struct script *s = *state;

    s->config.send_maximum_qos2 = 2;
    connected(s);
    for (int i = 0; i < 4; i++)
        publish(s, "a", "", MQTT_QOS_2);
    assert_int_equal(count_sent(s), 2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x62, 1);
    expect_packet(s, 0x3C, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x34, 3);
    expect_nothing_sent(s);
}

/* ---- acknowledgements that fit nothing ----------------------------------- */

static void unknown(struct script *s, uint8_t first_byte)
{
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    server_answers(s, first_byte, 7);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    assert_int_equal(statistics.unknown_acknowledgements, 1);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
    expect_nothing_sent(s);
    s->config.statistics = NULL;
    script_restart(s);
}

static void test_an_unknown_puback_is_counted_and_ignored(void **state)
{
    unknown(*state, 0x40);
}

static void test_an_unknown_pubcomp_is_counted_and_ignored(void **state)
{
    unknown(*state, 0x70);
}

/* A server that waits for PUBREL gets it: else it would wait for ever. */
static void test_an_unknown_pubrec_is_answered(void **state)
{
    struct script *s = *state;

    connected(s);
    server_answers(s, 0x50, 7);
    expect_no_event(s);
    expect_bytes(s, 0x62, 0x02, 0x00, 0x07);
}

static void test_a_second_puback_is_ignored(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void wrong_kind(struct script *s, enum mqtt_qos qos, uint8_t first_byte)
{
    connected(s);
    publish_sent(s, "a", "", qos);
    server_answers(s, first_byte, 1);
    expect_fatal(s, MQTT_ERR_ACKNOWLEDGEMENT);
    script_restart(s);
}

static void test_an_acknowledgement_of_the_wrong_kind_is_fatal(void **state)
{
    wrong_kind(*state, MQTT_QOS_1, 0x50);
    wrong_kind(*state, MQTT_QOS_1, 0x70);
    wrong_kind(*state, MQTT_QOS_2, 0x40);
    wrong_kind(*state, MQTT_QOS_2, 0x70);
}

static void test_a_puback_after_pubrec_is_fatal(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    server_answers(s, 0x40, 1);
    expect_fatal(s, MQTT_ERR_ACKNOWLEDGEMENT);
}

/* The server may have lost our PUBREL's predecessor: PUBREL answers again. */
static void test_a_second_pubrec_is_answered_again(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_bytes(s, 0x62, 0x02, 0x00, 0x01);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* It stands in the outbox and no byte of it has left: nobody has it. */
static void test_an_acknowledgement_of_what_was_not_sent(void **state)
{
    static const uint8_t kinds[] = {0x40, 0x50, 0x70};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(kinds); i++) {
        connected(s);
        s->blocked = true;
        publish(s, "a", "", i ? MQTT_QOS_2 : MQTT_QOS_1);
        server_answers(s, kinds[i], 1);
        expect_no_event(s);
        s->blocked = false;
        while (next_packet(s) && s->packet.first_byte == 0x62)
            ;
        assert_int_equal(s->packet.first_byte, i ? 0x34 : 0x32);
        script_restart(s);
    }
}

static void test_identifier_0_is_fatal(void **state)
{
    static const uint8_t kinds[] = {0x40, 0x50, 0x62, 0x70, 0xB0};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(kinds); i++) {
        connected(s);
        server_answers(s, kinds[i], 0);
        expect_fatal(s, MQTT_ERR_PACKET_IDENTIFIER);
        script_restart(s);
    }
    connected(s);
    server_sends(s, 0x90, 0x03, 0x00, 0x00, 0x00);
    expect_fatal(s, MQTT_ERR_PACKET_IDENTIFIER);
}

/* ---- what is unfinished -------------------------------------------------- */

static void expect_outstanding(const struct mqtt_outstanding *it,
                               uint16_t identifier, enum mqtt_qos qos,
                               bool sent, bool released)
{
    assert_int_equal(it->packet_identifier, identifier);
    assert_int_equal(it->qos, qos);
    assert_int_equal(it->sent, sent);
    assert_int_equal(it->released, released);
}

static bool advance(struct script *s, struct mqtt_outstanding *it)
{
    return mqtt_client_next_outstanding(&s->client, it);
}

static void test_what_is_unfinished_can_be_listed(void **state)
{
    struct script *s = *state;
    struct mqtt_outstanding it = {0};

    connected(s);
    assert_false(advance(s, &it));
    publish_sent(s, "a", "", MQTT_QOS_1);
    publish_sent(s, "a", "", MQTT_QOS_2);
    publish_sent(s, "a", "", MQTT_QOS_2);
    publish_sent(s, "a", "", MQTT_QOS_0);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    s->blocked = true;
    publish(s, "a", "", MQTT_QOS_1);

    memset(&it, 0, sizeof(it));
    assert_true(advance(s, &it));
    expect_outstanding(&it, 2, MQTT_QOS_2, true, true);
    assert_true(advance(s, &it));
    expect_outstanding(&it, 1, MQTT_QOS_1, true, false);
    assert_true(advance(s, &it));
    expect_outstanding(&it, 3, MQTT_QOS_2, true, false);
    assert_true(advance(s, &it));
    expect_outstanding(&it, 4, MQTT_QOS_1, false, false);
    assert_false(advance(s, &it));
}

/* ---- the network is slow ------------------------------------------------- */

static void test_what_is_offered_stays_as_it_is(void **state)
{
    struct script *s = *state;
    const uint8_t *offered;
    uint8_t before[64];
    size_t size;

    s->memory.outbox_size = 64;
    connected(s);
    s->blocked = true;
    publish(s, "a", "0123456789", MQTT_QOS_1);
    offered = mqtt_client_output_buf(&s->client, &size);
    assert_int_equal(size, 17);
    memcpy(before, offered, size);
    publish(s, "b", "x", MQTT_QOS_1);
    publish(s, "c", "y", MQTT_QOS_0);
    while (!try_publish(s, "d", "z", MQTT_QOS_0))
        ;
    assert_memory_equal(offered, before, size);
    mqtt_client_output_done(&s->client, 0);
    assert_memory_equal(offered, before, size);
}

static void test_nothing_comes_into_the_middle_of_a_packet(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "0123456789", MQTT_QOS_1);
    network_takes(s, 5);
    server_publishes(s, 0x32, "b", 9, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    s->blocked = false;
    expect_bytes(s, 0x32, 0x0F, 0x00, 0x01, 'a', /* PUBLISH */
                 0x00, 0x01,                     /* packet identifier */
                 '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', /* */
                 0x40, 0x02, 0x00, 0x09);                          /* PUBACK */
}

static void test_an_acknowledgement_passes_what_has_not_begun(void **state)
{
    struct script *s = *state;

    connected(s);
    s->blocked = true;
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_1);
    network_takes(s, 8);
    server_publishes(s, 0x32, "b", 9, "");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    s->blocked = false;
    discard_sent(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
}

static void test_half_a_qos_0_that_is_cut_is_counted(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    s->blocked = true;
    publish(s, "a", "0123456789", MQTT_QOS_0);
    network_takes(s, 5);
    cut(s);
    assert_int_equal(statistics.qos0_dropped, 1);
    s->config.statistics = NULL;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_qos_0_leaves_at_once_and_has_no_end),
        script_test(test_qos_1_ends_with_puback),
        script_test(test_qos_2_ends_with_pubcomp),
        script_test(test_retain_is_bit_0),
        script_test(test_dup_of_the_caller_is_ignored),
        script_test(test_an_empty_payload_is_a_message),
        script_test(test_the_short_call_publishes_the_same),
        script_test(test_a_payload_may_hold_any_byte),
        script_test(test_a_byte_order_mark_is_part_of_the_topic),
        script_test(test_the_remaining_length_at_its_borders),
        script_test(test_topic_names_that_are_none_are_refused),
        script_test(test_topic_names_of_65535_bytes_are_the_longest),
        script_test(test_qos_3_is_refused),
        script_test(test_null_is_refused),
        script_test(test_what_fits_no_packet_is_too_large),
        script_test(test_what_the_empty_outbox_cannot_hold_is_too_large),
        script_test(test_qos_0_needs_a_connection),
        script_test(test_keep_qos0_keeps_it_until_connected),
        script_test(test_without_keep_qos0_the_unsent_ones_are_cut_off),
        script_test(test_half_a_qos_0_is_not_sent_again),
        script_test(test_identifiers_count_from_1),
        script_test(test_puback_frees_the_slot),
        script_test(test_pubcomp_frees_the_slot_and_pubrec_does_not),
        script_test(test_acknowledgements_come_in_any_order),
        script_test(test_pubrels_leave_in_the_order_of_pubrecs),
        script_test(test_send_maximum_holds_messages_back),
        script_test(test_at_most_20_of_qos_2_are_on_their_way),
        script_test(test_qos_1_takes_nothing_of_the_share_of_qos_2),
        script_test(test_the_share_of_qos_2_is_whole_after_a_cut),
        script_test(test_what_is_released_counts_for_the_share_after_a_cut),
        script_test(test_an_unknown_puback_is_counted_and_ignored),
        script_test(test_an_unknown_pubcomp_is_counted_and_ignored),
        script_test(test_an_unknown_pubrec_is_answered),
        script_test(test_a_second_puback_is_ignored),
        script_test(test_an_acknowledgement_of_the_wrong_kind_is_fatal),
        script_test(test_a_puback_after_pubrec_is_fatal),
        script_test(test_a_second_pubrec_is_answered_again),
        script_test(test_an_acknowledgement_of_what_was_not_sent),
        script_test(test_identifier_0_is_fatal),
        script_test(test_what_is_unfinished_can_be_listed),
        script_test(test_what_is_offered_stays_as_it_is),
        script_test(test_nothing_comes_into_the_middle_of_a_packet),
        script_test(test_an_acknowledgement_passes_what_has_not_begun),
        script_test(test_half_a_qos_0_that_is_cut_is_counted),
    };

    return script_run("publish", tests);
}
