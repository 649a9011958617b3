/*
 * subscribe.c - SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK
 * [3.1.1, sections 3.8 to 3.11], [5.0, the same].
 */
#include "conformance.h"

#define MOST 4
static struct mqtt_subscription nodes[MOST];

static enum mqtt_error try_subscribe(struct script *s,
                                     struct mqtt_subscription *node,
                                     const char *filter, int qos)
{
    *node = (struct mqtt_subscription){.topic_filter = mqtt_text(filter),
                                       .maximum_qos = (enum mqtt_qos)qos};
    return mqtt_subscribe(&s->client, node);
}

/* One SUBSCRIBE for filters "0", "1", ... has left; its identifier is 1. */
static void subscribed_to(struct script *s, int count)
{
    static const char *const filters[MOST] = {"0", "1", "2", "3"};

    start(s);
    for (int i = 0; i < count; i++)
        assert_int_equal(try_subscribe(s, &nodes[i], filters[i], i % 3),
                         MQTT_OK);
    connected(s);
    expect_packet(s, 0x82, 1);
    expect_nothing_sent(s);
}

/* `first_byte` with identifier 1 and these codes comes. */
static void codes_come(struct script *s, uint8_t first_byte,
                       const uint8_t *codes, size_t count)
{
    size_t length = (speaks_5_0(s) ? 3 : 2) + count;

    if (length < 128)
        server_sends(s, first_byte, (uint8_t)length);
    else
        server_sends(s, first_byte, (uint8_t)(length | 0x80),
                     (uint8_t)(length >> 7));
    server_sends(s, 0x00, 0x01);
    if (speaks_5_0(s))
        server_sends(s, 0x00);
    server_sends_span(s, codes, count);
}

/* ---- the bytes ----------------------------------------------------------- */

static void test_subscribe_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;

    start(s);
    assert_int_equal(try_subscribe(s, &nodes[0], "a/+", 2), MQTT_OK);
    assert_int_equal(try_subscribe(s, &nodes[1], "b", 0), MQTT_OK);
    connected(s);
    expect_bytes(s, 0x82,       /* SUBSCRIBE */
                 0x0C,          /* remaining length */
                 0x00, 0x01,    /* packet identifier */
                 0x00, 0x03,    /* topic filter length */
                 'a', '/', '+', /* topic filter */
                 0x02,          /* requested QoS */
                 0x00, 0x01,    /* topic filter length */
                 'b',           /* topic filter */
                 0x00);         /* requested QoS */
}

static void test_unsubscribe_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;

    nodes[0] = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("a/+")};
    nodes[1] = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("b")};
    connected(s);
    subscribed(s, &nodes[0]);
    subscribed(s, &nodes[1]);
    assert_int_equal(mqtt_unsubscribe(&s->client, &nodes[0]), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &nodes[1]), MQTT_OK);
    expect_bytes(s, 0xA2,       /* UNSUBSCRIBE */
                 0x0A,          /* remaining length */
                 0x00, 0x03,    /* packet identifier */
                 0x00, 0x03,    /* topic filter length */
                 'a', '/', '+', /* topic filter */
                 0x00, 0x01,    /* topic filter length */
                 'b');          /* topic filter */
}

static void test_subscribe_5_0_byte_for_byte(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a/+"),
                                  .maximum_qos = MQTT_QOS_2,
                                  .no_local = true,
                                  .retain_as_published = true,
                                  .retain_handling = MQTT_RETAIN_SEND_IF_NEW,
                                  .identifier = 200,
                                  .properties = {user, sizeof(user)}};
    struct mqtt_subscription b = a;

    b.topic_filter = mqtt_text("b");
    b.maximum_qos = MQTT_QOS_0;
    b.no_local = b.retain_as_published = false;
    b.retain_handling = MQTT_RETAIN_DO_NOT_SEND;
    start(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_subscribe(&s->client, &b), MQTT_OK);
    connected(s);
    expect_bytes(s, 0x82,          /* SUBSCRIBE */
                 0x17,             /* remaining length */
                 0x00, 0x01,       /* packet identifier */
                 0x0A,             /* property length */
                 0x0B, 0xC8, 0x01, /* Subscription Identifier 200 */
                 0x26,             /* User Property */
                 0x00, 0x01, 'k',  /* its name */
                 0x00, 0x01, 'v',  /* its value */
                 0x00, 0x03,       /* topic filter length */
                 'a', '/', '+',    /* topic filter */
                 0x1E,             /* QoS 2, No Local, Retain As Published,
                                       Retain Handling 1 */
                 0x00, 0x01,       /* topic filter length */
                 'b',              /* topic filter */
                 0x20);            /* QoS 0, Retain Handling 2 */
}

static void test_unsubscribe_5_0_byte_for_byte(void **state)
{
    static const uint8_t user[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'v'};
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a/+"),
                                  .identifier = 200,
                                  .properties = {user, sizeof(user)}};
    struct mqtt_subscription b = a;

    b.topic_filter = mqtt_text("b");
    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
    expect_bytes(s, 0xA2,         /* UNSUBSCRIBE */
                 0x12,            /* remaining length */
                 0x00, 0x03,      /* packet identifier */
                 0x07,            /* property length */
                 0x26,            /* User Property */
                 0x00, 0x01, 'k', /* its name */
                 0x00, 0x01, 'v', /* its value */
                 0x00, 0x03,      /* topic filter length */
                 'a', '/', '+',   /* topic filter */
                 0x00, 0x01,      /* topic filter length */
                 'b');            /* topic filter */
}

/* ---- what is asked for --------------------------------------------------- */

/* Whatever is chosen: bits 6 and 7 are 0, and no field has the value 3. */
static void test_subscription_options_have_no_reserved_bit(void **state)
{
    struct script *s = *state;

    for (unsigned choice = 0; choice < 36; choice++) {
        struct mqtt_subscription a = {
            .topic_filter = MQTT_TEXT("a"),
            .maximum_qos = (enum mqtt_qos)(choice % 3),
            .retain_handling = (enum mqtt_retain_handling)(choice / 3 % 3),
            .no_local = choice / 9 % 2,
            .retain_as_published = choice / 18};
        const struct packet *packet;

        connected(s);
        assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
        packet = expect_packet(s, 0x82, 1);
        assert_int_equal(packet->bytes[packet->size - 1],
                         choice % 3 | choice / 9 % 2 << 2 | choice / 18 << 3 |
                             choice / 3 % 3 << 4);
        script_restart(s);
    }
    connected(s);
    for (int beyond = 3; beyond < 300; beyond++) {
        struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                      .retain_handling =
                                          (enum mqtt_retain_handling)beyond};

        assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_SUBSCRIPTION);
    }
    expect_nothing_sent(s);
}

static void test_no_local_is_never_asked_of_a_shared_subscription(void **state)
{
    static const char *const shared[] = {"$share/g/a", "$share/g/#",
                                         "$share/group/+/b", "$share/g//"};
    struct script *s = *state;

    connected(s);
    for (int local = 0; local < 2; local++)
        for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
            struct mqtt_subscription *a = &nodes[i];

            *a = (struct mqtt_subscription){
                .topic_filter = mqtt_text(shared[i]), .no_local = !local};
            assert_int_equal(mqtt_subscribe(&s->client, a),
                             local ? MQTT_OK : MQTT_ERR_SUBSCRIPTION);
            if (!local) {
                expect_nothing_sent(s);
                continue;
            }
            server_suback(s, expect_packet(s, 0x82, 0)->identifier, 0);
            pull(s, MQTT_EVENT_SUBSCRIBED);
        }
}

static void test_a_request_has_a_filter(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription none = {.topic_filter = {NULL, 0}};

    connected(s);
    expect_nothing_sent(s); /* without subscriptions there is no SUBSCRIBE */
    assert_int_equal(mqtt_subscribe(&s->client, NULL), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_subscribe(&s->client, &none), MQTT_ERR_TOPIC_FILTER);
    assert_int_equal(mqtt_unsubscribe(&s->client, NULL), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_unsubscribe(&s->client, &none), MQTT_ERR_STATE);
    expect_nothing_sent(s);
    /* One that comes and goes before it was asked for leaves no empty one. */
    s->blocked = true;
    assert_int_equal(try_subscribe(s, &nodes[0], "a", 0), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &nodes[0]), MQTT_OK);
    s->blocked = false;
    while (next_packet(s))
        assert_true(s->packet.size >= 7);
}

static void test_what_is_asked_for_is_qos_0_to_2(void **state)
{
    struct script *s = *state;

    for (int qos = 0; qos < 3; qos++) {
        const struct packet *packet;

        connected(s);
        assert_int_equal(try_subscribe(s, &nodes[0], "a", qos), MQTT_OK);
        packet = expect_packet(s, 0x82, 0);
        assert_int_equal(packet->bytes[packet->size - 1], qos);
        script_restart(s);
    }
    connected(s);
    for (int qos = 3; qos < 300; qos++)
        assert_int_equal(try_subscribe(s, &nodes[0], "a", qos), MQTT_ERR_QOS);
    expect_nothing_sent(s);
}

/* ---- what answers -------------------------------------------------------- */

static void test_suback_has_one_code_for_each_filter(void **state)
{
    static const uint8_t codes[300] = {0};
    static const size_t wrong[] = {0, 1, 2, 4, 5, 127, 128, 300};
    struct script *s = *state;

    s->memory.input_size = 400;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        subscribed_to(s, 3);
        codes_come(s, 0x90, codes, wrong[i]);
        expect_violation(s, MQTT_ERR_SUBACK_COUNT);
        script_restart(s);
    }
    subscribed_to(s, 3);
    codes_come(s, 0x90, codes, 3);
    for (int i = 0; i < 3; i++)
        pull(s, MQTT_EVENT_SUBSCRIBED);
    expect_no_event(s);
}

static void test_codes_of_suback_are_in_the_order_of_the_filters(void **state)
{
    static const uint8_t orders[][MOST] = {{0x00, 0x01, 0x02, 0x80},
                                           {0x80, 0x02, 0x01, 0x00},
                                           {0x00, 0x80, 0x01, 0x80},
                                           {0x01, 0x00, 0x00, 0x00}};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        bool seen[MOST] = {false};

        subscribed_to(s, MOST);
        codes_come(s, 0x90, orders[i], MOST);
        for (int n = 0; n < MOST; n++) {
            ptrdiff_t at;

            pull(s, MQTT_EVENT_SUBSCRIBED);
            at = s->event.subscription - nodes;
            assert_in_range(at, 0, MOST - 1);
            assert_false(seen[at]);
            seen[at] = true;
            assert_int_equal(s->event.reason_code, orders[i][at]);
        }
        script_restart(s);
    }
}

static bool suback_code_exists(bool v5, unsigned code)
{
    static const uint8_t codes_5_0[] = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                                        0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};

    if (!v5)
        return code < 3 || code == 0x80;
    return memchr(codes_5_0, (int)code, sizeof(codes_5_0)) != NULL;
}

static void test_suback_has_codes_that_exist(void **state)
{
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        subscribed_to(s, 1);
        server_suback(s, 1, (uint8_t)code);
        if (suback_code_exists(speaks_5_0(s), code)) {
            pull(s, MQTT_EVENT_SUBSCRIBED);
            assert_int_equal(s->event.reason_code, code);
        } else {
            expect_violation(s, MQTT_ERR_SUBACK_CODE);
        }
        script_restart(s);
    }
}

/* ---- UNSUBACK of 5.0 ------------------------------------------------------ */

/* One UNSUBSCRIBE for filters "0", "1", ... has left; its identifier is 2. */
static void unsubscribed_from(struct script *s, int count)
{
    static const uint8_t granted[MOST] = {0};

    subscribed_to(s, count);
    codes_come(s, 0x90, granted, (size_t)count);
    for (int i = 0; i < count; i++)
        pull(s, MQTT_EVENT_SUBSCRIBED);
    for (int i = 0; i < count; i++)
        assert_int_equal(mqtt_unsubscribe(&s->client, &nodes[i]), MQTT_OK);
    expect_packet(s, 0xA2, 2);
    expect_nothing_sent(s);
}

/* UNSUBACK with identifier 2 and these codes comes. */
static void unsuback_comes(struct script *s, const uint8_t *codes, size_t count)
{
    server_sends(s, 0xB0, (uint8_t)(3 + count), 0x00, 0x02, 0x00);
    server_sends_span(s, codes, count);
}

static void test_unsuback_has_one_code_for_each_filter(void **state)
{
    static const uint8_t codes[8] = {0};
    struct script *s = *state;

    for (size_t count = 0; count <= sizeof(codes); count++) {
        unsubscribed_from(s, 3);
        unsuback_comes(s, codes, count);
        if (count == 3) {
            for (int i = 0; i < 3; i++)
                pull(s, MQTT_EVENT_UNSUBSCRIBED);
            expect_no_event(s);
        } else {
            expect_violation(s, MQTT_ERR_SUBACK_COUNT);
        }
        script_restart(s);
    }
}

static void test_codes_of_unsuback_are_in_the_order_of_the_filters(void **state)
{
    static const uint8_t orders[][MOST] = {{0x00, 0x11, 0x80, 0x87},
                                           {0x87, 0x80, 0x11, 0x00},
                                           {0x11, 0x00, 0x00, 0x00}};
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        bool seen[MOST] = {false};

        unsubscribed_from(s, MOST);
        unsuback_comes(s, orders[i], MOST);
        for (int n = 0; n < MOST; n++) {
            ptrdiff_t at;

            pull(s, MQTT_EVENT_UNSUBSCRIBED);
            at = s->event.subscription - nodes;
            assert_in_range(at, 0, MOST - 1);
            assert_false(seen[at]);
            seen[at] = true;
            assert_int_equal(s->event.reason_code, orders[i][at]);
        }
        script_restart(s);
    }
}

static void test_unsuback_has_codes_that_exist(void **state)
{
    static const uint8_t codes[] = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        const uint8_t byte = (uint8_t)code;

        unsubscribed_from(s, 1);
        unsuback_comes(s, &byte, 1);
        if (memchr(codes, (int)code, sizeof(codes))) {
            pull(s, MQTT_EVENT_UNSUBSCRIBED);
            assert_int_equal(s->event.reason_code, code);
        } else {
            expect_violation(s, MQTT_ERR_SUBACK_CODE);
        }
        script_restart(s);
    }
}

static const struct conformance_test tests[] = {
    proves(test_subscribe_5_0_byte_for_byte, "5.0 MQTT-3.8.1-1",
           "5.0 MQTT-3.8.3-1", "5.0 MQTT-3.8.3-5"),
    proves(test_unsubscribe_5_0_byte_for_byte, "5.0 MQTT-3.10.1-1",
           "5.0 MQTT-3.10.3-1"),
    proves(test_subscription_options_have_no_reserved_bit, "5.0 MQTT-3.8.3-5"),
    proves_once(test_no_local_is_never_asked_of_a_shared_subscription,
                "5.0 MQTT-3.8.3-4"),
    proves(test_unsuback_has_one_code_for_each_filter, "5.0 MQTT-3.11.3-1"),
    proves(test_codes_of_unsuback_are_in_the_order_of_the_filters,
           "5.0 MQTT-3.11.3-1"),
    proves(test_unsuback_has_codes_that_exist, "5.0 MQTT-3.11.3-2"),
    proves(test_subscribe_3_1_1_byte_for_byte, "3.1.1 MQTT-3.8.1-1",
           "3.1.1 MQTT-3.8.3-1", "3.1.1 MQTT-3-8.3-4"),
    proves(test_unsubscribe_3_1_1_byte_for_byte, "3.1.1 MQTT-3.10.1-1",
           "3.1.1 MQTT-3.10.3-1"),
    proves(test_a_request_has_a_filter, "3.1.1 MQTT-3.8.3-3",
           "3.1.1 MQTT-3.10.3-2", "5.0 MQTT-3.8.3-2", "5.0 MQTT-3.10.3-2"),
    proves(test_what_is_asked_for_is_qos_0_to_2, "3.1.1 MQTT-3-8.3-4",
           "5.0 MQTT-3.8.3-5"),
    proves(test_suback_has_one_code_for_each_filter, "3.1.1 MQTT-3.8.4-5",
           "5.0 MQTT-3.8.4-6"),
    proves(test_codes_of_suback_are_in_the_order_of_the_filters,
           "3.1.1 MQTT-3.9.3-1", "5.0 MQTT-3.9.3-1"),
    proves(test_suback_has_codes_that_exist, "3.1.1 MQTT-3.9.3-2",
           "5.0 MQTT-3.9.3-2"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "subscribe", tests);
}
