/*
 * websocket_hostile.c - servers that do not speak WebSocket as they should, over
 * real sockets: the error is named, no byte of MQTT has left before the
 * handshake was good, no turn is long, memory stays as it is, and the client
 * lives on with its next server, a real mosquitto.
 */
#include "caller.h"
#include "websocket_bytes.h"

#include <mqttloop/websocket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* More than a client may take beside what it has: wslay's, for one. */
#define MOST_BYTES 16384

static struct broker broker;
static char good_server[64];

struct row {
    const char *name;
    void (*script)(struct http_server *server);
    const char *text; /* the script's */
    size_t size;
    enum mqtt_error error;
    const char *detail;
};

/* ---- answers that are none ----------------------------------------------- */

/* Says its text once the request is here; %s is the accept key. */
static void answers(struct http_server *server)
{
    const struct row *row = server->row;
    char text[ANSWER_SIZE];

    if (server->stage || !http_server_head_end(server))
        return;
    server->stage = 1;
    http_server_sends(server, text, answer(text, row->text, server->got));
}

static void answers_byte_by_byte(struct http_server *server)
{
    const struct row *row = server->row;
    char text[ANSWER_SIZE];

    if (http_server_head_end(server) &&
        server->stage < answer(text, row->text, server->got))
        http_server_sends(server, text + server->stage++, 1);
}

static void answers_and_closes(struct http_server *server)
{
    answers(server);
    if (server->stage)
        http_server_closes(server);
}

static void hangs(struct http_server *server)
{
    (void)server;
}

/* 16 MiB of headers, as fast as they go. */
static void answers_much(struct http_server *server)
{
    static char headers[65536];
    const char *header = "X-Header: 0123456789abcdef0123456789abcdef\r\n";
    size_t size = strlen(header);

    if (!http_server_head_end(server) || server->sent > 16u << 20)
        return;
    if (!headers[0])
        for (size_t at = 0; at + size <= sizeof headers; at += size)
            memcpy(headers + at, header, size);
    if (!server->sent)
        http_server_says(server, "HTTP/1.1 101 Switching Protocols\r\n");
    http_server_sends(server, headers, sizeof headers / size * size);
}

#define HEAD "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: %s\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: mqtt\r\n"
#define WRONG "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"

static const struct row answer_rows[] = {
    {"wrong accept key", answers, HEAD UPGRADE WRONG PROTOCOL "\r\n", 0,
     MQTT_ERR_WEBSOCKET, "its accept key is wrong"},
    {"wrong accept key, byte by byte", answers_byte_by_byte,
     HEAD UPGRADE WRONG PROTOCOL "\r\n", 0, MQTT_ERR_WEBSOCKET,
     "its accept key is wrong"},
    {"16 MiB of headers", answers_much, NULL, 0, MQTT_ERR_WEBSOCKET,
     "its answer's head is too large"},
    {"HTML", answers, "<html><body>Hello</body></html>", 0, MQTT_ERR_WEBSOCKET,
     "it does not speak HTTP"},
    {"a web page", answers,
     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", 0,
     MQTT_ERR_WEBSOCKET, "the server answers: HTTP/1.1 200 OK"},
    {"a redirection", answers,
     "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\n\r\n", 0,
     MQTT_ERR_WEBSOCKET, "the server answers: HTTP/1.1 302 Found"},
    {"401", answers, "HTTP/1.1 401 Unauthorized\r\n\r\n", 0, MQTT_ERR_WEBSOCKET,
     "the server answers: HTTP/1.1 401 Unauthorized"},
    {"no subprotocol", answers, HEAD UPGRADE ACCEPT "\r\n", 0,
     MQTT_ERR_WEBSOCKET, "it does not choose our subprotocol"},
    {"another subprotocol", answers,
     HEAD UPGRADE ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n", 0,
     MQTT_ERR_WEBSOCKET, "it chooses another subprotocol"},
    {"an extension", answers,
     HEAD UPGRADE ACCEPT PROTOCOL
     "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     0, MQTT_ERR_WEBSOCKET, "it chooses an extension"},
    {"closed early", answers_and_closes, HEAD UPGRADE, 0, MQTT_ERR_WEBSOCKET,
     "the server closed without an answer"},
    {"a server that hangs", hangs, NULL, 0, MQTT_ERR_OPEN_TIMEOUT, ""},
};

/* ---- frames that may not be ---------------------------------------------- */

/* A good answer; its text when CONNECT is here. */
static bool is_open(struct http_server *server)
{
    const char *end = http_server_head_end(server);
    char text[ANSWER_SIZE];

    if (!end)
        return false;
    if (!server->stage)
        http_server_sends(server, text, good_answer(text, server->got));
    server->stage = 1;
    return server->got + server->got_size > end;
}

static void sends_frame(struct http_server *server)
{
    const struct row *row = server->row;

    if (!is_open(server) || server->stage == 2)
        return;
    server->stage = 2;
    http_server_sends(server, row->text, row->size);
}

/* Again and again, as fast as it goes. */
static void sends_frames(struct http_server *server)
{
    static uint8_t many[65520];
    const struct row *row = server->row;

    if (!is_open(server))
        return;
    for (size_t at = 0; at + row->size <= sizeof many; at += row->size)
        memcpy(many + at, row->text, row->size);
    while (http_server_sends(server, many, sizeof many) == sizeof many)
        ;
}

#define FRAME(bytes) bytes, sizeof(bytes) - 1

static const struct row frame_rows[] = {
    {"a frame of text", sends_frame, FRAME("\x81\x04\x20\x02\x00\x00"),
     MQTT_ERR_WEBSOCKET, "a frame of text"},
    {"a masked frame", sends_frame,
     FRAME("\x82\x84\x00\x00\x00\x00\x20\x02\x00\x00"), MQTT_ERR_WEBSOCKET,
     "a masked frame"},
    {"a reserved bit", sends_frame, FRAME("\xc2\x04\x20\x02\x00\x00"),
     MQTT_ERR_WEBSOCKET, "a frame with a reserved bit"},
    {"a length of 64 bits with its highest", sends_frame,
     FRAME("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), MQTT_ERR_WEBSOCKET,
     "a frame with a wrong length"},
    {"a long ping", sends_frame, FRAME("\x89\x7e\x00\x7e"), MQTT_ERR_WEBSOCKET,
     "a frame with a wrong length"},
    {"an end that tells of an error", sends_frame,
     FRAME("\x88\x06\x03\xf0"
           "away"),
     MQTT_ERR_WEBSOCKET, "the server closed with code 1008: away"},
    {"an end", sends_frame, FRAME("\x88\x02\x03\xe8"), MQTT_ERR_CLOSED, ""},
    {"endless pings", sends_frames, FRAME("\x89\x00"), MQTT_ERR_WEBSOCKET,
     "no end of pings or empty frames"},
    {"endless pings with payload", sends_frames, FRAME("\x89\x01z"),
     MQTT_ERR_WEBSOCKET, "no end of pings or empty frames"},
    {"endless pongs", sends_frames, FRAME("\x8a\x00"), MQTT_ERR_WEBSOCKET,
     "no end of pings or empty frames"},
    {"endless empty frames", sends_frames, FRAME("\x82\x00"),
     MQTT_ERR_WEBSOCKET, "no end of pings or empty frames"},
    {"a frame without end", sends_frames,
     FRAME("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), MQTT_ERR_PACKET_TYPE,
     ""},
};

/* ---- the tests ------------------------------------------------------------ */

static void begins(struct caller *caller, struct http_server *server,
                   const struct row *row)
{
    char first[64];

    http_server_begin(server, row->script, row);
    snprintf(first, sizeof first, "ws://127.0.0.1:%u", server->port);
    caller_begin(caller, first, good_server);
    caller->host.websocket = &mqtt_websocket;
    caller->config.open_timeout_ms = row->script == hangs ? 200 : 5000;
    caller_calls(caller);
    caller_until(caller, server, caller->disconnected);
}

static void lives_on(struct caller *caller, struct http_server *server,
                     const struct row *row)
{
    if (caller->error != row->error ||
        strncmp(caller->detail, row->detail, strlen(row->detail)))
        fail_msg("%s: %d, %s", row->name, caller->error, caller->detail);
    caller_lives(caller, server);
    assert_in_range(caller->most_bytes - caller->begin_bytes, 0, MOST_BYTES);
    caller_leaves(caller);
    caller_end(caller);
    http_server_end(server);
}

static void test_answers_that_are_none(void **state)
{
    static struct http_server server;
    struct caller caller;

    (void)state;
    for (size_t i = 0; i < sizeof answer_rows / sizeof *answer_rows; i++) {
        begins(&caller, &server, &answer_rows[i]);
        http_server_step(&server);
        assert_ptr_equal(http_server_head_end(&server),
                         server.got + server.got_size);
        assert_in_range(server.sent, 0, 8u << 20); /* sockets hold some */
        lives_on(&caller, &server, &answer_rows[i]);
    }
}

static void test_frames_that_may_not_be(void **state)
{
    static struct http_server server;
    struct caller caller;

    (void)state;
    for (size_t i = 0; i < sizeof frame_rows / sizeof *frame_rows; i++) {
        begins(&caller, &server, &frame_rows[i]);
        lives_on(&caller, &server, &frame_rows[i]);
    }
}

/* ---- another version ------------------------------------------------------- */

/* Of a CONNECT, behind its fixed header of two bytes and its name. */
#define LEVEL_AT 8

/* It knows 3.1.1 only, and says so in words of WebSocket. */
static void knows_3_1_1(struct http_server *server)
{
    struct client_frame connect;
    char *begin;

    if (!is_open(server) || server->stage == 2)
        return;
    begin = server->got + (http_server_head_end(server) - server->got);
    if (!client_frame((uint8_t *)begin,
                      (size_t)(server->got + server->got_size - begin),
                      &connect))
        return;
    server->stage = 2;
    if (connect.payload[LEVEL_AT] == 5)
        http_server_sends(server, "\x88\x02\x03\xea", 4); /* 1002 */
    else
        http_server_sends(server, "\x82\x04\x20\x02\x00\x00", 6);
}

static void test_a_version_that_is_refused_by_close(void **state)
{
    static struct http_server server;
    struct caller caller;
    char address[64];

    (void)state;
    http_server_begin(&server, knows_3_1_1, NULL);
    snprintf(address, sizeof address, "ws://127.0.0.1:%u", server.port);
    caller_begin(&caller, address, NULL);
    caller.host.websocket = &mqtt_websocket;
    caller.config.protocol = &mqtt_protocol_5_0;
    caller.config.fallback = &mqtt_protocol_3_1_1;
    caller_calls(&caller);
    caller_until(&caller, &server, caller.connected);
    assert_ptr_equal(mqtt_client_protocol(caller.client), &mqtt_protocol_3_1_1);
    assert_int_equal(server.connections, 2);
    assert_int_equal(caller.error, MQTT_ERR_WEBSOCKET);
    caller_end(&caller);
    http_server_end(&server);
}

/* ---- a group -------------------------------------------------------------- */

static int begin_broker(void **state)
{
    uint16_t port;

    (void)state;
    broker_draft(&broker, "");
    port = free_port();
    snprintf(broker.more, sizeof broker.more,
             "listener %u 127.0.0.1\nprotocol websockets\n", port);
    snprintf(good_server, sizeof good_server, "ws://127.0.0.1:%u/", port);
    broker_run(&broker);
    return 0;
}

static int end_broker(void **state)
{
    (void)state;
    broker_end(&broker);
    print_message("longest turn: %lu us\n", turns_longest_us());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_frames_that_may_not_be),
        cmocka_unit_test(test_a_version_that_is_refused_by_close),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return cmocka_run_group_tests_name("websocket_hostile", tests, begin_broker,
                                       end_broker);
}
