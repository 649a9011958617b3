/*
 * What outlives a network connection: publishing, acknowledgements, and what
 * a new connection finds [3.1.1, sections 4.1 to 4.4].
 */
#ifndef MQTT_SESSION_SESSION_H
#define MQTT_SESSION_SESSION_H

#include <mqttloop/client.h>
#include "wire/protocol.h"

/* Add to the counter at this place, if somebody counts: `statistics` may be
 * NULL. */
void mqtt_count(struct mqtt_statistics *statistics, size_t offset,
                size_t count);
#define MQTT_COUNT_MORE(statistics, member, count)                             \
    mqtt_count(statistics, offsetof(struct mqtt_statistics, member), count)
#define MQTT_COUNT(statistics, member) MQTT_COUNT_MORE(statistics, member, 1)

/* Whether each part and its size are as session.h says, and what else the
 * configuration needs is there. */
bool mqtt_memory_valid(const struct mqtt_memory *memory,
                       const struct mqtt_config *config);

/* `memory` is. An error: of the store. */
enum mqtt_error mqtt_session_init(struct mqtt_session *s,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory);

/* What is to be published. */
struct mqtt_draft {
    const struct mqtt_message *message;
    struct mqtt_source *source; /* NULL: the payload is in the message */
    uint32_t deadline_s;        /* if it expires: the second at which it does */
    bool expires;
    /* Set by mqtt_session_publish(): */
    uint16_t identifier; /* 0: QoS 0 */
    uint32_t head;       /* bytes between fixed header and payload */
};

/* See mqtt_client_publish(); properties have been checked, and whether it may
 * be published now. */
enum mqtt_error mqtt_session_publish(struct mqtt_session *s,
                                     struct mqtt_draft *draft);

/* What a server with these limits says to a PUBLISH of `size` bytes with this
 * first byte: MQTT_OK, MQTT_ERR_MAXIMUM_QOS, _RETAIN_UNAVAILABLE,
 * _MAXIMUM_PACKET_SIZE. */
enum mqtt_error mqtt_limits_check(const struct mqtt_limits *limits,
                                  uint8_t first_byte, uint32_t size);
/* No limits at all. */
void mqtt_limits_none(struct mqtt_limits *limits);

/* What an acknowledgement of one of our messages meant. */
enum mqtt_acknowledged {
    MQTT_ACK_UNKNOWN,    /* nothing: no such exchange on this connection */
    MQTT_ACK_WRONG,      /* not of the kind that the exchange demands */
    MQTT_ACK_STEP,       /* PUBREC: PUBREL is to be sent */
    MQTT_ACK_END,        /* the message has ended */
    MQTT_ACK_END_UNKNOWN /* the same; what became of it is not known */
};
enum mqtt_acknowledged mqtt_session_acknowledged(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 uint16_t identifier,
                                                 uint8_t code);

/* The identifier of the next PUBREL to be sent, 0: none; and that it was. */
uint16_t mqtt_session_next_pubrel(const struct mqtt_session *s);
void mqtt_session_pubrel_sent(struct mqtt_session *s);

/* The network connection is gone: all that is unfinished is to be sent again
 * on the next one. QoS 0 that waits is dropped, unless it is kept. */
void mqtt_session_cut(struct mqtt_session *s, bool keep_qos0);

/* The session is gone: what was sent has ended lost, or is new again. Between
 * connections only. */
void mqtt_session_renew(struct mqtt_session *s,
                        const struct mqtt_config *config);

/* A good CONNACK came: sending begins. */
void mqtt_session_begin(struct mqtt_session *s);

/* An event that says nothing yet but its type. */
void mqtt_event_begin(struct mqtt_event *event, unsigned type);

/* A message that has ended by itself: true, with its outcome; and its slot is
 * free. */
bool mqtt_session_next_ended(struct mqtt_session *s, struct mqtt_event *event);

/* It is not to be sent again, though it had been sent: the exchange is ended
 * as the standard allows, its outcome is unknown. */
void mqtt_session_give_up(struct mqtt_session *s, struct mqtt_slot *slot);

/* Images that were put as 5.0 wants them become those of another version, with
 * which nothing has been sent yet. What it cannot carry is left out, or ends
 * its message. */
void mqtt_session_change_protocol(struct mqtt_session *s,
                                  const struct mqtt_protocol *protocol,
                                  bool drop_unsupported);

/* Whether a publish that had no room would now have it; tells once. */
bool mqtt_session_room_again(struct mqtt_session *s);

/* Whether every publish has ended, and every byte of it has left. */
bool mqtt_session_idle(const struct mqtt_session *s);

#endif
