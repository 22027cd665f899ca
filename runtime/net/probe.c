/* One connection attempt through libuv, for the error that it ends with. */
#include "net/probe.h"

#include "base/memory.h"
#include "net/loop_internal.h"

#include <stdlib.h>

struct pp_probe {
    uv_tcp_t tcp;
    uv_connect_t connect;
    void (*done)(void *arg, const char *reason);
    void *arg;
};

static void free_probe(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct pp_probe *probe = connect->data;
    if (status == UV_ECANCELED) /* by the close below */
        return;
    uv_close((uv_handle_t *)&probe->tcp, free_probe);
    probe->done(probe->arg, status == 0 ? NULL : uv_strerror(status));
}

struct pp_probe *pp_probe_start(struct pp_loop *loop, const struct sockaddr *address,
                                void (*done)(void *arg, const char *reason), void *arg)
{
    struct pp_probe *probe = pp_calloc(1, sizeof *probe);
    probe->done = done;
    probe->arg = arg;
    probe->tcp.data = probe->connect.data = probe;
    uv_tcp_init(&loop->uv, &probe->tcp);
    if (uv_tcp_connect(&probe->connect, &probe->tcp, address, on_connected) == 0)
        return probe;
    uv_close((uv_handle_t *)&probe->tcp, free_probe);
    return NULL;
}

void pp_probe_cancel(struct pp_probe *probe)
{
    uv_close((uv_handle_t *)&probe->tcp, free_probe);
}
