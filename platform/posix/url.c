/*
 * Addresses taken apart [RFC 3986, 3], no more of it than servers need. Whether
 * a host is a name or a number is not asked here.
 */
#include <mqttloop/client.h>
#include <mqttloop/network.h>

#include <string.h>

struct scheme {
    const char *prefix;
    enum mqtt_scheme scheme;
    uint16_t port;
};

static const struct scheme schemes[] = {
    {"mqtt://", MQTT_SCHEME_MQTT, 1883}, {"mqtts://", MQTT_SCHEME_MQTTS, 8883},
    {"ws://", MQTT_SCHEME_WS, 80},       {"wss://", MQTT_SCHEME_WSS, 443},
    {"unix:", MQTT_SCHEME_UNIX, 0},
};
static const struct scheme alone = {"", MQTT_SCHEME_NONE, 1883};

/* ---- text ---------------------------------------------------------------- */

/* What is not read yet. */
struct rest {
    const char *at, *end;
};

static struct mqtt_span span(const char *from, const char *to)
{
    return (struct mqtt_span){from, (size_t)(to - from)};
}

static const char *find(struct rest text, char byte)
{
    return text.at == text.end
               ? NULL
               : memchr(text.at, byte, (size_t)(text.end - text.at));
}

/* Where the first of `bytes` stands, else the end. */
static const char *find_any(struct rest text, const char *bytes)
{
    while (text.at < text.end && !strchr(bytes, *text.at))
        text.at++;
    return text.at;
}

static bool is_visible(struct rest text)
{
    for (; text.at < text.end; text.at++)
        if ((unsigned char)*text.at <= ' ' || *text.at == 0x7f)
            return false;
    return true;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* Schemes are the same in capitals [RFC 3986, 3.1]. */
static bool begins_with(const char *text, const char *prefix)
{
    for (; *prefix; text++, prefix++)
        if (lower(*text) != *prefix)
            return false;
    return true;
}

static const struct scheme *scheme_of(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (begins_with(text, schemes[i].prefix))
            return &schemes[i];
    return &alone;
}

/* ---- parts --------------------------------------------------------------- */

static bool read_port(struct rest text, uint16_t *out)
{
    unsigned long port = 0;

    for (; text.at < text.end; text.at++) {
        if (*text.at < '0' || *text.at > '9')
            return false;
        port = port * 10 + (unsigned long)(*text.at - '0');
        if (port > UINT16_MAX)
            return false;
    }
    *out = (uint16_t)port;
    return port > 0;
}

/* Within brackets stands an IPv6 address, and colons tell it from a name. */
static bool read_brackets(struct rest text, struct mqtt_url *out)
{
    struct rest inside = {text.at + 1, find(text, ']')};

    if (!inside.end || !find(inside, ':') ||
        find_any(inside, "/?#[@") != inside.end)
        return false;
    out->host = span(inside.at, inside.end);
    text.at = inside.end + 1;
    if (text.at == text.end)
        return true;
    return *text.at == ':' &&
           read_port((struct rest){text.at + 1, text.end}, &out->port);
}

static bool read_host(struct rest text, struct mqtt_url *out)
{
    const char *colon;

    if (text.at < text.end && *text.at == '[')
        return read_brackets(text, out);
    colon = find(text, ':');
    out->host = span(text.at, colon ? colon : text.end);
    if (out->host.size == 0 || find_any(text, "/?#[]@") != text.end)
        return false;
    return !colon || read_port((struct rest){colon + 1, text.end}, &out->port);
}

/* [RFC 3986, 3.2.1]; an '@' of the password is an escape. */
static void read_user(struct rest text, struct mqtt_url *out)
{
    const char *colon = find(text, ':');

    out->user_name = span(text.at, colon ? colon : text.end);
    if (colon)
        out->password = span(colon + 1, text.end);
}

/* A fragment has no meaning here [RFC 6455, 3]. */
static bool read_path(struct rest text, struct mqtt_url *out)
{
    if (text.at == text.end)
        return true;
    if (out->scheme != MQTT_SCHEME_WS && out->scheme != MQTT_SCHEME_WSS)
        return false;
    out->path = span(text.at, text.end);
    return *text.at == '/' && !find(text, '#');
}

static bool read_authority(struct rest text, struct mqtt_url *out)
{
    struct rest authority = {text.at, find_any(text, "/?#")};
    const char *at = find(authority, '@');

    if (at) {
        read_user((struct rest){authority.at, at}, out);
        authority.at = at + 1;
    }
    return read_host(authority, out) &&
           read_path((struct rest){authority.end, text.end}, out);
}

/* More than one colon: an IPv6 address; one would be a port, which stands
 * apart. */
static bool read_alone(struct rest text, struct mqtt_url *out)
{
    const char *colon = find(text, ':');

    out->host = span(text.at, text.end);
    return text.at < text.end && find_any(text, "/?#[]@") == text.end &&
           (!colon || find((struct rest){colon + 1, text.end}, ':'));
}

static bool read_file(struct rest text, struct mqtt_url *out)
{
    out->path = span(text.at, text.end);
    out->port = 0;
    return text.at < text.end;
}

enum mqtt_error mqtt_url_read(const struct mqtt_server *server,
                              struct mqtt_url *out)
{
    const char *text = server->address ? server->address : "";
    const struct scheme *scheme = scheme_of(text);
    struct rest rest = {text + strlen(scheme->prefix), text + strlen(text)};
    bool good;

    *out = (struct mqtt_url){.scheme = scheme->scheme};
    out->port = server->port ? server->port : scheme->port;
    if (scheme->scheme == MQTT_SCHEME_NONE)
        good = read_alone(rest, out);
    else if (scheme->scheme == MQTT_SCHEME_UNIX)
        good = read_file(rest, out);
    else
        good = read_authority(rest, out);
    return good && is_visible(rest) ? MQTT_OK : MQTT_ERR_SERVER;
}

/* ---- escapes ------------------------------------------------------------- */

static int digit(char byte)
{
    byte = lower(byte);
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

ptrdiff_t mqtt_url_unescape(struct mqtt_span text, char *out)
{
    const char *from = text.data;
    size_t i, size = 0;
    int high, low;

    for (i = 0; i < text.size; i++) {
        if (from[i] != '%') {
            out[size++] = from[i];
            continue;
        }
        if (text.size - i < 3)
            return -1;
        high = digit(from[i + 1]);
        low = digit(from[i + 2]);
        if (high < 0 || low < 0)
            return -1;
        out[size++] = (char)(high * 16 + low);
        i += 2;
    }
    return (ptrdiff_t)size;
}
