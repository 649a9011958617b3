#include "options.h"
#include "socket.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <stdio.h>
#include <string.h>

#define OPEN_TIMEOUT_MS 30000
/* When name servers have not answered by then, the address that worked last
 * for this name is tried. */
#define RECALL_MS 2500

static const struct mqtt_socket_options as_the_system_has_it;

/* What of it all addresses together may take; the rest is for their name. */
static mqtt_time share_of(mqtt_time open_timeout_ms)
{
    return open_timeout_ms * 4 / 5;
}

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

/* So much of an address or a name is told with a failure. */
#define SUBJECT_SIZE 160

static void fail(struct mqtt_socket *self, enum mqtt_error error,
                 const char *subject, const char *text)
{
    self->state = MQTT_SOCKET_FAILED;
    self->error = error;
    snprintf(self->detail, sizeof self->detail, "%.*s: %s", SUBJECT_SIZE,
             subject, text);
}

static void fail_host(struct mqtt_socket *self, enum mqtt_error error,
                      const char *text)
{
    char host[MQTT_HOST_SIZE];

    snprintf(host, sizeof host, "%.*s", (int)self->host.size,
             (const char *)self->host.data);
    fail(self, error, host, text);
}

static void fail_at(struct mqtt_socket *self, size_t address, int error)
{
    char subject[sizeof(union mqtt_socket_name) + 8];

    mqtt_address_write(&self->addresses, &self->addresses.list[address],
                       subject, sizeof subject);
    fail(self, MQTT_ERR_NETWORK, subject, strerror(error));
}

/* A matter of this machine, whoever the server is. */
static void fail_to_watch(struct mqtt_socket *self)
{
    fail(self, MQTT_ERR_NETWORK, "the loop cannot watch the connection",
         strerror(self->watches.refused));
}

static void fail_to_connect(struct mqtt_socket *self)
{
    const char *text;
    enum mqtt_error error;

    if (self->race.refused) {
        fail(self, MQTT_ERR_NETWORK, self->race.refused,
             strerror(self->race.error));
    } else if (self->addresses.count > 0) {
        fail_at(self, self->race.failed, self->race.error);
    } else if (self->addresses.left_out) {
        fail_host(self, MQTT_ERR_NETWORK,
                  "no address of the family that the options leave");
    } else {
        error = mqtt_resolver_error(&self->resolver, &text);
        fail_host(self, error, text);
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

static bool is_for_layers(const struct mqtt_url *url)
{
    return url->scheme == MQTT_SCHEME_MQTTS || url->scheme == MQTT_SCHEME_WS ||
           url->scheme == MQTT_SCHEME_WSS;
}

/* Words for the server; not the whole URL, which may have a password. */
static const char *subject_of(const struct mqtt_server *server)
{
    const char *text = server->address, *at = text ? strrchr(text, '@') : NULL;

    if (!text || !text[0])
        return "\"\"";
    return at ? at + 1 : text;
}

/* Names are asked for services only when nobody has named a port. */
static const char *service_of(const struct mqtt_socket *self,
                              const struct mqtt_server *server,
                              const struct mqtt_url *url)
{
    const char *host = url->host.data;

    if (!self->options->srv || server->port || host[url->host.size] == ':')
        return NULL;
    switch (url->scheme) {
    case MQTT_SCHEME_NONE:
    case MQTT_SCHEME_MQTT:
        return "_mqtt._tcp.";
    case MQTT_SCHEME_MQTTS:
        return "_secure-mqtt._tcp.";
    default:
        return NULL;
    }
}

/* [FNV-1a] Tells names apart, for a hint of where to begin. */
static uint64_t mark_of(struct mqtt_span host)
{
    const uint8_t *bytes = host.data;
    uint64_t mark = 14695981039346656037u;

    for (size_t i = 0; i < host.size; i++)
        mark = (mark ^ bytes[i]) * 1099511628211u;
    return mark;
}

static void look_up(struct mqtt_socket *self, const struct mqtt_server *server,
                    const struct mqtt_url *url, mqtt_time now)
{
    struct mqtt_question question = {
        .name = self->host,
        .port = url->port,
        .service = service_of(self, server, url),
        .first_family = mqtt_race_first_family(&self->race),
        .only_family = self->addresses.only_family,
        .name_servers = self->options->name_servers,
    };

    mqtt_resolver_start(&self->resolver, &question, now);
    self->doubt_is_over =
        !self->race.last.family || self->last_host != mark_of(self->host);
    if (!self->doubt_is_over)
        self->recall_at = now + RECALL_MS;
}

static void find_addresses(struct mqtt_socket *self,
                           const struct mqtt_server *server,
                           const struct mqtt_url *url, mqtt_time now)
{
    self->host = url->host;
    switch (mqtt_address_read(url, &self->addresses)) {
    case MQTT_ADDRESS_LITERAL:
        break;
    case MQTT_ADDRESS_NAME:
        look_up(self, server, url, now);
        break;
    case MQTT_ADDRESS_INVALID:
        fail(self, MQTT_ERR_SERVER, subject_of(server),
             "neither an address nor a host name nor unix:/path");
    }
}

static void reset(struct mqtt_socket *self, mqtt_time now)
{
    close_all(self);
    self->state = MQTT_SOCKET_AWAIT_CONNECT;
    self->error = MQTT_OK;
    self->detail[0] = 0;
    self->recall_at = MQTT_NEVER;
    self->doubt_is_over = true;
    self->send_error = 0;
    self->heard_out = false;
    mqtt_race_start(&self->race, now);
}

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_socket *self = of(transport);
    const char *refused;
    struct mqtt_url url;
    int family;

    reset(self, now);
    mqtt_watches_retry(&self->watches);
    if (mqtt_url_read(server, &url)) {
        fail(self, MQTT_ERR_SERVER, subject_of(server),
             "no address of a server");
    } else if (self->without_layers && is_for_layers(&url)) {
        fail(self, MQTT_ERR_SERVER, subject_of(server),
             "the client has neither TLS nor WebSocket");
    } else if (!mqtt_options_family(self->options, &family, &refused)) {
        fail(self, MQTT_ERR_NETWORK, subject_of(server), refused);
    } else {
        mqtt_addresses_clear(&self->addresses, family);
        find_addresses(self, server, &url, now);
    }
}

/* Name servers do not answer, or make no sense: the server may be all the same
 * where it was. */
static void recall(struct mqtt_socket *self, enum mqtt_resolver_state *names,
                   mqtt_time now)
{
    if (self->doubt_is_over || self->addresses.count > 0)
        return;
    if (*names == MQTT_RESOLVER_END
            ? !mqtt_resolver_is_in_doubt(&self->resolver)
            : now < self->recall_at)
        return;
    self->doubt_is_over = true;
    self->recall_at = MQTT_NEVER;
    mqtt_addresses_add(&self->addresses, &self->race.last);
    if (*names == MQTT_RESOLVER_WAIT)
        *names = MQTT_RESOLVER_BEGIN;
}

static void connect_on(struct mqtt_socket *self, mqtt_time now)
{
    enum mqtt_resolver_state names =
        mqtt_resolver_advance(&self->resolver, now);

    recall(self, &names, now);
    if (names == MQTT_RESOLVER_WAIT)
        return;
    switch (mqtt_race_advance(&self->race, now)) {
    case MQTT_RACE_RUNNING:
        break;
    case MQTT_RACE_WON:
        mqtt_resolver_cancel(&self->resolver);
        self->last_host = mark_of(self->host);
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
    if (self->watches.refused && self->state != MQTT_SOCKET_FAILED)
        fail_to_watch(self);
    if (self->state == MQTT_SOCKET_AWAIT_CONNECT)
        return MQTT_TRANSPORT_OPENING;
    return self->state == MQTT_SOCKET_OPEN ? MQTT_TRANSPORT_OPEN
                                           : MQTT_TRANSPORT_FAILED;
}

static mqtt_time deadline(struct mqtt_transport *transport)
{
    const struct mqtt_socket *self = of(transport);
    mqtt_time at;

    if (self->state != MQTT_SOCKET_AWAIT_CONNECT)
        return MQTT_NEVER;
    if (self->watches.refused)
        return 0;
    at = self->resolver.deadline < self->race.deadline ? self->resolver.deadline
                                                       : self->race.deadline;
    return self->recall_at < at ? self->recall_at : at;
}

static void ready(struct mqtt_transport *transport, unsigned slot,
                  unsigned mask)
{
    struct mqtt_socket *self = of(transport);

    if (mask & MQTT_UNWATCHED)
        mqtt_watches_again(&self->watches, slot);
    else if (slot == MQTT_WAKE_SLOT)
        mqtt_waker_ready(self->waker);
    else if (slot >= MQTT_RESOLVER_SLOT)
        mqtt_resolver_ready(&self->resolver, slot, mask);
    else
        mqtt_race_ready(&self->race, slot);
}

/* ---- the connection ------------------------------------------------------ */

static ptrdiff_t broken(struct mqtt_socket *self, int error)
{
    fail_at(self, self->race.runners[self->race.winner].address, error);
    return MQTT_IO_FAILED;
}

/* What recv(2) or send(2) answered, in words of the transport. */
static ptrdiff_t moved(struct mqtt_socket *self, ptrdiff_t size)
{
    int error = errno;

    if (size >= 0)
        return size;
    if (error == EAGAIN || error == EWOULDBLOCK)
        return MQTT_IO_WAIT;
    return broken(self, error);
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
    if (got <= 0 && self->send_error)
        return broken(self, self->send_error);
    return moved(self, got);
}

/* The server has gone. Why, it may have said before, and that lies here yet: it
 * is read in what is left of this turn, then the failure is told. */
static ptrdiff_t hear_out(struct mqtt_socket *self, int error)
{
    if (self->heard_out)
        return broken(self, error);
    self->send_error = error;
    return MQTT_IO_WAIT;
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
    if (sent < 0 && (errno == ECONNRESET || errno == EPIPE))
        return hear_out(self, self->send_error ? self->send_error : errno);
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

/* Once in each turn of the driver, at its end. */
static bool want(struct mqtt_transport *transport, unsigned mask)
{
    struct mqtt_socket *self = of(transport);

    self->heard_out = self->send_error;
    if (self->state == MQTT_SOCKET_OPEN)
        mqtt_watches_set(&self->watches, self->race.winner, descriptor_of(self),
                         mask);
    if (self->watches.refused && self->state == MQTT_SOCKET_OPEN)
        fail_to_watch(self);
    return !self->watches.refused;
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
    self->options = &as_the_system_has_it;
    self->race.options = &as_the_system_has_it;
    self->race.limit_ms = share_of(OPEN_TIMEOUT_MS);
    mqtt_race_start(&self->race, 0);
    return &self->transport;
}

void mqtt_socket_watch_waker(struct mqtt_transport *transport,
                             const struct mqtt_waker *waker)
{
    struct mqtt_socket *self = of(transport);

    self->waker = waker;
    mqtt_watches_set(&self->watches, MQTT_WAKE_SLOT, waker->descriptor,
                     MQTT_READ);
}

void mqtt_socket_configure(struct mqtt_transport *transport,
                           const struct mqtt_socket_options *options,
                           uint32_t open_timeout_ms)
{
    struct mqtt_socket *self = of(transport);

    self->options = self->race.options = options;
    if (open_timeout_ms)
        self->race.limit_ms = share_of(open_timeout_ms);
}

void mqtt_socket_without_layers(struct mqtt_transport *transport)
{
    of(transport)->without_layers = true;
}

void mqtt_socket_end(struct mqtt_transport *transport)
{
    end_connection(transport);
    give_back(transport);
}
