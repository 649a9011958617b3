/*
 * What outlives a network connection: publishing, acknowledgements, and what
 * a new connection finds [3.1.1, sections 4.1 to 4.4].
 */
#ifndef MQTT_SESSION_SESSION_H
#define MQTT_SESSION_SESSION_H

#include <mqttloop/client.h>
#include "wire/packet.h"

/* Add one to a counter, if somebody counts. */
#define MQTT_COUNT(statistics, member)                                         \
    ((statistics) ? (void)(statistics)->member++ : (void)0)

/* MQTT_ERR_MEMORY: a size is against session.h. */
enum mqtt_error mqtt_session_init(struct mqtt_session *s,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory);

/* See mqtt_client_publish(); whether it may be published now is known. */
enum mqtt_error mqtt_session_publish(struct mqtt_session *s,
                                     const struct mqtt_message *message,
                                     uint16_t *identifier);

/* What an acknowledgement of one of our messages meant. */
enum mqtt_acknowledged {
    MQTT_ACK_UNKNOWN, /* nothing: no such exchange on this connection */
    MQTT_ACK_WRONG,   /* not of the kind that the exchange demands */
    MQTT_ACK_STEP,    /* PUBREC: PUBREL is to be sent */
    MQTT_ACK_END      /* the message has ended */
};
enum mqtt_acknowledged mqtt_session_acknowledged(struct mqtt_session *s,
                                                 enum mqtt_packet_type type,
                                                 uint16_t identifier);

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

/* A message that has ended by itself: true, with its outcome; and its slot is
 * free. */
bool mqtt_session_next_ended(struct mqtt_session *s, uint16_t *identifier,
                             enum mqtt_outcome *outcome);

/* Whether a publish that had no room would now have it; tells once. */
bool mqtt_session_room_again(struct mqtt_session *s);

/* Whether every publish has ended, and every byte of it has left. */
bool mqtt_session_idle(const struct mqtt_session *s);

#endif
