#include "wake.h"

#include <errno.h>
#include <mqttloop/client.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum mqtt_error mqtt_waker_open(struct mqtt_waker *waker)
{
    waker->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return waker->descriptor < 0 ? MQTT_ERR_SYSTEM : MQTT_OK;
}

void mqtt_waker_close(struct mqtt_waker *waker)
{
    if (waker->descriptor >= 0)
        close(waker->descriptor);
    waker->descriptor = -1;
}

/* A failure is a counter that is full, and then it is readable anyway. */
void mqtt_waker_ring(const struct mqtt_waker *waker)
{
    const uint64_t one = 1;
    int error = errno;
    ssize_t written = write(waker->descriptor, &one, sizeof one);

    (void)written;
    errno = error;
}

/* All calls since the last time are one number. */
void mqtt_waker_ready(const struct mqtt_waker *waker)
{
    uint64_t calls;

    if (read(waker->descriptor, &calls, sizeof calls) == sizeof calls)
        mqtt_client_woken(waker->client);
}
