#include "cortex_m.h"

#define NVIC_ENABLE 0xE000E100
#define NVIC_CLEAR_PENDING 0xE000E280
#define CONFIGURATION 0xE000ED14 /* CCR */
#define UNALIGNED_TRAPS 0x08u
#define DIVISION_BY_ZERO_TRAPS 0x10u
#define MPU_CONTROL 0xE000ED94
#define MPU_REGION 0xE000ED98
#define MPU_BASE 0xE000ED9C
#define MPU_ATTRIBUTES 0xE000EDA0
#define MPU_32_BYTES_NO_ACCESS ((4u << 1) | 1u)
#define MPU_ENABLE_WITH_DEFAULT_MAP 5u

/* Operations of ARM's semihosting. */
enum { WRITE_TEXT = 0x04, GET_COMMAND_LINE = 0x15, EXIT_EXTENDED = 0x20 };
#define STOPPED_BY_APPLICATION 0x20026u

static uint32_t debugger(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;

    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

_Noreturn void cortex_m_exit(int code)
{
    const uint32_t arguments[] = {STOPPED_BY_APPLICATION, (uint32_t)code};

    for (;;)
        debugger(EXIT_EXTENDED, arguments);
}

const char *cortex_m_arguments(void)
{
    static char line[128];
    struct {
        char *text;
        uint32_t size;
    } arguments = {line, sizeof(line)};

    if (debugger(GET_COMMAND_LINE, &arguments))
        line[0] = '\0';
    return line;
}

void cortex_m_print(const char *text)
{
    debugger(WRITE_TEXT, text);
}

void board_print(const char *text);

void board_print_number(uint32_t number)
{
    char digits[11], *at = &digits[sizeof(digits) - 1];

    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    board_print(at);
}

void cortex_m_trap(const void *stack_limit)
{
    REGISTER(CONFIGURATION) |= UNALIGNED_TRAPS | DIVISION_BY_ZERO_TRAPS;
    REGISTER(MPU_REGION) = 0;
    REGISTER(MPU_BASE) = (uint32_t)(uintptr_t)stack_limit;
    REGISTER(MPU_ATTRIBUTES) = MPU_32_BYTES_NO_ACCESS;
    REGISTER(MPU_CONTROL) = MPU_ENABLE_WITH_DEFAULT_MAP;
    __asm volatile("dsb\n isb" ::: "memory");
}

void cortex_m_enable_interrupt(unsigned number)
{
    REGISTER(NVIC_ENABLE) = 1u << number;
}

void cortex_m_clear_pending(unsigned number)
{
    REGISTER(NVIC_CLEAR_PENDING) = 1u << number;
}

void cortex_m_hold(struct mqtt_coop_board *board)
{
    (void)board;
    cortex_m_mask();
}

void cortex_m_release(struct mqtt_coop_board *board)
{
    (void)board;
    cortex_m_unmask();
}
