/* Escaping strings: the cases in which a byte is not simply copied. */
#include "value/json_writer.h"

#include "base/utf8.h"

/* Writes the escape of a quote, a backslash or a control character; returns its length, at most 6. */
static size_t write_escape(unsigned char c, char *to)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *name = c != '\0' ? strchr(named, c) : NULL;
    to[0] = '\\';
    if (name != NULL) {
        to[1] = letters[name - named];
        return 2;
    }
    memcpy(to + 1, "u00", 3);
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

bool pp_json_write_escaped(struct pp_buf *out, const char *string, size_t len)
{
    const char *at = string, *end = string + len;
    /* Most often nothing needs an escape; a control character takes six bytes, so each escape makes its own room. */
    char *to = pp_buf_reserve(out, len + 1);
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        if (c >= 0x80) {
            size_t step = pp_utf8_length(at, end);
            if (step == 0)
                return false;
            memcpy(to, at, step);
            at += step;
            to += step;
        } else if (c < 0x20 || c == '"' || c == '\\') {
            out->len = (size_t)(to - out->data);
            to = pp_buf_reserve(out, 6 + (size_t)(end - at));
            to += write_escape(c, to);
            at++;
        } else {
            *to++ = (char)c;
            at++;
        }
    }
    *to++ = '"';
    out->len = (size_t)(to - out->data);
    return true;
}
