/*
 * The transport: the handshake, then bytes both ways.
 */
#include "openssl.h"
#include "../layer.h"

#include <mqttloop/session.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* Messages of TLS: tickets, key updates, wishes to renegotiate, warnings. A
 * server at work sends two or three now and then, and each costs as much as a
 * hundred KiB of data: so many in one turn, and in a row without data. */
#define MOST_CHATTER_NOW 10
#define MOST_CHATTER 64
/* Records in one go: the caller comes again, but not at once for ever. */
#define MOST_RECORDS 32

static struct mqtt_tls *of(struct mqtt_transport *transport)
{
    return (struct mqtt_tls *)transport;
}

/* ---- failures ------------------------------------------------------------------ */

/* An alert that says why is on its way, if there is one. */
static void fail_by_openssl(struct mqtt_tls *self)
{
    mqtt_tls_fail_by_openssl(self);
    if (mqtt_tls_push(self) == 0)
        mqtt_layer_flush(&self->layer.transport);
}

/* What failed is below: its error is ours. */
static void fail_below(struct mqtt_tls *self)
{
    self->state = MQTT_TLS_FAILED;
    self->error = MQTT_OK;
}

static enum mqtt_error error_of(struct mqtt_transport *transport,
                                const char **detail)
{
    struct mqtt_tls *self = of(transport);

    if (self->error == MQTT_OK)
        return mqtt_layer_error(transport, detail);
    *detail = self->detail;
    return self->error;
}

/* ---- opening -------------------------------------------------------------------- */

/* Told of all that TLS says besides data. */
static void overhear(int written, int version, int type, const void *bytes,
                     size_t size, SSL *ssl, void *context)
{
    struct mqtt_tls *self = context;

    (void)version, (void)ssl;
    if (written || size == 0 ||
        (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT))
        return;
    self->chatter++;
    self->chatter_now++;
    if (type == SSL3_RT_HANDSHAKE &&
        *(const unsigned char *)bytes == SSL3_MT_SERVER_HELLO)
        self->answered = true;
}

/* Also what a context of the application's may not take away. */
static void restrict_protocol(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    if (SSL_get_min_proto_version(ssl) < TLS1_2_VERSION)
        SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
    if (SSL_get_security_level(ssl) < 1)
        SSL_set_security_level(ssl, 1);
}

/* A message of TLS ends a call of SSL_read, so that a flood of them cannot hold
 * it; memory goes when there is nothing in it. */
static void set_modes(SSL *ssl)
{
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_read_ahead(ssl, 0);
}

static void offer_session(struct mqtt_tls *self)
{
    SSL_SESSION *session =
        self->kind->resume ? mqtt_tls_sessions_take(&self->sessions) : NULL;

    self->offered = session && SSL_set_session(self->ssl, session);
    SSL_SESSION_free(session);
}

static bool make_ssl(struct mqtt_tls *self)
{
    const struct mqtt_tls_kind *kind = self->kind;
    BIO *bio = BIO_new(kind->method);

    self->ssl = SSL_new(kind->context);
    if (!bio || !self->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, self);
    SSL_set_bio(self->ssl, bio, bio);
    SSL_set_connect_state(self->ssl);
    if (!kind->own_context && !SSL_set_app_data(self->ssl, self))
        return false; /* our callbacks need it */
    SSL_set_msg_callback(self->ssl, overhear);
    SSL_set_msg_callback_arg(self->ssl, self);
    restrict_protocol(self->ssl);
    set_modes(self->ssl);
    offer_session(self);
    return mqtt_tls_expect(self) &&
           (kind->alpn_size == 0 ||
            SSL_set_alpn_protos(self->ssl, kind->alpn, kind->alpn_size) == 0);
}

static void begin_handshake(struct mqtt_tls *self)
{
    ERR_clear_error();
    self->state = MQTT_TLS_HANDSHAKE;
    if (!make_ssl(self)) {
        mqtt_tls_fail(self, MQTT_ERR_TLS, "OpenSSL cannot begin");
        ERR_clear_error();
    }
}

/* A key that both sides know counts as resumed for OpenSSL, not for us: it has
 * no ticket. */
static bool is_resumed(const struct mqtt_tls *self)
{
    return self->offered && SSL_session_reused(self->ssl) &&
           (SSL_version(self->ssl) < TLS1_3_VERSION ||
            self->kind->psk_size == 0 ||
            SSL_SESSION_has_ticket(SSL_get0_session(self->ssl)));
}

/* In TLS 1.2 a session that was resumed may be resumed again, and the server
 * need not send a new ticket for that. */
static void handshake_done(struct mqtt_tls *self)
{
    self->state = MQTT_TLS_OPEN;
    self->chatter = self->chatter_now = 0;
    self->without_data = 0;
    self->resumed = is_resumed(self);
    if (self->resumed && SSL_version(self->ssl) < TLS1_3_VERSION)
        mqtt_tls_sessions_put(&self->sessions, SSL_get1_session(self->ssl));
}

static bool is_flood(struct mqtt_tls *self)
{
    if (self->chatter <= MOST_CHATTER &&
        (self->state != MQTT_TLS_OPEN ||
         self->chatter_now <= MOST_CHATTER_NOW) &&
        self->without_data <= MQTT_TLS_MOST_WITHOUT_DATA)
        return false;
    mqtt_tls_fail(self, MQTT_ERR_TLS, "a flood of messages of TLS");
    return true;
}

static void judge_handshake(struct mqtt_tls *self, int result)
{
    int why = SSL_get_error(self->ssl, result);

    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        fail_by_openssl(self);
    else if (is_flood(self))
        return;
    else if (self->below_said == MQTT_IO_FAILED)
        fail_below(self);
    else if (self->below_said == MQTT_IO_END)
        mqtt_tls_fail(self, MQTT_ERR_TLS,
                      "the server closed the connection amid the handshake");
}

/* Our part so far leaves; the last of it, which ends the handshake, leaves with
 * CONNECT: one packet less, and a server that refuses us has both before it
 * closes, so that its reasons are not lost in a reset. */
static void send_flight(struct mqtt_tls *self)
{
    ptrdiff_t pushed;

    self->stuck = false;
    pushed = mqtt_tls_push(self);
    if (pushed == MQTT_IO_FAILED ||
        mqtt_layer_flush(&self->layer.transport) == MQTT_IO_FAILED ||
        !mqtt_layer_want(&self->layer.transport,
                         MQTT_READ | (pushed ? MQTT_WRITE : 0)))
        fail_below(self);
}

static void shake_hands(struct mqtt_tls *self)
{
    int result;

    ERR_clear_error();
    self->below_said = MQTT_IO_WAIT;
    result = SSL_do_handshake(self->ssl);
    if (result == 1)
        handshake_done(self);
    else
        judge_handshake(self, result);
    if (self->state == MQTT_TLS_HANDSHAKE)
        send_flight(self);
}

static void advance_below(struct mqtt_tls *self, mqtt_time now)
{
    switch (mqtt_layer_advance(&self->layer.transport, now)) {
    case MQTT_TRANSPORT_OPENING:
        break;
    case MQTT_TRANSPORT_OPEN:
        begin_handshake(self);
        break;
    case MQTT_TRANSPORT_FAILED:
        fail_below(self);
        break;
    }
}

static enum mqtt_transport_state advance(struct mqtt_transport *transport,
                                         mqtt_time now)
{
    struct mqtt_tls *self = of(transport);

    if (self->state == MQTT_TLS_BELOW)
        advance_below(self, now);
    if (self->state == MQTT_TLS_HANDSHAKE)
        shake_hands(self);
    switch (self->state) {
    case MQTT_TLS_BELOW:
    case MQTT_TLS_HANDSHAKE:
        return MQTT_TRANSPORT_OPENING;
    case MQTT_TLS_OPEN:
        return MQTT_TRANSPORT_OPEN;
    default:
        return MQTT_TRANSPORT_FAILED;
    }
}

static mqtt_time deadline(struct mqtt_transport *transport)
{
    return of(transport)->state == MQTT_TLS_BELOW
               ? mqtt_layer_deadline(transport)
               : MQTT_NEVER;
}

/* ---- bytes out ------------------------------------------------------------------ */

/* Room for a whole record, or none is begun. */
static bool has_room(struct mqtt_tls *self, size_t size)
{
    if (mqtt_tls_room(self) >= size + MQTT_TLS_OVERHEAD)
        return true;
    if (mqtt_tls_push(self) == MQTT_IO_FAILED)
        fail_below(self);
    return mqtt_tls_room(self) >= size + MQTT_TLS_OVERHEAD;
}

/* What hinders a write: half a message of TLS that has come, whose rest is to
 * be read first; or no room for what TLS itself has to say. */
static void judge_write(struct mqtt_tls *self)
{
    switch (SSL_get_error(self->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        self->write_reads = true;
        break;
    case SSL_ERROR_WANT_WRITE:
        break;
    default:
        fail_by_openssl(self);
    }
}

static ptrdiff_t transmit(struct mqtt_transport *transport, const void *bytes,
                          size_t size)
{
    struct mqtt_tls *self = of(transport);
    size_t total = 0, part, done;

    if (self->state != MQTT_TLS_OPEN || self->finished)
        return MQTT_IO_FAILED;
    ERR_clear_error();
    self->write_reads = false;
    while (total < size) {
        part = size - total < MQTT_TLS_RECORD ? size - total : MQTT_TLS_RECORD;
        if (!has_room(self, part))
            break;
        if (!SSL_write_ex(self->ssl, (const char *)bytes + total, part,
                          &done)) {
            judge_write(self);
            break;
        }
        total += done;
    }
    if (self->state == MQTT_TLS_FAILED)
        return MQTT_IO_FAILED;
    return total > 0 ? (ptrdiff_t)total : MQTT_IO_WAIT;
}

static ptrdiff_t flush(struct mqtt_transport *transport)
{
    struct mqtt_tls *self = of(transport);
    ptrdiff_t pushed, below;

    if (self->state != MQTT_TLS_OPEN)
        return self->state == MQTT_TLS_FAILED ? MQTT_IO_FAILED : 0;
    pushed = mqtt_tls_push(self);
    below = pushed == MQTT_IO_FAILED ? pushed : mqtt_layer_flush(transport);
    if (below == MQTT_IO_FAILED) {
        fail_below(self);
        return MQTT_IO_FAILED;
    }
    if (self->finished && !self->below_finished && pushed == 0) {
        self->below_finished = true;
        mqtt_layer_finish(transport);
    }
    return pushed ? pushed : below;
}

/* close_notify; not while half a message of TLS has come, which OpenSSL
 * forbids. */
static void say_end(struct mqtt_tls *self)
{
    ERR_clear_error();
    self->finished = true;
    if (!SSL_in_init(self->ssl))
        SSL_shutdown(self->ssl);
    ERR_clear_error();
}

static void finish(struct mqtt_transport *transport)
{
    struct mqtt_tls *self = of(transport);

    if (self->state != MQTT_TLS_OPEN || self->finished)
        return;
    say_end(self);
    flush(transport);
}

/* ---- bytes in ------------------------------------------------------------------- */

/* One record at most. MQTT_IO_WAIT: nothing below, or TLS has to write. */
static ptrdiff_t read_record(struct mqtt_tls *self, void *bytes, size_t size)
{
    size_t got;

    for (;;) {
        self->below_said = 1;
        if (SSL_read_ex(self->ssl, bytes, size, &got)) {
            self->chatter = 0;
            self->without_data = 0;
            return (ptrdiff_t)got;
        }
        switch (SSL_get_error(self->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            break;
        case SSL_ERROR_WANT_WRITE:
            return MQTT_IO_WAIT;
        case SSL_ERROR_ZERO_RETURN:
            return MQTT_IO_END;
        default:
            fail_by_openssl(self);
            return MQTT_IO_FAILED;
        }
        if (is_flood(self))
            return MQTT_IO_FAILED;
        if (self->below_said <= 0)
            return self->below_said;
    }
}

/* Why nothing came. After our own end the server owes us no close_notify. */
static ptrdiff_t judge_read(struct mqtt_tls *self, ptrdiff_t said)
{
    bool notified = SSL_get_shutdown(self->ssl) & SSL_RECEIVED_SHUTDOWN;

    if (self->state == MQTT_TLS_FAILED)
        return MQTT_IO_FAILED;
    if (said == MQTT_IO_FAILED)
        fail_below(self);
    if (said != MQTT_IO_END || notified || self->finished)
        return said;
    mqtt_tls_fail(self, MQTT_ERR_TLS_TRUNCATED,
                  "the server closed the connection without close_notify");
    return MQTT_IO_FAILED;
}

static ptrdiff_t receive(struct mqtt_transport *transport, void *bytes,
                         size_t size)
{
    struct mqtt_tls *self = of(transport);
    size_t total = 0;
    ptrdiff_t got = MQTT_IO_WAIT;

    if (self->state != MQTT_TLS_OPEN)
        return MQTT_IO_FAILED;
    ERR_clear_error();
    for (unsigned i = 0; i < MOST_RECORDS && total < size; i++) {
        got = read_record(self, (char *)bytes + total, size - total);
        if (got <= 0)
            break;
        total += (size_t)got;
    }
    /* What came before a failure, too, was good; what else there was to say
     * will be said again, if this is taken. */
    if (total > 0)
        return (ptrdiff_t)total;
    return judge_read(self, got);
}

/* Whether a write waits for the rest of a message, which may have come since. */
static bool must_read_to_write(const struct mqtt_tls *self)
{
    return self->write_reads && SSL_in_init(self->ssl);
}

static bool want(struct mqtt_transport *transport, unsigned mask)
{
    struct mqtt_tls *self = of(transport);
    unsigned below = mask & MQTT_READ;

    self->chatter_now = 0; /* the turn is over */
    self->stuck = false;
    if (self->state != MQTT_TLS_OPEN)
        return true;
    if (mask & MQTT_WRITE)
        below |= must_read_to_write(self) ? MQTT_READ : MQTT_WRITE;
    if (self->out_begin < self->out_end)
        below |= MQTT_WRITE;
    return mqtt_layer_want(transport, below);
}

/* ---- opening and closing ---------------------------------------------------------- */

static void count(struct mqtt_transport *transport,
                  struct mqtt_statistics *statistics)
{
    statistics->tls_handshakes++;
    statistics->tls_handshakes_resumed += of(transport)->resumed;
    mqtt_layer_count(transport, statistics);
}

/* Else OpenSSL takes what was cut off for not to be resumed. */
static void drop_ssl(struct mqtt_tls *self)
{
    if (self->kind->own_context && self->kind->resume &&
        SSL_is_init_finished(self->ssl))
        mqtt_tls_sessions_put(&self->sessions, SSL_get1_session(self->ssl));
    SSL_set_shutdown(self->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(self->ssl);
    self->ssl = NULL;
    ERR_clear_error();
}

static void give_up(struct mqtt_transport *transport)
{
    struct mqtt_tls *self = of(transport);

    if (self->state == MQTT_TLS_OPEN && !self->finished) {
        say_end(self);
        flush(transport);
    }
    if (self->ssl)
        drop_ssl(self);
    mqtt_tls_drop_out(self);
    mqtt_tls_drop_in(self);
    self->state = MQTT_TLS_CLOSED;
    if (self->layer.below)
        mqtt_layer_close(transport);
}

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_tls *self = of(transport);
    uint16_t port;

    give_up(transport);
    self->write_reads = self->finished = self->below_finished = false;
    self->stuck = false;
    self->answered = self->offered = self->resumed = false;
    self->chatter = 0;
    self->without_data = 0;
    self->error = MQTT_OK;
    self->subject[0] = '\0';
    if (!mqtt_tls_identify(self, server, &port)) {
        mqtt_tls_fail(self, MQTT_ERR_SERVER,
                      "no name that a certificate could be for");
        return;
    }
    mqtt_tls_sessions_of(&self->sessions, self->name, port);
    self->state = MQTT_TLS_BELOW;
    mqtt_layer_open(transport, server, now);
}

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = transmit,
    .flush = flush,
    .finish = finish,
    .close = give_up,
    .want = want,
    .ready = mqtt_layer_ready,
    .deadline = deadline,
    .error = error_of,
    .attach = mqtt_layer_attach,
    .lend = mqtt_layer_lend,
    .give_back = mqtt_layer_give_back,
    .count = count,
};

size_t mqtt_tls_size(const struct mqtt_layer_kind *kind)
{
    (void)kind;
    return sizeof(struct mqtt_tls);
}

struct mqtt_layer *mqtt_tls_init(const struct mqtt_layer_kind *kind,
                                 void *memory)
{
    struct mqtt_tls *self = memory;

    memset(self, 0, sizeof *self);
    self->layer.transport.ops = &ops;
    self->kind = (const struct mqtt_tls_kind *)kind;
    return &self->layer;
}

void mqtt_tls_end(struct mqtt_layer *layer)
{
    struct mqtt_tls *self = (struct mqtt_tls *)layer;

    give_up(&layer->transport);
    mqtt_tls_sessions_free(&self->sessions);
}
