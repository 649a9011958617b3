/*
 * sim - runs worlds of a simulated network, each made of one seed.
 *
 *   sim [--seeds N] [--start S] [--jobs J] [--quiet]
 *   sim --seed S [--trace] [--whole]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "world.h"

static struct world world;

struct options {
    uint64_t start, seeds, seed;
    unsigned jobs;
    bool one, trace, quiet, whole;
};

static bool run(uint64_t seed, bool trace)
{
    store_reset(&world.plans);
    world_plan(&world, seed);
    world_run(&world, seed, &world.plan, trace);
    return !world.failed;
}

static void progress(const struct options *o, uint64_t done, uint64_t events,
                     double seconds, uint64_t violations)
{
    printf("seed %" PRIu64 ", %" PRIu64 " of %" PRIu64
           " done, %.0f seeds/s, %.0f events/s, %" PRIu64 " violations\n",
           o->start + done, done, o->seeds, (double)done / seconds,
           (double)events / seconds, violations);
    fflush(stdout);
}

static double clock_seconds(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_many(const struct options *o)
{
    double begin = clock_seconds(), last = begin;
    uint64_t events = 0, violations = 0;

    for (uint64_t i = 0; i < o->seeds; i++) {
        double now;

        if (!run(o->start + i, false)) {
            violations++;
            printf("seed %" PRIu64 ": %s (after %" PRIu64 " events)\n",
                   o->start + i, world.violation, world.events);
        }
        events += world.events;
        now = clock_seconds();
        if (now - last >= 1 && !o->quiet) {
            progress(o, i + 1, events, now - begin, violations);
            last = now;
        }
    }
    progress(o, o->seeds, events, clock_seconds() - begin, violations);
    return violations ? 1 : 0;
}

static uint64_t number(const char *text)
{
    return text ? strtoull(text, NULL, 0) : 0;
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {.start = 1, .seeds = 100, .jobs = 1};

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "--trace"))
            o.trace = true;
        else if (!strcmp(argv[i], "--quiet"))
            o.quiet = true;
        else if (!strcmp(argv[i], "--seeds"))
            o.seeds = number(value);
        else if (!strcmp(argv[i], "--start"))
            o.start = number(value);
        else if (!strcmp(argv[i], "--seed")) {
            o.seed = number(value);
            o.one = true;
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    bool good;

    if (!o.one)
        return run_many(&o);
    good = run(o.seed, o.trace);
    printf("seed %" PRIu64 ": %" PRIu64
           " events, %u published, %u received, hash %016" PRIx64 ": %s\n",
           o.seed, world.events, world.seen_published, world.seen_messages,
           world.hash, good ? "good" : world.violation);
    world_free(&world);
    return good ? 0 : 1;
}
