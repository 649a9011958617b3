/*
 * TLS over any transport: a context that clients share, and a layer for each.
 *
 * OpenSSL reads and writes through a BIO of ours (bio.c): what has come lies in
 * `in`, so that a record costs one recv at most; what is to leave lies in `out`,
 * which flush sends on. So SSL_write never stops half way, and may be given other
 * bytes the next time. Both are there only while there is something in them.
 */
#ifndef MQTTLOOP_OPENSSL_OPENSSL_H
#define MQTTLOOP_OPENSSL_OPENSSL_H

#include <mqttloop/openssl.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* ---- what clients share -------------------------------------------------- */

#define MQTT_TLS_ALPN_MAX 256
#define MQTT_TLS_PSK_MAX 256
#define MQTT_TLS_NAME_MAX 256
#define MQTT_TLS_WORDS_MAX 160   /* of OpenSSL, about what went wrong */
#define MQTT_TLS_SUBJECT_MAX 192 /* of a certificate */

/* All of them fit, as "name: words (certificate: subject)". */
#define MQTT_TLS_DETAIL_MAX                                                    \
    (MQTT_TLS_NAME_MAX + MQTT_TLS_WORDS_MAX + MQTT_TLS_SUBJECT_MAX +           \
     sizeof ":  (certificate: )")

struct mqtt_tls_kind {
    struct mqtt_layer_kind kind;
    SSL_CTX *context;
    BIO_METHOD *method;
    bool insecure, own_context, resume;
    char server_name[MQTT_TLS_NAME_MAX];   /* "": that of the address */
    unsigned char alpn[MQTT_TLS_ALPN_MAX]; /* as on the wire */
    unsigned alpn_size;
    char psk_identity[PSK_MAX_IDENTITY_LEN + 1];
    unsigned char psk[MQTT_TLS_PSK_MAX];
    unsigned psk_size;
    void (*key_log)(void *context, const char *line);
    void *key_log_context;
    FILE *key_log_file;
};

/* ---- certificates and keys (load.c) --------------------------------------- */

/** Where they come from, and how they are unlocked. */
struct mqtt_tls_loader {
    const struct mqtt_tls_options *options;
    SSL_CTX *context;
};

/** Certificates that are trusted, or revocation lists, into the store of the
 * context; false: there is none, or it cannot be read. */
bool mqtt_tls_load_ca(const struct mqtt_tls_loader *loader);
bool mqtt_tls_load_crl(const struct mqtt_tls_loader *loader);
/** Our chain and its key. */
bool mqtt_tls_load_certificate(const struct mqtt_tls_loader *loader);
bool mqtt_tls_load_key(const struct mqtt_tls_loader *loader);
bool mqtt_tls_is_given(const struct mqtt_tls_source *source);

/* ---- sessions to resume (sessions.c) --------------------------------------- */

#define MQTT_TLS_SERVERS 4
#define MQTT_TLS_TICKETS 3

struct mqtt_tls_tickets {
    char name[MQTT_TLS_NAME_MAX];
    uint16_t port;
    uint32_t used;                           /* when last, 0: never */
    SSL_SESSION *sessions[MQTT_TLS_TICKETS]; /* the newest first */
};

struct mqtt_tls_sessions {
    struct mqtt_tls_tickets servers[MQTT_TLS_SERVERS], *now;
    uint32_t clock;
};

/** From now on it is this server's tickets. */
void mqtt_tls_sessions_of(struct mqtt_tls_sessions *sessions, const char *name,
                          uint16_t port);
/** Keep one; it is ours from then on. */
void mqtt_tls_sessions_put(struct mqtt_tls_sessions *sessions,
                           SSL_SESSION *session);
/** Take the newest that may be resumed; NULL: none. */
SSL_SESSION *mqtt_tls_sessions_take(struct mqtt_tls_sessions *sessions);
void mqtt_tls_sessions_free(struct mqtt_tls_sessions *sessions);

/* ---- the layer ------------------------------------------------------------- */

/** Two records, and what TLS has to say besides. */
#define MQTT_TLS_RECORD 16384
#define MQTT_TLS_OVERHEAD 256
#define MQTT_TLS_OUT_SIZE (2 * (MQTT_TLS_RECORD + MQTT_TLS_OVERHEAD) + 1024)

/** Bytes from below that may come without a byte of data in them: more than any
 * record, or message of TLS. */
#define MQTT_TLS_MOST_WITHOUT_DATA 131072

/** What is read at once: a large record, or many. */
#define MQTT_TLS_IN_SIZE 32768

enum mqtt_tls_state {
    MQTT_TLS_CLOSED,
    MQTT_TLS_BELOW, /* what is below connects */
    MQTT_TLS_HANDSHAKE,
    MQTT_TLS_OPEN,
    MQTT_TLS_FAILED
};

struct mqtt_tls {
    struct mqtt_layer layer;
    const struct mqtt_tls_kind *kind;
    SSL *ssl;
    enum mqtt_tls_state state;
    ptrdiff_t below_said; /* by the last recv: bytes, or MQTT_IO_... */
    bool write_reads;     /* SSL_write waits for something to read */
    bool finished, below_finished;
    bool answered; /* a ServerHello has come */
    bool offered, resumed;
    unsigned chatter_now; /* messages of TLS in this turn */
    unsigned chatter;     /* messages of TLS since the last data, */
    size_t without_data;  /* and bytes */

    unsigned char *out; /* NULL: empty */
    size_t out_begin, out_end;
    bool stuck;        /* below took nothing in this turn: not asked again */
    unsigned char *in; /* NULL: empty */
    size_t in_begin, in_end;

    struct mqtt_tls_sessions sessions;
    char name[MQTT_TLS_NAME_MAX]; /* whom we talk to */
    bool name_is_address;
    enum mqtt_error error;              /* MQTT_OK: it is that of below */
    char subject[MQTT_TLS_SUBJECT_MAX]; /* the certificate that was refused */
    char detail[MQTT_TLS_DETAIL_MAX];
};

struct mqtt_layer *mqtt_tls_init(const struct mqtt_layer_kind *kind,
                                 void *memory);
void mqtt_tls_end(struct mqtt_layer *layer);
size_t mqtt_tls_size(const struct mqtt_layer_kind *kind);

/* ---- bytes below (bio.c) ---------------------------------------------------- */

BIO_METHOD *mqtt_tls_bio_method(void);
/** Send what lies in `out`: 0: all, MQTT_IO_WAIT, MQTT_IO_FAILED. */
ptrdiff_t mqtt_tls_push(struct mqtt_tls *self);
size_t mqtt_tls_room(const struct mqtt_tls *self);
void mqtt_tls_drop_out(struct mqtt_tls *self);
void mqtt_tls_drop_in(struct mqtt_tls *self);

/* ---- who the server must be (identity.c) ------------------------------------ */

/** Find out the name; false: there is none. */
bool mqtt_tls_identify(struct mqtt_tls *self, const struct mqtt_server *server,
                       uint16_t *port);
/** Have it sent and verified. */
bool mqtt_tls_expect(struct mqtt_tls *self);
/** A callback of OpenSSL for contexts of our own: remembers the certificate
 * that is refused. */
int mqtt_tls_verify(int good, X509_STORE_CTX *store);

/* ---- failures in words (failure.c) ------------------------------------------ */

void mqtt_tls_fail(struct mqtt_tls *self, enum mqtt_error error,
                   const char *words);
/** By what OpenSSL says. */
void mqtt_tls_fail_by_openssl(struct mqtt_tls *self);
/** OpenSSL's words for the oldest error, and forget all of them. */
void mqtt_tls_words(char *out, size_t size);
/** One line of visible characters about a certificate. */
void mqtt_tls_describe(const X509 *certificate, char *out, size_t size);

#endif
