#include "tls_client.h"

#include "../../platform/layer.h"
#include "turns.h"

#ifdef WITH_LIBEV
#include <mqttloop/libev.h>
#endif

const char *driving = "loop";

/* ---- a layer that counts calls and takes little ------------------------------ */

static struct client *behind(struct mqtt_transport *transport)
{
    return (struct client *)(void *)((char *)transport -
                                     offsetof(struct client, throttle));
}

static ptrdiff_t throttled_recv(struct mqtt_transport *self, void *bytes,
                                size_t size)
{
    struct client *c = behind(self);
    ptrdiff_t got;

    c->recvs++;
    if (c->meanwhile) {
        c->meanwhile(c);
        c->meanwhile = NULL;
        return MQTT_IO_WAIT;
    }
    got = mqtt_layer_recv(self, bytes, size);
    c->received += got > 0 ? (size_t)got : 0;
    return got;
}

static ptrdiff_t throttled_send(struct mqtt_transport *self, const void *bytes,
                                size_t size)
{
    struct client *c = behind(self);

    c->sends++;
    if (c->blocked)
        return MQTT_IO_WAIT;
    return mqtt_layer_send(self, bytes,
                           size < c->send_size ? size : c->send_size);
}

static const struct mqtt_transport_ops throttle = {
    .open = mqtt_layer_open,
    .advance = mqtt_layer_advance,
    .recv = throttled_recv,
    .send = throttled_send,
    .flush = mqtt_layer_flush,
    .finish = mqtt_layer_finish,
    .close = mqtt_layer_close,
    .want = mqtt_layer_want,
    .ready = mqtt_layer_ready,
    .deadline = mqtt_layer_deadline,
    .error = mqtt_layer_error,
    .attach = mqtt_layer_attach,
    .lend = mqtt_layer_lend,
    .give_back = mqtt_layer_give_back,
    .count = mqtt_layer_count,
};

/* ---- what it is told ----------------------------------------------------------- */

static void on_event(struct mqtt_client *mqtt, const struct mqtt_event *event,
                     void *context)
{
    struct client *c = context;

    (void)mqtt;
    c->connected += event->type == MQTT_EVENT_CONNECTED;
    c->published += event->type == MQTT_EVENT_PUBLISHED &&
                    event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    c->disconnected++;
    c->error = event->error;
    snprintf(c->detail, sizeof(c->detail), "%s",
             event->detail ? event->detail : "");
}

static void on_message(struct mqtt_client *mqtt,
                       const struct mqtt_message *message, void *context)
{
    struct client *c = context;

    (void)mqtt;
    c->messages++;
    c->message_bytes += message->payload.size;
}

/* ---- making ---------------------------------------------------------------------- */

static uint32_t random_bits(void *context)
{
    (void)context;
    return 0;
}

static void lend_memory(struct mqtt_memory *memory)
{
    *memory = (struct mqtt_memory){.outbox_size = 1 << 20,
                                   .slot_count = 64,
                                   .control_size = 512,
                                   .input_size = 65536,
                                   .received_count = 64};
    memory->outbox = malloc(memory->outbox_size);
    memory->slots = malloc(memory->slot_count * sizeof(*memory->slots));
    memory->control = malloc(memory->control_size);
    memory->input = malloc(memory->input_size);
    memory->received_list = malloc(64 * sizeof(uint16_t));
}

static void free_memory(const struct mqtt_memory *memory)
{
    free(memory->outbox);
    free(memory->slots);
    free(memory->control);
    free(memory->input);
    free(memory->received_list);
}

static void configure(struct client *c, const char *name, uint16_t port)
{
    snprintf(c->address, sizeof(c->address), "%s", name);
    c->servers[0] = (struct mqtt_server){c->address, port};
    c->send_size = SIZE_MAX;
    c->config.protocol = &mqtt_protocol_3_1_1;
    c->config.connect.client_identifier = mqtt_text("tls");
    c->config.connect.clean_start = true;
    c->config.servers = c->servers;
    c->config.server_count = 1;
    c->config.retry_base_ms = 1;
    c->config.retry_cap_ms = 20;
    c->config.random = random_bits;
    c->config.on_event = on_event;
    c->config.on_message = on_message;
    c->config.context = c;
    c->config.statistics = &c->statistics;
}

static void put_together(struct client *c)
{
    c->socket = mqtt_socket_init(malloc(mqtt_socket_size()));
    c->throttle =
        (struct mqtt_layer){.transport = {&throttle}, .below = c->socket};
    c->layer = c->kind->init(c->kind, malloc(c->kind->size(c->kind)));
    assert_non_null(c->layer);
    c->layer->below = &c->throttle.transport;
    assert_int_equal(
        mqtt_client_init(&c->mqtt, sizeof(c->mqtt), &c->config, &c->memory),
        MQTT_OK);
    mqtt_poll_init(&c->poll, &c->drive);
    mqtt_drive_init(&c->drive, &c->mqtt, &c->layer->transport,
                    &c->poll.reactor);
}

#ifdef WITH_LIBEV
struct ev {
    struct ev_loop *loop;
    struct mqtt_libev adapter;
    ev_timer limit;
};

static void limit_rings(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer, (void)events;
    ev_break(loop, EVBREAK_ONE);
}

static void attach(struct client *c)
{
    struct ev *ev = calloc(1, sizeof(*ev));

    assert_non_null(ev);
    ev->loop = ev_loop_new(EVFLAG_AUTO);
    ev_timer_init(&ev->limit, limit_rings, 0., 0.);
    assert_int_equal(mqtt_libev_attach(&ev->adapter, ev->loop, &c->mqtt),
                     MQTT_OK);
    c->adapter = ev;
}

static void detach(struct client *c)
{
    struct ev *ev = c->adapter;

    mqtt_libev_detach(&ev->adapter);
    ev_loop_destroy(ev->loop);
    free(ev);
}

static void turn_in_libev(struct client *c, int ms)
{
    struct ev *ev = c->adapter;

    ev_now_update(ev->loop);
    ev_timer_set(&ev->limit, ms / 1000., 0.);
    ev_timer_start(ev->loop, &ev->limit);
    ev_run(ev->loop, EVRUN_ONCE);
    ev_timer_stop(ev->loop, &ev->limit);
}
#else
static void attach(struct client *c)
{
    (void)c;
    fail_msg("built without libev");
}
#define detach(c) ((void)(c))
#define turn_in_libev(c, ms) ((void)(c), (void)(ms))
#endif

static struct client *draft_over(const char *name, uint16_t port,
                                 const struct mqtt_layer_kind *kind)
{
    struct client *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    c->kind = kind;
    configure(c, name, port);
    lend_memory(&c->memory);
    return c;
}

struct client *client_draft(const char *name, uint16_t port,
                            const struct mqtt_tls_options *options)
{
    struct mqtt_tls_options usual = {.ca.file = certificate("ca.pem")};
    const struct mqtt_layer_kind *kind;
    char why[256] = "";

    kind = mqtt_openssl_new(options ? options : &usual, NULL, why, sizeof(why));
    if (!kind)
        fail_msg("no TLS: %s", why);
    return draft_over(name, port, kind);
}

void client_ready(struct client *c)
{
    put_together(c);
    if (strcmp(driving, "libev") == 0)
        attach(c);
}

struct client *client_over(const char *name, uint16_t port,
                           const struct mqtt_layer_kind *kind)
{
    struct client *c = draft_over(name, port, kind);

    c->kind_is_shared = true;
    client_ready(c);
    return c;
}

struct client *client_new(const char *name, uint16_t port,
                          const struct mqtt_tls_options *options)
{
    struct client *c = client_draft(name, port, options);

    client_ready(c);
    return c;
}

void client_free(struct client *c)
{
    mqtt_drive_end(&c->drive);
    mqtt_client_destroy(&c->mqtt);
    if (c->adapter)
        detach(c);
    c->kind->end(c->layer);
    free(c->layer);
    mqtt_socket_end(c->socket);
    free(c->socket);
    if (!c->kind_is_shared)
        mqtt_openssl_free(c->kind);
    free_memory(&c->memory);
    free(c);
}

/* ---- turning ----------------------------------------------------------------------- */

void client_turn(struct client *c, int ms)
{
    int result = 0;

    if (!c->may_be_slow)
        turn_begin();
    if (c->adapter)
        turn_in_libev(c, ms);
    else
        result = mqtt_loop(&c->mqtt, ms);
    if (!c->may_be_slow)
        turn_end();
    assert_true(result >= 0 || result == MQTT_ERR_INTERRUPTED);
}

void client_connect(struct client *c)
{
    assert_int_equal(mqtt_connect(&c->mqtt), MQTT_OK);
}

void client_disconnect(struct client *c)
{
    unsigned before = c->disconnected;

    assert_int_equal(mqtt_disconnect(&c->mqtt, PATIENCE_MS), MQTT_OK);
    wait_for(c, c->disconnected > before &&
                    mqtt_client_state(&c->mqtt) == MQTT_CLIENT_STOPPED);
}

static int begin(void **state)
{
    (void)state;
    certificates_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    certificates_end();
    return 0;
}

int client_run_tests(int argc, char **argv, const char *name,
                     const struct CMUnitTest *tests, size_t count)
{
    int failed;

    if (argc > 1)
        driving = argv[1];
    /* SIGPIPE stays as it is: it would end the program. */
    failed = _cmocka_run_group_tests(name, tests, count, begin, end);
    print_message("the longest turn: %lu us\n", turns_longest_us());
    return failed;
}
