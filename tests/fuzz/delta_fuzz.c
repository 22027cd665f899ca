/* Patching a state with a delta from a peer: two lines, the state and the delta. What is refused changes nothing; what
 * is accepted makes a document within the bounds, and the difference between the two makes the same again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "delta/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "delta_fuzz: %s\n", what);
    abort();
}

static bool load(struct pp_tree *tree, const char *text, size_t len)
{
    char error[128];
    tree->max_bytes = 1 << 20;
    return pp_tree_parse(tree, text, len, error, sizeof error);
}

static void expect_again(const struct pp_tree *state, const struct pp_tree *result)
{
    struct pp_tree copy = {0}, delta = {0}, again = {0};
    struct pp_buf out = {0};
    const char *error = NULL;
    pp_value_write(&result->root, &out);
    expect(load(&copy, out.data, out.len), "the result is no JSON");
    expect(pp_value_equal(&copy.root, &result->root), "the result is written otherwise");
    pp_buf_clear(&out);
    bool changed = pp_delta_diff(&state->root, &copy.root, &out);
    expect(changed != pp_value_equal(&state->root, &copy.root), "a difference is not seen, or seen where none is");
    if (changed) {
        expect(load(&delta, out.data, out.len), "the delta is no JSON");
        expect(delta.root.depth <= PP_DELTA_MAX_DEPTH, "the delta is too deep");
        expect(pp_delta_patch(&again, &state->root, &delta.root, &error), "our own delta is refused");
        expect(pp_value_equal(&again.root, &copy.root), "the delta makes something else");
    }
    pp_tree_destroy(&copy);
    pp_tree_destroy(&delta);
    pp_tree_destroy(&again);
    pp_buf_destroy(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_tree state = {0}, delta = {0}, result = {.max_bytes = 1 << 20};
    const char *text = (const char *)data, *line = size > 0 ? memchr(data, '\n', size) : NULL, *error = NULL;
    if (line != NULL && load(&state, text, (size_t)(line - text)) &&
        load(&delta, line + 1, size - (size_t)(line - text) - 1)) {
        if (pp_delta_patch(&result, &state.root, &delta.root, &error)) {
            expect(error == NULL && result.root.depth <= PP_DELTA_STATE_DEPTH, "the result is too deep");
            expect_again(&state, &result);
        } else {
            expect(error != NULL && result.root.kind == PP_VALUE_NIL, "refused, but something is left");
        }
    }
    pp_tree_destroy(&state);
    pp_tree_destroy(&delta);
    pp_tree_destroy(&result);
    return 0;
}
