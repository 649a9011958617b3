/*
 * The ledger: what was accepted from an application, what left, what arrived,
 * how it ended; and whether all of this fits together.
 */
#include <stdio.h>
#include <string.h>
#include "world.h"

/* -- payloads ------------------------------------------------------------------------ */

/* A payload begins with who published it, as eight letters, and goes on with
 * letters that follow from that and from where they stand. */
#define TOKEN_SIZE 8

static uint8_t letter(uint32_t token, uint32_t at)
{
    if (at < TOKEN_SIZE)
        return (uint8_t)('a' + (token >> (28 - 4 * at) & 15));
    return (uint8_t)(0x40 | ((token + at) & 0x1F));
}

static uint32_t token_of(uint32_t player, uint32_t index)
{
    return player << 24 | index;
}

void payload_fill(uint8_t *bytes, uint32_t player, uint32_t index,
                  uint32_t from, uint32_t size)
{
    uint32_t token = token_of(player, index);

    for (uint32_t i = 0; i < size; i++)
        bytes[i] = letter(token, from + i);
}

bool payload_good(struct bytes payload, uint32_t player, uint32_t index,
                  uint32_t from)
{
    uint32_t token = token_of(player, index);

    for (uint32_t i = 0; i < payload.size; i++)
        if (payload.at[i] != letter(token, from + i))
            return false;
    return true;
}

static bool read_token(struct bytes payload, uint32_t *player, uint32_t *index)
{
    uint32_t token = 0;

    if (payload.size < TOKEN_SIZE)
        return false;
    for (unsigned i = 0; i < TOKEN_SIZE; i++)
        token = token << 4 | ((uint32_t)(payload.at[i] - 'a') & 15);
    *player = token >> 24;
    *index = token & 0xFFFFFF;
    return true;
}

/* -- properties ------------------------------------------------------------------------ */

static void add_texts(struct mqtt_property_builder *b, unsigned kind)
{
    if (kind & 2)
        mqtt_property_add_text(b, MQTT_PROPERTY_CONTENT_TYPE,
                               mqtt_text("text/plain"));
    if (kind & 4)
        mqtt_property_add_text(b, MQTT_PROPERTY_RESPONSE_TOPIC,
                               mqtt_text("r/t"));
    if (kind & 8)
        mqtt_property_add_text(b, MQTT_PROPERTY_CORRELATION_DATA,
                               (struct mqtt_span){"\0\xff\x23", 3});
    if (kind & 16)
        mqtt_property_add_user(b, mqtt_text("n"), mqtt_text(""));
    if (kind & 32)
        mqtt_property_add_user(b, mqtt_text("n"), mqtt_text("value"));
}

struct mqtt_span publication_properties(unsigned kind, uint8_t *memory,
                                        uint32_t expiry_s)
{
    struct mqtt_property_builder b;

    mqtt_properties_begin(&b, memory, 128);
    if (kind & 1)
        mqtt_property_add_number(&b, MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 1);
    if (expiry_s != UINT32_MAX)
        mqtt_property_add_number(&b, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                                 expiry_s);
    add_texts(&b, kind);
    return mqtt_properties_end(&b, NULL);
}

/* -- accepted ---------------------------------------------------------------------------- */

struct publication *ledger_new(struct player *p)
{
    uint32_t i = p->publication_count, block = i / PUBLICATIONS;
    struct publication *publication;

    if (block == PUBLICATION_BLOCKS)
        return NULL;
    if (!p->publications[block])
        p->publications[block] = store_take(
            &p->world->store, PUBLICATIONS * sizeof(struct publication));
    publication = publication_at(p, i);
    memset(publication, 0, sizeof(*publication));
    publication->index = i;
    publication->incarnation = p->incarnation;
    publication->expires_at = NEVER;
    return publication;
}

void ledger_accept(struct player *p, uint16_t identifier)
{
    struct publication *m = publication_at(p, p->publication_count++);

    m->identifier = identifier;
    p->world->seen_published++;
    if (!m->qos) {
        if (identifier)
            violation(p, "QoS 0 with identifier %u", identifier);
        m->ended = true;
        return;
    }
    if (!identifier)
        violation(p, "packet identifier 0");
    else if (p->by_identifier[identifier])
        violation(p, "identifier %u is in use", identifier);
    else if (identifier == p->request_identifier)
        violation(p, "identifier %u is of a request", identifier);
    p->by_identifier[identifier] = m->index + 1;
    p->open_count++;
}

static struct publication *find(const struct player *p, uint16_t identifier)
{
    uint32_t i = p->by_identifier[identifier];

    return i ? publication_at(p, i - 1) : NULL;
}

void ledger_forget(struct player *p)
{
    memset(p->by_identifier, 0, 65536 * sizeof(p->by_identifier[0]));
    for (uint32_t i = 0; i < p->publication_count; i++)
        publication_at(p, i)->ended = true;
    p->open_count = 0;
}

/* -- arrived at the server ------------------------------------------------------------------ */

static struct publication *arrived_as(struct world *world,
                                      const struct arrival *a)
{
    struct player *p = &world->players[a->client];
    uint32_t player, index;

    if (!a->payload.size) {
        struct publication *m = a->qos ? find(p, a->identifier) : NULL;

        return m && !m->size ? m : NULL;
    }
    if (!read_token(a->payload, &player, &index)) {
        violation(p, "an unknown payload arrived");
        return NULL;
    }
    if (player != a->client || index >= p->publication_count ||
        !payload_good(a->payload, player, index, 0)) {
        violation(p, "a payload arrived that nobody published");
        return NULL;
    }
    return publication_at(p, index);
}

static void compare(struct player *p, const struct arrival *a,
                    const struct publication *m)
{
    uint8_t memory[128];
    struct mqtt_span properties =
        publication_properties(m->kind, memory, UINT32_MAX);
    struct bytes topic = text_of(topics[m->topic]);

    if (a->qos != m->qos || a->retain != m->retain ||
        a->payload.size != m->size || !bytes_equal(a->topic, topic))
        violation(p, "publication %u arrived as another", m->index);
    if (m->qos && a->identifier != m->identifier)
        violation(p, "publication %u arrived with identifier %u", m->index,
                  a->identifier);
    if (!p->tap_five || p->config.fallback) /* in which version was it put? */
        return;
    if (a->properties.size != properties.size ||
        (properties.size &&
         memcmp(a->properties.at, properties.data, properties.size) != 0))
        violation(p, "publication %u arrived with other properties", m->index);
}

static void arrived(void *context, const struct arrival *a)
{
    struct world *world = context;
    struct player *p = &world->players[a->client];
    struct publication *m = arrived_as(world, a);

    if (!m)
        return;
    if (world->tracing)
        say(p, "> arrived %u q%u id %u%s%s", m->index, a->qos, a->identifier,
            a->dup ? " dup" : "", a->counts ? "" : " (again, or refused)");
    compare(p, a, m);
    if (!a->counts)
        return;
    m->arrivals++;
    if (m->qos == 2 && m->arrivals > 1 && m->arrived_in == p->epoch)
        violation(p, "publication %u of QoS 2 arrived twice", m->index);
    m->arrived_in = p->epoch;
    if (m->qos == 0 && m->arrivals > 1)
        violation(p, "publication %u of QoS 0 arrived twice", m->index);
}

static void answered(void *context, const struct link *link,
                     const struct answer *answer)
{
    struct world *world = context;
    struct player *p = &world->players[link->client];
    struct publication *m;

    told_answer_is_said(world, link, answer);
    if (link != p->wire.link || answer->type == PINGRESP ||
        answer->type == CONNACK)
        return;
    p->answered_here = true;
    if (answer->type == SUBACK || answer->type == UNSUBACK) {
        /* Free, as soon as this arrives. A fast answer is on its way before
         * the request is told of here. */
        if (p->request_identifier != answer->identifier)
            p->request_answered = answer->identifier;
        p->request_identifier = 0;
        return;
    }
    m = find(p, answer->identifier);
    if (!m)
        return;
    if (answer->type == PUBREC && !(answer->code & 0x80)) {
        m->recorded = true;
        return;
    }
    m->acked = true;
    m->ack_code = answer->code;
}

static void granted(void *context, const struct link *link)
{
    struct world *world = context;
    struct player *p = &world->players[link->client];

    told_connack_is_said(world, link);
    if (link != p->wire.link)
        return;
    configured_granted(p);
    p->ends_session = !link->expiry_s;
}

static void begins(void *context, const struct link *link)
{
    struct world *world = context;

    world->players[link->client].epoch++;
}

static void connecting(void *context, unsigned client,
                       const struct packet *packet)
{
    struct world *world = context;

    world->players[client].tap_five = packet->level == 5;
}

static void says_end(void *context, const struct link *link, unsigned type,
                     uint8_t code, struct bytes properties)
{
    told_end_is_said(context, link, type, code, properties);
}

static void says_auth(void *context, const struct link *link, uint8_t code)
{
    told_auth_is_said(context, link, code);
}

static void delivers(void *context, const struct outgoing *o)
{
    struct world *world = context;
    struct player *p = &world->players[o->client];

    if (o->link != p->expected_link)
        return;
    if (p->expected_end == p->expected_room) {
        uint32_t room = p->expected_room * 2 + 64;
        struct expected *more = store_take(&world->store, room * sizeof(*more));

        if (p->expected_end)
            memcpy(more, p->expected, p->expected_end * sizeof(*more));
        p->expected = more;
        p->expected_room = room;
    }
    p->expected[p->expected_end++] = (struct expected){
        o->delivery,   o->topic, o->payload, o->properties, o->size,
        o->identifier, o->qos,   o->dup,     o->retain};
}

/* If the server began a new session and its CONNACK was lost, the client goes
 * on with the old one, and nobody can tell: acknowledgements do not fit. */
static void server_violated(void *context, unsigned client, const char *what)
{
    struct world *world = context;
    struct player *p = &world->players[client];

    if (p->told_epoch != p->epoch && !strncmp(what, "PUB", 3))
        return;
    violation(p, "server: %s", what);
}

static void says(void *context, unsigned client, const char *line)
{
    struct world *world = context;

    say(&world->players[client], "< %s", line);
}

const struct server_hooks ledger_hooks = {.violation = server_violated,
                                          .arrived = arrived,
                                          .answered = answered,
                                          .delivers = delivers,
                                          .granted = granted,
                                          .begins = begins,
                                          .connecting = connecting,
                                          .says_end = says_end,
                                          .says_auth = says_auth,
                                          .says = says};

/* -- how it ended ------------------------------------------------------------------------------ */

static void check_lost(struct player *p, const struct publication *m)
{
    if (m->sent == SENT_NOT && !m->anew && !m->restored)
        violation(p, "publication %u is lost and was not sent", m->index);
    else if (!m->anew && m->epoch == p->epoch && !p->ends_session &&
             !p->ended_before)
        violation(p, "publication %u is lost and the session is not", m->index);
}

static void check_acknowledged(struct player *p, const struct publication *m,
                               const struct mqtt_event *event)
{
    bool refused = event->outcome == MQTT_OUTCOME_REFUSED;

    if (!m->acked)
        violation(p, "publication %u ended without an answer", m->index);
    else if (m->ack_code != event->reason_code)
        violation(p, "publication %u: code %02x, the server said %02x",
                  m->index, event->reason_code, m->ack_code);
    if (refused ? !(m->ack_code & 0x80) : (m->ack_code & 0x80 && m->qos == 1))
        violation(p, "publication %u: outcome and code differ", m->index);
    if (!refused && !m->arrivals)
        violation(p, "publication %u is acknowledged and never arrived",
                  m->index);
    told_published(p, m->qos, event);
}

/* Whether what was sent may have become as if it was not. */
static bool may_be_anew(const struct player *p)
{
    return p->config.republish_lost && (p->ends_session || p->ended_before);
}

static void check_outcome(struct player *p, const struct publication *m,
                          const struct mqtt_event *event)
{
    switch (event->outcome) {
    case MQTT_OUTCOME_ACKNOWLEDGED:
    case MQTT_OUTCOME_REFUSED:
        check_acknowledged(p, m, event);
        break;
    case MQTT_OUTCOME_LOST:
        check_lost(p, m);
        break;
    case MQTT_OUTCOME_UNKNOWN:
        if (m->sent == SENT_NOT)
            violation(p, "publication %u: unknown, never sent", m->index);
        break;
    case MQTT_OUTCOME_EXPIRED:
        if ((m->sent == SENT_YES && !may_be_anew(p)) || m->ever_sent ||
            (m->expires_at > p->world->now && !p->config.fallback &&
             !m->restored))
            violation(p, "publication %u expired too early", m->index);
        break;
    case MQTT_OUTCOME_FORBIDDEN:
        if (m->sent == SENT_YES || m->ever_sent || !event->error)
            violation(p, "publication %u: forbidden, and sent", m->index);
        break;
    case MQTT_OUTCOME_SOURCE:
        if (!m->broken)
            violation(p, "publication %u: its source was good", m->index);
        break;
    }
}

void ledger_published(struct player *p, const struct mqtt_event *event)
{
    struct publication *m = find(p, event->packet_identifier);

    if (!m || m->ended) {
        violation(p, "the end of nothing: identifier %u",
                  event->packet_identifier);
        return;
    }
    if (p->world->tracing)
        say(p, "  publication %u ends: outcome %d code %02x", m->index,
            event->outcome, event->reason_code);
    check_outcome(p, m, event);
    m->ended = true;
    m->outcome = (uint8_t)event->outcome;
    p->by_identifier[m->identifier] = 0;
    p->open_count--;
}

/* -- connections --------------------------------------------------------------------------------- */

void ledger_connection_begins(struct player *p)
{
    row_clear(&p->tap);
    p->tap_connect = p->tap_disconnect = p->overrun = false;
    p->answered_here = false;
    p->last_order = 0;
    p->request_identifier = 0;
    p->expected_begin = p->expected_end = 0;
    p->request_answered = 0;
    p->expected_link = p->wire.number;
    told_connection_begins(p);
    silence_begins(p);
    p->wire_was_slow = false;
    p->begun_calm = p->world->calm;
    p->blocked_since = NEVER;
    p->last_sent = p->last_byte_in = p->world->now;
    p->ended_before = p->ended_before || p->ends_session;
    p->ends_session = false;
}

/* Of the packet that was half sent the first bytes have left: it is the next
 * one that is open, or one of the next if they can expire. */
static void note_half_sent(struct player *p)
{
    const uint8_t *bytes;

    if (!row_size(&p->tap))
        return;
    bytes = p->tap.bytes + p->tap.begin;
    if (bytes[0] >> 4 != PUBLISH || !(bytes[0] & 6))
        return;
    for (uint32_t i = p->last_order; i < p->publication_count; i++) {
        struct publication *m = publication_at(p, i);

        if (m->ended || m->sent == SENT_YES || m->qos != (bytes[0] >> 1 & 3))
            continue;
        m->sent = SENT_PERHAPS;
        m->epoch = p->epoch;
    }
}

void ledger_connection_ends(struct player *p)
{
    note_half_sent(p);
    row_clear(&p->tap);
    p->request_identifier = 0;
}

/* CONNACK told that the server has nothing of the session. */
void ledger_session_lost(struct player *p)
{
    for (uint32_t i = 0; i < p->publication_count; i++) {
        struct publication *m = publication_at(p, i);

        if (m->ended || m->sent == SENT_NOT)
            continue;
        if (!p->config.republish_lost || m->released) {
            m->lost_due = m->sent == SENT_YES;
            continue;
        }
        /* PUBREC may have come, or it was given up: then it is over. */
        m->sent = m->qos == 2 ? SENT_PERHAPS : SENT_NOT;
        m->acked = false;
        m->anew = true;
    }
}

/* -- what leaves --------------------------------------------------------------------------------- */

static uint64_t seconds_up(uint64_t ms)
{
    return (ms + 999) / 1000;
}

static void check_expiry(struct player *p, const struct packet *packet,
                         const struct publication *m)
{
    /* It may have been written when the network took no more. */
    uint64_t since =
        p->blocked_since == NEVER ? p->world->now : p->blocked_since;
    uint64_t left;

    if (since > p->turned_at)
        since = p->turned_at;
    if (has(&packet->properties, MESSAGE_EXPIRY) != (m->expires_at != NEVER)) {
        violation(p, "publication %u: expiry there or not", m->index);
        return;
    }
    if (m->expires_at == NEVER)
        return;
    left = m->expires_at > since ? seconds_up(m->expires_at - since) : 1;
    if (packet->properties.number[MESSAGE_EXPIRY] > (left ? left : 1))
        violation(p, "publication %u: expiry %u of %u s left", m->index,
                  packet->properties.number[MESSAGE_EXPIRY], (unsigned)left);
}

static void check_dup(struct player *p, const struct packet *packet,
                      struct publication *m)
{
    bool dup = packet->first & 8;

    if (m->sent == SENT_YES && m->link == p->wire.number)
        violation(p, "publication %u twice on a connection", m->index);
    else if (m->sent == SENT_YES && !dup && !may_be_anew(p))
        violation(p, "publication %u again without DUP", m->index);
    else if (m->sent == SENT_NOT && dup)
        violation(p, "publication %u with DUP for the first time", m->index);
}

static void publish_left(struct player *p, const struct packet *packet)
{
    uint32_t player = p->index, index = 0;
    struct publication *m = find(p, packet->identifier);

    if (packet->qos && (!m || m->ended)) {
        violation(p, "PUBLISH %u of nothing", packet->identifier);
        return;
    }
    if (!packet->qos) {
        if (!read_token(packet->payload, &player, &index))
            return;
        m = publication_at(p, index);
    }
    if (m->index < p->last_order)
        violation(p, "publication %u out of order", m->index);
    p->last_order = m->index + 1;
    if (p->tap_five && !p->config.fallback)
        check_expiry(p, packet, m);
    if (!packet->qos)
        return;
    if (m->released)
        violation(p, "publication %u after PUBREL", m->index);
    check_dup(p, packet, m);
    m->sent = SENT_YES;
    m->ever_sent = true;
    m->epoch = p->epoch;
    m->link = p->wire.number;
}

static void pubrel_left(struct player *p, const struct packet *packet)
{
    struct publication *m = find(p, packet->identifier);

    if (!m)
        return; /* an answer to a PUBREC of nothing */
    if (m->qos != 2 || m->ended)
        violation(p, "PUBREL %u of nothing", packet->identifier);
    if (m->sent == SENT_NOT)
        violation(p, "PUBREL %u and no PUBLISH before", packet->identifier);
    m->released = true;
}

static void request_left(struct player *p, const struct packet *packet)
{
    if (p->by_identifier[packet->identifier])
        violation(p, "a request with identifier %u, which is in use",
                  packet->identifier);
    if (packet->identifier != p->request_answered)
        p->request_identifier = packet->identifier;
    p->request_answered = 0;
}

static void trace_left(struct player *p, const struct packet *packet)
{
    static const char *const names[] = {
        "",        "CONNECT", "",           "PUBLISH", "PUBACK",      "PUBREC",
        "PUBREL",  "PUBCOMP", "SUBSCRIBE",  "",        "UNSUBSCRIBE", "",
        "PINGREQ", "",        "DISCONNECT", "AUTH"};

    if (packet->type == PUBLISH)
        say(p, "> PUBLISH q%u%s id %u \"%.*s\" %u bytes", packet->qos,
            packet->first & 8 ? " dup" : "", packet->identifier,
            (int)packet->topic.size, (const char *)packet->topic.at,
            (unsigned)packet->size);
    else
        say(p, "> %s id %u code %02x", names[packet->type], packet->identifier,
            packet->code);
}

static void left(struct player *p, const uint8_t *bytes, uint32_t size)
{
    static struct packet packet; /* large */
    const char *why =
        packet_decode(&packet, p->tap_connect ? p->tap_level : 0, bytes, size);

    if (why)
        violation(p, "sent: %s", why);
    if (p->world->failed)
        return;
    if (p->world->tracing)
        trace_left(p, &packet);
    if ((packet.type == CONNECT) == p->tap_connect)
        violation(p, "CONNECT is not the first packet, or came twice");
    if (p->tap_disconnect)
        violation(p, "a packet after DISCONNECT");
    persist_left(p, &packet);
    switch (packet.type) {
    case CONNECT:
        configured_check(p, &packet);
        p->tap_connect = true;
        p->tap_receive =
            (uint16_t)(has(&packet.properties, RECEIVE_MAXIMUM)
                           ? packet.properties.number[RECEIVE_MAXIMUM]
                           : UINT16_MAX);
        p->tap_level = packet.level;
        p->tap_five = packet.level == 5;
        break;
    case PUBLISH:
        publish_left(p, &packet);
        break;
    case PUBREL:
        pubrel_left(p, &packet);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        request_left(p, &packet);
        break;
    case DISCONNECT:
        p->tap_disconnect = true;
        p->tap_code = packet.code;
        break;
    default:
        break;
    }
}

static uint32_t left_all(struct player *p, const uint8_t *bytes, uint32_t size)
{
    uint32_t at = 0, header, packet;

    while (at < size && !p->world->failed) {
        packet = packet_measure(bytes + at, size - at, &header);
        if (packet == UINT32_MAX)
            violation(p, "sent: remaining length of five bytes");
        if (!packet || packet > size - at)
            break;
        left(p, bytes + at, packet);
        at += packet;
    }
    return at;
}

void ledger_sent(struct player *p, const uint8_t *bytes, uint32_t size)
{
    uint32_t taken = 0;

    if (!row_size(&p->tap))
        taken = left_all(p, bytes, size);
    if (taken == size || p->world->failed)
        return;
    row_append(&p->tap, bytes + taken, size - taken);
    taken = left_all(p, p->tap.bytes + p->tap.begin, row_size(&p->tap));
    row_drop(&p->tap, taken);
}

/* -- the whole --------------------------------------------------------------------------------------- */

/* What the client says is unfinished, is; and nothing more. */
void ledger_scan(struct player *p)
{
    struct mqtt_outstanding it = {0};
    uint32_t count = 0;

    rules_states(p);
    if (p->open_count > 8 && !one_in(&p->dice, 8))
        return;
    while (mqtt_client_next_outstanding(&p->client, &it)) {
        const struct publication *m = find(p, it.packet_identifier);

        count++;
        if (!m || m->ended || m->qos != it.qos)
            violation(p, "outstanding %u is not", it.packet_identifier);
        else if (m->sent == SENT_YES && !it.sent && !may_be_anew(p))
            violation(p, "outstanding %u was sent", it.packet_identifier);
        else if (m->released && !it.released)
            violation(p, "outstanding %u was released", it.packet_identifier);
        if (p->world->failed)
            return;
    }
    if (count > p->open_count)
        violation(p, "%u outstanding, %u open", count, p->open_count);
    if (p->lost_check)
        for (uint32_t i = 0; i < p->publication_count; i++)
            if (publication_at(p, i)->lost_due && !publication_at(p, i)->ended)
                violation(p, "publication %u: its loss was not told", i);
    p->lost_check = false;
}
