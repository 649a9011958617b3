/*
 * What a server allows [5.0, section 3.2.2.3], and what becomes of messages
 * that a new connection does not allow any more.
 */
#include "session/image.h"
#include "session/slots.h"

void mqtt_limits_none(struct mqtt_limits *limits)
{
    memset(limits, 0, sizeof *limits);
    limits->maximum_packet_size = UINT32_MAX;
    limits->receive_maximum = UINT16_MAX;
    limits->maximum_qos = MQTT_QOS_2;
    limits->retain_available = limits->wildcard_available =
        limits->shared_available = limits->subscription_identifiers_available =
            true;
}

enum mqtt_error mqtt_limits_check(const struct mqtt_limits *limits,
                                  uint8_t first_byte, uint32_t size)
{
    if (mqtt_publish_qos(first_byte) > limits->maximum_qos)
        return MQTT_ERR_MAXIMUM_QOS; /* [5.0 MQTT-3.2.2-11] */
    if (first_byte & MQTT_FLAG_RETAIN && !limits->retain_available)
        return MQTT_ERR_RETAIN_UNAVAILABLE; /* [5.0 MQTT-3.2.2-14] */
    if (size > limits->maximum_packet_size)
        return MQTT_ERR_MAXIMUM_PACKET_SIZE; /* [5.0 MQTT-3.2.2-15] */
    return MQTT_OK;
}
