#include "board.h"

/* nRF51: TIMER0, 32 bits at 1 MHz. */
#define TIMER 0x40008000
enum {
    TIMER_START = 0x000,
    TIMER_CAPTURE_0 = 0x040,
    TIMER_COMPARED_1 = 0x144,
    TIMER_INTERRUPTS_ON = 0x304,
    TIMER_INTERRUPTS_OFF = 0x308,
    TIMER_BITS = 0x508,
    TIMER_PRESCALER = 0x510,
    TIMER_CC_0 = 0x540,
    TIMER_CC_1 = 0x544
};
#define COMPARE_1 (1u << 17)
#define BITS_32 3u

/* The timer goes round in 71 minutes, and is to be looked at more often. */
#define LONGEST_SLEEP_MS 1000000u

static uint32_t milliseconds, last_us, rest_us;

static uint32_t counter_us(void)
{
    REGISTER(TIMER + TIMER_CAPTURE_0) = 1;
    return REGISTER(TIMER + TIMER_CC_0);
}

static uint32_t counter_ms(struct mqtt_coop_board *self)
{
    uint32_t us = counter_us(), passed_us = us - last_us + rest_us;

    (void)self;
    last_us = us;
    milliseconds += passed_us / 1000;
    rest_us = passed_us % 1000;
    return milliseconds;
}

/* The comparison is only to end the sleep: nobody serves it. */
static void sleep_at_most(struct mqtt_coop_board *self, uint32_t most_ms)
{
    uint32_t ms = most_ms < LONGEST_SLEEP_MS ? most_ms : LONGEST_SLEEP_MS;

    (void)self;
    REGISTER(TIMER + TIMER_COMPARED_1) = 0;
    REGISTER(TIMER + TIMER_CC_1) = counter_us() + ms * 1000;
    REGISTER(TIMER + TIMER_INTERRUPTS_ON) = COMPARE_1;
    cortex_m_wait_for_interrupt();
    REGISTER(TIMER + TIMER_INTERRUPTS_OFF) = COMPARE_1;
    REGISTER(TIMER + TIMER_COMPARED_1) = 0;
    cortex_m_clear_pending(BOARD_TIMER);
}

struct mqtt_coop_board board_coop = {counter_ms, cortex_m_hold,
                                     cortex_m_release, sleep_at_most};

void board_begin(void)
{
    REGISTER(TIMER + TIMER_BITS) = BITS_32;
    REGISTER(TIMER + TIMER_PRESCALER) = 4;
    REGISTER(TIMER + TIMER_START) = 1;
    cortex_m_enable_interrupt(BOARD_TIMER);
}

void board_print(const char *text)
{
    cortex_m_print(text);
}
