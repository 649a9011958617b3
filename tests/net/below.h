/*
 * below.h - what lies below a layer under test: a transport in memory, whose
 * other end the test holds.
 */
#ifndef BELOW_H
#define BELOW_H

#include <mqttloop/network.h>

#include <stdlib.h>

struct below {
    struct mqtt_transport base;
    enum mqtt_transport_state state; /* that advance() answers */
    const uint8_t *in; /* what the other side has sent; the test's memory */
    size_t in_size;
    size_t chunk;      /* bytes moved by a call, at most; 0: all */
    size_t room;       /* bytes that send takes yet */
    bool ended, fails; /* behind `in` */
    bool refuses;      /* to be waited for */
    uint8_t sent[65536];
    size_t sent_size;
    unsigned wanted; /* mask */
    unsigned opens, closes, recvs, sends;
    const struct mqtt_server *server;
};

/* Open at once, and without limits. */
void below_begin(struct below *below);
void below_sends(struct below *below, const void *bytes, size_t size);

#endif
