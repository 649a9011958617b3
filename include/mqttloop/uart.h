/*
 * mqttloop/uart.h - MQTT through a serial line: a transport for modems and
 * bridges.
 *
 *     static struct mqtt_uart uart;
 *
 *     mqtt_uart_init(&uart, &board_line, mqtt_coop_client_wake, &mqtt);
 *     mqtt_drive_init(&drive, &client, &uart.transport, NULL);
 *
 * At the other end platform/uart/bridge.py, or what speaks the same, makes the
 * network connections. A serial line tells of no connection, so there are
 * frames on it, the same both ways:
 *
 *     n data           n (1 to 255) bytes of the connection
 *     0 letter ...     control; more zeros before the letter mean nothing
 *
 *     to the bridge:   'C' id port(2) n host(n)   connect, after hanging up
 *                      'F' id                     no more will be sent
 *                      'X' id                     hang up
 *     from it:         'U' id                     connected: data follows
 *                      'D' id why                 not, or not any more: 'E' ended
 *                                                 by the server, 'R' refused,
 *                                                 'N' no such name, 'F' failed
 *
 * `id` counts connections from 1, so that what comes late is known; a bridge
 * that begins says 'D' 0 'F', by which what was up with another one ends. The
 * port's higher byte is first. 256 zeros before 'C', 'U' and 'D' 0 bring the
 * reader back into step, wherever it was. The line may lose bytes only together
 * with the connection: at a real one the lines RTS and CTS see to that.
 */
#ifndef MQTTLOOP_UART_H
#define MQTTLOOP_UART_H

#include <mqttloop/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A serial line, as a board gives it. It puts this first in its own struct.
 * Nothing waits. */
struct mqtt_pipe {
    /** At most `size` bytes that came; how many, 0: none. */
    size_t (*read)(struct mqtt_pipe *self, void *bytes, size_t size);
    /** How many bytes write() takes now. If that is less than `wanted`, wake()
     * is called when there is room; some 64 bytes at the least. */
    size_t (*room)(struct mqtt_pipe *self, size_t wanted);
    /** Send these, never more than there is room for. */
    void (*write)(struct mqtt_pipe *self, const void *bytes, size_t size);
    /** Called by the board, also from interrupts: bytes came, or there is room.
     * Set by mqtt_uart_init(). */
    void (*wake)(void *context);
    void *context;
};

/** Allocated by the caller; all but `transport` is private. */
struct mqtt_uart {
    struct mqtt_transport transport;
    struct mqtt_pipe *pipe_;
    const struct mqtt_server *server_;
    uint16_t dialled_; /* bytes of the request to connect that were sent */
    uint16_t host_size_;
    uint8_t id_, left_, parsing_, state_, why_;
    bool finishing_;
};

/** `wake` is called when a turn of the client is worth while: for a client of
 * mqtt_coop_attach(), mqtt_coop_client_wake with its adapter as `context`. */
void mqtt_uart_init(struct mqtt_uart *uart, struct mqtt_pipe *pipe,
                    void (*wake)(void *context), void *context);

#ifdef __cplusplus
}
#endif

#endif
