/* Views: see view.h. A piece is the bits of an item's changed fields, from a byte's beginning on, without its mask. */
#include "state/view.h"

#include <stdlib.h>

#include "base/memory.h"
#include "state/writer.h"

struct piece {
    uint64_t mask;
    size_t at;     /* in the bytes */
    uint32_t bits; /* 0 also where there is nothing to say but the mask */
};

struct map_pieces {
    uint64_t *changed; /* ids of items that were there before, a bit for each */
    uint32_t words;
    struct piece *by_id; /* `words` * 64 of them */
};

struct clash {
    uint32_t field, was, is;
};

struct pp_state_pieces {
    struct pp_buf bytes;
    uint64_t mask; /* of the root's fields that changed */
    struct piece fields[PP_STATE_FIELDS];
    struct map_pieces maps[PP_STATE_FIELDS]; /* by field */
    struct pp_buf clashes;                   /* of these */
};

int pp_state_map_field(const struct pp_state_block *root, const char *name, size_t len)
{
    const struct pp_state_member *names = &root->record->names;
    for (uint32_t i = 0; i < names->member_count; i++) {
        const struct pp_state_member *member = &names->members[i];
        if (member->name_len == len && memcmp(member->name, name, len) == 0)
            return member->member_count == 0 && root->record->fields[member->first].kind == PP_STATE_MAP ? member->first
                                                                                                         : -1;
    }
    return -1;
}

const struct pp_state_group *pp_state_map(struct pp_state_block *root, uint32_t field)
{
    return pp_state_group_at(root, root->record->fields[field].offset);
}

/* --- keeping --- */

void pp_state_want_pieces(struct pp_state_block *root, bool wanted)
{
    struct pp_state *state = root->state;
    if (wanted && state->pieces == NULL)
        state->pieces = pp_calloc(1, sizeof(*state->pieces));
    if (wanted)
        return;
    pp_state_delete_pieces(state->pieces);
    state->pieces = NULL;
}

void pp_state_delete_pieces(struct pp_state_pieces *pieces)
{
    if (pieces == NULL)
        return;
    for (uint32_t i = 0; i < PP_STATE_FIELDS; i++) {
        free(pieces->maps[i].changed);
        free(pieces->maps[i].by_id);
    }
    pp_buf_destroy(&pieces->bytes);
    pp_buf_destroy(&pieces->clashes);
    free(pieces);
}

static struct piece keep(struct pp_state_pieces *pieces, struct pp_state_block *block, uint64_t mask)
{
    struct piece piece = {.mask = mask, .at = pieces->bytes.len};
    struct pp_state_writer w = {.bits = {.out = &pieces->bytes}};
    pp_state_put_fields(&w, block, mask);
    piece.bits = (uint32_t)((pieces->bytes.len - piece.at) * 8 + w.bits.count);
    pp_bits_finish(&w.bits);
    memset(pp_buf_reserve(&pieces->bytes, 4), 0, 4); /* put_piece reads so far */
    return piece;
}

static void keep_items(struct pp_state_pieces *pieces, struct map_pieces *map, const struct pp_state_group *group)
{
    uint32_t words = (group->capacity + 63) / 64;
    if (words > map->words) {
        map->changed = pp_realloc(map->changed, words * sizeof(*map->changed));
        map->by_id = pp_realloc(map->by_id, (size_t)words * 64 * sizeof(*map->by_id));
        map->words = words;
    }
    if (map->words > 0)
        memset(map->changed, 0, map->words * sizeof(*map->changed));
    for (uint32_t i = 0; i < group->changed_count; i++) {
        struct pp_state_block *block = group->items[group->changed[i]];
        if (!(block->flags & PP_STATE_SENT))
            continue; /* it comes into a view whole */
        map->changed[block->id / 64] |= UINT64_C(1) << block->id % 64;
        map->by_id[block->id] = keep(pieces, block, block->mask);
    }
}

void pp_state_keep_pieces(struct pp_state_block *root)
{
    struct pp_state_pieces *pieces = root->state->pieces;
    pp_buf_clear(&pieces->bytes);
    pieces->mask = root->mask;
    for (uint64_t left = root->mask; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        pieces->fields[i] = keep(pieces, root, UINT64_C(1) << i);
        if (root->record->fields[i].kind == PP_STATE_MAP)
            keep_items(pieces, &pieces->maps[i], pp_state_map(root, i));
    }
}

void pp_state_note_clash(struct pp_state_block *copy, uint32_t field, uint32_t was, uint32_t is)
{
    struct clash clash = {field, was, is};
    pp_buf_append(&copy->state->pieces->clashes, &clash, sizeof(clash));
}

/* --- putting together --- */

/* A piece begins with a byte, and 4 may be read from each of its bytes on: keep() sees to it. */
static void put_piece(struct pp_state_writer *w, const struct pp_state_pieces *pieces, const struct piece *piece)
{
    const char *at = pieces->bytes.data + piece->at;
    uint32_t word, left = piece->bits;
    for (; left > 32; left -= 32, at += 4) {
        memcpy(&word, at, 4);
        pp_bits_put(&w->bits, __builtin_bswap32(word), 32);
    }
    if (left == 0)
        return;
    memcpy(&word, at, 4);
    pp_bits_put(&w->bits, __builtin_bswap32(word) >> (32 - left), left);
}

/* Of a map that is seen in part. Sets of ids, word by word: */
struct part {
    const struct pp_state_group *group;
    const struct map_pieces *pieces; /* NULL where nothing changed */
    const uint64_t *known, *seen;
    uint32_t words;
};

static uint64_t left_view(const struct part *part, uint32_t word)
{
    return part->known[word] & ~part->seen[word];
}

static uint64_t changed(const struct part *part, uint32_t word)
{
    return part->pieces && word < part->pieces->words ? part->pieces->changed[word] & part->known[word] : 0;
}

static uint64_t told(const struct part *part, uint32_t word)
{
    return part->seen[word] & (changed(part, word) | ~part->known[word]);
}

static uint64_t all_seen(const struct part *part, uint32_t word)
{
    return part->seen[word];
}

static uint32_t size_of(const struct part *part, uint64_t (*set)(const struct part *part, uint32_t word))
{
    uint32_t size = 0;
    for (uint32_t word = 0; word < part->words; word++)
        size += (uint32_t)__builtin_popcountll(set(part, word));
    return size;
}

static uint32_t above_last(const struct part *part)
{
    for (uint32_t word = part->words; word > 0; word--)
        if (part->seen[word - 1] != 0)
            return word * 64 - (uint32_t)__builtin_clzll(part->seen[word - 1]);
    return 0;
}

static void put_left(struct pp_state_writer *w, const struct part *part)
{
    uint32_t order = pp_state_put_count(w, size_of(part, left_view), part->words * 64), next = 0;
    for (uint32_t word = 0; word < part->words; word++)
        for (uint64_t left = left_view(part, word); left != 0; left &= left - 1) {
            uint32_t id = word * 64 + (uint32_t)__builtin_ctzll(left);
            pp_bits_put_golomb(&w->bits, id - next, order);
            next = id + 1;
        }
}

/* An item: what changed of one that is known, else its key and all of it. */
static void put_item(struct pp_state_writer *w, const struct part *part, const struct pp_state_pieces *pieces,
                     uint32_t id, struct pp_state_prefix *prefix)
{
    struct pp_state_block *block = part->group->items[id];
    if (pieces && changed(part, id / 64) >> id % 64 & 1) {
        const struct piece *piece = &part->pieces->by_id[id];
        pp_state_put_mask(w, block->record, piece->mask, prefix);
        put_piece(w, pieces, piece);
        return;
    }
    bool whole = w->whole;
    w->whole = true;
    pp_state_put_text(w, block->key->bytes, block->key->len);
    pp_state_put_block(w, block, prefix);
    w->whole = whole;
}

static void put_part(struct pp_state_writer *w, const struct part *part, const struct pp_state_pieces *pieces)
{
    uint64_t (*set)(const struct part *, uint32_t) = w->whole ? all_seen : told;
    if (w->whole)
        pp_state_put_count(w, 0, 0);
    else
        put_left(w, part);
    uint32_t order = pp_state_put_count(w, size_of(part, set), w->whole ? above_last(part) : part->words * 64);
    struct pp_state_prefix prefix = {0};
    uint32_t next = 0;
    for (uint32_t word = 0; word < part->words; word++)
        for (uint64_t left = set(part, word); left != 0; left &= left - 1) {
            uint32_t id = word * 64 + (uint32_t)__builtin_ctzll(left);
            pp_bits_put_golomb(&w->bits, id - next, order);
            put_item(w, part, pieces, id, &prefix);
            next = id + 1;
        }
}

/* The view of one state: its parts by the root's fields. */
struct view {
    struct pp_state_block *root;
    struct part parts[PP_STATE_SIGHT_MAPS];
    int8_t of_field[PP_STATE_FIELDS]; /* -1: it is no part, all of it is seen */
    uint64_t mask;
};

static struct view look(struct pp_state_block *root, const struct pp_state_sight *sight, uint64_t mask,
                        const struct pp_state_pieces *pieces)
{
    struct view view = {.root = root, .mask = mask};
    memset(view.of_field, -1, sizeof(view.of_field));
    for (uint32_t i = 0; i < sight->count; i++) {
        uint32_t field = sight->maps[i].field;
        bool has_pieces = pieces && pieces->mask >> field & 1;
        struct part *part = &view.parts[i];
        *part = (struct part){.group = pp_state_map(root, field),
                              .pieces = has_pieces ? &pieces->maps[field] : NULL,
                              .known = sight->maps[i].known,
                              .seen = sight->maps[i].seen,
                              .words = sight->maps[i].words};
        view.of_field[field] = (int8_t)i;
        bool any = pieces ? size_of(part, left_view) + size_of(part, told) > 0 : size_of(part, all_seen) > 0;
        view.mask = (view.mask & ~(UINT64_C(1) << field)) | (uint64_t)any << field;
    }
    return view;
}

static bool has(const uint64_t *set, uint32_t words, uint32_t id)
{
    return id / 64 < words && set[id / 64] >> id % 64 & 1;
}

/* Is there something of what changed that can't be told? */
static bool clashes(const struct view *view, const struct pp_state_pieces *pieces)
{
    for (size_t at = 0; at < pieces->clashes.len; at += sizeof(struct clash)) {
        struct clash clash;
        memcpy(&clash, pieces->clashes.data + at, sizeof(clash));
        int8_t number = view->of_field[clash.field];
        if (number < 0)
            return true;
        const struct part *part = &view->parts[number];
        if (has(part->known, part->words, clash.was) && has(part->seen, part->words, clash.is))
            return true;
    }
    return false;
}

static void put_view(struct pp_buf *out, const struct view *view, const struct pp_state_pieces *pieces)
{
    struct pp_state_writer w = {.bits = {.out = out}, .whole = pieces == NULL};
    pp_state_put_mask(&w, view->root->record, view->mask, &(struct pp_state_prefix){0});
    for (uint64_t left = view->mask; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        if (view->of_field[i] >= 0)
            put_part(&w, &view->parts[view->of_field[i]], pieces);
        else if (pieces)
            put_piece(&w, pieces, &pieces->fields[i]);
        else
            pp_state_put_fields(&w, view->root, UINT64_C(1) << i);
    }
    pp_bits_finish(&w.bits);
}

static void put_whole(struct pp_state_block *root, const struct pp_state_sight *sight, struct pp_buf *out)
{
    struct view view = look(root, sight, pp_state_whole_mask(root), NULL);
    put_view(out, &view, NULL);
}

int pp_state_view_delta(struct pp_state_block *root, const struct pp_state_sight *sight,
                        const struct pp_state_block *changes, bool always, struct pp_buf *out)
{
    static const struct pp_state_pieces none;
    const struct pp_state_pieces *pieces = changes && changes->state->pieces ? changes->state->pieces : &none;
    struct view view = look(root, sight, pieces->mask, pieces);
    if ((view.mask == 0 && !always) || clashes(&view, pieces))
        return 0;
    uint32_t version = root->state->version;
    pp_buf_append_char(out, (char)(unsigned char)version);
    if (version % PP_STATE_HASH_EVERY == 0) {
        struct pp_buf *body = &root->state->scratch;
        pp_buf_clear(body);
        put_whole(root, sight, body);
        pp_state_put_u32(out, pp_state_hash_of(body));
    }
    put_view(out, &view, pieces);
    return 1;
}

void pp_state_view_snapshot(struct pp_state_block *root, const struct pp_state_sight *sight, struct pp_buf *out)
{
    pp_state_put_u32(out, root->state->version);
    put_whole(root, sight, out);
}
