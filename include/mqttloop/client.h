/*
 * mqttloop/client.h - an MQTT client for its whole life.
 *
 *                 requests: publish, subscribe, connect, disconnect
 *                                    |
 *     network --> input_buf/_done -> client -> next() or dispatch() -> events
 *     network <-- output_buf/_done <-   |
 *        driver <-- wants(), deadline()   tick(now) <-- clock
 *
 * A client performs no I/O, reads no clock, allocates nothing and blocks never.
 * A driver moves the bytes and tells the time: mqtt_loop() (drive.h) with the
 * poll reactor of posix.h, an adapter such as libev.h, or a program of yours
 * that calls the ports at the end of this header.
 *
 * Rules that hold for every function here:
 *   - It returns at once.
 *   - Callbacks fire from mqtt_client_dispatch() only, which the loop calls;
 *     never from inside a request. In a callback everything may be called but
 *     mqtt_loop(), mqtt_client_dispatch() and mqtt_client_next() of the same
 *     client; it may also destroy the client. Hooks (random, before_connect,
 *     pace, log, trace) are something else: they are called from inside and may
 *     call nothing back.
 *   - Spans passed to a request are copied before it returns, unless said.
 *   - A client is used by one thread at a time; different clients share
 *     nothing.
 *   - A negative result of the band "refused" means that nothing changed.
 */
#ifndef MQTTLOOP_CLIENT_H
#define MQTTLOOP_CLIENT_H

#include <mqttloop/engine.h>
#include <mqttloop/log.h>
#include <mqttloop/properties.h>
#include <mqttloop/protocol.h>
#include <mqttloop/reason.h>
#include <mqttloop/session.h>
#include <mqttloop/store.h>
#include <mqttloop/types.h>
#include <mqttloop/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mqtt_client;
struct mqtt_subscriber;
struct mqtt_subscription;

/* ==== what is configured ================================================== */

/** A server. `address` is an IPv4 or IPv6 address (without brackets), a host
 * name, "unix:/path", or a URL, see network.h, whose port goes before `port`; 0
 * is that of the scheme, 1883 without one. It is the transport that reads it: what it cannot read is no error of
 * the request but MQTT_ERR_SERVER in MQTT_EVENT_DISCONNECTED, with the next
 * try as after any failure. */
struct mqtt_server {
    const char *address;
    uint16_t port;
};

/** What the application holds of the session when the client is new. */
enum mqtt_session_start {
    /** NEW with a clean start, else RESUME. */
    MQTT_SESSION_DEFAULT,
    /** Nothing: if the server has a session, the connection is closed with
     * MQTT_ERR_SESSION_PRESENT and the next CONNECT asks for a clean start
     * [5.0 MQTT-3.2.2-4]. */
    MQTT_SESSION_NEW,
    /** All of it, be it empty: a server that has the session is right. */
    MQTT_SESSION_RESUME
};

/** How to go on after a connection was lost or refused. */
enum mqtt_pace {
    MQTT_PACE_NORMAL, /**< back-off from retry_base_ms, doubling */
    MQTT_PACE_SLOW,   /**< back-off of retry_cap_ms at once */
    MQTT_PACE_STOP    /**< not at all, until mqtt_connect() */
};

/**
 * The default of mqtt_config.pace. NORMAL for everything, but SLOW, for they
 * may be renewed: CONNACK 2, 4 and 5 of 3.1.1 (identifier, user name or
 * password, authorisation); of 5.0 0x85 to 0x87, 0x8A, 0x8C, 0x97, 0x9F. STOP:
 * CONNACK 1 and 0x84 (protocol version), 0x8E (another client has taken over
 * the session: two of one identifier must not fight), MQTT_ERR_CONTROL_SIZE.
 */
enum mqtt_pace mqtt_pace_default(void *context, enum mqtt_error error,
                                 uint8_t reason_code);

enum mqtt_event_type {
    MQTT_EVENT_CONNECTED = 1,     /**< a good CONNACK: session_present,
                                 properties */
    MQTT_EVENT_DISCONNECTED,      /**< no connection any more, or none came:
                                 error, reason_code, detail, retry_at */
    MQTT_EVENT_MESSAGE,           /**< message, packet_identifier */
    MQTT_EVENT_MESSAGE_TOO_LARGE, /**< one was read past: size, message.qos */
    MQTT_EVENT_PUBLISHED,         /**< end of a QoS 1 or 2 publish:
                                packet_identifier, outcome, reason_code,
                                properties, error */
    MQTT_EVENT_SUBSCRIBED,   /**< subscription, reason_code: 0 to 2 is the QoS
                                granted, from 0x80 on refused; properties;
                                error: a limit of the server forbids to ask */
    MQTT_EVENT_UNSUBSCRIBED, /**< subscription: the node is yours again;
                                reason_code, properties; error: a limit of the
                                server forbids to tell it, which still has it */
    MQTT_EVENT_ROOM,         /**< after MQTT_ERR_NO_ROOM: it is worth a try */
    MQTT_EVENT_STORED,       /**< with a store: the publish packet_identifier
                                outlives the process now */
    MQTT_EVENT_STORE_FAILED, /**< error is what the store said; what was not
                                committed is written again at the next open */
    /* 5.0 only. After the first two the driver closes; what is the client's own,
     * such as ROOM, may come before MQTT_EVENT_DISCONNECTED: */
    MQTT_EVENT_REFUSED,           /**< CONNACK with reason_code, properties;
                                 MQTT_EVENT_DISCONNECTED follows */
    MQTT_EVENT_SERVER_DISCONNECT, /**< DISCONNECT with reason_code, properties;
                                 MQTT_EVENT_DISCONNECTED follows */
    MQTT_EVENT_AUTHENTICATION,    /**< AUTH with reason_code, properties: 0x18
                                 is to be answered by mqtt_authenticate(), 0 is
                                 the good end of a re-authentication */
    /* of any version: */
    MQTT_EVENT_WOKEN /**< mqtt_client_woken(), thus mqtt_wake() of posix.h */
};

/** How a publish ended. Every accepted QoS 1 or 2 publish ends exactly once. */
enum mqtt_outcome {
    MQTT_OUTCOME_ACKNOWLEDGED, /**< PUBACK or PUBCOMP came */
    MQTT_OUTCOME_LOST,         /**< sent, never acknowledged, and the session
                                  is gone: it may have arrived or not */
    MQTT_OUTCOME_UNKNOWN,      /**< QoS 2, the server had taken it (PUBREC) when
                                  the session was lost: most likely arrived; or
                                  sent, and a new connection forbids to send it
                                  again */
    MQTT_OUTCOME_REFUSED,      /**< by the server: see reason_code */
    MQTT_OUTCOME_EXPIRED,      /**< its expiry came before a byte of it left */
    MQTT_OUTCOME_FORBIDDEN,    /**< never sent: a limit of the server that is
                                  connected now forbids it, see error */
    MQTT_OUTCOME_SOURCE        /**< its source could not be read */
};

/** The members that its type names are set; the others are zero, but those of
 * MQTT_EVENT_MESSAGE, which are left as they were. Borrowed for the call, or
 * until the next pull. */
struct mqtt_event {
    enum mqtt_event_type type;
    enum mqtt_error error; /**< DISCONNECTED: why; MQTT_OK: asked for by
                              mqtt_disconnect() */
    enum mqtt_outcome outcome;
    uint8_t reason_code; /**< as the server sent it; 0 if it sent none */
    bool session_present;
    uint16_t packet_identifier; /**< 0: none */
    uint32_t size;              /**< of the packet that was too large */
    struct mqtt_message message;
    struct mqtt_span properties; /**< of the packet that it tells of; those of
                                    a message are message.properties */
    struct mqtt_subscription *subscription;
    mqtt_time retry_at; /**< MQTT_NEVER: stopped, until mqtt_connect() */
    const char *detail; /**< words of the transport, or NULL */
};

/** Told of every event but MQTT_EVENT_MESSAGE. */
typedef void mqtt_event_function(struct mqtt_client *client,
                                 const struct mqtt_event *event, void *context);

/** Told of a message. It is acknowledged after this returned, unless
 * mqtt_config.settle says that mqtt_settle() does it. */
typedef void mqtt_message_function(struct mqtt_client *client,
                                   const struct mqtt_message *message,
                                   void *context);

/* A topic filter, looked through once; private. */
struct mqtt_topic_pattern {
    const uint8_t *filter;
    uint16_t size, literal;
};

/** Which retained messages come when a subscription is made. */
enum mqtt_retain_handling {
    MQTT_RETAIN_SEND,        /**< all that match */
    MQTT_RETAIN_SEND_IF_NEW, /**< only if the server did not have it yet */
    MQTT_RETAIN_DO_NOT_SEND
};

/**
 * A subscription is a node of the caller's, so there is no maximum number of
 * them. Fill in what does not end in '_' and zero the rest. From mqtt_subscribe()
 * until MQTT_EVENT_UNSUBSCRIBED, or until the client is destroyed, it belongs
 * to the client: it must not move, and the bytes of its topic filter must
 * stay.
 */
struct mqtt_subscription {
    struct mqtt_span topic_filter;
    enum mqtt_qos maximum_qos;

    /* 5.0 only [5.0, section 3.8.3.1]: */

    /** Not what this client itself publishes; never with "$share/". */
    bool no_local;
    /** Keep RETAIN as it was published. */
    bool retain_as_published;
    enum mqtt_retain_handling retain_handling;

    /* Of any version: */

    /** NULL: such messages go where those without subscription go. */
    mqtt_message_function *on_message;
    void *context;

    /* Private, and here since small processors reach what comes first. */
    uint8_t state_, code_;
    int8_t error_; /* enum mqtt_error: why it was not asked for */
    bool leaving_, answer_due_, renewed_, unsuback_;

    /* 5.0 only: */

    /** Subscription Identifier, 1 to 268,435,455; 0: none. Messages that name
     * it go to the subscriptions that have it. Left out where the server has no
     * such thing. */
    uint32_t identifier;
    /** User Properties of SUBSCRIBE and UNSUBSCRIBE. The bytes must stay. */
    struct mqtt_span properties;

    struct mqtt_subscription *next_;
    struct mqtt_topic_pattern pattern_;
};

/**
 * Gives a message to its callbacks: true if one took it, false for the default
 * callback. `client` may be destroyed by a callback: then return true without
 * touching it. mqtt_dispatch_linear() is what is there now.
 */
typedef bool mqtt_dispatch_function(struct mqtt_client *client,
                                    const struct mqtt_message *message);

/**
 * Asks each subscription in turn, each called at most once for a message. One
 * that names Subscription Identifiers [5.0, section 3.3.4] goes to those that
 * have one of them and match; if there is none such, and without, to all that
 * match.
 */
bool mqtt_dispatch_linear(struct mqtt_client *client,
                          const struct mqtt_message *message);

/** How messages that are larger than the input memory are received; see
 * stream.h. */
struct mqtt_large;

/** When received messages of QoS 1 and 2 are acknowledged. */
enum mqtt_settle_mode {
    /** When the callback has returned, or the next event is pulled. */
    MQTT_SETTLE_AFTER_CALLBACK,
    /** By mqtt_settle(). */
    MQTT_SETTLE_BY_CALL
};

/**
 * The configuration. mqtt_client_init() keeps a pointer: it belongs to the
 * client until destroyed, with all it points to, and may be const and in
 * flash. (mqtt_client_new() of posix.h copies it.) Zero means the default.
 */
struct mqtt_config {
    /** Required, e.g. &mqtt_protocol_3_1_1. */
    const struct mqtt_protocol *protocol;
    /** One of 3.1.1 where `protocol` is 5.0, or NULL: none. Tried when a server
     * does not speak `protocol`: refuses it, or closes without an answer to
     * CONNECT; only until the first good CONNACK, and then the other way round
     * if that is not spoken either. */
    const struct mqtt_protocol *fallback;
    /** In 3.1.1: leave out what it cannot carry (properties, subscription
     * options, reason codes of mqtt_settle()) instead of
     * MQTT_ERR_PROTOCOL_VERSION. What `connect` has of 5.0, the will's
     * properties included, is left out in any case. */
    bool drop_unsupported;
    enum mqtt_session_start session;

    /** QoS 1 and 2 messages sent and not yet acknowledged, at most; 0: as
     * many as there are slots. The others wait their turn in the outbox. */
    uint16_t send_maximum;
    /** Of these, QoS 2; 0: in 3.1.1 20, where a server cannot say how many it
     * takes: mosquitto 2.0 acknowledges what exceeds its 20, and loses it. In
     * 5.0 the server's Receive Maximum is kept besides. */
    uint16_t send_maximum_qos2;
    /** Accept QoS 0 while disconnected, and keep over a cut what was not yet
     * sent. Otherwise: MQTT_ERR_OFFLINE, and dropped. */
    bool keep_qos0;
    /** 5.0: do not use topic aliases, neither way. */
    bool no_topic_aliases;
    /** 5.0: when the session was lost, subscribe anew with
     * MQTT_RETAIN_DO_NOT_SEND, where a subscription was granted before. */
    bool renew_without_retained;
    /** 5.0: check payloads that are said to be UTF-8 [5.0, section 3.3.2.3.2].
     * To be published: MQTT_ERR_PAYLOAD_FORMAT. Received: counted, refused with
     * 0x99, not given to the application; those that come in parts are not
     * checked. */
    bool check_payload_format;
    /** When received messages are acknowledged. */
    enum mqtt_settle_mode settle;
    /** 5.0: a server that sends more messages than the Receive Maximum allows is
     * not cut off by DISCONNECT with 0x93; with MQTT_SETTLE_BY_CALL nothing more
     * is read until one is settled, as in 3.1.1. mosquitto 2.0 is such a
     * server, when more than that waits for a client. */
    bool tolerate_overrun;
    /** When the session is lost, publish anew what was sent and not
     * acknowledged, instead of MQTT_OUTCOME_LOST. May deliver twice. What then
     * expires, or is forbidden, is lost all the same. */
    bool republish_lost;
    /** What to do with messages larger than the input memory: NULL, or
     * &mqtt_large_parts of stream.h. NULL: in 5.0 the server is told not to
     * send any, in 3.1.1 they are read past, MQTT_EVENT_MESSAGE_TOO_LARGE. */
    const struct mqtt_large *large;
    /** Where the session outlives the process, see store.h; NULL: nowhere.
     * mqtt_client_init() restores from it. Needs a session that lasts. */
    struct mqtt_store *store;

    /** At least one; after a failure the next one is tried, in turn. */
    const struct mqtt_server *servers;
    size_t server_count;

    /** From the wish to connect until the network connection; 30,000 ms. */
    uint32_t open_timeout_ms;
    /** From the network connection, or from each AUTH that is sent, until
     * CONNACK; 10,000 ms. */
    uint32_t connack_timeout_ms;
    /** From PINGREQ until PINGRESP; 10,000 ms. */
    uint32_t pingresp_timeout_ms;
    /** For a packet to become whole, with 8 ms more for each byte that came;
     * 30,000 ms. */
    uint32_t packet_timeout_ms;
    /** From our DISCONNECT until the server's end; 500 ms. */
    uint32_t end_timeout_ms;

    /** Back-off before the n-th try in a row: a random time up to
     * min(retry_cap_ms, retry_base_ms * 2^n); 1,000 and 60,000 ms. */
    uint32_t retry_base_ms, retry_cap_ms;
    /** A connection is healthy, and the back-off begins anew, after the first
     * acknowledgement (SUBACK, PUBACK, ...) or after so long; 30,000 ms. */
    uint32_t healthy_after_ms;

    /** Hook: 32 random bits for the back-off. Required: without it a fleet of
     * clients comes back in one moment. */
    uint32_t (*random)(void *context);
    void *random_context;

    /**
     * Hook: called before each connect; may change user name, password, will,
     * and the server for this once. What it sets must live until the next
     * call, or until destroyed. MQTT_OK: connect; anything else: do not, and
     * try again later, which is an event with MQTT_ERR_RENEWAL.
     */
    enum mqtt_error (*before_connect)(void *context,
                                      struct mqtt_connect_options *options,
                                      struct mqtt_server *server);
    /** Hook: how to go on after `error`; NULL: mqtt_pace_default(). */
    enum mqtt_pace (*pace)(void *context, enum mqtt_error error,
                           uint8_t reason_code);
    /** Hooks, see log.h; NULL: none. */
    void (*log)(void *context, const struct mqtt_log *log);
    void (*trace)(void *context, const struct mqtt_trace *trace);
    /** With `trace`: &mqtt_trace_seam. (mqtt_client_new() of posix.h sees to
     * it.) */
    const struct mqtt_trace_seam *trace_seam;

    /** Callbacks; NULL: none. on_message is the default one, for messages
     * that no subscription took. */
    mqtt_event_function *on_event;
    mqtt_message_function *on_message;
    /** NULL: mqtt_dispatch_linear. */
    mqtt_dispatch_function *dispatch;
    /** Passed to all of the above but random. */
    void *context;

    /** Counted in, if not NULL. May be shared by several clients. */
    struct mqtt_statistics *statistics;

    /** What CONNECT says. The last member, for it is large: small processors
     * reach what comes before it in one instruction. */
    struct mqtt_connect_options connect;
};

/** What DISCONNECT says in 5.0. */
struct mqtt_disconnect_options {
    /** MQTT_REASON_SUCCESS; MQTT_REASON_DISCONNECT_WITH_WILL: the will is
     * published; or one that tells of an error. */
    uint8_t reason_code;
    /** Session Expiry Interval, Reason String, User Property. The bytes must
     * stay until MQTT_EVENT_DISCONNECTED. */
    struct mqtt_span properties;
};

/* ==== the client ========================================================== */

/** Visible so that it can be static; all members are private. It must not
 * move after mqtt_client_init(). */
struct mqtt_client {
    uint8_t state_, reason_code_;
    int8_t why_; /* enum mqtt_error */
    bool wanted_, draining_, ending_, wiping_, lost_, established_;
    bool session_held_, subscriptions_due_, gone_due_, notified_;
    bool failing_;    /* DISCONNECT with an error is to leave */
    bool resuming_;   /* no clean start: a session of ours is to go on */
    bool store_told_; /* of the error that the store has */
    bool greeted_;    /* CONNECT was made, and is not answered by AUTH */
    bool woken_;      /* the application is to be told */
    bool at_once_;    /* CONNECT says that the session ends with it */
    uint16_t server_index_, tries_, answers_left_;
    const struct mqtt_config *config_;
    const struct mqtt_subscriber *subscriber_; /* NULL: never subscribed */
    struct mqtt_subscription *subscriptions_, *last_subscription_;
    struct mqtt_subscription *answered_; /* from here on answers are due */
    struct mqtt_span answer_properties_;
    bool *destroyed_; /* a flag on the stack of dispatch */
    void *driver_;
    void (*requested_)(void *driver);
    mqtt_time (*clock_)(void *driver);
    const char *detail_;
    mqtt_time next_;     /* try, or end of opening, or of ending */
    mqtt_time drain_by_; /* the end of draining */
    mqtt_time connected_at_;
    struct mqtt_disconnect_options end_;
    struct mqtt_server server_;
    struct mqtt_engine engine_;
    struct mqtt_session session_;
};

/**
 * Make a client. `size` is sizeof(struct mqtt_client), by which a shared
 * library can tell that it fits. The memory in `memory` is lent until the
 * client is destroyed; the struct mqtt_memory itself is read now only.
 * Nothing happens before mqtt_connect().
 *
 * MQTT_ERR_VERSION: `size` is another. MQTT_ERR_ARGUMENT: protocol, random or
 * trace_seam is missing, keep_alive_s is out of range, or fallback is not the lower
 * version. MQTT_ERR_SERVER, _CLIENT_IDENTIFIER, _USER_NAME, _PASSWORD, _WILL:
 * that part of the configuration. MQTT_ERR_PROPERTY: 5.0, those of CONNECT or
 * of the will, also one that has a member of its own. MQTT_ERR_MEMORY: a size
 * is against session.h, or too small for what the store holds.
 * MQTT_ERR_CONTROL_SIZE: CONNECT does not fit into `control`. MQTT_ERR_STORE:
 * it cannot be read, or holds what no session has put. MQTT_ERR_PROTOCOL_VERSION:
 * its session is of a version that is not configured. After an error the store
 * is as it was.
 */
enum mqtt_error mqtt_client_init(struct mqtt_client *client, size_t size,
                                 const struct mqtt_config *config,
                                 const struct mqtt_memory *memory);

/** What the server said of itself in its last CONNACK [5.0, section 3.2.2.3];
 * what it did not say, and all in 3.1.1, has the value that sets no limit. */
const struct mqtt_limits *mqtt_client_limits(const struct mqtt_client *client);

/** The protocol that is spoken: `protocol` or `fallback` of the configuration.
 */
const struct mqtt_protocol *
mqtt_client_protocol(const struct mqtt_client *client);

/** The client identifier: the configured one, or the one that the server has
 * assigned; empty: none yet. Valid until the next connection. */
struct mqtt_span mqtt_client_identifier(const struct mqtt_client *client);

/**
 * End everything at once, without a callback and without a packet; also from
 * inside a callback. On return all that was lent or registered is the
 * caller's again. The network connection is the driver's to close: for a
 * client of mqtt_client_new() use mqtt_client_free(), for another one with a
 * drive call mqtt_drive_end() before. What is unfinished can
 * be listed before by mqtt_client_next_outstanding().
 */
void mqtt_client_destroy(struct mqtt_client *client);

/**
 * Connect, and again after every loss, until mqtt_disconnect(). Also takes
 * back an mqtt_disconnect() that is still draining, and makes a client that
 * waits for its next try do so at once.
 * MQTT_ERR_STATE: connected, or about to be.
 */
enum mqtt_error mqtt_connect(struct mqtt_client *client);

/**
 * End the connection with DISCONNECT, so that the will is not published.
 * With `timeout_ms` 0 at once: what is unsent stays in the outbox for a later
 * mqtt_connect(). Otherwise after every publish has ended and, on a
 * connection, every subscription was answered, but at the latest after
 * `timeout_ms`; meanwhile publishing is refused, and for what is unfinished
 * the client reconnects if it must. Ends with
 * MQTT_EVENT_DISCONNECTED whose retry_at is MQTT_NEVER.
 * MQTT_ERR_STATE: stopped already.
 */
enum mqtt_error mqtt_disconnect(struct mqtt_client *client,
                                uint32_t timeout_ms);

/**
 * As mqtt_disconnect(), with what DISCONNECT is to say. Reason String and User
 * Properties are left out if the packet would be larger than the server or
 * `control` takes; all properties if there is a Session Expiry Interval among
 * them and, since the request, before_connect had a CONNECT say that the session
 * ends with its connection. With drop_unsupported, in 3.1.1 as
 * mqtt_disconnect().
 * MQTT_ERR_PROTOCOL_VERSION: in 3.1.1. MQTT_ERR_REASON_CODE: none that a client
 * may send [5.0 MQTT-3.14.2-1]. MQTT_ERR_PROPERTY: one that DISCONNECT has not;
 * a Session Expiry Interval when CONNECT said that the session ends with its
 * connection.
 */
enum mqtt_error
mqtt_disconnect_with(struct mqtt_client *client, uint32_t timeout_ms,
                     const struct mqtt_disconnect_options *options);

/**
 * 5.0: send AUTH with the Authentication Method of CONNECT, this data (absent:
 * none) and these properties (Reason String, User Property; may be empty): in
 * answer to MQTT_EVENT_AUTHENTICATION with 0x18, or, when connected, to
 * re-authenticate [5.0, section 4.12].
 * MQTT_ERR_PROTOCOL_VERSION: in 3.1.1. MQTT_ERR_STATE: CONNECT had no
 * method, there is nothing to answer, or a re-authentication goes on.
 * MQTT_ERR_PROPERTY: one that is not for here. MQTT_ERR_NO_ROOM: control memory
 * is full now. MQTT_ERR_TOO_LARGE: it never fits there.
 * MQTT_ERR_MAXIMUM_PACKET_SIZE: the server takes no packet so large.
 */
enum mqtt_error mqtt_authenticate(struct mqtt_client *client,
                                  struct mqtt_span data,
                                  struct mqtt_span properties);

/**
 * With MQTT_SETTLE_BY_CALL: the message has been processed and is to be
 * acknowledged: `reason_code` 0, or one of PUBACK [5.0, section 3.4.2.1]; from
 * 0x80 on it was refused. Acknowledgements leave in the order in which the
 * messages came, those of QoS 1 and those of QoS 2 each [MQTT-4.6.0-2],
 * whatever the order of the calls. A handle of
 * QoS 2 outlives its connection, until the session is lost; one of QoS 1 does
 * not, for the message comes again.
 * MQTT_ERR_HANDLE: settled already, or of a message that comes again, or that
 * another client of this client identifier has answered: its PUBREL came.
 * MQTT_ERR_REASON_CODE: none of PUBACK; not where 5.0 is not configured.
 * MQTT_ERR_PROTOCOL_VERSION: another than 0 in 3.1.1, without drop_unsupported.
 */
enum mqtt_error mqtt_settle(struct mqtt_client *client, uint32_t settle_handle,
                            uint8_t reason_code);

/**
 * Publish. MQTT_OK: accepted into the outbox, in this order; QoS 1 and 2 also
 * while disconnected. *packet_identifier (may be NULL) names the message until
 * its MQTT_EVENT_PUBLISHED; 0 for QoS 0, which has no such event.
 *
 * MQTT_ERR_TOPIC_NAME, _QOS: see struct mqtt_message; _QOS also for QoS 1 and
 * 2 without slots. MQTT_ERR_TOO_LARGE: fits into no packet, or not into this
 * outbox even when empty. MQTT_ERR_NO_ROOM: no room or no slot now;
 * MQTT_EVENT_ROOM comes when it is worth a try. MQTT_ERR_OFFLINE: QoS 0 while
 * disconnected, without keep_qos0. MQTT_ERR_STATE: after mqtt_disconnect()
 * until it is done.
 * 5.0: MQTT_ERR_PROPERTY: see struct mqtt_message. MQTT_ERR_MAXIMUM_QOS,
 * _RETAIN_UNAVAILABLE, _MAXIMUM_PACKET_SIZE: the server that is connected takes
 * no such message; one that was accepted before, and that a new connection
 * forbids, ends with MQTT_OUTCOME_FORBIDDEN, or _UNKNOWN if it had been sent.
 * With a Message Expiry Interval, what is left of it is sent (more than 102
 * years count as 102); a message that was not offered to the network before it
 * is over ends with MQTT_OUTCOME_EXPIRED (QoS 0: counted); MQTT_ERR_TOO_LARGE:
 * then its topic name must fit into `control` (control_size - 24).
 * MQTT_ERR_PROTOCOL_VERSION: properties in 3.1.1, without
 * drop_unsupported. MQTT_ERR_PAYLOAD_FORMAT: see check_payload_format.
 */
enum mqtt_error mqtt_client_publish(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    uint16_t *packet_identifier);

/** The same in short. `topic_name` is NUL-terminated; `payload` may be NULL
 * when `payload_size` is 0. */
enum mqtt_error mqtt_publish(struct mqtt_client *client, const char *topic_name,
                             const void *payload, size_t payload_size,
                             enum mqtt_qos qos, bool retain);

/**
 * Subscribe, now or as soon as there is a connection, and again whenever the
 * server has lost the session. Answered by MQTT_EVENT_SUBSCRIBED; one that was
 * refused stays registered and is asked for again with the next new session.
 * The callback is in force from now on. Two nodes of one topic filter are one
 * subscription to the server: the later maximum_qos holds, both are called.
 *
 * MQTT_ERR_TOPIC_FILTER, _QOS: see the node. MQTT_ERR_TOO_LARGE: longer than
 * control_size - 8 (in 5.0 - 9, less identifier and properties). MQTT_ERR_STATE:
 * the node is registered already. MQTT_ERR_SUBSCRIPTION: no_local with
 * "$share/", or an identifier that is too large. MQTT_ERR_PROPERTY: another than
 * User Property. MQTT_ERR_PROTOCOL_VERSION: 5.0's options in 3.1.1, without
 * drop_unsupported; or a protocol that cannot subscribe.
 * MQTT_ERR_WILDCARD_UNAVAILABLE, _SHARED_UNAVAILABLE, _MAXIMUM_PACKET_SIZE: the
 * server that is connected does not take it; when a later one does not, that is
 * MQTT_EVENT_SUBSCRIBED with this error.
 */
enum mqtt_error mqtt_subscribe(struct mqtt_client *client,
                               struct mqtt_subscription *subscription);

/**
 * End a subscription: its callback is not called any more. The node belongs
 * to the client until its MQTT_EVENT_UNSUBSCRIBED.
 * MQTT_ERR_STATE: not registered, or ended already.
 */
enum mqtt_error mqtt_unsubscribe(struct mqtt_client *client,
                                 struct mqtt_subscription *subscription);

/** What the client waits for. */
enum mqtt_client_state mqtt_client_state(const struct mqtt_client *client);

/** An outgoing message that is not finished. */
struct mqtt_outstanding {
    uint16_t packet_identifier; /**< 0 before the first call */
    enum mqtt_qos qos;
    bool sent;     /**< at least once, in this session; or it may have been,
                      for bytes just leave */
    bool released; /**< QoS 2: PUBREC came */
    uint16_t position_;
};

/**
 * List what has not ended, in the order of sending: zero *it, then call until
 * false. The client must not change meanwhile.
 */
bool mqtt_client_next_outstanding(const struct mqtt_client *client,
                                  struct mqtt_outstanding *it);

/* ==== events ============================================================== */

/**
 * Take the next event; false when there is none now. The one before ends with
 * this call: its spans are invalid, and a message of QoS 1 or 2 is
 * acknowledged. As long as nobody pulls, nothing is taken from the network.
 */
bool mqtt_client_next(struct mqtt_client *client, struct mqtt_event *event);

/**
 * Take all events and call the callbacks. The number of events, or
 * MQTT_ERR_DESTROYED: a callback destroyed the client, touch it no more;
 * MQTT_ERR_REENTERED: called from a callback.
 */
int mqtt_client_dispatch(struct mqtt_client *client);

/* ==== the ports, for drivers ==============================================
 *
 * Whoever does not use drive.h takes turns, whenever the network is ready, the
 * deadline has come, or something was requested:
 *
 *     1. mqtt_client_tick(now)
 *     2. serve mqtt_client_wants(): open, finish or close the connection
 *     3. mqtt_client_dispatch(), or mqtt_client_next() until false
 *     4. while output_buf() has bytes: send, output_done(); stop when the
 *        network takes no more
 *     5. input_buf(), receive once, input_done(); 3 again
 *     6. again from 2 while anything moved, or a close is wanted; then
 *        input_keep() if memory was lent, and wait for the network, or
 *        mqtt_client_deadline()
 *
 * The deadline does not speak of events that wait to be pulled: a turn ends
 * with none. When a send fails, what had come before may still be received
 * and given to the client before mqtt_client_closed(), or not.
 */

/** What the client wants of its driver besides moving bytes. */
enum mqtt_want {
    MQTT_WANT_NOTHING,
    /** A network connection to mqtt_client_server(). Lasts until
     * mqtt_client_opened() or mqtt_client_closed(). */
    MQTT_WANT_OPEN,
    /** Nothing will follow what was written: tell the peer (a half close, once
     * for a connection), and read on. Lasts until MQTT_WANT_CLOSE, or until
     * mqtt_client_closed() when the peer ends it. */
    MQTT_WANT_FINISH,
    /** Close it, without waiting. Lasts until mqtt_client_closed(). */
    MQTT_WANT_CLOSE
};
enum mqtt_want mqtt_client_wants(const struct mqtt_client *client);

/** Where to connect to; valid until the next MQTT_WANT_OPEN. */
const struct mqtt_server *mqtt_client_server(const struct mqtt_client *client);

/** The network connection is there. Nothing happens unless it was wanted. */
void mqtt_client_opened(struct mqtt_client *client);

/**
 * There is no network connection, or not any more. `why`: MQTT_ERR_CLOSED
 * (the server ended it), _NETWORK, _NAME; MQTT_OK after MQTT_WANT_CLOSE.
 * `detail` may be NULL; it is passed on in the event and must live until then.
 * What was received before is still given to the application first.
 */
void mqtt_client_closed(struct mqtt_client *client, enum mqtt_error why,
                        const char *detail);

/**
 * Where to put received bytes, at most *size of them. NULL, *size 0: not now
 * (no connection, or nobody pulls). If `lent` is not NULL, that memory of
 * `lent_size` bytes may be the answer, when nothing is held back: then it is
 * lent until mqtt_client_input_keep(). Many clients can so share one buffer.
 */
void *mqtt_client_input_buf(struct mqtt_client *client, void *lent,
                            size_t lent_size, size_t *size);
/** So many were put there, 0 to *size. */
void mqtt_client_input_done(struct mqtt_client *client, size_t size);
/** End of the loan: what was not taken moves into the client's own input
 * memory. Spans of the event pulled last become invalid. */
void mqtt_client_input_keep(struct mqtt_client *client);

/** The next bytes for the network; NULL, *size 0: none. They stay as they are
 * until mqtt_client_output_done(), whatever is requested meanwhile. */
const void *mqtt_client_output_buf(struct mqtt_client *client, size_t *size);
/** The network took the first `size` of them, 0 to *size. */
void mqtt_client_output_done(struct mqtt_client *client, size_t size);

/** The one way in for time: call it at the start of each turn. `now` may
 * stand still, not go back. */
void mqtt_client_tick(struct mqtt_client *client, mqtt_time now);
/** When tick() is needed at the latest; MQTT_NEVER: not. May change with any
 * call. */
mqtt_time mqtt_client_deadline(const struct mqtt_client *client);

/**
 * Have MQTT_EVENT_WOKEN come, once for all calls since the last one, in
 * whatever state. For drivers, when somebody outside wants the client's loop;
 * not for other threads: mqtt_wake() of posix.h is.
 */
void mqtt_client_woken(struct mqtt_client *client);

/**
 * A driver's wishes: `requested(driver)` is called when bytes or wants may have
 * come up, in its turn or outside of it, and not again before the next
 * mqtt_client_tick(): it asks for one more turn; `clock(driver)` is asked for
 * the time by requests that set a deadline. Both are hooks, and may be NULL.
 * Without a clock, tick before such requests.
 */
void mqtt_client_set_driver(struct mqtt_client *client, void *driver,
                            void (*requested)(void *driver),
                            mqtt_time (*clock)(void *driver));

#ifdef __cplusplus
}
#endif

#endif
