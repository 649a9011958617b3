#include <string.h>
#include "wire/length.h"
#include "wire/packet.h"

uint32_t mqtt_request_entry_size(enum mqtt_packet_type type,
                                 const struct mqtt_subscription *subscription)
{
    return 2 + (uint32_t)subscription->topic_filter.size +
           (type == MQTT_SUBSCRIBE ? 1u : 0u);
}

void mqtt_request_begin(struct mqtt_writer *w, uint16_t identifier)
{
    /* The fixed header goes before, when its size is known. */
    mqtt_write_bytes(w, "\0\0\0\0", MQTT_REQUEST_HEAD - 2);
    mqtt_write_u16(w, identifier);
}

void mqtt_request_entry(struct mqtt_writer *w, enum mqtt_packet_type type,
                        const struct mqtt_subscription *subscription)
{
    mqtt_write_text(w, subscription->topic_filter);
    if (type == MQTT_SUBSCRIBE)
        mqtt_write_u8(w, (unsigned)subscription->maximum_qos);
}

uint32_t mqtt_request_end(struct mqtt_writer *w, enum mqtt_packet_type type,
                          uint8_t *begin)
{
    uint32_t length;
    unsigned head;

    if (w->overflow)
        return 0;
    length = (uint32_t)(w->at - begin) - (MQTT_REQUEST_HEAD - 2);
    begin[0] = mqtt_first_byte(type);
    head = 1 + mqtt_length_write(begin + 1, length);
    memmove(begin + head, begin + MQTT_REQUEST_HEAD - 2, length);
    return head + length;
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
