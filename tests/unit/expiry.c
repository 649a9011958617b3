/*
 * expiry.c - Message Expiry Interval: what is left of it is sent, and what is
 * over before a byte has left is not sent at all.
 */
#include "script.h"

#define EXPIRY MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL
#define SECONDS(n) 0x02, 0x00, 0x00, (uint8_t)((n) >> 8), (uint8_t)(n)

static struct script *v5(void **state)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    return s;
}

/* The next PUBLISH has so many seconds left. */
static void expect_left(struct script *s, uint8_t first_byte, int64_t seconds)
{
    expect_packet(s, first_byte, 0);
    assert_int_equal(number_of(s->packet.properties, EXPIRY), seconds);
}

/* ---- what is left -------------------------------------------------------- */

static void test_what_is_sent_at_once_has_all_of_its_time(void **state)
{
    struct script *s = v5(state);

    connected(s);
    publish_with(s, "a", "x", MQTT_QOS_1, 0x02, 0x12, 0x34, 0x56, 0x78);
    expect_bytes(s, 0x32,                      /* PUBLISH, QoS 1 */
                 0x0C,                         /* remaining length */
                 0x00, 0x01, 'a',              /* topic name */
                 0x00, 0x01,                   /* packet identifier */
                 0x05,                         /* property length */
                 0x02, 0x12, 0x34, 0x56, 0x78, /* Message Expiry Interval */
                 'x');                         /* payload */
    elapse(s, 500); /* also in the middle of a second */
    publish_with(s, "a", "x", MQTT_QOS_0, SECONDS(1));
    expect_left(s, 0x30, 1);
}

static void test_other_properties_stay_around_it(void **state)
{
    struct script *s = v5(state);

    connected(s);
    publish_with(s, "a", "x", MQTT_QOS_0, 0x01, 0x01, SECONDS(9), 0x26, 0x00,
                 0x01, 'k', 0x00, 0x01, 'v');
    assert_non_null(next_packet(s));
    assert_int_equal(s->packet.properties.size, 14);
    assert_int_equal(number_of(s->packet.properties, EXPIRY), 9);
    assert_int_equal(number_of(s->packet.properties, 0x01), 1);
    assert_int_equal(number_of(s->packet.properties, 0x26), 0);
}

/* To a second, up or down. */
static void test_what_is_left_is_written_when_it_leaves(void **state)
{
    struct script *s = v5(state);

    for (unsigned waited = 0; waited < 5000; waited += 100) {
        int64_t left;

        connected(s);
        s->blocked = true;
        publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(10));
        elapse(s, waited);
        s->blocked = false;
        expect_packet(s, 0x32, 1);
        left = number_of(s->packet.properties, EXPIRY) * 1000;
        assert_in_range(left + waited, 9001, 10999);
        script_restart(s);
    }
}

static void test_a_resend_has_what_is_left_then(void **state)
{
    struct script *s = v5(state);

    connected(s);
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(100));
    expect_left(s, 0x32, 100);
    cut(s);
    elapse(s, 30000);
    reconnected(s, true);
    expect_left(s, 0x3A, 70);
    cut(s);
    elapse(s, 100000); /* it was sent: it goes on, with the least there is */
    reconnected(s, true);
    expect_left(s, 0x3A, 1);
}

static void test_the_greatest_interval_does_not_expire(void **state)
{
    struct script *s = v5(state);

    for (int ms = 0; ms < 1000; ms += 500) {
        elapse((connected(s), s), (mqtt_time)ms);
        publish_with(s, "a", "x", MQTT_QOS_1, 0x02, 0xFF, 0xFF, 0xFF, 0xFF);
        expect_packet(s, 0x32, 1);
        assert_true(number_of(s->packet.properties, EXPIRY) > 0x7FFFFFFF);
        cut(s);
        publish_with(s, "a", "x", MQTT_QOS_1, 0x02, 0xFF, 0xFF, 0xFF, 0xFF);
        elapse(s, (mqtt_time)1000 * 3600 * 24 * 365);
        expect_no_event(s);
        reconnected(s, true);
        expect_packet(s, 0x3A, 1);
        expect_packet(s, 0x32, 2);
        assert_true(number_of(s->packet.properties, EXPIRY) > 0x7FFFFFFF);
        script_restart(s);
    }
}

/* One with a long time and one with a short one, in either order: the short
 * one is over in time. */
static void test_a_long_interval_does_not_hide_a_short_one(void **state)
{
    static const uint32_t longs[] = {0x3FFFFFFF, 0x7FFFFFFF, 0x80000000,
                                     0x80000010, 0xBFFFFFFF, 0xC0000000,
                                     0xFFFFFFFF};
    struct script *s = v5(state);

    for (size_t i = 0; i < 2 * sizeof(longs) / sizeof(longs[0]); i++) {
        uint32_t n = longs[i / 2];

        start(s);
        if (i & 1)
            publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(10));
        publish_with(s, "a", "y", MQTT_QOS_1, 0x02, (uint8_t)(n >> 24),
                     (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
        if (!(i & 1))
            publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(10));
        expect_deadline(s, 10000);
        elapse(s, 10000);
        expect_published(s, i & 1 ? 1 : 2, MQTT_OUTCOME_EXPIRED);
        expect_no_event(s);
        script_restart(s);
    }
}

static void test_interval_0_is_over_at_once(void **state)
{
    struct script *s = v5(state);

    start(s);
    assert_int_equal(publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(0)), 1);
    elapse(s, 0);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    connected(s);
    expect_nothing_sent(s);
}

/* ---- what is over -------------------------------------------------------- */

static void test_what_expires_offline_is_told_and_not_sent(void **state)
{
    struct script *s = v5(state);

    start(s);
    publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(20));
    publish_with(s, "a", "2", MQTT_QOS_2, SECONDS(10));
    publish(s, "a", "3", MQTT_QOS_1);
    expect_deadline(s, 10000);
    elapse(s, 9999);
    expect_no_event(s);
    expect_deadline(s, 1);
    elapse(s, 1);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    assert_int_equal(s->event.error, MQTT_OK);
    expect_no_event(s);
    expect_deadline(s, 10000);
    elapse(s, 10000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    expect_no_event(s);
    expect_no_deadline(s);
    connected(s);
    expect_packet(s, 0x32, 3);
    expect_nothing_sent(s);
}

static void test_what_expires_between_connections_is_told(void **state)
{
    struct script *s = v5(state);

    connected(s);
    publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(5));
    expect_packet(s, 0x32, 1);
    cut(s);
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(5));
    elapse(s, 6000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    expect_no_event(s);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    expect_nothing_sent(s);
}

static void test_qos_0_that_expires_is_counted(void **state)
{
    struct script *s = v5(state);
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    s->config.keep_qos0 = true;
    start(s);
    publish_with(s, "a", "1", MQTT_QOS_0, SECONDS(5));
    publish_with(s, "a", "2", MQTT_QOS_0, SECONDS(50));
    publish_with(s, "a", "3", MQTT_QOS_1, SECONDS(5));
    elapse(s, 5000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    expect_no_event(s);
    assert_int_equal(statistics.messages_expired, 2);
    connected(s);
    expect_left(s, 0x30, 45);
    expect_nothing_sent(s);
    assert_int_equal(statistics.qos0_dropped, 0);
}

/* The one before it has the only quota. What expires gives back what it had,
 * and takes none of the others. */
static void test_what_expires_while_it_waits_for_quota_is_told(void **state)
{
    for (int qos = 1; qos < 3; qos++) {
        struct script *s = v5(state);

        connected_with(s, 0x21, 0x00, 0x01); /* Receive Maximum 1 */
        publish(s, "a", "1", MQTT_QOS_1);
        publish_with(s, "a", "2", (enum mqtt_qos)qos, SECONDS(5));
        publish(s, "a", "3", MQTT_QOS_1);
        publish(s, "a", "4", MQTT_QOS_1);
        expect_packet(s, 0x32, 1);
        elapse(s, 5000);
        expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
        expect_nothing_sent(s);
        server_answers(s, 0x40, 1);
        expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
        expect_packet(s, 0x32, 3);
        expect_nothing_sent(s);
        server_answers(s, 0x40, 3);
        expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
        expect_packet(s, 0x32, 4);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* QoS 0 needs no quota: it waited only for the one before it. */
static void test_what_expires_before_it_has_quota_holds_nothing_up(void **state)
{
    struct script *s = v5(state);

    connected_with(s, 0x21, 0x00, 0x01); /* Receive Maximum 1 */
    publish(s, "a", "1", MQTT_QOS_1);
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(5));
    publish(s, "a", "3", MQTT_QOS_0);
    expect_packet(s, 0x32, 1);
    expect_nothing_sent(s);
    elapse(s, 5000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    expect_packet(s, 0x30, 0);
    expect_nothing_sent(s);
}

/* It may go, but the network takes nothing; its quota is for another then. */
static void test_what_expires_behind_a_blocked_network_is_told(void **state)
{
    for (int qos = 1; qos < 3; qos++) {
        struct script *s = v5(state);

        connected_with(s, 0x21, 0x00, 0x02);
        s->blocked = true;
        publish_with(s, "a", "1", (enum mqtt_qos)qos, SECONDS(5));
        publish(s, "a", "2", MQTT_QOS_1);
        publish(s, "a", "3", MQTT_QOS_1);
        publish(s, "a", "4", MQTT_QOS_1);
        elapse(s, 5000);
        expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
        s->blocked = false;
        expect_packet(s, 0x32, 2);
        expect_packet(s, 0x32, 3);
        expect_nothing_sent(s);
        server_answers(s, 0x40, 3);
        expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
        expect_packet(s, 0x32, 4);
        script_restart(s);
    }
}

/* Half of one is out: the next one may expire, this one may not. */
static void test_what_expires_behind_half_a_packet_is_told(void **state)
{
    struct script *s = v5(state);

    for (size_t taken = 1; taken < 14; taken++) {
        connected(s);
        s->blocked = true;
        publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(5)); /* 14 bytes */
        network_takes(s, taken);
        publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(5));
        elapse(s, 6000);
        expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
        expect_no_event(s);
        s->blocked = false;
        expect_left(s, 0x32, 5);
        expect_nothing_sent(s);
        server_answers(s, 0x40, 1);
        expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
        script_restart(s);
    }
}

/* The same where its head is in control memory and the rest in the ring. */
static void test_half_a_large_packet_does_not_expire(void **state)
{
    struct script *s = v5(state);
    char payload[101];

    s->memory.control_size = 40;
    memset(payload, 'x', 100);
    payload[100] = '\0';
    for (size_t taken = 1; taken < 113; taken += 3) {
        connected(s);
        s->blocked = true;
        publish_with(s, "a", payload, MQTT_QOS_1, SECONDS(5));
        publish_with(s, "a", payload, MQTT_QOS_1, SECONDS(5));
        network_takes(s, taken);
        elapse(s, 6000);
        expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
        cut(s);
        elapse(s, 6000);
        expect_no_event(s);
        s->blocked = false;
        reconnected(s, true);
        expect_left(s, 0x3A, 1);
        assert_true(span_is(s->packet.payload, payload));
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Of what is offered at once as a batch, what has not begun may be sent
 * afterwards; it is not sent and told as expired as well. */
static void test_nothing_is_both_sent_and_expired(void **state)
{
    struct script *s = v5(state);

    for (size_t taken = 0; taken <= 42; taken++) {
        bool ended[4] = {false};
        unsigned count = 0;

        connected(s);
        s->blocked = true;
        for (int i = 0; i < 3; i++)
            publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(5));
        network_takes(s, taken);
        elapse(s, 6000);
        while (mqtt_client_next(&s->client, &s->event)) {
            assert_int_equal(s->event.type, MQTT_EVENT_PUBLISHED);
            assert_int_equal(s->event.outcome, MQTT_OUTCOME_EXPIRED);
            ended[s->event.packet_identifier] = true;
            count++;
        }
        s->blocked = false;
        while (next_packet(s)) {
            assert_false(ended[s->packet.identifier]);
            ended[s->packet.identifier] = true;
            count++;
        }
        assert_int_equal(count, 3);
        script_restart(s);
    }
}

/* It was sent, and republished: as if it had not been. */
static void test_republish_lost_lets_it_expire_again(void **state)
{
    struct script *s = v5(state);

    s->config.republish_lost = true;
    connected(s);
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(50));
    expect_packet(s, 0x32, 1);
    cut(s);
    elapse(s, 20000);
    reconnected(s, false);
    expect_left(s, 0x32, 30);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

/* While it counted as sent, others have expired; then it waits for quota. That
 * it never left can nobody say. */
static void test_what_is_republished_expires_in_time(void **state)
{
    struct script *s = v5(state);

    s->config.republish_lost = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(50));
    discard_sent(s);
    cut(s);
    publish_with(s, "a", "3", MQTT_QOS_1, SECONDS(5));
    elapse(s, 5000);
    expect_published(s, 3, MQTT_OUTCOME_EXPIRED);
    reconnected_with(s, false, 0x21, 0x00, 0x01); /* Receive Maximum 1 */
    expect_packet(s, 0x32, 1);
    elapse(s, 45000);
    expect_published(s, 2, MQTT_OUTCOME_LOST);
}

/* ... nor of one that has expired when the session turns out to be lost, or
 * that the next server does not take; what the new session has acknowledged is
 * as any other. */
static void test_what_is_republished_and_cannot_be_sent_is_lost(void **state)
{
    struct script *s = v5(state);

    s->config.republish_lost = true;
    connected(s);
    publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(5));
    publish_sent(s, "a", "2", MQTT_QOS_2);
    publish_sent(s, "a", "3", MQTT_QOS_1);
    discard_sent(s);
    cut(s);
    elapse(s, 5000);
    reconnected_with(s, false, 0x24, 0x01); /* Maximum QoS 1 */
    expect_published(s, 1, MQTT_OUTCOME_LOST);
    expect_published(s, 2, MQTT_OUTCOME_LOST);
    expect_packet(s, 0x32, 3);
    server_answers(s, 0x40, 3);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_what_is_republished_ends_as_any_other(void **state)
{
    struct script *s = v5(state);

    s->config.republish_lost = true;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_2);
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x34, 1);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_an_expired_message_frees_its_room_and_slot(void **state)
{
    struct script *s = v5(state);

    s->memory.slot_count = 1;
    connected(s);
    s->blocked = true;
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(5));
    assert_int_equal(try_publish(s, "a", "y", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    elapse(s, 5000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    pull(s, MQTT_EVENT_ROOM);
    s->blocked = false;
    publish(s, "a", "y", MQTT_QOS_1);
    expect_packet(s, 0x32, 2);
}

/* Nobody tells of it but ROOM: the one before it is not acknowledged. */
static void
test_an_expired_message_frees_its_room_behind_one_in_flight(void **state)
{
    struct script *s = v5(state);

    s->memory.outbox_size = 32; /* for two of 14 bytes */
    connected(s);
    publish_with(s, "a", "1", MQTT_QOS_0, SECONDS(5));
    publish_sent(s, "a", "2", MQTT_QOS_1); /* the ring begins with a gap */
    s->blocked = true;
    publish_with(s, "a", "3", MQTT_QOS_1, SECONDS(5));
    assert_int_equal(try_publish(s, "a", "4567", MQTT_QOS_1), MQTT_ERR_NO_ROOM);
    elapse(s, 5000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    s->blocked = false;
    expect_nothing_sent(s);
    pull(s, MQTT_EVENT_ROOM);
    publish(s, "a", "4567", MQTT_QOS_1);
    expect_packet(s, 0x32, 3);
}

/* Also without a connection, where the first ones expire first. */
static void test_what_expires_offline_frees_its_room(void **state)
{
    struct script *s = v5(state);

    s->memory.outbox_size = 64; /* for three of 20 bytes */
    for (int had_one = 0; had_one < 2; had_one++) {
        s->config.keep_qos0 = had_one;
        start(s);
        if (had_one) {
            connected(s);
            publish_sent(s, "a", "x", MQTT_QOS_1); /* 9 bytes, sent again */
            server_answers(s, 0x40, 1);
            expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
            cut(s);
        }
        for (int i = 0; i < 3; i++)
            publish_with(s, "a", "123456", MQTT_QOS_1, SECONDS(5 + 5 * i));
        assert_int_equal(try_publish(s, "a", "123456", MQTT_QOS_1),
                         MQTT_ERR_NO_ROOM);
        elapse(s, 5000);
        expect_published(s, (uint16_t)(1 + had_one), MQTT_OUTCOME_EXPIRED);
        pull(s, MQTT_EVENT_ROOM);
        publish(s, "a", "abcdef", MQTT_QOS_1);
        elapse(s, 5000);
        expect_published(s, (uint16_t)(2 + had_one), MQTT_OUTCOME_EXPIRED);
        publish(s, "a", "ghijkl", MQTT_QOS_1);
        if (had_one)
            reconnected(s, true);
        else
            connected(s);
        expect_left(s, 0x32, 5);
        assert_true(span_is(expect_packet(s, 0x32, 0)->payload, "abcdef"));
        assert_true(span_is(expect_packet(s, 0x32, 0)->payload, "ghijkl"));
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Nothing is left to be drained. */
static void test_draining_ends_when_all_has_expired(void **state)
{
    struct script *s = v5(state);

    s->random_bits = UINT32_MAX;
    connected(s);
    cut(s);
    cut((reopened(s), s));
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(1));
    assert_int_equal(mqtt_disconnect(&s->client, 100000), MQTT_OK);
    elapse(s, 1000);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    assert_true(s->event.retry_at == MQTT_NEVER);
}

/* Only where it has one. */
static void test_a_topic_too_long_for_control_cannot_expire(void **state)
{
    struct script *s = v5(state);
    static const uint8_t expiry[] = {SECONDS(5)};
    char topic[44];
    struct mqtt_message message = {.payload = MQTT_TEXT("x"),
                                   .properties = {expiry, sizeof(expiry)}};

    s->memory.control_size = 64;
    memset(topic, 'a', sizeof(topic));
    connected(s);
    message.topic_name = (struct mqtt_span){topic, 64 - 23};
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_TOO_LARGE);
    message.topic_name.size = 64 - 24;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    expect_left(s, 0x30, 5);
    message.topic_name.size = 64 - 23;
    message.properties.size = 0;
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    assert_non_null(next_packet(s));
}

/* Time is asked for where the driver knows it. */
static mqtt_time driver_clock(void *driver)
{
    return ((struct script *)driver)->now;
}

static void test_the_time_of_the_request_counts(void **state)
{
    struct script *s = v5(state);

    start(s);
    mqtt_client_set_driver(&s->client, s, NULL, driver_clock);
    s->now += 7000; /* nobody ticks */
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(10));
    elapse(s, 9999);
    expect_no_event(s);
    elapse(s, 1);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
}

/* One byte is enough: it is not to be taken for one that nobody has seen. */
static void test_what_has_begun_to_leave_counts_as_sent(void **state)
{
    struct script *s = v5(state);
    struct mqtt_outstanding it = {0};

    connected(s);
    s->blocked = true;
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(10));
    assert_true(mqtt_client_next_outstanding(&s->client, &it));
    assert_false(it.sent);
    network_takes(s, 1);
    memset(&it, 0, sizeof it);
    assert_true(mqtt_client_next_outstanding(&s->client, &it));
    assert_true(it.sent);
}

static const struct CMUnitTest tests[] = {
    script_test(test_what_is_sent_at_once_has_all_of_its_time),
    script_test(test_other_properties_stay_around_it),
    script_test(test_what_has_begun_to_leave_counts_as_sent),
    script_test(test_what_is_left_is_written_when_it_leaves),
    script_test(test_a_resend_has_what_is_left_then),
    script_test(test_the_greatest_interval_does_not_expire),
    script_test(test_a_long_interval_does_not_hide_a_short_one),
    script_test(test_interval_0_is_over_at_once),
    script_test(test_what_expires_offline_is_told_and_not_sent),
    script_test(test_what_expires_between_connections_is_told),
    script_test(test_qos_0_that_expires_is_counted),
    script_test(test_what_expires_while_it_waits_for_quota_is_told),
    script_test(test_what_expires_before_it_has_quota_holds_nothing_up),
    script_test(test_what_expires_behind_a_blocked_network_is_told),
    script_test(test_what_expires_behind_half_a_packet_is_told),
    script_test(test_half_a_large_packet_does_not_expire),
    script_test(test_nothing_is_both_sent_and_expired),
    script_test(test_republish_lost_lets_it_expire_again),
    script_test(test_what_is_republished_expires_in_time),
    script_test(test_what_is_republished_and_cannot_be_sent_is_lost),
    script_test(test_what_is_republished_ends_as_any_other),
    script_test(test_an_expired_message_frees_its_room_and_slot),
    script_test(test_an_expired_message_frees_its_room_behind_one_in_flight),
    script_test(test_what_expires_offline_frees_its_room),
    script_test(test_draining_ends_when_all_has_expired),
    script_test(test_a_topic_too_long_for_control_cannot_expire),
    script_test(test_the_time_of_the_request_counts),
};

int main(void)
{
    return script_run("expiry", tests);
}
