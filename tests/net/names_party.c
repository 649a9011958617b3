#include "names_party.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the client ------------------------------------------------------------ */

static void heard(struct mqtt_client *client, const struct mqtt_event *event,
                  void *context)
{
    struct party *party = context;

    (void)client;
    if (event->type == MQTT_EVENT_CONNECTED)
        party->connected++;
    if (event->type != MQTT_EVENT_DISCONNECTED)
        return;
    party->disconnected++;
    party->error = event->error;
    snprintf(party->detail, sizeof party->detail, "%s",
             event->detail ? event->detail : "");
    if (party->free_when_disconnected) {
        mqtt_client_free(party->client);
        party->client = NULL;
    }
}

static uint32_t no_random(void *context)
{
    (void)context;
    return 0;
}

void party_draft(struct party *party, const char *address, uint16_t port)
{
    memset(party, 0, sizeof *party);
    snprintf(party->address, sizeof party->address, "%s", address);
    party->server = (struct mqtt_server){party->address, port};
    party->config.servers = &party->server;
    party->config.server_count = 1;
    party->config.connect.clean_start = true;
    party->config.on_event = heard;
    party->config.context = party;
    party->config.random = no_random; /* tries again at once */
}

void party_connect(struct party *party)
{
    enum mqtt_error error;

    if (!party->client)
        party->client = mqtt_client_new(&party->config, &party->host, &error);
    if (!party->client)
        fail_msg("%s: %s", party->address, mqtt_error_text(error));
    party->begun_at = mqtt_posix_now();
    assert_int_equal(mqtt_connect(party->client), MQTT_OK);
}

void party_free(struct party *party)
{
    mqtt_client_free(party->client);
    party->client = NULL;
}

mqtt_time party_took_ms(const struct party *party)
{
    return mqtt_posix_now() - party->begun_at;
}

/* ---- the server ------------------------------------------------------------ */

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage all;
};

static socklen_t name_of(const char *address, uint16_t port, union name *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        return sizeof out->v4;
    }
    assert_int_equal(inet_pton(AF_INET6, address, &out->v6.sin6_addr), 1);
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    return sizeof out->v6;
}

bool landing_open(struct landing *landing, const char *address, uint16_t *port)
{
    union name name;
    socklen_t size;
    int on = 1;

    memset(landing, 0, sizeof *landing);
    landing->connection = -1;
    if (!*port)
        *port = free_port();
    size = name_of(address, *port, &name);
    landing->listener = socket(name.any.sa_family,
                               SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(landing->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (landing->listener >= 0 && !bind(landing->listener, &name.any, size) &&
        !listen(landing->listener, 64))
        return true;
    close(landing->listener);
    landing->listener = -1;
    return false;
}

void landing_cut(struct landing *landing)
{
    if (landing->connection >= 0)
        close(landing->connection);
    landing->connection = -1;
}

void landing_close(struct landing *landing)
{
    landing_cut(landing);
    if (landing->listener >= 0)
        close(landing->listener);
    landing->listener = -1;
}

static void land(struct landing *landing)
{
    union name from;
    socklen_t size = sizeof from;
    int connection = accept4(landing->listener, &from.any, &size,
                             SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (connection < 0)
        return;
    landing_cut(landing);
    landing->connection = connection;
    landing->count++;
    if (from.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &from.v4.sin_addr, landing->from,
                  sizeof landing->from);
    else
        inet_ntop(AF_INET6, &from.v6.sin6_addr, landing->from,
                  sizeof landing->from);
    landing->from_port = ntohs(
        from.any.sa_family == AF_INET ? from.v4.sin_port : from.v6.sin6_port);
}

/* CONNECT is the first packet, and comes whole. */
void landing_serve(struct landing *landing)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    uint8_t bytes[4096];
    ssize_t size;

    if (landing->listener < 0)
        return;
    land(landing);
    if (landing->connection < 0)
        return;
    size = recv(landing->connection, bytes, sizeof bytes, 0);
    if (size > 0 && bytes[0] == 0x10)
        send(landing->connection, connack, sizeof connack, MSG_NOSIGNAL);
    if (size == 0)
        landing_cut(landing);
}

int party_descriptor(const struct landing *landing)
{
    union name name;
    socklen_t size;
    int i;

    for (i = 3; i < 4096; i++) {
        size = sizeof name;
        if (getsockname(i, &name.any, &size) || i == landing->connection)
            continue;
        if (name.any.sa_family == AF_INET &&
            ntohs(name.v4.sin_port) == landing->from_port)
            return i;
        if (name.any.sa_family == AF_INET6 &&
            ntohs(name.v6.sin6_port) == landing->from_port)
            return i;
    }
    fail_msg("no descriptor of port %u", landing->from_port);
    return -1;
}
