#include "ethernet.h"
#include "lan9118.h"

#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

/* Given by the maker of the board, in a real one. */
static const uint8_t hardware_address[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

static struct mqtt_coop *scheduler;
static struct mqtt_coop_task task;
static struct netif interface;

uint32_t sys_now(void)
{
    return (uint32_t)mqtt_coop_now(scheduler);
}

/* Where the clock stands when it is asked is all that is random here. */
uint32_t board_random(void)
{
    static uint32_t bits;

    bits = bits * 1664525u + 1013904223u + sys_now();
    return bits ^ bits >> 16;
}

void board_ethernet_interrupt(void)
{
    lan9118_hush();
    mqtt_coop_wake(&task);
}

/* What is sent sets lwIP's timers, so the task asks anew when they are due. */
static err_t output(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    mqtt_coop_wake(&task);
    if (!lan9118_send(frame->tot_len))
        return ERR_IF;
    for (; frame; frame = frame->next)
        lan9118_write(frame->payload, frame->len);
    return ERR_OK;
}

/* The controller's words go right into the pbufs, whose sizes are multiples of
 * four but for the last one. */
static struct pbuf *read_frame(size_t size)
{
    struct pbuf *frame, *piece;

    frame = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_POOL);
    for (piece = frame; piece; piece = piece->next)
        lan9118_read(piece->payload, piece->len);
    if (!frame)
        lan9118_skip(size);
    return frame;
}

static void receive(void)
{
    size_t size;

    while ((size = lan9118_received()) != 0) {
        struct pbuf *frame = read_frame(size);

        if (frame && interface.input(frame, &interface) != ERR_OK)
            pbuf_free(frame);
    }
}

static void look_at_link(void)
{
    if (lan9118_link())
        netif_set_link_up(&interface);
    else
        netif_set_link_down(&interface);
}

static void run(struct mqtt_coop_task *self)
{
    uint32_t in_ms;

    lan9118_listen();
    look_at_link();
    receive();
    sys_check_timeouts();
    in_ms = sys_timeouts_sleeptime();
    mqtt_coop_wake_at(self, in_ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE
                                ? MQTT_NEVER
                                : mqtt_coop_now(scheduler) + in_ms);
}

static err_t begin_interface(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = output;
    netif->mtu = 1500;
    netif->hwaddr_len = sizeof(hardware_address);
    MEMCPY(netif->hwaddr, hardware_address, sizeof(hardware_address));
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    lan9118_begin(hardware_address);
    return ERR_OK;
}

static ip4_addr_t read_address(const char *text)
{
    ip4_addr_t address = {0};

    (void)ip4addr_aton(text, &address);
    return address;
}

void ethernet_begin(struct mqtt_coop *coop,
                    const struct ethernet_addresses *addresses)
{
    ip4_addr_t address = read_address(addresses->address),
               netmask = read_address(addresses->netmask),
               gateway = read_address(addresses->gateway),
               server = read_address(addresses->name_server);

    scheduler = coop;
    task.run = run;
    mqtt_coop_add(coop, &task);
    lwip_init();
    netif_add(&interface, &address, &netmask, &gateway, NULL, begin_interface,
              ethernet_input);
    netif_set_default(&interface);
    netif_set_up(&interface);
    look_at_link();
    dns_setserver(0, &server);
}

bool ethernet_link(void)
{
    return netif_is_link_up(&interface);
}
