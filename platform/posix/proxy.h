/*
 * The layer of a proxy: it lies over the socket, and has it connect to the
 * proxy instead of the server.
 */
#ifndef MQTTLOOP_POSIX_PROXY_H
#define MQTTLOOP_POSIX_PROXY_H

#include <mqttloop/network.h>

/** Bytes that mqtt_proxy_init() needs, aligned as malloc does. */
size_t mqtt_proxy_size(const struct mqtt_proxy *proxy);
/** A closed layer in `memory`, not yet over anything; `proxy` must stay as it
 * is until mqtt_proxy_end(). NULL: there is none. */
struct mqtt_layer *mqtt_proxy_init(void *memory,
                                   const struct mqtt_proxy *proxy);
/** Close it. What lies below must still be there. */
void mqtt_proxy_end(struct mqtt_layer *layer);

#endif
