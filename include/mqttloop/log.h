/*
 * mqttloop/log.h - what can be watched: changes of state, and every packet.
 *
 * Both hooks are called from inside the client. They may call nothing of it
 * back. Without a hook nothing is computed for it.
 */
#ifndef MQTTLOOP_LOG_H
#define MQTTLOOP_LOG_H

#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a client waits for, in the order of a life. */
enum mqtt_client_state {
    MQTT_CLIENT_STOPPED,       /**< for mqtt_connect() */
    MQTT_CLIENT_AWAIT_RETRY,   /**< for the moment of the next try */
    MQTT_CLIENT_AWAIT_OPEN,    /**< for the network connection */
    MQTT_CLIENT_AWAIT_CONNACK, /**< for the server's answer to CONNECT */
    MQTT_CLIENT_CONNECTED,     /**< for messages */
    MQTT_CLIENT_AWAIT_END,     /**< for the server's end, after DISCONNECT */
    MQTT_CLIENT_AWAIT_CLOSE    /**< for the driver to close the connection */
};

/** A constant name such as "AWAIT_CONNACK"; never NULL. */
const char *mqtt_client_state_text(enum mqtt_client_state state);

/** One change of state. Borrowed for the call. */
struct mqtt_log {
    mqtt_time at;
    enum mqtt_client_state from, to;
    enum mqtt_error error; /**< why, or MQTT_OK */
};

/**
 * One packet, sent or received, decoded. Borrowed for the call. User name,
 * password, will and payload have no member here, so that no log can give
 * them away.
 */
struct mqtt_trace {
    mqtt_time at;
    bool sent;          /**< else received */
    uint8_t first_byte; /**< packet type and flags [3.1.1, 2.2] */
    uint8_t code; /**< CONNACK, first of SUBACK; CONNECT's flags; in 5.0 the
                     reason code of all others, first of UNSUBACK */
    bool session_present;       /**< CONNACK */
    uint16_t packet_identifier; /**< 0: the packet carries none */
    uint32_t size;              /**< of the whole packet in bytes */
    /**
     * PUBLISH: the topic name; SUBSCRIBE and UNSUBSCRIBE: the first topic
     * filter; CONNECT: the client identifier. At most the first 64 bytes.
     */
    struct mqtt_span text;
};

/** What the library has to do with a trace, named by the configuration beside
 * its hook: a program that names it not has none of it. */
extern const struct mqtt_trace_seam mqtt_trace_seam;

/**
 * Write one line about a packet, such as `> PUBLISH q1 id 7 "a/b" 21 bytes`,
 * to `out`, at most `size` bytes with its final NUL (0: nothing). Bytes that
 * are not printable ASCII become '?'. Returns the length without NUL.
 */
size_t mqtt_trace_format(const struct mqtt_trace *trace, char *out,
                         size_t size);

#ifdef __cplusplus
}
#endif

#endif
