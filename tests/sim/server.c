/*
 * Links and sessions, and their ends.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "server.h"

/* -- beginning and end ---------------------------------------------------------------- */

void server_begin(struct server *server, struct store *store, uint64_t seed,
                  const struct server_hooks *hooks, void *world)
{
    struct row in[LINKS], out[LINKS], scratch = server->scratch;

    for (unsigned i = 0; i < LINKS; i++) {
        in[i] = server->links[i].in;
        out[i] = server->links[i].out;
    }
    memset(server, 0, sizeof(*server));
    for (unsigned i = 0; i < LINKS; i++) {
        server->links[i].in = in[i];
        server->links[i].out = out[i];
        row_clear(&server->links[i].in);
        row_clear(&server->links[i].out);
    }
    server->scratch = scratch;
    server->store = store;
    server->dice = dice_of(seed, 0x5E);
    server->hooks = hooks;
    server->world = world;
    server->manners.qos = 2;
}

void server_free(struct server *server)
{
    for (unsigned i = 0; i < LINKS; i++) {
        row_free(&server->links[i].in);
        row_free(&server->links[i].out);
    }
    row_free(&server->scratch);
}

void server_violation(struct server *server, const struct link *link,
                      const char *what)
{
    server->hooks->violation(server->world, link->client, what);
}

void server_says(struct server *server, const struct link *link,
                 const char *format, ...)
{
    char line[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    server->hooks->says(server->world, link->client, line);
}

/* -- links ---------------------------------------------------------------------------- */

static void wipe(struct link *link)
{
    struct row in = link->in, out = link->out;

    memset(link, 0, sizeof(*link));
    link->in = in;
    link->out = out;
    row_clear(&link->in);
    row_clear(&link->out);
}

struct link *server_open(struct server *server, unsigned client)
{
    struct link *link = server->links;

    while (link < server->links + LINKS && link->state != LINK_FREE)
        link++;
    if (link == server->links + LINKS)
        return NULL;
    wipe(link);
    link->state = LINK_NEW;
    link->client = client;
    link->number = ++server->link_count;
    link->last_heard = server->now;
    link->packet_maximum = UINT32_MAX;
    link->receive_maximum = UINT16_MAX;
    return link;
}

void server_forget(struct server *server, struct link *link)
{
    (void)server;
    wipe(link);
}

/* The will of a connection that ended without DISCONNECT [3.1.2.5]. */
static void leave_will(struct server *server, struct link *link)
{
    struct session *s = link->session;

    if (!link->will)
        return;
    s->will = link->will;
    s->will_at = server->now + (uint64_t)link->will_delay_s * 1000;
    link->will = NULL;
}

static void publish_will(struct server *server, struct session *s)
{
    const struct message *will = s->will;

    s->will = NULL;
    if (will->retain)
        server_retain(server, will);
    server_route(server, will);
}

/* The session is left alone: it ends, now or later. */
static void leave_session(struct server *server, struct link *link)
{
    struct session *s = link->session;

    link->session = NULL;
    if (!s || s->link != link)
        return;
    link->session = s;
    leave_will(server, link);
    link->session = NULL;
    s->link = NULL;
    s->expiry_s = link->expiry_s;
    s->expires_at = s->expiry_s == UINT32_MAX
                        ? NEVER
                        : server->now + (uint64_t)s->expiry_s * 1000;
    if (!s->expiry_s)
        server_session_end(server, s);
}

void server_link_end(struct server *server, struct link *link)
{
    if (link->state == LINK_FREE || link->state == LINK_ENDED)
        return;
    link->state = LINK_ENDED;
    link->answer_count = 0;
    leave_session(server, link);
}

void server_lost(struct server *server, struct link *link)
{
    server_link_end(server, link);
}

void server_session_end(struct server *server, struct session *s)
{
    if (s->will)
        publish_will(server, s);
    memset(s, 0, sizeof(*s));
}

/* [5.0 3.14]: the code is said if there is one. */
void server_end(struct server *server, struct link *link, uint8_t code)
{
    if (link->state == LINK_CONNECTED && link->level == 5 && code)
        server_say_disconnect(server, link, code);
    server_link_end(server, link);
}

/* -- packets ---------------------------------------------------------------------------- */

static void take_disconnect(struct server *server, struct link *link,
                            const struct packet *packet)
{
    if (has(&packet->properties, SESSION_EXPIRY)) {
        uint32_t expiry = packet->properties.number[SESSION_EXPIRY];

        if (!link->expiry_s && expiry)
            server_violation(server, link, "Session Expiry out of nothing");
        link->expiry_s = expiry;
    }
    if (packet->code != 0x04)
        link->will = NULL;
    server_link_end(server, link);
}

static bool in_order(struct server *server, struct link *link,
                     const struct packet *packet)
{
    const char *why = NULL;

    if ((packet->type == CONNECT) != (link->state == LINK_NEW))
        why = "CONNECT is not the first packet, or came twice";
    else if (link->state == LINK_AUTHENTICATING && packet->type != AUTH &&
             packet->type != DISCONNECT)
        why = "another packet than AUTH before CONNACK";
    else if (link->state == LINK_GREETED && packet->type != DISCONNECT)
        why = "a packet before CONNACK";
    if (why)
        server_violation(server, link, why);
    return !why;
}

void server_take(struct server *server, struct link *link,
                 const struct packet *packet)
{
    if (!in_order(server, link, packet))
        return;
    switch (packet->type) {
    case CONNECT:
        server_connect(server, link, packet);
        break;
    case PUBLISH:
        server_take_publish(server, link, packet);
        break;
    case PUBREL:
        server_take_pubrel(server, link, packet);
        break;
    case PUBACK:
    case PUBREC:
    case PUBCOMP:
        server_take_ack(server, link, packet);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        server_take_request(server, link, packet);
        break;
    case PINGREQ:
        server_later(server, link, PINGRESP, 0, 0, NULL, 0);
        break;
    case AUTH:
        server_auth(server, link, packet);
        break;
    default:
        take_disconnect(server, link, packet);
    }
}

static void take_whole(struct server *server, struct link *link,
                       const uint8_t *bytes, uint32_t size)
{
    static struct packet packet; /* large; nothing of it outlives the call */
    const char *why = packet_decode(&packet, link->level, bytes, size);

    if (why) {
        server_violation(server, link, why);
        server_link_end(server, link);
        return;
    }
    if (link->level == 5 && link->manners.packet_limit &&
        size > link->manners.packet_limit)
        server_violation(server, link, "Maximum Packet Size exceeded");
    link->last_heard = server->now;
    server_take(server, link, &packet);
}

/* Whole packets at the front of these bytes; how many bytes they have. */
static uint32_t take_all(struct server *server, struct link *link,
                         const uint8_t *bytes, uint32_t size)
{
    uint32_t at = 0, header, packet;

    while (at < size && link->state != LINK_ENDED) {
        packet = packet_measure(bytes + at, size - at, &header);
        if (packet == UINT32_MAX) {
            server_violation(server, link, "remaining length of five bytes");
            server_link_end(server, link);
        }
        if (!packet || packet > size - at)
            break;
        take_whole(server, link, bytes + at, packet);
        at += packet;
    }
    return at;
}

void server_input(struct server *server, struct link *link,
                  const uint8_t *bytes, uint32_t size)
{
    uint32_t taken = 0;

    if (link->state == LINK_ENDED)
        return;
    if (!row_size(&link->in))
        taken = take_all(server, link, bytes, size);
    if (link->state == LINK_ENDED || taken == size)
        return;
    row_append(&link->in, bytes + taken, size - taken);
    taken = take_all(server, link, link->in.bytes + link->in.begin,
                     row_size(&link->in));
    row_drop(&link->in, taken);
}

/* -- time --------------------------------------------------------------------------------- */

/* One and a half of the keep alive [MQTT-3.1.2-22]. */
static uint64_t silent_until(const struct link *link)
{
    if (link->state != LINK_CONNECTED || !link->keep_alive_s)
        return NEVER;
    return link->last_heard + (uint64_t)link->keep_alive_s * 1500 + 1;
}

static void tick_link(struct server *server, struct link *link)
{
    if (link->state == LINK_FREE || link->state == LINK_ENDED)
        return;
    if (silent_until(link) <= server->now) {
        server_end(server, link, 0x8D);
        return;
    }
    if (link->answer_count)
        server_send_due(server, link);
}

static void tick_session(struct server *server, struct session *s)
{
    if (s->link)
        return;
    if (s->will && s->will_at <= server->now)
        publish_will(server, s);
    if (s->expires_at <= server->now)
        server_session_end(server, s);
}

void server_tick(struct server *server, uint64_t now)
{
    server->now = now;
    for (unsigned i = 0; i < LINKS; i++)
        tick_link(server, &server->links[i]);
    for (unsigned i = 0; i < SESSIONS; i++)
        if (server->sessions[i].used)
            tick_session(server, &server->sessions[i]);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t link_deadline(const struct link *link)
{
    uint64_t at;

    if (link->state == LINK_FREE || link->state == LINK_ENDED)
        return NEVER;
    at = silent_until(link);
    for (uint32_t i = 0; i < link->answer_count; i++)
        at = earlier(at, link->answers[i].due);
    return at;
}

uint64_t server_deadline(const struct server *server)
{
    uint64_t at = NEVER;

    for (unsigned i = 0; i < LINKS; i++)
        at = earlier(at, link_deadline(&server->links[i]));
    for (unsigned i = 0; i < SESSIONS; i++) {
        const struct session *s = &server->sessions[i];

        if (!s->used || s->link)
            continue;
        at = earlier(at, s->expires_at);
        if (s->will)
            at = earlier(at, s->will_at);
    }
    return at;
}

/* -- what the world does with it ----------------------------------------------------------- */

void server_restart(struct server *server, bool keep_sessions)
{
    for (unsigned i = 0; i < LINKS; i++) {
        server->links[i].will = NULL; /* nobody is left to publish it */
        server_link_end(server, &server->links[i]);
    }
    if (keep_sessions)
        return;
    for (unsigned i = 0; i < SESSIONS; i++)
        memset(&server->sessions[i], 0, sizeof(server->sessions[i]));
    memset(server->retained, 0, sizeof(server->retained));
}

void server_lose_session(struct server *server, unsigned client)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &server->sessions[i];

        if (!s->used || s->client != client)
            continue;
        if (s->link)
            server_link_end(server, s->link);
        if (s->used)
            server_session_end(server, s);
    }
}

void server_publish(struct server *server, struct bytes topic,
                    struct bytes payload, unsigned qos, bool retain,
                    uint32_t expiry_s)
{
    struct message *m = store_take(server->store, sizeof(*m));

    m->topic = topic;
    m->payload = payload;
    m->qos = (uint8_t)qos;
    m->retain = retain;
    m->origin = -1;
    m->expires_at = expiry_s ? server->now + (uint64_t)expiry_s * 1000 : NEVER;
    if (retain)
        server_retain(server, m);
    server_route(server, m);
}

bool server_idle(const struct server *server)
{
    for (unsigned i = 0; i < LINKS; i++) {
        const struct link *link = &server->links[i];

        if (link->answer_count)
            return false;
        if (link->state == LINK_CONNECTED && link->stray_count)
            return false;
        if (link->state == LINK_CONNECTED &&
            (link->session->open.first || link->session->queue.first))
            return false;
    }
    return true;
}

void server_be_friendly(struct server *server)
{
    server->manners = (struct manners){.qos = 2, .window = 1};
    server->refuse_next = 0;
    server->friendly = true;
    for (unsigned i = 0; i < LINKS; i++) {
        struct manners *m = &server->links[i].manners;

        server->links[i].overrun = 0;
        m->window = 1;
        m->released_free = false;
        m->delay_ms = 0;
        m->refuses_publish = m->refuses_subscribe = 0;
    }
}
