/*
 * Slots and packet identifiers: one slot for each outgoing QoS 1 or 2 message
 * that is not finished, at the index "identifier modulo the number of slots".
 * Finding one takes no search; an occupied one is stepped over when an
 * identifier is chosen. Their order is in lists, for identifiers lap a message
 * that is stuck.
 */
#ifndef MQTT_SESSION_SLOTS_H
#define MQTT_SESSION_SLOTS_H

#include <mqttloop/session.h>

#define MQTT_NO_SLOT 0xffff

enum mqtt_slot_state {
    MQTT_SLOT_PUBLISH, /* its image is in the outbox */
    MQTT_SLOT_PUBREL,  /* PUBREC came; PUBREL is to be sent */
    MQTT_SLOT_PUBCOMP, /* PUBREL was sent on this connection */
    /* Ended, to be reported: */
    MQTT_SLOT_LOST,
    MQTT_SLOT_UNKNOWN,
    MQTT_SLOT_EXPIRED,
    MQTT_SLOT_FORBIDDEN_QOS,
    MQTT_SLOT_FORBIDDEN_RETAIN,
    MQTT_SLOT_FORBIDDEN_SIZE,
    MQTT_SLOT_NOT_CARRIED, /* properties, by 3.1.1 */
    MQTT_SLOT_BROKEN       /* its source could not be read */
};

enum {
    MQTT_SLOT_QOS2 = 1,     /* else QoS 1 */
    MQTT_SLOT_SENT = 2,     /* a byte of it left on an earlier connection */
    MQTT_SLOT_GIVEN_UP = 4, /* PUBREL without PUBREC: its outcome is unknown */
    MQTT_SLOT_ANEW = 4,     /* PUBLISH that an earlier session had sent */
    /* With a store: */
    MQTT_SLOT_UNSTORED = 8,    /* its record has been put, not committed */
    MQTT_SLOT_COMMITTING = 16, /* its record is being committed */
    MQTT_SLOT_STORED = 32,     /* it is committed, and that is to be told */
    MQTT_SLOT_NO_RECORD = 64,  /* a source: it has none */
    MQTT_SLOT_TOLD = 128       /* the application knows that it is committed */
};

/* A slot with a new identifier, at the end of publishes_; one must be free. */
struct mqtt_slot *mqtt_slot_take(struct mqtt_session *s);

/* The slot of `identifier`, or NULL. */
struct mqtt_slot *mqtt_slot_find(const struct mqtt_session *s,
                                 uint16_t identifier);

/* Out of `list`, and free. */
void mqtt_slot_free(struct mqtt_session *s, struct mqtt_slot_list *list,
                    struct mqtt_slot *slot);

/* From one list to the end of another. */
void mqtt_slot_move(struct mqtt_session *s, struct mqtt_slot_list *from,
                    struct mqtt_slot_list *to, struct mqtt_slot *slot);

/* A slot with an identifier that is given, at the end of a list; NULL: its
 * place is taken. */
struct mqtt_slot *mqtt_slot_claim(struct mqtt_session *s, uint16_t identifier,
                                  struct mqtt_slot_list *list);

/* Its message has ended, and the application is to be told: out of `list`, into
 * the list of those. */
void mqtt_slot_end(struct mqtt_session *s, struct mqtt_slot_list *list,
                   struct mqtt_slot *slot, unsigned state);

/* An identifier that no slot has, for SUBSCRIBE or UNSUBSCRIBE; it is kept
 * out of use until reserved_identifier_ is 0 again. */
uint16_t mqtt_slot_reserve_identifier(struct mqtt_session *s);

#endif
