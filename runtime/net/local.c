/* The loop's side of Unix sockets, on libuv's pipes. */
#define _GNU_SOURCE
#include "net/local.h"

#include "base/memory.h"
#include "net/loop_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct pp_local {
    uv_pipe_t pipe;
    struct pp_local_listener *listener; /* NULL once that is gone */
    struct pp_local *next;
    const struct pp_local_ops *ops;
    void *arg;
    bool closing;
    char rx[16 * 1024];
};

struct pp_local_listener {
    uv_pipe_t pipe;
    const struct pp_local_ops *ops;
    void *owner;
    struct pp_local *first;
    unsigned count;
    dev_t device; /* with the inode: which file is ours */
    ino_t inode;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

struct write {
    uv_write_t request;
    char bytes[];
};

static void free_data(uv_handle_t *handle)
{
    free(handle->data);
}

void pp_local_close(struct pp_local *local)
{
    if (local->closing)
        return;
    local->closing = true;
    struct pp_local_listener *listener = local->listener;
    if (listener != NULL) {
        struct pp_local **link = &listener->first;
        while (*link != local)
            link = &(*link)->next;
        *link = local->next;
        listener->count--;
    }
    uv_close((uv_handle_t *)&local->pipe, free_data);
    if (local->ops != NULL)
        local->ops->closed(local->arg);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct pp_local *local = handle->data;
    *buf = uv_buf_init(local->rx, sizeof local->rx);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct pp_local *local = stream->data;
    if (len < 0)
        pp_local_close(local);
    else if (len > 0)
        local->ops->received(local->arg, buf->base, (size_t)len);
}

static void on_written(uv_write_t *request, int status)
{
    struct pp_local *local = request->handle->data;
    free(request); /* the first member of struct write */
    if (status < 0)
        pp_local_close(local);
}

void pp_local_write(struct pp_local *local, const char *bytes, size_t len)
{
    if (local->closing)
        return;
    uv_stream_t *stream = (uv_stream_t *)&local->pipe;
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    int written = uv_try_write(stream, &buf, 1);
    size_t done = written > 0 ? (size_t)written : 0;
    if (done == len)
        return;
    if ((written < 0 && written != UV_EAGAIN) || stream->write_queue_size + len - done > PP_LOCAL_QUEUE) {
        pp_local_close(local);
        return;
    }
    struct write *write = pp_malloc(sizeof *write + len - done);
    memcpy(write->bytes, bytes + done, len - done);
    buf = uv_buf_init(write->bytes, (unsigned)(len - done));
    if (uv_write(&write->request, stream, &buf, 1, on_written) != 0) {
        free(write);
        pp_local_close(local);
    }
}

/* May the process at the other end give commands? */
static bool is_allowed(uv_pipe_t *pipe, pid_t *pid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    *pid = peer.pid;
    return peer.uid == geteuid() || peer.uid == 0;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct pp_local_listener *listener = stream->data;
    if (status < 0)
        return;
    struct pp_local *local = pp_calloc(1, sizeof *local);
    pid_t pid;
    uv_pipe_init(stream->loop, &local->pipe, 0);
    local->pipe.data = local;
    if (uv_accept(stream, (uv_stream_t *)&local->pipe) != 0 || listener->count == PP_LOCAL_MAX ||
        !is_allowed(&local->pipe, &pid)) {
        pp_local_close(local); /* without ops: nobody has heard of it */
        return;
    }
    local->ops = listener->ops;
    local->listener = listener;
    local->next = listener->first;
    listener->first = local;
    listener->count++;
    local->arg = listener->ops->accepted(listener->owner, local, pid);
    uv_read_start((uv_stream_t *)&local->pipe, on_alloc, on_read);
}

/* libuv says EACCES for a folder that is not there. */
static int fault_of(const char *file, int failed)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(file, '/');
    struct stat status;
    if (failed != UV_EACCES || slash == NULL || slash == file)
        return failed;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - file), file);
    return stat(folder, &status) == 0 ? failed : -errno;
}

/* Makes way at the path: what a server that was killed left there goes, a socket that somebody listens on stays, and so
 * does any other file. 0, or a negative errno. */
static int clear_path(const char *path)
{
    struct stat found;
    if (lstat(path, &found) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode))
        return -EEXIST;
    int fd = pp_local_dial(path);
    if (fd >= 0)
        close(fd);
    if (fd != -ECONNREFUSED)
        return fd >= 0 || fd == -EAGAIN ? -EADDRINUSE : fd;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Binds beside the path, and is linked there once it listens: who finds the file finds somebody behind it, and of two
 * that open the same path at once one finds the other. */
static int open_file(struct pp_local_listener *listener)
{
    char beside[sizeof listener->path];
    struct stat file;
    if (snprintf(beside, sizeof beside, "%s.%d", listener->path, (int)getpid()) >= (int)sizeof beside)
        return -ENAMETOOLONG;
    int failed = clear_path(listener->path);
    if (failed)
        return failed;
    unlink(beside);
    mode_t before = umask(0177);
    failed = uv_pipe_bind(&listener->pipe, beside);
    umask(before);
    if (failed)
        return fault_of(beside, failed);
    failed = uv_listen((uv_stream_t *)&listener->pipe, PP_LOCAL_MAX, on_connection);
    if (!failed && (stat(beside, &file) != 0 || link(beside, listener->path) != 0))
        failed = errno == EEXIST ? -EADDRINUSE : -errno;
    unlink(beside);
    if (failed)
        return failed;
    listener->device = file.st_dev;
    listener->inode = file.st_ino;
    return 0;
}

int pp_local_listen(struct pp_loop *loop, const char *path, const struct pp_local_ops *ops, void *owner,
                    struct pp_local_listener **listener_out)
{
    if (strlen(path) >= sizeof((struct pp_local_listener *)0)->path)
        return -ENAMETOOLONG;
    struct pp_local_listener *listener = pp_calloc(1, sizeof *listener);
    memcpy(listener->path, path, strlen(path) + 1);
    listener->ops = ops;
    listener->owner = owner;
    listener->pipe.data = listener;
    uv_pipe_init(&loop->uv, &listener->pipe, 0);
    int failed = open_file(listener);
    if (failed) {
        uv_close((uv_handle_t *)&listener->pipe, free_data);
        return failed;
    }
    *listener_out = listener;
    return 0;
}

void pp_local_unlisten(struct pp_local_listener *listener)
{
    struct stat file;
    while (listener->first != NULL)
        pp_local_close(listener->first);
    if (lstat(listener->path, &file) == 0 && file.st_dev == listener->device && file.st_ino == listener->inode)
        unlink(listener->path);
    uv_close((uv_handle_t *)&listener->pipe, free_data);
}
