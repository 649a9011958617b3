/*
 * Events, each as a named tuple: a Message, or an Event of what else happened.
 */
#include "core.h"

static PyStructSequence_Field message_fields[] = {
    {"topic", "the topic name, a str"},
    {"payload", "bytes; with text=True a str"},
    {"qos", "0, 1 or 2"},
    {"retain", "it was retained by the server"},
    {"dup", "the server says that it may have been sent before"},
    {"properties", "a mapping from the names of MQTT 5.0 to values"},
    {"handle", "for settle(); 0: there is nothing to settle"},
    {"targets", "those of the subscriptions that match"},
    {NULL, NULL},
};

static PyStructSequence_Desc message_desc = {
    "mqttloop.Message", "A message that was received.", message_fields, 8};

static PyStructSequence_Field event_fields[] = {
    {"type", "what happened, one of EVENT_..."},
    {"error", "why, one of ERR_..., or 0"},
    {"outcome", "how a publish ended, one of OUTCOME_..."},
    {"reason_code", "what the server said of it; 0 if it said none"},
    {"session_present", "the server had a session"},
    {"packet_identifier", "of the publish that it tells of"},
    {"properties", "a mapping from the names of MQTT 5.0 to values"},
    {"subscription", "the key that subscribe() gave, or 0"},
    {"retry_at", "when to connect again, or None: not"},
    {"detail", "words of the system, or None"},
    {"size", "of a packet that was too large"},
    {NULL, NULL},
};

static PyStructSequence_Desc event_desc = {
    "mqttloop.Event", "What happened beside messages.", event_fields, 11};

int events_prepare(PyObject *module, struct state *state)
{
    state->message_type = (PyObject *)PyStructSequence_NewType(&message_desc);
    state->event_type = (PyObject *)PyStructSequence_NewType(&event_desc);
    return state->message_type && state->event_type &&
                   !PyObject_SetAttrString(module, "Message",
                                           state->message_type) &&
                   !PyObject_SetAttrString(module, "Event", state->event_type)
               ? 0
               : -1;
}

/* ---- filling a named tuple ---------------------------------------------------- */

struct filler {
    PyObject *tuple;
    Py_ssize_t used;
};

/* Takes the reference over. After a failure nothing more is put. */
static void put(struct filler *filler, PyObject *value)
{
    if (!value)
        Py_CLEAR(filler->tuple);
    if (filler->tuple)
        PyStructSequence_SetItem(filler->tuple, filler->used++, value);
    else
        Py_XDECREF(value);
}

static struct filler begin(PyObject *type)
{
    return (struct filler){PyStructSequence_New((PyTypeObject *)type), 0};
}

static PyObject *none(void)
{
    Py_INCREF(Py_None);
    return Py_None;
}

/* ---- messages ----------------------------------------------------------------- */

static PyObject *payload_of(const struct client_object *c,
                            struct mqtt_span payload)
{
    return c->text ? str_of(payload) : bytes_of(payload);
}

/* Takes `payload` over. */
static PyObject *message_with(struct client_object *c,
                              const struct mqtt_message *m, PyObject *payload)
{
    struct filler filler = begin(c->state->message_type);

    put(&filler, str_of(m->topic_name));
    put(&filler, payload);
    put(&filler, PyLong_FromLong(m->qos));
    put(&filler, PyBool_FromLong(m->retain));
    put(&filler, PyBool_FromLong(m->dup));
    put(&filler, filler.tuple ? properties_of(c->state, m->properties) : NULL);
    put(&filler, PyLong_FromUnsignedLong(m->settle_handle));
    put(&filler, filler.tuple ? targets_of(c, m) : NULL);
    return filler.tuple;
}

/* ---- messages in parts -------------------------------------------------------- */

/* The first part: room for all of them; the rest is refused if it is too large
 * for us, or for the machine. */
static bool begin_assembly(struct client_object *c,
                           const struct mqtt_message *m)
{
    Py_CLEAR(c->assembly);
    if (m->payload_size <= c->largest)
        c->assembly =
            PyBytes_FromStringAndSize(NULL, (Py_ssize_t)m->payload_size);
    PyErr_Clear();
    if (!c->assembly)
        mqtt_refuse_rest(&c->client, MQTT_REASON_QUOTA_EXCEEDED);
    return c->assembly;
}

/* Without memory all is kept, to be tried again. */
static PyObject *end_assembly(struct client_object *c,
                              const struct mqtt_message *m)
{
    PyObject *payload = c->assembly, *message;

    if (c->text)
        payload = str_of(span_of(payload));
    else
        Py_INCREF(payload);
    message = payload ? message_with(c, m, payload) : NULL;
    if (message)
        Py_CLEAR(c->assembly);
    return message;
}

/* NULL without an exception: not whole yet. */
static PyObject *assemble(struct client_object *c, const struct mqtt_message *m)
{
    if (!m->payload_offset && !begin_assembly(c, m))
        return NULL;
    if (!c->assembly)
        return NULL;
    if (m->payload.size)
        memcpy(PyBytes_AsString(c->assembly) + m->payload_offset,
               m->payload.data, m->payload.size);
    if (m->payload_offset + m->payload.size < m->payload_size)
        return NULL;
    return end_assembly(c, m);
}

static PyObject *message_of(struct client_object *c,
                            const struct mqtt_message *m)
{
    PyObject *payload;

    if (m->payload.size != m->payload_size)
        return assemble(c, m);
    payload = payload_of(c, m->payload);
    return payload ? message_with(c, m, payload) : NULL;
}

/* ---- other events -------------------------------------------------------------- */

static uint64_t key_of(const struct mqtt_event *event)
{
    return event->subscription ? ((struct node *)event->subscription)->key : 0;
}

static PyObject *detail_of(const char *detail)
{
    return detail ? str_of(mqtt_text(detail)) : none();
}

static PyObject *retry_of(const struct mqtt_event *event)
{
    if (event->type != MQTT_EVENT_DISCONNECTED || event->retry_at == MQTT_NEVER)
        return none();
    return PyLong_FromUnsignedLongLong(event->retry_at);
}

static PyObject *event_of(struct client_object *c,
                          const struct mqtt_event *event)
{
    struct filler filler = begin(c->state->event_type);

    put(&filler, PyLong_FromLong(event->type));
    put(&filler, PyLong_FromLong(event->error));
    put(&filler, PyLong_FromLong(event->outcome));
    put(&filler, PyLong_FromLong(event->reason_code));
    put(&filler, PyBool_FromLong(event->session_present));
    put(&filler, PyLong_FromLong(event->packet_identifier));
    put(&filler,
        filler.tuple ? properties_of(c->state, event->properties) : NULL);
    put(&filler, PyLong_FromUnsignedLongLong(key_of(event)));
    put(&filler, retry_of(event));
    put(&filler, detail_of(event->detail));
    put(&filler, PyLong_FromUnsignedLong(event->size));
    return filler.tuple;
}

/* ---- pulling -------------------------------------------------------------------- */

static PyObject *object_of(struct client_object *c,
                           const struct mqtt_event *event)
{
    PyObject *result;

    if (event->type == MQTT_EVENT_MESSAGE)
        return message_of(c, &event->message);
    result = event_of(c, event);
    if (result && event->type == MQTT_EVENT_UNSUBSCRIBED)
        node_free(c, (struct node *)event->subscription);
    return result;
}

/* The event becomes an object, or is held. */
static PyObject *give(struct client_object *c)
{
    PyObject *result = object_of(c, &c->event);

    c->held = !result && PyErr_Occurred();
    if (!c->held) {
        Py_CLEAR(c->held_detail);
    } else if (!c->held_detail) {
        Py_XINCREF(c->detail);
        c->held_detail = c->detail;
    }
    return result;
}

/* The next one; NULL without an exception: none. */
static PyObject *pull(struct client_object *c)
{
    PyObject *result = NULL;

    c->busy = true;
    if (c->held)
        result = give(c);
    while (!result && !c->held && client_advance(c, &c->event))
        result = give(c);
    c->busy = false;
    return result;
}

PyObject *client_iternext(PyObject *self)
{
    struct client_object *c = client_enter(self);

    return c ? pull(c) : NULL;
}

PyObject *client_pull(PyObject *self, PyObject *unused)
{
    PyObject *result = client_iternext(self);

    (void)unused;
    if (result || PyErr_Occurred())
        return result;
    Py_RETURN_NONE;
}
