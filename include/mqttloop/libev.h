/*
 * mqttloop/libev.h - a client in a libev loop.
 *
 *     struct mqtt_libev adapter;
 *     mqtt_libev_attach(&adapter, EV_DEFAULT, client);
 *     mqtt_connect(client);
 *     ev_run(EV_DEFAULT, 0);
 */
#ifndef MQTTLOOP_LIBEV_H
#define MQTTLOOP_LIBEV_H

#include <ev.h>
#include <mqttloop/drive.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One for each client, allocated by the caller, not to be moved while
 * attached; must outlive the client, or be detached before. All members are
 * private. */
struct mqtt_libev {
    struct mqtt_reactor reactor;
    struct ev_loop *loop_;
    struct mqtt_drive *drive_;
    ev_io io_[MQTT_REACTOR_SLOTS];
    bool refused_[MQTT_REACTOR_SLOTS]; /* by the loop, since watch() */
    ev_timer alarm_, soon_;            /* the second after watch() */
};

/** Drive `client` from `loop` from now on, in whatever state it is; mqtt_loop()
 * is refused from then on. `adapter` is filled in, so it must not be attached
 * already. MQTT_ERR_ARGUMENT: something is NULL, or the client has no drive
 * (one of mqtt_client_new() has). */
enum mqtt_error mqtt_libev_attach(struct mqtt_libev *adapter,
                                  struct ev_loop *loop,
                                  struct mqtt_client *client);

/** Stop all watchers; the client goes back to what drove it by mqtt_loop()
 * before, see mqtt_drive_detach(): one of mqtt_client_new() to its own reactor.
 * No effect when not attached, or when the client was freed, which detaches. */
void mqtt_libev_detach(struct mqtt_libev *adapter);

#ifdef __cplusplus
}
#endif

#endif
