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

/* Those of this connection stay in front. */
static void add_here(struct mqtt_identifier_set *set, uint16_t identifier)
{
    set->list_[set->count_] = set->list_[set->here_];
    set->list_[set->here_++] = identifier;
}

void mqtt_received_add(struct mqtt_identifier_set *set, uint16_t identifier)
{
    if (set->bits_)
        set->bits_[identifier >> 3] |= bit(identifier);
    else
        add_here(set, identifier);
    set->count_++;
}

void mqtt_received_begin(struct mqtt_identifier_set *set)
{
    set->here_ = 0;
}

void mqtt_received_came(struct mqtt_identifier_set *set, uint16_t identifier)
{
    uint16_t i;

    if (set->bits_)
        return;
    i = find(set, identifier);
    if (i < set->here_)
        return;
    set->list_[i] = set->list_[set->here_];
    set->list_[set->here_++] = identifier;
}

bool mqtt_received_is_here(const struct mqtt_identifier_set *set,
                           uint16_t identifier)
{
    return set->bits_ ? mqtt_received_has(set, identifier)
                      : find(set, identifier) < set->here_;
}

/* What a server has to send again it sends before what is new
 * [5.0 MQTT-4.6.0-5]. So of one that did not come either PUBREL is to come, for
 * which it need not be known, or its session is gone, and CONNACK that told so
 * was lost: then nothing else would ever set it free. */
bool mqtt_received_make_room(struct mqtt_identifier_set *set, uint16_t *gone)
{
    *gone = 0;
    if (!mqtt_received_full(set))
        return true;
    if (set->here_ == set->count_)
        return false;
    *gone = set->list_[--set->count_]; /* it has not come here */
    return true;
}

static void take_out(struct mqtt_identifier_set *set, uint16_t i)
{
    if (i < set->here_) {
        set->list_[i] = set->list_[--set->here_];
        i = set->here_;
    }
    set->list_[i] = set->list_[set->count_ - 1];
}

void mqtt_received_remove(struct mqtt_identifier_set *set, uint16_t identifier)
{
    if (!mqtt_received_has(set, identifier))
        return;
    if (set->bits_)
        set->bits_[identifier >> 3] &= (uint8_t)~bit(identifier);
    else
        take_out(set, find(set, identifier));
    set->count_--;
}

void mqtt_received_clear(struct mqtt_identifier_set *set)
{
    /* Only when something is in it: pages never used stay untouched. */
    if (set->bits_ && set->count_)
        memset(set->bits_, 0, BITMAP_SIZE);
    set->count_ = set->here_ = 0;
}
