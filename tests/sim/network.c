/*
 * The network between a client and the server: bytes in both directions, at
 * any speed, and every way in which they do not come.
 */
#include <string.h>
#include "world.h"

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* -- beginning and end ---------------------------------------------------------------- */

void wire_open(struct player *p)
{
    struct wire *w = &p->wire;
    struct dice *dice = &p->world->dice;

    w->link = server_open(&p->world->server, p->index);
    w->state = WIRE_OPEN;
    w->number = w->link ? w->link->number : 0;
    row_clear(&w->up);
    w->room = one_in(dice, 3) ? 64 + any_size(dice, 4096) : 65536;
    w->latency = one_in(dice, 2) ? 0 : any_size(dice, 400);
    w->up_at = w->down_at = w->tiny_until = 0;
    w->cut_up = w->cut_down = w->silent_in = UINT32_MAX;
    w->seen = 0;
    w->hole = w->finished = w->drips = false;
    w->broken = !w->link;
}

/* The server learns of it now, or later, or never by itself. */
static void part(struct player *p)
{
    struct world *world = p->world;
    struct link *link = p->wire.link;

    p->wire.link = NULL;
    if (!link)
        return;
    if (link->state != LINK_ENDED && !world->calm && one_in(&world->dice, 4) &&
        world->lingering_count < LINKS / 2) {
        world->lingering[world->lingering_count++] = (struct lingering){
            link, world->now + any_size(&world->dice, 100000)};
        return;
    }
    server_lost(&world->server, link);
    server_forget(&world->server, link);
}

void lingering_end(struct world *world, bool all)
{
    unsigned i = 0;

    while (i < world->lingering_count) {
        struct lingering *l = &world->lingering[i];

        if (!all && l->until > world->now && l->link->state != LINK_ENDED) {
            i++;
            continue;
        }
        server_lost(&world->server, l->link);
        server_forget(&world->server, l->link);
        *l = world->lingering[--world->lingering_count];
    }
}

uint64_t lingering_wakes(const struct world *world)
{
    uint64_t at = NEVER;

    for (unsigned i = 0; i < world->lingering_count; i++)
        if (world->lingering[i].until < at)
            at = world->lingering[i].until;
    return at;
}

/* Nothing more comes through, and the client is told at its next call. */
void wire_cut(struct player *p)
{
    if (p->wire.state != WIRE_OPEN || p->wire.broken)
        return;
    say(p, "~ cut");
    p->wire.broken = true;
    part(p);
}

/* What was written before may still arrive. */
void wire_close(struct player *p)
{
    struct wire *w = &p->wire;

    if (w->state != WIRE_OPEN)
        w->broken = true;
    if (!w->broken && !w->hole && w->link && row_size(&w->up) &&
        !one_in(&p->world->dice, 4))
        server_input(&p->world->server, w->link, w->up.bytes + w->up.begin,
                     row_size(&w->up));
    part(p);
    w->state = WIRE_CLOSED;
    row_clear(&w->up);
}

void wire_finish(struct player *p)
{
    p->wire.finished = true;
    wire_move(p);
}

/* -- bytes ------------------------------------------------------------------------------- */

static uint32_t tiny(const struct player *p, uint32_t size)
{
    if (p->wire.tiny_until <= p->world->now)
        return size;
    return least(size, roll(&p->world->dice, 4));
}

bool wire_writable(const struct player *p)
{
    const struct wire *w = &p->wire;

    return w->state == WIRE_OPEN && (w->broken || row_size(&w->up) < w->room);
}

uint32_t wire_write(struct player *p, const uint8_t *bytes, uint32_t size)
{
    struct wire *w = &p->wire;

    if (w->broken)
        return UINT32_MAX;
    size = tiny(p, least(size, w->room - row_size(&w->up)));
    if (!size)
        return 0;
    if (!row_size(&w->up))
        w->up_at = later(w->up_at, p->world->now + w->latency);
    row_append(&w->up, bytes, size);
    wire_move(p);
    return size;
}

static void arrive(struct player *p, uint32_t size)
{
    struct wire *w = &p->wire;
    uint32_t n = least(size, w->cut_up);
    const uint8_t *bytes = w->up.bytes + w->up.begin;

    row_drop(&w->up, n);
    if (w->cut_up != UINT32_MAX)
        w->cut_up -= n;
    if (n)
        server_input(&p->world->server, w->link, bytes, n);
    if (!w->cut_up)
        wire_cut(p);
}

void wire_move(struct player *p)
{
    struct wire *w = &p->wire;

    if (w->state != WIRE_OPEN || w->broken || w->hole || !w->link)
        return;
    if (row_size(&w->up) && w->up_at <= p->world->now)
        arrive(p, row_size(&w->up));
    if (w->broken)
        return;
    if (w->finished && !row_size(&w->up))
        server_lost(&p->world->server, w->link);
    if (w->link->out_total != w->seen) {
        bool first = w->link->out_total - w->seen == row_size(&w->link->out);

        w->seen = w->link->out_total;
        if (first && w->down_at <= p->world->now)
            w->down_at = p->world->now + w->latency;
    }
}

static uint32_t waiting(const struct player *p)
{
    const struct wire *w = &p->wire;

    if (w->hole || !w->link || w->down_at > p->world->now)
        return 0;
    return row_size(&w->link->out);
}

bool wire_at_end(const struct player *p)
{
    const struct wire *w = &p->wire;

    return !w->broken && !w->hole && w->link && w->link->state == LINK_ENDED &&
           !row_size(&w->link->out);
}

bool wire_readable(const struct player *p)
{
    return p->wire.state == WIRE_OPEN &&
           (p->wire.broken || wire_at_end(p) || waiting(p));
}

uint32_t wire_read(struct player *p, uint8_t *bytes, uint32_t size)
{
    struct wire *w = &p->wire;
    uint32_t n;

    if (w->broken)
        return UINT32_MAX;
    wire_move(p);
    if (w->broken)
        return UINT32_MAX;
    n = least(tiny(p, least(size, waiting(p))),
              least(w->cut_down, w->silent_in));
    if (n) {
        memcpy(bytes, w->link->out.bytes + w->link->out.begin, n);
        row_drop(&w->link->out, n);
        silence_read(p, bytes, n);
    }
    if (w->cut_down != UINT32_MAX) {
        w->cut_down -= n;
        if (!w->cut_down)
            wire_cut(p);
    }
    return n;
}

/* When bytes that wait will move. */
uint64_t wire_wakes(const struct player *p)
{
    const struct wire *w = &p->wire;
    uint64_t at = NEVER;

    if (w->state == WIRE_OPENING)
        return w->nothing ? NEVER : w->opens_at;
    if (w->state != WIRE_OPEN || w->broken || w->hole || !w->link)
        return NEVER;
    if (row_size(&w->up))
        at = w->up_at;
    if ((row_size(&w->link->out) || w->link->out_total != w->seen) &&
        w->down_at > p->world->now && w->down_at < at)
        at = w->down_at;
    return at;
}
