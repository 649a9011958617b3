/*
 * blocks.h - ways to block.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stddef.h>

struct blocking {
    const char *call; /* as the shim has to name it; NULL: nothing blocks */
    /* `blocking`: a connected blocking socket with a byte to read. */
    void (*block)(int blocking);
};

extern const struct blocking blockings[];
extern const size_t blocking_count;

#endif
