/*
 * persist.h - the model of a store, which outlives the process of its client:
 * slow, failing, full, closed, and with that process killed at any call.
 *
 * It holds to the letter of mqttloop/store.h. What was put and removed is
 * pending until its commit is done; a commit is durable whole, or not at all: one
 * that a kill tears has happened or has not. It looks on, too: orders go up, one
 * commit at a time, and nothing leaves before what it depends on is durable.
 *
 * The application keeps its own effects of QoS 2 messages in the same
 * transaction: each is pending from the message (or its settling) on, and
 * becomes durable with the commit of the settling. It writes them again when a
 * commit has failed.
 */
#ifndef SIM_PERSIST_H
#define SIM_PERSIST_H

#include <mqttloop/store.h>
#include "dice.h"
#include "store.h"

enum { BUCKETS = 64 };

struct delivery;
struct packet;
struct player;
struct publication;

struct record {
    struct record *next;
    uint64_t order, put_at; /* the latter as the client knows the time */
    uint64_t left_ms;       /* of its expiry, once it was read */
    const uint8_t *content;
    uint32_t size, index; /* of the publication */
    uint16_t identifier;
    uint8_t kind;
    bool read;
};

enum change_kind {
    CHANGE_PUT,
    CHANGE_REMOVE,
    CHANGE_REMOVE_ALL,
    CHANGE_EFFECT
};
struct change {
    struct record *record;     /* put */
    struct delivery *delivery; /* whose effect */
    uint16_t identifier;       /* removed */
    uint8_t kind, record_kind;
};

struct disk {
    struct mqtt_store store;
    bool used;
    bool exact; /* remove() takes out this kind only, not PUBREL for PUBLISH */
    struct dice dice;
    struct record *buckets[BUCKETS];
    uint32_t record_count;
    struct change *changes;
    uint32_t change_count, change_room;
    /* The commit that is open: the first ones of the changes. */
    bool open, doomed;
    uint32_t committing;
    uint64_t due, order;
    uint32_t told_epoch, committing_epoch;
    const struct record **sorted; /* while a client reads */
    uint32_t sorted_count, sorted_room;
    /* how it is */
    uint32_t latency; /* 0: a commit is done at once */
    uint64_t slow_until, full_until, shut_until;
    uint32_t slow_ms;
    uint32_t fail_in, fail_count; /* from which call on, how many; 0: none */
    uint32_t kill_in;         /* calls until the process is killed; 0: not */
    bool kill_after;          /* that call has taken effect */
    uint32_t failures, kills; /* failures that were not told of */
};

void persist_begin(struct player *player, bool used);
/* What the faults of stores are. */
void persist_fault(struct player *player, unsigned kind, struct dice *dice);
void persist_be_friendly(struct player *player);
/* A moment at which the process may be killed; then it does not return. */
void persist_point(struct player *player);
/* The process has ended: what is durable is all there is. */
void persist_process_ended(struct player *player);
/* The client goes on with what is durable. */
void persist_process_begins(struct player *player);
bool persist_is_shut(const struct player *player);
void persist_tick(struct player *player);
uint64_t persist_wakes(const struct player *player);
/* NULL: only what all sessions have is left. */
const char *persist_unrest(const struct player *player);

/* What the application does and is told. */
void persist_effect(struct player *player, struct delivery *delivery);
void persist_told_stored(struct player *player, uint16_t identifier);
void persist_told_failed(struct player *player, enum mqtt_error error);
void persist_told_end(struct player *player, const struct mqtt_event *event);
/* A packet has left. */
void persist_left(struct player *player, const struct packet *packet);

#endif
