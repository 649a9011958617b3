/*
 * websocket.c - MQTT over WebSocket [3.1.1 and 5.0, section 6]: a client, its
 * drive, the layer, and a server in memory.
 */
#include "conformance.h"

#include "../net/below.h"
#include "../net/websocket_bytes.h"

#include <mqttloop/drive.h>
#include <mqttloop/websocket.h>

/* ---- a reactor that is always at the same moment -------------------------- */

static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    (void)self, (void)slot, (void)descriptor, (void)mask;
    return 0;
}

static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    (void)self, (void)at;
}

static mqtt_time now(struct mqtt_reactor *self)
{
    (void)self;
    return 1000;
}

static void leave(struct mqtt_reactor *self)
{
    (void)self;
}

static const struct mqtt_reactor_ops reactor_ops = {
    .watch = watch, .wake_at = wake_at, .now = now, .leave = leave};

/* ---- all together ---------------------------------------------------------- */

struct world {
    struct script *s;
    struct mqtt_reactor reactor;
    struct below below;
    struct mqtt_layer *layer;
    struct mqtt_drive drive;
    char request[2048];
    unsigned connected, disconnected;
    enum mqtt_error error; /* of the first end */
    char payload[256];     /* of all messages, one behind the other */
};

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct world *w = context;

    (void)client;
    w->connected += event->type == MQTT_EVENT_CONNECTED;
    if (event->type == MQTT_EVENT_DISCONNECTED && !w->disconnected++)
        w->error = event->error;
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct world *w = context;
    size_t size = strlen(w->payload);

    (void)client;
    assert_true(size + message->payload.size < sizeof(w->payload));
    memcpy(w->payload + size, message->payload.data, message->payload.size);
    w->payload[size + message->payload.size] = 0;
}

/* One connection is enough. */
static enum mqtt_pace stop(void *context, enum mqtt_error error,
                           uint8_t reason_code)
{
    (void)context, (void)error, (void)reason_code;
    return MQTT_PACE_STOP;
}

static void turns(struct world *w)
{
    while (mqtt_drive_turn(&w->drive) > 0)
        ;
}

/* The request has left. */
static struct world *begin(struct script *s)
{
    static struct world w;

    memset(&w, 0, sizeof(w));
    w.s = s;
    w.reactor.ops = &reactor_ops;
    s->config.on_event = on_event;
    s->config.on_message = on_message;
    s->config.pace = stop;
    s->config.context = &w;
    s->server.address = "ws://server.example/mqtt";
    start(s);
    below_begin(&w.below);
    w.below.chunk = s->wire->chunk;
    w.layer = mqtt_websocket.init(&mqtt_websocket,
                                  malloc(mqtt_websocket.size(&mqtt_websocket)));
    assert_non_null(w.layer);
    w.layer->below = &w.below.base;
    mqtt_drive_init(&w.drive, &s->client, &w.layer->transport, &w.reactor);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    turns(&w);
    assert_in_range(w.below.sent_size, 1, sizeof(w.request) - 1);
    memcpy(w.request, w.below.sent, w.below.sent_size);
    w.below.sent_size = 0;
    return &w;
}

static void end(struct world *w)
{
    mqtt_drive_end(&w->drive);
    mqtt_websocket.end(w->layer);
    free(w->layer);
}

static void comes(struct world *w, const void *bytes, size_t size)
{
    below_sends(&w->below, bytes, size);
    do
        turns(w);
    while (w->below.in_size && !w->disconnected);
}

static void answered(struct world *w, const char *format)
{
    char text[ANSWER_SIZE];

    comes(w, text, answer(text, format, w->request));
}

#define ANSWER                                                                 \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"               \
    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"

/* The handshake is good, and CONNECT has left. */
static struct world *opened(struct script *s)
{
    struct world *w = begin(s);

    answered(w, ANSWER "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    assert_in_range(w->below.sent_size, 1, sizeof(w->below.sent));
    assert_int_equal(w->disconnected, 0);
    return w;
}

/* What the server sends: CONNACK and three messages, "one", "two", "three". */
static size_t packets(const struct script *s, uint8_t *out)
{
    static const char *const words[] = {"one", "two", "three"};
    bool five = s->config.protocol == &mqtt_protocol_5_0;
    size_t size = 0;

    out[size++] = 0x20;
    out[size++] = five ? 3 : 2;
    memset(out + size, 0, 3);
    size += five ? 3 : 2;
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);

        out[size++] = 0x30;
        out[size++] = (uint8_t)(3 + five + length);
        memcpy(out + size, "\0\1t\0", 4);
        size += five ? 4 : 3;
        memcpy(out + size, words[i], length);
        size += length;
    }
    return size;
}

/* ---- the tests ------------------------------------------------------------- */

static void test_mqtt_is_offered_as_subprotocol(void **state)
{
    struct world *w = begin(*state);
    const char *found =
        strstr(w->request, "\r\nSec-WebSocket-Protocol: mqtt\r\n");

    assert_non_null(found);
    assert_null(strstr(found + 2, "\r\nSec-WebSocket-Protocol"));
    end(w);
}

static void test_a_server_must_choose_mqtt(void **state)
{
    static const char *const choices[] = {
        "", "Sec-WebSocket-Protocol: \r\n",
        "Sec-WebSocket-Protocol: mqttv3.1\r\n",
        "Sec-WebSocket-Protocol: mqtt, chat\r\n"};
    struct script *s = *state;
    struct world *w;
    char format[512];

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (i)
            script_restart(s);
        w = begin(s);
        snprintf(format, sizeof(format), "%s%s\r\n", ANSWER, choices[i]);
        answered(w, format);
        assert_int_equal(w->disconnected, 1);
        assert_int_equal(w->error, MQTT_ERR_WEBSOCKET);
        assert_int_equal(w->below.sent_size, 0); /* no CONNECT */
        end(w);
    }
    script_restart(s);
    end(opened(s));
}

static void test_packets_leave_in_binary_frames(void **state)
{
    struct world *w = opened(*state);
    struct client_frame found;
    uint8_t bytes[80], all[64];
    size_t size;

    size = packets(w->s, all);
    comes(w, bytes, frame(bytes, 0x82, all, size));
    mqtt_publish(&w->s->client, "a", "x", 1, MQTT_QOS_0, false);
    turns(w);
    size = 0;
    for (size_t at = 0; at < w->below.sent_size; at += found.size) {
        assert_true(
            client_frame(w->below.sent + at, w->below.sent_size - at, &found));
        assert_int_equal(found.first, 0x82);
        assert_int_equal(found.payload[0], at ? 0x30 : 0x10);
        size = at;
    }
    assert_true(size > 0); /* there were two */
    end(w);
}

static void test_a_frame_that_is_not_binary_ends_the_connection(void **state)
{
    static const uint8_t kinds[] = {0x81, 0x01, 0x83, 0x87};
    struct script *s = *state;
    struct world *w;
    uint8_t bytes[80], all[64];
    size_t size;

    for (size_t i = 0; i < sizeof(kinds); i++) {
        if (i)
            script_restart(s);
        w = opened(s);
        size = packets(s, all);
        comes(w, bytes, frame(bytes, kinds[i], all, size));
        assert_int_equal(w->connected, 0);
        assert_int_equal(w->disconnected, 1);
        assert_int_equal(w->error, MQTT_ERR_WEBSOCKET);
        assert_int_equal(w->below.closes, 1);
        end(w);
    }
}

/* All in one frame, cut into two anywhere, and a frame for each byte, some of
 * which are fragments of messages. */
static void test_packets_need_not_be_aligned_to_frames(void **state)
{
    struct script *s = *state;
    struct world *w;
    uint8_t bytes[256], all[64];
    size_t count = packets(s, all), size;

    for (size_t cut = 0; cut <= count + 1; cut++) {
        if (cut)
            script_restart(s);
        w = opened(s);
        size = 0;
        if (cut <= count) {
            size = frame(bytes, 0x82, all, cut);
            size += frame(bytes + size, 0x82, all + cut, count - cut);
        }
        for (size_t i = 0; cut > count && i < count; i++)
            size += frame(bytes + size,
                          (const uint8_t[]){0x82, 0x02, 0x00, 0x80}[i % 4],
                          all + i, 1);
        if (cut > count && count % 4 != 1)
            size += frame(bytes + size, count % 4 ? 0x80 : 0x82, "", 0);
        comes(w, bytes, size);
        assert_int_equal(w->connected, 1);
        assert_int_equal(w->disconnected, 0);
        assert_string_equal(w->payload, "onetwothree");
        end(w);
    }
}

static const struct conformance_test tests[] = {
    proves(test_packets_leave_in_binary_frames, "3.1.1 MQTT-6.0.0-1",
           "5.0 MQTT-6.0.0-1"),
    proves(test_a_frame_that_is_not_binary_ends_the_connection,
           "3.1.1 MQTT-6.0.0-1", "5.0 MQTT-6.0.0-1"),
    proves(test_packets_need_not_be_aligned_to_frames, "3.1.1 MQTT-6.0.0-2",
           "5.0 MQTT-6.0.0-2"),
    proves_once(test_mqtt_is_offered_as_subprotocol, "3.1.1 MQTT-6.0.0-3",
                "5.0 MQTT-6.0.0-3"),
    proves(test_a_server_must_choose_mqtt, "3.1.1 MQTT-6.0.0-4",
           "5.0 MQTT-6.0.0-4"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "websocket", tests);
}
