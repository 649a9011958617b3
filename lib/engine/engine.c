#include "engine/engine.h"
#include "session/slots.h"
#include "wire/length.h"

#define CONTROL_MIN 16
#define INPUT_MIN 16
#define SIZE_MAX_32 (1u << 30)

static const struct mqtt_protocol *protocol(const struct mqtt_engine *e)
{
    return e->config_->protocol;
}

static bool size_valid(const void *memory, size_t size, size_t least)
{
    return memory && size >= least && size <= SIZE_MAX_32;
}

enum mqtt_error mqtt_engine_init(struct mqtt_engine *e,
                                 struct mqtt_session *session,
                                 const struct mqtt_config *config,
                                 const struct mqtt_memory *memory)
{
    if (!size_valid(memory->control, memory->control_size, CONTROL_MIN) ||
        !size_valid(memory->input, memory->input_size, INPUT_MIN))
        return MQTT_ERR_MEMORY;
    memset(e, 0, sizeof *e);
    e->config_ = config;
    e->session_ = session;
    e->control_.bytes_ = memory->control;
    e->control_.size_ = (uint32_t)memory->control_size;
    e->input_.own_ = memory->input;
    e->input_.own_size_ = (uint32_t)memory->input_size;
    e->input_.base_ = e->input_.own_;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
    return MQTT_OK;
}

static void forget_connection(struct mqtt_engine *e)
{
    e->control_.sent_ = e->control_.used_ = 0;
    e->input_.base_ = e->input_.own_;
    e->input_.begin_ = e->input_.end_ = 0;
    e->packet_size_ = 0;
    e->oversize_.step_ = 0;
    e->delivered_ = 0;
    e->request_count_ = 0;
    e->session_->reserved_identifier_ = 0;
    e->offering_ = 0;
    e->ping_due_ = e->ping_open_ = e->healthy_ = e->cut_ = false;
    e->ping_waits_ = e->unread_ = e->stuck_ = false;
    e->packet_by_ = MQTT_NEVER;
    e->error_ = MQTT_OK;
    e->reason_code_ = 0;
}

static void stage_connect(struct mqtt_engine *e,
                          const struct mqtt_connect_options *options,
                          uint32_t size)
{
    uint8_t *at = e->control_.bytes_;
    struct mqtt_writer w = {at, at + size, false};

    protocol(e)->connect_write(&w, options);
    e->control_.used_ = size;
    mqtt_engine_trace(e, true, at, size);
}

enum mqtt_error mqtt_engine_open(struct mqtt_engine *e,
                                 const struct mqtt_connect_options *options,
                                 bool session_held)
{
    uint32_t size = protocol(e)->connect_size(options);
    uint32_t timeout = e->config_->connack_timeout_ms;

    if (size > e->control_.size_)
        return MQTT_ERR_CONTROL_SIZE;
    forget_connection(e);
    stage_connect(e, options, size);
    e->state_ = MQTT_ENGINE_AWAIT_CONNACK;
    e->clean_ = options->clean_start;
    e->session_held_ = session_held;
    e->keep_alive_ms_ = mqtt_connect_keep_alive(options) * 1000u;
    e->answer_by_ = e->now_ + (timeout ? timeout : 10000);
    return MQTT_OK;
}

void mqtt_engine_close(struct mqtt_engine *e)
{
    e->cut_ = true;
    e->offering_ = 0;
    e->control_.sent_ = e->control_.used_ = 0;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
}

void mqtt_engine_fail(struct mqtt_engine *e, enum mqtt_error error)
{
    e->error_ = (int8_t)error;
    e->state_ = MQTT_ENGINE_FAILED;
    e->answer_by_ = e->packet_by_ = MQTT_NEVER;
}

void mqtt_engine_disconnect(struct mqtt_engine *e)
{
    if (e->state_ == MQTT_ENGINE_AWAIT_CONNACK || e->state_ == MQTT_ENGINE_OPEN)
        e->state_ = MQTT_ENGINE_DISCONNECT_DUE;
}

void mqtt_engine_deliver(struct mqtt_engine *e, unsigned qos,
                         uint16_t identifier)
{
    e->delivered_ = identifier;
    e->delivered_type_ = qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;
}

bool mqtt_engine_acknowledge(struct mqtt_engine *e)
{
    if (!mqtt_engine_stage_ack(e, (enum mqtt_packet_type)e->delivered_type_,
                               e->delivered_))
        return false;
    e->delivered_ = 0;
    return true;
}

/* Whether the answer to so many topic filters can be received: SUBACK has the
 * shape of a request, with one byte for each. */
static bool answer_fits(const struct mqtt_engine *e, enum mqtt_packet_type type,
                        uint32_t count)
{
    return type != MQTT_SUBSCRIBE ||
           mqtt_request_size(count) <= e->input_.own_size_;
}

/* How many entries of a request fit into `room` bytes, and their size. */
static uint16_t count_entries(const struct mqtt_engine *e,
                              enum mqtt_packet_type type,
                              const struct mqtt_subscription *first,
                              uint8_t state, uint32_t room, uint32_t *entries)
{
    uint16_t count = 0;

    *entries = 0;
    for (; first && count < UINT16_MAX; first = first->next_) {
        uint32_t size;

        if (first->state_ != state)
            continue;
        size = *entries + protocol(e)->request_entry_size(type, first);
        if (mqtt_request_size(size) > room || !answer_fits(e, type, count + 1u))
            break;
        *entries = size;
        count++;
    }
    return count;
}

static void write_request(struct mqtt_engine *e, enum mqtt_packet_type type,
                          const struct mqtt_subscription *first, uint8_t state,
                          uint16_t count, uint32_t entries)
{
    struct mqtt_control *c = &e->control_;
    uint8_t *begin = c->bytes_ + c->used_;
    struct mqtt_writer w = {begin, c->bytes_ + c->size_, false};

    mqtt_request_begin(&w, type, mqtt_slot_reserve_identifier(e->session_),
                       entries);
    for (; count; first = first->next_) {
        if (first->state_ != state)
            continue;
        protocol(e)->request_entry(&w, type, first);
        count--;
    }
    c->used_ += (uint32_t)(w.at - begin);
    mqtt_engine_trace(e, true, begin, (uint32_t)(w.at - begin));
}

uint16_t mqtt_engine_request(struct mqtt_engine *e, enum mqtt_packet_type type,
                             const struct mqtt_subscription *first,
                             uint8_t state)
{
    uint32_t entries;
    uint16_t count;

    if (e->state_ != MQTT_ENGINE_OPEN || e->request_count_ || e->cut_)
        return 0;
    count = count_entries(e, type, first, state,
                          e->control_.size_ - e->control_.used_, &entries);
    if (!count)
        return 0;
    write_request(e, type, first, state, count, entries);
    e->request_type_ = (uint8_t)type;
    e->request_count_ = count;
    return count;
}
