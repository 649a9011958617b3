#include "station.h"

#include <unistd.h>

#ifdef WITH_LIBEV
#include <mqttloop/libev.h>
#endif

/* ---- driven by mqtt_loop() ----------------------------------------------- */

static void loop_begin(struct station *s)
{
    (void)s;
}

static void loop_turn(struct station *s, int timeout_ms)
{
    int result = mqtt_loop(s->client, timeout_ms);

    assert_true(result >= 0 || result == MQTT_ERR_INTERRUPTED);
}

const struct driving driving_loop = {"mqtt_loop", loop_begin, loop_turn,
                                     loop_begin};

/* ---- driven by libev ----------------------------------------------------- */

#ifdef WITH_LIBEV
struct ev_driving {
    struct ev_loop *loop;
    struct mqtt_libev adapter;
    ev_timer limit;
};

static void limit_rings(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

static void ev_begin(struct station *s)
{
    struct ev_driving *ev = calloc(1, sizeof(*ev));

    assert_non_null(ev);
    ev->loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(ev->loop);
    ev_timer_init(&ev->limit, limit_rings, 0., 0.);
    assert_int_equal(mqtt_libev_attach(&ev->adapter, ev->loop, s->client),
                     MQTT_OK);
    s->adapter = ev;
}

static void ev_turn(struct station *s, int timeout_ms)
{
    struct ev_driving *ev = s->adapter;

    ev_now_update(ev->loop);
    ev_timer_set(&ev->limit, timeout_ms / 1000., 0.);
    ev_timer_start(ev->loop, &ev->limit);
    ev_run(ev->loop, EVRUN_ONCE);
    ev_timer_stop(ev->loop, &ev->limit);
}

static void ev_end(struct station *s)
{
    struct ev_driving *ev = s->adapter;

    mqtt_libev_detach(&ev->adapter);
    ev_loop_destroy(ev->loop);
    free(ev);
    s->adapter = NULL;
}

const struct driving driving_libev = {"libev", ev_begin, ev_turn, ev_end};
#endif

static const struct driving *const drivings[] = {
    &driving_loop,
#ifdef WITH_LIBEV
    &driving_libev,
#endif
};
#define DRIVING_COUNT (sizeof(drivings) / sizeof(drivings[0]))

/* ---- what a station is told ---------------------------------------------- */

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct station *s = context;

    assert_ptr_equal(client, s->client);
    s->connected += event->type == MQTT_EVENT_CONNECTED;
    s->disconnected += event->type == MQTT_EVENT_DISCONNECTED;
    s->subscribed += event->type == MQTT_EVENT_SUBSCRIBED;
    s->unsubscribed += event->type == MQTT_EVENT_UNSUBSCRIBED;
    s->room += event->type == MQTT_EVENT_ROOM;
    s->too_large += event->type == MQTT_EVENT_MESSAGE_TOO_LARGE;
    if (event->type == MQTT_EVENT_CONNECTED)
        s->session_present = event->session_present;
    if (event->type == MQTT_EVENT_PUBLISHED) {
        s->acknowledged += event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
        s->lost += event->outcome != MQTT_OUTCOME_ACKNOWLEDGED;
    }
    s->last = *event;
    if (event->type == MQTT_EVENT_DISCONNECTED)
        snprintf(s->detail, sizeof(s->detail), "%s",
                 event->detail ? event->detail : "");
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct station *s = context;
    struct letter *letter;

    (void)client;
    s->letters =
        realloc(s->letters, (s->letter_count + 1) * sizeof(*s->letters));
    assert_non_null(s->letters);
    letter = &s->letters[s->letter_count++];
    memset(letter, 0, sizeof(*letter));
    snprintf(letter->topic, sizeof(letter->topic), "%.*s",
             (int)message->topic_name.size,
             (const char *)message->topic_name.data);
    letter->size = message->payload.size;
    letter->payload = malloc(letter->size + 1);
    assert_non_null(letter->payload);
    if (letter->size)
        memcpy(letter->payload, message->payload.data, letter->size);
    letter->payload[letter->size] = '\0';
    letter->qos = message->qos;
    letter->retain = message->retain;
    letter->dup = message->dup;
}

/* ---- stations ------------------------------------------------------------ */

struct station *station_draft(const struct driving *driving, uint16_t port)
{
    static unsigned number;
    struct station *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->driving = driving;
    snprintf(s->address, sizeof(s->address), "127.0.0.1");
    snprintf(s->identifier, sizeof(s->identifier), "station-%d-%u",
             (int)getpid(), number++);
    s->server.port = port;
    s->config.connect.client_identifier = mqtt_text(s->identifier);
    s->config.server_count = 1;
    s->config.retry_base_ms = 5;
    s->config.retry_cap_ms = 50;
    s->config.on_event = on_event;
    s->config.on_message = on_message;
    s->config.context = s;
    return s;
}

void station_open(struct station *s)
{
    enum mqtt_error error;

    s->server.address = s->address;
    s->config.servers = s->config.servers ? s->config.servers : &s->server;
    s->client = mqtt_client_new(&s->config, &s->sizes, &error);
    if (!s->client)
        fail_msg("no client: %s", mqtt_error_text(error));
    s->driving->begin(s);
}

struct station *station_new(const struct driving *driving, uint16_t port)
{
    struct station *s = station_draft(driving, port);

    station_open(s);
    station_connect(s);
    return s;
}

void station_free(struct station *s)
{
    mqtt_client_free(s->client);
    s->driving->end(s);
    for (size_t i = 0; i < s->letter_count; i++)
        free(s->letters[i].payload);
    free(s->letters);
    free(s);
}

void station_connect(struct station *s)
{
    unsigned before = s->connected;

    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected > before);
}

void station_disconnect(struct station *s)
{
    assert_int_equal(mqtt_disconnect(s->client, PATIENCE_MS), MQTT_OK);
    wait_for(s, mqtt_client_state(s->client) == MQTT_CLIENT_STOPPED &&
                    s->last.type == MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->last.error, MQTT_OK);
}

void station_subscribe(struct station *s, const char *filter, enum mqtt_qos qos)
{
    unsigned before = s->subscribed;

    s->subscription.topic_filter = mqtt_text(filter);
    s->subscription.maximum_qos = qos;
    assert_int_equal(mqtt_subscribe(s->client, &s->subscription), MQTT_OK);
    wait_for(s, s->subscribed > before);
    assert_int_equal(s->last.reason_code, qos);
}

void station_publish(struct station *s, const char *topic, const char *payload,
                     enum mqtt_qos qos, bool retain)
{
    assert_int_equal(
        mqtt_publish(s->client, topic, payload, strlen(payload), qos, retain),
        MQTT_OK);
}

const struct letter *station_last(const struct station *s)
{
    assert_true(s->letter_count > 0);
    return &s->letters[s->letter_count - 1];
}

/* ---- each test under each driving ---------------------------------------- */

static struct CMUnitTest under(const struct CMUnitTest *test,
                               const struct driving *driving)
{
    struct CMUnitTest result = *test;
    size_t size = strlen(test->name) + strlen(driving->name) + 4;
    char *name = malloc(size);

    assert_non_null(name);
    snprintf(name, size, "%s [%s]", test->name, driving->name);
    result.name = name;
    result.initial_state = (void *)(uintptr_t)driving;
    return result;
}

int station_run_tests(const char *name, const struct CMUnitTest *tests,
                      size_t count, CMFixtureFunction begin,
                      CMFixtureFunction end)
{
    size_t total = count * DRIVING_COUNT;
    struct CMUnitTest *all = calloc(total, sizeof(*all));
    int failed;

    for (size_t i = 0; all && i < total; i++)
        all[i] = under(&tests[i / DRIVING_COUNT], drivings[i % DRIVING_COUNT]);
    failed = _cmocka_run_group_tests(name, all, total, begin, end);
    /* Else lost, when the leak checker ends a program that failed. */
    fflush(stdout);
    for (size_t i = 0; all && i < total; i++)
        free((void *)(uintptr_t)all[i].name);
    free(all);
    return failed;
}
