#include "there_and_back.h"

#include <mqttloop/websocket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const struct mqtt_layer_kind *tls;

/* Around the lengths of frames, of what leaves at once, and of a read. Over
 * WebSocket not the last: of a large message mosquitto 2.0.11 sends but 4 KiB in
 * each tenth of a second there (a raw client had to wait as long). */
static const size_t sizes[] = {0, 119, 122, 16369, 16376, 60000};
#define SIZES (sizeof sizes / sizeof *sizes)
#define FEW 3 /* where it is the way that counts */

static uint8_t content[60000 + SIZES];
static unsigned returned;

static void on_return(struct mqtt_client *client,
                      const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)context;
    assert_true(returned < SIZES);
    assert_int_equal(message->payload.size, sizes[returned]);
    if (message->payload.size)
        assert_memory_equal(message->payload.data, content + returned,
                            message->payload.size);
    returned++;
}

static void go(struct caller *caller, unsigned count)
{
    static struct mqtt_subscription echo;

    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 31 >> 3);
    echo = (struct mqtt_subscription){.topic_filter = MQTT_TEXT("there/back"),
                                      .maximum_qos = MQTT_QOS_1,
                                      .on_message = on_return};
    returned = 0;
    assert_int_equal(mqtt_subscribe(caller->client, &echo), MQTT_OK);
    for (unsigned i = 0; i < count; i++) /* each begins elsewhere */
        mqtt_publish(caller->client, "there/back", content + i, sizes[i],
                     MQTT_QOS_1, false);
    caller_until(caller, NULL, returned == count);
}

void there_and_back(struct caller *caller)
{
    go(caller, SIZES);
}

void caller_draft(struct caller *caller, const char *scheme_and_host,
                  uint16_t port, const struct mqtt_proxy *proxy)
{
    bool web = strncmp(scheme_and_host, "ws", 2) == 0;
    char address[64];

    snprintf(address, sizeof address, "%s:%u%s", scheme_and_host, port,
             web ? "/mqtt" : "");
    caller_begin(caller, address, NULL);
    caller->host.websocket = &mqtt_websocket;
    caller->host.tls = tls;
    if (proxy)
        caller->host.proxy = *proxy;
}

void works(const char *scheme_and_host, uint16_t port,
           const struct mqtt_proxy *proxy, const struct mqtt_protocol *protocol)
{
    bool web = strncmp(scheme_and_host, "ws", 2) == 0;
    struct caller caller;

    caller_draft(&caller, scheme_and_host, port, proxy);
    caller.config.protocol = protocol;
    caller_calls(&caller);
    caller_until(&caller, NULL, caller.connected || caller.disconnected);
    if (caller.disconnected)
        fail_msg("%s: %d %s", caller.addresses[0], caller.error, caller.detail);
    go(&caller, web ? (proxy ? FEW : SIZES - 1) : SIZES);
    caller_leaves(&caller);
    assert_int_equal(caller.disconnected, 1);
    assert_int_equal(caller.error, MQTT_OK);
    caller_end(&caller);
}

void works_in_both(const char *scheme_and_host, uint16_t port,
                   const struct mqtt_proxy *proxy)
{
    works(scheme_and_host, port, proxy, &mqtt_protocol_3_1_1);
    works(scheme_and_host, port, proxy, &mqtt_protocol_5_0);
}

void need(const struct counterpart *counterpart, const char *name)
{
    if (counterpart->pid)
        return;
    print_message("skip: %s is not installed\n", name);
    skip();
}

struct mqtt_proxy by(enum mqtt_proxy_protocol protocol,
                     const struct counterpart *counterpart,
                     const char *user_name, const char *password)
{
    return (struct mqtt_proxy){protocol, "127.0.0.1", counterpart->port,
                               user_name, password};
}
