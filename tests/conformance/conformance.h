/*
 * conformance.h - tests that name the statements of the standards they prove.
 *
 *     static const struct conformance_test tests[] = {
 *         proves(test_connect_is_the_first_packet,
 *                "3.1.1 MQTT-3.1.0-1", "5.0 MQTT-3.1.0-1"),
 *     };
 *
 * A test runs in each version of MQTT of which it names a statement, and there
 * over each wire of script.h; its cases are "test_x [5.0, whole]". A statement
 * is proved by a test if the test would fail were the statement broken, in its
 * version. The statements stand in statements.tsv; tools/conformance asks each
 * program which of them it proves (--statements) and compares.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "../unit/script.h"

struct conformance_test {
    const char *name;
    CMUnitTestFunction test;
    bool once;                     /* over one wire only */
    const char *const *statements; /* "version number"; ends with NULL */
};

/* clang-format off */
#define proves(test, ...)                                                      \
    {#test, test, false, (const char *const[]){__VA_ARGS__, NULL}}
/* For a test in which the server sends nothing, or which cuts the bytes itself:
 * other wires would tell no more. */
#define proves_once(test, ...)                                                 \
    {#test, test, true, (const char *const[]){__VA_ARGS__, NULL}}
/* For a test that proves no statement by itself: the versions to run it in. */
#define also_in(test, ...) proves_once(test, __VA_ARGS__)
/* clang-format on */

/* The end of main(). */
#define conformance_run(argc, argv, name, tests)                               \
    conformance_run_tests(argc, argv, name, tests,                             \
                          sizeof(tests) / sizeof((tests)[0]))
int conformance_run_tests(int argc, char **argv, const char *name,
                          const struct conformance_test *tests, size_t count);

/* A client in the version in which this test runs now. */
struct script *conformance_script(const struct wire *wire);

/* ---- what the client has sent -------------------------------------------- */

/* A CONNECT, field by field; `data` of what is absent is NULL. */
struct sent_connect {
    struct mqtt_span protocol_name;
    uint8_t level, flags;
    uint16_t keep_alive;
    struct mqtt_span properties; /* 5.0 */
    struct mqtt_span client_identifier;
    struct mqtt_span will_properties; /* 5.0 */
    struct mqtt_span will_topic, will_payload;
    struct mqtt_span user_name, password;
};

/* The next packet is CONNECT; its flags account for every byte of it. Valid
 * until the next packet is taken. */
struct sent_connect take_connect(struct script *s);

bool same_span(struct mqtt_span a, struct mqtt_span b);

/* ---- what a server may not send ------------------------------------------ */

/* What came makes no event: the connection ends, with this error; in 5.0 after
 * DISCONNECT with the reason code that the standard has for it. */
#define expect_violation(s, error)                                             \
    conformance_violation(s, error, __FILE__, __LINE__)
void conformance_violation(struct script *s, enum mqtt_error error,
                           const char *file, int line);
/* The same, and in 5.0 DISCONNECT with this reason code has left before, in
 * 3.1.1 none. */
#define expect_violation_told(s, error, code)                                  \
    conformance_violation_told(s, error, code, __FILE__, __LINE__)
void conformance_violation_told(struct script *s, enum mqtt_error error,
                                uint8_t code, const char *file, int line);

/* ---- 5.0 ----------------------------------------------------------------- */

/* A span of these bytes. */
#define bytes_of(...)                                                          \
    ((struct mqtt_span){(const uint8_t[]){__VA_ARGS__},                        \
                        sizeof((const uint8_t[]){__VA_ARGS__})})

/* ---- text ---------------------------------------------------------------- */

/* Bytes, and whether they are a string as the standards define it. */
struct text {
    struct mqtt_span bytes;
    bool good;
};
/* Ends with absent bytes. None has a character that a topic name forbids. */
extern const struct text texts[];

#endif
