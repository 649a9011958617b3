/*
 * What 5.0 has beside topic name and payload of a message to be published.
 */
#include "client/client_5_0.h"
#include "engine/compose.h"
#include "session/seconds.h"
#include "wire/packet_5_0.h"

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

enum mqtt_error mqtt_client_prepare(struct mqtt_client *c,
                                    struct mqtt_draft *draft)
{
    const struct mqtt_message *message = draft->message;
    enum mqtt_error error = mqtt_publish_check_5_0(message);
    uint32_t interval_s;

    if (error)
        return error;
    if (c->config_->check_payload_format && !draft->source &&
        mqtt_message_malformed_5_0(message))
        return MQTT_ERR_PAYLOAD_FORMAT;
    if (mqtt_message_expiry_5_0(message, &interval_s))
        return set_expiry(c, draft, interval_s);
    return MQTT_OK;
}
