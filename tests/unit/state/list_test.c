/* Lists of declared states: splices anywhere, what they make of the list, and what becomes of it at a commit and a
 * revert, held against a plain array. */
#include "state/list.h"

#include <stdio.h>

#include "harness.h"
#include "random.h"
#include "state/delta.h"

#define LIMIT 40

/* { l = list(uint16, 40) } */
static const unsigned char schema_bytes[] = "\1\15\1\1l\17\0\0\0\50\3";

static struct pp_state_block *root;
static struct pp_state_group *list;
static uint32_t values[LIMIT], count; /* what the list is to be */

static void begin(void)
{
    char error[128] = "";
    struct pp_state_schema *schema = pp_state_schema_new(schema_bytes, sizeof(schema_bytes) - 1, error, sizeof(error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    root = pp_state_new(schema);
    pp_state_schema_unref(schema);
    list = pp_state_group_at(root, 0);
    count = 0;
}

static void set(uint32_t place, uint16_t value)
{
    pp_state_touch(list->items[place]);
    memcpy(list->items[place]->values, &value, sizeof(value));
}

static bool is_as_wanted(void)
{
    bool same = list->count == count && list->size >= count;
    for (uint32_t i = 0; same && i < list->size; i++) {
        uint16_t value;
        memcpy(&value, list->items[i]->values, sizeof(value));
        same = list->items[i]->id == i && (i >= count) == (list->items[i]->flags >= PP_STATE_GONE) &&
               (i >= count || value == values[i]);
    }
    return same;
}

/* The same in the array; the new items get numbers of their own. */
static void splice(uint32_t place, uint32_t removed, uint32_t inserted)
{
    static uint16_t next;
    CU_ASSERT_FATAL(pp_state_splice_one(list, place, removed, inserted));
    memmove(values + place + inserted, values + place + removed, (count - place - removed) * sizeof(*values));
    count += inserted - removed;
    for (uint32_t i = place; i < place + inserted; i++) {
        values[i] = ++next;
        set(i, next);
    }
}

static void goes_anywhere(void)
{
    begin();
    splice(0, 0, 3);
    splice(0, 0, 1);
    splice(2, 1, 2);
    splice(5, 0, 1);
    splice(0, 2, 0);
    CU_ASSERT(is_as_wanted());
    pp_state_unref(root);
}

static void refuses(void)
{
    static const struct pp_state_splice bad[][2] = {
        {{6, 0, 1}},
        {{0, 6, 0}},
        {{5, 1, 0}},
        {{0, 0, LIMIT}},
        {{1, UINT32_MAX, 1}},
        {{0, 0, UINT32_MAX}},
        {{0, 1, 0}, {1, 1, 0}},
        {{3, 0, 1}, {2, 0, 1}},
        {{0, 0, 20}, {1, 0, 16}},
    };
    begin();
    splice(0, 0, 5);
    pp_state_begin(root);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CU_ASSERT_EQUAL(pp_state_splice(list, bad[i], i < 6 ? 1 : 2), 0);
    CU_ASSERT(is_as_wanted());
    CU_ASSERT_EQUAL(pp_state_scan(root), 0);
    pp_state_unref(root);
}

static void tells_splices(void)
{
    struct pp_state_walk walk = {0};
    struct pp_state_splice told;
    begin();
    splice(0, 0, 6);
    pp_state_begin(root);
    splice(0, 0, 2); /* + + 1 2 3 4 5 6 */
    splice(4, 1, 0); /* + + 1 2 4 5 6 */
    splice(6, 1, 1); /* + + 1 2 4 5 + */
    CU_ASSERT(pp_state_next_splice(list, &walk, &told));
    CU_ASSERT(told.place == 0 && told.removed == 0 && told.inserted == 2);
    CU_ASSERT(pp_state_next_splice(list, &walk, &told));
    CU_ASSERT(told.place == 2 && told.removed == 1 && told.inserted == 0);
    CU_ASSERT(pp_state_next_splice(list, &walk, &told));
    CU_ASSERT(told.place == 5 && told.removed == 1 && told.inserted == 1);
    CU_ASSERT(!pp_state_next_splice(list, &walk, &told));
    CU_ASSERT(is_as_wanted());
    pp_state_unref(root);
}

/* What came and went again is no change. */
static void forgets_what_was_not_sent(void)
{
    struct pp_buf out = {0};
    begin();
    splice(0, 0, 3);
    pp_state_begin(root);
    splice(1, 0, 2);
    splice(1, 2, 0);
    CU_ASSERT_EQUAL(pp_state_encode(root, &out, NULL), 0);
    set(2, 7);
    values[2] = 7;
    CU_ASSERT_EQUAL(pp_state_encode(root, &out, NULL), 1);
    CU_ASSERT_EQUAL(out.len, 4); /* the version, and 19 bits: none says that items came or went */
    CU_ASSERT(is_as_wanted());
    pp_buf_destroy(&out);
    pp_state_unref(root);
}

static void is_told_and_taken(struct pp_state_block *copy, struct pp_buf *out)
{
    pp_buf_clear(out);
    if (!pp_state_encode(root, out, NULL))
        return;
    CU_ASSERT_EQUAL(pp_state_apply(copy, out->data, out->len, 1, NULL), PP_STATE_OK);
    CU_ASSERT_EQUAL(pp_state_hash(copy), pp_state_hash(root));
}

static void change(struct pp_random *random)
{
    uint32_t place = (uint32_t)pp_random_below(random, count + 1);
    switch (pp_random_below(random, 4)) {
    case 0:
        if (place < count) {
            values[place] = (uint32_t)pp_random_below(random, 65536);
            set(place, (uint16_t)values[place]);
        }
        break;
    case 1:
        if (count > 0)
            splice(place % count, 1 + (uint32_t)pp_random_below(random, count - place % count), 0);
        break;
    default:
        splice(place, 0, (uint32_t)pp_random_below(random, LIMIT - count < 4 ? LIMIT - count + 1 : 4));
    }
}

static void keeps_to_the_array(void)
{
    uint32_t kept[LIMIT], kept_count = 0;
    struct pp_buf out = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct pp_random random = {seed};
        begin();
        struct pp_state_block *copy = pp_state_new(root->record->schema);
        for (int step = 0; step < 60; step++) {
            change(&random);
            if (!is_as_wanted())
                printf("seed %d, step %d\n", (int)seed, step);
            CU_ASSERT_FATAL(is_as_wanted());
            if (pp_random_below(&random, 4) == 0) {
                is_told_and_taken(copy, &out);
                kept_count = count;
                memcpy(kept, values, sizeof(kept));
            } else if (pp_random_below(&random, 8) == 0) {
                pp_state_revert(root);
                count = kept_count;
                memcpy(values, kept, sizeof(kept));
                CU_ASSERT_FATAL(is_as_wanted());
                CU_ASSERT_EQUAL(pp_state_hash(copy), pp_state_hash(root));
            }
        }
        kept_count = 0;
        pp_state_unref(copy);
        pp_state_unref(root);
    }
    pp_buf_destroy(&out);
}

int main(void)
{
    return pp_run_suite("state/list", (CU_TestInfo[]){
                                          {"takes and gives items anywhere", goes_anywhere},
                                          {"refuses splices of another list, and stays", refuses},
                                          {"tells what came and went, in order", tells_splices},
                                          {"forgets what came and went unsent", forgets_what_was_not_sent},
                                          {"keeps to a plain array through commits and reverts", keeps_to_the_array},
                                          CU_TEST_INFO_NULL,
                                      });
}
