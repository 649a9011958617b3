/*
 * seconds.c - milliseconds in seconds, against the division of this machine.
 */
#include "every.h"
#include "script.h"

#include "session/seconds.h"

static void check(uint64_t ms)
{
    uint64_t down = ms / 1000, up = down + (ms % 1000 != 0);

    if (mqtt_seconds_down(ms) != (uint32_t)down ||
        mqtt_seconds_up(ms) != (uint32_t)up)
        fail_msg("%llu ms", (unsigned long long)ms);
}

static void check_around(uint64_t ms)
{
    for (uint64_t d = 0; d <= 2048; d++)
        check(ms - 1024 + d);
}

static void test_a_second_that_has_begun_counts_only_upwards(void **state)
{
    (void)state;
    assert_int_equal(mqtt_seconds_down(0), 0);
    assert_int_equal(mqtt_seconds_up(0), 0);
    assert_int_equal(mqtt_seconds_down(1), 0);
    assert_int_equal(mqtt_seconds_up(1), 1);
    assert_int_equal(mqtt_seconds_down(999), 0);
    assert_int_equal(mqtt_seconds_up(999), 1);
    assert_int_equal(mqtt_seconds_down(1000), 1);
    assert_int_equal(mqtt_seconds_up(1000), 1);
    assert_int_equal(mqtt_seconds_down(1001), 1);
    assert_int_equal(mqtt_seconds_up(1001), 2);
}

/* Each rest with each digit: every single step of the division. */
static void test_every_step_of_the_division_is_exact(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 1000 * 256 + 1000; ms++)
        check(ms);
}

static void test_around_each_power_of_two_it_is_exact(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        check_around((uint64_t)1 << bit);
    check_around(UINT64_MAX);
}

static void test_seconds_begin_anew_after_2_to_the_32(void **state)
{
    const uint64_t around = 1000 * ((uint64_t)1 << 32);

    (void)state;
    assert_int_equal(mqtt_seconds_down(around - 1), UINT32_MAX);
    assert_int_equal(mqtt_seconds_up(around - 1), 0);
    assert_int_equal(mqtt_seconds_down(around + 1), 0);
    assert_int_equal(mqtt_seconds_up(around + 1), 1);
    for (uint64_t times = 1; times < 4000; times += 7)
        check_around(times * around);
}

static void test_at_random_times_of_any_length_it_is_exact(void **state)
{
    uint64_t random = 0x9E3779B97F4A7C15;

    (void)state;
    for (unsigned i = 0; i < ROUNDS(4000000); i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        check(random >> i % 64);
        check((random >> i % 54) / 1000 * 1000);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_that_has_begun_counts_only_upwards),
        cmocka_unit_test(test_every_step_of_the_division_is_exact),
        cmocka_unit_test(test_around_each_power_of_two_it_is_exact),
        cmocka_unit_test(test_seconds_begin_anew_after_2_to_the_32),
        cmocka_unit_test(test_at_random_times_of_any_length_it_is_exact),
    };

    return cmocka_run_group_tests_name("seconds", tests, NULL, NULL);
}
