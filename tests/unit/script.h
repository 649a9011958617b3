/*
 * script.h - a scripted server in memory and a clock that the test sets.
 *
 * A test reads like the record of a conversation: what the client is asked,
 * which bytes leave, what the server answers, which event comes of it. It
 * drives the client through its public ports alone.
 *
 *     connected(s);
 *     publish(s, "a", "hey", MQTT_QOS_1);
 *     expect_bytes(s, 0x32, 0x08, 0x00, 0x01, 'a', 0x00, 0x01, 'h', 'e', 'y');
 *     server_sends(s, 0x40, 0x02, 0x00, 0x01);
 *     pull(s, MQTT_EVENT_PUBLISHED);
 *
 * script_run() runs each test several times, over different wires: all bytes
 * at once, byte by byte, through memory lent for each read. What is true must
 * be true over each of them.
 *
 * Whatever the client sends is inspected on the way: whole packets of the
 * kinds a client sends, CONNECT first and once, nothing after DISCONNECT.
 *
 * The server speaks the version that CONNECT names: what a test lets it send by
 * server_connack(), _answers(), _suback(), _publishes() are packets of 3.1.1 or
 * of 5.0, there without properties and with reason code 0.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <mqttloop/client.h>

/* How bytes travel between server and client. */
struct wire {
    const char *name;
    size_t chunk;       /* bytes moved at a time; 0: all */
    size_t lent_size;   /* of the memory lent for a read; 0: none */
    bool keep_at_once;  /* the loan ends before anything is pulled */
    bool offer_nothing; /* done(0) before each done(n) */
};

extern const struct wire wire_whole, wire_bytes, wire_lent, wire_kept;

/* A growing row of bytes. */
struct row {
    uint8_t *bytes;
    size_t size, capacity;
};

/* A packet that the client has sent. */
struct packet {
    uint8_t first_byte;
    uint16_t identifier;      /* 0: none */
    struct mqtt_span topic;   /* PUBLISH; may be empty with an alias */
    struct mqtt_span payload; /* PUBLISH */
    uint8_t reason_code;      /* acknowledgements, DISCONNECT, AUTH; else 0 */
    struct mqtt_span properties; /* of 5.0, but for CONNECT */
    const uint8_t *bytes;        /* of all, until the next packet is taken */
    size_t size;
};

struct script {
    struct mqtt_client client;
    struct mqtt_config config;
    struct mqtt_server server;
    struct mqtt_memory memory; /* the sizes are chosen before start() */
    bool with_bits;            /* received_bits; else received_list */
    const struct wire *wire;

    mqtt_time now;
    struct mqtt_event event; /* pulled last */
    mqtt_time retry_at;      /* of the last MQTT_EVENT_DISCONNECTED */
    uint32_t random_bits;    /* what the hook `random` says */
    unsigned random_calls;

    struct row to_client, to_server;
    void *lent;
    bool started, blocked;

    /* of the inspection */
    struct row partial;
    bool seen_connect, seen_disconnect;
    unsigned pings;
    uint8_t level;           /* protocol level of CONNECT; 0: none seen yet */
    uint8_t disconnect_code; /* reason code of DISCONNECT, once it was seen */

    struct packet packet;
    struct row packet_bytes;
};

/* ---- a test and its clients ---------------------------------------------- */

#define script_test(f) cmocka_unit_test(f)

/* Run each test over all wires. */
#define script_run(name, tests)                                                \
    script_run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]))
int script_run_tests(const char *name, const struct CMUnitTest *tests,
                     size_t count);

/* A client that is configured and not yet started: a second one, or one in a
 * test that has no fixture. */
struct script *script_new(const struct wire *wire);
void script_free(struct script *s);

/* Forget client and network and begin again with what is configured. */
void script_restart(struct script *s);

/* Allocate the memory and mqtt_client_init(); returns what that says. */
enum mqtt_error start_as(struct script *s);
/* The same, and it must be good. */
void start(struct script *s);
/* mqtt_connect(), which must be good. */
void wishes_to_connect(struct script *s);
/* The same, and the server accepts the network connection. */
void connects(struct script *s);
/* start() if need be, connects(), CONNECT is sent, a good CONNACK comes. */
void connected(struct script *s);
/* The server closes; MQTT_EVENT_DISCONNECTED is pulled. */
void cut(struct script *s);
/* The time of the next try comes, and the server accepts. */
void reopened(struct script *s);
/* reopened(), and a good CONNACK with this Session Present comes. */
void reconnected(struct script *s, bool session_present);
/* 5.0: the same two, with these bytes as the properties of CONNACK. */
#define connected_with(s, ...)                                                 \
    script_connected(s, (const uint8_t[]){__VA_ARGS__},                        \
                     sizeof((const uint8_t[]){__VA_ARGS__}))
#define reconnected_with(s, session_present, ...)                              \
    script_reconnected(s, session_present, (const uint8_t[]){__VA_ARGS__},     \
                       sizeof((const uint8_t[]){__VA_ARGS__}))

/* ---- time ---------------------------------------------------------------- */

void elapse(struct script *s, mqtt_time ms);
/* The deadline is so many milliseconds from now. */
#define expect_deadline(s, ms) script_deadline(s, ms, __FILE__, __LINE__)
#define expect_no_deadline(s) script_deadline(s, MQTT_NEVER, __FILE__, __LINE__)

/* ---- the network --------------------------------------------------------- */

#define expect_wants(s, want) script_wants(s, want, __FILE__, __LINE__)
void server_accepts(struct script *s);
void server_closes(struct script *s);
/* The driver does what MQTT_WANT_CLOSE asks for. */
void driver_closes(struct script *s);

/* Put bytes on the wire to the client. They are taken as events are pulled. */
#define server_sends(s, ...)                                                   \
    server_sends_span(s, (const uint8_t[]){__VA_ARGS__},                       \
                      sizeof((const uint8_t[]){__VA_ARGS__}))
void server_sends_span(struct script *s, const void *bytes, size_t size);
/* Whether 5.0 is spoken, or will be when CONNECT has left. */
bool speaks_5_0(const struct script *s);
void server_connack(struct script *s, uint8_t flags, uint8_t code);
/* PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70, UNSUBACK 0xB0. */
void server_answers(struct script *s, uint8_t first_byte, uint16_t identifier);
void server_suback(struct script *s, uint16_t identifier, uint8_t code);
/* `first_byte` of PUBLISH; `identifier` is left out when it says QoS 0. */
void server_publishes(struct script *s, uint8_t first_byte, const char *topic,
                      uint16_t identifier, const char *payload);
/* 5.0: the same, with a reason code, or with these bytes as properties. */
void server_answers_with(struct script *s, uint8_t first_byte,
                         uint16_t identifier, uint8_t reason_code);
#define server_connack_with(s, flags, code, ...)                               \
    script_connack(s, flags, code, (const uint8_t[]){__VA_ARGS__},             \
                   sizeof((const uint8_t[]){__VA_ARGS__}))
#define server_publishes_with(s, first_byte, topic, identifier, payload, ...)  \
    script_publish(s, first_byte, topic, identifier, payload,                  \
                   (const uint8_t[]){__VA_ARGS__},                             \
                   sizeof((const uint8_t[]){__VA_ARGS__}))

/* All that the client has sent since last looked at is just that. */
#define expect_bytes(s, ...)                                                   \
    script_sent(s, (const uint8_t[]){__VA_ARGS__},                             \
                sizeof((const uint8_t[]){__VA_ARGS__}), __FILE__, __LINE__)
#define expect_span(s, bytes, size)                                            \
    script_sent(s, bytes, size, __FILE__, __LINE__)
#define expect_nothing_sent(s) script_sent(s, NULL, 0, __FILE__, __LINE__)
/* Take `size` bytes of output and no more, as a slow network does. */
void network_takes(struct script *s, size_t size);
/* Take all output; nobody looks at it. */
void discard_sent(struct script *s);
/* Take the next packet that was sent; NULL: none. */
const struct packet *next_packet(struct script *s);
/* The next packet has this first byte and, unless 0, this identifier. */
#define expect_packet(s, first_byte, identifier)                               \
    script_packet(s, first_byte, identifier, __FILE__, __LINE__)

/* ---- requests and events ------------------------------------------------- */

/* mqtt_publish() of text, which must be accepted; returns the identifier. */
uint16_t publish(struct script *s, const char *topic, const char *payload,
                 enum mqtt_qos qos);
/* The same, and the packet has left. */
uint16_t publish_sent(struct script *s, const char *topic, const char *payload,
                      enum mqtt_qos qos);
/* mqtt_client_publish() of text, whatever it says. */
enum mqtt_error try_publish(struct script *s, const char *topic,
                            const char *payload, enum mqtt_qos qos);
/* 5.0: publish() of text with these bytes as properties. */
#define publish_with(s, topic, payload, qos, ...)                              \
    script_publish_with(s, topic, payload, qos,                                \
                        (const uint8_t[]){__VA_ARGS__},                        \
                        sizeof((const uint8_t[]){__VA_ARGS__}))
/* Subscribe, and have it granted. */
void subscribed(struct script *s, struct mqtt_subscription *subscription);

/* The next event has this type. It lives in s->event, too. */
#define pull(s, type) script_pull(s, type, __FILE__, __LINE__)
#define expect_no_event(s) script_no_event(s, __FILE__, __LINE__)
#define expect_message(s, topic, payload)                                      \
    script_message(s, topic, payload, __FILE__, __LINE__)
#define expect_published(s, identifier, outcome)                               \
    script_published(s, identifier, outcome, __FILE__, __LINE__)
/* The client gives up the connection with this error, and it is closed; in 5.0
 * DISCONNECT may have left before, see disconnect_code. */
#define expect_fatal(s, error) script_fatal(s, error, __FILE__, __LINE__)
/* Take what the network brings; dispatch. Returns the number of events. */
int dispatch(struct script *s);

bool span_is(struct mqtt_span span, const char *text);
/* The number of the first property of this identifier; -1: there is none. */
int64_t number_of(struct mqtt_span properties, uint8_t identifier);
const char *event_name(enum mqtt_event_type type);

/* ---- behind the macros --------------------------------------------------- */

void script_deadline(struct script *s, mqtt_time ms, const char *file,
                     int line);
void script_wants(struct script *s, enum mqtt_want want, const char *file,
                  int line);
void script_sent(struct script *s, const void *bytes, size_t size,
                 const char *file, int line);
const struct packet *script_packet(struct script *s, uint8_t first_byte,
                                   uint16_t identifier, const char *file,
                                   int line);
const struct mqtt_event *script_pull(struct script *s,
                                     enum mqtt_event_type type,
                                     const char *file, int line);
void script_no_event(struct script *s, const char *file, int line);
void script_message(struct script *s, const char *topic, const char *payload,
                    const char *file, int line);
void script_published(struct script *s, uint16_t identifier,
                      enum mqtt_outcome outcome, const char *file, int line);
void script_fatal(struct script *s, enum mqtt_error error, const char *file,
                  int line);
void script_connack(struct script *s, uint8_t flags, uint8_t code,
                    const void *properties, size_t size);
void script_connected(struct script *s, const void *properties, size_t size);
void script_reconnected(struct script *s, bool session_present,
                        const void *properties, size_t size);
void script_publish(struct script *s, uint8_t first_byte, const char *topic,
                    uint16_t identifier, const char *payload,
                    const void *properties, size_t size);
uint16_t script_publish_with(struct script *s, const char *topic,
                             const char *payload, enum mqtt_qos qos,
                             const void *properties, size_t size);
/* Bring one more chunk to the client; false: nothing there, or not taken. */
bool script_feed(struct script *s);
/* Take all output, unless the network is blocked. */
void script_drain(struct script *s);

#endif
