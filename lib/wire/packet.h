/*
 * The packets of MQTT 3.1.1: what each looks like on the wire.
 *
 * One encoder or decoder for each packet that a client sends or receives. A
 * decoder answers MQTT_OK or the error that names what was wrong; it is given
 * the packet without its fixed header.
 */
#ifndef MQTT_WIRE_PACKET_H
#define MQTT_WIRE_PACKET_H

#include <mqttloop/client.h>
#include "wire/cursor.h"
#include "wire/ring.h"

enum mqtt_packet_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT
};

/* Flags of PUBLISH in its first byte [3.1.1, section 3.3.1]. */
enum { MQTT_FLAG_RETAIN = 0x01, MQTT_FLAG_DUP = 0x08 };

/* The bytes of an acknowledgement, of PUBACK to PUBCOMP. */
#define MQTT_ACK_SIZE 4

/* The first byte of a packet that is not PUBLISH [3.1.1 MQTT-2.2.2-1]. */
static inline uint8_t mqtt_first_byte(enum mqtt_packet_type type)
{
    bool reserved = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE ||
                    type == MQTT_UNSUBSCRIBE;

    return (uint8_t)((unsigned)type << 4 | (reserved ? 2u : 0u));
}

/* -- CONNECT, CONNACK (connect.c) ------------------------------------------ */

/* What is wrong with these options, or MQTT_OK. */
enum mqtt_error mqtt_connect_check(const struct mqtt_connect_options *options);
/* Bytes of the whole packet. */
uint32_t mqtt_connect_size(const struct mqtt_connect_options *options);
void mqtt_connect_write(struct mqtt_writer *w,
                        const struct mqtt_connect_options *options);
/* Seconds on the wire [3.1.1, section 3.1.2.10]. */
uint16_t mqtt_connect_keep_alive(const struct mqtt_connect_options *options);

enum mqtt_error mqtt_connack_read(struct mqtt_reader *r, bool *session_present,
                                  uint8_t *code);

/* -- PUBLISH (publish.c) --------------------------------------------------- */

/* Its remaining length; more than MQTT_LENGTH_MAX: fits into no packet. */
uint32_t mqtt_publish_length(const struct mqtt_message *message);
/* Put it at the cursor; `identifier` 0 for QoS 0. */
void mqtt_publish_put(struct mqtt_ring_cursor *cursor,
                      const struct mqtt_message *message, uint16_t identifier,
                      uint32_t length);
enum mqtt_error mqtt_publish_read(struct mqtt_reader *r, uint8_t first_byte,
                                  struct mqtt_message *message,
                                  uint16_t *identifier);
/* The QoS that a first byte states: 0 to 3. */
static inline unsigned mqtt_publish_qos(uint8_t first_byte)
{
    return first_byte >> 1 & 3u;
}

/* -- PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK (acknowledge.c) -------------- */

/* `out` has MQTT_ACK_SIZE bytes. */
void mqtt_ack_write(uint8_t *out, enum mqtt_packet_type type,
                    uint16_t identifier);
enum mqtt_error mqtt_ack_read(struct mqtt_reader *r, uint16_t *identifier);

/* -- SUBSCRIBE, UNSUBSCRIBE, SUBACK (subscribe.c) --------------------------- */

/* Bytes that a topic filter takes in a request. */
uint32_t mqtt_request_entry_size(enum mqtt_packet_type type,
                                 const struct mqtt_subscription *subscription);
/* Bytes of a request whose entries take so many. */
uint32_t mqtt_request_size(uint32_t entries);
/* Its beginning; so many bytes of entries follow. */
void mqtt_request_begin(struct mqtt_writer *w, enum mqtt_packet_type type,
                        uint16_t identifier, uint32_t entries);
void mqtt_request_entry(struct mqtt_writer *w, enum mqtt_packet_type type,
                        const struct mqtt_subscription *subscription);

enum mqtt_error mqtt_suback_read(struct mqtt_reader *r, uint16_t *identifier,
                                 struct mqtt_span *codes);

#endif
