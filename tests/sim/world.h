/*
 * world.h - one world, made of one seed: clients with their applications, the
 * network, the model of a server, and a clock. Nothing in it depends on the
 * machine, so the same seed makes the same world everywhere.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <setjmp.h>
#include <mqttloop/client.h>
#include <mqttloop/stream.h>
#include "dice.h"
#include "persist.h"
#include "server.h"
#include "server_codes.h"
#include "store.h"

enum {
    PLAYERS = 4,
    NODES = 10,
    POOLS = 12,
    GUARD = 16,
    TOPICS = 14,
    FILTERS = 14,
    HANDLES = 64,
    PUBLICATIONS = 64, /* in a block */
    PUBLICATION_BLOCKS = 512,
    CODES_SAID = 64
};

/* What a part of the worlds has besides. */
enum {
    FEATURE_REDIRECTS = 1,
    FEATURE_AUTHENTICATION = 2, /* it fails, too */
    FEATURE_TWINS = 4,
    FEATURE_OPTIONS = 8, /* CONNECT with more than elsewhere */
    FEATURE_CODES = 16,
    FEATURE_SILENCE = 32,
    FEATURES_ALL = 63
};

/* ==== what happens ======================================================== */

enum operation_kind {
    OP_PUBLISH,
    OP_BURST,
    OP_STREAM,
    OP_SUBSCRIBE,
    OP_UNSUBSCRIBE,
    OP_SETTLE,
    OP_CONNECT,
    OP_DISCONNECT,
    OP_DRAIN,
    OP_AUTHENTICATE,
    OP_REFUSE_REST,
    OP_DESTROY,
    OP_KINDS
};

enum fault_kind {
    FAULT_CUT,        /* after some more bytes of one direction */
    FAULT_RESET,      /* at once */
    FAULT_STALL,      /* one direction does not move for a time */
    FAULT_TINY,       /* reads and writes of a few bytes, and of none */
    FAULT_HOLE,       /* dead, and nobody says so */
    FAULT_NO_CONNECT, /* the next connect fails, hangs, or is told twice */
    FAULT_END,        /* the server ends the connection */
    FAULT_RESTART,    /* of the server, with its sessions */
    FAULT_AMNESIA,    /* without */
    FAULT_FORGET,     /* one session */
    FAULT_REFUSE,     /* the next CONNECTs */
    FAULT_MANNERS,    /* the server behaves otherwise from now on */
    FAULT_PUBLISH,    /* the server has something to tell to all */
    FAULT_LEAP,       /* time */
    FAULT_STRAY,      /* the driver tells what nobody waits for */
    FAULT_KILL,       /* the process of a client, to be started again */
    FAULT_SLOW,       /* the store commits slowly for a time */
    FAULT_FAIL,       /* some calls of it fail */
    FAULT_FULL,       /* it has no room for a time */
    FAULT_SHUT,       /* it cannot be read for a time */
    FAULT_UNKNOWN,    /* the server acknowledges what nobody sent */
    FAULT_OVERRUN,    /* it sends more than Receive Maximum */
    FAULT_AROUND,     /* packet identifiers go around */
    FAULT_REDIRECT,   /* the server sends a client to another one; from here */
    FAULT_RENEW,      /* on only in a part of the worlds. It authenticates */
    FAULT_TWIN,       /* another client of its identifier takes over */
    FAULT_SAY,        /* the server ends the connection, with any code */
    FAULT_SILENCE,    /* after some more bytes nothing more comes */
    FAULT_KINDS
};

/* One operation of an application, or one fault; `dice` is for its details. */
struct deed {
    uint64_t at;
    uint64_t dice;
    uint8_t kind, player;
    bool in_callback;
    uint8_t off; /* switched off by shrink() */
};

struct plan {
    struct deed *operations, *faults;
    uint32_t operation_count, fault_count;
};

/* ==== a client and who is around it ======================================== */

struct player;
/* A message that was accepted to be published. */
enum sent { SENT_NOT, SENT_PERHAPS, SENT_YES };
struct publication {
    uint64_t expires_at; /* NEVER */
    uint64_t left_ms;    /* of that, for the next process */
    uint64_t margin_ms;  /* what rounding may have added to it */
    uint32_t index, incarnation, epoch, size, link;
    uint32_t arrivals, arrived_in;
    uint16_t identifier;
    uint8_t qos, topic, sent, ack_code, outcome, kind;
    bool retain, ended, acked, recorded, released, stream, broken, lost_due;
    /* With a store: it has a record, had one once, was told to be stored, comes
     * from an earlier process. */
    bool durable, was_durable, stored, restored;
    bool ever_sent; /* in whatever session */
    bool anew;      /* an earlier one had sent it, or perhaps */
    struct player *owner;
    struct mqtt_source source;
};

struct node {
    struct mqtt_subscription subscription;
    uint8_t filter;
    bool registered, leaving, answered_once;
    bool refused; /* by the last answer; else `code` was granted */
    uint8_t code;
    uint32_t answers, allowed;
    uint32_t called; /* for the message that is dispatched */
};

struct pool {
    uint8_t *bytes;
    size_t size;
};

/* The network connection of a client. */
enum wire_state { WIRE_CLOSED, WIRE_OPENING, WIRE_OPEN };
struct wire {
    enum wire_state state;
    struct link *link; /* the server's end; NULL: it has none any more */
    uint32_t number;
    struct row up; /* to the server */
    uint32_t room; /* of it */
    uint32_t latency;
    uint64_t up_at, down_at; /* nothing moves before */
    uint64_t tiny_until, opens_at;
    uint32_t cut_up, cut_down; /* bytes until it is cut; UINT32_MAX: none */
    uint32_t seen;
    bool hole, broken, finished, fails, twice, nothing;
    uint64_t hole_since;
    uint32_t silent_in; /* bytes to the client; UINT32_MAX: as it was */
    uint32_t drip_ms;   /* then a byte comes so often; 0: none */
    bool drips;
};

/* The packet that a client has half read. */
struct half {
    uint8_t head[5];
    uint32_t got, size; /* bytes of it; size 0: not known */
    uint64_t began;     /* when its first byte was read */
    uint64_t since;     /* or when the client could not go on last */
    bool waited;        /* it could not, when that was looked at last */
};

/* With what the server ended a connection. */
struct end_said {
    struct bytes properties;
    uint8_t place, code;
    bool any;
};

/* One code of SUBACK or UNSUBACK; type 0: told of. */
struct code_said {
    uint8_t type, filter, code;
};

/* A link whose client's end is gone, and the server does not know yet. */
struct lingering {
    struct link *link;
    uint64_t until;
};

/* What the server has sent and the application has to be given. */
struct expected {
    struct delivery *delivery;
    struct bytes topic, payload, properties;
    uint32_t size;
    uint16_t identifier;
    uint8_t qos;
    bool dup, retain;
};

struct handle {
    uint32_t handle, link, epoch;
    uint8_t qos;
    bool settled;
    struct delivery *delivery;
};

struct world;
struct player {
    struct world *world;
    unsigned index;
    uint32_t incarnation;
    struct mqtt_client client;
    struct mqtt_config config;
    struct mqtt_memory memory;
    struct mqtt_server servers[2];
    struct mqtt_message will;
    struct pool pools[POOLS];
    unsigned pool_count;
    uint8_t name[8];
    uint8_t properties[192], will_properties[128];
    struct mqtt_statistics statistics;
    struct disk disk;
    bool lose_session;
    bool gave_up; /* the session ended with its connection */
    size_t control_least;
    bool authenticates, only_five;
    bool five, alive, made, pulls, own_dispatch, look_before, ends_session;
    unsigned lend;    /* 0: never; else the size of the loan */
    struct dice dice; /* of the driver */
    uint32_t random_state;

    /* the driver */
    struct wire wire;
    bool requested, want_read, want_write, destroyed, late, in_callback;
    uint64_t deadline, turned_at;
    uint32_t idle_turns;
    uint64_t blocked_since; /* NEVER: not */
    uint64_t last_sent, last_byte_in;
    bool connected; /* as the application was told */
    uint32_t connected_link;

    /* the application */
    struct publication *publications[PUBLICATION_BLOCKS];
    uint32_t publication_count, open_count;
    uint32_t *by_identifier; /* index + 1; 0: not in use */
    uint32_t open_order;
    struct node nodes[NODES];
    struct handle handles[HANDLES];
    unsigned handle_count;
    bool room_due, draining, stopped_told, answer_auth;
    bool stopping; /* no new wishes: the world comes to its end */
    uint32_t epoch, told_epoch;
    uint64_t connect_at, make_at;
    const struct deed *callback_deeds[16];
    unsigned callback_deed_count;
    const struct mqtt_message *current; /* the message being dispatched */
    bool part_pending;
    uint32_t part_offset, deeds_done, incarnation_of_session;
    struct expected *refusable; /* whose part was given last */
    bool late_in_hole, leaving, twins, end_unsure, begun_calm, settles_soon,
        wire_was_slow;

    /* what has to come */
    struct expected *expected;
    uint32_t expected_begin, expected_end, expected_room;
    uint32_t expected_link;

    /* what leaves */
    struct row tap;
    uint32_t tap_level, last_order;
    bool tap_connect, tap_disconnect, tap_five;
    uint8_t tap_code;     /* of DISCONNECT */
    uint16_t tap_receive; /* Receive Maximum of CONNECT */
    bool overrun;         /* on this connection */

    /* rules.c */
    uint64_t drawn; /* random bits, for the next try */
    bool drew;
    enum mqtt_pace pace_said;
    uint32_t tries_least, tries_most; /* that failed in a row */
    uint64_t connected_at, state_since, connack_since;
    bool answered_here;
    bool wipes;     /* it has connections that nobody is told of */
    bool left_over; /* the server keeps what was given up */

    /* told.c: what the server said on this connection */
    struct end_said end_said;
    bool end_told;
    uint8_t auth_said[16]; /* the last ones */
    uint32_t auth_said_count, auth_told_count;
    struct code_said codes_said[CODES_SAID];
    uint32_t codes_said_count;

    /* redirect.c */
    char reference[64];
    uint8_t follows; /* 1: once, 2: for good */
    struct mqtt_server chosen_server;
    uint32_t server_next; /* of the list */
    bool server_unsure;   /* or the one after it */

    /* configured.c */
    struct mqtt_connect_options chosen; /* for the next CONNECT */
    struct dice renew_dice;
    bool renews;   /* sometimes it wants no connection */
    bool changes;  /* it changes what it may */
    bool resuming; /* no clean start any more */
    bool wiping;   /* a clean start, to have a session forgotten */
    bool holds;    /* surely the session's state: it may be present */
    bool start_unsure;
    bool no_names, names_unsure; /* of topic aliases */
    bool own_known;
    uint8_t own_size, own[32]; /* an assigned client identifier */

    struct half half;

    bool lost_check, ended_before;
    uint16_t request_identifier, request_answered;
    uint32_t bytes_out;
};

struct world {
    uint64_t seed, now;
    uint64_t start;
    struct store store, plans;
    struct server server;
    struct dice dice;
    struct player players[PLAYERS];
    unsigned player_count;
    struct lingering lingering[LINKS];
    unsigned lingering_count;
    struct plan plan;
    bool has_stores;
    unsigned features;
    struct code_counts codes;
    jmp_buf death; /* where a killed process leaves to */
    struct player *victim;
    uint32_t next_operation, next_fault;
    uint32_t gap_ms, leap_ms;
    bool calm; /* no more faults */
    bool tracing;
    uint64_t events, hash;
    uint64_t faults[FAULT_KINDS], operations[OP_KINDS];
    uint64_t turns_at_once, step_limit;
    char violation[200];
    char where[80];
    bool failed;
    uint32_t seen_messages, seen_published, incarnations;
};

/* world.c */
/* What is going to happen, in world->plan. */
void world_plan(struct world *world, uint64_t seed);
/* It happens, but for what is off. */
void world_run(struct world *world, uint64_t seed, bool tracing);
void world_free(struct world *world);
/* The first one ends the world. */
void violation(struct player *player, const char *format, ...);
void say(struct player *player, const char *format, ...);
static inline void event_happened(struct world *world, uint64_t what)
{
    world->events++;
    world->hash =
        (world->hash ^ what ^ (world->now << 20)) * UINT64_C(0x100000001B3);
}

/* configure.c */
void player_configure(struct player *player, struct dice *dice);
bool player_make(struct player *player);
void player_destroy(struct player *player);
/* Its process is killed. */
void player_die(struct player *player);
void pools_check(struct player *player);

/* driver.c */
void player_turn(struct player *player);
bool player_ready(const struct player *player);
uint64_t player_wakes(const struct player *player);

/* network.c */
void wire_open(struct player *player);
void wire_close(struct player *player);
uint32_t wire_write(struct player *player, const uint8_t *bytes, uint32_t size);
uint32_t wire_read(struct player *player, uint8_t *bytes, uint32_t size);
bool wire_readable(const struct player *player);
bool wire_writable(const struct player *player);
bool wire_at_end(const struct player *player);
void wire_move(struct player *player);
void wire_finish(struct player *player);
uint64_t wire_wakes(const struct player *player);
void wire_cut(struct player *player);
void lingering_end(struct world *world, bool all);
uint64_t lingering_wakes(const struct world *world);

/* application.c */
void application_event(struct player *player, const struct mqtt_event *event);
void application_message(struct player *player,
                         const struct mqtt_message *message);
bool application_dispatch(struct mqtt_client *client,
                          const struct mqtt_message *message);
mqtt_event_function application_on_event;
mqtt_message_function application_on_message, application_on_node;
void application_settle_all(struct player *player);
void application_settle_some(struct player *player);
bool application_at_rest(const struct player *player, const char **why);

/* operations.c */
void operation_run(struct player *player, const struct deed *deed);
void operations_in_callback(struct player *player);
void operation_disconnect(struct player *player, uint32_t timeout);
void operation_connect(struct player *player);
void operation_authenticate(struct player *player);
extern const char *const topics[TOPICS];
extern const char *const filters[FILTERS];

/* rules.c */
void rules_disconnected(struct player *player, const struct mqtt_event *event);
void rules_states(struct player *player);
void rules_connack(struct player *player, const struct mqtt_event *event);
bool rules_subscriptions(const struct player *player);

/* nasty.c */
void nasty_unknown(struct player *player, struct dice *dice);
void nasty_overrun(struct player *player, struct dice *dice);
void nasty_around(struct player *player, struct dice *dice);
/* Before a message of QoS 1 or 2 is given: may it be? */
void nasty_check_quota(struct player *player, const struct expected *expected);

/* features.c: with dice of their own. */
void features_plan(struct world *world, uint64_t seed, uint64_t end);
void features_begin(struct world *world);
void features_fault(struct player *player, unsigned kind, struct dice *dice);

/* told.c: what the server says, and the client tells. */
void told_end_is_said(struct world *world, const struct link *link,
                      unsigned type, uint8_t code, struct bytes properties);
void told_auth_is_said(struct world *world, const struct link *link,
                       uint8_t code);
void told_connack_is_said(struct world *world, const struct link *link);
void told_answer_is_said(struct world *world, const struct link *link,
                         const struct answer *answer);
void told_connection_begins(struct player *player);
void told_event(struct player *player, const struct mqtt_event *event);
void told_published(struct player *player, unsigned qos,
                    const struct mqtt_event *event);
void told_fault(struct player *player, struct dice *dice);
void told_add(struct code_counts *sum, const struct code_counts *more);
/* Whether each code occurred; printed, and by name what did not. */
bool told_all(const struct code_counts *sum, bool names);

/* redirect.c: which server. */
void redirect_told(struct player *player, const struct mqtt_event *event);
void redirect_choose(struct player *player, struct mqtt_server *server);
void redirect_offered(struct player *player, const struct mqtt_server *server);
void redirect_opening(struct player *player, const struct mqtt_server *server);
/* Before rules_disconnected(). */
void redirect_disconnected(struct player *player,
                           const struct mqtt_event *event);
void redirect_fault(struct player *player, struct dice *dice);

/* configured.c: what CONNECT has to say. */
void configured_draw(struct player *player);
void configured_choose(struct player *player,
                       struct mqtt_connect_options *options,
                       struct mqtt_server *server);
void configured_made(struct player *player);
void configured_restarted(struct player *player);
void configured_connected(struct player *player);
void configured_disconnected(struct player *player,
                             const struct mqtt_event *event);
void configured_granted(struct player *player);
void configured_check(struct player *player, const struct packet *packet);

/* twin.c */
void twin_fault(struct player *player, struct dice *dice);

/* silence.c: what is half read, and how long that lasts. */
void silence_begins(struct player *player);
void silence_read(struct player *player, const uint8_t *bytes, uint32_t size);
void silence_check(struct player *player);
void silence_disconnected(struct player *player,
                          const struct mqtt_event *event);
void silence_fault(struct player *player, struct dice *dice);

/* faults.c */
void fault_run(struct world *world, const struct deed *deed);
void draw_manners(struct dice *dice, struct manners *manners);

/* ledger.c */
static inline struct publication *publication_at(const struct player *p,
                                                 uint32_t index)
{
    return &p->publications[index / PUBLICATIONS][index % PUBLICATIONS];
}
extern const struct server_hooks ledger_hooks;
/* A place for one more; it counts when it was accepted. NULL: full. */
struct publication *ledger_new(struct player *player);
void ledger_accept(struct player *player, uint16_t identifier);
void ledger_sent(struct player *player, const uint8_t *bytes, uint32_t size);
void ledger_connection_begins(struct player *player);
void ledger_connection_ends(struct player *player);
void ledger_published(struct player *player, const struct mqtt_event *event);
void ledger_session_lost(struct player *player);
void ledger_scan(struct player *player);
void ledger_forget(struct player *player);
void payload_fill(uint8_t *bytes, uint32_t player, uint32_t index,
                  uint32_t from, uint32_t size);
bool payload_good(struct bytes payload, uint32_t player, uint32_t index,
                  uint32_t from);
/* The properties of this kind; `expiry_s` first, unless UINT32_MAX. */
struct mqtt_span publication_properties(unsigned kind, uint8_t *memory,
                                        uint32_t expiry_s);

/* shrink.c: switch off what a violation does not need. */
void shrink(struct world *world, uint64_t seed);
extern const char *const fault_names[FAULT_KINDS];

#endif
