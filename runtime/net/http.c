/* Requests: from libwebsockets' callbacks to one whole request, and what ends it. */
#define _GNU_SOURCE /* strcasestr */
#include "net/http.h"

#include "base/memory.h"
#include "net/http_internal.h"
#include "net/http_syntax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char pp_http_read_ahead;

static const struct {
    enum lws_token_indexes token;
    const char *name;
} methods[] = {
    {WSI_TOKEN_GET_URI, "GET"},         {WSI_TOKEN_POST_URI, "POST"},     {WSI_TOKEN_HEAD_URI, "HEAD"},
    {WSI_TOKEN_PUT_URI, "PUT"},         {WSI_TOKEN_DELETE_URI, "DELETE"}, {WSI_TOKEN_PATCH_URI, "PATCH"},
    {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
};

/* --- life --- */

static void tell(struct pp_turn_task *task);

static struct pp_http_request *request_new(struct pp_http *http, struct lws *wsi, void **slot)
{
    struct pp_http_request *request = pp_calloc(1, sizeof *request);
    request->http = http;
    request->wsi = wsi;
    request->slot = slot;
    request->file = -1;
    request->tell.run = tell;
    request->watch.fire = pp_http_on_watch;
    request->headers = pp_handshake_new(wsi);
    request->link = &http->requests;
    request->next = http->requests;
    if (request->next != NULL)
        request->next->link = &request->next;
    http->requests = request;
    *slot = request;
    return request;
}

static void unlink_request(struct pp_http_request *request)
{
    if (request->http == NULL)
        return;
    pp_loop_timer_stop(request->http->loop, &request->watch);
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    request->http = NULL;
}

static void tell_gone(struct pp_http_request *request)
{
    void *user = request->user;
    const struct pp_http *http = request->http;
    request->user = NULL;
    if (user != NULL)
        http->ops->gone(user);
}

void pp_http_request_drop(struct pp_http_request *request)
{
    unlink_request(request);
    if (request->slot != NULL)
        *request->slot = NULL;
    request->slot = NULL;
    request->wsi = NULL;
    if (request->telling || request->tell.queued)
        return;
    if (request->file >= 0)
        close(request->file);
    pp_handshake_delete(request->headers);
    pp_buf_destroy(&request->body);
    pp_buf_destroy(&request->out);
    free(request->path);
    free(request);
}

struct pp_http *pp_http_new(struct pp_loop *loop, const struct pp_http_ops *ops, void *owner, uint64_t max_body)
{
    struct pp_http *http = pp_calloc(1, sizeof *http);
    http->loop = loop;
    http->ops = ops;
    http->owner = owner;
    http->max_body = max_body;
    return http;
}

void pp_http_set_max_body(struct pp_http *http, uint64_t max_body)
{
    http->max_body = max_body;
}

size_t pp_http_drain(struct pp_http *http)
{
    size_t count = 0;
    http->draining = true;
    for (const struct pp_http_request *request = http->requests; request != NULL; request = request->next)
        count++;
    return count;
}

void pp_http_delete(struct pp_http *http)
{
    while (http->requests != NULL) {
        struct pp_http_request *request = http->requests;
        tell_gone(request);
        unlink_request(request);
        pp_http_cut_off(request);
    }
    free(http);
}

/* --- telling --- */

/* While the answer is being made, what the client sends ahead stays in the kernel, where it costs nothing. */
static void pause_reading(struct pp_http_request *request)
{
    request->paused = true;
    lws_rx_flow_control(request->wsi, 0);
}

/* libwebsockets comes to rest on a paused connection only where it was paused before there was input left over. So a
 * request that was read ahead must be answered at once, where yet more was, or seems to have been: it tells only of all
 * connections together. */
static void pause_late(struct pp_http_request *request)
{
    if (lws_service_adjust_timeout(lws_get_context(request->wsi), 1, 0) != 0)
        pause_reading(request);
    else
        pp_http_cut_off(request);
}

static void tell(struct pp_turn_task *task)
{
    struct pp_http_request *request = (struct pp_http_request *)((char *)task - offsetof(struct pp_http_request, tell));
    if (request->wsi != NULL && request->http != NULL) {
        request->state = PP_HTTP_WAITING;
        lws_set_timeout(request->wsi, NO_PENDING_TIMEOUT, 0);
        request->telling = true;
        request->http->ops->request(request->http->owner, request); /* may delete http */
        request->telling = false;
    }
    if (request->wsi == NULL) {
        pp_http_request_drop(request);
    } else if (request->state == PP_HTTP_WAITING && request->http != NULL) {
        pp_http_watch(request, PP_HTTP_WATCH_MS);
        if (request->ahead)
            pause_late(request);
    }
}

/* Called from inside libwebsockets, which has not yet put aside what it read behind this request. */
static void is_whole(struct pp_http_request *request)
{
    request->state = PP_HTTP_QUEUED;
    if (!request->ahead)
        pause_reading(request);
    pp_loop_at_turn_end(request->http->loop, &request->tell);
}

/* --- reading --- */

static bool header_has(struct lws *wsi, enum lws_token_indexes token, const char *word)
{
    char text[256];
    return lws_hdr_copy(wsi, text, sizeof text - 1, token) > 0 && strcasestr(text, word) != NULL;
}

/* libwebsockets does without a Content-Length where it should not, and takes any text for one. Returns 0, or the status
 * to refuse the request with. */
static int read_length(struct pp_http_request *request)
{
    struct lws *wsi = request->wsi;
    char text[32];
    /* After these methods libwebsockets reads a body, whether a length was given or not. */
    bool awaited = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
                   strcmp(request->method, "PATCH") == 0;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        bool has_length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;
        request->unread = awaited && !has_length ? UINT64_MAX : 0;
        return HTTP_STATUS_NOT_IMPLEMENTED;
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0) {
        if (lws_hdr_copy(wsi, text, sizeof text - 1, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
            !pp_http_length(text, &request->expected))
            return HTTP_STATUS_BAD_REQUEST;
        if (request->expected <= request->http->max_body)
            return 0;
        request->unread = request->expected;
        return HTTP_STATUS_REQ_ENTITY_TOO_LARGE;
    }
    /* No length is no body, but then the connection can't be kept. */
    request->last = request->last || awaited;
    return 0;
}

/* Returns 0, or the status to refuse the request with. */
static int read_head(struct pp_http_request *request, const char *path, size_t len)
{
    struct lws *wsi = request->wsi;
    char version[16];
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (lws_hdr_total_length(wsi, methods[i].token) > 0)
            request->method = methods[i].name;
    if (request->method == NULL)
        return HTTP_STATUS_METHOD_NOT_ALLOWED;
    request->head = strcmp(request->method, "HEAD") == 0;
    request->last = request->http->draining || lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) <= 0 ||
                    strcmp(version, "HTTP/1.1") != 0 || header_has(wsi, WSI_TOKEN_CONNECTION, "close");
    request->path = pp_strndup(path, len);
    if (strlen(request->path) != len || *path != '/')
        return HTTP_STATUS_BAD_REQUEST;
    return read_length(request);
}

static const char *why(int status)
{
    switch (status) {
    case HTTP_STATUS_NOT_IMPLEMENTED:
        return "bodies in chunks are not supported: send a Content-Length";
    case HTTP_STATUS_REQ_ENTITY_TOO_LARGE:
        return "the body is too large";
    case HTTP_STATUS_METHOD_NOT_ALLOWED:
        return "this method is not supported";
    default:
        return "bad request";
    }
}

/* libwebsockets 4.1 takes a body that it read ahead, behind the request before, from the wrong place, and then turns in
 * circles for ever. Such a request is not begun: it gets its answer here and the connection ends. */
static int refuse_ahead(struct pp_http_request *request)
{
    request->last = true;
    request->method = "POST";
    pp_http_answer_text(request, HTTP_STATUS_BAD_REQUEST, NULL,
                        "a request with a body can't be sent ahead of an answer");
    pp_http_write(request);
    return -1;
}

static bool may_have_body(struct lws *wsi)
{
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 ||
           lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0 || lws_hdr_total_length(wsi, WSI_TOKEN_PUT_URI) > 0 ||
           lws_hdr_total_length(wsi, WSI_TOKEN_PATCH_URI) > 0;
}

static int begin(struct pp_http *http, struct lws *wsi, void **slot, const char *path, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    unsigned char room[LWS_PRE + sizeof go_on];
    bool ahead = *slot == &pp_http_read_ahead;
    struct pp_http_request *request = request_new(http, wsi, slot);
    request->ahead = ahead;
    if (ahead && may_have_body(wsi))
        return refuse_ahead(request);
    int status = read_head(request, path, len);
    if (status != 0) {
        request->last = true;
        request->state = PP_HTTP_WAITING;
        pp_http_answer_text(request, status, NULL, why(status));
        return 0;
    }
    if (request->expected == 0) {
        is_whole(request);
        return 0;
    }
    if (!header_has(wsi, WSI_TOKEN_HTTP_EXPECT, "100-continue"))
        return 0;
    memcpy(room + LWS_PRE, go_on, sizeof go_on);
    return lws_write(wsi, room + LWS_PRE, sizeof go_on - 1, LWS_WRITE_HTTP_HEADERS) < 0 ? -1 : 0;
}

static int on_body(struct pp_http_request *request, const void *bytes, size_t len)
{
    if (request->state != PP_HTTP_READING) {
        request->unread -= len < request->unread ? len : request->unread;
        return request->state == PP_HTTP_LINGERING && request->unread == 0 ? -1 : 0;
    }
    pp_buf_append(&request->body, bytes, len);
    if (request->body.len >= request->expected)
        is_whole(request);
    return 0;
}

static int ended(struct pp_http_request *request)
{
    if (request->http != NULL)
        tell_gone(request);
    pp_http_request_drop(request);
    return 0;
}

int pp_http_event(struct pp_http *http, struct lws *wsi, int reason, void **slot, const void *in, size_t len)
{
    struct pp_http_request *request = *slot == &pp_http_read_ahead ? NULL : *slot;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return http != NULL && request == NULL ? begin(http, wsi, slot, in, len) : -1;
    case LWS_CALLBACK_HTTP_BODY:
        return request != NULL ? on_body(request, in, len) : 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return request != NULL && request->state == PP_HTTP_ANSWERING && request->http != NULL ? pp_http_write(request)
                                                                                               : 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        return request != NULL ? ended(request) : 0;
    case LWS_CALLBACK_RAW_ADOPT: /* CONNECT */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

/* --- asking --- */

void pp_http_set_user(struct pp_http_request *request, void *user)
{
    request->user = user;
}

const char *pp_http_method(const struct pp_http_request *request)
{
    return request->method;
}

const char *pp_http_path(const struct pp_http_request *request)
{
    return request->path;
}

const struct pp_handshake *pp_http_headers(const struct pp_http_request *request)
{
    return request->headers;
}

const char *pp_http_body(const struct pp_http_request *request, size_t *len)
{
    *len = request->body.len;
    return *len > 0 ? request->body.data : "";
}

bool pp_http_header(struct pp_http_request *request, const char *name, struct pp_buf *out)
{
    char token[128];
    size_t len;
    const char *value = pp_handshake_header(request->headers, name, &len);
    if (value != NULL) {
        pp_buf_append(out, value, len);
        return true;
    }
    int name_len = snprintf(token, sizeof token, "%s:", name);
    int value_len = (size_t)name_len < sizeof token ? lws_hdr_custom_length(request->wsi, token, name_len) : -1;
    if (value_len < 0)
        return false;
    char *room = pp_buf_reserve(out, (size_t)value_len + 1);
    if (lws_hdr_custom_copy(request->wsi, room, value_len + 1, token, name_len) < 0)
        return false;
    while (value_len > 0 && (room[value_len - 1] == ' ' || room[value_len - 1] == '\t'))
        value_len--;
    out->len += (size_t)value_len;
    return true;
}
