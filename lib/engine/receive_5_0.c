/*
 * What a server of 5.0 sends between CONNACK and DISCONNECT; as in receive.c,
 * with reason codes, properties and topic aliases.
 */
#include "engine/receive.h"
#include "session/aliases.h"
#include "session/received.h"
#include "wire/packet_5_0.h"

/* -- PUBLISH ------------------------------------------------------------------------ */

/* An alias is given with a topic name, or stands for one
 * [5.0, sections 3.3.2.3.4 and 3.3.4]. */
static enum mqtt_error resolve_alias(struct mqtt_engine *e, uint16_t alias,
                                     struct mqtt_span *topic_name)
{
    struct mqtt_alias_names *names = &e->alias_names_;

    if (!alias)
        return MQTT_OK;
    if (e->no_alias_names_ || alias > names->maximum_)
        return MQTT_ERR_TOPIC_ALIAS; /* [5.0 MQTT-3.1.2-26] */
    if (!topic_name->size) {
        /* A Protocol Error if nobody gave it. */
        return mqtt_alias_names_get(names, alias, topic_name)
                   ? MQTT_OK
                   : MQTT_ERR_PROPERTY_VALUE;
    }
    if (mqtt_alias_names_set(names, alias, *topic_name))
        return MQTT_OK;
    e->no_alias_names_ = true; /* the next connection does without */
    return MQTT_ERR_ALIAS_MEMORY;
}

enum mqtt_error mqtt_publish_take_5_0(struct mqtt_engine *e,
                                      struct mqtt_reader *body,
                                      uint8_t first_byte,
                                      struct mqtt_message *message,
                                      uint16_t *identifier)
{
    uint16_t alias;
    enum mqtt_error error =
        mqtt_publish_read_5_0(body, first_byte, message, identifier, &alias);

    return error ? error : resolve_alias(e, alias, &message->topic_name);
}

/* Said to be UTF-8, and is not, if that is to be looked at. */
static bool malformed(const struct mqtt_engine *e,
                      const struct mqtt_message *message)
{
    return e->config_->check_payload_format &&
           mqtt_message_malformed_5_0(message);
}

static void refuse(struct mqtt_engine *e, unsigned qos, uint16_t identifier)
{
    if (qos)
        mqtt_engine_answer(e, qos, identifier,
                           MQTT_REASON_PAYLOAD_FORMAT_INVALID);
    MQTT_COUNT(e->config_->statistics, messages_malformed);
}

enum mqtt_error mqtt_receive_publish_5_0(struct mqtt_engine *e,
                                         uint8_t first_byte,
                                         struct mqtt_reader *body,
                                         struct mqtt_event *event)
{
    struct mqtt_message *message = &event->message;
    unsigned qos = mqtt_publish_qos(first_byte);
    uint16_t identifier;
    bool again = false;
    enum mqtt_error error =
        mqtt_publish_take_5_0(e, body, first_byte, message, &identifier);

    if (!error && qos)
        error = mqtt_engine_admit(e, qos, identifier, &again);
    if (error || again)
        return error;
    if (malformed(e, message)) {
        refuse(e, qos, identifier);
        return MQTT_OK;
    }
    if (qos)
        message->settle_handle = mqtt_engine_accept(e, qos, identifier);
    event->type = MQTT_EVENT_MESSAGE;
    event->packet_identifier = identifier;
    MQTT_COUNT(e->config_->statistics, messages_received);
    return MQTT_OK;
}

/* -- acknowledgements ------------------------------------------------------------------ */

/* Who does not want to know of problems is not told of them
 * [5.0 MQTT-3.1.2-29]. */
enum mqtt_error mqtt_problem_check(const struct mqtt_engine *e,
                                   struct mqtt_span properties)
{
    return e->no_problem_information_ &&
                   mqtt_properties_have(properties, MQTT_PROPERTY_REASON_STRING,
                                        MQTT_PROPERTY_USER_PROPERTY)
               ? MQTT_ERR_PROPERTY_VALUE
               : MQTT_OK;
}

static enum mqtt_error read_ack(struct mqtt_engine *e, uint8_t first_byte,
                                struct mqtt_reader *body, uint16_t *identifier,
                                uint8_t *code, struct mqtt_span *properties)
{
    enum mqtt_error error =
        mqtt_ack_read_5_0(body, (enum mqtt_packet_type)(first_byte >> 4),
                          identifier, code, properties);

    return error ? error : mqtt_problem_check(e, *properties);
}

enum mqtt_error mqtt_receive_ack_5_0(struct mqtt_engine *e, uint8_t first_byte,
                                     struct mqtt_reader *body,
                                     struct mqtt_event *event)
{
    uint16_t identifier;
    uint8_t code;
    enum mqtt_error error =
        read_ack(e, first_byte, body, &identifier, &code, &event->properties);

    if (error)
        return error;
    return mqtt_engine_acknowledged(e, (enum mqtt_packet_type)(first_byte >> 4),
                                    identifier, code, event);
}

/* With a store: what is not known may be what was just removed. */
static bool removal_waits(const struct mqtt_session *s)
{
    return s->store_ && (s->store_changed_ || s->committing_);
}

/* PUBCOMP for each PUBREL, known or not [5.0 MQTT-4.3.3-11]. */
enum mqtt_error mqtt_receive_pubrel_5_0(struct mqtt_engine *e,
                                        uint8_t first_byte,
                                        struct mqtt_reader *body,
                                        struct mqtt_event *event)
{
    struct mqtt_identifier_set *received = &e->session_->received_;
    struct mqtt_span properties;
    uint16_t identifier;
    uint8_t code;
    enum mqtt_error error =
        read_ack(e, first_byte, body, &identifier, &code, &properties);

    (void)event;
    if (error)
        return error;
    if (removal_waits(e->session_) || mqtt_received_has(received, identifier))
        return mqtt_engine_complete(e, identifier);
    return mqtt_engine_stage_ack(e, MQTT_PUBCOMP, identifier,
                                 MQTT_REASON_PACKET_IDENTIFIER_NOT_FOUND)
               ? MQTT_OK
               : MQTT_LATER;
}

/* -- SUBACK, UNSUBACK ------------------------------------------------------------------- */

static enum mqtt_error answered(struct mqtt_engine *e,
                                enum mqtt_packet_type asked,
                                enum mqtt_packet_type answer, int type,
                                struct mqtt_reader *body,
                                struct mqtt_event *event)
{
    struct mqtt_span codes, properties;
    uint16_t identifier, count = e->request_count_;
    enum mqtt_error error =
        mqtt_suback_read_5_0(body, answer, &identifier, &codes, &properties);

    if (!error)
        error = mqtt_problem_check(e, properties);
    if (error || !mqtt_engine_close_request(e, asked, identifier))
        return error;
    if (codes.size != count)
        return MQTT_ERR_SUBACK_COUNT; /* [5.0 MQTT-3.8.4-6] */
    memset(event, 0, sizeof *event);
    event->type = (enum mqtt_event_type)type;
    event->message.payload = codes;
    event->properties = properties;
    return MQTT_OK;
}

enum mqtt_error mqtt_receive_suback_5_0(struct mqtt_engine *e,
                                        uint8_t first_byte,
                                        struct mqtt_reader *body,
                                        struct mqtt_event *event)
{
    (void)first_byte;
    return answered(e, MQTT_SUBSCRIBE, MQTT_SUBACK, MQTT_EVENT_SUBACK, body,
                    event);
}

enum mqtt_error mqtt_receive_unsuback_5_0(struct mqtt_engine *e,
                                          uint8_t first_byte,
                                          struct mqtt_reader *body,
                                          struct mqtt_event *event)
{
    (void)first_byte;
    return answered(e, MQTT_UNSUBSCRIBE, MQTT_UNSUBACK, MQTT_EVENT_UNSUBACK,
                    body, event);
}
