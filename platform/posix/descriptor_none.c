/* For systems without epoll(7) and timerfd: mqtt_client_fd() is refused. */
#include "descriptor.h"

void mqtt_descriptor_init(struct mqtt_descriptor *self,
                          struct mqtt_drive *drive)
{
    *self =
        (struct mqtt_descriptor){.drive = drive, .descriptor = -1, .timer = -1};
}

enum mqtt_error mqtt_descriptor_open(struct mqtt_descriptor *self)
{
    (void)self;
    return MQTT_ERR_SYSTEM;
}

void mqtt_descriptor_close(struct mqtt_descriptor *self)
{
    (void)self;
}
