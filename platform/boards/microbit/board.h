/*
 * board.h - BBC's micro:bit with an nRF51 (Cortex-M0), as QEMU emulates it
 * (-M microbit): the clock and the one serial line. What it prints goes to the
 * debugger.
 */
#ifndef MICROBIT_BOARD_H
#define MICROBIT_BOARD_H

#include <mqttloop/coop.h>
#include <mqttloop/uart.h>
#include "../cortex-m/cortex_m.h"

/** Numbers of interrupts. */
enum { BOARD_UART = 2, BOARD_TIMER = 8 };

/** Set clock and interrupts going; first of all. */
void board_begin(void);

/** Clock and sleep, without ticks: one timer of 1 MHz, read, and compared when a
 * sleep is to end. For mqtt_coop_init(). */
extern struct mqtt_coop_board board_coop;

/** To the debugger. */
void board_print(const char *text);

/** The serial line, with memory for 256 bytes each way. For mqtt_uart_init(). */
extern struct mqtt_pipe board_line;

#endif
