/* The entities of a state's maps: their numbers, and what became of them. */
#define _GNU_SOURCE /* memmem */
#include "delta/delta.h"
#include "interest/interest_internal.h"
#include "state/view.h"
#include "value/json_writer.h"

#define RETIRED_LEAST 1024 /* so many of what is gone are kept in any case */

struct pp_value_key *pp_interest_key(const char *bytes, size_t len)
{
    struct pp_value_key *key = pp_calloc(1, sizeof *key + ((len + 7) & ~(size_t)7));
    key->hash = (uint32_t)pp_hash(bytes, len);
    key->len = (uint32_t)len;
    memcpy(key->bytes, bytes, len);
    return key;
}

void pp_interest_label(struct pp_buf *out, const struct pp_value_key *key)
{
    pp_buf_append_char(out, ',');
    pp_json_write_string(out, key->bytes, key->len);
    pp_buf_append_char(out, ':');
}

/* --- numbers --- */

struct pp_entity *pp_interest_entity_of(const struct pp_interest_map *map, const struct pp_value_key *key)
{
    uintptr_t found = (uintptr_t)pp_map_get(&map->numbers, key->bytes, key->len);
    return found != 0 ? &map->entities[found - 1] : NULL;
}

static void grow(struct pp_interest_map *map)
{
    map->cap = map->cap != 0 ? map->cap * 2 : 64;
    map->entities = pp_realloc(map->entities, map->cap * sizeof *map->entities);
    map->unused = pp_realloc(map->unused, map->cap * sizeof *map->unused);
    map->retired = pp_realloc(map->retired, map->cap * sizeof *map->retired);
}

static uint32_t new_number(struct pp_interest_map *map)
{
    if (map->unused_count > 0)
        return map->unused[--map->unused_count];
    if (map->count == map->cap)
        grow(map);
    return map->count++;
}

/* The number of the entity of that key; a new one where it has none. `likely` is looked at first. */
static uint32_t number_of(struct pp_interest_map *map, const struct pp_value_key *key, uint32_t likely)
{
    if (likely < map->count && map->entities[likely].key != NULL && pp_key_same(map->entities[likely].key, key))
        return likely;
    void **slot = pp_map_slot(&map->numbers, key->bytes, key->len);
    if (*slot == NULL) {
        uint32_t number = new_number(map);
        struct pp_entity *entity = &map->entities[number];
        *entity = (struct pp_entity){.key = pp_interest_key(key->bytes, key->len)};
        pp_interest_label(&entity->label, key);
        *slot = (void *)((uintptr_t)number + 1);
    }
    return (uint32_t)((uintptr_t)*slot - 1);
}

static void free_number(struct pp_interest_map *map, uint32_t number)
{
    struct pp_entity *entity = &map->entities[number];
    pp_map_remove(&map->numbers, entity->key->bytes, entity->key->len);
    pp_buf_destroy(&entity->label);
    free(entity->key);
    *entity = (struct pp_entity){0};
    map->unused[map->unused_count++] = number;
}

/* What was gone at the last look already gives up its number, unless it came back. */
static void free_retired(struct pp_interest_map *map)
{
    for (uint32_t i = 0; i < map->retired_count; i++) {
        struct pp_entity *entity = &map->entities[map->retired[i]];
        entity->retired = false;
        if (entity->now == NULL)
            free_number(map, map->retired[i]);
    }
    map->retired_count = 0;
}

/* --- looking --- */

static const struct pp_value *member(const struct pp_value *state, const struct pp_value_key *name)
{
    const struct pp_value_member *found = state->kind == PP_VALUE_MAP ? pp_value_look_up(state, name) : NULL;
    return found != NULL ? &found->value : NULL;
}

/* NULL where it is no map. */
static const struct pp_value *map_in(const struct pp_value *state, const struct pp_value_key *name)
{
    const struct pp_value *found = member(state, name);
    return found != NULL && found->kind == PP_VALUE_MAP ? found : NULL;
}

static void note_change(struct pp_interest_map *map, uint32_t number)
{
    struct pp_entity *entity = &map->entities[number];
    struct pp_buf *out = &map->pieces;
    size_t start = out->len;
    if (entity->before == NULL || pp_value_same_scalar(entity->before, entity->now))
        return;
    pp_buf_append(out, entity->label.data, entity->label.len);
    if (pp_delta_diff(entity->before, entity->now, out)) {
        entity->change = (struct pp_piece){start, out->len - start};
        pp_set_add(&map->changed, number);
        map->overhead = map->overhead || memmem(out->data + start, out->len - start, "{\"__pp_", 7) != NULL;
    } else {
        out->len = start;
    }
}

/* The members of the map now: what they are, and what they were. */
static void look_at_members(struct pp_interest_map *map)
{
    const struct pp_value *before = map->value_before, *now = map->value_now;
    uint32_t expected = 0;
    if (now->count > map->order_cap) {
        map->order_cap = now->count + now->count / 2;
        map->order = pp_realloc(map->order, map->order_cap * sizeof *map->order);
    }
    for (uint32_t i = 0; i < now->count; i++) {
        const struct pp_value_member *at = &now->members[i], *old = NULL;
        uint32_t number = number_of(map, at->key, i < map->order_count ? map->order[i] : UINT32_MAX);
        map->order[i] = number;
        if (before != NULL && (old = pp_value_find(before, at->key, expected)) != NULL)
            expected = (uint32_t)(old - before->members) + 1;
        struct pp_entity *entity = &map->entities[number];
        entity->before = old != NULL ? &old->value : NULL;
        entity->now = &at->value;
        entity->change = entity->whole = (struct pp_piece){0};
        map->by_value = map->by_value || pp_interest_is_reserved(at->key);
        pp_set_add(&map->now, number);
        note_change(map, number);
    }
    map->order_count = now->count;
}

/* Of the first look at a map: what was there. */
static void number_those_before(struct pp_interest_map *map)
{
    map->looked_at = true;
    for (uint32_t i = 0; map->value_before != NULL && i < map->value_before->count; i++) {
        uint32_t number = number_of(map, map->value_before->members[i].key, UINT32_MAX);
        map->entities[number].now = &map->value_before->members[i].value; /* until it is looked at */
        pp_set_add(&map->now, number);
    }
}

static void retire(struct pp_interest_map *map)
{
    for (uint32_t w = 0; w < map->before.count; w++)
        for (uint64_t gone = map->before.words[w] & ~pp_set_word(&map->now, w); gone != 0; gone &= gone - 1) {
            uint32_t number = w * 64 + (uint32_t)__builtin_ctzll(gone);
            struct pp_entity *entity = &map->entities[number];
            map->by_value = map->by_value || pp_interest_is_reserved(entity->key);
            entity->before = entity->now;
            entity->now = NULL;
            if (!entity->retired)
                map->retired[map->retired_count++] = number;
            entity->retired = true;
        }
}

static void look_at_map(struct pp_interest *interest, struct pp_interest_map *map)
{
    const struct pp_value *found = member(interest->now, map->name);
    map->value_before = map_in(interest->before, map->name);
    map->value_now = map_in(interest->now, map->name);
    map->fault = found == NULL || map->value_now != NULL ? NULL
                 : found->kind == PP_VALUE_ARRAY         ? "is a list, and entities are found by names"
                                                         : "is no table";
    map->by_value = map->overhead = false;
    pp_buf_clear(&map->pieces);
    if (interest->keepers == 0)
        free_retired(map);
    if (!map->looked_at)
        number_those_before(map);
    struct pp_set before = map->before;
    map->before = map->now;
    map->now = before;
    pp_set_clear(&map->now);
    pp_set_clear(&map->changed);
    if (map->value_now != NULL)
        look_at_members(map);
    else
        map->order_count = 0;
    retire(map);
}

void pp_interest_look(struct pp_interest *interest, const struct pp_value *before, const struct pp_value *now)
{
    interest->before = before;
    interest->now = now;
    for (uint32_t i = 0; i < interest->map_count; i++)
        look_at_map(interest, &interest->maps[i]);
    for (uint32_t i = 0; i < interest->place_count; i++)
        interest->places[i].filled = false;
    pp_interest_look_at_rest(interest);
}

const char *pp_interest_fault(const struct pp_interest *interest, int map)
{
    return interest->maps[map].fault;
}

/* --- what is kept --- */

void pp_interest_keep(struct pp_interest *interest)
{
    interest->keepers++;
}

void pp_interest_unkeep(struct pp_interest *interest)
{
    interest->keepers--;
}

bool pp_interest_is_crowded(const struct pp_interest *interest)
{
    for (uint32_t i = 0; i < interest->map_count; i++)
        if (interest->maps[i].retired_count > RETIRED_LEAST + 4 * interest->maps[i].order_count)
            return true;
    return false;
}

/* --- making --- */

struct pp_interest *pp_interest_new(void)
{
    return pp_calloc(1, sizeof(struct pp_interest));
}

const struct pp_interest_map *pp_interest_map_of(const struct pp_interest *interest, const struct pp_value_key *name)
{
    for (uint32_t i = 0; i < interest->map_count; i++)
        if (pp_key_same(interest->maps[i].name, name))
            return &interest->maps[i];
    return NULL;
}

int pp_interest_map(struct pp_interest *interest, const char *name, size_t len)
{
    struct pp_value_key *key = pp_interest_key(name, len);
    const struct pp_interest_map *known = pp_interest_map_of(interest, key);
    if (known != NULL || interest->map_count == PP_INTEREST_MAPS) {
        free(key);
        return known != NULL ? (int)(known - interest->maps) : -1;
    }
    struct pp_interest_map *map = &interest->maps[interest->map_count];
    map->name = key;
    map->field = interest->root != NULL ? pp_state_map_field(interest->root, name, len) : -1;
    pp_interest_label(&map->label, key);
    return (int)interest->map_count++;
}

uint32_t pp_interest_map_count(const struct pp_interest *interest)
{
    return interest->map_count;
}

static void destroy_map(struct pp_interest_map *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        pp_buf_destroy(&map->entities[i].label);
        free(map->entities[i].key);
    }
    pp_map_destroy(&map->numbers);
    pp_set_destroy(&map->before);
    pp_set_destroy(&map->now);
    pp_set_destroy(&map->changed);
    pp_buf_destroy(&map->pieces);
    pp_buf_destroy(&map->label);
    free(map->name);
    free(map->entities);
    free(map->order);
    free(map->unused);
    free(map->retired);
}

void pp_interest_delete(struct pp_interest *interest)
{
    for (uint32_t i = 0; i < interest->map_count; i++)
        destroy_map(&interest->maps[i]);
    for (uint32_t i = 0; i < interest->place_count; i++) {
        pp_grid_destroy(&interest->places[i].grid);
        free(interest->places[i].x);
        free(interest->places[i].y);
    }
    if (interest->root != NULL)
        pp_interest_state_delete(interest);
    pp_buf_destroy(&interest->rest);
    pp_tree_destroy(&interest->scratch);
    free(interest->points);
    free(interest);
}
