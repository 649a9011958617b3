#include <mqttloop/drive.h>

static mqtt_time until(mqtt_time now, int timeout_ms)
{
    return timeout_ms < 0 ? MQTT_NEVER : now + (mqtt_time)timeout_ms;
}

/* A client whose every turn handles something never waits, and what is ready
 * besides its connection would never be seen: after so many calls it is looked.
 * Seldom, for it costs a call of the system. */
#define LOOK_AFTER 16

/* What is ready is for the turn of the next call. */
static void look_besides(struct mqtt_drive *d)
{
    struct mqtt_reactor *reactor = d->reactor_;

    if (++d->unlooked_ < LOOK_AFTER || !reactor || !reactor->ops->wait)
        return;
    d->unlooked_ = 0;
    (void)reactor->ops->wait(reactor, 0);
}

/* Turn and wait until something was handled or the time is over. Also with no
 * time at all it is looked once what became ready: a connect that goes on in
 * the kernel shows in no other way. */
static int loop(struct mqtt_drive *d, mqtt_time end)
{
    bool over = false, looked = false;

    for (;;) {
        struct mqtt_reactor *reactor;
        enum mqtt_error error;
        int count = mqtt_drive_turn(d);

        if (count > 0 && !looked)
            look_besides(d);
        if (count || over) /* a callback may have detached it: count > 0 */
            return count;
        reactor = d->reactor_;
        looked = true;
        d->unlooked_ = 0;
        error = reactor->ops->wait(reactor, end);
        if (error)
            return error;
        over = reactor->ops->now(reactor) >= end;
    }
}

int mqtt_loop(struct mqtt_client *client, int timeout_ms)
{
    struct mqtt_drive *d = mqtt_drive_of(client);
    struct mqtt_reactor *reactor = d ? d->reactor_ : NULL;

    if (!reactor || !reactor->ops->wait)
        return MQTT_ERR_ATTACHED;
    if (d->turning_)
        return MQTT_ERR_REENTERED;
    return loop(d, until(reactor->ops->now(reactor), timeout_ms));
}
