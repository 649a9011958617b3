#include "hostile.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A behaviour has so long, and the client may allocate so much on the way. */
enum { LIMIT_MS = 4000, MEMORY_LIMIT = 64 * 1024 };

static uint64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the server --------------------------------------------------------------- */

const struct behaviour *behaviour_of(const struct server *s)
{
    return s->context;
}

static bool answer_pubrec(struct server *s)
{
    static const uint8_t pubrec[] = {0x50, 2, 0, 1};

    return server_await(s, 0x34) && server_send(s, pubrec, sizeof(pubrec)) &&
           server_await(s, 0x62);
}

static bool answer_suback(struct server *s)
{
    static const uint8_t suback_4[] = {0x90, 4, 0, 1, 0, 0};
    static const uint8_t suback_5[] = {0x90, 5, 0, 1, 0, 0, 0};

    return server_await(s, 0x82) &&
           (s->level == 5 ? server_send(s, suback_5, sizeof(suback_5))
                          : server_send(s, suback_4, sizeof(suback_4))) &&
           server_await(s, 0xA2);
}

/* Two messages of QoS 2, whose PUBRECs come. */
static bool fill(struct server *s)
{
    static const uint8_t publish[] = {0x34, 6, 0, 1, 'a', 0, 1, 0,
                                      0x34, 6, 0, 1, 'a', 0, 2, 0};

    return server_send(s, publish, sizeof(publish)) && server_await(s, 0x50) &&
           server_await(s, 0x50);
}

bool prepare(struct server *s)
{
    enum when when = behaviour_of(s)->when;

    if (when <= RESUMING)
        return server_await(s, 0x10);
    if (!server_greet(s))
        return false;
    switch (when) {
    case PUBLISHING_1:
        return server_await(s, 0x32);
    case PUBLISHING_2:
        return server_await(s, 0x34);
    case RELEASED:
        return answer_pubrec(s);
    case SUBSCRIBING:
        return server_await(s, 0x82);
    case UNSUBSCRIBING:
        return answer_suback(s);
    case FULL:
        return fill(s);
    default:
        return true;
    }
}

/* The connection goes on: a message behind it all arrives. */
static void go_on(struct server *s)
{
    static const uint8_t after_4[] = {0x30, 8,   0,   5,   'a',
                                      'f',  't', 'e', 'r', '!'};
    static const uint8_t after_5[] = {0x30, 9,   0,   5, 'a', 'f',
                                      't',  'e', 'r', 0, '!'};

    if (s->level == 5)
        server_send(s, after_5, sizeof(after_5));
    else
        server_send(s, after_4, sizeof(after_4));
    server_be_good(s);
}

static void send_bytes(struct server *s)
{
    const struct behaviour *b = behaviour_of(s);

    if (!prepare(s) || !server_send(s, b->bytes, b->size))
        return;
    if (b->error)
        server_listen_only(s);
    else
        go_on(s);
}

/* ---- the client ------------------------------------------------------------------ */

struct witness {
    struct mqtt_client *client;
    const struct behaviour *behaviour;
    unsigned connected, disconnected, after, acknowledged, subscribed;
    enum mqtt_error error;
    uint8_t reason_code;
    uint32_t messages;
    struct mqtt_subscription subscriptions[2];
};

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct witness *w = context;

    w->connected += event->type == MQTT_EVENT_CONNECTED;
    w->subscribed += event->type == MQTT_EVENT_SUBSCRIBED;
    if (event->type == MQTT_EVENT_PUBLISHED)
        w->acknowledged += event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
    if (event->type == MQTT_EVENT_AUTHENTICATION && event->reason_code)
        mqtt_authenticate(client, mqtt_text("data"), mqtt_text(NULL));
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    if (!w->disconnected++) {
        w->error = event->error;
        w->reason_code = event->reason_code;
    }
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct witness *w = context;

    (void)client;
    w->messages++;
    w->after += message->topic_name.size == 5 &&
                memcmp(message->topic_name.data, "after", 5) == 0;
}

static void configure(struct mqtt_config *c, struct mqtt_server *to,
                      const struct behaviour *b, bool five)
{
    static const uint8_t method[] = {0x15, 0, 1, 'm'};

    c->protocol = five ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    c->connect.client_identifier = mqtt_text("victim");
    c->connect.clean_start = b->when != RESUMING;
    if (five)
        c->connect.receive_maximum = 2;
    if (b->when == AUTHENTICATING || b->when == AUTHENTICATED)
        c->connect.properties = (struct mqtt_span){method, sizeof(method)};
    c->servers = to;
    c->server_count = 1;
    c->open_timeout_ms = 500;
    c->connack_timeout_ms = 150;
    c->pingresp_timeout_ms = 150;
    c->packet_timeout_ms = 150;
    c->retry_base_ms = 1;
    c->retry_cap_ms = 5;
    c->on_event = on_event;
    c->on_message = on_message;
}

static void publish(struct mqtt_client *client, enum mqtt_qos qos)
{
    assert_int_equal(mqtt_publish(client, "a", "x", 1, qos, false), MQTT_OK);
}

/* What the situation needs of the client. */
static void request(struct witness *w)
{
    static const char *const filters[] = {"a", "b/#"};

    switch (w->behaviour->when) {
    case PUBLISHING_1:
        publish(w->client, MQTT_QOS_1);
        break;
    case PUBLISHING_2:
    case RELEASED:
        publish(w->client, MQTT_QOS_2);
        break;
    case SUBSCRIBING:
    case UNSUBSCRIBING:
        for (unsigned i = 0; i < 2; i++) {
            w->subscriptions[i].topic_filter = mqtt_text(filters[i]);
            assert_int_equal(mqtt_subscribe(w->client, &w->subscriptions[i]),
                             MQTT_OK);
        }
        break;
    default:
        break;
    }
    if (w->behaviour->request)
        w->behaviour->request(w->client);
}

#define loop_until(w, condition)                                               \
    do {                                                                       \
        uint64_t until_ = milliseconds() + LIMIT_MS;                           \
        while (!(condition)) {                                                 \
            if (milliseconds() > until_)                                       \
                fail_msg("waited in vain for: %s", #condition);                \
            assert_true(mqtt_loop((w)->client, 20) >= 0);                      \
        }                                                                      \
    } while (0)

static void unsubscribe_when_granted(struct witness *w)
{
    if (w->behaviour->when != UNSUBSCRIBING)
        return;
    loop_until(w, w->subscribed == 2);
    assert_int_equal(mqtt_unsubscribe(w->client, &w->subscriptions[0]),
                     MQTT_OK);
}

/* Until the behaviour is over: it ended the connection, or did not. */
static void suffer(struct witness *w, struct server *s)
{
    const struct behaviour *b = w->behaviour;

    assert_int_equal(mqtt_connect(w->client), MQTT_OK);
    if (b->when > RESUMING) {
        loop_until(w, w->connected || w->disconnected);
        if (w->connected) {
            request(w);
            unsubscribe_when_granted(w);
        }
    }
    if (!b->error) {
        loop_until(w, w->after || w->disconnected);
        assert_int_equal(w->disconnected, 0);
        return;
    }
    loop_until(w, w->disconnected);
    if (!b->also || w->error != b->also)
        assert_string_equal(mqtt_error_text(w->error),
                            mqtt_error_text(b->error));
    assert_int_equal(w->reason_code, b->reason_code);
    loop_until(w, atomic_load(&s->served));
}

/* The same port, and a good server. */
static void live_on(struct witness *w)
{
    unsigned before;

    if (mqtt_client_state(w->client) == MQTT_CLIENT_STOPPED)
        assert_int_equal(mqtt_connect(w->client), MQTT_OK);
    loop_until(w, mqtt_client_state(w->client) == MQTT_CLIENT_CONNECTED);
    before = w->acknowledged;
    publish(w->client, MQTT_QOS_2);
    loop_until(w, w->acknowledged > before);
    assert_int_equal(mqtt_disconnect(w->client, 50), MQTT_OK);
    loop_until(w, mqtt_client_state(w->client) == MQTT_CLIENT_STOPPED);
}

static void check_end(const struct server *s, const struct behaviour *b)
{
    assert_int_equal(s->after_disconnect, 0);
    if (!b->error)
        return;
    assert_int_equal(s->disconnect, b->code != 0 && s->level == 5);
    if (s->disconnect)
        assert_int_equal(s->disconnect_code, b->code);
}

static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

static void meet(const struct behaviour *b, bool five)
{
    struct witness w = {.behaviour = b};
    struct server server;
    struct mqtt_server to = {.address = "127.0.0.1"};
    struct mqtt_config config = {.context = &w};
    struct mqtt_sizes sizes = {.outbox = 65536, .slots = 64};
    size_t before;

    server_begin(&server, b->act ? b->act : send_bytes, b);
    to.port = server.port;
    configure(&config, &to, b, five);
    if (b->configure)
        b->configure(&config, &sizes);
    w.client =
        mqtt_client_new(&config, &(struct mqtt_host){.sizes = sizes}, NULL);
    assert_non_null(w.client);
    before = allocated();
    suffer(&w, &server);
    assert_true(allocated() <= before + MEMORY_LIMIT);
    live_on(&w);
    mqtt_client_free(w.client);
    server_end(&server);
    check_end(&server, b);
}

/* ---- cases ---------------------------------------------------------------------------- */

static void meet_4(void **state)
{
    meet(*state, false);
}

static void meet_5(void **state)
{
    meet(*state, true);
}

static struct CMUnitTest in(const struct behaviour *b, bool five)
{
    struct CMUnitTest test = {.test_func = five ? meet_5 : meet_4};
    size_t size = strlen(b->name) + 16;
    char *name = malloc(size);

    assert_non_null(name);
    snprintf(name, size, "%s [%s]", b->name, five ? "5.0" : "3.1.1");
    test.name = name;
    test.initial_state = (void *)(uintptr_t)b;
    return test;
}

int hostile_run(const char *name, const struct behaviour *behaviours,
                size_t count)
{
    struct CMUnitTest *all = calloc(2 * count, sizeof(*all));
    size_t total = 0;
    int failed;

    if (!all)
        return 1;
    for (size_t i = 0; i < count; i++) {
        if (behaviours[i].versions & V4)
            all[total++] = in(&behaviours[i], false);
        if (behaviours[i].versions & V5)
            all[total++] = in(&behaviours[i], true);
    }
    failed = _cmocka_run_group_tests(name, all, total, NULL, NULL);
    fflush(stdout);
    for (size_t i = 0; i < total; i++)
        free((void *)(uintptr_t)all[i].name);
    free(all);
    return failed;
}
