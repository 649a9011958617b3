/* The serial line: UART1, by interrupts, a ring each way. */
#include "board.h"

#define LINE 0x40005000
enum {
    UART_DATA = 0,
    UART_STATE = 4,
    UART_CONTROL = 8,
    UART_CLEAR = 12,
    UART_DIVIDER = 16
};
#define FULL_TO_SEND 1u
#define FULL_RECEIVED 2u
#define SENDS 1u /* in UART_CLEAR: */
#define RECEIVES 2u
#define BOTH_ENABLED 3u /* in UART_CONTROL: */
#define SENT_INTERRUPTS 4u
#define RECEIVED_INTERRUPTS 8u

/* One side moves `head`, the other `tail`; both run over 16 bits. */
#define RING 256u
struct ring {
    uint8_t bytes[RING];
    volatile uint16_t head, tail;
};
static struct ring received, to_send;
static volatile bool held_back; /* bytes wait in the line for room */
static volatile bool refused;   /* somebody waits for room to send */
static bool begun;

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

/* Interrupts are off, or this is one. */
static void fill_receiver(void)
{
    while (used(&received) < RING &&
           (REGISTER(LINE + UART_STATE) & FULL_RECEIVED))
        put(&received, (uint8_t)REGISTER(LINE + UART_DATA));
    held_back = used(&received) == RING;
}

static void drain_sender(void)
{
    while (used(&to_send) && !(REGISTER(LINE + UART_STATE) & FULL_TO_SEND))
        REGISTER(LINE + UART_DATA) = get(&to_send);
}

/* Acknowledged before it is served: a byte that comes in between interrupts
 * again. */
void board_line_interrupt(unsigned number)
{
    bool wakes = number == BOARD_UART1_RECEIVES;

    REGISTER(LINE + UART_CLEAR) = wakes ? RECEIVES : SENDS;
    if (wakes) {
        fill_receiver();
    } else {
        drain_sender();
        wakes = refused && used(&to_send) <= RING / 4;
    }
    if (!wakes)
        return;
    refused = false;
    if (board_line.wake)
        board_line.wake(board_line.context);
}

static void begin(void)
{
    begun = true;
    REGISTER(LINE + UART_DIVIDER) = 217;
    REGISTER(LINE + UART_CONTROL) =
        BOTH_ENABLED | SENT_INTERRUPTS | RECEIVED_INTERRUPTS;
    cortex_m_enable_interrupt(BOARD_UART1_RECEIVES);
    cortex_m_enable_interrupt(BOARD_UART1_SENDS);
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
