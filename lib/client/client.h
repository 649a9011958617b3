/*
 * The long life: servers, reconnecting, subscriptions, callbacks.
 *
 * client.c is its life, governor.c chooses when to try again, requests.c takes
 * what the application wants, subscriptions.c keeps the server informed of
 * them, events.c makes the events, dispatch.c the callbacks.
 */
#ifndef MQTT_CLIENT_CLIENT_H
#define MQTT_CLIENT_CLIENT_H

#include "engine/engine.h"

/* A setting, or its default where it is zero. */
static inline uint32_t mqtt_setting(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static inline bool mqtt_client_is(const struct mqtt_client *c,
                                  enum mqtt_client_state state)
{
    return c->state_ == (uint8_t)state;
}

/* Tell the driver that there may be something to do. */
static inline void mqtt_client_notify(struct mqtt_client *c)
{
    if (c->notified_ || !c->requested_)
        return;
    c->notified_ = true;
    c->requested_(c->driver_);
}

/* A request is about to set a deadline: the time of the last turn may be long
 * ago. */
void mqtt_client_ask_time(struct mqtt_client *c);

void mqtt_client_enter(struct mqtt_client *c, enum mqtt_client_state state,
                       enum mqtt_error why);
/* Have the driver open a network connection, to the next server. */
void mqtt_client_start_opening(struct mqtt_client *c);
/* Have the driver close the network connection, because of `why`. */
void mqtt_client_give_up(struct mqtt_client *c, enum mqtt_error why);
/* The engine may have failed or ended since: follow it. */
void mqtt_client_follow_engine(struct mqtt_client *c);
/* The connection is over and all it brought was pulled: what now? False: no
 * event is to be made of it. */
bool mqtt_client_conclude(struct mqtt_client *c, struct mqtt_event *event);
/* With a store: its events, the commit at the end of a turn, and before a new
 * connection what the last one could not write. */
bool mqtt_client_next_of_store(struct mqtt_client *c, struct mqtt_event *event);
bool mqtt_client_next_stored(struct mqtt_client *c, struct mqtt_event *event);
void mqtt_client_reopen_store(struct mqtt_client *c);
/* The server may not speak this version: true: the other one is to be tried, at
 * once. */
bool mqtt_client_fall_back(struct mqtt_client *c);
/* DISCONNECT leaves, if nothing is to be waited for any more. */
void mqtt_client_drain(struct mqtt_client *c);
/* Have DISCONNECT leave, and give the server a time to end. */
void mqtt_client_end_connection(struct mqtt_client *c);
/* Stop what goes on, in whatever state. */
void mqtt_client_end_now(struct mqtt_client *c);

/* When to try again, as a time from now, or MQTT_NEVER: not. */
mqtt_time mqtt_governor_delay(struct mqtt_client *c, bool established);

/* Publish a message whose payload may come from a source. */
enum mqtt_error mqtt_client_publish_draft(struct mqtt_client *client,
                                          const struct mqtt_message *message,
                                          struct mqtt_source *source,
                                          uint16_t *packet_identifier);

/* -- subscriptions -------------------------------------------------------------- */

enum mqtt_subscription_state {
    MQTT_SUBSCRIPTION_NONE,    /* not registered */
    MQTT_SUBSCRIPTION_WANTED,  /* to be asked for */
    MQTT_SUBSCRIPTION_ASKED,   /* SUBACK is awaited */
    MQTT_SUBSCRIPTION_GRANTED, /* in force */
    MQTT_SUBSCRIPTION_REFUSED, /* not, until there is a new session */
    MQTT_SUBSCRIPTION_LEAVING, /* UNSUBSCRIBE is to be sent */
    MQTT_SUBSCRIPTION_UNASKED, /* UNSUBACK is awaited */
    MQTT_SUBSCRIPTION_GONE     /* the application is to be told */
};

/* Whether its callback may be called. */
static inline bool mqtt_subscription_live(const struct mqtt_subscription *s)
{
    return s->state_ <= MQTT_SUBSCRIPTION_REFUSED && !s->leaving_;
}
/* Send the next SUBSCRIBE or UNSUBSCRIBE, if one is due and may be sent. */
void mqtt_subscriptions_request(struct mqtt_client *c);
/* The connection is gone: what was asked has no answer. */
void mqtt_subscriptions_cut(struct mqtt_client *c);
/* The server has lost the session, and all subscriptions with it. */
void mqtt_subscriptions_renew(struct mqtt_client *c);
/* SUBACK or UNSUBACK came, with these codes (in UNSUBACK of 3.1.1 none). */
void mqtt_subscriptions_answered(struct mqtt_client *c, struct mqtt_span codes);
void mqtt_subscriptions_ended(struct mqtt_client *c, struct mqtt_span codes);
/* The next one to tell the application of: SUBSCRIBED, of which answers_left_
 * are due, or UNSUBSCRIBED. */
void mqtt_subscriptions_next_answer(struct mqtt_client *c,
                                    struct mqtt_event *event);
bool mqtt_subscriptions_next_gone(struct mqtt_client *c,
                                  struct mqtt_event *event);
/* Whether every one is answered. */
bool mqtt_subscriptions_idle(const struct mqtt_client *c);
/* All are the caller's again. */
void mqtt_subscriptions_release(struct mqtt_client *c);

#endif
