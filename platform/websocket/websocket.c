#include "websocket.h"

#include "../layer.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Bytes of a read from below: it bounds the frames of a turn. */
#define PIECE 16384

static struct mqtt_websocket *of(struct mqtt_transport *transport)
{
    return (struct mqtt_websocket *)transport;
}

bool mqtt_websocket_random(void *out, size_t size)
{
    return getrandom(out, size, GRND_NONBLOCK) == (ptrdiff_t)size;
}

void mqtt_websocket_fail(struct mqtt_websocket *self, const char *subject,
                         const char *text)
{
    self->state = MQTT_WEBSOCKET_FAILED;
    self->error = MQTT_ERR_WEBSOCKET;
    snprintf(self->detail, sizeof self->detail, "%s%s%s", subject,
             text[0] ? ": " : "", text);
}

static enum mqtt_error error_of(struct mqtt_transport *transport,
                                const char **detail)
{
    struct mqtt_websocket *self = of(transport);

    if (self->error == MQTT_OK)
        return mqtt_layer_error(transport, detail);
    *detail = self->detail;
    return self->error;
}

/* ---- to the connection --------------------------------------------------- */

/* Not the memory for bytes: that costs more than all else. */
static void forget(struct mqtt_websocket *self)
{
    self->error = MQTT_OK;
    self->detail[0] = 0;
    self->seen = 0;
    self->unlike = NULL;
    self->early_at = self->early_size = 0;
    self->left = 0;
    self->in_message = false;
    self->idle = 0;
    self->control_size = self->pong_size = 0;
    self->gathered = self->out_at = self->out_size = 0;
    self->has_pong = self->closing = false;
    self->close_code = 0;
    self->masks_left = 0;
}

static void end_connection(struct mqtt_transport *transport)
{
    struct mqtt_websocket *self = of(transport);

    mqtt_websocket_frames_end(self);
    self->state = MQTT_WEBSOCKET_CLOSED;
    mqtt_layer_close(transport);
}

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_websocket *self = of(transport);

    forget(self);
    self->server = server;
    self->state = MQTT_WEBSOCKET_AWAIT_BELOW;
    mqtt_layer_open(transport, server, now);
}

static void await_below(struct mqtt_websocket *self, mqtt_time now)
{
    switch (mqtt_layer_advance(&self->layer.transport, now)) {
    case MQTT_TRANSPORT_OPENING:
        break;
    case MQTT_TRANSPORT_FAILED:
        self->state = MQTT_WEBSOCKET_FAILED;
        break;
    case MQTT_TRANSPORT_OPEN:
        if (!mqtt_websocket_frames_begin(self))
            mqtt_websocket_fail(self, "no memory", "");
        else if (mqtt_websocket_ask(self))
            self->state = MQTT_WEBSOCKET_AWAIT_ANSWER;
    }
}

static enum mqtt_transport_state advance(struct mqtt_transport *transport,
                                         mqtt_time now)
{
    struct mqtt_websocket *self = of(transport);

    if (self->state == MQTT_WEBSOCKET_AWAIT_BELOW)
        await_below(self, now);
    if (self->state == MQTT_WEBSOCKET_AWAIT_ANSWER)
        mqtt_websocket_shake(self);
    if (self->state == MQTT_WEBSOCKET_OPEN)
        return MQTT_TRANSPORT_OPEN;
    return self->state == MQTT_WEBSOCKET_FAILED ? MQTT_TRANSPORT_FAILED
                                                : MQTT_TRANSPORT_OPENING;
}

/* ---- the connection ------------------------------------------------------ */

/* Bytes that came behind the answer come before those from below. */
static ptrdiff_t receive_framed(struct mqtt_websocket *self, void *bytes,
                                size_t size)
{
    size_t early = self->early_size - self->early_at;

    if (size > PIECE)
        size = PIECE;
    if (!early)
        return mqtt_layer_recv(&self->layer.transport, bytes, size);
    if (early > size)
        early = size;
    memcpy(bytes, self->early + self->early_at, early);
    self->early_at += early;
    return (ptrdiff_t)early;
}

/* What below answers once nothing is left to be read there: whoever reads does
 * not come back before it is ready anew. */
static ptrdiff_t receive_payload(struct mqtt_websocket *self, void *bytes,
                                 size_t size)
{
    ptrdiff_t got;

    while (self->state == MQTT_WEBSOCKET_OPEN) {
        got = receive_framed(self, bytes, size);
        if (got <= 0)
            return got;
        got = (ptrdiff_t)mqtt_websocket_unframe(self, bytes, (size_t)got);
        if (got > 0)
            return got;
    }
    return self->state == MQTT_WEBSOCKET_ENDED ? MQTT_IO_END : MQTT_IO_FAILED;
}

static ptrdiff_t receive(struct mqtt_transport *transport, void *bytes,
                         size_t size)
{
    struct mqtt_websocket *self = of(transport);
    ptrdiff_t got = receive_payload(self, bytes, size);

    if (self->has_pong && mqtt_websocket_push_all(self) == MQTT_IO_FAILED &&
        got <= 0)
        return MQTT_IO_FAILED;
    return got;
}

static ptrdiff_t transmit(struct mqtt_transport *transport, const void *bytes,
                          size_t size)
{
    struct mqtt_websocket *self = of(transport);

    if (self->state != MQTT_WEBSOCKET_OPEN || self->close_code)
        return self->state == MQTT_WEBSOCKET_FAILED ? MQTT_IO_FAILED
                                                    : MQTT_IO_WAIT;
    return mqtt_websocket_gather(self, bytes, size);
}

static ptrdiff_t flush(struct mqtt_transport *transport)
{
    struct mqtt_websocket *self = of(transport);

    if (self->state == MQTT_WEBSOCKET_FAILED)
        return MQTT_IO_FAILED;
    return mqtt_websocket_push_all(self);
}

/* The server closes what lies below when it has answered [RFC 6455, 7.1.1]. */
static void finish(struct mqtt_transport *transport)
{
    struct mqtt_websocket *self = of(transport);

    if (!self->close_code)
        self->close_code = 1000;
}

/* Once in each turn of the driver, at its end. After Close send() takes no
 * more, and to wait for the room that there is would be to spin. */
static bool want(struct mqtt_transport *transport, unsigned mask)
{
    struct mqtt_websocket *self = of(transport);

    self->idle = 0;
    if (self->close_code)
        mask &= ~(unsigned)MQTT_WRITE;
    if (mqtt_websocket_is_pending(self))
        mask |= MQTT_WRITE;
    return mqtt_layer_want(transport, mask);
}

/* ---- making and ending --------------------------------------------------- */

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = transmit,
    .flush = flush,
    .finish = finish,
    .close = end_connection,
    .want = want,
    .ready = mqtt_layer_ready,
    .deadline = mqtt_layer_deadline,
    .error = error_of,
    .attach = mqtt_layer_attach,
    .lend = mqtt_layer_lend,
    .give_back = mqtt_layer_give_back,
    .count = mqtt_layer_count,
};

static size_t size_of(const struct mqtt_layer_kind *kind)
{
    (void)kind;
    return sizeof(struct mqtt_websocket);
}

/* The kind that is exported has no options around it. */
static const struct mqtt_websocket_options *
options_of(const struct mqtt_layer_kind *kind)
{
    static const struct mqtt_websocket_options all_default;

    return kind == &mqtt_websocket
               ? &all_default
               : (const struct mqtt_websocket_options *)kind;
}

static struct mqtt_layer *make(const struct mqtt_layer_kind *kind, void *memory)
{
    struct mqtt_websocket *self = memory;

    memset(self, 0, offsetof(struct mqtt_websocket, out));
    self->layer.transport.ops = &ops;
    self->options = options_of(kind);
    return &self->layer;
}

static void end(struct mqtt_layer *layer)
{
    end_connection(&layer->transport);
}

const struct mqtt_layer_kind mqtt_websocket = {size_of, make, end};
