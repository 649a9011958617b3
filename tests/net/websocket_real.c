/*
 * websocket_real.c - WebSocket and proxies with real counterparts: mosquitto's
 * own listener, nginx and haproxy before it, microsocks and tinyproxy on the
 * way. Through each, messages of all sizes go to the broker and come back.
 */
#include "caller.h"
#include "counterparts.h"
#include "there_and_back.h"

#include <mqttloop/websocket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct broker broker;
static uint16_t web_port; /* of its listener for WebSocket */

/* ---- WebSocket ------------------------------------------------------------ */

static void test_mosquitto_speaks_websocket(void **state)
{
    (void)state;
    works_in_both("ws://127.0.0.1", web_port, NULL);
}

static void test_websocket_through_nginx(void **state)
{
    struct counterpart nginx = nginx_begin(&broker, web_port);

    (void)state;
    need(&nginx, "nginx");
    works_in_both("ws://127.0.0.1", nginx.port, NULL);
    counterpart_end(&nginx);
}

static void test_websocket_through_haproxy(void **state)
{
    struct counterpart haproxy = haproxy_begin(&broker, web_port);

    (void)state;
    need(&haproxy, "haproxy");
    works_in_both("ws://127.0.0.1", haproxy.port, NULL);
    counterpart_end(&haproxy);
}

static void refuses(const char *address, const struct mqtt_proxy *proxy,
                    enum mqtt_error error, const char *detail)
{
    struct caller caller;

    caller_begin(&caller, address, NULL);
    caller.host.websocket = &mqtt_websocket;
    if (proxy)
        caller.host.proxy = *proxy;
    caller_calls(&caller);
    caller_until(&caller, NULL, caller.disconnected);
    assert_int_equal(caller.connected, 0);
    if (caller.error != error || !strstr(caller.detail, detail))
        fail_msg("%d: %s", caller.error, caller.detail);
    caller_end(&caller);
}

static void test_another_path_of_nginx_is_refused(void **state)
{
    struct counterpart nginx = nginx_begin(&broker, web_port);
    char address[64];

    (void)state;
    need(&nginx, "nginx");
    snprintf(address, sizeof address, "ws://127.0.0.1:%u/other", nginx.port);
    refuses(address, NULL, MQTT_ERR_WEBSOCKET,
            "the server answers: HTTP/1.1 404 Not Found");
    counterpart_end(&nginx);
}

/* Nobody stands behind it. */
static void test_haproxy_without_a_server_is_told(void **state)
{
    struct counterpart haproxy = haproxy_begin(&broker, free_port());
    char address[64];

    (void)state;
    need(&haproxy, "haproxy");
    snprintf(address, sizeof address, "ws://127.0.0.1:%u", haproxy.port);
    refuses(address, NULL, MQTT_ERR_WEBSOCKET,
            "the server answers: HTTP/1.1 503 Service Unavailable");
    counterpart_end(&haproxy);
}

/* The session goes on when the broker comes back. */
static void test_a_broker_comes_back_under_websocket(void **state)
{
    struct caller caller;
    char address[64];

    (void)state;
    snprintf(address, sizeof address, "ws://127.0.0.1:%u", web_port);
    caller_begin(&caller, address, NULL);
    caller.host.websocket = &mqtt_websocket;
    caller_calls(&caller);
    caller_lives(&caller, NULL);
    broker_stop(&broker);
    caller_until(&caller, NULL, caller.disconnected);
    broker_start(&broker);
    caller_until(&caller, NULL, caller.connected == 2);
    there_and_back(&caller);
    caller_leaves(&caller);
    caller_end(&caller);
}

/* ---- SOCKS5 --------------------------------------------------------------- */

static void works_through(const struct mqtt_proxy *proxy)
{
    works_in_both("mqtt://localhost", broker.port, proxy);
    works_in_both("mqtt://127.0.0.1", broker.port, proxy);
    works("ws://localhost", web_port, proxy, &mqtt_protocol_5_0);
    if (broker.port_v6)
        works_in_both("mqtt://[::1]", broker.port_v6, proxy);
}

static void test_through_microsocks(void **state)
{
    struct counterpart socks = microsocks_begin(NULL, NULL);
    struct mqtt_proxy proxy = by(MQTT_PROXY_SOCKS5, &socks, NULL, NULL);
    char address[64];

    (void)state;
    need(&socks, "microsocks");
    works_through(&proxy);
    snprintf(address, sizeof address, "mqtt://127.0.0.1:%u", free_port());
    refuses(address, &proxy, MQTT_ERR_PROXY,
            "the proxy refuses: connection refused by the server");
    counterpart_end(&socks);
}

static void test_through_microsocks_with_a_password(void **state)
{
    struct counterpart socks = microsocks_begin("user", "secret");
    struct mqtt_proxy good = by(MQTT_PROXY_SOCKS5, &socks, "user", "secret");
    struct mqtt_proxy wrong = by(MQTT_PROXY_SOCKS5, &socks, "user", "sicret");
    struct mqtt_proxy without = by(MQTT_PROXY_SOCKS5, &socks, NULL, NULL);

    (void)state;
    need(&socks, "microsocks");
    works_through(&good);
    refuses("mqtt://localhost", &wrong, MQTT_ERR_PROXY,
            "the proxy refuses: user name or password is wrong");
    refuses("mqtt://localhost", &without, MQTT_ERR_PROXY,
            "the proxy refuses: it wants a user name and a password");
    counterpart_end(&socks);
}

/* ---- HTTP CONNECT --------------------------------------------------------- */

static void test_through_tinyproxy(void **state)
{
    struct counterpart http = tinyproxy_begin(&broker, NULL, NULL);
    struct mqtt_proxy proxy = by(MQTT_PROXY_HTTP_CONNECT, &http, NULL, NULL);
    char address[64];

    (void)state;
    need(&http, "tinyproxy");
    works_through(&proxy);
    snprintf(address, sizeof address, "mqtt://127.0.0.1:%u", free_port());
    refuses(address, &proxy, MQTT_ERR_PROXY, "500 Unable to connect");
    counterpart_end(&http);
}

static void test_through_tinyproxy_with_a_password(void **state)
{
    struct counterpart http = tinyproxy_begin(&broker, "user", "secret");
    struct mqtt_proxy good =
        by(MQTT_PROXY_HTTP_CONNECT, &http, "user", "secret");
    struct mqtt_proxy wrong =
        by(MQTT_PROXY_HTTP_CONNECT, &http, "user", "sicret");
    struct mqtt_proxy without = by(MQTT_PROXY_HTTP_CONNECT, &http, NULL, NULL);

    (void)state;
    need(&http, "tinyproxy");
    works_through(&good);
    refuses("mqtt://localhost", &wrong, MQTT_ERR_PROXY, "401 Unauthorized");
    refuses("mqtt://localhost", &without, MQTT_ERR_PROXY,
            "407 Proxy Authentication Required");
    counterpart_end(&http);
}

/* A proxy of which there is none. */
static void test_no_proxy_is_an_error_of_the_network(void **state)
{
    struct counterpart none = {0, free_port()};
    struct mqtt_proxy proxy = by(MQTT_PROXY_SOCKS5, &none, NULL, NULL);
    char detail[64];

    (void)state;
    snprintf(detail, sizeof detail, "127.0.0.1:%u", none.port);
    refuses("mqtt://localhost", &proxy, MQTT_ERR_NETWORK, detail);
}

/* ---- a group -------------------------------------------------------------- */

static int begin_broker(void **state)
{
    (void)state;
    broker_draft(&broker, "");
    web_port = free_port();
    snprintf(broker.more, sizeof broker.more,
             "listener %u 127.0.0.1\nprotocol websockets\n", web_port);
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
        cmocka_unit_test(test_mosquitto_speaks_websocket),
        cmocka_unit_test(test_websocket_through_nginx),
        cmocka_unit_test(test_websocket_through_haproxy),
        cmocka_unit_test(test_another_path_of_nginx_is_refused),
        cmocka_unit_test(test_haproxy_without_a_server_is_told),
        cmocka_unit_test(test_a_broker_comes_back_under_websocket),
        cmocka_unit_test(test_through_microsocks),
        cmocka_unit_test(test_through_microsocks_with_a_password),
        cmocka_unit_test(test_through_tinyproxy),
        cmocka_unit_test(test_through_tinyproxy_with_a_password),
        cmocka_unit_test(test_no_proxy_is_an_error_of_the_network),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return cmocka_run_group_tests_name("websocket_real", tests, begin_broker,
                                       end_broker);
}
