/* way.h - the way to the server: way_ethernet.c or way_line.c. */
#ifndef WAY_H
#define WAY_H

#include "board.h"

/** The host of the emulator, as the firmware names it. */
extern const char way_to_host[];
/** For the client identifier. */
extern const char way_letter;

/** Where lwIP asks for names at the host. */
extern uint16_t way_dns_port;

/** Begin; the transport, which wakes `mqtt`. */
struct mqtt_transport *way_begin(struct mqtt_coop *coop,
                                 struct mqtt_coop_client *mqtt);

#endif
