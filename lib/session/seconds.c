#include "session/seconds.h"

/* Divide `*rest` * 2^32 + `word` by 1000, *rest below 1000, as on paper with
 * digits of 8 bits. n / 1000 is n / 8 / 125, and 67109 / 2^23 is so little more
 * than 1 / 125 that it comes out exact for each n below 256,000. */
static uint32_t divide(uint32_t *rest, uint32_t word)
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

uint32_t mqtt_seconds_down(uint64_t ms)
{
    uint32_t rest = 0;

    divide(&rest, (uint32_t)(ms >> 32));
    return divide(&rest, (uint32_t)ms);
}

uint32_t mqtt_seconds_up(uint64_t ms)
{
    uint32_t rest = 0, quotient;

    divide(&rest, (uint32_t)(ms >> 32));
    quotient = divide(&rest, (uint32_t)ms);
    return quotient + (rest != 0);
}

uint32_t mqtt_seconds_until(uint64_t now_ms, uint32_t moment_s)
{
    uint32_t left = moment_s - mqtt_seconds_down(now_ms);

    return left > MQTT_SECONDS_MAX + 1 ? 0 : left;
}
