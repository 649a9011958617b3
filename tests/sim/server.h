/*
 * server.h - the model of a server: it speaks 3.1.1 and 5.0 as the standard
 * demands, takes nothing from a client that it may reject, keeps sessions,
 * subscriptions and retained messages, and can be told to be nasty within the
 * law. It performs no I/O and has the time told, as the library does, and
 * shares no line with it.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "dice.h"
#include "server_packet.h"
#include "store.h"

#define NEVER UINT64_MAX

enum { LINKS = 16, SESSIONS = 24, RETAINED = 48, STRAYS = 16 };

/* How it behaves. All zero with `qos` 2 and `available` all: friendly. */
struct manners {
    /* Versions that it does not speak, and whether it says so. */
    bool no_5_0, no_3_1_1, silent;
    /* CONNACK of 5.0; 0: not said. */
    uint16_t receive_maximum, alias_maximum, keep_alive;
    uint32_t packet_limit, expiry_limit;
    uint8_t qos; /* Maximum QoS */
    bool retain_off, wildcard_off, shared_off, identifiers_off;
    bool talkative; /* Reason Strings, User Properties, and the like */
    bool says_all;  /* also what is the default */
    /* Answers. */
    uint32_t delay_ms; /* at most */
    bool reorder;
    uint8_t refuses_publish, refuses_subscribe; /* once in; 0: never */
    uint8_t grants_less;
    uint8_t challenges; /* of an authentication, at most */
    /* Deliveries. */
    uint16_t window;    /* QoS 1 and 2 open at once; 0: 20 */
    bool released_free; /* PUBREL of an earlier connection is not counted */
    bool copies;        /* one for each subscription that matches */
    bool aliases;
    bool low_identifiers; /* those that are free again are used at once */
    uint8_t doubles;      /* QoS 1 messages that are sent twice, once in */
};

/* What it does in a part of the worlds, by dice of their own. */
struct habits {
    struct dice dice;
    bool refers;   /* Server Reference with 0x9C and 0x9D */
    bool explains; /* what it says at the end has properties, too */
    bool denies;   /* authentications fail */
};

/* A message that has come, or is told of to a subscriber. */
struct message {
    struct bytes topic, payload;
    struct bytes properties; /* of 5.0, as they are passed on */
    uint64_t expires_at;
    uint8_t qos;
    bool retain;
    int origin; /* session; -1: none */
};

struct delivery {
    struct delivery *next;
    const struct message *message;
    uint32_t subscriptions[4]; /* Subscription Identifiers */
    uint16_t identifier;
    uint8_t count, qos;
    bool retain;
    bool sent, here;  /* ever; on this connection */
    bool released;    /* PUBREC has come */
    bool carried;     /* on an earlier connection than this one */
    bool held;        /* sent before a twin came: the client may have it */
    uint32_t given;   /* for the world: to whom it was given last, */
    uint32_t effects; /* and what that did, durably */
    bool disowned;    /* no more exactly once, see server_disown() */
    bool settled;     /* and whether that was said, and with what code */
    bool completed;   /* PUBCOMP has come */
    uint8_t code;
};

/* As what a message is delivered. */
struct audience {
    uint32_t subscriptions[4];
    uint8_t count, qos;
    bool retain;
};

struct delivery_list {
    struct delivery *first, **end;
    uint32_t count;
};

struct server_subscription {
    struct server_subscription *next;
    struct bytes filter, inner, group; /* group: shared */
    bool shared;
    uint8_t options;
    uint32_t identifier;
};

/* An identifier of a QoS 2 message that has come. */
struct received {
    uint16_t identifier;
    bool recorded; /* PUBREC was sent */
};

struct link;
struct session {
    bool used;
    unsigned level, client; /* of the last connection */
    struct bytes identifier;
    struct link *link;
    uint64_t expires_at; /* without a connection */
    uint32_t expiry_s;
    struct server_subscription *subscriptions;
    struct delivery_list open, queue;
    uint16_t next_identifier;
    struct received *received;
    uint32_t received_count, received_room;
    const struct message *will;
    uint64_t will_at;
    uint8_t *avoided; /* bits: identifiers not to be used again; NULL: none */
};

/* What is to be sent at a time. */
struct answer {
    uint64_t due;
    uint16_t identifier, count;
    uint8_t type, code;
    const uint8_t *codes;
};

enum link_state {
    LINK_FREE,
    LINK_NEW,            /* CONNECT is awaited */
    LINK_AUTHENTICATING, /* AUTH */
    LINK_GREETED,        /* CONNACK is due */
    LINK_CONNECTED,
    LINK_ENDED /* nothing more is read or written but what is in `out` */
};

/* What an acknowledgement of nothing has to be answered with. */
struct stray {
    uint16_t identifier;
    uint8_t answer; /* type of packet */
    bool plain;     /* the client has a store: see server_stray_answered() */
};

/* An identifier of the client's that is in use. */
struct in_use {
    uint16_t identifier;
    uint8_t type;
};

struct link {
    enum link_state state;
    unsigned client, level;
    uint32_t number; /* counts connections */
    struct session *session;
    struct row in, out;
    uint32_t out_total;
    uint64_t last_heard;
    uint32_t keep_alive_s;
    /* what the client announced */
    uint32_t packet_maximum;
    uint16_t receive_maximum, alias_maximum;
    bool no_problems, asks_response, resumed;
    struct bytes method;
    const struct message *will;
    uint32_t will_delay_s;
    uint32_t expiry_s;
    bool assigned, clean;
    uint8_t rounds; /* of the authentication, to come */
    uint8_t denied; /* the code that it will end with; 0: it is good */
    bool authenticating;
    /* what the server announced */
    struct manners manners;
    /* from the client */
    struct bytes *aliases;
    struct in_use *in_use;
    uint32_t in_use_count, in_use_room;
    uint32_t receive_open;
    /* to the client */
    struct bytes *sent_aliases;
    uint16_t sent_alias_count;
    struct answer *answers;
    uint32_t answer_count, answer_room;
    uint16_t *order[2]; /* PUBLISH sent, QoS 1 and 2, and not yet answered */
    uint32_t order_begin[2], order_end[2], order_room[2];
    uint16_t *recorded; /* PUBREC sent, PUBREL awaited, in this order */
    uint32_t recorded_begin, recorded_end, recorded_room;
    struct bytes asked; /* the topic filters of the last request */
    /* beyond the law */
    uint32_t overrun; /* more than Receive Maximum: so many */
    bool any_carried; /* PUBREL of an earlier connection was sent */
    struct stray strays[STRAYS];
    uint32_t stray_count;
};

/* Told to the world. */
struct arrival {
    unsigned client;
    uint32_t link;
    uint16_t identifier;
    uint8_t qos, code;
    bool dup, retain;
    bool counts; /* taken; else refused, or known already */
    bool has_expiry;
    uint32_t expiry_s;
    struct bytes topic, payload, properties;
};

struct outgoing {
    unsigned client;
    uint32_t link;
    struct delivery *delivery; /* NULL: none that is kept */
    struct bytes topic, payload, properties;
    uint32_t size;
    uint16_t identifier;
    uint8_t qos;
    bool dup, retain;
};

struct server_hooks {
    void (*violation)(void *world, unsigned client, const char *what);
    void (*arrived)(void *world, const struct arrival *arrival);
    /* PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK leaves */
    void (*answered)(void *world, const struct link *link,
                     const struct answer *answer);
    void (*delivers)(void *world, const struct outgoing *outgoing);
    void (*granted)(void *world, const struct link *link);
    /* A session begins, of which CONNACK may never tell. */
    void (*begins)(void *world, const struct link *link);
    void (*connecting)(void *world, unsigned client,
                       const struct packet *packet);
    /* CONNACK with an error, or DISCONNECT, leaves; and AUTH. */
    void (*says_end)(void *world, const struct link *link, unsigned type,
                     uint8_t code, struct bytes properties);
    void (*says_auth)(void *world, const struct link *link, uint8_t code);
    /* Words for the trace; only called if `tracing`. */
    void (*says)(void *world, unsigned client, const char *line);
};

struct server {
    struct store *store;
    struct dice dice;
    const struct server_hooks *hooks;
    void *world;
    bool tracing, friendly;
    uint64_t now;
    struct manners manners;
    struct habits habits;
    struct link links[LINKS];
    struct session sessions[SESSIONS];
    const struct message *retained[RETAINED];
    uint32_t link_count, assigned_count, group_turn;
    uint8_t refuse_next, refuse_code; /* CONNECTs to be refused */
    struct row scratch;
};

/* -- for the world ------------------------------------------------------------ */

void server_begin(struct server *server, struct store *store, uint64_t seed,
                  const struct server_hooks *hooks, void *world);
void server_free(struct server *server);
/* A network connection of this client; NULL: too many. */
struct link *server_open(struct server *server, unsigned client);
void server_input(struct server *server, struct link *link,
                  const uint8_t *bytes, uint32_t size);
/* The network connection is gone. */
void server_lost(struct server *server, struct link *link);
/* All of its output was taken, and it has ended: it is free. */
void server_forget(struct server *server, struct link *link);
void server_tick(struct server *server, uint64_t now);
uint64_t server_deadline(const struct server *server);
/* It stops; with its sessions, or without. All links have ended. */
void server_restart(struct server *server, bool keep_sessions);
/* It ends a connection, in 5.0 with this code (0: without a word). */
void server_end(struct server *server, struct link *link, uint8_t code);
/* The same, saying success, too. */
void server_end_by(struct server *server, struct link *link, uint8_t code);
/* Another client of the same client identifier takes the session over, and
 * does so much in it. NULL: there is none, or too many connections. */
struct twin {
    bool clean;           /* it begins anew */
    bool subscribes;      /* to one topic more */
    bool takes_held;      /* also QoS 2 messages that the first one has, */
    bool completes_held;  /* to their end, of which that one learns nothing */
    bool leaves_released; /* of QoS 2 messages it does not send PUBCOMP */
    uint32_t takes;       /* so many messages it acknowledges, at most */
};
struct link *server_twin(struct server *server, unsigned client,
                         const struct twin *twin);
void server_lose_session(struct server *server, unsigned client);
/* It acknowledges what nobody sent: PUBACK, PUBREC, PUBREL or PUBCOMP. */
void server_stray(struct server *server, struct link *link, unsigned type,
                  uint16_t identifier, uint8_t code, bool plain);
/* Whoever is owed what is open in the session has ended it, or had more sent than
 * it has places for: that may come again, or be taken for something else. */
void server_disown(struct session *session);

/* 5.0: from now on it sends so many more messages of QoS 1 and 2 at once than
 * the client's Receive Maximum, which no server may [5.0 MQTT-3.3.4-9]. */
void server_overrun(struct server *server, struct link *link, uint32_t more);
void server_publish(struct server *server, struct bytes topic,
                    struct bytes payload, unsigned qos, bool retain,
                    uint32_t expiry_s);
/* Whether a session with a connection has something to deliver. */
bool server_idle(const struct server *server);
void server_be_friendly(struct server *server);

/* -- inside ------------------------------------------------------------------- */

void server_violation(struct server *server, const struct link *link,
                      const char *what);
void server_take(struct server *server, struct link *link,
                 const struct packet *packet);
void server_connect(struct server *server, struct link *link,
                    const struct packet *packet);
bool server_join(struct server *server, struct link *link, struct bytes id,
                 bool clean);
void server_connack(struct server *server, struct link *link);
void server_auth(struct server *server, struct link *link,
                 const struct packet *packet);
/* It is going to be refused, after some AUTH or at once. */
bool server_auth_denied(struct server *server, struct link *link);
void server_refuse(struct server *server, struct link *link, uint8_t code,
                   bool as_3_1_1);
void server_say_disconnect(struct server *server, struct link *link,
                           uint8_t code);
void server_take_publish(struct server *server, struct link *link,
                         const struct packet *packet);
void server_take_ack(struct server *server, struct link *link,
                     const struct packet *packet);
void server_take_pubrel(struct server *server, struct link *link,
                        const struct packet *packet);
void server_take_request(struct server *server, struct link *link,
                         const struct packet *packet);
void server_route(struct server *server, const struct message *message);
void server_retain(struct server *server, const struct message *message);
void server_send_retained(struct server *server, struct session *session,
                          const struct server_subscription *subscription);
void server_queue(struct server *server, struct session *session,
                  const struct message *message,
                  const struct audience *audience);
void server_pump(struct server *server, struct link *link);
void server_later(struct server *server, struct link *link, unsigned type,
                  uint16_t identifier, uint8_t code, const uint8_t *codes,
                  uint16_t count);
void server_send_due(struct server *server, struct link *link);
void server_send_ack(struct server *server, struct link *link, unsigned type,
                     uint16_t identifier, uint8_t code);
void server_session_end(struct server *server, struct session *session);
void server_link_end(struct server *server, struct link *link);
/* Whether this is the answer to a stray acknowledgement, which is checked. */
bool server_stray_answered(struct server *server, struct link *link,
                           const struct packet *packet);
bool server_identifier_used(const struct link *link, uint16_t identifier);
void server_use(struct server *server, struct link *link, uint16_t identifier,
                unsigned type);
/* The type of packet that had it in use; 0: none. */
unsigned server_unuse(struct link *link, uint16_t identifier);
uint8_t *server_frame(struct link *link, unsigned first, uint32_t length);
void server_says(struct server *server, const struct link *link,
                 const char *format, ...);
bool server_avoids(const struct session *s, uint16_t identifier);
void list_begin(struct delivery_list *list);
void list_append(struct delivery_list *list, struct delivery *delivery);
void server_take_out(struct delivery_list *list, struct delivery **place);

/* Writing of properties and packets. */
struct writer {
    uint8_t *at, *begin;
};
void put_u8(struct writer *w, unsigned value);
void put_u16(struct writer *w, unsigned value);
void put_u32(struct writer *w, uint32_t value);
void put_variable(struct writer *w, uint32_t value);
void put_bytes(struct writer *w, struct bytes bytes);
void put_text(struct writer *w, struct bytes text);
uint32_t variable_size(uint32_t value);

static inline struct bytes text_of(const char *text)
{
    struct bytes bytes = {(const uint8_t *)text, 0};

    while (text[bytes.size])
        bytes.size++;
    return bytes;
}

#endif
