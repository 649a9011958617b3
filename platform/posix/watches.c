#include "watches.h"

static void tell(struct mqtt_watches *watches, unsigned slot, unsigned mask)
{
    struct mqtt_reactor *reactor = watches->reactor;
    int error = 0;

    if (reactor)
        error = reactor->ops->watch(reactor, slot, watches->descriptors[slot],
                                    mask);
    if (error)
        watches->refused = error;
}

static void tell_all(struct mqtt_watches *watches, bool stop)
{
    for (unsigned slot = 0; slot < MQTT_REACTOR_SLOTS; slot++)
        if (watches->masks[slot])
            tell(watches, slot, stop ? 0 : watches->masks[slot]);
}

void mqtt_watches_retry(struct mqtt_watches *watches)
{
    watches->refused = 0;
    tell_all(watches, false);
}

void mqtt_watches_again(struct mqtt_watches *watches, unsigned slot)
{
    if (watches->masks[slot])
        tell(watches, slot, watches->masks[slot]);
}

void mqtt_watches_set(struct mqtt_watches *watches, unsigned slot,
                      int descriptor, unsigned mask)
{
    if (watches->masks[slot] == mask &&
        (mask == 0 || watches->descriptors[slot] == descriptor))
        return;
    if (mask && watches->masks[slot] &&
        watches->descriptors[slot] != descriptor)
        tell(watches, slot, 0);
    watches->descriptors[slot] = descriptor;
    watches->masks[slot] = mask;
    tell(watches, slot, mask);
}

void mqtt_watches_attach(struct mqtt_watches *watches,
                         struct mqtt_reactor *reactor)
{
    tell_all(watches, true);
    watches->reactor = reactor;
    mqtt_watches_retry(watches);
}
