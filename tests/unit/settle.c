/*
 * settle.c - messages that the application settles by mqtt_settle().
 */
#include "script.h"

static struct script *settles(void **state, size_t count)
{
    struct script *s = *state;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = count;
    return s;
}

static struct script *settles_5_0(void **state, size_t count)
{
    struct script *s = settles(state, count);

    s->config.protocol = &mqtt_protocol_5_0;
    return s;
}

/* The handle of the message that comes. */
static uint32_t comes(struct script *s, uint8_t first_byte, uint16_t identifier)
{
    server_publishes(s, first_byte, "a", identifier, "x");
    expect_message(s, "a", "x");
    if (first_byte & 0x06)
        assert_int_not_equal(s->event.message.settle_handle, 0);
    else
        assert_int_equal(s->event.message.settle_handle, 0);
    return s->event.message.settle_handle;
}

static enum mqtt_error settle(struct script *s, uint32_t handle, uint8_t code)
{
    return mqtt_settle(&s->client, handle, code);
}

/* ---- what a call does ---------------------------------------------------- */

static void test_nothing_is_acknowledged_before_it_is_settled(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t one, two;

    connected(s);
    comes(s, 0x30, 0); /* of QoS 0 there is nothing to settle */
    one = comes(s, 0x32, 1);
    two = comes(s, 0x34, 2);
    expect_no_event(s);
    elapse(s, 5000);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    expect_packet(s, 0x50, 2);
    assert_int_equal(settle(s, one, 0), MQTT_OK);
    expect_packet(s, 0x40, 1);
    expect_nothing_sent(s);
}

static void test_a_handle_is_good_once(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t one, two;

    connected(s);
    one = comes(s, 0x32, 1);
    two = comes(s, 0x34, 1);
    assert_int_not_equal(one, two);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(settle(s, one, 0), i ? MQTT_ERR_HANDLE : MQTT_OK);
        assert_int_equal(settle(s, two, 0), i ? MQTT_ERR_HANDLE : MQTT_OK);
    }
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x50, 1);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, 0, 0), MQTT_ERR_HANDLE);
    assert_int_equal(settle(s, 0xFFFFFFFF, 0), MQTT_ERR_HANDLE);
    /* Another message of the same identifier has another handle. */
    assert_int_not_equal(comes(s, 0x32, 1), one);
    assert_int_equal(settle(s, one, 0), MQTT_ERR_HANDLE);
    expect_nothing_sent(s);
}

/* In settled order nothing waits but for an earlier one of its QoS. */
static void test_each_qos_has_an_order_of_its_own(void **state)
{
    struct script *s = settles(state, 8);
    uint32_t handles[6];

    connected(s);
    for (uint16_t i = 0; i < 6; i++)
        handles[i] = comes(s, i & 1 ? 0x34 : 0x32, (uint16_t)(i + 1));
    assert_int_equal(settle(s, handles[4], 0), MQTT_OK);
    assert_int_equal(settle(s, handles[2], 0), MQTT_OK);
    assert_int_equal(settle(s, handles[3], 0), MQTT_OK);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handles[1], 0), MQTT_OK);
    expect_packet(s, 0x50, 2);
    expect_packet(s, 0x50, 4);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handles[0], 0), MQTT_OK);
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x40, 3);
    expect_packet(s, 0x40, 5);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handles[5], 0), MQTT_OK);
    expect_packet(s, 0x50, 6);
}

static void test_3_1_1_has_no_code_but_0(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x32, 1);
    assert_int_equal(settle(s, handle, 0x87), MQTT_ERR_PROTOCOL_VERSION);
    assert_int_equal(settle(s, handle, 0x10), MQTT_ERR_PROTOCOL_VERSION);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handle, 0), MQTT_OK);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x01);
    script_restart(s);
    s->config.drop_unsupported = true;
    connected(s);
    assert_int_equal(settle(s, comes(s, 0x32, 1), 0x87), MQTT_OK);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x01);
    /* Without a word of refusal QoS 2 is not refused: PUBREL has to come. */
    assert_int_equal(settle(s, comes(s, 0x34, 2), 0x87), MQTT_OK);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x02);
    server_publishes(s, 0x3C, "a", 2, "x");
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x02, 0x00, 0x02);
}

static void test_a_refused_qos_2_is_over(void **state)
{
    struct script *s = settles_5_0(state, 4);

    s->with_bits = false;
    s->memory.received_count = 1; /* for one that is open */
    connected(s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(settle(s, comes(s, 0x34, 7), 0x83), MQTT_OK);
        expect_bytes(s, 0x50, 0x03, 0x00, 0x07, 0x83);
    }
}

static void settle_in(struct mqtt_client *client,
                      const struct mqtt_message *message, void *context)
{
    (void)context;
    if (message->settle_handle)
        assert_int_equal(mqtt_settle(client, message->settle_handle, 0),
                         MQTT_OK);
}

static void test_settling_in_the_callback(void **state)
{
    struct script *s = settles(state, 1);

    s->config.on_message = settle_in;
    connected(s);
    for (uint16_t i = 1; i < 20; i++)
        server_publishes(s, i & 1 ? 0x34 : 0x32, "a", i, "x");
    assert_int_equal(dispatch(s), 19);
    for (uint16_t i = 1; i < 20; i++)
        expect_packet(s, i & 1 ? 0x50 : 0x40, i);
    expect_nothing_sent(s);
}

static void test_a_duplicate_of_one_unsettled_waits_with_it(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x34, 7);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handle, 0), MQTT_OK);
    expect_packet(s, 0x50, 7);
    expect_nothing_sent(s);
}

/* ---- over a cut ---------------------------------------------------------- */

static void test_a_qos_1_handle_ends_with_its_connection(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t old, again;

    connected(s);
    old = comes(s, 0x32, 7);
    cut(s);
    assert_int_equal(settle(s, old, 0), MQTT_ERR_HANDLE);
    reconnected(s, true);
    again = comes(s, 0x3A, 7);
    assert_int_not_equal(again, old);
    assert_int_equal(settle(s, old, 0), MQTT_ERR_HANDLE);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, again, 0), MQTT_OK);
    expect_packet(s, 0x40, 7);
}

/* It comes again unsettled: it is not given again, and its handle is good. */
static void test_a_qos_2_handle_outlives_its_connection(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x34, 7);
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handle, 0), MQTT_OK);
    expect_packet(s, 0x50, 7);
    assert_int_equal(settle(s, handle, 0), MQTT_ERR_HANDLE);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
}

/* Settled before it comes again: PUBREC answers PUBLISH, and not earlier. */
static void test_pubrec_waits_until_qos_2_comes_again(void **state)
{
    for (int offline = 0; offline < 2; offline++) {
        struct script *s = settles(state, 4);
        uint32_t handle;

        connected(s);
        handle = comes(s, 0x34, 7);
        cut(s);
        if (offline)
            assert_int_equal(settle(s, handle, 0), MQTT_OK);
        reconnected(s, true);
        if (!offline)
            assert_int_equal(settle(s, handle, 0), MQTT_OK);
        expect_no_event(s);
        expect_nothing_sent(s);
        server_publishes(s, 0x3C, "a", 7, "x");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
        expect_nothing_sent(s);
        assert_int_equal(settle(s, handle, 0), MQTT_ERR_HANDLE);
        script_restart(s);
    }
}

/* New messages come before the old one comes again: they do not wait. */
static void test_the_order_is_that_of_this_connection(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t old, fresh;

    connected(s);
    old = comes(s, 0x34, 7);
    cut(s);
    reconnected(s, true);
    fresh = comes(s, 0x34, 8);
    assert_int_equal(settle(s, fresh, 0), MQTT_OK);
    expect_packet(s, 0x50, 8);
    server_publishes(s, 0x3C, "a", 7, "x");
    fresh = comes(s, 0x34, 9);
    assert_int_equal(settle(s, fresh, 0), MQTT_OK);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, old, 0), MQTT_OK);
    expect_packet(s, 0x50, 7);
    expect_packet(s, 0x50, 9);
}

static void test_a_refusal_over_a_cut_frees_the_identifier(void **state)
{
    struct script *s = settles_5_0(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x34, 7);
    cut(s);
    assert_int_equal(settle(s, handle, 0x97), MQTT_OK);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_bytes(s, 0x50, 0x03, 0x00, 0x07, 0x97);
    server_publishes(s, 0x34, "a", 7, "another");
    expect_message(s, "a", "another");
}

static void test_a_lost_session_ends_all_handles(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x34, 7);
    cut(s);
    reconnected(s, false);
    assert_int_equal(settle(s, handle, 0), MQTT_ERR_HANDLE);
    server_publishes(s, 0x34, "a", 7, "new");
    expect_message(s, "a", "new");
    assert_int_not_equal(s->event.message.settle_handle, handle);
    expect_nothing_sent(s);
}

/* ---- a full list --------------------------------------------------------- */

/* 3.1.1: the fifth is not read, nor is anything behind it, until one of the
 * others is settled; nobody takes that for a dead link. */
static void test_in_3_1_1_a_full_list_stops_reading(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handles[4];

    connected(s);
    for (uint16_t i = 0; i < 4; i++)
        handles[i] = comes(s, 0x32, (uint16_t)(i + 1));
    elapse(s, 59000);
    expect_packet(s, 0xC0, 0);              /* PINGREQ */
    server_publishes(s, 0x30, "a", 0, "0"); /* it needs no place */
    expect_message(s, "a", "0");
    server_publishes(s, 0x32, "a", 5, "5");
    server_sends(s, 0xD0, 0x00); /* PINGRESP, behind it */
    expect_no_event(s);
    for (int i = 0; i < 20; i++) {
        elapse(s, 9000);
        expect_no_event(s);
        expect_wants(s, MQTT_WANT_NOTHING);
    }
    discard_sent(s);
    assert_int_equal(settle(s, handles[1], 0), MQTT_OK);
    expect_no_event(s); /* the first holds it up */
    assert_int_equal(settle(s, handles[0], 0), MQTT_OK);
    expect_message(s, "a", "5");
    expect_packet(s, 0x40, 1);
    expect_packet(s, 0x40, 2);
    expect_no_event(s);
    /* PINGRESP was read: no deadline of it is left. */
    elapse(s, 11000);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* A link that is dead then is found to be so after it has gone on. */
static void test_after_a_full_list_the_deadline_runs_again(void **state)
{
    struct script *s = settles(state, 1);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x32, 1);
    server_publishes(s, 0x32, "a", 2, "y");
    expect_no_event(s);
    elapse(s, 60000);
    expect_packet(s, 0xC0, 0);
    elapse(s, 60000);
    expect_wants(s, MQTT_WANT_NOTHING);
    assert_int_equal(settle(s, handle, 0), MQTT_OK);
    expect_message(s, "a", "y");
    expect_packet(s, 0x40, 1);
    elapse(s, 10000);
    expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
}

/* A known QoS 2 message needs no place: what waits behind it is read. */
static void test_in_3_1_1_duplicates_pass_a_full_list(void **state)
{
    struct script *s = settles(state, 2);

    connected(s);
    assert_int_equal(settle(s, comes(s, 0x34, 1), 0), MQTT_OK);
    expect_packet(s, 0x50, 1);
    comes(s, 0x32, 2);
    comes(s, 0x32, 3);
    server_publishes(s, 0x3C, "a", 1, "x");
    server_answers(s, 0x62, 1);
    expect_no_event(s);
    expect_packet(s, 0x50, 1);
    expect_packet(s, 0x70, 1);
}

static void test_in_5_0_as_many_are_announced_and_no_more_taken(void **state)
{
    struct script *s = settles_5_0(state, 3);

    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x1B,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x05,                           /* protocol version */
                 0x00,                           /* connect flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x0D,                           /* property length */
                 0x11, 0xFF, 0xFF, 0xFF, 0xFF,   /* session expiry interval */
                 0x21, 0x00, 0x03,               /* receive maximum */
                 0x27, 0x00, 0x00, 0x01, 0x00,   /* maximum packet size */
                 0x00, 0x01, 'c');               /* client identifier */
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    comes(s, 0x32, 1);
    comes(s, 0x34, 2);
    comes(s, 0x32, 3);
    server_publishes(s, 0x32, "a", 4, "x");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
    assert_int_equal(s->disconnect_code, 0x93);
}

/* PUBREC with code 0 gives nothing back; PUBCOMP, PUBACK and a refusal do. */
static void test_what_gives_the_server_its_quota_back(void **state)
{
    struct script *s = settles_5_0(state, 2);

    connected(s);
    for (uint16_t i = 1; i < 9; i++) {
        assert_int_equal(settle(s, comes(s, 0x32, i), i & 1 ? 0x87 : 0x00),
                         MQTT_OK);
        assert_int_equal(settle(s, comes(s, 0x34, i), 0x87), MQTT_OK);
        assert_int_equal(settle(s, comes(s, 0x34, i), 0x00), MQTT_OK);
        server_answers(s, 0x62, i);
        expect_no_event(s);
    }
    assert_int_equal(settle(s, comes(s, 0x34, 20), 0), MQTT_OK);
    assert_int_equal(settle(s, comes(s, 0x34, 21), 0), MQTT_OK);
    server_publishes(s, 0x34, "a", 22, "x");
    expect_no_event(s);
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
}

/* PUBREL of nothing is answered, and gives nothing back. */
static void test_an_unknown_pubrel_gives_no_quota_back(void **state)
{
    struct script *s = settles_5_0(state, 4);

    s->config.connect.receive_maximum = 1;
    connected(s);
    comes(s, 0x32, 1);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    assert_int_equal(expect_packet(s, 0x70, 7)->reason_code, 0x92);
    server_publishes(s, 0x32, "a", 2, "x");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
}

/* PUBREL of what was taken on an earlier connection: it was not counted here. */
static void
test_a_pubrel_of_another_connection_gives_no_quota_back(void **state)
{
    struct script *s = settles_5_0(state, 4);

    s->with_bits = false; /* a bitmap does not tell connections apart */
    s->memory.received_count = 4;
    s->config.connect.receive_maximum = 1;
    connected(s);
    assert_int_equal(settle(s, comes(s, 0x34, 7), 0), MQTT_OK);
    expect_packet(s, 0x50, 7);
    cut(s);
    reconnected(s, true);
    comes(s, 0x32, 1);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    assert_int_equal(expect_packet(s, 0x70, 7)->reason_code, 0);
    server_publishes(s, 0x32, "a", 2, "x");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
}

/* What comes again on another connection is open on that one, too. */
static void test_what_comes_again_counts_towards_receive_maximum(void **state)
{
    struct script *s = settles_5_0(state, 4);
    uint32_t one;

    s->config.connect.receive_maximum = 2;
    connected(s);
    one = comes(s, 0x34, 1);
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 1, "x");
    comes(s, 0x32, 2);
    /* One that is over makes place for one more, and no more than that. */
    assert_int_equal(settle(s, one, 0), MQTT_OK);
    server_answers(s, 0x62, 1);
    comes(s, 0x32, 3);
    server_publishes(s, 0x32, "a", 4, "x");
    expect_fatal(s, MQTT_ERR_RECEIVE_MAXIMUM);
    assert_int_equal(s->disconnect_code, 0x93);
}

/* ... and one that was refused meanwhile is over as soon as it comes. */
static void test_what_was_refused_and_comes_again_counts_no_more(void **state)
{
    struct script *s = settles_5_0(state, 4);
    uint32_t one;

    s->config.connect.receive_maximum = 1;
    connected(s);
    one = comes(s, 0x34, 1);
    cut(s);
    assert_int_equal(settle(s, one, 0x87), MQTT_OK);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 1, "x");
    comes(s, 0x32, 2);
}

/* The third one made room for the second and comes again all the same: its
 * PUBREC leaves behind that of the first [3.1.1 MQTT-4.6.0-3]. */
static void test_what_made_room_and_comes_again_keeps_the_order(void **state)
{
    struct script *s = settles(state, 2);
    uint32_t one, two;

    connected(s);
    one = comes(s, 0x34, 1);
    two = comes(s, 0x32, 2);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    expect_packet(s, 0x40, 2);
    assert_int_equal(settle(s, comes(s, 0x34, 3), 0), MQTT_OK);
    expect_nothing_sent(s);
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 1, "x");
    two = comes(s, 0x3A, 2);
    server_publishes(s, 0x3C, "a", 3, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    expect_no_event(s);
    expect_packet(s, 0x40, 2);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, one, 0), MQTT_OK);
    expect_packet(s, 0x50, 1);
    expect_packet(s, 0x50, 3);
}

/* One that was refused and made room comes again: it is not acknowledged as if
 * it had been taken, but told of once more. */
static void test_what_was_refused_and_made_room_is_told_of_again(void **state)
{
    struct script *s = settles_5_0(state, 2);
    uint32_t one, two, three;

    connected(s);
    one = comes(s, 0x34, 1);
    cut(s);
    assert_int_equal(settle(s, one, 0x97), MQTT_OK);
    reconnected(s, true);
    two = comes(s, 0x32, 2);
    three = comes(s, 0x32, 3);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    assert_int_equal(settle(s, three, 0), MQTT_OK);
    expect_packet(s, 0x40, 2);
    expect_packet(s, 0x40, 3);
    one = comes(s, 0x3C, 1);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, one, 0), MQTT_OK);
    expect_packet(s, 0x50, 1);
}

/* Over a cut: what is unsettled still has its place, and the server may send
 * as much as was announced, the old ones among it. */
static void test_after_a_cut_the_server_sends_the_old_ones_first(void **state)
{
    struct script *s = settles_5_0(state, 3);
    uint32_t handles[3];

    connected(s);
    for (uint16_t i = 0; i < 3; i++)
        handles[i] = comes(s, 0x34, (uint16_t)(i + 1));
    cut(s);
    assert_int_equal(settle(s, handles[1], 0), MQTT_OK);
    reconnected(s, true);
    for (uint16_t i = 1; i < 4; i++)
        server_publishes(s, 0x3C, "a", i, "x");
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(settle(s, handles[0], 0), MQTT_OK);
    expect_packet(s, 0x50, 1);
    expect_packet(s, 0x50, 2);
    assert_int_equal(settle(s, handles[2], 0), MQTT_OK);
    expect_packet(s, 0x50, 3);
    for (uint16_t i = 1; i < 4; i++) {
        server_answers(s, 0x62, i);
        expect_no_event(s);
        expect_packet(s, 0x70, i);
    }
    for (uint16_t i = 1; i < 4; i++)
        comes(s, 0x34, i);
    expect_wants(s, MQTT_WANT_NOTHING);
}

/* Another client of the same identifier has answered the message while this one
 * was cut off: PUBREL comes, the exchange is over, and so is its handle. What
 * comes then of the same identifier is another message. */
static void test_a_pubrel_ends_the_handle(void **state)
{
    struct script *s = settles_5_0(state, 2);
    uint32_t one, two, three;

    connected(s);
    one = comes(s, 0x34, 7);
    cut(s);
    assert_int_equal(settle(s, one, 0x97), MQTT_OK);
    reconnected(s, true);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    assert_int_equal(expect_packet(s, 0x70, 7)->reason_code, 0);
    assert_int_equal(settle(s, one, 0), MQTT_ERR_HANDLE);
    two = comes(s, 0x34, 7);
    three = comes(s, 0x32, 8); /* for which nothing has to make room */
    assert_int_equal(settle(s, three, 0), MQTT_OK);
    expect_packet(s, 0x40, 8);
    cut(s);
    reconnected(s, true);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    expect_packet(s, 0x50, 7);
    expect_nothing_sent(s);
}

/* PUBREL of one that is not answered at all: it holds up no other. */
static void test_a_pubrel_too_early_holds_up_no_other(void **state)
{
    struct script *s = settles(state, 2);
    uint32_t one, two;

    connected(s);
    one = comes(s, 0x34, 7);
    two = comes(s, 0x34, 8);
    assert_int_equal(settle(s, two, 0), MQTT_OK);
    expect_nothing_sent(s);
    server_answers(s, 0x62, 7);
    expect_no_event(s);
    expect_packet(s, 0x70, 7);
    expect_packet(s, 0x50, 8);
    assert_int_equal(settle(s, one, 0), MQTT_ERR_HANDLE);
    expect_nothing_sent(s);
}

/* ---- no room ------------------------------------------------------------- */

/* Many settled at once in little control memory: all leave, in order. */
static void test_settling_with_control_full_loses_nothing(void **state)
{
    struct script *s = settles(state, 40);
    uint32_t handles[40];

    s->memory.control_size = 16;
    connected(s);
    for (uint16_t i = 0; i < 40; i++)
        handles[i] = comes(s, i % 3 ? 0x32 : 0x34, (uint16_t)(i + 1));
    expect_no_event(s);
    s->blocked = true;
    for (int i = 39; i >= 0; i--)
        assert_int_equal(settle(s, handles[i], 0), MQTT_OK);
    s->blocked = false;
    {
        uint16_t next[2] = {2, 1}; /* of QoS 1, of QoS 2 */
        unsigned count = 0;

        for (; next_packet(s); count++) {
            bool qos2 = s->packet.first_byte == 0x50;

            assert_int_equal(s->packet.identifier, next[qos2]);
            next[qos2] = (uint16_t)(next[qos2] + (qos2 ? 3 : 1));
            if (!qos2 && (next[0] - 1) % 3 == 0)
                next[0]++;
        }
        assert_int_equal(count, 40);
    }
}

/* Nor with a PUBLISH half sent, and a cut in between. */
static void test_what_was_settled_and_did_not_leave_comes_again(void **state)
{
    struct script *s = settles(state, 4);
    uint32_t handle;

    connected(s);
    handle = comes(s, 0x34, 7);
    s->blocked = true;
    assert_int_equal(settle(s, handle, 0), MQTT_OK);
    cut(s); /* PUBREC was in control memory, or not even there */
    s->blocked = false;
    reconnected(s, true);
    expect_nothing_sent(s);
    server_publishes(s, 0x3C, "a", 7, "x");
    expect_no_event(s);
    expect_packet(s, 0x50, 7);
    expect_nothing_sent(s);
}

/* ---- a server that sends too many ------------------------------------------- */

static void test_an_overrun_that_is_tolerated_stops_the_reading(void **state)
{
    struct script *s = *state;
    uint32_t handles[2];

    s->config.protocol = &mqtt_protocol_5_0;
    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->config.tolerate_overrun = true;
    s->memory.unsettled_count = 2;
    connected(s);
    for (uint16_t i = 1; i <= 3; i++)
        server_publishes(s, 0x32, "a", i, "x");
    for (unsigned i = 0; i < 2; i++) {
        pull(s, MQTT_EVENT_MESSAGE);
        handles[i] = s->event.message.settle_handle;
    }
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_settle(&s->client, handles[0], 0), MQTT_OK);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x01);
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(s->event.packet_identifier, 3);
    assert_int_equal(mqtt_settle(&s->client, handles[1], 0), MQTT_OK);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x02);
}

static const struct CMUnitTest tests[] = {
    script_test(test_an_overrun_that_is_tolerated_stops_the_reading),
    script_test(test_nothing_is_acknowledged_before_it_is_settled),
    script_test(test_a_handle_is_good_once),
    script_test(test_each_qos_has_an_order_of_its_own),
    script_test(test_3_1_1_has_no_code_but_0),
    script_test(test_a_refused_qos_2_is_over),
    script_test(test_settling_in_the_callback),
    script_test(test_a_duplicate_of_one_unsettled_waits_with_it),
    script_test(test_a_qos_1_handle_ends_with_its_connection),
    script_test(test_a_qos_2_handle_outlives_its_connection),
    script_test(test_pubrec_waits_until_qos_2_comes_again),
    script_test(test_the_order_is_that_of_this_connection),
    script_test(test_a_refusal_over_a_cut_frees_the_identifier),
    script_test(test_a_lost_session_ends_all_handles),
    script_test(test_in_3_1_1_a_full_list_stops_reading),
    script_test(test_after_a_full_list_the_deadline_runs_again),
    script_test(test_in_3_1_1_duplicates_pass_a_full_list),
    script_test(test_in_5_0_as_many_are_announced_and_no_more_taken),
    script_test(test_what_gives_the_server_its_quota_back),
    script_test(test_an_unknown_pubrel_gives_no_quota_back),
    script_test(test_a_pubrel_of_another_connection_gives_no_quota_back),
    script_test(test_what_comes_again_counts_towards_receive_maximum),
    script_test(test_what_was_refused_and_comes_again_counts_no_more),
    script_test(test_what_made_room_and_comes_again_keeps_the_order),
    script_test(test_what_was_refused_and_made_room_is_told_of_again),
    script_test(test_after_a_cut_the_server_sends_the_old_ones_first),
    script_test(test_a_pubrel_ends_the_handle),
    script_test(test_a_pubrel_too_early_holds_up_no_other),
    script_test(test_settling_with_control_full_loses_nothing),
    script_test(test_what_was_settled_and_did_not_leave_comes_again),
};

int main(void)
{
    return script_run("settle", tests);
}
