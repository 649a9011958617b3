/*
 * room.c - the network takes nothing, and control memory is full: what is to be
 * answered waits, in its order; acknowledgements and expiry meanwhile.
 */
#include "script.h"

#include <mqttloop/stream.h>

#define COUNT 40 /* answers of 4 bytes or more, and 64 bytes of memory */
#define SECONDS(n) 0x02, 0x00, 0x00, (uint8_t)((n) >> 8), (uint8_t)(n)

static void begin(struct script *s)
{
    s->memory.control_size = 64;
    connected(s);
    discard_sent(s);
    s->blocked = true;
}

static struct script *v5(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    return s;
}

/* The network takes again: the next packet, for which the client may have to
 * be pulled first. */
static void expect_answer(struct script *s, uint8_t first_byte,
                          uint16_t identifier, uint8_t code)
{
    const struct packet *packet = next_packet(s);

    if (!packet) {
        expect_no_event(s);
        packet = next_packet(s);
    }
    assert_non_null(packet);
    assert_int_equal(packet->first_byte, first_byte);
    assert_int_equal(packet->identifier, identifier);
    assert_int_equal(packet->reason_code, code);
}

static void expect_answers(struct script *s, uint8_t first_byte, uint8_t code)
{
    expect_no_event(s);
    s->blocked = false;
    for (uint16_t i = 1; i <= COUNT; i++)
        expect_answer(s, first_byte, i, code);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* ---- control memory is full ---------------------------------------------- */

static void test_pubrels_of_unknown_pubrecs_wait_for_room(void **state)
{
    struct script *s = *state;

    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_answers(s, 0x50, i);
    expect_answers(s, 0x62, 0);
}

static void test_pubrels_of_unknown_pubrecs_wait_for_room_in_5_0(void **state)
{
    struct script *s = v5(*state);

    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_answers(s, 0x50, i);
    expect_answers(s, 0x62, 0x92);
}

static void test_pubcomps_wait_for_room(void **state)
{
    struct script *s = *state;

    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_answers(s, 0x62, i);
    expect_answers(s, 0x70, 0);
}

static void test_pubcomps_wait_for_room_in_5_0(void **state)
{
    struct script *s = v5(*state);

    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_answers(s, 0x62, i);
    expect_answers(s, 0x70, 0x92);
}

static void test_pubrecs_of_what_came_again_wait_for_room(void **state)
{
    struct script *s = *state;

    s->memory.control_size = 64;
    connected(s);
    for (uint16_t i = 1; i <= COUNT; i++) {
        server_publishes(s, 0x34, "a", i, "x");
        expect_message(s, "a", "x");
    }
    expect_no_event(s);
    discard_sent(s);
    s->blocked = true;
    for (uint16_t i = 1; i <= COUNT; i++)
        server_publishes(s, 0x3C, "a", i, "x");
    expect_answers(s, 0x50, 0);
}

static void test_refusals_of_payloads_wait_for_room(void **state)
{
    struct script *s = v5(*state);

    s->config.check_payload_format = true;
    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_publishes_with(s, 0x32, "a", i, "\xFF", 0x01, 0x01);
    expect_answers(s, 0x40, 0x99);
}

static void test_a_subscription_waits_for_room(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    begin(s);
    for (uint16_t i = 1; i <= COUNT; i++)
        server_answers(s, 0x62, i);
    expect_no_event(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    network_takes(s, 3); /* the driver asks, and takes little */
    s->blocked = false;
    for (uint16_t i = 1; i <= COUNT; i++) {
        const struct packet *packet = next_packet(s);

        if (!packet)
            expect_no_event(s);
        if (!packet || packet->first_byte == 0x82)
            i--;
        else
            assert_int_equal(packet->identifier, i);
        if (packet && packet->first_byte == 0x82)
            server_suback(s, packet->identifier, 0);
        if (a.topic_filter.size && s->to_client.size)
            break;
    }
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
}

static void test_a_list_that_is_full_stops_what_is_too_large_too(void **state)
{
    struct script *s = *state;
    char payload[300];

    memset(payload, 'x', sizeof(payload));
    payload[sizeof(payload) - 1] = '\0';
    s->with_bits = false;
    s->memory.received_count = 1;
    s->memory.input_size = 64;
    connected(s);
    server_publishes(s, 0x34, "a", 1, "x");
    expect_message(s, "a", "x");
    server_publishes(s, 0x34, "a", 2, payload);
    expect_fatal(s, MQTT_ERR_RECEIVED_FULL);
}

static void test_the_lesser_receive_maximum_is_announced(void **state)
{
    struct script *s = v5(*state);
    const struct packet *packet;
    struct mqtt_span properties;

    s->with_bits = false;
    s->memory.received_count = 10;
    s->config.connect.receive_maximum = 5;
    start(s);
    connects(s);
    packet = expect_packet(s, 0x10, 0);
    properties = (struct mqtt_span){packet->bytes + 13, packet->bytes[12]};
    assert_int_equal(number_of(properties, MQTT_PROPERTY_RECEIVE_MAXIMUM), 5);
}

/* ---- answers at odd moments ---------------------------------------------- */

/* A QoS 2 message whose PUBREC has come, on a new connection where PUBREL has
 * not left yet. */
static void begin_released(struct script *s, struct mqtt_statistics *counted)
{
    s->config.statistics = counted;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    cut(s);
    reopened(s);
    discard_sent(s);
    s->blocked = true;
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
}

static void test_pubcomp_before_pubrel_ends_nothing(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics counted = {0};

    begin_released(s, &counted);
    server_answers(s, 0x70, 1);
    expect_no_event(s);
    assert_int_equal(counted.unknown_acknowledgements, 1);
    s->blocked = false;
    expect_packet(s, 0x62, 1);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_pubrec_before_pubrel_is_answered_once(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics counted = {0};

    begin_released(s, &counted);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    s->blocked = false;
    expect_packet(s, 0x62, 1);
    expect_nothing_sent(s);
    assert_int_equal(counted.unknown_acknowledgements, 0);
}

static void test_a_late_refusal_by_pubrec_is_counted_only(void **state)
{
    struct script *s = v5(*state);
    struct mqtt_statistics counted = {0};

    s->config.statistics = &counted;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
    server_answers_with(s, 0x50, 1, 0x80);
    expect_no_event(s);
    expect_nothing_sent(s);
    assert_int_equal(counted.unknown_acknowledgements, 1);
    server_answers(s, 0x70, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_what_ended_by_a_limit_is_acknowledged_in_vain(void **state)
{
    struct script *s = v5(*state);
    struct mqtt_statistics counted = {0};

    s->config.statistics = &counted;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack_with(s, 1, 0, 0x24, 0x00); /* Maximum QoS 0 */
    server_answers(s, 0x40, 1);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_published(s, 1, MQTT_OUTCOME_UNKNOWN);
    expect_no_event(s);
    assert_int_equal(counted.unknown_acknowledgements, 1);
}

static void test_what_is_leaving_with_an_alias_can_be_acknowledged(void **state)
{
    struct script *s = v5(*state);

    s->memory.alias_topic_count = 1;
    connected_with(s, 0x22, 0x00, 0x01); /* Topic Alias Maximum */
    s->blocked = true;
    publish(s, "a", "x", MQTT_QOS_1);
    network_takes(s, 3);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    s->blocked = false;
    expect_bytes(s, 0x32, 0x0A, 0x00, 0x01, 'a', /* PUBLISH, topic name */
                 0x00, 0x01,                     /* packet identifier */
                 0x03, 0x23, 0x00, 0x01,         /* Topic Alias */
                 'x');
    publish(s, "a", "y", MQTT_QOS_0);
    expect_bytes(s, 0x30, 0x07, 0x00, 0x00, 0x03, 0x23, 0x00, 0x01, 'y');
}

static void
test_settling_what_the_server_cannot_take_ends_the_connection(void **state)
{
    struct script *s = v5(*state);

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 1;
    connected_with(s, 0x27, 0x00, 0x00, 0x00, 0x03); /* Maximum Packet Size */
    server_publishes(s, 0x32, "a", 1, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(mqtt_settle(&s->client, s->event.message.settle_handle, 0),
                     MQTT_OK);
    expect_fatal(s, MQTT_ERR_ANNOUNCED);
    expect_nothing_sent(s);
}

static void test_disconnecting_what_has_just_failed_stops(void **state)
{
    struct script *s = v5(*state);

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 1;
    connected_with(s, 0x27, 0x00, 0x00, 0x00, 0x03);
    server_publishes(s, 0x32, "a", 1, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    assert_int_equal(mqtt_settle(&s->client, s->event.message.settle_handle, 0),
                     MQTT_OK);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_nothing_sent(s);
    expect_wants(s, MQTT_WANT_CLOSE);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_OK);
    assert_true(s->event.retry_at == MQTT_NEVER);
}

/* ---- sources ------------------------------------------------------------- */

static const void *read_bytes(struct mqtt_source *source, uint32_t offset,
                              size_t *size)
{
    const uint8_t *bytes = source->context;

    (void)size;
    return bytes + offset;
}

static void test_others_are_acknowledged_while_a_source_is_read(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics counted = {0};
    char payload[200];
    struct mqtt_source source = {read_bytes, payload};
    struct mqtt_message message = {.topic_name = MQTT_TEXT("s"),
                                   .payload = {NULL, sizeof(payload)},
                                   .qos = MQTT_QOS_1};

    memset(payload, 'p', sizeof(payload));
    s->config.statistics = &counted;
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    publish_sent(s, "a", "y", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    discard_sent(s); /* PUBREL */
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    s->blocked = true;
    network_takes(s, 50); /* half the payload is still to be read */
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x70, 2);
    expect_published(s, 2, MQTT_OUTCOME_ACKNOWLEDGED);
    server_answers(s, 0x40, 9); /* nobody's */
    expect_no_event(s);
    assert_int_equal(counted.unknown_acknowledgements, 1);
    server_answers(s, 0x40, 3);
    expect_no_event(s); /* the source is still read */
    s->blocked = false;
    script_drain(s);
    expect_published(s, 3, MQTT_OUTCOME_ACKNOWLEDGED);
}

static void test_the_payload_of_a_source_is_not_checked(void **state)
{
    static const uint8_t properties[] = {0x01, 0x01}; /* UTF-8 */
    struct script *s = v5(*state);
    uint8_t payload[] = {0xFF, 0xFE, 0xFD};
    struct mqtt_source source = {read_bytes, payload};
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("s"),
        .payload = {NULL, sizeof(payload)},
        .qos = MQTT_QOS_1,
        .properties = {properties, sizeof(properties)}};

    s->config.check_payload_format = true;
    connected(s);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    expect_bytes(s, 0x32, 0x0B, 0x00, 0x01, 's', 0x00, 0x01, 0x02, 0x01, 0x01,
                 0xFF, 0xFE, 0xFD);
}

static void test_a_payload_of_utf8_may_have_a_nul(void **state)
{
    static const uint8_t properties[] = {0x01, 0x01}; /* UTF-8 */
    struct script *s = v5(*state);
    struct mqtt_message message = {
        .topic_name = MQTT_TEXT("s"),
        .payload = {"a\0b", 3},
        .qos = MQTT_QOS_0,
        .properties = {properties, sizeof(properties)}};

    s->config.check_payload_format = true;
    connected(s);
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL), MQTT_OK);
    message.payload = (struct mqtt_span){"a\0\xFF", 3};
    assert_int_equal(mqtt_client_publish(&s->client, &message, NULL),
                     MQTT_ERR_PAYLOAD_FORMAT);
}

/* ---- expiry -------------------------------------------------------------- */

static void test_what_is_resent_at_its_last_moment_has_a_second(void **state)
{
    struct script *s = v5(*state);

    connected(s);
    publish_with(s, "a", "x", MQTT_QOS_1, SECONDS(5)); /* at 1,000 ms */
    discard_sent(s);
    cut(s);
    elapse(s, 5000);
    reconnected(s, true);
    expect_packet(s, 0x3A, 1);
    assert_int_equal(number_of(s->packet.properties, 0x02), 1);
}

static mqtt_time script_clock(void *driver)
{
    return ((struct script *)driver)->now;
}

static void test_what_expires_between_turns_does_not_leave(void **state)
{
    struct script *s = v5(*state);

    connected(s);
    mqtt_client_set_driver(&s->client, s, NULL, script_clock);
    publish_with(s, "a", "late", MQTT_QOS_1, SECONDS(1));
    s->now += 2000; /* nobody ticks */
    publish_with(s, "b", "new", MQTT_QOS_1, SECONDS(60));
    assert_true(span_is(expect_packet(s, 0x32, 2)->payload, "new"));
    expect_nothing_sent(s);
    expect_published(s, 1, MQTT_OUTCOME_EXPIRED);
}

static void test_a_cut_passes_over_what_expired_in_between(void **state)
{
    struct script *s = v5(*state);

    connected(s);
    s->blocked = true;
    publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(100));
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(1));
    publish_with(s, "a", "3", MQTT_QOS_1, SECONDS(100));
    publish_with(s, "a", "4", MQTT_QOS_1, SECONDS(100));
    elapse(s, 2000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    network_takes(s, 16); /* the first, and 2 bytes of the third */
    s->blocked = false;
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
    pull(s, MQTT_EVENT_DISCONNECTED);
    s->retry_at = s->event.retry_at;
    s->to_server.size = 0;
    reconnected(s, true);
    assert_true(span_is(expect_packet(s, 0x3A, 1)->payload, "1"));
    assert_true(span_is(expect_packet(s, 0x3A, 3)->payload, "3"));
    assert_true(span_is(expect_packet(s, 0x32, 4)->payload, "4"));
    expect_nothing_sent(s);
}

static void test_the_next_to_expire_is_the_soonest(void **state)
{
    struct script *s = v5(*state);

    start(s);
    publish_with(s, "a", "1", MQTT_QOS_1, SECONDS(10));
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(5));
    publish_with(s, "a", "3", MQTT_QOS_1, SECONDS(2));
    expect_deadline(s, 2000);
    elapse(s, 2000);
    expect_published(s, 3, MQTT_OUTCOME_EXPIRED);
    expect_deadline(s, 3000);
    elapse(s, 3000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    expect_deadline(s, 5000);
}

static void test_what_has_expired_does_not_go_along_to_3_1_1(void **state)
{
    struct script *s = v5(*state);

    s->config.fallback = &mqtt_protocol_3_1_1;
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    publish_with(s, "a", "2", MQTT_QOS_1, SECONDS(1));
    publish(s, "a", "3", MQTT_QOS_1);
    elapse(s, 1000);
    expect_published(s, 2, MQTT_OUTCOME_EXPIRED);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0x84); /* Unsupported Protocol Version */
    pull(s, MQTT_EVENT_REFUSED);
    expect_fatal(s, MQTT_ERR_REFUSED);
    reopened(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_bytes(s, 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x01, '1', /* */
                 0x32, 0x06, 0x00, 0x01, 'a', 0x00, 0x03, '3');
}

static void test_qos_0_that_expired_is_not_dropped_besides(void **state)
{
    struct script *s = v5(*state);
    struct mqtt_statistics counted = {0};

    s->config.statistics = &counted;
    connected(s);
    s->blocked = true;
    publish(s, "a", "0", MQTT_QOS_0);
    publish_with(s, "a", "1", MQTT_QOS_0, SECONDS(1));
    elapse(s, 2000);
    assert_int_equal(counted.messages_expired, 1);
    cut(s);
    assert_int_equal(counted.qos0_dropped, 1);
}

/* ---- AUTH ---------------------------------------------------------------- */

static void test_auth_goes_on_without_problem_information(void **state)
{
    static const uint8_t properties[] = {0x15, 0x00, 0x01, 'm', 0x17, 0x00};
    struct script *s = v5(*state);
    static const struct mqtt_span none;

    s->config.connect.properties =
        (struct mqtt_span){properties, sizeof(properties)};
    start(s);
    connects(s);
    discard_sent(s);
    server_sends(s, 0xF0, 0x06, 0x18, 0x04, 0x15, 0x00, 0x01, 'm');
    pull(s, MQTT_EVENT_AUTHENTICATION);
    assert_int_equal(s->event.reason_code, 0x18);
    assert_int_equal(mqtt_authenticate(&s->client, none, none), MQTT_OK);
    expect_packet(s, 0xF0, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_pubrels_of_unknown_pubrecs_wait_for_room),
        script_test(test_pubrels_of_unknown_pubrecs_wait_for_room_in_5_0),
        script_test(test_pubcomps_wait_for_room),
        script_test(test_pubcomps_wait_for_room_in_5_0),
        script_test(test_pubrecs_of_what_came_again_wait_for_room),
        script_test(test_refusals_of_payloads_wait_for_room),
        script_test(test_a_subscription_waits_for_room),
        script_test(test_a_list_that_is_full_stops_what_is_too_large_too),
        script_test(test_the_lesser_receive_maximum_is_announced),
        script_test(test_pubcomp_before_pubrel_ends_nothing),
        script_test(test_pubrec_before_pubrel_is_answered_once),
        script_test(test_a_late_refusal_by_pubrec_is_counted_only),
        script_test(test_what_ended_by_a_limit_is_acknowledged_in_vain),
        script_test(test_what_is_leaving_with_an_alias_can_be_acknowledged),
        script_test(
            test_settling_what_the_server_cannot_take_ends_the_connection),
        script_test(test_disconnecting_what_has_just_failed_stops),
        script_test(test_others_are_acknowledged_while_a_source_is_read),
        script_test(test_the_payload_of_a_source_is_not_checked),
        script_test(test_a_payload_of_utf8_may_have_a_nul),
        script_test(test_what_is_resent_at_its_last_moment_has_a_second),
        script_test(test_what_expires_between_turns_does_not_leave),
        script_test(test_a_cut_passes_over_what_expired_in_between),
        script_test(test_the_next_to_expire_is_the_soonest),
        script_test(test_what_has_expired_does_not_go_along_to_3_1_1),
        script_test(test_qos_0_that_expired_is_not_dropped_besides),
        script_test(test_auth_goes_on_without_problem_information),
    };

    return script_run("room", tests);
}
