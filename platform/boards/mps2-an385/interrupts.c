/* Who serves which interrupt; a firmware links what it has. */
#include "board.h"

void board_interrupt(unsigned number);
__attribute__((weak)) void board_line_interrupt(unsigned number)
{
    (void)number;
}

__attribute__((weak)) void board_ethernet_interrupt(void)
{
}

void board_interrupt(unsigned number)
{
    if (number == BOARD_UART1_RECEIVES || number == BOARD_UART1_SENDS)
        board_line_interrupt(number);
    if (number == BOARD_ETHERNET)
        board_ethernet_interrupt();
}
