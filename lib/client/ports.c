/*
 * The ports: what a driver of the client sees of it, beside its life.
 */
#include "client/client.h"

enum mqtt_want mqtt_client_wants(const struct mqtt_client *client)
{
    if (client->lost_)
        return MQTT_WANT_NOTHING;
    switch ((enum mqtt_client_state)client->state_) {
    case MQTT_CLIENT_AWAIT_OPEN:
        return MQTT_WANT_OPEN;
    case MQTT_CLIENT_AWAIT_END:
        return MQTT_WANT_FINISH;
    case MQTT_CLIENT_AWAIT_CLOSE:
        return MQTT_WANT_CLOSE;
    default:
        return MQTT_WANT_NOTHING;
    }
}

const struct mqtt_server *mqtt_client_server(const struct mqtt_client *client)
{
    return &client->server_;
}

void mqtt_client_notify(struct mqtt_client *c)
{
    if (c->notified_ || !c->requested_)
        return;
    c->notified_ = true;
    c->requested_(c->driver_);
}

void mqtt_client_woken(struct mqtt_client *client)
{
    client->woken_ = true;
    mqtt_client_notify(client);
}

static bool receiving(const struct mqtt_client *c)
{
    return !c->lost_ && (mqtt_client_is(c, MQTT_CLIENT_AWAIT_CONNACK) ||
                         mqtt_client_is(c, MQTT_CLIENT_CONNECTED) ||
                         mqtt_client_is(c, MQTT_CLIENT_AWAIT_END));
}

void *mqtt_client_input_buf(struct mqtt_client *client, void *lent,
                            size_t lent_size, size_t *size)
{
    *size = 0;
    if (!receiving(client))
        return NULL;
    return mqtt_engine_input_buf(&client->engine_, lent, lent_size, size);
}

void mqtt_client_input_done(struct mqtt_client *client, size_t size)
{
    if (receiving(client))
        mqtt_engine_input_done(&client->engine_, size);
}

void mqtt_client_input_keep(struct mqtt_client *client)
{
    mqtt_engine_input_keep(&client->engine_);
    client->answer_properties_ = (struct mqtt_span){NULL, 0};
}

const struct mqtt_limits *mqtt_client_limits(const struct mqtt_client *client)
{
    return &client->session_.limits_;
}

const struct mqtt_protocol *
mqtt_client_protocol(const struct mqtt_client *client)
{
    return client->engine_.protocol_;
}

struct mqtt_span mqtt_client_identifier(const struct mqtt_client *client)
{
    struct mqtt_span configured = client->config_->connect.client_identifier;

    if (configured.size)
        return configured;
    return (struct mqtt_span){client->session_.identifier_,
                              client->session_.identifier_size_};
}

const void *mqtt_client_output_buf(struct mqtt_client *client, size_t *size)
{
    const void *bytes;

    *size = 0;
    if (client->lost_ || (!mqtt_client_is(client, MQTT_CLIENT_AWAIT_CONNACK) &&
                          !mqtt_client_is(client, MQTT_CLIENT_CONNECTED)))
        return NULL;
    if (client->subscriptions_due_) {
        client->subscriber_->request_due(client);
        mqtt_client_drain(client); /* perhaps nothing was due any more */
    }
    bytes = mqtt_engine_output_buf(&client->engine_, size);
    if (!bytes) /* a source may have failed */
        mqtt_client_follow_engine(client);
    return bytes;
}

void mqtt_client_output_done(struct mqtt_client *client, size_t size)
{
    mqtt_engine_output_done(&client->engine_, size);
    mqtt_client_follow_engine(client);
    mqtt_client_drain(client);
}
