/*
 * The API of Zerynth's lwmqtt.
 */
#include "client.h"

#include <string.h>

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/stream.h"

#define NUMBER(n)                                                              \
    {                                                                          \
        .u_rom_obj = MP_ROM_INT(n)                                             \
    }
#define NONE                                                                   \
    {                                                                          \
        .u_rom_obj = MP_ROM_NONE                                               \
    }
#define LONGEST_MS 0x1FFFFFFF

static struct mqtt_client *core_of(struct client *c)
{
    return &c->core.client;
}

bool client_connected(const struct client *c)
{
    return c->core.memory &&
           mqtt_client_state(&c->core.client) == MQTT_CLIENT_CONNECTED;
}

static bool is_stopped(const struct client *c)
{
    return !c->core.memory ||
           mqtt_client_state(&c->core.client) == MQTT_CLIENT_STOPPED;
}

/* The hook by which the core asks for the time. */
static mqtt_time clock_hook(void *driver)
{
    return link_now(driver);
}

static void begin(struct client *c)
{
    if (c->core.memory)
        return;
    core_begin(&c->core);
    mqtt_client_set_driver(core_of(c), c, NULL, clock_hook);
}

static MP_NORETURN void time_is_up(void)
{
    mp_raise_OSError(MP_ETIMEDOUT);
}

/* ---- making ------------------------------------------------------------------------- */

static const mp_arg_t make_arguments[] = {
    {MP_QSTR_client_id, MP_ARG_OBJ | MP_ARG_REQUIRED, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_clean_session, MP_ARG_BOOL, {.u_bool = false}},
    {MP_QSTR_cycle_timeout, MP_ARG_OBJ, NUMBER(500)},
    {MP_QSTR_command_timeout, MP_ARG_OBJ, NUMBER(60000)},
    {MP_QSTR_payload_type,
     MP_ARG_KW_ONLY | MP_ARG_OBJ,
     {.u_rom_obj = MP_ROM_PTR(&mp_type_str)}},
    {MP_QSTR_protocol, MP_ARG_KW_ONLY | MP_ARG_OBJ, NUMBER(4)},
    {MP_QSTR_outbox, MP_ARG_KW_ONLY | MP_ARG_OBJ, NUMBER(512)},
    {MP_QSTR_input, MP_ARG_KW_ONLY | MP_ARG_OBJ, NUMBER(256)},
    {MP_QSTR_slots, MP_ARG_KW_ONLY | MP_ARG_OBJ, NUMBER(8)},
    {MP_QSTR_control, MP_ARG_KW_ONLY | MP_ARG_OBJ, NUMBER(0)},
};

static void initialise(struct client *c)
{
    memset((char *)c + sizeof c->core.base, 0, sizeof *c - sizeof c->core.base);
    c->before = c->after = c->loop_failure = mp_const_none;
    c->link.context = c->link.keepalive = mp_const_none;
    c->return_code = -1;
    c->ended = true;
}

static uint32_t milliseconds(qstr name, mp_obj_t value)
{
    return (uint32_t)number_from(name, value, 0, LONGEST_MS);
}

static mp_obj_t make(const mp_obj_type_t *type, size_t n, size_t n_kw,
                     const mp_obj_t *given)
{
    mp_arg_val_t a[MP_ARRAY_SIZE(make_arguments)];
    struct client *c;

    mp_arg_parse_all_kw_array(n, n_kw, given, MP_ARRAY_SIZE(a), make_arguments,
                              a);
    c = mp_obj_malloc_with_finaliser(struct client, type);
    initialise(c);
    c->cycle_timeout = milliseconds(MP_QSTR_cycle_timeout, a[2].u_obj);
    c->command_timeout = milliseconds(MP_QSTR_command_timeout, a[3].u_obj);
    core_make(&c->core, &(struct core_arguments){
                            a[0].u_obj, a[1].u_bool, a[4].u_obj, a[5].u_obj,
                            a[6].u_obj, a[7].u_obj, a[8].u_obj, a[9].u_obj});
    return MP_OBJ_FROM_PTR(c);
}

/* The collector has found that nobody knows it: nothing may be allocated. */
static mp_obj_t finalise(mp_obj_t self)
{
    link_close(MP_OBJ_TO_PTR(self));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(finalise_object, finalise);

/* ---- what CONNECT says ----------------------------------------------------------------- */

static mp_obj_t set_username_pw(size_t n, const mp_obj_t *given,
                                mp_map_t *named)
{
    static const mp_arg_t allowed[] = {
        {MP_QSTR_username, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
        {MP_QSTR_password, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_QSTR(MP_QSTR_)}},
    };
    mp_arg_val_t a[2];

    mp_arg_parse_all(n - 1, given + 1, named, 2, allowed, a);
    core_set_credentials(MP_OBJ_TO_PTR(given[0]), a[0].u_obj, a[1].u_obj);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(set_username_pw_object, 1, set_username_pw);

static mp_obj_t set_will(size_t n, const mp_obj_t *given, mp_map_t *named)
{
    static const mp_arg_t allowed[] = {
        {MP_QSTR_topic, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
        {MP_QSTR_payload, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
        {MP_QSTR_qos, MP_ARG_OBJ, NUMBER(0)},
        {MP_QSTR_retain, MP_ARG_BOOL, {.u_bool = true}},
    };
    mp_arg_val_t a[4];

    mp_arg_parse_all(n - 1, given + 1, named, 4, allowed, a);
    core_set_will(MP_OBJ_TO_PTR(given[0]), a[0].u_obj, a[1].u_obj, a[2].u_obj,
                  a[3].u_bool);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(set_will_object, 1, set_will);

/* ---- connecting ------------------------------------------------------------------------ */

void client_forget(struct client *c)
{
    c->ended = true;
    loop_stop(c);
    link_close(c);
}

void client_stop(struct client *c)
{
    bool outer = c->waiting;

    c->waiting = true; /* it is asked for: nothing was lost */
    link_close(c);
    mqtt_client_closed(core_of(c), MQTT_ERR_CLOSED, NULL);
    client_pull(c);
    c->waiting = outer;
    if (!is_stopped(c)) {
        mqtt_disconnect(core_of(c), 0);
        link_turn(c);
    }
    c->lost = false;
}

static bool has_tried(void *context)
{
    return ((struct client *)context)->tried;
}

/* However it ended. */
static void settle(struct client *c)
{
    c->waiting = false;
    if (!client_connected(c)) {
        client_stop(c);
        client_forget(c);
    } else if (c->start_loop) {
        loop_start(c);
    }
}

/* Whether it ended in time. */
static bool wait_for_connection(struct client *c)
{
    nlr_buf_t nlr;
    bool in_time;

    c->waiting = true;
    if (nlr_push(&nlr)) {
        settle(c);
        nlr_jump(nlr.ret_val);
    }
    raise_refused(mqtt_connect(core_of(c)));
    in_time = loop_run(c, has_tried, c, (int32_t)c->command_timeout);
    nlr_pop();
    settle(c);
    return in_time;
}

static MP_NORETURN void raise_why(const struct client *c)
{
    enum mqtt_error why;

    if (c->link.error != MP_OBJ_NULL)
        nlr_raise(c->link.error);
    why = c->why ? c->why : MQTT_ERR_CLOSED; /* it was not wanted any more */
    nlr_raise(error_of(why, mqtt_error_text(why), c->why_code));
}

static mp_obj_t return_code(const struct client *c)
{
    return c->return_code < 0 ? mp_const_none
                              : MP_OBJ_NEW_SMALL_INT(c->return_code);
}

/* Without waiting. */
static void begin_to_connect(struct client *c)
{
    raise_refused(mqtt_connect(core_of(c)));
    c->ended = false;
    if (c->start_loop)
        loop_start(c);
}

void client_renew(struct client *c)
{
    c->renew = false;
    client_stop(c);
    begin_to_connect(c);
}

/* Try once, and wait for how it ends. */
static mp_obj_t try_to_connect(struct client *c)
{
    mp_obj_t self = MP_OBJ_FROM_PTR(c);

    if (c->in_callback) {
        begin_to_connect(c);
        return return_code(c);
    }
    c->tried = c->ended = c->lost = false;
    c->return_code = -1;
    c->link.error = MP_OBJ_NULL;
    c->why = MQTT_OK;
    if (!wait_for_connection(c))
        time_is_up();
    if (c->return_code < 0)
        raise_why(c);
    c->greet = false;
    if (client_connected(c) && c->after != mp_const_none)
        client_call(c, c->after, 1, &self);
    return return_code(c);
}

static void check_host(mp_obj_t host)
{
    struct mqtt_span name = text_from(MP_QSTR_host, host);

    if (!name.size || memchr(name.data, 0, name.size))
        mp_raise_ValueError(MP_ERROR_TEXT("host: empty, or has U+0000"));
}

static void check_keepalive(mp_obj_t given)
{
    mp_obj_t *times;
    size_t count = 0;

    if (given == mp_const_none)
        return;
    if (mp_obj_is_type(given, &mp_type_tuple) ||
        mp_obj_is_type(given, &mp_type_list))
        mp_obj_get_array(given, &count, &times);
    if (count != 3)
        mp_raise_TypeError(
            MP_ERROR_TEXT("sock_keepalive must be (count, idle, interval)"));
    for (int i = 0; i < 3; i++)
        number_from(MP_QSTR_sock_keepalive, times[i], 1, LONGEST_MS);
}

static void check_context(mp_obj_t context)
{
    mp_obj_t found[2] = {MP_OBJ_NULL};

    if (context != mp_const_none)
        mp_load_method_maybe(context, MP_QSTR_wrap_socket, found);
    if (context != mp_const_none && found[0] == MP_OBJ_NULL)
        mp_raise_TypeError(MP_ERROR_TEXT("ssl_ctx must be an SSLContext"));
}

static void check_callback(qstr name, mp_obj_t function)
{
    if (function != mp_const_none && !mp_obj_is_callable(function))
        mp_raise_msg_varg(&mp_type_TypeError,
                          MP_ERROR_TEXT("%q must be callable"), name);
}

static void check_callbacks(const mp_arg_val_t *a)
{
    check_callback(MP_QSTR_breconnect_cb, a[0].u_obj);
    check_callback(MP_QSTR_aconnect_cb, a[1].u_obj);
    check_callback(MP_QSTR_loop_failure, a[2].u_obj);
}

/* All is checked, and stays. */
static void take_over(struct client *c, const mp_arg_val_t *a, mp_uint_t port)
{
    link_close(c);
    c->link.host = a[0].u_obj;
    c->link.port = (uint16_t)port;
    c->link.context = a[3].u_obj;
    c->link.keepalive = a[4].u_obj;
    c->before = a[5].u_obj;
    c->after = a[6].u_obj;
    c->loop_failure = a[7].u_obj;
    c->start_loop = a[8].u_bool;
}

static const mp_arg_t connect_arguments[] = {
    {MP_QSTR_host, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
    {MP_QSTR_keepalive, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
    {MP_QSTR_port, MP_ARG_OBJ, NUMBER(1883)},
    {MP_QSTR_ssl_ctx, MP_ARG_OBJ, NONE},
    {MP_QSTR_sock_keepalive, MP_ARG_OBJ, NONE},
    {MP_QSTR_breconnect_cb, MP_ARG_OBJ, NONE},
    {MP_QSTR_aconnect_cb, MP_ARG_OBJ, NONE},
    {MP_QSTR_loop_failure, MP_ARG_OBJ, NONE},
    {MP_QSTR_start_loop, MP_ARG_BOOL, {.u_bool = true}},
};

static mp_obj_t connect(size_t n, const mp_obj_t *given, mp_map_t *named)
{
    mp_arg_val_t a[MP_ARRAY_SIZE(connect_arguments)];
    struct client *c = MP_OBJ_TO_PTR(given[0]);
    mp_uint_t port;

    mp_arg_parse_all(n - 1, given + 1, named, MP_ARRAY_SIZE(a),
                     connect_arguments, a);
    if (!is_stopped(c))
        raise_refused(MQTT_ERR_STATE);
    check_host(a[0].u_obj);
    port = number_from(MP_QSTR_port, a[2].u_obj, 1, 65535);
    check_context(a[3].u_obj);
    check_keepalive(a[4].u_obj);
    check_callbacks(a + 5);
    core_set_keep_alive(&c->core, a[1].u_obj);
    begin(c);
    take_over(c, a, port);
    return try_to_connect(c);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(connect_object, 1, connect);

static mp_obj_t reconnect(mp_obj_t self)
{
    struct client *c = MP_OBJ_TO_PTR(self);

    if (c->link.host == MP_OBJ_NULL)
        raise_refused(MQTT_ERR_STATE);
    if (c->before != mp_const_none)
        client_call(c, c->before, 1, &self);
    if (c->in_callback) {
        c->renew = true; /* the core is telling of a message */
        return return_code(c);
    }
    client_stop(c);
    return try_to_connect(c);
}
static MP_DEFINE_CONST_FUN_OBJ_1(reconnect_object, reconnect);

static mp_obj_t connected(mp_obj_t self)
{
    return mp_obj_new_bool(client_connected(MP_OBJ_TO_PTR(self)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(connected_object, connected);

static mp_obj_t get_return_code(mp_obj_t self)
{
    return return_code(MP_OBJ_TO_PTR(self));
}
static MP_DEFINE_CONST_FUN_OBJ_1(get_return_code_object, get_return_code);

static bool has_ended(void *context)
{
    return ((struct client *)context)->ended;
}

static bool is_unfinished(const struct client *c)
{
    struct mqtt_outstanding it = {.packet_identifier = 0};

    return mqtt_client_next_outstanding(&c->core.client, &it);
}

static mp_obj_t disconnect(size_t n, const mp_obj_t *given, mp_map_t *named)
{
    static const mp_arg_t allowed[] = {{MP_QSTR_timeout, MP_ARG_OBJ, NONE}};
    struct client *c = MP_OBJ_TO_PTR(given[0]);
    uint32_t limit = c->command_timeout;
    mp_arg_val_t a[1];

    mp_arg_parse_all(n - 1, given + 1, named, 1, allowed, a);
    if (a[0].u_obj != mp_const_none)
        limit = milliseconds(MP_QSTR_timeout, a[0].u_obj);
    c->loop_failure = mp_const_none;
    if (!is_stopped(c)) {
        mqtt_disconnect(core_of(c), limit);
        if (c->in_callback || c->waiting) /* in connect(), which ends by it */
            return mp_const_none;
        loop_run(c, has_ended, c, (int32_t)limit + 2000);
    }
    client_forget(c);
    if (c->core.memory && is_unfinished(c))
        time_is_up();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(disconnect_object, 1, disconnect);

/* ---- waiting for answers ------------------------------------------------------------------ */

static void leave(struct client *c, const struct answer *answer)
{
    struct answer **at = &c->answers;

    while (*at && *at != answer)
        at = &(*at)->next;
    if (*at)
        *at = answer->next;
}

struct wait {
    struct client *client;
    struct answer *answer;
};

static bool is_answered(void *context)
{
    struct wait *wait = context;

    return wait->answer->come || wait->client->ended;
}

/* Until it has come; raises if it does not. */
static void await(struct client *c, struct answer *answer)
{
    struct wait wait = {c, answer};
    nlr_buf_t nlr;
    bool in_time;

    answer->next = c->answers;
    c->answers = answer;
    if (nlr_push(&nlr)) {
        leave(c, answer);
        nlr_jump(nlr.ret_val);
    }
    in_time = loop_run(c, is_answered, &wait, (int32_t)c->command_timeout);
    nlr_pop();
    leave(c, answer);
    if (!in_time)
        time_is_up();
    if (!answer->come)
        raise_refused(MQTT_ERR_CLOSED);
}

static bool may_wait(const struct client *c)
{
    return !c->in_callback && !c->ended;
}

/* ---- publishing ---------------------------------------------------------------------------- */

struct publishing {
    struct client *client;
    struct mqtt_message message;
    enum mqtt_error error;
    uint16_t packet_identifier;
};

static bool is_accepted(void *context)
{
    struct publishing *p = context;

    p->error = mqtt_client_publish(core_of(p->client), &p->message,
                                   &p->packet_identifier);
    return p->error != MQTT_ERR_NO_ROOM || p->client->ended;
}

/* Accepted by the core, now or when there is room; callbacks may change the
 * payload until then. */
static void publish_now(struct publishing *p, mp_obj_t payload)
{
    struct client *c = p->client;

    if (!is_accepted(p)) {
        p->message.payload = bytes_from(MP_QSTR_payload, kept(payload));
        link_write(c);
        if (!loop_run(c, is_accepted, p, (int32_t)c->command_timeout))
            time_is_up();
    }
    raise_refused(p->error);
}

static void judge(const struct answer *answer)
{
    const char *words = "not delivered, or nobody knows";

    if (answer->outcome == MQTT_OUTCOME_ACKNOWLEDGED)
        return;
    if (answer->outcome == MQTT_OUTCOME_REFUSED)
        words = mqtt_reason_code_text(answer->reason_code);
    nlr_raise(error_of(answer->error, words, answer->reason_code));
}

/* In a callback nothing waits: what finds no room goes out when there is some,
 * in its order. The payload may change until then. */
static void publish_later(struct publishing *p, const mp_arg_val_t *a)
{
    struct client *c = p->client;
    mp_obj_t items[] = {a[0].u_obj, kept(a[1].u_obj), a[2].u_obj,
                        mp_obj_new_bool(a[3].u_bool)};
    bool first = c->overflow == MP_OBJ_NULL;

    if (first && is_accepted(p) && p->error != MQTT_ERR_NO_ROOM) {
        raise_refused(p->error);
        return;
    }
    if (first)
        c->overflow = mp_obj_new_list(0, NULL);
    mp_obj_list_append(c->overflow, mp_obj_new_tuple(4, items));
}

/* Whether it is done with: published, or never to be. */
static bool flush_one(struct client *c, mp_obj_t item)
{
    struct publishing p = {.client = c};
    mp_obj_t *a;

    mp_obj_get_array_fixed_n(item, 4, &a);
    p.message = message_from(a[0], a[1], a[2], a[3] == mp_const_true);
    is_accepted(&p);
    if (p.error && p.error != MQTT_ERR_NO_ROOM)
        mp_printf(&mp_plat_print, "published in a callback: %s\n",
                  mqtt_error_text(p.error));
    return p.error != MQTT_ERR_NO_ROOM;
}

void client_flush(struct client *c)
{
    mp_obj_t first = MP_OBJ_NEW_SMALL_INT(0);

    while (c->overflow != MP_OBJ_NULL) {
        if (!flush_one(c, mp_obj_subscr(c->overflow, first, MP_OBJ_SENTINEL)))
            return;
        mp_obj_subscr(c->overflow, first, MP_OBJ_NULL);
        if (mp_obj_len(c->overflow) == first)
            c->overflow = MP_OBJ_NULL;
    }
}

static void await_end(const struct publishing *p)
{
    struct answer answer = {.packet_identifier = p->packet_identifier};

    await(p->client, &answer);
    judge(&answer);
}

static const mp_arg_t publish_arguments[] = {
    {MP_QSTR_topic, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
    {MP_QSTR_payload, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_QSTR(MP_QSTR_)}},
    {MP_QSTR_qos, MP_ARG_OBJ, NUMBER(0)},
    {MP_QSTR_retain, MP_ARG_BOOL, {.u_bool = false}},
};

static mp_obj_t publish(size_t n, const mp_obj_t *given, mp_map_t *named)
{
    struct publishing p = {.client = MP_OBJ_TO_PTR(given[0])};
    mp_arg_val_t a[4];

    mp_arg_parse_all(n - 1, given + 1, named, 4, publish_arguments, a);
    p.message = message_from(a[0].u_obj, a[1].u_obj, a[2].u_obj, a[3].u_bool);
    begin(p.client);
    if (p.client->in_callback) {
        publish_later(&p, a);
        return mp_const_none;
    }
    publish_now(&p, a[1].u_obj);
    if (p.packet_identifier)
        await_end(&p);
    else
        link_write(p.client);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(publish_object, 1, publish);

/* ---- subscribing ---------------------------------------------------------------------------- */

/* The one of this topic filter before `newer`, or the latest one. */
static struct node *find(const struct client *c, mp_obj_t topic,
                         const struct node *newer)
{
    struct mqtt_span filter = text_from(MP_QSTR_topic, topic);
    struct node *node = newer ? newer->next : c->core.nodes;

    for (; node; node = node->next)
        if (node->target != mp_const_none &&
            node->subscription.topic_filter.size == filter.size &&
            !memcmp(node->subscription.topic_filter.data, filter.data,
                    filter.size))
            break;
    return node;
}

/* Its function is not called any more, and find() does not find it. */
static void end(struct client *c, struct node *node)
{
    if (node)
        mqtt_unsubscribe(core_of(c), &node->subscription);
    if (node)
        node->target = mp_const_none;
}

static mp_obj_t subscribe(size_t n, const mp_obj_t *given, mp_map_t *named)
{
    static const mp_arg_t allowed[] = {
        {MP_QSTR_topic, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
        {MP_QSTR_function, MP_ARG_OBJ | MP_ARG_REQUIRED, NONE},
        {MP_QSTR_qos, MP_ARG_OBJ, NUMBER(0)},
    };
    struct client *c = MP_OBJ_TO_PTR(given[0]);
    struct answer answer = {.come = false};
    mp_arg_val_t a[3];

    mp_arg_parse_all(n - 1, given + 1, named, 3, allowed, a);
    if (!mp_obj_is_callable(a[1].u_obj))
        mp_raise_TypeError(MP_ERROR_TEXT("function must be callable"));
    begin(c);
    answer.node = core_subscribe(&c->core, a[0].u_obj, a[2].u_obj, a[1].u_obj,
                                 client_hit);
    answer.node->takes_topic = takes_topic(a[1].u_obj);
    end(c, find(c, a[0].u_obj, answer.node));
    if (!may_wait(c))
        return mp_const_none;
    await(c, &answer);
    if (answer.error || answer.reason_code >= 0x80)
        nlr_raise(error_of(answer.error, "the server refused the subscription",
                           answer.reason_code));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(subscribe_object, 1, subscribe);

static mp_obj_t unsubscribe(mp_obj_t self, mp_obj_t topic)
{
    struct client *c = MP_OBJ_TO_PTR(self);
    struct answer answer = {.node = find(c, topic, NULL)};

    if (!answer.node)
        mp_raise_ValueError(
            MP_ERROR_TEXT("topic: there is no such subscription"));
    end(c, answer.node);
    if (may_wait(c))
        await(c, &answer);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(unsubscribe_object, unsubscribe);

/* ---- the loop ------------------------------------------------------------------------------- */

static struct client *outside(mp_obj_t self)
{
    struct client *c = MP_OBJ_TO_PTR(self);

    if (c->in_callback)
        raise_refused(MQTT_ERR_REENTERED);
    return c;
}

static mp_obj_t loop(mp_obj_t self)
{
    struct client *c = outside(self);

    if (c->link.host != MP_OBJ_NULL)
        loop_turn(c, (int32_t)c->cycle_timeout);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(loop_object, loop);

static mp_obj_t loop_forever(mp_obj_t self)
{
    struct client *c = outside(self);

    loop_run(c, has_ended, c, -1);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(loop_forever_object, loop_forever);

static bool never(void *context)
{
    (void)context;
    return false;
}

static mp_obj_t sleep_all(mp_obj_t time)
{
    loop_run(NULL, never, NULL,
             (int32_t)milliseconds(MP_QSTR_milliseconds, time));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(sleep_object, sleep_all);

/* ---- attributes ----------------------------------------------------------------------------- */

static uint32_t *time_named(struct client *c, qstr name)
{
    if (name == MP_QSTR_cycle_timeout)
        return &c->cycle_timeout;
    return name == MP_QSTR_command_timeout ? &c->command_timeout : NULL;
}

static void attribute(mp_obj_t self, qstr name, mp_obj_t *value)
{
    uint32_t *time = time_named(MP_OBJ_TO_PTR(self), name);

    if (value[0] == MP_OBJ_NULL && time) {
        value[0] = MP_OBJ_NEW_SMALL_INT(*time);
    } else if (value[0] == MP_OBJ_NULL) {
        value[1] = MP_OBJ_SENTINEL; /* a method */
    } else if (time && value[1] != MP_OBJ_NULL) {
        *time = milliseconds(name, value[1]);
        value[0] = MP_OBJ_NULL;
    }
}

/* ---- the type and its module ------------------------------------------------------------------ */

#define METHOD(name)                                                           \
    {                                                                          \
        MP_ROM_QSTR(MP_QSTR_##name), MP_ROM_PTR(&name##_object)                \
    }
#define CONSTANT(name, value)                                                  \
    {                                                                          \
        MP_ROM_QSTR(MP_QSTR_##name), MP_ROM_INT(value)                         \
    }

static const mp_rom_map_elem_t locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&finalise_object)},
    METHOD(set_username_pw),
    METHOD(set_will),
    METHOD(connect),
    METHOD(reconnect),
    METHOD(connected),
    METHOD(get_return_code),
    METHOD(disconnect),
    METHOD(publish),
    METHOD(subscribe),
    METHOD(unsubscribe),
    METHOD(loop),
    METHOD(loop_forever),
};
static MP_DEFINE_CONST_DICT(locals, locals_table);

MP_DEFINE_CONST_OBJ_TYPE(mqttloop_type_client, MP_QSTR_Client,
                         MP_TYPE_FLAG_NONE, make_new, make, attr, attribute,
                         locals_dict, &locals);

static const mp_rom_map_elem_t globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_mqtt)},
    {MP_ROM_QSTR(MP_QSTR_Client), MP_ROM_PTR(&mqttloop_type_client)},
    METHOD(sleep),
    CONSTANT(PORT, 1883),
    CONSTANT(BREAK_LOOP, 0),
    CONSTANT(RECOVERED, 1),
    CONSTANT(RC_ACCEPTED, 0),
    CONSTANT(RC_REFUSED_VERSION, 1),
    CONSTANT(RC_REFUSED_ID, 2),
    CONSTANT(RC_REFUSED_SERVER, 3),
    CONSTANT(RC_REFUSED_USERPW, 4),
    CONSTANT(RC_REFUSED_NOAUTH, 5),
};
static MP_DEFINE_CONST_DICT(globals, globals_table);

const mp_obj_module_t mqttloop_mqtt_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&globals,
};
