/*
 * What goes wrong, and how the server behaves.
 */
#include <string.h>
#include "world.h"

/* -- manners ---------------------------------------------------------------------------- */

static void draw_limits(struct dice *dice, struct manners *m)
{
    if (one_in(dice, 2))
        m->receive_maximum = (uint16_t)any_size(dice, 20);
    if (one_in(dice, 2))
        m->alias_maximum = (uint16_t)any_size(dice, 10);
    if (one_in(dice, 6))
        m->keep_alive = (uint16_t)any_size(dice, 100);
    if (one_in(dice, 6))
        m->packet_limit = 64 + any_size(dice, 4000);
    if (one_in(dice, 6))
        m->expiry_limit = any_size(dice, 10000);
    if (one_in(dice, 6))
        m->qos = (uint8_t)roll(dice, 2);
    m->retain_off = one_in(dice, 6);
    m->wildcard_off = one_in(dice, 8);
    m->shared_off = one_in(dice, 6);
    m->identifiers_off = one_in(dice, 6);
}

static void draw_ways(struct dice *dice, struct manners *m)
{
    m->talkative = one_in(dice, 3);
    m->says_all = one_in(dice, 4);
    if (one_in(dice, 2))
        m->delay_ms = any_size(dice, 5000);
    m->reorder = one_in(dice, 2);
    if (one_in(dice, 3))
        m->refuses_publish = (uint8_t)between(dice, 2, 20);
    if (one_in(dice, 3))
        m->refuses_subscribe = (uint8_t)between(dice, 2, 10);
    if (one_in(dice, 3))
        m->grants_less = (uint8_t)between(dice, 1, 4);
    m->challenges = (uint8_t)roll(dice, 3);
    m->window = (uint16_t)(one_in(dice, 2) ? 0 : any_size(dice, 40));
    m->released_free = one_in(dice, 3);
    m->copies = one_in(dice, 3);
    m->aliases = one_in(dice, 2);
    m->low_identifiers = one_in(dice, 2);
    if (one_in(dice, 3))
        m->doubles = (uint8_t)between(dice, 1, 10);
}

void draw_manners(struct dice *dice, struct manners *m)
{
    memset(m, 0, sizeof(*m));
    m->qos = 2;
    if (one_in(dice, 16)) {
        m->no_5_0 = one_in(dice, 2);
        m->no_3_1_1 = !m->no_5_0;
        m->silent = one_in(dice, 2);
    }
    draw_limits(dice, m);
    draw_ways(dice, m);
}

/* -- the network --------------------------------------------------------------------------- */

static void cut_later(struct player *p, struct dice *dice)
{
    uint32_t bytes = any_size(dice, 300);

    if (one_in(dice, 2))
        p->wire.cut_up = bytes;
    else
        p->wire.cut_down = bytes;
}

static void stall(struct player *p, struct dice *dice)
{
    uint64_t until = p->world->now + any_size(dice, 60000);

    if (!one_in(dice, 3))
        p->wire.up_at = until;
    if (!one_in(dice, 3))
        p->wire.down_at = until;
    p->wire_was_slow = true;
}

static void no_connect(struct player *p, struct dice *dice)
{
    switch (roll(dice, 3)) {
    case 0:
        p->wire.fails = true;
        p->wire.twice = one_in(dice, 2);
        break;
    case 1:
        p->wire.nothing = true;
        break;
    default:
        p->wire.twice = true;
    }
}

static void hole(struct player *p)
{
    p->wire.hole = true;
    p->wire.hole_since = p->world->now;
    p->wire_was_slow = true;
}

/* What the driver tells at the wrong time changes nothing. */
static void stray(struct player *p, struct dice *dice)
{
    enum mqtt_client_state before;

    if (!p->made)
        return;
    before = mqtt_client_state(&p->client);
    if (before != MQTT_CLIENT_AWAIT_OPEN)
        mqtt_client_opened(&p->client);
    if (before == MQTT_CLIENT_STOPPED || before == MQTT_CLIENT_AWAIT_RETRY)
        mqtt_client_closed(&p->client, MQTT_ERR_NETWORK, "stray");
    if (one_in(dice, 2))
        mqtt_client_output_done(&p->client, 0);
    if (before != mqtt_client_state(&p->client))
        violation(p, "what was told at the wrong time had an effect");
}

/* -- the server ---------------------------------------------------------------------------- */

static void end_by_server(struct world *w, struct player *p, struct dice *dice)
{
    static const uint8_t codes[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89,
                                    0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                                    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B,
                                    0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};

    if (p->wire.link)
        server_end(&w->server, p->wire.link, codes[roll(dice, sizeof(codes))]);
}

static void forget_session(struct world *w, struct player *p)
{
    server_lose_session(&w->server, p->index);
}

static void tell_all(struct world *w, struct dice *dice)
{
    static const char *const texts[] = {"x", "longer text", ""};

    for (uint32_t n = any_size(dice, 30); n; n--) {
        struct bytes topic = text_of(topics[roll(dice, TOPICS)]);
        struct bytes payload = text_of(texts[roll(dice, 3)]);
        uint32_t expiry, qos;
        bool retain;

        if (one_in(dice, 30)) {
            uint32_t size = any_size(dice, 20000);
            uint8_t *bytes = store_take(&w->store, size);

            memset(bytes, 'L', size);
            payload = (struct bytes){bytes, size};
        }
        expiry = one_in(dice, 4) ? any_size(dice, 100) : 0;
        retain = one_in(dice, 8);
        qos = roll(dice, 3);
        server_publish(&w->server, topic, payload, qos, retain, expiry);
    }
}

/* -- time ----------------------------------------------------------------------------------- */

static void leap(struct world *w, struct dice *dice)
{
    w->now += any_size(dice, w->leap_ms);
    for (unsigned i = 0; i < w->player_count; i++)
        w->players[i].wire_was_slow = true;
}

static void refuse(struct world *w, struct dice *dice)
{
    w->server.refuse_next = (uint8_t)any_size(dice, 4);
}

static void restart(struct world *w, bool keep)
{
    lingering_end(w, true);
    server_restart(&w->server, keep);
}

const char *const fault_names[FAULT_KINDS] = {
    "cut",     "reset",   "stall",   "tiny",    "hole",   "no-connect",
    "end",     "restart", "amnesia", "forget",  "refuse", "manners",
    "publish", "leap",    "stray",   "kill",    "slow",   "fail",
    "full",    "shut",    "unknown", "overrun", "around", "redirect",
    "renew",   "twin",    "say",     "silence"};

void fault_run(struct world *w, const struct deed *deed)
{
    struct dice dice = {deed->dice};
    struct player *p = &w->players[deed->player % w->player_count];

    w->faults[deed->kind]++;
    event_happened(w, 0x700 + deed->kind);
    say(p, "! %s", fault_names[deed->kind]);
    switch ((enum fault_kind)deed->kind) {
    case FAULT_CUT:
        cut_later(p, &dice);
        break;
    case FAULT_RESET:
        wire_cut(p);
        break;
    case FAULT_STALL:
        stall(p, &dice);
        break;
    case FAULT_TINY:
        p->wire.tiny_until = w->now + any_size(&dice, 20000);
        p->wire_was_slow = true;
        break;
    case FAULT_HOLE:
        hole(p);
        break;
    case FAULT_NO_CONNECT:
        no_connect(p, &dice);
        break;
    case FAULT_END:
        end_by_server(w, p, &dice);
        break;
    case FAULT_RESTART:
    case FAULT_AMNESIA:
        restart(w, deed->kind == FAULT_RESTART);
        break;
    case FAULT_FORGET:
        forget_session(w, p);
        break;
    case FAULT_REFUSE:
        refuse(w, &dice);
        break;
    case FAULT_MANNERS:
        draw_manners(&dice, &w->server.manners);
        break;
    case FAULT_PUBLISH:
        tell_all(w, &dice);
        break;
    case FAULT_LEAP:
        leap(w, &dice);
        break;
    case FAULT_STRAY:
        stray(p, &dice);
        break;
    case FAULT_KILL:
    case FAULT_SLOW:
    case FAULT_FAIL:
    case FAULT_FULL:
    case FAULT_SHUT:
        persist_fault(p, deed->kind, &dice);
        break;
    case FAULT_UNKNOWN:
        nasty_unknown(p, &dice);
        break;
    case FAULT_OVERRUN:
        nasty_overrun(p, &dice);
        break;
    case FAULT_AROUND:
        nasty_around(p, &dice);
        break;
    case FAULT_REDIRECT:
    case FAULT_RENEW:
    case FAULT_TWIN:
    case FAULT_SAY:
    case FAULT_SILENCE:
        features_fault(p, deed->kind, &dice);
        break;
    case FAULT_KINDS:
        break;
    }
}
