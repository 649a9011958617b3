/*
 * The packets of MQTT 3.1.1, and what 5.0 shares with it: what each looks like
 * on the wire. Those of 5.0 alone are in wire/packet_5_0.h.
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
    MQTT_DISCONNECT,
    MQTT_AUTH
};

/* Flags of PUBLISH in its first byte [3.1.1, section 3.3.1]. */
enum { MQTT_FLAG_RETAIN = 0x01, MQTT_FLAG_DUP = 0x08 };

/* The bytes of an acknowledgement, of PUBACK to PUBCOMP, at most. */
#define MQTT_ACK_MAX 5

/* What a 5.0 client says of itself in CONNECT beside its options, as it is on
 * the wire: 0 (Receive Maximum 65,535) is left out. */
struct mqtt_announced {
    uint32_t session_expiry_s, maximum_packet_size;
    uint16_t receive_maximum, topic_alias_maximum;
};

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
/* Bytes of the whole packet. 3.1.1 announces nothing. */
uint32_t mqtt_connect_size(const struct mqtt_connect_options *options,
                           const struct mqtt_announced *announced);
void mqtt_connect_write(struct mqtt_writer *w,
                        const struct mqtt_connect_options *options,
                        const struct mqtt_announced *announced);
/* Seconds on the wire [3.1.1, section 3.1.2.10]. */
uint16_t mqtt_connect_keep_alive(const struct mqtt_connect_options *options);

/* Of both versions: what is wrong whatever the version; the length that 3.1.1
 * gives, which is 5.0's without properties; all up to the keep alive; user name
 * and password. */
enum mqtt_error
mqtt_connect_check_shared(const struct mqtt_connect_options *options);
uint32_t mqtt_connect_length(const struct mqtt_connect_options *options);
void mqtt_connect_write_head(struct mqtt_writer *w,
                             const struct mqtt_connect_options *options,
                             uint8_t level, uint32_t length);
void mqtt_connect_write_login(struct mqtt_writer *w,
                              const struct mqtt_connect_options *options);

enum mqtt_error mqtt_connack_read(struct mqtt_reader *r, bool *session_present,
                                  uint8_t *code);

/* -- PUBLISH (publish.c) --------------------------------------------------- */

/* A fixed header. */
struct mqtt_header {
    uint8_t bytes[5], size;
};

/* Bytes between fixed header and payload, and put both at the cursor, the
 * header first (it may be empty); `identifier` 0 for QoS 0. */
uint32_t mqtt_publish_head_size(const struct mqtt_message *message);
void mqtt_publish_head_put(struct mqtt_ring_cursor *cursor,
                           const struct mqtt_header *header,
                           const struct mqtt_message *message,
                           uint16_t identifier, uint32_t deadline_s);
enum mqtt_error mqtt_publish_read(struct mqtt_reader *r, uint8_t first_byte,
                                  struct mqtt_message *message,
                                  uint16_t *identifier);
/* The QoS that a first byte states: 0 to 3. */
static inline unsigned mqtt_publish_qos(uint8_t first_byte)
{
    return first_byte >> 1 & 3u;
}

/* -- PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK (acknowledge.c) -------------- */

/* `out` has MQTT_ACK_MAX bytes; how many it took. 3.1.1 has no code. */
uint32_t mqtt_ack_write(uint8_t *out, enum mqtt_packet_type type,
                        uint16_t identifier, uint8_t code);
enum mqtt_error mqtt_ack_read(struct mqtt_reader *r, uint16_t *identifier);

/* -- SUBSCRIBE, UNSUBSCRIBE, SUBACK (subscribe.c) --------------------------- */

/* MQTT_ERR_TOPIC_FILTER, _QOS; and what 3.1.1 has not:
 * MQTT_ERR_PROTOCOL_VERSION. */
enum mqtt_error
mqtt_subscription_check(const struct mqtt_subscription *subscription);
/* Bytes that a topic filter takes in a request. */
uint32_t mqtt_request_entry_size(enum mqtt_packet_type type,
                                 const struct mqtt_subscription *subscription);
/* Bytes of a request whose head and entries take so many. */
uint32_t mqtt_request_size(uint32_t content);
/* Its beginning; so many bytes follow. */
void mqtt_request_begin(struct mqtt_writer *w, enum mqtt_packet_type type,
                        uint16_t identifier, uint32_t content);
/* What stands before the entries: nothing. */
uint32_t mqtt_request_head_size(enum mqtt_packet_type type,
                                const struct mqtt_subscription *first,
                                bool identifiers);
void mqtt_request_head(struct mqtt_writer *w, enum mqtt_packet_type type,
                       const struct mqtt_subscription *first, bool identifiers);
void mqtt_request_entry(struct mqtt_writer *w, enum mqtt_packet_type type,
                        const struct mqtt_subscription *subscription);

enum mqtt_error mqtt_suback_read(struct mqtt_reader *r, uint16_t *identifier,
                                 struct mqtt_span *codes);

#endif
