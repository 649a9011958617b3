/*
 * Frames, by wslay [RFC 6455, sections 5 to 7]. wslay knows what a frame looks
 * like; which frame may come when, is said here.
 */
#include "websocket.h"

#include "../layer.h"

#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

/* Frames without payload for MQTT that a server may send in one turn: pings,
 * pongs, empty ones. A process that was stopped for an hour finds fewer. */
#define MOST_IDLE 4096

/* ---- what wslay asks for ------------------------------------------------- */

static ssize_t give(uint8_t *to, size_t size, int flags, void *context)
{
    struct mqtt_websocket *self = context;

    (void)flags;
    if (size > self->in_size)
        size = self->in_size;
    if (!size)
        return -1;
    memcpy(to, self->in, size);
    self->in += size;
    self->in_size -= size;
    return (ssize_t)size;
}

/* First the header, which goes before the room where payload lies, then the
 * payload, masked, to where it was. */
static ssize_t place(const uint8_t *bytes, size_t size, int flags,
                     void *context)
{
    struct mqtt_websocket *self = context;

    (void)flags;
    if (self->out_size == 0) {
        self->out_at = MQTT_WEBSOCKET_HEADER - size;
        self->out_size = self->out_at;
    }
    memcpy(self->out + self->out_size, bytes, size);
    self->out_size += size;
    return (ssize_t)size;
}

/* Bytes that nobody can guess [RFC 6455, 10.3], many by one call. */
static int mask(uint8_t *out, size_t size, void *context)
{
    struct mqtt_websocket *self = context;

    if (self->masks_left < size) {
        if (!mqtt_websocket_random(self->masks, sizeof self->masks))
            return -1;
        self->masks_left = sizeof self->masks;
    }
    self->masks_left -= size;
    memcpy(out, self->masks + self->masks_left, size);
    return 0;
}

bool mqtt_websocket_frames_begin(struct mqtt_websocket *self)
{
    static const struct wslay_frame_callbacks callbacks = {place, give, mask};

    mqtt_websocket_frames_end(self);
    return wslay_frame_context_init(&self->frames, &callbacks, self) == 0;
}

void mqtt_websocket_frames_end(struct mqtt_websocket *self)
{
    if (self->frames)
        wslay_frame_context_free(self->frames);
    self->frames = NULL;
}

/* ---- out ----------------------------------------------------------------- */

static bool is_sealed(const struct mqtt_websocket *self)
{
    return self->out_at < self->out_size;
}

bool mqtt_websocket_is_pending(const struct mqtt_websocket *self)
{
    return is_sealed(self) ||
           (!self->closing &&
            (self->gathered || self->has_pong || self->close_code));
}

ptrdiff_t mqtt_websocket_push(struct mqtt_websocket *self)
{
    ptrdiff_t sent;

    while (is_sealed(self)) {
        sent = mqtt_layer_send(&self->layer.transport, self->out + self->out_at,
                               self->out_size - self->out_at);
        if (sent <= 0)
            return sent == MQTT_IO_FAILED ? MQTT_IO_FAILED : MQTT_IO_WAIT;
        self->out_at += (size_t)sent;
    }
    self->out_at = self->out_size = 0;
    return 0;
}

/* Make a frame of what lies behind the room for a header. */
static ptrdiff_t seal(struct mqtt_websocket *self, uint8_t opcode, size_t size)
{
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = opcode,
                                     .payload_length = size,
                                     .mask = 1,
                                     .data = self->out + MQTT_WEBSOCKET_HEADER,
                                     .data_length = size};

    if (wslay_frame_send(self->frames, &frame) == (ssize_t)size)
        return 0;
    mqtt_websocket_fail(self, "the machine has no random bytes yet", "");
    return MQTT_IO_FAILED;
}

static ptrdiff_t seal_payload(struct mqtt_websocket *self)
{
    size_t size = self->gathered;

    self->gathered = 0;
    return seal(self, WSLAY_BINARY_FRAME, size);
}

static ptrdiff_t seal_pong(struct mqtt_websocket *self)
{
    self->has_pong = false;
    memcpy(self->out + MQTT_WEBSOCKET_HEADER, self->pong, self->pong_size);
    return seal(self, WSLAY_PONG, self->pong_size);
}

static ptrdiff_t seal_close(struct mqtt_websocket *self)
{
    self->closing = true;
    self->out[MQTT_WEBSOCKET_HEADER] = (uint8_t)(self->close_code >> 8);
    self->out[MQTT_WEBSOCKET_HEADER + 1] = (uint8_t)self->close_code;
    return seal(self, WSLAY_CONNECTION_CLOSE, 2);
}

/* In this order; after Close nothing follows [RFC 6455, 5.5.1]. */
static ptrdiff_t seal_next(struct mqtt_websocket *self)
{
    if (self->gathered)
        return seal_payload(self);
    if (self->has_pong)
        return seal_pong(self);
    return seal_close(self);
}

/* What lies below may itself keep bytes back. */
ptrdiff_t mqtt_websocket_push_all(struct mqtt_websocket *self)
{
    ptrdiff_t left = mqtt_websocket_push(self), below;

    while (left == 0 && mqtt_websocket_is_pending(self)) {
        left = seal_next(self);
        if (left == 0)
            left = mqtt_websocket_push(self);
    }
    if (left == MQTT_IO_FAILED)
        return left;
    below = mqtt_layer_flush(&self->layer.transport);
    return below == 0 ? left : below;
}

ptrdiff_t mqtt_websocket_gather(struct mqtt_websocket *self, const void *bytes,
                                size_t size)
{
    size_t room;
    ptrdiff_t left = mqtt_websocket_push(self);

    if (left)
        return left;
    room = sizeof self->out - MQTT_WEBSOCKET_HEADER - self->gathered;
    if (size > room)
        size = room;
    memcpy(self->out + MQTT_WEBSOCKET_HEADER + self->gathered, bytes, size);
    self->gathered += size;
    if (size == room && (seal_payload(self) == MQTT_IO_FAILED ||
                         mqtt_websocket_push(self) == MQTT_IO_FAILED))
        return MQTT_IO_FAILED;
    return (ptrdiff_t)size;
}

/* ---- what a server may not send ------------------------------------------ */

/* It is told why, if that can leave at once. */
static void refuse(struct mqtt_websocket *self, uint16_t code, const char *text)
{
    self->close_code = code;
    self->gathered = 0;
    self->has_pong = false;
    mqtt_websocket_push_all(self);
    mqtt_websocket_fail(self, text, "");
}

static void refuse_frame(struct mqtt_websocket *self, const char *text)
{
    refuse(self, WSLAY_CODE_PROTOCOL_ERROR, text);
}

static const char *fault_of(const struct mqtt_websocket *self,
                            const struct wslay_frame_iocb *frame)
{
    if (frame->rsv)
        return "a frame with a reserved bit";
    if (frame->mask)
        return "a masked frame";
    if (frame->opcode == WSLAY_CONTINUATION_FRAME)
        return self->in_message ? NULL : "a continuation of nothing";
    if (frame->opcode == WSLAY_BINARY_FRAME)
        return self->in_message ? "a message within a message" : NULL;
    if (frame->opcode < WSLAY_CONNECTION_CLOSE || frame->opcode > WSLAY_PONG)
        return "a frame of a kind that is not known";
    return NULL;
}

/* ---- Close --------------------------------------------------------------- */

/* Codes that may be sent [RFC 6455, 7.4]. */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
            code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static bool is_good_end(unsigned code)
{
    return code == WSLAY_CODE_NORMAL_CLOSURE || code == WSLAY_CODE_GOING_AWAY;
}

static void fail_by_server(struct mqtt_websocket *self, unsigned code)
{
    char subject[40], words[MQTT_WEBSOCKET_CONTROL];
    size_t i;

    for (i = 0; i + 2 < self->control_size; i++)
        words[i] = self->control[i + 2] >= ' ' && self->control[i + 2] <= '~'
                       ? (char)self->control[i + 2]
                       : '?';
    words[i] = 0;
    snprintf(subject, sizeof subject, "the server closed with code %u", code);
    mqtt_websocket_fail(self, subject, words);
}

/* Answered with the same code, if ours is not on its way; without one it is
 * as good as 1000. */
static void take_close(struct mqtt_websocket *self)
{
    unsigned code = WSLAY_CODE_NORMAL_CLOSURE;
    bool ours = self->close_code != 0;

    if (self->control_size)
        code = (unsigned)self->control[0] << 8 | self->control[1];
    if (self->control_size == 1 || !is_close_code(code)) {
        refuse_frame(self, "a Close frame with a wrong code");
        return;
    }
    if (!ours)
        self->close_code = (uint16_t)code;
    self->gathered = 0;
    mqtt_websocket_push_all(self);
    if (ours || is_good_end(code))
        self->state = MQTT_WEBSOCKET_ENDED;
    else
        fail_by_server(self, code);
}

/* ---- in ------------------------------------------------------------------ */

/* Only the last ping has to be answered [RFC 6455, 5.5.3]. */
static void take_ping(struct mqtt_websocket *self)
{
    memcpy(self->pong, self->control, self->control_size);
    self->pong_size = self->control_size;
    self->has_pong = true;
}

static void end_frame(struct mqtt_websocket *self,
                      const struct wslay_frame_iocb *frame)
{
    if (frame->payload_length == 0 || wslay_is_ctrl_frame(frame->opcode))
        self->idle++;
    if (frame->opcode == WSLAY_CONNECTION_CLOSE)
        take_close(self);
    else if (frame->opcode == WSLAY_PING)
        take_ping(self);
    else if (!wslay_is_ctrl_frame(frame->opcode))
        self->in_message = !frame->fin;
    if (self->state == MQTT_WEBSOCKET_OPEN && self->idle > MOST_IDLE)
        refuse(self, WSLAY_CODE_POLICY_VIOLATION,
               "no end of pings or empty frames");
}

/* MQTT is in binary frames only [MQTT-6.0.0-1]. */
static bool begin_frame(struct mqtt_websocket *self,
                        const struct wslay_frame_iocb *frame)
{
    const char *fault;

    if (frame->opcode == WSLAY_TEXT_FRAME && !frame->rsv && !frame->mask) {
        refuse(self, WSLAY_CODE_UNSUPPORTED_DATA, "a frame of text");
        return false;
    }
    fault = fault_of(self, frame);
    if (fault)
        refuse_frame(self, fault);
    self->left = frame->payload_length;
    self->control_size = 0;
    return !fault;
}

/* A piece of a frame; what it has for MQTT is put to `to`. */
static size_t take_piece(struct mqtt_websocket *self,
                         const struct wslay_frame_iocb *frame, uint8_t *to)
{
    size_t size = frame->data_length;
    bool is_control = wslay_is_ctrl_frame(frame->opcode);

    if (self->left == 0 && !begin_frame(self, frame))
        return 0;
    if (is_control)
        to = self->control + self->control_size;
    if (size)
        memcpy(to, frame->data, size);
    self->control_size += is_control ? size : 0;
    self->left -= size;
    if (self->left == 0)
        end_frame(self, frame);
    return is_control ? 0 : size;
}

/* Payload is never longer than the frames read so far, and wslay has copied
 * what it tells of. */
size_t mqtt_websocket_unframe(struct mqtt_websocket *self, uint8_t *bytes,
                              size_t size)
{
    struct wslay_frame_iocb frame;
    size_t payload = 0;
    ssize_t got;

    self->in = bytes;
    self->in_size = size;
    while (self->state == MQTT_WEBSOCKET_OPEN) {
        got = wslay_frame_recv(self->frames, &frame);
        if (got == WSLAY_ERR_WANT_READ)
            break;
        if (got < 0)
            refuse_frame(self, "a frame with a wrong length");
        else
            payload += take_piece(self, &frame, bytes + payload);
    }
    return payload;
}
