/*
 * mqttloop/sd-event.h - a client in an sd-event loop, systemd's.
 *
 *     struct mqtt_sd_event adapter;
 *     mqtt_sd_event_attach(&adapter, event, client);
 *     mqtt_connect(client);
 *     sd_event_loop(event);
 */
#ifndef MQTTLOOP_SD_EVENT_H
#define MQTTLOOP_SD_EVENT_H

#include <mqttloop/drive.h>
#include <systemd/sd-event.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One for each client, allocated by the caller, not to be moved while
 * attached; must outlive the client, or be detached before. All members are
 * private. */
struct mqtt_sd_event {
    struct mqtt_reactor reactor;
    struct mqtt_drive *drive_;
    sd_event *event_;
    sd_event_source *io_[MQTT_REACTOR_SLOTS], *alarm_;
};

/** Drive `client` from `event` from now on, in whatever state it is; mqtt_loop()
 * is refused from then on. sd-event allocates a source for each slot that is
 * used. `adapter` is filled in, so it must not be attached already.
 * MQTT_ERR_ARGUMENT: something is NULL, or the client has no drive (one of
 * mqtt_client_new() has). MQTT_ERR_SYSTEM: sd-event has no timer for us: no
 * memory, or a loop of another process. */
enum mqtt_error mqtt_sd_event_attach(struct mqtt_sd_event *adapter,
                                     sd_event *event,
                                     struct mqtt_client *client);

/** Give the sources back; the client goes back to what drove it by mqtt_loop()
 * before, see mqtt_drive_detach(). No effect when not attached, or when the
 * client was freed, which detaches. */
void mqtt_sd_event_detach(struct mqtt_sd_event *adapter);

#ifdef __cplusplus
}
#endif

#endif
