/*
 * connect.c - CONNECT and CONNACK [3.1.1, sections 3.1 and 3.2].
 */
#include "script.h"

/* ---- the bytes of CONNECT ------------------------------------------------ */

static void test_connect_is_all_that_leaves_first(void **state)
{
    struct script *s = *state;

    start(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_no_deadline(s);
    wishes_to_connect(s);
    expect_nothing_sent(s);
    server_accepts(s);
    expect_bytes(s, 0x10,                  /* CONNECT */
                 0x0D,                     /* remaining length */
                 0x00, 0x04,               /* protocol name length */
                 'M', 'Q', 'T', 'T', 0x04, /* protocol level */
                 0x00,                     /* connect flags */
                 0x00, 0x3C,               /* keep alive: 60 s */
                 0x00, 0x01, 'c');         /* client identifier */
    expect_no_event(s);
}

static void test_connect_carries_every_field_in_order(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w/t"),
                                      .payload = MQTT_TEXT("gone"),
                                      .qos = MQTT_QOS_2,
                                      .retain = true};

    s->config.connect.client_identifier = mqtt_text("gate");
    s->config.connect.user_name = mqtt_text("user");
    s->config.connect.password = mqtt_text("pw");
    s->config.connect.will = &will;
    s->config.connect.keep_alive_s = 0x1234;
    s->config.connect.clean_start = true;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x25,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x04,                           /* protocol level */
                 0xF6,                           /* connect flags */
                 0x12, 0x34,                     /* keep alive */
                 0x00, 0x04, 'g', 'a', 't', 'e', /* client identifier */
                 0x00, 0x03, 'w', '/', 't',      /* will topic */
                 0x00, 0x04, 'g', 'o', 'n', 'e', /* will message */
                 0x00, 0x04, 'u', 's', 'e', 'r', /* user name */
                 0x00, 0x02, 'p', 'w');          /* password */
}

static void test_fields_that_are_empty_are_still_there(void **state)
{
    struct script *s = *state;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                      .payload = MQTT_TEXT("")};

    s->config.connect.client_identifier = mqtt_text(NULL);
    s->config.connect.user_name = mqtt_text("");
    s->config.connect.password = mqtt_text("");
    s->config.connect.will = &will;
    s->config.connect.clean_start = true;
    start(s);
    connects(s);
    expect_bytes(s, 0x10,                        /* CONNECT */
                 0x15,                           /* remaining length */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x04,                           /* protocol level */
                 0xC6,                           /* connect flags */
                 0x00, 0x3C,                     /* keep alive */
                 0x00, 0x00,                     /* client identifier */
                 0x00, 0x01, 'w',                /* will topic */
                 0x00, 0x00,                     /* will message */
                 0x00, 0x00,                     /* user name */
                 0x00, 0x00);                    /* password */
}

struct expected {
    uint8_t bytes[128];
    size_t size;
};

static void add(struct expected *e, const void *bytes, size_t size)
{
    memcpy(e->bytes + e->size, bytes, size);
    e->size += size;
}

static void add_text(struct expected *e, const char *text)
{
    const uint8_t length[] = {0x00, (uint8_t)strlen(text)};

    add(e, length, 2);
    add(e, text, strlen(text));
}

static uint8_t flags_of(const struct mqtt_connect_options *options)
{
    unsigned flags = 0;

    if (options->user_name.data)
        flags |= 0x80;
    if (options->password.data)
        flags |= 0x40;
    if (options->will)
        flags |= 0x04 | (unsigned)options->will->qos << 3;
    if (options->will && options->will->retain)
        flags |= 0x20;
    if (options->clean_start)
        flags |= 0x02;
    return (uint8_t)flags;
}

static void expect_connect(struct script *s, const char *identifier,
                           const char *will, const char *user_name,
                           const char *password)
{
    const uint8_t variable_header[] = {
        0x10, 0x00, 0x00, 0x04, 'M',
        'Q',  'T',  'T',  0x04, flags_of(&s->config.connect),
        0x00, 0x3C};
    struct expected e = {{0}, 0};

    add(&e, variable_header, sizeof(variable_header));
    add_text(&e, identifier);
    if (will) {
        add_text(&e, "will/topic");
        add_text(&e, will);
    }
    if (user_name)
        add_text(&e, user_name);
    if (password)
        add_text(&e, password);
    e.bytes[1] = (uint8_t)(e.size - 2);
    expect_span(s, e.bytes, e.size);
}

/* One of 0, 1, 2: absent, empty, some text. */
static const char *choice(unsigned n, const char *text)
{
    return n == 0 ? NULL : n == 1 ? "" : text;
}

static void connect_with(struct script *s, unsigned n)
{
    const char *user_name = choice(n % 3, "u");
    const char *password = choice(n / 3 % 3, "pw");
    const char *will_payload = choice(n / 9 % 3, "bye");
    const char *identifier = n / 27 % 2 ? "" : "id";
    struct mqtt_message will = {.topic_name = MQTT_TEXT("will/topic"),
                                .payload = mqtt_text(will_payload),
                                .qos = n / 54 % 3,
                                .retain = n / 162 % 2};

    s->config.connect.client_identifier = mqtt_text(identifier);
    s->config.connect.user_name = mqtt_text(user_name);
    s->config.connect.password = mqtt_text(password);
    s->config.connect.will = will_payload ? &will : NULL;
    s->config.connect.clean_start = n / 324 % 2;
    if (!*identifier && !s->config.connect.clean_start) {
        assert_int_equal(start_as(s), MQTT_ERR_CLIENT_IDENTIFIER);
    } else if (password && !user_name) {
        assert_int_equal(start_as(s), MQTT_ERR_USER_NAME);
    } else {
        start(s);
        connects(s);
        expect_connect(s, identifier, will_payload, user_name, password);
    }
    script_restart(s);
}

static void test_every_combination_of_fields(void **state)
{
    for (unsigned n = 0; n < 648; n++)
        connect_with(*state, n);
}

static void keep_alive_on_the_wire(struct script *s, uint32_t seconds,
                                   uint8_t high, uint8_t low)
{
    s->config.connect.keep_alive_s = seconds;
    start(s);
    connects(s);
    expect_bytes(s, 0x10, 0x0D, 0x00, 0x04, 'M', 'Q', 'T', 'T', 0x04, 0x00,
                 high, low, 0x00, 0x01, 'c');
    script_restart(s);
}

static void test_keep_alive_on_the_wire(void **state)
{
    struct script *s = *state;

    keep_alive_on_the_wire(s, 0, 0x00, 0x3C);
    keep_alive_on_the_wire(s, 1, 0x00, 0x01);
    keep_alive_on_the_wire(s, 65535, 0xFF, 0xFF);
    keep_alive_on_the_wire(s, MQTT_KEEP_ALIVE_OFF, 0x00, 0x00);
    s->config.connect.keep_alive_s = 65536;
    assert_int_equal(start_as(s), MQTT_ERR_ARGUMENT);
}

/* ---- what init refuses --------------------------------------------------- */

static void expect_refused(struct script *s, enum mqtt_error error)
{
    assert_int_equal(start_as(s), error);
    script_restart(s);
}

static void trace_nothing(void *context, const struct mqtt_trace *trace)
{
    (void)context;
    (void)trace;
}

static void test_init_refuses_what_is_missing(void **state)
{
    struct script *s = *state;
    const struct mqtt_config good = s->config;

    s->config.protocol = NULL;
    expect_refused(s, MQTT_ERR_ARGUMENT);
    s->config = good;
    s->config.random = NULL;
    expect_refused(s, MQTT_ERR_ARGUMENT);
    s->config = good;
    s->config.trace = trace_nothing; /* and no trace_seam */
    expect_refused(s, MQTT_ERR_ARGUMENT);
    s->config = good;
    s->config.server_count = 0;
    expect_refused(s, MQTT_ERR_SERVER);
    s->config = good;
    s->config.servers = NULL;
    expect_refused(s, MQTT_ERR_SERVER);
    s->config = good;
    s->server.address = NULL;
    expect_refused(s, MQTT_ERR_SERVER);
}

static void test_init_refuses_another_size_of_the_struct(void **state)
{
    struct script *s = *state;
    size_t size = sizeof(s->client);

    start(s);
    assert_int_equal(
        mqtt_client_init(&s->client, size - 1, &s->config, &s->memory),
        MQTT_ERR_VERSION);
    assert_int_equal(
        mqtt_client_init(&s->client, size + 1, &s->config, &s->memory),
        MQTT_ERR_VERSION);
    assert_int_equal(mqtt_client_init(&s->client, 0, &s->config, &s->memory),
                     MQTT_ERR_VERSION);
}

static void test_init_refuses_null(void **state)
{
    struct script *s = *state;
    size_t size = sizeof(s->client);

    assert_int_equal(mqtt_client_init(NULL, size, &s->config, &s->memory),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_client_init(&s->client, size, NULL, &s->memory),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_client_init(&s->client, size, &s->config, NULL),
                     MQTT_ERR_ARGUMENT);
}

static void test_init_refuses_text_that_is_no_utf8(void **state)
{
    struct script *s = *state;
    const struct mqtt_config good = s->config;
    const struct mqtt_message will = {.topic_name = MQTT_TEXT("\xC0\x80"),
                                      .payload = MQTT_TEXT("x")};

    s->config.connect.client_identifier = mqtt_text("\xED\xA0\x80");
    expect_refused(s, MQTT_ERR_CLIENT_IDENTIFIER);
    s->config = good;
    s->config.connect.client_identifier = (struct mqtt_span)MQTT_TEXT("a\0b");
    expect_refused(s, MQTT_ERR_CLIENT_IDENTIFIER);
    s->config = good;
    s->config.connect.user_name = mqtt_text("\xFF");
    expect_refused(s, MQTT_ERR_USER_NAME);
    s->config = good;
    s->config.connect.will = &will;
    expect_refused(s, MQTT_ERR_WILL);
}

static void refuse_will(struct script *s, const char *topic, size_t payload,
                        enum mqtt_qos qos)
{
    static const uint8_t bytes[65536];
    const struct mqtt_message will = {.topic_name = mqtt_text(topic),
                                      .payload = {bytes, payload},
                                      .qos = qos};

    s->config.connect.will = &will;
    expect_refused(s, MQTT_ERR_WILL);
}

static void test_init_refuses_a_will_that_fits_nowhere(void **state)
{
    struct script *s = *state;

    refuse_will(s, "a", 1, (enum mqtt_qos)3);
    refuse_will(s, "", 1, MQTT_QOS_0);
    refuse_will(s, "a/+", 1, MQTT_QOS_0);
    refuse_will(s, "#", 1, MQTT_QOS_0);
    s->memory.control_size = 100000;
    refuse_will(s, "a", 65536, MQTT_QOS_0);
}

static void test_init_refuses_text_of_65536_bytes(void **state)
{
    static char text[65536];
    struct script *s = *state;
    const struct mqtt_config good = s->config;
    struct mqtt_span span = {text, sizeof(text)};

    memset(text, 'a', sizeof(text));
    s->memory.control_size = 200000;
    s->config.connect.client_identifier = span;
    expect_refused(s, MQTT_ERR_CLIENT_IDENTIFIER);
    s->config = good;
    s->config.connect.user_name = span;
    expect_refused(s, MQTT_ERR_USER_NAME);
    s->config.connect.user_name = mqtt_text("u");
    s->config.connect.password = span;
    expect_refused(s, MQTT_ERR_PASSWORD);
}

static void test_fields_of_65535_bytes_are_sent(void **state)
{
    static char text[65535];
    static const uint8_t begin[] = {
        0x10,                                  /* CONNECT */
        0x8D, 0x80, 0x0C,                      /* remaining length: 196,621 */
        0x00, 0x04, 'M',  'Q', 'T', 'T', 0x04, /* protocol level */
        0xC0,                                  /* user name, password */
        0x00, 0x3C,                            /* keep alive */
        0xFF, 0xFF, /* length of the client identifier */
    };
    struct script *s = *state;
    struct mqtt_span span = {text, sizeof(text)};

    memset(text, 'a', sizeof(text));
    s->memory.control_size = 4 + 196621;
    s->config.connect.client_identifier = span;
    s->config.connect.user_name = span;
    s->config.connect.password = span;
    start(s);
    connects(s);
    if (s->wire == &wire_bytes)
        return; /* 196,625 single bytes prove no more */
    script_drain(s);
    assert_int_equal(s->to_server.size, 4 + 196621);
    assert_memory_equal(s->to_server.bytes, begin, sizeof(begin));
}

/* ---- CONNACK ------------------------------------------------------------- */

static void test_a_good_connack_connects(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    discard_sent(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_CONNACK);
    server_sends(s, 0x20, /* CONNACK */
                 0x02,    /* remaining length */
                 0x00,    /* session present: 0 */
                 0x00);   /* accepted */
    pull(s, MQTT_EVENT_CONNECTED);
    assert_false(s->event.session_present);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
    expect_nothing_sent(s);
    expect_no_event(s);
}

static void test_session_present_is_told(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_sends(s, 0x20, 0x02, 0x01, 0x00);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_true(s->event.session_present);
}

static void refused_with(struct script *s, uint8_t code, mqtt_time wait_ms)
{
    s->random_bits = UINT32_MAX / 2;
    start(s);
    connects(s);
    server_connack(s, 0, code);
    expect_fatal(s, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, code);
    if (wait_ms == MQTT_NEVER) {
        assert_true(s->retry_at == MQTT_NEVER);
        assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
        expect_no_deadline(s);
    } else {
        assert_in_range(s->retry_at - s->now, wait_ms - 2, wait_ms);
        assert_int_equal(mqtt_client_state(&s->client),
                         MQTT_CLIENT_AWAIT_RETRY);
        expect_deadline(s, s->retry_at - s->now);
    }
    script_restart(s);
}

/* The default pace: codes 2, 4 and 5 slow, 1 not at all. */
static void test_a_refusal_is_told_and_paced(void **state)
{
    struct script *s = *state;

    refused_with(s, 1, MQTT_NEVER);
    refused_with(s, 2, 30000);
    refused_with(s, 3, 500);
    refused_with(s, 4, 30000);
    refused_with(s, 5, 30000);
}

static void test_return_codes_that_do_not_exist_are_fatal(void **state)
{
    struct script *s = *state;

    for (unsigned code = 6; code < 256; code++) {
        start(s);
        connects(s);
        server_connack(s, 0, (uint8_t)code);
        expect_fatal(s, MQTT_ERR_CONNACK_CODE);
        script_restart(s);
    }
}

static void test_reserved_bits_of_connack_are_fatal(void **state)
{
    struct script *s = *state;

    for (unsigned flags = 2; flags < 256; flags++) {
        start(s);
        connects(s);
        server_connack(s, (uint8_t)flags, 0);
        expect_fatal(s, MQTT_ERR_CONNACK_FLAGS);
        script_restart(s);
    }
}

/* [3.1.1 MQTT-3.2.2-4]; it says nothing of the session that is held. */
static void test_a_refusal_with_session_present_is_fatal(void **state)
{
    struct script *s = *state;

    for (uint8_t code = 1; code <= 5; code++) {
        start(s);
        connects(s);
        server_connack(s, 1, code);
        expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
        assert_int_equal(s->event.reason_code, code);
        reopened(s);
        assert_int_equal(expect_packet(s, 0x10, 0)->bytes[9], 0x00);
        script_restart(s);
    }
}

/* [3.1.1 MQTT-3.2.2-1] */
static void test_a_clean_start_cannot_find_a_session(void **state)
{
    struct script *s = *state;

    s->config.connect.clean_start = true;
    start(s);
    connects(s);
    server_connack(s, 1, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
}

static void test_a_second_connack_is_fatal(void **state)
{
    struct script *s = *state;

    connected(s);
    server_connack(s, 0, 0);
    expect_fatal(s, MQTT_ERR_PACKET_ORDER);
}

static void before_connack(struct script *s, const uint8_t *bytes, size_t size)
{
    start(s);
    connects(s);
    discard_sent(s);
    server_sends_span(s, bytes, size);
    expect_fatal(s, MQTT_ERR_PACKET_ORDER);
    expect_nothing_sent(s);
    script_restart(s);
}

static void test_nothing_may_come_before_connack(void **state)
{
    static const uint8_t publish_0[] = {0x30, 0x03, 0x00, 0x01, 'a'};
    static const uint8_t publish_1[] = {0x32, 0x05, 0x00, 0x01,
                                        'a',  0x00, 0x01};
    static const uint8_t two_bytes[][4] = {
        {0x40, 0x02, 0x00, 0x01}, /* PUBACK */
        {0x50, 0x02, 0x00, 0x01}, /* PUBREC */
        {0x62, 0x02, 0x00, 0x01}, /* PUBREL */
        {0x70, 0x02, 0x00, 0x01}, /* PUBCOMP */
        {0xB0, 0x02, 0x00, 0x01}, /* UNSUBACK */
    };
    static const uint8_t suback[] = {0x90, 0x03, 0x00, 0x01, 0x00};
    static const uint8_t pingresp[] = {0xD0, 0x00};
    struct script *s = *state;

    before_connack(s, publish_0, sizeof(publish_0));
    before_connack(s, publish_1, sizeof(publish_1));
    for (size_t i = 0; i < 5; i++)
        before_connack(s, two_bytes[i], 4);
    before_connack(s, suback, sizeof(suback));
    before_connack(s, pingresp, sizeof(pingresp));
}

static void test_only_connect_leaves_before_connack(void **state)
{
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};
    struct script *s = *state;

    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    publish(s, "a", "1", MQTT_QOS_1);
    publish(s, "a", "2", MQTT_QOS_2);
    assert_int_equal(try_publish(s, "a", "0", MQTT_QOS_0), MQTT_ERR_OFFLINE);
    assert_int_equal(mqtt_subscribe(&s->client, &a), MQTT_OK);
    expect_nothing_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_non_null(next_packet(s));
    assert_non_null(next_packet(s));
    assert_non_null(next_packet(s));
    assert_null(next_packet(s));
}

/* ---- time ---------------------------------------------------------------- */

static void test_no_network_connection_in_time(void **state)
{
    struct script *s = *state;

    start(s);
    wishes_to_connect(s);
    expect_wants(s, MQTT_WANT_OPEN);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_OPEN);
    assert_string_equal(mqtt_client_server(&s->client)->address, "server.test");
    expect_deadline(s, 30000);
    elapse(s, 29999);
    expect_wants(s, MQTT_WANT_OPEN);
    elapse(s, 1);
    expect_fatal(s, MQTT_ERR_OPEN_TIMEOUT);
}

static void test_no_connack_in_time(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    expect_deadline(s, 10000);
    discard_sent(s);
    expect_deadline(s, 10000);
    elapse(s, 9999);
    expect_wants(s, MQTT_WANT_NOTHING);
    elapse(s, 1);
    expect_fatal(s, MQTT_ERR_CONNACK_TIMEOUT);
}

static void test_half_a_connack_does_not_buy_time(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_sends(s, 0x20, 0x02, 0x00);
    expect_no_event(s);
    expect_deadline(s, 10000);
    elapse(s, 10000);
    expect_fatal(s, MQTT_ERR_CONNACK_TIMEOUT);
}

static void test_timeouts_are_configured(void **state)
{
    struct script *s = *state;

    s->config.open_timeout_ms = 7;
    s->config.connack_timeout_ms = 5;
    start(s);
    wishes_to_connect(s);
    expect_deadline(s, 7);
    elapse(s, 6);
    server_accepts(s);
    expect_deadline(s, 5);
}

/* ---- the network fails --------------------------------------------------- */

static void closed_with(struct script *s, enum mqtt_error why)
{
    start(s);
    wishes_to_connect(s);
    mqtt_client_closed(&s->client, why, "no such host");
    expect_wants(s, MQTT_WANT_NOTHING);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, why);
    assert_string_equal(s->event.detail, "no such host");
    assert_true(s->event.retry_at != MQTT_NEVER);
    script_restart(s);
}

static void test_a_connection_that_fails_is_an_event(void **state)
{
    closed_with(*state, MQTT_ERR_NETWORK);
    closed_with(*state, MQTT_ERR_NAME);
    closed_with(*state, MQTT_ERR_CLOSED);
}

static void test_the_server_closes_instead_of_answering(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CLOSED);
    expect_wants(s, MQTT_WANT_NOTHING);
}

static void test_a_refusal_counts_though_the_server_closed(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_connack(s, 0, 5);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, 5);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_no_event(s);
}

static void test_a_refusal_is_not_told_of_the_next_connection(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    expect_packet(s, 0x10, 0);
    server_connack(s, 0, 3);
    expect_fatal(s, MQTT_ERR_REFUSED);
    assert_int_equal(s->event.reason_code, 3);
    reopened(s);
    expect_packet(s, 0x10, 0);
    server_sends(s, 0x00, 0x00); /* no packet has this type */
    expect_fatal(s, MQTT_ERR_PACKET_TYPE);
    assert_int_equal(s->event.reason_code, 0);
}

static void test_a_fault_counts_though_the_server_closed(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_connack(s, 0, 77);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_CONNACK_CODE);
    script_restart(s);
    connected(s);
    server_sends(s, 0xF0, 0x00);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_PACKET_TYPE);
    expect_no_event(s);
}

static void test_connect_twice_is_refused(void **state)
{
    struct script *s = *state;

    start(s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    elapse(s, 0);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    server_accepts(s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    discard_sent(s);
    server_connack(s, 0, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_connect(&s->client), MQTT_ERR_STATE);
    expect_nothing_sent(s);
}

static void test_opened_and_closed_unasked_have_no_effect(void **state)
{
    struct script *s = *state;

    start(s);
    mqtt_client_opened(&s->client);
    expect_nothing_sent(s);
    mqtt_client_closed(&s->client, MQTT_ERR_CLOSED, NULL);
    expect_no_event(s);
    connected(s);
    mqtt_client_opened(&s->client);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
}

static void test_no_bytes_move_without_a_connection(void **state)
{
    struct script *s = *state;
    size_t size = 1;
    uint8_t lent[16];

    start(s);
    assert_null(mqtt_client_input_buf(&s->client, NULL, 0, &size));
    assert_int_equal(size, 0);
    size = 1;
    assert_null(mqtt_client_input_buf(&s->client, lent, sizeof(lent), &size));
    assert_int_equal(size, 0);
    size = 1;
    assert_null(mqtt_client_output_buf(&s->client, &size));
    assert_int_equal(size, 0);
}

static void test_a_code_that_does_not_exist_is_told(void **state)
{
    struct script *s = *state;

    start(s);
    connects(s);
    server_connack(s, 0, 0x42);
    expect_fatal(s, MQTT_ERR_CONNACK_CODE);
    assert_int_equal(s->event.reason_code, 0x42);
    script_restart(s);
    s->config.protocol = &mqtt_protocol_5_0;
    start(s);
    connects(s);
    server_connack(s, 0, 0x42);
    expect_fatal(s, MQTT_ERR_CONNACK_CODE);
    assert_int_equal(s->event.reason_code, 0x42);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_connect_is_all_that_leaves_first),
        script_test(test_connect_carries_every_field_in_order),
        script_test(test_fields_that_are_empty_are_still_there),
        script_test(test_every_combination_of_fields),
        script_test(test_keep_alive_on_the_wire),
        script_test(test_init_refuses_what_is_missing),
        script_test(test_init_refuses_another_size_of_the_struct),
        script_test(test_init_refuses_null),
        script_test(test_init_refuses_text_that_is_no_utf8),
        script_test(test_init_refuses_a_will_that_fits_nowhere),
        script_test(test_init_refuses_text_of_65536_bytes),
        script_test(test_fields_of_65535_bytes_are_sent),
        script_test(test_a_good_connack_connects),
        script_test(test_session_present_is_told),
        script_test(test_a_refusal_is_told_and_paced),
        script_test(test_return_codes_that_do_not_exist_are_fatal),
        script_test(test_reserved_bits_of_connack_are_fatal),
        script_test(test_a_refusal_with_session_present_is_fatal),
        script_test(test_a_clean_start_cannot_find_a_session),
        script_test(test_a_second_connack_is_fatal),
        script_test(test_nothing_may_come_before_connack),
        script_test(test_only_connect_leaves_before_connack),
        script_test(test_no_network_connection_in_time),
        script_test(test_no_connack_in_time),
        script_test(test_half_a_connack_does_not_buy_time),
        script_test(test_timeouts_are_configured),
        script_test(test_a_connection_that_fails_is_an_event),
        script_test(test_the_server_closes_instead_of_answering),
        script_test(test_a_refusal_counts_though_the_server_closed),
        script_test(test_a_refusal_is_not_told_of_the_next_connection),
        script_test(test_a_fault_counts_though_the_server_closed),
        script_test(test_a_code_that_does_not_exist_is_told),
        script_test(test_connect_twice_is_refused),
        script_test(test_opened_and_closed_unasked_have_no_effect),
        script_test(test_no_bytes_move_without_a_connection),
    };

    return script_run("connect", tests);
}
