/*
 * mqttloop/posix.h - a client for POSIX hosts, ready to run: TCP over IPv4 and
 * IPv6 and unix sockets, names through c-ares, and a poll(2) reactor behind
 * mqtt_loop().
 */
#ifndef MQTTLOOP_POSIX_H
#define MQTTLOOP_POSIX_H

#include <mqttloop/client.h>
#include <mqttloop/drive.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How much memory a client gets. Zero means the default. What is not used is
 * not touched, so that it takes address space only. */
struct mqtt_sizes {
    size_t outbox;    /**< 262,144 bytes */
    size_t slots;     /**< 4,096; a power of two */
    size_t control;   /**< 4,096 bytes, more if CONNECT needs more */
    size_t input;     /**< 65,536 bytes: the largest message received whole */
    size_t unsettled; /**< with MQTT_SETTLE_BY_CALL, or a store: 256 messages,
                         and PUBRELs that wait for a commit */
    size_t aliases;   /**< 5.0: topic names each way: 16; incoming ones have
                         256 bytes each, all together */
};

/**
 * Make a client with transport and reactor, in one allocation. `config` is
 * copied, all its text included; what stays the caller's are the subscriptions,
 * `statistics`, `context`. Where it is zero, and only here: protocol is
 * mqtt_protocol_3_1_1; random is getrandom(2); servers is localhost.
 * `sizes` may be NULL: all default.
 *
 * NULL on failure, and *error (if not NULL) is what mqtt_client_init() says,
 * or MQTT_ERR_MEMORY when the machine has none.
 */
struct mqtt_client *mqtt_client_new(const struct mqtt_config *config,
                                    const struct mqtt_sizes *sizes,
                                    enum mqtt_error *error);

/** Close the connection at once and free the client; also from a callback.
 * See mqtt_client_destroy(). NULL is fine. Detach adapters after. */
void mqtt_client_free(struct mqtt_client *client);

/** Milliseconds of the monotonic clock; the clock of the poll reactor. */
mqtt_time mqtt_posix_now(void);

/* ---- the parts, for those who put them together themselves --------------- */

/** A reactor over poll(2), for mqtt_loop(). Members are private. */
struct mqtt_poll {
    struct mqtt_reactor reactor;
    struct mqtt_drive *drive_;
    int descriptors_[MQTT_REACTOR_SLOTS];
    unsigned masks_[MQTT_REACTOR_SLOTS];
    mqtt_time alarm_;
};

/** `drive` must be the one that the reactor is then attached to. */
void mqtt_poll_init(struct mqtt_poll *poll, struct mqtt_drive *drive);

struct mqtt_socket;

/** Bytes that mqtt_socket_init() needs, aligned as malloc does. */
size_t mqtt_socket_size(void);
/**
 * A transport over sockets, made in `memory`. Addresses: see struct
 * mqtt_server. Descriptors are close-on-exec and non-blocking, TCP_NODELAY is
 * on, no SIGPIPE is raised. The system's resolver configuration is read anew
 * for each look-up.
 */
struct mqtt_transport *mqtt_socket_init(void *memory);
/** Close, and free what c-ares allocated. The memory is the caller's again. */
void mqtt_socket_end(struct mqtt_transport *transport);

#ifdef __cplusplus
}
#endif

#endif
