/*
 * urls_real.c - TLS as an application gets it, by mqtt_client_new() and a URL:
 * mqtts:// and wss://, straight, behind web servers, and through proxies; what a
 * reconnect costs there, and how many descriptors a client holds.
 */
#include "there_and_back.h"

#include <mqttloop/openssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct broker broker, files; /* files: its folder has certificates */
static uint16_t web_port, tls_port, web_tls_port;
static char both[80]; /* a file of chain and key */

/* ---- straight ------------------------------------------------------------- */

static void test_mqtts(void **state)
{
    (void)state;
    works_in_both("mqtts://localhost", tls_port, NULL);
    works_in_both("mqtts://127.0.0.1", tls_port, NULL);
}

static void test_wss(void **state)
{
    (void)state;
    works_in_both("wss://localhost", web_tls_port, NULL);
}

/* ---- TLS ends before the broker -------------------------------------------- */

static void test_wss_through_haproxy(void **state)
{
    struct counterpart haproxy = haproxy_tls_begin(&broker, web_port, both);

    (void)state;
    need(&haproxy, "haproxy");
    works_in_both("wss://localhost", haproxy.port, NULL);
    counterpart_end(&haproxy);
}

static void test_wss_through_nginx(void **state)
{
    struct counterpart nginx = nginx_tls_begin(&broker, web_port, both);

    (void)state;
    need(&nginx, "nginx");
    works_in_both("wss://localhost", nginx.port, NULL);
    counterpart_end(&nginx);
}

/* ---- through a proxy ------------------------------------------------------- */

static void works_by(const struct mqtt_proxy *proxy)
{
    works_in_both("mqtts://localhost", tls_port, proxy);
    works("wss://localhost", web_tls_port, proxy, &mqtt_protocol_5_0);
}

static void test_tls_through_microsocks(void **state)
{
    struct counterpart socks = microsocks_begin("user", "secret");
    struct mqtt_proxy proxy = by(MQTT_PROXY_SOCKS5, &socks, "user", "secret");

    (void)state;
    need(&socks, "microsocks");
    works_by(&proxy);
    counterpart_end(&socks);
}

/* Its users would be those of the system, so anybody may come. */
static void test_tls_through_dante(void **state)
{
    struct counterpart dante = dante_begin(&broker);
    struct mqtt_proxy proxy = by(MQTT_PROXY_SOCKS5, &dante, NULL, NULL);

    (void)state;
    need(&dante, "danted");
    works_in_both("mqtt://localhost", broker.port, &proxy);
    works_by(&proxy);
    counterpart_end(&dante);
}

static void test_tls_through_tinyproxy(void **state)
{
    struct counterpart http = tinyproxy_begin(&broker, "user", "secret");
    struct mqtt_proxy proxy =
        by(MQTT_PROXY_HTTP_CONNECT, &http, "user", "secret");

    (void)state;
    need(&http, "tinyproxy");
    works_by(&proxy);
    counterpart_end(&http);
}

/* ---- descriptors, and reconnecting ------------------------------------------ */

static unsigned descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* The only one that is connected; -1: none. */
static int connection(void)
{
    struct sockaddr_storage address;

    for (int descriptor = 3; descriptor < 64; descriptor++) {
        socklen_t size = sizeof address;

        if (!getpeername(descriptor, (struct sockaddr *)&address, &size))
            return descriptor;
    }
    return -1;
}

static void holds_one(const char *scheme_and_host, uint16_t port,
                      const struct mqtt_proxy *proxy)
{
    struct caller caller;
    unsigned before = descriptors();

    caller_draft(&caller, scheme_and_host, port, proxy);
    caller_calls(&caller);
    for (unsigned i = 1; i <= 3; i++) {
        caller_until(&caller, NULL, caller.connected == i);
        caller_lives(&caller, NULL);
        assert_int_equal(descriptors(), before + 1);
        assert_int_equal(shutdown(connection(), SHUT_RDWR), 0);
    }
    caller_until(&caller, NULL, caller.connected == 4);
    caller_leaves(&caller);
    assert_int_equal(descriptors(), before);
    caller_end(&caller);
}

static void test_an_idle_client_holds_one_descriptor(void **state)
{
    struct counterpart socks = microsocks_begin(NULL, NULL);
    struct mqtt_proxy proxy = by(MQTT_PROXY_SOCKS5, &socks, NULL, NULL);

    (void)state;
    holds_one("mqtt://localhost", broker.port, NULL);
    holds_one("mqtts://localhost", tls_port, NULL);
    holds_one("ws://localhost", web_port, NULL);
    holds_one("wss://localhost", web_tls_port, NULL);
    if (socks.pid)
        holds_one("wss://localhost", web_tls_port, &proxy);
    counterpart_end(&socks);
}

static void resumes(const char *scheme_and_host, uint16_t port,
                    unsigned reconnects)
{
    struct mqtt_statistics statistics = {.tls_handshakes = 0};
    struct caller caller;

    caller_draft(&caller, scheme_and_host, port, NULL);
    caller.config.statistics = &statistics;
    caller_calls(&caller);
    caller_lives(&caller, NULL);
    for (unsigned i = 1; i <= reconnects; i++) {
        assert_int_equal(shutdown(connection(), SHUT_RDWR), 0);
        caller_until(&caller, NULL, caller.connected == i + 1);
        caller_lives(&caller, NULL);
    }
    assert_int_equal(statistics.tls_handshakes, reconnects + 1);
    assert_in_range(statistics.tls_handshakes_resumed, reconnects * 9 / 10,
                    reconnects);
    caller_leaves(&caller);
    caller_end(&caller);
}

static void test_nine_of_ten_reconnects_are_resumed(void **state)
{
    (void)state;
    resumes("mqtts://localhost", tls_port, 50);
    resumes("wss://localhost", web_tls_port, 10);
}

/* ---- a group -------------------------------------------------------------- */

static void make_certificates(void)
{
    const char *make[] = {"sh", SCRIPTS "certificates.sh", files.folder, NULL};
    const char *join[] = {"sh", "-c",
                          "cat \"$0\"/server.pem \"$0\"/server.key"
                          " >\"$0\"/both.pem",
                          files.folder, NULL};

    broker_draft(&files, ""); /* never run: its folder is what is wanted */
    assert_int_equal(program_wait(program_start(make, NULL)), 0);
    assert_int_equal(program_wait(program_start(join, NULL)), 0);
    snprintf(both, sizeof both, "%s/both.pem", files.folder);
}

static void run_broker(void)
{
    broker_draft(&broker, "");
    web_port = free_port();
    tls_port = free_port();
    web_tls_port = free_port();
    snprintf(broker.more, sizeof broker.more,
             "listener %u 127.0.0.1\nprotocol websockets\n"
             "listener %u 127.0.0.1\ncertfile %s\nkeyfile %s\n"
             "listener %u 127.0.0.1\nprotocol websockets\n"
             "certfile %s\nkeyfile %s\n",
             web_port, tls_port, both, both, web_tls_port, both, both);
    broker_run(&broker);
}

static int begin(void **state)
{
    struct mqtt_tls_options options = {.ca.file = NULL};
    char ca[80];

    (void)state;
    make_certificates();
    run_broker();
    snprintf(ca, sizeof ca, "%s/ca.pem", files.folder);
    options.ca.file = ca;
    tls = mqtt_openssl_new(&options, NULL, NULL, 0);
    assert_non_null(tls);
    return 0;
}

static int end(void **state)
{
    (void)state;
    mqtt_openssl_free(tls);
    broker_end(&broker);
    broker_end(&files);
    print_message("longest turn: %lu us\n", turns_longest_us());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mqtts),
        cmocka_unit_test(test_wss),
        cmocka_unit_test(test_wss_through_haproxy),
        cmocka_unit_test(test_wss_through_nginx),
        cmocka_unit_test(test_tls_through_microsocks),
        cmocka_unit_test(test_tls_through_dante),
        cmocka_unit_test(test_tls_through_tinyproxy),
        cmocka_unit_test(test_an_idle_client_holds_one_descriptor),
        cmocka_unit_test(test_nine_of_ten_reconnects_are_resumed),
    };

    unsetenv("LD_PRELOAD"); /* servers are not watched */
    return cmocka_run_group_tests_name("urls_real", tests, begin, end);
}
