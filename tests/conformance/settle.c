/*
 * settle.c - PUBACK, PUBREC, PUBREL and PUBCOMP with reason codes, both ways,
 * and their order when the application settles messages
 * [5.0, sections 3.4 to 3.7, 4.3, 4.4 and 4.6].
 */
#include "conformance.h"

/* [5.0, tables 3-4 to 3-7] */
static const uint8_t of_puback[] = {0x00, 0x10, 0x80, 0x83, 0x87,
                                    0x90, 0x91, 0x97, 0x99};
static const uint8_t of_pubrel[] = {0x00, 0x92};

static bool among(const uint8_t *codes, size_t count, unsigned code)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] == code)
            return true;
    return false;
}

#define is_of_puback(code) among(of_puback, sizeof(of_puback), code)
#define is_of_pubrel(code) among(of_pubrel, sizeof(of_pubrel), code)

static void settles_by_call(struct script *s)
{
    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 8;
}

/* The handle of the message that comes. */
static uint32_t comes(struct script *s, uint8_t first_byte, uint16_t identifier)
{
    server_publishes(s, first_byte, "a", identifier, "x");
    expect_message(s, "a", "x");
    assert_int_not_equal(s->event.message.settle_handle, 0);
    return s->event.message.settle_handle;
}

/* ---- codes that are sent ------------------------------------------------- */

/* Code 0 is left out: the shortest form is what 3.1.1 has, too. */
static void test_puback_byte_for_byte(void **state)
{
    struct script *s = *state;
    uint32_t handle;

    settles_by_call(s);
    connected(s);
    handle = comes(s, 0x32, 0x1234);
    assert_int_equal(mqtt_settle(&s->client, handle, 0x00), MQTT_OK);
    expect_bytes(s, 0x40,     /* PUBACK */
                 0x02,        /* remaining length */
                 0x12, 0x34); /* packet identifier */
    handle = comes(s, 0x32, 0x1234);
    assert_int_equal(mqtt_settle(&s->client, handle, 0x10), MQTT_OK);
    expect_bytes(s, 0x40,    /* PUBACK */
                 0x03,       /* remaining length */
                 0x12, 0x34, /* packet identifier */
                 0x10);      /* reason code: No matching subscribers */
}

static void settle_with_each_code(struct script *s, uint8_t publish,
                                  uint8_t answer)
{
    uint16_t identifier = 1;

    settles_by_call(s);
    connected(s);
    for (unsigned code = 0; code < 256; code++) {
        uint32_t handle = comes(s, publish, identifier);

        if (is_of_puback(code)) {
            assert_int_equal(mqtt_settle(&s->client, handle, (uint8_t)code),
                             MQTT_OK);
            expect_packet(s, answer, identifier);
            assert_int_equal(s->packet.reason_code, code);
            identifier++;
        } else {
            assert_int_equal(mqtt_settle(&s->client, handle, (uint8_t)code),
                             MQTT_ERR_REASON_CODE);
            expect_nothing_sent(s);
            assert_int_equal(mqtt_settle(&s->client, handle, 0), MQTT_OK);
            expect_packet(s, answer, identifier);
            assert_int_equal(s->packet.reason_code, 0);
            identifier++;
        }
        if (answer == 0x50) {
            server_answers(s, 0x62, (uint16_t)(identifier - 1));
            expect_no_event(s);
            discard_sent(s);
        }
    }
}

static void test_puback_has_codes_of_the_list(void **state)
{
    settle_with_each_code(*state, 0x32, 0x40);
}

static void test_pubrec_has_codes_of_the_list(void **state)
{
    settle_with_each_code(*state, 0x34, 0x50);
}

/* Those that nobody chooses: PUBREL and PUBCOMP, also of what is not known. */
static void test_pubrel_has_codes_of_the_list(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    assert_int_equal(s->packet.reason_code, 0x00);
    server_answers_with(s, 0x50, 1, 0x10); /* once more, and well */
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    assert_int_equal(s->packet.reason_code, 0x00);
    server_answers(s, 0x50, 9);
    expect_no_event(s);
    expect_bytes(s, 0x62,    /* PUBREL */
                 0x03,       /* remaining length */
                 0x00, 0x09, /* packet identifier */
                 0x92);      /* reason code: Packet Identifier not found */
}

static void test_pubcomp_has_codes_of_the_list(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x34, "a", 7, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    discard_sent(s);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    assert_int_equal(s->packet.reason_code, 0x00);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_bytes(s, 0x70,    /* PUBCOMP */
                 0x03,       /* remaining length */
                 0x00, 0x07, /* packet identifier */
                 0x92);      /* reason code: Packet Identifier not found */
}

/* ---- codes that come ----------------------------------------------------- */

/* A message of ours in the state in which such an answer is expected. */
static uint16_t awaits(struct script *s, uint8_t first_byte)
{
    uint16_t identifier;

    connected(s);
    if (first_byte == 0x62) {
        server_publishes(s, 0x34, "a", 7, "x");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        discard_sent(s);
        return 7;
    }
    identifier =
        publish_sent(s, "a", "x", first_byte == 0x40 ? MQTT_QOS_1 : MQTT_QOS_2);
    if (first_byte == 0x70) {
        server_answers(s, 0x50, identifier);
        expect_no_event(s);
        discard_sent(s);
    }
    return identifier;
}

static void receive_each_code(struct script *s, uint8_t first_byte)
{
    for (unsigned code = 0; code < 256; code++) {
        uint16_t identifier = awaits(s, first_byte);
        bool good = first_byte < 0x60 ? is_of_puback(code) : is_of_pubrel(code);

        server_answers_with(s, first_byte, identifier, (uint8_t)code);
        if (!good) {
            expect_violation(s, MQTT_ERR_RECEIVED_REASON_CODE);
            assert_int_equal(s->disconnect_code, 0x82); /* Protocol Error */
        } else if (first_byte == 0x62 || (first_byte == 0x50 && code < 0x80)) {
            expect_no_event(s);
            expect_packet(s, first_byte == 0x62 ? 0x70 : 0x62, identifier);
        } else {
            pull(s, MQTT_EVENT_PUBLISHED);
            assert_int_equal(s->event.reason_code, code);
        }
        script_restart(s);
    }
}

static void test_a_puback_with_another_code_closes(void **state)
{
    receive_each_code(*state, 0x40);
}

static void test_a_pubrec_with_another_code_closes(void **state)
{
    receive_each_code(*state, 0x50);
}

static void test_a_pubrel_with_another_code_closes(void **state)
{
    receive_each_code(*state, 0x62);
}

static void test_a_pubcomp_with_another_code_closes(void **state)
{
    receive_each_code(*state, 0x70);
}

/* ---- properties of acknowledgements -------------------------------------- */

/* There are none, so the packet is no larger for them, whatever little the
 * server takes: 4 bytes, or 5 with a reason code. */
static void expect_bare(struct script *s, uint8_t first_byte, size_t size)
{
    expect_packet(s, first_byte, 0);
    assert_int_equal(s->packet.size, size);
    assert_int_equal(s->packet.properties.size, 0);
}

/* A connection whose server takes packets of so many bytes. */
static void connected_within(struct script *s, uint8_t limit)
{
    script_restart(s);
    settles_by_call(s);
    connected_with(s, 0x27, 0x00, 0x00, 0x00, limit);
}

static void messages_are_answered_bare(struct script *s, uint8_t publish,
                                       uint8_t answer)
{
    for (uint8_t limit = 4; limit < 30; limit++) {
        connected_within(s, limit);
        assert_int_equal(mqtt_settle(&s->client, comes(s, publish, 7), 0x00),
                         MQTT_OK);
        expect_bare(s, answer, 4);
        if (limit < 5)
            continue;
        assert_int_equal(mqtt_settle(&s->client, comes(s, publish, 8), 0x87),
                         MQTT_OK);
        expect_bare(s, answer, 5);
    }
}

static void test_puback_has_no_properties(void **state)
{
    messages_are_answered_bare(*state, 0x32, 0x40);
}

static void test_pubrec_has_no_properties(void **state)
{
    messages_are_answered_bare(*state, 0x34, 0x50);
}

/* Of something known, and of something unknown. */
static void steps_are_answered_bare(struct script *s, uint8_t step,
                                    uint8_t answer)
{
    for (uint8_t limit = 10; limit < 30; limit++) {
        connected_within(s, limit);
        publish_sent(s, "a", "x", MQTT_QOS_2);
        assert_int_equal(mqtt_settle(&s->client, comes(s, 0x34, 1), 0x00),
                         MQTT_OK);
        discard_sent(s);
        server_answers(s, step, 1);
        expect_no_event(s);
        expect_bare(s, answer, 4);
        server_answers(s, step, 9);
        expect_no_event(s);
        expect_bare(s, answer, 5);
    }
}

static void test_pubrel_has_no_properties(void **state)
{
    steps_are_answered_bare(*state, 0x50, 0x62);
}

static void test_pubcomp_has_no_properties(void **state)
{
    steps_are_answered_bare(*state, 0x62, 0x70);
}

/* ---- what a refusal ends ------------------------------------------------- */

static void test_after_a_refusing_pubrec_an_identifier_is_new(void **state)
{
    struct script *s = *state;

    settles_by_call(s);
    connected(s);
    for (int i = 0; i < 3; i++) {
        uint32_t handle = comes(s, 0x34, 7);

        assert_int_equal(mqtt_settle(&s->client, handle, 0x97), MQTT_OK);
        expect_packet(s, 0x50, 7);
        assert_int_equal(s->packet.reason_code, 0x97);
    }
    /* And with code 0 it is not. */
    assert_int_equal(mqtt_settle(&s->client, comes(s, 0x34, 7), 0x10), MQTT_OK);
    expect_packet(s, 0x50, 7);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
}

/* Nor is it, when the library itself refuses. */
static void test_after_a_refused_payload_an_identifier_is_new(void **state)
{
    struct script *s = *state;

    s->config.check_payload_format = true;
    connected(s);
    server_publishes_with(s, 0x34, "a", 7, "\xFF", 0x01, 0x01);
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    assert_int_equal(s->packet.reason_code, 0x99);
    server_publishes_with(s, 0x34, "a", 7, "good", 0x01, 0x01);
    expect_message(s, "a", "good");
}

static void test_what_was_refused_is_not_sent_again(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(of_puback); i++) {
        uint8_t code = of_puback[i];

        connected(s);
        publish_sent(s, "a", "x", MQTT_QOS_1);
        publish_sent(s, "a", "x", MQTT_QOS_2);
        server_answers_with(s, 0x40, 1, code);
        pull(s, MQTT_EVENT_PUBLISHED);
        server_answers_with(s, 0x50, 2, code);
        if (code >= 0x80)
            expect_published(s, 2, MQTT_OUTCOME_REFUSED);
        expect_no_event(s);
        for (int round = 0; round < 3; round++) {
            cut(s);
            reconnected(s, true);
            if (code < 0x80)
                expect_packet(s, 0x62, 2);
            expect_nothing_sent(s);
        }
        script_restart(s);
    }
}

/* ---- order --------------------------------------------------------------- */

/* Messages of both QoS come by turns and are settled in every order that a
 * number of 0 to 5039 stands for; each kind of answer leaves in the order in
 * which they came. */
static void answers_stay_in_order(struct script *s, uint8_t answer)
{
    settles_by_call(s);
    for (unsigned row = 0; row < 5040; row += 97) {
        uint32_t handles[7];
        unsigned rest = row, next = 0;

        connected(s);
        for (unsigned i = 0; i < 7; i++)
            handles[i] = comes(s, i & 1 ? 0x32 : 0x34, (uint16_t)(i + 10));
        for (unsigned left = 7; left; left--) {
            unsigned at = rest % left;

            rest /= left;
            assert_int_equal(mqtt_settle(&s->client, handles[at], 0), MQTT_OK);
            memmove(&handles[at], &handles[at + 1],
                    (left - at - 1) * sizeof(handles[0]));
            while (next_packet(s)) {
                if (s->packet.first_byte != answer)
                    continue;
                assert_int_equal(s->packet.identifier,
                                 10 + 2 * next + (answer == 0x40));
                next++;
            }
        }
        assert_int_equal(next, answer == 0x40 ? 3 : 4);
        script_restart(s);
    }
}

static void test_settled_pubacks_leave_in_the_order_of_arrival(void **state)
{
    answers_stay_in_order(*state, 0x40);
}

static void test_settled_pubrecs_leave_in_the_order_of_arrival(void **state)
{
    answers_stay_in_order(*state, 0x50);
}

static const struct conformance_test tests[] = {
    proves(test_puback_byte_for_byte, "5.0 MQTT-3.4.2-1", "5.0 MQTT-2.2.1-5"),
    proves(test_puback_has_codes_of_the_list, "5.0 MQTT-3.4.2-1"),
    proves(test_pubrec_has_codes_of_the_list, "5.0 MQTT-3.5.2-1"),
    proves(test_pubrel_has_codes_of_the_list, "5.0 MQTT-3.6.2-1"),
    proves(test_pubcomp_has_codes_of_the_list, "5.0 MQTT-3.7.2-1"),
    proves(test_a_puback_with_another_code_closes, "5.0 MQTT-3.4.2-1"),
    proves(test_a_pubrec_with_another_code_closes, "5.0 MQTT-3.5.2-1"),
    proves(test_a_pubrel_with_another_code_closes, "5.0 MQTT-3.6.2-1"),
    proves(test_a_pubcomp_with_another_code_closes, "5.0 MQTT-3.7.2-1"),
    proves(test_puback_has_no_properties, "5.0 MQTT-3.4.2-2",
           "5.0 MQTT-3.4.2-3"),
    proves(test_pubrec_has_no_properties, "5.0 MQTT-3.5.2-2",
           "5.0 MQTT-3.5.2-3"),
    proves(test_pubrel_has_no_properties, "5.0 MQTT-3.6.2-2",
           "5.0 MQTT-3.6.2-3"),
    proves(test_pubcomp_has_no_properties, "5.0 MQTT-3.7.2-2",
           "5.0 MQTT-3.7.2-3"),
    proves(test_after_a_refusing_pubrec_an_identifier_is_new,
           "5.0 MQTT-4.3.3-9"),
    proves(test_after_a_refused_payload_an_identifier_is_new,
           "5.0 MQTT-4.3.3-9"),
    proves(test_what_was_refused_is_not_sent_again, "5.0 MQTT-4.4.0-2"),
    proves(test_settled_pubacks_leave_in_the_order_of_arrival,
           "3.1.1 MQTT-4.6.0-2", "5.0 MQTT-4.6.0-2"),
    proves(test_settled_pubrecs_leave_in_the_order_of_arrival,
           "3.1.1 MQTT-4.6.0-3", "5.0 MQTT-4.6.0-3"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "settle", tests);
}
