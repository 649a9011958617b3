/*
 * What the properties of a message mean for what is done with it.
 */
#include "wire/packet_5_0.h"
#include "wire/utf8.h"

bool mqtt_message_expiry_5_0(const struct mqtt_message *message,
                             uint32_t *interval_s)
{
    struct mqtt_property expiry = {0};

    if (!mqtt_property_find(message->properties,
                            MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, &expiry))
        return false;
    *interval_s = expiry.number;
    return true;
}

bool mqtt_message_malformed_5_0(const struct mqtt_message *message)
{
    return message->properties.size &&
           mqtt_property_number(message->properties,
                                MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 0) &&
           !mqtt_utf8_payload_valid(message->payload);
}

bool mqtt_message_named_5_0(const struct mqtt_message *message,
                            uint32_t identifier)
{
    struct mqtt_property property = {0};

    while (mqtt_property_find(message->properties,
                              MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, &property))
        if (!identifier || property.number == identifier)
            return true;
    return false;
}
