#include <string.h>
#include "wire/topic.h"
#include "wire/utf8.h"

/* A machine word is looked at as so many bytes at once. */
typedef size_t word;
#define EACH(byte) ((word)0x0101010101010101u * (byte))

/*
 * Has the top bit of some byte set if a byte is NUL, '+', '#' or not ASCII
 * (other bits are noise). The two wildcards differ in one bit, so that setting
 * it makes one test of two.
 */
static word not_plain(word w)
{
    return (w - EACH(1)) | w | (((w | EACH(8)) ^ EACH('+')) - EACH(1));
}

static word load(const uint8_t *at)
{
    word w;

    memcpy(&w, at, sizeof w);
    return w;
}

static word not_plain_short(const uint8_t *at, size_t left)
{
    word w = EACH('a');

    while (left--)
        w = w << 8 | at[left];
    return not_plain(w) & EACH(0x80);
}

/*
 * Whether all bytes are ASCII and none is NUL, '+' or '#'. Topics are checked
 * for each message: byte by byte costs 95 instructions more. The last word
 * may overlap the one before.
 */
static bool plain_ascii(const uint8_t *at, size_t size)
{
    const uint8_t *last;
    word bad;

    if (size < sizeof(word))
        return !not_plain_short(at, size);
    last = at + (size - sizeof(word));
    bad = not_plain(load(last));
    for (; at < last; at += sizeof(word))
        bad |= not_plain(load(at));
    return !(bad & EACH(0x80));
}

static bool has_wildcard(struct mqtt_span topic)
{
    const uint8_t *at = topic.data;

    for (size_t i = 0; i < topic.size; i++)
        if (at[i] == '+' || at[i] == '#')
            return true;
    return false;
}

bool mqtt_topic_name_valid(struct mqtt_span name)
{
    if (!name.data || name.size < 1 || name.size > 65535)
        return false; /* [3.1.1 MQTT-4.7.3-1], [3.1.1 MQTT-4.7.3-3] */
    if (plain_ascii(name.data, name.size))
        return true;
    return mqtt_utf8_valid(name) && !has_wildcard(name);
}

/* Whether the wildcard at `i` stands where it may: alone in its level, '#'
 * only in the last one [3.1.1 MQTT-4.7.1-2], [3.1.1 MQTT-4.7.1-3]. */
static bool wildcard_placed(const uint8_t *filter, size_t size, size_t i)
{
    if (i > 0 && filter[i - 1] != '/')
        return false;
    if (filter[i] == '#')
        return i + 1 == size;
    return i + 1 == size || filter[i + 1] == '/';
}

#define SHARE "$share/"
#define SHARE_SIZE (sizeof SHARE - 1)

bool mqtt_topic_shared(struct mqtt_span filter)
{
    return filter.size >= SHARE_SIZE &&
           memcmp(filter.data, SHARE, SHARE_SIZE) == 0;
}

/* What follows "$share/group/"; the whole filter if it is none such. */
static struct mqtt_span without_share(struct mqtt_span filter)
{
    const uint8_t *at = filter.data;
    struct mqtt_span rest = filter;

    if (!mqtt_topic_shared(filter))
        return filter;
    for (size_t i = SHARE_SIZE; i < filter.size; i++) {
        if (at[i] != '/')
            continue;
        rest.data = at + i + 1;
        rest.size = filter.size - i - 1;
        return rest;
    }
    return filter;
}

/* Whether a filter that begins with "$share/" has a group without wildcard, and
 * a filter behind it [5.0 MQTT-4.8.2-1], [5.0 MQTT-4.8.2-2]. */
static bool share_valid(struct mqtt_span filter)
{
    struct mqtt_span rest = without_share(filter), group;

    if (rest.size == filter.size || !rest.size)
        return false;
    group.data = (const uint8_t *)filter.data + SHARE_SIZE;
    group.size = filter.size - rest.size - SHARE_SIZE - 1;
    return group.size && !has_wildcard(group);
}

bool mqtt_topic_filter_valid(struct mqtt_span filter)
{
    const uint8_t *at = filter.data;

    if (!filter.data || filter.size < 1 || !mqtt_utf8_valid(filter))
        return false;
    for (size_t i = 0; i < filter.size; i++)
        if ((at[i] == '+' || at[i] == '#') &&
            !wildcard_placed(at, filter.size, i))
            return false;
    return !mqtt_topic_shared(filter) || share_valid(filter);
}

/* Past the end of the level that begins at `i`. */
static size_t level_end(const uint8_t *name, size_t size, size_t i)
{
    while (i < size && name[i] != '/')
        i++;
    return i;
}

static bool matches(const uint8_t *filter, size_t filter_size,
                    const uint8_t *name, size_t name_size)
{
    size_t f = 0, n = 0;

    while (f < filter_size) {
        if (filter[f] == '#')
            return true;
        if (filter[f] == '+') {
            n = level_end(name, name_size, n);
            f++;
            continue;
        }
        if (n == name_size) /* "a/#" matches its parent "a" too */
            return filter_size - f == 2 && filter[f] == '/' &&
                   filter[f + 1] == '#';
        if (filter[f++] != name[n++])
            return false;
    }
    return n == name_size;
}

bool mqtt_topic_matches(struct mqtt_span topic_filter,
                        struct mqtt_span topic_name)
{
    struct mqtt_span filter = without_share(topic_filter);
    const uint8_t *f = filter.data, *n = topic_name.data;

    if (!filter.size || !topic_name.size)
        return false;
    if (n[0] == '$' && (f[0] == '+' || f[0] == '#'))
        return false; /* [3.1.1 MQTT-4.7.2-1] */
    return matches(f, filter.size, n, topic_name.size);
}

/* Bytes before the first wildcard, and before the '/' of a final "/#", which
 * the parent has not. */
static size_t literal_size(const uint8_t *filter, size_t size)
{
    size_t i = 0;

    while (i < size && filter[i] != '+' && filter[i] != '#')
        i++;
    return i && i < size && filter[i] == '#' ? i - 1 : i;
}

void mqtt_topic_prepare(struct mqtt_topic_pattern *pattern,
                        struct mqtt_span topic_filter)
{
    struct mqtt_span filter = without_share(topic_filter);

    pattern->filter = filter.data;
    pattern->size = (uint16_t)filter.size;
    pattern->literal = (uint16_t)literal_size(filter.data, filter.size);
}

bool mqtt_topic_pattern_matches_rest(const struct mqtt_topic_pattern *pattern,
                                     struct mqtt_span name)
{
    size_t literal = pattern->literal;
    const uint8_t *at = name.data;

    if (!literal && at[0] == '$')
        return false; /* [3.1.1 MQTT-4.7.2-1] */
    return matches(pattern->filter + literal, pattern->size - literal,
                   at + literal, name.size - literal);
}
