/* See http_syntax.h. Nothing here reads a clock, a file or a socket. */
#define _GNU_SOURCE /* strptime, timegm */
#include "net/http_syntax.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool pp_http_field_is_clean(const char *name, size_t name_len, const char *value, size_t value_len)
{
    for (size_t i = 0; i < name_len; i++)
        if (!is_token_char(name[i]))
            return false;
    for (size_t i = 0; i < value_len; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7F)
            return false;
    return name_len > 0;
}

/* Reads digits; returns what follows them, or NULL where there are none or they do not fit. */
static const char *read_number(const char *text, uint64_t *number)
{
    const char *at = text;
    uint64_t value = 0;
    for (; isdigit((unsigned char)*at); at++) {
        if (value > (UINT64_MAX - 9) / 10)
            return NULL;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *number = value;
    return at == text ? NULL : at;
}

bool pp_http_length(const char *text, uint64_t *length)
{
    const char *end = read_number(text, length);
    return end != NULL && *end == '\0' && *length <= INT64_MAX;
}

enum pp_http_range pp_http_range(const char *text, uint64_t size, uint64_t *first, uint64_t *last)
{
    if (text == NULL || strncasecmp(text, "bytes=", 6) != 0)
        return PP_HTTP_RANGE_NONE;
    text += 6;
    if (*text == '-') { /* the last n bytes */
        uint64_t count;
        const char *end = read_number(text + 1, &count);
        if (end == NULL || *end != '\0')
            return PP_HTTP_RANGE_NONE;
        if (count == 0 || size == 0)
            return PP_HTTP_RANGE_OUTSIDE;
        *first = count < size ? size - count : 0;
        *last = size - 1;
        return PP_HTTP_RANGE_PART;
    }
    const char *end = read_number(text, first);
    if (end == NULL || *end++ != '-')
        return PP_HTTP_RANGE_NONE;
    *last = UINT64_MAX;
    if (*end != '\0' && (end = read_number(end, last)) == NULL)
        return PP_HTTP_RANGE_NONE;
    if (*end != '\0' || *last < *first)
        return PP_HTTP_RANGE_NONE;
    if (*first >= size)
        return PP_HTTP_RANGE_OUTSIDE;
    if (*last >= size)
        *last = size - 1;
    return PP_HTTP_RANGE_PART;
}

void pp_http_etag(char out[PP_HTTP_ETAG_SIZE], uint64_t size, const struct timespec *changed)
{
    snprintf(out, PP_HTTP_ETAG_SIZE, "\"%" PRIx64 "-%" PRIx64 "-%lx\"", size, (uint64_t)changed->tv_sec,
             changed->tv_nsec);
}

bool pp_http_etag_in(const char *list, const char *etag)
{
    size_t len = strlen(etag);
    for (const char *at = list; *at != '\0'; at += strcspn(at, ",")) {
        at += strspn(at, ", \t");
        if (*at == '*')
            return true;
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        const char *after = at + len;
        if (strncmp(at, etag, len) == 0 && (*after == '\0' || strchr(", \t", *after) != NULL))
            return true;
    }
    return false;
}

void pp_http_date(char out[PP_HTTP_DATE_SIZE], time_t when)
{
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(out, PP_HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

bool pp_http_date_parse(const char *text, time_t *when)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end == NULL || *end != '\0')
        return false;
    *when = timegm(&tm);
    return true;
}

bool pp_http_path_is_safe(const char *path, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool starts_segment = i == 0 || path[i - 1] == '/';
        if (starts_segment && (path[i] == '.' || path[i] == '/'))
            return false;
        if (path[i] == '\\' || (unsigned char)path[i] < ' ' || path[i] == 0x7F)
            return false;
    }
    return true;
}

static const char *const media_types[][2] = {
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml; charset=utf-8"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml; charset=utf-8"},
    {"zip", "application/zip"},
};

static int compare_extension(const void *key, const void *entry)
{
    return strcasecmp(key, *(const char *const *)entry);
}

const char *pp_http_media_type(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    const char *const(*found)[2] = dot ? bsearch(dot + 1, media_types, sizeof media_types / sizeof *media_types,
                                                 sizeof *media_types, compare_extension)
                                       : NULL;
    return found ? (*found)[1] : "application/octet-stream";
}
