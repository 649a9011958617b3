/*
 * counterparts.h - real servers between a client and its broker, each a process
 * of our own on a free port, with its configuration in the broker's folder.
 */
#ifndef COUNTERPARTS_H
#define COUNTERPARTS_H

#include "process.h"

struct counterpart {
    pid_t pid; /* 0: it is not installed */
    uint16_t port;
};

/* HTTP servers that pass WebSocket on to a port of loopback. */
struct counterpart nginx_begin(const struct broker *broker, uint16_t to);
struct counterpart haproxy_begin(const struct broker *broker, uint16_t to);
/* The same with TLS; `certificate`: a file with chain and key. */
struct counterpart nginx_tls_begin(const struct broker *broker, uint16_t to,
                                   const char *certificate);
struct counterpart haproxy_tls_begin(const struct broker *broker, uint16_t to,
                                     const char *certificate);
/* Proxies; `user_name` NULL: anybody may come. */
struct counterpart microsocks_begin(const char *user_name,
                                    const char *password);
struct counterpart dante_begin(const struct broker *broker);
struct counterpart tinyproxy_begin(const struct broker *broker,
                                   const char *user_name, const char *password);
void counterpart_end(struct counterpart *counterpart);

#endif
