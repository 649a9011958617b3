/*
 * Milliseconds of the clock in seconds, which is what 5.0 counts in. A small
 * processor has no division, and a call for it is not to be needed.
 */
#ifndef MQTT_SESSION_SECONDS_H
#define MQTT_SESSION_SECONDS_H

#include <stdint.h>

/* What has passed, in whole seconds, modulo 2^32; and with a second that has
 * begun. */
uint32_t mqtt_seconds_down(uint64_t ms);
uint32_t mqtt_seconds_up(uint64_t ms);

/* An interval is no longer than this, 102 years: what lies behind by less than
 * 34 years has passed. */
#define MQTT_SECONDS_MAX 0xBFFFFFFFu

/* How long it is from now to a moment; 0: it has passed. Seconds go around. */
uint32_t mqtt_seconds_until(uint64_t now_ms, uint32_t moment_s);

#endif
