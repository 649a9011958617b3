/*
 * What can be looked at, and the list of all methods.
 */
#include "core.h"

/* ---- attributes ------------------------------------------------------------- */

static PyObject *get_state(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    return c ? PyLong_FromLong(mqtt_client_state(&c->client)) : NULL;
}

static PyObject *get_server(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    return c ? PyLong_FromLong(mqtt_client_server(&c->client)->port - 1) : NULL;
}

static PyObject *get_protocol(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    if (!c)
        return NULL;
    return PyLong_FromLong(
        mqtt_client_protocol(&c->client) == &mqtt_protocol_5_0 ? 5 : 4);
}

static PyObject *get_identifier(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);

    (void)unused;
    return c ? str_of(mqtt_client_identifier(&c->client)) : NULL;
}

static PyObject *get_buffer(PyObject *self, void *unused)
{
    struct client_object *c = (struct client_object *)self;

    (void)unused;
    return PyMemoryView_FromObject(c->view); /* ours is not released */
}

static PyObject *get_limits(PyObject *self, void *unused)
{
    struct client_object *c = client_enter(self);
    const struct mqtt_limits *l;

    (void)unused;
    if (!c)
        return NULL;
    l = mqtt_client_limits(&c->client);
    return Py_BuildValue(
        "{sksksisisisisNsNsNsN}", "maximum_packet_size",
        (unsigned long)l->maximum_packet_size, "session_expiry",
        (unsigned long)l->session_expiry_s, "receive_maximum",
        (int)l->receive_maximum, "topic_alias_maximum",
        (int)l->topic_alias_maximum, "keep_alive", (int)l->keep_alive_s,
        "maximum_qos", (int)l->maximum_qos, "retain_available",
        PyBool_FromLong(l->retain_available), "wildcard_available",
        PyBool_FromLong(l->wildcard_available), "shared_available",
        PyBool_FromLong(l->shared_available),
        "subscription_identifiers_available",
        PyBool_FromLong(l->subscription_identifiers_available));
}

#define COUNTER(name)                                                          \
    {                                                                          \
#name, offsetof(struct mqtt_statistics, name)                          \
    }

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    COUNTER(bytes_sent),
    COUNTER(bytes_received),
    COUNTER(messages_published),
    COUNTER(messages_acknowledged),
    COUNTER(messages_resent),
    COUNTER(messages_received),
    COUNTER(messages_too_large),
    COUNTER(duplicates_received),
    COUNTER(qos0_dropped),
    COUNTER(messages_lost),
    COUNTER(messages_refused),
    COUNTER(messages_expired),
    COUNTER(messages_malformed),
    COUNTER(publishes_refused),
    COUNTER(unknown_acknowledgements),
    COUNTER(pings_sent),
    COUNTER(connections),
    COUNTER(connections_lost),
    COUNTER(attempts_failed),
};

static PyObject *get_statistics(PyObject *self, void *unused)
{
    struct client_object *c = (struct client_object *)self;
    PyObject *mapping = PyDict_New();

    (void)unused;
    for (size_t i = 0; mapping && i < sizeof counters / sizeof *counters; i++) {
        uint64_t value =
            *(uint64_t *)((char *)&c->statistics + counters[i].offset);
        PyObject *number = PyLong_FromUnsignedLongLong(value);

        if (!number || PyDict_SetItemString(mapping, counters[i].name, number))
            Py_CLEAR(mapping);
        Py_XDECREF(number);
    }
    return mapping;
}

PyGetSetDef client_attributes[] = {
    {"state", get_state, NULL, "What it waits for, one of STATE_...", NULL},
    {"server", get_server, NULL, "The number of the server to connect to.",
     NULL},
    {"protocol", get_protocol, NULL, "4 for MQTT 3.1.1, 5 for MQTT 5.0.", NULL},
    {"identifier", get_identifier, NULL,
     "The client identifier, one that the server assigned, or ''.", NULL},
    {"buffer", get_buffer, NULL,
     "The writable memory to receive into, when receptive.", NULL},
    {"receptive", client_receptive, NULL,
     "True if received() or feed() would take bytes now.", NULL},
    {"limits", get_limits, NULL, "What the server said of itself, a dict.",
     NULL},
    {"statistics", get_statistics, NULL, "Counters, a dict; they only grow.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- what has not ended ------------------------------------------------------- */

static int append_outstanding(PyObject *list, const struct mqtt_outstanding *it)
{
    PyObject *item =
        Py_BuildValue("(iiNN)", (int)it->packet_identifier, (int)it->qos,
                      PyBool_FromLong(it->sent), PyBool_FromLong(it->released));
    int status = item ? PyList_Append(list, item) : -1;

    Py_XDECREF(item);
    return status;
}

PyObject *client_outstanding(PyObject *self, PyObject *unused)
{
    struct client_object *c = client_enter(self);
    struct mqtt_outstanding it = {.packet_identifier = 0};
    PyObject *list = c ? PyList_New(0) : NULL;

    (void)unused;
    if (!list)
        return NULL;
    c->busy = true;
    while (list && mqtt_client_next_outstanding(&c->client, &it))
        if (append_outstanding(list, &it))
            Py_CLEAR(list);
    c->busy = false;
    return list;
}

/* ---- methods ------------------------------------------------------------------- */

#define WITH_KEYWORDS(function)                                                \
    (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

PyMethodDef client_methods[] = {
    {"connect", client_connect, METH_NOARGS,
     "connect()\n--\n\nConnect, and again after every loss, until "
     "disconnect()."},
    {"disconnect", WITH_KEYWORDS(client_disconnect),
     "disconnect(timeout_ms=0, reason_code=0, properties=None)\n--\n\n"
     "End the connection; with a time-out after every publish has ended."},
    {"publish", WITH_KEYWORDS(client_publish),
     "publish(topic, payload=b'', qos=0, retain=False, properties=None)\n--\n\n"
     "Accept a message into the outbox. Its packet identifier, which\n"
     "EVENT_PUBLISHED names when it has ended; 0 for QoS 0."},
    {"subscribe", WITH_KEYWORDS(client_subscribe),
     "subscribe(topic, qos=0, target=None, no_local=False,\n"
     "          retain_as_published=False, retain_handling=0, identifier=0,\n"
     "          properties=None)\n--\n\n"
     "Subscribe, now or as soon as there is a connection, and again when the\n"
     "server has lost the session. A key, which EVENT_SUBSCRIBED names."},
    {"unsubscribe", client_unsubscribe, METH_O,
     "unsubscribe(key)\n--\n\nEnd a subscription; its target is not named any "
     "more."},
    {"settle", WITH_KEYWORDS(client_settle),
     "settle(handle, reason_code=0)\n--\n\nWith settle=True: acknowledge a "
     "message."},
    {"authenticate", WITH_KEYWORDS(client_authenticate),
     "authenticate(data=None, properties=None)\n--\n\nMQTT 5.0: send AUTH."},
    {"set_credentials", WITH_KEYWORDS(client_set_credentials),
     "set_credentials(user_name, password=None)\n--\n\nFrom the next "
     "connection on."},
    {"set_will", client_set_will, METH_O,
     "set_will(will)\n--\n\nFrom the next connection on: a tuple (topic,\n"
     "payload, qos, retain, properties), or None."},
    {"set_keep_alive", client_set_keep_alive, METH_O,
     "set_keep_alive(seconds)\n--\n\nFrom the next connection on; 0: off."},
    {"received", client_received, METH_O,
     "received(size)\n--\n\nSo many bytes have been put into buffer."},
    {"feed", client_feed, METH_O,
     "feed(data)\n--\n\nTake received bytes; how many of them were taken."},
    {"output", client_output, METH_VARARGS,
     "output(limit=65536)\n--\n\nThe next bytes for the network, or None."},
    {"take", client_take, METH_NOARGS,
     "take()\n--\n\noutput() and sent() in one, for a network that takes\n"
     "whatever it is given."},
    {"sent", client_sent, METH_O,
     "sent(size)\n--\n\nThe network took the first so many of what output() "
     "gave\n"
     "last; it gives the rest next time."},
    {"wants", client_wants, METH_NOARGS,
     "wants()\n--\n\nWhat it wants of its driver, one of WANT_..."},
    {"opened", client_opened, METH_NOARGS,
     "opened()\n--\n\nThe network connection is there."},
    {"closed", client_closed, METH_VARARGS,
     "closed(why=ERR_CLOSED, detail=None)\n--\n\nThere is no network "
     "connection."},
    {"tick", client_tick, METH_O,
     "tick(now)\n--\n\nIt is now so many milliseconds; at the start of each "
     "turn."},
    {"deadline", client_deadline, METH_NOARGS,
     "deadline()\n--\n\nWhen tick() is needed at the latest, or None."},
    {"idle", client_idle, METH_O,
     "idle(until)\n--\n\nTrue if there is nothing to do but to receive, and\n"
     "that is possible, until then: nothing to send, nothing wanted, no\n"
     "deadline before. Of events it does not speak."},
    {"pull", client_pull, METH_NOARGS,
     "pull()\n--\n\nThe next event, or None. The message before is "
     "acknowledged."},
    {"outstanding", client_outstanding, METH_NOARGS,
     "outstanding()\n--\n\nWhat has not ended, as tuples (packet identifier,\n"
     "qos, sent, released) in the order of sending."},
    {NULL, NULL, 0, NULL},
};
