/*
 * calls.c - requests, bytes both ways, time, and cuts, in any order.
 *
 * An input is two bytes that choose a configuration (peer.h), and steps: a byte
 * that chooses one, and what it needs. The server answers well, or sends bytes
 * of the input. In the end it is a good one, and every publish that was
 * accepted has ended once.
 */
#include "peer.h"

enum { ANSWER_SIZE = 64, TOPICS = 4 };

static const char *const topics[TOPICS] = {"a", "a/b", "b", "c/+"};

/* Properties of a PUBLISH: none, an expiry, a user property, a bad one. */
static const struct {
    uint8_t size, bytes[8];
} properties[] = {
    {0, {0}},
    {5, {0x02, 0, 0, 0, 1}},
    {7, {0x26, 0, 1, 'a', 0, 1, 'b'}},
    {3, {0x23, 0, 1}},
};

static struct mqtt_span property_span(unsigned choice)
{
    return (struct mqtt_span){properties[choice & 3].bytes,
                              properties[choice & 3].size};
}

/* ---- what the application does ------------------------------------------------ */

/* What can be seen from outside, which a refusal does not change. */
struct view {
    mqtt_time deadline;
    enum mqtt_want want;
    enum mqtt_client_state state;
    unsigned outstanding;
};

static struct view view(const struct peer *p)
{
    struct mqtt_outstanding it;
    struct view v;

    memset(&it, 0, sizeof(it));
    v.deadline = mqtt_client_deadline(&p->client);
    v.want = mqtt_client_wants(&p->client);
    v.state = mqtt_client_state(&p->client);
    for (v.outstanding = 0; mqtt_client_next_outstanding(&p->client, &it);)
        v.outstanding++;
    return v;
}

static void unchanged(const struct peer *p, struct view before)
{
    struct view now = view(p);

    require(now.deadline == before.deadline && now.want == before.want);
    require(now.state == before.state && now.outstanding == before.outstanding);
}

static void publish(struct peer *p, struct fuzz_input *in)
{
    static const uint8_t payload[256];
    unsigned how = fuzz_byte(in), more = fuzz_byte(in);
    struct mqtt_message message = {
        .topic_name = mqtt_text(topics[how & 3]),
        .payload = {payload, more},
        .qos = (enum mqtt_qos)(how >> 2 & 3),
        .retain = how & 0x10,
        .properties = property_span(how >> 5),
    };
    struct view before = view(p);

    if (peer_publish(p, &message, how & 0x80))
        unchanged(p, before);
}

static void settle(struct peer *p, struct fuzz_input *in)
{
    unsigned choice = fuzz_byte(in);
    uint32_t handle = choice;
    enum mqtt_error error;

    if (p->handle_count)
        handle = p->handles[choice % p->handle_count];
    error = mqtt_settle(&p->client, handle, choice & 0x80 ? 0x87 : 0);
    require(error == MQTT_OK || error == MQTT_ERR_HANDLE ||
            error == MQTT_ERR_PROTOCOL_VERSION);
    if (p->handle_count && !error) {
        p->handles[choice % p->handle_count] = p->handles[p->handle_count - 1];
        p->handle_count--;
        require(mqtt_settle(&p->client, handle, 0) == MQTT_ERR_HANDLE);
    }
}

static void disconnect(struct peer *p, struct fuzz_input *in)
{
    struct mqtt_disconnect_options options = {0};
    unsigned how = fuzz_byte(in);
    struct view before = view(p);
    enum mqtt_error error;

    options.reason_code = how & 1 ? (uint8_t)(how >> 1) : 0;
    options.properties = how & 4 ? property_span(how >> 3) : property_span(0);
    error = mqtt_disconnect_with(&p->client, how & 2 ? 100 : 0, &options);
    if (error)
        unchanged(p, before);
}

static void authenticate(struct peer *p, struct fuzz_input *in)
{
    struct view before = view(p);

    if (mqtt_authenticate(&p->client, mqtt_text("data"),
                          property_span(fuzz_byte(in))))
        unchanged(p, before);
}

/* ---- time -------------------------------------------------------------------------- */

static void tick(struct peer *p, struct fuzz_input *in)
{
    unsigned how = fuzz_byte(in);
    mqtt_time deadline = mqtt_client_deadline(&p->client);

    if (how & 1)
        p->now += how * 32u;
    else if (deadline != MQTT_NEVER && deadline > p->now)
        p->now = deadline;
    mqtt_client_tick(&p->client, p->now);
}

/* ---- what the server does ------------------------------------------------------------ */

/* Bytes that the client has not taken yet are lost with the rest of them. */
static void give(struct peer *p, const uint8_t *bytes, size_t size, bool lend)
{
    uint8_t lent[16];

    for (unsigned i = 0; size && i < 100; i++) {
        size_t n = peer_input(p, bytes, size, lend ? lent : NULL, sizeof(lent));

        bytes += n;
        size -= n;
        if (!n || lend)
            peer_next(p);
        if (lend)
            mqtt_client_input_keep(&p->client);
    }
}

static void raw(struct peer *p, struct fuzz_input *in)
{
    size_t size = fuzz_byte(in) & 31;
    const uint8_t *bytes = in->at;

    if (size > fuzz_left(in))
        size = fuzz_left(in);
    in->at += size;
    give(p, bytes, size, size & 1);
}

static void answer(struct peer *p)
{
    uint8_t bytes[ANSWER_SIZE];
    const struct peer_packet *packet = peer_sent(p);

    if (packet && p->open)
        give(p, bytes, peer_answer(p, packet, bytes, sizeof(bytes)), false);
}

static void server_publishes(struct peer *p, struct fuzz_input *in)
{
    uint8_t bytes[ANSWER_SIZE] = {0x30, 0, 0, 1, 'a'};
    unsigned how = fuzz_byte(in), qos = how & 3;
    size_t size = 5;

    bytes[0] = (uint8_t)(0x30 | qos << 1 | (how & 4 ? 8 : 0));
    if (qos) {
        bytes[size++] = 0;
        bytes[size++] = (uint8_t)(how >> 5);
    }
    if (p->level == 5)
        bytes[size++] = 0;
    size += (how >> 3 & 3) * 14;
    bytes[1] = (uint8_t)(size - 2);
    give(p, bytes, size, false);
}

/* PUBREL, or an acknowledgement, perhaps of nothing. */
static void server_acknowledges(struct peer *p, struct fuzz_input *in)
{
    static const uint8_t firsts[] = {0x40, 0x50, 0x62, 0x70};
    unsigned how = fuzz_byte(in);
    uint8_t code = how & 0x40 ? 0x92 : 0x80;
    uint8_t bytes[] = {firsts[how & 3], 2, 0, (uint8_t)(how >> 2 & 15), code};

    bytes[1] = p->level == 5 && how & 0x80 ? 3 : 2;
    give(p, bytes, 2u + bytes[1], false);
}

/* CONNACK with limits that nobody expects. */
static void server_limits(struct peer *p, struct fuzz_input *in)
{
    unsigned how = fuzz_byte(in);
    uint8_t bytes[] = {0x20,
                       0,
                       (uint8_t)(how & 1),
                       0,
                       0,
                       0x27,
                       0,
                       0,
                       0,
                       fuzz_byte(in),
                       0x21,
                       0,
                       fuzz_byte(in),
                       0x22,
                       0,
                       2,
                       0x24,
                       how >> 1 & 1,
                       0x25,
                       how >> 2 & 1,
                       0x28,
                       how >> 3 & 1,
                       0x13,
                       0,
                       fuzz_byte(in)};

    if (p->level == 4) {
        uint8_t plain[] = {0x20, 2, (uint8_t)(how & 1), 0};

        give(p, plain, sizeof(plain), false);
        return;
    }
    bytes[1] = sizeof(bytes) - 2;
    bytes[4] = sizeof(bytes) - 5;
    give(p, bytes, sizeof(bytes), false);
}

/* ---- steps ------------------------------------------------------------------------------ */

/* As a driver takes it, again as long as the deadline is now: it comes to
 * rest. */
static void turn(struct peer *p)
{
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

static void step(struct peer *p, struct fuzz_input *in)
{
    unsigned choice = fuzz_byte(in);

    switch (choice & 31) {
    case 0:
    case 1:
        publish(p, in);
        break;
    case 2:
        mqtt_connect(&p->client);
        break;
    case 3:
        peer_subscribe(p, (choice >> 5) % PEER_NODES);
        break;
    case 4:
        peer_unsubscribe(p, (choice >> 5) % PEER_NODES);
        break;
    case 5:
        disconnect(p, in);
        break;
    case 6:
        authenticate(p, in);
        break;
    case 7:
        settle(p, in);
        break;
    case 8:
        mqtt_refuse_rest(&p->client, (uint8_t)(0x80 | choice >> 5));
        break;
    case 9:
        tick(p, in);
        break;
    case 10:
        peer_serve_wants(p);
        break;
    case 11:
        peer_closed(p, choice & 0x20 ? MQTT_ERR_NETWORK : MQTT_ERR_CLOSED);
        break;
    case 12:
        raw(p, in);
        break;
    case 13:
    case 14:
    case 15:
        answer(p);
        break;
    case 16:
        server_publishes(p, in);
        break;
    case 17:
        server_acknowledges(p, in);
        break;
    case 18:
        server_limits(p, in);
        break;
    case 19:
        peer_next(p);
        break;
    case 20:
        peer_dispatch(p);
        break;
    case 21:
        if (!p->offer && p->sent_count < PEER_SENT / 2)
            peer_offer(p);
        break;
    case 22:
        if (p->sent_count < PEER_SENT / 2)
            peer_take(p, fuzz_byte(in) & 31);
        break;
    case 23:
    case 24:
        if (p->sent_count < PEER_SENT / 2)
            peer_drain(p);
        break;
    case 25:
        p->offer = NULL;
        turn(p);
        break;
    case 26:
        mqtt_client_input_keep(&p->client);
        break;
    case 27:
        peer_settle_all(p);
        break;
    default:
        while (peer_next(p))
            ;
    }
}

/* ---- the good end ------------------------------------------------------------------------- */

static bool all_ended(const struct peer *p)
{
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (p->open_publishes[i])
            return false;
    return true;
}

static void good_turn(struct peer *p)
{
    mqtt_time deadline;

    turn(p);
    while (p->sent_count && p->open) {
        answer(p);
        turn(p);
    }
    while (peer_sent(p))
        ;
    peer_settle_all(p);
    turn(p);
    deadline = mqtt_client_deadline(&p->client);
    if (deadline != MQTT_NEVER && deadline > p->now)
        p->now = deadline;
    mqtt_client_tick(&p->client, p->now);
}

static void conclude(struct peer *p)
{
    if (p->open)
        peer_closed(p, MQTT_ERR_CLOSED);
    for (unsigned i = 0; !(p->connected && p->open && all_ended(p)); i++) {
        require(i < 300);
        if (mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED)
            require(mqtt_connect(&p->client) == MQTT_OK);
        else
            mqtt_connect(&p->client); /* takes a disconnect back */
        good_turn(p);
    }
    for (unsigned i = 0; i < PEER_NODES; i++)
        require(!p->leaving[i]);
    mqtt_client_tick(&p->client, p->now);
    if (!p->connected)
        return;
    require(mqtt_disconnect(&p->client, 1000) == MQTT_OK);
    for (unsigned i = 0; p->connected; i++) {
        require(i < 300);
        good_turn(p);
    }
    require(mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED);
    require(mqtt_client_deadline(&p->client) == MQTT_NEVER);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    struct fuzz_input in = {bytes, bytes + size};
    static struct peer p;

    peer_begin(&p, fuzz_u16(&in));
    while (fuzz_left(&in))
        step(&p, &in);
    p.offer = NULL;
    conclude(&p);
    peer_end(&p);
}
