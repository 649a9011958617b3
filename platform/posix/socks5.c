/*
 * SOCKS5 [RFC 1928], with or without user name and password [RFC 1929]. Names
 * go to the proxy as they are; it may know more of them than this machine.
 */
#include "proxy_talk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define VERSION 5
#define LONGEST 255

enum { WITHOUT_LOGIN = 0, BY_PASSWORD = 2, NO_METHOD = 0xff };
enum { BY_IPV4 = 1, BY_NAME = 3, BY_IPV6 = 4 };

static void await(struct mqtt_proxy_layer *self, size_t wanted,
                  void (*stage)(struct mqtt_proxy_layer *self))
{
    self->socks5.stage = stage;
    self->socks5.wanted = wanted;
    self->socks5.size = 0;
}

static void put_byte(struct mqtt_proxy_layer *self, size_t byte)
{
    uint8_t one = (uint8_t)byte;

    mqtt_proxy_put(self, &one, 1);
}

static void put_field(struct mqtt_proxy_layer *self, const void *bytes,
                      size_t size)
{
    put_byte(self, size);
    mqtt_proxy_put(self, bytes, size);
}

/* ---- the server ---------------------------------------------------------- */

static void put_host(struct mqtt_proxy_layer *self)
{
    struct mqtt_span host = self->url.host;
    struct in6_addr address;
    char text[LONGEST + 1];

    memcpy(text, host.data, host.size);
    text[host.size] = 0;
    if (inet_pton(AF_INET, text, &address) == 1) {
        put_byte(self, BY_IPV4);
        mqtt_proxy_put(self, &address, 4);
    } else if (inet_pton(AF_INET6, text, &address) == 1) {
        put_byte(self, BY_IPV6);
        mqtt_proxy_put(self, &address, 16);
    } else {
        put_byte(self, BY_NAME);
        put_field(self, host.data, host.size);
    }
}

/* [RFC 1928, section 6]. */
static const char *reason(uint8_t code)
{
    static const char *const texts[] = {
        "it failed",
        "not allowed by its rules",
        "network unreachable",
        "host unreachable",
        "connection refused by the server",
        "time to live expired",
        "it knows no CONNECT",
        "it does not know this kind of address",
    };
    bool known = code <= sizeof texts / sizeof texts[0];

    return known ? texts[code - 1] : "for a reason that is not known";
}

/* All of the answer is here; the address in it is of no use. */
static void take_rest(struct mqtt_proxy_layer *self)
{
    self->state = MQTT_PROXY_OPEN;
}

/* What follows is an address of its kind, of which one byte is here already,
 * and a port. */
static void take_head(struct mqtt_proxy_layer *self)
{
    struct mqtt_socks5 *socks5 = &self->socks5;
    size_t rest = 2;

    switch (socks5->answer[3]) {
    case BY_IPV4:
        rest += 3;
        break;
    case BY_IPV6:
        rest += 15;
        break;
    case BY_NAME:
        rest += socks5->answer[4];
        break;
    default:
        mqtt_proxy_fail(self, "the proxy does not speak SOCKS5", "");
        return;
    }
    await(self, rest, take_rest);
}

/* Some close behind the code. */
static void take_code(struct mqtt_proxy_layer *self)
{
    if (self->socks5.answer[1] != 0)
        mqtt_proxy_fail(self, "the proxy refuses",
                        reason(self->socks5.answer[1]));
    self->socks5.wanted = 5;
    self->socks5.stage = take_head;
}

static void ask(struct mqtt_proxy_layer *self)
{
    static const uint8_t connect[] = {VERSION, 1, 0};

    mqtt_proxy_put(self, connect, sizeof connect);
    put_host(self);
    put_byte(self, self->url.port >> 8);
    put_byte(self, self->url.port);
    await(self, 2, take_code);
}

/* ---- the user ------------------------------------------------------------ */

static void take_verdict(struct mqtt_proxy_layer *self)
{
    if (self->socks5.answer[1] == 0)
        ask(self);
    else
        mqtt_proxy_fail(self, "the proxy refuses",
                        "user name or password is wrong");
}

/* [RFC 1929]. */
static void log_in(struct mqtt_proxy_layer *self)
{
    const char *user_name = self->proxy->user_name;
    const char *password = self->proxy->password;

    put_byte(self, 1);
    put_field(self, user_name, strlen(user_name));
    put_field(self, password ? password : "", password ? strlen(password) : 0);
    await(self, 2, take_verdict);
}

static void take_method(struct mqtt_proxy_layer *self)
{
    bool has_login = self->proxy->user_name;

    if (self->socks5.answer[1] == WITHOUT_LOGIN)
        ask(self);
    else if (self->socks5.answer[1] == BY_PASSWORD && has_login)
        log_in(self);
    else
        mqtt_proxy_fail(self, "the proxy refuses",
                        has_login ? "it wants another way to log in"
                                  : "it wants a user name and a password");
}

/* What its fields have no room for; NULL: all fits. */
static const char *too_long(const struct mqtt_proxy_layer *self)
{
    const struct mqtt_proxy *proxy = self->proxy;

    if (self->url.host.size > LONGEST)
        return "the host's name is too long";
    if ((proxy->user_name && strlen(proxy->user_name) > LONGEST) ||
        (proxy->password && strlen(proxy->password) > LONGEST))
        return "the proxy's user name or password is too long";
    return NULL;
}

static void begin(struct mqtt_proxy_layer *self)
{
    static const uint8_t without[] = {VERSION, 1, WITHOUT_LOGIN};
    static const uint8_t with[] = {VERSION, 2, WITHOUT_LOGIN, BY_PASSWORD};
    const char *fault = too_long(self);

    if (fault)
        mqtt_proxy_fail(self, fault, "");
    else if (self->proxy->user_name)
        mqtt_proxy_put(self, with, sizeof with);
    else
        mqtt_proxy_put(self, without, sizeof without);
    await(self, 2, take_method);
}

/* ---- bytes --------------------------------------------------------------- */

/* The first byte of each answer is a version: that of a login is 1; the other
 * part of a long one is not looked at. */
static bool is_foreign(const struct mqtt_socks5 *socks5)
{
    uint8_t version = socks5->stage == take_verdict ? 1 : VERSION;

    return socks5->stage != take_rest && socks5->answer[0] != version;
}

static void take(struct mqtt_proxy_layer *self, uint8_t byte)
{
    struct mqtt_socks5 *socks5 = &self->socks5;

    socks5->answer[socks5->size++] = byte;
    if (is_foreign(socks5))
        mqtt_proxy_fail(self, "the proxy does not speak SOCKS5", "");
    else if (socks5->size == socks5->wanted)
        socks5->stage(self);
}

const struct mqtt_proxy_talk mqtt_socks5 = {begin, take};
