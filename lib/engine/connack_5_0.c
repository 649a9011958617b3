/*
 * CONNACK and DISCONNECT of 5.0: how the server begins a connection, and how it
 * ends one.
 */
#include "engine/authenticate.h"
#include "engine/receive.h"
#include "session/aliases.h"
#include "wire/packet_5_0.h"

static void tell(struct mqtt_event *event, enum mqtt_event_type type,
                 uint8_t code, struct mqtt_span properties)
{
    memset(event, 0, sizeof *event);
    event->type = type;
    event->reason_code = code;
    event->properties = properties;
}

/* The event comes first, then the error ends the connection. A refusal of
 * 3.1.1 has no more to tell. */
static enum mqtt_error refused(struct mqtt_event *event, uint8_t code,
                               struct mqtt_span properties)
{
    if (code & 0x80)
        tell(event, MQTT_EVENT_REFUSED, code, properties);
    return MQTT_ERR_REFUSED;
}

static enum mqtt_error check_granted(const struct mqtt_engine *e,
                                     bool session_present,
                                     struct mqtt_span properties)
{
    if (session_present && (e->clean_ || !e->session_held_))
        return MQTT_ERR_SESSION_PRESENT; /* [5.0 MQTT-3.2.2-4] */
    if (!e->ask_response_information_ &&
        mqtt_properties_have(properties, MQTT_PROPERTY_RESPONSE_INFORMATION,
                             MQTT_PROPERTY_RESPONSE_INFORMATION))
        return MQTT_ERR_PROPERTY_VALUE; /* [5.0 MQTT-3.1.2-28] */
    return mqtt_authenticate_check(e, properties);
}

/* What the server says of itself holds from now on. */
static void adopt(struct mqtt_engine *e, struct mqtt_span properties)
{
    struct mqtt_limits *limits = &e->session_->limits_;

    mqtt_connack_limits(properties, limits);
    e->keep_alive_ms_ = limits->keep_alive_s * 1000u; /* [MQTT-3.1.2-21] */
    e->session_ends_ = !limits->session_expiry_s;
    mqtt_aliases_begin(&e->aliases_, limits->topic_alias_maximum);
    e->authenticating_ = MQTT_AUTHENTICATE_IDLE;
}

enum mqtt_error mqtt_receive_connack_5_0(struct mqtt_engine *e,
                                         uint8_t first_byte,
                                         struct mqtt_reader *body,
                                         struct mqtt_event *event)
{
    struct mqtt_span properties;
    bool session_present;
    uint8_t code;
    enum mqtt_error error =
        mqtt_connack_read_5_0(body, &session_present, &code, &properties);

    (void)first_byte;
    e->reason_code_ = code;
    if (error)
        return error;
    if (code)
        return refused(event, code, properties);
    error = check_granted(e, session_present, properties);
    if (error)
        return error;
    adopt(e, properties);
    mqtt_engine_begin_session(e, session_present);
    tell(event, MQTT_EVENT_CONNECTED, 0, properties);
    event->session_present = session_present;
    return MQTT_OK;
}

/* The server ends the connection, and no DISCONNECT answers it. */
enum mqtt_error mqtt_receive_disconnect_5_0(struct mqtt_engine *e,
                                            uint8_t first_byte,
                                            struct mqtt_reader *body,
                                            struct mqtt_event *event)
{
    struct mqtt_span properties;
    uint8_t code;
    enum mqtt_error error = mqtt_disconnect_read_5_0(body, &code, &properties);

    (void)first_byte;
    if (error)
        return error;
    e->reason_code_ = code;
    tell(event, MQTT_EVENT_SERVER_DISCONNECT, code, properties);
    return MQTT_ERR_DISCONNECT_PACKET;
}

/* -- our DISCONNECT ---------------------------------------------------------------- */

/* Session Expiry Interval: identifier and four bytes. */
#define EXPIRY_SIZE 5

/* The properties that may not be left out: Session Expiry Interval. */
static struct mqtt_span needed(struct mqtt_span properties)
{
    struct mqtt_property expiry = {0};

    if (!mqtt_property_find(properties, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
                            &expiry))
        return (struct mqtt_span){NULL, 0};
    return (struct mqtt_span){(const uint8_t *)properties.data +
                                  expiry.position_ - EXPIRY_SIZE,
                              EXPIRY_SIZE};
}

/* What may be left out is, where it would be too much
 * [5.0 MQTT-3.14.2-3, MQTT-3.14.2-4]. */
uint32_t mqtt_disconnect_fit_5_0(uint8_t *out, uint32_t limit, uint8_t code,
                                 struct mqtt_span properties)
{
    struct mqtt_writer w = {out, out + limit, false};

    if (mqtt_disconnect_size_5_0(code, properties) > limit)
        properties = needed(properties);
    if (mqtt_disconnect_size_5_0(code, properties) > limit)
        properties.size = 0;
    if (mqtt_disconnect_size_5_0(code, properties) > limit)
        return 0;
    mqtt_disconnect_write_5_0(&w, code, properties);
    return (uint32_t)(w.at - out);
}

/* What the server did wrong, in the standard's words [5.0, section 4.13]. The
 * network's faults have no DISCONNECT: it would not arrive. */
uint8_t mqtt_why_5_0(enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_PACKET_FLAGS:
    case MQTT_ERR_REMAINING_LENGTH:
    case MQTT_ERR_TRUNCATED:
    case MQTT_ERR_TRAILING_BYTES:
    case MQTT_ERR_RECEIVED_QOS:
    case MQTT_ERR_RECEIVED_TOPIC:
    case MQTT_ERR_CONNACK_FLAGS:
    case MQTT_ERR_RECEIVED_PROPERTY:
        return MQTT_REASON_MALFORMED_PACKET;
    case MQTT_ERR_PACKET_TOO_LARGE:
        return MQTT_REASON_PACKET_TOO_LARGE;
    case MQTT_ERR_RECEIVED_FULL:
    case MQTT_ERR_RECEIVE_MAXIMUM:
        return MQTT_REASON_RECEIVE_MAXIMUM_EXCEEDED;
    case MQTT_ERR_TOPIC_ALIAS:
        return MQTT_REASON_TOPIC_ALIAS_INVALID;
    case MQTT_ERR_ALIAS_MEMORY:
        return MQTT_REASON_QUOTA_EXCEEDED;
    case MQTT_ERR_DISCONNECT_PACKET:
    case MQTT_ERR_ANNOUNCED:
        return 0;
    default:
        return error > MQTT_ERR_OPEN_TIMEOUT ? MQTT_REASON_PROTOCOL_ERROR : 0;
    }
}
