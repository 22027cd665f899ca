// bench_limit: the least a WebSocket server can do, on bare epoll. It knows no protocol above the frames, checks
// nothing and calls nobody: it is what 1.00 means in the table of scripts/bench.
//   bench_limit PORT echo        each frame goes back, one write per read
//   bench_limit PORT broadcast   each frame goes to all, one write per connection and turn
//   bench_limit PORT rooms       BENCH_ROOMS times 20 connections; 60 times a second each of the 20 is sent 72 bytes
#include "frame.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18, CARRY_MAX = 1 << 16, GATHER_SIZE = 1 << 22, EVENTS = 1024 };
enum { MEMBERS = 20, TICK_BYTES = 72, TICKS = 60 }; // of a room, of a tick, in a second

struct conn {
    int fd;
    size_t place; // in all[]
    bool open;    // upgraded
    uint8_t *carry, *unsent;
    size_t carried, unsent_size, unsent_room;
};

static struct conn **all;
static size_t all_count, all_room;
static uint8_t input[READ_SIZE + CARRY_MAX];
static uint8_t output[READ_SIZE + CARRY_MAX]; // an unmasked frame is shorter than it was
static uint8_t gathered[GATHER_SIZE];         // what this turn broadcasts
static size_t gathered_size;
static bool broadcasts;
static size_t rooms;      // 0: none
static uint64_t tick_due; // of the next room, in nanoseconds; 0: not all are there yet
static size_t tick_room;
static int poller;

static void *must(void *memory)
{
    if (!memory)
        errx(1, "out of memory");
    return memory;
}

static void drop(struct conn *conn)
{
    all[conn->place] = all[--all_count];
    all[conn->place]->place = conn->place;
    close(conn->fd);
    free(conn->carry);
    free(conn->unsent);
    free(conn);
}

static void keep_unsent(struct conn *conn, const uint8_t *data, size_t size)
{
    if (conn->unsent_size + size > conn->unsent_room) {
        conn->unsent_room = 2 * (conn->unsent_size + size);
        conn->unsent = must(realloc(conn->unsent, conn->unsent_room));
    }
    memcpy(conn->unsent + conn->unsent_size, data, size);
    conn->unsent_size += size;
}

// A socket that fails is noticed by its next read.
static void transmit(struct conn *conn, const uint8_t *data, size_t size)
{
    ssize_t sent = conn->unsent_size ? 0 : send(conn->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        return;
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < size)
        keep_unsent(conn, data + sent, size - (size_t)sent);
}

static void transmit_unsent(struct conn *conn)
{
    ssize_t sent = send(conn->fd, conn->unsent, conn->unsent_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0)
        return;
    conn->unsent_size -= (size_t)sent;
    memmove(conn->unsent, conn->unsent + sent, conn->unsent_size);
}

static void transmit_gathered(void)
{
    for (size_t i = 0; i < all_count && gathered_size; i++)
        if (all[i]->open)
            transmit(all[i], gathered, gathered_size);
    gathered_size = 0;
}

// Returns false where it is no upgrade.
static bool answer_upgrade(struct conn *conn, char *request)
{
    static const char name[] = "\r\nSec-WebSocket-Key:";
    const char *key = strcasestr(request, name);
    if (!key)
        return false;
    key += sizeof name - 1;
    key += strspn(key, " ");
    char text[128], answer[256];
    unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
    int length = snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, " \r"), key);
    if (length >= (int)sizeof text)
        return false;
    SHA1((const unsigned char *)text, (size_t)length, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    length = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: %s\r\n\r\n",
                      (const char *)accept);
    transmit(conn, (const uint8_t *)answer, (size_t)length);
    return conn->open = true;
}

// Writes the frame, unmasked, as a server sends it. Returns its length.
static size_t turn_round(uint8_t *out, const struct pp_bench_frame *frame)
{
    uint8_t opcode = frame->opcode == PP_BENCH_PING ? PP_BENCH_PONG : frame->opcode;
    size_t head = pp_bench_head_write(out, opcode, (size_t)frame->length, false);
    pp_bench_mask(out + head, frame->payload, (size_t)frame->length, frame->key);
    return head + (size_t)frame->length;
}

// Returns how many bytes of data were whole frames, or -1 where the connection ends.
static ssize_t take_frames(struct conn *conn, const uint8_t *data, size_t size)
{
    size_t at = 0, used, written = 0;
    struct pp_bench_frame frame;
    while ((used = pp_bench_frame_parse(data + at, size - at, &frame)) > 0) {
        if (!frame.key || frame.opcode == PP_BENCH_CLOSE)
            return -1;
        if (!broadcasts || frame.opcode > PP_BENCH_BINARY) {
            written += turn_round(output + written, &frame);
        } else {
            if (gathered_size + used > GATHER_SIZE)
                transmit_gathered();
            gathered_size += turn_round(gathered + gathered_size, &frame);
        }
        at += used;
    }
    if (written)
        transmit(conn, output, written);
    return (ssize_t)at;
}

static ssize_t take_request(struct conn *conn, uint8_t *data, size_t size)
{
    uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *end = '\0';
    return answer_upgrade(conn, (char *)data) ? end + 4 - data : -1;
}

// Returns false where the connection ends.
static bool take(struct conn *conn, uint8_t *data, size_t size)
{
    size_t at = 0;
    if (!conn->open) {
        ssize_t head = take_request(conn, data, size);
        if (head < 0)
            return false;
        at = (size_t)head;
    }
    if (conn->open) {
        ssize_t frames = take_frames(conn, data + at, size - at);
        if (frames < 0)
            return false;
        at += (size_t)frames;
    }
    conn->carried = size - at;
    if (conn->carried > CARRY_MAX)
        return false;
    if (conn->carried && !conn->carry)
        conn->carry = must(malloc(CARRY_MAX));
    if (conn->carried)
        memcpy(conn->carry, data + at, conn->carried);
    return true;
}

// Returns whether to read on: with edge-triggered epoll a short read is the sign of an empty socket.
static bool receive(struct conn *conn)
{
    if (conn->carried)
        memcpy(input, conn->carry, conn->carried);
    ssize_t got = recv(conn->fd, input + conn->carried, READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0 || !take(conn, input, conn->carried + (size_t)got)) {
        drop(conn);
        return false;
    }
    return got == READ_SIZE;
}

static void accept_all(int listener)
{
    const int on = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (all_count == all_room) {
            all_room = all_room ? 2 * all_room : 1024;
            all = must(realloc(all, all_room * sizeof *all));
        }
        struct conn *conn = must(calloc(1, sizeof *conn));
        conn->fd = fd;
        conn->place = all_count;
        all[all_count++] = conn;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Tells the rooms whose time it is, one after the other. Returns the milliseconds to the next, or -1 where there is
// none.
static int tick(void)
{
    static uint8_t frame[PP_BENCH_HEAD_MAX + TICK_BYTES];
    size_t size = pp_bench_head_write(frame, PP_BENCH_BINARY, TICK_BYTES, false) + TICK_BYTES;
    uint64_t now = clock_now(), period = 1000000000u / TICKS;
    if (all_count < rooms * MEMBERS || rooms == 0)
        return -1;
    if (tick_due + period < now)
        tick_due = now; // what was missed is left out
    for (; tick_due <= now; tick_due += period / rooms) {
        for (size_t i = tick_room * MEMBERS; i < (tick_room + 1) * MEMBERS; i++)
            if (all[i]->open)
                transmit(all[i], frame, size);
        tick_room = (tick_room + 1) % rooms;
    }
    return (int)((tick_due - now) / 1000000);
}

static int listen_on(int port)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0)
        err(1, "port %d", port);
    return listener;
}

int main(int argc, char **argv)
{
    int port = argc == 3 ? atoi(argv[1]) : 0;
    broadcasts = argc == 3 && strcmp(argv[2], "broadcast") == 0;
    if (argc == 3 && strcmp(argv[2], "rooms") == 0 && getenv("BENCH_ROOMS"))
        rooms = strtoul(getenv("BENCH_ROOMS"), NULL, 10);
    if (port < 1 || port > 65535 || (!broadcasts && rooms == 0 && strcmp(argv[2], "echo") != 0))
        errx(2, "usage: bench_limit PORT echo|broadcast|rooms");
    int listener = listen_on(port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS], accepting = {.events = EPOLLIN};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepting);
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, tick());
        for (int i = 0; i < count; i++) {
            struct conn *conn = events[i].data.ptr;
            if (!conn) {
                accept_all(listener);
                continue;
            }
            if (conn->unsent_size)
                transmit_unsent(conn);
            while (events[i].events & ~(uint32_t)EPOLLOUT && receive(conn))
                ;
        }
        transmit_gathered();
    }
}
