#include "../adapter.h"
#include "clock.h"
#include "descriptor.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT, "");
_Static_assert(EPOLLERR == POLLERR && EPOLLHUP == POLLHUP, "");

/* Beside the slots. */
#define ALARM MQTT_REACTOR_SLOTS
#define ENTRIES (MQTT_REACTOR_SLOTS + 1)

static struct mqtt_descriptor *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_descriptor *)reactor;
}

/* 0, or an errno. */
static int change(struct mqtt_descriptor *self, int operation, unsigned slot)
{
    struct epoll_event event = {
        .data.u32 = slot, .events = mqtt_adapter_events(self->masks[slot])};

    return epoll_ctl(self->descriptor, operation, self->watched[slot], &event)
               ? errno
               : 0;
}

/* What was watched is taken out by name: closing alone does not, when a child
 * process has the descriptor too. */
static int watch(struct mqtt_reactor *reactor, unsigned slot, int descriptor,
                 unsigned mask)
{
    struct mqtt_descriptor *self = of(reactor);
    unsigned before = self->masks[slot];
    int error = 0;

    self->watched[slot] = descriptor;
    self->masks[slot] = mask;
    if (mask && mask != before)
        error = change(self, before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, slot);
    else if (!mask && before)
        change(self, EPOLL_CTL_DEL, slot);
    if (error)
        self->masks[slot] = 0;
    return error;
}

/* A moment that is past rings at once, but 0 is how a timer is switched off. */
static void wake_at(struct mqtt_reactor *reactor, mqtt_time at)
{
    struct itimerspec timer;

    memset(&timer, 0, sizeof timer);
    if (at != MQTT_NEVER) {
        timer.it_value.tv_sec = (time_t)(at / 1000);
        timer.it_value.tv_nsec = (long)(at % 1000) * 1000000;
    }
    if (at == 0)
        timer.it_value.tv_nsec = 1;
    timerfd_settime(of(reactor)->timer, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* The alarm needs no look: the turn that follows sees to it. */
static enum mqtt_error wait_until(struct mqtt_reactor *reactor, mqtt_time until)
{
    struct mqtt_descriptor *self = of(reactor);
    struct epoll_event events[ENTRIES];
    int count = epoll_wait(self->descriptor, events, ENTRIES,
                           mqtt_posix_timeout(until));

    if (count < 0)
        return errno == EINTR ? MQTT_ERR_INTERRUPTED : MQTT_ERR_SYSTEM;
    for (int i = 0; i < count; i++) {
        unsigned slot = events[i].data.u32;

        if (slot != ALARM)
            mqtt_drive_ready(self->drive, slot,
                             mqtt_adapter_readiness(events[i].events) &
                                 self->masks[slot]);
    }
    return MQTT_OK;
}

static void leave(struct mqtt_reactor *reactor)
{
    (void)reactor;
}

static const struct mqtt_reactor_ops ops = {
    .watch = watch,
    .wake_at = wake_at,
    .now = mqtt_clock_now,
    .wait = wait_until,
    .leave = leave,
};

void mqtt_descriptor_init(struct mqtt_descriptor *self,
                          struct mqtt_drive *drive)
{
    *self = (struct mqtt_descriptor){
        .reactor = {&ops}, .drive = drive, .descriptor = -1, .timer = -1};
}

static bool make(struct mqtt_descriptor *self)
{
    struct epoll_event event = {.data.u32 = ALARM, .events = EPOLLIN};

    self->descriptor = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return self->descriptor >= 0 && self->timer >= 0 &&
           !epoll_ctl(self->descriptor, EPOLL_CTL_ADD, self->timer, &event);
}

enum mqtt_error mqtt_descriptor_open(struct mqtt_descriptor *self)
{
    if (make(self))
        return MQTT_OK;
    mqtt_descriptor_close(self);
    return MQTT_ERR_SYSTEM;
}

void mqtt_descriptor_close(struct mqtt_descriptor *self)
{
    if (self->timer >= 0)
        close(self->timer);
    if (self->descriptor >= 0)
        close(self->descriptor);
    self->timer = self->descriptor = -1;
}
