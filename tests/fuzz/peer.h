/*
 * peer.h - a client in fenced memory, driven through its public ports, and the
 * server at the other end. Whatever happens is held against what the headers
 * promise: which packets may leave, in which order events come, that a publish
 * ends once, that what is offered stays as it is, that nothing is written
 * beside the memory that was lent.
 */
#ifndef PEER_H
#define PEER_H

#include "fuzz.h"

#include <mqttloop/client.h>
#include <mqttloop/store.h>
#include <mqttloop/stream.h>

enum {
    PEER_SLOTS = 4,
    PEER_NODES = 3,
    PEER_HANDLES = 32,
    PEER_SENT = 256,  /* packets that wait to be looked at */
    PEER_HEAD = 272,  /* bytes that are kept of each */
    PEER_ARENA = 4096 /* memory that is lent, with its fences */
};

/* Bits that choose a configuration. */
enum {
    PEER_FIVE = 0x01,
    PEER_BY_CALL = 0x02,
    PEER_PARTS = 0x04,
    PEER_BITS = 0x08, /* received_bits; else received_list */
    PEER_ALIASES = 0x10,
    PEER_LASTING = 0x20, /* no clean start */
    PEER_SMALL = 0x40,
    PEER_METHOD = 0x80, /* 5.0: Authentication Method */
    PEER_REPUBLISH = 0x100,
    PEER_KEEP_QOS0 = 0x200,
    PEER_FALLBACK = 0x400,
    PEER_CHECK_FORMAT = 0x800,
    PEER_NO_RETAINED = 0x1000,
};

/* A packet that the client has sent. */
struct peer_packet {
    uint8_t bytes[PEER_HEAD]; /* its beginning */
    size_t size, header;
};

struct peer {
    struct mqtt_client client;
    struct mqtt_config config;
    struct mqtt_server server;
    struct mqtt_memory memory;
    struct mqtt_statistics statistics;
    struct mqtt_event event; /* pulled last */
    mqtt_time now, retry_at;
    bool five;

    /* Called for every event, after it was checked, and for every packet that
     * leaves. May be NULL. */
    void (*told)(struct peer *p, const struct mqtt_event *event);
    void (*left)(struct peer *p, const struct peer_packet *packet);
    void *context; /* of these two */

    /* What was lent has fences. */
    struct {
        uint8_t *begin, *end;
    } fences[16];
    size_t fence_count, arena_used;

    /* The network connection: what has left on it. */
    bool open, finished, seen_connect, seen_disconnect;
    uint8_t level, disconnect_code;
    struct peer_packet partial;
    size_t have; /* bytes of it */
    unsigned first_sent, sent_count;

    /* What is offered to the network. */
    const uint8_t *offer;
    size_t offer_size;

    /* What the events have told. */
    bool opened, connected, ended_by_server, room_wanted, destroyed;
    uint16_t open_publishes[PEER_SLOTS];
    struct mqtt_subscription nodes[PEER_NODES];
    bool registered[PEER_NODES], leaving[PEER_NODES];
    struct mqtt_source sources[PEER_SLOTS];
    uint16_t source_of[PEER_SLOTS];
    uint32_t handles[PEER_HANDLES];
    unsigned handle_count;

    /* Not cleared. */
    uint8_t arena[PEER_ARENA], offered[PEER_ARENA];
    struct peer_packet sent[PEER_SENT];
};

/* A client as `options` say, stopped. */
void peer_begin(struct peer *p, unsigned options);
/* The same with a store, or NULL: what mqtt_client_init() says. */
enum mqtt_error peer_start(struct peer *p, unsigned options,
                           struct mqtt_store *store);
/* Destroy it, and look at the fences. */
void peer_end(struct peer *p);
/* Its process has ended: as peer_end(), but nobody destroys it. */
void peer_kill(struct peer *p);

/* ---- requests; an accepted publish is kept in mind ------------------------- */

enum mqtt_error peer_publish(struct peer *p, const struct mqtt_message *message,
                             bool stream);
enum mqtt_error peer_subscribe(struct peer *p, unsigned node);
enum mqtt_error peer_unsubscribe(struct peer *p, unsigned node);

/* ---- the network ------------------------------------------------------------ */

/* Do what mqtt_client_wants() asks for; whether there was something. */
bool peer_serve_wants(struct peer *p);
void peer_opened(struct peer *p);
void peer_closed(struct peer *p, enum mqtt_error why);
/* Bytes for the client, as many as it takes now; `lent` may be NULL. */
size_t peer_input(struct peer *p, const uint8_t *bytes, size_t size, void *lent,
                  size_t lent_size);
/* Ask for output and remember what it is. */
void peer_offer(struct peer *p);
/* Take up to `limit` bytes of what was offered. */
void peer_take(struct peer *p, size_t limit);
/* All that there is; whether there was any. */
bool peer_drain(struct peer *p);
/* The next packet that the client sent and nobody has looked at; NULL: none. */
const struct peer_packet *peer_sent(struct peer *p);

/* ---- the server -------------------------------------------------------------- */

/* What a good server answers to a packet; its size, 0: nothing. */
size_t peer_answer(const struct peer *p, const struct peer_packet *packet,
                   uint8_t *answer, size_t room);

/* ---- events ------------------------------------------------------------------ */

/* mqtt_client_next(), checked. */
bool peer_next(struct peer *p);
/* mqtt_client_dispatch(), checked. */
void peer_dispatch(struct peer *p);
/* Settle what was received, the newest first. */
void peer_settle_all(struct peer *p);

#endif
