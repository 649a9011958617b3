#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_SIZE 253 /* RFC 1035, as text without the final dot */

static const char unix_prefix[] = "unix:";

static size_t host_size(const struct mqtt_address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

bool mqtt_address_is_same(const struct mqtt_address *a,
                          const struct mqtt_address *b)
{
    return a->family == b->family && a->port == b->port &&
           a->scope == b->scope && !memcmp(a->host, b->host, host_size(a));
}

/* ---- lists --------------------------------------------------------------- */

void mqtt_addresses_clear(struct mqtt_addresses *addresses, int only_family)
{
    addresses->count = 0;
    addresses->rank = 0;
    addresses->left_out = false;
    addresses->only_family = only_family;
}

static bool is_there(const struct mqtt_addresses *addresses,
                     const struct mqtt_address *address)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (mqtt_address_is_same(&addresses->list[i], address))
            return true;
    return false;
}

static size_t count_of(const struct mqtt_addresses *addresses, uint8_t family)
{
    size_t count = 0;

    for (size_t i = 0; i < addresses->count; i++)
        count += addresses->list[i].family == family;
    return count;
}

/* A place for one more of `family`: the last that the other family may have
 * to give up, when the list is full. */
static struct mqtt_address *place(struct mqtt_addresses *addresses,
                                  uint8_t family)
{
    size_t i;

    if (addresses->count < MQTT_ADDRESSES)
        return &addresses->list[addresses->count++];
    if (count_of(addresses, family) >= MQTT_ADDRESSES_OF_FAMILY)
        return NULL;
    for (i = MQTT_ADDRESSES; i-- > 0;)
        if (!addresses->list[i].tried && addresses->list[i].family != family)
            return &addresses->list[i];
    return NULL;
}

void mqtt_addresses_add(struct mqtt_addresses *addresses,
                        const struct mqtt_address *address)
{
    struct mqtt_address *at;

    if (addresses->only_family && address->family != AF_UNIX &&
        address->family != addresses->only_family) {
        addresses->left_out = true;
        return;
    }
    if (is_there(addresses, address) ||
        !(at = place(addresses, address->family)))
        return;
    *at = *address;
    at->rank = addresses->rank & 0x7fu;
    at->tried = false;
}

void mqtt_addresses_add_name(struct mqtt_addresses *addresses,
                             const struct sockaddr *name, uint16_t port)
{
    struct mqtt_address address = {.port = port};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    address.family = (uint8_t)name->sa_family;
    if (name->sa_family == AF_INET) {
        memcpy(&v4, name, sizeof v4);
        memcpy(address.host, &v4.sin_addr, 4);
    } else if (name->sa_family == AF_INET6) {
        memcpy(&v6, name, sizeof v6);
        memcpy(address.host, &v6.sin6_addr, 16);
        address.scope = v6.sin6_scope_id;
    } else {
        return;
    }
    mqtt_addresses_add(addresses, &address);
}

/* ---- text to addresses --------------------------------------------------- */

static enum mqtt_address_kind read_unix(struct mqtt_span path,
                                        struct mqtt_addresses *addresses)
{
    struct mqtt_address address = {.family = AF_UNIX};

    if (path.size >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return MQTT_ADDRESS_INVALID;
    addresses->path = path;
    mqtt_addresses_add(addresses, &address);
    return MQTT_ADDRESS_LITERAL;
}

/* "fe80::1%eth0": a link-local address needs its interface [RFC 4007, 11]. */
static bool parse_v6(const char *text, struct mqtt_address *out)
{
    const char *zone = strchr(text, '%');
    size_t size = zone ? (size_t)(zone - text) : strlen(text);
    char digits[INET6_ADDRSTRLEN];

    if (size >= sizeof digits)
        return false;
    memcpy(digits, text, size);
    digits[size] = 0;
    out->family = AF_INET6;
    out->scope = zone ? if_nametoindex(zone + 1) : 0;
    return inet_pton(AF_INET6, digits, out->host) == 1 && (!zone || out->scope);
}

bool mqtt_address_parse(const char *text, struct mqtt_address *out)
{
    memset(out, 0, sizeof *out);
    out->family = AF_INET;
    return inet_pton(AF_INET, text, out->host) == 1 || parse_v6(text, out);
}

/* Always this host, whatever name servers say [RFC 6761, 6.3]; in the order
 * that getaddrinfo() has, so that everybody means the same server by it. */
static void add_loopback(struct mqtt_addresses *addresses, uint16_t port)
{
    struct mqtt_address address;

    mqtt_address_parse("::1", &address);
    address.port = port;
    mqtt_addresses_add(addresses, &address);
    mqtt_address_parse("127.0.0.1", &address);
    address.port = port;
    mqtt_addresses_add(addresses, &address);
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_name_byte(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' ||
           byte == '.';
}

/* Letters, digits, '-', '_' and dots, so that a URL or "host:port" is told
 * from a name that does not exist. No name ends in a number [RFC 3696, 2]:
 * that is a mistyped address. */
static bool is_name(const char *text)
{
    const char *label = text, *at = text;
    size_t digits = 0;

    for (; *at; at++) {
        if (!is_name_byte(*at) || (*at == '.' && at == label))
            return false;
        digits = *at == '.' ? 0 : digits + (size_t)is_digit(*at);
        if (*at == '.' && at[1])
            label = at + 1;
    }
    return at != text && (size_t)(at - text) <= NAME_MAX_SIZE &&
           digits != (size_t)(at - label);
}

/* A URL has the '%' before a zone as "%25" [RFC 6874, 2]. */
static bool copy_host(const struct mqtt_url *url, char host[MQTT_HOST_SIZE])
{
    char *zone;

    if (url->host.size >= MQTT_HOST_SIZE)
        return false;
    memcpy(host, url->host.data, url->host.size);
    host[url->host.size] = 0;
    zone = strchr(host, '%');
    if (zone && url->scheme != MQTT_SCHEME_NONE && !strncmp(zone, "%25", 3))
        memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
    return true;
}

enum mqtt_address_kind mqtt_address_read(const struct mqtt_url *url,
                                         struct mqtt_addresses *addresses)
{
    struct mqtt_address address;
    char host[MQTT_HOST_SIZE];

    if (url->scheme == MQTT_SCHEME_UNIX)
        return read_unix(url->path, addresses);
    if (!copy_host(url, host))
        return MQTT_ADDRESS_INVALID;
    if (mqtt_address_parse(host, &address)) {
        address.port = url->port;
        mqtt_addresses_add(addresses, &address);
    } else if (!strcmp(host, "localhost")) {
        add_loopback(addresses, url->port);
    } else {
        return is_name(host) ? MQTT_ADDRESS_NAME : MQTT_ADDRESS_INVALID;
    }
    return MQTT_ADDRESS_LITERAL;
}

/* ---- and what sockets take ----------------------------------------------- */

socklen_t mqtt_address_name(const struct mqtt_addresses *addresses,
                            const struct mqtt_address *address,
                            union mqtt_socket_name *out)
{
    memset(out, 0, sizeof *out);
    out->any.sa_family = address->family;
    switch (address->family) {
    case AF_INET:
        memcpy(&out->v4.sin_addr, address->host, 4);
        out->v4.sin_port = htons(address->port);
        return sizeof out->v4;
    case AF_INET6:
        memcpy(&out->v6.sin6_addr, address->host, 16);
        out->v6.sin6_scope_id = address->scope;
        out->v6.sin6_port = htons(address->port);
        return sizeof out->v6;
    default:
        memcpy(out->local.sun_path, addresses->path.data, addresses->path.size);
        return sizeof out->local;
    }
}

void mqtt_address_write(const struct mqtt_addresses *addresses,
                        const struct mqtt_address *address, char *out,
                        size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->family == AF_UNIX) {
        snprintf(out, size, "%s%.*s", unix_prefix, (int)addresses->path.size,
                 (const char *)addresses->path.data);
        return;
    }
    inet_ntop(address->family, address->host, host, sizeof host);
    snprintf(out, size, address->family == AF_INET ? "%s:%u" : "[%s]:%u", host,
             (unsigned)address->port);
}
