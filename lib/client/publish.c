/*
 * Publishing, as far as it is not the session's: whether it is the moment, and
 * what 5.0 has beside topic name and payload.
 */
#include "client/client.h"
#include "engine/compose.h"
#include "session/seconds.h"

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
static enum mqtt_error check_properties(const struct mqtt_client *c,
                                        struct mqtt_message *message)
{
    const struct mqtt_protocol *protocol = c->session_.protocol_;

    if (!protocol->publish_check) {
        if (!c->config_->drop_unsupported)
            return MQTT_ERR_PROTOCOL_VERSION;
        message->properties = (struct mqtt_span){NULL, 0};
        return MQTT_OK;
    }
    return protocol->publish_check(message);
}

/* The moment at which it expires. A second that has begun counts as whole: it
 * is never too early. */
static enum mqtt_error set_expiry(struct mqtt_client *c,
                                  struct mqtt_draft *draft, uint32_t interval_s)
{
    if (draft->message->topic_name.size + MQTT_HEAD_OVERHEAD >
        c->engine_.control_.size_)
        return MQTT_ERR_TOO_LARGE;
    mqtt_client_ask_time(c);
    draft->expires = true;
    if (interval_s > MQTT_SECONDS_MAX)
        interval_s = MQTT_SECONDS_MAX;
    draft->deadline_s = mqtt_seconds_up(c->session_.now_) + interval_s;
    return MQTT_OK;
}

static enum mqtt_error prepare(struct mqtt_client *c,
                               struct mqtt_message *message,
                               struct mqtt_draft *draft)
{
    const struct mqtt_protocol *protocol = c->session_.protocol_;
    enum mqtt_error error = check_properties(c, message);
    uint32_t interval_s;

    if (error || !message->properties.size)
        return error;
    if (c->config_->check_payload_format && !draft->source &&
        protocol->malformed(message))
        return MQTT_ERR_PAYLOAD_FORMAT;
    if (protocol->expiry(message, &interval_s))
        return set_expiry(c, draft, interval_s);
    return MQTT_OK;
}

enum mqtt_error mqtt_client_publish_draft(struct mqtt_client *client,
                                          const struct mqtt_message *message,
                                          struct mqtt_source *source,
                                          uint16_t *packet_identifier)
{
    struct mqtt_draft draft = {.message = message, .source = source};
    struct mqtt_message prepared;
    uint16_t identifier = 0;
    enum mqtt_error error = publish_allowed(client, message->qos);

    if (!error && message->properties.size) {
        prepared = *message;
        draft.message = &prepared;
        error = prepare(client, &prepared, &draft);
    }
    if (!error)
        error = mqtt_session_publish(&client->session_, &draft, &identifier);
    if (error)
        return error;
    if (packet_identifier)
        *packet_identifier = identifier;
    mqtt_client_notify(client);
    return MQTT_OK;
}

enum mqtt_error mqtt_client_publish(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    uint16_t *packet_identifier)
{
    if (!client || !message)
        return MQTT_ERR_ARGUMENT;
    return mqtt_client_publish_draft(client, message, NULL, packet_identifier);
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
