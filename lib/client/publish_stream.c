#include "client/client.h"
#include "engine/compose.h"
#include <mqttloop/stream.h>

/* Bytes of properties that are not left out. */
static size_t sent_properties(const struct mqtt_client *c,
                              const struct mqtt_message *message)
{
    return mqtt_protocol_is_5(c->session_.protocol_) ? message->properties.size
                                                     : 0;
}

/* Its head is written into control memory before it leaves. */
static bool head_fits(const struct mqtt_client *c,
                      const struct mqtt_message *message)
{
    size_t room = c->engine_.control_.size_;

    return room > MQTT_HEAD_OVERHEAD &&
           message->topic_name.size <= room - MQTT_HEAD_OVERHEAD &&
           sent_properties(c, message) <=
               room - MQTT_HEAD_OVERHEAD - message->topic_name.size;
}

enum mqtt_error mqtt_publish_stream(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    struct mqtt_source *source,
                                    uint16_t *packet_identifier)
{
    struct mqtt_draft draft = {.message = message, .source = source};

    if (!client || !message || !source || !source->read)
        return MQTT_ERR_ARGUMENT;
    if (message->qos == MQTT_QOS_0)
        return MQTT_ERR_QOS;
    if (!head_fits(client, message))
        return MQTT_ERR_TOO_LARGE;
    client->session_.composer_ = &mqtt_composer;
    return mqtt_client_publish_draft(client, &draft, packet_identifier);
}
