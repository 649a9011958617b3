#include <mqttloop/posix.h>

#include <time.h>

mqtt_time mqtt_posix_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (mqtt_time)now.tv_sec * 1000 + (mqtt_time)now.tv_nsec / 1000000;
}
