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
 *           read past, acknowledged, and reported; any other packet that is
 *           larger ends the connection with MQTT_ERR_PACKET_TOO_LARGE.
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
    uint64_t messages_lost;         /**< ended lost, or unknown */
    uint64_t publishes_refused;     /**< MQTT_ERR_NO_ROOM */
    uint64_t unknown_acknowledgements;
    uint64_t pings_sent;
    uint64_t connections;      /**< good CONNACKs */
    uint64_t connections_lost; /**< after a good CONNACK, not asked for */
    uint64_t attempts_failed;  /**< no good CONNACK */
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
};

struct mqtt_protocol;

struct mqtt_session {
    const struct mqtt_protocol *protocol_;
    struct mqtt_ring ring_;
    /* Positions in the ring, in this order; see lib/session/outbox.h. */
    uint32_t head_, mark_, send_, ready_, tail_;
    struct mqtt_slot *slots_;
    struct mqtt_slot_list publishes_, pubrels_, ended_;
    struct mqtt_identifier_set received_;
    struct mqtt_statistics *statistics_;
    uint16_t slot_mask_, slots_used_, slot_limit_;
    uint16_t slots_touched_; /* the slots from here on have no content yet */
    uint16_t next_identifier_;
    uint16_t reserved_identifier_; /* of the SUBSCRIBE or UNSUBSCRIBE */
    uint16_t pubrel_due_;          /* first of pubrels_ not sent yet */
    uint16_t quota_, send_maximum_;
    uint16_t quota_qos2_, send_maximum_qos2_;
    uint32_t room_wanted_; /* bytes that were refused; 0: none */
    bool connected_, slot_wanted_, compaction_futile_;
};

#ifdef __cplusplus
}
#endif

#endif
