/*
 * What an application does.
 */
#include <string.h>
#include "world.h"

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG_TOPIC ("longer/" FIFTY FIFTY TEN TEN "/x")

const char *const topics[TOPICS] = {
    "a",
    "b",
    "a/b",
    "a/b/c",
    "a//c",
    "/",
    "$internal/x",
    "home/kitchen/temperature",
    "home/hall/temperature",
    "home/hall/humidity",
    "\xC3\xA4/\xE2\x82\xAC",
    "long/0123456789012345678901234567890123456789012345678901234567890",
    LONG_TOPIC,
    "z"};

const char *const filters[FILTERS] = {"a",
                                      "a/b",
                                      "#",
                                      "a/#",
                                      "+/b",
                                      "a/+/c",
                                      "+",
                                      "home/+/temperature",
                                      "home/#",
                                      "$internal/#",
                                      "\xC3\xA4/+",
                                      "$share/g/#",
                                      "$share/h/a/+",
                                      LONG_TOPIC};

static void counted(struct player *p)
{
    p->deeds_done++;
    event_happened(p->world, 0x600);
}

/* -- publish ---------------------------------------------------------------------------- */

/* What publishing may be answered with. */
static void check_publish_error(struct player *p, enum mqtt_error error,
                                const struct publication *m)
{
    const struct mqtt_limits *limits = mqtt_client_limits(&p->client);

    switch (error) {
    case MQTT_ERR_NO_ROOM:
        p->room_due = true;
        break;
    case MQTT_ERR_OFFLINE:
        if (m->qos || p->config.keep_qos0)
            violation(p, "publish: offline");
        break;
    case MQTT_ERR_STATE:
        if (!p->leaving)
            violation(p, "publish: not in this state");
        break;
    case MQTT_ERR_QOS:
        if (p->memory.slot_count && m->qos < 2)
            violation(p, "publish: QoS %u", m->qos);
        break;
    case MQTT_ERR_MAXIMUM_QOS:
        if (m->qos <= limits->maximum_qos)
            violation(p, "publish: maximum QoS");
        break;
    case MQTT_ERR_RETAIN_UNAVAILABLE:
        if (limits->retain_available || !m->retain)
            violation(p, "publish: retain");
        break;
    case MQTT_ERR_TOO_LARGE:
    case MQTT_ERR_MAXIMUM_PACKET_SIZE:
        break;
    case MQTT_ERR_PROTOCOL_VERSION:
        if (!m->kind && m->expires_at == NEVER)
            violation(p, "publish: protocol version");
        break;
    default:
        violation(p, "publish: %s", mqtt_error_text(error));
    }
}

static bool speaks_5(const struct player *p)
{
    return mqtt_client_protocol(&p->client) == &mqtt_protocol_5_0;
}

static uint32_t draw_size(struct dice *dice)
{
    switch (roll(dice, 16)) {
    case 0:
        return 0;
    case 1:
        return 8 + any_size(dice, 20000);
    case 2:
    case 3:
        return 8 + any_size(dice, 1000);
    default:
        return 8 + roll(dice, 40);
    }
}

static uint32_t draw_properties(struct player *p, struct dice *dice,
                                struct publication *m)
{
    bool any = speaks_5(p) ? one_in(dice, 3)
                           : p->config.drop_unsupported && one_in(dice, 16);
    uint32_t expiry = UINT32_MAX;

    if (!any)
        return expiry;
    m->kind = (uint8_t)roll(dice, 64);
    if (m->size == 0)
        m->kind &= (uint8_t)~1u;
    if (one_in(dice, 3))
        expiry = one_in(dice, 4) ? 0 : any_size(dice, 4000);
    return expiry;
}

/* The payload asks for itself, and so can fail, or be slow. */
static const void *read_source(struct mqtt_source *source, uint32_t offset,
                               size_t *size)
{
    static uint8_t bytes[512];
    struct publication *m = source->context;
    struct player *p = m->owner;
    uint32_t n = m->size - offset;

    if (offset > m->size || *size > n || !*size)
        violation(p, "source %u: %u bytes asked for at %u of %u", m->index,
                  (unsigned)*size, offset, m->size);
    if (m->ended)
        violation(p, "source %u: read after its end", m->index);
    if (m->broken && offset >= m->size / 2)
        return NULL;
    n = (uint32_t)*size < n ? (uint32_t)*size : n;
    n = n < sizeof(bytes) ? n : (uint32_t)sizeof(bytes);
    *size = n;
    payload_fill(bytes, p->index, m->index, offset, n);
    return bytes;
}

static enum mqtt_error publish_it(struct player *p, struct publication *m,
                                  uint32_t expiry, uint16_t *identifier)
{
    static uint8_t payload[32768];
    uint8_t memory[128];
    struct mqtt_message message = {.topic_name = mqtt_text(topics[m->topic]),
                                   .payload = {payload, m->size},
                                   .qos = (enum mqtt_qos)m->qos,
                                   .retain = m->retain};

    if (m->kind || expiry != UINT32_MAX)
        message.properties = publication_properties(m->kind, memory, expiry);
    if (expiry != UINT32_MAX)
        m->expires_at = p->world->now + (uint64_t)expiry * 1000;
    if (m->stream) {
        message.payload.data = NULL;
        return mqtt_publish_stream(&p->client, &message, &m->source,
                                   identifier);
    }
    payload_fill(payload, p->index, m->index, 0, m->size);
    return mqtt_client_publish(&p->client, &message, identifier);
}

static enum mqtt_error publish(struct player *p, struct dice *dice, bool stream)
{
    struct publication *m = ledger_new(p);
    enum mqtt_error error;
    uint16_t identifier = 0;
    uint32_t expiry;

    if (!m)
        return MQTT_ERR_NO_ROOM;
    m->topic = (uint8_t)roll(dice, TOPICS);
    m->qos = (uint8_t)(stream ? 1 + roll(dice, 2) : roll(dice, 3));
    m->retain = one_in(dice, 6);
    m->size = stream ? 8 + any_size(dice, 30000) : draw_size(dice);
    m->stream = stream;
    m->broken = stream && one_in(dice, 12) && !p->world->calm;
    m->source.read = read_source;
    m->source.context = m;
    m->owner = p;
    expiry = draw_properties(p, dice, m);
    error = publish_it(p, m, expiry, &identifier);
    counted(p);
    if (p->world->tracing)
        say(p, "* publish %u q%u \"%s\" %u bytes%s: %d id %u", m->index, m->qos,
            topics[m->topic], m->size, stream ? " stream" : "", error,
            identifier);
    if (!speaks_5(p) && error == MQTT_OK) {
        m->kind = 0;
        m->expires_at = NEVER;
    }
    if (error)
        check_publish_error(p, error, m);
    else
        ledger_accept(p, identifier);
    return error;
}

static void burst(struct player *p, struct dice *dice)
{
    for (uint32_t n = any_size(dice, 32); n; n--)
        if (publish(p, dice, false) == MQTT_ERR_NO_ROOM || p->world->failed)
            return;
}

/* -- subscribe ------------------------------------------------------------------------------ */

static struct node *free_node(struct player *p, struct dice *dice)
{
    unsigned start = roll(dice, NODES);

    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &p->nodes[(start + i) % NODES];

        if (!n->registered)
            return n;
    }
    return NULL;
}

static void draw_node(struct player *p, struct dice *dice, struct node *n)
{
    struct mqtt_subscription *s = &n->subscription;
    struct bytes group, inner;

    memset(n, 0, sizeof(*n));
    n->filter = (uint8_t)roll(dice, FILTERS);
    s->topic_filter = mqtt_text(filters[n->filter]);
    s->maximum_qos = (enum mqtt_qos)roll(dice, 3);
    if (s->maximum_qos == MQTT_QOS_2 && !p->memory.received_count &&
        !p->memory.received_bits)
        s->maximum_qos = MQTT_QOS_1; /* there is no memory for it */
    if (!p->pulls && p->own_dispatch && !one_in(dice, 4))
        s->on_message = application_on_node;
    s->context = n;
    if (!speaks_5(p) || one_in(dice, 2))
        return;
    s->no_local = one_in(dice, 4) &&
                  !topic_shared(text_of(filters[n->filter]), &group, &inner);
    s->retain_as_published = one_in(dice, 2);
    s->retain_handling = (enum mqtt_retain_handling)roll(dice, 3);
    if (one_in(dice, 2))
        s->identifier = any_size(dice, one_in(dice, 4) ? 268435455 : 4);
}

static void subscribe(struct player *p, struct dice *dice)
{
    struct node *n = free_node(p, dice);
    enum mqtt_error error;

    if (!n)
        return;
    draw_node(p, dice, n);
    for (unsigned i = 0; i < NODES; i++)
        if (&p->nodes[i] != n && p->nodes[i].registered &&
            p->nodes[i].filter == n->filter)
            p->twins = true;
    n->allowed = 1;
    error = mqtt_subscribe(&p->client, &n->subscription);
    counted(p);
    if (p->world->tracing)
        say(p, "* subscribe \"%s\" q%d: %d", filters[n->filter],
            n->subscription.maximum_qos, error);
    n->registered = !error;
    switch ((int)error) {
    case MQTT_OK:
    case MQTT_ERR_TOO_LARGE:
    case MQTT_ERR_WILDCARD_UNAVAILABLE:
    case MQTT_ERR_SHARED_UNAVAILABLE:
    case MQTT_ERR_MAXIMUM_PACKET_SIZE:
        break;
    case MQTT_ERR_PROTOCOL_VERSION:
        if (p->config.protocol == &mqtt_protocol_publisher ||
            p->config.fallback)
            break;
        /* fall through */
    default:
        violation(p, "subscribe: %s", mqtt_error_text(error));
    }
}

static void unsubscribe(struct player *p, struct dice *dice)
{
    struct node *n = &p->nodes[roll(dice, NODES)];
    bool good = n->registered && !n->leaving;
    enum mqtt_error error = mqtt_unsubscribe(&p->client, &n->subscription);

    counted(p);
    if (p->world->tracing)
        say(p, "* unsubscribe %u: %d", n->filter, error);
    if (error != (good ? MQTT_OK : MQTT_ERR_STATE))
        violation(p, "unsubscribe: %s", mqtt_error_text(error));
    if (!error)
        n->leaving = true;
}

/* -- settle ------------------------------------------------------------------------------------ */

static uint8_t draw_code(struct player *p, struct dice *dice)
{
    static const uint8_t codes[] = {0x10, 0x80, 0x83, 0x87, 0x91, 0x97, 0x99};

    if (!one_in(dice, 3) || !(speaks_5(p) || p->config.drop_unsupported))
        return 0;
    return codes[roll(dice, sizeof(codes))];
}

static void check_settled(struct player *p, const struct handle *h,
                          enum mqtt_error error)
{
    bool here = p->connected && h->link == p->connected_link;
    bool good = h->qos == 1 ? here : here || h->epoch == p->epoch;
    bool elsewhere = h->delivery && h->delivery->released && !h->settled;

    if (error && error != MQTT_ERR_HANDLE)
        violation(p, "settle: %s", mqtt_error_text(error));
    else if (h->settled && !error)
        violation(p, "settle: twice");
    else if (!error && h->qos == 1 && !here)
        violation(p, "settle: a handle of an earlier connection");
    else if (!error && h->epoch < p->told_epoch)
        violation(p, "settle: a handle of an earlier session");
    else if (!error && elsewhere && h->delivery->completed)
        violation(p, "settle: a handle of what is over");
    else if (!h->settled && good && error && !elsewhere && !p->ends_session &&
             !p->ended_before)
        violation(p, "settle: a good handle, QoS %u", h->qos);
}

static void settle(struct player *p, unsigned i, uint8_t code)
{
    struct handle *h = &p->handles[i];
    enum mqtt_error error = mqtt_settle(&p->client, h->handle, code);

    counted(p);
    if (p->world->tracing)
        say(p, "* settle %u of q%u: %d", h->handle, h->qos, error);
    check_settled(p, h, error);
    if (!error && h->delivery && speaks_5(p)) {
        h->delivery->settled = true;
        h->delivery->code = code;
    }
    if (!error && code & 0x80 && h->delivery && speaks_5(p))
        h->delivery->given = UINT32_MAX; /* it may come again */
    else if (!error && h->qos == 2)
        persist_effect(p, h->delivery);
    if (!h->settled && !error && one_in(&p->dice, 8)) {
        h->settled = true; /* and once more, later */
        return;
    }
    p->handles[i] = p->handles[--p->handle_count];
}

static void settle_any(struct player *p, struct dice *dice)
{
    uint8_t code = draw_code(p, dice);

    settle(p, roll(dice, p->handle_count), code);
}

/* Most applications do not let a message wait for long. */
void application_settle_some(struct player *p)
{
    while (p->handle_count && !p->world->failed && !one_in(&p->dice, 3))
        settle_any(p, &p->dice);
}

void application_settle_all(struct player *p)
{
    while (p->handle_count && !p->world->failed)
        settle(p, p->handle_count - 1, 0);
}

/* -- the connection ------------------------------------------------------------------------------- */

void operation_connect(struct player *p)
{
    enum mqtt_client_state state = mqtt_client_state(&p->client);
    enum mqtt_error error = mqtt_connect(&p->client);

    counted(p);
    say(p, "* connect: %d", error);
    if (state == MQTT_CLIENT_STOPPED && error)
        violation(p, "connect: %s", mqtt_error_text(error));
    if (!error)
        p->leaving = false;
    if (!error && state == MQTT_CLIENT_STOPPED) {
        p->tries_least = p->tries_most = 0;
        configured_restarted(p);
    }
    p->connect_at = NEVER;
}

static struct mqtt_span end_properties(struct player *p, struct dice *dice)
{
    struct mqtt_property_builder b;

    /* They must stay until the end. */
    mqtt_properties_begin(&b, store_take(&p->world->store, 64), 64);
    if (one_in(dice, 3))
        mqtt_property_add_number(&b, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
                                 one_in(dice, 2) ? 0 : any_size(dice, 100000));
    if (one_in(dice, 3))
        mqtt_property_add_text(&b, MQTT_PROPERTY_REASON_STRING,
                               mqtt_text("enough"));
    return mqtt_properties_end(&b, NULL);
}

static void disconnect(struct player *p, struct dice *dice, uint32_t timeout)
{
    static const uint8_t codes[] = {0x00, 0x04, 0x80, 0x98};
    enum mqtt_client_state state = mqtt_client_state(&p->client);
    struct mqtt_disconnect_options options = {0};
    enum mqtt_error error;

    if (speaks_5(p) && one_in(dice, 3)) {
        options.reason_code = codes[roll(dice, sizeof(codes))];
        options.properties = end_properties(p, dice);
        error = mqtt_disconnect_with(&p->client, timeout, &options);
        if (!error && options.properties.size)
            p->ended_before = p->end_unsure = true;
    } else {
        error = mqtt_disconnect(&p->client, timeout);
    }
    counted(p);
    say(p, "* disconnect within %u: %d", timeout, error);
    if ((state == MQTT_CLIENT_STOPPED) != (error == MQTT_ERR_STATE) &&
        error != MQTT_ERR_PROPERTY)
        violation(p, "disconnect: %s", mqtt_error_text(error));
    if (!error)
        p->leaving = true;
}

void operation_disconnect(struct player *p, uint32_t timeout)
{
    if (mqtt_client_state(&p->client) != MQTT_CLIENT_STOPPED) {
        mqtt_disconnect(&p->client, timeout);
        p->leaving = true;
        p->requested = true;
    }
}

void operation_authenticate(struct player *p)
{
    enum mqtt_error error = mqtt_authenticate(&p->client, mqtt_text("answer"),
                                              (struct mqtt_span){NULL, 0});

    counted(p);
    say(p, "* authenticate: %d", error);
    p->answer_auth = error == MQTT_ERR_NO_ROOM && p->answer_auth;
    if (!error)
        p->connack_since = p->world->now;
    switch ((int)error) {
    case MQTT_OK:
    case MQTT_ERR_STATE:
    case MQTT_ERR_PROTOCOL_VERSION:
    case MQTT_ERR_NO_ROOM:
    case MQTT_ERR_TOO_LARGE:
    case MQTT_ERR_MAXIMUM_PACKET_SIZE:
        break;
    default:
        violation(p, "authenticate: %s", mqtt_error_text(error));
    }
}

static void refuse_rest(struct player *p)
{
    enum mqtt_error error;
    struct expected *e = p->refusable;

    if (!p->part_pending || !e || !p->config.large)
        return;
    error = mqtt_refuse_rest(&p->client, 0x97);
    counted(p);
    say(p, "* refuse the rest: %d", error);
    if (error) {
        violation(p, "refuse rest: %s", mqtt_error_text(error));
        return;
    }
    if (e->qos == 2 && e->delivery)
        e->delivery->given = UINT32_MAX; /* it may come again */
    if (e->delivery)
        e->delivery->settled = false; /* that was an earlier time */
    p->expected_begin++;
    p->part_offset = 0;
    p->part_pending = false;
}

void operation_run(struct player *p, const struct deed *deed)
{
    struct dice dice = {deed->dice};

    p->world->operations[deed->kind]++;
    if (!p->made)
        return;
    switch ((enum operation_kind)deed->kind) {
    case OP_PUBLISH:
        publish(p, &dice, false);
        break;
    case OP_BURST:
        burst(p, &dice);
        break;
    case OP_STREAM:
        publish(p, &dice, true);
        break;
    case OP_SUBSCRIBE:
        subscribe(p, &dice);
        break;
    case OP_UNSUBSCRIBE:
        unsubscribe(p, &dice);
        break;
    case OP_SETTLE:
        for (uint32_t n = roll(&dice, 8); n && p->handle_count; n--)
            settle_any(p, &dice);
        break;
    case OP_CONNECT:
        operation_connect(p);
        break;
    case OP_DISCONNECT:
        disconnect(p, &dice, 0);
        break;
    case OP_DRAIN:
        disconnect(p, &dice, any_size(&dice, 60000));
        break;
    case OP_AUTHENTICATE:
        operation_authenticate(p);
        break;
    case OP_REFUSE_REST:
        if (p->in_callback)
            refuse_rest(p);
        break;
    case OP_DESTROY:
        player_destroy(p);
        break;
    case OP_KINDS:
        break;
    }
}

/* What has waited for a callback. */
void operations_in_callback(struct player *p)
{
    if (p->answer_auth && !one_in(&p->dice, 8))
        operation_authenticate(p);
    if (!p->callback_deed_count)
        return;
    p->in_callback = true;
    while (p->callback_deed_count && !p->destroyed && !p->world->failed) {
        operation_run(p, p->callback_deeds[--p->callback_deed_count]);
        if (one_in(&p->dice, 2))
            break;
    }
    p->in_callback = false;
}
