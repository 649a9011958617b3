/*
 * The module mqttloop._core: constants, functions, types. Its state is of its
 * interpreter.
 */
#include "core.h"

/* ---- functions ---------------------------------------------------------------- */

static PyObject *error_text(PyObject *module, PyObject *error)
{
    long number = PyLong_AsLong(error);

    (void)module;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return NULL;
        PyErr_Clear();
        number = 1;
    }
    if (number < -120 || number > 0)
        return PyErr_Format(PyExc_ValueError, "error must be one of ERR_...");
    return PyUnicode_FromString(mqtt_error_text((enum mqtt_error)number));
}

static PyObject *reason_text(PyObject *module, PyObject *code)
{
    uint64_t number;

    (void)module;
    if (number_from("reason_code", code, 0, 255, &number))
        return NULL;
    return PyUnicode_FromString(mqtt_reason_code_text((uint8_t)number));
}

static PyObject *topic_matches(PyObject *module, PyObject *arguments)
{
    PyObject *filter, *name, *filter_bytes, *name_bytes = NULL;
    PyObject *result = NULL;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO:topic_matches", &filter, &name))
        return NULL;
    filter_bytes = text_from("topic_filter", filter);
    if (filter_bytes)
        name_bytes = text_from("topic_name", name);
    if (name_bytes && !mqtt_topic_filter_valid(span_of(filter_bytes)))
        PyErr_Format(PyExc_ValueError, "topic_filter: %s",
                     mqtt_error_text(MQTT_ERR_TOPIC_FILTER));
    else if (name_bytes && !mqtt_topic_name_valid(span_of(name_bytes)))
        PyErr_Format(PyExc_ValueError, "topic_name: %s",
                     mqtt_error_text(MQTT_ERR_TOPIC_NAME));
    else if (name_bytes)
        result = PyBool_FromLong(
            mqtt_topic_matches(span_of(filter_bytes), span_of(name_bytes)));
    Py_XDECREF(filter_bytes);
    Py_XDECREF(name_bytes);
    return result;
}

static PyMethodDef functions[] = {
    {"error_text", error_text, METH_O,
     "error_text(error)\n--\n\nA sentence about one of ERR_..."},
    {"reason_text", reason_text, METH_O,
     "reason_text(reason_code)\n--\n\nThe words of MQTT 5.0 for a reason "
     "code."},
    {"topic_matches", topic_matches, METH_VARARGS,
     "topic_matches(topic_filter, topic_name)\n--\n\nWhether they match."},
    {NULL, NULL, 0, NULL},
};

/* ---- constants ----------------------------------------------------------------- */

#define CONSTANT(name)                                                         \
    {                                                                          \
#name, MQTT_##name                                                     \
    }

static const struct {
    const char *name;
    int value;
} constants[] = {
    CONSTANT(EVENT_CONNECTED),
    CONSTANT(EVENT_DISCONNECTED),
    CONSTANT(EVENT_MESSAGE_TOO_LARGE),
    CONSTANT(EVENT_PUBLISHED),
    CONSTANT(EVENT_SUBSCRIBED),
    CONSTANT(EVENT_UNSUBSCRIBED),
    CONSTANT(EVENT_ROOM),
    CONSTANT(EVENT_REFUSED),
    CONSTANT(EVENT_SERVER_DISCONNECT),
    CONSTANT(EVENT_AUTHENTICATION),
    CONSTANT(OUTCOME_ACKNOWLEDGED),
    CONSTANT(OUTCOME_LOST),
    CONSTANT(OUTCOME_UNKNOWN),
    CONSTANT(OUTCOME_REFUSED),
    CONSTANT(OUTCOME_EXPIRED),
    CONSTANT(OUTCOME_FORBIDDEN),
    CONSTANT(WANT_NOTHING),
    CONSTANT(WANT_OPEN),
    CONSTANT(WANT_FINISH),
    CONSTANT(WANT_CLOSE),
    {"STATE_STOPPED", MQTT_CLIENT_STOPPED},
    {"STATE_AWAIT_RETRY", MQTT_CLIENT_AWAIT_RETRY},
    {"STATE_AWAIT_OPEN", MQTT_CLIENT_AWAIT_OPEN},
    {"STATE_AWAIT_CONNACK", MQTT_CLIENT_AWAIT_CONNACK},
    {"STATE_CONNECTED", MQTT_CLIENT_CONNECTED},
    {"STATE_AWAIT_END", MQTT_CLIENT_AWAIT_END},
    {"STATE_AWAIT_CLOSE", MQTT_CLIENT_AWAIT_CLOSE},
    CONSTANT(ERR_NO_ROOM),
    CONSTANT(ERR_OFFLINE),
    CONSTANT(ERR_STATE),
    CONSTANT(ERR_REFUSED),
    CONSTANT(ERR_CLOSED),
    CONSTANT(ERR_NETWORK),
    CONSTANT(ERR_NAME),
    CONSTANT(ERR_OPEN_TIMEOUT),
    CONSTANT(ERR_CONNACK_TIMEOUT),
    CONSTANT(ERR_PINGRESP_TIMEOUT),
    CONSTANT(ERR_DISCONNECT_PACKET),
    CONSTANT(ERR_TLS),
    CONSTANT(ERR_TLS_NAME),
    CONSTANT(ERR_TLS_ISSUER),
};

static int add_constants(PyObject *module)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (PyModule_AddIntConstant(module, constants[i].name,
                                    constants[i].value))
            return -1;
    return PyModule_AddStringConstant(module, "VERSION",
                                      mqtt_library_version());
}

/* ---- the module ---------------------------------------------------------------- */

static int take_errors(struct state *state)
{
    PyObject *errors = PyImport_ImportModule("mqttloop._errors");

    if (!errors)
        return -1;
    state->error = PyObject_GetAttrString(errors, "Error");
    state->no_room_error = PyObject_GetAttrString(errors, "NoRoomError");
    state->offline_error = PyObject_GetAttrString(errors, "OfflineError");
    state->limit_error = PyObject_GetAttrString(errors, "LimitError");
    state->state_error = PyObject_GetAttrString(errors, "StateError");
    Py_DECREF(errors);
    return state->error && state->no_room_error && state->offline_error &&
                   state->limit_error && state->state_error
               ? 0
               : -1;
}

static int add_client(PyObject *module, struct state *state)
{
    state->client_type = PyType_FromSpec(&client_spec);
    return state->client_type &&
                   !PyObject_SetAttrString(state->client_type, "_module",
                                           module) &&
                   !PyObject_SetAttrString(module, "Client", state->client_type)
               ? 0
               : -1;
}

static int execute(PyObject *module)
{
    struct state *state = PyModule_GetState(module);

    return take_errors(state) || properties_name_all(state) ||
                   events_prepare(module, state) || add_client(module, state) ||
                   add_constants(module)
               ? -1
               : 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = PyModule_GetState(module);

    Py_VISIT(state->client_type);
    Py_VISIT(state->message_type);
    Py_VISIT(state->event_type);
    Py_VISIT(state->error);
    Py_VISIT(state->no_room_error);
    Py_VISIT(state->offline_error);
    Py_VISIT(state->limit_error);
    Py_VISIT(state->state_error);
    return 0;
}

/* Not by tp_clear: each client holds its module, and what it needs of it. */
static void release(void *module)
{
    struct state *state = PyModule_GetState(module);

    Py_CLEAR(state->client_type);
    Py_CLEAR(state->message_type);
    Py_CLEAR(state->event_type);
    Py_CLEAR(state->error);
    Py_CLEAR(state->no_room_error);
    Py_CLEAR(state->offline_error);
    Py_CLEAR(state->limit_error);
    Py_CLEAR(state->state_error);
    Py_CLEAR(state->no_properties);
    for (size_t i = 0; i < PROPERTY_IDENTIFIERS; i++)
        Py_CLEAR(state->property_names[i]);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
    {0, NULL},
};

struct PyModuleDef mqttloop_core_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "mqttloop._core",
    .m_doc = "mqttloop's protocol core: clients without I/O.",
    .m_size = sizeof(struct state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&mqttloop_core_module);
}
