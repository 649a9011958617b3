/*
 * The limit: what remains of a client when all is left out that can be. It
 * encodes and copies into 64 KiB and writes; it reads 64 KiB, parses the
 * PUBLISH and calls a function. It validates nothing, keeps nothing, has no
 * timers, and blocks.
 */
#define _GNU_SOURCE
#include "common.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BUFFER_SIZE (64 * 1024)

static struct bench_options options;
static int server;
static uint8_t output[BUFFER_SIZE];
static size_t output_used;
static uint8_t input[BUFFER_SIZE];
static size_t input_used;

static uint64_t published, acknowledged, received;
static bool end_received;

/* ---- bytes --------------------------------------------------------------- */

static void flush(void)
{
    const uint8_t *at = output;

    while (output_used) {
        ssize_t sent = write(server, at, output_used);

        if (sent < 0)
            bench_fail("write: %s", strerror(errno));
        at += sent;
        output_used -= (size_t)sent;
    }
}

/* Room for a packet of at most `size`. */
static uint8_t *reserve(size_t size)
{
    if (BUFFER_SIZE - output_used < size)
        flush();
    return output + output_used;
}

static void commit(const uint8_t *end)
{
    output_used = (size_t)(end - output);
}

typedef void packet_function(const struct wire_packet *packet);

/* One read, and `take` for each packet that is whole. */
static void read_packets(packet_function *take)
{
    struct wire_packet packet;
    const uint8_t *at = input, *end, *next;
    ssize_t got = read(server, input + input_used, BUFFER_SIZE - input_used);

    if (got <= 0)
        bench_fail("the server is gone: %s",
                   got ? strerror(errno) : "connection closed");
    end = input + input_used + got;
    while ((next = wire_get_packet(&packet, at, end))) {
        take(&packet);
        at = next;
    }
    input_used = (size_t)(end - at);
    memmove(input, at, input_used);
}

/* ---- connecting ---------------------------------------------------------- */

static void open_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = BENCH_PATIENCE_MS / 1000};
    int on = 1;

    server = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options.port);
    if (connect(server, (struct sockaddr *)&address, sizeof address))
        bench_fail("port %u: %s", options.port, strerror(errno));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void expect_connack(const struct wire_packet *packet)
{
    if (packet->first != WIRE_CONNACK || packet->body[1])
        bench_fail("no CONNACK");
}

static void mqtt_connection(void)
{
    static const uint8_t clean_start = 2, keep_alive = 60;
    uint8_t *at = reserve(32);

    at = wire_put_fixed_header(at, WIRE_CONNECT, 10 + 2 + 3);
    at = wire_put_text(at, "MQTT", 4);
    *at++ = 4;
    *at++ = clean_start;
    at = wire_put16(at, keep_alive);
    at = wire_put_text(at, "raw", 3);
    commit(at);
    flush();
    read_packets(expect_connack);
}

/* ---- publishing ---------------------------------------------------------- */

static void count_acknowledgement(const struct wire_packet *packet)
{
    uint16_t identifier = wire_get16(packet->body);

    switch (packet->first) {
    case WIRE_PUBACK:
    case WIRE_PUBCOMP:
        acknowledged++;
        break;
    case WIRE_PUBREC:
        commit(wire_put_acknowledgement(reserve(WIRE_ACKNOWLEDGEMENT_SIZE),
                                        WIRE_PUBREL, identifier));
        break;
    default:
        bench_fail("not an acknowledgement: 0x%02X", packet->first);
    }
}

static void publish_one(struct wire_publish *publish)
{
    uint8_t *at = reserve(publish->topic_size + publish->payload_size +
                          WIRE_PUBLISH_OVERHEAD);

    commit(wire_put_publish(at, publish));
    if (!++publish->identifier)
        publish->identifier = 1;
}

static void publish_window(struct wire_publish *publish)
{
    while (acknowledged < options.messages) {
        while (published < options.messages &&
               published - acknowledged < BENCH_WINDOW) {
            publish_one(publish);
            published++;
        }
        flush();
        read_packets(count_acknowledgement);
    }
}

static void publish_end(uint16_t identifier)
{
    char text[24];
    struct wire_publish publish = {
        .topic = (const uint8_t *)BENCH_END_TOPIC,
        .topic_size = sizeof BENCH_END_TOPIC - 1,
        .payload = (const uint8_t *)text,
        .payload_size = bench_end_payload(text, options.messages),
        .qos = 1,
        .identifier = identifier,
    };
    uint64_t before = acknowledged;

    publish_one(&publish);
    flush();
    while (acknowledged == before)
        read_packets(count_acknowledgement);
}

static void publish_all(void)
{
    struct wire_publish publish = {
        .topic = (const uint8_t *)BENCH_TOPIC,
        .topic_size = sizeof BENCH_TOPIC - 1,
        .payload = bench_payload(),
        .payload_size = options.payload,
        .qos = options.qos,
        .identifier = 1,
    };

    if (options.qos)
        publish_window(&publish);
    else
        for (; published < options.messages; published++)
            publish_one(&publish);
    publish_end(publish.identifier);
}

/* ---- receiving ----------------------------------------------------------- */

static __attribute__((noinline)) void
on_message(const struct wire_publish *publish)
{
    if (publish->payload_size == options.payload)
        received++;
    else if (!publish->payload_size)
        end_received = true;
    else
        bench_fail("payload of another size");
}

static void take_publish(const struct wire_packet *packet)
{
    struct wire_publish publish;

    if ((packet->first & 0xF0) != WIRE_PUBLISH) {
        if (packet->first != WIRE_SUBACK)
            bench_fail("unexpected packet: 0x%02X", packet->first);
        return;
    }
    if (!wire_get_publish(&publish, packet))
        bench_fail("malformed PUBLISH");
    on_message(&publish);
    if (publish.qos)
        commit(wire_put_acknowledgement(reserve(WIRE_ACKNOWLEDGEMENT_SIZE),
                                        WIRE_PUBACK, publish.identifier));
}

static void subscribe(void)
{
    size_t topic_size = sizeof BENCH_TOPIC - 1;
    uint8_t *at = reserve(64);

    at = wire_put_fixed_header(at, WIRE_SUBSCRIBE, 2 + 2 + topic_size + 1);
    at = wire_put16(at, 1);
    at = wire_put_text(at, BENCH_TOPIC, topic_size);
    *at++ = (uint8_t)options.qos;
    commit(at);
    flush();
}

static void receive_all(void)
{
    subscribe();
    while (!end_received) {
        read_packets(take_publish);
        flush();
    }
    if (received != options.messages)
        bench_fail("%llu messages came", (unsigned long long)received);
}

int main(int argc, char **argv)
{
    bench_options_read(&options, argc, argv);
    open_connection();
    mqtt_connection();
    bench_start();
    if (options.receive)
        receive_all();
    else
        publish_all();
    bench_report(options.messages);
    close(server);
    return 0;
}
