/*
 * The packets of MQTT 5.0: what each looks like on the wire, where it differs
 * from 3.1.1 (wire/packet.h).
 *
 * A decoder answers MQTT_OK or the error that names what was wrong; it is given
 * the packet without its fixed header. Spans that it sets point into the
 * packet; properties have been checked for their place.
 */
#ifndef MQTT_WIRE_PACKET_5_0_H
#define MQTT_WIRE_PACKET_5_0_H

#include <mqttloop/properties.h>
#include "wire/packet.h"
#include "wire/reason.h"

/* Property Length and properties at the cursor, which may stand in `place`:
 * any error of mqtt_properties_check(), MQTT_ERR_TRUNCATED, or
 * MQTT_ERR_RECEIVED_PROPERTY for a length in more bytes than needed
 * [5.0 MQTT-1.5.5-1]. */
enum mqtt_error mqtt_properties_read(struct mqtt_reader *r,
                                     enum mqtt_property_place place,
                                     struct mqtt_span *properties);
/* Bytes of Property Length and `size` bytes of properties. */
uint32_t mqtt_properties_size(uint32_t size);
/* Properties to be sent: MQTT_OK, or MQTT_ERR_PROPERTY whatever is wrong. */
enum mqtt_error mqtt_properties_check_sent(struct mqtt_span properties,
                                           enum mqtt_property_place place);
/* Whether there is a property of the one identifier or of the other. */
bool mqtt_properties_have(struct mqtt_span properties, uint8_t one,
                          uint8_t other);
/* The number of the first property of this identifier, or `otherwise`. */
uint32_t mqtt_property_number(struct mqtt_span properties, uint8_t identifier,
                              uint32_t otherwise);

/* Whether this value is one of its property, wherever that stands: MQTT_OK, or
 * an error of mqtt_properties_check(). */
enum mqtt_error mqtt_property_check_value(const struct mqtt_property *property);

/* A reason code, 0 if it is left out, and properties, if they are not left out
 * too; nothing behind [5.0, section 3.4.2.1, 3.14.2.1, 3.15.2.1]. */
enum mqtt_error mqtt_reason_read(struct mqtt_reader *r,
                                 enum mqtt_reason_place codes,
                                 enum mqtt_property_place place, uint8_t *code,
                                 struct mqtt_span *properties);

/* -- CONNECT, CONNACK (connect_5_0.c) --------------------------------------- */

/* As mqtt_connect_check(), by the rules of 5.0: a password needs no user name,
 * a client identifier may be empty; properties of CONNECT (Request Response
 * Information, Request Problem Information, User Property, Authentication
 * Method and Data, the latter not without the former) and of the will:
 * MQTT_ERR_PROPERTY; those that have a member of their own are refused. */
enum mqtt_error
mqtt_connect_check_5_0(const struct mqtt_connect_options *options);
uint32_t mqtt_connect_size_5_0(const struct mqtt_connect_options *options,
                               const struct mqtt_announced *announced);
void mqtt_connect_write_5_0(struct mqtt_writer *w,
                            const struct mqtt_connect_options *options,
                            const struct mqtt_announced *announced);

/* A refusal of 3.1.1 (two bytes, code 1 to 5) is read as that code: a server
 * that does not speak 5.0 says so. Otherwise MQTT_ERR_CONNACK_FLAGS, _CODE,
 * MQTT_ERR_SESSION_PRESENT (with a code that is not 0). */
enum mqtt_error mqtt_connack_read_5_0(struct mqtt_reader *r,
                                      bool *session_present, uint8_t *code,
                                      struct mqtt_span *properties);
/* What properties of CONNACK say; the rest of *limits is set to no limit.
 * keep_alive_s and session_expiry_s are left alone unless they are said. */
void mqtt_connack_limits(struct mqtt_span properties,
                         struct mqtt_limits *limits);

/* Assigned Client Identifier; false: there is none. */
bool mqtt_connack_assigned(struct mqtt_span properties,
                           struct mqtt_span *client_identifier);

/* -- PUBLISH (publish_5_0.c) ------------------------------------------------- */

/* Properties of a message to be published, without Topic Alias and Subscription
 * Identifier: MQTT_ERR_PROPERTY, MQTT_ERR_TOO_LARGE (above MQTT_LENGTH_MAX). */
enum mqtt_error mqtt_publish_check_5_0(const struct mqtt_message *message);
/* Bytes between fixed header and payload: topic name, packet identifier, if
 * QoS is not 0, properties. */
uint32_t mqtt_publish_head_size_5_0(const struct mqtt_message *message);
/* Put them. A Message Expiry Interval comes first among the properties, and
 * has `deadline_s` as its value instead of what the message says; the others
 * keep their order. */
void mqtt_publish_head_put_5_0(struct mqtt_ring_cursor *cursor,
                               const struct mqtt_header *header,
                               const struct mqtt_message *message,
                               uint16_t identifier, uint32_t deadline_s);
/* An empty topic name is let through if there is a Topic Alias: *alias, 0: none
 * (Topic Alias 0 is MQTT_ERR_TOPIC_ALIAS). Everything of *message is set. */
enum mqtt_error mqtt_publish_read_5_0(struct mqtt_reader *r, uint8_t first_byte,
                                      struct mqtt_message *message,
                                      uint16_t *identifier, uint16_t *alias);

/* What its properties say, see struct mqtt_protocol (message_5_0.c). */
bool mqtt_message_expiry_5_0(const struct mqtt_message *message,
                             uint32_t *interval_s);
bool mqtt_message_malformed_5_0(const struct mqtt_message *message);
bool mqtt_message_named_5_0(const struct mqtt_message *message,
                            uint32_t identifier);

/* -- PUBACK, PUBREC, PUBREL, PUBCOMP (acknowledge_5_0.c) ---------------------- */

/* `out` has MQTT_ACK_MAX bytes; how many it took: the reason code 0 is left
 * out. */
uint32_t mqtt_ack_write_5_0(uint8_t *out, enum mqtt_packet_type type,
                            uint16_t identifier, uint8_t code);
/* MQTT_ERR_RECEIVED_REASON_CODE: none of this packet. */
enum mqtt_error mqtt_ack_read_5_0(struct mqtt_reader *r,
                                  enum mqtt_packet_type type,
                                  uint16_t *identifier, uint8_t *code,
                                  struct mqtt_span *properties);

/* -- SUBSCRIBE, UNSUBSCRIBE, SUBACK, UNSUBACK (subscribe_5_0.c) --------------- */

/* MQTT_ERR_TOPIC_FILTER, _QOS, _SUBSCRIPTION, _PROPERTY; see mqtt_subscribe().
 */
enum mqtt_error
mqtt_subscription_check_5_0(const struct mqtt_subscription *subscription);
/* Bytes of Property Length and properties of a request; and write them. The
 * Subscription Identifier stands in SUBSCRIBE only, and only if `identifiers`
 * (the server has them); properties in both. */
uint32_t mqtt_request_head_size_5_0(enum mqtt_packet_type type,
                                    const struct mqtt_subscription *first,
                                    bool identifiers);
void mqtt_request_head_5_0(struct mqtt_writer *w, enum mqtt_packet_type type,
                           const struct mqtt_subscription *first,
                           bool identifiers);
/* As mqtt_request_entry(), with the options [5.0, section 3.8.3.1]; Retain
 * Handling 2 if subscription->renewed_. */
void mqtt_request_entry_5_0(struct mqtt_writer *w, enum mqtt_packet_type type,
                            const struct mqtt_subscription *subscription);
/* SUBACK or UNSUBACK. MQTT_ERR_SUBACK_CODE: a code that is none of it. */
enum mqtt_error mqtt_suback_read_5_0(struct mqtt_reader *r,
                                     enum mqtt_packet_type type,
                                     uint16_t *identifier,
                                     struct mqtt_span *codes,
                                     struct mqtt_span *properties);

/* -- DISCONNECT, AUTH (end_5_0.c) ---------------------------------------------- */

/* Bytes of DISCONNECT; a code of 0 without properties is left out. */
uint32_t mqtt_disconnect_size_5_0(uint8_t code, struct mqtt_span properties);
void mqtt_disconnect_write_5_0(struct mqtt_writer *w, uint8_t code,
                               struct mqtt_span properties);
/* See mqtt_disconnect_with(). */
enum mqtt_error
mqtt_disconnect_check_5_0(const struct mqtt_disconnect_options *options,
                          bool ended, bool *session_ends);
/* From the server: its codes, its properties (no Session Expiry Interval
 * [5.0 MQTT-3.14.2-2]: MQTT_ERR_PROPERTY_VALUE). */
enum mqtt_error mqtt_disconnect_read_5_0(struct mqtt_reader *r, uint8_t *code,
                                         struct mqtt_span *properties);

/* AUTH: method, data (if its `data` is not NULL), properties; method and data
 * have 65,535 bytes at most. */
uint32_t mqtt_auth_size_5_0(struct mqtt_span method, struct mqtt_span data,
                            struct mqtt_span properties);
void mqtt_auth_write_5_0(struct mqtt_writer *w, uint8_t code,
                         struct mqtt_span method, struct mqtt_span data,
                         struct mqtt_span properties);
/* From the server: code 0x00 or 0x18, else MQTT_ERR_RECEIVED_REASON_CODE. */
enum mqtt_error mqtt_auth_read_5_0(struct mqtt_reader *r, uint8_t *code,
                                   struct mqtt_span *properties);

#endif
