#include <mqttloop/log.h>

const char *mqtt_client_state_text(enum mqtt_client_state state)
{
    static const char *const texts[] = {
        "STOPPED",   "AWAIT_RETRY", "AWAIT_OPEN", "AWAIT_CONNACK",
        "CONNECTED", "AWAIT_END",   "AWAIT_CLOSE"};

    return (size_t)state < sizeof texts / sizeof texts[0] ? texts[state]
                                                          : "unknown";
}
