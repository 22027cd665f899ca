/* What the files of the HTTP side share. Not for others. */
#ifndef PP_NET_HTTP_INTERNAL_H
#define PP_NET_HTTP_INTERNAL_H

#include "base/buf.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/loop_task.h"

#include <libwebsockets.h>

#define PP_HTTP_CHUNK (16 * 1024)
#define PP_HTTP_WATCH_MS 250

struct pp_http {
    struct pp_loop *loop;
    const struct pp_http_ops *ops;
    void *owner;
    uint64_t max_body;
    struct pp_http_request *requests;
    bool draining;
    unsigned char chunk[LWS_PRE + PP_HTTP_CHUNK]; /* a piece of a file on its way */
};

/* READING → QUEUED → WAITING → ANSWERING → freed, or LINGERING → freed. Refused ones go from READING to ANSWERING. */
enum pp_http_state {
    PP_HTTP_READING,   /* its body */
    PP_HTTP_QUEUED,    /* whole; told at the end of the turn */
    PP_HTTP_WAITING,   /* for its answer */
    PP_HTTP_ANSWERING, /* its answer is being written */
    PP_HTTP_LINGERING, /* answered, but the client still sends what nobody wants; cut it off soon */
};

struct pp_http_request {
    struct pp_http *http; /* NULL once deleted */
    struct pp_http_request *next, **link;
    struct lws *wsi; /* NULL once gone */
    void **slot;     /* where the connection keeps this request */
    enum pp_http_state state;
    bool telling;   /* inside ops.request: not to be freed yet */
    bool last;      /* the connection ends with the answer */
    bool head;      /* HEAD: no body is sent */
    bool ahead;     /* it was read behind the request before it, and more may be */
    bool paused;    /* nothing is read from the connection while the answer is being made */
    bool discarded; /* what the client sent ahead of its turn was thrown away once */
    void *user;
    const char *method;
    char *path;
    struct pp_handshake *headers;
    uint64_t expected; /* bytes of body */
    uint64_t unread;   /* bytes of a body that is refused and still comes */
    struct pp_buf body;
    struct pp_turn_task tell;
    struct pp_timer watch;
    struct pp_buf out; /* LWS_PRE bytes of room, headers, body */
    size_t sent;       /* of out, its room included */
    int file;          /* or -1 */
    uint64_t offset, left;
};

/* Takes the place of a request in the connection's slot, where libwebsockets already holds some of the next one. */
extern char pp_http_read_ahead;

/* Frees it, or leaves that to whoever still uses it. The connection's slot is empty afterwards. */
void pp_http_request_drop(struct pp_http_request *request);

/* Ends the connection, and with it the request. Not from inside of libwebsockets' callbacks. */
void pp_http_cut_off(struct pp_http_request *request);

/* Looks at the connection again after a while: net/http_watch.c. */
void pp_http_watch(struct pp_http_request *request, uint64_t after);
void pp_http_on_watch(struct pp_timer *timer);

/* The connection may be written to. What libwebsockets is to be told. */
int pp_http_write(struct pp_http_request *request);

#endif
