#include <mqttloop/version.h>

const char *mqtt_library_version(void)
{
    return MQTT_LIBRARY_VERSION;
}
