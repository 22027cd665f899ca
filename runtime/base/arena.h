/* Memory that is taken piece by piece and given back at once. Zero-initialised an arena is empty and ready. What was
 * taken stays where it is until pp_arena_clear. */
#ifndef PP_BASE_ARENA_H
#define PP_BASE_ARENA_H

#include <stddef.h>

struct pp_arena_block;

struct pp_arena {
    char *at, *end;                /* what is left of the newest block */
    struct pp_arena_block *newest; /* the others behind it */
    size_t total;                  /* bytes of all blocks */
};

/* So many bytes from a new block, aligned to 8. */
void *pp_arena_take_slowly(struct pp_arena *arena, size_t size);

/* So many bytes, aligned to 8, not initialised. Memory that can't be had ends the process with a message. */
static inline void *pp_arena_take(struct pp_arena *arena, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if ((size_t)(arena->end - arena->at) < size)
        return pp_arena_take_slowly(arena, size);
    void *taken = arena->at;
    arena->at += size;
    return taken;
}

/* Takes all back, and keeps the memory as one block: an arena that is filled and cleared again and again comes to rest
 * without a call for memory. */
void pp_arena_clear(struct pp_arena *arena);

/* Frees everything; the arena is empty and may be used again. */
void pp_arena_destroy(struct pp_arena *arena);

#endif
