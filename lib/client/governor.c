/*
 * When to try again. Full jitter: a random time up to a ceiling that doubles,
 * so that a fleet that lost its server together does not come back together.
 */
#include "client/client.h"

#define RETRY_BASE_MS 1000
#define RETRY_CAP_MS 60000
#define HEALTHY_AFTER_MS 30000

/* They may be renewed: identifier, user name or password, authorisation; or
 * the server wants to be left alone. */
static const uint8_t slow[] = {2,
                               4,
                               5,
                               MQTT_REASON_CLIENT_IDENTIFIER_NOT_VALID,
                               MQTT_REASON_BAD_USER_NAME_OR_PASSWORD,
                               MQTT_REASON_NOT_AUTHORIZED,
                               MQTT_REASON_BANNED,
                               MQTT_REASON_BAD_AUTHENTICATION_METHOD,
                               MQTT_REASON_QUOTA_EXCEEDED,
                               MQTT_REASON_CONNECTION_RATE_EXCEEDED};

static enum mqtt_pace pace_of(uint8_t reason_code)
{
    if (reason_code == 1 || /* protocol version */
        reason_code == MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION ||
        reason_code == MQTT_REASON_SESSION_TAKEN_OVER) /* two must not fight */
        return MQTT_PACE_STOP;
    for (size_t i = 0; i < sizeof slow; i++)
        if (slow[i] == reason_code)
            return MQTT_PACE_SLOW;
    return MQTT_PACE_NORMAL;
}

enum mqtt_pace mqtt_pace_default(void *context, enum mqtt_error error,
                                 uint8_t reason_code)
{
    (void)context;
    if (error == MQTT_ERR_CONTROL_SIZE)
        return MQTT_PACE_STOP;
    if (error != MQTT_ERR_REFUSED && error != MQTT_ERR_DISCONNECT_PACKET)
        return MQTT_PACE_NORMAL;
    return pace_of(reason_code);
}

static enum mqtt_pace pace(const struct mqtt_client *c)
{
    enum mqtt_pace (*function)(void *, enum mqtt_error, uint8_t) =
        c->config_->pace ? c->config_->pace : mqtt_pace_default;

    return function(c->config_->context, (enum mqtt_error)c->why_,
                    c->reason_code_);
}

static uint32_t ceiling(const struct mqtt_client *c)
{
    uint32_t cap = mqtt_setting(c->config_->retry_cap_ms, RETRY_CAP_MS);
    uint32_t ms = mqtt_setting(c->config_->retry_base_ms, RETRY_BASE_MS);

    for (uint16_t n = c->tries_; n && ms < cap; n--)
        ms = ms > cap / 2 ? cap : ms * 2;
    return ms < cap ? ms : cap;
}

/* The upper half of a * b, in parts of 16 bits: a product of 64 bits is a call
 * on small machines. */
static uint32_t upper_product(uint32_t a, uint32_t b)
{
    uint32_t a_high = a >> 16, a_low = a & 0xffff;
    uint32_t b_high = b >> 16, b_low = b & 0xffff;
    uint32_t middle = a_high * b_low + (a_low * b_low >> 16);

    return a_high * b_high + (middle >> 16) +
           ((a_low * b_high + (middle & 0xffff)) >> 16);
}

/* 0 to `ms`, each as likely; by multiplication, since small machines have no
 * division. */
static uint32_t random_up_to(const struct mqtt_client *c, uint32_t ms)
{
    uint32_t random = c->config_->random(c->config_->random_context);

    return ms == UINT32_MAX ? random : upper_product(random, ms + 1);
}

/* Only a connection that worked makes up for the failures before it: a server
 * may accept all and throw all out again. */
static bool was_healthy(const struct mqtt_client *c, bool established)
{
    uint32_t after =
        mqtt_setting(c->config_->healthy_after_ms, HEALTHY_AFTER_MS);

    return established &&
           (c->engine_.healthy_ || c->engine_.now_ - c->connected_at_ >= after);
}

mqtt_time mqtt_governor_delay(struct mqtt_client *c, bool established)
{
    enum mqtt_pace chosen = pace(c);
    uint32_t ms;

    if (was_healthy(c, established))
        c->tries_ = 0;
    if (chosen == MQTT_PACE_STOP)
        return MQTT_NEVER;
    ms = chosen == MQTT_PACE_SLOW
             ? mqtt_setting(c->config_->retry_cap_ms, RETRY_CAP_MS)
             : ceiling(c);
    if (c->tries_ < UINT16_MAX)
        c->tries_++;
    return random_up_to(c, ms);
}
