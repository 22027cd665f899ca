/* UTF-8 validation: eight ASCII bytes at a time, other characters one by one. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

bool pp_utf8_valid(const void *bytes, size_t len)
{
    const char *at = bytes, *end = at + len;
    while (at < end) {
        uint64_t word;
        if (end - at >= 8 && (memcpy(&word, at, 8), (word & HIGH_BITS) == 0)) {
            at += 8;
            continue;
        }
        while (at < end && !(*at & 0x80))
            at++;
        while (at < end && (*at & 0x80)) { /* where one such character is, others follow */
            size_t step = pp_utf8_length(at, end);
            if (step == 0)
                return false;
            at += step;
        }
    }
    return true;
}
