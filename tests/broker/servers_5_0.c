/*
 * servers_5_0.c - servers that do not speak 5.0, and those that use what
 * mosquitto 2.0.11 does not: DISCONNECT for a session that is taken over, or
 * when they shut down, and topic aliases of their own.
 *
 * Enhanced authentication needs a plugin that mosquitto does not bring: it is
 * tested by scripts only, in tests/unit and tests/conformance.
 */
#include "server.h"
#include "station.h"

static const uint8_t good_3_1_1[] = {
    0x20, 0x02, /* CONNACK */
    0x00, 0x00, /* no session, accepted */
};
static const uint8_t good_5_0[] = {
    0x20, 0x03, /* CONNACK */
    0x00, 0x00, /* no session, success */
    0x00,       /* no properties */
};

static struct reply closes(void)
{
    return (struct reply){NULL, 0, false};
}

static struct reply accepts(uint8_t level)
{
    return level == 5 ? (struct reply){good_5_0, sizeof(good_5_0), true}
                      : (struct reply){good_3_1_1, sizeof(good_3_1_1), true};
}

/* ---- other versions ------------------------------------------------------ */

static struct reply refuses_in_words_of_3_1_1(unsigned number, uint8_t level)
{
    static const uint8_t refused[] = {
        0x20, 0x02, /* CONNACK */
        0x00, 0x01, /* unacceptable protocol version */
    };

    (void)number;
    return level == 4 ? accepts(level)
                      : (struct reply){refused, sizeof(refused), false};
}

static struct reply refuses_in_words_of_5_0(unsigned number, uint8_t level)
{
    static const uint8_t refused[] = {
        0x20, 0x03, /* CONNACK */
        0x00, 0x84, /* Unsupported Protocol Version */
        0x00,       /* no properties */
    };

    (void)number;
    return level == 4 ? accepts(level)
                      : (struct reply){refused, sizeof(refused), false};
}

static struct reply closes_on_5_0(unsigned number, uint8_t level)
{
    (void)number;
    return level == 4 ? accepts(level) : closes();
}

static struct station *falls_back(const struct way *way,
                                  const struct server *server)
{
    struct station *s = station_draft(way, server_port(server));

    s->config.fallback = &mqtt_protocol_3_1_1;
    station_open(s);
    return s;
}

static void reaches_3_1_1(const struct way *way, server_function *answer)
{
    struct server *server = server_begin(answer);
    struct station *s = falls_back(way, server);

    station_connect(s);
    assert_ptr_equal(mqtt_client_protocol(s->client), &mqtt_protocol_3_1_1);
    assert_int_equal(s->disconnected, 1);
    assert_int_equal(server_connects(server), 2);
    assert_int_equal(server_level(server, 0), 5);
    assert_int_equal(server_level(server, 1), 4);
    /* Now that is known. */
    station_disconnect(s);
    station_connect(s);
    assert_int_equal(server_connects(server), 3);
    assert_int_equal(server_level(server, 2), 4);
    station_free(s);
    server_end(server);
}

static void test_refused_in_words_of_3_1_1_it_falls_back(void **state)
{
    reaches_3_1_1(*state, refuses_in_words_of_3_1_1);
}

static void test_refused_in_words_of_5_0_it_falls_back(void **state)
{
    reaches_3_1_1(*state, refuses_in_words_of_5_0);
}

static void test_closed_without_a_word_it_falls_back(void **state)
{
    reaches_3_1_1(*state, closes_on_5_0);
}

/* Without a fallback there is nothing to try. */
static void test_without_a_fallback_it_stops(void **state)
{
    struct server *server = server_begin(refuses_in_words_of_5_0);
    struct station *s = station_draft(*state, server_port(server));

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->refused, 1);
    assert_int_equal(s->last.error, MQTT_ERR_REFUSED);
    assert_int_equal(s->last.reason_code,
                     MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION);
    assert_true(s->last.retry_at == MQTT_NEVER);
    assert_int_equal(mqtt_client_state(s->client), MQTT_CLIENT_STOPPED);
    station_free(s);
    server_end(server);
}

/* A server that comes up closes the first connections, whatever they speak. */
static struct reply comes_up(unsigned number, uint8_t level)
{
    return number < 2 || level != 5 ? closes() : accepts(level);
}

static void test_it_comes_back_to_5_0(void **state)
{
    struct server *server = server_begin(comes_up);
    struct station *s = falls_back(*state, server);

    station_connect(s);
    assert_ptr_equal(mqtt_client_protocol(s->client), &mqtt_protocol_5_0);
    assert_int_equal(server_level(server, 0), 5);
    assert_int_equal(server_level(server, 1), 4);
    assert_int_equal(server_level(server, 2), 5);
    station_free(s);
    server_end(server);
}

/* ---- DISCONNECT ---------------------------------------------------------- */

static struct reply takes_over(unsigned number, uint8_t level)
{
    static const uint8_t bytes[] = {
        0x20, 0x03, 0x00, 0x00, 0x00, /* CONNACK: success */
        0xe0, 0x01, 0x8e,             /* DISCONNECT: session taken over */
    };

    (void)number;
    (void)level;
    return (struct reply){bytes, sizeof(bytes), false};
}

/* Two of one identifier must not fight for it. */
static void test_whose_session_is_taken_over_stops(void **state)
{
    struct server *server = server_begin(takes_over);
    struct station *s = station_draft(*state, server_port(server));

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->disconnected == 1);
    assert_int_equal(s->connected, 1);
    assert_int_equal(s->server_disconnects, 1);
    assert_int_equal(s->server_disconnect_code, MQTT_REASON_SESSION_TAKEN_OVER);
    assert_int_equal(s->last.error, MQTT_ERR_DISCONNECT_PACKET);
    assert_int_equal(s->last.reason_code, MQTT_REASON_SESSION_TAKEN_OVER);
    assert_int_equal(mqtt_client_state(s->client), MQTT_CLIENT_STOPPED);
    station_free(s);
    server_end(server);
}

static struct reply shuts_down(unsigned number, uint8_t level)
{
    static const uint8_t bytes[] = {
        0x20, 0x03, 0x00, 0x00, 0x00, /* CONNACK: success */
        0xe0, 0x02, 0x8b, 0x00,       /* DISCONNECT: server shutting down */
    };

    return number ? accepts(level)
                  : (struct reply){bytes, sizeof(bytes), false};
}

static void test_after_a_shutdown_it_comes_back(void **state)
{
    struct server *server = server_begin(shuts_down);
    struct station *s = station_draft(*state, server_port(server));

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected == 2);
    assert_int_equal(s->disconnected, 1);
    assert_int_equal(s->server_disconnect_code,
                     MQTT_REASON_SERVER_SHUTTING_DOWN);
    assert_int_equal(s->first_error, MQTT_ERR_DISCONNECT_PACKET);
    station_free(s);
    server_end(server);
}

/* ---- topic aliases ------------------------------------------------------- */

/* On a second connection the server uses what it had given on the first. */
static struct reply uses_aliases(unsigned number, uint8_t level)
{
    static const uint8_t bytes[] = {
        0x20, 0x03, 0x00, 0x00, 0x00, /* CONNACK: success */
        0x30, 0x08,                   /* PUBLISH, QoS 0 */
        0x00, 0x01, 'a',              /*   topic name */
        0x03, 0x23, 0x00, 0x01,       /*   topic alias 1 */
        '1',                          /*   payload */
        0x30, 0x08,                   /* PUBLISH, QoS 0 */
        0x00, 0x01, 'b',              /*   topic name */
        0x03, 0x23, 0x00, 0x02,       /*   topic alias 2 */
        '2',                          /*   payload */
        0x30, 0x07,                   /* PUBLISH, QoS 0 */
        0x00, 0x00,                   /*   no topic name */
        0x03, 0x23, 0x00, 0x01,       /*   topic alias 1 */
        '3',                          /*   payload */
        0x30, 0x07,                   /* PUBLISH, QoS 0 */
        0x00, 0x00,                   /*   no topic name */
        0x03, 0x23, 0x00, 0x02,       /*   topic alias 2 */
        '4',                          /*   payload */
    };
    static const uint8_t too_late[] = {
        0x20, 0x03, 0x00, 0x00, 0x00, /* CONNACK: success */
        0x30, 0x07,                   /* PUBLISH, QoS 0 */
        0x00, 0x00,                   /*   no topic name */
        0x03, 0x23, 0x00, 0x01,       /*   topic alias 1 */
        '5',                          /*   payload */
    };

    if (number == 0)
        return (struct reply){bytes, sizeof(bytes), false};
    return number == 1 ? (struct reply){too_late, sizeof(too_late), true}
                       : accepts(level);
}

static void test_aliases_of_the_server_hold_for_a_connection(void **state)
{
    static const char *const topics[] = {"a", "b", "a", "b"};
    static const char *const payloads[] = {"1", "2", "3", "4"};
    struct server *server = server_begin(uses_aliases);
    struct station *s = station_draft(*state, server_port(server));

    station_open(s);
    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected == 3);
    assert_int_equal(s->letter_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(s->letters[i].topic, topics[i]);
        assert_string_equal(s->letters[i].payload, payloads[i]);
    }
    assert_int_equal(s->first_error, MQTT_ERR_CLOSED);
    assert_int_equal(s->disconnected, 2);
    assert_int_equal(server_disconnect_code(server),
                     MQTT_REASON_PROTOCOL_ERROR);
    station_free(s);
    server_end(server);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_in_words_of_3_1_1_it_falls_back),
        cmocka_unit_test(test_refused_in_words_of_5_0_it_falls_back),
        cmocka_unit_test(test_closed_without_a_word_it_falls_back),
        cmocka_unit_test(test_without_a_fallback_it_stops),
        cmocka_unit_test(test_it_comes_back_to_5_0),
        cmocka_unit_test(test_whose_session_is_taken_over_stops),
        cmocka_unit_test(test_after_a_shutdown_it_comes_back),
        cmocka_unit_test(test_aliases_of_the_server_hold_for_a_connection),
    };

    return station_run_5_0(argc, argv, "servers_5_0", tests, NULL, NULL);
}
