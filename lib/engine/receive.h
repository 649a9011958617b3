/*
 * One function for each packet that a server sends, see
 * mqtt_receive_function.
 */
#ifndef MQTT_ENGINE_RECEIVE_H
#define MQTT_ENGINE_RECEIVE_H

#include "engine/engine.h"

mqtt_receive_function mqtt_receive_connack, mqtt_receive_publish,
    mqtt_receive_ack, mqtt_receive_pubrel, mqtt_receive_suback,
    mqtt_receive_unsuback, mqtt_receive_pingresp;

mqtt_receive_function mqtt_receive_connack_5_0, mqtt_receive_publish_5_0,
    mqtt_receive_ack_5_0, mqtt_receive_pubrel_5_0, mqtt_receive_suback_5_0,
    mqtt_receive_unsuback_5_0, mqtt_receive_disconnect_5_0,
    mqtt_receive_auth_5_0;

/* PUBLISH of 5.0, with its topic name wherever that is. */
enum mqtt_error mqtt_publish_take_5_0(struct mqtt_engine *e,
                                      struct mqtt_reader *body,
                                      uint8_t first_byte,
                                      struct mqtt_message *message,
                                      uint16_t *identifier);
/* Whether Reason String and User Property may stand there. */
enum mqtt_error mqtt_problem_check(const struct mqtt_engine *e,
                                   struct mqtt_span properties);
/* See struct mqtt_protocol. */
uint32_t mqtt_disconnect_fit_5_0(uint8_t *out, uint32_t limit, uint8_t code,
                                 struct mqtt_span properties);
uint8_t mqtt_why_5_0(enum mqtt_error error);

/* -- what both versions do --------------------------------------------------- */

/* A good CONNACK came. */
void mqtt_engine_begin_session(struct mqtt_engine *e, bool session_present);

/* PUBACK, PUBREC or PUBCOMP came. The event's properties are the caller's. */
enum mqtt_error mqtt_engine_acknowledged(struct mqtt_engine *e,
                                         enum mqtt_packet_type type,
                                         uint16_t identifier, uint8_t code,
                                         struct mqtt_event *event);

/* Whether SUBACK or UNSUBACK answers the open request; then the request is
 * closed. One that does not is matched to nothing [3.1.1 MQTT-2.3.1-7]. */
bool mqtt_engine_close_request(struct mqtt_engine *e,
                               enum mqtt_packet_type type, uint16_t identifier);

#endif
