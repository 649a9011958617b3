/*
 * Connecting to all addresses of a host in turn, without waiting long for any:
 * the next one starts when one fails or after 250 ms, up to four race, and the
 * first that is connected wins [RFC 8305, 5]. The one that won last time is the
 * first to start.
 */
#ifndef MQTTLOOP_POSIX_CONNECT_H
#define MQTTLOOP_POSIX_CONNECT_H

#include "address.h"
#include "watches.h"

/** Slots of the reactor below this belong to the race. */
#define MQTT_RUNNERS 4

struct mqtt_runner {
    int descriptor; /* -1: none */
    size_t address; /* which one of the list */
    mqtt_time started_at;
    bool ready;
};

struct mqtt_race {
    struct mqtt_watches *watches;     /* set by the owner, */
    struct mqtt_addresses *addresses; /* as is this, it may grow, and these: */
    const struct mqtt_socket_options *options;
    mqtt_time limit_ms;       /* for all together, if there are many */
    struct mqtt_address last; /* that won; the owner may forget it */
    struct mqtt_runner runners[MQTT_RUNNERS];
    mqtt_time next_at;  /* when the next one starts */
    mqtt_time deadline; /* when advance() is needed */
    int last_family;
    const char *refused; /* an option that the machine refused, or NULL */
    int error;           /* errno of the last that failed, */
    size_t failed;       /* and which one that was */
    unsigned winner;
};

enum mqtt_race_state {
    MQTT_RACE_RUNNING,
    MQTT_RACE_WON, /**< runners[winner] is connected and not watched */
    MQTT_RACE_LOST /**< all failed that are in the list by now */
};

/** AF_INET or AF_INET6: of which family the first one should be. */
int mqtt_race_first_family(const struct mqtt_race *race);

void mqtt_race_start(struct mqtt_race *race, mqtt_time now);
enum mqtt_race_state mqtt_race_advance(struct mqtt_race *race, mqtt_time now);
/** Take note that `slot` is ready. */
void mqtt_race_ready(struct mqtt_race *race, unsigned slot);
/** Close all, the winner too. */
void mqtt_race_close(struct mqtt_race *race);

#endif
