/*
 * What a part of the worlds has besides: each of it is on or off in a world, and
 * has dice of its own, so that a world without it is what it was.
 */
#include <string.h>
#include "world.h"

/* In one of three worlds, half of them. */
static unsigned draw_features(struct dice *dice)
{
    if (!one_in(dice, 3))
        return 0;
    return 1 + roll(dice, FEATURES_ALL);
}

/* Faults that come with them. */
static unsigned draw_kinds(unsigned features, uint8_t *kinds)
{
    unsigned count = 0;

    if (features & FEATURE_REDIRECTS)
        kinds[count++] = FAULT_REDIRECT;
    if (features & FEATURE_AUTHENTICATION)
        kinds[count++] = FAULT_RENEW;
    if (features & FEATURE_TWINS)
        kinds[count++] = FAULT_TWIN;
    if (features & FEATURE_CODES)
        kinds[count++] = FAULT_SAY;
    if (features & FEATURE_SILENCE)
        kinds[count++] = FAULT_SILENCE;
    return count;
}

static void draw_deed(struct world *w, struct deed *deed, uint64_t end,
                      struct dice *dice)
{
    deed->at = ((dice_next(dice) >> 32) * end) >> 32;
    deed->dice = dice_next(dice);
    deed->player = (uint8_t)roll(dice, w->player_count);
}

/* In the order of time; of two at the same time the older one stays first. */
static void insert(struct deed *deeds, uint32_t count, const struct deed *deed)
{
    while (count && deeds[count - 1].at > deed->at) {
        deeds[count] = deeds[count - 1];
        count--;
    }
    deeds[count] = *deed;
}

void features_plan(struct world *w, uint64_t seed, uint64_t end)
{
    struct dice dice = dice_of(seed, 5);
    struct plan *plan = &w->plan;
    uint8_t kinds[FAULT_KINDS];
    struct deed *deeds;
    unsigned kind_count;
    uint32_t more;

    w->features = draw_features(&dice);
    kind_count = draw_kinds(w->features, kinds);
    if (!kind_count)
        return;
    more = between(&dice, 5, 20 + 15 * kind_count);
    deeds = store_take(&w->plans, (plan->fault_count + more) * sizeof(*deeds));
    memcpy(deeds, plan->faults, plan->fault_count * sizeof(*deeds));
    plan->faults = deeds;
    while (more--) {
        struct deed deed = {0};

        draw_deed(w, &deed, end, &dice);
        deed.kind = kinds[roll(&dice, kind_count)];
        insert(deeds, plan->fault_count++, &deed);
    }
}

void features_begin(struct world *w)
{
    struct habits *habits = &w->server.habits;

    habits->dice = dice_of(w->seed, 6);
    habits->refers = w->features & FEATURE_REDIRECTS;
    habits->explains = w->features & FEATURE_CODES;
    habits->denies = w->features & FEATURE_AUTHENTICATION;
}

void features_fault(struct player *p, unsigned kind, struct dice *dice)
{
    switch (kind) {
    case FAULT_REDIRECT:
        redirect_fault(p, dice);
        break;
    case FAULT_RENEW:
        if (p->made && p->authenticates)
            operation_authenticate(p);
        break;
    case FAULT_TWIN:
        twin_fault(p, dice);
        break;
    case FAULT_SAY:
        told_fault(p, dice);
        break;
    default:
        silence_fault(p, dice);
    }
}
