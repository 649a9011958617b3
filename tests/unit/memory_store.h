/*
 * memory_store.h - a store in memory, that a test can see through, make slow,
 * make fail, and crash.
 *
 * It holds to the letter of store.h: what is put and removed is kept aside
 * until its commit is done, and is void when a new client begins to read. It
 * looks on, too: a commit is never asked for while another one is open, orders
 * go up, content is as large as is said at most.
 */
#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include "script.h"

#include <mqttloop/store.h>

struct memory_record {
    char key[32]; /* the client identifier, as text */
    enum mqtt_record_kind kind;
    uint16_t packet_identifier;
    uint64_t order;
    uint8_t *content;
    size_t size;
};

/* What was put or removed and is not durable. */
struct memory_change {
    enum { CHANGE_PUT, CHANGE_REMOVE, CHANGE_REMOVE_ALL } what;
    bool committing;
    struct memory_record record;
};

/* The calls that change something, and those that read. */
enum memory_call {
    CALL_PUT = 1,
    CALL_REMOVE = 2,
    CALL_REMOVE_ALL = 4,
    CALL_COMMIT = 8,
    CALL_NEXT = 16
};

struct memory_store {
    struct mqtt_store store;
    struct memory_record records[256]; /* what is durable */
    size_t record_count;
    struct memory_change changes[512];
    size_t change_count;

    bool later; /* commits are done by memory_store_done() only */
    struct mqtt_client *waiting[4];  /* whose commit is open */
    unsigned calls, commits, pieces; /* of content, the most in one record */
    unsigned durable[MQTT_RECORD_SESSION + 1]; /* puts that became durable */
    struct {
        char key[32];
        uint64_t order; /* the highest that was put or read */
    } orders[4];

    /* From the n-th call of these kinds on (1 is the next one), so many of them
     * fail; 0: none. */
    unsigned fail_calls, fail_at, fail_count;
    /* With the n-th call that changes something the process has ended: that one
     * still counts, or not even that one; 0: never. */
    unsigned crash_at;
    bool crash_after, crashed;
};

void memory_store_init(struct memory_store *m);
void memory_store_free(struct memory_store *m);

/* The commit of this client is done; or has failed. */
void memory_store_done(struct memory_store *m, struct script *s,
                       enum mqtt_error error);
/* Whether one is open. */
bool memory_store_waits(const struct memory_store *m, const struct script *s);

/* The durable record; NULL: none. */
const struct memory_record *memory_store_find(const struct memory_store *m,
                                              const char *key,
                                              enum mqtt_record_kind kind,
                                              uint16_t packet_identifier);
/* How many there are of a kind; 0: of all. */
unsigned memory_store_count(const struct memory_store *m, const char *key,
                            enum mqtt_record_kind kind);
/* The durable record loses its end: only `size` bytes of content are left. */
void memory_store_tear(struct memory_store *m, const char *key,
                       enum mqtt_record_kind kind, uint16_t packet_identifier,
                       size_t size);
/* A process ended: what was not committed is gone, and what is durable stands
 * to be read by the next one. */
void memory_store_restart(struct memory_store *m);

#endif
