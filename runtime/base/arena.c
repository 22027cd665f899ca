/* A list of blocks, each as large as all before it together. */
#include "base/arena.h"

#include "base/memory.h"

#include <stdlib.h>

#define LEAST_BLOCK 4096

struct pp_arena_block {
    struct pp_arena_block *older;
    size_t size; /* with this head */
};

static void add_block(struct pp_arena *arena, size_t size)
{
    struct pp_arena_block *block = pp_malloc(size);
    *block = (struct pp_arena_block){arena->newest, size};
    arena->newest = block;
    arena->total += size;
    arena->at = (char *)(block + 1);
    arena->end = (char *)block + size;
}

void *pp_arena_take_slowly(struct pp_arena *arena, size_t size)
{
    size_t block = arena->total > LEAST_BLOCK ? arena->total : LEAST_BLOCK;
    if (block < size + sizeof(struct pp_arena_block))
        block = size + sizeof(struct pp_arena_block);
    add_block(arena, block);
    void *taken = arena->at;
    arena->at += size;
    return taken;
}

void pp_arena_clear(struct pp_arena *arena)
{
    struct pp_arena_block *block = arena->newest;
    if (block == NULL)
        return;
    if (block->older != NULL) {
        size_t total = arena->total;
        pp_arena_destroy(arena);
        add_block(arena, total);
    }
    arena->at = (char *)(arena->newest + 1);
}

void pp_arena_destroy(struct pp_arena *arena)
{
    for (struct pp_arena_block *block = arena->newest, *older; block != NULL; block = older) {
        older = block->older;
        free(block);
    }
    *arena = (struct pp_arena){0};
}
