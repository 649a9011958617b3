/*
 * store.h - memory of one world: given out piece by piece, zeroed, and taken
 * back all at once; and rows of bytes that grow.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <stddef.h>
#include <stdint.h>

struct store_block;
struct store {
    struct store_block *first, *current;
};

void *store_take(struct store *store, size_t size);
/* The same, not zeroed. */
void *store_raw(struct store *store, size_t size);
/* The same, with these bytes in it. */
const uint8_t *store_copy(struct store *store, const void *bytes, size_t size);
/* All of it is free again. */
void store_reset(struct store *store);
void store_free(struct store *store);

/* Bytes that come in behind and leave in front: bytes[begin..end). */
struct row {
    uint8_t *bytes;
    uint32_t begin, end, capacity;
};

static inline uint32_t row_size(const struct row *row)
{
    return row->end - row->begin;
}

/* Room for `size` more bytes, where they are to be put. */
uint8_t *row_extend(struct row *row, uint32_t size);
void row_append(struct row *row, const void *bytes, uint32_t size);
/* The first `size` bytes leave. */
void row_drop(struct row *row, uint32_t size);
void row_clear(struct row *row);
void row_free(struct row *row);

#endif
