/* bind and listen, with errors that say what to do. */
#include "net/bind.h"

#include "supervisor/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* a reconnect storm; the system may lower it */

static int fail(int fd, const char *what, const char *host, int port, char *error, size_t error_size)
{
    int why = errno;
    char where[128];
    if (strncmp(host, "unix:", 5) == 0)
        snprintf(where, sizeof where, "%s", host);
    else
        snprintf(where, sizeof where, "port %d%s%s", port, *host ? " of " : "", host);
    const char *hint = why == EADDRINUSE ? " (another program listens there; choose another with --port)"
                       : why == EACCES   ? " (ports below 1024 need rights)"
                                         : "";
    snprintf(error, error_size, "cannot %s %s: %s%s", what, where, strerror(why), hint);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int listen_on(int fd, const struct sockaddr *address, socklen_t len, const char *host, int port, char *error,
                     size_t error_size)
{
    if (bind(fd, address, len) != 0 || listen(fd, BACKLOG) != 0)
        return fail(fd, "listen on", host, port, error, error_size);
    return fd;
}

/* A socket file that nobody answers on is left over from a process that was killed. Any other file is somebody's. */
static void remove_stale(const struct sockaddr_un *address, socklen_t len)
{
    struct stat found;
    if (lstat(address->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)address, len) != 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    if (probe >= 0)
        close(probe);
}

static int bind_unix(const char *host, char *error, size_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = host + 5;
    if (*path == '\0' || strlen(path) >= sizeof address.sun_path) {
        snprintf(error, error_size, "the path of a Unix socket has 1 to %zu bytes, not %zu",
                 sizeof address.sun_path - 1, strlen(path));
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd, "open", host, 0, error, error_size);
    remove_stale(&address, sizeof address);
    return listen_on(fd, (struct sockaddr *)&address, sizeof address, host, 0, error, error_size);
}

static int tcp_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    return fd;
}

static int bind_all(int port, char *error, size_t error_size)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = tcp_socket(AF_INET6);
    if (fd >= 0)
        return listen_on(fd, (struct sockaddr *)&any6, sizeof any6, "", port, error, error_size);
    fd = tcp_socket(AF_INET); /* a system without IPv6 */
    if (fd < 0)
        return fail(fd, "open", "", port, error, error_size);
    return listen_on(fd, (struct sockaddr *)&any4, sizeof any4, "", port, error, error_size);
}

int pp_bind(const char *host, int port, char *error, size_t error_size)
{
    if (host == NULL || *host == '\0')
        return bind_all(port, error, error_size);
    if (strncmp(host, "unix:", 5) == 0)
        return bind_unix(host, error, error_size);
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        snprintf(error, error_size, "cannot listen on host %s: %s", host, gai_strerror(failed));
        return -1;
    }
    int fd = tcp_socket(found->ai_family);
    if (fd < 0)
        fd = fail(fd, "open", host, port, error, error_size);
    else
        fd = listen_on(fd, found->ai_addr, found->ai_addrlen, host, port, error, error_size);
    freeaddrinfo(found);
    return fd;
}

int pp_bind_lasting(const char *host, int port, char *error, size_t error_size)
{
    char address[256];
    snprintf(address, sizeof address, "%s %d", host != NULL && *host != '\0' ? host : "*", port);
    int fd = pp_worker_take_socket(address);
    if (fd >= 0)
        return fd;
    fd = pp_bind(host, port, error, error_size);
    if (fd >= 0)
        pp_worker_keep_socket(address, fd);
    return fd;
}

void pp_unbind_lasting(int fd)
{
    pp_worker_drop_socket(fd);
    close(fd);
}

int pp_bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &len);
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port) : 0;
}
