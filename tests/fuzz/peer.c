#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- lent memory ------------------------------------------------------------ */

enum { FENCE = 16, FENCE_BYTE = 0xfc, FRESH_BYTE = 0xa5 };

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, size) __asan_poison_memory_region(at, size)
#define UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define POISON(at, size) ((void)(at), (void)(size))
#define UNPOISON(at, size) ((void)(at), (void)(size))
#endif

static void put_fence(struct peer *p)
{
    uint8_t *at = p->arena + p->arena_used;
    /* What is lent next begins aligned. */
    size_t size = FENCE + (16 - (p->arena_used & 15));

    require(p->arena_used + size <= sizeof(p->arena));
    memset(at, FENCE_BYTE, size);
    p->fences[p->fence_count].begin = at;
    p->fences[p->fence_count++].end = at + size;
    p->arena_used += size;
    POISON(at, size);
}

static void *lend(struct peer *p, size_t size)
{
    uint8_t *at = p->arena + p->arena_used;

    require(p->arena_used + size <= sizeof(p->arena));
    memset(at, FRESH_BYTE, size);
    p->arena_used += size;
    put_fence(p);
    return at;
}

static void look_at_fences(struct peer *p)
{
    for (size_t i = 0; i < p->fence_count; i++) {
        uint8_t *begin = p->fences[i].begin, *end = p->fences[i].end;

        UNPOISON(begin, (size_t)(end - begin));
        for (uint8_t *at = begin; at < end; at++)
            require(*at == FENCE_BYTE);
    }
    p->fence_count = 0;
}

/* ---- the configuration ------------------------------------------------------- */

/* With MQTTLOOP_FUZZ_TRACE set: what happens, on standard error. */
static void print_trace(void *context, const struct mqtt_trace *trace)
{
    char line[128];

    (void)context;
    mqtt_trace_format(trace, line, sizeof(line));
    fprintf(stderr, "%s\n", line);
}

static void print_log(void *context, const struct mqtt_log *log)
{
    (void)context;
    fprintf(stderr, "%s -> %s %d\n", mqtt_client_state_text(log->from),
            mqtt_client_state_text(log->to), log->error);
}

static uint32_t half(void *context)
{
    (void)context;
    return 0x80000000u;
}

static void lend_all(struct peer *p, unsigned options)
{
    static uint8_t bits[8192];
    struct mqtt_memory *m = &p->memory;
    bool small = options & PEER_SMALL;

    put_fence(p);
    m->outbox_size = small ? 97 : 400;
    m->outbox = lend(p, m->outbox_size);
    m->slot_count = PEER_SLOTS;
    m->slots = lend(p, PEER_SLOTS * sizeof(*m->slots));
    m->control_size = small ? 72 : 200;
    m->control = lend(p, m->control_size);
    m->input_size = small ? 33 : 150;
    m->input = lend(p, m->input_size);
    m->received_count = small ? 2 : 5;
    m->received_list = lend(p, m->received_count * sizeof(uint16_t));
    if (options & PEER_BITS) {
        memset(bits, 0, sizeof(bits));
        m->received_bits = bits;
    }
    m->unsettled_count = 3;
    m->unsettled = lend(p, 3 * sizeof(*m->unsettled));
    m->released_count = 2;
    m->released = lend(p, 2 * sizeof(*m->released));
    if (!(options & PEER_ALIASES))
        return;
    m->alias_topic_count = 2;
    m->alias_topics = lend(p, 2 * sizeof(*m->alias_topics));
    m->alias_name_count = 3;
    m->alias_names_size = 40;
    m->alias_names = lend(p, m->alias_names_size);
    m->identifier_size = 8;
    m->identifier = lend(p, m->identifier_size);
}

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context);
static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context);

static void configure(struct peer *p, unsigned options)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};
    struct mqtt_config *c = &p->config;

    p->five = options & PEER_FIVE;
    c->protocol = p->five ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    if (p->five && options & PEER_FALLBACK)
        c->fallback = &mqtt_protocol_3_1_1;
    c->drop_unsupported = options & PEER_FALLBACK;
    if (p->five && options & PEER_METHOD && !c->fallback)
        c->connect.properties = (struct mqtt_span){method, sizeof(method)};
    c->connect.client_identifier = mqtt_text("id");
    c->connect.clean_start = !(options & PEER_LASTING);
    c->settle = options & PEER_BY_CALL ? MQTT_SETTLE_BY_CALL
                                       : MQTT_SETTLE_AFTER_CALLBACK;
    c->large = options & PEER_PARTS ? &mqtt_large_parts : NULL;
    c->republish_lost = options & PEER_REPUBLISH;
    c->keep_qos0 = options & PEER_KEEP_QOS0;
    c->check_payload_format = options & PEER_CHECK_FORMAT;
    c->renew_without_retained = options & PEER_NO_RETAINED;
    c->random = half;
    c->servers = &p->server;
    c->server_count = 1;
    c->on_event = on_event;
    c->on_message = on_message;
    c->context = p;
    c->statistics = &p->statistics;
    if (getenv("MQTTLOOP_FUZZ_TRACE")) {
        c->trace = print_trace;
        c->trace_seam = &mqtt_trace_seam;
        c->log = print_log;
    }
}

enum mqtt_error peer_start(struct peer *p, unsigned options,
                           struct mqtt_store *store)
{
    static const char *const filters[PEER_NODES] = {"a/+", "#", "b"};

    memset(p, 0, offsetof(struct peer, arena));
    p->server.address = "127.0.0.1";
    p->now = 1000;
    configure(p, options);
    p->config.store = store;
    lend_all(p, options);
    for (unsigned i = 0; i < PEER_NODES; i++) {
        p->nodes[i].topic_filter = mqtt_text(filters[i]);
        p->nodes[i].on_message = i < 2 ? on_message : NULL;
        p->nodes[i].context = p;
        p->nodes[i].identifier = p->five ? i : 0;
    }
    return mqtt_client_init(&p->client, sizeof(p->client), &p->config,
                            &p->memory);
}

void peer_begin(struct peer *p, unsigned options)
{
    require(peer_start(p, options, NULL) == MQTT_OK);
    mqtt_client_tick(&p->client, p->now);
}

void peer_end(struct peer *p)
{
    mqtt_client_destroy(&p->client);
    look_at_fences(p);
}

void peer_kill(struct peer *p)
{
    look_at_fences(p);
}

/* ---- requests ----------------------------------------------------------------- */

static const void *read_source(struct mqtt_source *source, uint32_t offset,
                               size_t *size)
{
    static const uint8_t pattern[64];

    if (source->context && offset >= 20)
        return NULL; /* it cannot be read any more */
    *size = offset % 3 ? 7 : sizeof(pattern);
    return pattern;
}

static unsigned free_publish(const struct peer *p)
{
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        if (!p->open_publishes[i])
            return i;
    never("more publishes were accepted than there are slots");
}

static void publish_accepted(struct peer *p, uint16_t identifier)
{
    require(identifier);
    for (unsigned i = 0; i < PEER_SLOTS; i++)
        require(p->open_publishes[i] != identifier);
    p->open_publishes[free_publish(p)] = identifier;
}

/* A source that no message reads. */
static struct mqtt_source *free_source(struct peer *p, uint16_t **of)
{
    for (unsigned i = 0; i < PEER_SLOTS; i++) {
        if (p->source_of[i])
            continue;
        *of = &p->source_of[i];
        return &p->sources[i];
    }
    return NULL;
}

enum mqtt_error peer_publish(struct peer *p, const struct mqtt_message *message,
                             bool stream)
{
    uint16_t identifier = 0, none = 0, *of = &none;
    struct mqtt_source *source = stream ? free_source(p, &of) : NULL;
    enum mqtt_error error;

    if (source) {
        source->read = read_source;
        source->context = message->retain ? p : NULL;
        error = mqtt_publish_stream(&p->client, message, source, &identifier);
    } else {
        error = mqtt_client_publish(&p->client, message, &identifier);
    }
    require(error == MQTT_OK || (error < 0 && error > MQTT_ERR_PACKET_TYPE));
    p->room_wanted = p->room_wanted || error == MQTT_ERR_NO_ROOM;
    require(!error || !identifier);
    if (!error)
        require((identifier != 0) == (message->qos != MQTT_QOS_0));
    if (identifier)
        publish_accepted(p, identifier);
    *of = identifier;
    return error;
}

enum mqtt_error peer_subscribe(struct peer *p, unsigned node)
{
    enum mqtt_error error = mqtt_subscribe(&p->client, &p->nodes[node]);

    if (p->registered[node])
        require(error == MQTT_ERR_STATE);
    require(error == MQTT_OK || (error < 0 && error > MQTT_ERR_PACKET_TYPE));
    p->registered[node] = p->registered[node] || !error;
    return error;
}

enum mqtt_error peer_unsubscribe(struct peer *p, unsigned node)
{
    enum mqtt_error error = mqtt_unsubscribe(&p->client, &p->nodes[node]);

    require((error == MQTT_OK) == (p->registered[node] && !p->leaving[node]));
    p->leaving[node] = p->registered[node];
    return error;
}

/* ---- what the client sends ---------------------------------------------------- */

/* Client to server, or both ways [5.0, table 2-1]. */
static void check_packet(struct peer *p, const struct peer_packet *packet)
{
    uint8_t first = packet->bytes[0], flags = first & 15;
    unsigned type = first >> 4;

    require(type == 1 || (type >= 3 && type <= 8) || type == 10 || type == 12 ||
            type == 14 || (type == 15 && p->level == 5));
    require((type == 1) == !p->seen_connect);
    require(!p->seen_disconnect);
    if (type == 3)
        require((flags & 6) != 6 && ((flags & 6) || !(flags & 8)));
    else
        require(flags == (type == 6 || type == 8 || type == 10 ? 2 : 0));
    p->seen_connect = true;
    if (type == 1)
        p->level = packet->bytes[packet->header + 6];
    if (type != 14)
        return;
    p->seen_disconnect = true;
    if (packet->size > packet->header)
        p->disconnect_code = packet->bytes[packet->header];
}

static void packet_sent(struct peer *p)
{
    struct peer_packet *to =
        &p->sent[(p->first_sent + p->sent_count) % PEER_SENT];
    size_t kept = p->have < PEER_HEAD ? p->have : PEER_HEAD;

    check_packet(p, &p->partial);
    if (p->left)
        p->left(p, &p->partial);
    require(p->sent_count < PEER_SENT);
    p->sent_count++;
    memcpy(to->bytes, p->partial.bytes, kept);
    to->size = p->partial.size;
    to->header = p->partial.header;
    p->partial.size = p->partial.header = 0;
    p->have = 0;
}

static void byte_sent(struct peer *p, uint8_t byte)
{
    struct peer_packet *packet = &p->partial;
    size_t have = ++p->have;

    if (have <= sizeof(packet->bytes))
        packet->bytes[have - 1] = byte;
    if (have == 1 || packet->header)
        return;
    require(have <= 5);
    packet->size |= (size_t)(byte & 0x7f) << (7 * (have - 2));
    if (byte & 0x80)
        return;
    require(byte || have == 2); /* the shortest form */
    packet->header = have;
    packet->size += have;
}

static void bytes_sent(struct peer *p, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        byte_sent(p, bytes[i]);
        if (p->partial.header && p->have == p->partial.size)
            packet_sent(p);
    }
}

void peer_offer(struct peer *p)
{
    size_t size = 0;
    const uint8_t *bytes = mqtt_client_output_buf(&p->client, &size);

    require((bytes != NULL) == (size != 0));
    require(!bytes || p->open);
    p->offer = bytes;
    p->offer_size = size;
    require(size <= sizeof(p->offered));
    if (size)
        memcpy(p->offered, bytes, size);
}

void peer_take(struct peer *p, size_t limit)
{
    size_t size = limit < p->offer_size ? limit : p->offer_size;

    if (!p->offer)
        return;
    require(memcmp(p->offer, p->offered, p->offer_size) == 0);
    bytes_sent(p, p->offered, size);
    p->offer = NULL;
    mqtt_client_output_done(&p->client, size);
}

bool peer_drain(struct peer *p)
{
    bool any = false;

    for (unsigned i = 0;; i++) {
        require(i < 10000);
        peer_offer(p);
        if (!p->offer)
            return any;
        any = true;
        peer_take(p, SIZE_MAX);
        if (p->sent_count >= PEER_SENT / 2)
            return any;
    }
}

const struct peer_packet *peer_sent(struct peer *p)
{
    const struct peer_packet *packet = &p->sent[p->first_sent];

    if (!p->sent_count)
        return NULL;
    p->first_sent = (p->first_sent + 1) % PEER_SENT;
    p->sent_count--;
    return packet;
}

/* ---- the network connection ---------------------------------------------------- */

void peer_opened(struct peer *p)
{
    if (mqtt_client_wants(&p->client) == MQTT_WANT_OPEN) {
        p->open = p->opened = true;
        p->finished = p->seen_connect = p->seen_disconnect = false;
        p->disconnect_code = 0;
        p->partial.size = p->partial.header = 0;
        p->have = 0;
        p->sent_count = 0;
    }
    p->offer = NULL;
    mqtt_client_opened(&p->client);
}

void peer_closed(struct peer *p, enum mqtt_error why)
{
    p->open = false;
    p->offer = NULL;
    mqtt_client_closed(&p->client, why, NULL);
    require(mqtt_client_wants(&p->client) == MQTT_WANT_NOTHING);
}

bool peer_serve_wants(struct peer *p)
{
    switch (mqtt_client_wants(&p->client)) {
    case MQTT_WANT_OPEN:
        peer_opened(p);
        return true;
    case MQTT_WANT_FINISH:
        if (p->finished)
            return false;
        require(p->open && p->seen_disconnect);
        return p->finished = true;
    case MQTT_WANT_CLOSE:
        peer_closed(p, MQTT_OK);
        return true;
    default:
        return false;
    }
}

size_t peer_input(struct peer *p, const uint8_t *bytes, size_t size, void *lent,
                  size_t lent_size)
{
    size_t room = 0;
    uint8_t *at = mqtt_client_input_buf(&p->client, lent, lent_size, &room);

    require((at != NULL) == (room != 0));
    require(room <= p->memory.input_size);
    if (!at)
        return 0;
    require(p->open);
    require(lent && at >= (uint8_t *)lent && at < (uint8_t *)lent + lent_size
                ? at + room <= (uint8_t *)lent + lent_size
                : at >= (uint8_t *)p->memory.input &&
                      at + room <=
                          (uint8_t *)p->memory.input + p->memory.input_size);
    if (size > room)
        size = room;
    memcpy(at, bytes, size);
    mqtt_client_input_done(&p->client, size);
    return size;
}

/* ---- events --------------------------------------------------------------------- */

static unsigned node_of(const struct peer *p,
                        const struct mqtt_subscription *subscription)
{
    for (unsigned i = 0; i < PEER_NODES; i++)
        if (subscription == &p->nodes[i])
            return i;
    never("an event names a subscription of nobody");
}

static void publish_ended(struct peer *p, const struct mqtt_event *event)
{
    uint16_t identifier = event->packet_identifier;
    unsigned i = 0;

    require(identifier);
    while (i < PEER_SLOTS && p->open_publishes[i] != identifier)
        i++;
    require(i < PEER_SLOTS); /* it ended before, or never was */
    p->open_publishes[i] = 0;
    for (i = 0; i < PEER_SLOTS; i++)
        if (p->source_of[i] == identifier)
            p->source_of[i] = 0;
    if (event->outcome == MQTT_OUTCOME_ACKNOWLEDGED ||
        event->outcome == MQTT_OUTCOME_REFUSED)
        require(p->connected);
    require((event->outcome == MQTT_OUTCOME_REFUSED) ==
                (event->reason_code >= 0x80) ||
            event->outcome == MQTT_OUTCOME_ACKNOWLEDGED ||
            event->outcome == MQTT_OUTCOME_UNKNOWN);
}

static void subscription_told(struct peer *p, const struct mqtt_event *event)
{
    unsigned node = node_of(p, event->subscription);

    require(p->registered[node]);
    if (event->type == MQTT_EVENT_UNSUBSCRIBED) {
        require(p->leaving[node]);
        p->registered[node] = p->leaving[node] = false;
    }
}

static void look_through(struct mqtt_span properties)
{
    struct mqtt_property property = {0};
    size_t end = 0;

    while (mqtt_property_next(properties, &property))
        end = property.position_;
    require(end == properties.size);
}

static void message_told(struct peer *p, const struct mqtt_message *message)
{
    require(p->connected);
    require(mqtt_topic_name_valid(message->topic_name));
    require(message->payload_offset + message->payload.size <=
            message->payload_size);
    look_through(message->properties);
    if (message->settle_handle && p->handle_count < PEER_HANDLES)
        p->handles[p->handle_count++] = message->settle_handle;
    require(!message->settle_handle || p->config.settle);
}

/* What needs a packet to have come. */
static bool is_of_server(const struct mqtt_event *event)
{
    switch (event->type) {
    case MQTT_EVENT_CONNECTED:
    case MQTT_EVENT_MESSAGE:
    case MQTT_EVENT_MESSAGE_TOO_LARGE:
    case MQTT_EVENT_SUBSCRIBED:
    case MQTT_EVENT_REFUSED:
    case MQTT_EVENT_SERVER_DISCONNECT:
    case MQTT_EVENT_AUTHENTICATION:
        return true;
    case MQTT_EVENT_PUBLISHED:
        return event->outcome == MQTT_OUTCOME_ACKNOWLEDGED ||
               event->outcome == MQTT_OUTCOME_REFUSED;
    default:
        return false;
    }
}

static void check_event(struct peer *p, const struct mqtt_event *event)
{
    /* What ends a connection is followed by its end, but for the client's own. */
    require(!p->ended_by_server || !is_of_server(event));
    if (event->type == MQTT_EVENT_DISCONNECTED)
        p->ended_by_server = false;
    if (event->type != MQTT_EVENT_MESSAGE)
        look_through(event->properties);
    switch (event->type) {
    case MQTT_EVENT_CONNECTED:
        require(!p->connected && p->opened);
        p->connected = true;
        break;
    case MQTT_EVENT_DISCONNECTED:
        p->connected = p->opened = false;
        p->retry_at = event->retry_at;
        require(event->error == MQTT_OK || event->error <= -64);
        require((event->retry_at == MQTT_NEVER) ==
                (mqtt_client_state(&p->client) == MQTT_CLIENT_STOPPED));
        break;
    case MQTT_EVENT_MESSAGE:
        message_told(p, &event->message);
        break;
    case MQTT_EVENT_MESSAGE_TOO_LARGE:
        require(p->connected && event->size > p->memory.input_size);
        break;
    case MQTT_EVENT_PUBLISHED:
        publish_ended(p, event);
        break;
    case MQTT_EVENT_SUBSCRIBED:
    case MQTT_EVENT_UNSUBSCRIBED:
        subscription_told(p, event);
        break;
    case MQTT_EVENT_ROOM:
        require(p->room_wanted);
        p->room_wanted = false;
        break;
    case MQTT_EVENT_REFUSED:
    case MQTT_EVENT_SERVER_DISCONNECT:
        require(p->five && p->opened);
        require(p->connected == (event->type == MQTT_EVENT_SERVER_DISCONNECT));
        p->ended_by_server = true;
        break;
    case MQTT_EVENT_AUTHENTICATION:
        require(p->five && p->opened);
        break;
    case MQTT_EVENT_STORED:
        require(p->config.store && event->packet_identifier);
        break;
    case MQTT_EVENT_STORE_FAILED:
        require(p->config.store && event->error);
        break;
    default:
        never("an event of no known type");
    }
    if (p->told)
        p->told(p, event);
}

bool peer_next(struct peer *p)
{
    memset(&p->event, 0, sizeof(p->event));
    if (!mqtt_client_next(&p->client, &p->event))
        return false;
    check_event(p, &p->event);
    return true;
}

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    (void)client;
    check_event(context, event);
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct mqtt_event event = {.type = MQTT_EVENT_MESSAGE, .message = *message};

    (void)client;
    check_event(context, &event);
}

void peer_dispatch(struct peer *p)
{
    int count = mqtt_client_dispatch(&p->client);

    require(count >= 0);
}

void peer_settle_all(struct peer *p)
{
    while (p->handle_count) {
        enum mqtt_error error =
            mqtt_settle(&p->client, p->handles[--p->handle_count], 0);

        require(error == MQTT_OK || error == MQTT_ERR_HANDLE);
    }
}

/* ---- a good server ---------------------------------------------------------------- */

struct answer {
    uint8_t *bytes;
    size_t size;
};

static void put(struct answer *a, const void *bytes, size_t size)
{
    memcpy(a->bytes + a->size, bytes, size);
    a->size += size;
}
#define PUT(a, ...)                                                            \
    put(a, (const uint8_t[]){__VA_ARGS__},                                     \
        sizeof((const uint8_t[]){__VA_ARGS__}))

static void answer_connect(const struct peer *p, struct answer *a)
{
    if (p->level == 4)
        PUT(a, 0x20, 2, 0, 0);
    else if (p->config.connect.properties.size)
        PUT(a, 0x20, 7, 0, 0, 4, 0x15, 0, 1, 'm');
    else
        PUT(a, 0x20, 3, 0, 0, 0);
}

static void answer_publish(const struct peer_packet *packet, struct answer *a)
{
    const uint8_t *at = packet->bytes + packet->header;
    unsigned qos = packet->bytes[0] >> 1 & 3;
    size_t topic = (size_t)(at[0] << 8 | at[1]);

    /* Longer topic names are not published here. */
    require(packet->header + 2 + topic + 2 <= sizeof(packet->bytes));
    if (qos)
        PUT(a, qos == 1 ? 0x40 : 0x50, 2, at[2 + topic], at[3 + topic]);
}

/* How many topic filters a SUBSCRIBE or UNSUBSCRIBE names, of which no more
 * than PEER_HEAD bytes are known. */
static unsigned filters(const struct peer *p, const struct peer_packet *packet)
{
    size_t at = packet->header + 2, more = packet->bytes[0] >> 4 == 8 ? 1 : 0;
    unsigned count = 0;

    require(packet->size <= sizeof(packet->bytes));
    if (p->level == 5)
        at += 1u + packet->bytes[at];
    for (; at < packet->size; count++)
        at += 2u + (size_t)(packet->bytes[at] << 8 | packet->bytes[at + 1]) +
              more;
    require(at == packet->size && count);
    return count;
}

static void answer_request(const struct peer *p,
                           const struct peer_packet *packet, struct answer *a)
{
    const uint8_t *at = packet->bytes + packet->header;
    bool subscribe = packet->bytes[0] >> 4 == 8, five = p->level == 5;
    unsigned count = filters(p, packet);
    unsigned codes = subscribe || five ? count : 0;

    PUT(a, subscribe ? 0x90 : 0xb0, (uint8_t)(2 + five + codes), at[0], at[1]);
    if (five)
        PUT(a, 0);
    while (codes--)
        PUT(a, 0);
}

size_t peer_answer(const struct peer *p, const struct peer_packet *packet,
                   uint8_t *answer, size_t room)
{
    struct answer a = {answer, 0};
    const uint8_t *at = packet->bytes + packet->header;

    require(room >= 32);
    switch (packet->bytes[0] >> 4) {
    case 1:
        answer_connect(p, &a);
        break;
    case 3:
        answer_publish(packet, &a);
        break;
    case 5:
        PUT(&a, 0x62, 2, at[0], at[1]);
        break;
    case 6:
        PUT(&a, 0x70, 2, at[0], at[1]);
        break;
    case 8:
    case 10:
        answer_request(p, packet, &a);
        break;
    case 12:
        PUT(&a, 0xd0, 0);
        break;
    default:
        break;
    }
    return a.size;
}
