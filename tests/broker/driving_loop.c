#include "station.h"

#include "../net/turns.h"

static void loop_begin(struct station *s)
{
    (void)s;
}

static void loop_turn(struct station *s, int timeout_ms)
{
    int result = turn(s->client, timeout_ms);

    assert_true(result >= 0 || result == MQTT_ERR_INTERRUPTED ||
                result == MQTT_ERR_DESTROYED);
}

static void loop_run(struct station *s)
{
    for (s->stopped = false; !s->stopped;)
        loop_turn(s, -1);
}

static void loop_stop(struct station *s)
{
    s->stopped = true;
}

const struct driving driving_loop = {"mqtt_loop", loop_begin, loop_turn,
                                     loop_begin,  loop_run,   loop_stop};
