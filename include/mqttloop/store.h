/*
 * mqttloop/store.h - where a session outlives its process.
 *
 * A store keeps records: outgoing messages that are not finished, and the
 * packet identifiers of QoS 2 messages that came. The client writes them as they
 * change, commits once a turn, and sends what depends on a record only when its
 * commit is done:
 *
 *     PUBLISH of QoS 1 or 2   its record is put
 *     PUBREL                  the record of PUBLISH has become one of PUBREL
 *     PUBREC                  the message is settled, its identifier is put
 *     PUBCOMP                 the identifier is removed
 *
 * Nothing else waits; but what was published later, QoS 0 too, keeps its place
 * behind a message that does. What this promises, as long as the server keeps
 * the session: a QoS 2 message that was published is delivered exactly once from
 * its MQTT_EVENT_STORED on; a message that came is given to the application at
 * least once over kills, and a QoS 2 one never again after its settling was
 * committed. MQTT_EVENT_STORED comes at most once for a message, before its
 * MQTT_EVENT_PUBLISHED; one that ends before its commit has none, nor has what
 * was restored. An end that was told and is not yet committed is void when the
 * process is killed: the next one goes on with the message, and tells its end
 * again.
 *
 * What the next process finds counts as sent, with DUP, if there ever was a good
 * CONNACK in the session: if the server has lost it then, it ends with
 * MQTT_OUTCOME_LOST, or see republish_lost. If this side had ended the session it
 * is sent as new, and ends with MQTT_OUTCOME_LOST if it expires or is forbidden.
 * Of a Message Expiry Interval what was left when the message was put is left.
 *
 * A message whose payload comes from a source (stream.h) has no record: it does
 * not outlive the process, and does not wait. One of QoS 2 that a kill
 * interrupts may still have its packet identifier taken at the server, which
 * then takes the next message of that identifier for the same.
 *
 * A process that is killed after it learnt that the server has lost the session,
 * and before it has committed that, leaves its records to the next one, to which
 * the new session looks like theirs: the packet identifier of a QoS 2 message
 * that was settled in the old one can then hide a message of the new one.
 */
#ifndef MQTTLOOP_STORE_H
#define MQTTLOOP_STORE_H

#include <mqttloop/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mqtt_record_kind {
    MQTT_RECORD_PUBLISH = 1, /**< an outgoing message; `content` is needed */
    MQTT_RECORD_PUBREL,   /**< PUBREC came for it: a byte of content, or none */
    MQTT_RECORD_RECEIVED, /**< a QoS 2 message that came, and was settled */
    MQTT_RECORD_SESSION   /**< what the others have in common; `content` */
};

/** What the library has to do with stores; named by each. */
extern const struct mqtt_store_seam mqtt_store_seam;

/**
 * A record. At most one of each kind and packet identifier exists; of PUBLISH
 * and PUBREL together one for a packet identifier: the later put replaces the
 * earlier one.
 *
 * order    Records are restored in this order, the lowest first. It goes up
 *          with each put, over processes too.
 * content  Bytes that only the client reads, in up to three pieces, at most
 *          outbox_size + 8 of them. Borrowed for the call. Restored in one piece.
 */
struct mqtt_record {
    enum mqtt_record_kind kind;
    uint16_t packet_identifier; /**< 0: none */
    uint64_t order;
    struct mqtt_span content[3];
};

struct mqtt_client;

/**
 * A store, in the configuration; may serve several clients. `client_identifier`
 * is the key of all records of a session: the configured one, empty if the
 * server assigns it. Hooks: they are called from inside, and may call nothing
 * back but mqtt_client_committed() after they have returned.
 *
 * What is put and removed takes effect with the next commit, all of it or
 * nothing. Errors of put() and remove() count as errors of that commit: the
 * connection is closed without DISCONNECT, nothing that depends on it is sent,
 * MQTT_EVENT_STORE_FAILED tells of it, and when the next connection opens all is
 * written anew: remove_all(), then a put() for each record, also while a commit
 * is open: they are of the next one.
 */
struct mqtt_store {
    const struct mqtt_store_seam *seam; /**< &mqtt_store_seam */
    enum mqtt_error (*put)(struct mqtt_store *store,
                           struct mqtt_span client_identifier,
                           const struct mqtt_record *record);
    /** One that is not there is fine. */
    enum mqtt_error (*remove)(struct mqtt_store *store,
                              struct mqtt_span client_identifier,
                              enum mqtt_record_kind kind,
                              uint16_t packet_identifier);
    /** All records of a session. */
    enum mqtt_error (*remove_all)(struct mqtt_store *store,
                                  struct mqtt_span client_identifier);
    /**
     * Make durable what was put and removed since the last commit. *done: it
     * is; otherwise mqtt_client_committed() will tell, and no other commit
     * follows before.
     */
    enum mqtt_error (*commit)(struct mqtt_store *store,
                              struct mqtt_span client_identifier,
                              struct mqtt_client *client, bool *done);
    /**
     * The record with the lowest order above `order`; *found: there is one. Its
     * content stays until the next call. Called by mqtt_client_init() only, with
     * `order` 0 at first: what an earlier client of this client identifier put
     * or removed, and what is not committed by then, is void from now on.
     */
    enum mqtt_error (*next)(struct mqtt_store *store,
                            struct mqtt_span client_identifier, uint64_t order,
                            struct mqtt_record *record, bool *found);
    void *context; /**< yours */
};

/** The commit that was asked for is done, or has failed with `error`: nothing
 * of it is durable. From the loop's thread, not from inside a hook. Nothing
 * happens if none is open, or if the client was destroyed; but its memory has to
 * be there. */
void mqtt_client_committed(struct mqtt_client *client, enum mqtt_error error);

#ifdef __cplusplus
}
#endif

#endif
