/*
 * Where to connect to: what a server's address says, and lists of socket
 * addresses.
 */
#ifndef MQTTLOOP_POSIX_ADDRESS_H
#define MQTTLOOP_POSIX_ADDRESS_H

#include <mqttloop/client.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/** One address, ready for connect(2). */
struct mqtt_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } name;
    socklen_t size;
};

/** More addresses of one host than this are not tried. */
#define MQTT_ADDRESSES 16

struct mqtt_addresses {
    struct mqtt_address list[MQTT_ADDRESSES];
    size_t count;
};

enum mqtt_address_kind {
    MQTT_ADDRESS_LITERAL, /**< numeric, unix, localhost: nothing to look up */
    MQTT_ADDRESS_NAME,    /**< a host name */
    MQTT_ADDRESS_INVALID  /**< neither */
};

/** The port to connect to: 1883 if the server names none. */
uint16_t mqtt_address_port(const struct mqtt_server *server);

/** What `server` says; a literal is added to `addresses`. */
enum mqtt_address_kind mqtt_address_read(const struct mqtt_server *server,
                                         struct mqtt_addresses *addresses);

/** Add an address of AF_INET or AF_INET6 with this port; what does not fit
 * and what is of another family is left out. */
void mqtt_addresses_add(struct mqtt_addresses *addresses,
                        const struct sockaddr *address, uint16_t port);

/** Write e.g. "192.0.2.1:1883", "[::1]:1883", "unix:/path" to `out`. */
void mqtt_address_write(const struct mqtt_address *address, char *out,
                        size_t size);

#endif
