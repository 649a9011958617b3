/*
 * resets.c - a server that says why, and resets the connection: what it said
 * lies in the socket yet when sending fails, and is heard before the failure is
 * told.
 */
#include "caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS(bytes) ((struct mqtt_span){bytes, sizeof(bytes) - 1})

static struct http_server server;
static struct caller caller;

/* CONNACK of 5.0 as soon as CONNECT has come. */
static void welcomes(struct http_server *self)
{
    if (!self->stage && self->got_size > 0)
        http_server_sends(self, "\x20\x03\x00\x00\x00", 5);
    self->stage |= self->got_size > 0;
}

static int before_each(void **state)
{
    char address[64];

    (void)state;
    http_server_begin(&server, welcomes, NULL);
    snprintf(address, sizeof address, "mqtt://127.0.0.1:%u", server.port);
    caller_begin(&caller, address, NULL);
    caller.config.protocol = &mqtt_protocol_5_0;
    caller_calls(&caller);
    caller_until(&caller, &server, caller.connected);
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    caller_end(&caller);
    http_server_end(&server);
    return 0;
}

/* All at once, while the client takes no turn. */
static void says_and_resets(struct mqtt_span words)
{
    const struct linger at_once = {1, 0};

    if (words.size)
        assert_int_equal(http_server_sends(&server, words.data, words.size),
                         words.size);
    assert_int_equal(setsockopt(server.peer, SOL_SOCKET, SO_LINGER, &at_once,
                                sizeof at_once),
                     0);
    http_server_closes(&server);
}

static void publish(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(
            mqtt_publish(caller.client, "a", "b", 1, MQTT_QOS_1, false) >= 0);
}

static void test_the_reason_is_heard_though_sending_fails(void **state)
{
    (void)state;
    says_and_resets(WORDS("\xe0\x01\x8b")); /* DISCONNECT, shutting down */
    publish(1);
    caller_until(&caller, NULL, caller.disconnected);
    assert_int_equal(caller.error, MQTT_ERR_DISCONNECT_PACKET);
}

/* Both in one turn: the message, and that there is a reset behind it. */
static void test_what_was_acknowledged_is(void **state)
{
    size_t connect_size = server.got_size;

    (void)state;
    publish(1);
    caller_until(&caller, &server, server.got_size > connect_size);
    says_and_resets(WORDS("\x40\x02\x00\x01")); /* PUBACK of the first */
    publish(3);
    caller_until(&caller, NULL, caller.disconnected);
    assert_int_equal(caller.acknowledged, 1);
    assert_int_equal(caller.error, MQTT_ERR_NETWORK);
}

/* It takes one turn to be told of it, or what is left of this one. */
static void test_a_reset_without_words_is_told(void **state)
{
    char subject[40];

    (void)state;
    snprintf(subject, sizeof subject, "127.0.0.1:%u: ", server.port);
    says_and_resets((struct mqtt_span){NULL, 0});
    publish(50);
    for (int i = 0; i < 2 && !caller.disconnected; i++)
        turn(caller.client, 1000);
    assert_int_equal(caller.disconnected, 1);
    assert_int_equal(caller.error, MQTT_ERR_NETWORK);
    assert_memory_equal(caller.detail, subject, strlen(subject));
}

int main(void)
{
#define EACH(test)                                                             \
    cmocka_unit_test_setup_teardown(test, before_each, after_each)
    const struct CMUnitTest tests[] = {
        EACH(test_the_reason_is_heard_though_sending_fails),
        EACH(test_what_was_acknowledged_is),
        EACH(test_a_reset_without_words_is_told),
    };

    return cmocka_run_group_tests_name("resets", tests, NULL, NULL);
}
