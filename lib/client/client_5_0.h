/*
 * What a client does that can speak 5.0, in one table, which the protocol
 * names: one of 3.1.1 alone links nothing of it. The version that is spoken may
 * be the fallback all the same.
 */
#ifndef MQTT_CLIENT_CLIENT_5_0_H
#define MQTT_CLIENT_CLIENT_5_0_H

#include "client/client.h"

struct mqtt_client_5_0 {
    /* A message with properties is to be published: whether it may be, and
     * when it expires. Of a fallback they are left out, or refused. */
    enum mqtt_error (*prepare)(struct mqtt_client *c, struct mqtt_draft *draft);
    /* A good CONNACK of 5.0 with these properties: the client identifier that the
     * server has chosen is kept. */
    void (*assigned)(struct mqtt_client *c, struct mqtt_span properties);
    /* The server may not speak this version: true: the other one is to be
     * tried, at once. */
    bool (*fall_back)(struct mqtt_client *c);
    /* Whether the server that is connected takes the subscription
     * [5.0, section 3.2.2.3]; what it does not take is answered without it,
     * and what it cannot be told is ended without it. */
    enum mqtt_error (*check_limits)(const struct mqtt_client *c,
                                    const struct mqtt_subscription *s);
    void (*refuse_forbidden)(struct mqtt_client *c);
    void (*end_untold)(struct mqtt_client *c);
    /* Whether it is a reason code of PUBACK. */
    bool (*may_settle)(uint8_t code);
    /* Whether the message names Subscription Identifiers of ours, and is for
     * the subscriptions that have them only; whether it is for this one. */
    bool (*names_ours)(const struct mqtt_client *c,
                       const struct mqtt_message *message);
    bool (*names)(const struct mqtt_subscription *s,
                  const struct mqtt_message *message);
};

extern const struct mqtt_client_5_0 mqtt_client_5_0;

/* NULL: it can speak 3.1.1 only. */
static inline const struct mqtt_client_5_0 *
mqtt_client_five(const struct mqtt_client *c)
{
    return c->config_->protocol->client;
}

enum mqtt_error mqtt_client_prepare(struct mqtt_client *c,
                                    struct mqtt_draft *draft);
void mqtt_client_assigned(struct mqtt_client *c, struct mqtt_span properties);
bool mqtt_client_fall_back(struct mqtt_client *c);
enum mqtt_error mqtt_client_check_limits(const struct mqtt_client *c,
                                         const struct mqtt_subscription *s);
void mqtt_client_refuse_forbidden(struct mqtt_client *c);
void mqtt_client_end_untold(struct mqtt_client *c);
bool mqtt_client_names_ours(const struct mqtt_client *c,
                            const struct mqtt_message *message);
bool mqtt_client_names(const struct mqtt_subscription *s,
                       const struct mqtt_message *message);

#endif
