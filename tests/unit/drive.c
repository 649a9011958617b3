/*
 * drive.c - client x transport x reactor: turns, and mqtt_loop(), over a
 * transport and a reactor in memory.
 *
 * What the server sends is put on s->to_client. The wire of the script says
 * how many bytes the transport moves at a time, and what it lends.
 */
#include "script.h"

#include <mqttloop/drive.h>
#include <mqttloop/stream.h>

/* ---- a reactor ----------------------------------------------------------- */

struct reactor {
    struct mqtt_reactor base;
    struct mqtt_reactor_ops ops;
    mqtt_time now, alarm;
    unsigned leaves, waits;
    mqtt_time until;          /* of the last wait */
    mqtt_time step;           /* that a wait lasts, at most until `until` */
    enum mqtt_error error;    /* of a wait */
    void (*waiting)(void *w); /* happens while it waits */
    void *context;
    int refusal; /* of watch(): 0: none */
};

static int reactor_watch(struct mqtt_reactor *self, unsigned slot,
                         int descriptor, unsigned mask)
{
    (void)slot, (void)descriptor, (void)mask;
    return ((struct reactor *)self)->refusal;
}

static void reactor_wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    ((struct reactor *)self)->alarm = at;
}

static mqtt_time reactor_now(struct mqtt_reactor *self)
{
    return ((struct reactor *)self)->now;
}

static enum mqtt_error reactor_wait(struct mqtt_reactor *self, mqtt_time until)
{
    struct reactor *r = (struct reactor *)self;
    mqtt_time end = r->now + r->step;

    r->waits++;
    r->until = until;
    if (r->waiting)
        r->waiting(r->context);
    if (end > until)
        end = until;
    if (end > r->now)
        r->now = end;
    return r->error;
}

static void reactor_leave(struct mqtt_reactor *self)
{
    struct reactor *r = (struct reactor *)self;

    assert_int_equal(r->alarm, MQTT_NEVER);
    r->leaves++;
}

static void reactor_begin(struct reactor *r, mqtt_time now)
{
    memset(r, 0, sizeof(*r));
    r->ops.watch = reactor_watch;
    r->ops.wake_at = reactor_wake_at;
    r->ops.now = reactor_now;
    r->ops.wait = reactor_wait;
    r->ops.leave = reactor_leave;
    r->base.ops = &r->ops;
    r->now = now;
    r->alarm = MQTT_NEVER;
}

/* ---- a transport --------------------------------------------------------- */

struct transport {
    struct mqtt_transport base;
    struct mqtt_transport_ops ops;
    struct script *s;
    enum mqtt_transport_state state; /* that advance() answers */
    bool open, ended, recv_fails, send_fails, endless;
    size_t room; /* bytes that send takes yet */
    unsigned opens, advances, finishes, closes, recvs, sends;
    unsigned wanted; /* mask */
    const struct mqtt_server *server;
    mqtt_time deadline;
    enum mqtt_error error;
    const char *detail;
    struct mqtt_reactor *reactor;
    unsigned ready_slot, ready_mask;
    uint8_t *lent;
    unsigned lends, give_backs;
    uint8_t sent[512];
    size_t sent_size;
    bool flush_fails;
    size_t flushed; /* bytes sent when flush was asked last */
};

static void transport_open(struct mqtt_transport *self,
                           const struct mqtt_server *server, mqtt_time now)
{
    struct transport *t = (struct transport *)self;

    assert_false(t->open);
    assert_int_equal(now, ((struct reactor *)t->reactor)->now);
    t->open = true;
    t->opens++;
    t->server = server;
    t->wanted = 0;
    t->ended = t->recv_fails = t->send_fails = false;
}

static enum mqtt_transport_state transport_advance(struct mqtt_transport *self,
                                                   mqtt_time now)
{
    struct transport *t = (struct transport *)self;

    assert_true(t->open);
    assert_int_equal(now, ((struct reactor *)t->reactor)->now);
    t->advances++;
    return t->state;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t portion(const struct transport *t, size_t size)
{
    return t->s->wire->chunk ? least(size, t->s->wire->chunk) : size;
}

/* A PUBLISH of QoS 0 again and again. */
static void fill_endlessly(struct transport *t)
{
    if (t->endless && !t->s->to_client.size)
        server_publishes(t->s, 0x30, "t", 0, "x");
}

static ptrdiff_t transport_recv(struct mqtt_transport *self, void *bytes,
                                size_t size)
{
    struct transport *t = (struct transport *)self;
    struct row *from = &t->s->to_client;

    assert_true(t->open);
    assert_true(size > 0);
    t->recvs++;
    fill_endlessly(t);
    if (t->recv_fails)
        return MQTT_IO_FAILED;
    if (!from->size)
        return t->ended ? MQTT_IO_END : MQTT_IO_WAIT;
    size = portion(t, least(size, from->size));
    memcpy(bytes, from->bytes, size);
    from->size -= size;
    memmove(from->bytes, from->bytes + size, from->size);
    return (ptrdiff_t)size;
}

static ptrdiff_t transport_send(struct mqtt_transport *self, const void *bytes,
                                size_t size)
{
    struct transport *t = (struct transport *)self;

    assert_true(t->open);
    assert_true(size > 0);
    if (t->send_fails)
        return MQTT_IO_FAILED;
    size = portion(t, least(size, t->room));
    if (!size)
        return MQTT_IO_WAIT;
    assert_true(t->sent_size + size <= sizeof(t->sent));
    memcpy(t->sent + t->sent_size, bytes, size);
    t->sent_size += size;
    t->room -= size;
    return (ptrdiff_t)size;
}

static ptrdiff_t transport_flush(struct mqtt_transport *self)
{
    struct transport *t = (struct transport *)self;

    assert_true(t->open);
    assert_int_equal(t->state, MQTT_TRANSPORT_OPEN);
    t->flushed = t->sent_size;
    return t->flush_fails ? MQTT_IO_FAILED : 0;
}

static void transport_finish(struct mqtt_transport *self)
{
    ((struct transport *)self)->finishes++;
}

static void transport_close(struct mqtt_transport *self)
{
    struct transport *t = (struct transport *)self;

    t->open = false;
    t->closes++;
}

/* Any descriptor is good enough for the reactor of this test. */
static bool transport_want(struct mqtt_transport *self, unsigned mask)
{
    struct transport *t = (struct transport *)self;

    assert_true(t->open);
    t->wanted = mask;
    return t->reactor->ops->watch(t->reactor, 0, 3, mask) == 0;
}

static void transport_ready(struct mqtt_transport *self, unsigned slot,
                            unsigned mask)
{
    struct transport *t = (struct transport *)self;

    t->ready_slot = slot;
    t->ready_mask = mask;
}

static mqtt_time transport_deadline(struct mqtt_transport *self)
{
    return ((struct transport *)self)->deadline;
}

static enum mqtt_error transport_error(struct mqtt_transport *self,
                                       const char **detail)
{
    struct transport *t = (struct transport *)self;

    *detail = t->detail;
    return t->error;
}

static void transport_attach(struct mqtt_transport *self,
                             struct mqtt_reactor *reactor)
{
    ((struct transport *)self)->reactor = reactor;
}

static void *transport_lend(struct mqtt_transport *self, size_t *size)
{
    struct transport *t = (struct transport *)self;

    assert_null(t->lent);
    *size = t->s->wire->lent_size;
    t->lent = malloc(*size);
    assert_non_null(t->lent);
    t->lends++;
    return t->lent;
}

static void transport_give_back(struct mqtt_transport *self)
{
    struct transport *t = (struct transport *)self;

    assert_non_null(t->lent);
    free(t->lent); /* so that whoever reads on is seen */
    t->lent = NULL;
    t->give_backs++;
}

static void *transport_lends_nothing(struct mqtt_transport *self, size_t *size)
{
    ((struct transport *)self)->lends++;
    *size = 0;
    return NULL;
}

static void transport_begin(struct transport *t, struct script *s)
{
    memset(t, 0, sizeof(*t));
    t->ops = (struct mqtt_transport_ops){
        .open = transport_open,
        .advance = transport_advance,
        .recv = transport_recv,
        .send = transport_send,
        .finish = transport_finish,
        .close = transport_close,
        .want = transport_want,
        .ready = transport_ready,
        .deadline = transport_deadline,
        .error = transport_error,
        .attach = transport_attach,
    };
    if (s->wire->lent_size) {
        t->ops.lend = transport_lend;
        t->ops.give_back = transport_give_back;
    }
    t->base.ops = &t->ops;
    t->s = s;
    t->state = MQTT_TRANSPORT_OPEN;
    t->room = SIZE_MAX;
    t->deadline = MQTT_NEVER;
}

/* ---- the three together -------------------------------------------------- */

struct world {
    struct script *s;
    struct reactor reactor, other;
    struct transport transport;
    struct mqtt_drive drive;
    unsigned events[MQTT_EVENT_WOKEN + 1]; /* how many of each */
    struct mqtt_event last;                /* of MQTT_EVENT_DISCONNECTED */
    void (*on_event)(struct world *w, const struct mqtt_event *event);
    uint32_t handle; /* of the message that came last */
};

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct world *w = context;

    assert_ptr_equal(client, &w->s->client);
    w->events[event->type]++;
    if (event->type == MQTT_EVENT_DISCONNECTED)
        w->last = *event;
    if (w->on_event)
        w->on_event(w, event);
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct mqtt_event event = {.type = MQTT_EVENT_MESSAGE, .message = *message};

    ((struct world *)context)->handle = message->settle_handle;
    on_event(client, &event, context);
}

/* A client with a drive, not yet told to connect. */
static void begin(struct world *w, struct script *s)
{
    memset(w, 0, sizeof(*w));
    w->s = s;
    s->config.on_event = on_event;
    s->config.on_message = on_message;
    s->config.context = w;
    reactor_begin(&w->reactor, 5000);
    reactor_begin(&w->other, 7000);
    transport_begin(&w->transport, s);
    start(s);
    mqtt_drive_init(&w->drive, &s->client, &w->transport.base,
                    &w->reactor.base);
}

/* Turns as a reactor takes them, as long as the alarm is past. */
static int turns(struct world *w)
{
    int total = 0, count;

    do {
        count = mqtt_drive_turn(&w->drive);
        if (count < 0)
            return count;
        total += count;
    } while (w->reactor.alarm <= w->reactor.now);
    return total;
}

static void expect_sent(struct world *w, const void *bytes, size_t size)
{
    assert_int_equal(w->transport.sent_size, size);
    assert_memory_equal(w->transport.sent, bytes, size);
    w->transport.sent_size = 0;
}

#define expect_sent_bytes(w, ...)                                              \
    expect_sent(w, (const uint8_t[]){__VA_ARGS__},                             \
                sizeof((const uint8_t[]){__VA_ARGS__}))

/* CONNECT has left, and nothing has come yet. */
static void begin_opened(struct world *w, struct script *s)
{
    begin(w, s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    turns(w);
    expect_sent_bytes(w, 0x10, 0x0D, 0x00, 0x04, 'M', 'Q', 'T', 'T', 0x04, 0x00,
                      0x00, 0x3C, 0x00, 0x01, 'c');
}

static void begin_connected(struct world *w, struct script *s)
{
    begin_opened(w, s);
    server_sends(s, 0x20, 0x02, 0x00, 0x00);
    turns(w);
    assert_int_equal(w->events[MQTT_EVENT_CONNECTED], 1);
}

/* What the client wishes has to ring the alarm; then it turns. */
static void rings(struct world *w)
{
    assert_true(w->reactor.alarm <= w->reactor.now);
    turns(w);
}

static void expect_disconnected(struct world *w, enum mqtt_error error)
{
    assert_int_equal(w->events[MQTT_EVENT_DISCONNECTED], 1);
    assert_int_equal(w->last.error, error);
    assert_false(w->transport.open);
}

static const char words[] = "the cable is out";

static void transport_fails(struct world *w, enum mqtt_error error)
{
    w->transport.error = error;
    w->transport.detail = words;
}

static void expect_words(const struct world *w)
{
    assert_ptr_equal(w->last.detail, words);
}

/* ---- opening ------------------------------------------------------------- */

static void test_the_wish_to_connect_rings_and_opens(void **state)
{
    struct world w;

    begin(&w, *state);
    turns(&w);
    assert_int_equal(w.transport.opens, 0);
    assert_int_equal(w.reactor.alarm, MQTT_NEVER);
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    assert_int_equal(w.transport.opens, 0); /* a request does nothing itself */
    rings(&w);
    assert_int_equal(w.transport.opens, 1);
    assert_string_equal(w.transport.server->address, "server.test");
}

static void transport_count(struct mqtt_transport *self,
                            struct mqtt_statistics *statistics)
{
    (void)self;
    statistics->tls_handshakes++;
}

static void test_a_transport_counts_each_connection(void **state)
{
    struct script *s = *state;
    struct mqtt_statistics statistics = {0};
    struct world w;

    s->config.statistics = &statistics;
    begin(&w, s);
    w.transport.ops.count = transport_count;
    mqtt_connect(&s->client);
    turns(&w);
    turns(&w);
    assert_int_equal(statistics.tls_handshakes, 1);
    mqtt_drive_end(&w.drive);
}

static void test_opening_goes_on_turn_by_turn_until_its_deadline(void **state)
{
    struct world w;

    begin(&w, *state);
    w.transport.state = MQTT_TRANSPORT_OPENING;
    w.transport.deadline = w.reactor.now + 250;
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    rings(&w);
    assert_int_equal(w.reactor.alarm, w.reactor.now + 250);
    assert_int_equal(w.transport.advances, 1);
    assert_int_equal(w.transport.recvs, 0); /* nothing moves before */
    w.reactor.now += 250;
    w.transport.deadline = MQTT_NEVER; /* then the client's is next */
    rings(&w);
    assert_int_equal(w.transport.advances, 2);
    assert_int_equal(w.reactor.alarm, 5000 + 30000);
    assert_int_equal(w.transport.opens, 1);
    w.transport.state = MQTT_TRANSPORT_OPEN;
    mqtt_drive_turn(&w.drive);
    assert_int_equal(w.transport.advances, 3);
    assert_int_equal(w.transport.sent[0], 0x10);
    turns(&w);
    assert_int_equal(w.transport.advances, 3);
}

static void test_a_server_that_is_not_reached_is_told_in_words(void **state)
{
    struct world w;

    begin(&w, *state);
    w.transport.state = MQTT_TRANSPORT_FAILED;
    transport_fails(&w, MQTT_ERR_NAME);
    w.s->random_bits = UINT32_MAX;
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_NAME);
    expect_words(&w);
    assert_true(w.last.retry_at > w.reactor.now);
    assert_int_equal(w.reactor.alarm, w.last.retry_at);
    w.reactor.now = w.last.retry_at;
    w.transport.state = MQTT_TRANSPORT_OPEN;
    rings(&w);
    assert_int_equal(w.transport.opens, 2);
    assert_int_equal(w.transport.sent[0], 0x10);
}

static void test_opening_that_takes_too_long_is_given_up(void **state)
{
    struct world w;

    begin(&w, *state);
    w.transport.state = MQTT_TRANSPORT_OPENING;
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    rings(&w);
    w.reactor.now = w.reactor.alarm;
    w.s->random_bits = UINT32_MAX;
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_OPEN_TIMEOUT);
}

/* ---- bytes --------------------------------------------------------------- */

static void test_a_connection_reads_and_tells_events(void **state)
{
    struct world w;

    begin_opened(&w, *state);
    assert_int_equal(w.transport.wanted, MQTT_READ);
    assert_int_equal(w.reactor.alarm, w.reactor.now + 10000); /* CONNACK */
    server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
    assert_true(turns(&w) > 0);
    assert_int_equal(w.events[MQTT_EVENT_CONNECTED], 1);
    assert_int_equal(turns(&w), 0);
}

static void test_what_is_published_leaves_in_the_next_turn(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    publish(w.s, "a", "hey", MQTT_QOS_0);
    rings(&w);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01, 'a', 'h', 'e', 'y');
    assert_int_equal(w.transport.wanted, MQTT_READ);
}

static void test_a_slow_transport_is_waited_for(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.transport.room = 4;
    publish(w.s, "a", "hey", MQTT_QOS_0);
    rings(&w);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01);
    assert_int_equal(w.transport.wanted, MQTT_READ | MQTT_WRITE);
    w.transport.room = SIZE_MAX;
    turns(&w);
    expect_sent_bytes(&w, 'a', 'h', 'e', 'y');
    assert_int_equal(w.transport.wanted, MQTT_READ);
}

static void test_what_a_transport_keeps_is_flushed_behind_it(void **state)
{
    struct world w;

    begin(&w, *state);
    w.transport.ops.flush = transport_flush;
    turns(&w); /* not open: nothing to flush */
    w.transport.state = MQTT_TRANSPORT_OPENING;
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    mqtt_drive_turn(&w.drive);
    w.transport.state = MQTT_TRANSPORT_OPEN;
    mqtt_drive_turn(&w.drive);
    assert_int_equal(w.transport.sent_size, 15); /* CONNECT */
    assert_int_equal(w.transport.flushed, 15);
}

static void test_a_transport_that_cannot_flush_ends_the_connection(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.transport.ops.flush = transport_flush;
    publish(w.s, "a", "hey", MQTT_QOS_0);
    rings(&w);
    assert_int_equal(w.transport.flushed, 8);
    assert_true(w.transport.open);
    w.transport.flush_fails = true;
    w.s->random_bits = UINT32_MAX;
    transport_fails(&w, MQTT_ERR_NETWORK);
    publish(w.s, "a", "hey", MQTT_QOS_0);
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_NETWORK);
    expect_words(&w);
}

static void test_nothing_is_read_while_nothing_can_be_taken(void **state)
{
    struct script *s = *state;
    struct world w;
    unsigned recvs;

    s->config.settle = MQTT_SETTLE_BY_CALL;
    s->memory.unsettled_count = 1;
    begin_connected(&w, s);
    server_publishes(s, 0x32, "a", 1, "x");
    turns(&w);
    for (uint16_t i = 2; i < 50; i++) /* the input memory is full of them */
        server_publishes(s, 0x32, "a", i, "y");
    turns(&w);
    assert_int_equal(w.events[MQTT_EVENT_MESSAGE], 1);
    assert_true(s->to_client.size > 0);
    assert_int_equal(w.transport.wanted, 0);
    recvs = w.transport.recvs;
    turns(&w);
    assert_int_equal(w.transport.recvs, recvs);
    assert_int_equal(mqtt_settle(&s->client, w.handle, 0), MQTT_OK);
    rings(&w);
    expect_sent_bytes(&w, 0x40, 0x02, 0x00, 0x01);
    assert_int_equal(w.events[MQTT_EVENT_MESSAGE], 2);
}

static void test_memory_is_lent_for_a_turn_and_given_back(void **state)
{
    struct world w;
    unsigned lends;

    begin_connected(&w, *state);
    lends = w.transport.lends;
    server_publishes(w.s, 0x30, "a", 0, "x");
    server_publishes(w.s, 0x30, "a", 0, "y");
    mqtt_drive_turn(&w.drive);
    assert_null(w.transport.lent);
    assert_int_equal(w.transport.lends, w.transport.give_backs);
    if (w.s->wire->lent_size)
        assert_int_equal(w.transport.lends, lends + 1);
    turns(&w);
    assert_int_equal(w.events[MQTT_EVENT_MESSAGE], 2);
}

static void test_a_transport_that_lends_nothing_gets_the_clients_own(void **st)
{
    struct world w;

    begin_connected(&w, *st);
    w.transport.ops.lend = transport_lends_nothing;
    w.transport.ops.give_back = NULL; /* of nothing */
    server_publishes(w.s, 0x30, "a", 0, "x");
    turns(&w);
    assert_true(w.transport.lends > 0);
    assert_int_equal(w.events[MQTT_EVENT_MESSAGE], 1);
}

static void test_a_stream_without_end_leaves_turns_to_others(void **state)
{
    struct world w;
    unsigned before;

    begin_connected(&w, *state);
    w.transport.endless = true;
    before = w.transport.recvs;
    assert_true(mqtt_drive_turn(&w.drive) > 0);
    assert_in_range(w.transport.recvs - before, 1, 16);
    assert_true(w.reactor.alarm <= w.reactor.now); /* it goes on at once */
    assert_int_equal(w.transport.wanted & MQTT_READ, MQTT_READ);
    w.transport.endless = false;
    turns(&w);
    assert_true(w.reactor.alarm > w.reactor.now);
}

/* ---- the end of a connection --------------------------------------------- */

static void test_the_servers_end_is_told(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    server_publishes(w.s, 0x30, "a", 0, "last words");
    w.transport.ended = true;
    turns(&w);
    assert_int_equal(w.events[MQTT_EVENT_MESSAGE], 1);
    expect_disconnected(&w, MQTT_ERR_CLOSED);
    assert_null(w.last.detail);
}

static void test_a_transport_that_cannot_read_ends_the_connection(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    transport_fails(&w, MQTT_ERR_NETWORK);
    w.transport.recv_fails = true;
    turns(&w);
    expect_disconnected(&w, MQTT_ERR_NETWORK);
    expect_words(&w);
}

static void test_a_transport_that_cannot_write_ends_the_connection(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    transport_fails(&w, MQTT_ERR_NETWORK);
    w.transport.send_fails = true;
    publish(w.s, "a", "hey", MQTT_QOS_1);
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_NETWORK);
    expect_words(&w);
}

static void test_disconnecting_finishes_once_and_awaits_the_end(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    assert_int_equal(mqtt_disconnect(&w.s->client, 0), MQTT_OK);
    rings(&w);
    expect_sent_bytes(&w, 0xE0, 0x00);
    assert_int_equal(w.transport.finishes, 1);
    assert_true(w.transport.open);
    turns(&w);
    assert_int_equal(w.transport.finishes, 1);
    w.transport.ended = true;
    turns(&w);
    expect_disconnected(&w, MQTT_OK);
    assert_int_equal(w.last.retry_at, MQTT_NEVER);
    w.reactor.now += 60000;
    assert_int_equal(turns(&w), 0); /* it stays ended, and needs no alarm */
    assert_int_equal(w.reactor.alarm, MQTT_NEVER);
    assert_int_equal(w.transport.opens, 1);
}

static void test_each_connection_is_finished_once(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(mqtt_disconnect(&w.s->client, 0), MQTT_OK);
        rings(&w);
        assert_int_equal(w.transport.finishes, i);
        w.transport.ended = true;
        turns(&w);
        assert_int_equal(w.events[MQTT_EVENT_DISCONNECTED], i);
        assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
        rings(&w);
        server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
        turns(&w);
        assert_int_equal(w.events[MQTT_EVENT_CONNECTED], i + 1);
    }
}

static void test_a_server_that_does_not_end_is_closed_in_time(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    assert_int_equal(mqtt_disconnect(&w.s->client, 0), MQTT_OK);
    rings(&w);
    assert_int_equal(w.reactor.alarm, w.reactor.now + 500);
    w.reactor.now += 500;
    rings(&w);
    expect_disconnected(&w, MQTT_OK);
}

static void test_what_no_server_may_send_closes(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    server_sends(w.s, 0xF0, 0x00);
    turns(&w);
    expect_disconnected(&w, MQTT_ERR_PACKET_TYPE);
}

static const void *no_source(struct mqtt_source *source, uint32_t offset,
                             size_t *size)
{
    (void)source, (void)offset, (void)size;
    return NULL;
}

static void test_a_source_that_fails_closes_without_waiting(void **state)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {NULL, 100},
                                   .qos = MQTT_QOS_1};
    struct mqtt_source source = {no_source, NULL};
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    assert_int_equal(mqtt_publish_stream(&w.s->client, &message, &source, NULL),
                     MQTT_OK);
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_SOURCE);
    assert_int_equal(w.events[MQTT_EVENT_PUBLISHED], 1);
}

struct fragile {
    struct mqtt_source source;
    uint8_t payload[100];
    unsigned reads; /* that succeed yet */
};

static const void *read_fragile(struct mqtt_source *source, uint32_t offset,
                                size_t *size)
{
    struct fragile *f = (struct fragile *)source;

    (void)size;
    return f->reads && f->reads-- ? f->payload + offset : NULL;
}

/* The transport takes all but the payload, so that it is asked for again and
 * again: by whom it is asked when it fails is the same. */
static void source_fails_after(struct script *s, unsigned reads)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {NULL, 100},
                                   .qos = MQTT_QOS_1};
    struct fragile f = {{read_fragile, NULL}, {0}, reads};
    struct world w;

    begin_connected(&w, s);
    s->random_bits = UINT32_MAX;
    w.transport.room = 7;
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &f.source, NULL),
                     MQTT_OK);
    rings(&w);
    expect_sent_bytes(&w, 0x32, 0x69, 0x00, 0x01, 'a', 0x00, 0x01);
    while (f.reads)
        turns(&w);
    turns(&w);
    expect_disconnected(&w, MQTT_ERR_SOURCE);
    assert_int_equal(w.events[MQTT_EVENT_PUBLISHED], 1);
    script_restart(s);
}

static void test_whenever_a_source_fails_is_the_connection_closed(void **state)
{
    for (unsigned reads = 0; reads < 8; reads++)
        source_fails_after(*state, reads);
}

static const void *read_zeros(struct mqtt_source *source, uint32_t offset,
                              size_t *size)
{
    static const uint8_t zeros[100000];

    (void)offset;
    if (*size > *(const size_t *)source->context)
        *size = *(const size_t *)source->context;
    return zeros;
}

static ptrdiff_t send_anything(struct mqtt_transport *self, const void *bytes,
                               size_t size)
{
    struct transport *t = (struct transport *)self;

    (void)bytes;
    t->sends++;
    t->room -= size; /* from SIZE_MAX on: what has been sent */
    return (ptrdiff_t)size;
}

/* In pieces so large, to a network that takes whatever it is given. */
static void streams_in_pieces(struct script *s, size_t piece)
{
    struct mqtt_message message = {.topic_name = MQTT_TEXT("a"),
                                   .payload = {NULL, 8 << 20},
                                   .qos = MQTT_QOS_1};
    struct mqtt_source source = {read_zeros, &piece};
    const size_t all = 1 + 4 + 3 + 2 + (8 << 20);
    struct world w;
    size_t sent;

    begin_connected(&w, s);
    w.transport.ops.send = send_anything;
    w.transport.room = SIZE_MAX;
    assert_int_equal(mqtt_publish_stream(&s->client, &message, &source, NULL),
                     MQTT_OK);
    do {
        sent = w.transport.room;
        w.transport.sends = 0;
        assert_true(mqtt_drive_turn(&w.drive) > 0);
        assert_in_range(sent - w.transport.room, 1, 1 << 20);
        assert_in_range(w.transport.sends, 1, 256);
        if (SIZE_MAX - w.transport.room < all) /* it goes on at once */
            assert_true(w.reactor.alarm <= w.reactor.now);
    } while (SIZE_MAX - w.transport.room < all);
    assert_int_equal(SIZE_MAX - w.transport.room, all);
    mqtt_drive_end(&w.drive);
    script_restart(s);
}

static void test_a_network_that_takes_all_leaves_turns_to_others(void **state)
{
    streams_in_pieces(*state, 100000);
    streams_in_pieces(*state, 700);
}

/* ---- a reactor that refuses -------------------------------------------------- */

static void test_what_cannot_be_watched_ends_and_is_tried_again(void **state)
{
    struct world w;

    begin(&w, *state);
    transport_fails(&w, MQTT_ERR_NETWORK);
    w.s->random_bits = UINT32_MAX;
    w.reactor.refusal = 28; /* ENOSPC */
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_NETWORK);
    expect_words(&w);
    assert_int_equal(w.transport.lends, w.transport.give_backs);
    assert_int_equal(w.reactor.alarm, w.last.retry_at);
    w.transport.sent_size = 0;
    w.reactor.refusal = 0;
    w.reactor.now = w.last.retry_at;
    rings(&w);
    assert_int_equal(w.transport.opens, 2);
    assert_int_equal(w.transport.sent[0], 0x10);
    assert_int_equal(w.events[MQTT_EVENT_DISCONNECTED], 1);
}

/* Also by mqtt_loop(), which must not wait for what is not watched. */
static void test_another_reactor_may_refuse_what_is_connected(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    transport_fails(&w, MQTT_ERR_NETWORK);
    w.s->random_bits = UINT32_MAX;
    w.other.refusal = 12; /* ENOMEM */
    mqtt_drive_attach(&w.drive, &w.other.base);
    assert_int_equal(mqtt_loop(&w.s->client, -1), 1);
    expect_disconnected(&w, MQTT_ERR_NETWORK);
    assert_int_equal(w.other.waits, 1);
    assert_true(w.other.until == MQTT_NEVER && w.other.now == 7000);
    assert_int_equal(mqtt_drive_turn(&w.drive), 0);
    assert_int_equal(w.other.alarm, w.last.retry_at);
}

/* ---- time ---------------------------------------------------------------- */

/* The keep alive is over, and PINGREQ has left. */
static void ping_left(struct world *w)
{
    while (!w->transport.sent_size) { /* an alarm may ring too early */
        assert_true(w->reactor.alarm <= 5000 + 60000);
        w->reactor.now = w->reactor.alarm;
        rings(w);
    }
    expect_sent_bytes(w, 0xC0, 0x00);
    assert_int_equal(w->reactor.alarm, w->reactor.now + 10000);
}

static void test_silence_is_a_dead_link(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.s->random_bits = UINT32_MAX;
    ping_left(&w);
    w.reactor.now = w.reactor.alarm;
    rings(&w);
    expect_disconnected(&w, MQTT_ERR_PINGRESP_TIMEOUT);
}

static void test_an_answer_that_lies_there_counts_after_its_time(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    ping_left(&w);
    server_sends(w.s, 0xD0, 0x00);
    w.s->wire = &wire_whole; /* one read has all of it */
    w.reactor.now += 60000;  /* the process was stopped */
    rings(&w);
    assert_int_equal(w.events[MQTT_EVENT_DISCONNECTED], 0);
    assert_true(w.transport.open);
}

static void test_a_drive_of_no_reactor_has_the_clients_time(void **state)
{
    struct world w;

    begin(&w, *state);
    turns(&w); /* at 5,000 */
    mqtt_drive_attach(&w.drive, NULL);
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    assert_int_equal(mqtt_client_deadline(&w.s->client), 5000 + 30000);
}

/* ---- callbacks ----------------------------------------------------------- */

static void destroy(struct world *w, const struct mqtt_event *event)
{
    (void)event;
    mqtt_drive_end(&w->drive);
    mqtt_client_destroy(&w->s->client);
    assert_false(w->transport.open);
    assert_null(w->transport.lent);
    assert_int_equal(w->reactor.leaves, 1);
    memset(&w->drive, 0xA5, sizeof(w->drive)); /* touched no more */
    memset(&w->s->client, 0xA5, sizeof(w->s->client));
}

static void test_a_callback_may_destroy_what_it_reads_from(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.on_event = destroy;
    server_publishes(w.s, 0x30, "a", 0, "x");
    assert_int_equal(turns(&w), MQTT_ERR_DESTROYED);
}

static void test_a_callback_may_destroy_when_opening_failed(void **state)
{
    struct world w;

    begin(&w, *state);
    w.on_event = destroy;
    w.transport.state = MQTT_TRANSPORT_FAILED;
    transport_fails(&w, MQTT_ERR_NETWORK);
    assert_int_equal(mqtt_connect(&w.s->client), MQTT_OK);
    assert_int_equal(turns(&w), MQTT_ERR_DESTROYED);
}

static void test_a_callback_may_destroy_when_time_is_over(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    ping_left(&w);
    w.on_event = destroy;
    server_publishes(w.s, 0x30, "a", 0, "x");
    w.s->wire = &wire_whole;
    w.reactor.now = w.reactor.alarm;
    assert_int_equal(mqtt_drive_turn(&w.drive), MQTT_ERR_DESTROYED);
}

static void turn_again(struct world *w, const struct mqtt_event *event)
{
    (void)event;
    assert_int_equal(mqtt_drive_turn(&w->drive), MQTT_ERR_REENTERED);
    assert_int_equal(mqtt_loop(&w->s->client, 0), MQTT_ERR_REENTERED);
}

static void test_there_is_no_turn_inside_a_turn(void **state)
{
    struct world w;

    begin_opened(&w, *state);
    w.on_event = turn_again;
    server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
    assert_true(turns(&w) > 0);
    assert_int_equal(w.events[MQTT_EVENT_CONNECTED], 1);
}

static void publish_more(struct world *w, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_CONNECTED)
        publish(w->s, "a", "hey", MQTT_QOS_0);
}

static void test_what_a_callback_publishes_leaves_in_the_same_turn(void **state)
{
    struct world w;

    begin_opened(&w, *state);
    w.on_event = publish_more;
    w.s->wire = &wire_whole;
    server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
    assert_true(mqtt_drive_turn(&w.drive) > 0);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01, 'a', 'h', 'e', 'y');
}

/* ---- other reactors ------------------------------------------------------ */

static void test_another_reactor_takes_over(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    mqtt_drive_attach(&w.drive, &w.other.base);
    assert_int_equal(w.reactor.leaves, 1);
    assert_int_equal(w.reactor.alarm, MQTT_NEVER);
    assert_ptr_equal(w.transport.reactor, &w.other.base);
    assert_true(w.other.alarm <= w.other.now);
    publish(w.s, "a", "hey", MQTT_QOS_0);
    assert_true(mqtt_drive_turn(&w.drive) > 0);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01, 'a', 'h', 'e', 'y');
    assert_int_equal(w.events[MQTT_EVENT_DISCONNECTED], 0);
    assert_int_equal(w.reactor.alarm, MQTT_NEVER);
}

static void test_the_same_reactor_again_changes_nothing(void **state)
{
    struct world w;
    mqtt_time alarm;

    begin_connected(&w, *state);
    alarm = w.reactor.alarm;
    mqtt_drive_attach(&w.drive, &w.reactor.base);
    assert_int_equal(w.reactor.leaves, 0);
    assert_int_equal(w.reactor.alarm, alarm);
    assert_ptr_equal(w.transport.reactor, &w.reactor.base);
}

static void test_without_a_reactor_nothing_moves_and_nothing_is_lost(void **st)
{
    struct world w;

    begin_connected(&w, *st);
    mqtt_drive_attach(&w.drive, NULL);
    publish(w.s, "a", "hey", MQTT_QOS_0);
    assert_int_equal(mqtt_drive_turn(&w.drive), MQTT_ERR_ATTACHED);
    assert_int_equal(mqtt_loop(&w.s->client, 0), MQTT_ERR_ATTACHED);
    assert_int_equal(w.transport.sent_size, 0);
    assert_true(w.transport.open);
    mqtt_drive_attach(&w.drive, &w.reactor.base);
    rings(&w);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01, 'a', 'h', 'e', 'y');
}

static void detach(struct world *w, const struct mqtt_event *event)
{
    (void)event;
    mqtt_drive_attach(&w->drive, NULL);
}

static void test_a_callback_may_detach(void **state)
{
    struct world w;

    begin_opened(&w, *state);
    w.on_event = detach;
    server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
    assert_true(turns(&w) > 0);
    assert_int_equal(w.events[MQTT_EVENT_CONNECTED], 1);
    assert_int_equal(w.reactor.leaves, 1);
    assert_int_equal(w.reactor.alarm, MQTT_NEVER);
    assert_int_equal(mqtt_drive_turn(&w.drive), MQTT_ERR_ATTACHED);
}

/* A reactor of a main loop has no wait(). */
static void begin_with_adapter(struct world *w, struct script *s)
{
    begin_connected(w, s);
    w->other.ops.wait = NULL;
    mqtt_drive_attach(&w->drive, &w->other.base);
    assert_int_equal(mqtt_loop(&s->client, 0), MQTT_ERR_ATTACHED);
}

static void test_detached_from_a_main_loop_it_is_for_mqtt_loop_again(void **st)
{
    struct world w;

    begin_with_adapter(&w, *st);
    mqtt_drive_detach(&w.drive);
    assert_int_equal(w.other.leaves, 1);
    assert_int_equal(w.other.alarm, MQTT_NEVER);
    assert_ptr_equal(w.transport.reactor, &w.reactor.base);
    w.reactor.now = 7000;
    publish(w.s, "a", "hey", MQTT_QOS_0);
    assert_true(mqtt_loop(&w.s->client, 0) > 0);
    expect_sent_bytes(&w, 0x30, 0x06, 0x00, 0x01, 'a', 'h', 'e', 'y');
}

static void test_detached_it_goes_back_to_the_last_that_waits(void **state)
{
    struct world w;
    struct reactor third;

    begin_connected(&w, *state);
    mqtt_drive_attach(&w.drive, &w.other.base);
    reactor_begin(&third, 8000);
    third.ops.wait = NULL;
    mqtt_drive_attach(&w.drive, &third.base);
    mqtt_drive_detach(&w.drive);
    assert_ptr_equal(w.transport.reactor, &w.other.base);
    mqtt_drive_detach(&w.drive);
    assert_ptr_equal(w.transport.reactor, &w.other.base);
    assert_int_equal(w.other.leaves, 1);
    assert_int_equal(third.leaves, 1);
}

/* It may be gone since. */
static void test_detached_it_goes_back_to_none_that_was_taken_away(void **st)
{
    struct world w;

    begin_connected(&w, *st);
    mqtt_drive_attach(&w.drive, NULL);
    w.other.ops.wait = NULL;
    mqtt_drive_attach(&w.drive, &w.other.base);
    mqtt_drive_detach(&w.drive);
    assert_null(w.transport.reactor);
    assert_int_equal(w.reactor.leaves, 1);
    assert_int_equal(w.other.leaves, 1);
}

static void test_the_end_of_a_drive_closes_and_lets_go(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    assert_ptr_equal(mqtt_drive_of(&w.s->client), &w.drive);
    mqtt_drive_end(&w.drive);
    assert_false(w.transport.open);
    assert_int_equal(w.reactor.leaves, 1);
    assert_null(w.transport.reactor);
    assert_null(mqtt_drive_of(&w.s->client));
    assert_int_equal(mqtt_loop(&w.s->client, 0), MQTT_ERR_ATTACHED);
}

static void test_readiness_goes_to_the_transport(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    mqtt_drive_ready(&w.drive, 3, MQTT_WRITE);
    assert_int_equal(w.transport.ready_slot, 3);
    assert_int_equal(w.transport.ready_mask, MQTT_WRITE);
}

/* ---- mqtt_loop() --------------------------------------------------------- */

static void test_loop_waits_as_long_as_it_is_told(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.reactor.step = 40;
    assert_int_equal(mqtt_loop(&w.s->client, 100), 0);
    assert_int_equal(w.reactor.until, 5000 + 100);
    assert_int_equal(w.reactor.now, 5000 + 100);
    assert_int_equal(w.reactor.waits, 3); /* 40, 40, 20 */
}

static void test_loop_with_no_time_looks_once(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    assert_int_equal(mqtt_loop(&w.s->client, 0), 0);
    assert_int_equal(w.reactor.until, 5000);
    assert_int_equal(w.reactor.waits, 1);
}

static void connack_comes(void *context)
{
    struct world *w = context;

    if (w->reactor.waits == 3)
        server_sends(w->s, 0x20, 0x02, 0x00, 0x00);
}

static void test_loop_without_end_waits_until_something_comes(void **state)
{
    struct world w;

    begin_opened(&w, *state);
    w.reactor.step = 10;
    w.reactor.waiting = connack_comes;
    w.reactor.context = &w;
    assert_true(mqtt_loop(&w.s->client, -1) > 0);
    assert_int_equal(w.reactor.until, MQTT_NEVER);
    assert_int_equal(w.reactor.waits, 3);
    assert_int_equal(w.events[MQTT_EVENT_CONNECTED], 1);
}

static void wake(void *context)
{
    mqtt_client_woken(&((struct world *)context)->s->client);
}

/* What is ready besides the connection is only seen in a wait. */
static void test_loop_looks_besides_a_connection_that_never_rests(void **state)
{
    struct world w;
    unsigned calls = 0;

    begin_connected(&w, *state);
    w.transport.endless = true;
    w.reactor.waiting = wake;
    w.reactor.context = &w;
    while (!w.events[MQTT_EVENT_WOKEN]) {
        assert_true(mqtt_loop(&w.s->client, -1) > 0);
        assert_true(++calls <= 17);
    }
    assert_int_equal(w.reactor.waits, 1);
    assert_int_equal(w.reactor.until, 0);
}

static void attach_adapter(struct world *w, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_MESSAGE)
        mqtt_drive_attach(&w->drive, &w->other.base);
}

static void test_loop_does_not_look_where_a_main_loop_waits(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.other.ops.wait = NULL;
    w.on_event = attach_adapter;
    w.transport.endless = true;
    for (int i = 0; i < 40; i++) {
        mqtt_drive_attach(&w.drive, &w.reactor.base);
        assert_true(mqtt_loop(&w.s->client, 0) > 0);
    }
    assert_int_equal(w.reactor.waits, 0);
}

static void test_loop_tells_why_it_cannot_wait(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.reactor.error = MQTT_ERR_INTERRUPTED;
    assert_int_equal(mqtt_loop(&w.s->client, -1), MQTT_ERR_INTERRUPTED);
    w.reactor.error = MQTT_ERR_SYSTEM;
    assert_int_equal(mqtt_loop(&w.s->client, -1), MQTT_ERR_SYSTEM);
    w.reactor.error = MQTT_OK;
    assert_int_equal(mqtt_loop(&w.s->client, 0), 0);
}

static void test_loop_is_refused_where_a_main_loop_waits(void **state)
{
    struct world w;

    begin_connected(&w, *state);
    w.reactor.ops.wait = NULL;
    publish(w.s, "a", "hey", MQTT_QOS_0);
    assert_int_equal(mqtt_loop(&w.s->client, 0), MQTT_ERR_ATTACHED);
    assert_int_equal(w.transport.sent_size, 0);
}

static void test_loop_tells_that_a_callback_destroyed_the_client(void **state)
{
    struct world w;
    int result;

    begin_opened(&w, *state);
    w.on_event = destroy;
    server_sends(w.s, 0x20, 0x02, 0x00, 0x00);
    while ((result = mqtt_loop(&w.s->client, 0)) > 0)
        ;
    assert_int_equal(result, MQTT_ERR_DESTROYED);
}

static void test_a_client_without_drive_has_no_loop(void **state)
{
    struct script *s = *state;

    start(s);
    assert_null(mqtt_drive_of(&s->client));
    assert_int_equal(mqtt_loop(&s->client, 0), MQTT_ERR_ATTACHED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        script_test(test_the_wish_to_connect_rings_and_opens),
        script_test(test_a_transport_counts_each_connection),
        script_test(test_opening_goes_on_turn_by_turn_until_its_deadline),
        script_test(test_a_server_that_is_not_reached_is_told_in_words),
        script_test(test_opening_that_takes_too_long_is_given_up),
        script_test(test_a_connection_reads_and_tells_events),
        script_test(test_what_is_published_leaves_in_the_next_turn),
        script_test(test_a_slow_transport_is_waited_for),
        script_test(test_what_a_transport_keeps_is_flushed_behind_it),
        script_test(test_a_transport_that_cannot_flush_ends_the_connection),
        script_test(test_nothing_is_read_while_nothing_can_be_taken),
        script_test(test_memory_is_lent_for_a_turn_and_given_back),
        script_test(test_a_transport_that_lends_nothing_gets_the_clients_own),
        script_test(test_a_stream_without_end_leaves_turns_to_others),
        script_test(test_the_servers_end_is_told),
        script_test(test_a_transport_that_cannot_read_ends_the_connection),
        script_test(test_a_transport_that_cannot_write_ends_the_connection),
        script_test(test_disconnecting_finishes_once_and_awaits_the_end),
        script_test(test_each_connection_is_finished_once),
        script_test(test_a_server_that_does_not_end_is_closed_in_time),
        script_test(test_what_no_server_may_send_closes),
        script_test(test_a_source_that_fails_closes_without_waiting),
        script_test(test_whenever_a_source_fails_is_the_connection_closed),
        script_test(test_a_network_that_takes_all_leaves_turns_to_others),
        script_test(test_what_cannot_be_watched_ends_and_is_tried_again),
        script_test(test_another_reactor_may_refuse_what_is_connected),
        script_test(test_silence_is_a_dead_link),
        script_test(test_an_answer_that_lies_there_counts_after_its_time),
        script_test(test_a_drive_of_no_reactor_has_the_clients_time),
        script_test(test_a_callback_may_destroy_what_it_reads_from),
        script_test(test_a_callback_may_destroy_when_opening_failed),
        script_test(test_a_callback_may_destroy_when_time_is_over),
        script_test(test_there_is_no_turn_inside_a_turn),
        script_test(test_what_a_callback_publishes_leaves_in_the_same_turn),
        script_test(test_another_reactor_takes_over),
        script_test(test_the_same_reactor_again_changes_nothing),
        script_test(test_without_a_reactor_nothing_moves_and_nothing_is_lost),
        script_test(test_a_callback_may_detach),
        script_test(test_detached_from_a_main_loop_it_is_for_mqtt_loop_again),
        script_test(test_detached_it_goes_back_to_the_last_that_waits),
        script_test(test_detached_it_goes_back_to_none_that_was_taken_away),
        script_test(test_the_end_of_a_drive_closes_and_lets_go),
        script_test(test_readiness_goes_to_the_transport),
        script_test(test_loop_waits_as_long_as_it_is_told),
        script_test(test_loop_with_no_time_looks_once),
        script_test(test_loop_without_end_waits_until_something_comes),
        script_test(test_loop_looks_besides_a_connection_that_never_rests),
        script_test(test_loop_does_not_look_where_a_main_loop_waits),
        script_test(test_loop_tells_why_it_cannot_wait),
        script_test(test_loop_is_refused_where_a_main_loop_waits),
        script_test(test_loop_tells_that_a_callback_destroyed_the_client),
        script_test(test_a_client_without_drive_has_no_loop),
    };

    return script_run("drive", tests);
}
