/*
 * The events, in their order: what earlier ones have left over, what the
 * server sent, and at the end of all it sent, the end of the connection.
 */
#include "client/client_5_0.h"
#include "session/store.h"

/* A session that is not to be there is gone now. In 3.1.1 this connection was
 * for that alone. */
static bool wiped_out(struct mqtt_client *c)
{
    if (!c->wiping_)
        return false;
    if (c->engine_.protocol_->clean_ends_session) {
        mqtt_client_end_connection(c);
        return true;
    }
    c->wiping_ = false;
    return false;
}

static bool connected(struct mqtt_client *c, struct mqtt_event *event)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);

    c->established_ = true;
    c->connected_at_ = c->engine_.now_;
    mqtt_client_enter(c, MQTT_CLIENT_CONNECTED, MQTT_OK);
    if (!event->session_present)
        mqtt_subscriptions_renew(c);
    if (wiped_out(c))
        return false;
    if (event->properties.size)
        five->assigned(c, event->properties);
    c->session_held_ = true;
    c->resuming_ =
        !c->engine_.protocol_->clean_ends_session && !c->engine_.session_ends_;
    MQTT_COUNT(c->config_->statistics, connections);
    return true;
}

/* What an event of the engine is to the application; false: nothing. */
static bool translate(struct mqtt_client *c, struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_CONNECTED)
        return connected(c, event);
    if (event->type == MQTT_EVENT_AUTHENTICATION)
        c->greeted_ = false; /* it speaks 5.0: CONNACK is still to come */
    if ((unsigned)event->type >= MQTT_EVENT_SUBACK)
        return c->subscriber_->answered(c, event);
    return true;
}

static bool next_of_engine(struct mqtt_client *c, struct mqtt_event *event)
{
    while (mqtt_engine_next(&c->engine_, event))
        if (translate(c, event))
            return true;
    mqtt_client_follow_engine(c);
    return false;
}

/* An event that says nothing but its type. */
static bool plain(struct mqtt_event *event, enum mqtt_event_type type)
{
    mqtt_event_begin(event, type);
    return true;
}

/* When nothing more is to come of the connection, and what comes of itself. */
static bool next_of_client(struct mqtt_client *c, struct mqtt_event *event)
{
    const struct mqtt_store *store = c->session_.store_;

    if (store && store->seam->next(c, event))
        return true;
    if (c->lost_ && mqtt_client_conclude(c, event))
        return true;
    if (mqtt_session_next_ended(&c->session_, event) ||
        mqtt_subscriptions_next_gone(c, event))
        return true;
    if (mqtt_session_room_again(&c->session_))
        return plain(event, MQTT_EVENT_ROOM);
    if (!c->woken_)
        return false;
    c->woken_ = false;
    return plain(event, MQTT_EVENT_WOKEN);
}

bool mqtt_client_next(struct mqtt_client *client, struct mqtt_event *event)
{
    if (client->answers_left_) {
        client->subscriber_->next_answer(client, event);
        return true;
    }
    if (client->answer_properties_.size) {
        /* UNSUBACK tells of several, too; what goes beside it has none. */
        if (mqtt_subscriptions_next_gone(client, event))
            return true;
        client->answer_properties_.size = 0;
    }
    /* Before what the server says of them. */
    if (client->session_.stored_due_ &&
        client->session_.store_->seam->next_stored(client, event))
        return true;
    if (next_of_engine(client, event) || next_of_client(client, event))
        return true;
    mqtt_client_drain(client);
    /* That may have ended a client that waits to try again: nothing else would
     * tell the driver to pull once more. */
    return client->lost_ && next_of_client(client, event);
}
