/*
 * line.h - a serial line by interrupts, with a ring of 256 bytes each way: what
 * boards have in common. It is a board's `board_line`; the UART itself is in the
 * board's uart.c, which gives the functions below that begin with `uart_`.
 */
#ifndef CORTEX_M_LINE_H
#define CORTEX_M_LINE_H

#include <mqttloop/uart.h>
#include "cortex_m.h"

/** Set the UART and its interrupts going. */
void uart_begin(void);
/** Take the byte that came, if one did; the next one interrupts again. */
bool uart_takes(uint8_t *byte);
/** Whether a byte may be given to be sent; if not, an interrupt comes when it
 * may. */
bool uart_is_free(void);
void uart_gives(uint8_t byte);
/** Bytes are left in the UART, for the ring is full: hold back, or let through, an
 * interrupt that would come for them again and again. */
void uart_holds(bool held);

/** From the board's interrupt, which has acknowledged before: a byte that comes
 * in between interrupts again. */
void line_serve(void);

#endif
