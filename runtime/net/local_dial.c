/* A tool's end of a Unix socket: it has nothing else to do than to wait for the answer. */
#define _GNU_SOURCE
#include "net/local.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int pp_local_dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) { /* EAGAIN: too many wait to be accepted */
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

/* 0 once the descriptor is ready for `events`. A SIGINT that is blocked elsewhere comes here, also one from before. */
static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd poller = {.fd = fd, .events = events};
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGINT);
    int ready = ppoll(&poller, 1, timeout_ms < 0 ? NULL : &timeout, &mask);
    return ready > 0 ? 0 : ready == 0 ? -ETIMEDOUT : -errno;
}

ssize_t pp_local_read(int fd, char *bytes, size_t len, int timeout_ms)
{
    int failed = wait_for(fd, POLLIN, timeout_ms);
    if (failed)
        return failed;
    ssize_t n = recv(fd, bytes, len, 0);
    return n >= 0 ? n : -errno;
}

int pp_local_send(int fd, const char *bytes, size_t len, int timeout_ms)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        int failed = wait_for(fd, POLLOUT, timeout_ms);
        if (failed)
            return failed;
    }
    return 0;
}
