/*
 * Values of Python as bytes and numbers, with errors that name the argument.
 */
#include "core.h"

static void raise_type(const char *argument, const char *wanted,
                       PyObject *value)
{
    PyObject *name =
        PyObject_GetAttrString((PyObject *)Py_TYPE(value), "__name__");

    if (!name)
        return;
    PyErr_Format(PyExc_TypeError, "%s must be %s, not %U", argument, wanted,
                 name);
    Py_DECREF(name);
}

static PyObject *encode(const char *argument, PyObject *text)
{
    PyObject *bytes = PyUnicode_AsUTF8String(text);

    if (bytes || !PyErr_ExceptionMatches(PyExc_UnicodeError))
        return bytes;
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError,
                 "%s: has a lone surrogate, which UTF-8 cannot say", argument);
    return NULL;
}

PyObject *text_from(const char *argument, PyObject *value)
{
    if (PyUnicode_Check(value))
        return encode(argument, value);
    raise_type(argument, "str", value);
    return NULL;
}

PyObject *bytes_from(const char *argument, PyObject *value)
{
    PyObject *view, *bytes;

    if (PyBytes_CheckExact(value)) {
        Py_INCREF(value);
        return value;
    }
    if (PyUnicode_Check(value))
        return encode(argument, value);
    /* PyBytes_FromObject() would take a list of numbers, too. */
    view = PyMemoryView_FromObject(value);
    if (!view) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            raise_type(argument, "str or bytes-like", value);
        }
        return NULL;
    }
    bytes = PyBytes_FromObject(view);
    Py_DECREF(view);
    return bytes;
}

int number_from(const char *argument, PyObject *value, uint64_t least,
                uint64_t most, uint64_t *out)
{
    PyObject *number = PyNumber_Index(value);

    if (!number) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            raise_type(argument, "int", value);
        }
        return -1;
    }
    *out = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (!PyErr_Occurred() && *out >= least && *out <= most)
        return 0;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s must be %llu to %llu", argument,
                 (unsigned long long)least, (unsigned long long)most);
    return -1;
}

PyObject *number_made_early(void)
{
    return PyLong_FromLong(65535); /* Python keeps smaller ones, to 256 */
}

struct mqtt_span span_of(PyObject *bytes)
{
    if (!bytes)
        return (struct mqtt_span){NULL, 0};
    return (struct mqtt_span){PyBytes_AsString(bytes),
                              (size_t)PyBytes_Size(bytes)};
}

PyObject *str_of(struct mqtt_span text)
{
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.size,
                                "surrogateescape");
}

PyObject *bytes_of(struct mqtt_span span)
{
    return PyBytes_FromStringAndSize(span.data, (Py_ssize_t)span.size);
}
