/*
 * What the application asks for.
 */
#include "client/client.h"

enum mqtt_error mqtt_connect(struct mqtt_client *client)
{
    bool stopped, waiting;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    stopped = mqtt_client_is(client, MQTT_CLIENT_STOPPED);
    waiting = mqtt_client_is(client, MQTT_CLIENT_AWAIT_RETRY);
    if (client->wanted_ && !waiting)
        return MQTT_ERR_STATE;
    mqtt_client_ask_time(client);
    client->wanted_ = true;
    client->draining_ = false;
    client->drain_by_ = MQTT_NEVER;
    if (stopped)
        client->tries_ = 0;
    if (stopped || waiting)
        mqtt_client_start_opening(client);
    mqtt_client_notify(client);
    return MQTT_OK;
}

enum mqtt_error mqtt_disconnect(struct mqtt_client *client, uint32_t timeout_ms)
{
    if (!client)
        return MQTT_ERR_ARGUMENT;
    if (mqtt_client_is(client, MQTT_CLIENT_STOPPED))
        return MQTT_ERR_STATE;
    mqtt_client_ask_time(client);
    client->wanted_ = false;
    client->draining_ = timeout_ms != 0;
    client->drain_by_ = timeout_ms ? client->now_ + timeout_ms : MQTT_NEVER;
    if (timeout_ms)
        mqtt_client_drain(client);
    else
        mqtt_client_end_now(client);
    mqtt_client_notify(client);
    return MQTT_OK;
}

/* Whether it is the moment to publish at all. */
static enum mqtt_error publish_allowed(const struct mqtt_client *c,
                                       enum mqtt_qos qos)
{
    if (!c->wanted_ && !mqtt_client_is(c, MQTT_CLIENT_STOPPED))
        return MQTT_ERR_STATE; /* disconnecting */
    if (qos == MQTT_QOS_0 && !c->config_->keep_qos0 &&
        (!mqtt_client_is(c, MQTT_CLIENT_CONNECTED) || c->lost_ || c->ending_))
        return MQTT_ERR_OFFLINE;
    return MQTT_OK;
}

enum mqtt_error mqtt_client_publish(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    uint16_t *packet_identifier)
{
    uint16_t identifier = 0;
    enum mqtt_error error;

    if (!client || !message)
        return MQTT_ERR_ARGUMENT;
    error = publish_allowed(client, message->qos);
    if (!error)
        error = mqtt_session_publish(&client->session_, message, &identifier);
    if (error)
        return error;
    if (packet_identifier)
        *packet_identifier = identifier;
    mqtt_client_notify(client);
    return MQTT_OK;
}

enum mqtt_error mqtt_publish(struct mqtt_client *client, const char *topic_name,
                             const void *payload, size_t payload_size,
                             enum mqtt_qos qos, bool retain)
{
    struct mqtt_message message = {.topic_name = mqtt_text(topic_name),
                                   .payload = {payload, payload_size},
                                   .qos = qos,
                                   .retain = retain};

    return mqtt_client_publish(client, &message, NULL);
}
