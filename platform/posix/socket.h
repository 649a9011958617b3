/*
 * The socket transport: look up, race, then one descriptor.
 */
#ifndef MQTTLOOP_POSIX_SOCKET_H
#define MQTTLOOP_POSIX_SOCKET_H

#include "connect.h"
#include "resolve.h"

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
    bool borrowing; /* lend() of this one has not ended */
    char detail[384];
};

#endif
