/*
 * The run of a world: what is due happens, then time goes on to what is next.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "world.h"

/* A session that was away for long can have tens of thousands of messages waiting,
 * which a line without delay and memory for two bytes takes in one moment. */
#define STEPS_AT_ONCE 3000000
#define CALM_MS (uint64_t)(6 * 3600 * 1000)

/* -- telling ---------------------------------------------------------------------------- */

void violation(struct player *p, const char *format, ...)
{
    struct world *w = p->world;
    va_list arguments;
    int n;

    if (w->failed)
        return;
    w->failed = true;
    n = snprintf(w->violation, sizeof(w->violation), "client %u: ", p->index);
    va_start(arguments, format);
    vsnprintf(w->violation + n, sizeof(w->violation) - (size_t)n, format,
              arguments);
    va_end(arguments);
    if (w->tracing)
        printf("%10llu VIOLATION %s\n", (unsigned long long)w->now,
               w->violation);
}

void say(struct player *p, const char *format, ...)
{
    va_list arguments;

    if (!p->world->tracing)
        return;
    printf("%10llu c%u ", (unsigned long long)p->world->now, p->index);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* -- the plan ------------------------------------------------------------------------------ */

static unsigned draw_operation(struct dice *dice)
{
    static const uint8_t weights[OP_KINDS] = {80, 24, 12, 24, 8, 36,
                                              3,  2,  2,  4,  3, 1};
    uint32_t n = roll(dice, 199);

    for (unsigned i = 0; i < OP_KINDS; i++) {
        if (n < weights[i])
            return i;
        n -= weights[i];
    }
    return OP_PUBLISH;
}

static void draw_deeds(struct world *w, struct deed *deeds, uint32_t count,
                       uint64_t end, struct dice *dice)
{
    for (uint32_t i = 0; i < count; i++) {
        deeds[i].at = end / count * i + roll(dice, (uint32_t)(end / count) + 1);
        deeds[i].dice = dice_next(dice);
        deeds[i].player = (uint8_t)roll(dice, w->player_count);
        deeds[i].in_callback = one_in(dice, 4);
    }
}

/* In half of the seeds whole classes of faults are switched off. */
static void draw_faults(struct world *w, struct dice *dice)
{
    uint8_t kinds[FAULT_KINDS];
    unsigned count = 0;
    bool some = one_in(dice, 2);

    for (unsigned i = 0; i < (w->has_stores ? FAULT_REDIRECT : FAULT_SLOW); i++)
        if (!some || one_in(dice, 2))
            kinds[count++] = (uint8_t)i;
    if (!count)
        kinds[count++] = FAULT_CUT;
    for (uint32_t i = 0; i < w->plan.fault_count; i++)
        w->plan.faults[i].kind = kinds[roll(dice, count)];
}

void world_plan(struct world *w, uint64_t seed)
{
    struct dice dice = dice_of(seed, 1), stores = dice_of(seed, 4);
    struct plan *plan = &w->plan;
    uint64_t end;

    w->has_stores = dice_next(&stores) & 1;
    w->player_count = between(&dice, 1, PLAYERS);
    plan->operation_count = between(&dice, 50, 1000);
    plan->fault_count = between(&dice, 20, 200);
    w->gap_ms = any_size(&dice, 10000);
    w->leap_ms = one_in(&dice, 4) ? 3 * 86400000u : any_size(&dice, 1000000);
    end = (uint64_t)w->gap_ms * plan->operation_count + 1000;
    plan->operations =
        store_take(&w->plans, plan->operation_count * sizeof(struct deed));
    plan->faults =
        store_take(&w->plans, plan->fault_count * sizeof(struct deed));
    draw_deeds(w, plan->operations, plan->operation_count, end, &dice);
    for (uint32_t i = 0; i < plan->operation_count; i++)
        plan->operations[i].kind = (uint8_t)draw_operation(&dice);
    draw_deeds(w, plan->faults, plan->fault_count, end, &dice);
    draw_faults(w, &dice);
    features_plan(w, seed, end);
}

/* -- beginning ------------------------------------------------------------------------------- */

static void begin_player(struct world *w, unsigned index)
{
    struct player *p = &w->players[index];
    struct row tap = p->tap, up = p->wire.up;
    struct dice dice = dice_of(w->seed, 16 + index);

    memset(p, 0, sizeof(*p));
    p->tap = tap;
    p->wire.up = up;
    row_clear(&p->tap);
    row_clear(&p->wire.up);
    p->world = w;
    p->index = index;
    p->dice = dice_of(w->seed, 32 + index);
    p->deadline = p->connect_at = p->make_at = NEVER;
    p->by_identifier =
        store_take(&w->store, 65536 * sizeof(p->by_identifier[0]));
    persist_begin(p, w->has_stores);
    player_configure(p, &dice);
    player_make(p);
}

static void begin(struct world *w)
{
    struct dice dice = dice_of(w->seed, 2);

    store_reset(&w->store);
    w->now = one_in(&dice, 8) ? UINT64_C(0xFFFFF000) : roll(&dice, 100000);
    w->start = w->now;
    w->dice = dice_of(w->seed, 3);
    w->events = w->turns_at_once = 0;
    w->hash = UINT64_C(0xCBF29CE484222325);
    w->seen_messages = w->seen_published = 0;
    memset(w->faults, 0, sizeof(w->faults));
    memset(w->operations, 0, sizeof(w->operations));
    memset(&w->codes, 0, sizeof(w->codes));
    w->calm = w->failed = false;
    w->lingering_count = 0;
    w->next_operation = w->next_fault = 0;
    server_begin(&w->server, &w->store, w->seed, &ledger_hooks, w);
    w->server.now = w->now;
    w->server.tracing = w->tracing;
    if (!one_in(&dice, 4))
        draw_manners(&dice, &w->server.manners);
    features_begin(w);
    for (unsigned i = 0; i < w->player_count; i++)
        begin_player(w, i);
}

/* -- deeds -------------------------------------------------------------------------------------- */

static void run_operation(struct world *w, const struct deed *deed)
{
    struct player *p = &w->players[deed->player];
    unsigned most = sizeof(p->callback_deeds) / sizeof(p->callback_deeds[0]);

    if (deed->in_callback && p->callback_deed_count < most)
        p->callback_deeds[p->callback_deed_count++] = deed;
    else
        operation_run(p, deed);
}

static void run_deeds(struct world *w)
{
    const struct plan *plan = &w->plan;

    while (w->next_operation < plan->operation_count &&
           plan->operations[w->next_operation].at + w->start <= w->now) {
        const struct deed *deed = &plan->operations[w->next_operation++];

        if (!deed->off && !w->failed)
            run_operation(w, deed);
    }
    if (w->next_fault < plan->fault_count &&
        plan->faults[w->next_fault].at + w->start <= w->now) {
        const struct deed *deed = &plan->faults[w->next_fault++];

        if (!deed->off && !w->failed)
            fault_run(w, deed);
    }
}

/* What an application does by itself: it comes back. */
static void live(struct player *p)
{
    if (!p->made) {
        if (p->make_at <= p->world->now)
            player_make(p);
        return;
    }
    persist_tick(p);
    if (p->connect_at <= p->world->now) {
        p->connect_at = NEVER;
        if (mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED)
            operation_connect(p);
    }
    if (p->answer_auth)
        operation_authenticate(p);
}

/* -- time ----------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_deed(const struct world *w)
{
    uint64_t at = NEVER;

    if (w->next_operation < w->plan.operation_count)
        at = w->plan.operations[w->next_operation].at + w->start;
    if (w->next_fault < w->plan.fault_count)
        at = earlier(at, w->plan.faults[w->next_fault].at + w->start);
    return at;
}

static uint64_t next_moment(const struct world *w)
{
    uint64_t at = earlier(next_deed(w), server_deadline(&w->server));

    at = earlier(at, lingering_wakes(w));
    for (unsigned i = 0; i < w->player_count; i++) {
        const struct player *p = &w->players[i];

        at = earlier(at, player_wakes(p));
        at = earlier(at, persist_wakes(p));
        at = earlier(at, p->made ? p->connect_at : p->make_at);
    }
    return at;
}

static bool any_ready(const struct world *w)
{
    for (unsigned i = 0; i < w->player_count; i++)
        if (player_ready(&w->players[i]))
            return true;
    return false;
}

/* -- steps ------------------------------------------------------------------------------------------ */

static void turns(struct world *w)
{
    unsigned start = w->player_count > 1 ? roll(&w->dice, w->player_count) : 0;

    for (unsigned i = 0; i < w->player_count && !w->failed; i++) {
        struct player *p = &w->players[(start + i) % w->player_count];

        wire_move(p);
        if (player_ready(p))
            player_turn(p);
        if (!p->made || w->failed)
            continue;
        if (w->calm)
            application_settle_all(p);
        else if (p->settles_soon)
            application_settle_some(p);
    }
}

static void moment(struct world *w)
{
    run_deeds(w);
    server_tick(&w->server, w->now);
    lingering_end(w, false);
    for (unsigned i = 0; i < w->player_count && !w->failed; i++)
        live(&w->players[i]);
    turns(w);
}

/* A process that is killed comes out here; what the others have to do now they
 * do in the next step, at the same time. */
static void moment_with_deaths(struct world *w)
{
    if (setjmp(w->death))
        player_die(w->victim);
    else
        moment(w);
}

/* False: nothing is to come any more. */
static bool step(struct world *w)
{
    uint64_t next;

    moment_with_deaths(w);
    if (w->failed)
        return false;
    if (any_ready(w)) {
        if (++w->turns_at_once > STEPS_AT_ONCE)
            violation(&w->players[0], "turns without end");
        return !w->failed;
    }
    next = next_moment(w);
    if (next == NEVER)
        return false;
    if (next > w->now) {
        w->turns_at_once = 0;
        w->now = next;
    } else if (++w->turns_at_once > STEPS_AT_ONCE) {
        violation(&w->players[0], "moments without end");
    }
    return !w->failed;
}

/* -- the end ----------------------------------------------------------------------------------------- */

static void calm_down(struct world *w)
{
    w->calm = true;
    server_be_friendly(&w->server);
    for (unsigned i = 0; i < w->player_count; i++) {
        struct player *p = &w->players[i];

        p->wire.up_at = p->wire.down_at = p->wire.tiny_until = 0;
        p->wire.cut_up = p->wire.cut_down = UINT32_MAX;
        p->wire.silent_in = UINT32_MAX;
        p->wire.nothing = p->wire.fails = p->wire.twice = false;
        p->callback_deed_count = 0;
        persist_be_friendly(p);
        if (p->wire.hole)
            wire_cut(p);
        p->wire.hole = false;
        if (!p->made)
            p->make_at = w->now;
    }
}

static bool at_rest(struct world *w, const char **why, struct player **who)
{
    for (unsigned i = 0; i < w->player_count; i++) {
        struct player *p = &w->players[i];

        *who = p;
        *why = NULL;
        if (!p->made)
            *why = "not made";
        else if (mqtt_client_state(&p->client) != MQTT_CLIENT_CONNECTED)
            *why = "not connected";
        else if (!application_at_rest(p, why))
            return false;
        else
            *why = persist_unrest(p);
        if (*why)
            return false;
    }
    *who = &w->players[0];
    *why = server_idle(&w->server) ? NULL : "the server has messages";
    return !*why;
}

/* Without faults all that was begun ends. */
static void come_to_rest(struct world *w)
{
    uint64_t until = w->now + CALM_MS;
    const char *why = NULL;
    struct player *who = w->players;

    while (!w->failed && !at_rest(w, &why, &who)) {
        for (unsigned i = 0; i < w->player_count; i++) {
            struct player *p = &w->players[i];

            if (p->made && mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED)
                p->connect_at = earlier(p->connect_at, w->now);
        }
        if (!step(w) || w->now > until) {
            if (!w->failed && at_rest(w, &why, &who))
                return;
            violation(who, "does not come to rest: %s, state %s", why,
                      mqtt_client_state_text(mqtt_client_state(&who->client)));
            return;
        }
    }
}

static bool all_stopped(const struct world *w)
{
    for (unsigned i = 0; i < w->player_count; i++)
        if (mqtt_client_state(&w->players[i].client) != MQTT_CLIENT_STOPPED)
            return false;
    return true;
}

static void drain(struct world *w)
{
    uint64_t until = w->now + 600000;

    for (unsigned i = 0; i < w->player_count && !w->failed; i++)
        operation_disconnect(&w->players[i], 300000);
    while (!w->failed && !all_stopped(w)) {
        for (unsigned i = 0; i < w->player_count; i++)
            w->players[i].connect_at = NEVER;
        if ((!step(w) || w->now > until) && !all_stopped(w))
            violation(w->players, "a client does not stop");
    }
}

static void end(struct world *w)
{
    for (unsigned i = 0; i < w->player_count && !w->failed; i++) {
        struct player *p = &w->players[i];

        if (p->open_count)
            violation(p, "a publication is open at the end");
        pools_check(p);
        player_destroy(p);
    }
}

void world_run(struct world *w, uint64_t seed, bool tracing)
{
    w->seed = seed;
    w->tracing = tracing;
    begin(w);
    while (!w->failed && (w->next_operation < w->plan.operation_count ||
                          w->next_fault < w->plan.fault_count))
        if (!step(w))
            break;
    if (!w->failed)
        calm_down(w);
    come_to_rest(w);
    if (!w->failed)
        drain(w);
    if (!w->failed)
        end(w);
}

void world_free(struct world *w)
{
    for (unsigned i = 0; i < PLAYERS; i++) {
        row_free(&w->players[i].tap);
        row_free(&w->players[i].wire.up);
    }
    server_free(&w->server);
    store_free(&w->store);
    store_free(&w->plans);
}
