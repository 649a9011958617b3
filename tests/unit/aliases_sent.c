/*
 * aliases_sent.c - outgoing topic aliases, seen from the wire: which PUBLISH
 * has one, what it costs, and what a cut makes of what was on its way.
 */
#include "script.h"

#define ALIAS MQTT_PROPERTY_TOPIC_ALIAS
#define ALIASES(n) 0x22, 0x00, (uint8_t)(n)
#define NOT_GIVEN (-1)

/* A client of 5.0 with memory for `count` topic names. */
static struct script *with_aliases(void **state, size_t count)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.alias_topic_count = count;
    return s;
}

/* The next PUBLISH has this alias, and this topic name or none. */
static void expect_alias(struct script *s, int64_t alias, const char *topic)
{
    const struct packet *packet = next_packet(s);

    assert_non_null(packet);
    assert_int_equal(packet->first_byte >> 4, 0x3);
    assert_int_equal(number_of(packet->properties, ALIAS), alias);
    assert_true(span_is(packet->topic, topic));
}

/* The same of one that is published now. */
static void sends(struct script *s, const char *topic, int64_t alias,
                  bool known)
{
    publish(s, topic, "x", MQTT_QOS_0);
    expect_alias(s, alias, known ? "" : topic);
    assert_true(span_is(s->packet.payload, "x"));
}

static void test_the_bytes_of_both_forms(void **state)
{
    struct script *s = with_aliases(state, 4);

    connected_with(s, ALIASES(4));
    publish(s, "a/b", "hey", MQTT_QOS_1);
    expect_bytes(s, 0x32,          /* PUBLISH, QoS 1 */
                 0x0E,             /* remaining length */
                 0x00, 0x03,       /* topic name length */
                 'a', '/', 'b',    /* topic name */
                 0x00, 0x01,       /* packet identifier */
                 0x03,             /* property length */
                 0x23, 0x00, 0x01, /* Topic Alias 1 */
                 'h', 'e', 'y');   /* payload */
    publish_with(s, "a/b", "hey", MQTT_QOS_0, 0x01, 0x01);
    expect_bytes(s, 0x30,          /* PUBLISH, QoS 0 */
                 0x0B,             /* remaining length */
                 0x00, 0x00,       /* topic name length */
                 0x05,             /* property length */
                 0x23, 0x00, 0x01, /* Topic Alias 1 */
                 0x01, 0x01,       /* Payload Format Indicator */
                 'h', 'e', 'y');   /* payload */
}

static void test_the_least_recently_used_is_given_anew(void **state)
{
    struct script *s = with_aliases(state, 3);

    connected_with(s, ALIASES(10));
    sends(s, "a", 1, false);
    sends(s, "b", 2, false);
    sends(s, "c", 3, false);
    sends(s, "a", 1, true);
    sends(s, "d", 2, false); /* b is the oldest */
    sends(s, "c", 3, true);
    sends(s, "b", 1, false);
    sends(s, "d", 2, true);
    sends(s, "b", 1, true);
}

static void test_no_more_than_the_server_allows(void **state)
{
    struct script *s = with_aliases(state, 8);

    connected_with(s, ALIASES(2));
    sends(s, "a", 1, false);
    sends(s, "b", 2, false);
    sends(s, "c", 1, false);
    sends(s, "b", 2, true);
    cut(s);
    reconnected_with(s, true, ALIASES(1));
    sends(s, "b", 1, false);
    sends(s, "c", 1, false);
    cut(s);
    reconnected(s, true);
    sends(s, "c", NOT_GIVEN, false);
    sends(s, "c", NOT_GIVEN, false);
}

static void test_no_topic_aliases_turns_them_off(void **state)
{
    struct script *s = with_aliases(state, 8);

    s->config.no_topic_aliases = true;
    connected_with(s, ALIASES(8));
    sends(s, "a", NOT_GIVEN, false);
    sends(s, "a", NOT_GIVEN, false);
}

static void test_a_topic_of_123_bytes_has_no_alias(void **state)
{
    struct script *s = with_aliases(state, 8);
    char topic[124];

    s->memory.control_size = 256;
    memset(topic, 'a', sizeof(topic));
    topic[123] = '\0';
    connected_with(s, ALIASES(8));
    sends(s, topic, NOT_GIVEN, false);
    sends(s, topic, NOT_GIVEN, false);
    topic[122] = '\0';
    sends(s, topic, 1, false);
    sends(s, topic, 1, true);
}

/* Its head would not fit there. */
static void test_a_topic_too_long_for_control_has_no_alias(void **state)
{
    struct script *s = with_aliases(state, 8);
    char topic[44];

    s->memory.control_size = 64;
    memset(topic, 'a', sizeof(topic));
    topic[41] = '\0';
    connected_with(s, ALIASES(8));
    sends(s, topic, NOT_GIVEN, false);
    sends(s, topic, NOT_GIVEN, false);
    topic[40] = '\0';
    sends(s, topic, 1, false);
    sends(s, topic, 1, true);
}

/* Whatever the limit: what is accepted is sent, whole, and not larger. */
static void test_an_alias_makes_no_packet_too_large(void **state)
{
    struct script *s = with_aliases(state, 8);
    static const char payload[] = "0123456789012345678901234567890123456789";

    connected_with(s, ALIASES(8), 0x27, 0x00, 0x00, 0x00, 30);
    for (size_t size = 0; size <= 24; size++)
        for (int i = 0; i < 2; i++) {
            publish(s, "a", payload + 40 - size, MQTT_QOS_0);
            assert_non_null(next_packet(s));
            assert_true(s->packet.size <= 30);
            assert_true(span_is(s->packet.payload, payload + 40 - size));
            if (size < 16)
                assert_int_equal(number_of(s->packet.properties, ALIAS), 1);
        }
    assert_int_equal(try_publish(s, "a", payload + 40 - 25, MQTT_QOS_0),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
}

/* ---- over connections ---------------------------------------------------- */

/* What is sent again is made anew: the server of now knows no alias of then. */
static void test_resends_have_the_aliases_of_their_connection(void **state)
{
    struct script *s = with_aliases(state, 8);

    connected_with(s, ALIASES(8));
    sends(s, "z", 1, false);
    publish(s, "a", "1", MQTT_QOS_1);
    expect_alias(s, 2, "a");
    publish(s, "a", "2", MQTT_QOS_1);
    expect_alias(s, 2, "");
    cut(s);
    reconnected_with(s, true, ALIASES(8));
    expect_alias(s, 1, "a");
    assert_int_equal(s->packet.first_byte, 0x3A);
    assert_true(span_is(s->packet.payload, "1"));
    expect_alias(s, 1, "");
    assert_int_equal(s->packet.first_byte, 0x3A);
    assert_true(span_is(s->packet.payload, "2"));
    cut(s);
    reconnected(s, true);         /* this server takes none */
    expect_bytes(s, 0x3A,         /* PUBLISH, QoS 1, DUP */
                 0x07,            /* remaining length */
                 0x00, 0x01, 'a', /* topic name */
                 0x00, 0x01,      /* packet identifier */
                 0x00,            /* property length */
                 '1',             /* payload */
                 0x3A,            /* PUBLISH, QoS 1, DUP */
                 0x07,            /* remaining length */
                 0x00, 0x01, 'a', /* topic name */
                 0x00, 0x02,      /* packet identifier */
                 0x00,            /* property length */
                 '2');            /* payload */
}

static void test_a_connection_without_connack_gives_no_alias(void **state)
{
    struct script *s = with_aliases(state, 8);

    connected_with(s, ALIASES(8));
    sends(s, "a", 1, false);
    cut(s);
    reopened(s);
    cut(s);
    reconnected_with(s, true, ALIASES(8));
    sends(s, "a", 1, false);
}

/* ---- more than control memory holds -------------------------------------- */

/* A payload that tells its bytes apart. */
static const char *payload_of(size_t size, char first)
{
    static char bytes[2][600];
    static unsigned turn;
    char *payload = bytes[turn++ & 1];

    for (size_t i = 0; i < size; i++)
        payload[i] = (char)('!' + (i * 7 + (unsigned char)first) % 90);
    payload[size] = '\0';
    return payload;
}

/* Every size from what fits easily to much more than control memory. */
static void test_a_packet_larger_than_control_is_sent_whole(void **state)
{
    struct script *s = with_aliases(state, 4);

    s->memory.control_size = 40;
    connected_with(s, ALIASES(4));
    for (size_t size = 0; size < 200; size++) {
        const char *payload = payload_of(size, 'a');
        enum mqtt_qos qos = (enum mqtt_qos)(size % 2);

        uint16_t identifier = publish(s, "abc", payload, qos);

        expect_alias(s, 1, size ? "" : "abc");
        assert_int_equal(s->packet.identifier, identifier);
        assert_true(span_is(s->packet.payload, payload));
        if (!identifier)
            continue;
        server_answers(s, 0x40, identifier);
        expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
    }
}

/* The image lies across the end of the ring, cut there at every byte. */
static void test_a_packet_across_the_end_of_the_ring_is_sent_whole(void **state)
{
    struct script *s = with_aliases(state, 4);

    s->memory.control_size = 40;
    for (size_t before = 60; before < 128; before++) {
        const char *payload;

        s->memory.outbox_size = 128;
        connected_with(s, ALIASES(4));
        /* The image of QoS 1 takes 9 + payload; it stays until PUBACK, so that
         * the positions go on and do not begin anew. */
        publish(s, "a", payload_of(before - 9 - 20, 'x'), MQTT_QOS_1);
        expect_alias(s, 1, "a");
        publish(s, "a", payload_of(20 - 9, 'y'), MQTT_QOS_1);
        expect_alias(s, 1, "");
        server_answers(s, 0x40, 1);
        expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
        payload = payload_of(50, 'z');
        assert_int_equal(publish(s, "b", payload, MQTT_QOS_1), 3);
        expect_alias(s, 2, "b");
        assert_true(span_is(s->packet.payload, payload));
        cut(s);
        reconnected_with(s, true, ALIASES(4));
        expect_alias(s, 1, "a");
        expect_alias(s, 2, "b");
        assert_int_equal(s->packet.first_byte, 0x3A);
        assert_true(span_is(s->packet.payload, payload));
        script_restart(s);
    }
}

/* Nothing comes between a head in control memory and the rest in the ring. */
static void test_nothing_comes_into_a_packet_of_two_parts(void **state)
{
    struct script *s = with_aliases(state, 4);

    s->memory.control_size = 40;
    for (size_t taken = 1; taken < 110; taken++) {
        const char *payload = payload_of(100, 'a');
        unsigned publishes = 0, acknowledgements = 0, pings = 0;

        connected_with(s, ALIASES(4));
        s->blocked = true;
        publish(s, "abc", payload, MQTT_QOS_1);
        network_takes(s, taken);
        server_publishes(s, 0x32, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        mqtt_client_next(&s->client, &s->event);
        elapse(s, 60000);
        s->blocked = false;
        expect_no_event(s);
        while (next_packet(s)) {
            if (s->packet.first_byte == 0x32) {
                publishes++;
                assert_true(span_is(s->packet.payload, payload));
            }
            acknowledgements += s->packet.first_byte == 0x40;
            pings += s->packet.first_byte == 0xC0;
        }
        assert_int_equal(publishes, 1);
        assert_int_equal(acknowledgements, 1);
        assert_int_equal(pings, 1);
        script_restart(s);
    }
}

/* ---- a batch that is cut ------------------------------------------------- */

#define BATCH 6

/* Of each kind; the sizes are different. */
static void publish_batch(struct script *s)
{
    static const char *const topics[] = {"a", "bb", "a", "ccc", "bb", "a"};

    for (unsigned i = 0; i < BATCH; i++)
        publish(s, topics[i], payload_of(i * 3, (char)('a' + i)),
                (enum mqtt_qos)(i % 3));
}

struct sent {
    size_t begin, end; /* in the bytes of the connection */
    uint8_t first_byte;
    uint16_t identifier;
};

/* Where each PUBLISH of the batch begins and ends, when nothing is cut. */
static void look_at_batch(struct script *s, struct sent sent[BATCH])
{
    size_t at = 0;

    for (unsigned i = 0; i < BATCH; i++) {
        const struct packet *packet = next_packet(s);

        assert_non_null(packet);
        sent[i].begin = at;
        at += packet->size;
        sent[i].end = at;
        sent[i].first_byte = packet->first_byte;
        sent[i].identifier = packet->identifier;
    }
    assert_null(next_packet(s));
}

/* After `taken` bytes: what had begun comes again with DUP, what had not
 * without; QoS 0 only if nothing of it had left, and if it is kept. */
static void batch_cut_after(struct script *s, const struct sent sent[BATCH],
                            size_t taken, bool keep_qos0)
{
    struct mqtt_statistics statistics = {0};
    unsigned dropped = 0;

    s->config.keep_qos0 = keep_qos0;
    s->config.statistics = &statistics;
    connected_with(s, ALIASES(4));
    s->blocked = true;
    publish_batch(s);
    network_takes(s, taken);
    cut(s);
    s->blocked = false;
    reconnected_with(s, true, ALIASES(4));
    for (unsigned i = 0; i < BATCH; i++) {
        bool begun = sent[i].begin < taken, all = sent[i].end <= taken;

        if (!(sent[i].first_byte & 0x06)) {
            dropped += !all && (begun || !keep_qos0);
            if (begun || !keep_qos0)
                continue;
        }
        expect_packet(
            s, sent[i].first_byte | (sent[i].identifier && begun ? 0x08 : 0x00),
            sent[i].identifier);
        assert_true(
            span_is(s->packet.payload, payload_of(i * 3, (char)('a' + i))));
    }
    expect_nothing_sent(s);
    assert_int_equal(statistics.qos0_dropped, dropped);
    s->config.statistics = NULL;
}

static void test_a_batch_cut_at_any_byte_counts_what_has_left(void **state)
{
    struct script *s = with_aliases(state, 4);
    struct sent sent[BATCH];

    for (unsigned control = 40; control <= 128; control += 88)
        for (int keep = 0; keep < 2; keep++) {
            s->memory.control_size = control;
            connected_with(s, ALIASES(4));
            s->blocked = true;
            publish_batch(s);
            s->blocked = false;
            look_at_batch(s, sent);
            script_restart(s);
            for (size_t taken = 0; taken <= sent[BATCH - 1].end; taken++) {
                batch_cut_after(s, sent, taken, keep);
                script_restart(s);
            }
        }
}

/* What was offered and not taken has not been sent, however often. */
static void test_what_was_offered_and_not_taken_is_not_sent(void **state)
{
    struct script *s = with_aliases(state, 4);
    size_t size;

    connected_with(s, ALIASES(4));
    s->blocked = true;
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_1);
    for (int i = 0; i < 3; i++) {
        assert_non_null(mqtt_client_output_buf(&s->client, &size));
        mqtt_client_output_done(&s->client, 0);
    }
    cut(s);
    s->blocked = false;
    reconnected_with(s, true, ALIASES(4));
    expect_packet(s, 0x32, 1);
    expect_packet(s, 0x32, 2);
}

/* The same, when the session is lost: no outcome for what never left. */
static void test_a_batch_cut_and_lost_ends_what_has_left(void **state)
{
    struct script *s = with_aliases(state, 4);

    for (size_t taken = 0; taken < 13; taken++) {
        connected_with(s, ALIASES(4));
        s->blocked = true;
        publish(s, "a", "1", MQTT_QOS_1);
        publish(s, "a", "2", MQTT_QOS_1);
        network_takes(s, taken); /* of 12 and 11 bytes */
        cut(s);
        s->blocked = false;
        reconnected_with(s, false, ALIASES(4));
        if (taken)
            expect_published(s, 1, MQTT_OUTCOME_LOST);
        else
            expect_packet(s, 0x32, 1);
        expect_no_event(s);
        expect_packet(s, 0x32, 2);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* The server acknowledges what it cannot have: then it has ended, and it is
 * not sent on the next connection, nor does it take quota there. */
static void test_what_ended_before_it_left_is_not_sent_anew(void **state)
{
    struct script *s = with_aliases(state, 4);
    size_t offered;

    s->config.keep_qos0 = true;
    connected_with(s, ALIASES(4));
    s->blocked = true;
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    publish(s, "a", "3", MQTT_QOS_1);
    mqtt_client_output_buf(&s->client, &offered); /* all of them */
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    cut(s);
    s->blocked = false;
    reconnected_with(s, true, ALIASES(4), 0x21, 0x00, 0x02);
    expect_packet(s, 0x62, 2);
    expect_packet(s, 0x32, 3);
    expect_nothing_sent(s);
    publish(s, "a", "4", MQTT_QOS_1);
    expect_nothing_sent(s); /* two are open */
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_packet(s, 0x32, 4);
}

static const struct CMUnitTest tests[] = {
    script_test(test_the_bytes_of_both_forms),
    script_test(test_the_least_recently_used_is_given_anew),
    script_test(test_no_more_than_the_server_allows),
    script_test(test_no_topic_aliases_turns_them_off),
    script_test(test_a_topic_of_123_bytes_has_no_alias),
    script_test(test_a_topic_too_long_for_control_has_no_alias),
    script_test(test_an_alias_makes_no_packet_too_large),
    script_test(test_resends_have_the_aliases_of_their_connection),
    script_test(test_a_connection_without_connack_gives_no_alias),
    script_test(test_a_packet_larger_than_control_is_sent_whole),
    script_test(test_a_packet_across_the_end_of_the_ring_is_sent_whole),
    script_test(test_nothing_comes_into_a_packet_of_two_parts),
    script_test(test_a_batch_cut_at_any_byte_counts_what_has_left),
    script_test(test_what_was_offered_and_not_taken_is_not_sent),
    script_test(test_a_batch_cut_and_lost_ends_what_has_left),
    script_test(test_what_ended_before_it_left_is_not_sent_anew),
};

int main(void)
{
    return script_run("aliases_sent", tests);
}
