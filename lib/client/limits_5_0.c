/*
 * Subscriptions that the server that is connected does not take
 * [5.0, section 3.2.2.3].
 */
#include "client/client_5_0.h"
#include "wire/topic.h"

static bool has_wildcard(struct mqtt_span filter)
{
    const uint8_t *at = filter.data;

    for (size_t i = 0; i < filter.size; i++)
        if (at[i] == '+' || at[i] == '#')
            return true;
    return false;
}

enum mqtt_error mqtt_client_check_limits(const struct mqtt_client *c,
                                         const struct mqtt_subscription *s)
{
    const struct mqtt_limits *limits = &c->session_.limits_;
    enum mqtt_error error =
        mqtt_subscription_allowed(c, c->engine_.protocol_, s);

    if (error)
        return error;
    if (!limits->shared_available && mqtt_topic_shared(s->topic_filter))
        return MQTT_ERR_SHARED_UNAVAILABLE;
    if (!limits->wildcard_available && has_wildcard(s->topic_filter))
        return MQTT_ERR_WILDCARD_UNAVAILABLE;
    if (mqtt_subscription_size(c, MQTT_SUBSCRIBE, s,
                               limits->subscription_identifiers_available) >
        limits->maximum_packet_size)
        return MQTT_ERR_MAXIMUM_PACKET_SIZE;
    return MQTT_OK;
}

void mqtt_client_refuse_forbidden(struct mqtt_client *c)
{
    struct mqtt_subscription *s = c->subscriptions_;

    for (; s && c->answers_left_ < UINT16_MAX; s = s->next_) {
        enum mqtt_error error;

        if (s->state_ != MQTT_SUBSCRIPTION_WANTED)
            continue;
        error = mqtt_client_check_limits(c, s);
        if (!error)
            continue;
        s->state_ = MQTT_SUBSCRIPTION_REFUSED;
        s->error_ = (int8_t)error;
        s->code_ = 0;
        s->answer_due_ = true;
        c->answers_left_++;
    }
    c->answered_ = c->subscriptions_;
}

/* An UNSUBSCRIBE that is larger than the server takes cannot be sent, and
 * nothing is to wait for it. A version that cannot subscribe has nothing to
 * tell. */
void mqtt_client_end_untold(struct mqtt_client *c)
{
    uint32_t limit = c->session_.limits_.maximum_packet_size;
    bool asks = c->engine_.protocol_->subscription_check;

    for (struct mqtt_subscription *s = c->subscriptions_; s; s = s->next_) {
        if (s->state_ != MQTT_SUBSCRIPTION_LEAVING ||
            (asks &&
             mqtt_subscription_size(c, MQTT_UNSUBSCRIBE, s, false) <= limit))
            continue;
        s->state_ = MQTT_SUBSCRIPTION_GONE;
        s->error_ = asks ? MQTT_ERR_MAXIMUM_PACKET_SIZE : MQTT_OK;
        c->gone_due_ = true;
    }
}
