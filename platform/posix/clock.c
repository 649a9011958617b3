#include "clock.h"

#include <limits.h>
#include <mqttloop/posix.h>
#include <time.h>

mqtt_time mqtt_posix_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (mqtt_time)now.tv_sec * 1000 + (mqtt_time)now.tv_nsec / 1000000;
}

int mqtt_posix_timeout(mqtt_time until)
{
    mqtt_time at = mqtt_posix_now();

    if (until == MQTT_NEVER)
        return -1;
    if (until <= at)
        return 0;
    return until - at < INT_MAX ? (int)(until - at) : INT_MAX;
}
