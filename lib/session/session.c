/*
 * What a session is made of, at the beginning.
 */
#include "session/session.h"
#include "session/slots.h"
#include "session/store.h"

static void init_lists(struct mqtt_session *s)
{
    static const struct mqtt_slot_list none = {MQTT_NO_SLOT, MQTT_NO_SLOT};

    s->publishes_ = s->pubrels_ = s->ended_ = none;
    s->pubrel_due_ = s->unstored_ = MQTT_NO_SLOT;
    s->next_identifier_ = 1;
}

static void take_memory(struct mqtt_session *s,
                        const struct mqtt_memory *memory)
{
    s->unsettled_.entries_ = memory->unsettled;
    s->unsettled_.capacity_ = (uint16_t)memory->unsettled_count;
    s->ring_.bytes_ = memory->outbox;
    s->ring_.size_ = (uint32_t)memory->outbox_size;
    s->slots_ = memory->slots;
    s->slot_limit_ = (uint16_t)memory->slot_count;
    s->slot_mask_ = (uint16_t)(memory->slot_count - 1);
    s->received_.bits_ = memory->received_bits;
    s->received_.list_ = memory->received_list;
    s->received_.capacity_ = (uint16_t)memory->received_count;
    s->identifier_ = memory->identifier;
    s->identifier_room_ = (uint32_t)memory->identifier_size;
    s->released_ = memory->released;
    s->released_capacity_ = (uint16_t)memory->released_count;
}

enum mqtt_error mqtt_session_init(struct mqtt_session *s,
                                  const struct mqtt_config *config,
                                  const struct mqtt_memory *memory)
{
    memset(s, 0, sizeof *s);
    take_memory(s, memory);
    mqtt_limits_none(&s->limits_);
    s->config_ = config;
    s->protocol_ = config->protocol;
    s->composer_ = config->protocol->composer;
    s->store_ = config->store;
    init_lists(s);
    return s->store_ ? s->store_->seam->records->restore(s, config) : MQTT_OK;
}

uint32_t mqtt_session_expiry_wanted(const struct mqtt_connect_options *options)
{
    if (options->session_expiry_s == MQTT_SESSION_EXPIRY_AT_ONCE)
        return 0;
    if (!options->session_expiry_s && !options->clean_start)
        return UINT32_MAX;
    return options->session_expiry_s;
}

bool mqtt_session_ends(const struct mqtt_protocol *protocol,
                       const struct mqtt_connect_options *options)
{
    return protocol->clean_ends_session ? options->clean_start
                                        : !mqtt_session_expiry_wanted(options);
}
