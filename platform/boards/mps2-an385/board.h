/*
 * board.h - Arm's MPS2 with a Cortex-M3 (AN385), as QEMU emulates it
 * (-M mps2-an385): the clock, the console, a serial line, Ethernet.
 */
#ifndef MPS2_AN385_BOARD_H
#define MPS2_AN385_BOARD_H

#include <mqttloop/coop.h>
#include <mqttloop/uart.h>
#include "../cortex-m/cortex_m.h"

/** Numbers of interrupts. */
enum {
    BOARD_UART1_RECEIVES = 2,
    BOARD_UART1_SENDS = 3,
    BOARD_ALARM = 9,
    BOARD_ETHERNET = 13
};

/** Set clock, console and interrupts going; first of all. */
void board_begin(void);

/** Clock and sleep, without ticks: two APB timers, one runs freely and one
 * rings when a sleep is over. For mqtt_coop_init(). */
extern struct mqtt_coop_board board_coop;

/** The console, UART0: waits until all is written. */
void board_print(const char *text);

/** The serial line, UART1, with memory for 256 bytes each way: what it does
 * not hold stays in the line. For mqtt_uart_init(). */
extern struct mqtt_pipe board_line;

/** Interrupts of the serial line and of Ethernet; the latter is for who links
 * ethernet.c. */
void board_line_interrupt(unsigned number);
void board_ethernet_interrupt(void);

#endif
