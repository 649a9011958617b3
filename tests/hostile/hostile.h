/*
 * hostile.h - what servers do that they must not, and what is to come of it.
 *
 * Each behaviour is a case, in each version that it is for: a real client
 * (mqtt_client_new(), mqtt_loop()) connects to a real socket; what the server
 * does ends the connection with just that error, and in 5.0 with a DISCONNECT
 * that says why, or does not end it at all. It takes no more than its time and
 * no more memory, and then the client gets along with the same server, which
 * has become a good one.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <mqttloop/mqttloop.h>

#include "server.h"

enum version { V4 = 1, V5 = 2, BOTH = 3 };

/* What is open when the hostile bytes come. Packet identifiers begin at 1. */
enum when {
    GREETING,       /* CONNECT was sent */
    AUTHENTICATING, /* 5.0: with Authentication Method "m" */
    RESUMING,       /* without clean start */
    CONNECTED,      /* a good CONNACK came */
    AUTHENTICATED,  /* 5.0: with method "m" */
    PUBLISHING_1,   /* PUBLISH of QoS 1 was sent */
    PUBLISHING_2,
    RELEASED,      /* PUBREL, after PUBREC */
    SUBSCRIBING,   /* SUBSCRIBE of "a" and "b/#" */
    UNSUBSCRIBING, /* of "a", with packet identifier 2 */
    FULL,          /* 5.0: two messages are open, as many as may be */
};

struct behaviour {
    const char *name;
    enum version versions;
    enum when when;
    /* MQTT_OK: the connection goes on, and a message behind arrives. */
    enum mqtt_error error;
    /* 5.0: of the DISCONNECT that the server receives; 0: there is none. */
    uint8_t code;
    const uint8_t *bytes;
    size_t size;
    /* Instead of `bytes`, which then are its own. */
    server_act *act;
    /* Another error that is as good; MQTT_OK: none. */
    enum mqtt_error also;
    /* The reason code that the event tells. */
    uint8_t reason_code;
    void (*configure)(struct mqtt_config *config, struct mqtt_sizes *sizes);
    /* What the application does once it is connected. */
    void (*request)(struct mqtt_client *client);
};

/* The behaviour whose bytes come first, and the bytes of it. */
#define BYTES(...)                                                             \
    .bytes = (const uint8_t[]){__VA_ARGS__},                                   \
    .size = sizeof((const uint8_t[]){__VA_ARGS__})
#define BEHAVES(label, in, situation, fault, reason, ...)                      \
    {                                                                          \
        .name = label, .versions = in, .when = situation, .error = fault,      \
        .code = reason, BYTES(__VA_ARGS__)                                     \
    }

/* For acts: the behaviour, its situation, and its bytes. */
const struct behaviour *behaviour_of(const struct server *s);
/* All up to the situation; false: the client has gone. */
bool prepare(struct server *s);

/* Run each, in each of its versions. */
int hostile_run(const char *name, const struct behaviour *behaviours,
                size_t count);

#endif
