/*
 * What reactors on one machine have in common, whoever's main loop it is.
 * Inline, since adapters are in several libraries.
 */
#ifndef MQTTLOOP_PLATFORM_ADAPTER_H
#define MQTTLOOP_PLATFORM_ADAPTER_H

#include <mqttloop/drive.h>
#include <mqttloop/posix.h>
#include <poll.h>

/** now() of all: the loops' own clocks follow the wall clock and its jumps, or
 * tell when the loop began to turn, which may be long past. */
static inline mqtt_time mqtt_clock_now(struct mqtt_reactor *self)
{
    (void)self;
    return mqtt_posix_now();
}

/** 0: it is past. */
static inline mqtt_time mqtt_adapter_ms_until(mqtt_time at)
{
    mqtt_time now = mqtt_posix_now();

    return at > now ? at - now : 0;
}

/** MQTT_READ, MQTT_WRITE as poll(2) has them; epoll(7) and GLib have the same
 * bits. */
static inline unsigned mqtt_adapter_events(unsigned mask)
{
    return (mask & MQTT_READ ? (unsigned)POLLIN : 0) |
           (mask & MQTT_WRITE ? (unsigned)POLLOUT : 0);
}

/** And back. Errors and hang-up count as both. */
static inline unsigned mqtt_adapter_readiness(unsigned events)
{
    if (events & (unsigned)(POLLERR | POLLHUP | POLLNVAL))
        return MQTT_READ | MQTT_WRITE;
    return (events & (unsigned)POLLIN ? (unsigned)MQTT_READ : 0) |
           (events & (unsigned)POLLOUT ? (unsigned)MQTT_WRITE : 0);
}

/** One slot is ready, then a turn. A callback may have ended the adapter:
 * nothing of it is to be touched after. */
static inline void mqtt_adapter_ready(struct mqtt_drive *drive, ptrdiff_t slot,
                                      unsigned mask)
{
    mqtt_drive_ready(drive, (unsigned)slot, mask);
    mqtt_drive_turn(drive);
}

/** `drive` is NULL after leave(). */
static inline void mqtt_adapter_detach(struct mqtt_drive *drive)
{
    if (drive)
        mqtt_drive_detach(drive);
}

#endif
