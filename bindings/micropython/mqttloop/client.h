/*
 * Zerynth's Client: the core, a socket of Python's, and what waits for answers.
 */
#ifndef MQTTLOOP_MICROPYTHON_CLIENT_H
#define MQTTLOOP_MICROPYTHON_CLIENT_H

#include "core.h"

/** What a call waits for; on the stack of that call. */
struct answer {
    struct answer *next;
    uint16_t packet_identifier; /* of a publish, or */
    struct node *node;          /* a subscription */
    bool come;
    enum mqtt_error error;
    enum mqtt_outcome outcome;
    uint8_t reason_code;
};

/** A connection by Python's sockets. */
struct link {
    mp_obj_t host; /* MP_OBJ_NULL: none was given yet */
    mp_obj_t context, keepalive;
    mp_obj_t addresses; /* a list, those from `next` on are left to try */
    mp_obj_t stream;    /* a socket, or what TLS makes of it; MP_OBJ_NULL */
    mp_obj_t error;     /* the exception by which the network last failed */
    uint16_t port, next;
    uint8_t ready; /* MP_STREAM_POLL_..., as last seen */
    bool connecting, open;
    bool watched; /* registered for poll */
    bool again;   /* there is more to do at once */
    bool turning;
};

struct client {
    struct core core;    /* first */
    struct client *next; /* of those whose loop runs in every call that waits */
    struct link link;
    mp_obj_t before, after, loop_failure; /* callbacks, or None */
    mp_obj_t overflow; /* a list: published in callbacks without room */
    mp_obj_t raised;   /* in a callback, and no Exception; MP_OBJ_NULL */
    struct answer *answers;
    uint32_t cycle_timeout, command_timeout;
    enum mqtt_error why;
    uint8_t why_code;
    int16_t return_code; /* -1: none yet */
    bool started;        /* stands in that list */
    bool start_loop;
    bool in_callback;
    bool waiting; /* in connect() */
    bool tried;   /* the try to connect has ended */
    bool ended;   /* there will be no connection */
    bool lost;    /* loop_failure is to be asked */
    bool greet;   /* aconnect_cb is to be called */
    bool renew;   /* reconnect() was called in a callback */
};

/* ---- link.c --------------------------------------------------------------- */

/** The clock of all clients that sockets drive. */
mqtt_time link_now(struct client *client);
/** One turn. */
void link_turn(struct client *client);
/** Send what there is; whether any of it left. */
bool link_write(struct client *client);
/** Close the socket; the core is not told. Also from a finaliser. */
void link_close(struct client *client);
/** Milliseconds until a turn is due, -1: only when something comes; *mask is
 * what to wait for on the stream. */
int32_t link_due(struct client *client, mp_uint_t *mask);

/* ---- loop.c --------------------------------------------------------------- */

typedef bool ended_function(void *context);

/** Turns of all clients that are started, and of `own`, until ended(); false:
 * it was not so within `timeout_ms`, -1: as long as it takes. */
bool loop_run(struct client *own, ended_function *ended, void *context,
              int32_t timeout_ms);
/** One turn of them: wait so long at most. */
void loop_turn(struct client *own, int32_t timeout_ms);
void loop_start(struct client *client);
void loop_stop(struct client *client);
/** Not to be waited for any more: the stream is going. */
void loop_unwatch(struct client *client);
/** A method of a Python object; at most 4 arguments. */
mp_obj_t call_method(mp_obj_t object, qstr name, size_t n,
                     const mp_obj_t *arguments);

/* ---- events.c ------------------------------------------------------------- */

/** Tell all events there are; whether there was one. */
bool client_pull(struct client *client);
/** What may wait, and so has no place in a turn. */
void client_after_turn(struct client *client);
/** Call a function of the application: its result; MP_OBJ_NULL: it raised,
 * which has been printed. */
mp_obj_t client_call(struct client *client, mp_obj_t function, size_t n,
                     const mp_obj_t *arguments);
void client_hit(struct mqtt_client *client, const struct mqtt_message *message,
                void *context);

/* ---- arity.c -------------------------------------------------------------- */

/** Whether a callback takes the topic as a third argument. */
bool takes_topic(mp_obj_t function);

/* ---- client.c ------------------------------------------------------------- */

/** No connection, and no try to have one. */
void client_stop(struct client *client);
/** Connect anew, after a turn. */
void client_renew(struct client *client);
/** No call of another client runs this one any more. */
void client_forget(struct client *client);
/** What a callback published without room goes out when there is some. */
void client_flush(struct client *client);
bool client_connected(const struct client *client);

extern const mp_obj_module_t mqttloop_mqtt_module;

#endif
