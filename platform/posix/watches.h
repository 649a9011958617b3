/*
 * What a transport watches in its reactor, remembered so that another reactor
 * can take over at any moment.
 */
#ifndef MQTTLOOP_POSIX_WATCHES_H
#define MQTTLOOP_POSIX_WATCHES_H

#include <mqttloop/reactor.h>

struct mqtt_watches {
    struct mqtt_reactor *reactor; /* may be NULL */
    int descriptors[MQTT_REACTOR_SLOTS];
    unsigned masks[MQTT_REACTOR_SLOTS]; /* 0: the slot is free */
    int refused; /* why the reactor did not watch what it should; 0: it does */
};

/** For a new connection: what was refused is asked for anew. */
void mqtt_watches_retry(struct mqtt_watches *watches);

/** The reactor has told MQTT_UNWATCHED. */
void mqtt_watches_again(struct mqtt_watches *watches, unsigned slot);

/** Mask 0 stops, and must be asked for before the descriptor is closed. */
void mqtt_watches_set(struct mqtt_watches *watches, unsigned slot,
                      int descriptor, unsigned mask);

void mqtt_watches_attach(struct mqtt_watches *watches,
                         struct mqtt_reactor *reactor);

#endif
