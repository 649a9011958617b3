/*
 * What the programs of the benchmark share: command line, processor, figures.
 *
 * Each program takes one job from its command line and prints one line of JSON:
 * what the job took this process. tools/bench starts them and compares.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** 20 bytes, which is what sensors have. */
#define BENCH_TOPIC "bench/house/sensor/1"
/**
 * The last publish goes here at QoS 1, its payload the number of messages
 * before it, in decimal. The sink acknowledges it only if it counted as many;
 * so the PUBACK proves that none was lost and none came twice. What a client
 * receives ends with an empty message to BENCH_TOPIC.
 */
#define BENCH_END_TOPIC "bench/end"

/** Messages in flight at QoS 1 and 2. */
#define BENCH_WINDOW 1000
/** No answer for so long is a failure. */
#define BENCH_PATIENCE_MS 20000
#define BENCH_PAYLOAD_MAXIMUM 4096

struct bench_options {
    bool receive; /* or publish */
    unsigned qos;
    size_t payload;
    uint64_t messages;
    uint16_t port; /* on 127.0.0.1 */
    int cpu;       /* to be pinned to; -1: none */
};

/** publish|receive --qos Q --payload BYTES --messages N [--port P] [--cpu C];
 * pins the process. Ends the program if that cannot be. */
void bench_options_read(struct bench_options *options, int argc, char **argv);

/** Print why, and exit with 1: a lost message is a failure, not a figure. */
_Noreturn void bench_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/** What is published: options->payload bytes. */
const uint8_t *bench_payload(void);

/** The payload of the last publish; `text` has 24 bytes. Its length. */
size_t bench_end_payload(char *text, uint64_t messages);

/** Processor time of this process and time of day, from start to report. */
void bench_start(void);
void bench_report(uint64_t messages);

#endif
