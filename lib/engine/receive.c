#include "engine/receive.h"
#include "engine/engine.h"
#include "session/received.h"
#include "session/store.h"
#include "session/composer.h"
#include "session/slots.h"

static void clear(struct mqtt_event *event)
{
    memset(event, 0, sizeof *event);
}

/* -- CONNACK ------------------------------------------------------------------ */

void mqtt_engine_begin_session(struct mqtt_engine *e, bool session_present)
{
    struct mqtt_session *s = e->session_;
    bool first = !s->agreed_;

    s->agreed_ = true; /* which is durable before anything leaves */
    s->given_up_ = false;
    if (!session_present)
        mqtt_session_renew(s, e->config_);
    else if (first)
        mqtt_store_rewrite(s);
    if (s->protocol_ != e->protocol_) /* the fallback is spoken, for good */
        s->composer_->change_protocol(s, e->protocol_,
                                      e->config_->drop_unsupported);
    mqtt_session_begin(e->session_);
    mqtt_keep_alive_begin(e);
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
    mqtt_engine_begin_session(e, session_present);
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
    uint16_t identifier;
    enum mqtt_error error =
        mqtt_publish_read(body, first_byte, &event->message, &identifier);
    unsigned qos = mqtt_publish_qos(first_byte);
    bool again = false;

    if (!error && qos)
        error = mqtt_engine_admit(e, qos, identifier, &again);
    if (error || again)
        return error;
    if (qos)
        event->message.settle_handle = mqtt_engine_accept(e, qos, identifier);
    event->type = MQTT_EVENT_MESSAGE;
    event->packet_identifier = identifier;
    if (e->config_->statistics)
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
    return mqtt_engine_complete(e, identifier);
}

/* -- PUBACK, PUBREC, PUBCOMP --------------------------------------------------- */

/* An acknowledgement of nothing is no harm: it answers a message of a session
 * that one side has lost. PUBREC has to be answered all the same, or the
 * server keeps its identifier for ever. */
static enum mqtt_error unknown_ack(struct mqtt_engine *e,
                                   enum mqtt_packet_type type,
                                   uint16_t identifier, uint8_t code)
{
    if (type == MQTT_PUBREC && !(code & 0x80) &&
        !mqtt_engine_stage_ack(e, MQTT_PUBREL, identifier,
                               MQTT_REASON_PACKET_IDENTIFIER_NOT_FOUND))
        return MQTT_LATER;
    MQTT_COUNT(e->config_->statistics, unknown_acknowledgements);
    return MQTT_OK;
}

static enum mqtt_outcome outcome_of(enum mqtt_acknowledged meaning,
                                    enum mqtt_packet_type type, uint8_t code)
{
    if (meaning == MQTT_ACK_END_UNKNOWN)
        return MQTT_OUTCOME_UNKNOWN;
    /* What PUBCOMP says is not of the message: the server had taken it. */
    return code & 0x80 && type != MQTT_PUBCOMP ? MQTT_OUTCOME_REFUSED
                                               : MQTT_OUTCOME_ACKNOWLEDGED;
}

/* Whether its payload is still being read from its source. */
static bool being_read(const struct mqtt_engine *e, uint16_t identifier)
{
    const struct mqtt_session *s = e->session_;
    const struct mqtt_slot *slot;

    if (!e->source_)
        return false;
    slot = mqtt_slot_find(s, identifier);
    return slot && slot->state_ == MQTT_SLOT_PUBLISH &&
           slot->start_ == (s->head_open_ ? s->open_ : s->mark_);
}

enum mqtt_error mqtt_engine_acknowledged(struct mqtt_engine *e,
                                         enum mqtt_packet_type type,
                                         uint16_t identifier, uint8_t code,
                                         struct mqtt_event *event)
{
    enum mqtt_acknowledged meaning;

    if (being_read(e, identifier)) /* the source is the client's until then */
        return MQTT_LATER;
    meaning = mqtt_session_acknowledged(e->session_, type, identifier, code);
    if (meaning == MQTT_ACK_UNKNOWN)
        return unknown_ack(e, type, identifier, code);
    if (meaning == MQTT_ACK_WRONG)
        return MQTT_ERR_ACKNOWLEDGEMENT;
    e->healthy_ = true;
    if (meaning == MQTT_ACK_STEP) {
        mqtt_engine_stage_pubrels(e);
        return MQTT_OK;
    }
    *event = (struct mqtt_event){.type = MQTT_EVENT_PUBLISHED,
                                 .outcome = outcome_of(meaning, type, code),
                                 .reason_code = code,
                                 .packet_identifier = identifier,
                                 .properties = event->properties};
    return MQTT_OK;
}

enum mqtt_error mqtt_receive_ack(struct mqtt_engine *e, uint8_t first_byte,
                                 struct mqtt_reader *body,
                                 struct mqtt_event *event)
{
    uint16_t identifier;
    enum mqtt_error error = mqtt_ack_read(body, &identifier);

    if (error)
        return error;
    event->properties = (struct mqtt_span){NULL, 0};
    return mqtt_engine_acknowledged(e, (enum mqtt_packet_type)(first_byte >> 4),
                                    identifier, 0, event);
}

/* -- SUBACK, UNSUBACK ---------------------------------------------------------- */

bool mqtt_engine_close_request(struct mqtt_engine *e,
                               enum mqtt_packet_type type, uint16_t identifier)
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
    if (error || !mqtt_engine_close_request(e, MQTT_SUBSCRIBE, identifier))
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
    if (error || !mqtt_engine_close_request(e, MQTT_UNSUBSCRIBE, identifier))
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
