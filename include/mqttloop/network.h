/*
 * mqttloop/network.h - the way to a server: what its address may say, byte
 * streams that lie over other byte streams, and options of sockets.
 *
 * A server's address is read by each layer that needs a part of it: the socket
 * its host and port, TLS its host, WebSocket its host and path. Where layers
 * are chosen by the address (mqtt_client_new()), it is the scheme that chooses:
 *
 *     mqtt://host[:1883]         TCP
 *     mqtts://host[:8883]        TLS over TCP
 *     ws://host[:80][/path]      WebSocket over TCP
 *     wss://host[:443][/path]    WebSocket over TLS over TCP
 *     unix:/path                 a unix socket
 *     host, 192.0.2.1, ::1       TCP, port apart
 *
 * and a proxy, if there is one, lies between TCP and the next.
 */
#ifndef MQTTLOOP_NETWORK_H
#define MQTTLOOP_NETWORK_H

#include <mqttloop/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mqtt_server;

/* ---- addresses ----------------------------------------------------------- */

enum mqtt_scheme {
    MQTT_SCHEME_NONE, /**< a host name or an address alone */
    MQTT_SCHEME_MQTT,
    MQTT_SCHEME_MQTTS,
    MQTT_SCHEME_WS,
    MQTT_SCHEME_WSS,
    MQTT_SCHEME_UNIX
};

/** The parts of an address. Spans point into the text that was read; what is
 * absent has a NULL `data`. */
struct mqtt_url {
    enum mqtt_scheme scheme;
    struct mqtt_span host; /**< without brackets; absent for a unix socket */
    /** That of the URL, else that of the server, else that of the scheme; 1883
     * without one, 0 for a unix socket. */
    uint16_t port;
    /** With its query, as it stands in the URL: from '/' on, for WebSocket
     * absent if the URL has none; for a unix socket the file's name. */
    struct mqtt_span path;
    /** Before '@', as they stand there, escapes (%40) not yet undone. */
    struct mqtt_span user_name, password;
};

/**
 * Take an address apart. MQTT_OK, or MQTT_ERR_SERVER: a scheme that is not
 * known, no host, a port that is no number of 1 to 65,535, a path where there
 * is none (mqtt, mqtts), a space or a control character, an IPv6 address
 * without brackets beside a port; *out is then not defined.
 */
enum mqtt_error mqtt_url_read(const struct mqtt_server *server,
                              struct mqtt_url *out);

/** Undo the escapes of a URL's part: %40 becomes '@'. Bytes written to `out`,
 * at most text.size; -1: '%' without two hexadecimal digits. `out` may be
 * text.data. */
ptrdiff_t mqtt_url_unescape(struct mqtt_span text, char *out);

/* ---- layers -------------------------------------------------------------- */

/**
 * A transport over another one: TLS, WebSocket, a proxy. It passes open() on to
 * `below` with the server it is given (a proxy with another one), goes on when
 * that is open, and says OPEN when it has itself come to an end with its peer.
 * What it does not do itself it passes down: attach, ready, deadline, want,
 * lend, and the error and state of what failed below.
 */
struct mqtt_layer {
    struct mqtt_transport transport; /**< what lies above uses this */
    /** May be changed while closed. */
    struct mqtt_transport *below;
};

/**
 * Something that makes layers, one for each client: mqtt_openssl_new(),
 * mqtt_websocket. It holds what clients share (certificates, headers), and must
 * outlive them.
 */
struct mqtt_layer_kind {
    /** Bytes that init() needs, aligned as malloc does. */
    size_t (*size)(const struct mqtt_layer_kind *self);
    /** Make a closed layer in `memory`, not yet over anything; NULL: the
     * machine has no memory. */
    struct mqtt_layer *(*init)(const struct mqtt_layer_kind *self,
                               void *memory);
    /** Close it, and free what it holds besides `memory`. What lies below must
     * still be there. */
    void (*end)(struct mqtt_layer *layer);
};

/* ---- proxies ------------------------------------------------------------- */

enum mqtt_proxy_protocol {
    MQTT_PROXY_NONE,
    MQTT_PROXY_SOCKS5,      /**< [RFC 1928]; names are resolved by the proxy */
    MQTT_PROXY_HTTP_CONNECT /**< [RFC 9110, section 9.3.6] */
};

/** A proxy for all servers but unix sockets. */
struct mqtt_proxy {
    enum mqtt_proxy_protocol protocol;
    const char *address; /**< a host name, an IPv4 or IPv6 address */
    uint16_t port;       /**< 0: 1080 for SOCKS5, 8080 for HTTP */
    /** NULL: none. SOCKS5: at most 255 bytes each [RFC 1929]; HTTP: basic
     * [RFC 7617], a user name without ':'. */
    const char *user_name, *password;
};

/* ---- sockets ------------------------------------------------------------- */

enum mqtt_family {
    MQTT_FAMILY_ANY, /**< IPv6 first [RFC 8305], unless IPv4 worked last */
    MQTT_FAMILY_IPV4_FIRST,
    MQTT_FAMILY_IPV4_ONLY,
    MQTT_FAMILY_IPV6_ONLY
};

/**
 * All zero: as the system has it, and TCP_NODELAY. What the machine refuses
 * fails the connection with MQTT_ERR_NETWORK, and words that say which. For a
 * unix socket only the sizes count.
 *
 * Names go to addresses and those to a connection by Happy Eyeballs [RFC 8305]:
 * the families take turns, the next address starts when one fails or after 250
 * ms, four race. The address that worked last is the first, and where it is
 * tried, too, when name servers do not answer. At most 64 addresses of a name
 * are tried; with many dead ones among them they start sooner (100 ms apart at
 * least), so that each has its time within 4/5 of mqtt_config.open_timeout_ms
 * if that is 8 s or more. An answer of a name server above 4,096 bytes is not
 * read.
 */
struct mqtt_socket_options {
    const char *interface_name; /**< NULL, or e.g. "eth1"; Linux wants rights */
    const char *source_address; /**< NULL, or an IPv4 or IPv6 address: the other
                                   family is then not tried */
    /** TCP keep alive: after so many seconds of silence, then so often, so many
     * times; 0, 0, 0: none. */
    uint16_t keep_alive_idle_s, keep_alive_interval_s, keep_alive_count;
    uint32_t user_timeout_ms; /**< TCP_USER_TIMEOUT [RFC 5482]; 0: none */
    bool nagle;               /**< no TCP_NODELAY */
    uint32_t send_buffer_size, receive_buffer_size; /**< bytes; 0: system's */
    enum mqtt_family family;
    /** Ask for SRV records [RFC 2782] of a host name whose port is not given
     * ("_mqtt._tcp.", with TLS "_secure-mqtt._tcp."; not for WebSocket); without
     * any, or no answer in 3 s, the name itself. Of 64 records 16 targets at
     * most are looked up. "." as the only target is MQTT_ERR_NAME. */
    bool srv;
    /** "address[:port],..." instead of the system's name servers; NULL. The
     * first three are asked. */
    const char *name_servers;
};

#ifdef __cplusplus
}
#endif

#endif
