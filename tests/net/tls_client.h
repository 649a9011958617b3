/*
 * tls_client.h - a client whose stack is put together by hand: socket, TLS, and
 * the parts below that a test wants; and what it was told.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <mqttloop/mqttloop.h>
#include <mqttloop/openssl.h>

#include "../broker/process.h"
#include "tls_peer.h"

#define PATIENCE_MS 10000

struct client {
    struct mqtt_client mqtt;
    struct mqtt_drive drive;
    struct mqtt_poll poll;
    struct mqtt_transport *socket;
    struct mqtt_layer *layer;
    struct mqtt_layer throttle; /* between TLS and socket, see below */
    const struct mqtt_layer_kind *kind;
    bool kind_is_shared;
    void *adapter;

    struct mqtt_config config;
    struct mqtt_memory memory;
    struct mqtt_statistics statistics;
    struct mqtt_server
        servers[2]; /* the second is there if server_count is 2 */
    struct mqtt_subscription subscription;
    char address[128];

    unsigned connected, disconnected, published, messages;
    size_t message_bytes;
    enum mqtt_error error; /* of the last disconnection */
    char detail[512];
    bool may_be_slow; /* a turn may take longer than 5 ms */

    /* The throttle: bytes that one call of send moves, and how many calls it
     * and recv have had. SIZE_MAX and not counted unless changed. */
    size_t send_size;
    unsigned sends, recvs;
    size_t received; /* bytes */
    bool blocked;    /* takes nothing */
    /* Called by the next recv, which finds nothing itself; NULL. */
    void (*meanwhile)(struct client *client);
};

/* With these options; `name` is the host. NULL options: {.ca.file = ca.pem}. */
struct client *client_new(const char *name, uint16_t port,
                          const struct mqtt_tls_options *options);
/* The same over a kind that is made already and stays. */
struct client *client_over(const char *name, uint16_t port,
                           const struct mqtt_layer_kind *kind);
/* In two steps: config and memory may be changed between. */
struct client *client_draft(const char *name, uint16_t port,
                            const struct mqtt_tls_options *options);
void client_ready(struct client *client);
void client_free(struct client *client);
/* Let happen what happens within `ms`. */
void client_turn(struct client *client, int ms);
void client_connect(struct client *client);    /* asks, and returns */
void client_disconnect(struct client *client); /* until it is over */

#define wait_for(client, condition)                                            \
    do {                                                                       \
        uint64_t until_ = milliseconds() + PATIENCE_MS;                        \
        while (!(condition)) {                                                 \
            if (milliseconds() > until_)                                       \
                fail_msg("in vain: %s (%s: %s)", #condition,                   \
                         mqtt_error_text((client)->error), (client)->detail);  \
            client_turn(client, 20);                                           \
        }                                                                      \
    } while (0)

/* "loop" or "libev": the program's argument. */
extern const char *driving;
int client_run_tests(int argc, char **argv, const char *name,
                     const struct CMUnitTest *tests, size_t count);
#define RUN_TESTS(argc, argv, name, tests)                                     \
    client_run_tests(argc, argv, name, tests,                                  \
                     sizeof(tests) / sizeof((tests)[0]))

#endif
