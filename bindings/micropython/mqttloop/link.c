/*
 * One client's connection by Python's sockets: getaddrinfo, a socket that never
 * blocks, TLS by an SSLContext. Bytes go straight between the stream and the
 * core.
 */
#include "client.h"

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/stream.h"

#define ROUNDS 16 /* as many in a turn as mqtt_loop() takes */

static uint32_t ticks_ms(void)
{
    return (uint32_t)mp_hal_ticks_ms();
}

mqtt_time link_now(struct client *client)
{
    return core_clock(&client->core, ticks_ms(), UINT32_MAX);
}

/* ---- exceptions ---------------------------------------------------------------------- */

/* Whether the network, or what was given to connect(), is at fault. */
static bool is_failure(mp_obj_t exception)
{
    const mp_obj_type_t *type = mp_obj_get_type(exception);

    return mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(type),
                                   MP_OBJ_FROM_PTR(&mp_type_OSError)) ||
           mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(type),
                                   MP_OBJ_FROM_PTR(&mp_type_ValueError)) ||
           mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(type),
                                   MP_OBJ_FROM_PTR(&mp_type_TypeError));
}

/* False: it failed, and link.error says by what. */
static bool attempt(struct client *c, void (*function)(struct client *))
{
    nlr_buf_t nlr;

    if (!nlr_push(&nlr)) {
        function(c);
        nlr_pop();
        return true;
    }
    c->link.error = MP_OBJ_FROM_PTR(nlr.ret_val);
    if (!is_failure(c->link.error))
        nlr_jump(nlr.ret_val);
    return false;
}

static mp_obj_t os_error(int number)
{
    return mp_obj_new_exception_arg1(&mp_type_OSError,
                                     MP_OBJ_NEW_SMALL_INT(number));
}

static bool is_in_progress(mp_obj_t exception)
{
    mp_obj_t value;

    if (!mp_obj_exception_match(exception, MP_OBJ_FROM_PTR(&mp_type_OSError)))
        return false;
    value = mp_obj_exception_get_value(exception);
    return value == MP_OBJ_NEW_SMALL_INT(MP_EINPROGRESS) ||
           value == MP_OBJ_NEW_SMALL_INT(MP_EAGAIN);
}

/* ---- closing ------------------------------------------------------------------------- */

/* By the stream's own function, which allocates nothing. */
void link_close(struct client *c)
{
    struct link *link = &c->link;
    int error;

    if (link->stream != MP_OBJ_NULL) {
        mp_get_stream(link->stream)
            ->ioctl(link->stream, MP_STREAM_CLOSE, 0, &error);
        loop_unwatch(c);
    }
    link->stream = link->addresses = MP_OBJ_NULL;
    link->connecting = link->open = false;
    link->ready = 0;
}

static void fail(struct client *c, enum mqtt_error why)
{
    link_close(c);
    mqtt_client_closed(&c->core.client, why, NULL);
}

static void fail_by(struct client *c, int number)
{
    c->link.error = os_error(number);
    fail(c, MQTT_ERR_NETWORK);
}

/* ---- opening ------------------------------------------------------------------------- */

static mp_obj_t sockets(void)
{
    return mp_import_name(MP_QSTR_socket, mp_const_none,
                          MP_OBJ_NEW_SMALL_INT(0));
}

static void look_up(struct client *c)
{
    mp_obj_t module = sockets();
    mp_obj_t arguments[] = {
        c->link.host,
        MP_OBJ_NEW_SMALL_INT(c->link.port),
        MP_OBJ_NEW_SMALL_INT(0),
        mp_load_attr(module, MP_QSTR_SOCK_STREAM),
    };

    c->link.next = 0;
    c->link.addresses = call_method(module, MP_QSTR_getaddrinfo, 4, arguments);
}

/* Not every port has every option. */
static void set_option(mp_obj_t socket, qstr level, qstr name, mp_obj_t value)
{
    mp_obj_t module = sockets(), found[2], arguments[3];

    mp_load_method_maybe(module, level, found);
    arguments[0] = found[0];
    mp_load_method_maybe(module, name, found);
    arguments[1] = found[0];
    arguments[2] = value;
    if (arguments[0] != MP_OBJ_NULL && arguments[1] != MP_OBJ_NULL)
        call_method(socket, MP_QSTR_setsockopt, 3, arguments);
}

static void set_options(mp_obj_t socket, mp_obj_t keepalive)
{
    mp_obj_t on = MP_OBJ_NEW_SMALL_INT(1), *times;

    set_option(socket, MP_QSTR_IPPROTO_TCP, MP_QSTR_TCP_NODELAY, on);
    if (keepalive == mp_const_none)
        return;
    mp_obj_get_array_fixed_n(keepalive, 3, &times);
    set_option(socket, MP_QSTR_SOL_SOCKET, MP_QSTR_SO_KEEPALIVE, on);
    set_option(socket, MP_QSTR_IPPROTO_TCP, MP_QSTR_TCP_KEEPCNT, times[0]);
    set_option(socket, MP_QSTR_IPPROTO_TCP, MP_QSTR_TCP_KEEPIDLE, times[1]);
    set_option(socket, MP_QSTR_IPPROTO_TCP, MP_QSTR_TCP_KEEPINTVL, times[2]);
}

/* Begins to connect; a socket that never blocks says that it does. */
static void begin_connect(mp_obj_t socket, mp_obj_t address)
{
    nlr_buf_t nlr;

    if (!nlr_push(&nlr)) {
        call_method(socket, MP_QSTR_connect, 1, &address);
        nlr_pop();
    } else if (!is_in_progress(MP_OBJ_FROM_PTR(nlr.ret_val))) {
        nlr_jump(nlr.ret_val);
    }
}

static void dial(struct client *c)
{
    mp_obj_t no = mp_const_false, *info;
    mp_obj_t entry =
        mp_obj_subscr(c->link.addresses, MP_OBJ_NEW_SMALL_INT(c->link.next++),
                      MP_OBJ_SENTINEL);

    mp_obj_get_array_fixed_n(entry, 5, &info);
    c->link.stream = call_method(sockets(), MP_QSTR_socket, 3, info);
    call_method(c->link.stream, MP_QSTR_setblocking, 1, &no);
    set_options(c->link.stream, c->link.keepalive);
    begin_connect(c->link.stream, info[4]);
    c->link.connecting = true;
}

static size_t addresses_left(const struct client *c)
{
    return MP_OBJ_SMALL_INT_VALUE(mp_obj_len(c->link.addresses)) - c->link.next;
}

/* As link_close(), but the addresses stay. */
static void hang_up(struct client *c)
{
    mp_obj_t addresses = c->link.addresses;

    link_close(c);
    c->link.addresses = addresses;
}

static void try_next(struct client *c)
{
    while (addresses_left(c)) {
        if (attempt(c, dial))
            return;
        hang_up(c);
    }
    fail(c, MQTT_ERR_NETWORK);
}

/* TLS shakes hands when it is first written to; what it then raises, see
 * transferred(). */
static void wrap(struct client *c)
{
    mp_obj_t all[3 + 4], no = mp_const_false;

    mp_load_method(c->link.context, MP_QSTR_wrap_socket, all);
    all[2] = c->link.stream;
    all[3] = MP_OBJ_NEW_QSTR(MP_QSTR_server_hostname);
    all[4] = c->link.host;
    all[5] = MP_OBJ_NEW_QSTR(MP_QSTR_do_handshake_on_connect);
    all[6] = mp_const_false;
    c->link.stream = mp_call_method_n_kw(1, 2, all);
    call_method(c->link.stream, MP_QSTR_setblocking, 1, &no);
}

static void opened(struct client *c)
{
    c->link.connecting = false;
    c->link.addresses = MP_OBJ_NULL;
    loop_unwatch(c);
    if (c->link.context != mp_const_none && !attempt(c, wrap)) {
        fail(c, MQTT_ERR_TLS);
        return;
    }
    c->link.open = true;
    mqtt_client_opened(&c->core.client);
}

/* A failed socket tells why when it is read. */
static void refused(struct client *c)
{
    mp_obj_t stream = c->link.stream;
    int error = MP_ECONNREFUSED;
    uint8_t byte;

    if (mp_get_stream(stream)->read(stream, &byte, 1, &error) !=
            MP_STREAM_ERROR ||
        mp_is_nonblocking_error(error))
        error = MP_ECONNREFUSED;
    c->link.error = os_error(error);
    hang_up(c);
    try_next(c);
}

static void advance(struct client *c)
{
    if (c->link.stream == MP_OBJ_NULL) {
        if (attempt(c, look_up))
            try_next(c);
        else
            fail(c, MQTT_ERR_NAME);
    } else if (c->link.ready & (MP_STREAM_POLL_ERR | MP_STREAM_POLL_HUP)) {
        refused(c);
    } else if (c->link.ready & MP_STREAM_POLL_WR) {
        opened(c);
    }
}

/* ---- bytes ----------------------------------------------------------------------------- */

#define RAISED -1 /* in place of an errno: link.error says what */

struct transfer {
    void *bytes;
    size_t size, count;
    int error;
};

/* TLS raises when it believes nothing of a certificate. */
static bool transferred(struct client *c, struct transfer *t,
                        mp_uint_t (*move)(mp_obj_t, void *, mp_uint_t, int *))
{
    nlr_buf_t nlr;

    if (nlr_push(&nlr)) {
        c->link.error = MP_OBJ_FROM_PTR(nlr.ret_val);
        if (!is_failure(c->link.error))
            nlr_jump(nlr.ret_val);
        t->error = RAISED;
        return false;
    }
    t->count = move(c->link.stream, t->bytes, t->size, &t->error);
    nlr_pop();
    return t->count != MP_STREAM_ERROR;
}

/* Whether it has ended the connection. */
static bool failed(struct client *c, int error)
{
    if (error == RAISED)
        fail(c, MQTT_ERR_TLS);
    else if (!mp_is_nonblocking_error(error))
        fail_by(c, error);
    return !c->link.open;
}

static mp_uint_t write_some(mp_obj_t stream, void *bytes, mp_uint_t size,
                            int *error)
{
    return mp_get_stream(stream)->write(stream, bytes, size, error);
}

static mp_uint_t read_some(mp_obj_t stream, void *bytes, mp_uint_t size,
                           int *error)
{
    return mp_get_stream(stream)->read(stream, bytes, size, error);
}

bool link_write(struct client *c)
{
    struct mqtt_client *core = &c->core.client;
    struct transfer t;
    bool moved = false;

    while (c->link.open &&
           (t.bytes = (void *)mqtt_client_output_buf(core, &t.size))) {
        if (!transferred(c, &t, write_some)) {
            failed(c, t.error);
            break;
        }
        mqtt_client_output_done(core, t.count);
        if (!t.count)
            break;
        moved = true;
    }
    return moved;
}

static bool receive(struct client *c)
{
    struct mqtt_client *core = &c->core.client;
    struct transfer t;

    if (!c->link.open || !(t.bytes = core_input(&c->core, &t.size)))
        return false;
    if (!transferred(c, &t, read_some))
        return failed(c, t.error);
    if (t.count)
        mqtt_client_input_done(core, t.count);
    else
        fail_by(c, MP_ECONNRESET);
    return true;
}

/* ---- turns ----------------------------------------------------------------------------- */

static void serve(struct client *c)
{
    enum mqtt_want want = mqtt_client_wants(&c->core.client);

    if (want == MQTT_WANT_OPEN) {
        advance(c);
    } else if (want == MQTT_WANT_CLOSE) {
        link_close(c);
        mqtt_client_closed(&c->core.client, MQTT_OK, NULL);
    } else if (want == MQTT_WANT_NOTHING && !c->link.open) {
        link_close(c); /* it was opening and is not wanted any more */
    }
}

static bool take_round(struct client *c)
{
    bool moved;

    serve(c);
    moved = client_pull(c);
    moved = link_write(c) || moved;
    moved = receive(c) || moved;
    return client_pull(c) || moved;
}

static void turn(struct client *c)
{
    mqtt_time now = link_now(c);

    if (mqtt_client_deadline(&c->core.client) <= now && receive(c))
        client_pull(c); /* what it waited for may be here */
    mqtt_client_tick(&c->core.client, now);
    c->link.again = true;
    for (int i = 0; i < ROUNDS && c->link.again; i++)
        c->link.again = take_round(c);
    c->link.ready = 0;
}

void link_turn(struct client *c)
{
    nlr_buf_t nlr;

    if (c->link.turning || !c->core.memory)
        return;
    c->link.turning = true;
    if (!nlr_push(&nlr)) {
        turn(c);
        nlr_pop();
        c->link.turning = false;
    } else {
        c->link.turning = false;
        nlr_jump(nlr.ret_val);
    }
}

/* ---- waiting --------------------------------------------------------------------------- */

static int32_t until(mqtt_time due, mqtt_time now)
{
    if (due == MQTT_NEVER)
        return -1;
    if (due <= now)
        return 0;
    return due - now < 0x1FFFFFFF ? (int32_t)(due - now) : 0x1FFFFFFF;
}

int32_t link_due(struct client *c, mp_uint_t *mask)
{
    struct mqtt_client *core = &c->core.client;
    size_t size;
    int32_t due = -1;

    *mask = c->link.connecting ? MP_STREAM_POLL_WR : MP_STREAM_POLL_RD;
    if (!c->core.memory)
        return due;
    if (c->link.open && mqtt_client_output_buf(core, &size))
        *mask |= MP_STREAM_POLL_WR;
    due = until(mqtt_client_deadline(core), link_now(c));
    if (c->link.again || mqtt_client_wants(core) == MQTT_WANT_CLOSE ||
        (!c->link.stream && mqtt_client_wants(core) == MQTT_WANT_OPEN))
        due = 0;
    return due;
}
