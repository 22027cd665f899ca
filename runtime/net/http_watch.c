/* An eye on a connection whose answer takes a while. libwebsockets reads nothing of it meanwhile, so that it neither
 * notices that the client has left nor comes to rest while there is something to read. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "net/http_internal.h"

#include <poll.h>
#include <sys/socket.h>

#define WATCH_MS 250

void pp_http_watch(struct pp_http_request *request, uint64_t after)
{
    pp_loop_timer_start(request->http->loop, &request->watch, after);
}

static void cut_off(struct pp_http_request *request)
{
    lws_set_timeout(request->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}

/* The client sent more before it took its answer, and each turn of the loop would find it readable. It is thrown away,
 * and the connection ends with this answer; a client that keeps at it loses the connection now. */
static void discard_ahead(struct pp_http_request *request, int fd)
{
    if (request->discarded) {
        cut_off(request);
        return;
    }
    request->discarded = request->last = true;
    while (recv(fd, request->http->chunk, sizeof request->http->chunk, MSG_DONTWAIT) > 0) {
    }
}

void pp_http_on_watch(struct pp_timer *timer)
{
    struct pp_http_request *request =
        (struct pp_http_request *)((char *)timer - offsetof(struct pp_http_request, watch));
    struct pollfd look = {.fd = lws_get_socket_fd(request->wsi), .events = POLLIN | POLLRDHUP};
    if (request->state == PP_HTTP_LINGERING || poll(&look, 1, 0) < 0 ||
        (look.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        cut_off(request);
        return;
    }
    if (!request->paused && (look.revents & POLLIN))
        discard_ahead(request, look.fd);
    pp_http_watch(request, WATCH_MS);
}
