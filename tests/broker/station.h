/*
 * station.h - a client under test with all that it was told, and the ways of
 * driving it. Each test runs under each driving.
 *
 *     struct station *s = station_new(driving, broker.port);
 *     mqtt_connect(s->client);
 *     wait_for(s, s->connected == 1);
 */
#ifndef STATION_H
#define STATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <mqttloop/mqttloop.h>

#include "process.h"

/* A condition has so long to become true. */
#define PATIENCE_MS 10000

struct station;

/* Who moves the bytes. */
struct driving {
    const char *name;
    void (*begin)(struct station *s);
    /* Let happen what happens within some milliseconds. */
    void (*turn)(struct station *s, int timeout_ms);
    void (*end)(struct station *s);
};

extern const struct driving driving_loop;
#ifdef WITH_LIBEV
extern const struct driving driving_libev;
#endif

/* A message that came. */
struct letter {
    char topic[64];
    char *payload; /* NUL-terminated */
    size_t size;
    enum mqtt_qos qos;
    bool retain, dup;
};

struct station {
    struct mqtt_client *client;
    const struct driving *driving;
    void *adapter; /* of the driving */

    /* to be changed between station_draft() and station_open() */
    struct mqtt_config config;
    struct mqtt_sizes sizes;
    struct mqtt_server server;
    char address[96], identifier[32];

    /* what it was told */
    unsigned connected, disconnected, subscribed, unsubscribed, room;
    unsigned acknowledged, lost, too_large;
    bool session_present;
    struct mqtt_event last; /* the last one but messages */
    char detail[128];
    struct letter *letters;
    size_t letter_count;
    struct mqtt_subscription subscription;
};

/* Configured for a server on a port of loopback, not yet made. */
struct station *station_draft(const struct driving *driving, uint16_t port);
/* Make the client. */
void station_open(struct station *s);
/* Both, and connect, and wait until connected. */
struct station *station_new(const struct driving *driving, uint16_t port);
void station_free(struct station *s);

void station_connect(struct station *s);
/* After all acknowledgements; wait for the end. */
void station_disconnect(struct station *s);
/* Subscribe and wait for the answer. */
void station_subscribe(struct station *s, const char *filter,
                       enum mqtt_qos qos);
void station_publish(struct station *s, const char *topic, const char *payload,
                     enum mqtt_qos qos, bool retain);
/* The last letter; there must be one. */
const struct letter *station_last(const struct station *s);

/* Take turns until `condition` holds; fails after PATIENCE_MS. */
#define wait_for(s, condition)                                                 \
    do {                                                                       \
        uint64_t until_ = milliseconds() + PATIENCE_MS;                        \
        while (!(condition)) {                                                 \
            if (milliseconds() > until_)                                       \
                fail_msg("waited in vain for: %s", #condition);                \
            (s)->driving->turn(s, 20);                                         \
        }                                                                      \
    } while (0)

/* The same for two that depend on each other. */
#define wait_for_both(s, t, condition)                                         \
    do {                                                                       \
        uint64_t until_ = milliseconds() + PATIENCE_MS;                        \
        while (!(condition)) {                                                 \
            if (milliseconds() > until_)                                       \
                fail_msg("waited in vain for: %s", #condition);                \
            (s)->driving->turn(s, 1);                                          \
            (t)->driving->turn(t, 1);                                          \
        }                                                                      \
    } while (0)

/* Run each test under each driving; *state is the const struct driving. */
#define station_run(name, tests, begin, end)                                   \
    station_run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]), begin,  \
                      end)
int station_run_tests(const char *name, const struct CMUnitTest *tests,
                      size_t count, CMFixtureFunction begin,
                      CMFixtureFunction end);

#endif
