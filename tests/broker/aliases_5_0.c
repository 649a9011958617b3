/*
 * aliases_5_0.c - topic aliases towards a real broker, which takes ten. The
 * other way mosquitto 2.0.11 uses none: servers_5_0.c has a server that does.
 */
#include "relay.h"
#include "station.h"
#include "witness.h"

#define TOPICS 30
#define ALIASES 10

static struct broker broker;

static int begin(void **state)
{
    (void)state;
    broker_begin(&broker, "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_end(&broker);
    return 0;
}

/* ---- bytes --------------------------------------------------------------- */

#define NAME_SIZE 60
#define COUNT 200

/* Of `count` topics, each of NAME_SIZE bytes. */
static void name_topic(char topic[NAME_SIZE + 1], unsigned number)
{
    snprintf(topic, NAME_SIZE + 1, "%-*u", NAME_SIZE, number);
    memset(topic + 2, 'x', NAME_SIZE - 2);
}

static uint64_t bytes_of_rotation(const struct way *way, bool no_aliases,
                                  unsigned topics)
{
    struct mqtt_statistics statistics = {0};
    struct station *s = station_draft(way, broker.port);
    char topic[NAME_SIZE + 1];
    uint64_t before;

    s->config.statistics = &statistics;
    s->config.no_topic_aliases = no_aliases;
    station_open(s);
    station_connect(s);
    assert_int_equal(mqtt_client_limits(s->client)->topic_alias_maximum,
                     ALIASES);
    before = statistics.bytes_sent;
    for (unsigned i = 0; i < COUNT; i++) {
        name_topic(topic, i % topics);
        station_publish(s, topic, "payload", MQTT_QOS_1, false);
    }
    wait_for(s, s->acknowledged == COUNT);
    station_free(s);
    return statistics.bytes_sent - before;
}

/* An alias costs 3 bytes in each packet, and saves the name in all but the
 * first one. */
static void test_aliases_save_the_names(void **state)
{
    uint64_t with = bytes_of_rotation(*state, false, ALIASES);
    uint64_t without = bytes_of_rotation(*state, true, ALIASES);

    assert_int_equal(without - with, (COUNT - ALIASES) * NAME_SIZE - 3 * COUNT);
}

/* ---- names --------------------------------------------------------------- */

/* A message that says its number and its topic name. */
static void rotate(struct station *s, unsigned number, enum mqtt_qos qos)
{
    char topic[64], payload[80];

    snprintf(topic, sizeof(topic), "rotation/%s/topic/%u", s->identifier,
             number % TOPICS);
    snprintf(payload, sizeof(payload), "%u %s", number, topic);
    station_publish(s, topic, payload, qos, false);
}

/* How often each number was witnessed; each under the name that it says. */
static void count_lines(char *lines, unsigned *seen, unsigned count)
{
    char *rest = NULL;

    for (char *line = strtok_r(lines, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char topic[64], said[64];
        unsigned number;

        assert_int_equal(sscanf(line, "%63s %u %63s", topic, &number, said), 3);
        assert_string_equal(topic, said);
        assert_true(number < count);
        seen[number]++;
    }
}

/* The witness is at QoS 1: at QoS 2 it is overrun by mosquitto 2.0.11, which
 * does not keep its Receive Maximum of 20 (see settling.c), and ends. */
static void test_more_topics_than_aliases_keep_their_names(void **state)
{
    unsigned seen[COUNT] = {0};
    struct station *s = station_new(*state, broker.port);
    struct witness witness =
        witness_start(&broker, s, COUNT, "%t %p",
                      ARGUMENTS("-V", "5", "-q", "1", "-t", "rotation/#"));
    char *lines;

    for (unsigned i = 0; i < COUNT; i++)
        rotate(s, i, (enum mqtt_qos)(i % 3));
    lines = witness_lines(&witness, s);
    count_lines(lines, seen, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    free(lines);
    station_free(s);
}

/* ---- names over cuts ----------------------------------------------------- */

#define MANY 600

/* Nothing is lost, QoS 2 comes nothing twice, and all under its name. */
static void expect_rotation(const struct station *t)
{
    static unsigned seen[MANY];

    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < t->letter_count; i++) {
        char said[64];
        unsigned number;

        assert_int_equal(
            sscanf(t->letters[i].payload, "%u %63s", &number, said), 2);
        assert_string_equal(t->letters[i].topic, said);
        assert_true(number < MANY);
        seen[number]++;
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_true(i & 1 ? seen[i] >= 1 : seen[i] == 1);
}

/* `cut` is called before each message. Aliases end with their connection
 * [5.0, section 3.3.2.3.4]: what is sent again has others. */
static void rotation_over_cuts(const struct way *way,
                               void (*cut)(struct station *s,
                                           struct relay *relay, unsigned i))
{
    struct relay *relay = relay_begin(broker.port);
    struct station *s = station_draft(way, relay_port(relay));
    struct station *t = station_new(way, broker.port);
    char filter[64];

    s->config.send_maximum = 10; /* so that each connection gets on */
    station_open(s);
    station_connect(s);
    snprintf(filter, sizeof(filter), "rotation/%s/#", s->identifier);
    station_subscribe(t, filter, MQTT_QOS_2);
    for (unsigned i = 0; i < MANY; i++) {
        cut(s, relay, i);
        rotate(s, i, i & 1 ? MQTT_QOS_1 : MQTT_QOS_2);
        if (i % 5 == 0)
            s->driving->turn(s, 1);
    }
    wait_for_both(s, t, s->acknowledged == MANY);
    finish_exchanges(t);
    expect_rotation(t);
    assert_true(relay_cuts(relay) > 5);
    assert_true(s->connected > 5);
    assert_int_equal(s->lost, 0);
    station_free(s);
    station_free(t);
    relay_end(relay);
}

static void cut_at_times(struct station *s, struct relay *relay, unsigned i)
{
    if (i % 60 != 59)
        return;
    wait_for(s, s->connected > i / 60); /* back from the last one */
    relay_cut(relay);
}

static void test_names_are_kept_over_cuts(void **state)
{
    rotation_over_cuts(*state, cut_at_times);
}

/* In the middle of packets, of those too that give an alias. */
static void cut_packets(struct station *s, struct relay *relay, unsigned i)
{
    (void)s;
    if (i % 20 == 0)
        relay_cut_each_after(relay, 1500 + i);
}

static void test_names_are_kept_when_packets_are_cut(void **state)
{
    rotation_over_cuts(*state, cut_packets);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aliases_save_the_names),
        cmocka_unit_test(test_more_topics_than_aliases_keep_their_names),
        cmocka_unit_test(test_names_are_kept_over_cuts),
        cmocka_unit_test(test_names_are_kept_when_packets_are_cut),
    };

    return station_run_5_0(argc, argv, "aliases_5_0", tests, begin, end);
}
