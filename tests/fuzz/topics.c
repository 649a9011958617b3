/*
 * topics.c - which topics are valid, and which match.
 *
 * An input is a topic filter and a topic name with a byte 0xFF between them,
 * which stands in no UTF-8. The library and the reference agree, and so do the
 * two ways of matching.
 */
#include "fuzz.h"
#include "reference.h"

#include <mqttloop/types.h>
#include "wire/topic.h"

void fuzz_one(const uint8_t *bytes, size_t size)
{
    const uint8_t *cut = size ? memchr(bytes, 0xff, size) : NULL;
    struct mqtt_topic_pattern pattern;
    struct mqtt_span filter, name;
    bool match;

    if (!cut)
        return;
    filter = (struct mqtt_span){bytes, (size_t)(cut - bytes)};
    name = (struct mqtt_span){cut + 1, size - filter.size - 1};
    require(mqtt_topic_filter_valid(filter) ==
            reference_topic_filter(filter.data, filter.size));
    require(mqtt_topic_name_valid(name) ==
            reference_topic_name(name.data, name.size));
    require(mqtt_topic_name_valid(filter) ==
            reference_topic_name(filter.data, filter.size));
    if (!mqtt_topic_filter_valid(filter) || !mqtt_topic_name_valid(name))
        return;
    match = reference_matches(filter.data, filter.size, name.data, name.size);
    require(mqtt_topic_matches(filter, name) == match);
    mqtt_topic_prepare(&pattern, filter);
    require(mqtt_topic_pattern_matches(&pattern, name) == match);
}
