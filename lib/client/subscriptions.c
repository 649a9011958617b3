/*
 * Subscriptions are nodes of the application's in a list; here the server is
 * kept informed of them: one SUBSCRIBE or UNSUBSCRIBE at a time, with as many
 * topic filters as fit, UNSUBSCRIBE first, so that a topic filter that was
 * given up and taken again ends up taken.
 */
#include "client/client.h"
#include "wire/topic.h"

/* What is promised: a topic filter of so many bytes less than control memory
 * fits; above 16,000 bytes one more is needed. */
#define REQUEST_OVERHEAD 8

static bool same_filter(const struct mqtt_subscription *a,
                        const struct mqtt_subscription *b)
{
    return a->topic_filter.size == b->topic_filter.size &&
           !memcmp(a->topic_filter.data, b->topic_filter.data,
                   a->topic_filter.size);
}

static bool registered(const struct mqtt_client *c,
                       const struct mqtt_subscription *subscription)
{
    const struct mqtt_subscription *s = c->subscriptions_;

    while (s && s != subscription)
        s = s->next_;
    return s;
}

static void append(struct mqtt_client *c,
                   struct mqtt_subscription *subscription)
{
    subscription->next_ = NULL;
    if (c->subscriptions_)
        c->last_subscription_->next_ = subscription;
    else
        c->subscriptions_ = subscription;
    c->last_subscription_ = subscription;
}

/* Whether a request of this one alone fits into control memory. */
static bool fits(const struct mqtt_client *c,
                 const struct mqtt_subscription *subscription)
{
    uint32_t room = c->engine_.control_.size_;
    uint32_t entry =
        c->config_->protocol->request_entry_size(MQTT_SUBSCRIBE, subscription);

    return subscription->topic_filter.size + REQUEST_OVERHEAD <= room &&
           mqtt_request_size(entry) <= room;
}

enum mqtt_error mqtt_subscribe(struct mqtt_client *client,
                               struct mqtt_subscription *subscription)
{
    if (!client || !subscription)
        return MQTT_ERR_ARGUMENT;
    if (subscription->state_ != MQTT_SUBSCRIPTION_NONE)
        return MQTT_ERR_STATE;
    if (!mqtt_topic_filter_valid(subscription->topic_filter))
        return MQTT_ERR_TOPIC_FILTER;
    if (subscription->maximum_qos > MQTT_QOS_2)
        return MQTT_ERR_QOS;
    if (!fits(client, subscription))
        return MQTT_ERR_TOO_LARGE;
    subscription->state_ = MQTT_SUBSCRIPTION_WANTED;
    subscription->leaving_ = subscription->answer_due_ = false;
    mqtt_topic_prepare(&subscription->pattern_, subscription->topic_filter);
    append(client, subscription);
    client->subscriptions_due_ = true;
    mqtt_client_notify(client);
    return MQTT_OK;
}

/* Whether another node holds the same topic filter: then the server is not to
 * be told that this one is given up. */
static bool shared(const struct mqtt_client *c,
                   const struct mqtt_subscription *subscription)
{
    const struct mqtt_subscription *s;

    for (s = c->subscriptions_; s; s = s->next_)
        if (s != subscription && mqtt_subscription_live(s) &&
            s->state_ != MQTT_SUBSCRIPTION_REFUSED &&
            same_filter(s, subscription))
            return true;
    return false;
}

static void leave(struct mqtt_client *c, struct mqtt_subscription *s)
{
    /* A clean session has ended with its connection, or not begun. */
    bool unknown_to_server = !mqtt_client_is(c, MQTT_CLIENT_CONNECTED) &&
                             c->engine_.clean_ &&
                             c->config_->protocol->clean_ends_session;

    s->leaving_ = false;
    if (unknown_to_server || shared(c, s)) {
        s->state_ = MQTT_SUBSCRIPTION_GONE;
        c->gone_due_ = true;
    } else {
        s->state_ = MQTT_SUBSCRIPTION_LEAVING;
        c->subscriptions_due_ = true;
    }
}

enum mqtt_error mqtt_unsubscribe(struct mqtt_client *client,
                                 struct mqtt_subscription *subscription)
{
    if (!client || !subscription)
        return MQTT_ERR_ARGUMENT;
    if (!registered(client, subscription) ||
        !mqtt_subscription_live(subscription))
        return MQTT_ERR_STATE;
    if (subscription->state_ == MQTT_SUBSCRIPTION_ASKED)
        subscription->leaving_ = true; /* when SUBACK has come */
    else
        leave(client, subscription);
    mqtt_client_notify(client);
    return MQTT_OK;
}

/* -- requests -------------------------------------------------------------------- */

/* The first `count` nodes in one state change to another. */
static void advance(struct mqtt_client *c, unsigned count, uint8_t from,
                    uint8_t to)
{
    for (struct mqtt_subscription *s = c->subscriptions_; count; s = s->next_) {
        if (s->state_ != from)
            continue;
        s->state_ = to;
        count--;
    }
}

static bool any(const struct mqtt_client *c, uint8_t state)
{
    const struct mqtt_subscription *s = c->subscriptions_;

    while (s && s->state_ != state)
        s = s->next_;
    return s;
}

static void request(struct mqtt_client *c, enum mqtt_packet_type type,
                    uint8_t from, uint8_t to)
{
    advance(c, mqtt_engine_request(&c->engine_, type, c->subscriptions_, from),
            from, to);
}

void mqtt_subscriptions_request(struct mqtt_client *c)
{
    if (!mqtt_client_is(c, MQTT_CLIENT_CONNECTED) || c->answers_left_ ||
        c->wiping_ || c->engine_.request_count_)
        return;
    if (any(c, MQTT_SUBSCRIPTION_LEAVING))
        request(c, MQTT_UNSUBSCRIBE, MQTT_SUBSCRIPTION_LEAVING,
                MQTT_SUBSCRIPTION_UNASKED);
    else if (any(c, MQTT_SUBSCRIPTION_WANTED))
        request(c, MQTT_SUBSCRIBE, MQTT_SUBSCRIPTION_WANTED,
                MQTT_SUBSCRIPTION_ASKED);
    else
        c->subscriptions_due_ = false;
}

bool mqtt_subscriptions_idle(const struct mqtt_client *c)
{
    return !c->subscriptions_due_ && !c->engine_.request_count_ &&
           !c->answers_left_ && !c->gone_due_;
}

/* -- answers --------------------------------------------------------------------- */

/* The codes are in the order of the topic filters [3.1.1 MQTT-3.9.3-1]. */
void mqtt_subscriptions_answered(struct mqtt_client *c, struct mqtt_span codes)
{
    const uint8_t *code = codes.data;
    struct mqtt_subscription *s = c->subscriptions_;

    c->answered_ = s;
    c->answers_left_ = (uint16_t)codes.size;
    for (uint16_t left = c->answers_left_; left; s = s->next_) {
        if (s->state_ != MQTT_SUBSCRIPTION_ASKED)
            continue;
        s->state_ = *code & 0x80 ? MQTT_SUBSCRIPTION_REFUSED
                                 : MQTT_SUBSCRIPTION_GRANTED;
        s->code_ = *code++;
        s->answer_due_ = true;
        left--;
    }
}

void mqtt_subscriptions_unanswered(struct mqtt_client *c)
{
    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_)
        if (s->state_ == MQTT_SUBSCRIPTION_UNASKED)
            s->state_ = MQTT_SUBSCRIPTION_GONE;
    c->gone_due_ = true;
}

bool mqtt_subscriptions_next_answer(struct mqtt_client *c,
                                    struct mqtt_event *event)
{
    struct mqtt_subscription *s = c->answered_;

    if (!c->answers_left_)
        return false;
    while (!s->answer_due_)
        s = s->next_;
    s->answer_due_ = false;
    c->answered_ = s->next_;
    c->answers_left_--;
    memset(event, 0, sizeof *event);
    event->type = MQTT_EVENT_SUBSCRIBED;
    event->subscription = s;
    event->reason_code = s->code_;
    if (s->leaving_)
        leave(c, s);
    return true;
}

static void take_out(struct mqtt_client *c, struct mqtt_subscription *s,
                     struct mqtt_subscription *previous)
{
    if (previous)
        previous->next_ = s->next_;
    else
        c->subscriptions_ = s->next_;
    if (c->last_subscription_ == s)
        c->last_subscription_ = previous;
    s->next_ = NULL;
    s->state_ = MQTT_SUBSCRIPTION_NONE;
}

bool mqtt_subscriptions_next_gone(struct mqtt_client *c,
                                  struct mqtt_event *event)
{
    struct mqtt_subscription *s, *previous = NULL;

    if (!c->gone_due_)
        return false;
    for (s = c->subscriptions_; s; previous = s, s = s->next_)
        if (s->state_ == MQTT_SUBSCRIPTION_GONE)
            break;
    c->gone_due_ = s != NULL;
    if (!s)
        return false;
    take_out(c, s, previous);
    memset(event, 0, sizeof *event);
    event->type = MQTT_EVENT_UNSUBSCRIBED;
    event->subscription = s;
    return true;
}

/* -- over connections ------------------------------------------------------------- */

static void cut_one(struct mqtt_client *c, struct mqtt_subscription *s)
{
    if (s->state_ == MQTT_SUBSCRIPTION_ASKED) {
        s->state_ = MQTT_SUBSCRIPTION_WANTED;
        if (s->leaving_)
            leave(c, s);
    } else if (s->state_ == MQTT_SUBSCRIPTION_UNASKED) {
        s->state_ = MQTT_SUBSCRIPTION_LEAVING;
    }
}

void mqtt_subscriptions_cut(struct mqtt_client *c)
{
    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_)
        cut_one(c, s);
    c->subscriptions_due_ = c->subscriptions_ != NULL;
}

void mqtt_subscriptions_renew(struct mqtt_client *c)
{
    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_) {
        if (s->state_ == MQTT_SUBSCRIPTION_LEAVING) {
            s->state_ = MQTT_SUBSCRIPTION_GONE;
            c->gone_due_ = true;
        } else if (s->state_ != MQTT_SUBSCRIPTION_GONE) {
            s->state_ = MQTT_SUBSCRIPTION_WANTED;
        }
    }
    c->subscriptions_due_ = c->subscriptions_ != NULL;
}

void mqtt_subscriptions_release(struct mqtt_client *c)
{
    while (c->subscriptions_) {
        struct mqtt_subscription *s = c->subscriptions_;

        c->subscriptions_ = s->next_;
        s->next_ = NULL;
        s->state_ = MQTT_SUBSCRIPTION_NONE;
    }
}
