/*
 * subscribe.c - SUBSCRIBE, UNSUBSCRIBE and who is called for a message
 * [3.1.1, sections 3.8 to 3.11 and 4.7].
 */
#include "script.h"

static char called[64]; /* the contexts of the subscriptions that were called */

static void take_note(struct mqtt_client *client,
                      const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)message;
    strcat(called, context);
}

static void default_takes_note(struct mqtt_client *client,
                               const struct mqtt_message *message,
                               void *context)
{
    (void)client;
    (void)message;
    (void)context;
    strcat(called, "default ");
}

static struct mqtt_subscription to(const char *filter, enum mqtt_qos qos,
                                   const char *name)
{
    struct mqtt_subscription subscription = {0};

    subscription.topic_filter = mqtt_text(filter);
    subscription.maximum_qos = qos;
    subscription.on_message = take_note;
    subscription.context = (void *)(uintptr_t)name;
    return subscription;
}

static void subscribe(struct script *s, struct mqtt_subscription *subscription)
{
    assert_int_equal(mqtt_subscribe(&s->client, subscription), MQTT_OK);
}

static void expect_subscribed(struct script *s,
                              const struct mqtt_subscription *subscription,
                              uint8_t reason_code)
{
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, subscription);
    assert_int_equal(s->event.reason_code, reason_code);
}

/* A message with this topic comes: who is called? */
static void expect_called(struct script *s, const char *topic,
                          const char *names)
{
    called[0] = '\0';
    server_publishes(s, 0x30, topic, 0, "x");
    assert_true(dispatch(s) > 0);
    assert_string_equal(called, names);
}

/* ---- SUBSCRIBE ----------------------------------------------------------- */

static void test_subscribe_leaves_and_suback_answers(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/+/#", MQTT_QOS_1, "");

    connected(s);
    subscribe(s, &a);
    expect_bytes(s, 0x82,                             /* SUBSCRIBE */
                 0x0A,                                /* remaining length */
                 0x00, 0x01,                          /* packet identifier */
                 0x00, 0x05, 'a', '/', '+', '/', '#', /* topic filter */
                 0x01);                               /* requested QoS */
    server_sends(s, 0x90,                             /* SUBACK */
                 0x03,                                /* remaining length */
                 0x00, 0x01,                          /* packet identifier */
                 0x01);                               /* granted: QoS 1 */
    expect_subscribed(s, &a, 1);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_many_filters_leave_in_one_subscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    struct mqtt_subscription b = to("b", MQTT_QOS_1, "");
    struct mqtt_subscription c = to("c", MQTT_QOS_2, "");

    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    subscribe(s, &c);
    expect_nothing_sent(s);
    connected(s);
    expect_bytes(s, 0x82,                /* SUBSCRIBE */
                 0x0E,                   /* remaining length */
                 0x00, 0x01,             /* packet identifier */
                 0x00, 0x01, 'a', 0x00,  /* a at QoS 0 */
                 0x00, 0x01, 'b', 0x01,  /* b at QoS 1 */
                 0x00, 0x01, 'c', 0x02); /* c at QoS 2 */
    server_sends(s, 0x90,                /* SUBACK */
                 0x05,                   /* remaining length */
                 0x00, 0x01,             /* packet identifier */
                 0x00,                   /* granted: QoS 0 */
                 0x80,                   /* refused */
                 0x02);                  /* granted: QoS 2 */
    expect_subscribed(s, &a, 0x00);
    expect_subscribed(s, &b, 0x80);
    expect_subscribed(s, &c, 0x02);
    expect_no_event(s);
}

/* 40 filters of 20 bytes do not fit into 128 bytes of control. */
static void test_more_filters_than_fit_take_several_packets(void **state)
{
    static char filters[40][24];
    static struct mqtt_subscription nodes[40];
    struct script *s = *state;
    unsigned answered = 0, packets = 0;

    start(s);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(filters[i], sizeof(filters[i]), "filter/number/%02u/123", i);
        nodes[i] = to(filters[i], MQTT_QOS_1, "");
        subscribe(s, &nodes[i]);
    }
    connected(s);
    while (answered < 40) {
        const struct packet *packet = expect_packet(s, 0x82, 0);
        unsigned count = (unsigned)(packet->size - 4) / 23;

        assert_int_equal((packet->size - 4) % 23, 0);
        assert_in_range(count, 1, 40 - answered);
        expect_nothing_sent(s);
        server_sends(s, 0x90, (uint8_t)(2 + count),
                     (uint8_t)(packet->identifier >> 8),
                     (uint8_t)packet->identifier);
        for (unsigned i = 0; i < count; i++)
            server_sends(s, 0x01);
        for (unsigned i = 0; i < count; i++)
            expect_subscribed(s, &nodes[answered++], 1);
        expect_no_event(s);
        packets++;
    }
    assert_in_range(packets, 8, 10);
    expect_nothing_sent(s);
}

/* Else the connection would end with MQTT_ERR_PACKET_TOO_LARGE for ever. */
static void test_suback_always_fits_into_input_memory(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[13] = {{.maximum_qos = MQTT_QOS_0}};
    const struct packet *packet;

    s->memory.input_size = 16; /* two bytes, an identifier, 12 codes */
    connected(s);
    for (int i = 0; i < 13; i++) {
        nodes[i].topic_filter = mqtt_text("a");
        assert_int_equal(mqtt_subscribe(&s->client, &nodes[i]), MQTT_OK);
    }
    packet = expect_packet(s, 0x82, 1);
    assert_int_equal(packet->size, 2 + 2 + 12 * 4);
    server_sends(s, 0x90, 0x0E, 0x00, 0x01, /* SUBACK */
                 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    for (int i = 0; i < 12; i++)
        pull(s, MQTT_EVENT_SUBSCRIBED);
    packet = expect_packet(s, 0x82, 2);
    assert_int_equal(packet->size, 2 + 2 + 4);
}

static void test_any_granted_qos_is_told(void **state)
{
    struct script *s = *state;

    for (unsigned code = 0; code < 256; code++) {
        struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

        connected(s);
        subscribe(s, &a);
        discard_sent(s);
        server_suback(s, 1, (uint8_t)code);
        if (code < 3 || code == 0x80)
            expect_subscribed(s, &a, (uint8_t)code);
        else
            expect_fatal(s, MQTT_ERR_SUBACK_CODE);
        script_restart(s);
    }
}

static void answer_with(struct script *s, unsigned codes)
{
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    struct mqtt_subscription b = to("b", MQTT_QOS_0, "");
    unsigned length = 2 + codes;

    s->memory.input_size = 400;
    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    connected(s);
    discard_sent(s);
    server_sends(s, 0x90, (uint8_t)(length | 0x80), (uint8_t)(length >> 7),
                 0x00, 0x01);
    for (unsigned i = 0; i < codes; i++)
        server_sends(s, 0x00);
    expect_fatal(s, MQTT_ERR_SUBACK_COUNT);
    script_restart(s);
}

/* [3.1.1 MQTT-3.8.4-5] */
static void test_suback_has_one_code_for_each_filter(void **state)
{
    answer_with(*state, 0);
    answer_with(*state, 1);
    answer_with(*state, 3);
    answer_with(*state, 300);
}

static void test_a_suback_nobody_waits_for_is_ignored(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    struct mqtt_statistics statistics = {0};

    s->config.statistics = &statistics;
    connected(s);
    server_suback(s, 1, 0);
    expect_no_event(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    server_suback(s, 2, 0);
    server_answers(s, 0xB0, 2);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    assert_int_equal(statistics.unknown_acknowledgements, 3);
    server_suback(s, 1, 0);
    expect_subscribed(s, &a, 0);
}

/* What answers nothing is matched to nothing: the request stays open. */
static void unanswered_by(struct script *s, uint8_t first_byte)
{
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    connected(s);
    subscribe(s, &a);
    discard_sent(s);
    server_answers(s, first_byte, 1);
    expect_no_event(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    server_suback(s, 1, 0);
    expect_subscribed(s, &a, 0);
    script_restart(s);
}

static void test_only_suback_answers_subscribe(void **state)
{
    unanswered_by(*state, 0x40);
    unanswered_by(*state, 0x50);
    unanswered_by(*state, 0x70);
    unanswered_by(*state, 0xB0);
}

static void test_only_unsuback_answers_unsubscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    uint16_t identifier;

    connected(s);
    subscribed(s, &a);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    identifier = expect_packet(s, 0xA2, 0)->identifier;
    server_suback(s, identifier, 0);
    expect_no_event(s);
    server_answers(s, 0xB0, identifier);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

/* The identifiers of SUBSCRIBE and PUBLISH are of one kind. */
static void test_subscribe_takes_an_identifier_of_its_own(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    connected(s);
    publish_sent(s, "a", "", MQTT_QOS_1);
    subscribe(s, &a);
    expect_packet(s, 0x82, 2);
    assert_int_equal(publish(s, "a", "", MQTT_QOS_1), 3);
}

/* ---- what is refused ----------------------------------------------------- */

static void test_filters_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"",   "a+",  "+a",   "a/b+",
                                      "a#", "#/a", "a/#/", "\xFF"};
    struct script *s = *state;
    struct mqtt_subscription nul = {.topic_filter = MQTT_TEXT("a\0")};
    struct mqtt_subscription absent = {.topic_filter = {NULL, 0}};

    connected(s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mqtt_subscription a = to(bad[i], MQTT_QOS_0, "");

        assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_TOPIC_FILTER);
    }
    assert_int_equal(mqtt_subscribe(&s->client, &nul), MQTT_ERR_TOPIC_FILTER);
    assert_int_equal(mqtt_subscribe(&s->client, &absent),
                     MQTT_ERR_TOPIC_FILTER);
    expect_nothing_sent(s);
}

static void test_qos_3_is_not_asked_for(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", (enum mqtt_qos)3, "");

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_QOS);
    expect_nothing_sent(s);
}

static void test_the_longest_filter_is_control_size_less_8(void **state)
{
    struct script *s = *state;
    char filter[122];
    struct mqtt_subscription a, b;

    memset(filter, 'f', sizeof(filter));
    a = b = to("a", MQTT_QOS_0, "");
    a.topic_filter = (struct mqtt_span){filter, 121};
    b.topic_filter = (struct mqtt_span){filter, 120};
    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_TOO_LARGE);
    subscribed(s, &b);
}

static void test_a_node_is_registered_once(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    connected(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_ERR_STATE);
    subscribe(s, &a);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_STATE);
    discard_sent(s);
    server_suback(s, 1, 0);
    expect_subscribed(s, &a, 0);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_STATE);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_ERR_STATE);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_STATE);
}

static void test_no_node_is_refused(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, NULL), MQTT_ERR_ARGUMENT);
    assert_true(mqtt_unsubscribe(&s->client, NULL) < 0);
}

/* ---- UNSUBSCRIBE --------------------------------------------------------- */

static void test_unsubscribe_ends_with_unsuback(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/b", MQTT_QOS_1, "");

    connected(s);
    subscribed(s, &a);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_bytes(s, 0xA2,                    /* UNSUBSCRIBE */
                 0x07,                       /* remaining length */
                 0x00, 0x02,                 /* packet identifier */
                 0x00, 0x03, 'a', '/', 'b'); /* topic filter */
    expect_no_event(s);
    server_sends(s, 0xB0,     /* UNSUBACK */
                 0x02,        /* remaining length */
                 0x00, 0x02); /* packet identifier */
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    expect_no_event(s);
    subscribed(s, &a);
}

static void test_many_filters_leave_in_one_unsubscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    struct mqtt_subscription b = to("b", MQTT_QOS_0, "");

    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
    expect_bytes(s, 0xA2,          /* UNSUBSCRIBE */
                 0x08,             /* remaining length */
                 0x00, 0x03,       /* packet identifier */
                 0x00, 0x01, 'a',  /* topic filter */
                 0x00, 0x01, 'b'); /* topic filter */
    server_answers(s, 0xB0, 3);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &b);
    expect_no_event(s);
}

static void test_who_left_is_not_called(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");

    s->config.on_message = default_takes_note;
    connected(s);
    subscribed(s, &a);
    expect_called(s, "a", "a ");
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_called(s, "a", "default ");
}

static void test_who_left_before_a_clean_start_gets_the_node_back(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");
    struct mqtt_subscription b = to("b", MQTT_QOS_0, "b ");

    s->config.connect.clean_start = true;
    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    connected(s);
    expect_bytes(s, 0x82, 0x06, 0x00, 0x01, 0x00, 0x01, 'b', 0x00);
}

/* The session of a former life may hold the filter: the server is told. */
static void test_who_left_before_resuming_leaves_when_connected(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");

    start(s);
    subscribe(s, &a);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_bytes(s, 0xA2, 0x05, 0x00, 0x01, 0x00, 0x01, 'a');
    server_answers(s, 0xB0, 1);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

static void test_who_left_while_subscribe_is_open_leaves_after(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");

    connected(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    server_suback(s, 1, 0);
    while (s->to_client.size)
        if (mqtt_client_next(&s->client, &s->event) || !script_feed(s))
            assert_int_equal(s->event.type, MQTT_EVENT_SUBSCRIBED);
    mqtt_client_next(&s->client, &s->event);
    expect_packet(s, 0xA2, 2);
    server_answers(s, 0xB0, 2);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

/* What SUBACK said of it is told all the same. */
static void test_who_leaves_between_the_answers_is_told_its_own(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");
    struct mqtt_subscription b = to("b", MQTT_QOS_0, "");

    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    connected(s);
    expect_packet(s, 0x82, 1);
    server_sends(s, 0x90,     /* SUBACK */
                 0x04,        /* remaining length */
                 0x00, 0x01,  /* packet identifier */
                 0x00, 0x80); /* return codes */
    expect_subscribed(s, &a, 0x00);
    assert_int_equal(mqtt_unsubscribe(&s->client, &b), MQTT_OK);
    expect_subscribed(s, &b, 0x80);
    expect_packet(s, 0xA2, 2);
    server_answers(s, 0xB0, 2);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &b);
    assert_int_equal(s->event.reason_code, 0);
}

/* A second node needs the filter still: the server is told nothing. */
static void test_one_of_two_nodes_leaves(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "1 ");
    struct mqtt_subscription b = to("a", MQTT_QOS_0, "2 ");

    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    expect_called(s, "a", "1 2 ");
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_nothing_sent(s);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    expect_called(s, "a", "2 ");
}

/* ---- over a cut ---------------------------------------------------------- */

/* The server holds nothing for it. */
static void test_a_refused_node_keeps_no_subscription(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription refused = {.topic_filter = MQTT_TEXT("a")};
    struct mqtt_subscription granted = {.topic_filter = MQTT_TEXT("a")};
    const struct packet *packet;

    connected(s);
    assert_int_equal(mqtt_subscribe(&s->client, &refused), MQTT_OK);
    packet = expect_packet(s, 0x82, 0);
    server_suback(s, packet->identifier, 0x80);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    subscribed(s, &granted);
    assert_int_equal(mqtt_unsubscribe(&s->client, &granted), MQTT_OK);
    expect_packet(s, 0xA2, 0);
}

static void test_a_lost_session_is_subscribed_anew(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");
    struct mqtt_subscription b = to("b", MQTT_QOS_2, "");

    connected(s);
    subscribed(s, &a);
    subscribed(s, &b);
    cut(s);
    reconnected(s, false);
    expect_bytes(s, 0x82, 0x0A, 0x00, 0x03, /* SUBSCRIBE */
                 0x00, 0x01, 'a', 0x01,     /* a at QoS 1 */
                 0x00, 0x01, 'b', 0x02);    /* b at QoS 2 */
    server_sends(s, 0x90, 0x04, 0x00, 0x03, 0x01, 0x02);
    expect_subscribed(s, &a, 1);
    expect_subscribed(s, &b, 2);
}

static void test_a_kept_session_is_not_subscribed_anew(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribed(s, &a);
    cut(s);
    reconnected(s, true);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_an_unanswered_subscribe_is_asked_again(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0x82, 0);
    server_suback(s, s->packet.identifier, 1);
    expect_subscribed(s, &a, 1);
    expect_no_event(s);
}

static void test_a_refused_one_is_asked_for_with_the_next_session(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    server_suback(s, 1, 0x80);
    expect_subscribed(s, &a, 0x80);
    cut(s);
    reconnected(s, true);
    expect_nothing_sent(s);
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
}

static void test_an_unanswered_unsubscribe_is_asked_again(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribed(s, &a);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0xA2, 2);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0xA2, 0);
    server_answers(s, 0xB0, s->packet.identifier);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

/* UNSUBSCRIBE waits for SUBACK, which does not come any more. */
static void
test_who_left_while_subscribe_was_open_leaves_after_a_cut(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    cut(s);
    reconnected(s, true);
    expect_packet(s, 0xA2, 0);
    expect_nothing_sent(s);
    server_answers(s, 0xB0, s->packet.identifier);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
}

static void test_a_lost_session_needs_no_unsubscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_1, "");

    connected(s);
    subscribed(s, &a);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* ---- who is called ------------------------------------------------------- */

static void test_wildcards_choose_who_is_called(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription plus = to("a/+", MQTT_QOS_0, "+ ");
    struct mqtt_subscription hash = to("a/#", MQTT_QOS_0, "# ");
    struct mqtt_subscription all = to("#", MQTT_QOS_0, "all ");
    struct mqtt_subscription exact = to("a/b", MQTT_QOS_0, "= ");

    s->config.on_message = default_takes_note;
    connected(s);
    subscribed(s, &plus);
    subscribed(s, &hash);
    expect_called(s, "b", "default ");
    subscribed(s, &all);
    subscribed(s, &exact);
    expect_called(s, "a/b", "+ # all = ");
    expect_called(s, "a/c", "+ # all ");
    expect_called(s, "a/b/c", "# all ");
    expect_called(s, "a", "# all ");
    expect_called(s, "b", "all ");
    expect_called(s, "/", "all ");
    expect_called(s, "$SYS/x", "default ");
}

static void test_dollar_topics_need_a_filter_that_names_them(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription sys = to("$SYS/#", MQTT_QOS_0, "sys ");
    struct mqtt_subscription plus = to("+/x", MQTT_QOS_0, "plus ");

    s->config.on_message = default_takes_note;
    connected(s);
    subscribed(s, &sys);
    subscribed(s, &plus);
    expect_called(s, "$SYS/x", "sys ");
    expect_called(s, "$SYS", "sys ");
    expect_called(s, "$other/x", "default ");
    expect_called(s, "a/x", "plus ");
}

static void test_a_shared_filter_matches_by_what_follows_its_group(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription shared = to("$share/g/a/+", MQTT_QOS_0, "g ");

    s->config.on_message = default_takes_note;
    connected(s);
    subscribed(s, &shared);
    expect_called(s, "a/b", "g ");
    expect_called(s, "b", "default ");
    expect_called(s, "$share/g/a/b", "default ");
}

static void test_without_a_callback_the_default_is_called(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    a.on_message = NULL;
    s->config.on_message = default_takes_note;
    connected(s);
    subscribed(s, &a);
    expect_called(s, "a", "default ");
}

/* [3.1.1 MQTT-4.5.0-2] */
static void test_what_nobody_takes_is_acknowledged(void **state)
{
    struct script *s = *state;

    connected(s);
    server_publishes(s, 0x32, "a", 9, "x");
    assert_int_equal(dispatch(s), 1);
    expect_bytes(s, 0x40, 0x02, 0x00, 0x09);
}

static unsigned calls[1000];

static void count_call(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)message;
    ++*(unsigned *)context;
}

/* All texts of up to `size` of these characters, in turn. */
static bool next_text(char *text, size_t size, const char *characters)
{
    size_t count = strlen(characters), length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        size_t index = (size_t)(strchr(characters, text[i]) - characters);

        text[i] = characters[(index + 1) % count];
        if (index + 1 < count)
            return true;
    }
    if (length == size)
        return false;
    memset(text, characters[0], length + 1);
    text[length + 1] = '\0';
    return true;
}

static size_t subscribe_to_all_short_filters(struct script *s,
                                             struct mqtt_subscription *nodes,
                                             char (*filters)[24])
{
    char filter[8] = "";
    size_t count = 0;

    while (next_text(filter, 4, "a/+#$")) {
        if (!mqtt_topic_filter_valid(mqtt_text(filter)))
            continue;
        for (int shared = 0; shared < 2; shared++, count++) {
            assert_true(count < 1000);
            snprintf(filters[count], sizeof(filters[count]), "%s%s",
                     shared ? "$share/g/" : "", filter);
            nodes[count] = to(filters[count], MQTT_QOS_0, NULL);
            nodes[count].on_message = count_call;
            nodes[count].context = &calls[count];
            subscribe(s, &nodes[count]);
        }
    }
    return count;
}

/* The same verdict as that of mqtt_topic_matches(), which topic.c holds
 * against a reference. */
static void test_each_is_called_that_matches(void **state)
{
    static struct mqtt_subscription nodes[1000];
    static char filters[1000][24];
    struct script *s = *state;
    char name[8] = "";
    size_t count;

    if (s->wire != &wire_whole)
        return; /* the filters know nothing of wires */
    connected(s);
    count = subscribe_to_all_short_filters(s, nodes, filters);
    while (next_text(name, 4, "a/$b")) {
        memset(calls, 0, sizeof(calls));
        server_publishes(s, 0x30, name, 0, "");
        assert_true(dispatch(s) > 0);
        for (size_t i = 0; i < count; i++)
            if (calls[i] !=
                mqtt_topic_matches(nodes[i].topic_filter, mqtt_text(name)))
                fail_msg("%s: %u calls for %s", filters[i], calls[i], name);
    }
}

/* The callback is in force before SUBACK: retained messages may overtake. */
static void test_a_message_may_come_before_suback(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");

    connected(s);
    subscribe(s, &a);
    discard_sent(s);
    expect_called(s, "a", "a ");
}

static bool takes_all(struct mqtt_client *client,
                      const struct mqtt_message *message)
{
    (void)client;
    assert_true(span_is(message->topic_name, "a"));
    strcat(called, "own ");
    return true;
}

static void test_a_dispatch_of_ones_own(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "a ");

    s->config.on_message = default_takes_note;
    s->config.dispatch = takes_all;
    connected(s);
    subscribed(s, &a);
    expect_called(s, "a", "own ");
}

static enum mqtt_pace always_stop(void *context, enum mqtt_error error,
                                  uint8_t reason_code)
{
    (void)context;
    (void)error;
    (void)reason_code;
    return MQTT_PACE_STOP;
}

/* A clean session ends with the connection, and so do its subscriptions. */
static void test_a_node_comes_back_when_a_clean_session_ends(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    s->config.connect.clean_start = true;
    s->config.pace = always_stop;
    connected(s);
    subscribe(s, &a);
    discard_sent(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    cut(s);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
}

static enum mqtt_error ask_to_last(void *context,
                                   struct mqtt_connect_options *options,
                                   struct mqtt_server *server)
{
    (void)context;
    (void)server;
    options->clean_start = false;
    return MQTT_OK;
}

/* What counts is what CONNECT said, not what was configured. */
static void test_a_session_that_lasts_is_told_to_unsubscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", MQTT_QOS_0, "");

    s->config.connect.clean_start = true;
    s->config.connect.client_identifier = (struct mqtt_span)MQTT_TEXT("c");
    s->config.before_connect = ask_to_last;
    s->config.session = MQTT_SESSION_RESUME;
    connected(s);
    subscribed(s, &a);
    cut(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_no_event(s);
    reconnected(s, true);
    expect_packet(s, 0xA2, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_subscribe_leaves_and_suback_answers),
        script_test(test_many_filters_leave_in_one_subscribe),
        script_test(test_more_filters_than_fit_take_several_packets),
        script_test(test_any_granted_qos_is_told),
        script_test(test_suback_has_one_code_for_each_filter),
        script_test(test_a_suback_nobody_waits_for_is_ignored),
        script_test(test_only_suback_answers_subscribe),
        script_test(test_only_unsuback_answers_unsubscribe),
        script_test(test_subscribe_takes_an_identifier_of_its_own),
        script_test(test_filters_that_are_none_are_refused),
        script_test(test_qos_3_is_not_asked_for),
        script_test(test_the_longest_filter_is_control_size_less_8),
        script_test(test_a_node_is_registered_once),
        script_test(test_no_node_is_refused),
        script_test(test_unsubscribe_ends_with_unsuback),
        script_test(test_many_filters_leave_in_one_unsubscribe),
        script_test(test_who_left_is_not_called),
        script_test(test_who_left_before_a_clean_start_gets_the_node_back),
        script_test(test_who_left_before_resuming_leaves_when_connected),
        script_test(test_who_left_while_subscribe_is_open_leaves_after),
        script_test(test_who_leaves_between_the_answers_is_told_its_own),
        script_test(test_one_of_two_nodes_leaves),
        script_test(test_a_lost_session_is_subscribed_anew),
        script_test(test_a_kept_session_is_not_subscribed_anew),
        script_test(test_an_unanswered_subscribe_is_asked_again),
        script_test(test_a_refused_one_is_asked_for_with_the_next_session),
        script_test(test_an_unanswered_unsubscribe_is_asked_again),
        script_test(test_who_left_while_subscribe_was_open_leaves_after_a_cut),
        script_test(test_a_lost_session_needs_no_unsubscribe),
        script_test(test_wildcards_choose_who_is_called),
        script_test(test_dollar_topics_need_a_filter_that_names_them),
        script_test(test_a_shared_filter_matches_by_what_follows_its_group),
        script_test(test_without_a_callback_the_default_is_called),
        script_test(test_each_is_called_that_matches),
        script_test(test_what_nobody_takes_is_acknowledged),
        script_test(test_a_message_may_come_before_suback),
        script_test(test_a_dispatch_of_ones_own),
        script_test(test_suback_always_fits_into_input_memory),
        script_test(test_a_refused_node_keeps_no_subscription),
        script_test(test_a_node_comes_back_when_a_clean_session_ends),
        script_test(test_a_session_that_lasts_is_told_to_unsubscribe),
    };

    return script_run("subscribe", tests);
}
