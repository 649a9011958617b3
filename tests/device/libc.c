/*
 * libc.c - what programs of the suite unit ask of a C library beside string.h,
 * qsort() and setjmp(): memory for malloc(), and text. Newlib's printf() writes
 * words that are not aligned, which traps on the board; this one also leaves
 * more of the memory to the tests.
 *
 * Formats: %d %i %u %x %X %c %s %p %%, with 0, width, precision, and h to j.
 */
#include "board.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char board_bss_end[], board_stack_limit[];
int __wrap_main(void);
int __real_main(void);
void *sbrk(ptrdiff_t more);
void *_sbrk(ptrdiff_t more);

/* The linker gives it the place of main(). */
int __wrap_main(void)
{
    board_begin();
    return __real_main();
}

/* ---- memory, in picolibc's words and in newlib's -------------------------- */

void *sbrk(ptrdiff_t more)
{
    static char *end = board_bss_end;
    char *begin = end;

    if (more > board_stack_limit - end)
        return (void *)(intptr_t)-1;
    end += more;
    return begin;
}

void *_sbrk(ptrdiff_t more)
{
    return sbrk(more);
}

void abort(void)
{
    __builtin_trap();
}

/* Newlib's reads words that are not aligned, too. */
char *strstr(const char *text, const char *wanted)
{
    size_t size = strlen(wanted);

    while (*text && strncmp(text, wanted, size))
        text++;
    return *text || !size ? (char *)(uintptr_t)text : NULL;
}

/* ---- text ----------------------------------------------------------------- */

/* Where it goes: so much memory, or, without any, the console. */
struct sink {
    char *text;
    size_t size, count;
};

static void put(struct sink *sink, char byte)
{
    if (!sink->text)
        board_print((const char[]){byte, '\0'});
    else if (sink->count + 1 < sink->size)
        sink->text[sink->count] = byte;
    sink->count++;
}

/* What stands between % and the letter. */
struct field {
    char pad;
    int width, precision; /* precision -1: none */
    size_t bytes;         /* of a number */
};

static void put_text(struct sink *sink, const struct field *field,
                     const char *text, size_t size)
{
    for (int i = (int)size; i < field->width; i++)
        put(sink, field->pad);
    while (size--)
        put(sink, *text++);
}

static void put_number(struct sink *sink, const struct field *field,
                       uintmax_t number, unsigned base, bool negative)
{
    char digits[24], *at = digits + sizeof(digits);

    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    if (negative)
        *--at = '-';
    put_text(sink, field, at, (size_t)(digits + sizeof(digits) - at));
}

static size_t text_size(const struct field *field, const char *text)
{
    size_t size = 0;

    while (text[size] &&
           (field->precision < 0 || size < (size_t)field->precision))
        size++;
    return size;
}

static uintmax_t next_number(const struct field *field, va_list *arguments)
{
    return field->bytes > sizeof(int) ? va_arg(*arguments, unsigned long long)
                                      : va_arg(*arguments, unsigned);
}

static intmax_t next_signed(const struct field *field, va_list *arguments)
{
    return field->bytes > sizeof(int) ? va_arg(*arguments, long long)
                                      : va_arg(*arguments, int);
}

static void convert(struct sink *sink, const struct field *field, char letter,
                    va_list *arguments)
{
    intmax_t number;
    const char *text;

    switch (letter) {
    case 'd':
    case 'i':
        number = next_signed(field, arguments);
        put_number(sink, field,
                   number < 0 ? 0 - (uintmax_t)number : (uintmax_t)number, 10,
                   number < 0);
        break;
    case 'u':
        put_number(sink, field, next_number(field, arguments), 10, false);
        break;
    case 'x':
    case 'X':
    case 'p':
        put_number(sink, field, next_number(field, arguments), 16, false);
        break;
    case 's':
        text = va_arg(*arguments, const char *);
        put_text(sink, field, text, text_size(field, text));
        break;
    case 'c':
        put(sink, (char)va_arg(*arguments, int));
        break;
    default:
        put(sink, letter);
    }
}

static int number_at(const char **at, va_list *arguments)
{
    int number = 0;

    if (**at == '*') {
        ++*at;
        return va_arg(*arguments, int);
    }
    while (**at >= '0' && **at <= '9')
        number = 10 * number + *(*at)++ - '0';
    return number;
}

/* All of a machine of 32 bits but `ll` and `j`. */
static size_t number_size(const char **at)
{
    size_t bytes = sizeof(int);

    for (; **at && strchr("hlzjt", **at); ++*at)
        if (**at == 'j' || (**at == 'l' && (*at)[1] == 'l'))
            bytes = sizeof(intmax_t);
    return bytes;
}

static struct field field_at(const char **at, va_list *arguments)
{
    struct field field = {' ', 0, -1, 0};

    if (**at == '0')
        field.pad = *(*at)++;
    field.width = number_at(at, arguments);
    if (**at == '.') {
        ++*at;
        field.precision = number_at(at, arguments);
    }
    field.bytes = number_size(at);
    return field;
}

static void format_all(struct sink *sink, const char *at, va_list *arguments)
{
    for (; *at; at++) {
        struct field field;

        if (*at != '%') {
            put(sink, *at);
            continue;
        }
        at++;
        field = field_at(&at, arguments);
        convert(sink, &field, *at, arguments);
    }
}

int vsnprintf(char *text, size_t size, const char *format, va_list arguments)
{
    char none;
    struct sink sink = {text ? text : &none, size, 0};
    va_list copy;

    va_copy(copy, arguments);
    format_all(&sink, format, &copy);
    va_end(copy);
    if (size)
        text[sink.count < size ? sink.count : size - 1] = '\0';
    return (int)sink.count;
}

int snprintf(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return count;
}

int vprintf(const char *format, va_list arguments)
{
    struct sink sink = {NULL, 0, 0};
    va_list copy;

    va_copy(copy, arguments);
    format_all(&sink, format, &copy);
    va_end(copy);
    return (int)sink.count;
}

int printf(const char *format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vprintf(format, arguments);
    va_end(arguments);
    return count;
}

/* Nothing is kept back. */
int fflush(FILE *file)
{
    (void)file;
    return 0;
}

#ifdef __PICOLIBC__
FILE *const stdout = NULL;
#endif
