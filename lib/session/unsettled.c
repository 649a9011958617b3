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
    UNSTORED = 0x04,  /* with a store: settled, and that is not committed */
    COMMITTING = 0x08 /* that is being committed */
};

/* ---- places -------------------------------------------------------------- */

/* An entry that came on this connection, behind those that did; what stood at
 * `from` is gone. */
static void put_here(struct mqtt_unsettled_list *list, uint16_t from,
                     struct mqtt_unsettled entry)
{
    struct mqtt_unsettled *place = list->entries_ + list->here_;

    memmove(place + 1, place, (size_t)(from - list->here_) * sizeof(*place));
    *place = entry;
    list->here_++;
}

static void take_out(struct mqtt_unsettled_list *list, uint16_t index)
{
    struct mqtt_unsettled *place = list->entries_ + index;

    list->used_--;
    if (index < list->here_)
        list->here_--;
    memmove(place, place + 1, (size_t)(list->used_ - index) * sizeof(*place));
    list->nothing_leaves_ = false;
}

/* Something has become possible if this one is the first of its QoS. The one
 * just before it mostly tells that it is not. */
static void look_again(struct mqtt_unsettled_list *list, uint16_t index)
{
    const struct mqtt_unsettled *e = list->entries_;
    unsigned qos = e[index].state_ & QOS2;

    while (index)
        if ((e[--index].state_ & QOS2) == qos)
            return;
    list->nothing_leaves_ = false;
}

/* ---- handles ------------------------------------------------------------- */

/* Counts are given once until the counter begins anew, so only what was there
 * before that can have the same, and then a count above the counter. */
static uint16_t next_count(struct mqtt_unsettled_list *list)
{
    if (!++list->counter_) {
        list->counter_ = 1;
        list->some_old_ = true;
    }
    return list->counter_;
}

static bool is_taken(struct mqtt_unsettled_list *list, uint16_t identifier,
                     uint16_t count)
{
    bool old = false;

    for (uint16_t i = 0; list->some_old_ && i < list->used_; i++) {
        const struct mqtt_unsettled *entry = &list->entries_[i];

        if (entry->identifier_ == identifier && entry->count_ == count)
            return true;
        old = old || entry->count_ > count;
    }
    list->some_old_ = old;
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
    uint16_t left = list->used_, i;

    if (!left)
        return 0;
    i = (uint16_t)((handle >> 16) - e[0].count_);
    if (i >= left)
        i = (uint16_t)(left - 1);
    for (; left; left--) {
        if (has_handle(&e[i], handle))
            return i;
        i = (uint16_t)((i ? i : list->used_) - 1);
    }
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
    memset(list, 0, sizeof *list);
    list->entries_ = entries;
    list->capacity_ = capacity;
}

/* One of QoS 2 that may come again and is settled, and so is needed least: if
 * it does, it is acknowledged without us, or was refused and is told of again.
 * used_: there is none. */
static uint16_t find_spare(const struct mqtt_unsettled_list *list)
{
    uint16_t i = list->here_;

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
    entry.state_ = qos2 ? QOS2 : 0;
    put_here(list, list->used_++, entry);
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
    if (i < list->here_)
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
    uint16_t here = list->here_;
    uint16_t i = find_qos2(list, identifier, here, list->used_);

    if (i == list->used_)
        return find_qos2(list, identifier, 0, here) < here;
    put_here(list, i, list->entries_[i]);
    if (list->entries_[here].state_ & SETTLED)
        look_again(list, here);
    return true;
}

bool mqtt_unsettled_completed(struct mqtt_unsettled_list *list,
                              uint16_t identifier)
{
    uint16_t i = find_qos2(list, identifier, 0, list->used_);

    if (i == list->used_)
        return false;
    take_out(list, i);
    return true;
}

bool mqtt_unsettled_qos2_waits(const struct mqtt_unsettled_list *list)
{
    for (uint16_t i = 0; i < list->here_; i++)
        if (list->entries_[i].state_ & QOS2)
            return true;
    return false;
}

/* What has not come on this connection holds nothing up: acknowledgements are
 * in the order of the PUBLISH packets [5.0 MQTT-4.6.0-2, MQTT-4.6.0-3], and
 * its PUBLISH packet is yet to come, or never will. */
bool mqtt_unsettled_next(struct mqtt_unsettled_list *list,
                         struct mqtt_settled *settled)
{
    const struct mqtt_unsettled *e = list->entries_;
    bool held_up[2] = {false, false};

    for (uint16_t i = 0; !list->nothing_leaves_ && i < list->here_; i++) {
        bool qos2 = e[i].state_ & QOS2;

        if (may_leave(e[i].state_) && !held_up[qos2]) {
            *settled =
                (struct mqtt_settled){e[i].identifier_, i, e[i].code_, qos2};
            return true;
        }
        held_up[qos2] = true;
        if (held_up[!qos2])
            break;
    }
    list->nothing_leaves_ = true;
    return false;
}

void mqtt_unsettled_acknowledged(struct mqtt_unsettled_list *list,
                                 const struct mqtt_settled *settled)
{
    take_out(list, settled->index);
}

void mqtt_unsettled_cut(struct mqtt_unsettled_list *list)
{
    struct mqtt_unsettled *e = list->entries_;
    uint16_t kept = 0;

    for (uint16_t i = 0; i < list->used_; i++) {
        if (!(e[i].state_ & QOS2))
            continue;
        e[kept++] = e[i];
    }
    list->used_ = kept;
    list->here_ = 0;
}

void mqtt_unsettled_clear(struct mqtt_unsettled_list *list)
{
    /* The counter goes on: old handles stay of nothing. */
    list->used_ = list->here_ = 0;
}

/* ---- the store ------------------------------------------------------------ */

static void change(struct mqtt_unsettled_list *list, unsigned from, unsigned to)
{
    struct mqtt_unsettled *e = list->entries_;

    for (uint16_t i = 0; i < list->used_; i++)
        if (e[i].state_ & from)
            e[i].state_ = (uint8_t)((e[i].state_ & ~from) | to);
    list->nothing_leaves_ = false;
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
