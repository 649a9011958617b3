/*
 * use_3_1_1.h - what an application does that uses all of MQTT 3.1.1: a will
 * and a password, a subscription with its own callback, QoS 0 to 2 both ways,
 * messages that are settled by a call.
 */
#ifndef USE_3_1_1_H
#define USE_3_1_1_H

#include "device.h"

extern struct mqtt_subscription use_subscription;
extern const struct mqtt_message use_will;

#define USE_CONNECT                                                            \
    {                                                                          \
        .client_identifier = MQTT_TEXT("probe"),                               \
        .user_name = MQTT_TEXT("user"), .password = MQTT_TEXT("word"),         \
        .will = &use_will, .keep_alive_s = 60,                                 \
    }

/* Start with `config` and go on for ever. */
void use_3_1_1(const struct mqtt_config *config);

#endif
