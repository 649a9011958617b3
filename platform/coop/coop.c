#include <mqttloop/coop.h>

/* The clock sees each wrap of the counter if no sleep is longer. */
#define LONGEST_SLEEP_MS ((uint32_t)INT32_MAX)

void mqtt_coop_init(struct mqtt_coop *coop, struct mqtt_coop_board *board)
{
    coop->board_ = board;
    coop->tasks_ = coop->next_ = NULL;
    coop->now_ = 0;
    coop->counter_ = board->counter_ms(board);
}

mqtt_time mqtt_coop_now(struct mqtt_coop *coop)
{
    uint32_t counter = coop->board_->counter_ms(coop->board_);

    coop->now_ += (uint32_t)(counter - coop->counter_);
    coop->counter_ = counter;
    return coop->now_;
}

/* ---- tasks ---------------------------------------------------------------- */

void mqtt_coop_add(struct mqtt_coop *coop, struct mqtt_coop_task *task)
{
    struct mqtt_coop_task **end = &coop->tasks_;

    while (*end)
        end = &(*end)->next_;
    task->turns = 0;
    task->wake_at_ = MQTT_NEVER;
    task->ready_ = true;
    task->next_ = NULL;
    *end = task;
}

/* A turn that runs goes on behind it. */
void mqtt_coop_remove(struct mqtt_coop *coop, struct mqtt_coop_task *task)
{
    struct mqtt_coop_task **at = &coop->tasks_;

    while (*at && *at != task)
        at = &(*at)->next_;
    if (*at)
        *at = task->next_;
    if (coop->next_ == task)
        coop->next_ = task->next_;
}

void mqtt_coop_wake(struct mqtt_coop_task *task)
{
    task->ready_ = true;
}

void mqtt_coop_wake_at(struct mqtt_coop_task *task, mqtt_time at)
{
    task->wake_at_ = at;
}

static mqtt_time due(const struct mqtt_coop_task *task)
{
    return task->ready_ ? 0 : task->wake_at_;
}

static mqtt_time first_due(const struct mqtt_coop *coop)
{
    const struct mqtt_coop_task *task;
    mqtt_time at = MQTT_NEVER;

    for (task = coop->tasks_; task; task = task->next_)
        if (due(task) < at)
            at = due(task);
    return at;
}

/* ---- turns ---------------------------------------------------------------- */

/* Whether it is to be run. The flag falls before the task looks at what it
 * stands for: what an interrupt brings later raises it again. */
static bool take(struct mqtt_coop_task *task, mqtt_time now)
{
    bool rings = task->wake_at_ <= now, due = rings || task->ready_;

    if (rings)
        task->wake_at_ = MQTT_NEVER;
    if (due)
        task->ready_ = false;
    return due;
}

static bool run_due(struct mqtt_coop *coop)
{
    struct mqtt_coop_task *task;
    mqtt_time now = mqtt_coop_now(coop);
    bool ran = false;

    for (task = coop->tasks_; task; task = coop->next_) {
        coop->next_ = task->next_;
        if (!take(task, now))
            continue;
        task->turns++;
        task->run(task);
        ran = true;
    }
    return ran;
}

/* A flag that an interrupt raises after it was looked at: then the interrupt is
 * pending when the sleep begins, and ends it. */
void mqtt_coop_sleep(struct mqtt_coop *coop, const struct mqtt_coop_task *task,
                     mqtt_time until)
{
    struct mqtt_coop_board *board = coop->board_;
    mqtt_time at, now;

    board->mask(board);
    at = task ? due(task) : first_due(coop);
    if (at > until)
        at = until;
    now = mqtt_coop_now(coop);
    if (at > now)
        board->sleep(board, at - now > LONGEST_SLEEP_MS ? LONGEST_SLEEP_MS
                                                        : (uint32_t)(at - now));
    board->unmask(board);
}

bool mqtt_coop_turn(struct mqtt_coop *coop)
{
    bool ran = run_due(coop);

    if (!ran)
        mqtt_coop_sleep(coop, NULL, MQTT_NEVER);
    return ran;
}
