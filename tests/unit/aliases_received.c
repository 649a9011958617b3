/*
 * aliases_received.c - incoming topic aliases, and memory that is too small for
 * them.
 */
#include "script.h"

static struct script *remembers(void **state, size_t count, size_t size)
{
    struct script *s = *state;

    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.alias_name_count = count;
    s->memory.alias_names_size = size;
    return s;
}

static void comes(struct script *s, uint8_t first_byte, const char *topic,
                  uint8_t alias)
{
    server_publishes_with(s, first_byte, topic, 7, "x", 0x23, 0x00, alias);
}

static unsigned told;

static void tell(struct mqtt_client *client, const struct mqtt_message *message,
                 void *context)
{
    (void)client;
    (void)context;
    assert_true(span_is(message->topic_name, "a/b"));
    told++;
}

/* Subscriptions see the topic name that the alias stands for. */
static void test_an_alias_finds_its_subscription(void **state)
{
    struct script *s = remembers(state, 4, 64);
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a/+"),
                                  .on_message = tell};

    told = 0;
    connected(s);
    subscribed(s, &a);
    comes(s, 0x30, "a/b", 2);
    assert_int_equal(dispatch(s), 1);
    comes(s, 0x32, "", 2);
    assert_int_equal(dispatch(s), 1);
    assert_int_equal(told, 2);
    expect_packet(s, 0x40, 7);
}

/* The property stays where it was: the application may look at it. */
static void test_the_alias_is_among_the_properties(void **state)
{
    struct script *s = remembers(state, 4, 64);

    connected(s);
    comes(s, 0x30, "a", 3);
    expect_message(s, "a", "x");
    assert_int_equal(number_of(s->event.message.properties, 0x23), 3);
}

static void test_an_alias_that_was_never_given_is_fatal(void **state)
{
    struct script *s = remembers(state, 4, 64);

    connected(s);
    comes(s, 0x30, "a", 3);
    expect_message(s, "a", "x");
    comes(s, 0x30, "", 2);
    expect_fatal(s, MQTT_ERR_PROPERTY_VALUE);
    assert_int_equal(s->disconnect_code, 0x82); /* [5.0, section 3.3.4] */
}

static void test_no_topic_and_no_alias_is_fatal(void **state)
{
    struct script *s = remembers(state, 4, 64);

    connected(s);
    server_publishes(s, 0x30, "", 0, "x");
    expect_fatal(s, MQTT_ERR_NO_TOPIC);
    assert_int_equal(s->disconnect_code, 0x82);
}

/* A duplicate of QoS 2 gives its alias all the same: what follows uses it. */
static void test_a_duplicate_gives_its_alias(void **state)
{
    struct script *s = remembers(state, 4, 64);

    connected(s);
    comes(s, 0x34, "a", 1);
    expect_message(s, "a", "x");
    expect_no_event(s);
    cut(s);
    reconnected(s, true);
    comes(s, 0x3C, "a", 1);
    comes(s, 0x30, "", 1);
    expect_message(s, "a", "x");
}

/* The server keeps to what was announced, and still it is too much: it is told
 * so, and the next CONNECT announces none. */
static void test_names_that_do_not_fit_end_in_a_connection_without(void **state)
{
    struct script *s = remembers(state, 3, 20);

    connected(s);
    comes(s, 0x30, "abcdef", 1); /* 10 bytes */
    expect_message(s, "abcdef", "x");
    comes(s, 0x30, "ghijkl", 2); /* 10 bytes */
    expect_message(s, "ghijkl", "x");
    comes(s, 0x30, "ghijkm", 2); /* instead */
    expect_message(s, "ghijkm", "x");
    comes(s, 0x30, "a", 3);
    expect_fatal(s, MQTT_ERR_ALIAS_MEMORY);
    assert_int_equal(s->disconnect_code, 0x97); /* Quota exceeded */
    discard_sent(s);
    reopened(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x18,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x05,                           /* protocol version */
                 0x00,                           /* connect flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x0A,                           /* property length */
                 0x11, 0xFF, 0xFF, 0xFF, 0xFF,   /* session expiry interval */
                 0x27, 0x00, 0x00, 0x01, 0x00,   /* maximum packet size */
                 0x00, 0x01, 'c');               /* client identifier */
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    server_publishes(s, 0x30, "a", 0, "x");
    expect_message(s, "a", "x");
    comes(s, 0x30, "a", 1);
    expect_fatal(s, MQTT_ERR_TOPIC_ALIAS);
}

/* Before, it did announce them. */
static void test_connect_announces_as_many_as_there_is_memory_for(void **state)
{
    struct script *s = remembers(state, 3, 20);

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
                 0x27, 0x00, 0x00, 0x01, 0x00,   /* maximum packet size */
                 0x22, 0x00, 0x03,               /* topic alias maximum */
                 0x00, 0x01, 'c');               /* client identifier */
}

static void test_what_did_not_fit_is_not_acknowledged(void **state)
{
    struct script *s = remembers(state, 3, 8);

    connected(s);
    comes(s, 0x32, "abcdef", 1);
    expect_no_event(s);
    expect_packet(s, 0xE0, 0);
    expect_nothing_sent(s);
}

static const struct CMUnitTest tests[] = {
    script_test(test_an_alias_finds_its_subscription),
    script_test(test_the_alias_is_among_the_properties),
    script_test(test_an_alias_that_was_never_given_is_fatal),
    script_test(test_no_topic_and_no_alias_is_fatal),
    script_test(test_a_duplicate_gives_its_alias),
    script_test(test_names_that_do_not_fit_end_in_a_connection_without),
    script_test(test_connect_announces_as_many_as_there_is_memory_for),
    script_test(test_what_did_not_fit_is_not_acknowledged),
};

int main(void)
{
    return script_run("aliases_received", tests);
}
