/*
 * stream.c - payloads that stay with the application, read when they are sent;
 * and 64 MiB through 1 KiB of memory, both ways.
 */
#include "script.h"

#include <mqttloop/stream.h>

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

static void with_5_0(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
}

/* ---- a source ------------------------------------------------------------ */

enum answer { READS, SAYS_NULL, SAYS_NOTHING, SAYS_TOO_MUCH };

struct tape {
    struct mqtt_source source;
    uint32_t size;
    size_t at_a_time; /* 0: all that is asked for */
    enum answer answer;
    uint32_t bad_from; /* from here on: that answer */
    unsigned reads, beginnings;

    bool forbidden;
    uint8_t *lent; /* what was returned last */
};

static uint8_t byte_at(uint32_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251);
}

/* Just what is returned lives, and no longer than it must. */
static const void *read_tape(struct mqtt_source *source, uint32_t offset,
                             size_t *size)
{
    struct tape *t = source->context;
    size_t n = *size;

    assert_ptr_equal(&t->source, source);
    assert_false(t->forbidden);
    assert_true(offset < t->size);
    assert_true(n > 0 && n <= t->size - offset);
    free(t->lent);
    t->lent = NULL;
    t->reads++;
    t->beginnings += !offset;
    if (t->answer && offset >= t->bad_from) {
        *size = t->answer == SAYS_TOO_MUCH  ? t->size - offset + 1
                : t->answer == SAYS_NOTHING ? 0
                                            : n;
        return t->answer == SAYS_NULL ? NULL : source;
    }
    if (t->answer && n > t->bad_from - offset)
        n = t->bad_from - offset;
    if (t->at_a_time && n > t->at_a_time)
        n = t->at_a_time;
    t->lent = malloc(n);
    assert_non_null(t->lent);
    for (size_t i = 0; i < n; i++)
        t->lent[i] = byte_at(offset + (uint32_t)i);
    *size = n;
    return t->lent;
}

static struct tape tape_of(uint32_t size, size_t at_a_time)
{
    return (struct tape){
        .source = {.read = read_tape}, .size = size, .at_a_time = at_a_time};
}

static void end_tape(struct tape *t)
{
    free(t->lent);
    t->lent = NULL;
    t->forbidden = true;
}

static struct mqtt_message message_of(const struct tape *t, const char *topic,
                                      enum mqtt_qos qos)
{
    return (struct mqtt_message){
        .topic_name = mqtt_text(topic), .payload = {NULL, t->size}, .qos = qos};
}

static uint16_t stream_message(struct script *s, struct tape *t,
                               const struct mqtt_message *message)
{
    uint16_t identifier = 0;

    t->source.context = t;
    assert_int_equal(
        mqtt_publish_stream(&s->client, message, &t->source, &identifier),
        MQTT_OK);
    assert_int_not_equal(identifier, 0);
    return identifier;
}

static uint16_t stream(struct script *s, struct tape *t, const char *topic,
                       enum mqtt_qos qos)
{
    struct mqtt_message message = message_of(t, topic, qos);

    return stream_message(s, t, &message);
}

/* The next packet is this PUBLISH with all that is on the tape. */
static void expect_tape(struct script *s, uint8_t first_byte,
                        uint16_t identifier, const char *topic,
                        const struct tape *t)
{
    const uint8_t *payload;

    expect_packet(s, first_byte, identifier);
    assert_true(span_is(s->packet.topic, topic));
    assert_int_equal(s->packet.payload.size, t->size);
    payload = s->packet.payload.data;
    for (uint32_t i = 0; i < t->size; i++)
        if (payload[i] != byte_at(i))
            fail_msg("byte %u is %02x", i, payload[i]);
}

static void acknowledged(struct script *s, uint16_t identifier)
{
    server_answers(s, 0x40, identifier);
    expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* ---- the bytes ----------------------------------------------------------- */

static void test_a_stream_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;

    connected(s);
    for (size_t at_a_time = 0; at_a_time < 4; at_a_time++) {
        struct tape t = tape_of(3, at_a_time);

        assert_int_equal(stream(s, &t, "a/b", MQTT_QOS_1), at_a_time + 1);
        expect_bytes(s, 0x32,                        /* PUBLISH, QoS 1 */
                     0x0A,                           /* remaining length */
                     0x00, 0x03, 'a', '/', 'b',      /* topic name */
                     0x00, (uint8_t)(at_a_time + 1), /* identifier */
                     0x00, 0x07, 0x0E);              /* payload */
        end_tape(&t);
        acknowledged(s, (uint16_t)(at_a_time + 1));
    }
}

static void test_a_stream_5_0_byte_for_byte(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};
    struct script *s = *state;
    struct tape t = tape_of(3, 0);
    struct mqtt_message message = message_of(&t, "a/b", MQTT_QOS_2);

    with_5_0(s);
    connected(s);
    stream(s, &t, "a", MQTT_QOS_1);
    expect_bytes(s, 0x32,           /* PUBLISH, QoS 1 */
                 0x09,              /* remaining length */
                 0x00, 0x01, 'a',   /* topic name */
                 0x00, 0x01,        /* packet identifier */
                 0x00,              /* property length */
                 0x00, 0x07, 0x0E); /* payload */
    message.retain = true;
    message.properties = (struct mqtt_span){user, sizeof(user)};
    stream_message(s, &t, &message);
    expect_bytes(s, 0x35,                   /* PUBLISH, QoS 2, RETAIN */
                 0x12,                      /* remaining length */
                 0x00, 0x03, 'a', '/', 'b', /* topic name */
                 0x00, 0x02,                /* packet identifier */
                 0x07,                      /* property length */
                 0x26,                      /* User Property */
                 0x00, 0x01, 'k',           /* its name */
                 0x00, 0x01, 'v',           /* its value */
                 0x00, 0x07, 0x0E);         /* payload */
    end_tape(&t);
}

static void leaves_whole(struct script *s, uint32_t size, size_t at_a_time)
{
    struct tape t = tape_of(size, at_a_time);
    uint16_t identifier = stream(s, &t, "abc", MQTT_QOS_1);

    expect_tape(s, 0x32, identifier, "abc", &t);
    expect_nothing_sent(s);
    assert_true(t.beginnings > 0);
    end_tape(&t);
    acknowledged(s, identifier);
}

static void each_size(struct script *s)
{
    static const uint32_t sizes[] = {1, 2, 119, 120, 121, 500};

    connected(s);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (size_t at_a_time = 0; at_a_time < 200; at_a_time += 33)
            leaves_whole(s, sizes[i], at_a_time);
    for (uint32_t size = 16374; size < 16380; size++)
        leaves_whole(s, size, 500);
}

static void test_each_size_leaves_whole_however_it_is_read(void **state)
{
    in_both(*state, each_size);
}

static void qos_2(struct script *s)
{
    struct tape t = tape_of(300, 50);
    uint16_t identifier;

    connected(s);
    identifier = stream(s, &t, "a", MQTT_QOS_2);
    expect_tape(s, 0x34, identifier, "a", &t);
    server_answers(s, 0x50, identifier);
    expect_no_event(s);
    expect_packet(s, 0x62, identifier);
    end_tape(&t); /* from here on the server has it */
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x62, identifier);
    expect_nothing_sent(s);
    server_answers(s, 0x70, identifier);
    expect_published(s, identifier, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_qos_2_reads_until_pubrec(void **state)
{
    in_both(*state, qos_2);
}

static void empty(struct script *s)
{
    struct tape t = tape_of(0, 0);

    connected(s);
    stream(s, &t, "a", MQTT_QOS_1);
    if (speaks_5_0(s))
        expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 0x00);
    else
        expect_bytes(s, 0x32, 0x05, 0x00, 0x01, 'a', 0x00, 0x01);
    cut(s);
    reconnected(s, true);
    if (speaks_5_0(s))
        expect_bytes(s, 0x3A, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 0x00);
    else
        expect_bytes(s, 0x3A, 0x05, 0x00, 0x01, 'a', 0x00, 0x01);
    acknowledged(s, 1);
    publish(s, "b", "x", MQTT_QOS_0);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s);
    assert_int_equal(t.reads, 0);
}

static void test_an_empty_payload_is_not_read(void **state)
{
    in_both(*state, empty);
}

static void test_an_empty_payload_has_its_properties(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};
    struct script *s = *state;
    struct tape t = tape_of(0, 0);
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    with_5_0(s);
    connected(s);
    message.properties = (struct mqtt_span){user, sizeof(user)};
    stream_message(s, &t, &message);
    publish(s, "b", "x", MQTT_QOS_0);
    expect_bytes(s, 0x32,         /* PUBLISH, QoS 1 */
                 0x0D,            /* remaining length */
                 0x00, 0x01, 'a', /* topic name */
                 0x00, 0x01,      /* packet identifier */
                 0x07,            /* property length */
                 0x26,            /* User Property */
                 0x00, 0x01, 'k', /* its name */
                 0x00, 0x01, 'v', /* its value */
                 0x30,            /* PUBLISH, QoS 0 */
                 0x05,            /* remaining length */
                 0x00, 0x01, 'b', /* topic name */
                 0x00,            /* property length */
                 'x');            /* payload */
}

/* ---- a source that fails ------------------------------------------------- */

/* The message has ended, the connection ends. */
static void expect_source_failed(struct script *s, uint16_t identifier)
{
    expect_published(s, identifier, MQTT_OUTCOME_SOURCE);
    assert_int_equal(s->event.error, MQTT_ERR_SOURCE);
    expect_fatal(s, MQTT_ERR_SOURCE);
    s->to_server.size = 0;
}

static void fails(struct script *s)
{
    static const enum answer answers[] = {SAYS_NULL, SAYS_NOTHING,
                                          SAYS_TOO_MUCH};
    static const uint32_t from[] = {0, 1, 299};

    for (size_t i = 0; i < 9; i++) {
        struct tape t = tape_of(300, 0);
        uint16_t identifier;

        t.answer = answers[i / 3];
        t.bad_from = from[i % 3];
        connected(s);
        identifier = stream(s, &t, "a", MQTT_QOS_1);
        assert_int_equal(publish(s, "b", "next", MQTT_QOS_1), 2);
        expect_source_failed(s, identifier);
        end_tape(&t);
        assert_false(s->seen_disconnect);
        reconnected(s, true);
        expect_packet(s, 0x32, 2); /* no byte of it had left */
        assert_true(span_is(s->packet.payload, "next"));
        expect_nothing_sent(s);
        acknowledged(s, 2);
        script_restart(s);
    }
}

static void test_a_source_that_fails_ends_message_and_connection(void **state)
{
    in_both(*state, fails);
}

/* It was sent once, whole; then it cannot be read any more. */
static void fails_later(struct script *s)
{
    struct tape t = tape_of(300, 0);
    uint16_t identifier;

    connected(s);
    identifier = stream(s, &t, "a", MQTT_QOS_2);
    expect_tape(s, 0x34, identifier, "a", &t);
    cut(s);
    t.answer = SAYS_NULL;
    t.bad_from = 100;
    reconnected(s, true);
    expect_fatal(s, MQTT_ERR_SOURCE);
    s->to_server.size = 0;
    end_tape(&t);
    reconnected(s, true);
    expect_packet(s, 0x62, identifier);
    server_answers(s, 0x70, identifier);
    expect_published(s, identifier, MQTT_OUTCOME_UNKNOWN);
    expect_nothing_sent(s);
}

static void test_a_source_may_fail_when_it_is_read_again(void **state)
{
    in_both(*state, fails_later);
}

/* ---- cuts ---------------------------------------------------------------- */

static void cut_everywhere(struct script *s)
{
    size_t size = speaks_5_0(s) ? 50 : 49;

    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    for (size_t sent = 0; sent <= size; sent++) {
        struct tape t = tape_of(41, 7);
        unsigned dup = sent ? 8 : 0;

        connected(s);
        s->blocked = true;
        assert_int_equal(stream(s, &t, "ab", MQTT_QOS_1), 1);
        assert_int_equal(publish(s, "b", "next", MQTT_QOS_1), 2);
        network_takes(s, sent);
        cut(s);
        t.beginnings = 0;
        s->blocked = false;
        reconnected(s, true);
        expect_tape(s, (uint8_t)(0x32 | dup), 1, "ab", &t);
        assert_true(t.beginnings > 0);
        expect_packet(s, 0x32, 2);
        expect_nothing_sent(s);
        end_tape(&t);
        acknowledged(s, 1);
        acknowledged(s, 2);
        script_restart(s);
    }
}

static void test_a_stream_cut_at_any_byte_is_sent_again(void **state)
{
    in_both(*state, cut_everywhere);
}

static void lost_session(struct script *s)
{
    struct tape t = tape_of(300, 0);
    uint16_t identifier;

    s->config.republish_lost = false;
    connected(s);
    identifier = stream(s, &t, "a", MQTT_QOS_1);
    expect_tape(s, 0x32, identifier, "a", &t);
    cut(s);
    end_tape(&t);
    reconnected(s, false);
    expect_published(s, identifier, MQTT_OUTCOME_LOST);
    expect_nothing_sent(s);
    script_restart(s);
    s->config.republish_lost = true;
    connected(s);
    t = tape_of(300, 0);
    identifier = stream(s, &t, "a", MQTT_QOS_1);
    expect_tape(s, 0x32, identifier, "a", &t);
    cut(s);
    reconnected(s, false);
    expect_tape(s, 0x32, identifier, "a", &t); /* as if never sent */
    end_tape(&t);
    acknowledged(s, identifier);
}

static void test_a_lost_session_loses_or_republishes_it(void **state)
{
    in_both(*state, lost_session);
}

/* ---- among others -------------------------------------------------------- */

/* At each byte of it: what comes up meanwhile leaves behind it. */
static void boundaries(struct script *s)
{
    size_t size = speaks_5_0(s) ? 108 : 107;

    for (size_t sent = 1; sent < size; sent++) {
        struct tape t = tape_of(100, 30);
        uint8_t next;

        connected(s);
        s->blocked = true;
        assert_int_equal(stream(s, &t, "a", MQTT_QOS_1), 1);
        network_takes(s, sent);
        assert_int_equal(publish(s, "b", "next", MQTT_QOS_1), 2);
        server_publishes(s, 0x32, "c", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        s->blocked = false;
        expect_tape(s, 0x32, 1, "a", &t);
        expect_no_event(s);
        assert_non_null(next_packet(s));
        next = s->packet.first_byte;
        assert_true(next == 0x40 || next == 0x32);
        expect_packet(s, next == 0x40 ? 0x32 : 0x40, next == 0x40 ? 2 : 7);
        expect_nothing_sent(s);
        end_tape(&t);
        acknowledged(s, 1);
        script_restart(s);
    }
}

static void test_everything_waits_for_the_end_of_the_packet(void **state)
{
    in_both(*state, boundaries);
}

static void pings(struct script *s)
{
    struct tape t = tape_of(1000, 30);

    connected(s);
    s->blocked = true;
    stream(s, &t, "a", MQTT_QOS_1);
    network_takes(s, 500);
    elapse(s, 60000);
    network_takes(s, 100);
    s->blocked = false;
    expect_tape(s, 0x32, 1, "a", &t);
    expect_packet(s, 0xC0, 0);
    expect_nothing_sent(s);
    server_sends(s, 0xD0, 0x00);
    expect_no_event(s);
    elapse(s, 10000); /* the PINGRESP has come in time */
    expect_wants(s, MQTT_WANT_NOTHING);
    end_tape(&t);
    acknowledged(s, 1);
}

static void test_pingreq_waits_for_the_end_of_the_packet(void **state)
{
    in_both(*state, pings);
}

static void disconnects(struct script *s)
{
    struct tape t = tape_of(1000, 30);

    connected(s);
    s->blocked = true;
    stream(s, &t, "a", MQTT_QOS_1);
    publish(s, "b", "next", MQTT_QOS_1);
    network_takes(s, 500);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    s->blocked = false;
    expect_tape(s, 0x32, 1, "a", &t);
    expect_packet(s, 0xE0, 0);
    expect_nothing_sent(s);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_tape(s, 0x3A, 1, "a", &t);
    expect_packet(s, 0x32, 2);
    end_tape(&t);
}

static void test_disconnect_waits_for_the_end_of_the_packet(void **state)
{
    in_both(*state, disconnects);
}

static void drains(struct script *s)
{
    struct tape t = tape_of(1000, 30);

    connected(s);
    s->blocked = true;
    stream(s, &t, "a", MQTT_QOS_1);
    assert_int_equal(mqtt_disconnect(&s->client, 5000), MQTT_OK);
    s->blocked = false;
    expect_tape(s, 0x32, 1, "a", &t);
    expect_nothing_sent(s);
    end_tape(&t);
    acknowledged(s, 1);
    expect_no_event(s);
    expect_packet(s, 0xE0, 0);
}

static void test_disconnect_with_time_waits_for_its_end(void **state)
{
    in_both(*state, drains);
}

/* PUBLISHED gives the source back: it must not be read after that. */
static void too_early(struct script *s)
{
    static const uint8_t answers[] = {0x40, 0x50};

    for (int i = 0; i < 2; i++)
        for (size_t sent = 1; sent < 200; sent += 5) {
            struct tape t = tape_of(200, 30);

            connected(s);
            s->blocked = true;
            stream(s, &t, "a", i ? MQTT_QOS_2 : MQTT_QOS_1);
            network_takes(s, sent);
            server_answers(s, answers[i], 1);
            expect_no_event(s); /* not yet */
            s->blocked = false;
            expect_tape(s, i ? 0x34 : 0x32, 1, "a", &t);
            end_tape(&t);
            if (i) {
                expect_no_event(s);
                expect_packet(s, 0x62, 1);
                server_answers(s, 0x70, 1);
            }
            expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
            expect_nothing_sent(s);
            script_restart(s);
        }
}

static void test_an_early_acknowledgement_waits_for_the_last_byte(void **state)
{
    in_both(*state, too_early);
}

static void in_order(struct script *s)
{
    struct tape t = tape_of(200, 30), u = tape_of(70, 0);
    struct mqtt_outstanding it = {0};

    start(s);
    assert_int_equal(publish(s, "0", "x", MQTT_QOS_1), 1);
    assert_int_equal(stream(s, &t, "1", MQTT_QOS_2), 2);
    assert_int_equal(publish(s, "2", "x", MQTT_QOS_2), 3);
    assert_int_equal(stream(s, &u, "3", MQTT_QOS_1), 4);
    assert_int_equal(publish(s, "4", "x", MQTT_QOS_1), 5);
    assert_int_equal(t.reads + u.reads, 0); /* not before they are sent */
    for (uint16_t i = 1; i <= 5; i++) {
        assert_true(mqtt_client_next_outstanding(&s->client, &it));
        assert_int_equal(it.packet_identifier, i);
    }
    connected(s);
    for (int round = 0; round < 2; round++) {
        unsigned dup = round ? 8 : 0;

        expect_packet(s, (uint8_t)(0x32 | dup), 1);
        expect_tape(s, (uint8_t)(0x34 | dup), 2, "1", &t);
        expect_packet(s, (uint8_t)(0x34 | dup), 3);
        expect_tape(s, (uint8_t)(0x32 | dup), 4, "3", &u);
        expect_packet(s, (uint8_t)(0x32 | dup), 5);
        expect_nothing_sent(s);
        cut(s);
        reconnected(s, true);
    }
    end_tape(&t);
    end_tape(&u);
}

static void test_streams_and_others_keep_their_order(void **state)
{
    in_both(*state, in_order);
}

static void waits_its_turn(struct script *s)
{
    struct tape t = tape_of(200, 0);

    s->config.send_maximum = 1;
    connected(s);
    publish_sent(s, "0", "x", MQTT_QOS_1);
    assert_int_equal(stream(s, &t, "1", MQTT_QOS_1), 2);
    assert_int_equal(publish(s, "2", "x", MQTT_QOS_1), 3);
    expect_nothing_sent(s);
    assert_int_equal(t.reads, 0);
    acknowledged(s, 1);
    expect_tape(s, 0x32, 2, "1", &t);
    expect_nothing_sent(s);
    end_tape(&t);
    acknowledged(s, 2);
    expect_packet(s, 0x32, 3);
}

static void test_a_stream_waits_for_its_turn_in_flight(void **state)
{
    in_both(*state, waits_its_turn);
}

/* ---- expiry and aliases -------------------------------------------------- */

static void
test_a_stream_has_an_alias_and_what_is_left_of_its_time(void **state)
{
    static const uint8_t minute[] = {0x26, 0x00, 0x01, 'k',  0x00, 0x01,
                                     'v',  0x02, 0x00, 0x00, 0x00, 0x3C};
    struct script *s = *state;
    struct tape t = tape_of(2, 1);
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    with_5_0(s);
    s->memory.alias_topic_count = 4;
    message.properties = (struct mqtt_span){minute, sizeof(minute)};
    start(s);
    stream_message(s, &t, &message);
    stream_message(s, &t, &message);
    elapse(s, 10000);
    connects(s);
    discard_sent(s);
    server_connack_with(s, 0, 0, 0x22, 0x00, 0x04); /* Topic Alias Maximum */
    pull(s, MQTT_EVENT_CONNECTED);
    expect_bytes(s, 0x32,                      /* PUBLISH, QoS 1 */
                 0x17,                         /* remaining length */
                 0x00, 0x01, 'a',              /* topic name */
                 0x00, 0x01,                   /* packet identifier */
                 0x0F,                         /* property length */
                 0x23, 0x00, 0x01,             /* Topic Alias */
                 0x02, 0x00, 0x00, 0x00, 0x32, /* Message Expiry Interval */
                 0x26,                         /* User Property */
                 0x00, 0x01, 'k',              /* its name */
                 0x00, 0x01, 'v',              /* its value */
                 0x00, 0x07,                   /* payload */
                 0x32,                         /* PUBLISH, QoS 1 */
                 0x16,                         /* remaining length */
                 0x00, 0x00,                   /* no topic name */
                 0x00, 0x02,                   /* packet identifier */
                 0x0F,                         /* property length */
                 0x23, 0x00, 0x01,             /* Topic Alias */
                 0x02, 0x00, 0x00, 0x00, 0x32, /* Message Expiry Interval */
                 0x26,                         /* User Property */
                 0x00, 0x01, 'k',              /* its name */
                 0x00, 0x01, 'v',              /* its value */
                 0x00, 0x07);                  /* payload */
    end_tape(&t);
}

static void test_a_stream_that_expires_is_not_read(void **state)
{
    static const uint8_t minute[] = {0x02, 0x00, 0x00, 0x00, 0x3C};
    struct script *s = *state;
    struct tape t = tape_of(2, 1);
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    with_5_0(s);
    message.properties = (struct mqtt_span){minute, sizeof(minute)};
    start(s);
    stream_message(s, &t, &message);
    elapse(s, 61000);
    end_tape(&t);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    connected(s);
    expect_nothing_sent(s);
}

static void test_a_stream_that_does_not_expire_wakes_nobody(void **state)
{
    struct script *s = *state;
    struct tape t = tape_of(100, 0);
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    with_5_0(s);
    start(s);
    stream_message(s, &t, &message);
    expect_no_deadline(s);
    end_tape(&t);
}

/* Once a byte has left it is too late to expire. */
static void test_a_stream_that_has_begun_does_not_expire(void **state)
{
    static const uint8_t minute[] = {0x02, 0x00, 0x00, 0x00, 0x3C};
    struct script *s = *state;

    with_5_0(s);
    s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
    for (size_t sent = 1; sent < 100; sent += 3) {
        struct tape t = tape_of(100, 9);
        struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

        message.properties = (struct mqtt_span){minute, sizeof(minute)};
        connected(s);
        s->blocked = true;
        stream_message(s, &t, &message);
        network_takes(s, sent);
        elapse(s, 100000);
        expect_no_event(s);
        s->blocked = false;
        expect_tape(s, 0x32, 1, "a", &t);
        cut(s);
        reconnected(s, true);
        expect_tape(s, 0x3A, 1, "a", &t);
        end_tape(&t);
        acknowledged(s, 1);
        script_restart(s);
    }
}

/* ---- limits -------------------------------------------------------------- */

static enum mqtt_error try_stream(struct script *s, struct tape *t,
                                  const struct mqtt_message *message)
{
    t->source.context = t;
    return mqtt_publish_stream(&s->client, message, &t->source, NULL);
}

static void bad_arguments(struct script *s)
{
    struct tape t = tape_of(10, 0);
    struct mqtt_source no_read = {.read = NULL};
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    connected(s);
    assert_int_equal(mqtt_publish_stream(NULL, &message, &t.source, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_publish_stream(&s->client, NULL, &t.source, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, NULL, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &no_read, NULL),
                     MQTT_ERR_ARGUMENT);
    message.qos = MQTT_QOS_0;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_QOS);
    message.qos = (enum mqtt_qos)3;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_QOS);
    message = message_of(&t, "a/#", MQTT_QOS_1);
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_TOPIC_NAME);
    message = message_of(&t, "a", MQTT_QOS_1);
    message.payload.size = 268435456;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_TOO_LARGE);
    message.payload.size = 268435455 - (speaks_5_0(s) ? 6 : 5) + 1;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_TOO_LARGE);
    expect_nothing_sent(s);
    message.payload.size = 10;
    message.properties = (struct mqtt_span)MQTT_TEXT("\x01\x00");
    if (!speaks_5_0(s))
        assert_int_equal(try_stream(s, &t, &message),
                         MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    message = message_of(&t, "a", MQTT_QOS_1);
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_STATE);
    assert_int_equal(t.reads, 0);
}

static void test_what_cannot_be_streamed_is_refused(void **state)
{
    in_both(*state, bad_arguments);
}

/* Control memory of 128 bytes: 104 of topic name. */
static void heads(struct script *s)
{
    char topic[128];

    for (size_t size = 90; size < 120; size++) {
        struct tape t = tape_of(16400, 500);
        struct mqtt_message message;

        memset(topic, 't', size);
        topic[size] = '\0';
        message = message_of(&t, topic, MQTT_QOS_1);
        connected(s);
        assert_int_equal(try_stream(s, &t, &message),
                         size <= 104 ? MQTT_OK : MQTT_ERR_TOO_LARGE);
        if (size <= 104)
            expect_tape(s, 0x32, 1, topic, &t);
        expect_nothing_sent(s);
        end_tape(&t);
        script_restart(s);
    }
}

static void test_a_head_has_to_fit_into_control_memory(void **state)
{
    in_both(*state, heads);
}

/* The longest head there is: topic name, alias, expiry, other properties. */
static void test_a_head_with_alias_and_properties_has_to_fit(void **state)
{
    struct script *s = *state;
    uint8_t properties[64] = {0x02, 0x00, 0x00, 0x00, 0x3C, 0x26,
                              0x00, 0x01, 'k',  0x00, 0x00};
    char topic[128];

    with_5_0(s);
    s->memory.alias_topic_count = 1;
    for (size_t value = 0; value < 50; value++)
        for (int beyond = 0; beyond < 2; beyond++) {
            struct tape t = tape_of(16400, 500);
            size_t size = 104 - 11 - value + (size_t)beyond;
            struct mqtt_message message;

            memset(topic, 't', size);
            topic[size] = '\0';
            properties[10] = (uint8_t)value;
            memset(properties + 11, 'v', value);
            message = message_of(&t, topic, MQTT_QOS_1);
            message.properties = (struct mqtt_span){properties, 11 + value};
            start(s);
            connects(s);
            discard_sent(s);
            server_connack_with(s, 0, 0, 0x22, 0x00, 0x01);
            pull(s, MQTT_EVENT_CONNECTED);
            assert_int_equal(try_stream(s, &t, &message),
                             beyond ? MQTT_ERR_TOO_LARGE : MQTT_OK);
            if (!beyond) {
                expect_tape(s, 0x32, 1, topic, &t);
                assert_int_equal(s->packet.properties.size, 11 + value + 3);
            }
            expect_nothing_sent(s);
            end_tape(&t);
            script_restart(s);
        }
}

/* What stream.h says of the outbox. */
static void outbox_room(struct script *s)
{
    for (size_t size = 1; size < 60; size++) {
        struct tape t = tape_of(500, 0);
        char topic[64];
        struct mqtt_message message;

        memset(topic, 't', size);
        topic[size] = '\0';
        s->memory.outbox_size = size + 24;
        message = message_of(&t, topic, MQTT_QOS_1);
        connected(s);
        assert_int_equal(try_stream(s, &t, &message), MQTT_OK);
        assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_NO_ROOM);
        expect_tape(s, 0x32, 1, topic, &t);
        acknowledged(s, 1);
        pull(s, MQTT_EVENT_ROOM);
        end_tape(&t);
        script_restart(s);
    }
}

static void test_a_stream_takes_its_topic_name_and_24_bytes(void **state)
{
    in_both(*state, outbox_room);
}

/* Each size of the outbox puts its end at other bytes of the images. */
static void wraps(struct script *s)
{
    for (size_t size = 80; size < 130; size++) {
        struct tape t = tape_of(90, 11);
        char topic[] = "abcdefghijkl";
        uint16_t waiting = 0;

        s->memory.outbox_size = size;
        connected(s);
        for (int i = 0; i < 40; i++) {
            char *name = topic + i * 5 % 12;
            uint16_t identifier = stream(s, &t, name, MQTT_QOS_1);

            expect_tape(s, 0x32, identifier, name, &t);
            if (i % 7 == 3) {
                cut(s);
                reconnected(s, true);
                if (waiting)
                    expect_packet(s, 0x3A, waiting);
                expect_tape(s, 0x3A, identifier, name, &t);
                expect_nothing_sent(s);
            }
            acknowledged(s, identifier);
            if (waiting)
                acknowledged(s, waiting);
            waiting = publish(s, "w", "short", MQTT_QOS_1);
            expect_packet(s, 0x32, waiting);
        }
        end_tape(&t);
        script_restart(s);
    }
}

static void test_streams_go_around_the_end_of_the_outbox(void **state)
{
    in_both(*state, wraps);
}

static void test_limits_of_the_server_hold_for_streams(void **state)
{
    struct script *s = *state;
    struct tape t = tape_of(92, 0);
    struct mqtt_message message = message_of(&t, "a", MQTT_QOS_1);

    with_5_0(s);
    start(s);
    connects(s);
    discard_sent(s);
    /* Maximum Packet Size 100, Maximum QoS 1, Retain Available 0. */
    server_connack_with(s, 0, 0, 0x27, 0x00, 0x00, 0x00, 0x64, 0x24, 0x01, 0x25,
                        0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(try_stream(s, &t, &message), MQTT_OK); /* 100 bytes */
    expect_tape(s, 0x32, 1, "a", &t);
    assert_int_equal(s->packet.size, 100);
    message.payload.size++;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_MAXIMUM_PACKET_SIZE);
    message.payload.size = 1;
    message.retain = true;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_RETAIN_UNAVAILABLE);
    message.retain = false;
    message.qos = MQTT_QOS_2;
    assert_int_equal(try_stream(s, &t, &message), MQTT_ERR_MAXIMUM_QOS);
    expect_nothing_sent(s);
    end_tape(&t);
}

static void test_a_stream_that_a_later_server_forbids_ends(void **state)
{
    struct script *s = *state;
    struct tape t = tape_of(93, 0);

    with_5_0(s);
    for (int sent = 0; sent < 2; sent++) {
        start(s);
        if (sent) {
            connected(s);
            stream(s, &t, "a", MQTT_QOS_1);
            expect_tape(s, 0x32, 1, "a", &t);
            cut(s);
            reopened(s);
        } else {
            stream(s, &t, "a", MQTT_QOS_1);
            connects(s);
        }
        discard_sent(s);
        server_connack_with(s, (uint8_t)sent, 0, 0x27, 0x00, 0x00, 0x00, 0x64);
        t.forbidden = true;
        pull(s, MQTT_EVENT_CONNECTED);
        expect_published(s, 1,
                         sent ? MQTT_OUTCOME_UNKNOWN : MQTT_OUTCOME_FORBIDDEN);
        expect_nothing_sent(s);
        t.forbidden = false;
        script_restart(s);
    }
    end_tape(&t);
}

/* What waits is rewritten when the server speaks 3.1.1 only. */
static void test_a_stream_leaves_in_the_version_that_is_spoken(void **state)
{
    struct script *s = *state;
    struct tape t = tape_of(3, 0);

    with_5_0(s);
    s->config.fallback = &mqtt_protocol_3_1_1;
    start(s);
    stream(s, &t, "a", MQTT_QOS_1);
    publish(s, "b", "x", MQTT_QOS_1);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0x84); /* not this version */
    pull(s, MQTT_EVENT_REFUSED);
    expect_fatal(s, MQTT_ERR_REFUSED);
    reopened(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_bytes(s, 0x32,          /* PUBLISH, QoS 1 */
                 0x08,             /* remaining length */
                 0x00, 0x01, 'a',  /* topic name */
                 0x00, 0x01,       /* packet identifier */
                 0x00, 0x07, 0x0E, /* payload */
                 0x32,             /* PUBLISH, QoS 1 */
                 0x06,             /* remaining length */
                 0x00, 0x01, 'b',  /* topic name */
                 0x00, 0x02,       /* packet identifier */
                 'x');             /* payload */
    end_tape(&t);
}

/* ---- 64 MiB -------------------------------------------------------------- */

#define LARGE (64u << 20)

/* The same 64 KiB over and over, shifted by no offset below that. */
static uint8_t pattern[65536];

static void fill_pattern(void)
{
    for (unsigned i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
}

static const void *read_pattern(struct mqtt_source *source, uint32_t offset,
                                size_t *size)
{
    size_t at = offset % sizeof(pattern);

    (void)source;
    if (*size > sizeof(pattern) - at)
        *size = sizeof(pattern) - at;
    return pattern + at;
}

static struct script *kilobyte(const struct mqtt_protocol *protocol)
{
    struct script *s = script_new(&wire_whole);

    fill_pattern();
    s->config.protocol = protocol;
    s->config.large = &mqtt_large_parts;
    s->memory.outbox_size = 512;
    s->memory.control_size = s->memory.input_size = 256;
    connected(s);
    return s;
}

/* What is sent is looked at as it leaves, and not kept. */
static void test_64_mib_leave_through_a_kilobyte(void **state)
{
    struct script *s = kilobyte(&mqtt_protocol_5_0);
    struct mqtt_source source = {.read = read_pattern};
    struct mqtt_message message = {.topic_name = MQTT_TEXT("large"),
                                   .payload = {NULL, LARGE},
                                   .qos = MQTT_QOS_1};
    static const uint8_t head[] = {
        0x32,                                  /* PUBLISH, QoS 1 */
        0x8A, 0x80, 0x80, 0x20,                /* remaining length 64 Mi + 10 */
        0x00, 0x05, 'l',  'a',  'r', 'g', 'e', /* topic name */
        0x00, 0x01,                            /* packet identifier */
        0x00};                                 /* property length */
    const uint8_t *bytes;
    uint32_t at = 0;
    size_t size;

    (void)state;
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    bytes = mqtt_client_output_buf(&s->client, &size);
    assert_int_equal(size, sizeof(head));
    assert_memory_equal(bytes, head, size);
    mqtt_client_output_done(&s->client, size);
    while ((bytes = mqtt_client_output_buf(&s->client, &size)) != NULL) {
        assert_true(size <= sizeof(pattern) - at % sizeof(pattern));
        assert_int_equal(memcmp(bytes, pattern + at % sizeof(pattern), size),
                         0);
        at += (uint32_t)size;
        mqtt_client_output_done(&s->client, size);
    }
    assert_int_equal(at, LARGE);
    acknowledged(s, 1);
    script_free(s);
}

/* Feed `size` bytes, as far as they are taken; how many were. */
static size_t feed(struct script *s, const uint8_t *bytes, size_t size)
{
    size_t room;
    void *to = mqtt_client_input_buf(&s->client, NULL, 0, &room);

    if (!to)
        return 0;
    size = size < room ? size : room;
    memcpy(to, bytes, size);
    mqtt_client_input_done(&s->client, size);
    return size;
}

static void test_64_mib_come_through_a_kilobyte(void **state)
{
    struct script *s = kilobyte(&mqtt_protocol_5_0);
    uint32_t fed = 0, at = 0;

    (void)state;
    server_sends(s, 0x32, 0x8A, 0x80, 0x80, 0x20, 0x00, 0x05, 'l', 'a', 'r',
                 'g', 'e', 0x12, 0x34, 0x00);
    expect_no_event(s);
    while (at < LARGE) {
        size_t pos = fed % sizeof(pattern), most = sizeof(pattern) - pos;
        struct mqtt_event event;

        most = most < LARGE - fed ? most : LARGE - fed;
        fed += (uint32_t)feed(s, pattern + pos, most);
        while (mqtt_client_next(&s->client, &event)) {
            const struct mqtt_message *m = &event.message;

            assert_int_equal(event.type, MQTT_EVENT_MESSAGE);
            assert_int_equal(m->payload_offset, at);
            assert_int_equal(m->payload_size, LARGE);
            for (size_t i = 0; i < m->payload.size; i += 64)
                assert_true(((const uint8_t *)m->payload.data)[i] ==
                            pattern[(at + i) % sizeof(pattern)]);
            at += (uint32_t)m->payload.size;
        }
    }
    assert_int_equal(at, LARGE);
    expect_no_event(s);
    expect_bytes(s, 0x40, 0x02, 0x12, 0x34);
    script_free(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_stream_3_1_1_byte_for_byte),
        script_test(test_a_stream_5_0_byte_for_byte),
        script_test(test_each_size_leaves_whole_however_it_is_read),
        script_test(test_qos_2_reads_until_pubrec),
        script_test(test_an_empty_payload_is_not_read),
        script_test(test_an_empty_payload_has_its_properties),
        script_test(test_a_source_that_fails_ends_message_and_connection),
        script_test(test_a_source_may_fail_when_it_is_read_again),
        script_test(test_a_stream_cut_at_any_byte_is_sent_again),
        script_test(test_a_lost_session_loses_or_republishes_it),
        script_test(test_everything_waits_for_the_end_of_the_packet),
        script_test(test_pingreq_waits_for_the_end_of_the_packet),
        script_test(test_disconnect_waits_for_the_end_of_the_packet),
        script_test(test_disconnect_with_time_waits_for_its_end),
        script_test(test_an_early_acknowledgement_waits_for_the_last_byte),
        script_test(test_streams_and_others_keep_their_order),
        script_test(test_a_stream_waits_for_its_turn_in_flight),
        script_test(test_a_stream_has_an_alias_and_what_is_left_of_its_time),
        script_test(test_a_stream_that_expires_is_not_read),
        script_test(test_a_stream_that_does_not_expire_wakes_nobody),
        script_test(test_a_stream_that_has_begun_does_not_expire),
        script_test(test_what_cannot_be_streamed_is_refused),
        script_test(test_a_head_has_to_fit_into_control_memory),
        script_test(test_a_head_with_alias_and_properties_has_to_fit),
        script_test(test_a_stream_takes_its_topic_name_and_24_bytes),
        script_test(test_streams_go_around_the_end_of_the_outbox),
        script_test(test_limits_of_the_server_hold_for_streams),
        script_test(test_a_stream_that_a_later_server_forbids_ends),
        script_test(test_a_stream_leaves_in_the_version_that_is_spoken),
    };
    static const struct CMUnitTest large[] = {
        cmocka_unit_test(test_64_mib_leave_through_a_kilobyte),
        cmocka_unit_test(test_64_mib_come_through_a_kilobyte),
    };
    int failed = script_run("stream", tests);

    return failed + cmocka_run_group_tests_name("large", large, NULL, NULL);
}
