#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

#define BLOCK_SIZE (1u << 20)

struct store_block {
    struct store_block *next;
    size_t size, used;
    max_align_t bytes[];
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("sim: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

static struct store_block *new_block(size_t size)
{
    struct store_block *block;

    size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    block = must(malloc(sizeof(*block) + size));
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

static void *take_from(struct store_block *block, size_t size)
{
    uint8_t *bytes = (uint8_t *)block->bytes + block->used;

    block->used += size;
    return bytes;
}

static void *take(struct store *store, size_t size)
{
    struct store_block **place =
        store->current ? &store->current->next : &store->first;

    size = (size + 15) & ~(size_t)15;
    if (store->current && store->current->size - store->current->used >= size)
        return take_from(store->current, size);
    if (!*place || (*place)->size < size) {
        struct store_block *block = new_block(size);

        block->next = *place;
        *place = block;
    }
    store->current = *place;
    store->current->used = 0;
    return take_from(store->current, size);
}

void *store_take(struct store *store, size_t size)
{
    return memset(take(store, size), 0, size);
}

void *store_raw(struct store *store, size_t size)
{
    return take(store, size);
}

const uint8_t *store_copy(struct store *store, const void *bytes, size_t size)
{
    uint8_t *copy = take(store, size + 1);

    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

void store_reset(struct store *store)
{
    store->current = store->first;
    if (store->first)
        store->first->used = 0;
}

void store_free(struct store *store)
{
    while (store->first) {
        struct store_block *next = store->first->next;

        free(store->first);
        store->first = next;
    }
    store->current = NULL;
}

uint8_t *row_extend(struct row *row, uint32_t size)
{
    if (row->begin == row->end)
        row->begin = row->end = 0;
    if (row->capacity - row->end < size && row->begin) {
        memmove(row->bytes, row->bytes + row->begin, row_size(row));
        row->end -= row->begin;
        row->begin = 0;
    }
    if (row->capacity - row->end < size) {
        row->capacity = (row->end + size) * 2;
        row->bytes = must(realloc(row->bytes, row->capacity));
    }
    row->end += size;
    return row->bytes + row->end - size;
}

void row_append(struct row *row, const void *bytes, uint32_t size)
{
    if (size)
        memcpy(row_extend(row, size), bytes, size);
}

void row_drop(struct row *row, uint32_t size)
{
    row->begin += size;
}

void row_clear(struct row *row)
{
    row->begin = row->end = 0;
}

void row_free(struct row *row)
{
    free(row->bytes);
    row->bytes = NULL;
    row->begin = row->end = row->capacity = 0;
}
