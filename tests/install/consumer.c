/* A program of somebody else: it makes a client and publishes into its outbox.
 * No server is needed. */
#include <mqttloop/mqttloop.h>
#include <stdio.h>

int main(void)
{
    const struct mqtt_server server = {"127.0.0.1", 1};
    struct mqtt_config config = {0};
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, &error);
    if (!client) {
        fprintf(stderr, "%s\n", mqtt_error_text(error));
        return 1;
    }
    error = mqtt_publish(client, "a/b", "c", 1, MQTT_QOS_1, false);
    mqtt_client_free(client);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
