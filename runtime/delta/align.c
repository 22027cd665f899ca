/* Aligning arrays. Each element is given a number by which it is known again. What only one of the arrays has is left
 * out first, so that arrays which share nothing cost nothing. */
#include "delta/align.h"

#include "base/memory.h"
#include "value/value.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 4000000 /* comparisons in one alignment */
#define MAX_ID_SEARCH 64  /* members of a map among which "id" is looked for */

/* --- Myers' greedy search, forward, with the furthest point of each diagonal kept for every number of differences ---
 */

struct search {
    const uint64_t *a, *b;
    int64_t n, m;
    int64_t steps;
    int32_t *trail; /* row d holds the d + 1 points of the diagonals -d, -d + 2 … d */
};

static int32_t *row_of(const struct search *s, int64_t d)
{
    return s->trail + d * (d + 1) / 2;
}

/* How far diagonal k was before its last step along the other kind of move, seen from row d - 1. `down` says which. */
static int64_t start_of(const struct search *s, int64_t d, int64_t k, bool *down)
{
    const int32_t *last = row_of(s, d - 1);
    int64_t i = (k + d) / 2; /* the place of k in row d; k - 1 stands at i - 1 of the row before, k + 1 at i */
    *down = k == -d || (k != d && last[i - 1] < last[i]);
    return *down ? last[i] : last[i - 1] + 1;
}

/* Fills row d; true where the end was reached. */
static bool search_row(struct search *s, int64_t d)
{
    for (int64_t k = -d; k <= d; k += 2) {
        bool down;
        int64_t x = d > 0 ? start_of(s, d, k, &down) : 0, y = x - k;
        while (x < s->n && y < s->m && y >= 0 && s->a[x] == s->b[y]) {
            x++;
            y++;
            s->steps++;
        }
        row_of(s, d)[(k + d) / 2] = (int32_t)x;
        s->steps++;
        if (x >= s->n && y >= s->m)
            return true;
    }
    return false;
}

/* Follows the trail back from the end and notes what both have. */
static void walk_back(const struct search *s, int64_t d, uint32_t *from)
{
    int64_t x = s->n, k = s->n - s->m;
    for (; d >= 0; d--) {
        bool down = false;
        int64_t begin = d > 0 ? start_of(s, d, k, &down) : 0;
        for (; x > begin; x--)
            from[x - k - 1] = (uint32_t)(x - 1);
        x = down ? begin : begin - 1;
        k += down ? 1 : -1;
    }
}

bool pp_align_numbers(const uint64_t *a, uint32_t n, const uint64_t *b, uint32_t m, uint32_t max_d, uint32_t *from)
{
    struct search s = {.a = a, .b = b, .n = n, .m = m};
    int64_t d = 0, cap = 0;
    bool found = false;
    memset(from, 0xFF, m * sizeof *from);
    for (; d <= max_d && s.steps < MAX_STEPS; d++) {
        if (d >= cap) {
            cap = cap != 0 ? cap * 2 : 16;
            s.trail = pp_realloc(s.trail, (size_t)(cap * (cap + 1) / 2) * sizeof *s.trail);
        }
        if ((found = search_row(&s, d)))
            break;
    }
    if (found)
        walk_back(&s, d, from);
    free(s.trail);
    return found;
}

/* --- numbers for elements --- */

static bool is_id(const struct pp_value_member *member)
{
    return member->key->len == 2 && memcmp(member->key->bytes, "id", 2) == 0;
}

/* What a map has under "id", where that is a string or a number; NULL else. `*place` is where the last one had it. */
static const struct pp_value *id_of(const struct pp_value *value, uint32_t *place)
{
    const struct pp_value_member *members = value->members;
    if (value->kind != PP_VALUE_MAP)
        return NULL;
    if (*place >= value->count || !is_id(&members[*place])) {
        uint32_t at = 0, end = value->count < MAX_ID_SEARCH ? value->count : MAX_ID_SEARCH;
        while (at < end && !is_id(&members[at]))
            at++;
        if (at == end)
            return NULL;
        *place = at;
    }
    const struct pp_value *id = &members[*place].value;
    return id->kind == PP_VALUE_STRING || id->kind == PP_VALUE_NUMBER ? id : NULL;
}

static uint64_t number_of(const struct pp_value *value, uint32_t *place)
{
    const struct pp_value *id = id_of(value, place);
    return id != NULL ? ~pp_value_hash(id) : pp_value_hash(value);
}

/* those of the list, with their places, that the table has too; returns how many. */
static uint32_t keep_common(uint64_t *list, uint32_t *places, uint32_t count, const uint64_t *table, uint32_t mask)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)(list[i] >> 20) & mask;
        while (table[at] != 0 && table[at] != list[i])
            at = (at + 1) & mask;
        if (table[at] == 0)
            continue;
        list[kept] = list[i];
        places[kept++] = i;
    }
    return kept;
}

static void fill_table(uint64_t *table, uint32_t mask, const uint64_t *list, uint32_t count)
{
    memset(table, 0, (mask + (size_t)1) * sizeof *table);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)(list[i] >> 20) & mask;
        while (table[at] != 0 && table[at] != list[i])
            at = (at + 1) & mask;
        table[at] = list[i];
    }
}

struct lists {
    uint64_t *a, *b, *table;
    uint32_t *places_a, *places_b, *from;
};

static struct lists lists_of(const struct pp_value *a, uint32_t n, const struct pp_value *b, uint32_t m, uint32_t mask)
{
    struct lists lists;
    uint32_t place = 0;
    lists.a = pp_malloc(((size_t)n + m + mask + 1) * sizeof(uint64_t) + ((size_t)n + m + m) * sizeof(uint32_t));
    lists.b = lists.a + n;
    lists.table = lists.b + m;
    lists.places_a = (uint32_t *)(void *)(lists.table + mask + 1);
    lists.places_b = lists.places_a + n;
    lists.from = lists.places_b + m;
    for (uint32_t i = 0; i < n; i++)
        lists.a[i] = number_of(&a[i], &place) | 1; /* never 0, which the table's empty places are */
    for (uint32_t i = 0; i < m; i++)
        lists.b[i] = number_of(&b[i], &place) | 1;
    return lists;
}

/* As pp_align without pairing. */
static bool align_common(const struct pp_value *a, uint32_t n, const struct pp_value *b, uint32_t m, uint32_t max_d,
                         uint32_t *from)
{
    uint32_t longer = n > m ? n : m, mask = (UINT32_C(4) << (31 - __builtin_clz(longer))) - 1;
    struct lists lists = lists_of(a, n, b, m, mask);
    fill_table(lists.table, mask, lists.b, m);
    uint32_t kept_a = keep_common(lists.a, lists.places_a, n, lists.table, mask);
    fill_table(lists.table, mask, lists.a, kept_a);
    uint32_t kept_b = keep_common(lists.b, lists.places_b, m, lists.table, mask);
    bool found = pp_align_numbers(lists.a, kept_a, lists.b, kept_b, max_d, lists.from);
    memset(from, 0xFF, m * sizeof *from);
    for (uint32_t j = 0; found && j < kept_b; j++)
        if (lists.from[j] != PP_ALIGN_NEW)
            from[lists.places_b[j]] = lists.places_a[lists.from[j]];
    free(lists.a);
    return found;
}

/* Between two elements that both have, pairs what only one has, in order. */
static void pair_gaps(uint32_t n, uint32_t m, uint32_t *from)
{
    uint32_t i = 0, j = 0;
    while (j < m) {
        uint32_t end = j;
        while (end < m && from[end] == PP_ALIGN_NEW)
            end++;
        uint32_t until = end < m ? from[end] : n;
        for (; j < end && i < until; j++)
            from[j] = i++;
        i = until + 1;
        j = end + 1;
    }
}

/* How many places differ, where elements of the same id do not count. */
static uint32_t count_differing(const struct pp_value *a, const struct pp_value *b, uint32_t count)
{
    uint32_t differing = 0, place = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct pp_value *x = id_of(&a[i], &place), *y = x != NULL ? id_of(&b[i], &place) : NULL;
        differing += !(y != NULL && pp_value_same_scalar(x, y)) && !pp_value_equal(&a[i], &b[i]);
    }
    return differing;
}

void pp_align(const struct pp_value *a, uint32_t n, const struct pp_value *b, uint32_t m, uint32_t *from)
{
    uint32_t max_d = PP_ALIGN_MAX_D;
    if (n == m) {
        /* One splice costs as much as several elements that are changed in place. */
        uint32_t differing = count_differing(a, b, n);
        max_d = differing / 2 < max_d ? differing / 2 : max_d;
    }
    if (max_d < 2 || n == 0 || m == 0 || !align_common(a, n, b, m, max_d, from))
        memset(from, 0xFF, m * sizeof *from);
    pair_gaps(n, m, from);
}
