/*
 * One network connection, from CONNECT to its end [3.1.1, chapter 3].
 *
 * The engine is given bytes and gives bytes, is told the time and tells a
 * deadline, and has its events pulled. engine.c is its life, input.c finds the
 * packets, receive.c handles those of 3.1.1, connack_5_0.c and receive_5_0.c
 * those of 5.0, settle.c acknowledges messages, oversize.c reads past those
 * that are too large, parts.c gives them in parts, output.c chooses what leaves,
 * compose.c writes what does not lie ready, authenticate.c is AUTH, keep_alive.c
 * is its clockwork.
 */
#ifndef MQTT_ENGINE_ENGINE_H
#define MQTT_ENGINE_ENGINE_H

#include <mqttloop/client.h>
#include "session/inbound.h"
#include "session/session.h"
#include "wire/protocol.h"

enum mqtt_engine_state {
    MQTT_ENGINE_CLOSED,
    MQTT_ENGINE_AWAIT_CONNACK,
    MQTT_ENGINE_OPEN,
    MQTT_ENGINE_DISCONNECT_DUE, /* leaves as soon as it may */
    MQTT_ENGINE_DISCONNECTING,  /* it is on its way */
    MQTT_ENGINE_ENDED,          /* it has left: nothing may follow */
    MQTT_ENGINE_FAILED          /* error_ says why */
};

/* Events of the engine that only the client sees; message.payload has the
 * codes, none in UNSUBACK of 3.1.1. */
enum { MQTT_EVENT_SUBACK = 0x40, MQTT_EVENT_UNSUBACK };

/* `memory` has been checked by mqtt_session_init(). */
void mqtt_engine_init(struct mqtt_engine *e, struct mqtt_session *session,
                      const struct mqtt_config *config,
                      const struct mqtt_memory *memory);

/* What CONNECT says of the memory. */
struct mqtt_announced
mqtt_engine_announced(const struct mqtt_engine *e,
                      const struct mqtt_connect_options *options);

/* A network connection is there: CONNECT is to leave. `session_held`: whether
 * Session Present may be 1. MQTT_ERR_CONTROL_SIZE: CONNECT does not fit. */
enum mqtt_error mqtt_engine_open(struct mqtt_engine *e,
                                 const struct mqtt_connect_options *options,
                                 bool session_held);
/* The network connection is gone. What has come can still be pulled. */
void mqtt_engine_close(struct mqtt_engine *e);
/* Give up: the error is fatal. In 5.0 DISCONNECT says why, if it is the
 * server's fault. */
void mqtt_engine_fail(struct mqtt_engine *e, enum mqtt_error error);
/* The same without a word. */
void mqtt_engine_break(struct mqtt_engine *e, enum mqtt_error error);
/* Whether DISCONNECT with an error is to leave, or has left. With an error a
 * connection is in no earlier state. */
static inline bool mqtt_engine_failing(const struct mqtt_engine *e)
{
    return e->error_ && e->state_ <= MQTT_ENGINE_ENDED;
}
/* DISCONNECT is to leave, after what is half sent and what is owed; 5.0 has
 * the rest. */
void mqtt_engine_disconnect(struct mqtt_engine *e, uint8_t code,
                            struct mqtt_span properties);

bool mqtt_engine_next(struct mqtt_engine *e, struct mqtt_event *event);

void *mqtt_engine_input_buf(struct mqtt_engine *e, void *lent, size_t lent_size,
                            size_t *size);
void mqtt_engine_input_done(struct mqtt_engine *e, size_t size);
void mqtt_engine_input_keep(struct mqtt_engine *e);
const void *mqtt_engine_output_buf(struct mqtt_engine *e, size_t *size);
void mqtt_engine_output_done(struct mqtt_engine *e, size_t size);
void mqtt_engine_tick(struct mqtt_engine *e, mqtt_time now);
mqtt_time mqtt_engine_deadline(const struct mqtt_engine *e);

/* Whether two topic filters may stand in one request: Subscription Identifier
 * and properties belong to all of it [5.0, section 3.8.2.1]. */
bool mqtt_request_joins(const struct mqtt_engine *e,
                        const struct mqtt_subscription *first,
                        const struct mqtt_subscription *other);

/*
 * A request of topic filters, taken from the list at `first` where state_ is
 * `state` (one at least is) and that may stand together, so many as fit into
 * control memory. No other request may be open. How many went; 0: none fits
 * now, or the connection ends.
 */
uint16_t mqtt_engine_request(struct mqtt_engine *e, enum mqtt_packet_type type,
                             const struct mqtt_subscription *first,
                             uint8_t state);

/* -- between the files of the engine ---------------------------------------- */

/* Put a packet into control memory; false: no room now. A connection that is
 * gone swallows it. */
bool mqtt_engine_stage(struct mqtt_engine *e, const uint8_t *packet,
                       uint32_t size);
bool mqtt_engine_stage_ack(struct mqtt_engine *e, enum mqtt_packet_type type,
                           uint16_t identifier, uint8_t code);
/* Bytes that a packet may take in control memory now; the server may allow
 * less. 0: none. */
uint32_t mqtt_engine_room(const struct mqtt_engine *e);

/* PUBREL for each PUBREC that came, while there is room. */
void mqtt_engine_stage_pubrels(struct mqtt_engine *e);

/* -- messages that come (settle.c) -- */

/* A message of QoS 1 or 2 has come, at least its packet identifier: MQTT_OK:
 * it is new. *again: it came before, and has been or will be acknowledged.
 * MQTT_LATER: not to be read now. MQTT_ERR_RECEIVE_MAXIMUM, _RECEIVED_FULL. */
enum mqtt_error mqtt_engine_admit(struct mqtt_engine *e, unsigned qos,
                                  uint16_t identifier, bool *again);
/* A new one is whole and goes to the application, which may settle it by the
 * handle that is returned; 0: when the next event is pulled. */
uint32_t mqtt_engine_accept(struct mqtt_engine *e, unsigned qos,
                            uint16_t identifier);
/* A new one is whole, and is to be acknowledged with `code` whatever the
 * application does. */
void mqtt_engine_answer(struct mqtt_engine *e, unsigned qos,
                        uint16_t identifier, uint8_t code);
/* See mqtt_settle(). */
enum mqtt_error mqtt_engine_settle_handle(struct mqtt_engine *e,
                                          uint32_t handle, uint8_t code);
/* Acknowledge what has been settled, as far as there is room. */
void mqtt_engine_flush_settled(struct mqtt_engine *e);
/* PUBREL came: PUBCOMP leaves, with a store when the removal is committed.
 * MQTT_LATER: no room. */
enum mqtt_error mqtt_engine_complete(struct mqtt_engine *e,
                                     uint16_t identifier);

/* The borrowed message has been processed: acknowledge it. */
bool mqtt_engine_acknowledge(struct mqtt_engine *e);
extern const struct mqtt_inbound mqtt_inbound;
static inline bool mqtt_engine_settle(struct mqtt_engine *e)
{
    return !e->delivered_ || e->protocol_->inbound->acknowledge(e);
}
void mqtt_engine_deliver(struct mqtt_engine *e, unsigned qos,
                         uint16_t identifier, uint8_t code);

/* -- messages larger than the input memory -- */

struct mqtt_large {
    /* A PUBLISH has begun that is too large. */
    enum mqtt_error (*begin)(struct mqtt_engine *e, uint8_t first_byte,
                             uint32_t header, uint32_t length);
    /* Go on with it; *progress: not only waited. */
    enum mqtt_error (*next)(struct mqtt_engine *e, bool *progress,
                            struct mqtt_event *event);
};
/* They are read past. */
extern const struct mqtt_large mqtt_large_past;

static inline bool mqtt_oversize_active(const struct mqtt_engine *e)
{
    return e->oversize_step_ != 0;
}
/* Throw away up to skip_ bytes; true: all of them have come and gone. */
bool mqtt_oversize_skip(struct mqtt_engine *e);
/* It is over. */
void mqtt_oversize_ended(struct mqtt_engine *e);

/* CONNECT or AUTH is on its way: the server has a time to answer. */
void mqtt_engine_await_connack(struct mqtt_engine *e);
/* The first CONNACK came: the clockwork of PINGREQ starts. */
void mqtt_keep_alive_begin(struct mqtt_engine *e);
/* Bytes have left. */
void mqtt_keep_alive_sent(struct mqtt_engine *e);
/* A packet of which `size` bytes have come is not whole: it has a time to
 * become so, which each byte extends. */
#define MQTT_MS_PER_BYTE 8
void mqtt_engine_packet_began(struct mqtt_engine *e, uint32_t size);
/* The packet that was waited for is whole. */
static inline void mqtt_engine_packet_ended(struct mqtt_engine *e)
{
    e->packet_by_ = MQTT_NEVER;
}

/* What tells the trace hook, which is there when these are called. */
struct mqtt_trace_seam {
    /* Of a packet of `size` bytes, of which `available` are at hand: of a
     * PUBLISH perhaps not all. */
    void (*packet)(struct mqtt_engine *e, bool sent, const uint8_t *packet,
                   uint32_t available, uint32_t size);
    /* Of each PUBLISH that has left the outbox. */
    void (*published)(struct mqtt_engine *e);
    /* Of the one that is read past. */
    void (*oversize)(struct mqtt_engine *e);
};

static inline void mqtt_engine_trace(struct mqtt_engine *e, bool sent,
                                     const uint8_t *packet, uint32_t size)
{
    if (e->config_->trace)
        e->config_->trace_seam->packet(e, sent, packet, size, size);
}

#endif
