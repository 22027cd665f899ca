/* A declared state in memory: records of plain values, which an application writes into at any time, each beside what
 * it was at the last commit, which is what everybody was sent.
 *
 *     block   | header | values | values at the last commit | groups |      a record: the root, an item of a group
 *     group   items by their ids, and of a map by their keys                a map or a list
 *
 * Lua reads and writes values where they lie (lua/painda/declared/): the first members of a block and a group, and the
 * order of all that is called from there, are declared once more there. Blocks are counted by references, so that one
 * whom Lua still holds outlives its removal, and its whole state. */
#ifndef PP_STATE_STATE_H
#define PP_STATE_STATE_H

#include "base/buf.h"
#include "base/map.h"
#include "state/schema.h"

#define PP_STATE_BLOCKS (1U << 18) /* in a state */
#define PP_STATE_SLOTS (1U << 21)  /* ids that its groups have room for */
#define PP_STATE_HASH_EVERY 64     /* deltas */

struct pp_state_text {
    uint32_t refs, len;
    char bytes[];
};

/* Lua takes what is below GONE for an item. */
enum { PP_STATE_SENT = 1, PP_STATE_GONE = 2 };

struct pp_state_block {
    uint32_t refs;
    uint32_t id;
    uint16_t flags;               /* SENT: was there at the last commit. GONE: has been removed */
    uint16_t touched;             /* may differ from the last commit, as may all that it is in */
    uint32_t before;              /* of a list's item that was sent: its place at the last commit */
    uint64_t mask;                /* of the fields that changed, by the last scan */
    struct pp_state_group *owner; /* NULL of the root, and of what was taken out of its group */
    struct pp_state_text *key;    /* of an item of a map */
    struct pp_state_record *record;
    struct pp_state *state; /* of the root */
    unsigned char values[];
};

struct pp_state_group {
    struct pp_state_block **items; /* by id; NULL: free. May hold what is GONE. Of a list: see list.c */
    uint32_t count;                /* items, without those that are GONE */
    uint32_t size;                 /* above every id in use */
    uint32_t capacity;
    uint32_t hint;            /* no id below is to be given */
    uint32_t skipped;         /* there may be free ones below it */
    uint32_t sent;            /* `count` at the last commit */
    uint32_t moved;           /* of a list: since then items came and went elsewhere than at its end */
    uint32_t index;           /* of its field in the parent's record */
    uint32_t changed_count;   /* the last scan found these … */
    uint32_t gone_count;      /* … and these */
    uint32_t *changed, *gone; /* ids, rising; room for `capacity` */
    uint64_t *touched;        /* a bit for each id whose block is touched */
    struct pp_state_block *parent;
    const struct pp_state_field *field;
    struct pp_map keys; /* of a map: also of what is GONE */
};

/* Who is told of the first write since the last commit; embedded in its owner. It must not look at the state then. */
struct pp_state_watch {
    void (*touched)(struct pp_state_watch *watch);
};

struct pp_state {
    struct pp_state_block *root;
    uint32_t version; /* deltas since the beginning */
    uint32_t blocks, slots;
    uint32_t keepers;
    char *label; /* whose it is, for errors; may be NULL */
    struct pp_buf scratch;
    struct pp_state_watch *watch;   /* NULL where nobody is told */
    struct pp_state_pieces *pieces; /* of the last delta, for views (view.h); NULL where there are none */
};

/* A new state: its root, with one reference. */
struct pp_state_block *pp_state_new(struct pp_state_schema *schema);

static inline void pp_state_ref(struct pp_state_block *block)
{
    block->refs++;
}

void pp_state_unref(struct pp_state_block *block);

/* The values at the last commit. */
static inline unsigned char *pp_state_base(struct pp_state_block *block)
{
    return block->values + block->record->size;
}

static inline struct pp_state_group *pp_state_group_at(struct pp_state_block *block, uint32_t place)
{
    return ((struct pp_state_group **)(void *)(block->values + 2 * (size_t)block->record->size))[place];
}

/* The same for callers by FFI. */
void *pp_state_group_of(struct pp_state_block *block, uint32_t place);

/* To be called before a value is changed. */
void pp_state_touch(struct pp_state_block *block);

/* Sets the text at `offset` of the values: 1. 0 where it is not UTF-8; the caller has checked the length. */
int pp_state_set_text(struct pp_state_block *block, uint32_t offset, const char *bytes, size_t len);

/* An item of a map, or NULL. */
struct pp_state_block *pp_state_find(const struct pp_state_group *group, const char *key, size_t len);

/* The item of a map, made where there was none; what was removed since the last commit comes back with initial values.
 * NULL where the map or the state is full. The caller has checked the key. */
struct pp_state_block *pp_state_add(struct pp_state_group *group, const char *key, size_t len);

/* The same with an id, for what came from elsewhere: neither id nor key is in use. */
struct pp_state_block *pp_state_place(struct pp_state_group *group, uint32_t id, const char *key, size_t len);

void pp_state_remove(struct pp_state_block *block);

/* Gives a list another length; new items have initial values. False where it or the state would be too full. */
int pp_state_resize(struct pp_state_group *group, uint32_t count);

/* Items of a list are taken out, and new ones with initial values put in their place. */
struct pp_state_splice {
    uint32_t place; /* among the items before; rising, from one splice to the next by more than `removed` */
    uint32_t removed, inserted;
};

/* All splices at once. False, and nothing has happened, where the list or the state would be too full, or where they
 * remove what is not there. */
int pp_state_splice(struct pp_state_group *list, const struct pp_state_splice *splices, uint32_t count);

/* One, for callers by FFI. */
int pp_state_splice_one(struct pp_state_group *list, uint32_t place, uint32_t removed, uint32_t inserted);

/* How many items more the state of the block has room for; of one in no state any more it is any number. */
uint32_t pp_state_room(const struct pp_state_block *block);

/* While anybody keeps them, the ids of what is gone are not given again, as long as a map has others: who was behind
 * can be told in one delta then (pp_state_since). */
void pp_state_keep(struct pp_state_block *root);
void pp_state_unkeep(struct pp_state_block *root);

/* Initial values, and empty groups. */
void pp_state_clear(struct pp_state_block *block);

/* Finds what has changed since the last commit: 1 if anything. Looks only at what was touched; the writers go by what
 * the last scan found. */
int pp_state_scan(struct pp_state_block *root);

/* What the last scan found is no change any more. */
void pp_state_commit(struct pp_state_block *root);

/* Scans and commits: what there is now is what everybody begins with. */
void pp_state_begin(struct pp_state_block *root);

/* All is again as it was at the last commit. */
void pp_state_revert(struct pp_state_block *root);

/* Says whose the state is, for errors: a text that is copied, or NULL. */
void pp_state_set_label(struct pp_state_block *root, const char *label);

/* The label of the state that the block is in, or NULL. */
const char *pp_state_label(const struct pp_state_block *block);

/* Where it stands: "players.p1", "" of the root. What is in no state any more is said to be so. */
void pp_state_path(const struct pp_state_block *block, struct pp_buf *out);

#endif
