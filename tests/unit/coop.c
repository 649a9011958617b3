/*
 * coop.c - the cooperative scheduler, and a client as its task, on a board whose
 * time is the test's: it passes while the board sleeps and at no other time.
 */
#include "script.h"

#include <mqttloop/coop.h>

/* ---- a board ------------------------------------------------------------- */

struct board {
    struct mqtt_coop_board base;
    uint32_t counter;
    uint32_t end; /* of the test's patience; no sleep goes beyond */
    bool bounded; /* there is an end */
    bool masked;
    unsigned sleeps;
    uint32_t slept; /* ms, in the last sleep */
    /* one interrupt, `in_ms` from when it was set; 0: pending */
    void (*interrupt)(void *context);
    void *context;
    uint32_t in_ms;
    struct mqtt_coop coop;
};

static struct board *board_of(struct mqtt_coop_board *self)
{
    return (struct board *)self;
}

static uint32_t board_counter(struct mqtt_coop_board *self)
{
    return board_of(self)->counter;
}

static void board_mask(struct mqtt_coop_board *self)
{
    assert_false(board_of(self)->masked);
    board_of(self)->masked = true;
}

static void board_unmask(struct mqtt_coop_board *self)
{
    struct board *b = board_of(self);
    void (*interrupt)(void *context) = b->interrupt;

    assert_true(b->masked);
    b->masked = false;
    if (!interrupt || b->in_ms)
        return;
    b->interrupt = NULL;
    interrupt(b->context);
}

static void board_sleep(struct mqtt_coop_board *self, uint32_t most_ms)
{
    struct board *b = board_of(self);

    assert_true(b->masked);
    assert_in_range(most_ms, 1, INT32_MAX);
    if (b->interrupt && b->in_ms < most_ms)
        most_ms = b->in_ms;
    if (b->bounded && b->end - b->counter < most_ms)
        most_ms = b->end - b->counter;
    if (b->interrupt)
        b->in_ms -= most_ms;
    b->counter += most_ms;
    b->slept = most_ms;
    b->sleeps++;
}

static void board_begin(struct board *b, uint32_t counter)
{
    *b = (struct board){
        .base = {board_counter, board_mask, board_unmask, board_sleep},
        .counter = counter};
    mqtt_coop_init(&b->coop, &b->base);
}

static void interrupts(struct board *b, uint32_t in_ms,
                       void (*interrupt)(void *context), void *context)
{
    assert_null(b->interrupt);
    b->interrupt = interrupt;
    b->context = context;
    b->in_ms = in_ms;
}

/* ---- tasks --------------------------------------------------------------- */

struct job {
    struct mqtt_coop_task task;
    struct board *board;
    mqtt_time period; /* 0: runs when it is woken only */
    mqtt_time ran_at;
    struct job *other; /* is removed when this one runs */
};

static void job_run(struct mqtt_coop_task *self)
{
    struct job *job = (struct job *)self;

    job->ran_at = mqtt_coop_now(&job->board->coop);
    if (job->period)
        mqtt_coop_wake_at(self, job->ran_at + job->period);
    if (job->other)
        mqtt_coop_remove(&job->board->coop, &job->other->task);
}

static void job_begin(struct job *job, struct board *b, mqtt_time period)
{
    *job = (struct job){.task = {.run = job_run}, .board = b, .period = period};
    mqtt_coop_add(&b->coop, &job->task);
}

static void wake_job(void *job)
{
    mqtt_coop_wake(&((struct job *)job)->task);
}

/* It ends at that moment, before what is due then runs. */
static void run_until(struct board *b, mqtt_time end)
{
    b->bounded = true;
    for (mqtt_time now; (now = mqtt_coop_now(&b->coop)) < end;) {
        b->end = b->counter +
                 (uint32_t)(end - now > INT32_MAX ? INT32_MAX : end - now);
        mqtt_coop_turn(&b->coop);
    }
    b->bounded = false;
}

static void test_a_new_task_is_due_at_once_and_then_when_told(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 7);
    job_begin(&job, &b, 0);
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(job.ran_at, 0);
    assert_false(mqtt_coop_turn(&b.coop));
    assert_int_equal(b.slept, INT32_MAX);
    assert_int_equal(job.task.turns, 1);
}

static void test_each_task_runs_at_its_time(void **s)
{
    struct board b;
    struct job three, seven;

    (void)s;
    board_begin(&b, 0);
    job_begin(&three, &b, 3);
    job_begin(&seven, &b, 7);
    run_until(&b, 42);
    assert_int_equal(three.task.turns, 14);
    assert_int_equal(seven.task.turns, 6);
    assert_int_equal(seven.ran_at, 35);
    assert_int_equal(b.sleeps, 14 + 6 - 2); /* both run at 0 and at 21 */
}

static void test_a_moment_that_is_past_comes_with_the_next_turn(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 0);
    job_begin(&job, &b, 0);
    mqtt_coop_turn(&b.coop);
    mqtt_coop_wake_at(&job.task, 0);
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(b.sleeps, 0);
    assert_int_equal(job.task.turns, 2);
    assert_false(mqtt_coop_turn(&b.coop)); /* it came once */
}

static void test_an_interrupt_ends_the_sleep_and_its_task_runs(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 0);
    job_begin(&job, &b, 1000);
    mqtt_coop_turn(&b.coop);
    interrupts(&b, 250, wake_job, &job);
    assert_false(mqtt_coop_turn(&b.coop));
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(job.ran_at, 250);
    run_until(&b, 1249);
    assert_int_equal(job.task.turns, 2); /* its moment was replaced */
    run_until(&b, 1251);
    assert_int_equal(job.task.turns, 3);
}

static void test_waking_is_not_its_moment_which_comes_all_the_same(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 0);
    job_begin(&job, &b, 0);
    mqtt_coop_turn(&b.coop);
    mqtt_coop_wake_at(&job.task, 1000);
    wake_job(&job);
    mqtt_coop_turn(&b.coop);
    assert_int_equal(job.task.turns, 2);
    run_until(&b, 1001);
    assert_int_equal(job.task.turns, 3);
    assert_int_equal(job.ran_at, 1000);
}

static void test_an_interrupt_before_the_sleep_is_not_lost(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 0);
    job_begin(&job, &b, 0);
    mqtt_coop_turn(&b.coop);
    interrupts(&b, 0, wake_job, &job); /* pending when interrupts are held */
    assert_false(mqtt_coop_turn(&b.coop));
    assert_int_equal(b.slept, 0);
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(job.task.turns, 2);
}

static void wakes_itself(struct mqtt_coop_task *self)
{
    struct job *job = (struct job *)self;

    job->ran_at = mqtt_coop_now(&job->board->coop);
    if (self->turns < 3)
        mqtt_coop_wake(self);
}

static void test_a_task_that_is_woken_while_it_runs_runs_again(void **s)
{
    struct board b;
    struct job job;

    (void)s;
    board_begin(&b, 0);
    job_begin(&job, &b, 0);
    job.task.run = wakes_itself;
    while (mqtt_coop_turn(&b.coop))
        ;
    assert_int_equal(job.task.turns, 3);
}

static void test_tasks_may_remove_themselves_and_others(void **s)
{
    struct board b;
    struct job first, second, third;

    (void)s;
    board_begin(&b, 0);
    job_begin(&first, &b, 5);
    job_begin(&second, &b, 5);
    job_begin(&third, &b, 5);
    first.other = &second;
    third.other = &third;
    run_until(&b, 21);
    assert_int_equal(first.task.turns, 5);
    assert_int_equal(second.task.turns, 0);
    assert_int_equal(third.task.turns, 1);
    mqtt_coop_remove(&b.coop, &second.task); /* no effect */
    mqtt_coop_add(&b.coop, &second.task);
    run_until(&b, 31);
    assert_int_equal(first.task.turns, 7);
    assert_int_equal(second.task.turns, 1); /* then removed again */
}

/* Itself first, and then the one behind it. */
static void goes_with_the_next(struct mqtt_coop_task *self)
{
    struct job *job = (struct job *)self;

    mqtt_coop_remove(&job->board->coop, self);
    mqtt_coop_remove(&job->board->coop, &job->other->task);
    /* nobody may look at what is not added any more */
    memset(&job->other->task, 0xA5, sizeof(job->other->task));
    memset(self, 0xA5, sizeof(*self));
}

static void test_memory_of_removed_tasks_is_free_at_once(void **s)
{
    struct board b;
    struct job first, second, third;

    (void)s;
    board_begin(&b, 0);
    job_begin(&first, &b, 0);
    job_begin(&second, &b, 0);
    job_begin(&third, &b, 0);
    first.other = &second;
    first.task.run = goes_with_the_next;
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(third.task.turns, 1);
    assert_false(mqtt_coop_turn(&b.coop));
}

static void adds_itself_anew(struct mqtt_coop_task *self)
{
    struct job *job = (struct job *)self;

    mqtt_coop_remove(&job->board->coop, self);
    mqtt_coop_add(&job->board->coop, self);
}

static void test_a_task_that_adds_itself_anew_is_behind_the_others(void **s)
{
    struct board b;
    struct job first, second;

    (void)s;
    board_begin(&b, 0);
    job_begin(&first, &b, 0);
    job_begin(&second, &b, 0);
    first.task.run = adds_itself_anew;
    assert_true(mqtt_coop_turn(&b.coop));
    assert_int_equal(second.task.turns, 1);
}

static void test_the_clock_goes_on_when_the_counter_begins_anew(void **s)
{
    struct board b;
    struct job job;
    const mqtt_time day = 24 * 3600 * 1000;

    (void)s;
    board_begin(&b, UINT32_MAX - 500);
    job_begin(&job, &b, 1000);
    run_until(&b, 10000);
    assert_int_equal(job.task.turns, 10);
    job.period = 365 * day; /* several times around, asleep */
    for (mqtt_time year = 1; year <= 3; year++)
        run_until(&b, year * 365 * day);
    assert_int_equal(job.task.turns, 13);
    assert_int_equal(job.ran_at, 2 * 365 * day + 10000);
}

/* ---- a client as a task -------------------------------------------------- */

/* What the client writes comes to a server, whose answer lies in the receiver
 * `in_ms` later, by an interrupt. */
struct wire_transport {
    struct mqtt_transport base;
    struct script *s;
    struct board *board;
    struct mqtt_coop_client *adapter;
    uint8_t arrived[64];
    size_t arrived_size;
    bool open, silent;
    bool comes_late; /* a PINGRESP, after the turn has read */
    unsigned opens, pings;
};

static struct wire_transport *wire_of(struct mqtt_transport *self)
{
    return (struct wire_transport *)self;
}

static void wire_open(struct mqtt_transport *self,
                      const struct mqtt_server *server, mqtt_time now)
{
    (void)server, (void)now;
    wire_of(self)->open = true;
    wire_of(self)->opens++;
}

static enum mqtt_transport_state wire_advance(struct mqtt_transport *self,
                                              mqtt_time now)
{
    (void)self, (void)now;
    return MQTT_TRANSPORT_OPEN;
}

static ptrdiff_t wire_recv(struct mqtt_transport *self, void *bytes,
                           size_t size)
{
    struct wire_transport *t = wire_of(self);

    if (!t->arrived_size)
        return MQTT_IO_WAIT;
    assert_true(size >= t->arrived_size);
    size = t->arrived_size;
    memcpy(bytes, t->arrived, size);
    t->arrived_size = 0;
    return (ptrdiff_t)size;
}

static void wire_arrives(void *context)
{
    struct wire_transport *t = context;

    memcpy(t->arrived, t->s->to_client.bytes, t->s->to_client.size);
    t->arrived_size = t->s->to_client.size;
    t->s->to_client.size = 0;
    mqtt_coop_client_wake(t->adapter);
}

static ptrdiff_t wire_send(struct mqtt_transport *self, const void *bytes,
                           size_t size)
{
    struct wire_transport *t = wire_of(self);
    uint8_t first = *(const uint8_t *)bytes;

    t->pings += first == 0xC0;
    if (t->silent)
        return (ptrdiff_t)size;
    if (first == 0x10)
        server_sends(t->s, 0x20, 0x02, 0x00, 0x00);
    if (first == 0xC0)
        server_sends(t->s, 0xD0, 0x00);
    if (first == 0x32)
        server_sends(t->s, 0x40, 0x02, 0x00, 0x01);
    if (t->s->to_client.size)
        interrupts(t->board, 5, wire_arrives, t);
    return (ptrdiff_t)size;
}

static void wire_finish(struct mqtt_transport *self)
{
    (void)self;
}

static void wire_close(struct mqtt_transport *self)
{
    wire_of(self)->open = false;
}

/* The last thing that a turn asks. */
static bool wire_want(struct mqtt_transport *self, unsigned mask)
{
    struct wire_transport *t = wire_of(self);

    (void)mask;
    if (t->comes_late) {
        server_sends(t->s, 0xD0, 0x00);
        wire_arrives(t);
    }
    return true;
}

static mqtt_time wire_deadline(struct mqtt_transport *self)
{
    (void)self;
    return MQTT_NEVER;
}

static void wire_attach(struct mqtt_transport *self,
                        struct mqtt_reactor *reactor)
{
    (void)self, (void)reactor;
}

static const struct mqtt_transport_ops wire_ops = {
    .open = wire_open,
    .advance = wire_advance,
    .recv = wire_recv,
    .send = wire_send,
    .finish = wire_finish,
    .close = wire_close,
    .want = wire_want,
    .deadline = wire_deadline,
    .attach = wire_attach,
};

struct device {
    struct board board;
    struct wire_transport wire;
    struct mqtt_drive drive;
    struct mqtt_coop_client mqtt;
    struct script *s;
    unsigned connected, published, disconnected;
    enum mqtt_error error; /* of the last MQTT_EVENT_DISCONNECTED */
    bool destroys;
};

static void device_event(struct mqtt_client *client,
                         const struct mqtt_event *event, void *context)
{
    struct device *d = context;

    d->connected += event->type == MQTT_EVENT_CONNECTED;
    d->published += event->type == MQTT_EVENT_PUBLISHED;
    d->disconnected += event->type == MQTT_EVENT_DISCONNECTED;
    if (event->type == MQTT_EVENT_DISCONNECTED)
        d->error = event->error;
    if (d->destroys) {
        mqtt_drive_end(&d->drive);
        mqtt_client_destroy(client);
    }
}

static void device_begin(struct device *d, struct script *s)
{
    memset(d, 0, sizeof(*d));
    d->s = s;
    board_begin(&d->board, 0);
    s->config.on_event = device_event;
    s->config.context = d;
    start(s);
    d->wire = (struct wire_transport){
        .base = {&wire_ops}, .s = s, .board = &d->board, .adapter = &d->mqtt};
    mqtt_drive_init(&d->drive, &s->client, &d->wire.base, NULL);
    assert_int_equal(mqtt_coop_attach(&d->mqtt, &d->board.coop, &s->client),
                     MQTT_OK);
}

static void device_connected(struct device *d, struct script *s)
{
    device_begin(d, s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    run_until(&d->board, 10);
    assert_int_equal(d->connected, 1);
}

static void test_an_idle_client_runs_for_its_keep_alive_only(void **state)
{
    struct device d;
    uint32_t turns;

    device_connected(&d, *state);
    turns = d.mqtt.task.turns;
    d.board.sleeps = 0;
    run_until(&d.board, 3600 * 1000);
    /* 60 s of keep alive, PINGREQ a second before, PINGRESP 5 ms after */
    assert_int_equal(d.wire.pings, 61);
    assert_in_range(d.mqtt.task.turns - turns, 2 * 61, 3 * 61);
    assert_int_equal(d.disconnected, 0);
    assert_in_range(d.board.sleeps, 2 * 61, 3 * 61 + 1);
}

static void test_what_another_task_publishes_leaves_at_once(void **state)
{
    struct device d;
    struct script *s = *state;

    device_connected(&d, s);
    assert_int_equal(mqtt_publish(&s->client, "t", "x", 1, MQTT_QOS_1, false),
                     MQTT_OK);
    run_until(&d.board, 20);
    assert_int_equal(d.published, 1);
}

static void test_a_dead_link_is_seen_in_its_time(void **state)
{
    struct device d;

    device_connected(&d, *state);
    d.wire.silent = true;
    run_until(&d.board, 69000);
    assert_int_equal(d.disconnected, 0);
    run_until(&d.board, 69100);
    assert_int_equal(d.disconnected, 1);
    assert_int_equal(d.error, MQTT_ERR_PINGRESP_TIMEOUT);
    assert_int_equal(d.wire.opens, 2); /* a try that gets no answer */
    d.wire.silent = false;
    run_until(&d.board, 82000);
    assert_int_equal(d.connected, 2);
}

/* Each turn has something to do, and then something comes: as with a line that
 * interrupts for each byte. */
static void test_what_comes_at_the_end_of_a_turn_is_not_lost(void **state)
{
    struct device d;

    device_connected(&d, *state);
    d.wire.comes_late = true;
    mqtt_coop_client_wake(&d.mqtt);
    for (int turn = 0; turn < 100; turn++) {
        assert_true(mqtt_coop_turn(&d.board.coop));
        assert_int_equal(d.wire.arrived_size, 2);
        assert_true(d.mqtt.task.ready_);
    }
    d.wire.comes_late = false;
    run_until(&d.board, 20);
    assert_int_equal(d.wire.arrived_size, 0);
}

static void test_attaching_anew_changes_nothing(void **state)
{
    struct device d;

    device_connected(&d, *state);
    assert_int_equal(mqtt_coop_attach(&d.mqtt, &d.board.coop, &d.s->client),
                     MQTT_OK);
    run_until(&d.board, 3600 * 1000);
    assert_int_equal(d.wire.pings, 61);
    assert_int_equal(d.disconnected, 0);
}

static void test_a_client_that_is_destroyed_is_no_task_any_more(void **state)
{
    struct device d;
    uint32_t turns;

    device_begin(&d, *state);
    d.destroys = true;
    assert_int_equal(mqtt_connect(&d.s->client), MQTT_OK);
    run_until(&d.board, 10);
    turns = d.mqtt.task.turns;
    d.s->started = false; /* it is gone */
    mqtt_coop_client_wake(&d.mqtt);
    run_until(&d.board, 100000);
    assert_int_equal(d.mqtt.task.turns, turns);
}

static void test_the_loop_may_wait_and_the_board_sleeps(void **state)
{
    struct device d;
    struct script *s = *state;

    device_begin(&d, s);
    assert_int_equal(mqtt_connect(&s->client), MQTT_OK);
    while (!d.connected)
        assert_true(mqtt_loop(&s->client, -1) > 0);
    assert_int_equal(mqtt_coop_now(&d.board.coop), 5);
    d.board.sleeps = 0;
    assert_int_equal(mqtt_loop(&s->client, 30000), 0);
    assert_int_equal(mqtt_coop_now(&d.board.coop), 30005);
    assert_in_range(d.board.sleeps, 1, 2); /* an alarm that rings early */
    assert_true(mqtt_loop(&s->client, 30000) > 0); /* the keep alive */
    assert_int_equal(mqtt_coop_now(&d.board.coop), 59000);
}

static void test_a_client_without_drive_is_no_task(void **state)
{
    struct script *s = *state;
    struct board b;
    struct mqtt_coop_client adapter;

    board_begin(&b, 0);
    start(s);
    assert_int_equal(mqtt_coop_attach(&adapter, &b.coop, &s->client),
                     MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_coop_attach(&adapter, &b.coop, NULL),
                     MQTT_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest scheduler[] = {
        cmocka_unit_test(test_a_new_task_is_due_at_once_and_then_when_told),
        cmocka_unit_test(test_each_task_runs_at_its_time),
        cmocka_unit_test(test_a_moment_that_is_past_comes_with_the_next_turn),
        cmocka_unit_test(test_an_interrupt_ends_the_sleep_and_its_task_runs),
        cmocka_unit_test(
            test_waking_is_not_its_moment_which_comes_all_the_same),
        cmocka_unit_test(test_an_interrupt_before_the_sleep_is_not_lost),
        cmocka_unit_test(test_a_task_that_is_woken_while_it_runs_runs_again),
        cmocka_unit_test(test_tasks_may_remove_themselves_and_others),
        cmocka_unit_test(test_memory_of_removed_tasks_is_free_at_once),
        cmocka_unit_test(
            test_a_task_that_adds_itself_anew_is_behind_the_others),
        cmocka_unit_test(test_the_clock_goes_on_when_the_counter_begins_anew),
    };
    const struct CMUnitTest client[] = {
        script_test(test_an_idle_client_runs_for_its_keep_alive_only),
        script_test(test_what_another_task_publishes_leaves_at_once),
        script_test(test_a_dead_link_is_seen_in_its_time),
        script_test(test_what_comes_at_the_end_of_a_turn_is_not_lost),
        script_test(test_attaching_anew_changes_nothing),
        script_test(test_a_client_that_is_destroyed_is_no_task_any_more),
        script_test(test_the_loop_may_wait_and_the_board_sleeps),
        script_test(test_a_client_without_drive_is_no_task),
    };

    return cmocka_run_group_tests(scheduler, NULL, NULL) |
           script_run("coop", client);
}
