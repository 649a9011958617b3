/*
 * dice.h - numbers drawn from a seed. Each subject has its own dice, so that
 * what one draws does not change what another one draws.
 */
#ifndef SIM_DICE_H
#define SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* New dice for the subject numbered `subject`. */
static inline struct dice dice_of(uint64_t seed, uint64_t subject)
{
    struct dice dice = {seed ^ (subject * UINT64_C(0xD1342543DE82EF95))};

    dice.state = dice_next(&dice) ^ seed;
    return dice;
}

/* 0 to n - 1; 0 if n is 0. */
static inline uint32_t roll(struct dice *dice, uint32_t n)
{
    return (uint32_t)(((dice_next(dice) >> 32) * n) >> 32);
}

/* From `low` to `high`. */
static inline uint32_t between(struct dice *dice, uint32_t low, uint32_t high)
{
    return low + roll(dice, high - low + 1);
}

/* True once in `n` times. */
static inline bool one_in(struct dice *dice, uint32_t n)
{
    return roll(dice, n) == 0;
}

/* A size from 1 to `high`, small ones as often as large ones. */
static inline uint32_t any_size(struct dice *dice, uint32_t high)
{
    uint32_t bits = 0;

    while (high >> bits)
        bits++;
    bits = roll(dice, bits + 1);
    high = bits < 32 && (1u << bits) < high ? 1u << bits : high;
    return 1 + roll(dice, high);
}

#endif
