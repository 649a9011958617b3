/*
 * mqttloop/engine.h - one network connection, from CONNECT to its end.
 *
 * An application meets the engine through client.h. The struct stands here so
 * that a client can be static; members that end in '_' are private.
 */
#ifndef MQTTLOOP_ENGINE_H
#define MQTTLOOP_ENGINE_H

#include <mqttloop/log.h>
#include <mqttloop/protocol.h>
#include <mqttloop/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- private -------------------------------------------------------------- */

/* Packets on their way out that do not lie in the outbox. */
struct mqtt_control {
    uint8_t *bytes_;
    uint32_t size_, sent_, used_;
};

/* What has been received: base_[begin_..end_), in lent memory or in ours. */
struct mqtt_input {
    uint8_t *own_;
    uint32_t own_size_;
    uint8_t *base_;
    uint32_t begin_, end_;
};

/* A PUBLISH larger than the input memory, while it is read past. */
struct mqtt_oversize {
    uint32_t left_;          /* bytes of the packet still to come */
    uint32_t to_identifier_; /* of these, before the packet identifier */
    uint32_t size_;
    uint16_t identifier_;
    uint8_t first_byte_, step_;
};

struct mqtt_engine {
    const struct mqtt_protocol *protocol_;
    struct mqtt_session *session_;
    struct mqtt_control control_;
    struct mqtt_input input_;
    struct mqtt_oversize oversize_;
    mqtt_time now_, last_sent_, last_received_;
    mqtt_time answer_by_; /* CONNACK or PINGRESP */
    mqtt_time packet_by_; /* the end of a half-read packet */
    void (*trace_)(void *context, const struct mqtt_trace *trace);
    void *trace_context_;
    uint32_t keep_alive_ms_, pingresp_timeout_ms_, packet_timeout_ms_;
    uint32_t packet_size_; /* of the event that is pulled, to be passed over */
    enum mqtt_error error_;
    uint16_t request_count_; /* topic filters in the open request; 0: none */
    uint16_t delivered_;     /* identifier of the borrowed message */
    uint8_t delivered_qos_, request_type_;
    uint8_t state_;
    bool clean_, ping_due_, ping_open_, cut_, healthy_;
};

#ifdef __cplusplus
}
#endif

#endif
