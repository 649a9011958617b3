#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmocka.h"

enum { PASSED, FAILED, SKIPPED };

static jmp_buf leave;

static void print(const char *format, va_list arguments)
{
    vprintf(format, arguments);
    fflush(stdout);
}

void print_message(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void print_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void _fail(const char *file, int line)
{
    print_error("%s:%d: failed\n", file, line);
    longjmp(leave, FAILED);
}

void _skip(const char *file, int line)
{
    print_error("%s:%d: skipped\n", file, line);
    longjmp(leave, SKIPPED);
}

void cmocka_number(uintmax_t a, uintmax_t b, int equal, const char *text,
                   const char *file, int line)
{
    if ((a == b) == !!equal)
        return;
    print_error("%s: 0x%" PRIxMAX ", 0x%" PRIxMAX "\n", text, a, b);
    _fail(file, line);
}

void cmocka_memory(const void *a, const void *b, size_t size, const char *text,
                   const char *file, int line)
{
    if (!memcmp(a, b, size))
        return;
    print_error("%s: %zu bytes differ\n", text, size);
    _fail(file, line);
}

void cmocka_string(const char *a, const char *b, int equal, const char *text,
                   const char *file, int line)
{
    if (!strcmp(a, b) == !!equal)
        return;
    print_error("%s: \"%s\", \"%s\"\n", text, a, b);
    _fail(file, line);
}

void cmocka_range(uintmax_t value, uintmax_t least, uintmax_t most,
                  const char *text, const char *file, int line)
{
    if (value >= least && value <= most)
        return;
    print_error("%s: %" PRIuMAX " is not in %" PRIuMAX "..%" PRIuMAX "\n", text,
                value, least, most);
    _fail(file, line);
}

/* Its fixtures may fail it, too. */
static int run(const struct CMUnitTest *test)
{
    void *state = test->initial_state;
    int outcome = setjmp(leave);

    if (outcome)
        return outcome;
    if (test->setup_func && test->setup_func(&state))
        return FAILED;
    test->test_func(&state);
    return test->teardown_func && test->teardown_func(&state) ? FAILED : PASSED;
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                            size_t count, CMFixtureFunction setup,
                            CMFixtureFunction teardown)
{
    static const char *const words[] = {"passed ", "FAILED ", "skipped"};
    int failed = 0;

    if (setup || teardown)
        abort();
    for (size_t i = 0; i < count; i++) {
        int outcome = run(&tests[i]);

        failed += outcome == FAILED;
        printf("%s %s, %s\n", words[outcome], name, tests[i].name);
        fflush(stdout);
    }
    return failed;
}
