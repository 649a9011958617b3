/*
 * Messages that say by Subscription Identifiers whom they are for
 * [5.0, section 3.3.4].
 */
#include "client/client_5_0.h"
#include "wire/packet_5_0.h"

bool mqtt_client_names(const struct mqtt_subscription *s,
                       const struct mqtt_message *message)
{
    return s->identifier && mqtt_message_named_5_0(message, s->identifier);
}

/* Some may be of another process. */
bool mqtt_client_names_ours(const struct mqtt_client *c,
                            const struct mqtt_message *message)
{
    const struct mqtt_subscription *s;

    if (!mqtt_message_named_5_0(message, 0))
        return false;
    for (s = c->subscriptions_; s; s = s->next_)
        if (mqtt_subscription_matches(s, message) &&
            mqtt_client_names(s, message))
            return true;
    return false;
}
