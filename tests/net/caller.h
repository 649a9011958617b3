/*
 * caller.h - a client under test, what it was told, and a second server to
 * which it goes when the first is not as it must be.
 */
#ifndef CALLER_H
#define CALLER_H

#include <mqttloop/mqttloop.h>
#include <mqttloop/posix.h>

#include "http_server.h"
#include "process.h"
#include "turns.h"

struct caller {
    struct mqtt_client *client;
    struct mqtt_config config; /* to be changed before caller_calls() */
    struct mqtt_host host;
    struct mqtt_server servers[2];
    char addresses[2][720];
    unsigned connected, disconnected, acknowledged;
    enum mqtt_error error; /* of the first MQTT_EVENT_DISCONNECTED */
    char detail[256];
    size_t begin_bytes, most_bytes; /* of malloc(), since caller_calls() */
};

/* `second` may be NULL. */
void caller_begin(struct caller *caller, const char *first, const char *second);
void caller_end(struct caller *caller);
/* Make the client, and connect. */
void caller_calls(struct caller *caller);
/* A turn, and a step of the server, if any. */
void caller_turn(struct caller *caller, struct http_server *server);
/* Both go on until the client is connected; then it publishes at QoS 1, which
 * must be acknowledged. */
void caller_lives(struct caller *caller, struct http_server *server);
/* After all acknowledgements. */
void caller_leaves(struct caller *caller);

#define caller_until(caller, server, condition)                                \
    do {                                                                       \
        mqtt_time until_ = mqtt_posix_now() + 10000;                           \
        while (!(condition)) {                                                 \
            if (mqtt_posix_now() > until_)                                     \
                fail_msg("waited in vain for: %s; %s", #condition,             \
                         (caller)->detail);                                    \
            caller_turn(caller, server);                                       \
        }                                                                      \
    } while (0)

#endif
