/*
 * turns_proof.c - the bar on turns itself (turns.h): a test that is too slow in
 * each run fails, what is slow here and there does not, whatever cmocka prints.
 */
#include "process.h"
#include "turns.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Processor time of this program is what it says, if that is wanted: a machine
 * that stops would else add some of its own. */
static unsigned long spent_us;
static bool is_real;

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (is_real || clock != CLOCK_THREAD_CPUTIME_ID)
        return (int)syscall(SYS_clock_gettime, clock, at);
    at->tv_sec = (time_t)(spent_us / 1000000);
    at->tv_nsec = (long)(spent_us % 1000000) * 1000;
    return 0;
}

static uint64_t microseconds(const struct timespec *at)
{
    return (uint64_t)at->tv_sec * 1000000 + (uint64_t)at->tv_nsec / 1000;
}

static void spend(unsigned us)
{
    uint64_t until_us;
    struct timespec at;

    spent_us += us;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    until_us = microseconds(&at) + us;
    while (is_real && microseconds(&at) < until_us)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
}

static void take(unsigned us)
{
    turn_begin();
    spend(us);
    turn_end();
}

/* ---- a program that is too slow --------------------------------------------- */

static unsigned slow_test; /* 1 to 3: that one */
static bool fails;

#define SLOWLY(number) take(slow_test == (number) ? 2 * TURN_LIMIT_US : 10)

static void test_first(void **state)
{
    (void)state;
    SLOWLY(1);
}

static void test_second(void **state)
{
    (void)state;
    SLOWLY(2);
}

static void test_third(void **state)
{
    (void)state;
    SLOWLY(3);
    assert_false(fails);
}

/* Runs so far: bytes of a file. */
static unsigned count_run(const char *file)
{
    int runs = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    off_t size;

    assert_int_equal(write(runs, "x", 1), 1);
    size = lseek(runs, 0, SEEK_CUR);
    close(runs);
    return (unsigned)size;
}

static int be_slow(const char *how, const char *file)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_second),
        cmocka_unit_test(test_third),
    };
    unsigned run = count_run(file);

    is_real = strcmp(how, "real") == 0;
    slow_test = is_real || strcmp(how, "same") == 0 ? 2 : run;
    fails = strcmp(how, "failure") == 0 && run == 2;
    return cmocka_run_group_tests_name("slow", tests, NULL, NULL);
}

/* ---- and what is said of it --------------------------------------------------- */

static char self[4096];

static int result_of(const char *how, off_t runs)
{
    char file[] = "/tmp/mqttloop-turns-XXXXXX";
    const char *arguments[] = {self, how, file, NULL};
    int status, counted = mkstemp(file);

    status = program_wait(program_start(arguments, NULL));
    assert_int_equal(lseek(counted, 0, SEEK_END), runs);
    close(counted);
    unlink(file);
    return status;
}

static void test_the_same_is_too_slow_each_time(void **state)
{
    (void)state;
    assert_int_equal(result_of("same", 3), 1);
    assert_int_equal(result_of("real", 3), 1);
}

static void test_another_is_too_slow_each_time(void **state)
{
    (void)state;
    assert_int_equal(result_of("another", 2), 0);
}

/* What failed by itself has failed, slow or not. */
static void test_a_failure_in_a_further_run_is_one(void **state)
{
    (void)state;
    assert_int_equal(result_of("failure", 2), 1);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_is_too_slow_each_time),
        cmocka_unit_test(test_another_is_too_slow_each_time),
        cmocka_unit_test(test_a_failure_in_a_further_run_is_one),
    };

    if (argc == 3)
        return be_slow(argv[1], argv[2]);
    snprintf(self, sizeof self, "%s", argv[0]);
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
