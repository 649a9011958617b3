/*
 * threads.c - each client and its loop in a thread of its own, all of them at
 * once, woken by the main thread. Built with the thread sanitizer, library and
 * all: a data race ends the program with an error.
 */
#include "station.h"

#include <mqttloop/posix.h>
#include <pthread.h>

#define MESSAGES 60
#define WAKES 50
/* Two of each loop. */
#define MOST_THREADS (2 * MOST_DRIVINGS)

struct worker {
    struct station *station;
    pthread_t thread;
    pthread_barrier_t *barrier;
};

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

/* The main thread wakes between the two barriers. */
static void *work(void *context)
{
    struct worker *w = context;
    struct station *s = w->station;

    station_open(s);
    station_connect(s);
    station_subscribe(s, s->identifier, MQTT_QOS_2);
    pthread_barrier_wait(w->barrier);
    for (unsigned i = 0; i < MESSAGES; i++) {
        station_publish(s, s->identifier, "x", (enum mqtt_qos)(i % 3), false);
        s->driving->turn(s, 1);
    }
    wait_for(s, s->letter_count == MESSAGES &&
                    s->acknowledged == MESSAGES / 3 * 2);
    wait_for(s, s->woken > 0);
    pthread_barrier_wait(w->barrier);
    station_disconnect(s);
    return s;
}

static void test_each_client_in_its_thread(void **state)
{
    struct worker workers[MOST_THREADS];
    size_t count = 2 * driving_count();
    pthread_barrier_t barrier;
    struct way way = {NULL, "5.0", &mqtt_protocol_5_0};
    void *result;

    (void)state;
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        way.driving = drivings[i / 2];
        workers[i] = (struct worker){station_draft(&way, broker.port),
                                     .barrier = &barrier};
        workers[i].station->wakeable = true;
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    for (unsigned n = 0; n < WAKES; n++)
        for (size_t i = 0; i < count; i++)
            assert_int_equal(mqtt_wake(workers[i].station->client), MQTT_OK);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(workers[i].thread, &result), 0);
        assert_ptr_equal(result, workers[i].station);
        assert_in_range(workers[i].station->woken, 1, WAKES);
        station_free(workers[i].station);
    }
    pthread_barrier_destroy(&barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_client_in_its_thread),
    };

    return cmocka_run_group_tests_name("threads", tests, begin, end);
}
