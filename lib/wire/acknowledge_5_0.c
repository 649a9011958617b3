#include "wire/packet_5_0.h"

uint32_t mqtt_ack_write_5_0(uint8_t *out, enum mqtt_packet_type type,
                            uint16_t identifier, uint8_t code)
{
    uint32_t size = mqtt_ack_write(out, type, identifier, code);

    if (!code)
        return size;
    out[1] = 3;
    out[size] = code;
    return size + 1;
}

static enum mqtt_reason_place codes_of(enum mqtt_packet_type type)
{
    return type == MQTT_PUBACK || type == MQTT_PUBREC ? MQTT_REASON_IN_PUBACK
                                                      : MQTT_REASON_IN_PUBREL;
}

enum mqtt_error mqtt_ack_read_5_0(struct mqtt_reader *r,
                                  enum mqtt_packet_type type,
                                  uint16_t *identifier, uint8_t *code,
                                  struct mqtt_span *properties)
{
    *identifier = mqtt_read_u16(r);
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (!*identifier)
        return MQTT_ERR_PACKET_IDENTIFIER; /* [5.0 MQTT-2.2.1-3] */
    return mqtt_reason_read(r, codes_of(type), MQTT_IN_PUBACK, code,
                            properties);
}
