/*
 * publish.c - PUBLISH, both ways, and what answers it [3.1.1, sections 3.3 to
 * 3.7, 4.3 and 4.5], [5.0, the same].
 */
#include "conformance.h"

/* ---- the bytes of PUBLISH ------------------------------------------------ */

static void test_publish_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;
    const struct mqtt_message message = {.topic_name = MQTT_TEXT("a/b"),
                                         .payload = MQTT_TEXT("hey"),
                                         .qos = MQTT_QOS_1,
                                         .retain = true};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_bytes(s, 0x33,        /* PUBLISH: QoS 1, RETAIN */
                 0x0A,           /* remaining length */
                 0x00, 0x03,     /* topic name length */
                 'a', '/', 'b',  /* topic name */
                 0x00, 0x01,     /* packet identifier */
                 'h', 'e', 'y'); /* payload */
}

static void test_publish_5_0_byte_for_byte(void **state)
{
    static const uint8_t properties[] = {
        0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v', /* User Property */
        0x01, 0x01};                            /* Payload Format Indicator */
    struct script *s = *state;
    const struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a/b"),
        .payload = MQTT_TEXT("hey"),
        .qos = MQTT_QOS_2,
        .retain = true,
        .properties = {properties, sizeof(properties)}};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_bytes(s, 0x35,                                /* QoS 2, RETAIN */
                 0x14,                                   /* remaining length */
                 0x00, 0x03,                             /* topic name length */
                 'a', '/', 'b',                          /* topic name */
                 0x00, 0x01,                             /* identifier */
                 0x09,                                   /* property length */
                 0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v', /* User Property */
                 0x01, 0x01,     /* Payload Format Indicator */
                 'h', 'e', 'y'); /* payload */
}

static void test_the_topic_name_comes_first(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int qos = 0; qos < 3; qos++) {
        const struct packet *packet;

        publish(s, "to/pic", "x", (enum mqtt_qos)qos);
        packet = expect_packet(s, (uint8_t)(0x30 | qos << 1), 0);
        assert_memory_equal(packet->bytes + 2, "\x00\x06to/pic", 8);
        server_publishes(s, (uint8_t)(0x30 | qos << 1), "of/it", 1, "x");
        expect_message(s, "of/it", "x");
    }
}

/* ---- DUP ----------------------------------------------------------------- */

static void test_what_is_sent_again_has_dup(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a", "x", MQTT_QOS_1);
    publish(s, "b", "y", MQTT_QOS_2);
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x34, 2);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected(s, true);
        expect_packet(s, 0x3A, 1);
        expect_packet(s, 0x3C, 2);
        expect_nothing_sent(s);
    }
}

static void qos_0_is_sent_without_dup(struct script *s)
{
    const struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a"), .payload = MQTT_TEXT("x"), .dup = true};

    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_packet(s, 0x30, 0);
}

/* Also not what waited over a cut, and was perhaps begun. */
static void test_qos_0_never_has_dup(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken < 4; taken++) {
        s->config.keep_qos0 = true;
        connected(s);
        qos_0_is_sent_without_dup(s);
        s->blocked = true;
        publish(s, "a", "x", MQTT_QOS_0);
        publish(s, "a", "y", MQTT_QOS_0);
        network_takes(s, taken);
        cut(s);
        s->blocked = false;
        reconnected(s, true);
        while (next_packet(s))
            assert_int_equal(s->packet.first_byte, 0x30);
        qos_0_is_sent_without_dup(s);
        script_restart(s);
    }
}

static void test_a_first_publish_has_no_dup(void **state)
{
    struct script *s = *state;
    const struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                         .payload = MQTT_TEXT("x"),
                                         .qos = MQTT_QOS_1,
                                         .dup = true};

    connected(s);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_packet(s, 0x32, 1);
    publish(s, "a", "x", MQTT_QOS_2);
    expect_packet(s, 0x34, 2);
    /* What came with DUP, and is published from the event that tells of it. */
    server_publishes(s, 0x3A, "a", 9, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    assert_true(s->event.message.dup);
    assert_int_equal(mqtt_client_publish(&s->client, &s->event.message, NULL),
                     MQTT_OK);
    expect_packet(s, 0x32, 3);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_no_event(s);
    while (next_packet(s))
        assert_int_equal(s->packet.first_byte & 0x08, 0);
}

static void test_dup_with_qos_0_closes(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x38, "a", 0, "x");
    expect_violation(s, MQTT_ERR_RECEIVED_QOS);
}

/* ---- QoS ----------------------------------------------------------------- */

static void test_qos_3_is_not_sent(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int qos = 3; qos < 16; qos++)
        assert_int_equal(try_publish(s, "a", "x", (enum mqtt_qos)qos),
                         MQTT_ERR_QOS);
    expect_nothing_sent(s);
}

static void test_qos_3_closes(void **state)
{
    static const uint8_t first_bytes[] = {0x36, 0x37, 0x3E, 0x3F};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(first_bytes); i++) {
        connected(s);
        server_publishes(s, first_bytes[i], "a", 1, "x");
        expect_violation(s, MQTT_ERR_RECEIVED_QOS);
        if (speaks_5_0(s))
            assert_int_equal(s->disconnect_code, 0x81); /* Malformed Packet */
        script_restart(s);
    }
}

/* ---- topic names --------------------------------------------------------- */

static const char *const wild[] = {"#", "+", "a/#", "+/b", "a+", "a#b"};
#define WILD (sizeof(wild) / sizeof(wild[0]))

static void test_no_wildcard_is_published_to(void **state)
{
    struct script *s = *state;

    connected(s);
    for (size_t i = 0; i < WILD; i++)
        for (int qos = 0; qos < 3; qos++)
            assert_int_equal(try_publish(s, wild[i], "x", (enum mqtt_qos)qos),
                             MQTT_ERR_TOPIC_NAME);
    expect_nothing_sent(s);
}

static void test_a_wildcard_that_comes_closes(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < WILD; i++) {
        connected(s);
        server_publishes(s, 0x30, wild[i], 0, "x");
        expect_violation(s, MQTT_ERR_RECEIVED_TOPIC);
        script_restart(s);
    }
}

/* ---- properties ---------------------------------------------------------- */

/* A property of UTF-8 text, published; whether it is good. */
static enum mqtt_error publish_text(struct script *s, uint8_t identifier,
                                    struct mqtt_span text)
{
    uint8_t bytes[64];
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x")};

    bytes[0] = identifier;
    bytes[1] = 0;
    bytes[2] = (uint8_t)text.size;
    memcpy(bytes + 3, text.data, text.size);
    message.properties = (struct mqtt_span){bytes, 3 + text.size};
    return mqtt_client_publish(&s->client, &message, NULL);
}

static void text_property_is_utf8(struct script *s, uint8_t identifier)
{
    connected(s);
    for (const struct text *text = texts; text->bytes.data; text++) {
        struct mqtt_property property = {0};
        enum mqtt_error error = publish_text(s, identifier, text->bytes);

        if (text->good) {
            assert_int_equal(error, MQTT_OK);
            expect_packet(s, 0x30, 0);
            assert_true(mqtt_property_find(s->packet.properties, identifier,
                                           &property));
            assert_true(same_span(property.text, text->bytes));
        } else {
            assert_int_equal(error, MQTT_ERR_PROPERTY);
        }
        expect_nothing_sent(s);
    }
}

static void test_a_response_topic_that_is_sent_is_utf8(void **state)
{
    text_property_is_utf8(*state, MQTT_PROPERTY_RESPONSE_TOPIC);
}

static void test_a_content_type_that_is_sent_is_utf8(void **state)
{
    text_property_is_utf8(*state, MQTT_PROPERTY_CONTENT_TYPE);
}

static void text_property_that_comes_is_utf8(struct script *s,
                                             uint8_t identifier)
{
    for (const struct text *text = texts; text->bytes.data; text++) {
        uint8_t bytes[64];
        size_t size = text->bytes.size;

        connected(s);
        bytes[0] = identifier;
        bytes[1] = 0;
        bytes[2] = (uint8_t)size;
        memcpy(bytes + 3, text->bytes.data, size);
        script_publish(s, 0x30, "a", 0, "x", bytes, 3 + size);
        if (text->good) {
            expect_message(s, "a", "x");
        } else {
            expect_violation(s, MQTT_ERR_RECEIVED_PROPERTY);
            assert_int_equal(s->disconnect_code, 0x81);
        }
        script_restart(s);
    }
}

static void test_a_response_topic_that_comes_is_utf8(void **state)
{
    text_property_that_comes_is_utf8(*state, MQTT_PROPERTY_RESPONSE_TOPIC);
}

static void test_a_content_type_that_comes_is_utf8(void **state)
{
    text_property_that_comes_is_utf8(*state, MQTT_PROPERTY_CONTENT_TYPE);
}

static void test_a_response_topic_has_no_wildcard(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < WILD; i++) {
        uint8_t bytes[16] = {0x08, 0x00, (uint8_t)strlen(wild[i])};

        connected(s);
        assert_int_equal(publish_text(s, 0x08, mqtt_text(wild[i])),
                         MQTT_ERR_PROPERTY);
        expect_nothing_sent(s);
        memcpy(bytes + 3, wild[i], strlen(wild[i]));
        script_publish(s, 0x30, "a", 0, "x", bytes, 3 + strlen(wild[i]));
        expect_violation(s, MQTT_ERR_RECEIVED_TOPIC);
        script_restart(s);
    }
}

static void test_no_subscription_identifier_is_published(void **state)
{
    static const uint8_t first[] = {0x0B, 0x01};
    static const uint8_t last[] = {0x01, 0x01, 0x0B, 0x80, 0x01};
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .properties = {first, sizeof(first)}};

    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PROPERTY);
    message.properties = (struct mqtt_span){last, sizeof(last)};
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PROPERTY);
    expect_nothing_sent(s);
    /* Not even where a message that has one is passed on. */
    server_publishes_with(s, 0x30, "a", 0, "x", 0x0B, 0x01);
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(mqtt_client_publish(&s->client, &s->event.message, NULL),
                     MQTT_ERR_PROPERTY);
    expect_nothing_sent(s);
}

/* ---- who is told --------------------------------------------------------- */

static unsigned told;

static void tell(struct mqtt_client *client, const struct mqtt_message *message,
                 void *context)
{
    (void)client;
    (void)context;
    assert_true(span_is(message->topic_name, "never/asked/for"));
    told++;
}

static void test_what_matches_no_subscription_is_given(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    told = 0;
    s->config.on_message = tell;
    connected(s);
    subscribed(s, &a);
    server_publishes(s, 0x32, "never/asked/for", 1, "x");
    assert_int_equal(dispatch(s), 1);
    assert_int_equal(told, 1);
    expect_packet(s, 0x40, 1);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_what_nobody_looks_at_is_answered(void **state)
{
    struct script *s = *state;

    connected(s); /* without any callback */
    server_publishes(s, 0x30, "a", 0, "x");
    server_publishes(s, 0x32, "a", 1, "x");
    server_publishes(s, 0x34, "a", 2, "x");
    assert_int_equal(dispatch(s), 3);
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x50, 2);
    server_answers(s, 0x62, 2);
    dispatch(s);
    expect_packet(s, 0x70, 2);
    expect_nothing_sent(s);
}

/* ---- as a receiver ------------------------------------------------------- */

static void test_each_qos_is_answered_as_it_demands(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x30, "a", 0, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    server_publishes(s, 0x32, "a", 0x1234, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x40, 0x1234);
    expect_nothing_sent(s);
    server_publishes(s, 0x34, "a", 0x5678, "x");
    expect_message(s, "a", "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 0x5678);
    expect_nothing_sent(s);
}

static void test_an_answer_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 0x1234, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_bytes(s, 0x40,     /* PUBACK */
                 0x02,        /* remaining length */
                 0x12, 0x34); /* packet identifier */
    server_publishes(s, 0x34, "a", 0x1234, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_bytes(s, 0x50,     /* PUBREC */
                 0x02,        /* remaining length */
                 0x12, 0x34); /* packet identifier */
    server_sends(s, 0x62,     /* PUBREL */
                 0x02,        /* remaining length */
                 0x12, 0x34); /* packet identifier */
    expect_no_event(s);
    expect_bytes(s, 0x70,     /* PUBCOMP */
                 0x02,        /* remaining length */
                 0x12, 0x34); /* packet identifier */
}

/* After PUBACK the identifier may name another message, or the same again. */
static void test_after_puback_an_identifier_is_new(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 7, "1");
    expect_message(s, "a", "1");
    expect_no_event(s);
    expect_packet(s, 0x40, 7);
    server_publishes(s, 0x3A, "a", 7, "1");
    expect_message(s, "a", "1");
    expect_no_event(s);
    expect_packet(s, 0x40, 7);
    server_publishes(s, 0x32, "a", 7, "2");
    expect_message(s, "a", "2");
    expect_no_event(s);
    expect_packet(s, 0x40, 7);
}

/* PUBREC for each PUBLISH, one delivery, until PUBREL comes. */
static void test_qos_2_is_given_once_until_pubrel(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 7, "1");
    expect_message(s, "a", "1");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    for (int i = 0; i < 3; i++) {
        server_publishes(s, i ? 0x3C : 0x34, "a", 7, "1");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
    }
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "1");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    expect_nothing_sent(s);
}

static void test_each_pubrel_is_answered_by_pubcomp(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 7, "1");
    expect_message(s, "a", "1");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    for (int i = 0; i < 3; i++) {
        server_answers(s, 0x62, 7);
        expect_no_event(s);
        expect_packet(s, 0x70, 7);
    }
    expect_nothing_sent(s);
}

static void test_after_pubcomp_an_identifier_is_new(void **state)
{
    struct script *s = *state;

    connected(s);
    for (int i = 0; i < 3; i++) {
        server_publishes(s, 0x34, "a", 7, "x");
        expect_message(s, "a", "x");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
        server_answers(s, 0x62, 7);
        expect_no_event(s);
        expect_packet(s, 0x70, 7);
    }
}

/* ---- as a sender --------------------------------------------------------- */

/* Nothing but a new connection makes the client send a second time. */
static void test_qos_1_waits_for_puback(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(publish(s, "a", "x", MQTT_QOS_1), 1);
    expect_packet(s, 0x32, 1);
    elapse(s, 50000);
    expect_nothing_sent(s);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    assert_int_equal(publish(s, "a", "y", MQTT_QOS_1), 2);
    expect_packet(s, 0x32, 2);
    server_answers(s, 0x40, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    cut(s);
    reconnected(s, true);
    expect_nothing_sent(s);
}

/* Neither PUBACK ends QoS 2 nor PUBREC QoS 1, and PUBCOMP is not the first
 * answer of either. */
static void test_only_its_own_acknowledgement_ends_a_message(void **state)
{
    static const struct {
        enum mqtt_qos qos;
        uint8_t wrong;
    } cases[] = {{MQTT_QOS_1, 0x50},
                 {MQTT_QOS_1, 0x70},
                 {MQTT_QOS_2, 0x40},
                 {MQTT_QOS_2, 0x70}};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        connected(s);
        publish_sent(s, "a", "x", cases[i].qos);
        server_answers(s, cases[i].wrong, 1);
        expect_violation(s, MQTT_ERR_ACKNOWLEDGEMENT);
        s->to_server.size = 0;
        reconnected(s, true);
        expect_packet(s, (uint8_t)(0x38 | cases[i].qos << 1), 1);
        script_restart(s);
    }
}

static void test_pubrel_follows_pubrec(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(publish(s, "a", "x", MQTT_QOS_2), 1);
    assert_int_equal(publish(s, "a", "y", MQTT_QOS_2), 2);
    expect_packet(s, 0x34, 1);
    expect_packet(s, 0x34, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    expect_packet(s, 0x62, 2);
    expect_nothing_sent(s);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    expect_nothing_sent(s);
}

static void test_qos_2_is_unacknowledged_until_pubrec(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a", "x", MQTT_QOS_2);
    expect_packet(s, 0x34, 1);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x3C, 1);
    expect_no_event(s);
}

static void test_pubrel_is_unacknowledged_until_pubcomp(void **state)
{
    struct script *s = *state;

    connected(s);
    publish(s, "a", "x", MQTT_QOS_2);
    expect_packet(s, 0x34, 1);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected(s, true);
        expect_packet(s, 0x62, 1);
        expect_nothing_sent(s);
        expect_no_event(s);
    }
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    cut(s);
    reconnected(s, true);
    expect_nothing_sent(s);
}

/* Whatever happens to PUBREL: half of it may have left, or nothing. */
static void test_after_pubrec_publish_is_not_sent_again(void **state)
{
    struct script *s = *state;

    for (size_t taken = 0; taken <= 4; taken++) {
        connected(s);
        publish_sent(s, "a", "x", MQTT_QOS_2);
        s->blocked = true;
        server_answers(s, 0x50, 1);
        expect_no_event(s);
        network_takes(s, taken);
        cut(s);
        s->blocked = false;
        reconnected(s, true);
        expect_packet(s, 0x62, 1);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Identifier 1 stays in use by QoS 1, 2 by PUBLISH and 3 by PUBREL, while the
 * counter goes around. */
static void test_qos_2_gets_an_identifier_that_is_free(void **state)
{
    struct script *s = *state;
    uint16_t last = 0;
    bool wrapped = false;

    connected(s);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_1), 1);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_2), 2);
    assert_int_equal(publish_sent(s, "a", "", MQTT_QOS_2), 3);
    server_answers(s, 0x50, 3);
    expect_no_event(s);
    expect_packet(s, 0x62, 3);
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t identifier = publish(s, "a", "", MQTT_QOS_2);

        expect_packet(s, 0x34, identifier);
        assert_true(identifier > 3);
        wrapped = wrapped || identifier < last;
        last = identifier;
        server_answers(s, 0x50, identifier);
        expect_no_event(s);
        expect_packet(s, 0x62, identifier);
        server_answers(s, 0x70, identifier);
        expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
    }
    assert_true(wrapped);
}

/* ---- expiry -------------------------------------------------------------- */

/* Its time is over, when all of it or one byte has left. */
static void test_qos_2_does_not_expire_once_it_was_sent(void **state)
{
    struct script *s = *state;

    for (size_t taken = 1; taken <= 16; taken++) {
        connected(s);
        s->blocked = true;
        publish_with(s, "abc", "xy", MQTT_QOS_2, 0x02, 0x00, 0x00, 0x00, 0x05);
        network_takes(s, taken); /* of 17 bytes */
        elapse(s, 6000);
        expect_no_event(s);
        cut(s);
        expect_no_event(s);
        elapse(s, 60000);
        expect_no_event(s);
        s->blocked = false;
        reconnected(s, true);
        expect_packet(s, 0x3C, 1);
        assert_true(span_is(s->packet.payload, "xy"));
        elapse(s, 6000);
        server_answers(s, 0x50, 1);
        expect_no_event(s);
        expect_packet(s, 0x62, 1);
        elapse(s, 6000);
        server_answers(s, 0x70, 1);
        expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
        script_restart(s);
    }
}

static void test_an_expired_message_is_acknowledged_to_its_end(void **state)
{
    struct script *s = *state;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 4;
    connected(s);
    server_publishes_with(s, 0x34, "a", 7, "x", 0x02, 0x00, 0x00, 0x00, 0x01);
    expect_message(s, "a", "x");
    elapse(s, 5000);
    assert_int_equal(mqtt_settle(&s->client, s->event.message.settle_handle, 0),
                     MQTT_OK);
    expect_packet(s, 0x50, 7);
    elapse(s, 5000);
    server_publishes_with(s, 0x3C, "a", 7, "x", 0x02, 0x00, 0x00, 0x00, 0x01);
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    elapse(s, 5000);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    assert_int_equal(s->packet.reason_code, 0);
    /* With nothing left of its time when it comes. */
    server_publishes_with(s, 0x34, "a", 8, "x", 0x02, 0x00, 0x00, 0x00, 0x00);
    expect_message(s, "a", "x");
    assert_int_equal(mqtt_settle(&s->client, s->event.message.settle_handle, 0),
                     MQTT_OK);
    expect_packet(s, 0x50, 8);
    server_answers(s, 0x62, 8);
    expect_no_event(s);
    expect_packet(s, 0x70, 8);
}

static const struct conformance_test tests[] = {
    proves(test_publish_3_1_1_byte_for_byte, "3.1.1 MQTT-3.3.2-1"),
    proves(test_publish_5_0_byte_for_byte, "5.0 MQTT-3.3.2-1"),
    proves(test_the_topic_name_comes_first, "3.1.1 MQTT-3.3.2-1",
           "5.0 MQTT-3.3.2-1"),
    proves(test_what_is_sent_again_has_dup, "3.1.1 MQTT-3.3.1-1",
           "5.0 MQTT-3.3.1-1"),
    proves(test_qos_0_never_has_dup, "3.1.1 MQTT-3.3.1-2", "3.1.1 MQTT-4.3.1-1",
           "5.0 MQTT-3.3.1-2", "5.0 MQTT-4.3.1-1"),
    proves(test_a_first_publish_has_no_dup, "3.1.1 MQTT-4.3.2-1",
           "3.1.1 MQTT-4.3.3-1", "5.0 MQTT-3.3.1-3", "5.0 MQTT-4.3.2-2",
           "5.0 MQTT-4.3.3-2"),
    proves(test_dup_with_qos_0_closes, "3.1.1 MQTT-3.3.1-2",
           "5.0 MQTT-3.3.1-2"),
    proves(test_qos_3_is_not_sent, "3.1.1 MQTT-3.3.1-4", "5.0 MQTT-3.3.1-4"),
    proves(test_qos_3_closes, "3.1.1 MQTT-3.3.1-4", "5.0 MQTT-3.3.1-4"),
    proves(test_no_wildcard_is_published_to, "3.1.1 MQTT-3.3.2-2",
           "5.0 MQTT-3.3.2-2"),
    proves(test_a_wildcard_that_comes_closes, "3.1.1 MQTT-3.3.2-2",
           "5.0 MQTT-3.3.2-2"),
    proves(test_a_response_topic_that_is_sent_is_utf8, "5.0 MQTT-3.3.2-13"),
    proves(test_a_response_topic_that_comes_is_utf8, "5.0 MQTT-3.3.2-13"),
    proves(test_a_response_topic_has_no_wildcard, "5.0 MQTT-3.3.2-14"),
    proves(test_a_content_type_that_is_sent_is_utf8, "5.0 MQTT-3.3.2-19"),
    proves(test_a_content_type_that_comes_is_utf8, "5.0 MQTT-3.3.2-19"),
    proves(test_no_subscription_identifier_is_published, "5.0 MQTT-3.3.4-6"),
    proves(test_what_matches_no_subscription_is_given, "3.1.1 MQTT-3.3.2-3"),
    proves(test_what_nobody_looks_at_is_answered, "3.1.1 MQTT-4.5.0-2",
           "5.0 MQTT-4.5.0-2"),
    proves(test_each_qos_is_answered_as_it_demands, "3.1.1 MQTT-3.3.4-1",
           "5.0 MQTT-3.3.4-1", "5.0 MQTT-4.3.2-4", "5.0 MQTT-4.3.3-8"),
    proves(test_an_answer_3_1_1_byte_for_byte, "3.1.1 MQTT-3.3.4-1",
           "3.1.1 MQTT-2.3.1-6"),
    proves(test_after_puback_an_identifier_is_new, "3.1.1 MQTT-4.3.2-2",
           "5.0 MQTT-4.3.2-5"),
    proves(test_qos_2_is_given_once_until_pubrel, "3.1.1 MQTT-4.3.3-2",
           "5.0 MQTT-4.3.3-10"),
    proves(test_each_pubrel_is_answered_by_pubcomp, "3.1.1 MQTT-4.3.3-2",
           "5.0 MQTT-4.3.3-11"),
    proves(test_after_pubcomp_an_identifier_is_new, "3.1.1 MQTT-4.3.3-2",
           "5.0 MQTT-4.3.3-12"),
    proves(test_qos_1_waits_for_puback, "3.1.1 MQTT-4.3.2-1",
           "5.0 MQTT-4.3.2-3"),
    proves(test_only_its_own_acknowledgement_ends_a_message,
           "3.1.1 MQTT-4.3.2-1", "3.1.1 MQTT-4.3.3-1", "3.1.1 MQTT-4.8.0-1",
           "5.0 MQTT-4.3.2-3", "5.0 MQTT-4.3.3-3"),
    proves(test_pubrel_follows_pubrec, "3.1.1 MQTT-4.3.3-1",
           "5.0 MQTT-4.3.3-4"),
    proves(test_qos_2_is_unacknowledged_until_pubrec, "3.1.1 MQTT-4.3.3-1",
           "5.0 MQTT-4.3.3-3"),
    proves(test_pubrel_is_unacknowledged_until_pubcomp, "3.1.1 MQTT-4.3.3-1",
           "5.0 MQTT-4.3.3-5"),
    proves(test_after_pubrec_publish_is_not_sent_again, "3.1.1 MQTT-4.3.3-1",
           "5.0 MQTT-4.3.3-6"),
    proves_once(test_qos_2_gets_an_identifier_that_is_free,
                "3.1.1 MQTT-4.3.3-1", "5.0 MQTT-4.3.3-1"),
    proves(test_qos_2_does_not_expire_once_it_was_sent, "5.0 MQTT-4.3.3-7"),
    proves(test_an_expired_message_is_acknowledged_to_its_end,
           "5.0 MQTT-4.3.3-13"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "publish", tests);
}
