#include "use_3_1_1.h"

struct mqtt_subscription use_subscription = {
    .topic_filter = MQTT_TEXT("command/+/#"),
    .maximum_qos = MQTT_QOS_2,
    .on_message = device_message,
};
const struct mqtt_message use_will = {
    .topic_name = MQTT_TEXT("gone"),
    .payload = MQTT_TEXT("probe"),
};

void use_3_1_1(const struct mqtt_config *config)
{
    struct mqtt_client *client = &device.client;

    if (device_start(config) || mqtt_connect(client))
        return;
    mqtt_subscribe(client, &use_subscription);
    while (mqtt_loop(client, 0) >= 0) {
        mqtt_publish(client, "sensor", "21.5", 4, MQTT_QOS_2, false);
        mqtt_settle(client, device_random(NULL), 0);
    }
    mqtt_unsubscribe(client, &use_subscription);
    mqtt_disconnect(client, 1000);
    mqtt_client_destroy(client);
}
