#include "wire/length.h"
#include "wire/packet_5_0.h"
#include "wire/topic.h"

/* Subscription options [5.0, section 3.8.3.1]. */
enum { NO_LOCAL = 0x04, RETAIN_AS_PUBLISHED = 0x08 };
#define RETAIN_HANDLING_SHIFT 4

enum mqtt_error
mqtt_subscription_check_5_0(const struct mqtt_subscription *subscription)
{
    if (!mqtt_topic_filter_valid(subscription->topic_filter))
        return MQTT_ERR_TOPIC_FILTER;
    if ((unsigned)subscription->maximum_qos > MQTT_QOS_2)
        return MQTT_ERR_QOS;
    if (subscription->no_local && mqtt_topic_shared(subscription->topic_filter))
        return MQTT_ERR_SUBSCRIPTION; /* [5.0 MQTT-3.8.3-4] */
    if ((unsigned)subscription->retain_handling > MQTT_RETAIN_DO_NOT_SEND ||
        subscription->identifier > MQTT_LENGTH_MAX)
        return MQTT_ERR_SUBSCRIPTION;
    /* User Properties are all that UNSUBSCRIBE has, which gets them too. */
    return mqtt_properties_check_sent(subscription->properties,
                                      MQTT_IN_UNSUBSCRIBE);
}

/* The Subscription Identifier of the request; 0: none. */
static uint32_t identifier_of(enum mqtt_packet_type type,
                              const struct mqtt_subscription *first,
                              bool identifiers)
{
    return type == MQTT_SUBSCRIBE && identifiers ? first->identifier : 0;
}

static uint32_t properties_length(uint32_t identifier,
                                  struct mqtt_span properties)
{
    return (identifier ? 1 + mqtt_length_size(identifier) : 0) +
           (uint32_t)properties.size;
}

uint32_t mqtt_request_head_size_5_0(enum mqtt_packet_type type,
                                    const struct mqtt_subscription *first,
                                    bool identifiers)
{
    return mqtt_properties_size(properties_length(
        identifier_of(type, first, identifiers), first->properties));
}

void mqtt_request_head_5_0(struct mqtt_writer *w, enum mqtt_packet_type type,
                           const struct mqtt_subscription *first,
                           bool identifiers)
{
    uint32_t identifier = identifier_of(type, first, identifiers);

    mqtt_write_length(w, properties_length(identifier, first->properties));
    if (identifier) {
        mqtt_write_u8(w, MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER);
        mqtt_write_length(w, identifier);
    }
    mqtt_write_bytes(w, first->properties.data, first->properties.size);
}

static unsigned options(const struct mqtt_subscription *subscription)
{
    unsigned handling = subscription->renewed_
                            ? MQTT_RETAIN_DO_NOT_SEND
                            : (unsigned)subscription->retain_handling;

    return (unsigned)subscription->maximum_qos |
           (subscription->no_local ? NO_LOCAL : 0u) |
           (subscription->retain_as_published ? RETAIN_AS_PUBLISHED : 0u) |
           handling << RETAIN_HANDLING_SHIFT;
}

void mqtt_request_entry_5_0(struct mqtt_writer *w, enum mqtt_packet_type type,
                            const struct mqtt_subscription *subscription)
{
    mqtt_write_text(w, subscription->topic_filter);
    if (type == MQTT_SUBSCRIBE)
        mqtt_write_u8(w, options(subscription));
}

static bool codes_valid(struct mqtt_span codes, enum mqtt_reason_place place)
{
    const uint8_t *code = codes.data;

    for (size_t i = 0; i < codes.size; i++)
        if (!mqtt_reason_may_stand(code[i], place))
            return false;
    return true;
}

enum mqtt_error mqtt_suback_read_5_0(struct mqtt_reader *r,
                                     enum mqtt_packet_type type,
                                     uint16_t *identifier,
                                     struct mqtt_span *codes,
                                     struct mqtt_span *properties)
{
    enum mqtt_error error;

    *identifier = mqtt_read_u16(r);
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (!*identifier)
        return MQTT_ERR_PACKET_IDENTIFIER; /* [5.0 MQTT-2.2.1-3] */
    error = mqtt_properties_read(r, MQTT_IN_SUBACK, properties);
    if (error)
        return error;
    *codes = (struct mqtt_span){r->at, (size_t)(r->end - r->at)};
    return codes_valid(*codes, type == MQTT_SUBACK ? MQTT_REASON_IN_SUBACK
                                                   : MQTT_REASON_IN_UNSUBACK)
               ? MQTT_OK
               : MQTT_ERR_SUBACK_CODE;
}
