/*
 * mqttloop/types.h - time, bytes, messages, errors: the words of all headers.
 *
 * "3.1.1" and "5.0" name the two versions of the OASIS standard MQTT; numbers
 * like [3.1.1 MQTT-2.3.1-1] name a statement in one of them.
 */
#ifndef MQTTLOOP_TYPES_H
#define MQTTLOOP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Milliseconds on any clock that never goes back; the origin is free. */
typedef uint64_t mqtt_time;
/** A moment that never comes; a deadline of MQTT_NEVER is no deadline. */
#define MQTT_NEVER UINT64_MAX

/**
 * Bytes that belong to somebody else, `size` of them. Text is UTF-8 and not
 * NUL-terminated. Where a field may be absent, `data` is NULL for absent; an
 * empty field that is present has a `data` that is not NULL and a `size` of 0.
 */
struct mqtt_span {
    const void *data;
    size_t size;
};

/* clang-format off */
/** Initialises a struct mqtt_span with a string literal. */
#define MQTT_TEXT(literal) { (literal), sizeof(literal) - 1 }
/* clang-format on */

/** The span of a NUL-terminated string; absent if `text` is NULL. */
static inline struct mqtt_span mqtt_text(const char *text)
{
    struct mqtt_span span = {text, 0};

    while (text && text[span.size])
        span.size++;
    return span;
}

/** Quality of Service [3.1.1, section 4.3]. */
enum mqtt_qos {
    MQTT_QOS_0, /**< at most once */
    MQTT_QOS_1, /**< at least once */
    MQTT_QOS_2  /**< exactly once */
};

/**
 * An Application Message: to publish, received, or left as the will.
 *
 * topic_name  1 to 65,535 bytes of UTF-8 without U+0000 and without '+', '#'.
 * payload     0 to 268,435,455 bytes less the topic name and 4; any content.
 * properties  5.0 only: see properties.h; none if `size` is 0. To be published:
 *             all of [5.0, section 3.3.2.3] but Topic Alias, which the client
 *             sees to, and Subscription Identifier. As the will: those of
 *             [5.0, section 3.1.3.2].
 *
 * The others are those of received messages; what is published has them
 * ignored:
 * dup             the server says it may have been sent before.
 * settle_handle   for mqtt_settle(); 0: there is nothing to settle.
 * payload_offset  where the payload stands, of
 * payload_size    bytes in all: 0 and payload.size, but for parts (stream.h).
 *
 * The spans of a received message are borrowed: they live until its callback
 * returns, or until the next event is pulled.
 */
struct mqtt_message {
    struct mqtt_span topic_name;
    struct mqtt_span payload;
    enum mqtt_qos qos;
    bool retain;
    bool dup;
    struct mqtt_span properties;
    uint32_t settle_handle;
    uint32_t payload_offset, payload_size;
};

/** A keep alive of 0 on the wire: no PINGREQ, a dead link stays unnoticed. */
#define MQTT_KEEP_ALIVE_OFF UINT32_MAX

/** A session that never ends, and one that ends with its connection. */
#define MQTT_SESSION_EXPIRY_NEVER UINT32_MAX
#define MQTT_SESSION_EXPIRY_AT_ONCE (UINT32_MAX - 1)

/**
 * The content of CONNECT [3.1.1, section 3.1], [5.0, section 3.1]. All zero is
 * valid: a session that lasts needs a client identifier (in 5.0 the server may
 * assign one), a clean start does not.
 */
struct mqtt_connect_options {
    /** UTF-8, at most 65,535 bytes; may be empty with clean_start. */
    struct mqtt_span client_identifier;
    /** UTF-8; absent, or present, even if empty. */
    struct mqtt_span user_name;
    /** Bytes; absent or present; in 3.1.1 only with a user name
     * [3.1.1 MQTT-3.1.2-22]. */
    struct mqtt_span password;
    /** What the server publishes if we vanish; NULL: nothing. Its payload has
     * at most 65,535 bytes. */
    const struct mqtt_message *will;
    /** Seconds, 1 to 65,535; 0: 60; or MQTT_KEEP_ALIVE_OFF. */
    uint32_t keep_alive_s;
    /** Forget, on both sides, what was before. In 3.1.1 the session also ends
     * with the connection, and so it does in 5.0 unless session_expiry_s says
     * otherwise; then only the first connection after mqtt_connect() asks for
     * a clean start. */
    bool clean_start;

    /* 5.0 only: */

    /** Seconds that the session lasts after its connection; 0: with a clean
     * start none, otherwise it never ends, as in 3.1.1. Or
     * MQTT_SESSION_EXPIRY_NEVER, _AT_ONCE. */
    uint32_t session_expiry_s;
    /** Receive Maximum: QoS 1 and 2 messages that may be open at once; 0: as
     * many as the lent memory takes. */
    uint16_t receive_maximum;
    /** Maximum Packet Size, in bytes; 0: the input memory's, or none with
     * mqtt_config.large. */
    uint32_t maximum_packet_size;
    /** More: Request Response Information, Request Problem Information, User
     * Property, Authentication Method and Data. */
    struct mqtt_span properties;
};

/**
 * What went wrong on this side. What the server said is a reason code and
 * travels in events; the two are never mixed. mqtt_error_text() has a sentence
 * for each.
 *
 * Refused (-1 to -63): the call changed nothing at all.
 * Fatal (-64 and below): this network connection is over. It is reported by
 * MQTT_EVENT_DISCONNECTED; the client reconnects by itself.
 */
enum mqtt_error {
    MQTT_OK = 0,

    /* Refused. */
    MQTT_ERR_ARGUMENT = -1,     /**< NULL or senseless argument */
    MQTT_ERR_STATE = -2,        /**< not in this state of the client */
    MQTT_ERR_NO_ROOM = -3,      /**< outbox full: an event tells when not */
    MQTT_ERR_OFFLINE = -4,      /**< QoS 0 while there is no connection */
    MQTT_ERR_TOPIC_NAME = -5,   /**< empty, too long, wildcard, not UTF-8 */
    MQTT_ERR_TOPIC_FILTER = -6, /**< empty, too long, misplaced wildcard */
    MQTT_ERR_QOS = -7,          /**< not 0, 1 or 2 */
    MQTT_ERR_TOO_LARGE = -8,    /**< fits into no packet, or never in here */
    MQTT_ERR_CLIENT_IDENTIFIER =
        -9,                     /**< empty without clean start, not UTF-8 */
    MQTT_ERR_USER_NAME = -10,   /**< not UTF-8, too long, or missing */
    MQTT_ERR_PASSWORD = -11,    /**< longer than 65,535 bytes */
    MQTT_ERR_WILL = -12,        /**< topic name, QoS or payload of the will */
    MQTT_ERR_SERVER = -13,      /**< no server, or not an address */
    MQTT_ERR_MEMORY = -14,      /**< lent memory too small or malformed */
    MQTT_ERR_VERSION = -15,     /**< header and library do not fit */
    MQTT_ERR_INTERRUPTED = -16, /**< a signal came while waiting */
    MQTT_ERR_REENTERED = -17,   /**< mqtt_loop() inside a callback */
    MQTT_ERR_ATTACHED = -18,    /**< driven by another reactor, or by none */
    MQTT_ERR_DESTROYED = -19,   /**< a callback destroyed the client */
    MQTT_ERR_SYSTEM = -20,      /**< the machine refused: waiting failed */
    MQTT_ERR_PROPERTY = -21,    /**< malformed, misplaced, repeated */
    MQTT_ERR_PROTOCOL_VERSION = -22, /**< this version has no such thing */
    MQTT_ERR_REASON_CODE = -23,      /**< none that may be sent there */
    MQTT_ERR_HANDLE = -24,           /**< settled already, or of another time */
    MQTT_ERR_PAYLOAD_FORMAT = -25,   /**< said to be UTF-8 and is not */
    MQTT_ERR_SUBSCRIPTION = -26,     /**< options that exclude each other */
    MQTT_ERR_TLS_OPTIONS = -27,      /**< certificate, key, cipher, ... */

    /* Refused: limits of the server that is connected. */
    MQTT_ERR_MAXIMUM_QOS = -40,         /**< it takes no such QoS */
    MQTT_ERR_RETAIN_UNAVAILABLE = -41,  /**< it retains nothing */
    MQTT_ERR_MAXIMUM_PACKET_SIZE = -42, /**< it takes no packet so large */
    MQTT_ERR_WILDCARD_UNAVAILABLE = -43,
    MQTT_ERR_SHARED_UNAVAILABLE = -44,

    /* Fatal: what the server sent. */
    MQTT_ERR_PACKET_TYPE = -64,      /**< no packet that a server sends */
    MQTT_ERR_PACKET_FLAGS = -65,     /**< reserved bits of the fixed header */
    MQTT_ERR_REMAINING_LENGTH = -66, /**< more than four bytes of length, or in
                                        5.0 more than are needed */
    MQTT_ERR_PACKET_ORDER = -67,     /**< before CONNACK, or a second CONNACK */
    MQTT_ERR_TRUNCATED = -68,        /**< a field reaches beyond its packet */
    MQTT_ERR_TRAILING_BYTES = -69,   /**< bytes after the last field */
    MQTT_ERR_PACKET_IDENTIFIER = -70, /**< packet identifier 0 */
    MQTT_ERR_RECEIVED_QOS = -71,      /**< QoS 3, or DUP with QoS 0 */
    MQTT_ERR_RECEIVED_TOPIC = -72, /**< topic name empty, wildcard, not UTF-8 */
    MQTT_ERR_CONNACK_FLAGS = -73,  /**< reserved bits of CONNACK */
    MQTT_ERR_CONNACK_CODE = -74,   /**< a return code that does not exist */
    MQTT_ERR_SESSION_PRESENT = -75,  /**< a session that this side has not */
    MQTT_ERR_ACKNOWLEDGEMENT = -76,  /**< kind does not fit the exchange */
    MQTT_ERR_SUBACK_COUNT = -77,     /**< not one code for each topic filter */
    MQTT_ERR_SUBACK_CODE = -78,      /**< a code that does not exist */
    MQTT_ERR_PACKET_TOO_LARGE = -79, /**< larger than mqtt_memory.input_size */
    MQTT_ERR_RECEIVED_FULL = -80, /**< mqtt_memory.received_count too small */
    MQTT_ERR_RECEIVED_PROPERTY = -81, /**< malformed, or not of its packet */
    MQTT_ERR_PROPERTY_VALUE = -82,    /**< repeated, or a value not allowed */
    MQTT_ERR_RECEIVED_REASON_CODE = -83, /**< none of its packet */
    MQTT_ERR_RECEIVE_MAXIMUM = -84,      /**< more messages than announced */
    MQTT_ERR_TOPIC_ALIAS = -85,          /**< 0, or above our maximum */
    MQTT_ERR_ALIAS_MEMORY = -86,      /**< mqtt_memory.alias_names too small */
    MQTT_ERR_AUTHENTICATION = -87,    /**< AUTH not asked for, another method */
    MQTT_ERR_DISCONNECT_PACKET = -88, /**< the server sent DISCONNECT */
    MQTT_ERR_ANNOUNCED = -89, /**< the server has a limit nothing fits into */
    MQTT_ERR_NO_TOPIC = -90,  /**< neither a topic name nor a topic alias */

    /* Fatal: time, and the network. */
    MQTT_ERR_OPEN_TIMEOUT = -96,     /**< no network connection in time */
    MQTT_ERR_CONNACK_TIMEOUT = -97,  /**< connected, but no CONNACK in time */
    MQTT_ERR_PINGRESP_TIMEOUT = -98, /**< no answer to PINGREQ: dead link */
    MQTT_ERR_PACKET_TIMEOUT = -99,   /**< a packet began and did not end */
    MQTT_ERR_REFUSED = -100,         /**< CONNACK refused: see reason_code */
    MQTT_ERR_CLOSED = -101,          /**< the server closed the connection */
    MQTT_ERR_NETWORK = -102,         /**< the network failed: see detail */
    MQTT_ERR_NAME = -103,            /**< the host name has no address */
    MQTT_ERR_CONTROL_SIZE = -104,    /**< CONNECT larger than control_size */
    MQTT_ERR_RENEWAL = -105, /**< before_connect() wants no connect now */
    MQTT_ERR_SOURCE = -106,  /**< a source could not be read */
    MQTT_ERR_STORE = -107,   /**< the store failed: see MQTT_EVENT_STORE */

    /* Fatal: what lies between the network and MQTT; detail says more. */
    MQTT_ERR_TLS = -108,               /**< TLS failed in another way than: */
    MQTT_ERR_TLS_EXPIRED = -109,       /**< a certificate is too old */
    MQTT_ERR_TLS_NOT_YET_VALID = -110, /**< or this machine's clock is wrong */
    MQTT_ERR_TLS_NAME = -111,      /**< the certificate is for another name */
    MQTT_ERR_TLS_ISSUER = -112,    /**< self-signed, or issuer not known */
    MQTT_ERR_TLS_REVOKED = -113,   /**< a certificate was revoked */
    MQTT_ERR_TLS_WEAK = -114,      /**< its key or signature is too weak */
    MQTT_ERR_TLS_VERSION = -115,   /**< no common version of TLS */
    MQTT_ERR_TLS_CIPHER = -116,    /**< no common cipher, curve, protocol */
    MQTT_ERR_TLS_REFUSED = -117,   /**< the server wants none of ours: it
                                        sent an alert */
    MQTT_ERR_TLS_TRUNCATED = -118, /**< ended without close_notify */
    MQTT_ERR_WEBSOCKET = -119,     /**< the server's HTTP answer or frames */
    MQTT_ERR_PROXY = -120          /**< the proxy refused, or is none */
};

/** An English sentence without a full stop; never NULL; not to be freed. */
const char *mqtt_error_text(enum mqtt_error error);

/**
 * Whether a topic name matches a topic filter [3.1.1, section 4.7]: '+' one
 * level, '#' the rest and its parent, neither at the start of a name that
 * begins with '$'. Both must be valid; nothing is checked here. A filter
 * "$share/group/filter" matches by what follows its group.
 */
bool mqtt_topic_matches(struct mqtt_span topic_filter,
                        struct mqtt_span topic_name);

/** Whether these bytes may be published to [3.1.1, section 4.7]. */
bool mqtt_topic_name_valid(struct mqtt_span topic_name);

/** Whether these bytes may be subscribed to [3.1.1, section 4.7]; a filter that
 * begins with "$share/" has a group and a filter [5.0, section 4.8.2]. */
bool mqtt_topic_filter_valid(struct mqtt_span topic_filter);

#ifdef __cplusplus
}
#endif

#endif
