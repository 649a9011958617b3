/* A client as a task: its reactor, and its turn. */
#include <mqttloop/coop.h>

static struct mqtt_coop_client *of(struct mqtt_reactor *reactor)
{
    return (struct mqtt_coop_client *)reactor;
}

/* Transports of devices have no descriptors. */
static int watch(struct mqtt_reactor *self, unsigned slot, int descriptor,
                 unsigned mask)
{
    (void)self, (void)slot, (void)descriptor, (void)mask;
    return 0;
}

static void wake_at(struct mqtt_reactor *self, mqtt_time at)
{
    mqtt_coop_wake_at(&of(self)->task, at);
}

static mqtt_time now(struct mqtt_reactor *self)
{
    return mqtt_coop_now(of(self)->coop_);
}

/* After a sleep a turn follows, which tries everything: so the flag may fall.
 * Who only looks need not have a turn after it; there the flag stays up. */
static enum mqtt_error wait(struct mqtt_reactor *self, mqtt_time until)
{
    struct mqtt_coop *coop = of(self)->coop_;
    struct mqtt_coop_task *task = &of(self)->task;

    if (mqtt_coop_now(coop) >= until)
        return MQTT_OK;
    while (!task->ready_ && mqtt_coop_now(coop) < until &&
           mqtt_coop_now(coop) < task->wake_at_)
        mqtt_coop_sleep(coop, task, until);
    task->ready_ = false;
    return MQTT_OK;
}

static void leave(struct mqtt_reactor *self)
{
    mqtt_coop_remove(of(self)->coop_, &of(self)->task);
}

static const struct mqtt_reactor_ops ops = {.watch = watch,
                                            .wake_at = wake_at,
                                            .now = now,
                                            .wait = wait,
                                            .leave = leave};

static void run(struct mqtt_coop_task *task)
{
    struct mqtt_coop_client *adapter =
        (struct mqtt_coop_client *)((char *)task -
                                    offsetof(struct mqtt_coop_client, task));

    (void)mqtt_loop(adapter->client_, 0);
}

enum mqtt_error mqtt_coop_attach(struct mqtt_coop_client *adapter,
                                 struct mqtt_coop *coop,
                                 struct mqtt_client *client)
{
    struct mqtt_drive *drive = client ? mqtt_drive_of(client) : NULL;

    if (!drive || !coop)
        return MQTT_ERR_ARGUMENT;
    if (drive->reactor_ == &adapter->reactor)
        return MQTT_OK;
    adapter->reactor.ops = &ops;
    adapter->task.run = run;
    adapter->coop_ = coop;
    adapter->client_ = client;
    mqtt_coop_add(coop, &adapter->task);
    mqtt_drive_attach(drive, &adapter->reactor);
    return MQTT_OK;
}

void mqtt_coop_client_wake(void *adapter)
{
    mqtt_coop_wake(&((struct mqtt_coop_client *)adapter)->task);
}
