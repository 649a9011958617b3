/*
 * station.c - a client on the board against a real broker. The command line is
 * `station CASE VERSION PORT [HOST [DNS-PORT]]`; what it tells goes over the console;
 * the exit code is the outcome: 0, or what is missing.
 */
#include "way.h"

#include <mqttloop/stream.h>

#include <string.h>

#define COUNT 30u           /* messages of a case */
#define STREAM_SIZE 102400u /* bytes of the large message */

/* Exit codes. */
enum {
    GOOD,
    USAGE = 2,
    NOT_INITIALISED,
    NOT_ACCEPTED,
    WRONG_PAYLOAD,
    CAME_TWICE,
    NOT_ACKNOWLEDGED,
    WRONG_ERROR,
    TOO_MANY_TURNS,
    NOT_PASSED_OVER
};

static struct {
    char name[12], host[40];
    uint8_t version;
    uint16_t port;
} command;

static struct mqtt_coop coop;
static struct mqtt_coop_client mqtt;
static struct mqtt_client client;
static struct mqtt_drive drive;
static struct mqtt_coop_task conductor;
static struct mqtt_subscription all;

static struct {
    unsigned published, acknowledged, connections;
    bool subscribed;
    uint8_t came[COUNT];
    uint32_t streamed, parts, too_large;
    bool streaming, stream_done;
    mqtt_time idle_since;
    uint32_t idle_turns, idle_pings;
} state;

static struct mqtt_server server;
static struct mqtt_statistics statistics;
static struct mqtt_config config;
static uint8_t outbox[1024], control[128], input[1024];
static struct mqtt_slot slots[8];
static uint16_t received[24];
static const struct mqtt_memory memory = {.outbox = outbox,
                                          .outbox_size = sizeof(outbox),
                                          .slots = slots,
                                          .slot_count = 8,
                                          .control = control,
                                          .control_size = sizeof(control),
                                          .input = input,
                                          .input_size = sizeof(input),
                                          .received_list = received,
                                          .received_count = 24};

/* ---- the command line ------------------------------------------------------ */

static const char *next_word(const char *at, char *word, size_t size)
{
    size_t n = 0;

    while (*at == ' ')
        at++;
    for (; *at && *at != ' '; at++)
        if (n + 1 < size)
            word[n++] = *at;
    word[n] = '\0';
    return at;
}

static uint16_t number_of(const char *digits)
{
    unsigned n = 0;

    while (*digits >= '0' && *digits <= '9')
        n = n * 10 + (unsigned)(*digits++ - '0');
    return (uint16_t)n;
}

static void read_command(void)
{
    char word[16];
    const char *at = next_word(cortex_m_arguments(), word, sizeof(word));

    at = next_word(at, command.name, sizeof(command.name));
    at = next_word(at, word, sizeof(word));
    command.version = (uint8_t)number_of(word);
    at = next_word(at, word, sizeof(word));
    command.port = number_of(word);
    at = next_word(at, command.host, sizeof(command.host));
    next_word(at, word, sizeof(word));
    way_dns_port = number_of(word);
}

static bool case_is(const char *name)
{
    return mqtt_text(name).size == mqtt_text(command.name).size &&
           !memcmp(name, command.name, mqtt_text(name).size);
}

/* ---- console --------------------------------------------------------------- */

static void say(const char *what, uint32_t number)
{
    board_print(what);
    board_print(" ");
    board_print_number(number);
    board_print("\n");
}

static void expect(bool good, int code, const char *what, uint32_t number)
{
    if (good)
        return;
    say(what, number);
    cortex_m_exit(code);
}

/* ---- small messages, each QoS in turn: number, then a pattern ---------------- */

static uint8_t pattern(uint32_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

static size_t fill(uint8_t *payload, unsigned number)
{
    size_t size = 1 + number % 60;

    payload[0] = (uint8_t)number;
    for (size_t i = 1; i < size; i++)
        payload[i] = pattern((uint32_t)(number + i));
    return size;
}

static void check_message(const struct mqtt_message *message)
{
    uint8_t expected[64];
    unsigned number = *(const uint8_t *)message->payload.data;

    expect(number < COUNT, WRONG_PAYLOAD, "wrong number", number);
    expect(message->payload.size == fill(expected, number) &&
               !memcmp(expected, message->payload.data, message->payload.size),
           WRONG_PAYLOAD, "wrong payload of", number);
    state.came[number]++;
    expect(state.came[number] == 1 || number % 3 != 2, CAME_TWICE,
           "came twice:", number);
}

static void publish_next(void)
{
    uint8_t payload[64];
    size_t size = fill(payload, state.published);
    enum mqtt_error error =
        mqtt_publish(&client, "device/small", payload, size,
                     (enum mqtt_qos)(state.published % 3), false);

    if (error == MQTT_OK)
        state.published++;
    else
        expect(error == MQTT_ERR_NO_ROOM || error == MQTT_ERR_OFFLINE,
               NOT_ACCEPTED, "publish", (uint32_t)-error);
}

/* ---- the large message --------------------------------------------------------- */

static const void *read_stream(struct mqtt_source *source, uint32_t offset,
                               size_t *size)
{
    static uint8_t piece[256];

    (void)source;
    for (*size = 0; *size < sizeof(piece) && offset + *size < STREAM_SIZE;
         ++*size)
        piece[*size] = pattern((uint32_t)(offset + *size));
    return piece;
}

static void publish_stream(void)
{
    static struct mqtt_source source = {read_stream, NULL};
    const struct mqtt_message message = {.topic_name =
                                             MQTT_TEXT("device/large"),
                                         .payload = {NULL, STREAM_SIZE},
                                         .qos = MQTT_QOS_1};
    enum mqtt_error error =
        mqtt_publish_stream(&client, &message, &source, NULL);

    expect(!error, NOT_ACCEPTED, "stream", (uint32_t)-error);
    state.streaming = true;
}

static void check_part(const struct mqtt_message *message)
{
    const uint8_t *bytes = message->payload.data;

    expect(message->payload_size == STREAM_SIZE &&
               message->payload_offset == state.streamed,
           WRONG_PAYLOAD, "wrong part at", message->payload_offset);
    for (size_t i = 0; i < message->payload.size; i++)
        expect(bytes[i] == pattern((uint32_t)(message->payload_offset + i)),
               WRONG_PAYLOAD, "wrong byte at",
               (uint32_t)(message->payload_offset + i));
    state.streamed += (uint32_t)message->payload.size;
    state.parts++;
    if (case_is("refuse"))
        expect(!mqtt_refuse_rest(&client, 0x97), NOT_PASSED_OVER, "refuse", 0);
}

/* ---- what the client tells --------------------------------------------------------- */

static void on_message(struct mqtt_client *c,
                       const struct mqtt_message *message, void *context)
{
    (void)c, (void)context;
    if (message->payload_size == STREAM_SIZE)
        check_part(message);
    else
        check_message(message);
    mqtt_coop_wake(&conductor);
}

static void on_disconnected(const struct mqtt_event *event)
{
    board_print("disconnected: ");
    board_print(event->detail ? event->detail : mqtt_error_text(event->error));
    say(",", (uint32_t)-event->error);
}

static void on_event(struct mqtt_client *c, const struct mqtt_event *event,
                     void *context)
{
    (void)c, (void)context;
    if (event->type == MQTT_EVENT_CONNECTED)
        say("connected", ++state.connections);
    if (event->type == MQTT_EVENT_DISCONNECTED)
        on_disconnected(event);
    if (event->type == MQTT_EVENT_SUBSCRIBED)
        state.subscribed = event->reason_code < 0x80;
    if (event->type == MQTT_EVENT_MESSAGE_TOO_LARGE)
        state.too_large += event->size > STREAM_SIZE;
    if (event->type == MQTT_EVENT_PUBLISHED) {
        expect(event->outcome == MQTT_OUTCOME_ACKNOWLEDGED, NOT_ACKNOWLEDGED,
               "outcome", event->outcome);
        state.acknowledged++;
        state.stream_done |= state.streaming;
    }
    mqtt_coop_wake(&conductor);
}

/* ---- the cases --------------------------------------------------------------------- */

static bool all_came(void)
{
    unsigned i;

    for (i = 0; i < COUNT; i++)
        if (!state.came[i] && i % 3 != 0) /* QoS 0 may be cut off */
            return false;
    return true;
}

static bool qos0_came(void)
{
    unsigned i;

    for (i = 0; i < COUNT; i += 3)
        if (!state.came[i])
            return false;
    return true;
}

static bool exchanged(void)
{
    return state.acknowledged == COUNT / 3 * 2 && all_came();
}

/* Each QoS both ways: the server sends back what it got. */
static bool echo(void)
{
    while (state.published < COUNT) {
        unsigned before = state.published;

        publish_next();
        if (state.published == before)
            break;
    }
    return exchanged() && qos0_came();
}

/* One message at a time, over what is done to the server or to the cable. */
static bool outlive(void)
{
    static mqtt_time last;
    mqtt_time now = mqtt_coop_now(&coop);

    if (state.published < COUNT && now - last >= 100) {
        last = now;
        publish_next();
        say("published", state.published);
    }
    mqtt_coop_wake_at(&conductor, now + 100);
    return exchanged() && state.connections >= 2;
}

static bool stream(void)
{
    if (!state.streaming)
        publish_stream();
    return state.stream_done && state.streamed == STREAM_SIZE;
}

/* A message larger than the memory is read past, whole or after its first part,
 * and what comes behind it is as ever. In 5.0 the server does not send what is
 * larger than it was told. */
static bool pass_over(void)
{
    bool refused = case_is("refuse");
    uint32_t told = !refused && command.version == 4;

    if (!state.streaming)
        publish_stream();
    while (state.stream_done && state.published < 3)
        publish_next();
    if (state.acknowledged < 3 || !state.came[1] || !state.came[2])
        return false;
    expect(state.parts == refused && state.too_large == told, NOT_PASSED_OVER,
           "parts", state.parts);
    return state.came[0];
}

/* Ten seconds without anything but the keep alive of one second. */
static bool idle(void)
{
    mqtt_time now = mqtt_coop_now(&coop);
    uint32_t turns, pings;

    if (!state.idle_since) {
        state.idle_since = now;
        state.idle_turns = mqtt.task.turns;
        state.idle_pings = (uint32_t)statistics.pings_sent;
    }
    mqtt_coop_wake_at(&conductor, state.idle_since + 10000);
    if (now < state.idle_since + 10000)
        return false;
    turns = mqtt.task.turns - state.idle_turns;
    pings = (uint32_t)statistics.pings_sent - state.idle_pings;
    say("pings", pings);
    say("turns", turns);
    expect(pings >= 8 && turns <= 6 * pings + 6, TOO_MANY_TURNS, "turns",
           turns);
    return true;
}

static bool finished(void)
{
    if (case_is("fail")) /* the console tells how */
        return false;
    if (!state.subscribed)
        return false;
    if (case_is("echo"))
        return echo();
    if (case_is("outlive"))
        return outlive();
    if (case_is("stream"))
        return stream();
    if (case_is("oversize") || case_is("refuse"))
        return pass_over();
    if (case_is("idle"))
        return idle();
    cortex_m_exit(USAGE);
}

static void conduct(struct mqtt_coop_task *self)
{
    static bool ending;

    (void)self;
    if (!ending && finished()) {
        ending = true;
        mqtt_disconnect(&client, 2000);
    }
    if (ending && mqtt_client_state(&client) == MQTT_CLIENT_STOPPED)
        cortex_m_exit(GOOD);
}

/* ---- begin --------------------------------------------------------------------------- */

static uint32_t random_bits(void *context)
{
    static uint32_t bits = 1;

    (void)context;
    bits = bits * 1664525u + 1013904223u;
    return bits;
}

/* Each case, version and way has a session of its own. */
static struct mqtt_span identifier(void)
{
    static char text[sizeof(command.name) + 3];
    size_t size = mqtt_text(command.name).size;

    memcpy(text, command.name, size);
    text[size] = (char)('0' + command.version);
    text[size + 1] = way_letter;
    return mqtt_text(text);
}

static bool is_large(void)
{
    return case_is("stream") || case_is("oversize") || case_is("refuse");
}

static void configure(void)
{
    server.address = command.host[0] ? command.host : way_to_host;
    server.port = command.port;
    config = (struct mqtt_config){
        .protocol =
            command.version == 5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1,
        .connect = {.client_identifier = identifier(),
                    .keep_alive_s = is_large() ? 60 : 1},
        .session = MQTT_SESSION_NEW,
        .servers = &server,
        .server_count = 1,
        .pingresp_timeout_ms = 1500,
        .open_timeout_ms = 3000,
        .retry_base_ms = 100,
        .retry_cap_ms = 500,
        .large = case_is("oversize") ? NULL : &mqtt_large_parts,
        .random = random_bits,
        .on_event = on_event,
        .on_message = on_message,
        .statistics = &statistics,
    };
    if (is_large())
        config.pingresp_timeout_ms = 20000;
}

static void begin(void)
{
    enum mqtt_error error;
    struct mqtt_transport *way = way_begin(&coop, &mqtt);

    configure();
    error = mqtt_client_init(&client, sizeof(client), &config, &memory);
    expect(!error, NOT_INITIALISED, "init", (uint32_t)-error);
    mqtt_drive_init(&drive, &client, way, NULL);
    mqtt_coop_attach(&mqtt, &coop, &client);
    all.topic_filter = mqtt_text("device/#");
    all.maximum_qos = MQTT_QOS_2;
    all.on_message = on_message;
    expect(!mqtt_subscribe(&client, &all), NOT_INITIALISED, "subscribe", 0);
    conductor.run = conduct;
    mqtt_coop_add(&coop, &conductor);
    mqtt_connect(&client);
}

int main(void)
{
    board_begin();
    read_command();
    mqtt_coop_init(&coop, &board_coop);
    begin();
    for (;;)
        mqtt_coop_turn(&coop);
}
