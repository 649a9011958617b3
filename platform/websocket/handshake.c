/*
 * The opening handshake of a client [RFC 6455, section 4.1].
 */
#include "websocket.h"

#include "../http/base64.h"
#include "../layer.h"
#include "sha1.h"

#include <stdio.h>
#include <string.h>

#define LARGEST_ANSWER 8192
#define KEY_BYTES 16
#define KEY_SIZE MQTT_BASE64_SIZE(KEY_BYTES)

/* ---- the request --------------------------------------------------------- */

struct request {
    struct mqtt_websocket *self;
    const char *fault; /* NULL: good so far */
};

static void put_bytes(struct request *r, const void *bytes, size_t size)
{
    struct mqtt_websocket *self = r->self;

    if (size > sizeof self->out - self->out_size) {
        r->fault = "its request is too large";
        return;
    }
    memcpy(self->out + self->out_size, bytes, size);
    self->out_size += size;
}

static void put(struct request *r, const char *text)
{
    put_bytes(r, text, strlen(text));
}

/* What others have written must not end its line. */
static void put_foreign(struct request *r, struct mqtt_span text)
{
    const unsigned char *at = text.data;

    for (size_t i = 0; i < text.size; i++)
        if (at[i] < ' ' || at[i] == 0x7f)
            r->fault = "a control character in its request";
    put_bytes(r, text.data, text.size);
}

static void put_header(struct request *r, const char *name, const char *value)
{
    if (!value)
        return;
    put_foreign(r, mqtt_text(name));
    put(r, ": ");
    put_foreign(r, mqtt_text(value));
    put(r, "\r\n");
}

static bool is_of_scheme(const struct mqtt_url *url)
{
    return (url->scheme == MQTT_SCHEME_WS && url->port == 80) ||
           (url->scheme == MQTT_SCHEME_WSS && url->port == 443);
}

/* A zone means something on this machine only, and has to be left out
 * [RFC 6874, section 4]. */
static void put_host(struct request *r, const struct mqtt_url *url)
{
    bool v6 = memchr(url->host.data, ':', url->host.size);
    const char *zone = v6 ? memchr(url->host.data, '%', url->host.size) : NULL;
    struct mqtt_span host = url->host;
    char port[8];

    if (zone)
        host.size = (size_t)(zone - (const char *)host.data);
    put(r, "Host: ");
    put(r, v6 ? "[" : "");
    put_foreign(r, host);
    put(r, v6 ? "]" : "");
    snprintf(port, sizeof port, ":%u", url->port);
    put(r, is_of_scheme(url) ? "" : port);
    put(r, "\r\n");
}

/* A unix socket has no host, and its path is a file. */
static void put_first_lines(struct request *r, const struct mqtt_url *url)
{
    const struct mqtt_websocket_options *options = r->self->options;
    const char *path = options->path ? options->path : "/mqtt";
    bool has_path = url->path.data && url->scheme != MQTT_SCHEME_UNIX;

    put(r, "GET ");
    put_foreign(r, has_path ? url->path : mqtt_text(path));
    put(r, " HTTP/1.1\r\n");
    if (options->host || !url->host.data)
        put_header(r, "Host", options->host ? options->host : "localhost");
    else
        put_host(r, url);
}

static const char *subprotocol(const struct mqtt_websocket *self)
{
    return self->options->subprotocol ? self->options->subprotocol : "mqtt";
}

/* What the server has to answer to this key. */
static void expect(struct mqtt_websocket *self, const char key[KEY_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char both[KEY_SIZE + sizeof guid - 1];
    uint8_t digest[MQTT_SHA1_SIZE];

    memcpy(both, key, KEY_SIZE);
    memcpy(both + KEY_SIZE, guid, sizeof guid - 1);
    mqtt_sha1(both, sizeof both, digest);
    mqtt_base64_write(digest, sizeof digest, self->accept);
}

static void put_key(struct request *r)
{
    uint8_t bytes[KEY_BYTES];
    char key[KEY_SIZE];

    if (!mqtt_websocket_random(bytes, sizeof bytes)) {
        r->fault = "the machine has no random bytes yet";
        return;
    }
    mqtt_base64_write(bytes, sizeof bytes, key);
    expect(r->self, key);
    put(r, "Sec-WebSocket-Key: ");
    put_bytes(r, key, sizeof key);
    put(r, "\r\n");
}

static void put_all(struct request *r, const struct mqtt_url *url)
{
    const struct mqtt_websocket_options *options = r->self->options;

    put_first_lines(r, url);
    put(r, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\n");
    put_key(r);
    put_header(r, "Sec-WebSocket-Protocol", subprotocol(r->self));
    put_header(r, "Origin", options->origin);
    for (size_t i = 0; i < options->header_count; i++)
        put_header(r, options->headers[i].name, options->headers[i].value);
    put(r, "\r\n");
}

static void take_field(void *context, struct mqtt_span name,
                       struct mqtt_span value);

bool mqtt_websocket_ask(struct mqtt_websocket *self)
{
    struct request request = {self, NULL};
    uint32_t largest = self->options->largest_answer;
    struct mqtt_url url;

    mqtt_http_answer_begin(&self->answer, largest ? largest : LARGEST_ANSWER);
    self->answer.field = take_field;
    self->answer.context = self;
    if (mqtt_url_read(self->server, &url))
        request.fault = "no address of a server";
    else
        put_all(&request, &url);
    if (request.fault)
        mqtt_websocket_fail(self, request.fault, "");
    return !request.fault;
}

/* ---- the answer ---------------------------------------------------------- */

enum {
    SEEN_UPGRADE = 1,
    SEEN_CONNECTION = 2,
    SEEN_ACCEPT = 4,
    SEEN_PROTOCOL = 8,
    SEEN_ALL = 15
};

static void check(struct mqtt_websocket *self, unsigned header, bool good,
                  const char *text)
{
    if (!good && !self->unlike)
        self->unlike = text;
    self->seen |= header;
}

static bool is_text(struct mqtt_span span, const char *text, size_t size)
{
    return span.size == size && memcmp(span.data, text, size) == 0;
}

static bool is_first(const struct mqtt_websocket *self, unsigned header)
{
    return !(self->seen & header);
}

static void take_field(void *context, struct mqtt_span name,
                       struct mqtt_span value)
{
    struct mqtt_websocket *self = context;
    const char *ours = subprotocol(self);

    if (mqtt_http_same(name, "Upgrade"))
        check(self, SEEN_UPGRADE, mqtt_http_same(value, "websocket"),
              "it upgrades to something else");
    else if (mqtt_http_same(name, "Connection"))
        self->seen |= mqtt_http_lists(value, "Upgrade") ? SEEN_CONNECTION : 0;
    else if (mqtt_http_same(name, "Sec-WebSocket-Accept"))
        check(self, SEEN_ACCEPT,
              is_first(self, SEEN_ACCEPT) &&
                  is_text(value, self->accept, sizeof self->accept),
              "its accept key is wrong");
    else if (mqtt_http_same(name, "Sec-WebSocket-Protocol"))
        check(self, SEEN_PROTOCOL,
              is_first(self, SEEN_PROTOCOL) &&
                  is_text(value, ours, strlen(ours)),
              "it chooses another subprotocol");
    else if (mqtt_http_same(name, "Sec-WebSocket-Extensions"))
        check(self, 0, !value.size, "it chooses an extension");
}

static const char *missing(unsigned seen)
{
    if (!(seen & SEEN_UPGRADE))
        return "it does not upgrade to WebSocket";
    if (!(seen & SEEN_CONNECTION))
        return "its answer lacks Connection: Upgrade";
    if (!(seen & SEEN_ACCEPT))
        return "its answer lacks an accept key";
    return "it does not choose our subprotocol";
}

static void judge(struct mqtt_websocket *self)
{
    if (self->answer.minor == 0)
        self->unlike = "it speaks HTTP/1.0";
    if (!self->unlike && self->seen != SEEN_ALL)
        self->unlike = missing(self->seen);
    if (self->unlike)
        mqtt_websocket_fail(self, self->unlike, self->answer.status_line);
    else
        self->state = MQTT_WEBSOCKET_OPEN;
}

/* An answer that is not 101 is not read to its end: its status says all. */
static void take_byte(struct mqtt_websocket *self, char byte)
{
    struct mqtt_http_answer *answer = &self->answer;

    switch (mqtt_http_answer_take(answer, byte)) {
    case MQTT_HTTP_FAULT:
        mqtt_websocket_fail(self, answer->fault, answer->status_line);
        break;
    case MQTT_HTTP_END:
        judge(self);
        break;
    case MQTT_HTTP_MORE:
        if (answer->status >= 200)
            mqtt_websocket_fail(self, "the server answers",
                                answer->status_line);
    }
}

/* Whether to look again. */
static bool read_early(struct mqtt_websocket *self)
{
    ptrdiff_t got = mqtt_layer_recv(&self->layer.transport, self->early,
                                    sizeof self->early);

    if (got == MQTT_IO_END)
        mqtt_websocket_fail(self, "the server closed without an answer",
                            self->answer.status_line);
    else if (got == MQTT_IO_FAILED)
        self->state = MQTT_WEBSOCKET_FAILED;
    self->early_at = 0;
    self->early_size = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static void read_answer(struct mqtt_websocket *self)
{
    while (self->state == MQTT_WEBSOCKET_AWAIT_ANSWER && read_early(self))
        while (self->state == MQTT_WEBSOCKET_AWAIT_ANSWER &&
               self->early_at < self->early_size)
            take_byte(self, (char)self->early[self->early_at++]);
}

void mqtt_websocket_shake(struct mqtt_websocket *self)
{
    ptrdiff_t left = mqtt_websocket_push_all(self);

    if (left == MQTT_IO_FAILED)
        self->state = MQTT_WEBSOCKET_FAILED;
    else
        read_answer(self);
    if (self->state == MQTT_WEBSOCKET_AWAIT_ANSWER &&
        !mqtt_layer_want(&self->layer.transport, left == MQTT_IO_WAIT
                                                     ? MQTT_READ | MQTT_WRITE
                                                     : MQTT_READ))
        self->state = MQTT_WEBSOCKET_FAILED;
}
