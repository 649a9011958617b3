#include "below.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct below *of(struct mqtt_transport *transport)
{
    return (struct below *)transport;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t portion(const struct below *below, size_t size)
{
    return below->chunk ? least(below->chunk, size) : size;
}

static void begin(struct mqtt_transport *self, const struct mqtt_server *server,
                  mqtt_time now)
{
    (void)now;
    of(self)->server = server;
    of(self)->opens++;
}

static enum mqtt_transport_state advance(struct mqtt_transport *self,
                                         mqtt_time now)
{
    (void)now;
    return of(self)->state;
}

static ptrdiff_t receive(struct mqtt_transport *self, void *bytes, size_t size)
{
    struct below *below = of(self);

    assert_true(size > 0);
    below->recvs++;
    size = portion(below, least(size, below->in_size));
    if (!size && below->fails)
        return MQTT_IO_FAILED;
    if (!size)
        return below->ended ? MQTT_IO_END : MQTT_IO_WAIT;
    memcpy(bytes, below->in, size);
    below->in += size;
    below->in_size -= size;
    return (ptrdiff_t)size;
}

static ptrdiff_t transmit(struct mqtt_transport *self, const void *bytes,
                          size_t size)
{
    struct below *below = of(self);

    assert_true(size > 0);
    below->sends++;
    size = portion(below, least(size, below->room));
    if (!size)
        return MQTT_IO_WAIT;
    assert_true(below->sent_size + size <= sizeof below->sent);
    memcpy(below->sent + below->sent_size, bytes, size);
    below->sent_size += size;
    below->room -= size;
    return (ptrdiff_t)size;
}

static void finish(struct mqtt_transport *self)
{
    (void)self;
    fail_msg("half of what lies below was closed");
}

static void end_connection(struct mqtt_transport *self)
{
    of(self)->closes++;
}

static bool want(struct mqtt_transport *self, unsigned mask)
{
    of(self)->wanted = mask;
    return !of(self)->refuses;
}

static void ready(struct mqtt_transport *self, unsigned slot, unsigned mask)
{
    (void)self, (void)slot, (void)mask;
}

static mqtt_time deadline(struct mqtt_transport *self)
{
    (void)self;
    return MQTT_NEVER;
}

static enum mqtt_error error_of(struct mqtt_transport *self,
                                const char **detail)
{
    (void)self;
    *detail = "below";
    return MQTT_ERR_NETWORK;
}

static void attach(struct mqtt_transport *self, struct mqtt_reactor *reactor)
{
    (void)self, (void)reactor;
}

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = transmit,
    .finish = finish,
    .close = end_connection,
    .want = want,
    .ready = ready,
    .deadline = deadline,
    .error = error_of,
    .attach = attach,
};

void below_begin(struct below *below)
{
    memset(below, 0, offsetof(struct below, sent));
    below->base.ops = &ops;
    below->state = MQTT_TRANSPORT_OPEN;
    below->room = SIZE_MAX;
    below->sent_size = 0;
    below->wanted = below->opens = below->closes = 0;
    below->recvs = below->sends = 0;
}

void below_sends(struct below *below, const void *bytes, size_t size)
{
    below->in = bytes;
    below->in_size = size;
}
