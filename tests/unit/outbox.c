/*
 * outbox.c - the ring of messages, its slots, and every size of memory.
 */
#include "script.h"

static void puback(struct script *s, uint16_t identifier)
{
    server_answers(s, 0x40, identifier);
    expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* ---- no room, and room --------------------------------------------------- */

static void test_a_full_outbox_refuses_and_tells_when_not(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};

    s->memory.outbox_size = 24; /* three packets of 8 bytes */
    s->config.statistics = &statistics;
    connected(s);
    for (uint16_t i = 1; i <= 3; i++)
        assert_int_equal(publish_sent(s, "a", "x", MQTT_QOS_1), i);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    assert_int_equal(statistics.publishes_refused, 1);
    assert_int_equal(statistics.messages_published, 3);
    expect_no_event(s);
    puback(s, 1);
    pull(s, MQTT_EVENT_ROOM);
    expect_no_event(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_packet(s, 0x32, 4);
    expect_nothing_sent(s);
}

static void test_room_is_told_only_to_who_was_refused(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 24;
    connected(s);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "x", MQTT_QOS_1);
    for (uint16_t i = 1; i <= 3; i++)
        puback(s, i);
    expect_no_event(s);
}

static void test_writing_qos_0_makes_room(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 16;
    connected(s);
    s->blocked = true;
    publish(s, "a", "x", MQTT_QOS_0);
    publish(s, "a", "x", MQTT_QOS_0);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_NO_ROOM);
    s->blocked = false;
    discard_sent(s);
    pull(s, MQTT_EVENT_ROOM);
    publish(s, "a", "x", MQTT_QOS_0);
}

static void test_the_outbox_fills_while_disconnected(void **state)
{
    struct script *s = *state;
    uint16_t count = 0;

    s->memory.outbox_size = 100;
    start(s);
    while (!try_publish(s, "a", "x", MQTT_QOS_1))
        count++;
    assert_int_equal(count, 12);
    connected(s);
    for (uint16_t i = 1; i <= count; i++)
        expect_packet(s, 0x32, i);
    expect_nothing_sent(s);
}

/* A full outbox can connect, subscribe, acknowledge and drain. */
static void test_a_full_outbox_starves_nothing_else(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->memory.outbox_size = 16;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    cut(s);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    reconnected(s, true);
    discard_sent(s);
    subscribed(s, &a);
    server_publishes(s, 0x34, "a", 5, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_packet(s, 0x50, 5);
    puback(s, 2);
    pull(s, MQTT_EVENT_ROOM);
    puback(s, 1);
}

static void test_a_slot_is_needed_beside_the_room(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 2;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_2), MQTT_ERR_NO_ROOM);
    publish_sent(s, "a", "x", MQTT_QOS_0);
    puback(s, 1);
    pull(s, MQTT_EVENT_ROOM);
    publish_sent(s, "a", "x", MQTT_QOS_1);
}

static void test_without_slots_there_is_qos_0(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 0;
    connected(s);
    assert_true(try_publish(s, "a", "x", MQTT_QOS_1) < 0);
    assert_true(try_publish(s, "a", "x", MQTT_QOS_2) < 0);
    publish(s, "a", "x", MQTT_QOS_0);
    expect_packet(s, 0x30, 0);
}

static void test_without_an_outbox_there_is_receiving(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->memory.outbox_size = 0;
    s->memory.slot_count = 0;
    connected(s);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_0), MQTT_ERR_TOO_LARGE);
    subscribed(s, &a);
    server_publishes(s, 0x32, "a", 5, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x40, 5);
}

/* ---- the ring ------------------------------------------------------------ */

/* Packets of 11 bytes in a ring of 100 cross its end at every offset. */
static void test_a_packet_across_the_end_of_the_ring_is_whole(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 100;
    connected(s);
    for (unsigned i = 0; i < 300; i++) {
        char payload[5] = "0000";
        uint16_t identifier;

        payload[i % 4] = (char)('a' + i % 26);
        identifier = publish(s, "a", payload, MQTT_QOS_1);
        assert_true(
            span_is(expect_packet(s, 0x32, identifier)->payload, payload));
        puback(s, identifier);
    }
}

/* The first is never acknowledged: room is made around it. */
static void test_one_that_is_stuck_does_not_block_the_ring(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 64;
    connected(s);
    publish_sent(s, "a", "stuck", MQTT_QOS_1);
    for (unsigned i = 0; i < 100; i++) {
        uint16_t identifier = publish_sent(s, "a", "0123456789", MQTT_QOS_1);

        puback(s, identifier);
    }
    cut(s);
    reconnected(s, true);
    assert_true(span_is(expect_packet(s, 0x3A, 1)->payload, "stuck"));
    expect_nothing_sent(s);
    puback(s, 1);
}

/* Room between two that are stuck is found, too. */
static void test_holes_are_closed_when_room_is_needed(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 8 * 8;
    connected(s);
    for (uint16_t i = 1; i <= 8; i++)
        publish_sent(s, "a", "x", MQTT_QOS_1);
    for (uint16_t i = 2; i <= 8; i += 2)
        puback(s, i);
    for (uint16_t i = 9; i <= 12; i++)
        assert_int_equal(publish_sent(s, "b", "y", MQTT_QOS_1), i);
    assert_int_equal(try_publish(s, "c", "z", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    cut(s);
    reconnected(s, true);
    for (uint16_t i = 1; i <= 7; i += 2)
        assert_true(span_is(expect_packet(s, 0x3A, i)->topic, "a"));
    for (uint16_t i = 9; i <= 12; i++)
        assert_true(span_is(expect_packet(s, 0x3A, i)->topic, "b"));
    expect_nothing_sent(s);
}

/* What the network has been offered stands where it stood. */
static void test_holes_are_closed_around_what_is_being_sent(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken < 8; taken++) {
        const uint8_t *offered;
        uint8_t before[64];
        size_t size;

        s->memory.outbox_size = 6 * 8;
        connected(s);
        for (int i = 0; i < 4; i++)
            publish_sent(s, "a", "x", MQTT_QOS_1);
        s->blocked = true;
        publish(s, "b", "y", MQTT_QOS_1);
        network_takes(s, taken);
        s->to_server.size = 0;
        offered = mqtt_client_output_buf(&s->client, &size);
        assert_int_equal(size, 8 - taken);
        memcpy(before, offered, size);
        puback(s, 1);
        puback(s, 3);
        while (!try_publish(s, "c", "z", MQTT_QOS_1))
            ;
        assert_memory_equal(offered, before, size);
        s->blocked = false;
        discard_sent(s);
        cut(s);
        reconnected(s, true);
        assert_true(span_is(expect_packet(s, 0x3A, 2)->topic, "a"));
        assert_true(span_is(expect_packet(s, 0x3A, 4)->topic, "a"));
        assert_true(span_is(expect_packet(s, 0x3A, 5)->topic, "b"));
        expect_packet(s, 0x3A, 6);
        script_restart(s);
    }
}

static void test_pubrec_frees_the_room_and_not_the_identifier(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 32;
    connected(s);
    for (uint16_t i = 1; i <= 10; i++) {
        assert_int_equal(publish_sent(s, "a", "0123456789", MQTT_QOS_2), i);
        server_answers(s, 0x50, i);
        expect_no_event(s);
        expect_packet(s, 0x62, i);
    }
    for (uint16_t i = 10; i; i--) {
        server_answers(s, 0x70, i);
        expect_published(s, i, MQTT_OUTCOME_ACKNOWLEDGED);
    }
}

/* ---- identifiers --------------------------------------------------------- */

/* [3.1.1 MQTT-2.3.1-1, -2]: 1, 2 and 3 stay open. */
static void test_70000_publishes_cross_the_wrap(void **state)
{
    struct script *s = *state;
    uint16_t previous = 3;

    s->memory.slot_count = 4;
    connected(s);
    for (int i = 0; i < 3; i++)
        publish_sent(s, "a", "held", i == 1 ? MQTT_QOS_2 : MQTT_QOS_1);
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t identifier = publish_sent(s, "a", "", MQTT_QOS_1);

        assert_true(identifier > 3);
        assert_true(identifier > previous || previous > 65000);
        puback(s, identifier);
        previous = identifier;
    }
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    expect_packet(s, 0x3C, 2);
    expect_packet(s, 0x3A, 3);
    expect_nothing_sent(s);
}

/* Identifiers 1 and 65535 are held while the others go round. */
static void hold_and_go_round(struct script *s)
{
    uint16_t identifier;

    s->memory.slot_count = 4;
    connected(s);
    publish_sent(s, "a", "held", MQTT_QOS_1);
    do {
        identifier = publish_sent(s, "a", "", MQTT_QOS_1);
        if (identifier != 65535)
            puback(s, identifier);
    } while (identifier != 65535);
}

static void test_a_request_steps_over_identifiers_in_use(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    hold_and_go_round(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 2);
}

static void test_a_publish_steps_over_the_identifier_of_a_request(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 1);
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t identifier = publish_sent(s, "a", "", MQTT_QOS_1);

        assert_int_not_equal(identifier, 1);
        puback(s, identifier);
    }
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
}

static void test_as_many_in_flight_as_there_are_slots(void **state)
{
    struct script *s = *state;

    if (s->wire != &wire_whole && s->wire != &wire_lent)
        return; /* 300,000 single bytes prove no more */
    s->memory.slot_count = 32768;
    s->memory.outbox_size = 32768 * 7;
    connected(s);
    for (uint16_t i = 1; i <= 32768; i++)
        assert_int_equal(publish(s, "a", "", MQTT_QOS_1), i);
    assert_int_equal(try_publish(s, "a", "", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    discard_sent(s);
    puback(s, 32768);
    pull(s, MQTT_EVENT_ROOM);
    for (uint16_t i = 32767; i; i--)
        puback(s, i);
    assert_int_equal(publish(s, "a", "", MQTT_QOS_1), 32769);
}

/* The slot that is left is that of 32,768 and of no other identifier. */
static void test_the_last_identifier_is_not_that_of_a_request(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    if (s->wire != &wire_whole)
        return;
    s->memory.slot_count = 32768;
    s->memory.outbox_size = 32768 * 7;
    connected(s);
    for (uint16_t i = 1; i < 32768; i++)
        assert_int_equal(publish(s, "a", "", MQTT_QOS_1), i);
    discard_sent(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 0);
    assert_int_equal(publish(s, "a", "", MQTT_QOS_1), 32768);
}

/* ---- every size of memory ------------------------------------------------ */

static void test_every_size_of_outbox(void **state)
{
    struct script *s = *state;

    for (size_t size = 0; size <= 64; size++) {
        size_t fits = size / 8;
        enum mqtt_error refused =
            size < 8 ? MQTT_ERR_TOO_LARGE : MQTT_ERR_NO_ROOM;

        s->memory.outbox_size = size;
        connected(s);
        for (uint16_t i = 1; i <= fits; i++)
            assert_int_equal(publish_sent(s, "a", "x", MQTT_QOS_1), i);
        assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_1), refused);
        for (uint16_t i = 1; i <= fits; i++) {
            puback(s, i);
            if (i == 1)
                pull(s, MQTT_EVENT_ROOM);
        }
        for (unsigned i = 0; fits && i < 100; i++)
            puback(s, publish_sent(s, "a", "x", MQTT_QOS_1));
        script_restart(s);
    }
}

static void test_every_number_of_slots(void **state)
{
    struct script *s = *state;

    for (size_t count = 0; count <= 130; count++) {
        bool good = (count & (count - 1)) == 0;

        s->memory.slot_count = count;
        assert_int_equal(start_as(s), good ? MQTT_OK : MQTT_ERR_MEMORY);
        script_restart(s);
    }
    s->memory.slot_count = 65536;
    assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
}

/* CONNECT takes 15 bytes here, and 16 are the least. */
static void test_every_size_of_control(void **state)
{
    struct script *s = *state;

    for (size_t size = 0; size < 16; size++) {
        enum mqtt_error error;

        s->memory.control_size = size;
        error = start_as(s);
        assert_true(error == MQTT_ERR_MEMORY || error == MQTT_ERR_CONTROL_SIZE);
        script_restart(s);
    }
    for (size_t size = 16; size < 64; size++) {
        s->memory.control_size = size;
        connected(s);
        puback(s, publish_sent(s, "a", "x", MQTT_QOS_1));
        script_restart(s);
    }
}

static void test_control_holds_connect(void **state)
{
    struct script *s = *state;

    s->config.connect.user_name = mqtt_text("0123456789");
    for (size_t size = 16; size < 27; size++) {
        s->memory.control_size = size;
        assert_int_equal(start_as(s), MQTT_ERR_CONTROL_SIZE);
        script_restart(s);
    }
    s->memory.control_size = 27;
    connected(s);
}

static void test_every_size_of_control_subscribes_what_fits(void **state)
{
    struct script *s = *state;

    for (size_t size = 16; size < 48; size++) {
        char filter[64];
        struct mqtt_subscription a = {.topic_filter = {filter, size - 7}};
        struct mqtt_subscription b = {.topic_filter = {filter, size - 8}};
        uint16_t identifier;

        memset(filter, 'f', sizeof(filter));
        s->memory.control_size = size;
        connected(s);
        assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_TOO_LARGE);
        subscribed(s, &b);
        assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
        identifier = expect_packet(s, 0xA2, 0)->identifier;
        server_answers(s, 0xB0, identifier);
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
        script_restart(s);
    }
}

static void test_every_size_of_input(void **state)
{
    struct script *s = *state;

    for (size_t size = 0; size < 16; size++) {
        s->memory.input_size = size;
        assert_int_equal(start_as(s), MQTT_ERR_MEMORY);
        script_restart(s);
    }
    for (size_t size = 16; size < 48; size++) {
        char payload[64] = {0};

        memset(payload, 'x', size - 5);
        s->memory.input_size = size;
        connected(s);
        server_publishes(s, 0x30, "a", 0, payload);
        expect_message(s, "a", payload);
        puback(s, publish_sent(s, "a", "x", MQTT_QOS_1));
        script_restart(s);
    }
}

static void test_memory_that_is_missing_is_refused(void **state)
{
    struct script *s = *state;
    struct mqtt_memory none = s->memory; /* sizes, and no memory */

    none.received_bits = NULL;
    assert_int_equal(
        mqtt_client_init(&s->client, sizeof(s->client), &s->config, &none),
        MQTT_ERR_MEMORY);
}

/* One waits for room, one for a slot: neither hides the other. */
static void test_room_is_told_to_each_who_was_refused(void **state)
{
    struct script *s = *state;

    s->memory.outbox_size = 64;
    s->memory.slot_count = 1;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    s->blocked = true;
    while (try_publish(s, "a", "0123456789", MQTT_QOS_0) == MQTT_OK)
        ;
    assert_int_equal(try_publish(s, "a", "2", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    s->blocked = false;
    discard_sent(s);
    pull(s, MQTT_EVENT_ROOM);
    assert_int_equal(try_publish(s, "a", "0", MQTT_QOS_0), MQTT_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_full_outbox_refuses_and_tells_when_not),
        script_test(test_room_is_told_only_to_who_was_refused),
        script_test(test_writing_qos_0_makes_room),
        script_test(test_the_outbox_fills_while_disconnected),
        script_test(test_a_full_outbox_starves_nothing_else),
        script_test(test_a_slot_is_needed_beside_the_room),
        script_test(test_without_slots_there_is_qos_0),
        script_test(test_without_an_outbox_there_is_receiving),
        script_test(test_a_packet_across_the_end_of_the_ring_is_whole),
        script_test(test_one_that_is_stuck_does_not_block_the_ring),
        script_test(test_holes_are_closed_when_room_is_needed),
        script_test(test_holes_are_closed_around_what_is_being_sent),
        script_test(test_pubrec_frees_the_room_and_not_the_identifier),
        script_test(test_70000_publishes_cross_the_wrap),
        script_test(test_a_request_steps_over_identifiers_in_use),
        script_test(test_a_publish_steps_over_the_identifier_of_a_request),
        script_test(test_as_many_in_flight_as_there_are_slots),
        script_test(test_the_last_identifier_is_not_that_of_a_request),
        script_test(test_every_size_of_outbox),
        script_test(test_every_number_of_slots),
        script_test(test_every_size_of_control),
        script_test(test_control_holds_connect),
        script_test(test_every_size_of_control_subscribes_what_fits),
        script_test(test_every_size_of_input),
        script_test(test_memory_that_is_missing_is_refused),
        script_test(test_room_is_told_to_each_who_was_refused),
    };

    return script_run("outbox", tests);
}
