#include "sha1.h"

#include <string.h>

#define BLOCK 64

static uint32_t rotated(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static void expand(const uint8_t *block, uint32_t words[80])
{
    for (unsigned i = 0; i < 16; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 |
                   (uint32_t)block[2] << 8 | block[3];
    for (unsigned i = 16; i < 80; i++)
        words[i] = rotated(
            words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
}

/* f and K of [RFC 3174, section 5]. */
static uint32_t mixed(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5A827999;
    case 1:
        return (b ^ c ^ d) + 0x6ED9EBA1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
    default:
        return (b ^ c ^ d) + 0xCA62C1D6;
    }
}

static void take_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t words[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], next;

    expand(block, words);
    for (unsigned i = 0; i < 80; i++) {
        next = rotated(a, 5) + mixed(i, b, c, d) + e + words[i];
        e = d;
        d = c;
        c = rotated(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* What is left, 1, zeros, and the number of bits. */
static void take_last(uint32_t h[5], const uint8_t *rest, size_t count,
                      uint64_t bits)
{
    uint8_t last[2 * BLOCK] = {0};
    size_t size = count + 9 > BLOCK ? 2 * BLOCK : BLOCK;

    memcpy(last, rest, count);
    last[count] = 0x80;
    for (unsigned i = 1; i <= 8; i++, bits >>= 8)
        last[size - i] = (uint8_t)bits;
    for (size_t at = 0; at < size; at += BLOCK)
        take_block(h, last + at);
}

void mqtt_sha1(const void *bytes, size_t size, uint8_t out[MQTT_SHA1_SIZE])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476,
                     0xC3D2E1F0};
    const uint8_t *at = bytes;
    size_t left = size;

    for (; left >= BLOCK; left -= BLOCK, at += BLOCK)
        take_block(h, at);
    take_last(h, at, left, (uint64_t)size * 8);
    for (unsigned i = 0; i < MQTT_SHA1_SIZE; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}
