/*
 * What a client publishes and acknowledges, and whether it may.
 */
#include <string.h>
#include "server.h"

/* -- identifiers that the client has in use ------------------------------------- */

static uint32_t find_use(const struct link *link, uint16_t identifier)
{
    uint32_t i = 0;

    while (i < link->in_use_count && link->in_use[i].identifier != identifier)
        i++;
    return i;
}

bool server_identifier_used(const struct link *link, uint16_t identifier)
{
    return find_use(link, identifier) < link->in_use_count;
}

void server_use(struct server *server, struct link *link, uint16_t identifier,
                unsigned type)
{
    if (link->in_use_count == link->in_use_room) {
        uint32_t room = link->in_use_room * 2 + 16;
        struct in_use *more = store_take(server->store, room * sizeof(*more));

        if (link->in_use_count)
            memcpy(more, link->in_use, link->in_use_count * sizeof(*more));
        link->in_use = more;
        link->in_use_room = room;
    }
    link->in_use[link->in_use_count++] =
        (struct in_use){identifier, (uint8_t)type};
}

unsigned server_unuse(struct link *link, uint16_t identifier)
{
    uint32_t i = find_use(link, identifier);
    unsigned type;

    if (i == link->in_use_count)
        return 0;
    type = link->in_use[i].type;
    link->in_use_count--;
    memmove(link->in_use + i, link->in_use + i + 1,
            (link->in_use_count - i) * sizeof(link->in_use[0]));
    return type;
}

/* -- QoS 2 messages that have come ------------------------------------------------ */

static struct received *find_received(struct session *s, uint16_t identifier)
{
    for (uint32_t i = 0; i < s->received_count; i++)
        if (s->received[i].identifier == identifier)
            return &s->received[i];
    return NULL;
}

static void add_received(struct server *server, struct session *s,
                         uint16_t identifier)
{
    if (s->received_count == s->received_room) {
        uint32_t room = s->received_room * 2 + 16;
        struct received *more = store_take(server->store, room * sizeof(*more));

        if (s->received_count)
            memcpy(more, s->received, s->received_count * sizeof(*more));
        s->received = more;
        s->received_room = room;
    }
    s->received[s->received_count++] = (struct received){identifier, false};
}

static void remove_received(struct session *s, struct received *received)
{
    *received = s->received[--s->received_count];
}

/* -- PUBLISH ------------------------------------------------------------------------ */

/* The topic name, which may stand behind an alias. */
static bool resolve(struct server *server, struct link *link,
                    const struct packet *packet, struct bytes *topic)
{
    uint32_t alias = number_of(&packet->properties, TOPIC_ALIAS, 0);

    *topic = packet->topic;
    if (!alias)
        return true;
    if (alias > link->manners.alias_maximum) {
        server_violation(server, link, "Topic Alias above the maximum");
        return false;
    }
    if (topic->size) {
        link->aliases[alias - 1] = (struct bytes){
            store_copy(server->store, topic->at, topic->size), topic->size};
        return true;
    }
    *topic = link->aliases[alias - 1];
    if (!topic->size)
        server_violation(server, link, "Topic Alias that was never given");
    return topic->size;
}

static void check_limits(struct server *server, struct link *link,
                         const struct packet *packet)
{
    const struct manners *m = &link->manners;

    if (link->level == 5 && packet->qos > m->qos)
        server_violation(server, link, "QoS above the maximum");
    if (link->level == 5 && packet->first & 1 && m->retain_off)
        server_violation(server, link, "RETAIN, which is not available");
    if (number_of(&packet->properties, PAYLOAD_FORMAT, 0) &&
        has(&packet->properties, RESPONSE_TOPIC) &&
        !topic_name_good(packet->properties.text[RESPONSE_TOPIC]))
        server_violation(server, link, "Response Topic");
}

/* One more message is open on this connection. */
static void count_open(struct server *server, struct link *link)
{
    uint32_t maximum = link->level == 5 && link->manners.receive_maximum
                           ? link->manners.receive_maximum
                           : 65535;

    if (++link->receive_open > maximum)
        server_violation(server, link, "Receive Maximum exceeded");
}

/* What is passed on: all but Topic Alias and Message Expiry Interval. */
static struct bytes passed_on(struct server *server,
                              const struct packet *packet)
{
    const struct properties *p = &packet->properties;
    uint8_t *copy;
    struct bytes rest = {NULL, 0};
    uint32_t i = 0;

    if (!p->all.size)
        return rest;
    copy = store_take(server->store, p->all.size + 1);
    rest.at = copy;
    while (i < p->all.size) {
        uint32_t size = 0;
        const uint8_t *at = p->all.at + i;

        switch (at[0]) {
        case TOPIC_ALIAS:
            size = 3;
            break;
        case MESSAGE_EXPIRY:
            size = 5;
            break;
        default:
            break;
        }
        if (size) {
            i += size;
            continue;
        }
        switch (at[0]) {
        case PAYLOAD_FORMAT:
            size = 2;
            break;
        case USER_PROPERTY:
            size = 3u + (uint32_t)(at[1] << 8 | at[2]);
            size += 2u + (uint32_t)(at[size] << 8 | at[size + 1]);
            break;
        default:
            size = 3u + (uint32_t)(at[1] << 8 | at[2]);
        }
        memcpy(copy + rest.size, at, size);
        rest.size += size;
        i += size;
    }
    return rest;
}

static struct message *keep(struct server *server, const struct link *link,
                            const struct packet *packet, struct bytes topic,
                            struct bytes properties)
{
    struct message *m = store_take(server->store, sizeof(*m));
    uint32_t expiry = number_of(&packet->properties, MESSAGE_EXPIRY, 0);

    m->topic.at = store_copy(server->store, topic.at, topic.size);
    m->topic.size = topic.size;
    m->payload.at =
        store_copy(server->store, packet->payload.at, packet->payload.size);
    m->payload.size = packet->payload.size;
    m->properties = properties;
    m->qos = packet->qos;
    m->retain = packet->first & 1;
    m->origin = (int)(link->session - server->sessions);
    m->expires_at = has(&packet->properties, MESSAGE_EXPIRY)
                        ? server->now + (uint64_t)expiry * 1000
                        : NEVER;
    return m;
}

/* Whether it is refused; 5.0 has codes for that. */
static uint8_t refusal(struct server *server, const struct link *link)
{
    static const uint8_t codes[] = {0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};

    if (link->level != 5 || !link->manners.refuses_publish ||
        !one_in(&server->dice, link->manners.refuses_publish))
        return 0;
    return codes[roll(&server->dice, sizeof(codes))];
}

static void tell(struct server *server, const struct link *link,
                 const struct packet *packet, struct arrival *a)
{
    a->client = link->client;
    a->link = link->number;
    a->identifier = packet->identifier;
    a->qos = packet->qos;
    a->dup = packet->first & 8;
    a->retain = packet->first & 1;
    a->payload = packet->payload;
    a->has_expiry = has(&packet->properties, MESSAGE_EXPIRY);
    a->expiry_s = number_of(&packet->properties, MESSAGE_EXPIRY, 0);
    server->hooks->arrived(server->world, a);
}

static void check_identifier(struct server *server, struct link *link,
                             const struct packet *packet,
                             const struct received *received)
{
    if (server_identifier_used(link, packet->identifier))
        server_violation(server, link, "PUBLISH with an identifier in use");
    if (packet->qos == 2 && received && !(packet->first & 8))
        server_violation(server, link, "PUBLISH again without DUP");
    if (packet->first & 8 && !link->resumed)
        server_violation(server, link, "DUP in a new session");
}

static uint8_t success(struct server *server, const struct link *link)
{
    return link->level == 5 && one_in(&server->dice, 8) ? 0x10 : 0;
}

static void answer(struct server *server, struct link *link,
                   const struct packet *packet, uint8_t code)
{
    server_use(server, link, packet->identifier, PUBLISH);
    count_open(server, link);
    server_later(server, link, packet->qos == 2 ? PUBREC : PUBACK,
                 packet->identifier, code ? code : success(server, link), NULL,
                 0);
}

void server_take_publish(struct server *server, struct link *link,
                         const struct packet *packet)
{
    struct arrival a = {0};
    struct received *received = NULL;
    uint8_t code = 0;

    if (!resolve(server, link, packet, &a.topic))
        return;
    check_limits(server, link, packet);
    if (packet->qos) {
        received = packet->qos == 2
                       ? find_received(link->session, packet->identifier)
                       : NULL;
        check_identifier(server, link, packet, received);
        code = received ? 0 : refusal(server, link);
    }
    a.properties = passed_on(server, packet);
    a.code = code;
    a.counts = !received && !code;
    tell(server, link, packet, &a);
    if (packet->qos == 2 && a.counts)
        add_received(server, link->session, packet->identifier);
    if (packet->qos)
        answer(server, link, packet, code);
    if (a.counts) {
        struct message *m = keep(server, link, packet, a.topic, a.properties);

        if (m->retain)
            server_retain(server, m);
        server_route(server, m);
    }
}

/* -- PUBREL --------------------------------------------------------------------------- */

/* In the order of PUBREC [MQTT-4.6.0-4]; those of an earlier connection are
 * not in this list. */
static void check_order(struct server *server, struct link *link,
                        uint16_t identifier)
{
    uint32_t i = link->recorded_begin;

    while (i < link->recorded_end && link->recorded[i] != identifier)
        i++;
    if (i == link->recorded_end) {
        if (!link->resumed)
            server_violation(server, link, "PUBREL without PUBREC");
        return;
    }
    if (i != link->recorded_begin)
        server_violation(server, link, "PUBREL out of order");
    link->recorded_begin = i + 1;
}

void server_take_pubrel(struct server *server, struct link *link,
                        const struct packet *packet)
{
    struct received *received =
        find_received(link->session, packet->identifier);
    uint8_t code = link->level == 5 && !received ? 0x92 : 0;

    if (server_stray_answered(server, link, packet))
        return;
    check_order(server, link, packet->identifier);
    if (!received && !link->resumed)
        server_violation(server, link, "PUBREL of nothing");
    if (received)
        remove_received(link->session, received);
    if (!server_identifier_used(link, packet->identifier))
        server_use(server, link, packet->identifier, PUBREL);
    server_later(server, link, PUBCOMP, packet->identifier, code, NULL, 0);
}

/* -- PUBACK, PUBREC, PUBCOMP -------------------------------------------------------------- */

static struct delivery **find_open(struct session *s, uint16_t identifier)
{
    struct delivery **place = &s->open.first;

    while (*place && (*place)->identifier != identifier)
        place = &(*place)->next;
    return place;
}

void server_take_out(struct delivery_list *list, struct delivery **place)
{
    struct delivery *gone = *place;

    *place = gone->next;
    if (list->end == &gone->next)
        list->end = place;
    gone->next = NULL;
    list->count--;
}

/* In the order of PUBLISH [MQTT-4.6.0-2, MQTT-4.6.0-3]. */
static void check_first(struct server *server, struct link *link, unsigned qos,
                        uint16_t identifier)
{
    unsigned i = qos - 1;

    if (link->order_begin[i] == link->order_end[i]) {
        server_violation(server, link, "PUBACK or PUBREC of nothing");
        return;
    }
    if (link->order[i][link->order_begin[i]] != identifier)
        server_violation(server, link, "PUBACK or PUBREC out of order");
    link->order_begin[i]++;
}

/* What its application has said of it. One that was known is acknowledged
 * without it, with success. */
static void check_code(struct server *server, struct link *link,
                       const struct packet *packet, const struct delivery *d)
{
    if (!d || !d->settled || link->level != 5)
        return;
    if ((packet->code & 0x80) != (d->code & 0x80) ||
        (d->code & 0x80 && packet->code != d->code))
        server_violation(server, link, "PUBACK or PUBREC with another code");
}

static void pubrec(struct server *server, struct link *link,
                   const struct packet *packet, struct delivery **place)
{
    struct session *s = link->session;
    struct delivery *d = *place;

    check_first(server, link, 2, packet->identifier);
    check_code(server, link, packet, d);
    if (!d || d->released || d->qos != 2) {
        server_violation(server, link, "PUBREC of nothing");
        return;
    }
    if (packet->code & 0x80) {
        server_take_out(&s->open, place);
        return;
    }
    d->released = true;
    server_send_ack(server, link, PUBREL, d->identifier, 0);
}

static void pubcomp(struct server *server, struct link *link,
                    const struct packet *packet, struct delivery **place)
{
    if (!*place || !(*place)->released || !(*place)->here) {
        server_violation(server, link, "PUBCOMP of nothing");
    } else if (packet->code && !link->resumed) {
        server_violation(server, link, "PUBCOMP says that it is not known");
    } else {
        (*place)->completed = true;
        server_take_out(&link->session->open, place);
    }
}

void server_take_ack(struct server *server, struct link *link,
                     const struct packet *packet)
{
    struct delivery **place = find_open(link->session, packet->identifier);

    if (packet->type == PUBCOMP && server_stray_answered(server, link, packet))
        return;
    if (packet->type == PUBREC) {
        pubrec(server, link, packet, place);
    } else if (packet->type == PUBCOMP) {
        pubcomp(server, link, packet, place);
    } else {
        check_first(server, link, 1, packet->identifier);
        check_code(server, link, packet, *place);
        if (!*place || (*place)->qos != 1)
            server_violation(server, link, "PUBACK of nothing");
        else
            server_take_out(&link->session->open, place);
    }
    server_pump(server, link);
}
