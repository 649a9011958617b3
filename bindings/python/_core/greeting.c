/*
 * What CONNECT says of the user and of the will; it may change between two
 * connections.
 */
#include "core.h"

#define LARGEST_FIELD 65535

static PyObject *checked(const char *argument, PyObject *bytes, bool text)
{
    struct mqtt_span span = span_of(bytes);

    if (!bytes)
        return NULL;
    if (span.size > LARGEST_FIELD)
        PyErr_Format(PyExc_ValueError, "%s: longer than 65535 bytes", argument);
    else if (text && span.size && memchr(span.data, 0, span.size))
        PyErr_Format(PyExc_ValueError, "%s: has U+0000", argument);
    else
        return bytes;
    Py_DECREF(bytes);
    return NULL;
}

/* Another value in its place; the old one goes last, for that may run code. */
static void replace(PyObject **place, PyObject *value)
{
    PyObject *old = *place;

    *place = value;
    Py_XDECREF(old);
}

/* ---- user ----------------------------------------------------------------- */

int greeting_set_credentials(struct greeting *greeting, PyObject *user_name,
                             PyObject *password)
{
    PyObject *name = NULL, *word = NULL;

    if (user_name != Py_None) {
        name = checked("user_name", text_from("user_name", user_name), true);
        if (!name)
            return -1;
    }
    if (password != Py_None) {
        word = checked("password", bytes_from("password", password), false);
        if (!word) {
            Py_XDECREF(name);
            return -1;
        }
    }
    replace(&greeting->user_name, name);
    replace(&greeting->password, word);
    return 0;
}

PyObject *client_set_credentials(PyObject *self, PyObject *arguments,
                                 PyObject *keywords)
{
    static char *names[] = {"user_name", "password", NULL};
    struct client_object *c;
    PyObject *user_name, *password = Py_None;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:set_credentials",
                                     names, &user_name, &password) ||
        !(c = client_enter(self)))
        return NULL;
    if (greeting_set_credentials(&c->greeting, user_name, password))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- the will -------------------------------------------------------------- */

static void clear_will(struct greeting *greeting)
{
    replace(&greeting->will_topic, NULL);
    replace(&greeting->will_payload, NULL);
    replace(&greeting->will_properties, NULL);
}

static int check_will(const struct mqtt_message *will)
{
    if (!mqtt_topic_name_valid(will->topic_name))
        PyErr_Format(PyExc_ValueError, "will: %s",
                     mqtt_error_text(MQTT_ERR_TOPIC_NAME));
    else if (mqtt_properties_check(will->properties, MQTT_IN_WILL))
        PyErr_Format(PyExc_ValueError, "will: %s",
                     mqtt_error_text(MQTT_ERR_PROPERTY));
    return PyErr_Occurred() ? -1 : 0;
}

/* The parts of a will, whose spans then point into bytes that `out` owns. */
static int take_will(struct state *state, struct greeting *out, PyObject *topic,
                     PyObject *payload, PyObject *properties)
{
    out->will_topic = text_from("will", topic);
    if (out->will_topic)
        out->will_payload = checked("will", bytes_from("will", payload), false);
    if (out->will_payload)
        out->will_properties = properties_from(state, "will", properties);
    if (!out->will_properties)
        return -1;
    out->will.topic_name = span_of(out->will_topic);
    out->will.payload = span_of(out->will_payload);
    out->will.properties = span_of(out->will_properties);
    return check_will(&out->will);
}

static int read_will(struct state *state, struct greeting *out, PyObject *will)
{
    PyObject *topic, *payload, *qos = NULL, *retain = NULL, *properties = NULL;
    uint64_t number = 0;
    int truth = 0;

    if (!PyTuple_Check(will)) {
        PyErr_SetString(PyExc_TypeError, "will must be a tuple (topic, "
                                         "payload, qos, retain, properties)");
        return -1;
    }
    if (!PyArg_ParseTuple(will,
                          "OO|OOO;will must be a tuple (topic, payload, "
                          "qos, retain, properties)",
                          &topic, &payload, &qos, &retain, &properties) ||
        (qos && number_from("qos", qos, 0, 2, &number)) ||
        (retain && (truth = PyObject_IsTrue(retain)) < 0))
        return -1;
    out->will.qos = (enum mqtt_qos)number;
    out->will.retain = truth;
    return take_will(state, out, topic, payload, properties);
}

int greeting_set_will(struct state *state, struct greeting *greeting,
                      PyObject *will)
{
    struct greeting fresh = {.will_topic = NULL};

    if (will != Py_None && read_will(state, &fresh, will)) {
        greeting_clear(&fresh);
        return -1;
    }
    greeting->will = fresh.will;
    replace(&greeting->will_topic, fresh.will_topic);
    replace(&greeting->will_payload, fresh.will_payload);
    replace(&greeting->will_properties, fresh.will_properties);
    return 0;
}

PyObject *client_set_will(PyObject *self, PyObject *will)
{
    struct client_object *c = client_enter(self);

    if (!c || greeting_set_will(c->state, &c->greeting, will))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- keep alive ------------------------------------------------------------ */

int greeting_set_keep_alive(struct greeting *greeting, PyObject *seconds)
{
    uint64_t number;

    if (number_from("keep_alive", seconds, 0, 65535, &number))
        return -1;
    greeting->keep_alive_s = number ? (uint32_t)number : MQTT_KEEP_ALIVE_OFF;
    return 0;
}

PyObject *client_set_keep_alive(PyObject *self, PyObject *seconds)
{
    struct client_object *c = client_enter(self);

    if (!c || greeting_set_keep_alive(&c->greeting, seconds))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- all of it ------------------------------------------------------------- */

void greeting_clear(struct greeting *greeting)
{
    clear_will(greeting);
    replace(&greeting->user_name, NULL);
    replace(&greeting->password, NULL);
}

enum mqtt_error greeting_say(void *context,
                             struct mqtt_connect_options *options,
                             struct mqtt_server *server)
{
    const struct client_object *c = context;

    (void)server;
    options->user_name = span_of(c->greeting.user_name);
    options->password = span_of(c->greeting.password);
    options->keep_alive_s = c->greeting.keep_alive_s;
    options->will = c->greeting.will_topic ? &c->greeting.will : NULL;
    return MQTT_OK;
}
