/*
 * Time-outs of system calls, made of moments of mqtt_posix_now().
 */
#ifndef MQTTLOOP_POSIX_CLOCK_H
#define MQTTLOOP_POSIX_CLOCK_H

#include <mqttloop/types.h>

/**
 * What poll(2) and epoll_wait(2) are to be told, to wait until `until`. The
 * clock is cut to whole milliseconds, so the wait reaches a little beyond: it
 * never ends too early only to begin again. A longer wait than they can is cut
 * short, which is an empty turn.
 */
int mqtt_posix_timeout(mqtt_time until);

#endif
