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
    uint32_t kept_; /* bytes at the beginning of own_ that stay */
};

/* A PUBLISH larger than the input memory, while it is read past or given to
 * the application in parts. */
struct mqtt_oversize {
    uint32_t left_; /* bytes of the packet still to come */
    uint32_t skip_; /* of these, before what is looked for next */
    uint32_t size_;
    uint16_t identifier_;
    uint8_t first_byte_;
    uint8_t code_;                /* of its acknowledgement */
    uint32_t head_size_;          /* bytes before the payload */
    struct mqtt_message message_; /* its topic name and properties are kept */
};

struct mqtt_config;
struct mqtt_source;
struct mqtt_large;

struct mqtt_engine {
    int8_t error_;           /* enum mqtt_error; sticky until the next open */
    uint8_t reason_code_;    /* of CONNACK, or of the server's DISCONNECT */
    uint8_t end_code_;       /* of our DISCONNECT */
    uint8_t delivered_code_; /* of its acknowledgement */
    uint8_t authenticating_; /* enum in lib/engine/authenticate.c */
    uint8_t state_, offering_, delivered_type_, request_type_;
    uint8_t
        oversize_step_; /* enum in lib/engine/oversize.c, parts.c; 0: none */
    bool clean_, session_held_, ping_due_, ping_open_, healthy_;
    bool ping_waits_; /* the first PINGREQ without answer has not left yet */
    bool unread_;     /* something has come and nobody has pulled since */
    bool stuck_;      /* pulled, but its answer finds no room */
    bool cut_;        /* the network connection is gone, what had come is not */
    bool session_ends_;   /* with this connection */
    bool settled_waits_;  /* a settled message's answer finds no room */
    bool unsettled_full_; /* nothing is read until one is settled */
    bool ask_response_information_, no_problem_information_;
    bool no_alias_names_;    /* they did not fit on the last connection */
    uint16_t request_count_; /* topic filters in the open request; 0: none */
    uint16_t delivered_;     /* identifier of the borrowed message; 0: none */
    uint32_t delivered_handle_; /* with a store; 0: none */
    const struct mqtt_config *config_;
    const struct mqtt_protocol *protocol_; /* of this connection */
    struct mqtt_session *session_;
    struct mqtt_control control_;
    struct mqtt_input input_;
    mqtt_time now_;
    uint32_t packet_size_; /* of the event that is pulled, to be passed over */
    struct mqtt_source *source_; /* the payload that is being sent */
    mqtt_time last_sent_, last_received_;
    uint32_t keep_alive_ms_;
    mqtt_time answer_by_;                   /* CONNACK or PINGRESP */
    mqtt_time packet_by_;                   /* the end of a half-read packet */
    uint32_t input_limit_;                  /* no received packet is larger */
    uint32_t receive_limit_, receive_open_; /* messages not acknowledged */
    const struct mqtt_large *large_;
    union {
        struct mqtt_connect_options connect_; /* until CONNACK was told of */
        struct mqtt_oversize oversize_;       /* if oversize_step_ */
    };
    struct mqtt_span end_properties_; /* of our DISCONNECT */
    struct mqtt_alias_table aliases_;
    struct mqtt_alias_names alias_names_;
    struct mqtt_span method_; /* Authentication Method of CONNECT */
    uint32_t source_at_, source_size_;
};

#ifdef __cplusplus
}
#endif

#endif
