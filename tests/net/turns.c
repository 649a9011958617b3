#include "turns.h"

#include <dlfcn.h>
#include <mqttloop/posix.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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

/* ---- three tries: a machine may stop in the middle of a turn -------------- */

#define TRIES 3

static int *was_too_long; /* shared by the tries and who judges them */

/* The child, whose standard output is `output` if that isn't negative. */
static pid_t begin_try(int output)
{
    pid_t pid;

    *was_too_long = 0;
    fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output >= 0)
        dup2(output, STDOUT_FILENO);
    return 0;
}

static void show(int output)
{
    off_t from = 0;
    char bytes[4096];
    ssize_t size;

    while ((size = pread(output, bytes, sizeof bytes, from)) > 0) {
        from += size;
        if (write(STDOUT_FILENO, bytes, (size_t)size) != size)
            return;
    }
}

/* As a shell says it. */
static int end_try(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What stops the whole machine counts as processor time, too, where the machine
 * is a guest: a turn is too long if it is in each of three runs. So main() runs
 * in a child; what a run said that is done again is not shown. */
__attribute__((constructor(101))) static void run_up_to_three_times(void)
{
    if (is_only_printed())
        return;
    was_too_long = mmap(NULL, sizeof *was_too_long, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (was_too_long == MAP_FAILED)
        abort();
    for (int try = 1;; try++) {
        int output = memfd_create("output", MFD_CLOEXEC), status;
        pid_t pid = begin_try(output);

        if (pid == 0)
            return;
        status = end_try(pid);
        if (status == 0 || !*was_too_long || try == TRIES) {
            show(output);
            _exit(status);
        }
        close(output);
        fprintf(stderr, "a turn was too long in run %d: once more\n", try);
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

/* A reactor has to wait: show the shim from where it does. */
__attribute__((constructor)) static void show_the_reactors(void)
{
    struct mqtt_config config = {.server_count = 0};
    struct mqtt_client *client;

    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, NULL);
    if (!client)
        abort();
    call_shim("shim_learn", true);
    wait_a_moment(client);
    mqtt_client_fd(client); /* from now on it waits by epoll */
    wait_a_moment(client);
    call_shim("shim_learn", false);
    mqtt_client_free(client);
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
    if (!is_only_printed()) {
        *was_too_long = 1;
        fail_msg("a turn used %lu us of processor time", took_us);
    }
    print_message("a turn used %lu us, not judged here\n", took_us);
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
