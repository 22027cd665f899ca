/* A value as a tree of nodes, as source and as sink of the struct codec: what stands in for Lua in tests and fuzzing.
 */
#ifndef PP_TESTS_VALUE_TREE_H
#define PP_TESTS_VALUE_TREE_H

#include "base/memory.h"
#include "wire/schema_codec.h"

#include <stdio.h>
#include <stdlib.h>

enum node_kind { NODE_MISSING, NODE_NUMBER, NODE_BOOL, NODE_BYTES, NODE_ARRAY, NODE_RECORD, NODE_KEY };

struct node {
    enum node_kind kind;
    double number; /* and bool */
    const char *bytes;
    size_t len;
    const char *name; /* as a member, and of a key */
    struct node **children;
    size_t count, cap;
    struct node *older; /* all nodes of a tree in one list */
};

struct tree {
    struct node *newest;
    struct node *stack[80]; /* the sink's values, or the source's way down to the current one */
    size_t depth;
    bool saw_nan;
};

static inline struct node *tree_node(struct tree *tree, enum node_kind kind)
{
    struct node *node = pp_calloc(1, sizeof(*node));
    node->kind = kind;
    node->older = tree->newest;
    return tree->newest = node;
}

static inline struct node *tree_number(struct tree *tree, double number)
{
    struct node *node = tree_node(tree, NODE_NUMBER);
    node->number = number;
    return node;
}

static inline struct node *tree_bool(struct tree *tree, bool value)
{
    struct node *node = tree_node(tree, NODE_BOOL);
    node->number = value;
    return node;
}

static inline struct node *tree_bytes(struct tree *tree, const char *bytes, size_t len)
{
    struct node *node = tree_node(tree, NODE_BYTES);
    node->bytes = bytes;
    node->len = len;
    return node;
}

/* Adds an element, or with a name a member; returns the parent. */
static inline struct node *tree_add(struct node *parent, const char *name, struct node *child)
{
    if (parent->count == parent->cap) {
        parent->cap = parent->cap ? parent->cap * 2 : 4;
        parent->children = pp_realloc(parent->children, parent->cap * sizeof(struct node *));
    }
    child->name = name;
    parent->children[parent->count++] = child;
    return parent;
}

static inline void tree_clear(struct tree *tree)
{
    for (struct node *node = tree->newest, *older; node; node = older) {
        older = node->older;
        free(node->children);
        free(node);
    }
    *tree = (struct tree){0};
}

/* The source. */

static inline struct node *tree_top(void *self)
{
    struct tree *tree = self;
    return tree->stack[tree->depth - 1];
}

static inline bool tree_is_record(void *self)
{
    return tree_top(self)->kind == NODE_RECORD;
}

static inline bool tree_is_array(void *self, size_t *count)
{
    *count = tree_top(self)->count;
    return tree_top(self)->kind == NODE_ARRAY;
}

static inline void tree_enter(void *self, struct node *node)
{
    struct tree *tree = self;
    tree->stack[tree->depth++] = node ? node : tree_node(tree, NODE_MISSING);
}

static inline void tree_field(void *self, const struct pp_field *field)
{
    struct node *record = tree_top(self), *found = NULL;
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->children[i]->name, field->name) == 0)
            found = record->children[i];
    tree_enter(self, found);
}

static inline void tree_element(void *self, size_t index)
{
    tree_enter(self, tree_top(self)->children[index]);
}

static inline void tree_leave(void *self)
{
    ((struct tree *)self)->depth--;
}

static inline bool tree_get_number(void *self, double *out)
{
    *out = tree_top(self)->number;
    return tree_top(self)->kind == NODE_NUMBER;
}

static inline bool tree_get_bool(void *self, bool *out)
{
    *out = tree_top(self)->number != 0;
    return tree_top(self)->kind == NODE_BOOL;
}

static inline bool tree_get_bytes(void *self, const char **out, size_t *len)
{
    *out = tree_top(self)->bytes;
    *len = tree_top(self)->len;
    return tree_top(self)->kind == NODE_BYTES;
}

static inline void tree_describe(void *self, char *out, size_t size)
{
    static const char *const words[] = {"nothing", "number", "a bool", "bytes", "an array", "a record", "a key"};
    const struct node *node = tree_top(self);
    if (node->kind == NODE_NUMBER)
        snprintf(out, size, "%.16g", node->number);
    else
        snprintf(out, size, "%s", words[node->kind]);
}

static const struct pp_value_source tree_source = {
    .is_record = tree_is_record,
    .is_array = tree_is_array,
    .field = tree_field,
    .element = tree_element,
    .leave = tree_leave,
    .number = tree_get_number,
    .boolean = tree_get_bool,
    .bytes = tree_get_bytes,
    .describe = tree_describe,
};

static inline bool tree_encode(const struct pp_record *record, struct tree *tree, struct node *value,
                               struct pp_buf *out, char *error, size_t error_size)
{
    tree->depth = 0;
    tree_enter(tree, value);
    return pp_record_encode(record, &tree_source, tree, out, error, error_size);
}

/* The sink: the values built so far lie on the stack, a record's keys between them. */

static inline void tree_put_number(void *self, double number)
{
    ((struct tree *)self)->saw_nan |= number != number;
    tree_enter(self, tree_number(self, number));
}

static inline void tree_put_bool(void *self, bool value)
{
    tree_enter(self, tree_bool(self, value));
}

static inline void tree_put_bytes(void *self, const char *bytes, size_t len)
{
    tree_enter(self, tree_bytes(self, bytes, len));
}

static inline void tree_put_record(void *self, const struct pp_record *record)
{
    (void)record;
    tree_enter(self, tree_node(self, NODE_RECORD));
}

static inline void tree_put_key(void *self, const struct pp_field *field)
{
    struct node *key = tree_node(self, NODE_KEY);
    key->name = field->name;
    tree_enter(self, key);
}

static inline void tree_set(void *self)
{
    struct tree *tree = self;
    struct node **top = tree->stack + tree->depth;
    tree_add(top[-3], top[-2]->name, top[-1]);
    tree->depth -= 2;
}

static inline void tree_put_array(void *self, size_t count)
{
    (void)count;
    tree_enter(self, tree_node(self, NODE_ARRAY));
}

static inline void tree_append(void *self, size_t index)
{
    struct tree *tree = self;
    struct node **top = tree->stack + tree->depth;
    (void)index;
    tree_add(top[-2], NULL, top[-1]);
    tree->depth--;
}

static const struct pp_value_sink tree_sink = {
    .number = tree_put_number,
    .boolean = tree_put_bool,
    .string = tree_put_bytes,
    .bytes = tree_put_bytes,
    .record = tree_put_record,
    .key = tree_put_key,
    .set = tree_set,
    .array = tree_put_array,
    .append = tree_append,
};

/* The decoded value, which lives in `tree` and points into the payload, or NULL. */
static inline struct node *tree_decode(const struct pp_record *record, struct tree *tree, const void *payload,
                                       size_t len, char *error, size_t error_size)
{
    tree->depth = 0;
    if (!pp_record_decode(record, payload, len, &tree_sink, tree, error, error_size))
        return NULL;
    return tree->stack[0];
}

#endif
