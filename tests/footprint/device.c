#include "device.h"

struct device device;
struct mqtt_transport device_transport;
struct mqtt_reactor device_reactor;
const struct mqtt_server device_server = {"10.0.2.2", 1883};

/* tools/footprint reads sizes off these: no other program knows them for a
 * machine that it does not run on. */
const char size_client[sizeof(struct mqtt_client)] = {0};
const char size_drive[sizeof(struct mqtt_drive)] = {0};
const char size_device[sizeof(struct device)] = {0};
const char size_slot[sizeof(struct mqtt_slot)] = {0};
const char size_config[sizeof(struct mqtt_config)] = {0};

uint32_t device_random(void *context)
{
    (void)context;
    return 4;
}

enum mqtt_error device_start(const struct mqtt_config *config)
{
    const struct mqtt_memory memory = {
        .outbox = device.outbox,
        .outbox_size = sizeof device.outbox,
        .slots = device.slots,
        .slot_count = IN_FLIGHT,
        .control = device.control,
        .control_size = sizeof device.control,
        .input = device.input,
        .input_size = sizeof device.input,
        .received_list = device.received,
        .received_count = RECEIVED,
        .unsettled = device.unsettled,
        .unsettled_count = RECEIVED,
    };
    enum mqtt_error error =
        mqtt_client_init(&device.client, sizeof device.client, config, &memory);

    mqtt_drive_init(&device.drive, &device.client, &device_transport,
                    &device_reactor);
    return error;
}
