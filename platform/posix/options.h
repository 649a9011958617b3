/*
 * Options of sockets.
 */
#ifndef MQTTLOOP_POSIX_OPTIONS_H
#define MQTTLOOP_POSIX_OPTIONS_H

#include <mqttloop/network.h>

/** Set what `options` say on a new socket of `family`: 0, or an errno and in
 * *refused the name of what the machine did not take. */
int mqtt_options_set(int descriptor, int family,
                     const struct mqtt_socket_options *options,
                     const char **refused);

/** The family that the options leave, AF_UNSPEC: both. False: they leave none,
 * and *refused says why. */
bool mqtt_options_family(const struct mqtt_socket_options *options, int *family,
                         const char **refused);

#endif
