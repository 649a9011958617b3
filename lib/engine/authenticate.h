/*
 * The exchange of AUTH packets [5.0, section 4.12].
 */
#ifndef MQTT_ENGINE_AUTHENTICATE_H
#define MQTT_ENGINE_AUTHENTICATE_H

#include "engine/engine.h"

enum mqtt_authenticate_state {
    MQTT_AUTHENTICATE_IDLE,
    MQTT_AUTHENTICATE_AWAIT_SERVER, /* CONNECT or AUTH has been sent */
    MQTT_AUTHENTICATE_AWAIT_APPLICATION
};

/* CONNECT is about to leave. */
void mqtt_authenticate_expect(struct mqtt_engine *e,
                              const struct mqtt_connect_options *options);

/* Whether the properties of a good CONNACK, or of AUTH, have the method of
 * CONNECT, or none if CONNECT had none; else MQTT_ERR_AUTHENTICATION
 * [5.0 MQTT-4.12.0-5, MQTT-4.12.0-6]. */
enum mqtt_error mqtt_authenticate_check(const struct mqtt_engine *e,
                                        struct mqtt_span properties);

/* See mqtt_authenticate(). */
enum mqtt_error mqtt_engine_authenticate(struct mqtt_engine *e,
                                         struct mqtt_span data,
                                         struct mqtt_span properties);

#endif
