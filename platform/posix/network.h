/*
 * The transport of mqtt_client_new(): a socket, and over it the layers that
 * each server's URL asks for. Without layers it is the socket itself.
 */
#ifndef MQTTLOOP_POSIX_NETWORK_H
#define MQTTLOOP_POSIX_NETWORK_H

#include <mqttloop/posix.h>

/** Whether a client may come to need layers at all. */
bool mqtt_network_has_layers(const struct mqtt_host *host);

/** Whether what `url` asks for is there; else words for what is not. */
bool mqtt_network_serves(const struct mqtt_host *host,
                         const struct mqtt_url *url, const char **lacking);

/** Bytes that mqtt_network_init() needs, aligned as malloc does. */
size_t mqtt_network_size(const struct mqtt_host *host);

/** Closed. `host` must stay as it is until mqtt_network_end(). NULL: the
 * machine has no memory, and nothing is to be ended. */
struct mqtt_transport *mqtt_network_init(void *memory,
                                         const struct mqtt_host *host,
                                         uint32_t open_timeout_ms);
/** The socket, on which all else lies. */
struct mqtt_transport *mqtt_network_socket(struct mqtt_transport *transport,
                                           const struct mqtt_host *host);
void mqtt_network_end(struct mqtt_transport *transport,
                      const struct mqtt_host *host);

#endif
