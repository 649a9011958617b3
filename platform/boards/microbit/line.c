/* The serial line: nRF51's UART, by interrupts, a ring each way. */
#include "board.h"

void board_interrupt(unsigned number);

#define LINE 0x40002000
enum {
    UART_START_RECEIVING = 0x000,
    UART_START_SENDING = 0x008,
    UART_RECEIVED = 0x108,
    UART_SENT = 0x11C,
    UART_INTERRUPTS_ON = 0x304,
    UART_ENABLE = 0x500,
    UART_RXD = 0x518,
    UART_TXD = 0x51C
};
#define RECEIVED_INTERRUPT (1u << 2)
#define SENT_INTERRUPT (1u << 7)
#define ENABLED 4u

/* One side moves `head`, the other `tail`; both run over 16 bits. */
#define RING 256u
struct ring {
    uint8_t bytes[RING];
    volatile uint16_t head, tail;
};
static struct ring received, to_send;
static volatile bool held_back; /* bytes wait in the line for room */
static volatile bool refused;   /* somebody waits for room to send */
static bool begun, sending;

static unsigned used(const struct ring *ring)
{
    return (uint16_t)(ring->tail - ring->head);
}

static void put(struct ring *ring, uint8_t byte)
{
    ring->bytes[ring->tail % RING] = byte;
    ring->tail++;
}

static uint8_t get(struct ring *ring)
{
    uint8_t byte = ring->bytes[ring->head % RING];

    ring->head++;
    return byte;
}

/* Interrupts are off, or this is one. An event falls before its byte is read:
 * the next byte raises it again. */
static void fill_receiver(void)
{
    while (used(&received) < RING && REGISTER(LINE + UART_RECEIVED)) {
        REGISTER(LINE + UART_RECEIVED) = 0;
        put(&received, (uint8_t)REGISTER(LINE + UART_RXD));
    }
    held_back = used(&received) == RING;
}

/* The next byte, when the last one has left. */
static void drain_sender(void)
{
    if (REGISTER(LINE + UART_SENT)) {
        REGISTER(LINE + UART_SENT) = 0;
        sending = false;
    }
    if (sending || !used(&to_send))
        return;
    sending = true;
    REGISTER(LINE + UART_TXD) = get(&to_send);
}

/* A full ring leaves the byte, and the interrupt, where they are: it is held
 * back until somebody reads. */
void board_interrupt(unsigned number)
{
    unsigned before = used(&received);
    bool wakes;

    if (number != BOARD_UART)
        return;
    fill_receiver();
    if (held_back)
        REGISTER(LINE + UART_INTERRUPTS_ON + 4) = RECEIVED_INTERRUPT;
    drain_sender();
    wakes =
        used(&received) != before || (refused && used(&to_send) <= RING / 4);
    if (!wakes)
        return;
    refused = false;
    if (board_line.wake)
        board_line.wake(board_line.context);
}

static void begin(void)
{
    begun = true;
    REGISTER(LINE + UART_ENABLE) = ENABLED;
    REGISTER(LINE + UART_START_RECEIVING) = 1;
    REGISTER(LINE + UART_START_SENDING) = 1;
    REGISTER(LINE + UART_INTERRUPTS_ON) = RECEIVED_INTERRUPT | SENT_INTERRUPT;
    cortex_m_enable_interrupt(BOARD_UART);
}

static size_t line_read(struct mqtt_pipe *self, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t n = 0;

    (void)self;
    if (!begun)
        begin();
    while (n < size && used(&received))
        to[n++] = get(&received);
    if (held_back) {
        cortex_m_mask();
        fill_receiver();
        REGISTER(LINE + UART_INTERRUPTS_ON) = RECEIVED_INTERRUPT;
        cortex_m_unmask();
    }
    return n;
}

static size_t line_room(struct mqtt_pipe *self, size_t wanted)
{
    size_t room;

    (void)self;
    cortex_m_mask();
    room = RING - used(&to_send);
    refused = refused || room < wanted;
    cortex_m_unmask();
    return room;
}

static void line_write(struct mqtt_pipe *self, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    (void)self;
    if (!begun)
        begin();
    while (size--)
        put(&to_send, *from++);
    cortex_m_mask();
    drain_sender();
    cortex_m_unmask();
}

struct mqtt_pipe board_line = {line_read, line_room, line_write, NULL, NULL};
