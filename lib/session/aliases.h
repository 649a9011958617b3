/*
 * Topic aliases, which belong to one network connection [5.0, section
 * 3.3.2.3.4]: the outgoing ones given by recent use, the incoming ones
 * remembered as the server gives them.
 */
#ifndef MQTT_SESSION_ALIASES_H
#define MQTT_SESSION_ALIASES_H

#include <mqttloop/session.h>

/* A new connection: forget all; `limit` is what the server allows. */
void mqtt_aliases_begin(struct mqtt_alias_table *table, uint16_t limit);

/* The alias of a topic name, 1 to the limit; 0: none, for it is too long or
 * there are no aliases. *known: the server has it, so that the topic name can
 * be left out; otherwise it is now this one's, and the topic name has to be
 * sent along: the alias least recently used has been taken for it. */
uint16_t mqtt_alias_of(struct mqtt_alias_table *table, struct mqtt_span topic,
                       bool *known);

/* A new connection: forget all. */
void mqtt_alias_names_begin(struct mqtt_alias_names *names);

/* The server gives `alias` (1 to the maximum) to a topic name, 1 to 65,535
 * bytes; false: no memory. */
bool mqtt_alias_names_set(struct mqtt_alias_names *names, uint16_t alias,
                          struct mqtt_span topic);

/* What it was given to; false: to nothing. The span lives until the next
 * mqtt_alias_names_set(). */
bool mqtt_alias_names_get(const struct mqtt_alias_names *names, uint16_t alias,
                          struct mqtt_span *topic);

#endif
