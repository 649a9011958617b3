/*
 * mqttloop as an application uses it: mqtt_client_new() and mqtt_loop(), every
 * check on, callbacks dispatched, messages kept for resend. Of its settings
 * only those differ from the default that a window of 1,000 needs.
 */
#include "common.h"

#include <mqttloop/mqttloop.h>
#include <mqttloop/posix.h>

static struct bench_options options;
static uint64_t published, ended, received;
static bool connected, end_received;

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    (void)client;
    (void)context;
    switch (event->type) {
    case MQTT_EVENT_CONNECTED:
        connected = true;
        break;
    case MQTT_EVENT_DISCONNECTED:
        bench_fail("disconnected: %s", mqtt_error_text(event->error));
    case MQTT_EVENT_PUBLISHED:
        if (event->outcome != MQTT_OUTCOME_ACKNOWLEDGED)
            bench_fail("a message was not acknowledged");
        ended++;
        break;
    default:
        break;
    }
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)context;
    if (message->payload.size == options.payload)
        received++;
    else if (!message->payload.size)
        end_received = true;
    else
        bench_fail("payload of another size");
}

static void loop(struct mqtt_client *client)
{
    int handled = mqtt_loop(client, BENCH_PATIENCE_MS);

    if (handled < 0)
        bench_fail("mqtt_loop: %s", mqtt_error_text((enum mqtt_error)handled));
    if (!handled)
        bench_fail("nothing came: %llu published, %llu acknowledged, "
                   "%llu received",
                   (unsigned long long)published, (unsigned long long)ended,
                   (unsigned long long)received);
}

static struct mqtt_client *open_connection(void)
{
    struct mqtt_server server = {.address = "127.0.0.1", .port = options.port};
    struct mqtt_config config = {
        .connect = {.client_identifier = MQTT_TEXT("ours"),
                    .clean_start = true},
        .servers = &server,
        .server_count = 1,
        .send_maximum_qos2 = BENCH_WINDOW,
        .on_event = on_event,
    };
    struct mqtt_sizes sizes = {.outbox = options.qos ? 512 * 1024 : 0};
    enum mqtt_error error;
    struct mqtt_client *client =
        mqtt_client_new(&config, &(struct mqtt_host){.sizes = sizes}, &error);

    if (!client)
        bench_fail("mqtt_client_new: %s", mqtt_error_text(error));
    mqtt_connect(client);
    while (!connected)
        loop(client);
    return client;
}

/* False: no room, the network has to take something first. */
static bool publish_one(struct mqtt_client *client, const char *topic_name,
                        const void *payload, size_t size, unsigned qos)
{
    enum mqtt_error error = mqtt_publish(client, topic_name, payload, size,
                                         (enum mqtt_qos)qos, false);

    if (error != MQTT_OK && error != MQTT_ERR_NO_ROOM)
        bench_fail("mqtt_publish: %s", mqtt_error_text(error));
    return error == MQTT_OK;
}

static bool may_publish(void)
{
    return published < options.messages &&
           (!options.qos || published - ended < BENCH_WINDOW);
}

static void publish_all(struct mqtt_client *client)
{
    const uint8_t *payload = bench_payload();
    uint64_t to_end = options.qos ? options.messages + 1 : 1;
    char text[24];
    size_t size = bench_end_payload(text, options.messages);

    while (published < options.messages) {
        while (may_publish() && publish_one(client, BENCH_TOPIC, payload,
                                            options.payload, options.qos))
            published++;
        loop(client);
    }
    while (!publish_one(client, BENCH_END_TOPIC, text, size, 1))
        loop(client);
    while (ended < to_end)
        loop(client);
}

static void receive_all(struct mqtt_client *client)
{
    struct mqtt_subscription subscription = {
        .topic_filter = MQTT_TEXT(BENCH_TOPIC),
        .maximum_qos = (enum mqtt_qos)options.qos,
        .on_message = on_message,
    };
    enum mqtt_error error = mqtt_subscribe(client, &subscription);

    if (error != MQTT_OK)
        bench_fail("mqtt_subscribe: %s", mqtt_error_text(error));
    while (!end_received)
        loop(client);
    if (received != options.messages)
        bench_fail("%llu messages came", (unsigned long long)received);
}

int main(int argc, char **argv)
{
    struct mqtt_client *client;

    bench_options_read(&options, argc, argv);
    client = open_connection();
    bench_start();
    if (options.receive)
        receive_all(client);
    else
        publish_all(client);
    bench_report(options.messages);
    mqtt_client_free(client);
    return 0;
}
