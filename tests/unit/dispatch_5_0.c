/*
 * dispatch_5_0.c - subscriptions of 5.0: who is called by Subscription
 * Identifier, what may be asked together, what a server does not take
 * [5.0, sections 3.2.2.3, 3.3.4, 3.8 to 3.11, 4.8].
 */
#include "script.h"

#include <mqttloop/properties.h>

static char called[64]; /* the contexts of the subscriptions that were called */

static void take_note(struct mqtt_client *client,
                      const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)message;
    strcat(called, context);
}

static struct mqtt_subscription to(const char *filter, uint32_t identifier,
                                   const char *name)
{
    return (struct mqtt_subscription){.topic_filter = mqtt_text(filter),
                                      .identifier = identifier,
                                      .on_message = take_note,
                                      .context = (void *)(uintptr_t)name};
}

static void begin(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    connected(s);
}

/* Connected, and CONNACK has these properties. */
#define begin_with(s, ...)                                                     \
    do {                                                                       \
        (s)->config.protocol = &mqtt_protocol_5_0;                             \
        if (!(s)->started)                                                     \
            start(s);                                                          \
        connects(s);                                                           \
        discard_sent(s);                                                       \
        server_connack_with(s, 0, 0, __VA_ARGS__);                             \
        pull(s, MQTT_EVENT_CONNECTED);                                         \
    } while (0)

static void subscribe(struct script *s, struct mqtt_subscription *subscription)
{
    assert_int_equal(mqtt_subscribe(&s->client, subscription), MQTT_OK);
}

static void unsubscribe(struct script *s,
                        struct mqtt_subscription *subscription)
{
    assert_int_equal(mqtt_unsubscribe(&s->client, subscription), MQTT_OK);
}

static void expect_subscribed(struct script *s,
                              const struct mqtt_subscription *subscription,
                              uint8_t reason_code)
{
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, subscription);
    assert_int_equal(s->event.reason_code, reason_code);
    assert_int_equal(s->event.error, MQTT_OK);
}

/* It was answered without the server. */
static void expect_forbidden(struct script *s,
                             const struct mqtt_subscription *subscription,
                             enum mqtt_error error)
{
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_ptr_equal(s->event.subscription, subscription);
    assert_int_equal(s->event.error, error);
    assert_int_equal(s->event.reason_code, 0);
    assert_int_equal(s->event.properties.size, 0);
}

/* ---- Subscription Identifiers -------------------------------------------- */

/* A message with these identifiers comes: who is called? */
#define expect_called(s, topic, names, ...)                                    \
    called_for(s, topic, names, (const uint8_t[]){__VA_ARGS__},                \
               sizeof((const uint8_t[]){__VA_ARGS__}))
static void called_for(struct script *s, const char *topic, const char *names,
                       const void *properties, size_t size)
{
    called[0] = '\0';
    script_publish(s, 0x30, topic, 0, "x", properties, size);
    assert_true(dispatch(s) > 0);
    assert_string_equal(called, names);
}

static void test_a_named_identifier_chooses_who_is_called(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("x/#", 1, "a "), b = to("x/+", 2, "b "),
                             c = to("#", 0, "c "), d = to("x/y", 2, "d ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    subscribed(s, &d);
    called_for(s, "x/y", "a b c d ", NULL, 0);
    expect_called(s, "x/y", "a ", 0x0B, 0x01);
    expect_called(s, "x/y", "b d ", 0x0B, 0x02);
    expect_called(s, "x/z", "b ", 0x0B, 0x02);
    expect_called(s, "x/y/z", "a ", 0x0B, 0x01);
    /* Others among the properties change nothing. */
    expect_called(s, "x/y", "a ", 0x01, 0x01, 0x0B, 0x01, 0x26, 0x00, 0x01, 'k',
                  0x00, 0x00);
    expect_called(s, "x/y", "a b c d ", 0x01, 0x01);
}

static void test_several_identifiers_call_each_once(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("x/#", 1, "a "), b = to("x/+", 2, "b "),
                             c = to("#", 3, "c "), d = to("+/y", 0, "d ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    subscribed(s, &d);
    expect_called(s, "x/y", "a b ", 0x0B, 0x01, 0x0B, 0x02);
    expect_called(s, "x/y", "a b ", 0x0B, 0x02, 0x0B, 0x01);
    expect_called(s, "x/y", "a b c ", 0x0B, 0x03, 0x0B, 0x01, 0x0B, 0x02);
    expect_called(s, "x/y", "b ", 0x0B, 0x02, 0x0B, 0x02);
}

static void test_an_unknown_identifier_calls_all_that_match(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("x/#", 1, "a "), b = to("#", 0, "b ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    expect_called(s, "x/y", "a b ", 0x0B, 0x09);
    expect_called(s, "x/y", "a ", 0x0B, 0x09, 0x0B, 0x01); /* one is known */
    expect_called(s, "z", "b ", 0x0B, 0x01); /* known, and does not match */
    unsubscribe(s, &a);
    expect_called(s, "x/y", "b ", 0x0B, 0x01); /* not called any more */
}

static void test_identifiers_have_up_to_four_bytes(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("#", 127, "a "), b = to("#", 128, "b "),
                             c = to("#", 16384, "c "),
                             d = to("#", 268435455, "d ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    subscribed(s, &d);
    expect_called(s, "x", "a ", 0x0B, 0x7F);
    expect_called(s, "x", "b ", 0x0B, 0x80, 0x01);
    expect_called(s, "x", "c ", 0x0B, 0x80, 0x80, 0x01);
    expect_called(s, "x", "d ", 0x0B, 0xFF, 0xFF, 0xFF, 0x7F);
}

static void test_a_shared_filter_matches_by_what_follows_its_group(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("$share/g/x/#", 1, "a "),
                             b = to("$share/h/x/+", 0, "b "),
                             c = to("$share/g/#", 2, "c ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    called_for(s, "x/y", "a b c ", NULL, 0);
    called_for(s, "x", "a c ", NULL, 0);
    called_for(s, "$share/g/x/y", "", NULL, 0);
    called_for(s, "g/x/y", "c ", NULL, 0);
    expect_called(s, "x/y", "a ", 0x0B, 0x01);
    expect_called(s, "x/y", "c ", 0x0B, 0x02);
}

/* ---- what stands in one request ------------------------------------------ */

static const uint8_t user_a[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'a'};
static const uint8_t user_b[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x01, 'b'};

static void test_filters_of_equal_identifier_and_properties_join(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 1, ""), b = to("b", 2, ""),
                             c = to("c", 1, ""), d = to("d", 0, ""),
                             e = to("e", 0, ""), f = to("f", 0, "");

    e.properties = (struct mqtt_span){user_a, sizeof(user_a)};
    f.properties = (struct mqtt_span){user_b, sizeof(user_b)};
    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    subscribe(s, &c);
    subscribe(s, &d);
    subscribe(s, &e);
    subscribe(s, &f);
    connected(s);
    expect_bytes(s, 0x82,    /* SUBSCRIBE */
                 0x0D,       /* remaining length */
                 0x00, 0x01, /* packet identifier */
                 0x02,       /* property length */
                 0x0B, 0x01, /* Subscription Identifier */
                 0x00, 0x01, /* topic filter length */
                 'a',        /* topic filter */
                 0x00,       /* options */
                 0x00, 0x01, /* topic filter length */
                 'c',        /* topic filter */
                 0x00);      /* options */
    server_sends(s, 0x90, 0x05, 0x00, 0x01, 0x00, 0x87, 0x00);
    expect_subscribed(s, &a, 0x87);
    expect_subscribed(s, &c, 0x00);
    expect_no_event(s);
    expect_bytes(s, 0x82, 0x09, 0x00, 0x02, 0x02, 0x0B, 0x02, 0x00, 0x01, 'b',
                 0x00);
    server_suback(s, 2, 0x8F);
    expect_subscribed(s, &b, 0x8F);
    expect_no_event(s);
    expect_bytes(s, 0x82, 0x07, 0x00, 0x03, 0x00, 0x00, 0x01, 'd', 0x00);
    server_suback(s, 3, 0);
    expect_subscribed(s, &d, 0);
    expect_no_event(s);
    expect_bytes(s, 0x82, 0x0E, 0x00, 0x04, 0x07, 0x26, 0x00, 0x01, 'k', 0x00,
                 0x01, 'a', 0x00, 0x01, 'e', 0x00);
    server_suback(s, 4, 0);
    expect_subscribed(s, &e, 0);
    expect_no_event(s);
    expect_bytes(s, 0x82, 0x0E, 0x00, 0x05, 0x07, 0x26, 0x00, 0x01, 'k', 0x00,
                 0x01, 'b', 0x00, 0x01, 'f', 0x00);
    server_suback(s, 5, 0);
    expect_subscribed(s, &f, 0);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_user_properties_stand_in_unsubscribe(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 5, ""), b = to("b", 0, "");

    a.properties = (struct mqtt_span){user_a, sizeof(user_a)};
    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    unsubscribe(s, &a);
    unsubscribe(s, &b);
    expect_bytes(s, 0xA2,          /* UNSUBSCRIBE */
                 0x0D,             /* remaining length */
                 0x00, 0x03,       /* packet identifier */
                 0x07,             /* property length */
                 0x26,             /* User Property */
                 0x00, 0x01, 'k',  /* its name */
                 0x00, 0x01, 'a',  /* its value */
                 0x00, 0x01, 'a'); /* topic filter */
    server_answers_with(s, 0xB0, 3, 0x11);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    assert_int_equal(s->event.reason_code, 0x11);
    expect_no_event(s);
    expect_bytes(s, 0xA2, 0x06, 0x00, 0x04, 0x00, 0x00, 0x01, 'b');
    server_answers_with(s, 0xB0, 4, 0);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &b);
    assert_int_equal(s->event.reason_code, 0);
}

static void test_an_identifier_is_left_out_where_there_are_none(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/#", 5, "a "), b = to("b", 0, "b ");

    begin_with(s, 0x29, 0x00); /* Subscription Identifier Available */
    assert_false(
        mqtt_client_limits(&s->client)->subscription_identifiers_available);
    subscribe(s, &a);
    expect_bytes(s, 0x82, 0x09, 0x00, 0x01, 0x00, 0x00, 0x03, 'a', '/', '#',
                 0x00);
    server_suback(s, 1, 0);
    expect_subscribed(s, &a, 0);
    subscribed(s, &b);
    called_for(s, "a/b", "a ", NULL, 0);
    /* The next server has them. */
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
    assert_int_equal(s->packet.properties.size, 2);
    assert_memory_equal(s->packet.properties.data, "\x0B\x05", 2);
}

/* The next server may have them. */
static void test_an_identifier_that_is_left_out_needs_its_room(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("", 5, "a ");
    char letters_56[64 - 8];

    memset(letters_56, 'a', sizeof(letters_56));
    s->memory.control_size = 64;
    begin_with(s, 0x29, 0x00); /* Subscription Identifier Available */
    a.topic_filter = (struct mqtt_span){letters_56, sizeof(letters_56)};
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_TOO_LARGE);
    a.topic_filter.size -= 2;
    subscribed(s, &a);
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
    assert_int_equal(s->packet.size, 64);
}

/* SUBACK 5.0 of n filters: 5 bytes and n, without properties. */
static void test_the_answer_to_a_request_fits_into_the_memory(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[40];
    static const char filters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
    size_t asked = 0;

    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.input_size = 16;
    s->memory.control_size = 512;
    start(s);
    for (size_t i = 0; i < 40; i++) {
        nodes[i] = to("", 0, "");
        nodes[i].topic_filter = (struct mqtt_span){filters + i, 1};
        subscribe(s, &nodes[i]);
    }
    connected(s);
    while (next_packet(s)) {
        size_t count = (s->packet.size - 5) / 4;
        uint16_t identifier = s->packet.identifier;

        assert_in_range(count, 1, 11);
        server_sends(s, 0x90, (uint8_t)(3 + count), (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00);
        for (size_t i = 0; i < count; i++)
            server_sends(s, 0x00);
        for (size_t i = 0; i < count; i++)
            expect_subscribed(s, &nodes[asked++], 0);
        expect_no_event(s);
    }
    assert_int_equal(asked, 40);
    for (size_t i = 0; i < 40; i++)
        unsubscribe(s, &nodes[i]);
    for (asked = 0; next_packet(s);) {
        size_t count = (s->packet.size - 5) / 3;
        uint16_t identifier = s->packet.identifier;

        assert_in_range(count, 1, 11);
        server_sends(s, 0xB0, (uint8_t)(3 + count), (uint8_t)(identifier >> 8),
                     (uint8_t)identifier, 0x00);
        for (size_t i = 0; i < count; i++)
            server_sends(s, 0x00);
        for (size_t i = 0; i < count; i++) {
            pull(s, MQTT_EVENT_UNSUBSCRIBED);
            assert_ptr_equal(s->event.subscription, &nodes[asked++]);
        }
        expect_no_event(s);
    }
    assert_int_equal(asked, 40);
}

/* ---- what answers -------------------------------------------------------- */

/* The event has the Reason String `text`, and nothing else. */
static void expect_reason(struct script *s, const char *text)
{
    struct mqtt_property p = {0};

    assert_true(mqtt_property_next(s->event.properties, &p));
    assert_int_equal(p.identifier, MQTT_PROPERTY_REASON_STRING);
    assert_true(span_is(p.text, text));
    assert_false(mqtt_property_next(s->event.properties, &p));
}

static void test_properties_of_an_answer_are_in_each_event(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[3] = {to("a", 0, ""), to("b", 0, ""),
                                         to("c", 0, "")};
    static const uint8_t granted[] = {0x02, 0x87, 0x00};
    static const uint8_t ended[] = {0x00, 0x11, 0x80};

    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    for (int i = 0; i < 3; i++)
        subscribe(s, &nodes[i]);
    connected(s);
    expect_packet(s, 0x82, 1);
    server_sends(s, 0x90, 0x0B, 0x00, 0x01, 0x05, 0x1F, 0x00, 0x02, 'n', 'o',
                 0x02, 0x87, 0x00);
    for (int i = 0; i < 3; i++) {
        expect_subscribed(s, &nodes[i], granted[i]);
        expect_reason(s, "no");
    }
    expect_no_event(s);
    for (int i = 0; i < 3; i++)
        unsubscribe(s, &nodes[i]);
    expect_packet(s, 0xA2, 2);
    server_sends(s, 0xB0, 0x0C, 0x00, 0x02, 0x06, 0x1F, 0x00, 0x03, 'y', 'e',
                 's', 0x00, 0x11, 0x80);
    for (int i = 0; i < 3; i++) {
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
        assert_ptr_equal(s->event.subscription, &nodes[i]);
        assert_int_equal(s->event.reason_code, ended[i]);
        expect_reason(s, "yes");
    }
    expect_no_event(s);
    /* Of the next ones there are none. */
    subscribe(s, &nodes[0]);
    expect_packet(s, 0x82, 3);
    server_suback(s, 3, 0);
    expect_subscribed(s, &nodes[0], 0);
    assert_int_equal(s->event.properties.size, 0);
}

/* A node that goes without asking has no answer to tell of. */
static void test_who_goes_unasked_has_no_properties(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 0, ""), b = to("a", 0, "");

    begin(s);
    subscribed(s, &a);
    subscribe(s, &b);
    expect_packet(s, 0x82, 2);
    unsubscribe(s, &b); /* when SUBACK has come; `a` keeps the filter */
    server_sends(s, 0x90, 0x09, 0x00, 0x02, 0x05, 0x1F, 0x00, 0x02, 'o', 'k',
                 0x00);
    expect_subscribed(s, &b, 0);
    expect_reason(s, "ok");
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &b);
    assert_int_equal(s->event.properties.size, 0);
    assert_int_equal(s->event.reason_code, 0);
    expect_nothing_sent(s);
}

static void test_a_refused_one_is_asked_for_with_the_next_session(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 0, "");

    begin(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    server_suback(s, 1, 0x97);
    expect_subscribed(s, &a, 0x97);
    cut(s);
    reconnected(s, true);
    expect_nothing_sent(s);
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
}

/* ---- what a server does not take ----------------------------------------- */

static void test_what_is_unavailable_is_refused_at_once(void **state)
{
    static const char *const wild[] = {"#", "+", "a/#", "a/+/b"};
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 0, ""), b = to("$share/g/a", 0, ""),
                             c = to("$share/g/#", 0, "");

    begin_with(s, 0x28, 0x00); /* Wildcard Subscription Available */
    for (size_t i = 0; i < 4; i++) {
        a.topic_filter = mqtt_text(wild[i]);
        assert_int_equal(mqtt_subscribe(&s->client, &a),
                         MQTT_ERR_WILDCARD_UNAVAILABLE);
    }
    assert_int_equal(mqtt_subscribe(&s->client, &c),
                     MQTT_ERR_WILDCARD_UNAVAILABLE);
    expect_nothing_sent(s);
    a.topic_filter = mqtt_text("a"); /* nothing has changed: it may */
    subscribed(s, &a);
    subscribed(s, &b);
    script_restart(s);
    a = to("a/#", 0, "");
    b = to("$share/g/a", 0, "");
    begin_with(s, 0x2A, 0x00); /* Shared Subscription Available */
    assert_int_equal(mqtt_subscribe(&s->client, &b),
                     MQTT_ERR_SHARED_UNAVAILABLE);
    assert_int_equal(mqtt_subscribe(&s->client, &c),
                     MQTT_ERR_SHARED_UNAVAILABLE);
    expect_nothing_sent(s);
    subscribed(s, &a);
}

/* There is no maximum number of them. */
static void test_any_number_of_them_is_answered(void **state)
{
    enum { COUNT = 65536 + 2 };
    struct script *s = *state;
    struct mqtt_subscription *nodes = calloc(COUNT, sizeof(*nodes));

    if (s->wire == &wire_whole) {
        assert_non_null(nodes);
        s->config.protocol = &mqtt_protocol_5_0;
        start(s);
        for (size_t i = 0; i < COUNT; i++) {
            nodes[i] = to("#", 0, "");
            assert_int_equal(mqtt_subscribe(&s->client, &nodes[i]), MQTT_OK);
        }
        connected_with(s, 0x28, 0x00); /* Wildcard Subscription Available */
        for (size_t i = 0; i < COUNT; i++)
            expect_forbidden(s, &nodes[i], MQTT_ERR_WILDCARD_UNAVAILABLE);
        expect_no_event(s);
        mqtt_client_destroy(&s->client);
    }
    free(nodes);
}

static void test_what_a_later_server_does_not_take_is_an_event(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/#", 0, ""), b = to("b", 0, ""),
                             c = to("$share/g/c", 0, "");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b);
    subscribed(s, &c);
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack_with(s, 0, 0, 0x28, 0x00, 0x2A, 0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_forbidden(s, &a, MQTT_ERR_WILDCARD_UNAVAILABLE);
    expect_forbidden(s, &c, MQTT_ERR_SHARED_UNAVAILABLE);
    expect_no_event(s);
    expect_packet(s, 0x82, 0); /* `b` alone */
    assert_int_equal(s->packet.size, 9);
    server_suback(s, s->packet.identifier, 0);
    expect_subscribed(s, &b, 0);
    /* They stay registered: a server that takes them is asked. */
    cut(s);
    reconnected(s, false);
    expect_packet(s, 0x82, 0);
    assert_true(s->packet.size > 9 + 4);
    server_sends(s, 0x90, 0x06, 0x00, (uint8_t)s->packet.identifier, 0x00, 0x00,
                 0x00, 0x00);
    expect_subscribed(s, &a, 0);
    expect_subscribed(s, &b, 0);
    expect_subscribed(s, &c, 0);
}

static void test_what_was_wished_for_offline_is_an_event_too(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/#", 0, "");

    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    subscribe(s, &a);
    begin_with(s, 0x28, 0x00);
    expect_forbidden(s, &a, MQTT_ERR_WILDCARD_UNAVAILABLE);
    expect_no_event(s);
    expect_nothing_sent(s);
}

/* What a kept session has is not asked for again. */
static void test_a_kept_session_keeps_what_is_unavailable_now(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a/#", 0, "a ");

    begin(s);
    subscribed(s, &a);
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack_with(s, 1, 0, 0x28, 0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_no_event(s);
    expect_nothing_sent(s);
    called_for(s, "a/b", "a ", NULL, 0);
}

/* ---- Maximum Packet Size ------------------------------------------------- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

/* SUBSCRIBE of one filter: 8 bytes more than that. */
static void test_a_subscribe_that_is_too_large_is_refused(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("", 0, "");

    begin_with(s, 0x27, 0x00, 0x00, 0x00, 0x14); /* 20 bytes */
    a.topic_filter = (struct mqtt_span){letters, 13};
    assert_int_equal(mqtt_subscribe(&s->client, &a),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    a.topic_filter.size = 12;
    a.identifier = 1; /* two bytes */
    assert_int_equal(mqtt_subscribe(&s->client, &a),
                     MQTT_ERR_MAXIMUM_PACKET_SIZE);
    a.identifier = 0;
    subscribed(s, &a);
    assert_int_equal(s->packet.size, 20);
    /* A later one takes less. */
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack_with(s, 0, 0, 0x27, 0x00, 0x00, 0x00, 0x13);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_forbidden(s, &a, MQTT_ERR_MAXIMUM_PACKET_SIZE);
    expect_no_event(s);
    expect_nothing_sent(s);
}

static void test_requests_are_as_large_as_the_server_takes(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[10];
    size_t asked = 0;

    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    for (size_t i = 0; i < 10; i++) {
        nodes[i] = to("", 0, "");
        nodes[i].topic_filter = (struct mqtt_span){letters + i, 3};
        subscribe(s, &nodes[i]);
    }
    begin_with(s, 0x27, 0x00, 0x00, 0x00, 0x14); /* 20 bytes: two filters */
    while (asked < 10) {
        expect_packet(s, 0x82, 0);
        assert_int_equal(s->packet.size, 5 + 2 * 6);
        server_sends(s, 0x90, 0x05, 0x00, (uint8_t)s->packet.identifier, 0x00,
                     0x00, 0x00);
        expect_subscribed(s, &nodes[asked++], 0);
        expect_subscribed(s, &nodes[asked++], 0);
        expect_no_event(s);
    }
    expect_nothing_sent(s);
}

/* What the server was never asked for, and cannot be told to end. */
static void test_an_unsubscribe_that_is_too_large_ends_unasked(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("", 0, ""), b = to("b", 0, "");

    s->config.protocol = &mqtt_protocol_5_0;
    a.topic_filter = (struct mqtt_span){letters, 20};
    start(s);
    subscribe(s, &a);
    subscribe(s, &b);
    unsubscribe(s, &a);
    begin_with(s, 0x27, 0x00, 0x00, 0x00, 0x14);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    assert_int_equal(s->event.error, MQTT_OK); /* it has not got it */
    expect_packet(s, 0x82, 1);                 /* the others do not wait */
    server_suback(s, 1, 0);
    expect_subscribed(s, &b, 0);
}

/* The same with a session that has it. */
static void test_who_cannot_be_told_to_end_comes_back(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("", 0, ""), b = to("b", 0, "");

    a.topic_filter = (struct mqtt_span){letters, 20};
    begin(s);
    subscribe(s, &a);
    expect_packet(s, 0x82, 1);
    server_sends(s, 0x90,               /* SUBACK */
                 0x08,                  /* remaining length */
                 0x00, 0x01,            /* packet identifier */
                 0x04,                  /* property length */
                 0x1F, 0x00, 0x01, 'r', /* Reason String */
                 0x00);                 /* reason code */
    expect_subscribed(s, &a, 0);
    assert_int_equal(s->event.properties.size, 4);
    cut(s);
    unsubscribe(s, &a);
    subscribe(s, &b);
    reopened(s);
    discard_sent(s);
    server_connack_with(s, 1, 0, 0x27, 0x00, 0x00, 0x00, 0x14);
    pull(s, MQTT_EVENT_CONNECTED);
    pull(s, MQTT_EVENT_UNSUBSCRIBED);
    assert_ptr_equal(s->event.subscription, &a);
    assert_int_equal(s->event.error, MQTT_ERR_MAXIMUM_PACKET_SIZE);
    assert_int_equal(s->event.properties.size, 0); /* of no UNSUBACK */
    expect_packet(s, 0x82, 0);
    server_suback(s, s->packet.identifier, 0);
    expect_subscribed(s, &b, 0);
}

/* ---- retained messages --------------------------------------------------- */

/* The options of the only filter of a SUBSCRIBE. */
static uint8_t asked_options(struct script *s)
{
    expect_packet(s, 0x82, 0);
    return s->packet.bytes[s->packet.size - 1];
}

static void test_renewing_asks_for_no_retained_messages(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 0, "");
    uint16_t identifier;

    a.maximum_qos = MQTT_QOS_1;
    for (int without = 0; without < 2; without++) {
        s->config.renew_without_retained = without;
        begin(s);
        subscribe(s, &a);
        assert_int_equal(asked_options(s), 0x01);
        identifier = s->packet.identifier;
        cut(s); /* not granted: it is new all the same */
        reconnected(s, false);
        assert_int_equal(asked_options(s), 0x01);
        identifier = s->packet.identifier;
        server_suback(s, identifier, 0x80);
        expect_subscribed(s, &a, 0x80);
        cut(s);
        reconnected(s, false);
        assert_int_equal(asked_options(s), 0x01);
        server_suback(s, s->packet.identifier, 0x00);
        expect_subscribed(s, &a, 0x00);
        cut(s); /* from here on it had been granted */
        reconnected(s, false);
        assert_int_equal(asked_options(s), without ? 0x21 : 0x01);
        cut(s);
        reconnected(s, false);
        assert_int_equal(asked_options(s), without ? 0x21 : 0x01);
        server_suback(s, s->packet.identifier, 0x00);
        expect_subscribed(s, &a, 0x00);
        unsubscribe(s, &a);
        expect_packet(s, 0xA2, 0);
        server_answers(s, 0xB0, s->packet.identifier);
        pull(s, MQTT_EVENT_UNSUBSCRIBED);
        subscribe(s, &a); /* a new one */
        assert_int_equal(asked_options(s), 0x01);
        script_restart(s);
        a.state_ = 0;
    }
}

/* ---- what may be asked for ----------------------------------------------- */

static void test_options_that_are_none_are_refused(void **state)
{
    static const uint8_t content_type[] = {0x03, 0x00, 0x01, 't'};
    static const uint8_t cut_off[] = {0x26, 0x00, 0x01, 'k', 0x00, 0x02, 'v'};
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 268435456, "");

    begin(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_SUBSCRIPTION);
    a.identifier = UINT32_MAX;
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_SUBSCRIPTION);
    a.identifier = 0;
    a.retain_handling = (enum mqtt_retain_handling)3;
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_SUBSCRIPTION);
    a.retain_handling = MQTT_RETAIN_SEND;
    a.properties = (struct mqtt_span){content_type, sizeof(content_type)};
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_PROPERTY);
    a.properties = (struct mqtt_span){cut_off, sizeof(cut_off)};
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_PROPERTY);
    /* The Subscription Identifier has a member of its own. */
    a.properties = (struct mqtt_span)MQTT_TEXT("\x0B\x01");
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_ERR_PROPERTY);
    expect_nothing_sent(s);
    a.properties = (struct mqtt_span){NULL, 0};
    subscribed(s, &a);
}

/* control_size - 9, less identifier and properties. */
static void test_the_longest_filter_is_what_control_memory_takes(void **state)
{
    static const uint32_t identifiers[] = {0, 1, 128, 16384, 268435455};
    struct script *s = *state;
    char filter[200];

    memset(filter, 'f', sizeof(filter));
    for (size_t i = 0; i < 5; i++)
        for (int user = 0; user < 2; user++)
            for (size_t control = 60; control < 160; control += 7) {
                size_t most = control - 9 - (i ? i + 1 : 0) - (user ? 7 : 0);
                struct mqtt_subscription a = to("", identifiers[i], "");

                if (user)
                    a.properties = (struct mqtt_span){user_a, sizeof(user_a)};
                s->memory.control_size = control;
                begin(s);
                a.topic_filter = (struct mqtt_span){filter, control - 7};
                assert_int_equal(mqtt_subscribe(&s->client, &a),
                                 MQTT_ERR_TOO_LARGE);
                a.topic_filter.size = most;
                subscribed(s, &a);
                unsubscribe(s, &a);
                expect_packet(s, 0xA2, 0);
                script_restart(s);
            }
}

static void test_two_nodes_of_one_filter_are_both_called(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", 1, "a "), b = to("a", 2, "b ");

    begin(s);
    subscribed(s, &a);
    subscribed(s, &b); /* from here on the server names 2 */
    called_for(s, "a", "a b ", NULL, 0);
    expect_called(s, "a", "b ", 0x0B, 0x02);
}

/* ---- 3.1.1 --------------------------------------------------------------- */

/* Node number i has one thing that 3.1.1 has not. */
static struct mqtt_subscription of_5_0(int i)
{
    struct mqtt_subscription a = to("a", i == 0 ? 7 : 0, "");

    a.no_local = i == 1;
    a.retain_as_published = i == 2;
    a.retain_handling = i == 3 ? MQTT_RETAIN_DO_NOT_SEND : MQTT_RETAIN_SEND;
    if (i == 4)
        a.properties = (struct mqtt_span){user_a, sizeof(user_a)};
    return a;
}

static void test_3_1_1_refuses_or_drops_what_it_has_not(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 5; i++)
        for (int drop = 0; drop < 2; drop++) {
            struct mqtt_subscription a = of_5_0(i);

            s->config.drop_unsupported = drop;
            connected(s);
            assert_int_equal(mqtt_subscribe(&s->client, &a),
                             drop ? MQTT_OK : MQTT_ERR_PROTOCOL_VERSION);
            if (drop)
                expect_bytes(s, 0x82, 0x06, 0x00, 0x01, 0x00, 0x01, 'a', 0x00);
            else
                expect_nothing_sent(s);
            script_restart(s);
        }
}

/* In 3.1.1 they stand in one request, whatever 5.0 would say of them. */
static void test_3_1_1_joins_all(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription nodes[5];

    s->config.drop_unsupported = true;
    start(s);
    for (int i = 0; i < 5; i++) {
        nodes[i] = of_5_0(i);
        subscribe(s, &nodes[i]);
    }
    connected(s);
    expect_packet(s, 0x82, 1);
    assert_int_equal(s->packet.size, 4 + 5 * 4);
    expect_nothing_sent(s);
}

/* The server turns out to speak 3.1.1 only. */
static void test_a_fallback_takes_what_it_can(void **state)
{
    struct script *s = *state;

    s->config.fallback = &mqtt_protocol_3_1_1;
    for (int drop = 0; drop < 2; drop++) {
        struct mqtt_subscription a = of_5_0(0), b = to("b", 0, "");

        s->config.protocol = &mqtt_protocol_5_0;
        s->config.drop_unsupported = drop;
        start(s);
        subscribe(s, &a);
        subscribe(s, &b);
        connects(s);
        discard_sent(s);
        server_connack(s, 0, 0x84);
        pull(s, MQTT_EVENT_REFUSED);
        expect_fatal(s, MQTT_ERR_REFUSED);
        reopened(s);
        discard_sent(s);
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        if (drop) {
            expect_bytes(s, 0x82, 0x0A, 0x00, 0x01, 0x00, 0x01, 'a', 0x00, 0x00,
                         0x01, 'b', 0x00);
        } else {
            expect_forbidden(s, &a, MQTT_ERR_PROTOCOL_VERSION);
            expect_no_event(s);
            expect_bytes(s, 0x82, 0x06, 0x00, 0x01, 0x00, 0x01, 'b', 0x00);
        }
        script_restart(s);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_named_identifier_chooses_who_is_called),
        script_test(test_several_identifiers_call_each_once),
        script_test(test_an_unknown_identifier_calls_all_that_match),
        script_test(test_identifiers_have_up_to_four_bytes),
        script_test(test_a_shared_filter_matches_by_what_follows_its_group),
        script_test(test_filters_of_equal_identifier_and_properties_join),
        script_test(test_user_properties_stand_in_unsubscribe),
        script_test(test_an_identifier_is_left_out_where_there_are_none),
        script_test(test_an_identifier_that_is_left_out_needs_its_room),
        script_test(test_the_answer_to_a_request_fits_into_the_memory),
        script_test(test_properties_of_an_answer_are_in_each_event),
        script_test(test_who_goes_unasked_has_no_properties),
        script_test(test_a_refused_one_is_asked_for_with_the_next_session),
        script_test(test_what_is_unavailable_is_refused_at_once),
        script_test(test_any_number_of_them_is_answered),
        script_test(test_what_a_later_server_does_not_take_is_an_event),
        script_test(test_what_was_wished_for_offline_is_an_event_too),
        script_test(test_a_kept_session_keeps_what_is_unavailable_now),
        script_test(test_a_subscribe_that_is_too_large_is_refused),
        script_test(test_requests_are_as_large_as_the_server_takes),
        script_test(test_an_unsubscribe_that_is_too_large_ends_unasked),
        script_test(test_who_cannot_be_told_to_end_comes_back),
        script_test(test_renewing_asks_for_no_retained_messages),
        script_test(test_options_that_are_none_are_refused),
        script_test(test_the_longest_filter_is_what_control_memory_takes),
        script_test(test_two_nodes_of_one_filter_are_both_called),
        script_test(test_3_1_1_refuses_or_drops_what_it_has_not),
        script_test(test_3_1_1_joins_all),
        script_test(test_a_fallback_takes_what_it_can),
    };

    return script_run("dispatch_5_0", tests);
}
