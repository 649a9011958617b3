/*
 * A topic filter that many topic names are held against: what is before its
 * first wildcard is found once, and compared as a whole.
 */
#ifndef MQTT_WIRE_TOPIC_H
#define MQTT_WIRE_TOPIC_H

#include <mqttloop/client.h>

/* `topic_filter` is valid, and its bytes stay. */
void mqtt_topic_prepare(struct mqtt_topic_pattern *pattern,
                        struct mqtt_span topic_filter);

/* As mqtt_topic_matches(). */
bool mqtt_topic_pattern_matches(const struct mqtt_topic_pattern *pattern,
                                struct mqtt_span topic_name);

#endif
