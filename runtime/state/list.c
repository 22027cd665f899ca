/* Lists, whose items come and go at any place. An item's id is its place now, `before` that at the last commit; what
 * was sent and is GONE stands behind the others until the commit. Nothing but coming and going moves an item, so what
 * was sent and is still there stays in its order. */
#include "state/list.h"

#include "base/memory.h"
#include "state/state_internal.h"

#include <stdlib.h>

/* Another length, of a list whose items have not moved: what is above it and was sent stays, and comes back. */
static bool resize_at_end(struct pp_state_group *list, uint32_t count)
{
    while (list->count > count)
        pp_state_remove(list->items[list->count - 1]);
    while (list->count < count) {
        struct pp_state_block *block = list->count < list->size ? list->items[list->count] : NULL;
        if (block)
            pp_state_resurrect(block);
        else if (pp_state_place(list, list->count, NULL, 0) == NULL)
            return false;
    }
    return true;
}

int pp_state_resize(struct pp_state_group *group, uint32_t count)
{
    uint32_t now = group->count;
    if (count > group->field->limit)
        return 0;
    if (!group->moved)
        return resize_at_end(group, count);
    return count < now ? pp_state_splice_one(group, count, now - count, 0)
                       : pp_state_splice_one(group, now, 0, count - now);
}

/* --- splices --- */

struct sums {
    uint32_t removed, inserted;
};

/* False where the splices are not those of a list of `count` items, of which there may be `limit`. */
static bool add_up(const struct pp_state_splice *splices, uint32_t splice_count, uint32_t count, uint32_t limit,
                   struct sums *sums)
{
    uint32_t least = 0;
    *sums = (struct sums){0};
    for (uint32_t i = 0; i < splice_count; i++) {
        const struct pp_state_splice *splice = &splices[i];
        if (splice->place < least || splice->place > count || splice->removed > count - splice->place ||
            splice->inserted > limit - sums->inserted)
            return false;
        sums->removed += splice->removed;
        sums->inserted += splice->inserted;
        least = splice->place + splice->removed + 1;
    }
    return sums->inserted <= limit - (count - sums->removed);
}

static void number_items(struct pp_state_group *list)
{
    memset(list->touched, 0, (list->capacity + 63) / 64 * sizeof(*list->touched));
    for (uint32_t id = 0; id < list->size; id++) {
        list->items[id]->id = id;
        list->touched[id / 64] |= (uint64_t)(list->items[id]->touched != 0) << id % 64;
    }
}

/* The list's items in a new order: those that are there from the front on, those that are GONE from the end. */
struct order {
    struct pp_state_block **items;
    uint32_t size, there, gone;
};

static void take(struct order *order, struct pp_state_block *block)
{
    if (!(block->flags & PP_STATE_SENT)) {
        pp_state_drop(block);
        return;
    }
    block->flags |= PP_STATE_GONE;
    block->touched = 1;
    order->items[order->size - ++order->gone] = block;
}

static void rearrange(struct pp_state_group *list, const struct pp_state_splice *splices, uint32_t count,
                      struct order *order)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (from < splices[i].place)
            order->items[order->there++] = list->items[from++];
        for (uint32_t left = splices[i].removed; left > 0; left--)
            take(order, list->items[from++]);
        for (uint32_t left = splices[i].inserted; left > 0; left--)
            order->items[order->there++] = pp_state_new_item(list);
    }
    while (from < list->count)
        order->items[order->there++] = list->items[from++];
    while (from < list->size)
        take(order, list->items[from++]);
}

static void put_in_order(struct pp_state_group *list, const struct order *order)
{
    uint32_t before = list->size;
    list->count = order->there;
    list->size = order->there + order->gone;
    memcpy(list->items, order->items, order->there * sizeof(*list->items));
    memcpy(list->items + order->there, order->items + order->size - order->gone, order->gone * sizeof(*list->items));
    for (uint32_t id = list->size; id < before; id++)
        list->items[id] = NULL;
    number_items(list);
}

int pp_state_splice(struct pp_state_group *list, const struct pp_state_splice *splices, uint32_t count)
{
    struct pp_state *state = pp_state_of(list->parent);
    struct sums sums;
    if (!add_up(splices, count, list->count, list->field->limit, &sums) ||
        (state && sums.inserted > PP_STATE_BLOCKS - state->blocks) ||
        !pp_state_reserve(list, list->size + sums.inserted))
        return 0;
    if (sums.removed == 0 && sums.inserted == 0)
        return 1;
    bool one_way = sums.removed == 0 || sums.inserted == 0;
    if (count == 1 && one_way && !list->moved && splices->place + splices->removed == list->count)
        return resize_at_end(list, splices->place + splices->inserted);
    struct order order = {.size = list->size + sums.inserted};
    order.items = pp_malloc(order.size * sizeof(*order.items));
    rearrange(list, splices, count, &order);
    put_in_order(list, &order);
    free(order.items);
    list->moved = 1;
    pp_state_touch(list->parent);
    return 1;
}

int pp_state_splice_one(struct pp_state_group *list, uint32_t place, uint32_t removed, uint32_t inserted)
{
    return pp_state_splice(list, &(struct pp_state_splice){place, removed, inserted}, 1);
}

bool pp_state_next_splice(const struct pp_state_group *list, struct pp_state_walk *walk, struct pp_state_splice *splice)
{
    struct pp_state_block **items = list->items;
    uint32_t at = walk->place, before = walk->before;
    while (at < list->count && items[at]->flags & PP_STATE_SENT && items[at]->before == before)
        at++, before++;
    uint32_t place = before, first = at;
    while (at < list->count && !(items[at]->flags & PP_STATE_SENT))
        at++;
    before = at < list->count ? items[at]->before : list->sent;
    *walk = (struct pp_state_walk){at, before};
    *splice = (struct pp_state_splice){place, before - place, at - first};
    return splice->removed > 0 || splice->inserted > 0;
}

/* --- commit and revert --- */

void pp_state_note_places(struct pp_state_group *list)
{
    for (uint32_t id = 0; id < list->size; id++)
        list->items[id]->before = id;
    list->moved = 0;
}

void pp_state_move_back(struct pp_state_group *list)
{
    struct order order = {.size = list->sent};
    order.items = pp_malloc((order.size + 1) * sizeof(*order.items));
    for (uint32_t id = 0; id < list->size; id++) {
        struct pp_state_block *block = list->items[id];
        if (block->flags & PP_STATE_SENT) {
            block->flags = PP_STATE_SENT;
            order.items[block->before] = block;
            order.there++;
        } else {
            pp_state_drop(block);
        }
    }
    put_in_order(list, &order);
    free(order.items);
    list->moved = 0;
}
