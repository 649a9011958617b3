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
#include "wire/topic.h"

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
void mqtt_client_notify(struct mqtt_client *c);

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
                                          struct mqtt_draft *draft,
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
static inline bool mqtt_subscription_matches(const struct mqtt_subscription *s,
                                             const struct mqtt_message *message)
{
    return mqtt_subscription_live(s) &&
           mqtt_topic_pattern_matches(&s->pattern_, message->topic_name);
}
/* Whether the version takes it. */
enum mqtt_error
mqtt_subscription_allowed(const struct mqtt_client *c,
                          const struct mqtt_protocol *protocol,
                          const struct mqtt_subscription *subscription);
/* Bytes of a request of this one alone; `identifiers`: the server takes
 * Subscription Identifiers. */
uint32_t mqtt_subscription_size(const struct mqtt_client *c,
                                enum mqtt_packet_type type,
                                const struct mqtt_subscription *subscription,
                                bool identifiers);

/* What mqtt_subscribe() brings with it: subscriber_ of a client that has
 * subscribed, else NULL. */
struct mqtt_subscriber {
    mqtt_dispatch_function *dispatch;
    /* Send the next SUBSCRIBE or UNSUBSCRIBE, if one is due and may be sent. */
    void (*request_due)(struct mqtt_client *c);
    /* The connection is gone: what was asked has no answer. */
    void (*cut)(struct mqtt_client *c);
    /* The server has lost the session, and all subscriptions with it. */
    void (*renew)(struct mqtt_client *c);
    /* SUBACK or UNSUBACK came: an event of the engine, which becomes one for
     * the application, or none. */
    bool (*answered)(struct mqtt_client *c, struct mqtt_event *event);
    /* The next one to tell the application of: SUBSCRIBED, of which
     * answers_left_ are due, or UNSUBSCRIBED, if gone_due_. */
    void (*next_answer)(struct mqtt_client *c, struct mqtt_event *event);
    bool (*next_gone)(struct mqtt_client *c, struct mqtt_event *event);
    /* All are the caller's again. */
    void (*release)(struct mqtt_client *c);
};

static inline void mqtt_subscriptions_renew(struct mqtt_client *c)
{
    if (c->subscriber_)
        c->subscriber_->renew(c);
}

static inline bool mqtt_subscriptions_next_gone(struct mqtt_client *c,
                                                struct mqtt_event *event)
{
    return c->gone_due_ && c->subscriber_->next_gone(c, event);
}

/* Whether every one is answered. While a request is open, or answers are left,
 * subscriptions_due_ stays. */
static inline bool mqtt_subscriptions_idle(const struct mqtt_client *c)
{
    return !c->subscriptions_due_ && !c->gone_due_;
}

#endif
