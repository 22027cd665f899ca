/* The small rules of HTTP as pure functions: field syntax, lengths, ranges, validators, dates, paths and media types.
 */
#ifndef PP_NET_HTTP_SYNTAX_H
#define PP_NET_HTTP_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define PP_HTTP_DATE_SIZE 32 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define PP_HTTP_ETAG_SIZE 64

/* May this be sent as a header? The name is a token, the value has no control characters but tabs. */
bool pp_http_field_is_clean(const char *name, size_t name_len, const char *value, size_t value_len);

/* The value of Content-Length: digits and nothing else. False where it is anything else or does not fit. */
bool pp_http_length(const char *text, uint64_t *length);

enum pp_http_range {
    PP_HTTP_RANGE_NONE,    /* absent, not in bytes, not well formed, or several: the whole is the answer */
    PP_HTTP_RANGE_PART,    /* *first to *last, both included, within the size */
    PP_HTTP_RANGE_OUTSIDE, /* 416 */
};

/* What `text`, the value of Range or NULL, asks of `size` bytes. */
enum pp_http_range pp_http_range(const char *text, uint64_t size, uint64_t *first, uint64_t *last);

/* A strong validator, with its quotes. It changes with each change of the file's size or time. */
void pp_http_etag(char out[PP_HTTP_ETAG_SIZE], uint64_t size, const struct timespec *changed);

/* Is `etag` in `list`, the value of If-None-Match? Weak comparison: W/ makes no difference. */
bool pp_http_etag_in(const char *list, const char *etag);

void pp_http_date(char out[PP_HTTP_DATE_SIZE], time_t when);

/* False for all but the form that pp_http_date writes. */
bool pp_http_date_parse(const char *text, time_t *when);

/* May `path`, decoded and relative to a served directory, be looked up at all? No empty, hidden or dot segment, no
 * backslash, no control character. "" is the directory itself. */
bool pp_http_path_is_safe(const char *path, size_t len);

/* The Content-Type for a file's name, with a charset where it is text. */
const char *pp_http_media_type(const char *name);

#endif
