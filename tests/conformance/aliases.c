/*
 * aliases.c - topic aliases, both ways [5.0, sections 3.1.2.11.5, 3.2.2.3.8 and
 * 3.3.2.3.4].
 */
#include "conformance.h"

#define ALIAS MQTT_PROPERTY_TOPIC_ALIAS

static const char *const topics[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

/* The alias in the PUBLISH that was sent now; -1: none. */
static int64_t alias_sent(struct script *s, const char *topic)
{
    publish(s, topic, "x", MQTT_QOS_0);
    expect_packet(s, 0x30, 0);
    return number_of(s->packet.properties, ALIAS);
}

/* ---- outgoing ------------------------------------------------------------ */

/* With more memory than the server allows, and with less. */
static void test_aliases_sent_are_1_to_the_servers_maximum(void **state)
{
    struct script *s = *state;

    s->memory.alias_topic_count = 4;
    for (uint8_t maximum = 1; maximum < 7; maximum++) {
        int64_t highest = 0;

        connected_with(s, 0x22, 0x00, maximum); /* Topic Alias Maximum */
        for (size_t i = 0; i < 4 * TOPICS; i++) {
            int64_t alias = alias_sent(s, topics[5 * i % TOPICS]);

            assert_true(alias >= 1 && alias <= maximum);
            if (alias > highest)
                highest = alias;
        }
        assert_int_equal(highest, maximum < 4 ? maximum : 4);
        script_restart(s);
    }
}

static void no_alias_is_sent(struct script *s)
{
    for (size_t i = 0; i < 3 * TOPICS; i++) {
        assert_int_equal(alias_sent(s, topics[i % TOPICS]), -1);
        assert_true(span_is(s->packet.topic, topics[i % TOPICS]));
    }
}

static void test_no_alias_is_sent_unless_the_server_takes_some(void **state)
{
    struct script *s = *state;

    s->memory.alias_topic_count = 4;
    connected(s); /* it says nothing of aliases */
    no_alias_is_sent(s);
    cut(s);
    reconnected_with(s, true, 0x22, 0x00, 0x04);
    assert_int_equal(alias_sent(s, "a"), 1);
    cut(s);
    reconnected_with(s, true, 0x22, 0x00, 0x00); /* Topic Alias Maximum 0 */
    no_alias_is_sent(s);
}

static void test_aliases_sent_end_with_the_connection(void **state)
{
    struct script *s = *state;

    s->memory.alias_topic_count = 4;
    connected_with(s, 0x22, 0x00, 0x04);
    publish(s, "a", "1", MQTT_QOS_1);
    expect_packet(s, 0x32, 1);
    publish(s, "a", "2", MQTT_QOS_1);
    expect_packet(s, 0x32, 2);
    assert_int_equal(s->packet.topic.size, 0);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected_with(s, true, 0x22, 0x00, 0x04);
        expect_packet(s, 0x3A, 1); /* the second is sent again, too */
        assert_true(span_is(s->packet.topic, "a"));
        expect_packet(s, 0x3A, 2);
        assert_int_equal(alias_sent(s, "b"), 2);
        assert_true(span_is(s->packet.topic, "b"));
        assert_int_equal(alias_sent(s, "b"), 2);
        assert_int_equal(s->packet.topic.size, 0);
    }
}

static void test_an_alias_is_not_the_applications(void **state)
{
    static const uint8_t alias_0[] = {0x23, 0x00, 0x00};
    static const uint8_t alias_1[] = {0x23, 0x00, 0x01};
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x")};

    connected_with(s, 0x22, 0x00, 0x04);
    message.properties = (struct mqtt_span){alias_0, sizeof(alias_0)};
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PROPERTY);
    message.properties = (struct mqtt_span){alias_1, sizeof(alias_1)};
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PROPERTY);
    expect_nothing_sent(s);
}

/* ---- incoming ------------------------------------------------------------ */

/* A client that remembers so many topic names. */
static void remembers(struct script *s, size_t count)
{
    s->memory.alias_name_count = count;
    s->memory.alias_names_size = count * 8;
}

static void server_uses_alias(struct script *s, const char *topic,
                              uint16_t alias)
{
    server_publishes_with(s, 0x30, topic, 0, "x", 0x23, (uint8_t)(alias >> 8),
                          (uint8_t)alias);
}

static void expect_alias_violation(struct script *s)
{
    expect_violation(s, MQTT_ERR_TOPIC_ALIAS);
    assert_int_equal(s->disconnect_code, 0x94); /* Topic Alias invalid */
}

/* All are given, used, given anew in another order, and used again. */
static void all_aliases_are_good(struct script *s, uint16_t maximum)
{
    char topic[4] = "a";

    for (unsigned round = 0; round < 3; round++) {
        topic[0] = (char)('a' + round);
        for (unsigned i = 1; i <= maximum; i++) {
            uint16_t alias = (uint16_t)(round & 1 ? maximum + 1u - i : i);

            topic[1] = (char)('a' + alias / 26 % 26);
            topic[2] = (char)('a' + alias % 26);
            server_uses_alias(s, topic, alias);
            expect_message(s, topic, "x");
        }
        for (unsigned i = 1; i <= maximum; i++) {
            topic[1] = (char)('a' + i / 26 % 26);
            topic[2] = (char)('a' + i % 26);
            server_uses_alias(s, "", (uint16_t)i);
            expect_message(s, topic, "x");
        }
    }
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_every_alias_up_to_our_maximum_is_taken(void **state)
{
    static const uint16_t maxima[] = {1, 2, 3, 255, 300};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
        struct sent_connect connect;

        remembers(s, maxima[i]);
        start(s);
        connects(s);
        connect = take_connect(s);
        assert_int_equal(
            number_of(connect.properties, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM),
            maxima[i]);
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        all_aliases_are_good(s, maxima[i]);
        script_restart(s);
    }
}

static void test_alias_65535_is_taken_where_it_was_announced(void **state)
{
    struct script *s = *state;

    s->memory.alias_name_count = 65535;
    s->memory.alias_names_size = 64;
    connected(s);
    server_uses_alias(s, "a", 65535);
    expect_message(s, "a", "x");
    server_uses_alias(s, "", 65535);
    expect_message(s, "a", "x");
}

static void test_an_alias_above_our_maximum_closes(void **state)
{
    static const uint16_t aliases[] = {4, 5, 0x0100, 0x0103, 0xFFFF};
    struct script *s = *state;

    remembers(s, 3);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        connected(s);
        server_uses_alias(s, "a", 3);
        expect_message(s, "a", "x");
        server_uses_alias(s, "a", aliases[i]);
        expect_alias_violation(s);
        script_restart(s);
    }
}

static void test_any_alias_closes_where_none_was_announced(void **state)
{
    static const uint16_t aliases[] = {1, 2, 0x0100, 0xFFFF};
    struct script *s = *state;

    for (size_t i = 0; i < 2 * sizeof(aliases) / sizeof(aliases[0]); i++) {
        s->config.no_topic_aliases = i & 1; /* or without the memory */
        remembers(s, i & 1 ? 3 : 0);
        start(s);
        connects(s);
        assert_int_equal(number_of(take_connect(s).properties,
                                   MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM),
                         -1);
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        server_uses_alias(s, "a", aliases[i / 2]);
        expect_alias_violation(s);
        script_restart(s);
    }
}

static void test_alias_0_closes(void **state)
{
    struct script *s = *state;

    for (int named = 0; named < 2; named++) {
        remembers(s, 3);
        connected(s);
        server_uses_alias(s, named ? "a" : "", 0);
        expect_alias_violation(s);
        script_restart(s);
    }
}

static void test_aliases_received_end_with_the_connection(void **state)
{
    struct script *s = *state;

    remembers(s, 3);
    connected(s);
    server_uses_alias(s, "a", 2);
    expect_message(s, "a", "x");
    server_uses_alias(s, "", 2);
    expect_message(s, "a", "x");
    cut(s);
    reconnected(s, true);
    server_uses_alias(s, "", 2);
    expect_violation(s, MQTT_ERR_PROPERTY_VALUE);
    assert_int_equal(s->disconnect_code, 0x82); /* [5.0, section 3.3.4] */
}

static const struct conformance_test tests[] = {
    proves(test_aliases_sent_are_1_to_the_servers_maximum, "5.0 MQTT-3.2.2-17",
           "5.0 MQTT-3.3.2-8", "5.0 MQTT-3.3.2-9"),
    proves(test_no_alias_is_sent_unless_the_server_takes_some,
           "5.0 MQTT-3.2.2-18"),
    proves(test_aliases_sent_end_with_the_connection, "5.0 MQTT-3.3.2-7"),
    proves(test_an_alias_is_not_the_applications, "5.0 MQTT-3.3.2-8"),
    proves(test_every_alias_up_to_our_maximum_is_taken, "5.0 MQTT-3.3.2-10"),
    proves(test_alias_65535_is_taken_where_it_was_announced,
           "5.0 MQTT-3.3.2-10"),
    proves(test_an_alias_above_our_maximum_closes, "5.0 MQTT-3.1.2-26",
           "5.0 MQTT-3.3.2-11"),
    proves(test_any_alias_closes_where_none_was_announced, "5.0 MQTT-3.1.2-27"),
    proves(test_alias_0_closes, "5.0 MQTT-3.3.2-8"),
    proves(test_aliases_received_end_with_the_connection, "5.0 MQTT-3.3.2-7"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "aliases", tests);
}
