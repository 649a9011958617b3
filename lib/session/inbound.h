/*
 * What it takes to have messages come, in one table, which the protocol names:
 * one that only publishes links nothing of it. It stands in engine/settle.c.
 */
#ifndef MQTT_SESSION_INBOUND_H
#define MQTT_SESSION_INBOUND_H

#include <mqttloop/session.h>

struct mqtt_engine;

struct mqtt_inbound {
    /* See mqtt_engine_acknowledge() and mqtt_engine_flush_settled(). */
    bool (*acknowledge)(struct mqtt_engine *e);
    void (*flush_settled)(struct mqtt_engine *e);
    /* A connection begins; is gone; the session is gone. */
    void (*begin)(struct mqtt_session *s);
    void (*cut)(struct mqtt_session *s);
    void (*renew)(struct mqtt_session *s);
};

void mqtt_inbound_begin(struct mqtt_session *s);
void mqtt_inbound_cut(struct mqtt_session *s);
void mqtt_inbound_renew(struct mqtt_session *s);

#endif
