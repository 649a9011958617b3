#include "client/client_5_0.h"
#include "earlier.h"
#include "session/composer.h"
#include "session/store.h"

#define OPEN_TIMEOUT_MS 30000
#define END_TIMEOUT_MS 500

/* -- beginning and end ------------------------------------------------------ */

static enum mqtt_session_start session_start(const struct mqtt_config *config)
{
    if (config->session != MQTT_SESSION_DEFAULT)
        return config->session;
    return config->connect.clean_start ? MQTT_SESSION_NEW : MQTT_SESSION_RESUME;
}

static enum mqtt_error check_config(const struct mqtt_config *config)
{
    if (!config->protocol || !config->random ||
        (config->trace && !config->trace_seam))
        return MQTT_ERR_ARGUMENT;
    if (config->fallback && (!mqtt_protocol_is_5(config->protocol) ||
                             mqtt_protocol_is_5(config->fallback)))
        return MQTT_ERR_ARGUMENT;
    if (!config->server_count || !config->servers ||
        config->server_count > UINT16_MAX)
        return MQTT_ERR_SERVER;
    for (size_t i = 0; i < config->server_count; i++)
        if (!config->servers[i].address)
            return MQTT_ERR_SERVER;
    return MQTT_OK;
}

/* CONNECT as configured, in one version. */
static enum mqtt_error check_connect(const struct mqtt_client *c,
                                     const struct mqtt_protocol *protocol)
{
    const struct mqtt_connect_options *options = &c->config_->connect;
    struct mqtt_announced announced =
        mqtt_engine_announced(&c->engine_, options);
    enum mqtt_error error = protocol->connect_check(options);

    if (error)
        return error;
    return protocol->connect_size(options, &announced) >
                   c->engine_.control_.size_
               ? MQTT_ERR_CONTROL_SIZE
               : MQTT_OK;
}

static enum mqtt_error init_parts(struct mqtt_client *c,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory)
{
    enum mqtt_error error;

    if (!mqtt_memory_valid(memory, config))
        return MQTT_ERR_MEMORY;
    error = mqtt_session_init(&c->session_, config, memory);
    if (error)
        return error;
    mqtt_engine_init(&c->engine_, &c->session_, config, memory);
    error = check_connect(c, config->protocol);
    if (!error && config->fallback)
        error = check_connect(c, config->fallback);
    return error;
}

enum mqtt_error mqtt_client_init(struct mqtt_client *client, size_t size,
                                 const struct mqtt_config *config,
                                 const struct mqtt_memory *memory)
{
    enum mqtt_error error;

    if (!client || !config || !memory)
        return MQTT_ERR_ARGUMENT;
    if (size != sizeof *client)
        return MQTT_ERR_VERSION;
    memset(client, 0, sizeof *client);
    client->config_ = config;
    error = check_config(config);
    if (!error)
        error = init_parts(client, config, memory);
    if (error)
        return error;
    client->engine_.session_ends_ =
        mqtt_session_ends(config->protocol, &config->connect);
    client->session_held_ = session_start(config) == MQTT_SESSION_RESUME &&
                            !client->session_.given_up_;
    client->next_ = client->drain_by_ = MQTT_NEVER;
    return MQTT_OK;
}

void mqtt_client_destroy(struct mqtt_client *client)
{
    if (client->destroyed_)
        *client->destroyed_ = true;
    if (client->subscriber_)
        client->subscriber_->release(client);
    client->session_.store_ = NULL; /* a commit may be open still */
    client->state_ = MQTT_CLIENT_STOPPED;
    client->lost_ = false;
    client->requested_ = NULL;
    client->clock_ = NULL;
}

enum mqtt_client_state mqtt_client_state(const struct mqtt_client *client)
{
    return (enum mqtt_client_state)client->state_;
}

void mqtt_client_set_driver(struct mqtt_client *client, void *driver,
                            void (*requested)(void *driver),
                            mqtt_time (*clock)(void *driver))
{
    client->driver_ = driver;
    client->requested_ = requested;
    client->clock_ = clock;
    client->notified_ = false;
}

static void set_time(struct mqtt_client *c, mqtt_time now)
{
    c->engine_.now_ = c->session_.now_ = now;
    mqtt_store_time(&c->session_);
}

void mqtt_client_ask_time(struct mqtt_client *c)
{
    if (c->clock_)
        set_time(c, c->clock_(c->driver_));
}

/* -- from state to state ------------------------------------------------------ */

void mqtt_client_enter(struct mqtt_client *c, enum mqtt_client_state state,
                       enum mqtt_error why)
{
    struct mqtt_log log = {c->engine_.now_, (enum mqtt_client_state)c->state_,
                           state, why};

    c->state_ = (uint8_t)state;
    if (c->config_->log)
        c->config_->log(c->config_->context, &log);
}

void mqtt_client_give_up(struct mqtt_client *c, enum mqtt_error why)
{
    c->why_ = (int8_t)why;
    c->next_ = MQTT_NEVER;
    mqtt_client_enter(c, MQTT_CLIENT_AWAIT_CLOSE, why);
}

/* There is no network connection that had to be closed. */
static void attempt_failed(struct mqtt_client *c, enum mqtt_error why)
{
    mqtt_client_give_up(c, why);
    c->detail_ = NULL;
    c->lost_ = true;
}

/* What CONNECT will say, renewed by the application if it wants to. */
static enum mqtt_error renew_options(struct mqtt_client *c)
{
    const struct mqtt_config *config = c->config_;

    c->engine_.connect_ = config->connect;
    c->server_ = config->servers[c->server_index_];
    if (config->before_connect &&
        config->before_connect(config->context, &c->engine_.connect_,
                               &c->server_))
        return MQTT_ERR_RENEWAL;
    if (!c->engine_.connect_.client_identifier.size &&
        c->session_.identifier_size_)
        c->engine_.connect_.client_identifier = (struct mqtt_span){
            c->session_.identifier_, c->session_.identifier_size_};
    c->at_once_ = !mqtt_session_expiry_wanted(&c->engine_.connect_);
    return c->engine_.protocol_->connect_check(&c->engine_.connect_);
}

void mqtt_client_start_opening(struct mqtt_client *c)
{
    enum mqtt_error error;

    c->why_ = MQTT_OK;
    c->reason_code_ = 0;
    c->established_ = c->greeted_ = false;
    c->ending_ = c->failing_ = false;
    error = renew_options(c);
    if (error) {
        attempt_failed(c, error);
        return;
    }
    c->next_ = c->engine_.now_ +
               mqtt_setting(c->config_->open_timeout_ms, OPEN_TIMEOUT_MS);
    mqtt_client_enter(c, MQTT_CLIENT_AWAIT_OPEN, MQTT_OK);
}

/* Whether this connection asks for a clean start. How long the session lasts
 * is what was configured all the same. */
static void set_start(struct mqtt_client *c)
{
    struct mqtt_connect_options *options = &c->engine_.connect_;

    options->session_expiry_s = mqtt_session_expiry_wanted(options);
    if (!options->session_expiry_s)
        options->session_expiry_s = MQTT_SESSION_EXPIRY_AT_ONCE;
    if (c->resuming_)
        options->clean_start = false;
    if (c->wiping_)
        options->clean_start = true;
}

void mqtt_client_opened(struct mqtt_client *client)
{
    const struct mqtt_store *store = client->session_.store_;
    enum mqtt_error error;

    if (!mqtt_client_is(client, MQTT_CLIENT_AWAIT_OPEN))
        return;
    set_start(client);
    client->greeted_ = true;
    if (store)
        store->seam->reopen(client);
    error = mqtt_engine_open(&client->engine_, &client->engine_.connect_,
                             client->session_held_);
    if (error) {
        mqtt_client_give_up(client, error);
        return;
    }
    client->next_ = MQTT_NEVER;
    mqtt_client_enter(client, MQTT_CLIENT_AWAIT_CONNACK, MQTT_OK);
}

static bool running(const struct mqtt_client *c)
{
    return mqtt_client_is(c, MQTT_CLIENT_AWAIT_CONNACK) ||
           mqtt_client_is(c, MQTT_CLIENT_CONNECTED);
}

/* Whether there is, or is to be, a network connection. */
static bool linked(const struct mqtt_client *c)
{
    return c->state_ >= MQTT_CLIENT_AWAIT_OPEN && !c->lost_;
}

void mqtt_client_closed(struct mqtt_client *client, enum mqtt_error why,
                        const char *detail)
{
    if (!linked(client))
        return;
    if (client->failing_)
        why = (enum mqtt_error)client->engine_.error_;
    else if (client->ending_)
        why = MQTT_OK; /* however it ended: it was to end */
    else if (!why)
        why = MQTT_ERR_CLOSED;
    if (!mqtt_client_is(client, MQTT_CLIENT_AWAIT_CLOSE) &&
        !mqtt_client_is(client, MQTT_CLIENT_AWAIT_END))
        client->why_ = (int8_t)why;
    mqtt_engine_close(&client->engine_);
    client->detail_ = detail;
    client->lost_ = true;
}

/* DISCONNECT has so long to leave, and then the server to end. */
static void set_end_timeout(struct mqtt_client *c)
{
    c->next_ = c->engine_.now_ +
               mqtt_setting(c->config_->end_timeout_ms, END_TIMEOUT_MS);
}

/* DISCONNECT with an error is to leave [5.0, section 4.13]. */
static void begin_failing(struct mqtt_client *c)
{
    if (c->failing_ || c->ending_)
        return;
    c->failing_ = true;
    c->why_ = c->engine_.error_;
    c->reason_code_ = c->engine_.reason_code_;
    set_end_timeout(c);
}

void mqtt_client_follow_engine(struct mqtt_client *c)
{
    if (!running(c) || c->lost_)
        return;
    if (mqtt_engine_failing(&c->engine_))
        begin_failing(c);
    if (c->engine_.state_ == MQTT_ENGINE_FAILED) {
        c->reason_code_ = c->engine_.reason_code_;
        mqtt_client_give_up(c, c->ending_ ? MQTT_OK
                                          : (enum mqtt_error)c->engine_.error_);
    } else if (c->engine_.state_ == MQTT_ENGINE_ENDED) {
        set_end_timeout(c);
        mqtt_client_enter(c, MQTT_CLIENT_AWAIT_END, (enum mqtt_error)c->why_);
    }
}

/* -- what follows a connection -------------------------------------------------- */

/* What the session and the subscriptions become without it. */
static void cut_session(struct mqtt_client *c)
{
    bool ended = c->established_ && c->engine_.session_ends_;

    mqtt_session_cut(&c->session_, c->config_->keep_qos0);
    if (c->subscriber_)
        c->subscriber_->cut(c);
    if (ended) {
        c->session_.given_up_ = !c->engine_.protocol_->clean_ends_session;
        mqtt_session_renew(&c->session_, c->config_);
        mqtt_subscriptions_renew(c);
        c->resuming_ = false;
        if (!c->engine_.protocol_->clean_ends_session)
            c->session_held_ = false; /* [5.0 MQTT-3.2.2-4] */
    }
    c->engine_.state_ = MQTT_ENGINE_CLOSED;
    c->engine_.oversize_step_ = 0; /* there is another CONNECT to come */
}

static void count_loss(struct mqtt_client *c)
{
    struct mqtt_statistics *statistics = c->config_->statistics;

    if (c->why_ == MQTT_OK)
        return;
    if (c->established_)
        MQTT_COUNT(statistics, connections_lost);
    else
        MQTT_COUNT(statistics, attempts_failed);
}

/* A server that cannot be used makes place for the next one; but one that has
 * an old session is to be asked to forget it. */
static bool next_server_due(const struct mqtt_client *c)
{
    return !c->established_ && c->why_ != MQTT_ERR_SESSION_PRESENT;
}

/* The moment of the next try, MQTT_NEVER: none. */
static mqtt_time next_try(struct mqtt_client *c)
{
    const struct mqtt_client_5_0 *five = mqtt_client_five(c);
    mqtt_time delay;

    if (!c->wanted_ && !c->draining_)
        return MQTT_NEVER;
    if (c->why_ == MQTT_OK) /* ended, and wanted again meanwhile */
        return c->engine_.now_;
    if (five && five->fall_back(c))
        return c->engine_.now_;
    delay = mqtt_governor_delay(c, c->established_);
    if (next_server_due(c) && ++c->server_index_ >= c->config_->server_count)
        c->server_index_ = 0;
    return delay == MQTT_NEVER ? MQTT_NEVER : c->engine_.now_ + delay;
}

static void retry_or_stop(struct mqtt_client *c, mqtt_time at)
{
    c->next_ = at;
    c->ending_ = c->failing_ = false;
    if (at != MQTT_NEVER) {
        mqtt_client_enter(c, MQTT_CLIENT_AWAIT_RETRY, (enum mqtt_error)c->why_);
        return;
    }
    c->wanted_ = c->draining_ = false;
    c->drain_by_ = MQTT_NEVER;
    mqtt_client_enter(c, MQTT_CLIENT_STOPPED, (enum mqtt_error)c->why_);
}

/* The old session was wiped out by a connection of its own: 3.1.1 ends a clean
 * session with the connection, and this client wants one that lasts. */
static bool wiped(struct mqtt_client *c)
{
    if (!c->wiping_ || !c->established_)
        return false;
    c->wiping_ = false;
    c->session_held_ = true;
    return c->wanted_ || c->draining_;
}

/* The server closed the connection, but what it had sent before says more. */
static void adopt_engine_error(struct mqtt_client *c)
{
    if (!running(c) || c->ending_ || !c->engine_.error_)
        return;
    c->why_ = c->engine_.error_;
    c->reason_code_ = c->engine_.reason_code_;
}

bool mqtt_client_conclude(struct mqtt_client *c, struct mqtt_event *event)
{
    c->lost_ = false;
    adopt_engine_error(c);
    cut_session(c);
    if (c->why_ == MQTT_ERR_SESSION_PRESENT && !c->reason_code_ &&
        !c->engine_.clean_)
        c->wiping_ = true; /* [5.0 MQTT-3.2.2-4] */
    if (wiped(c)) {
        retry_or_stop(c, c->engine_.now_);
        return false;
    }
    count_loss(c);
    retry_or_stop(c, next_try(c));
    mqtt_event_begin(event, MQTT_EVENT_DISCONNECTED);
    event->error = (enum mqtt_error)c->why_;
    event->reason_code = c->reason_code_;
    event->detail = c->detail_;
    event->retry_at = c->next_;
    return true;
}

/* -- ending ------------------------------------------------------------------- */

void mqtt_client_end_connection(struct mqtt_client *c)
{
    /* It may have been asked for when another CONNECT counted. */
    if (c->engine_.protocol_->disconnect_check &&
        c->engine_.protocol_->disconnect_check(&c->end_, c->at_once_,
                                               &c->engine_.session_ends_))
        c->end_.properties.size = 0;
    mqtt_engine_disconnect(&c->engine_, c->end_.reason_code,
                           c->end_.properties);
    c->ending_ = true;
    set_end_timeout(c);
}

void mqtt_client_end_now(struct mqtt_client *c)
{
    c->draining_ = false;
    c->drain_by_ = MQTT_NEVER;
    if (c->lost_ || c->ending_ || c->failing_)
        return;
    if (running(c))
        mqtt_client_end_connection(c);
    else if (mqtt_client_is(c, MQTT_CLIENT_AWAIT_RETRY))
        attempt_failed(c, MQTT_OK);
    else if (mqtt_client_is(c, MQTT_CLIENT_AWAIT_OPEN))
        mqtt_client_give_up(c, MQTT_OK);
    c->ending_ = true;
}

void mqtt_client_drain(struct mqtt_client *c)
{
    /* Without a connection the server has nothing to answer. */
    bool answered =
        !mqtt_client_is(c, MQTT_CLIENT_CONNECTED) || mqtt_subscriptions_idle(c);

    if (c->draining_ && answered && mqtt_session_idle(&c->session_))
        mqtt_client_end_now(c);
}

/* -- time ---------------------------------------------------------------------- */

static void next_passed(struct mqtt_client *c)
{
    enum mqtt_error why = MQTT_OK;

    if (mqtt_client_is(c, MQTT_CLIENT_AWAIT_RETRY)) {
        mqtt_client_start_opening(c);
        return;
    }
    if (mqtt_client_is(c, MQTT_CLIENT_AWAIT_OPEN))
        why = MQTT_ERR_OPEN_TIMEOUT;
    else if (c->failing_) /* why there was a DISCONNECT */
        why = (enum mqtt_error)c->engine_.error_;
    mqtt_client_give_up(c, why);
}

/* When the next message that nobody has sent expires. */
static mqtt_time expiry(const struct mqtt_client *c)
{
    return c->session_.expiring_
               ? c->session_.composer_->expires_at(&c->session_)
               : MQTT_NEVER;
}

void mqtt_client_tick(struct mqtt_client *client, mqtt_time now)
{
    set_time(client, now);
    client->notified_ = false;
    if (expiry(client) <= now)
        client->session_.composer_->expire(&client->session_);
    if (client->lost_)
        return;
    if (running(client))
        mqtt_engine_tick(&client->engine_, now);
    mqtt_client_follow_engine(client);
    if (client->draining_ && client->drain_by_ <= now)
        mqtt_client_end_now(client);
    if (client->next_ <= now)
        next_passed(client);
}

mqtt_time mqtt_client_deadline(const struct mqtt_client *c)
{
    mqtt_time at = expiry(c);

    if (c->lost_)
        return at;
    at = mqtt_earlier(at, mqtt_earlier(c->drain_by_, c->next_));
    return running(c) ? mqtt_earlier(at, mqtt_engine_deadline(&c->engine_))
                      : at;
}
