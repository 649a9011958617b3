#ifndef MQTT_EARLIER_H
#define MQTT_EARLIER_H

#include <mqttloop/types.h>

/* The earlier of two moments; MQTT_NEVER is later than any. */
static inline mqtt_time mqtt_earlier(mqtt_time a, mqtt_time b)
{
    return a < b ? a : b;
}

#endif
