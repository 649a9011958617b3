/*
 * The clockwork of a connection: PINGREQ in time, PINGRESP in time, CONNACK
 * and half-read packets in time [3.1.1, section 3.1.2.10].
 */
#include "engine/engine.h"
#include "earlier.h"

#define CONNACK_TIMEOUT_MS 10000
#define PINGRESP_TIMEOUT_MS 10000
#define PACKET_TIMEOUT_MS 30000

/* Silence after which PINGREQ is due. A little before the keep alive is over,
 * for a loop may wake late [3.1.1 MQTT-3.1.2-23]. */
static mqtt_time interval(const struct mqtt_engine *e)
{
    uint32_t margin = e->keep_alive_ms_ >> 3;

    return e->keep_alive_ms_ - (margin < 1000 ? margin : 1000);
}

/* When PINGREQ is due: it keeps the server content when nothing was sent
 * (something that waits to be sent will do as well), and it shows a dead link
 * when nothing was received. */
static mqtt_time ping_at(const struct mqtt_engine *e)
{
    mqtt_time at = MQTT_NEVER;

    if (!e->keep_alive_ms_ || e->ping_due_ || e->state_ != MQTT_ENGINE_OPEN)
        return MQTT_NEVER;
    if (!e->control_.used_)
        at = e->last_sent_ + interval(e);
    if (!e->ping_open_)
        at = mqtt_earlier(at, e->last_received_ + interval(e));
    return at;
}

static mqtt_time pingresp_timeout(const struct mqtt_engine *e)
{
    uint32_t timeout = e->config_->pingresp_timeout_ms;

    return timeout ? timeout : PINGRESP_TIMEOUT_MS;
}

static mqtt_time packet_timeout(const struct mqtt_engine *e)
{
    uint32_t timeout = e->config_->packet_timeout_ms;

    return timeout ? timeout : PACKET_TIMEOUT_MS;
}

void mqtt_engine_await_connack(struct mqtt_engine *e)
{
    uint32_t timeout = e->config_->connack_timeout_ms;

    e->answer_by_ = e->now_ + (timeout ? timeout : CONNACK_TIMEOUT_MS);
}

/* What was sent last is CONNECT, or AUTH: the wait for CONNACK counts
 * [3.1.1 MQTT-3.1.2-23]. */
void mqtt_keep_alive_begin(struct mqtt_engine *e)
{
    e->answer_by_ = MQTT_NEVER;
    e->last_received_ = e->now_;
}

void mqtt_engine_packet_began(struct mqtt_engine *e, uint32_t size)
{
    if (e->packet_by_ == MQTT_NEVER && !e->cut_)
        e->packet_by_ =
            e->now_ + packet_timeout(e) + (mqtt_time)size * MQTT_MS_PER_BYTE;
}

static void ping(struct mqtt_engine *e)
{
    e->ping_due_ = true;
    if (e->ping_open_)
        return;
    e->ping_open_ = e->ping_waits_ = true;
    e->answer_by_ = e->now_ + pingresp_timeout(e);
}

void mqtt_keep_alive_sent(struct mqtt_engine *e)
{
    e->last_sent_ = e->now_;
    /* The time for the answer begins when PINGREQ has left; on a slow link
     * that may be long after it was due. Nor is PINGRESP read while answers
     * to what came before it wait for room. */
    if (e->ping_waits_ || (e->ping_open_ && e->stuck_))
        e->answer_by_ = e->now_ + pingresp_timeout(e);
}

/* Whether bytes have come that nobody has pulled. */
static bool unread(const struct mqtt_engine *e)
{
    return e->unread_ && e->input_.end_ - e->input_.begin_ > e->packet_size_;
}

static void put_off(mqtt_time *deadline, mqtt_time to)
{
    if (*deadline != MQTT_NEVER && *deadline < to)
        *deadline = to;
}

void mqtt_engine_tick(struct mqtt_engine *e, mqtt_time now)
{
    e->now_ = now;
    if (unread(e) ||
        e->unsettled_full_) { /* what is waited for may be here, or behind it */
        put_off(&e->answer_by_, now + pingresp_timeout(e));
        put_off(&e->packet_by_, now + packet_timeout(e));
    }
    if (e->stuck_) /* nothing is read now, nor is it the packet that is late */
        put_off(&e->packet_by_, now + packet_timeout(e));
    if (e->packet_by_ <= now)
        mqtt_engine_fail(e, MQTT_ERR_PACKET_TIMEOUT);
    else if (e->answer_by_ <= now)
        mqtt_engine_fail(e, e->ping_open_ ? MQTT_ERR_PINGRESP_TIMEOUT
                                          : MQTT_ERR_CONNACK_TIMEOUT);
    else if (ping_at(e) <= now)
        ping(e);
}

mqtt_time mqtt_engine_deadline(const struct mqtt_engine *e)
{
    return mqtt_earlier(ping_at(e), mqtt_earlier(e->answer_by_, e->packet_by_));
}
