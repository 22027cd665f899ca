/* Words for error messages of the struct encoder and decoder. */
#include "wire/schema_walk.h"

#include <stdio.h>
#include <string.h>

static size_t path(const struct pp_step *step, char *out, size_t size)
{
    if (step == NULL)
        return 0;
    size_t len = path(step->up, out, size);
    if (len >= size)
        return len;
    int wrote = step->field ? snprintf(out + len, size - len, "%s%s", len ? "." : "", step->field->name)
                            : snprintf(out + len, size - len, "[%zu]", step->index + 1);
    return len + (size_t)wrote;
}

void pp_step_path(const struct pp_step *step, char *out, size_t size)
{
    if (step == NULL)
        snprintf(out, size, "the value");
    else
        path(step, out, size);
}

const char *pp_type_expects(enum pp_type_code code)
{
    static const char *const words[] = {
        [PP_UINT8] = "a whole number from 0 to 255 (uint8)",
        [PP_UINT16] = "a whole number from 0 to 65535 (uint16)",
        [PP_UINT32] = "a whole number from 0 to 4294967295 (uint32)",
        [PP_INT8] = "a whole number from -128 to 127 (int8)",
        [PP_INT16] = "a whole number from -32768 to 32767 (int16)",
        [PP_INT32] = "a whole number from -2147483648 to 2147483647 (int32)",
        [PP_FLOAT32] = "a number up to 3.4e38 (float32)",
        [PP_FLOAT64] = "a number (float64)",
        [PP_BOOL] = "true or false (bool)",
        [PP_VARINT] = "a whole number from 0 to 2^53 - 1 (varint)",
        [PP_TEXT] = "UTF-8 text of at most 65535 bytes (string)",
        [PP_BYTES] = "a string of bytes (bytes)",
        [PP_ARRAY] = "a list of at most 65535 elements (array)",
        [PP_RECORD] = "a table of fields",
    };
    return words[code];
}
