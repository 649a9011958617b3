/*
 * reconnect.c - back-off, pace, servers, renewal before each connect.
 */
#include "script.h"

/* With the largest random number the wait is the limit, or 1 ms less. */
static void expect_wait_up_to(struct script *s, mqtt_time limit_ms)
{
    mqtt_time wait = s->retry_at - s->now;

    assert_in_range(wait, limit_ms - 1, limit_ms);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_AWAIT_RETRY);
    expect_wants(s, MQTT_WANT_NOTHING);
    expect_deadline(s, wait);
}

static void fail_to_open(struct script *s)
{
    expect_wants(s, MQTT_WANT_OPEN);
    mqtt_client_closed(&s->client, MQTT_ERR_NETWORK, NULL);
    pull(s, MQTT_EVENT_DISCONNECTED);
}

static void next_try(struct script *s)
{
    elapse(s, s->retry_at - s->now);
}

/* ---- back-off ------------------------------------------------------------ */

static void test_back_off_doubles_up_to_the_cap(void **state)
{
    static const mqtt_time limits[] = {1000,  2000,  4000,  8000, 16000,
                                       32000, 60000, 60000, 60000};
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    start(s);
    wishes_to_connect(s);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        fail_to_open(s);
        assert_int_equal(s->event.error, MQTT_ERR_NETWORK);
        expect_wait_up_to(s, limits[i]);
        next_try(s);
    }
    for (int i = 0; i < 100; i++) {
        fail_to_open(s);
        expect_wait_up_to(s, 60000);
        next_try(s);
    }
}

static void test_back_off_is_full_jitter(void **state)
{
    struct script *s = *state;

    start(s);
    wishes_to_connect(s);
    fail_to_open(s);
    assert_int_equal(s->random_calls, 1);
    assert_true(s->retry_at == s->now);
    next_try(s);
    s->random_bits = 0x80000000; /* half of 2,000 ms */
    fail_to_open(s);
    assert_in_range(s->retry_at - s->now, 999, 1000);
    next_try(s);
    s->random_bits = 0x40000000; /* a quarter of 4,000 ms */
    fail_to_open(s);
    assert_in_range(s->retry_at - s->now, 999, 1000);
    assert_int_equal(s->random_calls, 3);
}

static void test_base_and_cap_are_configured(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    s->config.retry_base_ms = 10;
    s->config.retry_cap_ms = 25;
    start(s);
    wishes_to_connect(s);
    fail_to_open(s);
    expect_wait_up_to(s, 10);
    next_try(s);
    fail_to_open(s);
    expect_wait_up_to(s, 20);
    next_try(s);
    fail_to_open(s);
    expect_wait_up_to(s, 25);
}

static void test_large_limits_do_not_overflow(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    s->config.retry_base_ms = 0x80000000;
    s->config.retry_cap_ms = UINT32_MAX;
    start(s);
    wishes_to_connect(s);
    fail_to_open(s);
    expect_wait_up_to(s, 0x80000000);
    next_try(s);
    for (int i = 0; i < 70; i++) {
        fail_to_open(s);
        expect_wait_up_to(s, UINT32_MAX);
        next_try(s);
    }
}

/* CONNACK alone proves nothing: a server may cut each client thereafter. */
static void test_connack_alone_does_not_reset_the_back_off(void **state)
{
    static const mqtt_time limits[] = {1000, 2000, 4000, 8000};
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    connected(s);
    for (size_t i = 0; i < 4; i++) {
        cut(s);
        expect_wait_up_to(s, limits[i]);
        reconnected(s, false);
    }
}

static void grow_back_off(struct script *s)
{
    s->random_bits = UINT32_MAX;
    connected(s);
    for (int i = 0; i < 3; i++) {
        cut(s);
        reconnected(s, true);
    }
}

static void test_an_acknowledgement_resets_the_back_off(void **state)
{
    struct script *s = *state;

    grow_back_off(s);
    publish_sent(s, "a", "", MQTT_QOS_1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    cut(s);
    expect_wait_up_to(s, 1000);
}

static void test_pubrec_resets_the_back_off(void **state)
{
    struct script *s = *state;

    grow_back_off(s);
    publish_sent(s, "a", "", MQTT_QOS_2);
    server_answers(s, 0x50, 1);
    expect_no_event(s);
    cut(s);
    expect_wait_up_to(s, 1000);
}

static void test_suback_resets_the_back_off(void **state)
{
    struct script *s = *state;
    struct mqtt_subscription a = {.topic_filter = MQTT_TEXT("a")};

    grow_back_off(s);
    subscribed(s, &a);
    cut(s);
    expect_wait_up_to(s, 1000);
}

static void test_30_seconds_reset_the_back_off(void **state)
{
    struct script *s = *state;

    grow_back_off(s);
    elapse(s, 29999);
    cut(s);
    expect_wait_up_to(s, 8000);
    reconnected(s, true);
    elapse(s, 30000);
    cut(s);
    expect_wait_up_to(s, 1000);
}

static void test_healthy_after_is_configured(void **state)
{
    struct script *s = *state;

    s->config.healthy_after_ms = 50;
    grow_back_off(s);
    elapse(s, 50);
    cut(s);
    expect_wait_up_to(s, 1000);
}

static void test_a_clock_that_stands_still_retries_all_the_same(void **state)
{
    struct script *s = *state;

    start(s);
    wishes_to_connect(s);
    for (int i = 0; i < 5; i++) {
        fail_to_open(s); /* the random number is 0: at once */
        expect_deadline(s, 0);
        elapse(s, 0);
    }
}

static void test_connect_does_not_wait(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    connected(s);
    cut(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    wishes_to_connect(s);
    server_accepts(s);
    expect_packet(s, 0x10, 0);
}

/* ---- pace ---------------------------------------------------------------- */

static void test_the_default_pace(void **state)
{
    struct script *s = *state;

    /* 3.1.1 has 1 to 5, 5.0 has 0x80 and more. */
    static const uint8_t stop[] = {0x01, 0x84, 0x8E};
    static const uint8_t slow[] = {0x02, 0x04, 0x05, 0x85, 0x86,
                                   0x87, 0x8A, 0x8C, 0x97, 0x9F};

    for (unsigned code = 1; code < 256; code++) {
        enum mqtt_pace expected = MQTT_PACE_NORMAL;

        if (memchr(stop, (int)code, sizeof stop))
            expected = MQTT_PACE_STOP;
        else if (memchr(slow, (int)code, sizeof slow))
            expected = MQTT_PACE_SLOW;
        assert_int_equal(mqtt_pace_default(s, MQTT_ERR_REFUSED, (uint8_t)code),
                         expected);
        assert_int_equal(
            mqtt_pace_default(s, MQTT_ERR_DISCONNECT_PACKET, (uint8_t)code),
            expected);
    }
    for (int error = -110; error <= -64; error++)
        if (error != MQTT_ERR_REFUSED)
            assert_int_equal(mqtt_pace_default(NULL, (enum mqtt_error)error, 0),
                             error == MQTT_ERR_CONTROL_SIZE ? MQTT_PACE_STOP
                                                            : MQTT_PACE_NORMAL);
}

static enum mqtt_pace chosen_pace;
static enum mqtt_error asked_error;
static uint8_t asked_code;

static enum mqtt_pace choose_pace(void *context, enum mqtt_error error,
                                  uint8_t reason_code)
{
    assert_non_null(context);
    asked_error = error;
    asked_code = reason_code;
    return chosen_pace;
}

static void test_a_pace_of_ones_own(void **state)
{
    struct script *s = *state;

    s->random_bits = UINT32_MAX;
    s->config.pace = choose_pace;
    start(s);
    connects(s);
    chosen_pace = MQTT_PACE_SLOW;
    server_connack(s, 0, 3);
    expect_fatal(s, MQTT_ERR_REFUSED);
    assert_int_equal(asked_error, MQTT_ERR_REFUSED);
    assert_int_equal(asked_code, 3);
    expect_wait_up_to(s, 60000);
    next_try(s);
    chosen_pace = MQTT_PACE_STOP;
    fail_to_open(s);
    assert_int_equal(asked_error, MQTT_ERR_NETWORK);
    assert_true(s->retry_at == MQTT_NEVER);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
    expect_no_deadline(s);
    elapse(s, 1000000);
    expect_wants(s, MQTT_WANT_NOTHING);
    connects(s);
    expect_packet(s, 0x10, 0);
}

static void test_what_was_published_survives_a_stop(void **state)
{
    struct script *s = *state;

    connected(s);
    publish_sent(s, "a", "x", MQTT_QOS_1);
    cut(s);
    reopened(s);
    discard_sent(s);
    server_connack(s, 0, 1);
    expect_fatal(s, MQTT_ERR_REFUSED);
    assert_true(s->retry_at == MQTT_NEVER);
    publish(s, "a", "y", MQTT_QOS_1);
    connects(s);
    discard_sent(s);
    server_connack(s, 1, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    expect_packet(s, 0x3A, 1);
    expect_packet(s, 0x32, 2);
}

/* ---- servers ------------------------------------------------------------- */

static void test_servers_are_tried_in_turn(void **state)
{
    static const struct mqtt_server servers[] = {
        {"one", 1}, {"two", 0}, {"unix:/three", 3}};
    struct script *s = *state;

    s->config.servers = servers;
    s->config.server_count = 3;
    start(s);
    wishes_to_connect(s);
    for (size_t i = 0; i < 7; i++) {
        const struct mqtt_server *server = mqtt_client_server(&s->client);

        assert_string_equal(server->address, servers[i % 3].address);
        assert_int_equal(server->port ? server->port : 1883,
                         servers[i % 3].port ? servers[i % 3].port : 1883);
        fail_to_open(s);
        next_try(s);
    }
}

/* ---- before each connect ------------------------------------------------- */

static struct mqtt_connect_options renewed;
static struct mqtt_server renewed_server;
static enum mqtt_error renewal;
static unsigned renewals;

static enum mqtt_error renew(void *context,
                             struct mqtt_connect_options *options,
                             struct mqtt_server *server)
{
    assert_non_null(context);
    renewals++;
    if (renewed.user_name.data)
        options->user_name = renewed.user_name;
    if (renewed.password.data)
        options->password = renewed.password;
    if (renewed.will)
        options->will = renewed.will;
    if (renewed_server.address)
        *server = renewed_server;
    return renewal;
}

static void renewable(struct script *s)
{
    memset(&renewed, 0, sizeof(renewed));
    memset(&renewed_server, 0, sizeof(renewed_server));
    renewal = MQTT_OK;
    renewals = 0;
    s->config.before_connect = renew;
}

static void test_credentials_are_renewed(void **state)
{
    static const struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                             .payload = MQTT_TEXT("!"),
                                             .qos = MQTT_QOS_1};
    struct script *s = *state;

    renewable(s);
    s->config.connect.user_name = mqtt_text("u");
    s->config.connect.password = mqtt_text("old");
    start(s);
    connects(s);
    assert_int_equal(renewals, 1);
    expect_bytes(s, 0x10, 0x15,                  /* CONNECT */
                 0x00, 0x04, 'M', 'Q', 'T', 'T', /* protocol name */
                 0x04, 0xC0, 0x00, 0x3C,         /* flags, keep alive */
                 0x00, 0x01, 'c',                /* client identifier */
                 0x00, 0x01, 'u',                /* user name */
                 0x00, 0x03, 'o', 'l', 'd');     /* password */
    server_connack(s, 0, 5);
    expect_fatal(s, MQTT_ERR_REFUSED);
    renewed.password = mqtt_text("new!");
    renewed.will = &will;
    reopened(s);
    assert_int_equal(renewals, 2);
    expect_bytes(s, 0x10, 0x1C,                   /* CONNECT */
                 0x00, 0x04, 'M', 'Q', 'T', 'T',  /* protocol name */
                 0x04, 0xCC, 0x00, 0x3C,          /* flags, keep alive */
                 0x00, 0x01, 'c',                 /* client identifier */
                 0x00, 0x01, 'w',                 /* will topic */
                 0x00, 0x01, '!',                 /* will message */
                 0x00, 0x01, 'u',                 /* user name */
                 0x00, 0x04, 'n', 'e', 'w', '!'); /* password */
}

static void test_a_renewed_server_holds_for_once(void **state)
{
    struct script *s = *state;

    renewable(s);
    renewed_server = (struct mqtt_server){"redirected", 8883};
    start(s);
    wishes_to_connect(s);
    assert_string_equal(mqtt_client_server(&s->client)->address, "redirected");
    assert_int_equal(mqtt_client_server(&s->client)->port, 8883);
    renewed_server.address = NULL;
    fail_to_open(s);
    next_try(s);
    assert_string_equal(mqtt_client_server(&s->client)->address, "server.test");
}

static void test_a_renewal_that_fails_is_tried_again(void **state)
{
    struct script *s = *state;

    renewable(s);
    renewal = MQTT_ERR_SYSTEM;
    s->random_bits = UINT32_MAX;
    start(s);
    wishes_to_connect(s);
    expect_wants(s, MQTT_WANT_NOTHING);
    pull(s, MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->event.error, MQTT_ERR_RENEWAL);
    expect_wait_up_to(s, 1000);
    assert_int_equal(renewals, 1);
    renewal = MQTT_OK;
    reopened(s);
    assert_int_equal(renewals, 2);
    expect_packet(s, 0x10, 0);
}

static void test_a_renewed_connect_that_does_not_fit_stops(void **state)
{
    static char text[200];
    struct script *s = *state;

    renewable(s);
    memset(text, 'u', sizeof(text));
    renewed.user_name = (struct mqtt_span){text, sizeof(text)};
    start(s);
    wishes_to_connect(s);
    if (mqtt_client_wants(&s->client) == MQTT_WANT_OPEN) {
        mqtt_client_opened(&s->client);
        expect_nothing_sent(s);
        expect_fatal(s, MQTT_ERR_CONTROL_SIZE);
    } else {
        pull(s, MQTT_EVENT_DISCONNECTED);
        assert_int_equal(s->event.error, MQTT_ERR_CONTROL_SIZE);
    }
    assert_true(s->event.retry_at == MQTT_NEVER);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_STOPPED);
}

/* What is renewed is checked as at init: nothing ill-formed leaves. */
static void test_a_renewed_user_name_is_checked(void **state)
{
    struct script *s = *state;

    renewable(s);
    renewed.user_name = mqtt_text("\xFF");
    start(s);
    wishes_to_connect(s);
    if (mqtt_client_wants(&s->client) == MQTT_WANT_OPEN) {
        mqtt_client_opened(&s->client);
        expect_no_event(s);
        expect_nothing_sent(s);
    } else {
        pull(s, MQTT_EVENT_DISCONNECTED);
        expect_nothing_sent(s);
    }
}

/* ---- several clients ----------------------------------------------------- */

static void test_clients_share_nothing(void **state)
{
    struct script *s = *state;
    struct script *t = script_new(s->wire);

    connected(s);
    connected(t);
    assert_int_equal(publish_sent(s, "a", "1", MQTT_QOS_1), 1);
    assert_int_equal(publish_sent(t, "a", "1", MQTT_QOS_1), 1);
    server_answers(s, 0x40, 1);
    cut(t);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    reconnected(t, true);
    expect_packet(t, 0x3A, 1);
    expect_nothing_sent(s);
    script_free(t);
}

/* Else the next server would be tried, and this one keep its session. */
static void test_the_server_with_an_old_session_is_asked_again(void **state)
{
    struct script *s = *state;
    static const struct mqtt_server servers[2] = {{"one", 0}, {"two", 0}};

    s->config.servers = servers;
    s->config.server_count = 2;
    s->config.session = MQTT_SESSION_NEW;
    start(s);
    connects(s);
    discard_sent(s);
    server_connack(s, 1, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    elapse(s, 100000);
    assert_string_equal(mqtt_client_server(&s->client)->address, "one");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_back_off_doubles_up_to_the_cap),
        script_test(test_back_off_is_full_jitter),
        script_test(test_base_and_cap_are_configured),
        script_test(test_large_limits_do_not_overflow),
        script_test(test_connack_alone_does_not_reset_the_back_off),
        script_test(test_an_acknowledgement_resets_the_back_off),
        script_test(test_pubrec_resets_the_back_off),
        script_test(test_suback_resets_the_back_off),
        script_test(test_30_seconds_reset_the_back_off),
        script_test(test_healthy_after_is_configured),
        script_test(test_a_clock_that_stands_still_retries_all_the_same),
        script_test(test_connect_does_not_wait),
        script_test(test_the_default_pace),
        script_test(test_a_pace_of_ones_own),
        script_test(test_what_was_published_survives_a_stop),
        script_test(test_servers_are_tried_in_turn),
        script_test(test_credentials_are_renewed),
        script_test(test_a_renewed_server_holds_for_once),
        script_test(test_a_renewal_that_fails_is_tried_again),
        script_test(test_a_renewed_connect_that_does_not_fit_stops),
        script_test(test_a_renewed_user_name_is_checked),
        script_test(test_clients_share_nothing),
        script_test(test_the_server_with_an_old_session_is_asked_again),
    };

    return script_run("reconnect", tests);
}
