/*
 * every_identifier.c - packet identifiers over the wrap, with some held open:
 * none is 0, none is there twice, and all others are given [3.1.1, section
 * 2.3.1].
 */
#include "every.h"

#include "session/session.h"
#include "session/slots.h"
#include <mqttloop/client.h>

static struct mqtt_session session;
static bool open[65536];
static unsigned given[65536];

static struct mqtt_slot *take(void)
{
    struct mqtt_slot *slot = mqtt_slot_take(&session);
    uint16_t identifier = slot->identifier_;

    if (!identifier || open[identifier] ||
        mqtt_slot_find(&session, identifier) != slot)
        fail_msg("%u", identifier);
    open[identifier] = true;
    given[identifier]++;
    return slot;
}

static void end(struct mqtt_slot *slot)
{
    open[slot->identifier_] = false;
    mqtt_slot_free(&session, &session.publishes_, slot);
}

static void begin(uint16_t slots)
{
    static struct mqtt_slot memory_of_slots[32768];
    const struct mqtt_config config = {.protocol = &mqtt_protocol_3_1_1};
    const struct mqtt_memory memory = {.slots = memory_of_slots,
                                       .slot_count = slots};

    memset(open, 0, sizeof(open));
    assert_int_equal(mqtt_session_init(&session, &config, &memory), MQTT_OK);
}

/* How many can be given while the slots of some are held. */
static unsigned possible(const bool *blocked, uint16_t slots)
{
    unsigned count = 0;

    for (unsigned id = 1; id < 65536; id++)
        count += !blocked[id & (slots - 1u)];
    return count;
}

/* All slots are taken, and those at a multiple of `step` stay so; then one after
 * the other is taken, twice around. */
static void around(uint16_t slots, unsigned step)
{
    static struct mqtt_slot *rest[32768];
    static bool blocked[32768];
    unsigned count = 0;

    begin(slots);
    memset(blocked, 0, sizeof(blocked));
    for (unsigned i = 0; i < slots; i++) {
        struct mqtt_slot *slot = take();

        if (step && i % step == 0)
            blocked[slot->identifier_ & (slots - 1u)] = true;
        else
            rest[count++] = slot;
    }
    while (count)
        end(rest[--count]);
    memset(given, 0, sizeof(given));
    for (unsigned i = 2 * possible(blocked, slots); i; i--)
        end(take());
    for (unsigned id = 0; id < 65536; id++)
        if (given[id] != (id && !blocked[id & (slots - 1u)] ? 2 : 0))
            fail_msg("%u of %u slots: %u times", id, slots, given[id]);
}

static void test_every_identifier_is_given_over_the_wrap(void **state)
{
    (void)state;
    for (unsigned slots = 1; slots <= 32768; slots *= 2)
        around((uint16_t)slots, 0);
}

static void test_those_that_are_held_are_stepped_over(void **state)
{
    static const unsigned steps[] = {2, 3, 7, 100, 4096};

    (void)state;
    for (unsigned slots = 2; slots <= 32768; slots *= 2)
        for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
            around((uint16_t)slots, steps[i]);
}

/* All slots but one are held, each of some as the one. */
static void test_the_last_slot_is_found(void **state)
{
    static const uint16_t counts[] = {2, 4096, 32768};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t slots = counts[i];
        unsigned identifiers = 65536u / slots;
        struct mqtt_slot *one = NULL;

        begin(slots);
        for (unsigned j = 0; j < slots; j++)
            one = take();
        for (unsigned j = 0; j < 8 * identifiers; j++) {
            uint16_t index = one->identifier_ & (uint16_t)(slots - 1);

            end(one);
            one = take();
            assert_int_equal(one->identifier_ & (slots - 1), index);
        }
    }
}

/* One for SUBSCRIBE is none of these, and publishing steps over it. */
static void test_every_identifier_is_reserved_once(void **state)
{
    (void)state;
    begin(16);
    for (unsigned i = 0; i < 5; i++)
        take();
    memset(given, 0, sizeof(given));
    for (unsigned i = 65536 - 2 - 5; i; i--)
        given[mqtt_slot_reserve_identifier(&session)]++;
    for (unsigned id = 0; id < 65536; id++)
        if (given[id] != !(open[id] || !(id & 0x7fff)))
            fail_msg("%u: %u times", id, given[id]);
    memset(given, 0, sizeof(given));
    session.reserved_identifier_ = 777;
    for (unsigned i = 0; i < 65536; i++)
        end(take());
    assert_int_equal(given[777], 0);
    assert_true(given[776] && given[778]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_identifier_is_given_over_the_wrap),
        cmocka_unit_test(test_those_that_are_held_are_stepped_over),
        cmocka_unit_test(test_the_last_slot_is_found),
        cmocka_unit_test(test_every_identifier_is_reserved_once),
    };

    return cmocka_run_group_tests_name("every identifier", tests, NULL, NULL);
}
