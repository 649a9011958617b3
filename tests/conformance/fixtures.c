/*
 * fixtures.c - the packets that a server sends, byte by byte: whole, in pieces,
 * cut off, damaged. To add a packet, add a row to `fixtures`.
 *
 * What the client makes of bytes is written down as text, its verdict; it must
 * be the same however the bytes are cut into pieces.
 */
#include "conformance.h"

/* ---- situations in which bytes come -------------------------------------- */

static struct mqtt_subscription nodes[2];

static void await_connack(struct script *s)
{
    start(s);
    connects(s);
}

/* CONNECT had Authentication Method "m". */
static void await_auth(struct script *s)
{
    static const uint8_t method[] = {0x15, 0x00, 0x01, 'm'};

    s->config.connect.properties = (struct mqtt_span){method, sizeof(method)};
    await_connack(s);
}

/* Topic Alias 1 is "a". */
static void alias_known(struct script *s)
{
    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 64;
    connected(s);
    server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0x00, 0x01);
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
}

static void idle(struct script *s)
{
    connected(s);
}

static void qos_1_open(struct script *s)
{
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
}

static void qos_2_open(struct script *s)
{
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
}

static void released(struct script *s)
{
    qos_2_open(s);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
}

static void qos_2_received(struct script *s)
{
    connected(s);
    server_publishes(s, 0x34, "a", 1, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
}

static void subscribe_open(struct script *s)
{
    start(s);
    for (int i = 0; i < 2; i++) {
        nodes[i] = (struct mqtt_subscription){.topic_filter =
                                                  mqtt_text(i ? "b" : "a")};
        assert_int_equal(mqtt_subscribe(&s->client, &nodes[i]), MQTT_OK);
    }
    connected(s);
}

static void unsubscribe_open(struct script *s)
{
    connected(s);
    nodes[0] = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("a")};
    subscribed(s, &nodes[0]);
    assert_int_equal(mqtt_unsubscribe(&s->client, &nodes[0]), MQTT_OK);
}

static void ping_open(struct script *s)
{
    connected(s);
    elapse(s, 60000);
}

static void draining(struct script *s)
{
    qos_1_open(s);
    assert_int_equal(mqtt_disconnect(&s->client, 60000), MQTT_OK);
}

static void ending(struct script *s)
{
    qos_1_open(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
}

static void (*const situations[])(struct script *s) = {
    await_connack, idle,           qos_1_open,     qos_2_open,
    released,      qos_2_received, subscribe_open, unsubscribe_open,
    ping_open,     draining,       ending,
};
#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))

/* ---- the packets --------------------------------------------------------- */

struct bits {
    size_t at;
    uint8_t mask;
};

struct fixture {
    const char *name;
    unsigned version; /* 311 or 500 */
    void (*prepare)(struct script *s);
    enum mqtt_event_type event;  /* that comes of it; 0: none */
    uint8_t answer;              /* first byte of what is sent; 0: none */
    const struct bits *reserved; /* bits that have to be 0; mask 0 ends */
    const uint8_t *bytes;
    size_t size;
};

#define BYTES(...)                                                             \
    .bytes = (const uint8_t[]){__VA_ARGS__},                                   \
    .size = sizeof((const uint8_t[]){__VA_ARGS__})
#define RESERVED(...)                                                          \
    .reserved = (const struct bits[])                                          \
    {                                                                          \
        __VA_ARGS__,                                                           \
        {                                                                      \
            0, 0                                                               \
        }                                                                      \
    }

/* clang-format off */
static const struct fixture fixtures[] = {
    {"CONNACK", 311, await_connack, MQTT_EVENT_CONNECTED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x02,              /* remaining length */
           0x00,              /* flags: no session present */
           0x00)},            /* return code: accepted */
    {"CONNACK, session present", 311, await_connack, MQTT_EVENT_CONNECTED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x02,              /* remaining length */
           0x01,              /* flags: session present */
           0x00)},            /* return code: accepted */
    {"CONNACK, refused", 311, await_connack, MQTT_EVENT_DISCONNECTED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x02,              /* remaining length */
           0x00,              /* flags: no session present */
           0x05)},            /* return code: not authorised */
    {"PUBLISH, QoS 0", 311, idle, MQTT_EVENT_MESSAGE, 0,
     RESERVED({0, 0x00}),
     BYTES(0x30,              /* PUBLISH, QoS 0 */
           0x08,              /* remaining length */
           0x00, 0x03,        /* topic name length */
           'a', '/', 'b',     /* topic name */
           'h', 'e', 'y')},   /* payload */
    {"PUBLISH, QoS 0, RETAIN, no payload", 311, idle, MQTT_EVENT_MESSAGE, 0,
     RESERVED({0, 0x00}),
     BYTES(0x31,              /* PUBLISH, QoS 0, RETAIN */
           0x03,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a')},             /* topic name */
    {"PUBLISH, QoS 1", 311, idle, MQTT_EVENT_MESSAGE, 0x40,
     RESERVED({0, 0x00}),
     BYTES(0x32,              /* PUBLISH, QoS 1 */
           0x07,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a',               /* topic name */
           0x12, 0x34,        /* packet identifier */
           'h', 'i')},        /* payload */
    {"PUBLISH, QoS 2", 311, idle, MQTT_EVENT_MESSAGE, 0x50,
     RESERVED({0, 0x00}),
     BYTES(0x34,              /* PUBLISH, QoS 2 */
           0x07,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a',               /* topic name */
           0x12, 0x34,        /* packet identifier */
           'h', 'i')},        /* payload */
    {"PUBLISH, QoS 2, DUP", 311, qos_2_received, 0, 0x50,
     RESERVED({0, 0x00}),
     BYTES(0x3C,              /* PUBLISH, QoS 2, DUP */
           0x06,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a',               /* topic name */
           0x00, 0x01,        /* packet identifier */
           'x')},             /* payload */
    {"PUBLISH, length in four bytes", 311, idle, MQTT_EVENT_MESSAGE, 0,
     RESERVED({0, 0x00}),
     BYTES(0x30,              /* PUBLISH, QoS 0 */
           0x86, 0x80, 0x80, 0x00, /* remaining length */
           0x00, 0x03,        /* topic name length */
           0xE2, 0x82, 0xAC,  /* topic name: U+20AC */
           'x')},             /* payload */
    {"PUBACK", 311, qos_1_open, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x40,              /* PUBACK */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBREC", 311, qos_2_open, 0, 0x62,
     RESERVED({0, 0x0F}),
     BYTES(0x50,              /* PUBREC */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBREL", 311, qos_2_received, 0, 0x70,
     RESERVED({0, 0x0D}),
     BYTES(0x62,              /* PUBREL */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBCOMP", 311, released, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x70,              /* PUBCOMP */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"SUBACK", 311, subscribe_open, MQTT_EVENT_SUBSCRIBED, 0,
     RESERVED({0, 0x0F}, {4, 0x7C}, {5, 0x7C}),
     BYTES(0x90,              /* SUBACK */
           0x04,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x00,              /* granted: QoS 0 */
           0x80)},            /* refused */
    {"UNSUBACK", 311, unsubscribe_open, MQTT_EVENT_UNSUBSCRIBED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xB0,              /* UNSUBACK */
           0x02,              /* remaining length */
           0x00, 0x02)},      /* packet identifier */
    {"PINGRESP", 311, ping_open, 0, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xD0,              /* PINGRESP */
           0x00)},            /* remaining length */
    {"CONNACK", 500, await_connack, MQTT_EVENT_CONNECTED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x03,              /* remaining length */
           0x01,              /* flags: session present */
           0x00,              /* reason code: Success */
           0x00)},            /* property length */
    {"CONNACK with properties", 500, await_connack, MQTT_EVENT_CONNECTED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x32,              /* remaining length */
           0x00,              /* flags */
           0x00,              /* reason code: Success */
           0x2F,              /* property length */
           0x11, 0x00, 0x00, 0x00, 0x3C, /* Session Expiry Interval */
           0x21, 0x00, 0x14,  /* Receive Maximum */
           0x24, 0x01,        /* Maximum QoS */
           0x25, 0x01,        /* Retain Available */
           0x27, 0x00, 0x01, 0x00, 0x00, /* Maximum Packet Size */
           0x22, 0x00, 0x05,  /* Topic Alias Maximum */
           0x1F, 0x00, 0x01, 'r', /* Reason String */
           0x26, 0x00, 0x01, 'n', 0x00, 0x01, 'v', /* User Property */
           0x28, 0x01,        /* Wildcard Subscription Available */
           0x29, 0x00,        /* Subscription Identifiers Available */
           0x2A, 0x01,        /* Shared Subscription Available */
           0x13, 0x00, 0x1E,  /* Server Keep Alive */
           0x1C, 0x00, 0x04, 'h', 'o', 's', 't')}, /* Server Reference */
    {"CONNACK, refused", 500, await_connack, MQTT_EVENT_REFUSED, 0,
     RESERVED({0, 0x0F}, {2, 0xFE}),
     BYTES(0x20,              /* CONNACK */
           0x07,              /* remaining length */
           0x00,              /* flags */
           0x87,              /* reason code: Not authorized */
           0x04,              /* property length */
           0x1F, 0x00, 0x01, 'r')}, /* Reason String */
    {"AUTH", 500, await_auth, MQTT_EVENT_AUTHENTICATION, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xF0,              /* AUTH */
           0x0B,              /* remaining length */
           0x18,              /* reason code: Continue authentication */
           0x09,              /* property length */
           0x15, 0x00, 0x01, 'm', /* Authentication Method */
           0x16, 0x00, 0x02, 0x00, 0xFF)}, /* Authentication Data */
    {"PUBLISH, QoS 0", 500, idle, MQTT_EVENT_MESSAGE, 0,
     RESERVED({0, 0x00}),
     BYTES(0x30,              /* PUBLISH, QoS 0 */
           0x09,              /* remaining length */
           0x00, 0x03,        /* topic name length */
           'a', '/', 'b',     /* topic name */
           0x00,              /* property length */
           'h', 'e', 'y')},   /* payload */
    {"PUBLISH, QoS 1, with properties", 500, idle, MQTT_EVENT_MESSAGE, 0x40,
     RESERVED({0, 0x00}),
     BYTES(0x33,              /* PUBLISH, QoS 1, RETAIN */
           0x2B,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a',               /* topic name */
           0x12, 0x34,        /* packet identifier */
           0x23,              /* property length */
           0x01, 0x01,        /* Payload Format Indicator */
           0x02, 0x00, 0x00, 0x00, 0x3C, /* Message Expiry Interval */
           0x03, 0x00, 0x01, 't', /* Content Type */
           0x08, 0x00, 0x03, 'r', '/', 't', /* Response Topic */
           0x09, 0x00, 0x02, 0x00, 0xFF, /* Correlation Data */
           0x0B, 0x01,        /* Subscription Identifier */
           0x0B, 0x80, 0x01,  /* Subscription Identifier */
           0x26, 0x00, 0x01, 'n', 0x00, 0x02, 'v', 'w', /* User Property */
           'h', 'i')},        /* payload */
    {"PUBLISH, QoS 2", 500, idle, MQTT_EVENT_MESSAGE, 0x50,
     RESERVED({0, 0x00}),
     BYTES(0x34,              /* PUBLISH, QoS 2 */
           0x08,              /* remaining length */
           0x00, 0x01,        /* topic name length */
           'a',               /* topic name */
           0x12, 0x34,        /* packet identifier */
           0x00,              /* property length */
           'h', 'i')},        /* payload */
    {"PUBLISH with an alias", 500, alias_known, MQTT_EVENT_MESSAGE, 0,
     RESERVED({0, 0x00}),
     BYTES(0x30,              /* PUBLISH, QoS 0 */
           0x07,              /* remaining length */
           0x00, 0x00,        /* topic name length */
           0x03,              /* property length */
           0x23, 0x00, 0x01,  /* Topic Alias */
           'x')},             /* payload */
    {"PUBACK", 500, qos_1_open, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x40,              /* PUBACK */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBACK with a code", 500, qos_1_open, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x40,              /* PUBACK */
           0x03,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x10)},            /* No matching subscribers */
    {"PUBACK with properties", 500, qos_1_open, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x40,              /* PUBACK */
           0x0F,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x97,              /* Quota exceeded */
           0x0B,              /* property length */
           0x1F, 0x00, 0x01, 'r', /* Reason String */
           0x26, 0x00, 0x01, 'n', 0x00, 0x01, 'v')}, /* User Property */
    {"PUBREC", 500, qos_2_open, 0, 0x62,
     RESERVED({0, 0x0F}),
     BYTES(0x50,              /* PUBREC */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBREC with properties", 500, qos_2_open, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x50,              /* PUBREC */
           0x08,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x87,              /* Not authorized */
           0x04,              /* property length */
           0x1F, 0x00, 0x01, 'r')}, /* Reason String */
    {"PUBREL", 500, qos_2_received, 0, 0x70,
     RESERVED({0, 0x0D}),
     BYTES(0x62,              /* PUBREL */
           0x02,              /* remaining length */
           0x00, 0x01)},      /* packet identifier */
    {"PUBREL with a code", 500, idle, 0, 0x70,
     RESERVED({0, 0x0D}),
     BYTES(0x62,              /* PUBREL */
           0x04,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x92,              /* Packet Identifier not found */
           0x00)},            /* property length */
    {"PUBCOMP", 500, released, MQTT_EVENT_PUBLISHED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x70,              /* PUBCOMP */
           0x03,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x00)},            /* Success */
    {"SUBACK", 500, subscribe_open, MQTT_EVENT_SUBSCRIBED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0x90,              /* SUBACK */
           0x09,              /* remaining length */
           0x00, 0x01,        /* packet identifier */
           0x04,              /* property length */
           0x1F, 0x00, 0x01, 'r', /* Reason String */
           0x00,              /* Granted QoS 0 */
           0x87)},            /* Not authorized */
    {"UNSUBACK", 500, unsubscribe_open, MQTT_EVENT_UNSUBSCRIBED, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xB0,              /* UNSUBACK */
           0x04,              /* remaining length */
           0x00, 0x02,        /* packet identifier */
           0x00,              /* property length */
           0x11)},            /* No subscription existed */
    {"PINGRESP", 500, ping_open, 0, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xD0,              /* PINGRESP */
           0x00)},            /* remaining length */
    {"DISCONNECT", 500, idle, MQTT_EVENT_SERVER_DISCONNECT, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xE0,              /* DISCONNECT */
           0x00)},            /* remaining length */
    {"DISCONNECT with properties", 500, idle, MQTT_EVENT_SERVER_DISCONNECT, 0,
     RESERVED({0, 0x0F}),
     BYTES(0xE0,              /* DISCONNECT */
           0x0D,              /* remaining length */
           0x9C,              /* Use another server */
           0x0B,              /* property length */
           0x1F, 0x00, 0x01, 'r', /* Reason String */
           0x1C, 0x00, 0x04, 'h', 'o', 's', 't')}, /* Server Reference */
};
/* clang-format on */
#define FIXTURES (sizeof(fixtures) / sizeof(fixtures[0]))

/* First bytes that a server may send at all, by version. */
static bool may_come(bool v5, unsigned first_byte)
{
    switch (first_byte >> 4) {
    case 2:  /* CONNACK */
    case 4:  /* PUBACK */
    case 5:  /* PUBREC */
    case 7:  /* PUBCOMP */
    case 9:  /* SUBACK */
    case 11: /* UNSUBACK */
    case 13: /* PINGRESP */
        return (first_byte & 0x0F) == 0;
    case 3: /* PUBLISH: QoS 0 without DUP, 1, 2 */
        return (first_byte & 0x06) != 0x06 && (first_byte & 0x0E) != 0x08;
    case 6: /* PUBREL */
        return first_byte == 0x62;
    case 14: /* DISCONNECT */
    case 15: /* AUTH */
        return v5 && (first_byte & 0x0F) == 0;
    default:
        return false;
    }
}

/* ---- a conversation, and what came of it --------------------------------- */

struct verdict {
    char text[2048];
    size_t length;
    enum mqtt_event_type first_event; /* 0: none */
    enum mqtt_error error;            /* of the end */
    bool ended;
    unsigned events;
    uint8_t answer; /* first byte of what was sent first; 0: nothing */
};

static void note(struct verdict *verdict, const char *format, ...)
{
    size_t room = sizeof(verdict->text) - verdict->length;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(verdict->text + verdict->length, room, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < room);
    verdict->length += (size_t)size;
}

static void note_span(struct verdict *verdict, struct mqtt_span span)
{
    const uint8_t *bytes = span.data;

    for (size_t i = 0; i < span.size; i++)
        note(verdict, "%02x", bytes[i]);
    note(verdict, "; ");
}

static void note_event(struct verdict *verdict, const struct mqtt_event *event)
{
    if (!verdict->events++)
        verdict->first_event = event->type;
    note(verdict, "%s ", event_name(event->type));
    switch (event->type) {
    case MQTT_EVENT_MESSAGE:
        note(verdict, "QoS %d retain %d dup %d id %u; ", event->message.qos,
             event->message.retain, event->message.dup,
             event->packet_identifier);
        note_span(verdict, event->message.topic_name);
        note_span(verdict, event->message.payload);
        note_span(verdict, event->message.properties);
        break;
    case MQTT_EVENT_MESSAGE_TOO_LARGE:
        note(verdict, "%u QoS %d", (unsigned)event->size, event->message.qos);
        break;
    case MQTT_EVENT_PUBLISHED:
        note(verdict, "%u outcome %d code %u", event->packet_identifier,
             event->outcome, event->reason_code);
        break;
    case MQTT_EVENT_DISCONNECTED:
        verdict->ended = true;
        verdict->error = event->error;
        assert_true(event->error == MQTT_OK || event->error <= -64);
        /* fall through */
    default:
        note(verdict, "error %d code %u session %d", event->error,
             event->reason_code, event->session_present);
        note_span(verdict, event->properties);
    }
    note(verdict, "\n");
}

/* Let the client have what is on the wire, and close what it wants closed. */
static void listen(struct script *s, struct verdict *verdict)
{
    for (unsigned i = 0; i < 1000; i++) {
        memset(&s->event, 0, sizeof(s->event));
        if (mqtt_client_next(&s->client, &s->event)) {
            note_event(verdict, &s->event);
        } else if (mqtt_client_wants(&s->client) == MQTT_WANT_CLOSE) {
            s->to_client.size = 0;
            driver_closes(s);
        } else {
            script_drain(s);
            if (!script_feed(s))
                return;
        }
    }
    fail_msg("it goes round for ever");
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Sorted, for the order between kinds depends on when the network takes it. */
static void note_sent(struct verdict *verdict, struct script *s)
{
    char lines[32][32];
    size_t count = 0;

    while (next_packet(s)) {
        if (!count)
            verdict->answer = s->packet.first_byte;
        assert_true(count < 32);
        snprintf(lines[count++], sizeof(lines[0]), "%02x id %u code %02x",
                 s->packet.first_byte, s->packet.identifier,
                 s->packet.reason_code);
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++)
        note(verdict, "sent %s\n", lines[i]);
}

/* How bytes come: over a wire, the first `split` of them before the others;
 * then the server may close. */
struct plan {
    const struct wire *wire;
    size_t split;
    bool closes;
};

static struct verdict converse(void (*prepare)(struct script *s),
                               const uint8_t *bytes, size_t size,
                               struct plan plan)
{
    struct script *s = conformance_script(&wire_whole);
    struct verdict verdict = {.length = 0};

    s->memory.input_size = 64;
    prepare(s);
    discard_sent(s);
    s->wire = plan.wire;
    server_sends_span(s, bytes, plan.split);
    listen(s, &verdict);
    if (!verdict.ended) {
        server_sends_span(s, bytes + plan.split, size - plan.split);
        listen(s, &verdict);
    }
    if (!verdict.ended &&
        (plan.closes || mqtt_client_wants(&s->client) == MQTT_WANT_FINISH)) {
        server_closes(s);
        listen(s, &verdict);
    }
    if (!verdict.ended) /* else an answer may have been cut off */
        note_sent(&verdict, s);
    note(&verdict, "then %s\n",
         mqtt_client_state_text(mqtt_client_state(&s->client)));
    script_free(s);
    return verdict;
}

static void expect_same(void (*prepare)(struct script *s), const uint8_t *bytes,
                        size_t size, struct plan plan,
                        const struct verdict *expected)
{
    struct verdict verdict = converse(prepare, bytes, size, plan);

    if (strcmp(verdict.text, expected->text) == 0)
        return;
    for (size_t i = 0; i < size; i++)
        print_error("%02x ", bytes[i]);
    fail_msg("whole:\n%s%s, split at %u:\n%s", expected->text, plan.wire->name,
             (unsigned)plan.split, verdict.text);
}

/* The verdict on bytes that come whole, if it is the same in all other ways. */
static struct verdict judge(void (*prepare)(struct script *s),
                            const uint8_t *bytes, size_t size, bool closes)
{
    struct verdict whole = converse(prepare, bytes, size,
                                    (struct plan){&wire_whole, size, closes});

    for (size_t split = 1; split < size; split++)
        expect_same(prepare, bytes, size,
                    (struct plan){&wire_whole, split, closes}, &whole);
    expect_same(prepare, bytes, size, (struct plan){&wire_bytes, size, closes},
                &whole);
    expect_same(prepare, bytes, size,
                (struct plan){&wire_lent, size / 2, closes}, &whole);
    expect_same(prepare, bytes, size, (struct plan){&wire_kept, size, closes},
                &whole);
    return whole;
}

/* ---- the packets, whole and damaged -------------------------------------- */

static bool of_this_version(const struct script *s, const struct fixture *f)
{
    return speaks_5_0(s) == (f->version == 500);
}

static void test_each_packet_is_taken_however_it_is_cut(void **state)
{
    unsigned count = 0;

    for (const struct fixture *f = fixtures; f < fixtures + FIXTURES; f++) {
        struct verdict verdict;

        if (!of_this_version(*state, f))
            continue;
        verdict = judge(f->prepare, f->bytes, f->size, false);
        if (verdict.first_event != f->event || verdict.answer != f->answer)
            fail_msg("%s:\n%s", f->name, verdict.text);
        assert_int_equal(verdict.ended,
                         f->event == MQTT_EVENT_DISCONNECTED ||
                             f->event == MQTT_EVENT_REFUSED ||
                             f->event == MQTT_EVENT_SERVER_DISCONNECT);
        count++;
    }
    assert_true(count >= 15);
}

static void test_of_a_packet_that_is_cut_off_nothing_comes(void **state)
{
    for (const struct fixture *f = fixtures; f < fixtures + FIXTURES; f++)
        for (size_t size = 0; of_this_version(*state, f) && size < f->size;
             size++) {
            struct verdict verdict = judge(f->prepare, f->bytes, size, true);

            if (verdict.events != 1 || verdict.error != MQTT_ERR_CLOSED)
                fail_msg("%s, %u bytes:\n%s", f->name, (unsigned)size,
                         verdict.text);
        }
}

/* `bit` of the packet is flipped. */
static struct verdict judge_flipped(const struct fixture *f, size_t bit)
{
    uint8_t bytes[64];

    assert_true(f->size <= sizeof(bytes));
    memcpy(bytes, f->bytes, f->size);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    return judge(f->prepare, bytes, f->size, false);
}

static void test_each_reserved_bit_that_is_set_closes(void **state)
{
    unsigned count = 0;

    for (const struct fixture *f = fixtures; f < fixtures + FIXTURES; f++) {
        const struct bits *reserved = f->reserved;

        for (; of_this_version(*state, f) && reserved->mask; reserved++)
            for (size_t bit = 0; bit < 8; bit++) {
                struct verdict verdict;

                if (!(reserved->mask >> bit & 1))
                    continue;
                count++;
                verdict = judge_flipped(f, reserved->at * 8 + bit);
                if (!verdict.ended || verdict.events != 1 ||
                    verdict.error > MQTT_ERR_PACKET_TYPE ||
                    verdict.error <= MQTT_ERR_OPEN_TIMEOUT)
                    fail_msg("%s, bit %u of byte %u:\n%s", f->name,
                             (unsigned)bit, (unsigned)reserved->at,
                             verdict.text);
            }
    }
    assert_true(count >= 70);
}

/* Whatever a flipped bit means: it is the same, however the bytes come. */
static void test_each_bit_that_is_flipped_has_one_verdict(void **state)
{
    unsigned ends = 0;

    for (const struct fixture *f = fixtures; f < fixtures + FIXTURES; f++)
        for (size_t bit = 0; of_this_version(*state, f) && bit < f->size * 8;
             bit++)
            ends += judge_flipped(f, bit).ended;
    assert_true(ends > 100);
}

/* ---- all first bytes ----------------------------------------------------- */

/* With a body that suits acknowledgements, and alone: what may never come
 * closes in every situation, before the packet is whole. */
static void test_each_first_byte_in_each_situation(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < SITUATIONS; i++)
        for (unsigned first_byte = 0; first_byte < 256; first_byte++) {
            const uint8_t bytes[] = {(uint8_t)first_byte, 0x02, 0x00, 0x01};
            struct verdict whole = judge(situations[i], bytes, 4, false);
            struct verdict begin = judge(situations[i], bytes, 2, false);

            if (may_come(speaks_5_0(s), first_byte) || situations[i] == ending)
                continue;
            if (!whole.ended || whole.error > MQTT_ERR_PACKET_TYPE ||
                !begin.ended || begin.error != whole.error)
                fail_msg("%02x in situation %u:\n%s%s", first_byte, (unsigned)i,
                         whole.text, begin.text);
        }
}

/* Before CONNACK only CONNACK may come. AUTH may be in place, in 5.0; whether
 * it was asked for is seen when it is whole. */
static void test_each_first_byte_but_connack_closes_at_first(void **state)
{
    struct script *s = *state;

    for (unsigned first_byte = 0; first_byte < 256; first_byte++) {
        const uint8_t bytes[] = {(uint8_t)first_byte, 0x02, 0x00, 0x00};
        bool auth = speaks_5_0(s) && first_byte == 0xF0;
        struct verdict begin = judge(await_connack, bytes, 2, false);
        struct verdict whole = judge(await_connack, bytes, 4, false);

        if (begin.ended != (first_byte != 0x20 && !auth))
            fail_msg("%02x:\n%s", first_byte, begin.text);
        if (whole.ended != (first_byte != 0x20 || speaks_5_0(s)))
            fail_msg("%02x:\n%s", first_byte, whole.text);
    }
}

static const struct conformance_test tests[] = {
    also_in(test_each_packet_is_taken_however_it_is_cut, "3.1.1", "5.0"),
    also_in(test_of_a_packet_that_is_cut_off_nothing_comes, "3.1.1", "5.0"),
    proves_once(test_each_reserved_bit_that_is_set_closes, "3.1.1 MQTT-2.2.2-2",
                "3.1.1 MQTT-3.6.1-1", "3.1.1 MQTT-4.8.0-1", "5.0 MQTT-2.1.3-1",
                "5.0 MQTT-3.2.2-1", "5.0 MQTT-3.6.1-1"),
    also_in(test_each_bit_that_is_flipped_has_one_verdict, "3.1.1", "5.0"),
    proves_once(test_each_first_byte_in_each_situation, "3.1.1 MQTT-2.2.2-2",
                "3.1.1 MQTT-4.8.0-1", "5.0 MQTT-2.1.3-1", "5.0 MQTT-3.14.1-1",
                "5.0 MQTT-3.15.1-1"),
    proves_once(test_each_first_byte_but_connack_closes_at_first,
                "3.1.1 MQTT-3.2.0-1", "5.0 MQTT-3.2.0-1"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "fixtures", tests);
}
