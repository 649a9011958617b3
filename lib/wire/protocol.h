/*
 * A version of MQTT: the table of functions that public protocol.h names.
 * Engine and session go through it wherever versions differ.
 */
#ifndef MQTT_WIRE_PROTOCOL_H
#define MQTT_WIRE_PROTOCOL_H

#include "wire/packet.h"

struct mqtt_engine;
struct mqtt_composer;
struct mqtt_client_5_0;
struct mqtt_inbound;

/* The packet could not be answered now, since control memory is full: it is
 * to be handled again when that has drained. */
#define MQTT_LATER ((enum mqtt_error)1)

/* Handles a packet that has come; `body` is all behind the fixed header. It
 * answers MQTT_OK, with event->type 0 if there is nothing to tell, MQTT_LATER
 * if nothing was done, or a fatal error. */
typedef enum mqtt_error mqtt_receive_function(struct mqtt_engine *engine,
                                              uint8_t first_byte,
                                              struct mqtt_reader *body,
                                              struct mqtt_event *event);

struct mqtt_protocol {
    uint16_t send_maximum_qos2; /* unless configured; 0: any number */
    uint8_t level;              /* 4 or 5, as in CONNECT */
    uint8_t maximum_qos;
    /* A clean start also ends the session with the connection. */
    bool clean_ends_session;
    enum mqtt_error (*connect_check)(const struct mqtt_connect_options *);
    uint32_t (*connect_size)(const struct mqtt_connect_options *,
                             const struct mqtt_announced *);
    void (*connect_write)(struct mqtt_writer *,
                          const struct mqtt_connect_options *,
                          const struct mqtt_announced *);
    /* What mqtt_message has in this version only; NULL: nothing. */
    enum mqtt_error (*publish_check)(const struct mqtt_message *);
    /* What a client does beside, if it can speak this version; NULL: nothing.
     * See client/client_5_0.h. */
    const struct mqtt_client_5_0 *client;
    /* What stands between fixed header and payload. */
    uint32_t (*publish_head_size)(const struct mqtt_message *);
    void (*publish_head_put)(struct mqtt_ring_cursor *,
                             const struct mqtt_header *,
                             const struct mqtt_message *, uint16_t identifier,
                             uint32_t deadline_s);
    /* NULL: nothing can be subscribed to. */
    enum mqtt_error (*subscription_check)(const struct mqtt_subscription *);
    uint32_t (*request_head_size)(enum mqtt_packet_type,
                                  const struct mqtt_subscription *first,
                                  bool identifiers);
    void (*request_head)(struct mqtt_writer *, enum mqtt_packet_type,
                         const struct mqtt_subscription *first,
                         bool identifiers);
    void (*request_entry)(struct mqtt_writer *, enum mqtt_packet_type,
                          const struct mqtt_subscription *);
    /* Into MQTT_ACK_MAX bytes; how many it took. */
    uint32_t (*ack_write)(uint8_t *out, enum mqtt_packet_type,
                          uint16_t identifier, uint8_t code);
    /* DISCONNECT with this code and these properties, as far as `limit` bytes
     * take it; how many it took. NULL: the packet has neither. */
    uint32_t (*disconnect_write)(uint8_t *out, uint32_t limit, uint8_t code,
                                 struct mqtt_span properties);
    /* See mqtt_disconnect_with(); `ended`: whether CONNECT said that the
     * session ends with the connection; *ends: whether it does, which may
     * change. */
    enum mqtt_error (*disconnect_check)(const struct mqtt_disconnect_options *,
                                        bool ended, bool *ends);
    /* The reason code of DISCONNECT after an error; 0: none is sent. NULL:
     * never one. */
    uint8_t (*why)(enum mqtt_error);
    /* CONNECT is about to leave: what it says, for what will come. May be
     * NULL. */
    void (*expect)(struct mqtt_engine *, const struct mqtt_connect_options *);
    /* For messages that come; NULL: none does. */
    const struct mqtt_inbound *inbound;
    /* For images that do not lie in the outbox as they go over the wire; NULL:
     * there are none but by mqtt_publish_stream(). */
    const struct mqtt_composer *composer;
    /* What is done about messages larger than the input memory, unless the
     * configuration says otherwise; NULL: they end the connection. */
    const struct mqtt_large *large;
    /* By packet type; NULL: no packet that a server may send. */
    mqtt_receive_function *receive[16];
};

/* Whether it has properties and reason codes. */
static inline bool mqtt_protocol_is_5(const struct mqtt_protocol *protocol)
{
    return protocol->level == 5;
}

/* Seconds as CONNECT says them in 5.0; see mqtt_connect_options. */
uint32_t mqtt_session_expiry_wanted(const struct mqtt_connect_options *options);
/* Whether the session is to end with its connection. */
bool mqtt_session_ends(const struct mqtt_protocol *protocol,
                       const struct mqtt_connect_options *options);

#endif
