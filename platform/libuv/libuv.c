#include "../adapter.h"

#include <mqttloop/libuv.h>

/* Masks are passed on as they are. */
_Static_assert(UV_READABLE == (int)MQTT_READ && UV_WRITABLE == 2, "");

static void io_ready(uv_poll_t *poll, int status, int events)
{
    struct mqtt_libuv *adapter = poll->data;

    mqtt_adapter_ready(adapter->drive_, poll - adapter->polls_,
                       status < 0 ? MQTT_READ | MQTT_WRITE : (unsigned)events);
}

/* The last handle to go takes the adapter along. */
static void closed(uv_handle_t *handle)
{
    struct mqtt_libuv *self = handle->data;
    uv_poll_t *poll = (uv_poll_t *)handle;

    handle->data = NULL;
    if (self->drive_) /* then it is not the alarm */
        mqtt_adapter_ready(self->drive_, poll - self->polls_, MQTT_UNWATCHED);
    if (--self->open_ == 0 && self->closed_)
        self->closed_(self);
}

/* A handle is closed when it is not needed, not stopped: to close one whose
 * descriptor is gone would take its number from epoll, whoever has it now. */
static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    struct mqtt_libuv *adapter = (struct mqtt_libuv *)self;
    uv_poll_t *poll = &adapter->polls_[slot];
    int result = 0;

    if (poll->data && uv_is_closing((uv_handle_t *)poll))
        return 0; /* closed() goes on */
    if (mask && !poll->data) {
        result = uv_poll_init(adapter->loop_, poll, descriptor);
        poll->data = result ? NULL : adapter;
        adapter->open_ += !result;
    }
    if (mask && poll->data)
        uv_poll_start(poll, (int)mask, io_ready);
    else if (poll->data)
        uv_close((uv_handle_t *)poll, closed);
    return -result;
}

static void rings(uv_timer_t *alarm)
{
    mqtt_drive_turn(((struct mqtt_libuv *)alarm->data)->drive_);
}

/* A timer of no time at all, set while it rings, would leave nobody else a
 * turn; it is not active then. libuv's own now may be a millisecond old. */
static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    struct mqtt_libuv *adapter = (struct mqtt_libuv *)self;
    bool rings_now = !uv_is_active((uv_handle_t *)&adapter->alarm_);
    mqtt_time ms = mqtt_adapter_ms_until(at);

    uv_update_time(adapter->loop_);
    uv_timer_stop(&adapter->alarm_);
    if (at != MQTT_NEVER)
        uv_timer_start(&adapter->alarm_, rings, ms ? ms + 1 : rings_now, 0);
}

static void leave(struct mqtt_reactor *self)
{
    struct mqtt_libuv *adapter = (struct mqtt_libuv *)self;

    adapter->drive_ = NULL;
    uv_close((uv_handle_t *)&adapter->alarm_, closed);
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = mqtt_clock_now, .leave = leave};

enum mqtt_error mqtt_libuv_attach(struct mqtt_libuv *adapter, uv_loop_t *loop,
                                  struct mqtt_client *client,
                                  void (*on_closed)(struct mqtt_libuv *))
{
    *adapter = (struct mqtt_libuv){
        .reactor = {&ops}, .loop_ = loop, .closed_ = on_closed, .open_ = 1};
    if (!loop || !client || !(adapter->drive_ = mqtt_drive_of(client)))
        return MQTT_ERR_ARGUMENT;
    uv_timer_init(loop, &adapter->alarm_);
    adapter->alarm_.data = adapter;
    mqtt_drive_attach(adapter->drive_, &adapter->reactor);
    return MQTT_OK;
}

void mqtt_libuv_detach(struct mqtt_libuv *adapter)
{
    mqtt_adapter_detach(adapter->drive_);
}
