#include <mqttloop/types.h>
#include <string.h>
#include "wire/utf8.h"

/* A machine word is looked at as so many bytes at once. */
typedef size_t word;
#define EACH(byte) ((word)0x0101010101010101u * (byte))

/* Has its top bit set somewhere if a byte of `w` is zero or not ASCII. */
static word zero_or_high(word w)
{
    return ((w - EACH(1)) | w) & EACH(0x80);
}

/*
 * Whether all bytes are ASCII and none is NUL, '+' or '#'. The two wildcards
 * differ in one bit, so that setting it makes one test of two. Topics are
 * checked for each publish: byte by byte costs 95 instructions more.
 */
static bool plain_ascii(const uint8_t *at, size_t left)
{
    word bad = 0, w;

    for (; left >= sizeof w; at += sizeof w, left -= sizeof w) {
        memcpy(&w, at, sizeof w);
        bad |= zero_or_high(w) | zero_or_high((w | EACH(8)) ^ EACH('+'));
    }
    w = EACH('a');
    memcpy(&w, at, left);
    bad |= zero_or_high(w) | zero_or_high((w | EACH(8)) ^ EACH('+'));
    return !bad;
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

/* What follows "$share/group/"; the whole filter if it is none such. */
static struct mqtt_span without_share(struct mqtt_span filter)
{
    const uint8_t *at = filter.data;
    struct mqtt_span rest = filter;

    if (filter.size < SHARE_SIZE || memcmp(at, SHARE, SHARE_SIZE) != 0)
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

bool mqtt_topic_filter_valid(struct mqtt_span filter)
{
    const uint8_t *at = filter.data;

    if (!filter.data || filter.size < 1 || !mqtt_utf8_valid(filter))
        return false;
    for (size_t i = 0; i < filter.size; i++)
        if ((at[i] == '+' || at[i] == '#') &&
            !wildcard_placed(at, filter.size, i))
            return false;
    return true;
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
