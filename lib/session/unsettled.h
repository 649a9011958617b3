/*
 * Received messages that the application settles by a call, in the order in
 * which they came on this connection [5.0, section 4.6].
 *
 * One of QoS 1 is forgotten when the connection ends: it comes again. One of
 * QoS 2 outlives it, since it is not given to the application again: when it
 * comes again it takes its place behind those that came before it.
 */
#ifndef MQTT_SESSION_UNSETTLED_H
#define MQTT_SESSION_UNSETTLED_H

#include <mqttloop/session.h>

/* An acknowledgement that may leave now. */
struct mqtt_settled {
    uint16_t identifier, index; /* in the list */
    uint8_t code;
    bool qos2; /* PUBREC, else PUBACK */
};

void mqtt_unsettled_init(struct mqtt_unsettled_list *list,
                         struct mqtt_unsettled *entries, uint16_t capacity);

/* A message came; its handle, never 0, which no other one in the list has.
 * 0: there is no room. */
uint32_t mqtt_unsettled_add(struct mqtt_unsettled_list *list,
                            uint16_t identifier, bool qos2);
/* Before that, in a list without room that is not full: one that is needed least
 * leaves. Its packet identifier if it was refused, which nobody knows then; else
 * 0. */
uint16_t mqtt_unsettled_make_room(struct mqtt_unsettled_list *list);

bool mqtt_unsettled_full(const struct mqtt_unsettled_list *list);

/* It is to be acknowledged with this code; false: a handle of nothing, or
 * settled already. *put: it is of QoS 2, was not refused, and if `stored`, its
 * acknowledgement waits for a commit. */
bool mqtt_unsettled_settle(struct mqtt_unsettled_list *list, uint32_t handle,
                           uint8_t code, bool stored, bool *put);

/* A commit begins; is done; has failed, or all is to be written anew. */
void mqtt_unsettled_commit(struct mqtt_unsettled_list *list);
void mqtt_unsettled_committed(struct mqtt_unsettled_list *list);
void mqtt_unsettled_uncommit(struct mqtt_unsettled_list *list);

/* Whether a QoS 2 message of this identifier waits to be settled, or to be
 * refused: it has no record. */
bool mqtt_unsettled_open(const struct mqtt_unsettled_list *list,
                         uint16_t identifier);

/* A QoS 2 message came again, on this connection or after a cut; true: it is
 * in the list, and its acknowledgement leaves when it is settled. If it came
 * before a cut it now stands at the end of the list. */
bool mqtt_unsettled_came_again(struct mqtt_unsettled_list *list,
                               uint16_t identifier);

/* PUBREL came for the QoS 2 message. True: somebody else has answered it; its
 * handle is of nothing, and what it held up may leave. */
bool mqtt_unsettled_completed(struct mqtt_unsettled_list *list,
                              uint16_t identifier);

/* Whether one of QoS 2 that came on this connection is not acknowledged. */
bool mqtt_unsettled_qos2_waits(const struct mqtt_unsettled_list *list);

/* The next acknowledgement that may leave: of the settled ones that came on
 * this connection, with none of the same QoS before it that is not settled.
 * It stays until mqtt_unsettled_acknowledged() takes it out of the list, before
 * anything else changes there. */
bool mqtt_unsettled_next(struct mqtt_unsettled_list *list,
                         struct mqtt_settled *settled);
void mqtt_unsettled_acknowledged(struct mqtt_unsettled_list *list,
                                 const struct mqtt_settled *settled);

/* The connection has ended: QoS 1 is forgotten, QoS 2 waits to come again. */
void mqtt_unsettled_cut(struct mqtt_unsettled_list *list);
/* The session has ended: all handles are of nothing. */
void mqtt_unsettled_clear(struct mqtt_unsettled_list *list);

#endif
