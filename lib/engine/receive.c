#include "engine/receive.h"
#include "engine/engine.h"
#include "session/received.h"

static void clear(struct mqtt_event *event)
{
    memset(event, 0, sizeof *event);
}

/* -- CONNACK ------------------------------------------------------------------ */

static void begin_session(struct mqtt_engine *e, bool session_present)
{
    if (!session_present)
        mqtt_session_renew(e->session_, e->config_);
    mqtt_session_begin(e->session_);
    mqtt_keep_alive_begin(e);
    if (e->state_ == MQTT_ENGINE_AWAIT_CONNACK)
        e->state_ = MQTT_ENGINE_OPEN;
}

enum mqtt_error mqtt_receive_connack(struct mqtt_engine *e, uint8_t first_byte,
                                     struct mqtt_reader *body,
                                     struct mqtt_event *event)
{
    bool session_present;
    uint8_t code;
    enum mqtt_error error = mqtt_connack_read(body, &session_present, &code);

    (void)first_byte;
    e->reason_code_ = code;
    if (error)
        return error;
    if (code)
        return MQTT_ERR_REFUSED;
    if (session_present && (e->clean_ || !e->session_held_))
        return MQTT_ERR_SESSION_PRESENT; /* [3.1.1 MQTT-3.2.2-1] */
    begin_session(e, session_present);
    clear(event);
    event->type = MQTT_EVENT_CONNECTED;
    event->session_present = session_present;
    return MQTT_OK;
}

/* -- PUBLISH ------------------------------------------------------------------ */

enum mqtt_error mqtt_receive_publish(struct mqtt_engine *e, uint8_t first_byte,
                                     struct mqtt_reader *body,
                                     struct mqtt_event *event)
{
    struct mqtt_identifier_set *received = &e->session_->received_;
    uint16_t identifier;
    enum mqtt_error error =
        mqtt_publish_read(body, first_byte, &event->message, &identifier);
    unsigned qos = mqtt_publish_qos(first_byte);

    if (error)
        return error;
    if (qos == 2) {
        if (mqtt_received_has(received, identifier)) {
            MQTT_COUNT(e->config_->statistics, duplicates_received);
            return mqtt_engine_stage_ack(e, MQTT_PUBREC, identifier)
                       ? MQTT_OK
                       : MQTT_LATER;
        }
        if (!mqtt_received_add(received, identifier))
            return MQTT_ERR_RECEIVED_FULL;
    }
    if (qos)
        mqtt_engine_deliver(e, qos, identifier);
    event->type = MQTT_EVENT_MESSAGE;
    event->packet_identifier = identifier;
    MQTT_COUNT(e->config_->statistics, messages_received);
    return MQTT_OK;
}

/* PUBCOMP for each PUBREL, known or not: an unknown one is what is left of an
 * exchange that ended here and not there [3.1.1 MQTT-4.3.3-2]. */
enum mqtt_error mqtt_receive_pubrel(struct mqtt_engine *e, uint8_t first_byte,
                                    struct mqtt_reader *body,
                                    struct mqtt_event *event)
{
    uint16_t identifier;
    enum mqtt_error error = mqtt_ack_read(body, &identifier);

    (void)first_byte;
    (void)event;
    if (error)
        return error;
    if (!mqtt_engine_stage_ack(e, MQTT_PUBCOMP, identifier))
        return MQTT_LATER;
    mqtt_received_remove(&e->session_->received_, identifier);
    return MQTT_OK;
}

/* -- PUBACK, PUBREC, PUBCOMP --------------------------------------------------- */

/* An acknowledgement of nothing is no harm: it answers a message of a session
 * that one side has lost. PUBREC has to be answered all the same, or the
 * server keeps its identifier for ever. */
static enum mqtt_error unknown_ack(struct mqtt_engine *e,
                                   enum mqtt_packet_type type,
                                   uint16_t identifier)
{
    if (type == MQTT_PUBREC &&
        !mqtt_engine_stage_ack(e, MQTT_PUBREL, identifier))
        return MQTT_LATER;
    MQTT_COUNT(e->config_->statistics, unknown_acknowledgements);
    return MQTT_OK;
}

enum mqtt_error mqtt_receive_ack(struct mqtt_engine *e, uint8_t first_byte,
                                 struct mqtt_reader *body,
                                 struct mqtt_event *event)
{
    enum mqtt_packet_type type = (enum mqtt_packet_type)(first_byte >> 4);
    uint16_t identifier;
    enum mqtt_error error = mqtt_ack_read(body, &identifier);

    if (error)
        return error;
    switch (mqtt_session_acknowledged(e->session_, type, identifier)) {
    case MQTT_ACK_UNKNOWN:
        return unknown_ack(e, type, identifier);
    case MQTT_ACK_WRONG:
        return MQTT_ERR_ACKNOWLEDGEMENT;
    case MQTT_ACK_STEP:
        e->healthy_ = true;
        mqtt_engine_stage_pubrels(e);
        return MQTT_OK;
    case MQTT_ACK_END:
        break;
    }
    e->healthy_ = true;
    event->type = MQTT_EVENT_PUBLISHED;
    event->error = MQTT_OK;
    event->outcome = MQTT_OUTCOME_ACKNOWLEDGED;
    event->reason_code = 0;
    event->packet_identifier = identifier;
    return MQTT_OK;
}

/* -- SUBACK, UNSUBACK ---------------------------------------------------------- */

/* Whether it answers the open request; then the request is closed. One that
 * does not is matched to nothing [3.1.1 MQTT-2.3.1-7]. */
static bool close_request(struct mqtt_engine *e, enum mqtt_packet_type type,
                          uint16_t identifier)
{
    if (!e->request_count_ || e->request_type_ != type ||
        e->session_->reserved_identifier_ != identifier) {
        MQTT_COUNT(e->config_->statistics, unknown_acknowledgements);
        return false;
    }
    e->request_count_ = 0;
    e->session_->reserved_identifier_ = 0;
    e->healthy_ = true;
    return true;
}

enum mqtt_error mqtt_receive_suback(struct mqtt_engine *e, uint8_t first_byte,
                                    struct mqtt_reader *body,
                                    struct mqtt_event *event)
{
    struct mqtt_span codes;
    uint16_t identifier, asked = e->request_count_;
    enum mqtt_error error = mqtt_suback_read(body, &identifier, &codes);

    (void)first_byte;
    if (error || !close_request(e, MQTT_SUBSCRIBE, identifier))
        return error;
    if (codes.size != asked)
        return MQTT_ERR_SUBACK_COUNT; /* [3.1.1 MQTT-3.8.4-5] */
    clear(event);
    event->type = (enum mqtt_event_type)MQTT_EVENT_SUBACK;
    event->message.payload = codes;
    return MQTT_OK;
}

enum mqtt_error mqtt_receive_unsuback(struct mqtt_engine *e, uint8_t first_byte,
                                      struct mqtt_reader *body,
                                      struct mqtt_event *event)
{
    uint16_t identifier;
    enum mqtt_error error = mqtt_ack_read(body, &identifier);

    (void)first_byte;
    if (error || !close_request(e, MQTT_UNSUBSCRIBE, identifier))
        return error;
    clear(event);
    event->type = (enum mqtt_event_type)MQTT_EVENT_UNSUBACK;
    return MQTT_OK;
}

/* -- PINGRESP ------------------------------------------------------------------- */

enum mqtt_error mqtt_receive_pingresp(struct mqtt_engine *e, uint8_t first_byte,
                                      struct mqtt_reader *body,
                                      struct mqtt_event *event)
{
    (void)first_byte;
    (void)event;
    if (body->at != body->end)
        return MQTT_ERR_TRAILING_BYTES;
    if (e->ping_open_) {
        e->ping_open_ = false;
        e->answer_by_ = MQTT_NEVER;
    }
    return MQTT_OK;
}
