#include "use_5_0.h"

static void publish_with_properties(struct mqtt_client *client)
{
    static uint8_t memory[32];
    struct mqtt_message message = {.topic_name = MQTT_TEXT("sensor"),
                                   .payload = MQTT_TEXT("21.5"),
                                   .qos = MQTT_QOS_2};
    struct mqtt_property_builder builder;
    struct mqtt_span text = MQTT_TEXT("text"), name = MQTT_TEXT("unit");
    enum mqtt_error error;

    mqtt_properties_begin(&builder, memory, sizeof memory);
    mqtt_property_add_number(&builder, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                             60);
    mqtt_property_add_text(&builder, MQTT_PROPERTY_CONTENT_TYPE, text);
    mqtt_property_add_user(&builder, name, text);
    message.properties = mqtt_properties_end(&builder, &error);
    if (!error)
        mqtt_client_publish(client, &message, NULL);
}

static void read_properties(struct mqtt_client *client)
{
    struct mqtt_property property = {0};
    struct mqtt_span properties = use_subscription.properties;

    while (mqtt_property_next(properties, &property))
        device_random(&property);
    if (mqtt_property_find(properties, MQTT_PROPERTY_USER_PROPERTY, &property))
        mqtt_authenticate(client, property.text, properties);
}

void use_5_0(const struct mqtt_config *config)
{
    static const struct mqtt_disconnect_options end = {
        .reason_code = MQTT_REASON_DISCONNECT_WITH_WILL};
    struct mqtt_client *client = &device.client;

    if (device_start(config) || mqtt_connect(client))
        return;
    mqtt_subscribe(client, &use_subscription);
    while (mqtt_loop(client, 0) >= 0) {
        publish_with_properties(client);
        read_properties(client);
        mqtt_settle(client, device_random(NULL), MQTT_REASON_QUOTA_EXCEEDED);
    }
    mqtt_unsubscribe(client, &use_subscription);
    if (mqtt_client_limits(client)->maximum_qos)
        mqtt_disconnect_with(client, 1000, &end);
    mqtt_client_destroy(client);
}
