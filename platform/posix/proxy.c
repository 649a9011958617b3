#include "proxy.h"

#include "../http/base64.h"
#include "../layer.h"
#include "proxy_talk.h"

#include <stdio.h>
#include <string.h>

/* For what is said once, credentials apart: a host name twice, and headers. */
#define OUT_SIZE 1024
#define SOCKS5_PORT 1080
#define HTTP_PORT 8080

static struct mqtt_proxy_layer *of(struct mqtt_transport *transport)
{
    return (struct mqtt_proxy_layer *)transport;
}

void mqtt_proxy_fail(struct mqtt_proxy_layer *self, const char *subject,
                     const char *text)
{
    self->state = MQTT_PROXY_FAILED;
    self->error = MQTT_ERR_PROXY;
    snprintf(self->detail, sizeof self->detail, "%s%s%s", subject,
             text[0] ? ": " : "", text);
}

static enum mqtt_error error_of(struct mqtt_transport *transport,
                                const char **detail)
{
    struct mqtt_proxy_layer *self = of(transport);

    if (self->error == MQTT_OK)
        return mqtt_layer_error(transport, detail);
    *detail = self->detail;
    return self->error;
}

void mqtt_proxy_put(struct mqtt_proxy_layer *self, const void *bytes,
                    size_t size)
{
    if (size > self->out_room - self->out_size) {
        mqtt_proxy_fail(self, "what it would be asked is too long", "");
        return;
    }
    memcpy(self->out + self->out_size, bytes, size);
    self->out_size += size;
}

/* ---- the conversation ---------------------------------------------------- */

/* 0: all has been said, MQTT_IO_WAIT, MQTT_IO_FAILED. */
static ptrdiff_t say(struct mqtt_proxy_layer *self)
{
    ptrdiff_t sent;

    while (self->out_at < self->out_size) {
        sent = mqtt_layer_send(&self->layer.transport, self->out + self->out_at,
                               self->out_size - self->out_at);
        if (sent <= 0)
            return sent == MQTT_IO_FAILED ? MQTT_IO_FAILED : MQTT_IO_WAIT;
        self->out_at += (size_t)sent;
    }
    self->out_at = self->out_size = 0;
    return mqtt_layer_flush(&self->layer.transport);
}

static ptrdiff_t listen_once(struct mqtt_proxy_layer *self)
{
    ptrdiff_t got =
        mqtt_layer_recv(&self->layer.transport, self->read, sizeof self->read);

    self->read_at = 0;
    self->read_size = got > 0 ? (size_t)got : 0;
    while (self->state == MQTT_PROXY_TALKING && self->read_at < self->read_size)
        self->talk->take(self, self->read[self->read_at++]);
    if (got == MQTT_IO_END)
        mqtt_proxy_fail(self, "the proxy closed without an answer", "");
    return got;
}

static void talk(struct mqtt_proxy_layer *self)
{
    ptrdiff_t left, got = 1;

    do {
        left = say(self);
        if (left != MQTT_IO_FAILED)
            got = listen_once(self);
        if (left == MQTT_IO_FAILED || got == MQTT_IO_FAILED)
            self->state = MQTT_PROXY_FAILED;
    } while (self->state == MQTT_PROXY_TALKING && got > 0);
    if (self->state == MQTT_PROXY_TALKING &&
        !mqtt_layer_want(&self->layer.transport, left == MQTT_IO_WAIT
                                                     ? MQTT_READ | MQTT_WRITE
                                                     : MQTT_READ))
        self->state = MQTT_PROXY_FAILED;
}

/* ---- to the connection --------------------------------------------------- */

/* A unix socket needs no proxy. */
static bool is_straight(const struct mqtt_proxy_layer *self)
{
    return self->url.scheme == MQTT_SCHEME_UNIX;
}

/* It means something on this machine only [RFC 6874, section 1]. */
static void leave_out_zone(struct mqtt_span *host)
{
    const char *text = host->data;
    const char *zone = text && memchr(text, ':', host->size)
                           ? memchr(text, '%', host->size)
                           : NULL;

    if (zone)
        host->size = (size_t)(zone - text);
}

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_proxy_layer *self = of(transport);

    self->error = MQTT_OK;
    self->detail[0] = 0;
    self->read_at = self->read_size = self->out_at = self->out_size = 0;
    if (mqtt_url_read(server, &self->url)) {
        mqtt_proxy_fail(self, "no address of a server", "");
        self->error = MQTT_ERR_SERVER;
        return;
    }
    leave_out_zone(&self->url.host);
    self->state = MQTT_PROXY_AWAIT_BELOW;
    mqtt_layer_open(transport, is_straight(self) ? server : &self->address,
                    now);
}

static void await_below(struct mqtt_proxy_layer *self, mqtt_time now)
{
    switch (mqtt_layer_advance(&self->layer.transport, now)) {
    case MQTT_TRANSPORT_OPENING:
        break;
    case MQTT_TRANSPORT_FAILED:
        self->state = MQTT_PROXY_FAILED;
        break;
    case MQTT_TRANSPORT_OPEN:
        self->state = is_straight(self) ? MQTT_PROXY_OPEN : MQTT_PROXY_TALKING;
        if (self->state == MQTT_PROXY_TALKING)
            self->talk->begin(self);
    }
}

static enum mqtt_transport_state advance(struct mqtt_transport *transport,
                                         mqtt_time now)
{
    struct mqtt_proxy_layer *self = of(transport);

    if (self->state == MQTT_PROXY_AWAIT_BELOW)
        await_below(self, now);
    if (self->state == MQTT_PROXY_TALKING)
        talk(self);
    if (self->state == MQTT_PROXY_OPEN)
        return MQTT_TRANSPORT_OPEN;
    return self->state == MQTT_PROXY_FAILED ? MQTT_TRANSPORT_FAILED
                                            : MQTT_TRANSPORT_OPENING;
}

static void end_connection(struct mqtt_transport *transport)
{
    of(transport)->state = MQTT_PROXY_CLOSED;
    mqtt_layer_close(transport);
}

/* ---- the connection ------------------------------------------------------ */

/* What came behind the proxy's answer is the server's. */
static ptrdiff_t receive(struct mqtt_transport *transport, void *bytes,
                         size_t size)
{
    struct mqtt_proxy_layer *self = of(transport);
    size_t left = self->read_size - self->read_at;

    if (!left || self->state != MQTT_PROXY_OPEN)
        return mqtt_layer_recv(transport, bytes, size);
    if (left > size)
        left = size;
    memcpy(bytes, self->read + self->read_at, left);
    self->read_at += left;
    return (ptrdiff_t)left;
}

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = mqtt_layer_send,
    .flush = mqtt_layer_flush,
    .finish = mqtt_layer_finish,
    .close = end_connection,
    .want = mqtt_layer_want,
    .ready = mqtt_layer_ready,
    .deadline = mqtt_layer_deadline,
    .error = error_of,
    .attach = mqtt_layer_attach,
    .lend = mqtt_layer_lend,
    .give_back = mqtt_layer_give_back,
    .count = mqtt_layer_count,
};

/* ---- making and ending --------------------------------------------------- */

static size_t size_of(const char *text)
{
    return text ? strlen(text) : 0;
}

/* "user:password", as basic credentials have it. */
static size_t credentials_size(const struct mqtt_proxy *proxy)
{
    if (!proxy->user_name)
        return 0;
    return strlen(proxy->user_name) + 1 + size_of(proxy->password);
}

static void lay_out_credentials(struct mqtt_proxy_layer *self)
{
    const struct mqtt_proxy *proxy = self->proxy;
    uint8_t *to = self->out + self->out_room;
    size_t size = size_of(proxy->user_name);

    if (!self->credentials_size)
        return;
    memcpy(to, proxy->user_name, size);
    to[size] = ':';
    if (proxy->password)
        memcpy(to + size + 1, proxy->password, strlen(proxy->password));
}

size_t mqtt_proxy_size(const struct mqtt_proxy *proxy)
{
    size_t size = credentials_size(proxy);

    return sizeof(struct mqtt_proxy_layer) + OUT_SIZE + MQTT_BASE64_SIZE(size) +
           size;
}

struct mqtt_layer *mqtt_proxy_init(void *memory, const struct mqtt_proxy *proxy)
{
    struct mqtt_proxy_layer *self = memory;
    bool socks5 = proxy->protocol == MQTT_PROXY_SOCKS5;
    uint16_t port = socks5 ? SOCKS5_PORT : HTTP_PORT;

    memset(self, 0, sizeof *self);
    self->layer.transport.ops = &ops;
    self->proxy = proxy;
    self->talk = socks5 ? &mqtt_socks5 : &mqtt_http_connect;
    self->address.address = proxy->address;
    self->address.port = proxy->port ? proxy->port : port;
    self->credentials_size = credentials_size(proxy);
    self->out_room = OUT_SIZE + MQTT_BASE64_SIZE(self->credentials_size);
    lay_out_credentials(self);
    return &self->layer;
}

void mqtt_proxy_end(struct mqtt_layer *layer)
{
    end_connection(&layer->transport);
}
