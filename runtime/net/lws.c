/* libwebsockets on our libuv loop, quiet, and with no virtual host of its own. */
#include "net/lws.h"

#include "base/log.h"
#include "net/loop_internal.h"

#include <libwebsockets.h>
#include <string.h>

static void on_lws_log(int level, const char *line)
{
    size_t len = strcspn(line, "\n");
    pp_log(level == LLL_ERR ? PP_LOG_WARN : PP_LOG_DEBUG, "libwebsockets: %.*s", (int)len, line);
}

struct lws_context *pp_lws_context(struct pp_loop *loop)
{
    if (loop->lws != NULL)
        return loop->lws;
    void *loops[] = {&loop->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .foreign_loops = loops,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_VALIDATE_UTF8,
        .pt_serv_buf_size = 16 * 1024,
        .max_http_header_data = PP_LWS_HEADER_DATA,
        .max_http_header_pool = 1024, /* handshakes at once; taken when used */
        .timeout_secs = 10,
    };
    lws_set_log_level(LLL_ERR, on_lws_log); /* every level below costs time on each call */
    loop->lws = lws_create_context(&info);
    if (loop->lws == NULL)
        pp_log(PP_LOG_ERROR, "libwebsockets did not start; is its libuv plugin (libwebsockets-evlib-uv) installed?");
    return loop->lws;
}

void pp_lws_close(struct pp_loop *loop)
{
    if (loop->lws == NULL)
        return;
    /* On a foreign loop it takes two calls: the first closes, the second frees, with turns of the loop between. */
    lws_context_destroy(loop->lws);
    for (int turn = 0; turn < 100 && uv_run(&loop->uv, UV_RUN_NOWAIT) != 0; turn++) {
    }
    lws_context_destroy(loop->lws);
    loop->lws = NULL;
}
