/*
 * The type Core: the core's ports and requests for a loop in Python. Nothing
 * here does any I/O.
 */
#include "core.h"

#include <string.h>

#include "py/smallint.h"

/* Ticks as time.ticks_ms() gives them; of more than 32 bits the lower ones
 * count. */
#define TICKS_MASK (MICROPY_PY_TIME_TICKS_PERIOD - 1)

static struct core *core_of(mp_obj_t self)
{
    struct core *core = MP_OBJ_TO_PTR(self);

    core_begin(core);
    return core;
}

/* ---- making -------------------------------------------------------------------- */

static const mp_arg_t make_arguments[] = {
    {MP_QSTR_client_id, MP_ARG_OBJ | MP_ARG_REQUIRED, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_clean_session, MP_ARG_BOOL, {.u_bool = false}},
    {MP_QSTR_payload_type,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_PTR(&mp_type_str)}},
    {MP_QSTR_protocol,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_INT(4)}},
    {MP_QSTR_outbox,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_INT(512)}},
    {MP_QSTR_input,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_INT(256)}},
    {MP_QSTR_slots, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_rom_obj = MP_ROM_INT(8)}},
    {MP_QSTR_control,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_INT(0)}},
};

static mp_obj_t make(const mp_obj_type_t *type, size_t n, size_t n_kw,
                     const mp_obj_t *given)
{
    mp_arg_val_t a[MP_ARRAY_SIZE(make_arguments)];
    struct core *core;

    mp_arg_parse_all_kw_array(n, n_kw, given, MP_ARRAY_SIZE(a), make_arguments,
                              a);
    core = mp_obj_malloc(struct core, type);
    memset((char *)core + sizeof core->base, 0,
           sizeof *core - sizeof core->base);
    core_make(core, &(struct core_arguments){
                        a[0].u_obj, a[1].u_bool, a[2].u_obj, a[3].u_obj,
                        a[4].u_obj, a[5].u_obj, a[6].u_obj, a[7].u_obj});
    return MP_OBJ_FROM_PTR(core);
}

/* ---- what CONNECT says ----------------------------------------------------------- */

static mp_obj_t set_credentials(mp_obj_t self, mp_obj_t name, mp_obj_t word)
{
    core_set_credentials(MP_OBJ_TO_PTR(self), name, word);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(set_credentials_object, set_credentials);

static mp_obj_t set_will(size_t n, const mp_obj_t *a)
{
    core_set_will(MP_OBJ_TO_PTR(a[0]), a[1], a[2],
                  n > 3 ? a[3] : MP_OBJ_NEW_SMALL_INT(0),
                  n > 4 && mp_obj_is_true(a[4]));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(set_will_object, 3, 5, set_will);

static mp_obj_t set_keep_alive(mp_obj_t self, mp_obj_t seconds)
{
    core_set_keep_alive(MP_OBJ_TO_PTR(self), seconds);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(set_keep_alive_object, set_keep_alive);

/* ---- requests -------------------------------------------------------------------- */

static mp_obj_t connect(mp_obj_t self)
{
    raise_refused(mqtt_connect(&core_of(self)->client));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(connect_object, connect);

static mp_obj_t disconnect(size_t n, const mp_obj_t *a)
{
    mp_uint_t timeout =
        n > 1 ? number_from(MP_QSTR_timeout_ms, a[1], 0, 0x3FFFFFFF) : 0;

    raise_refused(mqtt_disconnect(&core_of(a[0])->client, (uint32_t)timeout));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disconnect_object, 1, 2, disconnect);

static mp_obj_t publish(size_t n, const mp_obj_t *a)
{
    struct mqtt_message message = message_from(
        a[1], n > 2 ? a[2] : mp_const_empty_bytes,
        n > 3 ? a[3] : MP_OBJ_NEW_SMALL_INT(0), n > 4 && mp_obj_is_true(a[4]));
    uint16_t identifier = 0;

    raise_refused(
        mqtt_client_publish(&core_of(a[0])->client, &message, &identifier));
    return MP_OBJ_NEW_SMALL_INT(identifier);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(publish_object, 2, 5, publish);

/* Called by the core, through which no exception may pass. */
static void hit(struct mqtt_client *client, const struct mqtt_message *message,
                void *context)
{
    struct core *core =
        (struct core *)((char *)client - offsetof(struct core, client));
    struct node *node = context;
    nlr_buf_t nlr;

    (void)message;
    if (core->hits == MP_OBJ_NULL || nlr_push(&nlr)) {
        core->hits = MP_OBJ_NULL;
        return;
    }
    mp_obj_list_append(core->hits, node->target);
    nlr_pop();
}

static mp_obj_t subscribe(size_t n, const mp_obj_t *a)
{
    struct core *core = core_of(a[0]);

    return MP_OBJ_FROM_PTR(
        core_subscribe(core, a[1], n > 2 ? a[2] : MP_OBJ_NEW_SMALL_INT(0),
                       n > 3 ? a[3] : mp_const_none, hit));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(subscribe_object, 2, 4, subscribe);

static bool is_ours(const struct core *core, const struct node *node)
{
    const struct node *each = core->nodes;

    while (each && each != node)
        each = each->next;
    return each;
}

static mp_obj_t unsubscribe(mp_obj_t self, mp_obj_t subscription)
{
    struct core *core = core_of(self);
    struct node *node;

    if (!mp_obj_is_type(subscription, &mqttloop_type_node))
        mp_raise_TypeError(
            MP_ERROR_TEXT("subscription must be what subscribe() returned"));
    node = MP_OBJ_TO_PTR(subscription);
    raise_refused(is_ours(core, node)
                      ? mqtt_unsubscribe(&core->client, &node->subscription)
                      : MQTT_ERR_STATE);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(unsubscribe_object, unsubscribe);

/* ---- events ---------------------------------------------------------------------- */

static mp_obj_t targets_of(struct core *core, const struct mqtt_message *m)
{
    mp_obj_t hits = core->hits = mp_obj_new_list(0, NULL);

    mqtt_dispatch_linear(&core->client, m);
    if (core->hits == MP_OBJ_NULL)
        m_malloc_fail(sizeof(mp_obj_t));
    core->hits = MP_OBJ_NULL;
    return hits;
}

/* MP_OBJ_NULL: it is not whole yet. */
static mp_obj_t message_of(struct core *core, const struct mqtt_message *m)
{
    mp_obj_t items[6] = {MP_OBJ_NEW_SMALL_INT(MQTT_EVENT_MESSAGE)};

    if (!message_payload(core, m, &items[2]))
        return MP_OBJ_NULL;
    items[1] = str_of(m->topic_name);
    items[3] = MP_OBJ_NEW_SMALL_INT(m->qos);
    items[4] = mp_obj_new_bool(m->retain);
    items[5] = targets_of(core, m);
    return mp_obj_new_tuple(6, items);
}

static mp_obj_t subject_of(const struct mqtt_event *event)
{
    if (event->subscription)
        return MP_OBJ_FROM_PTR(node_of(event->subscription));
    if (event->type == MQTT_EVENT_CONNECTED)
        return mp_obj_new_bool(event->session_present);
    return MP_OBJ_NEW_SMALL_INT(event->packet_identifier);
}

static mp_obj_t event_of(struct core *core, const struct mqtt_event *event)
{
    bool stopped =
        event->type == MQTT_EVENT_DISCONNECTED && event->retry_at == MQTT_NEVER;
    mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(event->type),
        subject_of(event),
        MP_OBJ_NEW_SMALL_INT(event->error),
        MP_OBJ_NEW_SMALL_INT(event->reason_code),
        MP_OBJ_NEW_SMALL_INT(event->outcome),
        mp_obj_new_bool(stopped),
    };

    mp_obj_t tuple = mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);

    if (event->type == MQTT_EVENT_UNSUBSCRIBED)
        core_forget(core, node_of(event->subscription));
    return tuple;
}

static mp_obj_t pull(mp_obj_t self)
{
    struct core *core = core_of(self);
    mp_obj_t result;

    while (core_next(core)) {
        result = core->event.type == MQTT_EVENT_MESSAGE
                     ? message_of(core, &core->event.message)
                     : event_of(core, &core->event);
        core->held = false; /* not before: that may have raised */
        if (result != MP_OBJ_NULL)
            return result;
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(pull_object, pull);

/* ---- bytes ----------------------------------------------------------------------- */

static mp_obj_t feed(mp_obj_t self, mp_obj_t data)
{
    struct mqtt_span bytes = bytes_from(MP_QSTR_data, data);
    struct core *core = core_of(self);
    size_t size;
    void *to = core_input(core, &size);

    if (!to)
        return MP_OBJ_NEW_SMALL_INT(0);
    if (size > bytes.size)
        size = bytes.size;
    if (size)
        memcpy(to, bytes.data, size);
    mqtt_client_input_done(&core->client, size);
    return MP_OBJ_NEW_SMALL_INT(size);
}
static MP_DEFINE_CONST_FUN_OBJ_2(feed_object, feed);

static mp_obj_t output(mp_obj_t self)
{
    struct core *core = core_of(self);
    struct mqtt_span span;

    span.data = mqtt_client_output_buf(&core->client, &span.size);
    core->offered = span.size;
    return span.data ? bytes_of(span) : mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(output_object, output);

/* Of what was offered: asked again, the core may offer something else. */
static mp_obj_t sent(mp_obj_t self, mp_obj_t count)
{
    struct core *core = core_of(self);
    size_t size = number_from(MP_QSTR_size, count, 0, core->offered);

    core->offered = 0;
    if (size)
        mqtt_client_output_done(&core->client, size);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(sent_object, sent);

/* ---- the network connection, and time ---------------------------------------------- */

static mp_obj_t wants(mp_obj_t self)
{
    return MP_OBJ_NEW_SMALL_INT(mqtt_client_wants(&core_of(self)->client));
}
static MP_DEFINE_CONST_FUN_OBJ_1(wants_object, wants);

static mp_obj_t state(mp_obj_t self)
{
    return MP_OBJ_NEW_SMALL_INT(mqtt_client_state(&core_of(self)->client));
}
static MP_DEFINE_CONST_FUN_OBJ_1(state_object, state);

static mp_obj_t opened(mp_obj_t self)
{
    struct core *core = core_of(self);

    core->offered = 0;
    mqtt_client_opened(&core->client);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(opened_object, opened);

static enum mqtt_error cause_from(mp_obj_t value)
{
    mp_int_t number = mp_obj_get_int(value);

    if (number > 0 || number < MQTT_ERR_PROXY)
        mp_raise_ValueError(MP_ERROR_TEXT("error must be one of ERR_..."));
    return (enum mqtt_error)number;
}

static mp_obj_t closed(size_t n, const mp_obj_t *a)
{
    enum mqtt_error cause = n > 1 ? cause_from(a[1]) : MQTT_ERR_CLOSED;

    struct core *core = core_of(a[0]);

    core->offered = 0;
    mqtt_client_closed(&core->client, cause, NULL);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(closed_object, 1, 2, closed);

static mp_obj_t tick(mp_obj_t self, mp_obj_t ticks)
{
    struct core *core = core_of(self);
    mp_uint_t now = number_from(MP_QSTR_ticks, ticks, 0, TICKS_MASK);

    mqtt_client_tick(&core->client,
                     core_clock(core, (uint32_t)now, (uint32_t)TICKS_MASK));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(tick_object, tick);

/* Milliseconds, counted from the last tick. */
static mp_obj_t deadline(mp_obj_t self)
{
    struct core *core = core_of(self);
    mqtt_time due = mqtt_client_deadline(&core->client);

    if (due == MQTT_NEVER)
        return mp_const_none;
    due = due > core->now ? due - core->now : 0;
    return MP_OBJ_NEW_SMALL_INT(due < 0x1FFFFFFF ? due : 0x1FFFFFFF);
}
static MP_DEFINE_CONST_FUN_OBJ_1(deadline_object, deadline);

/* ---- the types ----------------------------------------------------------------------- */

#define METHOD(name)                                                           \
    {                                                                          \
        MP_ROM_QSTR(MP_QSTR_##name), MP_ROM_PTR(&name##_object)                \
    }

static const mp_rom_map_elem_t locals_table[] = {
    METHOD(set_credentials),
    METHOD(set_will),
    METHOD(set_keep_alive),
    METHOD(connect),
    METHOD(disconnect),
    METHOD(publish),
    METHOD(subscribe),
    METHOD(unsubscribe),
    METHOD(pull),
    METHOD(feed),
    METHOD(output),
    METHOD(sent),
    METHOD(wants),
    METHOD(state),
    METHOD(opened),
    METHOD(closed),
    METHOD(tick),
    METHOD(deadline),
};
static MP_DEFINE_CONST_DICT(locals, locals_table);

MP_DEFINE_CONST_OBJ_TYPE(mqttloop_type_core, MP_QSTR_Core, MP_TYPE_FLAG_NONE,
                         make_new, make, locals_dict, &locals);

MP_DEFINE_CONST_OBJ_TYPE(mqttloop_type_node, MP_QSTR_Subscription,
                         MP_TYPE_FLAG_NONE);
