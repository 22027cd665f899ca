/* What the files of this folder share. */
#ifndef PP_INTEREST_INTEREST_INTERNAL_H
#define PP_INTEREST_INTEREST_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "interest/grid.h"
#include "interest/interest.h"

/* A run of a map's `pieces`; none where `len` is 0. */
struct pp_piece {
    size_t at, len;
};

struct pp_entity {
    struct pp_value_key *key;            /* owned; NULL: the number is free */
    struct pp_buf label;                 /* ,"key": */
    const struct pp_value *before, *now; /* NULL: not there */
    struct pp_piece change;              /* label and delta */
    struct pp_piece whole;               /* label and value, made when it is first asked for */
    bool retired;                        /* it is gone, and in the map's list of these */
};

/* A map of the state whose members are entities. */
struct pp_interest_map {
    struct pp_value_key *name;
    struct pp_buf label;
    struct pp_entity *entities; /* by number */
    uint32_t count, cap;
    struct pp_map numbers; /* key → number + 1 */
    uint32_t *order;       /* the numbers of the members of the state's map, in its order */
    uint32_t order_count, order_cap;
    uint32_t *unused, unused_count;                  /* numbers; room for `cap` */
    uint32_t *retired, retired_count;                /* the same */
    struct pp_set before, now;                       /* those that are there */
    struct pp_set changed;                           /* those that were there before, and are another value now */
    const struct pp_value *value_before, *value_now; /* NULL where the state has no such map */
    const char *fault;
    bool looked_at;
    bool by_value; /* a key is one that deltas have reserved */
    bool overhead; /* something within an entity is deleted, or escaped */
    struct pp_buf pieces;
    int field; /* of a declared state's root; -1: it has no such map */
};

/* The coordinates of a map's entities. */
struct pp_interest_place {
    int map;
    struct pp_value_key *x, *y;
    struct pp_grid grid;
    bool filled;          /* with the state now */
    int x_field, y_field; /* of a declared state's items; -1: they have no such number */
};

struct pp_interest {
    struct pp_interest_map maps[PP_INTEREST_MAPS];
    uint32_t map_count;
    struct pp_interest_place places[PP_INTEREST_PLACES];
    uint32_t place_count;
    const struct pp_value *before, *now;
    struct pp_buf rest; /* the change of all else: members, each with a comma in front */
    bool by_value;      /* it can't be told so: a key is reserved, or the state is no map */
    uint32_t keepers;
    struct pp_tree scratch;
    struct pp_state_block *root; /* of a declared state, else NULL */
    bool changed;                /* the state has, at the last look */
    struct pp_set padded[2 * PP_INTEREST_MAPS];
    struct pp_grid_point *points;
    uint32_t point_cap;
};

/* Makes a key; to be freed. */
struct pp_value_key *pp_interest_key(const char *bytes, size_t len);

/* Appends ,"key": */
void pp_interest_label(struct pp_buf *out, const struct pp_value_key *key);

/* The map of that name, or NULL. */
const struct pp_interest_map *pp_interest_map_of(const struct pp_interest *interest, const struct pp_value_key *name);

/* The entity of that key, or NULL; also one that is gone. */
struct pp_entity *pp_interest_entity_of(const struct pp_interest_map *map, const struct pp_value_key *key);

/* The change of what is no entity, into interest->rest. */
void pp_interest_look_at_rest(struct pp_interest *interest);

/* --- of a declared state --- */

int64_t pp_interest_state_entity(const struct pp_interest *interest, int map, const char *name, size_t len);
void pp_interest_state_set_fields(const struct pp_interest *interest, struct pp_interest_place *place);

/* Puts the points of what has coordinates into interest->points; returns how many. */
uint32_t pp_interest_state_points(struct pp_interest *interest, const struct pp_interest_place *place);
bool pp_interest_state_where(const struct pp_interest *interest, const struct pp_interest_place *place, uint32_t number,
                             double *x, double *y);
bool pp_interest_state_write(struct pp_interest *interest, const struct pp_sight *known, const struct pp_sight *seen,
                             bool always, struct pp_buf *out);
void pp_interest_state_write_whole(struct pp_interest *interest, const struct pp_sight *seen, struct pp_buf *out);
void pp_interest_state_delete(struct pp_interest *interest);

static inline bool pp_interest_is_reserved(const struct pp_value_key *key)
{
    return key->len > 5 && memcmp(key->bytes, "__pp_", 5) == 0;
}

#endif
