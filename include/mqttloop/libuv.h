/*
 * mqttloop/libuv.h - a client in a libuv loop.
 *
 *     static struct mqtt_libuv adapter;
 *     mqtt_libuv_attach(&adapter, uv_default_loop(), client, NULL);
 *     mqtt_connect(client);
 *     uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 * uv.h itself needs what POSIX declares: -std=gnu11, or _POSIX_C_SOURCE.
 */
#ifndef MQTTLOOP_LIBUV_H
#define MQTTLOOP_LIBUV_H

#include <mqttloop/drive.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One for each client, allocated by the caller, not to be moved. All members
 * are private.
 *
 * libuv keeps the handles in it for a while after they are closed. So it
 * belongs to the loop from mqtt_libuv_attach() until `closed` is called, which
 * happens in a later iteration of the loop, once, after mqtt_libuv_detach(), or
 * after the client was freed or attached elsewhere. Only then may it be freed
 * or attached anew. Without `closed`: when uv_loop_close() has succeeded.
 */
struct mqtt_libuv {
    struct mqtt_reactor reactor;
    uv_loop_t *loop_;
    struct mqtt_drive *drive_;
    void (*closed_)(struct mqtt_libuv *adapter);
    unsigned open_;                       /* handles that libuv has */
    uv_poll_t polls_[MQTT_REACTOR_SLOTS]; /* used if their data is not NULL */
    uv_timer_t alarm_;
};

/** Drive `client` from `loop` from now on, in whatever state it is; mqtt_loop()
 * is refused from then on. `adapter` is filled in, so it must not be attached
 * already, or not yet closed. `closed` may be NULL. MQTT_ERR_ARGUMENT:
 * something else is NULL, or the client has no drive (one of mqtt_client_new()
 * has); the adapter is the caller's then. */
enum mqtt_error mqtt_libuv_attach(struct mqtt_libuv *adapter, uv_loop_t *loop,
                                  struct mqtt_client *client,
                                  void (*closed)(struct mqtt_libuv *adapter));

/** Close all handles; the client goes back to what drove it by mqtt_loop()
 * before, see mqtt_drive_detach(). The adapter is still the loop's, see above.
 * No effect when not attached, or when the client was freed, which detaches. */
void mqtt_libuv_detach(struct mqtt_libuv *adapter);

#ifdef __cplusplus
}
#endif

#endif
