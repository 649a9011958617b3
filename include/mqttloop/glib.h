/*
 * mqttloop/glib.h - a client in a GLib main context: GTK, GStreamer, ...
 *
 *     struct mqtt_glib adapter;
 *     mqtt_glib_attach(&adapter, NULL, client);
 *     mqtt_connect(client);
 *     g_main_loop_run(loop);
 */
#ifndef MQTTLOOP_GLIB_H
#define MQTTLOOP_GLIB_H

#include <glib.h>
#include <mqttloop/drive.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One for each client, allocated by the caller, not to be moved while
 * attached; must outlive the client, or be detached before. All members are
 * private. */
struct mqtt_glib {
    struct mqtt_reactor reactor;
    struct mqtt_drive *drive_;
    GSource *source_;
    gpointer tags_[MQTT_REACTOR_SLOTS];
};

/** Drive `client` from `context` (NULL: the default one) from now on, in
 * whatever state it is, as one source of G_PRIORITY_DEFAULT; mqtt_loop() is
 * refused from then on. Only the thread that iterates the context may use the
 * client. `adapter` is filled in, so it must not be attached already.
 * MQTT_ERR_ARGUMENT: `client` is NULL or has no drive (one of mqtt_client_new()
 * has). */
enum mqtt_error mqtt_glib_attach(struct mqtt_glib *adapter,
                                 GMainContext *context,
                                 struct mqtt_client *client);

/** Take the source away; the client goes back to what drove it by mqtt_loop()
 * before, see mqtt_drive_detach(). No effect when not attached, or when the
 * client was freed, which detaches. */
void mqtt_glib_detach(struct mqtt_glib *adapter);

#ifdef __cplusplus
}
#endif

#endif
