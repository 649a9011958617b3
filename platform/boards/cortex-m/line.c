#include "line.h"

/* One side moves `head`, the other `tail`; both run over 16 bits. */
#define RING 256u
struct ring {
    uint8_t bytes[RING];
    volatile uint16_t head, tail;
};
static struct ring received, to_send;
static volatile bool held_back; /* bytes wait in the UART for room */
static volatile bool refused;   /* somebody waits for room to send */
static bool begun;

extern struct mqtt_pipe board_line;

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
    uint8_t byte;

    while (used(&received) < RING && uart_takes(&byte))
        put(&received, byte);
    held_back = used(&received) == RING;
    uart_holds(held_back);
}

static void drain_sender(void)
{
    while (uart_is_free() && used(&to_send))
        uart_gives(get(&to_send));
}

void line_serve(void)
{
    unsigned before = used(&received);

    fill_receiver();
    drain_sender();
    if (used(&received) == before && !(refused && used(&to_send) <= RING / 4))
        return;
    refused = false;
    if (board_line.wake)
        board_line.wake(board_line.context);
}

static void begin_once(void)
{
    if (!begun)
        uart_begin();
    begun = true;
}

static size_t line_read(struct mqtt_pipe *self, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t n = 0;

    (void)self;
    begin_once();
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
    begin_once();
    while (size--)
        put(&to_send, *from++);
    cortex_m_mask();
    drain_sender();
    cortex_m_unmask();
}

struct mqtt_pipe board_line = {line_read, line_room, line_write, NULL, NULL};
