#include <string.h>
#include "session/aliases.h"

/* ---- outgoing ------------------------------------------------------------ */

/* Aliases are given from 1 on, so those never given are the last ones. Only the
 * first of them says so: memory that is not needed is not touched. */
static void end_at(struct mqtt_alias_table *table, uint16_t index)
{
    if (index < table->limit_)
        table->entries_[index].used_ = 0;
}

void mqtt_aliases_begin(struct mqtt_alias_table *table, uint16_t limit)
{
    table->limit_ = limit < table->count_ ? limit : table->count_;
    table->clock_ = 0;
    end_at(table, 0);
}

/* Where the topic name stands, or is to be put. */
static uint16_t find_topic(const struct mqtt_alias_table *table,
                           struct mqtt_span topic, bool *known)
{
    uint16_t oldest = 0;

    for (uint16_t i = 0; i < table->limit_; i++) {
        const struct mqtt_alias *entry = &table->entries_[i];

        if (!entry->used_)
            return i;
        *known = entry->size_ == topic.size &&
                 !memcmp(entry->topic_, topic.data, topic.size);
        if (*known)
            return i;
        if (entry->used_ < table->entries_[oldest].used_)
            oldest = i;
    }
    return oldest;
}

/* The clock is at its end: set it and all ages back by half of it. What was not
 * used within that half is then equally old. */
static void set_clock_back(struct mqtt_alias_table *table)
{
    uint32_t half = UINT32_MAX / 2;

    table->clock_ -= half;
    for (uint16_t i = 0; i < table->limit_ && table->entries_[i].used_; i++) {
        uint32_t *used = &table->entries_[i].used_;

        *used = *used > half ? *used - half : 1;
    }
}

static void give(struct mqtt_alias_table *table, uint16_t index,
                 struct mqtt_span topic)
{
    struct mqtt_alias *entry = &table->entries_[index];

    if (!entry->used_)
        end_at(table, (uint16_t)(index + 1));
    entry->size_ = (uint8_t)topic.size;
    memcpy(entry->topic_, topic.data, topic.size);
}

uint16_t mqtt_alias_of(struct mqtt_alias_table *table, struct mqtt_span topic,
                       bool *known)
{
    uint16_t index;

    *known = false;
    if (!table->limit_ || topic.size > MQTT_ALIAS_TOPIC_MAX)
        return 0;
    index = find_topic(table, topic, known);
    if (!*known)
        give(table, index, topic);
    if (table->clock_ == UINT32_MAX)
        set_clock_back(table);
    table->entries_[index].used_ = ++table->clock_;
    return (uint16_t)(index + 1); /* never 0 [5.0 MQTT-3.3.2-8] */
}

/* ---- incoming ------------------------------------------------------------ */

/* Records lie back to back, at any address: alias, size, topic name. */
enum { RECORD_HEAD = 4 };

static uint16_t read_u16(const uint8_t *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint32_t record_size(const uint8_t *record)
{
    return RECORD_HEAD + (uint32_t)read_u16(record + 2);
}

/* Where the record of `alias` begins; used_: nowhere. */
static uint32_t find_record(const struct mqtt_alias_names *names,
                            uint16_t alias)
{
    uint32_t at = 0;

    while (at < names->used_ && read_u16(names->bytes_ + at) != alias)
        at += record_size(names->bytes_ + at);
    return at;
}

void mqtt_alias_names_begin(struct mqtt_alias_names *names)
{
    names->used_ = 0;
}

/* Close the gap that a record of `size` bytes leaves. */
static void take_out(struct mqtt_alias_names *names, uint32_t at, uint32_t size)
{
    uint8_t *record = names->bytes_ + at;

    names->used_ -= size;
    memmove(record, record + size, names->used_ - at);
}

static void append(struct mqtt_alias_names *names, uint16_t alias,
                   struct mqtt_span topic)
{
    uint8_t *record = names->bytes_ + names->used_;
    uint16_t size = (uint16_t)topic.size;

    memcpy(record, &alias, sizeof(alias));
    memcpy(record + 2, &size, sizeof(size));
    memcpy(record + RECORD_HEAD, topic.data, size);
    names->used_ += RECORD_HEAD + (uint32_t)size;
}

bool mqtt_alias_names_set(struct mqtt_alias_names *names, uint16_t alias,
                          struct mqtt_span topic)
{
    uint32_t at = find_record(names, alias);
    uint32_t old = at < names->used_ ? record_size(names->bytes_ + at) : 0;

    if (RECORD_HEAD + topic.size > names->size_ - (names->used_ - old))
        return false;
    if (old)
        take_out(names, at, old);
    append(names, alias, topic);
    return true;
}

bool mqtt_alias_names_get(const struct mqtt_alias_names *names, uint16_t alias,
                          struct mqtt_span *topic)
{
    uint32_t at = find_record(names, alias);

    if (at == names->used_)
        return false;
    topic->data = names->bytes_ + at + RECORD_HEAD;
    topic->size = read_u16(names->bytes_ + at + 2);
    return true;
}
