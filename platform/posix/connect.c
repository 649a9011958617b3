#include "connect.h"

#include "options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* [RFC 8305, 8] */
#define NEXT_MS 250
#define NEXT_MINIMUM_MS 100
/* When all runners are out, how long the oldest may take before it gives way
 * to an address that was not tried yet. */
#define PATIENCE_MS 5000

/* What each of the list may have, so that all are tried in time. */
static mqtt_time share_ms(const struct mqtt_race *race)
{
    mqtt_time ms = race->limit_ms / race->addresses->count;

    return ms > NEXT_MINIMUM_MS ? ms : NEXT_MINIMUM_MS;
}

static mqtt_time next_ms(const struct mqtt_race *race)
{
    return share_ms(race) < NEXT_MS ? share_ms(race) : NEXT_MS;
}

static mqtt_time patience_ms(const struct mqtt_race *race)
{
    mqtt_time ms = share_ms(race) * MQTT_RUNNERS;

    return ms < PATIENCE_MS ? ms : PATIENCE_MS;
}

static void stop(struct mqtt_race *race, unsigned slot)
{
    struct mqtt_runner *runner = &race->runners[slot];

    if (runner->descriptor < 0)
        return;
    mqtt_watches_set(race->watches, slot, runner->descriptor, 0);
    close(runner->descriptor);
    runner->descriptor = -1;
}

static void lose(struct mqtt_race *race, unsigned slot, int error)
{
    race->error = error;
    race->failed = race->runners[slot].address;
    stop(race, slot);
}

/* The kernel may give a loopback connect the very port it connects to; it is
 * then connected to itself, and the server cannot get its port back. */
static bool is_connected_to_itself(int descriptor)
{
    struct sockaddr_storage here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there;

    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    if (getsockname(descriptor, (struct sockaddr *)&here, &here_size) ||
        getpeername(descriptor, (struct sockaddr *)&there, &there_size))
        return false;
    return here.ss_family != AF_UNIX && !memcmp(&here, &there, sizeof here);
}

/* How far it is: 0 when connected, EINPROGRESS, or an error. */
static int outcome(int descriptor)
{
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size))
        return errno;
    if (error)
        return error;
    if (getpeername(descriptor, (struct sockaddr *)&peer, &peer_size))
        return errno == ENOTCONN ? EINPROGRESS : errno;
    return is_connected_to_itself(descriptor) ? ECONNREFUSED : 0;
}

static int open_socket(struct mqtt_race *race, struct mqtt_runner *runner,
                       int family)
{
    int error;

    race->refused = NULL;
    runner->descriptor =
        socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (runner->descriptor < 0)
        return errno;
    error = mqtt_options_set(runner->descriptor, family, race->options,
                             &race->refused);
    if (!error)
        race->refused = NULL;
    return error;
}

/* A connect that a signal interrupts goes on by itself [POSIX, connect]. */
static int connect_begin(const struct mqtt_race *race, int descriptor,
                         const struct mqtt_address *address)
{
    union mqtt_socket_name name;
    socklen_t size = mqtt_address_name(race->addresses, address, &name);

    if (!connect(descriptor, &name.any, size))
        return outcome(descriptor);
    return errno == EINTR ? EINPROGRESS : errno;
}

/* The result is that of outcome(). */
static int run(struct mqtt_race *race, unsigned slot, size_t index,
               mqtt_time now)
{
    struct mqtt_runner *runner = &race->runners[slot];
    struct mqtt_address *address = &race->addresses->list[index];
    int error;

    *runner = (struct mqtt_runner){-1, index, now, false};
    address->tried = true;
    race->last_family = address->family;
    error = open_socket(race, runner, address->family);
    if (!error)
        error = connect_begin(race, runner->descriptor, address);
    if (error == EINPROGRESS)
        mqtt_watches_set(race->watches, slot, runner->descriptor, MQTT_WRITE);
    else if (error)
        lose(race, slot, error);
    return error;
}

/* IPv6 begins unless it is said otherwise, or IPv4 was the last to win; then
 * the families take turns [RFC 8305, 4]. */
static int next_family(const struct mqtt_race *race)
{
    if (race->last_family)
        return race->last_family == AF_INET ? AF_INET6 : AF_INET;
    return mqtt_race_first_family(race);
}

int mqtt_race_first_family(const struct mqtt_race *race)
{
    if (race->options->family == MQTT_FAMILY_IPV4_FIRST ||
        race->options->family == MQTT_FAMILY_IPV4_ONLY)
        return AF_INET;
    return race->last.family == AF_INET ? AF_INET : AF_INET6;
}

/* The higher the sooner. */
static int merit(const struct mqtt_race *race, int family,
                 const struct mqtt_address *address)
{
    int merit = -4 * address->rank;

    if (address->family == family)
        merit += 1;
    if (mqtt_address_is_same(address, &race->last))
        merit += 2;
    return merit;
}

static bool next_address(const struct mqtt_race *race, size_t *address)
{
    const struct mqtt_address *list = race->addresses->list;
    int family = next_family(race), best = 0, other;
    bool found = false;
    size_t i;

    for (i = 0; i < race->addresses->count; i++) {
        other = merit(race, family, &list[i]);
        if (list[i].tried || (found && other <= best))
            continue;
        *address = i;
        best = other;
        found = true;
    }
    return found;
}

static bool is_anyone_running(const struct mqtt_race *race)
{
    unsigned slot;

    for (slot = 0; slot < MQTT_RUNNERS; slot++)
        if (race->runners[slot].descriptor >= 0)
            return true;
    return false;
}

/* A free slot, or the one of the oldest runner, if it had time enough. */
static bool free_slot(struct mqtt_race *race, unsigned *slot, mqtt_time now)
{
    unsigned i, oldest = 0;

    for (i = 0; i < MQTT_RUNNERS; i++) {
        *slot = i;
        if (race->runners[i].descriptor < 0)
            return true;
        if (race->runners[i].started_at < race->runners[oldest].started_at)
            oldest = i;
    }
    *slot = oldest;
    race->next_at = race->runners[oldest].started_at + patience_ms(race);
    if (now < race->next_at)
        return false;
    lose(race, oldest, ETIMEDOUT);
    return true;
}

static enum mqtt_race_state win(struct mqtt_race *race)
{
    unsigned slot, winner = race->winner;

    race->deadline = MQTT_NEVER;
    race->last = race->addresses->list[race->runners[winner].address];
    mqtt_watches_set(race->watches, winner, race->runners[winner].descriptor,
                     0);
    for (slot = 0; slot < MQTT_RUNNERS; slot++)
        if (slot != winner)
            stop(race, slot);
    return MQTT_RACE_WON;
}

/* True if one of them is connected. One that failed starts the next. */
static bool look_at_runners(struct mqtt_race *race, mqtt_time now)
{
    struct mqtt_runner *runner;
    unsigned slot;
    int error;

    for (slot = 0; slot < MQTT_RUNNERS; slot++) {
        runner = &race->runners[slot];
        if (runner->descriptor < 0 || !runner->ready)
            continue;
        runner->ready = false;
        race->winner = slot;
        error = outcome(runner->descriptor);
        if (!error)
            return true;
        if (error == EINPROGRESS)
            continue;
        lose(race, slot, error);
        race->next_at = now;
    }
    return false;
}

void mqtt_race_start(struct mqtt_race *race, mqtt_time now)
{
    unsigned slot;

    for (slot = 0; slot < MQTT_RUNNERS; slot++)
        race->runners[slot] = (struct mqtt_runner){.descriptor = -1};
    race->last_family = AF_UNSPEC;
    race->next_at = now;
    race->deadline = MQTT_NEVER;
    race->refused = NULL;
    race->error = 0;
    race->failed = 0;
}

/* Start whom it is time for; true if one is connected at once. */
static bool start_runners(struct mqtt_race *race, mqtt_time now)
{
    size_t address = 0;
    unsigned slot;
    int error;

    while (next_address(race, &address)) {
        race->deadline = race->next_at;
        if (is_anyone_running(race) && now < race->next_at)
            return false;
        if (!free_slot(race, &slot, now)) {
            race->deadline = race->next_at;
            return false;
        }
        error = run(race, slot, address, now);
        race->next_at = error == EINPROGRESS ? now + next_ms(race) : now;
        race->winner = slot;
        if (!error)
            return true;
    }
    race->deadline = MQTT_NEVER;
    return false;
}

enum mqtt_race_state mqtt_race_advance(struct mqtt_race *race, mqtt_time now)
{
    if (look_at_runners(race, now) || start_runners(race, now))
        return win(race);
    return is_anyone_running(race) ? MQTT_RACE_RUNNING : MQTT_RACE_LOST;
}

void mqtt_race_ready(struct mqtt_race *race, unsigned slot)
{
    race->runners[slot].ready = true;
}

void mqtt_race_close(struct mqtt_race *race)
{
    unsigned slot;

    for (slot = 0; slot < MQTT_RUNNERS; slot++)
        stop(race, slot);
    race->deadline = MQTT_NEVER;
}
