/*
 * station.h - a client under test with all that it was told, and the ways in
 * which a test is run: who drives the client, and which version it speaks. Each
 * test runs in each way; *state says in which one now.
 *
 *     struct station *s = station_new(*state, broker.port);
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
    /* No loop any more; the client may be gone. */
    void (*end)(struct station *s);
    /* The main loop, until stop(), which is called from inside of it. */
    void (*run)(struct station *s);
    void (*stop)(struct station *s);
};

extern const struct driving driving_loop;
#ifdef WITH_LIBEV
extern const struct driving driving_libev;
#endif
/* All that this program is run under; ends with NULL. */
#define MOST_DRIVINGS 8
extern const struct driving *const drivings[];
size_t driving_count(void);

/* What a test is run under. */
struct way {
    const struct driving *driving;
    const char *version;
    const struct mqtt_protocol *protocol;
};

/* Whether *state, or the way of a station, is of 5.0. */
bool speaks_5_0(const struct way *way);

/* A message that came. */
struct letter {
    char topic[64];
    char *payload; /* NUL-terminated */
    size_t size;
    enum mqtt_qos qos;
    bool retain, dup;
    struct mqtt_span properties;
    uint32_t settle_handle, payload_offset, payload_size;
};

struct station {
    struct mqtt_client *client;
    struct way way;
    const struct driving *driving; /* that of the way */
    void *adapter;                 /* of the driving */
    bool stopped;                  /* of a driving that has no loop */

    /* to be changed between station_draft() and station_open() */
    struct mqtt_config config;
    struct mqtt_sizes sizes;
    struct mqtt_proxy proxy;
    bool wakeable;
    /* Called at the end of each event. */
    void (*inside)(struct station *s, const struct mqtt_event *event);
    struct mqtt_server server;
    char address[96], identifier[32];

    /* what it was told */
    unsigned connected, disconnected, subscribed, unsubscribed, room;
    unsigned acknowledged, lost, forbidden, too_large;
    unsigned refused, server_disconnects, woken;
    bool session_present;
    uint8_t published_code; /* the last reason code of each */
    uint8_t server_disconnect_code;
    enum mqtt_error first_error; /* of the first MQTT_EVENT_DISCONNECTED */
    enum mqtt_outcome outcome;
    struct mqtt_event last; /* the last one but messages */
    char detail[128];
    struct letter *letters;
    size_t letter_count;
    struct mqtt_subscription subscription;
};

/* Configured for a server on a port of loopback, not yet made. */
struct station *station_draft(const struct way *way, uint16_t port);
/* Make the client. */
void station_open(struct station *s);
/* Both, and connect, and wait until connected. */
struct station *station_new(const struct way *way, uint16_t port);
void station_free(struct station *s);

void station_connect(struct station *s);
/* After all acknowledgements; wait for the end. */
void station_disconnect(struct station *s);
/* Subscribe and wait for the answer. */
void station_subscribe(struct station *s, const char *filter,
                       enum mqtt_qos qos);
void station_publish(struct station *s, const char *topic, const char *payload,
                     enum mqtt_qos qos, bool retain);
/* With properties; 5.0. */
void station_publish_with(struct station *s, const char *topic,
                          const char *payload, enum mqtt_qos qos, bool retain,
                          struct mqtt_span properties);
/* Two round trips: what had been sent to it before has come, and what it owed
 * the server for that has arrived. */
void finish_exchanges(struct station *s);
/* The last letter; there must be one. */
const struct letter *station_last(const struct station *s);
/* Properties of a letter: the text of the first one of this identifier, equal
 * to `text`; its number, which must be there. */
bool letter_says(const struct letter *letter, uint8_t identifier,
                 const char *text);
uint32_t letter_number(const struct letter *letter, uint8_t identifier);

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

/* A test of one driving only. */
#define only_under(test, driving)                                              \
    cmocka_unit_test_prestate(test, (void *)(uintptr_t) & (driving))

struct station_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    CMFixtureFunction begin, end;
};

/* Run each test in each way, or in those only that the program's arguments
 * name: a version, and a driving. Drivings run side by side, in processes of
 * their own. */
#define station_run(argc, argv, name, tests, begin, end)                       \
    station_run_group(                                                         \
        (argc) > 1 ? (argv)[1] : NULL, (argc) > 2 ? (argv)[2] : NULL,          \
        &(struct station_group){                                               \
            name, tests, sizeof(tests) / sizeof((tests)[0]), begin, end})
/* The same, for what only 5.0 has. */
#define station_run_5_0(argc, argv, name, tests, begin, end)                   \
    station_run_group(                                                         \
        "5.0", (argc) > 2 ? (argv)[2] : NULL,                                  \
        &(struct station_group){                                               \
            name, tests, sizeof(tests) / sizeof((tests)[0]), begin, end})
/* NULL: all of them. */
int station_run_group(const char *version, const char *driving,
                      const struct station_group *group);

#endif
