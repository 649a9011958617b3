/*
 * Topic names, topic filters, text [4.7, 1.5].
 */
#include <string.h>
#include "server_packet.h"

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (!a.size || !memcmp(a.at, b.at, a.size));
}

/* The length of a sequence by its first byte, and its least code point. */
static unsigned sequence(uint8_t first, uint32_t *code, uint32_t *least)
{
    if (first < 0xC2 || first > 0xF4)
        return 0;
    if (first < 0xE0) {
        *code = first & 0x1Fu;
        *least = 0x80;
        return 2;
    }
    if (first < 0xF0) {
        *code = first & 0x0Fu;
        *least = 0x800;
        return 3;
    }
    *code = first & 0x07u;
    *least = 0x10000;
    return 4;
}

static uint32_t good_sequence(struct bytes text, uint32_t at)
{
    uint32_t code = 0, least = 0;
    unsigned length = sequence(text.at[at], &code, &least);

    if (!length || text.size - at < length)
        return 0;
    for (unsigned i = 1; i < length; i++) {
        if ((text.at[at + i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text.at[at + i] & 0x3Fu);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    return length;
}

bool text_good(struct bytes text)
{
    uint32_t step;

    for (uint32_t i = 0; i < text.size; i += step) {
        step = 1;
        if (!text.at[i])
            return false;
        if (text.at[i] >= 0x80)
            step = good_sequence(text, i);
        if (!step)
            return false;
    }
    return true;
}

bool topic_name_good(struct bytes name)
{
    if (!name.size || !text_good(name))
        return false;
    for (uint32_t i = 0; i < name.size; i++)
        if (name.at[i] == '+' || name.at[i] == '#')
            return false;
    return true;
}

bool topic_has_wildcard(struct bytes filter)
{
    for (uint32_t i = 0; i < filter.size; i++)
        if (filter.at[i] == '+' || filter.at[i] == '#')
            return true;
    return false;
}

static bool wildcards_good(struct bytes filter)
{
    for (uint32_t i = 0; i < filter.size; i++) {
        bool first = !i || filter.at[i - 1] == '/';
        bool last = i + 1 == filter.size;

        if (filter.at[i] == '#' && !(first && last))
            return false;
        if (filter.at[i] == '+' &&
            !(first && (last || filter.at[i + 1] == '/')))
            return false;
    }
    return true;
}

bool topic_filter_good(struct bytes filter)
{
    return filter.size && text_good(filter) && wildcards_good(filter);
}

bool topic_shared(struct bytes filter, struct bytes *group, struct bytes *inner)
{
    uint32_t i = 7;

    if (filter.size < 7 || memcmp(filter.at, "$share/", 7) != 0)
        return false;
    while (i < filter.size && filter.at[i] != '/')
        i++;
    *group = (struct bytes){filter.at + 7, i - 7};
    *inner = (struct bytes){filter.at + i, filter.size - i};
    if (inner->size) {
        inner->at++;
        inner->size--;
    }
    return true;
}

/* Behind the level that begins at `i`. */
static uint32_t level_end(struct bytes text, uint32_t i)
{
    while (i < text.size && text.at[i] != '/')
        i++;
    return i;
}

bool topic_matches(struct bytes filter, struct bytes name)
{
    uint32_t f = 0, n = 0;

    if (name.size && name.at[0] == '$' &&
        (filter.at[0] == '+' || filter.at[0] == '#'))
        return false;
    for (;;) {
        uint32_t fe = level_end(filter, f), ne = level_end(name, n);

        if (fe == f + 1 && filter.at[f] == '#')
            return true;
        if (!(fe == f + 1 && filter.at[f] == '+') &&
            !bytes_equal((struct bytes){filter.at + f, fe - f},
                         (struct bytes){name.at + n, ne - n}))
            return false;
        if (ne == name.size) /* "a/#" matches "a" */
            return fe == filter.size ||
                   (filter.size - fe == 2 && filter.at[fe + 1] == '#');
        if (fe == filter.size)
            return false;
        f = fe + 1;
        n = ne + 1;
    }
}
