/*
 * What the URLs of a configuration's servers say about the client.
 */
#ifndef MQTTLOOP_POSIX_SERVERS_H
#define MQTTLOOP_POSIX_SERVERS_H

#include <mqttloop/posix.h>

/** MQTT_ERR_SERVER: one cannot be read, asks for a layer that `host` does not
 * have, or for another user than the first. */
enum mqtt_error mqtt_servers_check(const struct mqtt_config *config,
                                   const struct mqtt_host *host);

/** If the first server's URL has a user and the configuration has none, make
 * it that one. *text is then what it stands in, to be freed; else NULL.
 * MQTT_ERR_SERVER: an escape that is none; MQTT_ERR_MEMORY. */
enum mqtt_error mqtt_servers_user(struct mqtt_config *config, char **text);

#endif
