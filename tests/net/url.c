/*
 * url.c - addresses taken apart: the whole table, and its edges.
 */
#include <mqttloop/client.h>
#include <mqttloop/network.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PORT_APART 4711

struct good {
    const char *address;
    enum mqtt_scheme scheme;
    const char *host;
    uint16_t port; /* while the server names none; PORT_APART: that one's */
    const char *path, *user_name, *password;
};

static const struct good good[] = {
    /* alone: the port stands apart */
    {"localhost", MQTT_SCHEME_NONE, "localhost", 1883, NULL, NULL, NULL},
    {"broker.example.org", MQTT_SCHEME_NONE, "broker.example.org", 1883, NULL,
     NULL, NULL},
    {"broker.example.org.", MQTT_SCHEME_NONE, "broker.example.org.", 1883, NULL,
     NULL, NULL},
    {"192.0.2.1", MQTT_SCHEME_NONE, "192.0.2.1", 1883, NULL, NULL, NULL},
    {"::1", MQTT_SCHEME_NONE, "::1", 1883, NULL, NULL, NULL},
    {"::", MQTT_SCHEME_NONE, "::", 1883, NULL, NULL, NULL},
    {"fe80::1%eth0", MQTT_SCHEME_NONE, "fe80::1%eth0", 1883, NULL, NULL, NULL},
    {"2001:db8::192.0.2.1", MQTT_SCHEME_NONE, "2001:db8::192.0.2.1", 1883, NULL,
     NULL, NULL},
    {"mqtt", MQTT_SCHEME_NONE, "mqtt", 1883, NULL, NULL, NULL},
    {"unix", MQTT_SCHEME_NONE, "unix", 1883, NULL, NULL, NULL},

    /* schemes and their ports */
    {"mqtt://h", MQTT_SCHEME_MQTT, "h", 1883, NULL, NULL, NULL},
    {"mqtts://h", MQTT_SCHEME_MQTTS, "h", 8883, NULL, NULL, NULL},
    {"ws://h", MQTT_SCHEME_WS, "h", 80, NULL, NULL, NULL},
    {"wss://h", MQTT_SCHEME_WSS, "h", 443, NULL, NULL, NULL},
    {"MQTT://H", MQTT_SCHEME_MQTT, "H", 1883, NULL, NULL, NULL},
    {"Wss://H", MQTT_SCHEME_WSS, "H", 443, NULL, NULL, NULL},

    /* hosts */
    {"mqtt://192.0.2.1", MQTT_SCHEME_MQTT, "192.0.2.1", 1883, NULL, NULL, NULL},
    {"mqtt://[::1]", MQTT_SCHEME_MQTT, "::1", 1883, NULL, NULL, NULL},
    {"mqtts://[::1]:1", MQTT_SCHEME_MQTTS, "::1", 1, NULL, NULL, NULL},
    {"mqtt://[fe80::1%25eth0]:1884", MQTT_SCHEME_MQTT, "fe80::1%25eth0", 1884,
     NULL, NULL, NULL},
    {"ws://[2001:db8::1]/mqtt", MQTT_SCHEME_WS, "2001:db8::1", 80, "/mqtt",
     NULL, NULL},

    /* ports */
    {"mqtt://h:1", MQTT_SCHEME_MQTT, "h", 1, NULL, NULL, NULL},
    {"mqtt://h:65535", MQTT_SCHEME_MQTT, "h", 65535, NULL, NULL, NULL},
    {"mqtt://h:01883", MQTT_SCHEME_MQTT, "h", 1883, NULL, NULL, NULL},
    {"wss://h:8443/x", MQTT_SCHEME_WSS, "h", 8443, "/x", NULL, NULL},

    /* paths */
    {"ws://h/", MQTT_SCHEME_WS, "h", 80, "/", NULL, NULL},
    {"ws://h/a/b?c=d&e=%20", MQTT_SCHEME_WS, "h", 80, "/a/b?c=d&e=%20", NULL,
     NULL},
    {"ws://h/?a@b:c", MQTT_SCHEME_WS, "h", 80, "/?a@b:c", NULL, NULL},
    {"ws://h/[x]", MQTT_SCHEME_WS, "h", 80, "/[x]", NULL, NULL},
    {"ws://u/x@h", MQTT_SCHEME_WS, "u", 80, "/x@h", NULL, NULL},

    /* users */
    {"mqtt://u@h", MQTT_SCHEME_MQTT, "h", 1883, NULL, "u", NULL},
    {"mqtt://u:p@h", MQTT_SCHEME_MQTT, "h", 1883, NULL, "u", "p"},
    {"mqtt://u:p:q@h:9", MQTT_SCHEME_MQTT, "h", 9, NULL, "u", "p:q"},
    {"mqtt://u:@h", MQTT_SCHEME_MQTT, "h", 1883, NULL, "u", ""},
    {"mqtt://:p@h", MQTT_SCHEME_MQTT, "h", 1883, NULL, "", "p"},
    {"mqtt://@h", MQTT_SCHEME_MQTT, "h", 1883, NULL, "", NULL},
    {"mqtts://a%40b:c%3ad@[::1]:2", MQTT_SCHEME_MQTTS, "::1", 2, NULL, "a%40b",
     "c%3ad"},
    {"wss://u:p@h/x@y", MQTT_SCHEME_WSS, "h", 443, "/x@y", "u", "p"},

    /* unix sockets */
    {"unix:/run/mqtt.sock", MQTT_SCHEME_UNIX, NULL, 0, "/run/mqtt.sock", NULL,
     NULL},
    {"unix:relative", MQTT_SCHEME_UNIX, NULL, 0, "relative", NULL, NULL},
    {"unix:/a:b@c?d#e%20", MQTT_SCHEME_UNIX, NULL, 0, "/a:b@c?d#e%20", NULL,
     NULL},
    {"UNIX:/x", MQTT_SCHEME_UNIX, NULL, 0, "/x", NULL, NULL},
};

static const char *const bad[] = {
    /* no host */
    NULL, "", "mqtt://", "mqtt://:1883", "mqtt://u@", "mqtt://u:p@:1",
    "mqtts://[]", "ws:///path", "unix:", ":", "[::1]",
    /* no scheme that is known */
    "http://h", "tcp://h", "mqtt5://h", "mqtt:/h", "mqtt:h", "://h", "//h",
    "wsss://h", " mqtt://h", "mqtt//h",
    /* ports */
    "h:1883", "192.0.2.1:1883", "mqtt://h:", "mqtt://h:0", "mqtt://h:65536",
    "mqtt://h:18446744073709551617", "mqtt://h:1883x", "mqtt://h:-1",
    "mqtt://h:+1", "mqtt://h:0x50", "mqtt://h:1:2",
    "mqtt://[::1]:", "mqtt://[::1]:0", "mqtt://[::1]:70000",
    /* IPv6 and brackets */
    "mqtt://::1", "mqtt://::1:1883", "mqtt://fe80::1", "mqtt://[::1",
    "mqtt://[", "mqtt://::1]", "mqtt://[::1]1883", "mqtt://[::1]x",
    "mqtt://[[::1]]", "mqtt://[h]", "mqtt://[192.0.2.1]", "mqtt://h]",
    "ws://[::1/path]",
    /* paths where there are none */
    "mqtt://h/", "mqtt://h/x", "mqtts://h/x", "mqtt://h?x", "mqtts://h#x",
    "h/x", "h?x", "h#x", "::1/64",
    /* paths that are none */
    "ws://h?x", "ws://h#x", "ws://h/#x", "ws://h/x#",
    /* users */
    "u@h", "mqtt://u@v@h", "mqtt://u:p@q@h",
    /* spaces and control characters */
    "h ", " h", "h\n", "a b", "mqtt://a b", "mqtt://h\r\n", "mqtt://h\t:1",
    "mqtt://u v@h", "mqtt://u:\x7f@h", "ws://h/a b", "ws://h/\r\nX:y",
    "ws://h/\x01", "unix:/a b", "unix:/a\n", " "};

static bool is(struct mqtt_span span, const char *text)
{
    if (!text)
        return !span.data && span.size == 0;
    return span.data && span.size == strlen(text) &&
           !memcmp(span.data, text, span.size);
}

static void expect(const struct good *row, const struct mqtt_url *url,
                   uint16_t port)
{
    if (url->scheme != row->scheme || url->port != port ||
        !is(url->host, row->host) || !is(url->path, row->path) ||
        !is(url->user_name, row->user_name) ||
        !is(url->password, row->password))
        fail_msg("%s: scheme %d, host %.*s, port %u", row->address,
                 (int)url->scheme, (int)url->host.size,
                 url->host.data ? (const char *)url->host.data : "",
                 (unsigned)url->port);
}

static void test_good_addresses_are_taken_apart(void **state)
{
    struct mqtt_url url;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct mqtt_server server = {good[i].address, 0};

        memset(&url, 0xee, sizeof url);
        if (mqtt_url_read(&server, &url))
            fail_msg("%s: refused", good[i].address);
        expect(&good[i], &url, good[i].port);
    }
}

static void test_bad_addresses_are_refused(void **state)
{
    struct mqtt_url url;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mqtt_server server = {bad[i], 1883};

        if (mqtt_url_read(&server, &url) != MQTT_ERR_SERVER)
            fail_msg("\"%s\": taken", bad[i] ? bad[i] : "NULL");
    }
}

static uint16_t port_of(const char *address, uint16_t port)
{
    struct mqtt_server server = {address, port};
    struct mqtt_url url;

    assert_int_equal(mqtt_url_read(&server, &url), MQTT_OK);
    return url.port;
}

static void
test_the_port_is_the_urls_then_the_servers_then_the_schemes(void **state)
{
    (void)state;
    assert_int_equal(port_of("wss://h:1", PORT_APART), 1);
    assert_int_equal(port_of("wss://h", PORT_APART), PORT_APART);
    assert_int_equal(port_of("wss://h", 0), 443);
    assert_int_equal(port_of("h", PORT_APART), PORT_APART);
    assert_int_equal(port_of("h", 0), 1883);
    assert_int_equal(port_of("unix:/x", PORT_APART), 0);
}

/* Nothing behind the address is looked at: the sanitizers watch. */
static void test_every_beginning_of_a_good_address_is_read_safely(void **state)
{
    char *beginning;
    struct mqtt_url url;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        for (size_t size = 0; size < strlen(good[i].address); size++) {
            struct mqtt_server server;
            enum mqtt_error error;

            beginning = test_malloc(size + 1);
            memcpy(beginning, good[i].address, size);
            beginning[size] = 0;
            server = (struct mqtt_server){beginning, 0};
            error = mqtt_url_read(&server, &url);
            assert_true(error == MQTT_OK || error == MQTT_ERR_SERVER);
            test_free(beginning);
        }
    }
}

/* ---- escapes ------------------------------------------------------------- */

static void unescapes(const char *text, const char *expected,
                      ptrdiff_t expected_size)
{
    char *out = test_malloc(strlen(text) + 1);

    if (mqtt_url_unescape(mqtt_text(text), out) != expected_size)
        fail_msg("%s", text);
    if (expected_size > 0)
        assert_memory_equal(out, expected, (size_t)expected_size);
    test_free(out);
}

static void test_escapes_are_undone(void **state)
{
    (void)state;
    unescapes("", "", 0);
    unescapes("plain", "plain", 5);
    unescapes("a%40b", "a@b", 3);
    unescapes("%41%5a%5A%ff", "AZZ\xff", 4);
    unescapes("%2541", "%41", 3);
    unescapes("x%00y", "x\0y", 3);
    unescapes("+", "+", 1);
}

static void test_half_an_escape_is_refused(void **state)
{
    static const char *const wrong[] = {"%",   "%4",   "a%",   "ab%4",
                                        "%g0", "%0g",  "%%41", "%4%31",
                                        "% 1", "%-1a", "%+1",  "%41%"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        unescapes(wrong[i], NULL, -1);
}

static void test_escapes_are_undone_in_place(void **state)
{
    char text[] = "%40%40x%2f";
    struct mqtt_span span = {text, strlen(text)};

    (void)state;
    assert_int_equal(mqtt_url_unescape(span, text), 4);
    assert_memory_equal(text, "@@x/", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_addresses_are_taken_apart),
        cmocka_unit_test(test_bad_addresses_are_refused),
        cmocka_unit_test(
            test_the_port_is_the_urls_then_the_servers_then_the_schemes),
        cmocka_unit_test(test_every_beginning_of_a_good_address_is_read_safely),
        cmocka_unit_test(test_escapes_are_undone),
        cmocka_unit_test(test_half_an_escape_is_refused),
        cmocka_unit_test(test_escapes_are_undone_in_place),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
