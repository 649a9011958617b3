/*
 * ethernet.h - the board's Ethernet as lwIP's network interface, and lwIP as a
 * task of the scheduler.
 */
#ifndef MPS2_AN385_ETHERNET_H
#define MPS2_AN385_ETHERNET_H

#include "board.h"

/** Addresses, as lwIP reads them: "10.0.2.15". */
struct ethernet_addresses {
    const char *address, *netmask, *gateway, *name_server;
};

/** lwIP, its one interface, and the task that moves frames and runs lwIP's
 * timers. The cable may come and go. */
void ethernet_begin(struct mqtt_coop *coop,
                    const struct ethernet_addresses *addresses);

/** Whether the cable is in. */
bool ethernet_link(void);

#endif
