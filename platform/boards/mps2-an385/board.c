#include "board.h"

/* CMSDK APB timers and UART, at 25 MHz. */
#define CLOCK 0x40000000
#define ALARM 0x40001000
#define CONSOLE 0x40004000
enum { TIMER_CONTROL = 0, TIMER_VALUE = 4, TIMER_RELOAD = 8, TIMER_CLEAR = 12 };
enum { UART_DATA = 0, UART_STATE = 4, UART_CONTROL = 8, UART_DIVIDER = 16 };
#define TIMER_RUNS 1u
#define TIMER_INTERRUPTS 8u
#define TICKS_PER_MS 25000u

/* The clock goes round in 171 s, and is to be looked at more often. */
#define LONGEST_SLEEP_MS 100000u

static uint32_t milliseconds, last, rest_ticks;

/* It counts down. */
static uint32_t counter_ms(struct mqtt_coop_board *self)
{
    uint32_t value = REGISTER(CLOCK + TIMER_VALUE), ticks = last - value;

    (void)self;
    last = value;
    ticks += rest_ticks;
    milliseconds += ticks / TICKS_PER_MS;
    rest_ticks = ticks % TICKS_PER_MS;
    return milliseconds;
}

static void stop_alarm(void)
{
    REGISTER(ALARM + TIMER_CONTROL) = 0;
    REGISTER(ALARM + TIMER_CLEAR) = 1;
    cortex_m_clear_pending(BOARD_ALARM);
}

/* The alarm is only to end the sleep: nobody serves it. */
static void sleep_at_most(struct mqtt_coop_board *self, uint32_t most_ms)
{
    uint32_t ms = most_ms < LONGEST_SLEEP_MS ? most_ms : LONGEST_SLEEP_MS;

    (void)self;
    stop_alarm();
    REGISTER(ALARM + TIMER_RELOAD) = 0; /* it rings once */
    REGISTER(ALARM + TIMER_VALUE) = ms * TICKS_PER_MS;
    REGISTER(ALARM + TIMER_CONTROL) = TIMER_RUNS | TIMER_INTERRUPTS;
    cortex_m_wait_for_interrupt();
    stop_alarm();
}

struct mqtt_coop_board board_coop = {counter_ms, cortex_m_hold,
                                     cortex_m_release, sleep_at_most};

void board_begin(void)
{
    REGISTER(CLOCK + TIMER_RELOAD) = UINT32_MAX;
    REGISTER(CLOCK + TIMER_VALUE) = UINT32_MAX;
    REGISTER(CLOCK + TIMER_CONTROL) = TIMER_RUNS;
    last = UINT32_MAX;
    cortex_m_enable_interrupt(BOARD_ALARM);
    REGISTER(CONSOLE + UART_DIVIDER) = 217; /* 115,200 baud */
    REGISTER(CONSOLE + UART_CONTROL) = 1;
}

/* ---- the console ---------------------------------------------------------- */

static void print_byte(char byte)
{
    while (REGISTER(CONSOLE + UART_STATE) & 1u)
        ;
    REGISTER(CONSOLE + UART_DATA) = (uint8_t)byte;
}

void board_print(const char *text)
{
    while (*text)
        print_byte(*text++);
}
