/*
 * The same as loop.c under libev: publishes once a second and prints what it
 * receives, until SIGINT or SIGTERM.
 *
 *     libev [ADDRESS [PORT]]
 */
#include <mqttloop/libev.h>
#include <mqttloop/mqttloop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    mqtt_publish(timer->data, "example/libev", "tick", 4, MQTT_QOS_1, false);
}

static void stop(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)events;
    if (mqtt_disconnect(signal->data, 5000))
        ev_break(loop, EVBREAK_ALL);
}

static void print_event(struct mqtt_client *client,
                        const struct mqtt_event *event, void *context)
{
    (void)client;
    if (event->type == MQTT_EVENT_CONNECTED)
        puts("connected");
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    printf("disconnected: %s%s%s\n",
           event->error ? mqtt_error_text(event->error) : "as asked",
           event->detail ? ": " : "", event->detail ? event->detail : "");
    if (event->retry_at == MQTT_NEVER)
        ev_break(context, EVBREAK_ALL);
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

static void run(struct ev_loop *loop, struct mqtt_client *client)
{
    struct mqtt_libev adapter;
    ev_timer every_second;
    ev_signal interrupted, terminated;

    ev_timer_init(&every_second, tick, 1., 1.);
    ev_signal_init(&interrupted, stop, SIGINT);
    ev_signal_init(&terminated, stop, SIGTERM);
    every_second.data = interrupted.data = terminated.data = client;
    ev_timer_start(loop, &every_second);
    ev_signal_start(loop, &interrupted);
    ev_signal_start(loop, &terminated);
    mqtt_libev_attach(&adapter, loop, client);
    mqtt_connect(client);
    ev_run(loop, 0);
    mqtt_client_free(client);
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
                                 .on_event = print_event,
                                 .context = EV_DEFAULT};
    enum mqtt_error error;
    struct mqtt_client *client = mqtt_client_new(&config, NULL, &error);

    if (!client) {
        fprintf(stderr, "libev: %s\n", mqtt_error_text(error));
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    mqtt_subscribe(client, &all);
    run(EV_DEFAULT, client);
    ev_loop_destroy(EV_DEFAULT);
    return EXIT_SUCCESS;
}
