/* Where in a value the encoder or decoder is, and the numbers' ranges: what schema_encode.c and schema_decode.c share.
 */
#ifndef PP_WIRE_SCHEMA_WALK_H
#define PP_WIRE_SCHEMA_WALK_H

#include "wire/schema_type.h"

/* One step into the value, on the C stack of the function that took it. */
struct pp_step {
    const struct pp_step *up;     /* NULL: the value itself */
    const struct pp_field *field; /* the member, or NULL for an element */
    size_t index;                 /* the element, 0-based */
};

/* Writes "players[3].x" (elements counted from 1, as Lua does) or "the value" to `out`, NUL-terminated and cut at
 * `size`. */
void pp_step_path(const struct pp_step *step, char *out, size_t size);

/* What a type holds, in words: "a whole number from 0 to 255 (uint8)". */
const char *pp_type_expects(enum pp_type_code code);

#endif
