/* What is seen: everything, or what is near. */
#include "interest/interest_internal.h"

int64_t pp_interest_entity(const struct pp_interest *interest, int map, const char *name, size_t len)
{
    if (interest->root != NULL)
        return pp_interest_state_entity(interest, map, name, len);
    uintptr_t found = (uintptr_t)pp_map_get(&interest->maps[map].numbers, name, len);
    return found != 0 && interest->maps[map].entities[found - 1].now != NULL ? (int64_t)found - 1 : -1;
}

const struct pp_set *pp_interest_there(const struct pp_interest *interest, int map)
{
    return &interest->maps[map].now;
}

void pp_interest_complete(const struct pp_interest *interest, struct pp_sight *known)
{
    for (; known->maps < interest->map_count; known->maps++)
        pp_set_copy(&known->sets[known->maps], &interest->maps[known->maps].before);
}

/* --- what is near --- */

int pp_interest_place(struct pp_interest *interest, int map, const char *x, const char *y)
{
    struct pp_interest_place made = {
        .map = map, .x = pp_interest_key(x, strlen(x)), .y = pp_interest_key(y, strlen(y))};
    for (uint32_t i = 0; i < interest->place_count; i++) {
        const struct pp_interest_place *place = &interest->places[i];
        if (place->map == map && pp_key_same(place->x, made.x) && pp_key_same(place->y, made.y)) {
            free(made.x);
            free(made.y);
            return (int)i;
        }
    }
    if (interest->place_count == PP_INTEREST_PLACES) {
        free(made.x);
        free(made.y);
        return -1;
    }
    if (interest->root != NULL)
        pp_interest_state_set_fields(interest, &made);
    interest->places[interest->place_count] = made;
    return (int)interest->place_count++;
}

/* The member's number, looked for at `likely` first, where it then is. */
static bool coordinate(const struct pp_value *entity, const struct pp_value_key *key, uint32_t *likely, double *out)
{
    const struct pp_value_member *found = pp_value_find(entity, key, *likely);
    if (found == NULL || found->value.kind != PP_VALUE_NUMBER)
        return false;
    *likely = (uint32_t)(found - entity->members);
    *out = found->value.number;
    return true;
}

static uint32_t find_points(struct pp_interest *interest, const struct pp_interest_place *place)
{
    const struct pp_interest_map *map = &interest->maps[place->map];
    uint32_t count = 0, x_at = 0, y_at = 0;
    for (uint32_t i = 0; i < map->order_count; i++) {
        const struct pp_value *entity = map->entities[map->order[i]].now;
        struct pp_grid_point *point = &interest->points[count];
        point->number = map->order[i];
        count += entity->kind == PP_VALUE_MAP && coordinate(entity, place->x, &x_at, &point->x) &&
                 coordinate(entity, place->y, &y_at, &point->y);
    }
    return count;
}

static void fill(struct pp_interest *interest, struct pp_interest_place *place, double cell)
{
    uint32_t most = pp_set_size(&interest->maps[place->map].now);
    if (most > interest->point_cap) {
        interest->point_cap = most + most / 2;
        interest->points = pp_realloc(interest->points, interest->point_cap * sizeof *interest->points);
    }
    uint32_t count = interest->root != NULL ? pp_interest_state_points(interest, place) : find_points(interest, place);
    pp_grid_fill(&place->grid, interest->points, count, cell);
    place->filled = true;
}

void pp_interest_find(struct pp_interest *interest, int place, double x, double y, double radius, double usual,
                      struct pp_set *set)
{
    struct pp_interest_place *at = &interest->places[place];
    if (!at->filled)
        fill(interest, at, usual);
    pp_set_reserve(set, interest->maps[at->map].now.count);
    pp_grid_find(&at->grid, x, y, radius, set);
}

bool pp_interest_where(const struct pp_interest *interest, int place, const char *name, size_t len, double *x,
                       double *y)
{
    const struct pp_interest_place *at = &interest->places[place];
    int64_t number = pp_interest_entity(interest, at->map, name, len);
    if (interest->root != NULL)
        return number >= 0 && pp_interest_state_where(interest, at, (uint32_t)number, x, y);
    const struct pp_value *entity = number < 0 ? NULL : interest->maps[at->map].entities[number].now;
    uint32_t x_at = 0, y_at = 0;
    return entity != NULL && entity->kind == PP_VALUE_MAP && coordinate(entity, at->x, &x_at, x) &&
           coordinate(entity, at->y, &y_at, y);
}

void pp_sight_destroy(struct pp_sight *sight)
{
    for (uint32_t i = 0; i < PP_INTEREST_MAPS; i++)
        pp_set_destroy(&sight->sets[i]);
    sight->maps = 0;
}
