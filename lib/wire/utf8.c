#include "wire/utf8.h"

/* The smallest code point that a sequence of so many bytes may stand for. */
static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

/* Bytes of the sequence that begins with `lead`; 0: no sequence does. */
static unsigned sequence_size(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if ((lead & 0xf0) == 0xe0)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* The sequence at `at`, which has `left` bytes; its size, or 0. */
static unsigned sequence(const uint8_t *at, size_t left)
{
    unsigned size = sequence_size(at[0]);
    uint32_t code;

    if (size <= 1)
        return at[0] ? size : 0;
    if (size > left)
        return 0;
    code = at[0] & (0x7fu >> size);
    for (unsigned i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < smallest[size] || code > 0x10ffff)
        return 0;
    return code >= 0xd800 && code <= 0xdfff ? 0 : size;
}

static bool all_valid(struct mqtt_span text, bool nul_too)
{
    const uint8_t *at = text.data;
    size_t left = text.size;

    while (left) {
        unsigned size = nul_too && !at[0] ? 1 : sequence(at, left);

        if (!size)
            return false;
        at += size;
        left -= size;
    }
    return true;
}

bool mqtt_utf8_valid(struct mqtt_span text)
{
    return text.size <= 65535 && all_valid(text, false);
}

bool mqtt_utf8_payload_valid(struct mqtt_span payload)
{
    return all_valid(payload, true);
}
