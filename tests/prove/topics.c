/*
 * topics.c - whether topic names and filters are valid: of each size to a bound,
 * of any bytes.
 */
#include "prove.h"

#include "wire/topic.h"

enum { MOST = 24 };

static void check(struct mqtt_span topic)
{
    mqtt_topic_name_valid(topic);
    mqtt_topic_filter_valid(topic);
    mqtt_topic_shared(topic);
}

int main(void)
{
    static uint8_t memory[MOST];

    for (size_t size = 0; size <= MOST; size++)
        check((struct mqtt_span){any_bytes(memory, MOST, size), size});
    /* Refused before they are looked at. */
    check((struct mqtt_span){NULL, 0});
    check((struct mqtt_span){memory, any(65536, UINT32_MAX)});
    return 0;
}
