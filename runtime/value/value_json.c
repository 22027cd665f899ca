/* Trees from JSON text and to it. */
#include "value/value.h"

#include "base/buf.h"
#include "base/memory.h"
#include "value/json_reader.h"
#include "value/json_writer.h"

#include <stdio.h>
#include <stdlib.h>

struct level {
    uint32_t first;                 /* of the tree's open values */
    const struct pp_value_key *key; /* the key that was read last */
};

struct parser {
    struct pp_tree *tree;
    struct pp_json_reader reader;
    struct pp_buf plain; /* an unescaped string */
    struct level levels[PP_JSON_MAX_DEPTH + 1];
};

/* The bytes of the string that was read. */
static const char *span_of(struct parser *p, size_t *len)
{
    *len = p->reader.span_len;
    if (!p->reader.escaped)
        return p->reader.span;
    pp_buf_clear(&p->plain);
    *len = pp_json_unescape(p->reader.span, *len, pp_buf_reserve(&p->plain, *len + 1));
    return p->plain.data;
}

/* The value of a token that is or ends one. */
static struct pp_value value_of(struct parser *p, enum pp_json_token token)
{
    size_t len;
    switch (token) {
    case PP_JSON_TRUE:
    case PP_JSON_FALSE:
        return (struct pp_value){.boolean = token == PP_JSON_TRUE, .kind = PP_VALUE_BOOL};
    case PP_JSON_NUMBER:
        return (struct pp_value){.number = pp_json_number(&p->reader), .kind = PP_VALUE_NUMBER};
    case PP_JSON_STRING: {
        const char *bytes = span_of(p, &len);
        return pp_tree_string(p->tree, bytes, len);
    }
    case PP_JSON_ARRAY_END:
        return pp_tree_array(p->tree, p->levels[p->reader.depth + 1].first);
    case PP_JSON_OBJECT_END:
        return pp_tree_map_of_last(p->tree, p->levels[p->reader.depth + 1].first);
    default:
        return (struct pp_value){.kind = PP_VALUE_NIL};
    }
}

/* NULL, or what is wrong. */
static const char *parse(struct parser *p)
{
    for (;;) {
        size_t len;
        const char *bytes;
        enum pp_json_token token = pp_json_next(&p->reader);
        struct level *level = &p->levels[p->reader.depth];
        if (p->tree->full)
            return "the value is too large";
        switch (token) {
        case PP_JSON_ERROR:
            return p->reader.error;
        case PP_JSON_END:
            return NULL;
        case PP_JSON_KEY:
            bytes = span_of(p, &len);
            level->key = pp_tree_key(p->tree, bytes, len); /* NULL where the tree is full, which is seen next */
            break;
        case PP_JSON_ARRAY_BEGIN:
        case PP_JSON_OBJECT_BEGIN:
            *level = (struct level){p->tree->open_count, NULL};
            break;
        default: {
            struct pp_value value = value_of(p, token);
            if (p->reader.depth > 0)
                pp_tree_push(p->tree, p->levels[p->reader.depth].key, value);
            else
                p->tree->root = value;
        }
        }
    }
}

bool pp_tree_parse(struct pp_tree *tree, const char *text, size_t len, char *error, size_t error_size)
{
    struct parser p = {.tree = tree};
    pp_tree_clear(tree);
    pp_json_reader_init(&p.reader, text, len);
    const char *wrong = parse(&p);
    pp_buf_destroy(&p.plain);
    if (wrong == NULL && tree->full)
        wrong = "the value is too large";
    if (wrong == NULL)
        return true;
    snprintf(error, error_size, "%s at offset %zu", wrong, pp_json_offset(&p.reader));
    pp_tree_clear(tree);
    return false;
}

static void write_map(const struct pp_value *map, struct pp_buf *out)
{
    pp_buf_append_char(out, '{');
    for (uint32_t i = 0; i < map->count; i++) {
        const struct pp_value_member *member = &map->members[i];
        if (i > 0)
            pp_buf_append_char(out, ',');
        pp_json_write_string(out, member->key->bytes, member->key->len);
        pp_buf_append_char(out, ':');
        pp_value_write(&member->value, out);
    }
    pp_buf_append_char(out, '}');
}

void pp_value_write(const struct pp_value *value, struct pp_buf *out)
{
    switch (value->kind) {
    case PP_VALUE_BOOL:
        pp_buf_append_string(out, value->boolean ? "true" : "false");
        break;
    case PP_VALUE_NUMBER:
        pp_json_write_number(out, value->number);
        break;
    case PP_VALUE_STRING:
        pp_json_write_string(out, value->string, value->count);
        break;
    case PP_VALUE_ARRAY:
        pp_buf_append_char(out, '[');
        for (uint32_t i = 0; i < value->count; i++) {
            if (i > 0)
                pp_buf_append_char(out, ',');
            pp_value_write(&value->items[i], out);
        }
        pp_buf_append_char(out, ']');
        break;
    case PP_VALUE_MAP:
        write_map(value, out);
        break;
    default:
        pp_buf_append(out, "null", 4);
    }
}

/* Takes the least that the value can take from `left`, as long as that is not negative. */
static void count_down(const struct pp_value *value, int64_t *left)
{
    if (value->kind < PP_VALUE_STRING) {
        *left -= value->kind == PP_VALUE_NUMBER ? 1 : 4;
        return;
    }
    *left -= 2;
    if (value->kind == PP_VALUE_STRING) {
        *left -= value->count;
        return;
    }
    for (uint32_t i = 0; i < value->count && *left >= 0; i++) {
        *left -= i > 0;
        if (value->kind == PP_VALUE_MAP)
            *left -= (int64_t)value->members[i].key->len + 3;
        count_down(value->kind == PP_VALUE_MAP ? &value->members[i].value : &value->items[i], left);
    }
}

bool pp_value_is_longer(const struct pp_value *value, size_t len)
{
    int64_t left = (int64_t)len;
    count_down(value, &left);
    return left < 0;
}
