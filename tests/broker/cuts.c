/*
 * cuts.c - the connection is cut and the broker restarted in mid-stream:
 * nothing is lost, and QoS 2 comes nothing twice.
 */
#include "relay.h"
#include "station.h"

#define COUNT 600

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

/* ---- a stream of numbers ------------------------------------------------- */

struct stream {
    struct station *from, *to;
    char topic[48];
    unsigned sent;
};

static void stream_draft(struct stream *stream, const struct way *way,
                         uint16_t from_port, uint16_t to_port)
{
    memset(stream, 0, sizeof(*stream));
    stream->from = station_draft(way, from_port);
    stream->to = station_draft(way, to_port);
    snprintf(stream->topic, sizeof(stream->topic), "stream/%s",
             stream->from->identifier);
}

static void stream_open(struct stream *stream)
{
    station_open(stream->from);
    station_open(stream->to);
    station_connect(stream->to);
    station_subscribe(stream->to, stream->topic, MQTT_QOS_2);
    station_connect(stream->from);
}

static void stream_begin(struct stream *stream, const struct way *way,
                         uint16_t from_port, uint16_t to_port)
{
    stream_draft(stream, way, from_port, to_port);
    stream_open(stream);
}

/* One number, at QoS 1 if it is odd, else at QoS 2. */
static void stream_send(struct stream *stream)
{
    char payload[40];

    snprintf(payload, sizeof(payload), "%u of so many numbers in a row",
             stream->sent);
    station_publish(stream->from, stream->topic, payload,
                    stream->sent & 1 ? MQTT_QOS_1 : MQTT_QOS_2, false);
    stream->sent++;
}

static void stream_turn(struct stream *stream)
{
    stream->from->driving->turn(stream->from, 1);
    stream->to->driving->turn(stream->to, 1);
}

static unsigned stream_seen(const struct stream *stream, unsigned number)
{
    unsigned seen = 0;

    for (size_t i = 0; i < stream->to->letter_count; i++)
        seen += strtoul(stream->to->letters[i].payload, NULL, 10) == number;
    return seen;
}

/* QoS 1 at least once, QoS 2 exactly once, and every publish has ended. */
static bool stream_is_whole(const struct stream *stream)
{
    if (stream->to->letter_count < stream->sent ||
        stream->from->acknowledged < stream->sent)
        return false;
    for (unsigned i = 0; i < stream->sent; i++)
        if (!stream_seen(stream, i))
            return false;
    return true;
}

static void stream_end(struct stream *stream)
{
    wait_for_both(stream->from, stream->to, stream_is_whole(stream));
    assert_int_equal(stream->from->acknowledged, stream->sent);
    assert_int_equal(stream->from->lost, 0);
    for (unsigned i = 0; i < stream->sent; i += 2)
        assert_int_equal(stream_seen(stream, i), 1);
    station_free(stream->from);
    station_free(stream->to);
}

/* ---- the network --------------------------------------------------------- */

static void test_the_sender_is_cut(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct stream stream;

    stream_begin(&stream, *state, relay_port(relay), broker.port);
    while (stream.sent < COUNT) {
        stream_send(&stream);
        if (stream.sent % 5 == 0)
            stream_turn(&stream);
        if (stream.sent % 60 == 0)
            relay_cut(relay);
    }
    stream_end(&stream);
    assert_true(relay_cuts(relay) > 3);
    relay_end(relay);
}

/* In the middle of packets, at a different place each time. */
static void test_the_sender_is_cut_after_so_many_bytes(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct stream stream;

    stream_begin(&stream, *state, relay_port(relay), broker.port);
    for (unsigned round = 0; round < 10; round++) {
        relay_cut_each_after(relay, 700 + round * 37);
        for (int i = 0; i < 20; i++)
            stream_send(&stream);
        for (int i = 0; i < 20; i++)
            stream_turn(&stream);
    }
    relay_cut_each_after(relay, 0);
    stream_end(&stream);
    assert_true(relay_cuts(relay) > 5);
    relay_end(relay);
}

/* Shorter lives than it takes to send all: progress is made all the same, for
 * what is in flight fits into one. Topic aliases make packets of 5.0 smaller. */
static void test_progress_is_made_between_cuts(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct stream stream;

    stream_draft(&stream, *state, relay_port(relay), broker.port);
    stream.from->config.send_maximum = 5;
    stream_open(&stream);
    relay_cut_each_after(relay, 1500);
    while (stream.sent < 200)
        stream_send(&stream);
    stream_end(&stream);
    assert_true(relay_cuts(relay) > 5);
    relay_end(relay);
}

/* A number that was sent after the receiver came back has arrived: so has all
 * that mosquitto sends again. Version 2.0.11 that is cut before it could send
 * a PUBREL again sends the PUBLISH instead, against [3.1.1 MQTT-4.3.3-1]. */
static void receiver_is_back(struct stream *stream, unsigned connected)
{
    wait_for_both(stream->from, stream->to, stream->to->connected > connected);
    stream_send(stream);
    wait_for_both(stream->from, stream->to,
                  stream_seen(stream, stream->sent - 1) > 0);
}

static void test_the_receiver_is_cut(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct stream stream;

    stream_begin(&stream, *state, broker.port, relay_port(relay));
    for (unsigned round = 0; round < 10; round++) {
        unsigned connected = stream.to->connected;

        for (unsigned i = 0; i < 30; i++) {
            stream_send(&stream);
            if (i % 5 == round % 5)
                stream_turn(&stream);
        }
        relay_cut(relay);
        receiver_is_back(&stream, connected);
    }
    stream_end(&stream);
    assert_int_equal(relay_cuts(relay), 10);
    relay_end(relay);
}

/* ---- the broker ---------------------------------------------------------- */

/* The receiver is away, and gets all of it in the end. */
static void test_the_broker_restarts_while_the_sender_sends(void **state)
{
    struct stream stream;

    stream_begin(&stream, *state, broker.port, broker.port);
    station_disconnect(stream.to);
    for (int restart = 0; restart < 4; restart++) {
        for (int i = 0; i < 100; i++) {
            stream_send(&stream);
            if (i % 10 == 0)
                stream.from->driving->turn(stream.from, 1);
        }
        broker_stop(&broker);
        for (int i = 0; i < 20; i++)
            stream_send(&stream);
        stream.from->driving->turn(stream.from, 1);
        broker_start(&broker);
    }
    wait_for(stream.from, stream.from->acknowledged == stream.sent);
    station_connect(stream.to);
    assert_true(stream.to->session_present);
    stream_end(&stream);
}

/* What lies in the receiver's socket when the broker ends, it takes; and knows
 * it again when it comes a second time. */
static void test_the_broker_restarts_while_the_receiver_receives(void **state)
{
    struct stream stream;

    stream_begin(&stream, *state, broker.port, broker.port);
    for (int restart = 0; restart < 4; restart++) {
        for (int i = 0; i < 50; i++)
            stream_send(&stream);
        wait_for(stream.from, stream.from->acknowledged == stream.sent);
        broker_stop(&broker);
        wait_for(stream.to, stream.to->disconnected > 0);
        stream.to->disconnected = 0;
        broker_start(&broker);
        wait_for_both(stream.from, stream.to, stream_is_whole(&stream));
        finish_exchanges(stream.to);
    }
    stream_end(&stream);
}

/* At any moment. What the receiver had released already, mosquitto 2.0.11
 * sends again after a restart, against [3.1.1 MQTT-4.3.3-1]; so here counts
 * only that nothing is lost. */
static void test_the_broker_restarts_in_mid_stream(void **state)
{
    struct stream stream;

    stream_begin(&stream, *state, broker.port, broker.port);
    for (int restart = 0; restart < 3; restart++) {
        for (int i = 0; i < 100; i++) {
            stream_send(&stream);
            if (i % 10 == 0)
                stream_turn(&stream);
        }
        broker_stop(&broker);
        for (int i = 0; i < 20; i++)
            stream_send(&stream);
        stream_turn(&stream);
        broker_start(&broker);
    }
    wait_for_both(stream.from, stream.to, stream_is_whole(&stream));
    assert_int_equal(stream.from->lost, 0);
    station_free(stream.from);
    station_free(stream.to);
}

static void test_the_broker_is_away_for_many_tries(void **state)
{
    struct stream stream;
    unsigned before;

    stream_begin(&stream, *state, broker.port, broker.port);
    broker_stop(&broker);
    before = stream.from->disconnected;
    stream_send(&stream);
    wait_for(stream.from, stream.from->disconnected > before + 5);
    assert_int_equal(stream.from->last.error, MQTT_ERR_NETWORK);
    broker_start(&broker);
    stream_end(&stream);
}

/* After kill -9 mosquitto has forgotten the session: what we hold of it ends,
 * and subscriptions are made again. */
static void test_a_broker_that_forgot_is_told_again(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->config.connect.clean_start = true;
    station_open(s);
    station_connect(s);
    station_subscribe(s, "forgotten", MQTT_QOS_1);
    broker_stop(&broker);
    wait_for(s, s->disconnected > 0);
    broker_start(&broker);
    wait_for(s, s->connected == 2 && s->subscribed == 2);
    station_publish(s, "forgotten", "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sender_is_cut),
        cmocka_unit_test(test_the_sender_is_cut_after_so_many_bytes),
        cmocka_unit_test(test_progress_is_made_between_cuts),
        cmocka_unit_test(test_the_receiver_is_cut),
        cmocka_unit_test(test_the_broker_restarts_while_the_sender_sends),
        cmocka_unit_test(test_the_broker_restarts_while_the_receiver_receives),
        cmocka_unit_test(test_the_broker_restarts_in_mid_stream),
        cmocka_unit_test(test_the_broker_is_away_for_many_tries),
        cmocka_unit_test(test_a_broker_that_forgot_is_told_again),
    };

    return station_run(argc, argv, "cuts", tests, begin, end);
}
