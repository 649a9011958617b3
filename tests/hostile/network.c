/*
 * network.c - servers that are silent, slow or deaf, that end too early or
 * never, and that send far too much.
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MALFORMED = 0x81, PROTOCOL = 0x82 };

/* ---- ends ------------------------------------------------------------------ */

/* Nothing more is sent; what comes is still taken. */
static void half_close(struct server *s)
{
    shutdown(s->descriptor, SHUT_WR);
    server_listen_only(s);
}

static void close_at_once(struct server *s)
{
    close(s->descriptor);
    s->descriptor = -1;
}

static void half_close_when_ready(struct server *s)
{
    const struct behaviour *b = behaviour_of(s);

    if (prepare(s) && server_send(s, b->bytes, b->size))
        half_close(s);
}

static void close_when_ready(struct server *s)
{
    if (prepare(s))
        close_at_once(s);
}

static void reset_when_ready(struct server *s)
{
    const struct behaviour *b = behaviour_of(s);

    if (prepare(s) && server_send(s, b->bytes, b->size))
        server_reset(s);
}

/* DISCONNECT is not answered by an end. */
static void stay_after_disconnect(struct server *s)
{
    const struct behaviour *b = behaviour_of(s);

    if (prepare(s) && server_send(s, b->bytes, b->size) &&
        server_await(s, 0xE0))
        server_pause(400);
}

/* ---- silence ----------------------------------------------------------------- */

static void say_nothing(struct server *s)
{
    if (prepare(s))
        server_listen_only(s);
}

static void never_read(struct server *s)
{
    if (server_greet(s))
        server_pause(1400);
}

static void keep_alive_of_a_second(struct mqtt_config *config,
                                   struct mqtt_sizes *sizes)
{
    (void)sizes;
    config->connect.keep_alive_s = 1;
}

static void publish_much(struct mqtt_client *client)
{
    static const uint8_t payload[4096];

    while (mqtt_publish(client, "much", payload, sizeof(payload), MQTT_QOS_0,
                        false) == MQTT_OK)
        ;
}

/* The connection goes on. */
static void say_after(struct server *s)
{
    static const uint8_t after_4[] = {0x30, 7, 0, 5, 'a', 'f', 't', 'e', 'r'};
    static const uint8_t after_5[] = {0x30, 8,   0,   5,   'a',
                                      'f',  't', 'e', 'r', 0};

    if (s->level == 5)
        server_send(s, after_5, sizeof(after_5));
    else
        server_send(s, after_4, sizeof(after_4));
    server_be_good(s);
}

/* ---- slowness ----------------------------------------------------------------- */

static void send_slowly(struct server *s, unsigned pause_ms)
{
    const struct behaviour *b = behaviour_of(s);

    if (!prepare(s))
        return;
    for (size_t i = 0; i < b->size; i++) {
        if (!server_send(s, b->bytes + i, 1))
            return;
        server_pause(pause_ms);
    }
}

static void send_too_slowly(struct server *s)
{
    send_slowly(s, 60);
    server_listen_only(s);
}

static void send_as_slowly_as_allowed(struct server *s)
{
    send_slowly(s, 9);
    say_after(s);
}

/* ---- floods --------------------------------------------------------------------- */

/* The bytes of the behaviour, again and again. */
static bool send_often(struct server *s, unsigned times)
{
    const struct behaviour *b = behaviour_of(s);
    uint8_t *all = malloc(b->size * times);
    bool sent;

    if (!all)
        abort();
    for (unsigned i = 0; i < times; i++)
        memcpy(all + i * b->size, b->bytes, b->size);
    sent = server_send(s, all, b->size * times);
    free(all);
    return sent;
}

static void flood(struct server *s)
{
    if (prepare(s) && send_often(s, 5000))
        say_after(s);
}

/* A fault, and a megabyte behind it. */
static void flood_after_a_fault(struct server *s)
{
    static const uint8_t fault[] = {0x00, 0x00};

    if (prepare(s) && server_send(s, fault, sizeof(fault)))
        send_often(s, 100000);
    server_listen_only(s);
}

/* A fault, with much that is good before it. */
static void flood_before_a_fault(struct server *s)
{
    static const uint8_t fault[] = {0x00, 0x00};

    if (prepare(s) && send_often(s, 5000))
        server_send(s, fault, sizeof(fault));
    server_listen_only(s);
}

/* Identifiers from 1 on, and never PUBREL. */
static void flood_qos_2(struct server *s)
{
    uint8_t packet[] = {0x34, 5, 0, 1, 'a', 0, 0, 0};
    size_t size = 7;

    if (!prepare(s))
        return;
    if (s->level == 5)
        packet[1] = (uint8_t)(++size - 2);
    for (unsigned i = 1; i <= 3000; i++) {
        packet[5] = (uint8_t)(i >> 8);
        packet[6] = (uint8_t)i;
        if (!server_send(s, packet, size))
            break;
    }
    if (s->level == 5)
        server_listen_only(s);
    else
        say_after(s);
}

static size_t put_length(uint8_t *out, size_t length)
{
    size_t n = 0;

    for (; length > 127; length >>= 7)
        out[n++] = (uint8_t)(length | 0x80);
    out[n++] = (uint8_t)length;
    return n;
}

/* A packet whose properties are so many User Properties: its first byte, what
 * stands before them, and behind. */
static void send_properties(struct server *s, uint8_t first,
                            const uint8_t *head, size_t head_size,
                            unsigned count, size_t tail_size)
{
    static const uint8_t property[] = {0x26, 0, 1, 'a', 0, 1, 'b'};
    static const uint8_t tail[8];
    uint8_t length[4], fixed[5] = {first};
    size_t all = count * sizeof(property), n = put_length(length, all);
    size_t f = put_length(fixed + 1, head_size + n + all + tail_size);
    bool sent = server_send(s, fixed, 1 + f) &&
                server_send(s, head, head_size) && server_send(s, length, n);

    while (sent && count--)
        sent = server_send(s, property, sizeof(property));
    if (sent)
        server_send(s, tail, tail_size);
}

static void connack_of_properties(struct server *s)
{
    static const uint8_t head[] = {0, 0};

    if (!prepare(s))
        return;
    send_properties(s, 0x20, head, sizeof(head), 9000, 0);
    say_after(s);
}

static void connack_too_large(struct server *s)
{
    static const uint8_t head[] = {0, 0};

    if (prepare(s))
        send_properties(s, 0x20, head, sizeof(head), 20000, 0);
    server_listen_only(s);
}

static void publish_of_properties(struct server *s)
{
    static const uint8_t head[] = {0, 1, 'a'};

    if (!prepare(s))
        return;
    for (unsigned i = 0; i < 10; i++)
        send_properties(s, 0x30, head, sizeof(head), 9000, 1);
    say_after(s);
}

static void puback_of_properties(struct server *s)
{
    static const uint8_t head[] = {0, 1, 0};

    if (!prepare(s))
        return;
    send_properties(s, 0x40, head, sizeof(head), 9000, 0);
    say_after(s);
}

static void suback_of_properties(struct server *s)
{
    static const uint8_t head[] = {0, 1};

    if (!prepare(s))
        return;
    send_properties(s, 0x90, head, sizeof(head), 9000, 2);
    say_after(s);
}

static void disconnect_of_properties(struct server *s)
{
    static const uint8_t head[] = {0x8B};

    if (prepare(s))
        send_properties(s, 0xE0, head, sizeof(head), 9000, 0);
    server_listen_only(s);
}

/* A message of 300,000 bytes. */
static void publish_large(struct server *s)
{
    static const uint8_t head_4[] = {0x30, 0xE0, 0xA7, 0x12, 0, 1, 'a'};
    static const uint8_t zeros[300000 - 3];

    if (prepare(s) && server_send(s, head_4, sizeof(head_4)))
        server_send(s, zeros, sizeof(zeros));
    if (s->level == 5)
        server_listen_only(s);
    else
        say_after(s);
}

/* Topics of 1,000 bytes, as many as there are aliases. */
static void fill_aliases(struct server *s)
{
    uint8_t packet[1100] = {0x30, 0, 0, 1000 >> 8, 1000 & 0xFF};

    if (!prepare(s))
        return;
    put_length(packet + 1, 1006);
    memset(packet + 5, 't', 1000);
    packet[1005] = 3;
    packet[1006] = 0x23;
    for (uint8_t alias = 1; alias <= 16; alias++) {
        packet[1008] = alias;
        if (!server_send(s, packet, 1009))
            break;
    }
    server_listen_only(s);
}

/* ---- the table -------------------------------------------------------------------- */

#define ACTS(label, in, situation, fault, reason, action, ...)                 \
    {                                                                          \
        .name = label, .versions = in, .when = situation, .error = fault,      \
        .code = reason, .act = action, __VA_ARGS__                             \
    }

/* clang-format off */
static const struct behaviour behaviours[] = {
    ACTS("it says nothing", BOTH, GREETING, MQTT_ERR_CONNACK_TIMEOUT, 0,
         say_nothing, BYTES(0)),
    ACTS("it does not answer AUTH", V5, AUTHENTICATING,
         MQTT_ERR_CONNACK_TIMEOUT, 0, say_nothing, BYTES(0)),
    ACTS("it does not answer PINGREQ", BOTH, CONNECTED,
         MQTT_ERR_PINGRESP_TIMEOUT, 0, say_nothing,
         .configure = keep_alive_of_a_second, BYTES(0)),
    ACTS("it never reads", BOTH, CONNECTED, MQTT_ERR_PINGRESP_TIMEOUT, 0,
         never_read, .configure = keep_alive_of_a_second,
         .request = publish_much, BYTES(0)),

    ACTS("it closes at once", BOTH, GREETING, MQTT_ERR_CLOSED, 0,
         close_at_once, .also = MQTT_ERR_NETWORK, BYTES(0)),
    ACTS("it half-closes at once", BOTH, GREETING, MQTT_ERR_CLOSED, 0,
         half_close, BYTES(0)),
    ACTS("it closes instead of CONNACK", BOTH, GREETING, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes in CONNACK", BOTH, GREETING, MQTT_ERR_CLOSED, 0,
         half_close_when_ready, BYTES(0x20, 2)),
    ACTS("it closes after CONNACK", BOTH, CONNECTED, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes in a fixed header", BOTH, CONNECTED, MQTT_ERR_CLOSED, 0,
         half_close_when_ready, BYTES(0x30, 0x80)),
    ACTS("it closes in a PUBLISH", BOTH, CONNECTED, MQTT_ERR_CLOSED, 0,
         half_close_when_ready, BYTES(0x32, 90, 0, 1, 'a', 0, 1)),
    ACTS("it closes in a PUBLISH that is too large", V4, CONNECTED,
         MQTT_ERR_CLOSED, 0, half_close_when_ready,
         BYTES(0x32, 0xFF, 0xFF, 0x7F, 0, 1, 'a', 0, 1)),
    ACTS("it closes instead of PUBACK", BOTH, PUBLISHING_1, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes instead of PUBREC", BOTH, PUBLISHING_2, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes instead of PUBCOMP", BOTH, RELEASED, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes instead of SUBACK", BOTH, SUBSCRIBING, MQTT_ERR_CLOSED, 0,
         close_when_ready, BYTES(0)),
    ACTS("it closes instead of UNSUBACK", BOTH, UNSUBSCRIBING,
         MQTT_ERR_CLOSED, 0, close_when_ready, BYTES(0)),
    ACTS("a fault, and then its end", BOTH, CONNECTED, MQTT_ERR_PACKET_TYPE,
         PROTOCOL, half_close_when_ready, BYTES(0, 0)),
    ACTS("it resets instead of CONNACK", BOTH, GREETING, MQTT_ERR_NETWORK, 0,
         reset_when_ready, .bytes = (const uint8_t[]){0}),
    ACTS("it resets after CONNACK", BOTH, CONNECTED, MQTT_ERR_NETWORK, 0,
         reset_when_ready, .bytes = (const uint8_t[]){0}),
    ACTS("it resets in a PUBLISH", BOTH, CONNECTED, MQTT_ERR_NETWORK, 0,
         reset_when_ready, BYTES(0x30, 90, 0, 1, 'a')),
    ACTS("it resets instead of PUBACK", BOTH, PUBLISHING_1, MQTT_ERR_NETWORK, 0,
         reset_when_ready, .bytes = (const uint8_t[]){0}),
    ACTS("it stays after our DISCONNECT", V5, CONNECTED, MQTT_ERR_PACKET_TYPE,
         PROTOCOL, stay_after_disconnect, BYTES(0, 0)),

    ACTS("a byte of CONNACK now and then", V4, GREETING,
         MQTT_ERR_CONNACK_TIMEOUT, 0, send_too_slowly, BYTES(0x20, 2, 0, 0)),
    ACTS("a byte of CONNACK now and then", V5, GREETING,
         MQTT_ERR_CONNACK_TIMEOUT, 0, send_too_slowly, BYTES(0x20, 3, 0, 0, 0)),
    ACTS("a byte of PUBLISH now and then", BOTH, CONNECTED,
         MQTT_ERR_PACKET_TIMEOUT, 0, send_too_slowly,
         BYTES(0x30, 100, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0)),
    ACTS("a byte of PUBACK now and then", BOTH, PUBLISHING_1,
         MQTT_ERR_PACKET_TIMEOUT, 0, send_too_slowly,
         BYTES(0x40, 0x82, 0x80, 0x00, 0, 1)),
    ACTS("a byte of SUBACK now and then", V4, SUBSCRIBING,
         MQTT_ERR_PACKET_TIMEOUT, 0, send_too_slowly,
         BYTES(0x90, 4, 0, 1, 0, 0)),
    ACTS("a byte of PUBLISH as slowly as allowed", V4, CONNECTED, MQTT_OK, 0,
         send_as_slowly_as_allowed,
         BYTES(0x30, 15, 0, 1, 'a', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
    ACTS("a byte of CONNACK as slowly as allowed", V5, GREETING, MQTT_OK, 0,
         send_as_slowly_as_allowed, BYTES(0x20, 3, 0, 0, 0)),

    ACTS("a flood of PINGRESP", BOTH, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0xD0, 0)),
    ACTS("a flood of PUBLISH", V4, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x30, 4, 0, 1, 'a', 'x')),
    ACTS("a flood of PUBLISH", V5, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x30, 5, 0, 1, 'a', 0, 'x')),
    ACTS("a flood of QoS 1 with one identifier", V4, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x32, 6, 0, 1, 'a', 0, 1, 'x')),
    ACTS("a flood of QoS 1 with one identifier", V5, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x32, 7, 0, 1, 'a', 0, 1, 0, 'x')),
    ACTS("a flood of PUBACK of nothing", BOTH, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x40, 2, 0, 7)),
    ACTS("a flood of PUBREC of nothing", BOTH, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x50, 2, 0, 7)),
    ACTS("a flood of PUBREL of nothing", BOTH, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x62, 2, 0, 7)),
    ACTS("a flood of PUBREC of one message", BOTH, PUBLISHING_2, MQTT_OK, 0,
         flood, BYTES(0x50, 2, 0, 1)),
    ACTS("a flood of duplicates", V4, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x3C, 6, 0, 1, 'a', 0, 1, 'x')),
    ACTS("a flood of duplicates", V5, CONNECTED, MQTT_OK, 0, flood,
         BYTES(0x3C, 7, 0, 1, 'a', 0, 1, 0, 'x')),
    ACTS("a flood of QoS 2", V4, CONNECTED, MQTT_OK, 0, flood_qos_2, BYTES(0)),
    ACTS("a flood of QoS 2", V5, CONNECTED, MQTT_ERR_RECEIVE_MAXIMUM, 0x93,
         flood_qos_2, BYTES(0)),
    ACTS("a flood after a fault", BOTH, CONNECTED, MQTT_ERR_PACKET_TYPE,
         PROTOCOL, flood_after_a_fault, BYTES(0x30, 4, 0, 1, 'a', 0)),
    ACTS("a flood before a fault", BOTH, CONNECTED, MQTT_ERR_PACKET_TYPE,
         PROTOCOL, flood_before_a_fault, BYTES(0x30, 4, 0, 1, 'a', 0)),

    ACTS("9,000 User Properties in CONNACK", V5, GREETING, MQTT_OK, 0,
         connack_of_properties, BYTES(0)),
    ACTS("20,000 User Properties in CONNACK", V5, GREETING,
         MQTT_ERR_PACKET_TOO_LARGE, 0x95, connack_too_large, BYTES(0)),
    ACTS("9,000 User Properties in each PUBLISH", V5, CONNECTED, MQTT_OK, 0,
         publish_of_properties, BYTES(0)),
    ACTS("9,000 User Properties in PUBACK", V5, PUBLISHING_1, MQTT_OK, 0,
         puback_of_properties, BYTES(0)),
    ACTS("9,000 User Properties in SUBACK", V5, SUBSCRIBING, MQTT_OK, 0,
         suback_of_properties, BYTES(0)),
    ACTS("9,000 User Properties in DISCONNECT", V5, CONNECTED,
         MQTT_ERR_DISCONNECT_PACKET, 0, disconnect_of_properties,
         .reason_code = 0x8B, BYTES(0)),
    ACTS("a message that is too large", V4, CONNECTED, MQTT_OK, 0,
         publish_large, BYTES(0)),
    ACTS("a message that is too large", V5, CONNECTED,
         MQTT_ERR_PACKET_TOO_LARGE, 0x95, publish_large, BYTES(0)),
    ACTS("topic aliases that do not fit", V5, CONNECTED, MQTT_ERR_ALIAS_MEMORY,
         0x97, fill_aliases, BYTES(0)),
    ACTS("DISCONNECT, and more behind it", V5, CONNECTED,
         MQTT_ERR_DISCONNECT_PACKET, 0, NULL, .reason_code = 0x8B,
         BYTES(0xE0, 1, 0x8B, 0x30, 4, 0, 1, 'a', 0, 0xFF, 0xFF, 0xFF)),
    ACTS("a Maximum Packet Size nothing fits into", V5, GREETING,
         MQTT_ERR_ANNOUNCED, 0, NULL,
         BYTES(0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 3,
               0x32, 6, 0, 1, 'a', 0, 1, 0)),
};
/* clang-format on */

int main(void)
{
    return hostile_run("network", behaviours,
                       sizeof(behaviours) / sizeof(behaviours[0]));
}
