/*
 * CONNECT, CONNACK.
 */
#include <stdio.h>
#include <string.h>
#include "server.h"

/* -- who it is ------------------------------------------------------------------------ */

static struct session *find_session(struct server *server, struct bytes id)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        if (server->sessions[i].used &&
            bytes_equal(server->sessions[i].identifier, id))
            return &server->sessions[i];
    return NULL;
}

/* A free one; if need be, one without a connection makes room. */
static struct session *free_session(struct server *server)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        if (!server->sessions[i].used)
            return &server->sessions[i];
    for (unsigned i = 0; i < SESSIONS; i++)
        if (!server->sessions[i].link) {
            server_session_end(server, &server->sessions[i]);
            return &server->sessions[i];
        }
    return NULL;
}

static struct session *new_session(struct server *server, struct bytes id)
{
    struct session *s = free_session(server);

    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->used = true;
    s->identifier.at = store_copy(server->store, id.at, id.size);
    s->identifier.size = id.size;
    list_begin(&s->open);
    list_begin(&s->queue);
    return s;
}

static struct bytes assign(struct server *server)
{
    char text[24];

    snprintf(text, sizeof(text), "given-%u", ++server->assigned_count);
    return (struct bytes){store_copy(server->store, text, strlen(text)),
                          (uint32_t)strlen(text)};
}

/* Another connection with this identifier is ended [MQTT-3.1.4-2]. */
static void take_over(struct server *server, struct session *s)
{
    if (s->link)
        server_end(server, s->link, 0x8E);
}

/* What was sent before is to be sent again. */
static void resume(struct session *s)
{
    for (struct delivery *d = s->open.first; d; d = d->next)
        d->here = d->carried = false;
}

bool server_join(struct server *server, struct link *link, struct bytes id,
                 bool clean)
{
    struct session *s = find_session(server, id);

    if (s)
        take_over(server, s);
    s = find_session(server, id); /* it may have ended with its connection */
    if (s && clean) {
        server_session_end(server, s);
        s = NULL;
    }
    link->resumed = s != NULL;
    if (!s)
        s = new_session(server, id);
    if (!s)
        return false;
    resume(s);
    s->will = NULL; /* it is back in time */
    s->link = link;
    s->level = link->level;
    s->client = link->client;
    link->session = s;
    if (!link->resumed)
        server->hooks->begins(server->world, link);
    return true;
}

/* -- refusing --------------------------------------------------------------------------- */

/* Whether the version is spoken; if not, it is said in one of three ways. */
static bool version_good(struct server *server, struct link *link)
{
    const struct manners *m = &server->manners;

    if (!(link->level == 5 ? m->no_5_0 : m->no_3_1_1))
        return true;
    if (m->silent)
        server_link_end(server, link);
    else if (link->level == 5 && one_in(&server->dice, 2))
        server_refuse(server, link, 0x84, false);
    else
        server_refuse(server, link, 1, true);
    return false;
}

static bool welcome(struct server *server, struct link *link)
{
    static const uint8_t codes[] = {0x80, 0x81, 0x82, 0x83, 0x85, 0x86, 0x87,
                                    0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                    0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    uint8_t code;

    if (!server->refuse_next)
        return true;
    server->refuse_next--;
    if (link->level == 5 && server->refuse_code)
        code = server->refuse_code;
    else if (link->level == 5)
        code = codes[roll(&server->dice, sizeof(codes))];
    else
        code = (uint8_t)between(&server->dice, 2, 5);
    server->refuse_code = 0;
    server_refuse(server, link, code, false);
    return false;
}

/* -- what is agreed on -------------------------------------------------------------------- */

static void read_limits(struct server *server, struct link *link,
                        const struct packet *packet)
{
    const struct properties *p = &packet->properties;

    link->keep_alive_s = packet->keep_alive;
    link->receive_maximum = (uint16_t)number_of(p, RECEIVE_MAXIMUM, UINT16_MAX);
    link->alias_maximum = (uint16_t)number_of(p, TOPIC_ALIAS_MAXIMUM, 0);
    link->no_problems = !number_of(p, REQUEST_PROBLEM, 1);
    link->asks_response = number_of(p, REQUEST_RESPONSE, 0);
    link->clean = packet->flags & CLEAN_START;
    link->expiry_s = link->level == 5 ? number_of(p, SESSION_EXPIRY, 0)
                     : link->clean    ? 0
                                      : UINT32_MAX;
    if (has(p, AUTH_METHOD))
        link->method =
            (struct bytes){store_copy(server->store, p->text[AUTH_METHOD].at,
                                      p->text[AUTH_METHOD].size),
                           p->text[AUTH_METHOD].size};
}

static void read_will(struct server *server, struct link *link,
                      const struct packet *packet)
{
    struct message *m;

    if (!(packet->flags & HAS_WILL))
        return;
    m = store_take(server->store, sizeof(*m));
    m->topic.at =
        store_copy(server->store, packet->topic.at, packet->topic.size);
    m->topic.size = packet->topic.size;
    m->payload.at =
        store_copy(server->store, packet->payload.at, packet->payload.size);
    m->payload.size = packet->payload.size;
    m->qos = packet->flags >> 3 & 3;
    m->retain = packet->flags & WILL_RETAIN;
    m->origin = -1;
    m->expires_at = NEVER;
    link->will = m;
    link->will_delay_s = number_of(&packet->will, WILL_DELAY, 0);
}

/* What is announced holds for this connection, as far as CONNACK can say it. */
static void adopt_manners(struct server *server, struct link *link)
{
    struct manners *m = &link->manners;

    *m = server->manners;
    if (link->level == 5 && link->packet_maximum < 80) {
        m->packet_limit = m->expiry_limit = 0;
        m->keep_alive = m->alias_maximum = 0;
        m->retain_off = m->wildcard_off = m->shared_off = m->identifiers_off =
            false;
        m->talkative = m->says_all = false;
        if (link->packet_maximum < 24)
            m->receive_maximum = 0;
        if (link->packet_maximum < 24)
            m->qos = 2;
    }
    if (link->level != 5)
        return;
    if (m->keep_alive)
        link->keep_alive_s = m->keep_alive;
    if (m->expiry_limit && link->expiry_s > m->expiry_limit)
        link->expiry_s = m->expiry_limit;
    link->aliases = store_take(server->store,
                               (m->alias_maximum + 1u) * sizeof(struct bytes));
    if (m->aliases && link->alias_maximum)
        link->sent_aliases = store_take(
            server->store, link->alias_maximum * sizeof(struct bytes));
}

void server_connect(struct server *server, struct link *link,
                    const struct packet *packet)
{
    struct bytes id = packet->client_identifier;

    link->level = packet->level;
    link->packet_maximum =
        number_of(&packet->properties, MAXIMUM_PACKET, UINT32_MAX);
    server->hooks->connecting(server->world, link->client, packet);
    if (!version_good(server, link) || !welcome(server, link))
        return;
    read_limits(server, link, packet);
    adopt_manners(server, link);
    if (server_auth_denied(server, link))
        return;
    if (!id.size) {
        id = assign(server);
        link->assigned = link->level == 5;
    }
    if (!server_join(server, link, id, packet->flags & CLEAN_START)) {
        server_refuse(server, link, link->level == 5 ? 0x88 : 3, false);
        return;
    }
    read_will(server, link, packet);
    link->rounds = (uint8_t)roll(&server->dice, link->manners.challenges + 1u);
    link->authenticating = link->method.at != NULL;
    if (link->authenticating && link->rounds) {
        link->state = LINK_AUTHENTICATING;
        server_auth(server, link, NULL);
        return;
    }
    link->authenticating = false;
    link->state = LINK_GREETED;
    server_later(server, link, CONNACK, 0, 0, NULL, 0);
}

/* -- CONNACK -------------------------------------------------------------------------------- */

static void put_number(struct writer *w, unsigned id, unsigned bytes,
                       uint32_t value)
{
    put_u8(w, id);
    if (bytes == 1)
        put_u8(w, value);
    else if (bytes == 2)
        put_u16(w, value);
    else
        put_u32(w, value);
}

static void put_available(struct writer *w, const struct manners *m,
                          unsigned id, bool off)
{
    if (off || m->says_all)
        put_number(w, id, 1, !off);
}

static void put_limits(struct writer *w, const struct link *link)
{
    const struct manners *m = &link->manners;

    if (m->receive_maximum)
        put_number(w, RECEIVE_MAXIMUM, 2, m->receive_maximum);
    if (m->qos < 2)
        put_number(w, MAXIMUM_QOS, 1, m->qos);
    if (m->packet_limit)
        put_number(w, MAXIMUM_PACKET, 4, m->packet_limit);
    if (m->alias_maximum)
        put_number(w, TOPIC_ALIAS_MAXIMUM, 2, m->alias_maximum);
    if (m->keep_alive)
        put_number(w, SERVER_KEEP_ALIVE, 2, m->keep_alive);
    if (m->expiry_limit)
        put_number(w, SESSION_EXPIRY, 4, link->expiry_s);
    put_available(w, m, RETAIN_AVAILABLE, m->retain_off);
    put_available(w, m, WILDCARD_AVAILABLE, m->wildcard_off);
    put_available(w, m, SHARED_AVAILABLE, m->shared_off);
    put_available(w, m, IDENTIFIERS_AVAILABLE, m->identifiers_off);
}

static void put_rest(struct writer *w, const struct link *link)
{
    if (link->assigned) {
        put_u8(w, ASSIGNED_IDENTIFIER);
        put_text(w, link->session->identifier);
    }
    if (link->method.at) {
        put_u8(w, AUTH_METHOD);
        put_text(w, link->method);
    }
    if (!link->manners.talkative)
        return;
    put_u8(w, USER_PROPERTY);
    put_text(w, text_of("who"));
    put_text(w, text_of("model"));
    if (!link->asks_response)
        return;
    put_u8(w, RESPONSE_INFORMATION);
    put_text(w, text_of("r/"));
}

void server_connack(struct server *server, struct link *link)
{
    bool five = link->level == 5;
    uint8_t properties[256];
    struct writer p = {properties, properties};
    struct writer w;
    uint32_t size;

    if (five) {
        put_limits(&p, link);
        put_rest(&p, link);
    }
    size = (uint32_t)(p.at - p.begin);
    w.at = server_frame(link, CONNACK << 4,
                        2 + (five ? variable_size(size) + size : 0));
    put_u8(&w, link->resumed);
    put_u8(&w, 0);
    if (five) {
        put_variable(&w, size);
        put_bytes(&w, (struct bytes){properties, size});
    }
    if (server->tracing)
        server_says(server, link, "CONNACK present %u", link->resumed);
    link->state = LINK_CONNECTED;
    server->hooks->granted(server->world, link);
    server_pump(server, link);
}
