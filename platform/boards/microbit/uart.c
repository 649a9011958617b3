/* The serial line: nRF51's UART. */
#include "board.h"
#include "../cortex-m/line.h"

void board_interrupt(unsigned number);

#define LINE 0x40002000
enum {
    UART_START_RECEIVING = 0x000,
    UART_START_SENDING = 0x008,
    UART_RECEIVED = 0x108,
    UART_SENT = 0x11C,
    UART_INTERRUPTS_ON = 0x304,
    UART_INTERRUPTS_OFF = 0x308,
    UART_ENABLE = 0x500,
    UART_RXD = 0x518,
    UART_TXD = 0x51C
};
#define RECEIVED_INTERRUPT (1u << 2)
#define SENT_INTERRUPT (1u << 7)
#define ENABLED 4u

static bool sending;

void uart_begin(void)
{
    REGISTER(LINE + UART_ENABLE) = ENABLED;
    REGISTER(LINE + UART_START_RECEIVING) = 1;
    REGISTER(LINE + UART_START_SENDING) = 1;
    REGISTER(LINE + UART_INTERRUPTS_ON) = RECEIVED_INTERRUPT | SENT_INTERRUPT;
    cortex_m_enable_interrupt(BOARD_UART);
}

/* The event falls before its byte is read: the next byte raises it again. */
bool uart_takes(uint8_t *byte)
{
    if (!REGISTER(LINE + UART_RECEIVED))
        return false;
    REGISTER(LINE + UART_RECEIVED) = 0;
    *byte = (uint8_t)REGISTER(LINE + UART_RXD);
    return true;
}

bool uart_is_free(void)
{
    if (REGISTER(LINE + UART_SENT)) {
        REGISTER(LINE + UART_SENT) = 0;
        sending = false;
    }
    return !sending;
}

void uart_gives(uint8_t byte)
{
    sending = true;
    REGISTER(LINE + UART_TXD) = byte;
}

/* It interrupts as long as a byte is not taken. */
void uart_holds(bool held)
{
    REGISTER(LINE + (held ? UART_INTERRUPTS_OFF : UART_INTERRUPTS_ON)) =
        RECEIVED_INTERRUPT;
}

void board_interrupt(unsigned number)
{
    if (number == BOARD_UART)
        line_serve();
}
