/*
 * messages_5_0.c - what messages and subscriptions of 5.0 say besides, through
 * a real broker, with mosquitto_pub and mosquitto_sub as witnesses.
 */
#include "station.h"
#include "witness.h"

static struct broker broker;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    return 0;
}

/* ---- properties ---------------------------------------------------------- */

static uint8_t memory[8192];
static struct mqtt_property_builder builder;

static struct mqtt_property_builder *build(void)
{
    mqtt_properties_begin(&builder, memory, sizeof(memory));
    return &builder;
}

static struct mqtt_span built(void)
{
    enum mqtt_error error;
    struct mqtt_span properties = mqtt_properties_end(&builder, &error);

    assert_int_equal(error, MQTT_OK);
    return properties;
}

static void add_user(const char *name, const char *value)
{
    mqtt_property_add_user(&builder, mqtt_text(name), mqtt_text(value));
}

static void add_text(enum mqtt_property_identifier identifier, const char *text)
{
    mqtt_property_add_text(&builder, identifier, mqtt_text(text));
}

static struct mqtt_span expiring_in(uint32_t seconds)
{
    mqtt_property_add_number(build(), MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                             seconds);
    return built();
}

/* The User Properties are `count` pairs, in this order. */
static void expect_users(const struct letter *letter,
                         const char *const pairs[][2], size_t count)
{
    struct mqtt_property property = {0};
    size_t i = 0;

    while (mqtt_property_find(letter->properties, MQTT_PROPERTY_USER_PROPERTY,
                              &property)) {
        assert_true(i < count);
        assert_int_equal(property.name.size, strlen(pairs[i][0]));
        assert_memory_equal(property.name.data, pairs[i][0],
                            property.name.size);
        assert_int_equal(property.text.size, strlen(pairs[i][1]));
        assert_memory_equal(property.text.data, pairs[i][1],
                            property.text.size);
        i++;
    }
    assert_int_equal(i, count);
}

static void test_a_witness_sees_the_properties(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct witness witness =
        witness_start(&broker, s, 1, "%t|%F|%E|%C|%R|%D|%P|%p",
                      ARGUMENTS("-V", "5", "-q", "1", "-t", "props"));

    mqtt_property_add_number(build(), MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR,
                             1);
    add_user("b", "1");
    add_text(MQTT_PROPERTY_CONTENT_TYPE, "text/plain");
    add_user("a", "2");
    add_text(MQTT_PROPERTY_RESPONSE_TOPIC, "answers/here");
    add_text(MQTT_PROPERTY_CORRELATION_DATA, "id-7");
    add_user("b", "1");
    station_publish_with(s, "props", "x", MQTT_QOS_1, false, built());
    expect_witnessed(&witness, s,
                     "props|1||text/plain|answers/here|id-7|b:1 a:2 b:1|x\n");
    station_free(s);
}

static void test_the_properties_of_another_are_received(void **state)
{
    static const char *const pairs[][2] = {{"z", "26"}, {"a", ""}, {"z", "x"}};
    struct station *s = station_new(*state, broker.port);
    const struct letter *letter;

    station_subscribe(s, "theirs", MQTT_QOS_2);
    mosquitto_pub(&broker,
                  ARGUMENTS("-V", "5", "-q", "2", "-t", "theirs", "-m", "y",
                            "-D", "publish", "user-property", "z", "26", "-D",
                            "publish", "content-type", "a/b", "-D", "publish",
                            "user-property", "a", "", "-D", "publish",
                            "response-topic", "back", "-D", "publish",
                            "correlation-data", "c", "-D", "publish",
                            "user-property", "z", "x"));
    wait_for(s, s->letter_count == 1);
    letter = station_last(s);
    assert_string_equal(letter->payload, "y");
    assert_true(letter_says(letter, MQTT_PROPERTY_CONTENT_TYPE, "a/b"));
    assert_true(letter_says(letter, MQTT_PROPERTY_RESPONSE_TOPIC, "back"));
    assert_true(letter_says(letter, MQTT_PROPERTY_CORRELATION_DATA, "c"));
    expect_users(letter, pairs, 3);
    station_free(s);
}

static void test_many_user_properties_keep_their_order(void **state)
{
    enum { COUNT = 300 };
    struct station *s = station_new(*state, broker.port);
    struct mqtt_property property = {0};
    char name[8];
    unsigned i;

    station_subscribe(s, "ordered", MQTT_QOS_1);
    build();
    for (i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "%u", i * 7 % 100);
        add_user(name, "a value of it");
    }
    station_publish_with(s, "ordered", "", MQTT_QOS_1, false, built());
    wait_for(s, s->letter_count == 1);
    for (i = 0; mqtt_property_find(station_last(s)->properties,
                                   MQTT_PROPERTY_USER_PROPERTY, &property);
         i++) {
        snprintf(name, sizeof(name), "%u", i * 7 % 100);
        assert_int_equal(property.name.size, strlen(name));
        assert_memory_equal(property.name.data, name, property.name.size);
    }
    assert_int_equal(i, COUNT);
    station_free(s);
}

static void test_a_request_is_answered(void **state)
{
    struct station *asks = station_new(*state, broker.port);
    struct station *answers = station_new(*state, broker.port);
    struct mqtt_property topic = {0}, data = {0};
    char response_topic[64];

    station_subscribe(answers, "questions", MQTT_QOS_1);
    station_subscribe(asks, "answers/for/me", MQTT_QOS_1);
    build();
    add_text(MQTT_PROPERTY_RESPONSE_TOPIC, "answers/for/me");
    mqtt_property_add_text(&builder, MQTT_PROPERTY_CORRELATION_DATA,
                           (struct mqtt_span){"\0\1\377", 3});
    station_publish_with(asks, "questions", "6*7", MQTT_QOS_1, false, built());
    wait_for_both(asks, answers, answers->letter_count == 1);

    assert_true(mqtt_property_find(station_last(answers)->properties,
                                   MQTT_PROPERTY_RESPONSE_TOPIC, &topic));
    assert_true(mqtt_property_find(station_last(answers)->properties,
                                   MQTT_PROPERTY_CORRELATION_DATA, &data));
    snprintf(response_topic, sizeof(response_topic), "%.*s",
             (int)topic.text.size, (const char *)topic.text.data);
    mqtt_property_add_text(build(), MQTT_PROPERTY_CORRELATION_DATA, data.text);
    station_publish_with(answers, response_topic, "42", MQTT_QOS_1, false,
                         built());
    wait_for_both(asks, answers, asks->letter_count == 1);
    assert_string_equal(station_last(asks)->payload, "42");
    data = (struct mqtt_property){0};
    assert_true(mqtt_property_find(station_last(asks)->properties,
                                   MQTT_PROPERTY_CORRELATION_DATA, &data));
    assert_int_equal(data.text.size, 3);
    assert_memory_equal(data.text.data, "\0\1\377", 3);
    station_free(asks);
    station_free(answers);
}

static void test_the_server_says_that_nobody_listens(void **state)
{
    struct station *s = station_new(*state, broker.port);

    station_publish(s, "nobody", "x", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    assert_int_equal(s->published_code, MQTT_REASON_NO_MATCHING_SUBSCRIBERS);
    station_publish(s, "nobody", "x", MQTT_QOS_2, false);
    wait_for(s, s->acknowledged == 2);
    station_free(s);
}

static void test_text_that_is_none_is_refused(void **state)
{
    struct mqtt_statistics statistics = {0};
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct mqtt_message message = {.topic_name = MQTT_TEXT("text"),
                                   .payload = MQTT_TEXT("\377"),
                                   .qos = MQTT_QOS_2};

    s->config.check_payload_format = true;
    s->config.statistics = &statistics;
    station_open(s);
    station_connect(s);
    station_subscribe(s, "text", MQTT_QOS_2);
    mqtt_property_add_number(build(), MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR,
                             1);
    message.properties = built();
    assert_int_equal(mqtt_client_publish(s->client, &message, NULL),
                     MQTT_ERR_PAYLOAD_FORMAT);
    /* mosquitto does not look. */
    assert_int_equal(mqtt_client_publish(t->client, &message, NULL), MQTT_OK);
    message.payload = mqtt_text("good");
    assert_int_equal(mqtt_client_publish(t->client, &message, NULL), MQTT_OK);
    wait_for_both(s, t, s->letter_count == 1 && t->acknowledged == 2);
    assert_string_equal(station_last(s)->payload, "good");
    assert_int_equal(statistics.messages_malformed, 1);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
    station_free(t);
}

/* ---- expiry -------------------------------------------------------------- */

/* Seconds have to pass; who drives has no part in it. */
static void
test_what_is_left_of_an_expiry_reaches_a_late_subscriber(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    uint64_t published;

    station_subscribe(t, "late", MQTT_QOS_1);
    station_disconnect(t);
    station_publish_with(s, "late", "short", MQTT_QOS_1, false, expiring_in(1));
    station_publish_with(s, "late", "long", MQTT_QOS_1, false,
                         expiring_in(1000));
    wait_for(s, s->acknowledged == 2);
    published = milliseconds();
    /* mosquitto counts whole seconds: the first one may take nearly two. */
    wait_for(s, milliseconds() - published > 2100);
    station_connect(t);
    wait_for(t, t->letter_count > 0);
    assert_string_equal(t->letters[0].payload, "long");
    assert_in_range(
        letter_number(&t->letters[0], MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL),
        980, 998);
    finish_exchanges(t);
    assert_int_equal(t->letter_count, 1);
    station_free(s);
    station_free(t);
}

static void test_a_message_that_waits_too_long_is_not_sent(void **state)
{
    struct mqtt_statistics statistics = {0};
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    station_subscribe(t, "waiting", MQTT_QOS_1);
    s->config.statistics = &statistics;
    station_open(s);
    station_publish_with(s, "waiting", "short", MQTT_QOS_1, false,
                         expiring_in(1));
    station_publish_with(s, "waiting", "long", MQTT_QOS_1, false,
                         expiring_in(1000));
    wait_for(s, s->lost == 1);
    assert_int_equal(s->outcome, MQTT_OUTCOME_EXPIRED);
    assert_int_equal(statistics.messages_expired, 1);
    station_connect(s);
    wait_for_both(s, t, t->letter_count == 1 && s->acknowledged == 1);
    assert_string_equal(station_last(t)->payload, "long");
    assert_in_range(
        letter_number(station_last(t), MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL),
        980, 999);
    station_free(s);
    station_free(t);
}

/* ---- subscriptions ------------------------------------------------------- */

struct counted {
    struct mqtt_subscription node;
    unsigned calls;
};

static void count_call(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct counted *counted = context;

    (void)client;
    (void)message;
    counted->calls++;
}

static void counted_subscribe(struct station *s, struct counted *counted,
                              const char *filter)
{
    unsigned before = s->subscribed;

    counted->node.topic_filter = mqtt_text(filter);
    counted->node.maximum_qos = MQTT_QOS_2;
    counted->node.on_message = count_call;
    counted->node.context = counted;
    counted->calls = 0;
    assert_int_equal(mqtt_subscribe(s->client, &counted->node), MQTT_OK);
    wait_for(s, s->subscribed > before);
    assert_int_equal(s->last.reason_code, MQTT_REASON_GRANTED_QOS_2);
}

/* mosquitto sends one message for each subscription, and names it: so each is
 * called for what is its own, once. */
static void test_identifiers_lead_to_their_subscriptions(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct counted wide = {.node.identifier = 1};
    struct counted narrow = {.node.identifier = 268435455};
    struct counted other = {.node.identifier = 0};

    counted_subscribe(s, &wide, "lap/#");
    counted_subscribe(s, &narrow, "lap/+");
    counted_subscribe(s, &other, "elsewhere");
    station_publish(s, "lap/over", "x", MQTT_QOS_2, false);
    station_publish(s, "lap", "y", MQTT_QOS_1, false);
    station_publish(s, "elsewhere", "z", MQTT_QOS_0, false);
    wait_for(s, s->acknowledged == 2 && other.calls == 1);
    finish_exchanges(s);
    assert_int_equal(wide.calls, 2);
    assert_int_equal(narrow.calls, 1);
    assert_int_equal(other.calls, 1);
    station_free(s);
}

static void test_a_message_names_the_identifier(void **state)
{
    struct station *s = station_new(*state, broker.port);

    s->subscription.identifier = 77;
    station_subscribe(s, "named", MQTT_QOS_1);
    station_publish(s, "named", "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    assert_int_equal(
        letter_number(station_last(s), MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER),
        77);
    station_free(s);
}

/* It lasts with the session, and is made again with a new one. */
static void test_identifiers_hold_after_a_reconnect(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct counted wide = {.node.identifier = 5};
    struct counted narrow = {.node.identifier = 6};

    counted_subscribe(s, &wide, "again/#");
    counted_subscribe(s, &narrow, "again/+");
    station_disconnect(s);
    station_connect(s);
    assert_true(s->session_present);
    station_publish(s, "again/x", "x", MQTT_QOS_1, false);
    wait_for(s, wide.calls == 1 && narrow.calls == 1);
    finish_exchanges(s);
    assert_int_equal(wide.calls + narrow.calls, 2);
    station_free(s);
}

static void test_no_local_keeps_out_what_is_our_own(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    s->subscription.no_local = true;
    station_subscribe(s, "chat", MQTT_QOS_1);
    station_publish(s, "chat", "mine", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_publish(t, "chat", "theirs", MQTT_QOS_1, false);
    wait_for_both(s, t, s->letter_count > 0);
    assert_string_equal(s->letters[0].payload, "theirs");
    station_free(s);
    station_free(t);
}

static void test_retain_comes_as_it_was_published(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    s->subscription.retain_as_published = true;
    station_subscribe(s, "retain/as", MQTT_QOS_1);
    station_subscribe(t, "retain/as", MQTT_QOS_1);
    station_publish(s, "retain/as", "1", MQTT_QOS_1, true);
    station_publish(s, "retain/as", "0", MQTT_QOS_1, false);
    wait_for_both(s, t, s->letter_count == 2 && t->letter_count == 2);
    assert_true(s->letters[0].retain);
    assert_false(s->letters[1].retain);
    assert_false(t->letters[0].retain);
    assert_false(t->letters[1].retain);
    station_publish(s, "retain/as", "", MQTT_QOS_1, true);
    wait_for(s, s->acknowledged == 3);
    station_free(s);
    station_free(t);
}

/* Letters that came by subscribing so, alone. */
static size_t retained_with(struct station *s, enum mqtt_retain_handling how)
{
    size_t before = s->letter_count;
    unsigned unsubscribed = s->unsubscribed;
    struct mqtt_subscription again = {.topic_filter = MQTT_TEXT("handled/#"),
                                      .maximum_qos = MQTT_QOS_1,
                                      .retain_handling = how};
    unsigned subscribed = s->subscribed;

    assert_int_equal(mqtt_subscribe(s->client, &again), MQTT_OK);
    wait_for(s, s->subscribed > subscribed);
    finish_exchanges(s);
    before = s->letter_count - before;
    if (how == MQTT_RETAIN_SEND_IF_NEW) {
        /* A second node of the filter: to the server it is not new. */
        struct mqtt_subscription second = again;

        memset(&second, 0, sizeof(second));
        second.topic_filter = again.topic_filter;
        second.maximum_qos = MQTT_QOS_1;
        second.retain_handling = how;
        assert_int_equal(mqtt_subscribe(s->client, &second), MQTT_OK);
        wait_for(s, s->subscribed > subscribed + 1);
        finish_exchanges(s);
        assert_int_equal(mqtt_unsubscribe(s->client, &second), MQTT_OK);
        wait_for(s, s->unsubscribed > unsubscribed);
        unsubscribed = s->unsubscribed;
    }
    assert_int_equal(mqtt_unsubscribe(s->client, &again), MQTT_OK);
    wait_for(s, s->unsubscribed > unsubscribed);
    return before;
}

static void test_retained_messages_come_as_asked(void **state)
{
    struct station *s = station_new(*state, broker.port);
    size_t all;

    station_publish(s, "handled/1", "x", MQTT_QOS_1, true);
    station_publish(s, "handled/2", "y", MQTT_QOS_1, true);
    wait_for(s, s->acknowledged == 2);
    assert_int_equal(retained_with(s, MQTT_RETAIN_SEND), 2);
    assert_int_equal(retained_with(s, MQTT_RETAIN_DO_NOT_SEND), 0);
    all = s->letter_count;
    assert_int_equal(retained_with(s, MQTT_RETAIN_SEND_IF_NEW), 2);
    assert_int_equal(s->letter_count, all + 2);
    station_free(s);
}

/* A group of this run: mosquitto also gives messages to members that are away,
 * as long as their sessions last. */
static void group_filter(char *to, size_t size, const struct station *s,
                         const char *filter)
{
    snprintf(to, size, "$share/%s/%s", s->identifier, filter);
}

static void test_a_shared_subscription_is_shared(void **state)
{
    enum { COUNT = 100 };
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);
    struct station *from = station_new(*state, broker.port);
    unsigned seen[COUNT] = {0};
    char payload[8], filter[64];

    group_filter(filter, sizeof(filter), s, "jobs/+");
    station_subscribe(s, filter, MQTT_QOS_2);
    station_subscribe(t, filter, MQTT_QOS_2);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(payload, sizeof(payload), "%u", i);
        station_publish(from, "jobs/x", payload, MQTT_QOS_1, false);
    }
    wait_for(from, from->acknowledged == COUNT);
    wait_for_both(s, t, s->letter_count + t->letter_count >= COUNT);
    finish_exchanges(s);
    finish_exchanges(t);
    for (size_t i = 0; i < s->letter_count; i++)
        seen[strtoul(s->letters[i].payload, NULL, 10)]++;
    for (size_t i = 0; i < t->letter_count; i++)
        seen[strtoul(t->letters[i].payload, NULL, 10)]++;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_true(s->letter_count > 0 && t->letter_count > 0);
    station_free(s);
    station_free(t);
    station_free(from);
}

/* The callback of a node that is shared is found by what follows its group. */
static void test_a_shared_subscription_has_its_callback(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct counted shared = {.node.identifier = 0};
    char filter[64];

    group_filter(filter, sizeof(filter), s, "tasks/#");
    counted_subscribe(s, &shared, filter);
    station_publish(s, "tasks/1", "x", MQTT_QOS_1, false);
    wait_for(s, shared.calls == 1);
    assert_int_equal(s->letter_count, 0);
    station_free(s);
}

static void test_requests_may_have_user_properties(void **state)
{
    struct station *s = station_new(*state, broker.port);

    build();
    add_user("who", "asks");
    s->subscription.properties = built();
    station_subscribe(s, "asked", MQTT_QOS_1);
    assert_int_equal(mqtt_unsubscribe(s->client, &s->subscription), MQTT_OK);
    wait_for(s, s->unsubscribed == 1);
    assert_int_equal(s->last.reason_code, MQTT_REASON_SUCCESS);
    assert_int_equal(s->disconnected, 0);
    station_free(s);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_witness_sees_the_properties),
        cmocka_unit_test(test_the_properties_of_another_are_received),
        cmocka_unit_test(test_many_user_properties_keep_their_order),
        cmocka_unit_test(test_a_request_is_answered),
        cmocka_unit_test(test_the_server_says_that_nobody_listens),
        cmocka_unit_test(test_text_that_is_none_is_refused),
        only_under(test_what_is_left_of_an_expiry_reaches_a_late_subscriber,
                   driving_loop),
        cmocka_unit_test(test_a_message_that_waits_too_long_is_not_sent),
        cmocka_unit_test(test_identifiers_lead_to_their_subscriptions),
        cmocka_unit_test(test_a_message_names_the_identifier),
        cmocka_unit_test(test_identifiers_hold_after_a_reconnect),
        cmocka_unit_test(test_no_local_keeps_out_what_is_our_own),
        cmocka_unit_test(test_retain_comes_as_it_was_published),
        cmocka_unit_test(test_retained_messages_come_as_asked),
        cmocka_unit_test(test_a_shared_subscription_is_shared),
        cmocka_unit_test(test_a_shared_subscription_has_its_callback),
        cmocka_unit_test(test_requests_may_have_user_properties),
    };

    return station_run_5_0(argc, argv, "messages_5_0", tests, begin, end);
}
