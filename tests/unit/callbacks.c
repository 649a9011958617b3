/*
 * callbacks.c - what may be done in a callback: all but the loop itself.
 */
#include "script.h"

/* What the callback of a message is to do; each test sets it. */
static struct {
    struct script *script;
    void (*act)(struct mqtt_client *client);
    void (*act_on)(struct mqtt_client *client, const struct mqtt_event *event);
    char called[128];
} now;

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    void (*act)(struct mqtt_client *) = now.act;

    assert_non_null(message->topic_name.data);
    strcat(now.called, context == now.script ? "default " : context);
    now.act = NULL;
    if (act)
        act(client);
}

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    assert_ptr_equal(context, now.script);
    assert_ptr_equal(client, &now.script->client);
    strcat(now.called, event_name(event->type));
    strcat(now.called, " ");
    if (now.act_on)
        now.act_on(client, event);
}

static struct mqtt_subscription to(const char *filter, const char *name)
{
    struct mqtt_subscription subscription = {0};

    subscription.topic_filter = mqtt_text(filter);
    subscription.on_message = on_message;
    subscription.context = (void *)(uintptr_t)name;
    return subscription;
}

static void callbacks_setup(struct script *s)
{
    memset(&now, 0, sizeof(now));
    now.script = s;
    s->config.on_message = on_message;
    s->config.on_event = on_event;
}

/* A message "a" of QoS 1 comes; the first callback does `act`. */
static void expect_called(struct script *s,
                          void (*act)(struct mqtt_client *client),
                          const char *names)
{
    now.called[0] = '\0';
    now.act = act;
    server_publishes(s, 0x32, "a", 77, "x");
    assert_true(dispatch(s) > 0);
    assert_string_equal(now.called, names);
    now.called[0] = '\0';
}

/* ---- being woken ---------------------------------------------------------- */

static void wake_twice(struct mqtt_client *client)
{
    mqtt_client_woken(client);
    mqtt_client_woken(client);
}

static void test_woken_comes_once_for_many_calls(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    start(s);
    connects(s);
    server_connack(s, 0, 0);
    assert_int_equal(dispatch(s), 1);
    now.called[0] = '\0';
    wake_twice(&s->client);
    assert_int_equal(dispatch(s), 1);
    assert_string_equal(now.called, "WOKEN ");
    now.called[0] = '\0';
    expect_called(s, wake_twice, "default WOKEN ");
    assert_int_equal(dispatch(s), 0);
}

static void count_request(void *driver)
{
    ++*(unsigned *)driver;
}

static void test_woken_comes_when_stopped_and_asks_for_a_turn(void **state)
{
    struct script *s = *state;
    unsigned requests = 0;

    callbacks_setup(s);
    start(s);
    mqtt_client_set_driver(&s->client, &requests, count_request, NULL);
    wake_twice(&s->client);
    assert_int_equal(requests, 1);
    assert_int_equal(dispatch(s), 1);
    assert_string_equal(now.called, "WOKEN ");
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
}

/* ---- who is called for what ---------------------------------------------- */

static void test_events_go_to_on_event(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", "a ");

    callbacks_setup(s);
    start(s);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    connects(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    assert_int_equal(dispatch(s), 1);
    expect_packet(s, 0x82, 1);
    server_suback(s, 1, 0);
    publish_sent(s, "x", "", MQTT_QOS_1);
    server_answers(s, 0x40, 2);
    assert_int_equal(dispatch(s), 2);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0xA2, 3);
    server_answers(s, 0xB0, 3);
    assert_int_equal(dispatch(s), 1);
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
    assert_int_equal(dispatch(s), 1);
    assert_string_equal(now.called, "CONNECTED SUBSCRIBED PUBLISHED "
                                    "UNSUBSCRIBED DISCONNECTED ");
}

static void test_messages_go_to_their_subscription(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", "a ");

    callbacks_setup(s);
    connected(s);
    expect_called(s, NULL, "default ");
    expect_packet(s, 0x40, 77);
    subscribed(s, &a);
    expect_called(s, NULL, "a ");
}

static void test_without_callbacks_events_are_consumed(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_connack(s, 0, 0);
    assert_int_equal(dispatch(s), 1);
    discard_sent(s);
    server_publishes(s, 0x32, "a", 5, "x");
    assert_int_equal(dispatch(s), 1);
    expect_packet(s, 0x40, 5);
    assert_int_equal(dispatch(s), 0);
}

static void test_dispatch_takes_all_that_has_come(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    for (int i = 0; i < 5; i++)
        server_publishes(s, 0x30, "a", 0, "x");
    assert_int_equal(dispatch(s), 5);
    assert_string_equal(now.called, "default default default default default ");
}

static void look_for_puback(struct mqtt_client *client)
{
    (void)client;
    expect_nothing_sent(now.script);
}

static void test_a_message_is_acknowledged_after_its_callback(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    expect_called(s, look_for_puback, "default ");
    expect_bytes(s, 0x40, 0x02, 0x00, 77);
}

/* ---- requests from inside ------------------------------------------------ */

static void publish_both(struct mqtt_client *client)
{
    assert_int_equal(mqtt_publish(client, "r", "1", 1, MQTT_QOS_1, false),
                     MQTT_OK);
    assert_int_equal(mqtt_publish(client, "r", "0", 1, MQTT_QOS_0, false),
                     MQTT_OK);
}

static void test_a_callback_publishes(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    expect_called(s, publish_both, "default ");
    assert_true(s->to_server.size > 0);
    while (next_packet(s))
        ;
    server_answers(s, 0x40, 1);
    assert_int_equal(dispatch(s), 1);
    assert_string_equal(now.called, "PUBLISHED ");
}

static void fill_the_outbox(struct mqtt_client *client)
{
    while (!mqtt_publish(client, "r", "1234567890", 10, MQTT_QOS_1, false))
        ;
}

static void test_a_callback_fills_the_outbox(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    expect_called(s, fill_the_outbox, "default ");
    for (unsigned i = 0; i < 17; i++)
        assert_non_null(next_packet(s));
    assert_null(next_packet(s));
}

static struct mqtt_subscription *node, *other;

static void subscribe_node(struct mqtt_client *client)
{
    assert_int_equal(mqtt_subscribe(client, node), MQTT_OK);
}

static void test_a_callback_subscribes(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("b", "b ");

    callbacks_setup(s);
    connected(s);
    node = &a;
    expect_called(s, subscribe_node, "default ");
    expect_packet(s, 0x40, 77);
    expect_packet(s, 0x82, 1);
    server_suback(s, 1, 0);
    server_publishes(s, 0x30, "b", 0, "");
    dispatch(s);
    assert_string_equal(now.called, "SUBSCRIBED b ");
}

/* Whether the new one sees this message is open; each at most once. */
static void test_a_callback_subscribes_to_the_same(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", "1 "), b = to("a", "2 ");

    callbacks_setup(s);
    connected(s);
    subscribed(s, &a);
    node = &b;
    now.act = subscribe_node;
    server_publishes(s, 0x30, "a", 0, "");
    dispatch(s);
    assert_true(strcmp(now.called, "1 ") == 0 ||
                strcmp(now.called, "1 2 ") == 0);
    expect_called(s, NULL, "1 2 ");
}

static void unsubscribe_node(struct mqtt_client *client)
{
    assert_int_equal(mqtt_unsubscribe(client, node), MQTT_OK);
}

static void unsubscribe_both(struct mqtt_client *client)
{
    assert_int_equal(mqtt_unsubscribe(client, node), MQTT_OK);
    assert_int_equal(mqtt_unsubscribe(client, other), MQTT_OK);
}

struct three {
    struct mqtt_subscription a, b, c;
};

static void three_setup(struct script *s, struct three *three)
{
    callbacks_setup(s);
    three->a = to("a", "1 ");
    three->b = to("+", "2 ");
    three->c = to("#", "3 ");
    connected(s);
    subscribed(s, &three->a);
    subscribed(s, &three->b);
    subscribed(s, &three->c);
}

static void test_a_callback_unsubscribes_itself(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    node = &three.a;
    expect_called(s, unsubscribe_node, "1 2 3 ");
    expect_called(s, NULL, "2 3 ");
}

static void test_a_callback_unsubscribes_the_next(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    node = &three.b;
    expect_called(s, unsubscribe_node, "1 3 ");
    expect_called(s, NULL, "1 3 ");
}

static void test_a_callback_unsubscribes_the_last(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    node = &three.c;
    expect_called(s, unsubscribe_node, "1 2 ");
}

static void test_a_callback_unsubscribes_all_others(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    node = &three.b;
    other = &three.c;
    expect_called(s, unsubscribe_both, "1 ");
    expect_called(s, NULL, "1 ");
}

static void test_a_callback_unsubscribes_itself_and_the_next(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    node = &three.a;
    other = &three.b;
    expect_called(s, unsubscribe_both, "1 3 ");
}

static void subscribe_anew(struct mqtt_client *client,
                           const struct mqtt_event *event)
{
    if (event->type != MQTT_EVENT_UNSUBSCRIBED)
        return;
    *event->subscription = to("z", "z ");
    assert_int_equal(mqtt_subscribe(client, event->subscription), MQTT_OK);
}

/* The node comes back with its event, and may then be used at once. */
static void test_a_node_that_came_back_may_be_used_at_once(void **state)
{
    struct script *s = *state;
    struct three three;
    uint16_t identifier;

    three_setup(s, &three);
    now.act_on = subscribe_anew;
    assert_int_equal(mqtt_unsubscribe(&s->client, &three.b), MQTT_OK);
    identifier = expect_packet(s, 0xA2, 0)->identifier;
    server_answers(s, 0xB0, identifier);
    assert_int_equal(dispatch(s), 1);
    identifier = expect_packet(s, 0x82, 0)->identifier;
    server_suback(s, identifier, 0);
    assert_int_equal(dispatch(s), 1);
    now.called[0] = '\0';
    server_publishes(s, 0x30, "z", 0, "");
    dispatch(s);
    assert_string_equal(now.called, "3 z ");
}

/* ---- ending from inside -------------------------------------------------- */

static void disconnect_at_once(struct mqtt_client *client)
{
    assert_int_equal(mqtt_disconnect(client, 0), MQTT_OK);
}

static void test_a_callback_disconnects(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    server_publishes(s, 0x32, "a", 5, "x");
    now.act = disconnect_at_once;
    dispatch(s);
    script_drain(s);
    assert_true(s->seen_disconnect);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_END);
    server_closes(s);
    assert_int_equal(dispatch(s), 1);
    assert_string_equal(now.called, "default DISCONNECTED ");
}

static void connect_again(struct mqtt_client *client,
                          const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_DISCONNECTED)
        assert_int_equal(mqtt_connect(client), MQTT_OK);
}

static void test_a_callback_connects_again(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    s->random_bits = UINT32_MAX;
    now.act_on = connect_again;
    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
    assert_int_equal(dispatch(s), 1);
    server_accepts(s);
    expect_packet(s, 0x10, 0);
}

static void destroy(struct mqtt_client *client)
{
    mqtt_client_destroy(client);
    memset(client, 0xA5, sizeof(*client));
}

static void test_a_callback_destroys_the_client(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    server_publishes(s, 0x32, "a", 5, "x");
    server_publishes(s, 0x32, "a", 6, "x");
    while (script_feed(s))
        ;
    now.act = destroy;
    assert_int_equal(mqtt_client_dispatch(&s->client), MQTT_ERR_DESTROYED);
    assert_string_equal(now.called, "1 ");
    for (size_t i = 0; i < sizeof(s->client); i++)
        assert_int_equal(((uint8_t *)&s->client)[i], 0xA5);
}

static void test_the_default_callback_destroys_the_client(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    server_publishes(s, 0x30, "a", 0, "x");
    while (script_feed(s))
        ;
    now.act = destroy;
    assert_int_equal(mqtt_client_dispatch(&s->client), MQTT_ERR_DESTROYED);
    for (size_t i = 0; i < sizeof(s->client); i++)
        assert_int_equal(((uint8_t *)&s->client)[i], 0xA5);
}

static void destroy_on(struct mqtt_client *client,
                       const struct mqtt_event *event)
{
    (void)event;
    destroy(client);
}

static void test_an_event_callback_destroys_the_client(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    now.act_on = destroy_on;
    connected(s);
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
    assert_int_equal(mqtt_client_dispatch(&s->client), MQTT_ERR_DESTROYED);
    for (size_t i = 0; i < sizeof(s->client); i++)
        assert_int_equal(((uint8_t *)&s->client)[i], 0xA5);
}

static void destroy_and_begin_anew(struct mqtt_client *client)
{
    struct script *s = now.script;

    mqtt_client_destroy(client);
    assert_int_equal(
        mqtt_client_init(client, sizeof(*client), &s->config, &s->memory),
        MQTT_OK);
}

static void test_a_callback_makes_a_new_client_in_its_place(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    server_publishes(s, 0x30, "a", 0, "x");
    while (script_feed(s))
        ;
    now.act = destroy_and_begin_anew;
    assert_int_equal(mqtt_client_dispatch(&s->client), MQTT_ERR_DESTROYED);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
    connected(s);
}

static void test_destroying_says_and_sends_nothing(void **state)
{
    struct script *s = *state;
    struct three three;

    three_setup(s, &three);
    publish(s, "a", "", MQTT_QOS_1);
    mqtt_client_destroy(&s->client);
    assert_string_equal(now.called, "");
    assert_int_equal(
        mqtt_client_init(&s->client, sizeof(s->client), &s->config, &s->memory),
        MQTT_OK);
    assert_int_equal(mqtt_subscribe(&s->client, &three.a), MQTT_OK);
}

static void dispatch_inside(struct mqtt_client *client)
{
    assert_int_equal(mqtt_client_dispatch(client), MQTT_ERR_REENTERED);
}

static void count_messages(struct mqtt_client *client,
                           const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)message;
    ++*(int *)context;
}

static void test_who_pulls_may_dispatch_a_message(void **state)
{
    struct script *s = *state;
    int count = 0;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a"),
                                  .on_message = count_messages,
                                  .context = &count};

    connected(s);
    subscribed(s, &a);
    server_publishes(s, 0x30, "a", 0, "x");
    expect_message(s, "a", "x");
    assert_true(mqtt_dispatch_linear(&s->client, &s->event.message));
    assert_int_equal(count, 1);
    expect_no_event(s);
    server_publishes(s, 0x30, "a", 0, "y");
    assert_int_equal(dispatch(s), 1); /* no callback is under way any more */
    assert_int_equal(count, 2);
}

static void test_dispatch_inside_is_refused(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    expect_called(s, dispatch_inside, "default ");
    expect_called(s, NULL, "default ");
}

/* ---- the driver is told of requests -------------------------------------- */

static unsigned requests;

static void requested(void *driver)
{
    assert_ptr_equal(driver, &requests);
    requests++;
}

/* It was told since the turn before; and here is another turn. */
static bool was_requested(struct script *s)
{
    bool was = requests > 0;

    requests = 0;
    elapse(s, 0);
    discard_sent(s);
    return was;
}

static void test_requests_are_told_to_the_driver(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = to("a", "a ");

    callbacks_setup(s);
    requests = 0;
    start(s);
    mqtt_client_set_driver(&s->client, &requests, requested, NULL);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    assert_true(was_requested(s));
    server_accepts(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    was_requested(s);
    publish(s, "a", "", MQTT_QOS_0);
    assert_true(was_requested(s));
    publish(s, "a", "", MQTT_QOS_1);
    assert_true(was_requested(s));
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    assert_true(was_requested(s));
    server_suback(s, 2, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    was_requested(s);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    assert_true(was_requested(s));
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    assert_true(was_requested(s));
}

static void test_after_set_driver_null_nobody_is_told(void **state)
{
    struct script *s = *state;

    callbacks_setup(s);
    connected(s);
    mqtt_client_set_driver(&s->client, &requests, requested, NULL);
    mqtt_client_set_driver(&s->client, NULL, NULL, NULL);
    requests = 0;
    publish(s, "a", "", MQTT_QOS_1);
    assert_int_equal(requests, 0);
}

static mqtt_time later(void *driver)
{
    return *(mqtt_time *)driver;
}

/* The last turn may be long ago when a request is made. */
static void test_requests_ask_the_clock_of_the_driver(void **state)
{
    struct script *s = *state;
    mqtt_time clock = s->now + 1000;

    callbacks_setup(s);
    start(s);
    mqtt_client_set_driver(&s->client, &clock, NULL, later);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    expect_deadline(s, 1000 + 30000);
    server_accepts(s);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    publish_sent(s, "a", "", MQTT_QOS_1);
    clock += 500;
    assert_int_equal(mqtt_disconnect(&s->client, 7000), MQTT_OK);
    expect_deadline(s, 1500 + 7000);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_deadline(s, 1500 + 500);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_woken_comes_once_for_many_calls),
        script_test(test_woken_comes_when_stopped_and_asks_for_a_turn),
        script_test(test_events_go_to_on_event),
        script_test(test_messages_go_to_their_subscription),
        script_test(test_without_callbacks_events_are_consumed),
        script_test(test_dispatch_takes_all_that_has_come),
        script_test(test_a_message_is_acknowledged_after_its_callback),
        script_test(test_a_callback_publishes),
        script_test(test_a_callback_fills_the_outbox),
        script_test(test_a_callback_subscribes),
        script_test(test_a_callback_subscribes_to_the_same),
        script_test(test_a_callback_unsubscribes_itself),
        script_test(test_a_callback_unsubscribes_the_next),
        script_test(test_a_callback_unsubscribes_the_last),
        script_test(test_a_callback_unsubscribes_all_others),
        script_test(test_a_callback_unsubscribes_itself_and_the_next),
        script_test(test_a_node_that_came_back_may_be_used_at_once),
        script_test(test_a_callback_disconnects),
        script_test(test_a_callback_connects_again),
        script_test(test_a_callback_destroys_the_client),
        script_test(test_the_default_callback_destroys_the_client),
        script_test(test_an_event_callback_destroys_the_client),
        script_test(test_a_callback_makes_a_new_client_in_its_place),
        script_test(test_destroying_says_and_sends_nothing),
        script_test(test_dispatch_inside_is_refused),
        script_test(test_requests_are_told_to_the_driver),
        script_test(test_after_set_driver_null_nobody_is_told),
        script_test(test_requests_ask_the_clock_of_the_driver),
        script_test(test_who_pulls_may_dispatch_a_message),
    };

    return script_run("callbacks", tests);
}
