/*
 * unsettled.c - messages that wait to be settled, against a plain list that
 * looks at everything each time.
 */
#include "every.h"
#include "script.h"

#include "session/unsettled.h"

static uint64_t random_state;

/* Without a store. */
static bool plainly_settle(struct mqtt_unsettled_list *list, uint32_t handle,
                           uint8_t code)
{
    bool put, known = mqtt_unsettled_settle(list, handle, code, false, &put);

    assert_false(known && put);
    return known;
}

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

/* ---- the plain list ------------------------------------------------------ */

struct message {
    uint32_t handle;
    uint16_t identifier;
    uint8_t code;
    bool qos2, settled, here;
};

enum { CAPACITY_MAX = 8 };

struct pair {
    struct mqtt_unsettled_list list;
    struct message messages[CAPACITY_MAX]; /* as they came */
    unsigned capacity, used;
};

static void pair_new(struct pair *p, unsigned capacity)
{
    size_t size = capacity * sizeof(struct mqtt_unsettled);
    struct mqtt_unsettled *entries = capacity ? malloc(size) : NULL;

    if (entries)
        memset(entries, 0xA5, size);
    memset(p, 0, sizeof(*p));
    p->capacity = capacity;
    mqtt_unsettled_init(&p->list, entries, (uint16_t)capacity);
}

static void pair_free(struct pair *p)
{
    free(p->list.entries_);
}

static void forget(struct pair *p, unsigned i)
{
    p->used--;
    memmove(&p->messages[i], &p->messages[i + 1],
            (p->used - i) * sizeof(p->messages[0]));
}

static const struct message *find(const struct pair *p, uint32_t handle)
{
    for (unsigned i = 0; i < p->used; i++)
        if (p->messages[i].handle == handle)
            return &p->messages[i];
    return NULL;
}

/* Where the one stands that may leave; -1: none may. */
static int leaves(const struct pair *p)
{
    bool held_up[2] = {false, false};

    for (unsigned i = 0; i < p->used; i++) {
        const struct message *m = &p->messages[i];

        if (m->here && m->settled && !held_up[m->qos2])
            return (int)i;
        if (m->here && !m->settled)
            held_up[m->qos2] = true;
    }
    return -1;
}

/* Whether one may make room: settled, and not come again. */
static bool spare(const struct pair *p)
{
    for (unsigned i = 0; i < p->used; i++)
        if (p->messages[i].settled && !p->messages[i].here)
            return true;
    return false;
}

static bool listed(const struct pair *p, uint32_t handle)
{
    for (unsigned i = 0; i < p->list.used_; i++)
        if (p->list.entries_[i].identifier_ == (handle & 0xFFFF) &&
            p->list.entries_[i].count_ == handle >> 16)
            return true;
    return false;
}

/* The one that made room for the owner of `handle`: it may be any that may, and
 * its own handle may be given again. */
static void forget_spare(struct pair *p, uint32_t handle)
{
    for (unsigned i = 0; i < p->used; i++) {
        const struct message *m = &p->messages[i];

        if (m->settled && !m->here &&
            (m->handle == handle || !listed(p, m->handle))) {
            forget(p, i);
            return;
        }
    }
    fail_msg("none has made room");
}

/* ---- each request to both ------------------------------------------------ */

static void check(struct pair *p)
{
    struct mqtt_settled settled = {0};
    int i = leaves(p);

    assert_int_equal(p->list.used_, p->used);
    assert_int_equal(mqtt_unsettled_full(&p->list),
                     p->used == p->capacity && !spare(p));
    /* Asking changes nothing. */
    for (unsigned times = 0; times < 2; times++) {
        assert_int_equal(mqtt_unsettled_next(&p->list, &settled), i >= 0);
        if (i < 0)
            continue;
        assert_int_equal(settled.identifier, p->messages[i].identifier);
        assert_int_equal(settled.code, p->messages[i].code);
        assert_int_equal(settled.qos2, p->messages[i].qos2);
    }
}

static uint32_t add(struct pair *p, uint16_t identifier, bool qos2)
{
    bool full = p->used == p->capacity, makes_room = full && spare(p);
    uint32_t handle = mqtt_unsettled_add(&p->list, identifier, qos2);

    if (full && !makes_room) {
        assert_int_equal(handle, 0);
        return 0;
    }
    if (makes_room)
        forget_spare(p, handle);
    assert_int_equal(handle & 0xFFFF, identifier);
    assert_int_not_equal(handle >> 16, 0);
    assert_null(find(p, handle));
    p->messages[p->used++] = (struct message){
        .handle = handle, .identifier = identifier, .qos2 = qos2, .here = true};
    return handle;
}

static void settle(struct pair *p, uint32_t handle, uint8_t code)
{
    struct message *m = (struct message *)find(p, handle);
    bool expected = m && !m->settled;

    assert_int_equal(plainly_settle(&p->list, handle, code), expected);
    if (expected) {
        m->settled = true;
        m->code = code;
    }
}

/* Whether it was there. */
static bool comes_again(struct pair *p, uint16_t identifier)
{
    struct message m;
    unsigned i = 0;

    while (i < p->used &&
           !(p->messages[i].qos2 && p->messages[i].identifier == identifier))
        i++;
    assert_int_equal(mqtt_unsettled_came_again(&p->list, identifier),
                     i < p->used);
    if (i == p->used)
        return false;
    m = p->messages[i];
    if (!m.here) {
        forget(p, i);
        m.here = true;
        p->messages[p->used++] = m;
    }
    return true;
}

/* As a client sees it: QoS 2 that is known is not a new message. */
static void comes(struct pair *p, uint16_t identifier, bool qos2)
{
    if (!qos2 || !comes_again(p, identifier))
        add(p, identifier, qos2);
}

static bool acknowledge(struct pair *p)
{
    struct mqtt_settled settled;

    if (!mqtt_unsettled_next(&p->list, &settled))
        return false;
    mqtt_unsettled_acknowledged(&p->list, &settled);
    forget(p, (unsigned)leaves(p));
    return true;
}

static void cut_off(struct pair *p)
{
    mqtt_unsettled_cut(&p->list);
    for (unsigned i = p->used; i--;)
        if (p->messages[i].qos2)
            p->messages[i].here = false;
        else
            forget(p, i);
}

static void clear(struct pair *p)
{
    mqtt_unsettled_clear(&p->list);
    p->used = 0;
}

static uint32_t handle_at(const struct pair *p, unsigned i)
{
    return i < p->used ? p->messages[i].handle : 0;
}

/* ---- one thing at a time ------------------------------------------------- */

static void test_an_entry_takes_6_bytes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct mqtt_unsettled), 6);
}

static void test_acknowledgements_leave_in_the_order_of_arrival(void **state)
{
    struct pair p;
    uint32_t a, b, c;

    (void)state;
    pair_new(&p, 3);
    a = add(&p, 1, false);
    b = add(&p, 2, false);
    c = add(&p, 3, false);
    settle(&p, c, 0x80);
    settle(&p, b, 0x10);
    assert_false(acknowledge(&p));
    settle(&p, a, 0);
    for (unsigned i = 0; i < 3; i++) {
        check(&p);
        assert_true(acknowledge(&p));
    }
    assert_false(acknowledge(&p));
    pair_free(&p);
}

static void test_one_qos_does_not_hold_up_the_other(void **state)
{
    (void)state;
    for (unsigned qos2 = 0; qos2 < 2; qos2++) {
        struct mqtt_settled settled;
        struct pair p;

        pair_new(&p, 3);
        add(&p, 1, qos2);
        add(&p, 2, qos2);
        settle(&p, add(&p, 3, !qos2), 0x83);
        assert_true(mqtt_unsettled_next(&p.list, &settled));
        assert_int_equal(settled.identifier, 3);
        assert_int_equal(settled.code, 0x83);
        assert_int_equal(settled.qos2, !qos2);
        pair_free(&p);
    }
}

static void test_qos_1_is_forgotten_by_a_cut_and_qos_2_is_not(void **state)
{
    struct pair p;
    uint32_t one, two;

    (void)state;
    pair_new(&p, 3);
    one = add(&p, 1, false);
    two = add(&p, 2, true);
    cut_off(&p);
    assert_false(plainly_settle(&p.list, one, 0));
    settle(&p, two, 0);
    check(&p); /* nothing leaves before it has come again */
    assert_int_equal(p.list.used_, 1);
    assert_false(acknowledge(&p));
    assert_true(comes_again(&p, 2));
    assert_true(acknowledge(&p));
    pair_free(&p);
}

static void test_what_comes_again_stands_behind_what_came_before(void **state)
{
    struct mqtt_settled settled;
    struct pair p;
    uint32_t first;

    (void)state;
    pair_new(&p, 3);
    settle(&p, add(&p, 1, true), 0);
    cut_off(&p);
    first = add(&p, 2, true);
    comes_again(&p, 1);
    assert_false(acknowledge(&p));
    settle(&p, first, 0);
    assert_true(mqtt_unsettled_next(&p.list, &settled));
    assert_int_equal(settled.identifier, 2);
    check(&p);
    pair_free(&p);
}

static void test_what_does_not_come_again_holds_nothing_up(void **state)
{
    struct pair p;

    (void)state;
    pair_new(&p, 3);
    add(&p, 1, true);
    cut_off(&p);
    settle(&p, add(&p, 2, true), 0);
    check(&p);
    assert_true(acknowledge(&p));
    pair_free(&p);
}

static void test_no_handle_outlives_its_session(void **state)
{
    uint32_t handles[8];
    struct pair p;

    (void)state;
    pair_new(&p, 8);
    for (uint16_t i = 0; i < 8; i++)
        handles[i] = add(&p, (uint16_t)(1 + i), i & 1);
    clear(&p);
    for (unsigned i = 0; i < 8; i++)
        settle(&p, handles[i], 0);
    for (uint16_t i = 0; i < 8; i++)
        add(&p, (uint16_t)(1 + i), i & 1);
    for (unsigned i = 0; i < 8; i++)
        assert_false(plainly_settle(&p.list, handles[i], 0));
    settle(&p, 0, 0);
    check(&p);
    pair_free(&p);
}

/* Identifier 7 waits as QoS 2; 7 comes as QoS 1 as often as there are counts,
 * and once more. */
static void test_the_handle_of_one_that_waits_is_not_given_again(void **state)
{
    struct pair p;
    uint32_t waits;

    (void)state;
    pair_new(&p, 3);
    waits = add(&p, 7, true);
    for (unsigned i = 0; i < ROUNDS(200000); i++) {
        settle(&p, add(&p, 7, false), 0);
        assert_true(acknowledge(&p));
        if (i % 1000 == 0) {
            cut_off(&p);
            add(&p, 8, false); /* stands before the one that is expected */
            if (i % 2000 == 0)
                comes_again(&p, 7);
            check(&p);
            cut_off(&p);
        }
    }
    settle(&p, waits, 0);
    comes_again(&p, 7);
    assert_true(acknowledge(&p));
    pair_free(&p);
}

/* ---- everything ---------------------------------------------------------- */

enum { STEPS = 12 };

static void step(struct pair *p, unsigned which)
{
    switch (which) {
    case 0:
        acknowledge(p);
        break;
    case 1:
        cut_off(p);
        break;
    case 2:
    case 3:
    case 4:
        settle(p, handle_at(p, which - 2), (uint8_t)(which + 0x80));
        break;
    case 5:
    case 6:
        comes_again(p, (uint16_t)(which - 4));
        break;
    case 7:
        clear(p);
        break;
    default:
        comes(p, (uint16_t)(1 + (which & 1)), which & 2);
    }
    check(p);
}

/* Each row of so many steps, from an empty list. */
static void every_row_of_steps(unsigned capacity, unsigned length)
{
    unsigned rows = 1;

    for (unsigned i = 0; i < length; i++)
        rows *= STEPS;
    for (unsigned row = 0; row < rows; row++) {
        unsigned rest = row;
        struct pair p;

        pair_new(&p, capacity);
        for (unsigned i = 0; i < length; i++, rest /= STEPS)
            step(&p, rest % STEPS);
        pair_free(&p);
    }
}

static void test_every_short_row_of_requests_does_what_it_should(void **state)
{
    (void)state;
    every_row_of_steps(0, 3);
    every_row_of_steps(1, 4);
    every_row_of_steps(3, 5);
}

/* After these of QoS 2, two of them settled, were cut off. */
static void test_every_short_row_after_a_cut_does_what_it_should(void **state)
{
    (void)state;
    for (unsigned row = 0; row < STEPS * STEPS * STEPS * STEPS; row++) {
        unsigned rest = row;
        struct pair p;

        pair_new(&p, 5);
        for (uint16_t i = 1; i <= 3; i++)
            add(&p, i, true);
        settle(&p, handle_at(&p, 0), 0);
        settle(&p, handle_at(&p, 2), 0x97);
        cut_off(&p);
        for (unsigned i = 0; i < 4; i++, rest /= STEPS)
            step(&p, rest % STEPS);
        pair_free(&p);
    }
}

/* What a client, an application and a server may do, old handles included. */
static void random_step(struct pair *p, uint32_t *old, unsigned identifiers)
{
    unsigned which = any(100);
    uint16_t identifier = (uint16_t)(1 + any(identifiers));

    *old = any(50) ? *old : handle_at(p, any(8));
    if (which < 40)
        comes(p, identifier, any(2));
    else if (which < 65)
        settle(p, handle_at(p, any(8)), (uint8_t)any(256));
    else if (which < 70)
        settle(p, *old, 0);
    else if (which < 95)
        acknowledge(p);
    else if (which < 97)
        comes_again(p, identifier);
    else if (which < 99 || any(10))
        cut_off(p);
    else
        clear(p);
}

static void test_random_requests_do_what_they_should(void **state)
{
    static const unsigned capacities[] = {0, 1, 3, 8};

    (void)state;
    for (unsigned run = 0; run < 12; run++) {
        uint32_t old = 0;
        struct pair p;

        pair_new(&p, capacities[run & 3]);
        for (unsigned i = 0; i < ROUNDS(200000); i++) {
            random_step(&p, &old, run < 4 ? 2 : run < 8 ? 6 : 65535);
            /* Looking or not makes no difference. */
            if (i & 4096 || any(2))
                check(&p);
            if (!any(1000)) /* soon the counts begin anew */
                p.list.counter_ |= 0xFFF0;
        }
        pair_free(&p);
    }
}

/* ---- as long as can be --------------------------------------------------- */

enum { MOST = 65535 };

static void expect_next(struct mqtt_unsettled_list *list, uint16_t identifier)
{
    struct mqtt_settled settled;

    assert_true(mqtt_unsettled_next(list, &settled));
    assert_int_equal(settled.identifier, identifier);
    mqtt_unsettled_acknowledged(list, &settled);
}

static void expect_no_next(struct mqtt_unsettled_list *list)
{
    struct mqtt_settled settled;

    assert_false(mqtt_unsettled_next(list, &settled));
}

static void fill(struct mqtt_unsettled_list *list, uint32_t *handles, bool qos2)
{
    for (unsigned i = 0; i < MOST; i++) {
        handles[i] = mqtt_unsettled_add(list, (uint16_t)(i + 1), qos2);
        assert_int_not_equal(handles[i], 0);
        expect_no_next(list);
    }
    assert_true(mqtt_unsettled_full(list));
    assert_int_equal(mqtt_unsettled_add(list, 1, !qos2), 0);
}

static void test_65535_can_be_settled_in_any_order(void **state)
{
    struct mqtt_unsettled *entries = malloc(MOST * sizeof(*entries));
    uint32_t *handles = malloc(MOST * sizeof(*handles));
    struct mqtt_unsettled_list list;

    (void)state;
    mqtt_unsettled_init(&list, entries, MOST);
    list.counter_ = 1000; /* the counts begin anew on the way */
    fill(&list, handles, false);
    for (unsigned i = MOST; --i;) {
        assert_true(plainly_settle(&list, handles[i], 0));
        expect_no_next(&list);
    }
    assert_true(plainly_settle(&list, handles[0], 0));
    for (unsigned i = 0; i < 1000; i++)
        expect_next(&list, (uint16_t)(i + 1));
    assert_int_equal(list.used_, MOST - 1000);
    free(handles);
    free(entries);
}

static void test_65535_can_come_again(void **state)
{
    struct mqtt_unsettled *entries = malloc(MOST * sizeof(*entries));
    uint32_t *handles = malloc(MOST * sizeof(*handles));
    struct mqtt_unsettled_list list;

    (void)state;
    mqtt_unsettled_init(&list, entries, MOST);
    fill(&list, handles, true);
    mqtt_unsettled_cut(&list);
    assert_int_equal(list.used_, MOST);
    for (unsigned i = 0; i < MOST; i++)
        assert_true(plainly_settle(&list, handles[i], 0));
    expect_no_next(&list);
    assert_true(mqtt_unsettled_came_again(&list, MOST));
    for (unsigned i = 1; i < MOST; i++)
        assert_true(mqtt_unsettled_came_again(&list, (uint16_t)i));
    expect_next(&list, MOST);
    for (unsigned i = 1; i < 1000; i++)
        expect_next(&list, (uint16_t)i);
    free(handles);
    free(entries);
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_an_entry_takes_6_bytes),
        TEST(test_acknowledgements_leave_in_the_order_of_arrival),
        TEST(test_one_qos_does_not_hold_up_the_other),
        TEST(test_qos_1_is_forgotten_by_a_cut_and_qos_2_is_not),
        TEST(test_what_comes_again_stands_behind_what_came_before),
        TEST(test_what_does_not_come_again_holds_nothing_up),
        TEST(test_no_handle_outlives_its_session),
        TEST(test_the_handle_of_one_that_waits_is_not_given_again),
        TEST(test_every_short_row_of_requests_does_what_it_should),
        TEST(test_every_short_row_after_a_cut_does_what_it_should),
        TEST(test_random_requests_do_what_they_should),
        TEST(test_65535_can_be_settled_in_any_order),
        TEST(test_65535_can_come_again),
    };

    return cmocka_run_group_tests_name("unsettled", tests, NULL, NULL);
}
