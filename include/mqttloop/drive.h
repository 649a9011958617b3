/*
 * mqttloop/drive.h - client x transport x reactor, and mqtt_loop().
 */
#ifndef MQTTLOOP_DRIVE_H
#define MQTTLOOP_DRIVE_H

#include <mqttloop/client.h>
#include <mqttloop/reactor.h>
#include <mqttloop/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Allocated by the caller, who must not move it; all members are private. */
struct mqtt_drive {
    uint8_t link_;
    uint8_t unlooked_; /* calls of mqtt_loop() that did not wait */
    bool turning_, finished_;
    struct mqtt_client *client_;
    struct mqtt_transport *transport_;
    struct mqtt_reactor *reactor_, *home_;
    void *lent_;
    size_t lent_size_;
    mqtt_time armed_;
};

/**
 * Join the three for good; `reactor` may be NULL and come later by
 * mqtt_drive_attach(). All must outlive the drive, or be ended by
 * mqtt_drive_end() before.
 */
void mqtt_drive_init(struct mqtt_drive *drive, struct mqtt_client *client,
                     struct mqtt_transport *transport,
                     struct mqtt_reactor *reactor);

/** Be driven by another reactor from now on; NULL: by none, until the next
 * attach. Nothing is lost, in whatever state. */
void mqtt_drive_attach(struct mqtt_drive *drive, struct mqtt_reactor *reactor);

/** For adapters of main loops: go back to the reactor with a wait() that was
 * attached last, so that mqtt_loop() drives the client again; to none, if there
 * was none or if mqtt_drive_attach() said none since. */
void mqtt_drive_detach(struct mqtt_drive *drive);

/** Close the transport and let go of client and reactor. */
void mqtt_drive_end(struct mqtt_drive *drive);

/** For a reactor: `slot` became ready for `mask`. mqtt_drive_turn() must
 * follow, once for all slots that are ready. */
void mqtt_drive_ready(struct mqtt_drive *drive, unsigned slot, unsigned mask);

/**
 * For a reactor: take a turn. Tells the time, opens and closes, calls the
 * callbacks, moves bytes until the transport has no more, and sets the alarm.
 * The number of things handled (events and transfers), or MQTT_ERR_DESTROYED:
 * a callback destroyed the client, the drive is not to be touched any more;
 * MQTT_ERR_REENTERED: called from a callback.
 */
int mqtt_drive_turn(struct mqtt_drive *drive);

/** The drive of a client; NULL if it has none. */
struct mqtt_drive *mqtt_drive_of(const struct mqtt_client *client);

/**
 * Do what there is to do, and wait for it at most `timeout_ms` (0: not at all;
 * -1: until something happens). Returns in time for every deadline of the
 * client. To be called again and again, connected or not.
 *
 * > 0: so many things were handled. 0: nothing came in time.
 * MQTT_ERR_INTERRUPTED: a signal came; call again, or not.
 * MQTT_ERR_DESTROYED: a callback destroyed the client: it is gone.
 * MQTT_ERR_REENTERED: called from a callback of this client.
 * MQTT_ERR_ATTACHED: the client is driven by an adapter (or has no reactor).
 * MQTT_ERR_SYSTEM: the machine cannot wait.
 * A lost connection is no error but an event: the client reconnects.
 */
int mqtt_loop(struct mqtt_client *client, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
