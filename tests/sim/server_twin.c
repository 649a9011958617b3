/*
 * A second client of the same client identifier: it takes the session over
 * [5.0 MQTT-3.1.4-3], is given what was for the first one, and leaves what it
 * did not acknowledge, and what it subscribed to.
 *
 * What the first one has received of QoS 2 and the second one completes it
 * still takes for open, and nothing tells it otherwise. No two clients should
 * do that, but a server cannot know; here it is kind enough not to use such an
 * identifier again, or the message that came with it would be taken for the old
 * one.
 */
#include "server.h"

bool server_avoids(const struct session *s, uint16_t identifier)
{
    return s->avoided && s->avoided[identifier >> 3] >> (identifier & 7) & 1;
}

static void avoid(struct server *server, struct session *s, uint16_t identifier)
{
    if (!s->avoided)
        s->avoided = store_take(server->store, 8192);
    s->avoided[identifier >> 3] |= (uint8_t)(1 << (identifier & 7));
}

/* One with a connection, if there is one. */
static struct session *find_session(struct server *server, unsigned client)
{
    struct session *found = NULL;

    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &server->sessions[i];

        if (s->used && s->client == client && (!found || s->link))
            found = s;
    }
    return found;
}

static void send(struct server *server, struct link *link, unsigned type,
                 uint16_t identifier)
{
    uint8_t bytes[4];
    struct writer w = {bytes, bytes};

    put_u8(&w, type << 4);
    put_u8(&w, 2);
    put_u16(&w, identifier);
    server_input(server, link, bytes, sizeof(bytes));
}

static struct delivery *find_open(const struct session *s, uint16_t identifier)
{
    struct delivery *d = s->open.first;

    while (d && d->identifier != identifier)
        d = d->next;
    return d;
}

/* The first one of this QoS that waits for its acknowledgement; false: there
 * is none, or it is not to be touched. */
static bool take_one(struct server *server, struct link *link, unsigned qos,
                     const struct twin *twin)
{
    unsigned i = qos - 1;
    uint16_t identifier;
    struct delivery *d;

    if (link->order_begin[i] == link->order_end[i])
        return false;
    identifier = link->order[i][link->order_begin[i]];
    d = find_open(link->session, identifier);
    if (!d || (qos == 2 && d->held && !twin->takes_held))
        return false;
    if (qos == 2 && d->held && !twin->leaves_released)
        avoid(server, link->session, identifier);
    d->settled = false; /* what the first one said of it is not what is said */
    send(server, link, qos == 2 ? PUBREC : PUBACK, identifier);
    if (qos == 2 && !twin->leaves_released)
        send(server, link, PUBCOMP, identifier);
    return true;
}

/* PUBCOMP of what the first one had answered with PUBREC. */
static void take_released(struct server *server, struct link *link)
{
    struct delivery *next;

    for (struct delivery *d = link->session->open.first; d; d = next) {
        next = d->next;
        if (!d->released || !d->here)
            continue;
        avoid(server, link->session, d->identifier);
        send(server, link, PUBCOMP, d->identifier);
    }
}

/* No wildcard, for the server may have none. */
static void subscribe(struct server *server, struct link *link)
{
    struct bytes filter = text_of("z");
    uint8_t bytes[16];
    struct writer w = {bytes, bytes};

    put_u8(&w, SUBSCRIBE << 4 | 2);
    put_u8(&w, 5u + (link->level == 5) + filter.size);
    put_u16(&w, 1);
    if (link->level == 5)
        put_u8(&w, 0);
    put_text(&w, filter);
    put_u8(&w, 1);
    server_input(server, link, bytes, (uint32_t)(w.at - w.begin));
}

static bool join(struct server *server, struct link *link, struct session *s,
                 bool clean)
{
    link->level = s->level;
    link->manners = server->manners;
    link->manners.alias_maximum = 0;
    link->expiry_s = s->link ? s->link->expiry_s : s->expiry_s;
    if (clean && link->level != 5)
        link->expiry_s = 0;
    for (struct delivery *d = s->open.first; d; d = d->next)
        d->held = d->held || d->sent;
    if (!server_join(server, link, s->identifier, clean))
        return false;
    link->state = LINK_CONNECTED;
    if (server->tracing)
        server_says(server, link, "a twin takes over, session present %u",
                    link->resumed);
    return true;
}

struct link *server_twin(struct server *server, unsigned client,
                         const struct twin *twin)
{
    struct session *s = find_session(server, client);
    struct link *link = s ? server_open(server, client) : NULL;
    uint32_t takes = twin->takes;

    if (!link)
        return NULL;
    if (!join(server, link, s, twin->clean)) {
        server_forget(server, link);
        return NULL;
    }
    server_pump(server, link);
    if (twin->completes_held)
        take_released(server, link);
    while (takes &&
           (take_one(server, link, 1, twin) || take_one(server, link, 2, twin)))
        takes--;
    if (twin->subscribes)
        subscribe(server, link);
    return link;
}
