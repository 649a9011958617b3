#include "../adapter.h"
#include "clock.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <poll.h>

static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    struct mqtt_poll *poller = (struct mqtt_poll *)self;

    poller->descriptors_[slot] = descriptor;
    poller->masks_[slot] = mask;
    return 0;
}

static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    ((struct mqtt_poll *)self)->alarm_ = at;
}

/* Only what is watched: poll(2) refuses more entries than the process may
 * have descriptors. The number of them; slots[] says whose each is. */
static nfds_t collect(const struct mqtt_poll *poller, struct pollfd *entries,
                      unsigned *slots)
{
    nfds_t count = 0;

    for (unsigned slot = 0; slot < MQTT_REACTOR_SLOTS; slot++) {
        if (!poller->masks_[slot])
            continue;
        slots[count] = slot;
        entries[count++] = (struct pollfd){
            .fd = poller->descriptors_[slot],
            .events = (short)mqtt_adapter_events(poller->masks_[slot])};
    }
    return count;
}

static enum mqtt_error wait_until(struct mqtt_reactor *self, mqtt_time until)
{
    struct mqtt_poll *poller = (struct mqtt_poll *)self;
    struct pollfd entries[MQTT_REACTOR_SLOTS];
    unsigned slots[MQTT_REACTOR_SLOTS], ready;
    nfds_t count = collect(poller, entries, slots);

    if (poller->alarm_ < until)
        until = poller->alarm_;
    if (poll(entries, count, mqtt_posix_timeout(until)) < 0)
        return errno == EINTR ? MQTT_ERR_INTERRUPTED : MQTT_ERR_SYSTEM;
    for (nfds_t i = 0; i < count; i++) {
        ready = mqtt_adapter_readiness((unsigned)entries[i].revents) &
                poller->masks_[slots[i]];
        if (ready)
            mqtt_drive_ready(poller->drive_, slots[i], ready);
    }
    return MQTT_OK;
}

static void leave(struct mqtt_reactor *self)
{
    (void)self;
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch,
    .wake_at = wake_at,
    .now = mqtt_clock_now,
    .wait = wait_until,
    .leave = leave,
};

void mqtt_poll_init(struct mqtt_poll *poller, struct mqtt_drive *drive)
{
    *poller = (struct mqtt_poll){
        .reactor = {&ops}, .drive_ = drive, .alarm_ = MQTT_NEVER};
}
