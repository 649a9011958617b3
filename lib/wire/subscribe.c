#include "wire/length.h"
#include "wire/packet.h"

enum mqtt_error
mqtt_subscription_check(const struct mqtt_subscription *subscription)
{
    if (!mqtt_topic_filter_valid(subscription->topic_filter))
        return MQTT_ERR_TOPIC_FILTER;
    if (subscription->maximum_qos > MQTT_QOS_2)
        return MQTT_ERR_QOS;
    if (subscription->no_local || subscription->retain_as_published ||
        subscription->retain_handling || subscription->identifier ||
        subscription->properties.size)
        return MQTT_ERR_PROTOCOL_VERSION;
    return MQTT_OK;
}

uint32_t mqtt_request_entry_size(enum mqtt_packet_type type,
                                 const struct mqtt_subscription *subscription)
{
    return 2 + (uint32_t)subscription->topic_filter.size +
           (type == MQTT_SUBSCRIBE ? 1u : 0u);
}

uint32_t mqtt_request_size(uint32_t content)
{
    return 1 + mqtt_length_size(2 + content) + 2 + content;
}

void mqtt_request_begin(struct mqtt_writer *w, enum mqtt_packet_type type,
                        uint16_t identifier, uint32_t content)
{
    mqtt_write_u8(w, mqtt_first_byte(type));
    mqtt_write_length(w, 2 + content);
    mqtt_write_u16(w, identifier);
}

uint32_t mqtt_request_head_size(enum mqtt_packet_type type,
                                const struct mqtt_subscription *first,
                                bool identifiers)
{
    (void)type;
    (void)first;
    (void)identifiers;
    return 0;
}

void mqtt_request_head(struct mqtt_writer *w, enum mqtt_packet_type type,
                       const struct mqtt_subscription *first, bool identifiers)
{
    (void)w;
    (void)type;
    (void)first;
    (void)identifiers;
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
