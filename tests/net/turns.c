#include "turns.h"

#include "which.h"

#include <dlfcn.h>
#include <errno.h>
#include <mqttloop/posix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Thread_local uint64_t begun_at_us;
static _Thread_local unsigned long longest_us;

static uint64_t processor_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

/* TURNS_ONLY_PRINTED: built with a sanitizer. */
static bool is_only_printed(void)
{
#ifdef TURNS_ONLY_PRINTED
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded && strstr(preloaded, "vgpreload");
#endif
}

/* ---- three runs: a machine may stop in the middle of a turn ---------------- */

#define RUNS 3
#define MOST 256 /* more tests than a program has */

/* Tests with a turn that was too long, in one run. */
struct slow {
    unsigned count;
    uintptr_t tests[MOST];
};

static struct slow *slow_now; /* shared by a run and who judges it */

static bool has(const struct slow *slow, uintptr_t test)
{
    for (unsigned i = 0; i < slow->count; i++)
        if (slow->tests[i] == test)
            return true;
    return false;
}

static void note_slow(uintptr_t test)
{
    if (!has(slow_now, test) && slow_now->count < MOST)
        slow_now->tests[slow_now->count++] = test;
}

static void keep_what_both_have(struct slow *slow, const struct slow *other)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < slow->count; i++)
        if (has(other, slow->tests[i]))
            slow->tests[kept++] = slow->tests[i];
    slow->count = kept;
}

/* The child, whose standard output is `output` if that isn't negative. */
static pid_t begin_run(int output)
{
    pid_t pid;

    slow_now->count = 0;
    fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output >= 0)
        dup2(output, STDOUT_FILENO);
    return 0;
}

/* As a shell says it. */
static int end_run(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void show(int output)
{
    char bytes[4096];
    ssize_t size;

    lseek(output, 0, SEEK_SET);
    while ((size = read(output, bytes, sizeof bytes)) > 0)
        if (write(STDOUT_FILENO, bytes, (size_t)size) != size)
            abort();
}

/* What all runs so far found too slow. */
static void keep_what_is_always(struct slow *always, int run)
{
    if (run == 1)
        *always = *slow_now;
    keep_what_both_have(always, slow_now);
}

/* The status. */
static int blame(const struct slow *always)
{
    for (unsigned i = 0; i < always->count; i++)
        fprintf(stderr,
                "a turn was too long in each of %d runs: "
                "addr2line -fe %s 0x%jx names the test\n",
                RUNS, program_invocation_name, (uintmax_t)always->tests[i]);
    return always->count > 0;
}

/* What stops the whole machine counts as processor time, too, where the machine
 * is a guest: a turn is too long if it is in each of three runs, in one and the
 * same test. So main() runs in a child; what a run said that is done again is
 * not shown. A run that failed is the last. */
__attribute__((constructor(101))) static void run_up_to_three_times(void)
{
    static struct slow always;

    if (is_only_printed())
        return;
    slow_now = mmap(NULL, sizeof *slow_now, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slow_now == MAP_FAILED)
        abort();
    for (int run = 1;; run++) {
        int output = memfd_create("output", MFD_CLOEXEC), status;
        pid_t pid = begin_run(output);

        if (pid == 0)
            return;
        status = end_run(pid);
        keep_what_is_always(&always, run);
        if (status != 0 || always.count == 0 || run == RUNS) {
            show(output);
            _exit(status != 0 ? status : blame(&always));
        }
        close(output);
        fprintf(stderr, "a turn was too long in run %d: once more\n", run);
    }
}

/* ---- the shim, if it is there -------------------------------------------- */

static void call_shim(const char *name, bool yes)
{
    void (*function)(bool);

    *(void **)&function = dlsym(RTLD_DEFAULT, name);
    if (function)
        function(yes);
}

void turns_may_block_here(void)
{
    call_shim("shim_exempt_thread", true);
}

static void wait_a_moment(struct mqtt_client *client)
{
    while (mqtt_loop(client, 1) > 0)
        ;
}

/* One that watches nothing, or something: a compiler may keep these apart. */
static void wait_in_each_way(bool wakeable)
{
    const struct mqtt_host host = {.wakeable = wakeable};
    struct mqtt_config config = {.server_count = 0};
    struct mqtt_client *client;

    config.connect.clean_start = true;
    client = mqtt_client_new(&config, &host, NULL);
    if (!client)
        abort();
    wait_a_moment(client);
    mqtt_client_fd(client); /* from now on it waits by epoll */
    wait_a_moment(client);
    mqtt_client_free(client);
}

/* A reactor has to wait: show the shim from where it does. */
__attribute__((constructor)) static void show_the_reactors(void)
{
    call_shim("shim_learn", true);
    wait_in_each_way(false);
    wait_in_each_way(true);
    call_shim("shim_learn", false);
}

/* ---- the bar ------------------------------------------------------------- */

void turn_begin(void)
{
    begun_at_us = processor_us();
}

void turn_end(void)
{
    unsigned long took_us = (unsigned long)(processor_us() - begun_at_us);

    if (took_us > longest_us)
        longest_us = took_us;
    if (took_us <= TURN_LIMIT_US)
        return;
    fprintf(stderr, "a turn used %lu us of processor time%s\n", took_us,
            is_only_printed() ? ", not judged here" : "");
    if (!is_only_printed())
        note_slow(which_test());
}

int turn(struct mqtt_client *client, int timeout_ms)
{
    int count;

    turn_begin();
    count = mqtt_loop(client, timeout_ms);
    turn_end();
    return count;
}

unsigned long turns_longest_us(void)
{
    return longest_us;
}
