/* What has changed since the last commit: of what was touched, a comparison of memory, and of fields where that
 * differs. */
#include "state/state.h"
#include "state/value.h"

static bool scan_block(struct pp_state_block *block);

static void untouch(struct pp_state_group *group, struct pp_state_block *block)
{
    block->touched = 0;
    group->touched[block->id / 64] &= ~(UINT64_C(1) << block->id % 64);
}

static void scan_item(struct pp_state_group *group, struct pp_state_block *block)
{
    bool differs = scan_block(block); /* also of what is GONE, for a revert */
    if (block->flags & PP_STATE_GONE)
        group->gone[group->gone_count++] = block->id;
    else if (differs || !(block->flags & PP_STATE_SENT))
        group->changed[group->changed_count++] = block->id;
    else
        untouch(group, block);
}

static bool scan_group(struct pp_state_group *group)
{
    group->changed_count = group->gone_count = 0;
    for (uint32_t word = 0; word < (group->size + 63) / 64; word++)
        for (uint64_t left = group->touched[word]; left != 0; left &= left - 1)
            scan_item(group, group->items[word * 64 + (uint32_t)__builtin_ctzll(left)]);
    return group->changed_count > 0 || group->gone_count > 0;
}

static bool is_same(const unsigned char *a, const unsigned char *b, uint32_t size)
{
    uint64_t difference = 0;
    for (uint32_t i = 0; i < size; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        difference |= x ^ y;
    }
    return difference == 0;
}

static uint64_t find_changes(const struct pp_state_record *record, const unsigned char *now, const unsigned char *base)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct pp_state_field *field = &record->fields[i];
        bool differs = false;
        if (field->kind == PP_STATE_TEXT)
            differs = !pp_state_same_text(now + field->offset, base + field->offset);
        else if (!pp_state_is_group(field))
            differs = pp_state_value_get(field, now) != pp_state_value_get(field, base);
        mask |= (uint64_t)differs << i;
    }
    return mask;
}

static bool scan_block(struct pp_state_block *block)
{
    const struct pp_state_record *record = block->record;
    unsigned char *base = pp_state_base(block);
    block->mask = 0;
    if (!is_same(block->values, base, record->size)) {
        block->mask = find_changes(record, block->values, base);
        if (block->mask == 0) /* less than a step of what is quantized: nobody sees it, and here it is forgotten */
            memcpy(base, block->values, record->size);
    }
    for (uint32_t i = 0; i < record->groups; i++) {
        struct pp_state_group *group = pp_state_group_at(block, i);
        block->mask |= (uint64_t)scan_group(group) << group->index;
    }
    return block->mask != 0;
}

int pp_state_scan(struct pp_state_block *root)
{
    if (root->touched && !scan_block(root))
        root->touched = 0;
    return root->touched != 0;
}
