#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct moment {
    double cpu_s, wall_s;
};

static struct moment started;

void bench_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t number(const char *name, const char *text, uint64_t maximum)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || end == text || *end || value > maximum)
        bench_fail("%s: not a number up to %llu: %s", name,
                   (unsigned long long)maximum, text);
    return value;
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        bench_fail("processor %d: %s", cpu, strerror(errno));
}

static void option(struct bench_options *options, const char *name,
                   const char *value)
{
    if (!strcmp(name, "--qos"))
        options->qos = (unsigned)number(name, value, 2);
    else if (!strcmp(name, "--payload"))
        options->payload = number(name, value, BENCH_PAYLOAD_MAXIMUM);
    else if (!strcmp(name, "--messages"))
        options->messages = number(name, value, UINT32_MAX);
    else if (!strcmp(name, "--port"))
        options->port = (uint16_t)number(name, value, UINT16_MAX);
    else if (!strcmp(name, "--cpu"))
        options->cpu = (int)number(name, value, CPU_SETSIZE - 1);
    else
        bench_fail("no such option: %s", name);
}

void bench_options_read(struct bench_options *options, int argc, char **argv)
{
    *options = (struct bench_options){.payload = 16, .messages = 1, .cpu = -1};
    if (argc < 2 || (strcmp(argv[1], "publish") && strcmp(argv[1], "receive")))
        bench_fail("%s publish|receive [--qos Q] [--payload BYTES] "
                   "[--messages N] [--port P] [--cpu C]",
                   argv[0]);
    options->receive = !strcmp(argv[1], "receive");
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc)
            bench_fail("%s: what value?", argv[i]);
        option(options, argv[i], argv[i + 1]);
    }
    if (options->cpu >= 0)
        pin(options->cpu);
}

const uint8_t *bench_payload(void)
{
    static uint8_t bytes[BENCH_PAYLOAD_MAXIMUM];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)('a' + i % 26);
    return bytes;
}

size_t bench_end_payload(char *text, uint64_t messages)
{
    return (size_t)snprintf(text, 24, "%llu", (unsigned long long)messages);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct moment moment(void)
{
    struct rusage usage;
    struct timespec now;

    getrusage(RUSAGE_SELF, &usage);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct moment){
        .cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime),
        .wall_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
    };
}

void bench_start(void)
{
    started = moment();
}

void bench_report(uint64_t messages)
{
    struct moment ended = moment();

    printf("{\"messages\": %llu, \"cpu_s\": %.6f, \"wall_s\": %.6f}\n",
           (unsigned long long)messages, ended.cpu_s - started.cpu_s,
           ended.wall_s - started.wall_s);
}
