/*
 * sensor.c - a device without an operating system: Arm's MPS2 (Cortex-M3), as
 * QEMU emulates it, with Ethernet and lwIP.
 *
 * It reads a sensor each second and publishes what it read at QoS 1, blinks,
 * and does what it is told under NAME/command: "fast", "slow". It reconnects by
 * itself; what it read meanwhile waits in its outbox. `tools/demo device` shows
 * it. All its memory is in this file, and nothing is allocated.
 */
#include <mqttloop/client.h>
#include <mqttloop/coop.h>
#include <mqttloop/lwip.h>
#include <string.h>
#include "board.h"
#include "ethernet.h"

static struct mqtt_coop coop;

/* ---- MQTT: one task ------------------------------------------------------- */

static struct mqtt_lwip network;
static struct mqtt_client client;
static struct mqtt_drive drive;
static struct mqtt_coop_client mqtt;

static uint8_t outbox[1024], control[96], input[256];
static struct mqtt_slot slots[32];
static const struct mqtt_memory memory = {.outbox = outbox,
                                          .outbox_size = sizeof(outbox),
                                          .slots = slots,
                                          .slot_count = 32,
                                          .control = control,
                                          .control_size = sizeof(control),
                                          .input = input,
                                          .input_size = sizeof(input)};

static void on_event(struct mqtt_client *c, const struct mqtt_event *event,
                     void *context)
{
    (void)c, (void)context;
    if (event->type == MQTT_EVENT_CONNECTED)
        board_print("connected\n");
    if (event->type == MQTT_EVENT_DISCONNECTED) {
        board_print(event->detail ? event->detail
                                  : mqtt_error_text(event->error));
        board_print("\n");
    }
}

/* Spreads the tries of many devices: a real one has a better source. */
static uint32_t random_bits(void *context)
{
    static uint32_t bits;

    (void)context;
    bits = bits * 1664525u + 1013904223u + (uint32_t)mqtt_coop_now(&coop);
    return bits;
}

/* ---- the sensor: another ---------------------------------------------------- */

static struct {
    struct mqtt_coop_task task;
    uint32_t period_ms, count;
} sensor;

/* A number as text behind `at`; where it ends. */
static char *put_number(char *at, uint32_t number)
{
    char digits[10];
    unsigned n = 0;

    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *put(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

/* A wave between 18 and 22 degrees stands for the sensor. */
static uint32_t read_millidegrees(uint32_t count)
{
    uint32_t step = count % 40;

    return 18000 + 200 * (step < 20 ? step : 40 - step);
}

static void run_sensor(struct mqtt_coop_task *self)
{
    char text[64], *at;

    mqtt_coop_wake_at(self, mqtt_coop_now(&coop) + sensor.period_ms);
    at = put_number(put(text, "{\"n\":"), sensor.count + 1);
    at = put_number(put(at, ",\"millidegrees\":"),
                    read_millidegrees(sensor.count));
    at = put(at, "}");
    if (mqtt_publish(&client, "sensor/temperature", text, (size_t)(at - text),
                     MQTT_QOS_1, false) == MQTT_OK)
        sensor.count++; /* else the outbox is full: read again later */
}

static void on_command(struct mqtt_client *c,
                       const struct mqtt_message *message, void *context)
{
    const struct mqtt_span word = message->payload;

    (void)c, (void)context;
    if (word.size != 4)
        return;
    if (!memcmp(word.data, "fast", 4))
        sensor.period_ms = 200;
    if (!memcmp(word.data, "slow", 4))
        sensor.period_ms = 1000;
    board_print("told to be ");
    board_print(sensor.period_ms < 1000 ? "fast\n" : "slow\n");
    mqtt_coop_wake(&sensor.task);
}

/* ---- a light: a third --------------------------------------------------------- */

#define LIGHTS 0x40028000 /* the board's two LEDs */

static void run_light(struct mqtt_coop_task *self)
{
    REGISTER(LIGHTS) ^= 1u;
    mqtt_coop_wake_at(self, mqtt_coop_now(&coop) + 500);
}

/* ---- together --------------------------------------------------------------------- */

/* "device PORT": where the broker is, at the emulator's host. */
static uint16_t read_port(void)
{
    const char *at = cortex_m_arguments();
    unsigned port = 0;

    while (*at && *at != ' ')
        at++;
    for (at += *at == ' '; *at >= '0' && *at <= '9'; at++)
        port = port * 10 + (unsigned)(*at - '0');
    return (uint16_t)port;
}

static enum mqtt_error begin_client(void)
{
    static struct mqtt_server server = {"10.0.2.2", 0};
    static const struct mqtt_config config = {
        .protocol = &mqtt_protocol_3_1_1,
        .connect = {.client_identifier = MQTT_TEXT("sensor"),
                    .keep_alive_s = 20},
        .servers = &server,
        .server_count = 1,
        .retry_cap_ms = 2000,
        .random = random_bits,
        .on_event = on_event};
    static struct mqtt_subscription command = {.topic_filter =
                                                   MQTT_TEXT("sensor/command"),
                                               .maximum_qos = MQTT_QOS_1,
                                               .on_message = on_command};
    enum mqtt_error error;

    server.port = read_port();
    error = mqtt_client_init(&client, sizeof(client), &config, &memory);
    if (error)
        return error;
    mqtt_lwip_init(&network, mqtt_coop_client_wake, &mqtt);
    mqtt_drive_init(&drive, &client, &network.transport, NULL);
    mqtt_coop_attach(&mqtt, &coop, &client);
    error = mqtt_subscribe(&client, &command);
    return error ? error : mqtt_connect(&client);
}

int main(void)
{
    static struct mqtt_coop_task light = {.run = run_light};
    static const struct ethernet_addresses addresses = {
        "10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.3"};
    enum mqtt_error error;

    board_begin();
    mqtt_coop_init(&coop, &board_coop);
    ethernet_begin(&coop, &addresses);
    error = begin_client();
    if (error) {
        board_print(mqtt_error_text(error));
        return 1;
    }
    sensor.task.run = run_sensor;
    sensor.period_ms = 1000;
    mqtt_coop_add(&coop, &sensor.task);
    mqtt_coop_add(&coop, &light);
    for (;;)
        mqtt_coop_turn(&coop);
}
