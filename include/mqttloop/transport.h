/*
 * mqttloop/transport.h - a byte stream that never blocks: TCP, TLS over TCP, a
 * modem, a test script.
 *
 * An implementation puts struct mqtt_transport first in its own struct. All
 * functions return at once. One transport object serves one client.
 */
#ifndef MQTTLOOP_TRANSPORT_H
#define MQTTLOOP_TRANSPORT_H

#include <mqttloop/reactor.h>
#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mqtt_server;
struct mqtt_statistics;
struct mqtt_transport;

/** From recv and send: bytes moved (> 0), or one of these. */
enum {
    MQTT_IO_END = 0,   /**< recv: the peer will send no more */
    MQTT_IO_WAIT = -1, /**< nothing now; readiness will tell */
    MQTT_IO_FAILED = -2
};

enum mqtt_transport_state {
    MQTT_TRANSPORT_OPENING,
    MQTT_TRANSPORT_OPEN,
    MQTT_TRANSPORT_FAILED
};

struct mqtt_transport_ops {
    /** Begin to connect to `server`, which stays valid until close(). How it
     * goes is told by advance(), a failure at once too. */
    void (*open)(struct mqtt_transport *self, const struct mqtt_server *server,
                 mqtt_time now);
    /** Go on connecting, as far as possible; asked in each turn until it
     * answers something else than OPENING. */
    enum mqtt_transport_state (*advance)(struct mqtt_transport *self,
                                         mqtt_time now);
    /** Up to `size` (> 0) bytes. */
    ptrdiff_t (*recv)(struct mqtt_transport *self, void *bytes, size_t size);
    ptrdiff_t (*send)(struct mqtt_transport *self, const void *bytes,
                      size_t size);
    /** Send on what send() and finish() took and the layer below has not yet:
     * asked in each round of the driver after its writing. 0: nothing is left
     * here, MQTT_IO_WAIT, MQTT_IO_FAILED. NULL: send() keeps nothing back. */
    ptrdiff_t (*flush)(struct mqtt_transport *self);
    /** Tell the peer that no more will be sent. */
    void (*finish)(struct mqtt_transport *self);
    /** Give up everything, in whatever state; no effect when closed. */
    void (*close)(struct mqtt_transport *self);
    /** What the driver waits for while open: MQTT_READ, MQTT_WRITE, both, or
     * nothing. The transport waits for what that takes (TLS may have to read
     * in order to write), and for what its own flush() waits for. False: the
     * reactor cannot watch for that; error() tells why, and the driver closes. */
    bool (*want)(struct mqtt_transport *self, unsigned mask);
    /** Slot `slot` of the reactor became ready for `mask`; MQTT_UNWATCHED:
     * watch it once more. Only takes note: the driver's turn follows. */
    void (*ready)(struct mqtt_transport *self, unsigned slot, unsigned mask);
    /** When advance() is needed at the latest, MQTT_NEVER: not. */
    mqtt_time (*deadline)(struct mqtt_transport *self);
    /** After FAILED: MQTT_ERR_NETWORK, MQTT_ERR_NAME, MQTT_ERR_SERVER, or one
     * from MQTT_ERR_TLS on; *detail: words for it, valid until the next open(), or NULL. */
    enum mqtt_error (*error)(struct mqtt_transport *self, const char **detail);
    /** Watch by another reactor from now on; NULL: by none. */
    void (*attach)(struct mqtt_transport *self, struct mqtt_reactor *reactor);
    /** Lend memory to receive into, *size bytes, until give_back(); NULL if
     * there is none, then the client's own is used. Both may be NULL. */
    void *(*lend)(struct mqtt_transport *self, size_t *size);
    void (*give_back)(struct mqtt_transport *self);
    /** Once after each OPEN, if the client has statistics: count in what is
     * to be told of this connection. NULL: nothing. */
    void (*count)(struct mqtt_transport *self,
                  struct mqtt_statistics *statistics);
};

struct mqtt_transport {
    const struct mqtt_transport_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
