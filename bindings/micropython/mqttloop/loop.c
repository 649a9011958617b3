/*
 * Turns of several clients, which wait together in one poll object.
 */
#include "client.h"

#include <string.h>

#include "py/mphal.h"
#include "py/stream.h"

MP_REGISTER_ROOT_POINTER(void *mqttloop_started);
MP_REGISTER_ROOT_POINTER(mp_obj_t mqttloop_poll);

mp_obj_t call_method(mp_obj_t object, qstr name, size_t n,
                     const mp_obj_t *arguments)
{
    mp_obj_t all[2 + 4];

    mp_load_method(object, name, all);
    if (n)
        memcpy(all + 2, arguments, n * sizeof *arguments);
    return mp_call_method_n_kw(n, 0, all);
}

/* ---- which clients ----------------------------------------------------------------- */

/* The first one, or the one that follows; `own` comes last unless it is
 * started. */
static struct client *each(struct client *own, struct client *last)
{
    struct client *next = MP_STATE_VM(mqttloop_started);

    if (last && last == own && !own->started)
        return NULL;
    if (last)
        next = last->next;
    return next || !own || own->started || last == own ? next : own;
}

void loop_start(struct client *client)
{
    struct client *at = MP_STATE_VM(mqttloop_started);

    if (client->started)
        return;
    client->started = true;
    client->next = NULL;
    while (at && at->next)
        at = at->next;
    if (at)
        at->next = client;
    else
        MP_STATE_VM(mqttloop_started) = client;
}

/* It keeps its `next`: somebody may be going over the list. */
void loop_stop(struct client *client)
{
    struct client *at = MP_STATE_VM(mqttloop_started);

    if (!client->started)
        return;
    client->started = false;
    if (at == client)
        MP_STATE_VM(mqttloop_started) = client->next;
    while (at && at->next != client)
        at = at->next;
    if (at)
        at->next = client->next;
}

/* ---- waiting ------------------------------------------------------------------------ */

static mp_obj_t poll_object(void)
{
    mp_obj_t module;

    if (MP_STATE_VM(mqttloop_poll) == MP_OBJ_NULL) {
        module = mp_import_name(MP_QSTR_select, mp_const_none,
                                MP_OBJ_NEW_SMALL_INT(0));
        MP_STATE_VM(mqttloop_poll) = call_method(module, MP_QSTR_poll, 0, NULL);
    }
    return MP_STATE_VM(mqttloop_poll);
}

static void watch(struct client *client, mp_uint_t mask)
{
    mp_obj_t arguments[] = {client->link.stream, MP_OBJ_NEW_SMALL_INT(mask)};

    call_method(poll_object(), MP_QSTR_register, 2, arguments);
    client->link.watched = true;
}

void loop_unwatch(struct client *client)
{
    if (!client->link.watched)
        return;
    client->link.watched = false;
    call_method(poll_object(), MP_QSTR_unregister, 1, &client->link.stream);
}

/* The shorter of two times, where -1 is for ever. */
static int32_t shorter(int32_t a, int32_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int32_t watch_all(struct client *own, int32_t timeout_ms)
{
    mp_uint_t mask;

    for (struct client *c = each(own, NULL); c; c = each(own, c)) {
        if (c->link.turning) { /* it waits here, in a callback */
            loop_unwatch(c);
            continue;
        }
        timeout_ms = shorter(timeout_ms, link_due(c, &mask));
        if (c->link.stream != MP_OBJ_NULL)
            watch(c, mask);
    }
    return timeout_ms;
}

static void mark(struct client *own, mp_obj_t stream, mp_uint_t ready)
{
    for (struct client *c = each(own, NULL); c; c = each(own, c))
        if (c->link.stream == stream)
            c->link.ready |= (uint8_t)ready;
}

static void wait(struct client *own, int32_t timeout_ms)
{
    mp_obj_t timeout = MP_OBJ_NEW_SMALL_INT(watch_all(own, timeout_ms));
    mp_obj_t found = call_method(poll_object(), MP_QSTR_ipoll, 1, &timeout);
    mp_obj_t item, *pair;

    while ((item = mp_iternext(found)) != MP_OBJ_STOP_ITERATION) {
        mp_obj_get_array_fixed_n(item, 2, &pair);
        mark(own, pair[0], mp_obj_get_int(pair[1]));
    }
    if (own && !own->started)
        loop_unwatch(own);
}

/* ---- turns -------------------------------------------------------------------------- */

static void after_turns(struct client *own)
{
    for (struct client *c = each(own, NULL); c; c = each(own, c))
        client_after_turn(c);
}

void loop_turn(struct client *own, int32_t timeout_ms)
{
    wait(own, timeout_ms);
    for (struct client *c = each(own, NULL); c; c = each(own, c))
        link_turn(c);
    after_turns(own);
}

bool loop_run(struct client *own, ended_function *ended, void *context,
              int32_t timeout_ms)
{
    uint32_t begin = mp_hal_ticks_ms();
    int32_t left = timeout_ms;

    while (!ended(context)) {
        if (timeout_ms >= 0)
            left = timeout_ms - (int32_t)(mp_hal_ticks_ms() - begin);
        if (timeout_ms >= 0 && left <= 0)
            return false;
        loop_turn(own, left);
    }
    return true;
}
