/* Deltas of what is seen. The usual one is copied together from pieces that were written once; each piece begins with a
 * comma, and the first comma of a map becomes its brace. What is unusual (a map came or went, a key is reserved) is
 * found by comparing trees that hold what is seen and nothing else. */
#include "delta/delta.h"
#include "interest/interest_internal.h"

#define DELETED "{\"__pp_deleted\":true}"
#define VALUE "{\"__pp_value\":"

/* --- what is no entity --- */

static bool write_change(struct pp_buf *out, const struct pp_value *before, const struct pp_value *now)
{
    static const struct pp_value nothing = {.kind = PP_VALUE_NIL}, something = {.kind = PP_VALUE_BOOL};
    if (before == NULL)
        before = now->kind == PP_VALUE_NIL ? &something : &nothing;
    return pp_delta_diff(before, now, out);
}

static void write_rest_changes(struct pp_interest *interest)
{
    const struct pp_value *before = interest->before, *now = interest->now;
    struct pp_buf *rest = &interest->rest;
    for (uint32_t i = 0; i < now->count; i++) {
        const struct pp_value_member *at = &now->members[i], *old = pp_value_find(before, at->key, i);
        size_t start = rest->len;
        if (pp_interest_map_of(interest, at->key) != NULL)
            continue;
        pp_interest_label(rest, at->key);
        if (!write_change(rest, old != NULL ? &old->value : NULL, &at->value))
            rest->len = start;
        else
            interest->by_value = interest->by_value || pp_interest_is_reserved(at->key);
    }
    for (uint32_t i = 0; i < before->count; i++) {
        const struct pp_value_key *key = before->members[i].key;
        if (pp_interest_map_of(interest, key) != NULL || pp_value_find(now, key, i) != NULL)
            continue;
        pp_interest_label(rest, key);
        pp_buf_append_string(rest, DELETED);
        interest->by_value = interest->by_value || pp_interest_is_reserved(key);
    }
}

void pp_interest_look_at_rest(struct pp_interest *interest)
{
    pp_buf_clear(&interest->rest);
    interest->by_value = interest->before->kind != PP_VALUE_MAP || interest->now->kind != PP_VALUE_MAP;
    if (!interest->by_value)
        write_rest_changes(interest);
    for (uint32_t i = 0; i < interest->map_count; i++) {
        const struct pp_interest_map *map = &interest->maps[i];
        interest->by_value = interest->by_value || map->by_value || pp_interest_is_reserved(map->name) ||
                             (map->value_before == NULL) != (map->value_now == NULL);
    }
}

/* --- by trees --- */

static struct pp_value seen_of_map(struct pp_tree *tree, const struct pp_interest_map *map,
                                   const struct pp_value *value, const struct pp_set *set)
{
    uint32_t first = tree->open_count;
    for (uint32_t i = 0; i < value->count; i++) {
        const struct pp_entity *entity = pp_interest_entity_of(map, value->members[i].key);
        if (entity != NULL && pp_set_has(set, (uint32_t)(entity - map->entities)))
            pp_tree_push(tree, value->members[i].key, value->members[i].value);
    }
    return pp_tree_map(tree, first);
}

/* The state with what is seen of it; shares with it. */
static struct pp_value seen_of(struct pp_interest *interest, const struct pp_value *state, const struct pp_sight *sight)
{
    struct pp_tree *tree = &interest->scratch;
    uint32_t first = tree->open_count;
    if (state->kind != PP_VALUE_MAP)
        return *state;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct pp_value_member *at = &state->members[i];
        const struct pp_interest_map *map = pp_interest_map_of(interest, at->key);
        if (map == NULL)
            pp_tree_push(tree, at->key, at->value);
        else if (at->value.kind == PP_VALUE_MAP)
            pp_tree_push(tree, at->key, seen_of_map(tree, map, &at->value, &sight->sets[map - interest->maps]));
    }
    return pp_tree_map(tree, first);
}

static void clear_scratch(struct pp_interest *interest)
{
    pp_tree_clear(&interest->scratch);
    interest->scratch.max_bytes = SIZE_MAX; /* the state is bounded, and this is less */
}

bool pp_interest_write_from(struct pp_interest *interest, const struct pp_value *before, const struct pp_sight *known,
                            const struct pp_sight *seen, struct pp_buf *out)
{
    clear_scratch(interest);
    struct pp_value was = seen_of(interest, before, known), is = seen_of(interest, interest->now, seen);
    return pp_delta_diff(&was, &is, out);
}

void pp_interest_write_whole(struct pp_interest *interest, const struct pp_sight *seen, struct pp_buf *out)
{
    if (interest->root != NULL) {
        pp_interest_state_write_whole(interest, seen, out);
        return;
    }
    clear_scratch(interest);
    struct pp_value is = seen_of(interest, interest->now, seen);
    pp_value_write(&is, out);
}

/* --- by pieces --- */

static void append_piece(struct pp_buf *out, const struct pp_interest_map *map, struct pp_piece piece)
{
    pp_buf_append(out, map->pieces.data + piece.at, piece.len);
}

/* The entity as one that was not there. */
static struct pp_piece whole_of(struct pp_interest_map *map, struct pp_entity *entity)
{
    if (entity->whole.len == 0) {
        struct pp_buf *out = &map->pieces;
        size_t start = out->len;
        pp_buf_append(out, entity->label.data, entity->label.len);
        write_change(out, NULL, entity->now);
        entity->whole = (struct pp_piece){start, out->len - start};
    }
    return entity->whole;
}

static void write_deletions(struct pp_buf *out, const struct pp_interest_map *map, uint32_t word, uint64_t gone)
{
    for (; gone != 0; gone &= gone - 1) {
        const struct pp_entity *entity = &map->entities[word * 64 + (uint32_t)__builtin_ctzll(gone)];
        pp_buf_append(out, entity->label.data, entity->label.len);
        pp_buf_append(out, DELETED, sizeof DELETED - 1);
    }
}

/* Returns how many are deleted. */
static uint32_t write_changes(struct pp_buf *out, struct pp_interest_map *map, const struct pp_set *known,
                              const struct pp_set *seen)
{
    uint32_t deletions = 0;
    for (uint32_t w = 0; w < known->count || w < seen->count; w++) {
        uint64_t old = pp_set_word(known, w), new = pp_set_word(seen, w);
        for (uint64_t changed = old & new &pp_set_word(&map->changed, w); changed != 0; changed &= changed - 1)
            append_piece(out, map, map->entities[w * 64 + (uint32_t)__builtin_ctzll(changed)].change);
        for (uint64_t added = new & ~old; added != 0; added &= added - 1)
            append_piece(out, map, whole_of(map, &map->entities[w * 64 + (uint32_t)__builtin_ctzll(added)]));
        write_deletions(out, map, w, old & ~new);
        deletions += (uint32_t)__builtin_popcountll(old & ~new);
    }
    return deletions;
}

/* The value of an entity that was not there, as it stands where nothing is read as a delta. */
static struct pp_piece plain_of(struct pp_interest_map *map, struct pp_entity *entity)
{
    struct pp_piece whole = whole_of(map, entity);
    struct pp_piece value = {whole.at + entity->label.len, whole.len - entity->label.len};
    const char *text = map->pieces.data + value.at;
    if (value.len >= sizeof VALUE && memcmp(text, VALUE, sizeof VALUE - 1) == 0)
        return (struct pp_piece){value.at + sizeof VALUE - 1, value.len - sizeof VALUE};
    return value;
}

/* How long write_all would be. */
static size_t size_of_all(struct pp_interest_map *map, const struct pp_set *seen)
{
    size_t size = 0;
    for (uint32_t w = 0; w < seen->count; w++)
        for (uint64_t left = seen->words[w]; left != 0; left &= left - 1) {
            struct pp_entity *entity = &map->entities[w * 64 + (uint32_t)__builtin_ctzll(left)];
            size += entity->label.len + plain_of(map, entity).len;
        }
    return size;
}

static void write_all(struct pp_buf *out, struct pp_interest_map *map, const struct pp_set *seen)
{
    for (uint32_t w = 0; w < seen->count; w++)
        for (uint64_t left = seen->words[w]; left != 0; left &= left - 1) {
            struct pp_entity *entity = &map->entities[w * 64 + (uint32_t)__builtin_ctzll(left)];
            pp_buf_append(out, entity->label.data, entity->label.len);
            append_piece(out, map, plain_of(map, entity));
        }
}

/* Closes a map of pieces whose text began at `start`; where there are none it is empty. */
static void close_map(struct pp_buf *out, size_t start)
{
    if (out->len == start)
        pp_buf_append_char(out, '{');
    else
        out->data[start] = '{';
    pp_buf_append_char(out, '}');
}

/* The map's part of the delta, where there is any. */
static void write_map(struct pp_buf *out, struct pp_interest_map *map, const struct pp_set *known,
                      const struct pp_set *seen)
{
    size_t start = out->len;
    pp_buf_append(out, map->label.data, map->label.len);
    size_t inner = out->len;
    bool overhead = write_changes(out, map, known, seen) > 0 || map->overhead;
    size_t len = out->len - inner;
    if (len == 0) {
        out->len = start;
        return;
    }
    if (overhead && len > PP_DELTA_SMALL && size_of_all(map, seen) + sizeof VALUE < len) {
        out->len = inner;
        pp_buf_append(out, VALUE, sizeof VALUE - 1);
        size_t all = out->len;
        write_all(out, map, seen);
        close_map(out, all);
        pp_buf_append_char(out, '}');
        return;
    }
    close_map(out, inner);
}

static bool write_pieces(struct pp_interest *interest, const struct pp_sight *known, const struct pp_sight *seen,
                         struct pp_buf *out)
{
    size_t start = out->len;
    if (interest->by_value)
        return pp_interest_write_from(interest, interest->before, known, seen, out);
    pp_buf_append(out, interest->rest.data, interest->rest.len);
    for (uint32_t i = 0; i < interest->map_count; i++)
        write_map(out, &interest->maps[i], &known->sets[i], &seen->sets[i]);
    if (out->len == start)
        return false;
    close_map(out, start);
    return true;
}

bool pp_interest_write(struct pp_interest *interest, const struct pp_sight *known, const struct pp_sight *seen,
                       bool always, struct pp_buf *out)
{
    if (interest->root != NULL)
        return pp_interest_state_write(interest, known, seen, always, out);
    if (write_pieces(interest, known, seen, out))
        return true;
    if (always)
        pp_buf_append_string(out, "{}");
    return always;
}
