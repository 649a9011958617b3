#include "tls_peer.h"

#include "../broker/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>

/* ---- certificates ---------------------------------------------------------- */

static char folder[64];

void certificates_begin(void)
{
    const char *parent = getenv("TMPDIR");
    const char *arguments[] = {"sh", SCRIPTS "certificates.sh", folder, NULL};

    snprintf(folder, sizeof(folder), "%s/mqttloop-XXXXXX",
             parent && strlen(parent) < 32 ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    if (program_wait(program_start(arguments, NULL)) != 0) {
        char *log = content_of(certificate("log"));

        print_error("%s\n", log);
        free(log);
        fail_msg("openssl(1) made no certificates");
    }
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

void certificates_end(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *certificate(const char *file)
{
    static _Thread_local char paths[256][128];
    static _Thread_local unsigned number;
    char *path = paths[number++ % 256];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, file);
    return path;
}

/* ---- a connection ----------------------------------------------------------- */

struct line {
    struct peer *peer;
    SSL *ssl;
    BIO *in, *out;
    int descriptor;
    uint8_t packet[4096]; /* what came and is not a whole packet yet */
    size_t size;
    bool over;
};

struct peer *line_peer(struct line *line)
{
    return line->peer;
}

SSL *line_ssl(struct line *line)
{
    return line->ssl;
}

/* True: there is something; false: it is over, or time for another look. */
static bool wait_for(struct line *line, short events, int ms)
{
    struct pollfd polled = {line->descriptor, events, 0};

    if (line->peer->stop)
        line->over = true;
    return !line->over && poll(&polled, 1, ms) > 0;
}

/* Once the limit has been reached nothing leaves any more: it stalls. */
static size_t allowed(const struct line *line, size_t size)
{
    const struct peer_options *options = &line->peer->options;

    if (options->piece && size > options->piece)
        size = options->piece;
    if (options->limit && size > options->limit - line->peer->sent)
        size = options->limit - line->peer->sent;
    return size;
}

bool line_send(struct line *line, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0 && !line->over) {
        size_t part = allowed(line, size);
        ssize_t sent;

        if (part == 0) {
            wait_for(line, 0, 5);
            continue;
        }
        sent = send(line->descriptor, at, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            wait_for(line, POLLOUT, 5);
        else if (sent < 0)
            line->over = true;
        if (sent <= 0)
            continue;
        line->peer->sent += (size_t)sent;
        at += sent;
        size -= (size_t)sent;
    }
    return !line->over;
}

bool line_push(struct line *line, size_t most)
{
    char bytes[20000];
    int size;

    while (!line->over) {
        size_t part = most && most < sizeof(bytes) ? most : sizeof(bytes);

        size = BIO_read(line->out, bytes, (int)part);
        if (size <= 0)
            break;
        if (!line_send(line, bytes, (size_t)size) || most)
            break;
    }
    return !line->over;
}

size_t line_record(struct line *line)
{
    unsigned char *bytes;

    if (BIO_get_mem_data(line->out, &bytes) < 5)
        return 0;
    return 5 + (size_t)(bytes[3] << 8 | bytes[4]);
}

/* More bytes from the client, into OpenSSL. */
static bool pull(struct line *line)
{
    char bytes[20000];
    ssize_t size;

    while (!line->over) {
        if (!wait_for(line, POLLIN, 5))
            continue;
        size = recv(line->descriptor, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size > 0)
            return BIO_write(line->in, bytes, (int)size) == size;
        if (size == 0 || errno != EAGAIN)
            line->over = true;
    }
    return false;
}

/* After a call of OpenSSL: true if it is worth another. */
static bool go_on(struct line *line, int result)
{
    int why = SSL_get_error(line->ssl, result);

    ERR_clear_error();
    line_push(line, 0);
    if (why == SSL_ERROR_ZERO_RETURN)
        line->peer->notified++;
    if (why != SSL_ERROR_WANT_READ)
        line->over = true;
    return why == SSL_ERROR_WANT_READ && pull(line);
}

size_t line_read(struct line *line, void *bytes, size_t size)
{
    int got;

    while (!line->over) {
        got = SSL_read(line->ssl, bytes, (int)size);
        if (got > 0) {
            line->peer->received += (size_t)got;
            line_push(line, 0);
            return (size_t)got;
        }
        if (!go_on(line, got))
            break;
    }
    return 0;
}

bool line_write(struct line *line, const void *bytes, size_t size)
{
    if (line->over || SSL_write(line->ssl, bytes, (int)size) != (int)size)
        return false;
    return line_push(line, 0);
}

void line_pause(struct line *line, int ms)
{
    uint64_t until = milliseconds() + (uint64_t)ms;

    while (milliseconds() < until && !line->peer->stop)
        moment();
}

void line_cut(struct line *line)
{
    shutdown(line->descriptor, SHUT_WR);
    line->over = true;
}

/* ---- a small broker ----------------------------------------------------------- */

/* Bytes of the first packet, 0: it is not whole yet; its body begins at *at. */
static size_t whole_packet(const struct line *line, size_t *at)
{
    size_t length = 0;
    unsigned i;

    for (i = 1; i < line->size && i < 5; i++) {
        length |= (size_t)(line->packet[i] & 127) << 7 * (i - 1);
        if (line->packet[i] < 128)
            break;
    }
    *at = i + 1;
    if (i >= line->size || line->size < i + 1 + length)
        return 0;
    return i + 1 + length;
}

static bool answer(struct line *line, size_t body)
{
    const uint8_t *packet = line->packet;
    bool level_5 = packet[body + 6] == 5;
    uint8_t connack[5] = {0x20, level_5 ? 3 : 2}, acknowledge[4] = {0x40, 2};
    size_t topic;

    switch (packet[0] >> 4) {
    case 1:
        return line_write(line, connack, level_5 ? 5 : 4);
    case 3:
        topic = (size_t)(packet[body] << 8 | packet[body + 1]);
        memcpy(acknowledge + 2, packet + body + 2 + topic, 2);
        return !(packet[0] & 2) || line_write(line, acknowledge, 4);
    case 12:
        return line_write(line, "\xD0\0", 2);
    default:
        return true;
    }
}

bool line_serve(struct line *line, unsigned count)
{
    size_t packet, body;

    while (count > 0 && !line->over) {
        packet = whole_packet(line, &body);
        if (packet == 0) {
            line->size += line_read(line, line->packet + line->size,
                                    sizeof(line->packet) - line->size);
            continue;
        }
        if (!answer(line, body))
            return false;
        line->size -= packet;
        memmove(line->packet, line->packet + packet, line->size);
        count--;
    }
    return !line->over;
}

/* ---- the thread ------------------------------------------------------------------ */

static void hear(const SSL *ssl, int where, int value)
{
    struct peer *peer = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        peer->alert = value & 0xFF;
}

static bool shake_hands(struct line *line)
{
    int result;

    while (!line->over) {
        result = SSL_accept(line->ssl);
        if (result == 1) {
            line->peer->handshakes++;
            line->peer->resumed += (unsigned)SSL_session_reused(line->ssl);
            return line_push(line, 0);
        }
        if (!go_on(line, result))
            break;
        line->peer->flight = line->peer->sent;
    }
    return false;
}

static void serve(struct peer *peer, int descriptor)
{
    struct line line = {.peer = peer, .descriptor = descriptor};
    int on = 1;
    bool good = peer->connects > 0 && peer->options.once;
    char rest[4096];

    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    line.ssl = SSL_new(peer->context);
    line.in = BIO_new(BIO_s_mem());
    line.out = BIO_new(BIO_s_mem());
    SSL_set_bio(line.ssl, line.in, line.out);
    peer->sent = 0;
    peer->connects++;
    if (peer->options.raw && !good) {
        wait_for(&line, POLLIN, 1000);
        line_send(&line, peer->options.raw, strlen(peer->options.raw));
    } else if (shake_hands(&line)) {
        if (peer->options.serve && !good)
            peer->options.serve(&line);
        else
            line_serve(&line, UINT32_MAX);
    }
    line_push(&line, 0);
    SSL_free(line.ssl);
    /* A reset would overtake what has been sent. */
    shutdown(descriptor, SHUT_WR);
    line.over = false;
    for (int i = 0; i < 50 && wait_for(&line, POLLIN, 10); i++)
        if (recv(descriptor, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
            break;
    close(descriptor);
}

static void *run(void *context)
{
    struct peer *peer = context;

    while (!peer->stop) {
        struct pollfd polled = {peer->listener, POLLIN, 0};
        int descriptor;

        if (poll(&polled, 1, 5) <= 0)
            continue;
        descriptor = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        if (descriptor >= 0)
            serve(peer, descriptor);
    }
    return NULL;
}

static void use_certificate(SSL_CTX *context, const char *name)
{
    char file[64];

    snprintf(file, sizeof(file), "%s.pem", name);
    assert_int_equal(
        SSL_CTX_use_certificate_chain_file(context, certificate(file)), 1);
    snprintf(file, sizeof(file), "%s.key", name);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, certificate(file),
                                                 SSL_FILETYPE_PEM),
                     1);
}

/* It is the client that has to refuse what is weak. */
static SSL_CTX *make_context(const struct peer_options *options)
{
    const char *name = options->certificate ? options->certificate : "server";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, options->minimum);
    SSL_CTX_set_max_proto_version(context, options->maximum);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"peer", 4);
    SSL_CTX_set_info_callback(context, hear);
    if (options->refuses_tickets)
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    if (options->refuses_tickets)
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (name[0])
        use_certificate(context, name);
    if (options->prepare)
        options->prepare(context);
    return context;
}

struct peer *peer_begin(const struct peer_options *options)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    pthread_t *thread = calloc(1, sizeof(*thread));

    assert_non_null(peer);
    assert_non_null(thread);
    if (options)
        peer->options = *options;
    peer->alert = -1;
    peer->context = make_context(&peer->options);
    SSL_CTX_set_app_data(peer->context, peer);
    peer->listener = listen_on_loopback(&peer->port);
    peer->thread = thread;
    assert_int_equal(pthread_create(thread, NULL, run, peer), 0);
    return peer;
}

void peer_end(struct peer *peer)
{
    pthread_t *thread = peer->thread;

    peer->stop = true;
    pthread_join(*thread, NULL);
    close(peer->listener);
    SSL_CTX_free(peer->context);
    free(thread);
    free(peer);
}
