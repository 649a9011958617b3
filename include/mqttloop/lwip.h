/*
 * mqttloop/lwip.h - TCP by lwIP: a transport on its raw API, with NO_SYS.
 *
 *     static struct mqtt_lwip network;
 *
 *     mqtt_lwip_init(&network, mqtt_coop_client_wake, &mqtt);
 *     mqtt_drive_init(&drive, &client, &network.transport, NULL);
 *
 * Source in platform/lwip/, to be compiled into the firmware with its lwipopts.h:
 * LWIP_TCP, LWIP_DNS, LWIP_CALLBACK_API, NO_SYS. Tried with lwIP 2.1. All is
 * called from where lwIP itself is called, never from an interrupt.
 *
 * What comes stays in lwIP's pbufs until the client takes it, and is copied
 * once, into the memory of the client; lwIP opens its window by as much, so that
 * a client that does not read holds its server back. What leaves is copied once,
 * into the segments that lwIP keeps for sending again.
 */
#ifndef MQTTLOOP_LWIP_H
#define MQTTLOOP_LWIP_H

#include <mqttloop/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tcp_pcb;
struct pbuf;

/**
 * Allocated by the caller; all but `transport` is private. A lookup of a name
 * cannot be taken back from lwIP, so the memory must stay until lwIP has none
 * of it: static memory does.
 *
 * A server is a host name, which lwIP looks up, or an address as lwIP reads
 * them; no URL. What goes wrong:
 * MQTT_ERR_SERVER   no address, or a URL.
 * MQTT_ERR_NAME     nobody knows the name, or nobody answered.
 * MQTT_ERR_CLOSED   the server ended the connection.
 * MQTT_ERR_NETWORK  detail tells: refused, reset, no answer, no route, no
 *                   memory in lwIP, no free connection, aborted, address lost.
 */
struct mqtt_lwip {
    struct mqtt_transport transport;
    void (*wake_)(void *context);
    void *context_;
    struct tcp_pcb *pcb_;
    struct pbuf *received_; /* a chain; taken of the first one: */
    const struct mqtt_server *server_;
    const char *detail_;
    uint16_t taken_;
    uint8_t state_;
    int8_t error_;   /* enum mqtt_error */
    bool ended_;     /* by the server; what came before is still there */
    bool heard_out_; /* a turn has passed since it failed */
    bool finishing_, blocked_;
};

/** `wake` is called when a turn of the client is worth while: for a client of
 * mqtt_coop_attach(), mqtt_coop_client_wake with its adapter as `context`. */
void mqtt_lwip_init(struct mqtt_lwip *lwip, void (*wake)(void *context),
                    void *context);

#ifdef __cplusplus
}
#endif

#endif
