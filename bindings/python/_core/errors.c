/*
 * What a request refuses, as an exception.
 */
#include "core.h"

/* The argument that is wrong; NULL: it is no argument's fault. */
static const char *argument_of(enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_TOPIC_NAME:
    case MQTT_ERR_TOPIC_FILTER:
        return "topic";
    case MQTT_ERR_QOS:
        return "qos";
    case MQTT_ERR_TOO_LARGE:
    case MQTT_ERR_PAYLOAD_FORMAT:
        return "payload";
    case MQTT_ERR_CLIENT_IDENTIFIER:
        return "client_id";
    case MQTT_ERR_USER_NAME:
        return "user_name";
    case MQTT_ERR_PASSWORD:
        return "password";
    case MQTT_ERR_WILL:
        return "will";
    case MQTT_ERR_PROPERTY:
        return "properties";
    case MQTT_ERR_PROTOCOL_VERSION:
        return "properties and options of MQTT 5.0";
    case MQTT_ERR_REASON_CODE:
        return "reason_code";
    case MQTT_ERR_HANDLE:
        return "handle";
    case MQTT_ERR_SUBSCRIPTION:
        return "no_local or identifier";
    case MQTT_ERR_MEMORY:
        return "outbox, slots, control, input or unsettled";
    case MQTT_ERR_CONTROL_SIZE:
        return "control";
    case MQTT_ERR_ARGUMENT:
        return "keep_alive or fallback";
    default:
        return NULL;
    }
}

static PyObject *type_of(struct state *state, enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_NO_ROOM:
        return state->no_room_error;
    case MQTT_ERR_OFFLINE:
        return state->offline_error;
    case MQTT_ERR_STATE:
        return state->state_error;
    case MQTT_ERR_MAXIMUM_QOS:
    case MQTT_ERR_RETAIN_UNAVAILABLE:
    case MQTT_ERR_MAXIMUM_PACKET_SIZE:
    case MQTT_ERR_WILDCARD_UNAVAILABLE:
    case MQTT_ERR_SHARED_UNAVAILABLE:
        return state->limit_error;
    default:
        return state->error;
    }
}

PyObject *raise_error(struct state *state, enum mqtt_error error)
{
    const char *argument = argument_of(error);
    const char *text = mqtt_error_text(error);
    PyObject *exception;

    if (argument)
        return PyErr_Format(PyExc_ValueError, "%s: %s", argument, text);
    exception =
        PyObject_CallFunction(type_of(state, error), "si", text, (int)error);
    if (exception) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
    return NULL;
}
