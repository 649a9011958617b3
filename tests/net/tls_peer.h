/*
 * tls_peer.h - certificates, and a server of TLS in a thread that does what a
 * test says: stalls, cuts, floods, one byte at a time. Without a script it is a
 * small broker: CONNACK, PUBACK, PINGRESP.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A folder of certificates, see certificates.sh, for the whole program. */
void certificates_begin(void);
void certificates_end(void);
/* The path of one of its files; valid until it is asked 256 times more. */
const char *certificate(const char *file);

struct peer;
struct line; /* a connection at the server */

struct peer_options {
    const char *certificate; /* NULL: "server"; "": none */
    int minimum, maximum;    /* versions as OpenSSL has them, 0: all */
    bool refuses_tickets;    /* takes each connection for a new one */
    size_t limit;            /* bytes that leave, then it stalls; 0: all */
    size_t piece;            /* bytes at a time; 0: all */
    bool once;               /* the rest for the first connection only: */
    const char *raw;         /* says this instead of TLS, and closes */
    void (*prepare)(SSL_CTX *context);
    void (*serve)(struct line *line); /* after the handshake */
};

struct peer {
    struct peer_options options;
    uint16_t port;
    atomic_uint connects, handshakes, resumed, notified;
    atomic_size_t received; /* bytes of MQTT */
    atomic_size_t sent;     /* bytes over the wire, of the last connection, */
    atomic_size_t flight;   /* before the last message of the client came */
    atomic_int alert;       /* the last one that came, -1: none */
    atomic_bool stop;
    /* private */
    SSL_CTX *context;
    int listener;
    void *thread;
};

struct peer *peer_begin(const struct peer_options *options);
void peer_end(struct peer *peer);

/* For scripts. Each waits; false, or 0: the client has gone, or the test ends. */
struct peer *line_peer(struct line *line);
SSL *line_ssl(struct line *line);
size_t line_read(struct line *line, void *bytes, size_t size);
bool line_write(struct line *line, const void *bytes, size_t size);
/* Whole packets of MQTT as a broker would, `count` of them; after CONNECT it
 * has CONNACK been sent. False: the connection is over. */
bool line_serve(struct line *line, unsigned count);
/* Send what SSL has to say; at most `size` bytes of it (0: all). */
bool line_push(struct line *line, size_t size);
/* Bytes of the first record that SSL has to say. */
size_t line_record(struct line *line);
/* Bytes as they are. */
bool line_send(struct line *line, const void *bytes, size_t size);
void line_pause(struct line *line, int ms);
/* No more from here, without close_notify. */
void line_cut(struct line *line);

#endif
