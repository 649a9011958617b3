/*
 * http_server.h - a server or a proxy on loopback whose every byte the test
 * says. It lives in the test's thread and moves when it is stepped.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_SERVER_GOT 65536

struct http_server {
    int listener, peer; /* peer: -1: none */
    uint16_t port;
    unsigned connections;
    /* of the connection that came last */
    char got[HTTP_SERVER_GOT + 1]; /* all of it, NUL-terminated */
    size_t got_size;
    size_t sent;    /* bytes */
    unsigned stage; /* the script's */
    bool left;      /* the client has closed */
    /* Called in each step while there is a peer. */
    void (*script)(struct http_server *server);
    const void *row; /* the script's */
};

void http_server_begin(struct http_server *server,
                       void (*script)(struct http_server *server),
                       const void *row);
void http_server_end(struct http_server *server);
void http_server_step(struct http_server *server);
/* As many of these bytes as the socket takes now. */
size_t http_server_sends(struct http_server *server, const void *bytes,
                         size_t size);
void http_server_says(struct http_server *server, const char *text);
void http_server_closes(struct http_server *server);
/* Where the request's head ends; NULL: not yet here. */
const char *http_server_head_end(const struct http_server *server);

#endif
