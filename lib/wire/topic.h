/*
 * A topic filter that many topic names are held against: what is before its
 * first wildcard is found once, and compared as a whole.
 */
#ifndef MQTT_WIRE_TOPIC_H
#define MQTT_WIRE_TOPIC_H

#include <mqttloop/client.h>
#include <string.h>

/* Whether it begins with "$share/" [5.0, section 4.8.2]. */
bool mqtt_topic_shared(struct mqtt_span topic_filter);

/* `topic_filter` is valid, and its bytes stay. */
void mqtt_topic_prepare(struct mqtt_topic_pattern *pattern,
                        struct mqtt_span topic_filter);

/* Behind what is literal, which has been found equal. */
bool mqtt_topic_pattern_matches_rest(const struct mqtt_topic_pattern *pattern,
                                     struct mqtt_span topic_name);

/* As mqtt_topic_matches(). Sizes first: most filters are no match, and are
 * passed over without a call. */
static inline bool
mqtt_topic_pattern_matches(const struct mqtt_topic_pattern *pattern,
                           struct mqtt_span name)
{
    size_t literal = pattern->literal;

    if (name.size < literal ||
        (literal == pattern->size && name.size != literal))
        return false;
    if (memcmp(name.data, pattern->filter, literal) != 0)
        return false;
    return literal == pattern->size ||
           mqtt_topic_pattern_matches_rest(pattern, name);
}

#endif
