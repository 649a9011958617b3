#include <string.h>
#include "session/received.h"

#define BITMAP_SIZE 8192

/* Where `identifier` stands in the list; count_: nowhere. */
static uint16_t find(const struct mqtt_identifier_set *set, uint16_t identifier)
{
    uint16_t i = 0;

    while (i < set->count_ && set->list_[i] != identifier)
        i++;
    return i;
}

static uint8_t bit(uint16_t identifier)
{
    return (uint8_t)(1u << (identifier & 7));
}

bool mqtt_received_has(const struct mqtt_identifier_set *set,
                       uint16_t identifier)
{
    if (!set->count_)
        return false;
    if (set->bits_)
        return set->bits_[identifier >> 3] & bit(identifier);
    return find(set, identifier) < set->count_;
}

void mqtt_received_add(struct mqtt_identifier_set *set, uint16_t identifier)
{
    if (set->bits_)
        set->bits_[identifier >> 3] |= bit(identifier);
    else
        set->list_[set->count_] = identifier;
    set->count_++;
}

void mqtt_received_remove(struct mqtt_identifier_set *set, uint16_t identifier)
{
    if (!mqtt_received_has(set, identifier))
        return;
    if (set->bits_)
        set->bits_[identifier >> 3] &= (uint8_t)~bit(identifier);
    else
        set->list_[find(set, identifier)] = set->list_[set->count_ - 1];
    set->count_--;
}

void mqtt_received_clear(struct mqtt_identifier_set *set)
{
    /* Only when something is in it: pages never used stay untouched. */
    if (set->bits_ && set->count_)
        memset(set->bits_, 0, BITMAP_SIZE);
    set->count_ = 0;
}
