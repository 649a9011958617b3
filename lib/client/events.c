/*
 * The events, in their order: what earlier ones have left over, what the
 * server sent, and at the end of all it sent, the end of the connection.
 */
#include "client/client.h"

static bool connected(struct mqtt_client *c, struct mqtt_event *event)
{
    c->established_ = true;
    c->connected_at_ = c->now_;
    mqtt_client_enter(c, MQTT_CLIENT_CONNECTED, MQTT_OK);
    if (!event->session_present)
        mqtt_subscriptions_renew(c);
    if (c->wiping_) {
        mqtt_client_end_connection(c);
        return false;
    }
    c->session_held_ = true;
    MQTT_COUNT(c->config_->statistics, connections);
    return true;
}

/* What an event of the engine is to the application; false: nothing. */
static bool translate(struct mqtt_client *c, struct mqtt_event *event)
{
    switch ((int)event->type) {
    case MQTT_EVENT_CONNECTED:
        return connected(c, event);
    case MQTT_EVENT_SUBACK:
        mqtt_subscriptions_answered(c, event->message.payload);
        return mqtt_subscriptions_next_answer(c, event);
    case MQTT_EVENT_UNSUBACK:
        mqtt_subscriptions_unanswered(c);
        return mqtt_subscriptions_next_gone(c, event);
    default:
        return true;
    }
}

static bool next_ended(struct mqtt_client *c, struct mqtt_event *event)
{
    uint16_t identifier;
    enum mqtt_outcome outcome;

    if (!mqtt_session_next_ended(&c->session_, &identifier, &outcome))
        return false;
    memset(event, 0, sizeof *event);
    event->type = MQTT_EVENT_PUBLISHED;
    event->packet_identifier = identifier;
    event->outcome = outcome;
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

/* When nothing more is to come of the connection, and what comes of itself. */
static bool next_of_client(struct mqtt_client *c, struct mqtt_event *event)
{
    if (c->lost_ && mqtt_client_conclude(c, event))
        return true;
    if (next_ended(c, event) || mqtt_subscriptions_next_gone(c, event))
        return true;
    if (mqtt_session_room_again(&c->session_)) {
        memset(event, 0, sizeof *event);
        event->type = MQTT_EVENT_ROOM;
        return true;
    }
    return false;
}

bool mqtt_client_next(struct mqtt_client *client, struct mqtt_event *event)
{
    if (client->answers_left_ && mqtt_subscriptions_next_answer(client, event))
        return true;
    if (next_of_engine(client, event) || next_of_client(client, event))
        return true;
    mqtt_client_drain(client);
    /* That may have ended a client that waits to try again: nothing else would
     * tell the driver to pull once more. */
    return client->lost_ && next_of_client(client, event);
}
