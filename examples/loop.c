/*
 * A client in a while loop: publishes after each quiet second and prints what
 * it receives, until SIGINT or SIGTERM.
 *
 *     loop [ADDRESS [PORT]]
 */
#include <mqttloop/mqttloop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

static void print_event(struct mqtt_client *client,
                        const struct mqtt_event *event, void *context)
{
    (void)client;
    (void)context;
    if (event->type == MQTT_EVENT_CONNECTED)
        puts("connected");
    if (event->type == MQTT_EVENT_DISCONNECTED)
        printf("disconnected: %s%s%s\n",
               event->error ? mqtt_error_text(event->error) : "as asked",
               event->detail ? ": " : "", event->detail ? event->detail : "");
}

static void print_message(struct mqtt_client *client,
                          const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)context;
    printf("%.*s: %.*s\n", (int)message->topic_name.size,
           (const char *)message->topic_name.data, (int)message->payload.size,
           (const char *)message->payload.data);
}

int main(int argc, char **argv)
{
    struct mqtt_server server = {argc > 1 ? argv[1] : "localhost",
                                 (uint16_t)atoi(argc > 2 ? argv[2] : "1883")};
    struct mqtt_subscription all = {.topic_filter = MQTT_TEXT("example/#"),
                                    .maximum_qos = MQTT_QOS_1,
                                    .on_message = print_message};
    struct mqtt_config config = {.connect.clean_start = true,
                                 .servers = &server,
                                 .server_count = 1,
                                 .on_event = print_event};
    enum mqtt_error error;
    struct mqtt_client *client = mqtt_client_new(&config, NULL, &error);
    int handled = 0;

    if (!client) {
        fprintf(stderr, "loop: %s\n", mqtt_error_text(error));
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    mqtt_subscribe(client, &all);
    mqtt_connect(client);
    while (!stopping && (handled >= 0 || handled == MQTT_ERR_INTERRUPTED)) {
        handled = mqtt_loop(client, 1000);
        if (handled == 0)
            mqtt_publish(client, "example/loop", "tick", 4, MQTT_QOS_1, false);
    }
    mqtt_disconnect(client, 5000);
    while (mqtt_client_state(client) != MQTT_CLIENT_STOPPED)
        mqtt_loop(client, -1);
    mqtt_client_free(client);
    return EXIT_SUCCESS;
}
