/*
 * websocket_layer.c - the layer of WebSocket over a transport in memory: exact
 * bytes both ways, split at every byte.
 */
#include "below.h"
#include "websocket_bytes.h"

#include "../../platform/http/base64.h"
#include "../../platform/websocket/sha1.h"

#include <mqttloop/client.h>
#include <mqttloop/websocket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a layer, and its other side ----------------------------------------- */

struct rig {
    struct below below;
    struct mqtt_server server;
    const struct mqtt_layer_kind *kind;
    struct mqtt_layer *layer;
    struct mqtt_transport *top;
    char request[4096];
    uint8_t got[65536]; /* what recv() gave */
    size_t got_size;
    size_t room;    /* of a recv(); 0: much */
    ptrdiff_t last; /* what recv() said last */
};

static void rig_begin(struct rig *rig, const struct mqtt_layer_kind *kind,
                      const char *address)
{
    memset(rig, 0, offsetof(struct rig, got));
    rig->got_size = rig->room = 0;
    rig->last = MQTT_IO_WAIT;
    below_begin(&rig->below);
    rig->server.address = address;
    rig->kind = kind;
    rig->layer = kind->init(kind, test_malloc(kind->size(kind)));
    assert_non_null(rig->layer);
    rig->layer->below = &rig->below.base;
    rig->top = &rig->layer->transport;
    rig->top->ops->open(rig->top, &rig->server, 0);
}

static void rig_end(struct rig *rig)
{
    rig->kind->end(rig->layer);
    test_free(rig->layer);
}

static enum mqtt_transport_state advances(struct rig *rig)
{
    return rig->top->ops->advance(rig->top, 0);
}

/* The request has left and is taken from what was sent. */
static void asks(struct rig *rig)
{
    assert_int_equal(advances(rig), MQTT_TRANSPORT_OPENING);
    assert_in_range(rig->below.sent_size, 1, sizeof rig->request - 1);
    memcpy(rig->request, rig->below.sent, rig->below.sent_size);
    rig->request[rig->below.sent_size] = 0;
    rig->below.sent_size = 0;
}

static void opens(struct rig *rig)
{
    char text[ANSWER_SIZE];

    asks(rig);
    below_sends(&rig->below, text, good_answer(text, rig->request));
    assert_int_equal(advances(rig), MQTT_TRANSPORT_OPEN);
}

static void rig_open(struct rig *rig)
{
    rig_begin(rig, &mqtt_websocket, "ws://h/mqtt");
    opens(rig);
}

/* Read until there is no more. */
static void reads(struct rig *rig)
{
    size_t room;

    do {
        room = sizeof rig->got - rig->got_size;
        if (rig->room && rig->room < room)
            room = rig->room;
        rig->last =
            rig->top->ops->recv(rig->top, rig->got + rig->got_size, room);
        if (rig->last > 0)
            rig->got_size += (size_t)rig->last;
    } while (rig->last > 0);
}

static void server_sends(struct rig *rig, const void *bytes, size_t size)
{
    below_sends(&rig->below, bytes, size);
    reads(rig);
}

#define server_sends_bytes(rig, ...)                                           \
    server_sends(rig, (const uint8_t[]){__VA_ARGS__},                          \
                 sizeof((const uint8_t[]){__VA_ARGS__}))

static void expect_got(const struct rig *rig, const char *text)
{
    assert_int_equal(rig->got_size, strlen(text));
    assert_memory_equal(rig->got, text, strlen(text));
}

static void expect_failed(struct rig *rig, const char *detail)
{
    const char *words = NULL;

    assert_int_equal(rig->top->ops->error(rig->top, &words),
                     MQTT_ERR_WEBSOCKET);
    assert_string_equal(words, detail);
}

/* The next frame that was sent; its payload stays valid. */
static struct client_frame takes_frame(struct rig *rig)
{
    static uint8_t copy[sizeof rig->below.sent];
    struct client_frame found;

    assert_true(client_frame(rig->below.sent, rig->below.sent_size, &found));
    memcpy(copy, rig->below.sent, found.size);
    found.payload = copy + (found.size - found.payload_size);
    rig->below.sent_size -= found.size;
    memmove(rig->below.sent, rig->below.sent + found.size,
            rig->below.sent_size);
    return found;
}

static void expect_frame(struct rig *rig, uint8_t first, const void *payload,
                         size_t size)
{
    struct client_frame found = takes_frame(rig);

    assert_int_equal(found.first, first);
    assert_int_equal(found.payload_size, size);
    if (size)
        assert_memory_equal(found.payload, payload, size);
}

static void expect_close(struct rig *rig, unsigned code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    expect_frame(rig, 0x88, payload, 2);
    assert_int_equal(rig->below.sent_size, 0);
}

/* ---- the request --------------------------------------------------------- */

static void test_sha1_and_base64_give_the_accept_key_of_the_rfc(void **state)
{
    static const char both[] =
        "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[MQTT_SHA1_SIZE];
    char key[MQTT_BASE64_SIZE(16)], accept[MQTT_BASE64_SIZE(MQTT_SHA1_SIZE)];

    (void)state;
    mqtt_sha1(both, sizeof both - 1, digest);
    mqtt_base64_write(digest, sizeof digest, accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof accept);
    mqtt_base64_write("the sample nonce", 16, key);
    assert_memory_equal(key, "dGhlIHNhbXBsZSBub25jZQ==", sizeof key);
}

/* [RFC 3174, section 7.3], and lengths around a block: what sha1sum(1) says of
 * so many letters 'a'. */
static void test_sha1_of_texts_of_all_lengths(void **state)
{
    static const struct {
        size_t size;
        uint8_t first[4];
    } rows[] = {
        {0, {0xda, 0x39, 0xa3, 0xee}},   {55, {0xc1, 0xc8, 0xbb, 0xdc}},
        {56, {0xc2, 0xdb, 0x33, 0x0f}},  {63, {0x03, 0xf0, 0x9f, 0x5b}},
        {64, {0x00, 0x98, 0xba, 0x82}},  {65, {0x11, 0x65, 0x53, 0x26}},
        {119, {0xee, 0x97, 0x10, 0x65}}, {120, {0xf3, 0x4c, 0x14, 0x88}},
    };
    uint8_t digest[MQTT_SHA1_SIZE];
    char text[128];

    (void)state;
    memset(text, 'a', sizeof text);
    mqtt_sha1("abc", 3, digest);
    assert_memory_equal(digest,
                        "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e"
                        "\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d",
                        20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mqtt_sha1(text, rows[i].size, digest);
        assert_memory_equal(digest, rows[i].first, 4);
    }
}

static void test_base64_of_texts_of_all_lengths(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfd", "//79"},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mqtt_base64_write(rows[i][0], strlen(rows[i][0]), out);
        assert_int_equal(MQTT_BASE64_SIZE(strlen(rows[i][0])),
                         strlen(rows[i][1]));
        assert_memory_equal(out, rows[i][1], strlen(rows[i][1]));
    }
}

/* What stands behind the key is compared whole. */
static void expect_request(const struct rig *rig, const char *before,
                           const char *behind)
{
    static const char header[] = "Sec-WebSocket-Key: ";
    const char *key = strstr(rig->request, header);

    assert_non_null(key);
    assert_int_equal(key - rig->request, strlen(before));
    assert_memory_equal(rig->request, before, strlen(before));
    assert_string_equal(key + sizeof header - 1 + 24, behind);
}

static void test_the_request_is_that_of_the_rfc(void **state)
{
    static struct rig rig;

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://broker.example");
    asks(&rig);
    expect_request(&rig,
                   "GET /mqtt HTTP/1.1\r\n"
                   "Host: broker.example\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\n",
                   "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
    rig_end(&rig);
}

static void test_the_request_has_what_the_url_says(void **state)
{
    static const char *const rows[][3] = {
        {"ws://h/", "GET / HTTP", "Host: h\r\n"},
        {"ws://h:80/a?b=c", "GET /a?b=c HTTP", "Host: h\r\n"},
        {"ws://h:8083", "GET /mqtt HTTP", "Host: h:8083\r\n"},
        {"wss://h:443", "GET /mqtt HTTP", "Host: h\r\n"},
        {"wss://h:80", "GET /mqtt HTTP", "Host: h:80\r\n"},
        {"ws://[2001:db8::1]/x", "GET /x HTTP", "Host: [2001:db8::1]\r\n"},
        {"ws://[fe80::1%25eth0]/x", "GET /x HTTP", "Host: [fe80::1]\r\n"},
        {"ws://u:p@h/x", "GET /x HTTP", "Host: h\r\n"},
        {"unix:/run/x", "GET /mqtt HTTP", "Host: localhost\r\n"},
    };
    static struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_begin(&rig, &mqtt_websocket, rows[i][0]);
        asks(&rig);
        if (!strstr(rig.request, rows[i][1]) ||
            !strstr(rig.request, rows[i][2]))
            fail_msg("%s: %s", rows[i][0], rig.request);
        rig_end(&rig);
    }
}

static void test_the_request_has_what_the_options_say(void **state)
{
    static const struct mqtt_websocket_header headers[] = {
        {"Authorization", "Bearer x"}, {"X-Empty", ""}};
    struct mqtt_websocket_options options = {.kind = mqtt_websocket,
                                             .path = "/ws?x",
                                             .subprotocol = "mqttv3.1",
                                             .host = "other.example",
                                             .origin = "https://o.example",
                                             .headers = headers,
                                             .header_count = 2};
    static struct rig rig;

    (void)state;
    rig_begin(&rig, &options.kind, "ws://h");
    asks(&rig);
    expect_request(&rig,
                   "GET /ws?x HTTP/1.1\r\n"
                   "Host: other.example\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\n",
                   "\r\nSec-WebSocket-Protocol: mqttv3.1\r\n"
                   "Origin: https://o.example\r\n"
                   "Authorization: Bearer x\r\nX-Empty: \r\n\r\n");
    rig_end(&rig);
}

static void test_each_connection_has_another_key(void **state)
{
    static struct rig rig;
    char first[sizeof rig.request];

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://h");
    asks(&rig);
    memcpy(first, rig.request, sizeof first);
    rig.top->ops->close(rig.top);
    rig.top->ops->open(rig.top, &rig.server, 0);
    asks(&rig);
    assert_string_not_equal(first, rig.request);
    rig_end(&rig);
}

static void expect_no_request(const struct mqtt_websocket_options *options,
                              const char *detail)
{
    static struct rig rig;

    rig_begin(&rig, &options->kind, "ws://h");
    assert_int_equal(advances(&rig), MQTT_TRANSPORT_FAILED);
    expect_failed(&rig, detail);
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_a_header_cannot_end_its_line(void **state)
{
    static const char words[] = "a control character in its request";
    struct mqtt_websocket_header header = {"X", "a\r\nY: b"};
    struct mqtt_websocket_options options = {
        .kind = mqtt_websocket, .headers = &header, .header_count = 1};

    (void)state;
    expect_no_request(&options, words);
    header = (struct mqtt_websocket_header){"X\n", "a"};
    expect_no_request(&options, words);
    options.header_count = 0;
    options.origin = "\x7f";
    expect_no_request(&options, words);
    options.origin = NULL;
    options.path = "/\r";
    expect_no_request(&options, words);
}

static void test_a_request_that_is_too_large_is_not_sent(void **state)
{
    static char large[20000];
    struct mqtt_websocket_options options = {.kind = mqtt_websocket,
                                             .origin = large};

    (void)state;
    memset(large, 'x', sizeof large - 1);
    expect_no_request(&options, "its request is too large");
}

/* ---- the answer ---------------------------------------------------------- */

static void test_the_answer_is_read_split_at_every_byte(void **state)
{
    static const uint8_t behind[] = {0x82, 0x02, 'h',  'i', 0x02,
                                     0x00, 0x80, 0x01, '!'};
    char bytes[ANSWER_SIZE + sizeof behind];
    static struct rig rig;
    size_t size = 1;

    (void)state;
    for (size_t at = 0; at <= size; at++) {
        rig_begin(&rig, &mqtt_websocket, "ws://h");
        asks(&rig);
        size = good_answer(bytes, rig.request);
        memcpy(bytes + size, behind, 4);
        size += 4;
        below_sends(&rig.below, bytes, at);
        if (advances(&rig) == MQTT_TRANSPORT_OPEN)
            reads(&rig);
        below_sends(&rig.below, bytes + at, size - at);
        assert_int_equal(advances(&rig), MQTT_TRANSPORT_OPEN);
        reads(&rig);
        expect_got(&rig, "hi");
        assert_int_equal(rig.last, MQTT_IO_WAIT);
        rig_end(&rig);
    }
}

static void test_the_request_leaves_byte_by_byte(void **state)
{
    static struct rig rig;

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://h");
    rig.below.room = 0;
    while (!strstr((const char *)rig.below.sent, "\r\n\r\n")) {
        assert_int_equal(advances(&rig), MQTT_TRANSPORT_OPENING);
        assert_int_equal(rig.below.wanted, MQTT_READ | MQTT_WRITE);
        rig.below.room = 1;
        assert_int_equal(advances(&rig), MQTT_TRANSPORT_OPENING);
        rig.below.sent[rig.below.sent_size] = 0;
    }
    assert_int_equal(rig.below.wanted, MQTT_READ);
    rig_end(&rig);
}

#define HEAD "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: %s\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: mqtt\r\n"
#define SHOWN ": HTTP/1.1 101 Switching Protocols"

static const char *const good_answers[] = {
    HEAD UPGRADE ACCEPT PROTOCOL "\r\n",
    "HTTP/1.1 101\r\n" UPGRADE ACCEPT PROTOCOL "\r\n",
    "HTTP/1.1 101 \r\n" UPGRADE ACCEPT PROTOCOL "\r\n",
    HEAD "upgrade:WEBSOCKET\nCONNECTION: a,\tupgrade ,b\r\n"
         "sec-websocket-accept:  %s \r\nSEC-WEBSOCKET-PROTOCOL:mqtt\n\n",
    "HTTP/1.1 100 Continue\r\nUpgrade: h2c\r\n\r\n" HEAD UPGRADE ACCEPT PROTOCOL
    "\r\n",
    HEAD
    "Connection: x\r\nSec-WebSocket-Extensions:\r\n" UPGRADE ACCEPT PROTOCOL
    "Set-Cookie: a=b\r\n\r\n",
};

static void test_good_answers_open(void **state)
{
    static struct rig rig;
    char text[ANSWER_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof good_answers / sizeof *good_answers; i++) {
        rig_begin(&rig, &mqtt_websocket, "ws://h");
        asks(&rig);
        below_sends(&rig.below, text,
                    answer(text, good_answers[i], rig.request));
        if (advances(&rig) != MQTT_TRANSPORT_OPEN)
            fail_msg("%s", good_answers[i]);
        rig_end(&rig);
    }
}

static const char *const bad_answers[][2] = {
    {"HTTP/1.1 200 OK\r\n", "the server answers: HTTP/1.1 200 OK"},
    {"HTTP/1.1 301 Moved\r\n", "the server answers: HTTP/1.1 301 Moved"},
    {"HTTP/1.1 401 Un\xc3\xa4uthorized\r\n",
     "the server answers: HTTP/1.1 401 Un??uthorized"},
    {"HTTP/1.1 403\r\n", "the server answers: HTTP/1.1 403"},
    {"HTTP/1.0 101 x\r\n" UPGRADE ACCEPT PROTOCOL "\r\n",
     "it speaks HTTP/1.0: HTTP/1.0 101 x"},
    {"HTTP/2", "it does not speak HTTP"},
    {"<html>", "it does not speak HTTP"},
    {"\x15\x03\x01", "a control character in its answer"},
    {"SSH-2.0", "it does not speak HTTP"},
    {"\r\n", "its answer has no status"},
    {"HTTP/1.1\r\n", "its answer has no status"},
    {"HTTP/1.1 10\r\n", "its answer has no status"},
    {"HTTP/1.1 1010\r\n", "its answer has no status"},
    {"HTTP/1.1 099 x\r\n", "its answer has no status"},
    {"HTTP/1.x 101 x\r\n", "its answer has no status"},
    {"HTTP/1.1_101 x\r\n", "its answer has no status"},
    {HEAD "no colon\r\n", "a header that is none" SHOWN},
    {HEAD ": x\r\n", "a header that is none" SHOWN},
    {HEAD "Upgrade : websocket\r\n", "a header that is none" SHOWN},
    {HEAD " folded: x\r\n", "a header that is none" SHOWN},
    {HEAD "a: \x01\r\n", "a control character in its answer" SHOWN},
    {HEAD "a: b\rc\r\n", "a control character in its answer" SHOWN},
    {HEAD "\r\n", "it does not upgrade to WebSocket" SHOWN},
    {HEAD "Connection: Upgrade\r\n" ACCEPT PROTOCOL "\r\n",
     "it does not upgrade to WebSocket" SHOWN},
    {HEAD "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT PROTOCOL "\r\n",
     "it upgrades to something else" SHOWN},
    {HEAD "Upgrade: websocket\r\n" ACCEPT PROTOCOL "\r\n",
     "its answer lacks Connection: Upgrade" SHOWN},
    {HEAD "Upgrade: websocket\r\nConnection: close\r\n" ACCEPT PROTOCOL "\r\n",
     "its answer lacks Connection: Upgrade" SHOWN},
    {HEAD UPGRADE PROTOCOL "\r\n", "its answer lacks an accept key" SHOWN},
    {HEAD UPGRADE
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" PROTOCOL "\r\n",
     "its accept key is wrong" SHOWN},
    {HEAD UPGRADE "Sec-WebSocket-Accept: x%s\r\n" PROTOCOL "\r\n",
     "its accept key is wrong" SHOWN},
    {HEAD UPGRADE "Sec-WebSocket-Accept:\r\n" PROTOCOL "\r\n",
     "its accept key is wrong" SHOWN},
    {HEAD UPGRADE ACCEPT "Sec-WebSocket-Accept: x\r\n" PROTOCOL "\r\n",
     "its accept key is wrong" SHOWN},
    {HEAD UPGRADE ACCEPT "\r\n", "it does not choose our subprotocol" SHOWN},
    {HEAD UPGRADE ACCEPT "Sec-WebSocket-Protocol: MQTT\r\n\r\n",
     "it chooses another subprotocol" SHOWN},
    {HEAD UPGRADE ACCEPT "Sec-WebSocket-Protocol: mqtt, mqttv3.1\r\n\r\n",
     "it chooses another subprotocol" SHOWN},
    {HEAD UPGRADE ACCEPT PROTOCOL PROTOCOL "\r\n",
     "it chooses another subprotocol" SHOWN},
    {HEAD UPGRADE ACCEPT PROTOCOL
     "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     "it chooses an extension" SHOWN},
};

static void fails_on(const char *format, const char *detail, size_t chunk)
{
    static struct rig rig;
    char text[ANSWER_SIZE];
    const char *words = NULL;

    rig_begin(&rig, &mqtt_websocket, "ws://h");
    asks(&rig);
    rig.below.chunk = chunk;
    below_sends(&rig.below, text, answer(text, format, rig.request));
    if (advances(&rig) != MQTT_TRANSPORT_FAILED)
        fail_msg("taken: %s", format);
    rig.top->ops->error(rig.top, &words);
    if (strcmp(words, detail))
        print_error("%s\n", format);
    expect_failed(&rig, detail);
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_bad_answers_are_refused_with_their_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_answers / sizeof *bad_answers; i++) {
        fails_on(bad_answers[i][0], bad_answers[i][1], 0);
        fails_on(bad_answers[i][0], bad_answers[i][1], 1);
    }
}

static void test_an_answer_without_end_is_cut_off(void **state)
{
    static char headers[20000];
    static struct rig rig;

    (void)state;
    memset(headers, 'x', sizeof headers);
    memcpy(headers, HEAD, sizeof HEAD - 1);
    rig_begin(&rig, &mqtt_websocket, "ws://h");
    asks(&rig);
    below_sends(&rig.below, headers, sizeof headers);
    assert_int_equal(advances(&rig), MQTT_TRANSPORT_FAILED);
    expect_failed(&rig, "its answer's head is too large" SHOWN);
    /* no more was read than that took, and a piece */
    assert_in_range(sizeof headers - rig.below.in_size, 8192, 8192 + 256);
    rig_end(&rig);
}

static void test_the_largest_answer_can_be_chosen(void **state)
{
    struct mqtt_websocket_options options = {.kind = mqtt_websocket};
    static struct rig rig;
    char text[ANSWER_SIZE];

    (void)state;
    for (int less = 0; less < 2; less++) {
        rig_begin(&rig, &options.kind, "ws://h");
        asks(&rig);
        options.largest_answer = (uint32_t)good_answer(text, rig.request);
        options.largest_answer -= (uint32_t)less;
        rig.top->ops->close(rig.top);
        rig.top->ops->open(rig.top, &rig.server, 0);
        asks(&rig);
        below_sends(&rig.below, text, good_answer(text, rig.request));
        assert_int_equal(advances(&rig),
                         less ? MQTT_TRANSPORT_FAILED : MQTT_TRANSPORT_OPEN);
        rig_end(&rig);
        options.largest_answer = 0;
    }
}

static void test_an_end_within_the_answer_is_told(void **state)
{
    static struct rig rig;

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://h");
    asks(&rig);
    rig.below.ended = true;
    below_sends(&rig.below, HEAD, sizeof HEAD - 1);
    assert_int_equal(advances(&rig), MQTT_TRANSPORT_FAILED);
    expect_failed(&rig, "the server closed without an answer" SHOWN);
    rig_end(&rig);
}

static void test_what_fails_below_is_told_by_that(void **state)
{
    static struct rig rig;
    const char *detail;

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://h");
    rig.below.state = MQTT_TRANSPORT_FAILED;
    assert_int_equal(advances(&rig), MQTT_TRANSPORT_FAILED);
    assert_int_equal(rig.top->ops->error(rig.top, &detail), MQTT_ERR_NETWORK);
    assert_string_equal(detail, "below");
    rig_end(&rig);
    rig_open(&rig);
    rig.below.fails = true;
    reads(&rig);
    assert_int_equal(rig.last, MQTT_IO_FAILED);
    assert_int_equal(rig.top->ops->error(rig.top, &detail), MQTT_ERR_NETWORK);
    rig_end(&rig);
}

/* ---- frames in ----------------------------------------------------------- */

/* Two fragments, a ping between, an empty frame, one of 16 bits of length. */
static size_t all_kinds(uint8_t *out, char *payload)
{
    char large[300];
    size_t size = 0;

    memset(large, 'L', sizeof large);
    size += frame(out + size, 0x02, "frag", 4);
    size += frame(out + size, 0x89, "ping!", 5);
    size += frame(out + size, 0x00, "", 0);
    size += frame(out + size, 0x80, "ment", 4);
    size += frame(out + size, 0x82, "", 0);
    size += frame(out + size, 0x8a, "pong", 4);
    size += frame(out + size, 0x82, large, sizeof large);
    size += frame(out + size, 0x82, "x", 1);
    sprintf(payload, "fragment%.300sx", large);
    return size;
}

static void test_frames_are_read_split_at_every_byte(void **state)
{
    uint8_t bytes[512];
    char payload[512];
    size_t size = all_kinds(bytes, payload);
    static struct rig rig;

    (void)state;
    for (size_t at = 0; at <= size; at++) {
        rig_open(&rig);
        server_sends(&rig, bytes, at);
        server_sends(&rig, bytes + at, size - at);
        expect_got(&rig, payload);
        assert_int_equal(rig.last, MQTT_IO_WAIT);
        expect_frame(&rig, 0x8a, "ping!", 5);
        assert_int_equal(rig.below.sent_size, 0);
        rig_end(&rig);
    }
}

static void test_frames_are_read_into_little_room(void **state)
{
    uint8_t bytes[512];
    char payload[512];
    size_t size = all_kinds(bytes, payload);
    static struct rig rig;

    (void)state;
    for (size_t room = 1; room < 20; room++) {
        rig_open(&rig);
        rig.room = room;
        server_sends(&rig, bytes, size);
        expect_got(&rig, payload);
        rig_end(&rig);
    }
}

static void test_a_frame_of_64_bits_of_length_is_passed_on(void **state)
{
    static uint8_t bytes[70100], payload[70000];
    static struct rig rig;
    size_t size, at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 / 3);
    size = frame(bytes, 0x82, payload, sizeof payload);
    rig_open(&rig);
    below_sends(&rig.below, bytes, size);
    do {
        rig.last = rig.top->ops->recv(rig.top, rig.got, sizeof rig.got);
        if (rig.last > 0) {
            assert_memory_equal(rig.got, payload + at, (size_t)rig.last);
            at += (size_t)rig.last;
        }
    } while (rig.last > 0);
    assert_int_equal(at, sizeof payload);
    rig_end(&rig);
}

struct violation {
    uint8_t bytes[24];
    size_t size;
    unsigned code;
    const char *detail;
};

#define BYTES(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const struct violation violations[] = {
    {BYTES(0x81, 0x02, 'h', 'i'), 1003, "a frame of text"},
    {BYTES(0x01, 0x02, 'h', 'i'), 1003, "a frame of text"},
    {BYTES(0x81, 0x00), 1003, "a frame of text"},
    {BYTES(0x82, 0x82, 1, 2, 3, 4, 'h', 'i'), 1002, "a masked frame"},
    {BYTES(0x89, 0x80, 1, 2, 3, 4), 1002, "a masked frame"},
    {BYTES(0xC2, 0x01, 'x'), 1002, "a frame with a reserved bit"},
    {BYTES(0xA2, 0x01, 'x'), 1002, "a frame with a reserved bit"},
    {BYTES(0x92, 0x01, 'x'), 1002, "a frame with a reserved bit"},
    {BYTES(0x83, 0x00), 1002, "a frame of a kind that is not known"},
    {BYTES(0x87, 0x00), 1002, "a frame of a kind that is not known"},
    {BYTES(0x8B, 0x00), 1002, "a frame of a kind that is not known"},
    {BYTES(0x8F, 0x00), 1002, "a frame of a kind that is not known"},
    {BYTES(0x80, 0x01, 'x'), 1002, "a continuation of nothing"},
    {BYTES(0x82, 0x00, 0x00, 0x00), 1002, "a continuation of nothing"},
    {BYTES(0x02, 0x00, 0x82, 0x00), 1002, "a message within a message"},
    {BYTES(0x09, 0x00), 1002, "a frame with a wrong length"},
    {BYTES(0x89, 126, 0, 126), 1002, "a frame with a wrong length"},
    {BYTES(0x82, 126, 0, 125), 1002, "a frame with a wrong length"},
    {BYTES(0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 1002,
     "a frame with a wrong length"},
    {BYTES(0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0), 1002,
     "a frame with a wrong length"},
    {BYTES(0x88, 0x01, 3), 1002, "a Close frame with a wrong code"},
    {BYTES(0x88, 0x02, 0x03, 0xE7), 1002, "a Close frame with a wrong code"},
    {BYTES(0x88, 0x02, 0x03, 0xED), 1002, "a Close frame with a wrong code"},
    {BYTES(0x88, 0x02, 0x03, 0xEE), 1002, "a Close frame with a wrong code"},
    {BYTES(0x88, 0x02, 0x03, 0xF7), 1002, "a Close frame with a wrong code"},
    {BYTES(0x88, 0x02, 0x13, 0x88), 1002, "a Close frame with a wrong code"},
};

static void violates(const struct violation *row, size_t split)
{
    static struct rig rig;

    rig_open(&rig);
    server_sends_bytes(&rig, 0x82, 0x02, 'o', 'k');
    server_sends(&rig, row->bytes, split);
    if (rig.last == MQTT_IO_WAIT)
        server_sends(&rig, row->bytes + split, row->size - split);
    expect_got(&rig, "ok");
    if (rig.last != MQTT_IO_FAILED)
        fail_msg("%s", row->detail);
    expect_failed(&rig, row->detail);
    expect_close(&rig, row->code);
    assert_int_equal(rig.top->ops->recv(rig.top, rig.got, 1), MQTT_IO_FAILED);
    assert_int_equal(rig.top->ops->send(rig.top, "x", 1), MQTT_IO_FAILED);
    assert_int_equal(rig.top->ops->flush(rig.top), MQTT_IO_FAILED);
    rig_end(&rig);
}

static void test_frames_that_may_not_be_end_the_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof violations / sizeof *violations; i++)
        for (size_t split = 0; split <= violations[i].size; split++)
            violates(&violations[i], split);
}

static void test_what_came_before_a_violation_is_given(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    server_sends_bytes(&rig, 0x82, 0x02, 'o', 'k', 0x81, 0x01, 'x', 0x82, 0x01,
                       'y');
    expect_got(&rig, "ok");
    assert_int_equal(rig.last, MQTT_IO_FAILED);
    expect_failed(&rig, "a frame of text");
    rig_end(&rig);
}

static void test_pings_without_end_are_cut_off(void **state)
{
    static uint8_t pings[2 * 5000];
    static struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof pings; i += 2)
        frame(pings + i, 0x89, "", 0);
    rig_open(&rig);
    server_sends(&rig, pings, sizeof pings);
    assert_int_equal(rig.last, MQTT_IO_FAILED);
    expect_failed(&rig, "no end of pings or empty frames");
    expect_close(&rig, 1008);
    rig_end(&rig);
}

static void test_as_many_pings_as_may_be_in_each_turn(void **state)
{
    static uint8_t pings[2 * 4096];
    static struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof pings; i += 2)
        frame(pings + i, 0x89, "", 0);
    rig_open(&rig);
    for (int i = 0; i < 3; i++) {
        server_sends(&rig, pings, sizeof pings);
        assert_int_equal(rig.last, MQTT_IO_WAIT);
        expect_frame(&rig, 0x8a, "", 0); /* one for all */
        assert_int_equal(rig.below.sent_size, 0);
        rig.top->ops->want(rig.top, MQTT_READ);
        assert_int_equal(rig.below.wanted, MQTT_READ);
    }
    rig_end(&rig);
}

/* ---- frames out ---------------------------------------------------------- */

static void sends(struct rig *rig, const char *text)
{
    assert_int_equal(rig->top->ops->send(rig->top, text, strlen(text)),
                     strlen(text));
}

static void test_what_is_sent_in_one_go_is_one_frame(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "one ");
    sends(&rig, "frame");
    assert_int_equal(rig.below.sent_size, 0);
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    expect_frame(&rig, 0x82, "one frame", 9);
    assert_int_equal(rig.below.sends, 2); /* the request, and this */
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_frames_are_masked_and_each_with_another_mask(void **state)
{
    static uint8_t masks[300][4];
    static struct rig rig;
    unsigned same = 0, zero = 0;

    (void)state;
    rig_open(&rig);
    for (size_t i = 0; i < 300; i++) {
        sends(&rig, "x");
        rig.top->ops->flush(rig.top);
        memcpy(masks[i], takes_frame(&rig).mask, 4);
        zero += memcmp(masks[i], "\0\0\0\0", 4) == 0;
        for (size_t j = 0; j < i; j++)
            same += memcmp(masks[i], masks[j], 4) == 0;
    }
    /* By chance each of the two happens once in about 10^5 runs. */
    assert_in_range(same, 0, 1);
    assert_in_range(zero, 0, 1);
    rig_end(&rig);
}

static void test_what_is_too_large_for_a_frame_goes_on_in_the_next(void **state)
{
    static uint8_t bytes[40000];
    static struct rig rig;
    struct client_frame found;
    size_t sent = 0, read = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11 / 7);
    rig_open(&rig);
    while (sent < sizeof bytes) {
        ptrdiff_t n =
            rig.top->ops->send(rig.top, bytes + sent, sizeof bytes - sent);

        assert_in_range(n, 1, 16376);
        sent += (size_t)n;
    }
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    for (; read < sizeof bytes; read += found.payload_size) {
        found = takes_frame(&rig);
        assert_int_equal(found.first, 0x82);
        assert_memory_equal(found.payload, bytes + read, found.payload_size);
    }
    assert_int_equal(read, sizeof bytes);
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_a_frame_leaves_byte_by_byte(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "first");
    rig.below.room = 0;
    for (size_t i = 0; i < 2 + 4 + 5; i++) {
        assert_int_equal(rig.top->ops->flush(rig.top), MQTT_IO_WAIT);
        assert_int_equal(rig.top->ops->send(rig.top, "x", 1), MQTT_IO_WAIT);
        rig.top->ops->want(rig.top, 0);
        assert_int_equal(rig.below.wanted, MQTT_WRITE);
        rig.below.room = 1;
    }
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    rig.top->ops->want(rig.top, MQTT_READ);
    assert_int_equal(rig.below.wanted, MQTT_READ);
    expect_frame(&rig, 0x82, "first", 5);
    rig_end(&rig);
}

/* A ping that comes while a frame is half sent is answered behind it. */
static void test_a_pong_does_not_cut_a_frame(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "first");
    rig.below.room = 3;
    assert_int_equal(rig.top->ops->flush(rig.top), MQTT_IO_WAIT);
    server_sends_bytes(&rig, 0x89, 0x01, 'a', 0x89, 0x01, 'b');
    rig.top->ops->want(rig.top, MQTT_READ);
    assert_int_equal(rig.below.wanted, MQTT_READ | MQTT_WRITE);
    rig.below.room = SIZE_MAX;
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    expect_frame(&rig, 0x82, "first", 5);
    expect_frame(&rig, 0x8a, "b", 1);
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_a_violation_does_not_cut_a_frame(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "first");
    rig.below.room = 3;
    assert_int_equal(rig.top->ops->flush(rig.top), MQTT_IO_WAIT);
    server_sends_bytes(&rig, 0x81, 0x01, 'a');
    assert_int_equal(rig.last, MQTT_IO_FAILED);
    assert_int_equal(rig.below.sent_size, 3);
    expect_failed(&rig, "a frame of text");
    rig_end(&rig);
}

/* ---- the end ------------------------------------------------------------- */

static void test_the_end_is_told_and_the_answer_awaited(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "DISCONNECT");
    rig.top->ops->finish(rig.top);
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    expect_frame(&rig, 0x82, "DISCONNECT", 10);
    expect_close(&rig, 1000);
    server_sends_bytes(&rig, 0x82, 0x01, 'x', 0x89, 0x00);
    assert_int_equal(rig.last, MQTT_IO_WAIT);
    rig.top->ops->want(rig.top, MQTT_READ);
    assert_int_equal(rig.below.wanted, MQTT_READ); /* no pong after Close */
    server_sends_bytes(&rig, 0x88, 0x02, 0x03, 0xE8);
    assert_int_equal(rig.last, MQTT_IO_END);
    expect_got(&rig, "x");
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void ends_with(const uint8_t *bytes, size_t size, unsigned code)
{
    static struct rig rig;

    rig_open(&rig);
    server_sends(&rig, bytes, size);
    assert_int_equal(rig.last, MQTT_IO_END);
    expect_close(&rig, code);
    rig_end(&rig);
}

static void test_a_good_end_by_the_server_is_answered(void **state)
{
    (void)state;
    ends_with((const uint8_t[]){0x88, 0x02, 0x03, 0xE8}, 4, 1000);
    ends_with((const uint8_t[]){0x88, 0x05, 0x03, 0xE9, 'b', 'y', 'e'}, 7,
              1001);
    ends_with((const uint8_t[]){0x88, 0x00}, 2, 1000);
}

static void test_what_cannot_be_waited_for_has_failed(void **state)
{
    static struct rig rig;
    const char *detail = NULL;

    (void)state;
    rig_begin(&rig, &mqtt_websocket, "ws://h/mqtt");
    rig.below.refuses = true;
    assert_int_equal(advances(&rig), MQTT_TRANSPORT_FAILED);
    assert_int_equal(rig.top->ops->error(rig.top, &detail), MQTT_ERR_NETWORK);
    assert_string_equal(detail, "below");
    rig_end(&rig);
    rig_open(&rig);
    assert_true(rig.top->ops->want(rig.top, MQTT_READ));
    rig.below.refuses = true;
    assert_false(rig.top->ops->want(rig.top, MQTT_READ));
    assert_int_equal(rig.top->ops->error(rig.top, &detail), MQTT_ERR_NETWORK);
    rig_end(&rig);
}

/* A client that may not read on just now, and has something to write: nothing
 * of it may leave any more, so readiness to write must not be waited for. */
static void test_after_an_end_nobody_waits_to_write(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    rig.room = 5;
    server_sends_bytes(&rig, 0x82, 0x01, 'x', 0x88, 0x00);
    assert_int_equal(rig.last, MQTT_IO_END);
    assert_int_equal(rig.top->ops->send(rig.top, "late", 4), MQTT_IO_WAIT);
    rig.top->ops->want(rig.top, MQTT_WRITE);
    assert_int_equal(rig.below.wanted, 0);
    rig_end(&rig);
}

static void test_a_bad_end_by_the_server_is_told(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    server_sends_bytes(&rig, 0x88, 0x06, 0x03, 0xF0, 'n', 'o', '\n', 0xC3);
    assert_int_equal(rig.last, MQTT_IO_FAILED);
    expect_failed(&rig, "the server closed with code 1008: no\?\?");
    expect_close(&rig, 1008);
    rig_end(&rig);
    rig_open(&rig);
    server_sends_bytes(&rig, 0x88, 0x02, 0x0F, 0xA0);
    expect_failed(&rig, "the server closed with code 4000");
    rig_end(&rig);
}

static void test_an_end_without_close_is_an_end(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    rig.below.ended = true;
    server_sends_bytes(&rig, 0x82, 0x05, 'x');
    expect_got(&rig, "x");
    assert_int_equal(rig.last, MQTT_IO_END);
    rig_end(&rig);
}

/* All that one connection left behind is forgotten. */
static void test_a_layer_is_used_again(void **state)
{
    static struct rig rig;

    (void)state;
    rig_open(&rig);
    sends(&rig, "half");
    rig.below.room = 3;
    rig.top->ops->flush(rig.top);
    server_sends_bytes(&rig, 0x89, 0x00, 0x02, 0x7E, 0x01);
    rig.top->ops->finish(rig.top);
    rig.top->ops->close(rig.top);
    rig.below.room = SIZE_MAX;
    rig.below.sent_size = 0;
    rig.top->ops->open(rig.top, &rig.server, 0);
    opens(&rig);
    sends(&rig, "whole");
    assert_int_equal(rig.top->ops->flush(rig.top), 0);
    expect_frame(&rig, 0x82, "whole", 5);
    server_sends_bytes(&rig, 0x82, 0x02, 'o', 'k');
    expect_got(&rig, "ok");
    assert_int_equal(rig.below.sent_size, 0);
    rig_end(&rig);
}

static void test_the_memory_is_what_the_manual_says(void **state)
{
    (void)state;
    assert_in_range(mqtt_websocket.size(&mqtt_websocket), 16384, 18 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha1_and_base64_give_the_accept_key_of_the_rfc),
        cmocka_unit_test(test_sha1_of_texts_of_all_lengths),
        cmocka_unit_test(test_base64_of_texts_of_all_lengths),
        cmocka_unit_test(test_the_request_is_that_of_the_rfc),
        cmocka_unit_test(test_the_request_has_what_the_url_says),
        cmocka_unit_test(test_the_request_has_what_the_options_say),
        cmocka_unit_test(test_each_connection_has_another_key),
        cmocka_unit_test(test_a_header_cannot_end_its_line),
        cmocka_unit_test(test_a_request_that_is_too_large_is_not_sent),
        cmocka_unit_test(test_the_answer_is_read_split_at_every_byte),
        cmocka_unit_test(test_the_request_leaves_byte_by_byte),
        cmocka_unit_test(test_good_answers_open),
        cmocka_unit_test(test_bad_answers_are_refused_with_their_reason),
        cmocka_unit_test(test_an_answer_without_end_is_cut_off),
        cmocka_unit_test(test_the_largest_answer_can_be_chosen),
        cmocka_unit_test(test_an_end_within_the_answer_is_told),
        cmocka_unit_test(test_what_fails_below_is_told_by_that),
        cmocka_unit_test(test_frames_are_read_split_at_every_byte),
        cmocka_unit_test(test_frames_are_read_into_little_room),
        cmocka_unit_test(test_a_frame_of_64_bits_of_length_is_passed_on),
        cmocka_unit_test(test_frames_that_may_not_be_end_the_connection),
        cmocka_unit_test(test_what_came_before_a_violation_is_given),
        cmocka_unit_test(test_pings_without_end_are_cut_off),
        cmocka_unit_test(test_as_many_pings_as_may_be_in_each_turn),
        cmocka_unit_test(test_what_is_sent_in_one_go_is_one_frame),
        cmocka_unit_test(test_frames_are_masked_and_each_with_another_mask),
        cmocka_unit_test(
            test_what_is_too_large_for_a_frame_goes_on_in_the_next),
        cmocka_unit_test(test_a_frame_leaves_byte_by_byte),
        cmocka_unit_test(test_a_pong_does_not_cut_a_frame),
        cmocka_unit_test(test_a_violation_does_not_cut_a_frame),
        cmocka_unit_test(test_the_end_is_told_and_the_answer_awaited),
        cmocka_unit_test(test_a_good_end_by_the_server_is_answered),
        cmocka_unit_test(test_after_an_end_nobody_waits_to_write),
        cmocka_unit_test(test_what_cannot_be_waited_for_has_failed),
        cmocka_unit_test(test_a_bad_end_by_the_server_is_told),
        cmocka_unit_test(test_an_end_without_close_is_an_end),
        cmocka_unit_test(test_a_layer_is_used_again),
        cmocka_unit_test(test_the_memory_is_what_the_manual_says),
    };

    return cmocka_run_group_tests_name("websocket_layer", tests, NULL, NULL);
}
