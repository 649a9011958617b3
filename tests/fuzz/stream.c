/*
 * stream.c - whatever a server sends, and however it is cut into pieces.
 *
 * An input is two bytes that choose a configuration (peer.h), one for the
 * situation of the client, one that says how to cut, and what the server sends.
 * It is sent whole, byte by byte, and in pieces through lent memory: the client
 * makes the same of it each time. After that it gets along with a good server.
 */
#include "peer.h"

/* ---- what came of it --------------------------------------------------------- */

enum { VERDICT_SIZE = 16384, SENT_MAX = 256 };

struct verdict {
    uint8_t bytes[VERDICT_SIZE];
    size_t size;
    /* What was sent, sorted: type, identifier, reason code. */
    uint32_t sent[SENT_MAX];
    size_t sent_count;
    enum mqtt_error error;
    uint8_t disconnect_code;
};

static struct verdict *verdict;
static size_t parts_left;

static void note(const void *bytes, size_t size)
{
    require(verdict->size + size <= sizeof(verdict->bytes));
    if (size)
        memcpy(verdict->bytes + verdict->size, bytes, size);
    verdict->size += size;
}

static void note_number(uint32_t number)
{
    note(&number, sizeof(number));
}

static void note_span(struct mqtt_span span)
{
    note_number((uint32_t)span.size);
    note(span.data, span.size);
}

/* The parts of a message are one message, however it came. */
static void note_message(const struct mqtt_message *m)
{
    if (!m->payload_offset) {
        require(!parts_left);
        note_span(m->topic_name);
        note_span(m->properties);
        note_number((uint32_t)m->qos << 2 | (uint32_t)m->retain << 1 | m->dup);
        note_number(m->payload_size);
        parts_left = m->payload_size;
    }
    require(m->payload_offset == m->payload_size - parts_left);
    require(parts_left >= m->payload.size);
    note(m->payload.data, m->payload.size);
    parts_left -= m->payload.size;
    if (!parts_left)
        note_number(m->settle_handle);
}

static void note_event(struct peer *p, const struct mqtt_event *event)
{
    (void)p;
    if (event->type == MQTT_EVENT_MESSAGE) {
        if (!event->message.payload_offset)
            note_number(event->type);
        note_message(&event->message);
        return;
    }
    parts_left = 0;
    note_number(event->type);
    note_number((uint32_t)event->error);
    note_number(event->outcome);
    note_number(event->reason_code);
    note_number(event->session_present);
    note_number(event->packet_identifier);
    note_number(event->size);
    note_span(event->properties);
    note_number((uint32_t)event->retry_at);
    if (event->type == MQTT_EVENT_DISCONNECTED)
        verdict->error = event->error;
}

static void note_sent(struct peer *p)
{
    const struct peer_packet *packet;

    while ((packet = peer_sent(p)) != NULL) {
        const uint8_t *at = packet->bytes + packet->header;
        uint32_t what = (uint32_t)packet->bytes[0] << 24;
        size_t i = verdict->sent_count;

        if (packet->size >= packet->header + 2)
            what |= (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8;
        if (packet->size >= packet->header + 3)
            what |= at[2];
        require(i < SENT_MAX);
        /* In order; two PUBRELs of one message may have become one. */
        for (; i && verdict->sent[i - 1] > what; i--)
            verdict->sent[i] = verdict->sent[i - 1];
        verdict->sent[i] = what;
        verdict->sent_count++;
        if (packet->bytes[0] == 0x62 && i && verdict->sent[i - 1] == what) {
            verdict->sent_count--;
            for (; i < verdict->sent_count; i++)
                verdict->sent[i] = verdict->sent[i + 1];
        }
    }
}

/* ---- situations ---------------------------------------------------------------- */

enum situation {
    AWAIT_CONNACK,
    CONNECTED,
    SUBSCRIBE_OPEN,
    UNSUBSCRIBE_OPEN,
    QOS_1_OPEN,
    QOS_2_OPEN,
    RELEASED,
    QOS_2_RECEIVED,
    ENDING,
    ALL_OPEN,
    SITUATIONS
};

static void pull_all(struct peer *p)
{
    while (peer_next(p))
        peer_settle_all(p);
    peer_settle_all(p);
}

static void send_all(struct peer *p, const uint8_t *bytes, size_t size)
{
    while (size) {
        size_t n = peer_input(p, bytes, size, NULL, 0);

        require(n);
        pull_all(p);
        bytes += n;
        size -= n;
    }
}

/* A good server answers one packet. */
static void answer_next(struct peer *p)
{
    const struct peer_packet *packet;
    uint8_t answer[64];

    peer_drain(p);
    packet = peer_sent(p);
    require(packet);
    send_all(p, answer, peer_answer(p, packet, answer, sizeof(answer)));
}

static void publish(struct peer *p, enum mqtt_qos qos)
{
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("a/b"), .payload = MQTT_TEXT("xy"), .qos = qos};

    require(peer_publish(p, &message, false) == MQTT_OK);
}

static void receive_qos_2(struct peer *p)
{
    static const uint8_t publish_4[] = {0x34, 6, 0, 1, 'a', 0, 9, 'x'};
    static const uint8_t publish_5[] = {0x34, 7, 0, 1, 'a', 0, 9, 0, 'x'};

    if (p->level == 5)
        send_all(p, publish_5, sizeof(publish_5));
    else
        send_all(p, publish_4, sizeof(publish_4));
}

static void prepare(struct peer *p, enum situation situation)
{
    bool all = situation == ALL_OPEN;

    require(mqtt_connect(&p->client) == MQTT_OK);
    peer_opened(p);
    if (situation == AWAIT_CONNACK)
        return;
    answer_next(p);
    require(p->connected);
    if (situation == UNSUBSCRIBE_OPEN) {
        require(peer_subscribe(p, 0) == MQTT_OK);
        answer_next(p);
        require(peer_unsubscribe(p, 0) == MQTT_OK);
    }
    if (situation == SUBSCRIBE_OPEN || all)
        require(!peer_subscribe(p, 0) && !peer_subscribe(p, 1));
    if (situation == QOS_1_OPEN || situation == ENDING || all)
        publish(p, MQTT_QOS_1);
    if (situation == QOS_2_OPEN || situation == RELEASED || all)
        publish(p, MQTT_QOS_2);
    if (situation == QOS_2_RECEIVED || all)
        receive_qos_2(p);
    if (situation == RELEASED)
        answer_next(p);
    if (situation == ENDING)
        require(mqtt_disconnect(&p->client, 0) == MQTT_OK);
}

/* ---- a conversation -------------------------------------------------------------- */

enum cut { WHOLE, BYTES, PIECES };

struct plan {
    enum cut cut;
    uint32_t random;
};

static uint32_t random_next(struct plan *plan)
{
    plan->random = plan->random * 1664525u + 1013904223u;
    return plan->random >> 24;
}

static void answer_authentication(struct peer *p)
{
    if (p->event.type == MQTT_EVENT_AUTHENTICATION &&
        p->event.reason_code == 0x18)
        mqtt_authenticate(&p->client, mqtt_text("data"), mqtt_text(NULL));
}

/* Whether something happened. */
static bool turn(struct peer *p)
{
    bool any = false;

    while (peer_next(p)) {
        answer_authentication(p);
        peer_settle_all(p);
        any = true;
    }
    any |= peer_serve_wants(p);
    any |= peer_drain(p);
    note_sent(p);
    return any;
}

static size_t feed(struct peer *p, struct plan *plan, const uint8_t *bytes,
                   size_t size)
{
    uint8_t lent[24];
    uint32_t r = random_next(plan);
    bool lend = plan->cut == PIECES && r & 1;
    size_t n;

    if (plan->cut == BYTES)
        size = 1;
    else if (plan->cut == PIECES && size > 1 + (r >> 3))
        size = 1 + (r >> 3);
    n = peer_input(p, bytes, size, lend ? lent : NULL, sizeof(lent));
    while (lend && turn(p))
        ;
    if (lend)
        mqtt_client_input_keep(&p->client);
    memset(lent, 0xee, sizeof(lent));
    return n;
}

static void converse(struct peer *p, struct plan plan, const uint8_t *bytes,
                     size_t size)
{
    while (turn(p))
        ;
    while (size && p->open) {
        size_t n = feed(p, &plan, bytes, size);
        bool any = false;

        while (turn(p))
            any = true;
        require(n || any || !p->open);
        bytes += n;
        size -= n;
    }
    if (p->open)
        peer_closed(p, MQTT_ERR_CLOSED);
    while (turn(p) && mqtt_client_state(&p->client) <= MQTT_CLIENT_AWAIT_RETRY)
        ;
}

/* A good server: the client connects, and a message gets through. */
static void recover(struct peer *p)
{
    unsigned before = (unsigned)p->statistics.messages_acknowledged;
    const struct peer_packet *packet;

    p->told = NULL;
    for (unsigned i = 0; i < 200; i++) {
        mqtt_time deadline = mqtt_client_deadline(&p->client);
        bool published = p->statistics.messages_acknowledged > before;
        uint8_t answer[64];

        if (published)
            return;
        if (mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED)
            require(mqtt_connect(&p->client) == MQTT_OK);
        else if (!p->open && deadline != MQTT_NEVER && deadline > p->now)
            p->now = deadline;
        mqtt_client_tick(&p->client, p->now);
        if (p->connected && !p->open_publishes[0])
            publish(p, MQTT_QOS_1);
        peer_serve_wants(p);
        peer_drain(p);
        while (p->open && (packet = peer_sent(p)) != NULL)
            send_all(p, answer, peer_answer(p, packet, answer, sizeof(answer)));
        pull_all(p);
    }
    never("a client that does not recover");
}

static void hold(struct plan plan, unsigned options, enum situation situation,
                 const uint8_t *bytes, size_t size)
{
    static struct peer p;

    verdict->size = verdict->sent_count = 0;
    verdict->error = MQTT_OK;
    parts_left = 0;
    peer_begin(&p, options);
    p.told = note_event;
    prepare(&p, situation);
    converse(&p, plan, bytes, size);
    verdict->disconnect_code = p.seen_disconnect ? p.disconnect_code : 0xff;
    if (plan.cut == WHOLE)
        recover(&p);
    peer_end(&p);
}

static void compare(const struct verdict *a, const struct verdict *b)
{
    require(a->size == b->size);
    require(memcmp(a->bytes, b->bytes, a->size) == 0);
    require(a->disconnect_code == b->disconnect_code);
    /* What was owed when the connection ended may have left or not. */
    if (a->error != MQTT_ERR_CLOSED)
        return;
    require(a->sent_count == b->sent_count);
    require(memcmp(a->sent, b->sent, a->sent_count * sizeof(a->sent[0])) == 0);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    static struct verdict whole, other;
    unsigned options;
    enum situation situation;
    uint8_t seed;

    if (size < 4)
        return;
    options = (unsigned)(bytes[0] | bytes[1] << 8);
    situation = (enum situation)(bytes[2] % SITUATIONS);
    seed = bytes[3];
    verdict = &whole;
    hold((struct plan){WHOLE, 0}, options, situation, bytes + 4, size - 4);
    verdict = &other;
    hold((struct plan){BYTES, 0}, options, situation, bytes + 4, size - 4);
    compare(&whole, &other);
    hold((struct plan){PIECES, seed}, options, situation, bytes + 4, size - 4);
    compare(&whole, &other);
}
