/*
 * flow.c - what one side allows the other: Maximum QoS, Retain Available,
 * Maximum Packet Size, Receive Maximum [5.0, sections 3.1.2.11, 3.2.2.3, 3.3.4
 * and 4.9].
 */
#include "conformance.h"

/* ---- Maximum QoS --------------------------------------------------------- */

/* No PUBLISH of a higher QoS leaves; the others do. */
static void test_nothing_above_maximum_qos_is_sent(void **state)
{
    struct script *s = *state;

    for (int maximum = 0; maximum < 2; maximum++) {
        connected_with(s, 0x24, (uint8_t)maximum); /* Maximum QoS */
        for (int qos = 0; qos < 3; qos++) {
            enum mqtt_error error =
                try_publish(s, "a", "x", (enum mqtt_qos)qos);

            if (qos > maximum) {
                assert_int_equal(error, MQTT_ERR_MAXIMUM_QOS);
                expect_nothing_sent(s);
            } else {
                assert_int_equal(error, MQTT_OK);
                expect_packet(s, (uint8_t)(0x30 | qos << 1), 0);
            }
        }
        script_restart(s);
    }
}

/* Neither what was accepted before, nor what was sent to another server. */
static void test_nothing_above_a_new_maximum_qos_is_sent(void **state)
{
    struct script *s = *state;

    for (uint8_t maximum = 0; maximum < 2; maximum++) {
        connected(s);
        publish_sent(s, "a", "1", MQTT_QOS_2);
        publish_sent(s, "a", "2", MQTT_QOS_1);
        cut(s);
        publish(s, "a", "3", MQTT_QOS_2);
        publish(s, "a", "4", MQTT_QOS_1);
        reconnected_with(s, true, 0x24, maximum);
        while (next_packet(s))
            if (s->packet.first_byte >> 4 == 0x3)
                assert_true((s->packet.first_byte >> 1 & 0x03) <= maximum);
        script_restart(s);
    }
}

/* ---- Retain Available ---------------------------------------------------- */

static enum mqtt_error try_retain(struct script *s, enum mqtt_qos qos)
{
    return mqtt_publish(&s->client, "a", "x", 1, qos, true);
}

static void test_no_retain_where_it_is_not_available(void **state)
{
    struct script *s = *state;

    connected_with(s, 0x25, 0x00); /* Retain Available: no */
    for (int qos = 0; qos < 3; qos++) {
        assert_int_equal(try_retain(s, (enum mqtt_qos)qos),
                         MQTT_ERR_RETAIN_UNAVAILABLE);
        expect_nothing_sent(s);
        publish(s, "a", "x", (enum mqtt_qos)qos);
        expect_packet(s, (uint8_t)(0x30 | qos << 1), 0);
    }
    script_restart(s);
    connected_with(s, 0x25, 0x01); /* Retain Available: yes */
    assert_int_equal(try_retain(s, MQTT_QOS_1), MQTT_OK);
    expect_packet(s, 0x33, 1);
    cut(s);
    assert_int_equal(try_retain(s, MQTT_QOS_1), MQTT_OK);
    assert_int_equal(try_retain(s, MQTT_QOS_2), MQTT_OK);
    reconnected_with(s, true, 0x25, 0x00);
    while (next_packet(s))
        assert_int_not_equal(s->packet.first_byte & 0xF1, 0x31);
}

/* ---- Maximum Packet Size, of the server ---------------------------------- */

#define LIMIT(n) 0x27, 0x00, 0x00, 0x00, (uint8_t)(n)

static const char filler[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw"
                             "xyzabcdefghijklmnopqrstuvwxyz";

/* The packet that is just as large as the server takes; NULL: any. */
static void expect_size(struct script *s, uint8_t first_byte, size_t size)
{
    assert_int_equal(expect_packet(s, first_byte, 0)->size, size);
    expect_nothing_sent(s);
}

static void test_publish_is_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;

    for (int qos = 0; qos < 3; qos++) {
        struct mqtt_message message = {.topic_name = MQTT_TEXT("abc"),
                                       .payload = {filler, 0},
                                       .qos = (enum mqtt_qos)qos};
        size_t head = 2 + 2 + 3 + (qos ? 2 : 0) + 1;

        connected_with(s, LIMIT(40));
        message.payload.size = 40 - head;
        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_OK);
        expect_size(s, (uint8_t)(0x30 | qos << 1), 40);
        message.payload.size++;
        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_ERR_MAXIMUM_PACKET_SIZE);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Nor does a topic alias, or what is left of an expiry, make it larger. */
static void test_an_alias_makes_no_publish_too_large(void **state)
{
    struct script *s = *state;

    for (uint8_t limit = 20; limit < 40; limit++) {
        char topic[] = "abc";

        s->memory.alias_topic_count = 8;
        connected_with(s, LIMIT(limit), 0x22, 0x00, 0x08);
        for (size_t i = 0; i < limit; i++) {
            struct mqtt_message message = {.topic_name = mqtt_text(topic),
                                           .payload = {filler, i},
                                           .qos = MQTT_QOS_0};

            topic[0] = (char)('A' + i); /* each is new */
            mqtt_client_publish(&s->client, &message, NULL);
        }
        while (next_packet(s))
            assert_true(s->packet.size <= limit);
        script_restart(s);
    }
}

static void test_a_publish_of_before_is_not_sent_too_large(void **state)
{
    struct script *s = *state;

    for (uint8_t limit = 17; limit < 20; limit++) {
        unsigned publishes = 0;

        connected(s);
        publish_sent(s, "abc", "12345678", MQTT_QOS_1); /* 18 bytes */
        cut(s);
        publish(s, "abc", "12345678", MQTT_QOS_1);
        reconnected_with(s, true, LIMIT(limit));
        while (next_packet(s)) {
            publishes++;
            assert_true(s->packet.size <= limit);
        }
        assert_int_equal(publishes, limit < 18 ? 0 : 2);
        script_restart(s);
    }
}

static void test_subscribe_is_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription fits = {.topic_filter = {filler, 40 - 8}};
    struct mqtt_subscription does_not = {.topic_filter = {filler, 40 - 7}};
    struct mqtt_subscription before = {.topic_filter = {filler, 40 - 7}};

    assert_int_equal(mqtt_subscribe((start(s), &s->client), &before), MQTT_OK);
    connected_with(s, LIMIT(40));
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(s->event.error, MQTT_ERR_MAXIMUM_PACKET_SIZE);
    assert_int_equal(mqtt_subscribe(&s->client, &does_not),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_subscribe(&s->client, &fits), MQTT_OK);
    expect_size(s, 0x82, 40);
}

/* Many topic filters are asked for in as many packets as it takes. */
static void test_requests_are_shared_out_to_what_the_server_takes(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription subscriptions[7];
    unsigned packets = 0;

    memset(subscriptions, 0, sizeof(subscriptions));
    connected_with(s, LIMIT(30));
    for (size_t i = 0; i < 7; i++) {
        subscriptions[i].topic_filter = (struct mqtt_span){filler + i, 9};
        assert_int_equal(mqtt_subscribe(&s->client, &subscriptions[i]),
                         MQTT_OK);
    }
    /* 2 + 2 + 1, and 12 for each topic filter. */
    for (unsigned answered = 0; answered < 7; packets++) {
        const struct packet *packet = expect_packet(s, 0x82, 0);
        uint16_t identifier = packet->identifier;
        unsigned count = (unsigned)(packet->size - 5) / 12;

        assert_true(packet->size <= 30);
        server_sends(s, 0x90, (uint8_t)(3 + count), (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00);
        for (unsigned i = 0; i < count; i++, answered++)
            server_sends(s, 0x00);
        for (unsigned i = 0; i < count; i++)
            pull(s, MQTT_EVENT_SUBSCRIBED);
    }
    assert_int_equal(packets, 4);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(mqtt_unsubscribe(&s->client, &subscriptions[i]),
                         MQTT_OK);
    /* One byte less for each. */
    assert_true(expect_packet(s, 0xA2, 0)->size <= 30);
}

/* What a server of before took may be too large for this one. */
static void test_unsubscribe_is_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;

    for (uint8_t limit = 29; limit < 31; limit++) {
        struct mqtt_subscription a = {.topic_filter = {filler, 23}};

        connected(s);
        subscribed(s, &a);
        cut(s);
        reconnected_with(s, true, LIMIT(limit));
        assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
        if (limit < 30)
            expect_nothing_sent(s);
        else
            expect_size(s, 0xA2, 30);
        mqtt_client_destroy(&s->client);
        script_restart(s);
    }
}

static void test_disconnect_is_as_large_as_the_server_takes(void **state)
{
    static const uint8_t properties[] = {0x1F, 0x00, 0x03, 'w', 'h', 'y'};
    struct mqtt_disconnect_options options = {
        .reason_code = 0x04, .properties = {properties, sizeof(properties)}};
    struct script *s = *state;

    for (uint8_t limit = 1; limit < 12; limit++) {
        connected_with(s, LIMIT(limit));
        mqtt_disconnect_with(&s->client, 0, &options);
        script_drain(s);
        if (limit >= 10)
            expect_size(s, 0xE0, 10);
        else
            while (next_packet(s))
                assert_true(s->packet.size <= limit);
        script_restart(s);
    }
}

static void test_auth_is_as_large_as_the_server_takes(void **state)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
    struct script *s = *state;

    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    /* 2, code, property length, method, 3 + the data */
    connected_with(s, LIMIT(30), 0x15, 0x00, 0x01, 'm');
    assert_int_equal(mqtt_authenticate(&s->client,
                                       (struct mqtt_span){filler, 20},
                                       (struct mqtt_span){NULL, 0}),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_authenticate(&s->client,
                                       (struct mqtt_span){filler, 19},
                                       (struct mqtt_span){NULL, 0}),
                     MQTT_OK);
    expect_size(s, 0xF0, 30);
}

static void test_pingreq_is_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;

    for (uint8_t limit = 1; limit < 3; limit++) {
        connected_with(s, LIMIT(limit));
        elapse(s, 60000);
        if (limit < 2)
            expect_nothing_sent(s);
        else
            expect_size(s, 0xC0, 2);
        script_restart(s);
    }
}

/* The answer of 4 bytes, or none and the connection ends: nothing else would
 * tell the server that it asks for what it forbids. */
static void expect_answer(struct script *s, uint8_t first_byte, uint8_t limit)
{
    expect_no_event(s);
    if (limit < 4) {
        expect_nothing_sent(s);
        expect_fatal(s, MQTT_ERR_ANNOUNCED);
    } else {
        expect_size(s, first_byte, 4);
        expect_wants(s, MQTT_WANT_NOTHING);
    }
    script_restart(s);
}

static void test_answers_are_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;

    for (uint8_t limit = 1; limit < 6; limit++) {
        connected_with(s, LIMIT(limit));
        server_publishes(s, 0x32, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_answer(s, 0x40, limit);
        connected_with(s, LIMIT(limit));
        server_publishes(s, 0x34, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_answer(s, 0x50, limit);
        /* As long as PUBREC, PUBREL and PUBCOMP once more on a connection
         * that takes less. */
        connected(s);
        server_publishes(s, 0x34, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        publish_sent(s, "a", "x", MQTT_QOS_2);
        server_answers(s, 0x50, 1);
        expect_no_event(s);
        cut(s);
        reconnected_with(s, true, LIMIT(limit));
        expect_answer(s, 0x62, limit);
        connected(s);
        server_publishes(s, 0x34, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        cut(s);
        reconnected_with(s, true, LIMIT(limit));
        server_answers(s, 0x62, 7);
        expect_answer(s, 0x70, limit);
    }
}

/* A reason code makes them 5 bytes. */
static void test_refusals_are_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 4;
    for (uint8_t limit = 4; limit < 6; limit++) {
        for (int qos = 1; qos < 3; qos++) {
            connected_with(s, LIMIT(limit));
            server_publishes(s, (uint8_t)(0x30 | qos << 1), "a", 7, "x");
            pull(s, MQTT_EVENT_MESSAGE);
            assert_int_equal(
                mqtt_settle(&s->client, s->event.message.settle_handle, 0x87),
                MQTT_OK);
            if (limit < 5)
                expect_nothing_sent(s);
            else
                expect_size(s, qos == 1 ? 0x40 : 0x50, 5);
            script_restart(s);
        }
        connected_with(s, LIMIT(limit));
        server_answers(s, 0x50, 9); /* PUBREC of nothing */
        expect_no_event(s);
        if (limit < 5)
            expect_nothing_sent(s);
        else
            expect_size(s, 0x62, 5);
        script_restart(s);
        connected_with(s, LIMIT(limit));
        server_answers(s, 0x62, 9); /* PUBREL of nothing */
        expect_no_event(s);
        if (limit < 5)
            expect_nothing_sent(s);
        else
            expect_size(s, 0x70, 5);
        script_restart(s);
    }
}

/* ---- Maximum Packet Size, ours ------------------------------------------- */

/* A PUBLISH of so many bytes, 2 of them the fixed header. */
static void server_publishes_bytes(struct script *s, size_t size)
{
    char payload[128];

    memset(payload, 'x', sizeof(payload));
    payload[size - 6] = '\0';
    server_publishes(s, 0x30, "a", 0, payload);
}

static void test_a_packet_above_our_maximum_closes(void **state)
{
    struct script *s = *state;

    for (int configured = 0; configured < 2; configured++) {
        s->memory.input_size = configured ? 256 : 100;
        s->config.connect.maximum_packet_size = configured ? 100 : 0;
        start(s);
        connects(s);
        assert_int_equal(number_of(take_connect(s).properties,
                                   MQTT_PROPERTY_MAXIMUM_PACKET_SIZE),
                         100);
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        server_publishes_bytes(s, 100);
        pull(s, MQTT_EVENT_MESSAGE);
        assert_int_equal(s->event.message.payload.size, 94);
        server_publishes_bytes(s, 101);
        expect_violation(s, MQTT_ERR_PACKET_TOO_LARGE);
        assert_int_equal(s->disconnect_code, 0x95); /* Packet too large */
        script_restart(s);
    }
}

/* Any kind of packet: SUBACK with a long Reason String. */
static void test_a_suback_above_our_maximum_closes(void **state)
{
    struct script *s = *state;

    for (uint8_t size = 40; size < 42; size++) {
        struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

        s->config.connect.maximum_packet_size = 40;
        connected(s);
        assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
        expect_packet(s, 0x82, 1);
        server_sends(s, 0x90, (uint8_t)(size - 2), 0x00, 0x01,
                     (uint8_t)(size - 6), 0x1F, 0x00, (uint8_t)(size - 9));
        server_sends_span(s, filler, size - 9u);
        server_sends(s, 0x00);
        if (size == 40) {
            pull(s, MQTT_EVENT_SUBSCRIBED);
        } else {
            expect_violation(s, MQTT_ERR_PACKET_TOO_LARGE);
            assert_int_equal(s->disconnect_code, 0x95);
        }
        mqtt_client_destroy(&s->client);
        script_restart(s);
    }
}

/* ---- Receive Maximum, of the server -------------------------------------- */

#define RECEIVE_MAXIMUM(n) 0x21, 0x00, (uint8_t)(n)

/* How many PUBLISH packets leave now. */
static unsigned publishes_sent(struct script *s)
{
    unsigned count = 0;

    while (next_packet(s))
        count += s->packet.first_byte >> 4 == 0x3;
    return count;
}

static void test_the_quota_begins_at_receive_maximum(void **state)
{
    struct script *s = *state;

    for (uint8_t maximum = 1; maximum < 6; maximum++) {
        connected_with(s, RECEIVE_MAXIMUM(maximum));
        for (int i = 0; i < 8; i++)
            publish(s, "a", "x", i & 1 ? MQTT_QOS_1 : MQTT_QOS_2);
        assert_int_equal(publishes_sent(s), maximum);
        /* And again, with another one, on each connection. */
        cut(s);
        reconnected_with(s, true, RECEIVE_MAXIMUM(maximum + 1));
        assert_int_equal(publishes_sent(s), maximum + 1);
        script_restart(s);
    }
}

/* It is never 0, whatever is to be sent again before. */
static void test_the_quota_does_not_begin_at_0(void **state)
{
    struct script *s = *state;

    connected(s);
    for (uint16_t i = 1; i < 5; i++) {
        publish_sent(s, "a", "x", MQTT_QOS_2);
        server_answers(s, 0x50, i);
        expect_no_event(s);
    }
    cut(s);
    reconnected_with(s, true, RECEIVE_MAXIMUM(2));
    for (uint16_t i = 1; i < 5; i++)
        expect_packet(s, 0x62, i);
    for (int i = 0; i < 5; i++)
        publish(s, "a", "x", MQTT_QOS_1);
    assert_in_range(publishes_sent(s), 1, 2);
}

/* Only the end of an exchange lets one more go. */
static void test_the_quota_comes_back_with_the_end_of_an_exchange(void **state)
{
    struct script *s = *state;

    connected_with(s, RECEIVE_MAXIMUM(3));
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    publish(s, "a", "3", MQTT_QOS_2);
    for (uint16_t i = 4; i < 9; i++)
        assert_int_equal(publish(s, "a", "x", MQTT_QOS_1), i);
    assert_int_equal(publishes_sent(s), 3);
    server_answers(s, 0x50, 2); /* PUBREC */
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x70, 2); /* PUBCOMP */
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 4);
    expect_nothing_sent(s);
    server_answers_with(s, 0x50, 3, 0x87); /* PUBREC: Not authorized */
    expect_published(s, 3, MQTT_OUTCOME_REFUSED);
    expect_packet(s, 0x32, 5);
    expect_nothing_sent(s);
    server_answers(s, 0x40, 1); /* PUBACK */
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 6);
    expect_nothing_sent(s);
    server_answers_with(s, 0x40, 4, 0x97); /* PUBACK: Quota exceeded */
    expect_published(s, 4, MQTT_OUTCOME_REFUSED);
    expect_packet(s, 0x32, 7);
    expect_nothing_sent(s);
    /* What answers nothing brings nothing. */
    server_answers(s, 0x40, 1);
    server_answers(s, 0x70, 2);
    server_answers_with(s, 0x50, 3, 0x87);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* All other packets, while three PUBLISH packets wait behind the quota. */
static void test_a_used_up_quota_delays_nothing_else(void **state)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
    const struct mqtt_span none = {NULL, 0};
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    struct script *s = *state;

    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    connected_with(s, RECEIVE_MAXIMUM(1), 0x15, 0x00, 0x01, 'm');
    for (int i = 0; i < 4; i++)
        publish(s, "a", "x", MQTT_QOS_2);
    assert_int_equal(publishes_sent(s), 1);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 5);
    server_suback(s, 5, 0x00);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0xA2, 6);
    server_answers(s, 0xB0, 6);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_OK);
    expect_packet(s, 0xF0, 0);
    elapse(s, 60000);
    expect_packet(s, 0xC0, 0);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    server_publishes(s, 0x30, "a", 0, "0");
    expect_message(s, "a", "0");
    server_publishes(s, 0x32, "a", 7, "1");
    expect_message(s, "a", "1");
    expect_no_event(s);
    expect_packet(s, 0x40, 7);
    server_publishes(s, 0x34, "a", 8, "2");
    expect_message(s, "a", "2");
    expect_no_event(s);
    expect_packet(s, 0x50, 8);
    server_answers(s, 0x62, 8);
    expect_no_event(s);
    expect_packet(s, 0x70, 8);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_packet(s, 0xE0, 0);
}

/* ---- Receive Maximum, ours ----------------------------------------------- */

/* As many as announced are taken, and one more is a violation; the end of an
 * exchange makes place for the next. */
static void test_more_than_our_receive_maximum_closes(void **state)
{
    struct script *s = *state;

    s->config.connect.receive_maximum = 3;
    start(s);
    connects(s);
    assert_int_equal(
        number_of(take_connect(s).properties, MQTT_PROPERTY_RECEIVE_MAXIMUM),
        3);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    for (uint16_t i = 1; i < 20; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
        if (i < 3)
            continue;
        server_answers(s, 0x62, (uint16_t)(i - 2)); /* PUBREL */
        expect_no_event(s);
    }
    server_publishes(s, 0x30, "a", 0, "x"); /* has no part in it */
    expect_message(s, "a", "x");
    server_publishes(s, 0x34, "a", 20, "x");
    expect_message(s, "a", "x"); /* 18, 19 and 20 are open now */
    server_publishes(s, 0x34, "a", 21, "x");
    expect_violation(s, MQTT_ERR_RECEIVE_MAXIMUM);
    assert_int_equal(s->disconnect_code, 0x93); /* Receive Maximum exceeded */
}

/* In QoS 1, too, and where memory is what sets it. */
static void test_more_than_our_memory_announced_closes(void **state)
{
    struct script *s = *state;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 3;
    start(s);
    connects(s);
    assert_int_equal(
        number_of(take_connect(s).properties, MQTT_PROPERTY_RECEIVE_MAXIMUM),
        3);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    for (uint16_t i = 1; i < 4; i++) {
        server_publishes(s, 0x32, "a", i, "x");
        expect_message(s, "a", "x");
    }
    server_publishes(s, 0x32, "a", 4, "x");
    expect_violation(s, MQTT_ERR_RECEIVE_MAXIMUM);
    assert_int_equal(s->disconnect_code, 0x93);
}

static const struct conformance_test tests[] = {
    proves(test_nothing_above_maximum_qos_is_sent, "5.0 MQTT-3.2.2-11"),
    proves(test_nothing_above_a_new_maximum_qos_is_sent, "5.0 MQTT-3.2.2-11"),
    proves(test_no_retain_where_it_is_not_available, "5.0 MQTT-3.2.2-14"),
    proves(test_publish_is_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_an_alias_makes_no_publish_too_large, "5.0 MQTT-3.2.2-15"),
    proves(test_a_publish_of_before_is_not_sent_too_large, "5.0 MQTT-3.2.2-15"),
    proves(test_subscribe_is_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_requests_are_shared_out_to_what_the_server_takes,
           "5.0 MQTT-3.2.2-15"),
    proves(test_unsubscribe_is_as_large_as_the_server_takes,
           "5.0 MQTT-3.2.2-15"),
    proves(test_disconnect_is_as_large_as_the_server_takes,
           "5.0 MQTT-3.2.2-15"),
    proves(test_auth_is_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_pingreq_is_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_answers_are_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_refusals_are_as_large_as_the_server_takes, "5.0 MQTT-3.2.2-15"),
    proves(test_a_packet_above_our_maximum_closes, "5.0 MQTT-3.1.2-24"),
    proves(test_a_suback_above_our_maximum_closes, "5.0 MQTT-3.1.2-24"),
    proves(test_the_quota_begins_at_receive_maximum, "5.0 MQTT-3.3.4-7",
           "5.0 MQTT-4.9.0-1", "5.0 MQTT-4.9.0-2"),
    proves(test_the_quota_does_not_begin_at_0, "5.0 MQTT-4.9.0-1"),
    proves(test_the_quota_comes_back_with_the_end_of_an_exchange,
           "5.0 MQTT-3.3.4-7", "5.0 MQTT-4.9.0-2"),
    proves(test_a_used_up_quota_delays_nothing_else, "5.0 MQTT-3.3.4-8",
           "5.0 MQTT-4.9.0-3"),
    proves(test_more_than_our_receive_maximum_closes, "5.0 MQTT-3.3.4-9"),
    proves(test_more_than_our_memory_announced_closes, "5.0 MQTT-3.3.4-9"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "flow", tests);
}
