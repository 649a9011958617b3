/*
 * hostile.c - whatever a server sends: no crash, and one verdict, however the
 * bytes are cut into pieces.
 *
 * A conversation is held several times: the bytes whole, split at every byte,
 * one by one, in lent memory and in our own. What the client made of them is
 * written down as text, and must be the same each time.
 */
#include "every.h"
#include "script.h"

/* ---- situations in which bytes may come ---------------------------------- */

static struct mqtt_subscription node;

static void await_connack(struct script *s)
{
    start(s);
    connects(s);
}

static void plain(struct script *s)
{
    connected(s);
}

static void subscribe_open(struct script *s)
{
    connected(s);
    memset(&node, 0, sizeof(node));
    node.topic_filter = mqtt_text("a");
    assert_int_equal(mqtt_subscribe(&s->client, &node), MQTT_OK);
}

static void unsubscribe_open(struct script *s)
{
    connected(s);
    memset(&node, 0, sizeof(node));
    node.topic_filter = mqtt_text("a");
    publish_sent(s, "a", "x", MQTT_QOS_1);
    subscribed(s, &node);
    assert_int_equal(mqtt_unsubscribe(&s->client, &node), MQTT_OK);
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

static void ping_open(struct script *s)
{
    connected(s);
    elapse(s, 60000);
}

static void ending(struct script *s)
{
    qos_1_open(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
}

static const struct situation {
    const char *name;
    void (*prepare)(struct script *s);
} situations[] = {
    {"await connack", await_connack},
    {"connected", plain},
    {"subscribe open", subscribe_open},
    {"unsubscribe open", unsubscribe_open},
    {"qos 1 open", qos_1_open},
    {"qos 2 open", qos_2_open},
    {"released", released},
    {"qos 2 received", qos_2_received},
    {"ping open", ping_open},
    {"ending", ending},
};
#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))

/* ---- what a server sends ------------------------------------------------- */

struct fixture {
    const char *name;
    size_t size;
    uint8_t bytes[40];
};

static const struct fixture fixtures[] = {
    {"CONNACK", 4, {0x20, 0x02, 0x00, 0x00}},
    {"CONNACK refused", 4, {0x20, 0x02, 0x00, 0x05}},
    {"PUBLISH 0", 8, {0x30, 0x06, 0x00, 0x03, 'a', '/', 'b', 'x'}},
    {"PUBLISH 0 empty", 5, {0x31, 0x03, 0x00, 0x01, 'a'}},
    {"PUBLISH 1", 9, {0x32, 0x07, 0x00, 0x01, 'a', 0x00, 0x01, 'x', 'y'}},
    {"PUBLISH 2", 9, {0x34, 0x07, 0x00, 0x01, 'a', 0x00, 0x02, 'x', 'y'}},
    {"PUBLISH 2 dup", 8, {0x3C, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, 'x'}},
    {"PUBLISH UTF-8",
     9,
     {0x30, 0x07, 0x00, 0x05, 0xC3, 0xA4, 0xE2, 0x82, 0xAC}},
    {"PUBLISH long form", 8, {0x30, 0x84, 0x80, 0x00, 0x00, 0x01, 'a', 'x'}},
    {"PUBLISH too large", 40, {0x32, 0x26, 0x00, 0x01, 'a', 0x00, 0x05}},
    {"PUBACK", 4, {0x40, 0x02, 0x00, 0x01}},
    {"PUBREC", 4, {0x50, 0x02, 0x00, 0x01}},
    {"PUBREL", 4, {0x62, 0x02, 0x00, 0x01}},
    {"PUBCOMP", 4, {0x70, 0x02, 0x00, 0x01}},
    {"SUBACK", 5, {0x90, 0x03, 0x00, 0x01, 0x00}},
    {"SUBACK refused", 5, {0x90, 0x03, 0x00, 0x01, 0x80}},
    {"UNSUBACK", 4, {0xB0, 0x02, 0x00, 0x03}},
    {"PINGRESP", 2, {0xD0, 0x00}},
    {"several", 22, {0x32, 0x05, 0x00, 0x01, 'a', 0x00, 0x01, /* PUBLISH */
                     0x40, 0x02, 0x00, 0x01,                  /* PUBACK */
                     0xD0, 0x00,                              /* PINGRESP */
                     0x30, 0x03, 0x00, 0x01, 'b',             /* PUBLISH */
                     0x62, 0x02, 0x00, 0x01}},                /* PUBREL */
};
#define FIXTURES (sizeof(fixtures) / sizeof(fixtures[0]))

/* ---- a conversation, and what came of it --------------------------------- */

struct verdict {
    char text[2048];
    size_t length;
    enum mqtt_error error; /* of the end; MQTT_OK: it did not end */
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
    note(verdict, " ");
}

static void note_event(struct verdict *verdict, const struct mqtt_event *event)
{
    note(verdict, "%s ", event_name(event->type));
    switch (event->type) {
    case MQTT_EVENT_MESSAGE:
        note(verdict, "q%d r%d d%d id %u ", event->message.qos,
             event->message.retain, event->message.dup,
             event->packet_identifier);
        note_span(verdict, event->message.topic_name);
        note_span(verdict, event->message.payload);
        break;
    case MQTT_EVENT_MESSAGE_TOO_LARGE:
        note(verdict, "%u q%d", (unsigned)event->size, event->message.qos);
        break;
    case MQTT_EVENT_PUBLISHED:
        note(verdict, "%u as %d", event->packet_identifier, event->outcome);
        break;
    case MQTT_EVENT_CONNECTED:
        note(verdict, "%d", event->session_present);
        break;
    case MQTT_EVENT_DISCONNECTED:
        assert_true(event->error == MQTT_OK || event->error <= -64);
        verdict->error = event->error;
        /* fall through */
    default:
        note(verdict, "%d %u", event->error, event->reason_code);
    }
    note(verdict, "\n");
}

/* Let the client have what is on the wire. */
static void listen(struct script *s, struct verdict *verdict)
{
    for (unsigned i = 0; i < 10000; i++) {
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

/* What was sent, sorted: the order between kinds depends on when the network
 * takes it, and so does whether two PUBRELs of one message become one. */
static void note_sent(struct verdict *verdict, struct script *s)
{
    static char lines[512][16];
    size_t count = 0;

    while (count < 512 && next_packet(s))
        snprintf(lines[count++], sizeof(lines[0]), "%02x %u",
                 s->packet.first_byte, s->packet.identifier);
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || memcmp(lines[i], "62", 2) != 0 ||
            strcmp(lines[i], lines[i - 1]) != 0)
            note(verdict, "sent %s\n", lines[i]);
}

struct plan {
    const struct wire *wire;
    size_t split; /* bytes of the first part */
};

static void converse(const struct situation *situation, const uint8_t *bytes,
                     size_t size, struct plan plan, struct verdict *verdict)
{
    struct script *s = script_new(&wire_whole);

    s->memory.input_size = 32;
    situation->prepare(s);
    discard_sent(s);
    s->wire = plan.wire;
    memset(verdict, 0, sizeof(*verdict));
    server_sends_span(s, bytes, plan.split);
    listen(s, verdict);
    if (!verdict->error) {
        server_sends_span(s, bytes + plan.split, size - plan.split);
        listen(s, verdict);
    }
    if (!verdict->error) /* else an acknowledgement may have been cut off */
        note_sent(verdict, s);
    note(verdict, "then %s\n",
         mqtt_client_state_text(mqtt_client_state(&s->client)));
    script_free(s);
}

static void expect_same(const struct situation *situation, const uint8_t *bytes,
                        size_t size, struct plan plan,
                        const struct verdict *expected)
{
    struct verdict verdict;

    converse(situation, bytes, size, plan, &verdict);
    if (strcmp(verdict.text, expected->text) == 0)
        return;
    print_error("%s:", situation->name);
    for (size_t i = 0; i < size; i++)
        print_error(" %02x", bytes[i]);
    fail_msg("whole:\n%s%s, split at %u:\n%s", expected->text, plan.wire->name,
             (unsigned)plan.split, verdict.text);
}

/* The verdict on bytes that come whole, and in every other way. */
static struct verdict judge(const struct situation *situation,
                            const uint8_t *bytes, size_t size)
{
    static struct verdict verdict;

    converse(situation, bytes, size, (struct plan){&wire_whole, size},
             &verdict);
    for (size_t split = 1; split < size; split++)
        expect_same(situation, bytes, size, (struct plan){&wire_whole, split},
                    &verdict);
    expect_same(situation, bytes, size, (struct plan){&wire_bytes, size},
                &verdict);
    expect_same(situation, bytes, size, (struct plan){&wire_lent, size / 2},
                &verdict);
    expect_same(situation, bytes, size, (struct plan){&wire_kept, size},
                &verdict);
    return verdict;
}

/* ---- every packet, whole and damaged ------------------------------------- */

static void test_every_packet_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < SITUATIONS; i++)
        for (size_t f = 0; f < FIXTURES; f++)
            judge(&situations[i], fixtures[f].bytes, fixtures[f].size);
}

static void test_every_packet_truncated_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < SITUATIONS; i++)
        for (size_t f = 0; f < FIXTURES; f++)
            for (size_t size = 0; size < fixtures[f].size; size++)
                judge(&situations[i], fixtures[f].bytes, size);
}

static void flip_each_bit(const struct situation *situation,
                          const struct fixture *fixture)
{
    uint8_t bytes[sizeof(fixture->bytes)];

    for (size_t bit = 0; bit < fixture->size * 8 && bit < 100; bit++) {
        memcpy(bytes, fixture->bytes, fixture->size);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        judge(situation, bytes, fixture->size);
    }
}

static void test_every_packet_with_each_bit_flipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < SITUATIONS; i++)
        for (size_t f = 0; f < FIXTURES; f++)
            flip_each_bit(&situations[i], &fixtures[f]);
}

static void test_every_packet_with_each_byte_replaced(void **state)
{
    uint8_t bytes[40];

    (void)state;
    for (size_t f = 0; f < FIXTURES; f++)
        for (size_t at = 0; at < fixtures[f].size && at < 10; at++)
            for (unsigned value = 0; value < 256; value += 3) {
                struct verdict verdict;
                size_t size = fixtures[f].size;

                memcpy(bytes, fixtures[f].bytes, size);
                bytes[at] = (uint8_t)value;
                converse(&situations[value % SITUATIONS], bytes, size,
                         (struct plan){&wire_whole, size}, &verdict);
                expect_same(&situations[value % SITUATIONS], bytes, size,
                            (struct plan){&wire_bytes, size}, &verdict);
            }
}

/* ---- all first bytes ----------------------------------------------------- */

static void test_all_first_bytes_in_each_situation(void **state)
{
    (void)state;
    for (size_t i = 0; i < SITUATIONS; i++)
        for (unsigned first = 0; first < 256; first++) {
            const uint8_t bytes[] = {(uint8_t)first, 0x02, 0x00, 0x01};

            judge(&situations[i], bytes, 2);
            judge(&situations[i], bytes, 4);
        }
}

static void test_before_connack_all_first_bytes_are_the_end(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t bytes[] = {(uint8_t)first, 0x02, 0x00, 0x01};
        struct verdict verdict = judge(&situations[0], bytes, 4);

        if (first == 0x20)
            assert_int_equal(verdict.error, MQTT_ERR_REFUSED);
        else
            assert_true(verdict.error <= MQTT_ERR_PACKET_TYPE &&
                        verdict.error >= MQTT_ERR_RECEIVED_FULL);
    }
}

static void test_only_acknowledgements_fit_two_bytes(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t bytes[] = {(uint8_t)first, 0x02, 0x00, 0x01};
        struct verdict verdict = judge(&situations[1], bytes, 4);
        bool good = first == 0x40 || first == 0x50 || first == 0x62 ||
                    first == 0x70 || first == 0xB0;

        if (good)
            assert_int_equal(verdict.error, MQTT_OK);
        else if (first != 0x90) /* no SUBSCRIBE is open: either will do */
            assert_true(verdict.error <= MQTT_ERR_PACKET_TYPE &&
                        verdict.error >= MQTT_ERR_RECEIVED_FULL);
    }
}

static void test_the_fault_is_named_before_the_packet_is_whole(void **state)
{
    static const struct {
        uint8_t first;
        enum mqtt_error error;
    } faults[] = {
        {0x00, MQTT_ERR_PACKET_TYPE},  {0xF0, MQTT_ERR_PACKET_TYPE},
        {0x10, MQTT_ERR_PACKET_TYPE},  {0x60, MQTT_ERR_PACKET_FLAGS},
        {0x41, MQTT_ERR_PACKET_FLAGS}, {0xD1, MQTT_ERR_PACKET_FLAGS},
        {0x36, MQTT_ERR_RECEIVED_QOS}, {0x38, MQTT_ERR_RECEIVED_QOS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const uint8_t bytes[] = {faults[i].first, 0x7F};
        struct verdict verdict = judge(&situations[1], bytes, 2);

        assert_int_equal(verdict.error, faults[i].error);
    }
}

/* ---- at random ----------------------------------------------------------- */

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void test_noise(void **state)
{
    (void)state;
    seed = 1;
    for (unsigned round = 0; round < ROUNDS(3000); round++) {
        const struct situation *situation = &situations[chance(SITUATIONS)];
        uint8_t bytes[64];
        size_t size = 1 + chance(sizeof(bytes));
        struct verdict verdict;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)chance(256);
        converse(situation, bytes, size, (struct plan){&wire_whole, size},
                 &verdict);
        expect_same(situation, bytes, size, (struct plan){&wire_bytes, size},
                    &verdict);
    }
}

/* A few packets in a row, now and then with a byte that is wrong. */
static void test_packets_in_any_order_with_faults(void **state)
{
    (void)state;
    seed = 2;
    for (unsigned round = 0; round < ROUNDS(5000); round++) {
        const struct situation *situation = &situations[chance(SITUATIONS)];
        struct verdict verdict;
        uint8_t bytes[256];
        size_t size = 0;

        for (uint32_t count = 1 + chance(5); count; count--) {
            const struct fixture *fixture = &fixtures[chance(FIXTURES)];

            memcpy(bytes + size, fixture->bytes, fixture->size);
            if (chance(4) == 0)
                bytes[size + chance((uint32_t)fixture->size)] ^=
                    (uint8_t)(1u << chance(8));
            size += fixture->size;
        }
        converse(situation, bytes, size, (struct plan){&wire_whole, size},
                 &verdict);
        expect_same(situation, bytes, size, (struct plan){&wire_bytes, size},
                    &verdict);
        expect_same(situation, bytes, size,
                    (struct plan){&wire_lent, chance((uint32_t)size)},
                    &verdict);
        expect_same(situation, bytes, size, (struct plan){&wire_kept, size},
                    &verdict);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_packet_split_at_every_byte),
        cmocka_unit_test(test_every_packet_truncated_at_every_byte),
        cmocka_unit_test(test_every_packet_with_each_bit_flipped),
        cmocka_unit_test(test_every_packet_with_each_byte_replaced),
        cmocka_unit_test(test_all_first_bytes_in_each_situation),
        cmocka_unit_test(test_before_connack_all_first_bytes_are_the_end),
        cmocka_unit_test(test_only_acknowledgements_fit_two_bytes),
        cmocka_unit_test(test_the_fault_is_named_before_the_packet_is_whole),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_packets_in_any_order_with_faults),
    };

    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
