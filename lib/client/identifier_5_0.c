/*
 * A client identifier that the server has chosen.
 */
#include "client/client_5_0.h"
#include "session/store.h"
#include "wire/packet_5_0.h"

/* Whether it can be kept: in its memory, and in the next CONNECT, which has to
 * fit into control memory, also if it announces topic aliases again. */
static bool can_keep(const struct mqtt_client *c, struct mqtt_span identifier)
{
    struct mqtt_connect_options options = c->engine_.connect_;
    struct mqtt_announced announced =
        mqtt_engine_announced(&c->engine_, &options);

    options.client_identifier = identifier;
    announced.topic_alias_maximum = c->engine_.alias_names_.maximum_;
    return identifier.size <= c->session_.identifier_room_ &&
           c->engine_.protocol_->connect_size(&options, &announced) <=
               c->engine_.control_.size_;
}

/* The client identifier that the server has chosen [5.0 MQTT-3.2.2-16]. */
void mqtt_client_assigned(struct mqtt_client *c, struct mqtt_span properties)
{
    struct mqtt_session *s = &c->session_;
    struct mqtt_span assigned;

    if (!mqtt_connack_assigned(properties, &assigned))
        return;
    if (!can_keep(c, assigned)) {
        s->identifier_size_ = 0;
        c->engine_.session_ends_ = true; /* nobody can come back to it */
        return;
    }
    memcpy(s->identifier_, assigned.data, assigned.size);
    s->identifier_size_ = (uint16_t)assigned.size;
    mqtt_store_session(s);
}
