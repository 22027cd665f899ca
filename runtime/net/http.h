/* The HTTP side of a listener. A request is told once it is whole, at the end of a turn and never from inside
 * libwebsockets; it is answered then or at any later time, once.
 *
 *     headers → body → ops.request … pp_http_answer → written → the connection takes the next request
 *                                 └─ the client leaves: ops.gone */
#ifndef PP_NET_HTTP_H
#define PP_NET_HTTP_H

#include "net/handshake.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lws;
struct pp_buf;
struct pp_http;
struct pp_http_request;
struct pp_loop;

struct pp_http_ops {
    /* A whole request. It is answered, or given a user with pp_http_set_user, before this returns. */
    void (*request)(void *owner, struct pp_http_request *request);
    /* It can't be answered any more: the client left, or the server closes. Not told after the answer. */
    void (*gone)(void *user);
};

/* `ops` and `owner` must live until pp_http_delete. Bodies above `max_body` bytes are refused with 413. */
struct pp_http *pp_http_new(struct pp_loop *loop, const struct pp_http_ops *ops, void *owner, uint64_t max_body);

/* From the next request on. */
void pp_http_set_max_body(struct pp_http *http, uint64_t max_body);

/* From here on a connection ends with the request it is at. Returns how many are open. */
size_t pp_http_drain(struct pp_http *http);

/* Tells of each open request that it is gone, and closes its connection. First take it off its listener. */
void pp_http_delete(struct pp_http *http);

/* Of a request: good until it is answered or gone. */
void pp_http_set_user(struct pp_http_request *request, void *user);
const char *pp_http_method(const struct pp_http_request *request);                 /* "GET" */
const char *pp_http_path(const struct pp_http_request *request);                   /* decoded, without dot segments */
const struct pp_handshake *pp_http_headers(const struct pp_http_request *request); /* all but its path */
const char *pp_http_body(const struct pp_http_request *request, size_t *len);
/* Appends the value of any header by its name in lower case, also of those that pp_http_headers does not list. */
bool pp_http_header(struct pp_http_request *request, const char *name, struct pp_buf *out);

struct pp_http_answer {
    int status;         /* 200 to 599 */
    const char *fields; /* "name: value\n" each, of pp_http_field_is_clean parts; or NULL */
    const void *body;   /* `len` bytes, copied; or NULL */
    uint64_t len;
    int file;        /* where body is NULL and len above 0: a descriptor to read them from, closed afterwards */
    uint64_t offset; /* where in the file */
};

/* Sends it. Content-Length, Date and Connection are added here; a body is not sent for HEAD, 204 and 304. */
void pp_http_answer(struct pp_http_request *request, const struct pp_http_answer *answer);

/* A plain answer of one line of text. */
void pp_http_answer_text(struct pp_http_request *request, int status, const char *fields, const char *text);

struct pp_http_files {
    const char *root;  /* the directory that is served */
    const char *index; /* the file that stands for a directory, or NULL */
    uint32_t max_age;  /* seconds; 0: caches must ask each time */
};

/* Answers with the file at `path` (decoded, relative to the root), or says false, and nothing was answered, where there
 * is none to be served. Knows HEAD, ranges and the conditions of caches. */
bool pp_http_answer_file(struct pp_http_request *request, const struct pp_http_files *files, const char *path,
                         size_t len);

/* libwebsockets' HTTP callbacks of one connection come here. `slot` is the connection's, for the request at hand.
 * Returns what libwebsockets is to be told: 0 to go on, -1 to close. `http` may be NULL: then only what ends is heard.
 */
int pp_http_event(struct pp_http *http, struct lws *wsi, int reason, void **slot, const void *in, size_t len);

#endif
