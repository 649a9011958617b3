/*
 * mqttloop/posix.h - a client for POSIX hosts, ready to run: TCP over IPv4 and
 * IPv6 and unix sockets, names through c-ares, proxies, TLS and WebSocket where
 * they are given, and a poll(2) reactor behind mqtt_loop().
 */
#ifndef MQTTLOOP_POSIX_H
#define MQTTLOOP_POSIX_H

#include <mqttloop/client.h>
#include <mqttloop/drive.h>
#include <mqttloop/network.h>

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

/** What a client has beside its configuration. All zero: TCP and unix sockets,
 * default sizes. */
struct mqtt_host {
    struct mqtt_sizes sizes;
    struct mqtt_socket_options socket;
    struct mqtt_proxy proxy;
    /** What mqtts:// and wss:// need: mqtt_openssl_new(), see openssl.h; and
     * ws:// and wss://: &mqtt_websocket, see websocket.h. NULL: a server whose
     * URL asks for it is MQTT_ERR_SERVER. Must outlive the client. */
    const struct mqtt_layer_kind *tls, *websocket;
    /** mqtt_wake() is going to be used; it costs a descriptor, which is
     * watched as long as the client exists: a main loop that ends when it
     * watches nothing does not end by itself any more. */
    bool wakeable;
};

/**
 * Make a client with transport and reactor, in one allocation. `config` and
 * `host` are copied, all their text included; what stays the caller's are the
 * subscriptions, `statistics`, `context`, the store, and layer kinds. Where it
 * is zero, and only here: protocol is mqtt_protocol_3_1_1; random is
 * getrandom(2); servers is localhost. User name and password are those of the
 * first server's URL, if it has some and `config.connect` has none; other
 * servers' URLs may have none, or the same.
 *
 * `host` may be NULL: all zero.
 *
 * NULL on failure, and *error (if not NULL) is what mqtt_client_init() says;
 * MQTT_ERR_MEMORY when the machine has none; MQTT_ERR_SYSTEM when it has no
 * descriptor for mqtt_wake(); MQTT_ERR_SERVER when a server's URL cannot be
 * read, or asks for a layer that `host` does not have.
 */
struct mqtt_client *mqtt_client_new(const struct mqtt_config *config,
                                    const struct mqtt_host *host,
                                    enum mqtt_error *error);

/**
 * One descriptor for all that the client waits for, its deadlines too: readable
 * when mqtt_loop(client, 0) has something to do, as long as it has. Made on
 * first call, the same over all connections until mqtt_client_free(), which
 * closes it; not to be read from. The client stays with mqtt_loop(), which
 * waits with it, too. For main loops without an adapter: epoll, select, a
 * game's loop.
 *
 * A deadline that was put off is looked at when it would have come, so there is
 * at times a turn for nothing, one for each such deadline. While an adapter
 * drives the client, the descriptor is quiet.
 *
 * MQTT_ERR_SYSTEM: the machine has no descriptor left (it takes two), or no
 * epoll(7); MQTT_ERR_ATTACHED: an adapter drives the client, and no descriptor
 * was made before.
 */
int mqtt_client_fd(struct mqtt_client *client);

/**
 * Make the client's loop take a turn, in which MQTT_EVENT_WOKEN comes, once for
 * all calls since the last one. The one function that may be called from
 * another thread or from a signal handler, while the client exists; errno is
 * kept. MQTT_ERR_STATE: the client is not wakeable, see struct mqtt_host.
 */
enum mqtt_error mqtt_wake(struct mqtt_client *client);

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
 * A transport over sockets, made in `memory`. It reads host, port and file of
 * struct mqtt_server; the rest of a URL is for layers above: without a TLS layer
 * mqtts:// is plain TCP here (mqtt_client_new() refuses it). Descriptors are close-on-exec and non-blocking, TCP_NODELAY is
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
