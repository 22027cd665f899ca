// Opens connections for the load generator; see handshake.h.
#include "handshake.h"

#include "frame.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { PATIENCE_SECONDS = 10 };

// One key for all, so the right answer is known beforehand.
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void send_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        err(1, "the server does not take the handshake");
}

static void receive_all(int fd, void *data, size_t size)
{
    ssize_t got = size ? recv(fd, data, size, MSG_WAITALL) : 0;
    if (got < 0 && errno == EAGAIN)
        errx(1, "no answer to the handshake within %d seconds", PATIENCE_SECONDS);
    if (got < 0)
        err(1, "the handshake failed");
    if ((size_t)got < size)
        errx(1, "the server closed the connection during the handshake");
}

// Takes the answer's head off the socket and nothing behind it: frames may follow in the same packet.
static void receive_head(int fd, char *head, size_t room)
{
    size_t used = 0;
    while (used < 4 || memcmp(head + used - 4, "\r\n\r\n", 4) != 0) {
        if (used + 1 >= room)
            errx(1, "the server's answer to the upgrade has no end");
        receive_all(fd, head + used++, 1);
    }
    head[used] = '\0';
}

static void upgrade(int fd, const struct pp_bench_server *server)
{
    char text[2048], line[1024];
    const char *path = server->path;
    if (server->paths) {
        if (!fgets(line, sizeof line, server->paths))
            errx(2, "--paths has too few lines");
        line[strcspn(line, "\n")] = '\0';
        path = line;
    }
    int length = snprintf(text, sizeof text,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          path, ntohs(server->address.sin_port));
    if (length >= (int)sizeof text)
        errx(2, "--path is too long");
    send_all(fd, text, (size_t)length);
    receive_head(fd, text, sizeof text);
    if (strncmp(text, "HTTP/1.1 101", 12) != 0)
        errx(1, "the server refused the upgrade: %.*s", (int)strcspn(text, "\r"), text);
    if (!strstr(text, ACCEPT))
        errx(1, "the server's Sec-WebSocket-Accept is wrong");
}

// Takes one short text frame off the socket and demands how it begins.
static void expect_text(int fd, const char *start)
{
    uint8_t head[4], payload[1024];
    receive_all(fd, head, 2);
    size_t length = head[1];
    if (length == 126) {
        receive_all(fd, head + 2, 2);
        length = (size_t)pp_bench_read_be(head + 2, 2);
    }
    if (length > sizeof payload)
        errx(1, "the greeting is too long");
    receive_all(fd, payload, length);
    if (length < strlen(start) || memcmp(payload, start, strlen(start)) != 0)
        errx(1, "expected a greeting that begins with '%s', got '%.*s'", start, (int)length, payload);
}

// Engine.IO 4 opens with 0{…}; joining the main namespace is 40, answered by 40{…}.
static void greet_socketio(int fd)
{
    static const uint8_t join[] = {0x81, 0x82, 0, 0, 0, 0, '4', '0'};
    expect_text(fd, "0{");
    send_all(fd, join, sizeof join);
    expect_text(fd, "40");
}

int pp_bench_open(const struct pp_bench_server *server, enum pp_bench_format format)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err(1, "cannot open one more socket (see ulimit -n)");
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&server->address, sizeof server->address) < 0)
        err(1, "cannot connect to port %u", ntohs(server->address.sin_port));
    upgrade(fd, server);
    if (format == PP_BENCH_SOCKETIO)
        greet_socketio(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}
