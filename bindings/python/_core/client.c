/*
 * The type Client: made whole or not at all, and freed.
 */
#include "core.h"

/* The state of the module whose type this is, or of a type below it. */
static PyObject *module_of(PyTypeObject *type)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "_module");

    if (module && PyModule_Check(module) &&
        PyModule_GetDef(module) == &mqttloop_core_module)
        return module;
    Py_XDECREF(module);
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "Client has lost its module");
    return NULL;
}

static struct client_object *allocate(PyTypeObject *type)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);

    return (struct client_object *)alloc(type, 0); /* all zero */
}

static PyObject *client_new(PyTypeObject *type, PyObject *arguments,
                            PyObject *keywords)
{
    struct client_object *c;
    PyObject *empty = NULL;
    int status = -1;

    if (PyTuple_Size(arguments)) {
        PyErr_SetString(PyExc_TypeError, "Client() takes keywords only");
        return NULL;
    }
    c = allocate(type);
    if (!c)
        return NULL;
    c->module = module_of(type);
    if (c->module) {
        c->state = PyModule_GetState(c->module);
        empty = keywords ? NULL : PyDict_New();
        if (keywords || empty)
            status = client_configure(c, keywords ? keywords : empty);
    }
    Py_XDECREF(empty);
    if (!status)
        return (PyObject *)c;
    Py_DECREF(c);
    return NULL;
}

static int client_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct client_object *c = (struct client_object *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(c->module);
    for (struct node *node = c->nodes; node; node = node->next)
        Py_VISIT(node->targets);
    return 0;
}

/* Only targets lead back to who holds the client. */
static int client_clear(PyObject *self)
{
    struct client_object *c = (struct client_object *)self;

    for (struct node *node = c->nodes; node; node = node->next)
        Py_CLEAR(node->targets);
    return 0;
}

static void drop_references(struct client_object *c)
{
    greeting_clear(&c->greeting);
    Py_CLEAR(c->identifier);
    Py_CLEAR(c->properties);
    Py_CLEAR(c->view);
    Py_CLEAR(c->buffer);
    Py_CLEAR(c->detail);
    Py_CLEAR(c->held_detail);
    Py_CLEAR(c->end);
    Py_CLEAR(c->assembly);
    Py_CLEAR(c->spare_number);
    Py_CLEAR(c->module);
}

static void client_dealloc(PyObject *self)
{
    struct client_object *c = (struct client_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    if (c->made)
        mqtt_client_destroy(&c->client);
    while (c->nodes)
        node_free(c, c->nodes);
    PyMem_Free(c->hits.nodes);
    free(c->memory);
    drop_references(c);
    release(self);
    Py_DECREF(type);
}

struct client_object *client_enter(PyObject *self)
{
    struct client_object *c = (struct client_object *)self;

    if (!c->busy)
        return c;
    PyErr_SetString(PyExc_RuntimeError,
                    "the client is in use: one call at a time");
    return NULL;
}

PyDoc_STRVAR(client_doc,
             "Client(**settings)\n--\n\n"
             "An MQTT client without I/O: bytes in, bytes out, requests,\n"
             "events and one deadline. mqttloop.Client, mqttloop.sync.Client\n"
             "and mqttloop.mqtt.Client drive it; a program of yours may, too.\n"
             "\n"
             "A turn: tick(now); what wants() says; iterate over the client,\n"
             "which gives its events; send output() and say so by sent();\n"
             "receive into buffer and say so by received(). All times are\n"
             "whole milliseconds of one clock that never goes back.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)client_doc},
    {Py_tp_new, (void *)client_new},
    {Py_tp_dealloc, (void *)client_dealloc},
    {Py_tp_traverse, (void *)client_traverse},
    {Py_tp_clear, (void *)client_clear},
    {Py_tp_iter, (void *)PyObject_SelfIter},
    {Py_tp_iternext, (void *)client_iternext},
    {Py_tp_methods, client_methods},
    {Py_tp_getset, client_attributes},
    {0, NULL},
};

PyType_Spec client_spec = {
    .name = "mqttloop._core.Client",
    .basicsize = sizeof(struct client_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
