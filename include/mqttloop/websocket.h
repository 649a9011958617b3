/*
 * mqttloop/websocket.h - MQTT over WebSocket [RFC 6455; 3.1.1 and 5.0, section
 * 6], with frames by wslay: the library mqttloop-websocket.
 *
 *     struct mqtt_server server = {"ws://broker.example/mqtt", 0};
 *     struct mqtt_host host = {.websocket = &mqtt_websocket};
 *     client = mqtt_client_new(&config, &host, &error);
 *
 * What the driver writes in one go leaves as one binary frame, of at most
 * 16,376 bytes. Pings are answered. Where the server does not speak WebSocket
 * as it should, the connection ends with MQTT_ERR_WEBSOCKET, and its detail
 * says how: the status line of an answer that is not 101, an accept key or a
 * subprotocol that is not ours, an extension (none is offered), a frame of
 * text, a masked one, reserved bits, no end of pings, the code and the words of
 * a Close frame that tells of an error. Before the handshake has come to its
 * end no byte of MQTT leaves.
 *
 * A client's layer takes 18 KiB, and 4 KiB of malloc() for wslay while it is
 * connected; nothing that a server sends makes it more.
 */
#ifndef MQTTLOOP_WEBSOCKET_H
#define MQTTLOOP_WEBSOCKET_H

#include <mqttloop/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** WebSocket with all options zero. */
extern const struct mqtt_layer_kind mqtt_websocket;

/** A header of the request beside those that WebSocket wants. */
struct mqtt_websocket_header {
    const char *name, *value;
};

/**
 * WebSocket with options, shared by any number of clients, all of which it must
 * outlive, with its text:
 *
 *     struct mqtt_websocket_options options = {.kind = mqtt_websocket,
 *                                              .path = "/ws"};
 *     struct mqtt_host host = {.websocket = &options.kind};
 *
 * Zero means the default. Text is put into the request as it stands; where it
 * has a control character, or the request is larger than 16,384 bytes, the
 * connection fails with MQTT_ERR_WEBSOCKET.
 */
struct mqtt_websocket_options {
    struct mqtt_layer_kind kind; /**< a copy of mqtt_websocket */
    /** Path and query where the server's URL has none. "/mqtt": most servers
     * have MQTT there, and those that look at no path do not mind; a server
     * that wants "/" is "ws://host/". */
    const char *path;
    /** "mqtt", which is what the standards ask for [MQTT-6.0.0-3]; "mqttv3.1"
     * for servers of old. The server must choose it. */
    const char *subprotocol;
    /** Of the header Host; the URL's host and, if it is not that of the scheme,
     * port. */
    const char *host;
    const char *origin; /**< of the header Origin; there is none */
    const struct mqtt_websocket_header *headers; /**< e.g. Authorization */
    size_t header_count;
    uint32_t largest_answer; /**< bytes of the answer's head: 8,192 */
};

#ifdef __cplusplus
}
#endif

#endif
