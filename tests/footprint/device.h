/*
 * device.h - the memory, the transport and the reactor of a small device, for
 * the programs that tools/footprint links and measures. They never run: what
 * they do is to name what an application names.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <mqttloop/drive.h>

#define INPUT_SIZE 128
/* The other 128 bytes: packets that are kept for resend, and all others. */
#define OUTBOX_SIZE 80
#define CONTROL_SIZE 48
#define IN_FLIGHT 4
#define RECEIVED 4

struct device {
    struct mqtt_client client;
    struct mqtt_drive drive;
    uint8_t input[INPUT_SIZE], outbox[OUTBOX_SIZE], control[CONTROL_SIZE];
    struct mqtt_slot slots[IN_FLIGHT];
    uint16_t received[RECEIVED];
    struct mqtt_unsettled unsettled[RECEIVED];
};

extern struct device device;
extern struct mqtt_transport device_transport;
extern struct mqtt_reactor device_reactor;
extern const struct mqtt_server device_server;
uint32_t device_random(void *context);
void device_event(struct mqtt_client *client, const struct mqtt_event *event,
                  void *context);
void device_message(struct mqtt_client *client,
                    const struct mqtt_message *message, void *context);

/* mqtt_client_init() with that memory, and mqtt_drive_init(). */
enum mqtt_error device_start(const struct mqtt_config *config);

#endif
