/*
 * mqtt_wake(): something to watch that any thread and any signal handler can
 * make readable. Two sources implement it: one with eventfd(2), and one for
 * systems without it.
 */
#ifndef MQTTLOOP_POSIX_WAKE_H
#define MQTTLOOP_POSIX_WAKE_H

#include "watches.h"

struct mqtt_client;

struct mqtt_waker {
    struct mqtt_client *client; /* set by the owner */
    int descriptor;             /* -1: none; never changed while it is used */
};

/** MQTT_ERR_SYSTEM: there is no descriptor. */
enum mqtt_error mqtt_waker_open(struct mqtt_waker *waker);
/** No effect when there is none. */
void mqtt_waker_close(struct mqtt_waker *waker);
/** From any thread, from a signal handler; errno is kept. */
void mqtt_waker_ring(const struct mqtt_waker *waker);
/** It is readable: take it back, and let the client know. */
void mqtt_waker_ready(const struct mqtt_waker *waker);

#endif
