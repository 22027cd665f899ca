/* jansson as the oracle of what reads and writes JSON. */
#ifndef PP_FUZZ_JSON_ORACLE_H
#define PP_FUZZ_JSON_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void expect(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* json_equal, but 1 and 1.0 are the same number here. */
static inline bool same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!same(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    if (!json_is_object(a))
        return json_equal(a, b);
    const char *key;
    json_t *value;
    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        if (other == NULL || !same(value, other))
            return false;
    }
    return true;
}

/* What jansson alone refuses: integers above 64 bits, a NUL in a key. */
static inline bool is_janssons_own(const json_error_t *error)
{
    return strstr(error->text, "integer") != NULL || json_error_code(error) == json_error_null_byte_in_key;
}

#endif
