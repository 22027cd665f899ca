/* Answers: headers and body put together, and written in pieces as the connection takes them. */
#include "net/http_internal.h"
#include "net/http_syntax.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STALL_SECONDS 30   /* a client that takes nothing for so long is cut off */
#define CHUNKS_PER_TURN 16 /* of one connection, then the others have their turn */
#define LINGER_MS 5000

static bool add(struct lws *wsi, const char *name, const char *value, size_t len, unsigned char **at,
                unsigned char *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name, (const unsigned char *)value, (int)len, at,
                                       end) == 0;
}

static bool add_fields(struct lws *wsi, const char *fields, unsigned char **at, unsigned char *end)
{
    char name[256];
    for (const char *line = fields; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *value = strstr(line, ": ") + 2;
        snprintf(name, sizeof name, "%.*s", (int)(value - 1 - line), line);
        if (!add(wsi, name, value, strcspn(value, "\n"), at, end))
            return false;
    }
    return true;
}

static bool has_length(const struct pp_http_answer *answer)
{
    return answer->status != HTTP_STATUS_NO_CONTENT && answer->status != HTTP_STATUS_NOT_MODIFIED;
}

/* Writes the head into request->out, behind the room that libwebsockets asks for. */
static void write_head(struct pp_http_request *request, const struct pp_http_answer *answer)
{
    struct lws *wsi = request->wsi;
    char date[PP_HTTP_DATE_SIZE];
    size_t size = 512 + (answer->fields ? 2 * strlen(answer->fields) : 0);
    unsigned char *start = (unsigned char *)pp_buf_reserve(&request->out, LWS_PRE + size) + LWS_PRE;
    unsigned char *at = start, *end = start + size;
    pp_http_date(date, time(NULL));
    bool fits = lws_add_http_header_status(wsi, (unsigned)answer->status, &at, end) == 0 &&
                add(wsi, "date:", date, strlen(date), &at, end) && add_fields(wsi, answer->fields, &at, end) &&
                (!request->last || add(wsi, "connection:", "close", 5, &at, end)) &&
                (!has_length(answer) || lws_add_http_header_content_length(wsi, answer->len, &at, end) == 0) &&
                lws_finalize_http_header(wsi, &at, end) == 0;
    if (!fits) /* can't be: size was reckoned from what goes in */
        at = start;
    request->out.len = LWS_PRE + (size_t)(at - start);
    request->sent = LWS_PRE;
}

void pp_http_answer(struct pp_http_request *request, const struct pp_http_answer *answer)
{
    bool with_body = !request->head && has_length(answer);
    request->user = NULL;
    request->state = PP_HTTP_ANSWERING;
    write_head(request, answer);
    if (answer->body != NULL) {
        if (with_body)
            pp_buf_append(&request->out, answer->body, answer->len);
    } else if (with_body && answer->len > 0) {
        request->file = answer->file;
        request->offset = answer->offset;
        request->left = answer->len;
    } else if (answer->len > 0) {
        close(answer->file);
    }
    if (request->paused)
        lws_rx_flow_control(request->wsi, 1);
    request->paused = false;
    pp_loop_timer_stop(request->http->loop, &request->watch);
    lws_callback_on_writable(request->wsi);
}

void pp_http_answer_text(struct pp_http_request *request, int status, const char *fields, const char *text)
{
    char line[256], head[512];
    int len = snprintf(line, sizeof line, "%s\n", text);
    snprintf(head, sizeof head, "%scontent-type: text/plain; charset=utf-8\n", fields ? fields : "");
    pp_http_answer(request,
                   &(struct pp_http_answer){.status = status, .fields = head, .body = line, .len = (uint64_t)len});
}

/* The next piece, or the file's next one. False where it can't be had or written. */
static bool write_piece(struct pp_http_request *request)
{
    struct pp_http *http = request->http;
    size_t len = request->out.len - request->sent;
    unsigned char *from = (unsigned char *)request->out.data + request->sent;
    if (len > PP_HTTP_CHUNK)
        len = PP_HTTP_CHUNK;
    request->sent += len;
    if (len == 0) {
        from = http->chunk + LWS_PRE;
        size_t want = request->left < PP_HTTP_CHUNK ? (size_t)request->left : PP_HTTP_CHUNK;
        ssize_t got = pread(request->file, from, want, (off_t)request->offset);
        if (got <= 0) /* it got shorter: only ending the connection tells the client */
            return false;
        len = (size_t)got;
        request->offset += len;
        request->left -= len;
    }
    return lws_write(request->wsi, from, len, LWS_WRITE_HTTP) >= 0;
}

/* Between requests libwebsockets keeps its table of headers only where it has read some of the next one; there is no
 * other way to see it. Asked for a header, it touches the room for it only where there is a table. */
static bool holds_input(struct lws *wsi)
{
    char room[2] = "?";
    lws_hdr_custom_copy(wsi, room, sizeof room, "x:", 2);
    return room[0] != '?';
}

static int finish(struct pp_http_request *request)
{
    struct lws *wsi = request->wsi;
    void **slot = request->slot;
    bool last = request->last;
    if (request->unread > 0) { /* closed now, the answer would be lost to a reset */
        request->state = PP_HTTP_LINGERING;
        pp_http_watch(request, LINGER_MS);
        return 0;
    }
    pp_http_request_drop(request);
    if (last || lws_http_transaction_completed(wsi) != 0)
        return -1;
    if (holds_input(wsi))
        *slot = &pp_http_read_ahead;
    return 0;
}

int pp_http_write(struct pp_http_request *request)
{
    lws_set_timeout(request->wsi, PENDING_TIMEOUT_HTTP_CONTENT, STALL_SECONDS);
    for (int i = 0; i < CHUNKS_PER_TURN && !lws_partial_buffered(request->wsi); i++) {
        if (request->sent == request->out.len && request->left == 0)
            return finish(request);
        if (!write_piece(request))
            return -1;
        if (lws_send_pipe_choked(request->wsi))
            break;
    }
    pp_http_watch(request, PP_HTTP_WATCH_MS);
    lws_callback_on_writable(request->wsi);
    return 0;
}
