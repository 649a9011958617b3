/*
 * records.h - a store in memory: what is durable, what is to be committed
 * next, what a commit that is open will make durable. It holds to the letter of
 * store.h, looks on whether the client does, and fails when it is told to. What
 * is durable at first is put there by hand, and may be anything.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "fuzz.h"

#include <mqttloop/client.h>
#include <mqttloop/store.h>

enum {
    RECORDS_MAX = 20,
    RECORD_ROOM = 408 /* the outbox of peer.c, and 8 */
};

struct record {
    unsigned kind; /* enum mqtt_record_kind, or any other */
    uint16_t identifier;
    uint64_t order;
    uint16_t size;
    uint8_t bytes[RECORD_ROOM];
};

struct record_list {
    unsigned count;
    struct record of[RECORDS_MAX];
};

struct records {
    struct mqtt_store store;
    unsigned next;    /* to be read */
    uint64_t order;   /* the highest that was put or read */
    unsigned calls;   /* that change something */
    unsigned fail_in; /* so many calls that change something; 0: none fails */
    bool later;       /* commits are done by records_done() */
    struct mqtt_client *waits; /* whose commit is open */
    struct record_list durable, now, committing;
};

/* Nothing is durable. */
void records_begin(struct records *r);
/* The process has ended: only what is durable is there. */
void records_kill(struct records *r);
/* The commit that is open, if there is one, is done or has failed. */
void records_done(struct records *r, enum mqtt_error error);
/* The durable record; NULL: there is none. */
const struct record *records_find(const struct records *r, unsigned kind,
                                  uint16_t identifier);

#endif
