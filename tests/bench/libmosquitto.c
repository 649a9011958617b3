/*
 * Debian's libmosquitto in a single thread, in the way that costs it least:
 * TCP_NODELAY, and mosquitto_loop() only when there is something to wait for.
 */
#include "common.h"

#include <mosquitto.h>

static struct bench_options options;
static uint64_t published, acknowledged, received;
static bool connected, end_received;

static void check(int result)
{
    if (result != MOSQ_ERR_SUCCESS)
        bench_fail("libmosquitto: %s", mosquitto_strerror(result));
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client;
    (void)context;
    if (code)
        bench_fail("refused: %s", mosquitto_connack_string(code));
    connected = true;
}

static void on_publish(struct mosquitto *client, void *context, int identifier)
{
    (void)client;
    (void)context;
    (void)identifier;
    acknowledged++;
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    (void)context;
    if ((size_t)message->payloadlen == options.payload)
        received++;
    else if (!message->payloadlen)
        end_received = true;
    else
        bench_fail("payload of another size");
}

static void loop(struct mosquitto *client)
{
    check(mosquitto_loop(client, BENCH_PATIENCE_MS, 1));
}

static struct mosquitto *open_connection(void)
{
    struct mosquitto *client;

    mosquitto_lib_init();
    client = mosquitto_new("libmosquitto", true, NULL);
    if (!client)
        bench_fail("mosquitto_new");
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_message_callback_set(client, on_message);
    check(mosquitto_max_inflight_messages_set(client, BENCH_WINDOW));
    check(mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1));
    check(mosquitto_connect(client, "127.0.0.1", options.port, 60));
    while (!connected)
        loop(client);
    return client;
}

static void publish_one(struct mosquitto *client, const char *topic,
                        const void *payload, size_t size, unsigned qos)
{
    check(mosquitto_publish(client, NULL, topic, (int)size, payload, (int)qos,
                            false));
    published++;
}

/* Nothing piles up: what the socket does not take is waited for. */
static void publish_qos0(struct mosquitto *client, const uint8_t *payload)
{
    while (published < options.messages) {
        publish_one(client, BENCH_TOPIC, payload, options.payload, 0);
        while (mosquitto_want_write(client))
            loop(client);
    }
}

static void publish_window(struct mosquitto *client, const uint8_t *payload)
{
    while (acknowledged < options.messages) {
        while (published < options.messages &&
               published - acknowledged < BENCH_WINDOW)
            publish_one(client, BENCH_TOPIC, payload, options.payload,
                        options.qos);
        loop(client);
    }
}

static void publish_all(struct mosquitto *client)
{
    char end[24];

    if (options.qos)
        publish_window(client, bench_payload());
    else
        publish_qos0(client, bench_payload());
    publish_one(client, BENCH_END_TOPIC, end,
                bench_end_payload(end, options.messages), 1);
    while (acknowledged < published)
        loop(client);
}

static void receive_all(struct mosquitto *client)
{
    check(mosquitto_subscribe(client, NULL, BENCH_TOPIC, (int)options.qos));
    while (!end_received)
        loop(client);
    if (received != options.messages)
        bench_fail("%llu messages came", (unsigned long long)received);
}

int main(int argc, char **argv)
{
    struct mosquitto *client;

    bench_options_read(&options, argc, argv);
    client = open_connection();
    bench_start();
    if (options.receive)
        receive_all(client);
    else
        publish_all(client);
    bench_report(options.messages);
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
