/*
 * A driver of a client: it takes turns as client.h says, in every way that
 * client.h allows.
 */
#include <string.h>
#include "world.h"

#define ROUNDS 16

/* -- events -------------------------------------------------------------------------- */

static int pull(struct player *p)
{
    struct mqtt_event event;
    int count = 0;

    while (mqtt_client_next(&p->client, &event)) {
        count++;
        event_happened(p->world, event.type);
        if (event.type == MQTT_EVENT_MESSAGE)
            application_message(p, &event.message);
        else
            application_event(p, &event);
        operations_in_callback(p);
        if (p->destroyed || p->world->failed)
            break;
    }
    return count;
}

/* How many events there were; -1: the client is no more. */
static int take_events(struct player *p)
{
    int count;

    if (p->pulls) {
        count = pull(p);
    } else {
        count = mqtt_client_dispatch(&p->client);
        if ((count == MQTT_ERR_DESTROYED) != p->destroyed)
            violation(p, "dispatch says %d, destroyed %d", count, p->destroyed);
    }
    return p->destroyed || p->world->failed ? -1 : count;
}

/* -- bytes ---------------------------------------------------------------------------- */

static void closed(struct player *p, enum mqtt_error why)
{
    static const char *const details[] = {"reset", "unreachable"};
    const char *detail =
        why == MQTT_ERR_NETWORK ? details[roll(&p->dice, 2)] : NULL;

    wire_close(p);
    ledger_connection_ends(p);
    mqtt_client_closed(&p->client, why, detail);
    event_happened(p->world, 0x100);
}

static bool write_once(struct player *p)
{
    size_t size;
    const uint8_t *bytes = mqtt_client_output_buf(&p->client, &size);
    uint32_t n;

    if ((bytes != NULL) != (size > 0))
        violation(p, "output_buf: pointer and size differ");
    if (!bytes || p->wire.state != WIRE_OPEN) {
        p->blocked_since = NEVER;
        return false;
    }
    if (one_in(&p->dice, 16)) /* a call that moves nothing */
        mqtt_client_output_done(&p->client, 0);
    else if (one_in(&p->dice, 16))
        size = any_size(&p->dice, (uint32_t)size);
    if (one_in(&p->dice, 64)) /* the same bytes, whatever is asked for */
        bytes = mqtt_client_output_buf(&p->client, &size);
    n = wire_write(p, bytes, (uint32_t)size);
    if (n == UINT32_MAX) {
        closed(p, MQTT_ERR_NETWORK);
        return true;
    }
    if (!n) {
        if (p->blocked_since == NEVER)
            p->blocked_since = p->world->now;
        return false;
    }
    ledger_sent(p, bytes, n);
    mqtt_client_output_done(&p->client, n);
    p->bytes_out += n;
    p->last_sent = p->world->now;
    event_happened(p->world, 0x200 + n);
    return true;
}

static int write_all(struct player *p)
{
    int count = 0;

    while (write_once(p)) {
        count++;
        if (p->wire.state != WIRE_OPEN || p->world->failed)
            break;
    }
    return count;
}

static bool read_once(struct player *p)
{
    static uint8_t loan[8192];
    size_t size;
    uint8_t *to;
    uint32_t n;

    if (p->wire.state != WIRE_OPEN)
        return false;
    to = mqtt_client_input_buf(&p->client, p->lend ? loan : NULL, p->lend,
                               &size);
    if ((to != NULL) != (size > 0))
        violation(p, "input_buf: pointer and size differ");
    if (!to)
        return false;
    if (one_in(&p->dice, 16))
        mqtt_client_input_done(&p->client, 0);
    n = wire_read(p, to, (uint32_t)size);
    if (n == UINT32_MAX) {
        closed(p, MQTT_ERR_NETWORK);
        return true;
    }
    if (!n && wire_at_end(p)) {
        closed(p, MQTT_ERR_CLOSED);
        return true;
    }
    if (!n)
        return false;
    mqtt_client_input_done(&p->client, n);
    p->last_byte_in = p->world->now;
    event_happened(p->world, 0x300 + n);
    if (p->lend && one_in(&p->dice, 8)) {
        mqtt_client_input_keep(&p->client);
        memset(loan, 0xDD, sizeof(loan));
    }
    return true;
}

/* -- the network connection -------------------------------------------------------------- */

static void begin_opening(struct player *p)
{
    struct wire *w = &p->wire;
    const struct mqtt_server *server = mqtt_client_server(&p->client);

    if (!server || !server->address)
        violation(p, "no server to connect to");
    redirect_opening(p, server);
    w->state = WIRE_OPENING;
    w->opens_at =
        p->world->now + (one_in(&p->dice, 2) ? 0 : any_size(&p->dice, 500));
}

static void opened(struct player *p)
{
    wire_open(p);
    ledger_connection_begins(p);
    mqtt_client_opened(&p->client);
    event_happened(p->world, 0x400);
    say(p, "~ connection %u", p->wire.number);
    if (p->wire.twice)
        mqtt_client_opened(&p->client);
    p->wire.twice = false;
}

static bool open_link(struct player *p)
{
    struct wire *w = &p->wire;

    if (w->state == WIRE_CLOSED)
        begin_opening(p);
    if (w->nothing || w->opens_at > p->world->now)
        return false;
    if (w->fails) {
        bool twice = w->twice;

        w->fails = w->twice = false;
        w->state = WIRE_CLOSED;
        mqtt_client_closed(
            &p->client, one_in(&p->dice, 2) ? MQTT_ERR_NAME : MQTT_ERR_NETWORK,
            "no connection");
        if (twice)
            mqtt_client_closed(&p->client, MQTT_ERR_NETWORK, "again");
        return true;
    }
    opened(p);
    return true;
}

static bool finish(struct player *p)
{
    if (p->wire.finished || p->wire.state != WIRE_OPEN)
        return false;
    wire_finish(p);
    return true;
}

static bool serve_wants(struct player *p)
{
    switch (mqtt_client_wants(&p->client)) {
    case MQTT_WANT_OPEN:
        return open_link(p);
    case MQTT_WANT_FINISH:
        return finish(p);
    case MQTT_WANT_CLOSE:
        p->wire.nothing = p->wire.fails = false;
        if (p->wire.state == WIRE_OPENING)
            p->wire.state = WIRE_CLOSED;
        closed(p, MQTT_OK);
        return true;
    default:
        return false;
    }
}

/* -- a turn -------------------------------------------------------------------------------- */

static int round_of(struct player *p)
{
    int count = serve_wants(p), events;

    events = take_events(p);
    if (events < 0)
        return events;
    count += events;
    count += write_all(p);
    count += read_once(p);
    events = take_events(p);
    return events < 0 ? events : count + events;
}

/* No busy loop: a turn that did nothing and yet wants another one at once. */
static void watch_idle(struct player *p, int total)
{
    if (total || p->deadline > p->world->now || p->requested)
        p->idle_turns = 0;
    else if (++p->idle_turns > 3)
        violation(p, "the deadline stays in the past, state %s",
                  mqtt_client_state_text(mqtt_client_state(&p->client)));
}

static void check_keep_alive(struct player *p)
{
    const struct mqtt_limits *limits = mqtt_client_limits(&p->client);
    uint64_t most = (uint64_t)limits->keep_alive_s * 1000;

    if (p->late || !most || p->want_write || p->deadline <= p->world->now ||
        p->blocked_since != NEVER || p->wire.state != WIRE_OPEN ||
        mqtt_client_state(&p->client) != MQTT_CLIENT_CONNECTED)
        return;
    if (p->world->now - p->last_sent > most)
        violation(p, "silent for %u ms of a keep alive of %u s",
                  (unsigned)(p->world->now - p->last_sent),
                  limits->keep_alive_s);
}

static uint64_t or_default(uint32_t ms, uint32_t otherwise)
{
    return ms ? ms : otherwise;
}

/* A link that is dead since then is noticed: PINGREQ after the keep alive, its
 * answer in time, and a packet that is half read in its time. Who does not
 * settle does not read, and notices nothing. */
static void check_dead_link(struct player *p)
{
    const struct mqtt_config *c = &p->config;
    uint64_t most = mqtt_client_limits(&p->client)->keep_alive_s * 1000u;

    p->late_in_hole = p->wire.hole && (p->late_in_hole || p->late);
    if (!p->wire.hole || !most || p->late_in_hole || p->wire.broken ||
        c->settle == MQTT_SETTLE_BY_CALL ||
        mqtt_client_state(&p->client) != MQTT_CLIENT_CONNECTED)
        return;
    most += or_default(c->pingresp_timeout_ms, 10000) +
            or_default(c->packet_timeout_ms, 30000) +
            8 * (uint64_t)p->memory.input_size;
    if (p->world->now - p->wire.hole_since > most)
        violation(p, "a dead link was not noticed for %u ms",
                  (unsigned)(p->world->now - p->wire.hole_since));
}

static void arm(struct player *p, bool again)
{
    size_t size;

    p->want_read = mqtt_client_input_buf(&p->client, NULL, 0, &size) != NULL;
    p->want_write = mqtt_client_output_buf(&p->client, &size) != NULL;
    p->requested = p->requested || again;
    p->deadline = mqtt_client_deadline(&p->client);
}

static bool goes_on(const struct player *p, int count)
{
    return count || mqtt_client_wants(&p->client) == MQTT_WANT_CLOSE;
}

static int rounds(struct player *p)
{
    int total = 0, count = 1;

    if (p->look_before && p->deadline <= p->world->now && read_once(p)) {
        total = 1 + take_events(p);
        if (!total || p->destroyed || p->world->failed)
            return -1;
    }
    mqtt_client_tick(&p->client, p->world->now);
    if (p->deadline <= p->world->now)
        event_happened(p->world, 0x500);
    for (unsigned i = 0; i < ROUNDS && goes_on(p, count); i++) {
        count = round_of(p);
        if (count < 0)
            return count;
        total += count;
    }
    mqtt_client_input_keep(&p->client);
    arm(p, count != 0);
    return total;
}

void player_turn(struct player *p)
{
    int total;

    p->late = p->deadline < p->world->now;
    p->destroyed = p->requested = false;
    total = rounds(p);
    p->turned_at = p->world->now;
    if (p->destroyed || p->world->failed)
        return;
    watch_idle(p, total);
    check_keep_alive(p);
    check_dead_link(p);
    silence_check(p);
    ledger_scan(p);
}

bool player_ready(const struct player *p)
{
    if (!p->made)
        return false;
    if (p->requested || p->deadline <= p->world->now)
        return true;
    if (p->wire.state == WIRE_OPENING)
        return !p->wire.nothing && p->wire.opens_at <= p->world->now;
    return (p->want_read && wire_readable(p)) ||
           (p->want_write && wire_writable(p));
}

uint64_t player_wakes(const struct player *p)
{
    uint64_t at = p->made ? p->deadline : NEVER;
    uint64_t wire = wire_wakes(p);

    return wire < at ? wire : at;
}
