/*
 * witness.h - mosquitto_pub and mosquitto_sub, which know nothing of us.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include "station.h"

struct witness {
    pid_t pid;
    char path[96]; /* of what it writes */
};

/* mosquitto_sub with these arguments and the format of its lines, until `count`
 * messages have come. Returns when it is subscribed, which it learns by a
 * retained message of `s`. Several may be there at once. */
struct witness witness_start(const struct broker *broker, struct station *s,
                             unsigned count, const char *format,
                             const char *const arguments[]);
/* Wait until it has seen all, while `s` goes on; what it wrote, to be freed. */
char *witness_lines(const struct witness *witness, struct station *s);
/* The same, and just these lines. */
void expect_witnessed(const struct witness *witness, struct station *s,
                      const char *lines);

/* mosquitto_pub with these arguments; returns when it has ended well. */
void mosquitto_pub(const struct broker *broker, const char *const arguments[]);

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
