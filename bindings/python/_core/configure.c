/*
 * The arguments of Client(), each under its name: numbers by a table, the rest
 * one by one; and the memory, in one allocation.
 */
#include "core.h"

#define UNTIL 4294967295ul
#define MOST_BYTES (1ul << 30)

enum width { WIDTH_8, WIDTH_16, WIDTH_32, WIDTH_SIZE };

/* What is not a member of struct mqtt_config as it stands. */
struct draft {
    struct mqtt_config config;
    struct mqtt_memory memory;
    uint32_t protocol, servers, largest;
    bool fallback, settle, resume, text;
};

#define CONFIG(name, member, width, least, most)                               \
    {                                                                          \
        name, offsetof(struct draft, config.member), width, least, most        \
    }
#define MEMORY(name, member, least, most)                                      \
    {                                                                          \
        name, offsetof(struct draft, memory.member), WIDTH_SIZE, least, most   \
    }
#define DRAFT(name, member, width, least, most)                                \
    {                                                                          \
        name, offsetof(struct draft, member), width, least, most               \
    }

static const struct number {
    const char *name;
    size_t offset;
    enum width width;
    uint64_t least, most;
} numbers[] = {
    DRAFT("protocol", protocol, WIDTH_32, 4, 5),
    DRAFT("servers", servers, WIDTH_32, 1, 65535),
    DRAFT("largest", largest, WIDTH_32, 1, 268435455),
    DRAFT("fallback", fallback, WIDTH_8, 0, 1),
    DRAFT("settle", settle, WIDTH_8, 0, 1),
    DRAFT("resume", resume, WIDTH_8, 0, 1),
    DRAFT("text", text, WIDTH_8, 0, 1),
    CONFIG("clean_start", connect.clean_start, WIDTH_8, 0, 1),
    CONFIG("receive_maximum", connect.receive_maximum, WIDTH_16, 1, 65535),
    CONFIG("maximum_packet_size", connect.maximum_packet_size, WIDTH_32, 1,
           UNTIL),
    CONFIG("drop_unsupported", drop_unsupported, WIDTH_8, 0, 1),
    CONFIG("keep_qos0", keep_qos0, WIDTH_8, 0, 1),
    CONFIG("no_topic_aliases", no_topic_aliases, WIDTH_8, 0, 1),
    CONFIG("renew_without_retained", renew_without_retained, WIDTH_8, 0, 1),
    CONFIG("check_payload_format", check_payload_format, WIDTH_8, 0, 1),
    CONFIG("tolerate_overrun", tolerate_overrun, WIDTH_8, 0, 1),
    CONFIG("republish_lost", republish_lost, WIDTH_8, 0, 1),
    CONFIG("open_timeout_ms", open_timeout_ms, WIDTH_32, 1, UNTIL),
    CONFIG("connack_timeout_ms", connack_timeout_ms, WIDTH_32, 1, UNTIL),
    CONFIG("pingresp_timeout_ms", pingresp_timeout_ms, WIDTH_32, 1, UNTIL),
    CONFIG("packet_timeout_ms", packet_timeout_ms, WIDTH_32, 1, UNTIL),
    CONFIG("end_timeout_ms", end_timeout_ms, WIDTH_32, 1, UNTIL),
    CONFIG("retry_base_ms", retry_base_ms, WIDTH_32, 1, UNTIL),
    CONFIG("retry_cap_ms", retry_cap_ms, WIDTH_32, 1, UNTIL),
    CONFIG("healthy_after_ms", healthy_after_ms, WIDTH_32, 1, UNTIL),
    CONFIG("send_maximum", send_maximum, WIDTH_16, 1, 65535),
    CONFIG("send_maximum_qos2", send_maximum_qos2, WIDTH_16, 1, 65535),
    MEMORY("outbox", outbox_size, 0, MOST_BYTES),
    MEMORY("slots", slot_count, 0, 32768),
    MEMORY("control", control_size, 16, MOST_BYTES),
    MEMORY("input", input_size, 16, MOST_BYTES),
    MEMORY("unsettled", unsettled_count, 1, 65535),
    MEMORY("aliases", alias_topic_count, 0, 65535),
};

#define ALIAS_NAME_SIZE 256
#define RECEIVED_BITS_SIZE 8192
#define IDENTIFIER_SIZE 128

static const struct draft standard = {
    .config = {.connect = {.clean_start = true}},
    .memory = {.outbox_size = 262144,
               .slot_count = 4096,
               .control_size = 4096,
               .input_size = 65536,
               .unsettled_count = 256,
               .alias_topic_count = 16},
    .protocol = 4,
    .servers = 1,
    .largest = 268435455,
};

/* ---- numbers --------------------------------------------------------------- */

static void store(struct draft *draft, const struct number *to, uint64_t value)
{
    char *at = (char *)draft + to->offset;

    switch (to->width) {
    case WIDTH_8:
        *(bool *)at = value;
        break;
    case WIDTH_16:
        *(uint16_t *)at = (uint16_t)value;
        break;
    case WIDTH_32:
        *(uint32_t *)at = (uint32_t)value;
        break;
    case WIDTH_SIZE:
        *(size_t *)at = value;
        break;
    }
}

static int read_numbers(struct draft *draft, PyObject *arguments)
{
    uint64_t value;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number *number = &numbers[i];
        PyObject *given = PyDict_GetItemString(arguments, number->name);

        if (!given)
            continue;
        if (number_from(number->name, given, number->least, number->most,
                        &value))
            return -1;
        store(draft, number, value);
    }
    return 0;
}

/* ---- the rest -------------------------------------------------------------- */

static const char *const others[] = {
    "client_id", "keep_alive", "user_name",      "password", "will",
    "seed",      "properties", "session_expiry", NULL};

static bool is_known(PyObject *name)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!PyUnicode_CompareWithASCIIString(name, numbers[i].name))
            return true;
    for (size_t i = 0; others[i]; i++)
        if (!PyUnicode_CompareWithASCIIString(name, others[i]))
            return true;
    return false;
}

static int check_names(PyObject *arguments)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;

    while (PyDict_Next(arguments, &position, &name, &value))
        if (!is_known(name)) {
            PyErr_Format(PyExc_TypeError, "Client() has no argument named %R",
                         name);
            return -1;
        }
    return 0;
}

static PyObject *given_or_none(PyObject *arguments, const char *name)
{
    PyObject *given = PyDict_GetItemString(arguments, name);

    return given ? given : Py_None;
}

/* None: the core's default; 0: it ends with the connection. */
static int read_session_expiry(struct mqtt_connect_options *connect,
                               PyObject *value)
{
    uint64_t seconds;

    if (value == Py_None)
        return 0;
    if (number_from("session_expiry", value, 0, UNTIL, &seconds))
        return -1;
    connect->session_expiry_s =
        seconds ? (uint32_t)seconds : MQTT_SESSION_EXPIRY_AT_ONCE;
    return 0;
}

static int read_texts(struct client_object *c, struct draft *draft,
                      PyObject *arguments)
{
    struct mqtt_connect_options *connect = &draft->config.connect;
    PyObject *identifier = PyDict_GetItemString(arguments, "client_id");
    PyObject *keep_alive = PyDict_GetItemString(arguments, "keep_alive");

    c->identifier = identifier ? text_from("client_id", identifier)
                               : PyBytes_FromStringAndSize(NULL, 0);
    if (!c->identifier)
        return -1;
    c->properties = properties_from(c->state, "properties",
                                    given_or_none(arguments, "properties"));
    if (!c->properties)
        return -1;

    if (keep_alive && greeting_set_keep_alive(&c->greeting, keep_alive))
        return -1;
    connect->client_identifier = span_of(c->identifier);
    connect->properties = span_of(c->properties);
    return read_session_expiry(connect,
                               given_or_none(arguments, "session_expiry")) ||
                   greeting_set_credentials(
                       &c->greeting, given_or_none(arguments, "user_name"),
                       given_or_none(arguments, "password")) ||
                   greeting_set_will(c->state, &c->greeting,
                                     given_or_none(arguments, "will"))
               ? -1
               : 0;
}

/* For the back-off: any number that others do not have. */
static uint32_t random_bits(void *context)
{
    struct client_object *c = context;

    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)(c->random >> 16);
}

static int read_seed(struct client_object *c, PyObject *arguments)
{
    PyObject *given = PyDict_GetItemString(arguments, "seed"), *number;

    c->random = (uint64_t)(uintptr_t)c >> 4;
    if (given) {
        number = PyNumber_Index(given);
        if (!number)
            return -1;
        c->random ^= PyLong_AsUnsignedLongLongMask(number);
        Py_DECREF(number);
    }
    c->random = c->random ? c->random : 1;
    return PyErr_Occurred() ? -1 : 0;
}

/* ---- memory ---------------------------------------------------------------- */

/* Goes over the block twice: without a base to count, then to place. */
struct layout {
    char *base;
    size_t used;
};

static void *place(struct layout *layout, size_t size)
{
    size_t at = layout->used;

    layout->used = (at + size + 15) / 16 * 16;
    return layout->base ? layout->base + at : NULL;
}

static void place_all(struct layout *layout, struct mqtt_memory *memory,
                      struct mqtt_server **servers, size_t server_count)
{
    *servers = place(layout, server_count * sizeof **servers);
    memory->control = place(layout, memory->control_size);
    memory->slots = place(layout, memory->slot_count * sizeof *memory->slots);
    memory->outbox = place(layout, memory->outbox_size);
    memory->input = place(layout, memory->input_size);
    memory->identifier = place(layout, memory->identifier_size);
    memory->unsettled =
        place(layout, memory->unsettled_count * sizeof *memory->unsettled);
    memory->alias_topics =
        place(layout, memory->alias_topic_count * sizeof *memory->alias_topics);
    memory->alias_names = place(layout, memory->alias_names_size);
    memory->received_bits = place(layout, RECEIVED_BITS_SIZE);
}

static size_t greeting_size(const struct client_object *c)
{
    const struct mqtt_message *will = &c->greeting.will;

    return span_of(c->identifier).size + span_of(c->properties).size +
           span_of(c->greeting.user_name).size +
           span_of(c->greeting.password).size + will->topic_name.size +
           will->payload.size + will->properties.size;
}

static void choose_sizes(struct draft *draft, const struct client_object *c)
{
    struct mqtt_memory *memory = &draft->memory;

    memory->control_size += greeting_size(c);
    memory->identifier_size = IDENTIFIER_SIZE;
    if (!draft->settle)
        memory->unsettled_count = 0;
    if (draft->protocol == 4 || draft->config.no_topic_aliases)
        memory->alias_topic_count = 0;
    memory->alias_name_count = memory->alias_topic_count;
    memory->alias_names_size = memory->alias_name_count * ALIAS_NAME_SIZE;
}

/* Python knows the addresses; to the core each is a number, its port. */
static void name_servers(struct mqtt_server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        servers[i] = (struct mqtt_server){"server", (uint16_t)(i + 1)};
}

static int lend_memory(struct client_object *c, struct draft *draft)
{
    struct layout layout = {NULL, 0};
    struct mqtt_server *servers;

    choose_sizes(draft, c);
    place_all(&layout, &draft->memory, &servers, draft->servers);
    c->memory = calloc(1, layout.used); /* what is not used is not touched */
    if (!c->memory) {
        PyErr_NoMemory();
        return -1;
    }
    layout = (struct layout){c->memory, 0};
    place_all(&layout, &draft->memory, &servers, draft->servers);
    name_servers(servers, draft->servers);
    draft->config.servers = servers;
    draft->config.server_count = draft->servers;
    return 0;
}

static int make_buffer(struct client_object *c, size_t size)
{
    c->buffer = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
    c->view = c->buffer ? PyMemoryView_FromObject(c->buffer) : NULL;
    if (!c->view)
        return -1;
    c->bytes = PyByteArray_AsString(c->buffer);
    c->size = size;
    return 0;
}

/* ---- all ------------------------------------------------------------------- */

static void finish_config(struct client_object *c, const struct draft *draft)
{
    struct mqtt_config *config = &c->config;
    bool is_5 = draft->protocol == 5;

    *config = draft->config;
    config->protocol = is_5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    config->fallback = draft->fallback ? &mqtt_protocol_3_1_1 : NULL;
    config->session =
        draft->resume ? MQTT_SESSION_RESUME : MQTT_SESSION_DEFAULT;
    config->settle =
        draft->settle ? MQTT_SETTLE_BY_CALL : MQTT_SETTLE_AFTER_CALLBACK;
    config->large = &mqtt_large_parts;
    config->random = random_bits;
    config->random_context = c;
    config->before_connect = greeting_say;
    config->context = c;
    config->statistics = &c->statistics;
    greeting_say(c, &config->connect, NULL); /* to be checked now */
}

int client_configure(struct client_object *c, PyObject *arguments)
{
    struct draft draft = standard;
    enum mqtt_error error;

    if (check_names(arguments) || read_numbers(&draft, arguments) ||
        read_texts(c, &draft, arguments) || read_seed(c, arguments) ||
        lend_memory(c, &draft) || make_buffer(c, draft.memory.input_size))
        return -1;
    finish_config(c, &draft);
    c->text = draft.text;
    c->largest = draft.largest;
    error = mqtt_client_init(&c->client, sizeof c->client, &c->config,
                             &draft.memory);
    if (error) {
        raise_error(c->state, error);
        return -1;
    }
    c->made = true;
    return 0;
}
