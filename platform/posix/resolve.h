/*
 * Host names to addresses, without ever blocking. Two sources implement this:
 * one with c-ares, and one that knows no names, for builds without it.
 */
#ifndef MQTTLOOP_POSIX_RESOLVE_H
#define MQTTLOOP_POSIX_RESOLVE_H

#include "address.h"
#include "watches.h"

/** Slots of the reactor from here on belong to the resolver. */
#define MQTT_RESOLVER_SLOT 4
#define MQTT_RESOLVER_SLOTS (MQTT_REACTOR_SLOTS - MQTT_RESOLVER_SLOT)

/** IPv4 and IPv6 are asked for apart: one may answer, the other never. */
#define MQTT_LOOKUPS 2

struct ares_channeldata;
struct mqtt_resolver;

struct mqtt_lookup {
    struct mqtt_resolver *resolver;
    int status; /* of c-ares */
    bool answered;
};

struct mqtt_resolver {
    struct mqtt_watches *watches;     /* set by the owner, */
    struct mqtt_addresses *addresses; /* as is this: what was found goes here */
    /** "address:port,...", instead of those of the system; for tests. */
    const char *name_servers;
    const char *name;
    struct ares_channeldata *channel; /* NULL: nothing is going on */
    struct mqtt_lookup lookups[MQTT_LOOKUPS];
    mqtt_time deadline;  /* when advance() is needed */
    mqtt_time answer_at; /* when the first addresses were there */
    unsigned ready[MQTT_RESOLVER_SLOTS];
    int machine_error; /* errno when the machine had no socket for us */
    uint16_t port;
};

enum mqtt_resolver_state {
    MQTT_RESOLVER_WAIT,  /**< nothing to connect to yet */
    MQTT_RESOLVER_BEGIN, /**< connect to what is there, more may come */
    MQTT_RESOLVER_END    /**< this is all; perhaps nothing */
};

/** Begin; `name` must stay until the end or mqtt_resolver_cancel(). */
void mqtt_resolver_start(struct mqtt_resolver *resolver, const char *name,
                         uint16_t port, mqtt_time now);
enum mqtt_resolver_state mqtt_resolver_advance(struct mqtt_resolver *resolver,
                                               mqtt_time now);
/** Take note that `slot` is ready. */
void mqtt_resolver_ready(struct mqtt_resolver *resolver, unsigned slot,
                         unsigned mask);
/** Give up; no effect when nothing is going on. */
void mqtt_resolver_cancel(struct mqtt_resolver *resolver);
/** Why nothing was found, and a constant text for it. */
enum mqtt_error mqtt_resolver_error(const struct mqtt_resolver *resolver,
                                    const char **text);

#endif
