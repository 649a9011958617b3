/*
 * A server that goes silent in the middle of a packet: how long the client
 * waits for the rest of it, also without a keep alive; and that without one it
 * waits for nothing else.
 */
#include <string.h>
#include "world.h"

static uint32_t or_default(uint32_t ms, uint32_t otherwise)
{
    return ms ? ms : otherwise;
}

void silence_begins(struct player *p)
{
    p->half = (struct half){0};
}

/* -- where packets begin and end ----------------------------------------------------- */

static void begin(struct player *p)
{
    p->half.got = p->half.size = 0;
    p->half.began = p->half.since = p->world->now;
}

/* More of the packet; how many bytes of these are of it. */
static uint32_t take(struct half *h, const uint8_t *bytes, uint32_t size)
{
    uint32_t header, n = 0;

    while (!h->size && n < size && h->got < sizeof(h->head)) {
        h->head[h->got++] = bytes[n++];
        h->size = packet_measure(h->head, h->got, &header);
    }
    if (h->size) {
        uint32_t rest = h->size - h->got;

        rest = rest < size - n ? rest : size - n;
        h->got += rest;
        n += rest;
    }
    return n;
}

/* The rest of the packet comes byte by byte. */
static void drip(struct player *p)
{
    struct wire *w = &p->wire;

    w->silent_in = 1;
    if (!p->half.got && w->drips) { /* it is whole */
        w->silent_in = UINT32_MAX;
        w->drips = false;
        return;
    }
    w->drips = w->drips || p->half.got;
    if (w->drips)
        w->down_at = p->world->now + w->drip_ms;
}

static void fall_silent(struct player *p)
{
    struct wire *w = &p->wire;

    p->wire_was_slow = true;
    if (w->drip_ms) {
        drip(p);
        return;
    }
    w->silent_in = UINT32_MAX;
    w->hole = true;
    w->hole_since = p->world->now;
    say(p, "~ silent, %u bytes of a packet of %u have come", p->half.got,
        p->half.size);
}

/* These bytes have come to the client. */
void silence_read(struct player *p, const uint8_t *bytes, uint32_t size)
{
    struct half *h = &p->half;
    struct wire *w = &p->wire;

    for (uint32_t at = 0; at < size;) {
        if (!h->got)
            begin(p);
        at += take(h, bytes + at, size - at);
        if (h->got == h->size)
            h->got = 0;
    }
    if (w->silent_in == UINT32_MAX)
        return;
    w->silent_in -= size;
    if (!w->silent_in)
        fall_silent(p);
}

/* -- how long ------------------------------------------------------------------------- */

/* What the client does not read, or cannot answer, counts from then on. */
static bool waits_itself(const struct player *p)
{
    return p->late || p->blocked_since != NEVER || p->want_write ||
           p->disk.open || p->config.settle == MQTT_SETTLE_BY_CALL;
}

void silence_check(struct player *p)
{
    enum mqtt_client_state state = mqtt_client_state(&p->client);
    bool waits = waits_itself(p), waited = p->half.waited;
    uint64_t most;

    p->half.waited = waits;
    if (!p->half.got || p->wire.state != WIRE_OPEN ||
        (state != MQTT_CLIENT_AWAIT_CONNACK && state != MQTT_CLIENT_CONNECTED))
        return;
    if (waits || waited) /* until now: nobody came by between */
        p->half.since = p->world->now;
    most = or_default(p->config.packet_timeout_ms, 30000) +
           8 * (uint64_t)p->half.got;
    if (p->world->now - p->half.since > most)
        violation(p, "a packet is half read since %u ms",
                  (unsigned)(p->world->now - p->half.since));
}

void silence_disconnected(struct player *p, const struct mqtt_event *event)
{
    uint32_t least = or_default(p->config.packet_timeout_ms, 30000);

    if (event->error == MQTT_ERR_PINGRESP_TIMEOUT && p->connected &&
        !mqtt_client_limits(&p->client)->keep_alive_s)
        violation(p, "PINGRESP is missed without a keep alive");
    if (event->error != MQTT_ERR_PACKET_TIMEOUT)
        return;
    if (!p->half.got)
        violation(p, "no packet was half read");
    else if (
        p->look_before) /* it may have been read before the time was told */
        return;
    else if (p->world->now - p->half.began < least)
        violation(p, "a packet was given up after %u ms",
                  (unsigned)(p->world->now - p->half.began));
}

/* -- a fault --------------------------------------------------------------------------- */

/* After so many bytes, the next ones or some of a packet of its own. */
void silence_fault(struct player *p, struct dice *dice)
{
    static const char *const texts[] = {"silence", "before the rest of it"};
    struct bytes payload = text_of(texts[roll(dice, 2)]);
    uint32_t topic = roll(dice, TOPICS), qos = roll(dice, 3);

    if (!p->wire.link)
        return;
    p->wire.silent_in = any_size(dice, 60);
    p->wire.drip_ms = one_in(dice, 2) ? 0 : any_size(dice, 20000);
    server_publish(&p->world->server, text_of(topics[topic]), payload, qos,
                   false, 0);
}
