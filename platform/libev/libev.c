#include "../adapter.h"

#include <errno.h>
#include <mqttloop/libev.h>

/* Masks are passed on as they are. */
#define BOTH (EV_READ | EV_WRITE)
_Static_assert(EV_READ == (int)MQTT_READ && EV_WRITE == (int)MQTT_WRITE, "");

static struct mqtt_libev *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_libev *)reactor;
}

/* What epoll refuses, libev finds out when it turns, and tells when it has
 * waited next: so it must not wait. */
static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    struct ev_loop *loop = of(self)->loop_;
    ev_io *io = &of(self)->io_[slot];
    bool refused = of(self)->refused_[slot];

    of(self)->refused_[slot] = false;
    if (mask && !ev_is_active(io))
        ev_timer_start(loop, &of(self)->soon_);
    ev_io_stop(loop, io);
    ev_io_set(io, descriptor, (int)mask);
    if (!mask || refused)
        return mask ? EIO : 0;
    ev_io_start(loop, io);
    return 0;
}

/* libev counts from its own idea of now, which may be long past. */
static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    struct mqtt_libev *adapter = of(self);
    mqtt_time after_ms = mqtt_adapter_ms_until(at);

    ev_timer_stop(adapter->loop_, &adapter->alarm_);
    if (after_ms > 0 && at != MQTT_NEVER)
        ev_now_update(adapter->loop_);
    ev_timer_set(&adapter->alarm_, (double)after_ms / 1000, 0.);
    if (at != MQTT_NEVER)
        ev_timer_start(adapter->loop_, &adapter->alarm_);
}

static void leave(struct mqtt_reactor *self)
{
    ev_timer_stop(of(self)->loop_, &of(self)->soon_);
    of(self)->drive_ = NULL;
}

static void io_ready(struct ev_loop *loop, ev_io *io, int events)
{
    struct mqtt_libev *adapter = io->data;
    ptrdiff_t slot = io - adapter->io_;

    (void)loop;
    adapter->refused_[slot] = events & EV_ERROR;
    mqtt_adapter_ready(adapter->drive_, slot,
                       adapter->refused_[slot] ? (unsigned)MQTT_UNWATCHED
                                               : (unsigned)(events & BOTH));
}

static void alarm_rings(struct ev_loop *loop, ev_timer *alarm, int events)
{
    (void)loop, (void)events;
    mqtt_drive_turn(((struct mqtt_libev *)alarm->data)->drive_);
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = mqtt_clock_now, .leave = leave};

enum mqtt_error mqtt_libev_attach(struct mqtt_libev *adapter,
                                  struct ev_loop *loop,
                                  struct mqtt_client *client)
{
    unsigned slot;

    *adapter = (struct mqtt_libev){.reactor = {&ops}, .loop_ = loop};
    if (!loop || !client || !(adapter->drive_ = mqtt_drive_of(client)))
        return MQTT_ERR_ARGUMENT;
    ev_init(&adapter->alarm_, alarm_rings);
    ev_timer_init(&adapter->soon_, alarm_rings, 0., 0.);
    adapter->alarm_.data = adapter->soon_.data = adapter;
    for (slot = 0; slot < MQTT_REACTOR_SLOTS; slot++) {
        ev_init(&adapter->io_[slot], io_ready);
        adapter->io_[slot].data = adapter;
    }
    mqtt_drive_attach(adapter->drive_, &adapter->reactor);
    return MQTT_OK;
}

void mqtt_libev_detach(struct mqtt_libev *adapter)
{
    mqtt_adapter_detach(adapter->drive_);
}
