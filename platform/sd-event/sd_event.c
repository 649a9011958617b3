#include <mqttloop/sd-event.h>
#include <sys/epoll.h>
#include <time.h>

static struct mqtt_sd_event *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_sd_event *)reactor;
}

static uint32_t events_of(unsigned mask)
{
    return (mask & MQTT_READ ? (uint32_t)EPOLLIN : 0) |
           (mask & MQTT_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static unsigned mask_of(uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return MQTT_READ | MQTT_WRITE;
    return (events & EPOLLIN ? MQTT_READ : 0u) |
           (events & EPOLLOUT ? MQTT_WRITE : 0u);
}

/* A callback may have ended the adapter: nothing of it is touched after. */
static int io_ready(sd_event_source *source, int descriptor, uint32_t events,
                    void *context)
{
    struct mqtt_sd_event *adapter = context;
    unsigned slot = 0;

    (void)descriptor;
    while (adapter->io_[slot] != source)
        slot++;
    mqtt_drive_ready(adapter->drive_, slot, mask_of(events));
    mqtt_drive_turn(adapter->drive_);
    return 0;
}

static int alarm_rings(sd_event_source *source, uint64_t at_us, void *context)
{
    (void)source, (void)at_us;
    mqtt_drive_turn(((struct mqtt_sd_event *)context)->drive_);
    return 0;
}

/* A source that is off is not with epoll: the next descriptor may have the
 * number of the last. */
static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    sd_event_source **io = &of(self)->io_[slot];

    if (!*io && mask) {
        sd_event_add_io(of(self)->event_, io, descriptor, events_of(mask),
                        io_ready, self);
        return 0;
    }
    if (!*io)
        return 0;
    if (!mask || sd_event_source_get_io_fd(*io) != descriptor)
        sd_event_source_set_enabled(*io, SD_EVENT_OFF);
    if (!mask)
        return 0;
    sd_event_source_set_io_fd(*io, descriptor);
    sd_event_source_set_io_events(*io, events_of(mask));
    sd_event_source_set_enabled(*io, SD_EVENT_ON);
    return 0;
}

/* Not sd_event_now(), which is that of the last iteration. */
static mqtt_time now(struct mqtt_reactor *self)
{
    struct timespec at;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (mqtt_time)at.tv_sec * 1000 + (mqtt_time)at.tv_nsec / 1000000;
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
    for (unsigned slot = 0; slot < MQTT_REACTOR_SLOTS; slot++)
        sd_event_source_disable_unref(of(self)->io_[slot]);
    sd_event_source_disable_unref(of(self)->alarm_);
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch, .wake_at = wake_at, .now = now, .leave = leave};

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
    if (adapter->drive_)
        mqtt_drive_detach(adapter->drive_);
}
