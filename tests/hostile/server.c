#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 3

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    abort();
}

/* ---- bytes --------------------------------------------------------------------- */

bool server_send(struct server *s, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size) {
        ssize_t n = send(s->descriptor, at, size, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool receive_byte(struct server *s, uint8_t *byte)
{
    ssize_t n;

    do
        n = recv(s->descriptor, byte, 1, 0);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static bool receive_length(struct server *s, size_t *length)
{
    uint8_t byte = 0x80;

    *length = 0;
    for (s->header = 1; byte & 0x80; s->header++) {
        if (s->header > 4 || !receive_byte(s, &byte))
            return false;
        *length |= (size_t)(byte & 0x7f) << (7 * (s->header - 1));
    }
    return true;
}

static void note_disconnect(struct server *s)
{
    s->ended = true;
    if (atomic_load(&s->served))
        return;
    s->disconnect = true;
    s->disconnect_code = s->size > s->header ? s->packet[s->header] : 0;
}

/* Nothing may follow DISCONNECT. */
static void look_behind(struct server *s)
{
    uint8_t byte;
    bool any = receive_byte(s, &byte);

    if (any && !atomic_load(&s->served))
        s->after_disconnect++;
}

bool server_receive(struct server *s)
{
    size_t length;
    uint8_t byte;

    if (s->ended) {
        look_behind(s);
        return false;
    }
    if (!receive_byte(s, s->packet) || !receive_length(s, &length))
        return false;
    s->size = s->header + length;
    for (size_t i = s->header; i < s->size; i++) {
        if (!receive_byte(s, &byte))
            return false;
        if (i < sizeof(s->packet))
            s->packet[i] = byte;
    }
    if (s->packet[0] == 0x10)
        s->level = s->packet[s->header + 6];
    if (s->packet[0] == 0xE0)
        note_disconnect(s);
    return true;
}

bool server_await(struct server *s, uint8_t first_byte)
{
    while (server_receive(s))
        if (s->packet[0] == first_byte)
            return true;
    return false;
}

/* ---- good manners ------------------------------------------------------------------ */

static bool send_connack(struct server *s)
{
    static const uint8_t connack_4[] = {0x20, 2, 0, 0};
    static const uint8_t connack_5[] = {0x20, 3, 0, 0, 0};
    static const uint8_t method_5[] = {0x20, 7, 0, 0, 4, 0x15, 0, 1, 'm'};

    if (s->level == 4)
        return server_send(s, connack_4, sizeof(connack_4));
    /* An Authentication Method is repeated: it stands in these tests last
     * among the properties, and no client identifier looks like it. */
    if (memmem(s->packet, s->size, method_5 + 5, 4))
        return server_send(s, method_5, sizeof(method_5));
    return server_send(s, connack_5, sizeof(connack_5));
}

bool server_greet(struct server *s)
{
    return server_await(s, 0x10) && send_connack(s);
}

/* The packet identifier of a PUBLISH stands behind its topic name. */
static bool acknowledge(struct server *s, uint8_t first_byte, size_t at)
{
    uint8_t answer[] = {first_byte, 2, s->packet[at], s->packet[at + 1]};

    return server_send(s, answer, sizeof(answer));
}

static bool answer_publish(struct server *s)
{
    const uint8_t *topic = s->packet + s->header;
    size_t size = (size_t)(topic[0] << 8 | topic[1]);
    unsigned qos = s->packet[0] >> 1 & 3;

    return !qos || acknowledge(s, qos == 1 ? 0x40 : 0x50, s->header + 2 + size);
}

static bool answer_request(struct server *s)
{
    bool five = s->level == 5, subscribe = s->packet[0] == 0x82;
    uint8_t answer[16] = {subscribe ? 0x90 : 0xB0, 2, s->packet[s->header],
                          s->packet[s->header + 1]};
    size_t at = s->header + 2;
    unsigned codes = 0;

    at += five ? 1u + s->packet[at] : 0;
    for (; at < s->size; codes++)
        at += 2u + (size_t)(s->packet[at] << 8 | s->packet[at + 1]) + subscribe;
    answer[1] = (uint8_t)(2 + five + (subscribe || five ? codes : 0));
    return server_send(s, answer, 2u + answer[1]);
}

static bool answer(struct server *s)
{
    static const uint8_t pingresp[] = {0xD0, 0};

    switch (s->packet[0] >> 4) {
    case 1:
        return send_connack(s);
    case 3:
        return answer_publish(s);
    case 5:
        return acknowledge(s, 0x62, s->header);
    case 6:
        return acknowledge(s, 0x70, s->header);
    case 8:
    case 10:
        return answer_request(s);
    case 12:
        return server_send(s, pingresp, sizeof(pingresp));
    default:
        return true;
    }
}

void server_be_good(struct server *s)
{
    while (server_receive(s) && answer(s))
        ;
}

void server_listen_only(struct server *s)
{
    while (server_receive(s))
        ;
}

void server_reset(struct server *s)
{
    struct linger linger = {1, 0};

    setsockopt(s->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(s->descriptor);
    s->descriptor = -1;
}

void server_pause(unsigned milliseconds)
{
    struct timespec pause = {milliseconds / 1000,
                             (long)(milliseconds % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- its life -------------------------------------------------------------------------- */

/* An orderly end; what still comes is taken, or it would be a reset. */
static void end_connection(struct server *s)
{
    uint8_t rest[4096];

    if (s->descriptor < 0)
        return;
    if (!atomic_load(&s->served))
        server_listen_only(s);
    shutdown(s->descriptor, SHUT_WR);
    while (recv(s->descriptor, rest, sizeof(rest), 0) > 0)
        ;
    close(s->descriptor);
    s->descriptor = -1;
}

static bool accept_next(struct server *s)
{
    struct timeval patience = {PATIENCE_S, 0};
    int one = 1;

    s->descriptor = accept(s->listening, NULL, NULL);
    if (s->descriptor < 0 || atomic_load(&s->ending))
        return false;
    atomic_fetch_add(&s->connections, 1);
    s->ended = false;
    setsockopt(s->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    setsockopt(s->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience,
               sizeof(patience));
    setsockopt(s->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return true;
}

static void *serve(void *context)
{
    struct server *s = context;

    if (accept_next(s))
        s->act(s);
    end_connection(s);
    atomic_store(&s->served, true);
    while (accept_next(s)) {
        server_be_good(s);
        end_connection(s);
    }
    if (s->descriptor >= 0)
        close(s->descriptor);
    return NULL;
}

void server_begin(struct server *s, server_act *act, const void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    memset(s, 0, sizeof(*s));
    s->act = act;
    s->context = context;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    demand(s->listening >= 0, "socket");
    demand(!bind(s->listening, (struct sockaddr *)&address, size), "bind");
    demand(!listen(s->listening, 16), "listen");
    demand(!getsockname(s->listening, (struct sockaddr *)&address, &size),
           "getsockname");
    s->port = ntohs(address.sin_port);
    demand(!pthread_create(&s->thread, NULL, serve, s), "pthread_create");
}

void server_end(struct server *s)
{
    atomic_store(&s->ending, true);
    shutdown(s->listening, SHUT_RDWR); /* ends accept() */
    pthread_join(s->thread, NULL);
    close(s->listening);
}
