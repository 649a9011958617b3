/*
 * The layer of WebSocket: a handshake, then frames. Bytes from below are read
 * into the memory of whoever reads, and their payload moves to its front;
 * bytes to be sent are gathered, masked where they lie, and leave as one frame.
 */
#ifndef MQTTLOOP_WEBSOCKET_WEBSOCKET_H
#define MQTTLOOP_WEBSOCKET_WEBSOCKET_H

#include "../http/answer.h"

#include <mqttloop/websocket.h>

/** What leaves at once, with its header. */
#define MQTT_WEBSOCKET_OUT 16384
/** Of a frame that a client sends and that is no larger than 65,535 bytes. */
#define MQTT_WEBSOCKET_HEADER 8
/** Of a control frame's payload [RFC 6455, 5.5]. */
#define MQTT_WEBSOCKET_CONTROL 125
/** Base 64 of a digest of SHA-1. */
#define MQTT_WEBSOCKET_ACCEPT 28

enum mqtt_websocket_state {
    MQTT_WEBSOCKET_CLOSED,
    MQTT_WEBSOCKET_AWAIT_BELOW,
    MQTT_WEBSOCKET_AWAIT_ANSWER,
    MQTT_WEBSOCKET_OPEN,
    MQTT_WEBSOCKET_ENDED, /* the server has sent Close */
    MQTT_WEBSOCKET_FAILED
};

struct wslay_frame_context;

struct mqtt_websocket {
    struct mqtt_layer layer;
    const struct mqtt_websocket_options *options;
    const struct mqtt_server *server; /* while not closed */
    enum mqtt_websocket_state state;
    enum mqtt_error error; /* MQTT_OK: what lies below has failed */
    char detail[256];

    /* the handshake */
    struct mqtt_http_answer answer;
    char accept[MQTT_WEBSOCKET_ACCEPT];
    unsigned seen;      /* which headers */
    const char *unlike; /* what is not as it must be, or NULL */
    uint8_t early[256]; /* bytes from below, */
    size_t early_at;    /* of which these are read, */
    size_t early_size;  /* of these */

    /* frames in */
    struct wslay_frame_context *frames;
    const uint8_t *in; /* not yet unframed */
    size_t in_size;
    uint64_t left;   /* of the frame's payload; 0: between frames */
    bool in_message; /* the last data frame was not its message's last */
    unsigned idle;   /* frames of this turn that brought no payload */
    uint8_t control[MQTT_WEBSOCKET_CONTROL];
    size_t control_size;

    /* frames out */
    size_t gathered;         /* payload behind the room for a header */
    size_t out_at, out_size; /* sealed, not yet sent */
    uint8_t pong[MQTT_WEBSOCKET_CONTROL];
    size_t pong_size;
    bool has_pong;
    uint16_t close_code; /* to be sent; 0: none */
    bool closing;        /* it is sealed: nothing may follow */
    uint8_t masks[256];
    size_t masks_left;
    uint8_t out[MQTT_WEBSOCKET_OUT];
};

/** Random bytes, never waited for; false: the machine has none yet. */
bool mqtt_websocket_random(void *out, size_t size);
/** The connection is of no use any more; its detail is made of two parts. */
void mqtt_websocket_fail(struct mqtt_websocket *self, const char *subject,
                         const char *text);

/* ---- handshake.c --------------------------------------------------------- */

/** Write the request to `out`; false: failed. */
bool mqtt_websocket_ask(struct mqtt_websocket *self);
/** Send and read as far as possible; the state tells how far it came. */
void mqtt_websocket_shake(struct mqtt_websocket *self);

/* ---- frames.c ------------------------------------------------------------ */

/** false: no memory. */
bool mqtt_websocket_frames_begin(struct mqtt_websocket *self);
void mqtt_websocket_frames_end(struct mqtt_websocket *self);
/** Take payload out of `size` bytes and put it to their front. */
size_t mqtt_websocket_unframe(struct mqtt_websocket *self, uint8_t *bytes,
                              size_t size);
/** Send what is sealed: 0: all has left, MQTT_IO_WAIT, MQTT_IO_FAILED. */
ptrdiff_t mqtt_websocket_push(struct mqtt_websocket *self);
/** Take payload to be sent; sizes as those of send(). */
ptrdiff_t mqtt_websocket_gather(struct mqtt_websocket *self, const void *bytes,
                                size_t size);
/** Send all that there is; as mqtt_websocket_push(). */
ptrdiff_t mqtt_websocket_push_all(struct mqtt_websocket *self);
/** Whether something waits to be sent. */
bool mqtt_websocket_is_pending(const struct mqtt_websocket *self);

#endif
