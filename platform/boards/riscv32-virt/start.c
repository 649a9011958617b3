/* From reset to main(). Memory is RAM alone, and the emulator loads all of it:
 * nothing is copied. */
#include "board.h"

#include <string.h>

extern uint32_t board_bss[], board_bss_end[], board_stack_limit[];

int main(void);

__attribute__((aligned(4), used)) static void trap(void)
{
    board_exit(BOARD_TRAPPED);
}

/* 32 bytes below the stack are nobody's: the physical memory protection, locked
 * so that it holds for machine mode, too. */
static void guard_the_stack(void)
{
    uintptr_t region = (uintptr_t)board_stack_limit >> 2 | 3;
    uintptr_t locked_no_access = 0x98; /* a naturally aligned power of two */

    __asm volatile(".option push\n .option arch, +zicsr\n"
                   "csrw pmpaddr0, %0\n csrw pmpcfg0, %1\n"
                   ".option pop" ::"r"(region),
                   "r"(locked_no_access)
                   : "memory");
}

__attribute__((used)) static _Noreturn void begin(void)
{
    memset(board_bss, 0, (uintptr_t)board_bss_end - (uintptr_t)board_bss);
    guard_the_stack();
    board_exit(main());
}

/* A trap has the stack from its top again: it may be the stack that was full. */
__attribute__((naked, used, aligned(4))) static void on_trap(void)
{
    __asm volatile("la sp, board_stack_top\n j trap");
}

__attribute__((naked, used, section(".start"))) void board_start(void)
{
    __asm volatile(".option push\n .option norelax\n .option arch, +zicsr\n"
                   "la gp, __global_pointer$\n"
                   "la tp, board_thread\n"
                   "la sp, board_stack_top\n"
                   "la t0, on_trap\n"
                   "csrw mtvec, t0\n"
                   "j begin\n"
                   ".option pop");
}
