/*
 * session_5_0.c - how long a session lasts in 5.0, who says so, and whose it
 * is [5.0, sections 3.1.2.11.2, 3.2.2.3.2, 3.2.2.3.7, 3.14.2.2.2].
 */
#include <mqttloop/properties.h>
#include "script.h"

/* What CONNECT says of the session. */
struct said {
    bool clean_start;
    uint32_t expiry_s; /* 0: nothing is said */
};

/* CONNECT is the next packet; in these tests its length has one byte, and so
 * has that of its properties. */
static struct said take_connect(struct script *s)
{
    const uint8_t *bytes = expect_packet(s, 0x10, 0)->bytes;
    struct mqtt_property expiry = {0};
    struct said said;

    assert_true(bytes[1] < 0x80 && bytes[12] < 0x80);
    assert_int_equal(bytes[8], 5);
    said.clean_start = bytes[9] & 0x02;
    said.expiry_s =
        mqtt_property_find((struct mqtt_span){bytes + 13, bytes[12]},
                           MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, &expiry)
            ? expiry.number
            : 0;
    return said;
}

static void expect_said(struct script *s, bool clean_start, uint32_t expiry_s)
{
    struct said said = take_connect(s);

    assert_int_equal(said.clean_start, clean_start);
    assert_int_equal(said.expiry_s, expiry_s);
}

static void configure(struct script *s, bool clean_start, uint32_t expiry_s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.connect.clean_start = clean_start;
    s->config.connect.session_expiry_s = expiry_s;
}

static void begin(struct script *s)
{
    if (!s->started)
        start(s);
    connects(s);
}

static void granted(struct script *s, bool session_present)
{
    server_connack(s, session_present, 0);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(s->event.session_present, session_present);
}

/* A connection on which 1 is sent and not acknowledged, and 2 is released. */
static void open_exchanges(struct script *s)
{
    publish_sent(s, "a", "1", MQTT_QOS_1);
    publish_sent(s, "a", "2", MQTT_QOS_2);
    server_answers(s, 0x50, 2);
    expect_no_event(s);
    discard_sent(s);
}

/* ... with the outcomes that a lost session gives them. */
static void expect_outcomes(struct script *s)
{
    bool ended[3] = {false};

    for (int i = 0; i < 2; i++) {
        pull(s, MQTT_EVENT_PUBLISHED);
        assert_int_equal(s->event.outcome, s->event.packet_identifier == 1
                                               ? MQTT_OUTCOME_LOST
                                               : MQTT_OUTCOME_UNKNOWN);
        ended[s->event.packet_identifier] = true;
    }
    assert_true(ended[1] && ended[2]);
    expect_no_event(s);
}

static void expect_resent(struct script *s)
{
    expect_packet(s, 0x62, 2);
    expect_packet(s, 0x3A, 1);
    expect_nothing_sent(s);
}

/* ---- what CONNECT says --------------------------------------------------- */

static void test_connect_says_how_long_the_session_lasts(void **state)
{
    static const struct {
        bool clean_start;
        uint32_t configured, said;
    } cases[] = {
        {false, 0, UINT32_MAX},
        {false, 1, 1},
        {false, 3600, 3600},
        {false, MQTT_SESSION_EXPIRY_NEVER, UINT32_MAX},
        {false, MQTT_SESSION_EXPIRY_AT_ONCE, 0},
        {true, 0, 0},
        {true, 1, 1},
        {true, 3600, 3600},
        {true, MQTT_SESSION_EXPIRY_NEVER, UINT32_MAX},
        {true, MQTT_SESSION_EXPIRY_AT_ONCE, 0},
    };
    struct script *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        configure(s, cases[i].clean_start, cases[i].configured);
        begin(s);
        expect_said(s, cases[i].clean_start, cases[i].said);
        granted(s, false);
        assert_int_equal(mqtt_client_limits(&s->client)->session_expiry_s,
                         cases[i].said);
        script_restart(s);
    }
}

/* ---- a session that outlives its connection ------------------------------ */

static void test_only_the_first_connection_starts_clean(void **state)
{
    struct script *s = *state;

    configure(s, true, 60);
    begin(s);
    expect_said(s, true, 60);
    granted(s, false);
    for (int i = 0; i < 3; i++) {
        open_exchanges(s);
        cut(s);
        reopened(s);
        expect_said(s, false, 60);
        granted(s, true);
        expect_resent(s);
        server_answers(s, 0x40, 1);
        pull(s, MQTT_EVENT_PUBLISHED);
        server_answers(s, 0x70, 2);
        pull(s, MQTT_EVENT_PUBLISHED);
        script_restart(s);
        begin(s);
        expect_said(s, true, 60);
        granted(s, false);
    }
}

/* ... after each mqtt_connect() of a client that had stopped. */
static void test_connecting_again_starts_clean(void **state)
{
    struct script *s = *state;

    configure(s, true, 60);
    connected(s);
    open_exchanges(s);
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    expect_bytes(s, 0xE0, 0x00);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_no_event(s);
    connects(s);
    expect_said(s, true, 60);
    granted(s, false);
    expect_outcomes(s);
    expect_nothing_sent(s);
}

/* A clean start that the server has not confirmed is asked for again. */
static void test_a_clean_start_without_connack_is_repeated(void **state)
{
    struct script *s = *state;

    configure(s, true, 60);
    begin(s);
    for (int i = 0; i < 3; i++) {
        expect_said(s, true, 60);
        cut(s);
        reopened(s);
    }
}

static void test_a_session_that_was_lost_ends_what_was_open(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    connected(s);
    open_exchanges(s);
    cut(s);
    expect_no_event(s);
    reconnected(s, false);
    expect_outcomes(s);
    expect_nothing_sent(s);
    publish(s, "a", "3", MQTT_QOS_1);
    expect_packet(s, 0x32, 0);
}

/* ---- a session that ends with its connection ----------------------------- */

static void test_a_session_that_ends_with_its_connection(void **state)
{
    struct script *s = *state;

    for (int clean = 0; clean < 2; clean++) {
        configure(s, clean, MQTT_SESSION_EXPIRY_AT_ONCE);
        begin(s);
        expect_said(s, clean, 0);
        granted(s, false);
        open_exchanges(s);
        cut(s);
        expect_outcomes(s);
        reopened(s);
        expect_said(s, clean, 0);
        granted(s, false);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* Then a server that still has it is wrong. */
static void test_a_session_that_has_ended_is_not_present(void **state)
{
    struct script *s = *state;

    configure(s, false, MQTT_SESSION_EXPIRY_AT_ONCE);
    connected(s);
    cut(s);
    reopened(s);
    expect_said(s, false, 0);
    server_connack(s, true, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    assert_int_equal(s->disconnect_code, 0x82);
    discard_sent(s);
    reopened(s);
    expect_said(s, true, 0);
    granted(s, false);
}

/* ---- the server knows better --------------------------------------------- */

static void granted_for(struct script *s, uint32_t expiry_s)
{
    server_connack_with(s, 0, 0, 0x11, (uint8_t)(expiry_s >> 24),
                        (uint8_t)(expiry_s >> 16), (uint8_t)(expiry_s >> 8),
                        (uint8_t)expiry_s);
    pull(s, MQTT_EVENT_CONNECTED);
    assert_int_equal(mqtt_client_limits(&s->client)->session_expiry_s,
                     expiry_s);
}

static void test_a_server_may_end_the_session_with_its_connection(void **state)
{
    struct script *s = *state;

    for (int clean = 0; clean < 2; clean++) {
        configure(s, clean, 60);
        begin(s);
        expect_said(s, clean, 60);
        granted_for(s, 0);
        open_exchanges(s);
        cut(s);
        expect_outcomes(s);
        reopened(s);
        expect_said(s, clean, 60);
        granted(s, false);
        script_restart(s);
    }
}

/* What CONNECT says is as before; the session goes on. */
static void test_a_server_may_keep_the_session(void **state)
{
    struct script *s = *state;

    for (int clean = 0; clean < 2; clean++) {
        configure(s, clean, MQTT_SESSION_EXPIRY_AT_ONCE);
        begin(s);
        expect_said(s, clean, 0);
        granted_for(s, 0x01020304);
        open_exchanges(s);
        cut(s);
        expect_no_event(s);
        reopened(s);
        expect_said(s, false, 0);
        granted(s, true);
        expect_resent(s);
        script_restart(s);
    }
}

/* ... and 0 with a clean start is no expiry in the next CONNECT either. */
static void
test_a_session_kept_by_the_server_is_asked_for_as_before(void **state)
{
    struct script *s = *state;

    configure(s, true, 0);
    begin(s);
    expect_said(s, true, 0);
    granted_for(s, 100);
    cut(s);
    reopened(s);
    expect_said(s, false, 0);
}

/* ---- DISCONNECT says better ---------------------------------------------- */

static enum mqtt_error disconnect_within(struct script *s, uint32_t timeout_ms,
                                         uint32_t expiry_s)
{
    static uint8_t bytes[5];
    struct mqtt_disconnect_options options = {0};
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, bytes, sizeof(bytes));
    mqtt_property_add_number(&builder, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
                             expiry_s);
    options.properties = mqtt_properties_end(&builder, NULL);
    return mqtt_disconnect_with(&s->client, timeout_ms, &options);
}

static enum mqtt_error disconnect_for(struct script *s, uint32_t expiry_s)
{
    return disconnect_within(s, 0, expiry_s);
}

static void test_disconnect_may_end_the_session(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    connected(s);
    open_exchanges(s);
    assert_int_equal(disconnect_for(s, 0), MQTT_OK);
    expect_bytes(s, 0xE0,                       /* DISCONNECT */
                 0x07,                          /* remaining length */
                 0x00,                          /* reason code */
                 0x05,                          /* property length */
                 0x11, 0x00, 0x00, 0x00, 0x00); /* Session Expiry Interval */
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_outcomes(s);
}

/* It is gone even where the client goes on at once. */
static void test_a_session_that_disconnect_ended_begins_clean(void **state)
{
    struct script *s = *state;

    configure(s, true, 60);
    connected(s);
    assert_int_equal(disconnect_for(s, 0), MQTT_OK);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    expect_packet(s, 0xE0, 0);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    reopened(s);
    expect_said(s, true, 60);
    granted(s, false);
}

static void test_disconnect_may_lengthen_the_session(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    connected(s);
    open_exchanges(s);
    assert_int_equal(disconnect_for(s, 120), MQTT_OK);
    expect_bytes(s, 0xE0,                       /* DISCONNECT */
                 0x07,                          /* remaining length */
                 0x00,                          /* reason code */
                 0x05,                          /* property length */
                 0x11, 0x00, 0x00, 0x00, 0x78); /* Session Expiry Interval */
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_no_event(s);
    connects(s);
    expect_said(s, false, 60);
    granted(s, true);
    expect_resent(s);
}

/* [5.0, section 3.14.2.2.2] */
static void test_disconnect_does_not_keep_what_connect_did_not(void **state)
{
    struct script *s = *state;

    configure(s, true, 0);
    connected(s);
    assert_int_equal(disconnect_for(s, 1), MQTT_ERR_PROPERTY);
    expect_nothing_sent(s);
    assert_int_equal(disconnect_for(s, 0), MQTT_OK);
    expect_packet(s, 0xE0, 0);
}

static enum mqtt_error ends_at_once(void *context,
                                    struct mqtt_connect_options *options,
                                    struct mqtt_server *server)
{
    (void)server;
    if (*(bool *)context)
        options->session_expiry_s = MQTT_SESSION_EXPIRY_AT_ONCE;
    return MQTT_OK;
}

/* What was allowed when it was asked for need not be when it leaves: there may
 * be another CONNECT between [5.0, section 3.14.2.2.2]. */
static void test_disconnect_keeps_to_the_connect_before_it(void **state)
{
    struct script *s = *state;
    bool at_once = false;

    configure(s, false, 60);
    s->config.before_connect = ends_at_once;
    s->config.context = &at_once;
    connected(s);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    discard_sent(s);
    cut(s);
    assert_int_equal(disconnect_within(s, 600000, 30), MQTT_OK);
    at_once = true;
    reopened(s);
    expect_said(s, false, 0);
    granted(s, true);
    expect_packet(s, 0x3A, 1);
    server_answers(s, 0x40, 1);
    expect_published(s, 1, MQTT_OUTCOME_ACKNOWLEDGED);
    expect_no_event(s);
    expect_bytes(s, 0xE0, 0x00); /* DISCONNECT */
}

/* It is what CONNECT said that counts, not what CONNACK made of it. */
static void test_what_connect_said_is_what_disconnect_may_change(void **state)
{
    struct script *s = *state;

    configure(s, true, 0);
    begin(s);
    discard_sent(s);
    granted_for(s, 100);
    assert_int_equal(disconnect_for(s, 1), MQTT_ERR_PROPERTY);
    script_restart(s);
    configure(s, false, 60);
    begin(s);
    discard_sent(s);
    granted_for(s, 0);
    open_exchanges(s);
    assert_int_equal(disconnect_for(s, 60), MQTT_OK);
    expect_packet(s, 0xE0, 0);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    expect_no_event(s);
    connects(s);
    discard_sent(s);
    granted(s, true);
    expect_resent(s);
}

/* ---- nothing to start with ----------------------------------------------- */

static void
test_a_new_client_wipes_out_a_session_and_keeps_its_own(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    s->config.session = MQTT_SESSION_NEW;
    start(s);
    publish(s, "a", "1", MQTT_QOS_1);
    connects(s);
    expect_said(s, false, 60);
    server_connack(s, true, 0);
    expect_fatal(s, MQTT_ERR_SESSION_PRESENT);
    assert_int_equal(s->disconnect_code, 0x82);
    discard_sent(s);
    reopened(s);
    expect_said(s, true, 60);
    granted(s, false);
    expect_packet(s, 0x32, 1); /* nothing of it has ever been sent */
    expect_wants(s, MQTT_WANT_NOTHING);
    cut(s);
    expect_no_event(s);
    reopened(s);
    expect_said(s, false, 60);
    granted(s, true);
    expect_packet(s, 0x3A, 1);
}

static void test_a_new_client_takes_a_server_without_a_session(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    s->config.session = MQTT_SESSION_NEW;
    begin(s);
    expect_said(s, false, 60);
    granted(s, false);
    publish_sent(s, "a", "1", MQTT_QOS_1);
    cut(s);
    reopened(s);
    expect_said(s, false, 60);
    granted(s, true);
    expect_packet(s, 0x3A, 1);
}

/* ---- Assigned Client Identifier ------------------------------------------ */

static void without_identifier(struct script *s, size_t memory)
{
    configure(s, false, 60);
    s->config.connect.client_identifier = mqtt_text(NULL);
    s->memory.identifier_size = memory;
}

static void expect_identifier(struct script *s, const char *identifier)
{
    const uint8_t *bytes = expect_packet(s, 0x10, 0)->bytes;
    const uint8_t *at = bytes + 13 + bytes[12];

    assert_int_equal(at[0] << 8 | at[1], strlen(identifier));
    assert_memory_equal(at + 2, identifier, strlen(identifier));
}

static void assigned(struct script *s)
{
    server_connack_with(s, 0, 0, 0x12, 0x00, 0x04, 'n', 'a', 'm', 'e');
    pull(s, MQTT_EVENT_CONNECTED);
}

static void test_the_assigned_identifier_is_that_of_the_session(void **state)
{
    struct script *s = *state;

    without_identifier(s, 4);
    begin(s);
    assert_int_equal(mqtt_client_identifier(&s->client).size, 0);
    expect_identifier(s, "");
    assigned(s);
    assert_true(span_is(mqtt_client_identifier(&s->client), "name"));
    open_exchanges(s);
    cut(s);
    assert_true(span_is(mqtt_client_identifier(&s->client), "name"));
    expect_no_event(s);
    reopened(s);
    expect_identifier(s, "name");
    granted(s, true);
    expect_resent(s);
    /* Even when it was stopped meanwhile. */
    assert_int_equal(mqtt_disconnect(&s->client, 0), MQTT_OK);
    discard_sent(s);
    server_closes(s);
    pull(s, MQTT_EVENT_DISCONNECTED);
    connects(s);
    expect_identifier(s, "name");
}

/* Nobody can come back to it. */
static void test_what_cannot_keep_its_identifier_ends_at_once(void **state)
{
    struct script *s = *state;

    for (size_t memory = 0; memory < 4; memory += 3) {
        without_identifier(s, memory);
        begin(s);
        expect_identifier(s, "");
        assigned(s);
        assert_int_equal(mqtt_client_identifier(&s->client).size, 0);
        open_exchanges(s);
        cut(s);
        expect_outcomes(s);
        reopened(s);
        expect_identifier(s, "");
        assigned(s);
        expect_nothing_sent(s);
        script_restart(s);
    }
}

/* CONNECT with it would be larger than control memory, and no connection could
 * be made any more. */
static void test_an_identifier_too_large_for_connect_is_not_kept(void **state)
{
    struct script *s = *state;
    size_t size;

    without_identifier(s, 4);
    begin(s);
    size = expect_packet(s, 0x10, 0)->size;
    for (size_t room = 3; room <= 4; room++) {
        script_restart(s);
        s->memory.control_size = size + room;
        begin(s);
        expect_identifier(s, "");
        assigned(s);
        cut(s);
        reopened(s);
        expect_identifier(s, room < 4 ? "" : "name");
    }
}

static void test_an_identifier_of_its_own_is_not_replaced(void **state)
{
    struct script *s = *state;

    configure(s, false, 60);
    s->memory.identifier_size = 4;
    begin(s);
    expect_identifier(s, "c");
    assigned(s);
    assert_true(span_is(mqtt_client_identifier(&s->client), "c"));
    cut(s);
    reopened(s);
    expect_identifier(s, "c");
}

static const struct CMUnitTest tests[] = {
    script_test(test_connect_says_how_long_the_session_lasts),
    script_test(test_only_the_first_connection_starts_clean),
    script_test(test_connecting_again_starts_clean),
    script_test(test_a_clean_start_without_connack_is_repeated),
    script_test(test_a_session_that_was_lost_ends_what_was_open),
    script_test(test_a_session_that_ends_with_its_connection),
    script_test(test_a_session_that_has_ended_is_not_present),
    script_test(test_a_server_may_end_the_session_with_its_connection),
    script_test(test_a_server_may_keep_the_session),
    script_test(test_a_session_kept_by_the_server_is_asked_for_as_before),
    script_test(test_disconnect_may_end_the_session),
    script_test(test_a_session_that_disconnect_ended_begins_clean),
    script_test(test_disconnect_may_lengthen_the_session),
    script_test(test_disconnect_does_not_keep_what_connect_did_not),
    script_test(test_disconnect_keeps_to_the_connect_before_it),
    script_test(test_what_connect_said_is_what_disconnect_may_change),
    script_test(test_a_new_client_wipes_out_a_session_and_keeps_its_own),
    script_test(test_a_new_client_takes_a_server_without_a_session),
    script_test(test_the_assigned_identifier_is_that_of_the_session),
    script_test(test_what_cannot_keep_its_identifier_ends_at_once),
    script_test(test_an_identifier_too_large_for_connect_is_not_kept),
    script_test(test_an_identifier_of_its_own_is_not_replaced),
};

int main(void)
{
    return script_run("session_5_0", tests);
}
