/*
 * Callbacks, made of pulled events.
 */
#include "client/client_5_0.h"
#include "wire/topic.h"

static bool wants(const struct mqtt_subscription *s,
                  const struct mqtt_message *message)
{
    return s->on_message && mqtt_subscription_matches(s, message);
}

/* Whether it is for this one, by its topic name, and by name if it names
 * some. */
static bool is_for(const struct mqtt_client *c,
                   const struct mqtt_subscription *s,
                   const struct mqtt_message *message, bool named)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);

    if (!wants(s, message))
        return false;
    return !named || five->names(s, message);
}

bool mqtt_dispatch_linear(struct mqtt_client *client,
                          const struct mqtt_message *message)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(client);
    struct mqtt_subscription *s = client->subscriptions_;
    /* Only what came in 5.0 has properties. */
    bool named = message->properties.size && five->names_ours(client, message);
    /* A callback may subscribe: what it adds is for later messages. */
    struct mqtt_subscription *last = client->last_subscription_;
    bool *outer = client->destroyed_; /* NULL: called by who pulls */
    bool here = false, *destroyed = outer ? outer : &here;
    bool taken = false;

    client->destroyed_ = destroyed;
    for (; s; s = s == last ? NULL : s->next_) {
        if (!is_for(client, s, message, named))
            continue;
        taken = true;
        s->on_message(client, message, s->context);
        if (*destroyed)
            return true;
    }
    client->destroyed_ = outer;
    return taken;
}

static void call_message(struct mqtt_client *c,
                         const struct mqtt_message *message)
{
    mqtt_dispatch_function *dispatch = c->config_->dispatch;

    if (!dispatch && c->subscriber_)
        dispatch = c->subscriber_->dispatch;
    if (!(dispatch && dispatch(c, message)) && c->config_->on_message)
        c->config_->on_message(c, message, c->config_->context);
}

static void call(struct mqtt_client *c, const struct mqtt_event *event)
{
    if (event->type == MQTT_EVENT_MESSAGE)
        call_message(c, &event->message);
    else if (c->config_->on_event)
        c->config_->on_event(c, event, c->config_->context);
}

int mqtt_client_dispatch(struct mqtt_client *client)
{
    struct mqtt_event event;
    bool destroyed = false;
    int count = 0;

    if (client->destroyed_)
        return MQTT_ERR_REENTERED;
    client->destroyed_ = &destroyed;
    while (mqtt_client_next(client, &event)) {
        call(client, &event);
        if (destroyed)
            return MQTT_ERR_DESTROYED;
        count++;
    }
    client->destroyed_ = NULL;
    return count;
}
