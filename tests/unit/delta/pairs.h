/* Pairs of random documents, the second made out of the first: changed, moved, removed, inserted; as JSON. */
#ifndef PP_TESTS_PAIRS_H
#define PP_TESTS_PAIRS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "random.h"
#include "value/json_writer.h"

#define PAIR_PIECES 40

struct pair {
    struct pp_random random;
    unsigned calm; /* one value in so many differs */
};

static inline uint64_t pair_below(struct pair *pair, uint64_t n)
{
    return pp_random_below(&pair->random, n);
}

static inline bool pair_differs(struct pair *pair)
{
    return pair_below(pair, pair->calm) == 0;
}

static inline void pair_scalar(struct pair *pair, struct pp_buf *out)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "1",
                                        "-1",
                                        "0.1",
                                        "1e300",
                                        "\"\"",
                                        "\"a\"",
                                        "\"\\u0000\"",
                                        "\"é\"",
                                        "\"日本\"",
                                        "\"a\\\"b\"",
                                        "12345",
                                        "[]",
                                        "{}",
                                        "2",
                                        "\"a longer string, of two words and more\""};
    pp_buf_append_string(out, texts[pair_below(pair, sizeof texts / sizeof *texts)]);
}

static inline void pair_key(unsigned i, struct pp_buf *out)
{
    static const char *const keys[] = {
        "a", "id", "é", "日本", "", "x\"y", "__pp_deleted", "__pp_array_ops", "__pp_value", "__pp_x", "items", "op"};
    char key[16];
    const size_t named = sizeof keys / sizeof *keys;
    if (i >= named)
        snprintf(key, sizeof key, "key%u", i);
    pp_json_write_string(out, i < named ? keys[i] : key, strlen(i < named ? keys[i] : key));
    pp_buf_append_char(out, ':');
}

static inline void pair_value(struct pair *pair, struct pp_buf *before, struct pp_buf *after, unsigned depth);

static inline void pair_join(struct pp_buf *out, const struct pp_buf *pieces, unsigned count, const char *brackets)
{
    bool first = true;
    pp_buf_append_char(out, brackets[0]);
    for (unsigned i = 0; i < count; i++)
        if (pieces[i].len > 0) {
            if (!first)
                pp_buf_append_char(out, ',');
            first = false;
            pp_buf_append(out, pieces[i].data, pieces[i].len);
        }
    pp_buf_append_char(out, brackets[1]);
}

static inline void pair_container(struct pair *pair, struct pp_buf *before, struct pp_buf *after, unsigned depth,
                                  bool is_map)
{
    struct pp_buf old[PAIR_PIECES] = {0}, new[PAIR_PIECES] = {0};
    unsigned count = (unsigned)pair_below(pair, pair_below(pair, 4) == 0 ? PAIR_PIECES : 6);
    unsigned first = is_map ? (unsigned)pair_below(pair, 20) : 0;
    for (unsigned i = 0; i < count; i++) {
        if (is_map) {
            pair_key(first + i, &old[i]);
            pair_key(first + i, &new[i]);
        }
        pair_value(pair, &old[i], &new[i], depth + 1);
        if (pair_differs(pair))
            pp_buf_clear(pair_below(pair, 2) == 0 ? &old[i] : &new[i]); /* inserted, or removed */
    }
    for (unsigned i = 0; i < count; i++)
        if (pair_differs(pair)) { /* moved */
            unsigned other = (unsigned)pair_below(pair, count);
            struct pp_buf moved = new[i];
            new[i] = new[other];
            new[other] = moved;
        }
    pair_join(before, old, count, is_map ? "{}" : "[]");
    pair_join(after, new, count, is_map ? "{}" : "[]");
    for (unsigned i = 0; i < count; i++) {
        pp_buf_destroy(&old[i]);
        pp_buf_destroy(&new[i]);
    }
}

static inline void pair_value(struct pair *pair, struct pp_buf *before, struct pp_buf *after, unsigned depth)
{
    struct pp_buf other = {0};
    uint64_t kind = pair_below(pair, depth < 5 ? 4 : 2);
    if (pair_differs(pair)) { /* something else */
        pair_scalar(pair, after);
        after = &other;
    }
    if (kind >= 2) {
        pair_container(pair, before, after, depth, kind == 2);
    } else {
        size_t start = before->len;
        pair_scalar(pair, before);
        pp_buf_append(after, before->data + start, before->len - start);
    }
    pp_buf_destroy(&other);
}

/* Appends the two documents of a seed. */
static inline void pair_write(uint64_t seed, struct pp_buf *before, struct pp_buf *after)
{
    static const unsigned calms[] = {2, 5, 20, 100};
    struct pair pair = {{seed}, 0};
    pair.calm = calms[pair_below(&pair, 4)];
    pair_value(&pair, before, after, 0);
}

#endif
