/*
 * Where to connect to: what a server's address says, and lists of addresses.
 */
#ifndef MQTTLOOP_POSIX_ADDRESS_H
#define MQTTLOOP_POSIX_ADDRESS_H

#include <mqttloop/client.h>
#include <mqttloop/network.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/** One address, small: there may be many. */
struct mqtt_address {
    uint8_t host[16]; /* as on the wire; of IPv4 the first four */
    uint32_t scope;   /* of a link-local IPv6 address */
    uint16_t port;
    uint8_t family;   /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: none */
    uint8_t rank : 7; /* those of a lower one are tried first [RFC 2782] */
    uint8_t tried : 1;
};

/** More addresses than this are not tried. */
#define MQTT_ADDRESSES 64
/** But one family leaves so many to the other. */
#define MQTT_ADDRESSES_OF_FAMILY (MQTT_ADDRESSES / 2)

struct mqtt_addresses {
    struct mqtt_address list[MQTT_ADDRESSES];
    size_t count;
    struct mqtt_span path; /* of a unix socket; belongs to the server */
    int only_family;       /* AF_UNSPEC: both */
    uint8_t rank;          /* of those that are added from now on */
    bool left_out;         /* one was not of `only_family` */
};

/** Room for each socket address. */
union mqtt_socket_name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

enum mqtt_address_kind {
    MQTT_ADDRESS_LITERAL, /**< numeric, unix, localhost: nothing to look up */
    MQTT_ADDRESS_NAME,    /**< a host name */
    MQTT_ADDRESS_INVALID  /**< neither */
};

/** A host name has 253 bytes at most, without the final dot [RFC 1035]. */
#define MQTT_HOST_SIZE 256

/** What `url` says; a literal is added to `addresses`. */
enum mqtt_address_kind mqtt_address_read(const struct mqtt_url *url,
                                         struct mqtt_addresses *addresses);

/** An IPv4 or IPv6 address as text, with a zone perhaps; false: it is none. */
bool mqtt_address_parse(const char *text, struct mqtt_address *out);

/** None, for a new search. */
void mqtt_addresses_clear(struct mqtt_addresses *addresses, int only_family);

/** Add one with the rank of the list; what does not fit, what is of another
 * family, and what is there already is left out. */
void mqtt_addresses_add(struct mqtt_addresses *addresses,
                        const struct mqtt_address *address);
/** The same for one of the resolver, with this port. */
void mqtt_addresses_add_name(struct mqtt_addresses *addresses,
                             const struct sockaddr *name, uint16_t port);

bool mqtt_address_is_same(const struct mqtt_address *a,
                          const struct mqtt_address *b);

/** For connect(2) and bind(2): its size. */
socklen_t mqtt_address_name(const struct mqtt_addresses *addresses,
                            const struct mqtt_address *address,
                            union mqtt_socket_name *out);

/** Write e.g. "192.0.2.1:1883", "[::1]:1883", "unix:/path" to `out`. */
void mqtt_address_write(const struct mqtt_addresses *addresses,
                        const struct mqtt_address *address, char *out,
                        size_t size);

#endif
