#include "caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct caller *caller = context;

    (void)client;
    caller->connected += event->type == MQTT_EVENT_CONNECTED;
    caller->acknowledged += event->type == MQTT_EVENT_PUBLISHED &&
                            event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
    if (event->type != MQTT_EVENT_DISCONNECTED || caller->disconnected++)
        return;
    caller->error = event->error;
    snprintf(caller->detail, sizeof caller->detail, "%s",
             event->detail ? event->detail : "");
}

void caller_begin(struct caller *caller, const char *first, const char *second)
{
    memset(caller, 0, sizeof *caller);
    for (int i = 0; i < 2; i++) {
        snprintf(caller->addresses[i], sizeof caller->addresses[i], "%s",
                 i ? (second ? second : "") : first);
        caller->servers[i].address = caller->addresses[i];
    }
    caller->config.servers = caller->servers;
    caller->config.server_count = second ? 2 : 1;
    caller->config.connect.clean_start = true;
    caller->config.retry_base_ms = 5;
    caller->config.retry_cap_ms = 50;
    caller->config.on_event = on_event;
    caller->config.context = caller;
}

void caller_calls(struct caller *caller)
{
    enum mqtt_error error;

    caller->client = mqtt_client_new(&caller->config, &caller->host, &error);
    if (!caller->client)
        fail_msg("%s", mqtt_error_text(error));
    caller->begin_bytes = caller->most_bytes = mallinfo2().uordblks;
    assert_int_equal(mqtt_connect(caller->client), MQTT_OK);
}

void caller_turn(struct caller *caller, struct http_server *server)
{
    int count = turn(caller->client, 2);
    size_t bytes = mallinfo2().uordblks;

    assert_true(count >= 0 || count == MQTT_ERR_INTERRUPTED);
    if (bytes > caller->most_bytes)
        caller->most_bytes = bytes;
    if (server)
        http_server_step(server);
}

void caller_lives(struct caller *caller, struct http_server *server)
{
    unsigned before = caller->acknowledged;

    caller_until(caller, server, caller->connected);
    mqtt_publish(caller->client, "alive", "yes", 3, MQTT_QOS_1, false);
    caller_until(caller, server, caller->acknowledged == before + 1);
}

void caller_leaves(struct caller *caller)
{
    assert_int_equal(mqtt_disconnect(caller->client, 5000), MQTT_OK);
    caller_until(caller, NULL,
                 mqtt_client_state(caller->client) == MQTT_CLIENT_STOPPED);
}

void caller_end(struct caller *caller)
{
    mqtt_client_free(caller->client);
    caller->client = NULL;
}
