/*
 * mqtt_client_fd(): a reactor that is itself one descriptor. Two sources
 * implement it: one with epoll(7) and timerfd, and one for systems without
 * them.
 */
#ifndef MQTTLOOP_POSIX_DESCRIPTOR_H
#define MQTTLOOP_POSIX_DESCRIPTOR_H

#include <mqttloop/drive.h>

struct mqtt_descriptor {
    struct mqtt_reactor reactor;
    struct mqtt_drive *drive;
    int descriptor; /* -1: not made */
    int timer;      /* inside of it: the alarm */
    int watched[MQTT_REACTOR_SLOTS];
    unsigned masks[MQTT_REACTOR_SLOTS];
};

/** Not made yet. */
void mqtt_descriptor_init(struct mqtt_descriptor *self,
                          struct mqtt_drive *drive);
/** MQTT_ERR_SYSTEM: there are no descriptors. */
enum mqtt_error mqtt_descriptor_open(struct mqtt_descriptor *self);
/** Nobody is driven by it any more. No effect when not made. */
void mqtt_descriptor_close(struct mqtt_descriptor *self);

#endif
