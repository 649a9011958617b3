/* For systems without eventfd(2): no client is wakeable. */
#include "wake.h"

enum mqtt_error mqtt_waker_open(struct mqtt_waker *waker)
{
    waker->descriptor = -1;
    return MQTT_ERR_SYSTEM;
}

void mqtt_waker_close(struct mqtt_waker *waker)
{
    (void)waker;
}

void mqtt_waker_ring(const struct mqtt_waker *waker)
{
    (void)waker;
}

void mqtt_waker_ready(const struct mqtt_waker *waker)
{
    (void)waker;
}
