/*
 * turns_proof.c - the bar on turns itself (turns.h): a test that is too slow in
 * each run fails, what is slow here and there does not.
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

/* Processor time of this program is what it says: a machine that stops would
 * else add some of its own. */
static unsigned long spent_us;

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (clock != CLOCK_THREAD_CPUTIME_ID)
        return (int)syscall(SYS_clock_gettime, clock, at);
    at->tv_sec = (time_t)(spent_us / 1000000);
    at->tv_nsec = (long)(spent_us % 1000000) * 1000;
    return 0;
}

static void take(unsigned us)
{
    turn_begin();
    spent_us += us;
    turn_end();
}

/* ---- a program that is too slow --------------------------------------------- */

static unsigned slow_test; /* 1 to 3: that one */

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

static int be_slow(bool same, const char *file)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_second),
        cmocka_unit_test(test_third),
    };
    unsigned run = count_run(file);

    slow_test = same ? 2 : run;
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
}

static void test_another_is_too_slow_each_time(void **state)
{
    (void)state;
    assert_int_equal(result_of("another", 2), 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_is_too_slow_each_time),
        cmocka_unit_test(test_another_is_too_slow_each_time),
    };

    if (argc == 3)
        return be_slow(strcmp(argv[1], "same") == 0, argv[2]);
    snprintf(self, sizeof self, "%s", argv[0]);
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
