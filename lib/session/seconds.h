/*
 * Milliseconds of the clock in seconds, which is what 5.0 counts in. A small
 * processor has no division, and a call for it is not to be needed.
 */
#ifndef MQTT_SESSION_SECONDS_H
#define MQTT_SESSION_SECONDS_H

#include <stdint.h>

/* Divide `*rest` * 2^32 + `word` by 1000, *rest below 1000, as on paper with
 * digits of 8 bits. n / 1000 is n / 8 / 125, and 67109 / 2^23 is so little more
 * than 1 / 125 that it comes out exact for each n below 256,000. */
static inline uint32_t mqtt_seconds_divide(uint32_t *rest, uint32_t word)
{
    uint32_t quotient = 0;

    for (unsigned digit = 0; digit < 4; digit++, word <<= 8) {
        uint32_t n = *rest << 8 | word >> 24;
        uint32_t q = (n >> 3) * 67109u >> 23;

        *rest = n - q * 1000;
        quotient = quotient << 8 | q;
    }
    return quotient;
}

/* What has passed, in whole seconds, modulo 2^32. */
static inline uint32_t mqtt_seconds_down(uint64_t ms)
{
    uint32_t rest = 0;

    mqtt_seconds_divide(&rest, (uint32_t)(ms >> 32));
    return mqtt_seconds_divide(&rest, (uint32_t)ms);
}

/* The same, with a second that has begun. */
static inline uint32_t mqtt_seconds_up(uint64_t ms)
{
    uint32_t rest = 0, quotient;

    mqtt_seconds_divide(&rest, (uint32_t)(ms >> 32));
    quotient = mqtt_seconds_divide(&rest, (uint32_t)ms);
    return quotient + (rest != 0);
}

/* An interval is no longer than this, 102 years: what lies behind by less than
 * 34 years has passed. */
#define MQTT_SECONDS_MAX 0xBFFFFFFFu

/* How long it is from now to a moment; 0: it has passed. Seconds go around. */
static inline uint32_t mqtt_seconds_until(uint64_t now_ms, uint32_t moment_s)
{
    uint32_t left = moment_s - mqtt_seconds_down(now_ms);

    return left > MQTT_SECONDS_MAX + 1 ? 0 : left;
}

#endif
