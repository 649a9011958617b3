/*
 * mqttloop/session.h - what outlives a network connection: the outbox, the
 * packet identifiers, the state of each exchange [3.1.1, section 4.1].
 *
 * An application lends the memory (struct mqtt_memory) and otherwise meets a
 * session through client.h. The structs stand here so that a client can be
 * static; members that end in '_' are private.
 */
#ifndef MQTTLOOP_SESSION_H
#define MQTTLOOP_SESSION_H

#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The record of one outgoing QoS 1 or 2 message beyond its packet: 12 bytes.
 * The packet itself lies in the outbox. Lent in an array, see mqtt_memory.
 */
struct mqtt_slot {
    uint32_t start_;      /* where its image begins in the ring */
    uint16_t identifier_; /* 0: the slot is free */
    uint16_t next_, previous_;
    uint8_t state_;
    uint8_t flags_;
};

/** A topic name that the server knows by an alias: 128 bytes. Lent in an array,
 * see mqtt_memory. */
#define MQTT_ALIAS_TOPIC_MAX 122
struct mqtt_alias {
    uint32_t used_; /* when last; 0: never */
    uint8_t size_, topic_[MQTT_ALIAS_TOPIC_MAX + 1];
};

/** A message that was received and waits to be settled: 6 bytes. Lent in an
 * array, see mqtt_memory. */
struct mqtt_unsettled {
    uint16_t identifier_, count_;
    uint8_t state_, code_;
};

/**
 * Memory lent to a client from its init until it is destroyed. Nothing is
 * allocated, and nothing else is used.
 *
 * outbox    Outgoing PUBLISH packets as they go over the wire: QoS 0 until it
 *           is written, QoS 1 until PUBACK, QoS 2 until PUBREC. A packet takes
 *           its size on the wire: topic name + payload + 5 to 9 bytes. 0 to
 *           2^30 bytes; with 0 nothing can be published.
 * slots     One for each QoS 1 or 2 message that is not finished. slot_count
 *           is a power of two from 1 to 32,768, or 0: QoS 0 only.
 * control   Packets that must leave even when the outbox is full: CONNECT,
 *           SUBSCRIBE, UNSUBSCRIBE, acknowledgements. Has to hold the CONNECT
 *           with will and credentials, which mqtt_client_init() checks, and at
 *           least 16 bytes; a topic filter longer than control_size - 8 is
 *           refused. More lets more acknowledgements leave in one write.
 * input     What has been received and not been taken: the largest packet
 *           that can be received, at least 16 bytes. It is also the most that
 *           mqtt_client_input_buf() asks for at a time. A larger PUBLISH is
 *           given in parts with mqtt_config.large; without, in 3.1.1, it is
 *           read past, acknowledged, and reported. Any other packet that is
 *           larger ends the connection with MQTT_ERR_PACKET_TOO_LARGE; 5.0
 *           tells the server not to send one.
 * unsettled With mqtt_config.settle: one for each message that waits for
 *           mqtt_settle(); with mqtt_config.store: for each that waits for its
 *           commit, too, and when all are in use no more is read. With settle,
 *           in 5.0 their number is announced as Receive Maximum;
 *           in 3.1.1 no more is read while all are in use. 1 to 65,535.
 * alias_topics, alias_names  5.0: memory for topic aliases, outgoing and
 *           incoming; without it there are none. alias_topics: one for each
 *           topic name that is remembered, at most the server's Topic Alias
 *           Maximum; topic names longer than MQTT_ALIAS_TOPIC_MAX have no
 *           alias. alias_names: alias_names_size bytes for alias_name_count
 *           topic names, which is announced as Topic Alias Maximum; each takes
 *           its size and 4 bytes. If a server's do not fit, or with
 *           mqtt_large_parts a topic name with its properties is larger than
 *           `input`, the connection ends with MQTT_ERR_ALIAS_MEMORY and the
 *           next one does without.
 * identifier  5.0: identifier_size bytes, 0 to 2^30, for a client identifier that the
 *           server assigns. One that does not fit, there or with CONNECT into
 *           control, or without this memory, is not kept: then the session ends
 *           with its connection.
 * released  With mqtt_config.store only: packet identifiers of QoS 2 messages
 *           whose PUBREL came and whose PUBCOMP waits for a commit; when all
 *           are in use, the next PUBREL waits. At least 1. A store needs
 *           `unsettled`, too.
 * received  The packet identifiers of QoS 2 messages that have come and wait
 *           for PUBREL. Either received_bits: 8,192 bytes, zeroed by the
 *           caller, any number of identifiers at no search (pages that are
 *           never used are never touched); or received_list: an array of
 *           received_count identifiers, searched linearly; a server that has
 *           more open at once causes MQTT_ERR_RECEIVED_FULL. mosquitto sends
 *           up to 20. With neither, any QoS 2 message does.
 *
 * The contents need no initialisation (received_bits excepted) and no
 * alignment beyond that of their type.
 */
struct mqtt_memory {
    void *outbox;
    size_t outbox_size;
    struct mqtt_slot *slots;
    size_t slot_count;
    void *control;
    size_t control_size;
    void *input;
    size_t input_size;
    uint8_t *received_bits;
    uint16_t *received_list;
    size_t received_count;
    struct mqtt_unsettled *unsettled;
    size_t unsettled_count;
    struct mqtt_alias *alias_topics;
    size_t alias_topic_count;
    void *alias_names;
    size_t alias_names_size, alias_name_count;
    void *identifier;
    size_t identifier_size;
    uint16_t *released;
    size_t released_count;
};

/** What a server allows, see mqtt_client_limits(). */
struct mqtt_limits {
    uint32_t maximum_packet_size; /**< UINT32_MAX: any */
    uint32_t session_expiry_s;    /**< in force; UINT32_MAX: never */
    uint16_t receive_maximum;     /**< 65,535 unless said */
    uint16_t topic_alias_maximum;
    uint16_t keep_alive_s; /**< in force */
    uint8_t maximum_qos;
    bool retain_available, wildcard_available, shared_available;
    bool subscription_identifiers_available;
};

/** Counters for whoever asks, see mqtt_config.statistics. They only grow. */
struct mqtt_statistics {
    uint64_t bytes_sent, bytes_received;
    uint64_t messages_published;    /**< accepted by mqtt_publish() */
    uint64_t messages_acknowledged; /**< PUBACK or PUBCOMP came */
    uint64_t messages_resent;       /**< with DUP, on a new connection */
    uint64_t messages_received;     /**< given to the application */
    uint64_t messages_too_large;    /**< read past, not given */
    uint64_t duplicates_received;   /**< QoS 2, not given a second time */
    uint64_t qos0_dropped;          /**< accepted, and cut off before writing */
    uint64_t messages_lost;         /**< ended lost, unknown, forbidden, or for
                                       their source */
    uint64_t messages_refused;      /**< by the server's reason code */
    uint64_t messages_expired;      /**< before a byte of them left */
    uint64_t messages_malformed;    /**< received, said to be UTF-8, and not */
    uint64_t publishes_refused;     /**< MQTT_ERR_NO_ROOM */
    uint64_t unknown_acknowledgements;
    uint64_t pings_sent;
    uint64_t connections;      /**< good CONNACKs */
    uint64_t connections_lost; /**< after a good CONNACK, not asked for */
    uint64_t attempts_failed;  /**< no good CONNACK */
    uint64_t tls_handshakes;   /**< finished, by a transport that has TLS */
    uint64_t tls_handshakes_resumed; /**< of these, of an earlier session */
};

/* -- private: the layout of the session ----------------------------------- */

struct mqtt_ring {
    uint8_t *bytes_;
    uint32_t size_;
};

/* First and last slot of a list in order; 0xFFFF: none. */
struct mqtt_slot_list {
    uint16_t first_, last_;
};

struct mqtt_identifier_set {
    uint8_t *bits_;
    uint16_t *list_;
    uint16_t capacity_, count_;
    uint16_t here_; /* of the list, came on this connection: the first ones */
};

/* Outgoing topic aliases of this connection. */
struct mqtt_alias_table {
    struct mqtt_alias *entries_;
    uint16_t count_, limit_; /* lent; of these, what the server allows */
    uint32_t clock_;         /* counts uses */
};

/* Incoming topic aliases of this connection: `used_` bytes of records. */
struct mqtt_alias_names {
    uint8_t *bytes_;
    uint32_t size_, used_;
    uint16_t maximum_;
};

/* Received messages that wait to be settled, in the order in which they came:
 * entries_[0..used_), of which the first here_ came on this connection. */
struct mqtt_unsettled_list {
    struct mqtt_unsettled *entries_;
    uint16_t capacity_, used_, here_, counter_;
    bool some_old_;       /* there may be some with a count above counter_ */
    bool nothing_leaves_; /* that was found, and nothing has come of it since */
};

struct mqtt_config;
struct mqtt_protocol;
struct mqtt_composer;
struct mqtt_store;

/* Small members come first in these structs: a Cortex-M0 reaches only the first
 * 32 bytes, 32 half-words and 32 words of a struct in one instruction. */
struct mqtt_session {
    bool connected_, slot_wanted_, compaction_futile_;
    bool agreed_;   /* a good CONNACK came in this session, perhaps to a process
                     before: messages may have been sent */
    bool given_up_; /* this side has ended it, and no other one has begun */
    bool batch_;    /* staged_ counts: it is beyond send_ */
    bool head_open_; /* open_ and rest_ count: control memory ends there */
    bool expiring_;
    bool store_changed_, committing_, stored_due_;
    int8_t store_error_; /* enum mqtt_error; all is to be written anew */

    struct mqtt_slot_list publishes_, pubrels_, ended_;
    uint16_t pubrel_due_; /* first of pubrels_ not sent yet */
    uint16_t unstored_; /* first of publishes_ whose record is not committed */
    uint16_t slot_mask_, slots_used_, slot_limit_;
    uint16_t slots_touched_; /* the slots from here on have no content yet */
    uint16_t next_identifier_;
    uint16_t reserved_identifier_;  /* of the SUBSCRIBE or UNSUBSCRIBE */
    uint16_t quota_, send_maximum_; /* of this connection */
    uint16_t quota_qos2_, send_maximum_qos2_;
    uint16_t quota_owed_; /* beyond send_maximum_, by older exchanges */
    uint16_t identifier_size_;
    uint16_t released_capacity_, released_count_; /* in their order: */
    uint16_t released_done_, released_committing_;
    uint16_t restored_; /* first ones of publishes_ that know of no clock yet */

    struct mqtt_ring ring_;
    /* Positions in the ring, in this order; see lib/session/outbox.h. */
    uint32_t head_, mark_, send_, ready_, tail_;
    struct mqtt_slot *slots_;
    const struct mqtt_protocol *protocol_;
    const struct mqtt_config *config_;
    /* Images that are not sent as they lie in the ring, see
     * lib/session/image.h and lib/engine/compose.c. */
    const struct mqtt_composer *composer_;
    uint32_t special_;         /* of them, from send_ (or staged_) on */
    struct mqtt_store *store_; /* see lib/session/store.h */
    uint32_t room_wanted_;     /* bytes that were refused; 0: none */
    uint32_t staged_;      /* up to here images lie in control memory, too */
    uint32_t open_, rest_; /* of the last of these only what is before rest_ */
    uint32_t expiry_s_;    /* if expiring_: no unsent message expires before */
    struct mqtt_identifier_set received_;
    struct mqtt_unsettled_list unsettled_;
    struct mqtt_limits limits_;
    uint8_t *identifier_; /* assigned by the server, in lent memory */
    uint32_t identifier_room_;
    uint16_t *released_;
    mqtt_time now_;
    uint64_t order_; /* of the last record that was put into the store */
};

#ifdef __cplusplus
}
#endif

#endif
