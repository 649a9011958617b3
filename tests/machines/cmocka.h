/*
 * cmocka.h - as much of cmocka as the suites unit and conformance use, for
 * machines that Debian has no cmocka for: a cross build includes this one.
 *
 * A test that fails leaves by longjmp(). Its group goes on with the next one.
 * What is printed is a line for each case, as tools/check reads them.
 */
#ifndef CMOCKA_H
#define CMOCKA_H

#include <stddef.h>
#include <stdint.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func, teardown_func;
    void *initial_state;
};

#define cmocka_unit_test(f)                                                    \
    {                                                                          \
#f, f, NULL, NULL, NULL                                                \
    }
#define cmocka_unit_test_setup(f, setup)                                       \
    {                                                                          \
#f, f, setup, NULL, NULL                                               \
    }
#define cmocka_run_group_tests_name(name, tests, setup, teardown)              \
    _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof((tests)[0]),   \
                            setup, teardown)
#define cmocka_run_group_tests(tests, setup, teardown)                         \
    cmocka_run_group_tests_name(#tests, tests, setup, teardown)
/* How many failed. Groups have no fixtures here. */
int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                            size_t count, CMFixtureFunction setup,
                            CMFixtureFunction teardown);

void print_message(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void _fail(const char *file, int line) __attribute__((noreturn));
void _skip(const char *file, int line) __attribute__((noreturn));
#define fail() _fail(__FILE__, __LINE__)
#define skip() _skip(__FILE__, __LINE__)
#define fail_msg(...)                                                          \
    do {                                                                       \
        print_error("ERROR: " __VA_ARGS__);                                    \
        print_error("\n");                                                     \
        fail();                                                                \
    } while (0)

void cmocka_number(uintmax_t a, uintmax_t b, int equal, const char *text,
                   const char *file, int line);
void cmocka_memory(const void *a, const void *b, size_t size, const char *text,
                   const char *file, int line);
void cmocka_string(const char *a, const char *b, int equal, const char *text,
                   const char *file, int line);
void cmocka_range(uintmax_t value, uintmax_t least, uintmax_t most,
                  const char *text, const char *file, int line);

#define cmocka_numbers(a, b, equal)                                            \
    cmocka_number((uintmax_t)(a), (uintmax_t)(b), equal, #a ", " #b, __FILE__, \
                  __LINE__)
#define assert_int_equal(a, b) cmocka_numbers(a, b, 1)
#define assert_int_not_equal(a, b) cmocka_numbers(a, b, 0)
#define assert_true(a) cmocka_numbers(!(a), 0, 1)
#define assert_false(a) cmocka_numbers(!(a), 1, 1)
#define assert_ptr_equal(a, b) cmocka_numbers((uintptr_t)(a), (uintptr_t)(b), 1)
#define assert_null(a) cmocka_numbers((uintptr_t)(a), 0, 1)
#define assert_non_null(a) cmocka_numbers((uintptr_t)(a), 0, 0)
#define assert_memory_equal(a, b, size)                                        \
    cmocka_memory(a, b, size, #a ", " #b, __FILE__, __LINE__)
#define assert_string_equal(a, b)                                              \
    cmocka_string(a, b, 1, #a ", " #b, __FILE__, __LINE__)
#define assert_string_not_equal(a, b)                                          \
    cmocka_string(a, b, 0, #a ", " #b, __FILE__, __LINE__)
#define assert_in_range(value, least, most)                                    \
    cmocka_range((uintmax_t)(value), (uintmax_t)(least), (uintmax_t)(most),    \
                 #value, __FILE__, __LINE__)

#endif
