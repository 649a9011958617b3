#include "network.h"

#include "proxy.h"
#include "socket.h"

#include <string.h>

struct network {
    struct mqtt_transport transport;
    struct mqtt_transport *socket;
    struct mqtt_transport *top; /* of the layers that the last URL asked for */
    struct mqtt_layer *proxy, *tls, *websocket; /* NULL: not there */
    const struct mqtt_host *host;
    const char *refused; /* why the last open() failed here, or NULL */
};

static struct network *of(struct mqtt_transport *transport)
{
    return (struct network *)transport;
}

static struct mqtt_transport *top_of(struct mqtt_transport *transport)
{
    return of(transport)->top;
}

/* ---- which layers -------------------------------------------------------- */

static bool asks_for_tls(const struct mqtt_url *url)
{
    return url->scheme == MQTT_SCHEME_MQTTS || url->scheme == MQTT_SCHEME_WSS;
}

static bool asks_for_websocket(const struct mqtt_url *url)
{
    return url->scheme == MQTT_SCHEME_WS || url->scheme == MQTT_SCHEME_WSS;
}

static bool has_proxy(const struct mqtt_host *host)
{
    return host->proxy.protocol != MQTT_PROXY_NONE;
}

bool mqtt_network_has_layers(const struct mqtt_host *host)
{
    return has_proxy(host) || host->tls || host->websocket;
}

bool mqtt_network_serves(const struct mqtt_host *host,
                         const struct mqtt_url *url, const char **lacking)
{
    *lacking = NULL;
    if (asks_for_tls(url) && !host->tls)
        *lacking = "the URL asks for TLS, and the client has none";
    else if (asks_for_websocket(url) && !host->websocket)
        *lacking = "the URL asks for WebSocket, and the client has none";
    return !*lacking;
}

static void put_over(struct network *self, struct mqtt_layer *layer)
{
    layer->below = self->top;
    self->top = &layer->transport;
}

static void stack(struct network *self, const struct mqtt_url *url)
{
    self->top = self->socket;
    if (self->proxy && url->scheme != MQTT_SCHEME_UNIX)
        put_over(self, self->proxy);
    if (asks_for_tls(url))
        put_over(self, self->tls);
    if (asks_for_websocket(url))
        put_over(self, self->websocket);
}

/* ---- to the connection --------------------------------------------------- */

static void begin(struct mqtt_transport *transport,
                  const struct mqtt_server *server, mqtt_time now)
{
    struct network *self = of(transport);
    struct mqtt_url url;

    self->top->ops->close(self->top);
    if (mqtt_url_read(server, &url))
        self->refused = "no address of a server";
    else if (mqtt_network_serves(self->host, &url, &self->refused))
        stack(self, &url);
    if (!self->refused)
        self->top->ops->open(self->top, server, now);
}

static enum mqtt_transport_state advance(struct mqtt_transport *transport,
                                         mqtt_time now)
{
    struct mqtt_transport *top = top_of(transport);

    if (of(transport)->refused)
        return MQTT_TRANSPORT_FAILED;
    return top->ops->advance(top, now);
}

static enum mqtt_error error_of(struct mqtt_transport *transport,
                                const char **detail)
{
    struct mqtt_transport *top = top_of(transport);

    if (!of(transport)->refused)
        return top->ops->error(top, detail);
    *detail = of(transport)->refused;
    return MQTT_ERR_SERVER;
}

static mqtt_time deadline(struct mqtt_transport *transport)
{
    struct mqtt_transport *top = top_of(transport);

    return of(transport)->refused ? 0 : top->ops->deadline(top);
}

/* ---- passed on to the uppermost ------------------------------------------ */

static ptrdiff_t receive(struct mqtt_transport *transport, void *bytes,
                         size_t size)
{
    struct mqtt_transport *top = top_of(transport);

    return top->ops->recv(top, bytes, size);
}

static ptrdiff_t transmit(struct mqtt_transport *transport, const void *bytes,
                          size_t size)
{
    struct mqtt_transport *top = top_of(transport);

    return top->ops->send(top, bytes, size);
}

static ptrdiff_t flush(struct mqtt_transport *transport)
{
    struct mqtt_transport *top = top_of(transport);

    return top->ops->flush ? top->ops->flush(top) : 0;
}

static void finish(struct mqtt_transport *transport)
{
    struct mqtt_transport *top = top_of(transport);

    top->ops->finish(top);
}

static void end_connection(struct mqtt_transport *transport)
{
    struct mqtt_transport *top = top_of(transport);

    top->ops->close(top);
}

static bool want(struct mqtt_transport *transport, unsigned mask)
{
    struct mqtt_transport *top = top_of(transport);

    return top->ops->want(top, mask);
}

static void count(struct mqtt_transport *transport,
                  struct mqtt_statistics *statistics)
{
    struct mqtt_transport *top = top_of(transport);

    if (top->ops->count)
        top->ops->count(top, statistics);
}

/* ---- and to the socket, whatever lies over it ----------------------------- */

static void ready(struct mqtt_transport *transport, unsigned slot,
                  unsigned mask)
{
    struct mqtt_transport *socket = of(transport)->socket;

    socket->ops->ready(socket, slot, mask);
}

static void attach(struct mqtt_transport *transport,
                   struct mqtt_reactor *reactor)
{
    struct mqtt_transport *socket = of(transport)->socket;

    socket->ops->attach(socket, reactor);
}

static void *lend(struct mqtt_transport *transport, size_t *size)
{
    struct mqtt_transport *socket = of(transport)->socket;

    return socket->ops->lend(socket, size);
}

static void give_back(struct mqtt_transport *transport)
{
    struct mqtt_transport *socket = of(transport)->socket;

    socket->ops->give_back(socket);
}

static const struct mqtt_transport_ops ops = {
    .open = begin,
    .advance = advance,
    .recv = receive,
    .send = transmit,
    .flush = flush,
    .finish = finish,
    .close = end_connection,
    .want = want,
    .ready = ready,
    .deadline = deadline,
    .error = error_of,
    .attach = attach,
    .lend = lend,
    .give_back = give_back,
    .count = count,
};

/* ---- making and ending --------------------------------------------------- */

static size_t aligned(size_t size)
{
    size_t alignment = _Alignof(max_align_t);

    return (size + alignment - 1) / alignment * alignment;
}

static size_t size_of_kind(const struct mqtt_layer_kind *kind)
{
    return kind ? aligned(kind->size(kind)) : 0;
}

size_t mqtt_network_size(const struct mqtt_host *host)
{
    size_t size = aligned(mqtt_socket_size());

    if (!mqtt_network_has_layers(host))
        return size;
    if (has_proxy(host))
        size += aligned(mqtt_proxy_size(&host->proxy));
    return size + aligned(sizeof(struct network)) + size_of_kind(host->tls) +
           size_of_kind(host->websocket);
}

static void end_layers(struct network *self)
{
    if (self->websocket)
        self->host->websocket->end(self->websocket);
    if (self->tls)
        self->host->tls->end(self->tls);
    if (self->proxy)
        mqtt_proxy_end(self->proxy);
}

static bool make_layer(const struct mqtt_layer_kind *kind,
                       unsigned char **memory, struct mqtt_layer **layer)
{
    if (!kind)
        return true;
    *layer = kind->init(kind, *memory);
    *memory += size_of_kind(kind);
    return *layer;
}

/* Each lies over something from the first moment on, so that it can be closed
 * and ended. */
static bool make_layers(struct network *self, unsigned char *memory)
{
    if (has_proxy(self->host)) {
        self->proxy = mqtt_proxy_init(memory, &self->host->proxy);
        memory += aligned(mqtt_proxy_size(&self->host->proxy));
        if (!self->proxy)
            return false;
        self->proxy->below = self->socket;
    }
    if (!make_layer(self->host->tls, &memory, &self->tls))
        return false;
    if (self->tls)
        self->tls->below = self->socket;
    if (!make_layer(self->host->websocket, &memory, &self->websocket))
        return false;
    if (self->websocket)
        self->websocket->below = self->socket;
    return true;
}

struct mqtt_transport *mqtt_network_init(void *memory,
                                         const struct mqtt_host *host,
                                         uint32_t open_timeout_ms)
{
    struct mqtt_transport *socket = mqtt_socket_init(memory);
    unsigned char *next = (unsigned char *)memory + aligned(mqtt_socket_size());
    struct network *self = (void *)next;

    mqtt_socket_configure(socket, &host->socket, open_timeout_ms);
    if (!mqtt_network_has_layers(host)) {
        mqtt_socket_without_layers(socket);
        return socket;
    }
    *self = (struct network){
        .transport = {&ops}, .socket = socket, .top = socket, .host = host};
    if (make_layers(self, next + aligned(sizeof *self)))
        return &self->transport;
    end_layers(self);
    mqtt_socket_end(socket);
    return NULL;
}

struct mqtt_transport *mqtt_network_socket(struct mqtt_transport *transport,
                                           const struct mqtt_host *host)
{
    return mqtt_network_has_layers(host) ? of(transport)->socket : transport;
}

void mqtt_network_end(struct mqtt_transport *transport,
                      const struct mqtt_host *host)
{
    struct mqtt_transport *socket = mqtt_network_socket(transport, host);

    if (mqtt_network_has_layers(host)) {
        end_connection(transport);
        end_layers(of(transport));
    }
    mqtt_socket_end(socket);
}
