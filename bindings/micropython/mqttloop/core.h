/*
 * The user C module for MicroPython: the core as the type Core, and over it
 * Zerynth's API as the type Client of mqttloop.mqtt.
 *
 * All memory is the collector's. A pointer keeps a block alive only if it is
 * to the beginning of one and lies in one that is alive: so whatever the core
 * points into (a subscription, the lent memory, the bytes of a str) is named
 * once more by an object or by the beginning of its block.
 *
 * An exception leaves a function by longjmp: none passes through the core. What
 * Python code does in a callback is caught there.
 */
#ifndef MQTTLOOP_MICROPYTHON_CORE_H
#define MQTTLOOP_MICROPYTHON_CORE_H

#include "py/obj.h"
#include "py/runtime.h"

#include <mqttloop/client.h>
#include <mqttloop/stream.h>

/* ---- objects ------------------------------------------------------------- */

/** A subscription, from subscribe() to MQTT_EVENT_UNSUBSCRIBED; what
 * Core.subscribe() returns. */
struct node {
    mp_obj_base_t base;
    struct node *next;
    mp_obj_t filter; /* whose bytes the subscription points to */
    mp_obj_t target; /* what Core.pull() names, or the callback */
    bool takes_topic;
    struct mqtt_subscription subscription;
};

/** What the server publishes if we vanish. */
struct will {
    struct mqtt_message message;
    mp_obj_t topic, payload; /* whose bytes the message points to */
};

/** Sizes of the lent memory; see session.h. */
struct sizes {
    uint32_t outbox, input, control;
    uint16_t slots;
};

/** Memory is lent with the first request that needs it, when the size of
 * CONNECT is known: until then `memory` is NULL and `client` nothing. */
struct core {
    mp_obj_base_t base;
    struct mqtt_client client;
    struct mqtt_config config;
    struct mqtt_server server;
    struct sizes sizes;
    size_t offered; /* by output(), and not sent yet */
    /* The event that was taken last, and whether it has to be given yet: when
     * the heap had no room for an object of it, the next pull tries again, and
     * meanwhile nothing is received. */
    struct mqtt_event event;
    bool held;
    void *memory;
    struct node *nodes;
    mp_obj_t identifier, user_name, password; /* MP_OBJ_NULL: none */
    struct will *will;
    byte *assembly; /* payload of a message that comes in parts; NULL: none */
    mp_obj_t hits;  /* of the message that is being pulled: Core: a list of
                       targets; Client: what callbacks are given */
    mqtt_time now;
    uint32_t ticks; /* at `now` */
    uint32_t random;
    bool text; /* payloads are str */
};

extern const mp_obj_type_t mqttloop_type_core, mqttloop_type_node,
    mqttloop_type_client, mqttloop_type_error;

/* ---- convert.c: from and to Python --------------------------------------- */

/** TypeError or ValueError, with the argument's name. The bytes are those of
 * the object. */
struct mqtt_span text_from(qstr argument, mp_obj_t value);
struct mqtt_span bytes_from(qstr argument, mp_obj_t value);
mp_uint_t number_from(qstr argument, mp_obj_t value, mp_uint_t least,
                      mp_uint_t most);
/** An object whose bytes nobody can change: `value`, or bytes of it. */
mp_obj_t kept(mp_obj_t value);

mp_obj_t str_of(struct mqtt_span text);
mp_obj_t bytes_of(struct mqtt_span bytes);

/** Raise what a request refused; returns if it is MQTT_OK. */
void raise_refused(enum mqtt_error error);
/** A new Error of (error, words, reason_code). */
mp_obj_t error_of(enum mqtt_error error, const char *words,
                  uint8_t reason_code);

/* ---- core.c: making, CONNECT, requests ----------------------------------- */

/** What a new object of either type is given; sizes are bytes, and `slots` a
 * number. Raises what is wrong with it. */
struct core_arguments {
    mp_obj_t client_id;
    bool clean_session;
    mp_obj_t payload_type, protocol, outbox, input, slots, control;
};
void core_make(struct core *core, const struct core_arguments *given);

/** Lend the memory, if that has not been. */
void core_begin(struct core *core);

void core_set_credentials(struct core *core, mp_obj_t user_name,
                          mp_obj_t password);
void core_set_will(struct core *core, mp_obj_t topic, mp_obj_t payload,
                   mp_obj_t qos, bool retain);
void core_set_keep_alive(struct core *core, mp_obj_t seconds);

/** The message of these arguments; its spans are those of the objects. */
struct mqtt_message message_from(mp_obj_t topic, mp_obj_t payload, mp_obj_t qos,
                                 bool retain);

/** A subscription of ours, registered. `function` takes each message. */
struct node *core_subscribe(struct core *core, mp_obj_t filter, mp_obj_t qos,
                            mp_obj_t target, mqtt_message_function *function);
/** After its MQTT_EVENT_UNSUBSCRIBED. */
void core_forget(struct core *core, struct node *node);
struct node *node_of(const struct mqtt_subscription *subscription);

/** The clock: ticks that wrap around after `mask` + 1, a power of two. */
mqtt_time core_clock(struct core *core, uint32_t ticks, uint32_t mask);

/* ---- message.c: what was received ---------------------------------------- */

/** Whether the whole payload is there, and then an object of it. What comes in
 * parts is gathered. */
bool message_payload(struct core *core, const struct mqtt_message *message,
                     mp_obj_t *payload);

/** The next event, or the one that is held; it is held from now on. */
bool core_next(struct core *core);
/** Memory for received bytes; NULL: not now. */
void *core_input(struct core *core, size_t *size);

#endif
