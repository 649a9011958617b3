/*
 * records.c - what a client makes of the records that it finds: those that a
 * session can have put are taken, all others are refused, and the store is left
 * as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <mqttloop/client.h>
#include <mqttloop/store.h>

enum { ROOM = 8 };

/* ---- a store that is read only ----------------------------------------------- */

static struct mqtt_record records[ROOM];
static size_t record_count, next_record;
static unsigned calls; /* that would change something */

/* As they stand there, whatever their order says. */
static enum mqtt_error next(struct mqtt_store *store,
                            struct mqtt_span client_identifier, uint64_t order,
                            struct mqtt_record *record, bool *found)
{
    (void)store;
    (void)client_identifier;
    if (!order)
        next_record = 0;
    *found = next_record < record_count;
    if (*found)
        *record = records[next_record++];
    return MQTT_OK;
}

static enum mqtt_error put(struct mqtt_store *store,
                           struct mqtt_span client_identifier,
                           const struct mqtt_record *record)
{
    (void)store;
    (void)client_identifier;
    (void)record;
    calls++;
    return MQTT_OK;
}

static struct mqtt_store store = {
    .seam = &mqtt_store_seam, .next = next, .put = put};

static void add(enum mqtt_record_kind kind, uint16_t identifier,
                const void *content, size_t size)
{
    struct mqtt_record *record = &records[record_count++];

    assert_true(record_count <= ROOM);
    memset(record, 0, sizeof(*record));
    record->kind = kind;
    record->packet_identifier = identifier;
    record->order = record_count;
    record->content[0] = (struct mqtt_span){content, size};
}

/* ---- a client ----------------------------------------------------------------- */

static struct mqtt_client client;
static unsigned level; /* 4 or 5 */

static uint32_t random_bits(void *context)
{
    (void)context;
    return 0;
}

static enum mqtt_error start_with(size_t outbox_size)
{
    static uint8_t outbox[256], control[128], input[64];
    static uint32_t slots[4 * 3]; /* of 12 bytes */
    static uint16_t received[2], released[2];
    static struct mqtt_unsettled unsettled[2];
    static uint8_t identifier[8];
    static const struct mqtt_server server = {.address = "127.0.0.1"};
    static struct mqtt_config config;
    struct mqtt_memory memory = {
        .outbox = outbox,
        .outbox_size = outbox_size,
        .slots = (struct mqtt_slot *)slots,
        .slot_count = 4,
        .control = control,
        .control_size = sizeof(control),
        .input = input,
        .input_size = sizeof(input),
        .received_list = received,
        .received_count = 2,
        .unsettled = unsettled,
        .unsettled_count = 2,
        .identifier = identifier,
        .identifier_size = sizeof(identifier),
        .released = released,
        .released_count = 2,
    };

    memset(&config, 0, sizeof(config));
    config.protocol = level == 5 ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    config.connect.client_identifier = mqtt_text("c");
    config.random = random_bits;
    config.servers = &server;
    config.server_count = 1;
    config.store = &store;
    calls = 0;
    return mqtt_client_init(&client, sizeof(client), &config, &memory);
}

/* What comes of the records; when they are refused nothing is written. */
static enum mqtt_error start(void)
{
    enum mqtt_error error = start_with(256);

    if (error || record_count)
        assert_int_equal(calls, 0);
    return error;
}

static void add_session(void)
{
    static const uint8_t content[2][2] = {{4, 1}, {5, 1}};

    add(MQTT_RECORD_SESSION, 0, content[level - 4], 2);
}

/* The session, and this record with it. */
static enum mqtt_error start_from(enum mqtt_record_kind kind,
                                  uint16_t identifier, const void *content,
                                  size_t size)
{
    record_count = 0;
    add_session();
    add(kind, identifier, content, size);
    return start();
}

#define PUBLISH(...)                                                           \
    start_from(MQTT_RECORD_PUBLISH, 1,                                         \
               (const uint8_t[]){0, 0, 0, 9, __VA_ARGS__},                     \
               4 + sizeof((const uint8_t[]){__VA_ARGS__}))
#define TAKEN(...) assert_int_equal(__VA_ARGS__, MQTT_OK)
#define REFUSED(...) assert_int_equal(__VA_ARGS__, MQTT_ERR_STORE)

static unsigned outstanding(void)
{
    struct mqtt_outstanding it = {0};
    unsigned count = 0;

    while (mqtt_client_next_outstanding(&client, &it))
        count++;
    return count;
}

/* ---- tests --------------------------------------------------------------------- */

static void test_no_record_is_a_new_session(void **state)
{
    (void)state;
    record_count = 0;
    TAKEN(start());
    assert_int_equal(calls, 1);
}

static void test_one_of_each_kind_is_taken(void **state)
{
    static const uint8_t image[][13] = {
        {0, 0, 0, 9, 0x32, 6, 0, 1, 'a', 0, 3, 'x', 0},
        {0, 0, 0, 9, 0x34, 7, 0, 1, 'a', 0, 3, 0, 'x'},
    };

    (void)state;
    record_count = 0;
    add(MQTT_RECORD_PUBREL, 2, NULL, 0);
    add(MQTT_RECORD_PUBREL, 1, "", 1);
    add(MQTT_RECORD_PUBLISH, 3, image[level - 4], level == 5 ? 13 : 12);
    add(MQTT_RECORD_RECEIVED, 1, NULL, 0);
    add_session();
    TAKEN(start());
    assert_int_equal(outstanding(), 3);
}

static void test_records_without_a_session_are_refused(void **state)
{
    (void)state;
    record_count = 0;
    add(MQTT_RECORD_PUBREL, 2, NULL, 0);
    REFUSED(start());
}

static void test_two_sessions_are_refused(void **state)
{
    (void)state;
    record_count = 0;
    add_session();
    add_session();
    REFUSED(start());
}

static void test_a_session_that_nobody_wrote_is_refused(void **state)
{
    uint8_t content[] = {(uint8_t)level, 1, 0xff};

    (void)state;
    record_count = 0;
    add(MQTT_RECORD_SESSION, 1, content, 2);
    REFUSED(start());
    record_count = 0;
    add(MQTT_RECORD_SESSION, 0, content, 1);
    REFUSED(start());
    record_count = 0;
    add(MQTT_RECORD_SESSION, 0, content, 3); /* no UTF-8 */
    REFUSED(start());
    content[1] = 3;
    record_count = 0;
    add(MQTT_RECORD_SESSION, 0, content, 2);
    REFUSED(start());
    content[0] = 6;
    content[1] = 1;
    assert_int_equal(start(), MQTT_ERR_PROTOCOL_VERSION);
}

/* Nobody knows what it would have told. */
static void test_a_kind_that_is_not_known_is_refused(void **state)
{
    (void)state;
    REFUSED(start_from((enum mqtt_record_kind)0, 1, NULL, 0));
    REFUSED(start_from((enum mqtt_record_kind)5, 1, NULL, 0));
}

static void test_no_packet_identifier_is_refused(void **state)
{
    static const uint8_t image[] = {0, 0, 0, 9, 0x32, 6, 0, 1, 'a', 0, 0, 0};

    (void)state;
    REFUSED(start_from(MQTT_RECORD_PUBREL, 0, NULL, 0));
    REFUSED(start_from(MQTT_RECORD_RECEIVED, 0, NULL, 0));
    REFUSED(start_from(MQTT_RECORD_PUBLISH, 0, image, sizeof(image)));
}

static void test_content_that_nobody_wrote_is_refused(void **state)
{
    (void)state;
    TAKEN(start_from(MQTT_RECORD_PUBREL, 1, "", 1));
    REFUSED(start_from(MQTT_RECORD_PUBREL, 1, "xy", 2));
    REFUSED(start_from(MQTT_RECORD_RECEIVED, 1, "x", 1));
}

/* Counted twice, it would stay when PUBREL has come, and the next message of
 * this identifier would be taken for the same. */
static void test_a_received_message_is_there_once(void **state)
{
    (void)state;
    record_count = 0;
    add_session();
    add(MQTT_RECORD_RECEIVED, 7, NULL, 0);
    add(MQTT_RECORD_RECEIVED, 7, NULL, 0);
    REFUSED(start());
    records[2].packet_identifier = 8;
    TAKEN(start());
    add(MQTT_RECORD_RECEIVED, 9, NULL, 0);
    assert_int_equal(start(), MQTT_ERR_MEMORY);
}

static void test_an_outgoing_message_is_there_once(void **state)
{
    (void)state;
    record_count = 0;
    add_session();
    add(MQTT_RECORD_PUBREL, 7, NULL, 0);
    add(MQTT_RECORD_PUBREL, 7, NULL, 0);
    REFUSED(start());
    records[2].packet_identifier = 8;
    TAKEN(start());
    records[2].packet_identifier = 11; /* of the same slot as 7 */
    assert_int_equal(start(), MQTT_ERR_MEMORY);
}

/* It would be read for ever, or the next one be written where none is read. */
static void test_orders_go_up(void **state)
{
    (void)state;
    record_count = 0;
    add_session();
    add(MQTT_RECORD_PUBREL, 1, NULL, 0);
    TAKEN(start());
    records[1].order = 1;
    REFUSED(start());
    records[1].order = UINT64_MAX;
    REFUSED(start());
    records[1].order = UINT64_MAX - 1;
    TAKEN(start());
    records[0].order = 0;
    REFUSED(start());
}

static void test_an_image_is_a_whole_publish(void **state)
{
    const bool five = level == 5;

    (void)state;
    if (five)
        TAKEN(PUBLISH(0x32, 6, 0, 1, 'a', 0, 1, 0));
    TAKEN(PUBLISH(0x3d, 7, 0, 1, 'a', 0, 1, 0, 'x'));
    REFUSED(start_from(MQTT_RECORD_PUBLISH, 1, "abc", 3));
    REFUSED(start_from(MQTT_RECORD_PUBLISH, 1, "abcd", 4));
    REFUSED(PUBLISH(0x32));
    REFUSED(PUBLISH(0x32, 0x80));
    REFUSED(PUBLISH(0x32, 0));
    REFUSED(PUBLISH(0x32, 7, 0, 1, 'a', 0, 1, 0));       /* torn */
    REFUSED(PUBLISH(0x32, 5, 0, 1, 'a', 0, 1, 0));       /* too much */
    REFUSED(PUBLISH(0x32, 0x86, 0, 0, 1, 'a', 0, 1, 0)); /* a long 6 */
    REFUSED(PUBLISH(0x32, 4, 0, 1, 'a', 0));             /* no identifier */
    REFUSED(PUBLISH(0x32, 6, 0, 1, 'a', 0, 2, 0));       /* of another */
    REFUSED(PUBLISH(0x32, 6, 0, 9, 'a', 0, 1, 0));       /* no such topic */
    REFUSED(PUBLISH(0x30, 6, 0, 1, 'a', 0, 1, 0));       /* QoS 0 */
    REFUSED(PUBLISH(0x36, 6, 0, 1, 'a', 0, 1, 0));       /* QoS 3 */
    REFUSED(PUBLISH(0x12, 6, 0, 1, 'a', 0, 1, 0));       /* CONNECT */
}

/* The server would end each connection on which it is sent. */
static void test_a_topic_name_that_cannot_be_published_is_refused(void **state)
{
    (void)state;
    REFUSED(PUBLISH(0x32, 5, 0, 0, 0, 1, 0));
    REFUSED(PUBLISH(0x32, 6, 0, 1, '#', 0, 1, 0));
    REFUSED(PUBLISH(0x32, 6, 0, 1, 0xff, 0, 1, 0));
}

static void test_properties_that_cannot_be_published_are_refused(void **state)
{
    (void)state;
    if (level == 4)
        return;
    TAKEN(PUBLISH(0x32, 11, 0, 1, 'a', 0, 1, 5, 2, 0, 0, 0, 1));
    TAKEN(PUBLISH(0x32, 13, 0, 1, 'a', 0, 1, 7, 2, 0, 0, 0, 1, 1, 1));
    /* The expiry is not found there. */
    REFUSED(PUBLISH(0x32, 13, 0, 1, 'a', 0, 1, 7, 1, 1, 2, 0, 0, 0, 1));
    REFUSED(PUBLISH(0x32, 9, 0, 1, 'a', 0, 1, 3, 0x23, 0, 1)); /* an alias */
    REFUSED(PUBLISH(0x32, 8, 0, 1, 'a', 0, 1, 2, 0x0b, 1));
    REFUSED(PUBLISH(0x32, 7, 0, 1, 'a', 0, 1, 1, 0x7f));
    REFUSED(PUBLISH(0x32, 7, 0, 1, 'a', 0, 1, 2, 1));    /* too long */
    REFUSED(PUBLISH(0x32, 7, 0, 1, 'a', 0, 1, 0x80, 0)); /* a long 0 */
    REFUSED(PUBLISH(0x32, 5, 0, 1, 'a', 0, 1));          /* none */
}

static void test_what_does_not_fit_is_left_for_another_process(void **state)
{
    (void)state;
    TAKEN(PUBLISH(0x32, 7, 0, 1, 'a', 0, 1, 0, 'x'));
    assert_int_equal(start_with(8), MQTT_ERR_MEMORY);
    assert_int_equal(calls, 0);
    TAKEN(start_with(9));
}

/* ---- errors of the store --------------------------------------------------------- */

static unsigned good_reads;

static enum mqtt_error fails(struct mqtt_store *it,
                             struct mqtt_span client_identifier, uint64_t order,
                             struct mqtt_record *record, bool *found)
{
    return good_reads-- ? next(it, client_identifier, order, record, found)
                        : MQTT_ERR_STORE;
}

static void test_each_read_may_fail(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        record_count = 0;
        add_session();
        add(MQTT_RECORD_PUBREL, 1, NULL, 0);
        store.next = fails;
        good_reads = i;
        REFUSED(start());
        store.next = next;
    }
    TAKEN(start());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_record_is_a_new_session),
        cmocka_unit_test(test_one_of_each_kind_is_taken),
        cmocka_unit_test(test_records_without_a_session_are_refused),
        cmocka_unit_test(test_two_sessions_are_refused),
        cmocka_unit_test(test_a_session_that_nobody_wrote_is_refused),
        cmocka_unit_test(test_a_kind_that_is_not_known_is_refused),
        cmocka_unit_test(test_no_packet_identifier_is_refused),
        cmocka_unit_test(test_content_that_nobody_wrote_is_refused),
        cmocka_unit_test(test_a_received_message_is_there_once),
        cmocka_unit_test(test_an_outgoing_message_is_there_once),
        cmocka_unit_test(test_orders_go_up),
        cmocka_unit_test(test_an_image_is_a_whole_publish),
        cmocka_unit_test(test_a_topic_name_that_cannot_be_published_is_refused),
        cmocka_unit_test(test_properties_that_cannot_be_published_are_refused),
        cmocka_unit_test(test_what_does_not_fit_is_left_for_another_process),
        cmocka_unit_test(test_each_read_may_fail),
    };
    int failed = 0;

    for (level = 4; level <= 5; level++)
        failed += cmocka_run_group_tests_name(
            level == 4 ? "records, 3.1.1" : "records, 5.0", tests, NULL, NULL);
    return failed;
}
