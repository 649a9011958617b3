/*
 * every.h - tests that try every value there is. A build that is not optimised,
 * or instrumented, or runs on an emulated machine, takes ten times as long: it
 * tries each STRIDE-th, and all near the borders. ROUNDS() are those of tests
 * that go on with random values; emulated, a tenth of them.
 */
#ifndef EVERY_H
#define EVERY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EVERY_SLOW
#endif
#endif
#if defined(EMULATED) || !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
#define EVERY_SLOW
#endif

#ifdef EMULATED
#define ROUNDS(n) ((n) / 10)
#else
#define ROUNDS(n) (n)
#endif

#ifdef EVERY_SLOW
enum { STRIDE = 61 }; /* a prime: it meets every residue */
#else
enum { STRIDE = 1 };
#endif

#endif
