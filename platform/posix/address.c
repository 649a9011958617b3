#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PORT 1883
#define NAME_MAX_SIZE 253 /* RFC 1035, as text without the final dot */

static const char unix_prefix[] = "unix:";

uint16_t mqtt_address_port(const struct mqtt_server *server)
{
    return server->port ? server->port : DEFAULT_PORT;
}

static struct mqtt_address *append(struct mqtt_addresses *addresses)
{
    struct mqtt_address *address;

    if (addresses->count == MQTT_ADDRESSES)
        return NULL;
    address = &addresses->list[addresses->count++];
    memset(address, 0, sizeof *address);
    return address;
}

static void add_v4(struct mqtt_addresses *addresses, struct in_addr host,
                   uint16_t port)
{
    struct mqtt_address *address = append(addresses);

    if (!address)
        return;
    address->name.v4.sin_family = AF_INET;
    address->name.v4.sin_addr = host;
    address->name.v4.sin_port = htons(port);
    address->size = sizeof address->name.v4;
}

static void add_v6(struct mqtt_addresses *addresses, struct in6_addr host,
                   uint32_t scope, uint16_t port)
{
    struct mqtt_address *address = append(addresses);

    if (!address)
        return;
    address->name.v6.sin6_family = AF_INET6;
    address->name.v6.sin6_addr = host;
    address->name.v6.sin6_scope_id = scope;
    address->name.v6.sin6_port = htons(port);
    address->size = sizeof address->name.v6;
}

void mqtt_addresses_add(struct mqtt_addresses *addresses,
                        const struct sockaddr *address, uint16_t port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        add_v4(addresses, v4.sin_addr, port);
    } else if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        add_v6(addresses, v6.sin6_addr, v6.sin6_scope_id, port);
    }
}

static enum mqtt_address_kind read_unix(const char *path,
                                        struct mqtt_addresses *addresses)
{
    struct mqtt_address *address;
    size_t size = strlen(path);

    if (size == 0 || size >= sizeof address->name.local.sun_path)
        return MQTT_ADDRESS_INVALID;
    address = append(addresses);
    if (!address)
        return MQTT_ADDRESS_INVALID;
    address->name.local.sun_family = AF_UNIX;
    memcpy(address->name.local.sun_path, path, size + 1);
    address->size = sizeof address->name.local;
    return MQTT_ADDRESS_LITERAL;
}

/* "fe80::1%eth0": a link-local address needs its interface [RFC 4007, 11]. */
static bool read_v6(const char *text, struct in6_addr *host, uint32_t *scope)
{
    const char *zone = strchr(text, '%');
    size_t size = zone ? (size_t)(zone - text) : strlen(text);
    char digits[INET6_ADDRSTRLEN];

    if (size >= sizeof digits)
        return false;
    memcpy(digits, text, size);
    digits[size] = 0;
    *scope = zone ? if_nametoindex(zone + 1) : 0;
    return inet_pton(AF_INET6, digits, host) == 1 && (!zone || *scope);
}

/* Always this host, whatever name servers say [RFC 6761, 6.3]; in the order
 * that getaddrinfo() has, so that everybody means the same server by it. */
static void add_loopback(struct mqtt_addresses *addresses, uint16_t port)
{
    struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT;
    struct in_addr v4;

    v4.s_addr = htonl(INADDR_LOOPBACK);
    add_v6(addresses, v6, 0, port);
    add_v4(addresses, v4, port);
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

enum mqtt_address_kind mqtt_address_read(const struct mqtt_server *server,
                                         struct mqtt_addresses *addresses)
{
    const char *text = server->address;
    uint16_t port = mqtt_address_port(server);
    struct in_addr v4;
    struct in6_addr v6;
    uint32_t scope;

    if (!text)
        return MQTT_ADDRESS_INVALID;
    if (!strncmp(text, unix_prefix, sizeof unix_prefix - 1))
        return read_unix(text + sizeof unix_prefix - 1, addresses);
    if (inet_pton(AF_INET, text, &v4) == 1)
        add_v4(addresses, v4, port);
    else if (read_v6(text, &v6, &scope))
        add_v6(addresses, v6, scope, port);
    else if (!strcmp(text, "localhost"))
        add_loopback(addresses, port);
    else
        return is_name(text) ? MQTT_ADDRESS_NAME : MQTT_ADDRESS_INVALID;
    return MQTT_ADDRESS_LITERAL;
}

void mqtt_address_write(const struct mqtt_address *address, char *out,
                        size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    switch (address->name.any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->name.v4.sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host,
                 (unsigned)ntohs(address->name.v4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->name.v6.sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host,
                 (unsigned)ntohs(address->name.v6.sin6_port));
        break;
    default:
        snprintf(out, size, "%s%s", unix_prefix, address->name.local.sun_path);
    }
}
