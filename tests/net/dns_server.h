/*
 * dns_server.h - a name server of the test's own, over UDP and TCP on a port of
 * loopback, in a thread: it answers what a function of the test writes, true or
 * not, or nothing.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_SRV = 33 };

struct dns_question {
    char name[256]; /* in small letters, without the final dot */
    uint16_t type;
    bool tcp;
};

struct dns_answer {
    uint8_t bytes[65535];
    size_t size; /* 0: say nothing */
};

struct dns_server;
typedef void dns_function(struct dns_server *server,
                          const struct dns_question *question,
                          struct dns_answer *answer);

struct dns_server {
    uint16_t port;
    char address[32]; /* "127.0.0.1:port", for the option name_servers */
    dns_function *function;
    void *context;
    unsigned
        asked[64];   /* questions by type; read while stopped, or as a hint */
    unsigned repeat; /* each datagram so often; 0: once */
    int udp, tcp, stop[2];
    pthread_t thread;
};

void dns_server_start(struct dns_server *server, dns_function *function,
                      void *context);
void dns_server_stop(struct dns_server *server);

/* The answer has come with the question's header and the question in it, and
 * no records; these add one each, owned by the question's name. */
void dns_add_a(struct dns_answer *answer, const char *address);
void dns_add_aaaa(struct dns_answer *answer, const char *address);
void dns_add_cname(struct dns_answer *answer, const char *name);
void dns_add_srv(struct dns_answer *answer, unsigned priority, unsigned weight,
                 unsigned port, const char *target);
/* Response code 2 SERVFAIL, 3 NXDOMAIN, ... */
void dns_refuse(struct dns_answer *answer, unsigned code);
void dns_truncate(struct dns_answer *answer);

#endif
