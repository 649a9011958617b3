/*
 * text.c - strings, topic names, topic filters [3.1.1, sections 1.5.3 and 4.7],
 * [5.0, sections 1.5.4, 1.5.7, 4.7 and 4.8].
 */
#include "conformance.h"

static enum mqtt_error publish_to(struct script *s, struct mqtt_span topic_name)
{
    struct mqtt_message message = {.topic_name = topic_name,
                                   .payload = MQTT_TEXT("x")};

    return mqtt_client_publish(&s->client, &message, NULL);
}

static enum mqtt_error subscribe_to(struct script *s,
                                    struct mqtt_subscription *subscription,
                                    struct mqtt_span topic_filter)
{
    *subscription = (struct mqtt_subscription){.topic_filter = topic_filter};
    return mqtt_subscribe(&s->client, subscription);
}

/* A PUBLISH with this topic name comes, 0 to 99 bytes of it. */
static void publish_comes(struct script *s, struct mqtt_span topic_name)
{
    assert_true(topic_name.size < 100);
    server_sends(s, 0x30, (uint8_t)(topic_name.size + (speaks_5_0(s) ? 3 : 2)),
                 0x00, (uint8_t)topic_name.size);
    server_sends_span(s, topic_name.data, topic_name.size);
    if (speaks_5_0(s))
        server_sends(s, 0x00);
}

/* ---- UTF-8 --------------------------------------------------------------- */

static bool holds_nul(struct mqtt_span text)
{
    return text.size && memchr(text.data, 0, text.size);
}

static void test_text_is_sent_if_it_is_utf8(void **state)
{
    struct script *s = *state;

    connected(s);
    for (const struct text *text = texts; text->bytes.data; text++) {
        struct mqtt_subscription *a = calloc(1, sizeof(*a));

        assert_int_equal(publish_to(s, text->bytes),
                         text->good ? MQTT_OK : MQTT_ERR_TOPIC_NAME);
        if (text->good)
            assert_true(
                same_span(expect_packet(s, 0x30, 0)->topic, text->bytes));
        assert_int_equal(subscribe_to(s, a, text->bytes),
                         text->good ? MQTT_OK : MQTT_ERR_TOPIC_FILTER);
        if (text->good) {
            server_suback(s, expect_packet(s, 0x82, 0)->identifier, 0);
            pull(s, MQTT_EVENT_SUBSCRIBED);
            assert_int_equal(mqtt_unsubscribe(&s->client, a), MQTT_OK);
            server_answers(s, 0xB0, expect_packet(s, 0xA2, 0)->identifier);
            pull(s, MQTT_EVENT_UNSUBSCRIBED);
        }
        free(a);
        expect_nothing_sent(s);
    }
}

static void test_text_that_is_no_utf8_closes(void **state)
{
    struct script *s = *state;

    for (const struct text *text = texts; text->bytes.data; text++) {
        connected(s);
        publish_comes(s, text->bytes);
        if (text->good) {
            pull(s, MQTT_EVENT_MESSAGE);
            assert_true(same_span(s->event.message.topic_name, text->bytes));
        } else {
            expect_violation(s, MQTT_ERR_RECEIVED_TOPIC);
        }
        script_restart(s);
    }
}

static void test_u_0000_is_neither_sent_nor_taken(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a;
    unsigned count = 0;

    for (const struct text *text = texts; text->bytes.data; text++) {
        if (!holds_nul(text->bytes))
            continue;
        connected(s);
        assert_int_equal(publish_to(s, text->bytes), MQTT_ERR_TOPIC_NAME);
        assert_int_equal(subscribe_to(s, &a, text->bytes),
                         MQTT_ERR_TOPIC_FILTER);
        expect_nothing_sent(s);
        publish_comes(s, text->bytes);
        expect_violation(s, MQTT_ERR_RECEIVED_TOPIC);
        script_restart(s);
        count++;
    }
    assert_int_equal(count, 3);
}

static void test_names_and_filters_have_no_u_0000(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a;
    char text[20];

    connected(s);
    for (size_t size = 1; size <= sizeof(text); size++)
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', size);
            text[at] = '\0';
            assert_int_equal(publish_to(s, (struct mqtt_span){text, size}),
                             MQTT_ERR_TOPIC_NAME);
            assert_int_equal(
                subscribe_to(s, &a, (struct mqtt_span){text, size}),
                MQTT_ERR_TOPIC_FILTER);
        }
    expect_nothing_sent(s);
}

static void test_a_byte_order_mark_stays_where_it_stands(void **state)
{
    static const char *const marked[] = {
        "\xEF\xBB\xBF",
        "\xEF\xBB\xBF/a",
        "a/\xEF\xBB\xBF",
        "a/\xEF\xBB\xBF\xEF\xBB\xBF/b",
    };
    struct script *s = *state;

    connected(s);
    for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
        assert_int_equal(publish_to(s, mqtt_text(marked[i])), MQTT_OK);
        assert_true(span_is(expect_packet(s, 0x30, 0)->topic, marked[i]));
        server_publishes(s, 0x30, marked[i], 0, "x");
        expect_message(s, marked[i], "x");
    }
}

/* ---- strings in properties of 5.0 ----------------------------------------- */

/* `count` bytes of a property: `name` and `value` are strings, absent in what
 * has but one. */
struct property {
    uint8_t bytes[64];
    size_t count;
};

static void put_string(struct property *p, struct mqtt_span text)
{
    assert_true(text.size < 20);
    p->bytes[p->count++] = 0x00;
    p->bytes[p->count++] = (uint8_t)text.size;
    memcpy(p->bytes + p->count, text.data, text.size);
    p->count += text.size;
}

static struct property string_property(uint8_t identifier,
                                       struct mqtt_span text)
{
    struct property p = {{identifier}, 1};

    put_string(&p, text);
    return p;
}

static struct property user_property(struct mqtt_span name,
                                     struct mqtt_span value)
{
    struct property p = {{0x26}, 1};

    put_string(&p, name);
    put_string(&p, value);
    return p;
}

/* PUBLISH "a" of QoS 0 with this property comes. */
static void publish_comes_with(struct script *s, const struct property *p)
{
    server_sends(s, 0x30, (uint8_t)(4 + p->count), 0x00, 0x01, 'a',
                 (uint8_t)p->count);
    server_sends_span(s, p->bytes, p->count);
}

/* SUBACK 1 for one filter with this property comes. */
static void suback_comes_with(struct script *s, const struct property *p)
{
    server_sends(s, 0x90, (uint8_t)(4 + p->count), 0x00, 0x01,
                 (uint8_t)p->count);
    server_sends_span(s, p->bytes, p->count);
    server_sends(s, 0x00);
}

/* What came ends the connection as malformed; or it is this event. */
static void expect_if(struct script *s, bool good, enum mqtt_event_type type)
{
    if (good) {
        pull(s, type);
        return;
    }
    expect_violation(s, MQTT_ERR_RECEIVED_PROPERTY);
    assert_int_equal(s->disconnect_code, 0x81);
}

/* Content Type in PUBLISH, Reason String in SUBACK. */
static void test_property_text_that_is_no_utf8_closes(void **state)
{
    struct script *s = *state;

    for (const struct text *text = texts; text->bytes.data; text++) {
        struct mqtt_subscription a;
        struct property p = string_property(0x03, text->bytes);

        connected(s);
        publish_comes_with(s, &p);
        expect_if(s, text->good, MQTT_EVENT_MESSAGE);
        script_restart(s);
        connected(s);
        assert_int_equal(subscribe_to(s, &a, mqtt_text("a")), MQTT_OK);
        expect_packet(s, 0x82, 1);
        p = string_property(0x1F, text->bytes);
        suback_comes_with(s, &p);
        expect_if(s, text->good, MQTT_EVENT_SUBSCRIBED);
        script_restart(s);
    }
}

static enum mqtt_error publish_having(struct script *s,
                                      const struct property *p)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = MQTT_TEXT("x"),
                                   .properties = {p->bytes, p->count}};

    return mqtt_client_publish(&s->client, &message, NULL);
}

static void test_property_text_is_sent_if_it_is_utf8(void **state)
{
    struct script *s = *state;

    connected(s);
    for (const struct text *text = texts; text->bytes.data; text++) {
        struct property p = string_property(0x03, text->bytes);

        assert_int_equal(publish_having(s, &p),
                         text->good ? MQTT_OK : MQTT_ERR_PROPERTY);
        if (text->good)
            assert_true(same_span(expect_packet(s, 0x30, 0)->properties,
                                  (struct mqtt_span){p.bytes, p.count}));
        expect_nothing_sent(s);
    }
}

/* The name alone is wrong, and the value alone. */
static void test_both_halves_of_a_pair_are_strings(void **state)
{
    static const struct mqtt_span good = MQTT_TEXT("x");
    struct script *s = *state;

    for (const struct text *text = texts; text->bytes.data; text++)
        for (int half = 0; half < 2; half++) {
            struct property p = half ? user_property(good, text->bytes)
                                     : user_property(text->bytes, good);
            struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                          .properties = {p.bytes, p.count}};

            connected(s);
            assert_int_equal(publish_having(s, &p),
                             text->good ? MQTT_OK : MQTT_ERR_PROPERTY);
            assert_int_equal(mqtt_subscribe(&s->client, &a),
                             text->good ? MQTT_OK : MQTT_ERR_PROPERTY);
            if (!text->good)
                expect_nothing_sent(s);
            publish_comes_with(s, &p);
            expect_if(s, text->good, MQTT_EVENT_MESSAGE);
            script_restart(s);
        }
}

/* ---- topic names and topic filters --------------------------------------- */

static void test_wildcards_are_for_filters_only(void **state)
{
    static const char *const wild[] = {"#",   "+",     "a/#", "a/+",
                                       "+/a", "a/+/b", "/+",  "+/+/#"};
    struct script *s = *state;
    struct mqtt_subscription nodes[8];

    connected(s);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(publish_to(s, mqtt_text(wild[i])),
                         MQTT_ERR_TOPIC_NAME);
        expect_nothing_sent(s);
        assert_int_equal(subscribe_to(s, &nodes[i], mqtt_text(wild[i])),
                         MQTT_OK);
        server_suback(s, expect_packet(s, 0x82, 0)->identifier, 0);
        pull(s, MQTT_EVENT_SUBSCRIBED);
    }
}

struct filter {
    const char *text;
    bool good;
};

static void each_filter(struct script *s, const struct filter *filters,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mqtt_subscription a;
        const char *filter = filters[i].text;
        bool good = subscribe_to(s, &a, mqtt_text(filter)) == MQTT_OK;

        if (good != filters[i].good)
            fail_msg("%s: %s", filter, good ? "taken" : "refused");
        assert_int_equal(mqtt_topic_filter_valid(mqtt_text(filter)), good);
        script_restart(s);
        start(s);
    }
}

static void test_the_multi_level_wildcard_is_alone_and_last(void **state)
{
    static const struct filter filters[] = {
        {"#", true},
        {"/#", true},
        {"//#", true},
        {"a/#", true},
        {"a/b/#", true},
        {"sport/tennis/#", true},
        {"+/#", true},
        {"a/+/#", true},
        {"$SYS/#", true},
        {"\xC3\xA4/#", true},
        {"a#", false},
        {"##", false},
        {"#a", false},
        {"#/", false},
        {"#/a", false},
        {"a/#/", false},
        {"a/#/b", false},
        {"a/#b", false},
        {"a/b#", false},
        {"/#/", false},
        {"#/#", false},
        {"a/##", false},
        {"+#", false},
        {"#+", false},
        {"a/+#", false},
        {"sport/tennis#", false},
        {"sport/tennis/#/ranking", false},
        {"\xC3\xA4#", false},
    };
    struct script *s = *state;

    start(s);
    each_filter(s, filters, sizeof(filters) / sizeof(filters[0]));
}

static void test_the_single_level_wildcard_fills_its_level(void **state)
{
    static const struct filter filters[] = {
        {"+", true},       {"/+", true},         {"+/", true},
        {"+/+", true},     {"+/a", true},        {"a/+", true},
        {"a/+/b", true},   {"+/tennis/#", true}, {"sport/+/player1", true},
        {"//+//", true},   {"$SYS/+", true},     {"+/\xC3\xA4/+", true},
        {"++", false},     {"a+", false},        {"+a", false},
        {"sport+", false}, {"a/+b", false},      {"a/b+", false},
        {"a+/b", false},   {"+a/b", false},      {"a/+b/c", false},
        {"a/++/b", false}, {"\xC3\xA4+", false}, {"+\xC3\xA4", false},
    };
    struct script *s = *state;

    start(s);
    each_filter(s, filters, sizeof(filters) / sizeof(filters[0]));
}

static void test_a_shared_subscription_has_a_group_and_a_filter(void **state)
{
    static const struct filter filters[] = {
        {"$share/g/a", true},    {"$share/g/a/b", true},
        {"$share/g/#", true},    {"$share/g/+/a", true},
        {"$share/g//", true},    {"$share/consumer1/sport/tennis/#", true},
        {"$share/ /a", true},    {"$share/\xC3\xA4/a", true},
        {"$share", true}, /* no shared subscription, but a filter */
        {"$shared/g/a", true},   {"$SHARE/+/a", true},
        {"$share/", false},      {"$share//", false},
        {"$share//a", false},    {"$share//#", false},
        {"$share/g", false},     {"$share/g/", false},
        {"$share/+/a", false},   {"$share/#", false},
        {"$share/#/a", false},   {"$share/+g/a", false},
        {"$share/g+/a", false},  {"$share/g#/a", false},
        {"$share/g/a#", false},  {"$share/g/a+/b", false},
        {"$share/g/#/a", false},
    };
    struct script *s = *state;

    start(s);
    each_filter(s, filters, sizeof(filters) / sizeof(filters[0]));
}

static void test_names_and_filters_have_a_character(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a;

    connected(s);
    assert_int_equal(publish_to(s, mqtt_text("")), MQTT_ERR_TOPIC_NAME);
    assert_int_equal(subscribe_to(s, &a, mqtt_text("")), MQTT_ERR_TOPIC_FILTER);
    expect_nothing_sent(s);
    assert_int_equal(publish_to(s, mqtt_text(" ")), MQTT_OK);
    expect_packet(s, 0x30, 0);
    assert_int_equal(subscribe_to(s, &a, mqtt_text("/")), MQTT_OK);
    expect_packet(s, 0x82, 0);
}

static void test_names_and_filters_have_at_most_65535_bytes(void **state)
{
    static char text[65536];
    struct mqtt_span longest = {text, 65535}, longer = {text, 65536};
    struct script *s = *state;
    struct mqtt_subscription a;

    memset(text, 'a', sizeof(text));
    s->memory.outbox_size = s->memory.control_size = 70000;
    connected(s);
    assert_int_equal(publish_to(s, longer), MQTT_ERR_TOPIC_NAME);
    assert_int_equal(subscribe_to(s, &a, longer), MQTT_ERR_TOPIC_FILTER);
    expect_nothing_sent(s);
    assert_int_equal(publish_to(s, longest), MQTT_OK);
    assert_true(same_span(expect_packet(s, 0x30, 0)->topic, longest));
    assert_int_equal(subscribe_to(s, &a, longest), MQTT_OK);
    assert_true(expect_packet(s, 0x82, 0)->size > 65535);
}

static const struct conformance_test tests[] = {
    proves(test_text_is_sent_if_it_is_utf8, "3.1.1 MQTT-1.5.3-1",
           "3.1.1 MQTT-3.3.2-1", "3.1.1 MQTT-3.8.3-1", "3.1.1 MQTT-3.10.3-1",
           "5.0 MQTT-1.5.4-1", "5.0 MQTT-3.3.2-1", "5.0 MQTT-3.8.3-1",
           "5.0 MQTT-3.10.3-1"),
    proves(test_text_that_is_no_utf8_closes, "3.1.1 MQTT-1.5.3-1",
           "5.0 MQTT-1.5.4-1"),
    proves(test_u_0000_is_neither_sent_nor_taken, "3.1.1 MQTT-1.5.3-2",
           "5.0 MQTT-1.5.4-2"),
    proves(test_property_text_that_is_no_utf8_closes, "5.0 MQTT-1.5.4-1",
           "5.0 MQTT-1.5.4-2"),
    proves(test_property_text_is_sent_if_it_is_utf8, "5.0 MQTT-1.5.4-1",
           "5.0 MQTT-1.5.4-2"),
    proves(test_both_halves_of_a_pair_are_strings, "5.0 MQTT-1.5.7-1"),
    proves_once(test_a_shared_subscription_has_a_group_and_a_filter,
                "5.0 MQTT-4.8.2-1", "5.0 MQTT-4.8.2-2"),
    proves_once(test_names_and_filters_have_no_u_0000, "3.1.1 MQTT-4.7.3-2",
                "5.0 MQTT-4.7.3-2"),
    proves(test_a_byte_order_mark_stays_where_it_stands, "3.1.1 MQTT-1.5.3-3",
           "5.0 MQTT-1.5.4-3"),
    proves_once(test_wildcards_are_for_filters_only, "3.1.1 MQTT-4.7.1-1",
                "5.0 MQTT-4.7.0-1"),
    proves_once(test_the_multi_level_wildcard_is_alone_and_last,
                "3.1.1 MQTT-4.7.1-2", "5.0 MQTT-4.7.1-1"),
    proves_once(test_the_single_level_wildcard_fills_its_level,
                "3.1.1 MQTT-4.7.1-3", "5.0 MQTT-4.7.1-2"),
    proves_once(test_names_and_filters_have_a_character, "3.1.1 MQTT-4.7.3-1",
                "5.0 MQTT-4.7.3-1"),
    proves_once(test_names_and_filters_have_at_most_65535_bytes,
                "3.1.1 MQTT-4.7.3-3", "5.0 MQTT-4.7.3-3"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "text", tests);
}
