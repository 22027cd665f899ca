/* UTF-8 validation: eight ASCII bytes at a time, other sequences one by one. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Length of the valid sequence at `s`, whose first byte is not ASCII; 0 where there is none. */
static size_t sequence(const unsigned char *s, size_t len)
{
    unsigned char first = s[0];
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size_t need = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (len < need)
        return 0;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

bool pp_utf8_valid(const void *bytes, size_t len)
{
    const unsigned char *s = bytes;
    size_t i = 0;
    while (i < len) {
        uint64_t word;
        if (len - i >= 8 && (memcpy(&word, s + i, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
            i += 8;
        } else if (s[i] < 0x80) {
            i++;
        } else {
            size_t n = sequence(s + i, len - i);
            if (n == 0)
                return false;
            i += n;
        }
    }
    return true;
}
