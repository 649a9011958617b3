/*
 * What the application asks for; publish.c has publishing, subscriptions.c
 * subscribing.
 */
#include "client/client.h"

enum mqtt_error mqtt_connect(struct mqtt_client *client)
{
    bool stopped, waiting;

    if (!client)
        return MQTT_ERR_ARGUMENT;
    stopped = mqtt_client_is(client, MQTT_CLIENT_STOPPED);
    waiting = mqtt_client_is(client, MQTT_CLIENT_AWAIT_RETRY);
    if (client->wanted_ && !waiting)
        return MQTT_ERR_STATE;
    mqtt_client_ask_time(client);
    client->wanted_ = true;
    client->draining_ = false;
    client->drain_by_ = MQTT_NEVER;
    if (stopped) {
        client->tries_ = 0;
        client->resuming_ = false;
    }
    if (stopped || waiting)
        mqtt_client_start_opening(client);
    mqtt_client_notify(client);
    return MQTT_OK;
}

static enum mqtt_error check_end(const struct mqtt_client *c,
                                 const struct mqtt_disconnect_options *options)
{
    bool ends = c->at_once_;

    if (c->engine_.protocol_->disconnect_check)
        return c->engine_.protocol_->disconnect_check(options, ends, &ends);
    return c->config_->drop_unsupported ||
                   (!options->reason_code && !options->properties.size)
               ? MQTT_OK
               : MQTT_ERR_PROTOCOL_VERSION;
}

/* Whether there is something to end. */
static enum mqtt_error check_running(const struct mqtt_client *c)
{
    if (!c)
        return MQTT_ERR_ARGUMENT;
    return mqtt_client_is(c, MQTT_CLIENT_STOPPED) ? MQTT_ERR_STATE : MQTT_OK;
}

/* What the version that is spoken does not say is dropped, also if another one
 * is spoken when DISCONNECT leaves. */
static enum mqtt_error disconnect(struct mqtt_client *c, uint32_t timeout_ms,
                                  const struct mqtt_disconnect_options *options)
{
    memset(&c->end_, 0, sizeof c->end_);
    if (options && c->engine_.protocol_->disconnect_check)
        c->end_ = *options;
    mqtt_client_ask_time(c);
    c->wanted_ = false;
    c->draining_ = timeout_ms != 0;
    c->drain_by_ = timeout_ms ? c->engine_.now_ + timeout_ms : MQTT_NEVER;
    if (timeout_ms)
        mqtt_client_drain(c);
    else
        mqtt_client_end_now(c);
    mqtt_client_notify(c);
    return MQTT_OK;
}

enum mqtt_error mqtt_disconnect(struct mqtt_client *client, uint32_t timeout_ms)
{
    enum mqtt_error error = check_running(client);

    return error ? error : disconnect(client, timeout_ms, NULL);
}

enum mqtt_error
mqtt_disconnect_with(struct mqtt_client *client, uint32_t timeout_ms,
                     const struct mqtt_disconnect_options *options)
{
    enum mqtt_error error = options ? check_running(client) : MQTT_ERR_ARGUMENT;

    if (!error)
        error = check_end(client, options);
    return error ? error : disconnect(client, timeout_ms, options);
}
