/*
 * every_text.c - every sequence of bytes that may be a character, and every short
 * topic, against the slow reference of the fuzz targets.
 */
#include "every.h"

#include "../fuzz/reference.h"
#include "wire/topic.h"
#include "wire/utf8.h"

/* ---- UTF-8 [5.0, section 1.5.4] ------------------------------------------------- */

static void check_text(uint32_t word, size_t size)
{
    uint8_t bytes[4];
    struct mqtt_span text = {bytes, size};
    bool expected;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(word >> (8 * (size - 1 - i)));
    expected = reference_text(bytes, size);
    if (mqtt_utf8_valid(text) != expected ||
        (expected && !mqtt_utf8_payload_valid(text)))
        fail_msg("%08x, %zu bytes", (unsigned)word, size);
}

static void test_every_text_of_one_to_three_bytes(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 3; size++)
        for (uint32_t i = 0; i < 1u << (8 * size); i += size == 3 ? STRIDE : 1)
            check_text(i, size);
}

/* And one before and one behind those that there are. */
static void
test_every_text_of_four_bytes_that_one_lead_byte_begins(void **state)
{
    (void)state;
    for (uint32_t lead = 0xf0; lead <= 0xf4; lead++)
        for (uint32_t i = 0; i < 1u << 24; i += STRIDE)
            check_text(lead << 24 | i, 4);
    for (uint32_t i = 0; i < 1u << 24; i += 61 * STRIDE) {
        check_text(0xefu << 24 | i, 4);
        check_text(0xf5u << 24 | i, 4);
    }
}

/* ---- topics [5.0, section 4.7] ---------------------------------------------------- */

#ifdef EVERY_SLOW
enum { LONGEST = 5 };
#else
enum { LONGEST = 7 };
#endif
enum { ROOM = 16, FILTERS = 40000, NAMES = 4000 };

struct topic {
    uint8_t bytes[ROOM];
    size_t size;
};

static struct topic filters[FILTERS], names[NAMES];
static size_t filter_count, name_count;

static struct mqtt_span span(const struct topic *topic)
{
    return (struct mqtt_span){topic->bytes, topic->size};
}

/* The next of all texts of these letters, the shorter ones first; `from` is
 * where they begin in it. */
static bool next_text(struct topic *topic, size_t from, const char *letters)
{
    for (size_t i = topic->size; i-- > from;) {
        const char *at = strchr(letters, topic->bytes[i]);

        if (at[1]) {
            topic->bytes[i] = (uint8_t)at[1];
            return true;
        }
        topic->bytes[i] = (uint8_t)letters[0];
    }
    topic->bytes[topic->size++] = (uint8_t)letters[0];
    return topic->size - from <= LONGEST;
}

/* Whether they are valid; those that are, are kept. */
static void check_valid(const struct topic *topic)
{
    bool filter = reference_topic_filter(topic->bytes, topic->size);
    bool name = reference_topic_name(topic->bytes, topic->size);

    if (mqtt_topic_filter_valid(span(topic)) != filter ||
        mqtt_topic_name_valid(span(topic)) != name)
        fail_msg("%.*s", (int)topic->size, (const char *)topic->bytes);
    if (filter) {
        assert_true(filter_count < FILTERS);
        filters[filter_count++] = *topic;
    }
    if (name) {
        assert_true(name_count < NAMES);
        names[name_count++] = *topic;
    }
}

static void check_all(const char *prefix, const char *letters)
{
    struct topic topic = {.size = strlen(prefix)};

    memcpy(topic.bytes, prefix, topic.size);
    filter_count = name_count = 0;
    do
        check_valid(&topic);
    while (next_text(&topic, strlen(prefix), letters));
}

static void check_match(const struct topic *filter, const struct topic *name)
{
    struct mqtt_topic_pattern pattern;
    bool expected =
        reference_matches(filter->bytes, filter->size, name->bytes, name->size);

    mqtt_topic_prepare(&pattern, span(filter));
    if (mqtt_topic_matches(span(filter), span(name)) != expected ||
        mqtt_topic_pattern_matches(&pattern, span(name)) != expected)
        fail_msg("%.*s %.*s", (int)filter->size, (const char *)filter->bytes,
                 (int)name->size, (const char *)name->bytes);
}

static void check_pairs(void)
{
    assert_true(filter_count && name_count);
    for (size_t f = 0; f < filter_count; f++)
        for (size_t n = 0; n < name_count; n++)
            check_match(&filters[f], &names[n]);
}

static void test_every_short_filter_with_every_short_name(void **state)
{
    (void)state;
    check_all("", "a/$+#");
    check_pairs();
}

static void test_every_short_filter_of_two_letters(void **state)
{
    (void)state;
    check_all("", "ab/+");
    while (filters[filter_count - 1].size > 5)
        filter_count--;
    while (names[name_count - 1].size > 5)
        name_count--;
    check_pairs();
}

/* Behind "$share/" they are names as well, without a wildcard. */
static void test_every_short_shared_filter(void **state)
{
    (void)state;
    check_all("$share/", "a/$+#");
    name_count = 0;
    for (struct topic name = {.size = 0}; next_text(&name, 0, "a/$");)
        if (name.size <= 5)
            names[name_count++] = name;
    check_pairs();
}

/* A word of the machine is looked at at once: each byte at each place in it. */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= ROOM; size++)
        for (unsigned at = 0; at < size; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                struct topic topic = {.size = size};

                memset(topic.bytes, 'a', size);
                topic.bytes[at] = (uint8_t)byte;
                filter_count = name_count = 0;
                check_valid(&topic);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_of_one_to_three_bytes),
        cmocka_unit_test(
            test_every_text_of_four_bytes_that_one_lead_byte_begins),
        cmocka_unit_test(test_every_short_filter_with_every_short_name),
        cmocka_unit_test(test_every_short_filter_of_two_letters),
        cmocka_unit_test(test_every_short_shared_filter),
        cmocka_unit_test(test_every_byte_at_every_place),
    };

    return cmocka_run_group_tests_name("every text", tests, NULL, NULL);
}
