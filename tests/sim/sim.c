/*
 * sim - runs worlds of a simulated network, each made of one seed.
 *
 *   sim [--seeds N] [--start S] [--jobs J] [--quiet]   many, and a count of all
 *   sim --first ...                    the same, until one violates; not shrunk
 *   sim --codes ...                    every reason code has to occur, too
 *   sim --stuck SECONDS ...            what a seed may need at most (300)
 *   sim --seed S [--trace] [--shrink]                  one; what happens in it
 *   sim --list S...                                    these
 *
 * A seed that violates is shrunk and shown. Exit status 0: none did.
 */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "world.h"

#define JOBS 64
#define SHOWN 2 /* violations of a process that are shown whole */
/* A seed needs milliseconds; one that needs so long does not end. */
#define STUCK_SECONDS 300
/* What is asked of one core of a quiet machine. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define EVENTS_BAR 200000
#else
#define EVENTS_BAR 1000000
#endif

static struct world world;

struct options {
    uint64_t start, seeds, seed, stuck_seconds;
    unsigned jobs;
    bool one, trace, quiet, shrink, first, codes, bad;
};

/* Of one process, in memory that all share. */
struct count {
    uint64_t seeds, events, violations, published, received;
    uint64_t faults[FAULT_KINDS];
    struct code_counts codes;
    uint64_t seed; /* the one that runs */
    bool over;     /* no more: one violated, and no more are wanted */
    pid_t process;
    double since; /* the parent's: when it last saw another seed */
    uint64_t seen;
};

/* -- one seed --------------------------------------------------------------------- */

static bool run(uint64_t seed, bool trace)
{
    store_reset(&world.plans);
    world_plan(&world, seed);
    world_run(&world, seed, trace);
    return !world.failed;
}

static uint32_t count_on(const struct deed *deeds, uint32_t count)
{
    uint32_t on = 0;

    for (uint32_t i = 0; i < count; i++)
        on += !deeds[i].off;
    return on;
}

static void show_shrunk(uint64_t seed)
{
    shrink(&world, seed);
    printf("shrunk to %u operations and %u faults:\n",
           count_on(world.plan.operations, world.plan.operation_count),
           count_on(world.plan.faults, world.plan.fault_count));
    world_run(&world, seed, true);
}

static int run_one(const struct options *o)
{
    bool good = run(o->seed, o->trace && !o->shrink);

    printf("seed %" PRIu64 ": %" PRIu64 " events, %u published, %u received, "
           "hash %016" PRIx64 ": %s\n",
           o->seed, world.events, world.seen_published, world.seen_messages,
           world.hash, good ? "good" : world.violation);
    if (!good && o->shrink)
        show_shrunk(o->seed);
    return good ? 0 : 1;
}

/* Seeds that have found something once. */
static int run_list(char **seeds)
{
    int bad = 0;

    for (; *seeds; seeds++) {
        struct options o = {.one = true};

        int status;

        o.seed = strtoull(*seeds, NULL, 0);
        status = run_one(&o);
        printf("%s seed %" PRIu64 "\n", status ? "FAILED " : "passed ", o.seed);
        bad |= status;
    }
    return bad;
}

/* -- many ---------------------------------------------------------------------------- */

static void add_world(struct count *count)
{
    count->seeds++;
    count->events += world.events;
    count->published += world.seen_published;
    count->received += world.seen_messages;
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        count->faults[i] += world.faults[i];
    told_add(&count->codes, &world.codes);
}

static void tell_violation(const struct options *o, uint64_t seed,
                           struct count *count)
{
    printf("seed %" PRIu64 ": %s (after %" PRIu64 " events)\n", seed,
           world.violation, world.events);
    if (count->violations++ < SHOWN && !o->first)
        show_shrunk(seed);
    fflush(stdout);
}

/* Of so many processes each takes its share of the seeds. */
static void work(const struct options *o, unsigned job, struct count *count)
{
    for (uint64_t i = job; i < o->seeds && !count->over; i += o->jobs) {
        bool good;

        count->seed = o->start + i;
        good = run(o->start + i, false);
        add_world(count);
        if (!good)
            tell_violation(o, o->start + i, count);
        if (!good && o->first)
            break;
    }
}

static double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct count sum(const struct count *counts, unsigned jobs)
{
    struct count all = {0};

    for (unsigned j = 0; j < jobs; j++) {
        all.seeds += counts[j].seeds;
        all.events += counts[j].events;
        all.violations += counts[j].violations;
        all.published += counts[j].published;
        all.received += counts[j].received;
        for (unsigned i = 0; i < FAULT_KINDS; i++)
            all.faults[i] += counts[j].faults[i];
        told_add(&all.codes, &counts[j].codes);
    }
    return all;
}

static void progress(const struct options *o, const struct count *counts,
                     double seconds)
{
    struct count all = sum(counts, o->jobs);

    printf("%" PRIu64 " of %" PRIu64 " seeds, %.0f seeds/s, %.0f events/s, "
           "%" PRIu64 " published, %" PRIu64 " received;",
           all.seeds, o->seeds, (double)all.seeds / seconds,
           (double)all.events / seconds, all.published, all.received);
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        printf(" %s %" PRIu64, fault_names[i], all.faults[i]);
    printf("; %" PRIu64 " violations\n", all.violations);
    fflush(stdout);
}

static int start_workers(const struct options *o, struct count *counts)
{
    for (unsigned j = 0; j < o->jobs; j++) {
        pid_t child = fork();

        if (child < 0)
            return -1;
        if (!child) {
            work(o, j, &counts[j]);
            exit(0);
        }
        counts[j].process = child;
        counts[j].since = clock_seconds();
    }
    return 0;
}

/* A seed that does not end is a violation, too; its process is ended. */
static void end_stuck(const struct options *o, struct count *counts)
{
    double now = clock_seconds();

    for (unsigned j = 0; j < o->jobs; j++) {
        struct count *count = &counts[j];

        if (count->seen != count->seed || !count->process) {
            count->seen = count->seed;
            count->since = now;
        } else if (now - count->since > (double)o->stuck_seconds) {
            printf("seed %" PRIu64 ": does not end\n", count->seed);
            kill(count->process, SIGKILL);
            count->since = now;
        }
    }
}

/* How a worker ended; false: not as it should. */
static bool ended_well(const struct options *o, struct count *counts,
                       pid_t child, int status)
{
    bool good = WIFEXITED(status) && !WEXITSTATUS(status);

    for (unsigned j = 0; j < o->jobs; j++) {
        if (counts[j].process == child) {
            counts[j].process = 0;
            if (!good)
                printf("seed %" PRIu64 ": the process crashed\n",
                       counts[j].seed);
        }
    }
    for (unsigned j = 0; o->first && j < o->jobs; j++)
        counts[j].over = !good || sum(counts, o->jobs).violations;
    return good;
}

/* Wait for them; false: one has crashed. */
static bool watch_workers(const struct options *o, struct count *counts,
                          double begin)
{
    double last = begin;
    unsigned left = o->jobs;
    bool good = true;

    while (left) {
        int status;
        pid_t child = waitpid(-1, &status, WNOHANG);

        if (child > 0) {
            left--;
            good = ended_well(o, counts, child, status) && good;
            continue;
        }
        usleep(5000);
        if (clock_seconds() - last < 1)
            continue;
        last = clock_seconds();
        end_stuck(o, counts);
        if (!o->quiet)
            progress(o, counts, last - begin);
    }
    return good;
}

/* Per second of processor time, so that other work on the machine does not
 * count. */
static void tell_bar(const struct options *o, const struct count *counts)
{
    struct rusage used;
    double seconds, rate;

    getrusage(RUSAGE_CHILDREN, &used);
    seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
              (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    rate = (double)sum(counts, o->jobs).events / (seconds > 0 ? seconds : 1e-6);
    printf("%.0f events in a second of one core; bar: %d, %s\n", rate,
           EVENTS_BAR, rate >= EVENTS_BAR ? "held" : "missed");
}

static int run_many(const struct options *o)
{
    double begin = clock_seconds();
    struct count *counts =
        mmap(NULL, JOBS * sizeof(*counts), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct count all;
    bool good;

    if (counts == MAP_FAILED || start_workers(o, counts) < 0) {
        perror("sim");
        return 2;
    }
    good = watch_workers(o, counts, begin);
    progress(o, counts, clock_seconds() - begin);
    tell_bar(o, counts);
    all = sum(counts, o->jobs);
    good = (told_all(&all.codes, o->codes) || !o->codes) && good;
    good = good && !all.violations;
    /* As a script says it, for tools/check to count. */
    printf("%s %" PRIu64 " seeds from %" PRIu64 " on\n",
           good ? "passed " : "FAILED ", o->seeds, o->start);
    return good ? 0 : 1;
}

/* -- options ----------------------------------------------------------------------------- */

static bool read_flag(struct options *o, const char *name)
{
    if (!strcmp(name, "--trace"))
        o->trace = true;
    else if (!strcmp(name, "--quiet"))
        o->quiet = true;
    else if (!strcmp(name, "--shrink"))
        o->shrink = true;
    else if (!strcmp(name, "--first"))
        o->first = true;
    else if (!strcmp(name, "--codes"))
        o->codes = true;
    else
        return false;
    return true;
}

static bool read_number(struct options *o, const char *name, const char *value)
{
    uint64_t number = value ? strtoull(value, NULL, 0) : 0;

    if (!strcmp(name, "--seeds"))
        o->seeds = number;
    else if (!strcmp(name, "--start"))
        o->start = number;
    else if (!strcmp(name, "--jobs"))
        o->jobs = number && number <= JOBS ? (unsigned)number : 1;
    else if (!strcmp(name, "--seed"))
        o->seed = number;
    else if (!strcmp(name, "--stuck"))
        o->stuck_seconds = number;
    else
        return false;
    o->one = o->one || !strcmp(name, "--seed");
    return value != NULL;
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {
        .start = 1, .seeds = 1000, .jobs = 1, .stuck_seconds = STUCK_SECONDS};

    for (int i = 1; i < argc; i++) {
        if (read_flag(&o, argv[i]))
            continue;
        if (!read_number(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            o.bad = true;
        i++;
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o;
    int status;

    if (argc > 2 && !strcmp(argv[1], "--list")) {
        status = run_list(argv + 2);
        world_free(&world);
        return status;
    }
    o = read_options(argc, argv);
    if (o.bad) {
        fputs("sim [--seeds N] [--start S] [--jobs J] [--quiet] [--first]\n"
              "    [--codes] [--stuck SECONDS]\n"
              "sim --seed S [--trace] [--shrink]\n"
              "sim --list S...\n",
              stderr);
        return 2;
    }
    status = o.one ? run_one(&o) : run_many(&o);
    world_free(&world);
    return status;
}
