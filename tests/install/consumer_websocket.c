/* A program of somebody else whose client speaks WebSocket. */
#include <mqttloop/websocket.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    const struct mqtt_server server = {"ws://127.0.0.1:1", 0};
    struct mqtt_config config = {0};
    struct mqtt_host host = {.websocket = &mqtt_websocket};
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, &host, &error);
    mqtt_client_free(client);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
