/*
 * Faults that take a server which does not keep the standard, or more messages
 * than a world has time for.
 */
#include "world.h"

/* No identifier of a world comes here: they are counted from 1 on, or from just
 * below 65,536. */
#define UNKNOWN 20000
#define UNKNOWN_COUNT 20000

/* PUBACK, PUBREC, PUBREL or PUBCOMP of nothing. */
void nasty_unknown(struct player *p, struct dice *dice)
{
    static const uint8_t codes[] = {0x00, 0x10, 0x80, 0x87};
    struct link *link = p->wire.link;
    unsigned type = PUBACK + roll(dice, 4);
    uint8_t code = 0;

    if (!link)
        return;
    if (p->config.protocol == &mqtt_protocol_publisher)
        type = PUBACK; /* all that it knows */
    if (link->level == 5 && type <= PUBREC)
        code = codes[roll(dice, sizeof(codes))];
    else if (link->level == 5 && one_in(dice, 2))
        code = 0x92;
    server_stray(&p->world->server, link, type,
                 (uint16_t)(UNKNOWN + roll(dice, UNKNOWN_COUNT)), code,
                 p->disk.used);
}

/* There is something to overrun with, to all topics; no two are the same. */
static void tell_much(struct world *w, struct dice *dice)
{
    for (uint32_t n = 8 + any_size(dice, 60); n; n--) {
        uint64_t mark = dice_next(dice);
        struct bytes payload = {store_copy(&w->store, &mark, sizeof(mark)),
                                sizeof(mark)};
        uint32_t qos = 1 + roll(dice, 2);

        server_publish(&w->server, text_of(topics[roll(dice, TOPICS)]), payload,
                       qos, false, 0);
    }
}

void nasty_overrun(struct player *p, struct dice *dice)
{
    struct link *link = p->wire.link;

    if (!link)
        return;
    p->overrun =
        p->overrun || (link->state == LINK_CONNECTED && link->level == 5);
    server_overrun(&p->world->server, link, any_size(dice, 8));
    tell_much(p->world, dice);
}

/* As if 65,000 messages had been published and acknowledged in between: the
 * next identifier is just below 65,536, or just below one that is still open.
 * No world has time for that many, so this reaches into the session, and sets
 * nothing but where it goes on. */
void nasty_around(struct player *p, struct dice *dice)
{
    struct mqtt_session *s = &p->client.session_;
    uint16_t next = (uint16_t)(65536 - any_size(dice, 8));
    uint32_t count = 0;

    if (!p->made)
        return;
    if (one_in(dice, 2))
        for (uint32_t i = p->publication_count; i && count < 64; i--, count++) {
            const struct publication *m = publication_at(p, i - 1);

            if (!m->qos || m->ended || m->incarnation != p->incarnation)
                continue;
            next = (uint16_t)(m->identifier - roll(dice, 3));
            if (one_in(dice, 3))
                break;
        }
    s->next_identifier_ = next ? next : 1;
    say(p, "  identifiers go on at %u", s->next_identifier_);
}

/* -- Receive Maximum ---------------------------------------------------------------- */

/* Whether its exchange is surely open at the client: QoS 1 until it is settled,
 * QoS 2 until PUBREL has been sent. */
static bool surely_open(const struct handle *h)
{
    if (h->settled)
        return false;
    return h->qos == 1 || (h->delivery && !h->delivery->released);
}

void nasty_check_quota(struct player *p, const struct expected *e)
{
    uint32_t open = 0;

    /* A bitmap does not tell connections apart: PUBREL of an exchange of an
     * earlier one gives back what was not taken, which is let through. */
    if (!e->qos || !p->tap_five || p->config.tolerate_overrun ||
        !p->wire.link || (p->wire.link->any_carried && p->memory.received_bits))
        return;
    for (unsigned i = 0; i < p->handle_count; i++)
        if (p->handles[i].link == p->connected_link &&
            surely_open(&p->handles[i]))
            open++;
    if (open >= p->tap_receive)
        violation(p, "a message beyond Receive Maximum %u was taken",
                  p->tap_receive);
}
