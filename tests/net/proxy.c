/*
 * proxy.c - proxies whose every byte the test says: what they are asked, byte
 * for byte, and what comes of each answer. Where one fails, the client goes on
 * to a server that needs no proxy, a real mosquitto on a unix socket.
 */
#include "caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST_BYTES 4096

static struct broker broker;
static char good_server[96];

/* A conversation: what the proxy has to hear, what it then says; it ends with
 * NULL. What it hears first is compared whole. */
struct line {
    const char *hears;
    size_t hears_size;
    const char *says;
    size_t says_size;
};

#define TEXT(text) text, sizeof(text) - 1
#define LINES 4

struct row {
    const char *name;
    enum mqtt_proxy_protocol protocol;
    const char *user_name, *password;
    const char *address; /* of the server */
    void (*script)(struct http_server *server);
    struct line lines[LINES];
    enum mqtt_error error; /* MQTT_OK: CONNECT has to come */
    const char *detail;
};

/* ---- scripts -------------------------------------------------------------- */

/* Bytes that lines before this one heard. */
static size_t heard_before(const struct row *row, size_t line)
{
    size_t size = 0;

    for (size_t i = 0; i < line; i++)
        size += row->lines[i].hears_size;
    return size;
}

/* Whether the whole line is there; it must be a part of it else. */
static bool hears(const struct http_server *server, const struct row *row)
{
    const struct line *line = &row->lines[server->stage];
    size_t before = heard_before(row, server->stage);
    size_t size = server->got_size - before;

    if (size > line->hears_size)
        fail_msg("%s: it is told too much: %s", row->name,
                 server->got + before);
    if (size && memcmp(server->got + before, line->hears, size))
        fail_msg("%s: it is told: %s", row->name, server->got + before);
    return size == line->hears_size;
}

static bool has_line(const struct http_server *server, const struct row *row)
{
    return server->stage < LINES && row->lines[server->stage].hears;
}

static void talks(struct http_server *server)
{
    const struct row *row = server->row;
    const struct line *line = &row->lines[server->stage];

    if (!has_line(server, row) || !hears(server, row))
        return;
    server->stage++;
    if (line->says_size)
        http_server_sends(server, line->says, line->says_size);
}

static void talks_slowly(struct http_server *server)
{
    const struct row *row = server->row;
    const struct line *line = &row->lines[server->stage];
    size_t said = server->sent;

    if (!has_line(server, row) || !hears(server, row))
        return;
    for (size_t i = 0; i < server->stage; i++)
        said -= row->lines[i].says_size;
    http_server_sends(server, line->says + said, 1);
    if (said + 1 == line->says_size)
        server->stage++;
}

static void talks_and_closes(struct http_server *server)
{
    talks(server);
    if (!has_line(server, server->row))
        http_server_closes(server);
}

static void hangs(struct http_server *server)
{
    (void)server;
}

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
        http_server_says(server, "HTTP/1.1 200 OK\r\n");
    http_server_sends(server, headers, sizeof headers / size * size);
}

/* ---- SOCKS5 [RFC 1928, RFC 1929] ------------------------------------------ */

#define HELLO TEXT("\x05\x01\x00")
#define HELLO_LOGIN TEXT("\x05\x02\x00\x02")
#define NO_LOGIN TEXT("\x05\x00")
#define LOGIN TEXT("\x01\x04user\x06secret")
#define ASK                                                                    \
    TEXT("\x05\x01\x00\x03\x0e"                                                \
         "broker.example"                                                      \
         "\x07\x5b")
#define DONE TEXT("\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34")
#define NAME "mqtt://broker.example"
#define SOCKS5 MQTT_PROXY_SOCKS5, NULL, NULL
#define SOCKS5_LOGIN MQTT_PROXY_SOCKS5, "user", "secret"

static const struct row socks5_good[] = {
    {"a name",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, NO_LOGIN}, {ASK, DONE}},
     MQTT_OK,
     ""},
    {"a name, slowly",
     SOCKS5,
     NAME,
     talks_slowly,
     {{HELLO, NO_LOGIN}, {ASK, DONE}},
     MQTT_OK,
     ""},
    {"another port",
     SOCKS5,
     "mqtt://broker.example:258",
     talks,
     {{HELLO, NO_LOGIN},
      {TEXT("\x05\x01\x00\x03\x0e"
            "broker.example"
            "\x01\x02"),
       DONE}},
     MQTT_OK,
     ""},
    {"IPv4",
     SOCKS5,
     "192.0.2.7",
     talks,
     {{HELLO, NO_LOGIN},
      {TEXT("\x05\x01\x00\x01\xc0\x00\x02\x07\x07\x5b"), DONE}},
     MQTT_OK,
     ""},
    {"IPv6",
     SOCKS5,
     "mqtt://[2001:db8::7]:1",
     talks,
     {{HELLO, NO_LOGIN},
      {TEXT("\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00"
            "\x00\x00\x00\x07\x00\x01"),
       DONE}},
     MQTT_OK,
     ""},
    {"IPv6 with a zone",
     SOCKS5,
     "mqtt://[fe80::7%25lo]:1",
     talks,
     {{HELLO, NO_LOGIN},
      {TEXT("\x05\x01\x00\x04\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
            "\x00\x00\x00\x07\x00\x01"),
       DONE}},
     MQTT_OK,
     ""},
    {"an IPv6 address in its answer",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, NO_LOGIN},
      {ASK, TEXT("\x05\x00\x00\x04"
                 "0123456789abcdef"
                 "\x12\x34")}},
     MQTT_OK,
     ""},
    {"a name in its answer, slowly",
     SOCKS5,
     NAME,
     talks_slowly,
     {{HELLO, NO_LOGIN},
      {ASK, TEXT("\x05\x00\x00\x03\x03"
                 "abc"
                 "\x12\x34")}},
     MQTT_OK,
     ""},
    {"no name in its answer",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, NO_LOGIN}, {ASK, TEXT("\x05\x00\x00\x03\x00\x12\x34")}},
     MQTT_OK,
     ""},
    {"a login",
     SOCKS5_LOGIN,
     NAME,
     talks,
     {{HELLO_LOGIN, TEXT("\x05\x02")}, {LOGIN, TEXT("\x01\x00")}, {ASK, DONE}},
     MQTT_OK,
     ""},
    {"a login, slowly",
     SOCKS5_LOGIN,
     NAME,
     talks_slowly,
     {{HELLO_LOGIN, TEXT("\x05\x02")}, {LOGIN, TEXT("\x01\x00")}, {ASK, DONE}},
     MQTT_OK,
     ""},
    {"a login without a password",
     MQTT_PROXY_SOCKS5,
     "user",
     NULL,
     NAME,
     talks,
     {{HELLO_LOGIN, TEXT("\x05\x02")},
      {TEXT("\x01\x04user\x00"), TEXT("\x01\x00")},
      {ASK, DONE}},
     MQTT_OK,
     ""},
    {"a login that is not wanted",
     SOCKS5_LOGIN,
     NAME,
     talks,
     {{HELLO_LOGIN, NO_LOGIN}, {ASK, DONE}},
     MQTT_OK,
     ""},
};

#define REFUSED(code, text)                                                    \
    {                                                                          \
        text, SOCKS5, NAME, talks_and_closes,                                  \
            {{HELLO, NO_LOGIN}, {ASK, TEXT("\x05" code)}}, MQTT_ERR_PROXY,     \
            "the proxy refuses: " text                                         \
    }

static const struct row socks5_bad[] = {
    REFUSED("\x01", "it failed"),
    REFUSED("\x02", "not allowed by its rules"),
    REFUSED("\x03", "network unreachable"),
    REFUSED("\x04", "host unreachable"),
    REFUSED("\x05", "connection refused by the server"),
    REFUSED("\x06", "time to live expired"),
    REFUSED("\x07", "it knows no CONNECT"),
    REFUSED("\x08", "it does not know this kind of address"),
    REFUSED("\x09", "for a reason that is not known"),
    REFUSED("\xff", "for a reason that is not known"),
    {"it wants a login",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, TEXT("\x05\xff")}},
     MQTT_ERR_PROXY,
     "the proxy refuses: it wants a user name and a password"},
    {"it takes a login that was not offered",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, TEXT("\x05\x02")}},
     MQTT_ERR_PROXY,
     "the proxy refuses: it wants a user name and a password"},
    {"it wants GSSAPI",
     SOCKS5_LOGIN,
     NAME,
     talks,
     {{HELLO_LOGIN, TEXT("\x05\x01")}},
     MQTT_ERR_PROXY,
     "the proxy refuses: it wants another way to log in"},
    {"a wrong login",
     SOCKS5_LOGIN,
     NAME,
     talks_and_closes,
     {{HELLO_LOGIN, TEXT("\x05\x02")}, {LOGIN, TEXT("\x01\x01")}},
     MQTT_ERR_PROXY,
     "the proxy refuses: user name or password is wrong"},
    {"SOCKS4",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, TEXT("\x00\x5b")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"HTML",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, TEXT("<html><body>Hello")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"HTTP",
     SOCKS5,
     NAME,
     talks_slowly,
     {{HELLO, TEXT("HTTP/1.1 400 Bad Request\r\n\r\n")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"a login of another version",
     SOCKS5_LOGIN,
     NAME,
     talks,
     {{HELLO_LOGIN, TEXT("\x05\x02")}, {LOGIN, TEXT("\x05\x00")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"an answer of another version",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, NO_LOGIN}, {ASK, TEXT("\x04\x00")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"an address of another kind",
     SOCKS5,
     NAME,
     talks,
     {{HELLO, NO_LOGIN}, {ASK, TEXT("\x05\x00\x00\x02\x00\x00")}},
     MQTT_ERR_PROXY,
     "the proxy does not speak SOCKS5"},
    {"closed at once",
     SOCKS5,
     NAME,
     talks_and_closes,
     {{HELLO, NULL, 0}},
     MQTT_ERR_PROXY,
     "the proxy closed without an answer"},
    {"closed within its answer",
     SOCKS5,
     NAME,
     talks_and_closes,
     {{HELLO, NO_LOGIN}, {ASK, TEXT("\x05\x00\x00\x01\x7f\x00")}},
     MQTT_ERR_PROXY,
     "the proxy closed without an answer"},
    {"a proxy that hangs",
     SOCKS5,
     NAME,
     hangs,
     {{NULL, 0, NULL, 0}},
     MQTT_ERR_OPEN_TIMEOUT,
     ""},
};

/* ---- HTTP CONNECT [RFC 9110, 9.3.6] --------------------------------------- */

#define HTTP MQTT_PROXY_HTTP_CONNECT, NULL, NULL
#define HTTP_LOGIN MQTT_PROXY_HTTP_CONNECT, "user", "secret"
#define CONNECT                                                                \
    TEXT("CONNECT broker.example:1883 HTTP/1.1\r\n"                            \
         "Host: broker.example:1883\r\n\r\n")

static const struct row http_good[] = {
    {"a name",
     HTTP,
     NAME,
     talks,
     {{CONNECT, TEXT("HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"a name, slowly",
     HTTP,
     NAME,
     talks_slowly,
     {{CONNECT, TEXT("HTTP/1.0 200 Connection established\r\nA: b\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"206, and lines without CR",
     HTTP,
     NAME,
     talks,
     {{CONNECT, TEXT("HTTP/1.1 206\nContent-Length: 17\n\n")}},
     MQTT_OK,
     ""},
    {"an interim answer first",
     HTTP,
     NAME,
     talks,
     {{CONNECT, TEXT("HTTP/1.1 100 Wait\r\nX: y\r\n\r\n"
                     "HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"IPv6",
     HTTP,
     "mqtt://[2001:db8::7]:1",
     talks,
     {{TEXT("CONNECT [2001:db8::7]:1 HTTP/1.1\r\n"
            "Host: [2001:db8::7]:1\r\n\r\n"),
       TEXT("HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"IPv6 with a zone",
     HTTP,
     "fe80::7%lo",
     talks,
     {{TEXT("CONNECT [fe80::7]:1883 HTTP/1.1\r\n"
            "Host: [fe80::7]:1883\r\n\r\n"),
       TEXT("HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"a login",
     HTTP_LOGIN,
     "192.0.2.7",
     talks,
     {{TEXT("CONNECT 192.0.2.7:1883 HTTP/1.1\r\nHost: 192.0.2.7:1883\r\n"
            "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"),
       TEXT("HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
    {"a login without a password",
     MQTT_PROXY_HTTP_CONNECT,
     "user",
     NULL,
     NAME,
     talks,
     {{TEXT("CONNECT broker.example:1883 HTTP/1.1\r\n"
            "Host: broker.example:1883\r\n"
            "Proxy-Authorization: Basic dXNlcjo=\r\n\r\n"),
       TEXT("HTTP/1.1 200 OK\r\n\r\n")}},
     MQTT_OK,
     ""},
};

#define ANSWERS(name, answer, detail)                                          \
    {                                                                          \
        name, HTTP, NAME, talks, {{CONNECT, TEXT(answer)}}, MQTT_ERR_PROXY,    \
            detail                                                             \
    }

static const struct row http_bad[] = {
    ANSWERS("403", "HTTP/1.1 403 Forbidden\r\n",
            "the proxy answers: HTTP/1.1 403 Forbidden"),
    ANSWERS("407", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the proxy answers: HTTP/1.1 407 Proxy Authentication Required"),
    ANSWERS("502", "HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\n<html>",
            "the proxy answers: HTTP/1.1 502 Bad Gateway"),
    ANSWERS("301", "HTTP/1.1 301 Moved\r\n\r\n",
            "the proxy answers: HTTP/1.1 301 Moved"),
    ANSWERS("101", "HTTP/1.1 101 Switching\r\n\r\n",
            "the proxy answers: HTTP/1.1 101 Switching"),
    ANSWERS("HTML", "<html><body>Hello</body></html>",
            "the proxy: it does not speak HTTP"),
    ANSWERS("SOCKS5", "\x05\xff", "the proxy: a control character"),
    ANSWERS("no headers", "HTTP/1.1 200 OK\r\nnone\r\n\r\n",
            "the proxy: a header that is none"),
    {"16 MiB of headers",
     HTTP,
     NAME,
     answers_much,
     {{CONNECT, NULL, 0}},
     MQTT_ERR_PROXY,
     "the proxy: its answer's head is too large"},
    {"HTML, slowly",
     HTTP,
     NAME,
     talks_slowly,
     {{CONNECT, TEXT("<html>")}},
     MQTT_ERR_PROXY,
     "the proxy: it does not speak HTTP"},
    {"closed at once",
     HTTP,
     NAME,
     talks_and_closes,
     {{CONNECT, NULL, 0}},
     MQTT_ERR_PROXY,
     "the proxy closed without an answer"},
    {"closed within its answer",
     HTTP,
     NAME,
     talks_and_closes,
     {{CONNECT, TEXT("HTTP/1.1 200 OK\r\nA: ")}},
     MQTT_ERR_PROXY,
     "the proxy closed without an answer"},
    {"a proxy that hangs",
     HTTP,
     NAME,
     hangs,
     {{CONNECT, NULL, 0}},
     MQTT_ERR_OPEN_TIMEOUT,
     ""},
};

/* ---- the tests ------------------------------------------------------------ */

static void begins(struct caller *caller, struct http_server *server,
                   const struct row *row, const char *second)
{
    http_server_begin(server, row->script, row);
    caller_begin(caller, row->address, second);
    caller->host.proxy =
        (struct mqtt_proxy){row->protocol, "127.0.0.1", server->port,
                            row->user_name, row->password};
    caller->config.open_timeout_ms = row->script == hangs ? 200 : 5000;
    caller_calls(caller);
}

/* Nothing of MQTT has left before the proxy had agreed, then all of it. */
static void opens(const struct row *row)
{
    static const char protocol_name[] = "\x10\x0c\x00\x04MQTT";
    static struct http_server server;
    struct caller caller;
    size_t before = heard_before(row, LINES);

    begins(&caller, &server, row, NULL);
    caller_until(&caller, &server,
                 server.got_size >= before + sizeof protocol_name - 1);
    assert_memory_equal(server.got + before, protocol_name,
                        sizeof protocol_name - 1);
    http_server_sends(&server, "\x20\x02\x00\x00", 4);
    caller_until(&caller, &server, caller.connected);
    if (caller.disconnected)
        fail_msg("%s: %d, %s", row->name, caller.error, caller.detail);
    caller_end(&caller);
    http_server_end(&server);
}

static void fails(const struct row *row)
{
    static struct http_server server;
    struct caller caller;

    begins(&caller, &server, row, good_server);
    caller_until(&caller, &server, caller.disconnected);
    if (caller.error != row->error ||
        strncmp(caller.detail, row->detail, strlen(row->detail)))
        fail_msg("%s: %d, %s", row->name, caller.error, caller.detail);
    http_server_step(&server);
    if (row->script != hangs)
        assert_int_equal(server.got_size, heard_before(row, LINES));
    assert_in_range(server.sent, 0, 8u << 20); /* sockets hold some */
    caller_lives(&caller, &server);
    assert_in_range(caller.most_bytes - caller.begin_bytes, 0, MOST_BYTES);
    caller_leaves(&caller);
    caller_end(&caller);
    http_server_end(&server);
}

#define each(rows, check)                                                      \
    for (size_t i_ = 0; i_ < sizeof(rows) / sizeof(rows)[0]; i_++)             \
    check(&(rows)[i_])

static void test_socks5_is_spoken_byte_for_byte(void **state)
{
    (void)state;
    each(socks5_good, opens);
}

static void test_socks5_failures_have_their_reason(void **state)
{
    (void)state;
    each(socks5_bad, fails);
}

static void test_http_connect_is_spoken_byte_for_byte(void **state)
{
    (void)state;
    each(http_good, opens);
}

static void test_http_connect_failures_have_their_reason(void **state)
{
    (void)state;
    each(http_bad, fails);
}

/* ::1 is always there, and the kernel takes it with any zone. */
static int listen_on_v6(uint16_t *port)
{
    struct sockaddr_in6 name = {.sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof name;
    int listener =
        socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    *port = ntohs(name.sin6_port);
    return listener;
}

static void test_the_proxys_own_address_may_have_a_zone(void **state)
{
    static struct http_server server;
    struct caller caller;

    (void)state;
    http_server_begin(&server, socks5_good[0].script, &socks5_good[0]);
    close(server.listener);
    server.listener = listen_on_v6(&server.port);
    caller_begin(&caller, socks5_good[0].address, NULL);
    caller.host.proxy = (struct mqtt_proxy){MQTT_PROXY_SOCKS5, "::1%lo",
                                            server.port, NULL, NULL};
    caller_calls(&caller);
    caller_until(&caller, &server,
                 server.got_size > heard_before(&socks5_good[0], LINES));
    caller_end(&caller);
    http_server_end(&server);
}

/* In one piece with the proxy's answer. */
static void test_what_comes_behind_the_answer_is_the_servers(void **state)
{
    static const struct row rows[] = {
        {"SOCKS5",
         SOCKS5,
         NAME,
         talks,
         {{HELLO, NO_LOGIN},
          {ASK, TEXT("\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
                     "\x20\x02\x00\x00")}},
         MQTT_OK,
         ""},
        {"HTTP",
         HTTP,
         NAME,
         talks,
         {{CONNECT, TEXT("HTTP/1.1 200 OK\r\n\r\n\x20\x02\x00\x00")}},
         MQTT_OK,
         ""},
    };
    static struct http_server server;
    struct caller caller;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begins(&caller, &server, &rows[i], NULL);
        caller_until(&caller, &server, caller.connected);
        caller_end(&caller);
        http_server_end(&server);
    }
}

/* Nothing is said to the proxy. */
static void refuses_to_ask(enum mqtt_proxy_protocol protocol,
                           const char *user_name, const char *password,
                           const char *address, const char *detail)
{
    struct row row = {"",
                      protocol,
                      user_name,
                      password,
                      address,
                      hangs,
                      {{NULL, 0, NULL, 0}},
                      MQTT_ERR_PROXY,
                      detail};
    static struct http_server server;
    struct caller caller;

    begins(&caller, &server, &row, good_server);
    caller_until(&caller, &server, caller.disconnected);
    assert_int_equal(caller.error, MQTT_ERR_PROXY);
    assert_string_equal(caller.detail, detail);
    caller_lives(&caller, &server);
    assert_int_equal(server.got_size, 0);
    caller_end(&caller);
    http_server_end(&server);
}

static void test_what_a_proxy_cannot_be_asked(void **state)
{
    char text[257], host[700] = "mqtt://";

    (void)state;
    memset(text, 'x', 256);
    text[256] = 0;
    memset(host + 7, 'h', 600);
    refuses_to_ask(MQTT_PROXY_SOCKS5, text, "p", NAME,
                   "the proxy's user name or password is too long");
    refuses_to_ask(MQTT_PROXY_SOCKS5, "u", text, NAME,
                   "the proxy's user name or password is too long");
    refuses_to_ask(MQTT_PROXY_HTTP_CONNECT, "u:v", "p", NAME,
                   "the proxy's user name has a colon");
    refuses_to_ask(MQTT_PROXY_SOCKS5, NULL, NULL, host,
                   "the host's name is too long");
    refuses_to_ask(MQTT_PROXY_HTTP_CONNECT, NULL, NULL, host,
                   "what it would be asked is too long");
}

/* ---- a group -------------------------------------------------------------- */

static int begin_broker(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    snprintf(good_server, sizeof good_server, "unix:%s", broker.socket);
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
        cmocka_unit_test(test_socks5_is_spoken_byte_for_byte),
        cmocka_unit_test(test_socks5_failures_have_their_reason),
        cmocka_unit_test(test_http_connect_is_spoken_byte_for_byte),
        cmocka_unit_test(test_http_connect_failures_have_their_reason),
        cmocka_unit_test(test_what_comes_behind_the_answer_is_the_servers),
        cmocka_unit_test(test_the_proxys_own_address_may_have_a_zone),
        cmocka_unit_test(test_what_a_proxy_cannot_be_asked),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return cmocka_run_group_tests_name("proxy", tests, begin_broker,
                                       end_broker);
}
