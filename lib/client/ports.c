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
}

const void *mqtt_client_output_buf(struct mqtt_client *client, size_t *size)
{
    *size = 0;
    if (client->lost_ || (!mqtt_client_is(client, MQTT_CLIENT_AWAIT_CONNACK) &&
                          !mqtt_client_is(client, MQTT_CLIENT_CONNECTED)))
        return NULL;
    if (client->subscriptions_due_) {
        mqtt_subscriptions_request(client);
        mqtt_client_drain(client); /* perhaps nothing was due any more */
    }
    return mqtt_engine_output_buf(&client->engine_, size);
}

void mqtt_client_output_done(struct mqtt_client *client, size_t size)
{
    mqtt_engine_output_done(&client->engine_, size);
    mqtt_client_follow_engine(client);
    mqtt_client_drain(client);
}
