/*
 * The server that the clients are measured against: no client outruns it. One
 * thread; whatever one read of 512 KiB asks for is answered in one write. To
 * whoever subscribes it is a source, of --messages with --payload bytes at
 * --qos, sent in blocks of 256 KiB that are encoded beforehand.
 *
 * It serves one connection after the other on a free port of 127.0.0.1, which
 * it prints, and ends when its standard input does.
 */
#define _GNU_SOURCE
#include "common.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_SIZE (512 * 1024)
#define BLOCK_SIZE (256 * 1024)

/* The messages of the source: as many of them as fit, back to back. */
struct block {
    uint8_t bytes[BLOCK_SIZE];
    size_t message_size, messages;
};

struct connection {
    int socket;
    unsigned watched; /* EPOLLIN, EPOLLOUT */
    uint8_t input[INPUT_SIZE];
    size_t input_used;
    /* No answer is longer than what asks for it. */
    uint8_t answers[INPUT_SIZE];
    size_t answers_begin, answers_end;

    uint64_t published; /* PUBLISH packets that came */
    bool source;        /* there was a SUBSCRIBE */
    uint64_t to_send;   /* messages of which no block has begun */
    size_t begin, end;  /* of the block that is being sent */
    size_t unconfirmed; /* messages sent, not yet acknowledged */
    bool end_sent;
};

static struct bench_options options;
static struct block block;
static struct connection connection;
static int events;

/* ---- the connection ------------------------------------------------------ */

static void watch(int operation, int descriptor, unsigned mask)
{
    struct epoll_event event = {.events = mask, .data.fd = descriptor};

    if (epoll_ctl(events, operation, descriptor, &event))
        bench_fail("epoll_ctl: %s", strerror(errno));
}

static void connection_open(int listener)
{
    int on = 1, socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (socket < 0)
        return;
    if (connection.socket >= 0) {
        close(socket);
        return;
    }
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection.socket = socket;
    connection.watched = EPOLLIN;
    connection.input_used = 0;
    connection.answers_begin = connection.answers_end = 0;
    connection.published = 0;
    connection.source = connection.end_sent = false;
    connection.to_send = options.messages;
    connection.begin = connection.end = 0;
    connection.unconfirmed = 0;
    watch(EPOLL_CTL_ADD, socket, EPOLLIN);
}

static void connection_close(void)
{
    close(connection.socket);
    connection.socket = -1;
}

/* Says what is wrong; the client then misses its acknowledgement. */
static bool refuse(const char *why)
{
    fprintf(stderr, "sink: %s, %llu messages came\n", why,
            (unsigned long long)connection.published);
    return false;
}

/* ---- what comes in ------------------------------------------------------- */

static void answer(const void *bytes, size_t size)
{
    memcpy(connection.answers + connection.answers_end, bytes, size);
    connection.answers_end += size;
}

static void acknowledge(uint8_t first, uint16_t identifier)
{
    uint8_t *at = connection.answers + connection.answers_end;

    wire_put_acknowledgement(at, first, identifier);
    connection.answers_end += WIRE_ACKNOWLEDGEMENT_SIZE;
}

static bool is_end(const struct wire_publish *publish)
{
    return publish->topic_size == sizeof BENCH_END_TOPIC - 1 &&
           !memcmp(publish->topic, BENCH_END_TOPIC, publish->topic_size);
}

static bool end_counts_right(const struct wire_publish *publish)
{
    char text[24];
    size_t size = bench_end_payload(text, connection.published);

    return size == publish->payload_size &&
           !memcmp(text, publish->payload, size);
}

static bool take_publish(const struct wire_packet *packet)
{
    struct wire_publish publish;

    if (!wire_get_publish(&publish, packet))
        return refuse("malformed PUBLISH");
    if (is_end(&publish)) {
        if (!end_counts_right(&publish))
            return refuse("not as many as were published");
    } else {
        if (publish.payload_size != options.payload)
            return refuse("payload of another size");
        connection.published++;
    }
    if (publish.qos == 1)
        acknowledge(WIRE_PUBACK, publish.identifier);
    else if (publish.qos == 2)
        acknowledge(WIRE_PUBREC, publish.identifier);
    return true;
}

static void take_subscribe(const struct wire_packet *packet)
{
    uint8_t suback[] = {WIRE_SUBACK, 3, packet->body[0], packet->body[1],
                        (uint8_t)options.qos};

    answer(suback, sizeof suback);
    connection.source = true;
}

static bool take(const struct wire_packet *packet)
{
    static const uint8_t connack[] = {WIRE_CONNACK, 2, 0, 0};
    static const uint8_t pingresp[] = {WIRE_PINGRESP, 0};

    if ((packet->first & 0xF0) == WIRE_PUBLISH)
        return take_publish(packet);
    switch (packet->first) {
    case WIRE_CONNECT:
        answer(connack, sizeof connack);
        return true;
    case WIRE_SUBSCRIBE:
        take_subscribe(packet);
        return true;
    case WIRE_PUBREL:
        acknowledge(WIRE_PUBCOMP, wire_get16(packet->body));
        return true;
    case WIRE_PUBACK:
        connection.unconfirmed--;
        return true;
    case WIRE_PINGREQ:
        answer(pingresp, sizeof pingresp);
        return true;
    case WIRE_DISCONNECT:
        return false;
    default:
        return refuse("unexpected packet");
    }
}

static bool take_all(void)
{
    const uint8_t *at = connection.input, *end = at + connection.input_used;
    struct wire_packet packet;
    const uint8_t *next;

    while ((next = wire_get_packet(&packet, at, end))) {
        if (!take(&packet))
            return false;
        at = next;
    }
    connection.input_used = (size_t)(end - at);
    memmove(connection.input, at, connection.input_used);
    return true;
}

static bool input(void)
{
    ssize_t got =
        recv(connection.socket, connection.input + connection.input_used,
             INPUT_SIZE - connection.input_used, 0);

    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    connection.input_used += (size_t)got;
    return take_all();
}

/* ---- what goes out ------------------------------------------------------- */

static void encode_block(void)
{
    struct wire_publish publish = {
        .topic = (const uint8_t *)BENCH_TOPIC,
        .topic_size = sizeof BENCH_TOPIC - 1,
        .payload = bench_payload(),
        .payload_size = options.payload,
        .qos = options.qos,
        .identifier = 1,
    };
    uint8_t *at = block.bytes, *end = at + BLOCK_SIZE;

    do {
        at = wire_put_publish(at, &publish);
        block.messages = publish.identifier++;
        block.message_size = (size_t)(at - block.bytes) / block.messages;
    } while ((size_t)(end - at) >= block.message_size);
}

/* The next bytes of the block that go out, from begin to end. Packet
 * identifiers are used again when they are all acknowledged. */
static void begin_block(void)
{
    uint64_t messages = connection.to_send;

    if (connection.unconfirmed)
        return;
    if (messages > block.messages)
        messages = block.messages;
    connection.begin = 0;
    connection.end = messages * block.message_size;
    connection.to_send -= messages;
    if (options.qos)
        connection.unconfirmed = messages;
}

static void send_end(void)
{
    struct wire_publish publish = {.topic = (const uint8_t *)BENCH_TOPIC,
                                   .topic_size = sizeof BENCH_TOPIC - 1,
                                   .payload = (const uint8_t *)""};
    uint8_t bytes[sizeof BENCH_TOPIC + WIRE_PUBLISH_OVERHEAD];

    answer(bytes, (size_t)(wire_put_publish(bytes, &publish) - bytes));
    connection.end_sent = true;
}

/* Sends from *begin to end; false if the connection is gone. */
static bool send_some(const uint8_t *bytes, size_t *begin, size_t end)
{
    ssize_t sent =
        send(connection.socket, bytes + *begin, end - *begin, MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN;
    *begin += (size_t)sent;
    return true;
}

/* Answers first; they stand between two blocks, or between two messages. */
static bool output(void)
{
    bool between = connection.begin % block.message_size == 0;

    if (connection.answers_begin < connection.answers_end && between)
        return send_some(connection.answers, &connection.answers_begin,
                         connection.answers_end);
    if (connection.begin < connection.end)
        return send_some(block.bytes, &connection.begin, connection.end);
    if (connection.source && connection.to_send)
        begin_block();
    else if (connection.source && !connection.end_sent)
        send_end();
    return true;
}

static bool has_answers(void)
{
    if (connection.answers_begin == connection.answers_end)
        connection.answers_begin = connection.answers_end = 0;
    return connection.answers_end > 0;
}

static bool has_output(void)
{
    return has_answers() || connection.begin < connection.end ||
           (connection.source && !connection.end_sent &&
            !connection.unconfirmed);
}

/* ---- the loop ------------------------------------------------------------ */

/* While answers are left nothing is read: their memory is limited. */
static void watch_connection(void)
{
    unsigned wanted = (has_answers() ? 0U : (unsigned)EPOLLIN) |
                      (has_output() ? (unsigned)EPOLLOUT : 0U);

    if (wanted == connection.watched)
        return;
    watch(EPOLL_CTL_MOD, connection.socket, wanted);
    connection.watched = wanted;
}

static void turn(unsigned ready)
{
    bool fine = !(ready & EPOLLERR);

    if (fine && connection.watched & EPOLLIN && ready & (EPOLLIN | EPOLLHUP))
        fine = input();
    if (fine && has_output())
        fine = output();
    if (fine)
        watch_connection();
    else
        connection_close();
}

static int listen_locally(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options.port);
    if (bind(listener, (struct sockaddr *)&address, size) ||
        listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        bench_fail("port %u: %s", options.port, strerror(errno));
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    int listener;

    bench_options_read(&options, argc, argv);
    encode_block();
    connection.socket = -1;
    events = epoll_create1(0);
    listener = listen_locally();
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
    for (;;) {
        struct epoll_event event;

        if (epoll_wait(events, &event, 1, -1) < 1)
            continue;
        if (event.data.fd == STDIN_FILENO)
            return 0;
        if (event.data.fd == listener)
            connection_open(listener);
        else
            turn(event.events);
    }
}
