/*
 * Subscriptions: nodes that the core links, each named by a number; and the
 * targets of those that match a message.
 */
#include "core.h"

/* ---- nodes ------------------------------------------------------------------- */

void node_free(struct client_object *c, struct node *node)
{
    struct node **at = &c->nodes;

    while (*at && *at != node)
        at = &(*at)->next;
    if (*at)
        *at = node->next;
    Py_XDECREF(node->filter);
    Py_XDECREF(node->properties);
    Py_XDECREF(node->targets);
    PyMem_Free(node);
}

/* A message that is being pulled is for this one. */
static void hit(struct mqtt_client *client, const struct mqtt_message *message,
                void *context)
{
    struct node *node = context;
    struct client_object *c =
        (struct client_object *)((char *)client -
                                 offsetof(struct client_object, client));
    size_t room = c->hits.room ? 2 * c->hits.room : 8;
    struct node **more;

    (void)message;
    if (c->hits.used == c->hits.room) {
        more = PyMem_Realloc(c->hits.nodes, room * sizeof(*more));
        if (!more) {
            c->hits.failed = true;
            return;
        }
        c->hits.nodes = more;
        c->hits.room = room;
    }
    c->hits.nodes[c->hits.used++] = node;
}

static PyObject *tuple_of_hits(const struct hits *hits)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)hits->used);

    for (size_t i = 0; tuple && i < hits->used; i++) {
        PyObject *targets = hits->nodes[i]->targets;
        PyObject *target = targets ? PyTuple_GetItem(targets, 0) : Py_None;

        Py_INCREF(target);
        PyTuple_SetItem(tuple, (Py_ssize_t)i, target);
    }
    return tuple;
}

PyObject *targets_of(struct client_object *c,
                     const struct mqtt_message *message)
{
    PyObject *targets;

    c->hits.used = 0;
    c->hits.failed = false;
    mqtt_dispatch_linear(&c->client, message);
    if (c->hits.failed)
        return PyErr_NoMemory();
    targets = c->hits.used == 1 ? c->hits.nodes[0]->targets : NULL;
    if (!targets)
        return tuple_of_hits(&c->hits);
    Py_INCREF(targets);
    return targets;
}

/* ---- subscribe ---------------------------------------------------------------- */

struct options {
    PyObject *qos, *target, *no_local, *retain_as_published, *retain_handling,
        *identifier, *properties;
};

static int read_flag(PyObject *value, bool *out)
{
    int truth = value ? PyObject_IsTrue(value) : 0;

    *out = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int read_options(struct mqtt_subscription *s, const struct options *o)
{
    uint64_t qos = 0, handling = 0, identifier = 0;

    if ((o->qos && number_from("qos", o->qos, 0, 2, &qos)) ||
        (o->retain_handling &&
         number_from("retain_handling", o->retain_handling, 0, 2, &handling)) ||
        (o->identifier &&
         number_from("identifier", o->identifier, 0, 268435455, &identifier)) ||
        read_flag(o->no_local, &s->no_local) ||
        read_flag(o->retain_as_published, &s->retain_as_published))
        return -1;
    s->maximum_qos = (enum mqtt_qos)qos;
    s->retain_handling = (enum mqtt_retain_handling)handling;
    s->identifier = (uint32_t)identifier;
    return 0;
}

static int fill(struct client_object *c, struct node *node, PyObject *filter,
                const struct options *options)
{
    struct mqtt_subscription *s = &node->subscription;

    node->filter = text_from("topic", filter);
    if (!node->filter || read_options(s, options))
        return -1;
    node->properties =
        properties_from(c->state, "properties", options->properties);
    if (!node->properties)
        return -1;
    s->topic_filter = span_of(node->filter);
    s->properties = span_of(node->properties);
    if (options->target && options->target != Py_None) {
        node->targets = PyTuple_Pack(1, options->target);
        s->on_message = hit;
        s->context = node;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static struct node *make(struct client_object *c, PyObject *filter,
                         const struct options *options)
{
    struct node *node = PyMem_Calloc(1, sizeof *node);

    if (!node) {
        PyErr_NoMemory();
        return NULL;
    }
    if (!fill(c, node, filter, options))
        return node;
    node_free(c, node);
    return NULL;
}

/* Takes `key` over, which is made before the core has the node. */
static PyObject *add(struct client_object *c, struct node *node, PyObject *key)
{
    enum mqtt_error error = mqtt_subscribe(&c->client, &node->subscription);

    if (error) {
        Py_DECREF(key);
        node_free(c, node);
        return raise_error(c->state, error);
    }
    node->next = c->nodes;
    node->key = ++c->last_key;
    c->nodes = node;
    return key;
}

PyObject *client_subscribe(PyObject *self, PyObject *arguments,
                           PyObject *keywords)
{
    static char *names[] = {"topic",
                            "qos",
                            "target",
                            "no_local",
                            "retain_as_published",
                            "retain_handling",
                            "identifier",
                            "properties",
                            NULL};
    struct client_object *c = (struct client_object *)self;
    struct options o = {.qos = NULL};
    PyObject *filter;
    struct node *node;
    PyObject *key;

    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "O|OOOOOOO:subscribe", names, &filter, &o.qos,
            &o.target, &o.no_local, &o.retain_as_published, &o.retain_handling,
            &o.identifier, &o.properties))
        return NULL;
    node = make(c, filter, &o);
    if (!node)
        return NULL;
    key = client_enter(self) ? PyLong_FromUnsignedLongLong(c->last_key + 1)
                             : NULL;
    if (key)
        return add(c, node, key);
    node_free(c, node);
    return NULL;
}

static struct node *find(const struct client_object *c, uint64_t key)
{
    struct node *node = c->nodes;

    while (node && node->key != key)
        node = node->next;
    return node;
}

PyObject *client_unsubscribe(PyObject *self, PyObject *key)
{
    enum mqtt_error error = MQTT_ERR_STATE;
    struct client_object *c;
    uint64_t number;
    struct node *node;

    if (number_from("key", key, 0, INT64_MAX, &number) ||
        !(c = client_enter(self)))
        return NULL;
    node = find(c, number);
    if (node)
        error = mqtt_unsubscribe(&c->client, &node->subscription);
    if (error)
        return raise_error(c->state, error);
    Py_RETURN_NONE;
}
