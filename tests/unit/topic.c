/*
 * topic.c - topic names, topic filters and what matches what
 * [3.1.1, section 4.7], against tables and against a slow reference.
 */
#include "every.h"
#include "script.h"

struct text {
    const char *bytes;
    size_t size;
    bool good;
};

#define GOOD(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1, true                                     \
    }
#define BAD(literal)                                                           \
    {                                                                          \
        literal, sizeof(literal) - 1, false                                    \
    }

static struct mqtt_span span(const struct text *text)
{
    return (struct mqtt_span){text->bytes, text->size};
}

/* ---- UTF-8 --------------------------------------------------------------- */

static const struct text utf8[] = {
    GOOD("a"),
    GOOD("\x01"),
    GOOD("\x7F"),
    GOOD("\xC2\x80"),         /* U+0080: the first of two bytes */
    GOOD("\xDF\xBF"),         /* U+07FF: the last of two bytes */
    GOOD("\xE0\xA0\x80"),     /* U+0800: the first of three bytes */
    GOOD("\xED\x9F\xBF"),     /* U+D7FF: the last before the surrogates */
    GOOD("\xEE\x80\x80"),     /* U+E000: the first after the surrogates */
    GOOD("\xEF\xBB\xBF"),     /* U+FEFF: a byte order mark is a character */
    GOOD("\xEF\xBF\xBD"),     /* U+FFFD */
    GOOD("\xEF\xBF\xBF"),     /* U+FFFF: a non-character is allowed */
    GOOD("\xF0\x90\x80\x80"), /* U+10000: the first of four bytes */
    GOOD("\xF4\x8F\xBF\xBF"), /* U+10FFFF: the last there is */
    GOOD("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"),
    BAD("a\0b"),  /* U+0000 */
    BAD("\0"),    /* U+0000 alone */
    BAD("\x80"),  /* a continuation alone */
    BAD("\xBF"),  /* a continuation alone */
    BAD("a\x80"), /* a continuation after ASCII */
    BAD("\xC2"),  /* two bytes, one there */
    BAD("\xC2"
        "a"),                        /* two bytes, the second is none */
    BAD("\xC0\x80"),                 /* overlong U+0000 */
    BAD("\xC0\xAF"),                 /* overlong '/' */
    BAD("\xC1\xBF"),                 /* overlong U+007F */
    BAD("\xE0\x80\x80"),             /* overlong, three bytes */
    BAD("\xE0\x9F\xBF"),             /* overlong U+07FF */
    BAD("\xE2\x82"),                 /* three bytes, two there */
    BAD("\xE2\x28\xA1"),             /* three bytes, the second is none */
    BAD("\xE2\x82\x28"),             /* three bytes, the third is none */
    BAD("\xED\xA0\x80"),             /* U+D800: the first surrogate */
    BAD("\xED\xAF\xBF"),             /* U+DBFF */
    BAD("\xED\xB0\x80"),             /* U+DC00 */
    BAD("\xED\xBF\xBF"),             /* U+DFFF: the last surrogate */
    BAD("\xED\xA0\xBD\xED\xB8\x80"), /* a pair of surrogates */
    BAD("\xF0\x80\x80\x80"),         /* overlong, four bytes */
    BAD("\xF0\x8F\xBF\xBF"),         /* overlong U+FFFF */
    BAD("\xF0\x9F\x98"),             /* four bytes, three there */
    BAD("\xF0\x28\x8C\xBC"),         /* four bytes, the second is none */
    BAD("\xF4\x90\x80\x80"),         /* U+110000 */
    BAD("\xF5\x80\x80\x80"),         /* beyond */
    BAD("\xF8\x88\x80\x80\x80"),     /* five bytes */
    BAD("\xFE"),
    BAD("\xFF"),
};
#define UTF8_COUNT (sizeof(utf8) / sizeof(utf8[0]))

static void test_utf8_is_checked_in_names_and_filters(void **state)
{
    (void)state;
    for (size_t i = 0; i < UTF8_COUNT; i++) {
        assert_int_equal(mqtt_topic_name_valid(span(&utf8[i])), utf8[i].good);
        assert_int_equal(mqtt_topic_filter_valid(span(&utf8[i])), utf8[i].good);
    }
}

/* In the middle of other text, at every distance from its start. */
static void test_utf8_is_checked_at_every_offset(void **state)
{
    (void)state;
    for (size_t i = 0; i < UTF8_COUNT; i++)
        for (size_t offset = 0; offset < 20; offset++) {
            size_t size = utf8[i].size + 2 * offset;
            char *text = malloc(size);

            assert_non_null(text);
            memset(text, 'x', size);
            memcpy(text + offset, utf8[i].bytes, utf8[i].size);
            assert_int_equal(
                mqtt_topic_name_valid((struct mqtt_span){text, size}),
                utf8[i].good);
            free(text);
        }
}

static bool reference_utf8(const uint8_t *b, size_t size)
{
    size_t i = 0;

    while (i < size) {
        uint32_t code = b[i], least = 0;
        size_t more = code < 0x80   ? 0
                      : code < 0xC0 ? 9
                      : code < 0xE0 ? 1
                      : code < 0xF0 ? 2
                      : code < 0xF8 ? 3
                                    : 9;

        if (more == 9 || i + more >= size)
            return false;
        if (more) {
            least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
            code &= 0x3Fu >> more;
        }
        for (size_t k = 1; k <= more; k++) {
            if ((b[i + k] & 0xC0) != 0x80)
                return false;
            code = code << 6 | (b[i + k] & 0x3F);
        }
        if (!code || code < least || code > 0x10FFFF ||
            (code >= 0xD800 && code <= 0xDFFF))
            return false;
        i += more + 1;
    }
    return true;
}

static void test_all_short_sequences_agree_with_a_reference(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 0x1000000; n += n < 0x10000 ? 1 : STRIDE) {
        uint8_t b[4] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        size_t size = n < 0x100 ? 1 : n < 0x10000 ? 2 : 3;
        const uint8_t *at = b + 3 - size;
        bool wildcard = memchr(at, '+', size) || memchr(at, '#', size);
        struct mqtt_span text = {at, size};

        if (mqtt_topic_name_valid(text) !=
            (reference_utf8(at, size) && !wildcard))
            fail_msg("%06x", n);
    }
}

/* ---- names and filters --------------------------------------------------- */

static void test_names_that_are_valid(void **state)
{
    static const struct text names[] = {
        GOOD("a"),  GOOD("/"),    GOOD("//"),   GOOD(" "),   GOOD("a b"),
        GOOD("$"),  GOOD("$SYS"), GOOD("/a/"),  GOOD("A/a"), BAD(""),
        BAD("+"),   BAD("#"),     BAD("a/+"),   BAD("a/#"),  BAD("a+"),
        BAD("a#b"), BAD("+/+"),   BAD("a/+/b"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(mqtt_topic_name_valid(span(&names[i])), names[i].good);
}

static void test_filters_that_are_valid(void **state)
{
    static const struct text filters[] = {
        GOOD("a"),
        GOOD("/"),
        GOOD("#"),
        GOOD("+"),
        GOOD("+/+"),
        GOOD("/+"),
        GOOD("+/"),
        GOOD("a/#"),
        GOOD("/#"),
        GOOD("+/#"),
        GOOD("a/+/b"),
        GOOD("a/+/#"),
        GOOD("a//b"),
        GOOD("$SYS/#"),
        GOOD("sport/tennis/#"),
        GOOD("+/a/#"),
        GOOD("a b/+"),
        BAD(""),
        BAD("a#"),
        BAD("a/#/b"),
        BAD("#/"),
        BAD("##"),
        BAD("#a"),
        BAD("a/b#"),
        BAD("a+"),
        BAD("+a"),
        BAD("a/+b"),
        BAD("a/b+/c"),
        BAD("++"),
        BAD("+#"),
        BAD("#+"),
        BAD("a/#+"),
        BAD("sport+"),
        BAD("a/##"),
        BAD("sport/tennis#"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        assert_int_equal(mqtt_topic_filter_valid(span(&filters[i])),
                         filters[i].good);
}

/* [5.0 MQTT-4.8.2-1], [5.0 MQTT-4.8.2-2] */
static void test_shared_filters_that_are_valid(void **state)
{
    static const struct text filters[] = {
        GOOD("$share/g/a"),
        GOOD("$share/g/#"),
        GOOD("$share/g/+/a"),
        GOOD("$share/g//"),
        GOOD("$share/g/$share/+/a"),
        GOOD("$share/\xC3\xA4/a"),
        BAD("$share/g/a#"),
        BAD("$share/g+/a"),
        BAD("$share/#/a"),
        BAD("$share/+/a"),
        BAD("$share/+"),
        BAD("$share/#"),
        BAD("$share/"),
        BAD("$share//"),
        BAD("$share//a"),
        BAD("$share/g"),
        BAD("$share/g/"),
        BAD("$share/\xFF/a"),
        GOOD("$share"),
        GOOD("$shared/+"),
        GOOD("$shared"),
        GOOD("/$share/"),
        GOOD("$SHARE/+"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        assert_int_equal(mqtt_topic_filter_valid(span(&filters[i])),
                         filters[i].good);
}

static void test_65535_bytes_are_the_longest(void **state)
{
    static char text[65536];
    struct mqtt_span longest = {text, 65535}, longer = {text, 65536};

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(mqtt_topic_name_valid(longest));
    assert_true(mqtt_topic_filter_valid(longest));
    assert_false(mqtt_topic_name_valid(longer));
    assert_false(mqtt_topic_filter_valid(longer));
}

static void test_what_is_absent_is_not_valid(void **state)
{
    struct mqtt_span absent = {NULL, 0};

    (void)state;
    assert_false(mqtt_topic_name_valid(absent));
    assert_false(mqtt_topic_filter_valid(absent));
}

/* ---- matching ------------------------------------------------------------ */

/* Not one byte beyond either end is read: the copies are exact. */
static void *exactly(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    return memcpy(copy, text, size);
}

static bool matches_exactly(const char *filter, const char *name)
{
    struct mqtt_span f = {exactly(filter), strlen(filter)};
    struct mqtt_span n = {exactly(name), strlen(name)};
    bool result = mqtt_topic_matches(f, n);

    free((void *)(uintptr_t)f.data);
    free((void *)(uintptr_t)n.data);
    return result;
}

static bool matches(const char *filter, const char *name)
{
    return mqtt_topic_matches(mqtt_text(filter), mqtt_text(name));
}

static void test_what_matches(void **state)
{
    static const char *const pairs[][2] = {
        {"a", "a"},
        {"a/b", "a/b"},
        {"/", "/"},
        {"#", "a"},
        {"#", "a/b/c"},
        {"#", "/"},
        {"+", "a"},
        {"+/+", "/"},
        {"/+", "/a"},
        {"/+", "/"},
        {"+/", "a/"},
        {"a/#", "a"},
        {"a/#", "a/"},
        {"a/#", "a/b/c"},
        {"a/+/c", "a/b/c"},
        {"a/+/c", "a//c"},
        {"+/b/#", "a/b"},
        {"+/#", "a"},
        {"sport/tennis/player1/#", "sport/tennis/player1"},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"},
        {"sport/#", "sport"},
        {"sport/+", "sport/"},
        {"+/+", "/finance"},
        {"$SYS/#", "$SYS"},
        {"$SYS/#", "$SYS/a/b"},
        {"$SYS/+", "$SYS/a"},
        {"$share/g/a", "a"},
        {"$share/g/#", "a/b"},
        {"$share/g//a", "/a"},
        {"$share/g/$SYS/#", "$SYS/a"},
        {"/#", "/"},
        {"a/$b", "a/$b"},
        {"a/+", "a/$b"},
        {"a/#", "a/$b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (!matches_exactly(pairs[i][0], pairs[i][1]))
            fail_msg("%s should match %s", pairs[i][0], pairs[i][1]);
}

static void test_what_does_not_match(void **state)
{
    static const char *const pairs[][2] = {
        {"a", "b"},
        {"a", "a/b"},
        {"a/b", "a"},
        {"a", "A"},
        {"a", "/a"},
        {"/a", "a"},
        {"a/", "a"},
        {"a", "a/"},
        {"+", "a/b"},
        {"+", "/"},
        {"+", "/a"},
        {"a/+", "a"},
        {"a/+", "a/b/c"},
        {"a/+/c", "a/c"},
        {"a/#", "ab"},
        {"a/#", "b"},
        {"/#", "a"},
        {"+/b/#", "a/c"},
        {"sport/tennis/+", "sport/tennis/player1/ranking"},
        {"sport/+", "sport"},
        {"#", "$SYS"},
        {"#", "$SYS/a"},
        {"+", "$SYS"},
        {"+/a", "$SYS/a"},
        {"+/#", "$SYS/a"},
        {"$share/g/#", "$SYS/a"},
        {"$share/g/+/a", "$SYS/a"},
        {"$share/g/a", "b"},
        {"$share/g/a", "$share/g/a"},
        {"abc", "ab"},
        {"ab", "abc"},
        {"a/b/#", "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (matches_exactly(pairs[i][0], pairs[i][1]))
            fail_msg("%s should not match %s", pairs[i][0], pairs[i][1]);
}

/* A level of text from the left; *rest is NULL after the last. */
static size_t level(const char *text, const char **rest)
{
    const char *slash = strchr(text, '/');

    *rest = slash ? slash + 1 : NULL;
    return slash ? (size_t)(slash - text) : strlen(text);
}

static bool reference(const char *filter, const char *name, bool first)
{
    const char *filter_rest, *name_rest;
    size_t f, n;

    if (!filter || !name)
        return !filter ? !name : strcmp(filter, "#") == 0;
    f = level(filter, &filter_rest);
    n = level(name, &name_rest);
    if (first && name[0] == '$' && strchr("+#", filter[0]) && f)
        return false;
    if (f == 1 && filter[0] == '#')
        return true;
    if (!(f == 1 && filter[0] == '+') &&
        (f != n || strncmp(filter, name, n) != 0))
        return false;
    return reference(filter_rest, name_rest, false);
}

/* All texts of up to `size` of these characters, in turn. */
static bool next_text(char *text, size_t size, const char *characters)
{
    size_t count = strlen(characters), length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        size_t index = (size_t)(strchr(characters, text[i]) - characters);

        text[i] = characters[(index + 1) % count];
        if (index + 1 < count)
            return true;
    }
    if (length == size)
        return false;
    memset(text, characters[0], length + 1);
    text[length + 1] = '\0';
    return true;
}

static void test_all_short_pairs_agree_with_a_reference(void **state)
{
    char filter[8] = "", name[8];

    (void)state;
    while (next_text(filter, 5, "a/+#$")) {
        if (!mqtt_topic_filter_valid(mqtt_text(filter)))
            continue;
        name[0] = '\0';
        while (next_text(name, 5, "a/$b"))
            if (matches(filter, name) != reference(filter, name, true))
                fail_msg("filter %s, name %s", filter, name);
    }
}

static bool reference_filter(const char *filter)
{
    for (size_t i = 0; filter[i]; i++) {
        bool begins = i == 0 || filter[i - 1] == '/';
        bool ends = !filter[i + 1] || filter[i + 1] == '/';

        if (filter[i] == '+' && !(begins && ends))
            return false;
        if (filter[i] == '#' && !(begins && !filter[i + 1]))
            return false;
    }
    return filter[0];
}

static void test_all_short_filters_agree_with_a_reference(void **state)
{
    char filter[12] = "";

    (void)state;
    while (next_text(filter, 8, "a/+#"))
        if (mqtt_topic_filter_valid(mqtt_text(filter)) !=
            reference_filter(filter))
            fail_msg("filter %s", filter);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_checked_in_names_and_filters),
        cmocka_unit_test(test_utf8_is_checked_at_every_offset),
        cmocka_unit_test(test_all_short_sequences_agree_with_a_reference),
        cmocka_unit_test(test_names_that_are_valid),
        cmocka_unit_test(test_filters_that_are_valid),
        cmocka_unit_test(test_shared_filters_that_are_valid),
        cmocka_unit_test(test_65535_bytes_are_the_longest),
        cmocka_unit_test(test_what_is_absent_is_not_valid),
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_what_does_not_match),
        cmocka_unit_test(test_all_short_pairs_agree_with_a_reference),
        cmocka_unit_test(test_all_short_filters_agree_with_a_reference),
    };

    return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
