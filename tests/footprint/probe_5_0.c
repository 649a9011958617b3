#include "use_5_0.h"

static const struct mqtt_config config = {
    .protocol = &mqtt_protocol_5_0,
    .connect = USE_CONNECT,
    .servers = &device_server,
    .server_count = 1,
    .settle = MQTT_SETTLE_BY_CALL,
    .random = device_random,
    .on_event = device_event,
    .on_message = device_message,
};

int main(void)
{
    use_5_0(&config);
    return 0;
}
