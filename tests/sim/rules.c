/*
 * Rules that hold for a client as a whole: when it tries again, how long it
 * waits for what, and that the server has the subscriptions that it believes
 * to have.
 */
#include "world.h"

static uint32_t or_default(uint32_t ms, uint32_t otherwise)
{
    return ms ? ms : otherwise;
}

/* -- when it tries again ------------------------------------------------------------ */

/* What mqtt_pace_default() has to say, in words of its own. */
static enum mqtt_pace pace_of(const struct mqtt_event *event)
{
    if (event->error != MQTT_ERR_REFUSED &&
        event->error != MQTT_ERR_DISCONNECT_PACKET)
        return MQTT_PACE_NORMAL;
    switch (event->reason_code) {
    case 0x01: /* the version */
    case 0x84:
    case 0x8E: /* taken over */
        return MQTT_PACE_STOP;
    case 0x02: /* who it is, or what it may */
    case 0x04:
    case 0x05:
    case 0x85:
    case 0x86:
    case 0x87:
    case 0x8A:
    case 0x8C:
    case 0x97: /* too much */
    case 0x9F:
        return MQTT_PACE_SLOW;
    default:
        return MQTT_PACE_NORMAL;
    }
}

static uint64_t ceiling(const struct player *p, uint32_t tries)
{
    uint64_t ms = or_default(p->config.retry_base_ms, 1000);
    uint64_t cap = or_default(p->config.retry_cap_ms, 60000);

    while (tries-- && ms < cap)
        ms *= 2;
    return ms < cap ? ms : cap;
}

/* What the random number that was drawn makes of it. */
static uint64_t share(const struct player *p, uint64_t ms)
{
    return (p->drawn * (ms + 1)) >> 32;
}

static bool fits(const struct player *p, enum mqtt_pace pace, uint64_t delay)
{
    if (pace == MQTT_PACE_SLOW)
        return delay == share(p, or_default(p->config.retry_cap_ms, 60000));
    for (uint32_t n = p->tries_least; n <= p->tries_most; n++)
        if (delay == share(p, ceiling(p, n)))
            return true;
    return false;
}

/* Only a connection that worked makes up for the failures before it: one that
 * lasted, or that brought an answer. That an answer came nobody knows who saw
 * it leave. */
static void count_health(struct player *p)
{
    uint32_t after = or_default(p->config.healthy_after_ms, 30000);

    if (p->connected && p->client.engine_.now_ - p->connected_at >= after)
        p->tries_most = p->tries_least = 0;
    else if (p->answered_here || !p->connected)
        p->tries_least = p->connected || p->wipes ? 0 : p->tries_least;
}

void rules_disconnected(struct player *p, const struct mqtt_event *event)
{
    bool drew = p->drew;
    enum mqtt_pace pace = p->config.pace ? p->pace_said : pace_of(event);
    /* Counted from when it was told the time last, which nobody else knows. */
    uint64_t delay = event->retry_at - p->client.engine_.now_;

    p->drew = false;
    if (!drew) {
        if (event->retry_at != MQTT_NEVER && delay)
            violation(p, "another try in %u ms, which is no chance",
                      (unsigned)delay);
        p->tries_least = 0; /* or not: the governor may have been asked */
        return;
    }
    count_health(p);
    if (pace == MQTT_PACE_STOP || event->retry_at == MQTT_NEVER)
        violation(p, "another try, or none, after code %02x",
                  event->reason_code);
    else if (!fits(p, pace, delay))
        violation(p, "another try in %u ms, after %u to %u that failed",
                  (unsigned)delay, p->tries_least, p->tries_most);
    p->tries_least += p->tries_least < 40;
    p->tries_most += p->tries_most < 40;
}

/* -- how long it waits ------------------------------------------------------------- */

/* Each AUTH that is sent begins the wait for CONNACK anew. */
static uint64_t since(const struct player *p)
{
    return mqtt_client_state(&p->client) == MQTT_CLIENT_AWAIT_CONNACK
               ? p->connack_since
               : p->state_since;
}

/* At the end of a turn, in which it has been told the time. */
void rules_states(struct player *p)
{
    const struct mqtt_config *c = &p->config;
    uint64_t most;

    switch (mqtt_client_state(&p->client)) {
    case MQTT_CLIENT_AWAIT_OPEN:
        most = or_default(c->open_timeout_ms, 30000);
        break;
    case MQTT_CLIENT_AWAIT_CONNACK:
        most = or_default(c->connack_timeout_ms, 10000) +
               or_default(c->packet_timeout_ms, 30000) +
               8 * (uint64_t)p->memory.input_size;
        break;
    case MQTT_CLIENT_AWAIT_END:
        most = or_default(c->end_timeout_ms, 500);
        break;
    default:
        return;
    }
    if (p->world->now - since(p) > most)
        violation(p, "in state %s for %u ms",
                  mqtt_client_state_text(mqtt_client_state(&p->client)),
                  (unsigned)(p->world->now - since(p)));
}

void rules_connack(struct player *p, const struct mqtt_event *event)
{
    uint32_t least = or_default(p->config.connack_timeout_ms, 10000);

    if (event->error == MQTT_ERR_CONNACK_TIMEOUT &&
        p->client.engine_.now_ - p->connack_since < least)
        violation(p, "CONNACK was awaited for %u ms only",
                  (unsigned)(p->client.engine_.now_ - p->connack_since));
}

/* -- subscriptions ----------------------------------------------------------------- */

static const struct server_subscription *find(const struct session *s,
                                              const struct node *n)
{
    struct bytes filter = text_of(filters[n->filter]);
    const struct server_subscription *at = s->subscriptions;

    while (at && !bytes_equal(at->filter, filter))
        at = at->next;
    return at;
}

/* No Local, Retain As Published; of them 3.1.1 has nothing. */
static bool same_options(const struct node *n,
                         const struct server_subscription *s)
{
    const struct mqtt_subscription *mine = &n->subscription;

    return (s->options & 3) == n->code &&
           !(s->options & 4) == !mine->no_local &&
           !(s->options & 8) == !mine->retain_as_published;
}

static bool node_fits(const struct session *s, const struct node *n)
{
    const struct server_subscription *there = find(s, n);

    if (!n->registered || n->refused)
        return true;
    return there && same_options(n, there);
}

static bool owned(const struct player *p, const struct server_subscription *s)
{
    for (unsigned i = 0; i < NODES; i++)
        if (p->nodes[i].registered &&
            bytes_equal(text_of(filters[p->nodes[i].filter]), s->filter))
            return true;
    return false;
}

/* At rest: what was granted is there, as it was asked for, and what was given
 * up is not. Not if one topic filter was taken twice, or an UNSUBSCRIBE had no
 * success. */
bool rules_subscriptions(const struct player *p)
{
    const struct session *s = p->wire.link ? p->wire.link->session : NULL;

    if (!s || p->twins || p->told_epoch != p->epoch || p->config.fallback)
        return true;
    for (unsigned i = 0; i < NODES; i++)
        if (!node_fits(s, &p->nodes[i]))
            return false;
    for (const struct server_subscription *at = s->subscriptions;
         at && !p->left_over; at = at->next)
        if (!owned(p, at))
            return false;
    return true;
}
