/*
 * The store as a client sees it: events, and when to commit.
 */
#include "client/client.h"
#include "session/store.h"

/* Whether the application is to be told of it: once, though it may be written
 * anew. */
static bool take_stored(struct mqtt_slot *slot)
{
    unsigned flags = slot->flags_;

    if (!(flags & MQTT_SLOT_STORED))
        return false;
    slot->flags_ =
        (uint8_t)((flags & ~(unsigned)MQTT_SLOT_STORED) | MQTT_SLOT_TOLD);
    return !(flags & MQTT_SLOT_TOLD);
}

static bool next_stored(struct mqtt_client *c, struct mqtt_event *event)
{
    struct mqtt_session *s = &c->session_;

    for (uint16_t i = s->publishes_.first_; i != MQTT_NO_SLOT;
         i = s->slots_[i].next_) {
        struct mqtt_slot *slot = &s->slots_[i];

        if (!take_stored(slot))
            continue;
        mqtt_event_begin(event, MQTT_EVENT_STORED);
        event->packet_identifier = slot->identifier_;
        return true;
    }
    s->stored_due_ = false;
    return false;
}

/* What depends on the store is not sent: the connection ends
 * [3.1.1 MQTT-4.8.0-2]. */
static bool failed(struct mqtt_client *c, struct mqtt_event *event)
{
    if (!c->session_.store_error_ || c->store_told_)
        return false;
    c->store_told_ = true;
    if (!c->lost_ && (mqtt_client_is(c, MQTT_CLIENT_AWAIT_CONNACK) ||
                      mqtt_client_is(c, MQTT_CLIENT_CONNECTED)))
        mqtt_engine_break(&c->engine_, MQTT_ERR_STORE);
    mqtt_client_follow_engine(c);
    mqtt_event_begin(event, MQTT_EVENT_STORE_FAILED);
    event->error = (enum mqtt_error)c->session_.store_error_;
    return true;
}

/* Acknowledgements that waited for a commit may leave now. */
static void settle_more(struct mqtt_client *c)
{
    if (c->session_.released_done_ || c->session_.unsettled_.used_)
        c->engine_.settled_waits_ = true;
}

static bool next(struct mqtt_client *c, struct mqtt_event *event)
{
    struct mqtt_session *s = &c->session_;

    /* An end is told before its removal can become durable: no process that
     * came after would know of it. */
    if (mqtt_session_next_ended(s, event))
        return true;
    s->store_->seam->records->commit(s, c);
    settle_more(c);
    return failed(c, event) || (s->stored_due_ && next_stored(c, event));
}

static void reopen(struct mqtt_client *c)
{
    struct mqtt_session *s = &c->session_;

    if (s->store_error_) /* also while a commit is open: it is of the next one */
        s->store_->seam->records->rewrite(s);
    c->store_told_ = false;
}

const struct mqtt_store_seam mqtt_store_seam = {
    .records = &mqtt_store_records,
    .next = next,
    .next_stored = next_stored,
    .reopen = reopen,
};

void mqtt_client_committed(struct mqtt_client *client, enum mqtt_error error)
{
    struct mqtt_session *s = &client->session_;

    if (!s->store_)
        return;
    s->store_->seam->records->committed(s, error);
    settle_more(client);
    mqtt_client_notify(client);
}
