/*
 * packets.c - what all packets have in common: flags, lengths, identifiers
 * [3.1.1, section 2], [5.0, sections 1.5.5 and 2].
 */
#include "conformance.h"

#include <mqttloop/stream.h>

static void subscribe(struct script *s, struct mqtt_subscription *subscription)
{
    assert_int_equal(mqtt_subscribe(&s->client, subscription), MQTT_OK);
}

/* ---- the fixed header ---------------------------------------------------- */

/* One packet of each kind, in a conversation in which the client has reason to
 * send it. */
static void test_each_packet_has_the_flags_of_its_kind(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    start(s);
    connects(s);
    expect_packet(s, 0x10, 0); /* CONNECT 0000 */
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1); /* SUBSCRIBE 0010 */
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0xA2, 2); /* UNSUBSCRIBE 0010 */
    server_answers(s, 0xB0, 2);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_int_equal(publish(s, "a", "x", MQTT_QOS_2), 3);
    expect_packet(s, 0x34, 3); /* PUBLISH: DUP 0, QoS 2, RETAIN 0 */
    server_answers(s, 0x50, 3);
    expect_no_event(s);
    expect_packet(s, 0x62, 3); /* PUBREL 0010 */
    server_answers(s, 0x70, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
    server_publishes(s, 0x32, "a", 7, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_packet(s, 0x40, 7); /* PUBACK 0000 */
    server_publishes(s, 0x34, "a", 8, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_packet(s, 0x50, 8); /* PUBREC 0000 */
    server_answers(s, 0x62, 8);
    expect_no_event(s);
    expect_packet(s, 0x70, 8); /* PUBCOMP 0000 */
    elapse(s, 60000);
    expect_packet(s, 0xC0, 0); /* PINGREQ 0000 */
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_packet(s, 0xE0, 0); /* DISCONNECT 0000 */
    expect_nothing_sent(s);
}

static const char method[] = {0x15, 0x00, 0x01, 'm'};

/* AUTH 0000, in a connection that has an Authentication Method. */
static void test_auth_has_the_flags_of_its_kind(void **state)
{
    struct script *s = *state;
    struct mqtt_span none = {NULL, 0};

    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack_with(s, 0, 0, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_OK);
    expect_packet(s, 0xF0, 0);
}

/* ---- variable byte integers ----------------------------------------------- */

/* The first and the last value of each size [5.0, table 1-1], and how they are
 * written. */
static const struct number {
    uint32_t value;
    uint8_t bytes[4];
    size_t size;
} numbers[] = {
    {1, {0x01}, 1},
    {127, {0x7F}, 1},
    {128, {0x80, 0x01}, 2},
    {16383, {0xFF, 0x7F}, 2},
    {16384, {0x80, 0x80, 0x01}, 3},
    {2097151, {0xFF, 0xFF, 0x7F}, 3},
    {2097152, {0x80, 0x80, 0x80, 0x01}, 4},
    {268435455, {0xFF, 0xFF, 0xFF, 0x7F}, 4},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const void *no_end_of_zeros(struct mqtt_source *source, uint32_t offset,
                                   size_t *size)
{
    static const uint8_t zeros[64];

    (void)source;
    (void)offset;
    *size = *size < sizeof(zeros) ? *size : sizeof(zeros);
    return zeros;
}

/* The head of a PUBLISH leaves; its payload may stay away. */
static void test_a_remaining_length_has_the_fewest_bytes(void **state)
{
    struct script *s = *state;
    struct mqtt_source source = {.read = no_end_of_zeros};

    for (const struct number *n = numbers + 1; n < numbers + NUMBERS; n++) {
        struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                       .payload = {NULL, n->value - 6},
                                       .qos = MQTT_QOS_1};

        connected(s);
        assert_int_equal(
            mqtt_publish_stream(&s->client, &message, &source, NULL), MQTT_OK);
        s->blocked = true;
        network_takes(s, 1 + n->size + 6);
        assert_int_equal(s->to_server.size, 1 + n->size + 6);
        assert_int_equal(s->to_server.bytes[0], 0x32);
        assert_memory_equal(s->to_server.bytes + 1, n->bytes, n->size);
        script_restart(s);
    }
}

static void test_a_property_length_has_the_fewest_bytes(void **state)
{
    static uint8_t bytes[16384 + 5];
    struct script *s = *state;

    s->memory.outbox_size = 20000;
    for (const struct number *n = numbers; n->value <= 16384; n++) {
        struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                       .properties = {bytes, n->value}};
        const struct packet *packet;

        if (n->value < 5) /* too few for a User Property */
            continue;
        bytes[0] = 0x26; /* User Property without a name */
        bytes[1] = bytes[2] = 0x00;
        bytes[3] = (uint8_t)((n->value - 5) >> 8);
        bytes[4] = (uint8_t)(n->value - 5);
        memset(bytes + 5, 'v', n->value - 5);
        connected(s);
        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_OK);
        packet = expect_packet(s, 0x30, 0);
        assert_int_equal(packet->properties.size, n->value);
        assert_memory_equal((const uint8_t *)packet->properties.data - n->size,
                            n->bytes, n->size);
        assert_int_equal(
            ((const uint8_t *)packet->properties.data)[-1 - (ptrdiff_t)n->size],
            'a');
        script_restart(s);
    }
}

static void test_a_subscription_identifier_has_the_fewest_bytes(void **state)
{
    struct script *s = *state;

    for (const struct number *n = numbers; n < numbers + NUMBERS; n++) {
        struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                      .identifier = n->value};
        const uint8_t *properties;

        connected(s);
        subscribe(s, &a);
        assert_int_equal(expect_packet(s, 0x82, 1)->properties.size,
                         1 + n->size);
        properties = s->packet.properties.data;
        assert_int_equal(properties[0], 0x0B);
        assert_memory_equal(properties + 1, n->bytes, n->size);
        script_restart(s);
    }
}

/* `size` bytes for a value below 128; more than one are too many. */
static void send_padded(struct script *s, uint8_t value, size_t size)
{
    for (; size > 1; size--, value = 0)
        server_sends(s, (uint8_t)(value | 0x80));
    server_sends(s, value);
}

/* PUBLISH "a" with Subscription Identifier 1: Remaining Length, Property
 * Length and the identifier in so many bytes. */
static void padded_publish_comes(struct script *s, size_t remaining,
                                 size_t length, size_t identifier)
{
    uint8_t property = (uint8_t)(1 + identifier);

    server_sends(s, 0x30);
    send_padded(s, (uint8_t)(3 + length + property), remaining);
    server_sends(s, 0x00, 0x01, 'a');
    send_padded(s, property, length);
    server_sends(s, 0x0B);
    send_padded(s, 1, identifier);
}

static void test_a_number_with_more_bytes_than_needed_closes(void **state)
{
    struct script *s = *state;

    connected(s);
    padded_publish_comes(s, 1, 1, 1);
    pull(s, MQTT_EVENT_MESSAGE);
    for (size_t size = 2; size <= 5; size++)
        for (int which = 0; which < 3; which++) {
            script_restart(s);
            connected(s);
            padded_publish_comes(s, which == 0 ? size : 1,
                                 which == 1 ? size : 1, which == 2 ? size : 1);
            expect_violation(s, which == 0 ? MQTT_ERR_REMAINING_LENGTH
                                           : MQTT_ERR_RECEIVED_PROPERTY);
            assert_int_equal(s->disconnect_code, 0x81);
        }
}

/* ---- packet identifiers -------------------------------------------------- */

static void test_what_is_answered_carries_an_identifier(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    uint16_t identifiers[4];

    connected(s);
    subscribe(s, &a);
    identifiers[0] = expect_packet(s, 0x82, 0)->identifier;
    server_suback(s, identifiers[0], 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    identifiers[1] = expect_packet(s, 0xA2, 0)->identifier;
    publish(s, "a", "x", MQTT_QOS_1);
    identifiers[2] = expect_packet(s, 0x32, 0)->identifier;
    publish(s, "a", "x", MQTT_QOS_2);
    identifiers[3] = expect_packet(s, 0x34, 0)->identifier;
    for (int i = 0; i < 4; i++)
        assert_int_not_equal(identifiers[i], 0);
}

/* Bytes 3 and 4 of acknowledgements, 6 and 7 of PUBLISH, are identifier 0. */
static void test_identifier_0_closes(void **state)
{
    static const uint8_t first_bytes[] = {0x32, 0x34, 0x40, 0x50, 0x62, 0x70};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(first_bytes); i++) {
        connected(s);
        publish_sent(s, "a", "x", MQTT_QOS_1);
        if (i < 2)
            server_publishes(s, first_bytes[i], "a", 0, "x");
        else
            server_answers(s, first_bytes[i], 0);
        expect_violation(s, MQTT_ERR_PACKET_IDENTIFIER);
        script_restart(s);
    }
}

static void test_qos_0_has_no_identifier(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a", "xy", MQTT_QOS_0);
    if (speaks_5_0(s))
        expect_bytes(s, 0x30,         /* PUBLISH, QoS 0 */
                     0x06,            /* remaining length */
                     0x00, 0x01, 'a', /* topic name */
                     0x00,            /* property length */
                     'x', 'y');       /* payload */
    else
        expect_bytes(s, 0x30,         /* PUBLISH, QoS 0 */
                     0x05,            /* remaining length */
                     0x00, 0x01, 'a', /* topic name */
                     'x', 'y');       /* payload */
}

/* Identifiers 1, 3 and 4 stay in use while the counter goes around. */
static void test_a_new_packet_gets_an_identifier_that_is_free(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    uint16_t last = 0;
    bool wrapped = false;

    connected(s);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_1), 1);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_1), 2);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_2), 3);
    subscribe(s, &a);
    expect_packet(s, 0x82, 4);
    server_answers(s, 0x50, 3); /* 3 waits for PUBCOMP now */
    expect_no_event(s);
    expect_packet(s, 0x62, 3);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t identifier = publish_sent(s, "a", "", MQTT_QOS_1);

        assert_int_not_equal(identifier, 0);
        assert_int_not_equal(identifier, 1);
        assert_int_not_equal(identifier, 3);
        assert_int_not_equal(identifier, 4);
        wrapped = wrapped || identifier < last;
        last = identifier;
        server_answers(s, 0x40, identifier);
        expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
    }
    assert_true(wrapped);
}

static void test_a_request_gets_an_identifier_that_is_free(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    for (uint16_t i = 1; i <= 16; i++)
        assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_1), i);
    for (unsigned i = 0; i < 3 * 65536 / 2; i++) {
        uint16_t identifier;

        subscribe(s, &a);
        identifier = expect_packet(s, 0x82, 0)->identifier;
        assert_true(identifier > 16);
        server_suback(s, identifier, 0);
        pull(s, MQTT_EVENT_SUBSCRIBED);
        assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
        identifier = expect_packet(s, 0xA2, 0)->identifier;
        assert_true(identifier > 16);
        server_answers(s, 0xB0, identifier);
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
    }
}

/* With one slot, a second publish is possible when the first has ended. */
static void test_an_identifier_is_free_after_its_acknowledgement(void **state)
{
    struct script *s = *state;

    s->memory.slot_count = 1;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    server_answers(s, 0x40, 2); /* of something else */
    expect_no_event(s);
    assert_int_equal(try_publish(s, "a", "y", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    pull(s, MQTT_EVENT_ROOM);
    publish_sent(s, "a", "y", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    assert_int_equal(try_publish(s, "a", "z", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    pull(s, MQTT_EVENT_ROOM);
    publish_sent(s, "a", "z", MQTT_QOS_1);
}

static void test_what_is_sent_again_keeps_its_identifier(void **state)
{
    struct script *s = *state;
    uint16_t x, y, z;

    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    x = publish_sent(s, "x", "", MQTT_QOS_1);
    y = publish_sent(s, "y", "", MQTT_QOS_2);
    z = publish_sent(s, "z", "", MQTT_QOS_2);
    server_answers(s, 0x50, z);
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    for (int i = 0; i < 3; i++) {
        const struct packet *packet = next_packet(s);

        assert_non_null(packet);
        if (packet->first_byte == 0x62)
            assert_int_equal(packet->identifier, z);
        else
            assert_int_equal(packet->identifier,
                             span_is(packet->topic, "x") ? x : y);
    }
    expect_nothing_sent(s);
}

static void test_acknowledgements_carry_the_identifier_of_publish(void **state)
{
    static const uint16_t identifiers[] = {1,      2,      0x00FF, 0x0100,
                                           0x1234, 0xFF00, 0xFFFF};
    struct script *s = *state;

    connected(s);
    for (size_t i = 0; i < sizeof(identifiers) / sizeof(uint16_t); i++) {
        uint16_t identifier = identifiers[i], ours;

        server_publishes(s, 0x32, "a", identifier, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        expect_packet(s, 0x40, identifier);
        server_publishes(s, 0x34, "a", identifier, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        expect_packet(s, 0x50, identifier);
        server_answers(s, 0x62, identifier);
        expect_no_event(s);
        expect_packet(s, 0x70, identifier);
        ours = publish_sent(s, "a", "x", MQTT_QOS_2);
        server_answers(s, 0x50, ours);
        expect_no_event(s);
        expect_packet(s, 0x62, ours);
        server_answers(s, 0x70, ours);
        expect_published(s, ours, MQTT_OUTCOME_ACKNOWLEDGED);
    }
}

/* Neither another identifier nor another kind of packet answers a request. */
static void test_only_what_names_a_request_answers_it(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    connected(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    server_suback(s, 2, 0);
    server_suback(s, 0x0101, 0);
    server_answers(s, 0xB0, 1);
    server_answers(s, 0x40, 1);
    expect_no_event(s);
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0xA2, 2);
    server_answers(s, 0xB0, 1);
    server_answers(s, 0xB0, 0x0202);
    server_suback(s, 2, 0);
    expect_no_event(s);
    server_answers(s, 0xB0, 2);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

static const struct conformance_test tests[] = {
    proves(test_each_packet_has_the_flags_of_its_kind, "3.1.1 MQTT-2.2.2-1",
           "3.1.1 MQTT-3.6.1-1", "3.1.1 MQTT-3.8.1-1", "3.1.1 MQTT-3.10.1-1",
           "3.1.1 MQTT-3.14.1-1", "5.0 MQTT-2.1.3-1", "5.0 MQTT-3.6.1-1",
           "5.0 MQTT-3.8.1-1", "5.0 MQTT-3.10.1-1"),
    proves(test_auth_has_the_flags_of_its_kind, "5.0 MQTT-2.1.3-1"),
    proves(test_a_remaining_length_has_the_fewest_bytes, "5.0 MQTT-1.5.5-1"),
    proves(test_a_property_length_has_the_fewest_bytes, "5.0 MQTT-1.5.5-1"),
    proves(test_a_subscription_identifier_has_the_fewest_bytes,
           "5.0 MQTT-1.5.5-1"),
    proves(test_a_number_with_more_bytes_than_needed_closes,
           "5.0 MQTT-1.5.5-1"),
    proves(test_what_is_answered_carries_an_identifier, "3.1.1 MQTT-2.3.1-1",
           "5.0 MQTT-2.2.1-3"),
    proves(test_identifier_0_closes, "3.1.1 MQTT-2.3.1-1", "5.0 MQTT-2.2.1-4"),
    proves(test_qos_0_has_no_identifier, "3.1.1 MQTT-2.3.1-5",
           "5.0 MQTT-2.2.1-2"),
    proves_once(test_a_new_packet_gets_an_identifier_that_is_free,
                "3.1.1 MQTT-2.3.1-1", "3.1.1 MQTT-2.3.1-2", "5.0 MQTT-2.2.1-3",
                "5.0 MQTT-4.3.2-1"),
    proves_once(test_a_request_gets_an_identifier_that_is_free,
                "3.1.1 MQTT-2.3.1-1", "3.1.1 MQTT-2.3.1-2", "5.0 MQTT-2.2.1-3"),
    proves(test_an_identifier_is_free_after_its_acknowledgement,
           "3.1.1 MQTT-2.3.1-3"),
    proves(test_what_is_sent_again_keeps_its_identifier, "3.1.1 MQTT-2.3.1-3",
           "3.1.1 MQTT-4.4.0-1"),
    proves(test_acknowledgements_carry_the_identifier_of_publish,
           "3.1.1 MQTT-2.3.1-6", "5.0 MQTT-2.2.1-5"),
    proves(test_only_what_names_a_request_answers_it, "3.1.1 MQTT-2.3.1-7",
           "3.1.1 MQTT-3.8.4-2", "3.1.1 MQTT-3.10.4-4", "5.0 MQTT-2.2.1-6",
           "5.0 MQTT-3.8.4-2", "5.0 MQTT-3.10.4-5"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "packets", tests);
}
