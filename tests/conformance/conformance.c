/*
 * conformance.c - runs tests in the versions that they name.
 */
#include "conformance.h"

static const struct version {
    const char *name;
    const struct mqtt_protocol *protocol;
} versions[] = {
    {"3.1.1", &mqtt_protocol_3_1_1},
    {"5.0", &mqtt_protocol_5_0},
};
#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static const struct wire *const wires[] = {&wire_whole, &wire_bytes, &wire_lent,
                                           &wire_kept};
#define WIRES (sizeof(wires) / sizeof(wires[0]))

/* What a case is run with. */
struct setting {
    const struct version *version;
    const struct wire *wire;
};

static const struct version *running; /* the version of the case that runs */

struct script *conformance_script(const struct wire *wire)
{
    struct script *s = script_new(wire);

    s->config.protocol = running->protocol;
    return s;
}

static int set_up(void **state)
{
    const struct setting *setting = *state;

    running = setting->version;
    *state = conformance_script(setting->wire);
    return 0;
}

static int tear_down(void **state)
{
    script_free(*state);
    return 0;
}

/* ---- what the client has sent -------------------------------------------- */

bool same_span(struct mqtt_span a, struct mqtt_span b)
{
    return !a.data == !b.data && a.size == b.size &&
           (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

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

static struct mqtt_span take_field(struct cursor *c)
{
    return take(c, take_number(c));
}

/* A variable byte integer. */
static size_t take_length(struct cursor *c)
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
    return length;
}

static struct mqtt_span take_properties(struct cursor *c, uint8_t level)
{
    return level == 5 ? take(c, take_length(c)) : (struct mqtt_span){NULL, 0};
}

struct sent_connect take_connect(struct script *s)
{
    const struct packet *packet = expect_packet(s, 0x10, 0);
    struct cursor c = {packet->bytes + 1, packet->bytes + packet->size};
    struct sent_connect connect = {.level = 0};

    take_length(&c);
    connect.protocol_name = take_field(&c);
    connect.level = take_byte(&c);
    connect.flags = take_byte(&c);
    connect.keep_alive = take_number(&c);
    connect.properties = take_properties(&c, connect.level);
    connect.client_identifier = take_field(&c);
    if (connect.flags & 0x04) {
        connect.will_properties = take_properties(&c, connect.level);
        connect.will_topic = take_field(&c);
        connect.will_payload = take_field(&c);
    }
    if (connect.flags & 0x80)
        connect.user_name = take_field(&c);
    if (connect.flags & 0x40)
        connect.password = take_field(&c);
    assert_ptr_equal(c.at, c.end);
    return connect;
}

/* ---- what a server may not send ------------------------------------------ */

/* What DISCONNECT of 5.0 says of an error [5.0, section 4.13]. */
static uint8_t reason_of(enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_PACKET_FLAGS:
    case MQTT_ERR_REMAINING_LENGTH:
    case MQTT_ERR_TRUNCATED:
    case MQTT_ERR_TRAILING_BYTES:
    case MQTT_ERR_RECEIVED_QOS:
    case MQTT_ERR_RECEIVED_TOPIC:
    case MQTT_ERR_CONNACK_FLAGS:
    case MQTT_ERR_RECEIVED_PROPERTY:
        return 0x81; /* Malformed Packet */
    case MQTT_ERR_RECEIVE_MAXIMUM:
        return 0x93; /* Receive Maximum exceeded */
    case MQTT_ERR_TOPIC_ALIAS:
        return 0x94; /* Topic Alias invalid */
    case MQTT_ERR_PACKET_TOO_LARGE:
        return 0x95; /* Packet too large */
    default:
        return 0x82; /* Protocol Error */
    }
}

void conformance_violation(struct script *s, enum mqtt_error error,
                           const char *file, int line)
{
    /* What the server says itself is not answered. */
    bool told = speaks_5_0(s) && error != MQTT_ERR_REFUSED &&
                error != MQTT_ERR_DISCONNECT_PACKET;

    script_fatal(s, error, file, line);
    if (s->seen_disconnect != told)
        print_error("DISCONNECT has %sleft\n",
                    s->seen_disconnect ? "" : "not ");
    else if (s->seen_disconnect && s->disconnect_code != reason_of(error))
        print_error("DISCONNECT says %02x\n", s->disconnect_code);
    else
        return;
    _fail(file, line);
}

/* ---- 5.0 ----------------------------------------------------------------- */

void conformance_violation_told(struct script *s, enum mqtt_error error,
                                uint8_t code, const char *file, int line)
{
    script_fatal(s, error, file, line);
    if (s->seen_disconnect != speaks_5_0(s)) {
        print_error(s->seen_disconnect ? "there was a DISCONNECT\n"
                                       : "there was no DISCONNECT\n");
        _fail(file, line);
    }
    if (s->seen_disconnect && s->disconnect_code != code) {
        print_error("expected DISCONNECT %02x, it was %02x\n", code,
                    s->disconnect_code);
        _fail(file, line);
    }
}

/* ---- text ---------------------------------------------------------------- */

#define GOOD(literal)                                                          \
    {                                                                          \
        MQTT_TEXT(literal), true                                               \
    }
#define BAD(literal)                                                           \
    {                                                                          \
        MQTT_TEXT(literal), false                                              \
    }

const struct text texts[] = {
    GOOD("a"),
    GOOD("\x01"),             /* U+0001: a control character may be there */
    GOOD("\x7F"),             /* U+007F: the last of one byte */
    GOOD("\xC2\x80"),         /* U+0080: the first of two bytes */
    GOOD("\xDF\xBF"),         /* U+07FF: the last of two bytes */
    GOOD("\xE0\xA0\x80"),     /* U+0800: the first of three bytes */
    GOOD("\xED\x9F\xBF"),     /* U+D7FF: the last before the surrogates */
    GOOD("\xEE\x80\x80"),     /* U+E000: the first after the surrogates */
    GOOD("\xEF\xBB\xBF"),     /* U+FEFF: the byte order mark */
    GOOD("\xEF\xBF\xBF"),     /* U+FFFF: a non-character may be there */
    GOOD("\xF0\x90\x80\x80"), /* U+10000: the first of four bytes */
    GOOD("\xF4\x8F\xBF\xBF"), /* U+10FFFF: the last there is */
    BAD("\0"),                /* U+0000 alone */
    BAD("a\0b"),              /* U+0000 between others */
    BAD("ab\0"),              /* U+0000 at the end */
    BAD("\x80"),              /* a continuation alone */
    BAD("a\xBF"),             /* a continuation after ASCII */
    BAD("\xC2"),              /* two bytes, one there */
    BAD("\xC2/"),             /* two bytes, the second is none */
    BAD("\xC0\x80"),          /* U+0000 in two bytes */
    BAD("\xC0\xAF"),          /* '/' in two bytes */
    BAD("\xC1\xBF"),          /* U+007F in two bytes */
    BAD("\xE0\x80\x80"),      /* U+0000 in three bytes */
    BAD("\xE0\x9F\xBF"),      /* U+07FF in three bytes */
    BAD("\xE2\x82"),          /* three bytes, two there */
    BAD("\xE2/\xA1"),         /* three bytes, the second is none */
    BAD("\xE2\x82/"),         /* three bytes, the third is none */
    BAD("\xED\xA0\x80"),      /* U+D800: the first surrogate */
    BAD("\xED\xAF\xBF"),      /* U+DBFF: the last high surrogate */
    BAD("\xED\xB0\x80"),      /* U+DC00: the first low surrogate */
    BAD("\xED\xBF\xBF"),      /* U+DFFF: the last surrogate */
    BAD("\xED\xA0\xBD\xED\xB8\x80"), /* a pair of surrogates */
    BAD("\xF0\x80\x80\x80"),         /* U+0000 in four bytes */
    BAD("\xF0\x8F\xBF\xBF"),         /* U+FFFF in four bytes */
    BAD("\xF0\x9F\x98"),             /* four bytes, three there */
    BAD("\xF4\x90\x80\x80"),         /* U+110000 */
    BAD("\xF5\x80\x80\x80"),         /* beyond */
    BAD("\xF8\x88\x80\x80\x80"),     /* five bytes */
    BAD("\xFE"),
    BAD("\xFF"),
    {{NULL, 0}, false},
};

/* ---- tests and versions -------------------------------------------------- */

static bool names(const struct conformance_test *test,
                  const struct version *version)
{
    size_t size = strlen(version->name);

    for (const char *const *at = test->statements; *at; at++)
        if (strncmp(*at, version->name, size) == 0 &&
            ((*at)[size] == ' ' || !(*at)[size]))
            return true;
    return false;
}

static void list(const struct conformance_test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (const char *const *at = tests[i].statements; *at; at++)
            if (strchr(*at, ' '))
                printf("%s %s\n", *at, tests[i].name);
}

/* "test_x" in "3.1.1" over "whole" is reported as "test_x [3.1.1, whole]". */
static struct CMUnitTest in(const struct conformance_test *test,
                            struct setting *setting)
{
    struct CMUnitTest result = {.test_func = test->test,
                                .setup_func = set_up,
                                .teardown_func = tear_down,
                                .initial_state = setting};
    size_t size = strlen(test->name) + strlen(setting->version->name) +
                  strlen(setting->wire->name) + 6;
    char *name = malloc(size);

    assert_non_null(name);
    snprintf(name, size, "%s [%s, %s]", test->name, setting->version->name,
             setting->wire->name);
    result.name = name;
    return result;
}

int conformance_run_tests(int argc, char **argv, const char *name,
                          const struct conformance_test *tests, size_t count)
{
    struct setting settings[VERSIONS * WIRES];
    struct CMUnitTest *all = calloc(count * VERSIONS * WIRES, sizeof(*all));
    size_t total = 0;
    int failed;

    if (argc > 1 && strcmp(argv[1], "--statements") == 0) {
        list(tests, count);
        free(all);
        return 0;
    }
    for (size_t v = 0; v < VERSIONS; v++)
        for (size_t w = 0; w < WIRES; w++)
            settings[v * WIRES + w] = (struct setting){&versions[v], wires[w]};
    for (size_t i = 0; all && i < count; i++)
        for (size_t v = 0; v < VERSIONS; v++)
            for (size_t w = 0; w < (tests[i].once ? 1 : WIRES); w++)
                if (names(&tests[i], &versions[v]))
                    all[total++] = in(&tests[i], &settings[v * WIRES + w]);
    failed = _cmocka_run_group_tests(name, all, total, NULL, NULL);
    /* Else lost, when the leak checker ends a program that failed. */
    fflush(stdout);
    for (size_t i = 0; i < total; i++)
        free((void *)(uintptr_t)all[i].name);
    free(all);
    return failed;
}
