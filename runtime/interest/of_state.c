/* Interest in a declared state: its maps' items where they lie, by their ids. */
#include "interest/interest_internal.h"
#include "state/value.h"
#include "state/view.h"

struct pp_interest *pp_interest_new_of_state(struct pp_state_block *root)
{
    struct pp_interest *interest = pp_interest_new();
    pp_state_ref(root);
    interest->root = root;
    pp_state_want_pieces(root, true);
    return interest;
}

void pp_interest_state_delete(struct pp_interest *interest)
{
    pp_state_want_pieces(interest->root, false);
    pp_state_unref(interest->root);
    for (uint32_t i = 0; i < 2 * PP_INTEREST_MAPS; i++)
        pp_set_destroy(&interest->padded[i]);
}

static const struct pp_state_group *group_of(const struct pp_interest *interest, int map)
{
    int field = interest->maps[map].field;
    return field < 0 ? NULL : pp_state_map(interest->root, (uint32_t)field);
}

/* --- looking --- */

static void look_at_map(struct pp_interest *interest, uint32_t number)
{
    struct pp_interest_map *map = &interest->maps[number];
    const struct pp_state_group *group = group_of(interest, (int)number);
    struct pp_set before = map->before;
    map->before = map->now;
    map->now = before;
    map->fault = group == NULL ? "is no map" : NULL;
    pp_set_clear(&map->now);
    if (group == NULL)
        return;
    pp_set_reserve(&map->now, (group->size + 63) / 64);
    for (uint32_t id = 0; id < group->size; id++)
        if (group->items[id] != NULL && group->items[id]->flags & PP_STATE_SENT) /* as of the last delta */
            map->now.words[id / 64] |= UINT64_C(1) << id % 64;
    if (!map->looked_at)
        pp_set_copy(&map->before, &map->now);
    map->looked_at = true;
}

void pp_interest_look_at_state(struct pp_interest *interest, bool changed)
{
    interest->changed = changed;
    for (uint32_t i = 0; i < interest->map_count; i++)
        look_at_map(interest, i);
    for (uint32_t i = 0; i < interest->place_count; i++)
        interest->places[i].filled = false;
}

int64_t pp_interest_state_entity(const struct pp_interest *interest, int map, const char *name, size_t len)
{
    const struct pp_state_group *group = group_of(interest, map);
    const struct pp_state_block *found = group != NULL ? pp_state_find(group, name, len) : NULL;
    return found != NULL && pp_set_has(&interest->maps[map].now, found->id) ? (int64_t)found->id : -1;
}

/* --- coordinates --- */

/* A number's field in the record itself; -1 where there is none. */
static int number_field(const struct pp_state_record *record, const struct pp_value_key *name)
{
    for (uint32_t i = 0; i < record->names.member_count; i++) {
        const struct pp_state_member *member = &record->names.members[i];
        uint8_t kind = record->fields[member->first].kind;
        if (member->member_count == 0 && member->name_len == name->len &&
            memcmp(member->name, name->bytes, name->len) == 0)
            return kind > PP_STATE_BOOL && (kind < PP_STATE_TEXT || kind == PP_STATE_QUANTIZED) ? member->first : -1;
    }
    return -1;
}

void pp_interest_state_set_fields(const struct pp_interest *interest, struct pp_interest_place *place)
{
    const struct pp_state_group *group = group_of(interest, place->map);
    place->x_field = group != NULL ? number_field(group->field->element, place->x) : -1;
    place->y_field = group != NULL ? number_field(group->field->element, place->y) : -1;
}

static double number_at(const struct pp_state_field *field, const unsigned char *values)
{
    const unsigned char *at = values + field->offset;
    double real;
    float single;
    uint64_t value = pp_state_value_get(field, values);
    switch (field->kind) {
    case PP_STATE_INT8:
        return (int8_t)value;
    case PP_STATE_INT16:
        return (int16_t)value;
    case PP_STATE_INT32:
        return (int32_t)value;
    case PP_STATE_FLOAT32:
        memcpy(&single, at, sizeof single);
        return (double)single;
    case PP_STATE_FLOAT64:
    case PP_STATE_QUANTIZED:
        memcpy(&real, at, sizeof real);
        return real;
    default:
        return (double)value;
    }
}

bool pp_interest_state_where(const struct pp_interest *interest, const struct pp_interest_place *place, uint32_t number,
                             double *x, double *y)
{
    const struct pp_state_group *group = group_of(interest, place->map);
    if (group == NULL || place->x_field < 0 || place->y_field < 0)
        return false;
    const struct pp_state_block *block = group->items[number];
    *x = number_at(&block->record->fields[place->x_field], block->values);
    *y = number_at(&block->record->fields[place->y_field], block->values);
    return true;
}

uint32_t pp_interest_state_points(struct pp_interest *interest, const struct pp_interest_place *place)
{
    const struct pp_set *now = &interest->maps[place->map].now;
    uint32_t count = 0;
    for (uint32_t w = 0; w < now->count; w++)
        for (uint64_t left = now->words[w]; left != 0; left &= left - 1) {
            struct pp_grid_point *point = &interest->points[count];
            point->number = w * 64 + (uint32_t)__builtin_ctzll(left);
            count += pp_interest_state_where(interest, place, point->number, &point->x, &point->y);
        }
    return count;
}

/* --- writing --- */

/* The set's words, of which there are `words`: in a copy where it has fewer. */
static const uint64_t *words_of(const struct pp_set *set, uint32_t words, struct pp_set *padded)
{
    if (set->count >= words)
        return set->words;
    pp_set_clear(padded);
    pp_set_copy(padded, set);
    pp_set_reserve(padded, words);
    return padded->words;
}

/* `known` may be NULL. */
static struct pp_state_sight sight_of(struct pp_interest *interest, const struct pp_sight *known,
                                      const struct pp_sight *seen)
{
    static const struct pp_set nothing;
    struct pp_state_sight sight = {0};
    for (uint32_t i = 0; i < interest->map_count; i++) {
        const struct pp_set *old = known != NULL ? &known->sets[i] : &nothing, *new = &seen->sets[i];
        uint32_t words = old->count > new->count ? old->count : new->count, at = sight.count;
        if (interest->maps[i].field < 0)
            continue;
        sight.maps[at].field = (uint32_t)interest->maps[i].field;
        sight.maps[at].words = words;
        sight.maps[at].known = words_of(old, words, &interest->padded[2 * i]);
        sight.maps[at].seen = words_of(new, words, &interest->padded[2 * i + 1]);
        sight.count++;
    }
    return sight;
}

bool pp_interest_state_write(struct pp_interest *interest, const struct pp_sight *known, const struct pp_sight *seen,
                             bool always, struct pp_buf *out)
{
    struct pp_state_sight sight = sight_of(interest, known, seen);
    const struct pp_state_block *changes = interest->changed ? interest->root : NULL;
    return pp_state_view_delta(interest->root, &sight, changes, always, out) == 1;
}

bool pp_interest_write_from_copy(struct pp_interest *interest, const struct pp_state_block *copy,
                                 const struct pp_sight *known, const struct pp_sight *seen, struct pp_buf *out)
{
    struct pp_state_sight sight = sight_of(interest, known, seen);
    return pp_state_view_delta(interest->root, &sight, copy, true, out) == 1;
}

void pp_interest_state_write_whole(struct pp_interest *interest, const struct pp_sight *seen, struct pp_buf *out)
{
    struct pp_state_sight sight = sight_of(interest, NULL, seen);
    pp_state_view_snapshot(interest->root, &sight, out);
}
