/*
 * mqttloop/stream.h - messages that are larger than the memory, both ways.
 */
#ifndef MQTTLOOP_STREAM_H
#define MQTTLOOP_STREAM_H

#include <mqttloop/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A payload that stays with the application: it is asked for when it is sent,
 * and asked for again when it is sent again, so that nobody holds it. The node
 * and what it reads belong to the client until MQTT_EVENT_PUBLISHED of its
 * packet identifier.
 */
struct mqtt_source {
    /**
     * Hook: the payload's bytes from `offset` on, *size of them at most; set
     * *size to how many there are at the pointer that is returned, at least 1.
     * They must stay until the next call. NULL: they cannot be had, ever; then
     * the connection ends with MQTT_ERR_SOURCE and the message with
     * MQTT_OUTCOME_SOURCE, or, at QoS 2 when it had been sent before and may
     * have arrived, with MQTT_OUTCOME_UNKNOWN.
     */
    const void *(*read)(struct mqtt_source *source, uint32_t offset,
                        size_t *size);
    void *context; /**< yours */
};

/**
 * Publish at QoS 1 or 2, with a payload of message->payload.size bytes (its
 * data is not looked at) that comes from `source`. It waits its turn in the
 * outbox, where it takes topic name, properties, and 16 to 32 bytes; what was
 * published later waits until it has left.
 *
 * As mqtt_client_publish(), and: MQTT_ERR_QOS: QoS 0, for nothing would tell
 * when the source is not needed any more. MQTT_ERR_TOO_LARGE: topic name
 * and properties do not fit into `control` (control_size - 24). MQTT_ERR_ARGUMENT: no
 * `source` or no `read`.
 */
enum mqtt_error mqtt_publish_stream(struct mqtt_client *client,
                                    const struct mqtt_message *message,
                                    struct mqtt_source *source,
                                    uint16_t *packet_identifier);

/**
 * Named in mqtt_config.large, this gives messages that are larger than the
 * input memory to the application in parts: each is an MQTT_EVENT_MESSAGE (or
 * a call of on_message) whose payload is the next piece, at payload_offset of
 * payload_size bytes in all. The parts of one message follow each other
 * without another message between them, as they come from the network, from
 * offset 0; if the connection is lost, the message begins anew at offset 0.
 * Each part has the topic name and the properties, which have to fit into the
 * input memory. The last one is where payload_offset + payload.size is
 * payload_size; after it the message is acknowledged, or can be settled: the
 * settle_handle of those before it is 0. mqtt_refuse_rest() drops what is left
 * of it. A message whose topic name and properties do not fit is read past, and
 * MQTT_EVENT_MESSAGE_TOO_LARGE tells of it; in 5.0 it is acknowledged with 0x97.
 */
extern const struct mqtt_large mqtt_large_parts;

/**
 * The rest of the message whose part was pulled last is not wanted: it is read
 * past, and then acknowledged with `reason_code` (0x80 or more; 3.1.1 has none
 * to send, and acknowledges). MQTT_ERR_STATE: no part was pulled last, or it
 * was the last one. MQTT_ERR_REASON_CODE: below 0x80, or none of PUBACK.
 */
enum mqtt_error mqtt_refuse_rest(struct mqtt_client *client,
                                 uint8_t reason_code);

#ifdef __cplusplus
}
#endif

#endif
