/*
 * turns.h - the bar on how long a turn of the loop may keep its thread: 5 ms of
 * processor time, whatever comes from the network. And the marker for threads
 * of a test that may block though they use a library that the shim watches.
 *
 * A program with a turn above it runs up to three times: it fails if each run
 * has such a turn in one and the same test: what stops a guest machine counts as
 * its processor time, and hits a program of many turns somewhere each time. The
 * program fails as a whole, at its end; standard error says which test it was.
 * Under sanitizers and valgrind it is only printed.
 */
#ifndef TURNS_H
#define TURNS_H

#include <mqttloop/mqttloop.h>

#define TURN_LIMIT_US 5000

/** mqtt_loop(), measured. One call may have several turns; the limit is for all
 * of them. */
int turn(struct mqtt_client *client, int timeout_ms);

/** The same for what other loops do: begin right before a turn or whatever is
 * to be as short, end right after. */
void turn_begin(void);
void turn_end(void);

/** The longest of this thread so far, in microseconds; for a test's last line. */
unsigned long turns_longest_us(void);

/** This thread is no client's: let it block. See shim.c. */
void turns_may_block_here(void);

/** Let happen what happens until `condition`, which must be within 10 s. */
#define turn_until(client, condition)                                          \
    do {                                                                       \
        mqtt_time until_ = mqtt_posix_now() + 10000;                           \
        while (!(condition)) {                                                 \
            if (mqtt_posix_now() > until_)                                     \
                fail_msg("waited in vain for: %s", #condition);                \
            turn(client, 20);                                                  \
        }                                                                      \
    } while (0)

#endif
