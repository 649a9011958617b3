/*
 * The outbox: PUBLISH packets as they go over the wire, back to back in a
 * ring, with these positions in it:
 *
 *     head ......... mark .. send ............ ready .......... tail
 *      | sent, some   | the   | may be sent     | waits for       |
 *      | still wanted | packet now being sent   | quota           |
 *
 * Nothing is done for a message when it is sent: `send` moves by bytes. `mark`
 * is the last packet boundary at or before `send`; it is brought up to date
 * when somebody needs it. From `mark` on nothing is moved while there is a
 * connection, so that what was offered to the network stays.
 */
#ifndef MQTT_SESSION_OUTBOX_H
#define MQTT_SESSION_OUTBOX_H

#include <mqttloop/session.h>

/* Whether `a` lies before `b`; both between head and tail. */
bool mqtt_outbox_before(const struct mqtt_session *s, uint32_t a, uint32_t b);

/* Make room for `size` bytes at the tail; false: there is none now. */
bool mqtt_outbox_reserve(struct mqtt_session *s, uint32_t size);

/* Bring `mark` up to date; bytes that are left of a packet half sent, 0 at a
 * boundary. */
uint32_t mqtt_outbox_half_sent(struct mqtt_session *s);

/* Pass over one packet between mark and send: true, and where it is; false
 * when there is none that is sent as a whole. */
bool mqtt_outbox_pass(struct mqtt_session *s, uint32_t *start, uint32_t *size);

/* The next bytes for the network, at most `limit`; NULL: none. */
const void *mqtt_outbox_next(const struct mqtt_session *s, uint32_t limit,
                             size_t *size);
void mqtt_outbox_sent(struct mqtt_session *s, uint32_t size);

/* Whether one more PUBLISH of this QoS may be in flight; then it is counted. */
bool mqtt_outbox_take_quota(struct mqtt_session *s, unsigned qos);
/* One less is in flight; `pubrel`: one that waited for PUBCOMP. */
void mqtt_outbox_return_quota(struct mqtt_session *s, unsigned qos,
                              bool pubrel);
/* Nothing is in flight but `pubrels` exchanges that wait for PUBCOMP, which
 * gives back what they take, but not what they take beyond the maximum
 * [5.0 MQTT-3.3.4-9]. */
void mqtt_outbox_reset_quota(struct mqtt_session *s, uint16_t pubrels);

/* Let packets wait no more that the quota allows. */
void mqtt_outbox_release(struct mqtt_session *s);

/* Between connections: keep the images that have a slot, and what lies from
 * `pin` on; the rest is free. All that is kept is to be sent (again). */
void mqtt_outbox_rewind(struct mqtt_session *s, uint32_t pin);

/* Count the QoS 0 packets from `from` to the tail. */
uint32_t mqtt_outbox_count_qos0(const struct mqtt_session *s, uint32_t from);

#endif
