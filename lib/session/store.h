/*
 * What the session has to do with a durable store: each change of what must
 * outlive the process passes through here. See mqttloop/store.h for what waits
 * for a commit.
 */
#ifndef MQTT_SESSION_STORE_H
#define MQTT_SESSION_STORE_H

#include <mqttloop/store.h>
#include "session/session.h"
#include "session/slots.h"

struct mqtt_store_records {
    void (*put_message)(struct mqtt_session *s, struct mqtt_slot *slot);
    void (*remove_message)(struct mqtt_session *s, struct mqtt_slot *slot);
    void (*put_received)(struct mqtt_session *s, uint16_t identifier);
    bool (*remove_received)(struct mqtt_session *s, uint16_t identifier);
    void (*forget_received)(struct mqtt_session *s, uint16_t identifier);
    void (*rewrite)(struct mqtt_session *s);
    void (*commit)(struct mqtt_session *s, struct mqtt_client *client);
    void (*committed)(struct mqtt_session *s, enum mqtt_error error);
    void (*put_session)(struct mqtt_session *s);
    enum mqtt_error (*restore)(struct mqtt_session *s,
                               const struct mqtt_config *config);
    void (*start_clock)(struct mqtt_session *s);
};
extern const struct mqtt_store_records mqtt_store_records;

/* The same, and what a client has to do with a store (client/store.c). */
struct mqtt_store_seam {
    const struct mqtt_store_records *records;
    /* What ended, the commit at the end of a turn, and the next event of the
     * store. */
    bool (*next)(struct mqtt_client *c, struct mqtt_event *event);
    /* The next message that is durable now, and was not before. */
    bool (*next_stored)(struct mqtt_client *c, struct mqtt_event *event);
    /* Before a new connection: what the last one could not write. */
    void (*reopen)(struct mqtt_client *c);
};

/* Before the image of a message: the second at which it was put, counted as a
 * whole one as in its expiry, which is to be read by it. */
#define MQTT_RECORD_CLOCK 4

/* Before the client identifier in the record of the session. AGREED: whether it
 * is, or that it was and this side has ended it. */
enum { MQTT_RECORD_LEVEL, MQTT_RECORD_AGREED, MQTT_RECORD_ASSIGNED };
enum { MQTT_RECORD_ENDED = 2 };

/* Whether a session in its version can have put this record (record.c). */
bool mqtt_record_valid(const struct mqtt_session *s,
                       const struct mqtt_record *record);

/* At the beginning (restore.c). */
enum mqtt_error mqtt_store_restore(struct mqtt_session *s,
                                   const struct mqtt_config *config);
void mqtt_store_start_clock(struct mqtt_session *s);

/* All records of the session have the configured client identifier. */
static inline struct mqtt_span mqtt_store_key(const struct mqtt_session *s)
{
    return s->config_->connect.client_identifier;
}

/* A record of the slot's message, by its state, that is to be committed. */
static inline void mqtt_store_message(struct mqtt_session *s,
                                      struct mqtt_slot *slot)
{
    if (s->store_)
        s->store_->seam->records->put_message(s, slot);
}

/* The message has ended. */
static inline void mqtt_store_remove_message(struct mqtt_session *s,
                                             struct mqtt_slot *slot)
{
    if (s->store_)
        s->store_->seam->records->remove_message(s, slot);
}

/* The session is another one, or is written otherwise: all anew. */
static inline void mqtt_store_rewrite(struct mqtt_session *s)
{
    if (s->store_)
        s->store_->seam->records->rewrite(s);
}

/* What all records of the session have in common has changed. */
static inline void mqtt_store_session(struct mqtt_session *s)
{
    if (s->store_)
        s->store_->seam->records->put_session(s);
}

/* A time has been told; restored messages may wait for the first one. */
static inline void mqtt_store_time(struct mqtt_session *s)
{
    if (s->restored_)
        s->store_->seam->records->start_clock(s);
}

/* Whether the record of a message is not yet durable. */
static inline bool mqtt_store_awaits(const struct mqtt_slot *slot)
{
    return slot->flags_ & (MQTT_SLOT_UNSTORED | MQTT_SLOT_COMMITTING);
}

#endif
