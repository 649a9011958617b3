/*
 * What happened, told to the application and to those that wait.
 */
#include "client.h"

#include "py/objlist.h"

static struct client *client_of(struct mqtt_client *client)
{
    return (struct client *)((char *)client -
                             offsetof(struct client, core.client));
}

/* ---- callbacks ------------------------------------------------------------------------- */

/* What is none of Exception ends the loop: it is raised anew behind the core. */
static void caught(struct client *c, mp_obj_t exception)
{
    if (mp_obj_exception_match(exception, MP_OBJ_FROM_PTR(&mp_type_Exception)))
        mp_obj_print_exception(&mp_plat_print, exception);
    else
        c->raised = exception;
}

mp_obj_t client_call(struct client *c, mp_obj_t function, size_t n,
                     const mp_obj_t *arguments)
{
    mp_obj_t result;
    nlr_buf_t nlr;

    if (nlr_push(&nlr)) {
        caught(c, MP_OBJ_FROM_PTR(nlr.ret_val));
        return MP_OBJ_NULL;
    }
    result = mp_call_function_n_kw(function, n, 0, arguments);
    nlr_pop();
    return result;
}

static void raise_caught(struct client *c)
{
    mp_obj_t raised = c->raised;

    c->raised = MP_OBJ_NULL;
    if (raised != MP_OBJ_NULL)
        nlr_raise(raised);
}

/* A callback of connect(): with the client, if there is one. */
static mp_obj_t call_with_client(struct client *c, mp_obj_t function)
{
    mp_obj_t self = MP_OBJ_FROM_PTR(c), result = MP_OBJ_NULL;

    if (function != mp_const_none)
        result = client_call(c, function, 1, &self);
    return result;
}

/* ---- messages -------------------------------------------------------------------------- */

/* The core calls; `hits` is a tuple (client, payload, topic), made before. */
void client_hit(struct mqtt_client *client, const struct mqtt_message *message,
                void *context)
{
    struct client *c = client_of(client);
    struct node *node = context;
    mp_obj_t *arguments;
    size_t size;

    (void)message;
    if (c->raised != MP_OBJ_NULL)
        return;
    mp_obj_get_array(c->core.hits, &size, &arguments);
    client_call(c, node->target, node->takes_topic ? 3 : 2, arguments);
}

static void on_message(struct client *c, const struct mqtt_message *message)
{
    bool outer = c->in_callback;
    mp_obj_t items[3] = {MP_OBJ_FROM_PTR(c)};

    if (!message_payload(&c->core, message, &items[1])) {
        c->core.held = false;
        return;
    }
    items[2] = str_of(message->topic_name);
    c->core.hits = mp_obj_new_tuple(3, items);
    c->core.held = false; /* from now on it has been given */
    c->in_callback = true;
    mqtt_dispatch_linear(&c->core.client, message);
    c->in_callback = outer;
    c->core.hits = MP_OBJ_NULL;
    raise_caught(c);
}

/* ---- other events ---------------------------------------------------------------------- */

static void on_connected(struct client *c)
{
    c->tried = true;
    c->greet = !c->waiting && c->after != mp_const_none;
    c->return_code = 0;
    client_flush(c);
}

/* Not asked for: the core tries again, unless loop_failure decides. */
static void on_lost(struct client *c)
{
    bool outer = c->in_callback;

    if (c->loop_failure != mp_const_none) {
        c->lost = true;
        mqtt_disconnect(&c->core.client, 0);
        return;
    }
    c->in_callback = true;
    call_with_client(c, c->before);
    c->in_callback = outer;
    raise_caught(c);
}

static void on_disconnected(struct client *c, const struct mqtt_event *event)
{
    c->tried = true;
    if (event->error == MQTT_ERR_REFUSED)
        c->return_code = event->reason_code;
    c->why = event->error;
    c->why_code = event->reason_code;
    if (event->retry_at != MQTT_NEVER && !c->waiting)
        on_lost(c);
    else if (event->retry_at == MQTT_NEVER)
        c->ended = !c->waiting && !c->lost;
    if (c->ended)
        loop_stop(c);
}

static void answer(struct client *c, const struct mqtt_event *event)
{
    struct node *node =
        event->subscription ? node_of(event->subscription) : NULL;

    for (struct answer *a = c->answers; a; a = a->next) {
        if (node ? a->node != node
                 : a->packet_identifier != event->packet_identifier)
            continue;
        a->come = true;
        a->error = event->error;
        a->outcome = event->outcome;
        a->reason_code = event->reason_code;
    }
}

static void on_event(struct client *c, const struct mqtt_event *event)
{
    if (event->type != MQTT_EVENT_MESSAGE)
        c->core.held = false;
    switch (event->type) {
    case MQTT_EVENT_MESSAGE:
        on_message(c, &event->message);
        break;
    case MQTT_EVENT_CONNECTED:
        on_connected(c);
        break;
    case MQTT_EVENT_DISCONNECTED:
        on_disconnected(c, event);
        break;
    case MQTT_EVENT_UNSUBSCRIBED:
        core_forget(&c->core, node_of(event->subscription));
        answer(c, event);
        break;
    case MQTT_EVENT_PUBLISHED:
    case MQTT_EVENT_SUBSCRIBED:
        answer(c, event);
        client_flush(c);
        break;
    case MQTT_EVENT_ROOM:
        client_flush(c);
        break;
    default:
        break;
    }
}

bool client_pull(struct client *c)
{
    bool moved = false;

    while (core_next(&c->core)) {
        struct mqtt_event event = c->core.event;

        on_event(c, &event);
        moved = true;
    }
    return moved;
}

/* ---- after a turn ---------------------------------------------------------------------- */

static void ask_loop_failure(struct client *c)
{
    mp_obj_t said = call_with_client(c, c->loop_failure);

    if (said != MP_OBJ_NEW_SMALL_INT(1)) { /* RECOVERED */
        client_stop(c);
        client_forget(c);
    } else if (mqtt_client_state(&c->core.client) == MQTT_CLIENT_STOPPED) {
        mqtt_connect(&c->core.client);
    }
}

void client_after_turn(struct client *c)
{
    if (c->in_callback || c->waiting)
        return;
    if (c->greet) {
        c->greet = false;
        call_with_client(c, c->after);
    }
    if (c->lost) {
        c->lost = false;
        ask_loop_failure(c);
    }
    if (c->renew)
        client_renew(c);
    raise_caught(c);
}
