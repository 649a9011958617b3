#include "socket.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <stdio.h>
#include <string.h>

static struct mqtt_socket *of(struct mqtt_transport *transport)
{
    return (struct mqtt_socket *)transport;
}

static int descriptor_of(const struct mqtt_socket *self)
{
    return self->race.runners[self->race.winner].descriptor;
}

static void close_all(struct mqtt_socket *self)
{
    mqtt_resolver_cancel(&self->resolver);
    mqtt_race_close(&self->race);
}

/* ---- failures ------------------------------------------------------------ */

static void fail(struct mqtt_socket *self, enum mqtt_error error,
                 const char *subject, const char *text)
{
    self->state = MQTT_SOCKET_FAILED;
    self->error = error;
    snprintf(self->detail, sizeof self->detail, "%s: %s", subject, text);
}

static void fail_at(struct mqtt_socket *self, size_t address, int error)
{
    char subject[sizeof(struct sockaddr_un) + 8];

    mqtt_address_write(&self->addresses.list[address], subject, sizeof subject);
    fail(self, MQTT_ERR_NETWORK, subject, strerror(error));
}

static void fail_to_connect(struct mqtt_socket *self)
{
    const char *text;
    enum mqtt_error error;

    if (self->addresses.count > 0) {
        fail_at(self, self->race.failed, self->race.error);
    } else {
        error = mqtt_resolver_error(&self->resolver, &text);
        fail(self, error, self->resolver.name, text);
    }
}

static enum mqtt_error error_of(struct mqtt_transport *transport,
                                const char **detail)
{
    struct mqtt_socket *self = of(transport);

    *detail = self->detail[0] ? self->detail : NULL;
    return self->error;
}

/* ---- to the connection --------------------------------------------------- */

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_socket *self = of(transport);
    const char *text =
        server->address && server->address[0] ? server->address : "\"\"";

    close_all(self);
    self->state = MQTT_SOCKET_AWAIT_CONNECT;
    self->error = MQTT_OK;
    self->detail[0] = 0;
    self->addresses.count = 0;
    mqtt_race_start(&self->race, now);
    switch (mqtt_address_read(server, &self->addresses)) {
    case MQTT_ADDRESS_LITERAL:
        break;
    case MQTT_ADDRESS_NAME:
        mqtt_resolver_start(&self->resolver, text, mqtt_address_port(server),
                            now);
        break;
    case MQTT_ADDRESS_INVALID:
        fail(self, MQTT_ERR_SERVER, text,
             "neither an address nor a host name nor unix:/path");
    }
}

static void connect_on(struct mqtt_socket *self, mqtt_time now)
{
    enum mqtt_resolver_state names =
        mqtt_resolver_advance(&self->resolver, now);

    if (names == MQTT_RESOLVER_WAIT)
        return;
    switch (mqtt_race_advance(&self->race, now)) {
    case MQTT_RACE_RUNNING:
        break;
    case MQTT_RACE_WON:
        mqtt_resolver_cancel(&self->resolver);
        self->state = MQTT_SOCKET_OPEN;
        break;
    case MQTT_RACE_LOST:
        if (names == MQTT_RESOLVER_END)
            fail_to_connect(self);
    }
}

static enum mqtt_transport_state advance(struct mqtt_transport *transport,
                                         mqtt_time now)
{
    struct mqtt_socket *self = of(transport);

    if (self->state == MQTT_SOCKET_AWAIT_CONNECT)
        connect_on(self, now);
    if (self->state == MQTT_SOCKET_AWAIT_CONNECT)
        return MQTT_TRANSPORT_OPENING;
    return self->state == MQTT_SOCKET_OPEN ? MQTT_TRANSPORT_OPEN
                                           : MQTT_TRANSPORT_FAILED;
}

static mqtt_time deadline(struct mqtt_transport *transport)
{
    const struct mqtt_socket *self = of(transport);

    if (self->state != MQTT_SOCKET_AWAIT_CONNECT)
        return MQTT_NEVER;
    return self->resolver.deadline < self->race.deadline
               ? self->resolver.deadline
               : self->race.deadline;
}

static void ready(struct mqtt_transport *transport, unsigned slot,
                  unsigned mask)
{
    struct mqtt_socket *self = of(transport);

    if (slot >= MQTT_RESOLVER_SLOT)
        mqtt_resolver_ready(&self->resolver, slot, mask);
    else
        mqtt_race_ready(&self->race, slot);
}

/* ---- the connection ------------------------------------------------------ */

/* What recv(2) or send(2) answered, in words of the transport. */
static ptrdiff_t moved(struct mqtt_socket *self, ptrdiff_t size)
{
    int error = errno;

    if (size >= 0)
        return size;
    if (error == EAGAIN || error == EWOULDBLOCK)
        return MQTT_IO_WAIT;
    fail_at(self, self->race.runners[self->race.winner].address, error);
    return MQTT_IO_FAILED;
}

static ptrdiff_t receive(struct mqtt_transport *transport, void *bytes,
                         size_t size)
{
    struct mqtt_socket *self = of(transport);
    ptrdiff_t got;

    if (self->state != MQTT_SOCKET_OPEN)
        return MQTT_IO_FAILED;
    do
        got = recv(descriptor_of(self), bytes, size, 0);
    while (got < 0 && errno == EINTR);
    return moved(self, got);
}

static ptrdiff_t transmit(struct mqtt_transport *transport, const void *bytes,
                          size_t size)
{
    struct mqtt_socket *self = of(transport);
    ptrdiff_t sent;

    if (self->state != MQTT_SOCKET_OPEN)
        return MQTT_IO_FAILED;
    do
        sent = send(descriptor_of(self), bytes, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 0 ? MQTT_IO_WAIT : moved(self, sent);
}

static void finish(struct mqtt_transport *transport)
{
    struct mqtt_socket *self = of(transport);

    if (self->state == MQTT_SOCKET_OPEN)
        shutdown(descriptor_of(self), SHUT_WR);
}

static void end_connection(struct mqtt_transport *transport)
{
    struct mqtt_socket *self = of(transport);

    close_all(self);
    self->state = MQTT_SOCKET_CLOSED;
}

static void want(struct mqtt_transport *transport, unsigned mask)
{
    struct mqtt_socket *self = of(transport);

    if (self->state == MQTT_SOCKET_OPEN)
        mqtt_watches_set(&self->watches, self->race.winner, descriptor_of(self),
                         mask);
}

static void attach(struct mqtt_transport *transport,
                   struct mqtt_reactor *reactor)
{
    mqtt_watches_attach(&of(transport)->watches, reactor);
}

/* ---- memory to receive into ---------------------------------------------- */

/* One for all clients of a thread: it is needed only while bytes are taken
 * from it, and a read of this size is worth its call. */
static _Thread_local struct {
    bool lent;
    uint8_t bytes[65536];
} receive_memory;

static void *lend(struct mqtt_transport *transport, size_t *size)
{
    struct mqtt_socket *self = of(transport);

    if (receive_memory.lent)
        return NULL;
    receive_memory.lent = true;
    self->borrowing = true;
    *size = sizeof receive_memory.bytes;
    return receive_memory.bytes;
}

static void give_back(struct mqtt_transport *transport)
{
    struct mqtt_socket *self = of(transport);

    if (self->borrowing)
        receive_memory.lent = false;
    self->borrowing = false;
}

/* ---- making and ending --------------------------------------------------- */

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = transmit,
    .finish = finish,
    .close = end_connection,
    .want = want,
    .ready = ready,
    .deadline = deadline,
    .error = error_of,
    .attach = attach,
    .lend = lend,
    .give_back = give_back,
};

size_t mqtt_socket_size(void)
{
    return sizeof(struct mqtt_socket);
}

struct mqtt_transport *mqtt_socket_init(void *memory)
{
    struct mqtt_socket *self = memory;

    memset(self, 0, sizeof *self);
    self->transport.ops = &ops;
    self->resolver.watches = &self->watches;
    self->resolver.addresses = &self->addresses;
    self->resolver.deadline = MQTT_NEVER;
    self->race.watches = &self->watches;
    self->race.addresses = &self->addresses;
    mqtt_race_start(&self->race, 0);
    return &self->transport;
}

void mqtt_socket_end(struct mqtt_transport *transport)
{
    end_connection(transport);
    give_back(transport);
}
