/*
 * script.c - the scripted server: wires, rows of bytes, the inspection.
 */
#include "script.h"

const struct wire wire_whole = {"whole", 0, 0, false, false};
const struct wire wire_bytes = {"bytes", 1, 0, false, true};
const struct wire wire_lent = {"lent", 0, 4096, false, false};
const struct wire wire_kept = {"kept", 3, 64, true, false};

static const struct wire *const wires[] = {&wire_whole, &wire_bytes, &wire_lent,
                                           &wire_kept};
#define WIRE_COUNT (sizeof(wires) / sizeof(wires[0]))

/* Where the test stands that has failed. */
#define fail_at(file, line, ...)                                               \
    do {                                                                       \
        print_error(__VA_ARGS__);                                              \
        print_error("\n");                                                     \
        _fail(file, line);                                                     \
    } while (0)

/* ---- rows ---------------------------------------------------------------- */

static void row_append(struct row *row, const void *bytes, size_t size)
{
    if (!size)
        return;
    if (row->size + size > row->capacity) {
        row->capacity = (row->size + size) * 2;
        row->bytes = realloc(row->bytes, row->capacity);
        assert_non_null(row->bytes);
    }
    memcpy(row->bytes + row->size, bytes, size);
    row->size += size;
}

static void row_drop(struct row *row, size_t size)
{
    assert_true(size <= row->size);
    row->size -= size;
    if (row->size)
        memmove(row->bytes, row->bytes + size, row->size);
}

static void row_free(struct row *row)
{
    free(row->bytes);
    memset(row, 0, sizeof(*row));
}

static void print_row(const char *title, const uint8_t *bytes, size_t size)
{
    print_error("%s %u:", title, (unsigned)size);
    for (size_t i = 0; i < size && i < 256; i++)
        print_error(" %02x", bytes[i]);
    print_error("%s\n", size > 256 ? " ..." : "");
}

/* ---- what a client may send ---------------------------------------------- */

/* The size of the packet at the start of `bytes`; 0: not yet known. */
static size_t packet_size(const uint8_t *bytes, size_t size, size_t *header)
{
    size_t length = 0;

    for (size_t i = 1; i < size && i < 5; i++) {
        length |= (size_t)(bytes[i] & 0x7f) << (7 * (i - 1));
        if (bytes[i] < 0x80) {
            *header = i + 1;
            return i + 1 + length;
        }
    }
    assert_true(size < 5);
    return 0;
}

/* What is left of a packet that is being read. */
struct cursor {
    const uint8_t *at, *end;
};

static struct mqtt_span take(struct cursor *c, size_t size)
{
    struct mqtt_span span = {c->at, size};

    assert_true((size_t)(c->end - c->at) >= size);
    c->at += size;
    return span;
}

static uint8_t take_byte(struct cursor *c)
{
    return *(const uint8_t *)take(c, 1).data;
}

static uint16_t take_number(struct cursor *c)
{
    const uint8_t *bytes = take(c, 2).data;

    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint16_t take_identifier(struct cursor *c)
{
    uint16_t identifier = take_number(c);

    assert_int_not_equal(identifier, 0);
    return identifier;
}

/* A Property Length and what it counts; the shortest form of the length is the
 * only one [5.0 MQTT-1.5.5-1]. */
static struct mqtt_span take_properties(struct cursor *c)
{
    size_t length = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = take_byte(c);
        length |= (size_t)(byte & 0x7F) << shift;
        shift += 7;
    } while (byte & 0x80);
    assert_true(shift <= 28);
    assert_true(shift == 7 || byte != 0);
    return take(c, length);
}

static void decode_publish(struct packet *packet, struct cursor *c, bool v5)
{
    packet->topic = take(c, take_number(c));
    if (packet->first_byte & 0x06)
        packet->identifier = take_identifier(c);
    if (v5)
        packet->properties = take_properties(c);
    packet->payload = take(c, (size_t)(c->end - c->at));
    assert_int_not_equal(packet->first_byte & 0x06, 0x06);
    if (!(packet->first_byte & 0x06))
        assert_int_equal(packet->first_byte & 0x08, 0);
}

/* A reason code and properties, both of which may be left out at the end. */
static void decode_reason(struct packet *packet, struct cursor *c)
{
    if (c->at < c->end)
        packet->reason_code = take_byte(c);
    if (c->at < c->end)
        packet->properties = take_properties(c);
}

/* Fixed header flags, lengths and identifiers are what the standard says. */
static void decode(struct packet *packet, size_t header, bool v5)
{
    struct cursor c = {packet->bytes + header, packet->bytes + packet->size};

    packet->identifier = 0;
    switch (packet->first_byte) {
    case 0x10: /* CONNECT */
        take(&c, 12);
        c.at = c.end;
        break;
    case 0x40: /* PUBACK */
    case 0x50: /* PUBREC */
    case 0x62: /* PUBREL */
    case 0x70: /* PUBCOMP */
        packet->identifier = take_identifier(&c);
        if (v5)
            decode_reason(packet, &c);
        break;
    case 0x82: /* SUBSCRIBE */
    case 0xA2: /* UNSUBSCRIBE */
        packet->identifier = take_identifier(&c);
        if (v5)
            packet->properties = take_properties(&c);
        take(&c, 3);
        c.at = c.end;
        break;
    case 0xC0: /* PINGREQ */
        break;
    case 0xE0: /* DISCONNECT */
        if (v5)
            decode_reason(packet, &c);
        break;
    case 0xF0: /* AUTH */
        assert_true(v5);
        decode_reason(packet, &c);
        break;
    default:
        assert_int_equal(packet->first_byte & 0xF0, 0x30);
        decode_publish(packet, &c, v5);
    }
    assert_ptr_equal(c.at, c.end);
}

static void inspect(struct script *s, const struct packet *packet)
{
    assert_false(s->seen_disconnect);
    assert_int_equal(packet->first_byte == 0x10, !s->seen_connect);
    s->seen_connect = true;
    s->seen_disconnect = packet->first_byte == 0xE0;
    if (s->seen_disconnect)
        s->disconnect_code = packet->reason_code;
    s->pings += packet->first_byte == 0xC0;
}

/* The packet that begins there: its size, or 0 when it is not whole yet. */
static size_t inspect_at(struct script *s, const uint8_t *bytes, size_t size)
{
    struct packet packet = {.bytes = bytes};
    size_t header;

    packet.size = packet_size(bytes, size, &header);
    if (!packet.size || packet.size > size)
        return 0;
    packet.first_byte = bytes[0];
    if (packet.first_byte == 0x10)
        s->level = bytes[header + 6];
    decode(&packet, header, s->level == 5);
    inspect(s, &packet);
    return packet.size;
}

static void client_sent(struct script *s, const uint8_t *bytes, size_t size)
{
    size_t whole = 0, next;

    row_append(&s->to_server, bytes, size);
    row_append(&s->partial, bytes, size);
    while ((next = inspect_at(s, s->partial.bytes + whole,
                              s->partial.size - whole)))
        whole += next;
    row_drop(&s->partial, whole);
}

/* ---- moving bytes -------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void end_loan(struct script *s)
{
    if (!s->lent)
        return;
    mqtt_client_input_keep(&s->client);
    free(s->lent);
    s->lent = NULL;
}

static void begin_loan(struct script *s)
{
    if (!s->wire->lent_size)
        return;
    s->lent = malloc(s->wire->lent_size);
    assert_non_null(s->lent);
}

bool script_feed(struct script *s)
{
    size_t size = 0, room;
    uint8_t *to;

    if (!s->to_client.size)
        return false;
    end_loan(s);
    begin_loan(s);
    to = mqtt_client_input_buf(&s->client, s->lent, s->wire->lent_size, &room);
    assert_int_equal(to != NULL, room > 0);
    if (to) {
        size = least(room, s->to_client.size);
        if (s->wire->chunk)
            size = least(size, s->wire->chunk);
        if (s->wire->offer_nothing)
            mqtt_client_input_done(&s->client, 0);
        memcpy(to, s->to_client.bytes, size);
        mqtt_client_input_done(&s->client, size);
        row_drop(&s->to_client, size);
    }
    if (s->wire->keep_at_once)
        end_loan(s);
    return size > 0;
}

static size_t take_output(struct script *s, size_t at_most)
{
    size_t size;
    const uint8_t *bytes = mqtt_client_output_buf(&s->client, &size);

    assert_int_equal(bytes != NULL, size > 0);
    if (!bytes)
        return 0;
    size = least(size, at_most);
    if (s->wire->chunk)
        size = least(size, s->wire->chunk);
    if (s->wire->offer_nothing)
        mqtt_client_output_done(&s->client, 0);
    client_sent(s, bytes, size);
    mqtt_client_output_done(&s->client, size);
    return size;
}

void script_drain(struct script *s)
{
    if (s->blocked)
        return;
    while (take_output(s, SIZE_MAX))
        ;
}

void network_takes(struct script *s, size_t size)
{
    while (size) {
        size_t taken = take_output(s, size);

        assert_true(taken > 0);
        size -= taken;
    }
}

void discard_sent(struct script *s)
{
    script_drain(s);
    s->to_server.size = 0;
}

void script_sent(struct script *s, const void *bytes, size_t size,
                 const char *file, int line)
{
    script_drain(s);
    if (s->to_server.size != size ||
        (size && memcmp(s->to_server.bytes, bytes, size) != 0)) {
        print_row("expected", bytes, size);
        print_row("sent    ", s->to_server.bytes, s->to_server.size);
        _fail(file, line);
    }
    s->to_server.size = 0;
}

const struct packet *next_packet(struct script *s)
{
    struct packet *packet = &s->packet;
    size_t header, size;

    script_drain(s);
    size = packet_size(s->to_server.bytes, s->to_server.size, &header);
    if (!size || size > s->to_server.size)
        return NULL;
    s->packet_bytes.size = 0;
    row_append(&s->packet_bytes, s->to_server.bytes, size);
    row_drop(&s->to_server, size);
    memset(packet, 0, sizeof(*packet));
    packet->bytes = s->packet_bytes.bytes;
    packet->first_byte = packet->bytes[0];
    packet->size = size;
    decode(packet, header, s->level == 5);
    return packet;
}

const struct packet *script_packet(struct script *s, uint8_t first_byte,
                                   uint16_t identifier, const char *file,
                                   int line)
{
    const struct packet *packet = next_packet(s);

    if (!packet)
        fail_at(file, line, "expected packet %02x, nothing was sent",
                first_byte);
    else if (packet->first_byte != first_byte ||
             (identifier && packet->identifier != identifier))
        fail_at(file, line, "expected packet %02x id %u, sent %02x id %u",
                first_byte, identifier, packet->first_byte, packet->identifier);
    return packet;
}

void server_sends_span(struct script *s, const void *bytes, size_t size)
{
    row_append(&s->to_client, bytes, size);
}

bool speaks_5_0(const struct script *s)
{
    if (s->seen_connect)
        return s->level == 5;
    return s->config.protocol == &mqtt_protocol_5_0;
}

void script_connack(struct script *s, uint8_t flags, uint8_t code,
                    const void *properties, size_t size)
{
    assert_true(size < 125);
    server_sends(s, 0x20, (uint8_t)(3 + size), flags, code, (uint8_t)size);
    server_sends_span(s, properties, size);
}

void server_connack(struct script *s, uint8_t flags, uint8_t code)
{
    if (speaks_5_0(s))
        script_connack(s, flags, code, NULL, 0);
    else
        server_sends(s, 0x20, 0x02, flags, code);
}

void server_answers(struct script *s, uint8_t first_byte, uint16_t identifier)
{
    if (first_byte == 0xB0 && speaks_5_0(s))
        server_sends(s, 0xB0, 0x04, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00, 0x00);
    else
        server_sends(s, first_byte, 0x02, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier);
}

void server_answers_with(struct script *s, uint8_t first_byte,
                         uint16_t identifier, uint8_t reason_code)
{
    if (first_byte == 0xB0)
        server_sends(s, 0xB0, 0x04, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00, reason_code);
    else
        server_sends(s, first_byte, 0x03, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, reason_code);
}

void server_suback(struct script *s, uint16_t identifier, uint8_t code)
{
    if (speaks_5_0(s))
        server_sends(s, 0x90, 0x04, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00, code);
    else
        server_sends(s, 0x90, 0x03, (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, code);
}

static void send_length(struct script *s, size_t length)
{
    assert_true(length < 16384);
    if (length < 128)
        server_sends(s, (uint8_t)length);
    else
        server_sends(s, (uint8_t)(length | 0x80), (uint8_t)(length >> 7));
}

void script_publish(struct script *s, uint8_t first_byte, const char *topic,
                    uint16_t identifier, const char *payload,
                    const void *properties, size_t size)
{
    size_t length = 2 + strlen(topic) + strlen(payload);

    length += first_byte & 0x06 ? 2 : 0;
    if (speaks_5_0(s))
        length += (size < 128 ? 1 : 2) + size;
    server_sends(s, first_byte);
    send_length(s, length);
    server_sends(s, (uint8_t)(strlen(topic) >> 8), (uint8_t)strlen(topic));
    server_sends_span(s, topic, strlen(topic));
    if (first_byte & 0x06)
        server_sends(s, (uint8_t)(identifier >> 8), (uint8_t)identifier);
    if (speaks_5_0(s)) {
        send_length(s, size);
        server_sends_span(s, properties, size);
    }
    server_sends_span(s, payload, strlen(payload));
}

void server_publishes(struct script *s, uint8_t first_byte, const char *topic,
                      uint16_t identifier, const char *payload)
{
    script_publish(s, first_byte, topic, identifier, payload, NULL, 0);
}

/* ---- the network connection ---------------------------------------------- */

static const char *want_name(enum mqtt_want want)
{
    switch (want) {
    case MQTT_WANT_NOTHING:
        return "NOTHING";
    case MQTT_WANT_OPEN:
        return "OPEN";
    case MQTT_WANT_FINISH:
        return "FINISH";
    case MQTT_WANT_CLOSE:
        return "CLOSE";
    }
    return "?";
}

void script_wants(struct script *s, enum mqtt_want want, const char *file,
                  int line)
{
    enum mqtt_want wanted = mqtt_client_wants(&s->client);

    if (wanted != want)
        fail_at(file, line, "expected to want %s, wants %s", want_name(want),
                want_name(wanted));
}

static void forget_connection(struct script *s)
{
    s->to_client.size = 0;
    s->partial.size = 0;
    s->seen_connect = s->seen_disconnect = false;
}

void server_accepts(struct script *s)
{
    expect_wants(s, MQTT_WANT_OPEN);
    forget_connection(s);
    mqtt_client_opened(&s->client);
}

void server_closes(struct script *s)
{
    while (script_feed(s))
        ;
    end_loan(s);
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
}

void driver_closes(struct script *s)
{
    expect_wants(s, MQTT_WANT_CLOSE);
    end_loan(s);
    mqtt_client_closed(&s->client, MQTT_OK, NULL);
}

void wishes_to_connect(struct script *s)
{
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
}

void connects(struct script *s)
{
    wishes_to_connect(s);
    server_accepts(s);
}

void connected(struct script *s)
{
    if (!s->started)
        start(s);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

void cut(struct script *s)
{
    s->to_client.size = 0;
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    s->to_server.size = 0;
}

void reopened(struct script *s)
{
    assert_true(s->retry_at != MQTT_NEVER);
    elapse(s, s->retry_at > s->now ? s->retry_at - s->now : 0);
    server_accepts(s);
}

void reconnected(struct script *s, bool session_present)
{
    reopened(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, session_present, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

void script_connected(struct script *s, const void *properties, size_t size)
{
    if (!s->started)
        start(s);
    connects(s);
    discard_sent(s);
    script_connack(s, 0, 0, properties, size);
    pull(s, MQTT_EVENT_CONNECTED);
}

void script_reconnected(struct script *s, bool session_present,
                        const void *properties, size_t size)
{
    reopened(s);
    expect_packet(s, 0x10, 0);
    script_connack(s, session_present, 0, properties, size);
    pull(s, MQTT_EVENT_CONNECTED);
}

/* ---- time ---------------------------------------------------------------- */

void elapse(struct script *s, mqtt_time ms)
{
    end_loan(s);
    s->now += ms;
    mqtt_client_tick(&s->client, s->now);
}

void script_deadline(struct script *s, mqtt_time ms, const char *file, int line)
{
    mqtt_time deadline = mqtt_client_deadline(&s->client);
    mqtt_time expected = ms == MQTT_NEVER ? MQTT_NEVER : s->now + ms;

    if (deadline != expected)
        fail_at(file, line, "expected deadline in %lld ms, it is in %lld ms",
                (long long)(expected - s->now), (long long)(deadline - s->now));
}

/* ---- events -------------------------------------------------------------- */

const char *event_name(enum mqtt_event_type type)
{
    static const char *const names[] = {"no event",
                                        "CONNECTED",
                                        "DISCONNECTED",
                                        "MESSAGE",
                                        "TOO_LARGE",
                                        "PUBLISHED",
                                        "SUBSCRIBED",
                                        "UNSUBSCRIBED",
                                        "ROOM",
                                        "STORED",
                                        "STORE_FAILED",
                                        "REFUSED",
                                        "SERVER_DISCONNECT",
                                        "AUTHENTICATION",
                                        "WOKEN"};

    return type <= MQTT_EVENT_WOKEN ? names[type] : "?";
}

/* Bytes move as long as that brings no event. */
static bool next(struct script *s)
{
    for (;;) {
        if (mqtt_client_next(&s->client, &s->event))
            return true;
        script_drain(s);
        if (!script_feed(s))
            return mqtt_client_next(&s->client, &s->event);
    }
}

const struct mqtt_event *script_pull(struct script *s,
                                     enum mqtt_event_type type,
                                     const char *file, int line)
{
    memset(&s->event, 0, sizeof(s->event));
    if (!next(s))
        fail_at(file, line, "expected event %s, there is none",
                event_name(type));
    if (s->event.type != type)
        fail_at(file, line, "expected event %s, pulled %s (error %d)",
                event_name(type), event_name(s->event.type), s->event.error);
    if (type == MQTT_EVENT_DISCONNECTED)
        s->retry_at = s->event.retry_at;
    return &s->event;
}

void script_no_event(struct script *s, const char *file, int line)
{
    memset(&s->event, 0, sizeof(s->event));
    if (next(s))
        fail_at(file, line, "expected no event, pulled %s (error %d)",
                event_name(s->event.type), s->event.error);
}

void script_message(struct script *s, const char *topic, const char *payload,
                    const char *file, int line)
{
    script_pull(s, MQTT_EVENT_MESSAGE, file, line);
    if (!span_is(s->event.message.topic_name, topic) ||
        !span_is(s->event.message.payload, payload))
        fail_at(file, line, "expected message %s %s, pulled %.*s %.*s", topic,
                payload, (int)s->event.message.topic_name.size,
                (const char *)s->event.message.topic_name.data,
                (int)s->event.message.payload.size,
                (const char *)s->event.message.payload.data);
}

void script_published(struct script *s, uint16_t identifier,
                      enum mqtt_outcome outcome, const char *file, int line)
{
    script_pull(s, MQTT_EVENT_PUBLISHED, file, line);
    if (s->event.packet_identifier != identifier || s->event.outcome != outcome)
        fail_at(file, line, "expected end of %u as %d, pulled %u as %d",
                identifier, outcome, s->event.packet_identifier,
                s->event.outcome);
}

void script_fatal(struct script *s, enum mqtt_error error, const char *file,
                  int line)
{
    script_no_event(s, file, line);
    if (s->seen_disconnect && speaks_5_0(s)) {
        script_wants(s, MQTT_WANT_FINISH, file, line);
        server_closes(s);
    } else {
        script_wants(s, MQTT_WANT_CLOSE, file, line);
        driver_closes(s);
    }
    script_pull(s, MQTT_EVENT_DISCONNECTED, file, line);
    if (s->event.error != error)
        fail_at(file, line, "expected the end by %d (%s), it is %d (%s)", error,
                mqtt_error_text(error), s->event.error,
                mqtt_error_text(s->event.error));
}

int dispatch(struct script *s)
{
    int total = 0, count;

    do {
        count = mqtt_client_dispatch(&s->client);
        if (count < 0)
            return count;
        total += count;
        script_drain(s);
    } while (script_feed(s) || count > 0);
    return total;
}

/* ---- requests ------------------------------------------------------------ */

bool span_is(struct mqtt_span span, const char *text)
{
    return span.size == strlen(text) &&
           (!span.size || memcmp(span.data, text, span.size) == 0);
}

int64_t number_of(struct mqtt_span properties, uint8_t identifier)
{
    struct mqtt_property property = {0};

    return mqtt_property_find(properties, identifier, &property)
               ? (int64_t)property.number
               : -1;
}

enum mqtt_error try_publish(struct script *s, const char *topic,
                            const char *payload, enum mqtt_qos qos)
{
    struct mqtt_message message = {.topic_name = mqtt_text(topic),
                                   .payload = mqtt_text(payload),
                                   .qos = qos};

    return mqtt_client_publish(&s->client, &message, NULL);
}

uint16_t script_publish_with(struct script *s, const char *topic,
                             const char *payload, enum mqtt_qos qos,
                             const void *properties, size_t size)
{
    struct mqtt_message message = {.topic_name = mqtt_text(topic),
                                   .payload = mqtt_text(payload),
                                   .qos = qos,
                                   .properties = {properties, size}};
    uint16_t identifier = 0;

    assert_int_equal(mqtt_client_publish(&s->client, &message, &identifier),
                     MQTT_OK);
    assert_int_equal(identifier != 0, qos != MQTT_QOS_0);
    return identifier;
}

uint16_t publish(struct script *s, const char *topic, const char *payload,
                 enum mqtt_qos qos)
{
    return script_publish_with(s, topic, payload, qos, NULL, 0);
}

uint16_t publish_sent(struct script *s, const char *topic, const char *payload,
                      enum mqtt_qos qos)
{
    uint16_t identifier = publish(s, topic, payload, qos);

    discard_sent(s);
    return identifier;
}

void subscribed(struct script *s, struct mqtt_subscription *subscription)
{
    const struct packet *packet;

    assert_int_equal(mqtt_subscribe(&s->client, subscription), MQTT_OK);
    packet = expect_packet(s, 0x82, 0);
    server_suback(s, packet->identifier, (uint8_t)subscription->maximum_qos);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, subscription);
}

/* ---- a test and its clients ---------------------------------------------- */

static uint32_t scripted_random(void *context)
{
    struct script *s = context;

    s->random_calls++;
    return s->random_bits;
}

struct script *script_new(const struct wire *wire)
{
    struct script *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->wire = wire;
    s->now = 1000;
    s->server.address = "server.test";
    s->config.protocol = &mqtt_protocol_3_1_1;
    s->config.connect.client_identifier = mqtt_text("c");
    s->config.servers = &s->server;
    s->config.server_count = 1;
    s->config.random = scripted_random;
    s->config.random_context = s;
    s->config.context = s;
    s->memory.outbox_size = 1024;
    s->memory.slot_count = 16;
    s->memory.control_size = 128;
    s->memory.input_size = 256;
    s->with_bits = true;
    return s;
}

/* Exactly so much, filled with what nobody expects. */
static void *lend(size_t size)
{
    void *memory = size ? malloc(size) : NULL;

    if (size) {
        assert_non_null(memory);
        memset(memory, 0xA5, size);
    }
    return memory;
}

enum mqtt_error start_as(struct script *s)
{
    enum mqtt_error error;

    assert_false(s->started);
    s->memory.outbox = lend(s->memory.outbox_size);
    s->memory.slots = lend(s->memory.slot_count * sizeof(struct mqtt_slot));
    s->memory.control = lend(s->memory.control_size);
    s->memory.input = lend(s->memory.input_size);
    s->memory.received_bits = s->with_bits ? calloc(1, 8192) : NULL;
    s->memory.received_list = lend(s->memory.received_count * sizeof(uint16_t));
    s->memory.unsettled =
        lend(s->memory.unsettled_count * sizeof(struct mqtt_unsettled));
    s->memory.alias_topics =
        lend(s->memory.alias_topic_count * sizeof(struct mqtt_alias));
    s->memory.alias_names = lend(s->memory.alias_names_size);
    s->memory.identifier = lend(s->memory.identifier_size);
    s->memory.released = lend(s->memory.released_count * sizeof(uint16_t));
    memset(&s->client, 0xA5, sizeof(s->client));
    error =
        mqtt_client_init(&s->client, sizeof(s->client), &s->config, &s->memory);
    s->started = true;
    if (!error)
        mqtt_client_tick(&s->client, s->now);
    return error;
}

void start(struct script *s)
{
    assert_int_equal(start_as(s), MQTT_OK);
}

/* What was lent is ours again; the sizes stay as they were chosen. */
static void stop(struct script *s)
{
    free(s->memory.outbox);
    free(s->memory.slots);
    free(s->memory.control);
    free(s->memory.input);
    free(s->memory.received_bits);
    free(s->memory.received_list);
    free(s->memory.unsettled);
    free(s->memory.alias_topics);
    free(s->memory.alias_names);
    free(s->memory.identifier);
    free(s->memory.released);
    free(s->lent);
    s->memory.outbox = s->memory.control = s->memory.input = NULL;
    s->memory.slots = NULL;
    s->memory.received_bits = NULL;
    s->memory.received_list = NULL;
    s->memory.unsettled = NULL;
    s->memory.alias_topics = NULL;
    s->memory.alias_names = s->memory.identifier = NULL;
    s->memory.released = NULL;
    s->lent = NULL;
    s->started = false;
}

void script_restart(struct script *s)
{
    stop(s);
    forget_connection(s);
    s->to_server.size = 0;
    s->blocked = false;
}

void script_free(struct script *s)
{
    stop(s);
    row_free(&s->to_client);
    row_free(&s->to_server);
    row_free(&s->partial);
    row_free(&s->packet_bytes);
    free(s);
}

static int set_up(void **state)
{
    *state = script_new(*state);
    return 0;
}

static int tear_down(void **state)
{
    script_free(*state);
    return 0;
}

/* "test_x" over "whole" is reported as "test_x [whole]". */
static struct CMUnitTest over(const struct CMUnitTest *test,
                              const struct wire *wire)
{
    struct CMUnitTest result = *test;
    size_t size = strlen(test->name) + strlen(wire->name) + 4;
    char *name = malloc(size);

    assert_non_null(name);
    snprintf(name, size, "%s [%s]", test->name, wire->name);
    result.name = name;
    result.setup_func = set_up;
    result.teardown_func = tear_down;
    result.initial_state = (void *)(uintptr_t)wire;
    return result;
}

int script_run_tests(const char *name, const struct CMUnitTest *tests,
                     size_t count)
{
    size_t total = count * WIRE_COUNT;
    struct CMUnitTest *all = calloc(total, sizeof(*all));
    int failed;

    for (size_t i = 0; all && i < total; i++)
        all[i] = over(&tests[i / WIRE_COUNT], wires[i % WIRE_COUNT]);
    failed = _cmocka_run_group_tests(name, all, total, NULL, NULL);
    /* Else lost, when the leak checker ends a program that failed. */
    fflush(stdout);
    for (size_t i = 0; all && i < total; i++)
        free((void *)(uintptr_t)all[i].name);
    free(all);
    return failed;
}
