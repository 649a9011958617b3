#include <mqttloop/libuv.h>

/* Masks are passed on as they are. */
_Static_assert(UV_READABLE == (int)MQTT_READ && UV_WRITABLE == 2, "");

static struct mqtt_libuv *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_libuv *)reactor;
}

/* The slot may be to watch something else by now. The last handle to go takes
 * the adapter along. */
static void closed(uv_handle_t *handle)
{
    struct mqtt_libuv *self = handle->data;
    ptrdiff_t slot = self->drive_ ? (uv_poll_t *)handle - self->polls_ : 0;

    handle->data = NULL;
    if (self->drive_)
        self->reactor.ops->watch(&self->reactor, (unsigned)slot,
                                 self->descriptors_[slot], self->masks_[slot]);
    if (--self->open_ == 0 && self->closed_)
        self->closed_(self);
}

static void close_once(void *handle)
{
    if (((uv_handle_t *)handle)->data && !uv_is_closing(handle))
        uv_close(handle, closed);
}

static void io_ready(uv_poll_t *poll, int status, int events)
{
    struct mqtt_libuv *adapter = poll->data;

    mqtt_drive_ready(adapter->drive_, (unsigned)(poll - adapter->polls_),
                     status < 0 ? MQTT_READ | MQTT_WRITE : (unsigned)events);
    mqtt_drive_turn(adapter->drive_);
}

/* A handle is closed when it is not needed, not stopped: to close one whose
 * descriptor is gone would take its number from epoll, whoever has it now. */
static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    uv_poll_t *poll = &of(self)->polls_[slot];
    bool other = of(self)->descriptors_[slot] != descriptor;

    of(self)->descriptors_[slot] = descriptor;
    of(self)->masks_[slot] = mask;
    if (!mask || (poll->data && other)) {
        close_once(poll);
    } else if (!poll->data &&
               !uv_poll_init(of(self)->loop_, poll, descriptor)) {
        poll->data = self;
        of(self)->open_++;
    }
    if (poll->data && !uv_is_closing((uv_handle_t *)poll))
        uv_poll_start(poll, (int)mask, io_ready);
    return 0;
}

static mqtt_time now(struct mqtt_reactor *self)
{
    (void)self;
    return uv_hrtime() / 1000000;
}

static void rings(uv_timer_t *alarm)
{
    struct mqtt_libuv *adapter = alarm->data;

    adapter->ringing_ = 1;
    mqtt_drive_turn(adapter->drive_);
    adapter->ringing_ = 0;
}

/* A timer of no time at all, set while it rings, would leave nobody else a
 * turn. libuv's own idea of now may be a millisecond old. */
static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    mqtt_time past = now(self);

    uv_update_time(of(self)->loop_);
    if (at == MQTT_NEVER)
        uv_timer_stop(&of(self)->alarm_);
    else
        uv_timer_start(&of(self)->alarm_, rings,
                       at > past ? at - past + 1 : of(self)->ringing_, 0);
}

static void leave(struct mqtt_reactor *self)
{
    of(self)->drive_ = NULL;
    for (unsigned slot = 0; slot < MQTT_REACTOR_SLOTS; slot++)
        close_once(&of(self)->polls_[slot]);
    close_once(&of(self)->alarm_);
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = now, .leave = leave};

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
    if (adapter->drive_)
        mqtt_drive_detach(adapter->drive_);
}
