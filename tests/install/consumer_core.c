/* A program of somebody else that takes the core alone: a static client, with
 * memory of its own and no platform. */
#include <mqttloop/client.h>
#include <stdio.h>

static uint32_t not_random(void *context)
{
    (void)context;
    return 4; /* one client, no server: nobody to be out of step with */
}

static const struct mqtt_server server = {"nowhere", 1};
static const struct mqtt_config config = {
    .protocol = &mqtt_protocol_3_1_1,
    .connect = {.clean_start = true},
    .servers = &server,
    .server_count = 1,
    .random = not_random,
};
static unsigned char outbox[256], control[64], input[64];
static struct mqtt_slot slots[8];
static const struct mqtt_memory memory = {
    .outbox = outbox,
    .outbox_size = sizeof outbox,
    .slots = slots,
    .slot_count = 8,
    .control = control,
    .control_size = sizeof control,
    .input = input,
    .input_size = sizeof input,
};
static struct mqtt_client client;

int main(void)
{
    enum mqtt_error error =
        mqtt_client_init(&client, sizeof client, &config, &memory);

    if (error == MQTT_OK)
        error = mqtt_publish(&client, "a/b", "c", 1, MQTT_QOS_1, false);
    mqtt_client_destroy(&client);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
