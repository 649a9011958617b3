#include "../adapter.h"

#include <mqttloop/sd-event.h>
#include <sys/epoll.h>

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT, "");
_Static_assert(EPOLLERR == POLLERR && EPOLLHUP == POLLHUP, "");

static struct mqtt_sd_event *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_sd_event *)reactor;
}

static int io_ready(sd_event_source *source, int descriptor, uint32_t events,
                    void *context)
{
    struct mqtt_sd_event *adapter = context;
    ptrdiff_t slot = 0;

    (void)descriptor;
    while (adapter->io_[slot] != source)
        slot++;
    mqtt_adapter_ready(adapter->drive_, slot, mqtt_adapter_readiness(events));
    return 0;
}

static int alarm_rings(sd_event_source *source, uint64_t at_us, void *context)
{
    (void)source, (void)at_us;
    mqtt_drive_turn(((struct mqtt_sd_event *)context)->drive_);
    return 0;
}

static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    sd_event_source **io = &of(self)->io_[slot];
    uint32_t events = mqtt_adapter_events(mask);
    int result = 0;

    if (!mask)
        *io = sd_event_source_disable_unref(*io);
    else if (*io)
        result = sd_event_source_set_io_events(*io, events);
    else
        result = sd_event_add_io(of(self)->event_, io, descriptor, events,
                                 io_ready, self);
    return result < 0 ? -result : 0;
}

static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    if (at != MQTT_NEVER)
        sd_event_source_set_time(of(self)->alarm_, at * 1000);
    sd_event_source_set_enabled(
        of(self)->alarm_, at == MQTT_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void leave(struct mqtt_reactor *self)
{
    of(self)->drive_ = NULL;
    sd_event_source_disable_unref(of(self)->alarm_);
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = mqtt_clock_now, .leave = leave};

enum mqtt_error mqtt_sd_event_attach(struct mqtt_sd_event *adapter,
                                     sd_event *event,
                                     struct mqtt_client *client)
{
    *adapter = (struct mqtt_sd_event){.reactor = {&ops}, .event_ = event};
    if (!event || !client || !mqtt_drive_of(client))
        return MQTT_ERR_ARGUMENT;
    /* An accuracy of 0 would be a quarter of a second. */
    if (sd_event_add_time(event, &adapter->alarm_, CLOCK_MONOTONIC, 0, 1,
                          alarm_rings, adapter) < 0)
        return MQTT_ERR_SYSTEM;
    adapter->drive_ = mqtt_drive_of(client);
    mqtt_drive_attach(adapter->drive_, &adapter->reactor);
    return MQTT_OK;
}

void mqtt_sd_event_detach(struct mqtt_sd_event *adapter)
{
    mqtt_adapter_detach(adapter->drive_);
}
