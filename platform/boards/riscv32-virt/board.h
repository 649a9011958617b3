/*
 * board.h - QEMU's virt with a 32-bit RISC-V (-M virt of qemu-system-riscv32):
 * a start, traps, a stack guard, the console, and an end with an exit code. For
 * the core's own tests: it has neither clock nor network here.
 */
#ifndef RISCV32_VIRT_BOARD_H
#define RISCV32_VIRT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The exit code when the processor traps: a bad address, a stack that is too
 * small. QEMU reads unaligned words without a trap. */
#define BOARD_TRAPPED 102

/** Set the console going; first of all. */
void board_begin(void);

/** The console, an NS16550: waits until all is written. */
void board_print(const char *text);

/** End the firmware: the emulator ends with this code. */
_Noreturn void board_exit(int code);

#endif
