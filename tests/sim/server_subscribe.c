/*
 * SUBSCRIBE and UNSUBSCRIBE.
 */
#include <string.h>
#include "server.h"

static struct server_subscription **find(struct session *s, struct bytes filter)
{
    struct server_subscription **place = &s->subscriptions;

    while (*place && !bytes_equal((*place)->filter, filter))
        place = &(*place)->next;
    return place;
}

static struct server_subscription *add(struct server *server, struct link *link,
                                       struct server_subscription **place,
                                       struct bytes filter)
{
    struct server_subscription *s = store_take(server->store, sizeof(*s));

    s->filter = (struct bytes){
        store_copy(server->store, filter.at, filter.size), filter.size};
    s->inner = s->filter;
    if (link->level == 5)
        s->shared = topic_shared(s->filter, &s->group, &s->inner);
    *place = s;
    return s;
}

/* What 5.0 has announced that it does not take. */
static void check_limits(struct server *server, struct link *link,
                         const struct packet *packet, struct bytes filter)
{
    const struct manners *m = &link->manners;
    struct bytes group, inner = filter;

    if (link->level != 5)
        return;
    if (topic_shared(filter, &group, &inner) && m->shared_off)
        server_violation(server, link, "a shared subscription: not available");
    if (topic_has_wildcard(filter) && m->wildcard_off)
        server_violation(server, link, "a wildcard: not available");
    if (has(&packet->properties, SUBSCRIPTION_IDENTIFIER) && m->identifiers_off)
        server_violation(server, link, "an identifier: not available");
}

static uint8_t refusal(struct server *server, const struct link *link)
{
    static const uint8_t codes[] = {0x80, 0x83, 0x87, 0x8F, 0x91,
                                    0x97, 0x9E, 0xA1, 0xA2};

    if (!link->manners.refuses_subscribe ||
        !one_in(&server->dice, link->manners.refuses_subscribe))
        return 0;
    return link->level == 5 ? codes[roll(&server->dice, sizeof(codes))] : 0x80;
}

static uint8_t grant(struct server *server, struct link *link, uint8_t options)
{
    uint8_t qos = options & 3;

    if (link->manners.grants_less && qos &&
        one_in(&server->dice, link->manners.grants_less))
        qos--;
    return qos;
}

/* [5.0 3.8.3.1]: 0 always, 1 if it is new, 2 never. */
static bool wants_retained(unsigned options, bool is_new)
{
    unsigned handling = options >> 4 & 3;

    return handling == 0 || (handling == 1 && is_new);
}

static uint8_t subscribe(struct server *server, struct link *link,
                         const struct packet *packet, struct bytes filter,
                         uint8_t options)
{
    struct server_subscription **place = find(link->session, filter), *s;
    bool is_new = !*place;
    uint8_t code = refusal(server, link);

    check_limits(server, link, packet, filter);
    if (code)
        return code;
    s = is_new ? add(server, link, place, filter) : *place;
    code = grant(server, link, options);
    s->options = (uint8_t)((options & ~3u) | code);
    s->identifier = number_of(&packet->properties, SUBSCRIPTION_IDENTIFIER, 0);
    if (!s->shared && wants_retained(options, is_new))
        server_send_retained(server, link->session, s);
    return code;
}

static uint8_t unsubscribe(struct server *server, struct link *link,
                           struct bytes filter)
{
    struct server_subscription **place = find(link->session, filter);
    uint8_t code = refusal(server, link);

    if (code && link->level == 5 && code != 0x9E && code != 0xA1 &&
        code != 0xA2 && code != 0x97)
        return code;
    if (!*place)
        return 0x11;
    *place = (*place)->next;
    return 0;
}

static uint16_t count_filters(const struct packet *packet)
{
    struct bytes rest = {NULL, 0}, filter;
    uint16_t count = 0;
    uint8_t options;

    while (next_filter(packet, &rest, &filter, &options))
        count++;
    return count;
}

void server_take_request(struct server *server, struct link *link,
                         const struct packet *packet)
{
    uint16_t count = count_filters(packet), i = 0;
    uint8_t *codes = store_take(server->store, count);
    struct bytes rest = {NULL, 0}, filter;
    uint8_t options;
    bool subscribes = packet->type == SUBSCRIBE;

    if (server_identifier_used(link, packet->identifier))
        server_violation(server, link, "a request with an identifier in use");
    server_use(server, link, packet->identifier, packet->type);
    link->asked.at =
        store_copy(server->store, packet->filters.at, packet->filters.size);
    link->asked.size = packet->filters.size;
    while (next_filter(packet, &rest, &filter, &options))
        codes[i++] = subscribes
                         ? subscribe(server, link, packet, filter, options)
                         : unsubscribe(server, link, filter);
    server_later(server, link, subscribes ? SUBACK : UNSUBACK,
                 packet->identifier, 0, codes, count);
}
