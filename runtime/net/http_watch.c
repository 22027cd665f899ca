/* An eye on a connection whose answer takes a while. libwebsockets reads nothing of it meanwhile: it does not notice
 * that the client has left, and while it writes it does not come to rest where there is something to read. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "net/http_internal.h"

#include <poll.h>
#include <sys/socket.h>

void pp_http_watch(struct pp_http_request *request, uint64_t after)
{
    pp_loop_guard_start(request->http->loop, &request->watch, after);
}

void pp_http_cut_off(struct pp_http_request *request)
{
    lws_set_timeout(request->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
}

/* The client sends more while it takes its answer slowly, and each turn of the loop would find it readable. It is
 * thrown away, and the connection ends with this answer; false where the client did so before. */
static bool discard_ahead(struct pp_http_request *request, int fd)
{
    if (request->discarded)
        return false;
    request->discarded = request->last = true;
    while (recv(fd, request->http->chunk, sizeof request->http->chunk, MSG_DONTWAIT) > 0) {
    }
    return true;
}

static bool may_go_on(struct pp_http_request *request)
{
    struct pollfd look = {.fd = lws_get_socket_fd(request->wsi), .events = POLLIN | POLLRDHUP};
    if (request->state == PP_HTTP_LINGERING || poll(&look, 1, 0) < 0)
        return false;
    if (look.revents & (POLLRDHUP | POLLHUP | POLLERR))
        return false;
    return request->state != PP_HTTP_ANSWERING || !(look.revents & POLLIN) || discard_ahead(request, look.fd);
}

void pp_http_on_watch(struct pp_timer *timer)
{
    struct pp_http_request *request =
        (struct pp_http_request *)((char *)timer - offsetof(struct pp_http_request, watch));
    if (may_go_on(request))
        pp_http_watch(request, PP_HTTP_WATCH_MS);
    else
        pp_http_cut_off(request);
}
