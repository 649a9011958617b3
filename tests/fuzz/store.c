/*
 * store.c - a session that is read from records of any kind.
 *
 * An input is two bytes that choose a configuration (peer.h), a number of
 * records, those (see read_record()), and steps: a byte that chooses one, and
 * what it needs. The client is created from the records. They are what it may
 * have written, just if it takes them; then it is led through connections, cuts,
 * kills and a store that is slow or fails, in which its promises hold. Otherwise
 * it says why, and has changed nothing.
 */
#include "peer.h"
#include "records.h"
#include "reference.h"

enum { INCOMING = 2 }; /* packet identifiers that the server uses: 1, 2 */

/* What the server holds of a message of QoS 2 that it sends. */
enum incoming { FREE, PUBLISHED, RELEASED };

struct world {
    struct peer peer;
    struct records records;
    unsigned options;
    bool session_present;    /* what the next CONNACK says */
    bool stored[PEER_SLOTS]; /* as open_publishes: it was told */
    bool pubrel_sent[PEER_SLOTS];
    enum incoming incoming[INCOMING];
    bool sent_here[INCOMING]; /* on this connection */
    uint64_t lost;            /* records up to here are of a lost session */
};

/* ---- what a store may hold -------------------------------------------------------- */

/* [kind, bits] [identifier, one byte or two] [size] [content] */
static void read_record(struct fuzz_input *in, struct record_list *list)
{
    struct record *record = &list->of[list->count];
    uint64_t before = list->count ? record[-1].order : 0;
    const uint64_t orders[] = {before + 1, before, before - 1, UINT64_MAX};
    unsigned how = fuzz_byte(in);

    record->kind = how & 7;
    record->order = orders[how >> 3 & 3];
    record->identifier = how & 0x80 ? fuzz_u16(in) : fuzz_byte(in);
    record->size = fuzz_byte(in);
    if (record->size > fuzz_left(in))
        record->size = (uint16_t)fuzz_left(in);
    memcpy(record->bytes, in->at, record->size);
    in->at += record->size;
    list->count++;
}

static unsigned level_of(const struct records *r)
{
    const struct record *session = records_find(r, MQTT_RECORD_SESSION, 0);

    return session && session->size ? session->bytes[0] : 0;
}

static bool has_property(const uint8_t *at, size_t size, uint8_t identifier)
{
    for (size_t n; size; at += n, size -= n) {
        if (*at == identifier)
            return true;
        n = reference_property(at, size);
    }
    return false;
}

/* No Topic Alias stands in a record, nor a Subscription Identifier, and a
 * Message Expiry Interval comes first. */
static bool properties_valid(const uint8_t *at, size_t size)
{
    uint32_t length = 0;
    int n = reference_length(at, size, &length);

    return (n == 1 || at[n - 1]) && !has_property(at + n, length, 0x23) &&
           !has_property(at + n, length, 0x0b) &&
           (!has_property(at + n, length, 2) || at[n] == 2);
}

/* Four bytes of a clock, and a PUBLISH as it may be sent. */
static bool publish_valid(const struct record *record, unsigned level)
{
    const uint8_t *image = record->bytes + 4;
    size_t size = record->size, topic, head;
    uint32_t length;
    int n;

    if (size < 5 || image[0] >> 4 != 3)
        return false;
    size -= 4;
    n = reference_length(image + 1, size - 1, &length);
    if (n <= 0 || size != 1 + (size_t)n + length || length < 4 ||
        (n > 1 && !image[n]))
        return false;
    if (!(image[0] & 6) || (image[0] & 6) == 6)
        return false;
    head = 1 + (size_t)n;
    topic = (size_t)(image[head] << 8 | image[head + 1]);
    if (!topic || !reference_packet(level, image[0], image + head, length))
        return false;
    head += 2 + topic;
    if ((image[head] << 8 | image[head + 1]) != record->identifier)
        return false;
    head += 2;
    return level == 4 || properties_valid(image + head, size - head);
}

/* In the second byte of the record of a session that this side has ended. */
#define SESSION_ENDED 2

static bool record_valid(const struct record *record, unsigned level)
{
    switch (record->kind) {
    case MQTT_RECORD_PUBLISH:
        return record->identifier && publish_valid(record, level);
    case MQTT_RECORD_PUBREL:
        return record->identifier && record->size <= 1;
    case MQTT_RECORD_RECEIVED:
        return record->identifier && !record->size;
    case MQTT_RECORD_SESSION:
        return !record->identifier && record->size >= 2 &&
               record->bytes[1] <= SESSION_ENDED &&
               reference_text(record->bytes + 2, record->size - 2u);
    default:
        return false;
    }
}

/* Whether an earlier one has its place. */
static bool doubled(const struct record_list *list, unsigned i)
{
    unsigned kind = list->of[i].kind;

    for (unsigned j = 0; j < i; j++) {
        unsigned other = list->of[j].kind;

        if (list->of[j].identifier == list->of[i].identifier &&
            (kind == other || kind + other == 3)) /* PUBLISH and PUBREL */
            return true;
    }
    return false;
}

/* Then nothing of it was sent, and a server that has it is refused, which this
 * world does not follow: the simulator does. */
static bool session_ended(const struct record_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->of[i].kind == MQTT_RECORD_SESSION &&
            list->of[i].bytes[1] == SESSION_ENDED)
            return true;
    return false;
}

/* Whether a client can have written all of it. */
static bool all_valid(const struct records *r)
{
    const struct record_list *list = &r->durable;
    unsigned level = level_of(r);

    if (list->count && level != 4 && level != 5)
        return false;
    for (unsigned i = 0; i < list->count; i++) {
        uint64_t order = list->of[i].order;

        if (order == UINT64_MAX || order <= (i ? list->of[i - 1].order : 0) ||
            doubled(list, i) || !record_valid(&list->of[i], level))
            return false;
    }
    return true;
}

/* ---- what holds ------------------------------------------------------------------- */

static unsigned place_of(const struct peer *p, uint16_t identifier)
{
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (p->open_publishes[i] == identifier)
            return i;
    never("a packet or an event is of a message that is not open");
}

/* Whether it was settled in this session: it is not given again. */
static bool settled(const struct world *w, uint16_t identifier)
{
    const struct record *record =
        records_find(&w->records, MQTT_RECORD_RECEIVED, identifier);

    return record && record->order > w->lost;
}

static void told(struct peer *p, const struct mqtt_event *event)
{
    struct world *w = p->context;
    const uint8_t *payload = event->message.payload.data;

    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (!p->open_publishes[i])
            w->stored[i] = w->pubrel_sent[i] = false;
    if (event->type == MQTT_EVENT_STORED) {
        unsigned i = place_of(p, event->packet_identifier);

        require(!w->stored[i]);
        w->stored[i] = true;
    }
    if (event->type == MQTT_EVENT_MESSAGE && event->message.qos == MQTT_QOS_2)
        require(!settled(w, payload[0]));
}

/* A QoS 2 message of the server goes its way. */
static void acknowledged(struct world *w, unsigned type, unsigned identifier)
{
    enum incoming *state = &w->incoming[(identifier - 1) % INCOMING];

    if (identifier < 1 || identifier > INCOMING)
        return;
    if (type == 5 && *state == PUBLISHED)
        *state = RELEASED;
    if (type == 7)
        *state = FREE;
    w->sent_here[identifier - 1] = false;
}

/* Nothing leaves before what it depends on is durable. */
static void left(struct peer *p, const struct peer_packet *packet)
{
    struct world *w = p->context;
    const uint8_t *at = packet->bytes + packet->header;
    unsigned type = packet->bytes[0] >> 4, kind = MQTT_RECORD_PUBLISH;
    uint16_t identifier;

    if (type < 3 || type > 7)
        return;
    require(packet->size <= sizeof(packet->bytes));
    require(reference_packet(p->level, packet->bytes[0], at,
                             packet->size - packet->header));
    if (type == 3 && !(packet->bytes[0] & 6))
        return;
    if (type == 3)
        at += 2 + (at[0] << 8 | at[1]);
    identifier = (uint16_t)(at[0] << 8 | at[1]);
    if (type == 3 || type == 6) {
        unsigned i = place_of(p, identifier);

        kind = type == 3 ? MQTT_RECORD_PUBLISH : MQTT_RECORD_PUBREL;
        require(records_find(&w->records, kind, identifier));
        require(type == 6 || !w->pubrel_sent[i]);
        w->pubrel_sent[i] = type == 6;
        return;
    }
    if (type == 5 || type == 7)
        require(!records_find(&w->records, MQTT_RECORD_RECEIVED, identifier) ==
                (type == 7));
    acknowledged(w, type, identifier);
}

/* What is outstanding is what the store holds. */
static void check_outstanding(const struct world *w)
{
    struct mqtt_outstanding it = {0};
    unsigned count = 0;

    for (unsigned i = 0; i < w->records.durable.count; i++)
        count += w->records.durable.of[i].kind <= MQTT_RECORD_PUBREL;
    while (mqtt_client_next_outstanding(&w->peer.client, &it)) {
        require(count--);
        require(records_find(
            &w->records, it.released ? MQTT_RECORD_PUBREL : MQTT_RECORD_PUBLISH,
            it.packet_identifier));
    }
    require(!count);
}

/* ---- a process -------------------------------------------------------------------- */

static void hook(struct world *w)
{
    w->peer.context = w;
    w->peer.told = told;
    w->peer.left = left;
}

/* What it finds in the store is its own. */
static void take_over(struct world *w)
{
    unsigned count = 0;

    for (unsigned i = 0; i < w->records.durable.count; i++) {
        const struct record *record = &w->records.durable.of[i];

        if (record->kind > MQTT_RECORD_PUBREL)
            continue;
        require(count < PEER_SLOTS);
        w->stored[count] = true;
        w->pubrel_sent[count] = false;
        w->peer.open_publishes[count++] = record->identifier;
    }
    check_outstanding(w);
    hook(w);
    mqtt_client_tick(&w->peer.client, w->peer.now);
}

static void restart(struct world *w)
{
    struct peer *p = &w->peer;

    /* What was said to be stored is, unless its end was told. */
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (p->open_publishes[i] && w->stored[i])
            require(records_find(&w->records, MQTT_RECORD_PUBLISH,
                                 p->open_publishes[i]) ||
                    records_find(&w->records, MQTT_RECORD_PUBREL,
                                 p->open_publishes[i]));
    peer_kill(p);
    records_kill(&w->records);
    memset(w->stored, 0, sizeof(w->stored));
    memset(w->pubrel_sent, 0, sizeof(w->pubrel_sent));
    require(peer_start(p, w->options, &w->records.store) == MQTT_OK);
    if (w->lost > w->records.order)
        w->lost = w->records.order;
    take_over(w);
}

/* ---- the server ------------------------------------------------------------------- */

static void give(struct peer *p, const uint8_t *bytes, size_t size)
{
    for (unsigned i = 0; size && p->open && i < 100; i++) {
        size_t n = peer_input(p, bytes, size, NULL, 0);

        bytes += n;
        size -= n;
        if (!n)
            peer_next(p);
    }
}

static void connack(struct world *w)
{
    struct peer *p = &w->peer;
    const uint8_t bytes[] = {0x20, p->level == 5 ? 3 : 2, w->session_present, 0,
                             0};

    if (!w->session_present) {
        memset(w->incoming, 0, sizeof(w->incoming));
        w->lost = w->records.order;
    }
    memset(w->sent_here, 0, sizeof(w->sent_here));
    give(p, bytes, 2u + bytes[1]);
}

/* An answer to the next packet of the client. */
static void answer(struct world *w)
{
    struct peer *p = &w->peer;
    const struct peer_packet *packet = p->open ? peer_sent(p) : NULL;
    uint8_t bytes[8] = {0, 2};
    const uint8_t *at;
    unsigned type, flags;

    if (!packet)
        return;
    at = packet->bytes + packet->header;
    type = packet->bytes[0] >> 4;
    flags = packet->bytes[0] & 6;
    if (type == 3)
        at += 2 + (at[0] << 8 | at[1]);
    bytes[0] = type == 3 ? (flags == 2 ? 0x40 : 0x50) : type == 6 ? 0x70 : 0;
    bytes[2] = at[0];
    bytes[3] = at[1];
    if (type == 1)
        connack(w);
    else if (type == 12)
        give(p, (const uint8_t[]){0xd0, 0}, 2);
    else if (type == 6 || (type == 3 && flags))
        give(p, bytes, 4);
}

/* The next step of an exchange that the server has begun, or begins. */
static void server_step(struct world *w, unsigned i)
{
    struct peer *p = &w->peer;
    uint8_t publish[] = {0x34, 6, 0, 1, 'a', 0, (uint8_t)(i + 1), 0, 0};
    uint8_t pubrel[] = {0x62, 2, 0, (uint8_t)(i + 1)};
    bool five = p->level == 5;

    if (!p->connected || !p->open || w->sent_here[i])
        return;
    w->sent_here[i] = true;
    if (w->incoming[i] == RELEASED) {
        give(p, pubrel, sizeof(pubrel));
        return;
    }
    if (w->incoming[i] == PUBLISHED)
        publish[0] |= 8;
    w->incoming[i] = PUBLISHED;
    publish[1] = (uint8_t)(five ? 7 : 6);
    publish[five ? 8 : 7] = (uint8_t)(i + 1);
    give(p, publish, 2u + publish[1]);
}

/* ---- steps ------------------------------------------------------------------------- */

static void turn(struct world *w)
{
    struct peer *p = &w->peer;
    bool any = true;

    for (unsigned i = 0; any; i++) {
        require(i < 100);
        mqtt_client_tick(&p->client, p->now);
        any = peer_serve_wants(p);
        while (peer_next(p))
            any = true;
        if (p->sent_count < PEER_SENT / 2)
            any |= peer_drain(p);
        any |= mqtt_client_deadline(&p->client) <= p->now;
    }
}

static void publish(struct world *w, unsigned how)
{
    static const uint8_t payload[80], expiry[] = {2, 0, 0, 0, 1};
    struct mqtt_message message = {
        .topic_name = mqtt_text("a/b"),
        .payload = {payload, how >> 3 & 0x18},
        .qos = (enum mqtt_qos)(how >> 5 & 3),
    };

    if (message.qos > MQTT_QOS_2)
        message.qos = MQTT_QOS_0;
    if (how & 0x80 && w->peer.five)
        message.properties = (struct mqtt_span){expiry, sizeof(expiry)};
    peer_publish(&w->peer, &message, false);
}

static void tick(struct peer *p, unsigned how)
{
    mqtt_time deadline = mqtt_client_deadline(&p->client);

    if (how & 1)
        p->now += how * 32u;
    else if (deadline != MQTT_NEVER && deadline > p->now)
        p->now = deadline;
    mqtt_client_tick(&p->client, p->now);
}

static void step(struct world *w, unsigned choice)
{
    struct peer *p = &w->peer;

    if (p->handle_count > PEER_HANDLES / 2)
        peer_settle_all(p);
    switch (choice & 15) {
    case 0:
        publish(w, choice);
        break;
    case 1:
        mqtt_connect(&p->client);
        break;
    case 2:
    case 3:
        turn(w);
        break;
    case 4:
    case 5:
        answer(w);
        break;
    case 6:
        server_step(w, choice >> 4 & 1);
        break;
    case 7:
        restart(w);
        break;
    case 8:
        records_done(&w->records, choice & 0x10 ? MQTT_ERR_STORE : MQTT_OK);
        break;
    case 9:
        w->records.later = choice & 0x10;
        break;
    case 10:
        w->records.fail_in = choice >> 4;
        break;
    case 11:
        if (p->open)
            peer_closed(p, MQTT_ERR_NETWORK);
        break;
    case 12:
        tick(p, choice >> 4);
        break;
    case 13:
        w->session_present = choice & 0x10;
        break;
    case 14:
        if (p->sent_count < PEER_SENT / 2 && p->open) {
            peer_offer(p);
            peer_take(p, choice >> 4);
        }
        break;
    default:
        peer_settle_all(p);
    }
}

/* ---- the good end ------------------------------------------------------------------ */

static bool all_ended(const struct world *w)
{
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (w->peer.open_publishes[i])
            return false;
    for (unsigned i = 0; i < INCOMING; i++)
        if (w->incoming[i] != FREE)
            return false;
    return true;
}

static void good_turn(struct world *w)
{
    struct peer *p = &w->peer;

    turn(w);
    while (p->sent_count && p->open) {
        answer(w);
        turn(w);
    }
    for (unsigned i = 0; i < INCOMING; i++)
        if (w->incoming[i] != FREE)
            server_step(w, i);
    turn(w);
    peer_settle_all(p);
    turn(w);
    if (!p->open || !p->connected)
        tick(p, 0);
}

/* Every message ends once, and then the store holds none. */
static void conclude(struct world *w)
{
    struct peer *p = &w->peer;

    w->records.later = false;
    w->records.fail_in = 0;
    records_done(&w->records, MQTT_OK);
    if (p->open)
        peer_closed(p, MQTT_ERR_CLOSED);
    for (unsigned i = 0; !(p->connected && p->open && all_ended(w)); i++) {
        require(i < 300);
        mqtt_connect(&p->client);
        good_turn(w);
    }
    turn(w);
    for (unsigned i = 0; i < w->records.durable.count; i++)
        require(w->records.durable.of[i].kind > MQTT_RECORD_PUBREL);
    restart(w);
}

static void refused(struct world *w, enum mqtt_error error)
{
    peer_kill(&w->peer);
    require(error == MQTT_ERR_STORE || error == MQTT_ERR_MEMORY ||
            error == MQTT_ERR_PROTOCOL_VERSION);
    require(!w->records.calls);
    if (all_valid(&w->records))
        require(error != MQTT_ERR_STORE);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    struct fuzz_input in = {bytes, bytes + size};
    static struct world w;
    enum mqtt_error error;
    unsigned count;

    w.options = (fuzz_u16(&in) | PEER_LASTING) & ~(unsigned)PEER_METHOD;
    w.session_present = true;
    memset(w.stored, 0, sizeof(w.stored));
    memset(w.pubrel_sent, 0, sizeof(w.pubrel_sent));
    memset(w.incoming, 0, sizeof(w.incoming));
    memset(w.sent_here, 0, sizeof(w.sent_here));
    w.lost = 0;
    records_begin(&w.records);
    for (count = fuzz_byte(&in) % RECORDS_MAX; count && fuzz_left(&in); count--)
        read_record(&in, &w.records.durable);
    error = peer_start(&w.peer, w.options, &w.records.store);
    if (error) {
        refused(&w, error);
        return;
    }
    require(all_valid(&w.records));
    if (session_ended(&w.records.durable)) {
        peer_kill(&w.peer);
        return;
    }
    for (unsigned i = 0; i < INCOMING; i++)
        if (records_find(&w.records, MQTT_RECORD_RECEIVED, (uint16_t)(i + 1)))
            w.incoming[i] = PUBLISHED;
    take_over(&w);
    while (fuzz_left(&in))
        step(&w, fuzz_byte(&in));
    conclude(&w);
    peer_end(&w.peer);
}
