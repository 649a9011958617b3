/*
 * refused.c - memory, configurations and arguments that are refused at once.
 */
#include "script.h"

#include <mqttloop/stream.h>

/* ---- lent memory --------------------------------------------------------- */

static void expect_memory_refused(struct script *s)
{
    struct mqtt_client client;

    assert_int_equal(
        mqtt_client_init(&client, sizeof(client), &s->config, &s->memory),
        MQTT_ERR_MEMORY);
}

/* A size that is wrong, then the right one again. */
#define refuses_size(s, member, wrong)                                         \
    do {                                                                       \
        size_t right = (s)->memory.member;                                     \
        (s)->memory.member = wrong;                                            \
        expect_memory_refused(s);                                              \
        (s)->memory.member = right;                                            \
    } while (0)

/* Without the memory that a size speaks of. */
#define refuses_absence(s, member)                                             \
    do {                                                                       \
        void *there = (s)->memory.member;                                      \
        (s)->memory.member = NULL;                                             \
        expect_memory_refused(s);                                              \
        (s)->memory.member = there;                                            \
    } while (0)

/* A client that has all kinds of memory. */
static void start_with_all(struct script *s)
{
    s->config.protocol = &mqtt_protocol_5_0;
    s->memory.unsettled_count = 4;
    s->memory.alias_topic_count = 2;
    s->memory.alias_name_count = 2;
    s->memory.alias_names_size = 64;
    s->memory.identifier_size = 32;
    s->memory.received_count = 4;
    s->with_bits = false;
    start(s);
}

static void test_a_size_without_memory_is_refused(void **state)
{
    struct script *s = *state;

    start_with_all(s);
    refuses_absence(s, outbox);
    refuses_absence(s, slots);
    refuses_absence(s, control);
    refuses_absence(s, input);
    refuses_absence(s, unsettled);
    refuses_absence(s, alias_topics);
    refuses_absence(s, alias_names);
    refuses_absence(s, identifier);
    refuses_absence(s, received_list);
}

static void test_a_size_that_is_too_large_is_refused(void **state)
{
    struct script *s = *state;

    start_with_all(s);
    refuses_size(s, outbox_size, ((size_t)1 << 30) + 1);
    refuses_size(s, slot_count, 65536);
    refuses_size(s, control_size, ((size_t)1 << 30) + 1);
    refuses_size(s, input_size, ((size_t)1 << 30) + 1);
    refuses_size(s, unsettled_count, 65536);
    refuses_size(s, alias_topic_count, 65536);
    refuses_size(s, alias_name_count, 65536);
    refuses_size(s, alias_names_size, ((size_t)1 << 30) + 1);
    refuses_size(s, received_count, 65536);
    refuses_size(s, released_count, 65536);
}

static void test_a_size_that_is_too_small_is_refused(void **state)
{
    struct script *s = *state;

    start_with_all(s);
    refuses_size(s, control_size, 15);
    refuses_size(s, input_size, 15);
    refuses_size(s, slot_count, 3); /* no power of two */
}

static void test_a_count_of_released_needs_memory(void **state)
{
    struct script *s = *state;
    uint16_t *released;

    start_with_all(s);
    released = s->memory.released;
    s->memory.released = NULL;
    refuses_size(s, released_count, 4);
    s->memory.released = released;
}

static void test_settling_by_call_needs_memory(void **state)
{
    struct script *s = *state;

    start_with_all(s);
    s->config.settle = MQTT_SETTLE_BY_CALL;
    refuses_size(s, unsettled_count, 0);
}

/* A list is not looked at beside bits. */
static void test_bits_make_a_list_unnecessary(void **state)
{
    struct script *s = *state;

    s->memory.received_count = 4;
    start(s);
    free(s->memory.received_list);
    s->memory.received_list = NULL;
    assert_int_equal(
        mqtt_client_init(&s->client, sizeof(s->client), &s->config, &s->memory),
        MQTT_OK);
}

/* ---- configurations ------------------------------------------------------ */

static void test_there_are_at_most_65535_servers(void **state)
{
    struct script *s = *state;

    s->config.server_count = 65536;
    assert_int_equal(start_as(s), MQTT_ERR_SERVER);
}

static void test_text_that_is_not_there_is_refused(void **state)
{
    struct script *s = *state;

    s->config.connect.client_identifier = (struct mqtt_span){NULL, 3};
    assert_int_equal(start_as(s), MQTT_ERR_CLIENT_IDENTIFIER);
    script_restart(s);
    s->config.connect.client_identifier = mqtt_text("c");
    s->config.connect.user_name = (struct mqtt_span){NULL, 3};
    assert_int_equal(start_as(s), MQTT_ERR_USER_NAME);
}

static void test_a_will_whose_payload_is_not_there_is_refused(void **state)
{
    struct script *s = *state;
    struct mqtt_message will = {.topic_name = MQTT_TEXT("w"),
                                .payload = {NULL, 3}};

    s->config.connect.will = &will;
    assert_int_equal(start_as(s), MQTT_ERR_WILL);
    script_restart(s);
    will.payload.size = 0;
    assert_int_equal(start_as(s), MQTT_OK);
}

/* Each property is 2^17 bytes: its two texts have 131,067 bytes. */
static void put_pair(uint8_t *at, size_t value_size)
{
    memset(at, 'p', 5 + 65535 + value_size);
    at[0] = 0x26; /* User Property */
    at[1] = at[2] = 0xFF;
    at[3 + 65535] = (uint8_t)(value_size >> 8);
    at[4 + 65535] = (uint8_t)value_size;
}

#define PAIR_SIZE ((size_t)1 << 17)
#define PAIRS 2048

/* 256 MB of properties: each is good, and together they fit into no packet. */
static void test_a_connect_that_fits_into_no_packet_is_refused(void **state)
{
    struct script *s = *state;
    uint8_t *properties;

    if (s->wire != &wire_whole)
        return; /* once is enough: nothing is sent */
    properties = malloc(PAIRS * PAIR_SIZE);
    assert_non_null(properties);
    for (size_t i = 0; i < PAIRS; i++)
        put_pair(properties + i * PAIR_SIZE,
                 i < PAIRS - 1 ? PAIR_SIZE - 65540 : PAIR_SIZE - 65546);
    s->config.protocol = &mqtt_protocol_5_0;
    s->config.connect.properties =
        (struct mqtt_span){properties, PAIRS * PAIR_SIZE - 6};
    assert_int_equal(start_as(s), MQTT_ERR_PROPERTY);
    script_restart(s);
    s->config.connect.properties.size = PAIR_SIZE;
    assert_int_equal(start_as(s), MQTT_ERR_CONTROL_SIZE);
    free(properties);
}

/* ---- arguments ----------------------------------------------------------- */

static void test_a_request_without_client_is_refused(void **state)
{
    static const struct mqtt_disconnect_options options;
    static const struct mqtt_span none;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a")};
    struct mqtt_subscription subscription = {.topic_filter = MQTT_TEXT("a")};

    (void)state;
    assert_int_equal(mqtt_connect(NULL), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_disconnect(NULL, 0), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_disconnect_with(NULL, 0, &options),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_authenticate(NULL, none, none), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_settle(NULL, 1, 0), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_client_publish(NULL, &message, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_subscribe(NULL, &subscription), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_unsubscribe(NULL, &subscription), MQTT_ERR_ARGUMENT);
}

static void test_a_request_without_content_is_refused(void **state)
{
    struct script *s = *state;

    connected(s);
    assert_int_equal(mqtt_disconnect_with(&s->client, 0, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_client_publish(&s->client, NULL, NULL),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_subscribe(&s->client, NULL), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_unsubscribe(&s->client, NULL), MQTT_ERR_ARGUMENT);
    expect_nothing_sent(s);
    assert_int_equal(mqtt_client_state(&s->client), MQTT_CLIENT_CONNECTED);
}

static const void *never_read(struct mqtt_source *source, uint32_t offset,
                              size_t *size)
{
    (void)source, (void)offset, (void)size;
    fail();
    return NULL;
}

static void test_a_stream_needs_control_memory_for_its_head(void **state)
{
    struct script *s = *state;
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {NULL, 100},
                                   .qos = MQTT_QOS_1};
    struct mqtt_source source = {never_read, NULL};

    s->config.connect.client_identifier = (struct mqtt_span){NULL, 0};
    s->config.connect.clean_start = true;
    s->memory.control_size = 24;
    connected(s);
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_ERR_TOO_LARGE);
}

static void test_a_subscription_that_never_fits_is_refused(void **state)
{
    struct script *s = *state;
    static char filter[248];
    static uint8_t pair[260] = {0x26, 0x00, 0xFE};
    struct mqtt_subscription subscription = {.topic_filter = MQTT_TEXT("a")};

    s->config.protocol = &mqtt_protocol_5_0;
    memset(filter, 'f', sizeof(filter));
    s->memory.control_size = 256;
    connected(s);
    subscription.topic_filter = (struct mqtt_span){filter, 248};
    assert_int_equal(mqtt_subscribe(&s->client, &subscription),
                     MQTT_ERR_TOO_LARGE);
    subscription.topic_filter = mqtt_text("a");
    memset(pair + 3, 'n', 254); /* a name, and a value of 1 byte */
    pair[257] = 0;
    pair[258] = 1;
    pair[259] = 'v';
    subscription.properties = (struct mqtt_span){pair, sizeof(pair)};
    assert_int_equal(mqtt_subscribe(&s->client, &subscription),
                     MQTT_ERR_TOO_LARGE);
    subscription.properties.size = 0;
    subscription.topic_filter = (struct mqtt_span){filter, 247};
    assert_int_equal(mqtt_subscribe(&s->client, &subscription), MQTT_OK);
}

static void test_an_empty_topic_matches_nothing(void **state)
{
    (void)state;
    assert_false(mqtt_topic_matches(mqtt_text("#"), mqtt_text("")));
    assert_false(mqtt_topic_matches(mqtt_text(""), mqtt_text("a")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_size_without_memory_is_refused),
        script_test(test_a_size_that_is_too_large_is_refused),
        script_test(test_a_size_that_is_too_small_is_refused),
        script_test(test_a_count_of_released_needs_memory),
        script_test(test_settling_by_call_needs_memory),
        script_test(test_bits_make_a_list_unnecessary),
        script_test(test_there_are_at_most_65535_servers),
        script_test(test_text_that_is_not_there_is_refused),
        script_test(test_a_will_whose_payload_is_not_there_is_refused),
        script_test(test_a_connect_that_fits_into_no_packet_is_refused),
        script_test(test_a_request_without_client_is_refused),
        script_test(test_a_request_without_content_is_refused),
        script_test(test_a_stream_needs_control_memory_for_its_head),
        script_test(test_a_subscription_that_never_fits_is_refused),
        script_test(test_an_empty_topic_matches_nothing),
    };

    return script_run("refused", tests);
}
