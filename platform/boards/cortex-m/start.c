/* From reset to main(), and what interrupts a program. */
#include "cortex_m.h"

#include <string.h>

extern uint32_t board_stack_top[], board_stack_limit[];
extern uint32_t board_data_in_flash[], board_data[], board_data_end[];
extern uint32_t board_bss[], board_bss_end[];

int main(void);

/* Each board sees to its own interrupts. */
void board_interrupt(unsigned number);

static void trap(void)
{
    cortex_m_exit(CORTEX_M_TRAPPED);
}

static void interrupt(void)
{
    uint32_t number;

    __asm volatile("mrs %0, ipsr" : "=r"(number));
    board_interrupt(number - 16);
}

static size_t bytes_between(const uint32_t *begin, const uint32_t *end)
{
    return (size_t)((uintptr_t)end - (uintptr_t)begin);
}

static void reset(void)
{
    memcpy(board_data, board_data_in_flash,
           bytes_between(board_data, board_data_end));
    memset(board_bss, 0, bytes_between(board_bss, board_bss_end));
#if __ARM_ARCH >= 7
    cortex_m_trap(board_stack_limit);
#endif
    cortex_m_exit(main());
}

#define FOUR(handler) handler, handler, handler, handler
#define SIXTEEN(handler)                                                       \
    FOUR(handler), FOUR(handler), FOUR(handler), FOUR(handler)

/* The stack's top, 15 of the processor, 32 of the board. */
__attribute__((section(".vectors"), used)) static const struct {
    void *stack;
    void (*handlers[47])(void);
} vectors = {
    board_stack_top,
    {reset, trap, trap, trap, FOUR(trap), FOUR(trap), trap, trap, trap,
     SIXTEEN(interrupt), SIXTEEN(interrupt)},
};
