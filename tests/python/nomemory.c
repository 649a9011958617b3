/*
 * A module for tests: calls a function while one allocation of Python fails.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#define DOMAINS 3

static PyMemAllocatorEx real[DOMAINS];
static const PyMemAllocatorDomain domains[DOMAINS] = {
    PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
static long left; /* allocations until the one that fails */
static bool failed;

static bool fails(void)
{
    if (left-- != 0)
        return false;
    return failed = true;
}

static void *allocate(void *context, size_t size)
{
    PyMemAllocatorEx *of = context;

    return fails() ? NULL : of->malloc(of->ctx, size);
}

static void *allocate_zeroed(void *context, size_t count, size_t size)
{
    PyMemAllocatorEx *of = context;

    return fails() ? NULL : of->calloc(of->ctx, count, size);
}

static void *resize(void *context, void *memory, size_t size)
{
    PyMemAllocatorEx *of = context;

    return fails() ? NULL : of->realloc(of->ctx, memory, size);
}

static void release(void *context, void *memory)
{
    PyMemAllocatorEx *of = context;

    of->free(of->ctx, memory);
}

static void hook(void)
{
    for (int i = 0; i < DOMAINS; i++) {
        PyMemAllocatorEx ours = {&real[i], allocate, allocate_zeroed, resize,
                                 release};

        PyMem_GetAllocator(domains[i], &real[i]);
        PyMem_SetAllocator(domains[i], &ours);
    }
}

static void unhook(void)
{
    for (int i = 0; i < DOMAINS; i++)
        PyMem_SetAllocator(domains[i], &real[i]);
}

static PyObject *call(PyObject *module, PyObject *arguments)
{
    PyObject *function, *result;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "lO", &left, &function))
        return NULL;
    failed = false;
    hook();
    result = PyObject_CallObject(function, NULL);
    unhook();
    return result ? Py_BuildValue("NO", result, failed ? Py_True : Py_False)
                  : NULL;
}

static PyMethodDef functions[] = {
    {"call", call, METH_VARARGS,
     "call(n, function): what function() returns while allocation n, counted "
     "from 0, fails; and whether there was such a one."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "nomemory",
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit_nomemory(void)
{
    return PyModule_Create(&definition);
}
