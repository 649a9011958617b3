#include "client/client_5_0.h"

/* A reason code, which 3.1.1 has not. */
static enum mqtt_error check_code(const struct mqtt_client *c, uint8_t *code)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);
    bool spoken = mqtt_protocol_is_5(c->engine_.protocol_);

    if (!spoken && !c->config_->drop_unsupported)
        return MQTT_ERR_PROTOCOL_VERSION;
    if (five && !five->may_settle(*code))
        return MQTT_ERR_REASON_CODE; /* [5.0 MQTT-3.4.2-1] */
    if (!spoken)
        *code = 0;
    return MQTT_OK;
}

enum mqtt_error mqtt_settle(struct mqtt_client *client, uint32_t settle_handle,
                            uint8_t reason_code)
{
    enum mqtt_error error = MQTT_OK;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    if (reason_code)
        error = check_code(client, &reason_code);
    if (!error)
        error = mqtt_engine_settle_handle(&client->engine_, settle_handle,
                                          reason_code);
    if (!error)
        mqtt_client_notify(client);
    return error;
}
