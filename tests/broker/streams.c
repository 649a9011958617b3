/*
 * streams.c - messages that are larger than the memory, from a source and in
 * parts, through a real broker.
 */
#include "relay.h"
#include "station.h"
#include "witness.h"

#include <mqttloop/stream.h>

#define MEMORY 1024
#define HUGE_SIZE (8u << 20)

static struct broker broker;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    return 0;
}

/* What stands at this offset of every payload here; it has no period that the
 * sizes of reads have. */
static uint8_t content_at(uint32_t offset)
{
    uint32_t x = offset * 2654435761u;

    return (uint8_t)(x >> 24 ^ x >> 13);
}

/* ---- the source ---------------------------------------------------------- */

struct maker {
    struct mqtt_source source;
    uint8_t piece[700];
    uint32_t largest;  /* offset that was asked for */
    unsigned begun;    /* how often offset 0 was */
    uint32_t fails_at; /* 0: never */
};

static const void *make(struct mqtt_source *source, uint32_t offset,
                        size_t *size)
{
    struct maker *maker = source->context;

    if (maker->fails_at && offset >= maker->fails_at)
        return NULL;
    maker->begun += offset == 0;
    if (offset > maker->largest)
        maker->largest = offset;
    if (*size > sizeof(maker->piece))
        *size = sizeof(maker->piece);
    for (size_t i = 0; i < *size; i++)
        maker->piece[i] = content_at(offset + (uint32_t)i);
    return maker->piece;
}

static void stream(struct station *s, struct maker *maker, const char *topic,
                   uint32_t size, enum mqtt_qos qos)
{
    const struct mqtt_message message = {
        .topic_name = mqtt_text(topic), .payload = {NULL, size}, .qos = qos};

    memset(maker, 0, sizeof(*maker));
    maker->source.read = make;
    maker->source.context = maker;
    assert_int_equal(
        mqtt_publish_stream(s->client, &message, &maker->source, NULL),
        MQTT_OK);
}

/* ---- the parts ----------------------------------------------------------- */

/* The node of a station, told of parts. */
struct reader {
    uint32_t next;   /* offset expected */
    unsigned begun;  /* messages, or the same again */
    unsigned whole;  /* messages that came to their end */
    uint32_t refuse; /* at this offset the rest is refused; 0: never */
    size_t largest;  /* part */
    uint32_t handle; /* of the last part */
};

static void read_part(struct mqtt_client *client,
                      const struct mqtt_message *message, void *context)
{
    struct reader *reader = context;
    const uint8_t *bytes = message->payload.data;

    if (message->payload_offset == 0) {
        reader->begun++;
        reader->next = 0;
    }
    assert_int_equal(message->payload_offset, reader->next);
    for (size_t i = 0; i < message->payload.size; i++)
        if (bytes[i] != content_at(reader->next + (uint32_t)i))
            fail_msg("another byte at %u", reader->next + (unsigned)i);
    reader->next += (uint32_t)message->payload.size;
    reader->whole += reader->next == message->payload_size;
    reader->handle = message->settle_handle;
    if (message->payload.size > reader->largest)
        reader->largest = message->payload.size;
    if (reader->refuse && reader->next > reader->refuse)
        assert_int_equal(mqtt_refuse_rest(client, MQTT_REASON_QUOTA_EXCEEDED),
                         MQTT_OK);
}

/* Little memory, and what is larger comes in parts. */
static struct station *small_draft(const struct way *way, uint16_t port)
{
    struct station *s = station_draft(way, port);

    s->sizes.input = s->sizes.control = s->sizes.outbox = MEMORY;
    s->sizes.slots = 16;
    s->config.large = &mqtt_large_parts;
    return s;
}

static void reads_parts(struct station *s, struct reader *reader,
                        enum mqtt_qos qos)
{
    memset(reader, 0, sizeof(*reader));
    s->subscription.on_message = read_part;
    s->subscription.context = reader;
    station_subscribe(s, s->identifier, qos);
}

/* ---- through little memory ------------------------------------------------ */

static void huge(const struct way *way, enum mqtt_qos qos)
{
    struct station *s = small_draft(way, broker.port);
    struct station *t = small_draft(way, broker.port);
    struct maker maker;
    struct reader reader;

    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, qos);
    stream(s, &maker, t->identifier, HUGE_SIZE, qos);
    wait_for_both(s, t, reader.whole == 1 && s->acknowledged == 1);
    assert_int_equal(reader.next, HUGE_SIZE);
    assert_int_equal(maker.begun, 1);
    assert_int_equal(s->disconnected + t->disconnected, 0);
    /* Its acknowledgement has arrived, and the connections go on. */
    finish_exchanges(t);
    station_disconnect(t);
    station_connect(t);
    finish_exchanges(t);
    assert_int_equal(reader.begun, 1);
    station_free(s);
    station_free(t);
}

static void test_8_mib_at_qos_1(void **state)
{
    huge(*state, MQTT_QOS_1);
}

static void test_8_mib_at_qos_2(void **state)
{
    huge(*state, MQTT_QOS_2);
}

/* Large and small ones in one row keep their order. */
static void test_small_messages_stand_between_large_ones(void **state)
{
    enum { ROUNDS = 5, SIZE = 20000 };
    struct station *s = small_draft(*state, broker.port);
    struct station *t = small_draft(*state, broker.port);
    struct maker makers[ROUNDS];
    struct reader reader;
    struct mqtt_subscription small = {.topic_filter = MQTT_TEXT("small"),
                                      .maximum_qos = MQTT_QOS_1};

    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, MQTT_QOS_1);
    assert_int_equal(mqtt_subscribe(t->client, &small), MQTT_OK);
    wait_for(t, t->subscribed == 2);
    for (unsigned i = 0; i < ROUNDS; i++) {
        stream(s, &makers[i], t->identifier, SIZE + i, MQTT_QOS_1);
        station_publish(s, "small", "x", MQTT_QOS_1, false);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        wait_for_both(s, t, t->letter_count > i);
        assert_true(reader.whole >= i + 1);
    }
    wait_for_both(s, t, s->acknowledged == 2 * ROUNDS);
    assert_int_equal(reader.whole, ROUNDS);
    assert_int_equal(t->letter_count, ROUNDS);
    station_free(s);
    station_free(t);
}

/* To another program it is a message like any other. */
static void test_a_witness_sees_what_is_streamed(void **state)
{
    enum { SIZE = 300000 };
    struct station *s = small_draft(*state, broker.port);
    struct witness witness;
    struct maker maker;
    char *lines;

    station_open(s);
    station_connect(s);
    witness = witness_start(&broker, s, 1, "%l %x",
                            ARGUMENTS("-q", "1", "-t", s->identifier));
    stream(s, &maker, s->identifier, SIZE, MQTT_QOS_1);
    lines = witness_lines(&witness, s);
    assert_int_equal(strlen(lines), strlen("300000 ") + 2 * SIZE + 1);
    assert_memory_equal(lines, "300000 ", 7);
    for (uint32_t i = 0; i < SIZE; i++) {
        char hex[3];

        snprintf(hex, sizeof(hex), "%02x", content_at(i));
        assert_memory_equal(lines + 7 + 2 * (size_t)i, hex, 2);
    }
    free(lines);
    station_free(s);
}

/* ---- cuts ---------------------------------------------------------------- */

/* The source is read again from its beginning. */
static void test_a_source_is_read_again_after_a_cut(void **state)
{
    enum { SIZE = 1 << 20 };
    struct relay *relay = relay_begin(broker.port);
    struct station *s = small_draft(*state, relay_port(relay));
    struct station *t = small_draft(*state, broker.port);
    struct maker maker;
    struct reader reader;

    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, MQTT_QOS_2);
    relay_cut_each_after(relay, SIZE / 3);
    stream(s, &maker, t->identifier, SIZE, MQTT_QOS_2);
    wait_for(s, s->disconnected == 2);
    relay_cut_each_after(relay, 0);
    wait_for_both(s, t, reader.whole == 1 && s->acknowledged == 1);
    assert_true(maker.begun >= 3);
    assert_int_equal(reader.begun, 1); /* the broker passes on whole ones */
    assert_int_equal(s->lost, 0);
    station_free(s);
    station_free(t);
    relay_end(relay);
}

/* It begins anew at offset 0, and is known once it was whole. */
static void test_parts_begin_again_after_a_cut(void **state)
{
    enum { SIZE = 1 << 20 };
    struct relay *relay = relay_begin(broker.port);
    struct station *s = small_draft(*state, broker.port);
    struct station *t = small_draft(*state, relay_port(relay));
    struct maker maker;
    struct reader reader;

    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, MQTT_QOS_2);
    relay_cut_each_after(relay, SIZE / 3);
    stream(s, &maker, t->identifier, SIZE, MQTT_QOS_2);
    wait_for_both(s, t, t->disconnected == 2 && s->acknowledged == 1);
    relay_cut_each_after(relay, 0);
    wait_for(t, reader.whole == 1);
    assert_true(reader.begun >= 3);
    finish_exchanges(t);
    station_disconnect(t);
    station_connect(t);
    finish_exchanges(t);
    assert_int_equal(reader.whole, 1);
    station_free(s);
    station_free(t);
    relay_end(relay);
}

/* ---- refused, settled, broken -------------------------------------------- */

/* The rest is read past; in 5.0 the broker is told why. Either way it does not
 * come again. */
static void test_the_rest_can_be_refused(void **state)
{
    enum { SIZE = 100000 };
    struct station *s = small_draft(*state, broker.port);
    struct station *t = small_draft(*state, broker.port);
    struct maker maker;
    struct reader reader;

    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, MQTT_QOS_2);
    reader.refuse = 10000;
    stream(s, &maker, t->identifier, SIZE, MQTT_QOS_1);
    stream(s, &maker, t->identifier, SIZE, MQTT_QOS_2);
    wait_for_both(s, t, reader.begun == 2 && s->acknowledged == 2);
    finish_exchanges(t);
    assert_int_equal(reader.whole, 0);
    assert_in_range(reader.next, 10001, 10000 + reader.largest);
    station_disconnect(t);
    station_connect(t);
    assert_true(t->session_present);
    finish_exchanges(t);
    assert_int_equal(reader.begun, 2);
    station_free(s);
    station_free(t);
}

static void test_what_came_in_parts_is_settled_by_its_last(void **state)
{
    enum { SIZE = 50000 };
    struct relay *relay = relay_begin(broker.port);
    struct station *s = small_draft(*state, broker.port);
    struct station *t = small_draft(*state, relay_port(relay));
    struct maker maker;
    struct reader reader;

    t->config.settle = MQTT_SETTLE_BY_CALL;
    station_open(s);
    station_open(t);
    station_connect(s);
    station_connect(t);
    reads_parts(t, &reader, MQTT_QOS_1);
    stream(s, &maker, t->identifier, SIZE, MQTT_QOS_1);
    wait_for_both(s, t, reader.whole == 1 && s->acknowledged == 1);
    assert_true(reader.handle != 0);
    relay_cut(relay); /* it is not settled: all of it comes again */
    wait_for(t, reader.whole == 2);
    assert_int_equal(mqtt_settle(t->client, reader.handle, 0), MQTT_OK);
    station_disconnect(t);
    station_connect(t);
    finish_exchanges(t);
    assert_int_equal(reader.begun, 2);
    station_free(s);
    station_free(t);
    relay_end(relay);
}

static void test_a_source_that_fails_ends_its_message_only(void **state)
{
    struct station *s = small_draft(*state, broker.port);
    struct maker maker;

    station_open(s);
    station_connect(s);
    stream(s, &maker, "failing", 100000, MQTT_QOS_1);
    maker.fails_at = 50000;
    wait_for(s, s->lost == 1);
    assert_int_equal(s->outcome, MQTT_OUTCOME_SOURCE);
    wait_for(s, s->connected == 2);
    station_publish(s, "going/on", "x", MQTT_QOS_2, false);
    wait_for(s, s->acknowledged == 1);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_8_mib_at_qos_1),
        cmocka_unit_test(test_8_mib_at_qos_2),
        cmocka_unit_test(test_small_messages_stand_between_large_ones),
        cmocka_unit_test(test_a_witness_sees_what_is_streamed),
        cmocka_unit_test(test_a_source_is_read_again_after_a_cut),
        cmocka_unit_test(test_parts_begin_again_after_a_cut),
        cmocka_unit_test(test_the_rest_can_be_refused),
        cmocka_unit_test(test_what_came_in_parts_is_settled_by_its_last),
        cmocka_unit_test(test_a_source_that_fails_ends_its_message_only),
    };

    return station_run(argc, argv, "streams", tests, begin, end);
}
