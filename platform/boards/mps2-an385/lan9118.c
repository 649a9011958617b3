#include "lan9118.h"
#include "board.h"

#include <string.h>

#define CHIP 0x40200000
enum {
    RX_DATA = 0x00,
    TX_DATA = 0x20,
    RX_STATUS = 0x40,
    TX_STATUS = 0x48,
    IRQ_CONFIGURATION = 0x54,
    INTERRUPTS = 0x58,
    INTERRUPTS_ENABLED = 0x5C,
    FIFO_INTERRUPTS = 0x68,
    TX_CONFIGURATION = 0x70,
    HARDWARE = 0x74,
    RX_FIFO = 0x7C,
    TX_FIFO = 0x80,
    MAC_COMMAND = 0xA4,
    MAC_DATA = 0xA8
};
#define IRQ_ENABLED_HIGH_PUSH_PULL 0x111u
#define RECEIVED_INTERRUPT (1u << 3)
#define PHY_INTERRUPT (1u << 18)
#define TX_ON 2u
#define RX_ERROR (1u << 15) /* in RX_STATUS: sum, length, collision */
#define SOFT_RESET 1u
#define STORE_AND_FORWARD (1u << 20)
#define FIFO_5K_FOR_SENDING (5u << 16)
#define FIRST_AND_LAST ((1u << 13) | (1u << 12))

/* Registers of the MAC, behind its command register; those of the PHY behind
 * the MAC. */
enum {
    MAC_CONTROL = 1,
    MAC_HIGH = 2,
    MAC_LOW = 3,
    MAC_MII = 6,
    MAC_MII_DATA = 7
};
#define BUSY 0x80000000u
#define READS 0x40000000u
#define FULL_DUPLEX (1u << 20)
#define TRANSMITS (1u << 3)
#define RECEIVES (1u << 2)
enum { PHY_CONTROL = 0, PHY_STATUS = 1, PHY_SOURCE = 29, PHY_MASK = 30 };
#define MII_PHY_1 (1u << 11)
#define MII_WRITES 2u
#define MII_BUSY 1u
#define LINK_UP 4u
#define LINK_DOWN_OR_NEGOTIATED 0x50u
#define NEGOTIATE 0x1200u

static uint32_t mac_read(unsigned number)
{
    REGISTER(CHIP + MAC_COMMAND) = BUSY | READS | number;
    while (REGISTER(CHIP + MAC_COMMAND) & BUSY)
        ;
    return REGISTER(CHIP + MAC_DATA);
}

static void mac_write(unsigned number, uint32_t value)
{
    REGISTER(CHIP + MAC_DATA) = value;
    REGISTER(CHIP + MAC_COMMAND) = BUSY | number;
    while (REGISTER(CHIP + MAC_COMMAND) & BUSY)
        ;
}

static uint32_t phy_read(unsigned number)
{
    mac_write(MAC_MII, MII_PHY_1 | (number << 6) | MII_BUSY);
    while (mac_read(MAC_MII) & MII_BUSY)
        ;
    return mac_read(MAC_MII_DATA);
}

static void phy_write(unsigned number, uint32_t value)
{
    mac_write(MAC_MII_DATA, value);
    mac_write(MAC_MII, MII_PHY_1 | (number << 6) | MII_WRITES | MII_BUSY);
    while (mac_read(MAC_MII) & MII_BUSY)
        ;
}

void lan9118_begin(const uint8_t *address)
{
    REGISTER(CHIP + HARDWARE) = SOFT_RESET;
    while (REGISTER(CHIP + HARDWARE) & SOFT_RESET)
        ;
    REGISTER(CHIP + HARDWARE) = STORE_AND_FORWARD | FIFO_5K_FOR_SENDING;
    mac_write(MAC_LOW, (uint32_t)address[0] | (uint32_t)address[1] << 8 |
                           (uint32_t)address[2] << 16 |
                           (uint32_t)address[3] << 24);
    mac_write(MAC_HIGH, (uint32_t)address[4] | (uint32_t)address[5] << 8);
    mac_write(MAC_CONTROL, FULL_DUPLEX | TRANSMITS | RECEIVES);
    phy_write(PHY_CONTROL, NEGOTIATE);
    phy_write(PHY_MASK, LINK_DOWN_OR_NEGOTIATED);
    REGISTER(CHIP + TX_CONFIGURATION) = TX_ON;
    REGISTER(CHIP + FIFO_INTERRUPTS) = 0; /* at the first frame */
    REGISTER(CHIP + INTERRUPTS) = UINT32_MAX;
    REGISTER(CHIP + IRQ_CONFIGURATION) = IRQ_ENABLED_HIGH_PUSH_PULL;
    lan9118_listen();
    cortex_m_enable_interrupt(BOARD_ETHERNET);
}

void lan9118_hush(void)
{
    REGISTER(CHIP + INTERRUPTS_ENABLED) = 0;
}

void lan9118_listen(void)
{
    REGISTER(CHIP + INTERRUPTS) = RECEIVED_INTERRUPT;
    REGISTER(CHIP + INTERRUPTS_ENABLED) = RECEIVED_INTERRUPT | PHY_INTERRUPT;
}

bool lan9118_link(void)
{
    (void)phy_read(PHY_SOURCE);
    (void)phy_read(PHY_STATUS); /* it remembers that the link was down */
    return phy_read(PHY_STATUS) & LINK_UP;
}

/* ---- frames ---------------------------------------------------------------- */

/* One that came damaged is dropped. */
size_t lan9118_received(void)
{
    while (REGISTER(CHIP + RX_FIFO) & 0x00FF0000u) {
        uint32_t status = REGISTER(CHIP + RX_STATUS);
        size_t size = (status >> 16) & 0x3FFF;

        if (!(status & RX_ERROR))
            return size;
        lan9118_skip(size);
    }
    return 0;
}

void lan9118_read(void *bytes, size_t size)
{
    uint8_t *to = bytes;

    for (; size;) {
        uint32_t word = REGISTER(CHIP + RX_DATA);
        size_t n = size < 4 ? size : 4;

        memcpy(to, &word, n);
        to += n;
        size -= n;
    }
}

void lan9118_skip(size_t size)
{
    for (; size; size = size > 4 ? size - 4 : 0)
        (void)REGISTER(CHIP + RX_DATA);
}

/* A word that is not whole yet, of a frame in pieces. */
static uint32_t partial;
static unsigned partial_size;
static size_t unwritten;

bool lan9118_send(size_t size)
{
    while (REGISTER(CHIP + TX_FIFO) & 0x00FF0000u)
        (void)REGISTER(CHIP + TX_STATUS);
    if ((REGISTER(CHIP + TX_FIFO) & 0xFFFF) < size + 16)
        return false;
    REGISTER(CHIP + TX_DATA) = FIRST_AND_LAST | (uint32_t)size;
    REGISTER(CHIP + TX_DATA) = (uint32_t)size;
    partial = partial_size = 0;
    unwritten = size;
    return true;
}

void lan9118_write(const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    for (; size; size--) {
        partial |= (uint32_t)*from++ << (8 * partial_size++);
        if (--unwritten && partial_size < 4)
            continue;
        REGISTER(CHIP + TX_DATA) = partial;
        partial = partial_size = 0;
    }
}
