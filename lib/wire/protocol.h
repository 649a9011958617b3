/*
 * A version of MQTT: the table of functions that public protocol.h names.
 * Engine and session go through it wherever versions differ.
 */
#ifndef MQTT_WIRE_PROTOCOL_H
#define MQTT_WIRE_PROTOCOL_H

#include "wire/packet.h"

struct mqtt_engine;

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
    /* By packet type; NULL: no packet that a server may send. */
    mqtt_receive_function *receive[16];
    enum mqtt_error (*connect_check)(const struct mqtt_connect_options *);
    uint32_t (*connect_size)(const struct mqtt_connect_options *);
    void (*connect_write)(struct mqtt_writer *,
                          const struct mqtt_connect_options *);
    uint32_t (*publish_length)(const struct mqtt_message *);
    void (*publish_put)(struct mqtt_ring_cursor *, const struct mqtt_message *,
                        uint16_t identifier, uint32_t length);
    uint32_t (*request_entry_size)(enum mqtt_packet_type,
                                   const struct mqtt_subscription *);
    void (*request_entry)(struct mqtt_writer *, enum mqtt_packet_type,
                          const struct mqtt_subscription *);
    /* A clean start also ends the session with the connection. */
    bool clean_ends_session;
};

#endif
