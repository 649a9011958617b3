/*
 * The ports: bytes in, bytes out, the network connection, time.
 */
#include "core.h"

#define OUTPUT_MOST 65536u

/* ---- bytes in -------------------------------------------------------------- */

static void forget_received(struct client_object *c)
{
    c->taken = c->received = 0;
    c->closing = false;
}

static void cut(struct client_object *c, enum mqtt_error why)
{
    c->cut = true;
    c->offered = 0;
    mqtt_client_closed(&c->client, why,
                       c->detail ? PyBytes_AsString(c->detail) : NULL);
}

/* What was taken, in memory of the core or where it lies; 0: not now. */
static size_t take(struct client_object *c)
{
    char *from = c->bytes + c->taken;
    size_t left = c->received - c->taken, size;
    void *to = mqtt_client_input_buf(&c->client, from, left, &size);

    if (!to)
        return 0;
    if (size > left)
        size = left;
    if (to != from)
        memcpy(to, from, size);
    mqtt_client_input_done(&c->client, size);
    return size;
}

/* All that was received has been taken and told. */
static void drained(struct client_object *c)
{
    bool closing = c->closing;

    mqtt_client_input_keep(&c->client);
    forget_received(c);
    if (closing)
        cut(c, c->closing_why);
}

/* More for the core to read; false: there is nothing, or not now. */
static bool supply(struct client_object *c)
{
    size_t size;

    if (!c->received)
        return false;
    if (c->taken == c->received) {
        bool closing = c->closing;

        drained(c);
        return closing;
    }
    size = take(c);
    c->taken += size;
    return size > 0;
}

bool client_advance(struct client_object *c, struct mqtt_event *event)
{
    do {
        if (mqtt_client_next(&c->client, event)) {
            if (event->type == MQTT_EVENT_DISCONNECTED)
                c->cut = false;
            return true;
        }
    } while (supply(c));
    return false;
}

static bool has_room(struct client_object *c)
{
    if (!c->received && !c->closing && !c->held)
        return true;
    PyErr_SetString(PyExc_RuntimeError,
                    "what was received before has not been pulled");
    return false;
}

PyObject *client_received(PyObject *self, PyObject *count)
{
    uint64_t size;
    struct client_object *c;

    if (number_from("size", count, 0, SIZE_MAX, &size) ||
        !(c = client_enter(self)) || !has_room(c))
        return NULL;
    if (size > c->size)
        return PyErr_Format(PyExc_ValueError,
                            "size must be 0 to that of buffer, %zu", c->size);
    c->received = (size_t)size;
    Py_RETURN_NONE;
}

/* How many of them are taken, before they are. */
static PyObject *feed(struct client_object *c, struct mqtt_span span)
{
    PyObject *count;

    if (c->received || c->closing || c->held)
        span.size = 0;
    if (span.size > c->size)
        span.size = c->size;
    count = PyLong_FromSize_t(span.size);
    if (!count)
        return NULL;
    if (span.size)
        memcpy(c->bytes, span.data, span.size);
    c->received += span.size;
    return count;
}

PyObject *client_feed(PyObject *self, PyObject *data)
{
    PyObject *bytes = bytes_from("data", data), *count = NULL;

    if (bytes && client_enter(self))
        count = feed((struct client_object *)self, span_of(bytes));
    Py_XDECREF(bytes);
    return count;
}

/* ---- bytes out ------------------------------------------------------------- */

PyObject *client_output(PyObject *self, PyObject *arguments)
{
    uint64_t most = OUTPUT_MOST;
    struct client_object *c;
    struct mqtt_span span;
    PyObject *limit = NULL, *bytes;

    if (!PyArg_ParseTuple(arguments, "|O:output", &limit) ||
        (limit && number_from("limit", limit, 1, SIZE_MAX, &most)) ||
        !(c = client_enter(self)))
        return NULL;
    c->offered = 0;
    span.data = mqtt_client_output_buf(&c->client, &span.size);
    if (!span.data)
        Py_RETURN_NONE;
    if (span.size > most)
        span.size = (size_t)most;
    bytes = bytes_of(span);
    c->offered = bytes ? span.size : 0;
    return bytes;
}

PyObject *client_take(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);
    struct mqtt_span span;
    PyObject *bytes;

    (void)unused;
    if (!c)
        return NULL;
    c->offered = 0;
    span.data = mqtt_client_output_buf(&c->client, &span.size);
    if (!span.data)
        Py_RETURN_NONE;
    if (span.size > OUTPUT_MOST)
        span.size = OUTPUT_MOST;
    bytes = bytes_of(span);
    if (bytes)
        mqtt_client_output_done(&c->client, span.size);
    return bytes;
}

/* Of what was offered: asked again, the core may offer something else. */
PyObject *client_sent(PyObject *self, PyObject *count)
{
    struct client_object *c;
    uint64_t size;

    if (number_from("size", count, 0, SIZE_MAX, &size) ||
        !(c = client_enter(self)))
        return NULL;
    if (size > c->offered)
        return PyErr_Format(PyExc_ValueError,
                            "size must be 0 to that of output(), %zu",
                            c->offered);
    c->offered = 0;
    if (size)
        mqtt_client_output_done(&c->client, (size_t)size);
    Py_RETURN_NONE;
}

/* ---- the network connection ------------------------------------------------ */

PyObject *client_wants(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);
    enum mqtt_want want;

    (void)unused;
    if (!c)
        return NULL;
    want = mqtt_client_wants(&c->client);
    if (c->closing && want != MQTT_WANT_CLOSE)
        want = MQTT_WANT_NOTHING;
    return PyLong_FromLong(want);
}

PyObject *client_opened(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    if (!c)
        return NULL;
    if (mqtt_client_wants(&c->client) == MQTT_WANT_OPEN) {
        forget_received(c);
        c->cut = false;
        c->offered = 0;
        mqtt_client_opened(&c->client);
    }
    Py_RETURN_NONE;
}

/* Words of the system, kept until the event that passes them on. */
static int keep_detail(struct client_object *c, PyObject *detail)
{
    PyObject *bytes = NULL, *old;

    if (detail != Py_None) {
        bytes = PyUnicode_Check(detail)
                    ? PyUnicode_AsEncodedString(detail, "utf-8", "replace")
                    : text_from("detail", detail);
        if (!bytes)
            return -1;
    }
    if (c->busy) {
        Py_XDECREF(bytes);
        return client_enter((PyObject *)c) ? 0 : -1;
    }
    old = c->detail;
    c->detail = bytes;
    Py_XDECREF(old);
    return 0;
}

#define LAST_ERROR (-120) /* of enum mqtt_error */

/* 0, or -1 with an exception. NULL: the default. */
static int cause_from(PyObject *why, enum mqtt_error *out)
{
    long number = why ? PyLong_AsLong(why) : MQTT_ERR_CLOSED;

    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
        number = 1;
    }
    if (number < LAST_ERROR || number > 0) {
        PyErr_SetString(PyExc_ValueError, "why must be one of ERR_...");
        return -1;
    }
    *out = (enum mqtt_error)number;
    return 0;
}

/* Once for a connection: the core names the words until their event. */
static bool may_close(const struct client_object *c)
{
    return !c->closing && !c->cut;
}

static void close_now(struct client_object *c, enum mqtt_error why)
{
    bool wanted = mqtt_client_wants(&c->client) == MQTT_WANT_CLOSE;

    if (c->received && !wanted) {
        c->closing = true;
        c->closing_why = why;
        return;
    }
    forget_received(c);
    cut(c, why);
}

PyObject *client_closed(PyObject *self, PyObject *arguments)
{
    PyObject *why = NULL, *detail = Py_None;
    struct client_object *c;
    enum mqtt_error cause;

    if (!PyArg_ParseTuple(arguments, "|OO:closed", &why, &detail) ||
        cause_from(why, &cause))
        return NULL;
    c = client_enter(self);
    if (!c)
        return NULL;
    if (!may_close(c))
        Py_RETURN_NONE;
    if (keep_detail(c, detail))
        return NULL;
    if (may_close(c)) /* still: to keep it has run code */
        close_now(c, cause);
    Py_RETURN_NONE;
}

/* ---- time ------------------------------------------------------------------ */

PyObject *client_tick(PyObject *self, PyObject *time)
{
    struct client_object *c;
    uint64_t now;

    if (number_from("now", time, 0, INT64_MAX, &now) ||
        !(c = client_enter(self)))
        return NULL;
    if (now < c->now)
        return PyErr_Format(PyExc_ValueError, "now must not go back");
    c->now = now;
    mqtt_client_tick(&c->client, now);
    Py_RETURN_NONE;
}

static bool receptive(struct client_object *c)
{
    size_t size;

    return !c->received && !c->closing && !c->held &&
           mqtt_client_input_buf(&c->client, NULL, 0, &size);
}

/* Events are not looked at: who asks has pulled all it wants. */
PyObject *client_idle(PyObject *self, PyObject *until)
{
    struct client_object *c;
    uint64_t end;
    size_t size;

    if (number_from("until", until, 0, INT64_MAX, &end) ||
        !(c = client_enter(self)))
        return NULL;
    return PyBool_FromLong(receptive(c) && !c->offered &&
                           mqtt_client_wants(&c->client) == MQTT_WANT_NOTHING &&
                           !mqtt_client_output_buf(&c->client, &size) &&
                           mqtt_client_deadline(&c->client) >= end);
}

PyObject *client_receptive(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    return c ? PyBool_FromLong(receptive(c)) : NULL;
}

PyObject *client_deadline(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);
    mqtt_time at;

    (void)unused;
    if (!c)
        return NULL;
    at = mqtt_client_deadline(&c->client);
    if (at == MQTT_NEVER)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(at);
}
