/*
 * every_length.c - every variable byte integer, and every row of bytes that may
 * be one [3.1.1, section 2.2.3], [5.0, section 1.5.5].
 */
#include "every.h"

#include "wire/length.h"

static void check_value(uint32_t value)
{
    static const uint32_t first_of[] = {0,      0,        0x80,
                                        0x4000, 0x200000, MQTT_LENGTH_MAX + 1};
    uint8_t bytes[5] = {0, 0, 0, 0, 0xee};
    unsigned size = mqtt_length_write(bytes, value);
    uint32_t again = ~value;

    if (size > 4 || value < first_of[size] || value >= first_of[size + 1] ||
        mqtt_length_size(value) != size || bytes[4] != 0xee ||
        mqtt_length_read(bytes, size, &again) != (int)size || again != value)
        fail_msg("%u", (unsigned)value);
}

static void test_every_value_is_written_and_read(void **state)
{
    static const uint32_t borders[] = {0x80, 0x4000, 0x200000};

    (void)state;
    for (uint32_t value = 0; value <= MQTT_LENGTH_MAX; value += STRIDE)
        check_value(value);
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t d = 0; d <= 131072; d++)
            if (borders[i] + d >= 65536)
                check_value(borders[i] + d - 65536);
    for (uint32_t d = 0; d <= 65536; d++)
        check_value(MQTT_LENGTH_MAX - d);
}

/* What these bytes are: as reference.c of the fuzz targets has it. */
static void check_bytes(const uint8_t *bytes, size_t size)
{
    uint32_t value = 0, expected = 0, multiplier = 1;
    int n = mqtt_length_read(bytes, size, &value), wanted = 0;

    for (unsigned i = 0; i < size && !wanted; i++) {
        expected += (bytes[i] & 127u) * multiplier;
        multiplier *= 128;
        if (bytes[i] < 128)
            wanted = (int)i + 1;
        else if (i == 3)
            wanted = -1;
    }
    if (n != wanted || (n > 0 && value != expected))
        fail_msg("%02x %02x %02x %02x, of %zu: %d", bytes[0], bytes[1],
                 bytes[2], bytes[3], size, n);
}

static void test_every_row_of_three_bytes_is_read(void **state)
{
    uint8_t bytes[4] = {0};

    (void)state;
    for (uint32_t i = 0; i < 1u << 24; i += STRIDE) {
        bytes[0] = (uint8_t)(i >> 16);
        bytes[1] = (uint8_t)(i >> 8);
        bytes[2] = (uint8_t)i;
        for (size_t size = 0; size <= 3; size++)
            check_bytes(bytes, size);
    }
}

/* Three bytes that say that a fourth one is there, and each fourth one. */
static void check_fourth(uint8_t *bytes)
{
    uint32_t low =
        (bytes[0] & 127u) | (bytes[1] & 127u) << 7 | (bytes[2] & 127u) << 14;

    for (unsigned last = 0; last < 256; last++) {
        uint32_t value = 0;
        int n;

        bytes[3] = (uint8_t)last;
        n = mqtt_length_read(bytes, 4, &value);
        if (last < 128 ? n != 4 || value != (low | last << 21) : n != -1)
            fail_msg("%08x %02x", (unsigned)low, last);
    }
}

/* Behind others, which do not, the least and the greatest. */
static void test_every_row_of_four_bytes_is_read(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1u << 24; i += STRIDE) {
        uint8_t bytes[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

        if ((i & 0x808080) == 0x808080) {
            check_fourth(bytes);
            continue;
        }
        check_bytes(bytes, 4);
        bytes[3] = 255;
        check_bytes(bytes, 4);
    }
}

/* Whatever the fifth is; every 61st row. */
static void test_no_row_of_five_bytes_is_one(void **state)
{
    static const uint8_t fifth[] = {0, 1, 0x7f, 0x80, 0xff};
    uint32_t value = 0;

    (void)state;
    for (uint32_t i = 0; i < 1u << 28; i += 61 * STRIDE) {
        uint8_t bytes[5] = {(uint8_t)(i >> 21 | 0x80),
                            (uint8_t)(i >> 14 | 0x80), (uint8_t)(i >> 7 | 0x80),
                            (uint8_t)(i | 0x80)};

        for (unsigned j = 0; j < sizeof(fifth); j++) {
            bytes[4] = fifth[j];
            if (mqtt_length_read(bytes, 5, &value) != -1)
                fail_msg("%08x", (unsigned)i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_is_written_and_read),
        cmocka_unit_test(test_every_row_of_three_bytes_is_read),
        cmocka_unit_test(test_every_row_of_four_bytes_is_read),
        cmocka_unit_test(test_no_row_of_five_bytes_is_one),
    };

    return cmocka_run_group_tests_name("every length", tests, NULL, NULL);
}
