/*
 * network.c - over a real network connection, with mqtt_client_new() as an
 * application uses it: nothing is configured that need not be.
 */
#include "conformance.h"

#include <mqttloop/posix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../broker/process.h"

#define PATIENCE_MS 10000
#define COUNT 300

static unsigned connected_count, ended, received;

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    (void)client;
    (void)context;
    connected_count += event->type == MQTT_EVENT_CONNECTED;
    ended += event->type == MQTT_EVENT_PUBLISHED &&
             event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
}

/* The messages come in the order in which they were published. */
static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    char expected[16];

    (void)client;
    (void)context;
    snprintf(expected, sizeof(expected), "%u", received++);
    assert_true(span_is(message->payload, expected));
}

static struct mqtt_client *client_for(const struct script *s, uint16_t port)
{
    struct mqtt_server server = {.address = "127.0.0.1", .port = port};
    char identifier[32];
    struct mqtt_config config = {.protocol = s->config.protocol,
                                 .servers = &server,
                                 .server_count = 1,
                                 .on_event = on_event,
                                 .on_message = on_message};
    struct mqtt_client *client;

    snprintf(identifier, sizeof(identifier), "conformance-%d", (int)getpid());
    config.connect.client_identifier = mqtt_text(identifier);
    client = mqtt_client_new(&config, NULL, NULL);
    assert_non_null(client);
    connected_count = ended = received = 0;
    assert_int_equal(mqtt_connect(client), MQTT_OK);
    return client;
}

/* Turns, until `condition` holds. */
#define wait_for(client, condition)                                            \
    do {                                                                       \
        uint64_t until_ = milliseconds() + PATIENCE_MS;                        \
        while (!(condition)) {                                                 \
            assert_true(mqtt_loop(client, 20) >= 0);                           \
            if (milliseconds() > until_)                                       \
                fail_msg("waited in vain for: %s", #condition);                \
        }                                                                      \
    } while (0)

static void publish_number(struct mqtt_client *client, unsigned number,
                           enum mqtt_qos qos)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    assert_int_equal(
        mqtt_publish(client, "conformance", text, strlen(text), qos, false),
        MQTT_OK);
}

/* A server that knows the standard and nothing of us. */
static void test_a_broker_needs_no_extension(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription all = {.topic_filter = MQTT_TEXT("conformance"),
                                    .maximum_qos = MQTT_QOS_2};
    struct mqtt_client *client;
    struct broker broker;

    broker_begin(&broker, "");
    client = client_for(s, broker.port);
    assert_int_equal(mqtt_subscribe(client, &all), MQTT_OK);
    wait_for(client, connected_count == 1);
    for (unsigned i = 0; i < 30; i++) {
        publish_number(client, i, (enum mqtt_qos)(i % 3));
        wait_for(client, received == i + 1);
    }
    wait_for(client, ended == 20);
    assert_int_equal(mqtt_disconnect(client, PATIENCE_MS), MQTT_OK);
    wait_for(client, mqtt_client_state(client) == MQTT_CLIENT_STOPPED);
    assert_int_equal(connected_count, 1);
    mqtt_client_free(client);
    broker_end(&broker);
}

/* ---- the stream ---------------------------------------------------------- */

static uint8_t seen[1 << 16];
static size_t seen_size;

/* What the client has sent, as far as it is there. */
static bool sees(int connection, size_t size)
{
    ssize_t got = recv(connection, seen + seen_size, sizeof(seen) - seen_size,
                       MSG_DONTWAIT);

    if (got > 0)
        seen_size += (size_t)got;
    return seen_size >= size;
}

static int accepted(int listening, int *connection)
{
    if (*connection < 0)
        *connection = accept(listening, NULL, NULL);
    return *connection >= 0;
}

/* SOCK_STREAM: an ordered, lossless stream of bytes, says the system; and all
 * bytes are there, in order. */
static void test_bytes_travel_in_an_ordered_lossless_stream(void **state)
{
    static const uint8_t connack[] = {0x20, 0x02, 0x00, 0x00};
    static const uint8_t connack_5_0[] = {0x20, 0x03, 0x00, 0x00, 0x00};
    struct script *s = *state;
    bool v5 = speaks_5_0(s);
    int listening, connection = -1, type = 0;
    socklen_t size = sizeof(type);
    struct mqtt_client *client;
    size_t at;
    uint16_t port;

    seen_size = 0;
    listening = listen_on_loopback(&port);
    client = client_for(s, port);
    wait_for(client, accepted(listening, &connection));
    assert_int_equal(getsockopt(connection, SOL_SOCKET, SO_TYPE, &type, &size),
                     0);
    assert_int_equal(type, SOCK_STREAM);
    wait_for(client, sees(connection, 2));
    at = 2 + (size_t)seen[1];
    wait_for(client, sees(connection, at));
    assert_int_equal(send(connection, v5 ? connack_5_0 : connack,
                          v5 ? sizeof(connack_5_0) : sizeof(connack), 0),
                     v5 ? sizeof(connack_5_0) : sizeof(connack));
    wait_for(client, connected_count == 1);
    for (unsigned i = 0; i < COUNT; i++)
        publish_number(client, i, MQTT_QOS_0);
    for (unsigned i = 0; i < COUNT; i++) {
        char text[16];
        size_t digits = (size_t)snprintf(text, sizeof(text), "%u", i);
        size_t payload = at + 15 + (v5 ? 1 : 0);

        wait_for(client, sees(connection, payload + digits));
        assert_int_equal(seen[at], 0x30);
        assert_memory_equal(seen + payload, text, digits);
        at = payload + digits;
    }
    assert_int_equal(seen_size, at);
    mqtt_client_free(client);
    close(connection);
    close(listening);
}

static const struct conformance_test tests[] = {
    proves_once(test_a_broker_needs_no_extension, "3.1.1 MQTT-7.0.0-2"),
    proves_once(test_bytes_travel_in_an_ordered_lossless_stream,
                "3.1.1 MQTT-7.1.2-1", "5.0 MQTT-4.2.0-1"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "network", tests);
}
