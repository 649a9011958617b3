/* For lwIP itself: names are asked for at a port that the test says. */
#include <stdint.h>

extern uint16_t way_dns_port;
#define DNS_SERVER_PORT way_dns_port
