#include "wire/packet.h"

uint32_t mqtt_ack_write(uint8_t *out, enum mqtt_packet_type type,
                        uint16_t identifier, uint8_t code)
{
    (void)code;
    out[0] = mqtt_first_byte(type);
    out[1] = 2;
    out[2] = (uint8_t)(identifier >> 8);
    out[3] = (uint8_t)identifier;
    return 4;
}

enum mqtt_error mqtt_ack_read(struct mqtt_reader *r, uint16_t *identifier)
{
    *identifier = mqtt_read_u16(r);
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (r->at != r->end)
        return MQTT_ERR_TRAILING_BYTES;
    return *identifier ? MQTT_OK : MQTT_ERR_PACKET_IDENTIFIER;
}
