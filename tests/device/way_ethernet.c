#include "way.h"

#include <mqttloop/lwip.h>
#include "ethernet.h"

uint16_t way_dns_port;
const char way_letter = 'e';
const char way_to_host[] = "10.0.2.2";

struct mqtt_transport *way_begin(struct mqtt_coop *coop,
                                 struct mqtt_coop_client *mqtt)
{
    static struct mqtt_lwip network;
    static const struct ethernet_addresses addresses = {
        "10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.2"};

    ethernet_begin(coop, &addresses);
    mqtt_lwip_init(&network, mqtt_coop_client_wake, mqtt);
    return &network.transport;
}
