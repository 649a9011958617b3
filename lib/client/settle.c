#include "client/client.h"
#include "wire/reason.h"

enum mqtt_error mqtt_settle(struct mqtt_client *client, uint32_t settle_handle,
                            uint8_t reason_code)
{
    enum mqtt_error error;
    bool five;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    five = mqtt_protocol_is_5(client->engine_.protocol_);
    if (reason_code && !five && !client->config_->drop_unsupported)
        return MQTT_ERR_PROTOCOL_VERSION;
    if (!mqtt_reason_may_stand(reason_code, MQTT_REASON_IN_PUBACK))
        return MQTT_ERR_REASON_CODE; /* [5.0 MQTT-3.4.2-1] */
    error = mqtt_engine_settle_handle(&client->engine_, settle_handle,
                                      five ? reason_code : 0);
    if (!error)
        mqtt_client_notify(client);
    return error;
}
