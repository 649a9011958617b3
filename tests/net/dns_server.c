#include "dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"

#define HEADER 12

/* ---- writing an answer ---------------------------------------------------- */

static void put(struct dns_answer *answer, const void *bytes, size_t size)
{
    if (answer->size + size > sizeof answer->bytes)
        abort();
    memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
}

static void put_number(struct dns_answer *answer, unsigned number)
{
    uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};

    put(answer, bytes, 2);
}

static void put_name(struct dns_answer *answer, const char *name)
{
    while (*name) {
        size_t size = strcspn(name, ".");
        uint8_t length = (uint8_t)size;

        put(answer, &length, 1);
        put(answer, name, size);
        name += size + (name[size] == '.');
    }
    put(answer, "", 1);
}

/* Owner (the name of the question), type, class, time to live. */
static void begin_record(struct dns_answer *answer, unsigned type)
{
    unsigned count = answer->bytes[6] * 256u + answer->bytes[7] + 1;

    answer->bytes[6] = (uint8_t)(count >> 8);
    answer->bytes[7] = (uint8_t)count;
    put_number(answer, 0xc000 + HEADER);
    put_number(answer, type);
    put_number(answer, 1);
    put_number(answer, 0);
    put_number(answer, 60);
}

static void add_address(struct dns_answer *answer, unsigned type, int family,
                        const char *text, unsigned size)
{
    uint8_t bytes[16];

    if (inet_pton(family, text, bytes) != 1)
        abort();
    begin_record(answer, type);
    put_number(answer, size);
    put(answer, bytes, size);
}

void dns_add_a(struct dns_answer *answer, const char *address)
{
    add_address(answer, DNS_A, AF_INET, address, 4);
}

void dns_add_aaaa(struct dns_answer *answer, const char *address)
{
    add_address(answer, DNS_AAAA, AF_INET6, address, 16);
}

static size_t name_size(const char *name)
{
    return *name ? strlen(name) + 2 : 1;
}

void dns_add_cname(struct dns_answer *answer, const char *name)
{
    begin_record(answer, DNS_CNAME);
    put_number(answer, (unsigned)name_size(name));
    put_name(answer, name);
}

void dns_add_srv(struct dns_answer *answer, unsigned priority, unsigned weight,
                 unsigned port, const char *target)
{
    begin_record(answer, DNS_SRV);
    put_number(answer, 6 + (unsigned)name_size(target));
    put_number(answer, priority);
    put_number(answer, weight);
    put_number(answer, port);
    put_name(answer, target);
}

void dns_refuse(struct dns_answer *answer, unsigned code)
{
    answer->bytes[3] = (uint8_t)((answer->bytes[3] & 0xf0) | code);
}

void dns_truncate(struct dns_answer *answer)
{
    answer->bytes[2] |= 0x02;
}

/* ---- reading a question ---------------------------------------------------- */

static bool read_question(const uint8_t *bytes, size_t size,
                          struct dns_question *out, size_t *end)
{
    size_t at = HEADER, length = 0;

    while (at < size && bytes[at]) {
        size_t label = bytes[at++];

        if (label > 63 || at + label > size || length + label > 250)
            return false;
        memcpy(out->name + length, bytes + at, label);
        length += label;
        out->name[length++] = '.';
        at += label;
    }
    out->name[length ? length - 1 : 0] = 0;
    if (at + 5 > size)
        return false;
    out->type = (uint16_t)(bytes[at + 1] * 256 + bytes[at + 2]);
    *end = at + 5;
    return true;
}

/* False: there is nothing to be said. */
static bool make_answer(struct dns_server *server, const uint8_t *bytes,
                        size_t size, bool tcp, struct dns_answer *answer)
{
    struct dns_question question = {.tcp = tcp};
    size_t end;

    answer->size = 0;
    if (!read_question(bytes, size, &question, &end))
        return false;
    put(answer, bytes, end);
    memset(answer->bytes + 2, 0, HEADER - 2);
    answer->bytes[2] = 0x81; /* a response, recursion was desired */
    answer->bytes[3] = 0x80; /* and is available */
    answer->bytes[5] = 1;    /* one question */
    __atomic_add_fetch(&server->asked[question.type % 64], 1, __ATOMIC_RELAXED);
    server->function(server, &question, answer);
    return answer->size > 0;
}

/* ---- the thread ------------------------------------------------------------ */

static void serve_udp(struct dns_server *server, struct dns_answer *answer)
{
    uint8_t bytes[4096];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(server->udp, bytes, sizeof bytes, 0,
                            (struct sockaddr *)&from, &from_size);

    if (size <= 0 || !make_answer(server, bytes, (size_t)size, false, answer))
        return;
    for (unsigned i = 0; i == 0 || i < server->repeat; i++)
        sendto(server->udp, answer->bytes, answer->size, 0,
               (struct sockaddr *)&from, from_size);
}

static bool receive_all(int descriptor, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(descriptor, bytes, size, 0);

        if (got <= 0)
            return false;
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

static void serve_tcp(struct dns_server *server, struct dns_answer *answer)
{
    int connection = accept(server->tcp, NULL, NULL);
    struct timeval patience = {1, 0};
    uint8_t bytes[4096], size[2];

    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (receive_all(connection, size, 2)) {
        size_t count = size[0] * 256u + size[1];

        if (count > sizeof bytes || !receive_all(connection, bytes, count) ||
            !make_answer(server, bytes, count, true, answer))
            break;
        size[0] = (uint8_t)(answer->size >> 8);
        size[1] = (uint8_t)answer->size;
        send(connection, size, 2, MSG_NOSIGNAL | MSG_MORE);
        send(connection, answer->bytes, answer->size, MSG_NOSIGNAL);
    }
    close(connection);
}

static void *serve(void *context)
{
    struct dns_server *server = context;
    struct dns_answer *answer = malloc(sizeof *answer);
    struct pollfd entries[3] = {{.fd = server->stop[0], .events = POLLIN},
                                {.fd = server->udp, .events = POLLIN},
                                {.fd = server->tcp, .events = POLLIN}};

    while (answer && poll(entries, 3, -1) > 0 && !entries[0].revents) {
        if (entries[1].revents)
            serve_udp(server, answer);
        if (entries[2].revents)
            serve_tcp(server, answer);
    }
    free(answer);
    return NULL;
}

void dns_server_start(struct dns_server *server, dns_function *function,
                      void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int bound;

    memset(server, 0, sizeof *server);
    server->function = function;
    server->context = context;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    do { /* somebody may have that of UDP */
        server->tcp = listen_on_loopback(&server->port);
        server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        address.sin_port = htons(server->port);
        bound = bind(server->udp, (struct sockaddr *)&address, sizeof address);
        if (bound) {
            close(server->udp);
            close(server->tcp);
        }
    } while (bound);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u",
             (unsigned)server->port);
    assert_int_equal(pipe(server->stop), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void dns_server_stop(struct dns_server *server)
{
    assert_int_equal(write(server->stop[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->stop[1]);
    close(server->udp);
    close(server->tcp);
}
