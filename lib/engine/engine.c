#include "engine/authenticate.h"
#include "engine/compose.h"
#include "session/aliases.h"
#include "session/slots.h"
#include "wire/length.h"

void mqtt_engine_init(struct mqtt_engine *e, struct mqtt_session *session,
                      const struct mqtt_config *config,
                      const struct mqtt_memory *memory)
{
    memset(e, 0, sizeof *e);
    e->config_ = config;
    e->session_ = session;
    e->control_.bytes_ = memory->control;
    e->control_.size_ = (uint32_t)memory->control_size;
    e->input_.own_ = memory->input;
    e->input_.own_size_ = (uint32_t)memory->input_size;
    e->input_.base_ = e->input_.own_;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
    e->protocol_ = session->protocol_; /* a store may have another session */
    if (config->no_topic_aliases)
        return;
    e->aliases_.entries_ = memory->alias_topics;
    e->aliases_.count_ = (uint16_t)memory->alias_topic_count;
    e->alias_names_.bytes_ = memory->alias_names;
    e->alias_names_.size_ = (uint32_t)memory->alias_names_size;
    e->alias_names_.maximum_ = (uint16_t)memory->alias_name_count;
}

static void forget_connection(struct mqtt_engine *e)
{
    e->control_.sent_ = e->control_.used_ = 0;
    e->input_.base_ = e->input_.own_;
    e->input_.begin_ = e->input_.end_ = e->input_.kept_ = 0;
    e->packet_size_ = 0;
    e->oversize_step_ = 0;
    e->delivered_ = 0;
    e->request_count_ = 0;
    e->session_->reserved_identifier_ = 0;
    e->offering_ = 0;
    e->ping_due_ = e->ping_open_ = e->healthy_ = e->cut_ = false;
    e->ping_waits_ = e->unread_ = e->stuck_ = false;
    e->settled_waits_ = e->unsettled_full_ = false;
    e->packet_by_ = MQTT_NEVER;
    e->error_ = MQTT_OK;
    e->reason_code_ = 0;
    e->receive_open_ = 0;
    e->source_ = NULL;
    mqtt_limits_none(&e->session_->limits_);
}

/* -- CONNECT ---------------------------------------------------------------------- */

/* Messages that may be open at once: as many as each lent memory takes; 0: as
 * many as there can be. */
static uint16_t receive_maximum(const struct mqtt_engine *e, uint16_t wanted)
{
    const struct mqtt_identifier_set *received = &e->session_->received_;
    uint16_t maximum = wanted ? wanted : UINT16_MAX;

    if (!received->bits_ && received->capacity_ &&
        received->capacity_ < maximum)
        maximum = received->capacity_;
    if (e->config_->settle && e->session_->unsettled_.capacity_ < maximum)
        maximum = e->session_->unsettled_.capacity_;
    return maximum == UINT16_MAX ? 0 : maximum;
}

static uint32_t maximum_packet_size(const struct mqtt_engine *e,
                                    uint32_t wanted)
{
    if (e->config_->large || (wanted && wanted < e->input_.own_size_))
        return wanted;
    return e->input_.own_size_;
}

struct mqtt_announced
mqtt_engine_announced(const struct mqtt_engine *e,
                      const struct mqtt_connect_options *options)
{
    struct mqtt_announced a;

    a.session_expiry_s = mqtt_session_expiry_wanted(options);
    a.receive_maximum = receive_maximum(e, options->receive_maximum);
    a.maximum_packet_size =
        maximum_packet_size(e, options->maximum_packet_size);
    a.topic_alias_maximum = e->no_alias_names_ ? 0 : e->alias_names_.maximum_;
    return a;
}

static void stage_connect(struct mqtt_engine *e,
                          const struct mqtt_connect_options *options,
                          const struct mqtt_announced *announced, uint32_t size)
{
    uint8_t *at = e->control_.bytes_;
    struct mqtt_writer w = {at, at + size, false};

    e->protocol_->connect_write(&w, options, announced);
    e->control_.used_ = size;
    mqtt_engine_trace(e, true, at, size);
}

/* What was announced is held against what comes. */
static void expect(struct mqtt_engine *e,
                   const struct mqtt_connect_options *options,
                   const struct mqtt_announced *announced)
{
    bool five = mqtt_protocol_is_5(e->protocol_);

    e->receive_limit_ =
        five && announced->receive_maximum && !e->config_->tolerate_overrun
            ? announced->receive_maximum
            : UINT32_MAX;
    e->input_limit_ = five && announced->maximum_packet_size
                          ? announced->maximum_packet_size
                          : UINT32_MAX;
    mqtt_aliases_begin(&e->aliases_, 0);
    mqtt_alias_names_begin(&e->alias_names_);
    if (e->protocol_->expect)
        e->protocol_->expect(e, options);
}

enum mqtt_error mqtt_engine_open(struct mqtt_engine *e,
                                 const struct mqtt_connect_options *options,
                                 bool session_held)
{
    struct mqtt_announced announced = mqtt_engine_announced(e, options);
    uint32_t size = e->protocol_->connect_size(options, &announced);

    if (size > e->control_.size_)
        return MQTT_ERR_CONTROL_SIZE;
    forget_connection(e);
    stage_connect(e, options, &announced, size);
    expect(e, options, &announced);
    e->large_ = e->config_->large ? e->config_->large : e->protocol_->large;
    e->state_ = MQTT_ENGINE_AWAIT_CONNACK;
    e->clean_ = options->clean_start;
    e->session_held_ = session_held;
    e->session_ends_ = mqtt_session_ends(e->protocol_, options);
    e->session_->limits_.session_expiry_s = announced.session_expiry_s;
    e->session_->limits_.keep_alive_s = mqtt_connect_keep_alive(options);
    e->keep_alive_ms_ = e->session_->limits_.keep_alive_s * 1000u;
    mqtt_engine_await_connack(e);
    return MQTT_OK;
}

/* -- the end ----------------------------------------------------------------------- */

void mqtt_engine_close(struct mqtt_engine *e)
{
    if (e->session_->composer_)
        e->session_->composer_->cut(e);
    e->cut_ = true;
    e->offering_ = 0;
    e->control_.sent_ = e->control_.used_ = 0;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
}

void mqtt_engine_break(struct mqtt_engine *e, enum mqtt_error error)
{
    e->error_ = (int8_t)error;
    e->state_ = MQTT_ENGINE_FAILED;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
}

void mqtt_engine_fail(struct mqtt_engine *e, enum mqtt_error error)
{
    uint8_t code = e->protocol_->why ? e->protocol_->why(error) : 0;

    mqtt_engine_break(e, error);
    if (!code || e->cut_)
        return;
    e->state_ = MQTT_ENGINE_DISCONNECT_DUE; /* [5.0, section 4.13] */
    e->end_code_ = code;
    e->end_properties_ = (struct mqtt_span){NULL, 0};
}

void mqtt_engine_disconnect(struct mqtt_engine *e, uint8_t code,
                            struct mqtt_span properties)
{
    if (e->state_ != MQTT_ENGINE_AWAIT_CONNACK && e->state_ != MQTT_ENGINE_OPEN)
        return;
    e->state_ = MQTT_ENGINE_DISCONNECT_DUE;
    e->end_code_ = code;
    e->end_properties_ = properties;
}
