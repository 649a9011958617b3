/*
 * prove.h - what the drivers for tools/prove are made of. Each is a program
 * that Frama-C's Eva takes for all inputs at once: bytes of any value, of each
 * size to a bound. tools/prove includes it before all else, also in lib/.
 *
 * A byte is volatile here: each time that it is read it may be any other. So
 * nothing is proved by what a byte was before, and Eva has no need to tell apart
 * what bytes there may be: it would take hours.
 */
#ifndef PROVE_H
#define PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "__fc_builtin.h"

typedef volatile uint8_t any_byte;
#define uint8_t any_byte

/* Any number of these. */
static inline size_t any(unsigned from, unsigned to)
{
    return Frama_C_unsigned_int_interval(from, to);
}

/* The last `size` bytes of `memory`, of any value: one byte further on there is
 * nothing. */
static inline uint8_t *any_bytes(uint8_t *memory, size_t room, size_t size)
{
    Frama_C_make_unknown((char *)memory, room);
    return memory + (room - size);
}

#endif
