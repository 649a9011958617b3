#include "session/slots.h"
#include "session/store.h"

struct mqtt_slot *mqtt_slot_find(const struct mqtt_session *s,
                                 uint16_t identifier)
{
    uint16_t index = identifier & s->slot_mask_;

    if (index >= s->slots_touched_ ||
        s->slots_[index].identifier_ != identifier)
        return NULL;
    return &s->slots_[index];
}

/* The slot that `identifier` would have, if it is free. Slots are made empty
 * when they are first needed, so that unused memory is not touched. */
static struct mqtt_slot *free_slot(struct mqtt_session *s, uint16_t identifier)
{
    uint16_t index = identifier & s->slot_mask_;

    while (s->slots_touched_ <= index)
        s->slots_[s->slots_touched_++].identifier_ = 0;
    return s->slots_[index].identifier_ ? NULL : &s->slots_[index];
}

static void append(struct mqtt_session *s, struct mqtt_slot_list *list,
                   struct mqtt_slot *slot)
{
    uint16_t index = (uint16_t)(slot - s->slots_);

    slot->next_ = MQTT_NO_SLOT;
    slot->previous_ = list->last_;
    if (list->last_ == MQTT_NO_SLOT)
        list->first_ = index;
    else
        s->slots_[list->last_].next_ = index;
    list->last_ = index;
}

static void take_out(struct mqtt_session *s, struct mqtt_slot_list *list,
                     struct mqtt_slot *slot)
{
    /* Those whose record is not committed are the last ones of publishes_. */
    if (s->unstored_ == slot - s->slots_)
        s->unstored_ = slot->next_;
    if (slot->previous_ == MQTT_NO_SLOT)
        list->first_ = slot->next_;
    else
        s->slots_[slot->previous_].next_ = slot->next_;
    if (slot->next_ == MQTT_NO_SLOT)
        list->last_ = slot->previous_;
    else
        s->slots_[slot->next_].previous_ = slot->previous_;
}

struct mqtt_slot *mqtt_slot_take(struct mqtt_session *s)
{
    uint16_t identifier = s->next_identifier_;
    struct mqtt_slot *slot = NULL;

    for (;; identifier++) {
        if (identifier && identifier != s->reserved_identifier_)
            slot = free_slot(s, identifier);
        if (slot)
            break; /* never 0 [3.1.1 MQTT-2.3.1-1] */
    }
    s->next_identifier_ = (uint16_t)(identifier + 1);
    s->slots_used_++;
    slot->identifier_ = identifier;
    append(s, &s->publishes_, slot);
    return slot;
}

void mqtt_slot_free(struct mqtt_session *s, struct mqtt_slot_list *list,
                    struct mqtt_slot *slot)
{
    take_out(s, list, slot);
    slot->identifier_ = 0;
    s->slots_used_--;
}

void mqtt_slot_move(struct mqtt_session *s, struct mqtt_slot_list *from,
                    struct mqtt_slot_list *to, struct mqtt_slot *slot)
{
    take_out(s, from, slot);
    append(s, to, slot);
}

struct mqtt_slot *mqtt_slot_claim(struct mqtt_session *s, uint16_t identifier,
                                  struct mqtt_slot_list *list)
{
    struct mqtt_slot *slot = NULL;

    if (identifier && (identifier & s->slot_mask_) < s->slot_limit_)
        slot = free_slot(s, identifier);
    if (!slot)
        return NULL;
    s->slots_used_++;
    s->next_identifier_ = (uint16_t)(identifier + 1);
    slot->identifier_ = identifier;
    append(s, list, slot);
    return slot;
}

void mqtt_slot_end(struct mqtt_session *s, struct mqtt_slot_list *list,
                   struct mqtt_slot *slot, unsigned state)
{
    mqtt_store_remove_message(s, slot);
    mqtt_slot_move(s, list, &s->ended_, slot);
    slot->state_ = (uint8_t)state;
}

uint16_t mqtt_slot_reserve_identifier(struct mqtt_session *s)
{
    uint16_t identifier = s->next_identifier_;

    /* Nor 32,768, which is the only one of the first slot if there are as many
     * of them: whoever publishes would look for another one for ever. */
    while (!(identifier & 0x7fff) || mqtt_slot_find(s, identifier))
        identifier++;
    s->next_identifier_ = (uint16_t)(identifier + 1);
    s->reserved_identifier_ = identifier;
    return identifier;
}
