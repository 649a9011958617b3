/*
 * connect.c - CONNECT [3.1.1, section 3.1], [5.0, section 3.1].
 */
#include <mqttloop/stream.h>
#include "conformance.h"

/* ---- when it is sent ----------------------------------------------------- */

static void test_connect_is_the_first_packet(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    start(s);
    publish(s, "a", "x", MQTT_QOS_1);
    publish(s, "a", "x", MQTT_QOS_2);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    assert_int_equal(try_publish(s, "a", "x", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    expect_nothing_sent(s);
    wishes_to_connect(s);
    expect_nothing_sent(s);
    server_accepts(s);
    expect_packet(s, 0x10, 0);
    expect_nothing_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_non_null(next_packet(s));
}

static void test_connect_is_sent_once_on_a_connection(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    expect_nothing_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    elapse(s, 30000);
    expect_nothing_sent(s);
    cut(s);
    reopened(s);
    expect_packet(s, 0x10, 0);
    expect_nothing_sent(s);
}

/* ---- its bytes ----------------------------------------------------------- */

static void test_connect_3_1_1_byte_for_byte(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w/t"),
                                      .payload = MQTT_TEXT("gone"),
                                      .qos = MQTT_QOS_1,
                                      .retain = true};

    s->config.connect.client_identifier = mqtt_text("gate");
    s->config.connect.user_name = mqtt_text("user");
    s->config.connect.password = mqtt_text("pw");
    s->config.connect.will = &will;
    s->config.connect.keep_alive_s = 0x1234;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,            /* CONNECT */
                 0x25,               /* remaining length */
                 0x00, 0x04,         /* protocol name length */
                 'M', 'Q', 'T', 'T', /* protocol name */
                 0x04,               /* protocol level */
                 0xEC,               /* connect flags */
                 0x12, 0x34,         /* keep alive */
                 0x00, 0x04,         /* client identifier length */
                 'g', 'a', 't', 'e', /* client identifier */
                 0x00, 0x03,         /* will topic length */
                 'w', '/', 't',      /* will topic */
                 0x00, 0x04,         /* will message length */
                 'g', 'o', 'n', 'e', /* will message */
                 0x00, 0x04,         /* user name length */
                 'u', 's', 'e', 'r', /* user name */
                 0x00, 0x02,         /* password length */
                 'p', 'w');          /* password */
}

static void test_connect_5_0_byte_for_byte(void **state)
{
    struct script *s = *state;
    static const uint8_t will_properties[] = {
        0x18, 0x00, 0x00, 0x00, 0x05, /* Will Delay Interval */
        0x01, 0x01,                   /* Payload Format Indicator */
        0x02, 0x00, 0x00, 0x00, 0x1E, /* Message Expiry Interval */
        0x03, 0x00, 0x01, 't',        /* Content Type */
        0x08, 0x00, 0x01, 'r',        /* Response Topic */
        0x09, 0x00, 0x01, 0xFF,       /* Correlation Data */
    };
    static const uint8_t properties[] = {
        0x19, 0x01,                              /* Request Response Info. */
        0x26, 0x00, 0x01, 'k',  0x00, 0x01, 'v', /* User Property */
        0x15, 0x00, 0x01, 'm',                   /* Authentication Method */
        0x16, 0x00, 0x02, 0x00, 0x01,            /* Authentication Data */
        0x17, 0x00,                              /* Request Problem Info. */
    };
    const struct mqtt_message will = {
        .topic_name = MQTT_TEXT("w/t"),
        .payload = MQTT_TEXT("gone"),
        .qos = MQTT_QOS_1,
        .retain = true,
        .properties = {will_properties, sizeof(will_properties)}};

    s->memory.alias_names_size = 64;
    s->memory.alias_name_count = 3;
    s->config.connect.client_identifier = mqtt_text("gate");
    s->config.connect.user_name = mqtt_text("user");
    s->config.connect.password = mqtt_text("pw");
    s->config.connect.will = &will;
    s->config.connect.keep_alive_s = 0x1234;
    s->config.connect.clean_start = true;
    s->config.connect.session_expiry_s = 0x01020304;
    s->config.connect.receive_maximum = 0x0506;
    s->config.connect.maximum_packet_size = 100;
    s->config.connect.properties.data = properties;
    s->config.connect.properties.size = sizeof(properties);
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                      /* CONNECT */
                 0x63,                         /* remaining length */
                 0x00, 0x04,                   /* protocol name length */
                 'M', 'Q', 'T', 'T',           /* protocol name */
                 0x05,                         /* protocol version */
                 0xEE,                         /* connect flags */
                 0x12, 0x34,                   /* keep alive */
                 0x24,                         /* property length */
                 0x11, 0x01, 0x02, 0x03, 0x04, /* Session Expiry Int. */
                 0x21, 0x05, 0x06,             /* Receive Maximum */
                 0x27, 0x00, 0x00, 0x00, 0x64, /* Maximum Packet Size */
                 0x22, 0x00, 0x03,             /* Topic Alias Maximum */
                 0x19, 0x01,                   /* Request Response I. */
                 0x26, 0x00, 0x01, 'k',        /* User Property, name */
                 0x00, 0x01, 'v',              /* ... value */
                 0x15, 0x00, 0x01, 'm',        /* Authentication Met. */
                 0x16, 0x00, 0x02, 0x00, 0x01, /* Authentication Data */
                 0x17, 0x00,                   /* Request Problem I. */
                 0x00, 0x04,                   /* client id. length */
                 'g', 'a', 't', 'e',           /* client identifier */
                 0x18,                         /* will property length */
                 0x18, 0x00, 0x00, 0x00, 0x05, /* Will Delay Interval */
                 0x01, 0x01,                   /* Payload Format Ind. */
                 0x02, 0x00, 0x00, 0x00, 0x1E, /* Message Expiry Int. */
                 0x03, 0x00, 0x01, 't',        /* Content Type */
                 0x08, 0x00, 0x01, 'r',        /* Response Topic */
                 0x09, 0x00, 0x01, 0xFF,       /* Correlation Data */
                 0x00, 0x03,                   /* will topic length */
                 'w', '/', 't',                /* will topic */
                 0x00, 0x04,                   /* will payload length */
                 'g', 'o', 'n', 'e',           /* will payload */
                 0x00, 0x04,                   /* user name length */
                 'u', 's', 'e', 'r',           /* user name */
                 0x00, 0x02,                   /* password length */
                 'p', 'w');                    /* password */
}

/* A client that has nothing to say of its memory says nothing. */
static void test_without_properties_there_is_a_length_of_0(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                      .payload = MQTT_TEXT("p")};
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->config.large = &mqtt_large_parts;
    s->config.connect.clean_start = true;
    s->config.connect.will = &will;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,            /* CONNECT */
                 0x15,               /* remaining length */
                 0x00, 0x04,         /* protocol name length */
                 'M', 'Q', 'T', 'T', /* protocol name */
                 0x05,               /* protocol version */
                 0x06,               /* connect flags */
                 0x00, 0x3C,         /* keep alive */
                 0x00,               /* property length */
                 0x00, 0x01,         /* client identifier length */
                 'c',                /* client identifier */
                 0x00,               /* will property length */
                 0x00, 0x01,         /* will topic length */
                 'w',                /* will topic */
                 0x00, 0x01,         /* will payload length */
                 'p');               /* will payload */
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    publish(s, "a", "x", MQTT_QOS_1);
    expect_bytes(s, 0x32,    /* PUBLISH, QoS 1 */
                 0x07,       /* remaining length */
                 0x00, 0x01, /* topic name length */
                 'a',        /* topic name */
                 0x00, 0x01, /* packet identifier */
                 0x00,       /* property length */
                 'x');       /* payload */
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_bytes(s, 0x82,    /* SUBSCRIBE */
                 0x07,       /* remaining length */
                 0x00, 0x02, /* packet identifier */
                 0x00,       /* property length */
                 0x00, 0x01, /* topic filter length */
                 'a',        /* topic filter */
                 0x00);      /* subscription options */
    server_suback(s, 2, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &a), MQTT_OK);
    expect_bytes(s, 0xA2,    /* UNSUBSCRIBE */
                 0x06,       /* remaining length */
                 0x00, 0x03, /* packet identifier */
                 0x00,       /* property length */
                 0x00, 0x01, /* topic filter length */
                 'a');       /* topic filter */
}

/* A CONNECT as `s` is configured now; then the client is as before. */
static struct sent_connect connect_of(struct script *s)
{
    struct sent_connect connect;

    script_restart(s);
    start(s);
    connects(s);
    connect = take_connect(s);
    expect_nothing_sent(s);
    return connect;
}

static void test_the_protocol_is_named_mqtt(void **state)
{
    struct script *s = *state;

    assert_true(span_is(connect_of(s).protocol_name, "MQTT"));
}

static void test_the_client_identifier_is_the_first_field(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                      .payload = MQTT_TEXT("p")};

    assert_true(span_is(connect_of(s).client_identifier, "c"));
    s->config.connect.will = &will;
    s->config.connect.user_name = mqtt_text("u");
    assert_true(span_is(connect_of(s).client_identifier, "c"));
    s->config.connect.clean_start = true;
    s->config.connect.client_identifier = mqtt_text("");
    assert_true(span_is(connect_of(s).client_identifier, ""));
    s->config.connect.client_identifier = mqtt_text(NULL);
    assert_true(span_is(connect_of(s).client_identifier, ""));
    if (speaks_5_0(s)) {
        s->config.connect.clean_start = false;
        assert_true(span_is(connect_of(s).client_identifier, ""));
    }
}

/* ---- flags and fields ---------------------------------------------------- */

static const char *const choices[] = {NULL, "", "text"};

/* Call `look` with CONNECT in every combination of its optional fields. */
static void with_every_combination(struct script *s,
                                   void (*look)(struct script *s,
                                                struct sent_connect connect))
{
    for (unsigned n = 0; n < 3 * 3 * 3 * 3 * 2 * 2; n++) {
        struct mqtt_message will = {
            .topic_name = MQTT_TEXT("w"),
            .payload = mqtt_text(choices[n / 9 % 3]),
            .qos = n / 27 % 3,
            .retain = n / 81 % 2,
        };

        s->config.connect.user_name = mqtt_text(choices[n % 3]);
        s->config.connect.password = mqtt_text(choices[n / 3 % 3]);
        s->config.connect.will = will.payload.data ? &will : NULL;
        s->config.connect.clean_start = n / 162;
        if (s->config.connect.user_name.data ||
            !s->config.connect.password.data || speaks_5_0(s))
            look(s, connect_of(s));
    }
}

static void look_at_reserved(struct script *s, struct sent_connect connect)
{
    (void)s;
    assert_int_equal(connect.flags & 0x01, 0);
}

static void test_the_reserved_flag_of_connect_is_0(void **state)
{
    with_every_combination(*state, look_at_reserved);
}

static void look_at_will(struct script *s, struct sent_connect connect)
{
    const struct mqtt_message *will = s->config.connect.will;

    if (!will)
        return;
    assert_int_equal(connect.flags & 0x04, 0x04);
    assert_int_equal(connect.flags >> 3 & 3, will->qos);
    assert_int_equal(connect.flags >> 5 & 1, will->retain);
    assert_int_equal(connect.will_properties.data != NULL, speaks_5_0(s));
    assert_int_equal(connect.will_properties.size, 0);
    assert_true(same_span(connect.will_topic, will->topic_name));
    assert_true(same_span(connect.will_payload, will->payload));
}

static void test_a_will_is_there_with_topic_and_payload(void **state)
{
    with_every_combination(*state, look_at_will);
}

static void look_at_no_will(struct script *s, struct sent_connect connect)
{
    if (s->config.connect.will)
        return;
    assert_int_equal(connect.flags & 0x04, 0); /* Will Flag */
    assert_int_equal(connect.flags & 0x18, 0); /* Will QoS */
    assert_int_equal(connect.flags & 0x20, 0); /* Will Retain */
    assert_null(connect.will_topic.data);
    assert_null(connect.will_payload.data);
}

static void test_without_a_will_nothing_is_said_of_it(void **state)
{
    with_every_combination(*state, look_at_no_will);
}

static void look_at_user_name(struct script *s, struct sent_connect connect)
{
    struct mqtt_span user_name = s->config.connect.user_name;

    assert_int_equal(connect.flags >> 7, user_name.data != NULL);
    assert_true(same_span(connect.user_name, user_name));
}

static void test_the_user_name_is_there_if_its_flag_is(void **state)
{
    with_every_combination(*state, look_at_user_name);
}

static void look_at_password(struct script *s, struct sent_connect connect)
{
    struct mqtt_span password = s->config.connect.password;

    assert_int_equal(connect.flags >> 6 & 1, password.data != NULL);
    assert_true(same_span(connect.password, password));
}

static void test_the_password_is_there_if_its_flag_is(void **state)
{
    with_every_combination(*state, look_at_password);
}

static void test_a_password_needs_a_user_name(void **state)
{
    struct script *s = *state;

    s->config.connect.password = mqtt_text("pw");
    assert_int_equal(start_as(s), MQTT_ERR_USER_NAME);
    script_restart(s);
    s->config.connect.password = mqtt_text("");
    assert_int_equal(start_as(s), MQTT_ERR_USER_NAME);
}

static void test_a_will_has_no_qos_3(void **state)
{
    struct script *s = *state;
    static struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                       .payload = MQTT_TEXT("p")};

    s->config.connect.will = &will;
    for (int qos = 0; qos < 3; qos++) {
        will.qos = (enum mqtt_qos)qos;
        assert_int_equal(connect_of(s).flags >> 3 & 3, qos);
    }
    for (int qos = 3; qos < 9; qos++) {
        will.qos = (enum mqtt_qos)qos;
        script_restart(s);
        assert_int_equal(start_as(s), MQTT_ERR_WILL);
    }
}

/* ---- text ---------------------------------------------------------------- */

/* `field` is the text; init says `error`, or CONNECT carries the text. */
static void each_text(struct script *s, struct mqtt_span *field,
                      enum mqtt_error error)
{
    for (const struct text *text = texts; text->bytes.data; text++) {
        script_restart(s);
        *field = text->bytes;
        assert_int_equal(start_as(s), text->good ? MQTT_OK : error);
    }
}

static void test_the_client_identifier_is_utf8(void **state)
{
    struct script *s = *state;

    each_text(s, &s->config.connect.client_identifier,
              MQTT_ERR_CLIENT_IDENTIFIER);
}

static void test_the_topic_of_the_will_is_utf8(void **state)
{
    struct script *s = *state;
    static struct mqtt_message will = {.payload = MQTT_TEXT("p")};

    s->config.connect.will = &will;
    each_text(s, &will.topic_name, MQTT_ERR_WILL);
}

static void test_the_user_name_is_utf8(void **state)
{
    struct script *s = *state;

    each_text(s, &s->config.connect.user_name, MQTT_ERR_USER_NAME);
}

static void test_an_empty_identifier_needs_a_clean_session(void **state)
{
    struct script *s = *state;

    for (int i = 0; i < 2; i++) {
        s->config.connect.client_identifier = mqtt_text(i ? "" : NULL);
        s->config.connect.clean_start = false;
        assert_int_equal(start_as(s), MQTT_ERR_CLIENT_IDENTIFIER);
        s->config.connect.clean_start = true;
        assert_int_equal(connect_of(s).flags & 0x02, 0x02);
        script_restart(s);
    }
}

/* ---- what it announces, 5.0 ---------------------------------------------- */

/* PUBLISH of `size` bytes in all. */
static void server_publishes_size(struct script *s, size_t size)
{
    uint8_t bytes[400] = {0x30};
    size_t at = 1;

    assert_true(size <= sizeof(bytes) && size > 7);
    if (size <= 129) {
        bytes[at++] = (uint8_t)(size - 2);
    } else {
        bytes[at++] = (uint8_t)((size - 3) | 0x80);
        bytes[at++] = (uint8_t)((size - 3) >> 7);
    }
    bytes[at + 1] = 1; /* topic name length */
    bytes[at + 2] = 'a';
    server_sends_span(s, bytes, size);
}

static void expect_maximum_packet_size(struct script *s, uint32_t maximum)
{
    struct mqtt_property property = {0};

    assert_true(mqtt_property_find(connect_of(s).properties,
                                   MQTT_PROPERTY_MAXIMUM_PACKET_SIZE,
                                   &property));
    assert_int_equal(property.number, maximum);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    server_publishes_size(s, maximum);
    pull(s, MQTT_EVENT_MESSAGE);
    server_publishes_size(s, maximum + 1);
    expect_violation_told(s, MQTT_ERR_PACKET_TOO_LARGE, 0x95);
}

static void test_no_packet_is_larger_than_announced(void **state)
{
    struct script *s = *state;

    expect_maximum_packet_size(s, 256); /* of the input memory */
    s->config.connect.maximum_packet_size = 300;
    expect_maximum_packet_size(s, 256);
    s->config.connect.maximum_packet_size = 131; /* the least of two bytes */
    expect_maximum_packet_size(s, 131);
    s->config.connect.maximum_packet_size = 128;
    expect_maximum_packet_size(s, 128);
    s->config.connect.maximum_packet_size = 20;
    expect_maximum_packet_size(s, 20);
    s->config.large = &mqtt_large_parts;
    expect_maximum_packet_size(s, 20);
}

/* ... whatever packet it is. */
static void test_no_connack_and_no_suback_is_larger_than_announced(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    s->config.connect.maximum_packet_size = 12;
    connect_of(s);
    server_connack_with(s, 0, 0, 0x1F, 0x00, 0x05, 'a', 'b', 'c', 'd', 'e');
    expect_violation_told(s, MQTT_ERR_PACKET_TOO_LARGE, 0x95);
    connect_of(s);
    server_connack_with(s, 0, 0, 0x1F, 0x00, 0x04, 'a', 'b', 'c', 'd');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x82, 1);
    server_sends(s, 0x90,            /* SUBACK */
                 0x0B,               /* remaining length */
                 0x00, 0x01,         /* packet identifier */
                 0x07,               /* property length */
                 0x1F, 0x00, 0x04,   /* Reason String */
                 'a', 'b', 'c', 'd', /* */
                 0x00);              /* reason code */
    expect_violation_told(s, MQTT_ERR_PACKET_TOO_LARGE, 0x95);
}

static void test_no_topic_alias_is_above_the_maximum_announced(void **state)
{
    struct script *s = *state;

    s->memory.alias_names_size = 64;
    s->memory.alias_name_count = 3;
    connected(s);
    server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0x00, 0x03);
    expect_message(s, "a", "x");
    server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0x00, 0x04);
    expect_violation_told(s, MQTT_ERR_TOPIC_ALIAS, 0x94);
    discard_sent(s);
    reconnected(s, true);
    server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0xFF, 0xFF);
    expect_violation_told(s, MQTT_ERR_TOPIC_ALIAS, 0x94);
}

static void test_there_is_no_topic_alias_when_none_was_announced(void **state)
{
    struct script *s = *state;
    struct mqtt_property property = {0};

    for (int i = 0; i < 2; i++) {
        assert_false(mqtt_property_find(connect_of(s).properties,
                                        MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM,
                                        &property));
        server_connack(s, 0, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        server_publishes_with(s, 0x30, "a", 0, "x", 0x23, 0x00, 0x01);
        expect_violation_told(s, MQTT_ERR_TOPIC_ALIAS, 0x94);
        s->memory.alias_names_size = 64;
        s->memory.alias_name_count = 3;
        s->config.no_topic_aliases = true;
    }
}

static void ask(struct script *s, const uint8_t *properties, size_t size)
{
    s->config.connect.properties = (struct mqtt_span){properties, size};
}

static void test_response_information_comes_only_when_asked_for(void **state)
{
    static const uint8_t no[] = {0x19, 0x00}, yes[] = {0x19, 0x01};
    struct script *s = *state;
    struct mqtt_property property = {0};

    for (int i = 0; i < 2; i++) {
        connect_of(s);
        server_connack_with(s, 0, 0, 0x1A, 0x00, 0x01, 'r');
        expect_violation_told(s, MQTT_ERR_PROPERTY_VALUE, 0x82);
        ask(s, no, sizeof(no));
    }
    ask(s, yes, sizeof(yes));
    connect_of(s);
    server_connack_with(s, 0, 0, 0x1A, 0x00, 0x01, 'r');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_true(mqtt_property_find(
        s->event.properties, MQTT_PROPERTY_RESPONSE_INFORMATION, &property));
    assert_true(span_is(property.text, "r"));
}

/* ---- problems, 5.0 ------------------------------------------------------- */

static struct mqtt_subscription node;

static void with_publish(struct script *s)
{
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
}

static void with_publish_qos_2(struct script *s)
{
    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_2);
}

static void with_pubrel(struct script *s)
{
    with_publish_qos_2(s);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    expect_packet(s, 0x62, 1);
}

static void with_message_qos_2(struct script *s)
{
    connected(s);
    server_publishes(s, 0x34, "a", 1, "x");
    pull(s, MQTT_EVENT_MESSAGE);
    expect_no_event(s);
    expect_packet(s, 0x50, 1);
}

static void with_subscribe(struct script *s)
{
    connected(s);
    node = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("a")};
    assert_int_equal(mqtt_subscribe(&s->client, &node), MQTT_OK);
    expect_packet(s, 0x82, 1);
}

static void with_unsubscribe(struct script *s)
{
    with_subscribe(s);
    server_suback(s, 1, 0);
    pull(s, MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(mqtt_unsubscribe(&s->client, &node), MQTT_OK);
    expect_packet(s, 0xA2, 2);
}

static void with_connect(struct script *s)
{
    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
}

struct piece {
    uint8_t size, bytes[8];
};

/* Packets that may tell of a problem. */
static const struct {
    void (*prepare)(struct script *s);
    uint8_t first_byte;
    struct piece head, properties, tail;
    enum mqtt_event_type event; /* that comes of it; 0: none */
} telling[] = {
    {with_publish, 0x40, {3, {0, 1, 0}}, {0}, {0}, MQTT_EVENT_PUBLISHED},
    {with_publish_qos_2, 0x50, {3, {0, 1, 0}}, {0}, {0}, 0},
    {with_message_qos_2, 0x62, {3, {0, 1, 0}}, {0}, {0}, 0},
    {with_pubrel, 0x70, {3, {0, 1, 0}}, {0}, {0}, MQTT_EVENT_PUBLISHED},
    {with_subscribe, 0x90, {2, {0, 1}}, {0}, {1, {0}}, MQTT_EVENT_SUBSCRIBED},
    {with_unsubscribe,
     0xB0,
     {2, {0, 2}},
     {0},
     {1, {0}},
     MQTT_EVENT_UNSUBSCRIBED},
    {with_connect,
     0xF0,
     {1, {0x18}},
     {4, {0x15, 0, 1, 'm'}}, /* Authentication Method */
     {0},
     MQTT_EVENT_AUTHENTICATION},
};
#define TELLING (sizeof(telling) / sizeof(telling[0]))

static const struct piece problems[] = {
    {4, {0x1F, 0, 1, 'r'}},            /* Reason String */
    {7, {0x26, 0, 1, 'k', 0, 1, 'v'}}, /* User Property */
};

static void server_tells(struct script *s, size_t i,
                         const struct piece *problem)
{
    const struct piece *head = &telling[i].head;
    const struct piece *properties = &telling[i].properties;
    const struct piece *tail = &telling[i].tail;
    uint8_t length = (uint8_t)(properties->size + problem->size);

    server_sends(s, telling[i].first_byte,
                 (uint8_t)(head->size + 1 + length + tail->size));
    server_sends_span(s, head->bytes, head->size);
    server_sends(s, length);
    server_sends_span(s, properties->bytes, properties->size);
    server_sends_span(s, problem->bytes, problem->size);
    server_sends_span(s, tail->bytes, tail->size);
}

static const uint8_t no_problems[] = {0x15, 0, 1, 'm', 0x17, 0x00};
static const uint8_t all_problems[] = {0x15, 0, 1, 'm', 0x17, 0x01};

/* with_connect() does without the good CONNACK that must name a method. */
static void problem_information(struct script *s, size_t i, bool wanted)
{
    const uint8_t *properties = wanted ? all_problems : no_problems;
    size_t method = telling[i].first_byte == 0xF0 ? 0 : 4;

    ask(s, properties + method, sizeof(no_problems) - method);
}

static void test_who_wants_no_problem_information_gets_none(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < TELLING * 2; i++) {
        problem_information(s, i / 2, false);
        telling[i / 2].prepare(s);
        server_tells(s, i / 2, &problems[i % 2]);
        expect_violation_told(s, MQTT_ERR_PROPERTY_VALUE, 0x82);
        script_restart(s);
    }
}

static void test_problem_information_comes_when_wanted(void **state)
{
    struct script *s = *state;

    for (size_t i = 0; i < TELLING * 2; i++) {
        problem_information(s, i / 2, true);
        telling[i / 2].prepare(s);
        server_tells(s, i / 2, &problems[i % 2]);
        if (telling[i / 2].event)
            pull(s, telling[i / 2].event);
        expect_no_event(s);
        expect_wants(s, MQTT_WANT_NOTHING);
        assert_false(s->seen_disconnect);
        script_restart(s);
    }
}

/* CONNACK, PUBLISH and DISCONNECT may tell of a problem all the same. */
static void test_some_packets_always_may_tell_of_a_problem(void **state)
{
    struct script *s = *state;

    ask(s, no_problems + 4, 2);
    connect_of(s);
    server_connack_with(s, 0, 0, 0x1F, 0, 1, 'r', 0x26, 0, 1, 'k', 0, 1, 'v');
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(s->event.properties.size, 11);
    server_publishes_with(s, 0x30, "a", 0, "x", 0x26, 0, 1, 'k', 0, 1, 'v');
    expect_message(s, "a", "x");
    assert_int_equal(s->event.message.properties.size, 7);
    server_sends(s, 0xE0,                     /* DISCONNECT */
                 0x0D,                        /* remaining length */
                 0x8B,                        /* reason code */
                 0x0B,                        /* property length */
                 0x1F, 0, 1, 'r',             /* Reason String */
                 0x26, 0, 1, 'k', 0, 1, 'v'); /* User Property */
    pull(s, MQTT_EVENT_SERVER_DISCONNECT);
    assert_int_equal(s->event.properties.size, 11);
}

/* ---- what is kept -------------------------------------------------------- */

/* A session that outlives its connection is kept, however long it takes. */
static void test_a_session_that_does_not_expire_at_once_is_kept(void **state)
{
    static const uint32_t expiries[] = {1, 60, 0, MQTT_SESSION_EXPIRY_NEVER};
    struct script *s = *state;

    for (int i = 0; i < 4 * 2; i++) {
        s->config.connect.session_expiry_s = expiries[i / 2];
        /* Only then 0 says that it never ends. */
        s->config.connect.clean_start = i % 2 && expiries[i / 2];
        connected(s);
        publish_sent(s, "a", "1", MQTT_QOS_1);
        publish_sent(s, "a", "2", MQTT_QOS_2);
        server_answers(s, 0x50, 2);
        server_publishes(s, 0x34, "a", 7, "once");
        pull(s, MQTT_EVENT_MESSAGE);
        expect_no_event(s);
        cut(s);
        expect_no_event(s);
        elapse(s, 500);
        reopened(s);
        assert_int_equal(take_connect(s).flags & 0x02, 0);
        server_connack(s, 1, 0);
        pull(s, MQTT_EVENT_CONNECTED);
        expect_packet(s, 0x62, 2);
        expect_packet(s, 0x3A, 1);
        server_publishes(s, 0x3C, "a", 7, "once");
        expect_no_event(s);
        expect_packet(s, 0x50, 7);
        script_restart(s);
    }
}

/* With an Authentication Method as without one. What the server would have to
 * ignore if it refused is not sent before it has decided. */
static void test_nothing_but_auth_leaves_before_connack(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    static const uint8_t method[] = {0x15, 0, 1, 'm'};

    ask(s, method, sizeof(method));
    s->config.keep_qos0 = true;
    s->config.connect.keep_alive_s = 1;
    start(s);
    publish(s, "a", "0", MQTT_QOS_0);
    publish(s, "a", "1", MQTT_QOS_1);
    connects(s);
    publish(s, "a", "2", MQTT_QOS_2);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_packet(s, 0x10, 0);
    expect_nothing_sent(s);
    for (int i = 0; i < 3; i++) {
        server_sends(s, 0xF0, 0x06, 0x18, 0x04, 0x15, 0, 1, 'm');
        pull(s, MQTT_EVENT_AUTHENTICATION);
        elapse(s, 2000);
        publish(s, "a", "3", MQTT_QOS_1);
        expect_nothing_sent(s);
        assert_int_equal(
            mqtt_authenticate(&s->client, mqtt_text(NULL), mqtt_text(NULL)),
            MQTT_OK);
        expect_packet(s, 0xF0, 0);
        expect_nothing_sent(s);
    }
    server_connack_with(s, 0, 0, 0x15, 0, 1, 'm');
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x82, 0);
    expect_packet(s, 0x30, 0);
    expect_packet(s, 0x32, 1);
}

static void test_what_was_published_before_a_refusal_is_unsent(void **state)
{
    struct script *s = *state;

    s->config.keep_qos0 = true;
    start(s);
    connects(s);
    publish(s, "a", "0", MQTT_QOS_0);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    expect_packet(s, 0x10, 0);
    expect_nothing_sent(s);
    server_connack(s, 0, 0x87);
    pull(s, MQTT_EVENT_REFUSED);
    expect_no_event(s);
    expect_nothing_sent(s);
    driver_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    reconnected(s, false);
    expect_packet(s, 0x30, 0);
    assert_true(span_is(s->packet.payload, "0"));
    expect_packet(s, 0x32, 1);
    assert_true(span_is(s->packet.payload, "1"));
    expect_packet(s, 0x34, 2);
    assert_true(span_is(s->packet.payload, "2"));
    expect_no_event(s);
}

static const struct conformance_test tests[] = {
    proves(test_connect_is_the_first_packet, "3.1.1 MQTT-3.1.0-1",
           "5.0 MQTT-3.1.0-1"),
    proves(test_connect_is_sent_once_on_a_connection, "3.1.1 MQTT-3.1.0-2",
           "5.0 MQTT-3.1.0-2"),
    proves(test_connect_3_1_1_byte_for_byte, "3.1.1 MQTT-3.1.2-1",
           "3.1.1 MQTT-3.1.3-1", "3.1.1 MQTT-3.1.3-3"),
    proves(test_connect_5_0_byte_for_byte, "5.0 MQTT-3.1.2-1",
           "5.0 MQTT-3.1.2-9", "5.0 MQTT-3.1.3-1", "5.0 MQTT-3.1.3-3"),
    proves(test_without_properties_there_is_a_length_of_0, "5.0 MQTT-2.2.2-1"),
    proves(test_the_protocol_is_named_mqtt, "3.1.1 MQTT-3.1.2-1",
           "5.0 MQTT-3.1.2-1"),
    proves_once(test_the_client_identifier_is_the_first_field,
                "3.1.1 MQTT-3.1.3-3", "5.0 MQTT-3.1.3-3"),
    proves_once(test_the_reserved_flag_of_connect_is_0, "3.1.1 MQTT-3.1.2-3",
                "5.0 MQTT-3.1.2-3"),
    proves_once(test_a_will_is_there_with_topic_and_payload,
                "3.1.1 MQTT-3.1.2-9", "5.0 MQTT-3.1.2-9"),
    proves_once(test_without_a_will_nothing_is_said_of_it,
                "3.1.1 MQTT-3.1.2-11", "3.1.1 MQTT-3.1.2-13",
                "3.1.1 MQTT-3.1.2-15", "5.0 MQTT-3.1.2-11",
                "5.0 MQTT-3.1.2-13"),
    proves_once(test_the_user_name_is_there_if_its_flag_is,
                "3.1.1 MQTT-3.1.2-18", "3.1.1 MQTT-3.1.2-19",
                "5.0 MQTT-3.1.2-16", "5.0 MQTT-3.1.2-17"),
    proves_once(test_the_password_is_there_if_its_flag_is,
                "3.1.1 MQTT-3.1.2-20", "3.1.1 MQTT-3.1.2-21",
                "5.0 MQTT-3.1.2-18", "5.0 MQTT-3.1.2-19"),
    proves_once(test_a_password_needs_a_user_name, "3.1.1 MQTT-3.1.2-22"),
    proves_once(test_a_will_has_no_qos_3, "3.1.1 MQTT-3.1.2-14",
                "5.0 MQTT-3.1.2-12"),
    proves_once(test_the_client_identifier_is_utf8, "3.1.1 MQTT-3.1.3-4",
                "5.0 MQTT-3.1.3-4"),
    proves_once(test_the_topic_of_the_will_is_utf8, "3.1.1 MQTT-3.1.3-10",
                "5.0 MQTT-3.1.3-11"),
    proves_once(test_the_user_name_is_utf8, "3.1.1 MQTT-3.1.3-11",
                "5.0 MQTT-3.1.3-12"),
    proves_once(test_an_empty_identifier_needs_a_clean_session,
                "3.1.1 MQTT-3.1.3-7"),
    proves(test_no_packet_is_larger_than_announced, "5.0 MQTT-3.1.2-24"),
    proves(test_no_connack_and_no_suback_is_larger_than_announced,
           "5.0 MQTT-3.1.2-24"),
    proves(test_no_topic_alias_is_above_the_maximum_announced,
           "5.0 MQTT-3.1.2-26"),
    proves(test_there_is_no_topic_alias_when_none_was_announced,
           "5.0 MQTT-3.1.2-27"),
    proves(test_response_information_comes_only_when_asked_for,
           "5.0 MQTT-3.1.2-28"),
    proves(test_who_wants_no_problem_information_gets_none,
           "5.0 MQTT-3.1.2-29"),
    also_in(test_problem_information_comes_when_wanted, "5.0"),
    also_in(test_some_packets_always_may_tell_of_a_problem, "5.0"),
    proves(test_a_session_that_does_not_expire_at_once_is_kept,
           "5.0 MQTT-3.1.2-23"),
    proves(test_nothing_but_auth_leaves_before_connack, "5.0 MQTT-3.1.2-30"),
    proves(test_what_was_published_before_a_refusal_is_unsent,
           "5.0 MQTT-3.1.4-6"),
};

int main(int argc, char **argv)
{
    return conformance_run(argc, argv, "connect", tests);
}
