/*
 * Subscriptions are nodes of the application's in a list; here the server is
 * kept informed of them: one SUBSCRIBE or UNSUBSCRIBE at a time, with as many
 * topic filters as fit, UNSUBSCRIBE first, so that a topic filter that was
 * given up and taken again ends up taken.
 */
#include "client/client_5_0.h"
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

uint32_t mqtt_subscription_size(const struct mqtt_client *c,
                                enum mqtt_packet_type type,
                                const struct mqtt_subscription *subscription,
                                bool identifiers)
{
    return mqtt_request_size(c->session_.protocol_->request_head_size(
                                 type, subscription, identifiers) +
                             mqtt_request_entry_size(type, subscription));
}

/* Whether such a request fits into control memory, whatever server is to have
 * it. */
static bool fits(const struct mqtt_client *c,
                 const struct mqtt_subscription *subscription)
{
    uint32_t room = c->engine_.control_.size_;

    return subscription->topic_filter.size + REQUEST_OVERHEAD <= room &&
           subscription->properties.size <= room &&
           mqtt_subscription_size(c, MQTT_SUBSCRIBE, subscription, true) <=
               room;
}

enum mqtt_error
mqtt_subscription_allowed(const struct mqtt_client *c,
                          const struct mqtt_protocol *protocol,
                          const struct mqtt_subscription *subscription)
{
    enum mqtt_error error;

    if (!protocol->subscription_check)
        return MQTT_ERR_PROTOCOL_VERSION;
    error = protocol->subscription_check(subscription);
    return error == MQTT_ERR_PROTOCOL_VERSION && c->config_->drop_unsupported
               ? MQTT_OK
               : error;
}

static enum mqtt_error check_new(const struct mqtt_client *c,
                                 const struct mqtt_subscription *subscription)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);
    enum mqtt_error error =
        mqtt_subscription_allowed(c, c->session_.protocol_, subscription);

    if (error)
        return error;
    if (!fits(c, subscription))
        return MQTT_ERR_TOO_LARGE;
    return five && mqtt_client_is(c, MQTT_CLIENT_CONNECTED)
               ? five->check_limits(c, subscription)
               : MQTT_OK;
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

/* What was answered is told by now: the end is another matter. */
static void forget_answer(struct mqtt_subscription *s)
{
    s->code_ = 0;
    s->error_ = MQTT_OK;
}

static void leave(struct mqtt_client *c, struct mqtt_subscription *s)
{
    /* Such a session has ended with its connection, or not begun. */
    bool unknown_to_server =
        !mqtt_client_is(c, MQTT_CLIENT_CONNECTED) && c->engine_.session_ends_;

    s->leaving_ = false;
    if (!s->answer_due_)
        forget_answer(s);
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

static struct mqtt_subscription *first_in(const struct mqtt_client *c,
                                          uint8_t state)
{
    struct mqtt_subscription *s = c->subscriptions_;

    while (s && s->state_ != state)
        s = s->next_;
    return s;
}

/* The first `count` nodes in one state that stand in one request change to
 * another. */
static void advance(struct mqtt_client *c, unsigned count, uint8_t from,
                    uint8_t to)
{
    struct mqtt_subscription *first = first_in(c, from);

    for (struct mqtt_subscription *s = first; count; s = s->next_) {
        if (s->state_ != from || !mqtt_request_joins(&c->engine_, first, s))
            continue;
        s->state_ = to;
        count--;
    }
}

static void request(struct mqtt_client *c, enum mqtt_packet_type type,
                    uint8_t from, uint8_t to)
{
    advance(c, mqtt_engine_request(&c->engine_, type, c->subscriptions_, from),
            from, to);
}

static void request_wanted(struct mqtt_client *c)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);

    if (five)
        five->refuse_forbidden(c);
    if (c->answers_left_)
        return;
    if (first_in(c, MQTT_SUBSCRIPTION_WANTED))
        request(c, MQTT_SUBSCRIBE, MQTT_SUBSCRIPTION_WANTED,
                MQTT_SUBSCRIPTION_ASKED);
    else
        c->subscriptions_due_ = false;
}

static void request_due(struct mqtt_client *c)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);

    if (!mqtt_client_is(c, MQTT_CLIENT_CONNECTED) || c->answers_left_ ||
        c->wiping_ || c->engine_.request_count_)
        return;
    if (five)
        five->end_untold(c);
    if (first_in(c, MQTT_SUBSCRIPTION_LEAVING))
        request(c, MQTT_UNSUBSCRIBE, MQTT_SUBSCRIPTION_LEAVING,
                MQTT_SUBSCRIPTION_UNASKED);
    else
        request_wanted(c);
}

/* -- answers --------------------------------------------------------------------- */

/* The codes are in the order of the topic filters [3.1.1 MQTT-3.9.3-1]. */
static void granted(struct mqtt_client *c, struct mqtt_span codes)
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
        s->error_ = MQTT_OK;
        s->code_ = *code++;
        s->answer_due_ = true;
        left--;
    }
}

/* As above [5.0 MQTT-3.11.3-1]; in 3.1.1 there are none. */
static void ended(struct mqtt_client *c, struct mqtt_span codes)
{
    const uint8_t *code = codes.data;

    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_) {
        if (s->state_ != MQTT_SUBSCRIPTION_UNASKED)
            continue;
        s->state_ = MQTT_SUBSCRIPTION_GONE;
        s->code_ = codes.size ? *code++ : 0;
        s->unsuback_ = true;
    }
    c->gone_due_ = true;
}

static void tell(struct mqtt_event *event, enum mqtt_event_type type,
                 struct mqtt_subscription *s)
{
    mqtt_event_begin(event, type);
    event->subscription = s;
    event->reason_code = s->code_;
    event->error = (enum mqtt_error)s->error_;
}

static void next_answer(struct mqtt_client *c, struct mqtt_event *event)
{
    struct mqtt_subscription *s = c->answered_;

    while (!s->answer_due_)
        s = s->next_;
    s->answer_due_ = false;
    c->answered_ = s->next_;
    c->answers_left_--;
    tell(event, MQTT_EVENT_SUBSCRIBED, s);
    if (!s->error_)
        event->properties = c->answer_properties_;
    if (s->leaving_)
        leave(c, s);
    else if (!mqtt_subscription_live(s)) /* it left before it was told */
        forget_answer(s);
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

static bool next_gone(struct mqtt_client *c, struct mqtt_event *event)
{
    struct mqtt_subscription *s, *previous = NULL;

    for (s = c->subscriptions_; s; previous = s, s = s->next_)
        if (s->state_ == MQTT_SUBSCRIPTION_GONE)
            break;
    c->gone_due_ = s != NULL;
    if (!s)
        return false;
    take_out(c, s, previous);
    tell(event, MQTT_EVENT_UNSUBSCRIBED, s);
    if (s->unsuback_)
        event->properties = c->answer_properties_;
    s->unsuback_ = false;
    return true;
}

static bool answered(struct mqtt_client *c, struct mqtt_event *event)
{
    struct mqtt_span codes = event->message.payload;

    c->answer_properties_ = event->properties;
    if ((unsigned)event->type == MQTT_EVENT_UNSUBACK) {
        ended(c, codes);
        return next_gone(c, event);
    }
    granted(c, codes);
    next_answer(c, event);
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

static void cut(struct mqtt_client *c)
{
    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_)
        cut_one(c, s);
    c->subscriptions_due_ = c->subscriptions_ != NULL;
}

static void renew(struct mqtt_client *c)
{
    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_) {
        if (s->state_ == MQTT_SUBSCRIPTION_LEAVING) {
            s->state_ = MQTT_SUBSCRIPTION_GONE;
            c->gone_due_ = true;
        } else if (s->state_ != MQTT_SUBSCRIPTION_GONE) {
            s->renewed_ =
                s->renewed_ || (c->config_->renew_without_retained &&
                                s->state_ == MQTT_SUBSCRIPTION_GRANTED);
            s->state_ = MQTT_SUBSCRIPTION_WANTED;
        }
    }
    c->subscriptions_due_ = c->subscriptions_ != NULL;
}

static void release(struct mqtt_client *c)
{
    while (c->subscriptions_) {
        struct mqtt_subscription *s = c->subscriptions_;

        c->subscriptions_ = s->next_;
        s->next_ = NULL;
        s->state_ = MQTT_SUBSCRIPTION_NONE;
    }
}

/* -- the seam ---------------------------------------------------------------------- */

static const struct mqtt_subscriber mqtt_subscriber = {
    .dispatch = mqtt_dispatch_linear,
    .request_due = request_due,
    .cut = cut,
    .renew = renew,
    .answered = answered,
    .next_answer = next_answer,
    .next_gone = next_gone,
    .release = release,
};

enum mqtt_error mqtt_subscribe(struct mqtt_client *client,
                               struct mqtt_subscription *subscription)
{
    enum mqtt_error error;

    if (!client || !subscription)
        return MQTT_ERR_ARGUMENT;
    if (subscription->state_ != MQTT_SUBSCRIPTION_NONE)
        return MQTT_ERR_STATE;
    error = check_new(client, subscription);
    if (error)
        return error;
    subscription->state_ = MQTT_SUBSCRIPTION_WANTED;
    subscription->leaving_ = subscription->answer_due_ = false;
    subscription->renewed_ = subscription->unsuback_ = false;
    subscription->error_ = MQTT_OK;
    mqtt_topic_prepare(&subscription->pattern_, subscription->topic_filter);
    append(client, subscription);
    client->subscriber_ = &mqtt_subscriber;
    client->subscriptions_due_ = true;
    mqtt_client_notify(client);
    return MQTT_OK;
}
