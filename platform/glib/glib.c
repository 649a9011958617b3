#include "../adapter.h"

#include <mqttloop/glib.h>

_Static_assert(G_IO_IN == POLLIN && G_IO_OUT == POLLOUT, "");
_Static_assert(G_IO_ERR == POLLERR && G_IO_HUP == POLLHUP, "");

/* What GLib allocates for us. */
struct source {
    GSource base;
    struct mqtt_glib *adapter;
};

static struct mqtt_glib *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_glib *)reactor;
}

static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    GSource *source = of(self)->source_;
    gpointer *tag = &of(self)->tags_[slot];
    GIOCondition conditions = (GIOCondition)mqtt_adapter_events(mask);

    if (*tag && mask) {
        g_source_modify_unix_fd(source, *tag, conditions);
        return 0;
    }
    if (*tag)
        g_source_remove_unix_fd(source, *tag);
    *tag = mask ? g_source_add_unix_fd(source, descriptor, conditions) : NULL;
    return 0;
}

static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    g_source_set_ready_time(of(self)->source_,
                            at == MQTT_NEVER ? -1 : (gint64)at * 1000);
}

static void leave(struct mqtt_reactor *self)
{
    of(self)->drive_ = NULL;
    g_source_destroy(of(self)->source_);
    g_source_unref(of(self)->source_);
}

/* A callback may have ended the adapter: nothing of it is touched after. */
static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer data)
{
    struct mqtt_glib *adapter = ((struct source *)source)->adapter;
    unsigned slot, ready;

    (void)unused, (void)data;
    for (slot = 0; slot < MQTT_REACTOR_SLOTS; slot++) {
        if (!adapter->tags_[slot])
            continue;
        ready = mqtt_adapter_readiness(
            g_source_query_unix_fd(source, adapter->tags_[slot]));
        if (ready)
            mqtt_drive_ready(adapter->drive_, slot, ready);
    }
    mqtt_drive_turn(adapter->drive_);
    return G_SOURCE_CONTINUE;
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = mqtt_clock_now, .leave = leave};

enum mqtt_error mqtt_glib_attach(struct mqtt_glib *adapter,
                                 GMainContext *context,
                                 struct mqtt_client *client)
{
    static GSourceFuncs functions = {.dispatch = dispatch};

    *adapter = (struct mqtt_glib){.reactor = {&ops}};
    if (!client || !(adapter->drive_ = mqtt_drive_of(client)))
        return MQTT_ERR_ARGUMENT;
    adapter->source_ = g_source_new(&functions, sizeof(struct source));
    ((struct source *)adapter->source_)->adapter = adapter;
    g_source_set_name(adapter->source_, "mqttloop");
    g_source_attach(adapter->source_, context);
    mqtt_drive_attach(adapter->drive_, &adapter->reactor);
    return MQTT_OK;
}

void mqtt_glib_detach(struct mqtt_glib *adapter)
{
    mqtt_adapter_detach(adapter->drive_);
}
