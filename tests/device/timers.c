/*
 * timers.c - a client on the board in virtual time (-icount), with a server
 * inside the firmware: nothing outside takes part, so every run is the same.
 *
 * Each line of the console is a moment in milliseconds, and what happened then.
 */
#include "board.h"

#include <string.h>

static struct mqtt_coop coop;
static struct mqtt_coop_client mqtt;
static struct mqtt_client client;
static struct mqtt_drive drive;

static void tell(const char *what)
{
    board_print_number((uint32_t)mqtt_coop_now(&coop));
    board_print(" ");
    board_print(what);
    board_print("\n");
}

/* ---- a server in memory: CONNACK, and PINGRESP while it is not silent ------- */

static struct {
    struct mqtt_transport transport;
    uint8_t answer[4];
    size_t answer_size;
    bool silent;
} wire;

static void answer(const uint8_t *bytes, size_t size)
{
    memcpy(wire.answer, bytes, size);
    wire.answer_size = size;
    mqtt_coop_client_wake(&mqtt);
}

static void wire_open(struct mqtt_transport *self, const struct mqtt_server *to,
                      mqtt_time now)
{
    (void)self, (void)to, (void)now;
    tell("opened");
}

static enum mqtt_transport_state wire_advance(struct mqtt_transport *self,
                                              mqtt_time now)
{
    (void)self, (void)now;
    return MQTT_TRANSPORT_OPEN;
}

static ptrdiff_t wire_recv(struct mqtt_transport *self, void *bytes,
                           size_t size)
{
    size_t n = wire.answer_size < size ? wire.answer_size : size;

    (void)self;
    if (!n)
        return MQTT_IO_WAIT;
    memcpy(bytes, wire.answer, n);
    wire.answer_size = 0;
    return (ptrdiff_t)n;
}

static ptrdiff_t wire_send(struct mqtt_transport *self, const void *bytes,
                           size_t size)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0}, pingresp[] = {0xD0, 0};
    uint8_t first = *(const uint8_t *)bytes;

    (void)self;
    if (first == 0xC0)
        tell("PINGREQ");
    if (first == 0x10 && !wire.silent)
        answer(connack, sizeof(connack));
    if (first == 0xC0 && !wire.silent)
        answer(pingresp, sizeof(pingresp));
    return (ptrdiff_t)size;
}

static void wire_nothing(struct mqtt_transport *self)
{
    (void)self;
}

static bool wire_want(struct mqtt_transport *self, unsigned mask)
{
    (void)self, (void)mask;
    return true;
}

static mqtt_time wire_deadline(struct mqtt_transport *self)
{
    (void)self;
    return MQTT_NEVER;
}

static void wire_attach(struct mqtt_transport *self,
                        struct mqtt_reactor *reactor)
{
    (void)self, (void)reactor;
}

static const struct mqtt_transport_ops ops = {
    .open = wire_open,
    .advance = wire_advance,
    .recv = wire_recv,
    .send = wire_send,
    .finish = wire_nothing,
    .close = wire_nothing,
    .want = wire_want,
    .deadline = wire_deadline,
    .attach = wire_attach,
};

/* ---- the client --------------------------------------------------------------- */

static uint32_t most(void *context)
{
    (void)context;
    return UINT32_MAX;
}

static void on_event(struct mqtt_client *c, const struct mqtt_event *event,
                     void *context)
{
    (void)c, (void)context;
    if (event->type == MQTT_EVENT_CONNECTED)
        tell("connected");
    if (event->type == MQTT_EVENT_DISCONNECTED)
        tell(mqtt_error_text(event->error));
}

static void begin(void)
{
    static const struct mqtt_server server = {"server", 1883};
    static const struct mqtt_config config = {
        .protocol = &mqtt_protocol_3_1_1,
        .connect = {.client_identifier = MQTT_TEXT("c")},
        .servers = &server,
        .server_count = 1,
        .random = most,
        .on_event = on_event};
    static uint8_t control[64], input[64];
    static const struct mqtt_memory memory = {.control = control,
                                              .control_size = sizeof(control),
                                              .input = input,
                                              .input_size = sizeof(input)};

    wire.transport.ops = &ops;
    if (mqtt_client_init(&client, sizeof(client), &config, &memory))
        cortex_m_exit(1);
    mqtt_drive_init(&drive, &client, &wire.transport, NULL);
    mqtt_coop_attach(&mqtt, &coop, &client);
    mqtt_connect(&client);
}

/* The end of a stretch of time is a task, too. */
static bool over;

static void end(struct mqtt_coop_task *self)
{
    over = self->turns > 1;
}

static void run_for(mqtt_time ms)
{
    struct mqtt_coop_task task = {.run = end};

    mqtt_coop_add(&coop, &task);
    mqtt_coop_wake_at(&task, mqtt_coop_now(&coop) + ms);
    over = false;
    while (!over)
        mqtt_coop_turn(&coop);
    mqtt_coop_remove(&coop, &task);
}

int main(void)
{
    board_begin();
    mqtt_coop_init(&coop, &board_coop);
    begin();
    run_for(200000); /* three times keep alive */
    board_print_number(mqtt.task.turns);
    board_print(" turns\n");
    wire.silent = true;
    run_for(110000); /* a dead link, and tries without an answer */
    wire.silent = false;
    run_for(30000);
    return 0;
}
