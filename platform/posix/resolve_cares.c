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
#include <mqttloop/posix.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
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
/* What to wait for the first family when the other has answered [RFC 8305, 3:
 * Resolution Delay]. */
#define FIRST_GRACE_MS 50
/* What to wait for the other family while the first is tried: a name of
 * /etc/hosts must not depend on name servers that are away. */
#define OTHER_GRACE_MS 1000
/* When SRV is not answered by then, the name itself is asked for. */
#define SRV_MS 3000
/* Targets beyond these are not looked up. */
#define TARGETS 16
/* An answer over TCP may have 64 KiB, and c-ares spends time on it that grows
 * with the square of its records. 64 IPv6 addresses take 1.8 KiB. */
#define ANSWER_SIZE 4096
/* Datagrams and pieces read in one turn, whoever sends how many. */
#define READS 32
/* How often sockets are looked at for which no slot is left. */
#define UNWATCHED_MS 50

enum lookup_index { LOOKUP_IPV6, LOOKUP_IPV4 };

/* ---- sockets of c-ares --------------------------------------------------- */

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* c-ares does not say why it has no socket. */
static void note_stream(struct mqtt_resolver *resolver, int descriptor)
{
    for (unsigned i = 0; i < MQTT_ANSWER_STREAMS; i++) {
        if (resolver->streams[i].open)
            continue;
        resolver->streams[i] =
            (struct mqtt_answer_stream){.descriptor = descriptor, .open = true};
        return;
    }
}

static struct mqtt_answer_stream *stream_of(struct mqtt_resolver *resolver,
                                            int descriptor)
{
    for (unsigned i = 0; i < MQTT_ANSWER_STREAMS; i++)
        if (resolver->streams[i].open &&
            resolver->streams[i].descriptor == descriptor)
            return &resolver->streams[i];
    return NULL;
}

static ares_socket_t open_socket(int family, int type, int protocol,
                                 void *context)
{
    struct mqtt_resolver *resolver = context;
    int descriptor =
        socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (descriptor < 0 && is_shortage(errno))
        resolver->machine_error = errno;
    if (descriptor >= 0 && type == SOCK_STREAM)
        note_stream(resolver, descriptor);
    return descriptor;
}

static int close_socket(ares_socket_t descriptor, void *context)
{
    struct mqtt_answer_stream *stream = stream_of(context, descriptor);

    if (stream)
        stream->open = false;
    return close(descriptor);
}

static int connect_socket(ares_socket_t descriptor,
                          const struct sockaddr *address, ares_socklen_t size,
                          void *context)
{
    (void)context;
    return connect(descriptor, address, size);
}

/* c-ares reads the two bytes of the size apart, and never beyond an answer.
 * False: it is too large. */
static bool follow(struct mqtt_answer_stream *stream, const uint8_t *bytes,
                   size_t size)
{
    while (size > 0 && stream->size_bytes < 2) {
        stream->left = (uint16_t)(stream->high << 8 | *bytes);
        stream->high = *bytes++;
        stream->size_bytes++;
        size--;
    }
    if (stream->size_bytes < 2)
        return true;
    if (stream->left > ANSWER_SIZE)
        return false;
    stream->left = size < stream->left ? (uint16_t)(stream->left - size) : 0;
    if (!stream->left)
        stream->size_bytes = stream->high = 0;
    return true;
}

static ares_ssize_t receive(ares_socket_t descriptor, void *bytes, size_t size,
                            int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *context)
{
    struct mqtt_resolver *resolver = context;
    struct mqtt_answer_stream *stream = stream_of(resolver, descriptor);
    ares_ssize_t got;

    if (!resolver->reads_left) {
        errno = EAGAIN;
        return -1;
    }
    resolver->reads_left--;
    got = recvfrom(descriptor, bytes, size, flags, from, from_size);
    if (got <= 0 || !stream || follow(stream, bytes, (size_t)got))
        return got;
    errno = EMSGSIZE;
    return -1;
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

/* The slot that watches `descriptor`, else a free one, else none. */
static unsigned slot_of(const struct mqtt_watches *watches, int descriptor)
{
    unsigned slot, found = MQTT_RESOLVER_END_SLOT;

    for (slot = MQTT_RESOLVER_SLOT; slot < MQTT_RESOLVER_END_SLOT; slot++) {
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

    if (slot == MQTT_RESOLVER_END_SLOT) {
        resolver->unwatched = true;
        return;
    }
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
    if (resolver->question.name_servers)
        status = ares_set_servers_ports_csv(resolver->channel,
                                            resolver->question.name_servers);
    if (status == ARES_SUCCESS)
        status = limit_name_servers(resolver->channel);
    return status;
}

/* ---- addresses ----------------------------------------------------------- */

static int take_addresses(struct mqtt_resolver *resolver,
                          const struct ares_addrinfo *result)
{
    const struct ares_addrinfo_node *node = result->nodes;
    size_t left = MQTT_ADDRESSES;

    for (; node && left > 0; node = node->ai_next, left--)
        mqtt_addresses_add_name(resolver->addresses, node->ai_addr,
                                resolver->port);
    return result->nodes ? ARES_SUCCESS : ARES_ENODATA;
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
    lookup->found = status == ARES_SUCCESS;
    lookup->answered = true;
}

static void look_up(struct mqtt_resolver *resolver, unsigned which,
                    const char *name, int family)
{
    struct ares_addrinfo_hints hints = {.ai_family = family,
                                        .ai_socktype = SOCK_STREAM};
    struct mqtt_lookup *lookup = &resolver->lookups[which];
    int only = resolver->question.only_family;

    *lookup = (struct mqtt_lookup){.resolver = resolver};
    if (!only || only == family) {
        ares_getaddrinfo(resolver->channel, name, NULL, &hints, answered,
                         lookup);
        return;
    }
    lookup->status = ARES_ENODATA;
    lookup->answered = true;
}

static void look_up_both(struct mqtt_resolver *resolver, const char *name,
                         uint16_t port)
{
    resolver->port = port;
    resolver->answer_at = MQTT_NEVER;
    look_up(resolver, LOOKUP_IPV6, name, AF_INET6);
    look_up(resolver, LOOKUP_IPV4, name, AF_INET);
}

/* c-ares copies it. */
static void write_name(const struct mqtt_resolver *resolver, const char *prefix,
                       char *out, size_t size)
{
    struct mqtt_span name = resolver->question.name;

    snprintf(out, size, "%s%.*s", prefix, (int)name.size,
             (const char *)name.data);
}

/* ---- services [RFC 2782] -------------------------------------------------- */

static uint32_t random_below(uint32_t limit)
{
    uint32_t bits;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        bits = (uint32_t)mqtt_posix_now() * 2654435769u;
    return (uint32_t)((uint64_t)bits * limit >> 32);
}

/* The first 64 of those that were not tried, of the lowest priority. */
static bool is_candidate(const struct mqtt_targets *targets,
                         const struct ares_srv_reply *target, unsigned index,
                         unsigned priority)
{
    return index < 64 && !(targets->used >> index & 1) &&
           target->priority == priority;
}

static bool lowest_priority(const struct mqtt_targets *targets,
                            unsigned *priority)
{
    const struct ares_srv_reply *at = targets->list;
    bool found = false;

    for (unsigned i = 0; at && i < 64; at = at->next, i++)
        if (!(targets->used >> i & 1) && (!found || at->priority < *priority)) {
            *priority = at->priority;
            found = true;
        }
    return found;
}

/* Weighted by chance; those without weight come first in the sum, so that they
 * have a small one. */
static const struct ares_srv_reply *draw(struct mqtt_targets *targets,
                                         unsigned priority)
{
    const struct ares_srv_reply *at;
    uint32_t sum = 0, chosen;
    unsigned i, pass;

    for (at = targets->list, i = 0; at; at = at->next, i++)
        if (is_candidate(targets, at, i, priority))
            sum += at->weight;
    chosen = random_below(sum + 1);
    for (pass = 0, sum = 0; pass < 2; pass++)
        for (at = targets->list, i = 0; at; at = at->next, i++) {
            if (!is_candidate(targets, at, i, priority) ||
                (at->weight != 0) != (pass == 1))
                continue;
            sum += at->weight;
            if (sum < chosen)
                continue;
            targets->used |= (uint64_t)1 << i;
            return at;
        }
    return NULL;
}

/* A lower rank for each, so that their order is kept. */
static bool look_up_next_target(struct mqtt_resolver *resolver)
{
    struct mqtt_targets *targets = &resolver->targets;
    const struct ares_srv_reply *target = NULL;
    unsigned priority = 0;

    if (lowest_priority(targets, &priority))
        target = draw(targets, priority);
    if (!target || resolver->addresses->rank == TARGETS)
        return false;
    resolver->addresses->rank++;
    look_up_both(resolver, target->host, target->port);
    return true;
}

static void services_answered(void *context, int status, int timeouts,
                              unsigned char *bytes, int size)
{
    struct mqtt_targets *targets = &((struct mqtt_resolver *)context)->targets;

    (void)timeouts;
    if (!targets->asked)
        return; /* given up, or ended */
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(bytes, size, &targets->list);
    if (status != ARES_SUCCESS)
        targets->list = NULL;
    targets->status = status;
    targets->answered = true;
}

/* "." as the only target: there is no such service. */
static bool is_refused(const struct mqtt_targets *targets)
{
    const struct ares_srv_reply *only = targets->list;

    return only && !only->next && (!only->host[0] || !strcmp(only->host, "."));
}

static void look_up_services(struct mqtt_resolver *resolver, mqtt_time now)
{
    char name[MQTT_HOST_SIZE + 32];

    write_name(resolver, resolver->question.service, name, sizeof name);
    resolver->targets.asked = true;
    resolver->targets.until = now + SRV_MS;
    ares_query(resolver->channel, name, 1 /* IN */, 33 /* SRV */,
               services_answered, resolver);
}

static void look_up_name(struct mqtt_resolver *resolver)
{
    char name[MQTT_HOST_SIZE];

    write_name(resolver, "", name, sizeof name);
    look_up_both(resolver, name, resolver->question.port);
}

/* From services to their addresses. */
static void take_services(struct mqtt_resolver *resolver)
{
    struct mqtt_targets *targets = &resolver->targets;

    targets->asked = false;
    targets->refused = is_refused(targets);
    if (targets->refused || look_up_next_target(resolver))
        return;
    look_up_name(resolver);
}

void mqtt_resolver_start(struct mqtt_resolver *resolver,
                         const struct mqtt_question *question, mqtt_time now)
{
    int status;

    resolver->question = *question;
    resolver->machine_error = 0;
    resolver->deadline = now;
    resolver->unwatched = false;
    memset(resolver->ready, 0, sizeof resolver->ready);
    memset(resolver->streams, 0, sizeof resolver->streams);
    memset(resolver->lookups, 0, sizeof resolver->lookups);
    resolver->targets = (struct mqtt_targets){.list = NULL};
    status = open_channel(resolver);
    if (status != ARES_SUCCESS) {
        mqtt_resolver_cancel(resolver);
        resolver->lookups[LOOKUP_IPV4].status = status;
        resolver->lookups[LOOKUP_IPV6].status = status;
    } else if (question->service) {
        look_up_services(resolver, now);
    } else {
        look_up_name(resolver);
    }
}

/* ---- going on ------------------------------------------------------------ */

/* c-ares may have closed a descriptor since it became ready, and opened another
 * one of the same number: to be asked about it in vain does no harm. */
static void process(struct mqtt_resolver *resolver)
{
    unsigned i, mask;
    int descriptor;

    resolver->reads_left = READS;
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

/* All that c-ares has, since some are not watched. */
static void process_all(struct mqtt_resolver *resolver)
{
    ares_socket_t all[ARES_GETSOCK_MAXNUM];
    int bits = ares_getsock(resolver->channel, all, ARES_GETSOCK_MAXNUM), i;

    for (i = 0; i < ARES_GETSOCK_MAXNUM; i++)
        ares_process_fd(
            resolver->channel,
            ARES_GETSOCK_READABLE(bits, i) ? all[i] : ARES_SOCKET_BAD,
            ARES_GETSOCK_WRITABLE(bits, i) ? all[i] : ARES_SOCKET_BAD);
}

static mqtt_time next_try(ares_channel channel, mqtt_time now)
{
    struct timeval left;

    if (!ares_timeout(channel, NULL, &left))
        return MQTT_NEVER;
    return now + (mqtt_time)left.tv_sec * 1000 +
           (mqtt_time)left.tv_usec / 1000 + 1;
}

static void wake_by(struct mqtt_resolver *resolver, mqtt_time at)
{
    if (at < resolver->deadline)
        resolver->deadline = at;
}

static enum mqtt_resolver_state end(struct mqtt_resolver *resolver)
{
    mqtt_resolver_cancel(resolver);
    return MQTT_RESOLVER_END;
}

static bool is_first_answered(const struct mqtt_resolver *resolver)
{
    return resolver
        ->lookups[resolver->question.first_family == AF_INET ? LOOKUP_IPV4
                                                             : LOOKUP_IPV6]
        .answered;
}

/* Whether both families have answered, or one has and the other had its time. */
static bool is_looked_up(struct mqtt_resolver *resolver, mqtt_time now)
{
    const struct mqtt_lookup *lookups = resolver->lookups;
    mqtt_time end_at;

    if (lookups[LOOKUP_IPV4].answered && lookups[LOOKUP_IPV6].answered)
        return true;
    if (!lookups[LOOKUP_IPV4].found && !lookups[LOOKUP_IPV6].found)
        return false;
    if (resolver->answer_at == MQTT_NEVER)
        resolver->answer_at = now;
    end_at = resolver->answer_at + OTHER_GRACE_MS;
    if (now < end_at) {
        wake_by(resolver, end_at);
        return false;
    }
    ares_cancel(resolver->channel);
    return true;
}

/* Some addresses are there; is it time? */
static enum mqtt_resolver_state begin_or_wait(struct mqtt_resolver *resolver,
                                              mqtt_time now)
{
    mqtt_time begin_at = resolver->answer_at + FIRST_GRACE_MS;

    if (resolver->addresses->count == 0)
        return MQTT_RESOLVER_WAIT;
    if (resolver->answer_at == MQTT_NEVER || is_first_answered(resolver) ||
        resolver->addresses->rank > 1 || now >= begin_at)
        return MQTT_RESOLVER_BEGIN;
    wake_by(resolver, begin_at);
    return MQTT_RESOLVER_WAIT;
}

static void await_services(struct mqtt_resolver *resolver, mqtt_time now)
{
    const struct mqtt_targets *targets = &resolver->targets;

    if (targets->answered || now >= targets->until)
        take_services(resolver);
    else
        wake_by(resolver, targets->until);
}

enum mqtt_resolver_state mqtt_resolver_advance(struct mqtt_resolver *resolver,
                                               mqtt_time now)
{
    if (!resolver->channel)
        return MQTT_RESOLVER_END;
    process(resolver);
    if (resolver->unwatched)
        process_all(resolver);
    resolver->deadline = resolver->unwatched ? now + UNWATCHED_MS : MQTT_NEVER;
    if (resolver->targets.asked)
        await_services(resolver, now);
    if (resolver->targets.refused)
        return end(resolver);
    while (!resolver->targets.asked && is_looked_up(resolver, now))
        if (!look_up_next_target(resolver))
            return end(resolver);
    wake_by(resolver, next_try(resolver->channel, now));
    return begin_or_wait(resolver, now);
}

void mqtt_resolver_ready(struct mqtt_resolver *resolver, unsigned slot,
                         unsigned mask)
{
    resolver->ready[slot - MQTT_RESOLVER_SLOT] |= mask;
}

/* c-ares stops each socket by socket_state() before it closes it. */
void mqtt_resolver_cancel(struct mqtt_resolver *resolver)
{
    resolver->targets.asked = false;
    if (resolver->channel)
        ares_destroy(resolver->channel);
    if (resolver->targets.list)
        ares_free_data(resolver->targets.list);
    resolver->targets.list = NULL;
    resolver->channel = NULL;
    resolver->deadline = MQTT_NEVER;
}

/* That there is no such name, or no address, says less than why one family
 * was not answered at all. */
static bool is_plain_no(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

bool mqtt_resolver_is_in_doubt(const struct mqtt_resolver *resolver)
{
    return !resolver->targets.refused &&
           !(is_plain_no(resolver->lookups[LOOKUP_IPV4].status) &&
             is_plain_no(resolver->lookups[LOOKUP_IPV6].status));
}

enum mqtt_error mqtt_resolver_error(const struct mqtt_resolver *resolver,
                                    const char **text)
{
    int status = resolver->lookups[LOOKUP_IPV4].status;

    *text = "its SRV records say that it has no such service";
    if (resolver->targets.refused)
        return MQTT_ERR_NAME;
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
