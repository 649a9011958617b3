/*
 * websocket_bytes.h - a server's side of WebSocket, as bytes: its answer, its
 * frames, and what it reads in those of a client. Written from RFC 6455 anew;
 * SHA-1 is the library's, which has a test with the key of that RFC.
 */
#ifndef WEBSOCKET_BYTES_H
#define WEBSOCKET_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for an answer. */
#define ANSWER_SIZE 1024

/* What a good server answers to `request`, NUL-terminated. */
size_t good_answer(char out[ANSWER_SIZE], const char *request);
/* An answer with "%s" where the accept key for `request` goes, if anywhere. */
size_t answer(char out[ANSWER_SIZE], const char *format, const char *request);

/* A frame as it begins: FIN, reserved bits, opcode in `first`; its length in
 * the shortest form; no mask. */
size_t frame(uint8_t *out, uint8_t first, const void *payload, size_t size);

/* A frame that a client has sent. */
struct client_frame {
    uint8_t first;
    uint8_t mask[4];
    size_t payload_size;
    size_t size;      /* of all */
    uint8_t *payload; /* in place, the mask taken off */
};
/* The frame at the front; false: it is not whole. A client's frame must have a
 * mask, no reserved bits, the shortest length. */
bool client_frame(uint8_t *bytes, size_t size, struct client_frame *out);

#endif
