#include "way.h"

uint16_t way_dns_port;
const char way_letter = 'l';
const char way_to_host[] = "127.0.0.1";

struct mqtt_transport *way_begin(struct mqtt_coop *coop,
                                 struct mqtt_coop_client *mqtt)
{
    static struct mqtt_uart uart;

    (void)coop;
    mqtt_uart_init(&uart, &board_line, mqtt_coop_client_wake, mqtt);
    return &uart.transport;
}
