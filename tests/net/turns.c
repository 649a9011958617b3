#include "turns.h"

#include <dlfcn.h>
#include <mqttloop/posix.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    if (!is_only_printed())
        fail_msg("a turn used %lu us of processor time", took_us);
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
