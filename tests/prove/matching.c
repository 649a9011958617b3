/*
 * matching.c - topic filters and names of each size to a bound that are matched,
 * of any bytes: also such as are not valid, which nobody asks for.
 */
#include "prove.h"

#include "wire/topic.h"

enum { MOST = 12 };

static struct mqtt_span any_span(uint8_t *memory, size_t size)
{
    return (struct mqtt_span){any_bytes(memory, MOST, size), size};
}

static void match(struct mqtt_span filter, struct mqtt_span name)
{
    struct mqtt_topic_pattern pattern;

    mqtt_topic_matches(filter, name);
    if (!filter.size || !name.size)
        return; /* not valid */
    mqtt_topic_prepare(&pattern, filter);
    mqtt_topic_pattern_matches(&pattern, name);
}

int main(void)
{
    static uint8_t filter[MOST], name[MOST];

    for (size_t f = 0; f <= MOST; f++)
        for (size_t n = 0; n <= MOST; n++)
            match(any_span(filter, f), any_span(name, n));
    return 0;
}
