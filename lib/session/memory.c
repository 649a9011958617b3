/*
 * Whether lent memory is as session.h says.
 */
#include "session/session.h"

/* What is lent: where in struct mqtt_memory its pointer stands, and its size,
 * in bytes or counted; and the least size. */
struct part {
    uint8_t pointer, size, least;
    bool counted;
};
/* clang-format off */
#define BYTES(pointer, size, least)                                            \
    {offsetof(struct mqtt_memory, pointer), offsetof(struct mqtt_memory, size), \
     least, false}
#define COUNTED(pointer, count)                                                \
    {offsetof(struct mqtt_memory, pointer),                                    \
     offsetof(struct mqtt_memory, count), 0, true}
/* clang-format on */

static const struct part parts[] = {
    BYTES(input, input_size, 16),
    BYTES(control, control_size, 16),
    BYTES(outbox, outbox_size, 0),
    COUNTED(slots, slot_count),
    COUNTED(unsettled, unsettled_count),
    COUNTED(released, released_count),
    COUNTED(input, received_count), /* in one of two, see below */
    COUNTED(alias_topics, alias_topic_count),
    BYTES(alias_names, alias_names_size, 0),
    COUNTED(input, alias_name_count), /* of those bytes */
    BYTES(identifier, identifier_size, 0),
};

static bool part_valid(const struct mqtt_memory *memory,
                       const struct part *part)
{
    const char *base = (const char *)memory;
    size_t most = part->counted ? UINT16_MAX : 1u << 30;
    size_t size = *(const size_t *)(const void *)(base + part->size);
    const void *pointer = *(void *const *)(const void *)(base + part->pointer);

    return size >= part->least && size <= most && (!size || pointer);
}

bool mqtt_memory_valid(const struct mqtt_memory *memory,
                       const struct mqtt_config *config)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!part_valid(memory, &parts[i]))
            return false;
    if (memory->slot_count & (memory->slot_count - 1))
        return false;
    if ((config->store || config->settle) && !memory->unsettled_count)
        return false;
    if (config->store && !memory->released_count)
        return false;
    return !memory->received_count || memory->received_list ||
           memory->received_bits;
}
