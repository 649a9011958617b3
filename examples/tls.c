/* Publish one message over TLS: tls [URL [CA-FILE]]. What went wrong is told. */
#include <mqttloop/mqttloop.h>
#include <mqttloop/openssl.h>
#include <stdio.h>

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    (void)client, (void)context;
    if (event->error)
        fprintf(stderr, "%s: %s\n", mqtt_error_text(event->error),
                event->detail ? event->detail : "");
}

int main(int argc, char **argv)
{
    const struct mqtt_tls_options options = {.ca.file =
                                                 argc > 2 ? argv[2] : NULL};
    const struct mqtt_server server = {argc > 1 ? argv[1] : "mqtts://localhost",
                                       0};
    struct mqtt_config config = {
        .servers = &server, .server_count = 1, .on_event = on_event};
    struct mqtt_host host = {.tls = mqtt_openssl_new(&options, NULL, NULL, 0)};
    struct mqtt_client *client;

    config.connect.clean_start = true;
    client = mqtt_client_new(&config, &host, NULL);
    if (!client)
        return 1;
    mqtt_publish(client, "hello/tls", "hello", 5, MQTT_QOS_1, false);
    mqtt_connect(client);
    mqtt_disconnect(client, 5000); /* when all is acknowledged, or after 5 s */
    while (mqtt_client_state(client) != MQTT_CLIENT_STOPPED)
        mqtt_loop(client, -1);
    mqtt_client_free(client);
    mqtt_openssl_free(host.tls);
}
