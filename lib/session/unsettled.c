#include <string.h>
#include "session/unsettled.h"

/*
 * First those that came on this connection, in that order; then those that may
 * come again, in the order in which they are expected: then one that comes
 * again as expected stays where it is.
 */

enum {
    QOS2 = 0x01,
    SETTLED = 0x02,
    HERE = 0x04,       /* it came on this connection */
    OLD = 0x08,        /* the counter has begun anew since it came */
    UNSTORED = 0x10,   /* with a store: settled, and that is not committed */
    COMMITTING = 0x20, /* that is being committed */

    /* Notes on the list, kept by whichever entry is the first; in the others
     * they mean nothing. */
    NOTHING_LEAVES = 0x40, /* next() found none, and none has come of it */
    SOME_OLD = 0x80,       /* there may be some that are OLD */
    NOTES = NOTHING_LEAVES | SOME_OLD
};

/* ---- the notes ----------------------------------------------------------- */

static uint8_t notes(const struct mqtt_unsettled_list *list)
{
    return list->used_ ? list->entries_[0].state_ & NOTES : 0;
}

static void set_notes(const struct mqtt_unsettled_list *list, unsigned value)
{
    struct mqtt_unsettled *first = list->entries_;

    if (list->used_)
        first->state_ = (uint8_t)((first->state_ & ~(unsigned)NOTES) | value);
}

/* ---- places -------------------------------------------------------------- */

/* How many came on this connection: they are the first ones. */
static uint16_t count_here(const struct mqtt_unsettled_list *list)
{
    unsigned low = 0, high = list->used_;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (list->entries_[middle].state_ & HERE)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint16_t)low;
}

/* Make way for an entry at `to`, from where what stood at `from` is gone. */
static void put(struct mqtt_unsettled_list *list, uint16_t from, uint16_t to,
                struct mqtt_unsettled entry)
{
    struct mqtt_unsettled *place = list->entries_ + to;
    unsigned n = notes(list);

    memmove(place + 1, place, (size_t)(from - to) * sizeof(*place));
    *place = entry;
    if (from == list->used_)
        list->used_++;
    set_notes(list, n);
}

static void take_out(struct mqtt_unsettled_list *list, uint16_t index)
{
    struct mqtt_unsettled *place = list->entries_ + index;
    unsigned n = notes(list);

    list->used_--;
    memmove(place, place + 1, (size_t)(list->used_ - index) * sizeof(*place));
    set_notes(list, n & SOME_OLD);
}

/* Something has become possible if this one is the first of its QoS. The one
 * just before it mostly tells that it is not. */
static void look_again(const struct mqtt_unsettled_list *list, uint16_t index)
{
    const struct mqtt_unsettled *e = list->entries_;
    unsigned qos = e[index].state_ & QOS2;

    while (index)
        if ((e[--index].state_ & QOS2) == qos)
            return;
    set_notes(list, notes(list) & SOME_OLD);
}

/* ---- handles ------------------------------------------------------------- */

/* Counts are given once until the counter begins anew, so only what was there
 * before that can have the same. */
static uint16_t next_count(struct mqtt_unsettled_list *list)
{
    if (++list->counter_)
        return list->counter_;
    for (uint16_t i = 0; i < list->used_; i++)
        list->entries_[i].state_ |= OLD;
    set_notes(list, notes(list) | SOME_OLD);
    return ++list->counter_;
}

static bool is_taken(struct mqtt_unsettled_list *list, uint16_t identifier,
                     uint16_t count)
{
    bool old = false;

    if (!(notes(list) & SOME_OLD))
        return false;
    for (uint16_t i = 0; i < list->used_; i++) {
        const struct mqtt_unsettled *entry = &list->entries_[i];

        if (entry->identifier_ == identifier && entry->count_ == count)
            return true;
        old = old || entry->state_ & OLD;
    }
    if (!old)
        set_notes(list, notes(list) & NOTHING_LEAVES);
    return false;
}

static bool has_handle(const struct mqtt_unsettled *entry, uint32_t handle)
{
    return entry->identifier_ == (handle & 0xFFFF) &&
           entry->count_ == handle >> 16;
}

/* Where the owner of the handle stands; used_: nowhere. As long as none between
 * was taken out it is as far from the first one as their counts; else, mostly,
 * a little before that. */
static uint16_t find_handle(const struct mqtt_unsettled_list *list,
                            uint32_t handle)
{
    const struct mqtt_unsettled *e = list->entries_;
    uint16_t guess, i;

    if (!list->used_)
        return 0;
    guess = (uint16_t)((handle >> 16) - e[0].count_);
    if (guess >= list->used_)
        guess = (uint16_t)(list->used_ - 1);
    for (i = guess; i && !has_handle(&e[i], handle);)
        i--;
    if (has_handle(&e[i], handle))
        return i;
    for (i = (uint16_t)(guess + 1); i < list->used_; i++)
        if (has_handle(&e[i], handle))
            return i;
    return list->used_;
}

/* Settled, and committed if that is needed. */
static bool may_leave(unsigned state)
{
    return (state & (SETTLED | UNSTORED | COMMITTING)) == SETTLED;
}

/* ---- the contract -------------------------------------------------------- */

void mqtt_unsettled_init(struct mqtt_unsettled_list *list,
                         struct mqtt_unsettled *entries, uint16_t capacity)
{
    list->entries_ = entries;
    list->capacity_ = capacity;
    list->used_ = 0;
    list->counter_ = 0;
}

/* One of QoS 2 that may come again and is settled, and so is needed least: if
 * it does, it is acknowledged without us, or was refused and is told of again.
 * used_: there is none. */
static uint16_t find_spare(const struct mqtt_unsettled_list *list)
{
    uint16_t i = count_here(list);

    while (i < list->used_ && !may_leave(list->entries_[i].state_))
        i++;
    return i;
}

uint16_t mqtt_unsettled_make_room(struct mqtt_unsettled_list *list)
{
    uint16_t i = find_spare(list);
    struct mqtt_unsettled gone;

    if (list->used_ < list->capacity_ || i == list->used_)
        return 0;
    gone = list->entries_[i];
    take_out(list, i);
    return gone.code_ & 0x80 ? gone.identifier_ : 0;
}

uint32_t mqtt_unsettled_add(struct mqtt_unsettled_list *list,
                            uint16_t identifier, bool qos2)
{
    struct mqtt_unsettled entry = {.identifier_ = identifier};

    if (mqtt_unsettled_full(list))
        return 0;
    mqtt_unsettled_make_room(list);
    do
        entry.count_ = next_count(list);
    while (is_taken(list, identifier, entry.count_));
    entry.state_ = (uint8_t)(HERE | (qos2 ? QOS2 : 0));
    put(list, list->used_, count_here(list), entry);
    return (uint32_t)entry.count_ << 16 | identifier;
}

bool mqtt_unsettled_full(const struct mqtt_unsettled_list *list)
{
    return list->used_ == list->capacity_ && find_spare(list) == list->used_;
}

bool mqtt_unsettled_settle(struct mqtt_unsettled_list *list, uint32_t handle,
                           uint8_t code, bool stored, bool *put)
{
    uint16_t i = find_handle(list, handle);
    struct mqtt_unsettled *entry;

    if (i == list->used_)
        return false;
    entry = &list->entries_[i];
    if (entry->state_ & SETTLED)
        return false;
    entry->state_ |= SETTLED;
    entry->code_ = code;
    *put = stored && entry->state_ & QOS2 && !(code & 0x80);
    if (*put)
        entry->state_ |= UNSTORED;
    if (entry->state_ & HERE)
        look_again(list, i);
    return true;
}

/* Where the QoS 2 message stands, from `from` to `end`; `end`: nowhere. */
static uint16_t find_qos2(const struct mqtt_unsettled_list *list,
                          uint16_t identifier, uint16_t from, uint16_t end)
{
    while (from < end && !(list->entries_[from].identifier_ == identifier &&
                           list->entries_[from].state_ & QOS2))
        from++;
    return from;
}

bool mqtt_unsettled_came_again(struct mqtt_unsettled_list *list,
                               uint16_t identifier)
{
    uint16_t here = count_here(list);
    uint16_t i = find_qos2(list, identifier, here, list->used_);
    struct mqtt_unsettled *place;

    if (i == list->used_)
        return find_qos2(list, identifier, 0, here) < here;
    if (i != here)
        put(list, i, here, list->entries_[i]);
    place = &list->entries_[here];
    place->state_ |= HERE;
    if (place->state_ & SETTLED)
        look_again(list, here);
    return true;
}

bool mqtt_unsettled_qos2_waits(const struct mqtt_unsettled_list *list)
{
    const struct mqtt_unsettled *e = list->entries_;

    for (uint16_t i = 0; i < list->used_ && e[i].state_ & HERE; i++)
        if (e[i].state_ & QOS2)
            return true;
    return false;
}

/* What has not come on this connection holds nothing up: acknowledgements are
 * in the order of the PUBLISH packets [5.0 MQTT-4.6.0-2, MQTT-4.6.0-3], and
 * its PUBLISH packet is yet to come, or never will. */
bool mqtt_unsettled_next(const struct mqtt_unsettled_list *list,
                         struct mqtt_settled *settled)
{
    const struct mqtt_unsettled *e = list->entries_;
    bool held_up[2] = {false, false};

    if (notes(list) & NOTHING_LEAVES)
        return false;
    for (uint16_t i = 0; i < list->used_ && e[i].state_ & HERE; i++) {
        bool qos2 = e[i].state_ & QOS2;

        if (may_leave(e[i].state_) && !held_up[qos2]) {
            *settled =
                (struct mqtt_settled){e[i].identifier_, e[i].code_, qos2};
            return true;
        }
        held_up[qos2] = true;
        if (held_up[!qos2])
            break;
    }
    set_notes(list, notes(list) | NOTHING_LEAVES);
    return false;
}

void mqtt_unsettled_acknowledged(struct mqtt_unsettled_list *list,
                                 const struct mqtt_settled *settled)
{
    const unsigned wanted = HERE | SETTLED | (settled->qos2 ? QOS2 : 0u);

    for (uint16_t i = 0; i < list->used_; i++) {
        const struct mqtt_unsettled *entry = &list->entries_[i];

        if (entry->identifier_ == settled->identifier &&
            (entry->state_ & (HERE | SETTLED | QOS2)) == wanted) {
            take_out(list, i);
            return;
        }
    }
}

void mqtt_unsettled_cut(struct mqtt_unsettled_list *list)
{
    struct mqtt_unsettled *e = list->entries_;
    unsigned n = notes(list) & SOME_OLD;
    uint16_t kept = 0;

    for (uint16_t i = 0; i < list->used_; i++) {
        if (!(e[i].state_ & QOS2))
            continue;
        e[kept] = e[i];
        e[kept++].state_ &= (uint8_t)~HERE;
    }
    list->used_ = kept;
    set_notes(list, n);
}

void mqtt_unsettled_clear(struct mqtt_unsettled_list *list)
{
    list->used_ = 0; /* the counter goes on: old handles stay of nothing */
}

/* ---- the store ------------------------------------------------------------ */

static void change(struct mqtt_unsettled_list *list, unsigned from, unsigned to)
{
    struct mqtt_unsettled *e = list->entries_;

    for (uint16_t i = 0; i < list->used_; i++)
        if (e[i].state_ & from)
            e[i].state_ = (uint8_t)((e[i].state_ & ~from) | to);
    set_notes(list, notes(list) & SOME_OLD);
}

void mqtt_unsettled_commit(struct mqtt_unsettled_list *list)
{
    change(list, UNSTORED, COMMITTING);
}

void mqtt_unsettled_committed(struct mqtt_unsettled_list *list)
{
    change(list, COMMITTING, 0);
}

static bool recorded(const struct mqtt_unsettled *entry)
{
    return (entry->state_ & (SETTLED | QOS2)) == (SETTLED | QOS2) &&
           !(entry->code_ & 0x80);
}

void mqtt_unsettled_uncommit(struct mqtt_unsettled_list *list)
{
    struct mqtt_unsettled *e = list->entries_;

    for (uint16_t i = 0; i < list->used_; i++)
        if (recorded(&e[i]))
            e[i].state_ =
                (uint8_t)((e[i].state_ & ~(unsigned)COMMITTING) | UNSTORED);
}

bool mqtt_unsettled_open(const struct mqtt_unsettled_list *list,
                         uint16_t identifier)
{
    uint16_t i = find_qos2(list, identifier, 0, list->used_);

    return i < list->used_ && !recorded(&list->entries_[i]);
}
