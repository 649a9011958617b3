#include "watches.h"

static void tell(const struct mqtt_watches *watches, unsigned slot,
                 unsigned mask)
{
    struct mqtt_reactor *reactor = watches->reactor;

    if (reactor)
        reactor->ops->watch(reactor, slot, watches->descriptors[slot], mask);
}

void mqtt_watches_set(struct mqtt_watches *watches, unsigned slot,
                      int descriptor, unsigned mask)
{
    if (watches->masks[slot] == mask &&
        (mask == 0 || watches->descriptors[slot] == descriptor))
        return;
    watches->descriptors[slot] = descriptor;
    watches->masks[slot] = mask;
    tell(watches, slot, mask);
}

void mqtt_watches_attach(struct mqtt_watches *watches,
                         struct mqtt_reactor *reactor)
{
    unsigned slot;

    for (slot = 0; slot < MQTT_REACTOR_SLOTS; slot++)
        if (watches->masks[slot])
            tell(watches, slot, 0);
    watches->reactor = reactor;
    for (slot = 0; slot < MQTT_REACTOR_SLOTS; slot++)
        if (watches->masks[slot])
            tell(watches, slot, watches->masks[slot]);
}
