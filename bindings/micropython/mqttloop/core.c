/*
 * Making a client of the core in memory of the collector; what CONNECT says;
 * subscriptions.
 */
#include "core.h"

#include <string.h>

#include "py/mphal.h"

#define RECEIVED_COUNT                                                         \
    20                  /* as many QoS 2 messages as mosquitto sends at once */
#define CONNECT_MOST 64 /* of CONNECT, what is not a text of ours */
#define CONTROL_SPARE 128 /* for a topic filter, and acknowledgements */
#define LARGEST_TEXT 65535

/* ---- random ------------------------------------------------------------------ */

/* For the back-off: any number that others do not have. */
static uint32_t random_bits(void *context)
{
    struct core *core = context;

    core->random ^= core->random << 13;
    core->random ^= core->random >> 17;
    core->random ^= core->random << 5;
    return core->random;
}

static uint32_t seed(const struct core *core)
{
    uint32_t bits = (uint32_t)((uintptr_t)core >> 4);
    struct mqtt_span name = text_from(MP_QSTR_client_id, core->identifier);

#ifdef MICROPY_PY_RANDOM_SEED_INIT_FUNC
    bits ^= (uint32_t)(MICROPY_PY_RANDOM_SEED_INIT_FUNC);
#endif
    bits ^= (uint32_t)mp_hal_ticks_us() * 2654435761u;
    for (size_t i = 0; i < name.size; i++)
        bits = (bits ^ ((const uint8_t *)name.data)[i]) * 16777619u;
    return bits ? bits : 1;
}

/* ---- making ------------------------------------------------------------------ */

static void choose_sizes(struct sizes *sizes,
                         const struct core_arguments *given)
{
    sizes->outbox = number_from(MP_QSTR_outbox, given->outbox, 0, 1 << 29);
    sizes->input = number_from(MP_QSTR_input, given->input, 16, 1 << 29);
    sizes->control = number_from(MP_QSTR_control, given->control, 0, 1 << 29);
    sizes->slots = number_from(MP_QSTR_slots, given->slots, 0, 32768);
}

static bool wants_text(mp_obj_t type)
{
    if (type != MP_OBJ_FROM_PTR(&mp_type_str) &&
        type != MP_OBJ_FROM_PTR(&mp_type_bytes))
        mp_raise_TypeError(MP_ERROR_TEXT("payload_type must be str or bytes"));
    return type == MP_OBJ_FROM_PTR(&mp_type_str);
}

static struct mqtt_span texts_of(const struct core *core)
{
    return text_from(MP_QSTR_client_id, core->identifier);
}

/* The hook before_connect. */
static enum mqtt_error say(void *context, struct mqtt_connect_options *options,
                           struct mqtt_server *server)
{
    const struct core *core = context;
    struct mqtt_connect_options const *fresh = &core->config.connect;

    (void)server;
    options->user_name = fresh->user_name;
    options->password = fresh->password;
    options->will = fresh->will;
    options->keep_alive_s = fresh->keep_alive_s;
    return MQTT_OK;
}

static void configure(struct core *core, bool clean, bool is_5)
{
    struct mqtt_config *config = &core->config;

    config->protocol = is_5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    config->connect.client_identifier = texts_of(core);
    config->connect.clean_start = clean;
    config->tolerate_overrun = true;
    config->republish_lost = true;
    config->servers = &core->server;
    config->server_count = 1;
    config->large = &mqtt_large_parts;
    config->random = random_bits;
    config->random_context = core;
    config->before_connect = say;
    config->context = core;
    core->server.address = "server"; /* Python knows where it is */
}

void core_make(struct core *core, const struct core_arguments *given)
{
    bool is_5 = number_from(MP_QSTR_protocol, given->protocol, 4, 5) == 5;

    text_from(MP_QSTR_client_id, given->client_id);
    choose_sizes(&core->sizes, given);
    core->text = wants_text(given->payload_type);
    core->identifier = given->client_id;
    core->random = seed(core);
    configure(core, given->clean_session, is_5);
    if (!texts_of(core).size && !given->clean_session)
        raise_refused(MQTT_ERR_CLIENT_IDENTIFIER);
}

/* ---- memory ------------------------------------------------------------------ */

static size_t connect_size(const struct core *core)
{
    const struct mqtt_connect_options *connect = &core->config.connect;
    size_t size = CONNECT_MOST + connect->client_identifier.size +
                  connect->user_name.size + connect->password.size;

    if (connect->will)
        size += connect->will->topic_name.size + connect->will->payload.size;
    return size;
}

static size_t control_size(const struct core *core)
{
    size_t least = connect_size(core) + CONTROL_SPARE;

    return core->sizes.control > least ? core->sizes.control : least;
}

/* In one block; what needs most alignment comes first. */
static struct mqtt_memory place(const struct core *core, uint8_t *base)
{
    const struct sizes *sizes = &core->sizes;
    struct mqtt_memory memory = {
        .slots = (struct mqtt_slot *)base,
        .slot_count = sizes->slots,
        .received_count = RECEIVED_COUNT,
        .outbox_size = sizes->outbox,
        .control_size = sizes->control,
        .input_size = sizes->input,
    };

    base += sizes->slots * sizeof *memory.slots;
    memory.received_list = (uint16_t *)base;
    memory.outbox = base += RECEIVED_COUNT * sizeof *memory.received_list;
    memory.control = base += sizes->outbox;
    memory.input = base + sizes->control;
    return memory;
}

static void *lend(struct core *core)
{
    struct sizes *sizes = &core->sizes;

    sizes->control = control_size(core);
    return m_malloc(sizes->slots * sizeof(struct mqtt_slot) +
                    RECEIVED_COUNT * sizeof(uint16_t) + sizes->outbox +
                    sizes->control + sizes->input);
}

void core_begin(struct core *core)
{
    struct mqtt_memory memory;
    void *lent;

    if (core->memory)
        return;
    lent = lend(core);
    memory = place(core, lent);
    raise_refused(mqtt_client_init(&core->client, sizeof core->client,
                                   &core->config, &memory));
    core->memory = lent;
}

/* ---- what CONNECT says --------------------------------------------------------- */

/* Nothing has changed when this raises. */
static void check_fits(const struct core *core, size_t more)
{
    if (core->memory && connect_size(core) + more > core->sizes.control)
        mp_raise_ValueError(
            MP_ERROR_TEXT("control: larger than what was lent; set it before "
                          "connecting, or make control larger"));
}

static struct mqtt_span checked(qstr argument, struct mqtt_span text, bool utf8)
{
    if (text.size > LARGEST_TEXT)
        mp_raise_msg_varg(&mp_type_ValueError,
                          MP_ERROR_TEXT("%q: longer than 65535 bytes"),
                          argument);
    if (utf8 && text.size && memchr(text.data, 0, text.size))
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%q: has U+0000"),
                          argument);
    if (!text.data)
        text.data = "";
    return text;
}

void core_set_credentials(struct core *core, mp_obj_t user_name,
                          mp_obj_t password)
{
    struct mqtt_connect_options *connect = &core->config.connect;
    struct mqtt_span name =
        checked(MP_QSTR_username, text_from(MP_QSTR_username, user_name), true);
    struct mqtt_span word =
        checked(MP_QSTR_password, text_from(MP_QSTR_password, password), false);

    check_fits(core, name.size + word.size);
    core->user_name = user_name;
    core->password = password;
    connect->user_name = name;
    connect->password = word;
}

void core_set_will(struct core *core, mp_obj_t topic, mp_obj_t payload,
                   mp_obj_t qos, bool retain)
{
    struct mqtt_message message = message_from(topic, payload, qos, retain);
    struct will *will;

    if (!mqtt_topic_name_valid(message.topic_name))
        raise_refused(MQTT_ERR_TOPIC_NAME);
    checked(MP_QSTR_payload, message.payload, false);
    check_fits(core, message.topic_name.size + message.payload.size);
    payload = kept(payload);
    will = m_new(struct will, 1);
    message.payload = bytes_from(MP_QSTR_payload, payload);
    *will = (struct will){message, topic, payload};
    core->will = will;
    core->config.connect.will = &will->message;
}

void core_set_keep_alive(struct core *core, mp_obj_t seconds)
{
    mp_uint_t number = number_from(MP_QSTR_keepalive, seconds, 0, 65535);

    core->config.connect.keep_alive_s =
        number ? (uint32_t)number : MQTT_KEEP_ALIVE_OFF;
}

/* ---- requests ----------------------------------------------------------------- */

struct mqtt_message message_from(mp_obj_t topic, mp_obj_t payload, mp_obj_t qos,
                                 bool retain)
{
    return (struct mqtt_message){
        .topic_name = text_from(MP_QSTR_topic, topic),
        .payload = bytes_from(MP_QSTR_payload, payload),
        .qos = (enum mqtt_qos)number_from(MP_QSTR_qos, qos, 0, 2),
        .retain = retain,
    };
}

struct node *node_of(const struct mqtt_subscription *subscription)
{
    return (struct node *)((char *)subscription -
                           offsetof(struct node, subscription));
}

struct node *core_subscribe(struct core *core, mp_obj_t filter, mp_obj_t qos,
                            mp_obj_t target, mqtt_message_function *function)
{
    struct node *node = mp_obj_malloc(struct node, &mqttloop_type_node);

    node->filter = filter;
    node->target = target;
    node->takes_topic = false;
    node->subscription = (struct mqtt_subscription){
        .topic_filter = text_from(MP_QSTR_topic, filter),
        .maximum_qos = (enum mqtt_qos)number_from(MP_QSTR_qos, qos, 0, 2),
        .on_message = function,
        .context = node,
    };
    raise_refused(mqtt_subscribe(&core->client, &node->subscription));
    node->next = core->nodes;
    core->nodes = node;
    return node;
}

void core_forget(struct core *core, struct node *node)
{
    struct node **at = &core->nodes;

    while (*at && *at != node)
        at = &(*at)->next;
    if (*at)
        *at = node->next;
}

/* ---- time ---------------------------------------------------------------------- */

mqtt_time core_clock(struct core *core, uint32_t ticks, uint32_t mask)
{
    core->now += (ticks - core->ticks) & mask;
    core->ticks = ticks;
    return core->now;
}
