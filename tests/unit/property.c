/*
 * property.c - a long life at random, beside a simple model.
 *
 * The model is a list of letters in the order of publishing. It is told what
 * the server saw, what it answered and what was cut, and knows for each packet
 * which letter has to be next, whether DUP is due and what is in it.
 */
#include "script.h"

#define LETTERS 512

struct letter {
    uint32_t number;     /* of which its content is made */
    size_t size;         /* of its payload */
    uint16_t identifier; /* 0: QoS 0 */
    uint8_t qos;
    bool seen;     /* whole, on this connection */
    bool begun;    /* a byte has left in this session */
    bool dup_due;  /* a byte had left before this connection */
    bool answered; /* PUBACK or PUBCOMP is on its way to the client */
    bool released; /* PUBREC has been given to the client */
    bool pubrel;   /* was seen on this connection */
};

static struct world {
    struct script *s;
    struct letter letters[LETTERS];
    size_t count;
    uint32_t seed, numbers, largest;
    bool refused; /* a publish, and no event has told of room since */
    struct {
        unsigned published, ended, cuts, lost, refused, resent;
    } total;
} world;

/* ---- chance -------------------------------------------------------------- */

static uint32_t chance(uint32_t below)
{
    world.seed ^= world.seed << 13;
    world.seed ^= world.seed >> 17;
    world.seed ^= world.seed << 5;
    return world.seed % below;
}

static uint8_t content(uint32_t number, size_t at)
{
    return (uint8_t)(number * 2654435761u >> 13) ^ (uint8_t)(at * 31);
}

/* ---- the letters --------------------------------------------------------- */

static struct letter *letter_of(uint16_t identifier)
{
    for (size_t i = 0; i < world.count; i++)
        if (world.letters[i].identifier == identifier)
            return &world.letters[i];
    return NULL;
}

static void drop(struct letter *letter)
{
    size_t index = (size_t)(letter - world.letters);

    world.count--;
    memmove(letter, letter + 1, (world.count - index) * sizeof(struct letter));
}

/* The letter whose PUBLISH has to leave next; NULL: none. */
static struct letter *next_letter(void)
{
    for (size_t i = 0; i < world.count; i++) {
        struct letter *letter = &world.letters[i];

        if (!letter->seen && !letter->released && !letter->answered)
            return letter;
    }
    return NULL;
}

/* What it takes in the outbox: 9 bytes of topic name. */
static size_t image_size(const struct letter *letter)
{
    size_t length = 2 + 9 + (letter->qos ? 2u : 0u) + letter->size;

    return 1 + (length < 128 ? 1u : 2u) + length;
}

static size_t outbox_used(void)
{
    size_t used = 0;

    for (size_t i = 0; i < world.count; i++)
        if (!world.letters[i].released && !world.letters[i].answered)
            used += image_size(&world.letters[i]);
    return used;
}

static size_t slots_used(void)
{
    size_t used = 0;

    for (size_t i = 0; i < world.count; i++)
        used += world.letters[i].qos > 0;
    return used;
}

/* ---- what the server sees ------------------------------------------------ */

static void see_publish(const struct packet *packet)
{
    struct letter *letter = next_letter();
    uint8_t qos = packet->first_byte >> 1 & 3;
    const uint8_t *payload = packet->payload.data;
    char topic[16];

    assert_non_null(letter);
    assert_int_equal(letter->identifier, packet->identifier);
    assert_int_equal(letter->qos, qos);
    snprintf(topic, sizeof(topic), "t%08x", (unsigned)letter->number);
    assert_true(span_is(packet->topic, topic));
    assert_int_equal(packet->payload.size, letter->size);
    for (size_t i = 0; i < letter->size; i++)
        assert_int_equal(payload[i], content(letter->number, i));
    assert_int_equal((packet->first_byte & 0x08) != 0, letter->dup_due);
    world.total.resent += letter->dup_due;
    letter->seen = letter->begun = true;
    if (!qos)
        drop(letter);
}

static void see_pubrel(uint16_t identifier)
{
    struct letter *letter = letter_of(identifier);

    assert_non_null(letter);
    assert_true(letter->released);
    assert_false(letter->pubrel);
    letter->pubrel = true;
}

static void see_packets(void)
{
    const struct packet *packet;
    struct letter *next;

    while ((packet = next_packet(world.s)))
        if ((packet->first_byte & 0xF0) == 0x30)
            see_publish(packet);
        else if (packet->first_byte == 0x62)
            see_pubrel(packet->identifier);
    if (world.s->partial.size && (world.s->partial.bytes[0] & 0xF0) == 0x30 &&
        (next = next_letter()))
        next->begun = true;
}

static void network_takes_up_to(size_t size)
{
    size_t offered;

    while (size && mqtt_client_output_buf(&world.s->client, &offered)) {
        size_t taken = size < offered ? size : offered;

        network_takes(world.s, taken);
        size -= taken;
        see_packets();
    }
}

/* ---- what happens -------------------------------------------------------- */

static void take_events(void)
{
    struct script *s = world.s;

    for (;;) {
        if (mqtt_client_next(&s->client, &s->event)) {
            if (s->event.type == MQTT_EVENT_ROOM) {
                assert_true(world.refused);
                world.refused = false;
                continue;
            }
            assert_int_equal(s->event.type, MQTT_EVENT_PUBLISHED);
            assert_int_equal(s->event.outcome, MQTT_OUTCOME_ACKNOWLEDGED);
            assert_true(letter_of(s->event.packet_identifier)->answered);
            drop(letter_of(s->event.packet_identifier));
            world.total.ended++;
        } else if (!script_feed(s)) {
            break;
        }
    }
}

static void publish_one(void)
{
    struct letter letter = {0};
    uint8_t payload[300];
    char topic[16];
    struct mqtt_message message = {.topic_name = {topic, 9},
                                   .payload = {payload, 0}};
    enum mqtt_error error;

    letter.number = ++world.numbers;
    letter.size = chance(world.largest + 1);
    letter.qos = (uint8_t)chance(3);
    snprintf(topic, sizeof(topic), "t%08x", (unsigned)letter.number);
    for (size_t i = 0; i < letter.size; i++)
        payload[i] = content(letter.number, i);
    message.payload.size = letter.size;
    message.qos = (enum mqtt_qos)letter.qos;
    error = mqtt_client_publish(&world.s->client, &message, &letter.identifier);
    if (!error) {
        assert_true(!letter.qos || !letter_of(letter.identifier));
        assert_true(world.count < LETTERS);
        world.letters[world.count++] = letter;
        world.total.published++;
        return;
    }
    world.total.refused++;
    if (error == MQTT_ERR_OFFLINE) {
        assert_int_equal(letter.qos, 0);
        return;
    }
    assert_int_equal(error, MQTT_ERR_NO_ROOM);
    assert_true(outbox_used() + image_size(&letter) >
                    world.s->memory.outbox_size ||
                (letter.qos && slots_used() == world.s->memory.slot_count));
    world.refused = true;
}

static bool answerable(const struct letter *letter)
{
    return letter->qos && !letter->answered &&
           (letter->released ? letter->pubrel : letter->seen);
}

/* Any one that the server has seen, in no order. */
static void server_answers_one(void)
{
    size_t from = world.count ? chance((uint32_t)world.count) : 0;

    for (size_t i = 0; i < world.count; i++) {
        struct letter *letter = &world.letters[(from + i) % world.count];

        if (!answerable(letter))
            continue;
        if (letter->qos == 2 && !letter->released) {
            server_answers(world.s, 0x50, letter->identifier);
            letter->released = true;
        } else {
            server_answers(world.s, letter->qos == 1 ? 0x40 : 0x70,
                           letter->identifier);
            letter->answered = true;
        }
        break;
    }
    take_events();
}

static void cut_letter(struct letter *letter)
{
    letter->seen = letter->pubrel = false;
    letter->dup_due = letter->begun;
}

/* Of QoS 0 only what has not begun is kept, and only if configured. */
static void cut_letters(void)
{
    for (size_t i = 0; i < world.count;) {
        struct letter *letter = &world.letters[i];

        if (!letter->qos && (letter->begun || !world.s->config.keep_qos0)) {
            drop(letter);
        } else {
            cut_letter(letter);
            i++;
        }
    }
}

static void cut_off(void)
{
    world.total.cuts++;
    take_events();
    mqtt_client_closed(&world.s->client, MQTT_ERR_CLOSED, NULL);
    pull(world.s, MQTT_EVENT_DISCONNECTED);
    world.s->to_server.size = 0;
    cut_letters();
}

static void pass(const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_ROOM)
        world.refused = false;
}

static void lose_letter(const struct mqtt_event *event)
{
    struct letter *letter = letter_of(event->packet_identifier);

    assert_non_null(letter);
    assert_true(letter->begun);
    assert_int_equal(event->outcome, letter->released ? MQTT_OUTCOME_UNKNOWN
                                                      : MQTT_OUTCOME_LOST);
    drop(letter);
    world.total.lost++;
}

static void session_is_lost(void)
{
    struct script *s = world.s;

    while (mqtt_client_next(&s->client, &s->event))
        if (s->event.type == MQTT_EVENT_PUBLISHED)
            lose_letter(&s->event);
        else
            pass(&s->event);
    for (size_t i = 0; i < world.count; i++) {
        assert_false(world.letters[i].released);
        if (!s->config.republish_lost)
            assert_false(world.letters[i].begun);
        world.letters[i].begun = world.letters[i].dup_due = false;
    }
}

static void come_back(bool session_present)
{
    struct script *s = world.s;
    size_t offered;

    reopened(s);
    while (mqtt_client_output_buf(&s->client, &offered))
        network_takes(s, 1);
    expect_packet(s, 0x10, 0);
    assert_null(next_packet(s));
    server_connack(s, session_present, 0);
    while (!mqtt_client_next(&s->client, &s->event) ||
           s->event.type != MQTT_EVENT_CONNECTED) {
        pass(&s->event);
        memset(&s->event, 0, sizeof(s->event));
        script_feed(s);
    }
    if (!session_present)
        session_is_lost();
}

static void cut_and_come_back(void)
{
    cut_off();
    for (uint32_t count = chance(4); count; count--)
        publish_one();
    come_back(chance(8) != 0);
}

static void something_happens(void)
{
    uint32_t dice = chance(100);

    if (dice < 40)
        publish_one();
    else if (dice < 62)
        server_answers_one();
    else if (dice < 95)
        network_takes_up_to(1 + chance(60));
    else if (dice < 98)
        network_takes_up_to(SIZE_MAX);
    else
        cut_and_come_back();
}

/* At the end all that was accepted ends, and the outbox is empty. */
static void everything_ends(void)
{
    while (world.count) {
        size_t before = world.count;

        network_takes_up_to(SIZE_MAX);
        server_answers_one();
        network_takes_up_to(SIZE_MAX);
        assert_true(world.count <= before);
    }
    assert_false(mqtt_client_next_outstanding(&world.s->client,
                                              &(struct mqtt_outstanding){0}));
    world.largest = 0;
}

static void live(struct script *s, uint32_t seed, size_t outbox, size_t slots,
                 uint32_t largest)
{
    memset(&world, 0, sizeof(world));
    world.s = s;
    world.seed = seed;
    world.largest = largest;
    s->memory.outbox_size = outbox;
    s->memory.slot_count = slots;
    s->config.keep_qos0 = seed & 1;
    s->config.republish_lost = seed & 2;
    connected(s);
    s->blocked = true;
    for (unsigned i = 0; i < 20000; i++)
        something_happens();
    everything_ends();
    assert_true(world.total.ended > 100);
    assert_true(world.total.cuts > 100);
    assert_true(world.total.refused > 100);
    script_restart(s);
}

#ifdef EMULATED
enum { LIVES = 1 };
#else
enum { LIVES = 4 };
#endif

/* ---- lives --------------------------------------------------------------- */

static void test_a_nearly_full_ring(void **state)
{
    for (uint32_t seed = 1; seed <= LIVES * 2; seed++)
        live(*state, seed * 7919, 400, 64, 40);
}

static void test_a_ring_that_holds_two(void **state)
{
    for (uint32_t seed = 1; seed <= LIVES; seed++)
        live(*state, seed * 104729, 47, 64, 10);
}

static void test_large_and_small_payloads(void **state)
{
    for (uint32_t seed = 1; seed <= LIVES; seed++)
        live(*state, seed * 1299709, 1000, 256, 250);
}

static void test_few_slots(void **state)
{
    for (uint32_t seed = 1; seed <= LIVES; seed++)
        live(*state, seed * 15485863, 4000, 4, 40);
}

static void test_every_size_of_ring(void **state)
{
    for (uint32_t size = 24; size < 120; size += 20 / LIVES)
        live(*state, size, size, 16, 7);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_a_nearly_full_ring),
        script_test(test_a_ring_that_holds_two),
        script_test(test_large_and_small_payloads),
        script_test(test_few_slots),
        script_test(test_every_size_of_ring),
    };

    return script_run("property", tests);
}
