#include "wire/length.h"
#include "wire/packet.h"

uint32_t mqtt_request_entry_size(enum mqtt_packet_type type,
                                 const struct mqtt_subscription *subscription)
{
    return 2 + (uint32_t)subscription->topic_filter.size +
           (type == MQTT_SUBSCRIBE ? 1u : 0u);
}

uint32_t mqtt_request_size(uint32_t entries)
{
    return 1 + mqtt_length_size(2 + entries) + 2 + entries;
}

void mqtt_request_begin(struct mqtt_writer *w, enum mqtt_packet_type type,
                        uint16_t identifier, uint32_t entries)
{
    uint8_t length[4];

    mqtt_write_u8(w, mqtt_first_byte(type));
    mqtt_write_bytes(w, length, mqtt_length_write(length, 2 + entries));
    mqtt_write_u16(w, identifier);
}

void mqtt_request_entry(struct mqtt_writer *w, enum mqtt_packet_type type,
                        const struct mqtt_subscription *subscription)
{
    mqtt_write_text(w, subscription->topic_filter);
    if (type == MQTT_SUBSCRIBE)
        mqtt_write_u8(w, (unsigned)subscription->maximum_qos);
}

static bool code_valid(uint8_t code)
{
    return code <= 2 || code == 0x80; /* [3.1.1 MQTT-3.9.3-2] */
}

enum mqtt_error mqtt_suback_read(struct mqtt_reader *r, uint16_t *identifier,
                                 struct mqtt_span *codes)
{
    const uint8_t *code;

    *identifier = mqtt_read_u16(r);
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (!*identifier)
        return MQTT_ERR_PACKET_IDENTIFIER;
    codes->data = r->at;
    codes->size = (size_t)(r->end - r->at);
    for (code = r->at; code < r->end; code++)
        if (!code_valid(*code))
            return MQTT_ERR_SUBACK_CODE;
    return MQTT_OK;
}
