/*
 * What a violation needs: operations and faults are switched off in groups, as
 * long as the same violation comes without them.
 */
#include <string.h>
#include "world.h"

/* The same words, whatever the numbers. */
static void words_of(const char *text, char *words)
{
    for (; *text; text++)
        if (*text < '0' || *text > '9')
            *words++ = *text;
    *words = '\0';
}

static bool still(struct world *w, uint64_t seed, const char *words)
{
    char now[sizeof(w->violation)];

    world_run(w, seed, false);
    if (!w->failed)
        return false;
    words_of(w->violation, now);
    return !strcmp(now, words);
}

/* Switch off `size` of them from `from` on; back on if they are needed. */
static bool drop(struct world *w, uint64_t seed, struct deed *deeds,
                 uint32_t size, const char *words)
{
    bool any = false;

    for (uint32_t i = 0; i < size; i++) {
        any = any || !deeds[i].off;
        if (!deeds[i].off)
            deeds[i].off = 2;
    }
    if (!any)
        return false;
    any = still(w, seed, words);
    for (uint32_t i = 0; i < size; i++)
        if (deeds[i].off == 2)
            deeds[i].off = any;
    return any;
}

static bool drop_groups(struct world *w, uint64_t seed, struct deed *deeds,
                        uint32_t count, uint32_t size, const char *words)
{
    bool any = false;

    for (uint32_t i = 0; i < count; i += size) {
        uint32_t n = count - i < size ? count - i : size;

        any = drop(w, seed, deeds + i, n, words) || any;
    }
    return any;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void shrink(struct world *w, uint64_t seed)
{
    struct plan *plan = &w->plan;
    char words[sizeof(w->violation)];
    uint32_t size = larger(plan->operation_count, plan->fault_count) / 2;

    words_of(w->violation, words);
    while (size) {
        bool any =
            drop_groups(w, seed, plan->faults, plan->fault_count, size, words);

        any = drop_groups(w, seed, plan->operations, plan->operation_count,
                          size, words) ||
              any;
        if (!any || size > 1)
            size /= 2;
    }
    world_run(w, seed, false);
}
