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
#define MQTT_RESOLVER_SLOTS 4
/** And to it below this. */
#define MQTT_RESOLVER_END_SLOT (MQTT_RESOLVER_SLOT + MQTT_RESOLVER_SLOTS)
/** The one of mqtt_wake(). */
#define MQTT_WAKE_SLOT MQTT_RESOLVER_END_SLOT

/** IPv4 and IPv6 are asked for apart: one may answer, the other never. */
#define MQTT_LOOKUPS 2

struct ares_channeldata;
struct ares_srv_reply;
struct mqtt_resolver;

/** One question. */
struct mqtt_lookup {
    struct mqtt_resolver *resolver;
    int status; /* of c-ares */
    bool answered;
    bool found; /* at least one address came of it */
};

/** What a TCP connection to a name server still owes of an answer. */
struct mqtt_answer_stream {
    int descriptor;
    bool open;
    uint8_t high;       /* the first byte of the answer's size, */
    uint8_t size_bytes; /* if 1; 2: the size is known */
    uint16_t left;
};
#define MQTT_ANSWER_STREAMS 3

/** Targets of SRV records, in the order in which they are to be tried. */
struct mqtt_targets {
    struct ares_srv_reply *list; /* of c-ares; NULL: none */
    uint64_t used;               /* a bit for each of the first 64 */
    bool asked;                  /* the question is on its way */
    bool refused;                /* the name says that it has no service */
    int status;
    bool answered;
    mqtt_time until; /* when the name itself is asked for all the same */
};

/** What is to be looked up. */
struct mqtt_question {
    struct mqtt_span name; /* its text must stay until the end */
    uint16_t port;
    const char *service; /* "_mqtt._tcp.": ask for SRV records; NULL: do not */
    int first_family;    /* AF_INET, AF_INET6: which one is waited for */
    int only_family;     /* AF_UNSPEC: both */
    /** "address:port,...", instead of those of the system; NULL. */
    const char *name_servers;
};

struct mqtt_resolver {
    struct mqtt_watches *watches;     /* set by the owner, */
    struct mqtt_addresses *addresses; /* as is this: what was found goes here */
    struct mqtt_question question;
    uint16_t port;                    /* of what is being looked up now */
    struct ares_channeldata *channel; /* NULL: nothing is going on */
    struct mqtt_lookup lookups[MQTT_LOOKUPS];
    struct mqtt_targets targets;
    mqtt_time deadline;  /* when advance() is needed */
    mqtt_time answer_at; /* when the first address of a target was there */
    unsigned ready[MQTT_RESOLVER_SLOTS];
    struct mqtt_answer_stream streams[MQTT_ANSWER_STREAMS];
    unsigned reads_left; /* in this turn */
    bool unwatched;      /* c-ares has more sockets than there are slots */
    int machine_error;   /* errno when the machine had no socket for us */
};

enum mqtt_resolver_state {
    MQTT_RESOLVER_WAIT,  /**< nothing to connect to yet */
    MQTT_RESOLVER_BEGIN, /**< connect to what is there, more may come */
    MQTT_RESOLVER_END    /**< this is all; perhaps nothing */
};

void mqtt_resolver_start(struct mqtt_resolver *resolver,
                         const struct mqtt_question *question, mqtt_time now);
enum mqtt_resolver_state mqtt_resolver_advance(struct mqtt_resolver *resolver,
                                               mqtt_time now);
/** Take note that `slot` is ready. */
void mqtt_resolver_ready(struct mqtt_resolver *resolver, unsigned slot,
                         unsigned mask);
/** Give up; no effect when nothing is going on. */
void mqtt_resolver_cancel(struct mqtt_resolver *resolver);
/** Whether the name may exist all the same: nobody said that it does not. */
bool mqtt_resolver_is_in_doubt(const struct mqtt_resolver *resolver);
/** Why nothing was found, and a constant text for it. */
enum mqtt_error mqtt_resolver_error(const struct mqtt_resolver *resolver,
                                    const char **text);

#endif
