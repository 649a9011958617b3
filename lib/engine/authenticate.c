#include "engine/authenticate.h"
#include "engine/receive.h"
#include "wire/packet_5_0.h"

void mqtt_authenticate_expect(struct mqtt_engine *e,
                              const struct mqtt_connect_options *options)
{
    struct mqtt_property method = {0};

    e->method_ = (struct mqtt_span){NULL, 0};
    e->authenticating_ = MQTT_AUTHENTICATE_IDLE;
    if (mqtt_property_find(options->properties,
                           MQTT_PROPERTY_AUTHENTICATION_METHOD, &method)) {
        e->method_ = method.text;
        e->authenticating_ = MQTT_AUTHENTICATE_AWAIT_SERVER;
    }
    e->ask_response_information_ = mqtt_property_number(
        options->properties, MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION, 0);
    e->no_problem_information_ = !mqtt_property_number(
        options->properties, MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION, 1);
}

enum mqtt_error mqtt_authenticate_check(const struct mqtt_engine *e,
                                        struct mqtt_span properties)
{
    struct mqtt_property method = {0};
    bool there = mqtt_property_find(
        properties, MQTT_PROPERTY_AUTHENTICATION_METHOD, &method);

    if (there != (e->method_.data != NULL))
        return MQTT_ERR_AUTHENTICATION;
    if (there && (method.text.size != e->method_.size ||
                  memcmp(method.text.data, e->method_.data, e->method_.size)))
        return MQTT_ERR_AUTHENTICATION;
    return MQTT_OK;
}

/* -- AUTH comes ----------------------------------------------------------------------- */

static enum mqtt_error check(const struct mqtt_engine *e, uint8_t code,
                             struct mqtt_span properties)
{
    enum mqtt_error error;

    if (!e->method_.data ||
        e->authenticating_ != MQTT_AUTHENTICATE_AWAIT_SERVER)
        return MQTT_ERR_AUTHENTICATION; /* [5.0 MQTT-4.12.0-6] */
    /* The first authentication ends with CONNACK, not with AUTH
     * [5.0 MQTT-4.12.0-2]. */
    if (e->state_ == MQTT_ENGINE_AWAIT_CONNACK && !code)
        return MQTT_ERR_AUTHENTICATION;
    error = mqtt_authenticate_check(e, properties);
    return error ? error : mqtt_problem_check(e, properties);
}

enum mqtt_error mqtt_receive_auth_5_0(struct mqtt_engine *e, uint8_t first_byte,
                                      struct mqtt_reader *body,
                                      struct mqtt_event *event)
{
    struct mqtt_span properties;
    uint8_t code;
    enum mqtt_error error = mqtt_auth_read_5_0(body, &code, &properties);

    (void)first_byte;
    if (!error)
        error = check(e, code, properties);
    if (error)
        return error;
    e->authenticating_ =
        code ? MQTT_AUTHENTICATE_AWAIT_APPLICATION : MQTT_AUTHENTICATE_IDLE;
    memset(event, 0, sizeof *event);
    event->type = MQTT_EVENT_AUTHENTICATION;
    event->reason_code = code;
    event->properties = properties;
    return MQTT_OK;
}

/* -- AUTH leaves ---------------------------------------------------------------------- */

/* What AUTH would say now; 0: nothing, it is not the time. */
static uint8_t code_due(const struct mqtt_engine *e)
{
    if (!e->method_.data || e->cut_)
        return 0; /* [5.0 MQTT-4.12.0-7] */
    if (e->authenticating_ == MQTT_AUTHENTICATE_AWAIT_APPLICATION &&
        (e->state_ == MQTT_ENGINE_AWAIT_CONNACK ||
         e->state_ == MQTT_ENGINE_OPEN))
        return MQTT_REASON_CONTINUE_AUTHENTICATION; /* [5.0 MQTT-4.12.0-3] */
    if (e->authenticating_ == MQTT_AUTHENTICATE_IDLE &&
        e->state_ == MQTT_ENGINE_OPEN)
        return MQTT_REASON_RE_AUTHENTICATE;
    return 0;
}

static enum mqtt_error check_sent(struct mqtt_span data,
                                  struct mqtt_span properties)
{
    if (data.size > 65535 || (data.size && !data.data))
        return MQTT_ERR_ARGUMENT;
    if (mqtt_properties_check_sent(properties, MQTT_IN_AUTH) ||
        mqtt_properties_have(properties, MQTT_PROPERTY_AUTHENTICATION_METHOD,
                             MQTT_PROPERTY_AUTHENTICATION_DATA))
        return MQTT_ERR_PROPERTY;
    return MQTT_OK;
}

static enum mqtt_error stage(struct mqtt_engine *e, uint8_t code,
                             struct mqtt_span data, struct mqtt_span properties)
{
    struct mqtt_control *c = &e->control_;
    uint32_t size = mqtt_auth_size_5_0(e->method_, data, properties);
    struct mqtt_writer w = {c->bytes_ + c->used_, c->bytes_ + c->size_, false};

    if (size > e->session_->limits_.maximum_packet_size)
        return MQTT_ERR_MAXIMUM_PACKET_SIZE;
    if (size > c->size_)
        return MQTT_ERR_TOO_LARGE;
    if (size > mqtt_engine_room(e))
        return MQTT_ERR_NO_ROOM;
    mqtt_auth_write_5_0(&w, code, e->method_, data, properties);
    mqtt_engine_trace(e, true, c->bytes_ + c->used_, size);
    c->used_ += size;
    if (e->state_ == MQTT_ENGINE_AWAIT_CONNACK)
        mqtt_engine_await_connack(e);
    e->authenticating_ = MQTT_AUTHENTICATE_AWAIT_SERVER;
    return MQTT_OK;
}

enum mqtt_error mqtt_engine_authenticate(struct mqtt_engine *e,
                                         struct mqtt_span data,
                                         struct mqtt_span properties)
{
    uint8_t code = code_due(e);
    enum mqtt_error error;

    if (!code)
        return MQTT_ERR_STATE;
    error = check_sent(data, properties);
    return error ? error : stage(e, code, data, properties);
}
