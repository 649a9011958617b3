/*
 * hello.c - the board itself: it starts, says what it is told, knows the time,
 * sleeps, and traps. The command line names the case; the exit code is its
 * outcome.
 */
#include "board.h"

#include <string.h>

static bool asked(const char *name)
{
    const char *at = cortex_m_arguments();

    while (*at && *at != ' ')
        at++;
    return *at && memcmp(at + 1, name, 4) == 0;
}

static int says_what_it_is_told(void)
{
    static uint32_t data = 42, bss;

    board_print("hello ");
    board_print_number(data + bss);
    board_print("\n");
    return data == 42 && bss == 0 ? 0 : 1;
}

/* One second asleep, by the alarm alone. */
static int sleeps(void)
{
    struct mqtt_coop coop;
    unsigned times = 0;

    mqtt_coop_init(&coop, &board_coop);
    while (mqtt_coop_now(&coop) < 1000) {
        mqtt_coop_sleep(&coop, NULL, 1000);
        times++;
    }
    board_print_number((uint32_t)mqtt_coop_now(&coop));
    board_print(" ms\n");
    return mqtt_coop_now(&coop) <= 1001 && times == 1 ? 0 : 1;
}

static int reads_an_unaligned_word(void)
{
    static uint32_t words[2];
    uint32_t word;

    __asm volatile("ldr %0, [%1]" : "=r"(word) : "r"((uintptr_t)words + 1));
    return (int)word;
}

static int divides_by_zero(void)
{
    volatile int zero = 0, result;

    __asm volatile("sdiv %0, %1, %2" : "=r"(result) : "r"(100), "r"(zero));
    return result;
}

static int reads_where_nothing_is(void)
{
    return (int)REGISTER(0x90000000);
}

/* Each call takes some of the stack, until the guard. */
__attribute__((noinline)) static int descends(volatile int *above)
{
    volatile int here[16] = {*above};

    return here[0] < 0 ? 0 : descends(here) + here[0];
}

int main(void)
{
    volatile int zero = 0;

    board_begin();
    if (asked("hello"))
        return says_what_it_is_told();
    if (asked("sleep"))
        return sleeps();
    if (asked("unaligned"))
        return reads_an_unaligned_word();
    if (asked("division"))
        return divides_by_zero();
    if (asked("nowhere"))
        return reads_where_nothing_is();
    if (asked("stack"))
        return descends(&zero);
    return 99;
}
