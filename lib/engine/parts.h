#ifndef MQTT_ENGINE_PARTS_H
#define MQTT_ENGINE_PARTS_H

#include "engine/engine.h"

/* See mqtt_refuse_rest(). */
enum mqtt_error mqtt_parts_refuse(struct mqtt_engine *e, uint8_t code);

#endif
