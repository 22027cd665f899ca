/* Files of a served directory: which one a path means, and how much of it a client needs. */
#define _GNU_SOURCE /* struct stat's st_mtim */
#include "base/memory.h"
#include "net/http_internal.h"
#include "net/http_syntax.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    char path[PATH_MAX];
    struct stat stat;
};

/* The file that `path` in `root` really is: false where there is none, or where a link leads out of the root. */
static bool look_up(const char *root, const char *path, struct found *found)
{
    char real_root[PATH_MAX], asked[PATH_MAX];
    if (realpath(root, real_root) == NULL)
        return false;
    size_t len = strlen(real_root);
    if (snprintf(asked, sizeof asked, "%s/%s", real_root, path) >= (int)sizeof asked)
        return false;
    if (realpath(asked, found->path) == NULL || strncmp(found->path, real_root, len) != 0)
        return false;
    bool inside = found->path[len] == '/' || found->path[len] == '\0' || len == 1; /* a root of "/" ends in its slash */
    return inside && stat(found->path, &found->stat) == 0;
}

/* "notes" for "/docs/notes": relative, so that it holds wherever the directory is served. */
static void redirect_into(struct pp_http_request *request)
{
    const char *name = strrchr(pp_http_path(request), '/') + 1;
    struct pp_buf fields = {0};
    pp_buf_append_string(&fields, "location: ./");
    for (; *name != '\0'; name++) {
        char escaped[4];
        bool plain = (*name >= '0' && *name <= '9') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= 'a' && *name <= 'z') || strchr("-._~", *name) != NULL;
        int len = snprintf(escaped, sizeof escaped, plain ? "%c" : "%%%02X", (unsigned char)*name);
        pp_buf_append(&fields, escaped, (size_t)len);
    }
    pp_buf_append_string(&fields, "/\n");
    pp_buf_append_char(&fields, '\0');
    pp_http_answer(request, &(struct pp_http_answer){.status = HTTP_STATUS_MOVED_PERMANENTLY, .fields = fields.data});
    pp_buf_destroy(&fields);
}

/* The value of a request's header, or NULL; in `room`. */
static const char *header(const struct pp_http_request *request, const char *name, char *room, size_t size)
{
    size_t len;
    const char *value = pp_handshake_header(request->headers, name, &len);
    if (value == NULL || len >= size)
        return NULL;
    memcpy(room, value, len);
    room[len] = '\0';
    return room;
}

static bool is_known_to_client(const struct pp_http_request *request, const char *etag, time_t changed)
{
    char room[1024];
    time_t since;
    const char *value = header(request, "if-none-match", room, sizeof room);
    if (value != NULL)
        return pp_http_etag_in(value, etag);
    value = header(request, "if-modified-since", room, sizeof room);
    return value != NULL && pp_http_date_parse(value, &since) && changed <= since;
}

/* The part that is asked for, where the condition on it (If-Range) holds. */
static enum pp_http_range asked_range(const struct pp_http_request *request, const char *etag, const char *date,
                                      uint64_t size, uint64_t *first, uint64_t *last)
{
    char condition[128], room[128];
    const char *only_if = header(request, "if-range", condition, sizeof condition);
    if (request->head || (only_if != NULL && strcmp(only_if, etag) != 0 && strcmp(only_if, date) != 0))
        return PP_HTTP_RANGE_NONE;
    return pp_http_range(header(request, "range", room, sizeof room), size, first, last);
}

static void append_common(struct pp_buf *fields, const struct pp_http_files *files, const char *etag, const char *date)
{
    char text[256];
    int len = snprintf(text, sizeof text,
                       "etag: %s\nlast-modified: %s\ncache-control: public, max-age=%" PRIu32 "%s\n"
                       "accept-ranges: bytes\nx-content-type-options: nosniff\n",
                       etag, date, files->max_age, files->max_age == 0 ? ", must-revalidate" : "");
    pp_buf_append(fields, text, (size_t)len);
}

/* Answers with an open file; takes the descriptor. */
static void send_file(struct pp_http_request *request, const struct pp_http_files *files, const char *name,
                      const struct stat *stat, int fd)
{
    char etag[PP_HTTP_ETAG_SIZE], date[PP_HTTP_DATE_SIZE], text[192];
    uint64_t size = (uint64_t)stat->st_size, first = 0, last = 0;
    struct pp_buf fields = {0};
    struct pp_http_answer answer = {.status = HTTP_STATUS_OK, .len = size, .file = fd};
    pp_http_etag(etag, size, &stat->st_mtim);
    pp_http_date(date, stat->st_mtim.tv_sec);
    append_common(&fields, files, etag, date);
    if (is_known_to_client(request, etag, stat->st_mtim.tv_sec)) {
        answer.status = HTTP_STATUS_NOT_MODIFIED;
        answer.len = 0;
    } else {
        enum pp_http_range range = asked_range(request, etag, date, size, &first, &last);
        snprintf(text, sizeof text, "content-type: %s\n", pp_http_media_type(name));
        pp_buf_append_string(&fields, text);
        text[0] = '\0';
        if (range == PP_HTTP_RANGE_PART) {
            answer.status = HTTP_STATUS_PARTIAL_CONTENT;
            answer.offset = first;
            answer.len = last - first + 1;
            snprintf(text, sizeof text, "content-range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\n", first, last,
                     size);
        } else if (range == PP_HTTP_RANGE_OUTSIDE) {
            answer.status = HTTP_STATUS_REQ_RANGE_NOT_SATISFIABLE;
            answer.len = 0;
            snprintf(text, sizeof text, "content-range: bytes */%" PRIu64 "\n", size);
        }
        pp_buf_append_string(&fields, text);
    }
    pp_buf_append_char(&fields, '\0');
    answer.fields = fields.data;
    if (answer.len == 0)
        close(fd);
    pp_http_answer(request, &answer);
    pp_buf_destroy(&fields);
}

bool pp_http_answer_file(struct pp_http_request *request, const struct pp_http_files *files, const char *path,
                         size_t len)
{
    struct found found;
    size_t asked = strlen(request->path);
    bool in_directory = request->path[asked - 1] == '/';
    if (!pp_http_path_is_safe(path, len) || !look_up(files->root, path, &found))
        return false;
    if (S_ISDIR(found.stat.st_mode)) {
        char inner[PATH_MAX];
        if (files->index == NULL ||
            snprintf(inner, sizeof inner, "%s%s%s", path, in_directory ? "" : "/", files->index) >= (int)sizeof inner ||
            !look_up(files->root, inner, &found))
            return false;
        if (!in_directory && S_ISREG(found.stat.st_mode)) {
            redirect_into(request);
            return true;
        }
    } else if (in_directory) {
        return false; /* "page.html/" */
    }
    int fd = open(found.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &found.stat) != 0 || !S_ISREG(found.stat.st_mode)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (!request->head && strcmp(request->method, "GET") != 0) {
        close(fd);
        pp_http_answer_text(request, HTTP_STATUS_METHOD_NOT_ALLOWED, "allow: GET, HEAD\n", "method not allowed");
        return true;
    }
    send_file(request, files, found.path, &found.stat, fd);
    return true;
}
