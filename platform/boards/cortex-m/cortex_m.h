/*
 * cortex_m.h - what every Cortex-M board here has: a start, traps, a stack
 * guard, interrupts, and a debugger that reads arguments and takes the end.
 *
 * A board's linker script defines the symbols that start.c names.
 */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/** The exit code when the processor traps: a bad address, an unaligned word, a
 * division by zero, a stack that is too small. */
#define CORTEX_M_TRAPPED 102

/** End the firmware: the emulator, or the debugger, gets the code. */
_Noreturn void cortex_m_exit(int code);

/** The command line, NUL-terminated; empty without a debugger. */
const char *cortex_m_arguments(void);

/** To the debugger's console. */
void cortex_m_print(const char *text);

/** In decimal, by the board's board_print(). */
void board_print_number(uint32_t number);

/** Trap unaligned words and divisions by zero, and what grows into the 32
 * bytes at `stack_limit`. Cortex-M3 and above. */
void cortex_m_trap(const void *stack_limit);

void cortex_m_enable_interrupt(unsigned number);
void cortex_m_clear_pending(unsigned number);

static inline void cortex_m_mask(void)
{
    __asm volatile("cpsid i" ::: "memory");
}

static inline void cortex_m_unmask(void)
{
    __asm volatile("cpsie i" ::: "memory");
}

/** The same, for struct mqtt_coop_board. */
struct mqtt_coop_board;
void cortex_m_hold(struct mqtt_coop_board *board);
void cortex_m_release(struct mqtt_coop_board *board);

/** Until an interrupt is pending, masked or not. */
static inline void cortex_m_wait_for_interrupt(void)
{
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

#endif
