/* A build without c-ares: no name has an address. */
#include "resolve.h"

void mqtt_resolver_start(struct mqtt_resolver *resolver,
                         const struct mqtt_question *question, mqtt_time now)
{
    (void)now;
    resolver->question = *question;
    resolver->deadline = MQTT_NEVER;
}

enum mqtt_resolver_state mqtt_resolver_advance(struct mqtt_resolver *resolver,
                                               mqtt_time now)
{
    (void)resolver;
    (void)now;
    return MQTT_RESOLVER_END;
}

void mqtt_resolver_ready(struct mqtt_resolver *resolver, unsigned slot,
                         unsigned mask)
{
    (void)resolver;
    (void)slot;
    (void)mask;
}

void mqtt_resolver_cancel(struct mqtt_resolver *resolver)
{
    (void)resolver;
}

bool mqtt_resolver_is_in_doubt(const struct mqtt_resolver *resolver)
{
    (void)resolver;
    return false;
}

enum mqtt_error mqtt_resolver_error(const struct mqtt_resolver *resolver,
                                    const char **text)
{
    (void)resolver;
    *text = "this build looks up no names, only addresses";
    return MQTT_ERR_NAME;
}
