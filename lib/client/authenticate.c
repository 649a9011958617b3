#include "client/client.h"
#include "engine/authenticate.h"

enum mqtt_error mqtt_authenticate(struct mqtt_client *client,
                                  struct mqtt_span data,
                                  struct mqtt_span properties)
{
    enum mqtt_error error;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    if (!mqtt_protocol_is_5(client->engine_.protocol_))
        return MQTT_ERR_PROTOCOL_VERSION;
    if (client->lost_)
        return MQTT_ERR_STATE;
    mqtt_client_ask_time(client);
    error = mqtt_engine_authenticate(&client->engine_, data, properties);
    if (!error)
        mqtt_client_notify(client);
    return error;
}
