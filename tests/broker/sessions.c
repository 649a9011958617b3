/*
 * sessions.c - sessions that last or do not, wills, credentials.
 */
#include "station.h"
#include "relay.h"

static struct broker broker, guarded;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    broker_begin(&guarded, "secret");
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    broker_end(&guarded);
    return 0;
}

/* ---- sessions ------------------------------------------------------------ */

static void test_a_session_lasts_over_a_disconnect(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    station_subscribe(t, "while/away", MQTT_QOS_2);
    assert_false(t->session_present);
    station_disconnect(t);
    station_publish(s, "while/away", "1", MQTT_QOS_1, false);
    station_publish(s, "while/away", "2", MQTT_QOS_2, false);
    wait_for(s, s->acknowledged == 2);
    station_connect(t);
    assert_true(t->session_present);
    wait_for(t, t->letter_count == 2);
    assert_string_equal(t->letters[0].payload, "1");
    assert_string_equal(t->letters[1].payload, "2");
    assert_int_equal(t->subscribed, 1);
    station_free(s);
    station_free(t);
}

/* In 5.0 it is its Session Expiry Interval of 0 that ends it. */
static void test_a_clean_session_does_not_last(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_draft(*state, broker.port);

    t->config.connect.clean_start = true;
    station_open(t);
    station_connect(t);
    station_subscribe(t, "while/clean", MQTT_QOS_1);
    station_disconnect(t);
    station_publish(s, "while/clean", "missed", MQTT_QOS_1, false);
    wait_for(s, s->acknowledged == 1);
    station_connect(t);
    assert_false(t->session_present);
    wait_for(t, t->subscribed == 2);
    station_publish(s, "while/clean", "seen", MQTT_QOS_1, false);
    wait_for_both(s, t, t->letter_count > 0);
    assert_string_equal(t->letters[0].payload, "seen");
    station_free(s);
    station_free(t);
}

static void test_an_empty_client_identifier_needs_a_clean_start(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    s->identifier[0] = '\0';
    s->config.connect.client_identifier = mqtt_text("");
    s->config.connect.clean_start = true;
    station_open(s);
    station_connect(s);
    /* Only in 5.0 the server says which one it has chosen. */
    assert_int_equal(mqtt_client_identifier(s->client).size > 0,
                     speaks_5_0(*state));
    station_subscribe(s, "nameless", MQTT_QOS_1);
    station_publish(s, "nameless", "x", MQTT_QOS_1, false);
    wait_for(s, s->letter_count == 1);
    station_free(s);
}

static void test_all_zero_but_the_start_is_enough(void **state)
{
    struct station *s = station_draft(*state, broker.port);

    memset(&s->config.connect, 0, sizeof(s->config.connect));
    s->config.connect.clean_start = true;
    station_open(s);
    station_connect(s);
    station_free(s);
}

/* The session of a former life is there; NEW does not want it. In 5.0 the
 * second connection is the one that lasts, in 3.1.1 the third: for a clean
 * session ends with its connection. */
static void test_new_begins_clean_where_there_was_a_session(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_draft(*state, broker.port);

    station_subscribe(s, "old", MQTT_QOS_1);
    station_disconnect(s);
    t->config.connect.client_identifier = mqtt_text(s->identifier);
    t->config.session = MQTT_SESSION_NEW;
    station_open(t);
    assert_int_equal(mqtt_connect(t->client), MQTT_OK);
    wait_for(t, t->disconnected == 1);
    assert_int_equal(t->last.error, MQTT_ERR_SESSION_PRESENT);
    wait_for(t, t->connected == 1);
    assert_false(t->session_present);
    station_free(s);
    station_free(t);
}

static void test_resume_takes_the_session_of_a_former_life(void **state)
{
    struct station *s = station_new(*state, broker.port);
    struct station *t = station_draft(*state, broker.port);

    station_subscribe(s, "former/life", MQTT_QOS_1);
    station_disconnect(s);
    t->config.connect.client_identifier = mqtt_text(s->identifier);
    station_open(t);
    station_connect(t);
    assert_true(t->session_present);
    station_publish(t, "former/life", "x", MQTT_QOS_1, false);
    wait_for(t, t->letter_count == 1);
    station_free(s);
    station_free(t);
}

static void test_published_offline_arrives_once_connected(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    station_subscribe(t, "offline", MQTT_QOS_2);
    station_open(s);
    station_publish(s, "offline", "1", MQTT_QOS_1, false);
    station_publish(s, "offline", "2", MQTT_QOS_2, false);
    assert_int_equal(
        mqtt_publish(s->client, "offline", "0", 1, MQTT_QOS_0, false),
        MQTT_ERR_OFFLINE);
    station_connect(s);
    wait_for_both(s, t, t->letter_count == 2 && s->acknowledged == 2);
    assert_string_equal(t->letters[0].payload, "1");
    station_free(s);
    station_free(t);
}

/* ---- disconnecting ------------------------------------------------------- */

static void test_disconnect_waits_for_all_acknowledgements(void **state)
{
    struct station *s = station_new(*state, broker.port);

    for (int i = 0; i < 500; i++)
        station_publish(s, "last/words", "x", i & 1 ? MQTT_QOS_1 : MQTT_QOS_2,
                        false);
    station_disconnect(s);
    assert_int_equal(s->acknowledged, 500);
    station_free(s);
}

/* ---- wills --------------------------------------------------------------- */

static const struct mqtt_message will = {.topic_name = MQTT_TEXT("will"),
                                         .payload = MQTT_TEXT("gone"),
                                         .qos = MQTT_QOS_1};

static void test_the_will_is_delivered_when_the_link_is_cut(void **state)
{
    struct relay *relay = relay_begin(broker.port);
    struct station *s = station_draft(*state, relay_port(relay));
    struct station *t = station_new(*state, broker.port);

    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, "will", MQTT_QOS_1);
    relay_cut(relay);
    wait_for(t, t->letter_count == 1);
    assert_string_equal(station_last(t)->payload, "gone");
    station_free(s);
    station_free(t);
    relay_end(relay);
}

static void test_the_will_is_not_delivered_after_disconnect(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, "will", MQTT_QOS_1);
    station_disconnect(s);
    station_publish(t, "will", "mine", MQTT_QOS_1, false);
    wait_for(t, t->letter_count == 1);
    assert_string_equal(station_last(t)->payload, "mine");
    station_free(s);
    station_free(t);
}

/* Whoever is freed vanishes without a word. */
static void test_the_will_is_delivered_when_the_client_is_freed(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_new(*state, broker.port);

    s->config.connect.will = &will;
    station_open(s);
    station_connect(s);
    station_subscribe(t, "will", MQTT_QOS_1);
    station_free(s);
    wait_for(t, t->letter_count == 1);
    assert_string_equal(station_last(t)->payload, "gone");
    station_free(t);
}

/* ---- credentials --------------------------------------------------------- */

static unsigned renewals;

static enum mqtt_error renew(void *context,
                             struct mqtt_connect_options *options,
                             struct mqtt_server *server)
{
    (void)context;
    (void)server;
    if (renewals++ > 0)
        options->password = mqtt_text("secret");
    return MQTT_OK;
}

static enum mqtt_pace at_once(void *context, enum mqtt_error error,
                              uint8_t reason_code)
{
    (void)context;
    (void)error;
    (void)reason_code;
    return MQTT_PACE_NORMAL;
}

static void test_a_password_that_is_refused_is_renewed(void **state)
{
    struct station *s = station_draft(*state, guarded.port);

    renewals = 0;
    s->config.connect.user_name = mqtt_text("user");
    s->config.connect.password = mqtt_text("old");
    s->config.before_connect = renew;
    s->config.pace = at_once;
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->last.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->last.reason_code,
                     speaks_5_0(*state) ? MQTT_REASON_NOT_AUTHORIZED : 5);
    wait_for(s, s->connected == 1);
    assert_int_equal(renewals, 2);
    station_free(s);
}

static void test_who_is_refused_comes_back_slowly(void **state)
{
    struct station *s = station_draft(*state, guarded.port);

    s->config.retry_cap_ms = 1000000;
    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->last.error, MQTT_ERR_REFUSED);
    assert_int_equal(mqtt_client_state(s->client), MQTT_CLIENT_AWAIT_RETRY);
    station_free(s);
}

/* Two of one identifier: the server closes the first. Without a word also in
 * 5.0: mosquitto 2.0.11 sends no DISCONNECT with 0x8E; servers_5_0.c has a server
 * that does. */
static enum mqtt_pace stop(void *context, enum mqtt_error error,
                           uint8_t reason_code)
{
    (void)context;
    (void)error;
    (void)reason_code;
    return MQTT_PACE_STOP;
}

static void test_a_session_that_is_taken_over_ends(void **state)
{
    struct station *s = station_draft(*state, broker.port);
    struct station *t = station_draft(*state, broker.port);

    s->config.pace = stop;
    station_open(s);
    station_connect(s);
    t->config.connect.client_identifier = mqtt_text(s->identifier);
    station_open(t);
    station_connect(t);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->last.error, MQTT_ERR_CLOSED);
    assert_int_equal(mqtt_client_state(s->client), MQTT_CLIENT_STOPPED);
    station_free(s);
    station_free(t);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_lasts_over_a_disconnect),
        cmocka_unit_test(test_a_clean_session_does_not_last),
        cmocka_unit_test(test_an_empty_client_identifier_needs_a_clean_start),
        cmocka_unit_test(test_all_zero_but_the_start_is_enough),
        cmocka_unit_test(test_new_begins_clean_where_there_was_a_session),
        cmocka_unit_test(test_resume_takes_the_session_of_a_former_life),
        cmocka_unit_test(test_published_offline_arrives_once_connected),
        cmocka_unit_test(test_disconnect_waits_for_all_acknowledgements),
        cmocka_unit_test(test_the_will_is_delivered_when_the_link_is_cut),
        cmocka_unit_test(test_the_will_is_not_delivered_after_disconnect),
        cmocka_unit_test(test_the_will_is_delivered_when_the_client_is_freed),
        cmocka_unit_test(test_a_password_that_is_refused_is_renewed),
        cmocka_unit_test(test_who_is_refused_comes_back_slowly),
        cmocka_unit_test(test_a_session_that_is_taken_over_ends),
    };

    return station_run(argc, argv, "sessions", tests, begin, end);
}
