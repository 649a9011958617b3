/*
 * Publishing, as far as it is not the session's: whether it is the moment.
 */
#include "client/client_5_0.h"

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

/* The properties of a message that has some, which 3.1.1 has not. */
static enum mqtt_error prepare(struct mqtt_client *c, struct mqtt_draft *draft)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);

    if (mqtt_protocol_is_5(c->session_.protocol_))
        return five->prepare(c, draft);
    return c->config_->drop_unsupported ? MQTT_OK : MQTT_ERR_PROTOCOL_VERSION;
}

enum mqtt_error mqtt_client_publish_draft(struct mqtt_client *client,
                                          struct mqtt_draft *draft,
                                          uint16_t *packet_identifier)
{
    enum mqtt_error error = publish_allowed(client, draft->message->qos);

    if (!error && draft->message->properties.size)
        error = prepare(client, draft);
    if (!error)
        error = mqtt_session_publish(&client->session_, draft);
    if (error)
        return error;
    if (packet_identifier)
        *packet_identifier = draft->identifier;
    if (!client->notified_)
        mqtt_client_notify(client);
    return MQTT_OK;
}

enum mqtt_error mqtt_client_publish(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    uint16_t *packet_identifier)
{
    struct mqtt_draft draft = {.message = message};

    if (!client || !message)
        return MQTT_ERR_ARGUMENT;
    return mqtt_client_publish_draft(client, &draft, packet_identifier);
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
