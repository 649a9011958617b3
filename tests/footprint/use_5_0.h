/*
 * use_5_0.h - the same application with everything of MQTT 5.0: properties read
 * and written, AUTH, aliases, the server's limits.
 */
#ifndef USE_5_0_H
#define USE_5_0_H

#include "use_3_1_1.h"

void use_5_0(const struct mqtt_config *config);

#endif
