/*
 * websocket.c - the layer of WebSocket over a transport in memory.
 *
 * An input is a byte of options, a byte that says in which pieces the server's
 * bytes come, and those: frames behind a good answer, or the answer itself.
 * However they come, the same is read, and ends in the same way; and what
 * leaves are frames as a client's must be.
 */
#include "fuzz.h"

#include "../net/below.h"
#include "../net/websocket_bytes.h"

#include <mqttloop/client.h>
#include <mqttloop/websocket.h>
#include <stdlib.h>

enum { ANSWERS_ITSELF = 1, ENDS = 2, SENDS = 4 };
#define MOST 65536

/* What came out of a run. */
struct run {
    uint8_t payload[MOST];
    size_t size;
    bool was_open;
    ptrdiff_t end;
    enum mqtt_error error;
    char detail[256];
};

static struct below below;
static const struct mqtt_server server = {"ws://localhost/mqtt", 0};

static struct mqtt_transport *make(void)
{
    struct mqtt_layer *layer = mqtt_websocket.init(
        &mqtt_websocket, malloc(mqtt_websocket.size(&mqtt_websocket)));

    layer->below = &below.base;
    return &layer->transport;
}

static void end(struct mqtt_transport *transport)
{
    struct mqtt_layer *layer = (struct mqtt_layer *)transport;

    mqtt_websocket.end(layer);
    free(layer);
}

/* The request leaves; its head is a string then. */
static void ask(struct mqtt_transport *transport)
{
    transport->ops->open(transport, &server, 0);
    require(transport->ops->advance(transport, 0) == MQTT_TRANSPORT_OPENING);
    below.sent[below.sent_size] = 0;
}

static void answer_well(struct mqtt_transport *transport)
{
    static char text[ANSWER_SIZE];
    size_t size = good_answer(text, (const char *)below.sent);

    below_sends(&below, text, size);
    require(transport->ops->advance(transport, 0) == MQTT_TRANSPORT_OPEN);
    below.sent_size = 0; /* frames from here on */
}

static void read_all(struct mqtt_transport *transport, struct run *run)
{
    uint8_t piece[300];

    while ((run->end = transport->ops->recv(transport, piece, sizeof piece)) >
           0) {
        require(run->size + (size_t)run->end <= MOST);
        memcpy(run->payload + run->size, piece, (size_t)run->end);
        run->size += (size_t)run->end;
    }
}

/* Masked, whole, and nothing behind Close. */
static void look_at_frames(void)
{
    struct client_frame frame = {.first = 0};
    size_t at = 0;

    while (at < below.sent_size) {
        require((frame.first & 0x0f) != 0x08);
        require(client_frame(below.sent + at, below.sent_size - at, &frame));
        require(frame.first == 0x82 || frame.first == 0x88 ||
                frame.first == 0x8a);
        at += frame.size;
    }
}

static void go(struct mqtt_transport *transport, unsigned options,
               struct run *run)
{
    const char *detail = NULL;
    bool open = transport->ops->advance(transport, 0) == MQTT_TRANSPORT_OPEN;

    run->was_open = open;
    run->end = MQTT_IO_FAILED;
    if (open && options & SENDS)
        transport->ops->send(transport, "hello", 5);
    if (open)
        read_all(transport, run);
    if (open)
        transport->ops->flush(transport);
    if (open && !(options & ANSWERS_ITSELF))
        look_at_frames();
    run->error = transport->ops->error(transport, &detail);
    strncpy(run->detail, detail, sizeof run->detail - 1);
}

static void run_once(const uint8_t *bytes, size_t size, unsigned options,
                     size_t chunk, struct run *run)
{
    struct mqtt_transport *transport = make();

    memset(run, 0, sizeof *run);
    below_begin(&below);
    ask(transport);
    if (!(options & ANSWERS_ITSELF))
        answer_well(transport);
    below.chunk = chunk;
    below.ended = options & ENDS;
    below_sends(&below, bytes, size);
    go(transport, options, run);
    end(transport);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    static struct run whole, split;

    if (size < 2)
        return;
    run_once(bytes + 2, size - 2, bytes[0], 0, &whole);
    require(whole.size <= size - 2);
    run_once(bytes + 2, size - 2, bytes[0], 1u + bytes[1] % 16, &split);
    require(whole.was_open == split.was_open && whole.size == split.size);
    require(memcmp(whole.payload, split.payload, whole.size) == 0);
    require(whole.end == split.end && whole.error == split.error);
    require(strcmp(whole.detail, split.detail) == 0);
}
