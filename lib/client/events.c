/*
 * The events, in their order: what earlier ones have left over, what the
 * server sent, and at the end of all it sent, the end of the connection.
 */
#include "client/client.h"
#include "session/store.h"

/* Whether it can be kept: in its memory, and in the next CONNECT, which has to
 * fit into control memory, also if it announces topic aliases again. */
static bool can_keep(const struct mqtt_client *c, struct mqtt_span identifier)
{
    struct mqtt_connect_options options = c->options_;
    struct mqtt_announced announced =
        mqtt_engine_announced(&c->engine_, &options);

    options.client_identifier = identifier;
    announced.topic_alias_maximum = c->engine_.alias_names_.maximum_;
    return identifier.size <= c->session_.identifier_room_ &&
           c->engine_.protocol_->connect_size(&options, &announced) <=
               c->engine_.control_.size_;
}

/* The client identifier that the server has chosen [5.0 MQTT-3.2.2-16]. */
static void keep_identifier(struct mqtt_client *c, struct mqtt_span properties)
{
    const struct mqtt_protocol *protocol = c->engine_.protocol_;
    struct mqtt_session *s = &c->session_;
    struct mqtt_span assigned;

    if (!protocol->assigned || !protocol->assigned(properties, &assigned))
        return;
    if (!can_keep(c, assigned)) {
        s->identifier_size_ = 0;
        c->engine_.session_ends_ = true; /* nobody can come back to it */
        return;
    }
    memcpy(s->identifier_, assigned.data, assigned.size);
    s->identifier_size_ = (uint16_t)assigned.size;
    mqtt_store_session(s);
}

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
    c->established_ = true;
    c->connected_at_ = c->engine_.now_;
    mqtt_client_enter(c, MQTT_CLIENT_CONNECTED, MQTT_OK);
    if (!event->session_present)
        mqtt_subscriptions_renew(c);
    if (wiped_out(c))
        return false;
    keep_identifier(c, event->properties);
    c->session_held_ = true;
    c->resuming_ =
        !c->engine_.protocol_->clean_ends_session && !c->engine_.session_ends_;
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
        c->answer_properties_ = event->properties;
        mqtt_subscriptions_answered(c, event->message.payload);
        mqtt_subscriptions_next_answer(c, event);
        return true;
    case MQTT_EVENT_UNSUBACK:
        c->answer_properties_ = event->properties;
        mqtt_subscriptions_ended(c, event->message.payload);
        return mqtt_subscriptions_next_gone(c, event);
    default:
        return true;
    }
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
    memset(event, 0, sizeof *event);
    event->type = type;
    return true;
}

/* When nothing more is to come of the connection, and what comes of itself. */
static bool next_of_client(struct mqtt_client *c, struct mqtt_event *event)
{
    /* With a store an end is told before its removal can become durable: no
     * process that came after would know of it. */
    if (c->session_.store_ && (mqtt_session_next_ended(&c->session_, event) ||
                               mqtt_client_next_of_store(c, event)))
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
        mqtt_subscriptions_next_answer(client, event);
        return true;
    }
    if (client->answer_properties_.size) {
        /* UNSUBACK tells of several, too. */
        if (mqtt_subscriptions_next_gone(client, event))
            return true;
        client->answer_properties_.size = 0;
    }
    /* Before what the server says of them. */
    if (client->session_.stored_due_ && mqtt_client_next_stored(client, event))
        return true;
    if (next_of_engine(client, event) || next_of_client(client, event))
        return true;
    mqtt_client_drain(client);
    /* That may have ended a client that waits to try again: nothing else would
     * tell the driver to pull once more. */
    return client->lost_ && next_of_client(client, event);
}
