/*
 * drivings.c - every main loop that there is an adapter for, and one that knows
 * nothing of clients but their descriptor.
 */
#include "station.h"
#include "turns.h"

#include <errno.h>
#include <mqttloop/posix.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifdef WITH_LIBUV
#include <mqttloop/libuv.h>

struct uv_driving {
    uv_loop_t loop;
    uv_timer_t limit;
    struct mqtt_libuv adapter;
    unsigned closed;
};

static void uv_adapter_closed(struct mqtt_libuv *adapter)
{
    struct uv_driving *uv =
        (struct uv_driving *)((char *)adapter -
                              offsetof(struct uv_driving, adapter));

    uv->closed++;
}

static void uv_begin(struct station *s)
{
    struct uv_driving *uv = calloc(1, sizeof(*uv));

    assert_non_null(uv);
    assert_int_equal(uv_loop_init(&uv->loop), 0);
    assert_int_equal(uv_timer_init(&uv->loop, &uv->limit), 0);
    assert_int_equal(mqtt_libuv_attach(&uv->adapter, &uv->loop, s->client,
                                       uv_adapter_closed),
                     MQTT_OK);
    s->adapter = uv;
}

/* It may ring before the loop waits, which UV_RUN_ONCE would do all the same. */
static void uv_limit_rings(uv_timer_t *limit)
{
    uv_stop(limit->loop);
}

static void uv_turn(struct station *s, int timeout_ms)
{
    struct uv_driving *uv = s->adapter;

    uv_update_time(&uv->loop);
    uv_timer_start(&uv->limit, uv_limit_rings, (uint64_t)timeout_ms, 0);
    turn_begin();
    uv_run(&uv->loop, UV_RUN_ONCE);
    turn_end();
    uv_timer_stop(&uv->limit);
}

/* Nothing may be left in the loop, and the adapter is ours again just once. */
static void uv_end(struct station *s)
{
    struct uv_driving *uv = s->adapter;

    mqtt_libuv_detach(&uv->adapter);
    mqtt_libuv_detach(&uv->adapter);
    uv_close((uv_handle_t *)&uv->limit, NULL);
    uv_run(&uv->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv->closed, 1);
    assert_int_equal(uv_loop_close(&uv->loop), 0);
    free(uv);
    s->adapter = NULL;
}

static void uv_go(struct station *s)
{
    uv_run(&((struct uv_driving *)s->adapter)->loop, UV_RUN_DEFAULT);
}

static void uv_halt(struct station *s)
{
    uv_stop(&((struct uv_driving *)s->adapter)->loop);
}

static const struct driving driving_libuv = {"libuv", uv_begin, uv_turn,
                                             uv_end,  uv_go,    uv_halt};
#endif

#ifdef WITH_GLIB
#include <mqttloop/glib.h>

struct g_driving {
    GMainContext *context;
    GMainLoop *loop;
    struct mqtt_glib adapter;
};

static void g_begin(struct station *s)
{
    struct g_driving *g = calloc(1, sizeof(*g));

    assert_non_null(g);
    g->context = g_main_context_new();
    g->loop = g_main_loop_new(g->context, FALSE);
    assert_int_equal(mqtt_glib_attach(&g->adapter, g->context, s->client),
                     MQTT_OK);
    s->adapter = g;
}

static gboolean g_limit_rings(gpointer unused)
{
    (void)unused;
    return G_SOURCE_CONTINUE;
}

static void g_turn(struct station *s, int timeout_ms)
{
    struct g_driving *g = s->adapter;
    GSource *limit = g_timeout_source_new((guint)timeout_ms);

    g_source_set_callback(limit, g_limit_rings, NULL, NULL);
    g_source_attach(limit, g->context);
    turn_begin();
    g_main_context_iteration(g->context, TRUE);
    turn_end();
    g_source_destroy(limit);
    g_source_unref(limit);
}

static void g_end(struct station *s)
{
    struct g_driving *g = s->adapter;

    mqtt_glib_detach(&g->adapter);
    mqtt_glib_detach(&g->adapter);
    assert_false(g_main_context_pending(g->context));
    g_main_loop_unref(g->loop);
    g_main_context_unref(g->context);
    free(g);
    s->adapter = NULL;
}

static void g_go(struct station *s)
{
    g_main_loop_run(((struct g_driving *)s->adapter)->loop);
}

static void g_halt(struct station *s)
{
    g_main_loop_quit(((struct g_driving *)s->adapter)->loop);
}

static const struct driving driving_glib = {"GLib", g_begin, g_turn,
                                            g_end,  g_go,    g_halt};
#endif

#ifdef WITH_SD_EVENT
#include <mqttloop/sd-event.h>

struct sd_driving {
    sd_event *event;
    struct mqtt_sd_event adapter;
};

static void sd_begin(struct station *s)
{
    struct sd_driving *sd = calloc(1, sizeof(*sd));

    assert_non_null(sd);
    assert_true(sd_event_new(&sd->event) >= 0);
    assert_int_equal(mqtt_sd_event_attach(&sd->adapter, sd->event, s->client),
                     MQTT_OK);
    s->adapter = sd;
}

static void sd_turn(struct station *s, int timeout_ms)
{
    struct sd_driving *sd = s->adapter;

    turn_begin();
    assert_true(sd_event_run(sd->event, (uint64_t)timeout_ms * 1000) >= 0);
    turn_end();
}

static void sd_end(struct station *s)
{
    struct sd_driving *sd = s->adapter;

    if (!sd)
        return; /* sd_go() did it */
    mqtt_sd_event_detach(&sd->adapter);
    mqtt_sd_event_detach(&sd->adapter);
    assert_null(sd_event_unref(sd->event));
    free(sd);
    s->adapter = NULL;
}

/* A loop that has exited is not run again: a new one goes on, as an
 * application would. */
static void sd_go(struct station *s)
{
    struct sd_driving *sd = s->adapter;

    assert_int_equal(sd_event_loop(sd->event), 7);
    sd_end(s);
    if (s->client)
        sd_begin(s);
}

static void sd_halt(struct station *s)
{
    assert_true(sd_event_exit(((struct sd_driving *)s->adapter)->event, 7) >=
                0);
}

static const struct driving driving_sd_event = {"sd-event", sd_begin, sd_turn,
                                                sd_end,     sd_go,    sd_halt};
#endif

/* ---- a plain epoll loop --------------------------------------------------- */

struct epoll_driving {
    int epoll;
    int descriptor; /* of the client */
};

static void epoll_begin(struct station *s)
{
    struct epoll_driving *e = calloc(1, sizeof(*e));
    struct epoll_event event = {.events = EPOLLIN};

    assert_non_null(e);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->descriptor = mqtt_client_fd(s->client);
    assert_true(e->descriptor >= 0);
    assert_int_equal(epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->descriptor, &event),
                     0);
    s->adapter = e;
}

/* The descriptor is the only reason to call mqtt_loop(). */
static void epoll_turn(struct station *s, int timeout_ms)
{
    struct epoll_driving *e = s->adapter;
    struct epoll_event event;
    int count = epoll_wait(e->epoll, &event, 1, timeout_ms), result;

    if (count <= 0) {
        assert_true(count == 0 || errno == EINTR);
        return;
    }
    assert_int_equal(mqtt_client_fd(s->client), e->descriptor);
    result = turn(s->client, 0);
    assert_true(result >= 0 || result == MQTT_ERR_DESTROYED);
}

static void epoll_end(struct station *s)
{
    struct epoll_driving *e = s->adapter;

    close(e->epoll);
    free(e);
    s->adapter = NULL;
}

static void epoll_go(struct station *s)
{
    for (s->stopped = false; !s->stopped;)
        epoll_turn(s, -1);
}

static void epoll_halt(struct station *s)
{
    s->stopped = true;
}

static const struct driving driving_epoll = {
    "descriptor", epoll_begin, epoll_turn, epoll_end, epoll_go, epoll_halt};

/* ---- all of them ----------------------------------------------------------- */

const struct driving *const drivings[] = {
    &driving_loop,
#ifdef WITH_LIBEV
    &driving_libev,
#endif
#ifdef WITH_LIBUV
    &driving_libuv,
#endif
#ifdef WITH_GLIB
    &driving_glib,
#endif
#ifdef WITH_SD_EVENT
    &driving_sd_event,
#endif
    &driving_epoll,    NULL,
};

size_t driving_count(void)
{
    return sizeof(drivings) / sizeof(drivings[0]) - 1;
}
