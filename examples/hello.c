#include <mqttloop/mqttloop.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct mqtt_server server = {argc > 1 ? argv[1] : "localhost",
                                 (uint16_t)atoi(argc > 2 ? argv[2] : "1883")};
    struct mqtt_config config = {.servers = &server, .server_count = 1};
    struct mqtt_client *client;

    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, NULL);
    mqtt_publish(client, "hello/world", "hello", 5, MQTT_QOS_1, false);
    mqtt_connect(client);
    mqtt_disconnect(client, 5000); /* when all is acknowledged, or after 5 s */
    while (mqtt_client_state(client) != MQTT_CLIENT_STOPPED)
        mqtt_loop(client, -1);
    mqtt_client_free(client);
}
