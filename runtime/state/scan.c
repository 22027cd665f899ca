/* What has changed since the last commit: a comparison of memory, and of fields where that differs. */
#include "state/state.h"
#include "state/value.h"

static bool scan_block(struct pp_state_block *block);

static bool scan_group(struct pp_state_group *group)
{
    uint32_t changed = 0, gone = 0;
    for (uint32_t id = 0; id < group->size; id++) {
        struct pp_state_block *block = group->items[id];
        if (block == NULL)
            continue;
        bool differs = scan_block(block); /* also of what is GONE, for a revert */
        if (block->flags & PP_STATE_GONE)
            group->gone[gone++] = id;
        else if (differs || !(block->flags & PP_STATE_SENT))
            group->changed[changed++] = id;
    }
    group->changed_count = changed;
    group->gone_count = gone;
    return changed > 0 || gone > 0;
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
            differs = memcmp(now + field->offset, base + field->offset, sizeof(void *)) != 0;
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
    return scan_block(root);
}
