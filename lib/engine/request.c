/*
 * SUBSCRIBE and UNSUBSCRIBE: as many topic filters as fit and may stand
 * together, one request at a time.
 */
#include "engine/engine.h"
#include "session/slots.h"

/* Whether the answer to so many topic filters can be received: SUBACK, and
 * UNSUBACK of 5.0, have the shape of a request, with one byte for each. */
static bool answer_fits(const struct mqtt_engine *e, enum mqtt_packet_type type,
                        uint32_t count)
{
    bool five = mqtt_protocol_is_5(e->protocol_);

    return (type != MQTT_SUBSCRIBE && !five) ||
           mqtt_request_size(count + (five ? 1u : 0u)) <= e->input_.own_size_;
}

bool mqtt_request_joins(const struct mqtt_engine *e,
                        const struct mqtt_subscription *first,
                        const struct mqtt_subscription *other)
{
    if (!mqtt_protocol_is_5(e->protocol_) || first == other)
        return true;
    return first->identifier == other->identifier &&
           first->properties.size == other->properties.size &&
           (!first->properties.size ||
            first->properties.data == other->properties.data);
}

/* A request as it is put together. */
struct request {
    enum mqtt_packet_type type;
    const struct mqtt_subscription *first; /* with that state */
    uint8_t state;
    bool identifiers; /* the server takes Subscription Identifiers */
    uint16_t count;
    uint32_t content; /* bytes behind the packet identifier */
};

/* The next topic filter of it, from `s` on. */
static const struct mqtt_subscription *
next_entry(const struct mqtt_engine *e, const struct request *r,
           const struct mqtt_subscription *s)
{
    while (s && (s->state_ != r->state || !mqtt_request_joins(e, r->first, s)))
        s = s->next_;
    return s;
}

/* How many entries fit into `room` bytes, and their size. */
static void count_entries(const struct mqtt_engine *e, struct request *r,
                          uint32_t room)
{
    const struct mqtt_subscription *s = r->first;

    r->content =
        e->protocol_->request_head_size(r->type, r->first, r->identifiers);
    for (; s && r->count < UINT16_MAX; s = next_entry(e, r, s->next_)) {
        uint32_t size = r->content + mqtt_request_entry_size(r->type, s);

        if (mqtt_request_size(size) > room ||
            !answer_fits(e, r->type, r->count + 1u))
            return;
        r->content = size;
        r->count++;
    }
}

static void write_request(struct mqtt_engine *e, const struct request *r)
{
    struct mqtt_control *c = &e->control_;
    uint8_t *begin = c->bytes_ + c->used_;
    struct mqtt_writer w = {begin, c->bytes_ + c->size_, false};
    const struct mqtt_subscription *s = r->first;

    mqtt_request_begin(&w, r->type, mqtt_slot_reserve_identifier(e->session_),
                       r->content);
    e->protocol_->request_head(&w, r->type, r->first, r->identifiers);
    for (uint16_t left = r->count; left; left--) {
        e->protocol_->request_entry(&w, r->type, s);
        s = next_entry(e, r, s->next_);
    }
    c->used_ += (uint32_t)(w.at - begin);
    mqtt_engine_trace(e, true, begin, (uint32_t)(w.at - begin));
}

uint16_t mqtt_engine_request(struct mqtt_engine *e, enum mqtt_packet_type type,
                             const struct mqtt_subscription *first,
                             uint8_t state)
{
    struct request r = {.type = type, .first = first, .state = state};

    if (e->state_ != MQTT_ENGINE_OPEN)
        return 0;
    while (r.first->state_ != state)
        r.first = r.first->next_;
    r.identifiers = e->session_->limits_.subscription_identifiers_available;
    count_entries(e, &r, mqtt_engine_room(e));
    if (!r.count)
        return 0;
    write_request(e, &r);
    e->request_type_ = (uint8_t)type;
    e->request_count_ = r.count;
    return r.count;
}
