/* The serial line: UART1. */
#include "board.h"
#include "../cortex-m/line.h"

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

void uart_begin(void)
{
    REGISTER(LINE + UART_DIVIDER) = 217; /* 115,200 baud */
    REGISTER(LINE + UART_CONTROL) =
        BOTH_ENABLED | SENT_INTERRUPTS | RECEIVED_INTERRUPTS;
    cortex_m_enable_interrupt(BOARD_UART1_RECEIVES);
    cortex_m_enable_interrupt(BOARD_UART1_SENDS);
}

bool uart_takes(uint8_t *byte)
{
    bool came = REGISTER(LINE + UART_STATE) & FULL_RECEIVED;

    if (came)
        *byte = (uint8_t)REGISTER(LINE + UART_DATA);
    return came;
}

bool uart_is_free(void)
{
    return !(REGISTER(LINE + UART_STATE) & FULL_TO_SEND);
}

void uart_gives(uint8_t byte)
{
    REGISTER(LINE + UART_DATA) = byte;
}

/* It interrupts once for each byte that comes. */
void uart_holds(bool held)
{
    (void)held;
}

void board_line_interrupt(unsigned number)
{
    REGISTER(LINE + UART_CLEAR) =
        number == BOARD_UART1_RECEIVES ? RECEIVES : SENDS;
    line_serve();
}
