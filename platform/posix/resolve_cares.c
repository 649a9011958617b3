/*
 * Look-ups through c-ares. It may call back before a call of it returns, so
 * its callbacks only set state; what follows from that is done in
 * mqtt_resolver_advance(). ares_library_init() is not called: it counts in a
 * global without a lock, and only Windows needs it.
 */
#include "resolve.h"

#include <sys/select.h> /* of which ares.h makes use */

#include <ares.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* One server that never answers is given up after 2 + 4 + 8 seconds, so that
 * the failure can name it before the client's open timeout. */
#define TRY_MS 2000
#define TRIES 3
/* Each has a slot of ours for UDP, one is left for TCP; resolv.conf(5) knows
 * no more either. */
#define NAME_SERVERS 3
/* What to wait for IPv6 when IPv4 has answered [RFC 8305, 3]. */
#define IPV6_GRACE_MS 50
/* What to wait for the other family while the first is tried: a name of
 * /etc/hosts must not depend on name servers that are away. */
#define OTHER_GRACE_MS 1000

enum lookup_index { LOOKUP_IPV6, LOOKUP_IPV4 };

/* ---- sockets of c-ares --------------------------------------------------- */

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* c-ares does not say why it has no socket. */
static ares_socket_t open_socket(int family, int type, int protocol,
                                 void *context)
{
    struct mqtt_resolver *resolver = context;
    int descriptor =
        socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (descriptor < 0 && is_shortage(errno))
        resolver->machine_error = errno;
    return descriptor;
}

static int close_socket(ares_socket_t descriptor, void *context)
{
    (void)context;
    return close(descriptor);
}

static int connect_socket(ares_socket_t descriptor,
                          const struct sockaddr *address, ares_socklen_t size,
                          void *context)
{
    (void)context;
    return connect(descriptor, address, size);
}

static ares_ssize_t receive(ares_socket_t descriptor, void *bytes, size_t size,
                            int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *context)
{
    (void)context;
    return recvfrom(descriptor, bytes, size, flags, from, from_size);
}

/* Left to itself, c-ares uses writev(2), which can raise SIGPIPE. */
static ares_ssize_t send_parts(ares_socket_t descriptor,
                               const struct iovec *parts, int count,
                               void *context)
{
    struct iovec copies[8];
    struct msghdr message = {.msg_iov = copies};
    int i;

    (void)context;
    for (i = 0; i < count && i < 8; i++)
        copies[i] = parts[i];
    message.msg_iovlen = (unsigned)i;
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_parts,
};

/* The slot that watches `descriptor`, else a free one, else none: such a
 * socket is not watched, and its query times out. */
static unsigned slot_of(const struct mqtt_watches *watches, int descriptor)
{
    unsigned slot, found = MQTT_REACTOR_SLOTS;

    for (slot = MQTT_RESOLVER_SLOT; slot < MQTT_REACTOR_SLOTS; slot++) {
        if (!watches->masks[slot])
            found = slot;
        else if (watches->descriptors[slot] == descriptor)
            return slot;
    }
    return found;
}

static void socket_state(void *context, ares_socket_t descriptor, int readable,
                         int writable)
{
    struct mqtt_resolver *resolver = context;
    unsigned mask = (readable ? MQTT_READ : 0u) | (writable ? MQTT_WRITE : 0u);
    unsigned slot = slot_of(resolver->watches, descriptor);

    if (slot == MQTT_REACTOR_SLOTS)
        return;
    if (!mask)
        resolver->ready[slot - MQTT_RESOLVER_SLOT] = 0;
    mqtt_watches_set(resolver->watches, slot, descriptor, mask);
}

/* ---- the channel --------------------------------------------------------- */

static int limit_name_servers(ares_channel channel)
{
    struct ares_addr_port_node *list, *last, *rest;
    int status = ares_get_servers_ports(channel, &list), count;

    if (status != ARES_SUCCESS || !list)
        return status;
    for (last = list, count = 1; last->next && count < NAME_SERVERS; count++)
        last = last->next;
    rest = last->next;
    last->next = NULL;
    if (rest)
        status = ares_set_servers_ports(channel, list);
    last->next = rest;
    ares_free_data(list);
    return status;
}

/* A channel lives for one look-up: what the system says about its name
 * servers may have changed since the last. */
static int open_channel(struct mqtt_resolver *resolver)
{
    struct ares_options options = {.timeout = TRY_MS,
                                   .tries = TRIES,
                                   .sock_state_cb = socket_state,
                                   .sock_state_cb_data = resolver};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&resolver->channel, &options, mask);

    if (status != ARES_SUCCESS) {
        resolver->channel = NULL;
        return status;
    }
    ares_set_socket_functions(resolver->channel, &socket_functions, resolver);
    if (resolver->name_servers)
        return ares_set_servers_ports_csv(resolver->channel,
                                          resolver->name_servers);
    return limit_name_servers(resolver->channel);
}

/* Each family gets half of the list at most. */
static int take_addresses(struct mqtt_resolver *resolver,
                          const struct ares_addrinfo *result)
{
    const struct ares_addrinfo_node *node = result->nodes;
    size_t left = MQTT_ADDRESSES / MQTT_LOOKUPS;
    int status = node ? ARES_SUCCESS : ARES_ENODATA;

    for (; node && left > 0; node = node->ai_next, left--)
        mqtt_addresses_add(resolver->addresses, node->ai_addr, resolver->port);
    return status;
}

static void answered(void *context, int status, int timeouts,
                     struct ares_addrinfo *result)
{
    struct mqtt_lookup *lookup = context;

    (void)timeouts;
    if (result && status == ARES_SUCCESS)
        status = take_addresses(lookup->resolver, result);
    if (result)
        ares_freeaddrinfo(result);
    lookup->status = status;
    lookup->answered = true;
}

static void look_up(struct mqtt_resolver *resolver, unsigned which, int family)
{
    struct ares_addrinfo_hints hints = {.ai_family = family,
                                        .ai_socktype = SOCK_STREAM};
    struct mqtt_lookup *lookup = &resolver->lookups[which];

    *lookup = (struct mqtt_lookup){.resolver = resolver};
    ares_getaddrinfo(resolver->channel, resolver->name, NULL, &hints, answered,
                     lookup);
}

void mqtt_resolver_start(struct mqtt_resolver *resolver, const char *name,
                         uint16_t port, mqtt_time now)
{
    int status;

    resolver->name = name;
    resolver->port = port;
    resolver->machine_error = 0;
    resolver->deadline = now;
    resolver->answer_at = MQTT_NEVER;
    memset(resolver->ready, 0, sizeof resolver->ready);
    status = open_channel(resolver);
    if (status == ARES_SUCCESS) {
        look_up(resolver, LOOKUP_IPV6, AF_INET6);
        look_up(resolver, LOOKUP_IPV4, AF_INET);
    } else {
        mqtt_resolver_cancel(resolver);
        resolver->lookups[LOOKUP_IPV4].status = status;
        resolver->lookups[LOOKUP_IPV6].status = status;
    }
}

/* ---- going on ------------------------------------------------------------ */

static void process(struct mqtt_resolver *resolver)
{
    unsigned i, mask;
    int descriptor;

    for (i = 0; i < MQTT_RESOLVER_SLOTS; i++) {
        mask = resolver->ready[i];
        resolver->ready[i] = 0;
        descriptor = resolver->watches->descriptors[MQTT_RESOLVER_SLOT + i];
        if (mask)
            ares_process_fd(resolver->channel,
                            mask & MQTT_READ ? descriptor : ARES_SOCKET_BAD,
                            mask & MQTT_WRITE ? descriptor : ARES_SOCKET_BAD);
    }
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static mqtt_time next_try(ares_channel channel, mqtt_time now)
{
    struct timeval left;

    if (!ares_timeout(channel, NULL, &left))
        return MQTT_NEVER;
    return now + (mqtt_time)left.tv_sec * 1000 +
           (mqtt_time)left.tv_usec / 1000 + 1;
}

/* Some addresses are there, one family has not answered yet. */
static enum mqtt_resolver_state wait_for_other(struct mqtt_resolver *resolver,
                                               mqtt_time now)
{
    mqtt_time begin_at, end_at;

    if (resolver->answer_at == MQTT_NEVER)
        resolver->answer_at = now;
    begin_at = resolver->answer_at + IPV6_GRACE_MS;
    end_at = resolver->answer_at + OTHER_GRACE_MS;
    if (now >= end_at) {
        mqtt_resolver_cancel(resolver);
        return MQTT_RESOLVER_END;
    }
    if (resolver->lookups[LOOKUP_IPV6].answered)
        begin_at = now;
    if (now < begin_at)
        end_at = begin_at;
    if (end_at < resolver->deadline)
        resolver->deadline = end_at;
    return now < begin_at ? MQTT_RESOLVER_WAIT : MQTT_RESOLVER_BEGIN;
}

enum mqtt_resolver_state mqtt_resolver_advance(struct mqtt_resolver *resolver,
                                               mqtt_time now)
{
    if (!resolver->channel)
        return MQTT_RESOLVER_END;
    process(resolver);
    if (resolver->lookups[LOOKUP_IPV4].answered &&
        resolver->lookups[LOOKUP_IPV6].answered) {
        mqtt_resolver_cancel(resolver);
        return MQTT_RESOLVER_END;
    }
    resolver->deadline = next_try(resolver->channel, now);
    if (resolver->addresses->count > 0)
        return wait_for_other(resolver, now);
    return MQTT_RESOLVER_WAIT;
}

void mqtt_resolver_ready(struct mqtt_resolver *resolver, unsigned slot,
                         unsigned mask)
{
    resolver->ready[slot - MQTT_RESOLVER_SLOT] |= mask;
}

/* c-ares stops each socket by socket_state() before it closes it. */
void mqtt_resolver_cancel(struct mqtt_resolver *resolver)
{
    if (resolver->channel)
        ares_destroy(resolver->channel);
    resolver->channel = NULL;
    resolver->deadline = MQTT_NEVER;
}

/* That there is no such name, or no address, says less than why one family
 * was not answered at all. */
static bool is_plain_no(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

enum mqtt_error mqtt_resolver_error(const struct mqtt_resolver *resolver,
                                    const char **text)
{
    int status = resolver->lookups[LOOKUP_IPV4].status;

    if (is_plain_no(status))
        status = resolver->lookups[LOOKUP_IPV6].status;
    if (is_plain_no(status))
        status = resolver->lookups[LOOKUP_IPV4].status;
    *text = ares_strerror(status);
    if (status == ARES_ENOMEM || status == ARES_EFILE)
        return MQTT_ERR_NETWORK;
    if (!resolver->machine_error)
        return MQTT_ERR_NAME;
    *text = strerror(resolver->machine_error);
    return MQTT_ERR_NETWORK;
}
