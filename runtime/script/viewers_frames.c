/* Viewers of a declared state that take frames: what they know and see are sets of entities, whose numbers here become
 * the ids of items there (state/view.h). An entity that is gone keeps its id until its number is another's. */
#include "script/viewers_internal.h"
#include "state/view.h"

struct frames_map {
    int field;     /* of the root; -1: it has no such map */
    uint32_t *ids; /* by number */
    uint32_t count;
    struct pp_set known, seen; /* of the delta at hand, by ids */
};

struct pp_frames {
    struct pp_state_block *root; /* counted */
    struct pp_buf number;        /* of the room, as frames begin */
    bool changed;                /* the state, by the last look */
    struct frames_map maps[PP_INTEREST_MAPS];
};

void pp_viewers_take_frames(struct pp_viewers *viewers, struct pp_state_block *root, const char *number, size_t len)
{
    struct pp_frames *frames = pp_calloc(1, sizeof *frames);
    frames->root = root;
    pp_state_ref(root);
    pp_state_want_pieces(root, true);
    pp_buf_append(&frames->number, number, len);
    viewers->frames = frames;
}

void pp_frames_delete(struct pp_frames *frames)
{
    if (frames == NULL)
        return;
    for (uint32_t m = 0; m < PP_INTEREST_MAPS; m++) {
        free(frames->maps[m].ids);
        pp_set_destroy(&frames->maps[m].known);
        pp_set_destroy(&frames->maps[m].seen);
    }
    pp_state_want_pieces(frames->root, false);
    pp_state_unref(frames->root);
    pp_buf_destroy(&frames->number);
    free(frames);
}

/* --- ids --- */

static void note_id(struct frames_map *map, uint32_t number, uint32_t id)
{
    if (number >= map->count) {
        uint32_t count = number < 32 ? 64 : number * 2;
        map->ids = pp_realloc(map->ids, count * sizeof *map->ids);
        map->count = count;
    }
    map->ids[number] = id;
}

static void look_at(struct pp_viewers *viewers, int m)
{
    struct pp_frames *frames = viewers->frames;
    struct frames_map *map = &frames->maps[m];
    const struct pp_value_key *name = pp_interest_map_name(viewers->interest, m);
    map->field = pp_state_map_field(frames->root, name->bytes, name->len);
    if (map->field < 0)
        return;
    const struct pp_state_group *items = pp_state_map(frames->root, (uint32_t)map->field);
    const struct pp_set *there = pp_interest_there(viewers->interest, m);
    for (uint32_t word = 0; word < there->count; word++)
        for (uint64_t left = there->words[word]; left != 0; left &= left - 1) {
            uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(left);
            const struct pp_value_key *key = pp_interest_entity_name(viewers->interest, m, number);
            const struct pp_state_block *item = pp_map_get(&items->keys, key->bytes, key->len);
            if (item != NULL)
                note_id(map, number, item->id);
        }
}

void pp_frames_look(struct pp_viewers *viewers, bool changed)
{
    viewers->frames->changed = changed;
    for (int m = 0; m < (int)pp_interest_map_count(viewers->interest); m++)
        look_at(viewers, m);
}

/* `words` is enough for every id. */
static void translate(const struct frames_map *map, const struct pp_set *numbers, struct pp_set *ids, uint32_t words)
{
    pp_set_clear(ids);
    pp_set_reserve(ids, words);
    for (uint32_t word = 0; word < numbers->count; word++)
        for (uint64_t left = numbers->words[word]; left != 0; left &= left - 1) {
            uint32_t id = map->ids[word * 64 + (uint32_t)__builtin_ctzll(left)];
            ids->words[id / 64] |= UINT64_C(1) << id % 64;
        }
}

static struct pp_state_sight sight_of(struct pp_frames *frames, const struct pp_sight *known,
                                      const struct pp_sight *seen)
{
    struct pp_state_sight sight = {0};
    for (uint32_t m = 0; m < seen->maps; m++) {
        struct frames_map *map = &frames->maps[m];
        if (map->field < 0)
            continue;
        uint32_t words = (pp_state_map(frames->root, (uint32_t)map->field)->capacity + 63) / 64;
        translate(map, &known->sets[m], &map->known, words);
        translate(map, &seen->sets[m], &map->seen, words);
        sight.maps[sight.count].field = (uint32_t)map->field;
        sight.maps[sight.count].words = words;
        sight.maps[sight.count].known = map->known.words;
        sight.maps[sight.count++].seen = map->seen.words;
    }
    return sight;
}

/* --- writing --- */

static void append_varint(struct pp_buf *out, uint32_t value)
{
    for (; value >= 128; value /= 128)
        pp_buf_append_char(out, (char)(unsigned char)(value % 128 + 128));
    pp_buf_append_char(out, (char)value);
}

bool pp_frames_write(struct pp_viewers *viewers, const struct pp_viewer *viewer, const struct pp_sight *seen,
                     double version, struct pp_buf *out)
{
    struct pp_frames *frames = viewers->frames;
    struct pp_state_sight sight = sight_of(frames, &viewer->known, seen);
    size_t start = out->len;
    pp_buf_append(out, frames->number.data, frames->number.len);
    append_varint(out, (uint32_t)(version - viewer->version));
    bool always = viewer->leaving && viewer->version != version; /* the next delta is one to this version */
    bool told = pp_state_view_delta(frames->root, &sight, frames->changed, always, out);
    if (!told)
        out->len = start;
    return told;
}

void pp_viewers_write_whole_frame(struct pp_viewers *viewers, uint32_t viewer, double version, struct pp_buf *out)
{
    struct pp_viewer *at = &viewers->list[viewer];
    struct pp_sight seen = pp_viewers_seen(viewers, at->view);
    struct pp_state_sight sight = sight_of(viewers->frames, &seen, &seen);
    pp_buf_append(out, viewers->frames->number.data, viewers->frames->number.len);
    pp_state_view_snapshot(viewers->frames->root, &sight, out);
    pp_viewers_note(viewers, at, &seen);
    at->version = version;
    at->framed = true;
}
