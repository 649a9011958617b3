/*
 * Messages to subscribers.
 */
#include <string.h>
#include "server.h"

#define WINDOW 20

void list_begin(struct delivery_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

void list_append(struct delivery_list *list, struct delivery *delivery)
{
    delivery->next = NULL;
    *list->end = delivery;
    list->end = &delivery->next;
    list->count++;
}

/* -- a packet ------------------------------------------------------------------------ */

static uint32_t seconds_left(const struct server *server,
                             const struct message *m)
{
    return (uint32_t)((m->expires_at - server->now) / 1000);
}

/* The alias of a topic name; 0: none. New: *known is false. */
static uint16_t alias_of(struct server *server, struct link *link,
                         struct bytes topic, bool *known)
{
    uint16_t i;

    *known = false;
    if (!link->manners.aliases || !link->alias_maximum ||
        one_in(&server->dice, 4))
        return 0;
    for (i = 0; i < link->sent_alias_count; i++)
        if (bytes_equal(link->sent_aliases[i], topic)) {
            *known = true;
            return (uint16_t)(i + 1);
        }
    if (link->sent_alias_count < link->alias_maximum)
        i = link->sent_alias_count++;
    else
        i = (uint16_t)roll(&server->dice, link->alias_maximum);
    link->sent_aliases[i] = topic;
    return (uint16_t)(i + 1);
}

/* The properties of one that leaves now, in memory that stays. */
static struct bytes properties_of(struct server *server,
                                  const struct delivery *d, uint16_t alias)
{
    const struct message *m = d->message;
    uint32_t most = m->properties.size + 5u + 3u + 5u * d->count;
    uint8_t *memory = store_take(server->store, most + 1);
    struct writer w = {memory, memory};

    if (m->expires_at != NEVER) {
        put_u8(&w, MESSAGE_EXPIRY);
        put_u32(&w, seconds_left(server, m));
    }
    put_bytes(&w, m->properties);
    for (unsigned i = 0; i < d->count; i++) {
        put_u8(&w, SUBSCRIPTION_IDENTIFIER);
        put_variable(&w, d->subscriptions[i]);
    }
    if (alias) {
        put_u8(&w, TOPIC_ALIAS);
        put_u16(&w, alias);
    }
    return (struct bytes){memory, (uint32_t)(w.at - memory)};
}

static unsigned first_byte(const struct delivery *d)
{
    return PUBLISH << 4 | (unsigned)d->qos << 1 | (d->retain ? 1u : 0u) |
           (d->sent ? 8u : 0u);
}

static void trace_publish(struct server *server, struct link *link,
                          const struct delivery *d, uint32_t size)
{
    server_says(server, link, "PUBLISH q%u id %u \"%.*s\" %u bytes%s", d->qos,
                d->identifier, (int)d->message->topic.size,
                (const char *)d->message->topic.at, (unsigned)size,
                d->sent ? " dup" : "");
}

static void tell(struct server *server, struct link *link, struct delivery *d,
                 struct bytes properties, uint32_t size)
{
    struct outgoing o = {.client = link->client,
                         .link = link->number,
                         .delivery = d->qos ? d : NULL,
                         .topic = d->message->topic,
                         .payload = d->message->payload,
                         .properties = properties,
                         .size = size,
                         .identifier = d->identifier,
                         .qos = d->qos,
                         .dup = d->sent,
                         .retain = d->retain};

    server->hooks->delivers(server->world, &o);
}

/* Put it on the wire. False: it is larger than the client takes. */
static bool write(struct server *server, struct link *link, struct delivery *d)
{
    const struct message *m = d->message;
    struct bytes properties = {NULL, 0};
    uint32_t length = 2 + (d->qos ? 2u : 0u) + m->payload.size, size;
    uint16_t alias = 0;
    bool known = false;
    struct writer w;

    if (link->level == 5) { /* measured before an alias is given */
        uint32_t most = length + m->topic.size + m->properties.size + 5u + 3u +
                        5u * d->count + 4u + 5u;

        if (most > link->packet_maximum)
            return false;
        alias = alias_of(server, link, m->topic, &known);
        properties = properties_of(server, d, alias);
        length += variable_size(properties.size) + properties.size;
    }
    length += known ? 0 : m->topic.size;
    size = 1 + variable_size(length) + length;
    w.at = server_frame(link, first_byte(d), length);
    put_text(&w, known ? (struct bytes){NULL, 0} : m->topic);
    if (d->qos)
        put_u16(&w, d->identifier);
    if (link->level == 5) {
        put_variable(&w, properties.size);
        put_bytes(&w, properties);
    }
    put_bytes(&w, m->payload);
    if (server->tracing)
        trace_publish(server, link, d, size);
    tell(server, link, d, properties, size);
    d->sent = true;
    d->disowned = d->disowned || link->overrun;
    return true;
}

/* -- what may leave ------------------------------------------------------------------- */

static uint32_t window(const struct link *link)
{
    uint32_t most = link->manners.window ? link->manners.window : WINDOW;

    if (link->overrun)
        return link->receive_maximum + link->overrun;
    return most < link->receive_maximum ? most : link->receive_maximum;
}

static void expect_answer(struct server *server, struct link *link,
                          const struct delivery *d)
{
    unsigned i = d->qos - 1u;

    if (link->order_end[i] == link->order_room[i]) {
        uint32_t room = link->order_room[i] * 2 + 16;
        uint16_t *more = store_take(server->store, room * sizeof(*more));

        if (link->order_end[i])
            memcpy(more, link->order[i], link->order_end[i] * sizeof(*more));
        link->order[i] = more;
        link->order_room[i] = room;
    }
    link->order[i][link->order_end[i]++] = d->identifier;
}

static bool identifier_open(const struct session *s, uint16_t identifier)
{
    for (const struct delivery *d = s->open.first; d; d = d->next)
        if (d->identifier == identifier)
            return true;
    return false;
}

static uint16_t new_identifier(struct session *s, bool low)
{
    if (low)
        s->next_identifier = 0;
    do
        s->next_identifier++;
    while (!s->next_identifier || identifier_open(s, s->next_identifier) ||
           server_avoids(s, s->next_identifier));
    return s->next_identifier;
}

/* PUBREL of earlier connections, in their order. Some servers do not count
 * them: only PUBLISH is limited [5.0 4.9]. What counts is returned. */
static uint32_t resume_released(struct server *server, struct link *link)
{
    uint32_t count = 0;

    for (struct delivery *d = link->session->open.first; d; d = d->next) {
        if (d->released && !d->here) {
            d->here = d->carried = link->any_carried = true;
            server_send_ack(server, link, PUBREL, d->identifier, 0);
        }
        if (d->here && !(d->carried && link->manners.released_free))
            count++;
    }
    return count;
}

/* What the client takes no more, for it is too large, is as if delivered
 * [5.0 MQTT-3.1.2-25]. */
static uint32_t resume_open(struct server *server, struct link *link,
                            uint32_t count)
{
    struct delivery **place = &link->session->open.first;

    while (*place) {
        struct delivery *d = *place;

        if (!d->here && count >= window(link))
            return count;
        if (!d->here && !write(server, link, d)) {
            server_take_out(&link->session->open, place);
            continue;
        }
        if (!d->here) {
            d->here = true;
            count++;
            expect_answer(server, link, d);
        }
        place = &d->next;
    }
    return count;
}

static struct delivery *first_of(struct delivery_list *list)
{
    struct delivery *d = list->first;

    list->first = d->next;
    if (!list->first)
        list->end = &list->first;
    list->count--;
    return d;
}

static bool expired(const struct server *server, const struct message *m)
{
    return m->expires_at != NEVER && m->expires_at < server->now + 1000;
}

static void send_new(struct server *server, struct link *link, uint32_t count)
{
    struct session *s = link->session;

    while (s->queue.first && (!s->queue.first->qos || count < window(link))) {
        struct delivery *d = first_of(&s->queue);

        if (expired(server, d->message))
            continue;
        if (d->qos)
            d->identifier = new_identifier(s, link->manners.low_identifiers);
        if (!write(server, link, d) || !d->qos)
            continue;
        d->here = true;
        count++;
        list_append(&s->open, d);
        expect_answer(server, link, d);
    }
}

void server_pump(struct server *server, struct link *link)
{
    uint32_t count;

    if (link->state != LINK_CONNECTED)
        return;
    if (!link->session->open.first && !link->session->queue.first)
        return;
    count = resume_released(server, link);
    count = resume_open(server, link, count);
    send_new(server, link, count);
}

/* -- who gets a message ------------------------------------------------------------------ */

static uint8_t lesser(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

void server_queue(struct server *server, struct session *session,
                  const struct message *message,
                  const struct audience *audience)
{
    struct delivery *d = store_take(server->store, sizeof(*d));

    d->message = message;
    d->qos = lesser(message->qos, audience->qos);
    d->retain = audience->retain;
    d->count = audience->count;
    memcpy(d->subscriptions, audience->subscriptions, sizeof(d->subscriptions));
    if (!session->link && !d->qos)
        return;
    list_append(&session->queue, d);
    if (d->qos == 1 && server->manners.doubles &&
        one_in(&server->dice, server->manners.doubles)) {
        struct delivery *twice = store_take(server->store, sizeof(*twice));

        *twice = *d;
        list_append(&session->queue, twice);
    }
}

static bool wants(const struct server *server, const struct session *s,
                  const struct server_subscription *subscription,
                  const struct message *m)
{
    if (subscription->options & 4 && m->origin >= 0 &&
        &server->sessions[m->origin] == s)
        return false;
    return topic_matches(subscription->inner, m->topic);
}

static bool keeps_retain(const struct session *s,
                         const struct server_subscription *subscription)
{
    return s->level == 5 && subscription->options & 8;
}

static void join(struct audience *a,
                 const struct server_subscription *subscription)
{
    if ((subscription->options & 3) > a->qos)
        a->qos = subscription->options & 3;
    if (subscription->identifier && a->count < 4)
        a->subscriptions[a->count++] = subscription->identifier;
}

/* One message for all that match, at the highest QoS, with all identifiers; or
 * one for each. */
static void route_to(struct server *server, struct session *s,
                     const struct message *m)
{
    const struct server_subscription *subscription;
    struct audience a = {0};
    bool any = false;

    for (subscription = s->subscriptions; subscription;
         subscription = subscription->next) {
        if (subscription->shared || !wants(server, s, subscription, m))
            continue;
        join(&a, subscription);
        a.retain = a.retain || (keeps_retain(s, subscription) && m->retain);
        any = true;
        if (!server->manners.copies)
            continue;
        server_queue(server, s, m, &a);
        a = (struct audience){0};
        any = false;
    }
    if (any)
        server_queue(server, s, m, &a);
}

/* Each group gives it to one of those that share it. */
static bool same_group(const struct server_subscription *a,
                       const struct server_subscription *b)
{
    return bytes_equal(a->group, b->group) && bytes_equal(a->inner, b->inner);
}

static void share(struct server *server, const struct message *m,
                  const struct server_subscription *group)
{
    struct session *taker[SESSIONS];
    const struct server_subscription *as[SESSIONS];
    struct audience a = {0};
    unsigned count = 0, i;

    for (i = 0; i < SESSIONS; i++) {
        struct server_subscription *s = server->sessions[i].subscriptions;

        for (; server->sessions[i].used && s; s = s->next)
            if (s->shared && same_group(s, group)) {
                taker[count] = &server->sessions[i];
                as[count++] = s;
                break;
            }
    }
    i = roll(&server->dice, count);
    join(&a, as[i]);
    server_queue(server, taker[i], m, &a);
    if (taker[i]->link)
        server_pump(server, taker[i]->link);
}

/* Whether a session before this one has the group, too: then it had it. */
static bool shared_before(const struct server *server, unsigned end,
                          const struct server_subscription *group)
{
    for (unsigned i = 0; i < end; i++) {
        const struct server_subscription *s = server->sessions[i].subscriptions;

        for (; server->sessions[i].used && s; s = s->next)
            if (s->shared && same_group(s, group))
                return true;
    }
    return false;
}

static void route_shared(struct server *server, unsigned i,
                         const struct message *m)
{
    const struct server_subscription *s = server->sessions[i].subscriptions;

    for (; s; s = s->next)
        if (s->shared && topic_matches(s->inner, m->topic) &&
            !shared_before(server, i, s))
            share(server, m, s);
}

void server_route(struct server *server, const struct message *message)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &server->sessions[i];

        if (!s->used || !s->subscriptions)
            continue;
        route_to(server, s, message);
        route_shared(server, i, message);
        if (s->link)
            server_pump(server, s->link);
    }
}

/* -- retained messages ------------------------------------------------------------------- */

void server_retain(struct server *server, const struct message *message)
{
    unsigned i, empty = RETAINED;

    for (i = 0; i < RETAINED; i++) {
        if (!server->retained[i])
            empty = i;
        else if (bytes_equal(server->retained[i]->topic, message->topic))
            break;
    }
    if (i == RETAINED)
        i = empty;
    if (i < RETAINED)
        server->retained[i] = message->payload.size ? message : NULL;
}

void server_send_retained(struct server *server, struct session *session,
                          const struct server_subscription *subscription)
{
    for (unsigned i = 0; i < RETAINED; i++) {
        const struct message *m = server->retained[i];
        struct audience a = {.retain = true};

        if (!m || expired(server, m) ||
            !topic_matches(subscription->inner, m->topic))
            continue;
        join(&a, subscription);
        server_queue(server, session, m, &a);
    }
    if (session->link)
        server_pump(server, session->link);
}
