/*
 * Requests: arguments are turned into C first, so that nothing has changed when
 * one of them is wrong.
 */
#include "core.h"

static bool is_true(PyObject *value, bool *out)
{
    int truth = value ? PyObject_IsTrue(value) : 0;

    *out = truth > 0;
    return truth >= 0;
}

static PyObject *none_or_error(struct client_object *c, enum mqtt_error error)
{
    if (error)
        return raise_error(c->state, error);
    Py_RETURN_NONE;
}

PyObject *client_connect(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    return c ? none_or_error(c, mqtt_connect(&c->client)) : NULL;
}

/* ---- publish ---------------------------------------------------------------- */

/* The owned parts of a message. */
struct parts {
    PyObject *topic, *payload, *properties;
};

static void free_parts(struct parts *parts)
{
    Py_XDECREF(parts->topic);
    Py_XDECREF(parts->payload);
    Py_XDECREF(parts->properties);
}

static bool read_parts(struct client_object *c, struct parts *parts,
                       PyObject *properties)
{
    parts->topic = text_from("topic", parts->topic);
    if (parts->payload)
        parts->payload = bytes_from("payload", parts->payload);
    else
        parts->payload = PyBytes_FromStringAndSize(NULL, 0);
    if (properties && properties != Py_None && parts->topic && parts->payload)
        parts->properties = properties_from(c->state, "properties", properties);
    return parts->topic && parts->payload && !PyErr_Occurred();
}

/* The message is the core's by now: without memory for its number that of the
 * spare one is given back, which is as large. */
static PyObject *identifier_of(struct client_object *c, uint16_t identifier)
{
    PyObject *number = PyLong_FromLong(identifier);

    if (number || !PyErr_ExceptionMatches(PyExc_MemoryError))
        return number;
    PyErr_Clear();
    Py_CLEAR(c->spare_number);
    return PyLong_FromLong(identifier);
}

static PyObject *publish(struct client_object *c,
                         const struct mqtt_message *message)
{
    uint16_t identifier = 0;
    enum mqtt_error error;

    if (!c->spare_number)
        c->spare_number = number_made_early();
    if (!c->spare_number)
        return NULL;
    error = mqtt_client_publish(&c->client, message, &identifier);
    if (error)
        return raise_error(c->state, error);
    return identifier_of(c, identifier);
}

PyObject *client_publish(PyObject *self, PyObject *arguments,
                         PyObject *keywords)
{
    static char *names[] = {"topic",  "payload",    "qos",
                            "retain", "properties", NULL};
    PyObject *qos = NULL, *retain = NULL, *properties = NULL, *result = NULL;
    struct parts parts = {NULL, NULL, NULL};
    struct mqtt_message message = {.qos = MQTT_QOS_0};
    struct client_object *c = (struct client_object *)self;
    uint64_t number = 0;

    if (!(keywords ? PyArg_ParseTupleAndKeywords(arguments, keywords,
                                                 "O|OOOO:publish", names,
                                                 &parts.topic, &parts.payload,
                                                 &qos, &retain, &properties)
                   : PyArg_UnpackTuple(arguments, "publish", 1, 5, &parts.topic,
                                       &parts.payload, &qos, &retain,
                                       &properties)) ||
        (qos && number_from("qos", qos, 0, 2, &number)) ||
        !is_true(retain, &message.retain))
        return NULL;
    message.qos = (enum mqtt_qos)number;
    if (read_parts(c, &parts, properties) && client_enter(self)) {
        message.topic_name = span_of(parts.topic);
        message.payload = span_of(parts.payload);
        message.properties = span_of(parts.properties);
        result = publish(c, &message);
    }
    free_parts(&parts);
    return result;
}

/* ---- the end ----------------------------------------------------------------- */

static enum mqtt_error disconnect(struct client_object *c, uint64_t timeout_ms,
                                  const struct mqtt_disconnect_options *options)
{
    bool plain = !options->reason_code && !options->properties.size;

    return plain ? mqtt_disconnect(&c->client, (uint32_t)timeout_ms)
                 : mqtt_disconnect_with(&c->client, (uint32_t)timeout_ms,
                                        options);
}

/* Takes over `properties`, which have to stay until the end. */
static PyObject *disconnect_keeping(struct client_object *c,
                                    uint64_t timeout_ms, uint64_t reason_code,
                                    PyObject *properties)
{
    struct mqtt_disconnect_options options = {
        .reason_code = (uint8_t)reason_code,
        .properties = span_of(properties),
    };
    enum mqtt_error error = disconnect(c, timeout_ms, &options);
    PyObject *old = properties;

    if (!error) {
        old = c->end;
        c->end = properties;
    }
    Py_XDECREF(old);
    return none_or_error(c, error);
}

PyObject *client_disconnect(PyObject *self, PyObject *arguments,
                            PyObject *keywords)
{
    static char *names[] = {"timeout_ms", "reason_code", "properties", NULL};
    PyObject *timeout = NULL, *reason = NULL, *mapping = NULL, *properties;
    struct client_object *c = (struct client_object *)self;
    uint64_t timeout_ms = 0, reason_code = 0;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OOO:disconnect",
                                     names, &timeout, &reason, &mapping) ||
        (timeout &&
         number_from("timeout_ms", timeout, 0, UINT32_MAX, &timeout_ms)) ||
        (reason && number_from("reason_code", reason, 0, 255, &reason_code)))
        return NULL;
    properties = properties_from(c->state, "properties", mapping);
    if (properties && client_enter(self))
        return disconnect_keeping(c, timeout_ms, reason_code, properties);
    Py_XDECREF(properties);
    return NULL;
}

/* ---- the rest ---------------------------------------------------------------- */

PyObject *client_settle(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"handle", "reason_code", NULL};
    PyObject *given, *reason = NULL;
    uint64_t handle, reason_code = 0;
    struct client_object *c;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:settle", names,
                                     &given, &reason) ||
        number_from("handle", given, 0, UINT32_MAX, &handle) ||
        (reason && number_from("reason_code", reason, 0, 255, &reason_code)) ||
        !(c = client_enter(self)))
        return NULL;
    return none_or_error(
        c, mqtt_settle(&c->client, (uint32_t)handle, (uint8_t)reason_code));
}

PyObject *client_authenticate(PyObject *self, PyObject *arguments,
                              PyObject *keywords)
{
    static char *names[] = {"data", "properties", NULL};
    PyObject *given = Py_None, *mapping = NULL, *data = NULL, *properties;
    struct client_object *c = (struct client_object *)self;
    PyObject *result = NULL;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OO:authenticate",
                                     names, &given, &mapping))
        return NULL;
    properties = properties_from(c->state, "properties", mapping);
    if (properties && given != Py_None)
        data = bytes_from("data", given);
    if (properties && !PyErr_Occurred() && client_enter(self))
        result = none_or_error(c, mqtt_authenticate(&c->client, span_of(data),
                                                    span_of(properties)));
    Py_XDECREF(data);
    Py_XDECREF(properties);
    return result;
}
