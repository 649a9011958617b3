#include "wire/length.h"
#include "wire/packet_5_0.h"

static uint32_t packet_size(uint32_t length)
{
    return 1 + mqtt_length_size(length) + length;
}

static bool has(struct mqtt_span properties, uint8_t identifier)
{
    return mqtt_properties_have(properties, identifier, identifier);
}

/* ---- DISCONNECT ------------------------------------------------------------ */

static uint32_t disconnect_length(uint8_t code, struct mqtt_span properties)
{
    if (properties.size)
        return 1 + mqtt_properties_size((uint32_t)properties.size);
    return code ? 1 : 0;
}

uint32_t mqtt_disconnect_size_5_0(uint8_t code, struct mqtt_span properties)
{
    return packet_size(disconnect_length(code, properties));
}

void mqtt_disconnect_write_5_0(struct mqtt_writer *w, uint8_t code,
                               struct mqtt_span properties)
{
    mqtt_write_u8(w, mqtt_first_byte(MQTT_DISCONNECT));
    mqtt_write_length(w, disconnect_length(code, properties));
    if (code || properties.size)
        mqtt_write_u8(w, code);
    if (!properties.size)
        return;
    mqtt_write_length(w, (uint32_t)properties.size);
    mqtt_write_bytes(w, properties.data, properties.size);
}

enum mqtt_error mqtt_disconnect_read_5_0(struct mqtt_reader *r, uint8_t *code,
                                         struct mqtt_span *properties)
{
    enum mqtt_error error =
        mqtt_reason_read(r, MQTT_REASON_IN_SERVER_DISCONNECT,
                         MQTT_IN_DISCONNECT, code, properties);

    if (error)
        return error;
    return has(*properties, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL)
               ? MQTT_ERR_PROPERTY_VALUE /* [5.0 MQTT-3.14.2-2] */
               : MQTT_OK;
}

/* ---- AUTH ------------------------------------------------------------------ */

static uint32_t auth_properties_length(struct mqtt_span method,
                                       struct mqtt_span data,
                                       struct mqtt_span properties)
{
    return 3 + (uint32_t)method.size +
           (data.data ? 3 + (uint32_t)data.size : 0) +
           (uint32_t)properties.size;
}

uint32_t mqtt_auth_size_5_0(struct mqtt_span method, struct mqtt_span data,
                            struct mqtt_span properties)
{
    return packet_size(1 + mqtt_properties_size(auth_properties_length(
                               method, data, properties)));
}

void mqtt_auth_write_5_0(struct mqtt_writer *w, uint8_t code,
                         struct mqtt_span method, struct mqtt_span data,
                         struct mqtt_span properties)
{
    uint32_t length = auth_properties_length(method, data, properties);

    mqtt_write_u8(w, mqtt_first_byte(MQTT_AUTH));
    mqtt_write_length(w, 1 + mqtt_properties_size(length));
    mqtt_write_u8(w, code);
    mqtt_write_length(w, length);
    mqtt_write_u8(w, MQTT_PROPERTY_AUTHENTICATION_METHOD);
    mqtt_write_text(w, method);
    if (data.data) {
        mqtt_write_u8(w, MQTT_PROPERTY_AUTHENTICATION_DATA);
        mqtt_write_text(w, data);
    }
    mqtt_write_bytes(w, properties.data, properties.size);
}

enum mqtt_error mqtt_auth_read_5_0(struct mqtt_reader *r, uint8_t *code,
                                   struct mqtt_span *properties)
{
    enum mqtt_error error = mqtt_reason_read(r, MQTT_REASON_IN_SERVER_AUTH,
                                             MQTT_IN_AUTH, code, properties);

    if (error)
        return error;
    return has(*properties, MQTT_PROPERTY_AUTHENTICATION_METHOD)
               ? MQTT_OK
               : MQTT_ERR_PROPERTY_VALUE; /* [5.0, section 3.15.2.2.2] */
}

enum mqtt_error
mqtt_disconnect_check_5_0(const struct mqtt_disconnect_options *options,
                          bool ended, bool *session_ends)
{
    struct mqtt_property expiry = {0};

    if (!mqtt_reason_may_stand(options->reason_code,
                               MQTT_REASON_IN_CLIENT_DISCONNECT))
        return MQTT_ERR_REASON_CODE; /* [5.0 MQTT-3.14.2-1] */
    if (mqtt_properties_check_sent(options->properties, MQTT_IN_DISCONNECT) ||
        has(options->properties, MQTT_PROPERTY_SERVER_REFERENCE))
        return MQTT_ERR_PROPERTY;
    if (!mqtt_property_find(options->properties,
                            MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, &expiry))
        return MQTT_OK;
    if (ended && expiry.number)
        return MQTT_ERR_PROPERTY; /* [5.0, section 3.14.2.2.2] */
    *session_ends = !expiry.number;
    return MQTT_OK;
}
