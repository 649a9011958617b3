/*
 * What the server has said, held against what the client tells its application
 * of it: every reason code, and the properties of an end.
 */
#include <stdio.h>
#include <string.h>
#include "world.h"

/* -- counting ------------------------------------------------------------------------ */

static void count_sent(struct world *w, enum code_place place, uint8_t code)
{
    unsigned i = code_index(place, code);

    if (i < 32)
        w->codes.sent[place][i]++;
}

static void count_told(struct player *p, enum code_place place, uint8_t code)
{
    unsigned i = code_index(place, code);

    if (i == 32)
        violation(p, "%s with code %02x is told of", code_rows[place].name,
                  code);
    else
        p->world->codes.told[place][i]++;
}

/* -- the server says ----------------------------------------------------------------- */

/* CONNACK of 3.1.1 is what a server that does not speak 5.0 may answer. */
static enum code_place place_of_end(const struct link *link, unsigned type,
                                    uint8_t code)
{
    if (type == DISCONNECT)
        return IN_DISCONNECT;
    return link->level == 5 && (!code || code & 0x80) ? IN_CONNACK
                                                      : IN_CONNACK_3_1_1;
}

void told_end_is_said(struct world *w, const struct link *link, unsigned type,
                      uint8_t code, struct bytes properties)
{
    struct player *p = &w->players[link->client];

    count_sent(w, place_of_end(link, type, code), code);
    if (link != p->wire.link)
        return;
    p->end_said = (struct end_said){
        .place = (uint8_t)place_of_end(link, type, code),
        .code = code,
        .any = true,
        .properties = {store_copy(&w->store, properties.at, properties.size),
                       properties.size}};
}

void told_auth_is_said(struct world *w, const struct link *link, uint8_t code)
{
    struct player *p = &w->players[link->client];

    count_sent(w, IN_AUTH, code);
    if (link == p->wire.link)
        p->auth_said[p->auth_said_count++ % sizeof(p->auth_said)] = code;
}

void told_connack_is_said(struct world *w, const struct link *link)
{
    count_sent(w, place_of_end(link, CONNACK, 0), 0);
}

static unsigned filter_index(struct bytes filter)
{
    unsigned i = 0;

    while (i < FILTERS && !bytes_equal(text_of(filters[i]), filter))
        i++;
    return i;
}

/* In an answer of 3.1.1 UNSUBACK has no codes. */
static void note_codes(struct player *p, const struct link *link,
                       const struct answer *answer)
{
    struct packet request = {.type = answer->type == SUBACK ? SUBSCRIBE
                                                            : UNSUBSCRIBE,
                             .filters = link->asked};
    struct bytes rest = {NULL, 0}, filter;
    uint8_t options;

    for (uint16_t i = 0; next_filter(&request, &rest, &filter, &options); i++) {
        struct code_said said = {.type = answer->type,
                                 .filter = (uint8_t)filter_index(filter),
                                 .code =
                                     link->level == 5 || answer->type == SUBACK
                                         ? answer->codes[i]
                                         : 0};

        p->codes_said[p->codes_said_count++ % CODES_SAID] = said;
    }
}

static void count_codes(struct world *w, const struct link *link,
                        const struct answer *answer)
{
    enum code_place place = answer->type == UNSUBACK ? IN_UNSUBACK
                            : link->level == 5       ? IN_SUBACK
                                                     : IN_SUBACK_3_1_1;

    if (link->level != 5 && answer->type == UNSUBACK)
        return;
    for (uint16_t i = 0; i < answer->count; i++)
        count_sent(w, place, answer->codes[i]);
}

/* CODE_PLACES: it has no code. */
static enum code_place place_of_ack(const struct answer *answer)
{
    switch (answer->type) {
    case PUBACK:
        return IN_PUBACK;
    case PUBREC:
        return answer->code & 0x80 ? IN_PUBREC : IN_GOOD_PUBREC;
    case PUBCOMP:
        return IN_PUBCOMP;
    default:
        return CODE_PLACES;
    }
}

void told_answer_is_said(struct world *w, const struct link *link,
                         const struct answer *answer)
{
    enum code_place place = place_of_ack(answer);

    if (answer->type == SUBACK || answer->type == UNSUBACK) {
        count_codes(w, link, answer);
        if (link == w->players[link->client].wire.link)
            note_codes(&w->players[link->client], link, answer);
    } else if (place != CODE_PLACES && link->level == 5) {
        count_sent(w, place, answer->code);
    }
}

void told_connection_begins(struct player *p)
{
    p->end_said = (struct end_said){0};
    p->end_told = false;
    p->auth_said_count = p->auth_told_count = 0;
    p->codes_said_count = 0;
}

/* -- the client tells ---------------------------------------------------------------- */

static void end_is_told(struct player *p, const struct mqtt_event *event,
                        bool refused)
{
    const struct end_said *said = &p->end_said;
    struct bytes properties = {event->properties.data,
                               (uint32_t)event->properties.size};

    if (!said->any || refused != (said->place != IN_DISCONNECT))
        violation(p, "an end with code %02x that the server did not say",
                  event->reason_code);
    else if (said->code != event->reason_code)
        violation(p, "an end with code %02x, the server said %02x",
                  event->reason_code, said->code);
    else if (!bytes_equal(said->properties, properties))
        violation(p, "an end with code %02x and other properties",
                  event->reason_code);
    if (p->end_told)
        violation(p, "the server's end is told of twice");
    p->end_told = true;
    redirect_told(p, event);
}

/* What the connection ended with, besides the event of 5.0 before it. */
static void disconnected(struct player *p, const struct mqtt_event *event)
{
    const struct end_said *said = &p->end_said;
    bool refused = event->error == MQTT_ERR_REFUSED;

    if (!refused && event->error != MQTT_ERR_DISCONNECT_PACKET) {
        /* What lies behind a message that is not taken is not read. */
        if (event->error == MQTT_ERR_CLOSED && said->any &&
            p->expected_begin == p->expected_end)
            violation(p, "closed, and nothing of what the server said");
        return;
    }
    if (!said->any || refused != (said->place != IN_DISCONNECT) ||
        said->code != event->reason_code)
        violation(p, "disconnected with code %02x, the server said %02x",
                  event->reason_code, said->code);
    else if (p->end_told != (said->place != IN_CONNACK_3_1_1))
        violation(p, "the server's end was told of before, or not");
    else
        count_told(p, said->place, said->code);
}

static void authentication(struct player *p, const struct mqtt_event *event)
{
    uint8_t said = p->auth_said[p->auth_told_count % sizeof(p->auth_said)];

    if (p->auth_told_count++ == p->auth_said_count)
        violation(p, "AUTH that the server did not send");
    else if (said != event->reason_code)
        violation(p, "AUTH with code %02x, the server said %02x",
                  event->reason_code, said);
    else
        count_told(p, IN_AUTH, event->reason_code);
}

/* Each code that was said is told once. */
static bool take_code(struct player *p, struct code_said wanted)
{
    uint32_t n =
        p->codes_said_count < CODES_SAID ? p->codes_said_count : CODES_SAID;

    for (uint32_t i = p->codes_said_count - n; i != p->codes_said_count; i++) {
        struct code_said *said = &p->codes_said[i % CODES_SAID];

        if (said->type != wanted.type || said->filter != wanted.filter ||
            said->code != wanted.code)
            continue;
        said->type = 0;
        return true;
    }
    return false;
}

static struct code_said wanted_code(const struct mqtt_event *event,
                                    unsigned type)
{
    struct mqtt_span filter = event->subscription->topic_filter;

    return (struct code_said){.type = (uint8_t)type,
                              .filter = (uint8_t)filter_index((struct bytes){
                                  filter.data, (uint32_t)filter.size}),
                              .code = event->reason_code};
}

static void subscribed(struct player *p, const struct mqtt_event *event)
{
    if (event->error)
        return;
    if (take_code(p, wanted_code(event, SUBACK)))
        count_told(p, p->tap_five ? IN_SUBACK : IN_SUBACK_3_1_1,
                   event->reason_code);
    else
        violation(p, "a subscription is answered with %02x, which was not said",
                  event->reason_code);
}

static bool any_code(const struct player *p, struct code_said wanted)
{
    for (unsigned i = 0; i < CODES_SAID && i < p->codes_said_count; i++)
        if (p->codes_said[i].type == wanted.type &&
            p->codes_said[i].filter == wanted.filter)
            return true;
    return false;
}

/* Some end without an answer, for the server knows nothing of them: with 0. */
static void unsubscribed(struct player *p, const struct mqtt_event *event)
{
    if (event->error)
        return;
    if (take_code(p, wanted_code(event, UNSUBACK))) {
        if (p->tap_five)
            count_told(p, IN_UNSUBACK, event->reason_code);
    } else if (event->reason_code ||
               (!p->twins && any_code(p, wanted_code(event, UNSUBACK)))) {
        violation(p, "a subscription has ended with %02x, which was not said",
                  event->reason_code);
    }
}

void told_published(struct player *p, unsigned qos,
                    const struct mqtt_event *event)
{
    if (!p->tap_five)
        return;
    count_told(p,
               qos == 1                                 ? IN_PUBACK
               : event->outcome == MQTT_OUTCOME_REFUSED ? IN_PUBREC
                                                        : IN_PUBCOMP,
               event->reason_code);
}

void told_event(struct player *p, const struct mqtt_event *event)
{
    switch ((int)event->type) {
    case MQTT_EVENT_CONNECTED:
        count_told(p, p->tap_five ? IN_CONNACK : IN_CONNACK_3_1_1, 0);
        break;
    case MQTT_EVENT_REFUSED:
        end_is_told(p, event, true);
        break;
    case MQTT_EVENT_SERVER_DISCONNECT:
        end_is_told(p, event, false);
        break;
    case MQTT_EVENT_DISCONNECTED:
        disconnected(p, event);
        p->codes_said_count = 0; /* what is not told by now is lost */
        break;
    case MQTT_EVENT_AUTHENTICATION:
        authentication(p, event);
        break;
    case MQTT_EVENT_SUBSCRIBED:
        subscribed(p, event);
        break;
    case MQTT_EVENT_UNSUBSCRIBED:
        unsubscribed(p, event);
        break;
    default:
        break;
    }
}

/* -- a fault --------------------------------------------------------------------------- */

/* The server ends the connection, with any code it may, success included. */
void told_fault(struct player *p, struct dice *dice)
{
    const struct code_row *row = &code_rows[IN_DISCONNECT];

    if (p->wire.link)
        server_end_by(&p->world->server, p->wire.link,
                      one_in(dice, 4) ? 0 : row->codes[roll(dice, row->count)]);
}

/* -- the sum of many worlds ------------------------------------------------------------- */

void told_add(struct code_counts *sum, const struct code_counts *more)
{
    for (unsigned place = 0; place < CODE_PLACES; place++)
        for (unsigned i = 0; i < code_rows[place].count; i++) {
            sum->sent[place][i] += more->sent[place][i];
            sum->told[place][i] += more->told[place][i];
        }
}

bool told_all(const struct code_counts *sum, bool names)
{
    unsigned all = 0, sent = 0, told = 0;

    for (unsigned place = 0; place < CODE_PLACES; place++)
        for (unsigned i = 0; i < code_rows[place].count; i++) {
            bool good = sum->told[place][i] || place == IN_GOOD_PUBREC;

            all++;
            sent += sum->sent[place][i] != 0;
            told += good;
            if (names && (!sum->sent[place][i] || !good))
                printf("%s with %02x: %u sent, %u told\n",
                       code_rows[place].name, code_rows[place].codes[i],
                       sum->sent[place][i], sum->told[place][i]);
        }
    printf("reason codes: of %u packets and codes %u were sent, %u told of, "
           "but PUBREC without an error\n",
           all, sent, told);
    return sent == all && told == all;
}
