#include "server.h"
#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define LEVELS 16

/* One connection at a time. */
struct server {
    pthread_t thread;
    server_function *answer;
    int listener, connection, commands[2];
    uint16_t port;
    uint8_t bytes[1024]; /* what came and is not a whole packet yet */
    size_t size;
    atomic_uint connects;
    atomic_uchar levels[LEVELS];
    atomic_int disconnect_code;
};

static void end_connection(struct server *server)
{
    close(server->connection);
    server->connection = -1;
    server->size = 0;
}

static void answer_connect(struct server *server)
{
    unsigned number = server->connects;
    uint8_t level = server->bytes[8]; /* after length and "MQTT" */
    struct reply reply = server->answer(number, level);

    if (number < LEVELS)
        server->levels[number] = level;
    server->connects++;
    if (reply.size && send(server->connection, reply.bytes, reply.size,
                           MSG_NOSIGNAL) != (ssize_t)reply.size)
        reply.stays = false;
    if (!reply.stays)
        end_connection(server);
}

/* Packets here have a length of one byte. */
static void take_packet(struct server *server)
{
    if (server->bytes[0] >> 4 == 1)
        answer_connect(server);
    else if (server->bytes[0] >> 4 == 14)
        server->disconnect_code = server->bytes[1] ? server->bytes[2] : 0;
}

static void receive(struct server *server)
{
    ssize_t got = recv(server->connection, server->bytes + server->size,
                       sizeof(server->bytes) - server->size, 0);

    if (got <= 0) {
        end_connection(server);
        return;
    }
    server->size += (size_t)got;
    while (server->connection >= 0 && server->size >= 2 &&
           server->size >= 2u + server->bytes[1]) {
        size_t packet = 2u + server->bytes[1];

        take_packet(server);
        if (server->connection < 0)
            return;
        server->size -= packet;
        memmove(server->bytes, server->bytes + packet, server->size);
    }
}

static void *run(void *context)
{
    struct server *server = context;

    for (;;) {
        struct pollfd polled[] = {
            {server->commands[0], POLLIN, 0},
            {server->connection < 0 ? server->listener : -1, POLLIN, 0},
            {server->connection, POLLIN, 0}};

        poll(polled, 3, -1);
        if (polled[0].revents)
            return NULL;
        if (polled[1].revents)
            server->connection =
                accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (polled[2].revents)
            receive(server);
    }
}

struct server *server_begin(server_function *answer)
{
    struct server *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    server->answer = answer;
    server->connection = -1;
    server->disconnect_code = -1;
    server->listener = listen_on_loopback(&server->port);
    assert_int_equal(pipe(server->commands), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

void server_end(struct server *server)
{
    assert_int_equal(write(server->commands[1], "q", 1), 1);
    pthread_join(server->thread, NULL);
    if (server->connection >= 0)
        end_connection(server);
    close(server->listener);
    close(server->commands[0]);
    close(server->commands[1]);
    free(server);
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

unsigned server_connects(const struct server *server)
{
    return server->connects;
}

uint8_t server_level(const struct server *server, unsigned number)
{
    assert_true(number < LEVELS && number < server->connects);
    return server->levels[number];
}

int server_disconnect_code(const struct server *server)
{
    return server->disconnect_code;
}
