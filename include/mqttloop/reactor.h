/*
 * mqttloop/reactor.h - what a reactor owes: watch, wake_at, now.
 *
 * An adapter puts struct mqtt_reactor first in its own struct, points it to
 * its functions, and forwards what happens: readiness by mqtt_drive_ready(),
 * the alarm by mqtt_drive_turn(), see drive.h. It holds no protocol and
 * allocates nothing. One reactor object serves one client.
 */
#ifndef MQTTLOOP_REACTOR_H
#define MQTTLOOP_REACTOR_H

#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MQTT_READ = 1,
    MQTT_WRITE = 2,
    /** To mqtt_drive_ready() only: the slot watches nothing, though it was told
     * to; watch() will be called once more, and has to say then whether it can
     * be. For loops that find out late, or whose watchers are not free yet. */
    MQTT_UNWATCHED = 4
};

/** Descriptors that a transport watches at once, at most: racing connects,
 * name lookups, and the one of mqtt_wake(). Slots are numbered from 0. */
#define MQTT_REACTOR_SLOTS 9

struct mqtt_reactor;

struct mqtt_reactor_ops {
    /** Watch `descriptor` for `mask` (MQTT_READ | MQTT_WRITE) in `slot`, which
     * watches nothing yet, or the same descriptor; the same again has no
     * effect. Mask 0 stops, which succeeds always, and is asked for before the
     * descriptor is closed or replaced. Errors and hang-up count as readiness
     * for all of the mask. 0, or why it cannot be watched (an errno): the slot
     * then watches nothing, the transport fails, and the client reconnects. */
    int (*watch)(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask);
    /** One alarm, replacing the last, on the clock of now(), which must not
     * ring before; a moment that is past rings in the next turn of the loop;
     * MQTT_NEVER: none. */
    void (*wake_at)(struct mqtt_reactor *self, mqtt_time at);
    mqtt_time (*now)(struct mqtt_reactor *self);
    /** Wait until something is ready or `until` (MQTT_NEVER: for ever; past:
     * only look), forward readiness, return. MQTT_ERR_INTERRUPTED,
     * MQTT_ERR_SYSTEM. NULL: this reactor belongs to a main loop of its own,
     * and mqtt_loop() is refused. */
    enum mqtt_error (*wait)(struct mqtt_reactor *self, mqtt_time until);
    /** The drive lets go: another reactor was attached, or the client ended.
     * All slots are stopped and the alarm is off by then; the drive is not to
     * be touched any more. */
    void (*leave)(struct mqtt_reactor *self);
};

struct mqtt_reactor {
    const struct mqtt_reactor_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
