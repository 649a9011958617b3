/* The four functions that the core needs. Those of newlib read words that are
 * not aligned, which traps here: so that no other code of ours may. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static int aligned(const void *a, const void *b)
{
    return !(((uintptr_t)a | (uintptr_t)b) & 3);
}

void *memcpy(void *to, const void *from, size_t size)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    for (; aligned(t, f) && size >= 4; t += 4, f += 4, size -= 4)
        *(uint32_t *)(void *)t = *(const uint32_t *)(const void *)f;
    while (size--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *t = (uint8_t *)to + size;
    const uint8_t *f = (const uint8_t *)from + size;

    if ((uintptr_t)to <= (uintptr_t)from)
        return memcpy(to, from, size);
    while (size--)
        *--t = *--f;
    return to;
}

void *memset(void *to, int value, size_t size)
{
    uint8_t *t = to;
    uint32_t word = (uint8_t)value * 0x01010101u;

    for (; aligned(t, t) && size >= 4; t += 4, size -= 4)
        *(uint32_t *)(void *)t = word;
    while (size--)
        *t++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;

    for (; size; size--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}
