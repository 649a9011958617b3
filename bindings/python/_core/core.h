/*
 * The extension module mqttloop._core: struct mqtt_client as a Python object.
 *
 * It performs no I/O and starts no thread: Python moves the bytes. A method
 * first turns all its arguments into C (which may run Python code), then calls
 * the core (which runs none), then makes its result; while the core lends spans
 * the client is marked busy, so that nothing that Python runs in between
 * (finalizers, other threads) can take them away.
 */
#ifndef MQTTLOOP_PYTHON_CORE_H
#define MQTTLOOP_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <mqttloop/client.h>
#include <mqttloop/stream.h>

/** Identifiers of properties are smaller. */
#define PROPERTY_IDENTIFIERS 0x2B

/** What a module holds; each interpreter has its own. */
struct state {
    PyObject *client_type, *message_type, *event_type;
    PyObject *error, *no_room_error, *offline_error, *limit_error, *state_error;
    PyObject *no_properties; /* a mapping, empty and read-only */
    PyObject *property_names[PROPERTY_IDENTIFIERS]; /* NULL: none */
};

extern struct PyModuleDef mqttloop_core_module;

/* ---- the client ---------------------------------------------------------- */

/** A subscription, from subscribe() to MQTT_EVENT_UNSUBSCRIBED. */
struct node {
    struct mqtt_subscription subscription; /* first: events name it */
    struct node *next;
    uint64_t key;
    PyObject *filter, *properties; /* bytes that the subscription points to */
    PyObject *targets;             /* a tuple of one; NULL: none */
};

/** What CONNECT says, which may change from one to the next. All bytes, or
 * NULL. */
struct greeting {
    PyObject *user_name, *password;
    PyObject *will_topic, *will_payload, *will_properties;
    struct mqtt_message will; /* its spans point into these */
    uint32_t keep_alive_s;
};

/** Subscriptions that match the message that is being pulled. */
struct hits {
    struct node **nodes;
    size_t used, room;
    bool failed; /* no memory for all of them */
};

struct client_object {
    PyObject_HEAD PyObject *module;
    struct state *state; /* that of `module` */
    struct mqtt_client client;
    struct mqtt_config config;
    struct mqtt_statistics statistics;
    void *memory;   /* all that is lent, and the servers */
    bool made;      /* `client` has been initialised */
    size_t offered; /* what output() gave last and sent() did not count */
    PyObject *spare_number; /* given up for the answer of publish() */
    bool busy, text;
    uint64_t random;
    PyObject *identifier, *properties; /* bytes that the configuration names */
    struct greeting greeting;
    struct node *nodes;
    uint64_t last_key;
    struct hits hits;

    /* What was received: a bytearray, held by a memoryview so that it cannot
     * be resized; of it [taken..received) waits to be taken. */
    PyObject *buffer, *view;
    char *bytes;
    size_t size, taken, received;
    bool closing; /* closed() waits for what was received before */
    bool cut;     /* closed() was called and has not become an event */
    mqtt_time now;
    enum mqtt_error closing_why;

    /* The event that was taken last, and whether it has to be given yet: when
     * there was no memory to make an object of it, the next pull() tries again.
     * Until then the core is asked for no other, and nothing is received, so
     * that what it names stays. */
    struct mqtt_event event;
    bool held;
    PyObject *held_detail; /* bytes, named by that event */

    PyObject *detail;   /* bytes, named by closed() */
    PyObject *end;      /* bytes, properties of our DISCONNECT */
    PyObject *assembly; /* bytes of a message that comes in parts */
    uint32_t largest;   /* payload of a message that is assembled */
};

/** NULL, with a Python exception set, if the client is busy. */
struct client_object *client_enter(PyObject *self);

/** The servers, their number, and what else the arguments of Client() say. */
int client_configure(struct client_object *c, PyObject *arguments);

extern PyType_Spec client_spec;
extern PyMethodDef client_methods[];
extern PyGetSetDef client_attributes[];

/* ---- from and to Python -------------------------------------------------- */

/* A new reference, or NULL with an exception that names the argument. */

/** The UTF-8 of a str, as bytes. */
PyObject *text_from(const char *argument, PyObject *value);
/** A str as UTF-8, or what has the buffer protocol, as bytes. */
PyObject *bytes_from(const char *argument, PyObject *value);

/** 0, or -1 with an exception. bool is a number, too. */
int number_from(const char *argument, PyObject *value, uint64_t least,
                uint64_t most, uint64_t *out);

/** A new int that has memory of its own; NULL with an exception. */
PyObject *number_made_early(void);

/** The span of bytes; absent if NULL. */
struct mqtt_span span_of(PyObject *bytes);
/** A str; text of the wire is valid UTF-8, and if not, nothing is lost. */
PyObject *str_of(struct mqtt_span text);
PyObject *bytes_of(struct mqtt_span span);

/** Bytes of properties from a mapping, or from None. */
PyObject *properties_from(struct state *state, const char *argument,
                          PyObject *mapping);
/** A mapping. */
PyObject *properties_of(struct state *state, struct mqtt_span properties);

/** Fill, then free. */
int properties_name_all(struct state *state);

/** Raise what a request refused; NULL. What is wrong with an argument is a
 * ValueError. */
PyObject *raise_error(struct state *state, enum mqtt_error error);

/* ---- subjects of methods ------------------------------------------------- */

/* ports.c */
PyObject *client_received(PyObject *self, PyObject *count);
PyObject *client_feed(PyObject *self, PyObject *data);
PyObject *client_output(PyObject *self, PyObject *arguments);
PyObject *client_take(PyObject *self, PyObject *unused);
PyObject *client_sent(PyObject *self, PyObject *count);
PyObject *client_wants(PyObject *self, PyObject *unused);
PyObject *client_opened(PyObject *self, PyObject *unused);
PyObject *client_closed(PyObject *self, PyObject *arguments);
PyObject *client_tick(PyObject *self, PyObject *time);
PyObject *client_idle(PyObject *self, PyObject *until);
PyObject *client_receptive(PyObject *self, void *unused);
PyObject *client_deadline(PyObject *self, PyObject *unused);
/** The next event, taking what was received. */
bool client_advance(struct client_object *c, struct mqtt_event *event);

/* requests.c */
PyObject *client_connect(PyObject *self, PyObject *unused);
PyObject *client_disconnect(PyObject *self, PyObject *arguments,
                            PyObject *keywords);
PyObject *client_publish(PyObject *self, PyObject *arguments,
                         PyObject *keywords);
PyObject *client_settle(PyObject *self, PyObject *arguments,
                        PyObject *keywords);
PyObject *client_authenticate(PyObject *self, PyObject *arguments,
                              PyObject *keywords);

/* greeting.c */
PyObject *client_set_credentials(PyObject *self, PyObject *arguments,
                                 PyObject *keywords);
PyObject *client_set_will(PyObject *self, PyObject *will);
PyObject *client_set_keep_alive(PyObject *self, PyObject *seconds);
/** 0, or -1 with an exception. */
int greeting_set_keep_alive(struct greeting *greeting, PyObject *seconds);
/** 0, or -1 with an exception. None: none. */
int greeting_set_credentials(struct greeting *greeting, PyObject *user_name,
                             PyObject *password);
int greeting_set_will(struct state *state, struct greeting *greeting,
                      PyObject *will);
void greeting_clear(struct greeting *greeting);
/** The hook before_connect. */
enum mqtt_error greeting_say(void *context,
                             struct mqtt_connect_options *options,
                             struct mqtt_server *server);

/* subscriptions.c */
PyObject *client_subscribe(PyObject *self, PyObject *arguments,
                           PyObject *keywords);
PyObject *client_unsubscribe(PyObject *self, PyObject *key);
/** A tuple of the targets of those that match. */
PyObject *targets_of(struct client_object *c,
                     const struct mqtt_message *message);
void node_free(struct client_object *c, struct node *node);

/* events.c */
PyObject *client_pull(PyObject *self, PyObject *unused);
PyObject *client_iternext(PyObject *self);
int events_prepare(PyObject *module, struct state *state);

/* state.c */
PyObject *client_outstanding(PyObject *self, PyObject *unused);

#endif
