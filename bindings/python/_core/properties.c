/*
 * The properties of 5.0 as a mapping from names to values, both ways: numbers,
 * str, bytes; user_property is a list of pairs, subscription_identifier a list
 * of numbers.
 */
#include "core.h"

#define FIRST_SIZE 256
#define LARGEST_SIZE ((size_t)1 << 28)

static const struct {
    uint8_t identifier;
    const char *name;
} names[] = {
    {MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, "payload_format_indicator"},
    {MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, "message_expiry_interval"},
    {MQTT_PROPERTY_CONTENT_TYPE, "content_type"},
    {MQTT_PROPERTY_RESPONSE_TOPIC, "response_topic"},
    {MQTT_PROPERTY_CORRELATION_DATA, "correlation_data"},
    {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, "subscription_identifier"},
    {MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, "session_expiry_interval"},
    {MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER, "assigned_client_identifier"},
    {MQTT_PROPERTY_SERVER_KEEP_ALIVE, "server_keep_alive"},
    {MQTT_PROPERTY_AUTHENTICATION_METHOD, "authentication_method"},
    {MQTT_PROPERTY_AUTHENTICATION_DATA, "authentication_data"},
    {MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION, "request_problem_information"},
    {MQTT_PROPERTY_WILL_DELAY_INTERVAL, "will_delay_interval"},
    {MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION,
     "request_response_information"},
    {MQTT_PROPERTY_RESPONSE_INFORMATION, "response_information"},
    {MQTT_PROPERTY_SERVER_REFERENCE, "server_reference"},
    {MQTT_PROPERTY_REASON_STRING, "reason_string"},
    {MQTT_PROPERTY_RECEIVE_MAXIMUM, "receive_maximum"},
    {MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, "topic_alias_maximum"},
    {MQTT_PROPERTY_TOPIC_ALIAS, "topic_alias"},
    {MQTT_PROPERTY_MAXIMUM_QOS, "maximum_qos"},
    {MQTT_PROPERTY_RETAIN_AVAILABLE, "retain_available"},
    {MQTT_PROPERTY_USER_PROPERTY, "user_property"},
    {MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, "maximum_packet_size"},
    {MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
     "wildcard_subscription_available"},
    {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE,
     "subscription_identifiers_available"},
    {MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
     "shared_subscription_available"},
};

int properties_name_all(struct state *state)
{
    PyObject *nothing = PyDict_New();

    if (!nothing)
        return -1;
    state->no_properties = PyDictProxy_New(nothing);
    Py_DECREF(nothing);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PyObject *name = PyUnicode_InternFromString(names[i].name);

        if (!name)
            return -1;
        state->property_names[names[i].identifier] = name;
    }
    return state->no_properties ? 0 : -1;
}

/* ---- from Python ---------------------------------------------------------- */

/* 0: there is none of this name. */
static uint8_t identifier_of(struct state *state, PyObject *name)
{
    for (uint8_t i = 0; i < PROPERTY_IDENTIFIERS; i++)
        if (state->property_names[i] &&
            PyUnicode_Compare(name, state->property_names[i]) == 0)
            return i;
    return 0;
}

/* A new tuple of what a sequence has; no str, which would be its letters. */
static PyObject *tuple_of(PyObject *sequence)
{
    PyObject *items =
        PyUnicode_Check(sequence) ? NULL : PySequence_Tuple(sequence);

    if (!items &&
        (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError))) {
        PyErr_Clear();
        PyErr_SetString(PyExc_TypeError, "user_property must be a mapping or "
                                         "pairs of a name and a value");
    }
    return items;
}

static int add_pair(struct mqtt_property_builder *builder, PyObject *pair)
{
    PyObject *items = tuple_of(pair), *name, *value;

    if (!items)
        return -1;
    if (PyTuple_Size(items) != 2) {
        Py_DECREF(items);
        PyErr_SetString(PyExc_ValueError,
                        "user_property must be pairs of a name and a value");
        return -1;
    }
    name = text_from("user_property", PyTuple_GetItem(items, 0));
    value = name ? text_from("user_property", PyTuple_GetItem(items, 1)) : NULL;
    if (value)
        mqtt_property_add_user(builder, span_of(name), span_of(value));
    Py_XDECREF(name);
    Py_DECREF(items);
    if (!value)
        return -1;
    Py_DECREF(value);
    return 0;
}

/* `pairs`: a mapping from str to str, or a sequence of pairs. */
static int add_pairs(struct mqtt_property_builder *builder, PyObject *pairs)
{
    PyObject *list = PyDict_Check(pairs) ? PyDict_Items(pairs) : NULL;
    PyObject *items = PyErr_Occurred() ? NULL : tuple_of(list ? list : pairs);
    int status = items ? 0 : -1;

    Py_XDECREF(list);
    for (Py_ssize_t i = 0; !status && i < PyTuple_Size(items); i++)
        status = add_pair(builder, PyTuple_GetItem(items, i));
    Py_XDECREF(items);
    return status;
}

static int add_bytes(struct mqtt_property_builder *builder, uint8_t identifier,
                     PyObject *bytes)
{
    if (!bytes)
        return -1;
    mqtt_property_add_text(builder, (enum mqtt_property_identifier)identifier,
                           span_of(bytes));
    Py_DECREF(bytes);
    return 0;
}

static int add_number(struct mqtt_property_builder *builder, uint8_t identifier,
                      const char *name, PyObject *value)
{
    uint64_t number;

    if (number_from(name, value, 0, UINT32_MAX, &number))
        return -1;
    mqtt_property_add_number(builder, (enum mqtt_property_identifier)identifier,
                             (uint32_t)number);
    return 0;
}

static const char *name_of(uint8_t identifier)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].identifier == identifier)
            return names[i].name;
    return "properties";
}

static int add(struct mqtt_property_builder *builder, uint8_t identifier,
               PyObject *value)
{
    const char *name = name_of(identifier);

    switch (mqtt_property_rule_of(identifier).type) {
    case MQTT_TYPE_STRING:
        return add_bytes(builder, identifier, text_from(name, value));
    case MQTT_TYPE_BINARY:
        return add_bytes(builder, identifier, bytes_from(name, value));
    case MQTT_TYPE_STRING_PAIR:
        return add_pairs(builder, value);
    default:
        return add_number(builder, identifier, name, value);
    }
}

/* MQTT_OK, what the builder said of this one, or with an exception
 * MQTT_ERR_ARGUMENT. */
static enum mqtt_error add_item(struct state *state,
                                struct mqtt_property_builder *builder,
                                PyObject *key, PyObject *value)
{
    uint8_t identifier = PyUnicode_Check(key) ? identifier_of(state, key) : 0;
    enum mqtt_error error;

    if (!identifier) {
        PyErr_Format(PyExc_ValueError, "%R is no property of MQTT 5.0", key);
        return MQTT_ERR_ARGUMENT;
    }
    if (add(builder, identifier, value))
        return MQTT_ERR_ARGUMENT;
    mqtt_properties_end(builder, &error);
    if (error && error != MQTT_ERR_NO_ROOM) {
        PyErr_Format(PyExc_ValueError, "%s: %s", name_of(identifier),
                     mqtt_error_text(MQTT_ERR_PROPERTY));
        return MQTT_ERR_ARGUMENT;
    }
    return error;
}

/* A new list of the items, so that nothing changes while they are read. */
static PyObject *items_of(const char *argument, PyObject *mapping)
{
    PyObject *items = PyMapping_Items(mapping);

    for (Py_ssize_t i = 0; items && i < PyList_Size(items); i++)
        if (!PyTuple_Check(PyList_GetItem(items, i)))
            Py_CLEAR(items);
    if (!items &&
        (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_AttributeError))) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s must be a mapping", argument);
    }
    return items;
}

static PyObject *build(struct state *state, PyObject *items, char *memory,
                       size_t size, enum mqtt_error *error)
{
    struct mqtt_property_builder builder;

    mqtt_properties_begin(&builder, memory, size);
    *error = MQTT_OK;
    for (Py_ssize_t i = 0; !*error && i < PyList_Size(items); i++) {
        PyObject *key, *value;

        *error = MQTT_ERR_ARGUMENT;
        if (PyArg_ParseTuple(PyList_GetItem(items, i), "OO", &key, &value))
            *error = add_item(state, &builder, key, value);
    }
    return *error ? NULL : bytes_of(mqtt_properties_end(&builder, NULL));
}

static PyObject *build_growing(struct state *state, PyObject *items)
{
    enum mqtt_error error = MQTT_ERR_NO_ROOM;
    PyObject *bytes = NULL;

    for (size_t size = FIRST_SIZE;
         error == MQTT_ERR_NO_ROOM && size <= LARGEST_SIZE; size *= 4) {
        char *memory = PyMem_Malloc(size);

        if (!memory)
            return PyErr_NoMemory();
        bytes = build(state, items, memory, size, &error);
        PyMem_Free(memory);
    }
    if (error == MQTT_ERR_NO_ROOM)
        PyErr_SetString(PyExc_ValueError, "properties: too large");
    return bytes;
}

PyObject *properties_from(struct state *state, const char *argument,
                          PyObject *mapping)
{
    PyObject *items, *bytes;

    if (!mapping || mapping == Py_None)
        return PyBytes_FromStringAndSize(NULL, 0);
    items = items_of(argument, mapping);
    if (!items)
        return NULL;
    bytes = build_growing(state, items);
    Py_DECREF(items);
    return bytes;
}

/* ---- to Python ------------------------------------------------------------ */

static PyObject *pair_of(const struct mqtt_property *property)
{
    PyObject *name = str_of(property->name), *value, *pair;

    if (!name)
        return NULL;
    value = str_of(property->text);
    pair = value ? PyTuple_Pack(2, name, value) : NULL;
    Py_XDECREF(value);
    Py_DECREF(name);
    return pair;
}

static PyObject *value_of(const struct mqtt_property *property)
{
    switch (mqtt_property_rule_of(property->identifier).type) {
    case MQTT_TYPE_STRING:
        return str_of(property->text);
    case MQTT_TYPE_BINARY:
        return bytes_of(property->text);
    case MQTT_TYPE_STRING_PAIR:
        return pair_of(property);
    default:
        return PyLong_FromUnsignedLong(property->number);
    }
}

/* The list of a name; borrowed. */
static PyObject *list_of(PyObject *mapping, PyObject *name)
{
    PyObject *list = PyDict_GetItemWithError(mapping, name);

    if (list || PyErr_Occurred())
        return list;
    list = PyList_New(0);
    if (!list)
        return NULL;
    if (PyDict_SetItem(mapping, name, list)) {
        Py_DECREF(list);
        return NULL;
    }
    Py_DECREF(list); /* the mapping has it */
    return list;
}

static int put(struct state *state, PyObject *mapping,
               const struct mqtt_property *property)
{
    PyObject *name = state->property_names[property->identifier];
    PyObject *value = value_of(property), *list;
    int status;

    if (!value)
        return -1;
    if (mqtt_property_rule_of(property->identifier).repeats) {
        list = list_of(mapping, name);
        status = list ? PyList_Append(list, value) : -1;
    } else {
        status = PyDict_SetItem(mapping, name, value);
    }
    Py_DECREF(value);
    return status;
}

PyObject *properties_of(struct state *state, struct mqtt_span properties)
{
    struct mqtt_property property = {0};
    PyObject *mapping;

    if (!properties.size) {
        Py_INCREF(state->no_properties);
        return state->no_properties;
    }
    mapping = PyDict_New();
    while (mapping && mqtt_property_next(properties, &property))
        if (put(state, mapping, &property))
            Py_CLEAR(mapping);
    return mapping;
}
