/*
 * wire.c - the parts of the wire format that have a header of their own.
 */
#include "script.h"

#include "wire/length.h"

/* ---- the variable byte integer [3.1.1, section 2.2.3] -------------------- */

static const struct {
    uint32_t value;
    size_t size;
    uint8_t bytes[4];
} lengths[] = {
    {0, 1, {0x00}},
    {1, 1, {0x01}},
    {127, 1, {0x7F}},
    {128, 2, {0x80, 0x01}},
    {129, 2, {0x81, 0x01}},
    {16383, 2, {0xFF, 0x7F}},
    {16384, 3, {0x80, 0x80, 0x01}},
    {2097151, 3, {0xFF, 0xFF, 0x7F}},
    {2097152, 4, {0x80, 0x80, 0x80, 0x01}},
    {268435455, 4, {0xFF, 0xFF, 0xFF, 0x7F}},
};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void test_lengths_at_their_borders_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        uint8_t out[5] = {0xA5, 0xA5, 0xA5, 0xA5, 0xA5};

        assert_int_equal(mqtt_length_size(lengths[i].value), lengths[i].size);
        assert_int_equal(mqtt_length_write(out, lengths[i].value),
                         lengths[i].size);
        assert_memory_equal(out, lengths[i].bytes, lengths[i].size);
        assert_int_equal(out[lengths[i].size], 0xA5);
    }
}

static void test_lengths_are_read_when_they_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t size = 0; size < lengths[i].size; size++) {
            uint32_t value = 4711;

            assert_int_equal(mqtt_length_read(lengths[i].bytes, size, &value),
                             0);
        }
        for (size_t size = lengths[i].size; size <= 4; size++) {
            uint32_t value = 4711;

            assert_int_equal(mqtt_length_read(lengths[i].bytes, size, &value),
                             lengths[i].size);
            assert_int_equal(value, lengths[i].value);
        }
    }
}

static void test_a_fifth_byte_is_refused_at_the_fourth(void **state)
{
    static const uint8_t bytes[] = {0x80, 0x80, 0x80, 0x80, 0x00};
    uint32_t value = 4711;

    (void)state;
    assert_int_equal(mqtt_length_read(bytes, 3, &value), 0);
    assert_int_equal(mqtt_length_read(bytes, 4, &value), -1);
    assert_int_equal(mqtt_length_read(bytes, 5, &value), -1);
}

static void test_a_length_may_have_more_bytes_than_it_needs(void **state)
{
    static const uint8_t bytes[] = {0x82, 0x80, 0x80, 0x00};
    uint32_t value = 4711;

    (void)state;
    assert_int_equal(mqtt_length_read(bytes, 4, &value), 4);
    assert_int_equal(value, 2);
}

static void round_trip(uint32_t length)
{
    uint8_t out[4];
    uint32_t value = 4711;
    unsigned size = mqtt_length_write(out, length);

    assert_int_equal(size, mqtt_length_size(length));
    assert_int_equal(mqtt_length_read(out, size, &value), size);
    assert_int_equal(value, length);
}

static void test_around_each_border_what_is_written_is_read(void **state)
{
    static const uint32_t borders[] = {1000, 16384, 2097152, 268435455 - 1000};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (uint32_t d = 0; d <= 2000; d++)
            round_trip(borders[i] - 1000 + d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_at_their_borders_are_written),
        cmocka_unit_test(test_lengths_are_read_when_they_are_whole),
        cmocka_unit_test(test_a_fifth_byte_is_refused_at_the_fourth),
        cmocka_unit_test(test_a_length_may_have_more_bytes_than_it_needs),
        cmocka_unit_test(test_around_each_border_what_is_written_is_read),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
