/* hello_virt.c - the RISC-V board itself: it starts, and traps. DOES is what it
 * does; the exit code is its outcome. */
#include "board.h"

int main(void);

__attribute__((unused)) static int starts(void)
{
    static uint32_t data = 42, bss;

    board_print("hello\n");
    return data == 42 && bss == 0 ? 0 : 1;
}

__attribute__((unused)) static int reads_where_nothing_is(void)
{
    return (int)*(volatile uint32_t *)(uintptr_t)0x50000;
}

/* Each call takes some of the stack, until the guard. */
__attribute__((noinline, unused)) static int descends(volatile int *above)
{
    volatile int here[16] = {*above};

    return here[0] < 0 ? 0 : descends(here) + here[0];
}

__attribute__((unused)) static int fills_the_stack(void)
{
    volatile int zero = 0;

    return descends(&zero);
}

int main(void)
{
    board_begin();
    return DOES();
}
