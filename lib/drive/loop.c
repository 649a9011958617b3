#include <mqttloop/drive.h>

static mqtt_time until(mqtt_time now, int timeout_ms)
{
    return timeout_ms < 0 ? MQTT_NEVER : now + (mqtt_time)timeout_ms;
}

/* Turn and wait until something was handled or the time is over. Also with no
 * time at all it is looked once what became ready: a connect that goes on in
 * the kernel shows in no other way. */
static int loop(struct mqtt_drive *d, mqtt_time end)
{
    bool over = false;

    for (;;) {
        struct mqtt_reactor *reactor;
        enum mqtt_error error;
        int count = mqtt_drive_turn(d);

        if (count || over) /* a callback may have detached it: count > 0 */
            return count;
        reactor = d->reactor_;
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
