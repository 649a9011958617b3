/*
 * server.h - a small server for what no broker at hand does: a thread on a
 * loopback port that answers each CONNECT with bytes of the test's.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a CONNECT is answered with. */
struct reply {
    const void *bytes; /* as they go over the wire */
    size_t size;
    bool stays; /* the connection stays open; else it is closed */
};

/* Asked for each CONNECT, in the server's thread: it is the `number`th, from 0,
 * and of this protocol level. */
typedef struct reply server_function(unsigned number, uint8_t level);

struct server;
struct server *server_begin(server_function *answer);
void server_end(struct server *server);
uint16_t server_port(const struct server *server);
/* How many CONNECT packets came, and the level of each of the first ones. */
unsigned server_connects(const struct server *server);
uint8_t server_level(const struct server *server, unsigned number);
/* The reason code of the last DISCONNECT of 5.0 that came, -1: none. */
int server_disconnect_code(const struct server *server);

#endif
