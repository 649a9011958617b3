#include "device.h"

static const struct mqtt_config config = {
    .protocol = &mqtt_protocol_publisher,
    .connect = {.client_identifier = MQTT_TEXT("probe"),
                .user_name = MQTT_TEXT("user"),
                .password = MQTT_TEXT("word"),
                .keep_alive_s = 60},
    .servers = &device_server,
    .server_count = 1,
    .random = device_random,
    .on_event = device_event,
};

int main(void)
{
    struct mqtt_client *client = &device.client;

    if (device_start(&config) || mqtt_connect(client))
        return 1;
    while (mqtt_loop(client, 0) >= 0)
        mqtt_publish(client, "sensor", "21.5", 4, MQTT_QOS_1, false);
    mqtt_disconnect(client, 1000);
    return 0;
}
