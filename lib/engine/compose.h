#ifndef MQTT_ENGINE_COMPOSE_H
#define MQTT_ENGINE_COMPOSE_H

#include "engine/engine.h"
#include "session/composer.h"

extern const struct mqtt_composer mqtt_composer;

/* Bytes that the head of any such message takes besides its topic name. */
#define MQTT_HEAD_OVERHEAD 24

#endif
