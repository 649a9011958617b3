#include "session/session.h"

void mqtt_count(struct mqtt_statistics *statistics, size_t offset, size_t count)
{
    if (statistics)
        *(uint64_t *)(void *)((uint8_t *)statistics + offset) += count;
}
