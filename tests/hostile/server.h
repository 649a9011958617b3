/*
 * server.h - a server on a port of loopback that misbehaves on its first
 * connection, and is a good one on all that follow. It runs in a thread of its
 * own, with blocking calls; nothing of it takes longer than a few seconds.
 */
#ifndef SERVER_H
#define SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

/* What is done with the first connection, which is closed afterwards. */
typedef void server_act(struct server *s);

struct server {
    uint16_t port;

    /* Of the connection that is served. */
    int descriptor;
    uint8_t level;       /* as CONNECT says */
    uint8_t packet[512]; /* its beginning, when one was received */
    size_t size;         /* of all of it */
    size_t header;

    server_act *act;
    const void *context;

    bool ended; /* DISCONNECT has come */

    /* What the client said at the end of the first connection; to be read when
     * `served` is true. */
    atomic_bool served;
    bool disconnect;
    uint8_t disconnect_code;
    unsigned after_disconnect; /* bytes that followed it */

    int listening;
    atomic_bool ending;
    atomic_uint connections;
    pthread_t thread;
};

/* Listen, and serve from now on. */
void server_begin(struct server *s, server_act *act, const void *context);
/* No connection is accepted any more; wait for the thread. */
void server_end(struct server *s);

/* ---- for acts ---------------------------------------------------------------- */

/* Send; false: the client has closed. */
bool server_send(struct server *s, const void *bytes, size_t size);
/* The next packet of the client; false: there is none any more. */
bool server_receive(struct server *s);
/* Packets until one has this first byte. */
bool server_await(struct server *s, uint8_t first_byte);
/* CONNECT comes, and a good CONNACK leaves. */
bool server_greet(struct server *s);
/* Answer what comes as a good server does, to the end. */
void server_be_good(struct server *s);
/* Take what comes, to the end. */
void server_listen_only(struct server *s);
/* Close with a reset. */
void server_reset(struct server *s);
/* Wait. */
void server_pause(unsigned milliseconds);

#endif
