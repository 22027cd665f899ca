/* A value with memory of its own. */
#include "value/value.h"

static struct pp_value copy(struct pp_tree *tree, const struct pp_value *value)
{
    uint32_t first = tree->open_count;
    switch (value->kind) {
    case PP_VALUE_STRING:
        return pp_tree_string(tree, value->string, value->count);
    case PP_VALUE_ARRAY:
        for (uint32_t i = 0; i < value->count; i++)
            pp_tree_push(tree, NULL, copy(tree, &value->items[i]));
        return pp_tree_array(tree, first);
    case PP_VALUE_MAP:
        for (uint32_t i = 0; i < value->count; i++) {
            const struct pp_value_member *member = &value->members[i];
            struct pp_value copied = copy(tree, &member->value);
            pp_tree_push(tree, pp_tree_key(tree, member->key->bytes, member->key->len), copied);
        }
        return pp_tree_map(tree, first);
    default:
        return *value;
    }
}

void pp_tree_copy(struct pp_tree *tree, const struct pp_value *value)
{
    pp_tree_clear(tree);
    tree->max_bytes = SIZE_MAX;
    tree->root = copy(tree, value);
}
