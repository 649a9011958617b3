#include "relay.h"
#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define PAIRS 16

/* A connection of the client, and the one to the broker that belongs to it. */
struct pair {
    int ends[2]; /* -1: free */
    unsigned passed;
};

struct relay {
    pthread_t thread;
    int listener, commands[2];
    uint16_t port, broker_port;
    struct pair pairs[PAIRS];
    atomic_uint cuts, cut_after;
};

/* Linger 0 makes close() a reset: what was not read yet is lost. */
static void cut(struct relay *relay, struct pair *pair)
{
    const struct linger none = {1, 0};

    for (int i = 0; i < 2; i++) {
        if (pair->ends[i] < 0)
            continue;
        setsockopt(pair->ends[i], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        close(pair->ends[i]);
        pair->ends[i] = -1;
        relay->cuts += (unsigned)i;
    }
}

static void finish(struct pair *pair)
{
    close(pair->ends[0]);
    close(pair->ends[1]);
    pair->ends[0] = pair->ends[1] = -1;
}

static int connect_to_broker(const struct relay *relay)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(relay->broker_port)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static void no_delay(int descriptor)
{
    int on = 1;

    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void accept_one(struct relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int broker = client >= 0 ? connect_to_broker(relay) : -1;

    if (broker < 0) {
        close(client);
        return;
    }
    no_delay(client);
    no_delay(broker);
    for (struct pair *pair = relay->pairs; pair < relay->pairs + PAIRS; pair++)
        if (pair->ends[0] < 0) {
            *pair = (struct pair){{client, broker}, 0};
            return;
        }
    close(client);
    close(broker);
}

/* What of `size` bytes may pass before the cut. */
static size_t allowed(const struct relay *relay, const struct pair *pair,
                      size_t size)
{
    unsigned limit = relay->cut_after;

    if (!limit || pair->passed + size < limit)
        return size;
    return limit > pair->passed ? limit - pair->passed : 0;
}

static void pass_on(struct relay *relay, struct pair *pair, int from)
{
    char bytes[65536];
    ssize_t got = recv(pair->ends[from], bytes, sizeof(bytes), 0);
    size_t size = got > 0 ? allowed(relay, pair, (size_t)got) : 0;
    size_t sent = 0;

    while (sent < size) {
        ssize_t n =
            send(pair->ends[!from], bytes + sent, size - sent, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    pair->passed += (unsigned)sent;
    if (got <= 0)
        finish(pair);
    else if (sent < (size_t)got ||
             (relay->cut_after && pair->passed >= relay->cut_after))
        cut(relay, pair);
}

/* false: it is to end. */
static bool obey(struct relay *relay)
{
    char command = 'q';

    if (read(relay->commands[0], &command, 1) != 1 || command == 'q')
        return false;
    for (size_t i = 0; i < PAIRS; i++)
        cut(relay, &relay->pairs[i]);
    return true;
}

static void *run(void *context)
{
    struct relay *relay = context;
    struct pollfd polled[2 + 2 * PAIRS];

    for (;;) {
        polled[0] = (struct pollfd){relay->commands[0], POLLIN, 0};
        polled[1] = (struct pollfd){relay->listener, POLLIN, 0};
        for (size_t i = 0; i < 2 * PAIRS; i++)
            polled[2 + i] =
                (struct pollfd){relay->pairs[i / 2].ends[i % 2], POLLIN, 0};
        poll(polled, 2 + 2 * PAIRS, -1);
        if (polled[0].revents && !obey(relay))
            return NULL;
        for (size_t i = 0; i < 2 * PAIRS; i++)
            if (polled[2 + i].revents && relay->pairs[i / 2].ends[0] >= 0)
                pass_on(relay, &relay->pairs[i / 2], (int)(i % 2));
        if (polled[1].revents)
            accept_one(relay);
    }
}

struct relay *relay_begin(uint16_t port)
{
    struct relay *relay = calloc(1, sizeof(*relay));

    assert_non_null(relay);
    relay->broker_port = port;
    relay->listener = listen_on_loopback(&relay->port);
    assert_int_equal(pipe(relay->commands), 0);
    for (size_t i = 0; i < PAIRS; i++)
        relay->pairs[i].ends[0] = relay->pairs[i].ends[1] = -1;
    assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
    return relay;
}

static void command(struct relay *relay, char letter)
{
    assert_int_equal(write(relay->commands[1], &letter, 1), 1);
}

void relay_end(struct relay *relay)
{
    command(relay, 'q');
    pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < PAIRS; i++)
        cut(relay, &relay->pairs[i]);
    close(relay->listener);
    close(relay->commands[0]);
    close(relay->commands[1]);
    free(relay);
}

uint16_t relay_port(const struct relay *relay)
{
    return relay->port;
}

void relay_cut(struct relay *relay)
{
    command(relay, 'x');
}

void relay_cut_each_after(struct relay *relay, unsigned bytes)
{
    relay->cut_after = bytes;
}

unsigned relay_cuts(const struct relay *relay)
{
    return relay->cuts;
}
