/*
 * extremes.c - times, counts and sizes at the ends of what they may be.
 */
#include "script.h"

#include <mqttloop/properties.h>
#include <mqttloop/stream.h>

#include "client/client.h"
#include "session/seconds.h"
#include "wire/packet_5_0.h"

/* ---- time -------------------------------------------------------------------- */

/* The last clock that leaves room for each wait there is. */
#define LAST_BEGINNING (UINT64_MAX - 3 * 65535000u)

static const mqtt_time beginnings[] = {
    0,
    1,
    UINT32_MAX,
    (mqtt_time)UINT32_MAX + 1,
    (mqtt_time)1000 << 32, /* where the seconds begin anew */
    ((mqtt_time)1000 << 32) - 500,
    INT64_MAX,
    LAST_BEGINNING,
};

#define EACH_BEGINNING(s)                                                      \
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]);         \
         i++, script_restart(s))

static void connected_at(struct script *s, mqtt_time now)
{
    s->now = now;
    connected(s);
    expect_no_event(s);
}

/* PINGREQ when it is due, and not a millisecond before. */
static void keeps_alive(struct script *s, uint32_t seconds, mqtt_time wait)
{
    EACH_BEGINNING(s)
    {
        s->config.connect.keep_alive_s = seconds;
        connected_at(s, beginnings[i]);
        expect_deadline(s, wait);
        elapse(s, wait - 1);
        expect_nothing_sent(s);
        elapse(s, 1);
        expect_bytes(s, 0xC0, 0x00);
        server_sends(s, 0xD0, 0x00);
        expect_no_event(s);
        expect_deadline(s, wait);
    }
}

static void test_pingresp_is_awaited_whatever_the_clock_says(void **state)
{
    struct script *s = *state;

    EACH_BEGINNING(s)
    {
        s->config.connect.keep_alive_s = 65535;
        connected_at(s, beginnings[i]);
        elapse(s, 65534000);
        expect_bytes(s, 0xC0, 0x00);
        elapse(s, 9999);
        expect_no_event(s);
        elapse(s, 1);
        expect_fatal(s, MQTT_ERR_PINGRESP_TIMEOUT);
    }
}

static void test_the_shortest_keep_alive(void **state)
{
    keeps_alive(*state, 1, 875);
}

static void test_the_longest_keep_alive(void **state)
{
    keeps_alive(*state, 65535, 65534000);
}

static void test_without_keep_alive_there_is_no_deadline(void **state)
{
    struct script *s = *state;

    EACH_BEGINNING(s)
    {
        s->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
        connected_at(s, beginnings[i]);
        expect_deadline(s, MQTT_NEVER);
    }
}

static void test_connack_is_awaited_whatever_the_clock_says(void **state)
{
    struct script *s = *state;

    EACH_BEGINNING(s)
    {
        s->config.connect.keep_alive_s = 0;
        s->now = beginnings[i];
        start(s);
        connects(s);
        expect_packet(s, 0x10, 0);
        expect_deadline(s, 10000);
        elapse(s, 10000);
        expect_fatal(s, MQTT_ERR_CONNACK_TIMEOUT);
    }
}

/* ---- expiry: seconds that go around ------------------------------------------- */

/* What is left of an interval is right until it is over, and for 34 years then
 * nothing is. */
static void check_interval(mqtt_time now, uint32_t interval)
{
    static const uint32_t after[] = {0, 1, 0x3ffffffe};
    uint32_t moment = mqtt_seconds_down(now) + interval;

    assert_int_equal(mqtt_seconds_until(now, moment), interval);
    if (interval)
        assert_int_equal(
            mqtt_seconds_until(now + (mqtt_time)(interval - 1) * 1000, moment),
            1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            mqtt_seconds_until(now + ((mqtt_time)interval + after[i]) * 1000,
                               moment),
            0);
}

static void test_an_interval_is_over_when_it_is(void **state)
{
    static const uint32_t intervals[] = {0,
                                         1,
                                         2,
                                         0x7fffffff,
                                         0x80000000,
                                         MQTT_SECONDS_MAX - 1,
                                         MQTT_SECONDS_MAX};

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        for (size_t j = 0; j < sizeof(intervals) / sizeof(intervals[0]); j++)
            check_interval(beginnings[i], intervals[j]);
}

/* The interval as it was published, over the wire: never more than it was, and
 * never nothing. */
static void test_the_ends_of_a_message_expiry_interval(void **state)
{
    static const uint32_t intervals[] = {1, MQTT_SECONDS_MAX, 0xfffffffe,
                                         0xffffffff};
    struct script *s = *state;

    EACH_BEGINNING(s)
    {
        for (size_t j = 0; j < sizeof(intervals) / sizeof(intervals[0]); j++) {
            uint32_t n = intervals[j], left;

            s->config.protocol = &mqtt_protocol_5_0;
            connected_at(s, beginnings[i]);
            publish_with(s, "a", "x", MQTT_QOS_1, 0x02, (uint8_t)(n >> 24),
                         (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
            expect_packet(s, 0x32, 1);
            left = mqtt_property_number(s->packet.properties, 0x02, 0);
            assert_true(left > 0 && left <= n);
            assert_true(left >= (n < MQTT_SECONDS_MAX ? n : MQTT_SECONDS_MAX));
            if (j + 1 < sizeof(intervals) / sizeof(intervals[0]))
                script_restart(s);
        }
    }
}

/* ---- the pace of new tries ------------------------------------------------------ */

static uint32_t drawn;

static uint32_t draw(void *context)
{
    (void)context;
    return drawn;
}

/* After any number of tries: never more than the cap, and once it is reached it
 * stays so. */
static void check_pace(uint32_t base, uint32_t cap)
{
    static struct mqtt_client c;
    struct mqtt_config config = {
        .random = draw, .retry_base_ms = base, .retry_cap_ms = cap};
    mqtt_time before = 0;

    memset(&c, 0, sizeof(c));
    c.config_ = &config;
    for (unsigned tries = 0; tries < 66000; tries++) {
        mqtt_time delay = mqtt_governor_delay(&c, false);

        if (delay > cap || delay < before)
            fail_msg("%u, %u, try %u", (unsigned)base, (unsigned)cap, tries);
        before = delay;
        assert_int_equal(c.tries_, tries < 65535 ? tries + 1 : 65535);
    }
    assert_int_equal(before, drawn ? cap : 0);
}

static void test_the_pace_stays_within_its_cap(void **state)
{
    static const uint32_t ends[] = {1,          2,          1000,      60000,
                                    0x7fffffff, 0x80000000, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < 49; i++) {
        drawn = UINT32_MAX;
        check_pace(ends[i / 7], ends[i % 7]);
        drawn = 0;
        check_pace(ends[i / 7], ends[i % 7]);
    }
}

/* ---- sizes ------------------------------------------------------------------------ */

static char topic[65536];

static void test_the_largest_topic_has_its_size(void **state)
{
    struct mqtt_message message = {.topic_name = {topic, 65535}};

    (void)state;
    assert_int_equal(mqtt_publish_head_size(&message), 65537);
    assert_int_equal(mqtt_publish_head_size_5_0(&message), 65538);
    message.qos = MQTT_QOS_2;
    assert_int_equal(mqtt_publish_head_size(&message), 65539);
    message.properties.size = MQTT_LENGTH_MAX;
    assert_int_equal(mqtt_publish_head_size_5_0(&message),
                     65539u + 4 + MQTT_LENGTH_MAX);
}

static const void *no_bytes(struct mqtt_source *source, uint32_t offset,
                            size_t *size)
{
    (void)source;
    (void)offset;
    *size = 1;
    return topic;
}

/* With the payload in a source only its size counts. */
static void test_a_remaining_length_of_the_largest_is_published(void **state)
{
    static const size_t too_many[] = {1,
                                      2,
                                      65536,
                                      MQTT_LENGTH_MAX,
                                      UINT32_MAX - MQTT_LENGTH_MAX,
                                      SIZE_MAX - MQTT_LENGTH_MAX};
    struct script *s = *state;
    struct mqtt_source source = {.read = no_bytes};
    struct mqtt_message message = {.qos = MQTT_QOS_1};

    memset(topic, 't', 65535);
    for (unsigned level = 4; level <= 5; level++) {
        size_t most = MQTT_LENGTH_MAX - 65535 - 4 - (level - 4);

        s->config.protocol =
            level == 5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
        s->memory.outbox_size = s->memory.control_size = 70000;
        message.topic_name = (struct mqtt_span){topic, 65535};
        start(s);
        for (size_t i = 0; i < sizeof(too_many) / sizeof(too_many[0]); i++) {
            message.payload = (struct mqtt_span){NULL, most + too_many[i]};
            assert_int_equal(
                mqtt_publish_stream(&s->client, &message, &source, NULL),
                MQTT_ERR_TOO_LARGE);
        }
        message.payload.size = most;
        assert_int_equal(
            mqtt_publish_stream(&s->client, &message, &source, NULL), MQTT_OK);
        script_restart(s);
    }
}

/* What is borrowed is not looked at before its size is known to be good. */
static void test_no_size_wraps_around(void **state)
{
    static const size_t sizes[] = {
        MQTT_LENGTH_MAX - 6, MQTT_LENGTH_MAX, MQTT_LENGTH_MAX + (size_t)1,
        UINT32_MAX - 6,      UINT32_MAX,      SIZE_MAX / 2,
        SIZE_MAX - 6,        SIZE_MAX};
    struct script *s = *state;

    for (unsigned level = 4; level <= 5; level++) {
        s->config.protocol =
            level == 5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
        start(s);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct mqtt_message message = {.topic_name = mqtt_text("a"),
                                           .payload = {topic, sizes[i]},
                                           .qos = MQTT_QOS_1};

            assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                             MQTT_ERR_TOO_LARGE);
        }
        script_restart(s);
    }
}

static void test_topics_and_properties_of_any_size(void **state)
{
    static const size_t sizes[] = {65536, UINT32_MAX, SIZE_MAX};
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct mqtt_message message = {.topic_name = {topic, sizes[i]},
                                       .qos = MQTT_QOS_1};

        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_ERR_TOPIC_NAME);
        message.topic_name = mqtt_text("a");
        message.properties = (struct mqtt_span){
            topic, sizes[i] == 65536 ? (size_t)MQTT_LENGTH_MAX : sizes[i]};
        assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                         MQTT_ERR_TOO_LARGE);
    }
}

/* A server's Maximum Packet Size is kept to the byte. */
static void test_a_packet_of_the_maximum_size_is_allowed(void **state)
{
    static const uint32_t maxima[] = {1, 2, 268435455, 268435460, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
        struct mqtt_limits limits = {0};

        mqtt_limits_none(&limits);
        assert_int_equal(mqtt_limits_check(&limits, 0x34, UINT32_MAX), MQTT_OK);
        limits.maximum_packet_size = maxima[i];
        assert_int_equal(mqtt_limits_check(&limits, 0x34, maxima[i]), MQTT_OK);
        assert_int_equal(mqtt_limits_check(&limits, 0x34, maxima[i] - 1),
                         MQTT_OK);
        if (maxima[i] != UINT32_MAX)
            assert_int_equal(mqtt_limits_check(&limits, 0x34, maxima[i] + 1),
                             MQTT_ERR_MAXIMUM_PACKET_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(test_the_shortest_keep_alive),
        script_test(test_the_longest_keep_alive),
        script_test(test_pingresp_is_awaited_whatever_the_clock_says),
        script_test(test_without_keep_alive_there_is_no_deadline),
        script_test(test_connack_is_awaited_whatever_the_clock_says),
        script_test(test_an_interval_is_over_when_it_is),
        script_test(test_the_ends_of_a_message_expiry_interval),
        script_test(test_a_remaining_length_of_the_largest_is_published),
        script_test(test_no_size_wraps_around),
        script_test(test_topics_and_properties_of_any_size),
    };
    const struct CMUnitTest pure[] = {
        cmocka_unit_test(test_the_pace_stays_within_its_cap),
        cmocka_unit_test(test_the_largest_topic_has_its_size),
        cmocka_unit_test(test_a_packet_of_the_maximum_size_is_allowed),
    };

    return cmocka_run_group_tests_name("extremes", pure, NULL, NULL) +
           script_run("extremes", tests);
}
