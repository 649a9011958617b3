/*
 * aliases.c - topic aliases, outgoing and incoming [5.0, section 3.3.2.3.4],
 * against plain tables that know everything.
 */
#include "script.h"

#include "session/aliases.h"

static uint64_t random_state;

/* 0 to below - 1; the same row of numbers in each test. */
static unsigned any(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 32) % below);
}

static int begin(void **state)
{
    (void)state;
    random_state = 0x9E3779B97F4A7C15;
    return 0;
}

/* Topic names that differ in size, at the beginning, or at the end alone. */
enum { TOPICS = 14 };
static const size_t topic_sizes[TOPICS] = {1, 1,  1,   2,   2,   7,   8,
                                           8, 40, 121, 122, 122, 123, 300};
static uint8_t topic_bytes[TOPICS][300];

static struct mqtt_span topic(unsigned number)
{
    uint8_t *bytes = topic_bytes[number];
    size_t size = topic_sizes[number];

    memset(bytes, 'a', size);
    bytes[number & 1 ? 0 : size - 1] = (uint8_t)('a' + number);
    return (struct mqtt_span){bytes, size};
}

/* ---- outgoing ------------------------------------------------------------ */

struct outgoing {
    struct mqtt_alias_table table;
    uint16_t limit;
    /* of alias i + 1 */
    unsigned topic[16];
    uint64_t used[16]; /* when last; 0: not given */
    uint64_t now;
};

static void outgoing_begin(struct outgoing *o, uint16_t limit)
{
    mqtt_aliases_begin(&o->table, limit);
    o->limit = limit < o->table.count_ ? limit : o->table.count_;
    memset(o->used, 0, sizeof(o->used));
}

/* Memory for just `count` of them; its content is garbage. */
static void outgoing_new(struct outgoing *o, uint16_t count, uint16_t limit)
{
    size_t size = count * sizeof(struct mqtt_alias);

    memset(o, 0, sizeof(*o));
    o->table.count_ = count;
    o->table.entries_ = count ? malloc(size) : NULL;
    if (count)
        memset(o->table.entries_, 0xA5, size);
    outgoing_begin(o, limit);
}

static void outgoing_free(struct outgoing *o)
{
    free(o->table.entries_);
}

/* What the plain table says: an index, and whether it is known. */
static unsigned outgoing_expected(const struct outgoing *o, unsigned number,
                                  bool *known)
{
    unsigned oldest = 0;

    *known = false;
    for (unsigned i = 0; i < o->limit; i++)
        if (o->used[i] && o->topic[i] == number) {
            *known = true;
            return i;
        }
    for (unsigned i = 1; i < o->limit; i++)
        if (o->used[i] < o->used[oldest])
            oldest = i;
    return oldest;
}

static void outgoing_use(struct outgoing *o, unsigned number)
{
    bool known = true, expected_known;
    uint16_t alias = mqtt_alias_of(&o->table, topic(number), &known);
    unsigned i;

    if (!o->limit || topic_sizes[number] > MQTT_ALIAS_TOPIC_MAX) {
        assert_int_equal(alias, 0);
        assert_false(known);
        return;
    }
    i = outgoing_expected(o, number, &expected_known);
    assert_int_equal(alias, i + 1);
    assert_int_equal(known, expected_known);
    o->topic[i] = number;
    o->used[i] = ++o->now;
}

static void test_an_entry_takes_128_bytes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct mqtt_alias), 128);
}

static void test_without_memory_or_leave_there_is_no_alias(void **state)
{
    struct outgoing o;

    (void)state;
    outgoing_new(&o, 0, 10);
    outgoing_use(&o, 0);
    outgoing_free(&o);
    outgoing_new(&o, 4, 0);
    outgoing_use(&o, 0);
    outgoing_free(&o);
}

static void test_a_topic_name_of_122_bytes_has_an_alias(void **state)
{
    uint8_t bytes[65535];
    struct outgoing o;
    bool known = true;

    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    outgoing_new(&o, 2, 2);
    assert_int_equal(
        mqtt_alias_of(&o.table, (struct mqtt_span){bytes, 122}, &known), 1);
    for (size_t size = 123; size <= sizeof(bytes); size++) {
        known = true;
        assert_int_equal(
            mqtt_alias_of(&o.table, (struct mqtt_span){bytes, size}, &known),
            0);
        assert_false(known);
    }
    mqtt_alias_of(&o.table, (struct mqtt_span){bytes, 122}, &known);
    assert_true(known);
    outgoing_free(&o);
}

static void test_the_least_recently_used_is_replaced(void **state)
{
    static const uint16_t limits[][2] = {{0, 5}, {1, 1}, {1, 9},     {3, 3},
                                         {8, 5}, {8, 8}, {8, 65535}, {16, 16}};

    (void)state;
    for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
        struct outgoing o;

        outgoing_new(&o, limits[l][0], limits[l][1]);
        for (unsigned i = 0; i < 200000; i++) {
            /* Now a few of them, now all. */
            outgoing_use(&o, any(i & 1024 ? 4 : TOPICS));
            if (!any(500))
                outgoing_begin(&o, any(3) ? limits[l][1] : (uint16_t)any(9));
        }
        outgoing_free(&o);
    }
}

static void test_the_order_of_use_outlives_the_end_of_the_clock(void **state)
{
    struct outgoing o;

    (void)state;
    outgoing_new(&o, 5, 5);
    for (unsigned i = 0; i < 2000; i++) {
        outgoing_begin(&o, 5);
        o.table.clock_ = UINT32_MAX - any(30);
        for (unsigned use = 0; use < 60; use++)
            outgoing_use(&o, any(TOPICS));
        assert_true(o.table.clock_ < UINT32_MAX - 60);
    }
    outgoing_free(&o);
}

static void test_what_was_not_used_for_ages_is_replaced_first(void **state)
{
    struct outgoing o;
    bool known;

    (void)state;
    outgoing_new(&o, 4, 4);
    outgoing_use(&o, 0);
    outgoing_use(&o, 1);
    o.table.clock_ = UINT32_MAX - 1;
    outgoing_use(&o, 2);
    outgoing_use(&o, 3); /* the clock is set back */
    for (unsigned i = 2; i < 4; i++) {
        uint16_t alias = mqtt_alias_of(&o.table, topic(4 + i), &known);

        assert_true(alias == 1 || alias == 2);
        assert_false(known);
    }
    mqtt_alias_of(&o.table, topic(2), &known);
    assert_true(known);
    mqtt_alias_of(&o.table, topic(3), &known);
    assert_true(known);
    outgoing_free(&o);
}

static void test_entries_that_are_not_needed_are_not_touched(void **state)
{
    struct mqtt_alias untouched;
    struct outgoing o;

    (void)state;
    memset(&untouched, 0xA5, sizeof(untouched));
    outgoing_new(&o, 8, 8);
    outgoing_use(&o, 0);
    outgoing_use(&o, 1);
    outgoing_use(&o, 0);
    for (unsigned i = 3; i < 8; i++)
        assert_memory_equal(&o.table.entries_[i], &untouched,
                            sizeof(untouched));
    outgoing_free(&o);
}

/* ---- incoming ------------------------------------------------------------ */

enum { ALIASES = 9 };

struct incoming {
    struct mqtt_alias_names names;
    uint8_t *memory;
    bool given[ALIASES + 1];
    unsigned topic[ALIASES + 1];
};

/* Memory of just this size, at an odd address; its content is garbage. */
static void incoming_new(struct incoming *in, uint32_t size)
{
    memset(in, 0, sizeof(*in));
    in->memory = malloc(size + 1);
    memset(in->memory, 0xA5, size + 1);
    in->names.bytes_ = in->memory + 1;
    in->names.size_ = size;
    in->names.used_ = 4711;
    in->names.maximum_ = ALIASES;
    mqtt_alias_names_begin(&in->names);
}

static size_t incoming_size(const struct incoming *in)
{
    size_t size = 0;

    for (unsigned alias = 1; alias <= ALIASES; alias++)
        if (in->given[alias])
            size += 4 + topic_sizes[in->topic[alias]];
    return size;
}

static void incoming_check(const struct incoming *in)
{
    assert_int_equal(in->names.used_, incoming_size(in));
    for (uint16_t alias = 0; alias <= ALIASES; alias++) {
        struct mqtt_span span = {NULL, 4711}, expected;

        assert_int_equal(mqtt_alias_names_get(&in->names, alias, &span),
                         in->given[alias]);
        if (!in->given[alias])
            continue;
        expected = topic(in->topic[alias]);
        assert_int_equal(span.size, expected.size);
        assert_memory_equal(span.data, expected.data, expected.size);
    }
}

static void incoming_set(struct incoming *in, uint16_t alias, unsigned number)
{
    struct incoming after = *in;
    bool fits;

    after.given[alias] = true;
    after.topic[alias] = number;
    fits = incoming_size(&after) <= in->names.size_;
    assert_int_equal(mqtt_alias_names_set(&in->names, alias, topic(number)),
                     fits);
    if (!fits)
        return;
    memcpy(in->given, after.given, sizeof(in->given));
    memcpy(in->topic, after.topic, sizeof(in->topic));
}

static void test_incoming_aliases_take_their_bytes_and_no_more(void **state)
{
    static const uint32_t sizes[] = {0, 4, 5, 6, 11, 64, 300, 304, 900, 4096};

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct incoming in;

        incoming_new(&in, sizes[s]);
        for (unsigned i = 0; i < 50000; i++) {
            incoming_set(&in, (uint16_t)(1 + any(ALIASES)), any(TOPICS));
            incoming_check(&in);
            if (any(300))
                continue;
            mqtt_alias_names_begin(&in.names);
            memset(in.given, 0, sizeof(in.given));
            incoming_check(&in);
        }
        free(in.memory);
    }
}

static void test_a_mapping_is_replaced_where_there_is_just_room(void **state)
{
    struct incoming in;

    (void)state;
    incoming_new(&in, 4 + 8 + 4 + 1);
    incoming_set(&in, 1, 6); /* 8 bytes */
    incoming_set(&in, 2, 0); /* 1 byte: full */
    incoming_set(&in, 1, 7); /* 8 others */
    assert_true(in.given[2] && in.topic[1] == 7);
    incoming_check(&in);
    incoming_set(&in, 2, 3); /* 2 bytes: too many, and nothing is changed */
    assert_int_equal(in.topic[2], 0);
    incoming_check(&in);
    free(in.memory);
}

static void set_long(struct mqtt_alias_names *names, uint16_t alias,
                     uint8_t *bytes, bool expected)
{
    struct mqtt_span span = {bytes, 65535};

    memset(bytes, alias & 0xFF, 65535);
    assert_int_equal(mqtt_alias_names_set(names, alias, span), expected);
    if (!expected)
        return;
    assert_true(mqtt_alias_names_get(names, alias, &span));
    assert_int_equal(span.size, 65535);
    assert_memory_equal(span.data, bytes, 65535);
}

static void test_the_longest_topic_names_and_highest_aliases_fit(void **state)
{
    uint8_t bytes[65535];
    struct incoming in;

    (void)state;
    incoming_new(&in, 2 * (4 + 65535));
    set_long(&in.names, 65535, bytes, true);
    set_long(&in.names, 256, bytes, true);
    set_long(&in.names, 1, bytes, false);
    set_long(&in.names, 65535, bytes, true);
    set_long(&in.names, 256, bytes, true);
    assert_int_equal(in.names.used_, in.names.size_);
    free(in.memory);
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_an_entry_takes_128_bytes),
        TEST(test_without_memory_or_leave_there_is_no_alias),
        TEST(test_a_topic_name_of_122_bytes_has_an_alias),
        TEST(test_the_least_recently_used_is_replaced),
        TEST(test_the_order_of_use_outlives_the_end_of_the_clock),
        TEST(test_what_was_not_used_for_ages_is_replaced_first),
        TEST(test_entries_that_are_not_needed_are_not_touched),
        TEST(test_incoming_aliases_take_their_bytes_and_no_more),
        TEST(test_a_mapping_is_replaced_where_there_is_just_room),
        TEST(test_the_longest_topic_names_and_highest_aliases_fit),
    };

    return cmocka_run_group_tests_name("aliases", tests, NULL, NULL);
}
