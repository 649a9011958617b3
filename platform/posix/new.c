/*
 * A whole client in one allocation: the structs, the copies of all text, and
 * the memory that is lent to the client.
 */
#include "descriptor.h"
#include "network.h"
#include "servers.h"
#include "socket.h"

#include <mqttloop/posix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define OUTBOX_SIZE 262144
#define SLOT_COUNT 4096
#define CONTROL_SIZE 4096
#define INPUT_SIZE 65536
#define RECEIVED_BITS_SIZE 8192
#define UNSETTLED_COUNT 256
#define ALIAS_COUNT 16
#define ALIAS_NAME_SIZE 256
#define IDENTIFIER_SIZE 128

/* No field of CONNECT is longer, and there are five. What is beyond these,
 * mqtt_client_init() refuses. */
#define LARGEST_FIELD 65535
#define LARGEST_PROPERTIES 268435455
#define LARGEST_CONNECT (17 + 5 * (2 + LARGEST_FIELD))

/* Beyond these mqtt_client_init() refuses anyway, and sums cannot overflow. */
#define LARGEST_SIZE ((size_t)1 << 30)
#define MOST_SLOTS 32768

/* The client comes first, so that mqtt_client_free() finds the rest. */
struct host {
    struct mqtt_client client;
    struct mqtt_drive drive;
    struct mqtt_poll poll;
    struct mqtt_descriptor descriptor; /* instead of poll, if asked for */
    struct mqtt_waker waker;
    struct mqtt_transport *transport;
    struct mqtt_host options; /* what is used of it later */
    struct mqtt_config config;
    struct mqtt_message will;
    struct mqtt_memory memory;
};

/* Goes over the block twice: first without `base`, to count, then to place. */
struct layout {
    unsigned char *base; /* NULL: only count */
    size_t used;
};

static void *place(struct layout *layout, size_t size)
{
    size_t alignment = _Alignof(max_align_t);
    size_t at = (layout->used + alignment - 1) / alignment * alignment;

    layout->used = at + size;
    return layout->base ? layout->base + at : NULL;
}

/* ---- copies of the configuration ----------------------------------------- */

static struct mqtt_span copy_bytes(struct layout *layout, struct mqtt_span from,
                                   size_t largest)
{
    void *to;

    if (!from.data || from.size > largest)
        return from;
    to = place(layout, from.size);
    if (!to)
        return from;
    memcpy(to, from.data, from.size);
    return (struct mqtt_span){to, from.size};
}

static struct mqtt_span copy_span(struct layout *layout, struct mqtt_span from)
{
    return copy_bytes(layout, from, LARGEST_FIELD);
}

/* Of any length, since nobody refuses it later. */
static const char *copy_text(struct layout *layout, const char *text)
{
    struct mqtt_span with_nul = {text, text ? strlen(text) + 1 : 0};

    return copy_bytes(layout, with_nul, SIZE_MAX).data;
}

static void copy_options(struct layout *layout, struct mqtt_host *options)
{
    struct mqtt_socket_options *socket = &options->socket;
    struct mqtt_proxy *proxy = &options->proxy;

    socket->interface_name = copy_text(layout, socket->interface_name);
    socket->source_address = copy_text(layout, socket->source_address);
    socket->name_servers = copy_text(layout, socket->name_servers);
    proxy->address = copy_text(layout, proxy->address);
    proxy->user_name = copy_text(layout, proxy->user_name);
    proxy->password = copy_text(layout, proxy->password);
}

static const struct mqtt_server *copy_servers(struct layout *layout,
                                              const struct mqtt_config *from)
{
    static const struct mqtt_server local = {.address = "localhost"};
    struct mqtt_server *to;
    const char *address;
    size_t i;

    if (!from->servers)
        return from->server_count ? NULL : &local;
    to = place(layout, from->server_count * sizeof *to);
    for (i = 0; i < from->server_count; i++) {
        address = copy_text(layout, from->servers[i].address);
        if (to)
            to[i] = (struct mqtt_server){address, from->servers[i].port};
    }
    return to;
}

static void copy_connect(struct layout *layout, struct mqtt_message *will,
                         struct mqtt_connect_options *options)
{
    options->client_identifier = copy_span(layout, options->client_identifier);
    options->user_name = copy_span(layout, options->user_name);
    options->password = copy_span(layout, options->password);
    options->properties =
        copy_bytes(layout, options->properties, LARGEST_PROPERTIES);
    if (!options->will)
        return;
    *will = *options->will;
    will->topic_name = copy_span(layout, will->topic_name);
    will->payload = copy_span(layout, will->payload);
    will->properties = copy_bytes(layout, will->properties, LARGEST_PROPERTIES);
    options->will = will;
}

/* For the back-off only, so it must not wait for entropy at boot; the clock
 * and an address that the kernel has chosen then tell clients apart. */
static uint32_t random_bits(void *context)
{
    uint32_t bits;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        bits = ((uint32_t)mqtt_posix_now() ^ (uint32_t)((uintptr_t)&bits >> 4) ^
                (uint32_t)((uintptr_t)context >> 12)) *
               2654435769u;
    return bits;
}

static void copy_config(struct layout *layout, struct host *host,
                        const struct mqtt_config *from)
{
    struct mqtt_config *config = &host->config;

    *config = *from;
    copy_connect(layout, &host->will, &config->connect);
    config->servers = copy_servers(layout, from);
    if (config->servers && !from->servers)
        config->server_count = 1;
    if (!config->protocol)
        config->protocol = &mqtt_protocol_3_1_1;
    if (config->trace)
        config->trace_seam = &mqtt_trace_seam;
    if (!config->random) {
        config->random = random_bits;
        config->random_context = host;
    }
}

/* ---- memory for the client ----------------------------------------------- */

/* What 5.0 has besides: lengths of properties, and what a client says of its
 * memory. */
#define ANNOUNCED_SIZE (4 + 5 + 3 + 5 + 3 + 4)

/* [3.1.1, section 3.1]: fixed header, variable header, each field's length. A
 * client identifier may be assigned later. */
static size_t connect_size(const struct mqtt_connect_options *options)
{
    size_t size = 5 + 10 + ANNOUNCED_SIZE + options->properties.size + 2;

    size += options->client_identifier.size ? options->client_identifier.size
                                            : IDENTIFIER_SIZE;

    if (options->user_name.data)
        size += 2 + options->user_name.size;
    if (options->password.data)
        size += 2 + options->password.size;
    if (options->will)
        size += 4 + options->will->topic_name.size +
                options->will->payload.size + options->will->properties.size;
    return size;
}

static size_t or_default(size_t size, size_t standard)
{
    return size ? size : standard;
}

static void choose_sizes(struct mqtt_memory *memory,
                         const struct mqtt_sizes *sizes,
                         const struct mqtt_config *config)
{
    size_t control = connect_size(&config->connect);

    if (control < CONTROL_SIZE || control > LARGEST_CONNECT)
        control = CONTROL_SIZE;
    memory->outbox_size = or_default(sizes->outbox, OUTBOX_SIZE);
    memory->slot_count = or_default(sizes->slots, SLOT_COUNT);
    memory->input_size = or_default(sizes->input, INPUT_SIZE);
    memory->control_size = or_default(sizes->control, control);
    memory->identifier_size = IDENTIFIER_SIZE;
    if (config->settle == MQTT_SETTLE_BY_CALL || config->store)
        memory->unsettled_count = or_default(sizes->unsettled, UNSETTLED_COUNT);
    if (config->store)
        memory->released_count = memory->unsettled_count;
    if (config->no_topic_aliases)
        return;
    memory->alias_topic_count = or_default(sizes->aliases, ALIAS_COUNT);
    memory->alias_name_count = memory->alias_topic_count;
    memory->alias_names_size = memory->alias_name_count * ALIAS_NAME_SIZE;
}

static bool are_sizes_possible(const struct mqtt_memory *memory)
{
    return memory->outbox_size <= LARGEST_SIZE &&
           memory->slot_count <= MOST_SLOTS &&
           memory->input_size <= LARGEST_SIZE &&
           memory->unsettled_count <= UINT16_MAX &&
           memory->alias_topic_count <= UINT16_MAX &&
           memory->control_size <= LARGEST_SIZE;
}

/* What is used seldom comes last. */
static void place_memory(struct layout *layout, struct mqtt_memory *memory)
{
    memory->control = place(layout, memory->control_size);
    memory->slots = place(layout, memory->slot_count * sizeof *memory->slots);
    memory->outbox = place(layout, memory->outbox_size);
    memory->input = place(layout, memory->input_size);
    memory->identifier = place(layout, memory->identifier_size);
    memory->unsettled =
        place(layout, memory->unsettled_count * sizeof *memory->unsettled);
    memory->released =
        place(layout, memory->released_count * sizeof *memory->released);
    memory->alias_topics =
        place(layout, memory->alias_topic_count * sizeof *memory->alias_topics);
    memory->alias_names = place(layout, memory->alias_names_size);
    memory->received_bits = place(layout, RECEIVED_BITS_SIZE);
}

/* ---- the client ---------------------------------------------------------- */

static void lay_out(struct layout *layout, struct host *host,
                    const struct mqtt_config *config,
                    const struct mqtt_host *options)
{
    void *network;

    place(layout, sizeof *host);
    network = place(layout, mqtt_network_size(options));
    copy_config(layout, host, config);
    host->options = *options;
    copy_options(layout, &host->options);
    place_memory(layout, &host->memory);
    if (network)
        host->transport =
            mqtt_network_init(network, &host->options, config->open_timeout_ms);
}

static enum mqtt_error init_client(struct host *host, bool wakeable)
{
    enum mqtt_error error = MQTT_OK;

    host->waker = (struct mqtt_waker){&host->client, -1};
    if (wakeable)
        error = mqtt_waker_open(&host->waker);
    if (!error)
        error = mqtt_client_init(&host->client, sizeof host->client,
                                 &host->config, &host->memory);
    if (error)
        mqtt_waker_close(&host->waker);
    return error;
}

static enum mqtt_error start(struct host *host, bool wakeable)
{
    enum mqtt_error error = init_client(host, wakeable);

    if (error)
        return error;
    if (wakeable)
        mqtt_socket_watch_waker(
            mqtt_network_socket(host->transport, &host->options), &host->waker);
    mqtt_descriptor_init(&host->descriptor, &host->drive);
    mqtt_poll_init(&host->poll, &host->drive);
    mqtt_drive_init(&host->drive, &host->client, host->transport,
                    &host->poll.reactor);
    return MQTT_OK;
}

/* calloc() because the received bits must be zero: fresh pages of the kernel
 * are, and stay untouched. */
static struct host *make(const struct mqtt_config *config,
                         const struct mqtt_host *options,
                         enum mqtt_error *error)
{
    struct host draft = {.transport = NULL}, *host;
    struct layout layout = {NULL, 0};

    *error = MQTT_ERR_MEMORY;
    choose_sizes(&draft.memory, &options->sizes, config);
    if (!are_sizes_possible(&draft.memory))
        return NULL;
    lay_out(&layout, &draft, config, options);
    host = calloc(1, layout.used);
    if (!host)
        return NULL;
    host->memory = draft.memory;
    layout = (struct layout){(unsigned char *)host, 0};
    lay_out(&layout, host, config, options);
    if (host->transport && (*error = start(host, options->wakeable)) == MQTT_OK)
        return host;
    if (host->transport)
        mqtt_network_end(host->transport, &host->options);
    free(host);
    return NULL;
}

struct mqtt_client *mqtt_client_new(const struct mqtt_config *config,
                                    const struct mqtt_host *host_options,
                                    enum mqtt_error *error)
{
    static const struct mqtt_host all_default;
    enum mqtt_error ignored;
    struct mqtt_config with_user;
    char *text;
    struct host *host;

    if (!error)
        error = &ignored;
    *error = MQTT_ERR_ARGUMENT;
    if (!config)
        return NULL;
    if (!host_options)
        host_options = &all_default;
    *error = mqtt_servers_check(config, host_options);
    if (*error)
        return NULL;
    with_user = *config;
    *error = mqtt_servers_user(&with_user, &text);
    host = *error ? NULL : make(&with_user, host_options, error);
    free(text);
    return host ? &host->client : NULL;
}

void mqtt_client_free(struct mqtt_client *client)
{
    struct host *host = (struct host *)client;

    if (!host)
        return;
    mqtt_drive_end(&host->drive);
    mqtt_client_destroy(client);
    mqtt_network_end(host->transport, &host->options);
    mqtt_descriptor_close(&host->descriptor);
    mqtt_waker_close(&host->waker);
    free(host);
}

/* ---- being waited for by others ------------------------------------------ */

int mqtt_client_fd(struct mqtt_client *client)
{
    struct host *host = (struct host *)client;
    enum mqtt_error error;

    if (host->descriptor.descriptor >= 0)
        return host->descriptor.descriptor;
    if (host->drive.reactor_ != &host->poll.reactor)
        return MQTT_ERR_ATTACHED;
    error = mqtt_descriptor_open(&host->descriptor);
    if (error)
        return error;
    mqtt_drive_attach(&host->drive, &host->descriptor.reactor);
    return host->descriptor.descriptor;
}

enum mqtt_error mqtt_wake(struct mqtt_client *client)
{
    const struct host *host = (const struct host *)client;

    if (host->waker.descriptor < 0)
        return MQTT_ERR_STATE;
    mqtt_waker_ring(&host->waker);
    return MQTT_OK;
}
