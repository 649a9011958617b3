/*
 * Which version is spoken, until a good CONNACK has settled it.
 */
#include "client/client_5_0.h"

/* A server that does not speak 5.0 refuses it in its own words, or in those of
 * 5.0, or closes without a word. */
static bool not_understood(const struct mqtt_client *c)
{
    switch (c->why_) {
    case MQTT_ERR_REFUSED:
        return c->reason_code_ == 1 ||
               c->reason_code_ == MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION;
    case MQTT_ERR_CLOSED:
    case MQTT_ERR_NETWORK:
    case MQTT_ERR_TLS_TRUNCATED: /* closed, by a server that is short with us */
    case MQTT_ERR_WEBSOCKET:     /* closed with a code, such as 1002 */
        return c->greeted_;
    default:
        return false;
    }
}

bool mqtt_client_fall_back(struct mqtt_client *c)
{
    const struct mqtt_config *config = c->config_;
    bool at_first = c->engine_.protocol_ == config->protocol;

    if (!config->fallback || c->session_.agreed_ || !not_understood(c))
        return false;
    if (c->session_.protocol_ == config->fallback)
        return false; /* restored in its form, and not to be sent otherwise */
    c->engine_.protocol_ = at_first ? config->fallback : config->protocol;
    return at_first;
}
