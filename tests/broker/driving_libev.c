#include "station.h"

#include "../net/turns.h"

#include <mqttloop/libev.h>

struct ev_driving {
    struct ev_loop *loop;
    struct mqtt_libev adapter;
    ev_timer limit;
};

static void limit_rings(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

static void ev_begin(struct station *s)
{
    struct ev_driving *ev = calloc(1, sizeof(*ev));

    assert_non_null(ev);
    ev->loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(ev->loop);
    ev_timer_init(&ev->limit, limit_rings, 0., 0.);
    assert_int_equal(mqtt_libev_attach(&ev->adapter, ev->loop, s->client),
                     MQTT_OK);
    s->adapter = ev;
}

static void ev_turn(struct station *s, int timeout_ms)
{
    struct ev_driving *ev = s->adapter;

    ev_now_update(ev->loop);
    ev_timer_set(&ev->limit, timeout_ms / 1000., 0.);
    ev_timer_start(ev->loop, &ev->limit);
    turn_begin();
    ev_run(ev->loop, EVRUN_ONCE);
    turn_end();
    ev_timer_stop(ev->loop, &ev->limit);
}

static void ev_end(struct station *s)
{
    struct ev_driving *ev = s->adapter;

    mqtt_libev_detach(&ev->adapter);
    ev_loop_destroy(ev->loop);
    free(ev);
    s->adapter = NULL;
}

static void ev_go(struct station *s)
{
    ev_run(((struct ev_driving *)s->adapter)->loop, 0);
}

static void ev_stop(struct station *s)
{
    ev_break(((struct ev_driving *)s->adapter)->loop, EVBREAK_ONE);
}

const struct driving driving_libev = {"libev", ev_begin, ev_turn,
                                      ev_end,  ev_go,    ev_stop};
