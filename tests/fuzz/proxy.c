/*
 * proxy.c - what a proxy answers, SOCKS5 and HTTP CONNECT, over a transport in
 * memory.
 *
 * An input is a byte of options, a byte that says in which pieces the proxy's
 * bytes come, and those. However they come, the layer comes to the same end;
 * and what came behind a good answer is the server's, not one byte less or more.
 */
#include "fuzz.h"

#include "../../platform/posix/proxy.h"
#include "../net/below.h"

#include <mqttloop/client.h>
#include <stdlib.h>

enum { BY_HTTP = 1, WITH_LOGIN = 2, ENDS = 4, HOST_AT = 3 };

struct run {
    enum mqtt_transport_state state;
    enum mqtt_error error;
    char detail[256];
    uint8_t rest[1024]; /* behind the answer */
    size_t size;
};

static struct below below;
static const struct mqtt_server servers[] = {{"mqtt://name.example", 0},
                                             {"mqtt://192.0.2.1", 0},
                                             {"mqtt://[2001:db8::1]", 0},
                                             {"unix:/nowhere", 0}};

static struct mqtt_proxy proxy_of(unsigned options)
{
    bool login = options & WITH_LOGIN;

    return (struct mqtt_proxy){
        options & BY_HTTP ? MQTT_PROXY_HTTP_CONNECT : MQTT_PROXY_SOCKS5,
        "localhost", 0, login ? "user" : NULL, login ? "secret" : NULL};
}

static void read_rest(struct mqtt_transport *transport, struct run *run)
{
    ptrdiff_t got;

    while ((got = transport->ops->recv(transport, run->rest + run->size,
                                       sizeof run->rest - run->size)) > 0)
        run->size += (size_t)got;
}

static void run_once(const uint8_t *bytes, size_t size, unsigned options,
                     size_t chunk, struct run *run)
{
    struct mqtt_proxy proxy = proxy_of(options);
    struct mqtt_layer *layer =
        mqtt_proxy_init(malloc(mqtt_proxy_size(&proxy)), &proxy);
    struct mqtt_transport *transport = &layer->transport;
    const char *detail = NULL;

    memset(run, 0, sizeof *run);
    below_begin(&below);
    layer->below = &below.base;
    below.chunk = chunk;
    below.ended = options & ENDS;
    below_sends(&below, bytes, size);
    transport->ops->open(transport, &servers[options >> HOST_AT & 3], 0);
    run->state = transport->ops->advance(transport, 0);
    if (run->state == MQTT_TRANSPORT_OPEN)
        read_rest(transport, run);
    run->error = transport->ops->error(transport, &detail);
    strncpy(run->detail, detail, sizeof run->detail - 1);
    mqtt_proxy_end(layer);
    free(layer);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    static struct run whole, split;

    if (size < 2 || size > sizeof whole.rest)
        return;
    run_once(bytes + 2, size - 2, bytes[0], 0, &whole);
    require(whole.size <= size - 2);
    require(memcmp(whole.rest, bytes + size - whole.size, whole.size) == 0);
    run_once(bytes + 2, size - 2, bytes[0], 1u + bytes[1] % 16, &split);
    require(whole.state == split.state && whole.error == split.error);
    require(strcmp(whole.detail, split.detail) == 0);
    require(whole.size == split.size);
}
