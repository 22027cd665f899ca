/* Sets of small numbers, a bit for each. */
#ifndef PP_INTEREST_SET_H
#define PP_INTEREST_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Zero-initialised it is empty. */
struct pp_set {
    uint64_t *words;
    uint32_t count; /* words; what lies beyond is not in the set */
};

static inline uint64_t pp_set_word(const struct pp_set *set, uint32_t at)
{
    return at < set->count ? set->words[at] : 0;
}

static inline bool pp_set_has(const struct pp_set *set, uint32_t number)
{
    return pp_set_word(set, number / 64) >> number % 64 & 1;
}

/* Makes room for so many words, so that what is below is added without a look. */
static inline void pp_set_reserve(struct pp_set *set, uint32_t words)
{
    if (set->words != NULL && words <= set->count)
        return;
    set->words = pp_realloc(set->words, words * sizeof *set->words);
    memset(set->words + set->count, 0, (words - set->count) * sizeof *set->words);
    set->count = words;
}

static inline void pp_set_add(struct pp_set *set, uint32_t number)
{
    pp_set_reserve(set, number / 64 + 1);
    set->words[number / 64] |= UINT64_C(1) << number % 64;
}

static inline void pp_set_clear(struct pp_set *set)
{
    if (set->count > 0)
        memset(set->words, 0, set->count * sizeof *set->words);
}

static inline void pp_set_copy(struct pp_set *to, const struct pp_set *from)
{
    pp_set_reserve(to, from->count);
    for (uint32_t i = 0; i < to->count; i++)
        to->words[i] = pp_set_word(from, i);
}

static inline bool pp_set_equal(const struct pp_set *a, const struct pp_set *b)
{
    for (uint32_t i = 0; i < a->count || i < b->count; i++)
        if (pp_set_word(a, i) != pp_set_word(b, i))
            return false;
    return true;
}

static inline uint32_t pp_set_size(const struct pp_set *set)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < set->count; i++)
        size += (uint32_t)__builtin_popcountll(set->words[i]);
    return size;
}

/* Equal sets have the same. */
static inline uint64_t pp_set_hash(const struct pp_set *set)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->words[i] != 0) {
            hash = (hash ^ set->words[i] ^ (uint64_t)i << 32) * UINT64_C(0x9E3779B97F4A7C15);
            hash ^= hash >> 29;
        }
    return hash;
}

static inline void pp_set_destroy(struct pp_set *set)
{
    free(set->words);
    *set = (struct pp_set){0};
}

#endif
