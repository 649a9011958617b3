/*
 * fuzz.h - what every fuzz target is made of.
 *
 * A target is one function, fuzz_one(), which may be given any bytes: it
 * returns, or a requirement does not hold and the program ends there. It is
 * linked twice: with libFuzzer by tools/fuzz, which thinks up inputs, and with
 * main.c, which runs it once over each file of its corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The target. */
void fuzz_one(const uint8_t *bytes, size_t size);

/* Set by main.c: the file that is being run. */
extern const char *fuzz_file;

#define require(condition)                                                     \
    do {                                                                       \
        if (!(condition))                                                      \
            fuzz_failed(__FILE__, __LINE__, #condition);                       \
    } while (0)
#define never(why) fuzz_failed(__FILE__, __LINE__, "never that " why)
_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* What is left of an input; 0 for ever when it is used up. */
struct fuzz_input {
    const uint8_t *at, *end;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
    unsigned high = fuzz_byte(in);

    return (uint16_t)(high << 8 | fuzz_byte(in));
}

static inline size_t fuzz_left(const struct fuzz_input *in)
{
    return (size_t)(in->end - in->at);
}

#endif
