#include "client/client.h"
#include "engine/parts.h"
#include <mqttloop/stream.h>

enum mqtt_error mqtt_refuse_rest(struct mqtt_client *client,
                                 uint8_t reason_code)
{
    enum mqtt_error error;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    error = mqtt_parts_refuse(&client->engine_, reason_code);
    if (!error)
        mqtt_client_notify(client);
    return error;
}
