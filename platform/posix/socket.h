/*
 * The socket transport: look up, race, then one descriptor.
 */
#ifndef MQTTLOOP_POSIX_SOCKET_H
#define MQTTLOOP_POSIX_SOCKET_H

#include "connect.h"
#include "resolve.h"
#include "wake.h"

#include <mqttloop/transport.h>

enum mqtt_socket_state {
    MQTT_SOCKET_CLOSED,
    MQTT_SOCKET_AWAIT_CONNECT, /* looking up and racing, at the same time */
    MQTT_SOCKET_OPEN,
    MQTT_SOCKET_FAILED
};

struct mqtt_socket {
    struct mqtt_transport transport;
    struct mqtt_watches watches;
    struct mqtt_addresses addresses;
    struct mqtt_resolver resolver;
    struct mqtt_race race; /* its winner is the open connection */
    enum mqtt_socket_state state;
    enum mqtt_error error;
    const struct mqtt_waker *waker; /* NULL: none */
    bool borrowing;                 /* lend() of this one has not ended */
    bool without_layers;
    const struct mqtt_socket_options *options;
    mqtt_time recall_at;   /* when the last address is tried without a name */
    uint64_t last_host;    /* a mark of the name that race.last belongs to */
    bool doubt_is_over;    /* it has been tried */
    struct mqtt_span host; /* of the server, in its address */
    int send_error;        /* why nothing can be sent any more; 0: it can */
    bool heard_out;        /* a turn has passed since */
    char detail[288];
};

/** Before the first open(); `options` must stay. 0: 30,000 ms. */
void mqtt_socket_configure(struct mqtt_transport *transport,
                           const struct mqtt_socket_options *options,
                           uint32_t open_timeout_ms);
/** From now on a server whose URL asks for TLS or WebSocket is refused, since
 * nobody is there to do it. */
void mqtt_socket_without_layers(struct mqtt_transport *transport);
/** Watch `waker`, too, connected or not, until the reactor is taken away. */
void mqtt_socket_watch_waker(struct mqtt_transport *transport,
                             const struct mqtt_waker *waker);

#endif
