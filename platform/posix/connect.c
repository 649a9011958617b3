#include "connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* [RFC 8305, 8] */
#define NEXT_MS 250
/* When all runners are out, how long the oldest may take before it gives way
 * to an address that was not tried yet. */
#define PATIENCE_MS 5000

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

static int open_socket(const struct mqtt_address *address)
{
    int family = address->name.any.sa_family, on = 1;
    int descriptor =
        socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (descriptor >= 0 && family != AF_UNIX)
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

/* A connect that a signal interrupts goes on by itself [POSIX, connect]. */
static int connect_begin(int descriptor, const struct mqtt_address *address)
{
    if (!connect(descriptor, &address->name.any, address->size))
        return outcome(descriptor);
    return errno == EINTR ? EINPROGRESS : errno;
}

/* The result is that of outcome(). */
static int run(struct mqtt_race *race, unsigned slot, size_t address,
               mqtt_time now)
{
    struct mqtt_runner *runner = &race->runners[slot];
    int error;

    *runner = (struct mqtt_runner){-1, address, now, false};
    race->tried[address] = true;
    race->last_family = race->addresses->list[address].name.any.sa_family;
    runner->descriptor = open_socket(&race->addresses->list[address]);
    if (runner->descriptor < 0)
        error = errno;
    else
        error =
            connect_begin(runner->descriptor, &race->addresses->list[address]);
    if (error == EINPROGRESS)
        mqtt_watches_set(race->watches, slot, runner->descriptor, MQTT_WRITE);
    else if (error)
        lose(race, slot, error);
    return error;
}

/* The families take turns [RFC 8305, 4]. */
static bool next_address(const struct mqtt_race *race, size_t *address)
{
    const struct mqtt_addresses *addresses = race->addresses;
    bool found = false;
    size_t i;

    for (i = 0; i < addresses->count; i++) {
        if (race->tried[i])
            continue;
        if (!found)
            *address = i;
        found = true;
        if (addresses->list[i].name.any.sa_family == race->last_family)
            continue;
        *address = i;
        break;
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
    race->next_at = race->runners[oldest].started_at + PATIENCE_MS;
    if (now < race->next_at)
        return false;
    lose(race, oldest, ETIMEDOUT);
    return true;
}

static enum mqtt_race_state win(struct mqtt_race *race)
{
    unsigned slot, winner = race->winner;

    race->deadline = MQTT_NEVER;
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
    memset(race->tried, 0, sizeof race->tried);
    race->last_family = AF_UNSPEC;
    race->next_at = now;
    race->deadline = MQTT_NEVER;
    race->error = 0;
    race->failed = 0;
}

/* Start whom it is time for; true if one is connected at once. */
static bool start_runners(struct mqtt_race *race, mqtt_time now)
{
    size_t address;
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
        race->next_at = error == EINPROGRESS ? now + NEXT_MS : now;
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
