/*
 * MQTT over WebSocket, through a proxy if there is one: publishes one message
 * and tells what came of it.
 *
 *     websocket [URL [SOCKS5_PROXY [PORT]]]
 *
 * URL is e.g. ws://broker.example/mqtt.
 */
#include <mqttloop/mqttloop.h>
#include <mqttloop/websocket.h>
#include <stdio.h>
#include <stdlib.h>

static void print_event(struct mqtt_client *client,
                        const struct mqtt_event *event, void *context)
{
    (void)client;
    (void)context;
    if (event->type == MQTT_EVENT_CONNECTED)
        puts("connected");
    if (event->type == MQTT_EVENT_PUBLISHED)
        puts("published");
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    printf("disconnected: %s%s%s\n",
           event->error ? mqtt_error_text(event->error) : "as asked",
           event->detail ? ": " : "", event->detail ? event->detail : "");
}

int main(int argc, char **argv)
{
    struct mqtt_server server = {argc > 1 ? argv[1] : "ws://localhost:9001", 0};
    struct mqtt_config config = {.connect.clean_start = true,
                                 .servers = &server,
                                 .server_count = 1,
                                 .on_event = print_event};
    struct mqtt_websocket_options options = {.kind = mqtt_websocket,
                                             .path = "/mqtt"};
    struct mqtt_host host = {.websocket = &options.kind};
    enum mqtt_error error;
    struct mqtt_client *client;

    if (argc > 2) {
        host.proxy.protocol = MQTT_PROXY_SOCKS5;
        host.proxy.address = argv[2];
        host.proxy.port = (uint16_t)atoi(argc > 3 ? argv[3] : "0");
    }
    client = mqtt_client_new(&config, &host, &error);
    if (!client) {
        fprintf(stderr, "websocket: %s\n", mqtt_error_text(error));
        return EXIT_FAILURE;
    }
    mqtt_publish(client, "example/websocket", "hello", 5, MQTT_QOS_1, false);
    mqtt_connect(client);
    mqtt_disconnect(client, 5000); /* when it is acknowledged, or after 5 s */
    while (mqtt_client_state(client) != MQTT_CLIENT_STOPPED)
        mqtt_loop(client, -1);
    mqtt_client_free(client);
    return EXIT_SUCCESS;
}
