/*
 * reference.h - the rules of the standards once more, written from their text
 * without a look at the library: slow, and as simple as it can be said.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 without U+0000, at most 65,535 bytes [5.0, section 1.5.4]. */
bool reference_text(const uint8_t *bytes, size_t size);

/* Topics [5.0, section 4.7, 4.8.2]. */
bool reference_topic_name(const uint8_t *name, size_t size);
bool reference_topic_filter(const uint8_t *filter, size_t size);
/* Both are valid. */
bool reference_matches(const uint8_t *filter, size_t filter_size,
                       const uint8_t *name, size_t name_size);

/* A variable byte integer: the bytes it takes, 0: it is cut off, -1: more than
 * four [5.0, section 1.5.5]. */
int reference_length(const uint8_t *bytes, size_t size, uint32_t *value);

/* The first property of these bytes: how many it takes, 0: it is none. */
size_t reference_property(const uint8_t *bytes, size_t size);
/* Whether these are properties that may stand there: `place` is one of the
 * letters of the table in reference.c. */
bool reference_properties(const uint8_t *bytes, size_t size, char place);

/* Whether this is a packet that a server may send, by its bytes alone: first
 * byte and what stands behind the fixed header; `level` is 4 or 5. */
bool reference_packet(unsigned level, uint8_t first, const uint8_t *body,
                      size_t size);

#endif
