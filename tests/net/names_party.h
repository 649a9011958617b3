/*
 * names_party.h - a client that looks for its server, and servers on loopback
 * to be found: as much of MQTT as a connection needs, so that a test sees at
 * which address the client has come.
 */
#ifndef NAMES_PARTY_H
#define NAMES_PARTY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "process.h"
#include "turns.h"

struct party {
    struct mqtt_config config;
    struct mqtt_host host;
    struct mqtt_server server;
    char address[300];
    struct mqtt_client *client;

    unsigned connected, disconnected;
    enum mqtt_error error; /* of the last MQTT_EVENT_DISCONNECTED */
    char detail[400];
    mqtt_time begun_at; /* of party_connect() */
    bool free_when_disconnected;
};

/* An address, or NULL: one that nobody has. `port`: 0: none. */
void party_draft(struct party *party, const char *address, uint16_t port);
void party_connect(struct party *party);
void party_free(struct party *party);
/* Since party_connect(). */
mqtt_time party_took_ms(const struct party *party);

/* A server: it accepts, and answers CONNECT with CONNACK. */
struct landing {
    int listener, connection; /* -1: none */
    unsigned count;           /* of connections that it had */
    char from[64];            /* address of the last client */
    uint16_t from_port;
};

/* `port` 0: chosen. False: the machine has no such address. */
bool landing_open(struct landing *landing, const char *address, uint16_t *port);
void landing_close(struct landing *landing);
/* End the connection, and listen on. */
void landing_cut(struct landing *landing);
void landing_serve(struct landing *landing);

/* Turns of client and server until `condition`, which must be within
 * `within_ms`. */
#define party_until_within(party, landing, condition, within_ms)               \
    do {                                                                       \
        mqtt_time until_ = mqtt_posix_now() + (within_ms);                     \
        while (!(condition)) {                                                 \
            if (mqtt_posix_now() > until_)                                     \
                fail_msg("waited in vain for: %s (%u connected, %u "           \
                         "disconnected, %s)",                                  \
                         #condition, (party)->connected,                       \
                         (party)->disconnected, (party)->detail);              \
            if ((party)->client)                                               \
                turn((party)->client, 5);                                      \
            landing_serve(landing);                                            \
        }                                                                      \
    } while (0)
#define party_until(party, landing, condition)                                 \
    party_until_within(party, landing, condition, 10000)

/* The client's descriptor of its connection to `landing`. */
int party_descriptor(const struct landing *landing);

#endif
